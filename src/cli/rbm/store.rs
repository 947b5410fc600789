//! `equilibria rbm store`.

use super::write_output;
use crate::checkpoint::Archive;
use crate::cli::{counted, print, print_json};
use crate::run::rbm::load_alone;
use crate::{Error, Result};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Write a machine alone into a small file: its weights and biases as 16-bit floats, and how it was trained.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria rbm store runs/rbm --out digits.safetensors\n  \
    equilibria rbm store runs/rbm --out digits.safetensors --full --json\n\n\
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

/// What to store, of any kind of machine.
#[derive(Debug, Args)]
pub(in crate::cli) struct Storing {
    /// A run directory or a safetensors file.
    pub model: PathBuf,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Keep all 32 bits.
    #[arg(long)]
    full: bool,
    /// Replace a file that is in the way.
    #[arg(long)]
    force: bool,
    /// Print the summary as JSON on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Summary {
    #[serde(serialize_with = "crate::cli::path_as_text")]
    file: PathBuf,
    bytes: usize,
    parameters: usize,
    bits: usize,
    /// The largest change of a parameter by rounding.
    largest_change: f64,
}

impl Storing {
    /// Writes `archive`, of tensors of f32 alone, and reports.
    pub(in crate::cli) fn run(self, archive: &Archive) -> Result<()> {
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
        if self.json {
            return print_json(&summary);
        }
        print(&format!(
            "{} of {bits} bits, changed by at most {largest_change:.0e}; wrote {} ({:.1} MB)\n",
            counted(parameters, "parameter"),
            summary.file.display(),
            summary.bytes as f64 / 1e6,
        ))
    }
}
