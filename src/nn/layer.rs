//! One layer of a network.

use super::{Dropout, Initialisation, Linear};
use crate::rng::Stream;
use crate::tensor::{Activation, Element, Tensor};
use crate::{Error, Result};
use alloc::format;

/// One layer of a network.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Layer<T: Element> {
    /// y = x Wᵀ + b.
    Linear(Linear<T>),
    /// y = m ⊙ x with a random m in training.
    Dropout(Dropout),
    /// y = φ(x), element by element. It costs no pass over memory of its own after a layer with parameters.
    Activation(Activation<T>),
}

impl<T: Element> From<Linear<T>> for Layer<T> {
    fn from(layer: Linear<T>) -> Self {
        Self::Linear(layer)
    }
}

impl<T: Element> From<Dropout> for Layer<T> {
    fn from(layer: Dropout) -> Self {
        Self::Dropout(layer)
    }
}

impl<T: Element> From<Activation<T>> for Layer<T> {
    fn from(activation: Activation<T>) -> Self {
        Self::Activation(activation)
    }
}

impl<T: Element> Layer<T> {
    /// The width of what comes out where `inputs` come in.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the layer has another number of inputs, [`Error::InvalidArgument`] if a
    /// setting is out of its range.
    pub(super) fn outputs(&self, inputs: usize) -> Result<usize> {
        match self {
            Self::Linear(layer) => {
                expect_width("input of a linear layer", layer.inputs(), inputs)?;
                Ok(layer.outputs())
            }
            Self::Dropout(layer) => {
                layer.check()?;
                Ok(inputs)
            }
            Self::Activation(Activation::LeakyRelu { slope })
                if !(0.0..f64::INFINITY).contains(&slope.to_f64()) =>
            {
                Err(Error::invalid(
                    format!("leaky ReLU of slope {slope}"),
                    "a finite slope that is not negative",
                ))
            }
            Self::Activation(_) => Ok(inputs),
        }
    }

    /// The name of its kind, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Linear(_) => "Linear",
            Self::Dropout(_) => "Dropout",
            Self::Activation(_) => "Activation",
        }
    }

    /// What is learned, in the order of the checkpoint.
    pub fn parameters(&self) -> impl Iterator<Item = &Tensor<T>> {
        match self {
            Self::Linear(layer) => [Some(layer.weight()), layer.bias()],
            Self::Dropout(_) | Self::Activation(_) => [None, None],
        }
        .into_iter()
        .flatten()
    }

    /// As [`Layer::parameters`], writable.
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Tensor<T>> {
        match self {
            Self::Linear(layer) => layer.parameters_mut(),
            Self::Dropout(_) | Self::Activation(_) => [None, None],
        }
        .into_iter()
        .flatten()
    }

    pub(super) fn initialise(&mut self, initialisation: Initialisation, stream: Stream) {
        match self {
            Self::Linear(layer) => layer.initialise(initialisation, stream),
            Self::Dropout(_) | Self::Activation(_) => {}
        }
    }
}

pub(super) fn expect_width(operation: &'static str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::ShapeMismatch { operation, expected: [expected].to_vec(), found: [found].to_vec() })
}
