//! sigmoid, log-sigmoid and softplus: all three by e = exp(-|x|), which neither overflows nor loses the tail.
//!
//! sigmoid(x) = 1 / (1 + e) where x >= 0, e / (1 + e) elsewhere;
//! softplus(x) = max(x, 0) + ln(1 + e);  ln sigmoid(x) = -softplus(-x) = min(x, 0) - ln(1 + e).
//!
//! For 0 <= from <= to, with e = exp(-from |x|) and m = exp(-(to - from) |x|) - 1, which keeps its digits near 0,
//! softplus(to x) - softplus(from x) = max((to - from) x, 0) + ln((1 + e (1 + m)) / (1 + e))
//!                                   = max((to - from) x, 0) + ln(1 + e m / (1 + e)):
//! neither term is larger than twice the result, however close `to` is to `from`.

use super::exp::{exp_m1_nonpositive, exp_nonpositive};
use super::ln::{ln_1p_negative, ln_1p_unit};
use crate::lanes::{Lanes, Scalar};

/// exp(-|x|), the e of all three.
#[inline(always)]
pub(crate) fn tail<L: Lanes>(lanes: L, x: L::Vector) -> L::Vector {
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

/// softplus(to x) - softplus(from x) where 0 <= from <= to; errors in [`crate::reduce::softplus_rise`].
#[inline(always)]
pub(crate) fn softplus_rise_lanes<L: Lanes>(
    lanes: L,
    from: L::Vector,
    step: L::Vector,
    x: L::Vector,
) -> L::Vector {
    let one = lanes.splat(L::Scalar::ONE);
    let down = lanes.bit_or(x, lanes.sign_bit()); // -|x|
    let e = exp_nonpositive(lanes, lanes.mul(from, down));
    let m = exp_m1_nonpositive(lanes, lanes.mul(step, down));
    let f = lanes.div_moderate(lanes.mul(e, m), lanes.add(one, e));
    lanes.add(lanes.max(lanes.mul(step, x), lanes.zero()), ln_1p_negative(lanes, f))
}
