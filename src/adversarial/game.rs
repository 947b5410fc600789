//! The training loop of a game, the same for every objective.
//!
//! A step of the generator, with B samples per mini-batch:
//!
//! ```text
//! for c in 0..discriminator steps
//!     x real, x̃ = G(z)                                 z of mini-batch c
//!     [x | x̃ | x̂] through D in one pass                x̂ between x and x̃, if there is a penalty
//!     update D with the gradient of its loss            with respect to the parameters only, not x or x̃
//! x̃ = G(z)                                             z of a new mini-batch; the standard game reuses the last one
//! forward x̃ through D, backward to x̃                   no gradient with respect to D's parameters
//! backward through G, update G
//! ```
//!
//! G does not change while D is updated. The samples of several steps of D and of G's own step therefore come from one
//! pass through G, in which batch normalisation uses the statistics of each mini-batch separately. The numbers are
//! those of separate passes, but the matrix products are larger.

pub mod duality;
mod reading;
mod recipe;
mod state;

pub use duality::{DualityGap, Search};
pub use reading::{METRICS, Metric, Outcome, Reading};
pub use recipe::Recipe;

use super::latent::{Streams, fill_alphas, fill_latents};
use super::networks::penalised_batch_norm;
use super::objective::Objective;
use super::penalty;
use crate::nn::{Cache, Deltas, Gradients, Scratch, Sequential, Tangents, Training, Wanted, check_usable};
use crate::optim::{Average, Optimiser, Rule};
use crate::tensor::Element;
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;
use equilibria_kernels::{Level, elementwise};

/// Maximum number of mini-batches in one pass through the generator: five critic steps and the generator's own.
const MAX_GENERATED_BATCHES: usize = 6;

/// A generator and a discriminator in training, with their optimisers and buffers.
///
/// ```
/// use equilibria::adversarial::{Game, Networks, Objective, Recipe, Streams};
/// use equilibria::rng::Stream;
///
/// // Points on a line of the plane.
/// let mut fill = |_: u64, points: &mut [f32]| {
///     points.chunks_mut(2).zip(0..).for_each(|(point, i)| point.fill(i as f32 / 32.0 - 1.0));
///     Ok(())
/// };
/// let [generator, critic] = Networks::plane(2, &[16, 16]).start(Stream::named(1, "init"))?;
///
/// let mut game = Game::new(generator, critic, Recipe::of(Objective::penalty()))?;
/// for step in 0..10 {
///     let outcome = game.step(&mut fill, &Streams::of(1), step == 9)?;
///     assert!(outcome.is_finite);
///     if let Some(reading) = outcome.reading {
///         assert_eq!(reading.step, 10);
///         assert!(reading.wasserstein.is_some() && reading.slope.is_some());
///     }
/// }
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug)]
pub struct Game<T: Element> {
    recipe: Recipe,
    /// Number of steps of the generator so far.
    steps: u64,
    discriminator_steps: u64,
    generator: Player<T>,
    discriminator: Player<T>,
    average: Option<Average<T>>,
    tangents: Tangents<T>,
    /// Derivatives of a loss with respect to the discriminator's outputs (rows).
    seeds: Vec<T>,
    /// For each pair of samples: the weight α, and the norm of the critic's slope at the interpolation.
    alphas: Vec<T>,
    norms: Vec<f64>,
    scratch: Scratch<T>,
}

/// One of the two players: a network, its optimiser, and the buffers of its passes.
#[derive(Debug)]
struct Player<T: Element> {
    network: Sequential<T>,
    optimiser: Optimiser<T>,
    cache: Cache<T>,
    deltas: Deltas<T>,
    gradients: Gradients<T>,
}

impl<T: Element> Player<T> {
    fn new(network: Sequential<T>, rule: Rule, clip: Option<f64>) -> Self {
        let optimiser = Optimiser::new(rule, &network);
        Self {
            optimiser: match clip {
                Some(bound) => optimiser.with_clip(bound),
                None => optimiser,
            },
            cache: Cache::new(&network),
            deltas: Deltas::new(&network),
            gradients: Gradients::new(&network),
            network,
        }
    }

    /// Updates the parameters with the gradients, then sets the gradients to 0. Returns whether all parameters are
    /// finite.
    fn update(&mut self) -> bool {
        let is_finite = self.optimiser.step(&mut self.network, &mut self.gradients);
        self.gradients.clear();
        is_finite
    }
}

impl<T: Element> Game<T> {
    /// Creates a game at step 0.
    ///
    /// **Shapes** The generator maps from any width to that of a sample, the discriminator from there to 1.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the shapes of the networks do not match. [`Error::InvalidArgument`]
    /// - if the recipe is not valid;
    /// - if a network has batch normalisation and mini-batches have one sample;
    /// - if the discriminator has batch normalisation and the objective has a gradient penalty;
    /// - if a parameter is not finite, or if all weights of a network are 0, as before [`Sequential::initialise`].
    pub fn new(generator: Sequential<T>, discriminator: Sequential<T>, recipe: Recipe) -> Result<Self> {
        recipe.validate()?;
        if [discriminator.inputs(), discriminator.outputs()] != [generator.outputs(), 1] {
            return Err(Error::ShapeMismatch {
                operation: "discriminator of a generator's samples",
                expected: vec![generator.outputs(), 1],
                found: vec![discriminator.inputs(), discriminator.outputs()],
            });
        }
        if matches!(recipe.objective, Objective::Penalty { .. }) && discriminator.mixes_examples() {
            return Err(penalised_batch_norm());
        }
        if recipe.batch == 1 && (generator.mixes_examples() || discriminator.mixes_examples()) {
            return Err(Error::invalid(
                "batch 1",
                "batch normalisation needs at least 2 samples in a mini-batch",
            ));
        }
        check_usable("generator", &generator)?;
        check_usable("discriminator", &discriminator)?;
        let clip = match recipe.objective {
            Objective::Clipping { bound, .. } => Some(bound),
            _ => None,
        };
        let average = recipe.average.map(|kept| Average::new(kept, &generator));
        let tangents = Tangents::new(&discriminator);
        Ok(Self {
            recipe,
            steps: 0,
            discriminator_steps: 0,
            average,
            tangents,
            generator: Player::new(generator, recipe.generator, None),
            discriminator: Player::new(discriminator, recipe.discriminator, clip),
            seeds: vec![T::ZERO; 3 * recipe.batch],
            alphas: vec![T::ZERO; recipe.batch],
            norms: vec![0.0; recipe.batch],
            scratch: Scratch::new(),
        })
    }

    /// The objective, the batch size and the optimisers.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Number of steps of the generator so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Number of steps of the discriminator so far; each used one mini-batch of real samples.
    pub fn discriminator_steps(&self) -> u64 {
        self.discriminator_steps
    }

    /// The generator.
    pub fn generator(&self) -> &Sequential<T> {
        &self.generator.network
    }

    /// The discriminator or critic.
    pub fn discriminator(&self) -> &Sequential<T> {
        &self.discriminator.network
    }

    /// The generator with averaged parameters; `None` if [`Recipe::average`] is `None`.
    pub fn averaged_generator(&self) -> Option<&Sequential<T>> {
        self.average.as_ref().map(Average::network)
    }

    /// Runs the discriminator's steps that precede a step of the generator, then the generator's step.
    ///
    /// `real(index, samples)` is called for each step of the discriminator. It fills `samples` (batch, numbers in a
    /// sample) with the mini-batch `index`, counted from the first step of the game; images have values from -1 to 1.
    ///
    /// **Errors** Those of `real`, and [`Error::InvalidArgument`] if it writes a number that is not finite; the
    /// discriminator may have been updated before. Parameters that are no longer finite are not an error: see
    /// [`Outcome::is_finite`].
    ///
    /// **Randomness** See [`Streams`].
    ///
    /// **Accuracy and cost** Allocates nothing in steady state; quantities that only the reading needs are computed only
    /// if `measured`.
    pub fn step(
        &mut self,
        mut real: impl FnMut(u64, &mut [T]) -> Result<()>,
        streams: &Streams,
        measured: bool,
    ) -> Result<Outcome> {
        let objective = self.recipe.objective;
        let rounds = objective.discriminator_steps(self.steps);
        let batches = rounds + usize::from(objective.has_critic());
        let mut outcome = Outcome { is_finite: true, reading: measured.then(Reading::default) };
        for first in (0..batches).step_by(MAX_GENERATED_BATCHES) {
            let generated = first..batches.min(first + MAX_GENERATED_BATCHES);
            self.generate(generated.clone(), streams)?;
            for round in generated.start..generated.end.min(rounds) {
                let reading = outcome.reading.as_mut().filter(|_| round + 1 == rounds);
                outcome.is_finite &=
                    self.update_discriminator(round, round - first, &mut real, streams, reading)?;
            }
        }
        if let Some(reading) = &mut outcome.reading {
            reading.clipped = self.clipped();
        }
        let last = (batches - 1) % MAX_GENERATED_BATCHES;
        outcome.is_finite &= self.update_generator(last, streams, outcome.reading.as_mut())?;
        Ok(outcome)
    }

    /// Generates the samples of some mini-batches.
    fn generate(&mut self, batches: Range<usize>, streams: &Streams) -> Result<()> {
        let Player { network, cache, .. } = &mut self.generator;
        let (batch, width) = (self.recipe.batch, network.inputs());
        let latents = cache.input_mut(batches.len() * batch);
        let stream = streams.latent.substream(self.steps);
        for (latents, index) in latents.chunks_mut(batch * width).zip(batches.start as u64..) {
            fill_latents(stream.substream(index), width, latents);
        }
        let dropout = streams.dropout.substream(self.steps).substream(0).substream(batches.start as u64);
        network.forward(cache, Training::new(dropout).with_batches(batches.len()), &mut self.scratch)
    }

    /// Runs step `round` of the discriminator within the generator's step, on generated mini-batch `part` of the last
    /// pass.
    fn update_discriminator(
        &mut self,
        round: usize,
        part: usize,
        real: &mut impl FnMut(u64, &mut [T]) -> Result<()>,
        streams: &Streams,
        reading: Option<&mut Reading>,
    ) -> Result<bool> {
        let (batch, objective) = (self.recipe.batch, self.recipe.objective);
        let parts = self.forward_discriminator(round as u64, part, real, streams)?;
        let (data, between) = (0..2 * batch, 2 * batch..parts * batch);
        let Player { network, cache, deltas, gradients, .. } = &mut self.discriminator;

        let seeds = &mut self.seeds[..parts * batch];
        let (grad_real, others) = seeds.split_at_mut(batch);
        let (grad_fake, grad_x_hat) = others.split_at_mut(batch);
        let (d_real, d_fake) = cache.output_rows(data.clone()).split_at(batch);
        let mut loss = objective.discriminator_loss((d_real, grad_real), (d_fake, grad_fake));
        grad_x_hat.fill(T::ONE);
        let wanted = Wanted::both(&mut *gradients, data, between.clone());
        network.backward(cache, seeds, wanted, deltas, &mut self.scratch)?;
        let mut slope = None;
        if let Objective::Penalty { weight, .. } = objective {
            let (g, u) = (deltas.input(between.clone()), self.tangents.direction_mut(between));
            let slopes = penalty::direction(weight, network.inputs(), g, u, &mut self.norms);
            (loss, slope) = (loss + slopes.penalty, Some(slopes.mean));
            network.tangent(cache, deltas, &mut self.tangents, gradients, &mut self.scratch)?;
        }
        if let Some(reading) = reading {
            reading.set_outputs(d_real, d_fake, objective.has_critic());
            reading.discriminator_loss = loss;
            reading.discriminator_gradient = gradients.norm();
            reading.slope = slope;
        }
        self.discriminator_steps += 1;
        Ok(self.discriminator.update())
    }

    /// Runs [x | x̃ | x̂] forward through the discriminator, x̂ only if there is a penalty. Returns the number of
    /// mini-batches.
    fn forward_discriminator(
        &mut self,
        round: u64,
        part: usize,
        real: &mut impl FnMut(u64, &mut [T]) -> Result<()>,
        streams: &Streams,
    ) -> Result<usize> {
        let batch = self.recipe.batch;
        let parts = if matches!(self.recipe.objective, Objective::Penalty { .. }) { 3 } else { 2 };
        let Player { network, cache, .. } = &mut self.discriminator;
        let width = network.inputs();
        let (x, others) = cache.input_mut(parts * batch).split_at_mut(batch * width);
        real(self.discriminator_steps, x)?;
        if !elementwise::is_finite(Level::detect(), x) {
            let what = format!("real samples of mini-batch {}", self.discriminator_steps);
            return Err(Error::invalid(what, "every number in them must be finite"));
        }
        let fake = self.generator.cache.output_rows(part * batch..(part + 1) * batch);
        others[..fake.len()].copy_from_slice(fake);
        let dropout = streams.dropout.substream(self.steps).substream(1).substream(round);
        let training = Training::new(dropout).with_batches(parts);
        if parts == 3 {
            fill_alphas(streams.interpolation.substream(self.steps).substream(round), &mut self.alphas);
            network.forward_interpolated(&self.alphas, cache, training, &mut self.scratch)?;
        } else {
            network.forward(cache, training, &mut self.scratch)?;
        }
        Ok(parts)
    }

    /// The fraction of the discriminator's parameters that are clipped, that is, equal to the bound.
    fn clipped(&self) -> Option<f64> {
        let Objective::Clipping { bound, .. } = self.recipe.objective else { return None };
        let bound = T::from_f64(bound);
        let parameters = || self.discriminator.network.parameters().flat_map(|tensor| tensor.data());
        let at_bound = parameters().filter(|x| **x >= bound || **x <= -bound).count();
        Some(at_bound as f64 / parameters().count() as f64)
    }

    /// Runs the generator's own step, on generated mini-batch `part` of the last pass.
    fn update_generator(
        &mut self,
        part: usize,
        streams: &Streams,
        reading: Option<&mut Reading>,
    ) -> Result<bool> {
        let batch = self.recipe.batch;
        let rows = part * batch..(part + 1) * batch;
        let Player { network, cache, deltas, .. } = &mut self.discriminator;
        cache.input_mut(batch).copy_from_slice(self.generator.cache.output_rows(rows.clone()));
        let dropout = streams.dropout.substream(self.steps).substream(2);
        network.forward(cache, Training::new(dropout), &mut self.scratch)?;
        let seeds = &mut self.seeds[..batch];
        let loss = self.recipe.objective.generator_loss(cache.output(), seeds);
        network.backward(cache, seeds, Wanted::input(0..batch), deltas, &mut self.scratch)?;

        let Player { network, cache, deltas: generator_deltas, gradients, .. } = &mut self.generator;
        let wanted = Wanted::parameters(&mut *gradients, rows);
        network.backward(cache, deltas.input(0..batch), wanted, generator_deltas, &mut self.scratch)?;
        self.steps += 1;
        if let Some(reading) = reading {
            reading.step = self.steps;
            reading.generator_loss = loss;
            reading.generator_gradient = gradients.norm();
        }
        let is_finite = self.generator.update();
        if let Some(average) = &mut self.average {
            average.update(&self.generator.network);
        }
        Ok(is_finite)
    }
}
