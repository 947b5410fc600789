//! A training run of a restricted Boltzmann machine: the loop over the data, monitors, checkpoints.
//!
//! Every random number is a function of seed, epoch, mini-batch and row, so that a checkpoint holds parameters,
//! velocities, persistent chains and a place in the data, and a resumed run ends with the same bits.

mod evaluation;
mod settings;

pub use evaluation::{Anneal, Estimates, Evaluation, LogLikelihood, LogPartition, Method, evaluate};
pub(super) use evaluation::{check_images, disagreement, go_on, mean_over};
pub use settings::Settings;

use super::{Counter, Metrics, Progress, RunDirectory};
use crate::boltzmann::Rbm;
use crate::boltzmann::learning::{Learner, Rates, Reading, Swaps};
use crate::checkpoint::Archive;
use crate::data::{Binarisation, BinaryImages, Digits, Images};
use crate::parallel;
use crate::rng::Stream;
use crate::{Error, Result};
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

/// Images that monitors look at: the first of the test images and the first of the training images.
pub const MONITORED: usize = 2_000;

/// Columns of `metrics.csv` after the epoch, before the shares of swaps.
const COLUMNS: [&str; 4] = [
    "reconstruction_error [mean squared error per pixel]",
    "pseudo_log_likelihood [nats per image]",
    "stochastic_pseudo_log_likelihood [nats per image]",
    "free_energy_gap [nats]",
];
/// The last column.
const SECONDS: &str = "seconds [s]";

/// Columns of a run: with tempering, the share of swaps between each inverse temperature and the next.
fn columns(settings: &Settings) -> Vec<String> {
    let pairs = settings.method.temperatures() - 1;
    let swaps = (1..=pairs).map(|pair| format!("swap_rate_{pair} [share]"));
    COLUMNS.iter().map(ToString::to_string).chain(swaps).chain([SECONDS.into()]).collect()
}

/// What a run came to: `summary.json`.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// `rbm`.
    pub model: &'static str,
    /// Where the data came from.
    pub data: String,
    /// Visible units.
    pub visible: usize,
    /// Hidden units.
    pub hidden: usize,
    /// Training images.
    pub train_images: usize,
    /// Test images that the monitors look at.
    pub monitored_images: usize,
    /// Wall-clock time of each epoch's updates, shuffling and binarisation included, monitors not; seconds.
    pub seconds_per_epoch: Vec<f64>,
    /// What the monitors read after each epoch.
    pub epochs: Vec<EpochSummary>,
}

/// The monitors after one epoch; [`Reading`] defines them.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)] // as `Reading`
pub struct EpochSummary {
    pub epoch: usize,
    pub reconstruction_error: f64,
    pub pseudo_log_likelihood: f64,
    pub stochastic_pseudo_log_likelihood: f64,
    pub free_energy_gap: f64,
    /// Share of swaps between each inverse temperature and the next, from 1 down; there are none without tempering.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub swap_rates: Vec<f64>,
}

/// A machine as `images` are when monitors and reconstruction look at them: 0 or 1. Images that training samples
/// are sampled once; grey ones are thresholded.
///
/// **Shapes** returns (images, pixels).
///
/// **Errors** as [`Binarisation::fill`].
pub fn binary_images(
    images: &Images,
    count: usize,
    binarisation: Binarisation,
    seed: u64,
) -> Result<Vec<f32>> {
    let order: Vec<usize> = (0..count.min(images.len())).collect();
    let mut out = vec![0.0; order.len() * images.pixels_per_image()];
    states(binarisation).fill(images, &order, Stream::named(seed, "binarise"), &mut out)?;
    Ok(out)
}

/// The binarisation that gives states where training may use probabilities.
fn states(binarisation: Binarisation) -> Binarisation {
    match binarisation {
        Binarisation::Sampled => Binarisation::Sampled,
        Binarisation::Threshold | Binarisation::Grey => Binarisation::Threshold,
    }
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
) -> Result<(Rbm<f32>, Summary)> {
    settings.check(digits.train.len())?;
    directory.write_config(settings, &[("checkpoint", FORMAT)])?;
    let metrics = Metrics::create(directory, Counter::EPOCHS, &columns(settings))?;
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
) -> Result<(Rbm<f32>, Summary)> {
    let settings: Settings = directory.read_config()?;
    settings.check(digits.train.len())?;
    let mut run = Run::new(&settings, digits)?;
    run.restore(&directory.read_checkpoint()?)?;
    let metrics = Metrics::resume(directory, Counter::EPOCHS, &columns(&settings), run.epoch)?;
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
) -> Result<(Rbm<f32>, Summary)> {
    let (directory, is_begun) = RunDirectory::open_or_create(path, force, settings)?;
    if is_begun {
        return resume(&directory, digits, progress, stop);
    }
    train(&directory, settings, digits, progress, stop)
}

/// Version of what a checkpoint holds.
const FORMAT: &str = "2";

/// A run between two updates.
struct Run<'a> {
    settings: &'a Settings,
    learner: Learner<f32>,
    training: Vec<f32>,
    validation: Vec<f32>,
    /// The training images as bits, if they are binary.
    states: Option<BinaryImages>,
    /// The images in the order of the current epoch.
    order: Vec<usize>,
    /// Epochs that are complete.
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
        let model = Rbm::new(&settings.binarise.mean(images), settings.hidden, Stream::named(seed, "init"))?;
        let chains = Stream::named(seed, "chain");
        let mut learner = Learner::new(model, settings.method, settings.steps, settings.batch, chains);
        if settings.centred {
            learner = learner.centred();
        }
        let mut states = (settings.binarise != Binarisation::Grey).then(|| BinaryImages::new(images));
        if let (Binarisation::Threshold, Some(states)) = (settings.binarise, &mut states) {
            // The same in every epoch.
            states.fill(settings.binarise, images, Stream::named(seed, "binarise"))?;
        }
        Ok(Self {
            settings,
            learner,
            states,
            training: binary_images(images, MONITORED, settings.binarise, seed)?,
            validation: binary_images(digits.test.images(), MONITORED, settings.binarise, seed + 1)?,
            order: (0..images.len()).collect(),
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
    ) -> Result<(Rbm<f32>, Summary)> {
        let images = digits.train.len();
        progress.start((self.settings.epochs as u64).saturating_mul(images as u64), "images");
        let done = self.epoch as u64 * images as u64;
        progress.skip(done + (self.batch * self.settings.batch).min(images) as u64);
        while self.epoch < self.settings.epochs {
            // Inside the pool, so that no kernel has to enter it.
            if !parallel::within_awake(|| self.train_epoch(digits.train.images(), progress, stop))? {
                self.write_checkpoint(directory)?;
                progress.finish("");
                let path = directory.path().display();
                return Err(Error::Interrupted {
                    resume: format!("`equilibria rbm train --resume {path}` goes on from here"),
                });
            }
            let stream = Stream::named(self.settings.seed, "evaluate").substream(self.epoch as u64);
            let reading = Reading::of(self.learner.model(), &self.training, &self.validation, stream);
            self.epoch += 1;
            let swap_rates: Vec<f64> = self.learner.swaps().iter().map(|swaps| swaps.rate()).collect();
            self.learner.forget_swaps();
            let monitors = [
                reading.reconstruction_error,
                reading.pseudo_log_likelihood,
                reading.stochastic_pseudo_log_likelihood,
                reading.free_energy_gap,
            ];
            metrics.append(self.epoch, &[&monitors[..], &swap_rates, &[self.seconds]].concat())?;
            (self.batch, self.seconds) = (0, 0.0);
            self.write_checkpoint(directory)?;
            let mut text = format!(
                "PLL {:.1} nats, reconstruction {:.4}, free-energy gap {:.2}",
                reading.pseudo_log_likelihood, reading.reconstruction_error, reading.free_energy_gap
            );
            if let Some(least) = swap_rates.iter().copied().reduce(f64::min) {
                text += &format!(", swaps at least {:.0} %", 100.0 * least);
            }
            progress.message(&text);
            progress.epoch_line(&format!("epoch {:>3}/{}  {text}", self.epoch, self.settings.epochs));
        }
        progress.finish("");
        let mut archive = self.learner.model().to_archive()?;
        let settings = Settings { data: digits.name.clone(), ..self.settings.clone() };
        super::describe(&mut archive, settings)?;
        directory.write_model(&archive)?;
        let summary = self.summary(digits, &metrics);
        directory.write_summary(&summary)?;
        Ok((self.learner.into_model(), summary))
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
        let rates = Rates {
            learning_rate: settings.learning_rate.at(self.epoch + 1, settings.epochs),
            momentum: settings.momentum.at(self.epoch + 1, settings.epochs),
            weight_decay: settings.weight_decay,
        };
        let clock = Instant::now();
        if let (Binarisation::Sampled, Some(states)) = (settings.binarise, &mut self.states) {
            states.fill(settings.binarise, images, stream("binarise"))?;
        }
        for batch in self.order.chunks(settings.batch).skip(self.batch) {
            if stop() {
                self.seconds += clock.elapsed().as_secs_f64();
                return Ok(false);
            }
            match &self.states {
                Some(states) => states.gather(batch, self.learner.states_mut(batch.len())),
                None => {
                    let place = self.learner.images_mut(batch.len());
                    settings.binarise.fill(images, batch, stream("binarise"), place)?;
                }
            }
            let chain = stream("chain").substream(self.batch as u64 + 1);
            if !self.learner.update(rates, chain) {
                return Err(self.diverged(rates));
            }
            self.batch += 1;
            progress.advance(batch.len() as u64);
        }
        self.seconds += clock.elapsed().as_secs_f64();
        Ok(true)
    }

    fn diverged(&mut self, rates: Rates) -> Error {
        Error::Diverged {
            epoch: self.epoch + 1,
            batch: self.batch + 1,
            parameter: self.learner.model().first_not_finite().unwrap_or("weight").into(),
            cause: format!(
                "the likely cause is the learning rate of {:?} (with momentum {:?}); try a tenth of it; the \
                 checkpoint after {} epochs is kept",
                rates.learning_rate, rates.momentum, self.epoch
            ),
        }
    }

    fn write_checkpoint(&mut self, directory: &RunDirectory) -> Result<()> {
        let mut archive = self.learner.model().to_archive()?;
        let state = self.learner.state();
        for (name, velocity) in VELOCITIES.into_iter().zip(&state.velocity) {
            archive.insert_f32(name, velocity.shape(), velocity.data())?;
        }
        if let Some(chains) = &state.persistent_chains {
            let shape = [chains.len() / self.settings.hidden, self.settings.hidden];
            archive.insert_f32("persistent_chains", &shape, chains)?;
        }
        for (name, offsets) in OFFSETS.into_iter().zip(state.offsets.iter().flatten()) {
            archive.insert_f32(name, offsets.shape(), offsets.data())?;
        }
        if !state.swaps.is_empty() {
            let counts = state.swaps.iter().map(|swaps| format!("{}/{}", swaps.accepted, swaps.proposed));
            archive.set_metadata("swaps", &counts.collect::<Vec<_>>().join(" "));
        }
        archive.set_metadata("epoch", &self.epoch.to_string());
        archive.set_metadata("batch", &self.batch.to_string());
        archive.set_metadata("seconds", &self.seconds.to_string());
        directory.write_checkpoint(&archive)
    }

    fn restore(&mut self, archive: &Archive) -> Result<()> {
        let model = Rbm::from_archive(archive)?;
        let mut state = self.learner.state();
        for (name, velocity) in VELOCITIES.into_iter().zip(&mut state.velocity) {
            let values = archive.tensor_f32(name, velocity.shape())?;
            velocity.data_mut().copy_from_slice(values);
        }
        if let Some(chains) = &mut state.persistent_chains {
            let shape = [chains.len() / self.settings.hidden, self.settings.hidden];
            chains.copy_from_slice(archive.tensor_f32("persistent_chains", &shape)?);
        }
        for (name, offsets) in OFFSETS.into_iter().zip(state.offsets.iter_mut().flatten()) {
            let values = archive.tensor_f32(name, offsets.shape())?;
            offsets.data_mut().copy_from_slice(values);
        }
        let malformed = |key: &str| {
            let problem =
                format!("'{key}' is not what this run can have reached; the checkpoint is another run's");
            Error::malformed(archive.place(), 8, problem)
        };
        if !state.swaps.is_empty() {
            let count = |text: &str| {
                let (accepted, proposed) = text.split_once('/')?;
                Some(Swaps { accepted: accepted.parse().ok()?, proposed: proposed.parse().ok()? })
            };
            let counts: Option<Vec<_>> = archive.required_metadata("swaps")?.split(' ').map(count).collect();
            let counts = counts.filter(|counts| counts.len() == state.swaps.len());
            state.swaps = counts.ok_or_else(|| malformed("swaps"))?;
        }
        let number = |key: &str, most: usize| {
            let value = archive.required_metadata(key)?.parse().ok().filter(|&value| value <= most);
            value.ok_or_else(|| malformed(key))
        };
        self.epoch = number("epoch", self.settings.epochs)?;
        self.batch = number("batch", self.order.len().div_ceil(self.settings.batch))?;
        self.seconds = archive.required_metadata("seconds")?.parse().map_err(|_| malformed("seconds"))?;
        let sizes = |model: &Rbm<f32>| [model.visible(), model.hidden()];
        if sizes(&model) != sizes(self.learner.model()) {
            return Err(malformed("weight"));
        }
        self.learner.restore(&model, &state);
        Ok(())
    }

    fn summary(&mut self, digits: &Digits, metrics: &Metrics) -> Summary {
        let rows = metrics.rows();
        let (visible, hidden) = (self.learner.model().visible(), self.learner.model().hidden());
        Summary {
            model: "rbm",
            data: digits.name.clone(),
            visible,
            hidden,
            train_images: digits.train.len(),
            monitored_images: self.validation.len() / visible,
            seconds_per_epoch: rows.iter().filter_map(|row| row.values.last().copied()).collect(),
            epochs: rows
                .iter()
                .map(|row| EpochSummary {
                    epoch: row.count,
                    reconstruction_error: row.values[0],
                    pseudo_log_likelihood: row.values[1],
                    stochastic_pseudo_log_likelihood: row.values[2],
                    free_energy_gap: row.values[3],
                    swap_rates: row.values[COLUMNS.len()..row.values.len() - 1].to_vec(),
                })
                .collect(),
        }
    }
}

/// Tensors of a checkpoint that hold the offsets of centred learning.
const OFFSETS: [&str; 2] = ["visible_offset", "hidden_offset"];
/// Tensors of a checkpoint that hold the last update.
const VELOCITIES: [&str; 3] = ["weight_velocity", "visible_bias_velocity", "hidden_bias_velocity"];

/// The machine that MODEL stands for: a run directory or a safetensors file.
///
/// **Errors** [`Error::NotFound`], [`Error::Malformed`], [`Error::Io`].
pub fn load_model(path: &Path) -> Result<Rbm<f32>> {
    Ok(load_model_and_settings(path)?.0)
}

/// As [`load_model`], and the settings that the machine was trained with: those of its run directory, or else those in
/// the file's metadata, which name the data but not its place; `None` if there are neither.
///
/// **Errors** as [`load_model`].
pub fn load_model_and_settings(path: &Path) -> Result<(Rbm<f32>, Option<Settings>)> {
    let archive = super::read_archive(&super::locate_model(path)?)?;
    let model = Rbm::from_archive(&archive)?;
    Ok((model, super::settings_of(path, &archive)?))
}

/// The machine that MODEL stands for as an archive of nothing but its parameters, as f32, and of its settings, where they
/// are known.
///
/// **Errors** as [`load_model_and_settings`].
pub fn load_alone(path: &Path) -> Result<Archive> {
    let archive = super::read_archive(&super::locate_model(path)?)?;
    let mut alone = Rbm::from_archive(&archive)?.to_archive()?;
    super::copy_settings::<Settings>(path, &archive, &mut alone)?;
    Ok(alone)
}
