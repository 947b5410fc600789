//! e^(s_ij + row_i): the plan of two potentials, or the kernel that Sinkhorn's algorithm scales.

use super::scores::{Pairs, Scores, With};
use super::{ROWS, rows_in_task};
use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;
use crate::map::{check_equal, check_matrix};
use crate::math::exp_normal;
use crate::threads::for_each_chunk;

/// `out[i, j] = e^(s_ij + row[i])`; 0 where that is below the smallest normal number.
///
/// **Shapes** `row` (rows), `out` (rows, columns), contiguous.
///
/// **Panics** if a length does not match.
///
/// **Accuracy and cost** 2 ULP plus the rounding of the exponent. The exponent must not exceed that of the largest finite
/// number; the result is unspecified otherwise.
#[track_caller]
pub fn exponentials<T: Scalar>(level: Level, pairs: &Pairs<'_, T>, row: &[T], out: &mut [T]) {
    check_equal("row", row.len(), "a column of the pairs", pairs.rows);
    check_matrix("out", out.len(), pairs.rows, pairs.columns());
    if pairs.columns() > 0 {
        pairs.with(EachRow { level, row, out });
    }
}

struct EachRow<'a, T> {
    level: Level,
    row: &'a [T],
    out: &'a mut [T],
}

impl<T: Scalar> With<T> for EachRow<'_, T> {
    fn with<S: Scores<T>>(self, scores: S, _rows: usize, columns: usize) {
        for_each_chunk(rows_in_task(columns) * columns, self.out, &|range, out| {
            let first = range.start / columns;
            dispatch(self.level, Exponentials { scores, row: self.row, first, columns, out });
        });
    }
}

struct Exponentials<'a, S, T> {
    scores: S,
    row: &'a [T],
    first: usize,
    columns: usize,
    out: &'a mut [T],
}

impl<T: Scalar, S: Scores<T>> Operation<T> for Exponentials<'_, S, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let mut i = self.first;
        let mut groups = self.out.chunks_exact_mut(ROWS * self.columns);
        for out in &mut groups {
            // SAFETY: `out` has a row of places for each of the rows starting at `first`.
            unsafe { rows::<T, L, S, ROWS>(lanes, self.scores, (i, self.columns), &self.row[i..], out) };
            i += ROWS;
        }
        for out in groups.into_remainder().chunks_exact_mut(self.columns) {
            // SAFETY: as above.
            unsafe { rows::<T, L, S, 1>(lanes, self.scores, (i, self.columns), &self.row[i..], out) };
            i += 1;
        }
    }
}

/// The exponentials of `R` rows starting at `i`.
///
/// # Safety
/// The rows and columns exist, and `out` has `R` rows.
#[inline(always)]
unsafe fn rows<T: Scalar, L: Lanes<Scalar = T>, S: Scores<T>, const R: usize>(
    lanes: L,
    scores: S,
    (i, columns): (usize, usize),
    row: &[T],
    out: &mut [T],
) {
    let smallest = lanes.splat(T::LN_SMALLEST_NORMAL);
    let mut j = 0;
    while j < columns {
        let count = L::COUNT.min(columns - j);
        // SAFETY: guaranteed by the caller, and j + count <= columns.
        let s = unsafe { scores.scores::<L, R>(lanes, i, j, count) };
        for r in 0..R {
            let exponent = lanes.add(s[r], lanes.splat(row[r]));
            let is_small = lanes.less(exponent, smallest);
            let value = lanes.select(is_small, lanes.zero(), exp_normal(lanes, exponent));
            // SAFETY: as above; `out` has R rows.
            unsafe { lanes.store_up_to(out.as_mut_ptr().add(r * columns + j), value, count) };
        }
        j += count;
    }
}
