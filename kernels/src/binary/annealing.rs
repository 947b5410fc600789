//! What a change of the inverse temperature adds to the log weights of chains, panel by panel.

use super::PANEL;
use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;
use crate::math::softplus_rise_lanes;

/// `rises[r]` <- the sum over the `bias.len()` units of the panel of softplus(`to` x) - softplus(`from` x), where
/// x = `sums[r][j] + bias[j]`: what annealing from one inverse temperature to another adds to a log weight.
///
/// Nothing cancels where `to` is close to `from`, as it does in the difference of two sums.
///
/// **Shapes** `sums` (rows, 64), `bias` (up to 64), `rises` (rows).
/// **Panics** unless 0 <= `from` <= `to`, and if the lengths do not fit.
/// **Accuracy and cost** A term is within (10 + `to` |x|) EPSILON of its size, if `to` - `from` is exact, as it is from
/// `from` = `to` / 2 up; x is rounded once. A term passes through at most 33 additions (two lanes a vector; 7 with 16
/// lanes). An exponential and a quotient a unit where |(`to` - `from`) x| is below 1/16 (f32; f64: 1/2400); else two of
/// each and a logarithm.
#[track_caller]
pub fn softplus_rises<T: Scalar>(level: Level, [from, to]: [T; 2], sums: &[T], bias: &[T], rises: &mut [T]) {
    assert!(T::ZERO <= from && from <= to, "softplus_rises: from {from} to {to}: must rise from 0 or more");
    check(bias.len(), rises.len(), sums.len());
    dispatch(level, SoftplusRises { from, step: to - from, sums, bias, rises });
}

#[track_caller]
fn check(units: usize, rows: usize, sums: usize) {
    assert!(units <= PANEL, "a panel of {units} units");
    assert!(sums == rows * PANEL, "{sums} sums for {rows} rows of 64");
}

struct SoftplusRises<'a, T> {
    from: T,
    step: T,
    sums: &'a [T],
    bias: &'a [T],
    rises: &'a mut [T],
}

impl<T: Scalar> Operation<T> for SoftplusRises<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let (from, step) = (lanes.splat(self.from), lanes.splat(self.step));
        for (sums, rise) in self.sums.chunks_exact(PANEL).zip(self.rises) {
            let mut total = lanes.zero();
            for first in (0..self.bias.len()).step_by(L::COUNT) {
                let count = (self.bias.len() - first).min(L::COUNT);
                // SAFETY: first + count <= bias.len(), which `check` saw is at most the 64 of a row. The lanes beyond
                // are 0, which does not rise.
                let x = unsafe {
                    let bias = lanes.load_first(self.bias.as_ptr().add(first), count);
                    lanes.add(lanes.load_first(sums.as_ptr().add(first), count), bias)
                };
                total = lanes.add(total, softplus_rise_lanes(lanes, from, step, x));
            }
            *rise = lanes.sum(total);
        }
    }
}

/// `sums[r]` <- the sum of `values[j]` over the units j of the panel that are on in `states[r]`.
///
/// **Shapes** `states` (rows), `values` (up to 64), `sums` (rows).
/// **Panics** if the lengths do not fit.
/// **Accuracy and cost** An element passes through at most 33 additions (two lanes a vector; 7 with 16 lanes); one for
/// each vector of values, on or off.
#[track_caller]
pub fn dot_states<T: Scalar>(level: Level, states: &[u64], values: &[T], sums: &mut [T]) {
    assert!(values.len() <= PANEL, "a panel of {} units", values.len());
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
