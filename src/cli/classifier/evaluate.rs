//! `equilibria classifier evaluate`.

use crate::Result;
use crate::cli::{print, print_json, use_threads};
use crate::data::Digits;
use crate::evaluate::classifier::Accuracy;
use crate::run::classifier::{load, shipped};
use clap::Args;
use std::path::PathBuf;

/// Tell how often a classifier is right about test images.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria classifier evaluate --data mnist\n  \
    equilibria classifier evaluate classifier.safetensors --data synthetic --json")]
pub(in crate::cli) struct Evaluate {
    /// A file that `classifier train` wrote [default: the one for MNIST that comes with the program].
    classifier: Option<PathBuf>,
    /// `synthetic`, or a folder with MNIST's four files (or its parent).
    #[arg(long, default_value = "synthetic")]
    data: String,
    /// Threads to use [default: all].
    #[arg(long)]
    threads: Option<usize>,
    /// Print the accuracy as JSON on standard output.
    #[arg(long)]
    json: bool,
}

impl Evaluate {
    pub(in crate::cli) fn run(self) -> Result<()> {
        use_threads(self.threads)?;
        let classifier = self.classifier.as_deref().map_or_else(shipped, load)?;
        let accuracy = classifier.accuracy(&Digits::load(&self.data, None)?.test)?;
        if self.json { print_json(&accuracy) } else { print(&describe(&accuracy)) }
    }
}

/// The accuracy on all test images, and for each class.
pub(super) fn describe(accuracy: &Accuracy) -> String {
    let mut text = format!("right about {:.2} % of the test images\n", 100.0 * accuracy.all);
    for (class, share) in accuracy.by_class.iter().enumerate() {
        if let Some(share) = share {
            text += &format!("  {class}: {:.2} %\n", 100.0 * share);
        }
    }
    text
}
