//! Networks of a game, by description.

use super::Objective;
use crate::nn::{Activation, BatchNorm, Layer, LayerNorm, Linear, Sequential};
use crate::tensor::Element;
use crate::{Error, Result};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// Slope of the leaky ReLUs below 0.
pub const SLOPE: f64 = 0.2;

/// A pair of multilayer perceptrons: what they are, without their parameters.
///
/// The generator goes from `latent` numbers through its hidden layers to `samples` of them, the discriminator from there
/// through its own to 1. Hidden layers end in a leaky ReLU of slope 0.2. With [`batch_norm`](Self::batch_norm) the
/// generator normalises all of its hidden layers but the first.
///
/// Written as text it goes into checkpoints:
///
/// ```
/// use equilibria::adversarial::Mlp;
/// let digits = Mlp::digits();
/// let text = "generator 100-128-256-512-1024-784 batch-norm tanh, discriminator 784-512-256-1 plain";
/// assert_eq!(digits.to_string(), text);
/// assert_eq!(text.parse::<Mlp>()?, digits);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "cli",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
pub struct Mlp {
    /// Numbers that the generator starts from.
    pub latent: usize,
    /// Widths of the generator's hidden layers.
    pub generator: Vec<usize>,
    /// Numbers in a sample.
    pub samples: usize,
    /// Widths of the discriminator's hidden layers.
    pub discriminator: Vec<usize>,
    /// Whether the generator normalises its hidden layers from the second on over the mini-batch.
    pub batch_norm: bool,
    /// What the generator's last layer ends in.
    pub range: Range,
    /// What the discriminator normalises its hidden layers by.
    pub normalisation: Normalisation,
}

/// The range of a generator's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// From -1 to 1, by tanh: images.
    Tanh,
    /// Any number: points of the plane.
    Unbounded,
}

/// How a discriminator normalises its hidden layers, the first one aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normalisation {
    /// Not at all.
    None,
    /// Over the mini-batch, real and generated samples apart: not in a penalised critic.
    Batch,
    /// Over the units of each sample.
    Layer,
}

impl Mlp {
    /// The pair for 28 x 28 images that public code has settled on.
    pub fn digits() -> Self {
        Self {
            latent: 100,
            generator: Vec::from([128, 256, 512, 1024]),
            samples: 28 * 28,
            discriminator: Vec::from([512, 256]),
            batch_norm: true,
            range: Range::Tanh,
            normalisation: Normalisation::None,
        }
    }

    /// A small pair for points of the plane: two hidden layers of `width` units each, nothing normalised.
    pub fn plane(latent: usize, width: usize) -> Self {
        Self {
            latent,
            generator: Vec::from([width, width]),
            samples: 2,
            discriminator: Vec::from([width, width]),
            batch_norm: false,
            range: Range::Unbounded,
            normalisation: Normalisation::None,
        }
    }

    /// **Errors** [`Error::InvalidArgument`] if a width is 0, or the discriminator has batch normalisation and `objective`
    /// a gradient penalty.
    pub fn validate(&self, objective: &Objective) -> Result<()> {
        let mut widths = [self.latent, self.samples]
            .into_iter()
            .chain(self.generator.iter().chain(&self.discriminator).copied());
        if widths.any(|width| width == 0) {
            return Err(Error::invalid(self, "every layer has at least 1 unit"));
        }
        if self.normalisation == Normalisation::Batch && matches!(objective, Objective::Penalty { .. }) {
            return Err(penalised_batch_norm());
        }
        Ok(())
    }

    /// The generator, its parameters 0.
    ///
    /// **Errors** [`Error::InvalidArgument`] if a width is 0.
    pub fn build_generator<T: Element>(&self) -> Result<Sequential<T>> {
        let normalisation = if self.batch_norm { Normalisation::Batch } else { Normalisation::None };
        let mut layers = hidden_layers(self.latent, &self.generator, normalisation);
        layers.push(Box::new(Linear::new(*self.generator.last().unwrap_or(&self.latent), self.samples)));
        if self.range == Range::Tanh {
            layers.push(Box::new(Activation::Tanh));
        }
        Sequential::new(self.latent, layers)
    }

    /// The discriminator or critic, its parameters 0.
    ///
    /// **Errors** [`Error::InvalidArgument`] if a width is 0.
    pub fn build_discriminator<T: Element>(&self) -> Result<Sequential<T>> {
        let mut layers = hidden_layers(self.samples, &self.discriminator, self.normalisation);
        layers.push(Box::new(Linear::new(*self.discriminator.last().unwrap_or(&self.samples), 1)));
        Sequential::new(self.samples, layers)
    }
}

/// Linear layers with leaky ReLUs, all but the first normalised.
fn hidden_layers<T: Element>(
    inputs: usize,
    widths: &[usize],
    normalisation: Normalisation,
) -> Vec<Box<dyn Layer<T>>> {
    let mut layers: Vec<Box<dyn Layer<T>>> = Vec::new();
    let mut inputs = inputs;
    for (index, &width) in widths.iter().enumerate() {
        layers.push(Box::new(Linear::new(inputs, width)));
        match normalisation {
            Normalisation::Batch if index > 0 => layers.push(Box::new(BatchNorm::new(width))),
            Normalisation::Layer if index > 0 => layers.push(Box::new(LayerNorm::new(width))),
            _ => {}
        }
        layers.push(Box::new(Activation::LeakyRelu { slope: T::from_f64(SLOPE) }));
        inputs = width;
    }
    layers
}

/// Why a penalised critic has no batch normalisation.
pub(super) fn penalised_batch_norm() -> Error {
    Error::invalid(
        "batch normalisation in a penalised critic",
        "the penalty is on the slope at each sample by itself, which batch normalisation makes depend on the others; use \
         layer normalisation or none",
    )
}

/// Widths joined by `-`.
struct Widths<'a>(usize, &'a [usize], usize);

impl fmt::Display for Widths<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.0)?;
        self.1.iter().try_for_each(|width| write!(f, "{width}-"))?;
        write!(f, "{}", self.2)
    }
}

impl fmt::Display for Mlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "generator {}", Widths(self.latent, &self.generator, self.samples))?;
        f.write_str(if self.batch_norm { " batch-norm" } else { " plain" })?;
        f.write_str(match self.range {
            Range::Tanh => " tanh",
            Range::Unbounded => " unbounded",
        })?;
        write!(f, ", discriminator {}", Widths(self.samples, &self.discriminator, 1))?;
        f.write_str(match self.normalisation {
            Normalisation::None => " plain",
            Normalisation::Batch => " batch-norm",
            Normalisation::Layer => " layer-norm",
        })
    }
}

impl FromStr for Mlp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(text).ok_or_else(|| {
            Error::invalid(format!("networks '{text}'"), format!("they are written as '{}'", Self::digits()))
        })
    }
}

fn parse(text: &str) -> Option<Mlp> {
    let (generator, discriminator) = text.split_once(", ")?;
    let (generator, range) = generator.strip_prefix("generator ")?.rsplit_once(' ')?;
    let (generator, batch_norm) = generator.split_once(' ')?;
    let (discriminator, normalisation) = discriminator.strip_prefix("discriminator ")?.split_once(' ')?;
    let widths = |text: &str| text.split('-').map(|width| width.parse().ok()).collect::<Option<Vec<usize>>>();
    let (generator, discriminator) = (widths(generator)?, widths(discriminator)?);
    let ([latent, generator @ .., samples], [inputs, discriminator @ .., 1]) =
        (&generator[..], &discriminator[..])
    else {
        return None;
    };
    (samples == inputs).then_some(())?;
    Some(Mlp {
        latent: *latent,
        generator: generator.to_vec(),
        samples: *samples,
        discriminator: discriminator.to_vec(),
        batch_norm: match batch_norm {
            "batch-norm" => true,
            "plain" => false,
            _ => return None,
        },
        range: match range {
            "tanh" => Range::Tanh,
            "unbounded" => Range::Unbounded,
            _ => return None,
        },
        normalisation: match normalisation {
            "plain" => Normalisation::None,
            "batch-norm" => Normalisation::Batch,
            "layer-norm" => Normalisation::Layer,
            _ => return None,
        },
    })
}

impl From<Mlp> for String {
    fn from(networks: Mlp) -> Self {
        format!("{networks}")
    }
}

impl TryFrom<String> for Mlp {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::{Mlp, Normalisation, Range};
    use crate::adversarial::Objective;
    use crate::nn::Sequential;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    #[test]
    fn what_is_written_is_what_is_read() {
        let layers = Mlp { normalisation: Normalisation::Layer, ..Mlp::plane(2, 128) };
        let batches = Mlp { normalisation: Normalisation::Batch, range: Range::Unbounded, ..Mlp::digits() };
        let bare = Mlp { generator: Vec::new(), discriminator: Vec::new(), ..Mlp::plane(3, 1) };
        for networks in [Mlp::digits(), Mlp::plane(4, 64), layers, batches, bare] {
            assert_eq!(networks.to_string().parse::<Mlp>().unwrap(), networks);
        }
    }

    #[test]
    fn what_describes_no_networks_is_refused() {
        let right = "generator 3-5-2 plain tanh, discriminator 2-4-1 plain";
        assert!(right.parse::<Mlp>().is_ok());
        for (from, to) in [
            ("generator ", ""),
            (", discriminator", " discriminator"),
            ("3-5-2", "3-5-3"),
            ("3-5-2", "3"),
            ("3-5-2", "3--2"),
            ("3-5-2", "3-5-2-"),
            ("3-5-2", "3--5-2"),
            ("3-5-2", "99999999999999999999-2"),
            ("2-4-1", "2-4-2"),
            ("2-4-1", "1"),
            ("plain tanh", "tanh"),
            ("plain tanh", "plain relu"),
            ("plain tanh", "layer-norm tanh"),
            ("1 plain", "1"),
            ("1 plain", "1 tanh"),
            ("1 plain", "1 plain "),
        ] {
            let text = right.replacen(from, to, 1);
            let error = text.parse::<Mlp>().unwrap_err().to_string();
            assert!(error.starts_with(&alloc::format!("networks '{text}': ")), "{error}");
        }
    }

    #[test]
    fn a_pair_has_the_widths_of_its_description() {
        let networks = Mlp::digits();
        let count =
            |network: &Sequential<f32>| network.parameters().map(|parameter| parameter.len()).sum::<usize>();
        let (generator, discriminator) =
            (networks.build_generator().unwrap(), networks.build_discriminator().unwrap());
        assert_eq!([generator.inputs(), generator.outputs()], [100, 784]);
        assert_eq!([discriminator.inputs(), discriminator.outputs()], [784, 1]);
        // As PyTorch counts them.
        assert_eq!(count(&generator), 1_510_032);
        assert_eq!(count(&discriminator), 533_505);
    }

    #[test]
    fn networks_that_cannot_play_are_refused() {
        let empty = Mlp { generator: [8, 0].to_vec(), ..Mlp::digits() };
        let error = empty.validate(&Objective::standard()).unwrap_err().to_string();
        assert_eq!(error, alloc::format!("{empty}: every layer has at least 1 unit"));
        assert!(Mlp::digits().validate(&Objective::penalty()).is_ok());
    }
}
