//! `equilibria rbm reproduce-literature`.

use crate::boltzmann::learning::NegativePhase;
use crate::cli::machine::absolute;
use crate::cli::output::{OutputArguments, write_summary};
use crate::data::{Binarisation, Digits, Reading};
use crate::optim::Schedule;
use crate::run::rbm::{Anneal, Estimates, Evaluation, Method, Settings, evaluate};
use crate::run::{Progress, RunSettings, interrupt, train_or_resume};
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
    #[arg(long, default_value_t = 1)]
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Name {
    /// 16 hidden units, persistent contrastive divergence, centred.
    #[value(name = "centred-16")]
    Centred16,
    /// The same, not centred.
    #[value(name = "normal-16")]
    Normal16,
    /// 16 hidden units, centred, on inverted images.
    #[value(name = "centred-16-inverted")]
    Centred16Inverted,
    /// The same, not centred.
    #[value(name = "normal-16-inverted")]
    Normal16Inverted,
    /// 500 hidden units, pixels on above 127.
    Large,
    /// 500 hidden units, pixels sampled anew each epoch.
    LargeSampled,
}

/// Published values of a machine; log-likelihoods in nats per image.
#[derive(Debug, Clone, Copy, Serialize)]
struct Published {
    source: &'static str,
    log_partition: Option<f64>,
    train: Option<f64>,
    /// Exact, or the forward estimate.
    test: f64,
    /// The reverse estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    test_reverse: Option<f64>,
}

impl Name {
    fn text(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().into())
    }

    fn published(self) -> Published {
        let value = |source, log_partition, train, test, test_reverse| Published {
            source,
            log_partition,
            train,
            test,
            test_reverse,
        };
        let small = |log_partition, train, test| {
            value("PyDeep, RBM_MNIST_small, PCD-1", Some(log_partition), Some(train), test, None)
        };
        let large = |source, test, reverse| value(source, None, None, test, reverse);
        match self {
            Self::Centred16 => small(310.18, -143.15, -142.56),
            Self::Normal16 => small(190.95, -149.61, -149.05),
            Self::Centred16Inverted => small(310.25, -142.81, -142.09),
            Self::Normal16Inverted => small(3495.27, -183.26, -183.36),
            Self::Large => large("PyDeep, RBM_MNIST_big, PCD-1, centred", -84.86, Some(-96.61)),
            Self::LargeSampled => large("Salakhutdinov & Murray 2008, CD-25", -86.34, None),
        }
    }

    fn is_small(self) -> bool {
        !matches!(self, Self::Large | Self::LargeSampled)
    }

    /// The settings of training. Small machines are trained as in the literature, large ones longer.
    fn settings(self, common: Settings) -> Settings {
        let (hidden, epochs, learning_rate, weight_decay) = match self {
            Self::Large => (500, 120, Schedule::line(0.05, 0.0003), 1e-4),
            Self::LargeSampled => (500, 450, Schedule::line(0.1, 0.0002), 1e-4),
            _ => (16, 50, Schedule::constant(0.01), 0.0),
        };
        Settings {
            hidden,
            epochs,
            learning_rate,
            weight_decay,
            momentum: Schedule::constant(0.0),
            method: NegativePhase::Persistent,
            steps: 1,
            batch: 100,
            centred: !matches!(self, Self::Normal16 | Self::Normal16Inverted),
            invert: matches!(self, Self::Centred16Inverted | Self::Normal16Inverted),
            binarise: if self == Self::LargeSampled { Binarisation::Sampled } else { common.binarise },
            ..common
        }
    }
}

/// Tolerance of a small machine below the published value, in nats.
const TOLERANCE: f64 = 1.5;
/// The target of machines with 500 hidden units, better than published; nats per image.
const GOAL: f64 = -84.0;

#[derive(Serialize)]
struct Summary {
    data: String,
    machines: Vec<Machine>,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Machine {
    name: String,
    published: Published,
    settings: Settings,
    /// Seconds of training, without monitoring.
    seconds: f64,
    evaluation: Evaluation,
    #[serde(skip)]
    id: Name,
}

#[derive(Serialize)]
struct Finding {
    question: String,
    holds: bool,
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
            machines.push(self.machine(name, settings, &digits, &mut progress).map_err(
                |error| match error {
                    Error::Interrupted { .. } => {
                        Error::Interrupted { resume: "the same command continues from here".into() }
                    }
                    error => error,
                },
            )?);
        }
        // The published values are for all of MNIST and for complete training.
        let are_comparable = digits.name == "mnist" && self.images.is_none() && self.epochs.is_none();
        let findings = if are_comparable { findings(&machines) } else { Vec::new() };
        let summary = Summary { data: digits.name, findings, machines };
        let path = self.out.join("summary.json");
        write_summary(&path, &summary)?;
        self.output.print(&summary, |summary| describe(summary, &path))
    }

    fn machine(
        &self,
        id: Name,
        settings: Settings,
        digits: &Digits,
        progress: &mut Progress,
    ) -> Result<Machine> {
        let inverted = settings.invert.then(|| {
            let mut copy = digits.clone();
            copy.invert();
            copy
        });
        let (digits, stop) = (inverted.as_ref().unwrap_or(digits), &interrupt::requested);
        let name = id.text();
        let path = self.out.join(&name);
        let (model, summary) = train_or_resume(&path, self.force, &settings, digits, progress, stop)?;
        let method = if id.is_small() { Method::Exact } else { Method::Annealed(Anneal::default()) };
        let evaluation = evaluate(&model, &settings, digits, &method, self.seed, progress, stop)?;
        let seconds = summary.seconds_per_epoch.iter().sum();
        if !self.output.quiet {
            let value = first(evaluation.log_likelihood.test).unwrap_or(f64::NAN);
            progress.finish(&format!("{name}: {value:.2} nats, trained in {seconds:.0} s"));
        }
        Ok(Machine { name, published: id.published(), settings, seconds, evaluation, id })
    }
}

/// The exact value, or the forward estimate.
fn first(estimates: Estimates) -> Option<f64> {
    estimates.exact.or(estimates.forward)
}

/// The tests of the trained machines.
fn findings(machines: &[Machine]) -> Vec<Finding> {
    let test = |machine: &Machine| first(machine.evaluation.log_likelihood.test).unwrap_or(f64::NAN);
    let find = |name| machines.iter().find(|machine| machine.id == name).map(test);
    let mut findings = Vec::new();
    let mut add = |question: String, holds| findings.push(Finding { question, holds });
    for machine in machines {
        let (name, value, published) = (&machine.name, test(machine), machine.published.test);
        if machine.id.is_small() {
            add(
                format!("{name}: within {TOLERANCE} nats of the published test value, or better"),
                value >= published - TOLERANCE,
            );
        } else {
            let reverse = machine.evaluation.log_likelihood.test.reverse.unwrap_or(f64::NAN);
            let within = (value - reverse).abs() <= 2.0;
            add(format!("{name}: forward and reverse estimate within 2 nats"), within);
            add(format!("{name}: better than published, by both estimates"), value.min(reverse) > published);
            add(format!("{name}: at least {GOAL} nats, by the forward estimate"), value >= GOAL);
        }
    }
    let [plain, inverted] = [Name::Centred16, Name::Centred16Inverted].map(find);
    for (images, centred, normal) in
        [("images", plain, Name::Normal16), ("inverted images", inverted, Name::Normal16Inverted)]
    {
        if let (Some(centred), Some(normal)) = (centred, find(normal)) {
            add(format!("centred learning is better than plain learning, on {images}"), centred > normal);
        }
    }
    if let (Some(plain), Some(inverted)) = (plain, inverted) {
        add(
            format!("centred learning is as good on inverted images (within {TOLERANCE} nats)"),
            (plain - inverted).abs() <= TOLERANCE,
        );
    }
    findings
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
