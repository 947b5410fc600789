//! CIFAR-10 in its binary format: colour images of 32 by 32 pixels in ten classes.
//!
//! ```text
//! byte 0            label, 0 to 9
//! bytes 1..1025     red, row by row
//! bytes 1025..2049  green
//! bytes 2049..3073  blue
//! ```
//!
//! A file is a sequence of such records. The official archive has the files `data_batch_1.bin` to `data_batch_5.bin` and
//! `test_batch.bin`. A set of one class may have `data_batch_cats.bin` and `test_batch_cats.bin` instead.
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
    let (whole, rest) = (bytes.len() / RECORD, bytes.len() % RECORD);
    if whole == 0 || rest != 0 {
        let problem = format!(
            "{} bytes are no whole record of CIFAR-10, which has {RECORD} bytes (a label, then 1024 red, 1024 green and 1024 \
             blue)",
            if whole == 0 { bytes.len() } else { rest }
        );
        return Err(Error::malformed(place, (whole * RECORD) as u64, problem));
    }
    let (mut labels, mut pixels) = (Vec::new(), Vec::new());
    if labels.try_reserve_exact(whole).and(pixels.try_reserve_exact(whole * (RECORD - 1))).is_err() {
        return Err(Error::invalid(place, format!("its {whole} images do not fit into memory")));
    }
    for (index, record) in bytes.chunks_exact(RECORD).enumerate() {
        let (label, planes) = (record[0], &record[1..]);
        if usize::from(label) >= CLASSES.len() {
            let problem = format!("the label {label} is none of CIFAR-10, which are 0 to 9");
            return Err(Error::malformed(place, (index * RECORD) as u64, problem));
        }
        labels.push(label);
        pixels.extend((0..PLANE).flat_map(|at| [planes[at], planes[PLANE + at], planes[2 * PLANE + at]]));
    }
    Labelled::new(Images::with_channels(SIDE, SIDE, 3, pixels)?, labels)
}
