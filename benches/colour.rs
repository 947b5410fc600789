//! Colour transfer: our method between photographs of 12 megapixels, and the report's between two of 0.7.

#[path = "support/workloads.rs"]
mod workloads;

use criterion::{Criterion, criterion_group, criterion_main};
use equilibria::bench::colour;

fn colour(criterion: &mut Criterion) {
    workloads::measure(criterion, colour::list);
}

criterion_group! {
    name = benches;
    config = workloads::configuration();
    targets = colour
}
criterion_main!(benches);
