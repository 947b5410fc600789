//! The loop over steps of the generator that uniforms and Bernoulli states share.

use super::xoshiro::{Running, Xoshiro256PlusPlusX8};
use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;

/// A destination of uniforms.
///
/// A trait rather than a closure: closures do not inherit the target features of the level.
pub(super) trait Sink<T>: Copy {
    /// Uses the uniforms `unit` for elements `at..at + count`. Implementations are `#[inline(always)]`, so that a
    /// constant `count` of all lanes is known to the compiler.
    ///
    /// # Safety
    /// Those elements exist in the sink's buffers, and `0 < count <= L::COUNT`.
    unsafe fn put<L: Lanes<Scalar = T>>(self, lanes: L, unit: L::Vector, at: usize, count: usize);
}

/// Draws `len` uniforms into `sink`.
///
/// # Safety
/// The sink's buffers have `len` elements.
#[inline]
pub(super) unsafe fn draw<T: Scalar, S: Sink<T>>(
    level: Level,
    generator: &mut Xoshiro256PlusPlusX8,
    len: usize,
    sink: S,
) {
    dispatch(level, Draw { generator, len, sink });
}

/// Created only by [`draw`], whose caller guarantees the sink's lengths.
struct Draw<'a, S> {
    generator: &'a mut Xoshiro256PlusPlusX8,
    len: usize,
    sink: S,
}

impl<T: Scalar, S: Sink<T>> Operation<T> for Draw<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let Self { generator, len, sink } = self;
        let step = L::COUNT * L::PARTS;
        let mut running = Running::load(lanes.words(), generator);
        let mut at = 0;
        while len - at >= step {
            let words = running.next();
            for part in 0..L::PARTS {
                let unit = lanes.unit(lanes.bits(words, part));
                // SAFETY: at + step <= len, and the part lies within the step.
                unsafe { sink.put(lanes, unit, at + part * L::COUNT, L::COUNT) };
            }
            at += step;
        }
        if at < len {
            let words = running.next();
            for part in 0..L::PARTS {
                let count = (len - at).min(L::COUNT);
                if count == 0 {
                    break;
                }
                let unit = lanes.unit(lanes.bits(words, part));
                // SAFETY: at + count <= len, and count is neither 0 nor beyond the lanes.
                unsafe { sink.put(lanes, unit, at, count) };
                at += count;
            }
        }
        running.store(generator);
    }
}
