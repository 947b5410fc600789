//! The reconstruction of a layer from the means above it, a monitor of training.

use crate::tensor::{Activation, Element, Epilogue, MatrixMut, MatrixRef, Tensor, Workspace};
use alloc::vec;
use equilibria_kernels::{Level, math};

/// Computes the reconstruction p = sigmoid(b + `down` W h) of `data`. Returns the mean of (p - data)², and the mean over rows
/// of the sum of data ln p + (1 - data) ln (1 - p); nats.
///
/// **Shapes** `weight` (visible, hidden), `bias` (visible), `hidden` (rows, hidden), `data` (rows, visible).
///
/// **Panics** if the shapes do not fit.
///
/// ```
/// use equilibria::{Tensor, boltzmann::learning::deep::reconstruction::reconstruct};
/// // Without weights and biases every pixel is on with probability 1/2.
/// let (weight, bias) = (Tensor::<f64>::zeros(&[3, 2]), Tensor::zeros(&[3]));
/// let (error, log_likelihood) = reconstruct(&weight, &bias, 1.0, &[0.5, 0.5], &[1.0, 0.0, 1.0]);
/// assert!((error - 0.25).abs() < 1e-12 && (log_likelihood + 8.0_f64.ln()).abs() < 1e-12);
/// ```
#[track_caller]
pub fn reconstruct<T: Element>(
    weight: &Tensor<T>,
    bias: &Tensor<T>,
    down: f64,
    hidden: &[T],
    data: &[T],
) -> (f64, f64) {
    let (visible, units) = (weight.rows(), weight.columns());
    let rows = data.len() / visible;
    let mut found = vec![T::ZERO; data.len()];
    Workspace::new().gemm(
        T::from_f64(down),
        MatrixRef::new(hidden, rows, units),
        weight.view().transposed(),
        T::ZERO,
        MatrixMut::new(&mut found, rows, visible),
        Epilogue { bias: Some(bias.data()), activation: Activation::Identity },
    );
    let level = Level::detect();
    let mut logs = found.clone();
    math::log_sigmoid_in_place(level, &mut logs);
    // ln (1 - p) = ln p - logit
    let terms = found.iter().zip(&logs).zip(data);
    let terms = terms.map(|((&logit, &log), &y)| log.to_f64() - (T::ONE - y).to_f64() * logit.to_f64());
    let log_likelihood = terms.sum::<f64>() / rows.max(1) as f64;
    math::sigmoid_in_place(level, &mut found);
    let squares = found.iter().zip(data).map(|(&x, &y)| (x - y).to_f64() * (x - y).to_f64());
    (squares.sum::<f64>() / data.len().max(1) as f64, log_likelihood)
}
