//! Contrastive divergence (Hinton 2002) and persistent contrastive divergence (Tieleman 2008).
//!
//! The log-likelihood of an image has the gradient
//!
//! ```text
//! d ln P(v0) / dW = v0' P(h | v0)  -  E over the model [ v' P(h | v) ]
//!                   positive phase    negative phase
//! ```
//!
//! and likewise `v0 - E[v]` with respect to b and `P(h | v0) - E[P(h | v)]` with respect to c. The expectation over
//! the model is estimated from Gibbs chains after `steps` steps. **CD** starts the chains at the images of the
//! mini-batch, **PCD** at their states after the last update.
//!
//! Hidden units are treated as in Hinton's guide (2012, section 3): their states are sampled wherever they drive the
//! visible units. The gradient uses their probabilities instead, for the data and for the last step of the chains.
//!
//! One update, for a mini-batch of B images and C chains:
//!
//! ```text
//! velocity <- momentum * velocity + rate * (v0' p0 / B  -  vk' pk / C  -  decay * W)
//! W        <- W + velocity
//! ```
//!
//! After an update without momentum the velocity is 0 and need not be stored.
//!
//! States are bits, so every product is a sum of rows ([`equilibria_kernels::binary`]). Contrastive divergence needs
//! fewer additions, because its chains start at the data. Only the pixels that flipped between v0 and vk are added,
//! both to the sums of the hidden units and to the gradient,
//!
//! ```text
//! v0' p0 - vk' pk  =  v0' (p0 - pk)  -  (vk - v0)' pk
//! ```
//!
//! Grey images take dense products in the positive phase. [`centring`](super::centring) derives centred learning.
//! `tests/boltzmann.rs` checks both phases, and that the expected update approaches the exact gradient as `steps`
//! grows.

mod state;

pub use state::LearnerState;

use super::NegativePhase;
use super::centring::{Centring, TileOffsets};
use super::gradient::{Gradient, PhaseStates};
use super::tempering::{Swaps, Tempering};
use super::weights::{WeightPlaces, WeightStep};
use crate::aligned::Aligned;
use crate::boltzmann::Rbm;
use crate::boltzmann::gibbs::Chains;
use crate::boltzmann::layer::Logits;
use crate::boltzmann::packed::PackedRbm;
use crate::data::check_unit_interval;
use crate::rng::Stream;
use crate::tensor::{Element, Workspace};
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::binary::{PANEL, Step, TILE, panels};
use equilibria_kernels::{Epilogue, Level, MatrixMut, MatrixRef, elementwise, math, random, update};

/// The hyperparameters of one update.
///
/// ```
/// use equilibria::boltzmann::learning::Rates;
/// let rates = Rates { learning_rate: 0.01, ..Rates::default() };
/// assert!(rates.validate().is_ok());
/// assert!(Rates { momentum: f64::NAN, ..rates }.validate().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Multiplies the mean gradient of the mini-batch.
    pub learning_rate: f64,
    /// Fraction of the last update that is added again. The first update with momentum after one without starts from 0.
    pub momentum: f64,
    /// Pulls weights (not biases) towards 0; multiplied by the learning rate.
    pub weight_decay: f64,
}

/// A learning rate of 0.05, without momentum and weight decay.
impl Default for Rates {
    fn default() -> Self {
        Self { learning_rate: 0.05, momentum: 0.0, weight_decay: 0.0 }
    }
}

impl Rates {
    /// Checks the ranges of all numbers.
    ///
    /// **Errors** [`Error::InvalidArgument`], with the correct range, if a number is outside its range or NaN.
    pub fn validate(&self) -> Result<()> {
        let Self { learning_rate, momentum, weight_decay } = *self;
        for (name, value, most) in [
            ("learning rate", learning_rate, f64::INFINITY),
            ("momentum", momentum, 1.0),
            ("weight decay", weight_decay, f64::INFINITY),
        ] {
            if !(value >= 0.0 && value < most) {
                let limit = if most == 1.0 { "below 1" } else { "finite" };
                let expected = format!("it must be at least 0 and {limit}");
                return Err(Error::invalid(format!("{name} {value}"), expected));
            }
        }
        Ok(())
    }
}

/// A machine in training, with its velocity, its chains, and the buffers of an update.
///
/// [`Rbm::fit`] runs whole epochs. A learner gives full control: the caller chooses mini-batches and rates.
///
/// ```
/// use equilibria::boltzmann::Rbm;
/// use equilibria::boltzmann::learning::{Learner, NegativePhase, Rates};
/// use equilibria::rng::Stream;
///
/// let model = Rbm::<f32>::new(&[0.5; 4], 3, Stream::named(1, "init"))?;
/// let chains = Stream::named(1, "chain");
/// let mut learner = Learner::new(model, NegativePhase::Contrastive, 1, 2, chains)?;
/// for update in 0..100 {
///     learner.images_mut(2).copy_from_slice(&[1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
///     learner.update(Rates::default(), chains.substream(update))?;
/// }
/// assert_eq!(learner.model().visible(), 4);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Learner<T: Element> {
    steps: usize,
    /// The current machine.
    packed: PackedRbm<T>,
    /// Velocities of W (in tiles, as the weights), b and c; in centred learning, of the centred parameters.
    velocity: [Aligned<T>; 3],
    /// True if the last update had momentum. If not, the velocity counts as 0, and its buffers hold old values.
    has_velocity: bool,
    /// The mini-batch (images, visible), if it was set by [`Learner::images_mut`].
    images: Vec<T>,
    /// True if the mini-batch is already in `data` as bits.
    are_states: bool,
    /// The data and their hidden units. The chains of contrastive divergence continue from there.
    data: Chains<T>,
    /// Persistent chains; contrastive divergence has none.
    chains: Option<Chains<T>>,
    tempering: Option<Tempering<T>>,
    /// v0 as bits (panels, images).
    data_states: Vec<u64>,
    /// p0 (panels, images, 64).
    data_probabilities: Aligned<T>,
    gradient: Gradient<T>,
    centring: Option<Centring<T>>,
    /// The numbers that the gradient adds up: p0 and pk for each hidden panel (images + chains, 64).
    values: Aligned<T>,
    /// Partial sums of `values`, if the mini-batch is small.
    tables: Aligned<T>,
    workspace: Workspace<T>,
}

impl<T: Element> Learner<T> {
    /// Creates a learner for `model`, with mini-batches of up to `batch` images and `steps` Gibbs steps per update.
    ///
    /// There are `batch` persistent chains at each temperature. Each of their hidden units starts at 1 with probability
    /// 0.5.
    ///
    /// **Randomness** One uniform number per hidden unit of each chain, from `stream.substream(chain)`.
    ///
    /// **Errors** [`Error::InvalidArgument`] if `batch` or `steps` is 0, or if tempering has fewer than 2 temperatures.
    pub fn new(
        model: Rbm<T>,
        negative_phase: NegativePhase,
        steps: usize,
        batch: usize,
        stream: Stream,
    ) -> Result<Self> {
        if batch == 0 || steps == 0 {
            let found = format!("a mini-batch of {batch} images and {steps} Gibbs steps");
            return Err(Error::invalid(found, "at least 1 of each is needed"));
        }
        let packed = PackedRbm::new(&model);
        let (visible, hidden) = (model.visible(), model.hidden());
        let temperatures = negative_phase.temperatures();
        if matches!(negative_phase, NegativePhase::Tempered { temperatures: 0 | 1 }) {
            let found = format!("tempering with {temperatures} temperatures");
            return Err(Error::invalid(found, "at least 2 are needed"));
        }
        let chains = (negative_phase != NegativePhase::Contrastive).then(|| {
            let chains = Chains::new(&packed, temperatures * batch, stream);
            let mut chains = chains.without_visible_probabilities();
            chains.hidden.set(&coins(temperatures * batch, hidden, stream));
            chains
        });
        let gradient = Gradient::new(visible, hidden, batch);
        let tempering = (temperatures > 1).then(|| Tempering::new(&packed, temperatures, batch));
        Ok(Self {
            steps,
            velocity: [
                Aligned::zeros(packed.weight.forward.len()),
                Aligned::zeros(visible),
                Aligned::zeros(hidden),
            ],
            has_velocity: false,
            images: vec![T::ZERO; batch * visible],
            are_states: false,
            data: Chains::new(&packed, batch, stream).without_visible_probabilities(),
            chains,
            tempering,
            data_states: vec![0; panels(visible) * batch],
            data_probabilities: Aligned::zeros(panels(hidden) * batch * PANEL),
            tables: Aligned::zeros(panels(hidden) * gradient.tables_len),
            gradient,
            centring: None,
            values: Aligned::zeros(panels(hidden) * 2 * batch * PANEL),
            workspace: Workspace::new(),
            packed,
        })
    }

    /// Switches to centred learning: an offset that follows the unit's mean over the data is subtracted from each unit
    /// in the gradient. The visible offsets start at sigmoid(b), the hidden ones at 0.5.
    ///
    /// **Source** Melchior, Fischer & Wiskott 2016, "How to center deep Boltzmann machines".
    #[must_use]
    pub fn centred(mut self) -> Self {
        let mut offsets = self.packed.visible_bias.to_vec();
        math::sigmoid_in_place(Level::detect(), &mut offsets);
        self.centring = Some(Centring::new(&offsets, self.packed.hidden()));
        self
    }

    /// Multiplies the inputs of the hidden units by `up`, and the inputs of the visible units by `down`.
    ///
    /// This trains a machine that becomes a layer of a deep one ([`pretraining`](super::deep::pretraining)).
    ///
    /// **Errors** [`Error::InvalidArgument`] if the chains are tempered, or a factor is not finite.
    pub fn with_input_factors(mut self, [up, down]: [f64; 2]) -> Result<Self> {
        if self.tempering.is_some() || !up.is_finite() || !down.is_finite() {
            let found = format!("input factors {up} and {down}");
            return Err(Error::invalid(found, "they must be finite, and cannot be combined with tempering"));
        }
        let factors = [up, down].map(T::from_f64);
        self.data.factors = factors;
        if let Some(chains) = &mut self.chains {
            chains.factors = factors;
        }
        Ok(self)
    }

    /// A copy of the current machine.
    #[must_use]
    pub fn model(&self) -> Rbm<T> {
        self.packed.model()
    }

    /// The machine at the end of training.
    #[must_use]
    pub fn into_model(self) -> Rbm<T> {
        self.packed.model()
    }

    /// The buffer of the next mini-batch (images, visible), each number in [0, 1], to fill before [`Learner::update`].
    ///
    /// **Panics** if `images` is more than the `batch` of [`Learner::new`].
    #[track_caller]
    pub fn images_mut(&mut self, images: usize) -> &mut [T] {
        let visible = self.packed.visible();
        self.data.resize(images);
        self.are_states = false;
        &mut self.images[..images * visible]
    }

    /// The buffer of the next mini-batch as bits (panels, images), as [`BinaryImages::gather`] fills it. Bits beyond
    /// the last unit are ignored.
    ///
    /// **Panics** if `images` is more than the `batch` of [`Learner::new`].
    ///
    /// [`BinaryImages::gather`]: crate::data::BinaryImages::gather
    #[track_caller]
    pub fn states_mut(&mut self, images: usize) -> &mut [u64] {
        self.data.resize(images);
        self.are_states = true;
        &mut self.data.visible.states
    }

    /// Makes one update from the mini-batch in [`Learner::images_mut`] or [`Learner::states_mut`].
    ///
    /// **Errors** [`Error::InvalidArgument`] for a pixel outside [0, 1] or a rate out of range; the machine is then
    /// unchanged. [`Error::Diverged`] if a parameter is no longer finite.
    ///
    /// **Randomness** Substreams of `stream`, which must be new for each update: substream 0 for the data's hidden
    /// units, substream 1 for the chains.
    pub fn update(&mut self, rates: Rates, stream: Stream) -> Result<()> {
        rates.validate()?;
        let are_binary = self.positive_phase(stream.substream(0))?;
        self.negative_phase(stream.substream(1), are_binary);
        match self.ascend(rates, are_binary) {
            true => Ok(()),
            false => Err(Error::not_finite(self.model().first_not_finite().unwrap_or("weight"))),
        }
    }

    /// Computes p0 = P(h | v0) and samples states from it. Returns true if v0 is binary.
    fn positive_phase(&mut self, stream: Stream) -> Result<bool> {
        let Self { packed, data, images, workspace, .. } = self;
        let (visible, rows) = (packed.visible(), data.visible.rows());
        let images = &images[..rows * visible];
        data.draw_from(stream);
        data.invalidate();
        let are_binary = self.are_states || data.visible.set(images);
        if !are_binary {
            check_unit_interval("a pixel", images)?;
        }
        if are_binary {
            data.visible.clear_padding();
            data.sample_hidden(packed);
        } else {
            let v = MatrixRef::new(images, rows, visible);
            for q in 0..panels(packed.hidden()) {
                let tiles = &packed.weight.forward[q * panels(visible) * TILE..];
                let w = MatrixRef::with_strides(tiles, visible, PANEL, PANEL, 1);
                let sums = &mut data.hidden.sums[q * rows * PANEL..][..rows * PANEL];
                let sums = MatrixMut::new(sums, rows, PANEL);
                workspace.gemm(T::ONE, v, w, T::ZERO, sums, Epilogue::NONE);
            }
            let stream = data.next_stream();
            let logits = Logits { scales: &[data.factors[0]], bias: &packed.hidden_bias };
            data.hidden.sample(logits, stream);
        }
        let (words, len) = (data.visible.states.len(), data.hidden.probabilities.len());
        self.data_states[..words].copy_from_slice(&data.visible.states);
        // The chains overwrite all probabilities when they sample next.
        core::mem::swap(&mut self.data_probabilities, &mut data.hidden.probabilities);
        data.hidden.probabilities.set_len(len);
        Ok(are_binary)
    }

    /// Computes vk and pk by `steps` Gibbs steps from the start of the chains.
    fn negative_phase(&mut self, stream: Stream, are_binary: bool) {
        let Self { packed, data, chains, tempering, .. } = self;
        let chains = if let Some(chains) = chains {
            chains.invalidate();
            chains
        } else {
            if !are_binary {
                // The stored sums of the hidden units belong to the grey images, not to states.
                data.up.invalidate();
            }
            data
        };
        chains.draw_from(stream);
        if let Some(tempering) = tempering {
            tempering.follow(packed);
            return (0..self.steps).for_each(|_| tempering.step(chains, packed));
        }
        for _ in 0..self.steps {
            chains.sample_visible(packed);
            chains.sample_hidden(packed);
        }
    }

    /// Updates all parameters. Returns true if they are finite.
    fn ascend(&mut self, rates: Rates, are_binary: bool) -> bool {
        let temperatures = self.temperatures();
        let momentum = T::from_f64(rates.momentum);
        let has_momentum = momentum != T::ZERO;
        if has_momentum && !self.has_velocity {
            self.velocity.iter_mut().for_each(|velocity| velocity.fill(T::ZERO));
        }
        self.has_velocity = has_momentum;
        let Self { packed, velocity, images, data, chains, gradient, centring, workspace, .. } = self;
        let (visible, hidden) = (packed.visible(), packed.hidden());
        let walkers = chains.as_ref().unwrap_or(data);
        let (rows, walker_rows) = (data.visible.rows(), walkers.visible.rows() / temperatures);
        let factor = |rows: usize| T::from_f64(rates.learning_rate / rows as f64);
        let in_parallel = (rows + walker_rows) * panels(visible) * panels(hidden) >= PARALLEL_FROM;
        // Chains that start at the data differ from them in few pixels.
        let differ = are_binary && chains.is_none() && gradient.tables_len == 0;
        let states = if are_binary { &self.data_states[..panels(visible) * rows] } else { &[] };
        let positive = PhaseStates { states, stride: rows, rows, factor: factor(rows) };
        let negative = PhaseStates {
            states: &walkers.visible.states,
            stride: walkers.visible.rows(),
            rows: walker_rows,
            factor: -factor(walker_rows),
        };
        gradient.list(positive, negative, differ, in_parallel);

        let (p0, pk) = (&*self.data_probabilities, &*walkers.hidden.probabilities);
        let [weight_velocity, visible_velocity, hidden_velocity] = velocity;
        let grey = (!are_binary).then_some(&images[..rows * visible]);
        gradient.add_up(positive, negative, [p0, pk], grey);
        if let Some(centring) = centring {
            let [visible_means, hidden_means] = &gradient.means;
            centring.slide(visible_means, hidden_means);
        }
        for (velocity, gradient) in
            [(&mut *visible_velocity, &gradient.visible), (&mut *hidden_velocity, &gradient.hidden)]
        {
            let pairs = velocity.iter_mut().zip(gradient.iter());
            pairs.for_each(|(velocity, &g)| *velocity = momentum * *velocity + g);
        }
        let mut keep = momentum;
        if let Some(v0) = grey {
            let v0 = MatrixRef::new(v0, rows, visible).transposed();
            for q in 0..panels(hidden) {
                let p0 = MatrixRef::new(&p0[q * rows * PANEL..][..rows * PANEL], rows, PANEL);
                let tiles = &mut weight_velocity[q * panels(visible) * TILE..];
                let tiles = MatrixMut::with_strides(tiles, visible, PANEL, PANEL, 1);
                workspace.gemm(positive.factor, v0, p0, momentum, tiles, Epilogue::NONE);
            }
            keep = T::ONE;
        }

        let step = Step { momentum: keep, shrink: T::from_f64(rates.learning_rate * rates.weight_decay) };
        let phases = [(positive.rows, positive.factor), (negative.rows, negative.factor)];
        let are_finite = self.step_weights(step, phases, differ, in_parallel);
        self.step_biases() && are_finite
    }

    /// Updates velocity and weights of all tiles. With `differ`, the gradient adds up only the pixels that changed
    /// since the data. Returns true if all weights are finite.
    fn step_weights(
        &mut self,
        step: Step<T>,
        phases: [(usize, T); 2],
        differ: bool,
        in_parallel: bool,
    ) -> bool {
        let level = Level::detect();
        let Self { packed, velocity, data, chains, centring, values, tables, gradient, .. } = self;
        let walkers = chains.as_ref().unwrap_or(data);
        // The first replicas are those at the machine's own temperature.
        let stride = walkers.visible.rows();
        let [rows, walker_rows] = phases.map(|(rows, _)| rows);
        let (p0, pk) = (&*self.data_probabilities, &*walkers.hidden.probabilities);
        let (offsets, products) = match centring {
            Some(Centring { visible, hidden, products, .. }) => {
                let offsets = TileOffsets {
                    visible: visible.panels(),
                    hidden: hidden.panels(),
                    visible_gradient: gradient.visible.panels(),
                    hidden_gradient: gradient.hidden.panels(),
                };
                (Some(offsets), &mut **products)
            }
            None => (None, &mut [][..]),
        };
        let velocity = &mut velocity[0];
        let places = WeightPlaces { tiles: &mut packed.weight, velocity, values, tables, products };
        let step = WeightStep { gradient, phases, step, offsets, in_parallel };
        step.run(places, &|q, values| {
            let (first, second) = values.split_at_mut(rows * PANEL);
            first.copy_from_slice(&p0[q * rows * PANEL..][..rows * PANEL]);
            second.copy_from_slice(&pk[q * stride * PANEL..][..walker_rows * PANEL]);
            if differ {
                elementwise::sub_in_place(level, first, second);
            }
        })
    }

    /// Updates the biases, after the weights. Returns true if they are finite.
    fn step_biases(&mut self) -> bool {
        let Self {
            packed, velocity: [_, visible_velocity, hidden_velocity], gradient, centring, data, ..
        } = self;
        // The gradient is not needed any more: its buffer takes the steps of the plain biases.
        let (visible_step, hidden_step) = (&mut *gradient.visible, &mut *gradient.hidden);
        visible_step.copy_from_slice(visible_velocity);
        hidden_step.copy_from_slice(hidden_velocity);
        if let Some(centring) = centring {
            centring.uncentre(data.factors, visible_step, hidden_step);
        }
        let steps = [(visible_step, &mut packed.visible_bias), (hidden_step, &mut packed.hidden_bias)];
        steps.into_iter().fold(true, |are_finite, (step, bias)| {
            update::add_velocity(Level::detect(), T::ZERO, step, bias) && are_finite
        })
    }

    /// True if the padding is 0 in everything that the learner stores.
    #[cfg(test)]
    pub(super) fn has_zero_padding(&self) -> bool {
        let walkers = self.chains.as_ref().unwrap_or(&self.data);
        self.packed.weight.has_zero_padding(&self.velocity[0])
            && walkers.hidden.has_zero_padding()
            && walkers.visible.has_zero_padding()
    }

    fn temperatures(&self) -> usize {
        self.tempering.as_ref().map_or(1, Tempering::temperatures)
    }

    /// Swap counts since [`Learner::forget_swaps`], between each temperature and the next; empty without tempering.
    pub fn swaps(&self) -> &[Swaps] {
        self.tempering.as_ref().map_or(&[], |tempering| &tempering.swaps)
    }

    /// Resets the swap counts to 0.
    pub fn forget_swaps(&mut self) {
        if let Some(tempering) = &mut self.tempering {
            tempering.swaps.fill(Swaps::default());
        }
    }
}

/// Number of tiles times rows from which a second thread is worth starting.
pub(super) const PARALLEL_FROM: usize = 4000;

/// Samples hidden states (chains, hidden), each 1 with probability 0.5.
pub(super) fn coins<T: Element>(chains: usize, hidden: usize, stream: Stream) -> Vec<T> {
    let mut states = vec![T::ZERO; chains * hidden];
    let half = vec![T::from_f64(0.5); hidden];
    for (chain, states) in states.chunks_exact_mut(hidden).enumerate() {
        let mut generator = stream.substream(chain as u64).bulk();
        random::bernoulli_from_probabilities(Level::detect(), &mut generator, &half, states);
    }
    states
}
