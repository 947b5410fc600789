//! The deep Boltzmann machine (Salakhutdinov & Hinton 2009).
//!
//! The visible units are v = h0, the hidden layers h1, ..., hL, with L at least 2. All units are 0 or 1. Only
//! neighbouring layers are connected; W_l connects h_(l-1) and h_l:
//!
//! ```text
//! energy          E(h0, ..., hL) = - sum over l of b_l h_l  -  sum over l >= 1 of h_(l-1) W_l h_l
//! probability     P(h0, ..., hL) = exp(- E) / Z
//! ```
//!
//! Given its neighbours, the units of a layer are independent. All even layers can therefore be sampled at once given
//! the odd ones, and vice versa:
//!
//! ```text
//! P(h_l,j = 1 | the rest) = sigmoid((b_l + h_(l-1) W_l + W_(l+1) h_(l+1))_j)
//! ```
//!
//! The visible layer and the last layer have one neighbour, and one term less.

pub(crate) mod chains;
pub mod mean_field;
pub(crate) mod packed;

pub use chains::DbmChains;
#[doc(inline)]
pub use mean_field::{Convergence, MeanField, Stop};

use crate::boltzmann::rbm::bias_of_mean;
use crate::data::check_unit_interval;
use crate::rng::Stream;
use crate::tensor::{Element, Tensor};
use crate::{Error, Result};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use equilibria_kernels::{Level, elementwise, random, reduce};

/// Parameters of a deep Boltzmann machine.
///
/// ```
/// use equilibria::boltzmann::Dbm;
/// use equilibria::rng::Stream;
/// let model = Dbm::<f64>::new(&[0.5; 6], &[4, 2], Stream::named(1, "init"))?;
/// assert!(model.sizes().eq([6, 4, 2]));
/// // With all units off, the energy is 0.
/// assert_eq!(model.energy(&[&[0.0; 6], &[0.0; 4], &[0.0; 2]]), 0.0);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Dbm<T: Element> {
    /// W_1 to W_L.
    weights: Vec<Tensor<T>>,
    /// b_0 (visible) to b_L.
    biases: Vec<Tensor<T>>,
}

/// Standard deviation of the initial weights, the same as for an [`Rbm`](super::Rbm).
const INITIAL_WEIGHT: f64 = 0.01;

impl<T: Element> Dbm<T> {
    /// Initialises a machine: small normal weights, visible biases that give each unit its mean in the data, hidden
    /// biases 0.
    ///
    /// **Shapes** `visible_mean` (visible), each in [0, 1]; `hidden`: the number of units of each hidden layer, the
    /// lowest first.
    ///
    /// **Errors** [`Error::InvalidArgument`] if there are fewer than 2 hidden layers, a layer is empty, or
    /// a mean is outside [0, 1].
    ///
    /// **Randomness** One normal number per weight; W_l draws from `stream.substream(l - 1)`.
    pub fn new(visible_mean: &[f32], hidden: &[usize], stream: Stream) -> Result<Self> {
        let sizes: Vec<usize> = [visible_mean.len()].into_iter().chain(hidden.iter().copied()).collect();
        check_sizes(&sizes)?;
        check_unit_interval("a mean", visible_mean)?;
        let level = Level::detect();
        let weights = sizes.windows(2).enumerate().map(|(l, sizes)| {
            let mut weight = Tensor::zeros(sizes);
            random::fill_normal(level, &mut stream.substream(l as u64).bulk(), weight.data_mut());
            elementwise::scale_in_place(level, T::from_f64(INITIAL_WEIGHT), weight.data_mut());
            weight
        });
        let weights = weights.collect();
        let mut biases: Vec<Tensor<T>> = sizes.iter().map(|&size| Tensor::zeros(&[size])).collect();
        for (bias, &mean) in biases[0].data_mut().iter_mut().zip(visible_mean) {
            *bias = bias_of_mean(mean);
        }
        Ok(Self { weights, biases })
    }

    /// Creates a machine from its parameters.
    ///
    /// **Shapes** `weights` (units of layer l - 1, units of layer l) for l = 1 to L; `biases` (units) for each layer,
    /// the visible one first.
    ///
    /// **Errors** [`Error::ShapeMismatch`]; [`Error::InvalidArgument`] if there are fewer than 2 hidden layers, a layer
    /// is empty, or a parameter is not finite.
    pub fn from_parameters(weights: Vec<Tensor<T>>, biases: Vec<Tensor<T>>) -> Result<Self> {
        let sizes: Vec<usize> = biases.iter().map(Tensor::len).collect();
        check_sizes(&sizes)?;
        if weights.len() + 1 != biases.len() {
            let problem = format!("{} matrices of weights and {} biases", weights.len(), biases.len());
            return Err(Error::invalid(
                problem,
                "one matrix between each pair of neighbouring layers is needed",
            ));
        }
        let shape_mismatch = |operation, expected: &[usize], found: &[usize]| {
            Err(Error::ShapeMismatch { operation, expected: expected.to_vec(), found: found.to_vec() })
        };
        for (weight, sizes) in weights.iter().zip(sizes.windows(2)) {
            if weight.shape() != sizes {
                return shape_mismatch("weights of a deep Boltzmann machine", sizes, weight.shape());
            }
        }
        for bias in &biases {
            if bias.shape() != [bias.len()] {
                return shape_mismatch("biases of a deep Boltzmann machine", &[bias.len()], bias.shape());
            }
        }
        let machine = Self { weights, biases };
        match machine.first_not_finite() {
            None => Ok(machine),
            Some(name) => Err(Error::invalid(name, "every parameter must be finite")),
        }
    }

    /// The number of units of each layer, the visible one first.
    pub fn sizes(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.biases.iter().map(Tensor::len)
    }

    /// The number of hidden layers, L.
    pub fn hidden_layers(&self) -> usize {
        self.weights.len()
    }

    /// The number of visible units.
    pub fn visible(&self) -> usize {
        self.biases[0].len()
    }

    /// W_1 to W_L, each of shape (units of layer l - 1, units of layer l).
    pub fn weights(&self) -> &[Tensor<T>] {
        &self.weights
    }

    /// The biases b_0 (visible) to b_L.
    pub fn biases(&self) -> &[Tensor<T>] {
        &self.biases
    }

    /// Mutable weights and biases. The caller must keep them finite.
    pub(crate) fn parameters_mut(&mut self) -> (&mut [Tensor<T>], &mut [Tensor<T>]) {
        (&mut self.weights, &mut self.biases)
    }

    /// The name of the first parameter that holds NaN or infinity, if any does.
    pub fn first_not_finite(&self) -> Option<String> {
        let named = |name: fn(usize) -> String, first: usize, tensors: &[Tensor<T>]| {
            let is_bad = |tensor: &Tensor<T>| !elementwise::is_finite(Level::detect(), tensor.data());
            tensors.iter().position(is_bad).map(|place| name(place + first))
        };
        named(weight_name, 1, &self.weights).or_else(|| named(bias_name, 0, &self.biases))
    }

    /// The energy E of one state of all layers.
    ///
    /// **Shapes** `layers`: L + 1 slices, each of shape (units).
    ///
    /// **Units** nats.
    ///
    /// **Panics** if the lengths do not fit.
    ///
    /// **Accuracy and cost** Sums in f64; two operations per weight. Meant for tests and small machines.
    #[track_caller]
    pub fn energy(&self, layers: &[&[T]]) -> f64 {
        assert!(layers.len() == self.biases.len(), "{} layers of {}", layers.len(), self.biases.len());
        let level = Level::detect();
        let mut energy = 0.0;
        for (bias, units) in self.biases.iter().zip(layers) {
            energy -= reduce::dot(level, bias.data(), units).to_f64();
        }
        for (weight, pair) in self.weights.iter().zip(layers.windows(2)) {
            let (below, above) = (pair[0], pair[1]);
            for (&unit, weights) in below.iter().zip(weight.data().chunks_exact(above.len())) {
                energy -= unit.to_f64() * reduce::dot(level, weights, above).to_f64();
            }
        }
        energy
    }
}

/// `weight_1` to `weight_L`.
fn weight_name(l: usize) -> String {
    format!("weight_{l}")
}

/// `bias_0` (visible) to `bias_L`.
fn bias_name(l: usize) -> String {
    format!("bias_{l}")
}

fn check_sizes(sizes: &[usize]) -> Result<()> {
    if sizes.len() < 3 {
        let problem = format!("{} hidden layers", sizes.len().saturating_sub(1));
        return Err(Error::invalid(problem, "a deep machine has at least 2; with 1 it is a restricted one"));
    }
    match sizes.iter().position(|&size| size == 0) {
        None => Ok(()),
        Some(layer) => Err(Error::invalid(
            format!("an empty layer {layer}"),
            "a machine needs at least 1 unit in each layer",
        )),
    }
}

#[cfg(feature = "checkpoint")]
impl Dbm<f32> {
    /// The model kind in the metadata of a file.
    const KIND: &'static str = "dbm";

    /// Stores the machine as tensors `weight_1` to `weight_L` (units below, units above) and `bias_0` to `bias_L`.
    ///
    /// **Errors** None in practice: names and shapes are valid by construction.
    pub fn to_archive(&self) -> Result<crate::checkpoint::Archive> {
        let mut archive = crate::checkpoint::Archive::new();
        archive.set_metadata("model", Self::KIND);
        let sizes: Vec<String> = self.sizes().map(|size| format!("{size}")).collect();
        archive.set_metadata("sizes", &sizes.join("-"));
        for (l, weight) in self.weights.iter().enumerate() {
            archive.insert_f32(&weight_name(l + 1), weight.shape(), weight.data())?;
        }
        for (l, bias) in self.biases.iter().enumerate() {
            archive.insert_f32(&bias_name(l), bias.shape(), bias.data())?;
        }
        Ok(archive)
    }

    /// Loads a machine from tensors of f32 or 16-bit floats. Metadata is optional, so files from other programs load
    /// too.
    ///
    /// **Errors** [`Error::Malformed`] if a tensor is missing, not finite, or of another shape or type, if neighbouring
    /// layers do not match, or if the metadata name another kind of model.
    pub fn from_archive(archive: &crate::checkpoint::Archive) -> Result<Self> {
        let malformed = |problem: String| Error::malformed(archive.place(), 8, problem);
        if let Some(kind) = archive.metadata("model").filter(|&kind| kind != Self::KIND) {
            return Err(malformed(format!(
                "this is a model of kind '{kind}'; a deep Boltzmann machine is needed"
            )));
        }
        // Count every `weight_*` tensor: a gap in the numbering is then reported as a missing tensor.
        let is_weight =
            |name: &&str| name.strip_prefix("weight_").is_some_and(|l| l.parse::<usize>().is_ok());
        let layers = archive.names().filter(is_weight).count();
        let mut sizes = [archive.shape(&bias_name(0))?.iter().product()].to_vec();
        let mut weights = Vec::new();
        for l in 1..=layers {
            let name = weight_name(l);
            let &[below, above] = archive.shape(&name)? else {
                return Err(malformed(format!(
                    "tensor '{name}' must have two axes (units below, units above)"
                )));
            };
            if below != sizes[l - 1] {
                let problem =
                    format!("'{name}' has {below} units below, but layer {} has {}", l - 1, sizes[l - 1]);
                return Err(malformed(problem));
            }
            sizes.push(above);
            weights.push(Tensor::from_vec(
                &[below, above],
                archive.finite_f32(&name, &[below, above])?.to_vec(),
            )?);
        }
        let bias = |(l, &size): (usize, &usize)| {
            Tensor::from_vec(&[size], archive.finite_f32(&bias_name(l), &[size])?.to_vec())
        };
        let biases = sizes.iter().enumerate().map(bias).collect::<Result<_>>()?;
        Self::from_parameters(weights, biases).map_err(|error| malformed(format!("{error}")))
    }
}
