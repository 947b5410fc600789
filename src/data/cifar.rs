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
    let mut labels = Vec::with_capacity(whole);
    let mut pixels = Vec::with_capacity(whole * (RECORD - 1));
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

#[cfg(feature = "std")]
pub(super) use files::{find, read_alone, read_sets};

#[cfg(feature = "std")]
mod files {
    use super::records;
    use crate::data::Labelled;
    use crate::{Error, Result};
    use alloc::borrow::ToOwned;
    use alloc::format;
    use alloc::string::{String, ToString};
    use alloc::vec;
    use alloc::vec::Vec;
    use std::path::{Path, PathBuf};

    /// Folders below the given one in which the files are searched as well.
    const BELOW: [&str; 2] = ["cifar-10-batches-bin", "cifar10-cats"];

    /// The files of training images, and the file of test images.
    pub struct Files {
        pub train: Vec<PathBuf>,
        pub test: PathBuf,
    }

    /// Finds the official files, or those of cats, in `folder` or below it. `None` if there is none of them.
    ///
    /// **Errors** [`Error::NotFound`] if some of them are missing.
    pub fn find(folder: &Path) -> Result<Option<Files>> {
        let numbered = (1..=5).map(|number| format!("data_batch_{number}.bin")).collect();
        let official = (numbered, "test_batch.bin".to_string());
        let cats = (vec!["data_batch_cats.bin".to_string()], "test_batch_cats.bin".to_string());
        let places = BELOW.map(|name| folder.join(name));
        for place in [folder.to_owned()].iter().chain(&places) {
            for (train, test) in [&official, &cats] {
                let names = || train.iter().chain([test]);
                let missing: Vec<&str> =
                    names().map(String::as_str).filter(|name| !place.join(name).is_file()).collect();
                if missing.is_empty() {
                    let train = train.iter().map(|name| place.join(name)).collect();
                    return Ok(Some(Files { train, test: place.join(test) }));
                }
                if missing.len() < names().count() {
                    return Err(Error::NotFound {
                        what: missing.join(", "),
                        place: place.display().to_string(),
                        remedy:
                            "add what is missing of CIFAR-10's binary version, or give one of its files alone"
                                .into(),
                    });
                }
            }
        }
        Ok(None)
    }

    /// Reads training and test images.
    pub fn read_sets(files: &Files) -> Result<[Labelled; 2]> {
        Ok([read(&files.train)?, read(core::slice::from_ref(&files.test))?])
    }

    /// Reads one file, and the file of test images beside it, whose name has `test_batch` in the place of `data_batch`.
    pub fn read_alone(file: &Path) -> Result<(Labelled, Option<Labelled>)> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let test = file.with_file_name(name.replacen("data_batch", "test_batch", 1));
        let set = read(&[file.to_owned()])?;
        match test != file && test.is_file() {
            true => Ok((set, Some(read(&[test])?))),
            false => Ok((set, None)),
        }
    }

    fn read(files: &[PathBuf]) -> Result<Labelled> {
        let mut all: Option<Labelled> = None;
        for path in files {
            let bytes = std::fs::read(path).map_err(|error| Error::io("reading", path, error))?;
            let set = records(&path.display().to_string(), &bytes)?;
            match &mut all {
                None => all = Some(set),
                Some(all) => all.append(set)?,
            }
        }
        all.ok_or_else(|| Error::invalid("no file of CIFAR-10", "at least 1 is needed"))
    }
}
