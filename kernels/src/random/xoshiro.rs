//! The generator xoshiro256++ (Blackman & Vigna 2018) in eight lanes.

use crate::dispatch::dispatch;
use crate::lanes::words::Words;
use crate::lanes::{Lanes, Operation};
use crate::level::Level;

/// Eight xoshiro256++ generators that step together.
///
/// **Randomness** One SplitMix64 seeds the lanes one after another. They equal the results of eight calls of
/// `rand_xoshiro::Xoshiro256PlusPlus::from_rng(&mut SplitMix64::seed_from_u64(seed))`, so lane 0 is
/// `Xoshiro256PlusPlus::seed_from_u64(seed)`. Each lane has period 2^256 - 1 and a random starting point, so lanes
/// overlap with negligible probability.
///
/// **Source** Blackman & Vigna, *Scrambled linear pseudorandom number generators*, 2018.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(align(64))]
pub struct Xoshiro256PlusPlusX8 {
    /// `state[j][i]` is word `j` of lane `i`.
    state: [[u64; 8]; 4],
}

/// The increment of SplitMix64's state per output: 2^64 over the golden ratio.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

impl Xoshiro256PlusPlusX8 {
    /// The generator of a seed, identical at every level; the type's documentation describes the lanes.
    #[inline]
    pub fn from_seed_u64(level: Level, seed: u64) -> Self {
        // The scalar type does not matter for words; f64 selects the tokens.
        dispatch::<f64, _>(level, Seed(seed))
    }

    /// The state, for storage: `state()[j][i]` is word `j` of lane `i`.
    pub fn state(&self) -> [[u64; 8]; 4] {
        self.state
    }

    /// The generator with a stored [`state`](Self::state). `None` if all words of a lane are 0, a state that no
    /// generator reaches.
    pub fn from_state(state: [[u64; 8]; 4]) -> Option<Self> {
        let alive = (0..8).all(|i| state.iter().any(|words| words[i] != 0));
        alive.then_some(Self { state })
    }
}

struct Seed(u64);

impl Operation<f64> for Seed {
    type Output = Xoshiro256PlusPlusX8;

    /// Word `j` of lane `i` is output `4 i + j` of SplitMix64 (Steele, Lea & Flood 2014): a function of
    /// seed + (4 i + j + 1) GAMMA, so all are independent.
    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self, lanes: L) -> Xoshiro256PlusPlusX8 {
        const LANES: [u64; 8] = {
            let mut lanes = [GAMMA; 8];
            let mut i = 1;
            while i < 8 {
                lanes[i] = lanes[i - 1].wrapping_add(GAMMA.wrapping_mul(4));
                i += 1;
            }
            lanes
        };
        let words = lanes.words();
        let mut counter = words.add(words.splat(self.0), words.load(&LANES));
        let mut state = [[0; 8]; 4];
        for to in &mut state {
            words.store(to, mix(words, counter));
            counter = words.add(counter, words.splat(GAMMA));
        }
        Xoshiro256PlusPlusX8 { state }
    }
}

/// The output function of SplitMix64.
#[inline(always)]
fn mix<W: Words>(w: W, x: W::Vector) -> W::Vector {
    let x = w.mul(w.xor(x, w.shift_right(x, 30)), 0xbf58_476d_1ce4_e5b9);
    let x = w.mul(w.xor(x, w.shift_right(x, 27)), 0x94d0_49bb_1331_11eb);
    w.xor(x, w.shift_right(x, 31))
}

/// The state in registers while a kernel runs.
pub(crate) struct Running<W: Words> {
    words: W,
    state: [W::Vector; 4],
}

impl<W: Words> Running<W> {
    #[inline(always)]
    pub(crate) fn load(words: W, generator: &Xoshiro256PlusPlusX8) -> Self {
        let [s0, s1, s2, s3] = &generator.state;
        Self { words, state: [words.load(s0), words.load(s1), words.load(s2), words.load(s3)] }
    }

    /// Advances all lanes by one step.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> W::Vector {
        let w = self.words;
        let [s0, s1, s2, s3] = self.state;
        let drawn = w.add(w.rotate_left(w.add(s0, s3), 23), s0);
        let t3 = w.xor(s3, s1);
        self.state =
            [w.xor(s0, t3), w.xor3(s1, s2, s0), w.xor3(s2, w.shift_left(s1, 17), s0), w.rotate_left(t3, 45)];
        drawn
    }

    #[inline(always)]
    pub(crate) fn store(self, generator: &mut Xoshiro256PlusPlusX8) {
        for (i, to) in generator.state.iter_mut().enumerate() {
            self.words.store(to, self.state[i]);
        }
    }
}
