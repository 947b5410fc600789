//! Vectors of eight 64-bit words: the integer operations of a level, for the random generator.
//!
//! The number of words is the same at every level, so that every level draws the same numbers.

use crate::array::array;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

/// Operations on vectors of eight words; the implementation is a token like [`Lanes`](super::Lanes).
///
/// Shift counts are constants at every call and become immediates.
#[allow(missing_docs)] // the arithmetic says itself
pub trait Words: Copy {
    type Vector: Copy;

    fn load(self, from: &[u64; 8]) -> Self::Vector;
    fn store(self, to: &mut [u64; 8], x: Self::Vector);

    fn splat(self, x: u64) -> Self::Vector;
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The low 64 bits of the products.
    fn mul(self, a: Self::Vector, b: u64) -> Self::Vector;
    fn xor(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a ^ b ^ c`.
    #[inline(always)]
    fn xor3(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        self.xor(self.xor(a, b), c)
    }
    fn shift_left(self, a: Self::Vector, count: u32) -> Self::Vector;
    fn shift_right(self, a: Self::Vector, count: u32) -> Self::Vector;
    fn rotate_left(self, a: Self::Vector, count: u32) -> Self::Vector;
}

/// Words as an array.
#[derive(Clone, Copy, Default)]
pub struct PortableWords;

impl Words for PortableWords {
    type Vector = [u64; 8];

    #[inline(always)]
    fn load(self, from: &[u64; 8]) -> [u64; 8] {
        *from
    }

    #[inline(always)]
    fn store(self, to: &mut [u64; 8], x: [u64; 8]) {
        *to = x;
    }

    #[inline(always)]
    fn splat(self, x: u64) -> [u64; 8] {
        [x; 8]
    }

    #[inline(always)]
    fn mul(self, a: [u64; 8], b: u64) -> [u64; 8] {
        array(|i| a[i].wrapping_mul(b))
    }

    #[inline(always)]
    fn add(self, a: [u64; 8], b: [u64; 8]) -> [u64; 8] {
        array(|i| a[i].wrapping_add(b[i]))
    }

    #[inline(always)]
    fn xor(self, a: [u64; 8], b: [u64; 8]) -> [u64; 8] {
        array(|i| a[i] ^ b[i])
    }

    #[inline(always)]
    fn shift_left(self, a: [u64; 8], count: u32) -> [u64; 8] {
        array(|i| a[i] << count)
    }

    #[inline(always)]
    fn shift_right(self, a: [u64; 8], count: u32) -> [u64; 8] {
        array(|i| a[i] >> count)
    }

    #[inline(always)]
    fn rotate_left(self, a: [u64; 8], count: u32) -> [u64; 8] {
        array(|i| a[i].rotate_left(count))
    }
}

/// Words in two AVX2 registers.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub struct Avx2Words(());

#[cfg(target_arch = "x86_64")]
impl Avx2Words {
    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    pub(super) unsafe fn new() -> Self {
        Self(())
    }
}

#[cfg(target_arch = "x86_64")]
impl Avx2Words {
    /// With a = h 2^32 + l and b likewise: l l' + 2^32 (h l' + l h').
    #[inline(always)]
    fn mul_half(self, a: __m256i, b: u64) -> __m256i {
        // SAFETY: the token proves the CPU.
        unsafe {
            let (low, high) = (_mm256_set1_epi64x(b as i64), _mm256_set1_epi64x((b >> 32) as i64));
            let cross = _mm256_add_epi64(
                _mm256_mul_epu32(_mm256_srli_epi64::<32>(a), low),
                _mm256_mul_epu32(a, high),
            );
            _mm256_add_epi64(_mm256_mul_epu32(a, low), _mm256_slli_epi64::<32>(cross))
        }
    }
}

#[cfg(target_arch = "x86_64")]
impl Words for Avx2Words {
    type Vector = [__m256i; 2];

    #[inline(always)]
    fn load(self, from: &[u64; 8]) -> [__m256i; 2] {
        let from = from.as_ptr();
        // SAFETY: the token proves the CPU; the array is 64 readable bytes, of any alignment.
        unsafe { [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(4).cast())] }
    }

    #[inline(always)]
    fn store(self, to: &mut [u64; 8], x: [__m256i; 2]) {
        let to = to.as_mut_ptr();
        // SAFETY: the token proves the CPU; the array is 64 writable bytes, of any alignment.
        unsafe {
            _mm256_storeu_si256(to.cast(), x[0]);
            _mm256_storeu_si256(to.add(4).cast(), x[1]);
        }
    }

    #[inline(always)]
    fn splat(self, x: u64) -> [__m256i; 2] {
        // SAFETY: the token proves the CPU.
        unsafe { [_mm256_set1_epi64x(x as i64); 2] }
    }

    #[inline(always)]
    fn mul(self, a: [__m256i; 2], b: u64) -> [__m256i; 2] {
        [self.mul_half(a[0], b), self.mul_half(a[1], b)]
    }

    #[inline(always)]
    fn add(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        // SAFETY: the token proves the CPU.
        unsafe { [_mm256_add_epi64(a[0], b[0]), _mm256_add_epi64(a[1], b[1])] }
    }

    #[inline(always)]
    fn xor(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        // SAFETY: the token proves the CPU.
        unsafe { [_mm256_xor_si256(a[0], b[0]), _mm256_xor_si256(a[1], b[1])] }
    }

    #[inline(always)]
    fn shift_left(self, a: [__m256i; 2], count: u32) -> [__m256i; 2] {
        // SAFETY: the token proves the CPU.
        unsafe {
            let count = _mm_cvtsi32_si128(count as i32);
            [_mm256_sll_epi64(a[0], count), _mm256_sll_epi64(a[1], count)]
        }
    }

    #[inline(always)]
    fn shift_right(self, a: [__m256i; 2], count: u32) -> [__m256i; 2] {
        // SAFETY: the token proves the CPU.
        unsafe {
            let count = _mm_cvtsi32_si128(count as i32);
            [_mm256_srl_epi64(a[0], count), _mm256_srl_epi64(a[1], count)]
        }
    }

    #[inline(always)]
    fn rotate_left(self, a: [__m256i; 2], count: u32) -> [__m256i; 2] {
        // SAFETY: the token proves the CPU.
        unsafe {
            let (left, right) = (_mm_cvtsi32_si128(count as i32), _mm_cvtsi32_si128(64 - count as i32));
            [
                _mm256_or_si256(_mm256_sll_epi64(a[0], left), _mm256_srl_epi64(a[0], right)),
                _mm256_or_si256(_mm256_sll_epi64(a[1], left), _mm256_srl_epi64(a[1], right)),
            ]
        }
    }
}

/// Words in one AVX-512F register.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub struct Avx512Words(());

#[cfg(target_arch = "x86_64")]
impl Avx512Words {
    /// # Safety
    /// The CPU has AVX-512F.
    #[inline(always)]
    pub(super) unsafe fn new() -> Self {
        Self(())
    }
}

#[cfg(target_arch = "x86_64")]
impl Words for Avx512Words {
    type Vector = __m512i;

    #[inline(always)]
    fn load(self, from: &[u64; 8]) -> __m512i {
        // SAFETY: the token proves the CPU; the array is 64 readable bytes, of any alignment.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store(self, to: &mut [u64; 8], x: __m512i) {
        // SAFETY: the token proves the CPU; the array is 64 writable bytes, of any alignment.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), x) }
    }

    #[inline(always)]
    fn splat(self, x: u64) -> __m512i {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_set1_epi64(x as i64) }
    }

    #[inline(always)]
    fn mul(self, a: __m512i, b: u64) -> __m512i {
        // SAFETY: the token proves the CPU. (A product of 64-bit integers would need AVX-512DQ.)
        unsafe {
            // With a = h 2^32 + l and b likewise: l l' + 2^32 (h l' + l h').
            let (low, high) = (self.splat(b), self.splat(b >> 32));
            let cross = _mm512_add_epi64(
                _mm512_mul_epu32(_mm512_srli_epi64::<32>(a), low),
                _mm512_mul_epu32(a, high),
            );
            _mm512_add_epi64(_mm512_mul_epu32(a, low), _mm512_slli_epi64::<32>(cross))
        }
    }

    #[inline(always)]
    fn add(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_add_epi64(a, b) }
    }

    #[inline(always)]
    fn xor(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_xor_si512(a, b) }
    }

    #[inline(always)]
    fn xor3(self, a: __m512i, b: __m512i, c: __m512i) -> __m512i {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_ternarylogic_epi64::<0x96>(a, b, c) }
    }

    #[inline(always)]
    fn shift_left(self, a: __m512i, count: u32) -> __m512i {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_sll_epi64(a, _mm_cvtsi32_si128(count as i32)) }
    }

    #[inline(always)]
    fn shift_right(self, a: __m512i, count: u32) -> __m512i {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_srl_epi64(a, _mm_cvtsi32_si128(count as i32)) }
    }

    #[inline(always)]
    fn rotate_left(self, a: __m512i, count: u32) -> __m512i {
        // SAFETY: the token proves the CPU.
        unsafe { _mm512_rolv_epi64(a, _mm512_set1_epi64(i64::from(count))) }
    }
}
