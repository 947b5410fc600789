//! The binary restricted Boltzmann machine (Smolensky 1986; Hinton 2002).
//!
//! Visible units v and hidden units h are 0 or 1. Units of the same layer are not connected:
//!
//! ```text
//! energy          E(v, h) = - b v - c h - v W h
//! probability     P(v, h) = exp(- E(v, h)) / Z,   Z = sum over all v, h of exp(- E(v, h))
//! ```
//!
//! Given one layer, the units of the other are independent:
//!
//! ```text
//! P(h_j = 1 | v) = sigmoid(c_j + (v W)_j)
//! P(v_i = 1 | h) = sigmoid(b_i + (W h)_i)
//! ```
//!
//! and the hidden units can be summed out, which gives the free energy:
//!
//! ```text
//! P(v) = exp(- F(v)) / Z,   F(v) = - b v - sum over j of softplus(c_j + (v W)_j)
//! ```
//!
//! `tests/boltzmann.rs` checks each of these against enumeration.

use crate::data::check_unit_interval;
use crate::rng::Stream;
use crate::tensor::{Element, Tensor, Workspace};
use crate::{Error, Result};
use alloc::vec::Vec;
use equilibria_kernels::{Activation, Epilogue, Level, MatrixMut, MatrixRef, math, random, reduce};

/// Parameters of a binary restricted Boltzmann machine.
///
/// ```
/// use equilibria::boltzmann::Rbm;
/// use equilibria::rng::Stream;
/// use equilibria::tensor::Workspace;
/// let model = Rbm::<f32>::new(&[0.5, 0.5, 0.9], 2, Stream::named(1, "init"))?;
/// let mut probabilities = [0.0; 2];
/// model.hidden_probabilities(&[1.0, 0.0, 1.0], &mut probabilities, &mut Workspace::new());
/// assert!(probabilities.iter().all(|p| (p - 0.5).abs() < 0.1), "an untrained machine knows nothing");
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Rbm<T: Element> {
    weight: Tensor<T>,
    visible_bias: Tensor<T>,
    hidden_bias: Tensor<T>,
}

/// Standard deviation of the initial weights (Hinton 2012, section 8).
const INITIAL_WEIGHT: f64 = 0.01;

/// Smallest distance of a unit's mean from 0 and 1, so that the bias of a constant unit is finite.
const SMALLEST_MEAN: f64 = 1e-3;

impl<T: Element> Rbm<T> {
    /// Initialises a machine after Hinton 2012, section 8: small normal weights, visible biases that give each unit its
    /// mean in the data, hidden biases 0.
    ///
    /// **Shapes** `visible_mean` (visible), each in [0, 1].
    ///
    /// **Errors** [`Error::InvalidArgument`] if there are no visible or no hidden units, or if a mean is
    /// outside [0, 1].
    ///
    /// **Randomness** One normal number per weight, from `stream`.
    pub fn new(visible_mean: &[f32], hidden: usize, stream: Stream) -> Result<Self> {
        let visible = visible_mean.len();
        if visible == 0 || hidden == 0 {
            return Err(Error::invalid(
                alloc::format!("{visible} visible and {hidden} hidden units"),
                "a machine needs at least 1 unit in each layer",
            ));
        }
        check_unit_interval("a mean", visible_mean)?;
        let mut weight = Tensor::zeros(&[visible, hidden]);
        random::fill_normal(Level::detect(), &mut stream.bulk(), weight.data_mut());
        equilibria_kernels::elementwise::scale_in_place(
            Level::detect(),
            T::from_f64(INITIAL_WEIGHT),
            weight.data_mut(),
        );
        let bias = visible_mean.iter().copied().map(bias_of_mean).collect();
        let visible_bias = Tensor::from_vec(&[visible], bias)?;
        Ok(Self { weight, visible_bias, hidden_bias: Tensor::zeros(&[hidden]) })
    }

    /// Creates a machine from its parameters.
    ///
    /// **Shapes** `weight` (visible, hidden), `visible_bias` (visible), `hidden_bias` (hidden).
    ///
    /// **Errors** [`Error::ShapeMismatch`]; [`Error::InvalidArgument`] if a layer is empty or a parameter is not
    /// finite.
    pub fn from_parameters(
        weight: Tensor<T>,
        visible_bias: Tensor<T>,
        hidden_bias: Tensor<T>,
    ) -> Result<Self> {
        let &[visible, hidden] = weight.shape() else {
            return Err(Error::ShapeMismatch {
                operation: "weights of a restricted Boltzmann machine",
                expected: [visible_bias.len(), hidden_bias.len()].to_vec(),
                found: weight.shape().to_vec(),
            });
        };
        for (operation, bias, size) in
            [("visible biases", &visible_bias, visible), ("hidden biases", &hidden_bias, hidden)]
        {
            if bias.shape() != [size] {
                let (expected, found) = ([size].to_vec(), bias.shape().to_vec());
                return Err(Error::ShapeMismatch { operation, expected, found });
            }
        }
        if visible == 0 || hidden == 0 {
            return Err(Error::invalid("an empty layer", "a machine needs at least 1 unit in each layer"));
        }
        let machine = Self { weight, visible_bias, hidden_bias };
        match machine.first_not_finite() {
            None => Ok(machine),
            Some(name) => Err(Error::invalid(name, "every parameter must be finite")),
        }
    }

    /// The number of visible units.
    pub fn visible(&self) -> usize {
        self.visible_bias.len()
    }

    /// The number of hidden units.
    pub fn hidden(&self) -> usize {
        self.hidden_bias.len()
    }

    /// The weights W (visible, hidden).
    pub fn weight(&self) -> &Tensor<T> {
        &self.weight
    }

    /// The visible biases b (visible).
    pub fn visible_bias(&self) -> &Tensor<T> {
        &self.visible_bias
    }

    /// The hidden biases c (hidden).
    pub fn hidden_bias(&self) -> &Tensor<T> {
        &self.hidden_bias
    }

    /// Mutable W, b and c. The caller must keep them finite.
    pub(crate) fn parameters_mut(&mut self) -> [&mut Tensor<T>; 3] {
        [&mut self.weight, &mut self.visible_bias, &mut self.hidden_bias]
    }

    /// A machine with W, b and c of matching shapes.
    pub(super) fn unchecked([weight, visible_bias, hidden_bias]: [Tensor<T>; 3]) -> Self {
        Self { weight, visible_bias, hidden_bias }
    }

    /// The name of the first parameter that holds NaN or infinity, if any does.
    pub fn first_not_finite(&self) -> Option<&'static str> {
        let finite =
            |tensor: &Tensor<T>| equilibria_kernels::elementwise::is_finite(Level::detect(), tensor.data());
        [("weight", &self.weight), ("visible_bias", &self.visible_bias), ("hidden_bias", &self.hidden_bias)]
            .into_iter()
            .find_map(|(name, tensor)| (!finite(tensor)).then_some(name))
    }

    /// Computes the logits c + v W of P(h = 1 | v).
    ///
    /// **Shapes** `visible` (rows, visible), `out` (rows, hidden).
    ///
    /// **Panics** if a length is not whole rows or the numbers of rows differ.
    #[track_caller]
    pub fn hidden_logits(&self, visible: &[T], out: &mut [T], workspace: &mut Workspace<T>) {
        self.hidden_given_visible(visible, out, Activation::Identity, workspace);
    }

    /// Computes P(h = 1 | v). Shapes and panics are those of [`Rbm::hidden_logits`].
    #[track_caller]
    pub fn hidden_probabilities(&self, visible: &[T], out: &mut [T], workspace: &mut Workspace<T>) {
        self.hidden_given_visible(visible, out, Activation::Sigmoid, workspace);
    }

    /// Computes P(v = 1 | h).
    ///
    /// **Shapes** `hidden` (rows, hidden), `out` (rows, visible).
    ///
    /// **Panics** if a length is not whole rows or the numbers of rows differ.
    #[track_caller]
    pub fn visible_probabilities(&self, hidden: &[T], out: &mut [T], workspace: &mut Workspace<T>) {
        let rows = rows(hidden.len(), self.hidden(), out.len(), self.visible());
        let weight = MatrixRef::new(self.weight.data(), self.visible(), self.hidden()).transposed();
        let epilogue = Epilogue { bias: Some(self.visible_bias.data()), activation: Activation::Sigmoid };
        let (hidden, out) =
            (MatrixRef::new(hidden, rows, self.hidden()), MatrixMut::new(out, rows, self.visible()));
        workspace.gemm(T::ONE, hidden, weight, T::ZERO, out, epilogue);
    }

    #[track_caller]
    fn hidden_given_visible(
        &self,
        visible: &[T],
        out: &mut [T],
        activation: Activation<T>,
        workspace: &mut Workspace<T>,
    ) {
        let rows = rows(visible.len(), self.visible(), out.len(), self.hidden());
        let weight = MatrixRef::new(self.weight.data(), self.visible(), self.hidden());
        let epilogue = Epilogue { bias: Some(self.hidden_bias.data()), activation };
        let (visible, out) =
            (MatrixRef::new(visible, rows, self.visible()), MatrixMut::new(out, rows, self.hidden()));
        workspace.gemm(T::ONE, visible, weight, T::ZERO, out, epilogue);
    }

    /// The free energy F(v) of each row.
    ///
    /// **Shapes** `visible` (rows, visible); returns (rows).
    ///
    /// **Units** nats.
    ///
    /// **Panics** if `visible` is not whole rows.
    #[track_caller]
    pub fn free_energies(&self, visible: &[T], workspace: &mut Workspace<T>) -> Vec<T> {
        let level = Level::detect();
        let rows = visible.len() / self.visible();
        let mut logits = alloc::vec![T::ZERO; rows * self.hidden()];
        self.hidden_logits(visible, &mut logits, workspace);
        let one = |(v, logits): (&[T], &mut [T])| {
            math::softplus_in_place(level, logits);
            -(reduce::dot(level, v, self.visible_bias.data()) + reduce::sum(level, logits))
        };
        visible.chunks_exact(self.visible()).zip(logits.chunks_exact_mut(self.hidden())).map(one).collect()
    }
}

/// The bias that gives a unit this mean while all units connected to it are off.
pub(super) fn bias_of_mean<T: Element>(mean: f32) -> T {
    let mean = f64::from(mean).clamp(SMALLEST_MEAN, 1.0 - SMALLEST_MEAN);
    T::from_f64(libm::log(mean / (1.0 - mean)))
}

/// The number of rows, which must be the same in both slices.
#[track_caller]
fn rows(from: usize, from_width: usize, to: usize, to_width: usize) -> usize {
    let rows = from / from_width;
    assert!(
        rows * from_width == from && rows * to_width == to,
        "{from} units in rows of {from_width} do not match {to} units in rows of {to_width}"
    );
    rows
}

#[cfg(feature = "checkpoint")]
impl Rbm<f32> {
    /// The model kind in the metadata of a file.
    const KIND: &'static str = "rbm";

    /// Stores the machine as tensors `weight` (visible, hidden), `visible_bias` and `hidden_bias`.
    ///
    /// **Errors** None in practice: names and shapes are valid by construction.
    pub fn to_archive(&self) -> Result<crate::checkpoint::Archive> {
        use alloc::string::ToString;
        let mut archive = crate::checkpoint::Archive::new();
        archive.set_metadata("model", Self::KIND);
        archive.set_metadata("visible", &self.visible().to_string());
        archive.set_metadata("hidden", &self.hidden().to_string());
        archive.insert_f32("weight", self.weight.shape(), self.weight.data())?;
        archive.insert_f32("visible_bias", self.visible_bias.shape(), self.visible_bias.data())?;
        archive.insert_f32("hidden_bias", self.hidden_bias.shape(), self.hidden_bias.data())?;
        Ok(archive)
    }

    /// Loads a machine from tensors of f32 or 16-bit floats. Metadata is optional, so files from other programs load
    /// too.
    ///
    /// **Errors** [`Error::Malformed`] if a tensor is missing, has another shape or type or is not finite, or if the
    /// metadata name another kind of model.
    pub fn from_archive(archive: &crate::checkpoint::Archive) -> Result<Self> {
        if let Some(kind) = archive.metadata("model").filter(|&kind| kind != Self::KIND) {
            let problem =
                alloc::format!("this is a model of kind '{kind}'; a restricted Boltzmann machine is needed");
            return Err(Error::malformed(archive.place(), 8, problem));
        }
        let &[visible, hidden] = archive.shape("weight")? else {
            let problem = "tensor 'weight' must have two axes (visible, hidden)";
            return Err(Error::malformed(archive.place(), 8, problem));
        };
        let tensor =
            |name: &str, shape: &[usize]| Tensor::from_vec(shape, archive.finite_f32(name, shape)?.to_vec());
        Self::from_parameters(
            tensor("weight", &[visible, hidden])?,
            tensor("visible_bias", &[visible])?,
            tensor("hidden_bias", &[hidden])?,
        )
        .map_err(|error| Error::malformed(archive.place(), 8, error))
    }
}
