//! Losses of a mini-batch, with their derivatives by the discriminator's outputs.

use super::{GeneratorLoss, Objective};
use crate::nn::losses::{binary_cross_entropy, minimax, non_saturating, wasserstein};
use crate::tensor::Element;

impl Objective {
    /// The discriminator's loss on real and on generated samples without a penalty, and its derivatives.
    ///
    /// **Shapes** `real` and `by_real` (rows), `fake` and `by_fake` (rows).
    ///
    /// **Panics** if the lengths differ.
    pub fn discriminator_loss<T: Element>(
        &self,
        (real, by_real): (&[T], &mut [T]),
        (fake, by_fake): (&[T], &mut [T]),
    ) -> f64 {
        match *self {
            Self::Standard { label_smoothing, .. } => {
                binary_cross_entropy(real, 1.0 - label_smoothing, by_real)
                    + binary_cross_entropy(fake, 0.0, by_fake)
            }
            Self::Clipping { .. } | Self::Penalty { .. } => {
                wasserstein(real, -1.0, by_real) + wasserstein(fake, 1.0, by_fake)
            }
        }
    }

    /// The generator's loss, and its derivatives by the discriminator's outputs on generated samples.
    ///
    /// **Shapes** `fake` and `by_fake` (rows).
    ///
    /// **Panics** if the lengths differ.
    pub fn generator_loss<T: Element>(&self, fake: &[T], by_fake: &mut [T]) -> f64 {
        match *self {
            Self::Standard { generator: GeneratorLoss::NonSaturating, .. } => non_saturating(fake, by_fake),
            Self::Standard { generator: GeneratorLoss::Minimax, .. } => minimax(fake, by_fake),
            Self::Clipping { .. } | Self::Penalty { .. } => wasserstein(fake, -1.0, by_fake),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{GeneratorLoss, Objective};

    const LN_2: f64 = core::f64::consts::LN_2;

    fn of_discriminator(objective: Objective, real: [f64; 2], fake: [f64; 2]) -> (f64, [f64; 2], [f64; 2]) {
        let (mut by_real, mut by_fake) = ([f64::NAN; 2], [f64::NAN; 2]);
        let loss = objective.discriminator_loss((&real, &mut by_real), (&fake, &mut by_fake));
        (loss, by_real, by_fake)
    }

    fn of_generator(objective: Objective, fake: [f64; 2]) -> (f64, [f64; 2]) {
        let mut by_fake = [f64::NAN; 2];
        (objective.generator_loss(&fake, &mut by_fake), by_fake)
    }

    #[test]
    fn a_discriminator_that_knows_nothing_loses_two_bits_and_one_that_knows_all_nothing() {
        let (loss, by_real, by_fake) = of_discriminator(Objective::standard(), [0.0; 2], [0.0; 2]);
        assert!((loss - 2.0 * LN_2).abs() < 1e-15);
        assert_eq!((by_real, by_fake), ([-0.25; 2], [0.25; 2]));
        let (loss, by_real, by_fake) = of_discriminator(Objective::standard(), [800.0; 2], [-800.0; 2]);
        assert_eq!((loss, by_real, by_fake), (0.0, [0.0; 2], [0.0; 2]));
        // Linear where it is wrong, however large the logits are.
        let (loss, by_real, _) = of_discriminator(Objective::standard(), [-800.0, 0.0], [-800.0; 2]);
        assert!((loss - (400.0 + LN_2 / 2.0)).abs() < 1e-12);
        assert_eq!(by_real, [-0.5, -0.25]);
    }

    #[test]
    fn smoothed_labels_ask_for_no_more_than_their_odds() {
        let smoothed = Objective::Standard { generator: GeneratorLoss::default(), label_smoothing: 0.1 };
        let logit = libm::log(9.0);
        let (_, by_real, _) = of_discriminator(smoothed, [logit, logit + 1.0], [0.0; 2]);
        assert!(by_real[0].abs() < 1e-15 && by_real[1] > 0.0, "{by_real:?}");
    }

    #[test]
    fn generators_want_their_samples_to_score_high() {
        let minimax = Objective::Standard { generator: GeneratorLoss::Minimax, label_smoothing: 0.0 };
        let (loss, by_fake) = of_generator(Objective::standard(), [0.0; 2]);
        assert!((loss - LN_2).abs() < 1e-15 && by_fake == [-0.25; 2], "{loss}, {by_fake:?}");
        let (loss, by_fake) = of_generator(minimax, [0.0; 2]);
        assert!((loss + LN_2).abs() < 1e-15 && by_fake == [-0.25; 2], "{loss}, {by_fake:?}");
        // Where it loses, one gradient vanishes and the other does not.
        assert!(of_generator(minimax, [-20.0; 2]).1.iter().all(|g| *g < 0.0 && *g > -1e-8));
        assert!(of_generator(Objective::standard(), [-20.0; 2]).1.iter().all(|g| *g < -0.49));
        assert_eq!(of_generator(Objective::clipping(), [1.0, 2.0]), (-1.5, [-0.5; 2]));
    }

    #[test]
    fn critics_are_paid_for_the_difference() {
        for objective in [Objective::clipping(), Objective::penalty()] {
            let found = of_discriminator(objective, [3.0, 4.0], [1.0, -2.0]);
            assert_eq!(found, (-4.0, [-0.5; 2], [0.5; 2]));
        }
    }
}
