//! The shape of an example.

use crate::{Error, Result};
use core::fmt;

/// The shape of an example: an image, channels last, or a plain row, which is one pixel with many channels.
///
/// ```
/// use equilibria::nn::Shape;
/// let photograph = Shape { height: 32, width: 32, channels: 3 };
/// assert_eq!((photograph.size(), photograph.to_string().as_str()), (3072, "32x32x3"));
/// assert_eq!(Shape::from(100), Shape { height: 1, width: 1, channels: 100 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Number of rows of pixels.
    pub height: usize,
    /// Number of pixels in a row.
    pub width: usize,
    /// Number of values in a pixel.
    pub channels: usize,
}

impl Shape {
    /// The number of values in an example; `usize::MAX` on overflow.
    pub const fn size(self) -> usize {
        self.height.saturating_mul(self.width).saturating_mul(self.channels)
    }

    /// Parses the format of [`Display`](fmt::Display).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut sizes = text.split('x').map(|size| size.parse().ok());
        let first: usize = sizes.next()??;
        let shape = match (sizes.next(), sizes.next()) {
            (None, _) => first.into(),
            (Some(width), Some(channels)) => Self { height: first, width: width?, channels: channels? },
            _ => return None,
        };
        sizes.next().is_none().then_some(shape)
    }

    /// Returns this shape if it has `expected` values; otherwise an error that names `operation`.
    pub(super) fn expect(self, operation: &'static str, expected: usize) -> Result<Self> {
        expect_len(operation, expected, self.size()).map(|()| self)
    }
}

impl From<usize> for Shape {
    fn from(channels: usize) -> Self {
        Self { height: 1, width: 1, channels }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self { height: 1, width: 1, channels } => write!(f, "{channels}"),
            Self { height, width, channels } => write!(f, "{height}x{width}x{channels}"),
        }
    }
}

/// Returns `Ok` if the two are equal.
pub(super) fn expect_len(operation: &'static str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::ShapeMismatch { operation, expected: [expected].to_vec(), found: [found].to_vec() })
}
