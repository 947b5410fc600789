//! `equilibria rbm reconstruct`.

use super::sample::Subject;
use super::{ImageArguments, ModelArguments, test_images, write_output};
use crate::boltzmann::reconstruct::{Effort, Machine};
use crate::cli::machine::picture_size;
use crate::cli::{print, print_json};
use crate::evaluate::reconstruction::{Cell, Task, positions, remove_rows, sweep};
use crate::report::{ContactSheet, HeatMap};
use crate::rng::Stream;
use crate::run::Progress;
use crate::{Error, Result};
use clap::Args;
use serde::Serialize;
use std::ops::Range;
use std::path::PathBuf;

/// Remove rows of pixels from test images and fill them in.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria rbm reconstruct runs/rbm --rows 10..16\n  \
    equilibria rbm reconstruct runs/rbm --sweep --images 200")]
pub(in crate::cli) struct Reconstruct {
    #[command(flatten)]
    reconstruction: Reconstruction,
}

impl Reconstruct {
    pub(in crate::cli) fn run(self) -> Result<()> {
        let removed = self.reconstruction.removed()?;
        let loaded = super::load(self.reconstruction.model.start()?)?;
        self.reconstruction.run(removed, &super::subject(&loaded), &loaded.model)
    }
}

/// What to fill in, by any kind of machine.
#[derive(Debug, Args)]
pub(in crate::cli) struct Reconstruction {
    #[command(flatten)]
    pub model: ModelArguments,
    #[command(flatten)]
    source: ImageArguments,
    /// Pixel rows to remove, counted from 0 at the top; both ends are removed [default: the middle quarter, 11..17 of 28].
    #[arg(long, value_name = "FIRST..LAST")]
    rows: Option<String>,
    /// Remove every number of rows from 1 to 14 at every second position, and draw the error as a heat map.
    #[arg(long)]
    sweep: bool,
    /// Test images, from the first.
    #[arg(long, default_value_t = 100)]
    images: usize,
    /// Where to write the picture [default: beside the model].
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Summary {
    #[serde(serialize_with = "crate::cli::path_as_text")]
    picture: PathBuf,
    images: usize,
    /// Pixel rows removed, and the error on their pixels.
    cells: Vec<Cell>,
}

/// Numbers of removed rows in a sweep.
pub(in crate::cli) const SWEPT_ROWS: [usize; 8] = [1, 2, 3, 5, 7, 9, 11, 14];
/// Rows between the positions of a sweep.
pub(in crate::cli) const STRIDE: usize = 2;
/// Images on the sheet.
const SHOWN: usize = 10;

impl Reconstruction {
    /// The rows to remove, if they are given.
    pub(in crate::cli) fn removed(&self) -> Result<Option<Range<usize>>> {
        self.rows.as_deref().map(parse_rows).transpose()
    }

    /// Fills in and reports.
    pub(in crate::cli) fn run(
        self,
        removed: Option<Range<usize>>,
        subject: &Subject<'_>,
        model: &impl Machine<f32>,
    ) -> Result<()> {
        let Subject { visible, image_size, .. } = *subject;
        let digits = self.source.load(visible, image_size, subject.source)?;
        let (height, width) = picture_size(image_size, Some(&digits), visible);
        if self.images == 0 || self.images > digits.test.len() {
            let expected = format!("1 to {} test images can be used", digits.test.len());
            return Err(Error::invalid(format!("--images {}", self.images), expected));
        }
        let indices: Vec<usize> = (0..self.images).collect();
        let images = test_images(&digits, &indices, subject.binarise, subject.seed)?;
        let mean_image = subject.binarise.mean(digits.train.images());
        let task =
            Task { images: &images, mean_image: &mean_image, height, width, effort: Effort::default() };
        let stream = Stream::named(self.source.seed, "evaluate");
        let (picture, cells) = if self.sweep {
            let mut progress = Progress::choose(self.source.quiet);
            progress.start(positions(height, &SWEPT_ROWS, STRIDE).len() as u64, "cells");
            let tick = || {
                progress.advance(1);
                Ok(())
            };
            let cells = sweep(model, &task, &SWEPT_ROWS, STRIDE, stream, tick)?;
            progress.finish("");
            let title = format!("Error of reconstructed rows, {} hidden units", subject.hidden);
            let picture = self.out.clone().unwrap_or_else(|| subject.folder.join("reconstruction.svg"));
            write_output(&picture, heat_map(&title, &cells, None).to_svg()?.as_bytes())?;
            (picture, cells)
        } else {
            let removed = removed.unwrap_or_else(|| middle_quarter(height));
            let (filled, cell) = remove_rows(model, &task, removed.clone(), stream)?;
            let picture = self.out.clone().unwrap_or_else(|| subject.folder.join("reconstruction.png"));
            write_output(&picture, &sheet(&subject.hidden, &task, &filled, &removed)?.to_png()?)?;
            (picture, vec![cell])
        };
        let summary = Summary { picture, images: self.images, cells };
        if self.model.json {
            return print_json(&summary);
        }
        print(&describe(&summary))
    }
}

/// The rows in the middle of an image, a quarter of them: seven of 28.
pub(in crate::cli) fn middle_quarter(height: usize) -> Range<usize> {
    let count = height.div_ceil(4);
    let first = (height - count).div_ceil(2);
    first..first + count
}

/// `10..16` as rows 10 to 16, both removed.
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

/// Original, damaged and reconstructed side by side, an image a row: narrow enough for a phone.
pub(in crate::cli) fn sheet(
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

/// The error over how many rows were removed (down) and where (across); `range` is shared by maps to compare.
pub(in crate::cli) fn heat_map(title: &str, cells: &[Cell], range: Option<(f64, f64)>) -> HeatMap {
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
