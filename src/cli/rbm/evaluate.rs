//! `equilibria rbm evaluate`.

use super::{ImageArguments, ModelArguments, create_folder_of, learned_elsewhere, parse, write_output};
use crate::boltzmann::Rbm;
use crate::boltzmann::likelihood::annealed::Schedule;
use crate::boltzmann::likelihood::exact::LARGEST_LAYER;
use crate::cli::{print, print_json, thousands};
use crate::data::Digits;
use crate::run::Progress;
use crate::run::interrupt::{self, Work};
use crate::run::rbm::{Anneal, Evaluation, LogPartition, MONITORED, Method, evaluate};
use crate::{Error, Result};
use clap::Args;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Tell how probable a machine finds training and test images: the log-likelihood, exact or estimated.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria rbm evaluate runs/small --exact\n  \
    equilibria rbm evaluate --data mnist --annealed --chains 100\n  \
    equilibria rbm evaluate runs/rbm --schedule 0.9/0.01,1/0.001 --json\n\n\
    Without --exact or an option of --annealed, ln Z is exact if the smaller layer has at most 25 units. The \
    forward estimate (annealed importance sampling) flatters the machine, the reverse one (RAISE, from test images) \
    is conservative if the machine draws such images: trust them where they agree.")]
pub(in crate::cli) struct Evaluate {
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    source: ImageArguments,
    /// Enumerate the smaller layer, of at most 25 units.
    #[arg(long, conflicts_with_all = ["annealed", "schedule", "chains", "images", "image_chains"])]
    exact: bool,
    /// Estimate by annealing, forward and in reverse; the next four options imply it.
    #[arg(long)]
    annealed: bool,
    /// Inverse temperatures as END/STEP[,END/STEP...], rising from 0 to 1 [default:
    /// 0.5/0.001,0.9/0.0001,1/0.00001].
    #[arg(long, value_parser = parse::<Schedule>)]
    schedule: Option<Schedule>,
    /// Chains of the forward estimate [default: 100].
    #[arg(long)]
    chains: Option<usize>,
    /// Test images of the reverse estimate, from the first [default: 100, or all if there are fewer].
    #[arg(long)]
    images: Option<usize>,
    /// Chains for each of these images [default: 1].
    #[arg(long)]
    image_chains: Option<usize>,
    /// The folder for summary.json, or a file that ends with .json [default: `evaluation` beside the model].
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Evaluate {
    pub(in crate::cli) fn run(self) -> Result<()> {
        for (name, value, least, most) in
            [("--chains", self.chains, 2, 100_000), ("--image-chains", self.image_chains, 1, 10_000)]
        {
            if let Some(value) = value.filter(|value| !(least..=most).contains(value)) {
                let expected = format!("{least} to {} chains can be annealed", thousands(most));
                return Err(Error::invalid(format!("{name} {value}"), expected));
            }
        }
        let loaded = super::load(self.model.start()?)?;
        let (model, settings) = (&loaded.model, &loaded.settings);
        let digits =
            self.source.load(model.visible(), loaded.image_size, loaded.source(settings.source()))?;
        interrupt::install(Work::Unsaved)?;
        let method = self.method(model, &digits)?;
        // A folder that cannot be made shows before the work, not after.
        let path = self.summary_path(&loaded.folder);
        create_folder_of(&path)?;
        let mut progress = Progress::choose(self.source.quiet);
        let seed = self.source.seed;
        let evaluation =
            evaluate(model, settings, &digits, &method, seed, &mut progress, &interrupt::requested)?;
        write_output(&path, &to_json(&evaluation)?)?;
        if let Some(warning) = &evaluation.warning {
            // A closed standard error is no reason to fail.
            let _ = writeln!(std::io::stderr(), "warning: {warning}");
        }
        if self.model.json {
            return print_json(&evaluation);
        }
        print(&describe(&evaluation, &path))
    }

    /// As asked for; else exact where that is possible.
    fn method(&self, model: &Rbm<f32>, digits: &Digits) -> Result<Method> {
        let smaller = model.visible().min(model.hidden());
        if self.exact && smaller > LARGEST_LAYER {
            let expected =
                format!("the smaller layer has {smaller} units, of at most {LARGEST_LAYER}; use --annealed");
            return Err(Error::invalid("--exact", expected));
        }
        let asked = self.annealed || self.schedule.is_some() || self.chains.is_some();
        if !asked && self.images.is_none() && self.image_chains.is_none() && smaller <= LARGEST_LAYER {
            return Ok(Method::Exact);
        }
        let (all, default) = (digits.test.len(), Anneal::default());
        let images = self.images.unwrap_or(default.images.min(all));
        if images == 0 || images > all {
            let expected = format!("1 to {all} test images can be used");
            return Err(Error::invalid(format!("--images {images}"), expected));
        }
        Ok(Method::Annealed(Anneal {
            schedule: self.schedule.clone().unwrap_or(default.schedule),
            chains: self.chains.unwrap_or(default.chains),
            images,
            chains_per_image: self.image_chains.unwrap_or(default.chains_per_image),
        }))
    }

    fn summary_path(&self, folder: &Path) -> PathBuf {
        match &self.out {
            Some(file) if file.extension().is_some_and(|extension| extension == "json") => file.clone(),
            Some(folder) => folder.join("summary.json"),
            None => folder.join("evaluation").join("summary.json"),
        }
    }
}

fn to_json(evaluation: &Evaluation) -> Result<Vec<u8>> {
    let text = serde_json::to_string_pretty(evaluation).map_err(|error| Error::invalid("summary", error))?;
    Ok((text + "\n").into_bytes())
}

fn describe(evaluation: &Evaluation, path: &Path) -> String {
    let mut text = format!(
        "{} visible and {} hidden units; {}, {} training and {} test images; all in nats\n{}\n",
        evaluation.visible,
        evaluation.hidden,
        evaluation.data,
        thousands(evaluation.train_images),
        thousands(evaluation.test_images),
        learned_elsewhere(evaluation.trained_on.as_deref()),
    );
    if matches!(evaluation.log_partition, LogPartition::Annealed { .. }) {
        let _ = writeln!(text, "{:32}{:>10}{:>10}", "", "forward", "reverse");
    }
    let mut row = |name: &str, values: &[Option<f64>]| {
        text += &format!("{name:<32}");
        for value in values.iter().flatten() {
            let _ = write!(text, "{value:>10.2}");
        }
        text.push('\n');
    };
    let (train, test) = (evaluation.log_likelihood.train, evaluation.log_likelihood.test);
    let note = match evaluation.log_partition {
        LogPartition::Exact { exact } => {
            row("ln Z, exact", &[Some(exact)]);
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
            row("ln Z", &[Some(forward), Some(reverse)]);
            row("  - 3 sigma", &[Some(low), Some(reverse - 3.0 * error)]);
            row("  + 3 sigma", &[Some(high), Some(reverse + 3.0 * error)]);
            format!(
                "forward: from {} chains worth {effective_samples:.1} (effective sample size); flatters the machine\n\
                 reverse: from {} test images; conservative if the machine draws such images\n\
                 trust the two where they agree\n",
                thousands(chains),
                thousands(reverse_images),
            )
        }
    };
    row("log-likelihood, training images", &[train.exact, train.forward, train.reverse]);
    row("log-likelihood, test images", &[test.exact, test.forward, test.reverse]);
    row("pseudo-log-likelihood", &[Some(evaluation.pseudo_log_likelihood)]);
    text + &format!(
        "\nlog-likelihood: the mean of ln P(image) = - F(image) - ln Z; the nearer to 0, the better\n{note}\
         pseudo-log-likelihood: of each pixel given all others, another quantity; the first {} test images\n\
         wrote {}\n",
        thousands(evaluation.test_images.min(MONITORED)),
        path.display()
    )
}
