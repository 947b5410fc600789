//! Is a game stable? Readings of a run in, a verdict by stated rules out.
//!
//! The losses of two adversaries say little by themselves: each is measured against an opponent that moves. What can be
//! told from a run's readings is whether they stay finite, whether they stopped moving, whether they go round, and
//! whether the samples still differ from one another. [`judge`] asks in this order, and the first yes is the verdict (with
//! fewer than 16 readings all but the first tell nothing, and the game is unsettled):
//!
//! 1. **Diverged**: a number is not finite, or the last gradients are 100 times as long as they usually were.
//! 2. **Collapsed**: in the last quarter, samples have less than 0.3 of the spread of data, or fall into so few classes
//!    that their entropy is below 0.65 of the data's. Where that rises so fast that as many steps again would bring it
//!    beyond, the game has not collapsed but hardly begun: it is **unsettled**.
//! 3. **Oscillating**: in the second half, the gap between the scores of data and samples, or the generator's loss, goes
//!    round: less its straight line, it is anticorrelated with itself half a period later and correlated again a whole
//!    one later, both beyond chance. Or it has no period, but swings: the gap, less its line, by more than a quarter of
//!    the largest gap of the run; or a discriminator of probabilities that takes everything for real at one time and for
//!    generated at another: the share that it takes for real swings by more than a fifth of all images, and not because
//!    all probabilities are nearly alike, as these swing too, by more than 0.05. (Standard deviations; that a reading sees
//!    64 images of either kind explains 0.04 of each.)
//! 4. **Unsettled**: one of the two still moves along a straight line, by more than its noise can explain and more than
//!    a tenth of its size. More steps could end anywhere.
//! 5. **Converged**: none of these. It says that the game came to rest, not that it did so in a good place: for that,
//!    see [`Judgement::reasons`] and the measures of samples.
//!
//! [`Watch`] applies what can be applied to one reading while the game is on.

mod series;
mod watch;

pub use watch::{Warning, Watch};

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

pub use series::deviation;
use series::{Cycle, Line};

/// Samples have collapsed below this share of the spread of data.
const LEAST_SPREAD: f64 = 0.3;
/// Samples have collapsed below this share of the entropy of the data's classes: 1.5 of MNIST's 2.30 nats.
const LEAST_ENTROPY: f64 = 0.65;
/// A gradient has exploded if it is so many times as long as the median.
const EXPLOSION: f64 = 100.0;
/// What moves by less than this share of its size over half of a run is taken to rest.
const REST: f64 = 0.1;
/// A gap that swings by more than this share of the largest is not at rest.
const SWING: f64 = 0.25;
/// Nor is a discriminator that takes now more, now fewer images for real, by more than these in share and probability.
const SWING_OF_SHARE: f64 = 0.2;
const SWING_OF_PROBABILITY: f64 = 0.05;
/// Fewer readings than this tell nothing of rest or cycles.
const FEWEST: usize = 16;

/// What was seen of a game after some step of its generator. What an objective does not have is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Reading {
    /// Steps of the generator so far.
    pub step: u64,
    /// The generator's loss.
    pub generator_loss: f64,
    /// The discriminator's or critic's loss, its penalty included.
    pub discriminator_loss: f64,
    /// Share of real samples that the discriminator takes for real; a critic has no threshold.
    pub real_accuracy: Option<f64>,
    /// Share of the generator's samples that it takes for the generator's.
    pub fake_accuracy: Option<f64>,
    /// Mean of D(x): a probability, or a critic's score.
    pub real_score: f64,
    /// Mean of D(G(z)).
    pub fake_score: f64,
    /// Euclidean norm of the gradient by all parameters of the generator.
    pub generator_gradient: f64,
    /// Of the discriminator.
    pub discriminator_gradient: f64,
    /// A critic's estimate of the Wasserstein distance, mean D(x) - mean D(G(z)), up to its Lipschitz constant.
    pub wasserstein: Option<f64>,
    /// Mean Euclidean norm of the critic's gradient by its input, where the penalty pulls it to 1.
    pub slope: Option<f64>,
    /// Share of the critic's weights that lie at the bound which clips them.
    pub clipped: Option<f64>,
    /// Standard deviation of a pixel over the generator's samples, over that of data; mean over pixels. 0 where the samples
    /// are all alike; `None` where they differ and the data do not.
    pub spread: Option<f64>,
    /// Entropy of the classes of the generator's samples, over that of the data's classes.
    pub class_entropy: Option<f64>,
    /// What either player could still gain while the other stays, from below: 0 at an equilibrium.
    pub duality_gap: Option<f64>,
}

impl Reading {
    /// How far apart the scores of data and samples are.
    pub fn gap(&self) -> f64 {
        self.real_score - self.fake_score
    }

    fn is_finite(&self) -> bool {
        let always = [
            self.generator_loss,
            self.discriminator_loss,
            self.real_score,
            self.fake_score,
            self.generator_gradient,
            self.discriminator_gradient,
        ];
        let optional = [self.wasserstein, self.slope, self.spread];
        always.into_iter().chain(optional.into_iter().flatten()).all(f64::is_finite)
    }
}

/// What became of a game.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Verdict {
    /// Came to rest.
    Converged,
    /// Goes round.
    Oscillating,
    /// The samples hardly differ.
    Collapsed,
    /// Numbers grew without bound.
    Diverged,
    /// Still moves, or was looked at too seldom to tell.
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

/// A verdict, and the numbers that it rests on.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Judgement {
    /// The first rule that applied.
    pub verdict: Verdict,
    /// Why, one sentence each.
    pub reasons: Vec<String>,
}

impl Judgement {
    fn new(verdict: Verdict, reason: String) -> Self {
        Self { verdict, reasons: Vec::from([reason]) }
    }

    /// Of a game that had to be stopped, and why: what is no longer finite is in no reading.
    pub fn diverged(reason: impl Into<String>) -> Self {
        Self::new(Verdict::Diverged, reason.into())
    }
}

/// Judges a whole run by the rules at the head of this module.
///
/// **Shapes** any number of readings, in order, at equal distances; fewer than 16 cannot be told to rest.
///
/// ```
/// use equilibria::evaluate::stability::{Reading, Verdict, judge};
/// let turning = |step: u64| Reading { step, real_score: (step as f64 * 0.3).sin(), ..Reading::default() };
/// let readings: Vec<Reading> = (0..200).map(turning).collect();
/// assert_eq!(judge(&readings).verdict, Verdict::Oscillating);
/// ```
pub fn judge(readings: &[Reading]) -> Judgement {
    if let Some(found) = explosion(readings) {
        return found;
    }
    if readings.len() < FEWEST {
        let reason = format!("{} readings are too few to tell; {FEWEST} are needed", readings.len());
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
                "{name} goes round once in about {steps:.0} steps: its correlation with itself is {:.2} half a \
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

/// Rule 1.
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

/// Rule 2.
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
            // As many steps again are twice those of the line.
            if line.is_beyond_noise() && end + 2.0 * line.change > least {
                let reason = format!("{is}, but still rises: by {:+.2} over the second half", line.change);
                return Some(Judgement::new(Verdict::Unsettled, reason));
            }
        }
        Some(Judgement::new(Verdict::Collapsed, is))
    })
}

/// The second part of rule 3.
fn swing(readings: &[Reading], half: &[Reading]) -> Option<String> {
    let of = |signal: fn(&Reading) -> f64| deviation(&half.iter().map(signal).collect::<Vec<f64>>());
    // A critic's are 0 all the time.
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

/// Where the game came to rest.
fn rest(half: &[Reading]) -> String {
    let mean = |value: fn(&Reading) -> Option<f64>| {
        let values: Vec<f64> = half.iter().filter_map(value).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let accuracies = mean(|reading| reading.real_accuracy).zip(mean(|reading| reading.fake_accuracy));
    if let Some((real, fake)) = accuracies {
        let accuracy = 50.0 * (real + fake);
        return format!(
            "neither gap nor loss moves or goes round in the second half; the discriminator is right in \
             {accuracy:.0} % of the cases there, 50 % at the equilibrium"
        );
    }
    let gap = mean(|reading| Some(reading.gap())).unwrap_or(0.0);
    format!(
        "neither gap nor loss moves or goes round in the second half; the critic still tells data from samples \
         by {gap:.3}, by 0 at the equilibrium"
    )
}

/// The last of so many equal parts, of one reading at least.
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
