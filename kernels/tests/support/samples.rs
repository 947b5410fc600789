//! Test inputs.

use equilibria_kernels::Scalar;

/// Irregular numbers of both signs in (-1, 1), with different bits everywhere (SplitMix64).
pub fn uneven<T: Scalar>(length: usize, seed: u64) -> Vec<T> {
    let number = |i: usize| {
        let mut z = seed.wrapping_add((i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        T::from_f64(((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0)
    };
    (0..length).map(number).collect()
}

/// Lengths around every multiple of the lanes and of the blocks of the kernels.
#[allow(dead_code)] // each test file uses only some
pub fn lengths() -> impl Iterator<Item = usize> {
    let blocks = [127, 128, 129, 511, 512, 513, 2047, 2048, 2049, 2175, 4096, 6150, 10_007];
    (0..=3 * 16 + 1).chain(blocks)
}
