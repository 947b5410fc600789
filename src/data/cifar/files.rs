//! The files of CIFAR-10 and CIFAR-100.

use super::{CLASSES, RECORD, records, records_100};
use crate::data::{Labelled, file, stream};
use crate::{Error, Result};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use std::path::{Path, PathBuf};

/// Folders below the given one in which the files are searched as well.
const BELOW: [&str; 3] = ["cifar-10-batches-bin", "cifar10-cats", "cifar-100-binary"];
/// The files of CIFAR-100: images for training and testing, and the names of classes and superclasses.
const HUNDRED: [&str; 4] = ["train.bin", "test.bin", "fine_label_names.txt", "coarse_label_names.txt"];

/// The files of training images, and the file of test images if there is one.
pub struct Files {
    pub train: Vec<PathBuf>,
    pub test: Option<PathBuf>,
    /// The records are those of CIFAR-100.
    pub is_hundred: bool,
}

/// Finds the official files, or those of cats, in `folder` or below it. `None` if there is none of them.
///
/// **Errors** [`Error::NotFound`] if some files of CIFAR-10 are missing.
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
                return Ok(Some(Files { train, test: Some(place.join(test)), is_hundred: false }));
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
        let [train, test, ..] = HUNDRED.map(|name| place.join(name));
        if is_hundred(&train) && is_hundred(&test) {
            return Ok(Some(Files { train: vec![train], test: Some(test), is_hundred: true }));
        }
    }
    Ok(None)
}

/// Returns whether the length of a file is that of records of CIFAR-100, and not of CIFAR-10.
fn is_hundred(path: &Path) -> bool {
    let length = path.metadata().map_or(0, |found| if found.is_file() { found.len() } else { 0 });
    let is_array = || stream::start_of(path).is_ok_and(|start| file::is_array(&start));
    length > 0
        && length.is_multiple_of(RECORD as u64 + 1)
        && !length.is_multiple_of(RECORD as u64)
        && !is_array()
}

/// One file, and the file of test images beside it, whose name has `test_batch` in the place of `data_batch`, or is `test.bin`
/// beside `train.bin`.
pub fn alone(path: &Path) -> Files {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_hundred = is_hundred(path);
    let test = match is_hundred && name == HUNDRED[0] {
        true => path.with_file_name(HUNDRED[1]),
        false => path.with_file_name(name.replacen("data_batch", "test_batch", 1)),
    };
    let test = (test != path && test.is_file()).then_some(test);
    Files { train: vec![path.to_owned()], test, is_hundred }
}

impl Files {
    /// Reads training images, test images if there are any, and the names of the classes. A `class` of CIFAR-100 may be a
    /// superclass.
    pub fn read(&self, class: Option<&str>) -> Result<(Labelled, Option<Labelled>, Vec<String>)> {
        let mut classes = CLASSES.map(String::from).to_vec();
        let mut is_superclass = false;
        if self.is_hundred {
            let [fine, coarse] = [HUNDRED[2], HUNDRED[3]].map(|name| self.names(name));
            let has = |names: &[String]| {
                class.is_some_and(|class| names.iter().any(|name| name.eq_ignore_ascii_case(class)))
            };
            is_superclass = has(&coarse) && !has(&fine);
            classes = if is_superclass { coarse } else { fine };
        }
        let decode = |place: &str, bytes: &[u8]| match self.is_hundred {
            true => records_100(place, bytes, is_superclass),
            false => records(place, bytes),
        };
        let train = read(&self.train, decode)?;
        let test = self.test.as_ref().map(|test| read(core::slice::from_ref(test), decode)).transpose()?;
        Ok((train, test, classes))
    }

    /// The lines of a file of names beside the images; none if there is no such file.
    fn names(&self, name: &str) -> Vec<String> {
        let text = self.train.first().map(|path| path.with_file_name(name)).map(std::fs::read_to_string);
        let text = text.and_then(|text| text.ok()).unwrap_or_default();
        text.lines().map(|line| line.trim().to_string()).filter(|line| !line.is_empty()).collect()
    }
}

fn read(files: &[PathBuf], decode: impl Fn(&str, &[u8]) -> Result<Labelled>) -> Result<Labelled> {
    let mut all: Option<Labelled> = None;
    for path in files {
        let bytes = std::fs::read(path).map_err(|error| Error::io("reading", path, error))?;
        let set = decode(&path.display().to_string(), &bytes)?;
        match &mut all {
            None => all = Some(set),
            Some(all) => all.append(set)?,
        }
    }
    all.ok_or_else(|| Error::invalid("no file of CIFAR-10", "at least 1 is needed"))
}
