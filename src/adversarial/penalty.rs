//! The gradient penalty (Gulrajani et al. 2017).
//!
//! A critic D is evaluated between the data: x̂ = α x + (1 - α) G(z), with one α in [0, 1) per pair of samples
//! ([`Sequential::forward_interpolated`](crate::nn::Sequential::forward_interpolated)). Over B such points, with the
//! weight λ,
//!
//! ```text
//! P(θ) = λ/B Σ_i (‖g_i‖ - 1)²,       g_i = ∂D(x̂_i)/∂x̂_i
//! ∂P/∂θ = Σ_i u_i · ∂g_i/∂θ,         u_i = 2λ/B (1 - 1/‖g_i‖) g_i
//! ```
//!
//! [`direction`] computes P and u, and [`Sequential::tangent`](crate::nn::Sequential::tangent) computes the gradient
//! along u, which [`nn`](crate::nn#second-order) derives. `tests/adversarial.rs` compares the result with central
//! differences of P in f64, and with PyTorch's double backward.

use crate::parallel::{Chunks, for_each_split};
use crate::tensor::Element;
use equilibria_kernels::{Level, elementwise, reduce};

/// The penalty and the mean norm of the critic's slopes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Slopes {
    /// P, the penalty.
    pub penalty: f64,
    /// Mean of ‖g‖.
    pub mean: f64,
}

/// Writes the direction u of [the penalty's gradient](self), and the norms ‖g‖, from the input gradients g of a critic.
///
/// **Shapes** `gradients` and `direction` (rows, `width`), `norms` (rows).
///
/// **Panics** if the lengths do not match.
///
/// **Accuracy and cost** If g is 0, its direction is undefined, and u is 0. Sums in f64.
pub fn direction<T: Element>(
    weight: f64,
    width: usize,
    gradients: &[T],
    direction: &mut [T],
    norms: &mut [f64],
) -> Slopes {
    let rows = norms.len();
    for (name, length) in [("gradients", gradients.len()), ("direction", direction.len())] {
        assert!(length == rows * width, "{name} has {length} numbers, not {rows} rows of {width}");
    }
    let (level, share) = (Level::detect(), weight / rows as f64);
    let rows_at_once = rows_per_task(width);
    let pieces = (Chunks(direction, rows_at_once * width), Chunks(norms, rows_at_once));
    for_each_split(rows.div_ceil(rows_at_once), true, pieces, &|task, (direction, norms)| {
        let gradients = gradients[task * rows_at_once * width..].chunks(width);
        for ((direction, gradient), norm) in direction.0.chunks_mut(width).zip(gradients).zip(norms.0) {
            *norm = libm::sqrt(reduce::squared_norm(level, gradient).to_f64());
            let scale = if *norm > 0.0 { 2.0 * share * (1.0 - 1.0 / *norm) } else { 0.0 };
            elementwise::scale(level, T::from_f64(scale), gradient, direction);
        }
    });
    Slopes {
        penalty: share * norms.iter().map(|norm| (norm - 1.0) * (norm - 1.0)).sum::<f64>(),
        mean: norms.iter().sum::<f64>() / rows as f64,
    }
}

/// Number of rows per task: some microseconds of work.
fn rows_per_task(width: usize) -> usize {
    ((1 << 13) / width.max(1)).max(1)
}
