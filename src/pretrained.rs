//! The trained models that come with the program, for 28x28 images of digits; `fixtures/README.md` describes their training
//! and quality.
//!
//! ```
//! use equilibria::pretrained;
//! assert_eq!(pretrained::classifier()?.classes(), 10);
//! assert_eq!(pretrained::restricted()?.hidden(), 500);
//! # Ok::<(), equilibria::Error>(())
//! ```
//!
//! **Errors** All functions return [`Error::Malformed`](crate::Error::Malformed) if the program was built with a damaged
//! file.

use crate::Result;
use crate::boltzmann::{Dbm, Rbm};
use crate::checkpoint::Archive;
use crate::evaluate::classifier::Classifier;

/// The name of [`deep`]: kind and sizes.
pub const DEEP: &str = "dbm-784-500-1000";
/// The name of [`restricted`]: kind and sizes.
pub const RESTRICTED: &str = "rbm-784-500";
/// Height and width of the training images.
pub const IMAGE_SIZE: [usize; 2] = [28, 28];

/// The classifier of MNIST, whose features compare sets of images of digits.
///
/// ```
/// let classifier = equilibria::pretrained::classifier()?;
/// assert_eq!((classifier.inputs(), classifier.classes()), (784, 10));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn classifier() -> Result<Classifier> {
    static BYTES: &[u8] = include_bytes!("../fixtures/classifier-mnist.safetensors");
    Classifier::from_archive(&Archive::from_bytes(BYTES, "classifier-mnist")?)
}

/// The deep Boltzmann machine, trained on MNIST.
///
/// ```
/// assert!(equilibria::pretrained::deep()?.sizes().eq([784, 500, 1000]));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn deep() -> Result<Dbm<f32>> {
    Dbm::from_archive(&deep_archive()?)
}

/// The restricted Boltzmann machine, trained on MNIST.
///
/// ```
/// let model = equilibria::pretrained::restricted()?;
/// assert_eq!((model.visible(), model.hidden()), (784, 500));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn restricted() -> Result<Rbm<f32>> {
    Rbm::from_archive(&restricted_archive()?)
}

pub(crate) fn deep_archive() -> Result<Archive> {
    static BYTES: &[u8] = include_bytes!("../fixtures/dbm-784-500-1000.safetensors");
    Archive::from_bytes(BYTES, DEEP)
}

pub(crate) fn restricted_archive() -> Result<Archive> {
    static BYTES: &[u8] = include_bytes!("../fixtures/rbm-784-500.safetensors");
    Archive::from_bytes(BYTES, RESTRICTED)
}
