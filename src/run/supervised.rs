//! Training steps of a network that classifies its inputs.

use crate::Result;
use crate::checkpoint::Archive;
use crate::nn::losses::softmax_cross_entropy;
use crate::nn::plan::read_tensor;
use crate::nn::{Cache, Deltas, Gradients, Scratch, Sequential, Training, Wanted};
use crate::optim::{Optimiser, Rule};
use crate::rng::Stream;

/// The published values for Adam.
const BETAS: [f64; 2] = [0.9, 0.999];

/// A network and the state of its training.
pub(super) struct Supervised {
    pub network: Sequential<f32>,
    pub optimiser: Optimiser<f32>,
    cache: Cache<f32>,
    deltas: Deltas<f32>,
    gradients: Gradients<f32>,
    scratch: Scratch<f32>,
    labels: Vec<u8>,
    grad_logits: Vec<f32>,
}

impl Supervised {
    /// Prepares training by Adam from the parameters of `network`.
    pub fn new(network: Sequential<f32>) -> Result<Self> {
        Ok(Self {
            optimiser: Optimiser::new(Rule::adam(0.0, BETAS), &network)?,
            cache: Cache::new(&network),
            deltas: Deltas::new(&network),
            gradients: Gradients::new(&network),
            scratch: Scratch::new(),
            labels: Vec::new(),
            grad_logits: Vec::new(),
            network,
        })
    }

    /// Takes one step on `rows` examples, which `fill(inputs, labels)` writes. Returns the mean cross-entropy of the
    /// mini-batch.
    ///
    /// **Errors** as [`Sequential::forward`], [`softmax_cross_entropy`] and [`Optimiser::step`].
    pub fn step(
        &mut self,
        rows: usize,
        rate: f64,
        stream: Stream,
        fill: impl FnOnce(&mut [f32], &mut [u8]),
    ) -> Result<f64> {
        self.labels.resize(rows, 0);
        fill(self.cache.input_mut(rows), &mut self.labels);
        self.network.forward(&mut self.cache, Training::new(stream), &mut self.scratch)?;
        self.grad_logits.resize(rows * self.network.outputs(), 0.0);
        let loss = softmax_cross_entropy(self.cache.output(), &self.labels, &mut self.grad_logits)?;
        self.gradients.clear();
        let wanted = Wanted::parameters(&mut self.gradients, 0..rows);
        self.network.backward(&self.cache, &self.grad_logits, wanted, &mut self.deltas, &mut self.scratch)?;
        self.optimiser.set_rate(rate)?;
        self.optimiser.step(&mut self.network, &mut self.gradients)?;
        Ok(loss)
    }

    /// Puts parameters and the optimiser's state into a checkpoint.
    pub fn describe(&self, archive: &mut Archive) -> Result<()> {
        archive.set_metadata("optimiser_steps", &self.optimiser.steps().to_string());
        for (name, tensor) in self.network.state() {
            archive.insert_f32(&format!("network.{name}"), tensor.shape(), tensor.data())?;
        }
        for (i, tensor) in self.optimiser.state().iter().enumerate() {
            archive.insert_f32(&format!("optimiser.{i}"), tensor.shape(), tensor.data())?;
        }
        Ok(())
    }

    /// Restores them after this number of steps.
    ///
    /// **Errors** [`Error::Malformed`](crate::Error::Malformed) if a tensor is missing, has another shape, or a parameter is
    /// not finite.
    pub fn restore(&mut self, archive: &Archive, steps: u64) -> Result<()> {
        for (name, tensor) in self.network.state_mut() {
            let values = read_tensor(archive, &format!("network.{name}"), tensor.shape())?;
            tensor.data_mut().copy_from_slice(values);
        }
        let (all, state) = self.optimiser.state_mut();
        *all = steps;
        for (i, tensor) in state.iter_mut().enumerate() {
            let values = archive.tensor_f32(&format!("optimiser.{i}"), tensor.shape())?;
            tensor.data_mut().copy_from_slice(values);
        }
        Ok(())
    }
}

/// The learning rate after `step` of `steps` steps: it decreases linearly from `first` and would be 0 in the step after the
/// last.
pub(super) fn decaying_rate(first: f64, step: usize, steps: usize) -> f64 {
    first * (1.0 - step as f64 / steps as f64)
}
