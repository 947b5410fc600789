//! `equilibria classifier train`.

use super::evaluate::describe;
use crate::Result;
use crate::cli::output::OutputArguments;
use crate::cli::output::{counted, create_folder_of, write_output};
use crate::cli::training::fit_batch;
use crate::run::RunSettings as _;
use crate::run::classifier::{Settings, to_archive, train};
use crate::run::interrupt::{self, Work};
use clap::Args;
use std::path::PathBuf;

/// Train a classifier of digits into a file of 16-bit floats.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  equilibria classifier train --data mnist --out classifier.safetensors\n\n\
    A network of three convolutions and two linear layers, trained with Adam on randomly shifted images. MNIST takes about \
    90 s on two cores. `gan evaluate` has a classifier of MNIST built in and trains one itself for data on which the built-in \
    one fails."
)]
pub(in crate::cli) struct Train {
    #[command(flatten)]
    settings: Settings,
    /// The file to write.
    #[arg(long, default_value = "classifier.safetensors")]
    out: PathBuf,
    #[command(flatten)]
    common: OutputArguments,
}

impl Train {
    pub(in crate::cli) fn run(self) -> Result<()> {
        let Self { mut settings, out, common } = self;
        let mut progress = common.start()?;
        settings.check()?;
        let digits = settings.load()?;
        if settings.batch == Settings::default().batch {
            fit_batch(&mut settings, digits.train.len());
        }
        interrupt::install(Work::Unsaved)?;
        create_folder_of(&out)?;
        let (classifier, summary) = train(&settings, &digits, &mut progress, &interrupt::requested)?;
        write_output(&out, &to_archive(&classifier, &summary)?.to_bytes()?)?;
        common.print(&summary, |_| {
            format!(
                "{}{} of {}, {:.1} s\nwrote {}\n",
                describe(&summary.accuracy),
                counted(settings.epochs, "epoch"),
                counted(summary.train_images, "image"),
                summary.seconds,
                out.display()
            )
        })
    }
}
