//! sigmoid, log-sigmoid and softplus: all three use e = exp(-|x|), which neither overflows nor loses the tail.
//!
//! sigmoid(x) = 1 / (1 + e) for x >= 0 and e / (1 + e) otherwise; softplus(x) = max(x, 0) + ln(1 + e);  ln sigmoid(x) =
//! -softplus(-x) = min(x, 0) - ln(1 + e).
//!
//! For 0 <= from <= to, with d = (to - from) x and s = sigmoid of the midpoint (from + to) x / 2,
//!
//! ```text
//! softplus(to x) - softplus(from x) = the integral of x sigmoid(beta x) over beta
//!                                   = d s (1 + (1 - s) (1 - 2 s) d^2 / 24) plus at most d s d^4 / 1920:
//! ```
//!
//! the midpoint value and its second derivative. If d^4 is larger than 128 EPSILON, with e = exp(-from |x|) and m =
//! exp(-|d|) - 1, which keeps its digits near 0,
//!
//! ```text
//! softplus(to x) - softplus(from x) = max(d, 0) + ln((1 + e (1 + m)) / (1 + e)) = max(d, 0) + ln(1 + e m / (1 + e)).
//! ```
//!
//! No term is larger than twice the result, even if `to` is close to `from`.

use super::exp::{exp_m1_nonpositive, exp_nonpositive};
use super::ln::{ln_1p_negative, ln_1p_unit};
use crate::lanes::{Lanes, Scalar};

/// exp(-|x|), the e of all three functions.
#[inline(always)]
pub(crate) fn tail<L: Lanes>(lanes: L, x: L::Vector) -> L::Vector {
    exp_nonpositive(lanes, lanes.bit_or(x, lanes.sign_bit()))
}

/// 1 / (1 + e^-x); the errors are stated at [`super::sigmoid`].
#[inline(always)]
pub(crate) fn sigmoid_lanes<L: Lanes>(lanes: L, x: L::Vector) -> L::Vector {
    let one = lanes.splat(L::Scalar::ONE);
    let e = tail(lanes, x);
    let numerator = lanes.select(lanes.less(x, lanes.zero()), e, one);
    lanes.div_moderate(numerator, lanes.add(one, e))
}

/// ln(1 + e^x); the errors are stated at [`super::softplus`].
#[inline(always)]
pub(crate) fn softplus_lanes<L: Lanes>(lanes: L, x: L::Vector) -> L::Vector {
    let positive = lanes.max(x, lanes.zero());
    lanes.add(positive, ln_1p_unit(lanes, tail(lanes, x)))
}

/// -ln(1 + e^-x); the errors are stated at [`super::log_sigmoid`].
#[inline(always)]
pub(crate) fn log_sigmoid_lanes<L: Lanes>(lanes: L, x: L::Vector) -> L::Vector {
    let negative = lanes.min(x, lanes.zero());
    lanes.sub(negative, ln_1p_unit(lanes, tail(lanes, x)))
}

/// softplus(to x) - softplus(from x) where 0 <= from <= to and step = to - from; the errors are stated at
/// [`crate::binary::softplus_increments`].
#[inline(always)]
pub(crate) fn softplus_increment_lanes<L: Lanes>(
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

/// The difference for small d, expanded at the midpoint.
#[inline(always)]
fn short_rise<L: Lanes>(lanes: L, d: L::Vector, square: L::Vector, middle: L::Vector) -> L::Vector {
    let one = lanes.splat(L::Scalar::ONE);
    let s = sigmoid_lanes(lanes, middle);
    let rest = lanes.sub(one, s);
    let bend = lanes.mul(lanes.mul(square, lanes.constant(1.0 / 24.0)), lanes.mul(rest, lanes.sub(rest, s)));
    let rise = lanes.mul(d, s);
    lanes.mul_add(rise, bend, rise)
}

/// The difference for any d.
#[inline(always)]
fn long_rise<L: Lanes>(lanes: L, from: L::Vector, d: L::Vector, x: L::Vector) -> L::Vector {
    let one = lanes.splat(L::Scalar::ONE);
    let down = |x: L::Vector| lanes.bit_or(x, lanes.sign_bit()); // -|x|
    let e = exp_nonpositive(lanes, lanes.mul(from, down(x)));
    let m = exp_m1_nonpositive(lanes, down(d));
    let f = lanes.div_moderate(lanes.mul(e, m), lanes.add(one, e));
    lanes.add(lanes.max(d, lanes.zero()), ln_1p_negative(lanes, f))
}
