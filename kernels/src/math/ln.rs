//! The natural logarithm, and ln(1 + e) for softplus.
//!
//! x = 2^k (1 + f) with 1 + f in [sqrt 1/2, sqrt 2]. Let s = f / (2 + f) and z = s^2. Then
//!
//! ```text
//! ln(1 + f) = 2 artanh s = 2 s + s z q(z)                   q: the rest of the series
//!       2 s = f - s f = f - f^2/2 + s f^2/2
//! ln(1 + f) = f - (f^2/2 - s (f^2/2 + z q(z)))
//! ```
//!
//! The leading term f is exact, and the rest is small.

use super::polynomial::polynomial;
use crate::lanes::constants::Constants;
use crate::lanes::{Lanes, Scalar};

/// ln(2^k (1 + f)).
#[inline(always)]
pub(super) fn reduced<L: Lanes>(lanes: L, k: L::Vector, f: L::Vector) -> L::Vector {
    let (ln_2_high, ln_2_low) = L::Scalar::LN_2;
    let s = lanes.div_moderate(f, lanes.add(lanes.constant(2.0), f));
    let z = lanes.mul(s, s);
    let half_square = lanes.mul(lanes.mul(lanes.constant(0.5), f), f);
    let artanh = lanes.mul_add(z, polynomial(lanes, z, L::Scalar::LN), half_square);
    let small = lanes.mul_add(s, artanh, lanes.mul(k, lanes.splat(ln_2_low)));
    let large = lanes.sub(lanes.sub(half_square, small), f);
    lanes.sub(lanes.mul(k, lanes.splat(ln_2_high)), large)
}

/// ln x; the errors are stated at [`super::ln`].
#[inline(always)]
pub(crate) fn ln_lanes<L: Lanes>(lanes: L, x: L::Vector) -> L::Vector {
    let (normalise, normalised_bias) = L::Scalar::NORMALISE;
    let (zero, one, infinity) = (lanes.zero(), lanes.splat(L::Scalar::ONE), lanes.splat(L::Scalar::INFINITY));
    let denormal = lanes.less(x, lanes.splat(L::Scalar::SMALLEST_NORMAL));
    let scaled = lanes.select(denormal, lanes.mul(x, lanes.splat(normalise)), x);
    let bias = lanes.select(denormal, lanes.splat(normalised_bias), lanes.splat(L::Scalar::INTEGER_BIASED));
    let exponent = lanes.bit_or(lanes.shift_from_exponent(scaled), lanes.splat(L::Scalar::INTEGER));
    let k = lanes.sub(exponent, bias);
    let m = lanes.bit_or(lanes.bit_and(scaled, lanes.splat(L::Scalar::FRACTION)), one);
    let large = lanes.less(lanes.splat(L::Scalar::SQRT_2), m);
    let m = lanes.select(large, lanes.mul(m, lanes.constant(0.5)), m);
    let k = lanes.select(large, lanes.add(k, one), k);
    let y = reduced(lanes, k, lanes.sub(m, one));

    let y = lanes.select(lanes.less(x, infinity), y, x);
    // 0 - inf is -inf and NaN - inf is NaN.
    let edge = lanes.select(lanes.less(x, zero), lanes.splat(L::Scalar::NAN), lanes.sub(x, infinity));
    lanes.select(lanes.less(zero, x), y, edge)
}

/// ln(1 + e) where 0 <= e <= 1.
#[inline(always)]
pub(super) fn ln_1p_unit<L: Lanes>(lanes: L, e: L::Vector) -> L::Vector {
    let one = lanes.splat(L::Scalar::ONE);
    // 1 + e = 2 (1 + (e - 1)/2) keeps f below sqrt 2 - 1.
    let large = lanes.less(lanes.sub(lanes.splat(L::Scalar::SQRT_2), one), e);
    let f = lanes.select(large, lanes.mul(lanes.sub(e, one), lanes.constant(0.5)), e);
    reduced(lanes, lanes.select(large, one, lanes.zero()), f)
}

/// ln(1 + f) where -1/2 <= f <= 0.
#[inline(always)]
pub(super) fn ln_1p_negative<L: Lanes>(lanes: L, f: L::Vector) -> L::Vector {
    let one = lanes.splat(L::Scalar::ONE);
    // 1 + f = (1 + (1 + 2 f)) / 2 keeps f above sqrt 1/2 - 1.
    let small = lanes.less(f, lanes.constant(core::f64::consts::FRAC_1_SQRT_2 - 1.0));
    let f = lanes.select(small, lanes.add(one, lanes.add(f, f)), f);
    reduced(lanes, lanes.select(small, lanes.neg(one), lanes.zero()), f)
}
