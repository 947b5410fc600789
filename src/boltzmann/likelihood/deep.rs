//! How probable a deep machine finds images: ln Z, and a lower bound on what is added to it.
//!
//! Of a restricted machine - F(v) = ln P(v) + ln Z is a sum over hidden units; of a deep one it is a sum over the states of
//! all hidden layers. [`lower_bounds`] bounds it from below, by independent units. ln Z is another matter:
//!
//! ## A deep machine is a restricted one
//! Only neighbouring layers are connected. Put all odd layers o = (h1, h3, ...) side by side, and all even ones e = (v, h2,
//! h4, ...), and no two units of a side are connected: **the two sides are the layers of a restricted machine**
//!
//! ```text
//! E(v, h1, ..., hL) = - c_o o - c_e e - o U e,
//!
//!          v      h2     h4
//!   h1  [  W_1'   W_2    0     ]
//!   h3  [  0      W_3'   W_4   ]   = U,   c_o = (b_1, b_3, ...),  c_e = (b_0, b_2, ...)
//! ```
//!
//! ([`sides`]). Either side can be summed out, and all that this room has for restricted machines holds as it is:
//! enumeration of the side with fewer units, and annealing. For two hidden layers there is no block of zeros, and with o =
//! h1 as the state annealing is that of Salakhutdinov & Hinton 2009, section 3.3:
//!
//! ```text
//! ln q_beta(h1) = beta b_1 h1 + sum softplus(beta (b_0 + W_1 h1)) + sum softplus(beta (b_2 + h1 W_2)).
//! ```
//!
//! `tests/boltzmann/deep_likelihood.rs` checks ln Z and bounds against enumeration of all layers.

mod bound;

pub use bound::{lower_bounds, lower_bounds_at};

use super::exact;
use crate::boltzmann::{Dbm, Rbm};
use crate::tensor::{Element, Tensor};
use crate::{Error, Result};
use alloc::format;
use alloc::vec::Vec;

/// The restricted machine whose visible units are the odd layers of a deep one, the lowest first, and whose hidden
/// units are the even ones, the deep machine's visible units among them.
///
/// **Errors** [`Error::InvalidArgument`] if a parameter is not finite.
/// **Accuracy and cost** The same energies; with more than two hidden layers, weights of 0 between layers that are not
/// connected take room and time.
pub fn sides<T: Element>(model: &Dbm<T>) -> Result<Rbm<T>> {
    let of = |parity: usize| model.biases().iter().skip(parity).step_by(2);
    let side = |parity| of(parity).flat_map(|bias| bias.data()).copied().collect::<Vec<T>>();
    // Where each layer begins on its side.
    let begins = |layer: usize| of(layer % 2).take(layer / 2).map(Tensor::len).sum::<usize>();
    let (odd, even) = (side(1), side(0));
    let mut weight = Tensor::zeros(&[odd.len(), even.len()]);
    let columns = even.len();
    for (layer, block) in (1..).zip(model.weights()) {
        let (below, above) = (begins(layer - 1), begins(layer));
        for (i, row) in block.data().chunks_exact(block.columns()).enumerate() {
            for (j, &w) in row.iter().enumerate() {
                let (o, e) = if layer % 2 == 1 { (above + j, below + i) } else { (below + i, above + j) };
                weight.data_mut()[o * columns + e] = w;
            }
        }
    }
    let bias = |side: Vec<T>| Tensor::from_vec(&[side.len()], side);
    Rbm::from_parameters(weight, bias(odd)?, bias(even)?)
}

/// ln Z, exact but for rounding.
///
/// All odd or all even layers are enumerated, whichever have fewer units. `progress` as of [`exact::log_partition`].
///
/// ```
/// use equilibria::boltzmann::{Dbm, MeanField, Stop, likelihood::deep};
/// use equilibria::rng::Stream;
/// let model = Dbm::<f64>::new(&[0.5; 9], &[4, 3], Stream::named(1, "init"))?;
/// let log_partition = deep::log_partition(&model, |_| Ok(()))?;
/// let (bounds, _) = deep::lower_bounds(&model, &[1.0; 9], Stop { tolerance: 1e-9, most: 50 });
/// // Untrained, all 2^9 images are about as probable.
/// assert!((bounds[0] - log_partition + 512.0_f64.ln()).abs() < 0.3);
/// # Ok::<(), equilibria::Error>(())
/// ```
///
/// **Units** nats.
/// **Errors** [`Error::InvalidArgument`] if both have more than [`exact::LARGEST_LAYER`] units: annealing estimates
/// then; that of `progress`.
/// **Accuracy and cost** As [`exact::log_partition`] of the restricted machine with these layers.
pub fn log_partition<T: Element>(model: &Dbm<T>, progress: impl FnMut(u64) -> Result<()>) -> Result<f64> {
    let units = |parity: usize| model.sizes().skip(parity).step_by(2).sum::<usize>();
    let (odd, even) = (units(1), units(0));
    if odd.min(even) > exact::LARGEST_LAYER {
        return Err(Error::invalid(
            format!("exact ln Z of {odd} units in the odd layers and {even} in the even ones"),
            format!(
                "one of the two with at most {} units can be enumerated; use the annealed estimate",
                exact::LARGEST_LAYER
            ),
        ));
    }
    exact::log_partition(&sides(model)?, progress)
}
