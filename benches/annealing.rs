//! Steps of annealed importance sampling with 100 chains. The machine has been trained briefly on synthetic digits, and
//! the inverse temperatures are those where a schedule has most of its steps. `Kelem/s` are thousands of chain steps
//! per second. An estimate with the default schedule takes 14,500 times as long as a step.
//!
//! ```text
//! cargo bench --bench annealing
//! ```

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use equilibria::Error;
use equilibria::boltzmann::Rbm;
use equilibria::boltzmann::learning::{Learner, NegativePhase, Rates};
use equilibria::boltzmann::likelihood::annealed::{Annealing, Schedule};
use equilibria::data::{Binarisation, Dataset};
use equilibria::rng::Stream;
use std::time::{Duration, Instant};

const HIDDEN: usize = 500;
const CHAINS: usize = 100;
const RATES: Rates = Rates { learning_rate: 0.05, momentum: 0.5, weight_decay: 0.0 };

/// A machine after `updates` updates, and the mean of its training images.
fn machine(updates: u64) -> Result<(Rbm<f32>, Vec<f32>), Error> {
    let stream = Stream::named(1, "bench");
    let digits = Dataset::synthetic(1000, 1)?;
    let (images, binarise) = (digits.train.images(), Binarisation::Threshold);
    let mean = binarise.mean(images);
    let model = Rbm::new(&mean, HIDDEN, stream.substream(0))?;
    let mut learner = Learner::new(model, NegativePhase::Contrastive, 1, 100, stream.substream(1)).unwrap();
    for update in 0..updates {
        let batch: Vec<usize> = (0..100).map(|i| (update as usize * 100 + i) % images.len()).collect();
        let stream = stream.substream(2 + update);
        binarise.fill(images, &batch, stream, learner.images_mut(batch.len()))?;
        learner.update(RATES, stream.substream(0)).unwrap();
    }
    Ok((learner.model(), mean))
}

/// The time of `steps` steps from inverse temperature 0.9 to 1, without the step to 0.9.
fn time(model: &Rbm<f32>, mean: &[f32], steps: u64) -> Result<Duration, Error> {
    let schedule: Schedule = format!("0.9/0.9,1/{:e}", 0.1 / steps as f64).parse()?;
    let annealing = Annealing::new(model, mean, &schedule)?;
    let mut start = None;
    let mut elapsed = Duration::ZERO;
    let found = annealing.forward(CHAINS, Stream::named(2, "bench"), |_| {
        elapsed = start.get_or_insert_with(Instant::now).elapsed();
        Ok(())
    })?;
    assert!(found.log_partition.is_finite(), "{found:?}");
    Ok(elapsed)
}

fn annealing(criterion: &mut Criterion) {
    let (model, mean) = machine(300).expect("the machine learns");
    let mut group = criterion.benchmark_group("annealing");
    group.throughput(Throughput::Elements(CHAINS as u64));
    let id = BenchmarkId::from_parameter(format!("784-{HIDDEN}, {CHAINS} chains"));
    group.bench_function(id, |bencher| {
        bencher.iter_custom(|steps| time(&model, &mean, steps).expect("the machine is annealed"));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500));
    targets = annealing
}
criterion_main!(benches);
