//! `equilibria gan ...`: one file per command.

mod evaluate;
mod export;
mod sample;
mod toys;
mod train;

use crate::Result;
use clap::Subcommand;

/// Train adversarial networks and look at their samples; judge samples of any other program.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant)] // there is one value, and it lives as long as the process
pub(super) enum Command {
    Train(train::Train),
    Sample(sample::Sample),
    Evaluate(evaluate::Evaluate),
    Export(export::Export),
    Toys(toys::Toys),
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Train(command) => command.run(),
            Self::Sample(command) => command.run(),
            Self::Evaluate(command) => command.run(),
            Self::Export(command) => command.run(),
            Self::Toys(command) => command.run(),
        }
    }
}
