//! Sums of the rows of active units.

use super::{ActiveList, PANEL, TILE, VECTORS_MOST, by_quarters};
use crate::dispatch::{Operation, dispatch};
use crate::lanes::{Lanes, Scalar};
use crate::level::Level;

/// The tiles that lead from each panel of one layer to one panel of the other: tile b is
/// `data[first + b * stride..][..TILE]`.
#[derive(Clone, Copy, Debug)]
pub struct Tiles<'a, T> {
    /// Tiles of all panels.
    pub data: &'a [T],
    /// Where the first one starts.
    pub first: usize,
    /// From one to the next, in elements.
    pub stride: usize,
    /// How many.
    pub count: usize,
}

/// `sums[r]` <- `sums[r]` + the rows of `tiles` that `on` lists for row r, less those that `off` lists; from 0 if
/// `from_zero`.
///
/// **Shapes** `on` (tiles, rows); `off` the same, or empty; `sums` (rows, 64), of which the first `columns` are
/// touched, rounded up to 16.
/// **Panics** if the lengths do not fit.
/// **Accuracy and cost** One chain of additions a sum, in the order of tiles and places, the same at every level;
/// a vector addition for each 16 columns of an active unit.
#[track_caller]
pub fn add_rows<T: Scalar>(
    level: Level,
    tiles: Tiles<'_, T>,
    on: &[ActiveList],
    off: &[ActiveList],
    from_zero: bool,
    columns: usize,
    sums: &mut [T],
) {
    let rows = sums.len() / PANEL;
    assert!(
        rows * PANEL == sums.len()
            && on.len() == tiles.count * rows
            && (off.is_empty() || off.len() == on.len()),
        "{} sums of 64 with {} and {} lists from {} tiles",
        sums.len(),
        on.len(),
        off.len(),
        tiles.count
    );
    let end = tiles
        .count
        .checked_sub(1)
        .map_or(Some(0), |last| last.checked_mul(tiles.stride)?.checked_add(tiles.first)?.checked_add(TILE));
    assert!(
        end.is_some_and(|end| end <= tiles.data.len()),
        "{} tiles from {} every {} in {} elements",
        tiles.count,
        tiles.first,
        tiles.stride,
        tiles.data.len()
    );
    if rows == 0 {
        return;
    }
    dispatch(level, AddRows { tiles, on, off, from_zero, columns, rows, sums: sums.as_mut_ptr() });
}

struct AddRows<'a, T> {
    tiles: Tiles<'a, T>,
    on: &'a [ActiveList],
    off: &'a [ActiveList],
    from_zero: bool,
    columns: usize,
    rows: usize,
    sums: *mut T,
}

impl<T: Scalar> Operation<T> for AddRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        // SAFETY: `add_rows` checked lengths and spans.
        unsafe { by_quarters!(self.columns.div_ceil(16), add::<L>(lanes, &self)) }
    }
}

/// Tiles that stay in L1 together.
const TOGETHER: usize = 2;

/// # Safety
/// The lists, tiles and sums are as long as [`add_rows`] asks.
#[inline(always)]
unsafe fn add<L: Lanes, const QUARTERS: usize>(lanes: L, job: &AddRows<'_, L::Scalar>) {
    let AddRows { tiles, on, off, rows, .. } = *job;
    if tiles.count == 0 && job.from_zero {
        // SAFETY: `sums` has rows * PANEL elements.
        unsafe { core::slice::from_raw_parts_mut(job.sums, rows * PANEL) }.fill(L::Scalar::ZERO);
    }
    for first in (0..tiles.count).step_by(TOGETHER) {
        let block = first..(first + TOGETHER).min(tiles.count);
        // Each row asks for a part of the next tiles, which come from L3 or beyond.
        let next = tiles.data.as_ptr().wrapping_add(tiles.first + block.end * tiles.stride);
        let ahead = (TILE / L::COUNT).div_ceil(rows);
        for row in 0..rows {
            for line in row * ahead..(row + 1) * ahead {
                for tile in 0..TOGETHER {
                    lanes.prefetch::<true>(next.wrapping_add(tile * tiles.stride + line * L::COUNT));
                }
            }
            // SAFETY: row < rows, block inside the tiles; lists hold places below 64.
            unsafe {
                let place = job.sums.add(row * PANEL);
                let mut sum = if first == 0 && job.from_zero {
                    Row::<L, QUARTERS>::zero(lanes)
                } else {
                    Row::load(lanes, place)
                };
                for tile in block.clone() {
                    let weights = tiles.data.as_ptr().add(tiles.first + tile * tiles.stride);
                    for &active in on.get_unchecked(tile * rows + row).places() {
                        sum.add(lanes, weights.add(usize::from(active) % PANEL * PANEL));
                    }
                    if !off.is_empty() {
                        for &active in off.get_unchecked(tile * rows + row).places() {
                            sum.sub(lanes, weights.add(usize::from(active) % PANEL * PANEL));
                        }
                    }
                }
                sum.store(lanes, place);
            }
        }
    }
}

/// `QUARTERS * 16` numbers in registers.
pub(super) struct Row<L: Lanes, const QUARTERS: usize>(pub [L::Vector; VECTORS_MOST]);

impl<L: Lanes, const QUARTERS: usize> Row<L, QUARTERS> {
    pub const VECTORS: usize = QUARTERS * 16 / L::COUNT;

    #[inline(always)]
    pub fn zero(lanes: L) -> Self {
        Self([lanes.zero(); VECTORS_MOST])
    }

    /// # Safety
    /// A row of numbers is readable there.
    #[inline(always)]
    pub unsafe fn load(lanes: L, from: *const L::Scalar) -> Self {
        let mut row = Self::zero(lanes);
        for v in 0..Self::VECTORS {
            // SAFETY: the caller owes the row.
            row.0[v] = unsafe { lanes.load(from.add(v * L::COUNT)) };
        }
        row
    }

    /// # Safety
    /// As [`Self::load`].
    #[inline(always)]
    pub unsafe fn add(&mut self, lanes: L, from: *const L::Scalar) {
        for v in 0..Self::VECTORS {
            // SAFETY: the caller owes the row.
            self.0[v] = lanes.add(self.0[v], unsafe { lanes.load(from.add(v * L::COUNT)) });
        }
    }

    /// # Safety
    /// As [`Self::load`].
    #[inline(always)]
    pub unsafe fn sub(&mut self, lanes: L, from: *const L::Scalar) {
        for v in 0..Self::VECTORS {
            // SAFETY: the caller owes the row.
            self.0[v] = lanes.sub(self.0[v], unsafe { lanes.load(from.add(v * L::COUNT)) });
        }
    }

    /// # Safety
    /// A row of numbers is writable there.
    #[inline(always)]
    pub unsafe fn store(&self, lanes: L, to: *mut L::Scalar) {
        for v in 0..Self::VECTORS {
            // SAFETY: the caller owes the row.
            unsafe { lanes.store(to.add(v * L::COUNT), self.0[v]) };
        }
    }
}
