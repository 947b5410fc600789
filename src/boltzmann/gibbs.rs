//! Block Gibbs sampling: all hidden units given the visible ones, then all visible units given the hidden ones.

use super::Rbm;
use super::layer::{Layer, Logits};
use super::link::{Link, Source};
use super::packed::PackedRbm;
use crate::Result;
use crate::data::check_states;
use crate::parallel::within;
use crate::rng::Stream;
use crate::tensor::Element;
use alloc::vec;
use alloc::vec::Vec;

/// The states of both layers in a block of chains, without the machine's parameters.
#[derive(Debug, Clone)]
pub(crate) struct Chains<T: Element> {
    pub visible: Layer<T>,
    pub hidden: Layer<T>,
    /// Leads from the visible units to the input sums of the hidden ones.
    pub up: Link<T>,
    /// Leads from the hidden units to the input sums of the visible ones.
    pub down: Link<T>,
    /// Factors of the inputs from the visible to the hidden units, and from the hidden to the visible ones.
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

    /// Stores the probabilities of the hidden units only, which is all that learning needs.
    #[must_use]
    pub fn without_visible_probabilities(mut self) -> Self {
        self.visible = self.visible.without_probabilities();
        self
    }

    /// Changes the number of chains to `chains`, at most the initial number. The states must be set afterwards.
    pub fn resize(&mut self, chains: usize) {
        self.visible.resize(chains);
        self.hidden.resize(chains);
        self.up.resize(chains);
        self.down.resize(chains);
    }

    /// Marks the input sums as out of date: the weights have changed.
    pub fn invalidate(&mut self) {
        self.up.invalidate();
        self.down.invalidate();
    }

    pub fn draw_from(&mut self, stream: Stream) {
        (self.stream, self.draws) = (stream, 0);
    }

    /// The stream for the next layer that is sampled.
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

/// A block of Gibbs chains that step together. Stepping allocates nothing.
///
/// States are bits, and a step adds up only the weights of units that changed: see [`equilibria_kernels::binary`].
///
/// **Randomness** The n-th layer that is sampled draws from substream n of the chains' stream. Within it, each panel of
/// 64 units has its own substream and draws one chain after another. A chain's states therefore do not depend on the
/// number of chains.
///
/// ```
/// use equilibria::Tensor;
/// use equilibria::boltzmann::{GibbsChains, Rbm};
/// use equilibria::rng::Stream;
/// // Without weights, each visible unit is on with probability sigmoid(2) = 0.88.
/// let model = Rbm::from_parameters(Tensor::zeros(&[8, 3]), Tensor::filled(&[8], 2.0_f32), Tensor::zeros(&[3]))?;
/// let mut chains = GibbsChains::new(&model, 1000, Stream::named(1, "chain"));
/// chains.walk(5);
/// let on = chains.visible_states().iter().sum::<f32>() / 8000.0;
/// assert!((on - 0.88).abs() < 0.02);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct GibbsChains<T: Element> {
    model: PackedRbm<T>,
    chains: Chains<T>,
}

impl<T: Element> GibbsChains<T> {
    /// Creates `chains` chains of `model` with all units 0.
    pub fn new(model: &Rbm<T>, chains: usize, stream: Stream) -> Self {
        let model = PackedRbm::new(model);
        let chains = Chains::new(&model, chains, stream);
        Self { model, chains }
    }

    /// The number of chains.
    pub fn len(&self) -> usize {
        self.chains.visible.rows()
    }

    /// True if there are no chains.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Draws from the start of `stream` from now on.
    pub fn draw_from(&mut self, stream: Stream) {
        self.chains.draw_from(stream);
    }

    /// The visible states v (chains, visible), each 0 or 1.
    pub fn visible_states(&self) -> Vec<T> {
        let mut states = vec![T::ZERO; self.len() * self.model.visible()];
        self.chains.visible.unpack(&mut states);
        states
    }

    /// Sets v (chains, visible), each 0 or 1.
    ///
    /// **Errors** [`Error::InvalidArgument`](crate::Error::InvalidArgument) for any other number; the chains are then
    /// unchanged.
    ///
    /// **Panics** if the length differs.
    #[track_caller]
    pub fn set_visible_states(&mut self, states: &[T]) -> Result<()> {
        check_states("a state", states)?;
        self.chains.visible.set(states);
        Ok(())
    }

    /// Sets the visible units that are on in `known` to their states in `values`. Both are packed by [`pack_states`]
    /// from (chains, visible).
    ///
    /// [`pack_states`]: equilibria_kernels::binary::pack_states
    pub(crate) fn clamp_visible(&mut self, known: &[u64], values: &[u64]) {
        self.chains.visible.clamp(known, values);
    }

    /// The probabilities P(v = 1 | h) from which v was last sampled (chains, visible).
    pub fn visible_probabilities(&self) -> Vec<T> {
        let mut probabilities = vec![T::ZERO; self.len() * self.model.visible()];
        self.visible_probabilities_into(&mut probabilities);
        probabilities
    }

    /// Writes [`GibbsChains::visible_probabilities`] into `out`.
    ///
    /// **Panics** if `out` is shorter than (chains, visible).
    #[track_caller]
    pub fn visible_probabilities_into(&self, out: &mut [T]) {
        self.chains.visible.unpack_probabilities(&mut out[..self.len() * self.model.visible()]);
    }

    /// The hidden states h (chains, hidden), each 0 or 1.
    pub fn hidden_states(&self) -> Vec<T> {
        let mut states = vec![T::ZERO; self.len() * self.model.hidden()];
        self.chains.hidden.unpack(&mut states);
        states
    }

    /// The probabilities P(h = 1 | v) from which h was last sampled (chains, hidden).
    pub fn hidden_probabilities(&self) -> Vec<T> {
        let mut probabilities = vec![T::ZERO; self.len() * self.model.hidden()];
        self.chains.hidden.unpack_probabilities(&mut probabilities);
        probabilities
    }

    /// Samples h from P(h | v).
    pub fn sample_hidden(&mut self) {
        self.chains.sample_hidden(&self.model);
    }

    /// Samples v from P(v | h).
    pub fn sample_visible(&mut self) {
        self.chains.sample_visible(&self.model);
    }

    /// Takes `steps` steps: h from P(h | v), then v from P(v | h). Each step leads from one image to the next.
    pub fn walk(&mut self, steps: usize) {
        within(|| {
            for _ in 0..steps {
                self.sample_hidden();
                self.sample_visible();
            }
        });
    }
}
