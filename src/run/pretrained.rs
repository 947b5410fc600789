//! The trained machines that come with the program, with the settings of their training.
//!
//! Their settings name their training data, `mnist`, which do not come with the program.

pub use crate::pretrained::{DEEP, IMAGE_SIZE, RESTRICTED};

use super::{dbm, rbm, settings_in};
use crate::boltzmann::{Dbm, Rbm};
use crate::checkpoint::Archive;
use crate::pretrained::{deep_archive, restricted_archive};
use crate::{Error, Result};
use serde::de::DeserializeOwned;

/// The deep machine, and the settings of its training.
///
/// **Errors** [`Error::Malformed`] if the program was built with a damaged file.
pub fn deep() -> Result<(Dbm<f32>, dbm::Settings)> {
    let archive = deep_archive()?;
    Ok((Dbm::from_archive(&archive)?, settings(&archive)?))
}

/// The restricted machine, and the settings of its training.
///
/// **Errors** as [`deep`].
pub fn restricted() -> Result<(Rbm<f32>, rbm::Settings)> {
    let archive = restricted_archive()?;
    Ok((Rbm::from_archive(&archive)?, settings(&archive)?))
}

fn settings<T: DeserializeOwned>(archive: &Archive) -> Result<T> {
    settings_in(archive)?
        .ok_or_else(|| Error::malformed(archive.place(), 8, "the metadata have no settings of the training"))
}
