//! `equilibria rbm reconstruct` and `equilibria dbm reconstruct`.

use super::machine::{ImageArguments, MachineKind, ModelArguments, write_output};
use super::output::check_range;
use crate::boltzmann::reconstruct::Effort;
use crate::evaluate::reconstruction::{Cell, Task, positions, remove_rows, sweep};
use crate::report::{ContactSheet, HeatMap};
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

/// Numbers of removed rows in a sweep, of images of 28 rows.
const SWEPT_ROWS: [usize; 8] = [1, 2, 3, 5, 7, 9, 11, 14];

/// The number of rows of an image of `height` rows that `rows` are of one of 28; at least 1.
pub(super) fn scaled(rows: usize, height: usize) -> usize {
    ((rows * height + 14) / 28).max(1)
}

/// Numbers of removed rows in a sweep of images of `height` rows, rising, and the rows between two positions.
pub(super) fn swept(height: usize) -> (Vec<usize>, usize) {
    let mut rows: Vec<usize> = SWEPT_ROWS.map(|rows| scaled(rows, height)).into();
    rows.dedup();
    (rows, scaled(2, height))
}
/// Images on the sheet.
const SHOWN: usize = 10;

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

/// The middle quarter of the rows of an image: seven of 28.
pub(super) fn middle_quarter(height: usize) -> Range<usize> {
    let count = height.div_ceil(4);
    let first = (height - count).div_ceil(2);
    first..first + count
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

/// A sheet with a row for each image: original, damaged, restored. Narrow enough for a phone.
pub(super) fn sheet(
    hidden: &str,
    task: &Task<'_>,
    filled: &[f32],
    removed: &Range<usize>,
) -> Result<ContactSheet> {
    let size = task.height * task.width;
    let title = format!("Rows {} to {} removed, {hidden} hidden units", removed.start, removed.end - 1);
    let mut sheet = ContactSheet::new(task.height, task.width)
        .title(title)
        .column_labels(&["original", "damaged", "restored"])
        .mark_label("removed rows");
    for (image, filled) in task.images.chunks_exact(size).zip(filled.chunks_exact(size)).take(SHOWN) {
        let mut damaged = image.to_vec();
        damaged[removed.start * task.width..removed.end * task.width].fill(f32::NAN);
        sheet.push(image)?;
        sheet.push_marked(&damaged, removed.clone())?;
        sheet.push(filled)?;
    }
    Ok(sheet)
}

/// The error against the number of removed rows (vertical) and the first of them (horizontal). Maps to compare have the same
/// `range`.
pub(super) fn heat_map(title: &str, cells: &[Cell], range: Option<(f64, f64)>) -> HeatMap {
    let mut rows: Vec<usize> = cells.iter().map(|cell| cell.rows).collect();
    let mut firsts: Vec<usize> = cells.iter().map(|cell| cell.first_row).collect();
    rows.sort_unstable();
    rows.dedup();
    firsts.sort_unstable();
    firsts.dedup();
    let value = |&rows: &usize, &first: &usize| {
        let cell = cells.iter().find(|cell| (cell.rows, cell.first_row) == (rows, first));
        cell.map_or(f64::NAN, |cell| cell.mean_squared_error)
    };
    HeatMap {
        title: title.into(),
        x_label: "first removed row (0 = top)".into(),
        y_label: "rows removed".into(),
        x_ticks: firsts.iter().map(ToString::to_string).collect(),
        y_ticks: rows.iter().map(ToString::to_string).collect(),
        values: rows.iter().flat_map(|rows| firsts.iter().map(move |first| value(rows, first))).collect(),
        unit: "mean squared error per removed pixel".into(),
        range,
    }
}
