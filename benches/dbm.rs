//! Joint training of a deep Boltzmann machine of 784-500-1000 units on synthetic digits, and sampling from it.
//! `Kelem/s` are thousands of images, or of chain sweeps, per second.
//!
//! A step is 10 mean-field iterations on 100 images, 5 Gibbs sweeps of 100 persistent chains, and the gradient step.
//! The time of the 10 iterations does not depend on the machine. In training, converged images (change below 1e-3) are
//! dropped from the batch ("step to convergence", at most 10 iterations).
//!
//! The time of sampling depends on the machine. In a trained machine few units flip per sweep. In an untrained one
//! ("untrained step") half of the hidden units flip, and adding up their weights takes as long as a dense product.
//!
//! ```text
//! cargo bench --bench dbm
//! ```

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use equilibria::boltzmann::learning::Rates;
use equilibria::boltzmann::learning::deep::DeepLearner;
use equilibria::boltzmann::{Dbm, DbmChains, MeanField, Stop};
use equilibria::data::{Binarisation, BinaryImages, Dataset};
use equilibria::parallel::within_awake;
use equilibria::rng::Stream;
use std::time::{Duration, Instant};

const HIDDEN: [usize; 2] = [500, 1000];
const BATCH: usize = 100;
const DIGITS: usize = 2_000;
const SWEEPS: usize = 5;
/// With a tolerance of 0 all iterations are done.
const STOP: Stop = Stop { tolerance: 0.0, iterations: 10 };
const UNTIL_CONVERGENCE: Stop = Stop { tolerance: 1e-3, iterations: 10 };
/// Updates before the measurement, with centred learning, so that the machine learns.
const WARM_UP: u64 = 600;
const WARM_UP_RATES: Rates = Rates { learning_rate: 0.02, momentum: 0.5, weight_decay: 0.0 };
const RATES: Rates = Rates { learning_rate: 0.001, momentum: 0.0, weight_decay: 0.0 };

/// A machine in training.
#[derive(Clone)]
struct Training {
    learner: DeepLearner<f32>,
    images: BinaryImages,
    updates: u64,
}

impl Training {
    /// A machine after `updates` updates.
    fn new(updates: u64) -> Self {
        let stream = Stream::named(1, "bench");
        let digits = Dataset::synthetic(DIGITS, 1).expect("there are digits");
        let digits = digits.train.images();
        let mut images = BinaryImages::new(digits);
        images.fill(Binarisation::Threshold, digits, stream);
        let mean = Binarisation::Threshold.mean(digits);
        let model = Dbm::new(&mean, &HIDDEN, stream.substream(0)).expect("there are units");
        let learner = DeepLearner::new(model, BATCH, BATCH, SWEEPS, stream.substream(1)).unwrap().centred();
        let mut training = Self { learner, images, updates: 0 };
        within_awake(|| (0..updates).for_each(|_| training.update(WARM_UP_RATES)));
        training.learner = training.learner.with_stop(STOP);
        training
    }

    /// The same machine and chains with plain (not centred) learning.
    fn plain(&self, stop: Stop) -> Self {
        let model = self.learner.model().clone();
        let stream = Stream::named(1, "bench");
        let mut learner =
            DeepLearner::new(model.clone(), BATCH, BATCH, SWEEPS, stream).unwrap().with_stop(stop);
        learner.restore(&model, &self.learner.state());
        Self { learner, images: self.images.clone(), updates: self.updates }
    }

    fn update(&mut self, rates: Rates) {
        let first = self.updates as usize % (DIGITS / BATCH) * BATCH;
        let mut order = [0; BATCH];
        order.iter_mut().enumerate().for_each(|(i, index)| *index = first + i);
        self.images.gather(&order, self.learner.states_mut(BATCH));
        let stream = Stream::named(2, "bench").substream(self.updates);
        self.learner.update(rates, stream).unwrap();
        self.updates += 1;
    }
}

/// The time of `calls` calls on threads that stay awake, as in a run.
fn time(calls: u64, mut call: impl FnMut() + Send) -> Duration {
    within_awake(|| {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed()
    })
}

fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dbm");
    group.throughput(Throughput::Elements(BATCH as u64));
    let trained = Training::new(WARM_UP);
    for (name, mut training, momentum) in [
        ("step", trained.plain(STOP), 0.0),
        ("step to convergence", trained.plain(UNTIL_CONVERGENCE), 0.0),
        ("step with momentum", trained.plain(STOP), 0.9),
        ("centred step", trained.clone(), 0.0),
        ("untrained step", Training::new(0).plain(STOP), 0.0),
    ] {
        let rates = Rates { momentum, ..RATES };
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter_custom(|calls| time(calls, || training.update(rates)));
        });
    }
    group.finish();
    parts(criterion, &trained);
}

fn parts(criterion: &mut Criterion, training: &Training) {
    let model = training.learner.model();
    let mut group = criterion.benchmark_group("dbm");
    group.throughput(Throughput::Elements(BATCH as u64));
    let mut chains = DbmChains::new(model, BATCH, Stream::named(3, "bench"));
    for (place, states) in training.learner.state().chains.iter().enumerate() {
        chains.set_states(2 * place + 1, states.data()).unwrap();
    }
    chains.sample_even();
    group.bench_function(BenchmarkId::from_parameter("sweep"), |bencher| {
        bencher.iter_custom(|calls| time(calls, || chains.walk(1)));
    });
    let mut posterior = MeanField::new(model, BATCH);
    let logits = vec![0.1; BATCH * HIDDEN[0]];
    group.bench_function(BenchmarkId::from_parameter("10 mean-field iterations"), |bencher| {
        bencher.iter_custom(|calls| {
            time(calls, || {
                posterior.infer_from_logits(model, &logits, STOP).unwrap();
            })
        });
    });
    group.finish();
}

criterion_group! {
    name = dbm;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500));
    targets = steps
}
criterion_main!(dbm);
