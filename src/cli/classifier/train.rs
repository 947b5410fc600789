//! `equilibria classifier train`.

use super::evaluate::describe;
use crate::Result;
use crate::cli::training::{TrainArguments, finished};
use crate::run::classifier::Settings;
use clap::Args;

/// Train a classifier of digits into a run directory.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria classifier train --data mnist --out runs/classifier\n  \
    equilibria classifier train --resume runs/classifier\n\n\
    A network of three convolutions and two linear layers, trained with Adam on randomly shifted images. MNIST takes about \
    90 s on two cores. The trained classifier has 16-bit floats. `gan evaluate` has a classifier of MNIST built in and trains \
    one itself for data on which the built-in one fails.")]
pub(in crate::cli) struct Train {
    #[command(flatten)]
    arguments: TrainArguments<Settings>,
}

impl Train {
    pub(in crate::cli) fn run(self) -> Result<()> {
        let (directory, summary) = self.arguments.train(|_, _| Ok(()))?;
        self.arguments.print(&directory, || {
            let accuracy = summary.accuracy.as_ref().map_or_else(String::new, describe);
            let next = "to test it on other images: equilibria classifier evaluate";
            accuracy + &finished(&summary.seconds_per_epoch, summary.train_images, &directory, next)
        })
    }
}
