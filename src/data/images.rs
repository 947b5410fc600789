//! Images, with classes, and as training and test sets.

use crate::{Error, Result};
use alloc::string::String;
use alloc::vec::Vec;

/// Images of one size, one byte per value: grey, where 0 is background and 255 is full ink, or red, green and blue.
///
/// **Shapes** (images, height, width, channels), row-major, without gaps.
///
/// ```
/// use equilibria::data::Images;
/// let mut images = Images::with_channels(1, 1, 3, vec![255, 0, 0, 0, 0, 255])?;
/// images.invert();
/// assert_eq!((images.len(), images.image(0)), (2, &[0, 255, 255][..]));
/// assert_eq!(images.to_channels(1).shape(), [1, 1, 1]);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    height: usize,
    width: usize,
    channels: usize,
    pixels: Vec<u8>,
}

impl Images {
    /// Creates grey images of `height` by `width` from their pixels, image by image.
    ///
    /// **Errors** As [`Images::with_channels`].
    ///
    /// ```
    /// use equilibria::data::Images;
    /// let images = Images::new(2, 3, vec![0, 255, 0, 255, 0, 255])?;
    /// assert_eq!((images.len(), images.shape()), (1, [2, 3, 1]));
    /// # Ok::<(), equilibria::Error>(())
    /// ```
    pub fn new(height: usize, width: usize, pixels: Vec<u8>) -> Result<Self> {
        Self::with_channels(height, width, 1, pixels)
    }

    /// Creates images of `height` by `width`, grey (1 channel) or in colour (3 channels), from their values, pixel by pixel.
    ///
    /// **Errors** [`Error::InvalidArgument`] if an image would have no pixels or more than can be addressed, or another
    /// number of channels; [`Error::ShapeMismatch`] if the length of `pixels` is not a multiple of the image size.
    pub fn with_channels(height: usize, width: usize, channels: usize, pixels: Vec<u8>) -> Result<Self> {
        if channels != 1 && channels != 3 {
            let given = alloc::format!("images with {channels} channels");
            return Err(Error::invalid(given, "grey images have 1 channel, colour images 3"));
        }
        let size = match height.checked_mul(width).and_then(|pixels| pixels.checked_mul(channels)) {
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
                expected: alloc::vec![whole, height, width, channels],
                found: alloc::vec![pixels.len()],
            });
        }
        Ok(Self { height, width, channels, pixels })
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.pixels.len() / self.values_per_image()
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

    /// The number of values of a pixel: 1 for grey, 3 for red, green and blue.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Height, width and channels of an image.
    pub fn shape(&self) -> [usize; 3] {
        [self.height, self.width, self.channels]
    }

    /// The number of values of an image: height times width times channels.
    pub fn values_per_image(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// The values of image `index`.
    ///
    /// **Panics** if there is no such image.
    #[track_caller]
    pub fn image(&self, index: usize) -> &[u8] {
        let count = self.len();
        assert!(index < count, "image {index} of {count}");
        let size = self.values_per_image();
        &self.pixels[index * size..][..size]
    }

    /// All values, image by image.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Swaps background and ink: value p becomes 255 - p.
    pub fn invert(&mut self) {
        self.pixels.iter_mut().for_each(|pixel| *pixel = !*pixel);
    }

    /// The images at the indices `order`, in this order.
    ///
    /// **Panics** if an index is out of range.
    #[must_use]
    #[track_caller]
    pub fn select(&self, order: &[usize]) -> Self {
        let mut pixels = Vec::with_capacity(order.len() * self.values_per_image());
        order.iter().for_each(|&index| pixels.extend_from_slice(self.image(index)));
        Self { pixels, ..*self }
    }

    /// The same images with 1 or 3 channels: grey values three times, or the brightness of colours (Rec. 601), rounded to the
    /// nearest integer.
    #[must_use]
    pub fn to_channels(&self, channels: usize) -> Self {
        let pixels = match (self.channels, channels) {
            (1, 3) => self.pixels.iter().flat_map(|&value| [value; 3]).collect(),
            (3, 1) => self.pixels.as_chunks().0.iter().map(|&colour| brightness(colour)).collect(),
            _ => return self.clone(),
        };
        Self { channels, pixels, ..*self }
    }

    /// The same images with rows and columns swapped.
    #[must_use]
    pub(super) fn transposed(&self) -> Self {
        let [height, width, channels] = self.shape();
        let values = self.values_per_image();
        let from = |at: usize| {
            let (place, channel) = (at / channels, at % channels);
            (place % height * width + place / height) * channels + channel
        };
        let pixels = self.pixels.chunks_exact(values);
        let pixels = pixels.flat_map(|image| (0..values).map(move |at| image[from(at)])).collect();
        Self { height: width, width: height, channels, pixels }
    }

    /// The smallest and the largest value.
    #[cfg(feature = "std")]
    pub(super) fn extremes(&self) -> [u8; 2] {
        let ends = |[low, high]: [u8; 2], &pixel: &u8| [low.min(pixel), high.max(pixel)];
        self.pixels.iter().fold([u8::MAX, 0], ends)
    }

    /// Stretches the values from `low` to `high` to the whole range.
    #[cfg(feature = "std")]
    pub(super) fn stretch(&mut self, low: f64, high: f64) {
        // The cast ends at 0 and 255.
        let table: [u8; 256] =
            core::array::from_fn(|value| ((value as f64 - low) * 255.0 / (high - low) + 0.5) as u8);
        self.pixels.iter_mut().for_each(|pixel| *pixel = table[usize::from(*pixel)]);
    }

    /// Keeps the first `count` images, or all if there are fewer.
    pub fn truncate(&mut self, count: usize) {
        self.pixels.truncate(count.saturating_mul(self.values_per_image()));
    }
}

/// The brightness of a colour; for equal parts it is their value.
fn brightness(parts: [u8; 3]) -> u8 {
    let [red, green, blue] = parts.map(u32::from);
    ((299 * red + 587 * green + 114 * blue + 500) / 1000) as u8
}

/// Images, each with its class.
///
/// ```
/// use equilibria::data::{Images, Labelled};
/// let images = Images::new(1, 1, vec![10, 20, 30])?;
/// let set = Labelled::new(images.clone(), vec![7, 8, 9])?;
/// assert_eq!(set.select(&[2, 0]).labels(), [9, 7]);
/// assert!(Labelled::unlabelled(images, "nobody knows").check_labels().is_err());
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelled {
    images: Images,
    labels: Vec<u8>,
    /// The reason why the labels are not known.
    unlabelled: Option<String>,
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
        Ok(Self { images, labels, unlabelled: None })
    }

    /// Images whose classes are not known: all labels are 0, and [`Labelled::check_labels`] fails with this reason.
    pub fn unlabelled(images: Images, reason: impl Into<String>) -> Self {
        Self { labels: alloc::vec![0; images.len()], images, unlabelled: Some(reason.into()) }
    }

    /// Returns whether the classes are known.
    pub fn has_labels(&self) -> bool {
        self.unlabelled.is_none()
    }

    /// Returns an error if the classes are not known.
    ///
    /// **Errors** [`Error::Unusable`] with the reason.
    pub fn check_labels(&self) -> Result<()> {
        match &self.unlabelled {
            None => Ok(()),
            Some(reason) => Err(Error::unusable("labels are needed here", reason)),
        }
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

    /// The images at the indices `order`, in this order, with their labels.
    ///
    /// **Panics** if an index is out of range.
    #[must_use]
    #[track_caller]
    pub fn select(&self, order: &[usize]) -> Self {
        let labels = order.iter().map(|&index| self.labels[index]).collect();
        Self { images: self.images.select(order), labels, unlabelled: self.unlabelled.clone() }
    }

    /// The images without their labels.
    #[cfg(feature = "cli")]
    pub(crate) fn into_images(self) -> Images {
        self.images
    }

    /// The same images with 1 or 3 channels: see [`Images::to_channels`].
    #[must_use]
    pub fn to_channels(&self, channels: usize) -> Self {
        Self { images: self.images.to_channels(channels), ..self.clone() }
    }

    /// Adds the images of `other` at the end.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if they have another shape.
    pub fn append(&mut self, other: Self) -> Result<()> {
        let [ours, theirs] = [self.images.shape(), other.images.shape()];
        if ours != theirs {
            return Err(Error::ShapeMismatch {
                operation: "images beside others",
                expected: ours.into(),
                found: theirs.into(),
            });
        }
        self.images.pixels.extend(other.images.pixels);
        self.labels.extend(other.labels);
        self.unlabelled = self.unlabelled.take().or(other.unlabelled);
        Ok(())
    }

    /// Changes the images, and not their number.
    #[cfg(feature = "std")]
    pub(super) fn images_mut(&mut self) -> &mut Images {
        &mut self.images
    }

    /// Keeps the first `count` images and labels, or all if there are fewer.
    pub fn truncate(&mut self, count: usize) {
        self.images.truncate(count);
        self.labels.truncate(count);
    }
}

/// A data set: images for training and for testing, each with its class if the classes are known.
///
/// ```
/// use equilibria::data::Dataset;
/// let mut data = Dataset::synthetic(10, 5)?;
/// data.train.truncate(8);
/// assert_eq!((data.name.as_str(), data.train.len(), data.test.len()), ("synthetic", 8, 5));
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Name for captions: `synthetic`, `cats`, or the last part of the path.
    pub name: String,
    /// The training set.
    pub train: Labelled,
    /// The test set.
    pub test: Labelled,
}

impl Dataset {
    /// Swaps background and ink of both sets.
    pub fn invert(&mut self) {
        self.train.images.invert();
        self.test.images.invert();
    }

    /// Returns these images if they are grey.
    ///
    /// **Errors** [`Error::InvalidArgument`] if they are in colour.
    #[cfg(feature = "std")]
    pub(crate) fn grey(self) -> Result<Self> {
        match self.train.images.channels {
            1 => Ok(self),
            _ => Err(Error::invalid(
                alloc::format!("colour images ({})", self.name),
                "this model is for grey images of one channel; --grey takes their brightness",
            )),
        }
    }
}

/// The indices of `count` images, balanced over the classes: the first image of each class, then the second of each, and so
/// on. Returns all indices if there are fewer.
///
/// ```
/// use equilibria::data::balanced;
/// assert_eq!(balanced(&[7, 7, 7, 2], 3), [3, 0, 1]);
/// ```
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

/// The mean of each value over all images, where 1 is full ink; zeros if there are no images.
///
/// **Accuracy and cost** Exact integer sums, then one division in f64 and one rounding to f32.
///
/// ```
/// use equilibria::data::{Images, mean_image};
/// assert_eq!(mean_image(&Images::new(1, 2, vec![0, 255, 255, 255])?), [0.5, 1.0]);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn mean_image(images: &Images) -> Vec<f32> {
    mean_of(images, u64::from, 255.0)
}

/// For each value of an image, the mean over the images of `value(pixel) / unit`.
pub(super) fn mean_of(images: &Images, value: impl Fn(u8) -> u64, unit: f64) -> Vec<f32> {
    let mut sums = alloc::vec![0_u64; images.values_per_image()];
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
