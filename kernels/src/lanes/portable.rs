//! 128-bit vectors as arrays: the size that SSE2, NEON and the compiler's vectoriser have in common.

use super::words::PortableWords;
use super::{Lanes, Operation};
use crate::array::array;

macro_rules! portable {
    ($name:ident, $scalar:ident, $bits:ident, $count:literal, $fraction:literal, $square_root:path, $unit:path, $above_zero:path) => {
        #[doc = concat!(stringify!($count), " lanes of ", stringify!($scalar), " in plain Rust.")]
        #[derive(Clone, Copy, Default)]
        pub struct $name;

        impl $name {
            #[inline(always)]
            fn zip(
                a: [$scalar; $count],
                b: [$scalar; $count],
                f: impl Fn($scalar, $scalar) -> $scalar,
            ) -> [$scalar; $count] {
                array(|i| f(a[i], b[i]))
            }

            #[inline(always)]
            fn zip_bits(
                a: [$scalar; $count],
                b: [$scalar; $count],
                f: impl Fn($bits, $bits) -> $bits,
            ) -> [$scalar; $count] {
                array(|i| $scalar::from_bits(f(a[i].to_bits(), b[i].to_bits())))
            }
        }

        impl Lanes for $name {
            type Scalar = $scalar;
            type Vector = [$scalar; $count];
            type Mask = [bool; $count];
            type Words = PortableWords;
            const COUNT: usize = $count;
            // 4 x 2 accumulators leave half of SSE2's 16 registers for operands.
            const MR: usize = 4;
            const NV: usize = 2;

            #[inline(always)]
            unsafe fn new() -> Self {
                Self
            }

            #[inline(never)]
            fn run_outlined<O: Operation<Self::Scalar>>(self, operation: O) -> O::Output {
                operation.run(self)
            }

            #[inline(always)]
            fn splat(self, x: $scalar) -> Self::Vector {
                [x; $count]
            }

            #[inline(always)]
            unsafe fn load(self, from: *const $scalar) -> Self::Vector {
                // SAFETY: the caller guarantees COUNT readable scalars; arrays of scalars have their alignment.
                unsafe { from.cast::<Self::Vector>().read_unaligned() }
            }

            #[inline(always)]
            unsafe fn load_first(self, from: *const $scalar, count: usize) -> Self::Vector {
                // SAFETY: the caller guarantees `count` readable scalars, and i < count.
                array(|i| if i < count { unsafe { from.add(i).read() } } else { 0.0 })
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut $scalar, x: Self::Vector) {
                // SAFETY: the caller guarantees COUNT writable scalars.
                unsafe { to.cast::<Self::Vector>().write_unaligned(x) }
            }

            #[inline(always)]
            unsafe fn store_first(self, to: *mut $scalar, x: Self::Vector, count: usize) {
                for (i, &lane) in x.iter().enumerate().take(count) {
                    // SAFETY: the caller guarantees `count` writable scalars, and i < count.
                    unsafe { to.add(i).write(lane) }
                }
            }

            #[inline(always)]
            fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                Self::zip(a, b, |a, b| a + b)
            }

            #[inline(always)]
            fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                Self::zip(a, b, |a, b| a - b)
            }

            #[inline(always)]
            fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                Self::zip(a, b, |a, b| a * b)
            }

            #[inline(always)]
            fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                Self::zip(a, b, |a, b| a / b)
            }

            #[inline(always)]
            fn sqrt(self, a: Self::Vector) -> Self::Vector {
                array(|i| $square_root(a[i]))
            }

            #[inline(always)]
            fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
                array(|i| a[i] * b[i] + c[i])
            }

            #[inline(always)]
            fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                Self::zip(a, b, |a, b| if a < b { a } else { b })
            }

            #[inline(always)]
            fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                Self::zip(a, b, |a, b| if a > b { a } else { b })
            }

            #[inline(always)]
            fn bit_and(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                Self::zip_bits(a, b, |a, b| a & b)
            }

            #[inline(always)]
            fn bit_or(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                Self::zip_bits(a, b, |a, b| a | b)
            }

            #[inline(always)]
            fn bit_xor(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                Self::zip_bits(a, b, |a, b| a ^ b)
            }

            #[inline(always)]
            fn shift_to_exponent(self, a: Self::Vector) -> Self::Vector {
                array(|i| $scalar::from_bits(a[i].to_bits() << $fraction))
            }

            #[inline(always)]
            fn shift_from_exponent(self, a: Self::Vector) -> Self::Vector {
                array(|i| $scalar::from_bits(a[i].to_bits() >> $fraction))
            }

            #[inline(always)]
            fn less(self, a: Self::Vector, b: Self::Vector) -> Self::Mask {
                array(|i| a[i] < b[i])
            }

            #[inline(always)]
            fn is_nan(self, a: Self::Vector) -> Self::Mask {
                array(|i| a[i].is_nan())
            }

            #[inline(always)]
            fn mask_bits(self, mask: Self::Mask) -> u64 {
                mask.iter().rev().fold(0, |bits, &lane| bits << 1 | u64::from(lane))
            }

            #[inline(always)]
            fn select(self, mask: Self::Mask, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                array(|i| if mask[i] { a[i] } else { b[i] })
            }

            #[inline(always)]
            fn words(self) -> PortableWords {
                PortableWords
            }

            #[inline(always)]
            fn bits(self, words: [u64; 8], part: usize) -> Self::Vector {
                array(|i| {
                    let bit = (part * $count + i) * $bits::BITS as usize;
                    $scalar::from_bits((words[bit / 64] >> (bit % 64)) as $bits)
                })
            }

            #[inline(always)]
            fn unit(self, bits: Self::Vector) -> Self::Vector {
                array(|i| $unit(bits[i]))
            }

            #[inline(always)]
            fn unit_above_zero(self, bits: Self::Vector) -> Self::Vector {
                array(|i| $above_zero(bits[i]))
            }

            #[inline(always)]
            fn transpose(self, rows: &mut [Self::Vector; 16]) {
                for i in 0..$count {
                    for j in 0..i {
                        let upper = rows[j][i];
                        rows[j][i] = rows[i][j];
                        rows[i][j] = upper;
                    }
                }
            }
        }
    };
}

portable!(F32x4, f32, u32, 4, 23, libm::sqrtf, unit32, above_zero32);
portable!(F64x2, f64, u64, 2, 52, libm::sqrt, unit64, above_zero64);

#[inline(always)]
fn unit32(bits: f32) -> f32 {
    (bits.to_bits() >> 8) as i32 as f32 * (f32::EPSILON / 2.0)
}

#[inline(always)]
fn above_zero32(bits: f32) -> f32 {
    const SCALE: f32 = 1.0 / 2_147_483_648.0;
    (bits.to_bits() >> 1) as i32 as f32 * SCALE + SCALE / 2.0
}

#[inline(always)]
fn unit64(bits: f64) -> f64 {
    (bits.to_bits() >> 11) as f64 * (f64::EPSILON / 2.0)
}

#[inline(always)]
fn above_zero64(bits: f64) -> f64 {
    1.0 - unit64(bits)
}
