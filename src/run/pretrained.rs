//! The trained machines that come with the program; `fixtures/README.md` says how each was made and what it is worth.
//!
//! Their settings name the data that they learned from, `mnist`, which do not come with the program.

use super::{dbm, rbm, settings_in};
use crate::boltzmann::{Dbm, Rbm};
use crate::checkpoint::Archive;
use crate::{Error, Result};
use serde::de::DeserializeOwned;

/// What [`deep`] is called: kind and sizes.
pub const DEEP: &str = "dbm-784-500-1000";
/// What [`restricted`] is called: kind and sizes.
pub const RESTRICTED: &str = "rbm-784-500";

/// Height and width of the images that both learned from.
pub const IMAGE_SIZE: [usize; 2] = [28, 28];

static DEEP_BYTES: &[u8] = include_bytes!("../../fixtures/dbm-784-500-1000.safetensors");
static RESTRICTED_BYTES: &[u8] = include_bytes!("../../fixtures/rbm-784-500.safetensors");

/// The deep machine, and the settings it was trained with.
///
/// **Errors** [`Error::Malformed`] if the program was built with a damaged file.
pub fn deep() -> Result<(Dbm<f32>, dbm::Settings)> {
    let archive = Archive::from_bytes(DEEP_BYTES, DEEP)?;
    Ok((Dbm::from_archive(&archive)?, settings(&archive)?))
}

/// The restricted machine, and the settings it was trained with.
///
/// **Errors** as [`deep`].
pub fn restricted() -> Result<(Rbm<f32>, rbm::Settings)> {
    let archive = Archive::from_bytes(RESTRICTED_BYTES, RESTRICTED)?;
    Ok((Rbm::from_archive(&archive)?, settings(&archive)?))
}

fn settings<T: DeserializeOwned>(archive: &Archive) -> Result<T> {
    settings_in(archive)?
        .ok_or_else(|| Error::malformed(archive.place(), 8, "the metadata do not say how it was trained"))
}
