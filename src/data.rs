//! Images of digits: from MNIST's files, from bytes in memory, or drawn by a pen that never tires.
//!
//! - [`idx`] reads the format of MNIST's files and trusts no header.
//! - [`mnist`] finds the four files in a folder.
//! - [`png`] reads pictures.
//! - [`synthetic`] draws digits, deterministic by index and without end.
//! - [`binarise`] turns grey values into the states, or the probabilities, of visible units.
//!
//! Everything but the reading of files works without `std`; gzip comes with feature `cli`.

use alloc::string::String;
use alloc::vec::Vec;

use crate::{Error, Result};

pub mod binarise;
pub mod idx;
mod mixture;
#[cfg(feature = "std")]
pub mod mnist;
#[cfg(feature = "png")]
pub mod png;
mod states;
pub mod synthetic;

pub use binarise::Binarisation;
pub use mixture::Mixture;
pub use states::BinaryImages;

/// How many training digits `synthetic` stands for where the caller does not say.
pub const SYNTHETIC_TRAIN: usize = 10_000;
/// How many test digits `synthetic` stands for.
pub const SYNTHETIC_TEST: usize = 2_000;

/// Grey images of one size, one byte a pixel: 0 is background, 255 full ink.
///
/// **Shapes** (images, height, width), row-major, without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    height: usize,
    width: usize,
    pixels: Vec<u8>,
}

impl Images {
    /// Images of `height` by `width` from their pixels, one image after the other.
    ///
    /// **Errors** [`Error::InvalidArgument`] if an image would have no pixels or more than can be addressed;
    /// [`Error::ShapeMismatch`] if `pixels` does not end with a whole image.
    ///
    /// ```
    /// use equilibria::data::Images;
    /// let images = Images::new(2, 3, vec![0, 255, 0, 255, 0, 255])?;
    /// assert_eq!((images.len(), images.pixels_per_image()), (1, 6));
    /// # Ok::<(), equilibria::Error>(())
    /// ```
    pub fn new(height: usize, width: usize, pixels: Vec<u8>) -> Result<Self> {
        let size = match height.checked_mul(width) {
            Some(size) if size > 0 => size,
            _ => {
                let given = alloc::format!("images of {height}x{width}");
                return Err(Error::invalid(
                    given,
                    "an image needs at least 1 pixel, and few enough to address",
                ));
            }
        };
        let whole = pixels.len() / size;
        if whole * size != pixels.len() {
            return Err(Error::ShapeMismatch {
                operation: "images from pixels",
                expected: alloc::vec![whole, height, width],
                found: alloc::vec![pixels.len()],
            });
        }
        Ok(Self { height, width, pixels })
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.pixels.len() / self.pixels_per_image()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.pixels.is_empty()
    }

    /// Rows of an image.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns of an image.
    pub fn width(&self) -> usize {
        self.width
    }

    /// `height` times `width`.
    pub fn pixels_per_image(&self) -> usize {
        self.height * self.width
    }

    /// The pixels of image `index`.
    ///
    /// **Panics** if there is no such image.
    #[track_caller]
    pub fn image(&self, index: usize) -> &[u8] {
        let count = self.len();
        assert!(index < count, "image {index} of {count}");
        let size = self.pixels_per_image();
        &self.pixels[index * size..][..size]
    }

    /// All pixels, one image after the other.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Swaps background and ink: pixel p becomes 255 - p.
    pub fn invert(&mut self) {
        self.pixels.iter_mut().for_each(|pixel| *pixel = !*pixel);
    }

    /// The images of these indices, in their order.
    ///
    /// **Panics** if one is not there.
    #[must_use]
    #[track_caller]
    pub fn select(&self, order: &[usize]) -> Self {
        let pixels = order.iter().flat_map(|&index| self.image(index)).copied().collect();
        Self { pixels, ..*self }
    }

    /// Keeps the first `count` images, or all if there are fewer.
    pub fn truncate(&mut self, count: usize) {
        self.pixels.truncate(count.saturating_mul(self.pixels_per_image()));
    }
}

/// Images, each with its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelled {
    images: Images,
    labels: Vec<u8>,
}

impl Labelled {
    /// Joins images and labels.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if their counts differ.
    pub fn new(images: Images, labels: Vec<u8>) -> Result<Self> {
        if images.len() != labels.len() {
            return Err(Error::ShapeMismatch {
                operation: "labels of images",
                expected: alloc::vec![images.len()],
                found: alloc::vec![labels.len()],
            });
        }
        Ok(Self { images, labels })
    }

    /// The images.
    pub fn images(&self) -> &Images {
        &self.images
    }

    /// The class of each image.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Keeps the first `count` images and labels, or all if there are fewer.
    pub fn truncate(&mut self, count: usize) {
        self.images.truncate(count);
        self.labels.truncate(count);
    }
}

/// A training set and a test set of digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digits {
    /// For captions: `synthetic`, or the last part of the folder's path.
    pub name: String,
    /// What a model learns from.
    pub train: Labelled,
    /// What it is judged on.
    pub test: Labelled,
}

impl Digits {
    /// `train` and `test` drawn digits; the two sets share none.
    ///
    /// **Errors** [`Error::InvalidArgument`] if a count is 0 or does not fit the memory.
    /// **Randomness** None left to the caller: see [`synthetic::digit`].
    pub fn synthetic(train: usize, test: usize) -> Result<Self> {
        Ok(Self {
            name: String::from("synthetic"),
            train: synthetic::digits(0, train)?,
            test: synthetic::digits(synthetic::FIRST_TEST, test)?,
        })
    }

    /// The digits that `source` stands for: `synthetic`, or a folder with MNIST's four files.
    ///
    /// The files, gzipped or not, lie in the folder or in `mnist` below it (a folder called `synthetic` is
    /// `./synthetic`). `images` keeps that many training images, the first ones; the test set stays whole.
    /// Without it `synthetic` has [`SYNTHETIC_TRAIN`] and [`SYNTHETIC_TEST`] digits.
    ///
    /// **Errors** [`Error::NotFound`] says what to fetch and how, [`Error::Malformed`] which file is wrong and
    /// where; [`Error::InvalidArgument`] if `images` is 0 or more than there are, or `source` is not a folder;
    /// [`Error::ShapeMismatch`] if training and test images differ in size.
    #[cfg(feature = "std")]
    pub fn load(source: impl AsRef<std::path::Path>, images: Option<usize>) -> Result<Self> {
        let source = source.as_ref();
        if source.as_os_str() == "synthetic" {
            let count = images.unwrap_or(SYNTHETIC_TRAIN);
            return Self::synthetic(count, SYNTHETIC_TEST).map_err(|error| match error {
                Error::InvalidArgument { expected, .. } => {
                    Error::invalid(alloc::format!("--images {count}"), expected)
                }
                error => error,
            });
        }
        let mut digits = mnist::load(source)?;
        if let Some(count) = images {
            let held = digits.train.len();
            if count == 0 || count > held {
                let expected = alloc::format!("1 to {held} can be taken from {}", source.display());
                return Err(Error::invalid(alloc::format!("--images {count}"), expected));
            }
            digits.train.truncate(count);
        }
        Ok(digits)
    }

    /// Swaps background and ink of both sets.
    pub fn invert(&mut self) {
        self.train.images.invert();
        self.test.images.invert();
    }
}

/// The mean of each pixel over all images, where 1 is full ink; zeros if there is no image.
///
/// **Accuracy and cost** Sums are exact (integers), one division in f64, one rounding to f32.
pub fn mean_image(images: &Images) -> Vec<f32> {
    mean_of(images, u64::from, 255.0)
}

/// The mean over the images of `value(pixel) / unit`.
fn mean_of(images: &Images, value: impl Fn(u8) -> u64, unit: f64) -> Vec<f32> {
    let mut sums = alloc::vec![0_u64; images.pixels_per_image()];
    for image in images.pixels().chunks_exact(sums.len()) {
        for (sum, &pixel) in sums.iter_mut().zip(image) {
            *sum += value(pixel);
        }
    }
    let whole = images.len().max(1) as f64 * unit;
    sums.iter().map(|&sum| (sum as f64 / whole) as f32).collect()
}
