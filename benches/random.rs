//! Bulk random numbers, 4096 per call. `Gelem/s` are numbers per nanosecond.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use equilibria_kernels::Level;
use equilibria_kernels::random::{
    Xoshiro256PlusPlusX8, bernoulli_from_logits, fill_normal, fill_uniform, fill_words,
};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use std::hint::black_box;
use std::time::Duration;

const ELEMENTS: usize = 4096;
const SEED: u64 = 2;

fn configuration() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(800))
}

fn generator() -> Xoshiro256PlusPlusX8 {
    Xoshiro256PlusPlusX8::from_seed_u64(Level::detect(), SEED)
}

/// Checks the mean and the mean square, each to about 6 standard errors.
fn check_moments(name: &str, x: &[f32], mean: f64, mean_square: f64) {
    let average = |term: fn(f64) -> f64| x.iter().map(|&x| term(f64::from(x))).sum::<f64>() / ELEMENTS as f64;
    let (found, found_square) = (average(|x| x), average(|x| x * x));
    assert!(
        (found - mean).abs() < 0.1 && (found_square - mean_square).abs() < 0.15,
        "{name}: mean {found}, not {mean}; mean square {found_square}, not {mean_square}"
    );
}

fn words(criterion: &mut Criterion) {
    let (level, mut out) = (Level::detect(), vec![0; ELEMENTS]);
    fill_words(level, &mut generator(), &mut out);
    let mut peer = Xoshiro256PlusPlus::seed_from_u64(SEED);
    assert!(
        out.iter().step_by(8).all(|&word| word == peer.next_u64()),
        "words: lane 0 differs from the scalar generator"
    );
    let mut group = criterion.benchmark_group("words");
    group.throughput(Throughput::Elements(ELEMENTS as u64));
    let mut ours = generator();
    group.bench_function("equilibria", |bencher| {
        bencher.iter(|| fill_words(level, &mut ours, black_box(&mut out)));
    });
    group.bench_function("rand_xoshiro", |bencher| {
        bencher.iter(|| black_box(&mut out).iter_mut().for_each(|word| *word = peer.next_u64()));
    });
    group.finish();
}

fn numbers(criterion: &mut Criterion) {
    let (level, mut out) = (Level::detect(), vec![0.0; ELEMENTS]);
    let mut group = criterion.benchmark_group("random");
    group.throughput(Throughput::Elements(ELEMENTS as u64));

    fill_uniform(level, &mut generator(), &mut out);
    check_moments("uniform", &out, 0.5, 1.0 / 3.0);
    let mut ours = generator();
    group.bench_function("uniform", |bencher| {
        bencher.iter(|| fill_uniform(level, &mut ours, black_box(&mut out)));
    });

    fill_normal(level, &mut generator(), &mut out);
    check_moments("normal", &out, 0.0, 1.0);
    group.bench_function("normal", |bencher| {
        bencher.iter(|| fill_normal(level, &mut ours, black_box(&mut out)));
    });

    // With symmetric logits, ones and zeros are equally frequent.
    let logits = out.clone();
    bernoulli_from_logits(level, &mut generator(), &logits, &mut out);
    check_moments("bernoulli", &out, 0.5, 0.5);
    group.bench_function("bernoulli", |bencher| {
        bencher.iter(|| bernoulli_from_logits(level, &mut ours, black_box(&logits), black_box(&mut out)));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = configuration();
    targets = words, numbers
}
criterion_main!(benches);
