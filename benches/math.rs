//! Transcendental functions and reductions over slices in L1. `Gelem/s` are elements per nanosecond.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use equilibria_kernels::random::{Xoshiro256PlusPlusX8, fill_uniform};
use equilibria_kernels::{Level, math, reduce};
use std::hint::black_box;
use std::time::Duration;

const ELEMENTS: usize = 4096;

/// Uniform numbers in [0.01, 8.01).
fn noise(seed: u64) -> Vec<f32> {
    let (level, mut x) = (Level::detect(), vec![0.0; ELEMENTS]);
    fill_uniform(level, &mut Xoshiro256PlusPlusX8::from_seed_u64(level, seed), &mut x);
    x.iter().map(|x| 8.0 * x + 0.01).collect()
}

fn configuration() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(800))
}

fn close(found: f32, right: f64) -> bool {
    (f64::from(found) - right).abs() <= 1e-5 * right.abs()
}

/// A kernel that maps a slice.
type Function = fn(Level, &[f32], &mut [f32]);

/// The exact function of a number.
type Exact = fn(f64) -> f64;

fn functions(criterion: &mut Criterion) {
    let functions: [(&str, Function, Exact); 6] = [
        ("exp", math::exp, f64::exp),
        ("ln", math::ln, f64::ln),
        ("sigmoid", math::sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
        ("log_sigmoid", math::log_sigmoid, |x| -(-x).exp().ln_1p()),
        ("softplus", math::softplus, |x| x.exp().ln_1p()),
        ("tanh", math::tanh, f64::tanh),
    ];
    let (level, x, mut out) = (Level::detect(), noise(1), vec![0.0; ELEMENTS]);
    let mut group = criterion.benchmark_group("math");
    group.throughput(Throughput::Elements(ELEMENTS as u64));
    for (name, function, exact) in functions {
        function(level, &x, &mut out);
        for (&x, &found) in x.iter().zip(&out) {
            assert!(close(found, exact(f64::from(x))), "{name}({x}) gives {found}");
        }
        group.bench_function(name, |bencher| {
            bencher.iter(|| function(level, black_box(&x), black_box(&mut out)));
        });
    }
    group.finish();
}

fn reductions(criterion: &mut Criterion) {
    let (level, x, y) = (Level::detect(), noise(1), noise(2));
    let right = |term: fn(f64, f64) -> f64| -> f64 {
        x.iter().zip(&y).map(|(&x, &y)| term(f64::from(x), f64::from(y))).sum()
    };
    type Reduction = fn(Level, &[f32], &[f32]) -> f32;
    let reductions: [(&str, Reduction, f64); 5] = [
        ("sum", |level, x, _| reduce::sum(level, x), right(|x, _| x)),
        ("dot", reduce::dot, right(|x, y| x * y)),
        ("squared_norm", |level, x, _| reduce::squared_norm(level, x), right(|x, _| x * x)),
        (
            "max",
            |level, x, _| reduce::max(level, x),
            x.iter().fold(0.0, |largest, &x| f64::max(largest, f64::from(x))),
        ),
        ("log_sum_exp", |level, x, _| reduce::log_sum_exp(level, x), right(|x, _| x.exp()).ln()),
    ];
    let mut group = criterion.benchmark_group("reduce");
    group.throughput(Throughput::Elements(ELEMENTS as u64));
    for (name, reduction, right) in reductions {
        let found = reduction(level, &x, &y);
        assert!(close(found, right), "{name} gives {found}, not {right}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| reduction(level, black_box(&x), black_box(&y)));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = configuration();
    targets = functions, reductions
}
criterion_main!(benches);
