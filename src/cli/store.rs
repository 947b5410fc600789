//! `equilibria rbm store` and `equilibria dbm store`.

use super::machine::MachineKind;
use super::output::{OutputArguments, counted, write_output};
use crate::{Error, Result};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Store {
    /// A run directory or a safetensors file.
    model: PathBuf,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Keep 32-bit floats.
    #[arg(long)]
    full: bool,
    /// Replace a file of this name.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Serialize)]
struct Summary {
    #[serde(serialize_with = "super::output::path_as_text")]
    file: PathBuf,
    bytes: usize,
    parameters: usize,
    bits: usize,
    /// The largest change of a parameter by rounding to 16 bits.
    largest_change: f64,
}

impl Store {
    /// Writes the file of a machine of kind `M`, and prints the summary.
    pub fn run<M: MachineKind>(self) -> Result<()> {
        self.output.start()?;
        let archive = M::load_archive(&self.model)?;
        if self.out.is_dir() {
            return Err(Error::invalid(self.out.display(), "is a folder; give the file to write"));
        }
        if !self.force && self.out.exists() {
            return Err(Error::invalid(self.out.display(), "exists already; --force replaces it"));
        }
        let stored = if self.full { archive.clone() } else { archive.halved()? };
        let bytes = stored.to_bytes()?;
        write_output(&self.out, &bytes)?;
        let (mut parameters, mut largest_change) = (0, 0.0_f64);
        for name in archive.names() {
            let shape = archive.shape(name)?;
            let (before, after) = (archive.tensor_f32(name, shape)?, stored.tensor_f32(name, shape)?);
            parameters += before.len();
            let changes = before.iter().zip(after).map(|(a, b)| f64::from((a - b).abs()));
            largest_change = changes.fold(largest_change, f64::max);
        }
        let bits = if self.full { 32 } else { 16 };
        let summary = Summary { file: self.out, bytes: bytes.len(), parameters, bits, largest_change };
        self.output.print(&summary, |summary| {
            format!(
                "{} of {bits} bits, changed by at most {largest_change:.0e}; wrote {} ({:.1} MB)\n",
                counted(parameters, "parameter"),
                summary.file.display(),
                summary.bytes as f64 / 1e6,
            )
        })
    }
}
