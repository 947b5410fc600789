//! Reductions of the scores of each row: several rows at a time, which share each load of a column.

use super::scores::{Pairs, Scores, With};
use super::{ROWS, rows_in_task};
use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;
use crate::threads::for_each_chunk;

/// A reduction of the scores of a row to a number of results.
pub(super) trait Reduction<T: Scalar>: Copy + Send + Sync {
    type Result: Send;

    /// The number of results of a row of `columns` scores; not 0.
    fn results(self, columns: usize) -> usize;

    /// Reduces `R` rows starting at `i`; `out` is (R, results).
    ///
    /// # Safety
    /// The rows and columns exist.
    unsafe fn reduce<L: Lanes<Scalar = T>, S: Scores<T>, const R: usize>(
        self,
        lanes: L,
        scores: S,
        i: usize,
        columns: usize,
        out: &mut [Self::Result],
    );
}

/// Reduces all rows; `out` is (rows, results), which the caller has checked.
pub(super) fn reduce_rows<T: Scalar, X: Reduction<T>>(
    level: Level,
    pairs: &Pairs<'_, T>,
    reduction: X,
    out: &mut [X::Result],
) {
    pairs.with(EachRow { level, reduction, out });
}

struct EachRow<'a, X, O> {
    level: Level,
    reduction: X,
    out: &'a mut [O],
}

impl<T: Scalar, X: Reduction<T>> With<T> for EachRow<'_, X, X::Result> {
    fn with<S: Scores<T>>(self, scores: S, rows: usize, columns: usize) {
        let Self { level, reduction, out } = self;
        let results = reduction.results(columns);
        assert_eq!(out.len(), rows * results);
        for_each_chunk(rows_in_task(columns) * results, out, &|range, out| {
            dispatch(level, Rows { scores, reduction, first: range.start / results, columns, out });
        });
    }
}

struct Rows<'a, S, X, O> {
    scores: S,
    reduction: X,
    first: usize,
    columns: usize,
    out: &'a mut [O],
}

impl<T: Scalar, S: Scores<T>, X: Reduction<T>> Operation<T> for Rows<'_, S, X, X::Result> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let Self { scores, reduction, first, columns, out } = self;
        let results = reduction.results(columns);
        let mut i = first;
        let mut groups = out.chunks_exact_mut(ROWS * results);
        for out in &mut groups {
            // SAFETY: `out` has the results of these rows, which therefore exist.
            unsafe { reduction.reduce::<L, S, ROWS>(lanes, scores, i, columns, out) };
            i += ROWS;
        }
        for out in groups.into_remainder().chunks_exact_mut(results) {
            // SAFETY: as above.
            unsafe { reduction.reduce::<L, S, 1>(lanes, scores, i, columns, out) };
            i += 1;
        }
    }
}
