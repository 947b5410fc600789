//! The options of a deep machine's training run.

use crate::boltzmann::Stop;
use crate::boltzmann::learning::deep::Sparsity;
use crate::data::{Binarisation, Dataset, Reading};
use crate::optim::Schedule;
use crate::run::settings::{self, BELOW_1, NOT_NEGATIVE, POSITIVE, RunSettings};
use crate::run::text::parse;
use crate::run::{Source, absolute_source};
use crate::{Error, Result};
use clap::{ArgAction, Args};
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

/// Images that the monitors use at most: the first test images and the first training images.
pub const MONITORED: usize = 1_000;

/// Everything that determines the result of a run, apart from the bytes of the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `synthetic`, or a folder with MNIST's four files (or its parent).
    #[arg(long, default_value = "synthetic", value_parser = absolute_source())]
    pub data: String,
    /// Number of training images to use, from the first [default: all].
    #[arg(long)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<usize>,
    /// Swap background and ink.
    #[arg(long)]
    #[serde(default)]
    pub invert: bool,
    /// Conversion of grey values to states: threshold, sampled (again in each epoch) or grey (probabilities).
    #[arg(long, default_value = "threshold", value_parser = parse::<Binarisation>)]
    #[serde(with = "crate::run::text")]
    pub binarise: Binarisation,
    /// Units of each hidden layer, the lowest first; at least 2 layers.
    #[arg(long, default_value = "500-1000", value_parser = parse::<Layers>)]
    #[serde(with = "crate::run::text")]
    pub hidden: Layers,
    /// Number of passes over the training images for each restricted machine of the pre-training; 0 for no pre-training.
    #[arg(long, default_value = "0")]
    pub pretraining_epochs: usize,
    /// Learning rate of the pre-training.
    #[arg(long, default_value = "0.05")]
    pub pretraining_rate: f64,
    /// Number of passes over the training images in joint training.
    #[arg(long, default_value = "100")]
    pub epochs: usize,
    /// Images in a mini-batch.
    #[arg(long, default_value = "100")]
    pub batch: usize,
    /// Number of persistent chains of the negative phase.
    #[arg(long, default_value = "100")]
    pub chains: usize,
    /// Factor of the mini-batch's mean gradient in joint training; a schedule.
    #[arg(long, default_value = "0.05..0.0005", value_parser = parse::<Schedule>)]
    #[serde(with = "crate::run::text")]
    pub learning_rate: Schedule,
    /// Share of the previous update that is added to the next; a schedule, whose first value also serves the pre-training.
    #[arg(long, default_value = "0.5", value_parser = parse::<Schedule>)]
    #[serde(with = "crate::run::text")]
    pub momentum: Schedule,
    /// L2 weight decay, multiplied by the learning rate.
    #[arg(long, default_value = "0.0002")]
    pub weight_decay: f64,
    /// Gibbs sweeps of the chains per update.
    #[arg(long, default_value = "5")]
    pub sweeps: usize,
    /// Mean-field inference has converged when no mean changes by more than this.
    #[arg(long, default_value = "0.001")]
    pub tolerance: f64,
    /// Maximum number of mean-field iterations per update.
    #[arg(long, default_value = "30")]
    pub iterations: usize,
    /// Target mean activations of the hidden layers, the lowest first, such as 0.2,0.1 [default: none].
    #[arg(long, value_delimiter = ',')]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sparsity: Vec<f64>,
    /// Strength of the pull towards these targets, multiplied by the learning rate.
    #[arg(long, default_value = "0.01")]
    pub sparsity_cost: f64,
    /// Largest Euclidean norm of the weights from the layer below to a hidden unit [default: none].
    #[arg(long)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_norm: Option<f64>,
    /// The centred gradient, which subtracts the mean of each unit.
    #[arg(long = "plain", action = ArgAction::SetFalse, help = "Do not use the centred gradient")]
    pub centred: bool,
    /// Seed of all random numbers.
    #[arg(long, default_value = "1")]
    pub seed: u64,
    /// Options of reading the images.
    #[command(flatten)]
    #[serde(default, skip_serializing_if = "Reading::is_default")]
    pub reading: Reading,
}

impl Default for Settings {
    fn default() -> Self {
        settings::from_arguments(&[])
    }
}

impl Settings {
    pub(crate) fn source(&self) -> Source<'_> {
        Source { data: &self.data, images: self.images, invert: self.invert, reading: &self.reading }
    }

    /// The end of mean-field inference in training.
    pub fn stop(&self) -> Stop {
        Stop { tolerance: self.tolerance, iterations: self.iterations }
    }

    pub(super) fn sparse(&self) -> Option<Sparsity> {
        (!self.sparsity.is_empty())
            .then(|| Sparsity { targets: self.sparsity.clone(), cost: self.sparsity_cost })
    }

    /// The number of epochs of all stages.
    pub fn all_epochs(&self) -> usize {
        self.pretraining_epochs * self.hidden.0.len() + self.epochs
    }

    /// The restricted machine that learns in the epoch after `done` epochs, 0 for the lowest; `None` in joint training.
    pub(super) fn machine(&self, done: usize) -> Option<usize> {
        done.checked_div(self.pretraining_epochs).filter(|&place| place < self.hidden.0.len())
    }

    fn check_layers(&self) -> Result<()> {
        let layers = &self.hidden.0;
        let expected = if layers.contains(&0) {
            "each hidden layer needs at least 1 unit"
        } else if layers.len() < 2 {
            "a deep machine has at least 2 hidden layers, such as 500-1000; `equilibria rbm train` trains one with a single \
             layer"
        } else if layers.len() > 64 || layers.iter().any(|&units| units > 1 << 20) {
            "at most 64 layers of 1048576 hidden units fit"
        } else {
            return Ok(());
        };
        Err(Error::invalid(format!("--hidden {}", self.hidden), expected))
    }

    fn check_sparsity(&self) -> Result<()> {
        let expected = if !self.sparsity.is_empty() && self.sparsity.len() != self.hidden.0.len() {
            format!("a target for each of the {} hidden layers", self.hidden.0.len())
        } else if !self.sparsity.iter().all(|target| (0.0..=1.0).contains(target)) {
            "a target is a mean activation from 0 to 1".into()
        } else {
            return Ok(());
        };
        let text: Vec<String> = self.sparsity.iter().map(ToString::to_string).collect();
        Err(Error::invalid(format!("--sparsity {}", text.join(",")), expected))
    }

    /// Bytes of a run on images of `visible` pixels.
    fn memory(&self, visible: usize) -> u128 {
        let sizes: Vec<u128> = [visible].iter().chain(&self.hidden.0).map(|&units| units as u128).collect();
        let weights: u128 = sizes.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let units: u128 = sizes.iter().sum();
        let rows = self.batch as u128 + self.chains as u128;
        (COPIES * weights + (UNIT * rows + MONITORED as u128) * units) * size_of::<f32>() as u128
    }
}

/// Numbers per weight: the weight in three layouts, its velocity, and both again in a checkpoint and in its bytes.
const COPIES: u128 = 8;
/// Numbers per unit of each image and chain: inputs, probabilities, means, the gradient's lists.
const UNIT: u128 = 8;

impl RunSettings for Settings {
    settings::usual_fields!(epochs);

    fn depends_on_length(&self) -> Vec<&'static str> {
        settings::changing(&[("--learning-rate", &self.learning_rate), ("--momentum", &self.momentum)])
    }

    fn load(&self) -> Result<Dataset> {
        self.source().load()
    }

    fn check(&self) -> Result<()> {
        self.check_layers()?;
        settings::whole(&[
            ("--epochs", self.epochs, 1..=1 << 30, "epochs of joint training"),
            ("--pretraining-epochs", self.pretraining_epochs, 0..=1 << 20, "epochs of pre-training"),
            ("--batch", self.batch, 1..=usize::MAX, "image in a mini-batch"),
            ("--chains", self.chains, 1..=1 << 20, "chains"),
            ("--sweeps", self.sweeps, 1..=1 << 30, "Gibbs sweeps per update"),
            ("--iterations", self.iterations, 1..=1 << 30, "mean-field iterations"),
        ])?;
        settings::seed(self.seed)?;
        settings::schedule("--learning-rate", &self.learning_rate, &NOT_NEGATIVE)?;
        settings::schedule("--momentum", &self.momentum, &BELOW_1)?;
        settings::real(&[
            ("--weight-decay", self.weight_decay, NOT_NEGATIVE),
            ("--pretraining-rate", self.pretraining_rate, NOT_NEGATIVE),
            ("--tolerance", self.tolerance, NOT_NEGATIVE),
            ("--sparsity-cost", self.sparsity_cost, NOT_NEGATIVE),
            ("--max-norm", self.max_norm.unwrap_or(1.0), POSITIVE),
        ])?;
        self.check_sparsity()
    }

    fn check_data(&self, digits: &Dataset) -> Result<()> {
        settings::batch(self.batch, digits)?;
        settings::memory(self.memory(digits.train.images().values_per_image()), || {
            format!("--hidden {} --batch {} --chains {}", self.hidden, self.batch, self.chains)
        })
    }
}

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
