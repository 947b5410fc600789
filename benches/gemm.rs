//! The matrix product compared with `matrixmultiply` and with the peak rate of multiply-adds. `Gelem/s` are GFLOP/s.
//!
//! ```text
//! cargo bench --bench gemm
//! MATMUL_NUM_THREADS=1 RAYON_NUM_THREADS=1 cargo bench --bench gemm     # both on one thread
//! ```
//!
//! `matrixmultiply` uses `MATMUL_NUM_THREADS` threads everywhere, by default as many as there are physical cores, at most 4.

#[path = "support/workloads.rs"]
mod workloads;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use equilibria::bench::{gemm, limits};
use equilibria_kernels::Level;
use std::time::Instant;

fn peak(criterion: &mut Criterion) {
    let level = Level::detect();
    let mut group = criterion.benchmark_group("peak");
    group.throughput(Throughput::Elements(limits::multiply_adds_operations::<f32>(level) as u64));
    group.bench_function("one", |bencher| bencher.iter(|| limits::multiply_adds_here::<f32>(level)));
    group.bench_function("all", |bencher| {
        bencher.iter_custom(|calls| {
            rayon::scope(|_| {
                let start = Instant::now();
                limits::multiply_adds::<f32>(level)(calls as usize);
                start.elapsed()
            })
        });
    });
    group.finish();
}

fn products(criterion: &mut Criterion) {
    for list in [gemm::one_thread, gemm::all_threads, gemm::transposed, gemm::double] {
        workloads::measure(criterion, list);
    }
}

criterion_group! {
    name = benches;
    config = workloads::configuration();
    targets = peak, products
}
criterion_main!(benches);
