//! Batch normalisation: each column has mean β and standard deviation γ over a mini-batch.
//!
//! With N rows of a mini-batch, and everything for each column,
//!
//! ```text
//! forward:  μ = mean x,   v = mean (x − μ)²,   r = 1 / √(v + ε),   x̂ = (x − μ) r,   y = γ x̂ + β
//! ```
//!
//! Backward, with δ = ∂L/∂y. γ and β are a scale and a shift of each row: ∂L/∂γ = Σ δ x̂, ∂L/∂β = Σ δ. A row's x moves x̂ of
//! every row, by the mean and by the deviation: ∂μ/∂x_i = 1/N, ∂r/∂x_i = −r³ (x_i − μ)/N = −r² x̂_i/N (the mean's part is
//! gone, as Σ (x − μ) = 0), so
//!
//! ```text
//! ∂x̂_j/∂x_i = r ([i = j] − 1/N) − (x_j − μ) r² x̂_i/N = r ([i = j] − 1/N − x̂_j x̂_i/N)
//! backward:  ∂L/∂x_i = Σ_j γ δ_j ∂x̂_j/∂x_i = γ r (δ_i − mean δ − x̂_i mean(δ x̂))
//! ```
//!
//! In use, running values of mean and variance stand for the mini-batch's. They move by a share of 0.1 at each training
//! pass, the variance by the unbiased one, v N/(N − 1), as in PyTorch.
//!
//! Source: Ioffe & Szegedy 2015.

use super::Initialisation;
use super::passes::Slot;
use crate::rng::Stream;
use crate::tensor::{Activation, Element, Tensor};
use crate::{Error, Result};
use alloc::format;
use core::ops::Range;
use equilibria_kernels::Level;
use equilibria_kernels::normalise::{Batches, batch_backward, batch_forward, batch_infer};

/// Added to variances.
const EPSILON: f64 = 1e-5;

/// The share of a mini-batch in the running values.
const MOMENTUM: f64 = 0.1;

/// y = γ x̂ + β, with x̂ normalised over the mini-batch.
#[derive(Debug, Clone)]
pub struct BatchNorm<T: Element> {
    gamma: Tensor<T>,
    beta: Tensor<T>,
    running_mean: Tensor<T>,
    running_variance: Tensor<T>,
}

impl<T: Element> BatchNorm<T> {
    /// A layer of `width` columns with γ = 1, β = 0, running mean 0 and running variance 1.
    ///
    /// **Panics** if `width` is more than can be addressed.
    pub fn new(width: usize) -> Self {
        let (zeros, ones) = (Tensor::zeros(&[width]), Tensor::filled(&[width], T::ONE));
        Self { gamma: ones.clone(), beta: zeros.clone(), running_mean: zeros, running_variance: ones }
    }

    /// γ (columns).
    pub fn gamma(&self) -> &Tensor<T> {
        &self.gamma
    }

    /// β (columns).
    pub fn beta(&self) -> &Tensor<T> {
        &self.beta
    }

    /// The running mean (columns).
    pub fn running_mean(&self) -> &Tensor<T> {
        &self.running_mean
    }

    /// The running variance (columns).
    pub fn running_variance(&self) -> &Tensor<T> {
        &self.running_variance
    }

    /// γ, β, running mean and running variance, by PyTorch's names.
    pub(super) fn state(&self) -> [(&'static str, &Tensor<T>); 4] {
        [
            ("weight", &self.gamma),
            ("bias", &self.beta),
            ("running_mean", &self.running_mean),
            ("running_var", &self.running_variance),
        ]
    }

    /// As [`BatchNorm::state`], writable.
    pub(super) fn state_mut(&mut self) -> [(&'static str, &mut Tensor<T>); 4] {
        [
            ("weight", &mut self.gamma),
            ("bias", &mut self.beta),
            ("running_mean", &mut self.running_mean),
            ("running_var", &mut self.running_variance),
        ]
    }

    /// γ and β as at the start, or drawn; running values as at the start.
    pub(super) fn initialise(&mut self, initialisation: Initialisation, stream: Stream) {
        *self = Self::new(self.width());
        if let Initialisation::Normal { standard_deviation } = initialisation {
            self.gamma.fill_normal(stream.substream(0), T::from_f64(standard_deviation));
            self.gamma.data_mut().iter_mut().for_each(|gamma| *gamma += T::ONE);
        }
    }

    pub(super) fn width(&self) -> usize {
        self.gamma.len()
    }

    /// y = φ(γ x̂ + β), statistics (mini-batches, 3, columns) to be remembered; the running values move.
    pub(super) fn forward(
        &mut self,
        x: &[T],
        batches: usize,
        activation: Activation<T>,
        statistics: &mut [T],
        y: &mut [T],
    ) -> Result<()> {
        let columns = self.width();
        let shape = Batches::new(batches, x.len() / columns / batches, columns);
        if shape.rows() < 2 {
            return Err(Error::invalid(
                format!("a mini-batch of {}", shape.rows()),
                "batch normalisation takes at least 2 rows, as 1 has no variance",
            ));
        }
        let (gamma, beta) = (self.gamma.data(), self.beta.data());
        let (level, epsilon) = (Level::detect(), T::from_f64(EPSILON));
        batch_forward(level, x, shape, (gamma, beta), epsilon, activation, statistics, y);
        for statistics in statistics.chunks_exact(3 * columns) {
            self.move_running_values(statistics, shape.rows());
        }
        Ok(())
    }

    fn move_running_values(&mut self, statistics: &[T], rows: usize) {
        let (kept, share) = (T::from_f64(1.0 - MOMENTUM), T::from_f64(MOMENTUM));
        let unbiased = T::from_f64(MOMENTUM * rows as f64 / (rows as f64 - 1.0));
        let (mean, rest) = statistics.split_at(self.gamma.len());
        for (running, &mean) in self.running_mean.data_mut().iter_mut().zip(mean) {
            *running = kept * *running + share * mean;
        }
        for (running, &variance) in self.running_variance.data_mut().iter_mut().zip(rest) {
            *running = kept * *running + unbiased * variance;
        }
    }

    /// y = φ(γ x̂ + β) by the running values.
    pub(super) fn infer(&self, x: &[T], activation: Activation<T>, y: &mut [T]) {
        let (scales, epsilon) = ((self.gamma.data(), self.beta.data()), T::from_f64(EPSILON));
        let statistics = (self.running_mean.data(), self.running_variance.data());
        batch_infer(Level::detect(), x, scales, statistics, epsilon, activation, y);
    }

    /// ∂L/∂x, if it is wanted, and the sums (mini-batches, 2, columns) of which parameter gradients are made.
    pub(super) fn backward(
        &self,
        (x, delta): (&[T], &[T]),
        batches: usize,
        statistics: &[T],
        sums: &mut [T],
        grad_input: Option<&mut [T]>,
    ) {
        let columns = self.width();
        let shape = Batches::new(batches, x.len() / columns / batches.max(1), columns);
        batch_backward(Level::detect(), x, delta, shape, self.gamma.data(), statistics, sums, grad_input);
    }

    /// Adds Σ δ x̂ and Σ δ of some mini-batches to the gradients of γ and β.
    pub(super) fn add_gradients(&self, sums: &[T], batches: Range<usize>, mut gradients: Slot<'_, T>) {
        let columns = self.width();
        // γ's sums are the second row, β's the first.
        for (index, row) in [(0, 1), (1, 0)] {
            gradients.add(index, |beta, gradient| {
                for (j, gradient) in gradient.data_mut().iter_mut().enumerate() {
                    let mut sum = if beta == T::ZERO { T::ZERO } else { *gradient };
                    for batch in batches.clone() {
                        sum += sums[(2 * batch + row) * columns + j];
                    }
                    *gradient = sum;
                }
            });
        }
    }
}
