//! The exact partition function, by enumerating the smaller layer.
//!
//! Given the states s of one layer, the units of the other are independent and can be summed out. Let U be the weights
//! with the enumerated layer as rows (W for visible units, W' for hidden ones), a its biases and d those of the other
//! layer. Then
//!
//! ```text
//! Z = sum over s of e^(a s) prod over j of (1 + e^(d_j + (s U)_j)),
//!
//! ln Z = ln sum over s of exp(a s + sum over j of softplus(d_j + (s U)_j)).
//! ```
//!
//! n units have 2^n states, and one product s U per state would cost 2^n n m multiply-adds. Split s into its low bits l
//! and high bits t, so that s U = l U + t U. A table holds l U for the 64 states of 6 units and stays in cache; d + t U
//! is computed once for 64 states. A logit then costs one addition, and errors do not accumulate from state to state as
//! they do along a Gray code. The remaining cost is 2^n m softplus terms, in one pass
//! ([`softplus_sum`](equilibria_kernels::reduce::softplus_sum)).
//!
//! ```text
//! for each round of SLOTS blocks                 in parallel; a block has a row for d + t U
//!   for each block: t, the high bits
//!     for each state l of the low units          the table, 64 m numbers, stays in L2
//!       exponent = a s + sum of softplus(row + table[l])
//!     one term: ln of the sum of the 64 e^exponent, in f64
//!   slot += term                                  a running log-sum-exp, in f64
//! ```
//!
//! The assignment of blocks to slots, and the order in which slots are added at the end, depend on n alone. So does the
//! result. `tests/boltzmann/likelihood.rs::the_exact_partition_function_agrees_with_brute_force` checks it.

use super::log_sum::LogSum;
use crate::boltzmann::Rbm;
use crate::parallel::for_each_row;
use crate::tensor::Element;
use crate::{Error, Result};
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::{Level, elementwise, reduce};

/// The largest number of units that can be enumerated: 2^25 states.
pub const LARGEST_LAYER: usize = 25;

/// Units whose states are in the table.
const LOW: usize = 6;

/// Blocks per round: more than the number of threads that helps. With fewer blocks, threads would wait.
const SLOTS: usize = 64;

/// Computes ln Z exactly, up to rounding.
///
/// ```
/// use equilibria::Tensor;
/// use equilibria::boltzmann::{Rbm, likelihood::exact};
/// // No weights: every unit is on or off by itself.
/// let model = Rbm::<f64>::from_parameters(Tensor::zeros(&[9, 3]), Tensor::zeros(&[9]), Tensor::zeros(&[3]))?;
/// let log_partition = exact::log_partition(&model)?;
/// assert!((log_partition - 12.0 * 2.0_f64.ln()).abs() < 1e-12);
/// # Ok::<(), equilibria::Error>(())
/// ```
///
/// **Units** nats.
///
/// **Errors** [`Error::InvalidArgument`] if both layers have more than [`LARGEST_LAYER`] units: use [`super::annealed`]
/// then.
///
/// **Accuracy and cost** Exponents are rounded in the type of the model, terms are added in f64. For `Rbm<f32>` and 784
/// visible units the error is at most about 1e-4 nats. Takes 2^n m softplus terms for n units in the smaller layer and
/// m in the other, and memory for about 130 rows of m numbers. Bit-identical for every number of threads; allocates
/// nothing per block.
pub fn log_partition<T: Element>(model: &Rbm<T>) -> Result<f64> {
    log_partition_with(model, |_| Ok(()))
}

/// Computes ln Z as [`log_partition`], and reports progress.
///
/// `progress` is called repeatedly with the number of states done since the last call. The total is 2^(units of the
/// smaller layer). An error that it returns ends the sum and is returned.
///
/// **Errors** Those of [`log_partition`] and of `progress`.
///
/// ```
/// use equilibria::boltzmann::{Rbm, likelihood::exact};
/// use equilibria::rng::Stream;
/// let model = Rbm::<f64>::new(&[0.5; 9], 3, Stream::named(1, "init"))?;
/// let mut states = 0;
/// let found = exact::log_partition_with(&model, |done| {
///     states += done;
///     Ok(())
/// })?;
/// assert_eq!((states, found), (1 << 3, exact::log_partition(&model)?));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn log_partition_with<T: Element>(
    model: &Rbm<T>,
    mut progress: impl FnMut(u64) -> Result<()>,
) -> Result<f64> {
    let smaller = Layer::smaller_of(model)?;
    let (width, count) = (smaller.other_bias.len(), smaller.bias.len());
    let blocks = 1_usize << (count - smaller.low);
    let slots = blocks.min(SLOTS);
    let states = 1 << smaller.low;
    let mut logits = vec![T::ZERO; slots * width];
    let mut exponents = vec![0.0; slots * states];
    let mut sums = vec![LogSum::EMPTY; slots];
    // Both counts are powers of two, so every round is full.
    for round in 0..blocks / slots {
        for_each_row(
            (&mut logits, width),
            (&mut exponents, states),
            &mut sums,
            |slot, row, exponents, sum| {
                sum.add(smaller.block(round * slots + slot, row, exponents));
            },
        );
        progress((slots * states) as u64)?;
    }
    let mut total = LogSum::EMPTY;
    sums.into_iter().for_each(|sum| total.merge(sum));
    Ok(total.ln())
}

/// The enumerated layer, and its effect on the other one.
struct Layer<T> {
    /// The biases a of the enumerated units.
    bias: Vec<T>,
    /// U (units, others): the contribution of an active unit to the logits of the others.
    weight: Vec<T>,
    /// The biases d of the others.
    other_bias: Vec<T>,
    /// Units whose states are in the table.
    low: usize,
    /// l U (2^low, others).
    table: Vec<T>,
    /// a l (2^low).
    table_bias: Vec<f64>,
}

impl<T: Element> Layer<T> {
    fn smaller_of(model: &Rbm<T>) -> Result<Self> {
        let (visible, hidden) = (model.visible(), model.hidden());
        if visible.min(hidden) > LARGEST_LAYER {
            return Err(Error::invalid(
                alloc::format!("exact ln Z of {visible} visible and {hidden} hidden units"),
                alloc::format!(
                    "a layer of at most {LARGEST_LAYER} units can be enumerated; use the annealed estimate"
                ),
            ));
        }
        let [b, c] = [model.visible_bias(), model.hidden_bias()].map(|bias| bias.data().to_vec());
        let weight = model.weight().data();
        Ok(if visible <= hidden {
            Self::new(b, weight.to_vec(), c)
        } else {
            let column = |j: usize| weight.iter().skip(j).step_by(hidden).copied();
            Self::new(c, (0..hidden).flat_map(column).collect(), b)
        })
    }

    fn new(bias: Vec<T>, weight: Vec<T>, other_bias: Vec<T>) -> Self {
        let (low, width) = (bias.len().min(LOW), other_bias.len());
        let mut table = vec![T::ZERO; width << low];
        for (state, row) in table.chunks_exact_mut(width).enumerate() {
            add_units(state, &weight, row);
        }
        let table_bias = (0..1 << low).map(|state| sum_of_units(state, &bias)).collect();
        Self { bias, weight, other_bias, low, table, table_bias }
    }

    /// The logarithm of the sum of e^exponent over the states whose high bits are `high`. `logits` and `exponents` are
    /// buffers.
    fn block(&self, high: usize, logits: &mut [T], exponents: &mut [f64]) -> f64 {
        let level = Level::detect();
        let width = logits.len();
        logits.copy_from_slice(&self.other_bias);
        add_units(high, &self.weight[self.low * width..], logits);
        let bias = sum_of_units(high, &self.bias[self.low..]);
        for ((exponent, low_bias), row) in
            exponents.iter_mut().zip(&self.table_bias).zip(self.table.chunks_exact(width))
        {
            *exponent = bias + low_bias + reduce::softplus_sum(level, logits, row).to_f64();
        }
        reduce::log_sum_exp(level, exponents)
    }
}

/// Adds the row of `weight` of every unit that is on in `state` to `logits`.
fn add_units<T: Element>(state: usize, weight: &[T], logits: &mut [T]) {
    for unit in units(state) {
        let row = &weight[unit * logits.len()..][..logits.len()];
        elementwise::add_in_place(Level::detect(), logits, row);
    }
}

/// The sum of `values` over the units that are on in `state`.
fn sum_of_units<T: Element>(state: usize, values: &[T]) -> f64 {
    units(state).map(|unit| values[unit].to_f64()).sum()
}

/// The units that are on in a state; bit i is unit i.
fn units(state: usize) -> impl Iterator<Item = usize> {
    (0..usize::BITS as usize).filter(move |&unit| state >> unit & 1 == 1)
}
