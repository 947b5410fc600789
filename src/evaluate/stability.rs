//! Judges the stability of a game: takes the readings of a run and returns a verdict by fixed rules.
//!
//! The losses of two adversaries say little by themselves, because each loss is measured against a moving opponent. The
//! readings of a run do show whether numbers stay finite, stop moving or oscillate, and whether the samples still
//! differ from each other. [`judge`] tests the rules in this order; the first that applies is the verdict. With fewer
//! than 16 readings only rule 1 can apply, otherwise the game is unsettled.
//!
//! 1. **Diverged**: a number is not finite, or the last gradients are more than 100 times as long as the median over
//!    the run.
//! 2. **Collapsed**: in the last quarter, the spread of samples is below 0.3 of the data's, or the entropy of their
//!    classes is below 0.65 of the data's. The game is **unsettled** instead if that measure rises so fast that as many
//!    steps again would bring it above the limit.
//! 3. **Oscillating**: in the second half, the gap between the scores of data and samples, or the generator's loss, has
//!    a period. After its straight line is subtracted, it is anticorrelated with itself half a period later and
//!    correlated one period later, both more than chance explains. Or it swings without a period, in one of two ways.
//!    Either the standard deviation of the gap about its line is more than a quarter of the largest gap of the run. Or
//!    a discriminator of probabilities switches between calling everything real and calling everything generated. Then
//!    the share of images that it calls real has a standard deviation above 0.2, and its mean probability one above
//!    0.05. (The second limit excludes discriminators whose probabilities are nearly all equal. A reading covers 64
//!    images of either kind; this alone gives deviations of 0.04.)
//! 4. **Unsettled**: the gap or the generator's loss still moves along a straight line, by more than its noise explains
//!    and more than a tenth of its size. More steps could lead to any verdict.
//! 5. **Converged**: none of these. The game stopped moving; this does not say that the samples are good. For that, see
//!    [`Judgement::reasons`] and the measures of samples.
//!
//! [`Watch`] applies the rules that need few readings while the game runs.

mod series;
mod watch;

pub use watch::{Warning, Watch};

use crate::adversarial::Reading;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

pub use series::deviation;
use series::{Cycle, Line};

/// Samples have collapsed if their spread is below this share of the data's.
const LEAST_SPREAD: f64 = 0.3;
/// Samples have collapsed if the entropy of their classes is below this share of the data's: 1.5 of MNIST's 2.30 nats.
const LEAST_ENTROPY: f64 = 0.65;
/// A gradient has exploded if it is more than this many times as long as the median.
const EXPLOSION: f64 = 100.0;
/// A signal has converged if it changes by less than this share of its size over half of a run.
const REST: f64 = 0.1;
/// The gap oscillates if its standard deviation is above this share of the largest gap.
const SWING: f64 = 0.25;
/// A discriminator oscillates if the share of images that it calls real, and its mean probability, both have larger
/// deviations.
const SWING_OF_SHARE: f64 = 0.2;
const SWING_OF_PROBABILITY: f64 = 0.05;
/// Up to this percentage of correctly classified images, the discriminator may be at the equilibrium, where it is 50 %.
const EQUILIBRIUM_ACCURACY: f64 = 60.0;
/// Fewest readings from which convergence or cycles can be judged.
const FEWEST: usize = 16;

/// The outcome of a game.
///
/// ```
/// use equilibria::evaluate::stability::{Verdict, judge};
/// assert_eq!(judge(&[]).verdict, Verdict::Unsettled, "too few readings to tell");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Verdict {
    /// The game stopped moving.
    Converged,
    /// The game oscillates.
    Oscillating,
    /// The samples differ too little.
    Collapsed,
    /// Numbers grew without bound.
    Diverged,
    /// The game still moves, or there are too few readings.
    Unsettled,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Converged => "converged",
            Self::Oscillating => "oscillating",
            Self::Collapsed => "collapsed",
            Self::Diverged => "diverged",
            Self::Unsettled => "unsettled",
        })
    }
}

/// A verdict with its reasons.
///
/// ```
/// use equilibria::evaluate::stability::{Judgement, Verdict};
/// assert_eq!(Judgement::diverged("weight is no longer finite").verdict, Verdict::Diverged);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
#[must_use = "the verdict is only in the judgement"]
pub struct Judgement {
    /// The verdict of the first rule that applied.
    pub verdict: Verdict,
    /// The reasons, one sentence each.
    pub reasons: Vec<String>,
}

impl Judgement {
    fn new(verdict: Verdict, reason: String) -> Self {
        Self { verdict, reasons: Vec::from([reason]) }
    }

    /// The judgement of a game that was stopped because a number was no longer finite; such numbers are in no reading.
    pub fn diverged(reason: impl Into<String>) -> Self {
        Self::new(Verdict::Diverged, reason.into())
    }
}

/// Judges a whole run by the rules in the module documentation.
///
/// **Shapes** Any number of readings, in order, at equal distances; fewer than 16 are too few to find convergence.
///
/// ```
/// use equilibria::adversarial::Reading;
/// use equilibria::evaluate::stability::{Verdict, judge};
/// let turning = |step: u64| Reading { step, real_score: (step as f64 * 0.3).sin(), ..Reading::default() };
/// let readings: Vec<Reading> = (0..200).map(turning).collect();
/// assert_eq!(judge(&readings).verdict, Verdict::Oscillating);
/// ```
pub fn judge(readings: &[Reading]) -> Judgement {
    if let Some(found) = explosion(readings) {
        return found;
    }
    if readings.len() < FEWEST {
        let reason = format!("too few readings to tell: {} of at least {FEWEST}", readings.len());
        return Judgement::new(Verdict::Unsettled, reason);
    }
    if let Some(found) = collapse(readings) {
        return found;
    }
    let half = &readings[readings.len() / 2..];
    let signals = [
        ("the gap between the scores of data and samples", Reading::gap as fn(&Reading) -> f64),
        ("the generator's loss", |reading| reading.generator_loss),
    ];
    let signals = signals.map(|(name, signal)| (name, half.iter().map(signal).collect::<Vec<f64>>()));
    for (name, values) in &signals {
        if let Some(cycle) = Cycle::of(values) {
            let steps = cycle.period * (half[1].step - half[0].step) as f64;
            let reason = format!(
                "{name} has a period of about {steps:.0} steps: its correlation with itself is {:.2} half a \
                 period later and {:.2} a whole one later",
                cycle.trough, cycle.crest
            );
            return Judgement::new(Verdict::Oscillating, reason);
        }
    }
    if let Some(reason) = swing(readings, half) {
        return Judgement::new(Verdict::Oscillating, reason);
    }
    for (name, values) in &signals {
        let line = Line::through(values);
        if line.is_beyond_noise() && line.change.abs() > REST * line.size {
            let reason = format!(
                "{name} still moves: by {:+.3} over the second half, at {:.3} on the average",
                line.change, line.mean
            );
            return Judgement::new(Verdict::Unsettled, reason);
        }
    }
    Judgement { verdict: Verdict::Converged, reasons: Vec::from([rest(half)]) }
}

/// Rule 1: numbers that are not finite, and exploding gradients.
fn explosion(readings: &[Reading]) -> Option<Judgement> {
    if let Some(reading) = readings.iter().find(|reading| !reading.is_finite()) {
        let reason = format!("a loss, score or gradient was no longer finite after {} steps", reading.step);
        return Some(Judgement::new(Verdict::Diverged, reason));
    }
    let sides = [
        ("generator", (|reading| reading.generator_gradient) as fn(&Reading) -> f64),
        ("discriminator", |reading| reading.discriminator_gradient),
    ];
    sides.into_iter().find_map(|(name, gradient)| {
        let usual = median(readings.iter().map(gradient))?;
        let last = median(last(readings, 10).iter().map(gradient))?;
        (usual > 0.0 && last > EXPLOSION * usual).then(|| {
            let reason =
                format!("the {name}'s last gradients are {last:.3e} long, {usual:.3e} on the whole run");
            Judgement::new(Verdict::Diverged, reason)
        })
    })
}

/// Rule 2: collapse, or a measure that still rises.
fn collapse(readings: &[Reading]) -> Option<Judgement> {
    let measures = [
        ("the spread of samples", LEAST_SPREAD, (|reading| reading.spread) as fn(&Reading) -> Option<f64>),
        ("the entropy of the samples' classes", LEAST_ENTROPY, |reading| reading.class_entropy),
    ];
    measures.into_iter().find_map(|(name, least, measure)| {
        let end = median(last(readings, 4).iter().filter_map(measure)).filter(|end| *end < least)?;
        let is = format!("{name} is {end:.3} of the data's, less than {least}");
        let half: Vec<f64> = readings[readings.len() / 2..].iter().filter_map(measure).collect();
        if half.len() >= FEWEST / 2 {
            let line = Line::through(&half);
            // As many steps again as the whole run are twice the steps of this half.
            if line.is_beyond_noise() && end + 2.0 * line.change > least {
                let reason = format!("{is}, but still rises: by {:+.2} over the second half", line.change);
                return Some(Judgement::new(Verdict::Unsettled, reason));
            }
        }
        Some(Judgement::new(Verdict::Collapsed, is))
    })
}

/// The second part of rule 3: swings without a period.
fn swing(readings: &[Reading], half: &[Reading]) -> Option<String> {
    let of = |signal: fn(&Reading) -> f64| deviation(&half.iter().map(signal).collect::<Vec<f64>>());
    // A critic has no accuracies: the share is constantly 0.
    let share =
        of(|reading| 0.5 * (reading.real_accuracy.unwrap_or(0.0) - reading.fake_accuracy.unwrap_or(0.0)));
    if share > SWING_OF_SHARE
        && of(|reading| 0.5 * (reading.real_score + reading.fake_score)) > SWING_OF_PROBABILITY
    {
        return Some(format!(
            "the discriminator takes nearly all for real at one time and for generated at another: the share swings by {:.0} % \
             (standard deviation; {:.0} % is allowed)",
            100.0 * share,
            100.0 * SWING_OF_SHARE
        ));
    }
    let largest = readings.iter().map(|reading| reading.gap().abs()).fold(0.0, f64::max);
    let deviation = of(Reading::gap);
    (deviation > SWING * largest).then(|| {
        format!(
            "the gap between the scores of data and samples swings without a period by {:.0} % of the largest \
             (standard deviation; {:.0} % is allowed)",
            100.0 * deviation / largest,
            100.0 * SWING
        )
    })
}

/// The reason for the verdict "converged". For a critic it has the gap in the second half; for a discriminator the
/// accuracy, if it is far from the equilibrium's.
fn rest(half: &[Reading]) -> String {
    let mean = |value: fn(&Reading) -> Option<f64>| {
        let values: Vec<f64> = half.iter().filter_map(value).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let still = "neither the score gap nor the generator's loss changes or oscillates in the second half";
    let accuracies = mean(|reading| reading.real_accuracy).zip(mean(|reading| reading.fake_accuracy));
    if let Some((real, fake)) = accuracies {
        let accuracy = 50.0 * (real + fake);
        return if accuracy > EQUILIBRIUM_ACCURACY {
            format!(
                "{still}; this is not the equilibrium: the discriminator classifies {accuracy:.0} % of the images \
                 correctly, and 50 % is the value there"
            )
        } else {
            still.into()
        };
    }
    let gap = mean(|reading| Some(reading.gap())).unwrap_or(0.0);
    format!("{still}; the critic still tells data from samples by {gap:.3}, by 0 at the equilibrium")
}

/// The last of `parts` equal parts, at least one reading.
fn last(readings: &[Reading], parts: usize) -> &[Reading] {
    &readings[readings.len() - readings.len().div_ceil(parts)..]
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests;
