//! The settings of a training run: `config.toml`.

use crate::Result;
use crate::boltzmann::learning::NegativePhase;
use crate::data::{Binarisation, Digits};
use crate::optim::Schedule;
use crate::run::{Source, Trained, checks};
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
    #[serde(with = "crate::run::text")]
    pub binarise: Binarisation,
    /// Hidden units.
    pub hidden: usize,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images in a mini-batch; with persistent chains, also their number.
    pub batch: usize,
    /// Multiplies the mean gradient of a mini-batch.
    #[serde(with = "crate::run::text")]
    pub learning_rate: Schedule,
    /// Share of the last update that is kept, if that one had momentum, too.
    #[serde(with = "crate::run::text")]
    pub momentum: Schedule,
    /// Pull of the weights to 0, multiplied by the learning rate.
    pub weight_decay: f64,
    /// Where the negative phase comes from.
    #[serde(with = "crate::run::text")]
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

    /// Checks the settings for a set of `images` training images.
    ///
    /// **Errors** [`Error::InvalidArgument`](crate::Error::InvalidArgument), in the words of the command line.
    pub fn check(&self, images: usize) -> Result<()> {
        let at_least_1 = [
            ("--hidden", self.hidden, "a machine needs at least 1 hidden unit"),
            ("--epochs", self.epochs, "training needs at least 1 epoch"),
            ("--batch", self.batch, "a mini-batch needs at least 1 image"),
            ("--steps", self.steps, "the negative phase needs at least 1 Gibbs step"),
        ];
        checks::at_least_1(&at_least_1)?;
        checks::at_most(&[
            ("--hidden", self.hidden, 1 << 20, "hidden units fit"),
            ("--epochs", self.epochs, 1 << 30, "epochs can be counted"),
            ("--steps", self.steps, 1 << 30, "Gibbs steps can be counted"),
        ])?;
        checks::batch(self.batch, images)?;
        checks::seed(self.seed)?;
        checks::learning_rate(&self.learning_rate)?;
        checks::momentum(&self.momentum)?;
        checks::weight_decay(self.weight_decay)?;
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
    /// **Errors** [`Error::InvalidArgument`](crate::Error::InvalidArgument), in the words of the command line.
    pub fn check_memory(&self, visible: usize) -> Result<()> {
        let [visible, hidden, batch] = [visible, self.hidden, self.batch].map(|size| size as u128);
        let monitors = super::MONITORED as u128 * MONITOR_LAYERS * hidden;
        // The images are chains, too.
        let chains = 1 + self.method.temperatures() as u128;
        let numbers =
            COPIES * visible * hidden + (CHAIN * chains + BATCH) * batch * (visible + hidden) + monitors;
        let bytes = numbers * size_of::<f32>() as u128;
        let method = match self.method.temperatures() {
            1 => String::new(),
            _ => format!(" --method {}", self.method),
        };
        checks::memory(bytes, || format!("--hidden {hidden} --batch {batch}{method}"))
    }
}
