//! `equilibria gan train`.

use super::plots::{self, Course, Drawn};
use crate::adversarial::networks::{DISCRIMINATOR, GENERATOR, LATENT};
use crate::adversarial::{Networks, Normalisation, mlp};
use crate::cli::machine::{absolute, parse, write_picture};
use crate::cli::{counted, pasted, print, print_json, thousands, use_threads};
use crate::nn::Spec;
use crate::run::dbm::Layers;
use crate::run::gan::{Kind, Settings, Summary, Warned, resume, train};
use crate::run::{Progress, RunDirectory, interrupt};
use crate::{Error, Result};
use clap::{Args, ValueEnum};
use std::fmt::Write as _;
use std::path::PathBuf;

/// Train a generator of digits against a discriminator or critic, into a run directory.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    equilibria gan train --objective standard --steps 2000 --out runs/standard\n  \
    equilibria gan train --objective clipping --data mnist --steps 15000 --head-start --out runs/clipping\n  \
    equilibria gan train --objective penalty --data mnist --steps 15000 --average 0.999 --out runs/penalty\n  \
    equilibria gan train --resume runs/penalty\n\n\
    A step is one of the generator; a critic takes several of its own before it. Readings go to metrics.csv, warnings to \
    the terminal, curves to plots/, and summary.json says at the end whether the game came to rest.\n\n\
    A run has diverged once a parameter is not finite, or all readings since the last checkpoint have a loss beyond 745 nats \
    or a penalised slope that nothing can pay for (before the end, 100 times as much). It ends with status 2, keeps its last \
    checkpoint and says why in summary.json.")]
pub(in crate::cli) struct Train {
    /// What the two play for: standard, clipping or penalty (Wasserstein with either).
    #[arg(long, default_value = "standard", value_parser = parse::<Kind>)]
    objective: Kind,
    /// The kind of networks.
    #[arg(long, default_value = "mlp")]
    network: Network,
    /// `synthetic`, or a folder with MNIST's four files (or its parent).
    #[arg(long, default_value = "synthetic")]
    data: String,
    /// Steps of the generator.
    #[arg(long, default_value_t = Settings::of(Kind::Standard).steps)]
    steps: usize,
    /// Images in a mini-batch.
    #[arg(long, default_value_t = Settings::of(Kind::Standard).batch)]
    batch: usize,
    /// Steps of the critic to one of the generator [default: 5].
    #[arg(long)]
    critic_steps: Option<usize>,
    /// Bound of a clipped critic's parameters [default: 0.01].
    #[arg(long)]
    clip: Option<f64>,
    /// 100 critic steps at each of the first 25 steps and at every 500th, as in the original code of clipping.
    #[arg(long)]
    head_start: bool,
    /// Weight of the gradient penalty [default: 10].
    #[arg(long)]
    penalty: Option<f64>,
    /// Taken off the labels of real images in the standard game [default: 0].
    #[arg(long)]
    label_smoothing: Option<f64>,
    /// In the standard game, let the generator descend what the discriminator climbs.
    #[arg(long)]
    minimax: bool,
    /// Learning rate of the generator [default: 2e-4 standard, 5e-5 clipping, 1e-4 penalty].
    #[arg(long)]
    generator_rate: Option<f64>,
    /// Learning rate of the discriminator or critic [default: the same].
    #[arg(long)]
    discriminator_rate: Option<f64>,
    /// What a step keeps of a running average of the generator, such as 0.999, to draw with [default: no average].
    #[arg(long)]
    average: Option<f64>,
    /// Numbers that the generator starts from.
    #[arg(long, default_value_t = LATENT)]
    latent: usize,
    /// Units of the generator's hidden layers.
    #[arg(long, default_value_t = Layers(GENERATOR.to_vec()), value_parser = parse::<Layers>)]
    generator: Layers,
    /// Units of the discriminator's hidden layers.
    #[arg(long, default_value_t = Layers(DISCRIMINATOR.to_vec()), value_parser = parse::<Layers>)]
    discriminator: Layers,
    /// What the discriminator normalises its hidden layers over; a penalised critic not over the mini-batch.
    #[arg(long, default_value = "none")]
    normalise: Normalise,
    /// No batch normalisation in the generator.
    #[arg(long)]
    plain: bool,
    /// Steps between two readings.
    #[arg(long, default_value_t = Settings::of(Kind::Standard).every)]
    every: usize,
    /// Every twentieth reading, and in that of the last step, let copies of both players take so many steps against the
    /// other's, to see what either could still gain; 50, if not said.
    #[arg(long, value_name = "STEPS", num_args = 0..=1, default_missing_value = "50")]
    duality_gap: Option<usize>,
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
    #[arg(long, default_value = "runs/gan")]
    out: PathBuf,
    /// Continue this run with its own settings; only --threads, --quiet and --json go with it.
    #[arg(long, value_name = "RUN", conflicts_with_all = [
        "objective", "network", "data", "steps", "batch", "critic_steps", "clip", "head_start", "penalty",
        "label_smoothing", "minimax", "generator_rate", "discriminator_rate", "average", "latent", "generator",
        "discriminator", "normalise", "plain", "every", "duality_gap", "invert", "images", "seed", "out", "force",
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Network {
    /// Multilayer perceptrons.
    Mlp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Normalise {
    /// Nothing.
    None,
    /// The mini-batch.
    Batch,
    /// The units of each image.
    Layer,
}

impl Train {
    pub(in crate::cli) fn run(self) -> Result<()> {
        use_threads(self.threads)?;
        let mut progress = Progress::choose(self.quiet);
        let (directory, outcome) = match &self.resume {
            Some(path) => {
                let directory = RunDirectory::open(path)?;
                directory.check_kind("gan")?;
                let settings: Settings = directory.read_config()?;
                settings.check(usize::MAX)?;
                settings.check_memory()?;
                let digits = settings.load()?;
                interrupt::install(interrupt::Work::Training)?;
                let outcome = resume(&directory, &digits, &mut progress, &interrupt::requested);
                (directory, outcome)
            }
            None => {
                let mut settings = self.settings()?;
                // Everything that can be wrong with the input is found before the folder is touched.
                let digits = settings.load()?;
                interrupt::install(interrupt::Work::Training)?;
                settings.networks = self.networks(digits.train.images().pixels_per_image());
                settings.check(digits.train.len())?;
                settings.check_data(&digits)?;
                settings.check_memory()?;
                let directory = RunDirectory::create(&self.out, self.force)?;
                let outcome = train(&directory, &settings, &digits, &mut progress, &interrupt::requested);
                (directory, outcome)
            }
        };
        let (_, summary) = outcome?;
        let name = summary.objective.to_string();
        let course = Course { name: &name, kind: summary.objective, readings: &summary.readings };
        for Drawn { file, plot, .. } in plots::all(&[course]) {
            write_picture(&directory.path().join("plots").join(file), plot.to_svg());
        }
        if self.json {
            return print_json(&summary);
        }
        print(&describe(&summary, &directory))
    }

    fn settings(&self) -> Result<Settings> {
        self.check_options()?;
        let usual = Settings::of(self.objective);
        let generator_rate = self.generator_rate.unwrap_or(usual.generator_rate);
        let pixels = usual.networks.discriminator.input.size();
        let settings = Settings {
            data: absolute(&self.data)?,
            images: self.images,
            invert: self.invert,
            minimax: self.minimax,
            label_smoothing: self.label_smoothing.unwrap_or(usual.label_smoothing),
            clip: self.clip.unwrap_or(usual.clip),
            penalty: self.penalty.unwrap_or(usual.penalty),
            critic_steps: self.critic_steps.unwrap_or(usual.critic_steps),
            head_start: self.head_start,
            networks: self.networks(pixels),
            batch: self.batch,
            generator_rate,
            discriminator_rate: self
                .discriminator_rate
                .or(self.generator_rate)
                .unwrap_or(usual.discriminator_rate),
            average: self.average,
            steps: self.steps,
            every: self.every,
            duality_gap: self.duality_gap,
            seed: self.seed,
            ..usual
        };
        settings.check(usize::MAX)?;
        Ok(settings)
    }

    /// The networks for images of so many pixels.
    fn networks(&self, pixels: usize) -> Networks {
        let Network::Mlp = self.network;
        let chain = |first: usize, hidden: &Layers, last: usize| [&[first], &hidden.0[..], &[last]].concat();
        let batch_norm = if self.plain { Normalisation::None } else { Normalisation::Batch };
        let normalisation = match self.normalise {
            Normalise::None => Normalisation::None,
            Normalise::Batch => Normalisation::Batch,
            Normalise::Layer => Normalisation::Layer,
        };
        Networks {
            generator: mlp(&chain(self.latent, &self.generator, pixels), batch_norm, Some(Spec::Tanh)),
            discriminator: mlp(&chain(pixels, &self.discriminator, 1), normalisation, None),
        }
    }

    /// Options that the objective would not heed.
    fn check_options(&self) -> Result<()> {
        use Kind::{Clipping, Penalty, Standard};
        let options: [(&str, bool, &[Kind]); 6] = [
            ("--critic-steps", self.critic_steps.is_some(), &[Clipping, Penalty]),
            ("--clip", self.clip.is_some(), &[Clipping]),
            ("--head-start", self.head_start, &[Clipping]),
            ("--penalty", self.penalty.is_some(), &[Penalty]),
            ("--label-smoothing", self.label_smoothing.is_some(), &[Standard]),
            ("--minimax", self.minimax, &[Standard]),
        ];
        for (option, is_given, kinds) in options {
            if is_given && !kinds.contains(&self.objective) {
                let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
                let expected =
                    format!("goes with --objective {}, not {}", kinds.join(" or "), self.objective);
                return Err(Error::invalid(option, expected));
            }
        }
        Ok(())
    }
}

fn describe(summary: &Summary, directory: &RunDirectory) -> String {
    let mut text = String::new();
    if let Some(last) = &summary.last {
        let _ = writeln!(
            text,
            "losses                generator {:.3}, {} {:.3}",
            last.generator_loss,
            if summary.objective == Kind::Standard { "discriminator" } else { "critic" },
            last.discriminator_loss,
        );
        if let (Some(real), Some(fake)) = (last.real_accuracy, last.fake_accuracy) {
            let _ = writeln!(
                text,
                "discriminator right   {:.0} % real, {:.0} % generated",
                100.0 * real,
                100.0 * fake
            );
        }
        if let Some(estimate) = last.wasserstein {
            let _ = writeln!(text, "critic's estimate     {estimate:.3}");
        }
        text += &match last.spread {
            Some(spread) => format!("samples               {spread:.2} of the data's spread"),
            None => "samples               differ, the training images do not".into(),
        };
        match last.class_entropy {
            Some(share) => {
                let entropy = share * summary.data_entropy;
                let _ = writeln!(text, ", class entropy {entropy:.2} of {:.2} nats", summary.data_entropy);
            }
            None => text.push('\n'),
        }
        if let Some(gap) = last.duality_gap {
            let unit = if summary.objective == Kind::Standard { " nats" } else { "" };
            let _ = writeln!(text, "duality gap           {gap:.3}{unit}, 0 at an equilibrium");
        }
    }
    for Warned { step, text: sentence, .. } in first_warnings(summary) {
        let _ = writeln!(text, "warning at step {step}: {sentence}");
    }
    let reasons = summary.stability.reasons.join("; ");
    let _ = writeln!(text, "verdict               {}: {reasons}", summary.stability.verdict);
    let _ = write!(
        text,
        "{} and {} of the {} on {}, {:.1} ms a step\nwrote {}; what it draws: equilibria gan sample {}\n",
        counted(summary.steps as usize, "step"),
        thousands(summary.discriminator_steps as usize),
        if summary.objective == Kind::Standard { "discriminator" } else { "critic" },
        counted(summary.train_images, "image"),
        1000.0 * summary.seconds / summary.steps.max(1) as f64,
        directory.path().join("model.safetensors").display(),
        pasted(directory.path()),
    );
    text
}

/// Each kind of warning, as it was first given.
fn first_warnings(summary: &Summary) -> Vec<&Warned> {
    let mut first: Vec<&Warned> = Vec::new();
    for warned in &summary.warnings {
        if !first.iter().any(|known| known.warning == warned.warning) {
            first.push(warned);
        }
    }
    first
}
