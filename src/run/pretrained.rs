//! The trained machines that come with the program; `fixtures/README.md` describes their training and quality.
//!
//! Their settings name their training data, `mnist`, which do not come with the program.

use super::{dbm, rbm, settings_in};
use crate::boltzmann::{Dbm, Rbm};
use crate::checkpoint::Archive;
use crate::{Error, Result};
use serde::de::DeserializeOwned;

/// The name of [`deep`]: kind and sizes.
pub const DEEP: &str = "dbm-784-500-1000";
/// The name of [`restricted`]: kind and sizes.
pub const RESTRICTED: &str = "rbm-784-500";

/// Height and width of the training images of both.
pub const IMAGE_SIZE: [usize; 2] = [28, 28];

static DEEP_BYTES: &[u8] = include_bytes!("../../fixtures/dbm-784-500-1000.safetensors");
static RESTRICTED_BYTES: &[u8] = include_bytes!("../../fixtures/rbm-784-500.safetensors");

/// The deep machine, and the settings of its training.
///
/// **Errors** [`Error::Malformed`] if the program was built with a damaged file.
pub fn deep() -> Result<(Dbm<f32>, dbm::Settings)> {
    let archive = Archive::from_bytes(DEEP_BYTES, DEEP)?;
    Ok((Dbm::from_archive(&archive)?, settings(&archive)?))
}

/// The restricted machine, and the settings of its training.
///
/// **Errors** as [`deep`].
pub fn restricted() -> Result<(Rbm<f32>, rbm::Settings)> {
    let archive = Archive::from_bytes(RESTRICTED_BYTES, RESTRICTED)?;
    Ok((Rbm::from_archive(&archive)?, settings(&archive)?))
}

fn settings<T: DeserializeOwned>(archive: &Archive) -> Result<T> {
    settings_in(archive)?
        .ok_or_else(|| Error::malformed(archive.place(), 8, "the metadata have no settings of the training"))
}
