//! Sums of softplus: the contribution of the hidden (or visible) units to a Boltzmann machine's free energy.

use super::terms::load_padded;
use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;
use crate::map::check_equal;
use crate::math::{ln_lanes, tail};

/// Independent partial results.
const PARALLEL: usize = 4;

/// Factors 1 + e^-|s| of at most 2 per product: 2^32 is far from overflow.
const FACTORS: usize = 8 * PARALLEL;

/// The sum of softplus(`x` + `y`) = ln(1 + e^(x + y)) over the elements.
///
/// With s = x + y, softplus(s) = max(s, 0) + ln(1 + e^-|s|); one logarithm serves the product of 32 factors.
///
/// **Panics** if the lengths differ.
///
/// **Accuracy and cost** 3 EPSILON per term plus (16 + n / 128) EPSILON times the sum.
#[must_use]
#[track_caller]
pub fn softplus_sum<T: Scalar>(level: Level, x: &[T], y: &[T]) -> T {
    check_equal("x", x.len(), "y", y.len());
    dispatch(level, SoftplusSum { x, y })
}

struct SoftplusSum<'a, T> {
    x: &'a [T],
    y: &'a [T],
}

impl<T: Scalar> Operation<T> for SoftplusSum<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) -> T {
        let length = self.x.len().min(self.y.len());
        let (x, y) = (self.x.as_ptr(), self.y.as_ptr());
        let mut sum = lanes.zero();
        let mut i = 0;
        while length - i >= FACTORS * L::COUNT {
            let mut partial = Partial::new(lanes);
            for v in 0..FACTORS {
                // SAFETY: i + FACTORS * COUNT <= length, which both slices have.
                let s = unsafe {
                    let at = i + v * L::COUNT;
                    lanes.add(lanes.load(x.add(at)), lanes.load(y.add(at)))
                };
                partial.add(lanes, v % PARALLEL, s);
            }
            sum = lanes.add(sum, partial.total(lanes));
            i += FACTORS * L::COUNT;
        }
        let mut partial = Partial::new(lanes);
        let mut v = 0;
        while i < length {
            let count = L::COUNT.min(length - i);
            // SAFETY: i + count <= length; softplus(-inf) is 0.
            let s = unsafe {
                let x = load_padded(lanes, x.add(i), count, -T::INFINITY);
                lanes.add(x, lanes.load_first(y.add(i), count))
            };
            partial.add(lanes, v % PARALLEL, s);
            v += 1;
            i += count;
        }
        lanes.sum(lanes.add(sum, partial.total(lanes)))
    }
}

/// The two parts of softplus, summed and multiplied over up to `FACTORS` vectors.
struct Partial<L: Lanes> {
    /// Sums of max(s, 0).
    positive: [L::Vector; PARALLEL],
    /// Products of 1 + e^-|s|.
    product: [L::Vector; PARALLEL],
}

impl<L: Lanes> Partial<L> {
    #[inline(always)]
    fn new(lanes: L) -> Self {
        Self { positive: [lanes.zero(); PARALLEL], product: [lanes.constant(1.0); PARALLEL] }
    }

    #[inline(always)]
    fn add(&mut self, lanes: L, j: usize, s: L::Vector) {
        self.positive[j] = lanes.add(self.positive[j], lanes.max(s, lanes.zero()));
        // p (1 + e) = p + p e, rounded once.
        self.product[j] = lanes.mul_add(self.product[j], tail(lanes, s), self.product[j]);
    }

    #[inline(always)]
    fn total(self, lanes: L) -> L::Vector {
        let [p0, p1, p2, p3] = self.positive;
        let [q0, q1, q2, q3] = self.product;
        let logarithm = ln_lanes(lanes, lanes.mul(lanes.mul(q0, q1), lanes.mul(q2, q3)));
        lanes.add(lanes.add(lanes.add(p0, p1), lanes.add(p2, p3)), logarithm)
    }
}
