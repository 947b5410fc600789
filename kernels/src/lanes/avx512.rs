//! AVX-512F: 16 lanes of f32, 8 of f64, 32 registers.

use super::words::Avx512Words;
use super::{Lanes, Operation, Scalar};
use core::arch::x86_64::*;

/// Runs `operation` with the instructions of this level.
///
/// # Safety
/// The CPU has AVX-512F, which brings AVX2 and FMA.
#[target_feature(enable = "avx512f,avx2,fma")]
pub(crate) unsafe fn enter<T: Scalar, O: Operation<T>>(operation: O) -> O::Output {
    // SAFETY: the caller guarantees the features that the token stands for.
    operation.run(unsafe { T::Avx512::new() })
}

/// Like [`enter`], but never inlined.
///
/// # Safety
/// Same as [`enter`].
#[target_feature(enable = "avx512f,avx2,fma")]
#[inline(never)]
unsafe fn run_outlined<T: Scalar, O: Operation<T>>(operation: O) -> O::Output {
    // SAFETY: the caller guarantees the features that the token stands for.
    operation.run(unsafe { T::Avx512::new() })
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

/// 16 lanes of f32 by AVX-512F.
#[derive(Clone, Copy)]
pub struct F32x16(());

impl Lanes for F32x16 {
    type Scalar = f32;
    type Vector = __m512;
    type Mask = __mmask16;
    type Words = Avx512Words;
    const COUNT: usize = 16;
    const MR: usize = 12;
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
    fn splat(self, x: f32) -> __m512 {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // SAFETY: the caller guarantees 16 readable scalars.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_first(self, from: *const f32, count: usize) -> __m512 {
        // SAFETY: masked lanes are not touched; the caller guarantees the others.
        unsafe { _mm512_maskz_loadu_ps(mask16(count), from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, x: __m512) {
        // SAFETY: the caller guarantees 16 writable scalars.
        unsafe { _mm512_storeu_ps(to, x) }
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, x: __m512, count: usize) {
        // SAFETY: masked lanes are not touched; the caller guarantees the others.
        unsafe { _mm512_mask_storeu_ps(to, mask16(count), x) }
    }

    via! {
        add(a, b) = _mm512_add_ps;
        sub(a, b) = _mm512_sub_ps;
        mul(a, b) = _mm512_mul_ps;
        div(a, b) = _mm512_div_ps;
        sqrt(a) = _mm512_sqrt_ps;
        mul_add(a, b, c) = _mm512_fmadd_ps;
        min(a, b) = _mm512_min_ps;
        max(a, b) = _mm512_max_ps;
        scale(a, n) = _mm512_scalef_ps;
    }

    #[inline(always)]
    fn div_moderate(self, a: __m512, b: __m512) -> __m512 {
        // The estimate has 14 bits; each Newton step doubles them, and the last step corrects a / b.
        // SAFETY: the token proves the CPU.
        unsafe {
            let one = _mm512_set1_ps(1.0);
            let mut inverse = _mm512_rcp14_ps(b);
            let error = _mm512_fnmadd_ps(b, inverse, one);
            inverse = _mm512_fmadd_ps(inverse, error, inverse);
            let quotient = _mm512_mul_ps(a, inverse);
            _mm512_fmadd_ps(_mm512_fnmadd_ps(quotient, b, a), inverse, quotient)
        }
    }

    #[inline(always)]
    fn bit_and(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves the CPU. (The float forms need AVX-512DQ.)
        unsafe { _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(a), _mm512_castps_si512(b))) }
    }

    #[inline(always)]
    fn bit_or(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_castsi512_ps(_mm512_or_si512(_mm512_castps_si512(a), _mm512_castps_si512(b))) }
    }

    #[inline(always)]
    fn bit_xor(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(a), _mm512_castps_si512(b))) }
    }

    #[inline(always)]
    fn shift_to_exponent(self, a: __m512) -> __m512 {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_castps_si512(a))) }
    }

    #[inline(always)]
    fn shift_from_exponent(self, a: __m512) -> __m512 {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_castsi512_ps(_mm512_srli_epi32::<23>(_mm512_castps_si512(a))) }
    }

    #[inline(always)]
    fn less(self, a: __m512, b: __m512) -> __mmask16 {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b) }
    }

    #[inline(always)]
    fn is_nan(self, a: __m512) -> __mmask16 {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a) }
    }

    #[inline(always)]
    unsafe fn store_bit_indices(self, bits: u16, first: u32, to: *mut u32) {
        // SAFETY: the caller guarantees the requirements of this function.
        unsafe { store_bit_indices(bits, first, to) }
    }

    #[inline(always)]
    fn mask_bits(self, mask: __mmask16) -> u64 {
        u64::from(mask)
    }

    #[inline(always)]
    fn keep(self, bits: u64, a: __m512) -> __m512 {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_maskz_mov_ps(bits as __mmask16, a) }
    }

    #[inline(always)]
    fn select(self, mask: __mmask16, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_mask_blend_ps(mask, b, a) }
    }

    #[inline(always)]
    fn words(self) -> Avx512Words {
        // SAFETY: the token proves the CPU.
        unsafe { Avx512Words::new() }
    }

    #[inline(always)]
    fn bits(self, words: __m512i, _part: usize) -> __m512 {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_castsi512_ps(words) }
    }

    #[inline(always)]
    fn unit(self, bits: __m512) -> __m512 {
        // SAFETY: the token proves the CPU.
        unsafe {
            let integer = _mm512_srli_epi32::<8>(_mm512_castps_si512(bits));
            _mm512_mul_ps(_mm512_cvtepi32_ps(integer), _mm512_set1_ps(f32::EPSILON / 2.0))
        }
    }

    #[inline(always)]
    fn unit_above_zero(self, bits: __m512) -> __m512 {
        // SAFETY: the token proves the CPU.
        unsafe {
            let integer = _mm512_srli_epi32::<1>(_mm512_castps_si512(bits));
            let (scale, half) = (_mm512_set1_ps(SCALE31), _mm512_set1_ps(SCALE31 / 2.0));
            _mm512_fmadd_ps(_mm512_cvtepi32_ps(integer), scale, half)
        }
    }

    #[inline(always)]
    fn transpose(self, rows: &mut [__m512; 16]) {
        // SAFETY: the token proves the CPU.
        unsafe {
            // 4x4 blocks of 4x4: first transpose within the 128-bit lanes ...
            for i in (0..16).step_by(4) {
                let [r0, r1, r2, r3] = [rows[i], rows[i + 1], rows[i + 2], rows[i + 3]];
                let (low01, high01) = (_mm512_unpacklo_ps(r0, r1), _mm512_unpackhi_ps(r0, r1));
                let (low23, high23) = (_mm512_unpacklo_ps(r2, r3), _mm512_unpackhi_ps(r2, r3));
                rows[i] = _mm512_shuffle_ps::<0x44>(low01, low23);
                rows[i + 1] = _mm512_shuffle_ps::<0xee>(low01, low23);
                rows[i + 2] = _mm512_shuffle_ps::<0x44>(high01, high23);
                rows[i + 3] = _mm512_shuffle_ps::<0xee>(high01, high23);
            }
            // ... then the 128-bit lanes themselves: lane q of rows[4p + j] becomes lane p of rows[4q + j].
            for j in 0..4 {
                let [r0, r1, r2, r3] = [rows[j], rows[4 + j], rows[8 + j], rows[12 + j]];
                let (even01, odd01) =
                    (_mm512_shuffle_f32x4::<0x88>(r0, r1), _mm512_shuffle_f32x4::<0xdd>(r0, r1));
                let (even23, odd23) =
                    (_mm512_shuffle_f32x4::<0x88>(r2, r3), _mm512_shuffle_f32x4::<0xdd>(r2, r3));
                rows[j] = _mm512_shuffle_f32x4::<0x88>(even01, even23);
                rows[8 + j] = _mm512_shuffle_f32x4::<0xdd>(even01, even23);
                rows[4 + j] = _mm512_shuffle_f32x4::<0x88>(odd01, odd23);
                rows[12 + j] = _mm512_shuffle_f32x4::<0xdd>(odd01, odd23);
            }
        }
    }
}

/// 8 lanes of f64 by AVX-512F.
#[derive(Clone, Copy)]
pub struct F64x8(());

impl Lanes for F64x8 {
    type Scalar = f64;
    type Vector = __m512d;
    type Mask = __mmask8;
    type Words = Avx512Words;
    const COUNT: usize = 8;
    const MR: usize = 12;
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
    fn splat(self, x: f64) -> __m512d {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_set1_pd(x) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f64) -> __m512d {
        // SAFETY: the caller guarantees 8 readable scalars.
        unsafe { _mm512_loadu_pd(from) }
    }

    #[inline(always)]
    unsafe fn load_first(self, from: *const f64, count: usize) -> __m512d {
        // SAFETY: masked lanes are not touched; the caller guarantees the others.
        unsafe { _mm512_maskz_loadu_pd(mask16(count) as __mmask8, from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f64, x: __m512d) {
        // SAFETY: the caller guarantees 8 writable scalars.
        unsafe { _mm512_storeu_pd(to, x) }
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f64, x: __m512d, count: usize) {
        // SAFETY: masked lanes are not touched; the caller guarantees the others.
        unsafe { _mm512_mask_storeu_pd(to, mask16(count) as __mmask8, x) }
    }

    via! {
        add(a, b) = _mm512_add_pd;
        sub(a, b) = _mm512_sub_pd;
        mul(a, b) = _mm512_mul_pd;
        div(a, b) = _mm512_div_pd;
        sqrt(a) = _mm512_sqrt_pd;
        mul_add(a, b, c) = _mm512_fmadd_pd;
        min(a, b) = _mm512_min_pd;
        max(a, b) = _mm512_max_pd;
        scale(a, n) = _mm512_scalef_pd;
    }

    #[inline(always)]
    fn div_moderate(self, a: __m512d, b: __m512d) -> __m512d {
        // The estimate has 14 bits; each Newton step doubles them, and the last step corrects a / b.
        // SAFETY: the token proves the CPU.
        unsafe {
            let one = _mm512_set1_pd(1.0);
            let mut inverse = _mm512_rcp14_pd(b);
            let error = _mm512_fnmadd_pd(b, inverse, one);
            inverse = _mm512_fmadd_pd(inverse, error, inverse);
            let error = _mm512_fnmadd_pd(b, inverse, one);
            inverse = _mm512_fmadd_pd(inverse, error, inverse);
            let quotient = _mm512_mul_pd(a, inverse);
            _mm512_fmadd_pd(_mm512_fnmadd_pd(quotient, b, a), inverse, quotient)
        }
    }

    #[inline(always)]
    fn bit_and(self, a: __m512d, b: __m512d) -> __m512d {
        // SAFETY: the token proves the CPU. (The float forms need AVX-512DQ.)
        unsafe { _mm512_castsi512_pd(_mm512_and_si512(_mm512_castpd_si512(a), _mm512_castpd_si512(b))) }
    }

    #[inline(always)]
    fn bit_or(self, a: __m512d, b: __m512d) -> __m512d {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_castsi512_pd(_mm512_or_si512(_mm512_castpd_si512(a), _mm512_castpd_si512(b))) }
    }

    #[inline(always)]
    fn bit_xor(self, a: __m512d, b: __m512d) -> __m512d {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_castsi512_pd(_mm512_xor_si512(_mm512_castpd_si512(a), _mm512_castpd_si512(b))) }
    }

    #[inline(always)]
    fn shift_to_exponent(self, a: __m512d) -> __m512d {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_castsi512_pd(_mm512_slli_epi64::<52>(_mm512_castpd_si512(a))) }
    }

    #[inline(always)]
    fn shift_from_exponent(self, a: __m512d) -> __m512d {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_castsi512_pd(_mm512_srli_epi64::<52>(_mm512_castpd_si512(a))) }
    }

    #[inline(always)]
    fn less(self, a: __m512d, b: __m512d) -> __mmask8 {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_cmp_pd_mask::<_CMP_LT_OQ>(a, b) }
    }

    #[inline(always)]
    fn is_nan(self, a: __m512d) -> __mmask8 {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_cmp_pd_mask::<_CMP_UNORD_Q>(a, a) }
    }

    #[inline(always)]
    unsafe fn store_bit_indices(self, bits: u16, first: u32, to: *mut u32) {
        // SAFETY: the caller guarantees the requirements of this function.
        unsafe { store_bit_indices(bits, first, to) }
    }

    #[inline(always)]
    fn mask_bits(self, mask: __mmask8) -> u64 {
        u64::from(mask)
    }

    #[inline(always)]
    fn keep(self, bits: u64, a: __m512d) -> __m512d {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_maskz_mov_pd(bits as __mmask8, a) }
    }

    #[inline(always)]
    fn select(self, mask: __mmask8, a: __m512d, b: __m512d) -> __m512d {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_mask_blend_pd(mask, b, a) }
    }

    #[inline(always)]
    fn words(self) -> Avx512Words {
        // SAFETY: the token proves the CPU.
        unsafe { Avx512Words::new() }
    }

    #[inline(always)]
    fn bits(self, words: __m512i, _part: usize) -> __m512d {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_castsi512_pd(words) }
    }

    #[inline(always)]
    fn unit(self, bits: __m512d) -> __m512d {
        // SAFETY: the token proves the CPU.
        unsafe {
            // Bits 11..63 are the fraction of a number in [1/2, 1). If bit 63 is 0, 1/2 is subtracted. (Converting
            // 64-bit integers would need AVX-512DQ.)
            let bits = _mm512_castpd_si512(bits);
            let fraction = _mm512_and_si512(_mm512_srli_epi64::<11>(bits), _mm512_set1_epi64((1 << 52) - 1));
            let half = _mm512_set1_pd(0.5);
            let upper = _mm512_castsi512_pd(_mm512_or_si512(fraction, _mm512_castpd_si512(half)));
            let lower = _mm512_cmpgt_epi64_mask(bits, _mm512_set1_epi64(-1));
            _mm512_mask_sub_pd(upper, lower, upper, half)
        }
    }

    #[inline(always)]
    fn unit_above_zero(self, bits: __m512d) -> __m512d {
        self.sub(self.splat(1.0), self.unit(bits))
    }

    #[inline(always)]
    fn transpose(self, rows: &mut [__m512d; 16]) {
        // SAFETY: the token proves the CPU.
        unsafe {
            // Transpose 2x2 blocks within the 128-bit lanes, then the 128-bit lanes: lane q of rows[2p + j] becomes
            // lane p of rows[2q + j].
            for i in (0..8).step_by(2) {
                let [r0, r1] = [rows[i], rows[i + 1]];
                rows[i] = _mm512_unpacklo_pd(r0, r1);
                rows[i + 1] = _mm512_unpackhi_pd(r0, r1);
            }
            for j in 0..2 {
                let [r0, r1, r2, r3] = [rows[j], rows[2 + j], rows[4 + j], rows[6 + j]];
                let (even01, odd01) =
                    (_mm512_shuffle_f64x2::<0x88>(r0, r1), _mm512_shuffle_f64x2::<0xdd>(r0, r1));
                let (even23, odd23) =
                    (_mm512_shuffle_f64x2::<0x88>(r2, r3), _mm512_shuffle_f64x2::<0xdd>(r2, r3));
                rows[j] = _mm512_shuffle_f64x2::<0x88>(even01, even23);
                rows[4 + j] = _mm512_shuffle_f64x2::<0xdd>(even01, even23);
                rows[2 + j] = _mm512_shuffle_f64x2::<0x88>(odd01, odd23);
                rows[6 + j] = _mm512_shuffle_f64x2::<0xdd>(odd01, odd23);
            }
        }
    }
}

/// A mask of the lowest `count` bits; all 16 if `count >= 16`.
#[inline(always)]
fn mask16(count: usize) -> __mmask16 {
    if count >= 16 { u16::MAX } else { (1 << count) - 1 }
}

/// [`Lanes::store_bit_indices`] without branches.
///
/// # Safety
/// The CPU has AVX-512F; 16 numbers are writable.
#[inline(always)]
unsafe fn store_bit_indices(bits: u16, first: u32, to: *mut u32) {
    // SAFETY: the caller guarantees the CPU features and the space.
    unsafe {
        let indices =
            _mm512_setr_epi32(0, 64, 128, 192, 256, 320, 384, 448, 512, 576, 640, 704, 768, 832, 896, 960);
        let indices = _mm512_add_epi32(indices, _mm512_set1_epi32(first.cast_signed()));
        _mm512_storeu_si512(to.cast(), _mm512_maskz_compress_epi32(bits, indices));
    }
}
