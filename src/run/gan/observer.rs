//! Readings: rows of `metrics.csv`, and measures of samples.

use super::{ObjectiveName, Settings};
use crate::Result;
use crate::adversarial::generator::to_images;
use crate::adversarial::{METRICS, Reading, fill_latents};
use crate::data::{Dataset, Images};
use crate::evaluate::classifier::Classifier;
use crate::evaluate::kernel_distance::kernel_distance;
use crate::evaluate::modes::ClassHistogram;
use crate::evaluate::pyramid::{PATCH, pyramid_distances};
use crate::nn::{Scratch, Sequential};
use crate::rng::Stream;
use crate::run::Row;
use crate::tensor::Tensor;

/// Number of samples for a reading.
const SAMPLES: usize = 500;
/// Number of training images for the spread of the data.
const IMAGES: usize = 5_000;
/// Number of training images that samples are compared with, and of directions of their sliced distance.
const COMPARED: usize = 1_000;
const DIRECTIONS: usize = 64;
/// Number of test images that the classifier is tested on, and the accuracy that it needs.
const TESTED: usize = 1_000;
const LEAST_ACCURACY: f64 = 0.9;

/// The columns of `metrics.csv` after the step.
pub(super) fn columns(objective: ObjectiveName) -> Vec<String> {
    let has_critic = objective.objective().has_critic();
    METRICS.iter().map(|metric| metric.column(has_critic)).chain(["seconds [s]".into()]).collect()
}

/// A row of `metrics.csv` from a reading whose class entropy is in nats.
pub(super) fn row(reading: &Reading, seconds: f64) -> Vec<f64> {
    [&reading.to_row()[..], &[seconds]].concat()
}

/// The reading of a row, with the class entropy as a share of the data's.
pub(super) fn reading(row: &Row, data_entropy: f64) -> Reading {
    let reading = Reading::from_row(row.count as u64, &row.values);
    let share = |entropy| (data_entropy > 0.0).then(|| entropy / data_entropy);
    Reading { class_entropy: reading.class_entropy.and_then(share), ..reading }
}

/// A line with the losses and the other measures.
pub(super) fn sentence(reading: &Reading) -> String {
    let losses = format!("losses {:.3} {:.3}", reading.generator_loss, reading.discriminator_loss);
    let gap = match (reading.real_accuracy, reading.fake_accuracy, reading.wasserstein) {
        (Some(real), Some(fake), _) => format!(", accuracy {real:.2} {fake:.2}"),
        (_, _, Some(estimate)) => format!(", estimate {estimate:.3}"),
        _ => String::new(),
    };
    let spread = reading.spread.map_or_else(String::new, |spread| format!(", spread {spread:.2}"));
    let classes = reading.class_entropy.map_or_else(String::new, |share| format!(", classes {share:.2}"));
    let duality = reading.duality_gap.map_or_else(String::new, |gap| format!(", duality gap {gap:.3}"));
    losses + &gap + &spread + &classes + &duality
}

/// Training images, as samples are compared with them.
enum Reference {
    /// Their features by the classifier, for the kernel distance.
    Features(Tensor<f32>),
    /// The images, for the sliced Wasserstein distance of patches.
    Patches(Images),
}

/// Measures samples of the same latents during training.
pub(super) struct Observer {
    latents: Vec<f32>,
    /// Height, width and channels.
    shape: [usize; 3],
    /// The shipped classifier, if it recognises these data.
    classifier: Option<Classifier>,
    reference: Reference,
    data_spread: f64,
    data_entropy: f64,
    scratch: Scratch<f32>,
}

impl Observer {
    /// **Randomness** Latents from the last substream of `latent`, which no step uses.
    pub fn new(settings: &Settings, digits: &Dataset) -> Result<Self> {
        let images = digits.train.images();
        let width = settings.networks.generator.input.size();
        let mut latents = vec![0.0; SAMPLES * width];
        fill_latents(Stream::named(settings.seed, "latent").substream(u64::MAX), width, &mut latents);
        let some = images.select(&(0..images.len().min(IMAGES)).collect::<Vec<_>>());
        let labels = digits.train.labels();
        let classes = labels.iter().max().map_or(1, |&most| usize::from(most) + 1);
        let classifier = suitable_classifier(digits)?;
        let compared = images.select(&(0..images.len().min(COMPARED)).collect::<Vec<_>>());
        let reference = match &classifier {
            Some(classifier) => Reference::Features(classifier.features_of(&compared)?),
            None => Reference::Patches(compared),
        };
        Ok(Self {
            latents,
            shape: images.shape(),
            classifier,
            reference,
            data_spread: spread(&some),
            data_entropy: ClassHistogram::of_labels(labels, classes)?.entropy(),
            scratch: Scratch::new(),
        })
    }

    /// Entropy of the data's classes, in nats.
    pub fn data_entropy(&self) -> f64 {
        self.data_entropy
    }

    /// The spread of samples as a share of the data's, and the entropy of their classes in nats; `None` if undefined.
    pub fn measure(&mut self, generator: &Sequential<f32>) -> Result<(Option<f64>, Option<f64>)> {
        let samples = self.samples(generator, SAMPLES)?;
        let entropy = match &self.classifier {
            Some(classifier) => {
                let scores = classifier.logits(&classifier.features_of(&samples)?)?;
                Some(ClassHistogram::of_scores(&scores)?.entropy())
            }
            None => None,
        };
        Ok((share_of_spread(spread(&samples), self.data_spread), entropy))
    }

    /// The distance of samples from the first training images, smaller is better; `None` if there are too few of them or they
    /// are smaller than a patch.
    ///
    /// **Randomness** Patches and directions from the substream 8 of `evaluate` of seed 0, the same each time.
    pub fn distance(&mut self, generator: &Sequential<f32>) -> Result<Option<f64>> {
        let samples = self.samples(generator, SAMPLES)?;
        Ok(match (&self.reference, &self.classifier) {
            (Reference::Features(features), Some(classifier)) if features.rows() >= 3 => {
                Some(kernel_distance(&classifier.features_of(&samples)?, features)?.value)
            }
            (Reference::Patches(images), _) if images.height().min(images.width()) >= PATCH => {
                let stream = Stream::named(0, "evaluate").substream(8);
                let bands = pyramid_distances(&samples, images, DIRECTIONS, stream)?;
                Some(bands.iter().map(|band| band.distance).sum::<f64>() / bands.len() as f64)
            }
            _ => None,
        })
    }

    /// The name of [`Observer::distance`].
    pub fn measure_of_distance(&self) -> &'static str {
        match self.reference {
            Reference::Features(_) => "kernel distance of features",
            Reference::Patches(_) => "sliced Wasserstein distance of patches",
        }
    }

    /// The samples of the first `count` latents.
    pub fn samples(&mut self, generator: &Sequential<f32>, count: usize) -> Result<Images> {
        let latents = &self.latents[..count * generator.inputs()];
        let mut samples = vec![0.0; count * generator.outputs()];
        generator.infer(latents, &mut self.scratch, &mut samples)?;
        to_images(&samples, self.shape)
    }
}

/// The shipped classifier, if its accuracy on these images is high enough.
fn suitable_classifier(digits: &Dataset) -> Result<Option<Classifier>> {
    let shipped = crate::pretrained::classifier()?;
    let mut test = digits.test.clone();
    test.truncate(TESTED);
    if test.is_empty() || !shipped.fits(test.images()) {
        return Ok(None);
    }
    if test.labels().iter().any(|&label| usize::from(label) >= shipped.classes()) {
        return Ok(None);
    }
    let is_right = shipped.accuracy(&test)?.all >= LEAST_ACCURACY;
    Ok(is_right.then_some(shipped))
}

/// The spread of samples as a share of the data's: 0 if all samples are equal; `None` if samples differ and the data do not.
fn share_of_spread(samples: f64, data: f64) -> Option<f64> {
    match samples {
        0.0 => Some(0.0),
        _ => (data > 0.0).then(|| samples / data),
    }
}

/// Standard deviation of a pixel over the images, mean over pixels; from 0 to 255.
fn spread(images: &Images) -> f64 {
    let pixels = images.values_per_image();
    let mut sums = vec![[0_u64; 2]; pixels];
    for image in images.pixels().chunks_exact(pixels) {
        for (sums, &pixel) in sums.iter_mut().zip(image) {
            let pixel = u64::from(pixel);
            sums[0] += pixel;
            sums[1] += pixel * pixel;
        }
    }
    let count = images.len().max(1) as f64;
    let deviation = |&[sum, squares]: &[u64; 2]| {
        let mean = sum as f64 / count;
        (squares as f64 / count - mean * mean).max(0.0).sqrt()
    };
    sums.iter().map(deviation).sum::<f64>() / pixels as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_the_mean_deviation_of_a_pixel() {
        // Deviations 0, 127.5 and 50.
        let images = Images::new(1, 3, vec![9, 0, 50, 9, 255, 150]).unwrap();
        assert!((spread(&images) - 177.5 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn equal_samples_have_collapsed_for_any_data() {
        assert_eq!(share_of_spread(3.0, 4.0), Some(0.75));
        assert_eq!((share_of_spread(0.0, 4.0), share_of_spread(0.0, 0.0)), (Some(0.0), Some(0.0)));
        assert_eq!(share_of_spread(3.0, 0.0), None, "no number of times the data's spread");
    }

    #[test]
    fn a_row_reads_back_as_the_reading_it_was_made_of() {
        let measured =
            Reading { step: 50, slope: Some(0.9), class_entropy: Some(1.15), ..Reading::default() };
        let values = row(&measured, 3.0);
        assert_eq!(values.len(), columns(ObjectiveName::Penalty).len());
        let found = reading(&Row { count: 50, values: values.clone() }, 2.3);
        assert_eq!(found, Reading { class_entropy: Some(1.15 / 2.3), ..measured });
        assert_eq!(reading(&Row { count: 50, values }, 0.0).class_entropy, None, "data of one class");
    }
}
