//! How probable a machine finds images.
//!
//! ln P(v) = - F(v) - ln Z. The free energy F is cheap; ln Z, a sum over all states, is not. [`exact`] enumerates
//! the smaller layer where that is possible; [`annealed`] estimates elsewhere, from both sides; the
//! pseudo-log-likelihood needs no ln Z, and is another quantity. Of a deep machine F, too, is a sum over many states:
//! [`deep`] bounds it, and has their ln Z.

pub mod annealed;
pub mod deep;
pub mod exact;
mod log_sum;
mod pseudo;

pub use pseudo::{pseudo_log_likelihood, stochastic_pseudo_log_likelihood};

use super::Rbm;
use crate::tensor::{Element, Workspace};
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::{Level, math, reduce};

/// Images whose hidden units are held at once.
const BLOCK: usize = 512;

/// ln P(v) + ln Z = - F(v) of each image, summed in f64.
///
/// Add them up and subtract ln Z, exact or estimated, and the log-likelihood is there.
///
/// **Shapes** `images` (rows, visible), each 0 or 1; returns (rows).
/// **Units** nats.
/// **Panics** if `images` is not whole rows.
/// **Accuracy and cost** As good as the logits in the type of the model; rows x visible x hidden multiply-adds, and
/// the room of a few hundred images.
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

/// The mean of ln P(v) over images, by a ln Z that is known.
///
/// ```
/// use equilibria::boltzmann::{Rbm, likelihood};
/// use equilibria::rng::Stream;
/// let model = Rbm::<f64>::new(&[0.5, 0.5, 0.5], 2, Stream::named(1, "init"))?;
/// let log_partition = likelihood::exact::log_partition(&model, |_| Ok(()))?;
/// let mean = likelihood::log_likelihood(&model, &[1.0, 0.0, 1.0], log_partition);
/// assert!((mean + 8.0_f64.ln()).abs() < 0.1); // untrained, all 8 images are about as probable
/// # Ok::<(), equilibria::Error>(())
/// ```
///
/// **Shapes** `images` (rows, visible), each 0 or 1.
/// **Units** nats per image.
/// **Panics** if `images` is empty or not whole rows.
/// **Accuracy and cost** As [`minus_free_energies`].
#[track_caller]
pub fn log_likelihood<T: Element>(model: &Rbm<T>, images: &[T], log_partition: f64) -> f64 {
    let energies = minus_free_energies(model, images);
    assert!(!energies.is_empty(), "no image to find probable");
    energies.iter().sum::<f64>() / energies.len() as f64 - log_partition
}
