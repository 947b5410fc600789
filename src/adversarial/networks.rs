//! The networks of a game, as plans.
//!
//! Their text form is stored in the metadata of files: a short form if both are multilayer perceptrons as [`mlp`]
//! builds them, and plans otherwise.
//!
//! ```
//! use equilibria::adversarial::Networks;
//! let digits = Networks::digits(784);
//! let text = "generator 100-128-256-512-1024-784 batch-norm tanh, discriminator 784-512-256-1 plain";
//! assert_eq!(digits.to_string(), text);
//! assert_eq!(text.parse::<Networks>()?, digits);
//!
//! let text = "generator 2: linear 4, relu, linear 2; discriminator 2: linear 3, dropout 0.5, linear 1";
//! assert_eq!(text.parse::<Networks>()?.to_string(), text);
//! # Ok::<(), equilibria::Error>(())
//! ```

mod dcgan;
mod guidelines;
pub(crate) mod mlp;
#[cfg(feature = "checkpoint")]
mod pytorch;

pub use dcgan::{WIDTH, dcgan};
pub use guidelines::Guideline;
pub use mlp::{DISCRIMINATOR, GENERATOR, LATENT, Normalisation, SLOPE, mlp};
#[cfg(feature = "checkpoint")]
pub use pytorch::pytorch_generator;

use super::Objective;
use crate::nn::{Initialisation, Plan, Sequential, Spec};
use crate::rng::Stream;
use crate::tensor::Element;
use crate::{Error, Result};
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

/// A generator and a discriminator or critic, without their parameters.
///
/// ```
/// use equilibria::{adversarial::Networks, rng::Stream};
/// let [generator, discriminator] = Networks::points(2, 4, &[16, 16]).start::<f32>(Stream::named(1, "init"))?;
/// assert_eq!((generator.inputs(), generator.outputs()), (4, 2));
/// assert_eq!((discriminator.inputs(), discriminator.outputs()), (2, 1));
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(
    feature = "cli",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
pub struct Networks {
    /// The network from latent vectors to samples.
    pub generator: Plan,
    /// The network from samples to one number.
    pub discriminator: Plan,
}

impl Networks {
    /// The pair of many public repositories for the 784 pixels of MNIST, for images with `pixels` numbers.
    pub fn digits(pixels: usize) -> Self {
        let chain = |first: usize, hidden: &[usize], last: usize| [&[first], hidden, &[last]].concat();
        Self {
            generator: mlp(&chain(LATENT, &GENERATOR, pixels), Normalisation::Batch, Some(Spec::Tanh)),
            discriminator: mlp(&chain(pixels, &DISCRIMINATOR, 1), Normalisation::None, None),
        }
    }

    /// A pair for points of the plane: [`Networks::points`] with 2 coordinates.
    pub fn plane(latent: usize, hidden: &[usize]) -> Self {
        Self::points(2, latent, hidden)
    }

    /// A pair for points with this number of coordinates: both have hidden layers of these widths, without normalisation.
    pub fn points(coordinates: usize, latent: usize, hidden: &[usize]) -> Self {
        let chain = |first: usize, last: usize| [&[first], hidden, &[last]].concat();
        let [generator, discriminator] = [chain(latent, coordinates), chain(coordinates, 1)]
            .map(|widths| mlp(&widths, Normalisation::None, None));
        Self { generator, discriminator }
    }

    /// Checks that the networks fit together and fit the objective.
    ///
    /// **Errors** [`Error::InvalidArgument`] if a layer has no units, the discriminator does not accept the samples or
    /// has more than one output, or it has batch normalisation and `objective` has a gradient penalty.
    pub fn validate(&self, objective: &Objective) -> Result<()> {
        let has_units = |plan: &Plan| plan.shapes().all(|shape| shape.size() > 0);
        if !has_units(&self.generator) || !has_units(&self.discriminator) {
            return Err(Error::invalid(self, "every layer has at least 1 unit"));
        }
        if !self.shapes_match() {
            return Err(Error::invalid(
                self,
                "the discriminator goes from the generator's samples to 1 number",
            ));
        }
        if matches!(objective, Objective::Penalty { .. }) && self.discriminator.mixes_examples() {
            return Err(penalised_batch_norm());
        }
        Ok(())
    }

    fn shapes_match(&self) -> bool {
        self.generator.output() == self.discriminator.input && self.discriminator.output().size() == 1
    }

    /// Builds and initialises generator and discriminator.
    ///
    /// **Errors** Those of [`Plan::build`].
    ///
    /// **Randomness** [`Networks::initialisation`] from the substreams 0 and 1 of `init`.
    pub fn start<T: Element>(&self, init: Stream) -> Result<[Sequential<T>; 2]> {
        let mut players = [self.generator.build()?, self.discriminator.build()?];
        for (player, index) in players.iter_mut().zip(0..) {
            player.initialise(self.initialisation(), init.substream(index));
        }
        Ok(players)
    }

    /// The distribution of the initial parameters, which follows from the plans.
    ///
    /// It is that of Radford et al. 2016 if one of the networks has a convolution: weights are normal around 0 and scales of
    /// batch normalisation around 1, both with standard deviation 0.02, and biases are 0. Otherwise it is
    /// [`Initialisation::Uniform`].
    pub fn initialisation(&self) -> Initialisation {
        let mut layers = self.generator.layers.iter().chain(&self.discriminator.layers);
        match layers
            .any(|spec| matches!(spec, Spec::Conv(_) | Spec::SpectralConv(_) | Spec::ConvTranspose(_)))
        {
            true => Initialisation::Normal { standard_deviation: 0.02 },
            false => Initialisation::Uniform,
        }
    }
}

/// The error of a penalised critic with batch normalisation.
pub(crate) fn penalised_batch_norm() -> Error {
    Error::invalid(
        "batch normalisation in a penalised critic",
        "the penalty is on the slope at each sample by itself, which batch normalisation makes depend on the others; use \
         layer normalisation or none",
    )
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { generator, discriminator } = self;
        match (mlp::short(generator, true), mlp::short(discriminator, false)) {
            (Some(generator), Some(discriminator)) => {
                write!(f, "generator {generator}, discriminator {discriminator}")
            }
            _ => write!(f, "generator {generator}; discriminator {discriminator}"),
        }
    }
}

impl FromStr for Networks {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let text = text.strip_prefix("generator ")?;
            let [generator, discriminator] = match text.split_once("; discriminator ") {
                Some((generator, discriminator)) => [generator.parse().ok()?, discriminator.parse().ok()?],
                None => {
                    let (generator, discriminator) = text.split_once(", discriminator ")?;
                    [mlp::parse(generator, true)?, mlp::parse(discriminator, false)?]
                }
            };
            Some(Self { generator, discriminator }).filter(Self::shapes_match)
        };
        parse().ok_or_else(|| {
            Error::invalid(
                format!("networks '{text}'"),
                format!("they are written as '{}'", Self::digits(784)),
            )
        })
    }
}

impl From<Networks> for String {
    fn from(networks: Networks) -> Self {
        format!("{networks}")
    }
}

impl TryFrom<String> for Networks {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}
