//! Sums over the columns of a matrix, and sums of products of the columns of two matrices.

use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;
use crate::map::{check_equal, check_matrix};

/// Rows that are summed before the result is written to memory.
const ROWS: usize = 64;

/// Vectors of columns that are summed together.
const STRIP: usize = 8;

struct ColumnSums<'a, T, const PRODUCTS: bool> {
    scale: T,
    x: &'a [T],
    /// The second factor of each product, with the length of x; not read without `PRODUCTS`.
    y: &'a [T],
    columns: usize,
    /// If true, the sums are added to `out`; otherwise `out` is not read.
    accumulate: bool,
    out: &'a mut [T],
}

impl<T: Scalar, const PRODUCTS: bool> Operation<T> for ColumnSums<'_, T, PRODUCTS> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let mut accumulate = self.accumulate;
        let of_rows = self.columns.saturating_mul(ROWS);
        let chunks = self.x.chunks(of_rows).zip(self.y.chunks(of_rows));
        for (rows, factors) in chunks {
            let (scale, columns) = (self.scale, self.columns);
            let block = Block::<L, PRODUCTS> { lanes, scale, rows, factors, columns, accumulate };
            let mut column = 0;
            while self.columns - column >= STRIP * L::COUNT {
                block.strip(column, self.out);
                column += STRIP * L::COUNT;
            }
            while column < self.columns {
                block.vector(column, self.out);
                column += L::COUNT;
            }
            accumulate = true;
        }
    }
}

/// A block of at most `ROWS` whole rows.
struct Block<'a, L: Lanes, const PRODUCTS: bool> {
    lanes: L,
    scale: L::Scalar,
    rows: &'a [L::Scalar],
    factors: &'a [L::Scalar],
    columns: usize,
    accumulate: bool,
}

impl<L: Lanes, const PRODUCTS: bool> Block<'_, L, PRODUCTS> {
    /// Sums `STRIP` vectors of columns starting at `column`.
    #[inline(always)]
    fn strip(&self, column: usize, out: &mut [L::Scalar]) {
        let lanes = self.lanes;
        let mut sums = [lanes.zero(); STRIP];
        for row in 0..self.rows.len() / self.columns {
            let first = row * self.columns + column;
            let row = self.rows[first..first + STRIP * L::COUNT].as_ptr();
            let factors = self.factors[first..first + STRIP * L::COUNT].as_ptr();
            for (j, sum) in sums.iter_mut().enumerate() {
                // SAFETY: the slices above have STRIP * COUNT elements.
                unsafe {
                    let x = lanes.load(row.add(j * L::COUNT));
                    *sum = if PRODUCTS {
                        lanes.mul_add(x, lanes.load(factors.add(j * L::COUNT)), *sum)
                    } else {
                        lanes.add(*sum, x)
                    };
                }
            }
        }
        let out = out[column..column + STRIP * L::COUNT].as_mut_ptr();
        for (j, &sum) in sums.iter().enumerate() {
            // SAFETY: the slice `out` above has STRIP * COUNT elements.
            unsafe {
                let out = out.add(j * L::COUNT);
                let before = if self.accumulate { lanes.load(out) } else { lanes.zero() };
                lanes.store(out, lanes.mul_add(lanes.splat(self.scale), sum, before));
            }
        }
    }

    /// Sums one vector of columns starting at `column`, or the remaining columns.
    #[inline(always)]
    fn vector(&self, column: usize, out: &mut [L::Scalar]) {
        let lanes = self.lanes;
        let count = L::COUNT.min(self.columns - column);
        // Four rows at a time, because the additions of a single chain would wait for one another.
        let mut sums = [lanes.zero(); 4];
        for i in 0..self.rows.len() / self.columns {
            let first = i * self.columns + column;
            let row = self.rows[first..first + count].as_ptr();
            let factors = self.factors[first..first + count].as_ptr();
            let sum = &mut sums[i % 4];
            // SAFETY: the slices above have `count` elements.
            unsafe {
                let x = lanes.load_first(row, count);
                *sum = if PRODUCTS {
                    lanes.mul_add(x, lanes.load_first(factors, count), *sum)
                } else {
                    lanes.add(*sum, x)
                };
            }
        }
        let sum = lanes.add(lanes.add(sums[0], sums[1]), lanes.add(sums[2], sums[3]));
        let out = out[column..column + count].as_mut_ptr();
        // SAFETY: the slice `out` above has `count` elements.
        unsafe {
            let before = if self.accumulate { lanes.load_first(out, count) } else { lanes.zero() };
            lanes.store_first(out, lanes.mul_add(lanes.splat(self.scale), sum, before), count);
        }
    }
}

/// The sum of each column: `out[j] = sum_i x[i, j]`.
///
/// **Shapes** `x` (rows, columns), contiguous; `out` (columns).
///
/// **Panics** if the lengths do not match.
///
/// **Accuracy and cost** At most (32 + rows / 128) EPSILON times the sum of the absolute values.
#[track_caller]
pub fn column_sums<T: Scalar>(level: Level, x: &[T], rows: usize, columns: usize, out: &mut [T]) {
    check_matrix("x", x.len(), rows, columns);
    check_equal("out", out.len(), "a row of x", columns);
    if x.is_empty() {
        out.fill(T::ZERO);
    } else {
        let sums = ColumnSums::<T, false> { scale: T::ONE, x, y: x, columns, accumulate: false, out };
        dispatch(level, sums);
    }
}

/// Adds multiples of the column sums: `out[j] += scale * sum_i x[i, j]`.
///
/// **Shapes** `x` (rows, columns), contiguous; `out` (columns).
///
/// **Panics** if the lengths do not match.
///
/// **Accuracy and cost** Same as [`column_sums`], applied to `scale` times the terms and `out`.
#[track_caller]
pub fn add_column_sums<T: Scalar>(
    level: Level,
    scale: T,
    x: &[T],
    rows: usize,
    columns: usize,
    out: &mut [T],
) {
    check_matrix("x", x.len(), rows, columns);
    check_equal("out", out.len(), "a row of x", columns);
    if !x.is_empty() {
        dispatch(level, ColumnSums::<T, false> { scale, x, y: x, columns, accumulate: true, out });
    }
}

/// Adds the sums of products of columns: `out[j] += sum_i x[i, j] y[i, j]`.
///
/// **Shapes** `x`, `y` (rows, columns), contiguous; `out` (columns).
///
/// **Panics** if the lengths do not match.
///
/// **Accuracy and cost** Same as [`column_sums`], applied to the products and `out`.
#[track_caller]
pub fn add_column_dots<T: Scalar>(
    level: Level,
    x: &[T],
    y: &[T],
    rows: usize,
    columns: usize,
    out: &mut [T],
) {
    check_matrix("x", x.len(), rows, columns);
    check_equal("x", x.len(), "y", y.len());
    check_equal("out", out.len(), "a row of x", columns);
    if !x.is_empty() {
        dispatch(level, ColumnSums::<T, true> { scale: T::ONE, x, y, columns, accumulate: true, out });
    }
}
