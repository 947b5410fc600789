//! Where a run's images and a model's settings come from.

use super::RunDirectory;
use crate::checkpoint::Archive;
use crate::data::Digits;
use crate::{Error, Result};
use serde::de::DeserializeOwned;
use std::path::Path;

/// The images of a run, as its settings name them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// `synthetic`, or the folder that holds the data.
    pub data: &'a str,
    /// Training images to use; all, if not given.
    pub images: Option<usize>,
    /// Whether background and ink are swapped.
    pub invert: bool,
}

impl Source<'_> {
    /// **Errors** as [`Digits::load`].
    pub fn load(self) -> Result<Digits> {
        let mut digits = Digits::load(self.data, self.images)?;
        if self.invert {
            digits.invert();
        }
        Ok(digits)
    }
}

/// Metadata of a model that hold its settings.
pub(super) const CONFIGURATION: &str = "configuration";

/// The settings that a model was trained with: those of its run directory, or else those in the file's metadata, which
/// name the data but not its place; `None` if there are neither.
pub(super) fn settings_of<T: DeserializeOwned>(path: &Path, archive: &Archive) -> Result<Option<T>> {
    if let Some(settings) = RunDirectory::config_of(path) {
        return settings.map(Some);
    }
    let settings = archive.metadata(CONFIGURATION).map(|text| {
        let malformed = |reason: &dyn std::fmt::Display| {
            Error::malformed(archive.place(), 8, format!("metadata `{CONFIGURATION}`: {reason}"))
        };
        toml::from_str(text).map_err(|reason| malformed(&reason.message()))
    });
    settings.transpose()
}
