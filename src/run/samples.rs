//! The quality of samples: every measure of [`crate::evaluate`], compared with real images.
//!
//! Samples are compared with the *test* images, which neither the generator nor the classifier has seen. The same number of
//! *training* images is measured in the same way; a perfect generator would reach their values. So would a generator that
//! repeats its training images; the distances of samples to training images reveal it.

use super::RunDirectory;
use super::gan::{self, Settings};
use super::progress::print_above_bar;
use super::record::remember_samples;
use super::{Progress, classifier, interrupt, train_in_memory};
use crate::adversarial::Generator;
use crate::data::{Binarisation, Dataset, ImageShape, Images, Reading, pictures, read_images};
use crate::evaluate::classifier::Classifier;
use crate::evaluate::frechet::Frechet;
use crate::evaluate::kernel_distance::kernel_distance;
use crate::evaluate::memorisation::Memorisation;
use crate::evaluate::modes::ClassHistogram;
use crate::evaluate::nearest::NearestImages;
use crate::evaluate::precision_recall::{Neighbours, overlap};
use crate::rng::Stream;
use crate::tensor::Tensor;
use crate::transport::sliced::sliced_wasserstein;
use crate::{Error, Result};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The features of a classifier with a lower accuracy on test images are not suitable for these data.
const LEAST_ACCURACY: f64 = 0.97;
/// With fewer images the distances are mostly noise.
const FEW: usize = 1000;
/// The smallest number of images with 5 neighbours each.
const FEWEST: usize = 6;

/// A source of samples.
#[derive(Debug, Clone)]
pub enum Samples {
    /// A file of images: IDX, `.npy` or `.npz`.
    File(PathBuf),
    /// A folder of PNG or JPEG files with one image each.
    Pictures(PathBuf),
    /// A trained generator, and the settings of its run if they are known.
    Generator(Box<(Generator, Option<Settings>)>),
}

impl Samples {
    /// Detects the kind of `path`: a folder of pictures, a file of images, a run directory, or a safetensors file of a
    /// generator.
    ///
    /// **Errors** as [`gan::load`] for a generator.
    pub fn at(path: &Path) -> Result<Self> {
        let has = |name: &str| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(name));
        if RunDirectory::is_at(path) || (has("safetensors") && !path.is_dir()) {
            Ok(Self::Generator(Box::new(gan::load(path)?)))
        } else if path.is_dir() {
            Ok(Self::Pictures(path.into()))
        } else {
            Ok(Self::File(path.into()))
        }
    }

    /// Loads the samples, all of the height, the width and the number of channels `shape`, or generates them. Warnings
    /// and notes about files go to standard error.
    ///
    /// **Errors** as [`Dataset::load_any`], [`pictures::read_folder`] and [`Generator::samples`]; [`Error::ShapeMismatch`] for
    /// images of another size.
    ///
    /// **Randomness** as [`draw`].
    pub fn load(&self, shape: [usize; 3], reading: &Reading, evaluation: &JudgeSettings) -> Result<Images> {
        let mut notes = Vec::new();
        let images = self.load_noted(shape, reading, evaluation, &mut notes)?;
        notes.iter().for_each(|note| print_above_bar(note));
        if let Self::File(path) | Self::Pictures(path) = self {
            remember_samples(path, &images);
        }
        Ok(images)
    }

    fn load_noted(
        &self,
        shape: [usize; 3],
        reading: &Reading,
        evaluation: &JudgeSettings,
        notes: &mut Vec<String>,
    ) -> Result<Images> {
        match self {
            Self::Pictures(folder) => {
                let size = Some([shape[0], shape[1]]);
                Ok(pictures::read_images(folder, size, reading, notes)?.to_channels(shape[2]))
            }
            Self::Generator(trained) => {
                let (generator, settings) = &**trained;
                check_shape(generator.shape(), shape)?;
                let mut samples = draw(generator, evaluation)?;
                if settings.as_ref().is_some_and(|settings| settings.invert) {
                    samples.invert();
                }
                Ok(samples)
            }
            Self::File(file) => {
                // Flat rows of pixels need a shape, which is that of the data.
                let flat = Reading { shape: reading.shape.or(Some(ImageShape(shape))), ..reading.clone() };
                let images = read_images(file, reading, notes)
                    .or_else(|error| read_images(file, &flat, notes).map_err(|_| error))?;
                check_shape(images.shape(), shape)?;
                Ok(images)
            }
        }
    }
}

fn check_shape(found: [usize; 3], expected: [usize; 3]) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    // The channels are named only where they matter.
    let named = if found[2] == expected[2] { 2 } else { 3 };
    Err(Error::ShapeMismatch {
        operation: "pixels of samples beside those of the data",
        expected: expected[..named].into(),
        found: found[..named].into(),
    })
}

/// Generates the samples that [`judge`] measures.
///
/// **Errors** as [`Generator::samples`].
///
/// **Randomness** Sample i from the substream i of a substream of `evaluate` that [`judge`] does not take.
pub fn draw(generator: &Generator, settings: &JudgeSettings) -> Result<Images> {
    generator.samples(settings.images, Stream::named(settings.seed, "evaluate").substream(6))
}

/// The settings of an evaluation of samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgeSettings {
    /// Largest number of samples, of test images and of training images; chosen at random.
    pub images: usize,
    /// Number of these whose nearest training image is searched.
    pub nearest: usize,
    /// Number of directions of the sliced distance.
    pub directions: usize,
    /// Seed of all random numbers.
    pub seed: u64,
}

impl Default for JudgeSettings {
    fn default() -> Self {
        Self { images: 10_000, nearest: 1000, directions: 500, seed: 1 }
    }
}

/// The measures of one set of images against test images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measures {
    /// Fréchet distance of the features.
    pub frechet_distance: f64,
    /// The same, extrapolated to infinitely many samples.
    pub frechet_extrapolated: f64,
    /// Kernel distance of the features.
    pub kernel_distance: f64,
    /// Its standard error.
    pub kernel_distance_standard_error: f64,
    /// Share of the set in the region of the test images.
    pub precision: f64,
    /// Share of the test images in the region of the set.
    pub recall: f64,
    /// Mean number of test images whose neighbourhood contains an image of the set, divided by 5.
    pub density: f64,
    /// Share of the test images whose neighbourhood contains an image of the set.
    pub coverage: f64,
    /// Entropy of the predicted classes, in nats.
    pub class_entropy: f64,
    /// Classes with at least a tenth of an equal share.
    pub modes: usize,
    /// Images of each class.
    pub class_counts: Vec<usize>,
    /// Sliced 2-Wasserstein distance of the pixels, from 0 to 1 each.
    pub sliced_wasserstein: f64,
    /// Its standard error over directions.
    pub sliced_wasserstein_standard_error: f64,
}

/// The feature extractor of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeatureExtractor {
    /// `shipped`, `trained` for these data, or `given`.
    pub source: &'static str,
    /// Its accuracy on the test images.
    pub accuracy: f64,
    /// Its number of features.
    pub features: usize,
}

/// The result of an evaluation of samples.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// Name of the data.
    pub data: String,
    /// Number of samples that were measured.
    pub samples: usize,
    /// Number of samples that there are.
    pub samples_found: usize,
    /// Number of test images that they were compared with.
    pub test_images: usize,
    /// Number of training images that were measured for comparison.
    pub train_images: usize,
    /// The classifier whose features were used.
    pub classifier: FeatureExtractor,
    /// The samples' measures.
    #[serde(flatten)]
    pub measures: Measures,
    /// The Fréchet distance of the training images, the best value to expect of a generator.
    pub frechet_floor: f64,
    /// The training images' measures.
    pub real: Measures,
    /// Distances of samples, and of test images, to their nearest training images.
    pub nearest: Memorisation,
    /// Number of samples whose nearest training image was searched; at most as many test images were.
    pub nearest_samples: usize,
    /// Reasons to distrust these numbers.
    pub warnings: Vec<String>,
}

/// Chooses the classifier for `digits`: the shipped one if its accuracy on the test images is at least 97 %, otherwise one
/// trained on the training images, in about 90 s for 60,000 images on 2 cores.
///
/// **Errors** as `train_in_memory`.
pub fn choose_classifier(
    digits: &Dataset,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(Classifier, FeatureExtractor)> {
    let shipped = crate::pretrained::classifier()?;
    let mut accuracy = 0.0;
    if shipped.fits(digits.test.images()) {
        accuracy = shipped.accuracy(&digits.test)?.all;
    }
    if accuracy < LEAST_ACCURACY {
        let default = classifier::Settings::default();
        let batch = default.batch.min(digits.train.len());
        let settings = classifier::Settings { data: digits.name.clone(), batch, ..default };
        let (trained, summary) = train_in_memory(&settings, digits, progress, stop)?;
        let own = summary.accuracy.map_or(0.0, |accuracy| accuracy.all);
        if own > accuracy || !shipped.fits(digits.test.images()) {
            let (accuracy, features) = (own, trained.features());
            return Ok((trained, FeatureExtractor { source: "trained", accuracy, features }));
        }
    }
    let features = shipped.features();
    Ok((shipped, FeatureExtractor { source: "shipped", accuracy, features }))
}

/// Measures the accuracy of a classifier that the user chose.
///
/// **Errors** [`Error::ShapeMismatch`] if it is for images of another size.
pub fn given_classifier(classifier: Classifier, digits: &Dataset) -> Result<(Classifier, FeatureExtractor)> {
    let accuracy = classifier.accuracy(&digits.test)?.all;
    let extractor = FeatureExtractor { source: "given", accuracy, features: classifier.features() };
    Ok((classifier, extractor))
}

/// Compares samples, and as many training images, with the test images of `digits`.
///
/// **Errors** [`Error::InvalidArgument`] for fewer than 6 samples, training images or test images;
/// [`Error::ShapeMismatch`] if sizes differ; [`Error::Interrupted`] soon after `stop` returns true.
///
/// **Randomness** From the stream `evaluate` of the seed: the choice of images, halves of the extrapolation, directions. The
/// result is the same for any number of threads.
///
/// **Accuracy and cost** About 10 s for 10,000 images of MNIST on 2 cores, half of it for nearest images.
pub fn judge(
    samples: &Images,
    digits: &Dataset,
    (classifier, extractor): &(Classifier, FeatureExtractor),
    settings: &JudgeSettings,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Judgement> {
    check(samples, digits, settings)?;
    let stream = Stream::named(settings.seed, "evaluate");
    progress.start(Judge::STEPS, "measures");
    let taken = chosen(samples, settings.images, stream.substream(0));
    let reference = chosen(digits.test.images(), settings.images, stream.substream(1));
    let train = chosen(digits.train.images(), taken.len(), stream.substream(2));
    let counts = [taken.len(), reference.len(), train.len()];
    let statistics = |images| SampleStatistics::new(classifier, images);
    let reference = statistics(&reference)?;
    let mut judge = Judge { settings, stream, progress, stop };
    let measures = judge.measures(&statistics(&taken)?, &reference)?;
    let real = judge.measures(&statistics(&train)?, &reference)?;
    let nearest = judge.nearest(&taken, digits)?;
    progress.finish("");
    Ok(Judgement {
        data: digits.name.clone(),
        samples: counts[0],
        samples_found: samples.len(),
        test_images: counts[1],
        train_images: counts[2],
        classifier: extractor.clone(),
        measures,
        frechet_floor: real.frechet_distance,
        real,
        nearest,
        nearest_samples: settings.nearest.min(taken.len()),
        warnings: warnings(samples, digits, extractor, counts),
    })
}

fn check(samples: &Images, digits: &Dataset, settings: &JudgeSettings) -> Result<()> {
    for (name, count) in [
        ("samples", samples.len()),
        ("training images", digits.train.len()),
        ("test images", digits.test.len()),
        ("images at most", settings.images),
    ] {
        if count < FEWEST {
            let expected = format!("at least {FEWEST} are needed, so that each has 5 neighbours");
            return Err(Error::invalid(format!("{count} {name}"), expected));
        }
    }
    if settings.nearest == 0 {
        return Err(Error::invalid("nearest images of 0 samples", "at least 1 is needed"));
    }
    Ok(())
}

/// `count` of the images, or all, in random order.
fn chosen(images: &Images, count: usize, stream: Stream) -> Images {
    let mut order = vec![0; images.len()];
    stream.permutation(&mut order);
    order.truncate(count);
    images.select(&order)
}

/// Pixels, features and classes of images.
struct SampleStatistics {
    /// Values from 0 to 1; (images, pixels).
    pixels: Tensor<f32>,
    /// (images, features)
    features: Tensor<f32>,
    classes: ClassHistogram,
}

impl SampleStatistics {
    fn new(classifier: &Classifier, images: &Images) -> Result<Self> {
        let features = classifier.features_of(images)?;
        let classes = ClassHistogram::of_scores(&classifier.logits(&features)?)?;
        let pixels =
            images.pixels().iter().map(|&pixel| crate::evaluate::classifier::intensity(pixel)).collect();
        let pixels = Tensor::from_vec(&[images.len(), images.values_per_image()], pixels)?;
        Ok(Self { pixels, features, classes })
    }
}

/// The state of an evaluation.
struct Judge<'a> {
    settings: &'a JudgeSettings,
    stream: Stream,
    progress: &'a mut Progress,
    stop: &'a (dyn Fn() -> bool + Sync),
}

impl Judge<'_> {
    /// Units of progress: measures of two sets, and nearest images.
    const STEPS: u64 = 2 * 4 + 2;

    fn measures(&mut self, set: &SampleStatistics, reference: &SampleStatistics) -> Result<Measures> {
        let (features, real) = (&set.features, &reference.features);
        let frechet = Frechet::of(features, real, self.stream.substream(3))?;
        self.step()?;
        let kernel = kernel_distance(features, real)?;
        self.step()?;
        let overlap = overlap(real, features, Neighbours::default())?;
        self.step()?;
        let directions = self.stream.substream(4);
        let sliced =
            sliced_wasserstein(&set.pixels, &reference.pixels, 2, self.settings.directions, directions)?;
        self.step()?;
        Ok(Measures {
            frechet_distance: frechet.distance,
            frechet_extrapolated: frechet.extrapolated,
            kernel_distance: kernel.value,
            kernel_distance_standard_error: kernel.standard_error,
            precision: overlap.precision,
            recall: overlap.recall,
            density: overlap.density,
            coverage: overlap.coverage,
            class_entropy: set.classes.entropy(),
            modes: set.classes.found(),
            class_counts: set.classes.counts().to_vec(),
            sliced_wasserstein: sliced.distance,
            sliced_wasserstein_standard_error: sliced.standard_error,
        })
    }

    fn nearest(&mut self, samples: &Images, digits: &Dataset) -> Result<Memorisation> {
        let mut order = vec![0; digits.test.len()];
        self.stream.substream(5).permutation(&mut order);
        order.truncate(self.settings.nearest);
        let test = digits.test.images().select(&order);
        let labels: Vec<u8> = order.iter().map(|&index| digits.test.labels()[index]).collect();
        let train = (&states(digits.train.images())?[..], digits.train.labels());
        let near = NearestImages::new(train, (&states(&test)?, &labels), samples.values_per_image())?;
        self.step()?;
        let mut samples = samples.clone();
        samples.truncate(self.settings.nearest);
        let found = near.find(&states(&samples)?);
        self.step()?;
        let distances: Vec<f64> = found.iter().map(|neighbour| neighbour.distance).collect();
        Memorisation::of(&distances, near.test_distances())
    }

    /// Counts a completed measure.
    fn step(&mut self) -> Result<()> {
        self.progress.advance(1);
        interrupt::check(self.stop)
    }
}

/// States of the pixels: on above 127.
fn states(images: &Images) -> Result<Vec<f32>> {
    let order: Vec<usize> = (0..images.len()).collect();
    let mut states = vec![0.0; images.pixels().len()];
    Binarisation::Threshold.fill(images, &order, Stream::named(0, "binarise"), &mut states)?;
    Ok(states)
}

fn warnings(
    samples: &Images,
    digits: &Dataset,
    extractor: &FeatureExtractor,
    counts: [usize; 3],
) -> Vec<String> {
    let mut warnings = Vec::new();
    if counts.iter().any(|&count| count < FEW) {
        let [samples, test, train] = counts;
        warnings.push(format!(
            "{samples} samples, {test} test and {train} training images: with fewer than {FEW} of each, distances \
             are mostly noise; the extrapolated and the kernel distance suffer least"
        ));
    }
    if extractor.accuracy < LEAST_ACCURACY {
        warnings.push(format!(
            "the accuracy of the classifier on the test images is only {:.1} %: its features may miss important differences",
            100.0 * extractor.accuracy
        ));
    }
    let ink = |images: &Images| {
        let sum: u64 = images.pixels().iter().map(|&pixel| u64::from(pixel)).sum();
        sum as f64 / (255.0 * images.pixels().len() as f64)
    };
    let (theirs, ours) = (ink(samples), ink(digits.test.images()));
    // Closer to the inverted images than to the images.
    if (theirs - (1.0 - ours)).abs() < (theirs - ours).abs() {
        warnings.push(format!(
            "pixels of the samples are {:.0} % ink on average, those of the images {:.0} %: if background and ink are \
             swapped, use --invert",
            100.0 * theirs,
            100.0 * ours
        ));
    }
    warnings
}
