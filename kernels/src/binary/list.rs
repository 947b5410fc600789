//! Lists of the rows of weights that a product with bits adds.

use super::{PANEL, TILE, panel_units};
use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;

/// A sparse matrix by rows: row r is the sum over e in `starts[r]..starts[r + 1]` of `factors[e]` times the 64 numbers
/// from `offsets[e]` on.
#[derive(Clone, Copy, Debug)]
pub struct SparseRows<'a, T> {
    /// Rising; one more than there are rows.
    pub starts: &'a [u32],
    /// Where rows start in the other operand.
    pub offsets: &'a [u32],
    /// What rows are multiplied by; empty if by 1.
    pub factors: &'a [T],
    /// The rows, each once, in the order in which to take them: best by rising length, so that the ends of lists can
    /// be foreseen.
    pub order: &'a [u32],
}

/// As [`SparseRows`], to write. Offsets have room for [`SparseMut::room`] entries, and so have factors, unless all are 1.
#[derive(Debug)]
pub struct SparseMut<'a, T> {
    /// One more than there are rows.
    pub starts: &'a mut [u32],
    /// Where rows start in the other operand.
    pub offsets: &'a mut [u32],
    /// What rows are multiplied by; [`list_states`] leaves them as they are.
    pub factors: &'a mut [T],
    /// The rows by rising length, if there are many.
    pub order: &'a mut [u32],
}

impl<T> SparseMut<'_, T> {
    /// Entries that lists of `rows` rows with up to `most` entries each need room for; some are scratch.
    ///
    /// **Panics** if they are more than [`SparseRows::starts`] can count, 2^32.
    #[track_caller]
    pub const fn room(rows: usize, most: usize) -> usize {
        let entries = rows.checked_mul(most).expect("lists have fewer than 2^32 entries");
        assert!(entries <= u32::MAX as usize - SLACK, "lists have fewer than 2^32 entries");
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
            "{} starts, {} places, {} offsets and {} factors for {rows} rows of up to {most} entries",
            self.starts.len(),
            self.order.len(),
            self.offsets.len(),
            self.factors.len()
        );
    }
}

/// Places that are written 16 at a time, whether needed or not.
const SLACK: usize = 16;

/// Lists for row r, of `rows`, the active units of `states` (panels, `stride`): unit j of panel p is at offset
/// `p * tile_stride + 64 j`. Their factors are 1 and not written.
///
/// `states` starts at the first of the rows; panel p is at `states[p * stride..]`.
///
/// **Panics** if the lengths do not fit, or an offset does not fit `u32`.
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
    let which = Which::On;
    dispatch(level, ListStates { which, states, stride, rows, panels, tile_stride, lists });
}

/// As [`list_states`], but of a row in which more than half of the panels' `units` units are on, those that are off;
/// `are_off[r]` says so of row r.
///
/// **Shapes** `are_off` (rows); there are as many as that.
/// **Panics** as [`list_states`].
#[track_caller]
pub fn list_fewer<T: Scalar>(
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
    let which = Which::Fewer { units, are_off };
    dispatch(level, ListStates { which, states, stride, rows, panels, tile_stride, lists });
}

/// As [`list_states`], the units that are on in `to` alone with factor 1 and those that are on in `from` alone with
/// factor -1.
///
/// **Panics** as [`list_states`].
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
    let which = Which::Changed { from };
    dispatch(level, ListStates { which, states: to, stride, rows, panels, tile_stride, lists });
}

/// The panels that `words` words hold, where the rows of one begin `stride` words after those of the one before.
#[track_caller]
fn panels_of(words: usize, stride: usize, rows: usize, tile_stride: u32) -> usize {
    let panels = words.div_ceil(stride.max(1));
    let last = panels.saturating_sub(1);
    let end = last.checked_mul(stride).and_then(|first| first.checked_add(rows));
    assert!(
        rows <= stride && end.is_some_and(|end| panels == 0 || end <= words),
        "{rows} rows of every {stride} in {words} words"
    );
    // The last unit of the last panel.
    let offset = last.checked_mul(tile_stride as usize).and_then(|first| first.checked_add(TILE));
    assert!(
        offset.is_some_and(|offset| offset <= u32::MAX as usize),
        "offsets of {panels} panels, {tile_stride} apart, are not all below 2^32"
    );
    panels
}

/// The units that are listed.
enum Which<'a> {
    On,
    Fewer { units: usize, are_off: &'a mut [bool] },
    Changed { from: &'a [u64] },
}

struct ListStates<'a, T> {
    which: Which<'a>,
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
            if let Which::Fewer { units, are_off } = &mut self.which {
                let words = (0..self.panels).map(|panel| self.states[panel * self.stride + row]);
                let ones: u32 = words.map(u64::count_ones).sum();
                are_off[row] = 2 * ones as usize > *units;
            }
            for panel in 0..self.panels {
                let place = panel * self.stride + row;
                let (to, first) = (self.states[place], panel as u32 * self.tile_stride);
                // SAFETY: a row lists a unit at most once, and `check` saw room for all units of all rows.
                unsafe {
                    match &self.which {
                        Which::On => out.push_parts::<_, false>(lanes, to, 4, first, T::ONE),
                        Which::Fewer { units, are_off } => {
                            let off = !to & in_use(panel_units(*units, panel));
                            let fewer = if are_off[row] { off } else { to };
                            out.push_parts::<_, false>(lanes, fewer, 4, first, T::ONE);
                        }
                        Which::Changed { from } => {
                            let from = from[place];
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

/// A bit for each of the first `units` units of a panel.
const fn in_use(units: usize) -> u64 {
    if units == PANEL { u64::MAX } else { (1 << units) - 1 }
}

/// Lengths that are told apart.
const LENGTHS: usize = 256;

/// Rows from which sorting them pays.
const SORTED_FROM: usize = 32;

/// `order` <- the rows by rising length, up to `most`, those of equal length in turn: a counting sort. Few rows stay as
/// they are.
fn sort_by_length(starts: &[u32], most: usize, order: &mut [u32]) {
    if order.len() < SORTED_FROM {
        order.iter_mut().enumerate().for_each(|(row, place)| *place = row as u32);
        return;
    }
    let most = most.min(LENGTHS - 1);
    let length = |row: usize| ((starts[row + 1] - starts[row]) as usize).min(most);
    let mut places = [0_u32; LENGTHS + 1];
    for row in 0..order.len() {
        places[length(row) + 1] += 1;
    }
    for i in 1..=most {
        places[i] += places[i - 1];
    }
    for row in 0..order.len() {
        let place = &mut places[length(row)];
        order[*place as usize] = row as u32;
        *place += 1;
    }
}

/// Appends to lists.
struct Writer<T> {
    offsets: *mut u32,
    factors: *mut T,
    len: u32,
}

impl<T: Scalar> Writer<T> {
    fn new(offsets: &mut [u32], factors: &mut [T]) -> Self {
        Self { offsets: offsets.as_mut_ptr(), factors: factors.as_mut_ptr(), len: 0 }
    }

    /// An entry for each bit of `word`.
    ///
    /// # Safety
    /// There is room for the entries and [`SLACK`] more.
    #[inline(always)]
    unsafe fn push<L: Lanes<Scalar = T>>(&mut self, lanes: L, word: u64, first: u32, factor: T) {
        // SAFETY: passed on.
        unsafe { self.push_parts::<_, true>(lanes, word, 4, first, factor) };
    }

    /// As [`Self::push`], for the first `parts` times 16 bits; there are no others. Factors only if there are to be any.
    ///
    /// # Safety
    /// As for [`Self::push`].
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
            // SAFETY: the entries so far and 16 places are inside both, by the caller.
            unsafe {
                let at = self.len as usize;
                lanes.store_places(bits, first + 1024 * part, self.offsets.add(at));
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

/// In which rows the 64 units of a panel are on (blocks of 64 rows, 64 units), as
/// [`transpose_states`](super::transpose_states) has it.
#[derive(Clone, Copy, Debug)]
pub struct Occurrences<'a, T> {
    /// States of the positive phase.
    pub positive: &'a [u64],
    /// States of the negative phase.
    pub negative: &'a [u64],
    /// What the negative phase's changes are counted from: empty, or as long as `negative`.
    pub since: &'a [u64],
    /// Rows of the positive and of the negative phase, which follow them.
    pub rows: [usize; 2],
    /// Factors of the positive and the negative phase.
    pub factors: [T; 2],
}

/// Lists for each of the 64 units of a panel the rows of both phases in which it is on: row r is at offset 64 r. If
/// `since` is not empty, the negative phase's are the changes since then, the units that went off with the
/// opposite factor.
///
/// **Panics** if the lengths do not fit, or an offset does not fit `u32`.
#[track_caller]
pub fn list_occurrences<T: Scalar>(level: Level, occurrences: Occurrences<'_, T>, lists: SparseMut<'_, T>) {
    let Occurrences { positive, negative, since, .. } = occurrences;
    // Row r is at offset 64 r.
    let most = u32::MAX as usize / PANEL;
    let rows = occurrences.rows[0].checked_add(occurrences.rows[1]);
    assert!(
        rows.is_some_and(|rows| rows <= most),
        "occurrences in {:?} rows, in all more than {most}",
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
        // Bits of a block's words that are rows, in parts of 16.
        let parts = |rows: usize, block: usize| (rows - block * PANEL).div_ceil(16).min(4) as u32;
        let mut out = Writer::new(lists.offsets, lists.factors);
        for unit in 0..PANEL {
            lists.starts[unit] = out.len;
            // SAFETY: a row is listed at most once a phase, and `check` saw room for all.
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
