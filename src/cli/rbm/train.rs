//! `equilibria rbm train`.

use crate::Result;
use crate::cli::evaluate::worse_than_chance;
use crate::cli::output::warn;
use crate::cli::training::{TrainArguments, finished};
use crate::run::RunDirectory;
use crate::run::rbm::{Settings, Summary};
use clap::Args;

/// Train a restricted Boltzmann machine into a run directory.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    equilibria rbm train --hidden 100 --epochs 5 --out runs/small\n  \
    equilibria rbm train --data mnist --hidden 500 --method cd --steps 25 --momentum 0.5:0.9@5\n  \
    equilibria rbm train --resume runs/small\n\n\
    A schedule is a number (0.01), changes at epochs (0.5:0.9@5) or a line from the first epoch to the last \
    (0.05..0.001).\n\n\
    A run has diverged once a parameter is not finite, or at the end the pseudo-log-likelihood is below 10 times that of fair \
    coins (before the end, 1000 times). It then ends with status 1, keeps its last checkpoint and gives the reason in summary.json.")]
pub(in crate::cli) struct Train {
    #[command(flatten)]
    arguments: TrainArguments<Settings>,
}

impl Train {
    pub(in crate::cli) fn run(self) -> Result<()> {
        let (directory, summary) = self.arguments.train(|_, _| Ok(()))?;
        summary.warning.iter().for_each(|warning| warn(warning));
        self.arguments.print(&directory, || describe(&summary, &directory))
    }
}

fn describe(summary: &Summary, directory: &RunDirectory) -> String {
    let last = summary.epochs.last().map_or_else(String::new, |epoch| {
        format!(
            "pseudo-log-likelihood {:.2} nats per image (stochastic estimate: {:.2})\n{}\
             reconstruction error  {:.4} per pixel\n\
             free-energy gap       {:.2} nats\n",
            epoch.pseudo_log_likelihood,
            epoch.stochastic_pseudo_log_likelihood,
            worse_than_chance(epoch.pseudo_log_likelihood, summary.visible),
            epoch.reconstruction_error,
            epoch.free_energy_gap
        )
    });
    let next = "to see samples: equilibria rbm sample";
    last + &finished(&summary.seconds_per_epoch, summary.train_images, directory, next)
}
