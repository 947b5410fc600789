//! `equilibria reproduce`: the figures of the report, and a page that shows them.

mod figure1;
mod figure2;
mod figure3;
mod figure4;
mod figure8;

use super::machine::{absolute, write_output, write_picture};
use super::{print, print_json, use_threads};
use crate::boltzmann::Rbm;
use crate::boltzmann::learning::NegativePhase;
use crate::data::Digits;
use crate::report::{Page, Section};
use crate::run::rbm::{Settings, Summary};
use crate::run::{Progress, RunDirectory, interrupt, train};
use crate::{Error, Result};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::time::Instant;

/// Make the figures of the report, and a page that shows them.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  equilibria reproduce\n  equilibria reproduce figure2 --out pictures\n  \
    equilibria reproduce --data mnist --budget full"
)]
pub(super) struct Reproduce {
    /// Figures to make [default: all].
    figures: Vec<Name>,
    /// `synthetic`, or a folder with MNIST's four files (or its parent).
    #[arg(long, default_value = "synthetic")]
    data: String,
    /// quick: 10,000 images at most and fewer epochs, under 2 minutes on 2 cores; full: all images.
    #[arg(long, default_value = "quick")]
    budget: BudgetName,
    /// The folder for the figures, the page and the trained machines.
    #[arg(long, default_value = "out")]
    out: PathBuf,
    /// Seed of all random numbers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads to use [default: all].
    #[arg(long)]
    threads: Option<usize>,
    /// Print the summary as JSON on standard output.
    #[arg(long)]
    json: bool,
    /// Show no progress.
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Name {
    /// Pseudo-likelihood against epochs and hidden units.
    Figure1,
    /// Gibbs samples after 1 to 10,000 steps, of machines trained in two ways.
    Figure2,
    /// Reconstruction of removed rows.
    Figure3,
    /// Filters and samples of a deep machine, trained before, beside restricted ones.
    Figure4,
    /// Three adversarial networks: samples, losses, verdicts.
    Figure8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BudgetName {
    Quick,
    Full,
}

/// How much work the figures may be.
#[derive(Debug, Clone, Copy)]
struct Budget {
    name: &'static str,
    /// Training images at most.
    images: usize,
    /// Epochs of the machines with different numbers of hidden units in figure 1.
    width_epochs: usize,
    /// Epochs of the large machines of figures 2 and 3.
    large_epochs: usize,
    /// Gibbs chains of each machine in figures 2 and 4.
    chains: usize,
    /// Images a reconstruction error is the mean of in figure 3.
    reconstructed: usize,
    /// The same in figure 4, whose machine has more weights.
    deep_reconstructed: usize,
    /// Steps of each generator in figure 8, and between two readings.
    game_steps: usize,
    game_every: usize,
    /// Samples of each generator that are judged.
    judged: usize,
}

const QUICK: Budget = Budget {
    name: "quick",
    images: 10_000,
    width_epochs: 3,
    large_epochs: 20,
    chains: 50,
    reconstructed: 50,
    deep_reconstructed: 20,
    game_steps: 1_000,
    game_every: 10,
    judged: 2_000,
};
const FULL: Budget = Budget {
    name: "full",
    images: usize::MAX,
    width_epochs: 10,
    large_epochs: 30,
    chains: 100,
    reconstructed: 200,
    deep_reconstructed: 100,
    game_steps: 15_000,
    game_every: 50,
    judged: 10_000,
};

/// Epochs of figure 1, as in the report.
const EPOCHS: usize = 30;
/// Hidden units of the report's machine.
const SMALL: usize = 20;
/// Hidden units of the machine whose samples can be looked at.
const LARGE: usize = 500;

impl Reproduce {
    pub(super) fn run(mut self) -> Result<()> {
        use_threads(self.threads)?;
        self.figures.sort_unstable();
        self.figures.dedup();
        if self.figures.is_empty() {
            self.figures = Name::value_variants().to_vec();
        }
        let budget = match self.budget {
            BudgetName::Quick => QUICK,
            BudgetName::Full => FULL,
        };
        let started = Instant::now();
        let mut digits = Digits::load(&self.data, None)?;
        interrupt::install(interrupt::Work::Training)?;
        digits.train.truncate(budget.images);
        if self.figures.contains(&Name::Figure4) {
            // Before the work on the others, not after.
            figure4::check(digits.test.images())?;
        }
        let mut bench = Workbench {
            digits: &digits,
            budget,
            out: &self.out,
            data: absolute(&self.data)?,
            seed: self.seed,
            progress: Progress::choose(self.quiet).brief(),
            quiet: self.quiet,
            machines: Vec::new(),
        };
        let mut sections = Vec::new();
        let mut summary = Map::new();
        for name in &self.figures {
            let (key, outcome) = match name {
                Name::Figure1 => ("figure1", figure1::make(&mut bench)?),
                Name::Figure2 => ("figure2", figure2::make(&mut bench)?),
                Name::Figure3 => ("figure3", figure3::make(&mut bench)?),
                Name::Figure4 => ("figure4", figure4::make(&mut bench)?),
                Name::Figure8 => ("figure8", figure8::make(&mut bench)?),
            };
            sections.push(outcome.section);
            summary.insert(key.into(), outcome.summary);
        }
        let seconds = started.elapsed().as_secs_f64();
        let page = self.out.join("index.html");
        let html = self.page(sections, &digits, budget, seconds).to_html();
        let drawn = html.and_then(|html| write_output(&page, html.as_bytes()));
        summary.insert("data".into(), digits.name.as_str().into());
        summary.insert("budget".into(), budget.name.into());
        summary.insert("seconds".into(), seconds.into());
        summary.insert("page".into(), page.display().to_string().into());
        let text = serde_json::to_string_pretty(&summary).map_err(|e| Error::invalid("summary", e))?;
        let written = write_output(&self.out.join("summary.json"), text.as_bytes());
        match self.json {
            true => print_json(&summary)?,
            false => print(&format!("made in {seconds:.0} s; open {}\n", page.display()))?,
        }
        drawn.and(written)
    }

    fn page(&self, sections: Vec<Section>, digits: &Digits, budget: Budget, seconds: f64) -> Page {
        let mut page = Page::new("Boltzmann machines and adversarial networks, looked at again")
            .lead(
                "A course report trained restricted Boltzmann machines on handwritten digits, plotted their \
                 pseudo-likelihood, drew Gibbs samples, filled in removed rows of pixels, and looked into a deep \
                 Boltzmann machine; and it trained three adversarial networks, whose losses it could not plot. This \
                 page makes its figures anew, from scratch, and says what they show.",
            )
            .command(self.command());
        for section in sections {
            page = page.section(section);
        }
        let data = match digits.name.as_str() {
            "synthetic" => "synthetic digits, drawn as pen strokes by this program".to_string(),
            name => name.to_string(),
        };
        page.setting("data", data)
            .setting("training images", super::thousands(digits.train.len()))
            .setting("test images", super::thousands(digits.test.len()))
            .setting("budget", budget.name)
            .setting("seed", self.seed.to_string())
            .setting("SIMD level", equilibria_kernels::Level::detect().name())
            .setting("threads", equilibria_kernels::threads::count().to_string())
            .setting("version", env!("CARGO_PKG_VERSION"))
            .setting("time", format!("{seconds:.0} s"))
    }

    /// The command that makes the same page.
    fn command(&self) -> String {
        let mut line = String::from("equilibria reproduce");
        if self.figures.len() < Name::value_variants().len() {
            for value in self.figures.iter().filter_map(ValueEnum::to_possible_value) {
                line += &format!(" {}", value.get_name());
            }
        }
        if self.data != "synthetic" {
            line += " --data DIR";
        }
        if self.budget == BudgetName::Full {
            line += " --budget full";
        }
        if self.seed != 1 {
            line += &format!(" --seed {}", self.seed);
        }
        line
    }
}

/// What a figure came to.
struct Outcome {
    section: Section,
    summary: Value,
}

/// What the figures work with; they share trained machines.
struct Workbench<'a> {
    digits: &'a Digits,
    budget: Budget,
    out: &'a std::path::Path,
    data: String,
    seed: u64,
    progress: Progress,
    quiet: bool,
    machines: Vec<(Settings, Rbm<f32>, Summary)>,
}

impl Workbench<'_> {
    /// The machine that `change` makes of the default settings: trained now, into `out/runs/NAME`, or before.
    fn machine(
        &mut self,
        name: &str,
        change: impl FnOnce(Settings) -> Settings,
    ) -> Result<(Rbm<f32>, Summary)> {
        let settings = change(Settings {
            data: self.data.clone(),
            images: Some(self.digits.train.len()),
            seed: self.seed,
            ..Settings::default()
        });
        if let Some((_, model, summary)) = self.machines.iter().find(|known| known.0 == settings) {
            return Ok((model.clone(), summary.clone()));
        }
        let directory = RunDirectory::create(&self.out.join("runs").join(name), true)?;
        let (model, summary) =
            train(&directory, &settings, self.digits, &mut self.progress, &interrupt::requested)
                .map_err(|error| if matches!(error, Error::Interrupted { .. }) { again() } else { error })?;
        let last = summary.epochs.last().map_or(f64::NAN, |reading| reading.pseudo_log_likelihood);
        self.say(&format!(
            "trained {} hidden units by {} for {} epochs of {} images in {:.1} s: {last:.1} nats",
            settings.hidden,
            settings.method,
            settings.epochs,
            super::thousands(summary.train_images),
            summary.seconds_per_epoch.iter().sum::<f64>(),
        ));
        self.machines.push((settings, model.clone(), summary.clone()));
        Ok((model, summary))
    }

    /// The report's machine: 20 hidden units, rate 0.01, 30 epochs, mini-batches of 10 as in scikit-learn.
    fn small(&mut self) -> Result<(Rbm<f32>, Summary)> {
        self.machine("hidden-20", |settings| plain(Settings { hidden: SMALL, epochs: EPOCHS, ..settings }))
    }

    /// The machine of figures 2 and 3, learned from persistent chains.
    fn large(&mut self) -> Result<(Rbm<f32>, Summary)> {
        let epochs = self.budget.large_epochs;
        self.machine("hidden-500", |settings| large(settings, epochs))
    }

    /// The same, learned from chains that start at the data.
    fn contrastive(&mut self) -> Result<(Rbm<f32>, Summary)> {
        let epochs = self.budget.large_epochs;
        self.machine("hidden-500-cd", |settings| Settings {
            method: NegativePhase::Contrastive,
            ..large(settings, epochs)
        })
    }

    /// Counts steps of a loop that the progress was started for.
    ///
    /// **Errors** [`Error::Interrupted`] after Ctrl-C.
    fn advance(&mut self, steps: usize) -> Result<()> {
        self.progress.advance(steps as u64);
        if interrupt::requested() { Err(again()) } else { Ok(()) }
    }

    /// Writes a picture as `name` into the output folder, beside the page that shows it too.
    fn write(&self, name: &str, bytes: &[u8]) {
        write_picture(&self.out.join(name), Ok(bytes));
    }

    fn say(&mut self, line: &str) {
        if !self.quiet {
            self.progress.finish(line);
        }
    }
}

/// What Ctrl-C leaves is of no use to the next attempt.
fn again() -> Error {
    Error::Interrupted { resume: "the same command makes the figures from the start".into() }
}

/// 500 hidden units whose samples are digits, if they are learned from persistent chains.
fn large(settings: Settings, epochs: usize) -> Settings {
    Settings {
        hidden: LARGE,
        epochs,
        batch: 50,
        learning_rate: crate::optim::Schedule::line(0.1, 0.005),
        ..settings
    }
}

/// As the report trained, through scikit-learn: constant rate, no momentum, no decay, mini-batches of 10.
fn plain(settings: Settings) -> Settings {
    Settings {
        batch: 10,
        learning_rate: crate::optim::Schedule::constant(0.01),
        momentum: crate::optim::Schedule::constant(0.0),
        weight_decay: 0.0,
        ..settings
    }
}
