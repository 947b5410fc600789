//! `equilibria rbm store`, `dbm store` and `gan store`.

use super::output::{OutputArguments, counted, write_output};
use crate::checkpoint::Archive;
use crate::{Error, Result};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct Store {
    /// A run directory or a safetensors file.
    model: PathBuf,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Bits of a weight: 16 for 16-bit floats, 8 for integers with a scale for each row, 32 for 32-bit floats. With 8, biases
    /// keep their type.
    #[arg(long, default_value = "16")]
    bits: usize,
    /// Keep 32-bit floats, as --bits 32.
    #[arg(long, conflicts_with = "bits")]
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
    /// The largest change of a parameter by rounding.
    largest_change: f64,
}

impl Store {
    /// Writes the file of the model that `load_alone` reads, and prints the summary.
    pub fn run(self, load_alone: fn(&Path) -> Result<Archive>) -> Result<()> {
        self.output.start()?;
        let archive = load_alone(&self.model)?;
        if self.out.is_dir() {
            return Err(Error::invalid(self.out.display(), "is a folder; give the file to write"));
        }
        if !self.force && self.out.exists() {
            return Err(Error::invalid(self.out.display(), "exists already; --force replaces it"));
        }
        let bits = if self.full { 32 } else { self.bits };
        let bytes = match bits {
            8 => archive.quantised()?.to_bytes()?,
            16 => archive.halved()?.to_bytes()?,
            32 => archive.to_bytes()?,
            _ => return Err(Error::invalid(format!("--bits {bits}"), "weights have 8, 16 or 32 bits")),
        };
        write_output(&self.out, &bytes)?;
        let stored = Archive::from_bytes(&bytes, archive.place())?;
        let (mut parameters, mut largest_change) = (0, 0.0_f64);
        for name in archive.names() {
            let shape = archive.shape(name)?;
            let (before, after) = (archive.tensor_f32(name, shape)?, stored.tensor_f32(name, shape)?);
            parameters += before.len();
            let changes = before.iter().zip(after).map(|(a, b)| f64::from((a - b).abs()));
            largest_change = changes.fold(largest_change, f64::max);
        }
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
