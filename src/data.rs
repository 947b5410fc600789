//! Images: digits in grey and cats in colour, from files, from bytes in memory, or drawn synthetically.
//!
//! - [`idx`] reads the format of MNIST's files and checks every header against the content.
//! - [`mnist`] names the four files of MNIST; [`Dataset::load_any`] finds them and others in a folder.
//! - [`cifar`] reads the records of CIFAR-10.
//! - [`pictures`] reads folders of PNG and JPEG files.
//! - `photograph` reads and writes pictures of any size, with opacity and 16 bits (feature `cli`).
//! - `points` reads weighted points from files of several formats, `GreyPicture` a picture as masses (feature `cli`).
//! - [`synthetic`] draws any number of digits, [`cats`] any number of cats; an index always gives the same image.
//! - [`scenes`] paints a seaside and a jungle.
//! - [`binarise`] turns grey values into states of visible units, or into their probabilities.
//!
//! Everything except reading files works without `std`; gzip needs the feature `cli`.

mod array;
pub mod binarise;
pub mod cats;
pub mod cifar;
#[cfg(feature = "std")]
mod file;
#[cfg(feature = "cli")]
mod grey_picture;
pub mod idx;
mod images;
#[cfg(feature = "cli")]
mod jpeg;
mod kind;
#[cfg(feature = "std")]
mod load;
mod mixture;
#[cfg(feature = "std")]
pub mod mnist;
#[cfg(feature = "std")]
pub(crate) mod npy;
#[cfg(feature = "cli")]
pub mod photograph;
#[cfg(feature = "png")]
mod picture;
#[cfg(feature = "png")]
pub mod pictures;
#[cfg(feature = "png")]
mod png;
#[cfg(feature = "cli")]
pub mod points;
mod range;
mod reading;
pub mod scenes;
#[cfg(feature = "std")]
mod sets;
mod sources;
mod states;
#[cfg(feature = "std")]
mod stream;
pub mod synthetic;
#[cfg(feature = "cli")]
mod zip;

pub use binarise::Binarisation;
#[cfg(feature = "cli")]
pub use grey_picture::GreyPicture;
pub use images::{Dataset, Images, Labelled, balanced, mean_image};
#[cfg(feature = "cli")]
pub(crate) use kind::describe as describe_kind;
#[cfg(feature = "cli")]
pub(crate) use load::is_built_in;
pub use mixture::Mixture;
#[cfg(feature = "png")]
pub(crate) use picture::SOFTWARE;
#[cfg(feature = "cli")]
pub use points::Points;
pub(crate) use range::{check_states, check_unit_interval};
pub use reading::{ImageShape, Reading, ValueRange};
#[cfg(feature = "cli")]
pub(crate) use sets::read_images;
pub use sources::{CATS, SYNTHETIC_TEST, SYNTHETIC_TRAIN};
pub use states::BinaryImages;
