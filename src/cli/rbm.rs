//! `equilibria rbm ...`: one file per command.

mod evaluate;
mod filters;
pub(super) mod reconstruct;
pub(super) mod sample;
mod sweep;
mod train;

use crate::boltzmann::Rbm;
use crate::data::{Binarisation, Digits};
use crate::run::rbm::{Settings, load_model};
use crate::run::{RunDirectory, write_atomically};
use crate::{Error, Result};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

/// Train and look into restricted Boltzmann machines.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Train(train::Train),
    Sample(sample::Sample),
    Reconstruct(reconstruct::Reconstruct),
    Filters(filters::Filters),
    Evaluate(evaluate::Evaluate),
    Sweep(sweep::Sweep),
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Train(command) => command.run(),
            Self::Sample(command) => command.run(),
            Self::Reconstruct(command) => command.run(),
            Self::Filters(command) => command.run(),
            Self::Evaluate(command) => command.run(),
            Self::Sweep(command) => command.run(),
        }
    }
}

/// A trained machine, and the images to look at it with.
#[derive(Debug, Args)]
struct ModelArguments {
    /// A run directory or a safetensors file.
    model: PathBuf,
    /// `synthetic` or a folder with MNIST's four files [default: what the model was trained on, else synthetic].
    #[arg(long)]
    data: Option<String>,
    /// Seed of all random numbers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
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
        let model = load_model(&self.model)?;
        let mut settings = match RunDirectory::config_of(&self.model) {
            Some(read) => read?,
            None => Settings::default(),
        };
        if let Some(data) = &self.data {
            settings.data.clone_from(data);
        }
        Ok((model, settings))
    }

    /// The data, all of it, checked against the machine's size.
    fn digits(&self, model: &Rbm<f32>, settings: &Settings) -> Result<Digits> {
        self.first_digits(model, settings, None)
    }

    /// As [`ModelArguments::digits`], of the first training images alone.
    fn first_digits(&self, model: &Rbm<f32>, settings: &Settings, images: Option<usize>) -> Result<Digits> {
        let digits = Digits::load(&settings.data, images)?;
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

    /// `name` beside the model.
    fn beside(&self, name: &str) -> PathBuf {
        let folder =
            if self.model.is_dir() { &*self.model } else { self.model.parent().unwrap_or(Path::new("")) };
        folder.join(name)
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
fn absolute(data: &str) -> Result<String> {
    if data == "synthetic" {
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
