//! Training a classifier on images that are shifted at random each time they are shown.
//!
//! A digit shifted by a pixel or two is the same digit. Each image is shown at random positions, so that the network cannot
//! learn where the strokes of the training images are.

use super::divergence::{self, Suspect, likely_cause};
use super::settings::{self, POSITIVE, RunSettings};
use super::supervised::{Supervised, decaying_rate};
use super::{Progress, Source, absolute_source};
use crate::checkpoint::Archive;
use crate::data::{Digits, Images, Labelled, Reading};
use crate::evaluate::classifier::{Accuracy, Classifier, intensity};
use crate::nn::{Initialisation, Plan};
use crate::rng::Stream;
use crate::{Error, Result};
use clap::Args;
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Instant;

/// Everything that determines the result, apart from the bytes of the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `synthetic`, or a folder with MNIST's four files (or its parent).
    #[arg(long, default_value = "synthetic", value_parser = absolute_source())]
    pub data: String,
    /// Number of passes over the training images.
    #[arg(long, default_value_t = 15)]
    pub epochs: usize,
    /// Images in a mini-batch.
    #[arg(long, default_value_t = 128)]
    pub batch: usize,
    /// Adam's rate at the start; it decreases linearly to 0.
    #[arg(long, default_value_t = 1e-3)]
    pub learning_rate: f64,
    /// Largest random shift of an image along each axis, in pixels.
    #[arg(long, default_value_t = 2)]
    pub shift: usize,
    /// Seed of all random numbers.
    #[arg(long, default_value_t = 1)]
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
    const LENGTH: &'static str = "epochs";

    fn seed(&self) -> u64 {
        self.seed
    }

    fn data_mut(&mut self) -> &mut String {
        &mut self.data
    }

    fn length_mut(&mut self) -> &mut usize {
        &mut self.epochs
    }

    fn batch_mut(&mut self) -> &mut usize {
        &mut self.batch
    }

    fn load(&self) -> Result<Digits> {
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

    fn check_data(&self, digits: &Digits) -> Result<()> {
        digits.train.check_labels()?;
        digits.test.check_labels()?;
        settings::batch(self.batch, digits)
    }
}

/// The result of training.
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
    /// Accuracy on the test images, with 16-bit parameters.
    pub accuracy: Accuracy,
    /// Mean cross-entropy of the shifted training images in each epoch; nats.
    pub losses: Vec<f64>,
    /// Duration of training; seconds.
    pub seconds: f64,
}

/// Trains a classifier on the training images of `digits` and measures its accuracy on the test images.
///
/// Its parameters are rounded to 16 bits, as [`Classifier::to_archive`] stores them.
///
/// **Errors** [`Error::InvalidArgument`] for settings out of range, for a mini-batch larger than the training set, and
/// without test images; [`Error::Diverged`] as [`divergence`] defines it; [`Error::Interrupted`] soon after `stop` returns
/// true.
///
/// **Randomness** Parameters from the stream `init` of the seed; orders from the substreams of `shuffle` by epoch, shifts
/// from those of `augment`. The result is the same for any number of threads.
///
/// **Accuracy and cost** About 99.3 % of MNIST's test images; 5 s per epoch of 60,000 images on 2 AVX-512 cores.
///
/// **Source** Simard, Steinkraus & Platt 2003 for shifted images; Kingma & Ba 2015.
pub fn train(
    settings: &Settings,
    digits: &Digits,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(Classifier, Summary)> {
    settings.check()?;
    settings.check_data(digits)?;
    let began = Instant::now();
    progress.start((settings.epochs * digits.train.len()) as u64, "images");
    let mut trainer = Trainer::new(settings, digits)?;
    let mut losses = Vec::new();
    for epoch in 1..=settings.epochs {
        let loss = trainer.epoch(epoch, progress, stop)?;
        losses.push(loss);
        progress.message(&format!("epoch {epoch}/{}, cross-entropy {loss:.4} nats", settings.epochs));
        progress.epoch_line(&format!("epoch {epoch}/{}: cross-entropy {loss:.4} nats", settings.epochs));
    }
    progress.finish("");
    let (last, guessing) = (losses[losses.len() - 1], (classes(digits) as f64).ln());
    if last.is_nan() || last > divergence::FACTOR * guessing {
        let symptom = format!("the mean cross-entropy is {last:.3e} nats, that of guessing {guessing:.3}");
        let batches = digits.train.len().div_ceil(settings.batch);
        return Err(diverged(settings, [settings.epochs, batches], symptom));
    }
    let classifier =
        Classifier::from_archive(&Classifier::new(plan(digits), &trainer.training.network)?.to_archive()?)?;
    let summary = Summary {
        model: Classifier::KIND,
        data: digits.name.clone(),
        settings: settings.clone(),
        train_images: digits.train.len(),
        test_images: digits.test.len(),
        accuracy: classifier.accuracy(&digits.test)?,
        losses,
        seconds: began.elapsed().as_secs_f64(),
    };
    Ok((classifier, summary))
}

/// The archive of a trained classifier, with its settings and its accuracy in the metadata.
///
/// **Errors** as [`Classifier::to_archive`].
pub fn to_archive(classifier: &Classifier, summary: &Summary) -> Result<Archive> {
    let mut archive = classifier.to_archive()?;
    super::describe(&mut archive, Settings { data: summary.data.clone(), ..summary.settings.clone() })?;
    archive.set_metadata("test_accuracy", &format!("{:.4}", summary.accuracy.all));
    Ok(archive)
}

fn diverged(settings: &Settings, [epoch, batch]: [usize; 2], symptom: String) -> Error {
    let rate = settings.learning_rate;
    let cause = likely_cause(&[Suspect::new("--learning-rate", rate, rate)]);
    Error::Diverged { place: format!("epoch {epoch}, batch {batch}"), symptom, cause }
}

/// The architecture for these images.
fn plan(digits: &Digits) -> Plan {
    let images = digits.train.images();
    Classifier::plan(images.height(), images.width(), classes(digits))
}

/// The number of classes: up to the largest label, and at least the ten digits.
fn classes(digits: &Digits) -> usize {
    const LEAST: usize = 10;
    let labels = [&digits.train, &digits.test].into_iter().flat_map(Labelled::labels);
    labels.max().map_or(LEAST, |&most| LEAST.max(usize::from(most) + 1))
}

/// The state of a training.
struct Trainer<'a> {
    settings: &'a Settings,
    digits: &'a Digits,
    training: Supervised,
    order: Vec<usize>,
    steps: usize,
}

impl<'a> Trainer<'a> {
    fn new(settings: &'a Settings, digits: &'a Digits) -> Result<Self> {
        let mut network = plan(digits).build()?;
        network.initialise(Initialisation::He { slope: 0.0 }, Stream::named(settings.seed, "init"));
        let (training, order) = (Supervised::new(network)?, vec![0; digits.train.len()]);
        Ok(Self { settings, digits, training, order, steps: 0 })
    }

    /// Trains for one epoch and returns its mean loss.
    fn epoch(
        &mut self,
        epoch: usize,
        progress: &mut Progress,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<f64> {
        let stream = |name| Stream::named(self.settings.seed, name).substream(epoch as u64);
        let mut order = std::mem::take(&mut self.order);
        stream("shuffle").permutation(&mut order);
        let mut shifts = stream("augment").generator();
        let mut sum = 0.0;
        for (index, batch) in order.chunks(self.settings.batch).enumerate() {
            super::interrupt::check(stop)?;
            let loss = self.step(batch, &mut shifts).map_err(|error| match error {
                Error::Diverged { symptom, .. } => diverged(self.settings, [epoch, index + 1], symptom),
                other => other,
            })?;
            sum += loss * batch.len() as f64;
            progress.advance(batch.len() as u64);
        }
        self.order = order;
        Ok(sum / self.order.len() as f64)
    }

    /// Takes one step. Returns the mean loss of the mini-batch.
    fn step(&mut self, batch: &[usize], shifts: &mut impl Rng) -> Result<f64> {
        let (train, most) = (&self.digits.train, self.settings.shift);
        let rate = rate(self.settings, self.steps, train.len());
        self.steps += 1;
        let stream = Stream::named(self.settings.seed, "augment");
        self.training.step(batch.len(), rate, stream, |inputs, labels| {
            let rows = inputs.chunks_exact_mut(train.images().values_per_image()).zip(labels);
            for (&image, (input, label)) in batch.iter().zip(rows) {
                let shift = [(); 2].map(|()| offset(shifts.next_u32(), most));
                fill_shifted(train.images(), image, shift, input);
                *label = train.labels()[image];
            }
        })
    }
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

/// The classifier in a file that `classifier train` wrote.
///
/// **Errors** [`Error::Io`] if it cannot be read; [`Error::Malformed`] if it is not a classifier.
pub fn load(path: &Path) -> Result<Classifier> {
    Classifier::from_archive(&super::read_archive(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::ProgressKind;

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
        let settings = Settings { epochs: 2, batch: 30, learning_rate: 0.8, ..Settings::default() };
        let rates: Vec<f64> = (0..=8).map(|steps| rate(&settings, steps, 100)).collect();
        for (step, rate) in rates.iter().enumerate() {
            assert!((rate - 0.1 * (8 - step) as f64).abs() < 1e-12, "{rates:?}");
        }
        // Training uses these rates up to the last step.
        let digits = Digits::synthetic(100, 10).unwrap();
        let mut trainer = Trainer::new(&settings, &digits).unwrap();
        for epoch in 1..=2 {
            trainer.epoch(epoch, &mut quiet(), &|| false).unwrap();
            let crate::optim::Rule::Adam { rate, .. } = trainer.training.optimiser.rule() else { panic!() };
            assert!((rate - rates[4 * epoch - 1]).abs() < 1e-12, "{rate} after epoch {epoch}");
        }
    }

    #[test]
    fn a_classifier_learns_digits_in_seconds_and_its_archive_holds_the_settings() {
        let digits = Digits::synthetic(1000, 300).unwrap();
        let settings = Settings { epochs: 6, data: "/some/where".into(), ..Settings::default() };
        let (classifier, summary) = train(&settings, &digits, &mut quiet(), &|| false).unwrap();
        assert!(summary.accuracy.all > 0.93, "{summary:?}");
        assert_eq!(summary.accuracy, classifier.accuracy(&digits.test).unwrap());
        assert!(summary.losses.is_sorted_by(|a, b| a > b), "{summary:?}");
        let archive = to_archive(&classifier, &summary).unwrap();
        let stored: Settings = toml::from_str(archive.metadata("configuration").unwrap()).unwrap();
        assert_eq!(stored, Settings { data: "synthetic".into(), ..settings });
        assert_eq!(archive.metadata("test_accuracy").unwrap(), format!("{:.4}", summary.accuracy.all));
    }

    #[test]
    fn training_ends_at_an_interruption_or_divergence() {
        let digits = Digits::synthetic(200, 20).unwrap();
        let interrupted = train(&Settings::default(), &digits, &mut quiet(), &|| true);
        assert!(matches!(interrupted, Err(Error::Interrupted { .. })), "{interrupted:?}");
        let wild = Settings { learning_rate: 1e30, ..Settings::default() };
        let error = train(&wild, &digits, &mut quiet(), &|| false).unwrap_err();
        assert!(
            error.to_string().contains("is no longer finite; the likely cause is --learning-rate 1e30"),
            "{error}"
        );
        // All numbers are finite, but the result is worse than guessing.
        let high = Settings { learning_rate: 1e3, epochs: 2, ..Settings::default() };
        let error = train(&high, &digits, &mut quiet(), &|| false).unwrap_err();
        let words = "diverged in epoch 2, batch 2: the mean cross-entropy is ";
        assert!(error.to_string().starts_with(words), "{error}");
        // A high loss in the first epoch is no divergence: this run learns, badly.
        let poor = Settings { learning_rate: 0.1, epochs: 12, ..Settings::default() };
        let (_, summary) = train(&poor, &digits, &mut quiet(), &|| false).unwrap();
        assert!(summary.losses[0] > divergence::FACTOR * 10_f64.ln(), "{summary:?}");
        for (settings, words) in [
            (Settings { epochs: 0, ..Settings::default() }, "--epochs 0"),
            (Settings { batch: 0, ..Settings::default() }, "--batch 0"),
            (Settings { batch: 201, ..Settings::default() }, "--batch 201"),
            (Settings { shift: 101, ..Settings::default() }, "--shift 101"),
            (Settings { learning_rate: f64::NAN, ..Settings::default() }, "--learning-rate NaN"),
        ] {
            let error = train(&settings, &digits, &mut quiet(), &|| false).unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}");
        }
    }

    #[test]
    fn the_shipped_classifier_recognises_synthetic_digits_too() {
        let classifier = crate::pretrained::classifier().unwrap();
        assert_eq!((classifier.inputs(), classifier.features(), classifier.classes()), (784, 128, 10));
        let accuracy = classifier.accuracy(&Digits::synthetic(1, 2000).unwrap().test).unwrap();
        assert!(accuracy.all > 0.99, "{accuracy:?}");
    }
}
