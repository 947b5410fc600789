//! The learning step of a tile of weights: adds the gradient's sums over a mini-batch directly to velocity and weight.

use super::rows::{Row, check_columns};
use super::{PANEL, SparseRows, TILE, TabledRows, by_quarters};
use crate::dispatch::dispatch;
use crate::lanes::constants::Constants;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;

/// The hyperparameters of a step.
#[derive(Clone, Copy, Debug)]
pub struct Step<T> {
    /// Factor of the last velocity; if 0, the velocity is neither read nor written.
    pub momentum: T,
    /// Learning rate times weight decay.
    pub shrink: T,
}

/// The arrays that a step changes: [`TILE`] elements each, row after row.
#[derive(Debug)]
pub struct Tile<'a, T> {
    /// Row i belongs to unit i of this tile's panel.
    pub weight: &'a mut [T],
    /// The velocity: the last step.
    pub velocity: &'a mut [T],
    /// Becomes the transpose of `weight`.
    pub transposed: &'a mut [T],
}

/// The sums over a mini-batch from which a tile learns, one row for each of its 64 units.
#[derive(Clone, Copy, Debug)]
pub enum Sums<'a, T> {
    /// Row i of the lists times the values.
    Listed {
        /// 64 rows.
        lists: SparseRows<'a, T>,
        /// The values that the lists' offsets index.
        values: &'a [T],
    },
    /// The sums of the rows in which each unit is on, from tables.
    Tabled(TabledRows<'a, T>),
}

/// Updates the first `units` rows i of a tile:
///
/// ```text
/// velocity_i <- momentum velocity_i + sums_i - shrink weight_i
/// weight_i   <- weight_i + velocity_i
/// ```
///
/// `transposed` becomes the transpose of the used part, rounded up to whole vectors. A velocity below the smallest
/// normal number becomes 0. Returns whether all weights are finite afterwards.
///
/// **Shapes** The first `columns` of 64 are used, rounded up to 16.
///
/// **Panics** if the lengths do not match.
#[track_caller]
pub fn update_tile<T: Scalar>(
    level: Level,
    sums: Sums<'_, T>,
    step: Step<T>,
    units: usize,
    columns: usize,
    tile: Tile<'_, T>,
) -> bool {
    check_columns(columns);
    match sums {
        Sums::Listed { lists, values } => {
            assert!(lists.starts.len() == PANEL + 1, "{} starts for 64 units", lists.starts.len());
            lists.check(values.len());
        }
        Sums::Tabled(tabled) => tabled.check(),
    }
    let lengths = [tile.weight.len(), tile.velocity.len(), tile.transposed.len()];
    assert!(lengths == [TILE; 3] && units <= PANEL, "a tile of {lengths:?} elements with {units} units");
    dispatch(level, Update { sums, step, units, columns, tile })
}

struct Update<'a, T> {
    sums: Sums<'a, T>,
    step: Step<T>,
    units: usize,
    columns: usize,
    tile: Tile<'a, T>,
}

impl<T: Scalar> Operation<T> for Update<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(mut self, lanes: L) -> bool {
        // SAFETY: `update_tile` checked lengths and lists.
        let finite = unsafe { by_quarters!(self.columns.div_ceil(16), update::<L>(lanes, &mut self)) };
        let rows = self.columns.min(PANEL);
        // SAFETY: both have TILE elements.
        unsafe {
            transpose(lanes, self.tile.weight.as_ptr(), self.units, rows, self.tile.transposed.as_mut_ptr())
        };
        finite
    }
}

/// # Safety
/// Lengths and lists are those that [`update_tile`] checks.
#[inline(always)]
unsafe fn update<L: Lanes, const QUARTERS: usize>(lanes: L, job: &mut Update<'_, L::Scalar>) -> bool {
    let (momentum, shrink) = (lanes.splat(job.step.momentum), lanes.splat(-job.step.shrink));
    let keeps = job.step.momentum != L::Scalar::ZERO;
    // x * 0 is 0 for finite x and NaN otherwise; a NaN stays in every sum.
    let mut nan_check = lanes.zero();
    for address in 0..PANEL {
        let unit = match &job.sums {
            Sums::Listed { lists, .. } => lists.order[address] as usize,
            Sums::Tabled(_) => address,
        };
        if unit >= job.units {
            continue;
        }
        // SAFETY: unit < units <= 64, and `check` accepted its list.
        unsafe {
            let velocity = job.tile.velocity.as_mut_ptr().add(unit * PANEL);
            let weight = job.tile.weight.as_mut_ptr().add(unit * PANEL);
            // Prefetches the lines of the next tile, which come from L3 or memory.
            let transposed = job.tile.transposed.as_mut_ptr().wrapping_add(unit * PANEL);
            let addresses = if keeps { &[weight, transposed, velocity][..] } else { &[weight, transposed] };
            for &address in addresses {
                for v in 0..Row::<L, QUARTERS>::VECTORS {
                    lanes.prefetch::<true>(address.wrapping_add(TILE + v * L::COUNT));
                }
            }
            let mut step = Row::<L, QUARTERS>::zero(lanes);
            if keeps {
                step = Row::load(lanes, velocity);
                for v in 0..Row::<L, QUARTERS>::VECTORS {
                    step.0[v] = lanes.mul(momentum, step.0[v]);
                }
            }
            match &job.sums {
                Sums::Listed { lists, values } => step.add_list(lanes, lists, unit, values),
                Sums::Tabled(tabled) => step.add_tabled(lanes, tabled, unit),
            }
            let mut w = Row::<L, QUARTERS>::load(lanes, weight);
            for v in 0..Row::<L, QUARTERS>::VECTORS {
                step.0[v] = lanes.mul_add(shrink, w.0[v], step.0[v]);
                w.0[v] = lanes.add(w.0[v], step.0[v]);
                nan_check = lanes.mul_add(w.0[v], lanes.zero(), nan_check);
            }
            if keeps {
                for v in 0..Row::<L, QUARTERS>::VECTORS {
                    step.0[v] = lanes.flush_below(L::Scalar::SMALLEST_NORMAL, step.0[v]);
                }
                step.store(lanes, velocity);
            }
            w.store(lanes, weight);
        }
    }
    lanes.sum(nan_check) == L::Scalar::ZERO
}

/// `to` <- the transpose of `from`.
///
/// **Panics** unless both are [`TILE`]s.
#[track_caller]
pub fn transpose_tile<T: Scalar>(level: Level, from: &[T], to: &mut [T]) {
    assert!(from.len() == TILE && to.len() == TILE, "tiles of {} and {} elements", from.len(), to.len());
    dispatch(level, Transpose { from, to });
}

struct Transpose<'a, T> {
    from: &'a [T],
    to: &'a mut [T],
}

impl<T: Scalar> Operation<T> for Transpose<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        // SAFETY: `transpose_tile` checked the lengths.
        unsafe { transpose(lanes, self.from.as_ptr(), PANEL, PANEL, self.to.as_mut_ptr()) };
    }
}

/// `to` <- the transpose of the first `rows` rows and `columns` columns of `from`, both rounded up to whole vectors.
///
/// # Safety
/// Both are tiles; `rows` and `columns` are at most 64.
#[inline(always)]
unsafe fn transpose<L: Lanes>(
    lanes: L,
    from: *const L::Scalar,
    rows: usize,
    columns: usize,
    to: *mut L::Scalar,
) {
    for row in (0..rows).step_by(L::COUNT) {
        for column in (0..columns).step_by(L::COUNT) {
            let mut square = [lanes.zero(); 16];
            // SAFETY: COUNT divides 64, so squares are inside the tiles.
            unsafe {
                for (i, line) in square.iter_mut().enumerate().take(L::COUNT) {
                    *line = lanes.load(from.add((row + i) * PANEL + column));
                }
                lanes.transpose(&mut square);
                for (i, &line) in square.iter().enumerate().take(L::COUNT) {
                    lanes.store(to.add((column + i) * PANEL + row), line);
                }
            }
        }
    }
}
