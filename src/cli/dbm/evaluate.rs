//! `equilibria dbm evaluate`.

use super::load;
use crate::boltzmann::likelihood::annealed::Schedule;
use crate::boltzmann::likelihood::exact::LARGEST_LAYER;
use crate::boltzmann::{Dbm, Stop};
use crate::cli::machine::{
    ImageArguments, ModelArguments, create_folder_of, learned_elsewhere, parse, write_output,
};
use crate::cli::{print, print_json, thousands};
use crate::data::Digits;
use crate::run::Progress;
use crate::run::dbm::{Evaluation, EvaluationSettings, Method, evaluate, smaller_side};
use crate::run::interrupt::{self, Work};
use crate::run::rbm::Anneal;
use crate::{Error, Result};
use clap::Args;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Tell how probable a deep machine finds training and test images, at least: the variational lower bound.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria dbm evaluate runs/small --exact\n  \
    equilibria dbm evaluate --data mnist --chains 500 --json\n\n\
    The bound is by mean-field inference, less ln Z. Without --exact or an option of --annealed, ln Z is exact if the \
    odd layers (the first hidden one, the third, ...) or the even ones have at most 25 units. The forward estimate \
    (annealed importance sampling) flatters the machine; the reverse one, from states that the machine itself has \
    walked to, is conservative: trust them where they agree.")]
pub(in crate::cli) struct Evaluate {
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    source: ImageArguments,
    /// Enumerate the odd or the even layers, of at most 25 units.
    #[arg(long, conflicts_with_all = ["annealed", "schedule", "chains", "images", "gibbs_steps"])]
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
    /// Test images that the reverse estimate walks from, from the first [default: 100, or all if there are fewer].
    #[arg(long)]
    images: Option<usize>,
    /// Gibbs steps that it walks before annealing [default: 1000].
    #[arg(long)]
    gibbs_steps: Option<usize>,
    /// Mean-field iterations end where no mean changes by more.
    #[arg(long, default_value_t = 1e-4)]
    tolerance: f64,
    /// Mean-field iterations at most.
    #[arg(long, default_value_t = 100)]
    iterations: usize,
    /// The folder for summary.json, or a file that ends with .json [default: `evaluation` beside the model].
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Evaluate {
    pub(in crate::cli) fn run(self) -> Result<()> {
        self.check()?;
        let loaded = load(self.model.start()?)?;
        let (model, settings) = (&loaded.model, &loaded.settings);
        let digits =
            self.source.load(model.visible(), loaded.image_size, loaded.source(settings.source()))?;
        interrupt::install(Work::Unsaved)?;
        let method = self.method(model, &digits)?;
        // A folder that cannot be made shows before the work, not after.
        let path = self.summary_path(&loaded.folder);
        create_folder_of(&path)?;
        let mut progress = Progress::choose(self.source.quiet);
        let end = Stop { tolerance: self.tolerance, iterations: self.iterations };
        let how = EvaluationSettings { method, end, seed: self.source.seed };
        let evaluation = evaluate(model, settings, &digits, &how, &mut progress, &interrupt::requested)?;
        let text =
            serde_json::to_string_pretty(&evaluation).map_err(|error| Error::invalid("summary", error))?;
        write_output(&path, (text + "\n").as_bytes())?;
        if let Some(warning) = &evaluation.warning {
            // A closed standard error is no reason to fail.
            let _ = writeln!(std::io::stderr(), "warning: {warning}");
        }
        if self.model.json {
            return print_json(&evaluation);
        }
        print(&describe(&evaluation, &path))
    }

    fn check(&self) -> Result<()> {
        if let Some(value) = self.chains.filter(|value| !(2..=100_000).contains(value)) {
            return Err(Error::invalid(format!("--chains {value}"), "2 to 100,000 chains can be annealed"));
        }
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

    /// As asked for; else exact where that is possible.
    fn method(&self, model: &Dbm<f32>, digits: &Digits) -> Result<Method> {
        let smaller = smaller_side(model);
        if self.exact && smaller > LARGEST_LAYER {
            let expected = format!(
                "the odd layers or the even ones have {smaller} units or more, of at most {LARGEST_LAYER}; use \
                 --annealed"
            );
            return Err(Error::invalid("--exact", expected));
        }
        let asked = self.annealed || self.schedule.is_some() || self.chains.is_some();
        if !asked && self.images.is_none() && self.gibbs_steps.is_none() && smaller <= LARGEST_LAYER {
            return Ok(Method::Exact);
        }
        let (all, default) = (digits.test.len(), Anneal::default());
        let images = self.images.unwrap_or(default.images.min(all));
        if images == 0 || images > all {
            let expected = format!("1 to {all} test images can be used");
            return Err(Error::invalid(format!("--images {images}"), expected));
        }
        let anneal = Anneal {
            schedule: self.schedule.clone().unwrap_or(default.schedule),
            chains: self.chains.unwrap_or(default.chains),
            images,
            chains_per_image: 1,
        };
        Ok(Method::Annealed { anneal, gibbs_steps: self.gibbs_steps.unwrap_or(1000) })
    }

    fn summary_path(&self, folder: &Path) -> PathBuf {
        match &self.out {
            Some(file) if file.extension().is_some_and(|extension| extension == "json") => file.clone(),
            Some(folder) => folder.join("summary.json"),
            None => folder.join("evaluation").join("summary.json"),
        }
    }
}

fn describe(evaluation: &Evaluation, path: &Path) -> String {
    let sizes: Vec<String> = evaluation.sizes.iter().map(ToString::to_string).collect();
    let mut text = format!(
        "{} units; {}, {} training and {} test images; all in nats\n{}\n",
        sizes.join("-"),
        evaluation.data,
        thousands(evaluation.train_images),
        thousands(evaluation.test_images),
        learned_elsewhere(evaluation.trained_on.as_deref()),
    );
    let reverse = evaluation.reverse.as_ref();
    let _ = match reverse {
        Some(_) => writeln!(text, "{:32}{:>10}{:>10}", "", "forward", "reverse"),
        None => writeln!(text, "{:32}{:>10}", "", "exact"),
    };
    let mut row = |name: &str, value: f64, in_reverse: Option<f64>| {
        text += &format!("{name:<32}{value:>10.2}");
        if let Some(value) = in_reverse {
            let _ = write!(text, "{value:>10.2}");
        }
        text.push('\n');
    };
    row("ln Z", evaluation.log_partition, reverse.map(|check| check.log_partition));
    if let Some(check) = reverse {
        let [low, high] = check.forward_interval;
        row("  - 3 sigma", low, Some(check.log_partition - 3.0 * check.standard_error));
        row("  + 3 sigma", high, Some(check.log_partition + 3.0 * check.standard_error));
    }
    let bound = evaluation.lower_bound;
    row("lower bound, training images", bound.train, reverse.map(|check| check.lower_bound.train));
    row("lower bound, test images", bound.test, reverse.map(|check| check.lower_bound.test));
    let mean_field = &evaluation.mean_field;
    let verdict = if mean_field.converged { "below" } else { "not yet below" };
    let _ = writeln!(
        text,
        "\nlower bound: at least so is the mean of ln P(image); the nearer to 0, the better\n\
         mean-field: {} iterations at most, to changes of {:.0e}, {verdict} {:.0e}",
        mean_field.iterations, mean_field.change, mean_field.tolerance
    );
    if let Some(check) = reverse {
        let _ = writeln!(
            text,
            "forward: from {} chains worth {:.1} (effective sample size); flatters the machine\n\
             reverse: from {} states, {} Gibbs steps from test images; conservative once they forgot where they \
             began\n\
             trust the two where they agree",
            thousands(check.chains),
            check.effective_samples,
            thousands(check.images),
            thousands(check.gibbs_steps),
        );
    }
    text + &format!("wrote {}\n", path.display())
}
