//! Readings: what a step reports, and what samples look like.

use super::{Kind, Settings};
use crate::Result;
use crate::adversarial::{Report, fill_latents};
use crate::data::{Digits, Images};
use crate::evaluate::classifier::Classifier;
use crate::evaluate::modes::ClassHistogram;
use crate::evaluate::stability::Reading;
use crate::nn::{Scratch, Sequential};
use crate::rng::Stream;
use crate::run::{Row, classifier};

/// Samples of a reading.
const SAMPLES: usize = 500;
/// Images whose spread is that of the data.
const IMAGES: usize = 5_000;
/// Test images that say whether the classifier sees these data, and how many of them it must be right about.
const TESTED: usize = 1_000;
const LEAST_ACCURACY: f64 = 0.9;

/// Columns of `metrics.csv` after the step; the seconds come last.
pub(super) fn columns(objective: Kind) -> [&'static str; 15] {
    let is_standard = objective == Kind::Standard;
    let unit = |standard, critic| if is_standard { standard } else { critic };
    [
        unit("generator_loss [nats]", "generator_loss [score]"),
        unit("discriminator_loss [nats]", "discriminator_loss [score]"),
        "real_accuracy [share]",
        "fake_accuracy [share]",
        unit("real_score [probability]", "real_score [score]"),
        unit("fake_score [probability]", "fake_score [score]"),
        "generator_gradient [Euclidean norm]",
        "discriminator_gradient [Euclidean norm]",
        "wasserstein [score]",
        "slope [score per unit of distance]",
        "clipped [share of parameters]",
        "spread [share of the data's]",
        "class_entropy [nats]",
        unit("duality_gap [nats]", "duality_gap [score]"),
        "seconds [s]",
    ]
}

/// What was seen beside a step's own report.
pub(super) struct Seen {
    /// Of samples, as a share of the data's, if it is one.
    pub spread: Option<f64>,
    /// Of the samples' classes, in nats, if these can be seen.
    pub class_entropy: Option<f64>,
    /// Where it was looked for.
    pub duality_gap: Option<f64>,
    pub seconds: f64,
}

/// What an objective does not have is NaN.
pub(super) fn values(report: &Report, seen: &Seen) -> [f64; 15] {
    let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
    [
        report.generator_loss,
        report.discriminator_loss,
        or_nan(report.real_accuracy),
        or_nan(report.fake_accuracy),
        report.real_score,
        report.fake_score,
        report.generator_gradient,
        report.discriminator_gradient,
        or_nan(report.wasserstein),
        or_nan(report.slope),
        or_nan(report.clipped),
        or_nan(seen.spread),
        or_nan(seen.class_entropy),
        or_nan(seen.duality_gap),
        seen.seconds,
    ]
}

/// The reading of a row, in which the entropy is a share of the data's.
pub(super) fn reading(row: &Row, data_entropy: f64) -> Reading {
    let value = |column: usize| row.values[column];
    let there = |column: usize| Some(value(column)).filter(|value| !value.is_nan());
    Reading {
        step: row.count as u64,
        generator_loss: value(0),
        discriminator_loss: value(1),
        real_accuracy: there(2),
        fake_accuracy: there(3),
        real_score: value(4),
        fake_score: value(5),
        generator_gradient: value(6),
        discriminator_gradient: value(7),
        wasserstein: there(8),
        slope: there(9),
        clipped: there(10),
        spread: there(11),
        class_entropy: there(12).filter(|_| data_entropy > 0.0).map(|entropy| entropy / data_entropy),
        duality_gap: there(13),
    }
}

/// The losses and what stands beside them, in one line.
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

/// What looks at samples of the same latents again and again.
pub(super) struct Observer {
    latents: Vec<f32>,
    /// Height and width.
    size: [usize; 2],
    /// The shipped classifier, if it sees these data.
    eye: Option<Classifier>,
    data_spread: f64,
    data_entropy: f64,
    scratch: Scratch<f32>,
}

impl Observer {
    /// **Randomness** Latents from the last substream of `latent`, which no step takes.
    pub fn new(settings: &Settings, digits: &Digits) -> Result<Self> {
        let images = digits.train.images();
        let width = settings.networks.generator.input.size();
        let mut latents = vec![0.0; SAMPLES * width];
        fill_latents(Stream::named(settings.seed, "latent").substream(u64::MAX), width, &mut latents);
        let some = images.select(&(0..images.len().min(IMAGES)).collect::<Vec<_>>());
        let labels = digits.train.labels();
        let classes = labels.iter().max().map_or(1, |&most| usize::from(most) + 1);
        Ok(Self {
            latents,
            size: [images.height(), images.width()],
            eye: eye(digits)?,
            data_spread: spread(&some),
            data_entropy: ClassHistogram::of_labels(labels, classes)?.entropy(),
            scratch: Scratch::new(),
        })
    }

    /// Entropy of the data's classes, in nats.
    pub fn data_entropy(&self) -> f64 {
        self.data_entropy
    }

    /// Spread of samples as a share of the data's, if it is one, and the entropy of their classes in nats, if these can be
    /// seen.
    pub fn look(&mut self, generator: &Sequential<f32>) -> Result<(Option<f64>, Option<f64>)> {
        let samples = self.samples(generator, SAMPLES)?;
        let entropy = match &self.eye {
            Some(eye) => {
                let scores = eye.logits(&eye.features_of(&samples)?)?;
                Some(ClassHistogram::of_scores(&scores)?.entropy())
            }
            None => None,
        };
        Ok((share_of_spread(spread(&samples), self.data_spread), entropy))
    }

    /// The samples of the first `count` latents.
    pub fn samples(&mut self, generator: &Sequential<f32>, count: usize) -> Result<Images> {
        let latents = &self.latents[..count * generator.inputs()];
        let mut samples = vec![0.0; count * generator.outputs()];
        generator.infer(latents, &mut self.scratch, &mut samples)?;
        to_images(&samples, self.size)
    }
}

/// Samples from -1 to 1 as images.
pub(super) fn to_images(samples: &[f32], [height, width]: [usize; 2]) -> Result<Images> {
    let pixels = samples.iter().map(|x| ((x + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8).collect();
    Images::new(height, width, pixels)
}

/// The shipped classifier, if it tells these images apart.
fn eye(digits: &Digits) -> Result<Option<Classifier>> {
    let shipped = classifier::shipped()?;
    let mut test = digits.test.clone();
    test.truncate(TESTED);
    if test.is_empty() || test.images().pixels_per_image() != shipped.inputs() {
        return Ok(None);
    }
    if test.labels().iter().any(|&label| usize::from(label) >= shipped.classes()) {
        return Ok(None);
    }
    let is_right = shipped.accuracy(&test)?.all >= LEAST_ACCURACY;
    Ok(is_right.then_some(shipped))
}

/// The spread of samples as a share of the data's: 0 of samples that are all alike, whatever the data; none of samples that
/// differ where the data do not.
fn share_of_spread(samples: f64, data: f64) -> Option<f64> {
    match samples {
        0.0 => Some(0.0),
        _ => (data > 0.0).then(|| samples / data),
    }
}

/// Standard deviation of a pixel over the images, mean over pixels; from 0 to 255.
fn spread(images: &Images) -> f64 {
    let pixels = images.pixels_per_image();
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
    fn samples_all_alike_have_collapsed_whatever_the_data() {
        assert_eq!(share_of_spread(3.0, 4.0), Some(0.75));
        assert_eq!((share_of_spread(0.0, 4.0), share_of_spread(0.0, 0.0)), (Some(0.0), Some(0.0)));
        assert_eq!(share_of_spread(3.0, 0.0), None, "no number of times the data's spread");
    }

    #[test]
    fn a_row_reads_back_as_what_was_seen() {
        let report = Report { step: 50, generator_loss: 0.7, slope: Some(0.9), ..Report::default() };
        let seen =
            Seen { spread: Some(0.5), class_entropy: Some(1.15), duality_gap: Some(0.2), seconds: 3.0 };
        let values = values(&report, &seen).to_vec();
        assert_eq!(values.len(), columns(Kind::Penalty).len());
        let found = reading(&Row { count: 50, values }, 2.3);
        let expected = Reading {
            step: 50,
            generator_loss: 0.7,
            slope: Some(0.9),
            spread: Some(0.5),
            class_entropy: Some(0.5),
            duality_gap: Some(0.2),
            ..Reading::default()
        };
        assert!((found.class_entropy.unwrap() - 0.5).abs() < 1e-12);
        assert_eq!(Reading { class_entropy: Some(0.5), ..found }, expected);
    }
}
