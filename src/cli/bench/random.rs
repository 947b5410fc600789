//! Bulk random numbers into L1, against `rand_xoshiro` one at a time.

use super::measure::repeat;
use super::slices::{Kernel, Slice, Unit, measure};
use super::{Add, Context, noise};
use crate::Result;
use equilibria_kernels::random::{
    Xoshiro256PlusPlusX8, bernoulli_from_logits, fill_normal, fill_uniform, fill_words,
};
use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use std::hint::black_box;

const ELEMENTS: usize = 4096;
const SEED: u64 = 2;

/// A bulk fill, and the same one number at a time.
struct Fills<Ours, Plain> {
    kernel: Kernel,
    ours: Ours,
    plain: Plain,
}

impl<Ours, Plain> Fills<Ours, Plain> {
    /// Fills a slice from the seed, checks it, then times.
    fn run<T: Copy + Default + Send + Sync>(
        self,
        context: &Context,
        check: impl FnOnce(Kernel, &[T]) -> Result<()>,
    ) -> Result<Slice>
    where
        Ours: Fn(&mut Xoshiro256PlusPlusX8, &mut [T]) + Sync,
        Plain: Fn(&mut Xoshiro256PlusPlus, &mut [T]) + Sync,
    {
        let Self { kernel, ours, plain } = self;
        let (mut out, mut plain_out) = (vec![T::default(); ELEMENTS], vec![T::default(); ELEMENTS]);
        let mut generator = Xoshiro256PlusPlusX8::from_seed_u64(context.level, SEED);
        let mut plain_generator = Xoshiro256PlusPlus::seed_from_u64(SEED);
        ours(&mut generator, &mut out);
        check(kernel, &out)?;
        let mut ours = repeat(|| ours(&mut generator, black_box(&mut out)));
        let mut plain = repeat(|| plain(&mut plain_generator, black_box(&mut plain_out)));
        Ok(measure(context, kernel, &mut ours, &mut plain, None))
    }
}

fn kernel(name: &'static str, r#type: &'static str, bytes: usize) -> Kernel {
    Kernel { name, r#type, rows: 1, columns: ELEMENTS, bytes, unit: Unit::Nanoseconds }
}

pub(super) fn run(context: &Context, add: Add<'_, Slice>) -> Result<()> {
    let level = context.level;
    let words = Fills {
        kernel: kernel("words", "u64", 8),
        ours: |generator: &mut _, out: &mut [_]| fill_words(level, generator, out),
        plain: |generator: &mut Xoshiro256PlusPlus, out: &mut [u64]| {
            out.iter_mut().for_each(|x| *x = generator.next_u64());
        },
    };
    add(words.run(context, first_lane_is_the_peer)?)?;

    let uniforms = Fills {
        kernel: kernel("uniform", "f32", 4),
        ours: |generator: &mut _, out: &mut [_]| fill_uniform(level, generator, out),
        plain: |generator: &mut Xoshiro256PlusPlus, out: &mut [f32]| {
            out.iter_mut().for_each(|x| *x = generator.random());
        },
    };
    add(uniforms.run(context, |kernel, x| moments(kernel, x, 0.5, 1.0 / 12.0))?)?;

    let uniforms = Fills {
        kernel: kernel("uniform", "f64", 8),
        ours: |generator: &mut _, out: &mut [_]| fill_uniform(level, generator, out),
        plain: |generator: &mut Xoshiro256PlusPlus, out: &mut [f64]| {
            out.iter_mut().for_each(|x| *x = generator.random());
        },
    };
    add(uniforms.run(context, |kernel, x| moments(kernel, x, 0.5, 1.0 / 12.0))?)?;

    let normals = Fills {
        kernel: kernel("normal", "f32", 4),
        ours: |generator: &mut _, out: &mut [_]| fill_normal(level, generator, out),
        plain: plain_normals,
    };
    add(normals.run(context, |kernel, x| moments(kernel, x, 0.0, 1.0))?)?;

    let logits: Vec<f32> = noise(level, ELEMENTS, -6.0..6.0);
    let states = Fills {
        kernel: kernel("bernoulli", "f32", 8),
        ours: |generator: &mut _, out: &mut [_]| {
            bernoulli_from_logits(level, generator, black_box(&logits), out)
        },
        plain: |generator: &mut Xoshiro256PlusPlus, out: &mut [f32]| {
            for (state, logit) in out.iter_mut().zip(black_box(&logits)) {
                *state = f32::from(generator.random::<f32>() < 1.0 / (1.0 + (-logit).exp()));
            }
        },
    };
    add(states.run(context, |kernel, states| {
        let mut uniforms = vec![0.0_f32; ELEMENTS];
        fill_uniform(level, &mut Xoshiro256PlusPlusX8::from_seed_u64(level, SEED), &mut uniforms);
        for ((&state, &u), &logit) in states.iter().zip(&uniforms).zip(&logits) {
            let (u, p) = (f64::from(u), 1.0 / (1.0 + (-f64::from(logit)).exp()));
            let right = f32::from(u < p);
            if state != right && (u - p).abs() > 1e-6 {
                return Err(kernel.wrong(state, right));
            }
        }
        Ok(())
    })?)
}

/// Words of lane 0 are the stream of `rand_xoshiro`.
fn first_lane_is_the_peer(kernel: Kernel, words: &[u64]) -> Result<()> {
    let mut peer = Xoshiro256PlusPlus::seed_from_u64(SEED);
    for &found in words.iter().step_by(8) {
        let right = peer.next_u64();
        if found != right {
            return Err(kernel.wrong(found, right));
        }
    }
    Ok(())
}

/// Mean and mean square within 6 standard errors, that of the square at most sqrt 2 of the variance.
fn moments<T: Copy + Into<f64>>(kernel: Kernel, x: &[T], mean: f64, variance: f64) -> Result<()> {
    let n = x.len() as f64;
    let sum: f64 = x.iter().map(|&x| x.into() - mean).sum();
    let squares: f64 = x.iter().map(|&x| (x.into() - mean).powi(2)).sum();
    kernel.expect(sum / n, 0.0, (variance / n).sqrt(), 6.0)?;
    kernel.expect(squares / n, variance, variance * (2.0 / n).sqrt(), 6.0)
}

/// Box & Muller's transform as the textbook has it.
fn plain_normals(generator: &mut Xoshiro256PlusPlus, out: &mut [f32]) {
    for pair in out.chunks_mut(2) {
        let radius = (-2.0 * (1.0 - generator.random::<f32>()).ln()).sqrt();
        let (sine, cosine) = (std::f32::consts::TAU * generator.random::<f32>()).sin_cos();
        for (x, direction) in pair.iter_mut().zip([cosine, sine]) {
            *x = radius * direction;
        }
    }
}
