//! Partial sums of few rows: one for each way in which a group of them can be on.

use super::rows::{Row, check_columns};
use super::{PANEL, by_quarters};
use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;

/// Rows that share a table: two tables of 64 columns fill a third of an L1 cache, and a sum of 64 rows takes 13 additions.
pub const GROUP: usize = 5;

/// Partial sums in a table.
const ENTRIES: usize = 1 << GROUP;

/// What the 64 units of a panel have in up to 64 rows: bit r of `words[i]` says that unit i is on in row r.
#[derive(Clone, Copy, Debug)]
pub struct TabledRows<'a, T> {
    /// (64)
    pub words: &'a [u64],
    /// As [`tabulate`] makes them of the rows.
    pub tables: &'a [T],
}

/// Elements of the tables of `rows` rows.
///
/// **Panics** if they are more than can be addressed.
#[track_caller]
pub const fn tables_len(rows: usize) -> usize {
    rows.div_ceil(GROUP).checked_mul(ENTRIES * PANEL).expect("tables are smaller than memory")
}

/// Table g, entry m <- the sum of the rows `5 g + r` of `values` for which bit r of m is on; each is multiplied by the
/// factor of its part, (rows, factor).
///
/// **Shapes** `values` (rows of all parts, 64); `tables` [`tables_len`]`(rows)`; `columns` of 64 are in use, rounded up
/// to 16, and the others are not touched.
/// **Panics** if the lengths do not fit.
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
/// Lengths are as [`tabulate`] asks.
#[inline(always)]
unsafe fn fill<L: Lanes, const QUARTERS: usize>(lanes: L, job: &mut Tabulate<'_, L::Scalar>) {
    let [(first, plus), (_, minus)] = job.parts;
    let rows = job.values.chunks(GROUP * PANEL).enumerate();
    for ((group, values), table) in rows.zip(job.tables.chunks_exact_mut(ENTRIES * PANEL)) {
        let table = table.as_mut_ptr();
        // SAFETY: an entry is below ENTRIES, a row below those of the group.
        unsafe {
            Row::<L, QUARTERS>::zero(lanes).store(lanes, table);
            for (r, values) in values.chunks_exact(PANEL).enumerate() {
                let factor = lanes.splat(if group * GROUP + r < first { plus } else { minus });
                let row = Row::<L, QUARTERS>::load(lanes, values.as_ptr());
                // The entries so far, with this row.
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
            "{words} words for 64 units, tables of {tables} elements"
        );
    }
}

impl<L: Lanes, const QUARTERS: usize> Row<L, QUARTERS> {
    /// Adds the rows that unit `unit` has.
    ///
    /// # Safety
    /// [`TabledRows::check`] saw `tabled`, and `unit` is below 64.
    #[inline(always)]
    pub(crate) unsafe fn add_tabled(&mut self, lanes: L, tabled: &TabledRows<'_, L::Scalar>, unit: usize) {
        // SAFETY: owed by the caller.
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
