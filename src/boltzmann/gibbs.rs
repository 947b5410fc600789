//! Block Gibbs sampling: all hidden units given the visible ones, then all visible units given the hidden ones.

use super::Rbm;
use super::layer::{Layer, Logits};
use super::link::{Link, Source};
use super::packed::PackedRbm;
use crate::parallel::within;
use crate::rng::Stream;
use crate::tensor::Element;
use alloc::vec;
use alloc::vec::Vec;

/// Both layers of chains that step side by side, without the machine.
#[derive(Debug, Clone)]
pub(crate) struct Chains<T: Element> {
    pub visible: Layer<T>,
    pub hidden: Layer<T>,
    /// From the visible units to the hidden ones' sums.
    pub up: Link<T>,
    /// The reverse.
    pub down: Link<T>,
    /// What the inputs from the visible to the hidden units are multiplied by, and those of the reverse.
    pub factors: [T; 2],
    stream: Stream,
    /// Layers sampled since the stream was set.
    draws: u64,
}

impl<T: Element> Chains<T> {
    pub fn new(model: &PackedRbm<T>, chains: usize, stream: Stream) -> Self {
        Self {
            visible: Layer::new(model.visible(), chains),
            hidden: Layer::new(model.hidden(), chains),
            up: Link::new(model.visible(), chains),
            down: Link::new(model.hidden(), chains),
            factors: [T::ONE; 2],
            stream,
            draws: 0,
        }
    }

    /// Keeps the hidden units' probabilities alone, which is what is learned from.
    pub fn without_visible_probabilities(mut self) -> Self {
        self.visible = self.visible.without_probabilities();
        self
    }

    /// Becomes `chains` chains, no more than there were at first, whose states have to be set.
    pub fn resize(&mut self, chains: usize) {
        self.visible.resize(chains);
        self.hidden.resize(chains);
        self.up.resize(chains);
        self.down.resize(chains);
    }

    /// Computes the sums anew when they are next needed: the weights have changed.
    pub fn forget(&mut self) {
        self.up.forget();
        self.down.forget();
    }

    pub fn draw_from(&mut self, stream: Stream) {
        (self.stream, self.draws) = (stream, 0);
    }

    /// The stream of the next layer.
    pub fn next_stream(&mut self) -> Stream {
        self.draws += 1;
        self.stream.substream(self.draws - 1)
    }

    pub fn sample_hidden(&mut self, model: &PackedRbm<T>) {
        let stream = self.next_stream();
        let logits = Logits { scales: &[self.factors[0]], bias: &model.hidden_bias };
        let source = Source { states: &self.visible.states, link: &mut self.up, weights: model.to_hidden() };
        self.hidden.sample_from([source], logits, stream);
    }

    pub fn sample_visible(&mut self, model: &PackedRbm<T>) {
        let stream = self.next_stream();
        let logits = Logits { scales: &[self.factors[1]], bias: &model.visible_bias };
        let source =
            Source { states: &self.hidden.states, link: &mut self.down, weights: model.to_visible() };
        self.visible.sample_from([source], logits, stream);
    }
}

/// Chains of a machine that step side by side; stepping allocates nothing.
///
/// States are bits, and only the weights of units that changed are added up: see
/// [`equilibria_kernels::binary`].
///
/// **Randomness** The n-th layer that is sampled draws from substream n of the chains' stream, each 64 of its units
/// from a substream of that, chain after chain: so a chain's states do not depend on the number of chains.
#[derive(Debug, Clone)]
pub struct GibbsChains<T: Element> {
    model: PackedRbm<T>,
    chains: Chains<T>,
}

impl<T: Element> GibbsChains<T> {
    /// `chains` chains of `model`, all units 0.
    pub fn new(model: &Rbm<T>, chains: usize, stream: Stream) -> Self {
        let model = PackedRbm::new(model);
        let chains = Chains::new(&model, chains, stream);
        Self { model, chains }
    }

    /// The number of chains.
    pub fn len(&self) -> usize {
        self.chains.visible.rows()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Has the chains draw from the start of `stream`.
    pub fn draw_from(&mut self, stream: Stream) {
        self.chains.draw_from(stream);
    }

    /// v (chains, visible), 0 or 1.
    pub fn visible_states(&self) -> Vec<T> {
        let mut states = vec![T::ZERO; self.len() * self.model.visible()];
        self.chains.visible.unpack(&mut states);
        states
    }

    /// Sets v (chains, visible): units above 0 are on.
    ///
    /// **Panics** if there are not that many.
    #[track_caller]
    pub fn set_visible_states(&mut self, states: &[T]) {
        self.chains.visible.set(states);
    }

    /// Sets the visible units at which `known` is on to those of `values`; both as [`pack_states`] makes them of
    /// (chains, visible).
    ///
    /// [`pack_states`]: equilibria_kernels::binary::pack_states
    pub(crate) fn clamp_visible(&mut self, known: &[u64], values: &[u64]) {
        self.chains.visible.clamp(known, values);
    }

    /// P(v = 1 | h) from which v was last sampled (chains, visible).
    pub fn visible_probabilities(&self) -> Vec<T> {
        let mut probabilities = vec![T::ZERO; self.len() * self.model.visible()];
        self.visible_probabilities_into(&mut probabilities);
        probabilities
    }

    /// As [`GibbsChains::visible_probabilities`], into `out`.
    ///
    /// **Panics** if `out` is shorter.
    #[track_caller]
    pub fn visible_probabilities_into(&self, out: &mut [T]) {
        self.chains.visible.unpack_probabilities(&mut out[..self.len() * self.model.visible()]);
    }

    /// h (chains, hidden), 0 or 1.
    pub fn hidden_states(&self) -> Vec<T> {
        let mut states = vec![T::ZERO; self.len() * self.model.hidden()];
        self.chains.hidden.unpack(&mut states);
        states
    }

    /// P(h = 1 | v) from which h was last sampled (chains, hidden).
    pub fn hidden_probabilities(&self) -> Vec<T> {
        let mut probabilities = vec![T::ZERO; self.len() * self.model.hidden()];
        self.chains.hidden.unpack_probabilities(&mut probabilities);
        probabilities
    }

    /// h ~ P(h | v).
    pub fn sample_hidden(&mut self) {
        self.chains.sample_hidden(&self.model);
    }

    /// v ~ P(v | h).
    pub fn sample_visible(&mut self) {
        self.chains.sample_visible(&self.model);
    }

    /// `steps` times h ~ P(h | v), v ~ P(v | h): a walk from image to image.
    pub fn walk(&mut self, steps: usize) {
        within(|| {
            for _ in 0..steps {
                self.sample_hidden();
                self.sample_visible();
            }
        });
    }
}
