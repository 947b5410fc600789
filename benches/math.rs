//! Transcendental functions over slices in L1, and reductions in L1 and from memory, compared with plain loops. `Gelem/s` are
//! elements per nanosecond.

#[path = "support/workloads.rs"]
mod workloads;

use criterion::{Criterion, criterion_group, criterion_main};
use equilibria::bench::{math, reduce};

fn math(criterion: &mut Criterion) {
    workloads::measure(criterion, math::list);
    workloads::measure(criterion, reduce::list);
}

criterion_group! {
    name = benches;
    config = workloads::configuration();
    targets = math
}
criterion_main!(benches);
