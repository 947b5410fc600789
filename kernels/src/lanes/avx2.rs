//! AVX2 with FMA: 8 lanes of f32, 4 of f64, 16 registers.

use super::words::Avx2Words;
use super::{Lanes, Operation, Scalar};
use core::arch::x86_64::*;

/// Runs `operation` with the instructions of this level.
///
/// # Safety
/// The CPU has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub(crate) unsafe fn enter<T: Scalar, O: Operation<T>>(operation: O) -> O::Output {
    // SAFETY: the caller guarantees the features that the token stands for.
    operation.run(unsafe { T::Avx2::new() })
}

/// Like [`enter`], but never inlined.
///
/// # Safety
/// Same as [`enter`].
#[target_feature(enable = "avx2,fma")]
#[inline(never)]
unsafe fn run_outlined<T: Scalar, O: Operation<T>>(operation: O) -> O::Output {
    // SAFETY: the caller guarantees the features that the token stands for.
    operation.run(unsafe { T::Avx2::new() })
}

/// Defines methods that are one intrinsic each.
macro_rules! via {
    ($($name:ident($($arg:ident),*) = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(self, $($arg: Self::Vector),*) -> Self::Vector {
            // SAFETY: the token proves the CPU.
            unsafe { $intrinsic($($arg),*) }
        }
    )*};
}

/// 2^-31.
const SCALE31: f32 = 1.0 / 2_147_483_648.0;

/// The 8 words from index `8 - count` on have their first `count` words set.
static MASK32: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

/// The 4 words from index `4 - count` on have their first `count` words set.
static MASK64: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];

/// 8 lanes of f32 by AVX2 and FMA.
#[derive(Clone, Copy)]
pub struct F32x8(());

impl F32x8 {
    #[inline(always)]
    fn first(self, count: usize) -> __m256i {
        // SAFETY: the token proves the CPU; the 8 words start at index 0..=8 of 16.
        unsafe { _mm256_loadu_si256(MASK32.as_ptr().add(8 - count.min(8)).cast()) }
    }
}

impl Lanes for F32x8 {
    type Scalar = f32;
    type Vector = __m256;
    type Mask = __m256;
    type Words = Avx2Words;
    const COUNT: usize = 8;
    const MR: usize = 6;
    const NV: usize = 2;

    #[inline(always)]
    unsafe fn new() -> Self {
        Self(())
    }

    #[inline(always)]
    fn run_outlined<O: Operation<Self::Scalar>>(self, operation: O) -> O::Output {
        // SAFETY: the token proves the CPU.
        unsafe { run_outlined(operation) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        // SAFETY: the token proves the CPU.
        unsafe { _mm256_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // SAFETY: the caller guarantees 8 readable scalars.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_first(self, from: *const f32, count: usize) -> __m256 {
        // SAFETY: masked lanes are not touched; the caller guarantees the others.
        unsafe { _mm256_maskload_ps(from, self.first(count)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: __m256) {
        // SAFETY: the caller guarantees 8 writable scalars.
        unsafe { _mm256_storeu_ps(to, x) }
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, x: __m256, count: usize) {
        // SAFETY: masked lanes are not touched; the caller guarantees the others.
        unsafe { _mm256_maskstore_ps(to, self.first(count), x) }
    }

    via! {
        add(a, b) = _mm256_add_ps;
        sub(a, b) = _mm256_sub_ps;
        mul(a, b) = _mm256_mul_ps;
        div(a, b) = _mm256_div_ps;
        sqrt(a) = _mm256_sqrt_ps;
        mul_add(a, b, c) = _mm256_fmadd_ps;
        min(a, b) = _mm256_min_ps;
        max(a, b) = _mm256_max_ps;
        bit_and(a, b) = _mm256_and_ps;
        bit_or(a, b) = _mm256_or_ps;
        bit_xor(a, b) = _mm256_xor_ps;
    }

    #[inline(always)]
    fn shift_to_exponent(self, a: __m256) -> __m256 {
        // SAFETY: the token proves the CPU.
        unsafe { _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_castps_si256(a))) }
    }

    #[inline(always)]
    fn shift_from_exponent(self, a: __m256) -> __m256 {
        // SAFETY: the token proves the CPU.
        unsafe { _mm256_castsi256_ps(_mm256_srli_epi32::<23>(_mm256_castps_si256(a))) }
    }

    #[inline(always)]
    fn less(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves the CPU.
        unsafe { _mm256_cmp_ps::<_CMP_LT_OQ>(a, b) }
    }

    #[inline(always)]
    fn is_nan(self, a: __m256) -> __m256 {
        // SAFETY: the token proves the CPU.
        unsafe { _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a) }
    }

    #[inline(always)]
    fn mask_bits(self, mask: __m256) -> u64 {
        // SAFETY: the token proves the CPU.
        u64::from(unsafe { _mm256_movemask_ps(mask) } as u8)
    }

    #[inline(always)]
    fn keep(self, bits: u64, a: __m256) -> __m256 {
        // SAFETY: the token proves the CPU.
        unsafe {
            let bit_masks = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
            let on =
                _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(bits as i32), bit_masks), bit_masks);
            _mm256_and_ps(_mm256_castsi256_ps(on), a)
        }
    }

    #[inline(always)]
    fn select(self, mask: __m256, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves the CPU.
        unsafe { _mm256_blendv_ps(b, a, mask) }
    }

    #[inline(always)]
    fn words(self) -> Avx2Words {
        // SAFETY: the token proves the CPU.
        unsafe { Avx2Words::new() }
    }

    #[inline(always)]
    fn bits(self, words: [__m256i; 2], part: usize) -> __m256 {
        // SAFETY: the token proves the CPU.
        unsafe { _mm256_castsi256_ps(words[part]) }
    }

    #[inline(always)]
    fn unit(self, bits: __m256) -> __m256 {
        // SAFETY: the token proves the CPU.
        unsafe {
            let integer = _mm256_srli_epi32::<8>(_mm256_castps_si256(bits));
            _mm256_mul_ps(_mm256_cvtepi32_ps(integer), _mm256_set1_ps(f32::EPSILON / 2.0))
        }
    }

    #[inline(always)]
    fn unit_above_zero(self, bits: __m256) -> __m256 {
        // SAFETY: the token proves the CPU.
        unsafe {
            let integer = _mm256_srli_epi32::<1>(_mm256_castps_si256(bits));
            let (scale, half) = (_mm256_set1_ps(SCALE31), _mm256_set1_ps(SCALE31 / 2.0));
            _mm256_fmadd_ps(_mm256_cvtepi32_ps(integer), scale, half)
        }
    }

    #[inline(always)]
    fn transpose(self, rows: &mut [__m256; 16]) {
        // SAFETY: the token proves the CPU.
        unsafe {
            // 4x4 blocks within the 128-bit lanes, then the two lanes.
            for i in (0..8).step_by(4) {
                let [r0, r1, r2, r3] = [rows[i], rows[i + 1], rows[i + 2], rows[i + 3]];
                let (low01, high01) = (_mm256_unpacklo_ps(r0, r1), _mm256_unpackhi_ps(r0, r1));
                let (low23, high23) = (_mm256_unpacklo_ps(r2, r3), _mm256_unpackhi_ps(r2, r3));
                rows[i] = _mm256_shuffle_ps::<0x44>(low01, low23);
                rows[i + 1] = _mm256_shuffle_ps::<0xee>(low01, low23);
                rows[i + 2] = _mm256_shuffle_ps::<0x44>(high01, high23);
                rows[i + 3] = _mm256_shuffle_ps::<0xee>(high01, high23);
            }
            for j in 0..4 {
                let [upper, lower] = [rows[j], rows[4 + j]];
                rows[j] = _mm256_permute2f128_ps::<0x20>(upper, lower);
                rows[4 + j] = _mm256_permute2f128_ps::<0x31>(upper, lower);
            }
        }
    }
}

/// 4 lanes of f64 by AVX2 and FMA.
#[derive(Clone, Copy)]
pub struct F64x4(());

impl F64x4 {
    #[inline(always)]
    fn first(self, count: usize) -> __m256i {
        // SAFETY: the token proves the CPU; the 4 words start at index 0..=4 of 8.
        unsafe { _mm256_loadu_si256(MASK64.as_ptr().add(4 - count.min(4)).cast()) }
    }
}

impl Lanes for F64x4 {
    type Scalar = f64;
    type Vector = __m256d;
    type Mask = __m256d;
    type Words = Avx2Words;
    const COUNT: usize = 4;
    const MR: usize = 6;
    const NV: usize = 2;

    #[inline(always)]
    unsafe fn new() -> Self {
        Self(())
    }

    #[inline(always)]
    fn run_outlined<O: Operation<Self::Scalar>>(self, operation: O) -> O::Output {
        // SAFETY: the token proves the CPU.
        unsafe { run_outlined(operation) }
    }

    #[inline(always)]
    fn splat(self, x: f64) -> __m256d {
        // SAFETY: the token proves the CPU.
        unsafe { _mm256_set1_pd(x) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f64) -> __m256d {
        // SAFETY: the caller guarantees 4 readable scalars.
        unsafe { _mm256_loadu_pd(from) }
    }

    #[inline(always)]
    unsafe fn load_first(self, from: *const f64, count: usize) -> __m256d {
        // SAFETY: masked lanes are not touched; the caller guarantees the others.
        unsafe { _mm256_maskload_pd(from, self.first(count)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f64, x: __m256d) {
        // SAFETY: the caller guarantees 4 writable scalars.
        unsafe { _mm256_storeu_pd(to, x) }
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f64, x: __m256d, count: usize) {
        // SAFETY: masked lanes are not touched; the caller guarantees the others.
        unsafe { _mm256_maskstore_pd(to, self.first(count), x) }
    }

    via! {
        add(a, b) = _mm256_add_pd;
        sub(a, b) = _mm256_sub_pd;
        mul(a, b) = _mm256_mul_pd;
        div(a, b) = _mm256_div_pd;
        sqrt(a) = _mm256_sqrt_pd;
        mul_add(a, b, c) = _mm256_fmadd_pd;
        min(a, b) = _mm256_min_pd;
        max(a, b) = _mm256_max_pd;
        bit_and(a, b) = _mm256_and_pd;
        bit_or(a, b) = _mm256_or_pd;
        bit_xor(a, b) = _mm256_xor_pd;
    }

    #[inline(always)]
    fn shift_to_exponent(self, a: __m256d) -> __m256d {
        // SAFETY: the token proves the CPU.
        unsafe { _mm256_castsi256_pd(_mm256_slli_epi64::<52>(_mm256_castpd_si256(a))) }
    }

    #[inline(always)]
    fn shift_from_exponent(self, a: __m256d) -> __m256d {
        // SAFETY: the token proves the CPU.
        unsafe { _mm256_castsi256_pd(_mm256_srli_epi64::<52>(_mm256_castpd_si256(a))) }
    }

    #[inline(always)]
    fn less(self, a: __m256d, b: __m256d) -> __m256d {
        // SAFETY: the token proves the CPU.
        unsafe { _mm256_cmp_pd::<_CMP_LT_OQ>(a, b) }
    }

    #[inline(always)]
    fn is_nan(self, a: __m256d) -> __m256d {
        // SAFETY: the token proves the CPU.
        unsafe { _mm256_cmp_pd::<_CMP_UNORD_Q>(a, a) }
    }

    #[inline(always)]
    fn mask_bits(self, mask: __m256d) -> u64 {
        // SAFETY: the token proves the CPU.
        u64::from(unsafe { _mm256_movemask_pd(mask) } as u8)
    }

    #[inline(always)]
    fn keep(self, bits: u64, a: __m256d) -> __m256d {
        // SAFETY: the token proves the CPU.
        unsafe {
            let bit_masks = _mm256_setr_epi64x(1, 2, 4, 8);
            let on =
                _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x(bits as i64), bit_masks), bit_masks);
            _mm256_and_pd(_mm256_castsi256_pd(on), a)
        }
    }

    #[inline(always)]
    fn select(self, mask: __m256d, a: __m256d, b: __m256d) -> __m256d {
        // SAFETY: the token proves the CPU.
        unsafe { _mm256_blendv_pd(b, a, mask) }
    }

    #[inline(always)]
    fn words(self) -> Avx2Words {
        // SAFETY: the token proves the CPU.
        unsafe { Avx2Words::new() }
    }

    #[inline(always)]
    fn bits(self, words: [__m256i; 2], part: usize) -> __m256d {
        // SAFETY: the token proves the CPU.
        unsafe { _mm256_castsi256_pd(words[part]) }
    }

    #[inline(always)]
    fn unit(self, bits: __m256d) -> __m256d {
        // SAFETY: the token proves the CPU.
        unsafe {
            // Bits 11..63 are the fraction of a number in [1/2, 1). If bit 63 is 0, 1/2 is subtracted.
            let fraction = _mm256_srli_epi64::<11>(_mm256_castpd_si256(bits));
            let fraction = _mm256_and_si256(fraction, _mm256_set1_epi64x((1 << 52) - 1));
            let half = _mm256_set1_pd(0.5);
            let upper = _mm256_or_pd(_mm256_castsi256_pd(fraction), half);
            _mm256_blendv_pd(_mm256_sub_pd(upper, half), upper, bits)
        }
    }

    #[inline(always)]
    fn unit_above_zero(self, bits: __m256d) -> __m256d {
        self.sub(self.splat(1.0), self.unit(bits))
    }

    #[inline(always)]
    fn transpose(self, rows: &mut [__m256d; 16]) {
        // SAFETY: the token proves the CPU.
        unsafe {
            for i in (0..4).step_by(2) {
                let [r0, r1] = [rows[i], rows[i + 1]];
                rows[i] = _mm256_unpacklo_pd(r0, r1);
                rows[i + 1] = _mm256_unpackhi_pd(r0, r1);
            }
            for j in 0..2 {
                let [upper, lower] = [rows[j], rows[2 + j]];
                rows[j] = _mm256_permute2f128_pd::<0x20>(upper, lower);
                rows[2 + j] = _mm256_permute2f128_pd::<0x31>(upper, lower);
            }
        }
    }
}
