//! Classifies images by their nearest training image, and decides which ones show a digit.
//!
//! The distance of two binary images is the Jaccard distance: the share of the pixels on in either image that are not
//! on in both (Jaccard 1901). It compares strokes and ignores the shared background. An empty image is at distance 1
//! from every digit, and at 0 from another empty one; by the number of differing pixels it would be as near to a thin
//! digit as another thin digit is.

use crate::data::{Binarisation, Dataset, Labelled, check_unit_interval};
use crate::parallel::{Chunks, for_each_split};
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

/// The share of test images, nearest first, that count as digits.
const ORDINARY: f64 = 0.95;
/// Pixels in a word.
const WORD: usize = 64;
/// Training images that [`NearestImages::of_digits`] compares with.
const COMPARED: usize = 10_000;
/// Test images that it takes the distances of digits from.
const JUDGED: usize = 1_000;

/// The training image nearest to an image.
///
/// ```
/// use equilibria::evaluate::nearest::NearestImages;
/// let (train, test) = ([1.0, 0.0, 0.0, 1.0], [1.0, 0.0]);
/// let found = NearestImages::new((&train, &[7, 2]), (&test, &[7]), 2)?.find(&[0.0, 1.0]);
/// assert_eq!((found[0].image, found[0].class, found[0].distance), (1, 2, 0.0));
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// Index of the training image.
    pub image: usize,
    /// Its class.
    pub class: u8,
    /// Jaccard distance, from 0 (the same image) to 1 (no pixel in common).
    pub distance: f64,
}

/// Training images to compare with, and the distances of test images to them.
///
/// ```
/// use equilibria::evaluate::nearest::NearestImages;
/// let (train, test) = ([1.0, 0.0, 0.0, 1.0], [1.0, 0.0]);
/// let nearest = NearestImages::new((&train, &[7, 2]), (&test, &[7]), 2)?;
/// assert_eq!((nearest.pixels(), nearest.accuracy()), (2, 1.0));
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct NearestImages {
    pixels: usize,
    /// The images as bits (images, words of an image).
    states: Vec<u64>,
    /// For each image, the number of pixels that are on.
    ink: Vec<u32>,
    classes: Vec<u8>,
    /// Distances of the test images to their nearest training images, rising.
    test_distances: Vec<f64>,
    accuracy: f64,
}

impl NearestImages {
    /// Prepares comparisons with the first 10,000 training images of `digits`, judged by its first 1,000 test images.
    ///
    /// **Errors** As [`NearestImages::new`].
    ///
    /// **Randomness** As [`Binarisation::states`], with `seed`.
    pub fn of_digits(digits: &Dataset, binarise: Binarisation, seed: u64) -> Result<Self> {
        let states = |set: &Labelled, count: usize| {
            let order: Vec<usize> = (0..count.min(set.len())).collect();
            Ok((binarise.states(set.images(), &order, seed)?, set.labels()[..order.len()].to_vec()))
        };
        let (train, train_labels) = states(&digits.train, COMPARED)?;
        let (test, test_labels) = states(&digits.test, JUDGED)?;
        Self::new((&train, &train_labels), (&test, &test_labels), digits.test.images().values_per_image())
    }

    /// Prepares comparisons with the images of `train`, and measures the distances of the images of `test` to them.
    ///
    /// An image that is farther from the training images than 95 % of the test images shows no digit.
    ///
    /// **Shapes** Each a pair of images (rows, `pixels`) and their classes (rows). A pixel above 0 is on.
    ///
    /// **Errors** [`Error::InvalidArgument`] if there are no training images, no test images or no pixels, or
    /// if a pixel is outside [0, 1];
    /// [`Error::ShapeMismatch`] if the numbers of images and classes differ.
    ///
    /// **Accuracy and cost** Distances are exact except for one division; 0.1 microseconds per pair of MNIST images.
    pub fn new(train: (&[f32], &[u8]), test: (&[f32], &[u8]), pixels: usize) -> Result<Self> {
        for (images, classes) in [train, test] {
            if pixels == 0 || classes.is_empty() {
                return Err(Error::invalid(
                    format!("{} images of {pixels} pixels", classes.len()),
                    "at least 1 training and 1 test image are needed, of at least 1 pixel",
                ));
            }
            if classes.len().checked_mul(pixels) != Some(images.len()) {
                return Err(Error::ShapeMismatch {
                    operation: "images and their classes",
                    expected: vec![classes.len(), pixels],
                    found: vec![images.len()],
                });
            }
            check_unit_interval("a pixel", images)?;
        }
        let states = pack(train.0, pixels);
        let ink = states.chunks_exact(pixels.div_ceil(WORD)).map(count).collect();
        let mut nearest = Self {
            pixels,
            states,
            ink,
            classes: train.1.to_vec(),
            test_distances: Vec::new(),
            accuracy: 0.0,
        };
        let found = nearest.find(test.0);
        let right = found.iter().zip(test.1).filter(|(found, class)| found.class == **class).count();
        nearest.accuracy = right as f64 / found.len() as f64;
        nearest.test_distances = found.iter().map(|found| found.distance).collect();
        nearest.test_distances.sort_unstable_by(f64::total_cmp);
        Ok(nearest)
    }

    /// Pixels of an image.
    pub fn pixels(&self) -> usize {
        self.pixels
    }

    /// The share of test images whose nearest training image has their class.
    pub fn accuracy(&self) -> f64 {
        self.accuracy
    }

    /// The 95 % quantile of the distances of the test images.
    pub fn farthest(&self) -> f64 {
        self.test_distances[(ORDINARY * (self.test_distances.len() - 1) as f64) as usize]
    }

    /// The distances of the test images to their nearest training images, rising.
    pub fn test_distances(&self) -> &[f64] {
        &self.test_distances
    }

    /// The number of classes: the largest class plus 1.
    pub fn classes(&self) -> usize {
        self.classes.iter().max().map_or(0, |&class| usize::from(class) + 1)
    }

    /// Returns whether an image with this neighbour shows a digit: it is no farther than 95 % of the test images.
    pub fn is_digit(&self, neighbour: Neighbour) -> bool {
        neighbour.distance <= self.farthest() && neighbour.distance < 1.0
    }

    /// The nearest training image of each image; the first one if several are equally near.
    ///
    /// **Shapes** `images` (rows, pixels); a pixel above 0 is on. The result (rows).
    ///
    /// **Panics** if the length of `images` is not a multiple of `pixels`.
    #[track_caller]
    pub fn find(&self, images: &[f32]) -> Vec<Neighbour> {
        assert!(
            images.len().is_multiple_of(self.pixels),
            "{} pixels cannot be divided into images of {} pixels",
            images.len(),
            self.pixels
        );
        let words = self.pixels.div_ceil(WORD);
        let states = pack(images, self.pixels);
        let mut found = vec![Neighbour { image: 0, class: 0, distance: 1.0 }; images.len() / self.pixels];
        for_each_split(found.len(), true, Chunks(&mut found, 1), &|row, found| {
            found.0[0] = self.nearest(&states[row * words..][..words]);
        });
        found
    }

    fn nearest(&self, image: &[u64]) -> Neighbour {
        let ink = count(image);
        // best = (pixels on in exactly one, pixels on in either, index). Fractions are compared exactly, by cross
        // products.
        let mut best = (1, 1, 0);
        for (i, (other, &other_ink)) in self.states.chunks_exact(image.len()).zip(&self.ink).enumerate() {
            let both: u32 = image.iter().zip(other).map(|(a, b)| (a & b).count_ones()).sum();
            let either = ink + other_ink - both;
            let alone = either - both;
            // Two empty images are equal.
            let either = if either == 0 { 1 } else { either };
            if u64::from(alone) * best.1 < best.0 * u64::from(either) {
                best = (u64::from(alone), u64::from(either), i);
            }
        }
        Neighbour { image: best.2, class: self.classes[best.2], distance: best.0 as f64 / best.1 as f64 }
    }
}

fn count(words: &[u64]) -> u32 {
    words.iter().map(|word| word.count_ones()).sum()
}

/// Images (rows, pixels) as bits (rows, words).
pub(super) fn pack(images: &[f32], pixels: usize) -> Vec<u64> {
    let word = |pixels: &[f32]| {
        pixels.iter().enumerate().fold(0, |word, (i, &pixel)| word | u64::from(pixel > 0.0) << i)
    };
    images.chunks_exact(pixels).flat_map(|image| image.chunks(WORD).map(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synthetic;
    use crate::rng::Stream;

    fn binary(digits: &Labelled) -> Vec<f32> {
        let order: Vec<usize> = (0..digits.len()).collect();
        let mut out = vec![0.0; digits.len() * synthetic::PIXELS];
        Binarisation::Threshold
            .fill(digits.images(), &order, Stream::named(1, "binarise"), &mut out)
            .unwrap();
        out
    }

    #[test]
    fn distances_are_jaccard_distances() {
        let train = [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0];
        let nearest = NearestImages::new((&train, &[3, 7]), (&train, &[3, 3]), 4).unwrap();
        let (found, two) = (nearest.find(&[1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]), nearest.find(&train));
        assert_eq!(found[0], Neighbour { image: 0, class: 3, distance: 1.0 / 3.0 });
        assert_eq!(found[1], Neighbour { image: 1, class: 7, distance: 0.5 });
        assert_eq!(two.iter().map(|found| found.distance).collect::<Vec<_>>(), [0.0, 0.0]);
        assert_eq!((nearest.accuracy(), nearest.farthest(), nearest.classes()), (0.5, 0.0, 8));
        assert_eq!(nearest.test_distances(), [0.0, 0.0]);
        assert!(nearest.is_digit(two[0]) && !nearest.is_digit(found[0]));
    }

    #[test]
    fn digits_are_classified_and_other_images_are_rejected() {
        let pixels = synthetic::PIXELS;
        let set = Dataset::synthetic(2000, 300).unwrap();
        let nearest = NearestImages::of_digits(&set, Binarisation::Threshold, 1).unwrap();
        let test_states = binary(&set.test);
        assert!(nearest.accuracy() > 0.95, "{}", nearest.accuracy());
        let digits = |images: &[f32]| {
            nearest.find(images).into_iter().filter(|&found| nearest.is_digit(found)).count()
        };
        let fresh = binary(&synthetic::digits(synthetic::FIRST_TEST + 5000, 200).unwrap());
        let known = digits(&fresh);
        assert!((170..=200).contains(&known), "{known} of 200 digits");
        // A blank image, a full one, a chessboard, a square of ink, and two digits on top of each other.
        let image = |ink: &dyn Fn(usize, usize) -> bool| -> Vec<f32> {
            (0..pixels).map(|i| f32::from(u8::from(ink(i / 28, i % 28)))).collect()
        };
        for (name, image) in [
            ("a blank image", image(&|_, _| false)),
            ("a full image", image(&|_, _| true)),
            ("a chessboard", image(&|row, column| (row + column) % 2 == 0)),
            ("a square", image(&|row, column| row.abs_diff(14) < 6 && column.abs_diff(14) < 6)),
            (
                "a three over a four",
                image(&|row, column| {
                    let at = row * 28 + column;
                    test_states[3 * pixels + at] + test_states[4 * pixels + at] > 0.0
                }),
            ),
        ] {
            assert_eq!(digits(&image), 0, "{name} is accepted as a digit");
        }
    }

    #[test]
    fn invalid_sets_are_refused() {
        let one = (&[1.0_f32, 0.0][..], &[1_u8][..]);
        assert!(NearestImages::new((&[], &[]), one, 2).is_err());
        assert!(NearestImages::new(one, (&[], &[]), 2).is_err());
        assert!(NearestImages::new(one, one, 3).unwrap_err().to_string().contains("(1, 3), found (2)"));
        // A training set without ink recognises no digit and does not panic.
        let blank = NearestImages::new((&[0.0, 0.0], &[4]), one, 2).unwrap();
        assert!(!blank.is_digit(blank.find(&[1.0, 1.0])[0]));
        assert_eq!(blank.find(&[0.0, 0.0])[0].distance, 0.0, "two empty images are equal");
    }
}
