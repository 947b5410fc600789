//! The hyperbolic tangent.
//!
//! With m = e^(-2|x|) - 1, tanh |x| = -m / (2 + m).

use super::exp::exp_m1_nonpositive;
use crate::lanes::Lanes;

/// tanh x; the errors are stated at [`super::tanh`].
#[inline(always)]
pub(crate) fn tanh_lanes<L: Lanes>(lanes: L, x: L::Vector) -> L::Vector {
    let minus_double = lanes.bit_or(lanes.add(x, x), lanes.sign_bit());
    let m = exp_m1_nonpositive(lanes, minus_double);
    let y = lanes.div_moderate(m, lanes.add(lanes.constant(2.0), m));
    lanes.bit_or(lanes.abs(y), lanes.bit_and(x, lanes.sign_bit()))
}
