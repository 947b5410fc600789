//! The reference game: perceptrons as the papers describe them, in dense f64 loops, one formula per line.
//!
//! The tests compare [`Game`](super::Game) with it on the same random stream. Read this file first. The game computes
//! the same quantities in a different way:
//!
//! - real, generated and interpolated samples pass through the discriminator in one product;
//! - the samples of several critic steps pass through the generator together, with each mini-batch normalised
//!   separately;
//! - bias, activation and slope are applied inside the matrix products, and the update of a parameter is one fused
//!   pass;
//! - the penalty's gradient is computed as the derivative along a direction, for layers of any kind.

use super::Recipe;
use super::latent::{Streams, fill_alphas, fill_latents};
use super::networks::SLOPE;
use super::objective::{GeneratorLoss, Objective};
use super::penalty::ZeroCentred;
use crate::optim::Rule;
use alloc::vec;
use alloc::vec::Vec;

/// Added to variances in batch normalisation.
const EPSILON: f64 = 1e-5;

/// The activation of a layer.
///
/// The example of [`Dense`] uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DenseActivation {
    /// Leaky ReLU of slope 0.2.
    LeakyRelu,
    /// Hyperbolic tangent.
    Tanh,
    /// No activation.
    Identity,
}

/// y = φ(z), z = x Wᵀ + b; or y = φ(γ ẑ + β), with ẑ normalised over the mini-batch.
///
/// ```
/// use equilibria::adversarial::reference::{Dense, DenseActivation};
/// let layer = Dense::new(2, DenseActivation::Tanh, vec![vec![1.0, 2.0], vec![0.5]]);
/// assert_eq!((layer.inputs, layer.activation, layer.parameters.len()), (2, DenseActivation::Tanh, 2));
/// ```
#[derive(Debug, Clone)]
pub struct Dense {
    /// Number of inputs.
    pub inputs: usize,
    /// φ
    pub activation: DenseActivation,
    /// W (outputs, inputs) and b; with batch normalisation also γ and β.
    pub parameters: Vec<Vec<f64>>,
    /// The optimiser state of each parameter: a mean and a mean square.
    moments: Vec<[Vec<f64>; 2]>,
}

/// The values of a layer for a mini-batch.
struct Pass {
    x: Vec<f64>,
    /// ẑ, for normalised layers.
    normalised: Vec<f64>,
    /// 1 / standard deviation of each column of z.
    r: Vec<f64>,
    y: Vec<f64>,
}

impl Dense {
    /// A layer with these parameters: W, b, and γ, β if it is normalised.
    pub fn new(inputs: usize, activation: DenseActivation, parameters: Vec<Vec<f64>>) -> Self {
        let moments = parameters.iter().map(|x| [vec![0.0; x.len()], vec![0.0; x.len()]]).collect();
        Self { inputs, activation, parameters, moments }
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
        let y = z.iter().map(|&z| match self.activation {
            DenseActivation::LeakyRelu => z * if z > 0.0 { 1.0 } else { SLOPE },
            DenseActivation::Tanh => libm::tanh(z),
            DenseActivation::Identity => z,
        });
        Pass { y: y.collect(), x, normalised, r }
    }

    /// φ′ computed from y.
    fn slope(&self, y: f64) -> f64 {
        match self.activation {
            DenseActivation::LeakyRelu => {
                if y > 0.0 {
                    1.0
                } else {
                    SLOPE
                }
            }
            DenseActivation::Tanh => 1.0 - y * y,
            DenseActivation::Identity => 1.0,
        }
    }

    /// From ∂L/∂y: the gradients with respect to the parameters, and ∂L/∂x.
    fn backward(&self, pass: &Pass, grad_output: &[f64]) -> (Vec<Vec<f64>>, Vec<f64>) {
        let outputs = self.outputs();
        let rows = grad_output.len() / outputs;
        let mut delta: Vec<f64> = grad_output.iter().zip(&pass.y).map(|(d, &y)| d * self.slope(y)).collect();
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
        let mut grad_input = vec![0.0; pass.x.len()];
        for row in 0..rows {
            let (x, grad_input) = (&pass.x[row * self.inputs..], &mut grad_input[row * self.inputs..]);
            for to in 0..outputs {
                let d = delta[row * outputs + to];
                gradients[1][to] += d;
                for from in 0..self.inputs {
                    gradients[0][to * self.inputs + from] += d * x[from];
                    grad_input[from] += d * self.weight(to, from);
                }
            }
        }
        (gradients, grad_input)
    }

    /// Step number `step` of `rule`, then clipping.
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

/// The gradients of all layers, each like [`Dense::parameters`].
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

fn backward(network: &[Dense], passes: &[Pass], grad_output: &[f64]) -> (NetworkGradients, Vec<f64>) {
    let (mut gradients, mut grad_output) = (Vec::new(), grad_output.to_vec());
    for (layer, pass) in network.iter().zip(passes).rev() {
        let (layer_gradients, grad_input) = layer.backward(pass, &grad_output);
        gradients.push(layer_gradients);
        grad_output = grad_input;
    }
    gradients.reverse();
    (gradients, grad_output)
}

fn add(sum: &mut NetworkGradients, other: &NetworkGradients) {
    let pairs = sum.iter_mut().flatten().zip(other.iter().flatten());
    pairs.for_each(|(sum, other)| sum.iter_mut().zip(other).for_each(|(x, y)| *x += y));
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

/// A generator and a discriminator trained by plain loops.
///
/// ```
/// use equilibria::adversarial::reference::{Dense, DenseActivation, Reference};
/// use equilibria::adversarial::{Objective, Recipe, Streams};
/// let player = || vec![Dense::new(1, DenseActivation::Identity, vec![vec![0.5], vec![0.0]])];
/// let recipe = Recipe { batch: 4, ..Recipe::of(Objective::Relativistic) };
/// let mut game = Reference { recipe, generator: player(), discriminator: player(), steps: [0, 0] };
/// game.step(|_, real| real.fill(1.0), &Streams::of(1));
/// assert_eq!(game.steps, [1, 1]);
/// assert_ne!(game.generator[0].parameters[0], [0.5]);
/// ```
#[derive(Debug, Clone)]
pub struct Reference {
    /// Objective, batch size and optimisers; the average is not computed.
    pub recipe: Recipe,
    /// The network from latent vectors to samples.
    pub generator: Vec<Dense>,
    /// The network from samples to one number.
    pub discriminator: Vec<Dense>,
    /// Number of steps so far, of the generator and of the discriminator.
    pub steps: [u64; 2],
}

impl Reference {
    /// One step of the generator, after the steps of the discriminator.
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
            let mut gradients = self.loss_gradient(&x, &fake, true);
            add(&mut gradients, &self.loss_gradient(&fake, &x, false));
            let ZeroCentred { real: r1, generated: r2, every } = self.recipe.zero_centred;
            for (gamma, samples) in [(r1, &x), (r2, &fake)] {
                if gamma > 0.0 && self.steps[1].is_multiple_of(every) {
                    let weight = (gamma / 2.0 * every as f64, 0.0);
                    add(&mut gradients, &self.penalty_gradient(weight, samples.clone()));
                }
            }
            if let Objective::Penalty { weight, .. } = objective {
                let mut alphas = vec![0.0; batch];
                fill_alphas(streams.interpolation.substream(self.steps[0]).substream(round), &mut alphas);
                let width = x.len() / batch;
                let between = |(i, (x, fake)): (usize, (&f64, &f64))| {
                    alphas[i / width] * x + (1.0 - alphas[i / width]) * fake
                };
                let x_hat = x.iter().zip(&fake).enumerate().map(between).collect();
                add(&mut gradients, &self.penalty_gradient((weight, 1.0), x_hat));
            }
            self.steps[1] += 1;
            let clip = if let Objective::Clipping { bound, .. } = objective { bound } else { f64::INFINITY };
            for (layer, gradients) in self.discriminator.iter_mut().zip(&gradients) {
                layer.descend(gradients, self.recipe.discriminator, self.steps[1] as i32, clip);
            }
        }
        let index = if objective.has_critic() { rounds } else { rounds - 1 };
        let passes = self.generate(index, streams);
        let scores = forward(&self.discriminator, output(&passes).to_vec());
        let mut x = vec![0.0; output(&passes).len()];
        real(self.steps[1] - 1, &mut x);
        let real_scores = forward(&self.discriminator, x);
        let derivative = |(&d, &real): (&f64, &f64)| match objective {
            Objective::Relativistic => -sigmoid(real - d) / batch as f64,
            Objective::Standard { generator: GeneratorLoss::NonSaturating, .. } => {
                -sigmoid(-d) / batch as f64
            }
            Objective::Standard { generator: GeneratorLoss::Minimax, .. } => -sigmoid(d) / batch as f64,
            _ => -1.0 / batch as f64,
        };
        let grad_output: Vec<f64> =
            output(&scores).iter().zip(output(&real_scores)).map(derivative).collect();
        let (_, grad_samples) = backward(&self.discriminator, &scores, &grad_output);
        let (gradients, _) = backward(&self.generator, &passes, &grad_samples);
        self.steps[0] += 1;
        for (layer, gradients) in self.generator.iter_mut().zip(&gradients) {
            layer.descend(gradients, self.recipe.generator, self.steps[0] as i32, f64::INFINITY);
        }
    }

    /// Generates mini-batch `index` of this step's samples.
    fn generate(&self, index: u64, streams: &Streams) -> Vec<Pass> {
        let width = self.generator[0].inputs;
        let mut latents = vec![0.0; self.recipe.batch * width];
        fill_latents(streams.latent.substream(self.steps[0]).substream(index), width, &mut latents);
        forward(&self.generator, latents)
    }

    /// The gradient of the discriminator's loss through its outputs on real or on generated samples; `others` are the other
    /// samples of the pairs.
    fn loss_gradient(&self, samples: &[f64], others: &[f64], are_real: bool) -> NetworkGradients {
        let Recipe { objective, batch, .. } = self.recipe;
        let [passes, other_passes] =
            [samples, others].map(|samples| forward(&self.discriminator, samples.to_vec()));
        let derivative = |(&d, &other): (&f64, &f64)| match objective {
            // softplus(−(D(x) − D(G(z))))
            Objective::Relativistic if are_real => -sigmoid(other - d),
            Objective::Relativistic => sigmoid(d - other),
            // (1 − s) softplus(−D) + s softplus(D) for real samples, softplus(D) for generated ones
            Objective::Standard { label_smoothing: s, .. } if are_real => {
                s * sigmoid(d) - (1.0 - s) * sigmoid(-d)
            }
            Objective::Standard { .. } => sigmoid(d),
            _ if are_real => -1.0,
            _ => 1.0,
        };
        let seeds: Vec<f64> = output(&passes)
            .iter()
            .zip(output(&other_passes))
            .map(|pair| derivative(pair) / batch as f64)
            .collect();
        backward(&self.discriminator, &passes, &seeds).0
    }

    /// The gradient of λ/B Σ (‖g‖ − t)², g = ∂D/∂x̂, as [`penalty`](super::penalty) derives it, for leaky ReLUs.
    fn penalty_gradient(&self, (weight, target): (f64, f64), x_hat: Vec<f64>) -> NetworkGradients {
        let batch = self.recipe.batch;
        let passes = forward(&self.discriminator, x_hat);
        let mut gradients: NetworkGradients = Vec::new();
        for layer in &self.discriminator {
            assert!(layer.parameters.len() == 2, "a penalised critic must not be normalised");
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
            let scale = if norm > 0.0 { 2.0 * weight / batch as f64 * (1.0 - target / norm) } else { 0.0 };
            // ẏ_0 = u,  ẏ_l = φ′(z_l) ⊙ W_l ẏ_(l−1),  ∂P/∂W_l = δ_l ẏ_(l−1)ᵀ
            let mut tangent: Vec<f64> = g.iter().map(|g| scale * g).collect();
            for (l, layer) in self.discriminator.iter().enumerate() {
                let delta = &deltas[deltas.len() - 1 - l];
                for (to, d) in delta.iter().enumerate() {
                    let weight_row = &mut gradients[l][0][to * layer.inputs..(to + 1) * layer.inputs];
                    weight_row.iter_mut().zip(&tangent).for_each(|(gradient, y)| *gradient += d * y);
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
