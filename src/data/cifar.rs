//! CIFAR-10 and CIFAR-100 in their binary formats: colour images of 32 by 32 pixels in 10 or 100 classes.
//!
//! ```text
//! byte 0            label, 0 to 9; in CIFAR-100, 2 bytes: the superclass, 0 to 19, and the class, 0 to 99
//! bytes 1..1025     red, row by row
//! bytes 1025..2049  green
//! bytes 2049..3073  blue
//! ```
//!
//! A file is a sequence of such records. The official archive has the files `data_batch_1.bin` to `data_batch_5.bin` and
//! `test_batch.bin`. A set of one class may have `data_batch_cats.bin` and `test_batch_cats.bin` instead. CIFAR-100 has
//! `train.bin` and `test.bin`.
//!
//! **Source** Krizhevsky 2009.

#[cfg(feature = "std")]
pub(crate) mod files;

use super::{Images, Labelled};
use crate::{Error, Result};
use alloc::format;
use alloc::vec::Vec;

/// Number of rows and of columns of an image.
pub const SIDE: usize = 32;
/// Bytes of a record: the label, then a plane of each colour.
pub const RECORD: usize = 1 + 3 * PLANE;
/// The names of the classes.
pub const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
/// Bytes of one colour of an image.
const PLANE: usize = SIDE * SIDE;

/// Reads the records in `bytes`. `place` names them in errors.
///
/// **Errors** [`Error::Malformed`] if there is no record, the last record is incomplete, or a label is above 9.
///
/// ```
/// use equilibria::data::cifar;
/// let mut record = vec![10; cifar::RECORD];
/// record[..2].copy_from_slice(&[3, 255]);
/// let set = cifar::records("a record", &record)?;
/// assert_eq!((set.labels(), &set.images().pixels()[..6]), (&[3][..], &[255, 10, 10, 10, 10, 10][..]));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn records(place: &str, bytes: &[u8]) -> Result<Labelled> {
    read(Format::TEN, place, bytes)
}

/// Reads the records of CIFAR-100 in `bytes`, with the superclass or else the class as label.
///
/// **Errors** As [`records`], for labels above 19 and 99.
///
/// ```
/// use equilibria::data::cifar;
/// let mut record = vec![10; cifar::RECORD + 1];
/// record[..2].copy_from_slice(&[3, 42]);
/// assert_eq!(cifar::records_100("a record", &record, false)?.labels(), [42]);
/// assert_eq!(cifar::records_100("a record", &record, true)?.labels(), [3]);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn records_100(place: &str, bytes: &[u8], is_superclass: bool) -> Result<Labelled> {
    read(if is_superclass { Format::SUPERCLASSES } else { Format::HUNDRED }, place, bytes)
}

/// A kind of records.
#[derive(Debug, Clone, Copy)]
struct Format {
    name: &'static str,
    /// Number of label bytes, and which one is read.
    labels: [usize; 2],
    classes: u8,
}

impl Format {
    const TEN: Self = Self { name: "CIFAR-10", labels: [1, 0], classes: 10 };
    const HUNDRED: Self = Self { name: "CIFAR-100", labels: [2, 1], classes: 100 };
    const SUPERCLASSES: Self = Self { name: "CIFAR-100", labels: [2, 0], classes: 20 };
}

fn read(format: Format, place: &str, bytes: &[u8]) -> Result<Labelled> {
    let Format { name, labels: [first, which], classes } = format;
    let size = first + 3 * PLANE;
    let (whole, rest) = (bytes.len() / size, bytes.len() % size);
    if whole == 0 || rest != 0 {
        let problem = format!(
            "{} bytes are no whole record of {name}, which has {size} bytes (labels, then 1024 red, 1024 green and 1024 blue)",
            if whole == 0 { bytes.len() } else { rest }
        );
        return Err(Error::malformed(place, (whole * size) as u64, problem));
    }
    let (mut labels, mut pixels) = (Vec::new(), Vec::new());
    if labels.try_reserve_exact(whole).and(pixels.try_reserve_exact(whole * 3 * PLANE)).is_err() {
        return Err(Error::unusable(place, format!("its {whole} images do not fit into memory")));
    }
    for (index, record) in bytes.chunks_exact(size).enumerate() {
        let (label, planes) = (record[which], &record[first..]);
        if label >= classes {
            let problem = format!("the label {label} is none of {name}, which are 0 to {}", classes - 1);
            return Err(Error::malformed(place, (index * size + which) as u64, problem));
        }
        labels.push(label);
        pixels.extend((0..PLANE).flat_map(|at| [planes[at], planes[PLANE + at], planes[2 * PLANE + at]]));
    }
    Labelled::new(Images::with_channels(SIDE, SIDE, 3, pixels)?, labels)
}
