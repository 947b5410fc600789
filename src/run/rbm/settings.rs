//! The settings of a training run: `config.toml`.

use crate::boltzmann::learning::NegativePhase;
use crate::data::{Binarisation, Digits};
use crate::optim::Schedule;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Everything that decides the outcome of a run, but for the bytes of the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `synthetic`, or the folder that holds the data.
    pub data: String,
    /// Training images to use; all, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<usize>,
    /// Whether background and ink are swapped.
    #[serde(default)]
    pub invert: bool,
    /// How grey values become states of the visible units.
    #[serde(with = "text")]
    pub binarise: Binarisation,
    /// Hidden units.
    pub hidden: usize,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images in a mini-batch; with persistent chains, also their number.
    pub batch: usize,
    /// Multiplies the mean gradient of a mini-batch.
    #[serde(with = "text")]
    pub learning_rate: Schedule,
    /// Share of the last update that is kept, if that one had momentum, too.
    #[serde(with = "text")]
    pub momentum: Schedule,
    /// Pull of the weights to 0, multiplied by the learning rate.
    pub weight_decay: f64,
    /// Where the negative phase comes from.
    #[serde(with = "text")]
    pub method: NegativePhase,
    /// Gibbs steps an update.
    pub steps: usize,
    /// Whether units enter the gradient less their means.
    #[serde(default)]
    pub centred: bool,
    /// Seed of all random numbers.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: "synthetic".into(),
            images: None,
            invert: false,
            binarise: Binarisation::Threshold,
            hidden: 500,
            epochs: 10,
            batch: 100,
            learning_rate: Schedule::constant(0.05),
            momentum: Schedule::constant(0.5),
            weight_decay: 1e-4,
            method: NegativePhase::Persistent,
            steps: 1,
            centred: false,
            seed: 1,
        }
    }
}

impl Settings {
    /// The images to learn from.
    ///
    /// **Errors** as [`Digits::load`].
    pub fn load(&self) -> Result<Digits> {
        self.load_from(&self.data, self.images)
    }

    /// Images from another place as these settings would have them.
    ///
    /// **Errors** as [`Digits::load`].
    pub fn load_from(&self, data: &str, images: Option<usize>) -> Result<Digits> {
        let mut digits = Digits::load(data, images)?;
        if self.invert {
            digits.invert();
        }
        Ok(digits)
    }

    /// Checks the settings for a set of `images` training images.
    ///
    /// **Errors** [`Error::InvalidArgument`], in the words of the command line.
    pub fn check(&self, images: usize) -> Result<()> {
        let at_least_1 = [
            ("--hidden", self.hidden, "a machine needs at least 1 hidden unit"),
            ("--epochs", self.epochs, "training needs at least 1 epoch"),
            ("--batch", self.batch, "a mini-batch needs at least 1 image"),
            ("--steps", self.steps, "the negative phase needs at least 1 Gibbs step"),
        ];
        for (name, value, expected) in at_least_1 {
            if value == 0 {
                return Err(Error::invalid(format!("{name} 0"), expected));
            }
        }
        let at_most = [
            ("--hidden", self.hidden, 1 << 20, "hidden units fit"),
            ("--epochs", self.epochs, 1 << 30, "epochs can be counted"),
            ("--steps", self.steps, 1 << 30, "Gibbs steps can be counted"),
        ];
        for (name, value, most, expected) in at_most {
            if value > most {
                return Err(Error::invalid(format!("{name} {value}"), format!("at most {most} {expected}")));
            }
        }
        if self.batch > images {
            let expected = format!("a mini-batch can have at most all {images} training images");
            return Err(Error::invalid(format!("--batch {}", self.batch), expected));
        }
        if self.seed > i64::MAX as u64 - 1 {
            return Err(Error::invalid(
                format!("--seed {}", self.seed),
                "a seed is at most 9223372036854775806",
            ));
        }
        if !self.learning_rate.all(|rate| rate >= 0.0) {
            let argument = format!("--learning-rate {}", self.learning_rate);
            return Err(Error::invalid(argument, "a learning rate is a number of at least 0"));
        }
        if !self.momentum.all(|momentum| (0.0..1.0).contains(&momentum)) {
            return Err(Error::invalid(
                format!("--momentum {}", self.momentum),
                "momentum is at least 0 and below 1",
            ));
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            let argument = format!("--weight-decay {}", self.weight_decay);
            return Err(Error::invalid(argument, "weight decay is a number of at least 0"));
        }
        Ok(())
    }
}

/// Numbers of f32 for each weight: the weight, its velocity, and both again in a checkpoint and in its bytes.
const COPIES: u128 = 6;
/// Numbers for each unit of each chain: its sum and its probability, and the offset and the factor of its change.
const CHAIN: u128 = 4;
/// Numbers for each unit and image beside a chain's: the image or its probabilities, and what the gradient lists of both
/// phases.
const BATCH: u128 = 6;
/// Hidden layers that the monitors hold at once.
const MONITOR_LAYERS: u128 = 2;

impl Settings {
    /// Asks the system whether it would give the memory that a run on images of `visible` pixels needs, so that
    /// a slip of the finger ends in a sentence and not in an abort.
    ///
    /// The answer is as good as the system's: some promise more than they have.
    ///
    /// **Errors** [`Error::InvalidArgument`], in the words of the command line.
    pub fn check_memory(&self, visible: usize) -> Result<()> {
        let [visible, hidden, batch] = [visible, self.hidden, self.batch].map(|size| size as u128);
        let monitors = super::MONITORED as u128 * MONITOR_LAYERS * hidden;
        // The images are chains, too.
        let chains = 1 + self.method.temperatures() as u128;
        let numbers =
            COPIES * visible * hidden + (CHAIN * chains + BATCH) * batch * (visible + hidden) + monitors;
        let bytes = numbers * size_of::<f32>() as u128;
        let given =
            usize::try_from(bytes).is_ok_and(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok());
        if given {
            return Ok(());
        }
        let method = match self.method.temperatures() {
            1 => String::new(),
            _ => format!(" --method {}", self.method),
        };
        Err(Error::invalid(
            format!("--hidden {hidden} --batch {batch}{method}"),
            format!(
                "training needs about {} GB of memory, more than there is; take fewer of any",
                bytes.div_ceil(1_000_000_000)
            ),
        ))
    }
}

/// Values that are written as their text.
mod text {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use std::fmt::Display;
    use std::str::FromStr;

    pub(super) fn serialize<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err = crate::Error>,
        D: Deserializer<'de>,
    {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
