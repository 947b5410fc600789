//! Random numbers: one seed per run, split into named streams, each into substreams.
//!
//! A [`Stream`] is a key, not a state. Its numbers depend on the key alone. Therefore neither the number of threads nor
//! an additional draw elsewhere changes a result, and a run can resume without a saved generator. For example, row 17
//! of batch 300 of epoch 4 uses `Stream::named(seed, "chain").substream(4).substream(300).substream(17)`.
//!
//! The generator is xoshiro256++ (Blackman & Vigna 2018), seeded by SplitMix64 as in `rand_xoshiro`.
//! [`Stream::generator`] is one generator; [`Stream::bulk`] is eight that step together, for filling slices.

mod shuffle;

pub use equilibria_kernels::random::Xoshiro256PlusPlusX8;

use equilibria_kernels::Level;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

/// The key of a stream of random numbers.
///
/// **Randomness** Keys that differ in seed, name or any index give unrelated numbers (up to collisions of a 64-bit
/// hash).
///
/// ```
/// use equilibria::rng::Stream;
/// let run = Stream::named(7, "chain");
/// assert_ne!(run.seed(), Stream::named(7, "shuffle").seed());
/// assert_ne!(run.substream(0).seed(), run.substream(1).seed());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stream {
    key: u64,
}

impl Stream {
    /// The stream `name` of the run with this `seed`.
    ///
    /// The names in use are `init`, `shuffle`, `flip`, `augment`, `binarise`, `chain`, `latent`, `evaluate`, `synthetic` and
    /// `colours`.
    pub fn named(seed: u64, name: &str) -> Self {
        // FNV-1a over the name, mixed with the seed.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self { key: mix(mix(seed) ^ hash) }
    }

    /// The substream at `index`.
    ///
    /// ```
    /// use equilibria::rng::Stream;
    /// let chain = Stream::named(7, "chain");
    /// assert_ne!(chain.substream(0), chain.substream(1));
    /// assert_eq!(chain.substream(3), Stream::named(7, "chain").substream(3));
    /// ```
    #[must_use]
    pub fn substream(self, index: u64) -> Self {
        Self { key: mix(self.key ^ mix(index.wrapping_add(0x9e37_79b9_7f4a_7c15))) }
    }

    /// The seed of this stream's generators.
    pub fn seed(self) -> u64 {
        self.key
    }

    /// A scalar generator, for code that uses the traits of `rand`.
    pub fn generator(self) -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(self.key)
    }

    /// Eight generators that step together, for the kernels that fill slices.
    ///
    /// ```
    /// use equilibria::rng::Stream;
    /// use equilibria_kernels::{Level, random};
    /// let mut latent = [0.0_f32; 100];
    /// let mut generator = Stream::named(7, "latent").substream(17).bulk();
    /// random::fill_normal(Level::detect(), &mut generator, &mut latent);
    /// assert!(latent.iter().all(|x| x.is_finite()));
    /// ```
    ///
    /// **Randomness** The first of the eight generators equals [`Stream::generator`]. Use only one of the two, or give
    /// each its own substream. The state does not depend on the SIMD level.
    ///
    /// **Panics** As [`Level::detect`].
    pub fn bulk(self) -> Xoshiro256PlusPlusX8 {
        Xoshiro256PlusPlusX8::from_seed_u64(Level::detect(), self.key)
    }
}

/// The output function of SplitMix64 (Steele, Lea & Flood 2014): a bijection of 64-bit words that mixes all bits.
fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
