//! Fused parameter updates of gradient methods: one pass over memory.

pub mod descent;

pub use descent::{Adam, Momentum, RmsProp, UpdateRule, descend};

use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;
use crate::map::{Function2, Map2, check_equal};

/// The second half of a step of gradient ascent with momentum and weight decay:
///
/// ```text
/// velocity  <- velocity - shrink * parameter        (velocity already holds momentum and gradient)
/// parameter <- parameter + velocity
/// ```
///
/// A velocity below the smallest normal number becomes 0. Returns whether every parameter is finite afterwards.
///
/// **Panics** if the lengths differ.
#[track_caller]
pub fn add_velocity<T: Scalar>(level: Level, shrink: T, velocity: &mut [T], parameter: &mut [T]) -> bool {
    check_equal("velocity", velocity.len(), "parameter", parameter.len());
    dispatch(level, AddVelocity { shrink, velocity, parameter })
}

struct AddVelocity<'a, T> {
    shrink: T,
    velocity: &'a mut [T],
    parameter: &'a mut [T],
}

impl<T: Scalar> Operation<T> for AddVelocity<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) -> bool {
        let length = self.velocity.len().min(self.parameter.len());
        let shrink = lanes.splat(-self.shrink);
        // x * 0 is 0 for finite x and NaN otherwise; a NaN stays in every sum.
        let mut nan_check = lanes.zero();
        for first in (0..length).step_by(L::COUNT) {
            let count = (length - first).min(L::COUNT);
            // SAFETY: first + count <= length, which both slices have.
            unsafe {
                let velocity = self.velocity.as_mut_ptr().add(first);
                let parameter = self.parameter.as_mut_ptr().add(first);
                let p = lanes.load_up_to(parameter, count);
                let v = lanes.mul_add(shrink, p, lanes.load_up_to(velocity, count));
                let p = lanes.add(p, v);
                nan_check = lanes.mul_add(p, lanes.zero(), nan_check);
                lanes.store_up_to(velocity, lanes.flush_below(T::SMALLEST_NORMAL, v), count);
                lanes.store_up_to(parameter, p, count);
            }
        }
        lanes.sum(nan_check) == T::ZERO
    }
}

/// `average = from + kept (average - from)`: an exponential moving average that keeps the fraction `kept` of its value.
///
/// **Panics** if the lengths differ.
#[track_caller]
pub fn average<T: Scalar>(level: Level, kept: T, from: &[T], average: &mut [T]) {
    check_equal("from", from.len(), "average", average.len());
    dispatch(level, Map2::in_place(Towards(kept), average, from));
}

#[derive(Clone, Copy)]
struct Towards<T>(T);

impl<T: Scalar> Function2<T> for Towards<T> {
    #[inline(always)]
    fn apply<L: Lanes<Scalar = T>>(self, lanes: L, average: L::Vector, from: L::Vector) -> L::Vector {
        lanes.mul_add(lanes.splat(self.0), lanes.sub(average, from), from)
    }
}
