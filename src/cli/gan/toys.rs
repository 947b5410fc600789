//! `equilibria gan toys`.

use crate::adversarial::dirac::{Known, known};
use crate::cli::output::{OutputArguments, check_range, counted, thousands, write_output, write_picture};
use crate::evaluate::stability::Verdict;
use crate::experiments::toys::{by_variant, modes_plot, sheet, trajectories};
use crate::run::interrupt::{self, Work};
use crate::run::toys::{POINTS, PlayedGame, Settings, Task, Variant, play, remove_runs};
use crate::{Error, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Play games that are small enough to analyse: Gaussians in the plane, and a single point.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  equilibria gan toys\n  equilibria gan toys --only ring --steps 50000 --seeds 5\n  \
    equilibria gan toys --only dirac\n\n\
    ring    8 Gaussians on a circle; grid: 25 on a square lattice. A point within 3 standard deviations of a centre is of high \
    quality. A mode is found if one of 2,500 points is of high quality for it.\n\
    dirac   data at one point, a generator of one point, a linear discriminator: a game with known trajectories.\n\n\
    Rings and grids take some minutes; with --steps 2000 --seeds 1, half a minute. After Ctrl-C, the same command goes on \
    where it was."
)]
pub(in crate::cli) struct Toys {
    /// The games to play [default: all].
    #[arg(long, value_delimiter = ',')]
    only: Vec<Only>,
    #[command(flatten)]
    settings: Settings,
    /// Number of seeds, with one game of each kind per seed.
    #[arg(long, default_value = "3")]
    seeds: usize,
    /// The first seed.
    #[arg(long, default_value = "1")]
    seed: u64,
    /// The folder for pictures and summary.json.
    #[arg(long, default_value = "out/toys")]
    out: PathBuf,
    #[command(flatten)]
    common: OutputArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Only {
    /// 8 Gaussians on a circle.
    Ring,
    /// 25 Gaussians on a lattice.
    Grid,
    /// A single point.
    Dirac,
}

#[derive(Serialize)]
struct Summary {
    #[serde(serialize_with = "crate::cli::output::path_as_text")]
    out: PathBuf,
    #[serde(rename = "how")]
    settings: Settings,
    tasks: Vec<Outcome>,
    dirac: Vec<Known>,
    #[serde(skip)]
    files: Vec<String>,
}

/// The games of one mixture.
#[derive(Serialize)]
struct Outcome {
    name: &'static str,
    modes: usize,
    published: &'static str,
    games: Vec<PlayedGame>,
}

const MOST_SEEDS: usize = 100;

impl Toys {
    pub(in crate::cli) fn run(self) -> Result<()> {
        let mut progress = self.common.start()?;
        let settings = self.settings;
        if self.wants("ring") || self.wants("grid") {
            settings.check()?;
        }
        check_range("--seeds", self.seeds, 1..=MOST_SEEDS, "games of each kind can be played")?;
        if self.seed.checked_add(self.seeds as u64).is_none() {
            let expected = format!("there are not {} seeds from there on", self.seeds);
            return Err(Error::invalid(format!("--seed {}", self.seed), expected));
        }
        interrupt::install(Work::Training)?;
        // Fails before the work, not after it.
        std::fs::create_dir_all(&self.out).map_err(|error| Error::io("creating", &self.out, error))?;
        let runs = self.out.join("runs");
        let mut summary = Summary {
            out: self.out.clone(),
            settings,
            tasks: Vec::new(),
            dirac: Vec::new(),
            files: Vec::new(),
        };
        for task in Task::all().into_iter().filter(|task| self.wants(task.name)) {
            let seeds: Vec<u64> = (self.seed..).take(self.seeds).collect();
            let (variants, stop) = (Variant::all(), &interrupt::requested);
            let games = play(&task, &variants, &seeds, &settings, &runs, &mut progress, stop)?;
            let png = sheet(&task, settings.steps, &games).and_then(|sheet| sheet.to_png());
            summary.draw(&format!("{}.png", task.name), png);
            summary.draw(&format!("{}-modes.svg", task.name), modes_plot(&task, &games).to_svg());
            let Task { name, mixture, published, .. } = task;
            summary.tasks.push(Outcome { name, modes: mixture.centres().len(), published, games });
        }
        if self.wants("dirac") {
            summary.dirac = known().into();
            summary.draw("dirac.svg", trajectories(&summary.dirac).to_svg());
        }
        let text =
            serde_json::to_string_pretty(&summary).map_err(|error| Error::invalid("summary", error))?;
        let written = write_output(&self.out.join("summary.json"), (text + "\n").as_bytes());
        if written.is_ok() {
            summary.files.push("summary.json".into());
            // Only an interrupted command needs them.
            for Outcome { name, games, .. } in &summary.tasks {
                remove_runs(&runs, name, games)?;
            }
        }
        self.common.print(&summary, |_| describe(&summary))?;
        written
    }

    fn wants(&self, name: &str) -> bool {
        let is_named = |only: &Only| only.to_possible_value().is_some_and(|value| value.matches(name, false));
        self.only.is_empty() || self.only.iter().any(is_named)
    }
}

impl Summary {
    fn draw(&mut self, file: &str, picture: Result<impl AsRef<[u8]>>) {
        if write_picture(&self.out.join(file), picture) {
            self.files.push(file.into());
        }
    }
}

fn describe(summary: &Summary) -> String {
    let mut text = String::new();
    for outcome in &summary.tasks {
        let seeds = outcome.games.len() / Variant::all().len();
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "{} of {} Gaussians: {} points after {}, {} a game\n{:<12}{:>14}{:>12}{:>15}   verdicts",
            outcome.name,
            outcome.modes,
            thousands(POINTS),
            counted(summary.settings.steps, "step"),
            counted(seeds, "seed"),
            "game",
            "modes, mean",
            "from-to",
            "high quality",
        );
        for games in by_variant(&outcome.games) {
            let found = || games.iter().map(|game| game.end().modes.found);
            let mean = |sum: f64| sum / games.len() as f64;
            let quality = mean(games.iter().map(|game| game.end().modes.high_quality).sum());
            let _ = writeln!(
                text,
                "{:<12}{:>14.1}{:>12}{:>13.0} %   {}",
                games[0].variant,
                mean(found().sum::<usize>() as f64),
                format!("{}-{}", found().min().unwrap_or(0), found().max().unwrap_or(0)),
                100.0 * quality,
                verdicts(games),
            );
        }
        let _ = writeln!(text, "published: {}\n", outcome.published);
    }
    if !summary.dirac.is_empty() {
        let _ = writeln!(
            text,
            "a single point: the smallest game, from (1, 0.5), and what theory knows of it\n\
             {:<38}{:<34}{:>10}{:>10}   number",
            "game", "outcome", "theory", "game's"
        );
        for known in &summary.dirac {
            let _ = writeln!(
                text,
                "{:<38}{:<34}{:>10.4}{:>10.4}   {}{}",
                known.game,
                known.outcome,
                known.expected,
                known.found,
                known.quantity,
                if known.agrees() { "" } else { ": NOT as theory says" },
            );
        }
        text.push('\n');
    }
    text + &format!("wrote {} in {}\n", summary.files.join(", "), summary.out.display())
}

/// `2 converged, 1 oscillating`.
fn verdicts(games: &[PlayedGame]) -> String {
    use Verdict::{Collapsed, Converged, Diverged, Oscillating, Unsettled};
    let count = |verdict| games.iter().filter(|game| game.stability.verdict == verdict).count();
    let all =
        [Converged, Oscillating, Collapsed, Diverged, Unsettled].map(|verdict| (count(verdict), verdict));
    let some: Vec<String> = all
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, verdict)| format!("{count} {verdict}"))
        .collect();
    some.join(", ")
}
