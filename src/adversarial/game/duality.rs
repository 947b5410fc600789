//! The duality gap: the distance of a pair of players from an equilibrium (Grnarova et al. 2019, "A domain agnostic
//! measure for monitoring and evaluating GANs").
//!
//! Let V(D, G) be the value that D maximises and G minimises. A pair (D, G) has the gap
//!
//! ```text
//! max_D′ V(D′, G)  -  min_G′ V(D, G′)   ≥  V(D, G) - V(D, G)  =  0,
//! ```
//!
//! which is 0 only at an equilibrium, where neither player can gain by a change while the other stays. Losses alone do
//! not show this.
//!
//! | objective | V |
//! |---|---|
//! | standard | mean ln σ(D(x)) + mean ln(1 - σ(D(G(z)))), at most 0; -ln 4 at the equilibrium |
//! | clipping | mean D(x) - mean D(G(z)) |
//! | penalty | the same - weight · mean (‖∂D/∂x̂‖ - 1)², without which V has no maximum over D |
//! | relativistic | mean ln σ(D(x) - D(G(z))), at most 0; -ln 2 at the equilibrium |
//!
//! V does not contain zero-centred penalties. With augmentation, x and G(z) are changed as in the game.
//!
//! Both extremes are approximated from the pair itself: a copy of each player is trained for some steps, as in the
//! game, against the other player, which is held fixed. If the copy ends worse, the original counts. The estimate is
//! therefore never negative, and apart from the noise of the samples it is a lower bound of the gap, which more steps
//! make tighter. Compare pairs only at equal numbers of steps.

use super::{Game, Player};
use crate::adversarial::{Objective, Streams, penalty};
use crate::nn::Wanted;
use crate::tensor::Element;
use crate::{Error, Result};

/// The values of a pair before and after each player was trained alone.
///
/// ```
/// use equilibria::adversarial::DualityGap;
/// let found = DualityGap { value: 0.5, best_discriminator: 0.75, best_generator: 0.25 };
/// assert_eq!(found.gap(), 0.5, "both players could still gain");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct DualityGap {
    /// V of the pair.
    pub value: f64,
    /// V of the discriminator that was trained further, against the generator of the pair.
    pub best_discriminator: f64,
    /// V of the generator that was trained further, against the discriminator of the pair.
    pub best_generator: f64,
}

impl DualityGap {
    /// The gap, 0 at an equilibrium.
    pub fn gap(&self) -> f64 {
        self.best_discriminator.max(self.value) - self.best_generator.min(self.value)
    }
}

/// The effort of the estimate of a duality gap.
///
/// ```
/// use equilibria::adversarial::Search;
/// let search = Search { steps: 20, batches: 4 };
/// assert_eq!(search.steps * search.batches, 80);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Search {
    /// Steps of each player.
    pub steps: usize,
    /// Number of mini-batches over which V is averaged.
    pub batches: usize,
}

impl<T: Element> Game<T> {
    /// Estimates the duality gap from below; the game itself does not change.
    ///
    /// `train(index, samples)` fills mini-batches for the steps, as in [`Game::step`]. `test` fills those on which V is
    /// measured; they should be different samples.
    ///
    /// **Errors** [`Error::InvalidArgument`] if a number of the search is 0; those of `train` and `test`.
    ///
    /// **Randomness** Same as [`Game::step`]; pass streams that are used for nothing else.
    ///
    /// **Accuracy and cost** `steps` steps of each player and three times `batches` forward passes. Copies the game.
    pub fn duality_gap(
        &self,
        search: Search,
        mut train: impl FnMut(u64, &mut [T]) -> Result<()>,
        mut test: impl FnMut(u64, &mut [T]) -> Result<()>,
        streams: &Streams,
    ) -> Result<DualityGap> {
        let Search { steps, batches } = search;
        if steps == 0 || batches == 0 {
            let what = alloc::format!("a duality gap from {steps} steps and {batches} mini-batches");
            return Err(Error::invalid(what, "it needs at least 1 of each"));
        }
        let mut discriminating = self.clone();
        for round in 0..steps {
            discriminating.generate(round..round + 1, streams)?;
            discriminating.update_discriminator(round, 0, &mut train, streams, None)?;
        }
        let mut generating = self.clone();
        for _ in 0..steps {
            // A relativistic game shows the real images of the last step of the discriminator.
            generating.discriminator_steps += 1;
            generating.generate(0..1, streams)?;
            generating.update_generator(0, &mut train, streams, None)?;
        }
        let mut measure = |game: &mut Self| game.value(batches, &mut test, streams);
        Ok(DualityGap {
            value: measure(&mut self.clone())?,
            best_discriminator: measure(&mut discriminating)?,
            best_generator: measure(&mut generating)?,
        })
    }

    /// V, the mean over mini-batches.
    fn value(
        &mut self,
        batches: usize,
        test: &mut impl FnMut(u64, &mut [T]) -> Result<()>,
        streams: &Streams,
    ) -> Result<f64> {
        let batch = self.recipe.batch;
        // Without label smoothing.
        let objective = match self.recipe.objective {
            Objective::Standard { .. } => Objective::standard(),
            other => other,
        };
        // The same samples for every game.
        self.steps = u64::MAX;
        let mut sum = 0.0;
        for index in 0..batches {
            self.generate(index..index + 1, streams)?;
            let parts = self.forward_discriminator(
                index as u64,
                0,
                &mut |_, samples| test(index as u64, samples),
                streams,
            )?;
            let (data, between) = (0..2 * batch, 2 * batch..parts * batch);
            let Player { network, cache, deltas, .. } = &mut self.discriminator;
            let (real, fake) = cache.output_rows(data).split_at(batch);
            let (grad_real, others) = self.seeds.split_at_mut(batch);
            let (grad_fake, grad_x_hat) = others.split_at_mut(batch);
            sum -= objective.discriminator_loss((real, grad_real), (fake, grad_fake));
            if let Objective::Penalty { weight, .. } = objective {
                grad_x_hat.fill(T::ONE);
                network.backward(
                    cache,
                    grad_x_hat,
                    Wanted::input(between.clone()),
                    deltas,
                    &mut self.scratch,
                )?;
                let (g, u) = (deltas.input(between.clone()), self.tangents.direction_mut(between));
                sum -= penalty::direction((weight, 1.0), network.inputs(), g, u, &mut self.norms).penalty;
            }
        }
        Ok(sum / batches as f64)
    }
}
