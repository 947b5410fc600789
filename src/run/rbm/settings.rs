//! The options of a training run.

use crate::Result;
use crate::boltzmann::learning::NegativePhase;
use crate::data::{Binarisation, Dataset, Reading};
use crate::optim::Schedule;
use crate::run::images::MONITORED;
use crate::run::settings::{self, BELOW_1, NOT_NEGATIVE, RunSettings};
use crate::run::text::parse;
use crate::run::{Source, absolute_source};
use clap::Args;
use serde::{Deserialize, Serialize};

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
    /// Number of hidden units.
    #[arg(long, default_value = "500")]
    pub hidden: usize,
    /// Number of passes over the training images.
    #[arg(long, default_value = "10")]
    pub epochs: usize,
    /// Images in a mini-batch; for pcd and tempering, also the number of chains.
    #[arg(long, default_value = "100")]
    pub batch: usize,
    /// Factor of the mini-batch's mean gradient; a schedule.
    #[arg(long, default_value = "0.05", value_parser = parse::<Schedule>)]
    #[serde(with = "crate::run::text")]
    pub learning_rate: Schedule,
    /// Share of the previous update that is added to the next; a schedule.
    #[arg(long, default_value = "0.5", value_parser = parse::<Schedule>)]
    #[serde(with = "crate::run::text")]
    pub momentum: Schedule,
    /// L2 weight decay, multiplied by the learning rate.
    #[arg(long, default_value = "0.0001")]
    pub weight_decay: f64,
    /// Source of the negative phase: cd, pcd or tempering:N, with N temperatures (about 40 for 500 hidden units; check the
    /// swap rates in metrics.csv).
    #[arg(long, default_value = "pcd", value_parser = parse::<NegativePhase>)]
    #[serde(with = "crate::run::text")]
    pub method: NegativePhase,
    /// Gibbs steps per update.
    #[arg(long, default_value = "1")]
    pub steps: usize,
    /// Use the centred gradient, which subtracts the mean of each unit; inverted images are then learned as well.
    #[arg(long)]
    #[serde(default)]
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

    /// Bytes of a run on images of `visible` pixels.
    fn memory(&self, visible: usize) -> u128 {
        let [visible, hidden, batch] = [visible, self.hidden, self.batch].map(|size| size as u128);
        let monitors = MONITORED as u128 * MONITOR_LAYERS * hidden;
        // The images count as chains too.
        let chains = 1 + self.method.temperatures() as u128;
        let numbers =
            COPIES * visible * hidden + (CHAIN * chains + BATCH) * batch * (visible + hidden) + monitors;
        numbers * size_of::<f32>() as u128
    }
}

/// Numbers per weight: the weight, its velocity, and both again in a checkpoint and in its bytes.
const COPIES: u128 = 6;
/// Numbers per unit of a chain: its input, its probability, and the offset and the factor of its change.
const CHAIN: u128 = 4;
/// Further numbers per unit and image: the image or its probabilities, and the gradient's lists of both phases.
const BATCH: u128 = 6;
/// Hidden layers that the monitors hold at once.
const MONITOR_LAYERS: u128 = 2;

impl RunSettings for Settings {
    settings::usual_fields!(epochs);

    fn depends_on_length(&self) -> Vec<&'static str> {
        settings::changing(&[("--learning-rate", &self.learning_rate), ("--momentum", &self.momentum)])
    }

    fn load(&self) -> Result<Dataset> {
        self.source().load()
    }

    fn check(&self) -> Result<()> {
        settings::whole(&[
            ("--hidden", self.hidden, 1..=1 << 20, "hidden units"),
            ("--epochs", self.epochs, 1..=1 << 30, "epochs"),
            ("--batch", self.batch, 1..=usize::MAX, "image in a mini-batch"),
            ("--steps", self.steps, 1..=1 << 30, "Gibbs steps per update"),
        ])?;
        settings::seed(self.seed)?;
        settings::schedule("--learning-rate", &self.learning_rate, &NOT_NEGATIVE)?;
        settings::schedule("--momentum", &self.momentum, &BELOW_1)?;
        settings::real(&[("--weight-decay", self.weight_decay, NOT_NEGATIVE)])
    }

    fn check_data(&self, digits: &Dataset) -> Result<()> {
        settings::batch(self.batch, digits)?;
        settings::memory(self.memory(digits.train.images().values_per_image()), || {
            let method = match self.method.temperatures() {
                1 => String::new(),
                _ => format!(" --method {}", self.method),
            };
            format!("--hidden {} --batch {}{method}", self.hidden, self.batch)
        })
    }
}
