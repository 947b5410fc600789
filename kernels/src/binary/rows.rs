//! Sums of the weight rows of active units.

use super::{MAX_VECTORS, PANEL, SparseRows, by_quarters};
use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;

/// `sums[r]` <- `sums[r]` + the rows of `weights` that `lists` holds for row r; starts from 0 if `from_zero`.
///
/// **Shapes** `sums` (rows, 64), of which the first `columns` are written, rounded up to 16.
///
/// **Panics** if the lengths do not match, or if lists have entries but `weights` has fewer than 64 elements. An offset
/// beyond the last 64 elements is replaced by the start of the last 64.
///
/// **Accuracy and cost** A sum is one or two chains of fused multiply-adds, or of additions if there are no factors, in
/// the order of the list. Each entry costs one of them per vector of columns.
#[track_caller]
pub fn add_rows<T: Scalar>(
    level: Level,
    weights: &[T],
    lists: SparseRows<'_, T>,
    from_zero: bool,
    columns: usize,
    sums: &mut [T],
) {
    let rows = lists.starts.len().saturating_sub(1);
    assert!(sums.len() == rows * PANEL, "{} sums for {rows} lists", sums.len());
    check_columns(columns);
    lists.check(weights.len());
    dispatch(level, AddRows { off: None, weights, lists, from_zero, columns, sums });
}

/// Like [`add_rows`], with lists of [`list_minority`](super::list_minority): for rows with `are_off[r]`, adds `all`,
/// the sum of the rows of all units, and subtracts the listed rows.
///
/// **Shapes** `all` (64), `are_off` (rows).
///
/// **Panics** Same as [`add_rows`].
#[track_caller]
pub fn add_minority_rows<T: Scalar>(
    level: Level,
    (all, are_off): (&[T], &[bool]),
    weights: &[T],
    lists: SparseRows<'_, T>,
    from_zero: bool,
    columns: usize,
    sums: &mut [T],
) {
    let rows = lists.starts.len().saturating_sub(1);
    assert!(
        all.len() == PANEL && are_off.len() == rows && sums.len() == rows * PANEL,
        "{} sums and {} flags for {rows} lists, {} sums of all units",
        sums.len(),
        are_off.len(),
        all.len()
    );
    check_columns(columns);
    lists.check(weights.len());
    dispatch(level, AddRows { off: Some((all, are_off)), weights, lists, from_zero, columns, sums });
}

/// Panics unless 1 to 64 columns of a panel are used.
#[track_caller]
pub(super) fn check_columns(columns: usize) {
    assert!((1..=PANEL).contains(&columns), "{columns} columns of a panel; must be 1 to 64");
}

impl<T> SparseRows<'_, T> {
    /// Checks the bounds of all lists. Offsets are not checked here but clamped where they are used.
    #[track_caller]
    pub(super) fn check(&self, weights: usize) {
        let end = self.starts.last().map_or(0, |&end| end as usize);
        assert!(
            self.starts.is_sorted()
                && end <= self.offsets.len()
                && (end <= self.factors.len() || self.factors.is_empty()),
            "lists of {end} entries in {} offsets and {} factors",
            self.offsets.len(),
            self.factors.len()
        );
        let rows = self.starts.len().saturating_sub(1);
        assert!(
            self.order.len() == rows && self.order.iter().all(|&row| (row as usize) < rows),
            "an order of {} for {rows} rows",
            self.order.len()
        );
        assert!(end == 0 || weights >= PANEL, "lists of {end} entries into {weights} weights");
    }
}

struct AddRows<'a, T> {
    /// The sum of the rows of all units, and the flags of the rows whose lists are subtracted from it.
    off: Option<(&'a [T], &'a [bool])>,
    weights: &'a [T],
    lists: SparseRows<'a, T>,
    from_zero: bool,
    columns: usize,
    sums: &'a mut [T],
}

impl<T: Scalar> Operation<T> for AddRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(mut self, lanes: L) {
        // SAFETY: `add_rows` checked the lengths and the lists' bounds.
        unsafe { by_quarters!(self.columns.div_ceil(16), add::<L>(lanes, &mut self)) }
    }
}

/// # Safety
/// The lists and sums have the lengths that [`add_rows`] checks.
#[inline(always)]
unsafe fn add<L: Lanes, const QUARTERS: usize>(lanes: L, job: &mut AddRows<'_, L::Scalar>) {
    for &row in job.lists.order {
        // SAFETY: `check` proved that row is one of the lists, and there are 64 sums for each.
        unsafe {
            let row = row as usize;
            let sums = job.sums.get_unchecked_mut(row * PANEL..(row + 1) * PANEL);
            let mut sum =
                if job.from_zero { Row::<L, QUARTERS>::zero(lanes) } else { Row::load(lanes, sums.as_ptr()) };
            if let Some((all, _)) = job.off.filter(|(_, are_off)| are_off[row]) {
                let all = Row::<L, QUARTERS>::load(lanes, all.as_ptr());
                let mut off = Row::<L, QUARTERS>::zero(lanes);
                off.add_list(lanes, &job.lists, row, job.weights);
                for v in 0..Row::<L, QUARTERS>::VECTORS {
                    sum.0[v] = lanes.add(sum.0[v], lanes.sub(all.0[v], off.0[v]));
                }
            } else {
                sum.add_list(lanes, &job.lists, row, job.weights);
            }
            sum.store(lanes, sums.as_mut_ptr());
        }
    }
}

/// `QUARTERS * 16` numbers in registers.
pub(super) struct Row<L: Lanes, const QUARTERS: usize>(pub [L::Vector; MAX_VECTORS]);

impl<L: Lanes, const QUARTERS: usize> Row<L, QUARTERS> {
    pub(crate) const VECTORS: usize = QUARTERS * 16 / L::COUNT;

    #[inline(always)]
    pub(crate) fn zero(lanes: L) -> Self {
        Self([lanes.zero(); MAX_VECTORS])
    }

    /// # Safety
    /// `QUARTERS * 16` numbers are readable at `from`.
    #[inline(always)]
    pub(crate) unsafe fn load(lanes: L, from: *const L::Scalar) -> Self {
        let mut row = Self::zero(lanes);
        for v in 0..Self::VECTORS {
            // SAFETY: the caller guarantees the row.
            row.0[v] = unsafe { lanes.load(from.add(v * L::COUNT)) };
        }
        row
    }

    /// Adds the entries of list `row`.
    ///
    /// # Safety
    /// [`SparseRows::check`] accepted the lists with the length of `weights`; `row` is one of them.
    #[inline(always)]
    pub(crate) unsafe fn add_list(
        &mut self,
        lanes: L,
        lists: &SparseRows<'_, L::Scalar>,
        row: usize,
        weights: &[L::Scalar],
    ) {
        // SAFETY: the caller guarantees the requirements of this function.
        unsafe {
            if lists.factors.is_empty() {
                self.add_entries::<false>(lanes, lists, row, weights);
            } else {
                self.add_entries::<true>(lanes, lists, row, weights);
            }
        }
    }

    /// # Safety
    /// Same as [`Self::add_list`]; there are factors if `FACTORS`.
    #[inline(always)]
    unsafe fn add_entries<const FACTORS: bool>(
        &mut self,
        lanes: L,
        lists: &SparseRows<'_, L::Scalar>,
        row: usize,
        weights: &[L::Scalar],
    ) {
        let last = weights.len().saturating_sub(PANEL);
        // SAFETY: starts ascend and end inside offsets and factors; offsets are clamped to `last`, where 64 weights
        // start.
        unsafe {
            let mut entry = *lists.starts.get_unchecked(row) as usize;
            let end = *lists.starts.get_unchecked(row + 1) as usize;
            if Self::VECTORS <= 4 {
                // Additions into one sum wait for one another. Two sums, of even and odd entries, wait half as long.
                let mut odd = Self::zero(lanes);
                while entry + 1 < end {
                    self.add_entry::<FACTORS>(lanes, lists, entry, weights, last);
                    odd.add_entry::<FACTORS>(lanes, lists, entry + 1, weights, last);
                    entry += 2;
                }
                for v in 0..Self::VECTORS {
                    self.0[v] = lanes.add(self.0[v], odd.0[v]);
                }
            }
            while entry < end {
                self.add_entry::<FACTORS>(lanes, lists, entry, weights, last);
                entry += 1;
            }
        }
    }

    /// # Safety
    /// Same as [`Self::add_list`]; `entry` is inside offsets and, if `FACTORS`, factors, and `last` is 64 before the
    /// end of the weights.
    #[inline(always)]
    unsafe fn add_entry<const FACTORS: bool>(
        &mut self,
        lanes: L,
        lists: &SparseRows<'_, L::Scalar>,
        entry: usize,
        weights: &[L::Scalar],
        last: usize,
    ) {
        // SAFETY: guaranteed by the caller.
        unsafe {
            let offset = (*lists.offsets.get_unchecked(entry) as usize).min(last);
            let from = weights.as_ptr().add(offset);
            if FACTORS {
                let factor = lanes.splat(*lists.factors.get_unchecked(entry));
                for v in 0..Self::VECTORS {
                    self.0[v] = lanes.mul_add(factor, lanes.load(from.add(v * L::COUNT)), self.0[v]);
                }
            } else {
                for v in 0..Self::VECTORS {
                    self.0[v] = lanes.add(self.0[v], lanes.load(from.add(v * L::COUNT)));
                }
            }
        }
    }

    /// # Safety
    /// `QUARTERS * 16` numbers are writable at `to`.
    #[inline(always)]
    pub(crate) unsafe fn store(&self, lanes: L, to: *mut L::Scalar) {
        for v in 0..Self::VECTORS {
            // SAFETY: the caller guarantees the row.
            unsafe { lanes.store(to.add(v * L::COUNT), self.0[v]) };
        }
    }
}
