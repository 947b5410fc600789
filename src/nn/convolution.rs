//! The convolution layer, y = w * x + b, and its transpose, which a generator uses to enlarge images.
//!
//! With an input x (height, width, in), weights w (kernel height, kernel width, in, out), stride s and padding p, pixel
//! (i, j) of the output is
//!
//! ```text
//! forward:  y[i, j, o] = b[o] + Σ_{k, l, c} x[i s + k − p, j s + l − p, c] w[k, l, c, o]
//! ```
//!
//! where x is 0 outside the image. It is linear in x, like the [linear layer](super::linear) with a large matrix W that has
//! w at many places. Its passes are therefore those of the linear layer, with δ = ∂L/∂y:
//!
//! ```text
//! backward: ∂L/∂w = corr(x, δ),   ∂L/∂b = Σ_pixels δ,   ∂L/∂x = w *ᵀ δ
//! tangent:  ẏ = w * ẋ,   ∂S/∂w = corr(ẋ, δ),   ∂S/∂b = 0,   ∂S/∂x = 0
//! ```
//!
//! Here w *ᵀ δ spreads each pixel of δ over the pixels of x that it was computed from:
//!
//! ```text
//! corr(x, δ)[k, l, c, o] = Σ_{i, j} x[i s + k − p, j s + l − p, c] δ[i, j, o]
//! (w *ᵀ δ)[a, b, c] = Σ_{k, l, o} δ[i, j, o] w[k, l, c, o]     over i s + k − p = a, j s + l − p = b
//! ```
//!
//! The **transposed** layer computes y = w *ᵀ x + b, with x in the place of δ. Its backward pass is ∂L/∂x = w * δ and
//! ∂L/∂w = corr(δ, x). With stride 2 it doubles the size of an image.
//!
//! The three operations are the kernels' [`forward`](conv::forward), [`backward_data`](conv::backward_data) and
//! [`backward_weights`](conv::backward_weights).
//!
//! # Example in one dimension
//! Kernel w = (1, 2, 3), stride 2, padding 1, one channel, x = (10, 20, 30, 40). Each output reads three inputs:
//!
//! ```text
//! y[0] = 0·1 + 10·2 + 20·3 = 80        (x[−1] is padding)
//! y[1] = 20·1 + 30·2 + 40·3 = 200
//! ```
//!
//! From δ = (1, 10), each ∂L/∂x sums w over the outputs that read this x, and each ∂L/∂w sums the inputs that it multiplied:
//!
//! ```text
//! ∂L/∂x = (1·2, 1·3 + 10·1, 10·2, 10·3) = (2, 13, 20, 30)
//! ∂L/∂w = (1·0 + 10·20, 1·10 + 10·30, 1·20 + 10·40) = (200, 310, 420)
//! ```
//!
//! `tests/convolution.rs` checks this example.

use super::{Initialisation, Input, Layer, LayerGradients, Pass, Properties, Scratch, Shape};
use crate::rng::Stream;
use crate::tensor::{Activation, Element, Epilogue, Tensor};
use crate::{Error, Result};
use alloc::format;
use alloc::vec::Vec;
use equilibria_kernels::Level;
use equilibria_kernels::activation::times_slope_in_place;
use equilibria_kernels::conv::{self, ActivationOutputs, Convolution, Sizes};

/// The kernel's size, stride and padding, each in height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Pixels of the kernel.
    pub kernel: [usize; 2],
    /// Pixels between neighbouring places of the kernel.
    pub stride: [usize; 2],
    /// Zeros before the first and after the last pixel.
    pub padding: [usize; 2],
}

impl Window {
    /// The same in height and width.
    pub const fn square(kernel: usize, stride: usize, padding: usize) -> Self {
        Self { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 2] }
    }
}

/// The parameters of either layer, named after the convolution: a transposed layer goes from `out` to `in`.
#[derive(Debug, Clone)]
struct Weights<T: Element> {
    /// w (kernel height, kernel width, in, out); a bias, if there is one.
    parameters: Vec<Tensor<T>>,
    window: Window,
}

impl<T: Element> Weights<T> {
    /// **Panics** if the weights have more values than can be addressed.
    fn new([channels_in, channels_out]: [usize; 2], window: Window, bias: Option<usize>) -> Self {
        let [height, width] = window.kernel;
        let weights = Tensor::zeros(&[height, width, channels_in, channels_out]);
        let bias = bias.map(|channels| Tensor::zeros(&[channels]));
        Self { parameters: [weights].into_iter().chain(bias).collect(), window }
    }

    fn w(&self) -> &[T] {
        self.parameters[0].data()
    }

    fn channels(&self) -> [usize; 2] {
        let shape = self.parameters[0].shape();
        [shape[2], shape[3]]
    }

    /// The convolution of images of this size.
    fn convolution(&self, batch: usize, image: [usize; 2]) -> Result<Convolution> {
        let [channels_in, channels_out] = self.channels();
        let Window { kernel, stride, padding } = self.window;
        let sizes = Sizes { batch, image, channels_in, channels_out, kernel, stride, padding };
        Convolution::new(sizes).map_err(|error| {
            let ([kh, kw], [sh, sw], [ph, pw], [h, w]) = (kernel, stride, padding, image);
            let what = format!("a {kh}x{kw} kernel, stride {sh}x{sw}, padding {ph}x{pw}, on {h}x{w} pixels");
            Error::invalid(what, error)
        })
    }

    fn initialise(&mut self, initialisation: Initialisation, stream: Stream) {
        let ([height, width], channels) = (self.window.kernel, self.channels());
        let [fan_in, fan_out] = channels.map(|channels| height * width * channels);
        let [weight, bias @ ..] = &mut self.parameters[..] else { return };
        initialisation.draw((fan_in, fan_out), weight, bias.first_mut(), stream);
    }

    fn epilogue(&self, activation: Activation<T>) -> Epilogue<'_, T> {
        Epilogue { bias: self.parameters.get(1).map(Tensor::data), activation }
    }

    /// Adds corr(x, δ) to the gradient of w.
    fn add_weight_gradient(
        gradients: &mut LayerGradients<'_, T>,
        convolution: &Convolution,
        x: &[T],
        delta: &[T],
        scratch: &mut Scratch<T>,
    ) {
        let level = Level::detect();
        let workspace = scratch.numbers(conv::workspace_len::<T>(level, convolution));
        gradients.accumulate(0, |beta, gradient| {
            conv::backward_weights(level, convolution, x, delta, beta, gradient.data_mut(), workspace);
        });
    }

    /// w * x, with an epilogue.
    fn forward(
        &self,
        convolution: &Convolution,
        x: &[T],
        epilogue: Epilogue<'_, T>,
        y: &mut [T],
        scratch: &mut Scratch<T>,
    ) {
        let level = Level::detect();
        let workspace = scratch.numbers(conv::workspace_len::<T>(level, convolution));
        conv::forward(level, convolution, x, self.w(), y, epilogue, workspace);
    }

    /// w *ᵀ δ, with an epilogue and slopes.
    fn transposed(
        &self,
        convolution: &Convolution,
        delta: &[T],
        finish: (Epilogue<'_, T>, Option<ActivationOutputs<'_, T>>),
        x: &mut [T],
        scratch: &mut Scratch<T>,
    ) {
        let level = Level::detect();
        let workspace = scratch.numbers(conv::workspace_len::<T>(level, convolution));
        conv::backward_data(level, convolution, delta, self.w(), x, finish, workspace);
    }
}

/// The slopes of an activation at its outputs, unless it is the identity.
fn slopes<T: Element>(activation: Activation<T>, outputs: &[T]) -> Option<ActivationOutputs<'_, T>> {
    (activation != Activation::Identity).then_some((activation, outputs))
}

/// Activations are applied in the epilogues of the products.
const PROPERTIES: Properties = Properties {
    mixes_examples: false,
    is_affine: true,
    has_curvature: false,
    absorbs_activation: true,
    absorbs_slopes: true,
};

/// y = w * x + b, a convolution.
#[derive(Debug, Clone)]
pub struct Conv2d<T: Element>(Weights<T>);

impl<T: Element> Conv2d<T> {
    /// A layer with all parameters 0; see [`Sequential::initialise`](super::Sequential::initialise).
    ///
    /// **Panics** if the weights have more values than can be addressed.
    pub fn new(inputs: usize, outputs: usize, window: Window) -> Self {
        Self(Weights::new([inputs, outputs], window, Some(outputs)))
    }

    /// Like [`Conv2d::new`], but without a bias: for a layer that is followed by batch normalisation.
    ///
    /// **Panics** Same as [`Conv2d::new`].
    pub fn without_bias(inputs: usize, outputs: usize, window: Window) -> Self {
        Self(Weights::new([inputs, outputs], window, None))
    }

    /// The convolution of the examples in `x`.
    fn convolution(&self, shape: Shape, x: &[T]) -> Convolution {
        let convolution = self.0.convolution(x.len() / shape.size(), [shape.height, shape.width]);
        convolution.unwrap_or_else(|error| panic!("{error}"))
    }
}

impl<T: Element> Layer<T> for Conv2d<T> {
    fn name(&self) -> &'static str {
        "convolution"
    }

    fn output_shape(&self, input: Shape) -> Result<Shape> {
        let [inputs, channels] = self.0.channels();
        Shape::from(input.channels).expect("channels of a convolution", inputs)?;
        let [height, width] = self.0.convolution(1, [input.height, input.width])?.output();
        Ok(Shape { height, width, channels })
    }

    fn tensors(&self) -> [&[Tensor<T>]; 2] {
        [&self.0.parameters, &[]]
    }

    fn tensors_mut(&mut self) -> [&mut [Tensor<T>]; 2] {
        [&mut self.0.parameters, &mut []]
    }

    fn names(&self) -> &'static [&'static str] {
        &["weight", "bias"][..self.0.parameters.len()]
    }

    fn initialise(&mut self, initialisation: Initialisation, stream: Stream) {
        self.0.initialise(initialisation, stream);
    }

    fn properties(&self) -> Properties {
        PROPERTIES
    }

    // y = φ(w * x + b)
    fn infer(&self, Input { shape, x, activation, scratch }: Input<'_, T>, y: &mut [T]) {
        let convolution = self.convolution(shape, x);
        self.0.forward(&convolution, x, self.0.epilogue(activation), y, scratch);
    }

    // forward:  y = w * x + b
    // backward: ∂L/∂w = corr(x, δ),   ∂L/∂b = Σ_pixels δ,   ∂L/∂x = (w *ᵀ δ) ⊙ φ′(x)     φ of the layer before
    fn backward(&self, Pass { shape, x, delta, before, gradients, grad_input, scratch, .. }: Pass<'_, T>) {
        let convolution = self.convolution(shape, x);
        if let Some(mut gradients) = gradients {
            if self.0.parameters.len() > 1 {
                gradients.add_column_sums(1, delta);
            }
            Weights::add_weight_gradient(&mut gradients, &convolution, x, delta, scratch);
        }
        if let Some(grad_input) = grad_input {
            let finish = (Epilogue::NONE, slopes(before, x));
            self.0.transposed(&convolution, delta, finish, grad_input, scratch);
        }
    }

    // tangent: ẏ = (w * ẋ) ⊙ φ′(y),   ∂S/∂w = corr(ẋ, δ)
    fn tangent(&self, pass: Pass<'_, T>, x_dot: &[T], y_dot: &mut [T]) -> Result<()> {
        let convolution = self.convolution(pass.shape, x_dot);
        self.0.forward(&convolution, x_dot, Epilogue::NONE, y_dot, pass.scratch);
        times_slope_in_place(Level::detect(), pass.activation, pass.y, y_dot);
        if let Some(mut gradients) = pass.gradients {
            Weights::add_weight_gradient(&mut gradients, &convolution, x_dot, pass.delta, pass.scratch);
        }
        Ok(())
    }
}

/// y = w *ᵀ x + b, the transpose of a convolution.
#[derive(Debug, Clone)]
pub struct ConvTranspose2d<T: Element>(Weights<T>);

impl<T: Element> ConvTranspose2d<T> {
    /// A layer with all parameters 0; see [`Sequential::initialise`](super::Sequential::initialise).
    ///
    /// **Panics** if the weights have more values than can be addressed.
    pub fn new(inputs: usize, outputs: usize, window: Window) -> Self {
        Self(Weights::new([outputs, inputs], window, Some(outputs)))
    }

    /// Like [`ConvTranspose2d::new`], but without a bias: for a layer that is followed by batch normalisation.
    ///
    /// **Panics** Same as [`ConvTranspose2d::new`].
    pub fn without_bias(inputs: usize, outputs: usize, window: Window) -> Self {
        Self(Weights::new([outputs, inputs], window, None))
    }

    /// The convolution that this layer transposes: from its outputs, (size − 1) stride + kernel − 2 padding pixels wide, to
    /// its inputs.
    fn convolution(&self, batch: usize, input: Shape) -> Result<Convolution> {
        let Window { kernel, stride, padding } = self.0.window;
        let size = |axis: usize, pixels: usize| {
            let last = pixels.checked_sub(1)?.checked_mul(stride[axis])?;
            last.checked_add(kernel[axis])?.checked_sub(padding[axis].checked_mul(2)?)
        };
        let sizes = (size(0, input.height), size(1, input.width));
        let (Some(height), Some(width)) = sizes else {
            return Err(Error::invalid(
                format!("a transposed convolution of {input} with {:?}", self.0.window),
                "(size − 1) stride + kernel is at least twice the padding",
            ));
        };
        self.0.convolution(batch, [height, width])
    }

    /// The convolution of which the examples in `x` are outputs.
    fn of_examples(&self, shape: Shape, x: &[T]) -> Convolution {
        self.convolution(x.len() / shape.size(), shape).unwrap_or_else(|error| panic!("{error}"))
    }
}

impl<T: Element> Layer<T> for ConvTranspose2d<T> {
    fn name(&self) -> &'static str {
        "transposed convolution"
    }

    fn output_shape(&self, input: Shape) -> Result<Shape> {
        let [channels, inputs] = self.0.channels();
        Shape::from(input.channels).expect("channels of a transposed convolution", inputs)?;
        let [height, width] = self.convolution(1, input)?.sizes().image;
        Ok(Shape { height, width, channels })
    }

    fn tensors(&self) -> [&[Tensor<T>]; 2] {
        [&self.0.parameters, &[]]
    }

    fn tensors_mut(&mut self) -> [&mut [Tensor<T>]; 2] {
        [&mut self.0.parameters, &mut []]
    }

    fn names(&self) -> &'static [&'static str] {
        &["weight", "bias"][..self.0.parameters.len()]
    }

    fn initialise(&mut self, initialisation: Initialisation, stream: Stream) {
        self.0.initialise(initialisation, stream);
    }

    fn properties(&self) -> Properties {
        PROPERTIES
    }

    // y = φ(w *ᵀ x + b)
    fn infer(&self, Input { shape, x, activation, scratch }: Input<'_, T>, y: &mut [T]) {
        let convolution = self.of_examples(shape, x);
        self.0.transposed(&convolution, x, (self.0.epilogue(activation), None), y, scratch);
    }

    // forward:  y = w *ᵀ x + b
    // backward: ∂L/∂w = corr(δ, x),   ∂L/∂b = Σ_pixels δ,   ∂L/∂x = (w * δ) ⊙ φ′(x)     φ of the layer before
    fn backward(&self, Pass { shape, x, delta, before, gradients, grad_input, scratch, .. }: Pass<'_, T>) {
        let convolution = self.of_examples(shape, x);
        if let Some(mut gradients) = gradients {
            if self.0.parameters.len() > 1 {
                gradients.add_column_sums(1, delta);
            }
            Weights::add_weight_gradient(&mut gradients, &convolution, delta, x, scratch);
        }
        if let Some(grad_input) = grad_input {
            self.0.forward(&convolution, delta, Epilogue::NONE, grad_input, scratch);
            times_slope_in_place(Level::detect(), before, x, grad_input);
        }
    }

    // tangent: ẏ = (w *ᵀ ẋ) ⊙ φ′(y),   ∂S/∂w = corr(δ, ẋ)
    fn tangent(&self, pass: Pass<'_, T>, x_dot: &[T], y_dot: &mut [T]) -> Result<()> {
        let convolution = self.of_examples(pass.shape, x_dot);
        let finish = (Epilogue::NONE, slopes(pass.activation, pass.y));
        self.0.transposed(&convolution, x_dot, finish, y_dot, pass.scratch);
        if let Some(mut gradients) = pass.gradients {
            Weights::add_weight_gradient(&mut gradients, &convolution, pass.delta, x_dot, pass.scratch);
        }
        Ok(())
    }
}
