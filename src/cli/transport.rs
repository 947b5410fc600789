//! `equilibria transport ...`: one file per command.

mod distance;

use crate::Result;
use clap::Subcommand;

/// Measure optimal transport between points, histograms and pictures.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Distance(distance::Distance),
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Distance(command) => command.run(),
        }
    }
}
