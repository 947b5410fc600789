//! One layer of a network.

use super::{BatchNorm, Dropout, Initialisation, LayerNorm, Linear};
use crate::rng::Stream;
use crate::tensor::{Activation, Element, Tensor};
use crate::{Error, Result};
use alloc::format;

/// Of a layer's state, the first that are learned: all of them have a weight and a bias at most.
const PARAMETERS: usize = 2;

/// One layer of a network.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Layer<T: Element> {
    /// y = x Wᵀ + b.
    Linear(Linear<T>),
    /// y = γ x̂ + β, x̂ normalised over the mini-batch.
    BatchNorm(BatchNorm<T>),
    /// y = γ ⊙ x̂ + β, x̂ normalised over the row.
    LayerNorm(LayerNorm<T>),
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

impl<T: Element> From<BatchNorm<T>> for Layer<T> {
    fn from(layer: BatchNorm<T>) -> Self {
        Self::BatchNorm(layer)
    }
}

impl<T: Element> From<LayerNorm<T>> for Layer<T> {
    fn from(layer: LayerNorm<T>) -> Self {
        Self::LayerNorm(layer)
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
            Self::BatchNorm(layer) => {
                expect_width("input of batch normalisation", layer.width(), inputs)?;
                Ok(inputs)
            }
            Self::LayerNorm(layer) => {
                expect_width("input of layer normalisation", layer.width(), inputs)?;
                Ok(inputs)
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
            Self::BatchNorm(_) => "BatchNorm",
            Self::LayerNorm(_) => "LayerNorm",
            Self::Dropout(_) => "Dropout",
            Self::Activation(_) => "Activation",
        }
    }

    /// What is learned, in the order of the checkpoint.
    pub fn parameters(&self) -> impl Iterator<Item = &Tensor<T>> {
        self.state().map(|(_, tensor)| tensor).take(PARAMETERS)
    }

    /// As [`Layer::parameters`], writable.
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Tensor<T>> {
        self.state_mut().map(|(_, tensor)| tensor).take(PARAMETERS)
    }

    /// What is learned and then what else is kept, by PyTorch's names.
    pub fn state(&self) -> impl Iterator<Item = (&'static str, &Tensor<T>)> {
        let mut state = [const { None }; 4];
        match self {
            Self::Linear(layer) => state[..2].copy_from_slice(&layer.state()),
            Self::BatchNorm(layer) => state = layer.state().map(Some),
            Self::LayerNorm(layer) => state[..2].copy_from_slice(&layer.state().map(Some)),
            Self::Dropout(_) | Self::Activation(_) => {}
        }
        state.into_iter().flatten()
    }

    /// As [`Layer::state`], writable.
    pub fn state_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut Tensor<T>)> {
        let [first, second, third, fourth] = match self {
            Self::Linear(layer) => {
                let [weight, bias] = layer.state_mut();
                [weight, bias, None, None]
            }
            Self::BatchNorm(layer) => layer.state_mut().map(Some),
            Self::LayerNorm(layer) => {
                let [weight, bias] = layer.state_mut().map(Some);
                [weight, bias, None, None]
            }
            Self::Dropout(_) | Self::Activation(_) => [const { None }; 4],
        };
        [first, second, third, fourth].into_iter().flatten()
    }

    /// What is kept beside what is learned: running statistics.
    pub fn statistics(&self) -> impl Iterator<Item = &Tensor<T>> {
        self.state().map(|(_, tensor)| tensor).skip(PARAMETERS)
    }

    /// As [`Layer::statistics`], writable.
    pub fn statistics_mut(&mut self) -> impl Iterator<Item = &mut Tensor<T>> {
        self.state_mut().map(|(_, tensor)| tensor).skip(PARAMETERS)
    }

    pub(super) fn initialise(&mut self, initialisation: Initialisation, stream: Stream) {
        match self {
            Self::Linear(layer) => layer.initialise(initialisation, stream),
            Self::BatchNorm(layer) => layer.initialise(initialisation, stream),
            Self::LayerNorm(layer) => layer.initialise(),
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
