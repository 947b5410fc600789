//! `equilibria rbm reconstruct` and `equilibria dbm reconstruct`.

use super::machine::{ImageArguments, MachineKind, ModelArguments, write_output};
use super::output::check_range;
use crate::boltzmann::reconstruct::Effort;
use crate::evaluate::reconstruction::{Cell, Task, positions, remove_rows, sweep};
use crate::experiments::reconstruction::{heat_map, middle_quarter, sheet, swept};
use crate::rng::Stream;
use crate::{Error, Result};
use clap::Args;
use serde::Serialize;
use std::ops::Range;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Reconstruct {
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    source: ImageArguments,
    /// Pixel rows to remove, both ends included, counted from 0 at the top [default: the middle quarter, 11..17 of 28].
    #[arg(long, value_name = "FIRST..LAST")]
    rows: Option<String>,
    /// Remove 1, 2, 3, 5, 7, 9, 11 and 14 of 28 rows at every second position, or as large parts of other heights, and draw a heat map of the error.
    #[arg(long)]
    sweep: bool,
    /// Test images, from the first [default: 100, or all if there are fewer].
    #[arg(long)]
    images: Option<usize>,
    /// The picture to write [default: reconstruction.png, or .svg with --sweep, beside the model].
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Summary {
    #[serde(serialize_with = "super::output::path_as_text")]
    picture: PathBuf,
    images: usize,
    /// For each block of removed rows, the error on its pixels.
    cells: Vec<Cell>,
}

impl Reconstruct {
    /// Fills rows in with a machine of kind `M`, writes the picture, and prints the errors.
    pub fn run<M: MachineKind>(self) -> Result<()> {
        let removed = self.rows.as_deref().map(parse_rows).transpose()?;
        let loaded = self.model.load::<M>()?;
        let (model, hidden) = (&loaded.model, loaded.model.hidden_sizes());
        let digits = loaded.digits(&self.source)?;
        let (height, width) = loaded.picture_size(Some(&digits));
        let count = self.images.unwrap_or(digits.test.len().min(100));
        check_range("--images", count, 1..=digits.test.len(), "test images can be used")?;
        let indices: Vec<usize> = (0..count).collect();
        let images = loaded.test_images(&digits, &indices)?;
        let mean_image = loaded.images().binarise.mean(digits.train.images());
        let task =
            Task { images: &images, mean_image: &mean_image, height, width, effort: Effort::default() };
        let stream = Stream::named(self.source.seed, "evaluate");
        let (picture, cells) = if self.sweep {
            let mut progress = self.model.output.progress();
            let (rows, stride) = swept(height);
            progress.start(positions(height, &rows, stride).len() as u64, "cells");
            let tick = || {
                progress.advance(1);
                Ok(())
            };
            let cells = sweep(model, &task, &rows, stride, stream, tick)?;
            progress.finish("");
            let title = format!("Error of reconstructed rows, {hidden} hidden units");
            let picture = self.out.clone().unwrap_or_else(|| loaded.folder.join("reconstruction.svg"));
            write_output(&picture, heat_map(&title, &cells, None).to_svg()?.as_bytes())?;
            (picture, cells)
        } else {
            let removed = removed.unwrap_or_else(|| middle_quarter(height));
            let (filled, cell) = remove_rows(model, &task, removed.clone(), stream)?;
            let picture = self.out.clone().unwrap_or_else(|| loaded.folder.join("reconstruction.png"));
            write_output(&picture, &sheet(&hidden, &task, &filled, &removed)?.to_png()?)?;
            (picture, vec![cell])
        };
        let summary = Summary { picture, images: count, cells };
        self.model.output.print(&summary, describe)
    }
}

/// Parses `10..16` as the rows 10 to 16, both included.
fn parse_rows(text: &str) -> Result<Range<usize>> {
    let parse = || {
        let (first, last) = text.split_once("..")?;
        let (first, last): (usize, usize) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first <= last && last < usize::MAX).then(|| first..last + 1)
    };
    let problem =
        || Error::invalid(format!("--rows {text}"), "write FIRST..LAST, such as 10..16, counted from 0");
    parse().ok_or_else(problem)
}

fn describe(summary: &Summary) -> String {
    let mut text = String::from("rows removed  first row  mean squared error  of the mean image\n");
    for cell in &summary.cells {
        text += &format!(
            "{:>12}  {:>9}  {:>18.4}  {:>17.4}\n",
            cell.rows, cell.first_row, cell.mean_squared_error, cell.baseline_mean_squared_error
        );
    }
    text + &format!("over {} test images; wrote {}\n", summary.images, summary.picture.display())
}
