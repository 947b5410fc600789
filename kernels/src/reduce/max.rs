//! The largest element and log-sum-exp.

use super::terms::{PARALLEL, Terms, load_padded, total};
use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;
use crate::math::{exp_lanes, ln_lanes};
use core::cmp::Ordering;

/// The larger of both; NaN if either is NaN.
#[inline(always)]
fn larger<L: Lanes>(lanes: L, a: L::Vector, b: L::Vector) -> L::Vector {
    // `max` returns `b` if either is NaN, which is correct unless only `a` is NaN.
    lanes.select(lanes.is_nan(a), a, lanes.max(a, b))
}

struct Max<'a, T>(&'a [T]);

impl<T: Scalar> Operation<T> for Max<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) -> T {
        let (x, length) = (self.0.as_ptr(), self.0.len());
        let mut largest = [lanes.splat(-T::INFINITY); PARALLEL];
        let mut i = 0;
        while length - i >= PARALLEL * L::COUNT {
            for (j, largest) in largest.iter_mut().enumerate() {
                // SAFETY: i + PARALLEL * COUNT <= length, and j < PARALLEL.
                let x = unsafe { lanes.load(x.add(i + j * L::COUNT)) };
                *largest = larger(lanes, x, *largest);
            }
            i += PARALLEL * L::COUNT;
        }
        while length - i >= L::COUNT {
            // SAFETY: i + COUNT <= length.
            largest[0] = larger(lanes, unsafe { lanes.load(x.add(i)) }, largest[0]);
            i += L::COUNT;
        }
        if i < length {
            // SAFETY: length - i elements are left.
            let x = unsafe { load_padded(lanes, x.add(i), length - i, -T::INFINITY) };
            largest[0] = larger(lanes, x, largest[0]);
        }
        let mut all = largest[0];
        for &largest in &largest[1..] {
            all = larger(lanes, largest, all);
        }
        let lanes_of_all = lanes.to_array(all);
        let mut result = lanes_of_all[0];
        for &x in &lanes_of_all[1..L::COUNT] {
            match x.partial_cmp(&result) {
                Some(Ordering::Greater) => result = x,
                Some(_) => {}
                None => result += x, // one of them is NaN, so the sum is NaN
            }
        }
        result
    }
}

/// The largest element: -inf for an empty slice, NaN if any element is NaN. The order of 0 and -0 is unspecified.
#[must_use]
pub fn max<T: Scalar>(level: Level, x: &[T]) -> T {
    dispatch(level, Max(x))
}

/// e^(x - shift).
#[derive(Clone, Copy)]
struct Exponentials<T> {
    x: *const T,
    shift: T,
}

impl<T: Scalar> Terms<T> for Exponentials<T> {
    #[inline(always)]
    unsafe fn add<L: Lanes<Scalar = T>>(self, lanes: L, sum: L::Vector, i: usize) -> L::Vector {
        // SAFETY: the caller guarantees COUNT elements starting at i.
        let x = unsafe { lanes.load(self.x.add(i)) };
        lanes.add(sum, exp_lanes(lanes, lanes.sub(x, lanes.splat(self.shift))))
    }

    #[inline(always)]
    unsafe fn add_first<L: Lanes<Scalar = T>>(
        self,
        lanes: L,
        sum: L::Vector,
        i: usize,
        count: usize,
    ) -> L::Vector {
        // SAFETY: the caller guarantees `count` elements starting at i; e^-inf adds 0.
        let x = unsafe { load_padded(lanes, self.x.add(i), count, -T::INFINITY) };
        lanes.add(sum, exp_lanes(lanes, lanes.sub(x, lanes.splat(self.shift))))
    }
}

struct LogSumExp<'a, T>(&'a [T]);

impl<T: Scalar> Operation<T> for LogSumExp<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) -> T {
        let shift = Max(self.0).run(lanes);
        // inf - inf would be NaN; in this case, or if the largest element is NaN, the largest element is the result.
        let finite = -T::INFINITY < shift && shift < T::INFINITY;
        if !finite {
            return shift;
        }
        // SAFETY: the slice has that length.
        let sum = unsafe { total(lanes, Exponentials { x: self.0.as_ptr(), shift }, self.0.len()) };
        shift + lanes.to_array(ln_lanes(lanes, lanes.splat(sum)))[0]
    }
}

/// ln sum e^x, shifted by the largest element so that nothing overflows: -inf for an empty slice or if all elements are
/// -inf, inf if one is inf, NaN if one is NaN.
///
/// **Accuracy and cost** 1 ULP of the result plus (16 + log2(n) / 2) EPSILON.
#[must_use]
pub fn log_sum_exp<T: Scalar>(level: Level, x: &[T]) -> T {
    dispatch(level, LogSumExp(x))
}
