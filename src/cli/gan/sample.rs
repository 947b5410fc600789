//! `equilibria gan sample`.

use crate::adversarial::fill_latents;
use crate::cli::machine::{beside, write_output};
use crate::cli::{counted, path_as_text, print, print_json, thousands, use_threads};
use crate::data::Images;
use crate::report::ContactSheet;
use crate::rng::Stream;
use crate::run::gan::{Generator, PICTURED};
use crate::{Error, Result};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Draw what a trained generator makes of random latents, as one contact sheet.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria gan sample runs/gan --count 64\n  \
    equilibria gan sample runs/gan --interpolate 8 --count 10\n  \
    equilibria gan sample runs/gan --training\n\n\
    Between two latents the way leads over the sphere, so that every latent on it is as long as those of training.")]
pub(in crate::cli) struct Sample {
    /// A run directory or a safetensors file.
    model: PathBuf,
    /// Samples to draw; with --interpolate, ways from one to another.
    #[arg(long, default_value_t = 100, conflicts_with = "training")]
    count: usize,
    /// Draw ways from one latent to another, each in so many images.
    #[arg(long, value_name = "IMAGES", num_args = 0..=1, default_missing_value = "10", conflicts_with = "training")]
    interpolate: Option<usize>,
    /// Draw how the samples of ten latents changed in training.
    #[arg(long)]
    training: bool,
    /// Seed of the latents.
    #[arg(long, default_value_t = 1, conflicts_with = "training")]
    seed: u64,
    /// The picture to write [default: samples.png, interpolation.png or training.png beside the model].
    #[arg(long)]
    out: Option<PathBuf>,
    /// Threads to use [default: all].
    #[arg(long)]
    threads: Option<usize>,
    /// Print the summary as JSON on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Summary {
    #[serde(serialize_with = "path_as_text")]
    picture: PathBuf,
    images: usize,
    latent: usize,
    /// Steps of the generator in training.
    steps: u64,
    /// Whether parameters are averages over training.
    averaged: bool,
}

/// More make a picture that nobody looks at.
const MOST: usize = 2_500;

impl Sample {
    pub(in crate::cli) fn run(self) -> Result<()> {
        let (least, most) = (if self.interpolate.is_some() { 2 } else { 1 }, self.interpolate.unwrap_or(1));
        if self.count == 0 {
            return Err(Error::invalid("--count 0", "at least 1 can be drawn"));
        }
        if let Some(images) = self.interpolate.filter(|&images| images < least) {
            return Err(Error::invalid(
                format!("--interpolate {images}"),
                "a way has at least 2 images, its ends",
            ));
        }
        if self.count.checked_mul(most).is_none_or(|images| images > MOST) {
            let expected = format!("at most {} images fit a sheet", thousands(MOST));
            return Err(Error::invalid(format!("--count {}", self.count), expected));
        }
        use_threads(self.threads)?;
        let (generator, _) = Generator::load(&self.model)?;
        let (name, images, png) = if self.training {
            let (moments, images) = generator.history();
            ("training.png", images.clone(), training_sheet(&moments, images)?)
        } else if let Some(length) = self.interpolate {
            let images = self.ways(&generator, length)?;
            let title = format!("From latent to latent, {}", trained(&generator));
            let sheet = sheet_of(&images, length, &title)?;
            ("interpolation.png", images, sheet.to_png()?)
        } else {
            let images = generator.samples(self.count, Stream::named(self.seed, "evaluate"))?;
            let title = format!("{}, {}", counted(self.count, "sample"), trained(&generator));
            let columns = (self.count as f64).sqrt().ceil() as usize;
            let sheet = sheet_of(&images, columns.max(1), &title)?;
            ("samples.png", images, sheet.to_png()?)
        };
        let picture = self.out.clone().unwrap_or_else(|| beside(&self.model).join(name));
        write_output(&picture, &png)?;
        let summary = Summary {
            picture,
            images: images.len(),
            latent: generator.latent(),
            steps: generator.steps(),
            averaged: generator.is_average(),
        };
        if self.json {
            return print_json(&summary);
        }
        print(&format!("{}; wrote {}\n", counted(summary.images, "image"), summary.picture.display()))
    }

    /// (ways, length) images.
    fn ways(&self, generator: &Generator, length: usize) -> Result<Images> {
        let width = generator.latent();
        let mut ends = vec![0.0; 2 * self.count * width];
        fill_latents(Stream::named(self.seed, "evaluate"), width, &mut ends);
        let mut latents = Vec::with_capacity(self.count * length * width);
        for pair in ends.chunks_exact(2 * width) {
            let (from, to) = pair.split_at(width);
            (0..length).for_each(|i| latents.extend(between(from, to, i as f64 / (length - 1) as f64)));
        }
        generator.images_of(&latents)
    }
}

/// The point at a share of the way from one latent to another on the sphere, or on the line where that has no direction.
///
/// **Source** Shoemake 1985; White 2016 for latents.
fn between(from: &[f32], to: &[f32], share: f64) -> Vec<f32> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
    let lengths = dot(from, from).sqrt() * dot(to, to).sqrt();
    let angle = (dot(from, to) / lengths).clamp(-1.0, 1.0).acos();
    let weights = match angle.sin() {
        sine if sine > 1e-6 => [((1.0 - share) * angle).sin() / sine, (share * angle).sin() / sine],
        _ => [1.0 - share, share],
    };
    from.iter()
        .zip(to)
        .map(|(&x, &y)| (weights[0] * f64::from(x) + weights[1] * f64::from(y)) as f32)
        .collect()
}

fn trained(generator: &Generator) -> String {
    let average = if generator.is_average() { ", averaged" } else { "" };
    format!("after {} of the generator{average}", counted(generator.steps() as usize, "step"))
}

fn sheet_of(images: &Images, columns: usize, title: &str) -> Result<ContactSheet> {
    let mut sheet =
        ContactSheet::new(images.height(), images.width()).title(title).columns(columns).magnify(2);
    (0..images.len()).try_for_each(|index| sheet.push_u8(images.image(index)))?;
    // The grid is rectangular.
    (images.len()..images.len().next_multiple_of(columns)).for_each(|_| sheet.push_blank());
    Ok(sheet)
}

/// A row a moment of training, a column a latent.
fn training_sheet(moments: &[usize], images: &Images) -> Result<Vec<u8>> {
    let labels: Vec<String> = moments.iter().map(|&moment| counted(moment, "step")).collect();
    let sheet = sheet_of(images, PICTURED, "What became of ten latents in training")?;
    sheet.row_labels(&labels).to_png()
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn ways_lead_over_the_sphere_from_end_to_end() {
        let (from, to) = ([2.0_f32, 0.0], [0.0_f32, 2.0]);
        assert_eq!(between(&from, &to, 0.0), from);
        let half = between(&from, &to, 0.5);
        assert!((half[0] - 2.0_f32.sqrt()).abs() < 1e-6 && half[0] == half[1], "{half:?}");
        assert!(between(&from, &to, 1.0).iter().zip(to).all(|(x, y)| (x - y).abs() < 1e-6));
        // Ends in one direction, or in opposite ones.
        assert_eq!(between(&from, &from, 0.3), from);
        assert!(between(&from, &[-2.0, 0.0], 0.5).iter().all(|x| x.is_finite()));
    }
}
