//! The matrix product compared with `matrixmultiply` and with the peak rate of multiply-adds. `Gelem/s` are GFLOP/s.
//!
//! ```text
//! cargo bench --bench gemm
//! MATMUL_NUM_THREADS=1 RAYON_NUM_THREADS=1 cargo bench --bench gemm     # both on one thread
//! ```
//!
//! `matrixmultiply` uses `MATMUL_NUM_THREADS` threads, by default as many as there are physical cores, at most 4. On a
//! machine with varying speed, `equilibria bench` gives a better comparison, because it measures the candidates in
//! turn.

#[path = "../src/cli/bench/limits.rs"]
mod limits;
#[path = "../src/cli/bench/products.rs"]
mod products;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use equilibria_kernels::{Level, MatrixScalar};
use limits::{multiply_adds, multiply_adds_here, multiply_adds_operations};
use products::{LARGE, LAYERS, Operands, Product, Shape, TRANSPOSED};
use std::time::{Duration, Instant};

fn configuration() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1000))
}

fn peak(criterion: &mut Criterion) {
    let level = Level::detect();
    let mut group = criterion.benchmark_group("peak");
    group.throughput(Throughput::Elements(multiply_adds_operations::<f32>(level) as u64));
    group.bench_function("one", |bencher| bencher.iter(|| multiply_adds_here::<f32>(level)));
    group.bench_function("all", |bencher| {
        bencher.iter_custom(|calls| {
            rayon::scope(|_| {
                let start = Instant::now();
                multiply_adds::<f32>(level)(calls as usize);
                start.elapsed()
            })
        });
    });
    group.finish();
}

/// Runs `work` in `pool`, or in the global pool of all threads.
fn within<R: Send>(pool: Option<&rayon::ThreadPool>, work: impl FnOnce() -> R + Send) -> R {
    match pool {
        Some(pool) => pool.install(work),
        None => rayon::scope(|_| work()),
    }
}

/// Checks a product, then measures our product and, in a pool of all threads, that of `matrixmultiply`.
fn product<T: MatrixScalar>(
    criterion: &mut Criterion,
    shape: Shape,
    parameter: &str,
    pool: Option<&rayon::ThreadPool>,
) {
    let operands = Operands::<T>::new(Level::detect(), shape);
    let mut ours = within(pool, || Product::ours(&operands));
    let mut peer = Product::peer(&operands);
    within(pool, || ours.call());
    peer.call();
    if let Err(wrong) = operands.check(&ours.c, &peer.c) {
        panic!("{wrong}");
    }
    time(criterion, "equilibria", shape, parameter, pool, || ours.call());
    if pool.is_none() {
        time(criterion, "matrixmultiply", shape, parameter, pool, || peer.call());
    }
}

fn time(
    criterion: &mut Criterion,
    name: &str,
    shape: Shape,
    parameter: &str,
    pool: Option<&rayon::ThreadPool>,
    mut call: impl FnMut() + Send,
) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(shape.operations() as u64));
    if shape.operations() > 1e9 {
        group.sampling_mode(SamplingMode::Flat);
    }
    group.bench_function(BenchmarkId::from_parameter(parameter), |bencher| {
        bencher.iter_custom(|calls| {
            within(pool, || {
                let start = Instant::now();
                (0..calls).for_each(|_| call());
                start.elapsed()
            })
        });
    });
    group.finish();
}

fn products(criterion: &mut Criterion) {
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread can be started");
    for shape in LARGE {
        product::<f32>(criterion, shape, &format!("{shape} one thread"), Some(&one));
    }
    for shape in LARGE.into_iter().chain(LAYERS).chain(TRANSPOSED) {
        product::<f32>(criterion, shape, &shape.to_string(), None);
    }
    product::<f64>(criterion, LARGE[0], &format!("{} f64", LARGE[0]), None);
}

criterion_group! {
    name = gemm;
    config = configuration();
    targets = peak, products
}
criterion_main!(gemm);
