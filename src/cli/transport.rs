//! `equilibria transport ...`: one file per command.

mod colours;
mod distance;

use crate::Result;
use clap::Subcommand;

/// Measure optimal transport between points, histograms and pictures; give a photograph the colours of another one.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Distance(distance::Distance),
    Colours(colours::Colours),
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Distance(command) => command.run(),
            Self::Colours(command) => command.run(),
        }
    }
}
