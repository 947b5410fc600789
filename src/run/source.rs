//! The images of a run, and the metadata of a model that describe them.

use super::settings::RunSettings;
use super::{RunDirectory, locate_model, read_archive};
use crate::boltzmann::reconstruct::Machine;
use crate::checkpoint::Archive;
use crate::checkpoint::image_shape::{SIZE, size_in};
use crate::data::{Dataset, Reading, is_built_in};
use crate::{Error, Result};
use clap::builder::{OsStringValueParser, TypedValueParser};
use serde::de::DeserializeOwned;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Metadata of a model: the settings of its run.
const CONFIGURATION: &str = "configuration";

/// The images that the settings of a run name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// A source of images: see [`Dataset::load_any`].
    pub data: &'a str,
    /// Number of training images to use; all if `None`.
    pub images: Option<usize>,
    /// Swaps background and ink.
    pub invert: bool,
    /// Options of reading files.
    pub reading: &'a Reading,
}

impl Source<'_> {
    /// Loads grey images.
    ///
    /// **Errors** as [`Dataset::load`].
    pub fn load(self) -> Result<Dataset> {
        self.load_any(None)?.grey()
    }

    /// Loads images of one class, grey or in colour. Warnings and notes go to standard error.
    ///
    /// **Errors** as [`Dataset::load_any`].
    pub fn load_any(self, class: Option<&str>) -> Result<Dataset> {
        let (mut digits, notes) = Dataset::load_with(path_of(self.data), class, self.images, self.reading)?;
        notes.iter().for_each(|note| super::progress::print_above_bar(note));
        if self.invert {
            digits.invert();
        }
        super::record::remember(&digits);
        Ok(digits)
    }
}

/// Parses a source of data as [`absolute`] does.
pub(crate) fn absolute_source() -> impl TypedValueParser<Value = String> {
    OsStringValueParser::new().try_map(absolute)
}

/// Parses a source of data: the path as text.
pub(crate) fn source() -> impl TypedValueParser<Value = String> {
    OsStringValueParser::new().map(|data| text_of(data.into()))
}

/// The full path of a folder of data as text, so that a run can be resumed from another working folder.
pub(crate) fn absolute(data: impl Into<OsString>) -> Result<String> {
    let data = data.into();
    // An empty path has no full path; loading reports it.
    if data.is_empty() || data.to_str().is_some_and(|data| is_built_in(data) || data.starts_with(ESCAPED)) {
        return Ok(text_of(data.into()));
    }
    let path = std::path::absolute(&data).map_err(|error| Error::io("finding", &data, error))?;
    Ok(text_of(path))
}

/// The beginning of a path that is no text, as bytes after percent signs.
const ESCAPED: &str = "file://";

/// A path as text: as it is, or as a `file://` address with percent signs if it is not UTF-8.
fn text_of(path: PathBuf) -> String {
    match path.into_os_string().into_string() {
        Ok(text) => text,
        Err(path) => {
            let byte = |&byte: &u8| match byte {
                b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                    char::from(byte).to_string()
                }
                _ => format!("%{byte:02X}"),
            };
            path.as_encoded_bytes().iter().map(byte).fold(ESCAPED.to_string(), |text, part| text + &part)
        }
    }
}

/// The path that [`text_of`] wrote.
fn path_of(text: &str) -> PathBuf {
    let Some(escaped) = text.strip_prefix(ESCAPED) else { return text.into() };
    let (mut bytes, mut rest) = (Vec::new(), escaped);
    while let Some((plain, code)) = rest.split_once('%') {
        bytes.extend(plain.as_bytes());
        let byte = code.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(byte.unwrap_or(b'%'));
        rest = if byte.is_some() { &code[2..] } else { code };
    }
    bytes.extend(rest.as_bytes());
    #[cfg(unix)]
    return PathBuf::from(<OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes));
    #[cfg(not(unix))]
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// The name of the training data `learned`, if `digits` are other data: exactly one of the two is built in.
pub(super) fn trained_on(learned: &str, digits: &Dataset) -> Option<String> {
    (is_built_in(learned) != is_built_in(&digits.name)).then(|| name_of(learned))
}

/// The last part of the path of the data; `./cats` for a folder with the name of built-in data.
fn name_of(data: &str) -> String {
    let name = Path::new(data).file_name();
    let name = name.map_or_else(|| "data".into(), |name| name.to_string_lossy().into_owned());
    if is_built_in(&name) && !is_built_in(data) { format!("./{name}") } else { name }
}

/// A model with what its file and its run directory say about it.
#[derive(Debug, Clone)]
pub struct SavedModel<M, S> {
    /// The model.
    pub model: M,
    /// The settings of its run directory, or else those in the file's metadata, which give the name of the data but not the
    /// folder. `None` if there are neither.
    pub settings: Option<S>,
    /// Height and width of the training images, from the metadata `image_height` and `image_width`, which files of earlier
    /// versions and of other programs do not have.
    pub image_size: Option<[usize; 2]>,
}

/// A kind of Boltzmann machine, as files contain it.
pub trait StoredMachine: Machine<f32> + Sized {
    /// The settings of training.
    type Settings: RunSettings;

    /// Reads a machine from an archive.
    ///
    /// **Errors** [`Error::Malformed`].
    fn from_archive(archive: &Archive) -> Result<Self>;

    /// The parameters as f32.
    ///
    /// **Errors** as [`Archive::insert_f32`].
    fn to_archive(&self) -> Result<Archive>;
}

/// Loads a Boltzmann machine from a run directory or a safetensors file.
///
/// **Errors** [`Error::NotFound`], [`Error::Malformed`], [`Error::Io`].
pub fn load<M: StoredMachine>(path: &Path) -> Result<SavedModel<M, M::Settings>> {
    let archive = read_archive(&locate_model(path)?)?;
    let model = M::from_archive(&archive)?;
    let image_size = size_in(&archive, model.visible())?;
    Ok(SavedModel { model, settings: settings_of(path, &archive)?, image_size })
}

/// Loads a Boltzmann machine as an archive of its parameters as f32, with the settings and the image size in the metadata if
/// they are known.
///
/// **Errors** as [`load`].
pub fn load_alone<M: StoredMachine>(path: &Path) -> Result<Archive> {
    let archive = read_archive(&locate_model(path)?)?;
    let mut alone = M::from_archive(&archive)?.to_archive()?;
    for key in SIZE {
        archive.metadata(key).into_iter().for_each(|size| alone.set_metadata(key, size));
    }
    copy_settings::<M::Settings>(path, &archive, &mut alone)?;
    Ok(alone)
}

/// Copies the settings of the model at `path` into the metadata of `copy`, if they are known: first those of its archive, which
/// have the name of the data.
pub(super) fn copy_settings<S: RunSettings>(
    path: &Path,
    archive: &Archive,
    copy: &mut Archive,
) -> Result<()> {
    let settings = match settings_in::<S>(archive)? {
        Some(settings) => Some(settings),
        None => RunDirectory::config_of(path).transpose()?,
    };
    settings.map_or(Ok(()), |settings| describe(copy, settings))
}

/// Puts the settings of a run into its model's metadata: the name of the data, not the folder.
pub(super) fn describe(archive: &mut Archive, mut settings: impl RunSettings) -> Result<()> {
    let data = settings.data_mut();
    *data = name_of(data);
    let text = toml::to_string(&settings).map_err(|reason| Error::invalid("settings", reason))?;
    archive.set_metadata(CONFIGURATION, &text);
    Ok(())
}

/// The settings of a model: see [`SavedModel::settings`].
pub(super) fn settings_of<T: DeserializeOwned>(path: &Path, archive: &Archive) -> Result<Option<T>> {
    match RunDirectory::config_of(path) {
        Some(settings) => settings.map(Some),
        None => settings_in(archive),
    }
}

/// The settings in a model's metadata, if there are any.
pub(super) fn settings_in<T: DeserializeOwned>(archive: &Archive) -> Result<Option<T>> {
    let read = |text: &str| {
        toml::from_str(text).and_then(toml::Table::try_into).map_err(|reason: toml::de::Error| {
            Error::malformed(archive.place(), 8, format!("metadata `{CONFIGURATION}`: {}", reason.message()))
        })
    };
    archive.metadata(CONFIGURATION).map(read).transpose()
}
