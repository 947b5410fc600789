//! `equilibria transport plan`: a picture of the optimal plan.

use super::super::output::{OutputArguments, write_output};
use super::sides::{Costs, FILES, Sides, number};
use crate::data::Points;
use crate::report::{Masses, PlanFigure};
use crate::{Error, Result};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Draw the optimal plan: between points on a line as a matrix with both histograms, between points of a plane as lines.
#[derive(Debug, Args)]
#[command(after_help = format!("Examples:\n  equilibria transport plan a.csv b.csv --out plan.svg\n\n{FILES}"))]
pub(in crate::cli) struct Plan {
    #[command(flatten)]
    sides: Sides,
    /// The cost of moving a unit of mass between two points.
    #[arg(long, value_enum, default_value = "sqeuclidean")]
    cost: Costs,
    /// The picture to write (SVG).
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    common: OutputArguments,
}

#[derive(Serialize)]
struct PlanSummary {
    cost: f64,
    lower_bound: f64,
    /// Positive entries of the plan.
    entries: usize,
    picture: String,
}

impl Plan {
    pub(super) fn run(self) -> Result<()> {
        let mut progress = self.common.start()?;
        let pair = self.sides.read()?;
        check_dimension(&self.sides, pair.a.dimension(), "plan")?;
        let solution = pair.optimal(self.cost, &mut progress)?;
        let mut flows = Vec::new();
        solution.plan.iter().for_each(|plan| plan.for_each(|i, j, mass| flows.push((i, j, mass))));
        let entries = flows.len();
        let figure = PlanFigure {
            title: format!("Optimal plan, cost {}", number(solution.cost)),
            source: masses(&pair.a, pair.marginals.a()),
            target: masses(&pair.b, pair.marginals.b()),
            flows,
        };
        write_output(&self.out, figure.to_svg()?.as_bytes())?;
        let summary = PlanSummary {
            cost: solution.cost,
            lower_bound: solution.lower_bound,
            entries,
            picture: self.out.display().to_string(),
        };
        self.common.print(&summary, |summary| {
            format!("cost {}, {entries} positive entries\nwrote {}\n", number(summary.cost), summary.picture)
        })
    }
}

fn masses(points: &Points, masses: &[f64]) -> Masses {
    Masses { places: points.points().data().to_vec(), masses: masses.to_vec() }
}

/// Returns an error unless points of this dimension can be drawn.
pub(super) fn check_dimension(sides: &Sides, dimension: usize, command: &str) -> Result<()> {
    if dimension <= 2 {
        return Ok(());
    }
    let files = format!("{} and {}", sides.a.display(), sides.b.display());
    let expected =
        format!("`transport {command}` draws points of 1 or 2 coordinates; these have {dimension}");
    Err(Error::invalid(files, expected))
}
