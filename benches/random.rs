//! Bulk random numbers, 4096 per call, compared with `rand_xoshiro`. `Gelem/s` are numbers per nanosecond.

#[path = "support/workloads.rs"]
mod workloads;

use criterion::{Criterion, criterion_group, criterion_main};
use equilibria::bench::random;

fn random(criterion: &mut Criterion) {
    workloads::measure(criterion, random::list);
}

criterion_group! {
    name = benches;
    config = workloads::configuration();
    targets = random
}
criterion_main!(benches);
