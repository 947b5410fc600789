//! Images as monitors and evaluations of Boltzmann machines see them: states, 0 or 1.

use super::interrupt;
use crate::data::{Binarisation, Dataset, Images};
use crate::rng::Stream;
use crate::{Error, Result};

/// Images that the monitors use at most: the first test images and the first training images.
pub const MONITORED: usize = 2_000;
/// Images in memory as states at once.
const BLOCK: usize = 1_000;

/// The first `count` images as states: sampled images are sampled once, grey ones are thresholded.
///
/// **Shapes** returns (images, pixels).
///
/// **Errors** as [`Binarisation::fill`].
pub fn binary_images(
    images: &Images,
    count: usize,
    binarisation: Binarisation,
    seed: u64,
) -> Result<Vec<f32>> {
    let order: Vec<usize> = (0..count.min(images.len())).collect();
    fill(images, &order, binarisation, seed)
}

fn fill(images: &Images, order: &[usize], binarisation: Binarisation, seed: u64) -> Result<Vec<f32>> {
    let binarisation = match binarisation {
        Binarisation::Sampled => Binarisation::Sampled,
        Binarisation::Threshold | Binarisation::Grey => Binarisation::Threshold,
    };
    let mut states = vec![0.0; order.len() * images.values_per_image()];
    binarisation.fill(images, order, Stream::named(seed, "binarise"), &mut states)?;
    Ok(states)
}

/// The mean over all images of `values`, which gets a block of states (images, pixels) and returns a value per image.
pub(super) fn mean_over(
    images: &Images,
    binarisation: Binarisation,
    seed: u64,
    stop: &(dyn Fn() -> bool + Sync),
    mut values: impl FnMut(&[f32]) -> Result<Vec<f64>>,
) -> Result<f64> {
    let order: Vec<usize> = (0..images.len()).collect();
    let mut sum = 0.0;
    for block in order.chunks(BLOCK) {
        interrupt::check(stop)?;
        sum += values(&fill(images, block, binarisation, seed)?)?.iter().sum::<f64>();
    }
    Ok(sum / images.len() as f64)
}

/// Checks that there are training and test images of `visible` pixels.
pub(super) fn check_images(digits: &Dataset, visible: usize) -> Result<()> {
    if digits.train.is_empty() || digits.test.is_empty() {
        return Err(Error::invalid("data without images", "training and test images are needed"));
    }
    for images in [digits.train.images(), digits.test.images()] {
        if images.values_per_image() != visible {
            return Err(Error::ShapeMismatch {
                operation: "pixels of an image and visible units of the model",
                expected: vec![visible],
                found: vec![images.values_per_image()],
            });
        }
    }
    Ok(())
}
