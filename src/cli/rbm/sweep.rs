//! `equilibria rbm sweep`.

use crate::boltzmann::learning::NegativePhase;
use crate::cli::output::OutputArguments;
use crate::cli::output::{write_picture, write_summary};
use crate::data::Reading;
use crate::optim::Schedule;
use crate::report::{LinePlot, Series};
use crate::run::rbm::{Settings, Summary as TrainSummary};
use crate::run::{RunDirectory, RunSettings, Source, absolute_source, interrupt, train};
use crate::{Error, Result};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Train machines with several numbers of hidden units and Gibbs steps, and draw one chart.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  equilibria rbm sweep --hidden 10,50,200 --epochs 1,5,20 --steps 1,5 --out runs/sweep"
)]
pub(in crate::cli) struct Sweep {
    /// `synthetic`, or a folder with MNIST's four files (or its parent).
    #[arg(long, default_value = "synthetic", value_parser = absolute_source())]
    data: String,
    /// Numbers of hidden units.
    #[arg(long, default_value = "20,100,500", value_delimiter = ',')]
    hidden: Vec<usize>,
    /// Epochs for which to print the monitors; training ends with the last.
    #[arg(long, default_value = "1,3,10", value_delimiter = ',')]
    epochs: Vec<usize>,
    /// Numbers of Gibbs steps per update.
    #[arg(long, default_value = "1,5", value_delimiter = ',')]
    steps: Vec<usize>,
    /// Source of the negative phase: cd, pcd or tempering:N, with N temperatures.
    #[arg(long, default_value = "cd", value_parser = crate::run::parse::<NegativePhase>)]
    method: NegativePhase,
    /// Images in a mini-batch [default: 100, or all if there are fewer].
    #[arg(long)]
    batch: Option<usize>,
    /// Factor of the mini-batch's mean gradient; a schedule.
    #[arg(long, default_value = "0.05", value_parser = crate::run::parse::<Schedule>)]
    learning_rate: Schedule,
    /// Number of training images to use, from the first [default: all].
    #[arg(long)]
    images: Option<usize>,
    /// Seed of all random numbers.
    #[arg(long, default_value = "1")]
    seed: u64,
    /// The folder for the chart, the summary and a run directory for each machine.
    #[arg(long, default_value = "runs/sweep")]
    out: PathBuf,
    /// Replace existing runs.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    common: OutputArguments,
    #[command(flatten)]
    reading: Reading,
}

#[derive(Serialize)]
struct Summary {
    #[serde(serialize_with = "crate::cli::output::path_as_text")]
    chart: PathBuf,
    data: String,
    cells: Vec<Cell>,
}

#[derive(Serialize)]
struct Cell {
    hidden: usize,
    steps: usize,
    epoch: usize,
    pseudo_log_likelihood: f64,
    reconstruction_error: f64,
    free_energy_gap: f64,
}

impl Sweep {
    pub(in crate::cli) fn run(self) -> Result<()> {
        let mut progress = self.common.start()?;
        for (name, values) in
            [("--hidden", &self.hidden), ("--epochs", &self.epochs), ("--steps", &self.steps)]
        {
            let distinct: BTreeSet<_> = values.iter().collect();
            if values.is_empty() || values.contains(&0) || distinct.len() < values.len() {
                let text: Vec<String> = values.iter().map(ToString::to_string).collect();
                let expected = "write numbers of at least 1, each once, such as 1,5,20";
                return Err(Error::invalid(format!("{name} {}", text.join(",")), expected));
            }
        }
        let source = Source { data: &self.data, images: self.images, invert: false, reading: &self.reading };
        let digits = source.load()?;
        interrupt::install(interrupt::Work::Training)?;
        let machines = self.machines(digits.train.len());
        for settings in &machines {
            settings.check()?;
            settings.check_data(&digits)?;
        }
        let mut outcomes = Vec::new();
        let path = |settings: &Settings| {
            self.out.join(format!("hidden-{}-steps-{}", settings.hidden, settings.steps))
        };
        // Existing runs are reported before hours of training, not after.
        for settings in &machines {
            RunDirectory::check(&path(settings), self.force)?;
        }
        for settings in machines {
            let directory = RunDirectory::create(&path(&settings), self.force)?;
            let (_, summary) = train(&directory, &settings, &digits, &mut progress, &interrupt::requested)
                .map_err(|error| match error {
                    Error::Interrupted { .. } => {
                        Error::Interrupted { resume: "the sweep starts again with --force".into() }
                    }
                    error => error,
                })?;
            outcomes.push((settings, summary));
        }
        let chart = self.out.join("sweep.svg");
        write_picture(&chart, plot(&outcomes, self.method).to_svg());
        let summary = Summary { chart, data: digits.name, cells: cells(&outcomes, &self.epochs) };
        let written = write_summary(&self.out.join("summary.json"), &summary);
        self.common.print(&summary, |_| describe(&summary, &self.out))?;
        written
    }

    /// Settings of each machine: hidden units in the outer loop, Gibbs steps in the inner one.
    fn machines(&self, images: usize) -> Vec<Settings> {
        let settings = |hidden, steps| Settings {
            data: self.data.clone(),
            reading: self.reading.clone(),
            images: self.images,
            hidden,
            epochs: self.epochs.iter().copied().max().unwrap_or(1),
            batch: self.batch.unwrap_or(images.min(100)),
            learning_rate: self.learning_rate.clone(),
            method: self.method,
            steps,
            seed: self.seed,
            ..Settings::default()
        };
        let all = self.hidden.iter().flat_map(|&hidden| self.steps.iter().map(move |&steps| (hidden, steps)));
        all.map(|(hidden, steps)| settings(hidden, steps)).collect()
    }
}

fn cells(outcomes: &[(Settings, TrainSummary)], epochs: &[usize]) -> Vec<Cell> {
    let cell = |(settings, summary): &(Settings, TrainSummary), epoch: usize| {
        let reading = summary.epochs.iter().find(|reading| reading.epoch == epoch)?;
        Some(Cell {
            hidden: settings.hidden,
            steps: settings.steps,
            epoch,
            pseudo_log_likelihood: reading.pseudo_log_likelihood,
            reconstruction_error: reading.reconstruction_error,
            free_energy_gap: reading.free_energy_gap,
        })
    };
    outcomes.iter().flat_map(|outcome| epochs.iter().filter_map(move |&epoch| cell(outcome, epoch))).collect()
}

/// Negative pseudo-log-likelihood against epochs, a line per machine.
fn plot(outcomes: &[(Settings, TrainSummary)], method: NegativePhase) -> LinePlot {
    let series = outcomes.iter().map(|(settings, summary)| {
        let points =
            summary.epochs.iter().map(|reading| (reading.epoch as f64, -reading.pseudo_log_likelihood));
        let name = format!("{} hidden, {method}-{}", settings.hidden, settings.steps);
        Series::new(name, points.collect::<Vec<_>>())
    });
    LinePlot {
        title: "Pseudo-likelihood over epochs, hidden units and Gibbs steps".into(),
        x_label: "epoch".into(),
        y_label: "negative pseudo-log-likelihood (nats per image)".into(),
        series: series.collect(),
        ..LinePlot::default()
    }
}

fn describe(summary: &Summary, out: &Path) -> String {
    let mut text =
        String::from("hidden  steps  epoch  pseudo-log-likelihood (nats)  free-energy gap (nats)\n");
    for cell in &summary.cells {
        text += &format!(
            "{:>6}  {:>5}  {:>5}  {:>28.2}  {:>22.2}\n",
            cell.hidden, cell.steps, cell.epoch, cell.pseudo_log_likelihood, cell.free_energy_gap
        );
    }
    text + &format!("wrote {} and a run for each machine in {}\n", summary.chart.display(), out.display())
}
