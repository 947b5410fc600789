//! The learning step of a tile of weights: the gradient's sums over a mini-batch, straight into velocity and weight.

use super::rows::Row;
use super::{ActiveList, PANEL, TILE, by_quarters};
use crate::dispatch::{Operation, dispatch};
use crate::lanes::{Lanes, Scalar};
use crate::level::Level;

/// One side of the gradient: `scale` times the sum of the rows of `values` in which a unit is on.
#[derive(Clone, Copy, Debug)]
pub struct Phase<'a, T> {
    /// Rows in which each unit is on (blocks of 64 rows, 64 units), places counting within a block.
    pub on: &'a [ActiveList],
    /// Rows to subtract, likewise; or empty.
    pub off: &'a [ActiveList],
    /// (rows, 64)
    pub values: &'a [T],
    /// Learning rate over number of rows; negative for the negative phase.
    pub scale: T,
}

/// The numbers of a step.
#[derive(Clone, Copy, Debug)]
pub struct Weights<T> {
    /// Share of the last velocity that is kept; the velocity is not read if 0.
    pub momentum: T,
    /// Learning rate times weight decay.
    pub shrink: T,
}

/// What a step changes: each [`TILE`] elements, row after row.
#[derive(Debug)]
pub struct Tile<'a, T> {
    /// Row i is unit i of this tile's panel.
    pub weight: &'a mut [T],
    /// The last step.
    pub velocity: &'a mut [T],
    /// Becomes the transpose of `weight`.
    pub transposed: &'a mut [T],
}

/// For the first `units` rows i of a tile,
///
/// ```text
/// gradient_i = sum over both phases of  scale (sum of values[r] for r in on_i  -  sum for r in off_i)
/// velocity_i <- momentum velocity_i + gradient_i - shrink weight_i
/// weight_i   <- weight_i + velocity_i
/// ```
///
/// and `transposed` becomes the transpose. Returns whether all weights are finite afterwards.
///
/// **Shapes** as the types say; `columns` of 64 are in use, rounded up to 16.
/// **Panics** if the lengths do not fit.
#[track_caller]
pub fn update_tile<T: Scalar>(
    level: Level,
    phases: [Phase<'_, T>; 2],
    step: Weights<T>,
    units: usize,
    columns: usize,
    tile: Tile<'_, T>,
) -> bool {
    for Phase { on, off, values, .. } in phases {
        let blocks = on.len() / PANEL;
        assert!(
            values.len() == values.len() / PANEL * PANEL
                && blocks * PANEL == on.len()
                && blocks == (values.len() / PANEL).div_ceil(PANEL)
                && (off.is_empty() || off.len() == on.len()),
            "{} values in rows of 64 with {} and {} lists",
            values.len(),
            on.len(),
            off.len()
        );
        let rows = values.len() / PANEL;
        // A place that a list holds by mistake must not lead outside the values.
        for lists in [on, off] {
            for (block, lists) in lists.chunks_exact(PANEL).enumerate() {
                let most = (rows - block * PANEL).min(PANEL);
                let fits =
                    |list: &ActiveList| list.places().last().is_none_or(|&last| usize::from(last) < most);
                assert!(most == PANEL || lists.iter().all(fits), "a list leads beyond {rows} rows");
            }
        }
    }
    let lengths = [tile.weight.len(), tile.velocity.len(), tile.transposed.len()];
    assert!(lengths == [TILE; 3] && units <= PANEL, "a tile of {lengths:?} elements, {units} units");
    dispatch(level, Update { phases, step, units, columns, tile })
}

struct Update<'a, T> {
    phases: [Phase<'a, T>; 2],
    step: Weights<T>,
    units: usize,
    columns: usize,
    tile: Tile<'a, T>,
}

impl<T: Scalar> Operation<T> for Update<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(mut self, lanes: L) -> bool {
        // SAFETY: `update_tile` checked lengths, and that lists lead to values.
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
/// Lengths and lists are as [`update_tile`] asks.
#[inline(always)]
unsafe fn update<L: Lanes, const QUARTERS: usize>(lanes: L, job: &mut Update<'_, L::Scalar>) -> bool {
    let (momentum, shrink) = (lanes.splat(job.step.momentum), lanes.splat(-job.step.shrink));
    let keeps = job.step.momentum != L::Scalar::ZERO;
    // x * 0 is 0 for finite x and NaN for others; NaN stays in a sum.
    let mut alarm = lanes.zero();
    for unit in 0..job.units {
        // SAFETY: unit < 64, and the lists lead to rows of the values.
        unsafe {
            let velocity = job.tile.velocity.as_mut_ptr().add(unit * PANEL);
            let weight = job.tile.weight.as_mut_ptr().add(unit * PANEL);
            // The next tile's lines: they come from L3 or beyond.
            let transposed = job.tile.transposed.as_mut_ptr().wrapping_add(unit * PANEL);
            for place in [velocity, weight, transposed] {
                for v in 0..Row::<L, QUARTERS>::VECTORS {
                    lanes.prefetch::<true>(place.wrapping_add(TILE + v * L::COUNT));
                }
            }
            let mut step = Row::<L, QUARTERS>::zero(lanes);
            if keeps {
                step = Row::load(lanes, velocity);
                for v in 0..Row::<L, QUARTERS>::VECTORS {
                    step.0[v] = lanes.mul(momentum, step.0[v]);
                }
            }
            for phase in &job.phases {
                let sum = sum_rows::<L, QUARTERS>(lanes, phase, unit);
                let scale = lanes.splat(phase.scale);
                for v in 0..Row::<L, QUARTERS>::VECTORS {
                    step.0[v] = lanes.mul_add(scale, sum.0[v], step.0[v]);
                }
            }
            let mut w = Row::<L, QUARTERS>::load(lanes, weight);
            for v in 0..Row::<L, QUARTERS>::VECTORS {
                step.0[v] = lanes.mul_add(shrink, w.0[v], step.0[v]);
                w.0[v] = lanes.add(w.0[v], step.0[v]);
                alarm = lanes.mul_add(w.0[v], lanes.zero(), alarm);
            }
            step.store(lanes, velocity);
            w.store(lanes, weight);
        }
    }
    lanes.sum(alarm) == L::Scalar::ZERO
}

/// The sum of a phase's values over the rows of one unit.
///
/// # Safety
/// As [`update_tile`].
#[inline(always)]
unsafe fn sum_rows<L: Lanes, const QUARTERS: usize>(
    lanes: L,
    phase: &Phase<'_, L::Scalar>,
    unit: usize,
) -> Row<L, QUARTERS> {
    let mut sum = Row::<L, QUARTERS>::zero(lanes);
    for block in 0..phase.on.len() / PANEL {
        let list = block * PANEL + unit;
        // SAFETY: `list` is inside both, and places lead to rows of the values.
        unsafe {
            let values = phase.values.as_ptr().add(block * TILE);
            for &row in phase.on.get_unchecked(list).places() {
                sum.add(lanes, values.add(usize::from(row) * PANEL));
            }
            if !phase.off.is_empty() {
                for &row in phase.off.get_unchecked(list).places() {
                    sum.sub(lanes, values.add(usize::from(row) * PANEL));
                }
            }
        }
    }
    sum
}

/// `to` <- the transpose of `from`: its first `columns` rows of `rows` elements, rounded up to whole vectors.
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

/// # Safety
/// Both are tiles, `rows` and `columns` at most 64.
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
            // SAFETY: COUNT divides 64, so that squares are inside the tiles.
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
