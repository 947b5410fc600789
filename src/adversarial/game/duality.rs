//! How far a pair of players is from an equilibrium: the duality gap (Grnarova et al. 2019, "A domain agnostic measure for
//! monitoring and evaluating GANs").
//!
//! With V(D, G) what D ascends and G descends, a pair (D, G) has the gap
//!
//! ```text
//! max_D′ V(D′, G)  -  min_G′ V(D, G′)   ≥  V(D, G) - V(D, G)  =  0,
//! ```
//!
//! 0 at an equilibrium alone: where neither can gain by moving while the other stays. Losses by themselves do not tell that.
//!
//! | objective | V |
//! |---|---|
//! | standard | mean ln σ(D(x)) + mean ln(1 - σ(D(G(z)))), at most 0; -ln 4 at the equilibrium |
//! | clipping | mean D(x) - mean D(G(z)) |
//! | penalty | the same - weight · mean (‖∂D/∂x̂‖ - 1)², without which no discriminator is the best |
//!
//! Both extremes are approached from the pair itself: a copy of each takes some steps, as in the game, against the other,
//! which is held; who is worse off after them had better stay. So what is found is less than the gap but for the noise of
//! the samples, and never negative, the nearer the more steps, and pairs are to be compared at equal numbers of steps.

use super::{Game, Player};
use crate::adversarial::{Objective, Streams, penalty};
use crate::nn::Wanted;
use crate::tensor::Element;
use crate::{Error, Result};

/// What either player could still gain.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct DualityGap {
    /// V of the pair.
    pub value: f64,
    /// V of the discriminator that had more steps, against the generator of the pair.
    pub best_discriminator: f64,
    /// V of the generator that had more steps, against the discriminator of the pair.
    pub best_generator: f64,
}

impl DualityGap {
    /// The gap, 0 at an equilibrium.
    pub fn gap(&self) -> f64 {
        self.best_discriminator.max(self.value) - self.best_generator.min(self.value)
    }
}

/// How long a duality gap is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Search {
    /// Steps of each player.
    pub steps: usize,
    /// Mini-batches over which V is averaged.
    pub batches: usize,
}

impl<T: Element> Game<T> {
    /// An estimate of the duality gap from below; the game itself does not move.
    ///
    /// `train(index, samples)` fills mini-batches for the steps, as in [`Game::step`], and `test` those on which V is
    /// measured, which had better be others.
    ///
    /// **Errors** [`Error::InvalidArgument`] if a number of the search is 0; those of `train` and `test`.
    ///
    /// **Randomness** Same as [`Game::step`]; give it streams of its own.
    ///
    /// **Accuracy and cost** `steps` steps of each player and three times `batches` passes forwards. Copies the game.
    pub fn duality_gap(
        &self,
        search: Search,
        mut train: impl FnMut(u64, &mut [T]) -> Result<()>,
        mut test: impl FnMut(u64, &mut [T]) -> Result<()>,
        streams: &Streams,
    ) -> Result<DualityGap> {
        let Search { steps, batches } = search;
        if steps == 0 || batches == 0 {
            let what = alloc::format!("a duality gap by {steps} steps and {batches} mini-batches");
            return Err(Error::invalid(what, "it takes at least 1 of each"));
        }
        let mut discriminating = self.clone();
        for round in 0..steps {
            discriminating.generate(round..round + 1, streams)?;
            discriminating.move_discriminator(round, 0, &mut train, streams, None)?;
        }
        let mut generating = self.clone();
        for _ in 0..steps {
            generating.generate(0..1, streams)?;
            generating.move_generator(0, streams, None)?;
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
        // Labels as they are.
        let objective = match self.recipe.objective {
            Objective::Standard { .. } => Objective::standard(),
            other => other,
        };
        // The same samples whatever has been played before.
        self.steps = u64::MAX;
        let mut sum = 0.0;
        for index in 0..batches {
            self.generate(index..index + 1, streams)?;
            let parts = self.show(index as u64, 0, &mut |_, samples| test(index as u64, samples), streams)?;
            let (data, between) = (0..2 * batch, 2 * batch..parts * batch);
            let Player { network, cache, deltas, .. } = &mut self.discriminator;
            let (real, fake) = cache.output_rows(data).split_at(batch);
            let (by_real, others) = self.seeds.split_at_mut(batch);
            let (by_fake, by_x_hat) = others.split_at_mut(batch);
            sum -= objective.discriminator_loss((real, by_real), (fake, by_fake));
            if let Objective::Penalty { weight, .. } = objective {
                by_x_hat.fill(T::ONE);
                network.backward(
                    cache,
                    by_x_hat,
                    Wanted::input(between.clone()),
                    deltas,
                    &mut self.scratch,
                )?;
                let (g, u) = (deltas.input(between.clone()), self.tangents.direction_mut(between));
                sum -= penalty::direction(weight, network.inputs(), g, u, &mut self.norms).penalty;
            }
        }
        Ok(sum / batches as f64)
    }
}
