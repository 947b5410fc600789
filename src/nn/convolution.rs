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
//! [`backward_weights`](conv::backward_weights). Training passes use [minimal filtering](conv::minimal) where it is faster,
//! and keep the transformed weights until the weights change; inference uses the direct path.
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

use super::{ForwardPass, Initialisation, Input, Layer, LayerGradients, Pass, Properties, Scratch, Shape};
use crate::rng::Stream;
use crate::tensor::{Activation, Element, Epilogue, Tensor};
use crate::{Error, Result};
use alloc::format;
use alloc::vec::Vec;
use core::fmt;
use equilibria_kernels::Level;
use equilibria_kernels::activation::times_slope_in_place;
use equilibria_kernels::conv::{self, ActivationOutputs, Convolution, MinimalFiltering, Sizes, minimal};

/// The kernel's size, stride and padding, each in height and width.
///
/// ```
/// use equilibria::nn::Window;
/// let window = Window::square(4, 2, 1);
/// assert_eq!((window.kernel, window.stride, window.padding), ([4, 4], [2, 2], [1, 1]));
/// ```
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

/// A convolution, [`Conv2d`], or its transpose, [`ConvTranspose2d`].
///
/// The weights are named after the convolution: the transposed layer goes from `out` channels to `in`.
///
/// ```
/// use equilibria::nn::{Conv2d, ConvTranspose2d, Layer, Shape, Window};
/// let image = Shape { height: 8, width: 8, channels: 3 };
/// let halves = Conv2d::<f32>::new(3, 16, Window::square(4, 2, 1)).output_shape(image)?;
/// assert_eq!((halves.height, halves.width, halves.channels), (4, 4, 16));
/// let doubles = ConvTranspose2d::<f32>::new(16, 3, Window::square(4, 2, 1));
/// assert_eq!(doubles.output_shape(halves)?, image);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ConvolutionLayer<T: Element, const TRANSPOSED: bool> {
    /// w (kernel height, kernel width, in, out); a bias, if there is one.
    parameters: Vec<Tensor<T>>,
    window: Window,
    /// The weights transformed for minimal filtering with `tile`. A tile of 0 means that they are out of date: passes use the
    /// direct path until the next forward pass.
    transformed: Vec<T>,
    tile: usize,
}

/// y = w * x + b, a convolution.
pub type Conv2d<T> = ConvolutionLayer<T, false>;

/// y = w *ᵀ x + b, the transpose of a convolution.
pub type ConvTranspose2d<T> = ConvolutionLayer<T, true>;

impl<T: Element, const TRANSPOSED: bool> ConvolutionLayer<T, TRANSPOSED> {
    /// A layer with all parameters 0; see [`Sequential::initialise`](super::Sequential::initialise).
    ///
    /// **Shapes** `inputs` and `outputs` are numbers of channels.
    ///
    /// **Panics** if the weights have more values than can be addressed.
    pub fn new(inputs: usize, outputs: usize, window: Window) -> Self {
        let mut layer = Self::without_bias(inputs, outputs, window);
        layer.parameters.push(Tensor::zeros(&[outputs]));
        layer
    }

    /// Like [`ConvolutionLayer::new`], but without a bias: for a layer that is followed by batch normalisation.
    ///
    /// **Panics** Same as [`ConvolutionLayer::new`].
    pub fn without_bias(inputs: usize, outputs: usize, window: Window) -> Self {
        let [channels_in, channels_out] = if TRANSPOSED { [outputs, inputs] } else { [inputs, outputs] };
        let [height, width] = window.kernel;
        let weights = Tensor::zeros(&[height, width, channels_in, channels_out]);
        Self { parameters: Vec::from([weights]), window, transformed: Vec::new(), tile: 0 }
    }

    /// The channels `in` and `out` of the convolution.
    fn channels(&self) -> [usize; 2] {
        let shape = self.parameters[0].shape();
        [shape[2], shape[3]]
    }

    /// The convolution of a layer whose examples have this shape. The transposed layer has the outputs of the convolution
    /// as examples; its images are (size − 1) stride + kernel − 2 padding pixels wide.
    fn convolution(&self, batch: usize, Shape { height, width, .. }: Shape) -> Result<Convolution> {
        let [channels_in, channels_out] = self.channels();
        let Window { kernel, stride, padding } = self.window;
        let invalid = |expected: &dyn fmt::Display| {
            let ([kh, kw], [sh, sw], [ph, pw]) = (kernel, stride, padding);
            Error::invalid(
                format!(
                    "a {kh}x{kw} kernel, stride {sh}x{sw}, padding {ph}x{pw}, on {height}x{width} pixels"
                ),
                expected,
            )
        };
        let mut image = [height, width];
        if TRANSPOSED {
            for (axis, pixels) in image.iter_mut().enumerate() {
                let last = pixels.checked_sub(1).and_then(|last| last.checked_mul(stride[axis]));
                let padded = last.and_then(|last| last.checked_add(kernel[axis]));
                let both = padding[axis].checked_mul(2);
                *pixels = padded
                    .zip(both)
                    .and_then(|(padded, both)| padded.checked_sub(both))
                    .ok_or_else(|| invalid(&"(size − 1) stride + kernel is at least twice the padding"))?;
            }
        }
        let sizes = Sizes { batch, image, channels_in, channels_out, kernel, stride, padding };
        Convolution::new(sizes).map_err(|error| invalid(&error))
    }

    /// The convolution of the examples in `x`, whose shape `output_shape` has accepted.
    fn of_examples(&self, shape: Shape, x: &[T]) -> Convolution {
        self.convolution(x.len() / shape.size(), shape).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Transforms the weights for minimal filtering, if it is faster and they have changed.
    fn transform(&mut self, convolution: Convolution) {
        let Some(filtering) = MinimalFiltering::usual(convolution) else { return };
        if self.tile != filtering.tile() {
            let level = Level::detect();
            self.transformed.resize(minimal::weights_len::<T>(level, &filtering), T::ZERO);
            minimal::transform_weights(level, &filtering, self.parameters[0].data(), &mut self.transformed);
            self.tile = filtering.tile();
        }
    }

    /// w * x or w *ᵀ x, with an epilogue and slopes; `is_training` allows minimal filtering.
    fn apply(
        &self,
        [is_transposed, is_training]: [bool; 2],
        convolution: &Convolution,
        x: &[T],
        (epilogue, slopes): (Epilogue<'_, T>, Option<ActivationOutputs<'_, T>>),
        y: &mut [T],
        scratch: &mut Scratch<T>,
    ) {
        let level = Level::detect();
        let filtering = MinimalFiltering::usual(*convolution);
        match filtering.filter(|filtering| is_training && filtering.tile() == self.tile) {
            Some(filtering) => {
                let (w, workspace) =
                    (&self.transformed, scratch.numbers(minimal::workspace_len::<T>(level, &filtering)));
                if is_transposed {
                    minimal::backward_data(level, &filtering, x, w, y, (epilogue, slopes), workspace);
                    return;
                }
                minimal::forward(level, &filtering, x, w, y, epilogue, workspace);
            }
            None => {
                let w = self.parameters[0].data();
                let workspace = scratch.numbers(conv::workspace_len::<T>(level, convolution));
                if is_transposed {
                    conv::backward_data(level, convolution, x, w, y, (epilogue, slopes), workspace);
                    return;
                }
                conv::forward(level, convolution, x, w, y, epilogue, workspace);
            }
        }
        if let Some((activation, outputs)) = slopes {
            times_slope_in_place(level, activation, outputs, y);
        }
    }

    /// Adds corr(x, δ) to the gradient of w, or corr(δ, x) in a transposed layer.
    fn add_weight_gradient(
        gradients: &mut LayerGradients<'_, T>,
        convolution: &Convolution,
        x: &[T],
        delta: &[T],
        scratch: &mut Scratch<T>,
    ) {
        let level = Level::detect();
        let (x, delta) = if TRANSPOSED { (delta, x) } else { (x, delta) };
        let filtering = MinimalFiltering::usual(*convolution);
        let workspace = scratch.numbers(match &filtering {
            Some(filtering) => minimal::workspace_len::<T>(level, filtering),
            None => conv::workspace_len::<T>(level, convolution),
        });
        gradients.accumulate(0, |beta, gradient| match &filtering {
            Some(filtering) => {
                minimal::backward_weights(level, filtering, x, delta, beta, gradient.data_mut(), workspace);
            }
            None => {
                conv::backward_weights(level, convolution, x, delta, beta, gradient.data_mut(), workspace)
            }
        });
    }
}

/// The slopes of an activation at its outputs, unless it is the identity.
fn slopes<T: Element>(activation: Activation<T>, outputs: &[T]) -> Option<ActivationOutputs<'_, T>> {
    (activation != Activation::Identity).then_some((activation, outputs))
}

impl<T: Element, const TRANSPOSED: bool> Layer<T> for ConvolutionLayer<T, TRANSPOSED> {
    fn name(&self) -> &'static str {
        if TRANSPOSED { "transposed convolution" } else { "convolution" }
    }

    fn output_shape(&self, input: Shape) -> Result<Shape> {
        let [channels_in, channels_out] = self.channels();
        let (inputs, channels) =
            if TRANSPOSED { (channels_out, channels_in) } else { (channels_in, channels_out) };
        Shape::from(input.channels).expect("channels of a convolution", inputs)?;
        let convolution = self.convolution(1, input)?;
        let [height, width] = if TRANSPOSED { convolution.sizes().image } else { convolution.output() };
        Ok(Shape { height, width, channels })
    }

    fn tensors(&self) -> [&[Tensor<T>]; 2] {
        [&self.parameters, &[]]
    }

    fn tensors_mut(&mut self) -> [&mut [Tensor<T>]; 2] {
        self.tile = 0;
        [&mut self.parameters, &mut []]
    }

    fn names(&self) -> &'static [&'static str] {
        &["weight", "bias"][..self.parameters.len()]
    }

    fn initialise(&mut self, initialisation: Initialisation, stream: Stream) {
        let ([height, width], channels) = (self.window.kernel, self.channels());
        let [fan_in, fan_out] = channels.map(|channels| height * width * channels);
        let [weight, bias @ ..] = &mut self.parameters[..] else { return };
        self.tile = 0;
        initialisation.draw((fan_in, fan_out), weight, bias.first_mut(), stream);
    }

    /// Activations and slopes are applied in the epilogues of the products.
    fn properties(&self) -> Properties {
        Properties {
            is_affine: true,
            absorbs_activation: true,
            absorbs_slopes: true,
            ..Properties::default()
        }
    }

    // y = φ(w * x + b)     with *ᵀ in place of * in a transposed layer, here and below
    fn infer(&self, Input { shape, x, activation, scratch }: Input<'_, T>, y: &mut [T]) {
        let epilogue = Epilogue { bias: self.parameters.get(1).map(Tensor::data), activation };
        self.apply([TRANSPOSED, false], &self.of_examples(shape, x), x, (epilogue, None), y, scratch);
    }

    fn forward(&mut self, pass: ForwardPass<'_, T>, y: &mut [T]) -> Result<()> {
        let Input { shape, x, activation, scratch } = pass.input;
        let convolution = self.of_examples(shape, x);
        self.transform(convolution);
        let epilogue = Epilogue { bias: self.parameters.get(1).map(Tensor::data), activation };
        self.apply([TRANSPOSED, true], &convolution, x, (epilogue, None), y, scratch);
        Ok(())
    }

    // forward:  y = w * x + b
    // backward: ∂L/∂w = corr(x, δ),   ∂L/∂b = Σ_pixels δ,   ∂L/∂x = (w *ᵀ δ) ⊙ φ′(x)     φ of the layer before
    fn backward(&self, Pass { shape, x, delta, before, gradients, grad_input, scratch, .. }: Pass<'_, T>) {
        let convolution = self.of_examples(shape, x);
        if let Some(mut gradients) = gradients {
            if self.parameters.len() > 1 {
                gradients.add_column_sums(1, delta);
            }
            Self::add_weight_gradient(&mut gradients, &convolution, x, delta, scratch);
        }
        if let Some(grad_input) = grad_input {
            let finish = (Epilogue::NONE, slopes(before, x));
            self.apply([!TRANSPOSED, true], &convolution, delta, finish, grad_input, scratch);
        }
    }

    // tangent: ẏ = (w * ẋ) ⊙ φ′(y),   ∂S/∂w = corr(ẋ, δ)
    fn tangent(&self, pass: Pass<'_, T>, x_dot: &[T], y_dot: &mut [T]) -> Result<()> {
        let convolution = self.of_examples(pass.shape, x_dot);
        let finish = (Epilogue::NONE, slopes(pass.activation, pass.y));
        self.apply([TRANSPOSED, true], &convolution, x_dot, finish, y_dot, pass.scratch);
        if let Some(mut gradients) = pass.gradients {
            Self::add_weight_gradient(&mut gradients, &convolution, x_dot, pass.delta, pass.scratch);
        }
        Ok(())
    }
}
