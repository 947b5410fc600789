//! Options of reading images, for what their files do not say.

use crate::{Error, Result};
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

/// Options of reading images. The defaults are right for most files.
///
/// ```
/// use equilibria::data::Reading;
/// let reading = Reading { shape: Some("28x28".parse()?), range: Some("0..1".parse()?), ..Reading::default() };
/// assert_eq!(reading.shape.unwrap().to_string(), "28x28");
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "cli", derive(clap::Args, serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "cli", serde(default, deny_unknown_fields))]
pub struct Reading {
    /// Height and width of flat images, and channels if there are 3: 28x28 or 32x32x3 [default: what the file says; a
    /// square if it does not].
    #[cfg_attr(feature = "cli", arg(long, value_name = "HEIGHTxWIDTH", value_parser = crate::error::parse::<ImageShape>))]
    #[cfg_attr(feature = "cli", serde(skip_serializing_if = "Option::is_none"))]
    pub shape: Option<ImageShape>,
    /// Swap rows and columns of each image, as EMNIST's files need it.
    #[cfg_attr(feature = "cli", arg(long))]
    #[cfg_attr(feature = "cli", serde(skip_serializing_if = "core::ops::Not::not"))]
    pub transpose: bool,
    /// Values of background and full ink, such as 0..1 or -1..1 [default: 0..255; 0..1 for booleans and for floats in that
    /// range].
    #[cfg_attr(feature = "cli", arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true, value_parser = crate::error::parse::<ValueRange>))]
    #[cfg_attr(feature = "cli", serde(skip_serializing_if = "Option::is_none"))]
    pub range: Option<ValueRange>,
    /// Use the brightness of colours.
    #[cfg_attr(feature = "cli", arg(long))]
    #[cfg_attr(feature = "cli", serde(skip_serializing_if = "core::ops::Not::not"))]
    pub grey: bool,
    /// Share of the images of each class that is kept for testing, if the data have no test images [default: a sixth].
    #[cfg_attr(feature = "cli", arg(long, value_name = "SHARE", value_parser = parse_share))]
    #[cfg_attr(feature = "cli", serde(skip_serializing_if = "Option::is_none"))]
    pub test_share: Option<f64>,
    /// Stop at the first damaged picture [default: in a folder of at least 100 pictures, up to 1 % are left out].
    #[cfg_attr(feature = "cli", arg(long))]
    #[cfg_attr(feature = "cli", serde(skip_serializing_if = "core::ops::Not::not"))]
    pub strict: bool,
}

impl Reading {
    /// Returns whether all options have their defaults.
    #[cfg(feature = "cli")]
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(feature = "cli")]
fn parse_share(text: &str) -> core::result::Result<f64, &'static str> {
    let share = text.parse().ok().filter(|share| *share > 0.0 && *share < 1.0);
    share.ok_or("a number above 0 and below 1 is needed")
}

/// Height, width and channels of an image: written `28x28`, or `32x32x3` in colour.
///
/// ```
/// use equilibria::data::ImageShape;
/// assert_eq!("32x20x3".parse::<ImageShape>()?.0, [32, 20, 3]);
/// assert!("28".parse::<ImageShape>().is_err());
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "cli", serde(into = "String", try_from = "String"))]
pub struct ImageShape(pub [usize; 3]);

impl fmt::Display for ImageShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [height, width, channels] = self.0;
        write!(f, "{height}x{width}")?;
        if channels == 1 { Ok(()) } else { write!(f, "x{channels}") }
    }
}

impl FromStr for ImageShape {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut sizes = [1; 3];
        let mut count = 0;
        for part in text.split(['x', 'X', ',']) {
            let size = part.trim().parse::<usize>().ok().filter(|size| (1..=1 << 20).contains(size));
            match (size, sizes.get_mut(count)) {
                (Some(size), Some(place)) => *place = size,
                _ => count = usize::MAX - 1,
            }
            count += 1;
        }
        match (count, sizes[2]) {
            (2 | 3, 1 | 3) => Ok(Self(sizes)),
            _ => {
                Err(Error::invalid(text, "write HEIGHTxWIDTH, such as 28x28, or HEIGHTxWIDTHx3 for colours"))
            }
        }
    }
}

/// The values of background and of full ink, written `0..1`; the first is smaller.
///
/// ```
/// use equilibria::data::ValueRange;
/// assert_eq!("-1..1".parse::<ValueRange>()?, ValueRange { low: -1.0, high: 1.0 });
/// assert!("1..0".parse::<ValueRange>().is_err());
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "cli", serde(into = "String", try_from = "String"))]
pub struct ValueRange {
    /// The value of the background.
    pub low: f64,
    /// The value of full ink.
    pub high: f64,
}

impl fmt::Display for ValueRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.low, self.high)
    }
}

impl FromStr for ValueRange {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let (low, high) = text.split_once("..")?;
            let (low, high): (f64, f64) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
            (low < high && (high - low).is_finite()).then_some(Self { low, high })
        };
        let expected =
            "write LOW..HIGH, such as 0..1, the smaller number first; --invert swaps background and ink";
        parse().ok_or_else(|| Error::invalid(text, expected))
    }
}

/// Conversions through text, as `config.toml` stores these values.
macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                format!("{value}")
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                text.parse()
            }
        }
    )*};
}

as_text!(ImageShape, ValueRange);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_and_ranges_are_written_as_they_are_read() {
        for text in ["28x28", "32x20x3"] {
            assert_eq!(format!("{}", text.parse::<ImageShape>().unwrap()), text);
        }
        for text in ["28", "0x28", "2x2x2", "2x2x3x1", "ax2", "", "x", "-1x2", "99999999999999999999x2"] {
            assert!(text.parse::<ImageShape>().is_err(), "{text}");
        }
        for text in ["0..1", "-1..1", "0.25..16"] {
            assert_eq!(format!("{}", text.parse::<ValueRange>().unwrap()), text);
        }
        for text in ["1..0", "0..0", "0..inf", "NaN..1", "0", "0-1", "-1e308..1e308"] {
            assert!(text.parse::<ValueRange>().is_err(), "{text}");
        }
    }
}
