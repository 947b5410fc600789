//! Sums of logarithms of mixtures: the change of the free energy when one visible unit is flipped.

use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;
use crate::map::check_equal;
use crate::math::ln_lanes;

/// The sum of ln(`q` + `p` * `factor`) over the elements.
///
/// One logarithm of a product serves [`PRODUCT`] elements.
///
/// **Panics** if the lengths differ.
///
/// **Accuracy and cost** A few ULP per term and no cancellation for non-negative arguments, as long as no product of
/// four terms leaves the range of `T`: with `p` + `q` = 1, factors between e^-20 and e^20 (f32) or e^-170 and e^170
/// (f64).
#[track_caller]
pub fn log_mixture<T: Scalar>(level: Level, p: &[T], q: &[T], factor: &[T]) -> T {
    check_equal("p", p.len(), "q", q.len());
    check_equal("p", p.len(), "factor", factor.len());
    dispatch(level, LogMixture { p, q, factor })
}

/// Terms per product: four terms of up to e^20 stay below f32's e^88.
pub const PRODUCT: usize = 4;

struct LogMixture<'a, T> {
    p: &'a [T],
    q: &'a [T],
    factor: &'a [T],
}

impl<T: Scalar> Operation<T> for LogMixture<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) -> T {
        let length = self.p.len().min(self.q.len()).min(self.factor.len());
        let (p, q, factor) = (self.p.as_ptr(), self.q.as_ptr(), self.factor.as_ptr());
        let mut sum = lanes.zero();
        let mut first = 0;
        while length - first >= PRODUCT * L::COUNT {
            let mut product = lanes.constant(1.0);
            for v in 0..PRODUCT {
                // SAFETY: first + PRODUCT * COUNT <= length, which all three slices have.
                let term = unsafe {
                    let at = first + v * L::COUNT;
                    lanes.mul_add(lanes.load(p.add(at)), lanes.load(factor.add(at)), lanes.load(q.add(at)))
                };
                product = lanes.mul(product, term);
            }
            sum = lanes.add(sum, ln_lanes(lanes, product));
            first += PRODUCT * L::COUNT;
        }
        let mut product = lanes.constant(1.0);
        while first < length {
            let count = (length - first).min(L::COUNT);
            // SAFETY: first + count <= length. Lanes beyond `count` get the neutral term 0 * 0 + 1.
            let term = unsafe {
                let p = lanes.load_first(p.add(first), count);
                let factor = lanes.load_first(factor.add(first), count);
                let q = lanes.load_first(q.add(first), count);
                let mut ones = [T::ZERO; 16];
                ones[count..L::COUNT].fill(T::ONE);
                lanes.mul_add(p, factor, lanes.add(q, lanes.load(ones.as_ptr())))
            };
            product = lanes.mul(product, term);
            first += count;
        }
        lanes.sum(lanes.add(sum, ln_lanes(lanes, product)))
    }
}
