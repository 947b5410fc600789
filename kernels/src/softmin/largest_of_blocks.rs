//! The largest score of each row in each block of columns: pricing that looks for several columns a row.

use super::scores::{Pairs, Scores, With};
use super::{ROWS, rows_in_task};
use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;
use crate::map::check_matrix;
use crate::threads::for_each_chunk;

/// `out[i, b]` = the largest s_ij of row i over the columns j of block b, which are `block` columns or the rest of them. A
/// NaN is skipped; -inf if no score is above -inf.
///
/// **Shapes** `out` (rows, blocks), contiguous.
///
/// **Panics** if a length does not match, or `block` is 0.
#[track_caller]
pub fn largest_of_blocks<T: Scalar>(level: Level, pairs: &Pairs<'_, T>, block: usize, out: &mut [T]) {
    assert!(block > 0, "a block has at least 1 column");
    check_matrix("out", out.len(), pairs.rows, pairs.columns().div_ceil(block));
    if !out.is_empty() {
        pairs.with(EachRow { level, block, out });
    }
}

struct EachRow<'a, T> {
    level: Level,
    block: usize,
    out: &'a mut [T],
}

impl<T: Scalar> With<T> for EachRow<'_, T> {
    fn with<S: Scores<T>>(self, scores: S, _rows: usize, columns: usize) {
        let (block, blocks) = (self.block, columns.div_ceil(self.block));
        for_each_chunk(rows_in_task(columns) * blocks, self.out, &|range, out| {
            let first = range.start / blocks;
            dispatch(self.level, LargestOfBlocks { scores, first, columns, block, out });
        });
    }
}

struct LargestOfBlocks<'a, S, T> {
    scores: S,
    first: usize,
    columns: usize,
    block: usize,
    out: &'a mut [T],
}

impl<T: Scalar, S: Scores<T>> Operation<T> for LargestOfBlocks<'_, S, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let blocks = self.columns.div_ceil(self.block);
        let shape = (self.columns, self.block);
        let mut i = self.first;
        let mut groups = self.out.chunks_exact_mut(ROWS * blocks);
        for out in &mut groups {
            // SAFETY: `out` has a row of places for each of the rows starting at `first`.
            unsafe { rows::<T, L, S, ROWS>(lanes, self.scores, i, shape, out) };
            i += ROWS;
        }
        for out in groups.into_remainder().chunks_exact_mut(blocks) {
            // SAFETY: as above.
            unsafe { rows::<T, L, S, 1>(lanes, self.scores, i, shape, out) };
            i += 1;
        }
    }
}

/// The blocks of `R` rows starting at `i`.
///
/// # Safety
/// The rows and columns exist.
#[inline(always)]
unsafe fn rows<T: Scalar, L: Lanes<Scalar = T>, S: Scores<T>, const R: usize>(
    lanes: L,
    scores: S,
    i: usize,
    (columns, block): (usize, usize),
    out: &mut [T],
) {
    let blocks = columns.div_ceil(block);
    for b in 0..blocks {
        let (mut j, end) = (b * block, columns.min((b + 1) * block));
        let mut best = [lanes.splat(-T::INFINITY); R];
        while j < end {
            let count = L::COUNT.min(end - j);
            // SAFETY: guaranteed by the caller, and j + count <= columns.
            let s = unsafe { scores.scores_padded::<L, R>(lanes, i, j, count) };
            for r in 0..R {
                best[r] = lanes.max(s[r], best[r]);
            }
            j += count;
        }
        for r in 0..R {
            let array = lanes.to_array(best[r]);
            let largest = |a: T, &b: &T| if b > a { b } else { a };
            out[r * blocks + b] = array[1..L::COUNT].iter().fold(array[0], largest);
        }
    }
}
