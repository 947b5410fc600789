//! Grey images, with classes, and as training and test sets.

use crate::{Error, Result};
use alloc::string::String;
use alloc::vec::Vec;

/// Grey images of one size, one byte per pixel: 0 is background, 255 is full ink.
///
/// **Shapes** (images, height, width), row-major, without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    height: usize,
    width: usize,
    pixels: Vec<u8>,
}

impl Images {
    /// Creates images of `height` by `width` from their pixels, image by image.
    ///
    /// **Errors** [`Error::InvalidArgument`] if an image would have no pixels or more than can be addressed;
    /// [`Error::ShapeMismatch`] if the length of `pixels` is not a multiple of the image size.
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
                    "an image needs at least 1 pixel, and no more than can be addressed",
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

    /// Returns whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.pixels.is_empty()
    }

    /// The number of rows of an image.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The number of columns of an image.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The number of pixels of an image: `height` times `width`.
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

    /// All pixels, image by image.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Swaps background and ink: pixel p becomes 255 - p.
    pub fn invert(&mut self) {
        self.pixels.iter_mut().for_each(|pixel| *pixel = !*pixel);
    }

    /// The images at the indices `order`, in this order.
    ///
    /// **Panics** if an index is out of range.
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
    /// Combines images and labels.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if their numbers differ.
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

    /// Returns whether there are no images.
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
    /// Name for captions: `synthetic`, or the last part of the folder's path.
    pub name: String,
    /// The training set.
    pub train: Labelled,
    /// The test set.
    pub test: Labelled,
}

impl Digits {
    /// Swaps background and ink of both sets.
    pub fn invert(&mut self) {
        self.train.images.invert();
        self.test.images.invert();
    }
}

/// The indices of `count` images, balanced over the classes: the first image of each class, then the second of each, and so
/// on. Returns all indices if there are fewer.
pub fn balanced(labels: &[u8], count: usize) -> Vec<usize> {
    let mut counts = [0_usize; 256];
    let mut places: Vec<(usize, u8, usize)> = Vec::new();
    for (index, &label) in labels.iter().enumerate() {
        places.push((counts[usize::from(label)], label, index));
        counts[usize::from(label)] += 1;
    }
    places.sort_unstable();
    places.into_iter().take(count).map(|(_, _, index)| index).collect()
}

/// The mean of each pixel over all images, where 1 is full ink; zeros if there are no images.
///
/// **Accuracy and cost** Exact integer sums, then one division in f64 and one rounding to f32.
pub fn mean_image(images: &Images) -> Vec<f32> {
    mean_of(images, u64::from, 255.0)
}

/// For each pixel, the mean over the images of `value(pixel) / unit`.
pub(super) fn mean_of(images: &Images, value: impl Fn(u8) -> u64, unit: f64) -> Vec<f32> {
    let mut sums = alloc::vec![0_u64; images.pixels_per_image()];
    for image in images.pixels().chunks_exact(sums.len()) {
        for (sum, &pixel) in sums.iter_mut().zip(image) {
            *sum += value(pixel);
        }
    }
    let whole = images.len().max(1) as f64 * unit;
    sums.iter().map(|&sum| (sum as f64 / whole) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::balanced;

    #[test]
    fn classes_take_turns_until_they_run_out() {
        let labels = [7, 2, 7, 7, 0, 2, 9];
        assert_eq!(balanced(&labels, 4), [4, 1, 0, 6]);
        assert_eq!(balanced(&labels, 9), [4, 1, 0, 6, 5, 2, 3]);
    }
}
