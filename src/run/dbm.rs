//! Training runs of deep Boltzmann machines: optional pre-training, one restricted machine per layer from the lowest up, then
//! joint training of all layers.
//!
//! Epochs are counted through all stages.

mod checkpoint;
mod evaluation;
mod settings;
mod stage;

pub(crate) use evaluation::smaller_side;
pub use evaluation::{Bounds, Evaluation, EvaluationSettings, Inference, Method, ReverseCheck, evaluate};
pub use settings::{Layers, MONITORED, Settings};

use super::divergence::{self, Suspect, suspects, unlikely};
use super::epochs::Epochs;
use super::training::{Trainable, TrainingRun};
use super::{Counter, Metrics, Progress, StoredMachine};
use crate::boltzmann::Dbm;
use crate::boltzmann::learning::Rates;
use crate::checkpoint::Archive;
use crate::checkpoint::image_shape::describe_shape;
use crate::data::Dataset;
use crate::{Error, Result};
use serde::Serialize;
use stage::{Below, Monitors, Stage, monitored};

/// Columns of `metrics.csv` after the epoch.
const COLUMNS: [&str; 6] = [
    "stage [machine of the pre-training; 0 in joint training]",
    "reconstruction_error [mean squared error per unit]",
    "bound_gap [nats]",
    "mean_field_iterations [count]",
    "mean_field_change [probability]",
    "seconds [s]",
];

/// The content of `summary.json`.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// `dbm`.
    pub model: &'static str,
    /// Name of the data.
    pub data: String,
    /// Units of each layer, the visible one first.
    pub sizes: Vec<usize>,
    /// Number of training images.
    pub train_images: usize,
    /// Number of test images that the monitors use.
    pub monitored_images: usize,
    /// Wall-clock time of each epoch's updates, with shuffling and binarisation, without monitors; seconds.
    pub seconds_per_epoch: Vec<f64>,
    /// The monitors after each epoch.
    pub epochs: Vec<EpochSummary>,
    /// The symptom and the cause of a divergence; there is no model then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diverged: Option<String>,
}

/// The monitors after one epoch.
#[derive(Debug, Clone, Serialize)]
pub struct EpochSummary {
    /// Counted from 1, through all stages.
    pub epoch: usize,
    /// The machine of the pre-training, from 1, the lowest; 0 in joint training.
    pub stage: usize,
    /// Mean squared error of training images reconstructed from the means of the first hidden layer; in pre-training, of the
    /// machine's reconstruction of the means below it.
    pub reconstruction_error: f64,
    /// Mean variational bound of training images minus that of test images, both without ln Z; nats. None in pre-training.
    pub bound_gap: Option<f64>,
    /// Mean-field iterations of test images.
    pub mean_field_iterations: usize,
    /// The largest change of a mean in the last iteration.
    pub mean_field_change: f64,
}

/// A run between two updates.
struct Run<'a> {
    settings: Settings,
    digits: &'a Dataset,
    /// Number of units of each layer.
    sizes: Vec<usize>,
    stage: Stage,
    below: Below,
    /// The mean of the training images.
    mean: Vec<f32>,
    training: Vec<f32>,
    validation: Vec<f32>,
    epochs: Epochs<'a>,
    /// A mini-batch as input of the machines below.
    images: Vec<f32>,
}

impl Trainable for Settings {
    const KIND: &'static str = "dbm";
    const FORMAT: &'static str = "1";
    const UNIT: &'static str = "images";
    const USES_LABELS: bool = false;
    type Model = Dbm<f32>;
    type Summary = Summary;

    fn begin<'a>(&self, digits: &'a Dataset) -> Result<impl TrainingRun<Self> + use<'a>> {
        Run::new(self, digits)
    }
}

impl<'a> Run<'a> {
    fn new(settings: &Settings, digits: &'a Dataset) -> Result<Self> {
        let Settings { binarise, batch, seed, .. } = *settings;
        let images = digits.train.images();
        let mean = binarise.mean(images);
        let training = monitored(images, settings, seed)?;
        let mut below = Below::new(settings);
        Ok(Self {
            digits,
            sizes: [mean.len()].iter().chain(&settings.hidden.0).copied().collect(),
            stage: Stage::begin(settings, &mut below, &mean, &training)?,
            below,
            mean,
            training,
            validation: monitored(digits.test.images(), settings, seed + 1)?,
            epochs: Epochs::new(images, binarise, batch, settings.all_epochs(), seed)?,
            images: Vec::new(),
            settings: settings.clone(),
        })
    }
}

impl TrainingRun<Settings> for Run<'_> {
    fn columns(&self) -> (Counter, Vec<String>) {
        (Counter::EPOCHS, COLUMNS.map(Into::into).into())
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
        let suspects = self.suspects(rates);
        let Self { stage, below, epochs, images, .. } = self;
        let (epoch, pixels) = (epochs.epoch, self.sizes[0]);
        let is_joint = matches!(stage, Stage::Joint(_));
        let is_lowest = below.machines.is_empty() || is_joint;
        let is_whole = epochs.run(progress, stop, |batch| {
            let count = batch.order.len();
            match batch.states {
                Some(states) if is_lowest => states.gather(batch.order, stage.states_mut(count)),
                _ if is_lowest => batch.fill(stage.images_mut(count))?,
                _ => {
                    images.resize(count * pixels, 0.0);
                    batch.fill(images)?;
                    // A substream that no update uses.
                    let states = below.states_of(images, batch.chain.substream(2));
                    stage.images_mut(count).copy_from_slice(states);
                }
            }
            let updated = stage.update(rates, batch.chain);
            updated.map_err(|error| divergence::located(error, [epoch, batch.number], &suspects))
        })?;
        if is_whole {
            let last = [epoch, self.epochs.batch];
            let text =
                self.end_epoch(metrics)?.map_err(|symptom| divergence::error(last, symptom, &suspects))?;
            progress.message(&text);
            let all = self.settings.all_epochs();
            progress.epoch_line(&format!("epoch {:>3}/{all}  {text}", self.epochs.epoch));
        }
        Ok(is_whole)
    }

    fn checkpoint(&mut self) -> Result<Archive> {
        self.build_checkpoint()
    }

    fn restore(&mut self, archive: &Archive) -> Result<()> {
        self.restore_checkpoint(archive)
    }

    fn diverged(&self, metrics: &Metrics, error: &Error) -> Summary {
        Summary { diverged: Some(error.to_string()), ..self.summary(metrics) }
    }

    fn end(self, metrics: &Metrics) -> Result<(Dbm<f32>, Archive, Summary)> {
        let summary = self.summary(metrics);
        let Stage::Joint(learner) = self.stage else { unreachable!("joint training comes last") };
        let model = learner.into_model();
        let mut archive = model.to_archive()?;
        describe_shape(&mut archive, self.digits.train.images().shape());
        super::describe(&mut archive, Settings { data: self.digits.name.clone(), ..self.settings })?;
        Ok((model, archive, summary))
    }
}

impl Run<'_> {
    fn summary(&self, metrics: &Metrics) -> Summary {
        let rows = metrics.rows();
        Summary {
            model: Settings::KIND,
            data: self.digits.name.clone(),
            sizes: self.sizes.clone(),
            train_images: self.digits.train.len(),
            monitored_images: self.validation.len() / self.sizes[0],
            seconds_per_epoch: rows.iter().filter_map(|row| row.values.last().copied()).collect(),
            epochs: rows.iter().map(|row| EpochSummary::of(row.count, &row.values)).collect(),
            diverged: None,
        }
    }

    /// Writes the monitors to `metrics.csv`, and begins the next stage after the last epoch of a stage. Returns a line with
    /// the monitors, or the symptom of a divergence.
    fn end_epoch(&mut self, metrics: &mut Metrics) -> Result<std::result::Result<String, String>> {
        let stage = self.settings.machine(self.epochs.epoch).map_or(0, |place| place + 1);
        let Monitors { reconstruction_error, log_likelihood, bound_gap, iterations, change } =
            self.stage.monitors(&self.settings, &mut self.below, [&self.training, &self.validation])?;
        let seconds = self.epochs.end();
        let values = [stage as f64, reconstruction_error, bound_gap, iterations as f64, change, seconds];
        metrics.append(self.epochs.epoch, &values)?;
        let units = self.sizes[stage.saturating_sub(1)];
        let is_end = self.epochs.epoch == self.settings.all_epochs();
        if let Some(symptom) =
            unlikely("log-likelihood of reconstructed training images", log_likelihood, units, is_end)
        {
            return Ok(Err(symptom));
        }
        if stage == 0 {
            return Ok(Ok(format!(
                "reconstruction {reconstruction_error:.4}, bound gap {bound_gap:.2}, mean-field {iterations} \
                 iterations to {change:.0e}"
            )));
        }
        if self.settings.machine(self.epochs.epoch) != Some(stage - 1) {
            if let Stage::Alone(learner) = &mut self.stage {
                self.below.machines.push(learner.model());
            }
            self.stage = Stage::begin(&self.settings, &mut self.below, &self.mean, &self.training)?;
        }
        Ok(Ok(format!("pre-training of layer {stage}, reconstruction {reconstruction_error:.4}")))
    }

    /// The options that may have caused too large updates in the current epoch.
    fn suspects(&self, rates: Rates) -> Vec<Suspect> {
        match self.settings.machine(self.epochs.epoch) {
            Some(_) => suspects("--pretraining-rate", rates),
            None => {
                let mut all = suspects("--learning-rate", rates);
                if let Some(sparsity) = self.settings.sparse() {
                    // Like an element of the gradient, which is at most 1, it is multiplied by the learning rate.
                    all.push(Suspect::new("--sparsity-cost", sparsity.cost, sparsity.cost));
                }
                all
            }
        }
    }

    fn rates(&self) -> Rates {
        let (settings, epoch) = (&self.settings, self.epochs.epoch);
        let (learning_rate, epoch) = match settings.machine(epoch) {
            Some(_) => (settings.pretraining_rate, 1),
            None => {
                let epoch = epoch + 1 - (settings.all_epochs() - settings.epochs);
                (settings.learning_rate.at(epoch, settings.epochs), epoch)
            }
        };
        let momentum = settings.momentum.at(epoch, settings.epochs);
        Rates { learning_rate, momentum, weight_decay: settings.weight_decay }
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

impl StoredMachine for Dbm<f32> {
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

    /// Pre-training has its own rate and the first momentum; epoch 1 of the schedules is the first of joint training.
    #[test]
    fn schedules_count_only_the_epochs_of_joint_training() {
        let digits = Dataset::synthetic(20, 10).unwrap();
        for pretraining_epochs in [0, 1, 3] {
            let settings = Settings {
                hidden: Layers(vec![4, 3]),
                pretraining_epochs,
                pretraining_rate: 0.5,
                epochs: 4,
                batch: 10,
                chains: 5,
                learning_rate: "0.08..0.02".parse().unwrap(),
                momentum: "0.1:0.2@2:0.3@4".parse().unwrap(),
                ..Settings::default()
            };
            let mut run = Run::new(&settings, &digits).unwrap();
            let pretraining = 2 * pretraining_epochs;
            let joint = [(0.08, 0.1), (0.06, 0.2), (0.04, 0.2), (0.02, 0.3)];
            let expected = std::iter::repeat_n((0.5, 0.1), pretraining).chain(joint);
            for (epoch, (rate, momentum)) in expected.enumerate() {
                run.epochs.epoch = epoch;
                let found = run.rates();
                assert!(
                    (found.learning_rate - rate).abs() < 1e-12,
                    "{pretraining_epochs}, {epoch}: {found:?}"
                );
                assert_eq!(found.momentum, momentum, "{pretraining_epochs}, {epoch}");
            }
            assert_eq!(settings.all_epochs(), pretraining + 4);
        }
    }
}
