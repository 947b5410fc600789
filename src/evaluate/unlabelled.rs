//! The quality of samples of images without labels, for instance of photographs of one class in colour.
//!
//! Samples are compared with test images, which the generator has not seen, by measures that see different faults:
//!
//! | measure | of | sees |
//! |---|---|---|
//! | kernel distance, Fréchet distance | features of an [`Encoder`] | content, variety |
//! | sliced Wasserstein distance | patches at several scales ([`pyramid`](super::pyramid)) | blur, noise, texture |
//! | colour distance | joint histograms ([`colour_histogram`](super::colour_histogram)) | wrong or missing colours |
//! | distance to the nearest training image | pixels, and features | copies of training images |
//!
//! As many training images are measured in the same way. Their values are the *floor*, which a perfect generator would reach:
//! two sets of real images are at a distance, too. So would a generator that repeats its training images; the last measure
//! reveals it. There, test images take the place of the floor.
//!
//! The encoder was trained on the training images, so it may know these better than test images. The floor then includes that
//! difference. On 1,000 of CIFAR-10's cats the floor equals the distance of held-out images within its error: Fréchet
//! distances of 2.16 and 2.05.

use super::colour_histogram::colour_distance;
use super::encoder::{Encoder, shape_of, signed};
use super::frechet::Frechet;
use super::kernel_distance::kernel_distance;
use super::memorisation::{Memorisation, nearest_distances};
use super::pyramid::{BandDistance, pyramid_distances};
use crate::data::Images;
use crate::rng::Stream;
use crate::tensor::Tensor;
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

/// The smallest set that each measure accepts.
const FEWEST: usize = 4;
/// Training images that are compared at once.
const BLOCK: usize = 1024;

/// The images that are compared.
///
/// See the example of [`judge`].
#[derive(Debug, Clone, Copy)]
pub struct ImageSets<'a> {
    /// The training images of the generator and of the encoder.
    pub train: &'a Images,
    /// Images of the same kind that neither has seen.
    pub test: &'a Images,
    /// The samples of the generator.
    pub samples: &'a Images,
}

/// The settings of [`judge`].
///
/// See the example of [`judge`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnlabelledSettings {
    /// Largest number of samples; the number of training images is a limit, too, so that both sets have one size.
    pub images: usize,
    /// Number of samples and of test images whose nearest training image is searched.
    pub nearest: usize,
    /// Number of directions of the sliced distance.
    pub directions: usize,
}

/// The distances of one set of images from the test images.
///
/// See the example of [`judge`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct UnlabelledMeasures {
    /// Kernel distance of the features, unbiased.
    pub kernel_distance: f64,
    /// Its standard error.
    pub kernel_distance_standard_error: f64,
    /// Fréchet distance of the features.
    pub frechet_distance: f64,
    /// The same, extrapolated to infinitely many samples.
    pub frechet_extrapolated: f64,
    /// Mean over the bands of the sliced Wasserstein distance of patches.
    pub sliced_wasserstein: f64,
    /// The bands, from fine to coarse.
    pub sliced_wasserstein_bands: Vec<BandDistance>,
    /// Total variation of the joint histograms of colours, from 0 to 1.
    pub colour_distance: f64,
}

/// The result of [`judge`].
///
/// See the example of [`judge`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct UnlabelledJudgement {
    /// Number of samples that were measured.
    pub samples: usize,
    /// Number of samples that there are.
    pub samples_found: usize,
    /// Number of test images that they were compared with.
    pub test_images: usize,
    /// Number of training images that were measured for comparison.
    pub train_images: usize,
    /// Number of features of the encoder.
    pub features: usize,
    /// Share of the orientations of test images that the encoder recognises; guessing gives 0.25.
    pub orientations_recognised: f64,
    /// The samples' measures.
    #[cfg_attr(feature = "cli", serde(flatten))]
    pub measures: UnlabelledMeasures,
    /// The training images' measures: the floor.
    pub real: UnlabelledMeasures,
    /// Distances of pixels to the nearest training image or its mirror image; root mean square, pixels from -1 to 1.
    pub nearest_pixels: Memorisation,
    /// Distances of features to the nearest training image or its mirror image; root mean square.
    pub nearest_features: Memorisation,
    /// Number of samples whose nearest training image was searched; at most as many test images were.
    pub nearest_samples: usize,
}

/// Number of calls of `step` by [`judge`].
pub const STEPS: u64 = 2 * 3 + 2;

/// Compares samples, and as many training images, with the test images. `step` is called after each measure and may stop the
/// evaluation by an error.
///
/// Features are scaled so that those of the test images have the root mean square 1: then distances do not depend on the
/// scale that the encoder happens to have.
///
/// **Errors** [`Error::ShapeMismatch`] if sizes differ; [`Error::InvalidArgument`] for fewer than 4 samples, training images
/// or test images, and as [`pyramid_distances`] and [`Memorisation::of`]; those of `step`.
///
/// **Randomness** Substreams of `stream`: 0 and 1 choose samples and training images, 2 is for the halves of the
/// extrapolation, 3 for patches and directions. The result is the same for any number of threads.
///
/// **Accuracy and cost** About 20 s for 5,000 samples, 5,000 training and 1,000 test images of 32x32x3 on 2 cores, half of
/// it for nearest images.
///
/// ```
/// use equilibria::evaluate::{encoder::Encoder, unlabelled::{ImageSets, UnlabelledSettings, judge}};
/// use equilibria::nn::{Initialisation, Shape};
/// use equilibria::{data::Images, rng::Stream};
/// let plan = Encoder::plan(Shape { height: 8, width: 8, channels: 1 })?;
/// let mut network = plan.build()?; // not trained
/// network.initialise(Initialisation::Uniform, Stream::named(1, "init"));
/// let encoder = Encoder::new(plan, &network)?;
/// let images = |factor: usize| Images::new(8, 8, (0..4 * 64).map(|i| (i * factor % 251) as u8).collect());
/// let (train, test) = (images(7)?, images(11)?);
/// let sets = ImageSets { train: &train, test: &test, samples: &train };
/// let settings = UnlabelledSettings { images: 4, nearest: 4, directions: 4 };
/// let found = judge(&encoder, sets, &settings, Stream::named(1, "evaluate"), &mut || Ok(()))?;
/// // The samples are the training images.
/// assert_eq!((found.samples, found.test_images), (4, 4));
/// assert!((found.measures.colour_distance - found.real.colour_distance).abs() < 1e-12);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn judge(
    encoder: &Encoder,
    sets: ImageSets<'_>,
    settings: &UnlabelledSettings,
    stream: Stream,
    step: &mut dyn FnMut() -> Result<()>,
) -> Result<UnlabelledJudgement> {
    let ImageSets { train, test, samples } = sets;
    for (name, images) in [("samples", samples), ("training images", train), ("test images", test)] {
        if images.len().min(settings.images) < FEWEST {
            let found = images.len().min(settings.images);
            return Err(Error::invalid(format!("{found} {name}"), format!("at least {FEWEST} are needed")));
        }
    }
    let count = samples.len().min(train.len()).min(settings.images);
    let taken = chosen(samples, count, stream.substream(0));
    let floor = chosen(train, count, stream.substream(1));
    let reference = Described::new(encoder, test, None)?;
    let unit = Some(reference.unit);
    let taken = Described::new(encoder, &taken, unit)?;
    let measures = measure(&taken, &reference, settings, stream, step)?;
    let real = measure(&Described::new(encoder, &floor, unit)?, &reference, settings, stream, step)?;
    let [nearest_pixels, nearest_features] = nearest(encoder, [&taken, &reference], train, settings, step)?;
    Ok(UnlabelledJudgement {
        samples: count,
        samples_found: samples.len(),
        test_images: test.len(),
        train_images: count,
        features: encoder.features(),
        orientations_recognised: encoder.accuracy(test)?,
        measures,
        real,
        nearest_pixels,
        nearest_features,
        nearest_samples: settings.nearest.min(count),
    })
}

/// `count` of the images in random order.
fn chosen(images: &Images, count: usize, stream: Stream) -> Images {
    let mut order = vec![0; images.len()];
    stream.permutation(&mut order);
    order.truncate(count);
    images.select(&order)
}

/// Images and their features.
struct Described {
    images: Images,
    features: Tensor<f32>,
    /// The number that the encoder's outputs were divided by.
    unit: f32,
}

impl Described {
    /// Computes the features in this unit, or in that of their own root mean square.
    fn new(encoder: &Encoder, images: &Images, unit: Option<f32>) -> Result<Self> {
        let mut features = encoder.features_of(images)?;
        let own = || {
            let squares: f64 = features.data().iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            let mean = libm::sqrt(squares / features.len() as f64);
            if mean > 0.0 { mean as f32 } else { 1.0 }
        };
        let unit = unit.unwrap_or_else(own);
        features.scale_in_place(1.0 / unit);
        Ok(Self { images: images.clone(), features, unit })
    }
}

fn measure(
    set: &Described,
    reference: &Described,
    settings: &UnlabelledSettings,
    stream: Stream,
    step: &mut dyn FnMut() -> Result<()>,
) -> Result<UnlabelledMeasures> {
    let kernel = kernel_distance(&set.features, &reference.features)?;
    step()?;
    let frechet = Frechet::of(&set.features, &reference.features, stream.substream(2))?;
    step()?;
    let bands = pyramid_distances(&set.images, &reference.images, settings.directions, stream.substream(3))?;
    step()?;
    Ok(UnlabelledMeasures {
        kernel_distance: kernel.value,
        kernel_distance_standard_error: kernel.standard_error,
        frechet_distance: frechet.distance,
        frechet_extrapolated: frechet.extrapolated,
        sliced_wasserstein: bands.iter().map(|band| band.distance).sum::<f64>() / bands.len() as f64,
        sliced_wasserstein_bands: bands,
        colour_distance: colour_distance(&set.images, &reference.images)?,
    })
}

/// Compares samples and test images by their distances to the nearest training image: of pixels, and of features.
fn nearest(
    encoder: &Encoder,
    sets: [&Described; 2],
    train: &Images,
    settings: &UnlabelledSettings,
    step: &mut dyn FnMut() -> Result<()>,
) -> Result<[Memorisation; 2]> {
    let unit = Some(sets[0].unit);
    let first = |values: &Tensor<f32>| {
        let (count, width) = (values.rows().min(settings.nearest), values.columns());
        Tensor::from_vec(&[count, width], values.data()[..count * width].to_vec())
    };
    let mut distances = [[Vec::new(), Vec::new()], [Vec::new(), Vec::new()]];
    for (index, distances) in distances.iter_mut().enumerate() {
        let vectors = |images: &Images| match index {
            0 => values(images),
            _ => Ok(Described::new(encoder, images, unit)?.features),
        };
        let own = |set: &Described| {
            let mut images = set.images.clone();
            images.truncate(settings.nearest);
            if index == 0 { values(&images) } else { first(&set.features) }
        };
        *distances = nearest_in(train, &[own(sets[0])?, own(sets[1])?], &vectors)?;
        step()?;
    }
    let [pixels, features] = distances.map(|[samples, test]| Memorisation::of(&samples, &test));
    Ok([pixels?, features?])
}

/// The distance of each row of `sets` to the nearest training image or its mirror image. `vectors` describes images as the
/// rows do; it is called for a block of images at a time, to save memory.
fn nearest_in(
    train: &Images,
    sets: &[Tensor<f32>; 2],
    vectors: &dyn Fn(&Images) -> Result<Tensor<f32>>,
) -> Result<[Vec<f64>; 2]> {
    let mut nearest = sets.each_ref().map(|set| vec![f64::INFINITY; set.rows()]);
    let order: Vec<usize> = (0..train.len()).collect();
    for block in order.chunks(BLOCK) {
        let plain = train.select(block);
        for images in [&plain, &mirrored(&plain)?] {
            let others = vectors(images)?;
            for (set, nearest) in sets.iter().zip(&mut nearest) {
                let found = nearest_distances(set, &others)?;
                nearest.iter_mut().zip(found).for_each(|(nearest, found)| *nearest = nearest.min(found));
            }
        }
    }
    Ok(nearest)
}

/// The pixels of images from -1 to 1; (images, values).
fn values(images: &Images) -> Result<Tensor<f32>> {
    let values = images.pixels().iter().map(|&pixel| signed(pixel)).collect();
    Tensor::from_vec(&[images.len(), images.values_per_image()], values)
}

/// The images with left and right swapped.
fn mirrored(images: &Images) -> Result<Images> {
    let shape = shape_of(images);
    let rows = images.pixels().chunks_exact(shape.width * shape.channels);
    let pixels = rows.flat_map(|row| row.chunks_exact(shape.channels).rev().flatten().copied()).collect();
    Images::with_channels(shape.height, shape.width, shape.channels, pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirror_images_swap_left_and_right_and_keep_colours() {
        let images = Images::with_channels(1, 2, 3, vec![1, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(mirrored(&images).unwrap().pixels(), [4, 5, 6, 1, 2, 3]);
    }

    #[test]
    fn nearest_images_and_their_mirror_images_are_found_in_all_blocks() {
        // Image i has the pixels (i / 16, i % 16 + 100); sets hold one image each, of the first and of the last block.
        let count = 2 * BLOCK + 1;
        let pixels = (0..count).flat_map(|i| [(i / 16) as u8, (i % 16) as u8 + 100]).collect();
        let train = Images::new(1, 2, pixels).unwrap();
        let set = |images: &Images| values(images).unwrap();
        let sets = [set(&train.select(&[3])), set(&mirrored(&train.select(&[count - 1])).unwrap())];
        let [first, last] = nearest_in(&train, &sets, &values).unwrap();
        assert!(first[0] < 1e-6 && last[0] < 1e-6, "{first:?}, {last:?}");
    }
}
