//! `equilibria dbm train`.

use crate::Result;
use crate::cli::training::{TrainArguments, finished};
use crate::run::RunDirectory;
use crate::run::dbm::{Settings, Summary};
use clap::Args;

/// Train a deep Boltzmann machine into a run directory.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    equilibria dbm train --hidden 100-50 --images 5000 --epochs 5 --out runs/small\n  \
    equilibria dbm train --data mnist --hidden 500-1000 --out runs/dbm\n  \
    equilibria dbm train --data mnist --hidden 500-500-1000 --plain --pretraining-epochs 10\n  \
    equilibria dbm train --resume runs/dbm\n\n\
    Centred, a machine learns without pre-training; with --plain it needs some. A schedule is a number (0.01), \
    changes at epochs (0.5:0.9@5) or a line from the first epoch to the last (0.05..0.001).\n\n\
    A run has diverged once a parameter is not finite, or at the end the log-likelihood of reconstructed images is below 10 \
    times that of fair coins (before the end, 1000 times). It then ends with status 1, keeps its last checkpoint and gives the reason in \
    summary.json.")]
pub(in crate::cli) struct Train {
    #[command(flatten)]
    arguments: TrainArguments<Settings>,
}

impl Train {
    pub(in crate::cli) fn run(self) -> Result<()> {
        let (directory, summary) = self.arguments.train(|_, _| Ok(()))?;
        self.arguments.print(&directory, || describe(&summary, &directory))
    }
}

fn describe(summary: &Summary, directory: &RunDirectory) -> String {
    let last = summary.epochs.last().map_or_else(String::new, |epoch| {
        format!(
            "reconstruction error  {:.4} per pixel\n\
             bound gap             {:.2} nats per image, between training and test images\n\
             mean-field            {} iterations, to changes of {:.0e}\n",
            epoch.reconstruction_error,
            epoch.bound_gap.unwrap_or(f64::NAN),
            epoch.mean_field_iterations,
            epoch.mean_field_change,
        )
    });
    let next = "to evaluate it: equilibria dbm evaluate";
    last + &finished(&summary.seconds_per_epoch, summary.train_images, directory, next)
}
