//! Statistics of the second half of a game, when it should have converged.

use super::stability::deviation;
use crate::adversarial::Reading;
use alloc::vec::Vec;

/// Statistics over the second half of a game's readings; `None` for a quantity that the objective does not have.
///
/// ```
/// use equilibria::{adversarial::Reading, evaluate::second_half::SecondHalf};
/// let readings: Vec<Reading> =
///     (0..4).map(|step| Reading { step, real_accuracy: Some(1.0), fake_accuracy: Some(0.5), ..Reading::default() }).collect();
/// assert_eq!(SecondHalf::of(&readings).accuracy, Some(0.75));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct SecondHalf {
    /// The least and the greatest loss of the discriminator or critic.
    pub discriminator_loss: [f64; 2],
    /// Mean share of images that the discriminator classifies correctly.
    pub accuracy: Option<f64>,
    /// Mean of the critic's estimate in the last quarter, divided by the largest magnitude of the whole game; 0 if all are 0.
    pub estimate: Option<f64>,
    /// Mean share of the critic's parameters that are at the clipping bound.
    pub clipped: Option<f64>,
    /// Standard deviation of the gap between the scores about its straight line, divided by its mean: 0 for a constant gap.
    pub wavering: f64,
    /// The first duality gap of the game and the last of the second half.
    pub duality_gap: Option<[f64; 2]>,
}

impl SecondHalf {
    /// Computes the statistics of a whole game.
    ///
    /// ```
    /// use equilibria::{adversarial::Reading, evaluate::second_half::SecondHalf};
    /// let reading = |step| Reading { step, discriminator_loss: step as f64, ..Reading::default() };
    /// let readings: Vec<Reading> = (0..8).map(reading).collect();
    /// assert_eq!(SecondHalf::of(&readings).discriminator_loss, [4.0, 7.0]);
    /// ```
    pub fn of(readings: &[Reading]) -> Self {
        let half = &readings[readings.len() / 2..];
        let quarter = &readings[readings.len() * 3 / 4..];
        let losses = half.iter().map(|reading| reading.discriminator_loss);
        let estimates = |readings: &'_ [Reading]| -> Vec<f64> {
            readings.iter().filter_map(|reading| reading.wasserstein).collect()
        };
        let largest = estimates(readings).into_iter().map(f64::abs).fold(0.0, f64::max);
        let accuracy = |reading: &Reading| Some(0.5 * (reading.real_accuracy? + reading.fake_accuracy?));
        let gaps: Vec<f64> = half.iter().map(Reading::gap).collect();
        let first_gap = readings.iter().find_map(|reading| reading.duality_gap);
        let last_gap = half.iter().rev().find_map(|reading| reading.duality_gap);
        Self {
            discriminator_loss: [
                losses.clone().fold(f64::INFINITY, f64::min),
                losses.fold(f64::NEG_INFINITY, f64::max),
            ],
            accuracy: mean(half.iter().filter_map(accuracy)),
            estimate: mean(estimates(quarter).into_iter())
                .map(|last| if last == 0.0 { 0.0 } else { last / largest }),
            clipped: mean(half.iter().filter_map(|reading| reading.clipped)),
            wavering: match deviation(&gaps) {
                0.0 => 0.0,
                deviation => deviation / mean(gaps.iter().copied()).map_or(f64::NAN, f64::abs),
            },
            duality_gap: first_gap.zip(last_gap).map(|(first, last)| [first, last]),
        }
    }
}

/// The mean of `values`; `None` if there are none.
fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn the_second_half_is_summed_up() {
        // A gap between the scores of 1, 3, 1, 3, ...; estimates fall from -8 to -1.
        let reading = |step: u64| Reading {
            step,
            discriminator_loss: step as f64,
            real_score: if step.is_multiple_of(2) { 1.0 } else { 3.0 },
            real_accuracy: Some(0.8),
            fake_accuracy: Some(if step < 4 { 0.0 } else { 0.6 }),
            wasserstein: Some(step as f64 - 8.0),
            clipped: (step == 7).then_some(0.25),
            duality_gap: step.is_multiple_of(3).then_some(step as f64),
            ..Reading::default()
        };
        let readings: Vec<Reading> = (0..8).map(reading).collect();
        let half = SecondHalf::of(&readings);
        assert_eq!(half.discriminator_loss, [4.0, 7.0]);
        assert_eq!(
            (half.accuracy, half.clipped, half.duality_gap),
            (Some(0.7), Some(0.25), Some([0.0, 6.0]))
        );
        assert_eq!(half.estimate, Some(-1.5 / 8.0), "the last quarter by the largest magnitude");
        // About the line through 1, 3, 1, 3 (slope 0.4) the squares are 0.8 on average; the mean is 2.
        assert!((half.wavering - 0.8_f64.sqrt() / 2.0).abs() < 1e-12, "{half:?}");

        let still = [Reading { wasserstein: Some(0.0), ..Reading::default() }; 4];
        let half = SecondHalf::of(&still);
        assert_eq!((half.wavering, half.estimate, half.accuracy), (0.0, Some(0.0), None));
    }
}
