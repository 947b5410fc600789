//! A training run of adversarial networks on images.
//!
//! Real mini-batches are those of shuffled epochs, counted through the whole run; what an epoch has
//! left for less than a whole mini-batch is left out, as batch normalisation would make much of it.
//!
//! ```text
//! every step            the discriminator's steps, the generator's
//! every `every` steps   a reading: a row of metrics.csv, warnings
//! every 20 readings     a checkpoint, and the duality gap, if it is asked for
//! eleven times          samples of ten latents that stay the same
//! ```

mod batches;
mod checkpoint;
mod gap;
mod generator;
mod history;
mod observer;
mod settings;

pub use generator::Generator;
pub use history::PICTURED;
pub use settings::{Kind, NetworkOptions, Settings};

use super::divergence::{self, Suspect, likely_cause, short};
use super::training::{Trainable, Training};
use super::{Counter, Metrics, Progress, Row};
use crate::adversarial::{Game, Reading, Streams};
use crate::checkpoint::Archive;
use crate::data::Digits;
use crate::evaluate::stability::{Judgement, Warning, Watch, judge};
use crate::rng::Stream;
use crate::{Error, Result};
use batches::Batches;
use gap::Gap;
use history::moments;
use observer::Observer;
use serde::Serialize;
use std::time::Instant;

/// Readings between two checkpoints, which take as long as some dozens of steps.
const CHECKPOINT_EVERY: u64 = 20;
/// Steps after which samples should differ.
const BEGUN: u64 = 500;
/// What a run came to: `summary.json`.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// `gan`.
    pub model: &'static str,
    /// What the two played for.
    pub objective: Kind,
    /// Where the data came from.
    pub data: String,
    /// Generator and discriminator.
    pub networks: String,
    /// Training images.
    pub train_images: usize,
    /// Images in a mini-batch.
    pub batch: usize,
    /// Steps of the generator.
    pub steps: u64,
    /// Steps of the discriminator or critic.
    pub discriminator_steps: u64,
    /// Passes over the training images that these took.
    pub epochs: f64,
    /// Wall-clock time of the steps, reading and shuffling included, the search for duality gaps not; seconds.
    pub seconds: f64,
    /// Whether the game came to rest.
    pub stability: Judgement,
    /// What was said while it was on.
    pub warnings: Vec<Warned>,
    /// The last reading, if there was one.
    pub last: Option<Reading>,
    /// Entropy of the data's classes, in nats, of which a reading's is the share.
    pub data_entropy: f64,
    /// All readings, as `metrics.csv` has them.
    #[serde(skip)]
    pub readings: Vec<Reading>,
}

/// A warning, and when it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warned {
    /// Steps of the generator so far.
    pub step: u64,
    /// Which one.
    pub warning: Warning,
    /// In words.
    pub text: String,
}

impl Warned {
    fn new(reading: &Reading, warning: Warning) -> Self {
        Self { step: reading.step, warning, text: warning.to_string() }
    }
}

/// A run between two steps of the generator.
struct Run<'a> {
    settings: Settings,
    digits: &'a Digits,
    game: Game<f32>,
    streams: Streams,
    batches: Batches<'a>,
    observer: Observer,
    /// If it is to be looked for.
    gap: Option<Gap<'a>>,
    watch: Watch,
    /// Rows of `metrics.csv` that it has seen.
    watched: usize,
    /// Height and width of an image.
    size: [usize; 2],
    /// Samples of the same latents at each moment so far (moments, [`PICTURED`], pixels).
    history: Vec<u8>,
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
    fn begin<'a>(&self, digits: &'a Digits) -> Result<impl Training<Self> + use<'a>> {
        Run::new(self, digits)
    }
}

impl<'a> Run<'a> {
    fn new(settings: &Settings, digits: &'a Digits) -> Result<Self> {
        let images = digits.train.images();
        let [generator, discriminator] = settings.networks.start(Stream::named(settings.seed, "init"))?;
        let mut run = Self {
            settings: settings.clone(),
            digits,
            game: Game::new(generator, discriminator, settings.recipe())?,
            streams: Streams::of(settings.seed),
            batches: Batches::new(images, settings.batch, settings.seed),
            observer: Observer::new(settings, digits)?,
            gap: Gap::new(settings, digits),
            watch: Watch::new(),
            watched: 0,
            size: [images.height(), images.width()],
            history: Vec::new(),
            seconds: 0.0,
        };
        run.keep_samples()?;
        Ok(run)
    }
}

impl Training<Settings> for Run<'_> {
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
        self.to_checkpoint()
    }

    fn restore(&mut self, archive: &Archive) -> Result<()> {
        self.go_to(archive)
    }

    /// Plays until a checkpoint is due, or the end; false if `stop` asked to stop before.
    fn advance(
        &mut self,
        metrics: &mut Metrics,
        progress: &mut Progress,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<bool> {
        let (every, steps) = (self.settings.every as u64, self.settings.steps as u64);
        let due = every * CHECKPOINT_EVERY;
        // What an earlier process said of its readings need not be said again.
        self.warnings(metrics);
        let mut clock = Instant::now();
        loop {
            if stop() {
                self.seconds += clock.elapsed().as_secs_f64();
                return Ok(false);
            }
            let is_read = (self.game.steps() + 1).is_multiple_of(every);
            let batches = &mut self.batches;
            let outcome = self.game.step(
                |index, images| {
                    batches.fill(index, images);
                    Ok(())
                },
                &self.streams,
                is_read,
            )?;
            if !outcome.is_finite {
                self.seconds += clock.elapsed().as_secs_f64();
                let parameter = self.game.first_not_finite().unwrap_or_else(|| "a parameter".into());
                return Err(self.divergence(&format!("{parameter} is no longer finite")));
            }
            if let Some(reading) = outcome.reading {
                let (spread, class_entropy) = self.observer.look(self.game.generator())?;
                let is_due = reading.step.is_multiple_of(due) || reading.step == steps;
                let gap = self.gap.as_mut().filter(|_| is_due);
                let seconds = self.seconds + clock.elapsed().as_secs_f64();
                let duality_gap = gap.map(|gap| gap.find(&self.game)).transpose()?.map(|found| found.gap());
                (self.seconds, clock) = (0.0, Instant::now());
                let reading = Reading { spread, class_entropy, duality_gap, ..reading };
                metrics.append(reading.step as usize, &observer::row(&reading, seconds))?;
                self.say(metrics, progress);
            }
            progress.advance(1);
            let now = self.game.steps();
            if moments(steps as usize).contains(&(now as usize)) {
                self.keep_samples()?;
            }
            if now == steps || now.is_multiple_of(due) {
                self.seconds += clock.elapsed().as_secs_f64();
                // One reading may be a bad moment; all that belong to a checkpoint are not, wherever the run was stopped.
                let rows = metrics.rows().chunks(CHECKPOINT_EVERY as usize).next_back().unwrap_or_default();
                let symptoms = rows.iter().map(|row| self.symptom(row));
                return match symptoms.reduce(Option::and).flatten() {
                    Some(symptom) => Err(self.divergence(&symptom)),
                    None => Ok(true),
                };
            }
        }
    }

    fn diverged(&self, metrics: &Metrics, error: &Error) -> Summary {
        let reason = match error {
            Error::Diverged { symptom, cause, .. } => format!("{symptom}; {cause}"),
            error => error.to_string(),
        };
        self.summary(metrics, Some(Judgement::diverged(reason)))
    }

    fn end(self, metrics: &Metrics) -> Result<(Generator, Archive, Summary)> {
        let archive = self.to_model()?;
        let summary = self.summary(metrics, None);
        Ok((Generator::from_archive(&archive)?, archive, summary))
    }
}

impl Run<'_> {
    /// Shows the last reading, and what is to be feared from it.
    fn say(&mut self, metrics: &Metrics, progress: &mut Progress) {
        let Some(row) = metrics.rows().last() else { return };
        let reading = observer::reading(row, self.observer.data_entropy());
        let text = observer::sentence(&reading);
        progress.message(&text);
        for warned in self.warnings(metrics) {
            progress.epoch_line(&format!("warning at step {}: {}", warned.step, warned.text));
        }
        if (metrics.rows().len() as u64).is_multiple_of(CHECKPOINT_EVERY) {
            progress.epoch_line(&format!("step {:>5}/{}  {text}", reading.step, self.settings.steps));
        }
    }

    /// What is to be feared from the rows that nobody has watched yet.
    fn warnings(&mut self, metrics: &Metrics) -> Vec<Warned> {
        let rows = &metrics.rows()[self.watched..];
        self.watched = metrics.rows().len();
        let readings = rows.iter().map(|row| observer::reading(row, self.observer.data_entropy()));
        warnings(&mut self.watch, readings)
    }

    /// Keeps what the generator makes of the latents that stay the same.
    fn keep_samples(&mut self) -> Result<()> {
        let samples = self.observer.samples(self.game.generator(), PICTURED)?;
        self.history.extend_from_slice(samples.pixels());
        Ok(())
    }

    /// What shows in a row of `metrics.csv` that the game has diverged, if something does.
    fn symptom(&self, row: &Row) -> Option<String> {
        let reading = observer::reading(row, self.observer.data_entropy());
        let penalty = Some(self.settings.penalty).filter(|_| self.settings.objective == Kind::Penalty);
        let is_end = self.game.steps() == self.settings.steps as u64;
        divergence::in_reading(&reading, self.settings.networks.generator.output().size(), penalty, is_end)
    }

    /// The error about what shows after the step of the generator that was the last.
    fn divergence(&self, symptom: &str) -> Error {
        let seen = self.game.discriminator_steps().saturating_sub(1) as usize;
        Error::Diverged {
            epoch: seen / self.batches.per_epoch() + 1,
            batch: seen % self.batches.per_epoch() + 1,
            symptom: format!("{symptom} after step {} of the generator", self.game.steps()),
            cause: likely_cause(&self.suspects(symptom.starts_with("generator"))),
        }
    }

    /// The options that may have made updates grow, each in units of its usual value: first the rate of the player in whom
    /// it shows.
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
        // Where they are equal, the first may stand for both: it is the default of the other.
        if !is_generator && settings.generator_rate != settings.discriminator_rate {
            all.reverse();
        }
        match settings.objective {
            Kind::Standard => {}
            Kind::Clipping => all.push(suspect("--clip", settings.clip, usual.clip)),
            Kind::Penalty => all.push(suspect("--penalty", settings.penalty, usual.penalty)),
        }
        all
    }

    /// What the run came to, by this judgement or by its readings.
    fn summary(&self, metrics: &Metrics, judgement: Option<Judgement>) -> Summary {
        let entropy = self.observer.data_entropy();
        let readings: Vec<Reading> =
            metrics.rows().iter().map(|row| observer::reading(row, entropy)).collect();
        let warnings = warnings(&mut Watch::new(), readings.iter().copied());
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
            stability: judgement.unwrap_or_else(|| judge(&readings)),
            warnings,
            last: readings.last().copied(),
            data_entropy: entropy,
            readings,
        }
    }
}

/// What begins to be feared with each of the readings.
fn warnings(watch: &mut Watch, readings: impl Iterator<Item = Reading>) -> Vec<Warned> {
    let of = |reading: Reading| {
        let fresh = watch.see(&watched(reading)).into_iter();
        fresh.map(move |warning| Warned::new(&reading, warning))
    };
    readings.flat_map(of).collect()
}

/// What warnings rest on: the samples of a generator that has hardly begun are all alike, which is no collapse.
fn watched(reading: Reading) -> Reading {
    match reading.step < BEGUN {
        true => Reading { spread: None, class_entropy: None, ..reading },
        false => reading,
    }
}
