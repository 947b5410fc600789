//! Steps of adversarial games.

use super::measure::{measure_interleaved, repeat};
use super::table::{Row, Speed};
use super::{Add, Context, Entry, noise};
use crate::adversarial::{Game, Networks, Objective, Reading, Recipe, Streams};
use crate::parallel::within_awake;
use crate::rng::Stream;
use crate::tensor::Element;
use crate::{Error, Result};
use equilibria_kernels::Level;
use serde::Serialize;

/// A step of the generator, after those of the discriminator that belong to it.
#[derive(Serialize)]
pub(super) struct Step {
    objective: &'static str,
    milliseconds: f64,
    batch: usize,
    discriminator_steps: usize,
    threads: usize,
}

impl Entry for Step {
    fn row(&self) -> Row {
        Row {
            kernel: format!("game, {}", self.objective),
            shape: format!("batch {}, {} + 1 steps", self.batch, self.discriminator_steps),
            threads: self.threads,
            speed: Speed::Milliseconds(self.milliseconds),
            share: None,
            ratio: None,
        }
    }
}

pub(super) fn run(context: &Context, add: Add<'_, Step>) -> Result<()> {
    for objective in [Objective::standard(), Objective::clipping(), Objective::penalty()] {
        context.on_all(|| check(objective))?;
        let (mut game, images) = (begin::<f32>(objective)?, images::<f32>(&Recipe::of(objective)));
        // One game at a time, by threads that stay awake, as in a run: what a step leaves in the caches meets the next.
        let seconds = within_awake(|| {
            let mut step = repeat(|| step(&mut game, &images, false));
            measure_interleaved(context.effort, &mut [&mut step])
        });
        add(Step {
            objective: objective.name(),
            milliseconds: 1e3 * seconds[0],
            batch: game.recipe().batch,
            discriminator_steps: objective.discriminator_steps(1),
            threads: rayon::current_num_threads(),
        })?;
    }
    Ok(())
}

/// Fails unless the first step's losses are those of the same game in f64.
fn check(objective: Objective) -> Result<()> {
    let losses = |reading: Reading| [reading.generator_loss, reading.discriminator_loss];
    let single = step(&mut begin::<f32>(objective)?, &images(&Recipe::of(objective)), true)?.map(losses);
    let double = step(&mut begin::<f64>(objective)?, &images(&Recipe::of(objective)), true)?.map(losses);
    for (found, right) in
        single.into_iter().zip(double).flat_map(|(single, double)| single.into_iter().zip(double))
    {
        // Written so that NaN fails.
        if (found - right).abs().partial_cmp(&(1e-3 * right.abs().max(0.1))) != Some(std::cmp::Ordering::Less)
        {
            let what = format!("game, {}", objective.name());
            return Err(Error::invalid(what, format!("has the loss {found} where {right} is right")));
        }
    }
    Ok(())
}

/// A game whose parameters are the same numbers in either type.
fn begin<T: Element>(objective: Objective) -> Result<Game<T>> {
    let networks = Networks::digits(784);
    let mut players = [networks.generator.build()?, networks.discriminator.build()?];
    for (player, drawn) in players.iter_mut().zip(networks.start::<f32>(Stream::named(1, "init"))?) {
        player.parameters_mut().zip(drawn.parameters()).for_each(|(to, from)| *to = from.cast());
    }
    let [generator, discriminator] = players;
    Game::new(generator, discriminator, Recipe::of(objective))
}

/// A mini-batch of random images, the same numbers in either type.
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
