//! Forward passes of rows and of interpolations between them.
//!
//! A gradient penalty evaluates a critic at x̂ = α x + (1 − α) x̃ for pairs of a real sample x and a generated sample
//! x̃; all three pass through the critic. An affine layer, such as a linear one, preserves the weights α and 1 − α
//! because their sum is 1:
//!
//! ```text
//! z(x̂) = x̂ Wᵀ + b = α (x Wᵀ + b) + (1 − α) (x̃ Wᵀ + b) = α z(x) + (1 − α) z(x̃)
//! ```
//!
//! The first layer, three quarters of a critic of images, therefore needs no product for x̂. `tests/adversarial.rs`
//! compares this pass with one that computes the product.

use super::{Cache, Input, Scratch, Sequential, Training, expect_len};
use crate::Result;
use crate::parallel::{Chunks, for_each_split};
use crate::tensor::{Activation, Element};
use equilibria_kernels::{Level, activation, elementwise};

impl<T: Element> Sequential<T> {
    /// Like [`Sequential::forward`], for three equal parts of rows. The third part is computed here: its row i is the
    /// interpolation of row i of the first part, with weight `alphas[i]`, and row i of the second part.
    ///
    /// **Shapes** `alphas` (a third of the rows).
    ///
    /// **Errors** Those of [`Sequential::forward`]; [`Error::ShapeMismatch`](crate::Error::ShapeMismatch) if the number
    /// of rows is not three times the length of `alphas`.
    pub fn forward_interpolated(
        &mut self,
        alphas: &[T],
        cache: &mut Cache<T>,
        training: Training,
        scratch: &mut Scratch<T>,
    ) -> Result<()> {
        self.expect_input(cache, training)?;
        expect_len("rows with interpolations", 3 * alphas.len(), cache.rows)?;
        let all = 0..cache.rows;
        let (ends, between) = cache.values.rows_mut(0, &all).split_at_mut(2 * alphas.len() * self.inputs());
        let (x, other) = ends.split_at(ends.len() / 2);
        interpolate(alphas, x, other, between);
        let first = self.steps.first().map(|step| (step, &self.layers[step.layer]));
        let Some((step, layer)) = first.filter(|(_, layer)| layer.properties().is_affine) else {
            return self.forward_from(0, cache, training, scratch);
        };
        let (input, _, output) = cache.step_mut(0, training.batches);
        let (ends, between) = output.split_at_mut(2 * alphas.len() * step.output.size());
        let (shape, x) = (step.input, &input[..2 * alphas.len() * self.inputs()]);
        layer.infer(Input { shape, x, activation: Activation::Identity, scratch: &mut *scratch }, ends);
        activate_interpolated(alphas, step.activation, ends, between);
        self.forward_from(1, cache, training, scratch)
    }
}

/// Writes α x + (1 − α) x′ for each pair of rows.
///
/// **Shapes** `alphas` (rows); `x`, `other` and `between` (rows, any width).
///
/// **Panics** if the lengths do not match.
///
/// ```
/// use equilibria::nn::interpolate;
/// let mut between = [0.0; 2];
/// interpolate(&[0.25], &[4.0, 8.0], &[0.0, 4.0], &mut between);
/// assert_eq!(between, [1.0, 5.0]);
/// ```
pub fn interpolate<T: Element>(alphas: &[T], x: &[T], other: &[T], between: &mut [T]) {
    let rows = alphas.len();
    assert!(
        x.len() == between.len() && other.len() == between.len() && between.len().is_multiple_of(rows.max(1)),
        "{} and {} numbers, {} interpolated numbers, {rows} rows",
        x.len(),
        other.len(),
        between.len()
    );
    let width = between.len() / rows.max(1);
    let rows_at_once = rows_per_task(width);
    let pieces = Chunks(between, (rows_at_once * width).max(1));
    for_each_split(rows.div_ceil(rows_at_once), true, pieces, &|task, between| {
        let first = task * rows_at_once;
        mix(&alphas[first..], width, &x[first * width..], &other[first * width..], between.0);
    });
}

/// Turns pre-activations z of the two ends (2, rows, width) into activations φ(z), and computes those of their
/// interpolations.
fn activate_interpolated<T: Element>(
    alphas: &[T],
    activation: Activation<T>,
    ends: &mut [T],
    between: &mut [T],
) {
    let width = between.len() / alphas.len().max(1);
    let rows_at_once = rows_per_task(width);
    let (x, other) = ends.split_at_mut(between.len());
    let chunks = |part| Chunks(part, (rows_at_once * width).max(1));
    let pieces = ((chunks(x), chunks(other)), chunks(between));
    for_each_split(alphas.len().div_ceil(rows_at_once), true, pieces, &|task, ((x, other), between)| {
        mix(&alphas[task * rows_at_once..], width, x.0, other.0, between.0);
        for part in [x.0, other.0, between.0] {
            activation::apply_in_place(Level::detect(), activation, part);
        }
    });
}

/// Computes the rows of `between` from the first rows of `alphas`, `x` and `other`.
fn mix<T: Element>(alphas: &[T], width: usize, x: &[T], other: &[T], between: &mut [T]) {
    let level = Level::detect();
    let rows = x.chunks(width.max(1)).zip(other.chunks(width.max(1))).zip(between.chunks_mut(width.max(1)));
    for (&alpha, ((x, other), between)) in alphas.iter().zip(rows) {
        elementwise::scale(level, T::ONE - alpha, other, between);
        elementwise::axpy(level, alpha, x, between);
    }
}

/// Number of rows per task: some microseconds of work.
fn rows_per_task(width: usize) -> usize {
    ((1 << 13) / width.max(1)).max(1)
}
