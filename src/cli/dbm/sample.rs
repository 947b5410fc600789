//! `equilibria dbm sample`.

use super::{load, subject};
use crate::Result;
use crate::boltzmann::learning::deep::pretraining::hidden_states;
use crate::boltzmann::{Dbm, DbmChains, MeanField};
use crate::cli::rbm::sample::{Sampling, Start, Walker, coins};
use crate::rng::Stream;
use crate::run::dbm::Settings;
use clap::Args;

/// Draw Gibbs samples from a deep machine, as one contact sheet.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria dbm sample runs/dbm --from test:0,1,2 --steps 1,10,100\n  \
    equilibria dbm sample --from noise --chains 5\n\n\
    A step samples all odd layers, then all even ones. Chains that start from an image take its hidden units from \
    mean-field inference.")]
pub(in crate::cli) struct Sample {
    #[command(flatten)]
    sampling: Sampling,
}

impl Sample {
    pub(in crate::cli) fn run(self) -> Result<()> {
        let start = self.sampling.start()?;
        let loaded = load(self.sampling.model.start()?)?;
        let is_noise = matches!(start, Start::Noise);
        self.sampling.run(&start, &subject(&loaded), |images, stream| {
            begin(&loaded.model, &loaded.settings, images, is_noise, stream)
        })
    }
}

/// Chains at images (chains, visible), with even hidden layers from tosses of a coin, or from the images' means.
pub(in crate::cli) fn begin(
    model: &Dbm<f32>,
    settings: &Settings,
    images: &[f32],
    is_noise: bool,
    stream: Stream,
) -> Result<DbmChains<f32>> {
    let count = images.len() / model.visible();
    let mut chains = DbmChains::new(model, count, stream.substream(0));
    chains.set_states(0, images)?;
    let mut posterior = MeanField::new(model, count);
    posterior.infer(model, images, settings.stop())?;
    for (layer, units) in model.sizes().enumerate().skip(2).step_by(2) {
        let stream = stream.substream(layer as u64);
        let states = if is_noise {
            coins(count, units, stream)
        } else {
            let mut states = vec![0.0; count * units];
            hidden_states(posterior.means(layer), units, stream, &mut states);
            states
        };
        chains.set_states(layer, &states)?;
    }
    Ok(chains)
}

impl Walker for DbmChains<f32> {
    fn walk(&mut self, steps: usize) {
        self.walk(steps);
    }

    fn visible_states(&self) -> Vec<f32> {
        self.states(0)
    }

    fn visible_probabilities(&self) -> Vec<f32> {
        self.probabilities(0)
    }
}
