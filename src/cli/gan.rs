//! `equilibria gan ...`: one file per command.

mod evaluate;

use crate::Result;
use clap::Subcommand;

/// Judge adversarial networks, and samples of any other program.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Evaluate(evaluate::Evaluate),
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Evaluate(command) => command.run(),
        }
    }
}
