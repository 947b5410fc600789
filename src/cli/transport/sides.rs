//! The two files of `equilibria transport`: their points, and the exact plan between them.

use super::super::output::{check_range, note, short};
use crate::data::Points;
use crate::rng::Stream;
use crate::run::interrupt::{self, Work};
use crate::run::{Progress, remember_file};
use crate::transport::{Cost, ExactOptions, ExactProgress, Ground, Marginals, Solution, exact, on_a_line};
use crate::{Error, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The number of pairs from which the exact method takes minutes, so that a note says what is faster.
const MANY_PAIRS: f64 = 1e9;

/// The files and the choice of their points.
#[derive(Debug, Args)]
pub(super) struct Sides {
    /// The file of the source points.
    pub a: PathBuf,
    /// The file of the target points.
    pub b: PathBuf,
    /// Permit weights of A and B with different sums.
    #[arg(long)]
    normalise: bool,
    /// Use a random sample of this many points of each file [default: all points].
    #[arg(long)]
    samples: Option<usize>,
    /// Seed of random choices: the sample, and the directions of the sliced distance.
    #[arg(long, default_value = "1")]
    pub seed: u64,
}

/// The points of both files, of the same dimension.
pub(super) struct Pair {
    pub a: Points,
    pub b: Points,
    pub marginals: Marginals,
}

/// The costs by their names in SciPy and POT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
pub(super) enum Costs {
    /// The squared Euclidean distance: the cost of W2 squared.
    SqEuclidean,
    /// The Euclidean distance: the cost of W1.
    Euclidean,
    /// The sum of the absolute differences.
    CityBlock,
}

impl Costs {
    pub fn ground(self) -> Ground {
        match self {
            Self::SqEuclidean => Ground::SquaredEuclidean,
            Self::Euclidean => Ground::Euclidean,
            Self::CityBlock => Ground::CityBlock,
        }
    }

    /// The power of the distance between two points on a line.
    pub fn power(self) -> u32 {
        if self == Self::SqEuclidean { 2 } else { 1 }
    }
}

impl Sides {
    /// Reads both files.
    pub fn read(&self) -> Result<Pair> {
        if let Some(samples) = self.samples {
            check_range("--samples", samples, 1..=1 << 31, "points can be sampled")?;
        }
        let (a, b) = (self.points(&self.a, 0)?, self.points(&self.b, 1)?);
        let marginals = self.marginals(&a, &b)?;
        Ok(Pair { a, b, marginals })
    }

    /// Reads a file, and takes a sample of its points on request.
    fn points(&self, path: &Path, side: u64) -> Result<Points> {
        let points = Points::read(path)?;
        remember_file(path)?;
        match self.samples {
            Some(samples) => points.sample(samples, Stream::named(self.seed, "sample").substream(side)),
            None => Ok(points),
        }
    }

    /// The masses of both sides, whose points have the same dimension.
    fn marginals(&self, a: &Points, b: &Points) -> Result<Marginals> {
        let files = || format!("{} and {}", self.a.display(), self.b.display());
        if a.dimension() != b.dimension() {
            let expected = format!(
                "their points have {} and {} coordinates; the numbers must be equal",
                a.dimension(),
                b.dimension()
            );
            return Err(Error::unusable(files(), expected));
        }
        if self.normalise {
            return Marginals::normalised(a.weights(), b.weights());
        }
        Marginals::new(a.weights(), b.weights()).map_err(|error| {
            let [sum_a, sum_b] = [a, b].map(|points| points.weights().iter().sum::<f64>());
            if sum_a == 0.0 || sum_b == 0.0 {
                return error;
            }
            let expected = format!(
                "their weights have sums of {} and {}; make them equal, or add --normalise",
                number(sum_a),
                number(sum_b)
            );
            Error::unusable(files(), expected)
        })
    }
}

impl Pair {
    /// The optimal plan: on a line by sorting.
    pub fn exact(&self, costs: Costs, with_plan: bool, progress: &mut Progress) -> Result<Solution> {
        let (x, y) = (self.a.points(), self.b.points());
        if self.a.dimension() == 1 {
            return on_a_line(x.data(), y.data(), &self.marginals, f64::from(costs.power()));
        }
        let cost = Cost::points(x, y, costs.ground())?;
        if self.a.count() as f64 * self.b.count() as f64 > MANY_PAIRS {
            note("this may take minutes; --samples 10000 or --method sinkhorn is faster");
        }
        interrupt::install(Work::Unsaved)?;
        progress.start(0, "");
        let mut watch = |state: &ExactProgress| {
            let bounds = between(state.lower_bound, state.upper_bound);
            progress.message(&format!("{bounds}, round {}, {} pivots", state.round, state.pivots));
            progress.advance(1);
            !interrupt::requested()
        };
        let options = ExactOptions { plan: with_plan, watch: Some(&mut watch), ..Default::default() };
        exact(&cost, &self.marginals, options)
    }

    /// The optimal plan, or an error if the user stopped the solver.
    pub fn optimal(&self, costs: Costs, progress: &mut Progress) -> Result<Solution> {
        let solution = self.exact(costs, true, progress)?;
        progress.finish("");
        match solution.converged {
            true => Ok(solution),
            false => Err(Error::Interrupted { resume: NOTHING_KEPT.into() }),
        }
    }
}

/// The end of a command that keeps nothing.
pub(super) const NOTHING_KEPT: &str = "nothing is kept: the same command starts anew";

/// The help about files.
pub(super) const FILES: &str = "Files:\n\
    CSV       a point per line; weights in the last column if the header calls it `weight`\n\
    .npy      float32 or float64, a point per row\n\
    PNG, JPEG in colour: a point per pixel, red, green and blue from 0 to 1; in grey: a histogram of 256 levels from 0 to 1\n\
    IDX       a point per image: its pixels from 0 to 1";

/// The bounds of a solver that runs, and the gap between them.
pub(super) fn between(lower: f64, upper: f64) -> String {
    let gap = if upper > lower { 100.0 * (upper - lower) / upper.abs() } else { 0.0 };
    format!("cost {} to {} (gap {} %)", number(lower), number(upper), short(gap))
}

/// A number with up to 7 digits.
pub(super) fn number(value: f64) -> String {
    let rounded: f64 = format!("{value:.6e}").parse().unwrap_or(value);
    match rounded.abs() {
        0.0 | 1e-4..1e7 => rounded.to_string(),
        _ => format!("{rounded:e}"),
    }
}
