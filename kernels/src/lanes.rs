//! The vector trait [`Lanes`] over which kernels are written, with one implementation per level and scalar type.
//!
//! An implementation is a zero-sized token whose existence proves that the CPU has its instructions. Its arithmetic is
//! therefore safe to call; only loads and stores through pointers are unsafe.
//!
//! A kernel is a value that implements [`Operation`]; its `run` is written once over [`Lanes`]. Everything that `run`
//! calls, down to the intrinsics, is `#[inline(always)]`. So it is compiled inside the `#[target_feature]` function of a
//! level (`enter` in the level's file), with the instructions of that level.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
pub(crate) mod constants;
mod portable;
mod scalars;
pub(crate) mod words;

use constants::Constants;
use core::fmt::{Debug, Display};
use core::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};
use words::Words;

/// `f32` or `f64`: the scalar types for which every kernel is compiled.
///
/// Sealed: the constants and the vector types belong to the kernels of this crate.
pub trait Scalar:
    sealed::Tokens
    + Constants
    + Copy
    + Default
    + PartialEq
    + PartialOrd
    + Debug
    + Display
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Number of fraction bits: 23 or 52.
    const FRACTION_BITS: u32;
    /// Distance from 1 to the next larger number.
    const EPSILON: Self;
    /// Gradients below this size are read and written as 0: 2^-56 = 1.4e-17 (f32), 2^-504 (f64).
    ///
    /// The product of such a gradient with a weight, a learning rate or itself would be *denormal*: below the smallest
    /// normal number, 2^-126 or 2^-1022. Many processors need over a hundred cycles for an operation on a denormal
    /// number. Training produces many of them: the gradients of inactive units shrink from layer to layer, and their
    /// moments shrink from step to step. The square of this size, times 2^-14, is the smallest normal number.
    const TINY: Self;

    /// Converts to the nearest number of this type.
    fn from_f64(x: f64) -> Self;
    /// Converts exactly.
    fn to_f64(self) -> f64;
}

pub(crate) mod sealed {
    use super::Lanes;
    use crate::level::Level;

    /// The token types of a scalar at each level.
    pub trait Tokens: Sized {
        type Portable: Lanes<Scalar = Self> + Default;
        #[cfg(target_arch = "x86_64")]
        type Avx2: Lanes<Scalar = Self>;
        #[cfg(target_arch = "x86_64")]
        type Avx512: Lanes<Scalar = Self>;

        /// [`reduce::dot`](crate::reduce::dot), compiled in this crate: its loops need registers, which they do not get in a
        /// crate that is compiled for size.
        fn dot(level: Level, x: &[Self], y: &[Self]) -> Self;
    }
}

/// A kernel together with its arguments.
pub trait Operation<T: Scalar> {
    type Output;

    /// Runs the kernel. Implementations are `#[inline(always)]`.
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) -> Self::Output;
}

/// Operations on a vector of [`Lanes::COUNT`] scalars.
///
/// Every method is `#[inline(always)]`; the head of this file says why.
#[allow(missing_docs)] // the arithmetic says itself
pub trait Lanes: Copy {
    type Scalar: Scalar;
    type Vector: Copy;
    /// One Boolean per lane.
    type Mask: Copy;
    /// The level's vectors of eight 64-bit words.
    type Words: Words;

    /// Number of lanes in a vector.
    const COUNT: usize;
    /// Number of vectors that eight 64-bit words fill: 1, 2 or 4.
    const PARTS: usize = size_of::<[u64; 8]>() / size_of::<Self::Vector>();
    /// Number of rows of a GEMM register tile.
    const MR: usize;
    /// Number of vectors in a row of a GEMM register tile.
    const NV: usize;

    /// Creates the token.
    ///
    /// # Safety
    /// The CPU has the level's instructions.
    unsafe fn new() -> Self;

    /// Runs `operation` in a separate function compiled for this level, so that its loops can use all registers.
    fn run_outlined<O: Operation<Self::Scalar>>(self, operation: O) -> O::Output;

    fn splat(self, x: Self::Scalar) -> Self::Vector;

    /// Reads `COUNT` scalars at any alignment.
    ///
    /// # Safety
    /// `COUNT` scalars are readable at `from`.
    unsafe fn load(self, from: *const Self::Scalar) -> Self::Vector;

    /// Reads the first `count <= COUNT` scalars and no byte beyond them; the other lanes are 0.
    ///
    /// # Safety
    /// The first `count` scalars are readable.
    unsafe fn load_first(self, from: *const Self::Scalar, count: usize) -> Self::Vector;

    /// Writes `COUNT` scalars at any alignment.
    ///
    /// # Safety
    /// `COUNT` scalars are writable at `to`.
    unsafe fn store(self, to: *mut Self::Scalar, x: Self::Vector);

    /// Writes the first `count <= COUNT` scalars and no byte beyond them.
    ///
    /// # Safety
    /// The first `count` scalars are writable.
    unsafe fn store_first(self, to: *mut Self::Scalar, x: Self::Vector, count: usize);

    /// Like [`Lanes::load_first`], but reads a whole vector without a mask if `count` is `COUNT`: faster in long loops
    /// at levels where masks are slow.
    ///
    /// # Safety
    /// The first `count` scalars are readable.
    #[inline(always)]
    unsafe fn load_up_to(self, from: *const Self::Scalar, count: usize) -> Self::Vector {
        // SAFETY: guaranteed by the caller.
        unsafe { if count == Self::COUNT { self.load(from) } else { self.load_first(from, count) } }
    }

    /// Like [`Lanes::store_first`], but writes a whole vector without a mask if `count` is `COUNT`.
    ///
    /// # Safety
    /// The first `count` scalars are writable.
    #[inline(always)]
    unsafe fn store_up_to(self, to: *mut Self::Scalar, x: Self::Vector, count: usize) {
        // SAFETY: guaranteed by the caller.
        unsafe { if count == Self::COUNT { self.store(to, x) } else { self.store_first(to, x, count) } }
    }

    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a / b` within 0.51 ULP, for finite `a` (or NaN) and `b` in [1, 4] (or NaN). Uses Newton's iteration where the
    /// divider is slow.
    #[inline(always)]
    fn div_moderate(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        self.div(a, b)
    }
    fn sqrt(self, a: Self::Vector) -> Self::Vector;
    /// `a * b + c`; rounded once, except at the portable level.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// The smaller of both; `b` if either is NaN.
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The larger of both; `b` if either is NaN.
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    fn bit_and(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn bit_or(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn bit_xor(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Shifts the bit patterns left by the width of the fraction: an integer becomes an exponent.
    fn shift_to_exponent(self, a: Self::Vector) -> Self::Vector;
    /// Shifts the bit patterns right by the width of the fraction; zeros come in.
    fn shift_from_exponent(self, a: Self::Vector) -> Self::Vector;

    /// `a < b`; false on NaN.
    fn less(self, a: Self::Vector, b: Self::Vector) -> Self::Mask;
    /// `a` is NaN.
    fn is_nan(self, a: Self::Vector) -> Self::Mask;
    /// Packs the mask into an integer: bit i is 1 if lane i is true.
    fn mask_bits(self, mask: Self::Mask) -> u64;
    /// `a` where the mask is true, else `b`.
    fn select(self, mask: Self::Mask, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `a` in each lane i for which bit i of `bits` is 1, else 0. Bits beyond the last lane are ignored.
    #[inline(always)]
    fn keep(self, bits: u64, a: Self::Vector) -> Self::Vector {
        let mut lanes = self.to_array(a);
        for (i, lane) in lanes.iter_mut().enumerate() {
            if bits >> i & 1 == 0 {
                *lane = Self::Scalar::ZERO;
            }
        }
        // SAFETY: no level has more than 16 lanes.
        unsafe { self.load(lanes.as_ptr()) }
    }

    /// The token for vectors of 64-bit words at this level.
    fn words(self) -> Self::Words;
    /// The bits of eight words as lanes, low half before high half: vector `part` of [`Lanes::PARTS`].
    fn bits(self, words: <Self::Words as Words>::Vector, part: usize) -> Self::Vector;
    /// The top 24 (f32) or 53 (f64) bits of each lane of [`Lanes::bits`] as a number in [0, 1), exactly.
    fn unit(self, bits: Self::Vector) -> Self::Vector;
    /// Each lane of [`Lanes::bits`] as a number in (0, 1], identical at every level. The smallest value is 2^-32 (f32:
    /// top 31 bits plus a half, rounded) or 2^-53 (f64: 1 - [`Lanes::unit`]).
    fn unit_above_zero(self, bits: Self::Vector) -> Self::Vector;

    /// Transposes the leading `COUNT x COUNT` block: `rows[i][j]` becomes `rows[j][i]`. Needs at least `COUNT` vectors
    /// in `rows`.
    fn transpose(self, rows: &mut [Self::Vector; 16]);

    /// `a * 2^n`, rounded only once even if the result is denormal, for `a` in [1/2, 2] and an integer `n` whose size
    /// is at most twice the largest exponent.
    #[inline(always)]
    fn scale(self, a: Self::Vector, n: Self::Vector) -> Self::Vector {
        // 2^n itself may overflow or underflow, 2^(n/2) does not, and the first product is exact.
        let round = self.splat(Self::Scalar::ROUND);
        let half = self.mul_add(n, self.constant(0.5), round);
        let rest = self.add(self.sub(n, self.sub(half, round)), round);
        self.mul(self.mul(a, self.shift_to_exponent(half)), self.shift_to_exponent(rest))
    }

    /// Writes `first + 64 i` for each bit i of `bits` that is 1, in ascending order. The rest of the 16 numbers is
    /// unspecified.
    ///
    /// # Safety
    /// 16 numbers are writable.
    #[inline(always)]
    unsafe fn store_bit_indices(self, mut bits: u16, first: u32, to: *mut u32) {
        let mut address = to;
        while bits != 0 {
            // SAFETY: 16 bits give at most 16 numbers.
            unsafe {
                address.write(first + 64 * bits.trailing_zeros());
                address = address.add(1);
            }
            bits &= bits - 1;
        }
    }

    /// Prefetches the cache line at `address` into L1, or into L2 if `TO_L2`. The address may be invalid.
    #[inline(always)]
    fn prefetch<const TO_L2: bool>(self, address: *const Self::Scalar) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: SSE is part of x86-64, and a prefetch never faults.
        unsafe {
            use core::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
            if TO_L2 {
                _mm_prefetch::<_MM_HINT_T1>(address.cast());
            } else {
                _mm_prefetch::<_MM_HINT_T0>(address.cast());
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = address;
    }

    #[inline(always)]
    fn zero(self) -> Self::Vector {
        self.splat(Self::Scalar::ZERO)
    }

    #[inline(always)]
    fn constant(self, x: f64) -> Self::Vector {
        self.splat(Self::Scalar::from_f64(x))
    }

    /// A vector of scalars with only the sign bit set.
    #[inline(always)]
    fn sign_bit(self) -> Self::Vector {
        self.splat(-Self::Scalar::ZERO)
    }

    #[inline(always)]
    fn neg(self, a: Self::Vector) -> Self::Vector {
        self.bit_xor(a, self.sign_bit())
    }

    #[inline(always)]
    fn abs(self, a: Self::Vector) -> Self::Vector {
        let sign = self.bit_and(a, self.sign_bit());
        self.bit_xor(a, sign)
    }

    /// `a` if its size is at least `limit` or it is NaN, else 0.
    #[inline(always)]
    fn flush_below(self, limit: Self::Scalar, a: Self::Vector) -> Self::Vector {
        self.select(self.less(self.abs(a), self.splat(limit)), self.zero(), a)
    }

    /// The lanes in memory order, in the first `COUNT` elements.
    #[inline(always)]
    fn to_array(self, a: Self::Vector) -> [Self::Scalar; 16] {
        let mut array = [Self::Scalar::ZERO; 16];
        // SAFETY: no level has more than 16 lanes.
        unsafe { self.store(array.as_mut_ptr(), a) };
        array
    }

    /// The sum of the lanes, added pairwise: lane i plus lane i + COUNT/2, and so on.
    #[inline(always)]
    fn sum(self, a: Self::Vector) -> Self::Scalar {
        let mut array = self.to_array(a);
        let mut half = Self::COUNT / 2;
        while half > 0 {
            for i in 0..half {
                array[i] += array[i + half];
            }
            half /= 2;
        }
        array[0]
    }
}
