//! Reconstruction of removed rows of pixels, and its mean squared error.

use crate::boltzmann::reconstruct::{Effort, Machine, reconstruct};
use crate::data::{check_states, check_unit_interval};
use crate::rng::Stream;
use crate::{Error, Result};
use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;

/// Images to reconstruct, the baseline to compare with, and the length of the chains.
///
/// ```
/// use equilibria::boltzmann::{Rbm, reconstruct::Effort};
/// use equilibria::{evaluate::reconstruction::{Task, remove_rows}, rng::Stream};
/// let (images, mean_image) = ([1.0, 0.0, 1.0, 0.0], [0.5; 4]);
/// let effort = Effort { burn_in: 1, average: 1 };
/// let task = Task { images: &images, mean_image: &mean_image, height: 2, width: 2, effort };
/// let model = Rbm::new(&mean_image, 3, Stream::named(1, "init"))?;
/// let (filled, cell) = remove_rows(&model, &task, 1..2, Stream::named(1, "chain"))?;
/// assert_eq!((&filled[..2], cell.baseline_mean_squared_error), (&images[..2], 0.25));
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// Images (rows, height x width), each pixel 0 or 1.
    pub images: &'a [f32],
    /// The mean of the training images (height x width): the baseline, a guess that uses no pixel of the image.
    pub mean_image: &'a [f32],
    /// Pixels in a column of an image.
    pub height: usize,
    /// Pixels in a row of an image.
    pub width: usize,
    /// Number of steps of the chains.
    pub effort: Effort,
}

/// The errors for one block of removed rows.
///
/// ```
/// use equilibria::evaluate::reconstruction::Cell;
/// let cell = Cell { rows: 4, first_row: 12, mean_squared_error: 0.1, baseline_mean_squared_error: 0.2 };
/// assert!(cell.is_central(28) && !cell.is_at_edge(28));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Cell {
    /// Number of removed rows.
    pub rows: usize,
    /// The first removed row, counted from 0 at the top.
    pub first_row: usize,
    /// Mean over the removed pixels of (reconstruction - image)^2.
    pub mean_squared_error: f64,
    /// The same error with the mean image as the reconstruction.
    pub baseline_mean_squared_error: f64,
}

impl Cell {
    /// Twice the distance, in rows, between the middle of the block and the middle of an image of `height` rows.
    fn off_centre(&self, height: usize) -> usize {
        (2 * self.first_row + self.rows).abs_diff(height)
    }

    /// Returns whether the middle of the block is near the middle of the image: at most 3 rows of 28.
    pub fn is_central(&self, height: usize) -> bool {
        28 * self.off_centre(height) <= 6 * height
    }

    /// Returns whether the middle of the block is far from the middle of the image: at least 6 rows of 28.
    pub fn is_at_edge(&self, height: usize) -> bool {
        28 * self.off_centre(height) >= 12 * height
    }
}

/// The error over all removed pixels of several cells.
///
/// ```
/// use equilibria::evaluate::reconstruction::{Cell, PooledError};
/// let cell = |rows, error| Cell { rows, first_row: 0, mean_squared_error: error, baseline_mean_squared_error: 0.4 };
/// let pooled = PooledError::of(&[cell(1, 0.1), cell(1, 0.3)]);
/// assert!((pooled.mean() - 0.2).abs() < 1e-12 && (pooled.share_of_baseline() - 0.5).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PooledError {
    pixels: f64,
    error: f64,
    baseline: f64,
}

impl PooledError {
    /// Pools the errors of `cells`.
    ///
    /// ```
    /// use equilibria::evaluate::reconstruction::{Cell, PooledError};
    /// let cell = |rows, error| Cell {
    ///     rows, first_row: 0, mean_squared_error: error, baseline_mean_squared_error: 0.1,
    /// };
    /// let pooled = PooledError::of(&[cell(1, 0.08), cell(3, 0.04)]);
    /// assert!((pooled.mean() - 0.05).abs() < 1e-12 && (pooled.share_of_baseline() - 0.5).abs() < 1e-12);
    /// ```
    pub fn of<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Self {
        cells.into_iter().fold(Self::default(), |sum, cell| {
            let pixels = cell.rows as f64;
            Self {
                pixels: sum.pixels + pixels,
                error: sum.error + pixels * cell.mean_squared_error,
                baseline: sum.baseline + pixels * cell.baseline_mean_squared_error,
            }
        })
    }

    /// The mean squared error per removed pixel; NaN without cells.
    pub fn mean(&self) -> f64 {
        self.error / self.pixels
    }

    /// The mean squared error of the mean image; NaN without cells.
    pub fn baseline_mean(&self) -> f64 {
        self.baseline / self.pixels
    }

    /// The error divided by that of the mean image; 1 if both are 0.
    pub fn share_of_baseline(&self) -> f64 {
        if self.error == self.baseline { 1.0 } else { self.error / self.baseline }
    }
}

/// Removes the pixel rows `removed` and fills them in.
///
/// **Shapes** Returns the images (rows, height x width) with the removed pixels reconstructed, and the errors.
///
/// **Errors** [`Error::InvalidArgument`] if the range is empty or reaches beyond the image, a pixel is neither 0
/// nor 1, or a mean is outside [0, 1]; [`Error::ShapeMismatch`]
/// if the images do not fit the model, or the mean image does not fit them.
///
/// **Randomness** One chain per image, from `stream.substream(image)`.
///
/// The example of [`Task`] removes the lower half of an image.
pub fn remove_rows(
    model: &impl Machine<f32>,
    task: &Task<'_>,
    removed: Range<usize>,
    stream: Stream,
) -> Result<(Vec<f32>, Cell)> {
    if removed.is_empty() || removed.end > task.height {
        return Err(Error::invalid(
            format!("rows {}..{}", removed.start, removed.end.saturating_sub(1)),
            format!(
                "an image has the rows 0 to {}, and the first must not come after the last",
                task.height.saturating_sub(1)
            ),
        ));
    }
    if task.height.checked_mul(task.width) != Some(task.mean_image.len()) {
        return Err(Error::ShapeMismatch {
            operation: "mean image beside images",
            expected: [task.height, task.width].to_vec(),
            found: [task.mean_image.len()].to_vec(),
        });
    }
    check_states("a pixel", task.images)?;
    check_unit_interval("a mean", task.mean_image)?;
    let pixels = removed.start * task.width..removed.end * task.width;
    let missing: Vec<bool> = (0..task.height * task.width).map(|pixel| pixels.contains(&pixel)).collect();
    let filled = reconstruct(model, task.images, &missing, task.effort, stream)?;
    let size = missing.len();
    let error = |guess: &dyn Fn(usize, usize) -> f32| {
        let mut sum = 0.0;
        let mut count = 0;
        for (row, image) in task.images.chunks_exact(size).enumerate() {
            for pixel in pixels.clone() {
                let difference = f64::from(guess(row, pixel) - image[pixel]);
                sum += difference * difference;
                count += 1;
            }
        }
        sum / f64::from(count.max(1))
    };
    let cell = Cell {
        rows: removed.len(),
        first_row: removed.start,
        mean_squared_error: error(&|row, pixel| filled[row * size + pixel]),
        baseline_mean_squared_error: error(&|_, pixel| task.mean_image[pixel]),
    };
    Ok((filled, cell))
}

/// The mean squared error per removed pixel if the pixel rows `removed` are filled with the mean of `chains` chains an image.
///
/// **Errors** as [`remove_rows`]; [`Error::InvalidArgument`] for 0 chains.
///
/// **Randomness** One chain per image and repetition, from `stream.substream(repetition * images + image)`.
///
/// ```
/// use equilibria::boltzmann::{Rbm, reconstruct::Effort};
/// use equilibria::{evaluate::reconstruction::{Task, error_of_chains}, rng::Stream};
/// let (images, mean_image) = ([1.0, 0.0, 1.0, 0.0], [0.5; 4]);
/// let effort = Effort { burn_in: 1, average: 1 };
/// let task = Task { images: &images, mean_image: &mean_image, height: 2, width: 2, effort };
/// let model = Rbm::new(&mean_image, 3, Stream::named(1, "init"))?;
/// let error = error_of_chains(&model, &task, 1..2, 50, Stream::named(1, "chain"))?;
/// assert!((error - 0.25).abs() < 0.1); // an untrained machine knows nothing of the image
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn error_of_chains(
    model: &impl Machine<f32>,
    task: &Task<'_>,
    removed: Range<usize>,
    chains: usize,
    stream: Stream,
) -> Result<f64> {
    if chains == 0 {
        return Err(Error::invalid("0 chains", "at least 1 chain an image is needed"));
    }
    let images = task.images.repeat(chains);
    let pixels = removed.start * task.width..removed.end * task.width;
    let (filled, _) = remove_rows(model, &Task { images: &images, ..*task }, removed, stream)?;
    let size = task.height * task.width;
    let (mut sum, mut count) = (0.0, 0);
    for (row, image) in task.images.chunks_exact(size).enumerate() {
        for pixel in pixels.clone() {
            let of_chain = |chain: usize| f64::from(filled[chain * task.images.len() + row * size + pixel]);
            let mean = (0..chains).map(of_chain).sum::<f64>() / chains as f64;
            let error = mean - f64::from(image[pixel]);
            sum += error * error;
            count += 1;
        }
    }
    Ok(sum / f64::from(count.max(1)))
}

/// Calls [`remove_rows`] for each number of rows at each position that fits; positions are `stride` rows apart.
///
/// Calls `after_each` after each cell; an error that it returns ends the sweep.
///
/// **Errors** Those of [`remove_rows`] and of `after_each`.
///
/// **Randomness** Cell i draws from `stream.substream(i)`.
///
/// ```
/// use equilibria::boltzmann::{Rbm, reconstruct::Effort};
/// use equilibria::{evaluate::reconstruction::{Task, sweep}, rng::Stream};
/// let (images, mean_image) = ([1.0, 0.0, 1.0, 0.0, 1.0, 1.0], [0.5; 6]);
/// let effort = Effort { burn_in: 1, average: 1 };
/// let task = Task { images: &images, mean_image: &mean_image, height: 3, width: 2, effort };
/// let model = Rbm::new(&mean_image, 3, Stream::named(1, "init"))?;
/// let cells = sweep(&model, &task, &[1, 2], 1, Stream::named(1, "chain"), || Ok(()))?;
/// assert!(cells.iter().map(|cell| (cell.rows, cell.first_row)).eq([(1, 0), (1, 1), (1, 2), (2, 0), (2, 1)]));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn sweep(
    model: &impl Machine<f32>,
    task: &Task<'_>,
    rows: &[usize],
    stride: usize,
    stream: Stream,
    mut after_each: impl FnMut() -> Result<()>,
) -> Result<Vec<Cell>> {
    let mut cells = Vec::new();
    for (rows, first) in positions(task.height, rows, stride) {
        let (_, cell) = remove_rows(model, task, first..first + rows, stream.substream(cells.len() as u64))?;
        cells.push(cell);
        after_each()?;
    }
    Ok(cells)
}

/// The cells of a sweep, each as (number of rows, first row). Numbers of rows above the image's height are left out.
///
/// ```
/// use equilibria::evaluate::reconstruction::positions;
/// assert_eq!(positions(28, &[14, 20], 7), [(14, 0), (14, 7), (14, 14), (20, 0), (20, 7)]);
/// ```
pub fn positions(height: usize, rows: &[usize], stride: usize) -> Vec<(usize, usize)> {
    let firsts = |&rows: &usize| {
        let last = height - rows;
        (0..=last).step_by(stride.max(1)).map(move |first| (rows, first))
    };
    rows.iter().filter(|&&rows| rows <= height).flat_map(firsts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_pooled_by_pixels_and_blocks_sorted_by_place() {
        let cell = |rows, first_row, error, baseline| Cell {
            rows,
            first_row,
            mean_squared_error: error,
            baseline_mean_squared_error: baseline,
        };
        let pooled = PooledError::of(&[cell(1, 0, 0.08, 0.2), cell(3, 0, 0.04, 0.1)]);
        assert!((pooled.mean() - 0.05).abs() < 1e-12 && (pooled.baseline_mean() - 0.125).abs() < 1e-12);
        assert!((pooled.share_of_baseline() - 0.4).abs() < 1e-12);
        assert_eq!(
            PooledError::of(&[cell(7, 0, 0.0, 0.0)]).share_of_baseline(),
            1.0,
            "images that are all alike"
        );
        // Blocks of seven rows in 28 are central if they start at rows 8 to 13. They are at an edge if they start at row 4 or
        // above, or at row 17 or below.
        let starts = |test: fn(&Cell, usize) -> bool| {
            (0..=21).filter(|&first| test(&cell(7, first, 0.0, 0.0), 28)).collect::<Vec<_>>()
        };
        assert_eq!(starts(Cell::is_central), [8, 9, 10, 11, 12, 13]);
        assert_eq!(starts(Cell::is_at_edge), [0, 1, 2, 3, 4, 17, 18, 19, 20, 21]);
    }
}
