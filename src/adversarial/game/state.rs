//! The state of a game for checkpoints, and copies of a game.

use super::{Game, Player};
use crate::nn::{Cache, Deltas, Gradients, Scratch, Sequential, Tangents};
use crate::tensor::{Element, Tensor};
use alloc::format;
use alloc::string::String;
use equilibria_kernels::{Level, elementwise};

impl<T: Element> Game<T> {
    /// Every tensor that changes from step to step, by name, in a fixed order: `generator.` and `discriminator.` with
    /// the names of [`Sequential::state`], `average.` with those of the generator if there is an average, and
    /// `generator_optimiser.` and `discriminator_optimiser.` with indices in
    /// [`Optimiser::state`](crate::optim::Optimiser::state).
    ///
    /// Together with [`Game::steps`] and [`Game::discriminator_steps`] this is everything a checkpoint needs: a new
    /// game in which [`Game::state_mut`] writes these numbers continues exactly as this one.
    pub fn state(&self) -> impl Iterator<Item = (String, &Tensor<T>)> {
        let of_network = |name, network| named(name, Sequential::state(network));
        of_network("generator", &self.generator.network)
            .chain(of_network("discriminator", &self.discriminator.network))
            .chain(self.average.iter().flat_map(move |average| of_network("average", average.network())))
            .chain(numbered("generator_optimiser", self.generator.optimiser.state().iter()))
            .chain(numbered("discriminator_optimiser", self.discriminator.optimiser.state().iter()))
    }

    /// Like [`Game::state`], but mutable; also sets the number of steps of the generator and of the discriminator.
    pub fn state_mut(
        &mut self,
        steps: u64,
        discriminator_steps: u64,
    ) -> impl Iterator<Item = (String, &mut Tensor<T>)> {
        (self.steps, self.discriminator_steps) = (steps, discriminator_steps);
        let (of_generator, generator_state) = self.generator.optimiser.state_mut();
        let (of_discriminator, discriminator_state) = self.discriminator.optimiser.state_mut();
        (*of_generator, *of_discriminator) = (steps, discriminator_steps);
        let of_network = |name, network| named(name, Sequential::state_mut(network));
        of_network("generator", &mut self.generator.network)
            .chain(of_network("discriminator", &mut self.discriminator.network))
            .chain(
                self.average.iter_mut().flat_map(move |average| of_network("average", average.network_mut())),
            )
            .chain(numbered("generator_optimiser", generator_state.iter_mut()))
            .chain(numbered("discriminator_optimiser", discriminator_state.iter_mut()))
    }

    /// The name of the first tensor of [`Game::state`] that contains a number that is not finite: the part that
    /// diverged.
    pub fn first_not_finite(&self) -> Option<String> {
        let level = Level::detect();
        self.state().find(|(_, tensor)| !elementwise::is_finite(level, tensor.data())).map(|(name, _)| name)
    }
}

/// Prefixes names with the name of their owner.
fn named<X>(of: &'static str, state: impl Iterator<Item = (String, X)>) -> impl Iterator<Item = (String, X)> {
    state.map(move |(name, x)| (format!("{of}.{name}"), x))
}

fn numbered<X>(of: &'static str, state: impl Iterator<Item = X>) -> impl Iterator<Item = (String, X)> {
    state.enumerate().map(move |(index, x)| (format!("{of}.{index}"), x))
}

/// The copy has empty buffers.
impl<T: Element> Clone for Player<T> {
    fn clone(&self) -> Self {
        let optimiser = self.optimiser.clone();
        Self {
            optimiser,
            cache: Cache::new(&self.network),
            deltas: Deltas::new(&self.network),
            gradients: Gradients::new(&self.network),
            network: self.network.clone(),
        }
    }
}

/// The copy continues exactly as the original; its buffers are empty.
impl<T: Element> Clone for Game<T> {
    fn clone(&self) -> Self {
        Self {
            generator: self.generator.clone(),
            discriminator: self.discriminator.clone(),
            average: self.average.clone(),
            tangents: Tangents::new(&self.discriminator.network),
            seeds: self.seeds.clone(),
            alphas: self.alphas.clone(),
            norms: self.norms.clone(),
            scratch: Scratch::new(),
            ..*self
        }
    }
}
