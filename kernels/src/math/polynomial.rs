//! Polynomial evaluation.

use crate::lanes::Lanes;

/// The value of the polynomial with these coefficients, lowest power first. Even and odd powers are summed separately,
/// which halves the chain of dependent instructions.
#[inline(always)]
pub(super) fn polynomial<L: Lanes>(lanes: L, x: L::Vector, coefficients: &[L::Scalar]) -> L::Vector {
    let square = lanes.mul(x, x);
    let last = coefficients.len() - 1;
    // Two sums: the powers with the parity of the last one, and the others.
    let mut same = lanes.splat(coefficients[last]);
    let mut other = lanes.splat(coefficients[last - 1]);
    let mut i = last - 1;
    while i >= 2 {
        same = lanes.mul_add(same, square, lanes.splat(coefficients[i - 1]));
        other = lanes.mul_add(other, square, lanes.splat(coefficients[i - 2]));
        i -= 2;
    }
    if last % 2 == 1 {
        lanes.mul_add(same, x, other)
    } else {
        same = lanes.mul_add(same, square, lanes.splat(coefficients[0]));
        lanes.mul_add(other, x, same)
    }
}
