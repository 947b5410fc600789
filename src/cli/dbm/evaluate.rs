//! `equilibria dbm evaluate`.

use crate::boltzmann::{Dbm, Stop};
use crate::cli::evaluate::{Likelihood, heading, row};
use crate::cli::output::thousands;
use crate::run::dbm::{Evaluation, EvaluationSettings, Method, evaluate, smaller_side};
use crate::run::interrupt::{self, Work};
use crate::{Error, Result};
use clap::Args;

/// Compute or estimate a lower bound of the log-likelihood of training and test images.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria dbm evaluate runs/small --exact\n  \
    equilibria dbm evaluate --data mnist --chains 500 --json\n\n\
    The bound is that of mean-field inference, minus ln Z. Without --exact or an option of --annealed, ln Z is exact if \
    the odd layers (the first hidden one, the third, ...) or the even ones have at most 25 units. On average, the forward \
    estimate (annealed importance sampling) of the bound is too high. The reverse estimate, from states that the machine's \
    own Gibbs chains reach, is too low. Estimates that agree are reliable.")]
pub(in crate::cli) struct Evaluate {
    #[command(flatten)]
    likelihood: Likelihood,
    /// Gibbs steps of the reverse estimate from the test images, before annealing [default: 1000].
    #[arg(long, conflicts_with = "exact")]
    gibbs_steps: Option<usize>,
    /// Mean-field iterations end if no mean changes by more than this.
    #[arg(long, default_value = "0.0001")]
    tolerance: f64,
    /// The largest number of mean-field iterations.
    #[arg(long, default_value = "100")]
    iterations: usize,
}

impl Evaluate {
    pub(in crate::cli) fn run(self) -> Result<()> {
        self.check()?;
        let likelihood = &self.likelihood;
        let loaded = likelihood.model.load::<Dbm<f32>>()?;
        let digits = loaded.digits(&likelihood.source)?;
        interrupt::install(Work::Unsaved)?;
        let smaller = smaller_side(&loaded.model);
        let problem = format!("the odd layers or the even ones have {smaller} units or more");
        let method = match likelihood.annealing((smaller, &problem), self.gibbs_steps.is_some(), &digits)? {
            Some(anneal) => Method::Annealed { anneal, gibbs_steps: self.gibbs_steps.unwrap_or(1000) },
            None => Method::Exact,
        };
        let path = likelihood.summary_path(&loaded.folder)?;
        let mut progress = likelihood.model.output.progress();
        let end = Stop { tolerance: self.tolerance, iterations: self.iterations };
        let how = EvaluationSettings { method, end, seed: likelihood.source.seed };
        let evaluation =
            evaluate(&loaded.model, &loaded.settings, &digits, &how, &mut progress, &interrupt::requested)?;
        likelihood.report(&path, &evaluation, evaluation.warning.as_deref(), describe)
    }

    fn check(&self) -> Result<()> {
        self.likelihood.check()?;
        if let Some(value) = self.gibbs_steps.filter(|&value| value > 1 << 30) {
            let expected = format!("at most {} Gibbs steps can be counted", thousands(1 << 30));
            return Err(Error::invalid(format!("--gibbs-steps {value}"), expected));
        }
        if !(self.tolerance >= 0.0 && self.tolerance.is_finite()) {
            let argument = format!("--tolerance {}", self.tolerance);
            return Err(Error::invalid(argument, "a tolerance is a number of at least 0"));
        }
        if self.iterations == 0 {
            return Err(Error::invalid("--iterations 0", "inference needs at least 1 mean-field iteration"));
        }
        Ok(())
    }
}

fn describe(evaluation: &Evaluation) -> String {
    let sizes: Vec<String> = evaluation.sizes.iter().map(ToString::to_string).collect();
    let mut text = heading(
        &format!("{} units", sizes.join("-")),
        &evaluation.data,
        [evaluation.train_images, evaluation.test_images],
        evaluation.trained_on.as_deref(),
    );
    let reverse = evaluation.reverse.as_ref();
    text += &match reverse {
        Some(_) => format!("{:32}{:>10}{:>10}\n", "", "forward", "reverse"),
        None => format!("{:32}{:>10}\n", "", "exact"),
    };
    text += &row("ln Z", &[Some(evaluation.log_partition), reverse.map(|check| check.log_partition)]);
    let mut note = String::new();
    if let Some(check) = reverse {
        let ([low, high], sigmas) = (check.forward_interval, 3.0 * check.standard_error);
        text += &row("  - 3 sigma", &[Some(low), Some(check.log_partition - sigmas)]);
        text += &row("  + 3 sigma", &[Some(high), Some(check.log_partition + sigmas)]);
        note = format!(
            "forward: {} chains, effective sample size {:.1}; overestimates the bound on average\n\
             reverse: {} states, {} Gibbs steps from test images; underestimates it on average if \
             the chains have converged\n",
            thousands(check.chains),
            check.effective_samples,
            thousands(check.images),
            thousands(check.gibbs_steps),
        );
    }
    let (bound, below) = (evaluation.lower_bound, reverse.map(|check| check.lower_bound));
    text += &row("lower bound, training images", &[Some(bound.train), below.map(|bound| bound.train)]);
    text += &row("lower bound, test images", &[Some(bound.test), below.map(|bound| bound.test)]);
    let mean_field = &evaluation.mean_field;
    let verdict = if mean_field.converged { "below" } else { "not yet below" };
    text + &format!(
        "\nlower bound: of the mean of ln P(image); higher is better\n\
         mean field: at most {} iterations, last changes of {:.0e}, {verdict} {:.0e}\n{note}",
        mean_field.iterations, mean_field.change, mean_field.tolerance
    )
}
