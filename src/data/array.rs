//! Arrays of numbers as files hold them, and the images or labels in them.
//!
//! Images are arrays of these shapes:
//!
//! ```text
//! (images, values)                     flat; height and width from `--shape`, or else a square
//! (images, height, width)              grey
//! (images, height, width, 1 or 3)      grey or in colour
//! (images, 1 or 3, height, width)      the same, channel by channel
//! ```
//!
//! Pixels from 0 (background) to 255 (full ink) are made from values v of a range low..high by 255 (v - low) / (high - low).
//! The range is that of [`Reading::range`], or else the following:
//!
//! | values | range |
//! |---|---|
//! | booleans | 0..1 |
//! | floats from 0 to 1 | 0..1 |
//! | numbers from 0 to 255 | 0..255 |
//! | unsigned 16-bit integers, some above 255 | 0..65535 |
//!
//! Other values are refused, as nothing says which of them are background and ink.

use super::Images;
use super::reading::{ImageShape, Reading, ValueRange};
use crate::error::Shape;
use crate::{Error, Result};
use alloc::format;
use alloc::string::String;
#[cfg(feature = "std")]
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::convert::widen;

/// The largest number of dimensions of images.
const MOST_DIMENSIONS: usize = 4;

/// Bytes of the header of an IDX file that begins with `start`, and the type of the numbers. `None` for another format.
pub(super) fn idx_header(start: &[u8]) -> Option<(usize, Element)> {
    match *start {
        [0, 0, code, rank, ..] if (1..=MOST_DIMENSIONS).contains(&rank.into()) => {
            Some((4 + 4 * usize::from(rank), Element::of_idx(code)?))
        }
        _ => None,
    }
}

/// The type of the numbers of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
// Some types are only in `.npy` files.
#[cfg_attr(not(feature = "std"), allow(dead_code))]
pub(crate) enum Element {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    F32,
    F64,
}

impl Element {
    /// The type with this code in the header of an IDX file.
    pub fn of_idx(code: u8) -> Option<Self> {
        Some(match code {
            0x08 => Self::U8,
            0x09 => Self::I8,
            0x0b => Self::I16,
            0x0c => Self::I32,
            0x0d => Self::F32,
            0x0e => Self::F64,
            _ => return None,
        })
    }

    /// The type with this name in the header of an `.npy` file, without the byte order.
    #[cfg(feature = "std")]
    pub fn of_npy(name: &str) -> Option<Self> {
        Some(match name {
            "b1" => Self::Bool,
            "u1" => Self::U8,
            "i1" => Self::I8,
            "u2" => Self::U16,
            "i2" => Self::I16,
            "u4" => Self::U32,
            "i4" => Self::I32,
            "u8" => Self::U64,
            "i8" => Self::I64,
            "f2" => Self::F16,
            "f4" => Self::F32,
            "f8" => Self::F64,
            _ => return None,
        })
    }

    /// Bytes of a number.
    pub const fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// The name of several such numbers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "booleans",
            Self::U8 => "bytes",
            Self::I8 => "signed bytes",
            Self::U16 => "unsigned 16-bit integers",
            Self::I16 => "16-bit integers",
            Self::U32 => "unsigned 32-bit integers",
            Self::I32 => "32-bit integers",
            Self::U64 => "unsigned 64-bit integers",
            Self::I64 => "64-bit integers",
            Self::F16 => "16-bit floats",
            Self::F32 => "32-bit floats",
            Self::F64 => "64-bit floats",
        }
    }

    const fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::F32 | Self::F64)
    }
}

/// An array of numbers, row-major.
#[derive(Debug, Clone)]
pub(crate) struct Array {
    /// The name of the file in errors.
    pub place: String,
    /// The offset of the numbers in the file.
    pub start: u64,
    pub shape: Vec<usize>,
    pub element: Element,
    pub is_big_endian: bool,
    /// The numbers' bytes: as many as shape and element say.
    pub content: Vec<u8>,
}

impl Array {
    /// Calls `visit` with each number.
    pub fn for_each(&self, mut visit: impl FnMut(f64)) {
        macro_rules! each {
            ($number:ty) => {
                each!($number, |number| number as f64)
            };
            ($number:ty, $convert:expr) => {
                for &bytes in self.content.as_chunks::<{ size_of::<$number>() }>().0 {
                    let number = match self.is_big_endian {
                        true => <$number>::from_be_bytes(bytes),
                        false => <$number>::from_le_bytes(bytes),
                    };
                    let convert: fn($number) -> f64 = $convert;
                    visit(convert(number));
                }
            };
        }
        match self.element {
            Element::Bool | Element::U8 => each!(u8),
            Element::I8 => each!(i8),
            Element::U16 => each!(u16),
            Element::I16 => each!(i16),
            Element::U32 => each!(u32),
            Element::I32 => each!(i32),
            Element::U64 => each!(u64),
            Element::I64 => each!(i64),
            Element::F16 => each!(u16, |bits| widen(bits).into()),
            Element::F32 => each!(f32),
            Element::F64 => each!(f64),
        }
    }

    /// The images in the array. Adds a warning to `notes` if they are pale or blank.
    ///
    /// **Errors** [`Error::Malformed`] for another shape, and for values whose range is not known or that are outside it;
    /// [`Error::InvalidArgument`] if they do not have the shape in `reading`.
    pub fn images(mut self, reading: &Reading, notes: &mut Vec<String>) -> Result<Images> {
        let ([height, width, channels], is_planar) = self.layout(reading)?;
        let pixels = self.pixels(reading.range, notes)?;
        let size = height * width;
        let pixels = match is_planar && channels > 1 {
            false => pixels,
            true => pixels.chunks_exact(channels * size).flat_map(|image| interleaved(image, size)).collect(),
        };
        let images = Images::with_channels(height, width, channels, pixels)?;
        let images = if reading.transpose { images.transposed() } else { images };
        Ok(if reading.grey { images.to_channels(1) } else { images })
    }

    /// Height, width and channels of the images, and whether their channels come one by one.
    fn layout(&self, reading: &Reading) -> Result<([usize; 3], bool)> {
        let dimensions = self.shape.get(1..).unwrap_or_default();
        let values: usize = dimensions.iter().product();
        if let Some(shape) = reading.shape
            && dimensions.len() != 3
        {
            let needed: usize = shape.0.iter().product();
            if dimensions.is_empty() || needed != values {
                let given = format!("--shape {shape}");
                let expected = format!(
                    "an image of this shape has {needed} values, one of {} has {values} (shape {})",
                    self.place,
                    Shape(&self.shape)
                );
                return Err(Error::invalid(given, expected));
            }
            return Ok((shape.0, false));
        }
        let found = self.stored_layout(dimensions)?;
        if let Some(shape) = reading.shape {
            check_shape(shape, found.0, &self.place)?;
        }
        Ok(found)
    }

    /// The layout that the dimensions of an image say.
    fn stored_layout(&self, dimensions: &[usize]) -> Result<([usize; 3], bool)> {
        match *dimensions {
            [size] if size.isqrt() * size.isqrt() == size => Ok(([size.isqrt(), size.isqrt(), 1], false)),
            [size] => Err(self.malformed(format!(
                "an array of shape {}: each image is a row of {size} values, which are no square; --shape HEIGHTxWIDTH \
                 says how high and wide it is",
                Shape(&self.shape)
            ))),
            [height, width] => Ok(([height, width, 1], false)),
            [height, width, channels @ (1 | 3)] => Ok(([height, width, channels], false)),
            [channels @ (1 | 3), height, width] => Ok(([height, width, channels], true)),
            _ => Err(self.malformed(format!(
                "an array of shape {}; images are (number, height, width), with 1 or 3 channels at the end or after the \
                 number, or (number, values)",
                Shape(&self.shape)
            ))),
        }
    }

    /// The values as pixels, in their order.
    fn pixels(&mut self, range: Option<ValueRange>, notes: &mut Vec<String>) -> Result<Vec<u8>> {
        let (mut low, mut high, mut is_finite) = (f64::INFINITY, f64::NEG_INFINITY, true);
        self.for_each(|value| {
            low = if value < low { value } else { low };
            high = if value > high { value } else { high };
            is_finite &= value.is_finite();
        });
        if !is_finite {
            return Err(
                self.malformed("a pixel is infinite or not a number; finite numbers are needed".into())
            );
        }
        let is_stated = range.is_some();
        let range = match range {
            Some(range) if low < range.low || high > range.high => {
                let wrong = if low < range.low { low } else { high };
                return Err(self.malformed(format!("a pixel of {wrong} is outside --range {range}")));
            }
            Some(range) => range,
            None => self.usual_range(low, high)?,
        };
        if !is_stated {
            notes.extend(contrast(&self.place, [low, high], range));
        }
        if self.element == Element::U8 && range == BYTES {
            return Ok(core::mem::take(&mut self.content));
        }
        let whole = range.high - range.low;
        let mut pixels = Vec::new();
        let count = self.content.len() / self.element.size();
        if pixels.try_reserve_exact(count).is_err() {
            return Err(Error::unusable(&self.place, format!("its {count} pixels do not fit into memory")));
        }
        // The cast ends at 0 and 255.
        self.for_each(|value| pixels.push(((value - range.low) * 255.0 / whole + 0.5) as u8));
        Ok(pixels)
    }

    /// The range of values from `low` to `high` if nobody states it.
    fn usual_range(&self, low: f64, high: f64) -> Result<ValueRange> {
        // Resampling moves floats beyond their range by at most this.
        const EXCESS: f64 = 1e-3;
        let is_unit = self.element == Element::Bool
            || (self.element.is_float() && low >= -EXCESS && high <= 1.0 + EXCESS);
        if is_unit {
            return Ok(ValueRange { low: 0.0, high: 1.0 });
        }
        if low >= 0.0 && high <= 255.0 {
            return Ok(BYTES);
        }
        if self.element == Element::U16 {
            return Ok(ValueRange { low: 0.0, high: 65535.0 });
        }
        let name = self.element.name();
        Err(self.malformed(format!(
            "{name} from {low} to {high}; --range LOW..HIGH says which values are background and full ink, here perhaps \
             --range {low}..{high}"
        )))
    }

    /// The labels in the array: one whole number from 0 to 255 for each image. In QMNIST, it is the first of 8 numbers.
    ///
    /// **Errors** [`Error::Malformed`] for another shape or another number.
    pub fn labels(&self) -> Result<Vec<u8>> {
        let columns = match (&self.shape[..], self.element) {
            ([_] | [_, 1], _) => 1,
            ([_, QMNIST_COLUMNS], Element::I32) => QMNIST_COLUMNS,
            (&[_, classes @ 2..=256], _) => return self.one_hot(classes),
            _ => {
                let shape = Shape(&self.shape);
                return Err(
                    self.malformed(format!("labels of shape {shape}; one number for each image is needed"))
                );
            }
        };
        let (mut labels, mut wrong, mut at) = (Vec::new(), None, 0);
        self.for_each(|value| {
            at += 1;
            if (at - 1) % columns > 0 {
                return;
            }
            let label = value as u8;
            if f64::from(label) != value {
                wrong = wrong.or(Some((labels.len(), value)));
            }
            labels.push(label);
        });
        match wrong {
            None => Ok(labels),
            Some((at, value)) => {
                let offset = self.start + (at * columns * self.element.size()) as u64;
                let problem =
                    format!("the label of image {at} is {value}; a label is a whole number from 0 to 255");
                Err(Error::malformed(&self.place, offset, problem))
            }
        }
    }

    /// The labels of an array with a column for each class, and a 1 in each row.
    fn one_hot(&self, classes: usize) -> Result<Vec<u8>> {
        let (mut labels, mut wrong) = (Vec::new(), None);
        let (mut sum, mut label, mut column) = (0.0, 0, 0);
        self.for_each(|value| {
            if value == 1.0 {
                label = column as u8;
            }
            sum += if value == 0.0 || value == 1.0 { value } else { f64::NAN };
            column += 1;
            if column == classes {
                if sum != 1.0 {
                    wrong = wrong.or(Some(labels.len()));
                }
                labels.push(label);
                (sum, label, column) = (0.0, 0, 0);
            }
        });
        wrong.map_or(Ok(labels), |row| {
            let shape = Shape(&self.shape);
            Err(self.malformed(format!(
                "labels of shape {shape}: row {row} does not have one 1, in the column of its class, and 0 elsewhere; one number \
                 or one such row for each image is needed"
            )))
        })
    }

    /// An error about the content.
    pub fn malformed(&self, problem: String) -> Error {
        Error::malformed(&self.place, self.start, problem)
    }

    /// The same array in row-major order, from column-major content.
    #[must_use]
    #[cfg(feature = "std")]
    pub fn into_row_major(mut self) -> Self {
        let size = self.element.size();
        let mut strides = vec![size; self.shape.len()];
        for axis in 1..strides.len() {
            strides[axis] = strides[axis - 1] * self.shape[axis - 1];
        }
        let mut content = Vec::with_capacity(self.content.len());
        let mut index = vec![0; self.shape.len()];
        for _ in 0..self.content.len() / size {
            let from: usize = index.iter().zip(&strides).map(|(at, stride)| at * stride).sum();
            content.extend_from_slice(&self.content[from..from + size]);
            // Counts on, the last axis first.
            for (at, &most) in index.iter_mut().zip(&self.shape).rev() {
                *at += 1;
                if *at < most {
                    break;
                }
                *at = 0;
            }
        }
        self.content = content;
        self
    }
}

/// Numbers of an image in QMNIST's labels: the class, then the writer and other origins.
const QMNIST_COLUMNS: usize = 8;

/// Refuses a `--shape` that is not the one `found`; its channels may be left out.
pub(super) fn check_shape(shape: ImageShape, found: [usize; 3], place: &str) -> Result<()> {
    let given = if shape.0[2] == 1 { 2 } else { 3 };
    if shape.0[..given] == found[..given] {
        return Ok(());
    }
    Err(Error::invalid(
        format!("--shape {shape}"),
        format!("the images of {place} have {}", ImageShape(found)),
    ))
}

/// The range of pixels.
pub(super) const BYTES: ValueRange = ValueRange { low: 0.0, high: 255.0 };

/// A warning about images whose pixels take up less than half of their range, or are all equal.
pub(super) fn contrast(place: &str, [low, high]: [f64; 2], range: ValueRange) -> Option<String> {
    if low == high {
        return Some(format!("warning: {place}: all pixels are {low}: the images are blank"));
    }
    (high - low < 0.5 * (range.high - range.low)).then(|| {
        format!(
            "warning: {place}: pixels are from {low} to {high}, where {} is background and {} full ink, so the images are \
             pale or blank; --range {low}..{high} stretches them",
            range.low, range.high
        )
    })
}

#[cfg(feature = "std")]
impl Images {
    /// Applies the range, the transposition and the brightness of `reading` to images of bytes from `place`. Adds a warning to
    /// `notes` if they are pale or blank.
    ///
    /// **Errors** [`Error::InvalidArgument`] for a pixel outside the range, and for another shape than that of `reading`.
    pub(super) fn finish(&mut self, place: &str, reading: &Reading, notes: &mut Vec<String>) -> Result<()> {
        if let Some(shape) = reading.shape {
            check_shape(shape, self.shape(), place)?;
        }
        let [low, high] = self.extremes().map(f64::from);
        match reading.range {
            Some(range) if low < range.low || high > range.high => {
                let wrong = if low < range.low { low } else { high };
                let expected = format!("a pixel in {place} has the value {wrong}");
                return Err(Error::invalid(format!("--range {range}"), expected));
            }
            Some(range) => self.stretch(range.low, range.high),
            None => notes.extend(contrast(place, [low, high], BYTES)),
        }
        if reading.transpose {
            *self = self.transposed();
        }
        if reading.grey {
            *self = self.to_channels(1);
        }
        Ok(())
    }
}

/// Values channel by channel as values pixel by pixel.
fn interleaved(image: &[u8], size: usize) -> impl Iterator<Item = u8> {
    (0..image.len()).map(move |at| {
        let channels = image.len() / size;
        image[at % channels * size + at / channels]
    })
}

/// The shape of images that a file holds flat, for [`Reading::shape`].
impl From<[usize; 3]> for ImageShape {
    fn from(shape: [usize; 3]) -> Self {
        Self(shape)
    }
}
