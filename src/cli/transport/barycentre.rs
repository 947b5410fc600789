//! `equilibria transport barycentre`: the barycentre of grey pictures.

use super::super::output::{OutputArguments, write_output};
use super::sides::{NOTHING_KEPT, number};
use crate::data::GreyPicture;
use crate::report::ContactSheet;
use crate::run::interrupt::{self, Work};
use crate::transport::{Grid, barycentre};
use crate::{Error, Result};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// The largest number of iterations.
const MOST_ITERATIONS: usize = 10_000;

/// Compute the Wasserstein barycentre of grey pictures of one size: the distribution over pixels with the smallest weighted
/// mean of squared distances to all.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  equilibria transport barycentre a.png b.png c.png --weights 1,1,2 --out mean.png\n\n\
    The picture has the inputs and, on the right, their barycentre. White is mass; every input counts as a distribution, \
    whatever its brightness."
)]
pub(in crate::cli) struct BarycentreCommand {
    /// Grey PNG or JPEG files.
    #[arg(required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    /// A weight for each file [default: equal].
    #[arg(long, value_delimiter = ',')]
    weights: Option<Vec<f64>>,
    /// Strength of the entropy, in squared pixels. Less is sharper and takes longer.
    #[arg(long, default_value = "1")]
    epsilon: f64,
    /// Change of the masses in an iteration, of a sum of 1, at which it stops.
    #[arg(long, default_value = "0.0001")]
    tolerance: f64,
    /// Black is mass.
    #[arg(long)]
    invert: bool,
    /// The picture to write (PNG).
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    common: OutputArguments,
}

#[derive(Serialize)]
struct BarycentreSummary {
    iterations: usize,
    change: f64,
    converged: bool,
    picture: String,
}

impl BarycentreCommand {
    pub(super) fn run(self) -> Result<()> {
        let mut progress = self.common.start()?;
        let pictures = self.read()?;
        let size = pictures[0].size;
        let weights = self.weights.clone().unwrap_or_else(|| vec![1.0; pictures.len()]);
        let histograms: Vec<&[f64]> = pictures.iter().map(|picture| &picture.values[..]).collect();
        let grid = Grid::new(&size, &[1.0, 1.0])?;
        interrupt::install(Work::Unsaved)?;
        progress.start(0, "");
        let mut watch = |iterations: usize, change: f64| {
            progress.message(&format!("iteration {iterations}, change {}", number(change)));
            progress.advance(1);
            !interrupt::requested()
        };
        let stop = (self.tolerance, MOST_ITERATIONS);
        let found = barycentre(&grid, &histograms, &weights, self.epsilon, stop, &mut watch)?;
        progress.finish("");
        if !found.converged && interrupt::requested() {
            return Err(Error::Interrupted { resume: NOTHING_KEPT.into() });
        }
        let mut sheet = ContactSheet::new(size[0], size[1]).magnify((96 / size[1]).clamp(1, 4));
        let brightest = found.masses.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let of_found: Vec<f64> = found.masses.iter().map(|mass| mass / brightest).collect();
        for values in histograms.iter().copied().chain([&of_found[..]]) {
            let tones = values.iter().map(|&x| if self.invert { 1.0 - x } else { x } as f32);
            sheet.push(&tones.collect::<Vec<f32>>())?;
        }
        let mut labels: Vec<String> =
            weights.iter().map(|weight| format!("weight {}", number(*weight))).collect();
        labels.push("barycentre".into());
        write_output(&self.out, &sheet.column_labels(&labels).to_png()?)?;
        let summary = BarycentreSummary {
            iterations: found.iterations,
            change: found.change,
            converged: found.converged,
            picture: self.out.display().to_string(),
        };
        self.common.print(&summary, |summary| {
            let state = if summary.converged { "converged" } else { "not converged" };
            format!("{state} in {} iterations\nwrote {}\n", summary.iterations, summary.picture)
        })
    }

    /// The pictures, all of the size of the first.
    fn read(&self) -> Result<Vec<GreyPicture>> {
        let mut pictures: Vec<GreyPicture> = Vec::new();
        for path in &self.files {
            let picture = GreyPicture::read(path)?
                .ok_or_else(|| Error::invalid(path.display(), "a grey PNG or JPEG picture is needed"))?;
            if let Some(first) = pictures.first().filter(|first| first.size != picture.size) {
                let ([h, w], [height, width]) = (picture.size, first.size);
                let expected = format!("the picture has {h}x{w} pixels, the first one {height}x{width}");
                return Err(Error::invalid(path.display(), expected));
            }
            pictures.push(picture.toned(self.invert));
        }
        Ok(pictures)
    }
}
