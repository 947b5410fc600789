//! Joint training of all layers of a deep machine (Salakhutdinov & Hinton 2009).
//!
//! Training maximises the variational lower bound on the images' log-likelihood. Let mu_0 = v, and hold the mean-field
//! means mu_1 to mu_L of the hidden units fixed. The gradient of the bound is
//!
//! ```text
//! with respect to W_l:  mu_(l-1)' mu_l  -  E over the model [ h_(l-1)' h_l ]
//!                       positive phase     negative phase
//! with respect to b_l:  mu_l - E[h_l]
//! ```
//!
//! The expectation over the model is estimated from persistent chains, which take `sweeps` Gibbs sweeps per update. A
//! sweep samples the even layers given the odd ones and then the odd ones given the even ones. At the end of a sweep,
//! P(h_odd | h_even) is known for every odd layer and replaces the layer's state. Every matrix has one even and one odd
//! layer, and the estimate of
//!
//! ```text
//! E[h_even' h_odd]  =  E[h_even' P(h_odd | h_even)]
//! ```
//!
//! remains unbiased and has less variance. Probabilities for both layers would be wrong, because
//! P(v | h1)' P(h1 | v) does not have the mean of v' h1.
//!
//! One update, for a mini-batch of B images and C chains:
//!
//! ```text
//! velocity <- momentum velocity + rate (mu_(l-1)' mu_l / B  -  h_(l-1)' h_l / C  -  decay W_l)
//! W_l      <- W_l + velocity
//! ```
//!
//! In the positive phase v W_1 is a sum of rows, because v is bits, and it is the same in all mean-field iterations.
//! The other products of these iterations are dense, and so is mu_(l-1)' mu_l above the first layer. Everything else is
//! a sum of rows ([`equilibria_kernels::binary`]).
//!
//! In **centred** learning (Montavon & Müller 2012; Melchior, Fischer & Wiskott 2016), offsets are subtracted from the
//! units in the gradient. [`centring`](super::centring) derives it for two layers. Here each matrix uses the offsets of
//! its two layers, and the biases of a layer are corrected for the matrices below and above it. A centred machine can
//! be trained without pre-training.
//!
//! `tests/boltzmann/deep_learning.rs` compares the expected update with the gradient of the bound, by enumeration.

mod ascent;
mod buffers;
mod images;
mod norm;
pub mod pretraining;
pub mod reconstruction;
pub mod reference;

use super::gradient::Gradient;
use super::learner::{Rates, coins};
use crate::aligned::Aligned;
use crate::boltzmann::dbm::chains::DeepChains;
use crate::boltzmann::dbm::packed::PackedDbm;
#[cfg(test)]
use crate::boltzmann::layer::Layer;
use crate::boltzmann::packed::{pack_tiles, unpack_tiles};
use crate::boltzmann::{Convergence, Dbm, MeanField, Stop};
use crate::data::check_unit_interval;
use crate::rng::Stream;
use crate::tensor::{Element, Tensor, Workspace};
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use buffers::{DeepCentring, LayerGradient, Velocity};
use equilibria_kernels::binary::{PANEL, panels};
use images::Images;

/// A penalty that pulls the mean activation of each hidden unit over a mini-batch to a target: it subtracts
/// `cost * (mean - target)` from the gradient with respect to the unit's bias.
///
/// The activation of a unit is a probability.
///
/// **Source** Lee, Ekanadham & Ng 2008, "Sparse deep belief net model for visual area V2", which also updates the
/// biases only.
///
/// ```
/// use equilibria::boltzmann::{Dbm, learning::{DeepLearner, Sparsity}};
/// use equilibria::rng::Stream;
/// let stream = Stream::named(1, "init");
/// let learner = || DeepLearner::new(Dbm::<f32>::new(&[0.5; 4], &[3, 2], stream)?, 2, 2, 1, stream);
/// assert!(learner()?.with_sparsity(Sparsity { targets: vec![0.2, 0.1], cost: 0.1 }).is_ok());
/// assert!(learner()?.with_sparsity(Sparsity { targets: vec![0.2], cost: 0.1 }).is_err());
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Sparsity {
    /// The target of each hidden layer, the lowest first.
    pub targets: Vec<f64>,
    /// The weight of the penalty; multiplied by the learning rate.
    pub cost: f64,
}

/// A deep machine in training, with its velocity, its chains, and the buffers of an update.
///
/// [`Dbm::fit`] runs whole epochs. A learner gives full control: the caller chooses mini-batches and rates.
///
/// ```
/// use equilibria::boltzmann::Dbm;
/// use equilibria::boltzmann::learning::{DeepLearner, Rates};
/// use equilibria::rng::Stream;
///
/// let model = Dbm::<f32>::new(&[0.5; 4], &[3, 2], Stream::named(1, "init"))?;
/// let chains = Stream::named(1, "chain");
/// let mut learner = DeepLearner::new(model, 2, 10, 1, chains)?.centred();
/// for update in 0..20 {
///     learner.images_mut(2).copy_from_slice(&[1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
///     learner.update(Rates::default(), chains.substream(update))?;
/// }
/// assert!(learner.convergence().iterations > 0);
/// assert!(learner.model().sizes().eq([4, 3, 2]));
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct DeepLearner<T: Element> {
    sweeps: usize,
    stop: Stop,
    sparsity: Option<Sparsity>,
    max_norm: Option<f64>,
    /// The machine, for dense products.
    model: Dbm<T>,
    /// The machine, for sums of rows.
    packed: PackedDbm<T>,
    velocity: Velocity<T>,
    /// True if the last update had momentum. If not, the velocity counts as 0, and its buffers hold old values.
    has_velocity: bool,
    images: Images<T>,
    posterior: MeanField<T>,
    convergence: Convergence,
    chains: DeepChains<T>,
    /// For every even layer, the rows of the phases that each unit adds up.
    lists: Vec<Gradient<T>>,
    /// The gradients with respect to b_0 to b_L.
    gradients: Vec<LayerGradient<T>>,
    centring: Option<DeepCentring<T>>,
    /// mu of each odd layer (panels, images, 64).
    means: Vec<Aligned<T>>,
    /// The numbers that the gradient with respect to a matrix adds up, for each of its column panels.
    values: Aligned<T>,
    /// Partial sums of `values`, if the mini-batch is small.
    tables: Aligned<T>,
    /// Squared norms of a layer's incoming weights (panels, 64).
    norms: Vec<T>,
    workspace: Workspace<T>,
}

/// The quantities that change with every update, in the shapes of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct DeepLearnerState<T: Element> {
    /// Velocities of W_1 to W_L; 0 after an update without momentum.
    pub weight_velocity: Vec<Tensor<T>>,
    /// Velocities of b_0 to b_L; 0 after an update without momentum.
    pub bias_velocity: Vec<Tensor<T>>,
    /// States (chains, units) of the odd layers h_1, h_3, ...; the even layers are sampled from them.
    pub chains: Vec<Tensor<T>>,
    /// Offsets of all layers in centred learning; plain learning has none.
    pub offsets: Option<Vec<Tensor<T>>>,
}

impl<T: Element> DeepLearner<T> {
    /// Creates a learner for `model`, with mini-batches of up to `batch` images and `chains` persistent chains that
    /// take `sweeps` Gibbs sweeps per update.
    ///
    /// Each unit of the chains' odd layers starts at 1 with probability 0.5.
    ///
    /// **Randomness** One uniform number per unit of each chain: those of h_1 from `stream.substream(0)`, of h_3 from
    /// `stream.substream(1)` and so on, each with one substream per chain.
    ///
    /// **Errors** [`Error::InvalidArgument`] if `batch`, `chains` or `sweeps` is 0.
    pub fn new(model: Dbm<T>, batch: usize, chains: usize, sweeps: usize, stream: Stream) -> Result<Self> {
        if batch == 0 || chains == 0 || sweeps == 0 {
            let found = format!("a mini-batch of {batch} images, {chains} chains and {sweeps} Gibbs sweeps");
            return Err(Error::invalid(found, "at least 1 of each is needed"));
        }
        let sizes: Vec<usize> = model.sizes().collect();
        let packed = PackedDbm::new(&model);
        let mut walkers = DeepChains::new(&sizes, chains, stream).without_even_probabilities();
        for (place, (layer, &units)) in walkers.layers.iter_mut().zip(&sizes).skip(1).step_by(2).enumerate() {
            layer.set(&coins(chains, units, stream.substream(place as u64)));
        }
        let rows = batch.max(chains);
        let lists: Vec<Gradient<T>> =
            sizes.iter().step_by(2).map(|&units| Gradient::new(units, 0, rows)).collect();
        let odd = || sizes.iter().skip(1).step_by(2);
        let odd_panels = odd().map(|&units| panels(units)).max().unwrap_or(0);
        let largest = sizes.iter().map(|&units| panels(units)).max().unwrap_or(0);
        Ok(Self {
            sweeps,
            stop: Stop::default(),
            sparsity: None,
            max_norm: None,
            velocity: Velocity::new(&packed),
            has_velocity: false,
            images: Images::new(&sizes, batch),
            posterior: MeanField::new(&model, batch),
            convergence: Convergence { iterations: 0, change: f64::INFINITY },
            chains: walkers,
            tables: Aligned::zeros(odd_panels * lists[0].tables_len),
            lists,
            gradients: sizes.iter().map(|&units| LayerGradient::new(units)).collect(),
            centring: None,
            means: odd().map(|&units| Aligned::zeros(panels(units) * batch * PANEL)).collect(),
            values: Aligned::zeros(odd_panels * (batch + chains) * PANEL),
            norms: vec![T::ZERO; largest * PANEL],
            workspace: Workspace::new(),
            model,
            packed,
        })
    }

    /// Sets the stopping rule of the mean-field iterations.
    #[must_use]
    pub fn with_stop(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// Sets a sparsity penalty.
    ///
    /// **Errors** [`Error::InvalidArgument`] unless there is a target from 0 to 1 for each hidden layer, and the cost is a
    /// number of at least 0.
    pub fn with_sparsity(mut self, sparsity: Sparsity) -> Result<Self> {
        let (layers, Sparsity { targets, cost }) = (self.model.hidden_layers(), &sparsity);
        if targets.len() != layers {
            let found = format!("{} targets of sparsity", targets.len());
            return Err(Error::invalid(found, format!("one for each of {layers} hidden layers is needed")));
        }
        check_unit_interval("a target of sparsity", targets)?;
        if !(*cost >= 0.0 && cost.is_finite()) {
            return Err(Error::invalid(
                format!("cost of sparsity {cost}"),
                "it must be at least 0 and finite",
            ));
        }
        self.sparsity = Some(sparsity);
        Ok(self)
    }

    /// Limits the Euclidean norm of each hidden unit's weights from below to `most`: larger weight vectors are scaled
    /// down after each update. Biases are not changed, also in centred learning.
    ///
    /// **Errors** [`Error::InvalidArgument`] unless `most` is above 0.
    pub fn with_max_norm(mut self, most: f64) -> Result<Self> {
        if most.is_nan() || most <= 0.0 {
            return Err(Error::invalid(format!("max-norm {most}"), "it must be above 0"));
        }
        self.max_norm = Some(most);
        Ok(self)
    }

    /// Switches to centred learning: an offset that follows the unit's mean over the data is subtracted from each unit
    /// in the gradient. The visible offsets start at sigmoid(b_0), the hidden ones at 0.5.
    ///
    /// **Source** Montavon & Müller 2012; Melchior, Fischer & Wiskott 2016, "How to center deep Boltzmann machines".
    #[must_use]
    pub fn centred(mut self) -> Self {
        self.centring = Some(DeepCentring::new(&self.packed));
        self
    }

    /// The current machine.
    pub fn model(&self) -> &Dbm<T> {
        &self.model
    }

    /// The machine at the end of training.
    #[must_use]
    pub fn into_model(self) -> Dbm<T> {
        self.model
    }

    /// The outcome of the mean-field iterations of the last update.
    pub fn convergence(&self) -> Convergence {
        self.convergence
    }

    /// The buffer of the next mini-batch (images, visible), each unit in [0, 1], to fill before
    /// [`DeepLearner::update`].
    ///
    /// **Panics** if `images` is more than the `batch` of [`DeepLearner::new`].
    #[track_caller]
    pub fn images_mut(&mut self, images: usize) -> &mut [T] {
        self.images.numbers_mut(images)
    }

    /// The buffer of the next mini-batch as bits (panels, images), as [`BinaryImages::gather`] fills it. Bits beyond
    /// the last unit are ignored.
    ///
    /// **Panics** if `images` is more than the `batch` of [`DeepLearner::new`].
    ///
    /// [`BinaryImages::gather`]: crate::data::BinaryImages::gather
    #[track_caller]
    pub fn states_mut(&mut self, images: usize) -> &mut [u64] {
        self.images.states_mut(images)
    }

    /// Makes one update from the mini-batch in [`DeepLearner::images_mut`] or [`DeepLearner::states_mut`].
    ///
    /// **Errors** [`Error::InvalidArgument`] for a pixel outside [0, 1] or a rate out of range; the machine is then
    /// unchanged. [`Error::Diverged`] if a parameter is no longer finite.
    ///
    /// **Randomness** The chains draw from `stream`, which must be new for each update.
    ///
    /// **Accuracy and cost** Each matrix above the first takes two dense products per mean-field iteration and one for
    /// its gradient. Bit-identical for every number of threads. Repeated updates allocate nothing.
    pub fn update(&mut self, rates: Rates, stream: Stream) -> Result<()> {
        rates.validate()?;
        let Self { images, packed, model, posterior, chains, workspace, .. } = self;
        let are_binary = images.compute_logits(packed, model, workspace)?;
        self.convergence = posterior.infer_from_logits(model, images.logits(), self.stop)?;
        chains.invalidate();
        chains.draw_from(stream);
        for _ in 0..self.sweeps {
            chains.sample_even(packed);
            chains.sample_odd(packed);
        }
        match self.ascend(rates, are_binary) {
            true => Ok(()),
            false => Err(Error::not_finite(self.model.first_not_finite().as_deref().unwrap_or("weight"))),
        }
    }

    /// True if the padding is 0 in everything that the learner stores.
    #[cfg(test)]
    pub(super) fn has_zero_padding(&self) -> bool {
        let mut tiles = self.packed.weights.iter().zip(&self.velocity.weights);
        tiles.all(|(tiles, velocity)| tiles.has_zero_padding(velocity))
            && self.chains.layers.iter().all(Layer::has_zero_padding)
    }

    /// The state after the last update, to save beside [`DeepLearner::model`].
    pub fn state(&self) -> DeepLearnerState<T> {
        let tensor = |numbers: &[T]| {
            let mut tensor = Tensor::zeros(&[numbers.len()]);
            tensor.data_mut().copy_from_slice(numbers);
            tensor
        };
        let mut weight_velocity: Vec<Tensor<T>> =
            self.model.weights().iter().map(|weight| Tensor::zeros(weight.shape())).collect();
        let mut bias_velocity: Vec<Tensor<T>> =
            self.model.biases().iter().map(|bias| Tensor::zeros(bias.shape())).collect();
        if self.has_velocity {
            for (place, (tensor, velocity)) in
                weight_velocity.iter_mut().zip(&self.velocity.weights).enumerate()
            {
                let tiles = &self.packed.weights[place];
                let mut matrix = vec![T::ZERO; tensor.len()];
                unpack_tiles(velocity, tiles.columns, &mut matrix);
                oriented(place, [tiles.rows, tiles.columns], &matrix, tensor.data_mut());
            }
            for (tensor, velocity) in bias_velocity.iter_mut().zip(&self.velocity.biases) {
                tensor.data_mut().copy_from_slice(velocity);
            }
        }
        let odd = self.chains.layers.iter().zip(&self.packed.biases).skip(1).step_by(2);
        let chains = odd.map(|(layer, bias)| {
            let mut states = Tensor::zeros(&[layer.rows(), bias.len()]);
            layer.unpack(states.data_mut());
            states
        });
        let offsets = self
            .centring
            .as_ref()
            .map(|centring| centring.offsets.iter().map(|offsets| tensor(offsets)).collect());
        DeepLearnerState { weight_velocity, bias_velocity, chains: chains.collect(), offsets }
    }

    /// Continues from `model` and `state`, whose shapes must be those of this learner.
    ///
    /// **Panics** if the shapes differ.
    #[track_caller]
    pub fn restore(&mut self, model: &Dbm<T>, state: &DeepLearnerState<T>) {
        assert!(
            model.sizes().eq(self.model.sizes()),
            "the sizes of the machine differ from those of the learner"
        );
        self.model = model.clone();
        self.packed.read(model);
        self.has_velocity = true;
        for (place, (velocity, tensor)) in
            self.velocity.weights.iter_mut().zip(&state.weight_velocity).enumerate()
        {
            let tiles = &self.packed.weights[place];
            let mut matrix = vec![T::ZERO; tensor.len()];
            // The source of this transposition has the other orientation.
            oriented(place, [tiles.columns, tiles.rows], tensor.data(), &mut matrix);
            pack_tiles(&matrix, tiles.columns, velocity);
        }
        for (velocity, tensor) in self.velocity.biases.iter_mut().zip(&state.bias_velocity) {
            velocity.copy_from_slice(tensor.data());
        }
        for (layer, states) in self.chains.layers.iter_mut().skip(1).step_by(2).zip(&state.chains) {
            layer.set(states.data());
        }
        if let (Some(centring), Some(offsets)) = (&mut self.centring, &state.offsets) {
            for (place, offsets) in centring.offsets.iter_mut().zip(offsets) {
                place.copy_from_slice(offsets.data());
            }
        }
    }
}

/// Copies `from` (rows, columns) to `to`. Transposes it if the columns of the tiles of matrix `place` belong to the
/// layer below.
fn oriented<T: Element>(place: usize, [rows, columns]: [usize; 2], from: &[T], to: &mut [T]) {
    if place.is_multiple_of(2) {
        to.copy_from_slice(from);
        return;
    }
    for (i, row) in from.chunks_exact(columns).enumerate() {
        for (j, &x) in row.iter().enumerate() {
            to[j * rows + i] = x;
        }
    }
}
