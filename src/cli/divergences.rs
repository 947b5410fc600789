//! `equilibria divergences`: how divergences between two Gaussians, and their gradients, depend on the distance.

use super::output::{OutputArguments, write_output, write_summary};
use crate::Result;
use crate::experiments::divergences::{Settings, Study};
use clap::Args;
use std::path::PathBuf;

/// Compare divergences as losses: their values and gradients between N(0, 1) and a shifted Gaussian.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  equilibria divergences\n  equilibria divergences --deviation 2 --json\n\n\
    The data are N(0, 1), the generator is N(shift, deviation^2). The command writes values.svg, gradients.svg, descent.svg \
    and summary.json. The descents train the shift alone, each by one divergence, with the same learning rate.\n\n\
    KL      Kullback-Leibler divergence of the generator from the data, nats\n\
    JS      Jensen-Shannon divergence, nats; at most ln 2 = 0.693\n\
    TV      total variation; at most 1\n\
    W₁, W₂  Wasserstein distances, in the unit of the shift"
)]
pub(super) struct Divergences {
    #[command(flatten)]
    settings: Settings,
    /// The folder for plots and summary.json.
    #[arg(long, default_value = "out/divergences")]
    out: PathBuf,
    #[command(flatten)]
    output: OutputArguments,
}

impl Divergences {
    pub(super) fn run(self) -> Result<()> {
        self.output.start()?;
        let study = Study::new(self.settings)?;
        let [values, gradients] = study.curves();
        let plots = [("values.svg", values), ("gradients.svg", gradients), ("descent.svg", study.descents())];
        for (file, plot) in plots {
            write_output(&self.out.join(file), plot.to_svg()?.as_bytes())?;
        }
        write_summary(&self.out.join("summary.json"), &study)?;
        self.output.print(&study, |study| {
            format!("{}\n{}\nplots in {}\n", study.table(), study.meaning().join(" "), self.out.display())
        })
    }
}
