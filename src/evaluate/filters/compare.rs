//! Which of two sets has the larger values, and whether that can be told.
//!
//! The chance that a value of a is larger than one of b, ties counting half (Mann & Whitney 1947), asks for no unit and
//! no shape of the distributions. How far it would be off with other filters is what the bootstrap tells (Efron 1979): both
//! sets are drawn anew from themselves, with replacement, and the middle 95 % of the outcomes are the interval.
//!
//! A claim "a is more than b" then *holds* if the interval lies above one half, *does not hold* if it lies below, and
//! *cannot be told* otherwise.

use crate::rng::Stream;
use alloc::vec;
use alloc::vec::Vec;

/// Times that sets are drawn anew.
const DRAWS: usize = 1000;
/// The share of the outcomes that is cut off at each end.
const TAIL: f64 = 0.025;

/// The values that a quarter, half and three quarters of a set lie below; NaN of an empty one.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Quartiles {
    /// A quarter lies below.
    pub lower: f64,
    /// Half lies below.
    pub median: f64,
    /// Three quarters lie below.
    pub upper: f64,
}

impl Quartiles {
    /// Of `values`, in any order; between two values on a line.
    ///
    /// ```
    /// use equilibria::evaluate::filters::compare::Quartiles;
    /// let quartiles = Quartiles::of(&[4.0, 1.0, 2.0, 3.0]);
    /// assert_eq!((quartiles.lower, quartiles.median, quartiles.upper), (1.75, 2.5, 3.25));
    /// ```
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let [lower, median, upper] = [0.25, 0.5, 0.75].map(|share| quantile(&sorted, share));
        Self { lower, median, upper }
    }
}

/// The value that `share` of `sorted` lies below.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share * last as f64;
    let below = place as usize;
    let above = (below + 1).min(last);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

/// A chance, and what it may be.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Chance {
    /// From 0 to 1; NaN where a set is empty.
    pub estimate: f64,
    /// The lower end of the 95 % interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Whether a claim holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Verdict {
    /// The interval lies above one half.
    Holds,
    /// It lies below.
    DoesNotHold,
    /// It lies on both sides.
    CannotBeTold,
}

impl Verdict {
    /// Of a claim that needs all of `verdicts`: it holds, or does not, if they agree.
    ///
    /// **Panics** if there are none.
    pub fn of_all(verdicts: &[Self]) -> Self {
        let first = verdicts[0];
        if verdicts.iter().all(|&verdict| verdict == first) { first } else { Self::CannotBeTold }
    }

    /// `holds`, `does not hold` or `cannot be told`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::DoesNotHold => "does not hold",
            Self::CannotBeTold => "cannot be told",
        }
    }
}

impl Chance {
    /// The chance that a value of `a` is larger than one of `b`.
    ///
    /// **Randomness** Each drawing anew takes as many words as there are values, from its substream of `stream`.
    /// **Accuracy and cost** 1,000 times a pass over both sets; sorting them once.
    ///
    /// ```
    /// use equilibria::evaluate::filters::compare::{Chance, Verdict};
    /// use equilibria::rng::Stream;
    /// let a: Vec<f64> = (0..100).map(|i| f64::from(i) + 30.0).collect();
    /// let b: Vec<f64> = (0..100).map(f64::from).collect();
    /// let chance = Chance::of_larger(&a, &b, Stream::named(1, "evaluate"));
    /// assert_eq!(chance.estimate, 0.755);
    /// assert_eq!(chance.verdict(), Verdict::Holds);
    /// ```
    pub fn of_larger(a: &[f64], b: &[f64], stream: Stream) -> Self {
        if a.is_empty() || b.is_empty() {
            return Self { estimate: f64::NAN, low: f64::NAN, high: f64::NAN };
        }
        // Values become their places among all different ones: a set is then how often it has each.
        let mut places: Vec<f64> = a.iter().chain(b).copied().collect();
        places.sort_by(f64::total_cmp);
        places.dedup_by(|x, y| x.total_cmp(y).is_eq());
        let place_of = |x: &f64| places.partition_point(|place| place.total_cmp(x).is_lt());
        let [a, b] = [a, b].map(|set| set.iter().map(place_of).collect::<Vec<_>>());
        let mut counts = [vec![0_u32; places.len()], vec![0; places.len()]];
        a.iter().for_each(|&place| counts[0][place] += 1);
        b.iter().for_each(|&place| counts[1][place] += 1);
        let estimate = larger(&counts);
        let outcome = |draw| {
            let stream = stream.substream(draw as u64);
            for ((counts, set), index) in counts.iter_mut().zip([&a, &b]).zip(0..) {
                counts.fill(0);
                stream.substream(index).draw_indices(set.len(), set.len(), |i| counts[set[i]] += 1);
            }
            larger(&counts)
        };
        let mut outcomes: Vec<f64> = (0..DRAWS).map(outcome).collect();
        outcomes.sort_by(f64::total_cmp);
        Self { estimate, low: quantile(&outcomes, TAIL), high: quantile(&outcomes, 1.0 - TAIL) }
    }

    /// The chance that a value lies below `limit`: the share of them that do.
    ///
    /// **Randomness** and **cost** as [`Chance::of_larger`].
    pub fn of_below(values: &[f64], limit: f64, stream: Stream) -> Self {
        Self::of_larger(&[limit], values, stream)
    }

    /// Whether it is more than one half.
    pub fn verdict(self) -> Verdict {
        if self.low > 0.5 {
            Verdict::Holds
        } else if self.high < 0.5 {
            Verdict::DoesNotHold
        } else {
            Verdict::CannotBeTold
        }
    }
}

/// The share of pairs in which the first is larger, ties counting half, of two sets given by how often they have each of
/// rising values.
fn larger([a, b]: &[Vec<u32>; 2]) -> f64 {
    let (mut below, mut twice, mut of_a) = (0_u64, 0_u64, 0_u64);
    for (&a, &b) in a.iter().zip(b) {
        twice += u64::from(a) * (2 * below + u64::from(b));
        below += u64::from(b);
        of_a += u64::from(a);
    }
    twice as f64 / (2 * of_a * below) as f64
}
