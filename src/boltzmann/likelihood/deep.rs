//! Log-likelihoods of deep machines: ln Z, and lower bounds on ln P(v) + ln Z.
//!
//! For a restricted machine ln P(v) + ln Z = - F(v) is a sum over independent hidden units. For a deep one it is a sum
//! over the states of all hidden layers. [`lower_bounds`] bounds it from below, by independent units.
//!
//! ## A deep machine is a restricted one
//! ln Z is computed on a restricted machine with the same energy. Only neighbouring layers are connected. Collect all
//! even layers in e = (v, h2, h4, ...) and all odd ones in o = (h1, h3, ...). No two units of e are connected, nor two
//! of o: **e and o are the two layers of a restricted machine** ([`sides`])
//! ```text
//! E(v, h1, ..., hL) = - c_e e - c_o o - e U o,    c_e = (b_0, b_2, ...),  c_o = (b_1, b_3, ...),
//!
//!           h1     h3
//!   v   [  W_1     0    ]
//!   h2  [  W_2'    W_3  ]  = U.
//!   h4  [  0       W_4' ]
//! ```
//!
//! With two hidden layers U has no block of zeros. Either of e and o can be summed out, and every method for restricted
//! machines applies unchanged. [`log_partition`] enumerates the one with fewer units; [`Annealing`] estimates ln Z from
//! below and from above.
//!
//! `tests/boltzmann/deep_likelihood.rs` checks all of this against enumeration of every layer.

pub mod annealed;
pub mod bound;

#[doc(inline)]
pub use annealed::{Annealing, Reverse};
#[doc(inline)]
pub use bound::{lower_bounds, lower_bounds_at};

use super::exact;
use crate::boltzmann::{Dbm, Rbm};
use crate::tensor::{Element, Tensor};
use crate::{Error, Result};
use alloc::format;
use alloc::vec::Vec;

/// The restricted machine with the even layers of a deep one as visible units, and the odd layers as hidden units.
///
/// The first visible units are those of the deep machine. Both machines have the same energies.
///
/// **Errors** [`Error::InvalidArgument`] if a parameter is not finite.
///
/// **Accuracy and cost** With more than two hidden layers, the weights of 0 between layers that are not connected cost
/// memory and time.
///
/// ```
/// use equilibria::boltzmann::{Dbm, likelihood::deep::sides};
/// use equilibria::rng::Stream;
/// let model = Dbm::<f64>::new(&[0.5; 5], &[4, 3], Stream::named(1, "init"))?;
/// let both = sides(&model)?;
/// assert_eq!(both.visible() + both.hidden(), 5 + 4 + 3);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn sides<T: Element>(model: &Dbm<T>) -> Result<Rbm<T>> {
    let biases_of = |parity: usize| model.biases().iter().skip(parity).step_by(2);
    let side = |parity| biases_of(parity).flat_map(|bias| bias.data()).copied().collect::<Vec<T>>();
    // The first unit of a layer among the even or odd units.
    let begin = |layer: usize| biases_of(layer % 2).take(layer / 2).map(Tensor::len).sum::<usize>();
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

/// Computes ln Z exactly, up to rounding.
///
/// Enumerates all even or all odd layers, whichever have fewer units.
///
/// ```
/// use equilibria::boltzmann::{Dbm, Stop, likelihood::deep};
/// use equilibria::rng::Stream;
/// let model = Dbm::<f64>::new(&[0.5; 9], &[4, 3], Stream::named(1, "init"))?;
/// let log_partition = deep::log_partition(&model)?;
/// let (bounds, _) = deep::lower_bounds(&model, &[1.0; 9], Stop { tolerance: 1e-9, iterations: 50 })?;
/// // Untrained, all 2^9 images are about as probable.
/// assert!((bounds[0] - log_partition + 512.0_f64.ln()).abs() < 0.3);
/// # Ok::<(), equilibria::Error>(())
/// ```
///
/// **Units** nats.
///
/// **Errors** [`Error::InvalidArgument`] if the even layers and the odd layers each have more than
/// [`exact::LARGEST_LAYER`] units: use [`Annealing`] then.
///
/// **Accuracy and cost** As [`exact::log_partition`] of the restricted machine [`sides`].
pub fn log_partition<T: Element>(model: &Dbm<T>) -> Result<f64> {
    log_partition_with(model, |_| Ok(()))
}

/// Computes ln Z as [`log_partition`]. `progress` works as in [`exact::log_partition_with`].
///
/// **Errors** Those of [`log_partition`] and of `progress`.
///
/// ```
/// use equilibria::boltzmann::{Dbm, likelihood::deep};
/// use equilibria::rng::Stream;
/// let model = Dbm::<f64>::new(&[0.5; 9], &[4, 3], Stream::named(1, "init"))?;
/// let mut states = 0;
/// let found = deep::log_partition_with(&model, |done| {
///     states += done;
///     Ok(())
/// })?;
/// assert_eq!((states, found), (1 << 4, deep::log_partition(&model)?));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn log_partition_with<T: Element>(
    model: &Dbm<T>,
    progress: impl FnMut(u64) -> Result<()>,
) -> Result<f64> {
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
    exact::log_partition_with(&sides(model)?, progress)
}
