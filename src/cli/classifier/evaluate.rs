//! `equilibria classifier evaluate`.

use crate::Result;
use crate::cli::output::OutputArguments;
use crate::data::Reading;
use crate::evaluate::classifier::Accuracy;
use crate::pretrained;
use crate::run::Source;
use crate::run::classifier::load;
use clap::Args;
use std::path::PathBuf;

/// Measure the accuracy of a classifier on test images.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria classifier evaluate --data mnist\n  \
    equilibria classifier evaluate classifier.safetensors --data synthetic --json")]
pub(in crate::cli) struct Evaluate {
    /// A run directory or a safetensors file [default: the one for MNIST that comes with the program].
    classifier: Option<PathBuf>,
    /// `synthetic`, or a folder with MNIST's four files (or its parent).
    #[arg(long, default_value = "synthetic", value_parser = crate::run::source())]
    data: String,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    reading: Reading,
}

impl Evaluate {
    pub(in crate::cli) fn run(self) -> Result<()> {
        self.output.start()?;
        let classifier = self.classifier.as_deref().map_or_else(pretrained::classifier, load)?;
        let source = Source { data: &self.data, images: None, invert: false, reading: &self.reading };
        let accuracy = classifier.accuracy(&source.load()?.test)?;
        self.output.print(&accuracy, describe)
    }
}

/// The accuracy on all test images and on each class.
pub(super) fn describe(accuracy: &Accuracy) -> String {
    let mut text = format!("accuracy {:.2} % on the test images\n", 100.0 * accuracy.all);
    for (class, share) in accuracy.by_class.iter().enumerate() {
        if let Some(share) = share {
            text += &format!("  {class}: {:.2} %\n", 100.0 * share);
        }
    }
    text
}
