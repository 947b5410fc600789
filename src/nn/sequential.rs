//! Layers one after another.
//!
//! An activation that follows another layer is applied by it, while a tile of the result is in cache: such a pair is one
//! *step*. With step l written as z = f(x), y = φ(z) and δ = ∂L/∂z,
//!
//! ```text
//! forward:  z_l = f_l(y_{l−1}),   y_l = φ_l(z_l),   y_0 the input
//! backward: δ_l = φ_l′(z_l) ⊙ f_{l+1}ᵀ′ δ_{l+1}
//! ```
//!
//! where φ′ is computed from y ([`equilibria_kernels::activation`]). [`Deltas`] keeps every δ.

mod backward;
mod between;
mod forward;
mod tangent;

pub use between::interpolate;

use super::layer::expect_width;
use super::passes::{Cache, Deltas, Gradients, Scratch, Tangents, Training, Wanted};
use super::{Initialisation, Layer};
use crate::rng::Stream;
use crate::tensor::{Activation, Element, Tensor};
use crate::{Error, Result};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

/// A network: layers one after another.
#[derive(Debug, Clone)]
pub struct Sequential<T: Element> {
    inputs: usize,
    layers: Vec<Layer<T>>,
    pub(super) steps: Vec<Step<T>>,
}

/// A layer with the activation that follows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<T> {
    layer: usize,
    activation: Activation<T>,
    outputs: usize,
    /// The layer's first parameter among all.
    first_parameter: usize,
}

impl<T: Element> Sequential<T> {
    /// A network whose input has `inputs` numbers a row. Without layers it passes its input on.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if a layer does not take what the one before it gives;
    /// [`Error::InvalidArgument`] if a setting of a layer is out of its range, a layer has no inputs or no outputs, or there
    /// are no inputs at all.
    pub fn new(inputs: usize, layers: Vec<Layer<T>>) -> Result<Self> {
        if inputs == 0 {
            return Err(Error::invalid("a network of 0 inputs", "at least 1 is needed"));
        }
        let mut steps: Vec<Step<T>> = Vec::new();
        let (mut width, mut parameters) = (inputs, 0);
        for (index, layer) in layers.iter().enumerate() {
            width = layer.outputs(width)?;
            if width == 0 {
                return Err(Error::invalid(
                    format!("layer {index}, {}, of {inputs} inputs", layer.kind()),
                    "a layer has at least 1 input and 1 output",
                ));
            }
            match (layer, steps.last_mut()) {
                // A step without an activation of its own takes it over.
                (Layer::Activation(activation), Some(step)) if layers[step.layer].takes_activation(step) => {
                    step.activation = *activation;
                }
                (Layer::Activation(activation), _) => steps.push(Step {
                    layer: index,
                    activation: *activation,
                    outputs: width,
                    first_parameter: parameters,
                }),
                _ => steps.push(Step {
                    layer: index,
                    activation: Activation::Identity,
                    outputs: width,
                    first_parameter: parameters,
                }),
            }
            parameters += layer.parameters().count();
        }
        Ok(Self { inputs, layers, steps })
    }

    /// The numbers in a row of the input.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The numbers in a row of the output.
    pub fn outputs(&self) -> usize {
        self.steps.last().map_or(self.inputs, |step| step.outputs)
    }

    /// The layers.
    pub fn layers(&self) -> &[Layer<T>] {
        &self.layers
    }

    /// What is learned, in the order of the checkpoint.
    pub fn parameters(&self) -> impl Iterator<Item = &Tensor<T>> {
        self.layers.iter().flat_map(Layer::parameters)
    }

    /// As [`Sequential::parameters`], writable.
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Tensor<T>> {
        self.layers.iter_mut().flat_map(Layer::parameters_mut)
    }

    /// What is kept beside what is learned: running statistics.
    pub fn statistics(&self) -> impl Iterator<Item = &Tensor<T>> {
        self.layers.iter().flat_map(Layer::statistics)
    }

    /// As [`Sequential::statistics`], writable.
    pub fn statistics_mut(&mut self) -> impl Iterator<Item = &mut Tensor<T>> {
        self.layers.iter_mut().flat_map(Layer::statistics_mut)
    }

    /// Everything that a checkpoint holds: parameters, running statistics after those of their layer, each by the name that
    /// PyTorch's `nn.Sequential` of the same layers gives it, for instance `2.running_mean`.
    pub fn state(&self) -> impl Iterator<Item = (String, &Tensor<T>)> {
        let layers = self.layers.iter().enumerate();
        layers.flat_map(|(l, layer)| layer.state().map(move |(name, tensor)| (format!("{l}.{name}"), tensor)))
    }

    /// As [`Sequential::state`], writable.
    pub fn state_mut(&mut self) -> impl Iterator<Item = (String, &mut Tensor<T>)> {
        let layers = self.layers.iter_mut().enumerate();
        layers.flat_map(|(l, layer)| {
            layer.state_mut().map(move |(name, tensor)| (format!("{l}.{name}"), tensor))
        })
    }

    /// Draws every parameter anew.
    ///
    /// **Randomness** `stream` is usually the run's `init`; layer l takes `stream.substream(l)`.
    pub fn initialise(&mut self, initialisation: Initialisation, stream: Stream) {
        for (layer, index) in self.layers.iter_mut().zip(0..) {
            layer.initialise(initialisation, stream.substream(index));
        }
    }

    /// Of the input, then of each step's output.
    pub(super) fn widths(&self) -> Vec<usize> {
        core::iter::once(self.inputs).chain(self.steps.iter().map(|step| step.outputs)).collect()
    }

    /// `Ok` if `what`, made for a network of these widths, was made for one like this.
    fn expect_own(&self, what: &str, widths: &[usize]) -> Result<()> {
        let own = core::iter::once(self.inputs).chain(self.steps.iter().map(|step| step.outputs));
        if own.eq(widths.iter().copied()) {
            return Ok(());
        }
        Err(Error::invalid(what, "was made for another network"))
    }

    /// `Ok` if `cache` holds a forward pass of a network like this, and `rows` of it.
    fn expect_filled(&self, cache: &Cache<T>, rows: &Range<usize>) -> Result<()> {
        self.expect_own("the cache", &cache.widths)?;
        if !cache.is_filled {
            return Err(Error::invalid(
                "the cache",
                "forward must have filled it since its input was written",
            ));
        }
        if rows.start > rows.end || rows.end > cache.rows {
            let what = format!("rows {} to {}", rows.start, rows.end);
            return Err(Error::invalid(what, format!("the forward pass had {} rows", cache.rows)));
        }
        Ok(())
    }
}

impl<T: Element> Layer<T> {
    /// Whether the activation that follows this layer can be a part of its step.
    fn takes_activation(&self, step: &Step<T>) -> bool {
        let has_parameters = matches!(self, Self::Linear(_) | Self::BatchNorm(_) | Self::LayerNorm(_));
        has_parameters && step.activation == Activation::Identity
    }
}
