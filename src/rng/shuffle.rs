//! Random permutations by the Fisher-Yates shuffle, and draws with replacement. Both use Lemire's bounded integers.
//!
//! Implemented here because the orders of `rand` may change between its versions, and a run must be able to resume
//! under a later build.

use super::Stream;
use rand_xoshiro::rand_core::Rng;

impl Stream {
    /// Fills `out` with a random permutation of `0..out.len()`.
    ///
    /// ```
    /// use equilibria::rng::Stream;
    /// let mut order = [0; 5];
    /// Stream::named(7, "shuffle").substream(0).permutation(&mut order);
    /// order.sort();
    /// assert_eq!(order, [0, 1, 2, 3, 4]);
    /// ```
    ///
    /// **Randomness** All orders are equally likely, up to the limit of a 64-bit seed. Takes one word per element from
    /// [`Stream::generator`], rarely more. The result is the same on 32-bit and 64-bit machines.
    ///
    /// **Source** Durstenfeld 1964; Lemire, *Fast random integer generation in an interval*, 2019.
    pub fn permutation(self, out: &mut [usize]) {
        for (i, place) in out.iter_mut().enumerate() {
            *place = i;
        }
        let mut generator = self.generator();
        for last in (1..out.len()).rev() {
            let other = below(&mut generator, last as u64 + 1);
            out.swap(last, other as usize);
        }
    }

    /// Calls `take` with `count` indices below `bound`, drawn with replacement.
    ///
    /// **Randomness** All indices are equally likely. Takes one word per index from [`Stream::generator`], rarely more.
    ///
    /// **Panics** if `bound` is 0 and `count` is not.
    pub(crate) fn draw_indices(self, count: usize, bound: usize, mut take: impl FnMut(usize)) {
        assert!(bound > 0 || count == 0, "{count} indices below 0");
        let mut generator = self.generator();
        for _ in 0..count {
            take(below(&mut generator, bound as u64) as usize);
        }
    }
}

/// A uniform integer in `0..bound`; `bound` must not be 0.
///
/// The high half of word · bound is in range, but some values have one word more than others. The surplus words are
/// those whose low half is below 2^64 mod bound; they are drawn again.
fn below(generator: &mut impl Rng, bound: u64) -> u64 {
    loop {
        let product = u128::from(generator.next_u64()) * u128::from(bound);
        let (high, low) = ((product >> 64) as u64, product as u64);
        // The remainder is below `bound`, so the division is rarely needed.
        if low >= bound || low >= bound.wrapping_neg() % bound {
            return high;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::below;
    use alloc::vec;
    use rand_xoshiro::rand_core::{Rng, SeedableRng, TryRng};
    use rand_xoshiro::{SplitMix64, Xoshiro256PlusPlus};

    /// A generator that returns the words of a list.
    struct Listed(vec::IntoIter<u64>);

    impl TryRng for Listed {
        type Error = core::convert::Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(self.next_u64() as u32)
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(self.0.next().expect("more words than expected"))
        }

        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
            unreachable!("only 64-bit words are drawn")
        }
    }

    #[test]
    fn surplus_words_are_drawn_again() {
        // 2^64 = 3 · 6148914691236517205 + 1: of the words that give 0, the first is a surplus word.
        assert_eq!(below(&mut Listed(vec![0, 1].into_iter()), 3), 0);
        assert_eq!(below(&mut Listed(vec![0, u64::MAX].into_iter()), 3), 2);
        // A power of two has no surplus words.
        assert_eq!(below(&mut Listed(vec![0].into_iter()), 1 << 20), 0);
        let mut generator = Xoshiro256PlusPlus::seed_from_u64(SplitMix64::seed_from_u64(4).next_u64());
        assert!((0..1000).all(|i| below(&mut generator, i % 7 + 1) <= i % 7));
    }
}
