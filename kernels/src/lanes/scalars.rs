//! `f32` and `f64`, and their vector types at each level.

use super::sealed::Tokens;
use super::{Scalar, portable};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::dispatch::dispatch;
use crate::level::Level;
use crate::reduce::Dot;

macro_rules! scalar {
    ($type:ident, $fraction:literal, $tiny:literal, $portable:ident, $avx2:ident, $avx512:ident) => {
        impl Tokens for $type {
            type Portable = portable::$portable;
            #[cfg(target_arch = "x86_64")]
            type Avx2 = avx2::$avx2;
            #[cfg(target_arch = "x86_64")]
            type Avx512 = avx512::$avx512;

            #[inline(never)]
            fn dot(level: Level, x: &[Self], y: &[Self]) -> Self {
                dispatch(level, Dot(x, y))
            }
        }

        impl Scalar for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const FRACTION_BITS: u32 = $fraction;
            const EPSILON: Self = $type::EPSILON;
            const TINY: Self = $type::from_bits($tiny);

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $type
            }

            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
        }
    };
}

// The bit patterns of 2^-56 and 2^-504: biased exponent, fraction 0.
scalar!(f32, 23, 0x2380_0000, F32x4, F32x8, F32x16);
scalar!(f64, 52, 0x2070_0000_0000_0000, F64x2, F64x4, F64x8);
