//! How probable a deep machine finds images: ln Z, and lower bounds on what is added to it.
//!
//! Of a restricted machine ln P(v) + ln Z = - F(v) is a sum over hidden units; of a deep one it is a sum over the states of
//! all hidden layers. [`lower_bounds`] bounds it from below, by independent units. ln Z is another matter:
//!
//! ## A deep machine is a restricted one
//! Only neighbouring layers are connected. Put all even layers e = (v, h2, h4, ...) side by side, and all odd ones o = (h1,
//! h3, ...), and no two units of a side are connected: **the two sides are the layers of a restricted machine** ([`sides`])
//!
//! ```text
//! E(v, h1, ..., hL) = - c_e e - c_o o - e U o,    c_e = (b_0, b_2, ...),  c_o = (b_1, b_3, ...),
//!
//!           h1     h3
//!   v   [  W_1     0    ]
//!   h2  [  W_2'    W_3  ]  = U.
//!   h4  [  0       W_4' ]
//! ```
//!
//! For two hidden layers there is no block of zeros. Either side can be summed out, and all that is here for restricted
//! machines holds as it is: [`log_partition`] enumerates the side with fewer units, and [`Annealing`] estimates from both
//! sides of the truth.
//!
//! `tests/boltzmann/deep_likelihood.rs` checks all of it against enumeration of every layer.

mod annealed;
mod bound;

pub use annealed::{Annealing, Reverse};
pub use bound::{lower_bounds, lower_bounds_at};

use super::exact;
use crate::boltzmann::{Dbm, Rbm};
use crate::tensor::{Element, Tensor};
use crate::{Error, Result};
use alloc::format;
use alloc::vec::Vec;

/// The restricted machine whose visible units are the even layers of a deep one, its own visible units first, and whose
/// hidden units are the odd ones.
///
/// **Errors** [`Error::InvalidArgument`] if a parameter is not finite.
/// **Accuracy and cost** The same energies; with more than two hidden layers, weights of 0 between layers that are not
/// connected take room and time.
pub fn sides<T: Element>(model: &Dbm<T>) -> Result<Rbm<T>> {
    let of = |parity: usize| model.biases().iter().skip(parity).step_by(2);
    let side = |parity| of(parity).flat_map(|bias| bias.data()).copied().collect::<Vec<T>>();
    // Where a layer begins on its side.
    let begin = |layer: usize| of(layer % 2).take(layer / 2).map(Tensor::len).sum::<usize>();
    let (even, odd) = (side(0), side(1));
    let columns = odd.len();
    let mut weight = Tensor::zeros(&[even.len(), columns]);
    for (layer, block) in (1..).zip(model.weights()) {
        let (below, above) = (begin(layer - 1), begin(layer));
        for (i, row) in block.data().chunks_exact(block.columns()).enumerate() {
            for (j, &w) in row.iter().enumerate() {
                let (e, o) = if layer % 2 == 1 { (below + i, above + j) } else { (above + j, below + i) };
                weight.data_mut()[e * columns + o] = w;
            }
        }
    }
    let bias = |side: Vec<T>| Tensor::from_vec(&[side.len()], side);
    Rbm::from_parameters(weight, bias(even)?, bias(odd)?)
}

/// ln Z, exact but for rounding.
///
/// All odd or all even layers are enumerated, whichever have fewer units. `progress` as of [`exact::log_partition`].
///
/// ```
/// use equilibria::boltzmann::{Dbm, Stop, likelihood::deep};
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
/// **Errors** [`Error::InvalidArgument`] if both have more than [`exact::LARGEST_LAYER`] units: [`Annealing`] estimates
/// then; that of `progress`.
/// **Accuracy and cost** As [`exact::log_partition`] of the restricted machine with these layers.
pub fn log_partition<T: Element>(model: &Dbm<T>, progress: impl FnMut(u64) -> Result<()>) -> Result<f64> {
    let units = |parity: usize| model.sizes().skip(parity).step_by(2).sum::<usize>();
    let (even, odd) = (units(0), units(1));
    if odd.min(even) > exact::LARGEST_LAYER {
        return Err(Error::invalid(
            format!("exact ln Z of {even} units in the even layers and {odd} in the odd ones"),
            format!(
                "one of the two with at most {} units can be enumerated; use the annealed estimate",
                exact::LARGEST_LAYER
            ),
        ));
    }
    exact::log_partition(&sides(model)?, progress)
}
