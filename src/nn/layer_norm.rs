//! Layer normalisation: each row has mean 0 and variance 1, then each column a scale γ and a shift β.
//!
//! With n numbers in a row, and everything for each row,
//!
//! ```text
//! forward:  μ = mean x,   v = mean (x − μ)²,   r = 1 / √(v + ε),   x̂ = (x − μ) r,   y = γ ⊙ x̂ + β
//! ```
//!
//! As in batch normalisation, with the row in the place of the column, x̂ has the symmetric Jacobian J with
//! J d = r (d − mean d − x̂ mean(x̂ ⊙ d)), so that with δ = ∂L/∂y
//!
//! ```text
//! backward: ∂L/∂x = J (γ ⊙ δ),   ∂L/∂γ = Σ_rows δ ⊙ x̂,   ∂L/∂β = Σ_rows δ
//! tangent:  ẏ = γ ⊙ J ẋ,         ∂/∂γ Σ δ · ẏ = Σ_rows δ ⊙ J ẋ
//! ```
//!
//! Rows do not know of one another, so that the layer may sit in a penalised critic. There S = δ · ẏ = a · J ẋ, with
//! a = γ ⊙ δ, has a gradient with respect to x as well, since J depends on x by r and x̂. Written out,
//! S = r (a · ẋ − n mean a mean ẋ − (a · x̂)(ẋ · x̂)/n), and with ∂r = −r² x̂ · ∂x/n and ∂x̂ = J ∂x
//!
//! ```text
//! ∂S/∂x = −r/n (S x̂ + J ((ẋ · x̂) a + (a · x̂) ẋ)).
//! ```
//!
//! Source: Ba, Kiros & Hinton 2016. ε is PyTorch's.

use super::passes::Slot;
use crate::tensor::{Activation, Element, Tensor};
use equilibria_kernels::normalise::{layer_curvature, layer_forward, layer_jacobian};
use equilibria_kernels::{Level, elementwise, reduce};

/// Added to variances.
const EPSILON: f64 = 1e-5;

/// y = γ ⊙ x̂ + β, with x̂ normalised over the row.
#[derive(Debug, Clone)]
pub struct LayerNorm<T: Element> {
    gamma: Tensor<T>,
    beta: Tensor<T>,
}

impl<T: Element> LayerNorm<T> {
    /// A layer of `width` columns with γ = 1 and β = 0.
    ///
    /// **Panics** if `width` is more than can be addressed.
    pub fn new(width: usize) -> Self {
        Self { gamma: Tensor::filled(&[width], T::ONE), beta: Tensor::zeros(&[width]) }
    }

    /// γ (columns).
    pub fn gamma(&self) -> &Tensor<T> {
        &self.gamma
    }

    /// β (columns).
    pub fn beta(&self) -> &Tensor<T> {
        &self.beta
    }

    /// γ and β, by PyTorch's names.
    pub(super) fn state(&self) -> [(&'static str, &Tensor<T>); 2] {
        [("weight", &self.gamma), ("bias", &self.beta)]
    }

    /// As [`LayerNorm::state`], writable.
    pub(super) fn state_mut(&mut self) -> [(&'static str, &mut Tensor<T>); 2] {
        [("weight", &mut self.gamma), ("bias", &mut self.beta)]
    }

    /// γ and β as at the start.
    pub(super) fn initialise(&mut self) {
        *self = Self::new(self.width());
    }

    pub(super) fn width(&self) -> usize {
        self.gamma.len()
    }

    /// What a pass over `rows` rows remembers: x̂ and, after it, r.
    pub(super) fn memory_len(&self, rows: usize) -> usize {
        rows * (self.width() + 1)
    }

    /// y = φ(γ ⊙ x̂ + β), with x̂ and r in `memory`.
    pub(super) fn forward(&self, x: &[T], activation: Activation<T>, memory: &mut [T], y: &mut [T]) {
        let (normal, scales) = memory.split_at_mut(x.len());
        let (of_columns, epsilon) = ((self.gamma.data(), self.beta.data()), T::from_f64(EPSILON));
        layer_forward(Level::detect(), x, of_columns, epsilon, activation, normal, scales, y);
    }

    /// ∂L/∂x = J (γ ⊙ δ), with x̂ and r of the rows.
    pub(super) fn input_gradient(&self, normal: (&[T], &[T]), delta: &[T], grad_input: &mut [T]) {
        layer_jacobian(Level::detect(), normal, Some(self.gamma.data()), delta, grad_input);
    }

    /// Adds Σ δ ⊙ x̂ and Σ δ.
    pub(super) fn add_gradients(&self, normal: (&[T], &[T]), delta: &[T], mut gradients: Slot<'_, T>) {
        self.add_products(normal.0, delta, &mut gradients);
        gradients.add_column_sums(1, delta);
    }

    /// Adds Σ δ ⊙ `x` to the gradient of γ.
    fn add_products(&self, x: &[T], delta: &[T], gradients: &mut Slot<'_, T>) {
        gradients.add(0, |beta, gradient| {
            let (level, rows) = (Level::detect(), delta.len() / self.width());
            if beta == T::ZERO {
                gradient.fill(T::ZERO);
            }
            reduce::add_column_dots(level, x, delta, rows, self.width(), gradient.data_mut());
        });
    }

    /// ẏ = γ ⊙ J ẋ; adds Σ δ ⊙ J ẋ to the gradient of γ, if there are δ and gradients to add to.
    pub(super) fn tangent(
        &self,
        normal: (&[T], &[T]),
        x_dot: &[T],
        second_order: Option<(&[T], Slot<'_, T>)>,
        y_dot: &mut [T],
    ) {
        let level = Level::detect();
        layer_jacobian(level, normal, None, x_dot, y_dot);
        if let Some((delta, mut gradients)) = second_order {
            self.add_products(y_dot, delta, &mut gradients);
        }
        for y_dot in y_dot.chunks_exact_mut(self.width()) {
            elementwise::mul_in_place(level, y_dot, self.gamma.data());
        }
    }

    /// The gradient of δ · ẏ + e · y with respect to x; no `e` is an `e` of 0.
    pub(super) fn curvature(
        &self,
        normal: (&[T], &[T]),
        (delta, x_dot): (&[T], &[T]),
        e: Option<&[T]>,
        out: &mut [T],
    ) {
        layer_curvature(Level::detect(), normal, self.gamma.data(), delta, x_dot, e, out);
    }
}
