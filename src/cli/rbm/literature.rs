//! `equilibria rbm reproduce-literature`.

use crate::boltzmann::learning::NegativePhase;
use crate::cli::machine::{absolute, write_output};
use crate::cli::{print, print_json, use_threads};
use crate::data::{Binarisation, Digits};
use crate::optim::Schedule;
use crate::run::rbm::{Anneal, Evaluation, Method, Settings, evaluate, train_or_resume};
use crate::run::{Progress, interrupt};
use crate::{Error, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Train machines of which the log-likelihood on MNIST is published, and print both values side by side.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  equilibria rbm reproduce-literature --data mnist\n\n\
    The published values are those of MNIST. Small machines are evaluated exactly, large ones by annealing, forward and \
    in reverse. A second run of the command goes on where the first one stopped.")]
pub(in crate::cli) struct ReproduceLiterature {
    /// Machines to train [default: all].
    machines: Vec<Name>,
    /// A folder with MNIST's four files (or its parent), or `synthetic` to try the command.
    #[arg(long)]
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
    /// Threads to use [default: all].
    #[arg(long)]
    threads: Option<usize>,
    /// The folder for the summary and a run directory for each machine.
    #[arg(long, default_value = "runs/literature")]
    out: PathBuf,
    /// Replace runs with other settings that are in the way.
    #[arg(long)]
    force: bool,
    /// Print the summary as JSON on standard output.
    #[arg(long)]
    json: bool,
    /// Show no progress.
    #[arg(long, short)]
    quiet: bool,
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

/// What a paper or a program says of a machine; log-likelihoods in nats an image.
#[derive(Debug, Clone, Copy, Serialize)]
struct Published {
    source: &'static str,
    log_partition: Option<f64>,
    train: Option<f64>,
    /// Exact, or by the forward estimate.
    test: f64,
    /// By the reverse estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    test_reverse: Option<f64>,
}

const PYDEEP: &str = "PyDeep, RBM_MNIST_small, PCD-1";
const PYDEEP_LARGE: &str = "PyDeep, RBM_MNIST_big, PCD-1, centred";
const SALAKHUTDINOV: &str = "Salakhutdinov & Murray 2008, CD-25";

impl Name {
    fn text(self) -> &'static str {
        match self {
            Self::Centred16 => "centred-16",
            Self::Normal16 => "normal-16",
            Self::Centred16Inverted => "centred-16-inverted",
            Self::Normal16Inverted => "normal-16-inverted",
            Self::Large => "large",
            Self::LargeSampled => "large-sampled",
        }
    }

    fn published(self) -> Published {
        let small = |log_partition, train, test| Published {
            source: PYDEEP,
            log_partition: Some(log_partition),
            train: Some(train),
            test,
            test_reverse: None,
        };
        let large = |source, test, test_reverse| Published {
            source,
            log_partition: None,
            train: None,
            test,
            test_reverse,
        };
        match self {
            Self::Centred16 => small(310.18, -143.15, -142.56),
            Self::Normal16 => small(190.95, -149.61, -149.05),
            Self::Centred16Inverted => small(310.25, -142.81, -142.09),
            Self::Normal16Inverted => small(3495.27, -183.26, -183.36),
            Self::Large => large(PYDEEP_LARGE, -84.86, Some(-96.61)),
            Self::LargeSampled => large(SALAKHUTDINOV, -86.34, None),
        }
    }

    fn is_small(self) -> bool {
        !matches!(self, Self::Large | Self::LargeSampled)
    }

    /// Small machines as the literature trained them, large ones better.
    fn settings(self, common: Settings) -> Settings {
        let plain = Settings {
            momentum: Schedule::constant(0.0),
            method: NegativePhase::Persistent,
            steps: 1,
            batch: 100,
            centred: !matches!(self, Self::Normal16 | Self::Normal16Inverted),
            invert: matches!(self, Self::Centred16Inverted | Self::Normal16Inverted),
            ..common
        };
        match self {
            Self::Large => Settings {
                hidden: 500,
                epochs: 120,
                learning_rate: Schedule::line(0.05, 0.0003),
                weight_decay: 1e-4,
                ..plain
            },
            Self::LargeSampled => Settings {
                hidden: 500,
                epochs: 450,
                learning_rate: Schedule::line(0.1, 0.0002),
                weight_decay: 1e-4,
                binarise: Binarisation::Sampled,
                ..plain
            },
            _ => Settings {
                hidden: 16,
                epochs: 50,
                learning_rate: Schedule::constant(0.01),
                weight_decay: 0.0,
                ..plain
            },
        }
    }

    fn method(self) -> Method {
        if self.is_small() { Method::Exact } else { Method::Annealed(Anneal::default()) }
    }
}

/// Nats by which a small machine may miss the published value.
const TOLERANCE: f64 = 1.5;
/// What a machine of 500 hidden units can reach, and published ones have not; nats an image.
const GOAL: f64 = -84.0;

#[derive(Serialize)]
struct Summary {
    data: String,
    machines: Vec<Machine>,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Machine {
    name: &'static str,
    published: Published,
    settings: Settings,
    /// Of training, without monitors.
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
        use_threads(self.threads)?;
        self.machines.sort_unstable();
        self.machines.dedup();
        if self.machines.is_empty() {
            self.machines = Name::value_variants().to_vec();
        }
        let common = Settings {
            data: absolute(&self.data)?,
            images: self.images,
            seed: self.seed,
            ..Settings::default()
        };
        let all: Vec<(Name, Settings)> = self
            .machines
            .iter()
            .map(|&name| {
                let settings = name.settings(common.clone());
                let epochs = self.epochs.unwrap_or(settings.epochs);
                (name, Settings { epochs, ..settings })
            })
            .collect();
        let digits = common.load()?;
        interrupt::install(interrupt::Work::Training)?;
        for (_, settings) in &all {
            settings.check(digits.train.len())?;
        }
        let mut progress = Progress::choose(self.quiet).brief();
        let mut machines = Vec::new();
        for (name, settings) in all {
            machines.push(self.machine(name, settings, &digits, &mut progress)?);
        }
        // What was published is of all of MNIST and of machines that were trained to the end.
        let are_comparable = digits.name == "mnist" && self.images.is_none() && self.epochs.is_none();
        let findings = if are_comparable { findings(&machines) } else { Vec::new() };
        let summary = Summary { data: digits.name, findings, machines };
        let text = serde_json::to_vec_pretty(&summary).map_err(|error| Error::invalid("summary", error))?;
        let path = self.out.join("summary.json");
        write_output(&path, &text)?;
        if self.json {
            return print_json(&summary);
        }
        print(&describe(&summary, &path))
    }

    fn machine(
        &self,
        name: Name,
        settings: Settings,
        digits: &Digits,
        progress: &mut Progress,
    ) -> Result<Machine> {
        let again = || Error::Interrupted { resume: "the same command goes on from here".into() };
        let inverted;
        let digits = if settings.invert {
            let mut copy = digits.clone();
            copy.invert();
            inverted = copy;
            &inverted
        } else {
            digits
        };
        let path = self.out.join(name.text());
        let (model, summary) =
            train_or_resume(&path, self.force, &settings, digits, progress, &interrupt::requested)
                .map_err(|error| if matches!(error, Error::Interrupted { .. }) { again() } else { error })?;
        let (method, stop) = (name.method(), &interrupt::requested);
        let evaluation = evaluate(&model, &settings, digits, &method, self.seed, progress, stop)
            .map_err(|error| if matches!(error, Error::Interrupted { .. }) { again() } else { error })?;
        let seconds = summary.seconds_per_epoch.iter().sum();
        if !self.quiet {
            let test = evaluation.log_likelihood.test;
            let value = test.exact.or(test.forward).unwrap_or(f64::NAN);
            progress.finish(&format!("{}: {value:.2} nats, trained in {seconds:.0} s", name.text()));
        }
        Ok(Machine {
            name: name.text(),
            published: name.published(),
            settings,
            seconds,
            evaluation,
            id: name,
        })
    }
}

/// What is to hold, of the machines that were trained.
fn findings(machines: &[Machine]) -> Vec<Finding> {
    let test = |machine: &Machine| {
        let test = machine.evaluation.log_likelihood.test;
        (test.exact.or(test.forward).unwrap_or(f64::NAN), test.reverse.unwrap_or(f64::NAN))
    };
    let find = |name| machines.iter().find(|machine| machine.id == name).map(test);
    let mut findings = Vec::new();
    for machine in machines {
        let (value, reverse) = test(machine);
        let name = machine.name;
        if machine.id.is_small() {
            findings.push(Finding {
                question: format!("{name}: within {TOLERANCE} nats of the published test value, or better"),
                holds: value >= machine.published.test - TOLERANCE,
            });
        } else {
            findings.push(Finding {
                question: format!("{name}: forward and reverse estimate within 2 nats"),
                holds: (value - reverse).abs() <= 2.0,
            });
            findings.push(Finding {
                question: format!("{name}: better than published, by both estimates"),
                holds: value.min(reverse) > machine.published.test,
            });
            findings.push(Finding {
                question: format!("{name}: at least {GOAL} nats, by the forward estimate"),
                holds: value >= GOAL,
            });
        }
    }
    let pairs = [
        ("images", Name::Centred16, Name::Normal16),
        ("inverted images", Name::Centred16Inverted, Name::Normal16Inverted),
    ];
    for (images, centred, normal) in pairs {
        if let (Some(centred), Some(normal)) = (find(centred), find(normal)) {
            findings.push(Finding {
                question: format!("centred learning is better than plain learning, on {images}"),
                holds: centred.0 > normal.0,
            });
        }
    }
    if let (Some(plain), Some(inverted)) = (find(Name::Centred16), find(Name::Centred16Inverted)) {
        findings.push(Finding {
            question: format!("centred learning does not mind inverted images (within {TOLERANCE} nats)"),
            holds: (plain.0 - inverted.0).abs() <= TOLERANCE,
        });
    }
    findings
}

fn describe(summary: &Summary, path: &Path) -> String {
    let mut text = format!(
        "log-likelihood of {}, nats an image; published values are of MNIST\n\n{:20}{:^18}{:^20}{:^20}{:>9}\n\
         {:20}{:>9}{:>9}{:>10}{:>10}{:>10}{:>10}{:>9}\n",
        summary.data,
        "",
        "ln Z",
        "training images",
        "test images",
        "",
        "",
        "published",
        "here",
        "published",
        "here",
        "published",
        "here",
        "seconds"
    );
    let cell = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.2}"));
    for machine in &summary.machines {
        let Machine { name, published, evaluation, seconds, .. } = machine;
        let (train, test) = (evaluation.log_likelihood.train, evaluation.log_likelihood.test);
        let log_partition = evaluation.log_partition.value();
        let mut row = |name: &str, values: [Option<f64>; 6], seconds: &str| {
            let [z, here_z, train, here_train, test, here_test] = values.map(cell);
            text += &format!(
                "{name:20}{z:>9}{here_z:>9}{train:>10}{here_train:>10}{test:>10}{here_test:>10}{seconds:>9}\n"
            );
        };
        let forward = |estimates: crate::run::rbm::Estimates| estimates.exact.or(estimates.forward);
        let published_test = Some(published.test);
        row(
            name,
            [
                published.log_partition,
                Some(log_partition.0),
                published.train,
                forward(train),
                published_test,
                forward(test),
            ],
            &format!("{seconds:.0}"),
        );
        if let Some(reverse) = log_partition.1 {
            row(
                "  reverse",
                [None, Some(reverse), None, train.reverse, published.test_reverse, test.reverse],
                "",
            );
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
