//! What can be seen of a step.

use crate::tensor::Element;

/// What a step leaves to be said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Whether every parameter of both is still finite.
    pub is_finite: bool,
    /// Of a step that was to be measured.
    pub report: Option<Report>,
}

/// What was seen of a game at a step of its generator. What an objective does not have is `None`.
///
/// Of the discriminator it is its last step before the generator's that is seen, as it was before it moved.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Report {
    /// Steps of the generator so far, this one included.
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
    /// Share of the critic's parameters that lie at the bound which clips them.
    pub clipped: Option<f64>,
}

impl Report {
    /// Sets what can be told from the discriminator's outputs.
    pub(super) fn see_outputs<T: Element>(&mut self, real: &[T], fake: &[T], has_critic: bool) {
        let mean = |outputs: &[T], of: fn(f64) -> f64| {
            outputs.iter().map(|output| of(output.to_f64())).sum::<f64>() / outputs.len() as f64
        };
        let score = if has_critic { |d| d } else { |logit: f64| 1.0 / (1.0 + libm::exp(-logit)) };
        (self.real_score, self.fake_score) = (mean(real, score), mean(fake, score));
        if has_critic {
            self.wasserstein = Some(self.real_score - self.fake_score);
        } else {
            self.real_accuracy = Some(mean(real, |d| f64::from(u8::from(d > 0.0))));
            self.fake_accuracy = Some(mean(fake, |d| f64::from(u8::from(d < 0.0))));
        }
    }
}
