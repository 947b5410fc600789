//! Generators in files, with the settings of their runs.

use super::Settings;
use crate::Result;
use crate::adversarial::Generator;
use crate::checkpoint::Archive;
use crate::run::{copy_settings, locate_model, read_archive, settings_of};
use std::path::Path;

/// Loads a generator from a run directory or a safetensors file, with the settings of its run if they are known.
///
/// **Errors** [`Error::NotFound`](crate::Error::NotFound), [`Error::Malformed`](crate::Error::Malformed),
/// [`Error::Io`](crate::Error::Io).
pub fn load(path: &Path) -> Result<(Generator, Option<Settings>)> {
    let archive = read_archive(&locate_model(path)?)?;
    Ok((Generator::from_archive(&archive)?, settings_of(path, &archive)?))
}

/// The generator of the file or run at `path` alone ([`Generator::to_archive`]), with the settings if they are known.
///
/// **Errors** As [`load`].
pub(crate) fn load_alone(path: &Path) -> Result<Archive> {
    let archive = read_archive(&locate_model(path)?)?;
    let mut alone = Generator::from_archive(&archive)?.to_archive()?;
    copy_settings::<Settings>(path, &archive, &mut alone)?;
    Ok(alone)
}
