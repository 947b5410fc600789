//! A game of perceptrons as the papers write it: dense loops in f64, one formula a line.
//!
//! The tests compare [`Game`](super::Game) with it on the same random stream. Read this file first. The game departs from
//! it in how it computes, never in what:
//!
//! - real, generated and interpolated samples go through the discriminator in one product;
//! - the samples of several critic steps go through the generator at once, normalised mini-batch by mini-batch;
//! - bias, activation and slope are applied inside the matrix products, and a parameter's step is one fused pass;
//! - the penalty's gradient is the derivative along a direction, for layers of any kind.

use super::Recipe;
use super::latent::{Streams, fill_alphas, fill_latents};
use super::networks::SLOPE;
use super::objective::{GeneratorLoss, Objective};
use crate::optim::Rule;
use alloc::vec;
use alloc::vec::Vec;

/// Added to variances in batch normalisation.
const EPSILON: f64 = 1e-5;

/// The activation of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Leaky ReLU of slope 0.2.
    LeakyRelu,
    /// Hyperbolic tangent.
    Tanh,
    /// None.
    Identity,
}

/// y = φ(z), z = x Wᵀ + b; or y = φ(γ ẑ + β), with ẑ normalised over the mini-batch.
#[derive(Debug, Clone)]
pub struct Dense {
    /// Numbers of x.
    pub inputs: usize,
    /// φ
    pub ending: Ending,
    /// W (outputs, inputs) and b; with batch normalisation also γ and β.
    pub parameters: Vec<Vec<f64>>,
    /// What the optimiser keeps for each parameter: a mean and a mean square.
    moments: Vec<[Vec<f64>; 2]>,
}

/// A layer's numbers for a mini-batch.
struct Pass {
    x: Vec<f64>,
    /// ẑ, of normalised layers.
    normalised: Vec<f64>,
    /// 1 / standard deviation of each column of z.
    r: Vec<f64>,
    y: Vec<f64>,
}

impl Dense {
    /// A layer with these parameters: W, b, and γ, β if it is normalised.
    pub fn new(inputs: usize, ending: Ending, parameters: Vec<Vec<f64>>) -> Self {
        let moments = parameters.iter().map(|x| [vec![0.0; x.len()], vec![0.0; x.len()]]).collect();
        Self { inputs, ending, parameters, moments }
    }

    fn outputs(&self) -> usize {
        self.parameters[1].len()
    }

    fn weight(&self, to: usize, from: usize) -> f64 {
        self.parameters[0][to * self.inputs + from]
    }

    fn forward(&self, x: Vec<f64>) -> Pass {
        let (rows, outputs) = (x.len() / self.inputs, self.outputs());
        let mut z = Vec::with_capacity(rows * outputs);
        for x in x.chunks(self.inputs) {
            for to in 0..outputs {
                let sum = x.iter().enumerate().map(|(from, x)| self.weight(to, from) * x).sum::<f64>();
                z.push(sum + self.parameters[1][to]);
            }
        }
        let (mut normalised, mut r) = (Vec::new(), Vec::new());
        if let [_, _, gamma, beta] = &self.parameters[..] {
            let column = |unit: usize| z.iter().skip(unit).step_by(outputs);
            let mean: Vec<f64> = (0..outputs).map(|unit| column(unit).sum::<f64>() / rows as f64).collect();
            let variance =
                |unit: usize| column(unit).map(|z| (z - mean[unit]) * (z - mean[unit])).sum::<f64>();
            r = (0..outputs).map(|unit| 1.0 / libm::sqrt(variance(unit) / rows as f64 + EPSILON)).collect();
            normalised =
                z.iter().enumerate().map(|(i, z)| (z - mean[i % outputs]) * r[i % outputs]).collect();
            z = normalised
                .iter()
                .enumerate()
                .map(|(i, z)| gamma[i % outputs] * z + beta[i % outputs])
                .collect();
        }
        let y = z.iter().map(|&z| match self.ending {
            Ending::LeakyRelu => z * if z > 0.0 { 1.0 } else { SLOPE },
            Ending::Tanh => libm::tanh(z),
            Ending::Identity => z,
        });
        Pass { y: y.collect(), x, normalised, r }
    }

    /// φ′ from y.
    fn slope(&self, y: f64) -> f64 {
        match self.ending {
            Ending::LeakyRelu => {
                if y > 0.0 {
                    1.0
                } else {
                    SLOPE
                }
            }
            Ending::Tanh => 1.0 - y * y,
            Ending::Identity => 1.0,
        }
    }

    /// From ∂L/∂y: the gradients by the parameters, and ∂L/∂x.
    fn backward(&self, pass: &Pass, by_y: &[f64]) -> (Vec<Vec<f64>>, Vec<f64>) {
        let outputs = self.outputs();
        let rows = by_y.len() / outputs;
        let mut delta: Vec<f64> = by_y.iter().zip(&pass.y).map(|(d, &y)| d * self.slope(y)).collect();
        let mut gradients: Vec<Vec<f64>> = self.parameters.iter().map(|x| vec![0.0; x.len()]).collect();
        if let [_, _, gamma, _] = &self.parameters[..] {
            // ∂L/∂γ = Σ δ ẑ,  ∂L/∂β = Σ δ,  ∂L/∂z = γ r (δ − mean δ − ẑ mean(δ ẑ))
            for (i, &d) in delta.iter().enumerate() {
                gradients[2][i % outputs] += d * pass.normalised[i];
                gradients[3][i % outputs] += d;
            }
            for (i, d) in delta.iter_mut().enumerate() {
                let unit = i % outputs;
                let rest = gradients[3][unit] + pass.normalised[i] * gradients[2][unit];
                *d = gamma[unit] * pass.r[unit] * (*d - rest / rows as f64);
            }
        }
        // ∂L/∂W = δᵀ x,  ∂L/∂b = Σ δ,  ∂L/∂x = δ W
        let mut by_x = vec![0.0; pass.x.len()];
        for row in 0..rows {
            let (x, by_x) = (&pass.x[row * self.inputs..], &mut by_x[row * self.inputs..]);
            for to in 0..outputs {
                let d = delta[row * outputs + to];
                gradients[1][to] += d;
                for from in 0..self.inputs {
                    gradients[0][to * self.inputs + from] += d * x[from];
                    by_x[from] += d * self.weight(to, from);
                }
            }
        }
        (gradients, by_x)
    }

    /// The `step`-th step of `rule`, then clipping.
    fn descend(&mut self, gradients: &[Vec<f64>], rule: Rule, step: i32, clip: f64) {
        for ((parameter, [mean, square]), gradient) in
            self.parameters.iter_mut().zip(&mut self.moments).zip(gradients)
        {
            for (i, &g) in gradient.iter().enumerate() {
                let change = match rule {
                    Rule::Sgd { rate, momentum } => {
                        mean[i] = momentum * mean[i] + g;
                        rate * mean[i]
                    }
                    Rule::RmsProp { rate, decay, epsilon } => {
                        square[i] = decay * square[i] + (1.0 - decay) * g * g;
                        rate * g / (libm::sqrt(square[i]) + epsilon)
                    }
                    Rule::Adam { rate, betas: [first, second], epsilon } => {
                        mean[i] = first * mean[i] + (1.0 - first) * g;
                        square[i] = second * square[i] + (1.0 - second) * g * g;
                        let corrected = mean[i] / (1.0 - libm::pow(first, f64::from(step)));
                        let size = square[i] / (1.0 - libm::pow(second, f64::from(step)));
                        rate * corrected / (libm::sqrt(size) + epsilon)
                    }
                };
                parameter[i] = (parameter[i] - change).clamp(-clip, clip);
            }
        }
    }
}

/// The layers' gradients, each as [`Dense::parameters`].
type NetworkGradients = Vec<Vec<Vec<f64>>>;

fn forward(network: &[Dense], x: Vec<f64>) -> Vec<Pass> {
    let mut passes: Vec<Pass> = Vec::new();
    for layer in network {
        let x = passes.last().map_or_else(|| x.clone(), |pass| pass.y.clone());
        passes.push(layer.forward(x));
    }
    passes
}

fn output(passes: &[Pass]) -> &[f64] {
    passes.last().map_or(&[], |pass| &pass.y)
}

fn backward(network: &[Dense], passes: &[Pass], by_output: &[f64]) -> (NetworkGradients, Vec<f64>) {
    let (mut gradients, mut by_y) = (Vec::new(), by_output.to_vec());
    for (layer, pass) in network.iter().zip(passes).rev() {
        let (of_layer, by_x) = layer.backward(pass, &by_y);
        gradients.push(of_layer);
        by_y = by_x;
    }
    gradients.reverse();
    (gradients, by_y)
}

fn add(sum: &mut NetworkGradients, other: &NetworkGradients) {
    let pairs = sum.iter_mut().flatten().zip(other.iter().flatten());
    pairs.for_each(|(sum, other)| sum.iter_mut().zip(other).for_each(|(x, y)| *x += y));
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

/// A generator and a discriminator that play by plain loops.
#[derive(Debug, Clone)]
pub struct Reference {
    /// How they play; the average is not kept.
    pub recipe: Recipe,
    /// From latents to samples.
    pub generator: Vec<Dense>,
    /// From samples to one number.
    pub discriminator: Vec<Dense>,
    /// Steps so far, of the generator and of the discriminator.
    pub steps: [u64; 2],
}

impl Reference {
    /// One step of the generator, after those of the discriminator.
    ///
    /// **Randomness** Same as [`Game::step`](super::Game::step).
    ///
    /// **Panics** if a penalised critic is normalised.
    pub fn step(&mut self, mut real: impl FnMut(u64, &mut [f64]), streams: &Streams) {
        let Recipe { objective, batch, .. } = self.recipe;
        let rounds = objective.discriminator_steps(self.steps[0]) as u64;
        for round in 0..rounds {
            let fake = output(&self.generate(round, streams)).to_vec();
            let mut x = vec![0.0; fake.len()];
            real(self.steps[1], &mut x);
            let mut gradients = self.by_outputs(x.clone(), true);
            add(&mut gradients, &self.by_outputs(fake.clone(), false));
            if let Objective::Penalty { weight, .. } = objective {
                let mut alphas = vec![0.0; batch];
                fill_alphas(streams.interpolation.substream(self.steps[0]).substream(round), &mut alphas);
                let width = x.len() / batch;
                let between = |(i, (x, fake)): (usize, (&f64, &f64))| {
                    alphas[i / width] * x + (1.0 - alphas[i / width]) * fake
                };
                let x_hat = x.iter().zip(&fake).enumerate().map(between).collect();
                add(&mut gradients, &self.by_penalty(weight, x_hat));
            }
            self.steps[1] += 1;
            let clip = if let Objective::Clipping { bound, .. } = objective { bound } else { f64::INFINITY };
            for (layer, gradients) in self.discriminator.iter_mut().zip(&gradients) {
                layer.descend(gradients, self.recipe.discriminator, self.steps[1] as i32, clip);
            }
        }
        let own = if objective.has_critic() { rounds } else { rounds - 1 };
        let passes = self.generate(own, streams);
        let judged = forward(&self.discriminator, output(&passes).to_vec());
        let by_d = |&d: &f64| match objective {
            Objective::Standard { generator: GeneratorLoss::NonSaturating, .. } => {
                -sigmoid(-d) / batch as f64
            }
            Objective::Standard { generator: GeneratorLoss::Minimax, .. } => -sigmoid(d) / batch as f64,
            _ => -1.0 / batch as f64,
        };
        let by_output: Vec<f64> = output(&judged).iter().map(by_d).collect();
        let (_, by_sample) = backward(&self.discriminator, &judged, &by_output);
        let (gradients, _) = backward(&self.generator, &passes, &by_sample);
        self.steps[0] += 1;
        for (layer, gradients) in self.generator.iter_mut().zip(&gradients) {
            layer.descend(gradients, self.recipe.generator, self.steps[0] as i32, f64::INFINITY);
        }
    }

    /// Mini-batch `index` of this step's samples.
    fn generate(&self, index: u64, streams: &Streams) -> Vec<Pass> {
        let width = self.generator[0].inputs;
        let mut latents = vec![0.0; self.recipe.batch * width];
        fill_latents(streams.latent.substream(self.steps[0]).substream(index), width, &mut latents);
        forward(&self.generator, latents)
    }

    /// The discriminator's gradient from real or from generated samples.
    fn by_outputs(&self, samples: Vec<f64>, are_real: bool) -> NetworkGradients {
        let Recipe { objective, batch, .. } = self.recipe;
        let passes = forward(&self.discriminator, samples);
        let by_d = |&d: &f64| match objective {
            // (1 − s) softplus(−D) + s softplus(D) for real samples, softplus(D) for generated ones
            Objective::Standard { label_smoothing: s, .. } if are_real => {
                s * sigmoid(d) - (1.0 - s) * sigmoid(-d)
            }
            Objective::Standard { .. } => sigmoid(d),
            _ if are_real => -1.0,
            _ => 1.0,
        };
        let seeds: Vec<f64> = output(&passes).iter().map(|d| by_d(d) / batch as f64).collect();
        backward(&self.discriminator, &passes, &seeds).0
    }

    /// The gradient of λ/B Σ (‖g‖ − 1)², g = ∂D/∂x̂, as the head of [`penalty`](super::penalty) derives it for leaky ReLUs.
    fn by_penalty(&self, weight: f64, x_hat: Vec<f64>) -> NetworkGradients {
        let batch = self.recipe.batch;
        let passes = forward(&self.discriminator, x_hat);
        let mut gradients: NetworkGradients = Vec::new();
        for layer in &self.discriminator {
            assert!(layer.parameters.len() == 2, "a penalised critic is not normalised");
            gradients.push(layer.parameters.iter().map(|x| vec![0.0; x.len()]).collect());
        }
        for row in 0..batch {
            // δ_l = φ′(z_l) ⊙ g_l,  g_(l−1) = W_lᵀ δ_l
            let (mut deltas, mut g) = (Vec::new(), vec![1.0]);
            for (layer, pass) in self.discriminator.iter().zip(&passes).rev() {
                let y = &pass.y[row * layer.outputs()..];
                let delta: Vec<f64> = g.iter().zip(y).map(|(g, &y)| g * layer.slope(y)).collect();
                g = (0..layer.inputs)
                    .map(|from| (0..delta.len()).map(|to| layer.weight(to, from) * delta[to]).sum())
                    .collect();
                deltas.push(delta);
            }
            let norm = libm::sqrt(g.iter().map(|g| g * g).sum());
            let scale = if norm > 0.0 { 2.0 * weight / batch as f64 * (1.0 - 1.0 / norm) } else { 0.0 };
            // ẏ_0 = u,  ẏ_l = φ′(z_l) ⊙ W_l ẏ_(l−1),  ∂P/∂W_l = δ_l ẏ_(l−1)ᵀ
            let mut tangent: Vec<f64> = g.iter().map(|g| scale * g).collect();
            for (l, layer) in self.discriminator.iter().enumerate() {
                let delta = &deltas[deltas.len() - 1 - l];
                for (to, d) in delta.iter().enumerate() {
                    let of_row = &mut gradients[l][0][to * layer.inputs..(to + 1) * layer.inputs];
                    of_row.iter_mut().zip(&tangent).for_each(|(gradient, y)| *gradient += d * y);
                }
                let y = &passes[l].y[row * layer.outputs()..];
                let next = |to: usize| {
                    let z =
                        tangent.iter().enumerate().map(|(from, y)| layer.weight(to, from) * y).sum::<f64>();
                    z * layer.slope(y[to])
                };
                tangent = (0..layer.outputs()).map(next).collect();
            }
        }
        gradients
    }
}
