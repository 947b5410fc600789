//! IDX, the format of MNIST's files: a big-endian header, then the numbers.
//!
//! ```text
//! bytes 0, 1   0
//! byte 2       type: 8 bytes, 9 signed bytes, 11 16-bit and 12 32-bit integers, 13 32-bit and 14 64-bit floats
//! byte 3       number of dimensions
//! then         each dimension, 4 bytes; the first is the number of images or labels
//! then         the numbers, big-endian, row-major
//! ```
//!
//! MNIST's images are bytes of 3 dimensions (`0x00000803`, header of 16 bytes), its labels bytes of 1 dimension
//! (`0x00000801`, header of 8 bytes). Images may have 2 to 4 dimensions and all types: flat, grey, or with channels before or
//! after height and width. Booleans aside, the tables of shapes and ranges are those of `.npy` files.
//!
//! The size in a header does not cause an allocation: the buffer grows with the data that arrives, and reading stops
//! one byte after the promised length. Offsets in errors count bytes of the uncompressed content.
//!
//! **Source** The format's description on the MNIST page (LeCun, Cortes & Burges).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::array::{Array, Element, idx_header};
use super::{Images, Reading, kind};
use crate::{Error, Result};

/// The largest content of a file that is read: 1 GiB, about 1.4 million digits.
pub const LARGEST: u64 = 1 << 30;
/// Bytes of the header before the dimensions.
const MAGIC_BYTES: usize = 4;

/// Reads images from the content of an IDX file; `place` names the file in errors.
///
/// **Errors** [`Error::Malformed`] for a wrong magic number, a dimension of 0, content that is shorter or longer than the
/// header says, and values whose range is not known.
///
/// ```
/// let file = [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 7, 255];
/// let images = equilibria::data::idx::images("two pixels", &file)?;
/// assert_eq!(images.image(0), [7, 255]);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn images(place: &str, bytes: &[u8]) -> Result<Images> {
    parse(Kind::Images, place, bytes)?.images(&Reading::default(), &mut Vec::new())
}

/// Reads labels from the content of an IDX file; `place` names the file in errors.
///
/// **Errors** As [`images`], and for a label that is no whole number from 0 to 255.
///
/// ```
/// let file = [0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 9];
/// assert_eq!(equilibria::data::idx::labels("three labels", &file)?, [7, 0, 9]);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn labels(place: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    parse(Kind::Labels, place, bytes)?.labels()
}

/// The content of an IDX file of these images, of 3 dimensions in grey and of 4 in colour.
///
/// **Errors** [`Error::InvalidArgument`] if a number does not fit the 32 bits of the header.
///
/// ```
/// use equilibria::data::{Images, idx};
/// let images = Images::new(1, 2, vec![7, 255])?;
/// assert_eq!(idx::images("the same", &idx::to_bytes(&images)?)?, images);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn to_bytes(images: &Images) -> Result<Vec<u8>> {
    let [height, width, channels] = images.shape();
    let sizes = [images.len(), height, width, channels];
    let rank = if channels == 1 { 3 } else { 4 };
    let mut bytes = [0, 0, 8, rank as u8].to_vec();
    for &size in &sizes[..rank] {
        let size = u32::try_from(size)
            .map_err(|_| Error::invalid(format!("IDX of size {size}"), "a size is below 2^32; write .npy"))?;
        bytes.extend(size.to_be_bytes());
    }
    bytes.extend(images.pixels());
    Ok(bytes)
}

/// The expected content of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Images,
    Labels,
}

/// The sizes in a header.
struct Header {
    element: Element,
    /// At least 1 dimension, none of them 0.
    dimensions: Vec<u32>,
    /// Bytes of the numbers.
    content: u64,
}

impl Header {
    /// Parses and checks the header in the first bytes of a file, which may be incomplete.
    fn parse(kind: Kind, place: &str, bytes: &[u8]) -> Result<Self> {
        let malformed = |offset: usize, problem: String| Err(Error::malformed(place, offset as u64, problem));
        let Some((length, element)) = idx_header(bytes) else {
            return match bytes {
                [] => malformed(0, "the file is empty".into()),
                [0] | [0, 0] | [0, 0, 8..=14] => {
                    malformed(bytes.len(), "the file ends within its header".into())
                }
                _ => malformed(0, wrong_magic(kind, bytes)),
            };
        };
        let rank = length / 4 - 1;
        match (kind, rank) {
            (Kind::Images, 1) => return malformed(0, wrong_magic(kind, bytes)),
            (Kind::Labels, 3..) => return malformed(0, wrong_magic(kind, bytes)),
            _ => {}
        }
        let dimensions: Vec<u32> = bytes[MAGIC_BYTES..]
            .as_chunks()
            .0
            .iter()
            .take(rank)
            .map(|&word| u32::from_be_bytes(word))
            .collect();
        if dimensions.len() < rank {
            let problem = format!("the file ends within its header of {length} bytes");
            return malformed(bytes.len(), problem);
        }
        if let Some(which) = dimensions.iter().position(|&size| size == 0) {
            let name = match (kind, rank, which) {
                (Kind::Images, _, 0) => "images",
                (Kind::Labels, _, 0) => "labels",
                (_, 3, 1) => "rows an image",
                (_, 3, 2) => "columns an image",
                _ => "values an image",
            };
            return malformed(4 + 4 * which, format!("the header promises 0 {name}, at least 1 is needed"));
        }
        let content = dimensions
            .iter()
            .try_fold(element.size() as u64, |product, &size| product.checked_mul(size.into()));
        let header = Self { element, dimensions, content: content.unwrap_or(u64::MAX) };
        match content {
            Some(_) => Ok(header),
            None => {
                let swapped = header.dimensions.iter().all(|size| size.swap_bytes() < 1 << 16);
                let cause = match swapped {
                    true => "; its dimensions are in little-endian byte order, and the format is big-endian",
                    false => "",
                };
                malformed(4, format!("the header promises {header}, which no file holds{cause}"))
            }
        }
    }

    fn length(&self) -> u64 {
        (MAGIC_BYTES + 4 * self.dimensions.len()) as u64
    }

    /// Compares the promised length with the number `held` of bytes after the header.
    fn check_length(&self, place: &str, held: u64) -> Result<()> {
        let start = self.length();
        if held < self.content {
            let swapped = self.dimensions.iter().map(|size| u64::from(size.swap_bytes()));
            let is_swapped = swapped.fold(self.element.size() as u64, u64::saturating_mul) == held;
            let cause = match is_swapped {
                true => "its dimensions are in little-endian byte order, and the format is big-endian",
                false => "the file is incomplete, or its header is wrong",
            };
            let problem = format!("the header promises {self}, the file holds {held}: {cause}");
            return Err(Error::malformed(place, start, problem));
        }
        if held > self.content {
            let problem = format!("the header promises {self}, more data follows");
            return Err(Error::malformed(place, start + self.content, problem));
        }
        Ok(())
    }

    /// The array; the length of `content` has been checked.
    fn array(&self, place: &str, content: Vec<u8>) -> Array {
        Array {
            place: place.into(),
            start: self.length(),
            shape: self.dimensions.iter().map(|&size| size as usize).collect(),
            element: self.element,
            is_big_endian: true,
            content,
        }
    }
}

/// Writes `60000 images of 28x28 (47040000 bytes)`.
impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.dimensions[..] {
            [count] => write!(f, "{count} labels")?,
            [count, size] => write!(f, "{count} rows of {size} values")?,
            [count, sizes @ ..] => {
                let sizes: Vec<String> = sizes.iter().map(|size| format!("{size}")).collect();
                write!(f, "{count} images of {}", sizes.join("x"))?;
            }
            [] => {}
        }
        match self.content {
            u64::MAX => Ok(()),
            content => write!(f, " ({content} bytes)"),
        }
    }
}

/// Describes what a file that begins with `start` is, instead of the expected.
fn wrong_magic(kind: Kind, start: &[u8]) -> String {
    let guess = match (kind, idx_header(start)) {
        (Kind::Images, Some((8, Element::U8))) => "a file of labels; the two may be swapped".into(),
        (Kind::Labels, Some((16, Element::U8))) => "a file of images; the two may be swapped".into(),
        _ => kind::describe(start),
    };
    let expected = match kind {
        Kind::Images => "IDX images of 2 to 4 dimensions are",
        Kind::Labels => "IDX labels of 1 dimension are",
    };
    format!("this is {guess}; {expected} needed")
}

/// Splits a file in memory into its header and its content, whose length is checked.
fn parse(kind: Kind, place: &str, bytes: &[u8]) -> Result<Array> {
    let header = Header::parse(kind, place, bytes)?;
    let content = &bytes[header.length() as usize..];
    header.check_length(place, content.len() as u64)?;
    Ok(header.array(place, content.to_vec()))
}

#[cfg(feature = "std")]
pub(super) use file::read_from;
#[cfg(feature = "std")]
pub use file::{read_images, read_labelled, read_labels};

#[cfg(feature = "std")]
mod file {
    use std::io::Read;
    use std::path::Path;

    use super::*;
    use crate::data::{Labelled, stream};

    /// Reads images from an IDX file, gzipped or not; the content decides, not the name.
    ///
    /// **Errors** As [`images`]; also for damaged gzip, for more than [`LARGEST`] bytes, and for gzip without the
    /// feature `cli`. [`Error::Io`] if the file cannot be read.
    pub fn read_images(path: impl AsRef<Path>) -> Result<Images> {
        let path = path.as_ref();
        read_from(Kind::Images, path, &mut stream::open(path)?)?.images(&Reading::default(), &mut Vec::new())
    }

    /// Reads labels from an IDX file, gzipped or not.
    ///
    /// **Errors** As [`read_images`], and for a label that is no whole number from 0 to 255.
    pub fn read_labels(path: impl AsRef<Path>) -> Result<Vec<u8>> {
        let path = path.as_ref();
        read_from(Kind::Labels, path, &mut stream::open(path)?)?.labels()
    }

    /// Reads images and their labels from two IDX files.
    ///
    /// **Errors** As [`read_images`] and [`read_labels`]; [`Error::Malformed`] if the numbers differ.
    pub fn read_labelled(images: impl AsRef<Path>, labels: impl AsRef<Path>) -> Result<Labelled> {
        let (images_path, labels_path) = (images.as_ref(), labels.as_ref());
        let (images, labels) = (read_images(images_path)?, read_labels(labels_path)?);
        stream::check_counts(images_path, images.len(), labels_path, labels.len())?;
        Labelled::new(images, labels)
    }

    /// Reads the header, then at most one byte more than it promises. The extra byte shows whether there is more data,
    /// and makes the decoder check the sum at the end of gzip.
    pub(in crate::data) fn read_from(kind: Kind, path: &Path, source: &mut dyn Read) -> Result<Array> {
        let place = path.display().to_string();
        let mut content = Vec::new();
        // Also enough to say what another file is.
        stream::fill(path, 0, &mut content, source, MAGIC_BYTES as u64)?;
        let length = idx_header(&content).map_or(stream::START, |(length, _)| length);
        let more = length as u64 - content.len() as u64;
        stream::fill(path, 0, &mut content, source, more)?;
        let header = Header::parse(kind, &place, &content)?;
        if header.content > LARGEST {
            let problem = format!("the header promises {header}, more than the limit of {LARGEST} bytes");
            return Err(Error::malformed(place, 4, problem));
        }
        content.clear();
        stream::fill(path, header.length(), &mut content, source, header.content + 1)?;
        header.check_length(&place, content.len() as u64)?;
        content.shrink_to_fit();
        Ok(header.array(&place, content))
    }
}
