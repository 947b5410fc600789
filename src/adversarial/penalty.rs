//! The gradient penalty (Gulrajani et al. 2017), and its gradient of second order.
//!
//! A critic D is looked at between the data: x̂ = α x + (1 - α) G(z), with one α in [0, 1) a pair of samples. Over B such
//! places, with the weight λ,
//!
//! ```text
//! P(θ) = λ/B Σ_i (‖g_i‖ - 1)²,       g_i = ∂D(x̂_i)/∂x̂_i.
//! ```
//!
//! Its derivative by a parameter goes through the gradient g_i:
//!
//! ```text
//! ∂P/∂θ = Σ_i u_i · ∂g_i/∂θ,          u_i = 2λ/B (1 - 1/‖g_i‖) g_i
//! ```
//!
//! For u held fixed, u_i · g_i is the derivative of D along u_i at x̂_i, a number that a *forward* pass of tangents gives, and
//! whose gradient by θ is one of first order. For layers z_l = W_l y_(l-1) + b_l, y_l = φ(z_l):
//!
//! ```text
//! backwards   δ_L = 1,  g_(l-1) = W_lᵀ δ_l,  δ_l = φ′(z_l) ⊙ g_l           g_0 is the gradient by the input
//! forwards    ẏ_0 = u,  ż_l = W_l ẏ_(l-1),   ẏ_l = φ′(z_l) ⊙ ż_l
//! hence       Σ u · g_0 = Σ ẏ_0 · W_1ᵀ δ_1 = Σ ż_1 · δ_1 = Σ ẏ_1 · g_1 = ... = Σ ẏ_L
//! and         ∂P/∂W_l = δ_l ẏ_(l-1)ᵀ  +  what moves through φ′(z)
//! ```
//!
//! For leaky ReLUs φ′ is piecewise constant and the last term 0, so that biases get nothing: they move no slope. For smooth
//! activations and layer normalisation z_l matters by φ′(z_l), and an ordinary backward pass from
//! s_l = g_l ⊙ ż_l ⊙ φ″(z_l) adds the rest: [`Sequential::tangent`](crate::nn::Sequential::tangent) derives it for any layer.
//!
//! `tests/adversarial.rs` compares the result with central differences of P in f64, and with PyTorch's double backward.

use crate::tensor::Element;
use equilibria_kernels::{Level, elementwise, reduce};

/// What [`direction`] found.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Slopes {
    /// P, the penalty.
    pub penalty: f64,
    /// Mean of ‖g‖.
    pub mean: f64,
}

/// Writes u, along which tangents are to be carried forwards, from the input gradients g of a critic; see the head of this
/// module.
///
/// **Shapes** `gradients` and `direction` (rows, `width`).
/// **Panics** if the lengths differ or `width` is 0.
/// **Accuracy and cost** Where g is 0 its direction is not known, and u is 0.
pub fn direction<T: Element>(weight: f64, width: usize, gradients: &[T], direction: &mut [T]) -> Slopes {
    assert!(
        gradients.len() == direction.len(),
        "{} numbers of gradients, {} of directions",
        gradients.len(),
        direction.len()
    );
    let level = Level::detect();
    let rows = (gradients.len() / width) as f64;
    let mut slopes = Slopes::default();
    for (gradient, direction) in gradients.chunks(width).zip(direction.chunks_mut(width)) {
        let norm = libm::sqrt(reduce::squared_norm(level, gradient).to_f64());
        slopes.penalty += weight / rows * (norm - 1.0) * (norm - 1.0);
        slopes.mean += norm / rows;
        let scale = if norm > 0.0 { 2.0 * weight / rows * (1.0 - 1.0 / norm) } else { 0.0 };
        elementwise::scale(level, T::from_f64(scale), gradient, direction);
    }
    slopes
}

/// Writes α x + (1 - α) x̃ for each pair of rows.
///
/// **Shapes** `real`, `fake` and `between` (rows, `width`), `alphas` (rows).
/// **Panics** if the lengths do not fit.
pub fn interpolate<T: Element>(alphas: &[T], width: usize, real: &[T], fake: &[T], between: &mut [T]) {
    let level = Level::detect();
    let rows = real.chunks(width).zip(fake.chunks(width)).zip(between.chunks_mut(width));
    for (&alpha, ((real, fake), between)) in alphas.iter().zip(rows) {
        elementwise::scale(level, T::ONE - alpha, fake, between);
        elementwise::axpy(level, alpha, real, between);
    }
}
