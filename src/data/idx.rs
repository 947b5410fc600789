//! IDX, the format of MNIST's files: a big-endian header, then one byte per element.
//!
//! ```text
//! images  0x00000803  count  height  width  pixels    (header of 16 bytes)
//! labels  0x00000801  count  labels                   (header of 8 bytes)
//! ```
//!
//! The size in a header does not cause an allocation: the buffer grows with the data that arrives, and reading stops
//! one byte after the promised length. Offsets in errors count bytes of the uncompressed content.
//!
//! **Source** The format's description on the MNIST page (LeCun, Cortes & Burges).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::Images;
use crate::{Error, Result};

/// The largest content of a file that is read: 1 GiB, about 1.4 million digits.
pub const LARGEST: u64 = 1 << 30;

/// Reads images from the content of an IDX file; `place` names the file in errors.
///
/// **Errors** [`Error::Malformed`] for a wrong magic number, a dimension of 0, and content that is shorter or longer
/// than the header says.
///
/// ```
/// let file = [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 7, 255];
/// let images = equilibria::data::idx::images("two pixels", &file)?;
/// assert_eq!(images.image(0), [7, 255]);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn images(place: &str, bytes: &[u8]) -> Result<Images> {
    let (header, content) = split(Kind::Images, place, bytes)?;
    header.images(content.to_vec())
}

/// Reads labels of digits from the content of an IDX file; `place` names the file in errors.
///
/// **Errors** As [`images`], and for a label above 9.
pub fn labels(place: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let (_, content) = split(Kind::Labels, place, bytes)?;
    check_labels(place, content)?;
    Ok(content.to_vec())
}

/// The expected content of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Images,
    Labels,
}

impl Kind {
    fn magic(self) -> u32 {
        match self {
            Self::Images => 0x0803,
            Self::Labels => 0x0801,
        }
    }

    fn header_length(self) -> usize {
        match self {
            Self::Images => 16,
            Self::Labels => 8,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Labels => "labels",
        }
    }
}

/// The sizes in a header.
struct Header {
    kind: Kind,
    count: u32,
    /// 1 for labels.
    height: u32,
    /// 1 for labels.
    width: u32,
    /// The product of count, height and width.
    content: u64,
}

impl Header {
    /// Parses and checks the header in the first bytes of a file, which may be incomplete.
    fn parse(kind: Kind, place: &str, bytes: &[u8]) -> Result<Self> {
        let malformed = |offset: usize, problem: String| Err(Error::malformed(place, offset as u64, problem));
        let field = |at: usize| {
            bytes
                .get(at..at + 4)
                .map(|word| word.iter().fold(0_u32, |value, &byte| value << 8 | u32::from(byte)))
        };
        let short = || {
            let length = kind.header_length();
            malformed(
                bytes.len(),
                format!("the file ends within its header of {length} bytes; download it again"),
            )
        };
        let Some(magic) = field(0) else { return short() };
        if magic != kind.magic() {
            return malformed(0, wrong_magic(kind, magic));
        }
        let sizes = match kind {
            Kind::Images => [field(4), field(8), field(12)],
            Kind::Labels => [field(4), Some(1), Some(1)],
        };
        let [Some(count), Some(height), Some(width)] = sizes else { return short() };
        let named = [(count, kind.name()), (height, "rows an image"), (width, "columns an image")];
        if let Some(which) = named.iter().position(|&(size, _)| size == 0) {
            return malformed(
                4 + 4 * which,
                format!("the header promises 0 {}, at least 1 is needed", named[which].1),
            );
        }
        match (u64::from(height) * u64::from(width)).checked_mul(u64::from(count)) {
            Some(content) => Ok(Self { kind, count, height, width, content }),
            None => malformed(
                4,
                format!("the header promises {count} images of {height}x{width}, which no file holds"),
            ),
        }
    }

    /// Compares the promised length with the number `held` of bytes after the header.
    fn check_length(&self, place: &str, held: u64) -> Result<()> {
        let start = self.kind.header_length() as u64;
        if held < self.content {
            let problem = format!("the header promises {self}, the file holds {held}; download it again");
            return Err(Error::malformed(place, start, problem));
        }
        if held > self.content {
            let problem = format!("the header promises {self}, more data follows; download it again");
            return Err(Error::malformed(place, start + self.content, problem));
        }
        Ok(())
    }

    /// Creates images of the size in the header; the length of `content` has been checked.
    fn images(&self, content: Vec<u8>) -> Result<Images> {
        Images::new(self.height as usize, self.width as usize, content)
    }
}

/// Writes `60000 images of 28x28 (47040000 bytes)`.
impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, count, height, width, content } = self;
        match kind {
            Kind::Images => write!(f, "{count} images of {height}x{width} ({content} bytes)"),
            Kind::Labels => write!(f, "{count} labels ({content} bytes)"),
        }
    }
}

/// Describes what a file with a wrong magic number probably is.
fn wrong_magic(kind: Kind, found: u32) -> String {
    let guess = match (kind, found) {
        (_, 0x1f8b_0000..=0x1f8b_ffff) => "gzip; unpack it first",
        (Kind::Images, 0x0801) => "a file of labels; the two may be swapped",
        (Kind::Labels, 0x0803) => "a file of images; the two may be swapped",
        _ => "not of this format; download it again",
    };
    let (name, magic) = (kind.name(), kind.magic());
    format!(
        "IDX {name} begin with the magic number {magic:#010x}; this file begins with {found:#010x}: it is {guess}"
    )
}

/// Splits a file in memory into its header and its content, whose length is checked.
fn split<'a>(kind: Kind, place: &str, bytes: &'a [u8]) -> Result<(Header, &'a [u8])> {
    let header = Header::parse(kind, place, &bytes[..bytes.len().min(kind.header_length())])?;
    let content = &bytes[kind.header_length()..];
    header.check_length(place, content.len() as u64)?;
    Ok((header, content))
}

fn check_labels(place: &str, labels: &[u8]) -> Result<()> {
    match labels.iter().position(|&label| label > 9) {
        None => Ok(()),
        Some(at) => {
            let offset = (Kind::Labels.header_length() + at) as u64;
            let problem =
                format!("label {} of image {at} is not a digit; a label must be 0 to 9", labels[at]);
            Err(Error::malformed(place, offset, problem))
        }
    }
}

#[cfg(feature = "std")]
pub use file::{read_images, read_labelled, read_labels};

#[cfg(feature = "std")]
mod file {
    use std::fs::File;
    use std::io::{self, BufRead, BufReader, Read};
    use std::path::Path;

    use super::*;
    use crate::data::Labelled;

    /// Reads images from an IDX file, gzipped or not; the content decides, not the name.
    ///
    /// **Errors** As [`images`]; also for damaged gzip, for more than [`LARGEST`] bytes, and for gzip without the
    /// feature `cli`. [`Error::Io`] if the file cannot be read.
    pub fn read_images(path: impl AsRef<Path>) -> Result<Images> {
        let (header, content) = read(Kind::Images, path.as_ref())?;
        header.images(content)
    }

    /// Reads labels of digits from an IDX file, gzipped or not.
    ///
    /// **Errors** As [`read_images`], and for a label above 9.
    pub fn read_labels(path: impl AsRef<Path>) -> Result<Vec<u8>> {
        let (_, content) = read(Kind::Labels, path.as_ref())?;
        check_labels(&path.as_ref().display().to_string(), &content)?;
        Ok(content)
    }

    /// Reads images and their labels from two IDX files.
    ///
    /// **Errors** As [`read_images`] and [`read_labels`]; [`Error::Malformed`] if the numbers differ.
    pub fn read_labelled(images: impl AsRef<Path>, labels: impl AsRef<Path>) -> Result<Labelled> {
        let (images_path, labels_path) = (images.as_ref(), labels.as_ref());
        let (images, labels) = (read_images(images_path)?, read_labels(labels_path)?);
        if images.len() != labels.len() {
            let (has, other) = (labels.len(), images.len());
            let images_place = images_path.display();
            let problem =
                format!("{has} labels for the {other} images of {images_place}; the counts must be equal");
            return Err(Error::malformed(labels_path.display(), 4, problem));
        }
        Labelled::new(images, labels)
    }

    /// Opens a file and reads it, through gzip if its first bytes are those of gzip.
    fn read(kind: Kind, path: &Path) -> Result<(Header, Vec<u8>)> {
        let file = File::open(path).map_err(|error| Error::io("opening", path, error))?;
        let mut file = BufReader::new(file);
        let start = file.fill_buf().map_err(|error| Error::io("reading", path, error))?;
        if start.starts_with(&[0x1f, 0x8b]) {
            read_gzip(kind, path, file)
        } else {
            read_from(kind, path, file)
        }
    }

    #[cfg(feature = "cli")]
    fn read_gzip(kind: Kind, path: &Path, file: impl BufRead) -> Result<(Header, Vec<u8>)> {
        read_from(kind, path, flate2::bufread::MultiGzDecoder::new(file))
    }

    #[cfg(not(feature = "cli"))]
    fn read_gzip(_: Kind, path: &Path, _: impl BufRead) -> Result<(Header, Vec<u8>)> {
        let problem =
            "this is gzip, which needs the feature `cli`; build with it or unpack the file with gunzip";
        Err(Error::malformed(path.display(), 0, problem))
    }

    /// Reads the header, then at most one byte more than it promises. The extra byte shows whether there is more data,
    /// and makes the decoder check the sum at the end of gzip.
    fn read_from(kind: Kind, path: &Path, mut source: impl Read) -> Result<(Header, Vec<u8>)> {
        let place = path.display().to_string();
        let start = kind.header_length() as u64;
        let mut content = Vec::new();
        fill(&mut content, source.by_ref().take(start))
            .map_err(|error| broken(path, content.len(), error))?;
        let header = Header::parse(kind, &place, &content)?;
        if header.content > LARGEST {
            let problem = format!("the header promises {header}, more than the limit of {LARGEST} bytes");
            return Err(Error::malformed(place, 4, problem));
        }
        content.clear();
        fill(&mut content, source.take(header.content + 1))
            .map_err(|error| broken(path, start as usize + content.len(), error))?;
        header.check_length(&place, content.len() as u64)?;
        content.shrink_to_fit();
        Ok((header, content))
    }

    fn fill(buffer: &mut Vec<u8>, mut source: impl Read) -> io::Result<()> {
        source.read_to_end(buffer).map(|_| ())
    }

    /// Distinguishes a damaged stream, which the decoder reports, from an error of the operating system.
    fn broken(path: &Path, offset: usize, error: io::Error) -> Error {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        let damaged = error.raw_os_error().is_none()
            && matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof);
        if !damaged {
            return Error::io("reading", path, error);
        }
        let fault = if error.kind() == UnexpectedEof { "ends too early" } else { "is damaged" };
        Error::malformed(
            path.display(),
            offset as u64,
            format!("the gzip stream {fault} ({error}); download it again"),
        )
    }
}
