//! Losses of a mini-batch, with their derivatives with respect to the discriminator's outputs.

use super::{GeneratorLoss, Objective};
use crate::nn::losses::{binary_cross_entropy, minimax, non_saturating, relativistic, wasserstein};
use crate::tensor::Element;

impl Objective {
    /// The discriminator's loss on real and on generated samples without a penalty, and its derivatives with respect to
    /// the outputs.
    ///
    /// **Shapes** `real` and `grad_real` (rows), `fake` and `grad_fake` (rows).
    ///
    /// **Panics** if the lengths differ.
    pub fn discriminator_loss<T: Element>(
        &self,
        (real, grad_real): (&[T], &mut [T]),
        (fake, grad_fake): (&[T], &mut [T]),
    ) -> f64 {
        match *self {
            Self::Standard { label_smoothing, .. } => {
                binary_cross_entropy(real, 1.0 - label_smoothing, grad_real)
                    + binary_cross_entropy(fake, 0.0, grad_fake)
            }
            Self::Clipping { .. } | Self::Penalty { .. } => {
                wasserstein(real, -1.0, grad_real) + wasserstein(fake, 1.0, grad_fake)
            }
            Self::Relativistic => relativistic((real, grad_real), (fake, grad_fake)),
        }
    }

    /// The generator's loss, and its derivatives with respect to the discriminator's outputs on generated samples.
    ///
    /// The outputs on real samples count only in the relativistic game, which also writes the derivatives with respect to
    /// them.
    ///
    /// **Shapes** `fake` and `grad_fake` (rows); `real` and `grad_real` (rows) in the relativistic game.
    ///
    /// **Panics** if the lengths differ.
    pub fn generator_loss<T: Element>(
        &self,
        (real, grad_real): (&[T], &mut [T]),
        (fake, grad_fake): (&[T], &mut [T]),
    ) -> f64 {
        match *self {
            Self::Standard { generator: GeneratorLoss::NonSaturating, .. } => non_saturating(fake, grad_fake),
            Self::Standard { generator: GeneratorLoss::Minimax, .. } => minimax(fake, grad_fake),
            Self::Clipping { .. } | Self::Penalty { .. } => wasserstein(fake, -1.0, grad_fake),
            Self::Relativistic => relativistic((fake, grad_fake), (real, grad_real)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{GeneratorLoss, Objective};

    const LN_2: f64 = core::f64::consts::LN_2;

    fn discriminator_loss(objective: Objective, real: [f64; 2], fake: [f64; 2]) -> (f64, [f64; 2], [f64; 2]) {
        let (mut grad_real, mut grad_fake) = ([f64::NAN; 2], [f64::NAN; 2]);
        let loss = objective.discriminator_loss((&real, &mut grad_real), (&fake, &mut grad_fake));
        (loss, grad_real, grad_fake)
    }

    fn generator_loss(objective: Objective, fake: [f64; 2]) -> (f64, [f64; 2]) {
        let mut grad_fake = [f64::NAN; 2];
        (objective.generator_loss((&[], &mut []), (&fake, &mut grad_fake)), grad_fake)
    }

    #[test]
    fn an_uninformed_discriminator_loses_two_bits_and_a_perfect_one_nothing() {
        let (loss, grad_real, grad_fake) = discriminator_loss(Objective::standard(), [0.0; 2], [0.0; 2]);
        assert!((loss - 2.0 * LN_2).abs() < 1e-15);
        assert_eq!((grad_real, grad_fake), ([-0.25; 2], [0.25; 2]));
        let (loss, grad_real, grad_fake) = discriminator_loss(Objective::standard(), [800.0; 2], [-800.0; 2]);
        assert_eq!((loss, grad_real, grad_fake), (0.0, [0.0; 2], [0.0; 2]));
        // The loss is linear where the discriminator is wrong, even for large logits.
        let (loss, grad_real, _) = discriminator_loss(Objective::standard(), [-800.0, 0.0], [-800.0; 2]);
        assert!((loss - (400.0 + LN_2 / 2.0)).abs() < 1e-12);
        assert_eq!(grad_real, [-0.5, -0.25]);
    }

    #[test]
    fn smoothed_labels_are_optimal_at_their_odds() {
        let smoothed = Objective::Standard { generator: GeneratorLoss::default(), label_smoothing: 0.1 };
        let logit = libm::log(9.0);
        let (_, grad_real, _) = discriminator_loss(smoothed, [logit, logit + 1.0], [0.0; 2]);
        assert!(grad_real[0].abs() < 1e-15 && grad_real[1] > 0.0, "{grad_real:?}");
    }

    #[test]
    fn the_generator_loss_falls_with_the_score_of_its_samples() {
        let minimax = Objective::Standard { generator: GeneratorLoss::Minimax, label_smoothing: 0.0 };
        let (loss, grad_fake) = generator_loss(Objective::standard(), [0.0; 2]);
        assert!((loss - LN_2).abs() < 1e-15 && grad_fake == [-0.25; 2], "{loss}, {grad_fake:?}");
        let (loss, grad_fake) = generator_loss(minimax, [0.0; 2]);
        assert!((loss + LN_2).abs() < 1e-15 && grad_fake == [-0.25; 2], "{loss}, {grad_fake:?}");
        // One gradient vanishes where the discriminator recognises the samples, and the other does not.
        assert!(generator_loss(minimax, [-20.0; 2]).1.iter().all(|g| *g < 0.0 && *g > -1e-8));
        assert!(generator_loss(Objective::standard(), [-20.0; 2]).1.iter().all(|g| *g < -0.49));
        assert_eq!(generator_loss(Objective::clipping(), [1.0, 2.0]), (-1.5, [-0.5; 2]));
    }

    #[test]
    fn the_critic_loss_is_the_difference_of_mean_scores() {
        for objective in [Objective::clipping(), Objective::penalty()] {
            let found = discriminator_loss(objective, [3.0, 4.0], [1.0, -2.0]);
            assert_eq!(found, (-4.0, [-0.5; 2], [0.5; 2]));
        }
    }
}
