//! The settings of a deep machine's training run: `config.toml`.

use crate::boltzmann::Stop;
use crate::boltzmann::learning::deep::Sparsity;
use crate::data::{Binarisation, Digits};
use crate::optim::Schedule;
use crate::run::{Source, Trained, checks};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Units of each hidden layer, the lowest first; written `500-1000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layers(pub Vec<usize>);

impl FromStr for Layers {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let layers: Option<Vec<usize>> = text.split('-').map(|units| units.trim().parse().ok()).collect();
        layers.map(Self).ok_or_else(|| {
            let expected = "write the units of each hidden layer, the lowest first, such as 500-1000";
            Error::invalid(format!("--hidden {text}"), expected)
        })
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&units.join("-"))
    }
}

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
    #[serde(with = "crate::run::text")]
    pub binarise: Binarisation,
    /// Hidden layers.
    #[serde(with = "crate::run::text")]
    pub hidden: Layers,
    /// Passes over the training images for each restricted machine of the pre-training; none, if 0.
    pub pretraining_epochs: usize,
    /// Learning rate of the pre-training.
    pub pretraining_rate: f64,
    /// Passes over the training images of the joint training.
    pub epochs: usize,
    /// Images in a mini-batch.
    pub batch: usize,
    /// Persistent chains.
    pub chains: usize,
    /// Multiplies the mean gradient of a mini-batch, in joint training.
    #[serde(with = "crate::run::text")]
    pub learning_rate: Schedule,
    /// Share of the last update that is kept, if that one had momentum, too; in pre-training its value at epoch 1.
    #[serde(with = "crate::run::text")]
    pub momentum: Schedule,
    /// Pull of the weights to 0, multiplied by the learning rate.
    pub weight_decay: f64,
    /// Gibbs sweeps of the chains an update.
    pub sweeps: usize,
    /// Mean-field iterations end where no mean changes by more.
    pub tolerance: f64,
    /// Mean-field iterations of an update at most.
    pub iterations: usize,
    /// Mean activations that hidden layers are pulled to, the lowest first; empty for none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sparsity: Vec<f64>,
    /// How strongly they are.
    pub sparsity_cost: f64,
    /// The largest norm of the weights to a hidden unit from below; none, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_norm: Option<f64>,
    /// Whether units enter the gradient less their means.
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
            hidden: Layers(vec![500, 1000]),
            pretraining_epochs: 0,
            pretraining_rate: 0.05,
            epochs: 100,
            batch: 100,
            chains: 100,
            learning_rate: Schedule::line(0.05, 0.0005),
            momentum: Schedule::constant(0.5),
            weight_decay: 2e-4,
            sweeps: 5,
            tolerance: 1e-3,
            iterations: 30,
            sparsity: Vec::new(),
            sparsity_cost: 0.01,
            max_norm: None,
            centred: true,
            seed: 1,
        }
    }
}

impl Trained for Settings {
    fn data(&mut self) -> &mut String {
        &mut self.data
    }
}

impl Settings {
    /// The images to learn from.
    ///
    /// **Errors** as [`Digits::load`].
    pub fn load(&self) -> Result<Digits> {
        self.source().load()
    }

    /// Where the images come from.
    pub(crate) fn source(&self) -> Source<'_> {
        Source { data: &self.data, images: self.images, invert: self.invert }
    }

    /// Where mean-field iterations of training end.
    pub fn stop(&self) -> Stop {
        Stop { tolerance: self.tolerance, most: self.iterations }
    }

    pub(super) fn sparse(&self) -> Option<Sparsity> {
        (!self.sparsity.is_empty())
            .then(|| Sparsity { targets: self.sparsity.clone(), cost: self.sparsity_cost })
    }

    /// Epochs of all stages.
    pub fn all_epochs(&self) -> usize {
        self.pretraining_epochs * self.hidden.0.len() + self.epochs
    }

    /// The restricted machine that learns in the epoch after `done`, 0 being the lowest; none in joint training.
    pub(super) fn machine(&self, done: usize) -> Option<usize> {
        done.checked_div(self.pretraining_epochs).filter(|&place| place < self.hidden.0.len())
    }

    /// Checks the settings for a set of `images` training images.
    ///
    /// **Errors** [`Error::InvalidArgument`], in the words of the command line.
    pub fn check(&self, images: usize) -> Result<()> {
        self.check_layers()?;
        checks::at_least_1(&[
            ("--epochs", self.epochs, "joint training needs at least 1 epoch"),
            ("--batch", self.batch, "a mini-batch needs at least 1 image"),
            ("--chains", self.chains, "the negative phase needs at least 1 chain"),
            ("--sweeps", self.sweeps, "the negative phase needs at least 1 Gibbs sweep"),
            ("--iterations", self.iterations, "the positive phase needs at least 1 mean-field iteration"),
        ])?;
        checks::at_most(&[
            ("--epochs", self.epochs, 1 << 30, "epochs can be counted"),
            (
                "--pretraining-epochs",
                self.pretraining_epochs,
                1 << 20,
                "epochs of pre-training can be counted",
            ),
            ("--chains", self.chains, 1 << 20, "chains fit"),
            ("--sweeps", self.sweeps, 1 << 30, "Gibbs sweeps can be counted"),
            ("--iterations", self.iterations, 1 << 30, "iterations can be counted"),
        ])?;
        checks::batch(self.batch, images)?;
        checks::seed(self.seed)?;
        checks::learning_rate(&self.learning_rate)?;
        checks::momentum(&self.momentum)?;
        checks::weight_decay(self.weight_decay)?;
        let numbers = [
            ("--pretraining-rate", self.pretraining_rate, "a learning rate is a number of at least 0"),
            ("--tolerance", self.tolerance, "a tolerance is a number of at least 0"),
            ("--sparsity-cost", self.sparsity_cost, "a cost is a number of at least 0"),
        ];
        for (name, value, expected) in numbers {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::invalid(format!("{name} {value}"), expected));
            }
        }
        self.check_constraints()
    }

    fn check_layers(&self) -> Result<()> {
        let layers = &self.hidden.0;
        let invalid = |expected: &str| Err(Error::invalid(format!("--hidden {}", self.hidden), expected));
        if layers.contains(&0) {
            return invalid("each hidden layer needs at least 1 unit");
        }
        if layers.len() < 2 {
            return invalid(
                "a deep machine has at least 2 hidden layers, such as 500-1000; `equilibria rbm train` trains \
                 one with a single layer",
            );
        }
        if layers.len() > 64 || layers.iter().any(|&units| units > 1 << 20) {
            return invalid("at most 64 layers of 1048576 hidden units fit");
        }
        Ok(())
    }

    fn check_constraints(&self) -> Result<()> {
        if !self.sparsity.is_empty() {
            let text: Vec<String> = self.sparsity.iter().map(ToString::to_string).collect();
            let argument = format!("--sparsity {}", text.join(","));
            if self.sparsity.len() != self.hidden.0.len() {
                let expected = format!("a target for each of the {} hidden layers", self.hidden.0.len());
                return Err(Error::invalid(argument, expected));
            }
            if !self.sparsity.iter().all(|target| (0.0..=1.0).contains(target)) {
                return Err(Error::invalid(argument, "a target is a mean activation from 0 to 1"));
            }
        }
        match self.max_norm.filter(|&most| !(most > 0.0 && most.is_finite())) {
            Some(most) => Err(Error::invalid(format!("--max-norm {most}"), "a norm is a number above 0")),
            None => Ok(()),
        }
    }

    /// Asks the system whether it would give the memory that a run on images of `visible` pixels needs.
    ///
    /// **Errors** [`Error::InvalidArgument`], in the words of the command line.
    pub fn check_memory(&self, visible: usize) -> Result<()> {
        let sizes: Vec<u128> = [visible].iter().chain(&self.hidden.0).map(|&units| units as u128).collect();
        let weights: u128 = sizes.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let units: u128 = sizes.iter().sum();
        let rows = self.batch as u128 + self.chains as u128;
        let numbers = COPIES * weights + (UNIT * rows + super::MONITORED as u128) * units;
        checks::memory(numbers * size_of::<f32>() as u128, || {
            format!("--hidden {} --batch {} --chains {}", self.hidden, self.batch, self.chains)
        })
    }
}

/// Numbers of f32 for each weight: the weight in three layouts, its velocity, and both again in a checkpoint and in its
/// bytes.
const COPIES: u128 = 8;
/// Numbers for each unit of each image and chain: sums, probabilities, means, what the gradient lists.
const UNIT: u128 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_take_turns_before_all_learn_together() {
        let settings = Settings { pretraining_epochs: 2, epochs: 3, ..Settings::default() };
        let machines: Vec<_> = (0..settings.all_epochs()).map(|done| settings.machine(done)).collect();
        assert_eq!(machines, [Some(0), Some(0), Some(1), Some(1), None, None, None]);
        let settings = Settings { pretraining_epochs: 0, ..settings };
        assert_eq!((settings.all_epochs(), settings.machine(0)), (3, None));
    }

    #[test]
    fn layers_are_read_as_they_are_written() {
        assert_eq!("500-1000".parse::<Layers>().unwrap().to_string(), "500-1000");
        for text in ["", "500-", "a", "500,1000", "-1", "1--2"] {
            assert!(text.parse::<Layers>().is_err(), "{text}");
        }
    }
}
