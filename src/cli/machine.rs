//! What commands that look at a trained machine have in common.

use crate::data::{Binarisation, Digits};
use crate::run::{Source, write_atomically};
use crate::{Error, Result};
use clap::Args;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// A trained machine to look at.
#[derive(Debug, Args)]
pub(super) struct ModelArguments {
    /// A run directory or a safetensors file.
    pub model: PathBuf,
    /// Threads to use [default: all].
    #[arg(long)]
    pub threads: Option<usize>,
    /// Print the summary as JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

impl ModelArguments {
    /// Sets the number of threads, and names the model to load.
    pub fn start(&self) -> Result<&Path> {
        super::use_threads(self.threads)?;
        Ok(&self.model)
    }

    /// `name` beside the model.
    pub fn beside(&self, name: &str) -> PathBuf {
        beside(&self.model, name)
    }
}

/// `name` beside the model: in its run directory, or in its file's folder.
pub(super) fn beside(model: &Path, name: &str) -> PathBuf {
    let folder = if model.is_dir() { model } else { model.parent().unwrap_or(Path::new("")) };
    folder.join(name)
}

/// The images to look at a machine with, and the chance in it.
#[derive(Debug, Args)]
pub(super) struct ImageArguments {
    /// `synthetic` or a folder with MNIST's four files [default: what the model was trained on, else synthetic].
    #[arg(long)]
    pub data: Option<String>,
    /// Seed of all random numbers.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Show no progress.
    #[arg(long, short)]
    pub quiet: bool,
}

impl ImageArguments {
    /// The data, checked against the number of the machine's visible units; `source` is what it was trained on.
    pub fn load(&self, visible: usize, source: Source<'_>) -> Result<Digits> {
        let digits = match &self.data {
            // As many as the machine has seen, if these are the images that it learned from.
            Some(data) if (data == "synthetic") == (source.data == "synthetic") => {
                Source { data, ..source }.load()?
            }
            Some(data) => Source { data, images: None, ..source }.load()?,
            // Their mean is that of the images which the machine has seen.
            None => source.load()?,
        };
        let pixels = digits.test.images().pixels_per_image();
        if pixels != visible {
            return Err(Error::ShapeMismatch {
                operation: "pixels of an image and visible units of the model",
                expected: vec![visible],
                found: vec![pixels],
            });
        }
        Ok(digits)
    }

    /// As [`ImageArguments::load`], of images that can be shown.
    pub fn digits(&self, visible: usize, source: Source<'_>) -> Result<Digits> {
        let digits = self.load(visible, source)?;
        let images = digits.test.images();
        // Of a model's images only the number of pixels is known: they are taken for squares.
        if images.height() != images.width() {
            let given = format!("images of {}x{} pixels", images.height(), images.width());
            return Err(Error::invalid(given, "only models of square images can be shown as pictures"));
        }
        Ok(digits)
    }
}

/// A value of an option; the error says what would be right, and the option's name is put before it.
pub(super) fn parse<T: std::str::FromStr<Err = Error>>(text: &str) -> std::result::Result<T, String> {
    text.parse().map_err(|error| match error {
        Error::InvalidArgument { expected, .. } => expected,
        error => error.to_string(),
    })
}

/// A folder's full path, so that a run resumes from anywhere.
pub(super) fn absolute(data: &str) -> Result<String> {
    // An empty path cannot be made absolute; loading says what is wrong with it.
    if data == "synthetic" || data.is_empty() {
        return Ok(data.into());
    }
    let path = std::path::absolute(data).map_err(|error| Error::io("finding", data, error))?;
    path.into_os_string().into_string().map_err(|_| Error::invalid("--data", "a path in UTF-8 is needed"))
}

/// Test images of these indices as the machine sees them.
pub(super) fn test_images(
    digits: &Digits,
    indices: &[usize],
    binarise: Binarisation,
    seed: u64,
) -> Result<Vec<f32>> {
    let images = digits.test.images();
    if let Some(index) = indices.iter().find(|&&index| index >= images.len()) {
        let expected = format!("the test images are 0 to {}", images.len().saturating_sub(1));
        return Err(Error::invalid(format!("test:{index}"), expected));
    }
    let fixed = if binarise == Binarisation::Sampled { binarise } else { Binarisation::Threshold };
    let mut out = vec![0.0; indices.len() * images.pixels_per_image()];
    fixed.fill(images, indices, crate::rng::Stream::named(seed, "binarise"), &mut out)?;
    Ok(out)
}

/// Writes a picture or page, its folder first.
pub(super) fn write_output(path: &Path, bytes: &[u8]) -> Result<()> {
    create_folder_of(path)?;
    write_atomically(path, bytes)
}

/// Makes the folder in which a file is to be.
pub(super) fn create_folder_of(path: &Path) -> Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => std::fs::create_dir_all(folder).map_err(|error| Error::io("creating", folder, error)),
        None => Ok(()),
    }
}

/// Says that a model's settings are guessed.
pub(super) fn note_defaults(model: &Path) {
    // A closed standard error is no reason to fail.
    let _ = writeln!(
        std::io::stderr(),
        "note: {} does not say how it was trained; images are taken as they are, on above 127",
        model.display()
    );
}
