//! Training runs of adversarial networks on images.
//!
//! Mini-batches of real images come from shuffled epochs. The last images of an epoch that do not fill a mini-batch are
//! skipped, because batch normalisation would give them too much weight.
//!
//! ```text
//! every step            the steps of the discriminator, then that of the generator
//! every `every` steps   a reading: a row of metrics.csv, warnings
//! every 5 readings      the distance of samples from training images; the best generator so far is kept
//! every 20 readings     a checkpoint, and the duality gap if it is enabled
//! eleven times          samples of the same ten latents
//! ```
//!
//! # Options for small data
//! On the 5,000 cats of CIFAR-10, `--network dcgan --width 32`, as much processor time (about 50 s) as 1,000 steps of the
//! plain game, one seed. Distances of 5,000 samples from the test images in the features of an encoder; training images have
//! 0.004 and 2.1. Later rows keep the options of the third.
//!
//! | options | steps | kernel distance | Fréchet distance |
//! |---|---|---|---|
//! | none (Radford et al. 2016) | 1,000 | 0.339 ± 0.013 | 23.5 |
//! | `--augment translation,cutout --flip` | 980 | 0.268 ± 0.014 | 21.6 |
//! | and `--average 0.996` | 980 | **0.200 ± 0.009** | 19.2 |
//! | and `colour` among `--augment` | 960 | 0.261 ± 0.011 | 20.4 |
//! | and `--normalise spectral` | 980 | 0.239 ± 0.012 | 20.6 |
//! | and `--normalise spectral --r1 0.05` | 885 | 0.266 ± 0.011 | 24.0 |
//! | and `--normalise spectral --generator-rate 1e-4 --discriminator-rate 4e-4` | 980 | 0.322 ± 0.015 | 27.8 |
//! | and `--normalise none --r1 0.05` | 885 | 0.571 ± 0.018 | 46.5 |
//! | and `--generator-rate 1e-4 --discriminator-rate 4e-4` | 980 | 0.559 ± 0.016 | 36.3 |
//! | and `--objective relativistic --normalise none --r1 0.05 --r2 0.05` | 780 | 0.496 ± 0.016 | 36.5 |
//!
//! Samples of a game without an average differ from step to step and from seed to seed: at width 64, three games had kernel
//! distances from 0.04 to 0.19 between steps 4,000 and 6,400.

mod batches;
mod best;
mod checkpoint;
mod gap;
mod observer;
mod settings;
mod stored;

pub use best::BestStep;
pub use settings::{Change, NetworkOptions, ObjectiveName, Settings};
pub use stored::load;
pub(crate) use stored::load_alone;

use super::divergence::{self, Suspect, likely_cause, short};
use super::training::{Trainable, TrainingRun};
use super::{Counter, Metrics, Progress, Row};
use crate::adversarial::generator::history::moments;
use crate::adversarial::{Game, Generator, PICTURED, Reading, Streams};
use crate::checkpoint::Archive;
use crate::data::Dataset;
use crate::evaluate::stability::{Judgement, Warning, Watch, judge};
use crate::nn::Sequential;
use crate::rng::Stream;
use crate::{Error, Result};
use batches::Batches;
use best::Best;
use gap::Gap;
use observer::Observer;
use serde::Serialize;
use std::time::Instant;

/// Readings between two checkpoints; writing one takes as long as some dozens of steps.
const CHECKPOINT_EVERY: u64 = 20;
/// Readings between two distances of samples from training images.
const COMPARED_EVERY: u64 = 5;
/// Before this step, similar samples are no sign of a collapse.
const WARM_UP: u64 = 500;

/// The content of `summary.json`.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// `gan`.
    pub model: &'static str,
    /// The objective.
    pub objective: ObjectiveName,
    /// Name of the data.
    pub data: String,
    /// Generator and discriminator.
    pub networks: String,
    /// Number of training images.
    pub train_images: usize,
    /// Images in a mini-batch.
    pub batch: usize,
    /// Steps of the generator.
    pub steps: u64,
    /// Steps of the discriminator or critic.
    pub discriminator_steps: u64,
    /// Passes over the training images in these steps.
    pub epochs: f64,
    /// Wall-clock time of the steps, with readings and shuffling, without duality gaps; seconds.
    pub seconds: f64,
    /// The verdict on the game's convergence.
    pub stability: Judgement,
    /// The warnings during training.
    pub warnings: Vec<StepWarning>,
    /// The generator in `best.safetensors`; `None` if the run has fewer than five readings, or its images have no distance.
    pub best: Option<BestStep>,
    /// The last reading, if there is one.
    pub last: Option<Reading>,
    /// Entropy of the data's classes in nats; readings give the samples' entropy as a share of it.
    pub data_entropy: f64,
    /// All readings, as in `metrics.csv`.
    #[serde(skip)]
    pub readings: Vec<Reading>,
}

/// A warning with its step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepWarning {
    /// Steps of the generator so far.
    pub step: u64,
    /// The kind of warning.
    pub warning: Warning,
    /// Its text.
    pub text: String,
}

/// A run between two steps of the generator.
struct Run<'a> {
    settings: Settings,
    digits: &'a Dataset,
    game: Game<f32>,
    streams: Streams,
    batches: Batches<'a>,
    observer: Observer,
    /// The search for the duality gap, if it is enabled.
    gap: Option<Gap<'a>>,
    /// The generator whose samples were nearest to training images so far.
    best: Option<Best>,
    watch: Watch,
    /// Rows of `metrics.csv` that `watch` has seen.
    watched: usize,
    /// Height, width and channels of an image.
    shape: [usize; 3],
    /// Samples of the same latents over training (moments, [`PICTURED`], values).
    history: Vec<u8>,
    /// The numbers of steps after which they were taken.
    history_steps: Vec<u64>,
    /// Time of the steps since the last reading.
    seconds: f64,
}

impl Trainable for Settings {
    const KIND: &'static str = "gan";
    const FORMAT: &'static str = "2";
    const UNIT: &'static str = "steps";
    const USES_LABELS: bool = true;
    type Model = Generator;
    type Summary = Summary;

    /// **Randomness** Parameters from the stream `init` (generator, discriminator), orders of the images from the substreams
    /// of `shuffle` by epoch, the game's from [`Streams`], the latents of samples from the last substream of `latent`.
    fn begin<'a>(&self, digits: &'a Dataset) -> Result<impl TrainingRun<Self> + use<'a>> {
        let images = digits.train.images();
        let [generator, discriminator] = self.networks.start(Stream::named(self.seed, "init"))?;
        let mut run = Run {
            settings: self.clone(),
            digits,
            game: Game::new(generator, discriminator, self.recipe())?,
            streams: Streams::of(self.seed),
            batches: Batches::new(images, self.batch, self.seed).flipped(self.seed, self.flip),
            observer: Observer::new(self, digits)?,
            gap: Gap::new(self, digits),
            best: None,
            watch: Watch::new(),
            watched: 0,
            shape: images.shape(),
            history: Vec::new(),
            history_steps: Vec::new(),
            seconds: 0.0,
        };
        run.keep_samples()?;
        Ok(run)
    }
}

impl TrainingRun<Settings> for Run<'_> {
    fn columns(&self) -> (Counter, Vec<String>) {
        let counter = Counter { name: "step", stride: self.settings.every };
        (counter, observer::columns(self.settings.objective))
    }

    fn rows(&self) -> usize {
        self.game.steps() as usize / self.settings.every
    }

    fn position(&self) -> [u64; 2] {
        [self.game.steps(), self.settings.steps as u64]
    }

    fn checkpoint(&mut self) -> Result<Archive> {
        self.build_checkpoint()
    }

    fn restore(&mut self, archive: &Archive) -> Result<()> {
        self.restore_checkpoint(archive)
    }

    fn advance(
        &mut self,
        metrics: &mut Metrics,
        progress: &mut Progress,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<bool> {
        let (every, steps) = (self.settings.every as u64, self.settings.steps as u64);
        let due = every * CHECKPOINT_EVERY;
        // After resuming, skips the warnings that an earlier process printed.
        self.new_warnings(metrics);
        let mut clock = Instant::now();
        loop {
            if stop() {
                self.seconds += clock.elapsed().as_secs_f64();
                return Ok(false);
            }
            let batches = &mut self.batches;
            let fill = |index, images: &mut [f32]| {
                batches.fill(index, images);
                Ok(())
            };
            let is_read = (self.game.steps() + 1).is_multiple_of(every);
            let reading = match self.game.step(fill, &self.streams, is_read) {
                Err(Error::Diverged { symptom, .. }) => {
                    self.seconds += clock.elapsed().as_secs_f64();
                    return Err(self.divergence(&symptom));
                }
                other => other?,
            };
            if let Some(reading) = reading {
                let (spread, class_entropy) = self.observer.measure(sampled(&self.game))?;
                let is_due = reading.step.is_multiple_of(due) || reading.step == steps;
                let gap = self.gap.as_mut().filter(|_| is_due);
                let seconds = self.seconds + clock.elapsed().as_secs_f64();
                let duality_gap = gap.map(|gap| gap.find(&self.game)).transpose()?.map(|found| found.gap());
                (self.seconds, clock) = (0.0, Instant::now());
                let reading = Reading { spread, class_entropy, duality_gap, ..reading };
                metrics.append(reading.step as usize, &observer::row(&reading, seconds))?;
                self.report(metrics, progress);
                if reading.step.is_multiple_of(every * COMPARED_EVERY) {
                    self.keep_best()?;
                }
            }
            progress.advance(1);
            let now = self.game.steps();
            if moments(steps).contains(&now) {
                self.keep_samples()?;
            }
            if now == steps || now.is_multiple_of(due) {
                self.seconds += clock.elapsed().as_secs_f64();
                // A single reading may be an outlier, so all since the last checkpoint must show the divergence. Their number
                // does not depend on interruptions.
                let rows = metrics.rows().chunks(CHECKPOINT_EVERY as usize).next_back().unwrap_or_default();
                let symptoms = rows.iter().map(|row| self.symptom(row));
                return match symptoms.reduce(Option::and).flatten() {
                    Some(symptom) => Err(self.divergence(&symptom)),
                    None => Ok(true),
                };
            }
        }
    }

    fn best(&self) -> Result<Option<Archive>> {
        self.best_model()
    }

    fn diverged(&self, metrics: &Metrics, error: &Error) -> Summary {
        let reason = match error {
            Error::Diverged { symptom, cause, .. } => format!("{symptom}; {cause}"),
            error => error.to_string(),
        };
        Summary { stability: Judgement::diverged(reason), ..self.summary(metrics) }
    }

    fn end(self, metrics: &Metrics) -> Result<(Generator, Archive, Summary)> {
        let archive = self.to_model()?;
        Ok((Generator::from_archive(&archive)?, archive, self.summary(metrics)))
    }
}

impl Run<'_> {
    /// Shows the last reading and its new warnings.
    fn report(&mut self, metrics: &Metrics, progress: &mut Progress) {
        let Some(row) = metrics.rows().last() else { return };
        let reading = self.reading(row);
        let text = observer::sentence(&reading);
        progress.message(&text);
        for StepWarning { step, text, .. } in self.new_warnings(metrics) {
            progress.epoch_line(&format!("warning at step {step}: {text}"));
        }
        if (metrics.rows().len() as u64).is_multiple_of(CHECKPOINT_EVERY) {
            progress.epoch_line(&format!("step {:>5}/{}  {text}", reading.step, self.settings.steps));
        }
    }

    fn reading(&self, row: &Row) -> Reading {
        observer::reading(row, self.observer.data_entropy())
    }

    /// Warnings for metric rows that have not been checked yet.
    fn new_warnings(&mut self, metrics: &Metrics) -> Vec<StepWarning> {
        let rows = &metrics.rows()[self.watched..];
        self.watched = metrics.rows().len();
        let readings: Vec<Reading> = rows.iter().map(|row| self.reading(row)).collect();
        warnings(&mut self.watch, &readings)
    }

    /// Adds samples of the fixed latents to the history.
    fn keep_samples(&mut self) -> Result<()> {
        let samples = self.observer.samples(sampled(&self.game), PICTURED)?;
        self.history.extend_from_slice(samples.pixels());
        self.history_steps.push(self.game.steps());
        Ok(())
    }

    /// Keeps the generator if its samples are nearer to training images than those of all before it.
    fn keep_best(&mut self) -> Result<()> {
        let generator = sampled(&self.game);
        if let Some(distance) = self.observer.distance(generator)?
            && self.best.as_ref().is_none_or(|best| distance < best.distance)
        {
            self.best = Some(Best { step: self.game.steps(), distance, network: generator.clone() });
        }
        Ok(())
    }

    /// The sign of divergence in a row of `metrics.csv`, if there is one.
    fn symptom(&self, row: &Row) -> Option<String> {
        let penalty =
            Some(self.settings.penalty).filter(|_| self.settings.objective == ObjectiveName::Penalty);
        let is_end = self.game.steps() == self.settings.steps as u64;
        let numbers = self.settings.networks.generator.output().size();
        divergence::in_reading(&self.reading(row), numbers, penalty, is_end)
    }

    /// The error for a divergence after the last step of the generator.
    fn divergence(&self, symptom: &str) -> Error {
        let batches = self.game.discriminator_steps().saturating_sub(1) as usize;
        Error::Diverged {
            place: place(batches, self.batches.per_epoch()),
            symptom: format!("{symptom} after step {} of the generator", self.game.steps()),
            cause: likely_cause(&self.suspects(symptom.starts_with("generator"))),
        }
    }

    /// The options that may have caused too large updates, relative to their usual values. The learning rate of the player
    /// that shows the divergence comes first.
    fn suspects(&self, is_generator: bool) -> Vec<Suspect> {
        let (settings, usual) = (&self.settings, Settings::of(self.settings.objective));
        let suspect = |option, value: f64, usual: f64| Suspect {
            advice: format!("take a tenth of it, or the usual {}", short(usual)),
            ..Suspect::new(option, value, value / usual)
        };
        let mut all = vec![
            suspect("--generator-rate", settings.generator_rate, usual.generator_rate),
            suspect("--discriminator-rate", settings.discriminator_rate, usual.discriminator_rate),
        ];
        // Equal rates: the first option is the default of the second.
        if !is_generator && settings.generator_rate != settings.discriminator_rate {
            all.reverse();
        }
        match settings.objective {
            ObjectiveName::Standard | ObjectiveName::Relativistic => {}
            ObjectiveName::Clipping => all.push(suspect("--clip", settings.clip, usual.clip)),
            ObjectiveName::Penalty => all.push(suspect("--penalty", settings.penalty, usual.penalty)),
        }
        let zero_centred = [("--r1", settings.r1), ("--r2", settings.r2)].into_iter();
        all.extend(zero_centred.filter_map(|(option, gamma)| Some(suspect(option, gamma?, 1.0))));
        all
    }

    fn summary(&self, metrics: &Metrics) -> Summary {
        let readings: Vec<Reading> = metrics.rows().iter().map(|row| self.reading(row)).collect();
        let discriminator_steps = self.game.discriminator_steps();
        Summary {
            model: Settings::KIND,
            objective: self.settings.objective,
            data: self.digits.name.clone(),
            networks: self.settings.networks.to_string(),
            train_images: self.digits.train.len(),
            batch: self.settings.batch,
            steps: self.game.steps(),
            discriminator_steps,
            epochs: discriminator_steps as f64 / self.batches.per_epoch() as f64,
            seconds: metrics.rows().iter().filter_map(|row| row.values.last()).sum::<f64>() + self.seconds,
            stability: judge(&readings),
            warnings: warnings(&mut Watch::new(), &readings),
            best: self.best.as_ref().map(|best| best.step(&self.observer)),
            last: readings.last().copied(),
            data_entropy: self.observer.data_entropy(),
            readings,
        }
    }
}

/// The place in training after `batches` + 1 mini-batches, of which an epoch has `per_epoch`.
pub(crate) fn place(batches: usize, per_epoch: usize) -> String {
    format!("epoch {}, batch {}", batches / per_epoch + 1, batches % per_epoch + 1)
}

/// The generator that samples come from: the average if there is one.
fn sampled(game: &Game<f32>) -> &Sequential<f32> {
    game.averaged_generator().unwrap_or(game.generator())
}

/// The warnings that begin with each of the readings.
fn warnings(watch: &mut Watch, readings: &[Reading]) -> Vec<StepWarning> {
    let mut all = Vec::new();
    for &reading in readings {
        let step = reading.step;
        let reading = match step < WARM_UP {
            true => Reading { spread: None, class_entropy: None, ..reading },
            false => reading,
        };
        let new = watch.update(&reading).into_iter();
        all.extend(new.map(|warning| StepWarning { step, warning, text: warning.to_string() }));
    }
    all
}
