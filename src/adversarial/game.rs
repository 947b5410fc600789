//! The training loop of a game, the same for every objective.
//!
//! A step of the generator, with B samples per mini-batch:
//!
//! ```text
//! for c in 0..discriminator steps
//!     x real, x̃ = G(z)                                 z of mini-batch c
//!     [x | x̃ | x̂] through D in one pass                x̂ between x and x̃, if the objective has a penalty
//!     update D with the gradient of its loss            with respect to the parameters only, not x or x̃
//! x̃ = G(z)                                             z of a new mini-batch; the standard game reuses the last one
//! forward x̃ through D, backward to x̃                   no gradient with respect to D's parameters
//! backward through G, update G
//! ```
//!
//! With [augmentation](super::augmentation), x and x̃ are changed at random before each pass through D, and the gradient at
//! x̃ passes back through the changes. The relativistic game also needs x in the generator's step: that of the last step of
//! the discriminator.
//!
//! G does not change while D is updated. The samples of several steps of D and of G's own step therefore come from one
//! pass through G, in which batch normalisation uses the statistics of each mini-batch separately. The numbers are
//! those of separate passes, but the matrix products are larger.
//!
//! The averaged generator has running statistics of its own, from a pass of the latents at every fourth step. Those of G do not
//! fit it: its activations vary less. With the statistics of G the samples of an averaged DCGAN had a kernel distance of 0.096,
//! with its own one of 0.054 (5,000 photographs, 6,000 steps).

pub mod duality;
mod reading;
mod recipe;
mod state;

pub use duality::{DualityGap, Search};
pub use reading::{METRICS, Metric, Reading};
pub use recipe::Recipe;

use super::latent::{Streams, fill_alphas, fill_latents};
use super::networks::penalised_batch_norm;
use super::objective::Objective;
use super::penalty::{self, Slopes, ZeroCentred};
use crate::nn::{Cache, Deltas, Gradients, Scratch, Sequential, Tangents, Training, Wanted, check_usable};
use crate::optim::{Average, Optimiser, Rule};
use crate::rng::Stream;
use crate::tensor::{Element, Tensor};
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::{ControlFlow, Range};
use equilibria_kernels::{Level, elementwise};

/// Maximum number of mini-batches in one pass through the generator: five critic steps and the generator's own.
const MAX_GENERATED_BATCHES: usize = 6;

/// Steps between two passes of the last latents through the averaged generator, for its running statistics. They change as
/// slowly as its parameters.
const STATISTICS_EVERY: u64 = 4;

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
///     if let Some(reading) = game.step(&mut fill, &Streams::of(1), step == 9)? {
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
    fn new(network: Sequential<T>, rule: Rule, clip: Option<f64>) -> Result<Self> {
        let optimiser = Optimiser::new(rule, &network)?;
        Ok(Self {
            optimiser: match clip {
                Some(bound) => optimiser.with_clip(bound)?,
                None => optimiser,
            },
            cache: Cache::new(&network),
            deltas: Deltas::new(&network),
            gradients: Gradients::new(&network),
            network,
        })
    }

    /// Updates the parameters with the gradients, then sets the gradients to 0.
    fn update(&mut self) -> Result<()> {
        let updated = self.optimiser.step(&mut self.network, &mut self.gradients);
        self.gradients.clear();
        updated
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
    /// - if the discriminator has batch normalisation and its slope is penalised;
    /// - if there is augmentation and the samples are no images for the discriminator, but plain rows;
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
        if recipe.penalises_slopes() && discriminator.mixes_examples() {
            return Err(penalised_batch_norm());
        }
        recipe.augmentation.expect_images(discriminator.input_shape())?;
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
        let average = recipe.average.map(|kept| Average::new(kept, &generator)).transpose()?;
        let tangents = Tangents::new(&discriminator);
        Ok(Self {
            recipe,
            steps: 0,
            discriminator_steps: 0,
            average,
            tangents,
            generator: Player::new(generator, recipe.generator, None)?,
            discriminator: Player::new(discriminator, recipe.discriminator, clip)?,
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
    /// sample) with the mini-batch `index`, counted from the first step of the game; images have values from -1 to 1. In a
    /// relativistic game it is called again with the last index for the generator's step, and must fill in the same samples.
    /// Returns the measurements if `measured`.
    ///
    /// **Errors** Those of `real`, and [`Error::InvalidArgument`] if it writes a number that is not finite; the
    /// discriminator may have been updated before. [`Error::Diverged`] if a parameter is no longer finite.
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
    ) -> Result<Option<Reading>> {
        let objective = self.recipe.objective;
        let rounds = objective.discriminator_steps(self.steps);
        let batches = rounds + usize::from(objective.has_critic());
        let mut reading = measured.then(Reading::default);
        for first in (0..batches).step_by(MAX_GENERATED_BATCHES) {
            let generated = first..batches.min(first + MAX_GENERATED_BATCHES);
            self.generate(generated.clone(), streams)?;
            for round in generated.start..generated.end.min(rounds) {
                let reading = reading.as_mut().filter(|_| round + 1 == rounds);
                self.update_discriminator(round, round - first, &mut real, streams, reading)?;
            }
        }
        if let Some(reading) = &mut reading {
            reading.clipped = self.clipped();
        }
        let last = (batches - 1) % MAX_GENERATED_BATCHES;
        self.update_generator(last, &mut real, streams, reading.as_mut())?;
        Ok(reading)
    }

    /// Runs `steps` steps on mini-batches of the rows of `data`, drawn at random with replacement.
    ///
    /// `watch(reading, game)` is called after each step and stops the training with [`ControlFlow::Break`].
    ///
    /// ```
    /// use core::ops::ControlFlow;
    /// use equilibria::Tensor;
    /// use equilibria::adversarial::{Game, Networks, Objective, Recipe};
    /// use equilibria::rng::Stream;
    /// let mut data = Tensor::<f32>::zeros(&[500, 3]);
    /// data.fill_normal(Stream::named(1, "synthetic"), 0.5);
    /// let [generator, critic] = Networks::points(3, 2, &[16]).start(Stream::named(1, "init"))?;
    /// let mut game = Game::new(generator, critic, Recipe::of(Objective::penalty()))?;
    /// game.fit(&data, 100, 1, |reading, _| match reading.step {
    ///     20.. => ControlFlow::Break(()),
    ///     _ => ControlFlow::Continue(()),
    /// })?;
    /// assert_eq!(game.steps(), 20);
    /// assert_eq!(game.samples(10, Stream::named(2, "latent"))?.shape(), [10, 3]);
    /// # Ok::<(), equilibria::Error>(())
    /// ```
    ///
    /// **Shapes** `data` (samples, numbers in a sample).
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the samples have another size; [`Error::InvalidArgument`] if there are none;
    /// those of [`Game::step`].
    ///
    /// **Randomness** [`Streams::of`] the seed; mini-batch i from the substream i of `shuffle`.
    pub fn fit(
        &mut self,
        data: &Tensor<T>,
        steps: u64,
        seed: u64,
        mut watch: impl FnMut(&Reading, &Self) -> ControlFlow<()>,
    ) -> Result<()> {
        let width = self.discriminator.network.inputs();
        if data.columns() != width {
            let (expected, found) = (vec![data.rows(), width], data.shape().to_vec());
            return Err(Error::ShapeMismatch { operation: "samples of a game", expected, found });
        }
        if data.is_empty() {
            return Err(Error::invalid("a game about 0 samples", "at least 1 is needed"));
        }
        let (streams, shuffle, batch) =
            (Streams::of(seed), Stream::named(seed, "shuffle"), self.recipe.batch);
        for _ in 0..steps {
            let real = |index, samples: &mut [T]| {
                let mut places = samples.chunks_exact_mut(width);
                shuffle.substream(index).draw_indices(batch, data.rows(), |row| {
                    places.next().into_iter().for_each(|place| place.copy_from_slice(data.row(row)));
                });
                Ok(())
            };
            let reading = self.step(real, &streams, true)?.unwrap_or_default();
            if watch(&reading, self).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Generates `count` samples, with averaged parameters if there are any.
    ///
    /// **Shapes** Returns (count, numbers in a sample).
    ///
    /// **Errors** [`Error::InvalidArgument`] if `count` is 0.
    ///
    /// **Randomness** Row r from the substream r of `stream`.
    pub fn samples(&self, count: usize, stream: Stream) -> Result<Tensor<T>> {
        if count == 0 {
            return Err(Error::invalid("0 samples", "at least 1 is needed"));
        }
        let generator = self.averaged_generator().unwrap_or(self.generator());
        let mut latents = vec![T::ZERO; count * generator.inputs()];
        fill_latents(stream, generator.inputs(), &mut latents);
        let mut samples = Tensor::zeros(&[count, generator.outputs()]);
        generator.infer(&latents, &mut Scratch::new(), samples.data_mut())?;
        Ok(samples)
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
    ) -> Result<()> {
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
            let slopes = penalty::direction((weight, 1.0), network.inputs(), g, u, &mut self.norms);
            (loss, slope) = (loss + slopes.penalty, Some(slopes.mean));
            network.tangent(cache, deltas, &mut self.tangents, gradients, &mut self.scratch)?;
        }
        if let Some(slopes) = self.penalise_slopes(reading.is_some())? {
            (loss, slope) = (loss + slopes.penalty, Some(slopes.mean));
        }
        if let Some(reading) = reading {
            let Player { cache, gradients, .. } = &self.discriminator;
            let (d_real, d_fake) = cache.output_rows(0..2 * batch).split_at(batch);
            reading.set_outputs(d_real, d_fake, &objective);
            reading.discriminator_loss = loss;
            reading.discriminator_gradient = gradients.norm();
            reading.slope = slope;
        }
        self.discriminator_steps += 1;
        self.discriminator.update().map_err(|_| self.not_finite("discriminator"))
    }

    /// The zero-centred penalties of the last pass through the discriminator, at a step with a penalty or a reading; adds
    /// their gradient at a step with a penalty.
    fn penalise_slopes(&mut self, measured: bool) -> Result<Option<Slopes>> {
        let (batch, ZeroCentred { real, generated, every }) = (self.recipe.batch, self.recipe.zero_centred);
        let (rows, is_due) =
            (self.recipe.zero_centred.rows(batch), self.discriminator_steps.is_multiple_of(every));
        if rows.is_empty() || !(is_due || measured) {
            return Ok(None);
        }
        let Player { network, cache, deltas, gradients, .. } = &mut self.discriminator;
        let (width, seeds) = (network.inputs(), &mut self.seeds[..rows.len()]);
        seeds.fill(T::ONE);
        network.backward(cache, seeds, Wanted::input(rows.clone()), deltas, &mut self.scratch)?;
        let (mut all, directions) = (Slopes::default(), self.tangents.direction_mut(rows.clone()));
        let parts = [(0..batch, real), (batch..2 * batch, generated)].into_iter();
        let parts = parts.filter(|(part, _)| rows.start <= part.start && part.end <= rows.end);
        for ((part, gamma), u) in parts.zip(directions.chunks_exact_mut(batch * width)) {
            let weight = (0.5 * gamma * every as f64, 0.0);
            let slopes = penalty::direction(weight, width, deltas.input(part), u, &mut self.norms);
            all.penalty += slopes.penalty / every as f64;
            all.mean += slopes.mean * batch as f64 / rows.len() as f64;
        }
        if is_due {
            network.tangent(cache, deltas, &mut self.tangents, gradients, &mut self.scratch)?;
        }
        Ok(Some(all))
    }

    /// Runs [x | x̃ | x̂] forward through the discriminator, x̂ only if the objective has a penalty. Returns the number of
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
        let (augmentation, shape) = (self.recipe.augmentation, network.input_shape());
        let changes = streams.augmentation.substream(self.steps).substream(round);
        augmentation.apply(shape, changes.substream(0), x);
        augmentation.apply(shape, changes.substream(1), &mut others[..fake.len()]);
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
        real: &mut impl FnMut(u64, &mut [T]) -> Result<()>,
        streams: &Streams,
        reading: Option<&mut Reading>,
    ) -> Result<()> {
        let Recipe { batch, objective, augmentation, .. } = self.recipe;
        let rows = part * batch..(part + 1) * batch;
        let Player { network, cache, deltas, .. } = &mut self.discriminator;
        // The real samples come first, if the objective compares with them.
        let others = if objective == Objective::Relativistic { batch } else { 0 };
        let (own, width, shape) = (others..others + batch, network.inputs(), network.input_shape());
        let (x, fake) = cache.input_mut(own.end).split_at_mut(others * width);
        fake.copy_from_slice(self.generator.cache.output_rows(rows.clone()));
        let changes = streams.augmentation.substream(self.steps).substream(u64::MAX);
        augmentation.apply(shape, changes.substream(1), fake);
        if !x.is_empty() {
            real(self.discriminator_steps.saturating_sub(1), x)?;
            augmentation.apply(shape, changes.substream(0), x);
        }
        let dropout = streams.dropout.substream(self.steps).substream(2);
        let training = Training::new(dropout).with_batches(own.end / batch);
        network.forward(cache, training, &mut self.scratch)?;
        let (seeds, spare) = self.seeds[..2 * batch].split_at_mut(batch);
        let (d_real, d_fake) = cache.output().split_at(others);
        let loss = objective.generator_loss((d_real, &mut spare[..others]), (d_fake, &mut *seeds));
        network.backward(cache, seeds, Wanted::input(own.clone()), deltas, &mut self.scratch)?;
        augmentation.backward(shape, changes.substream(1), deltas.input_mut(own.clone()));

        let Player { network, cache, deltas: generator_deltas, gradients, .. } = &mut self.generator;
        let wanted = Wanted::parameters(&mut *gradients, rows);
        network.backward(cache, deltas.input(own), wanted, generator_deltas, &mut self.scratch)?;
        self.steps += 1;
        if let Some(reading) = reading {
            reading.step = self.steps;
            reading.generator_loss = loss;
            reading.generator_gradient = gradients.norm();
        }
        self.generator.update().map_err(|_| self.not_finite("generator"))?;
        if let Some(average) = &mut self.average {
            average.update(&self.generator.network);
            if self.steps % STATISTICS_EVERY == 1 && average.network().mixes_examples() {
                let dropout = streams.dropout.substream(self.steps - 1).substream(3);
                let training = Training::new(dropout).with_batches(part + 1);
                average.network_mut().forward(&mut self.generator.cache, training, &mut self.scratch)?;
            }
        }
        Ok(())
    }

    /// The error of an update of a player, with the name of the parameter if its value shows the fault: clipping hides it.
    fn not_finite(&self, player: &str) -> Error {
        let parameter = self.first_not_finite();
        Error::not_finite(parameter.unwrap_or_else(|| format!("a parameter of the {player}")))
    }
}
