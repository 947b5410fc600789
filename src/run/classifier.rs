//! Training a classifier: a loop over images that move a little each time they are seen.
//!
//! A digit moved by a pixel is the same digit. Seeing each image at all nine places teaches that, and is what takes a
//! plain network from 98.3 % to 98.8 % of MNIST's test images.

use super::divergence::{self, Suspect, likely_cause};
use super::{CONFIGURATION, Progress, checks};
use crate::checkpoint::Archive;
use crate::data::{Digits, Images};
use crate::evaluate::classifier::{Accuracy, Classifier, intensity};
use crate::nn::losses::softmax_cross_entropy;
use crate::nn::{Cache, Deltas, Gradients, Initialisation, Scratch, Training, Wanted};
use crate::optim::{Optimiser, Rule};
use crate::rng::Stream;
use crate::{Error, Result};
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Instant;

/// The digits.
const CLASSES: usize = 10;
/// Adam's, as its authors have them.
const BETAS: [f64; 2] = [0.9, 0.999];

/// Everything that decides the outcome, but for the bytes of the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Name of the data, or the folder that holds them.
    pub data: String,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images in a mini-batch.
    pub batch: usize,
    /// Adam's rate at first; it falls to 0 in a straight line.
    pub learning_rate: f64,
    /// Pixels by which an image moves at most, along either axis.
    pub shift: usize,
    /// Seed of all random numbers.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { data: "synthetic".into(), epochs: 12, batch: 128, learning_rate: 1e-3, shift: 1, seed: 1 }
    }
}

impl Settings {
    /// **Errors** [`Error::InvalidArgument`] in the words of the command line.
    pub fn check(&self) -> Result<()> {
        checks::at_least_1(&[
            ("--epochs", self.epochs, "at least 1 pass over the images is needed"),
            ("--batch", self.batch, "a mini-batch needs at least 1 image"),
        ])?;
        checks::at_most(&[
            ("--epochs", self.epochs, 10_000, "epochs can be trained"),
            ("--shift", self.shift, 100, "pixels can be moved"),
        ])?;
        checks::seed(self.seed)?;
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            let argument = format!("--learning-rate {}", self.learning_rate);
            return Err(Error::invalid(argument, "a learning rate is a number above 0"));
        }
        Ok(())
    }
}

/// What training came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// `classifier`.
    pub model: &'static str,
    /// Name of the data.
    pub data: String,
    /// What it was trained with.
    pub settings: Settings,
    /// Training images.
    pub train_images: usize,
    /// Test images.
    pub test_images: usize,
    /// On the test images, with parameters of 16 bits.
    pub accuracy: Accuracy,
    /// Mean cross-entropy of the training images in each epoch, moved as they were; nats.
    pub losses: Vec<f64>,
    /// Time of training.
    pub seconds: f64,
}

/// Trains a classifier on the training images of `digits`, and looks how often it is right about the test images.
///
/// Its parameters are rounded to 16 bits, as [`Classifier::to_archive`] keeps them.
///
/// **Errors** [`Error::InvalidArgument`] as [`Settings::check`], for a mini-batch larger than the training set, and
/// without test images; [`Error::Diverged`] where [`divergence`] says so; [`Error::Interrupted`] soon after
/// `stop` returns true.
/// **Randomness** Parameters from the stream `init` of the seed; orders from the substreams of `shuffle` by epoch, and
/// the places of its images from those of `augment`. The same at any number of threads.
/// **Accuracy and cost** About 98.8 % of MNIST's test images; 2 s an epoch of 60,000 images on 2 AVX-512 cores.
/// **Source** Simard, Steinkraus & Platt 2003 for moved images; Kingma & Ba 2015.
pub fn train(
    settings: &Settings,
    digits: &Digits,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(Classifier, Summary)> {
    settings.check()?;
    checks::batch(settings.batch, digits.train.len())?;
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
    let (last, guessing) = (losses[losses.len() - 1], (CLASSES as f64).ln());
    if last.is_nan() || last > divergence::FACTOR * guessing {
        let symptom = format!("the mean cross-entropy is {last:.3e} nats, that of guessing {guessing:.3}");
        let batches = digits.train.len().div_ceil(settings.batch);
        return Err(diverged(settings, [settings.epochs, batches], symptom));
    }
    let classifier = Classifier::from_archive(&Classifier::new(&trainer.network)?.to_archive()?)?;
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

/// The archive of a trained classifier, which says how it was trained, and how often it is right.
///
/// Of the data, their name is kept, not their place.
///
/// **Errors** As [`Classifier::to_archive`].
pub fn to_archive(classifier: &Classifier, summary: &Summary) -> Result<Archive> {
    let mut archive = classifier.to_archive()?;
    let settings = Settings { data: summary.data.clone(), ..summary.settings.clone() };
    let text = toml::to_string(&settings).map_err(|error| Error::invalid("settings", error))?;
    archive.set_metadata(CONFIGURATION, &text);
    archive.set_metadata("test_accuracy", &format!("{:.4}", summary.accuracy.all));
    Ok(archive)
}

fn diverged(settings: &Settings, [epoch, batch]: [usize; 2], symptom: String) -> Error {
    let rate = settings.learning_rate;
    let cause = likely_cause(&[Suspect::new("--learning-rate", rate, rate)]);
    Error::Diverged { epoch, batch, symptom, cause }
}

/// A network and all that its training needs.
struct Trainer<'a> {
    settings: &'a Settings,
    digits: &'a Digits,
    network: crate::nn::Sequential<f32>,
    optimiser: Optimiser<f32>,
    cache: Cache<f32>,
    deltas: Deltas<f32>,
    gradients: Gradients<f32>,
    scratch: Scratch<f32>,
    order: Vec<usize>,
    labels: Vec<u8>,
    grad_logits: Vec<f32>,
    steps: usize,
}

impl<'a> Trainer<'a> {
    fn new(settings: &'a Settings, digits: &'a Digits) -> Result<Self> {
        let mut network = Classifier::network(digits.train.images().pixels_per_image(), CLASSES)?;
        network.initialise(Initialisation::He { slope: 0.0 }, Stream::named(settings.seed, "init"));
        Ok(Self {
            settings,
            digits,
            optimiser: Optimiser::new(Rule::adam(settings.learning_rate, BETAS), &network),
            cache: Cache::new(&network),
            deltas: Deltas::new(&network),
            gradients: Gradients::new(&network),
            scratch: Scratch::new(),
            order: vec![0; digits.train.len()],
            labels: Vec::new(),
            grad_logits: vec![0.0; settings.batch * CLASSES],
            steps: 0,
            network,
        })
    }

    /// The mean loss of an epoch.
    fn epoch(
        &mut self,
        epoch: usize,
        progress: &mut Progress,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<f64> {
        let stream = |name| Stream::named(self.settings.seed, name).substream(epoch as u64);
        let mut order = std::mem::take(&mut self.order);
        stream("shuffle").permutation(&mut order);
        let mut places = stream("augment").generator();
        let mut sum = 0.0;
        for (index, batch) in order.chunks(self.settings.batch).enumerate() {
            super::rbm::go_on(stop)?;
            let (loss, is_finite) = self.step(batch, &mut places)?;
            sum += loss * batch.len() as f64;
            if !is_finite {
                let symptom = "a parameter of the classifier is no longer finite".into();
                return Err(diverged(self.settings, [epoch, index + 1], symptom));
            }
            progress.advance(batch.len() as u64);
        }
        self.order = order;
        Ok(sum / self.order.len() as f64)
    }

    /// The mean loss of a mini-batch, and whether all parameters are finite after its step.
    fn step(&mut self, batch: &[usize], places: &mut impl Rng) -> Result<(f64, bool)> {
        let train = &self.digits.train;
        let size = train.images().pixels_per_image();
        let inputs = self.cache.input_mut(batch.len());
        for (&image, input) in batch.iter().zip(inputs.chunks_exact_mut(size)) {
            let place = [(); 2].map(|()| offset(places.next_u32(), self.settings.shift));
            fill_moved(train.images(), image, place, input);
        }
        let training = Training::new(Stream::named(self.settings.seed, "augment"));
        self.network.forward(&mut self.cache, training, &mut self.scratch)?;
        let grad_logits = &mut self.grad_logits[..batch.len() * CLASSES];
        self.labels.clear();
        self.labels.extend(batch.iter().map(|&image| train.labels()[image]));
        let loss = softmax_cross_entropy(self.cache.output(), &self.labels, grad_logits)?;
        self.gradients.clear();
        let wanted = Wanted::parameters(&mut self.gradients, 0..batch.len());
        self.network.backward(&self.cache, grad_logits, wanted, &mut self.deltas, &mut self.scratch)?;
        self.optimiser.set_rate(rate(self.settings, self.steps, train.len()));
        self.steps += 1;
        Ok((loss, self.optimiser.step(&mut self.network, &mut self.gradients)))
    }
}

/// Adam's rate after `steps` mini-batches: on a straight line from the first to 0, which the step after the last would have.
fn rate(settings: &Settings, steps: usize, images: usize) -> f64 {
    let all = settings.epochs * images.div_ceil(settings.batch);
    settings.learning_rate * (1.0 - steps as f64 / all as f64)
}

/// A whole number from -`most` to `most`.
fn offset(word: u32, most: usize) -> isize {
    let choices = 2 * most as u64 + 1;
    // The high half of the product: uniform up to choices / 2^32.
    ((u64::from(word) * choices) >> 32) as isize - most as isize
}

/// An image moved down and to the right by `place`, as the network sees it; what comes in is background.
fn fill_moved(images: &Images, image: usize, [down, right]: [isize; 2], input: &mut [f32]) {
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

/// The classifier of MNIST that comes with the program; `fixtures/README.md` says how it was made.
///
/// **Errors** [`Error::Malformed`] if the program was built with a damaged file.
pub fn shipped() -> Result<Classifier> {
    static BYTES: &[u8] = include_bytes!("../../fixtures/classifier-mnist.safetensors");
    Classifier::from_archive(&Archive::from_bytes(BYTES, "classifier-mnist")?)
}

/// The classifier in a file that `classifier train` wrote.
///
/// **Errors** [`Error::Io`] if it cannot be read; [`Error::Malformed`] if it is no classifier.
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
    fn images_move_to_every_place_alike_and_nothing_else_happens_to_them() {
        let images = Images::new(2, 3, vec![0, 255, 51, 102, 153, 204]).unwrap();
        let moved = |place| {
            let mut input = [7.0; 6];
            fill_moved(&images, 0, place, &mut input);
            input.map(|x: f32| (x * 255.0).round() as u8)
        };
        assert_eq!(moved([0, 0]), [0, 255, 51, 102, 153, 204]);
        assert_eq!(moved([1, 0]), [0, 0, 0, 0, 255, 51]);
        assert_eq!(moved([-1, 1]), [0, 102, 153, 0, 0, 0]);
        assert_eq!(moved([0, -2]), [51, 0, 0, 204, 0, 0]);
        assert_eq!(moved([5, -9]), [0; 6]);
        let mut places = Stream::named(1, "augment").generator();
        let mut counts = [0; 5];
        (0..10_000).for_each(|_| counts[(offset(places.next_u32(), 2) + 2) as usize] += 1);
        assert!(counts.iter().all(|count| (1800..2200).contains(count)), "{counts:?}");
        assert_eq!(offset(u32::MAX, 0), 0);
    }

    #[test]
    fn the_rate_falls_to_0_in_a_straight_line_over_all_epochs() {
        // 4 mini-batches in each of 2 epochs.
        let settings = Settings { epochs: 2, batch: 30, learning_rate: 0.8, ..Settings::default() };
        let rates: Vec<f64> = (0..=8).map(|steps| rate(&settings, steps, 100)).collect();
        for (step, rate) in rates.iter().enumerate() {
            assert!((rate - 0.1 * (8 - step) as f64).abs() < 1e-12, "{rates:?}");
        }
        // And training goes down it, to the last step.
        let digits = Digits::synthetic(100, 10).unwrap();
        let mut trainer = Trainer::new(&settings, &digits).unwrap();
        for epoch in 1..=2 {
            trainer.epoch(epoch, &mut quiet(), &|| false).unwrap();
            let Rule::Adam { rate, .. } = trainer.optimiser.rule() else { panic!() };
            assert!((rate - rates[4 * epoch - 1]).abs() < 1e-12, "{rate} after epoch {epoch}");
        }
    }

    #[test]
    fn a_classifier_learns_digits_in_seconds_and_its_archive_says_how() {
        let digits = Digits::synthetic(1000, 300).unwrap();
        let settings = Settings { epochs: 6, data: "/some/where".into(), ..Settings::default() };
        let (classifier, summary) = train(&settings, &digits, &mut quiet(), &|| false).unwrap();
        assert!(summary.accuracy.all > 0.93, "{summary:?}");
        assert_eq!(summary.accuracy, classifier.accuracy(&digits.test).unwrap());
        assert!(summary.losses.is_sorted_by(|a, b| a > b), "{summary:?}");
        let archive = to_archive(&classifier, &summary).unwrap();
        let stored: Settings = toml::from_str(archive.metadata(CONFIGURATION).unwrap()).unwrap();
        assert_eq!(stored, Settings { data: "synthetic".into(), ..settings });
        assert_eq!(archive.metadata("test_accuracy").unwrap(), format!("{:.4}", summary.accuracy.all));
    }

    #[test]
    fn training_stops_when_asked_to_or_when_it_diverges() {
        let digits = Digits::synthetic(200, 20).unwrap();
        let interrupted = train(&Settings::default(), &digits, &mut quiet(), &|| true);
        assert!(matches!(interrupted, Err(Error::Interrupted { .. })), "{interrupted:?}");
        let wild = Settings { learning_rate: 1e30, ..Settings::default() };
        let error = train(&wild, &digits, &mut quiet(), &|| false).unwrap_err();
        assert!(
            error.to_string().contains("is no longer finite; the likely cause is --learning-rate 1e30"),
            "{error}"
        );
        // All numbers are finite, and what it learned is worse than nothing.
        let high = Settings { learning_rate: 1e3, epochs: 2, ..Settings::default() };
        let error = train(&high, &digits, &mut quiet(), &|| false).unwrap_err();
        let words = "diverged in epoch 2, batch 2: the mean cross-entropy is ";
        assert!(error.to_string().starts_with(words), "{error}");
        // First steps that cost 10 times as much as guessing are forgotten: this one learns badly.
        let poor = Settings { learning_rate: 0.1, epochs: 12, ..Settings::default() };
        let (_, summary) = train(&poor, &digits, &mut quiet(), &|| false).unwrap();
        assert!(summary.losses[0] > divergence::FACTOR * (CLASSES as f64).ln(), "{summary:?}");
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
    fn the_shipped_classifier_knows_drawn_digits_too() {
        let classifier = shipped().unwrap();
        assert_eq!((classifier.inputs(), classifier.features(), classifier.classes()), (784, 128, 10));
        let accuracy = classifier.accuracy(&Digits::synthetic(1, 2000).unwrap().test).unwrap();
        assert!(accuracy.all > 0.98, "{accuracy:?}");
    }
}
