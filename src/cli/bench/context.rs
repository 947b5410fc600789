//! The SIMD level, the time and the thread pools of all benches, random inputs, and the check of results.

use super::measure::Effort;
use crate::rng::Stream;
use crate::{Error, Result};
use equilibria_kernels::{Level, Scalar, random::fill_uniform};
use std::fmt::Display;
use std::ops::Range;

/// The SIMD level, the time and the thread pools of all benches.
pub(super) struct Context {
    pub level: Level,
    pub effort: Effort,
    pub is_quick: bool,
    one: rayon::ThreadPool,
}

impl Context {
    pub fn new(is_quick: bool) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        Ok(Self {
            level: Level::detect(),
            effort: if is_quick { Effort::QUICK } else { Effort::FULL },
            is_quick,
            one: pool.map_err(|error| Error::io("starting", "a thread", error))?,
        })
    }

    /// Runs on one thread, in a pool, so that no call pays for entering it.
    pub fn on_one<R: Send>(&self, run: impl FnOnce() -> R + Send) -> R {
        self.one.install(run)
    }

    /// Runs on all threads, in the global pool.
    pub fn on_all<R: Send>(&self, run: impl FnOnce() -> R + Send) -> R {
        rayon::scope(|_| run())
    }
}

/// Uniform random numbers from `range`.
pub(super) fn noise<T: Scalar>(level: Level, length: usize, range: Range<f64>) -> Vec<T> {
    let mut values = vec![T::ZERO; length];
    let seed = Stream::named(2, "bench").substream(length as u64).substream(range.start.to_bits());
    fill_uniform(level, &mut seed.bulk(), &mut values);
    let (start, width) = (T::from_f64(range.start), T::from_f64(range.end - range.start));
    for x in &mut values {
        *x = *x * width + start;
    }
    values
}

/// Returns an error unless `found` is `right` within `tolerance`; NaN is an error.
pub(super) fn expect(what: impl Display, found: f64, right: f64, tolerance: f64) -> Result<()> {
    if (found - right).abs() <= tolerance { Ok(()) } else { Err(wrong(what, found, right)) }
}

/// The error for a wrong result.
pub(super) fn wrong(what: impl Display, found: impl Display, right: impl Display) -> Error {
    Error::invalid(what, format!("gives {found} where {right} is right"))
}
