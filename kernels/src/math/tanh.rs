//! tanh.
//!
//! With m = e^(-2|x|) - 1, tanh |x| = -m / (2 + m). m = 2^n (e^r - 1) + (2^n - 1) (see [`super::exp`]) keeps every
//! digit near 0, where n = 0.

use super::constants::Constants;
use super::exp::reduced;
use crate::lanes::{Lanes, Scalar};

/// tanh x; errors in [`super::tanh`].
#[inline(always)]
pub(crate) fn tanh_lanes<L: Lanes>(lanes: L, x: L::Vector) -> L::Vector {
    let minus_double = lanes.bit_or(lanes.add(x, x), lanes.sign_bit());
    let (rounded, p) = reduced(lanes, lanes.max(lanes.splat(-L::Scalar::TANH_RANGE), minus_double));
    let power = lanes.shift_to_exponent(rounded);
    let m = lanes.mul_add(p, power, lanes.sub(power, lanes.splat(L::Scalar::ONE)));
    let y = lanes.div_moderate(m, lanes.add(lanes.constant(2.0), m));
    lanes.bit_or(lanes.abs(y), lanes.bit_and(x, lanes.sign_bit()))
}
