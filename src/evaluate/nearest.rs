//! Which digit an image is, and whether it is one: its nearest neighbour among the training images.
//!
//! The distance of two binary images is the share of the pixels on in either that are not on in both (Jaccard 1901). It
//! weighs strokes, not background: an empty image is at distance 1 from every digit, where it differs from a thin one in
//! no more pixels than another thin one does.

use crate::parallel::{Chunks, for_each_split};
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

/// The share of test images that count as digits: of those nearest to a training image.
const ORDINARY: f64 = 0.95;
/// Pixels of a word.
const WORD: usize = 64;

/// A training image that is nearest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// Which one it is.
    pub image: usize,
    /// Its class.
    pub class: u8,
    /// From 0, the same image, to 1, no pixel in common.
    pub distance: f64,
}

/// Training images to compare with, and how near to them test images are.
#[derive(Debug, Clone)]
pub struct NearestImages {
    pixels: usize,
    /// (images, words of an image)
    states: Vec<u64>,
    /// Pixels that are on, of each image.
    ink: Vec<u32>,
    classes: Vec<u8>,
    /// From test images to their neighbours, rising.
    test_distances: Vec<f64>,
    accuracy: f64,
}

impl NearestImages {
    /// Compares with the images of `train`, after seeing how far those of `test` are from them: what is farther than
    /// 95 % of these is no digit.
    ///
    /// **Shapes** Each a pair of images (rows, `pixels`), each pixel on where it is above 0, and their classes (rows).
    /// **Errors** [`Error::InvalidArgument`] if there are no training or test images, or no pixels;
    /// [`Error::ShapeMismatch`] if images and classes differ in number.
    /// **Accuracy and cost** The distance is exact but for one division; a tenth of a microsecond a pair of MNIST's.
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

    /// The share of test images whose neighbour has their class.
    pub fn accuracy(&self) -> f64 {
        self.accuracy
    }

    /// The distance that 95 % of the test images have at most.
    pub fn farthest(&self) -> f64 {
        self.test_distances[(ORDINARY * (self.test_distances.len() - 1) as f64) as usize]
    }

    /// The distances of the test images to their neighbours, rising.
    pub fn test_distances(&self) -> &[f64] {
        &self.test_distances
    }

    /// The number of classes: one more than the largest.
    pub fn classes(&self) -> usize {
        self.classes.iter().max().map_or(0, |&class| usize::from(class) + 1)
    }

    /// Whether an image with this neighbour is as much of a digit as 95 % of the test images.
    pub fn is_digit(&self, neighbour: Neighbour) -> bool {
        neighbour.distance <= self.farthest() && neighbour.distance < 1.0
    }

    /// The nearest training image of each image, the first of those equally near.
    ///
    /// **Shapes** `images` (rows, pixels), each pixel on where it is above 0; returns (rows).
    /// **Panics** if `images` are not whole rows.
    #[track_caller]
    pub fn find(&self, images: &[f32]) -> Vec<Neighbour> {
        assert!(
            images.len().is_multiple_of(self.pixels),
            "{} pixels are no images of {}",
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
        // (pixels on in one alone, pixels on in either): fractions are compared by products, which are exact.
        let mut best = (1, 1, 0);
        for (i, (other, &other_ink)) in self.states.chunks_exact(image.len()).zip(&self.ink).enumerate() {
            let both: u32 = image.iter().zip(other).map(|(a, b)| (a & b).count_ones()).sum();
            let either = ink + other_ink - both;
            let alone = either - both;
            if either > 0 && u64::from(alone) * best.1 < best.0 * u64::from(either) {
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
    use crate::data::{Binarisation, Labelled, synthetic};
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
    fn distances_are_those_of_sets() {
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
    fn digits_are_told_apart_from_one_another_and_from_what_is_none() {
        let pixels = synthetic::PIXELS;
        let train = synthetic::digits(0, 2000).unwrap();
        let test = synthetic::digits(synthetic::FIRST_TEST, 300).unwrap();
        let (train_states, test_states) = (binary(&train), binary(&test));
        let nearest =
            NearestImages::new((&train_states, train.labels()), (&test_states, test.labels()), pixels)
                .unwrap();
        assert!(nearest.accuracy() > 0.95, "{}", nearest.accuracy());
        let digits = |images: &[f32]| {
            nearest.find(images).into_iter().filter(|&found| nearest.is_digit(found)).count()
        };
        let fresh = binary(&synthetic::digits(synthetic::FIRST_TEST + 5000, 200).unwrap());
        let known = digits(&fresh);
        assert!((170..=200).contains(&known), "{known} of 200 digits");
        // Nothing, everything, every second pixel, a square of ink, and two digits on top of one another.
        let image = |ink: &dyn Fn(usize, usize) -> bool| -> Vec<f32> {
            (0..pixels).map(|i| f32::from(u8::from(ink(i / 28, i % 28)))).collect()
        };
        for (what, none) in [
            ("nothing", image(&|_, _| false)),
            ("everything", image(&|_, _| true)),
            ("a chequered board", image(&|row, column| (row + column) % 2 == 0)),
            ("a square", image(&|row, column| row.abs_diff(14) < 6 && column.abs_diff(14) < 6)),
            (
                "a three over a four",
                image(&|row, column| {
                    let at = row * 28 + column;
                    test_states[3 * pixels + at] + test_states[4 * pixels + at] > 0.0
                }),
            ),
        ] {
            assert_eq!(digits(&none), 0, "{what} passes for a digit");
        }
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let one = (&[1.0_f32, 0.0][..], &[1_u8][..]);
        assert!(NearestImages::new((&[], &[]), one, 2).is_err());
        assert!(NearestImages::new(one, (&[], &[]), 2).is_err());
        assert!(NearestImages::new(one, one, 3).unwrap_err().to_string().contains("(1, 3), found (2)"));
        // A training set without ink has no class to give, and no panic.
        let blank = NearestImages::new((&[0.0, 0.0], &[4]), one, 2).unwrap();
        assert!(!blank.is_digit(blank.find(&[1.0, 1.0])[0]) && !blank.is_digit(blank.find(&[0.0, 0.0])[0]));
    }
}
