//! The largest score of each row in each block of columns: pricing that looks for several columns a row.

use super::rows::{Reduction, reduce_rows};
use super::scores::{Pairs, Scores};
use crate::lanes::{Lanes, Scalar};
use crate::level::Level;
use crate::map::check_matrix;

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
        reduce_rows(level, pairs, LargestOfBlocks { block }, out);
    }
}

#[derive(Clone, Copy)]
struct LargestOfBlocks {
    block: usize,
}

impl<T: Scalar> Reduction<T> for LargestOfBlocks {
    type Result = T;

    fn results(self, columns: usize) -> usize {
        columns.div_ceil(self.block)
    }

    #[inline(always)]
    unsafe fn reduce<L: Lanes<Scalar = T>, S: Scores<T>, const R: usize>(
        self,
        lanes: L,
        scores: S,
        i: usize,
        columns: usize,
        out: &mut [T],
    ) {
        let block = self.block;
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
}
