//! Updates of a restricted Boltzmann machine by contrastive divergence on synthetic digits. `Melem/s` are millions of
//! states of units per second.

#[path = "support/workloads.rs"]
mod workloads;

use criterion::{Criterion, criterion_group, criterion_main};
use equilibria::bench::learning;

fn cd_k(criterion: &mut Criterion) {
    workloads::measure(criterion, learning::list);
}

criterion_group! {
    name = benches;
    config = workloads::configuration();
    targets = cd_k
}
criterion_main!(benches);
