//! Removed rows of pixels: which to remove, and the sheets and heat maps of what a machine fills in.

use crate::data::{Binarisation, Dataset};
use crate::evaluate::reconstruction::{Cell, Task};
use crate::report::{ContactSheet, HeatMap};
use crate::{Error, Result};
use std::ops::Range;

/// Numbers of removed rows in a sweep, of images of 28 rows.
const SWEPT_ROWS: [usize; 8] = [1, 2, 3, 5, 7, 9, 11, 14];

/// The number of rows of an image of `height` rows that `rows` are of one of 28; at least 1.
pub(crate) fn scaled(rows: usize, height: usize) -> usize {
    ((rows * height + 14) / 28).max(1)
}

/// Numbers of removed rows in a sweep of images of `height` rows, rising, and the rows between two positions.
pub(crate) fn swept(height: usize) -> (Vec<usize>, usize) {
    let mut rows: Vec<usize> = SWEPT_ROWS.map(|rows| scaled(rows, height)).into();
    rows.dedup();
    (rows, scaled(2, height))
}

/// Images on the sheet.
const SHOWN: usize = 10;

/// The middle quarter of the rows of an image: seven of 28.
pub(crate) fn middle_quarter(height: usize) -> Range<usize> {
    let count = height.div_ceil(4);
    let first = (height - count).div_ceil(2);
    first..first + count
}

/// A sheet with a row for each image: original, damaged, restored. Narrow enough for a phone.
pub(crate) fn sheet(
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
pub(crate) fn heat_map(title: &str, cells: &[Cell], range: Option<(f64, f64)>) -> HeatMap {
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

/// Test images with these indices, each pixel 0 or 1.
pub(crate) fn test_images(
    digits: &Dataset,
    indices: &[usize],
    binarise: Binarisation,
    seed: u64,
) -> Result<Vec<f32>> {
    let images = digits.test.images();
    if let Some(index) = indices.iter().find(|&&index| index >= images.len()) {
        let expected = format!("the test images are 0 to {}", images.len().saturating_sub(1));
        return Err(Error::invalid(format!("test:{index}"), expected));
    }
    binarise.states(images, indices, seed)
}
