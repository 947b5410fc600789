//! Measurement of time on a machine that other programs use too.
//!
//! The speed may halve for seconds, so two numbers that were measured one after the other cannot be compared. Actions are
//! therefore measured *interleaved*, in rounds of one short slice each,
//!
//! ```text
//! limit, kernel, peer, limit, kernel, peer, ...
//! ```
//!
//! and each action reports the same quantile of its own slices: the upper decile of its speed. This is the undisturbed
//! speed, without the chance of the single best slice. A share of the peak or a ratio to a peer divides numbers from the same
//! rounds. All slices are equally long, so that all are equally likely to be disturbed.

use crate::evaluate::filters::compare::quantile;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// An action to measure: repeats its work the given number of times.
pub type Action<'a> = Box<dyn FnMut(usize) + Send + 'a>;

/// The time to spend on a measurement.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// One slice of one action. A call that takes longer is a slice of its own.
    pub slice: Duration,
    /// All rounds of one measurement.
    pub total: Duration,
    /// The least number of rounds, in up to six times `total`.
    pub rounds: usize,
}

impl Effort {
    /// The usual effort: about a second for a workload.
    pub const FULL: Self =
        Self { slice: Duration::from_millis(3), total: Duration::from_millis(1000), rounds: 12 };
    /// A rough measurement.
    pub const QUICK: Self =
        Self { slice: Duration::from_millis(2), total: Duration::from_millis(60), rounds: 3 };

    /// With a part of the time, for kernels that need fewer rounds.
    pub fn part(self, divisor: u32) -> Self {
        Self { total: self.total / divisor, ..self }
    }

    /// Returns whether to stop. On a busy machine this may be after fewer rounds, but not after an unlimited time.
    fn is_spent(self, rounds: usize, time: Duration) -> bool {
        let (enough, patience) = (self.total, 6 * self.total);
        time >= enough && (rounds >= self.rounds || time >= patience && rounds >= 3)
    }
}

/// The quantile of the time per call that counts as undisturbed.
const DECILE: f64 = 0.1;

/// An action that repeats `call`. The compiler must not remove the computation of the result.
pub fn repeat<'a, R>(mut call: impl FnMut() -> R + Send + 'a) -> Action<'a> {
    Box::new(move |calls| {
        for _ in 0..calls {
            black_box(call());
        }
    })
}

/// The seconds per call of each action, measured interleaved.
pub fn measure_interleaved(effort: Effort, actions: &mut [Action<'_>]) -> Vec<f64> {
    let mut best: Vec<f64> = actions.iter_mut().map(|action| estimate(effort.slice, action)).collect();
    let mut slices = vec![Vec::new(); actions.len()];
    let (mut rounds, start) = (0, Instant::now());
    while !effort.is_spent(rounds, start.elapsed()) {
        rounds += 1;
        let slice = best.iter().copied().fold(effort.slice.as_secs_f64(), f64::max);
        for ((action, times), best) in actions.iter_mut().zip(&mut slices).zip(&mut best) {
            let calls = (slice / *best).round().max(1.0) as usize;
            let seconds = time(action, calls) / calls as f64;
            times.push(seconds);
            *best = best.min(seconds);
        }
    }
    let decile = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        quantile(times, DECILE)
    };
    slices.iter_mut().map(decile).collect()
}

/// An estimate of the seconds per call, after a first call that fills caches and wakes threads.
fn estimate(slice: Duration, action: &mut Action<'_>) -> f64 {
    let enough = slice.as_secs_f64() / 8.0;
    let first = time(action, 1);
    if first > 32.0 * enough {
        return first;
    }
    let mut calls = 1;
    loop {
        let seconds = time(action, calls);
        if seconds >= enough {
            return seconds / calls as f64;
        }
        calls *= 2;
    }
}

fn time(action: &mut Action<'_>, calls: usize) -> f64 {
    let start = Instant::now();
    action(calls);
    start.elapsed().as_secs_f64()
}
