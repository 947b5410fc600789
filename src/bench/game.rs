//! Steps of adversarial games: batch 64, the pair of perceptrons for 28 x 28 images.

use super::entry::{Entry, Unit};
use super::measure::repeat;
use super::workload::{Add, Context, Place, Workload, expect, noise};
use crate::Result;
use crate::adversarial::{Game, Networks, Objective, Reading, Recipe, Streams};
use crate::rng::Stream;
use crate::tensor::Element;
use equilibria_kernels::Level;
use serde_json::json;

/// A step of the generator with those of the discriminator, for each objective.
pub fn list(context: &Context, add: Add<'_>) -> Result<()> {
    for objective in [Objective::standard(), Objective::clipping(), Objective::penalty()] {
        // One game at a time: the caches keep the data of the step before.
        add(context.within(Place::All, || game(objective))?, Place::Awake)?;
    }
    Ok(())
}

fn game(objective: Objective) -> Result<Workload> {
    check(objective)?;
    let (mut game, images) = (begin::<f32>(objective)?, images::<f32>(&Recipe::of(objective)));
    let (name, batch, steps) = (objective.name(), game.recipe().batch, objective.discriminator_steps(1));
    Ok(Workload {
        kernel: format!("game, {name}"),
        shape: format!("batch {batch}, {steps} + 1 steps"),
        work: (batch * steps) as f64,
        divisor: 1,
        ours: repeat(move || step(&mut game, &images, false)),
        peer: None,
        limit: None,
        entry: Box::new(move |(kernel, shape, threads), seconds| {
            let (speed, unit) = (1e3 * seconds[0], Unit::Milliseconds);
            let json = json!({
                "objective": name,
                "milliseconds": speed,
                "batch": batch,
                "discriminator_steps": steps,
                "threads": threads,
            });
            Entry { kernel, shape, threads, speed, unit, share: None, ratio: None, json }
        }),
    })
}

/// Checks that the losses of the first step are those of the same game in f64.
fn check(objective: Objective) -> Result<()> {
    let losses = |reading: Reading| [reading.generator_loss, reading.discriminator_loss];
    let single = step(&mut begin::<f32>(objective)?, &images(&Recipe::of(objective)), true)?.map(losses);
    let double = step(&mut begin::<f64>(objective)?, &images(&Recipe::of(objective)), true)?.map(losses);
    for (found, right) in single.into_iter().flatten().zip(double.into_iter().flatten()) {
        expect(format!("game, {}, loss", objective.name()), found, right, 1e-3 * right.abs().max(0.1))?;
    }
    Ok(())
}

/// A game; its parameters are the same numbers in both types.
fn begin<T: Element>(objective: Objective) -> Result<Game<T>> {
    let networks = Networks::digits(784);
    let mut players = [networks.generator.build()?, networks.discriminator.build()?];
    for (player, drawn) in players.iter_mut().zip(networks.start::<f32>(Stream::named(1, "init"))?) {
        player.parameters_mut().zip(drawn.parameters()).for_each(|(to, from)| *to = from.cast());
    }
    let [generator, discriminator] = players;
    Game::new(generator, discriminator, Recipe::of(objective))
}

/// A mini-batch of random images, the same numbers in both types.
fn images<T: Element>(recipe: &Recipe) -> Vec<T> {
    let images: Vec<f32> =
        noise(Level::detect(), recipe.batch * Networks::digits(784).discriminator.input.size(), -1.0..1.0);
    images.into_iter().map(|x| T::from_f64(f64::from(x))).collect()
}

fn step<T: Element>(game: &mut Game<T>, images: &[T], measured: bool) -> Result<Option<Reading>> {
    let real = |_, samples: &mut [T]| {
        samples.copy_from_slice(images);
        Ok(())
    };
    Ok(game.step(real, &Streams::of(3), measured)?.reading)
}
