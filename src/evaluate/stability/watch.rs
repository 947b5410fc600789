//! Early warnings while a game runs.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

use super::{EXPLOSION, LEAST_ENTROPY, LEAST_SPREAD};
use crate::adversarial::Reading;

/// The discriminator has won if its loss stays below this, in nats: its gradient is then too small to train the
/// generator.
const WON: f64 = 0.05;
/// Steps of the generator that a condition must last before a warning.
const LASTING: u64 = 500;
/// Number of readings over which the median of gradients is taken.
const REMEMBERED: usize = 101;

/// A condition that usually ends badly if it lasts.
///
/// ```
/// use equilibria::{adversarial::Reading, evaluate::stability::{Warning, Watch}};
/// let reading = Reading { step: 1, generator_loss: f64::NAN, ..Reading::default() };
/// assert!(Watch::new().update(&reading).contains(&Warning::NotFinite));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Warning {
    /// A loss, score or gradient is infinite or not a number.
    NotFinite,
    /// The discriminator's loss has been below 0.05 nats for 500 steps.
    DiscriminatorWon,
    /// The critic's estimate has been negative for 500 steps; the estimate of a trained critic is positive.
    CriticBehind,
    /// Samples have less than 0.3 of the spread of data.
    LittleSpread,
    /// The entropy of the samples' classes is below 0.65 of the data's.
    FewClasses,
    /// A gradient is 100 times as long as the median of the last hundred readings.
    Explosion,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFinite => "a loss, score or gradient is no longer finite",
            Self::DiscriminatorWon => {
                "the discriminator's loss has been below 0.05 for 500 steps; the generator learns little from it"
            }
            Self::CriticBehind => {
                "the critic's estimate has been negative for 500 steps; it needs more steps or a higher rate"
            }
            Self::LittleSpread => "samples have less than 0.3 of the spread of data; they collapse",
            Self::FewClasses => "samples fall into few classes; they collapse",
            Self::Explosion => "a gradient is 100 times as long as it was",
        })
    }
}

/// Watches the readings of a game; reports each warning when it begins, and again only after a pause.
///
/// ```
/// use equilibria::{adversarial::Reading, evaluate::stability::Watch};
/// let mut watch = Watch::new();
/// assert!(watch.update(&Reading { step: 1, ..Reading::default() }).is_empty());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// Recent gradient norms of the generator and of the discriminator.
    gradients: [VecDeque<f64>; 2],
    /// First steps at which the discriminator's loss was too low, and the critic's estimate negative, without a pause
    /// since.
    low_since: Option<u64>,
    negative_since: Option<u64>,
    /// Warnings that hold now.
    active: Vec<Warning>,
}

impl Watch {
    /// Creates a watch without readings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next reading; returns the warnings that begin with it.
    pub fn update(&mut self, reading: &Reading) -> Vec<Warning> {
        // Only a discriminator of probabilities has a loss bounded below by 0.
        let has_won = reading.real_accuracy.is_some() && reading.discriminator_loss < WON;
        let is_behind = reading.wasserstein.is_some_and(|estimate| estimate < 0.0);
        let lasts = |since: &mut Option<u64>, holds: bool| {
            *since = holds.then(|| since.unwrap_or(reading.step));
            since.is_some_and(|first| reading.step - first >= LASTING)
        };
        let gradients = [reading.generator_gradient, reading.discriminator_gradient];
        let mut explodes = false;
        for (seen, gradient) in self.gradients.iter_mut().zip(gradients) {
            explodes |= median(seen).is_some_and(|usual| gradient > EXPLOSION * usual);
            if gradient.is_finite() {
                seen.push_back(gradient);
            }
            if seen.len() > REMEMBERED {
                seen.pop_front();
            }
        }
        let now = [
            (Warning::NotFinite, !reading.is_finite()),
            (Warning::DiscriminatorWon, lasts(&mut self.low_since, has_won)),
            (Warning::CriticBehind, lasts(&mut self.negative_since, is_behind)),
            (Warning::LittleSpread, reading.spread.is_some_and(|spread| spread < LEAST_SPREAD)),
            (Warning::FewClasses, reading.class_entropy.is_some_and(|entropy| entropy < LEAST_ENTROPY)),
            (Warning::Explosion, explodes),
        ];
        let holding: Vec<Warning> =
            now.into_iter().filter(|(_, holds)| *holds).map(|(kind, _)| kind).collect();
        let fresh = holding.iter().copied().filter(|kind| !self.active.contains(kind)).collect();
        self.active = holding;
        fresh
    }
}

/// The median; `None` for fewer than eleven numbers, which are too few, or if it is 0.
fn median(values: &VecDeque<f64>) -> Option<f64> {
    const FEWEST: usize = 11;
    if values.len() < FEWEST {
        return None;
    }
    let mut values: Vec<f64> = values.iter().copied().collect();
    values.sort_by(f64::total_cmp);
    Some(values[values.len() / 2]).filter(|median| *median > 0.0)
}
