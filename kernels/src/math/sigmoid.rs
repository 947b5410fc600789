//! sigmoid, log-sigmoid and softplus: all three by e = exp(-|x|), which neither overflows nor loses the tail.
//!
//! sigmoid(x) = 1 / (1 + e) where x >= 0, e / (1 + e) elsewhere;
//! softplus(x) = max(x, 0) + ln(1 + e);  ln sigmoid(x) = -softplus(-x) = min(x, 0) - ln(1 + e).
//!
//! For 0 <= from <= to, with d = (to - from) x and the sigmoid s at the middle, (from + to) x / 2,
//!
//! softplus(to x) - softplus(from x) = the integral of x sigmoid(beta x) over beta
//!                                   = d s (1 + (1 - s) (1 - 2 s) d^2 / 24) and at most d s d^4 / 1920 more:
//!
//! the middle's value and its second derivative. Where d^4 is larger than 128 EPSILON, with e = exp(-from |x|) and
//! m = exp(-|d|) - 1, which keeps its digits near 0,
//!
//! softplus(to x) - softplus(from x) = max(d, 0) + ln((1 + e (1 + m)) / (1 + e)) = max(d, 0) + ln(1 + e m / (1 + e)).
//!
//! No term is larger than twice the result, however close `to` is to `from`.

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

/// softplus(to x) - softplus(from x) where 0 <= from <= to and step = to - from; errors in
/// [`crate::binary::softplus_rises`].
#[inline(always)]
pub(crate) fn softplus_rise_lanes<L: Lanes>(
    lanes: L,
    from: L::Vector,
    step: L::Vector,
    x: L::Vector,
) -> L::Vector {
    let d = lanes.mul(step, x);
    let square = lanes.mul(d, d);
    let limit = lanes.constant(128.0 * L::Scalar::EPSILON.to_f64());
    let is_short = lanes.mask_bits(lanes.less(lanes.mul(square, square), limit));
    if is_short == (1 << L::COUNT) - 1 {
        short_rise(lanes, d, square, lanes.mul_add(from, x, lanes.mul(lanes.constant(0.5), d)))
    } else {
        long_rise(lanes, from, d, x)
    }
}

/// By the middle of a short path.
#[inline(always)]
fn short_rise<L: Lanes>(lanes: L, d: L::Vector, square: L::Vector, middle: L::Vector) -> L::Vector {
    let one = lanes.splat(L::Scalar::ONE);
    let s = sigmoid_lanes(lanes, middle);
    let rest = lanes.sub(one, s);
    let bend = lanes.mul(lanes.mul(square, lanes.constant(1.0 / 24.0)), lanes.mul(rest, lanes.sub(rest, s)));
    let rise = lanes.mul(d, s);
    lanes.mul_add(rise, bend, rise)
}

/// Of any length.
#[inline(always)]
fn long_rise<L: Lanes>(lanes: L, from: L::Vector, d: L::Vector, x: L::Vector) -> L::Vector {
    let one = lanes.splat(L::Scalar::ONE);
    let down = |x: L::Vector| lanes.bit_or(x, lanes.sign_bit()); // -|x|
    let e = exp_nonpositive(lanes, lanes.mul(from, down(x)));
    let m = exp_m1_nonpositive(lanes, down(d));
    let f = lanes.div_moderate(lanes.mul(e, m), lanes.add(one, e));
    lanes.add(lanes.max(d, lanes.zero()), ln_1p_negative(lanes, f))
}
