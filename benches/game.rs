//! One step of the generator with its steps of the discriminator, for each objective: batch 64, the pair of multilayer
//! perceptrons for 28 x 28 images, 5 critic steps. `Kelem/s` are thousands of real samples per second.
//!
//! The losses of the first step are compared with those of the same game in f64.
//!
//! ```text
//! cargo bench --bench game
//! ```

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use equilibria::adversarial::{Game, Networks, Objective, Reading, Recipe, Streams};
use equilibria::parallel::within_awake;
use equilibria::rng::Stream;
use equilibria::tensor::{Element, Tensor};
use std::time::{Duration, Instant};

/// A game whose parameters are the same numbers in both types.
fn begin<T: Element>(objective: Objective) -> Game<T> {
    let build = || {
        let networks = Networks::digits(784);
        let mut players = [networks.generator.build()?, networks.discriminator.build()?];
        for (player, drawn) in players.iter_mut().zip(networks.start::<f32>(Stream::named(1, "init"))?) {
            player.parameters_mut().zip(drawn.parameters()).for_each(|(to, from)| *to = from.cast());
        }
        let [generator, discriminator] = players;
        Game::new(generator, discriminator, Recipe::of(objective))
    };
    build().expect("networks fit")
}

/// A mini-batch of random images in [-1, 1], the same numbers in both types.
fn images<T: Element>(game: &Game<T>) -> Tensor<T> {
    let mut images = Tensor::<f32>::zeros(&[game.recipe().batch, game.generator().outputs()]);
    images.fill_uniform(Stream::named(2, "bench"));
    images.data_mut().iter_mut().for_each(|x| *x = 2.0 * *x - 1.0);
    images.cast()
}

fn step<T: Element>(game: &mut Game<T>, images: &Tensor<T>, measured: bool) -> Option<Reading> {
    let real = |_, samples: &mut [T]| {
        samples.copy_from_slice(images.data());
        Ok(())
    };
    let outcome = game.step(real, &Streams::of(3), measured).expect("images fit");
    assert!(outcome.is_finite, "parameters stay finite");
    outcome.reading
}

/// Asserts that the losses of the first step agree with f64.
fn check(objective: Objective) {
    let [single, double] = [
        step(&mut begin::<f32>(objective), &images(&begin::<f32>(objective)), true),
        step(&mut begin::<f64>(objective), &images(&begin::<f64>(objective)), true),
    ]
    .map(|reading| {
        reading.map_or([f64::NAN; 2], |reading| [reading.generator_loss, reading.discriminator_loss])
    });
    for (single, double) in single.iter().zip(double) {
        let apart = (single - double).abs();
        assert!(apart < 1e-3 * double.abs().max(0.1), "{}: {single}, not {double}", objective.name());
    }
}

/// The time of `calls` steps on threads that stay awake, as in a run.
fn time(calls: u64, mut call: impl FnMut() + Send) -> Duration {
    within_awake(|| {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed()
    })
}

fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("game");
    for objective in [Objective::standard(), Objective::clipping(), Objective::penalty()] {
        check(objective);
        let mut game = begin::<f32>(objective);
        let images = images(&game);
        let real = game.recipe().batch * objective.discriminator_steps(1);
        group.throughput(Throughput::Elements(real as u64));
        group.bench_function(BenchmarkId::from_parameter(objective.name()), |bencher| {
            bencher.iter_custom(|calls| {
                time(calls, || {
                    step(&mut game, &images, false);
                })
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(4));
    targets = steps
}
criterion_main!(benches);
