//! How good samples are: every measure of [`crate::evaluate`], beside what images have.
//!
//! Samples are judged against the *test* images, which neither the generator nor the classifier has seen. So are as
//! many *training* images, and what they come to is what a perfect generator would. A generator that repeats its
//! training images looks as good as that: how near samples are to training images says so.

use super::RunDirectory;
use super::gan::{Generator, Settings};
use super::{Progress, classifier, interrupt};
use crate::data::{Binarisation, Digits, Images, idx, png};
use crate::evaluate::classifier::Classifier;
use crate::evaluate::frechet::Frechet;
use crate::evaluate::kernel_distance::kernel_distance;
use crate::evaluate::memorisation::Memorisation;
use crate::evaluate::modes::ClassHistogram;
use crate::evaluate::nearest::NearestImages;
use crate::evaluate::precision_recall::{Neighbours, overlap};
use crate::evaluate::sliced::sliced_wasserstein;
use crate::rng::Stream;
use crate::tensor::Tensor;
use crate::{Error, Result};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A classifier that is right about fewer test images does not see these data.
const LEAST_ACCURACY: f64 = 0.97;
/// With fewer images the distances are mostly what chance does.
const FEW: usize = 1000;
/// The fewest images that have 5 neighbours each.
const FEWEST: usize = 6;

/// Where samples come from.
#[derive(Debug, Clone)]
pub enum Samples {
    /// An IDX file of images.
    Idx(PathBuf),
    /// A folder of PNG files, an image each.
    Pictures(PathBuf),
    /// A trained generator, and how it was trained, if that is known.
    Generator(Box<(Generator, Option<Settings>)>),
}

impl Samples {
    /// What `path` is: a folder of pictures, an IDX file, a run directory, or a safetensors file of a generator.
    ///
    /// **Errors** As [`Generator::load`], of a generator.
    pub fn at(path: &Path) -> Result<Self> {
        let has = |name: &str| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(name));
        if RunDirectory::is_at(path) || (has("safetensors") && !path.is_dir()) {
            Ok(Self::Generator(Box::new(Generator::load(path)?)))
        } else if path.is_dir() {
            Ok(Self::Pictures(path.into()))
        } else {
            Ok(Self::Idx(path.into()))
        }
    }

    /// The samples, all of `height` by `width` pixels; of a generator as many as are to be judged.
    ///
    /// **Errors** As [`idx::read_images`], [`png::read_folder`] and [`Generator::samples`]; [`Error::ShapeMismatch`] for
    /// images of another size.
    /// **Randomness** As [`draw`].
    pub fn load(&self, height: usize, width: usize, how: &How) -> Result<Images> {
        match self {
            Self::Pictures(folder) => png::read_folder(folder, height, width),
            Self::Generator(trained) => {
                let (generator, settings) = &**trained;
                check_size(generator.size(), [height, width])?;
                let mut samples = draw(generator, how)?;
                if settings.as_ref().is_some_and(|settings| settings.invert) {
                    samples.invert();
                }
                Ok(samples)
            }
            Self::Idx(file)
                if file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) =>
            {
                Err(Error::invalid(
                    file.display(),
                    "one picture is no set of samples; give the folder that holds them",
                ))
            }
            Self::Idx(file) => {
                let images = idx::read_images(file)?;
                check_size([images.height(), images.width()], [height, width])?;
                Ok(images)
            }
        }
    }

    /// What the generator was trained on, if these are samples of one and that is known.
    pub fn trained_on(&self) -> Option<&str> {
        match self {
            Self::Generator(trained) => trained.1.as_ref().map(|settings| settings.data.as_str()),
            Self::Idx(_) | Self::Pictures(_) => None,
        }
    }
}

fn check_size(found: [usize; 2], expected: [usize; 2]) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::ShapeMismatch {
        operation: "pixels of samples beside those of the data",
        expected: expected.into(),
        found: found.into(),
    })
}

/// The samples of a generator that are to be judged.
///
/// **Errors** As [`Generator::samples`].
/// **Randomness** Sample i from the substream i of a substream of `evaluate` that [`judge`] does not take.
pub fn draw(generator: &Generator, how: &How) -> Result<Images> {
    generator.samples(how.images, Stream::named(how.seed, "evaluate").substream(6))
}

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct How {
    /// Samples, test images and training images at most, each; chosen at random.
    pub images: usize,
    /// Of them, those whose nearest training image is looked for.
    pub nearest: usize,
    /// Directions of the sliced distance.
    pub directions: usize,
    /// Seed of all random numbers.
    pub seed: u64,
}

impl Default for How {
    fn default() -> Self {
        Self { images: 10_000, nearest: 1000, directions: 500, seed: 1 }
    }
}

/// The measures of one set of images against test images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measures {
    /// Fréchet distance of the features.
    pub frechet_distance: f64,
    /// The same, extrapolated to sets without end.
    pub frechet_extrapolated: f64,
    /// Kernel distance of the features.
    pub kernel_distance: f64,
    /// Its standard error.
    pub kernel_distance_standard_error: f64,
    /// Share of the set in the region of the test images.
    pub precision: f64,
    /// Share of the test images in the region of the set.
    pub recall: f64,
    /// Test images that an image of the set is near to, in units of 5.
    pub density: f64,
    /// Share of the test images with an image of the set near to them.
    pub coverage: f64,
    /// Entropy of the classes that the classifier sees, in nats.
    pub class_entropy: f64,
    /// Classes with at least a tenth of an equal share.
    pub modes: usize,
    /// Images of each class.
    pub class_counts: Vec<usize>,
    /// Sliced 2-Wasserstein distance of the pixels, from 0 to 1 each.
    pub sliced_wasserstein: f64,
    /// Its standard error, as far as the choice of directions goes.
    pub sliced_wasserstein_standard_error: f64,
}

/// The classifier that saw the images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Eye {
    /// `shipped`, `trained` for these data, or `given`.
    pub source: &'static str,
    /// The share of test images that it is right about.
    pub accuracy: f64,
    /// Its features.
    pub features: usize,
}

/// What samples came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// Name of the data.
    pub data: String,
    /// Samples that were judged.
    pub samples: usize,
    /// Samples that there are.
    pub samples_found: usize,
    /// Test images that they were judged against.
    pub test_images: usize,
    /// Training images that were judged beside them.
    pub train_images: usize,
    /// What saw them.
    pub classifier: Eye,
    /// The samples' measures.
    #[serde(flatten)]
    pub measures: Measures,
    /// The Fréchet distance of the training images: no generator is to be expected below.
    pub frechet_floor: f64,
    /// The training images' measures.
    pub real: Measures,
    /// How near samples, and how near test images, are to all training images.
    pub nearest: Memorisation,
    /// Samples whose nearest training image was looked for; of the test images as many, if there are.
    pub nearest_samples: usize,
    /// What makes these numbers worth less.
    pub warnings: Vec<String>,
}

/// The classifier to see `digits` with: the shipped one if it is right about 97 % of the test images at least, else one
/// that is trained on the training images, in under a minute.
///
/// **Errors** As [`classifier::train`].
pub fn eye_for(
    digits: &Digits,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(Classifier, Eye)> {
    let shipped = classifier::shipped()?;
    let mut accuracy = 0.0;
    if digits.test.images().pixels_per_image() == shipped.inputs() {
        accuracy = shipped.accuracy(&digits.test)?.all;
    }
    if accuracy < LEAST_ACCURACY {
        let default = classifier::Settings::default();
        let batch = default.batch.min(digits.train.len());
        let settings = classifier::Settings { data: digits.name.clone(), batch, ..default };
        let (trained, summary) = classifier::train(&settings, digits, progress, stop)?;
        if summary.accuracy.all > accuracy || trained.inputs() != shipped.inputs() {
            let (accuracy, features) = (summary.accuracy.all, trained.features());
            return Ok((trained, Eye { source: "trained", accuracy, features }));
        }
    }
    let features = shipped.features();
    Ok((shipped, Eye { source: "shipped", accuracy, features }))
}

/// A classifier that was given.
///
/// **Errors** [`Error::ShapeMismatch`] if it sees images of another size.
pub fn given_eye(classifier: Classifier, digits: &Digits) -> Result<(Classifier, Eye)> {
    let accuracy = classifier.accuracy(&digits.test)?.all;
    let eye = Eye { source: "given", accuracy, features: classifier.features() };
    Ok((classifier, eye))
}

/// Judges samples, and training images beside them, against the test images of `digits`.
///
/// **Errors** [`Error::InvalidArgument`] for fewer than 6 samples, training images or test images;
/// [`Error::ShapeMismatch`] if sizes differ; [`Error::Interrupted`] soon after `stop` returns true.
/// **Randomness** From the stream `evaluate` of the seed: which images are taken, halves of the extrapolation,
/// directions. The same at any number of threads.
/// **Accuracy and cost** About 10 s for 10,000 of MNIST on 2 cores, half of it for nearest images.
pub fn judge(
    samples: &Images,
    digits: &Digits,
    (classifier, eye): &(Classifier, Eye),
    how: &How,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Judgement> {
    check(samples, digits, how)?;
    let stream = Stream::named(how.seed, "evaluate");
    progress.start(Judge::STEPS, "measures");
    let taken = chosen(samples, how.images, stream.substream(0));
    let reference = chosen(digits.test.images(), how.images, stream.substream(1));
    let train = chosen(digits.train.images(), taken.len(), stream.substream(2));
    let counts = [taken.len(), reference.len(), train.len()];
    let seen = |images| Seen::new(classifier, images);
    let reference = seen(&reference)?;
    let mut judge = Judge { how, stream, progress, stop };
    let measures = judge.measures(&seen(&taken)?, &reference)?;
    let real = judge.measures(&seen(&train)?, &reference)?;
    let nearest = judge.nearest(&taken, digits)?;
    progress.finish("");
    Ok(Judgement {
        data: digits.name.clone(),
        samples: counts[0],
        samples_found: samples.len(),
        test_images: counts[1],
        train_images: counts[2],
        classifier: eye.clone(),
        measures,
        frechet_floor: real.frechet_distance,
        real,
        nearest,
        nearest_samples: how.nearest.min(taken.len()),
        warnings: warnings(samples, digits, eye, counts),
    })
}

fn check(samples: &Images, digits: &Digits, how: &How) -> Result<()> {
    for (name, count) in [
        ("samples", samples.len()),
        ("training images", digits.train.len()),
        ("test images", digits.test.len()),
        ("images at most", how.images),
    ] {
        if count < FEWEST {
            let expected = format!("at least {FEWEST} are needed, so that each has 5 neighbours");
            return Err(Error::invalid(format!("{count} {name}"), expected));
        }
    }
    if how.nearest == 0 {
        return Err(Error::invalid("nearest images of 0 samples", "at least 1 is needed"));
    }
    Ok(())
}

/// `count` of the images, or all in another order.
fn chosen(images: &Images, count: usize, stream: Stream) -> Images {
    let mut order = vec![0; images.len()];
    stream.permutation(&mut order);
    order.truncate(count);
    images.select(&order)
}

/// Images as the measures take them.
struct Seen {
    /// (images, pixels), from 0 to 1.
    pixels: Tensor<f32>,
    /// (images, features)
    features: Tensor<f32>,
    classes: ClassHistogram,
}

impl Seen {
    fn new(classifier: &Classifier, images: &Images) -> Result<Self> {
        let features = classifier.features_of(images)?;
        let classes = ClassHistogram::of_scores(&classifier.logits(&features)?)?;
        let pixels =
            images.pixels().iter().map(|&pixel| crate::evaluate::classifier::intensity(pixel)).collect();
        let pixels = Tensor::from_vec(&[images.len(), images.pixels_per_image()], pixels)?;
        Ok(Self { pixels, features, classes })
    }
}

/// What all measures need.
struct Judge<'a> {
    how: &'a How,
    stream: Stream,
    progress: &'a mut Progress,
    stop: &'a (dyn Fn() -> bool + Sync),
}

impl Judge<'_> {
    /// Of two sets, and the nearest images.
    const STEPS: u64 = 2 * 4 + 2;

    fn measures(&mut self, set: &Seen, reference: &Seen) -> Result<Measures> {
        let (features, real) = (&set.features, &reference.features);
        let frechet = Frechet::of(features, real, self.stream.substream(3))?;
        self.step()?;
        let kernel = kernel_distance(features, real)?;
        self.step()?;
        let overlap = overlap(real, features, Neighbours::default())?;
        self.step()?;
        let directions = self.stream.substream(4);
        let sliced = sliced_wasserstein(&set.pixels, &reference.pixels, 2, self.how.directions, directions)?;
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

    fn nearest(&mut self, samples: &Images, digits: &Digits) -> Result<Memorisation> {
        let mut order = vec![0; digits.test.len()];
        self.stream.substream(5).permutation(&mut order);
        order.truncate(self.how.nearest);
        let test = digits.test.images().select(&order);
        let labels: Vec<u8> = order.iter().map(|&index| digits.test.labels()[index]).collect();
        let train = (&states(digits.train.images())?[..], digits.train.labels());
        let near = NearestImages::new(train, (&states(&test)?, &labels), samples.pixels_per_image())?;
        self.step()?;
        let mut samples = samples.clone();
        samples.truncate(self.how.nearest);
        let found = near.find(&states(&samples)?);
        self.step()?;
        let distances: Vec<f64> = found.iter().map(|neighbour| neighbour.distance).collect();
        Memorisation::of(&distances, near.test_distances())
    }

    /// One measure is done.
    fn step(&mut self) -> Result<()> {
        self.progress.advance(1);
        interrupt::check(self.stop)
    }
}

/// Pixels that are on, above 127.
fn states(images: &Images) -> Result<Vec<f32>> {
    let order: Vec<usize> = (0..images.len()).collect();
    let mut states = vec![0.0; images.pixels().len()];
    Binarisation::Threshold.fill(images, &order, Stream::named(0, "binarise"), &mut states)?;
    Ok(states)
}

fn warnings(samples: &Images, digits: &Digits, eye: &Eye, counts: [usize; 3]) -> Vec<String> {
    let mut warnings = Vec::new();
    if counts.iter().any(|&count| count < FEW) {
        let [samples, test, train] = counts;
        warnings.push(format!(
            "{samples} samples, {test} test and {train} training images: with fewer than {FEW} of each, distances \
             are mostly what chance does; the extrapolated and the kernel distance suffer least"
        ));
    }
    if eye.accuracy < LEAST_ACCURACY {
        warnings.push(format!(
            "the classifier is right about {:.1} % of the test images only: its features may miss what matters",
            100.0 * eye.accuracy
        ));
    }
    let ink = |images: &Images| {
        let sum: u64 = images.pixels().iter().map(|&pixel| u64::from(pixel)).sum();
        sum as f64 / (255.0 * images.pixels().len() as f64)
    };
    let (theirs, ours) = (ink(samples), ink(digits.test.images()));
    // Nearer to the negative of the images than to them.
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
