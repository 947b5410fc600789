//! A batch of chains that are annealed together, with the buffers of a step: stepping allocates nothing.

use crate::boltzmann::Rbm;
use crate::boltzmann::gibbs::Chains;
use crate::boltzmann::layer::Logits;
use crate::boltzmann::link::Source;
use crate::boltzmann::packed::PackedRbm;
use crate::rng::Stream;
use crate::tensor::Element;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::binary::{dot_states, panels, softplus_increments};
use equilibria_kernels::{Level, elementwise};

/// A change of the inverse temperature; `sign` says whether it increases or decreases the weight.
#[derive(Clone, Copy)]
pub(super) struct Rise<T> {
    pub(super) from: T,
    pub(super) to: T,
    /// 1 or -1.
    pub(super) sign: f64,
}

/// A batch of annealed chains.
///
/// A step processes panels one by one, like any Gibbs step. The thread that has sampled a panel also computes the
/// panel's part of the weights. One thread adds up the parts, in the order of the panels.
pub(super) struct Walkers<'a, T: Element> {
    model: PackedRbm<T>,
    chains: Chains<T>,
    /// The visible biases a of the base-rate model.
    base_rate: &'a [T],
    /// b - a.
    bias_rise: Vec<T>,
    /// (1 - beta) a + beta b = a + beta (b - a).
    visible_bias: Vec<T>,
    /// beta c.
    hidden_bias: Vec<T>,
    /// (b - a) v, summed over the units of each panel (visible panels, chains).
    bias_terms: Vec<T>,
    /// softplus(beta' x) - softplus(beta x), summed over the units of each panel (hidden panels, chains).
    rises: Vec<T>,
    log_weights: Vec<f64>,
}

impl<'a, T: Element> Walkers<'a, T> {
    /// Allocates buffers for up to `most` chains.
    pub(super) fn new(model: &Rbm<T>, base_rate: &'a [T], most: usize) -> Self {
        let (visible, hidden) = (model.visible(), model.hidden());
        let mut bias_rise = model.visible_bias().data().to_vec();
        elementwise::sub_in_place(Level::detect(), &mut bias_rise, base_rate);
        let model = PackedRbm::new(model);
        // `start` sets the stream.
        let chains = Chains::new(&model, most, Stream::named(0, "chain")).without_visible_probabilities();
        Self {
            model,
            chains,
            base_rate,
            bias_rise,
            visible_bias: vec![T::ZERO; visible],
            hidden_bias: vec![T::ZERO; hidden],
            bias_terms: vec![T::ZERO; panels(visible) * most],
            rises: vec![T::ZERO; panels(hidden) * most],
            log_weights: vec![0.0; most],
        }
    }

    /// Starts `chains` chains with weight 1 and all units off.
    ///
    /// **Randomness** As for [`GibbsChains`](crate::boltzmann::GibbsChains): a chain's states depend on its index, not
    /// on the number of chains.
    pub(super) fn start(&mut self, chains: usize, stream: Stream) {
        self.chains.resize(chains);
        self.chains.draw_from(stream);
        for layer in [&mut self.chains.visible, &mut self.chains.hidden] {
            layer.states.fill(0);
        }
        // Every batch computes its sums from 0, independently of the batch before.
        self.chains.invalidate();
        self.bias_terms.resize(panels(self.model.visible()) * chains, T::ZERO);
        self.rises.resize(panels(self.model.hidden()) * chains, T::ZERO);
        self.log_weights.clear();
        self.log_weights.resize(chains, 0.0);
    }

    /// The number of chains.
    pub(super) fn len(&self) -> usize {
        self.log_weights.len()
    }

    /// ln w of each chain.
    pub(super) fn log_weights(&self) -> &[f64] {
        &self.log_weights
    }

    /// Sets the chains' visible units to images (chains, visible), each unit 0 or 1.
    pub(super) fn place(&mut self, images: &[T]) {
        self.chains.visible.set(images);
    }

    /// The states v and h of each chain as bits; for machines of at most 64 units per layer.
    #[cfg(test)]
    pub(super) fn states(&self) -> impl Iterator<Item = [u64; 2]> {
        self.chains.visible.states.iter().zip(&self.chains.hidden.states).map(|(&v, &h)| [v, h])
    }

    /// Samples v from p_beta(v | h). At beta = 0, where h has no effect, this is p_0(v).
    pub(super) fn sample_visible(&mut self, beta: T) {
        let level = Level::detect();
        let Self { model, chains, bias_rise, visible_bias, bias_terms, .. } = self;
        visible_bias.copy_from_slice(self.base_rate);
        elementwise::axpy(level, beta, bias_rise, visible_bias);
        let logits = Logits { scales: &[beta], bias: visible_bias };
        let stream = chains.next_stream();
        let Chains { visible, hidden, down, .. } = chains;
        let bias_rise = &*bias_rise;
        let source = Source { states: &hidden.states, link: down, weights: model.to_visible() };
        visible.sample_and_inspect([source], logits, stream, bias_terms, &|panel, terms| {
            dot_states(level, panel.states, &bias_rise[panel.units], terms)
        });
    }

    /// Samples h from p_beta(h | v). If `rise` is given, first adds the change of the weights at this v.
    pub(super) fn sample_hidden(&mut self, rise: Option<Rise<T>>, beta: T) {
        let level = Level::detect();
        let Self { model, chains, hidden_bias, rises, .. } = self;
        hidden_bias.copy_from_slice(&model.hidden_bias);
        elementwise::scale_in_place(level, beta, hidden_bias);
        let logits = Logits { scales: &[beta], bias: hidden_bias };
        let stream = chains.next_stream();
        let Chains { visible, hidden, up, .. } = chains;
        let bias = &*model.hidden_bias;
        let source = Source { states: &visible.states, link: up, weights: model.to_hidden() };
        let Some(rise) = rise else {
            return hidden.sample_from([source], logits, stream);
        };
        hidden.sample_and_inspect([source], logits, stream, rises, &|panel, rises| {
            softplus_increments(level, [rise.from, rise.to], panel.sums, &bias[panel.units], rises)
        });
        self.weigh(rise);
    }

    /// Updates ln w by sign (ln q_to(v) - ln q_from(v)), from the panels' parts.
    fn weigh(&mut self, rise: Rise<T>) {
        let step = rise.to.to_f64() - rise.from.to_f64();
        for (parts, factor) in [(&self.bias_terms, rise.sign * step), (&self.rises, rise.sign)] {
            for part in parts.chunks_exact(self.log_weights.len()) {
                for (weight, part) in self.log_weights.iter_mut().zip(part) {
                    *weight += factor * part.to_f64();
                }
            }
        }
    }
}
