//! An image in colour.

use crate::{Error, Result};
use alloc::format;
use alloc::vec::Vec;

/// An image of sRGB-encoded red, green and blue.
///
/// **Shapes** (height, width, 3), rows of pixels, without gaps.
///
/// **Units** 0 is no light, 1 is the most light that a display shows.
///
/// ```
/// use equilibria::transport::colour::ColourImage;
/// let image = ColourImage::new(1, 2, vec![1.0, 0.0, 0.0, 0.5, 0.5, 0.5])?;
/// assert_eq!((image.height(), image.width(), image.values()[3]), (1, 2, 0.5));
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ColourImage {
    height: usize,
    width: usize,
    values: Vec<f32>,
}

impl ColourImage {
    /// Creates an image of `height` by `width` from its values.
    ///
    /// **Errors** [`Error::InvalidArgument`] for an image without pixels, or a value outside 0 to 1;
    /// [`Error::ShapeMismatch`] if the number of values is not 3 height width.
    pub fn new(height: usize, width: usize, values: Vec<f32>) -> Result<Self> {
        let count = height.checked_mul(width).and_then(|pixels| pixels.checked_mul(3));
        if count.is_none_or(|count| count == 0) {
            let given = format!("an image of {height}x{width} pixels");
            return Err(Error::invalid(
                given,
                "at least 1 pixel is needed, and no more than can be addressed",
            ));
        }
        if count != Some(values.len()) {
            return Err(Error::ShapeMismatch {
                operation: "image from its values",
                expected: [height, width, 3].to_vec(),
                found: [values.len()].to_vec(),
            });
        }
        if let Some(wrong) = values.iter().position(|x| !(0.0..=1.0).contains(x)) {
            let (row, column) = (wrong / 3 / width, wrong / 3 % width);
            let given = format!("value {} in row {row}, column {column} of an image", values[wrong]);
            return Err(Error::invalid(given, "the values of a colour are between 0 and 1"));
        }
        Ok(Self { height, width, values })
    }

    /// The number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The number of pixels.
    pub fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// The values (height, width, 3).
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Returns the values (height, width, 3).
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }

    /// An image of the same size.
    pub(super) fn with_values(&self, values: Vec<f32>) -> Self {
        debug_assert_eq!(values.len(), self.values.len());
        Self { height: self.height, width: self.width, values }
    }
}
