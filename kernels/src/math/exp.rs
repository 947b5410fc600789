//! The exponential function.
//!
//! With n = round(x / ln 2) and r = x - n ln 2, e^x = 2^n e^r and |r| <= ln 2 / 2. n ln 2 is subtracted in two parts
//! (Cody and Waite); the first is exact even without a fused multiply-add. e^r = 1 + (r + r^2 q(r)) with a minimax
//! polynomial q. n may exceed the exponents of normal numbers; the result is then denormal or infinite.

use super::polynomial::polynomial;
use crate::lanes::constants::Constants;
use crate::lanes::{Lanes, Scalar};

/// n, rounded by adding `ROUND` (see there), and e^r - 1.
#[inline(always)]
pub(super) fn reduced<L: Lanes>(lanes: L, x: L::Vector) -> (L::Vector, L::Vector) {
    let (ln_2_high, ln_2_low) = L::Scalar::LN_2;
    let round = lanes.splat(L::Scalar::ROUND);
    let rounded = lanes.mul_add(x, lanes.splat(L::Scalar::LOG2_E), round);
    let n = lanes.sub(rounded, round);
    let r = lanes.mul_add(n, lanes.splat(-ln_2_high), x);
    let r = lanes.mul_add(n, lanes.splat(-ln_2_low), r);
    let q = polynomial(lanes, r, L::Scalar::EXP);
    (rounded, lanes.mul_add(lanes.mul(r, r), q, r))
}

/// exp of a number within `EXP_RANGE`.
#[inline(always)]
fn clamped<L: Lanes>(lanes: L, x: L::Vector) -> L::Vector {
    let (rounded, p) = reduced(lanes, x);
    let n = lanes.sub(rounded, lanes.splat(L::Scalar::ROUND));
    lanes.scale(lanes.add(p, lanes.splat(L::Scalar::ONE)), n)
}

/// e^x; the errors are stated at [`super::exp`].
#[inline(always)]
pub(crate) fn exp_lanes<L: Lanes>(lanes: L, x: L::Vector) -> L::Vector {
    exp_nonpositive(lanes, lanes.min(lanes.splat(L::Scalar::EXP_RANGE.1), x))
}

/// e^x where x <= 0 or NaN (and for positive x up to the overflow of e^x).
#[inline(always)]
pub(super) fn exp_nonpositive<L: Lanes>(lanes: L, x: L::Vector) -> L::Vector {
    clamped(lanes, lanes.max(lanes.splat(L::Scalar::EXP_RANGE.0), x))
}

/// e^x - 1 where x <= 0 or NaN, with full precision near 0.
#[inline(always)]
pub(crate) fn exp_m1_nonpositive<L: Lanes>(lanes: L, x: L::Vector) -> L::Vector {
    // 2^n e^r - 1 = 2^n (e^r - 1) + (2^n - 1), and n = 0 near 0. Below the range the result is -1.
    let (rounded, p) = reduced(lanes, lanes.max(lanes.splat(-L::Scalar::TANH_RANGE), x));
    let power = lanes.shift_to_exponent(rounded);
    lanes.mul_add(p, power, lanes.sub(power, lanes.splat(L::Scalar::ONE)))
}

/// e^x where x is at most the overflow of e^x; the smallest normal number where e^x is below it.
///
/// For sums in which such terms do not count: the power of 2 is then always normal, which saves several instructions.
#[inline(always)]
pub(crate) fn exp_normal<L: Lanes>(lanes: L, x: L::Vector) -> L::Vector {
    let (rounded, p) = reduced(lanes, lanes.max(lanes.splat(L::Scalar::LN_SMALLEST_NORMAL), x));
    let power = lanes.shift_to_exponent(rounded);
    lanes.mul_add(p, power, power)
}
