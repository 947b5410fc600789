//! The log-likelihood of training and test images under a trained machine.

use super::Settings;
use crate::Result;
use crate::boltzmann::Rbm;
use crate::boltzmann::likelihood::annealed::{Annealing, LARGEST_GAP, Schedule};
use crate::boltzmann::likelihood::{exact, minus_free_energies, pseudo_log_likelihood};
use crate::data::Dataset;
use crate::rng::Stream;
use crate::run::images::{MONITORED, binary_images, check_images, mean_over};
use crate::run::{Progress, interrupt, trained_on};
use serde::Serialize;

/// The method that finds ln Z.
#[derive(Debug, Clone, PartialEq)]
pub enum Method {
    /// Enumeration of the states of the smaller layer.
    Exact,
    /// Annealed importance sampling, forward and reverse.
    Annealed(Anneal),
}

/// The amount of annealing.
#[derive(Debug, Clone, PartialEq)]
pub struct Anneal {
    /// Inverse temperatures of both estimates.
    pub schedule: Schedule,
    /// Chains of the forward estimate, at least 2.
    pub chains: usize,
    /// Number of test images of the reverse estimate, from the first.
    pub images: usize,
    /// Chains per test image.
    pub chains_per_image: usize,
}

impl Default for Anneal {
    /// 100 forward chains (Salakhutdinov & Murray 2008) and 100 reverse chains.
    fn default() -> Self {
        Self { schedule: Schedule::default(), chains: 100, images: 100, chains_per_image: 1 }
    }
}

/// The result of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// `rbm`.
    pub model: &'static str,
    /// Name of the data.
    pub data: String,
    /// Name of the training data, if they are others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained_on: Option<String>,
    /// Number of visible units.
    pub visible: usize,
    /// Number of hidden units.
    pub hidden: usize,
    /// Number of training images; all are evaluated.
    pub train_images: usize,
    /// Number of test images; all are evaluated.
    pub test_images: usize,
    /// ln Z.
    pub log_partition: LogPartition,
    /// The mean of ln P(image).
    pub log_likelihood: LogLikelihood,
    /// The mean exact pseudo-log-likelihood of the first [`MONITORED`] test images; nats per image.
    pub pseudo_log_likelihood: f64,
    /// A reason to distrust the estimates, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// ln Z; nats.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum LogPartition {
    /// By enumeration.
    Exact {
        /// ln Z.
        exact: f64,
    },
    /// By annealing.
    Annealed {
        /// From annealed importance sampling: on average too small.
        forward: f64,
        /// Implied by the reverse estimate of the test images' likelihood: on average too large, if the machine generates
        /// such images.
        reverse: f64,
        /// Standard error of `forward`.
        standard_error: f64,
        /// ln(Z - 3 standard errors of Z) and ln(Z + 3 standard errors) of the forward estimate.
        interval: [f64; 2],
        /// Effective sample size of the forward chains.
        effective_samples: f64,
        /// Number of forward chains.
        chains: usize,
        /// Standard error of `reverse`, from the spread over images.
        reverse_standard_error: f64,
        /// Mean reverse estimate of ln P(image) over the images of the reverse chains.
        reverse_log_likelihood: f64,
        /// Its standard error over images.
        reverse_log_likelihood_standard_error: f64,
        /// Number of images of the reverse chains.
        reverse_images: usize,
    },
}

/// The mean log-likelihood of two sets; nats per image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LogLikelihood {
    /// For the training images.
    pub train: Estimates,
    /// For the test images.
    pub test: Estimates,
}

/// The mean of -F(v), which is exact, minus each available ln Z; nats per image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimates {
    /// With the exact ln Z.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact: Option<f64>,
    /// With the forward estimate: on average too large.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward: Option<f64>,
    /// With the reverse estimate: on average too small, if the machine generates such images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reverse: Option<f64>,
}

/// Evaluates `model`, trained with `settings`, on `digits`.
///
/// **Randomness** Chains from the substreams 0 (forward) and 1 (reverse) of the stream `evaluate` of `seed`; images are
/// binarised as for the monitors of training.
///
/// **Errors** [`Error::ShapeMismatch`] for images of another size; [`Error::InvalidArgument`] without
/// training or test images, and as [`exact::log_partition`], [`Annealing::forward`] and [`Annealing::reverse`];
/// [`Error::Interrupted`] soon after `stop` returns true.
///
/// [`Error::ShapeMismatch`]: crate::Error::ShapeMismatch
/// [`Error::InvalidArgument`]: crate::Error::InvalidArgument
/// [`Error::Interrupted`]: crate::Error::Interrupted
pub fn evaluate(
    model: &Rbm<f32>,
    settings: &Settings,
    digits: &Dataset,
    method: &Method,
    seed: u64,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Evaluation> {
    check_images(digits, model.visible())?;
    let log_partition = match method {
        Method::Exact => {
            progress.start(1 << model.visible().min(model.hidden()).min(63), "states");
            exact::log_partition_with(model, |states| {
                progress.advance(states);
                interrupt::check(stop)
            })
            .map(|exact| LogPartition::Exact { exact })
        }
        Method::Annealed(anneal) => annealed(model, settings, digits, anneal, seed, progress, stop),
    };
    progress.finish("");
    let log_partition = log_partition?;
    // The seeds of binarisation in training and in its monitors.
    let (binarise, seeds) = (settings.binarise, [settings.seed, settings.seed + 1]);
    let test = digits.test.images();
    let energy = |images, seed| {
        mean_over(images, binarise, seed, stop, |images| Ok(minus_free_energies(model, images)))
    };
    let log_likelihood = LogLikelihood {
        train: log_partition.estimates(energy(digits.train.images(), seeds[0])?),
        test: log_partition.estimates(energy(test, seeds[1])?),
    };
    Ok(Evaluation {
        model: "rbm",
        data: digits.name.clone(),
        trained_on: trained_on(&settings.data, digits),
        visible: model.visible(),
        hidden: model.hidden(),
        train_images: digits.train.len(),
        test_images: digits.test.len(),
        warning: log_partition.warning(),
        log_partition,
        log_likelihood,
        pseudo_log_likelihood: pseudo_log_likelihood(
            model,
            &binary_images(test, MONITORED, binarise, seeds[1])?,
        ),
    })
}

fn annealed(
    model: &Rbm<f32>,
    settings: &Settings,
    digits: &Dataset,
    anneal: &Anneal,
    seed: u64,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<LogPartition> {
    let mean = settings.binarise.mean(digits.train.images());
    let annealing = Annealing::new(model, &mean, &anneal.schedule)?;
    let images = binary_images(digits.test.images(), anneal.images, settings.binarise, settings.seed + 1)?;
    let reverse_images = images.len() / model.visible();
    let chains = anneal.chains.saturating_add(reverse_images.saturating_mul(anneal.chains_per_image));
    progress.start((chains as u64).saturating_mul(anneal.schedule.steps() as u64), "steps");
    let mut advance = |steps| {
        progress.advance(steps);
        interrupt::check(stop)
    };
    let stream = Stream::named(seed, "evaluate");
    let forward = annealing.forward(anneal.chains, stream.substream(0), &mut advance)?;
    let reverse = annealing.reverse(&images, anneal.chains_per_image, stream.substream(1), &mut advance)?;
    let (log_partition, reverse_standard_error) = reverse.log_partition();
    let (reverse_log_likelihood, reverse_log_likelihood_standard_error) = reverse.mean();
    Ok(LogPartition::Annealed {
        forward: forward.log_partition,
        reverse: log_partition,
        standard_error: forward.standard_error,
        interval: forward.interval,
        effective_samples: forward.effective_samples,
        chains: anneal.chains,
        reverse_standard_error,
        reverse_log_likelihood,
        reverse_log_likelihood_standard_error,
        reverse_images,
    })
}

impl LogPartition {
    /// The exact value, or the forward and the reverse estimate.
    pub fn value(&self) -> (f64, Option<f64>) {
        match *self {
            Self::Exact { exact } => (exact, None),
            Self::Annealed { forward, reverse, .. } => (forward, Some(reverse)),
        }
    }

    fn estimates(&self, minus_free_energy: f64) -> Estimates {
        let less = |log_partition| Some(minus_free_energy - log_partition);
        match *self {
            Self::Exact { exact } => Estimates { exact: less(exact), forward: None, reverse: None },
            Self::Annealed { forward, reverse, .. } => {
                Estimates { exact: None, forward: less(forward), reverse: less(reverse) }
            }
        }
    }

    fn warning(&self) -> Option<String> {
        let Self::Annealed { forward, reverse, .. } = self else { return None };
        disagreement(*forward, *reverse)
    }
}

/// A warning if a forward and a reverse estimate of the same ln Z differ too much.
pub(in crate::run) fn disagreement(forward: f64, reverse: f64) -> Option<String> {
    let gap = (reverse - forward).abs();
    if gap.is_nan() {
        return Some("the estimates are no numbers: weights or free energies are too large to add up".into());
    }
    (gap > LARGEST_GAP).then(|| {
        format!(
            "the forward and the reverse estimate differ by {gap:.1} nats an image, more than {LARGEST_GAP}: \
             trust neither; more steps may bring them together, unless the machine does not mix"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annealed(forward: f64, reverse: f64) -> LogPartition {
        LogPartition::Annealed {
            forward,
            reverse,
            standard_error: 0.0,
            interval: [forward; 2],
            effective_samples: 1.0,
            chains: 2,
            reverse_standard_error: 0.0,
            reverse_log_likelihood: 0.0,
            reverse_log_likelihood_standard_error: 0.0,
            reverse_images: 1,
        }
    }

    #[test]
    fn a_gap_of_more_than_2_nats_is_a_warning() {
        for (forward, reverse, warned) in [(10.0, 11.9, false), (10.0, 12.1, true), (12.1, 10.0, true)] {
            let warning = annealed(forward, reverse).warning();
            assert_eq!(warning.is_some(), warned, "{forward}, {reverse}: {warning:?}");
        }
        assert!(annealed(f64::NAN, 1.0).warning().is_some_and(|text| text.contains("no numbers")));
        assert!(annealed(0.0, 12.0).warning().is_some_and(|text| text.contains("12.0 nats")));
        assert_eq!(LogPartition::Exact { exact: 3.0 }.warning(), None);
    }
}
