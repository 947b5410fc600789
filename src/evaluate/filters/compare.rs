//! Compares two sets of values: which set has the larger values, and is the difference significant?
//!
//! The measure is the probability that a value of a is larger than a value of b, ties counting half (Mann & Whitney
//! 1947). It has no unit and assumes no distribution. The bootstrap estimates its uncertainty (Efron 1979): both sets
//! are resampled with replacement, and the middle 95 % of the results are the interval.
//!
//! A claim "a is larger than b" *holds* if the interval lies above one half, and *does not hold* if it lies below.
//! Otherwise the data do not decide: it *cannot be told*.

use crate::rng::Stream;
use alloc::vec;
use alloc::vec::Vec;

/// Number of bootstrap samples.
const DRAWS: usize = 1000;
/// Share of the bootstrap results that is cut off at each end.
const TAIL: f64 = 0.025;

/// The three quartiles of a set of values; NaN for an empty set.
///
/// ```
/// use equilibria::evaluate::filters::compare::Quartiles;
/// let found = Quartiles::of(&[1.0, 2.0, 3.0, 4.0, 5.0]);
/// assert_eq!((found.lower, found.median, found.upper), (2.0, 3.0, 4.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Quartiles {
    /// A quarter of the values lies below.
    pub lower: f64,
    /// Half of the values lies below.
    pub median: f64,
    /// Three quarters of the values lie below.
    pub upper: f64,
}

impl Quartiles {
    /// Computes the quartiles of `values`, in any order, with linear interpolation between neighbouring values.
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

/// The quantile `share` of the rising values `sorted`, with linear interpolation; NaN for an empty set.
///
/// ```
/// use equilibria::evaluate::filters::compare::quantile;
/// assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.125), 1.5);
/// assert_eq!((quantile(&[7.0], 0.1), quantile(&[1.0, 2.0], 1.0)), (7.0, 2.0));
/// assert!(quantile(&[], 0.1).is_nan());
/// ```
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share * last as f64;
    let below = place as usize;
    let above = (below + 1).min(last);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

/// A probability with its 95 % interval.
///
/// ```
/// use equilibria::{evaluate::filters::compare::{Chance, Verdict}, rng::Stream};
/// let found = Chance::of_larger(&[3.0; 40], &[1.0; 40], Stream::named(1, "evaluate"));
/// assert_eq!((found.estimate, found.verdict()), (1.0, Verdict::Holds));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Chance {
    /// The estimate, from 0 to 1; NaN if a set is empty.
    pub estimate: f64,
    /// The lower end of the 95 % interval.
    pub low: f64,
    /// The upper end of the 95 % interval.
    pub high: f64,
}

/// The verdict on a claim.
///
/// ```
/// use equilibria::evaluate::filters::compare::Verdict::{self, CannotBeTold, Holds};
/// assert_eq!(Verdict::of_all(&[Holds, CannotBeTold]), CannotBeTold);
/// assert_eq!(Holds.name(), "holds");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Verdict {
    /// The interval lies above one half.
    Holds,
    /// The interval lies below one half.
    DoesNotHold,
    /// The interval contains one half.
    CannotBeTold,
}

impl Verdict {
    /// The verdict on a claim that needs all of `verdicts`: their common value, or `CannotBeTold` if they differ.
    ///
    /// **Panics** if `verdicts` is empty.
    pub fn of_all(verdicts: &[Self]) -> Self {
        let first = verdicts[0];
        if verdicts.iter().all(|&verdict| verdict == first) { first } else { Self::CannotBeTold }
    }

    /// The words `holds`, `does not hold` or `cannot be told`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::DoesNotHold => "does not hold",
            Self::CannotBeTold => "cannot be told",
        }
    }
}

impl Chance {
    /// Estimates the probability that a value of `a` is larger than a value of `b`.
    ///
    /// **Randomness** Each bootstrap sample uses as many words as there are values, from its own substream of `stream`.
    ///
    /// **Accuracy and cost** Sorts once, then makes 1,000 passes over both sets.
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
        // Replace values by their ranks among the distinct values; `counts` then describes each set by rank.
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

    /// Estimates the probability that a value lies below `limit`: the share of values below it.
    ///
    /// **Randomness** As [`Chance::of_larger`].
    ///
    /// **Accuracy and cost** As [`Chance::of_larger`].
    pub fn of_below(values: &[f64], limit: f64, stream: Stream) -> Self {
        Self::of_larger(&[limit], values, stream)
    }

    /// The verdict on the claim that the probability is above one half.
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

/// The share of pairs in which the first value is larger, ties counting half. Each set is given as counts of the same
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
