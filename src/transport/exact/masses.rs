//! Masses as integers, so that flows add up exactly and ties are ties.

use super::super::Marginals;
use alloc::vec;
use alloc::vec::Vec;

/// The unit of mass in general: 2^-60 of the sum.
const UNITS: f64 = (1u64 << 60) as f64;

/// The masses of both sides as integers with the same sum.
///
/// Equal masses stay equal. Any other mass is rounded to a multiple of 2^-60 of the sum, and the largest mass of a side
/// takes the difference of the sums. A mass below 2^-61 of the sum becomes 0.
pub(super) fn integers(marginals: &Marginals) -> (Vec<i64>, Vec<i64>) {
    let (a, b) = (marginals.a(), marginals.b());
    let uniform = |x: &[f64]| x.iter().all(|y| *y == x[0]);
    if uniform(a) && uniform(b) {
        let divisor = greatest_common_divisor(a.len(), b.len());
        return (vec![(b.len() / divisor) as i64; a.len()], vec![(a.len() / divisor) as i64; b.len()]);
    }
    let rounded = |x: &[f64]| x.iter().map(|x| libm::round(x * UNITS) as i64).collect();
    let (mut a, mut b): (Vec<i64>, Vec<i64>) = (rounded(a), rounded(b));
    let missing = a.iter().sum::<i64>() - b.iter().sum::<i64>();
    let side = if missing > 0 { &mut b } else { &mut a };
    if let Some(largest) = side.iter_mut().max() {
        *largest += missing.abs();
    }
    (a, b)
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
