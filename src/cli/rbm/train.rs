//! `equilibria rbm train`.

use crate::Result;
use crate::boltzmann::learning::NegativePhase;
use crate::cli::machine::{absolute, parse};
use crate::cli::{counted, pasted, print, print_json, use_threads};
use crate::data::Binarisation;
use crate::optim::Schedule;
use crate::run::rbm::{Settings, Summary, resume, train};
use crate::run::{Progress, RunDirectory, interrupt};
use clap::Args;
use std::path::PathBuf;

/// Train a restricted Boltzmann machine into a run directory.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    equilibria rbm train --hidden 100 --epochs 5 --out runs/small\n  \
    equilibria rbm train --data mnist --hidden 500 --method cd --steps 25 --momentum 0.5:0.9@5\n  \
    equilibria rbm train --resume runs/small\n\n\
    A schedule is a number (0.01), changes at epochs (0.5:0.9@5) or a line from the first epoch to the last \
    (0.05..0.001).\n\n\
    A run has diverged once a parameter is not finite, or at the end the pseudo-log-likelihood is below 10 times that of fair \
    coins (before the end, 1000 times). It ends with status 2, keeps its last checkpoint and says why in summary.json.")]
pub(in crate::cli) struct Train {
    /// `synthetic`, or a folder with MNIST's four files (or its parent).
    #[arg(long, default_value = "synthetic")]
    data: String,
    /// Hidden units.
    #[arg(long, default_value_t = 500)]
    hidden: usize,
    /// Passes over the training images.
    #[arg(long, default_value_t = 10)]
    epochs: usize,
    /// Images in a mini-batch; for pcd and tempering, also the number of chains.
    #[arg(long, default_value_t = 100)]
    batch: usize,
    /// Multiplies the mini-batch's mean gradient; a schedule.
    #[arg(long, default_value = "0.05", value_parser = parse::<Schedule>)]
    learning_rate: Schedule,
    /// Share of the last update that is kept; a schedule.
    #[arg(long, default_value = "0.5", value_parser = parse::<Schedule>)]
    momentum: Schedule,
    /// Pull of the weights to 0, multiplied by the learning rate.
    #[arg(long, default_value_t = 1e-4)]
    weight_decay: f64,
    /// Where the negative phase comes from: cd, pcd or tempering:N, at N temperatures (40 or so for 500 hidden units;
    /// the rates at which neighbours swap tell).
    #[arg(long, default_value = "pcd", value_parser = parse::<NegativePhase>)]
    method: NegativePhase,
    /// Gibbs steps an update.
    #[arg(long, default_value_t = 1)]
    steps: usize,
    /// Learn in centred form: units enter the gradient less their means, so that inverted images are learned as well.
    #[arg(long)]
    centred: bool,
    /// How grey values become states: threshold, sampled (anew each epoch) or grey (probabilities).
    #[arg(long, default_value = "threshold", value_parser = parse::<Binarisation>)]
    binarise: Binarisation,
    /// Swap background and ink.
    #[arg(long)]
    invert: bool,
    /// Training images to use, from the first [default: all].
    #[arg(long)]
    images: Option<usize>,
    /// Seed of all random numbers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads to use [default: all].
    #[arg(long)]
    threads: Option<usize>,
    /// The run directory to make.
    #[arg(long, default_value = "runs/rbm")]
    out: PathBuf,
    /// Continue this run with its own settings; only --threads, --quiet and --json go with it.
    #[arg(long, value_name = "RUN", conflicts_with_all = [
        "data", "hidden", "epochs", "batch", "learning_rate", "momentum", "weight_decay", "method", "steps",
        "centred", "binarise", "invert", "images", "seed", "out", "force",
    ])]
    resume: Option<PathBuf>,
    /// Replace a run that is in the way.
    #[arg(long)]
    force: bool,
    /// Print the summary as JSON on standard output.
    #[arg(long)]
    json: bool,
    /// Show no progress.
    #[arg(long, short)]
    quiet: bool,
}

impl Train {
    pub(in crate::cli) fn run(self) -> Result<()> {
        use_threads(self.threads)?;
        let mut progress = Progress::choose(self.quiet);
        let (directory, outcome) = match &self.resume {
            Some(path) => {
                let directory = RunDirectory::open(path)?;
                directory.check_kind("rbm")?;
                let settings: Settings = directory.read_config()?;
                let digits = settings.load()?;
                interrupt::install(interrupt::Work::Training)?;
                settings.check_memory(digits.train.images().pixels_per_image())?;
                let outcome = resume(&directory, &digits, &mut progress, &interrupt::requested);
                (directory, outcome)
            }
            None => {
                let settings = self.settings()?;
                // Everything that can be wrong with the input is found before the folder is touched.
                let digits = settings.load()?;
                interrupt::install(interrupt::Work::Training)?;
                settings.check(digits.train.len())?;
                settings.check_memory(digits.train.images().pixels_per_image())?;
                let directory = RunDirectory::create(&self.out, self.force)?;
                let outcome = train(&directory, &settings, &digits, &mut progress, &interrupt::requested);
                (directory, outcome)
            }
        };
        let (_, summary) = outcome?;
        if self.json {
            return print_json(&summary);
        }
        print(&describe(&summary, &directory))
    }

    fn settings(&self) -> Result<Settings> {
        let settings = Settings {
            data: absolute(&self.data)?,
            images: self.images,
            invert: self.invert,
            binarise: self.binarise,
            hidden: self.hidden,
            epochs: self.epochs,
            batch: self.batch,
            learning_rate: self.learning_rate.clone(),
            momentum: self.momentum.clone(),
            weight_decay: self.weight_decay,
            method: self.method,
            steps: self.steps,
            centred: self.centred,
            seed: self.seed,
        };
        settings.check(usize::MAX)?;
        Ok(settings)
    }
}

fn describe(summary: &Summary, directory: &RunDirectory) -> String {
    let mut seconds = summary.seconds_per_epoch.clone();
    seconds.sort_by(f64::total_cmp);
    let median = seconds.get(seconds.len() / 2).copied().unwrap_or_default();
    let last = summary.epochs.last().map_or_else(String::new, |epoch| {
        format!(
            "pseudo-log-likelihood {:.2} nats an image (its estimate by random pixels: {:.2})\n\
             reconstruction error  {:.4} a pixel\n\
             free-energy gap       {:.2} nats\n",
            epoch.pseudo_log_likelihood,
            epoch.stochastic_pseudo_log_likelihood,
            epoch.reconstruction_error,
            epoch.free_energy_gap
        )
    });
    format!(
        "{last}{} of {}, {median:.3} s each (median)\n\
         wrote {}; look at it: equilibria rbm sample {}\n",
        counted(summary.epochs.len(), "epoch"),
        counted(summary.train_images, "image"),
        directory.path().join("model.safetensors").display(),
        pasted(directory.path()),
    )
}
