//! A training run of a deep Boltzmann machine: restricted machines one after the other, if it is to be pre-trained, then
//! all layers together.
//!
//! As of a restricted machine (`run/rbm.rs`), every random number is a function of seed, epoch, mini-batch and row, and a
//! resumed run ends with the same bits. Epochs count through all stages.

mod checkpoint;
mod evaluation;
mod settings;
mod stage;

pub(crate) use evaluation::smaller_side;
pub use evaluation::{Bounds, Evaluation, How, Inference, Method, ReverseCheck, evaluate};
pub use settings::{Layers, Settings};

use super::{Counter, Metrics, Progress, RunDirectory};
use crate::boltzmann::Dbm;
use crate::boltzmann::learning::Rates;
use crate::checkpoint::Archive;
use crate::data::{Binarisation, BinaryImages, Digits, Images};
use crate::parallel;
use crate::rng::Stream;
use crate::{Error, Result};
use serde::Serialize;
use stage::{Below, Monitors, Stage, monitored};
use std::path::Path;
use std::time::Instant;

/// Images that monitors look at: the first of the test images and the first of the training images.
pub const MONITORED: usize = 1_000;

/// Columns of `metrics.csv` after the epoch.
const COLUMNS: [&str; 6] = [
    "stage [machine of the pre-training; 0 in joint training]",
    "reconstruction_error [mean squared error per unit]",
    "bound_gap [nats]",
    "mean_field_iterations [count]",
    "mean_field_change [probability]",
    "seconds [s]",
];

/// What a run came to: `summary.json`.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// `dbm`.
    pub model: &'static str,
    /// Where the data came from.
    pub data: String,
    /// Units of each layer, the visible one first.
    pub sizes: Vec<usize>,
    /// Training images.
    pub train_images: usize,
    /// Test images that the monitors look at.
    pub monitored_images: usize,
    /// Wall-clock time of each epoch's updates, shuffling and binarisation included, monitors not; seconds.
    pub seconds_per_epoch: Vec<f64>,
    /// What the monitors read after each epoch.
    pub epochs: Vec<EpochSummary>,
}

/// The monitors after one epoch.
#[derive(Debug, Clone, Serialize)]
pub struct EpochSummary {
    /// Counted from 1, through all stages.
    pub epoch: usize,
    /// The machine of the pre-training, from 1, the lowest; 0 in joint training.
    pub stage: usize,
    /// Mean squared error of what the first hidden layer's means make of training images; in pre-training, of what the
    /// machine makes of the means below it.
    pub reconstruction_error: f64,
    /// Mean variational bound of training images less that of test images, in which ln Z is not; nats.
    pub bound_gap: Option<f64>,
    /// Mean-field iterations of test images.
    pub mean_field_iterations: usize,
    /// The largest change of a mean in the last of them.
    pub mean_field_change: f64,
}

/// Trains a machine from the start and leaves it in `directory`.
///
/// **Errors** [`Error::InvalidArgument`] for settings out of range; [`Error::Diverged`] once a parameter is not
/// finite, with the last checkpoint kept; [`Error::Interrupted`] after `stop` returned true, with a checkpoint
/// written; [`Error::Io`].
pub fn train(
    directory: &RunDirectory,
    settings: &Settings,
    digits: &Digits,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(Dbm<f32>, Summary)> {
    settings.check(digits.train.len())?;
    directory.write_config(settings, &[("checkpoint", FORMAT)])?;
    let metrics = Metrics::create(directory, Counter::EPOCHS, &COLUMNS)?;
    let mut run = Run::new(settings, digits)?;
    run.write_checkpoint(directory)?;
    run.finish(directory, digits, metrics, progress, stop)
}

/// Continues the run in `directory`, with the settings it was started with.
///
/// **Errors** as [`train`]; [`Error::Malformed`] if the checkpoint does not fit the settings or the data.
pub fn resume(
    directory: &RunDirectory,
    digits: &Digits,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(Dbm<f32>, Summary)> {
    let settings: Settings = directory.read_config()?;
    settings.check(digits.train.len())?;
    let mut run = Run::new(&settings, digits)?;
    run.restore(&directory.read_checkpoint()?)?;
    let metrics = Metrics::resume(directory, Counter::EPOCHS, &COLUMNS, run.epoch)?;
    run.finish(directory, digits, metrics, progress, stop)
}

/// The machine that `settings` make, from the run in `path` as far as it has come with these settings; any other run
/// there is in the way, unless `force` replaces it.
///
/// **Errors** as [`train`], [`resume`] and [`RunDirectory::create`].
pub fn train_or_resume(
    path: &Path,
    force: bool,
    settings: &Settings,
    digits: &Digits,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(Dbm<f32>, Summary)> {
    let (directory, is_begun) = RunDirectory::open_or_create(path, force, settings)?;
    if is_begun {
        return resume(&directory, digits, progress, stop);
    }
    train(&directory, settings, digits, progress, stop)
}

/// Version of what a checkpoint holds.
const FORMAT: &str = "1";

/// A run between two updates.
struct Run<'a> {
    settings: &'a Settings,
    /// Units of each layer.
    sizes: Vec<usize>,
    stage: Stage,
    below: Below,
    /// The mean of the training images.
    mean: Vec<f32>,
    training: Vec<f32>,
    validation: Vec<f32>,
    /// The training images as bits, if they are binary.
    states: Option<BinaryImages>,
    /// The images in the order of the current epoch.
    order: Vec<usize>,
    /// A mini-batch that the machines below look at.
    images: Vec<f32>,
    /// Epochs that are complete, of all stages.
    epoch: usize,
    /// Mini-batches of the current epoch that are complete.
    batch: usize,
    /// Time that they took.
    seconds: f64,
}

impl<'a> Run<'a> {
    fn new(settings: &'a Settings, digits: &Digits) -> Result<Self> {
        let seed = settings.seed;
        let images = digits.train.images();
        let mut states = (settings.binarise != Binarisation::Grey).then(|| BinaryImages::new(images));
        if let (Binarisation::Threshold, Some(states)) = (settings.binarise, &mut states) {
            // The same in every epoch.
            states.fill(settings.binarise, images, Stream::named(seed, "binarise"))?;
        }
        let mean = settings.binarise.mean(images);
        let training = monitored(images, settings, seed)?;
        let mut below = Below::new(settings);
        Ok(Self {
            settings,
            sizes: [mean.len()].iter().chain(&settings.hidden.0).copied().collect(),
            stage: Stage::begin(settings, &mut below, &mean, &training)?,
            below,
            mean,
            training,
            validation: monitored(digits.test.images(), settings, seed + 1)?,
            states,
            order: (0..images.len()).collect(),
            images: Vec::new(),
            epoch: 0,
            batch: 0,
            seconds: 0.0,
        })
    }

    /// Trains to the last epoch and writes model and summary.
    fn finish(
        mut self,
        directory: &RunDirectory,
        digits: &Digits,
        mut metrics: Metrics,
        progress: &mut Progress,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<(Dbm<f32>, Summary)> {
        let (images, epochs) = (digits.train.len(), self.settings.all_epochs());
        progress.start((epochs as u64).saturating_mul(images as u64), "images");
        let done = self.epoch as u64 * images as u64;
        progress.skip(done + (self.batch * self.settings.batch).min(images) as u64);
        while self.epoch < epochs {
            // Inside the pool, so that no kernel has to enter it.
            if !parallel::within_awake(|| self.train_epoch(digits.train.images(), progress, stop))? {
                self.write_checkpoint(directory)?;
                progress.finish("");
                let path = directory.path().display();
                return Err(Error::Interrupted {
                    resume: format!("`equilibria dbm train --resume {path}` goes on from here"),
                });
            }
            let text = self.end_epoch(&mut metrics)?;
            self.write_checkpoint(directory)?;
            progress.message(&text);
            progress.epoch_line(&format!("epoch {:>3}/{epochs}  {text}", self.epoch));
        }
        progress.finish("");
        let Stage::Joint(learner) = self.stage else { unreachable!("joint training comes last") };
        let model = learner.into_model();
        let mut archive = model.to_archive()?;
        let settings = Settings { data: digits.name.clone(), ..self.settings.clone() };
        super::describe(&mut archive, settings)?;
        directory.write_model(&archive)?;
        let summary = Summary {
            model: "dbm",
            data: digits.name.clone(),
            train_images: images,
            monitored_images: self.validation.len() / self.sizes[0],
            sizes: self.sizes,
            seconds_per_epoch: metrics.rows().iter().filter_map(|row| row.values.last().copied()).collect(),
            epochs: metrics.rows().iter().map(|row| EpochSummary::of(row.count, &row.values)).collect(),
        };
        directory.write_summary(&summary)?;
        Ok((model, summary))
    }

    /// Reads the monitors and goes on to the next stage after the last epoch of one. Returns what there is to say.
    fn end_epoch(&mut self, metrics: &mut Metrics) -> Result<String> {
        let stage = self.settings.machine(self.epoch).map_or(0, |place| place + 1);
        let Monitors { reconstruction_error, bound_gap, iterations, change } =
            self.stage.monitors(self.settings, &mut self.below, [&self.training, &self.validation]);
        self.epoch += 1;
        let values = [stage as f64, reconstruction_error, bound_gap, iterations as f64, change, self.seconds];
        metrics.append(self.epoch, &values)?;
        (self.batch, self.seconds) = (0, 0.0);
        if stage == 0 {
            return Ok(format!(
                "reconstruction {reconstruction_error:.4}, bound gap {bound_gap:.2}, mean-field {iterations} \
                 iterations to {change:.0e}"
            ));
        }
        if self.settings.machine(self.epoch) != Some(stage - 1) {
            if let Stage::Alone(learner) = &mut self.stage {
                self.below.machines.push(learner.model().clone());
            }
            self.stage = Stage::begin(self.settings, &mut self.below, &self.mean, &self.training)?;
        }
        Ok(format!("pre-training of layer {stage}, reconstruction {reconstruction_error:.4}"))
    }

    fn rates(&self) -> Rates {
        let settings = self.settings;
        let (learning_rate, epoch) = match settings.machine(self.epoch) {
            Some(_) => (settings.pretraining_rate, 1),
            None => {
                let epoch = self.epoch + 1 - (settings.all_epochs() - settings.epochs);
                (settings.learning_rate.at(epoch, settings.epochs), epoch)
            }
        };
        let momentum = settings.momentum.at(epoch, settings.epochs);
        Rates { learning_rate, momentum, weight_decay: settings.weight_decay }
    }

    /// The rest of the current epoch; false if `stop` asked to stop before its end.
    fn train_epoch(
        &mut self,
        images: &Images,
        progress: &mut Progress,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<bool> {
        let settings = self.settings;
        let epoch = self.epoch as u64;
        let stream = |name| Stream::named(settings.seed, name).substream(epoch);
        stream("shuffle").permutation(&mut self.order);
        let rates = self.rates();
        let clock = Instant::now();
        if let (Binarisation::Sampled, Some(states)) = (settings.binarise, &mut self.states) {
            states.fill(settings.binarise, images, stream("binarise"))?;
        }
        for batch in self.order.chunks(settings.batch).skip(self.batch) {
            if stop() {
                self.seconds += clock.elapsed().as_secs_f64();
                return Ok(false);
            }
            let chain = stream("chain").substream(self.batch as u64 + 1);
            let is_lowest = self.below.machines.is_empty() || matches!(self.stage, Stage::Joint(_));
            match &self.states {
                Some(states) if is_lowest => states.gather(batch, self.stage.states_mut(batch.len())),
                _ if is_lowest => {
                    let place = self.stage.images_mut(batch.len());
                    settings.binarise.fill(images, batch, stream("binarise"), place)?;
                }
                _ => {
                    self.images.resize(batch.len() * images.pixels_per_image(), 0.0);
                    settings.binarise.fill(images, batch, stream("binarise"), &mut self.images)?;
                    // Beyond those of an update.
                    let states = self.below.states_of(&self.images, chain.substream(2));
                    self.stage.images_mut(batch.len()).copy_from_slice(states);
                }
            }
            if !self.stage.update(rates, chain) {
                return Err(self.diverged(rates));
            }
            self.batch += 1;
            progress.advance(batch.len() as u64);
        }
        self.seconds += clock.elapsed().as_secs_f64();
        Ok(true)
    }

    fn diverged(&mut self, rates: Rates) -> Error {
        let is_joint = matches!(self.stage, Stage::Joint(_));
        let what = if is_joint { "the learning rate" } else { "the learning rate of the pre-training" };
        Error::Diverged {
            epoch: self.epoch + 1,
            batch: self.batch + 1,
            parameter: self.stage.first_not_finite(),
            cause: format!(
                "the likely cause is {what} of {:?} (with momentum {:?}); try a tenth of it; the checkpoint after \
                 {} epochs is kept",
                rates.learning_rate, rates.momentum, self.epoch
            ),
        }
    }
}

impl EpochSummary {
    fn of(epoch: usize, values: &[f64]) -> Self {
        Self {
            epoch,
            stage: values[0] as usize,
            reconstruction_error: values[1],
            bound_gap: Some(values[2]).filter(|gap| !gap.is_nan()),
            mean_field_iterations: values[3] as usize,
            mean_field_change: values[4],
        }
    }
}

/// The machine that MODEL stands for, a run directory or a safetensors file, and the settings that it was trained with:
/// those of its run directory, or else those in the file's metadata, which name the data but not its place; `None` if
/// there are neither.
///
/// **Errors** [`Error::NotFound`], [`Error::Malformed`], [`Error::Io`].
pub fn load_model_and_settings(path: &Path) -> Result<(Dbm<f32>, Option<Settings>)> {
    let archive = super::read_archive(&super::locate_model(path)?)?;
    let model = Dbm::from_archive(&archive)?;
    Ok((model, super::settings_of(path, &archive)?))
}

/// The machine that MODEL stands for as an archive of nothing but its parameters, as f32, and of its settings, where they
/// are known.
///
/// **Errors** as [`load_model_and_settings`].
pub fn load_alone(path: &Path) -> Result<Archive> {
    let archive = super::read_archive(&super::locate_model(path)?)?;
    let mut alone = Dbm::from_archive(&archive)?.to_archive()?;
    super::copy_settings::<Settings>(path, &archive, &mut alone)?;
    Ok(alone)
}
