//! Steps of adversarial games with batch 64: the pair of perceptrons for 28 x 28 images, and a DCGAN for 32 x 32 x 3.

use super::entry::{Entry, Unit};
use super::limits::{multiply_adds, multiply_adds_operations};
use super::measure::repeat;
use super::workload::{Add, Context, Place, Workload, expect, noise};
use crate::Result;
use crate::adversarial::networks::{LATENT, WIDTH};
use crate::adversarial::{Game, Networks, Normalisation, Objective, Reading, Recipe, Streams, dcgan};
use crate::nn::{Plan, Shape, Spec};
use crate::rng::Stream;
use crate::tensor::Element;
use equilibria_kernels::Level;
use serde_json::json;

/// A step of the generator with those of the discriminator, for each objective, and for the DCGAN.
pub fn list(context: &Context, add: Add<'_>) -> Result<()> {
    let perceptrons = [Objective::standard(), Objective::clipping(), Objective::penalty()]
        .map(|objective| Players { name: objective.name(), objective, networks: Networks::digits(784) });
    let image = Shape { height: 32, width: 32, channels: 3 };
    let networks = dcgan(image, LATENT, WIDTH, Normalisation::Batch)?;
    let convolutional = Players { name: "dcgan", objective: Objective::standard(), networks };
    for players in perceptrons.into_iter().chain([convolutional]) {
        // One game at a time: the caches keep the data of the step before.
        add(context.within(Place::All, || game(context.level, &players))?, Place::Awake)?;
    }
    Ok(())
}

/// A game to measure.
struct Players {
    name: &'static str,
    objective: Objective,
    networks: Networks,
}

fn game(level: Level, players: &Players) -> Result<Workload> {
    check(players)?;
    let (mut game, images) = (players.begin::<f32>()?, players.images::<f32>());
    let (name, batch) = (players.name, game.recipe().batch);
    let steps = players.objective.discriminator_steps(1);
    let operations = players.operations(batch, steps);
    Ok(Workload {
        kernel: format!("game, {name}"),
        shape: format!("batch {batch}, {steps} + 1 steps"),
        work: (batch * steps) as f64,
        divisor: 1,
        ours: repeat(move || step(&mut game, &images, false)),
        peer: None,
        limit: Some(multiply_adds::<f32>(level)),
        entry: Box::new(move |(kernel, shape, threads), seconds| {
            let (speed, unit) = (1e3 * seconds[0], Unit::Milliseconds);
            let peak = multiply_adds_operations::<f32>(level) / seconds[1];
            let share = operations.map(|operations| operations / seconds[0] / peak);
            let json = json!({
                "objective": name,
                "milliseconds": speed,
                "batch": batch,
                "discriminator_steps": steps,
                "threads": threads,
                "fraction_of_peak": share,
            });
            Entry { kernel, shape, threads, speed, unit, share, ratio: None, json }
        }),
    })
}

/// Checks that the losses of the first step are those of the same game in f64.
fn check(players: &Players) -> Result<()> {
    let losses = |reading: Reading| [reading.generator_loss, reading.discriminator_loss];
    let single = step(&mut players.begin::<f32>()?, &players.images(), true)?.map(losses);
    let double = step(&mut players.begin::<f64>()?, &players.images(), true)?.map(losses);
    for (found, right) in single.into_iter().flatten().zip(double.into_iter().flatten()) {
        expect(format!("game, {}, loss", players.name), found, right, 1e-3 * right.abs().max(0.1))?;
    }
    Ok(())
}

impl Players {
    /// A game; its parameters are the same numbers in both types.
    fn begin<T: Element>(&self) -> Result<Game<T>> {
        let mut players = [self.networks.generator.build()?, self.networks.discriminator.build()?];
        for (player, drawn) in players.iter_mut().zip(self.networks.start::<f32>(Stream::named(1, "init"))?) {
            player.parameters_mut().zip(drawn.parameters()).for_each(|(to, from)| *to = from.cast());
        }
        let [generator, discriminator] = players;
        Game::new(generator, discriminator, Recipe::of(self.objective))
    }

    /// A mini-batch of random images, the same numbers in both types.
    fn images<T: Element>(&self) -> Vec<T> {
        let size = Recipe::of(self.objective).batch * self.networks.discriminator.input.size();
        let images: Vec<f32> = noise(Level::detect(), size, -1.0..1.0);
        images.into_iter().map(|x| T::from_f64(f64::from(x))).collect()
    }

    /// Dense operations of a step of the standard game of a DCGAN: of each convolution, for each image, once for the outputs and once
    /// for each gradient that is needed.
    fn operations(&self, batch: usize, steps: usize) -> Option<f64> {
        let layers = |plan: &Plan| -> Vec<f64> {
            let shapes: Vec<Shape> = plan.shapes().collect();
            let pixels = |shape: Shape| (shape.height * shape.width) as f64;
            let each = plan.layers.iter().zip(shapes.windows(2));
            each.filter_map(|(spec, sides)| match spec {
                // The smaller side has a product for each pixel and position of the kernel.
                Spec::Conv(conv) | Spec::ConvTranspose(conv) => {
                    let positions = (conv.kernel * conv.kernel) as f64;
                    let channels = (sides[0].channels * sides[1].channels) as f64;
                    Some(2.0 * pixels(sides[0]).min(pixels(sides[1])) * positions * channels)
                }
                _ => None,
            })
            .collect()
        };
        let [generator, discriminator] =
            [layers(&self.networks.generator), layers(&self.networks.discriminator)];
        // No gradient is needed of the real images, nor of the latents.
        let passes = |layers: &[f64], [forward, weights, inputs]: [f64; 3], skips_first: bool| {
            let first = layers.first().copied().unwrap_or(0.0) * f64::from(u8::from(skips_first));
            let all: f64 = layers.iter().sum();
            (forward + weights + inputs) * all - inputs * first
        };
        let steps = steps as f64;
        let total = passes(&discriminator, [2.0 * steps, 2.0 * steps, 2.0 * steps], true)
            + passes(&discriminator, [1.0, 0.0, 1.0], false)
            + passes(&generator, [steps, 1.0, 1.0], true);
        (!discriminator.is_empty()).then_some(total * batch as f64)
    }
}

fn step<T: Element>(game: &mut Game<T>, images: &[T], measured: bool) -> Result<Option<Reading>> {
    let real = |_, samples: &mut [T]| {
        samples.copy_from_slice(images);
        Ok(())
    };
    game.step(real, &Streams::of(3), measured)
}
