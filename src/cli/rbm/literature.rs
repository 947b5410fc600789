//! `equilibria rbm reproduce-literature`.

use crate::cli::machine::absolute;
use crate::cli::output::{OutputArguments, write_summary};
use crate::data::Reading;
use crate::experiments::literature::{Finding, Machine, Name, findings, first};
use crate::run::rbm::Settings;
use crate::run::{RunSettings, interrupt};
use crate::{Error, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Train machines whose log-likelihood on MNIST is published, and print both values.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  equilibria rbm reproduce-literature --data mnist\n\n\
    The published values are for MNIST. Small machines are evaluated exactly, large ones by annealing, forward and in \
    reverse. If the command was interrupted, the same command continues the runs.")]
pub(in crate::cli) struct ReproduceLiterature {
    /// Machines to train [default: all].
    machines: Vec<Name>,
    /// A folder with MNIST's four files (or its parent), or `synthetic` to try the command.
    #[arg(long, value_parser = crate::run::source())]
    data: String,
    /// Training images to use, from the first [default: all].
    #[arg(long)]
    images: Option<usize>,
    /// Epochs instead of those of the literature, for a trial.
    #[arg(long)]
    epochs: Option<usize>,
    /// Seed of all random numbers.
    #[arg(long, default_value = "1")]
    seed: u64,
    #[command(flatten)]
    output: OutputArguments,
    /// The folder for the summary and a run directory for each machine.
    #[arg(long, default_value = "runs/literature")]
    out: PathBuf,
    /// Replace runs with other settings in this folder.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    reading: Reading,
}

#[derive(Serialize)]
struct Summary {
    data: String,
    machines: Vec<Machine>,
    findings: Vec<Finding>,
}

impl ReproduceLiterature {
    pub(in crate::cli) fn run(mut self) -> Result<()> {
        self.output.start()?;
        self.machines.sort_unstable();
        self.machines.dedup();
        if self.machines.is_empty() {
            self.machines = Name::value_variants().to_vec();
        }
        let common = Settings {
            data: absolute(&self.data)?,
            reading: self.reading.clone(),
            images: self.images,
            seed: self.seed,
            ..Settings::default()
        };
        let settings = |&name: &Name| {
            let settings = name.settings(common.clone());
            (name, Settings { epochs: self.epochs.unwrap_or(settings.epochs), ..settings })
        };
        let all: Vec<(Name, Settings)> = self.machines.iter().map(settings).collect();
        let digits = common.load()?;
        interrupt::install(interrupt::Work::Training)?;
        for (_, settings) in &all {
            settings.check()?;
            settings.check_data(&digits)?;
        }
        let mut progress = self.output.progress().brief();
        let mut machines = Vec::new();
        for (name, settings) in all {
            let place = (self.out.as_path(), self.force);
            let machine = Machine::train(name, settings, &digits, place, self.seed, &mut progress);
            machines.push(machine.map_err(|error| match error {
                Error::Interrupted { .. } => {
                    Error::Interrupted { resume: "the same command continues from here".into() }
                }
                error => error,
            })?);
        }
        // The published values are for all of MNIST and for complete training.
        let are_comparable = digits.name == "mnist" && self.images.is_none() && self.epochs.is_none();
        let findings = if are_comparable { findings(&machines) } else { Vec::new() };
        let summary = Summary { data: digits.name, findings, machines };
        let path = self.out.join("summary.json");
        write_summary(&path, &summary)?;
        self.output.print(&summary, |summary| describe(summary, &path))
    }
}

fn describe(summary: &Summary, path: &Path) -> String {
    let pair = format!("{:>10}{:>10}", "published", "here");
    let mut text = format!(
        "log-likelihood of {}, nats per image; published values are for MNIST\n\n{:20}{:^20}{:^20}{:^20}\n\
         {:20}{pair}{pair}{pair}{:>9}\n",
        summary.data, "", "ln Z", "training images", "test images", "", "seconds"
    );
    let mut row = |name: &str, values: [Option<f64>; 6], seconds: &str| {
        let cell = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.2}"));
        let cells: String = values.map(|value| format!("{:>10}", cell(value))).concat();
        text += &format!("{name:20}{cells}{seconds:>9}\n");
    };
    for machine in &summary.machines {
        let Machine { name, published, evaluation, seconds, .. } = machine;
        let (train, test) = (evaluation.log_likelihood.train, evaluation.log_likelihood.test);
        let (log_partition, reverse) = evaluation.log_partition.value();
        let cells = [
            published.log_partition,
            Some(log_partition),
            published.train,
            first(train),
            Some(published.test),
            first(test),
        ];
        row(name, cells, &format!("{seconds:.0}"));
        if reverse.is_some() {
            let cells = [None, reverse, None, train.reverse, published.test_reverse, test.reverse];
            row("  reverse", cells, "");
        }
    }
    text.push('\n');
    for finding in &summary.findings {
        text += &format!("{:4} {}\n", if finding.holds { "yes" } else { "NO" }, finding.question);
    }
    text += "\nsources\n";
    for machine in &summary.machines {
        text += &format!("  {:20}{}\n", machine.name, machine.published.source);
    }
    text + &format!("wrote {} and a run for each machine beside it\n", path.display())
}
