//! `equilibria rbm evaluate`.

use crate::Result;
use crate::boltzmann::Rbm;
use crate::cli::evaluate::{ANNEALED, Likelihood, heading, row, worse_than_chance};
use crate::cli::output::{check_range, thousands};
use crate::run::interrupt::{self, Work};
use crate::run::rbm::{Anneal, Evaluation, LogPartition, MONITORED, Method, evaluate};
use clap::Args;

/// Compute or estimate the log-likelihood of training and test images.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria rbm evaluate runs/small --exact\n  \
    equilibria rbm evaluate --data mnist --annealed --chains 100\n  \
    equilibria rbm evaluate runs/rbm --schedule 0.9/0.01,1/0.001 --json\n\n\
    Without --exact or an option of --annealed, ln Z is exact if the smaller layer has at most 25 units. On average, the \
    forward estimate (annealed importance sampling) of the log-likelihood is too high. The reverse estimate (RAISE, from \
    test images) is too low if the machine draws such images. Estimates that agree are reliable.")]
pub(in crate::cli) struct Evaluate {
    #[command(flatten)]
    likelihood: Likelihood,
    /// Chains of the reverse estimate for each image [default: 1].
    #[arg(long, conflicts_with = "exact")]
    image_chains: Option<usize>,
}

impl Evaluate {
    pub(in crate::cli) fn run(self) -> Result<()> {
        let Self { likelihood, image_chains } = self;
        likelihood.check()?;
        if let Some(chains) = image_chains {
            check_range("--image-chains", chains, 1..=10_000, ANNEALED)?;
        }
        let loaded = likelihood.model.load::<Rbm<f32>>()?;
        let digits = loaded.digits(&likelihood.source)?;
        interrupt::install(Work::Unsaved)?;
        let smaller = loaded.model.visible().min(loaded.model.hidden());
        let problem = format!("the smaller layer has {smaller} units");
        let method = match likelihood.annealing((smaller, &problem), image_chains.is_some(), &digits)? {
            Some(anneal) => Method::Annealed(Anneal {
                chains_per_image: image_chains.unwrap_or(anneal.chains_per_image),
                ..anneal
            }),
            None => Method::Exact,
        };
        let path = likelihood.summary_path(&loaded.folder)?;
        let mut progress = likelihood.model.output.progress();
        let evaluation = evaluate(
            &loaded.model,
            &loaded.settings,
            &digits,
            &method,
            likelihood.source.seed,
            &mut progress,
            &interrupt::requested,
        )?;
        likelihood.report(&path, &evaluation, evaluation.warning.as_deref(), describe)
    }
}

fn describe(evaluation: &Evaluation) -> String {
    let mut text = heading(
        &format!("{} visible and {} hidden units", evaluation.visible, evaluation.hidden),
        &evaluation.data,
        [evaluation.train_images, evaluation.test_images],
        evaluation.trained_on.as_deref(),
    );
    let note = match evaluation.log_partition {
        LogPartition::Exact { exact } => {
            text += &row("ln Z, exact", &[Some(exact)]);
            String::new()
        }
        LogPartition::Annealed {
            forward,
            reverse,
            interval: [low, high],
            effective_samples,
            chains,
            reverse_standard_error: error,
            reverse_images,
            ..
        } => {
            text += &format!("{:32}{:>10}{:>10}\n", "", "forward", "reverse");
            text += &row("ln Z", &[Some(forward), Some(reverse)]);
            text += &row("  - 3 sigma", &[Some(low), Some(reverse - 3.0 * error)]);
            text += &row("  + 3 sigma", &[Some(high), Some(reverse + 3.0 * error)]);
            format!(
                "forward: {} chains, effective sample size {effective_samples:.1}; overestimates the log-likelihood on average\n\
                 reverse: {} test images; underestimates it on average if the machine draws such images\n",
                thousands(chains),
                thousands(reverse_images),
            )
        }
    };
    let (train, test) = (evaluation.log_likelihood.train, evaluation.log_likelihood.test);
    text += &row("log-likelihood, training images", &[train.exact, train.forward, train.reverse]);
    text += &row("log-likelihood, test images", &[test.exact, test.forward, test.reverse]);
    text += &row("pseudo-log-likelihood", &[Some(evaluation.pseudo_log_likelihood)]);
    let likelihoods = [test.exact, test.forward].into_iter().flatten();
    text += &likelihoods.map(|value| worse_than_chance(value, evaluation.visible)).collect::<String>();
    text + &format!(
        "\nlog-likelihood: the mean of ln P(image) = - F(image) - ln Z; higher is better\n{note}\
         pseudo-log-likelihood: each pixel given all others, not comparable; the first {} test images\n",
        thousands(evaluation.test_images.min(MONITORED)),
    )
}
