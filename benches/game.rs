//! One step of the generator with its steps of the discriminator, for each objective. `Kelem/s` are thousands of real
//! samples per second.

#[path = "support/workloads.rs"]
mod workloads;

use criterion::{Criterion, criterion_group, criterion_main};
use equilibria::bench::game;

fn game(criterion: &mut Criterion) {
    workloads::measure(criterion, game::list);
}

criterion_group! {
    name = benches;
    config = workloads::configuration();
    targets = game
}
criterion_main!(benches);
