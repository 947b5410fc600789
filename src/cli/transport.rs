//! `equilibria transport ...`: one file per command.

mod barycentre;
mod colours;
mod distance;
mod interpolate;
mod plan;
mod sides;

use crate::Result;
use clap::Subcommand;

/// Measure and draw optimal transport between points, histograms and pictures; give a photograph the colours of another one.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Distance(distance::Distance),
    Plan(plan::Plan),
    Interpolate(interpolate::Interpolate),
    Barycentre(barycentre::BarycentreCommand),
    Colours(colours::Colours),
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Distance(command) => command.run(),
            Self::Plan(command) => command.run(),
            Self::Interpolate(command) => command.run(),
            Self::Barycentre(command) => command.run(),
            Self::Colours(command) => command.run(),
        }
    }
}
