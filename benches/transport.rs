//! Optimal transport: exact and entropic solvers on clouds and histograms, and the half-step of Sinkhorn's algorithm.
//! `Gelem/s` are exponentials per nanosecond; a solver counts as one element.

#[path = "support/workloads.rs"]
mod workloads;

use criterion::{Criterion, criterion_group, criterion_main};
use equilibria::bench::transport;

fn solvers(criterion: &mut Criterion) {
    workloads::measure(criterion, transport::list);
}

criterion_group! {
    name = benches;
    config = workloads::configuration();
    targets = solvers
}
criterion_main!(benches);
