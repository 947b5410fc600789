//! Training runs of restricted Boltzmann machines: updates, monitors, checkpoints.
//!
//! A checkpoint holds parameters, velocities, persistent chains, offsets and the position in the data.

mod evaluation;
mod settings;

pub(super) use evaluation::disagreement;
pub use evaluation::{Anneal, Estimates, Evaluation, LogLikelihood, LogPartition, Method, evaluate};
pub use settings::Settings;

use super::divergence::{self, suspects, unlikely};
use super::epochs::Epochs;
pub use super::images::{MONITORED, binary_images};
use super::restore::not_reached;
use super::training::{Trainable, TrainingRun};
use super::{Counter, Metrics, Progress, StoredMachine};
use crate::boltzmann::Rbm;
use crate::boltzmann::learning::{
    Learner, NegativePhase, Rates, Reading, SPURIOUS, Swaps, sample_preference,
};
use crate::boltzmann::likelihood::pseudo_log_likelihood;
use crate::checkpoint::Archive;
use crate::checkpoint::image_shape::describe_shape;
use crate::data::Dataset;
use crate::report::numbers::counted;
use crate::rng::Stream;
use crate::{Error, Result};
use serde::Serialize;
use std::collections::BTreeSet;

/// Columns of `metrics.csv` between the epoch and the swap rates.
const COLUMNS: [&str; 4] = [
    "reconstruction_error [mean squared error per pixel]",
    "pseudo_log_likelihood [nats per image]",
    "stochastic_pseudo_log_likelihood [nats per image]",
    "free_energy_gap [nats]",
];
/// The option of the learning rate.
const RATE: &str = "--learning-rate";

/// The content of `summary.json`.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// `rbm`.
    pub model: &'static str,
    /// Name of the data.
    pub data: String,
    /// Number of visible units.
    pub visible: usize,
    /// Number of hidden units.
    pub hidden: usize,
    /// Number of training images.
    pub train_images: usize,
    /// Number of test images that the monitors use.
    pub monitored_images: usize,
    /// Wall-clock time of each epoch's updates, with shuffling and binarisation, without monitors; seconds.
    pub seconds_per_epoch: Vec<f64>,
    /// The monitors after each epoch.
    pub epochs: Vec<EpochSummary>,
    /// A sign that the persistent chains did not settle, and the remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// The symptom and the cause of a divergence; there is no model then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diverged: Option<String>,
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
    /// Swap rate of each pair of neighbouring inverse temperatures, from 1 down; empty without tempering.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub swap_rates: Vec<f64>,
}

/// A run between two updates.
struct Run<'a> {
    settings: Settings,
    digits: &'a Dataset,
    learner: Learner<f32>,
    epochs: Epochs<'a>,
    training: Vec<f32>,
    validation: Vec<f32>,
}

impl Trainable for Settings {
    const KIND: &'static str = "rbm";
    const FORMAT: &'static str = "2";
    const UNIT: &'static str = "images";
    const USES_LABELS: bool = false;
    type Model = Rbm<f32>;
    type Summary = Summary;

    fn begin<'a>(&self, digits: &'a Dataset) -> Result<impl TrainingRun<Self> + use<'a>> {
        Run::new(self, digits)
    }
}

impl<'a> Run<'a> {
    fn new(settings: &Settings, digits: &'a Dataset) -> Result<Self> {
        let Settings { binarise, batch, seed, .. } = *settings;
        let images = digits.train.images();
        let model = Rbm::new(&binarise.mean(images), settings.hidden, Stream::named(seed, "init"))?;
        let chains = Stream::named(seed, "chain");
        let mut learner = Learner::new(model, settings.method, settings.steps, batch, chains)?;
        if settings.centred {
            learner = learner.centred();
        }
        Ok(Self {
            settings: settings.clone(),
            digits,
            learner,
            epochs: Epochs::new(images, binarise, batch, settings.epochs, seed)?,
            training: binary_images(images, MONITORED, binarise, seed)?,
            validation: binary_images(digits.test.images(), MONITORED, binarise, seed + 1)?,
        })
    }
}

impl TrainingRun<Settings> for Run<'_> {
    fn columns(&self) -> (Counter, Vec<String>) {
        // With tempering, the swap rate of each pair of neighbouring temperatures.
        let pairs = self.settings.method.temperatures() - 1;
        let swaps = (1..=pairs).map(|pair| format!("swap_rate_{pair} [share]"));
        let columns = COLUMNS.iter().map(ToString::to_string).chain(swaps).chain(["seconds [s]".into()]);
        (Counter::EPOCHS, columns.collect())
    }

    fn rows(&self) -> usize {
        self.epochs.epoch
    }

    fn position(&self) -> [u64; 2] {
        self.epochs.position()
    }

    fn advance(
        &mut self,
        metrics: &mut Metrics,
        progress: &mut Progress,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<bool> {
        let rates = self.rates();
        let Self { learner, epochs, .. } = self;
        let epoch = epochs.epoch;
        let is_whole = epochs.run(progress, stop, |batch| {
            match batch.states {
                Some(states) => states.gather(batch.order, learner.states_mut(batch.order.len())),
                None => batch.fill(learner.images_mut(batch.order.len()))?,
            }
            let updated = learner.update(rates, batch.chain);
            updated.map_err(|error| divergence::located(error, [epoch, batch.number], &suspects(RATE, rates)))
        })?;
        if is_whole {
            let last = [epoch, self.epochs.batch];
            if let Some(symptom) = self.monitor(metrics, progress)? {
                return Err(divergence::error(last, symptom, &suspects(RATE, rates)));
            }
        }
        Ok(is_whole)
    }

    fn checkpoint(&mut self) -> Result<Archive> {
        let mut archive = self.learner.model().to_archive()?;
        describe_shape(&mut archive, self.digits.train.images().shape());
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
        self.epochs.describe(&mut archive);
        Ok(archive)
    }

    fn restore(&mut self, archive: &Archive) -> Result<()> {
        self.epochs.restore(archive)?;
        let model = Rbm::from_archive(archive)?;
        let mut state = self.learner.state();
        for (name, velocity) in VELOCITIES.into_iter().zip(&mut state.velocity) {
            let values = archive.finite_f32(name, velocity.shape())?;
            velocity.data_mut().copy_from_slice(values);
        }
        if let Some(chains) = &mut state.persistent_chains {
            let shape = [chains.len() / self.settings.hidden, self.settings.hidden];
            chains.copy_from_slice(archive.tensor_f32("persistent_chains", &shape)?);
        }
        for (name, offsets) in OFFSETS.into_iter().zip(state.offsets.iter_mut().flatten()) {
            let values = archive.finite_f32(name, offsets.shape())?;
            offsets.data_mut().copy_from_slice(values);
        }
        if !state.swaps.is_empty() {
            // In the current epoch, a pair of temperatures proposes at most one swap per chain and step.
            let Settings { steps, batch, .. } = self.settings;
            let [batches, steps, chains] = [self.epochs.batch, steps, batch].map(|count| count as u64);
            let most = batches.saturating_mul(steps).saturating_mul(chains);
            let count = |text: &str| {
                let (accepted, proposed) = text.split_once('/')?;
                let swaps = Swaps { accepted: accepted.parse().ok()?, proposed: proposed.parse().ok()? };
                (swaps.accepted <= swaps.proposed && swaps.proposed <= most).then_some(swaps)
            };
            let counts: Option<Vec<_>> = archive.required_metadata("swaps")?.split(' ').map(count).collect();
            let counts = counts.filter(|counts| counts.len() == state.swaps.len());
            state.swaps = counts.ok_or_else(|| not_reached(archive, "swaps"))?;
        }
        let sizes = |model: &Rbm<f32>| [model.visible(), model.hidden()];
        if sizes(&model) != sizes(&self.learner.model()) {
            return Err(not_reached(archive, "weight"));
        }
        self.learner.restore(&model, &state);
        Ok(())
    }

    fn diverged(&self, metrics: &Metrics, error: &Error) -> Summary {
        Summary { diverged: Some(error.to_string()), ..self.summary(metrics) }
    }

    fn end(self, metrics: &Metrics) -> Result<(Rbm<f32>, Archive, Summary)> {
        let summary = Summary { warning: self.unsettled()?, ..self.summary(metrics) };
        let model = self.learner.into_model();
        let mut archive = model.to_archive()?;
        describe_shape(&mut archive, self.digits.train.images().shape());
        super::describe(&mut archive, Settings { data: self.digits.name.clone(), ..self.settings })?;
        Ok((model, archive, summary))
    }
}

impl Run<'_> {
    fn rates(&self) -> Rates {
        let (settings, epoch) = (&self.settings, self.epochs.epoch + 1);
        Rates {
            learning_rate: settings.learning_rate.at(epoch, settings.epochs),
            momentum: settings.momentum.at(epoch, settings.epochs),
            weight_decay: settings.weight_decay,
        }
    }

    /// Writes the monitors after an epoch to `metrics.csv` and to the terminal. Returns the symptom of a divergence, if there
    /// is one.
    fn monitor(&mut self, metrics: &mut Metrics, progress: &mut Progress) -> Result<Option<String>> {
        let stream = Stream::named(self.settings.seed, "evaluate").substream(self.epochs.epoch as u64);
        let reading = Reading::of(&self.learner.model(), &self.training, &self.validation, stream)?;
        let swap_rates: Vec<f64> = self.learner.swaps().iter().map(|swaps| swaps.rate()).collect();
        self.learner.forget_swaps();
        let monitors = [
            reading.reconstruction_error,
            reading.pseudo_log_likelihood,
            reading.stochastic_pseudo_log_likelihood,
            reading.free_energy_gap,
        ];
        let seconds = self.epochs.end();
        metrics.append(self.epochs.epoch, &[&monitors[..], &swap_rates, &[seconds]].concat())?;
        let mut text = format!(
            "PLL {:.1} nats, reconstruction {:.4}, free-energy gap {:.2}",
            reading.pseudo_log_likelihood, reading.reconstruction_error, reading.free_energy_gap
        );
        if let Some(least) = swap_rates.iter().copied().reduce(f64::min) {
            text += &format!(", swaps at least {:.0} %", 100.0 * least);
        }
        progress.message(&text);
        progress.epoch_line(&format!("epoch {:>3}/{}  {text}", self.epochs.epoch, self.settings.epochs));
        let model = self.learner.model();
        let is_end = self.epochs.epoch == self.settings.epochs;
        let symptom = |name, value| unlikely(name, value, model.visible(), is_end);
        // Test images may differ from all that the machine was shown, so the training images must show the divergence too.
        Ok(symptom("pseudo-log-likelihood", reading.pseudo_log_likelihood).and_then(|_| {
            symptom("pseudo-log-likelihood of training images", pseudo_log_likelihood(&model, &self.training))
        }))
    }

    /// A warning if there are no more distinct images than persistent chains, and the machine prefers its own samples. The
    /// chains then move together from one image to the next, and the machine follows them.
    fn unsettled(&self) -> Result<Option<String>> {
        let Settings { method, batch, seed, .. } = self.settings;
        let images = self.digits.train.images();
        let mut distinct = BTreeSet::new();
        let are_few = (0..images.len()).all(|index| {
            distinct.insert(images.image(index));
            distinct.len() <= batch
        });
        if method == NegativePhase::Contrastive || !are_few {
            return Ok(None);
        }
        let stream = Stream::named(seed, "evaluate").substream(u64::MAX);
        let preference = sample_preference(&self.learner.model(), &self.training, stream)?;
        Ok((preference > SPURIOUS).then(|| {
            format!(
                "{method} with {batch} chains did not settle on {}: the machine's samples are {preference:.1} nats more \
                 probable than the images; use --method cd, or a rate that falls to 0, such as --learning-rate 0.05..0",
                counted(distinct.len(), "distinct image"),
            )
        }))
    }

    fn summary(&self, metrics: &Metrics) -> Summary {
        let rows = metrics.rows();
        let visible = self.digits.train.images().values_per_image();
        Summary {
            model: Settings::KIND,
            data: self.digits.name.clone(),
            visible,
            hidden: self.settings.hidden,
            train_images: self.digits.train.len(),
            monitored_images: self.validation.len() / visible,
            warning: None,
            diverged: None,
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

/// Tensors of a checkpoint: the offsets of the centred gradient.
const OFFSETS: [&str; 2] = ["visible_offset", "hidden_offset"];
/// Tensors of a checkpoint: the last update.
const VELOCITIES: [&str; 3] = ["weight_velocity", "visible_bias_velocity", "hidden_bias_velocity"];

impl StoredMachine for Rbm<f32> {
    type Settings = Settings;

    fn from_archive(archive: &Archive) -> Result<Self> {
        Self::from_archive(archive)
    }

    fn to_archive(&self) -> Result<Archive> {
        self.to_archive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_start_at_the_first_epoch() {
        let digits = Dataset::synthetic(20, 10).unwrap();
        let settings = Settings {
            hidden: 3,
            epochs: 4,
            batch: 10,
            learning_rate: "0.08..0.02".parse().unwrap(),
            momentum: "0.1:0.2@2:0.3@4".parse().unwrap(),
            weight_decay: 0.7,
            ..Settings::default()
        };
        let mut run = Run::new(&settings, &digits).unwrap();
        for (epoch, (rate, momentum)) in
            [(0.08, 0.1), (0.06, 0.2), (0.04, 0.2), (0.02, 0.3)].into_iter().enumerate()
        {
            run.epochs.epoch = epoch;
            let found = run.rates();
            assert!((found.learning_rate - rate).abs() < 1e-12, "{epoch}: {found:?}");
            assert_eq!((found.momentum, found.weight_decay), (momentum, 0.7), "{epoch}");
        }
    }
}
