//! `equilibria gan sample`.

use crate::adversarial::PICTURED;
use crate::adversarial::latent_paths;
use crate::cli::output::{OutputArguments, beside, counted, path_as_text, thousands, write_output};
use crate::data::Images;
use crate::report::ContactSheet;
use crate::rng::Stream;
use crate::run::gan;
use crate::run::image_files::ImageFiles;
use crate::{Error, Result};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Draw samples of a trained generator, as one contact sheet or as single pictures.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria gan sample runs/gan --count 64\n  \
    equilibria gan sample runs/gan --interpolate 8 --count 10\n  \
    equilibria gan sample runs/gan --training\n  \
    equilibria gan sample runs/gan --images samples --count 10000\n\n\
    Paths between two latents follow the sphere, so that every latent on them is as long as those of training.")]
pub(in crate::cli) struct Sample {
    /// A run directory or a safetensors file, such as the best.safetensors of a run.
    model: PathBuf,
    /// Samples to draw; with --interpolate, paths to draw.
    #[arg(long, default_value = "100", conflicts_with = "training")]
    count: usize,
    /// Draw paths from one latent to another, each with this number of images.
    #[arg(long, value_name = "IMAGES", num_args = 0..=1, default_missing_value = "10", conflicts_with = "training")]
    interpolate: Option<usize>,
    /// Draw the samples of ten latents at several steps of training.
    #[arg(long)]
    training: bool,
    /// Write the samples for other programs: as single pictures, 000000.png and so on, into a new or empty folder, or into a new
    /// file that ends with .npy or .idx.
    #[arg(long, value_name = "FOLDER_OR_FILE", conflicts_with_all = ["training", "interpolate", "out"])]
    images: Option<PathBuf>,
    /// Seed of the latents.
    #[arg(long, default_value = "1", conflicts_with = "training")]
    seed: u64,
    /// The picture to write [default: samples.png, interpolation.png or training.png beside the model].
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Serialize)]
struct Summary {
    /// The sheet, or the folder of single pictures.
    #[serde(serialize_with = "path_as_text")]
    picture: PathBuf,
    images: usize,
    latent: usize,
    /// Training steps of the generator, if they are known.
    steps: Option<u64>,
    /// True if the parameters are averages over training.
    averaged: bool,
}

/// The largest number of images on a sheet.
const MOST: usize = 2_500;
/// Images generated at once for single pictures.
const BLOCK: usize = 64;

impl Sample {
    pub(in crate::cli) fn run(self) -> Result<()> {
        if self.count == 0 {
            return Err(Error::invalid("--count 0", "at least 1 can be drawn"));
        }
        if let Some(images @ 0..2) = self.interpolate {
            let expected = "a path has at least 2 images, its ends";
            return Err(Error::invalid(format!("--interpolate {images}"), expected));
        }
        if let Some(folder) = &self.images {
            return self.write_images(folder);
        }
        let images = self.count.checked_mul(self.interpolate.unwrap_or(1));
        if images.is_none_or(|images| images > MOST) {
            let expected = format!("at most {} images fit a sheet", thousands(MOST));
            return Err(Error::invalid(format!("--count {}", self.count), expected));
        }
        self.output.start()?;
        let (generator, _) = gan::load(&self.model)?;
        let stream = Stream::named(self.seed, "evaluate");
        let average = if generator.is_average() { ", averaged" } else { "" };
        let trained = generator.steps().map_or_else(String::new, |steps| {
            format!(", after {} of the generator{average}", counted(steps as usize, "step"))
        });
        let (name, images, sheet) = if self.training {
            let (steps, images) = generator.history();
            if images.is_empty() {
                let expected =
                    "this file has no samples from training; only run directories and their models do";
                return Err(Error::invalid("--training", expected));
            }
            let labels: Vec<String> = steps.iter().map(|&steps| counted(steps as usize, "step")).collect();
            let sheet = sheet_of(images, PICTURED, "Samples of ten latents during training")?;
            ("training.png", images.clone(), sheet.row_labels(&labels))
        } else if let Some(length) = self.interpolate {
            let latents = latent_paths(stream, generator.latent(), self.count, length);
            let images = generator.images_of(&latents)?;
            let sheet = sheet_of(&images, length, &format!("Paths between latents{trained}"))?;
            ("interpolation.png", images, sheet)
        } else {
            let images = generator.samples(self.count, stream)?;
            let columns = (self.count as f64).sqrt().ceil() as usize;
            let sheet = sheet_of(&images, columns, &format!("{}{trained}", counted(self.count, "sample")))?;
            ("samples.png", images, sheet)
        };
        let picture = self.out.clone().unwrap_or_else(|| beside(&self.model).join(name));
        write_output(&picture, &sheet.to_png()?)?;
        let summary = Summary {
            picture,
            images: images.len(),
            latent: generator.latent(),
            steps: generator.steps(),
            averaged: generator.is_average(),
        };
        self.output.print(&summary, |Summary { images, picture, .. }| {
            format!("{}; wrote {}\n", counted(*images, "image"), picture.display())
        })
    }

    /// Writes the samples for other programs.
    fn write_images(&self, path: &Path) -> Result<()> {
        self.output.start()?;
        let (generator, _) = gan::load(&self.model)?;
        let files = ImageFiles::new(path)?;
        let stream = Stream::named(self.seed, "evaluate");
        let [height, width, channels] = generator.shape();
        let mut pixels = Vec::new();
        let size = self.count.checked_mul(height * width * channels);
        if size.is_none_or(|size| pixels.try_reserve_exact(size).is_err()) {
            let expected = "they do not fit into memory; take fewer";
            return Err(Error::invalid(format!("--count {}", self.count), expected));
        }
        for first in (0..self.count).step_by(BLOCK) {
            // Always a whole block: products of another size may round differently.
            let mut images = generator.samples_from(first as u64, BLOCK, stream)?;
            images.truncate(self.count - first);
            pixels.extend(images.pixels());
        }
        files.write(&Images::with_channels(height, width, channels, pixels)?)?;
        let summary = Summary {
            picture: path.to_owned(),
            images: self.count,
            latent: generator.latent(),
            steps: generator.steps(),
            averaged: generator.is_average(),
        };
        self.output.print(&summary, |Summary { images, picture, .. }| {
            format!("wrote {} to {}\n", counted(*images, "image"), picture.display())
        })
    }
}

fn sheet_of(images: &Images, columns: usize, title: &str) -> Result<ContactSheet> {
    let mut sheet =
        ContactSheet::new(images.height(), images.width()).title(title).columns(columns).magnify(2);
    (0..images.len()).try_for_each(|index| sheet.push_u8(images.image(index)))?;
    // Fill the last row.
    (images.len()..images.len().next_multiple_of(columns)).for_each(|_| sheet.push_blank());
    Ok(sheet)
}
