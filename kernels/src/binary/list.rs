//! Lists of the weight rows that a product with bits adds.

use super::{PANEL, TILE, panel_units};
use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;

/// A sparse matrix by rows: row r is the sum over e in `starts[r]..starts[r + 1]` of `factors[e]` times the 64 numbers
/// that start at `offsets[e]`.
#[derive(Clone, Copy, Debug)]
pub struct SparseRows<'a, T> {
    /// Index of each row's first entry, ascending; one more element than there are rows.
    pub starts: &'a [u32],
    /// The offset in the other operand at which each entry's row starts.
    pub offsets: &'a [u32],
    /// The factor of each entry; empty if all are 1.
    pub factors: &'a [T],
    /// A permutation of the rows: the order in which they are processed. Increasing length is best, because the ends of
    /// lists are then predictable.
    pub order: &'a [u32],
}

/// The writable form of [`SparseRows`]. `offsets` has room for [`SparseMut::room`] entries, and so does `factors`,
/// unless all are 1.
#[derive(Debug)]
pub struct SparseMut<'a, T> {
    /// One more than there are rows.
    pub starts: &'a mut [u32],
    /// The offset in the other operand at which each entry's row starts.
    pub offsets: &'a mut [u32],
    /// The factor of each entry; [`list_states`] does not write them.
    pub factors: &'a mut [T],
    /// The rows in order of increasing length, if there are many rows.
    pub order: &'a mut [u32],
}

impl<T> SparseMut<'_, T> {
    /// The number of entries that lists for `rows` rows with up to `most` entries each need room for, including
    /// scratch.
    ///
    /// **Panics** if the number exceeds the range of [`SparseRows::starts`], 2^32.
    #[track_caller]
    pub const fn room(rows: usize, most: usize) -> usize {
        let entries = rows.checked_mul(most).expect("lists must have fewer than 2^32 entries");
        assert!(entries <= u32::MAX as usize - SLACK, "lists must have fewer than 2^32 entries");
        entries + SLACK
    }

    #[track_caller]
    fn check(&self, rows: usize, most: usize, has_factors: bool) {
        let room = Self::room(rows, most);
        assert!(
            self.order.len() == rows
                && self.starts.len() == rows + 1
                && self.offsets.len() >= room
                && (self.factors.len() >= room || !has_factors),
            "{} starts, an order of {}, {} offsets and {} factors for {rows} rows of up to {most} entries",
            self.starts.len(),
            self.order.len(),
            self.offsets.len(),
            self.factors.len()
        );
    }
}

/// Entries are written 16 at a time, even if fewer are needed.
const SLACK: usize = 16;

/// Lists the active units of `states` (panels, `stride`) for each row r of `rows`. Unit j of panel p is at offset `p *
/// tile_stride + 64 j`. The factors are 1 and are not written.
///
/// `states` starts at the first of the rows; panel p starts at `states[p * stride]`.
///
/// **Panics** if the lengths do not match, or if an offset does not fit `u32`.
#[track_caller]
pub fn list_states<T: Scalar>(
    level: Level,
    states: &[u64],
    stride: usize,
    rows: usize,
    tile_stride: u32,
    lists: SparseMut<'_, T>,
) {
    let panels = panels_of(states.len(), stride, rows, tile_stride);
    lists.check(rows, panels * PANEL, false);
    let which = Selection::On;
    dispatch(level, ListStates { which, states, stride, rows, panels, tile_stride, lists });
}

/// Like [`list_states`], but lists the inactive units of each row in which more than half of the `units` units of the
/// panels are on. `are_off[r]` becomes true for such a row r.
///
/// **Shapes** `are_off` (rows); its length is the number of rows.
///
/// **Panics** Same as [`list_states`].
#[track_caller]
pub fn list_minority<T: Scalar>(
    level: Level,
    states: &[u64],
    units: usize,
    stride: usize,
    tile_stride: u32,
    lists: SparseMut<'_, T>,
    are_off: &mut [bool],
) {
    let rows = are_off.len();
    let panels = panels_of(states.len(), stride, rows, tile_stride);
    lists.check(rows, panels * PANEL, false);
    let which = Selection::Smaller { units, are_off };
    dispatch(level, ListStates { which, states, stride, rows, panels, tile_stride, lists });
}

/// Like [`list_states`], but lists the units that are on only in `to` with factor 1 and the units that are on only in
/// `from` with factor -1.
///
/// **Panics** Same as [`list_states`].
#[track_caller]
pub fn list_changes<T: Scalar>(
    level: Level,
    [from, to]: [&[u64]; 2],
    stride: usize,
    rows: usize,
    tile_stride: u32,
    lists: SparseMut<'_, T>,
) {
    let panels = panels_of(to.len(), stride, rows, tile_stride);
    assert!(from.len() == to.len(), "{} and {} words", from.len(), to.len());
    lists.check(rows, panels * PANEL, true);
    let which = Selection::Changed { from };
    dispatch(level, ListStates { which, states: to, stride, rows, panels, tile_stride, lists });
}

/// The number of panels in `words` words, where the rows of each panel start `stride` words after those of the previous
/// one.
#[track_caller]
fn panels_of(words: usize, stride: usize, rows: usize, tile_stride: u32) -> usize {
    let panels = words.div_ceil(stride.max(1));
    let last = panels.saturating_sub(1);
    let end = last.checked_mul(stride).and_then(|first| first.checked_add(rows));
    assert!(
        rows <= stride && end.is_some_and(|end| panels == 0 || end <= words),
        "{words} words do not hold panels of {rows} rows with a stride of {stride}"
    );
    // The last unit of the last panel.
    let offset = last.checked_mul(tile_stride as usize).and_then(|first| first.checked_add(TILE));
    assert!(
        offset.is_some_and(|offset| offset <= u32::MAX as usize),
        "the offsets of {panels} panels with a stride of {tile_stride} do not fit 32 bits"
    );
    panels
}

/// The units that are listed.
enum Selection<'a> {
    On,
    Smaller { units: usize, are_off: &'a mut [bool] },
    Changed { from: &'a [u64] },
}

struct ListStates<'a, T> {
    which: Selection<'a>,
    states: &'a [u64],
    stride: usize,
    rows: usize,
    panels: usize,
    tile_stride: u32,
    lists: SparseMut<'a, T>,
}

impl<T: Scalar> Operation<T> for ListStates<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(mut self, lanes: L) {
        let mut out = Writer::new(self.lists.offsets, self.lists.factors);
        for row in 0..self.rows {
            self.lists.starts[row] = out.len;
            if let Selection::Smaller { units, are_off } = &mut self.which {
                let words = (0..self.panels).map(|panel| self.states[panel * self.stride + row]);
                let ones: u32 = words.map(u64::count_ones).sum();
                are_off[row] = 2 * ones as usize > *units;
            }
            for panel in 0..self.panels {
                let index = panel * self.stride + row;
                let (to, first) = (self.states[index], panel as u32 * self.tile_stride);
                // SAFETY: a row lists a unit at most once, and `check` proved that there is room for all units of all
                // rows.
                unsafe {
                    match &self.which {
                        Selection::On => out.push_parts::<_, false>(lanes, to, 4, first, T::ONE),
                        Selection::Smaller { units, are_off } => {
                            let off = !to & in_use(panel_units(*units, panel));
                            let smaller = if are_off[row] { off } else { to };
                            out.push_parts::<_, false>(lanes, smaller, 4, first, T::ONE);
                        }
                        Selection::Changed { from } => {
                            let from = from[index];
                            out.push(lanes, to & !from, first, T::ONE);
                            out.push(lanes, from & !to, first, -T::ONE);
                        }
                    }
                }
            }
        }
        self.lists.starts[self.rows] = out.len;
        sort_by_length(self.lists.starts, self.panels * PANEL, self.lists.order);
    }
}

/// A mask of the first `units` units of a panel.
const fn in_use(units: usize) -> u64 {
    if units == PANEL { u64::MAX } else { (1 << units) - 1 }
}

/// Number of different lengths that the sort distinguishes.
const DISTINCT_LENGTHS: usize = 256;

/// Smallest number of rows for which sorting pays off.
const SORT_MIN_ROWS: usize = 32;

/// `order` <- the rows by increasing length, rows of equal length in ascending order: a counting sort. No length exceeds
/// `most`.
/// Few rows are left unsorted.
fn sort_by_length(starts: &[u32], most: usize, order: &mut [u32]) {
    if order.len() < SORT_MIN_ROWS {
        order.iter_mut().enumerate().for_each(|(row, entry)| *entry = row as u32);
        return;
    }
    let most = most.min(DISTINCT_LENGTHS - 1);
    let length = |row: usize| ((starts[row + 1] - starts[row]) as usize).min(most);
    let mut positions = [0_u32; DISTINCT_LENGTHS + 1];
    for row in 0..order.len() {
        positions[length(row) + 1] += 1;
    }
    for i in 1..=most {
        positions[i] += positions[i - 1];
    }
    for row in 0..order.len() {
        let position = &mut positions[length(row)];
        order[*position as usize] = row as u32;
        *position += 1;
    }
}

/// Appends entries to lists.
struct Writer<T> {
    offsets: *mut u32,
    factors: *mut T,
    len: u32,
}

impl<T: Scalar> Writer<T> {
    fn new(offsets: &mut [u32], factors: &mut [T]) -> Self {
        Self { offsets: offsets.as_mut_ptr(), factors: factors.as_mut_ptr(), len: 0 }
    }

    /// Appends an entry for each 1 bit of `word`.
    ///
    /// # Safety
    /// There is room for the entries and for [`SLACK`] more.
    #[inline(always)]
    unsafe fn push<L: Lanes<Scalar = T>>(&mut self, lanes: L, word: u64, first: u32, factor: T) {
        // SAFETY: the caller guarantees the requirements of this function.
        unsafe { self.push_parts::<_, true>(lanes, word, 4, first, factor) };
    }

    /// Like [`Self::push`], for the first `parts` groups of 16 bits; the other bits must be 0. Writes factors only if
    /// `FACTORS`.
    ///
    /// # Safety
    /// Same as [`Self::push`].
    #[inline(always)]
    unsafe fn push_parts<L: Lanes<Scalar = T>, const FACTORS: bool>(
        &mut self,
        lanes: L,
        word: u64,
        parts: u32,
        first: u32,
        factor: T,
    ) {
        let factor = lanes.splat(factor);
        for part in 0..parts {
            let bits = (word >> (16 * part)) as u16;
            // SAFETY: the caller guarantees room for the entries so far and 16 more in both.
            unsafe {
                let at = self.len as usize;
                lanes.store_bit_indices(bits, first + 1024 * part, self.offsets.add(at));
                if FACTORS {
                    for lane in (0..16).step_by(L::COUNT) {
                        lanes.store(self.factors.add(at + lane), factor);
                    }
                }
            }
            self.len += bits.count_ones();
        }
    }
}

/// The rows in which each of the 64 units of a panel is on (blocks of 64 rows, 64 units), in the format of
/// [`transpose_states`](super::transpose_states).
#[derive(Clone, Copy, Debug)]
pub struct Occurrences<'a, T> {
    /// States of the positive phase.
    pub positive: &'a [u64],
    /// States of the negative phase.
    pub negative: &'a [u64],
    /// The earlier states of the negative phase, relative to which its changes are listed: empty, or as long as
    /// `negative`.
    pub since: &'a [u64],
    /// Number of rows of the positive phase and of the negative phase, which follows it.
    pub rows: [usize; 2],
    /// Factors of the positive and of the negative phase.
    pub factors: [T; 2],
}

/// Lists, for each of the 64 units of a panel, the rows of both phases in which it is on: row r is at offset 64 r. If
/// `since` is not empty, the changes from `since` to `negative` are listed for the negative phase; units that were
/// switched off get the opposite factor.
///
/// **Panics** if the lengths do not match, or if an offset does not fit `u32`.
#[track_caller]
pub fn list_occurrences<T: Scalar>(level: Level, occurrences: Occurrences<'_, T>, lists: SparseMut<'_, T>) {
    let Occurrences { positive, negative, since, .. } = occurrences;
    // Row r is at offset 64 r.
    let most = u32::MAX as usize / PANEL;
    let rows = occurrences.rows[0].checked_add(occurrences.rows[1]);
    assert!(
        rows.is_some_and(|rows| rows <= most),
        "occurrences in {:?} rows: the total exceeds {most}",
        occurrences.rows
    );
    let words = occurrences.rows.map(|rows| rows.next_multiple_of(PANEL));
    assert!(
        (positive.is_empty() || positive.len() == words[0])
            && negative.len() == words[1]
            && (since.is_empty() || since.len() == negative.len()),
        "{}, {} and {} words of transposed states for {:?} rows",
        positive.len(),
        negative.len(),
        since.len(),
        occurrences.rows
    );
    lists.check(PANEL, positive.len() + negative.len(), true);
    dispatch(level, ListOccurrences { occurrences, lists });
}

struct ListOccurrences<'a, T> {
    occurrences: Occurrences<'a, T>,
    lists: SparseMut<'a, T>,
}

impl<T: Scalar> Operation<T> for ListOccurrences<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let Self { occurrences, lists } = self;
        let [plus, minus] = occurrences.factors;
        let second = (occurrences.rows[0] * PANEL) as u32;
        // The number of groups of 16 bits in a block's words that belong to rows.
        let parts = |rows: usize, block: usize| (rows - block * PANEL).div_ceil(16).min(4) as u32;
        let mut out = Writer::new(lists.offsets, lists.factors);
        for unit in 0..PANEL {
            lists.starts[unit] = out.len;
            // SAFETY: a row is listed at most once per phase, and `check` proved that there is room for all.
            unsafe {
                for (block, words) in occurrences.positive.chunks_exact(PANEL).enumerate() {
                    let parts = parts(occurrences.rows[0], block);
                    out.push_parts::<_, true>(
                        lanes,
                        words[unit],
                        parts,
                        (block * PANEL * PANEL) as u32,
                        plus,
                    );
                }
                for (block, words) in occurrences.negative.chunks_exact(PANEL).enumerate() {
                    let (now, first) = (words[unit], second + (block * PANEL * PANEL) as u32);
                    let parts = parts(occurrences.rows[1], block);
                    let then = occurrences.since.get(block * PANEL + unit).copied().unwrap_or(0);
                    out.push_parts::<_, true>(lanes, now & !then, parts, first, minus);
                    if then & !now != 0 {
                        out.push_parts::<_, true>(lanes, then & !now, parts, first, -minus);
                    }
                }
            }
        }
        lists.starts[PANEL] = out.len;
        let most = occurrences.rows[0] + occurrences.rows[1];
        sort_by_length(lists.starts, most, lists.order);
    }
}
