//! Updates of a restricted Boltzmann machine by contrastive divergence, on random images of MNIST's density (13 % of the
//! pixels on): `Kelem/s` are thousands of images. An epoch of 60,000 images takes 60 times the time of 1,000.
//!
//! ```text
//! cargo bench --bench cd_k
//! ```

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use equilibria::boltzmann::Rbm;
use equilibria::boltzmann::learning::{Learner, NegativePhase, Rates};
use equilibria::rng::Stream;
use equilibria_kernels::{Level, random};
use std::time::{Duration, Instant};

const VISIBLE: usize = 784;
const DENSITY: f32 = 0.13;
const RATES: Rates = Rates { learning_rate: 0.01, momentum: 0.0, weight_decay: 0.0 };

/// A learner with a mini-batch of random images, some updates old.
fn learner(hidden: usize, batch: usize, steps: usize) -> Learner<f32> {
    let stream = Stream::named(1, "bench");
    let model = Rbm::new(&[DENSITY; VISIBLE], hidden, stream.substream(0)).expect("there are units");
    let mut learner = Learner::new(model, NegativePhase::Contrastive, steps, batch, stream.substream(1));
    let images = learner.images_mut(batch);
    random::fill_uniform(Level::detect(), &mut stream.substream(2).bulk(), images);
    images.iter_mut().for_each(|x| *x = if *x < DENSITY { 1.0 } else { 0.0 });
    for update in 0..20 {
        assert!(learner.update(RATES, stream.substream(3 + update)), "parameters stay finite");
    }
    learner
}

fn updates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cd_k");
    for (hidden, batch, steps) in [(500, 100, 1), (500, 100, 25), (20, 10, 1)] {
        let mut learner = learner(hidden, batch, steps);
        group.throughput(Throughput::Elements(batch as u64));
        let id = BenchmarkId::from_parameter(format!("784-{hidden} batch {batch} CD-{steps}"));
        group.bench_function(id, |bencher| {
            bencher.iter_custom(|calls| {
                // Inside the pool, so that no update has to enter it.
                rayon::scope(|_| {
                    let start = Instant::now();
                    for call in 0..calls {
                        learner.update(RATES, Stream::named(2, "bench").substream(call));
                    }
                    start.elapsed()
                })
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = cd_k;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500));
    targets = updates
}
criterion_main!(cd_k);
