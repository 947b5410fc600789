//! Batch normalisation: gives each channel mean β and standard deviation γ over a mini-batch and its pixels.
//!
//! Pixels are rows, because images are channels-last. The layer is therefore PyTorch's `BatchNorm1d` for plain rows, and its
//! `BatchNorm2d` for images; `tests/networks.rs` compares the latter with plain loops.
//!
//! With N rows in a mini-batch (examples times pixels), separately for each channel,
//!
//! ```text
//! forward:  μ = mean x,   v = mean (x − μ)²,   r = 1 / √(v + ε),   x̂ = (x − μ) r,   y = γ x̂ + β
//! ```
//!
//! For the backward pass, let δ = ∂L/∂y. γ and β scale and shift each row: ∂L/∂γ = Σ δ x̂, ∂L/∂β = Σ δ. The x of one
//! row changes x̂ of every row through the mean and the deviation: ∂μ/∂x_i = 1/N and ∂r/∂x_i = −r³ (x_i − μ)/N = −r²
//! x̂_i/N (the term of the mean vanishes because Σ (x − μ) = 0), so
//!
//! ```text
//! ∂x̂_j/∂x_i = r ([i = j] − 1/N) − (x_j − μ) r² x̂_i/N = r ([i = j] − 1/N − x̂_j x̂_i/N)
//! backward:  ∂L/∂x_i = Σ_j γ δ_j ∂x̂_j/∂x_i = γ r (δ_i − mean δ − x̂_i mean(δ x̂))
//! ```
//!
//! In inference, running values of mean and variance replace those of the mini-batch. Each training pass updates them
//! with weight 0.1; the variance is updated with the unbiased variance v N/(N − 1), as in PyTorch.
//!
//! There is no tangent pass: the slope of a single example is undefined because its output depends on the other
//! examples.
//!
//! **Source** Ioffe & Szegedy 2015.

use super::{ForwardPass, Initialisation, Input, Kept, Layer, Pass, Properties, Shape};
use crate::rng::Stream;
use crate::tensor::{Element, Tensor};
use crate::{Error, Result};
use alloc::format;
use equilibria_kernels::Level;
use equilibria_kernels::normalise::{Batches, batch_backward, batch_forward, batch_infer};

/// The constant added to variances.
const EPSILON: f64 = 1e-5;

/// The weight of a mini-batch in the running values.
const MOMENTUM: f64 = 0.1;

/// y = γ x̂ + β, with x̂ normalised over the mini-batch.
///
/// ```
/// use equilibria::nn::{BatchNorm, Scratch, Sequential};
/// let network = Sequential::<f64>::new(2, vec![BatchNorm::new(2).into()])?;
/// let mut y = [0.0; 2];
/// // Before training, the running statistics change almost nothing.
/// network.infer(&[10.0, 30.0], &mut Scratch::new(), &mut y)?;
/// assert!((y[0] - 10.0).abs() < 1e-3 && network.mixes_examples());
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct BatchNorm<T: Element> {
    /// γ and β (channels).
    scales: [Tensor<T>; 2],
    /// Running mean and variance (channels).
    running: [Tensor<T>; 2],
}

impl<T: Element> BatchNorm<T> {
    /// A layer for `channels` channels with γ = 1, β = 0, running mean 0 and running variance 1.
    ///
    /// **Panics** if `channels` exceeds the address space.
    pub fn new(channels: usize) -> Self {
        let (zeros, ones) = (Tensor::zeros(&[channels]), Tensor::filled(&[channels], T::ONE));
        Self { scales: [ones.clone(), zeros.clone()], running: [zeros, ones] }
    }

    /// The sizes of x with `batches` mini-batches, as (batches, rows, columns).
    fn batches(&self, x: &[T], batches: usize) -> Batches {
        let columns = self.scales[0].len();
        Batches::new(batches, x.len() / columns / batches.max(1), columns)
    }

    fn update_running_values(&mut self, statistics: &[T], rows: usize) {
        let (kept, share) = (T::from_f64(1.0 - MOMENTUM), T::from_f64(MOMENTUM));
        let unbiased = T::from_f64(MOMENTUM * rows as f64 / (rows as f64 - 1.0));
        let statistics = statistics.chunks_exact(self.scales[0].len());
        for ((running, fresh), share) in self.running.iter_mut().zip(statistics).zip([share, unbiased]) {
            for (running, &fresh) in running.data_mut().iter_mut().zip(fresh) {
                *running = kept * *running + share * fresh;
            }
        }
    }
}

impl<T: Element> Layer<T> for BatchNorm<T> {
    fn name(&self) -> &'static str {
        "batch normalisation"
    }

    fn output_shape(&self, input: Shape) -> Result<Shape> {
        Shape::from(input.channels).expect("input of batch normalisation", self.scales[0].len())?;
        Ok(input)
    }

    fn tensors(&self) -> [&[Tensor<T>]; 2] {
        [&self.scales, &self.running]
    }

    fn tensors_mut(&mut self) -> [&mut [Tensor<T>]; 2] {
        [&mut self.scales, &mut self.running]
    }

    fn names(&self) -> &'static [&'static str] {
        &["weight", "bias", "running_mean", "running_var"]
    }

    /// Sets γ to 1, or draws it from a normal distribution around 1 with [`Initialisation::Normal`].
    fn initialise(&mut self, initialisation: Initialisation, stream: Stream) {
        *self = Self::new(self.scales[0].len());
        if let Initialisation::Normal { standard_deviation } = initialisation {
            let gamma = &mut self.scales[0];
            gamma.fill_normal(stream.substream(0), T::from_f64(standard_deviation));
            gamma.data_mut().iter_mut().for_each(|gamma| *gamma += T::ONE);
        }
    }

    fn properties(&self) -> Properties {
        Properties { mixes_examples: true, absorbs_activation: true, ..Properties::default() }
    }

    /// μ, v and r (3, channels) of each mini-batch.
    fn keeps(&self, input: Shape) -> Kept<usize> {
        Kept { per_batch: 3 * input.channels, ..Kept::default() }
    }

    fn infer(&self, Input { x, activation, .. }: Input<'_, T>, y: &mut [T]) {
        let [scales, running] = [&self.scales, &self.running].map(|[a, b]| (a.data(), b.data()));
        batch_infer(Level::detect(), x, scales, running, T::from_f64(EPSILON), activation, y);
    }

    fn forward(
        &mut self,
        ForwardPass { input, training, kept }: ForwardPass<'_, T>,
        y: &mut [T],
    ) -> Result<()> {
        let shape = self.batches(input.x, training.batches);
        if shape.rows() < 2 {
            return Err(Error::invalid(
                format!("a mini-batch of {}", shape.rows()),
                "batch normalisation needs at least 2 rows, because 1 row has no variance",
            ));
        }
        let (level, statistics, epsilon) = (Level::detect(), kept.per_batch, T::from_f64(EPSILON));
        let scales = (self.scales[0].data(), self.scales[1].data());
        batch_forward(level, input.x, shape, scales, epsilon, input.activation, &mut *statistics, y);
        for statistics in statistics.chunks_exact(3 * shape.columns()) {
            self.update_running_values(statistics, shape.rows());
        }
        Ok(())
    }

    // forward:  y = γ x̂ + β,   x̂ = (x − μ) r
    // backward: ∂L/∂γ = Σ δ x̂,   ∂L/∂β = Σ δ,   ∂L/∂x = γ r (δ − mean δ − x̂ mean(δ x̂))
    fn backward(&self, pass: Pass<'_, T>) {
        let shape = self.batches(pass.x, pass.batches);
        // Σ δ and Σ δ x̂ of each mini-batch (2, channels).
        let sums = pass.scratch.numbers(2 * shape.batches() * shape.columns());
        let (level, gamma, statistics) = (Level::detect(), self.scales[0].data(), pass.kept.per_batch);
        batch_backward(level, pass.x, pass.delta, shape, gamma, statistics, sums, pass.grad_input);
        let Some(mut gradients) = pass.gradients else { return };
        for sums in sums.chunks_exact(2 * shape.columns()) {
            let (grad_beta, grad_gamma) = sums.split_at(shape.columns());
            for (index, sums) in [grad_gamma, grad_beta].into_iter().enumerate() {
                let gradient = gradients.tensor(index).data_mut();
                gradient.iter_mut().zip(sums).for_each(|(gradient, &sum)| *gradient += sum);
            }
        }
    }
}
