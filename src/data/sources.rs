//! The sources of digits: drawn, or MNIST's files.

use super::images::Digits;
#[cfg(feature = "std")]
use super::mnist;
use super::synthetic;
#[cfg(feature = "std")]
use crate::Error;
use crate::Result;
use alloc::string::String;

/// Default number of training digits of the source `synthetic`.
pub const SYNTHETIC_TRAIN: usize = 10_000;
/// Number of test digits of the source `synthetic`.
pub const SYNTHETIC_TEST: usize = 2_000;

impl Digits {
    /// Draws `train` training digits and `test` test digits; the two sets have no digit in common.
    ///
    /// **Errors** [`Error::InvalidArgument`](crate::Error::InvalidArgument) if a number is 0 or the digits do not fit into
    /// memory.
    ///
    /// **Randomness** Fixed, independent of the caller: see [`synthetic::digit`].
    pub fn synthetic(train: usize, test: usize) -> Result<Self> {
        Ok(Self {
            name: String::from("synthetic"),
            train: synthetic::digits(0, train)?,
            test: synthetic::digits(synthetic::FIRST_TEST, test)?,
        })
    }

    /// Loads the grey images from `source`: the word `synthetic`, or a folder with MNIST's four files.
    ///
    /// The files, gzipped or not, are in the folder or in its subfolder `mnist`. (Write `./synthetic` for a folder
    /// named `synthetic`.) `images` limits the training set to its first images; the test set is always complete.
    /// Without `images`, `synthetic` gives [`SYNTHETIC_TRAIN`] and [`SYNTHETIC_TEST`] digits.
    ///
    /// **Errors** [`Error::NotFound`] says which files to fetch and how, [`Error::Malformed`] which file is wrong and
    /// where; [`Error::InvalidArgument`] if `images` is 0 or more than there are, or if `source` is not a folder;
    /// [`Error::ShapeMismatch`] if training and test images differ in size; [`Error::InvalidArgument`] for colour images.
    #[cfg(feature = "std")]
    pub fn load(source: impl AsRef<std::path::Path>, images: Option<usize>) -> Result<Self> {
        Self::load_any(source, images)?.grey()
    }

    /// Loads images as [`Digits::load`] does, grey or in colour.
    ///
    /// **Errors** As [`Digits::load`].
    #[cfg(feature = "std")]
    pub fn load_any(source: impl AsRef<std::path::Path>, images: Option<usize>) -> Result<Self> {
        let source = source.as_ref();
        if source.as_os_str() == "synthetic" {
            let count = images.unwrap_or(SYNTHETIC_TRAIN);
            return Self::synthetic(count, SYNTHETIC_TEST).map_err(|error| match error {
                Error::InvalidArgument { expected, .. } => {
                    Error::invalid(alloc::format!("--images {count}"), expected)
                }
                error => error,
            });
        }
        let mut digits = mnist::load(source)?;
        if let Some(count) = images {
            let held = digits.train.len();
            if count == 0 || count > held {
                let expected =
                    alloc::format!("it must be 1 to {held}, the training images of {}", source.display());
                return Err(Error::invalid(alloc::format!("--images {count}"), expected));
            }
            digits.train.truncate(count);
        }
        Ok(digits)
    }
}
