//! Block Gibbs sampling of a deep machine: all odd layers given the even ones, then all even layers given the odd ones.

use super::Dbm;
use super::packed::PackedDbm;
use crate::Result;
use crate::boltzmann::layer::{Layer, Logits};
use crate::boltzmann::link::{Link, Source};
use crate::data::check_states;
use crate::parallel::within;
use crate::rng::Stream;
use crate::tensor::Element;
use alloc::vec;
use alloc::vec::Vec;

/// The states of all layers in a block of chains, without the machine's parameters.
#[derive(Debug, Clone)]
pub(crate) struct DeepChains<T: Element> {
    /// The visible layer first.
    pub layers: Vec<Layer<T>>,
    /// `up[l]` leads from layer l to the input sums of layer l + 1.
    up: Vec<Link<T>>,
    /// `down[l]` leads from layer l + 1 to the input sums of layer l.
    down: Vec<Link<T>>,
    stream: Stream,
    /// Layers sampled since the stream was set.
    draws: u64,
}

impl<T: Element> DeepChains<T> {
    pub fn new(sizes: &[usize], chains: usize, stream: Stream) -> Self {
        let links = |sizes: &[usize]| sizes.iter().map(|&units| Link::new(units, chains)).collect();
        Self {
            layers: sizes.iter().map(|&units| Layer::new(units, chains)).collect(),
            up: links(&sizes[..sizes.len() - 1]),
            down: links(&sizes[1..]),
            stream,
            draws: 0,
        }
    }

    /// Stores the probabilities of odd layers only.
    #[must_use]
    pub fn without_even_probabilities(mut self) -> Self {
        let strip = |(place, layer): (usize, Layer<T>)| {
            if place.is_multiple_of(2) { layer.without_probabilities() } else { layer }
        };
        self.layers = self.layers.into_iter().enumerate().map(strip).collect();
        self
    }

    pub fn draw_from(&mut self, stream: Stream) {
        (self.stream, self.draws) = (stream, 0);
    }

    /// Marks the input sums as out of date: the weights have changed.
    pub fn invalidate(&mut self) {
        self.up.iter_mut().chain(&mut self.down).for_each(Link::invalidate);
    }

    pub fn sample_odd(&mut self, model: &PackedDbm<T>) {
        (1..self.layers.len()).step_by(2).for_each(|layer| self.sample(model, layer));
    }

    pub fn sample_even(&mut self, model: &PackedDbm<T>) {
        (0..self.layers.len()).step_by(2).for_each(|layer| self.sample(model, layer));
    }

    /// Samples a layer given its neighbours.
    fn sample(&mut self, model: &PackedDbm<T>, place: usize) {
        let stream = self.stream.substream(self.draws);
        self.draws += 1;
        let logits = Logits { scales: &[T::ONE], bias: &model.biases[place] };
        let (below, rest) = self.layers.split_at_mut(place);
        let (layer, above) = rest.split_first_mut().expect("the layer is there");
        let below = below.last().map(|layer| Source {
            states: &layer.states,
            link: &mut self.up[place - 1],
            weights: model.between(place - 1, place),
        });
        let above = above.first().map(|layer| Source {
            states: &layer.states,
            link: &mut self.down[place],
            weights: model.between(place + 1, place),
        });
        match (below, above) {
            (Some(below), Some(above)) => layer.sample_from([below, above], logits, stream),
            (Some(source), None) | (None, Some(source)) => layer.sample_from([source], logits, stream),
            (None, None) => unreachable!("a machine of one layer"),
        }
    }
}

/// A block of Gibbs chains of a deep machine that step together. Stepping allocates nothing.
///
/// States are bits, and a step adds up only the weights of units that changed, as in
/// [`GibbsChains`](crate::boltzmann::GibbsChains).
///
/// **Randomness** The n-th layer that is sampled draws from substream n of the chains' stream, lower layers before
/// higher ones. Within it, each panel of 64 units has its own substream and draws one chain after another. A chain's
/// states therefore do not depend on the number of chains.
///
/// ```
/// use equilibria::boltzmann::{Dbm, DbmChains};
/// use equilibria::rng::Stream;
/// let model = Dbm::<f32>::new(&[0.9; 6], &[4, 2], Stream::named(1, "init"))?;
/// let mut chains = DbmChains::new(&model, 100, Stream::named(1, "chain"));
/// chains.walk(10);
/// assert!(chains.states(0).iter().sum::<f32>() > 450.0, "most visible units are on");
/// assert_eq!(chains.states(2).len(), 100 * 2);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct DbmChains<T: Element> {
    model: PackedDbm<T>,
    chains: DeepChains<T>,
}

impl<T: Element> DbmChains<T> {
    /// Creates `chains` chains of `model` with all units 0.
    pub fn new(model: &Dbm<T>, chains: usize, stream: Stream) -> Self {
        let sizes: Vec<usize> = model.sizes().collect();
        Self { model: PackedDbm::new(model), chains: DeepChains::new(&sizes, chains, stream) }
    }

    /// The number of chains.
    pub fn len(&self) -> usize {
        self.chains.layers[0].rows()
    }

    /// True if there are no chains.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Draws from the start of `stream` from now on.
    pub fn draw_from(&mut self, stream: Stream) {
        self.chains.draw_from(stream);
    }

    /// The states of a layer; layer 0 is the visible one.
    ///
    /// **Shapes** (chains, units), each 0 or 1.
    ///
    /// **Panics** if the machine has no such layer.
    #[track_caller]
    pub fn states(&self, layer: usize) -> Vec<T> {
        let mut states = vec![T::ZERO; self.len() * self.model.biases[layer].len()];
        self.chains.layers[layer].unpack(&mut states);
        states
    }

    /// Sets the states of a layer (chains, units), each 0 or 1.
    ///
    /// **Errors** [`Error::InvalidArgument`](crate::Error::InvalidArgument) for any other number; the chains are then
    /// unchanged.
    ///
    /// **Panics** if the length differs or the machine has no such layer.
    #[track_caller]
    pub fn set_states(&mut self, layer: usize, states: &[T]) -> Result<()> {
        check_states("a state", states)?;
        self.chains.layers[layer].set(states);
        Ok(())
    }

    /// Sets the visible units that are on in `known` to their states in `values`. Both are packed by [`pack_states`]
    /// from (chains, visible).
    ///
    /// **Panics** if `known` or `values` does not have as many words as the visible layer.
    ///
    /// [`pack_states`]: equilibria_kernels::binary::pack_states
    #[track_caller]
    pub fn clamp_visible(&mut self, known: &[u64], values: &[u64]) {
        let words = self.chains.layers[0].states.len();
        assert!(
            known.len() == words && values.len() == words,
            "{} and {} words of {words}",
            known.len(),
            values.len()
        );
        self.chains.layers[0].clamp(known, values);
    }

    /// The probabilities P(unit = 1 | the neighbours' states) from which the states of a layer were last sampled
    /// (chains, units).
    ///
    /// **Panics** if the machine has no such layer.
    #[track_caller]
    pub fn probabilities(&self, layer: usize) -> Vec<T> {
        let mut probabilities = vec![T::ZERO; self.len() * self.model.biases[layer].len()];
        self.probabilities_into(layer, &mut probabilities);
        probabilities
    }

    /// Writes [`DbmChains::probabilities`] into `out`.
    ///
    /// **Panics** if `out` is shorter than (chains, units), or the machine has no such layer.
    #[track_caller]
    pub fn probabilities_into(&self, layer: usize, out: &mut [T]) {
        let len = self.len() * self.model.biases[layer].len();
        self.chains.layers[layer].unpack_probabilities(&mut out[..len]);
    }

    /// Samples all odd layers given the even ones.
    pub fn sample_odd(&mut self) {
        self.chains.sample_odd(&self.model);
    }

    /// Samples all even layers given the odd ones.
    pub fn sample_even(&mut self) {
        self.chains.sample_even(&self.model);
    }

    /// Takes `sweeps` sweeps: all odd layers, then all even ones. Each sweep leads from one image to the next; the even
    /// hidden layers belong to that image.
    pub fn walk(&mut self, sweeps: usize) {
        within(|| {
            for _ in 0..sweeps {
                self.sample_odd();
                self.sample_even();
            }
        });
    }
}
