//! Training a classifier on images that are shifted at random each time they are shown.
//!
//! A digit shifted by a pixel or two is the same digit. Each image is shown at random positions, so that the network cannot
//! learn where the strokes of the training images are. The parameters of the trained classifier are rounded to 16 bits.
//!
//! **Errors** of training: as [`train`](super::train); [`Error::InvalidArgument`] without test images, or with images that
//! have no labels.
//!
//! **Randomness** Parameters from the stream `init` of the seed; orders from the substreams of `shuffle` by epoch, shifts from
//! those of `augment`. The result is the same for any number of threads.
//!
//! **Accuracy and cost** About 99.3 % of MNIST's test images; 5 s per epoch of 60,000 images on 2 AVX-512 cores.
//!
//! **Source** Simard, Steinkraus & Platt 2003 for shifted images; Kingma & Ba 2015.

use super::divergence::{self, Suspect, likely_cause};
use super::epochs::Epochs;
use super::restore::{self, not_reached};
use super::settings::{self, POSITIVE, RunSettings};
use super::supervised::{Supervised, decaying_rate};
use super::training::{Trainable, TrainingRun};
use super::{Counter, Metrics, Progress, Source, absolute_source};
use crate::checkpoint::Archive;
use crate::data::{Binarisation, Dataset, Images, Labelled, Reading};
use crate::evaluate::classifier::{Accuracy, Classifier, intensity};
use crate::nn::{Initialisation, Plan};
use crate::rng::Stream;
use crate::{Error, Result};
use clap::Args;
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Everything that determines the result, apart from the bytes of the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `synthetic`, or a folder with MNIST's four files (or its parent).
    #[arg(long, default_value = "synthetic", value_parser = absolute_source())]
    pub data: String,
    /// Number of passes over the training images.
    #[arg(long, default_value = "15")]
    pub epochs: usize,
    /// Images in a mini-batch.
    #[arg(long, default_value = "128")]
    pub batch: usize,
    /// Adam's rate at the start; it decreases linearly to 0.
    #[arg(long, default_value = "0.001")]
    pub learning_rate: f64,
    /// Largest random shift of an image along each axis, in pixels.
    #[arg(long, default_value = "2")]
    pub shift: usize,
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

impl RunSettings for Settings {
    settings::usual_fields!(epochs);

    fn depends_on_length(&self) -> Vec<&'static str> {
        vec!["--learning-rate"]
    }

    fn load(&self) -> Result<Dataset> {
        Source { data: &self.data, images: None, invert: false, reading: &self.reading }.load()
    }

    fn check(&self) -> Result<()> {
        settings::whole(&[
            ("--epochs", self.epochs, 1..=10_000, "epochs"),
            ("--batch", self.batch, 1..=usize::MAX, "image in a mini-batch"),
            ("--shift", self.shift, 0..=100, "pixels"),
        ])?;
        settings::seed(self.seed)?;
        settings::real(&[("--learning-rate", self.learning_rate, POSITIVE)])
    }

    fn check_data(&self, digits: &Dataset) -> Result<()> {
        digits.train.check_labels()?;
        digits.test.check_labels()?;
        settings::batch(self.batch, digits)?;
        settings::memory(memory(&plan(digits), self.batch), || format!("--batch {}", self.batch))
    }
}

/// The content of `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// `classifier`.
    pub model: &'static str,
    /// Name of the data.
    pub data: String,
    /// The settings.
    pub settings: Settings,
    /// Number of training images.
    pub train_images: usize,
    /// Number of test images.
    pub test_images: usize,
    /// Accuracy on the test images, with 16-bit parameters; none if training diverged.
    pub accuracy: Option<Accuracy>,
    /// Mean cross-entropy of the shifted training images in each epoch; nats.
    pub losses: Vec<f64>,
    /// Duration of each epoch; seconds.
    pub seconds_per_epoch: Vec<f64>,
    /// The symptom and the cause of a divergence; there is no model then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diverged: Option<String>,
}

impl Trainable for Settings {
    const KIND: &'static str = Classifier::KIND;
    const FORMAT: &'static str = "1";
    const UNIT: &'static str = "images";
    const USES_LABELS: bool = true;
    type Model = Classifier;
    type Summary = Summary;

    fn begin<'a>(&self, digits: &'a Dataset) -> Result<impl TrainingRun<Self> + use<'a>> {
        Run::new(self, digits)
    }
}

/// A run between two steps.
struct Run<'a> {
    settings: Settings,
    digits: &'a Dataset,
    training: Supervised,
    epochs: Epochs<'a>,
    /// Sum of the cross-entropies of the images of the current epoch so far; nats.
    loss: f64,
}

impl<'a> Run<'a> {
    fn new(settings: &Settings, digits: &'a Dataset) -> Result<Self> {
        let Settings { batch, epochs, seed, .. } = *settings;
        let mut network = plan(digits).build()?;
        network.initialise(Initialisation::He { slope: 0.0 }, Stream::named(seed, "init"));
        let epochs =
            Epochs::new(digits.train.images(), Binarisation::Grey, batch, epochs, seed)?.counted_from_1();
        Ok(Self {
            settings: settings.clone(),
            digits,
            training: Supervised::new(network)?,
            epochs,
            loss: 0.0,
        })
    }

    fn summary(&self, metrics: &Metrics) -> Summary {
        let column = |i: usize| metrics.rows().iter().map(|row| row.values[i]).collect();
        Summary {
            model: Classifier::KIND,
            data: self.digits.name.clone(),
            settings: self.settings.clone(),
            train_images: self.digits.train.len(),
            test_images: self.digits.test.len(),
            accuracy: None,
            losses: column(0),
            seconds_per_epoch: column(1),
            diverged: None,
        }
    }

    /// Writes the row of an epoch that has ended. Returns its mean loss.
    fn end_epoch(&mut self, metrics: &mut Metrics, progress: &mut Progress) -> Result<f64> {
        let loss = std::mem::take(&mut self.loss) / self.digits.train.len() as f64;
        let seconds = self.epochs.end();
        metrics.append(self.epochs.epoch, &[loss, seconds])?;
        let text =
            format!("epoch {}/{}, cross-entropy {loss:.4} nats", self.epochs.epoch, self.settings.epochs);
        progress.message(&text);
        progress.epoch_line(&text);
        Ok(loss)
    }
}

impl TrainingRun<Settings> for Run<'_> {
    fn columns(&self) -> (Counter, Vec<String>) {
        (Counter::EPOCHS, ["cross_entropy [nats per image]", "seconds [s]"].map(String::from).into())
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
        let Self { settings, digits, training, epochs, loss } = self;
        let (train, epoch) = (&digits.train, epochs.epoch);
        let mut shifts = epochs.stream("augment").generator();
        // Those of the images of this epoch that an earlier process has shown.
        for _ in 0..2 * epochs.batch * settings.batch {
            shifts.next_u32();
        }
        let per_epoch = train.len().div_ceil(settings.batch);
        let dropout = Stream::named(settings.seed, "augment");
        let is_whole = epochs.run(progress, stop, |batch| {
            let rate = rate(settings, epoch * per_epoch + batch.number - 1, train.len());
            let fill = |inputs: &mut [f32], labels: &mut [u8]| {
                let rows = inputs.chunks_exact_mut(train.images().values_per_image()).zip(labels);
                for (&image, (input, label)) in batch.order.iter().zip(rows) {
                    let shift = [(); 2].map(|()| offset(shifts.next_u32(), settings.shift));
                    fill_shifted(train.images(), image, shift, input);
                    *label = train.labels()[image];
                }
            };
            let mean =
                training.step(batch.order.len(), rate, dropout, fill).map_err(|error| match error {
                    Error::Diverged { symptom, .. } => diverged(settings, [epoch + 1, batch.number], symptom),
                    other => other,
                })?;
            *loss += mean * batch.order.len() as f64;
            Ok(())
        })?;
        if is_whole {
            let last = self.end_epoch(metrics, progress)?;
            let guessing = (classes(self.digits) as f64).ln();
            let is_end = self.epochs.epoch == self.settings.epochs;
            if is_end && (last.is_nan() || last > divergence::FACTOR * guessing) {
                let symptom =
                    format!("the mean cross-entropy is {last:.3e} nats, that of guessing {guessing:.3}");
                return Err(diverged(&self.settings, [self.settings.epochs, per_epoch], symptom));
            }
        }
        Ok(is_whole)
    }

    fn checkpoint(&mut self) -> Result<Archive> {
        let mut archive = Archive::new();
        archive.set_metadata("model", Classifier::KIND);
        archive.set_metadata("loss", &self.loss.to_string());
        self.epochs.describe(&mut archive);
        self.training.describe(&mut archive)?;
        Ok(archive)
    }

    fn restore(&mut self, archive: &Archive) -> Result<()> {
        self.epochs.restore(archive)?;
        let loss = archive.required_metadata("loss")?.parse().ok().filter(|loss: &f64| *loss >= 0.0);
        self.loss = loss.ok_or_else(|| not_reached(archive, "loss"))?;
        let most = self.settings.epochs * self.digits.train.len().div_ceil(self.settings.batch);
        self.training.restore(archive, restore::number(archive, "optimiser_steps", most as u64)?)
    }

    fn diverged(&self, metrics: &Metrics, error: &Error) -> Summary {
        Summary { diverged: Some(error.to_string()), ..self.summary(metrics) }
    }

    fn end(self, metrics: &Metrics) -> Result<(Classifier, Archive, Summary)> {
        let archive = Classifier::new(plan(self.digits), &self.training.network)?.to_archive()?;
        let classifier = Classifier::from_archive(&archive)?;
        let accuracy = classifier.accuracy(&self.digits.test)?;
        let mut archive = classifier.to_archive()?;
        super::describe(&mut archive, Settings { data: self.digits.name.clone(), ..self.settings.clone() })?;
        archive.set_metadata("test_accuracy", &format!("{:.4}", accuracy.all));
        Ok((classifier, archive, Summary { accuracy: Some(accuracy), ..self.summary(metrics) }))
    }
}

fn diverged(settings: &Settings, [epoch, batch]: [usize; 2], symptom: String) -> Error {
    let rate = settings.learning_rate;
    let cause = likely_cause(&[Suspect::new("--learning-rate", rate, rate)]);
    Error::Diverged { place: format!("epoch {epoch}, batch {batch}"), symptom, cause }
}

/// Bytes of a run: each parameter with its gradient, two moments and a copy in a checkpoint and in its bytes, and the outputs
/// and derivatives of a mini-batch.
fn memory(plan: &Plan, batch: usize) -> u128 {
    (8 * plan.parameters() + 2 * batch as u128 * plan.values()) * size_of::<f32>() as u128
}

/// The architecture for these images.
fn plan(digits: &Dataset) -> Plan {
    let images = digits.train.images();
    Classifier::plan(images.height(), images.width(), classes(digits))
}

/// The number of classes: up to the largest label, and at least the ten digits.
fn classes(digits: &Dataset) -> usize {
    const LEAST: usize = 10;
    let labels = [&digits.train, &digits.test].into_iter().flat_map(Labelled::labels);
    labels.max().map_or(LEAST, |&most| LEAST.max(usize::from(most) + 1))
}

/// Adam's rate after `steps` mini-batches.
fn rate(settings: &Settings, steps: usize, images: usize) -> f64 {
    decaying_rate(settings.learning_rate, steps, settings.epochs * images.div_ceil(settings.batch))
}

/// A uniform whole number from -`most` to `most`.
fn offset(word: u32, most: usize) -> isize {
    let choices = 2 * most as u64 + 1;
    // The high half of the product: uniform up to choices / 2^32.
    ((u64::from(word) * choices) >> 32) as isize - most as isize
}

/// Fills `input` with an image shifted down and to the right by `shift`; new pixels are background.
fn fill_shifted(images: &Images, image: usize, [down, right]: [isize; 2], input: &mut [f32]) {
    let (height, width) = (images.height(), images.width());
    let pixels = images.image(image);
    let from = |to: usize, by: isize, most: usize| to.checked_add_signed(-by).filter(|&from| from < most);
    for (to, row) in input.chunks_exact_mut(width).enumerate() {
        let Some(from_row) = from(to, down, height) else {
            row.fill(0.0);
            continue;
        };
        for (to, input) in row.iter_mut().enumerate() {
            *input =
                from(to, right, width).map_or(0.0, |column| intensity(pixels[from_row * width + column]));
        }
    }
}

/// Loads a classifier from a run directory or a safetensors file.
///
/// **Errors** [`Error::NotFound`], [`Error::Malformed`], [`Error::Io`].
pub fn load(path: &Path) -> Result<Classifier> {
    Classifier::from_archive(&super::read_archive(&super::locate_model(path)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{ProgressKind, train_in_memory, train_or_resume};

    fn quiet() -> Progress {
        Progress::new(ProgressKind::Quiet)
    }

    #[test]
    fn images_are_shifted_uniformly_and_otherwise_unchanged() {
        let images = Images::new(2, 3, vec![0, 255, 51, 102, 153, 204]).unwrap();
        let shifted = |shift| {
            let mut input = [7.0; 6];
            fill_shifted(&images, 0, shift, &mut input);
            input.map(|x: f32| (x * 255.0).round() as u8)
        };
        assert_eq!(shifted([0, 0]), [0, 255, 51, 102, 153, 204]);
        assert_eq!(shifted([1, 0]), [0, 0, 0, 0, 255, 51]);
        assert_eq!(shifted([-1, 1]), [0, 102, 153, 0, 0, 0]);
        assert_eq!(shifted([0, -2]), [51, 0, 0, 204, 0, 0]);
        assert_eq!(shifted([5, -9]), [0; 6]);
        let mut places = Stream::named(1, "augment").generator();
        let mut counts = [0; 5];
        (0..10_000).for_each(|_| counts[(offset(places.next_u32(), 2) + 2) as usize] += 1);
        assert!(counts.iter().all(|count| (1800..2200).contains(count)), "{counts:?}");
        assert_eq!(offset(u32::MAX, 0), 0);
    }

    #[test]
    fn the_rate_decreases_linearly_to_0_over_all_epochs() {
        // 4 mini-batches in each of 2 epochs.
        let settings = Settings { epochs: 2, batch: 30, learning_rate: 0.008, ..Settings::default() };
        let rates: Vec<f64> = (0..=8).map(|steps| rate(&settings, steps, 100)).collect();
        for (step, rate) in rates.iter().enumerate() {
            assert!((rate - 0.001 * (8 - step) as f64).abs() < 1e-12, "{rates:?}");
        }
        // Training uses these rates up to the last step.
        let digits = Dataset::synthetic(100, 10).unwrap();
        let mut run = Run::new(&settings, &digits).unwrap();
        let mut metrics = Metrics::in_memory(Counter::EPOCHS, &run.columns().1);
        for epoch in 1..=2 {
            run.advance(&mut metrics, &mut quiet(), &|| false).unwrap();
            let crate::optim::Rule::Adam { rate, .. } = run.training.optimiser.rule() else { panic!() };
            assert!((rate - rates[4 * epoch - 1]).abs() < 1e-12, "{rate} after epoch {epoch}");
        }
    }

    #[test]
    fn a_classifier_learns_digits_in_seconds_and_its_archive_holds_the_settings() {
        let digits = Dataset::synthetic(1000, 300).unwrap();
        let settings = Settings { epochs: 6, data: "/some/where".into(), ..Settings::default() };
        let (classifier, summary) = train_in_memory(&settings, &digits, &mut quiet(), &|| false).unwrap();
        let accuracy = summary.accuracy.clone().unwrap();
        assert!(accuracy.all > 0.93, "{summary:?}");
        assert_eq!(accuracy, classifier.accuracy(&digits.test).unwrap());
        assert!(summary.losses.is_sorted_by(|a, b| a > b), "{summary:?}");
    }

    #[test]
    fn a_run_that_was_stopped_anywhere_ends_with_the_same_bytes() {
        let digits = Dataset::synthetic(90, 30).unwrap();
        let settings = Settings { epochs: 3, batch: 20, data: "/some/where".into(), ..Settings::default() };
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str, file: &str| std::fs::read(folder.path().join(name).join(file)).unwrap();
        let go = |name: &str, steps: usize| {
            let left = std::sync::atomic::AtomicUsize::new(steps);
            let stop = || left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) == 0;
            train_or_resume(&folder.path().join(name), false, &settings, &digits, &mut quiet(), &stop)
        };
        let (_, summary) = go("whole", usize::MAX).unwrap();
        // Five mini-batches an epoch: within epochs, and between two.
        for steps in [3, 2, 4] {
            assert!(matches!(go("parts", steps), Err(Error::Interrupted { .. })));
        }
        go("parts", usize::MAX).unwrap();
        assert!(read("whole", "model.safetensors") == read("parts", "model.safetensors"));
        let losses = |name| {
            let text = String::from_utf8(read(name, "metrics.csv")).unwrap();
            text.lines().map(|line| line.rsplit_once(',').unwrap().0.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(losses("whole"), losses("parts"));
        let archive = crate::run::read_archive(&folder.path().join("whole/model.safetensors")).unwrap();
        let stored: Settings = toml::from_str(archive.metadata("configuration").unwrap()).unwrap();
        assert_eq!(stored, Settings { data: "synthetic".into(), ..settings.clone() });
        let accuracy = summary.accuracy.unwrap().all;
        assert_eq!(archive.metadata("test_accuracy").unwrap(), format!("{accuracy:.4}"));
    }

    #[test]
    fn training_ends_at_an_interruption_or_divergence() {
        let digits = Dataset::synthetic(200, 20).unwrap();
        let interrupted = train_in_memory(&Settings::default(), &digits, &mut quiet(), &|| true);
        assert!(matches!(interrupted, Err(Error::Interrupted { .. })), "{interrupted:?}");
        let wild = Settings { learning_rate: 1e30, ..Settings::default() };
        let error = train_in_memory(&wild, &digits, &mut quiet(), &|| false).unwrap_err();
        assert!(
            error.to_string().contains("is no longer finite; the likely cause is --learning-rate 1e30"),
            "{error}"
        );
        // All numbers are finite, but the result is worse than guessing.
        let high = Settings { learning_rate: 1e3, epochs: 2, ..Settings::default() };
        let error = train_in_memory(&high, &digits, &mut quiet(), &|| false).unwrap_err();
        let words = "diverged in epoch 2, batch 2: the mean cross-entropy is ";
        assert!(error.to_string().starts_with(words), "{error}");
        // A high loss in the first epoch is no divergence: this run learns, badly.
        let poor = Settings { learning_rate: 0.1, epochs: 12, ..Settings::default() };
        let (_, summary) = train_in_memory(&poor, &digits, &mut quiet(), &|| false).unwrap();
        assert!(summary.losses[0] > divergence::FACTOR * 10_f64.ln(), "{summary:?}");
        for (settings, words) in [
            (Settings { epochs: 0, ..Settings::default() }, "--epochs 0"),
            (Settings { batch: 0, ..Settings::default() }, "--batch 0"),
            (Settings { batch: 201, ..Settings::default() }, "--batch 201"),
            (Settings { shift: 101, ..Settings::default() }, "--shift 101"),
            (Settings { learning_rate: f64::NAN, ..Settings::default() }, "--learning-rate NaN"),
        ] {
            let error = train_in_memory(&settings, &digits, &mut quiet(), &|| false).unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}");
        }
    }

    #[test]
    fn the_shipped_classifier_recognises_synthetic_digits_too() {
        let classifier = crate::pretrained::classifier().unwrap();
        assert_eq!((classifier.inputs(), classifier.features(), classifier.classes()), (784, 128, 10));
        let accuracy = classifier.accuracy(&Dataset::synthetic(1, 2000).unwrap().test).unwrap();
        assert!(accuracy.all > 0.99, "{accuracy:?}");
    }
}
