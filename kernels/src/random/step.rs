//! The loop over steps that uniforms and Bernoulli states share.

use super::xoshiro::{Running, Xoshiro256PlusPlusX8};
use crate::dispatch::{Operation, dispatch};
use crate::lanes::words::parts;
use crate::lanes::{Lanes, Scalar};
use crate::level::Level;

/// Where a vector of uniforms goes.
///
/// A trait rather than a closure: closures do not take on the target features of the level.
pub(super) trait Sink<T>: Copy {
    /// Uses the uniforms `unit` of elements `at..at + count`; `WHOLE` says that `count` is all lanes.
    /// Implementations are `#[inline(always)]`.
    ///
    /// # Safety
    /// Those elements exist in the sink's buffers, and `0 < count <= L::COUNT`.
    unsafe fn put<const WHOLE: bool, L: Lanes<Scalar = T>>(
        self,
        lanes: L,
        unit: L::Vector,
        at: usize,
        count: usize,
    );
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

/// Made by [`draw`] alone, whose caller owes the sink's lengths.
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
        let step = L::COUNT * const { parts::<L>() };
        let mut running = Running::load(lanes.words(), generator);
        let mut at = 0;
        while len - at >= step {
            let words = running.next();
            for part in 0..const { parts::<L>() } {
                let unit = lanes.unit(lanes.bits(words, part));
                // SAFETY: at + step <= len, and the part lies within the step.
                unsafe { sink.put::<true, L>(lanes, unit, at + part * L::COUNT, L::COUNT) };
            }
            at += step;
        }
        if at < len {
            let words = running.next();
            for part in 0..const { parts::<L>() } {
                let count = (len - at).min(L::COUNT);
                if count == 0 {
                    break;
                }
                let unit = lanes.unit(lanes.bits(words, part));
                // SAFETY: at + count <= len, and count is neither 0 nor beyond the lanes.
                unsafe { sink.put::<false, L>(lanes, unit, at, count) };
                at += count;
            }
        }
        running.store(generator);
    }
}

/// Loads a whole vector or its first lanes.
///
/// # Safety
/// `count` scalars are readable, and `count <= L::COUNT`, equal if `WHOLE`.
#[inline(always)]
pub(crate) unsafe fn load<const WHOLE: bool, L: Lanes>(
    lanes: L,
    from: *const L::Scalar,
    count: usize,
) -> L::Vector {
    // SAFETY: as owed by the caller.
    unsafe { if WHOLE { lanes.load(from) } else { lanes.load_first(from, count) } }
}

/// Stores a whole vector or its first lanes.
///
/// # Safety
/// `count` scalars are writable, and `count <= L::COUNT`, equal if `WHOLE`.
#[inline(always)]
pub(crate) unsafe fn store<const WHOLE: bool, L: Lanes>(
    lanes: L,
    to: *mut L::Scalar,
    x: L::Vector,
    count: usize,
) {
    // SAFETY: as owed by the caller.
    unsafe { if WHOLE { lanes.store(to, x) } else { lanes.store_first(to, x, count) } }
}
