//! Updates of a restricted Boltzmann machine by contrastive divergence on synthetic digits. `Kelem/s` are thousands of
//! images per second; an epoch of MNIST has 60 thousand.
//!
//! ```text
//! cargo bench --bench cd_k
//! ```

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use equilibria::boltzmann::Rbm;
use equilibria::boltzmann::learning::{Learner, NegativePhase, Rates};
use equilibria::data::{Binarisation, BinaryImages, Digits};
use equilibria::rng::Stream;
use std::time::{Duration, Instant};

const VISIBLE: usize = 784;
const DIGITS: usize = 2_000;
/// Updates before the measurement: the share of active hidden units settles.
const WARM_UP: u64 = 300;
const RATES: Rates = Rates { learning_rate: 0.05, momentum: 0.0, weight_decay: 0.0 };

/// A machine in training, after some hundred updates.
struct Training {
    learner: Learner<f32>,
    images: BinaryImages,
    batch: usize,
    updates: u64,
}

impl Training {
    fn new(hidden: usize, batch: usize, steps: usize) -> Self {
        let stream = Stream::named(1, "bench");
        let digits = Digits::synthetic(DIGITS, 1).expect("there are digits");
        let digits = digits.train.images();
        let mut images = BinaryImages::new(digits);
        images.fill(Binarisation::Threshold, digits, stream);
        let mean = Binarisation::Threshold.mean(digits);
        let model = Rbm::new(&mean, hidden, stream.substream(0)).expect("there are units");
        let learner = Learner::new(model, NegativePhase::Contrastive, steps, batch, stream.substream(1));
        let mut training = Self { learner, images, batch, updates: 0 };
        (0..WARM_UP).for_each(|_| training.update());
        training
    }

    fn update(&mut self) {
        let batches = DIGITS / self.batch;
        let first = self.updates as usize % batches * self.batch;
        let mut order = [0; 100];
        order.iter_mut().enumerate().for_each(|(i, index)| *index = first + i);
        self.images.gather(&order[..self.batch], self.learner.states_mut(self.batch));
        let stream = Stream::named(2, "bench").substream(self.updates);
        assert!(self.learner.update(RATES, stream).unwrap(), "parameters stay finite");
        self.updates += 1;
    }
}

fn updates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cd_k");
    for (hidden, batch, steps) in [(500, 100, 1), (500, 100, 25), (20, 10, 1)] {
        let mut training = Training::new(hidden, batch, steps);
        group.throughput(Throughput::Elements(batch as u64));
        let id = BenchmarkId::from_parameter(format!("{VISIBLE}-{hidden} batch {batch} CD-{steps}"));
        group.bench_function(id, |bencher| {
            bencher.iter_custom(|calls| {
                // The loop runs inside the thread pool, so that no update has to enter it.
                rayon::scope(|_| {
                    let start = Instant::now();
                    (0..calls).for_each(|_| training.update());
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
