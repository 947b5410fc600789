//! Losses computed from logits: the mean over a mini-batch, and its derivatives.
//!
//! A discriminator's output d is the logit of the probability σ(d) = 1/(1 + e^−d) that a row is real. The logarithms of
//! probabilities are softplus functions of logits, ln σ(d) = −s(−d) and ln(1 − σ(d)) = −s(d) with s(d) = ln(1 + e^d) =
//! max(d, 0) + ln(1 + e^−|d|), which neither overflow nor lose small values, and s′ = σ.
//!
//! | loss of a row | | derivative with respect to d |
//! |---|---|---|
//! | binary cross-entropy with target t | −t ln σ(d) − (1 − t) ln(1 − σ(d)) = s(d) − t d | σ(d) − t |
//! | minimax, of the generator | ln(1 − σ(d)) = −s(d) | −σ(d) |
//! | non-saturating, of the generator | −ln σ(d) = s(−d) | −σ(−d) = σ(d) − 1 |
//! | Wasserstein, w = ± 1 | w d | w |
//! | relativistic, of a pair d, d′ with d to be higher | s(d′ − d) | −σ(d′ − d); with respect to d′ its negative |
//! | softmax cross-entropy with class c | ln Σ e^d_k − d_c | softmax(d)_k − \[k = c\] |
//!
//! The non-saturating loss is binary cross-entropy with target 1. If the discriminator is confident that a sample is
//! generated, d ≪ 0, its derivative is −1, while that of minimax is almost 0: hence the name. `tests/gradients.rs`
//! checks the derivatives of all of them.
//!
//! Each function takes logits and a slice of the same shape for the derivatives of the *mean*, and returns the mean,
//! summed in f64. Without rows the mean is NaN.

use crate::error::Shape;
use crate::tensor::Element;
use crate::{Error, Result};
use alloc::format;

/// Binary cross-entropy with one target for all rows: 0 for false, 1 for true, or a value between them for smoothed
/// labels.
///
/// **Shapes** `logits` and `gradient` (rows).
///
/// **Panics** if the lengths differ.
///
/// **Units** Nats.
///
/// ```
/// use equilibria::nn::losses::binary_cross_entropy;
/// let mut gradient = [0.0_f32; 2];
/// let loss = binary_cross_entropy(&[0.0, 1000.0], 1.0, &mut gradient);
/// assert!((loss - 2_f64.ln() / 2.0).abs() < 1e-12);
/// assert_eq!(gradient, [-0.25, 0.0]);
/// ```
#[track_caller]
pub fn binary_cross_entropy<T: Element>(logits: &[T], target: f64, gradient: &mut [T]) -> f64 {
    mean(logits, gradient, |d| (softplus(d) - target * d, sigmoid(d) - target))
}

/// The generator's minimax loss, the mean of ln(1 − σ(d)).
///
/// **Shapes**, **Panics** and **Units** Same as [`binary_cross_entropy`].
///
/// ```
/// use equilibria::nn::losses::minimax;
/// // ln(1 - sigmoid(0)) = -ln 2 for each of two samples.
/// assert!((minimax(&[0.0_f64, 0.0], &mut [0.0; 2]) + 2_f64.ln()).abs() < 1e-12);
/// ```
#[track_caller]
pub fn minimax<T: Element>(logits: &[T], gradient: &mut [T]) -> f64 {
    mean(logits, gradient, |d| (-softplus(d), -sigmoid(d)))
}

/// The generator's non-saturating loss, the mean of −ln σ(d).
///
/// **Shapes**, **Panics** and **Units** Same as [`binary_cross_entropy`].
///
/// ```
/// use equilibria::nn::losses::non_saturating;
/// assert!((non_saturating(&[0.0_f64, 0.0], &mut [0.0; 2]) - 2_f64.ln()).abs() < 1e-12);
/// ```
#[track_caller]
pub fn non_saturating<T: Element>(logits: &[T], gradient: &mut [T]) -> f64 {
    // -sigmoid(-d) rather than sigmoid(d) - 1, which rounds to 0 much earlier.
    mean(logits, gradient, |d| (softplus(-d), -sigmoid(-d)))
}

/// The mean of `weight` times the critic's scores: weight −1 for rows that should score high, 1 for rows that should
/// score low.
///
/// **Shapes** and **Panics** Same as [`binary_cross_entropy`].
///
/// **Units** Those of the critic's scores.
///
/// ```
/// use equilibria::nn::losses::wasserstein;
/// let mut gradient = [0.0_f64; 2];
/// assert_eq!(wasserstein(&[1.0, 3.0], -1.0, &mut gradient), -2.0);
/// assert_eq!(gradient, [-0.5, -0.5]);
/// ```
#[track_caller]
pub fn wasserstein<T: Element>(scores: &[T], weight: f64, gradient: &mut [T]) -> f64 {
    mean(scores, gradient, |d| (weight * d, weight))
}

/// The mean of softplus(d′ − d) over pairs of rows, where the score d should be higher than d′, with the derivatives with
/// respect to both.
///
/// **Shapes**, **Panics** and **Units** Same as [`binary_cross_entropy`], for the scores d and d′, each with its gradient.
///
/// ```
/// use equilibria::nn::losses::relativistic;
/// let (mut higher, mut lower) = ([0.0_f64], [0.0]);
/// let loss = relativistic((&[1.0], &mut higher), (&[1.0], &mut lower));
/// assert!((loss - 2_f64.ln()).abs() < 1e-12);
/// assert_eq!((higher, lower), ([-0.5], [0.5]));
/// ```
#[track_caller]
pub fn relativistic<T: Element>(
    (higher, grad_higher): (&[T], &mut [T]),
    (lower, grad_lower): (&[T], &mut [T]),
) -> f64 {
    let pairs = higher.len();
    let lengths = [lower.len(), grad_higher.len(), grad_lower.len()];
    assert!(lengths == [pairs; 3], "{pairs} pairs, with slices of {lengths:?} numbers");
    let mut sum = 0.0;
    for (i, (d, other)) in higher.iter().zip(lower).enumerate() {
        let difference = other.to_f64() - d.to_f64();
        sum += softplus(difference);
        let derivative = sigmoid(difference) / pairs as f64;
        (grad_higher[i], grad_lower[i]) = (T::from_f64(-derivative), T::from_f64(derivative));
    }
    sum / pairs as f64
}

/// The mean of a loss over rows with one logit each; `loss(d)` returns its value and its derivative.
fn mean<T: Element>(logits: &[T], gradient: &mut [T], loss: impl Fn(f64) -> (f64, f64)) -> f64 {
    assert!(
        logits.len() == gradient.len(),
        "{} logits and a gradient of {} numbers: the lengths must be equal",
        logits.len(),
        gradient.len()
    );
    let rows = logits.len() as f64;
    let mut sum = 0.0;
    for (logit, gradient) in logits.iter().zip(gradient) {
        let (value, derivative) = loss(logit.to_f64());
        sum += value;
        *gradient = T::from_f64(derivative / rows);
    }
    sum / rows
}

/// Softmax cross-entropy of rows of logits, one per class, with the class of each row.
///
/// **Shapes** `logits` and `gradient` (rows, classes), `labels` (rows).
///
/// **Errors** [`Error::ShapeMismatch`] if the lengths do not match; [`Error::InvalidArgument`] if a label is not a
/// class.
///
/// **Units** Nats per row.
///
/// ```
/// use equilibria::nn::losses::softmax_cross_entropy;
/// let mut gradient = [0.0_f64; 3];
/// let loss = softmax_cross_entropy(&[1000.0, 1000.0, -1000.0], &[1], &mut gradient)?;
/// assert_eq!((loss, gradient), (2_f64.ln(), [0.5, -0.5, 0.0]));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn softmax_cross_entropy<T: Element>(logits: &[T], labels: &[u8], gradient: &mut [T]) -> Result<f64> {
    let rows = labels.len();
    let classes = logits.len() / rows.max(1);
    for found in [logits.len(), gradient.len()] {
        if found != rows * classes {
            let (expected, found) = ([rows, classes].to_vec(), [found].to_vec());
            return Err(Error::ShapeMismatch { operation: "softmax cross-entropy", expected, found });
        }
    }
    if let Some((row, label)) = labels.iter().enumerate().find(|(_, label)| usize::from(**label) >= classes) {
        let what = format!("label {label} of row {row} of logits {}", Shape(&[rows, classes]));
        return Err(Error::invalid(what, format!("labels must be less than {classes}")));
    }
    let mut sum = 0.0;
    let of_rows = logits.chunks_exact(classes.max(1)).zip(gradient.chunks_exact_mut(classes.max(1)));
    for ((logits, gradient), &label) in of_rows.zip(labels) {
        let label = usize::from(label);
        // `max` ignores NaN, but the sum keeps it.
        let largest = logits.iter().map(|d| d.to_f64()).fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = logits.iter().map(|d| libm::exp(d.to_f64() - largest)).sum();
        // The difference is computed first, because a sum with large logits would lose the digits of the logarithm.
        sum += libm::log(total) + (largest - logits[label].to_f64());
        for (k, (gradient, logit)) in gradient.iter_mut().zip(logits).enumerate() {
            let probability = libm::exp(logit.to_f64() - largest) / total;
            let target = if k == label { 1.0 } else { 0.0 };
            *gradient = T::from_f64((probability - target) / rows as f64);
        }
    }
    Ok(sum / rows as f64)
}

/// ln(1 + e^d).
fn softplus(d: f64) -> f64 {
    let positive = if d > 0.0 { d } else { 0.0 };
    // NaN is passed on by the second term.
    positive + libm::log1p(libm::exp(-d.abs()))
}

/// 1 / (1 + e^−d).
fn sigmoid(d: f64) -> f64 {
    if d >= 0.0 {
        1.0 / (1.0 + libm::exp(-d))
    } else {
        let e = libm::exp(d);
        e / (1.0 + e)
    }
}
