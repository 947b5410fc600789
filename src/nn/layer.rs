//! The interface of a layer, and the arguments of its passes.
//!
//! Everything about a layer is in one file: derivation, [`infer`](Layer::infer), [`backward`](Layer::backward),
//! [`tangent`](Layer::tangent), parameters. [`Sequential`](super::Sequential) owns all buffers, calls the layers in
//! order, and does not know any layer by name. A layer from another crate is therefore treated like any other.
//!
//! With θ the parameters of a layer, x its input and y = f(x; θ), the passes compute:
//!
//! ```text
//! infer, forward    y
//! backward          ∂L/∂θ and ∂L/∂x             from δ = ∂L/∂y
//! tangent           ẏ = (∂f/∂x) ẋ,              and ∂/∂θ of S = Σ δ · ẏ at fixed δ and ẋ
//! tangent_backward  ∂/∂x of S + Σ e · y,        and ∂/∂θ of Σ e · y at fixed e
//! ```
//!
//! The last two compute the gradient of a gradient: see [the derivation](super#second-order). Slices hold examples one
//! after another, channels last: an image is `height * width` rows of `channels` numbers, and a plain row is an image
//! of one pixel.
//!
//! # Activations
//! An activation φ needs a separate pass over memory, unless the preceding layer
//! [absorbs](Properties::absorbs_activation) it. In this case y is φ(f(x)), z = f(x) is not stored, and δ is ∂L/∂z.
//! Similarly, the following layer may [absorb](Properties::absorbs_slopes) the factor φ′ of the gradient that it passes
//! back. `Sequential` applies whatever a layer does not absorb.

use super::{Initialisation, Kept, LayerGradients, Scratch, Shape, Training};
use crate::rng::Stream;
use crate::tensor::{Activation, Element, Tensor};
use crate::{Error, Result};
use alloc::boxed::Box;
use core::fmt;

/// A layer of a network; [the module](self) defines the symbols.
///
/// A layer derives [`Clone`] and [`Debug`](fmt::Debug), and implements at least `name`, `infer` and `backward`, and
/// `output_shape` if the output has another shape. A layer with parameters also implements `tensors`, `tensors_mut` and `names`. `tests/layers.rs` contains
/// a complete example.
///
/// ```
/// use equilibria::nn::{Input, Layer, Pass, Scratch, Sequential};
/// #[derive(Debug, Clone)]
/// struct Double;
/// impl Layer<f64> for Double {
///     fn name(&self) -> &'static str {
///         "double"
///     }
///     fn infer(&self, input: Input<'_, f64>, y: &mut [f64]) {
///         y.iter_mut().zip(input.x).for_each(|(y, x)| *y = 2.0 * x);
///     }
///     fn backward(&self, pass: Pass<'_, f64>) {
///         let grads = pass.grad_input.into_iter().flatten().zip(pass.delta);
///         grads.for_each(|(grad, delta)| *grad = 2.0 * delta);
///     }
/// }
/// let network = Sequential::new(2, vec![Double.into(), Double.into()])?;
/// let mut y = [0.0; 2];
/// network.infer(&[1.0, -3.0], &mut Scratch::new(), &mut y)?;
/// assert_eq!(y, [4.0, -12.0]);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub trait Layer<T: Element>: CloneLayer<T> + fmt::Debug + Send + Sync {
    /// The name of the layer in messages, for instance `linear layer`.
    fn name(&self) -> &'static str;

    /// The shape of an example of the output; that of the input by default.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the layer does not accept `input`; [`Error::InvalidArgument`] if one of
    /// its settings is out of range.
    fn output_shape(&self, input: Shape) -> Result<Shape> {
        Ok(input)
    }

    /// The parameters and the running statistics, each in the order of the checkpoint.
    ///
    /// Parameters have gradients, in the same order; training passes update the running statistics.
    fn tensors(&self) -> [&[Tensor<T>]; 2] {
        [&[], &[]]
    }

    /// Like [`Layer::tensors`], but mutable.
    fn tensors_mut(&mut self) -> [&mut [Tensor<T>]; 2] {
        [&mut [], &mut []]
    }

    /// PyTorch's names of the parameters, then of the running statistics.
    fn names(&self) -> &'static [&'static str] {
        &[]
    }

    /// Initialises the parameters randomly and resets the running statistics.
    ///
    /// **Randomness** Substreams of `stream`.
    fn initialise(&mut self, _initialisation: Initialisation, _stream: Stream) {}

    /// The properties that [`Sequential`](super::Sequential) needs to know.
    fn properties(&self) -> Properties {
        Properties::default()
    }

    /// The activation function, if the layer does nothing but apply one. The preceding layer may absorb it.
    fn activation(&self) -> Option<Activation<T>> {
        None
    }

    /// The amount of data that a forward pass stores for later passes.
    fn keeps(&self, _input: Shape) -> Kept<usize> {
        Kept::default()
    }

    /// Computes y for inference: with running statistics and without randomness.
    ///
    /// **Shapes** `y` (examples, output).
    fn infer(&self, input: Input<'_, T>, y: &mut [T]);

    /// Computes y for training, and stores the data that later passes need. The default calls [`Layer::infer`].
    ///
    /// **Shapes** `y` (examples, output).
    ///
    /// **Errors** [`Error::InvalidArgument`] if a mini-batch is too small.
    fn forward(&mut self, pass: ForwardPass<'_, T>, y: &mut [T]) -> Result<()> {
        self.infer(pass.input, y);
        Ok(())
    }

    /// Adds ∂L/∂θ to the gradients and writes ∂L/∂x to the input gradient, each if requested.
    fn backward(&self, pass: Pass<'_, T>);

    /// Writes ẏ, and adds ∂S/∂θ with ẋ constant to the gradients.
    ///
    /// **Shapes** `x_dot` (examples, input); `y_dot` (examples, output).
    ///
    /// **Errors** [`Error::InvalidArgument`] if the layer has no second-order pass, which is the default.
    fn tangent(&self, _pass: Pass<'_, T>, _x_dot: &[T], _y_dot: &mut [T]) -> Result<()> {
        Err(Error::invalid(self.name(), "it has no second-order pass, which a penalised critic needs"))
    }

    /// Writes ∂/∂x of S + Σ e · y to the input gradient, and adds ∂/∂θ of Σ e · y to the gradients. A missing e is 0.
    ///
    /// The default is correct for every layer with [`Properties::has_curvature`] false: S does not depend on x, and e
    /// is passed back as δ is.
    ///
    /// **Shapes** `x_dot` (examples, input); `e` (examples, output).
    fn tangent_backward(&self, pass: Pass<'_, T>, _x_dot: &[T], e: Option<&[T]>) {
        if let Some(e) = e {
            self.backward(Pass { delta: e, ..pass });
        }
    }
}

/// The properties of a layer that [`Sequential`](super::Sequential) needs to know; all are false by default.
///
/// ```
/// use equilibria::nn::{BatchNorm, Dropout, Layer, Linear, layer::Properties};
/// assert!(Layer::<f32>::properties(&Linear::new(2, 3)).is_affine);
/// assert!(Layer::<f32>::properties(&BatchNorm::new(3)).mixes_examples);
/// assert!(!Properties::default().has_curvature);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Properties {
    /// The output of an example depends on the other examples of its mini-batch.
    pub mixes_examples: bool,
    /// f(α x + (1 − α) x′) = α f(x) + (1 − α) f(x′), and a pass stores nothing.
    pub is_affine: bool,
    /// ∂f/∂x depends on x, so that [`Layer::tangent_backward`] has a term without e.
    pub has_curvature: bool,
    /// `infer` and `forward` apply [`Input::activation`] to their output.
    pub absorbs_activation: bool,
    /// `backward` and `tangent_backward` multiply the input gradient by the slopes of [`Pass::before`], and `tangent` its
    /// result by those of [`Pass::activation`].
    pub absorbs_slopes: bool,
}

/// The input of a layer, and working memory.
///
/// ```
/// use equilibria::nn::{Activation, Layer, Scratch, layer::Input};
/// let (x, mut y) = ([1.0_f32, -1.0], [0.0; 2]);
/// let scratch = &mut Scratch::new();
/// Activation::Relu.infer(Input { shape: 2.into(), x: &x, activation: Activation::Identity, scratch }, &mut y);
/// assert_eq!(y, [1.0, 0.0]);
/// ```
#[derive(Debug)]
pub struct Input<'a, T: Element> {
    /// The shape of an example.
    pub shape: Shape,
    /// x (examples, input).
    pub x: &'a [T],
    /// The activation to apply to the output: the identity, unless the layer absorbs it.
    pub activation: Activation<T>,
    /// Working memory.
    pub scratch: &'a mut Scratch<T>,
}

/// The arguments of a forward pass in training.
///
/// ```
/// use equilibria::nn::{Activation, Kept, Layer, Scratch, Training, layer::{ForwardPass, Input}};
/// use equilibria::rng::Stream;
/// let (x, mut y, scratch) = ([1.0_f32, -1.0], [0.0; 2], &mut Scratch::new());
/// let input = Input { shape: 2.into(), x: &x, activation: Activation::Identity, scratch };
/// let kept = Kept { per_example: [&mut [][..], &mut []], per_batch: &mut [][..] };
/// let training = Training::new(Stream::named(1, "dropout"));
/// Activation::Relu.forward(ForwardPass { input, training, kept }, &mut y)?;
/// assert_eq!(y, [1.0, 0.0]);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug)]
pub struct ForwardPass<'a, T: Element> {
    /// The input.
    pub input: Input<'a, T>,
    /// The mini-batches of the input, and the random numbers of this layer.
    pub training: Training,
    /// Memory for the data that [`Layer::keeps`] requests.
    pub kept: Kept<&'a mut [T]>,
}

/// The arguments of a pass that follows a forward pass, over some of its examples: whole mini-batches, if the layer
/// mixes their examples.
///
/// The layer in the example of [`Layer`] reads `delta` and writes `grad_input`.
#[derive(Debug)]
pub struct Pass<'a, T: Element> {
    /// The shape of an example of the input.
    pub shape: Shape,
    /// x (examples, input).
    pub x: &'a [T],
    /// The output, after an absorbed activation (examples, output).
    pub y: &'a [T],
    /// The number of mini-batches among the examples; the first and the last may be incomplete, unless the layer mixes their
    /// examples.
    pub batches: usize,
    /// The data that the forward pass stored.
    pub kept: Kept<&'a [T]>,
    /// The activation that produced x; the input gradient is multiplied by its slopes. The identity, unless the layer
    /// absorbs slopes.
    pub before: Activation<T>,
    /// The activation that produced y; a tangent is multiplied by its slopes. The identity, unless the layer absorbs
    /// slopes.
    pub activation: Activation<T>,
    /// δ (examples, output).
    pub delta: &'a [T],
    /// The gradients of the parameters to add to, if requested.
    pub gradients: Option<LayerGradients<'a, T>>,
    /// The gradient with respect to x (examples, input) to write, if requested.
    pub grad_input: Option<&'a mut [T]>,
    /// Working memory.
    pub scratch: &'a mut Scratch<T>,
}

/// Clones a boxed layer; implemented for every layer that is [`Clone`].
///
/// ```
/// use equilibria::nn::{Layer, Linear};
/// let layer: Box<dyn Layer<f32>> = Linear::new(2, 3).into();
/// assert_eq!(layer.clone().name(), layer.name());
/// ```
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
