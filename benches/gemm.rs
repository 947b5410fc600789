//! The matrix product compared with `matrixmultiply` and with the peak rate of multiply-adds. `Gelem/s` are GFLOP/s; those
//! of the multiply-adds are to be read from the time of a call.
//!
//! `matrixmultiply` uses `MATMUL_NUM_THREADS` threads, by default as many as there are physical cores, at most 4:
//!
//! ```text
//! cargo bench --bench gemm
//! MATMUL_NUM_THREADS=1 RAYON_NUM_THREADS=1 cargo bench --bench gemm     # both on one thread
//! ```

#[path = "support/workloads.rs"]
mod workloads;

use criterion::{Criterion, criterion_group, criterion_main};
use equilibria::bench::gemm;

fn gemm(criterion: &mut Criterion) {
    for list in [gemm::one_thread, gemm::all_threads, gemm::transposed, gemm::double] {
        workloads::measure(criterion, list);
    }
}

criterion_group! {
    name = benches;
    config = workloads::configuration();
    targets = gemm
}
criterion_main!(benches);
