//! The largest score of each row and its column: pricing, c-transforms and nearest neighbours.

use super::scores::{Pairs, Scores, With};
use super::{ROWS, rows_in_task};
use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;
use crate::threads::for_each_chunk;

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
    pairs.with(EachRow { level, out });
}

struct EachRow<'a, T> {
    level: Level,
    out: &'a mut [Largest<T>],
}

impl<T: Scalar> With<T> for EachRow<'_, T> {
    fn with<S: Scores<T>>(self, scores: S, _rows: usize, columns: usize) {
        for_each_chunk(rows_in_task(columns), self.out, &|range, out| {
            dispatch(self.level, LargestOfRows { scores, first: range.start, columns, out });
        });
    }
}

struct LargestOfRows<'a, S, T> {
    scores: S,
    first: usize,
    columns: usize,
    out: &'a mut [Largest<T>],
}

impl<T: Scalar, S: Scores<T>> Operation<T> for LargestOfRows<'_, S, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let (groups, rest) = self.out.as_chunks_mut::<ROWS>();
        let mut i = self.first;
        for out in groups {
            // SAFETY: `out` has one place for each of the rows starting at `first`.
            *out = unsafe { rows::<T, L, S, ROWS>(lanes, self.scores, i, self.columns) };
            i += ROWS;
        }
        for out in rest {
            // SAFETY: as above.
            [*out] = unsafe { rows::<T, L, S, 1>(lanes, self.scores, i, self.columns) };
            i += 1;
        }
    }
}

/// The largest scores of `R` rows starting at `i`.
///
/// # Safety
/// The rows and columns exist.
#[inline(always)]
unsafe fn rows<T: Scalar, L: Lanes<Scalar = T>, S: Scores<T>, const R: usize>(
    lanes: L,
    scores: S,
    i: usize,
    columns: usize,
) -> [Largest<T>; R] {
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
    let mut result = [Largest { score: -T::INFINITY, column: 0 }; R];
    for r in 0..R {
        let (scores, places) = (lanes.to_array(best[r]), lanes.to_array(place[r]));
        for lane in 0..L::COUNT {
            let column = places[lane].to_f64() as u32 * L::COUNT as u32 + lane as u32;
            let found = &mut result[r];
            if scores[lane] > found.score || scores[lane] == found.score && column < found.column {
                *found = Largest { score: scores[lane], column };
            }
        }
        if result[r].score == -T::INFINITY {
            result[r].column = 0;
        }
    }
    result
}
