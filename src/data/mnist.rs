//! Finds and loads the four files of MNIST in a folder.
//!
//! `fixtures/fetch-mnist FOLDER` downloads and checks them, and replaces no file. MD5 of the uncompressed content:
//!
//! | file | MD5 |
//! |---|---|
//! | `train-images-idx3-ubyte` | `6bbc9ace898e44ae57da46a324031adb` |
//! | `train-labels-idx1-ubyte` | `a25bea736e30d166cdddb491f175f624` |
//! | `t10k-images-idx3-ubyte` | `2646ac647ad5339dbf082846283269ea` |
//! | `t10k-labels-idx1-ubyte` | `27ae3e4e09519cfbb04c329615203637` |
//!
//! Other sets with the same file names (Fashion-MNIST, KMNIST) load too, so this module does not check the MD5 sums.
//!
//! **Source** LeCun, Bottou, Bengio & Haffner 1998.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Digits, idx};
use crate::{Error, Result};

/// The file names: training images, training labels, test images, test labels.
pub const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Loads the four files from `folder` or from its subfolder `mnist`.
///
/// Each file may be in a folder of its own name. It may be gzipped, with or without `.gz` in its name, and its name may be spelt with a dot
/// (`train-images.idx3-ubyte`). The first of the two folders that has all four files is used. If a file has several
/// spellings there, the first of these is read: hyphen, hyphen with `.gz`, dot, dot with `.gz`.
///
/// **Errors** As [`Digits::load`].
pub fn load(folder: &Path) -> Result<Digits> {
    check_folder(folder)?;
    let candidates = [folder.to_owned(), folder.join("mnist")];
    let mut missing: Vec<Vec<&str>> = Vec::new();
    for candidate in &candidates {
        let found = FILES.iter().map(|name| find(candidate, name)).collect::<Result<Vec<_>>>()?;
        if let [Some(train_images), Some(train_labels), Some(test_images), Some(test_labels)] =
            found.as_slice()
        {
            let train = idx::read_labelled(train_images, train_labels)?;
            let test = idx::read_labelled(test_images, test_labels)?;
            let (ours, theirs) = (train.images(), test.images());
            if (ours.height(), ours.width()) != (theirs.height(), theirs.width()) {
                return Err(Error::ShapeMismatch {
                    operation: "test images beside training images",
                    expected: alloc::vec![ours.height(), ours.width()],
                    found: alloc::vec![theirs.height(), theirs.width()],
                });
            }
            return Ok(Digits { name: name_of(candidate), train, test });
        }
        missing.push(
            FILES.iter().zip(&found).filter(|(_, path)| path.is_none()).map(|(name, _)| *name).collect(),
        );
    }
    Err(not_found(&candidates, &missing))
}

/// Returns whether `folder` or its subfolder `mnist` has one of the four files.
pub(super) fn is_in(folder: &Path) -> Result<bool> {
    for place in [folder.to_owned(), folder.join("mnist")] {
        for name in FILES {
            if find(&place, name)?.is_some() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The error for missing files: those missing from the folder that has some, or all four.
///
/// It advises to fetch MNIST only for an empty folder: any other may hold the user's own files.
fn not_found(candidates: &[PathBuf; 2], missing: &[Vec<&str>]) -> Error {
    let partial = missing.iter().position(|names| names.len() < FILES.len());
    let (names, place, remedy) = match partial {
        Some(which) => (
            missing[which].join(", "),
            candidates[which].display().to_string(),
            "add what is missing: images and labels for training, and images and labels for testing".into(),
        ),
        None => {
            let [folder, below] = candidates.each_ref().map(|candidate| candidate.display());
            let is_empty = candidates[0].read_dir().is_ok_and(|mut entries| entries.next().is_none());
            let remedy = if is_empty {
                format!("`fixtures/fetch-mnist {folder}` downloads them")
            } else {
                "give the folder that holds these four files, those of CIFAR-10, or pictures, or `synthetic`"
                    .into()
            };
            (FILES.join(", "), format!("{folder} or {below}"), remedy)
        }
    };
    Error::NotFound { what: format!("{names} (plain or with .gz)"), place, remedy }
}

/// Finds the file `name` in `folder`, in the first spelling that exists.
fn find(folder: &Path, name: &str) -> Result<Option<PathBuf>> {
    let dotted = name.replace("-idx", ".idx");
    for spelling in [name, &dotted] {
        for suffix in ["", ".gz"] {
            let path = folder.join(format!("{spelling}{suffix}"));
            match path.metadata() {
                // Some archives have each file in a folder of its name.
                Ok(found) if found.is_dir() => {
                    let inside = path.join(path.file_name().unwrap_or_default());
                    if inside.is_file() {
                        return Ok(Some(inside));
                    }
                }
                Ok(_) => return Ok(Some(path)),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                Err(error) => return Err(Error::io("looking for", path, error)),
            }
        }
    }
    Ok(None)
}

/// Checks that `folder` is a folder; if it does not exist, the error names the longest part of the path that does.
fn check_folder(folder: &Path) -> Result<()> {
    if folder.as_os_str().is_empty() {
        return Err(Error::invalid(
            "an empty path",
            "give the folder that holds MNIST's four files, or `synthetic`",
        ));
    }
    match folder.metadata() {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Error::invalid(
            folder.display(),
            "this is a file; give the folder that holds MNIST's four files, `synthetic`, or a file of CIFAR-10's records \
             whose name ends with .bin",
        )),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
            let there = whole.ancestors().find(|ancestor| ancestor.is_dir());
            let given = folder.display();
            Err(Error::NotFound {
                what: format!("the folder {given}"),
                place: there.unwrap_or(folder).display().to_string(),
                remedy: "give `synthetic`, `cats` (or `cats:SIDE`, such as `cats:64`), a folder of MNIST, CIFAR-10 or \
                         pictures, or a .bin file of CIFAR-10; `fixtures/fetch-mnist FOLDER` downloads MNIST"
                    .into(),
            })
        }
        Err(error) => Err(Error::io("looking for", folder, error)),
    }
}

/// The last part of the folder's path, for captions.
pub(super) fn name_of(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    whole.file_name().map_or_else(|| "/".to_owned(), |name| name.to_string_lossy().into_owned())
}
