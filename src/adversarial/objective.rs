//! Objectives: the losses of generator and discriminator.
//!
//! D(x) is the output of the discriminator's last layer: a logit, or a critic's score. Both players minimise a loss,
//! over B real samples x and B generated samples G(z):
//!
//! | objective | loss of the discriminator | loss of the generator |
//! |---|---|---|
//! | standard, non-saturating | mean softplus(-D(x)) + mean softplus(D(G(z))) | mean softplus(-D(G(z))) |
//! | standard, minimax | the same | - mean softplus(D(G(z))) |
//! | clipping | mean D(G(z)) - mean D(x), every parameter clipped to `[-bound, bound]` | - mean D(G(z)) |
//! | penalty | the same + weight · mean (‖∂D/∂x̂‖ - 1)² | the same |
//! | relativistic | mean softplus(-(D(x) - D(G(z)))) over pairs | mean softplus(-(D(G(z)) - D(x))) over pairs |
//!
//! softplus(-D) is the cross-entropy of "real" and softplus(D) that of "generated" (Goodfellow et al. 2014). With
//! one-sided label smoothing s (Salimans et al. 2016), the loss of a real sample is (1 - s) softplus(-D) + s
//! softplus(D).
//!
//! The relativistic loss compares each real sample with one generated sample, so that scores matter only relative to one
//! another (Jolicoeur-Martineau 2018; Huang et al. 2024, with penalties on the slope).
//!
//! Over all functions with Lipschitz constant 1, the critic's minimal loss is minus the Wasserstein distance (Arjovsky,
//! Chintala & Bottou 2017); clipping and penalty are two ways to limit the slope ([`penalty`](super::penalty)).

mod loss;

use crate::{Error, Result};
use alloc::format;

/// The objective of a game: the losses of generator and discriminator.
///
/// ```
/// use equilibria::adversarial::Objective;
/// let objective = Objective::Clipping { bound: 0.0, critic_steps: 5, head_start: false };
/// assert_eq!(objective.validate().unwrap_err().to_string(), "clip 0: a bound is a number above 0; the original has 0.01");
/// assert!(Objective::penalty().validate().is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Objective {
    /// A discriminator that classifies samples as real or generated (Goodfellow et al. 2014).
    Standard {
        /// The generator's loss.
        generator: GeneratorLoss,
        /// Subtracted from the label of real samples: 0, or often 0.1; below 0.5.
        label_smoothing: f64,
    },
    /// A critic whose parameters are clipped (Arjovsky, Chintala & Bottou 2017).
    Clipping {
        /// The bound of every parameter's absolute value, 0.01 in the original.
        bound: f64,
        /// Critic steps per step of the generator.
        critic_steps: usize,
        /// If true, as in the original code: 100 critic steps at each of the first 25 steps of the generator and at
        /// every 500th.
        head_start: bool,
    },
    /// A critic whose slope is pulled towards 1 (Gulrajani et al. 2017).
    Penalty {
        /// λ, 10 in the original.
        weight: f64,
        /// Critic steps per step of the generator.
        critic_steps: usize,
    },
    /// A discriminator that tells which sample of a pair is the real one.
    Relativistic,
}

/// The generator's loss in the standard game.
///
/// ```
/// use equilibria::nn::losses::{minimax, non_saturating};
/// // The discriminator recognises a sample: only one of the losses still has a gradient.
/// let (mut saturated, mut alive) = ([0.0_f64], [0.0_f64]);
/// minimax(&[-20.0], &mut saturated);
/// non_saturating(&[-20.0], &mut alive);
/// assert!(saturated[0].abs() < 1e-8 && alive[0].abs() > 0.99);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GeneratorLoss {
    /// `mean softplus(-D(G(z)))`, whose gradient is largest where the discriminator recognises the samples.
    #[default]
    NonSaturating,
    /// `-mean softplus(D(G(z)))`, the negative of the discriminator's loss on these samples; its gradient vanishes where
    /// the discriminator recognises the samples.
    Minimax,
}

/// Number of critic steps in the original's head start, and the steps of the generator at which it applies.
const HEAD_START_STEPS: usize = 100;
const HEAD_START: u64 = 25;
const HEAD_START_EVERY: u64 = 500;

impl Objective {
    /// The non-saturating game without label smoothing.
    pub const fn standard() -> Self {
        Self::Standard { generator: GeneratorLoss::NonSaturating, label_smoothing: 0.0 }
    }

    /// Clipping at 0.01, 5 critic steps, no head start.
    pub const fn clipping() -> Self {
        Self::Clipping { bound: 0.01, critic_steps: 5, head_start: false }
    }

    /// A penalty of weight 10, 5 critic steps.
    pub const fn penalty() -> Self {
        Self::Penalty { weight: 10.0, critic_steps: 5 }
    }

    /// `standard`, `clipping`, `penalty` or `relativistic`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Standard { .. } => "standard",
            Self::Clipping { .. } => "clipping",
            Self::Penalty { .. } => "penalty",
            Self::Relativistic => "relativistic",
        }
    }

    /// Returns whether the discriminator is a critic: its output is a score without a threshold, not a logit.
    pub const fn has_critic(&self) -> bool {
        matches!(self, Self::Clipping { .. } | Self::Penalty { .. })
    }

    /// Number of steps of the discriminator before the generator's step that follows `steps` others.
    pub const fn discriminator_steps(&self, steps: u64) -> usize {
        match *self {
            Self::Standard { .. } | Self::Relativistic => 1,
            Self::Clipping { head_start: true, .. }
                if steps < HEAD_START || steps.is_multiple_of(HEAD_START_EVERY) =>
            {
                HEAD_START_STEPS
            }
            Self::Clipping { critic_steps, .. } | Self::Penalty { critic_steps, .. } => critic_steps,
        }
    }

    /// Total number of steps of the discriminator in the first `steps` steps of the generator; `u64::MAX` on overflow.
    pub const fn all_discriminator_steps(&self, steps: u64) -> u64 {
        let (usual, long) = match *self {
            Self::Standard { .. } | Self::Relativistic => (1, 0),
            Self::Clipping { critic_steps, head_start: true, .. } => {
                // The first of the multiples is 0, which the first 25 steps already include.
                let multiples = steps.div_ceil(HEAD_START_EVERY).saturating_sub(1);
                (critic_steps, if steps < HEAD_START { steps } else { HEAD_START } + multiples)
            }
            Self::Clipping { critic_steps, .. } | Self::Penalty { critic_steps, .. } => (critic_steps, 0),
        };
        let usual = (steps - long).saturating_mul(usual as u64);
        usual.saturating_add(long.saturating_mul(HEAD_START_STEPS as u64))
    }

    /// Checks the ranges of all numbers.
    ///
    /// **Errors** [`Error::InvalidArgument`], with the correct range, if a number is outside its range.
    pub fn validate(&self) -> Result<()> {
        match *self {
            Self::Standard { label_smoothing: s, .. } if !(0.0..0.5).contains(&s) => Err(Error::invalid(
                format!("label smoothing {s}"),
                "smoothing is at least 0 and below 0.5, at which labels carry no information",
            )),
            Self::Clipping { bound, .. } if !(bound > 0.0 && bound.is_finite()) => Err(Error::invalid(
                format!("clip {bound}"),
                "a bound is a number above 0; the original has 0.01",
            )),
            Self::Penalty { weight, .. } if !(weight >= 0.0 && weight.is_finite()) => Err(Error::invalid(
                format!("penalty {weight}"),
                "a weight is a number of at least 0; the original has 10",
            )),
            Self::Clipping { critic_steps: 0, .. } | Self::Penalty { critic_steps: 0, .. } => {
                Err(Error::invalid(
                    "critic steps 0",
                    "a critic needs at least 1 step per step of the generator; the originals have 5",
                ))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{GeneratorLoss, Objective};

    #[test]
    fn invalid_objectives_are_refused_in_one_sentence() {
        let standard =
            |label_smoothing| Objective::Standard { generator: GeneratorLoss::Minimax, label_smoothing };
        let clipping = |bound, critic_steps| Objective::Clipping { bound, critic_steps, head_start: true };
        let penalty = |weight, critic_steps| Objective::Penalty { weight, critic_steps };
        for (objective, begin) in [
            (standard(0.5), "label smoothing 0.5: "),
            (standard(-0.1), "label smoothing -0.1: "),
            (standard(f64::NAN), "label smoothing NaN: "),
            (clipping(0.0, 5), "clip 0: "),
            (clipping(-1.0, 5), "clip -1: "),
            (clipping(f64::INFINITY, 5), "clip inf: "),
            (clipping(0.01, 0), "critic steps 0: "),
            (penalty(-1.0, 5), "penalty -1: "),
            (penalty(f64::NAN, 5), "penalty NaN: "),
            (penalty(10.0, 0), "critic steps 0: "),
        ] {
            let error = objective.validate().unwrap_err().to_string();
            assert!(error.starts_with(begin) && !error.contains(". "), "{error}");
        }
        for objective in
            [standard(0.0), standard(0.1), Objective::clipping(), penalty(0.0, 1), Objective::penalty()]
        {
            assert!(objective.validate().is_ok(), "{objective:?}");
        }
    }

    #[test]
    fn the_head_start_is_that_of_the_original_code() {
        let objective = Objective::Clipping { bound: 0.01, critic_steps: 5, head_start: true };
        let long: Vec<u64> = (0..1200).filter(|&step| objective.discriminator_steps(step) == 100).collect();
        assert_eq!(long, (0..25).chain([500, 1000]).collect::<Vec<u64>>());
        assert_eq!(objective.discriminator_steps(25), 5);
        assert_eq!(Objective::clipping().discriminator_steps(0), 5);
        assert_eq!(Objective::standard().discriminator_steps(0), 1);
    }

    #[test]
    fn the_total_of_discriminator_steps_is_the_sum_over_steps() {
        let head_start = Objective::Clipping { bound: 0.01, critic_steps: 7, head_start: true };
        for objective in [head_start, Objective::clipping(), Objective::penalty(), Objective::standard()] {
            let mut sum = 0;
            for steps in 0..2_002 {
                assert_eq!(objective.all_discriminator_steps(steps), sum, "{objective:?}, {steps}");
                sum += objective.discriminator_steps(steps) as u64;
            }
            assert!(objective.all_discriminator_steps(u64::MAX) >= u64::MAX / 2, "{objective:?}");
        }
    }
}
