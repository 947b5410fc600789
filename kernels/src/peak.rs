//! Arithmetic peak of the machine, for benchmarks to compare with.

use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;

/// Runs fused multiply-adds (at the portable level, multiplications and additions) without memory traffic: `rounds`
/// rounds of 12 independent vector chains.
///
/// Returns the number of floating-point operations and a value that depends on all of them.
///
/// **Panics** if the number of operations overflows `usize`.
#[track_caller]
pub fn multiply_add_chains<T: Scalar>(level: Level, rounds: usize, start: T) -> (usize, T) {
    assert!(
        rounds <= usize::MAX / (2 * CHAINS * 16),
        "{rounds} rounds have more operations than can be counted"
    );
    dispatch(level, Chains { rounds, start })
}

struct Chains<T> {
    rounds: usize,
    start: T,
}

/// Two FMA ports with a latency of 4 cycles need 8 chains; more chains hide the loop overhead.
const CHAINS: usize = 12;

impl<T: Scalar> Operation<T> for Chains<T> {
    type Output = (usize, T);

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) -> (usize, T) {
        let factor = lanes.splat(self.start);
        let mut sum = [lanes.zero(); CHAINS];
        for (i, chain) in sum.iter_mut().enumerate() {
            *chain = lanes.constant(i as f64 * 0.125);
        }
        for _ in 0..self.rounds {
            for chain in &mut sum {
                *chain = lanes.mul_add(*chain, factor, factor);
            }
        }
        let mut total = lanes.zero();
        for chain in sum {
            total = lanes.add(total, chain);
        }
        (2 * CHAINS * L::COUNT * self.rounds, lanes.sum(total))
    }
}
