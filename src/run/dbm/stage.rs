//! The stages of training: a restricted machine in pre-training, or all layers jointly.

use super::settings::{MONITORED, Settings};
use crate::Result;
use crate::boltzmann::learning::deep::{DeepLearner, pretraining, reconstruction::reconstruct};
use crate::boltzmann::learning::{Learner, NegativePhase, Rates};
use crate::boltzmann::likelihood::deep::lower_bounds_at;
use crate::boltzmann::{Dbm, MeanField, Rbm};
use crate::rng::Stream;
use crate::tensor::Workspace;

/// The model that learns in the current epoch.
#[allow(clippy::large_enum_variant)] // a run has one value
pub(super) enum Stage {
    /// A restricted machine.
    Alone(Learner<f32>),
    /// The deep machine.
    Joint(DeepLearner<f32>),
}

/// The trained restricted machines below the current one, the lowest first.
pub(super) struct Below {
    pub machines: Vec<Rbm<f32>>,
    /// Number of machines in the end.
    layers: usize,
    workspace: Workspace<f32>,
    /// Values of one layer, and of the next.
    rows: [Vec<f32>; 2],
    means: Vec<f32>,
}

/// Monitors after an epoch.
pub(super) struct Monitors {
    pub reconstruction_error: f64,
    /// Log-likelihood of training images given the means above them; in pre-training, of the means that the machine learns
    /// from; nats.
    pub log_likelihood: f64,
    /// NaN in pre-training.
    pub bound_gap: f64,
    /// 0 in pre-training.
    pub iterations: usize,
    /// 0 in pre-training.
    pub change: f64,
}

impl Stage {
    /// Begins the stage after the machines `below`. `mean` is the mean of the training images, `images` (rows, visible) are
    /// some of them.
    pub fn begin(settings: &Settings, below: &mut Below, mean: &[f32], images: &[f32]) -> Result<Self> {
        let (place, layers) = (below.machines.len(), settings.hidden.0.len());
        let seed = settings.seed;
        if settings.pretraining_epochs == 0 || place == layers {
            let model = match place {
                0 => Dbm::new(mean, &settings.hidden.0, Stream::named(seed, "init"))?,
                _ => pretraining::compose(&below.machines)?,
            };
            return Self::joint(settings, model);
        }
        let stream = Stream::named(seed, "init").substream(place as u64);
        let model = match place {
            0 => Rbm::new(mean, settings.hidden.0[0], stream)?,
            _ => {
                let visible = settings.hidden.0[place - 1];
                Rbm::new(&column_means(below.means_of(images), visible), settings.hidden.0[place], stream)?
            }
        };
        Self::alone(settings, place, model)
    }

    /// Pre-training of a restricted machine by contrastive divergence. Its inputs have factors, so that persistent chains
    /// would not sample from its model.
    pub fn alone(settings: &Settings, place: usize, model: Rbm<f32>) -> Result<Self> {
        let stream = Stream::named(settings.seed, "chain");
        let learner = Learner::new(model, NegativePhase::Contrastive, 1, settings.batch, stream)?;
        let factors = pretraining::input_factors(place, settings.hidden.0.len());
        let learner = learner.with_input_factors(factors)?;
        Ok(Self::Alone(if settings.centred { learner.centred() } else { learner }))
    }

    pub fn joint(settings: &Settings, model: Dbm<f32>) -> Result<Self> {
        let stream = Stream::named(settings.seed, "chain");
        let mut learner = DeepLearner::new(model, settings.batch, settings.chains, settings.sweeps, stream)?
            .with_stop(settings.stop());
        if let Some(sparsity) = settings.sparse() {
            learner = learner.with_sparsity(sparsity)?;
        }
        if let Some(most) = settings.max_norm {
            learner = learner.with_max_norm(most)?;
        }
        Ok(Self::Joint(if settings.centred { learner.centred() } else { learner }))
    }

    pub fn images_mut(&mut self, rows: usize) -> &mut [f32] {
        match self {
            Self::Alone(learner) => learner.images_mut(rows),
            Self::Joint(learner) => learner.images_mut(rows),
        }
    }

    pub fn states_mut(&mut self, rows: usize) -> &mut [u64] {
        match self {
            Self::Alone(learner) => learner.states_mut(rows),
            Self::Joint(learner) => learner.states_mut(rows),
        }
    }

    pub fn update(&mut self, rates: Rates, stream: Stream) -> Result<()> {
        match self {
            Self::Alone(learner) => learner.update(rates, stream),
            Self::Joint(learner) => learner.update(rates, stream),
        }
    }

    /// Measures the machine on training and test images.
    pub fn monitors(
        &mut self,
        settings: &Settings,
        below: &mut Below,
        images: [&[f32]; 2],
    ) -> Result<Monitors> {
        Ok(match self {
            Self::Alone(learner) => {
                let [up, down] = below.factors(below.machines.len());
                let model = learner.model();
                let data = below.means_of(images[0]).to_vec();
                let mut hidden = vec![0.0; data.len() / model.visible() * model.hidden()];
                pretraining::hidden_means(&model, up, &data, &mut hidden, &mut below.workspace);
                let (weight, bias) = (model.weight(), model.visible_bias());
                let (reconstruction_error, log_likelihood) = reconstruct(weight, bias, down, &hidden, &data);
                Monitors {
                    reconstruction_error,
                    log_likelihood,
                    bound_gap: f64::NAN,
                    iterations: 0,
                    change: 0.0,
                }
            }
            Self::Joint(learner) => {
                let model = learner.model();
                let rows = images.map(|images| images.len() / model.visible());
                let mut posterior = MeanField::new(model, rows[0].max(rows[1]));
                let mut mean = |images: &[f32]| {
                    let convergence = posterior.infer(model, images, settings.stop())?;
                    let bounds = lower_bounds_at(model, images, &posterior);
                    let reconstruction =
                        reconstruct(&model.weights()[0], &model.biases()[0], 1.0, posterior.means(1), images);
                    Ok((bounds.iter().sum::<f64>() / bounds.len() as f64, reconstruction, convergence))
                };
                let (train, (reconstruction_error, log_likelihood), _) = mean(images[0])?;
                let (test, _, convergence) = mean(images[1])?;
                let bound_gap = train - test;
                let (iterations, change) = (convergence.iterations, convergence.change);
                Monitors { reconstruction_error, log_likelihood, bound_gap, iterations, change }
            }
        })
    }
}

impl Below {
    pub fn new(settings: &Settings) -> Self {
        let layers = settings.hidden.0.len();
        let rows = [Vec::new(), Vec::new()];
        Self { machines: Vec::new(), layers, workspace: Workspace::new(), rows, means: Vec::new() }
    }

    fn factors(&self, place: usize) -> [f64; 2] {
        pretraining::input_factors(place, self.layers)
    }

    /// States of the highest layer so far; each layer is sampled given the states below.
    ///
    /// **Randomness** Layer l from `stream.substream(l)`.
    pub fn states_of(&mut self, images: &[f32], stream: Stream) -> &[f32] {
        self.climb(images, Some(stream))
    }

    /// Means of the highest layer so far; each layer's means are those given the means below.
    fn means_of(&mut self, images: &[f32]) -> &[f32] {
        self.climb(images, None)
    }

    fn climb(&mut self, images: &[f32], stream: Option<Stream>) -> &[f32] {
        self.rows[0].clear();
        self.rows[0].extend_from_slice(images);
        for place in 0..self.machines.len() {
            let up = self.factors(place)[0];
            let model = &self.machines[place];
            let [from, to] = &mut self.rows;
            let len = from.len() / model.visible() * model.hidden();
            to.resize(len, 0.0);
            match stream {
                None => pretraining::hidden_means(model, up, from, to, &mut self.workspace),
                Some(stream) => {
                    self.means.resize(len, 0.0);
                    pretraining::hidden_means(model, up, from, &mut self.means, &mut self.workspace);
                    let stream = stream.substream(place as u64);
                    pretraining::hidden_states(&self.means, model.hidden(), stream, to);
                }
            }
            self.rows.swap(0, 1);
        }
        &self.rows[0]
    }
}

/// The first images, as many as the monitors use.
pub(super) fn monitored(images: &crate::data::Images, settings: &Settings, seed: u64) -> Result<Vec<f32>> {
    crate::run::images::binary_images(images, MONITORED, settings.binarise, seed)
}

fn column_means(rows: &[f32], columns: usize) -> Vec<f32> {
    let mut sums = vec![0.0_f64; columns];
    for row in rows.chunks_exact(columns) {
        sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
    }
    let count = (rows.len() / columns).max(1) as f64;
    sums.into_iter().map(|sum| (sum / count) as f32).collect()
}
