//! The layers of a generator, each with its forward pass for one example.

use super::error::{ModelError, TensorName};
use super::file::ModelFile;
use super::matrix::Matrix;
use crate::nn::{ConvSpec, Shape, Spec};
use equilibria_kernels::activation::apply_in_place;
use equilibria_kernels::{Activation, Level};

/// The constant added to variances, as in training.
const EPSILON: f32 = 1e-5;

/// A layer with its parameters.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<'a> {
    Linear(Matrix<'a>, Option<Matrix<'a>>),
    ConvTranspose(ConvSpec, Matrix<'a>, Option<Matrix<'a>>),
    /// γ, β and the running mean and variance.
    BatchNorm([Matrix<'a>; 4]),
    /// γ and β.
    LayerNorm([Matrix<'a>; 2]),
    /// A layer without parameters.
    Activation(Activation<f32>),
}

impl<'a> Step<'a> {
    /// Finds the parameters of layer number `index`, and the shape of its output. Checks every number if `is_new`.
    pub fn read(
        file: &ModelFile<'a>,
        prefix: &str,
        index: usize,
        spec: Spec,
        input: Shape,
        is_new: bool,
    ) -> Result<(Self, Shape), ModelError> {
        let tensor = |part: &str, shape: &[usize]| {
            let name = TensorName::numbered(prefix, index, part);
            let matrix = Matrix::of_shape(file, name, shape)?;
            if is_new { matrix.finite(name) } else { Ok(matrix) }
        };
        let bias = |has_bias: bool, units| has_bias.then(|| tensor(".bias", &[units])).transpose();
        Ok(match spec {
            Spec::Linear { outputs, bias: has_bias } => {
                let weight = tensor(".weight", &[outputs, input.size()])?;
                (Self::Linear(weight, bias(has_bias, outputs)?), outputs.into())
            }
            Spec::ConvTranspose(spec) => {
                let weight = tensor(".weight", &[spec.kernel, spec.kernel, spec.channels, input.channels])?;
                let layer = Self::ConvTranspose(spec, weight, bias(spec.bias, spec.channels)?);
                (layer, spec.transposed_output(input))
            }
            Spec::BatchNorm => {
                let channels = |part| tensor(part, &[input.channels]);
                let [mean, variance] = [channels(".running_mean")?, channels(".running_var")?];
                if is_new && (0..input.channels).any(|channel| variance.number(channel) < 0.0) {
                    let name = TensorName::numbered(prefix, index, ".running_var");
                    return Err(ModelError::Tensor { name, problem: "it holds a negative variance" });
                }
                (Self::BatchNorm([channels(".weight")?, channels(".bias")?, mean, variance]), input)
            }
            Spec::LayerNorm => {
                let numbers = |part| tensor(part, &[input.size()]);
                (Self::LayerNorm([numbers(".weight")?, numbers(".bias")?]), input)
            }
            // Dropout does nothing after training.
            Spec::Dropout(_) => (Self::Activation(Activation::Identity), input),
            Spec::LeakyRelu(slope) => {
                (Self::Activation(Activation::LeakyRelu { slope: slope as f32 }), input)
            }
            Spec::Relu => (Self::Activation(Activation::Relu), input),
            Spec::Sigmoid => (Self::Activation(Activation::Sigmoid), input),
            Spec::Softplus => (Self::Activation(Activation::Softplus), input),
            Spec::Tanh => (Self::Activation(Activation::Tanh), input),
            _ => {
                let problem = "a layer of the generator does not run here; linear, conv-transpose, batch-norm, layer-norm, \
                               dropout and activations do";
                return Err(ModelError::Metadata { key: "networks", problem });
            }
        })
    }

    /// True if the layer computes its output from another buffer, and not in place.
    pub fn is_affine(&self) -> bool {
        matches!(self, Self::Linear(..) | Self::ConvTranspose(..))
    }

    /// Computes the output `y` of an affine layer.
    pub fn apply(&self, level: Level, [input, output]: [Shape; 2], x: &[f32], y: &mut [f32]) {
        match self {
            Self::Linear(weight, bias) => {
                for (unit, y) in y.iter_mut().enumerate() {
                    *y = weight.dot(level, unit, x) + bias.map_or(0.0, |bias| bias.number(unit));
                }
            }
            Self::ConvTranspose(spec, weight, bias) => {
                for pixel in y.chunks_exact_mut(spec.channels.max(1)) {
                    match bias {
                        Some(bias) => bias.copy(0..pixel.len(), pixel),
                        None => pixel.fill(0.0),
                    }
                }
                conv_transpose(level, spec, weight, (input, x), (output, y));
            }
            _ => {}
        }
    }

    /// Applies any other layer to x.
    pub fn apply_in_place(&self, level: Level, x: &mut [f32]) {
        match self {
            // y = γ (x − μ) / √(v + ε) + β
            Self::BatchNorm([gamma, beta, mean, variance]) => {
                let channels = gamma.columns();
                for channel in 0..channels {
                    let scale = gamma.number(channel) / libm::sqrtf(variance.number(channel) + EPSILON);
                    let (mean, beta) = (mean.number(channel), beta.number(channel));
                    x.iter_mut()
                        .skip(channel)
                        .step_by(channels)
                        .for_each(|x| *x = (*x - mean) * scale + beta);
                }
            }
            // The same with the mean and the variance of the example.
            Self::LayerNorm([gamma, beta]) => {
                let mean = x.iter().sum::<f32>() / x.len() as f32;
                let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / x.len() as f32;
                let scale = 1.0 / libm::sqrtf(variance + EPSILON);
                for (unit, x) in x.iter_mut().enumerate() {
                    *x = gamma.number(unit) * ((*x - mean) * scale) + beta.number(unit);
                }
            }
            Self::Activation(activation) => apply_in_place(level, *activation, x),
            Self::Linear(..) | Self::ConvTranspose(..) => {}
        }
    }
}

/// y[i s + k − p, j s + l − p, o] += Σ_c x[i, j, c] w[k, l, o, c], see [`nn::convolution`](crate::nn::convolution).
///
/// Each row of w is converted once and meets all pixels of x, because x is small and w is not.
fn conv_transpose(
    level: Level,
    spec: &ConvSpec,
    weight: &Matrix<'_>,
    (input, x): (Shape, &[f32]),
    (output, y): (Shape, &mut [f32]),
) {
    let place = |pixel: usize, tap: usize, side: usize| {
        (pixel * spec.stride + tap).checked_sub(spec.padding).filter(|&place| place < side)
    };
    for row in 0..weight.rows() {
        let (tap, channel) = (row / spec.channels, row % spec.channels);
        let (k, l) = (tap / spec.kernel, tap % spec.kernel);
        weight.parts(level, row, |first, part| {
            for i in 0..input.height {
                let Some(a) = place(i, k, output.height) else { continue };
                for j in 0..input.width {
                    let Some(b) = place(j, l, output.width) else { continue };
                    let pixel = &x[(i * input.width + j) * input.channels + first..][..part.len()];
                    y[(a * output.width + b) * output.channels + channel] +=
                        equilibria_kernels::reduce::dot(level, part, pixel);
                }
            }
        });
    }
}
