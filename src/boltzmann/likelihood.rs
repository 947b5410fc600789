//! Log-likelihoods of images under a machine.
//!
//! For a restricted machine ln P(v) = - F(v) - ln Z. The free energy F is cheap; ln Z, a sum over all states, is
//! expensive.
//!
//! - [`exact`] enumerates the smaller layer where it is small enough.
//! - [`annealed`] estimates ln Z and ln P(v) otherwise, once from below and once from above.
//! - The pseudo-log-likelihood needs no ln Z, but it is a different quantity.
//! - [`deep`] treats deep machines. Their ln P(v) + ln Z is also a sum over many states; the module bounds it and
//!   estimates ln Z.

pub mod annealed;
pub mod deep;
pub mod exact;
mod log_sum;
pub mod pseudo;

#[doc(inline)]
pub use pseudo::{pseudo_log_likelihood, stochastic_pseudo_log_likelihood};

use super::Rbm;
use crate::tensor::{Element, Workspace};
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::{Level, math, reduce};

/// Images whose hidden units are computed at once.
const BLOCK: usize = 512;

/// The negative free energy - F(v) = ln P(v) + ln Z of each image, summed in f64.
///
/// The sum over the images minus ln Z times their number is their log-likelihood.
///
/// **Shapes** `images` (rows, visible), each 0 or 1; returns (rows).
///
/// **Units** nats.
///
/// **Panics** if `images` is not whole rows.
///
/// **Accuracy and cost** As accurate as the logits in the type of the model. Takes rows x visible x hidden
/// multiply-adds, and memory for a few hundred images.
///
/// ```
/// use equilibria::{Tensor, boltzmann::{Rbm, likelihood::minus_free_energies}};
/// // Without weights and biases, the two hidden units have 4 states of equal weight.
/// let model = Rbm::from_parameters(Tensor::<f64>::zeros(&[3, 2]), Tensor::zeros(&[3]), Tensor::zeros(&[2]))?;
/// assert!((minus_free_energies(&model, &[1.0, 0.0, 1.0])[0] - 4_f64.ln()).abs() < 1e-12);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[track_caller]
pub fn minus_free_energies<T: Element>(model: &Rbm<T>, images: &[T]) -> Vec<f64> {
    let level = Level::detect();
    let (visible, hidden) = (model.visible(), model.hidden());
    let rows = images.len() / visible;
    assert!(rows * visible == images.len(), "{} units in rows of {visible}", images.len());
    let mut workspace = Workspace::new();
    let mut logits = vec![T::ZERO; rows.min(BLOCK) * hidden];
    let mut out = Vec::with_capacity(rows);
    for images in images.chunks(BLOCK * visible) {
        let logits = &mut logits[..images.len() / visible * hidden];
        model.hidden_logits(images, logits, &mut workspace);
        math::softplus_in_place(level, logits);
        for (v, softplus) in images.chunks_exact(visible).zip(logits.chunks_exact(hidden)) {
            let bias = v.iter().zip(model.visible_bias().data()).map(|(v, b)| v.to_f64() * b.to_f64());
            out.push(bias.sum::<f64>() + reduce::sum_f64(level, softplus));
        }
    }
    out
}

/// The mean of ln P(v) over images, given ln Z.
///
/// ```
/// use equilibria::boltzmann::{Rbm, likelihood};
/// use equilibria::rng::Stream;
/// let model = Rbm::<f64>::new(&[0.5, 0.5, 0.5], 2, Stream::named(1, "init"))?;
/// let log_partition = likelihood::exact::log_partition(&model)?;
/// let mean = likelihood::log_likelihood(&model, &[1.0, 0.0, 1.0], log_partition);
/// assert!((mean + 8.0_f64.ln()).abs() < 0.1); // untrained, all 8 images are about as probable
/// # Ok::<(), equilibria::Error>(())
/// ```
///
/// **Shapes** `images` (rows, visible), each 0 or 1.
///
/// **Units** nats per image.
///
/// **Panics** if `images` is empty or not whole rows.
///
/// **Accuracy and cost** As [`minus_free_energies`].
#[track_caller]
pub fn log_likelihood<T: Element>(model: &Rbm<T>, images: &[T], log_partition: f64) -> f64 {
    let energies = minus_free_energies(model, images);
    assert!(!energies.is_empty(), "the log-likelihood of 0 images");
    energies.iter().sum::<f64>() / energies.len() as f64 - log_partition
}
