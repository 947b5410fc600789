//! `equilibria dbm store`.

use crate::Result;
use crate::cli::rbm::store::Storing;
use crate::run::dbm::load_alone;
use clap::Args;

/// Write a deep machine alone into a small file: its weights and biases as 16-bit floats, and how it was trained.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria dbm store runs/dbm --out digits.safetensors\n  \
    equilibria dbm store runs/dbm --out digits.safetensors --full --json\n\n\
    Every command takes the file for MODEL. It does not say where the training images lay.")]
pub(in crate::cli) struct Store {
    #[command(flatten)]
    storing: Storing,
}

impl Store {
    pub(in crate::cli) fn run(self) -> Result<()> {
        let archive = load_alone(&self.storing.model)?;
        self.storing.run(&archive)
    }
}
