//! The operations on a tile of C after the product, while the tile is in cache.

use crate::activation::{Activation, Slope, with_activation};
use crate::lanes::{Lanes, Scalar};
use crate::map::{Function, Function2};

/// Operations on C = alpha A B + beta C: add a bias, then apply an activation.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a, T> {
    /// A row (n), added to each row of C.
    pub bias: Option<&'a [T]>,
    /// Applied after the bias.
    pub activation: Activation<T>,
}

impl<T> Epilogue<'_, T> {
    /// No operation.
    pub const NONE: Self = Self { bias: None, activation: Activation::Identity };
}

/// Factors of C, applied last, element by element: the slopes φ′ of the activation that gave `outputs`.
///
/// Products below [`Scalar::TINY`] in size become 0, even with the slope 1 of the identity.
#[derive(Clone, Copy)]
pub(crate) struct Slopes<T> {
    pub activation: Activation<T>,
    /// Null, or a matrix with the rows of C, contiguous along its columns.
    pub outputs: *const T,
    pub row_stride: usize,
}

impl<T> Slopes<T> {
    /// Factor 1 everywhere.
    pub(crate) const NONE: Self =
        Self { activation: Activation::Identity, outputs: core::ptr::null(), row_stride: 0 };

    /// The factors of the block of C that starts at (i, j).
    ///
    /// # Safety
    /// (i, j) is inside C or at its end.
    #[inline(always)]
    pub(crate) unsafe fn at(self, i: usize, j: usize) -> Self {
        if self.outputs.is_null() {
            return self;
        }
        // SAFETY: the caller guarantees that the offset is inside the outputs or at their end.
        Self { outputs: unsafe { self.outputs.add(i * self.row_stride + j) }, ..self }
    }
}

/// Adds the bias, applies the activation, multiplies by the slopes.
///
/// # Safety
/// `bias` is null or has `columns` readable elements; `c` has `rows` rows of `columns` readable and writable elements,
/// and the outputs of the slopes have as many readable ones.
#[allow(clippy::too_many_arguments)]
#[inline(always)]
pub(crate) unsafe fn apply<L: Lanes>(
    lanes: L,
    bias: *const L::Scalar,
    activation: Activation<L::Scalar>,
    slopes: Slopes<L::Scalar>,
    c: *mut L::Scalar,
    row_stride: usize,
    rows: usize,
    columns: usize,
) {
    // SAFETY: first + count <= columns; the loops access only what the caller guarantees.
    unsafe {
        if !bias.is_null() {
            for row in 0..rows {
                for first in (0..columns).step_by(L::COUNT) {
                    let count = (columns - first).min(L::COUNT);
                    let address = c.add(row * row_stride + first);
                    let x = lanes.load_first(address, count);
                    lanes.store_first(address, lanes.add(x, lanes.load_first(bias.add(first), count)), count);
                }
            }
        }
        let tile = Tile { c, row_stride, rows, columns };
        if activation != Activation::Identity {
            with_activation!(activation, function => tile.map(lanes, function));
        }
        if !slopes.outputs.is_null() {
            with_activation!(slopes.activation, function => tile.map_with_outputs(lanes, slopes, Slope(function)));
        }
    }
}

/// A block of C whose rows are contiguous.
struct Tile<T> {
    c: *mut T,
    row_stride: usize,
    rows: usize,
    columns: usize,
}

impl<T: Scalar> Tile<T> {
    /// Applies `function` to each element.
    ///
    /// # Safety
    /// The block is readable and writable.
    #[inline(always)]
    unsafe fn map<L: Lanes<Scalar = T>>(&self, lanes: L, function: impl Function<T>) {
        for row in 0..self.rows {
            for first in (0..self.columns).step_by(L::COUNT) {
                let count = (self.columns - first).min(L::COUNT);
                // SAFETY: row < rows and first + count <= columns; the caller guarantees the block.
                unsafe {
                    let address = self.c.add(row * self.row_stride + first);
                    let x = lanes.load_first(address, count);
                    lanes.store_first(address, function.apply(lanes, x), count);
                }
            }
        }
    }

    /// Applies `function` to each element and the output at the same position.
    ///
    /// # Safety
    /// Same as [`Tile::map`]; the outputs of the slopes have as many rows and columns.
    #[inline(always)]
    unsafe fn map_with_outputs<L: Lanes<Scalar = T>>(
        &self,
        lanes: L,
        slopes: Slopes<T>,
        function: impl Function2<T>,
    ) {
        for row in 0..self.rows {
            for first in (0..self.columns).step_by(L::COUNT) {
                let count = (self.columns - first).min(L::COUNT);
                // SAFETY: row < rows and first + count <= columns; the caller guarantees both blocks.
                unsafe {
                    let address = self.c.add(row * self.row_stride + first);
                    let x = lanes.load_first(address, count);
                    let y = lanes.load_first(slopes.outputs.add(row * slopes.row_stride + first), count);
                    lanes.store_first(address, function.apply(lanes, x, y), count);
                }
            }
        }
    }
}
