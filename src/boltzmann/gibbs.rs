//! Block Gibbs sampling: all hidden units given the visible ones, then all visible units given the hidden ones.

use super::Rbm;
use crate::parallel::for_each_row;
use crate::rng::{Stream, Xoshiro256PlusPlusX8};
use crate::tensor::{Element, Workspace};
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::{Level, random};

/// Chains that step side by side, and all that a step needs: stepping allocates nothing.
///
/// Each chain draws from a generator of its own, so that a chain's states do not depend on the others' number.
#[derive(Debug, Clone)]
pub struct GibbsChains<T> {
    visible: usize,
    hidden: usize,
    /// Chains in use; buffers may hold more.
    chains: usize,
    visible_states: Vec<T>,
    visible_probabilities: Vec<T>,
    hidden_states: Vec<T>,
    hidden_probabilities: Vec<T>,
    generators: Vec<Xoshiro256PlusPlusX8>,
    workspace: Workspace<T>,
}

impl<T: Element> GibbsChains<T> {
    /// `chains` chains of a machine with `model`'s sizes, all units 0, chain i drawing from `stream.substream(i)`.
    pub fn new(model: &Rbm<T>, chains: usize, stream: Stream) -> Self {
        let (visible, hidden) = (model.visible(), model.hidden());
        Self {
            visible,
            hidden,
            chains,
            visible_states: vec![T::ZERO; chains * visible],
            visible_probabilities: vec![T::ZERO; chains * visible],
            hidden_states: vec![T::ZERO; chains * hidden],
            hidden_probabilities: vec![T::ZERO; chains * hidden],
            generators: (0..chains).map(|chain| stream.substream(chain as u64).bulk()).collect(),
            workspace: Workspace::new(),
        }
    }

    /// Chains in use.
    pub fn len(&self) -> usize {
        self.chains
    }

    /// No chain is in use.
    pub fn is_empty(&self) -> bool {
        self.chains == 0
    }

    /// Uses the first `chains` chains.
    ///
    /// **Panics** if there are fewer.
    #[track_caller]
    pub fn use_first(&mut self, chains: usize) {
        assert!(chains <= self.generators.len(), "{chains} of {} chains", self.generators.len());
        self.chains = chains;
    }

    /// Has chain i draw from the start of `stream.substream(i)`.
    pub fn draw_from(&mut self, stream: Stream) {
        for (chain, generator) in self.generators[..self.chains].iter_mut().enumerate() {
            *generator = stream.substream(chain as u64).bulk();
        }
    }

    /// v (chains, visible).
    pub fn visible_states(&self) -> &[T] {
        &self.visible_states[..self.chains * self.visible]
    }

    /// v (chains, visible), to set.
    pub fn visible_states_mut(&mut self) -> &mut [T] {
        &mut self.visible_states[..self.chains * self.visible]
    }

    /// P(v = 1 | h) from which v was last sampled (chains, visible).
    pub fn visible_probabilities(&self) -> &[T] {
        &self.visible_probabilities[..self.chains * self.visible]
    }

    /// h (chains, hidden).
    pub fn hidden_states(&self) -> &[T] {
        &self.hidden_states[..self.chains * self.hidden]
    }

    /// h (chains, hidden), to set.
    pub fn hidden_states_mut(&mut self) -> &mut [T] {
        &mut self.hidden_states[..self.chains * self.hidden]
    }

    /// P(h = 1 | v) from which h was last sampled (chains, hidden).
    pub fn hidden_probabilities(&self) -> &[T] {
        &self.hidden_probabilities[..self.chains * self.hidden]
    }

    /// h ~ P(h | v).
    ///
    /// **Randomness** `hidden` uniform numbers a chain, from its generator.
    pub fn sample_hidden(&mut self, model: &Rbm<T>) {
        let (visible, hidden) = (self.chains * self.visible, self.chains * self.hidden);
        let probabilities = &mut self.hidden_probabilities[..hidden];
        model.hidden_logits(&self.visible_states[..visible], probabilities, &mut self.workspace);
        sample(probabilities, &mut self.hidden_states[..hidden], self.hidden, &mut self.generators);
    }

    /// v ~ P(v | h).
    ///
    /// **Randomness** `visible` uniform numbers a chain, from its generator.
    pub fn sample_visible(&mut self, model: &Rbm<T>) {
        let (visible, hidden) = (self.chains * self.visible, self.chains * self.hidden);
        let probabilities = &mut self.visible_probabilities[..visible];
        model.visible_logits(&self.hidden_states[..hidden], probabilities, &mut self.workspace);
        sample(probabilities, &mut self.visible_states[..visible], self.visible, &mut self.generators);
    }

    /// `steps` times h ~ P(h | v), v ~ P(v | h): a walk from image to image.
    pub fn walk(&mut self, model: &Rbm<T>, steps: usize) {
        for _ in 0..steps {
            self.sample_hidden(model);
            self.sample_visible(model);
        }
    }
}

/// Turns `logits` into probabilities and samples `states` from them, row by row.
fn sample<T: Element>(
    logits: &mut [T],
    states: &mut [T],
    width: usize,
    generators: &mut [Xoshiro256PlusPlusX8],
) {
    let level = Level::detect();
    for_each_row((logits, width), (states, width), generators, |_, logits, states, generator| {
        random::bernoulli_in_place(level, generator, logits, states);
    });
}
