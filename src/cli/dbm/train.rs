//! `equilibria dbm train`.

use crate::Result;
use crate::cli::machine::{absolute, parse};
use crate::cli::{counted, pasted, print, print_json, use_threads};
use crate::data::Binarisation;
use crate::optim::Schedule;
use crate::run::dbm::{Layers, Settings, Summary, resume, train};
use crate::run::{Progress, RunDirectory, interrupt};
use clap::Args;
use std::path::PathBuf;

/// Train a deep Boltzmann machine into a run directory.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    equilibria dbm train --hidden 100-50 --images 5000 --epochs 5 --out runs/small\n  \
    equilibria dbm train --data mnist --hidden 500-1000 --out runs/dbm\n  \
    equilibria dbm train --data mnist --hidden 500-500-1000 --plain --pretraining-epochs 10\n  \
    equilibria dbm train --resume runs/dbm\n\n\
    Centred, a machine learns without pre-training; with --plain it needs some. A schedule is a number (0.01), \
    changes at epochs (0.5:0.9@5) or a line from the first epoch to the last (0.05..0.001).\n\n\
    A run has diverged once a parameter is not finite, or at the end the log-likelihood of reconstructed images is below 10 \
    times that of fair coins (before the end, 1000 times). It ends with status 2, keeps its last checkpoint and says why in \
    summary.json.")]
pub(in crate::cli) struct Train {
    /// `synthetic`, or a folder with MNIST's four files (or its parent).
    #[arg(long, default_value = "synthetic")]
    data: String,
    /// Units of each hidden layer, the lowest first, at least 2 layers.
    #[arg(long, default_value = "500-1000", value_parser = parse::<Layers>)]
    hidden: Layers,
    /// Passes over the training images for each restricted machine that a layer is pre-trained by; 0 for none.
    #[arg(long, default_value_t = Settings::default().pretraining_epochs)]
    pretraining_epochs: usize,
    /// Learning rate of the pre-training.
    #[arg(long, default_value_t = Settings::default().pretraining_rate)]
    pretraining_rate: f64,
    /// Passes over the training images of the joint training.
    #[arg(long, default_value_t = Settings::default().epochs)]
    epochs: usize,
    /// Images in a mini-batch.
    #[arg(long, default_value_t = Settings::default().batch)]
    batch: usize,
    /// Persistent chains of the negative phase.
    #[arg(long, default_value_t = Settings::default().chains)]
    chains: usize,
    /// Multiplies the mini-batch's mean gradient; a schedule.
    #[arg(long, default_value_t = Settings::default().learning_rate, value_parser = parse::<Schedule>)]
    learning_rate: Schedule,
    /// Share of the last update that is kept; a schedule, whose start also holds for the pre-training.
    #[arg(long, default_value_t = Settings::default().momentum, value_parser = parse::<Schedule>)]
    momentum: Schedule,
    /// Pull of the weights to 0, multiplied by the learning rate.
    #[arg(long, default_value_t = Settings::default().weight_decay)]
    weight_decay: f64,
    /// Gibbs sweeps of the chains an update.
    #[arg(long, default_value_t = Settings::default().sweeps)]
    sweeps: usize,
    /// Mean-field iterations end where no mean changes by more.
    #[arg(long, default_value_t = Settings::default().tolerance)]
    tolerance: f64,
    /// Mean-field iterations of an update at most.
    #[arg(long, default_value_t = Settings::default().iterations)]
    iterations: usize,
    /// Mean activations that the hidden layers are pulled to, the lowest first, such as 0.2,0.1 [default: none].
    #[arg(long, value_delimiter = ',')]
    sparsity: Vec<f64>,
    /// How strongly they are, multiplied by the learning rate.
    #[arg(long, default_value_t = Settings::default().sparsity_cost)]
    sparsity_cost: f64,
    /// The largest Euclidean norm of the weights to a hidden unit from below [default: none].
    #[arg(long)]
    max_norm: Option<f64>,
    /// Do not learn in centred form.
    #[arg(long)]
    plain: bool,
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
    #[arg(long, default_value = "runs/dbm")]
    out: PathBuf,
    /// Continue this run with its own settings; only --threads, --quiet and --json go with it.
    #[arg(long, value_name = "RUN", conflicts_with_all = [
        "data", "hidden", "pretraining_epochs", "pretraining_rate", "epochs", "batch", "chains", "learning_rate",
        "momentum", "weight_decay", "sweeps", "tolerance", "iterations", "sparsity", "sparsity_cost", "max_norm",
        "plain", "binarise", "invert", "images", "seed", "out", "force",
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
                directory.check_kind("dbm")?;
                let settings: Settings = directory.read_config()?;
                settings.check(usize::MAX)?;
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
            hidden: self.hidden.clone(),
            pretraining_epochs: self.pretraining_epochs,
            pretraining_rate: self.pretraining_rate,
            epochs: self.epochs,
            batch: self.batch,
            chains: self.chains,
            learning_rate: self.learning_rate.clone(),
            momentum: self.momentum.clone(),
            weight_decay: self.weight_decay,
            sweeps: self.sweeps,
            tolerance: self.tolerance,
            iterations: self.iterations,
            sparsity: self.sparsity.clone(),
            sparsity_cost: self.sparsity_cost,
            max_norm: self.max_norm,
            centred: !self.plain,
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
            "reconstruction error  {:.4} a pixel\n\
             bound gap             {:.2} nats an image, between training and test images\n\
             mean-field            {} iterations, to changes of {:.0e}\n",
            epoch.reconstruction_error,
            epoch.bound_gap.unwrap_or(f64::NAN),
            epoch.mean_field_iterations,
            epoch.mean_field_change,
        )
    });
    format!(
        "{last}{} of {}, {median:.3} s each (median)\n\
         wrote {}; how good is it: equilibria dbm evaluate {}\n",
        counted(summary.epochs.len(), "epoch"),
        counted(summary.train_images, "image"),
        directory.path().join("model.safetensors").display(),
        pasted(directory.path()),
    )
}
