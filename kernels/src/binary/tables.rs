//! Tables of partial sums over groups of rows: one entry for each subset of a group.

use super::rows::{Row, check_columns};
use super::{PANEL, by_quarters};
use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;

/// Rows per table: two tables of 64 columns fill a third of an L1 cache, and a sum of 64 rows takes 13 additions.
pub const GROUP: usize = 5;

/// Partial sums per table.
const ENTRIES: usize = 1 << GROUP;

/// The rows, at most 64, in which the 64 units of a panel are on: bit r of `words[i]` is 1 if unit i is on in row r.
#[derive(Clone, Copy, Debug)]
pub struct TabledRows<'a, T> {
    /// One word per unit (64).
    pub words: &'a [u64],
    /// The tables of the rows, as [`tabulate`] writes them.
    pub tables: &'a [T],
}

/// Number of elements in the tables of `rows` rows.
///
/// **Panics** if the number overflows `usize`.
#[track_caller]
pub const fn tables_len(rows: usize) -> usize {
    rows.div_ceil(GROUP).checked_mul(ENTRIES * PANEL).expect("the size of the tables overflows usize")
}

/// Entry m of table g <- the sum of the rows `5 g + r` of `values` for which bit r of m is 1, each multiplied by the
/// factor of its part, (rows, factor).
///
/// **Shapes** `values` (rows of all parts, 64); `tables` [`tables_len`]`(rows)`. The first `columns` of 64 are written,
/// rounded up to 16.
///
/// **Panics** if the lengths do not match.
#[track_caller]
pub fn tabulate<T: Scalar>(
    level: Level,
    values: &[T],
    parts: [(usize, T); 2],
    columns: usize,
    tables: &mut [T],
) {
    let [(first, _), (second, _)] = parts;
    check_columns(columns);
    let rows = first.checked_add(second).filter(|rows| rows.checked_mul(PANEL) == Some(values.len()));
    assert!(
        rows.is_some_and(|rows| tables.len() == tables_len(rows)),
        "{} values and {} elements of tables for {first} and {second} rows",
        values.len(),
        tables.len()
    );
    dispatch(level, Tabulate { values, parts, columns, tables });
}

struct Tabulate<'a, T> {
    values: &'a [T],
    parts: [(usize, T); 2],
    columns: usize,
    tables: &'a mut [T],
}

impl<T: Scalar> Operation<T> for Tabulate<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(mut self, lanes: L) {
        // SAFETY: `tabulate` checked the lengths.
        unsafe { by_quarters!(self.columns.div_ceil(16), fill::<L>(lanes, &mut self)) }
    }
}

/// # Safety
/// The lengths are those that [`tabulate`] checks.
#[inline(always)]
unsafe fn fill<L: Lanes, const QUARTERS: usize>(lanes: L, job: &mut Tabulate<'_, L::Scalar>) {
    let [(first, plus), (_, minus)] = job.parts;
    let rows = job.values.chunks(GROUP * PANEL).enumerate();
    for ((group, values), table) in rows.zip(job.tables.chunks_exact_mut(ENTRIES * PANEL)) {
        let table = table.as_mut_ptr();
        // SAFETY: an entry is below ENTRIES, and a row is inside its group.
        unsafe {
            Row::<L, QUARTERS>::zero(lanes).store(lanes, table);
            for (r, values) in values.chunks_exact(PANEL).enumerate() {
                let factor = lanes.splat(if group * GROUP + r < first { plus } else { minus });
                let row = Row::<L, QUARTERS>::load(lanes, values.as_ptr());
                // The existing entries plus this row.
                for entry in 0..1 << r {
                    let mut sum = Row::<L, QUARTERS>::load(lanes, table.add(entry * PANEL));
                    for v in 0..Row::<L, QUARTERS>::VECTORS {
                        sum.0[v] = lanes.mul_add(factor, row.0[v], sum.0[v]);
                    }
                    sum.store(lanes, table.add((entry + (1 << r)) * PANEL));
                }
            }
        }
    }
}

impl<T: Scalar> TabledRows<'_, T> {
    #[track_caller]
    pub(super) fn check(&self) {
        let (words, tables) = (self.words.len(), self.tables.len());
        assert!(
            words == PANEL && tables.is_multiple_of(ENTRIES * PANEL) && tables <= tables_len(64),
            "{words} words (must be 64), tables of {tables} elements"
        );
    }
}

impl<L: Lanes, const QUARTERS: usize> Row<L, QUARTERS> {
    /// Adds the rows in which unit `unit` is on.
    ///
    /// # Safety
    /// [`TabledRows::check`] accepted `tabled`, and `unit` is below 64.
    #[inline(always)]
    pub(crate) unsafe fn add_tabled(&mut self, lanes: L, tabled: &TabledRows<'_, L::Scalar>, unit: usize) {
        // SAFETY: guaranteed by the caller.
        let mut word = unsafe { *tabled.words.get_unchecked(unit) } as usize;
        for table in tabled.tables.chunks_exact(ENTRIES * PANEL) {
            for v in 0..Self::VECTORS {
                // SAFETY: an entry below ENTRIES has 64 elements.
                let element =
                    unsafe { lanes.load(table.as_ptr().add(word % ENTRIES * PANEL + v * L::COUNT)) };
                self.0[v] = lanes.add(self.0[v], element);
            }
            word >>= GROUP;
        }
    }
}
