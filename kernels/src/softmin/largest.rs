//! The largest score of each row and its column: pricing, c-transforms and nearest neighbours.

use super::rows::{Reduction, reduce_rows};
use super::scores::{Pairs, Scores};
use crate::lanes::{Lanes, Scalar};
use crate::level::Level;

/// The largest score of a row and the first column that has it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Largest<T> {
    /// The score.
    pub score: T,
    /// The column.
    pub column: u32,
}

/// `out[i]` = the largest s_ij of row i, and the first column that has it. A NaN is skipped; -inf and column 0 if no score
/// is above -inf.
///
/// **Shapes** `out` (rows).
///
/// **Panics** if a length does not match, or if the columns are so many that the number of vectors of 4 columns is above
/// 2^24, up to which f32 counts exactly.
#[track_caller]
pub fn largest<T: Scalar>(level: Level, pairs: &Pairs<'_, T>, out: &mut [Largest<T>]) {
    pairs.check_rows("out", out.len());
    assert!(pairs.columns() <= 1 << 26, "{} columns: at most 2^26 are possible", pairs.columns());
    reduce_rows(level, pairs, LargestOfRow, out);
}

#[derive(Clone, Copy)]
struct LargestOfRow;

impl<T: Scalar> Reduction<T> for LargestOfRow {
    type Result = Largest<T>;

    fn results(self, _: usize) -> usize {
        1
    }

    #[inline(always)]
    unsafe fn reduce<L: Lanes<Scalar = T>, S: Scores<T>, const R: usize>(
        self,
        lanes: L,
        scores: S,
        i: usize,
        columns: usize,
        out: &mut [Largest<T>],
    ) {
        let mut best = [lanes.splat(-T::INFINITY); R];
        // The number of the vector that holds the best score of each lane.
        let mut place = [lanes.zero(); R];
        let (mut number, one) = (lanes.zero(), lanes.splat(T::ONE));
        let mut j = 0;
        while j < columns {
            let count = L::COUNT.min(columns - j);
            // SAFETY: guaranteed by the caller, and j + count <= columns.
            let s = unsafe { scores.scores_padded::<L, R>(lanes, i, j, count) };
            for r in 0..R {
                let better = lanes.less(best[r], s[r]);
                best[r] = lanes.select(better, s[r], best[r]);
                place[r] = lanes.select(better, number, place[r]);
            }
            number = lanes.add(number, one);
            j += count;
        }
        for (r, out) in out.iter_mut().enumerate().take(R) {
            let mut found = Largest { score: -T::INFINITY, column: 0 };
            let (scores, places) = (lanes.to_array(best[r]), lanes.to_array(place[r]));
            for lane in 0..L::COUNT {
                let column = places[lane].to_f64() as u32 * L::COUNT as u32 + lane as u32;
                if scores[lane] > found.score || scores[lane] == found.score && column < found.column {
                    found = Largest { score: scores[lane], column };
                }
            }
            if found.score == -T::INFINITY {
                found.column = 0;
            }
            *out = found;
        }
    }
}
