//! `equilibria classifier train`.

use super::evaluate::describe;
use crate::Result;
use crate::cli::machine::{absolute, create_folder_of, write_output};
use crate::cli::{counted, print, print_json, use_threads};
use crate::data::Digits;
use crate::run::Progress;
use crate::run::classifier::{Settings, to_archive, train};
use crate::run::interrupt::{self, Work};
use clap::Args;
use std::path::PathBuf;

/// Train a classifier of digits into a file of 16-bit floats.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  equilibria classifier train --data mnist --out classifier.safetensors\n\n\
    `gan evaluate` has one for MNIST with it, and trains one itself where that one is no good. A network \
    784-512-256-128-10, learned by Adam from images that move by a pixel."
)]
pub(in crate::cli) struct Train {
    /// `synthetic`, or a folder with MNIST's four files (or its parent).
    #[arg(long, default_value = "synthetic")]
    data: String,
    /// Passes over the training images.
    #[arg(long, default_value_t = Settings::default().epochs)]
    epochs: usize,
    /// Images in a mini-batch.
    #[arg(long, default_value_t = Settings::default().batch)]
    batch: usize,
    /// Adam's rate at first; it falls to 0 in a straight line.
    #[arg(long, default_value_t = Settings::default().learning_rate)]
    learning_rate: f64,
    /// Pixels by which an image moves at most, along either axis, anew each time.
    #[arg(long, default_value_t = Settings::default().shift)]
    shift: usize,
    /// Seed of all random numbers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads to use [default: all].
    #[arg(long)]
    threads: Option<usize>,
    /// The file to write.
    #[arg(long, default_value = "classifier.safetensors")]
    out: PathBuf,
    /// Print the summary as JSON on standard output.
    #[arg(long)]
    json: bool,
    /// Show no progress.
    #[arg(long, short)]
    quiet: bool,
}

impl Train {
    pub(in crate::cli) fn run(self) -> Result<()> {
        use_threads(self.threads)?;
        let settings = Settings {
            data: absolute(&self.data)?,
            epochs: self.epochs,
            batch: self.batch,
            learning_rate: self.learning_rate,
            shift: self.shift,
            seed: self.seed,
        };
        settings.check()?;
        let digits = Digits::load(&settings.data, None)?;
        interrupt::install(Work::Unsaved)?;
        create_folder_of(&self.out)?;
        let mut progress = Progress::choose(self.quiet);
        let (classifier, summary) = train(&settings, &digits, &mut progress, &interrupt::requested)?;
        write_output(&self.out, &to_archive(&classifier, &summary)?.to_bytes()?)?;
        if self.json {
            return print_json(&summary);
        }
        print(&format!(
            "{}{} of {}, {:.1} s\nwrote {}\n",
            describe(&summary.accuracy),
            counted(settings.epochs, "epoch"),
            counted(summary.train_images, "image"),
            summary.seconds,
            self.out.display()
        ))
    }
}
