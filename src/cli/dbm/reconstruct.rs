//! `equilibria dbm reconstruct`.

use super::{load, subject};
use crate::Result;
use crate::cli::rbm::reconstruct::Reconstruction;
use clap::Args;

/// Remove rows of pixels from test images and have a deep machine fill them in.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria dbm reconstruct runs/dbm --rows 10..16\n  \
    equilibria dbm reconstruct runs/dbm --sweep --images 200")]
pub(in crate::cli) struct Reconstruct {
    #[command(flatten)]
    reconstruction: Reconstruction,
}

impl Reconstruct {
    pub(in crate::cli) fn run(self) -> Result<()> {
        let removed = self.reconstruction.removed()?;
        let loaded = load(self.reconstruction.model.start()?)?;
        self.reconstruction.run(removed, &subject(&loaded), &loaded.model)
    }
}
