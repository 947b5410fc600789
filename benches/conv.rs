//! The convolutions of a DCGAN in their three directions, and the same by products of materialised patches (im2col).
//! `Gelem/s` are GFLOP/s of the dense convolution.

#[path = "support/workloads.rs"]
mod workloads;

use criterion::{Criterion, criterion_group, criterion_main};
use equilibria::bench::conv;

fn conv(criterion: &mut Criterion) {
    workloads::measure(criterion, conv::list);
}

criterion_group! {
    name = benches;
    config = workloads::configuration();
    targets = conv
}
criterion_main!(benches);
