//! `equilibria rbm ...`: one file per command.

mod evaluate;
mod filters;
mod literature;
pub(super) mod mixing;
pub(super) mod reconstruct;
pub(super) mod sample;
mod sweep;
mod train;

use crate::boltzmann::Rbm;
use crate::data::{Binarisation, Digits};
use crate::run::rbm::{Settings, load_model_and_settings};
use crate::run::write_atomically;
use crate::{Error, Result};
use clap::{Args, Subcommand};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Train and look into restricted Boltzmann machines.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Train(train::Train),
    Sample(sample::Sample),
    Reconstruct(reconstruct::Reconstruct),
    Filters(filters::Filters),
    Evaluate(evaluate::Evaluate),
    Mixing(mixing::Mixing),
    Sweep(sweep::Sweep),
    ReproduceLiterature(literature::ReproduceLiterature),
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Train(command) => command.run(),
            Self::Sample(command) => command.run(),
            Self::Reconstruct(command) => command.run(),
            Self::Filters(command) => command.run(),
            Self::Evaluate(command) => command.run(),
            Self::Mixing(command) => command.run(),
            Self::Sweep(command) => command.run(),
            Self::ReproduceLiterature(command) => command.run(),
        }
    }
}

/// A trained machine to look at.
#[derive(Debug, Args)]
struct ModelArguments {
    /// A run directory or a safetensors file.
    model: PathBuf,
    /// Threads to use [default: all].
    #[arg(long)]
    threads: Option<usize>,
    /// Print the summary as JSON on standard output.
    #[arg(long)]
    json: bool,
}

impl ModelArguments {
    /// The machine and the settings it was trained with, where they are known.
    fn load(&self) -> Result<(Rbm<f32>, Settings)> {
        super::use_threads(self.threads)?;
        load(&self.model)
    }

    /// `name` beside the model.
    fn beside(&self, name: &str) -> PathBuf {
        beside(&self.model, name)
    }
}

/// The machine and the settings it was trained with, where they are known.
fn load(model: &Path) -> Result<(Rbm<f32>, Settings)> {
    let (machine, settings) = load_model_and_settings(model)?;
    let settings = settings.unwrap_or_else(|| {
        // A closed standard error is no reason to fail.
        let _ = writeln!(
            std::io::stderr(),
            "note: {} does not say how it was trained; images are taken as they are, on above 127",
            model.display()
        );
        Settings::default()
    });
    Ok((machine, settings))
}

/// `name` beside the model: in its run directory, or in its file's folder.
fn beside(model: &Path, name: &str) -> PathBuf {
    let folder = if model.is_dir() { model } else { model.parent().unwrap_or(Path::new("")) };
    folder.join(name)
}

/// The images to look at a machine with, and the chance in it.
#[derive(Debug, Args)]
struct ImageArguments {
    /// `synthetic` or a folder with MNIST's four files [default: what the model was trained on, else synthetic].
    #[arg(long)]
    data: Option<String>,
    /// Seed of all random numbers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Show no progress.
    #[arg(long, short)]
    quiet: bool,
}

impl ImageArguments {
    /// The data, checked against the machine's size.
    fn load(&self, model: &Rbm<f32>, settings: &Settings) -> Result<Digits> {
        let digits = match &self.data {
            // As many as the machine has seen, if these are the images that it learned from.
            Some(data) if (data == "synthetic") == (settings.data == "synthetic") => {
                settings.load_from(data, settings.images)?
            }
            Some(data) => settings.load_from(data, None)?,
            // Their mean is that of the images which the machine has seen.
            None => settings.load()?,
        };
        let pixels = digits.test.images().pixels_per_image();
        if pixels != model.visible() {
            return Err(Error::ShapeMismatch {
                operation: "pixels of an image and visible units of the model",
                expected: vec![model.visible()],
                found: vec![pixels],
            });
        }
        Ok(digits)
    }

    /// As [`ImageArguments::load`], of images that can be shown.
    fn digits(&self, model: &Rbm<f32>, settings: &Settings) -> Result<Digits> {
        let digits = self.load(model, settings)?;
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
fn parse<T: std::str::FromStr<Err = Error>>(text: &str) -> std::result::Result<T, String> {
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
fn create_folder_of(path: &Path) -> Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => std::fs::create_dir_all(folder).map_err(|error| Error::io("creating", folder, error)),
        None => Ok(()),
    }
}
