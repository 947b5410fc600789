//! Bulk random numbers into L1, compared with `rand_xoshiro` number by number.

use super::entry::Unit;
use super::slices::Kernel;
use super::workload::{Add, Context, Place, Workload, noise, wrong};
use crate::Result;
use equilibria_kernels::Level;
use equilibria_kernels::random::{
    Xoshiro256PlusPlusX8, bernoulli_from_logits, fill_normal, fill_uniform, fill_words,
};
use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use std::hint::black_box;
use std::sync::Arc;

const ELEMENTS: usize = 4096;
const SEED: u64 = 2;

/// Fills a slice from the seed and checks it; the bulk fill is compared with the plain one.
fn fill<T: Copy + Default + Send + 'static>(
    level: Level,
    (name, r#type, bytes): (&'static str, &'static str, usize),
    ours: impl Fn(&mut Xoshiro256PlusPlusX8, &mut [T]) + Send + 'static,
    plain: impl Fn(&mut Xoshiro256PlusPlus, &mut [T]) + Send + 'static,
    check: impl FnOnce(Kernel, &[T]) -> Result<()>,
) -> Result<Workload> {
    let unit = Unit::NanosecondsPerElement;
    let kernel = Kernel { name, r#type, rows: 1, columns: ELEMENTS, bytes, unit };
    let (mut out, mut plain_out) = (vec![T::default(); ELEMENTS], vec![T::default(); ELEMENTS]);
    let mut generator = Xoshiro256PlusPlusX8::from_seed_u64(level, SEED);
    let mut plain_generator = Xoshiro256PlusPlus::seed_from_u64(SEED);
    ours(&mut generator, &mut out);
    check(kernel, &out)?;
    let ours = move || ours(&mut generator, black_box(&mut out));
    let plain = move || plain(&mut plain_generator, black_box(&mut plain_out));
    Ok(kernel.workload(ours, ("rand_xoshiro", plain), None))
}

/// Words, uniforms, normals and Bernoulli states, on one thread.
pub fn list(context: &Context, add: Add<'_>) -> Result<()> {
    let level = context.level;
    let mut add = |made: Result<Workload>| add(made?, Place::One);
    add(fill(
        level,
        ("words", "u64", 8),
        move |generator, out| fill_words(level, generator, out),
        |generator, out| out.iter_mut().for_each(|x| *x = generator.next_u64()),
        check_first_lane,
    ))?;
    add(fill::<f32>(
        level,
        ("uniform", "f32", 4),
        move |generator, out| fill_uniform(level, generator, out),
        |generator, out| out.iter_mut().for_each(|x| *x = generator.random()),
        |kernel, x| check_moments(kernel, x, 0.5, 1.0 / 12.0),
    ))?;
    add(fill::<f64>(
        level,
        ("uniform", "f64", 8),
        move |generator, out| fill_uniform(level, generator, out),
        |generator, out| out.iter_mut().for_each(|x| *x = generator.random()),
        |kernel, x| check_moments(kernel, x, 0.5, 1.0 / 12.0),
    ))?;
    add(fill(
        level,
        ("normal", "f32", 4),
        move |generator, out| fill_normal(level, generator, out),
        plain_normals,
        |kernel, x| check_moments(kernel, x, 0.0, 1.0),
    ))?;

    let logits: Arc<Vec<f32>> = noise(level, ELEMENTS, -6.0..6.0).into();
    let [ours, theirs] = [&logits, &logits].map(Arc::clone);
    add(fill::<f32>(
        level,
        ("bernoulli", "f32", 8),
        move |generator, out| bernoulli_from_logits(level, generator, black_box(&ours), out),
        move |generator, out| {
            for (state, logit) in out.iter_mut().zip(black_box(&*theirs)) {
                *state = f32::from(generator.random::<f32>() < 1.0 / (1.0 + (-logit).exp()));
            }
        },
        |kernel, states| {
            let mut uniforms = vec![0.0_f32; ELEMENTS];
            fill_uniform(level, &mut Xoshiro256PlusPlusX8::from_seed_u64(level, SEED), &mut uniforms);
            for ((&state, &u), &logit) in states.iter().zip(&uniforms).zip(&*logits) {
                let (u, p) = (f64::from(u), 1.0 / (1.0 + (-f64::from(logit)).exp()));
                let right = f32::from(u < p);
                if state != right && (u - p).abs() > 1e-6 {
                    return Err(wrong(kernel, state, right));
                }
            }
            Ok(())
        },
    ))
}

/// Checks that the words of lane 0 are the stream of `rand_xoshiro`.
fn check_first_lane(kernel: Kernel, words: &[u64]) -> Result<()> {
    let mut peer = Xoshiro256PlusPlus::seed_from_u64(SEED);
    for &found in words.iter().step_by(8) {
        let right = peer.next_u64();
        if found != right {
            return Err(wrong(kernel, found, right));
        }
    }
    Ok(())
}

/// Checks that mean and variance are within 6 standard errors; that of the variance is at most sqrt(2 / n) of it.
fn check_moments<T: Copy + Into<f64>>(kernel: Kernel, x: &[T], mean: f64, variance: f64) -> Result<()> {
    let n = x.len() as f64;
    let sum: f64 = x.iter().map(|&x| x.into() - mean).sum();
    let squares: f64 = x.iter().map(|&x| (x.into() - mean).powi(2)).sum();
    kernel.expect(sum / n, 0.0, (variance / n).sqrt(), 6.0)?;
    kernel.expect(squares / n, variance, variance * (2.0 / n).sqrt(), 6.0)
}

/// The Box-Muller transform as in textbooks.
fn plain_normals(generator: &mut Xoshiro256PlusPlus, out: &mut [f32]) {
    for pair in out.chunks_mut(2) {
        let radius = (-2.0 * (1.0 - generator.random::<f32>()).ln()).sqrt();
        let (sine, cosine) = (std::f32::consts::TAU * generator.random::<f32>()).sin_cos();
        for (x, direction) in pair.iter_mut().zip([cosine, sine]) {
            *x = radius * direction;
        }
    }
}
