//! Contrastive divergence as in the textbook: dense loops in f64, one formula per line.
//!
//! The tests compare [`Learner`](super::Learner) with it on the same random stream, over random options and sizes. Read
//! this file first. The learner computes the same quantities in a different way:
//!
//! - States are bits, and a product with them is a sum of the rows of active units.
//! - The input sums of a chain are stored, and corrected by the units that changed.
//! - Contrastive divergence adds up only the pixels in which vₖ and v₀ differ.
//! - Weights are stored in tiles of 64 × 64 in both orientations, and updated in one pass with their velocity.
//! - Panels of 64 units are split over threads, each with its own substream of random numbers.

use super::Rates;
use crate::boltzmann::Rbm;
use crate::rng::Stream;
use crate::tensor::Tensor;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::{Level, random};

/// A machine that is trained by dense loops.
///
/// ```
/// use equilibria::boltzmann::{Rbm, learning::{Rates, reference::Reference}};
/// use equilibria::rng::Stream;
/// let model = Rbm::<f64>::new(&[0.5; 4], 3, Stream::named(1, "init"))?;
/// let mut reference = Reference::new(model, 1);
/// let rates = Rates { learning_rate: 0.1, momentum: 0.5, weight_decay: 1e-4 };
/// reference.update(&[1.0, 1.0, 0.0, 0.0], rates, Stream::named(1, "chain"));
/// assert!(reference.model.first_not_finite().is_none());
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Reference {
    /// The machine.
    pub model: Rbm<f64>,
    /// Gibbs steps per update.
    pub steps: usize,
    /// Velocities of W, b and c; in centred learning, of the centred parameters.
    pub velocity: [Vec<f64>; 3],
    /// States (chains, hidden) of persistent chains; contrastive divergence has none.
    pub chains: Option<Vec<f64>>,
    /// Offsets μ of the visible and λ of the hidden units in centred learning.
    pub offsets: Option<[Vec<f64>; 2]>,
    /// Factors of the hidden units' inputs from the visible ones, and of the visible units' inputs from the hidden
    /// ones.
    pub factors: [f64; 2],
}

/// v and P(h | v) at the end of the negative phase, (rows, visible) and (rows, hidden).
pub type Negative = (Vec<f64>, Vec<f64>);

impl Reference {
    /// Creates a reference for contrastive divergence with `steps` Gibbs steps.
    pub fn new(model: Rbm<f64>, steps: usize) -> Self {
        let velocity =
            [model.weight(), model.visible_bias(), model.hidden_bias()].map(|x| vec![0.0; x.len()]);
        Self { model, steps, velocity, chains: None, offsets: None, factors: [1.0; 2] }
    }

    /// Makes one update from a mini-batch (rows, visible).
    ///
    /// **Randomness** As [`Learner::update`](super::Learner::update).
    pub fn update(&mut self, v0: &[f64], rates: Rates, stream: Stream) {
        self.update_with(v0, rates, stream, Self::walk);
    }

    /// Makes one update with the negative phase `walk(self, h, stream)`, where h (chains, hidden) are the chains'
    /// hidden states.
    pub fn update_with(
        &mut self,
        v0: &[f64],
        rates: Rates,
        stream: Stream,
        walk: impl FnOnce(&Self, &mut Vec<f64>, Stream) -> Negative,
    ) {
        let p0 = self.hidden_probabilities(v0);
        let mut h = match &self.chains {
            Some(states) => states.clone(),
            None => bernoulli(&p0, self.model.hidden(), stream.substream(0).substream(0)),
        };
        let (vk, pk) = walk(self, &mut h, stream.substream(1));
        self.chains = self.chains.is_some().then_some(h);
        self.ascend([(v0, &p0), (&vk, &pk)], rates);
    }

    /// Takes `steps` Gibbs steps: v from P(v | h), then h from P(h | v).
    fn walk(&self, h: &mut Vec<f64>, stream: Stream) -> Negative {
        let (mut v, mut p) = (Vec::new(), Vec::new());
        for step in 0..self.steps as u64 {
            v = bernoulli(&self.visible_probabilities(h), self.model.visible(), stream.substream(2 * step));
            p = self.hidden_probabilities(&v);
            *h = bernoulli(&p, self.model.hidden(), stream.substream(2 * step + 1));
        }
        (v, p)
    }

    /// P(h | v) = sigmoid(c + factor v W)
    fn hidden_probabilities(&self, v: &[f64]) -> Vec<f64> {
        let (w, hidden) = (self.model.weight().data(), self.model.hidden());
        let input =
            |v: &[f64], j: usize| v.iter().enumerate().map(|(i, v)| v * w[i * hidden + j]).sum::<f64>();
        let c = self.model.hidden_bias().data();
        v.chunks(self.model.visible())
            .flat_map(|v| (0..hidden).map(move |j| sigmoid(c[j] + self.factors[0] * input(v, j))))
            .collect()
    }

    /// P(v | h) = sigmoid(b + factor h W')
    fn visible_probabilities(&self, h: &[f64]) -> Vec<f64> {
        let (w, hidden) = (self.model.weight().data(), self.model.hidden());
        let input = |h: &[f64], i: usize| h.iter().zip(&w[i * hidden..]).map(|(h, w)| h * w).sum::<f64>();
        let b = self.model.visible_bias().data();
        h.chunks(hidden)
            .flat_map(|h| (0..b.len()).map(move |i| sigmoid(b[i] + self.factors[1] * input(h, i))))
            .collect()
    }

    /// Updates all parameters from v and P(h | v) of the positive and of the negative phase.
    pub fn ascend(&mut self, phases: [(&[f64], &[f64]); 2], rates: Rates) {
        let Rates { learning_rate, momentum, weight_decay } = rates;
        let (visible, hidden) = (self.model.visible(), self.model.hidden());
        // gradients: learning rate · (mean over the data − mean over the chains) of v' p, v and p
        let [mut gradient_w, mut gradient_b, mut gradient_c] =
            self.velocity.each_ref().map(|x| vec![0.0; x.len()]);
        for ((v, p), sign) in phases.into_iter().zip([1.0, -1.0]) {
            let scale = sign * learning_rate / (v.len() / visible) as f64;
            for (v, p) in v.chunks(visible).zip(p.chunks(hidden)) {
                for i in 0..visible {
                    gradient_b[i] += scale * v[i];
                    (0..hidden).for_each(|j| gradient_w[i * hidden + j] += scale * v[i] * p[j]);
                }
                (0..hidden).for_each(|j| gradient_c[j] += scale * p[j]);
            }
        }
        // The offsets follow the means over the data. Centring subtracts μ g_c' + g_b λ' from the gradient with respect
        // to W.
        let (v0, p0) = phases[0];
        if let Some([mu, lambda]) = &mut self.offsets {
            for (offsets, units) in [(&mut *mu, v0), (&mut *lambda, p0)] {
                let (width, rows) = (offsets.len(), units.len() / offsets.len());
                for (unit, offset) in offsets.iter_mut().enumerate() {
                    let mean = units.iter().skip(unit).step_by(width).sum::<f64>() / rows as f64;
                    *offset += super::centring::SLIDING_FACTOR * (mean - *offset);
                }
            }
            for i in 0..visible {
                (0..hidden).for_each(|j| {
                    gradient_w[i * hidden + j] -= mu[i] * gradient_c[j] + gradient_b[i] * lambda[j]
                });
            }
        }
        let [w, b, c] = self.model.parameters_mut().map(Tensor::data_mut);
        gradient_w.iter_mut().zip(&*w).for_each(|(g, w)| *g -= learning_rate * weight_decay * w);
        for (velocity, gradient) in self.velocity.iter_mut().zip([gradient_w, gradient_b, gradient_c]) {
            velocity.iter_mut().zip(gradient).for_each(|(velocity, g)| *velocity = momentum * *velocity + g);
        }
        for (parameters, velocity) in [&mut *w, &mut *b, &mut *c].into_iter().zip(&self.velocity) {
            parameters.iter_mut().zip(velocity).for_each(|(x, velocity)| *x += velocity);
        }
        // A step dW of a centred machine changes the plain biases by −dW λ and −dW' μ.
        if let Some([mu, lambda]) = &self.offsets {
            let [up, down] = self.factors;
            for i in 0..visible {
                for j in 0..hidden {
                    let step = self.velocity[0][i * hidden + j];
                    b[i] -= down * step * lambda[j];
                    c[j] -= up * step * mu[i];
                }
            }
        }
        if momentum == 0.0 {
            self.velocity.iter_mut().for_each(|velocity| velocity.fill(0.0));
        }
    }
}

/// Samples units (rows, units) that are 1 with these probabilities.
///
/// **Randomness** Each panel of 64 units draws from its own substream, one row after another, eight numbers at a time.
///
/// ```
/// use equilibria::{boltzmann::learning::reference::bernoulli, rng::Stream};
/// let states = bernoulli(&[0.0, 1.0, 1.0, 0.0], 2, Stream::named(1, "chain"));
/// assert_eq!(states, [0.0, 1.0, 1.0, 0.0]);
/// ```
pub fn bernoulli(probabilities: &[f64], units: usize, stream: Stream) -> Vec<f64> {
    let rows = probabilities.len() / units;
    let mut states = vec![0.0; rows * units];
    for panel in 0..units.div_ceil(64) {
        let (first, width) = (panel * 64, (units - panel * 64).min(64));
        let drawn = width.next_multiple_of(8);
        let mut uniform = vec![0.0; rows * drawn];
        let mut generator = stream.substream(panel as u64).bulk();
        random::fill_uniform(Level::detect(), &mut generator, &mut uniform);
        for row in 0..rows {
            for unit in 0..width {
                let place = row * units + first + unit;
                states[place] = f64::from(u8::from(uniform[row * drawn + unit] < probabilities[place]));
            }
        }
    }
    states
}

pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}
