//! exp, ln, sigmoid, log-sigmoid, softplus and tanh over slices.
//!
//! Every function is defined for every argument: NaN gives NaN, infinities give their limits, and denormal and
//! overflowing results are those of IEEE 754. Errors are in ULP, units in the last place of the exact result, and hold
//! for f32 and f64 at every level; `kernels/tests/math.rs` measures them. The portable level has no fused multiply-add
//! and may differ from the others in the last bits.
//!
//! Denormal arguments and results are correct but slow: the CPU takes over a hundred cycles for each.

pub mod exp;
pub mod ln;
mod polynomial;
pub mod sigmoid;
pub mod tanh;

#[allow(unused_imports)] // used by fused kernels
pub(crate) use self::{
    exp::{exp_lanes, exp_m1_nonpositive as exp_m1_lanes, exp_normal},
    ln::ln_lanes,
    sigmoid::{log_sigmoid_lanes, sigmoid_lanes, softplus_increment_lanes, softplus_lanes, tail},
    tanh::tanh_lanes,
};

use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Scalar};
use crate::level::Level;
use crate::map::{Function, Map, check_equal};

macro_rules! slice_functions {
    ($(
        $(#[$doc:meta])*
        $name:ident, $in_place:ident, $type:ident = $lanes:ident;
    )*) => {$(
        #[derive(Clone, Copy)]
        pub(crate) struct $type;

        impl<T: Scalar> Function<T> for $type {
            #[inline(always)]
            fn apply<L: Lanes<Scalar = T>>(self, lanes: L, x: L::Vector) -> L::Vector {
                $lanes(lanes, x)
            }
        }

        $(#[$doc])*
        ///
        /// **Panics** if the lengths differ.
        #[track_caller]
        pub fn $name<T: Scalar>(level: Level, x: &[T], out: &mut [T]) {
            check_equal("x", x.len(), "out", out.len());
            dispatch(level, Map::new($type, x, out));
        }

        #[doc = concat!("Like [`", stringify!($name), "()`], but in place.")]
        pub fn $in_place<T: Scalar>(level: Level, x: &mut [T]) {
            dispatch(level, Map::in_place($type, x));
        }
    )*};
}

slice_functions! {
    /// `out = e^x`.
    ///
    /// **Accuracy and cost** 1.2 ULP; denormal results included.
    exp, exp_in_place, Exp = exp_lanes;

    /// `out = ln x`: -inf at 0 (of either sign), NaN for negative x.
    ///
    /// **Accuracy and cost** 0.9 ULP; denormal arguments included.
    ln, ln_in_place, Ln = ln_lanes;

    /// `out = 1 / (1 + e^-x)`.
    ///
    /// **Accuracy and cost** 2.5 ULP, also in the left tail, where the result is about e^x.
    sigmoid, sigmoid_in_place, Sigmoid = sigmoid_lanes;

    /// `out = -ln(1 + e^-x)`, the logarithm of [`sigmoid()`].
    ///
    /// **Accuracy and cost** 2 ULP, also in the right tail, where the result is about -e^-x.
    log_sigmoid, log_sigmoid_in_place, LogSigmoid = log_sigmoid_lanes;

    /// `out = ln(1 + e^x)`.
    ///
    /// **Accuracy and cost** 2 ULP, also in the left tail, where the result is about e^x.
    softplus, softplus_in_place, Softplus = softplus_lanes;

    /// `out = tanh x`; the sign of a zero is kept.
    ///
    /// **Accuracy and cost** 2.8 ULP.
    tanh, tanh_in_place, Tanh = tanh_lanes;
}
