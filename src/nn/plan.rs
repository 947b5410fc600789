//! Networks described as plans.
//!
//! A [`Plan`] is the shape of an example and a list of layers. It determines the network, empty or read from a
//! checkpoint, the number of its parameters, and a text for the metadata of files:
//!
//! ```
//! use equilibria::nn::Plan;
//! let text = "100: linear 128, leaky-relu 0.2, linear 784 no-bias, batch-norm, tanh";
//! let plan: Plan = text.parse()?;
//! assert_eq!((plan.to_string().as_str(), plan.output().size()), (text, 784));
//! assert_eq!(plan.parameters(), 100 * 128 + 128 + 128 * 784 + 2 * 784);
//! assert_eq!(plan.build::<f32>()?.inputs(), 100);
//! # Ok::<(), equilibria::Error>(())
//! ```

use super::{
    Activation, BatchNorm, Conv2d, ConvTranspose2d, Dropout, Layer, LayerNorm, Linear, Sequential, Shape,
    Spectral, Window,
};
use crate::tensor::Element;
use crate::{Error, Result};
use alloc::boxed::Box;
use alloc::format;
#[cfg(feature = "checkpoint")]
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// The architecture of a network, without parameters.
///
/// ```
/// use equilibria::nn::{Plan, Spec};
/// let plan: Plan = "784: linear 128, relu, linear 10".parse()?;
/// assert_eq!((plan.layers[1], plan.output().size()), (Spec::Relu, 10));
/// assert_eq!(plan.build::<f32>()?.outputs(), 10);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The shape of an example of the input.
    pub input: Shape,
    /// The layers.
    pub layers: Vec<Spec>,
}

/// The description of a layer, without parameters; each variant shows its text.
///
/// ```
/// use equilibria::nn::{Plan, Spec};
/// let layers = vec![Spec::Linear { outputs: 3, bias: true }, Spec::Relu];
/// assert_eq!(Plan { input: 2.into(), layers }.output().size(), 3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Spec {
    /// [`Linear`]: `linear 128`, or `linear 128 no-bias`.
    Linear {
        /// Number of units.
        outputs: usize,
        /// If true, the layer has a bias.
        bias: bool,
    },
    /// [`Conv2d`]: `conv 64 kernel 4 stride 2 padding 1`, or with ` no-bias` at the end; the same in height and
    /// width.
    Conv(ConvSpec),
    /// [`ConvTranspose2d`]: `conv-transpose 64 kernel 4 stride 2 padding 1`, with the same words.
    ConvTranspose(ConvSpec),
    /// [`Spectral`] of a [`Linear`] with a bias: `spectral-linear 128`.
    SpectralLinear {
        /// Number of units.
        outputs: usize,
    },
    /// [`Spectral`] of a [`Conv2d`]: `spectral-conv 64 kernel 4 stride 2 padding 1`, with the words of `conv`.
    SpectralConv(ConvSpec),
    /// [`BatchNorm`]: `batch-norm`.
    BatchNorm,
    /// [`LayerNorm`]: `layer-norm`.
    LayerNorm,
    /// [`Dropout`] with this probability: `dropout 0.3`.
    Dropout(f64),
    /// [`Activation::LeakyRelu`] with this slope: `leaky-relu 0.2`.
    LeakyRelu(f64),
    /// [`Activation::Relu`]: `relu`.
    Relu,
    /// [`Activation::Sigmoid`]: `sigmoid`.
    Sigmoid,
    /// [`Activation::Softplus`]: `softplus`.
    Softplus,
    /// [`Activation::Tanh`]: `tanh`.
    Tanh,
}

/// The settings of a convolution that is the same in height and width.
///
/// ```
/// use equilibria::nn::{ConvSpec, Plan, Shape, Spec};
/// let halving = ConvSpec { channels: 8, kernel: 4, stride: 2, padding: 1, bias: true };
/// let plan = Plan { input: Shape { height: 16, width: 16, channels: 1 }, layers: vec![Spec::Conv(halving)] };
/// assert_eq!(plan.output(), Shape { height: 8, width: 8, channels: 8 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvSpec {
    /// Channels of the output.
    pub channels: usize,
    /// Pixels of the kernel.
    pub kernel: usize,
    /// Pixels between neighbouring places of the kernel.
    pub stride: usize,
    /// Zeros before the first and after the last pixel.
    pub padding: usize,
    /// True if it has a bias.
    pub bias: bool,
}

impl ConvSpec {
    fn window(&self) -> Window {
        Window::square(self.kernel, self.stride, self.padding)
    }

    /// The shape of the output of a convolution; without pixels if the kernel is larger than the padded image.
    fn output(&self, input: Shape) -> Shape {
        let size = |pixels: usize| {
            let padded = pixels.saturating_add(self.padding.saturating_mul(2));
            padded.checked_sub(self.kernel).map_or(0, |last| last / self.stride.max(1) + 1)
        };
        Shape { height: size(input.height), width: size(input.width), channels: self.channels }
    }

    /// The shape of the output of a transposed convolution.
    pub(crate) fn transposed_output(&self, input: Shape) -> Shape {
        let size = |pixels: usize| {
            let last = pixels.saturating_sub(1).saturating_mul(self.stride);
            last.saturating_add(self.kernel).saturating_sub(self.padding.saturating_mul(2))
        };
        Shape { height: size(input.height), width: size(input.width), channels: self.channels }
    }

    fn layer<T: Element>(&self, input: Shape) -> Conv2d<T> {
        let new = if self.bias { Conv2d::new } else { Conv2d::without_bias };
        new(input.channels, self.channels, self.window())
    }

    fn parameters(&self, inputs: usize) -> u128 {
        let factors = [self.kernel, self.kernel, inputs].map(|factor| factor as u128);
        let weights = factors.into_iter().fold(1, u128::saturating_mul);
        weights.saturating_add(u128::from(self.bias)).saturating_mul(self.channels as u128)
    }

    /// Parses the words after the name.
    fn parse(text: &str) -> Option<Self> {
        let (words, bias) = text.strip_suffix(" no-bias").map_or((text, true), |words| (words, false));
        let mut words = words.split(' ');
        let channels = words.next()?.parse().ok()?;
        let mut number = |name| if words.next()? == name { words.next()?.parse().ok() } else { None };
        let [kernel, stride, padding] = [number("kernel")?, number("stride")?, number("padding")?];
        words.next().is_none().then_some(Self { channels, kernel, stride, padding, bias })
    }
}

impl fmt::Display for ConvSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { channels, kernel, stride, padding, bias } = self;
        let bias = if *bias { "" } else { " no-bias" };
        write!(f, "{channels} kernel {kernel} stride {stride} padding {padding}{bias}")
    }
}

/// The texts of layers without parameters in their text.
const NAMES: [(&str, Spec); 6] = [
    ("batch-norm", Spec::BatchNorm),
    ("layer-norm", Spec::LayerNorm),
    ("relu", Spec::Relu),
    ("sigmoid", Spec::Sigmoid),
    ("softplus", Spec::Softplus),
    ("tanh", Spec::Tanh),
];

impl Spec {
    /// The shape of the output, and the number of parameters.
    fn measure(&self, input: Shape) -> (Shape, u128) {
        let size = input.size() as u128;
        match *self {
            Self::Linear { outputs, bias } => (outputs.into(), outputs as u128 * (size + u128::from(bias))),
            Self::SpectralLinear { outputs } => Self::Linear { outputs, bias: true }.measure(input),
            Self::Conv(spec) | Self::SpectralConv(spec) => {
                (spec.output(input), spec.parameters(input.channels))
            }
            Self::ConvTranspose(spec) => (spec.transposed_output(input), spec.parameters(input.channels)),
            Self::BatchNorm => (input, 2 * input.channels as u128),
            Self::LayerNorm => (input, 2 * size),
            _ => (input, 0),
        }
    }

    fn build<T: Element>(&self, input: Shape) -> Box<dyn Layer<T>> {
        match *self {
            Self::Linear { outputs, bias: true } => Box::new(Linear::new(input.size(), outputs)),
            Self::Linear { outputs, bias: false } => Box::new(Linear::without_bias(input.size(), outputs)),
            Self::SpectralLinear { outputs } => Box::new(Spectral::new(Linear::new(input.size(), outputs))),
            Self::Conv(spec) => Box::new(spec.layer(input)),
            Self::SpectralConv(spec) => Box::new(Spectral::new(spec.layer(input))),
            Self::ConvTranspose(spec) => {
                let new = if spec.bias { ConvTranspose2d::new } else { ConvTranspose2d::without_bias };
                Box::new(new(input.channels, spec.channels, spec.window()))
            }
            Self::BatchNorm => Box::new(BatchNorm::new(input.channels)),
            Self::LayerNorm => Box::new(LayerNorm::new(input.size())),
            Self::Dropout(probability) => Box::new(Dropout::new(probability)),
            Self::LeakyRelu(slope) => Box::new(Activation::LeakyRelu { slope: T::from_f64(slope) }),
            Self::Relu => Box::new(Activation::Relu),
            Self::Sigmoid => Box::new(Activation::Sigmoid),
            Self::Softplus => Box::new(Activation::Softplus),
            Self::Tanh => Box::new(Activation::Tanh),
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        if let Some(rest) = text.strip_prefix("conv ") {
            return ConvSpec::parse(rest).map(Self::Conv);
        }
        if let Some(rest) = text.strip_prefix("spectral-conv ") {
            return ConvSpec::parse(rest).map(Self::SpectralConv);
        }
        if let Some(rest) = text.strip_prefix("conv-transpose ") {
            return ConvSpec::parse(rest).map(Self::ConvTranspose);
        }
        let spec = match (words.next()?, words.next()) {
            ("linear", Some(outputs)) => {
                let bias = words.next().map_or(Some(true), |word| (word == "no-bias").then_some(false))?;
                Self::Linear { outputs: outputs.parse().ok()?, bias }
            }
            ("spectral-linear", Some(outputs)) => Self::SpectralLinear { outputs: outputs.parse().ok()? },
            ("dropout", Some(probability)) => Self::Dropout(probability.parse().ok()?),
            ("leaky-relu", Some(slope)) => Self::LeakyRelu(slope.parse().ok()?),
            (name, None) => NAMES.iter().find(|(other, _)| *other == name)?.1,
            _ => return None,
        };
        words.next().is_none().then_some(spec)
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linear { outputs, bias } => {
                write!(f, "linear {outputs}{}", if *bias { "" } else { " no-bias" })
            }
            Self::Conv(spec) => write!(f, "conv {spec}"),
            Self::SpectralLinear { outputs } => write!(f, "spectral-linear {outputs}"),
            Self::SpectralConv(spec) => write!(f, "spectral-conv {spec}"),
            Self::ConvTranspose(spec) => write!(f, "conv-transpose {spec}"),
            Self::Dropout(probability) => write!(f, "dropout {probability}"),
            Self::LeakyRelu(slope) => write!(f, "leaky-relu {slope}"),
            _ => f.write_str(NAMES.iter().find(|(_, spec)| spec == self).map_or("", |(name, _)| name)),
        }
    }
}

impl Plan {
    /// Iterates over the layers, each with the shape of its input and, in the last tuple, the shape of its output and
    /// the number of parameters.
    fn walk(&self) -> impl Iterator<Item = (&Spec, Shape, (Shape, u128))> {
        self.layers.iter().scan(self.input, |shape, spec| {
            let (input, measured) = (*shape, spec.measure(*shape));
            *shape = measured.0;
            Some((spec, input, measured))
        })
    }

    /// The shapes of an example of the input and of each layer's output.
    pub fn shapes(&self) -> impl Iterator<Item = Shape> {
        core::iter::once(self.input).chain(self.walk().map(|(.., (output, _))| output))
    }

    /// The shape of an example of the output.
    pub fn output(&self) -> Shape {
        self.shapes().last().unwrap_or(self.input)
    }

    /// The number of learned parameters.
    pub fn parameters(&self) -> u128 {
        self.walk().map(|(.., (_, parameters))| parameters).sum()
    }

    /// The number of values that a pass stores per example: the input, and the outputs of all layers with parameters,
    /// which absorb the activations after them.
    pub fn values(&self) -> u128 {
        let outputs = self.walk().filter(|(.., (_, parameters))| *parameters > 0);
        outputs.map(|(.., (output, _))| output).chain([self.input]).map(|shape| shape.size() as u128).sum()
    }

    /// Returns whether the output of an example depends on the other examples of its mini-batch.
    pub fn mixes_examples(&self) -> bool {
        self.layers.contains(&Spec::BatchNorm)
    }

    /// Builds the network with all parameters 0.
    ///
    /// **Errors** Those of [`Sequential::new`].
    ///
    /// **Panics** if the size of a layer exceeds the address space.
    pub fn build<T: Element>(&self) -> Result<Sequential<T>> {
        Sequential::new(self.input, self.walk().map(|(spec, input, _)| spec.build(input)).collect())
    }

    /// Reads the network whose [`state`](Sequential::state) is in `archive`, under names that start with `prefix`.
    ///
    /// **Errors** [`Error::Malformed`] if a tensor is missing, has another shape, holds a number that is not finite or
    /// a negative variance, or if the archive has fewer numbers than the plan (checked before memory is allocated).
    #[cfg(feature = "checkpoint")]
    pub fn read(&self, archive: &crate::checkpoint::Archive, prefix: &str) -> Result<Sequential<f32>> {
        let mut network = self.empty_for(archive, prefix)?;
        for (name, tensor) in network.state_mut() {
            let values = read_tensor(archive, &format!("{prefix}{name}"), tensor.shape())?;
            tensor.data_mut().copy_from_slice(values);
        }
        Ok(network)
    }

    /// The network with all parameters 0, if `archive` has enough numbers for it.
    #[cfg(feature = "checkpoint")]
    pub(super) fn empty_for(
        &self,
        archive: &crate::checkpoint::Archive,
        prefix: &str,
    ) -> Result<Sequential<f32>> {
        let malformed = |problem: String| Error::malformed(archive.place(), 8, problem);
        let mut numbers = 0;
        for name in archive.names().filter(|name| name.starts_with(prefix)) {
            numbers += archive.shape(name)?.iter().map(|&size| size as u128).product::<u128>();
        }
        let parameters = self.parameters();
        if parameters > numbers {
            let problem =
                format!("the network has {parameters} parameters, and the file holds {numbers} numbers");
            return Err(malformed(problem));
        }
        self.build::<f32>().map_err(|error| malformed(format!("{error}")))
    }
}

/// Reads the numbers of one tensor of a network.
///
/// **Errors** [`Error::Malformed`] if it is missing, has another shape, or holds a number that is not finite or a
/// negative variance.
#[cfg(feature = "checkpoint")]
pub(crate) fn read_tensor<'a>(
    archive: &'a crate::checkpoint::Archive,
    name: &str,
    shape: &[usize],
) -> Result<&'a [f32]> {
    let values = archive.finite_f32(name, shape)?;
    let is_variance = name.ends_with(".running_var");
    match values.iter().find(|value| is_variance && **value < 0.0) {
        None => Ok(values),
        Some(value) => {
            let problem = format!("tensor `{name}` holds {value}; a variance is at least 0");
            Err(Error::malformed(archive.place(), 8, problem))
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.input)?;
        let separators = core::iter::once(": ").chain(core::iter::repeat(", "));
        self.layers.iter().zip(separators).try_for_each(|(spec, separator)| write!(f, "{separator}{spec}"))
    }
}

impl FromStr for Plan {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let (input, layers) = text.split_once(": ")?;
            let layers = layers.split(", ").map(Spec::parse).collect::<Option<_>>()?;
            Some(Self { input: Shape::parse(input)?, layers })
        };
        parse().ok_or_else(|| {
            Error::invalid(format!("network '{text}'"), "it is written as '100: linear 784, tanh'")
        })
    }
}
