//! The images that come with the program: drawn digits and cats.

use super::Dataset;
use super::{cats, synthetic};
use crate::Result;
use alloc::string::String;

/// Default number of training digits of the source `synthetic`.
pub const SYNTHETIC_TRAIN: usize = 10_000;
/// Number of test digits of the source `synthetic`.
pub const SYNTHETIC_TEST: usize = 2_000;
/// Default number of training cats, and number of test cats, of the source `cats`.
pub const CATS: [usize; 2] = [5_000, 1_000];

impl Dataset {
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

    /// Draws `train` training cats and `test` test cats of `side` by `side` pixels; the two sets have no cat in common.
    ///
    /// **Errors** Those of [`cats::cats`].
    ///
    /// **Randomness** Fixed, independent of the caller: see [`cats::cat`].
    pub fn cats(train: usize, test: usize, side: usize) -> Result<Self> {
        Ok(Self {
            name: String::from("cats"),
            train: cats::cats(0, train, side)?,
            test: cats::cats(cats::FIRST_TEST, test, side)?,
        })
    }
}
