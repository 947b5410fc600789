//! Random words and uniforms.

use super::step::{Sink, draw};
use super::xoshiro::{Running, Xoshiro256PlusPlusX8};
use crate::dispatch::dispatch;
use crate::lanes::words::Words;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;

/// Fills `out` with the words of the stream, the same at every level.
///
/// **Randomness** `out.len() / 8` steps, rounded up.
pub fn fill_words(level: Level, generator: &mut Xoshiro256PlusPlusX8, out: &mut [u64]) {
    // The scalar type does not matter for words; f64 selects the tokens.
    dispatch::<f64, _>(level, FillWords { generator, out });
}

struct FillWords<'a> {
    generator: &'a mut Xoshiro256PlusPlusX8,
    out: &'a mut [u64],
}

impl Operation<f64> for FillWords<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f64>>(self, lanes: L) {
        let words = lanes.words();
        let mut running = Running::load(words, self.generator);
        let (steps, tail) = self.out.as_chunks_mut::<8>();
        for step in steps {
            words.store(step, running.next());
        }
        if !tail.is_empty() {
            let mut last = [0; 8];
            words.store(&mut last, running.next());
            tail.copy_from_slice(&last[..tail.len()]);
        }
        running.store(self.generator);
    }
}

/// Fills `out` with independent uniforms in [0, 1), the same at every level.
///
/// f32 uses the top 24 bits of half a word, f64 the top 53 bits of a word. Every multiple of 2^-24 or 2^-53 in [0, 1)
/// is therefore equally likely, and 1 never occurs.
///
/// **Randomness** `out.len() / 16` (f32) or `out.len() / 8` (f64) steps, rounded up.
pub fn fill_uniform<T: Scalar>(level: Level, generator: &mut Xoshiro256PlusPlusX8, out: &mut [T]) {
    // SAFETY: the sink is `out` itself, borrowed throughout.
    unsafe { draw(level, generator, out.len(), Store(out.as_mut_ptr())) };
}

/// Stores the uniforms unchanged.
#[derive(Clone, Copy)]
struct Store<T>(*mut T);

impl<T: Scalar> Sink<T> for Store<T> {
    #[inline(always)]
    unsafe fn put<L: Lanes<Scalar = T>>(self, lanes: L, unit: L::Vector, at: usize, count: usize) {
        // SAFETY: the caller guarantees elements at..at + count.
        unsafe { lanes.store_up_to(self.0.add(at), unit, count) };
    }
}
