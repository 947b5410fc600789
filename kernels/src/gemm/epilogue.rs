//! What happens to a tile of C while it is in cache.

use crate::activation::{Activation, with_activation};
use crate::lanes::{Lanes, Scalar};
use crate::map::Function;

/// Added to and applied to C = alpha A B + beta C.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a, T> {
    /// A row (n) that is added to each row of C.
    pub bias: Option<&'a [T]>,
    /// Applied last.
    pub activation: Activation<T>,
}

impl<T> Epilogue<'_, T> {
    /// Nothing.
    pub const NONE: Self = Self { bias: None, activation: Activation::Identity };
}

/// The bias, and the activation.
///
/// # Safety
/// `bias` is null or has `columns` readable elements; `c` has `rows` rows of `columns` writable ones.
#[inline(always)]
pub(super) unsafe fn apply<L: Lanes>(
    lanes: L,
    bias: *const L::Scalar,
    activation: Activation<L::Scalar>,
    c: *mut L::Scalar,
    row_stride: usize,
    rows: usize,
    columns: usize,
) {
    // SAFETY: `for_each_vector` passes on what the caller owes.
    unsafe {
        if !bias.is_null() {
            for row in 0..rows {
                for first in (0..columns).step_by(L::COUNT) {
                    let count = (columns - first).min(L::COUNT);
                    let place = c.add(row * row_stride + first);
                    let x = lanes.load_first(place, count);
                    lanes.store_first(place, lanes.add(x, lanes.load_first(bias.add(first), count)), count);
                }
            }
        }
        let tile = Tile { c, row_stride, rows, columns };
        if activation != Activation::Identity {
            with_activation!(activation, function => tile.map(lanes, function));
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
    /// # Safety
    /// The block is readable and writable.
    #[inline(always)]
    unsafe fn map<L: Lanes<Scalar = T>>(&self, lanes: L, function: impl Function<T>) {
        for row in 0..self.rows {
            for first in (0..self.columns).step_by(L::COUNT) {
                let count = (self.columns - first).min(L::COUNT);
                // SAFETY: row < rows and first + count <= columns; the caller owes the block.
                unsafe {
                    let place = self.c.add(row * self.row_stride + first);
                    let x = lanes.load_first(place, count);
                    lanes.store_first(place, function.apply(lanes, x), count);
                }
            }
        }
    }
}
