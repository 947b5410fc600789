//! `equilibria gan ...`: one file per command.

mod evaluate;
mod export;
mod sample;
mod toys;
mod train;

use super::store::Store;
use crate::Result;
use crate::run::gan;
use clap::Subcommand;

/// Train adversarial networks and look at their samples; judge samples of any other program.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant)] // there is one value, and it lives as long as the process
pub(super) enum Command {
    Train(train::Train),
    Sample(sample::Sample),
    Evaluate(evaluate::Evaluate),
    Export(export::Export),
    /// Write the generator alone, for small devices: in 16-bit floats or 8-bit integers, with a checksum.
    #[command(after_help = "Examples:\n  equilibria gan store runs/gan --out digits.safetensors\n  \
        equilibria gan store runs/dcgan --out cats.safetensors --bits 8 --json\n\n\
        The file has the parameters that `gan sample` uses: their average if the run has one. `gan sample` and `gan evaluate` \
        read it, and so does a program without the standard library (`equilibria::embedded`).")]
    Store(Store),
    Toys(toys::Toys),
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Train(command) => command.run(),
            Self::Sample(command) => command.run(),
            Self::Evaluate(command) => command.run(),
            Self::Export(command) => command.run(),
            Self::Store(command) => command.run(gan::load_alone),
            Self::Toys(command) => command.run(),
        }
    }
}
