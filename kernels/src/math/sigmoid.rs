//! sigmoid, log-sigmoid and softplus: all three by e = exp(-|x|), which neither overflows nor loses the tail.
//!
//! sigmoid(x) = 1 / (1 + e) where x >= 0, e / (1 + e) elsewhere;
//! softplus(x) = max(x, 0) + ln(1 + e);  ln sigmoid(x) = -softplus(-x) = min(x, 0) - ln(1 + e).

use super::exp::exp_nonpositive;
use super::ln::ln_1p_unit;
use crate::lanes::{Lanes, Scalar};

/// exp(-|x|).
#[inline(always)]
fn tail<L: Lanes>(lanes: L, x: L::Vector) -> L::Vector {
    exp_nonpositive(lanes, lanes.bit_or(x, lanes.sign_bit()))
}

/// 1 / (1 + e^-x); errors in [`super::sigmoid`].
#[inline(always)]
pub(crate) fn sigmoid_lanes<L: Lanes>(lanes: L, x: L::Vector) -> L::Vector {
    let one = lanes.splat(L::Scalar::ONE);
    let e = tail(lanes, x);
    let numerator = lanes.select(lanes.less(x, lanes.zero()), e, one);
    lanes.div_moderate(numerator, lanes.add(one, e))
}

/// ln(1 + e^x); errors in [`super::softplus`].
#[inline(always)]
pub(crate) fn softplus_lanes<L: Lanes>(lanes: L, x: L::Vector) -> L::Vector {
    let positive = lanes.max(x, lanes.zero());
    lanes.add(positive, ln_1p_unit(lanes, tail(lanes, x)))
}

/// -ln(1 + e^-x); errors in [`super::log_sigmoid`].
#[inline(always)]
pub(crate) fn log_sigmoid_lanes<L: Lanes>(lanes: L, x: L::Vector) -> L::Vector {
    let negative = lanes.min(x, lanes.zero());
    lanes.sub(negative, ln_1p_unit(lanes, tail(lanes, x)))
}
