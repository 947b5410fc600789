//! `equilibria classifier ...`: one file per command.

mod evaluate;
mod train;

use crate::Result;
use clap::Subcommand;

/// Train and test the classifier that judges samples.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Train(train::Train),
    Evaluate(evaluate::Evaluate),
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Train(command) => command.run(),
            Self::Evaluate(command) => command.run(),
        }
    }
}
