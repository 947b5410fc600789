//! Lower bounds on the log-likelihood of training and test images under a deep machine.

use super::settings::Settings;
use crate::Result;
use crate::boltzmann::likelihood::deep::{self, Annealing};
use crate::boltzmann::{Convergence, Dbm, Stop};
use crate::data::{Dataset, Images};
use crate::rng::Stream;
use crate::run::images::{binary_images, check_images, mean_over};
use crate::run::rbm::{Anneal, disagreement};
use crate::run::{Progress, interrupt, trained_on};
use serde::Serialize;

/// The settings of an evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationSettings {
    /// The method that finds ln Z.
    pub method: Method,
    /// The end of mean-field inference.
    pub end: Stop,
    /// Seed of the stream `evaluate`.
    pub seed: u64,
}

/// The method that finds ln Z.
#[derive(Debug, Clone, PartialEq)]
pub enum Method {
    /// Enumeration of the states of the odd or the even layers.
    Exact,
    /// Annealed importance sampling, forward and reverse.
    Annealed {
        /// The amount of annealing; the reverse estimate has one chain per image.
        anneal: Anneal,
        /// Gibbs steps from the images to the start of the reverse chains.
        gibbs_steps: usize,
    },
}

/// The result of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// `dbm`.
    pub model: &'static str,
    /// Name of the data.
    pub data: String,
    /// Name of the training data, if they are others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained_on: Option<String>,
    /// Units of each layer, the visible one first.
    pub sizes: Vec<usize>,
    /// Number of training images; all are evaluated.
    pub train_images: usize,
    /// Number of test images; all are evaluated.
    pub test_images: usize,
    /// `exact` or `annealed`.
    pub method: &'static str,
    /// ln Z: exact, or the forward estimate, which is on average too small; nats.
    pub log_partition: f64,
    /// Standard error of `log_partition`, 0 if it is exact; nats.
    pub standard_error: f64,
    /// The mean variational lower bound on ln P(image) with `log_partition`; nats per image.
    pub lower_bound: Bounds,
    /// The reverse estimate, with annealing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reverse: Option<ReverseCheck>,
    /// Convergence of mean-field inference.
    pub mean_field: Inference,
    /// A reason to distrust the estimates, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// Means of a lower bound; nats per image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bounds {
    /// For the training images.
    pub train: f64,
    /// For the test images.
    pub test: f64,
}

/// Details of the forward estimate, and the reverse estimate; nats.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReverseCheck {
    /// ln(Z - 3 standard errors of Z) and ln(Z + 3 standard errors) of the forward estimate.
    pub forward_interval: [f64; 2],
    /// Number of forward chains.
    pub chains: usize,
    /// Effective sample size of the forward chains.
    pub effective_samples: f64,
    /// The reverse estimate of ln Z, on average too large.
    pub log_partition: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// The lower bounds with it: on average too small.
    pub lower_bound: Bounds,
    /// Number of test images that the reverse chains start from.
    pub images: usize,
    /// Gibbs steps from the images to the start of the reverse chains.
    pub gibbs_steps: usize,
}

/// Convergence of the mean-field inference of all images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Inference {
    /// Iterations of the slowest block of images.
    pub iterations: usize,
    /// The largest change of a mean in the last iteration.
    pub change: f64,
    /// The tolerance for this change.
    pub tolerance: f64,
    /// The change is below the tolerance.
    pub converged: bool,
}

/// An estimate of ln Z.
struct LogPartition {
    value: f64,
    standard_error: f64,
    /// Without its lower bounds.
    reverse: Option<ReverseCheck>,
}

/// Evaluates `model`, trained with `settings`, on `digits`.
///
/// **Randomness** Chains from the substreams 0 (forward) and 1 (reverse) of the stream `evaluate`; images are binarised as
/// for the monitors of training.
///
/// **Errors** [`Error::ShapeMismatch`] for images of another size; [`Error::InvalidArgument`] without
/// training or test images, and as [`deep::log_partition`] and [`Annealing`]; [`Error::Interrupted`] soon after `stop`
/// returns true.
///
/// [`Error::ShapeMismatch`]: crate::Error::ShapeMismatch
/// [`Error::InvalidArgument`]: crate::Error::InvalidArgument
/// [`Error::Interrupted`]: crate::Error::Interrupted
pub fn evaluate(
    model: &Dbm<f32>,
    settings: &Settings,
    digits: &Dataset,
    evaluation: &EvaluationSettings,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Evaluation> {
    check_images(digits, model.visible())?;
    let end = evaluation.end;
    let log_partition = match &evaluation.method {
        Method::Exact => exact(model, progress, stop),
        Method::Annealed { anneal, gibbs_steps } => {
            let data = Annealed { model, settings, digits, anneal, gibbs_steps: *gibbs_steps };
            data.log_partition(end, evaluation.seed, progress, stop)
        }
    };
    progress.finish("");
    let LogPartition { value, standard_error, reverse } = log_partition?;
    progress.start((digits.train.len() + digits.test.len()) as u64, "images");
    let mut slowest = Convergence { iterations: 0, change: 0.0 };
    let mut mean = |images: &Images, seed| {
        mean_over(images, settings.binarise, seed, stop, |images| {
            let (bounds, convergence) = deep::lower_bounds(model, images, end)?;
            slowest.iterations = slowest.iterations.max(convergence.iterations);
            slowest.change = slowest.change.max(convergence.change);
            progress.advance(bounds.len() as u64);
            Ok(bounds)
        })
    };
    // The seeds of binarisation in training and in its monitors.
    let train = mean(digits.train.images(), settings.seed);
    let test = mean(digits.test.images(), settings.seed + 1);
    progress.finish("");
    let (train, test) = (train?, test?);
    let bounds = |log_partition: f64| Bounds { train: train - log_partition, test: test - log_partition };
    let reverse =
        reverse.map(|reverse| ReverseCheck { lower_bound: bounds(reverse.log_partition), ..reverse });
    Ok(Evaluation {
        model: "dbm",
        data: digits.name.clone(),
        trained_on: trained_on(&settings.data, digits),
        sizes: model.sizes().collect(),
        train_images: digits.train.len(),
        test_images: digits.test.len(),
        method: if reverse.is_some() { "annealed" } else { "exact" },
        log_partition: value,
        standard_error,
        lower_bound: bounds(value),
        warning: reverse.and_then(|reverse| disagreement(value, reverse.log_partition)),
        reverse,
        mean_field: Inference {
            iterations: slowest.iterations,
            change: slowest.change,
            tolerance: end.tolerance,
            converged: slowest.change < end.tolerance,
        },
    })
}

fn exact(
    model: &Dbm<f32>,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<LogPartition> {
    progress.start(1 << smaller_side(model).min(63), "states");
    let value = deep::log_partition_with(model, |states| {
        progress.advance(states);
        interrupt::check(stop)
    })?;
    Ok(LogPartition { value, standard_error: 0.0, reverse: None })
}

/// The number of units of the odd layers or of the even layers, whichever is smaller.
pub(crate) fn smaller_side(model: &Dbm<f32>) -> usize {
    let units = |parity| model.sizes().skip(parity).step_by(2).sum::<usize>();
    units(0).min(units(1))
}

/// Number of training images whose means are the start of annealing.
const BASE_IMAGES: usize = 1_000;

/// The arguments of an annealed estimate.
struct Annealed<'a> {
    model: &'a Dbm<f32>,
    settings: &'a Settings,
    digits: &'a Dataset,
    anneal: &'a Anneal,
    gibbs_steps: usize,
}

impl Annealed<'_> {
    fn log_partition(
        &self,
        end: Stop,
        seed: u64,
        progress: &mut Progress,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<LogPartition> {
        let &Self { model, settings, digits, anneal, gibbs_steps } = self;
        let base = binary_images(digits.train.images(), BASE_IMAGES, settings.binarise, settings.seed)?;
        let annealing = Annealing::new(model, &base, end, &anneal.schedule)?;
        let images =
            binary_images(digits.test.images(), anneal.images, settings.binarise, settings.seed + 1)?;
        let count = images.len() / model.visible();
        let chains = anneal.chains.saturating_add(count);
        progress.start((chains as u64).saturating_mul(anneal.schedule.steps() as u64), "steps");
        let mut advance = |steps| {
            progress.advance(steps);
            interrupt::check(stop)
        };
        let stream = Stream::named(seed, "evaluate");
        let forward = annealing.forward(anneal.chains, stream.substream(0), &mut advance)?;
        let (log_partition, standard_error) =
            annealing.reverse_log_partition(&images, gibbs_steps, stream.substream(1), &mut advance)?;
        Ok(LogPartition {
            value: forward.log_partition,
            standard_error: forward.standard_error,
            reverse: Some(ReverseCheck {
                forward_interval: forward.interval,
                chains: anneal.chains,
                effective_samples: forward.effective_samples,
                log_partition,
                standard_error,
                lower_bound: Bounds { train: f64::NAN, test: f64::NAN },
                images: count,
                gibbs_steps,
            }),
        })
    }
}
