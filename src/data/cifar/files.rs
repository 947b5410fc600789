//! The files of CIFAR-10.

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
