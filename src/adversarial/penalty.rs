//! Penalties on the slope of a discriminator.
//!
//! # Towards slope 1
//! A critic D is evaluated between the data: x̂ = α x + (1 - α) G(z), with one α in [0, 1) per pair of samples
//! ([`Sequential::forward_interpolated`](crate::nn::Sequential::forward_interpolated)). Over B such points, with the
//! weight λ,
//!
//! ```text
//! P(θ) = λ/B Σ_i (‖g_i‖ - 1)²,       g_i = ∂D(x̂_i)/∂x̂_i
//! ∂P/∂θ = Σ_i u_i · ∂g_i/∂θ,         u_i = 2λ/B (1 - 1/‖g_i‖) g_i
//! ```
//!
//! (Gulrajani et al. 2017.)
//!
//! # Towards slope 0
//! [`ZeroCentred`] penalises the slope at the samples themselves, with weights γ of real samples (R1) and of generated ones
//! (R2). It makes games converge that circle otherwise; [`dirac`](super::dirac) shows the smallest one. The first formula
//! holds with 0 in the place of 1 and λ = γ/2:
//!
//! ```text
//! P(θ) = γ/2B Σ_i ‖g_i‖²,            u_i = γ/B g_i
//! ```
//!
//! It is computed lazily: every n-th step with n times the weight, which costs less and has the same mean (Mescheder et al.
//! 2018; Karras et al. 2020).
//!
//! [`direction`] computes P and u, and [`Sequential::tangent`](crate::nn::Sequential::tangent) computes the gradient
//! along u, which [`nn`](crate::nn#second-order) derives. `tests/adversarial.rs` compares the result with central
//! differences of P in f64, and with PyTorch's double backward.

use crate::parallel::{Chunks, for_each_split};
use crate::tensor::Element;
use crate::{Error, Result};
use alloc::format;
use core::ops::Range;
use equilibria_kernels::{Level, elementwise, reduce};

/// The penalty and the mean norm of the critic's slopes.
///
/// The example of [`direction`] computes both for one slope.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Slopes {
    /// P, the penalty.
    pub penalty: f64,
    /// Mean of ‖g‖.
    pub mean: f64,
}

/// The zero-centred penalties of a discriminator.
///
/// ```
/// use equilibria::adversarial::{Objective, Recipe, ZeroCentred};
/// let zero_centred = ZeroCentred { real: 1.0, generated: 1.0, every: 4 };
/// let recipe = Recipe { zero_centred, ..Recipe::of(Objective::Relativistic) };
/// assert!(recipe.validate().is_ok() && recipe.penalises_slopes());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZeroCentred {
    /// γ of real samples; 0 for no penalty.
    pub real: f64,
    /// γ of generated samples; 0 for no penalty.
    pub generated: f64,
    /// The penalties are added at every n-th step of the discriminator, with n times their weight.
    pub every: u64,
}

impl ZeroCentred {
    /// No penalty.
    pub const NONE: Self = Self { real: 0.0, generated: 0.0, every: 1 };

    /// The penalised rows of a pass over `batch` real samples and as many generated ones; without rows if there is no penalty.
    pub(super) fn rows(&self, batch: usize) -> Range<usize> {
        let start = if self.real > 0.0 { 0 } else { batch };
        start..if self.generated > 0.0 { 2 * batch } else { batch }
    }

    /// Checks the ranges of all numbers.
    ///
    /// **Errors** [`Error::InvalidArgument`], with the correct range, if a number is outside its range.
    pub fn validate(&self) -> Result<()> {
        for (name, gamma) in [("real", self.real), ("generated", self.generated)] {
            if !(gamma >= 0.0 && gamma.is_finite()) {
                let what = format!("a penalty of weight {gamma} on the slope at {name} samples");
                return Err(Error::invalid(what, "a weight is a number of at least 0"));
            }
        }
        if self.every == 0 {
            return Err(Error::invalid("a penalty at every 0th step", "it is at least every step, 1"));
        }
        Ok(())
    }
}

/// Writes the direction u of [the penalty's gradient](self), and the norms ‖g‖, from the input gradients g of a critic. The
/// penalty is λ · mean (‖g‖ − `target`)² with the weight λ.
///
/// **Shapes** `gradients` and `direction` (rows, `width`), `norms` (rows).
///
/// **Panics** if the lengths do not match.
///
/// **Accuracy and cost** If g is 0, its direction is undefined, and u is 0. Sums in f64.
///
/// ```
/// use equilibria::adversarial::penalty::direction;
/// // One slope of length 5, and the penalty 10 (5 - 1)².
/// let (mut u, mut norms) = ([0.0; 2], [0.0]);
/// let slopes = direction((10.0, 1.0), 2, &[3.0, 4.0], &mut u, &mut norms);
/// assert_eq!((slopes.penalty, slopes.mean, norms), (160.0, 5.0, [5.0]));
/// assert_eq!(u, [48.0, 64.0]); // 2 · 10 (1 - 1/5) g
/// ```
pub fn direction<T: Element>(
    (weight, target): (f64, f64),
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
            let scale = if *norm > 0.0 { 2.0 * share * (1.0 - target / *norm) } else { 0.0 };
            elementwise::scale(level, T::from_f64(scale), gradient, direction);
        }
    });
    Slopes {
        penalty: share * norms.iter().map(|norm| (norm - target) * (norm - target)).sum::<f64>(),
        mean: norms.iter().sum::<f64>() / rows as f64,
    }
}

/// Number of rows per task: some microseconds of work.
fn rows_per_task(width: usize) -> usize {
    ((1 << 13) / width.max(1)).max(1)
}
