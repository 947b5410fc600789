//! Joint learning of a deep Boltzmann machine of 784-500-1000 units, a little trained, on synthetic digits, and sampling
//! from it: `Kelem/s` are thousands of images, or of chains' sweeps.
//!
//! A step is 10 mean-field iterations on 100 images, 5 Gibbs sweeps of 100 persistent chains, and the gradient step.
//!
//! ```text
//! cargo bench --bench dbm
//! ```

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use equilibria::boltzmann::learning::Rates;
use equilibria::boltzmann::learning::deep::DeepLearner;
use equilibria::boltzmann::{Dbm, DbmChains, MeanField, Stop};
use equilibria::data::{Binarisation, BinaryImages, Digits};
use equilibria::parallel::within_awake;
use equilibria::rng::Stream;
use std::time::{Duration, Instant};

const HIDDEN: [usize; 2] = [500, 1000];
const BATCH: usize = 100;
const DIGITS: usize = 2_000;
const SWEEPS: usize = 5;
/// No change is small enough to end before.
const STOP: Stop = Stop { tolerance: 0.0, most: 10 };
/// Updates before the clock runs: hidden units find their density.
const WARM_UP: u64 = 200;
const RATES: Rates = Rates { learning_rate: 0.005, momentum: 0.0, weight_decay: 0.0 };

/// A machine that learns digits, some hundred updates old.
struct Training {
    learner: DeepLearner<f32>,
    images: BinaryImages,
    updates: u64,
}

impl Training {
    fn new(is_centred: bool) -> Self {
        let stream = Stream::named(1, "bench");
        let digits = Digits::synthetic(DIGITS, 1).expect("there are digits");
        let digits = digits.train.images();
        let mut images = BinaryImages::new(digits);
        images.fill(Binarisation::Threshold, digits, stream).expect("there are images");
        let mean = Binarisation::Threshold.mean(digits);
        let model = Dbm::new(&mean, &HIDDEN, stream.substream(0)).expect("there are units");
        let mut learner = DeepLearner::new(model, BATCH, BATCH, SWEEPS, stream.substream(1)).with_stop(STOP);
        if is_centred {
            learner = learner.centred();
        }
        let mut training = Self { learner, images, updates: 0 };
        within_awake(|| (0..WARM_UP).for_each(|_| training.update(RATES)));
        training
    }

    fn update(&mut self, rates: Rates) {
        let first = self.updates as usize % (DIGITS / BATCH) * BATCH;
        let mut order = [0; BATCH];
        order.iter_mut().enumerate().for_each(|(i, index)| *index = first + i);
        self.images.gather(&order, self.learner.states_mut(BATCH));
        let stream = Stream::named(2, "bench").substream(self.updates);
        assert!(self.learner.update(rates, stream), "parameters stay finite");
        self.updates += 1;
    }
}

/// The time of `calls` calls, by threads that stay awake as in a run.
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
    for (name, is_centred, momentum) in
        [("step", false, 0.0), ("step with momentum", false, 0.9), ("centred step", true, 0.0)]
    {
        let mut training = Training::new(is_centred);
        let rates = Rates { momentum, ..RATES };
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter_custom(|calls| time(calls, || training.update(rates)));
        });
    }
    group.finish();
}

fn parts(criterion: &mut Criterion) {
    let training = Training::new(false);
    let model = training.learner.model().clone();
    let mut group = criterion.benchmark_group("dbm");
    group.throughput(Throughput::Elements(BATCH as u64));
    let mut chains = DbmChains::new(&model, BATCH, Stream::named(3, "bench"));
    chains.walk(10);
    group.bench_function(BenchmarkId::from_parameter("sweep"), |bencher| {
        bencher.iter_custom(|calls| time(calls, || chains.walk(1)));
    });
    let mut posterior = MeanField::new(&model, BATCH);
    let logits = vec![0.1; BATCH * HIDDEN[0]];
    group.bench_function(BenchmarkId::from_parameter("10 mean-field iterations"), |bencher| {
        bencher.iter_custom(|calls| {
            time(calls, || {
                posterior.infer_from_logits(&model, &logits, STOP);
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
    targets = steps, parts
}
criterion_main!(dbm);
