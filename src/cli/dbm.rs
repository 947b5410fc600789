//! `equilibria dbm ...`: one file per command.

mod train;

use crate::Result;
use clap::Subcommand;

/// Train and look into deep Boltzmann machines.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Train(train::Train),
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Train(command) => command.run(),
        }
    }
}
