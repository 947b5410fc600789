//! `equilibria transport distance`: the cost of optimal transport between the points of two files, with its bounds.

use super::super::output::{
    check_range, create_folder_of, short, summary_path, warn, write_output, write_summary,
};
use super::sides::{Costs, FILES, Pair, Sides, between, number};
use crate::cli::output::OutputArguments;
use crate::rng::Stream;
use crate::run::Progress;
use crate::run::interrupt::{self, Work};
use crate::transport::sliced::weighted_sliced_wasserstein;
use crate::transport::{
    Cost, Regularisation, SinkhornProgress, SinkhornSettings, Solution, TransportPlan, sinkhorn,
    sinkhorn_divergence,
};
use crate::{Error, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Compute the optimal transport cost between the points of two files, with a lower and an upper bound.
#[derive(Debug, Args)]
#[command(after_help = format!("Examples:\n  equilibria transport distance a.csv b.csv\n  \
    equilibria transport distance a.jpg b.jpg --samples 5000 --method sinkhorn --accuracy 1%\n\n\
    {FILES}\n\n\
    Methods:\n\
    exact       the optimal plan, by the network simplex method; on a line by sorting\n\
    sinkhorn    entropic transport; the bounds are those of the cost without entropy\n\
    sliced      the mean cost along random directions; no bounds\n\
    divergence  the debiased Sinkhorn divergence; no bounds\n\n\
    Weights are divided by their sum: the cost is that of a unit of mass. Ctrl-C ends exact and sinkhorn with their best \
    bounds so far, and status 130."))]
pub(in crate::cli) struct Distance {
    #[command(flatten)]
    sides: Sides,
    /// The cost of moving a unit of mass between two points.
    #[arg(long, value_enum, default_value = "sqeuclidean")]
    cost: Costs,
    /// The algorithm.
    #[arg(long, value_enum, default_value = "exact")]
    method: Method,
    /// Sinkhorn: the distance of the bounds at which it stops, as a share of the upper one [default: 1%].
    #[arg(long, value_parser = share, conflicts_with = "epsilon")]
    accuracy: Option<f64>,
    /// Sinkhorn and divergence: strength of the entropy, in the unit of the cost [default of the divergence: 1 % of the mean
    /// cost].
    #[arg(long)]
    epsilon: Option<f64>,
    /// Sinkhorn and divergence: L1 error of the plan's sums at which they stop, for a mass of 1 [default: 1e-6; with
    /// --accuracy 1e-3].
    #[arg(long)]
    tolerance: Option<f64>,
    /// Sliced: number of random directions [default: 500].
    #[arg(long)]
    directions: Option<usize>,
    /// Exact: write the plan as CSV with the columns i, j and mass; points count from 0.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// The folder for summary.json, or a file that ends with .json [default: none is written].
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    common: OutputArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Method {
    Exact,
    Sinkhorn,
    Sliced,
    Divergence,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Sinkhorn => "sinkhorn",
            Self::Sliced => "sliced",
            Self::Divergence => "divergence",
        }
    }
}

/// Directions of the sliced distance by default.
const DIRECTIONS: usize = 500;

/// ε of the divergence by default, as a share of the mean cost.
const EPSILON: f64 = 0.01;

/// Parses 1% or 0.01.
fn share(text: &str) -> std::result::Result<f64, String> {
    let (number, unit) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 0.01));
    match number.trim().parse::<f64>().map(|number| number * unit) {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("a share between 0 and 1 is needed, for instance 1% or 0.01".into()),
    }
}

/// The result, as summary.json has it. Numbers that a method does not have are null.
#[derive(Serialize)]
struct DistanceSummary {
    a: String,
    b: String,
    method: Method,
    ground: Costs,
    /// Points of A and of B.
    points: [usize; 2],
    dimension: usize,
    cost: f64,
    /// The root of a squared cost.
    w2: Option<f64>,
    lower_bound: Option<f64>,
    upper_bound: Option<f64>,
    /// The L1 distance of the plan's sums from the weights.
    marginal_error: Option<f64>,
    /// Pivots or sweeps.
    iterations: Option<usize>,
    epsilon: Option<f64>,
    /// The standard error of the cost, from the random choice of directions.
    standard_error: Option<f64>,
    converged: bool,
    seconds: f64,
}

/// The part of the result that the methods compute.
#[derive(Default)]
struct Found {
    cost: f64,
    bounds: Option<[f64; 2]>,
    marginal_error: Option<f64>,
    iterations: Option<usize>,
    epsilon: Option<f64>,
    standard_error: Option<f64>,
    converged: bool,
    plan: Option<TransportPlan>,
}

impl From<Solution> for Found {
    fn from(solution: Solution) -> Self {
        Self {
            cost: solution.cost,
            bounds: Some([solution.lower_bound, solution.upper_bound]),
            marginal_error: Some(solution.marginal_error),
            iterations: Some(solution.iterations),
            converged: solution.converged,
            plan: solution.plan,
            ..Self::default()
        }
    }
}

impl Distance {
    pub(super) fn run(self) -> Result<()> {
        self.check()?;
        let mut progress = self.common.start()?;
        let pair = self.sides.read()?;
        let summary_path = self.out.as_deref().map(|out| summary_path(Some(out), Path::new("")));
        summary_path.iter().chain(&self.plan).try_for_each(|path| create_folder_of(path))?;

        let started = Instant::now();
        let found = match self.method {
            Method::Exact => pair.exact(self.cost, self.plan.is_some(), &mut progress)?.into(),
            Method::Sinkhorn => self.sinkhorn(&pair, &mut progress)?,
            Method::Sliced => self.sliced(&pair)?,
            Method::Divergence => self.divergence(&pair)?,
        };
        progress.finish("");
        let is_squared = self.cost == Costs::SqEuclidean;
        let summary = DistanceSummary {
            a: self.sides.a.display().to_string(),
            b: self.sides.b.display().to_string(),
            method: self.method,
            ground: self.cost,
            points: [pair.a.count(), pair.b.count()],
            dimension: pair.a.dimension(),
            cost: found.cost,
            w2: is_squared.then(|| found.cost.max(0.0).sqrt()),
            lower_bound: found.bounds.map(|bounds| bounds[0]),
            upper_bound: found.bounds.map(|bounds| bounds[1]),
            marginal_error: found.marginal_error,
            iterations: found.iterations,
            epsilon: found.epsilon,
            standard_error: found.standard_error,
            converged: found.converged,
            seconds: started.elapsed().as_secs_f64(),
        };
        if let (Some(path), Some(plan)) = (&self.plan, &found.plan) {
            write_output(path, as_csv(plan).as_bytes())?;
        }
        if let Some(path) = &summary_path {
            write_summary(path, &summary)?;
        }
        self.common.print(&summary, |_| summary.text())?;
        if found.converged {
            return Ok(());
        }
        if interrupt::requested() && found.bounds.is_some() {
            return Err(Error::Interrupted {
                resume: "the bounds above hold; the same command starts anew".into(),
            });
        }
        warn("the solver did not converge; bounds, where they are given, hold all the same");
        Ok(())
    }

    /// Checks the options.
    fn check(&self) -> Result<()> {
        use Method::{Divergence, Exact, Sinkhorn, Sliced};
        let given: [(&str, bool, &[Method]); 5] = [
            ("--accuracy", self.accuracy.is_some(), &[Sinkhorn]),
            ("--epsilon", self.epsilon.is_some(), &[Sinkhorn, Divergence]),
            ("--tolerance", self.tolerance.is_some(), &[Sinkhorn, Divergence]),
            ("--directions", self.directions.is_some(), &[Sliced]),
            ("--plan", self.plan.is_some(), &[Exact]),
        ];
        for (option, is_given, methods) in given {
            if is_given && !methods.contains(&self.method) {
                let names: Vec<&str> = methods.iter().map(|method| method.name()).collect();
                let argument = format!("{option} with --method {}", self.method.name());
                return Err(Error::invalid(
                    argument,
                    format!("it belongs to --method {}", names.join(" or ")),
                ));
            }
        }
        for (option, value) in [("--epsilon", self.epsilon), ("--tolerance", self.tolerance)] {
            if let Some(value) = value.filter(|value| !(*value > 0.0 && value.is_finite())) {
                return Err(Error::invalid(
                    format!("{option} {value}"),
                    "a positive finite number is needed",
                ));
            }
        }
        if let Some(directions) = self.directions {
            check_range("--directions", directions, 2..=1_000_000, "directions can be used")?;
        }
        if self.method == Sliced && self.cost == Costs::CityBlock {
            return Err(Error::invalid(
                "--method sliced with --cost cityblock",
                "slices are defined for sqeuclidean and euclidean",
            ));
        }
        Ok(())
    }

    fn sinkhorn(&self, pair: &Pair, progress: &mut Progress) -> Result<Found> {
        let cost = Cost::points(pair.a.points(), pair.b.points(), self.cost.ground())?;
        let mut settings = match self.epsilon {
            Some(epsilon) => SinkhornSettings::epsilon(epsilon),
            None => SinkhornSettings::accuracy(self.accuracy.unwrap_or(0.01)),
        };
        settings.tolerance = self.tolerance.unwrap_or(settings.tolerance);
        interrupt::install(Work::Unsaved)?;
        progress.start(0, "");
        let mut watch = |state: &SinkhornProgress| {
            let bounds = between(state.bounds.0, state.bounds.1);
            let (epsilon, error) = (short(state.epsilon), short(state.marginal_error));
            progress.message(&format!("{bounds}, epsilon {epsilon}, marginal error {error}"));
            progress.advance(1);
            !interrupt::requested()
        };
        let solution = sinkhorn(&cost, &pair.marginals, &settings, &mut watch)?;
        let mut found = Found { epsilon: self.epsilon, ..Found::from(solution) };
        // The entropic plan misses its sums by the tolerance, so that its cost may lie outside the bounds by that much.
        if let (Regularisation::Accuracy(_), Some([lower, upper])) = (settings.regularisation, found.bounds) {
            found.cost = found.cost.max(lower).min(upper);
        }
        Ok(found)
    }

    fn sliced(&self, pair: &Pair) -> Result<Found> {
        let (power, directions) = (self.cost.power(), self.directions.unwrap_or(DIRECTIONS));
        let stream = Stream::named(self.sides.seed, "directions");
        let (x, y) = (pair.a.points(), pair.b.points());
        let found = weighted_sliced_wasserstein(x, y, &pair.marginals, power, directions, stream)?;
        // d(x²) = 2 x dx
        let (cost, slope) = match power {
            1 => (found.distance, 1.0),
            _ => (found.distance * found.distance, 2.0 * found.distance),
        };
        let standard_error = Some(slope * found.standard_error);
        Ok(Found { cost, standard_error, converged: true, ..Found::default() })
    }

    fn divergence(&self, pair: &Pair) -> Result<Found> {
        let (x, y, ground) = (pair.a.points(), pair.b.points(), self.cost.ground());
        let epsilon = match self.epsilon {
            Some(epsilon) => epsilon,
            None => {
                let mean = Cost::points(x, y, ground)?.mean();
                // Equal points cost nothing, with any ε.
                if mean > 0.0 { EPSILON * mean } else { 1.0 }
            }
        };
        let tolerance = self.tolerance.unwrap_or(1e-6);
        let found = sinkhorn_divergence(x, y, &pair.marginals, ground, epsilon, tolerance)?;
        let (cost, converged) = (found.value, found.converged);
        Ok(Found { cost, epsilon: Some(epsilon), converged, ..Found::default() })
    }
}

impl DistanceSummary {
    fn text(&self) -> String {
        let mut text = format!("cost    {}", number(self.cost));
        if let Some(error) = self.standard_error {
            let _ = write!(text, " +- {} (standard error)", number(error));
        }
        if let Some(w2) = self.w2 {
            let name = match self.method {
                Method::Sliced => "sliced W2",
                Method::Divergence => "root",
                _ => "W2",
            };
            let _ = write!(text, "; {name} = {}", number(w2));
        }
        if let (Some(lower), Some(upper)) = (self.lower_bound, self.upper_bound) {
            let _ = write!(text, "\nbounds  {} to {}", number(lower), number(upper));
        }
        let [n, m] = self.points;
        let _ = write!(text, "\nmethod  {}", self.method.name());
        if let Some(epsilon) = self.epsilon {
            let _ = write!(text, ", epsilon {}", number(epsilon));
        }
        if !self.converged {
            text += ", not converged";
        }
        let _ = writeln!(
            text,
            "; {n} and {m} points of dimension {}\ntime    {:.3} s",
            self.dimension, self.seconds
        );
        text
    }
}

/// The positive entries of a plan.
fn as_csv(plan: &TransportPlan) -> String {
    let mut text = String::from("i,j,mass\n");
    plan.for_each(|i, j, mass| {
        let _ = writeln!(text, "{i},{j},{mass}");
    });
    text
}
