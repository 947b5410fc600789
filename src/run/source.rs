//! Where a run's images and a model's settings come from.

use super::RunDirectory;
use crate::checkpoint::Archive;
use crate::data::{Digits, Images};
use crate::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// What data are called that come with the program.
const BUILT_IN: &str = "synthetic";

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

/// The name of the data that a machine learned from, which its settings call `learned`, if `digits` are others: one of
/// the two is built in and the other is not.
pub(super) fn trained_on(learned: &str, digits: &Digits) -> Option<String> {
    ((learned == BUILT_IN) != (digits.name == BUILT_IN)).then(|| name_of(learned))
}

/// The last part of the data's path.
fn name_of(data: &str) -> String {
    let name = Path::new(data).file_name();
    name.map_or_else(|| "data".into(), |name| name.to_string_lossy().into_owned())
}

/// Metadata of a model that hold its settings.
pub(super) const CONFIGURATION: &str = "configuration";

/// Metadata of a model that hold the height and the width of the images that it learned from, in pixels.
const SIZE: [&str; 2] = ["image_height", "image_width"];

/// A machine as its file has it.
#[derive(Debug, Clone)]
pub struct SavedModel<M, S> {
    /// The machine.
    pub model: M,
    /// The settings of its run directory, or else those in the file's metadata, which name the data but not its place.
    /// `None` if there are neither.
    pub settings: Option<S>,
    /// Height and width of the images that it learned from, by the file's metadata `image_height` and `image_width`. Files
    /// of earlier versions and of other programs do not have them.
    pub image_size: Option<[usize; 2]>,
}

/// Puts the height and the width of `images` into a model's metadata.
pub(super) fn describe_size(archive: &mut Archive, images: &Images) {
    for (key, size) in SIZE.into_iter().zip([images.height(), images.width()]) {
        archive.set_metadata(key, &size.to_string());
    }
}

/// The height and the width in a model's metadata, if they are there.
///
/// **Errors** [`Error::Malformed`] if they are not those of images of `pixels` pixels.
pub(super) fn size_in(archive: &Archive, pixels: usize) -> Result<Option<[usize; 2]>> {
    let texts = SIZE.map(|key| archive.metadata(key));
    if texts == [None, None] {
        return Ok(None);
    }
    let [height, width] = texts.map(|text| text.and_then(|text| text.parse::<usize>().ok()));
    let size = height.zip(width).filter(|(height, width)| height.checked_mul(*width) == Some(pixels));
    let (height, width) = size.ok_or_else(|| {
        let [height, width] = texts.map(|text| text.unwrap_or("missing"));
        let problem = format!(
            "metadata `{}` and `{}` are {height} and {width}, which are no image of {pixels} pixels",
            SIZE[0], SIZE[1]
        );
        Error::malformed(archive.place(), 8, problem)
    })?;
    Ok(Some([height, width]))
}

/// Settings of a training run, of any kind of machine.
pub(super) trait Trained: Serialize + DeserializeOwned {
    /// `synthetic`, or the folder that holds the data.
    fn data(&mut self) -> &mut String;
}

/// Puts the settings that a model was trained with into its metadata. Of the data they keep the name: where these lay
/// says nothing about the model.
pub(super) fn describe(archive: &mut Archive, mut settings: impl Trained) -> Result<()> {
    let data = settings.data();
    *data = name_of(data);
    let text = toml::to_string(&settings).map_err(|reason| Error::invalid("settings", reason))?;
    archive.set_metadata(CONFIGURATION, &text);
    Ok(())
}

/// The settings that a model was trained with: those of its run directory, or else those in the file's metadata, which
/// name the data but not its place; `None` if there are neither.
pub(super) fn settings_of<T: DeserializeOwned>(path: &Path, archive: &Archive) -> Result<Option<T>> {
    match RunDirectory::config_of(path) {
        Some(settings) => settings.map(Some),
        None => settings_in(archive),
    }
}

/// Copies the size of the images and the settings of the model at `path` into the metadata of `copy`. Settings in its own
/// metadata come before those of its run directory.
pub(super) fn copy_description<T: Trained>(path: &Path, archive: &Archive, copy: &mut Archive) -> Result<()> {
    for key in SIZE {
        archive.metadata(key).into_iter().for_each(|size| copy.set_metadata(key, size));
    }
    // The file's own first: they have the name that the data gave itself.
    let settings = match settings_in::<T>(archive)? {
        Some(settings) => Some(settings),
        None => RunDirectory::config_of(path).transpose()?,
    };
    settings.map_or(Ok(()), |settings| describe(copy, settings))
}

/// The settings in a model's metadata, if it has any.
pub(super) fn settings_in<T: DeserializeOwned>(archive: &Archive) -> Result<Option<T>> {
    let settings = archive.metadata(CONFIGURATION).map(|text| {
        let malformed = |reason: &dyn std::fmt::Display| {
            Error::malformed(archive.place(), 8, format!("metadata `{CONFIGURATION}`: {reason}"))
        };
        toml::from_str(text).map_err(|reason| malformed(&reason.message()))
    });
    settings.transpose()
}
