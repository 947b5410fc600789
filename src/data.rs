//! Images of digits: from MNIST's files, from bytes in memory, or drawn synthetically.
//!
//! - [`idx`] reads the format of MNIST's files and checks every header against the content.
//! - [`mnist`] finds the four files in a folder.
//! - [`png`] reads pictures.
//! - [`synthetic`] draws any number of digits; an index always gives the same digit.
//! - [`binarise`] turns grey values into states of visible units, or into their probabilities.
//!
//! Everything except reading files works without `std`; gzip needs the feature `cli`.

pub mod binarise;
pub mod idx;
mod images;
mod mixture;
#[cfg(feature = "std")]
pub mod mnist;
#[cfg(feature = "png")]
pub mod png;
mod range;
mod sources;
mod states;
pub mod synthetic;

pub use binarise::Binarisation;
pub use images::{Digits, Images, Labelled, balanced, mean_image};
pub use mixture::Mixture;
pub(crate) use range::{check_states, check_unit_interval};
pub use sources::{SYNTHETIC_TEST, SYNTHETIC_TRAIN};
pub use states::BinaryImages;
