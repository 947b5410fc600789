//! Joint training of a deep machine as in the paper: dense loops in f64, one formula per line.
//!
//! The tests compare [`DeepLearner`](super::DeepLearner) with it on the same random stream, over random options and
//! sizes. The learner computes the same quantities in a different way, as
//! [`learning::reference`](crate::boltzmann::learning::reference) lists. It also drops converged images from the
//! products of the mean-field iterations.

use super::Sparsity;
use crate::boltzmann::learning::Rates;
use crate::boltzmann::learning::centring::SLIDING_FACTOR;
use crate::boltzmann::learning::reference::{bernoulli, sigmoid};
use crate::boltzmann::{Dbm, Stop};
use crate::rng::Stream;
use alloc::vec;
use alloc::vec::Vec;

/// A deep machine that is trained by dense loops.
///
/// ```
/// use equilibria::boltzmann::learning::{Rates, deep::reference::Reference};
/// use equilibria::boltzmann::{Dbm, Stop};
/// use equilibria::rng::Stream;
/// let mut machine = Reference {
///     model: Dbm::new(&[0.5; 2], &[2, 1], Stream::named(1, "init"))?,
///     sweeps: 1,
///     stop: Stop { tolerance: 1e-6, iterations: 20 },
///     sparsity: None,
///     max_norm: None,
///     velocity: [vec![vec![0.0; 4], vec![0.0; 2]], vec![vec![0.0; 2], vec![0.0; 2], vec![0.0]]],
///     offsets: None,
///     chains: vec![vec![0.0; 6], vec![0.0; 6], vec![0.0; 3]], // 3 chains
/// };
/// let before = machine.model.clone();
/// let rates = Rates { learning_rate: 0.1, momentum: 0.5, weight_decay: 0.0 };
/// machine.update(&[1.0, 0.0, 1.0, 1.0], rates, Stream::named(1, "chain"));
/// assert_ne!(machine.model, before);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Reference {
    /// The machine.
    pub model: Dbm<f64>,
    /// Gibbs sweeps per update.
    pub sweeps: usize,
    /// The stopping rule of the mean-field iterations.
    pub stop: Stop,
    /// The sparsity penalty, if any.
    pub sparsity: Option<Sparsity>,
    /// The largest norm of a hidden unit's weights from below, if limited.
    pub max_norm: Option<f64>,
    /// Velocities of W₁ to W_L, then of b₀ to b_L.
    pub velocity: [Vec<Vec<f64>>; 2],
    /// Offsets of all layers in centred learning.
    pub offsets: Option<Vec<Vec<f64>>>,
    /// States (chains, units) of all layers; the even ones are sampled from the odd ones.
    pub chains: Vec<Vec<f64>>,
}

impl Reference {
    /// Makes one update from a mini-batch (rows, visible).
    ///
    /// **Randomness** As [`DeepLearner::update`](super::DeepLearner::update).
    pub fn update(&mut self, v: &[f64], rates: Rates, stream: Stream) {
        let positive = self.mean_field(v);
        // Odd layers come last in a sweep: their probabilities replace their states.
        let mut negative = self.chains.clone();
        for sweep in 0..self.sweeps {
            let mut draw = (sweep * self.chains.len()) as u64;
            for first in [0, 1] {
                for layer in (first..self.chains.len()).step_by(2) {
                    let p = self.layer_given_neighbours(layer, &self.chains);
                    let units = self.model.biases()[layer].len();
                    self.chains[layer] = bernoulli(&p, units, stream.substream(draw));
                    negative[layer] = if first == 1 { p } else { self.chains[layer].clone() };
                    draw += 1;
                }
            }
        }
        self.ascend([&positive, &negative], rates);
    }

    /// sigmoid(b_l + x_(l−1) W_l + W_(l+1) x_(l+1)) for each row of the layers x.
    fn layer_given_neighbours(&self, layer: usize, x: &[Vec<f64>]) -> Vec<f64> {
        self.layer_from(layer, x, [1.0, 1.0])
    }

    /// The same with factors for the inputs from below and from above.
    fn layer_from(&self, layer: usize, x: &[Vec<f64>], [below, above]: [f64; 2]) -> Vec<f64> {
        let (weights, biases) = (self.model.weights(), self.model.biases());
        let size = |layer: usize| biases[layer].len();
        let neighbour = if layer > 0 { layer - 1 } else { 1 };
        let rows = x[neighbour].len() / size(neighbour);
        let mut out = Vec::with_capacity(rows * size(layer));
        for row in 0..rows {
            for unit in 0..size(layer) {
                let mut logit = biases[layer].data()[unit];
                if layer > 0 && below != 0.0 {
                    let (w, x) = (weights[layer - 1].data(), &x[layer - 1][row * size(layer - 1)..]);
                    logit +=
                        below * (0..size(layer - 1)).map(|i| x[i] * w[i * size(layer) + unit]).sum::<f64>();
                }
                if layer < weights.len() && above != 0.0 {
                    let (w, x) = (weights[layer].data(), &x[layer + 1][row * size(layer + 1)..]);
                    logit += above
                        * (0..size(layer + 1)).map(|j| x[j] * w[unit * size(layer + 1) + j]).sum::<f64>();
                }
                out.push(sigmoid(logit));
            }
        }
        out
    }

    /// v and the mean-field means of the hidden layers: image by image, odd layers before even ones, until the image
    /// has converged.
    fn mean_field(&self, v: &[f64]) -> Vec<Vec<f64>> {
        let (visible, last) = (self.model.visible(), self.model.hidden_layers());
        let mut all: Vec<Vec<f64>> = vec![Vec::new(); last + 1];
        for image in v.chunks(visible) {
            let mut means = vec![image.to_vec()];
            for layer in 1..=last {
                means.push(self.layer_from(layer, &means, [if layer < last { 2.0 } else { 1.0 }, 0.0]));
            }
            for _ in 0..self.stop.iterations {
                let mut change = 0.0_f64;
                for layer in (1..=last).step_by(2).chain((2..=last).step_by(2)) {
                    let new = self.layer_given_neighbours(layer, &means);
                    change = new.iter().zip(&means[layer]).map(|(x, y)| (x - y).abs()).fold(change, f64::max);
                    means[layer] = new;
                }
                if change < self.stop.tolerance {
                    break;
                }
            }
            all.iter_mut().zip(means).for_each(|(all, means)| all.extend(means));
        }
        all
    }

    /// Updates all parameters from the layers of the positive and of the negative phase.
    pub fn ascend(&mut self, phases: [&[Vec<f64>]; 2], rates: Rates) {
        let Rates { learning_rate, momentum, weight_decay } = rates;
        let sizes: Vec<usize> = self.model.sizes().collect();
        let rows = phases.map(|phase| phase[0].len() / sizes[0]);
        let mean = |phase: usize, layer: usize, unit: usize| {
            phases[phase][layer].iter().skip(unit).step_by(sizes[layer]).sum::<f64>() / rows[phase] as f64
        };
        let bias_gradient = |layer: usize| {
            let difference = |unit| learning_rate * (mean(0, layer, unit) - mean(1, layer, unit));
            (0..sizes[layer]).map(difference).collect::<Vec<f64>>()
        };
        let mut bias_gradients: Vec<Vec<f64>> = (0..sizes.len()).map(bias_gradient).collect();
        for (layer, offsets) in self.offsets.iter_mut().flatten().enumerate() {
            let units = offsets.iter_mut().enumerate();
            units.for_each(|(unit, offset)| *offset += SLIDING_FACTOR * (mean(0, layer, unit) - *offset));
        }
        let (weights, biases) = self.model.parameters_mut();
        for (l, weight) in weights.iter_mut().enumerate() {
            for i in 0..sizes[l] {
                for j in 0..sizes[l + 1] {
                    let product = |phase: usize| {
                        let pairs =
                            phases[phase][l].chunks(sizes[l]).zip(phases[phase][l + 1].chunks(sizes[l + 1]));
                        pairs.map(|(x, y)| x[i] * y[j]).sum::<f64>() / rows[phase] as f64
                    };
                    let place = i * sizes[l + 1] + j;
                    let mut gradient = learning_rate * (product(0) - product(1));
                    if let Some(offsets) = &self.offsets {
                        gradient -= offsets[l][i] * bias_gradients[l + 1][j]
                            + bias_gradients[l][i] * offsets[l + 1][j];
                    }
                    let w = &mut weight.data_mut()[place];
                    let velocity = &mut self.velocity[0][l][place];
                    *velocity = momentum * *velocity + gradient - learning_rate * weight_decay * *w;
                    *w += *velocity;
                }
            }
        }
        if let Some(sparsity) = &self.sparsity {
            for (layer, target) in (1..).zip(&sparsity.targets) {
                let units = bias_gradients[layer].iter_mut().enumerate();
                let cost = learning_rate * sparsity.cost;
                units.for_each(|(unit, gradient)| *gradient -= cost * (mean(0, layer, unit) - target));
            }
        }
        for ((velocity, gradient), bias) in self.velocity[1].iter_mut().zip(bias_gradients).zip(&mut *biases)
        {
            velocity.iter_mut().zip(gradient).for_each(|(velocity, g)| *velocity = momentum * *velocity + g);
            bias.data_mut().iter_mut().zip(velocity).for_each(|(b, velocity)| *b += *velocity);
        }
        // A step dW of a centred machine changes the plain biases of its two layers.
        for (l, velocity) in self.velocity[0].iter().enumerate() {
            let Some(offsets) = &self.offsets else { break };
            for (place, step) in velocity.iter().enumerate() {
                let (i, j) = (place / sizes[l + 1], place % sizes[l + 1]);
                biases[l].data_mut()[i] -= step * offsets[l + 1][j];
                biases[l + 1].data_mut()[j] -= step * offsets[l][i];
            }
        }
        for (weight, &columns) in weights.iter_mut().zip(&sizes[1..]) {
            for unit in 0..columns {
                let column = || (unit..weight.len()).step_by(columns);
                let norm =
                    libm::sqrt(column().map(|place| weight.data()[place] * weight.data()[place]).sum());
                if let Some(most) = self.max_norm.filter(|&most| norm > most) {
                    column().for_each(|place| weight.data_mut()[place] *= most / norm);
                }
            }
        }
        if momentum == 0.0 {
            self.velocity.iter_mut().flatten().for_each(|velocity| velocity.fill(0.0));
        }
    }
}
