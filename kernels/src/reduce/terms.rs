//! Pairwise summation of terms, block by block.

use crate::lanes::{Lanes, Scalar};

/// Independent partial sums: latency times throughput of an addition.
pub(super) const PARALLEL: usize = 8;

/// Vectors in a block.
const BLOCK: usize = 16 * PARALLEL;

/// The summands: `length` terms, each computed from the slice elements at its index.
pub(super) trait Terms<T: Scalar>: Copy {
    /// `sum` plus the terms of `COUNT` indices starting at `i`.
    ///
    /// # Safety
    /// Those indices are below `length`.
    unsafe fn add<L: Lanes<Scalar = T>>(self, lanes: L, sum: L::Vector, i: usize) -> L::Vector;

    /// Like [`Terms::add`], for the first `count <= COUNT` indices.
    ///
    /// # Safety
    /// Those indices are below `length`.
    unsafe fn add_first<L: Lanes<Scalar = T>>(
        self,
        lanes: L,
        sum: L::Vector,
        i: usize,
        count: usize,
    ) -> L::Vector;
}

/// The sum of the first `length` terms.
///
/// # Safety
/// `terms` has at least `length` terms.
#[inline(always)]
pub(super) unsafe fn total<L: Lanes, Q: Terms<L::Scalar>>(lanes: L, terms: Q, length: usize) -> L::Scalar {
    let vectors = length / L::COUNT;
    // SAFETY: vectors * COUNT <= length.
    let mut sum = unsafe {
        if vectors <= BLOCK { block(lanes, terms, 0, vectors) } else { pairwise(lanes, terms, vectors) }
    };
    let rest = length % L::COUNT;
    if rest > 0 {
        // SAFETY: vectors * COUNT + rest == length.
        sum = unsafe { terms.add_first(lanes, sum, vectors * L::COUNT, rest) };
    }
    lanes.sum(sum)
}

/// The sum of the terms of `vectors` vectors, block by block.
///
/// # Safety
/// `terms` has these terms.
#[inline(always)]
unsafe fn pairwise<L: Lanes, Q: Terms<L::Scalar>>(lanes: L, terms: Q, vectors: usize) -> L::Vector {
    // After b blocks, `partial[i]` holds the sum of 2^i blocks if bit i of b is 1. This is binary addition, where a
    // carry adds two sums of equal size.
    let mut partial = [lanes.zero(); usize::BITS as usize - BLOCK.ilog2() as usize];
    let mut blocks = 0_usize;
    let mut from = 0;
    while from < vectors {
        let count = BLOCK.min(vectors - from);
        // SAFETY: from + count <= vectors.
        let mut sum = unsafe { block(lanes, terms, from, count) };
        let carries = blocks.trailing_ones() as usize;
        for &equal in &partial[..carries] {
            sum = lanes.add(equal, sum);
        }
        partial[carries] = sum;
        blocks += 1;
        from += count;
    }
    let mut sum = lanes.zero();
    for (i, &partial) in partial.iter().enumerate() {
        if blocks >> i & 1 == 1 {
            sum = lanes.add(partial, sum);
        }
    }
    sum
}

/// The sum of the terms of `vectors` vectors starting at vector `from`.
///
/// # Safety
/// `terms` has these terms.
#[inline(always)]
unsafe fn block<L: Lanes, Q: Terms<L::Scalar>>(lanes: L, terms: Q, from: usize, vectors: usize) -> L::Vector {
    let mut sums = [lanes.zero(); PARALLEL];
    let end = from + vectors;
    let mut i = from;
    while end - i >= PARALLEL {
        for (j, sum) in sums.iter_mut().enumerate() {
            // SAFETY: i + j < end.
            *sum = unsafe { terms.add(lanes, *sum, (i + j) * L::COUNT) };
        }
        i += PARALLEL;
    }
    for (j, sum) in sums.iter_mut().enumerate() {
        if i + j < end {
            // SAFETY: i + j < end.
            *sum = unsafe { terms.add(lanes, *sum, (i + j) * L::COUNT) };
        }
    }
    let mut half = PARALLEL / 2;
    while half > 0 {
        for j in 0..half {
            sums[j] = lanes.add(sums[j], sums[j + half]);
        }
        half /= 2;
    }
    sums[0]
}

/// Loads the first `count <= COUNT` scalars; the other lanes are `fill`.
///
/// # Safety
/// The first `count` scalars are readable.
#[inline(always)]
pub(super) unsafe fn load_padded<L: Lanes>(
    lanes: L,
    from: *const L::Scalar,
    count: usize,
    fill: L::Scalar,
) -> L::Vector {
    let mut array = [fill; 16];
    for (i, place) in array.iter_mut().enumerate().take(count) {
        // SAFETY: i < count.
        *place = unsafe { from.add(i).read() };
    }
    // SAFETY: no level has more than 16 lanes.
    unsafe { lanes.load(array.as_ptr()) }
}
