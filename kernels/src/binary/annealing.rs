//! Log weight increments of annealed chains when the inverse temperature changes, panel by panel.

use super::PANEL;
use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;
use crate::math::softplus_increment_lanes;

/// `increments[r]` <- the sum over the `bias.len()` units of the panel of softplus(`to` x) - softplus(`from` x), where
/// x = `sums[r][j] + bias[j]`.
///
/// This is the increment of a chain's log weight when annealing moves from one inverse temperature to another. Nothing
/// cancels if `to` is close to `from`, unlike in the difference of two sums.
///
/// **Shapes** `sums` (rows, 64), `bias` (up to 64), `increments` (rows).
///
/// **Panics** unless 0 <= `from` <= `to`, or if the lengths do not match.
///
/// **Accuracy and cost** A term is within (10 + `to` |x|) EPSILON of its size if `to` - `from` is exact, which holds if
/// `from` >= `to` / 2; x is rounded once. A term passes through at most 33 additions (with two lanes per vector; 7 with
/// 16 lanes). Each unit costs an exponential and a quotient if |(`to` - `from`) x| is below 1/16 (f32; f64: 1/2400),
/// otherwise two of each and a logarithm.
#[track_caller]
pub fn softplus_increments<T: Scalar>(
    level: Level,
    [from, to]: [T; 2],
    sums: &[T],
    bias: &[T],
    increments: &mut [T],
) {
    assert!(
        T::ZERO <= from && from <= to,
        "softplus_increments: from {from} to {to}: must be non-negative and must not decrease"
    );
    check(bias.len(), increments.len(), sums.len());
    dispatch(level, SoftplusIncrements { from, step: to - from, sums, bias, increments });
}

#[track_caller]
fn check(units: usize, rows: usize, sums: usize) {
    assert!(units <= PANEL, "a panel has at most 64 units, not {units}");
    assert!(sums == rows * PANEL, "{sums} sums for {rows} rows of 64");
}

struct SoftplusIncrements<'a, T> {
    from: T,
    step: T,
    sums: &'a [T],
    bias: &'a [T],
    increments: &'a mut [T],
}

impl<T: Scalar> Operation<T> for SoftplusIncrements<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let (from, step) = (lanes.splat(self.from), lanes.splat(self.step));
        for (sums, rise) in self.sums.chunks_exact(PANEL).zip(self.increments) {
            let mut total = lanes.zero();
            for first in (0..self.bias.len()).step_by(L::COUNT) {
                let count = (self.bias.len() - first).min(L::COUNT);
                // SAFETY: first + count <= bias.len(), which `check` proved to be at most the 64 of a row. The lanes
                // beyond are 0, and 0 contributes 0.
                let x = unsafe {
                    let bias = lanes.load_first(self.bias.as_ptr().add(first), count);
                    lanes.add(lanes.load_first(sums.as_ptr().add(first), count), bias)
                };
                total = lanes.add(total, softplus_increment_lanes(lanes, from, step, x));
            }
            *rise = lanes.sum(total);
        }
    }
}

/// `sums[r]` <- the sum of `values[j]` over the units j of the panel that are on in `states[r]`.
///
/// **Shapes** `states` (rows), `values` (up to 64), `sums` (rows).
///
/// **Panics** if the lengths do not match.
///
/// **Accuracy and cost** An element passes through at most 33 additions (with two lanes per vector; 7 with 16 lanes).
/// One addition per vector of values, whether its units are on or off.
#[track_caller]
pub fn dot_states<T: Scalar>(level: Level, states: &[u64], values: &[T], sums: &mut [T]) {
    assert!(values.len() <= PANEL, "a panel has at most 64 units, not {}", values.len());
    assert!(states.len() == sums.len(), "{} sums for {} rows of states", sums.len(), states.len());
    dispatch(level, DotStates { states, values, sums });
}

struct DotStates<'a, T> {
    states: &'a [u64],
    values: &'a [T],
    sums: &'a mut [T],
}

impl<T: Scalar> Operation<T> for DotStates<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let mut values = [T::ZERO; PANEL];
        values[..self.values.len()].copy_from_slice(self.values);
        for (&state, sum) in self.states.iter().zip(self.sums) {
            let mut total = lanes.zero();
            for first in (0..PANEL).step_by(L::COUNT) {
                // SAFETY: COUNT divides 64.
                let values = unsafe { lanes.load(values.as_ptr().add(first)) };
                total = lanes.add(total, lanes.keep(state >> first, values));
            }
            *sum = lanes.sum(total);
        }
    }
}
