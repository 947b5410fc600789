//! The contract of a layer, and what its passes are given.
//!
//! Everything about a layer stands in its one file: derivation, [`infer`](Layer::infer), [`backward`](Layer::backward),
//! [`tangent`](Layer::tangent), parameters. [`Sequential`](super::Sequential) owns all buffers, calls the layers one after
//! another, and knows none of them by name, so that a layer from another crate is a layer like any other.
//!
//! With θ the parameters of a layer, x its input and y = f(x; θ), the passes compute
//!
//! ```text
//! infer, forward    y
//! backward          ∂L/∂θ and ∂L/∂x             from δ = ∂L/∂y
//! tangent           ẏ = (∂f/∂x) ẋ,              and ∂/∂θ of S = Σ δ · ẏ at fixed δ and ẋ
//! tangent_backward  ∂/∂x of S + Σ e · y,        and ∂/∂θ of Σ e · y at fixed e
//! ```
//!
//! The last two make the gradient of a gradient: see [the derivation](super#second-order). Slices hold examples one after
//! another, channels last: an image is `height * width` rows of `channels` numbers, and a plain row is an image of one pixel.
//!
//! # Activations
//! An activation φ costs a pass over memory of its own, unless the layer before it says that it
//! [absorbs](Properties::absorbs_activation) it. Then y is φ(f(x)), z = f(x) is not kept, and δ is ∂L/∂z. In the same way the
//! layer after it may [absorb](Properties::absorbs_slopes) the factor φ′ of the gradient that it sends back. What a layer does
//! not absorb, `Sequential` does.

use super::{Initialisation, Kept, LayerGradients, Scratch, Shape, Training};
use crate::rng::Stream;
use crate::tensor::{Activation, Element, Tensor};
use crate::{Error, Result};
use alloc::boxed::Box;
use core::fmt;

/// One layer of a network; [the module](self) explains the symbols.
///
/// A layer derives [`Clone`] and [`Debug`](fmt::Debug), and has at least `name`, `output_shape`, `infer` and `backward`. One
/// with parameters adds `tensors`, `tensors_mut` and `names`. `tests/layers.rs` has a whole one.
pub trait Layer<T: Element>: CloneLayer<T> + fmt::Debug + Send + Sync {
    /// The name of the layer in messages, for instance `linear layer`.
    fn name(&self) -> &'static str;

    /// The shape of an example of the output.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the layer does not take `input`; [`Error::InvalidArgument`] if one of its
    /// settings is out of range.
    fn output_shape(&self, input: Shape) -> Result<Shape>;

    /// The parameters and the running statistics, each in the order of the checkpoint.
    ///
    /// Parameters have gradients, in the same order; running statistics are moved by training passes.
    fn tensors(&self) -> [&[Tensor<T>]; 2] {
        [&[], &[]]
    }

    /// Like [`Layer::tensors`], writable.
    fn tensors_mut(&mut self) -> [&mut [Tensor<T>]; 2] {
        [&mut [], &mut []]
    }

    /// PyTorch's names of the parameters, then of the running statistics.
    fn names(&self) -> &'static [&'static str] {
        &[]
    }

    /// Draws the parameters anew and resets the running statistics.
    ///
    /// **Randomness** Substreams of `stream`.
    fn initialise(&mut self, _initialisation: Initialisation, _stream: Stream) {}

    /// The properties by which [`Sequential`](super::Sequential) treats layers differently.
    fn properties(&self) -> Properties {
        Properties::default()
    }

    /// The function that this layer applies to each number, if that is all it does: the layer before it may absorb it.
    fn activation(&self) -> Option<Activation<T>> {
        None
    }

    /// The numbers that a forward pass keeps for later passes.
    fn keeps(&self, _input: Shape) -> Kept<usize> {
        Kept::default()
    }

    /// Computes y as in use: with running statistics and without randomness.
    ///
    /// **Shapes** `y` (examples, output).
    fn infer(&self, input: Input<'_, T>, y: &mut [T]);

    /// Computes y as in training, and keeps what later passes need. By default that is [`Layer::infer`].
    ///
    /// **Shapes** `y` (examples, output).
    ///
    /// **Errors** [`Error::InvalidArgument`] if a mini-batch is too small.
    fn forward(&mut self, pass: ForwardPass<'_, T>, y: &mut [T]) -> Result<()> {
        self.infer(pass.input, y);
        Ok(())
    }

    /// Adds ∂L/∂θ to the gradients and writes ∂L/∂x to the input gradient, each where there is one.
    fn backward(&self, pass: Pass<'_, T>);

    /// Writes ẏ, and adds ∂S/∂θ at fixed ẋ to the gradients.
    ///
    /// **Shapes** `x_dot` (examples, input); `y_dot` (examples, output).
    ///
    /// **Errors** [`Error::InvalidArgument`] from a layer without a second-order pass, which is the default.
    fn tangent(&self, _pass: Pass<'_, T>, _x_dot: &[T], _y_dot: &mut [T]) -> Result<()> {
        Err(Error::invalid(self.name(), "it has no second-order pass, which a penalised critic needs"))
    }

    /// Writes ∂/∂x of S + Σ e · y to the input gradient, and adds ∂/∂θ of Σ e · y. An absent e is 0.
    ///
    /// The default serves every layer that does not bend: S does not depend on x, and e goes back as δ does.
    ///
    /// **Shapes** `x_dot` (examples, input); `e` (examples, output).
    fn tangent_backward(&self, pass: Pass<'_, T>, _x_dot: &[T], e: Option<&[T]>) {
        if let Some(e) = e {
            self.backward(Pass { delta: e, ..pass });
        }
    }
}

/// The properties of a layer by which [`Sequential`](super::Sequential) treats it; by default it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Properties {
    /// The output of an example depends on the other examples of its mini-batch.
    pub mixes_examples: bool,
    /// f(α x + (1 − α) x′) = α f(x) + (1 − α) f(x′), and the layer keeps nothing of a pass.
    pub is_affine: bool,
    /// ∂f/∂x depends on x, so that [`Layer::tangent_backward`] has a part without e.
    pub bends: bool,
    /// `infer` and `forward` apply [`Input::activation`] to their output.
    pub absorbs_activation: bool,
    /// `backward` and `tangent_backward` multiply the input gradient by the slopes of [`Pass::before`], and `tangent` its
    /// result by those of [`Pass::activation`].
    pub absorbs_slopes: bool,
}

/// The input of a layer, and memory to work in.
#[derive(Debug)]
pub struct Input<'a, T: Element> {
    /// The shape of an example.
    pub shape: Shape,
    /// x (examples, input).
    pub x: &'a [T],
    /// The activation to apply to the output: the identity, unless the layer absorbs it.
    pub activation: Activation<T>,
    /// Memory to work in.
    pub scratch: &'a mut Scratch<T>,
}

/// A forward pass of training, as a layer sees it.
#[derive(Debug)]
pub struct ForwardPass<'a, T: Element> {
    /// The input.
    pub input: Input<'a, T>,
    /// The mini-batches of the input, and the random numbers of this layer.
    pub training: Training,
    /// Room for what [`Layer::keeps`] asks for.
    pub kept: Kept<&'a mut [T]>,
}

/// A pass after the forward pass, over some of its examples: whole mini-batches, if the layer mixes their examples.
#[derive(Debug)]
pub struct Pass<'a, T: Element> {
    /// The shape of an example of the input.
    pub shape: Shape,
    /// x (examples, input).
    pub x: &'a [T],
    /// The output, after an absorbed activation (examples, output).
    pub y: &'a [T],
    /// Whole mini-batches among the examples.
    pub batches: usize,
    /// The numbers that the forward pass kept.
    pub kept: Kept<&'a [T]>,
    /// The activation that gave x, by whose slopes an input gradient is multiplied: the identity, unless the layer absorbs
    /// slopes.
    pub before: Activation<T>,
    /// The activation that gave y, by whose slopes a tangent is multiplied: the identity, unless the layer absorbs slopes.
    pub activation: Activation<T>,
    /// δ (examples, output).
    pub delta: &'a [T],
    /// The gradients of the parameters to add to, if they are wanted.
    pub gradients: Option<LayerGradients<'a, T>>,
    /// The gradient with respect to x (examples, input) to write, if it is wanted.
    pub grad_input: Option<&'a mut [T]>,
    /// Memory to work in.
    pub scratch: &'a mut Scratch<T>,
}

/// Clones a boxed layer; every layer that is [`Clone`] has it.
pub trait CloneLayer<T: Element> {
    /// A copy of the layer.
    fn boxed(&self) -> Box<dyn Layer<T>>;
}

impl<T: Element, L: Layer<T> + Clone + 'static> CloneLayer<T> for L {
    fn boxed(&self) -> Box<dyn Layer<T>> {
        Box::new(self.clone())
    }
}

impl<T: Element> Clone for Box<dyn Layer<T>> {
    fn clone(&self) -> Self {
        (**self).boxed()
    }
}

macro_rules! impl_from {
    ($($scalar:ty)*) => {$(
        impl<L: Layer<$scalar> + 'static> From<L> for Box<dyn Layer<$scalar>> {
            fn from(layer: L) -> Self {
                Box::new(layer)
            }
        }
    )*};
}

impl_from!(f32 f64);
