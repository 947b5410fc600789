//! `equilibria gan export`.

use crate::cli::output::{print, write_output};
use crate::run::gan;
use crate::{Error, Result};
use clap::Args;
use std::path::PathBuf;

/// Write a generator for PyTorch, as the state dictionary of an nn.Sequential called `main`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria gan export runs/dcgan --out generator.safetensors\n\n\
    The names and shapes of a convolutional generator are those of PyTorch's example of a DCGAN:\n  \
    netG.load_state_dict(safetensors.torch.load_file(\"generator.safetensors\"))")]
pub(in crate::cli) struct Export {
    /// A run directory or safetensors file of a generator.
    model: PathBuf,
    /// The file to write; a file of this name must not exist.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Export {
    pub(in crate::cli) fn run(self) -> Result<()> {
        if self.out.exists() {
            return Err(Error::invalid(self.out.display(), "exists already; give another name"));
        }
        let (generator, _) = gan::load(&self.model)?;
        write_output(&self.out, &generator.to_pytorch()?.to_bytes()?)?;
        print(&format!("wrote {}: {}\n", self.out.display(), generator.networks().generator))
    }
}
