//! The pseudo-log-likelihood (Besag 1975) measures how well each unit is predicted by all the others.
//!
//! ```text
//! PLL(v) = sum over i of ln P(v_i | v without i) = sum over i of ln sigmoid(F(v with i flipped) - F(v))
//! ```
//!
//! With p_j = P(h_j = 1 | v) and d = 1 - 2 v_i, flipping v_i changes the logit of h_j by d W_ij. Since
//!
//! ```text
//! softplus(x + d W) - softplus(x) = ln((1 + e^x e^(d W)) / (1 + e^x)) = ln((1 - p) + p e^(d W)),
//! ```
//!
//! it follows that
//!
//! ```text
//! F(v with i flipped) - F(v) = - d b_i - sum over j of ln((1 - p_j) + p_j e^(d W_ij)).
//! ```
//!
//! No terms cancel, e^W and e^-W are computed once for all images, and one logarithm serves the product of several
//! factors. If a weight is so large that such a product could overflow, the left side of the first equation is computed
//! in f64 instead. `tests/boltzmann.rs::pseudo_log_likelihoods_agree_with_enumeration` checks the result.

use crate::boltzmann::Rbm;
use crate::parallel::for_each_row;
use crate::rng::Stream;
use crate::tensor::{Element, Workspace};
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::{Level, math, reduce};

/// Largest weight for which products of factors stay in the range of f32. Above it, the two softplus terms are computed
/// separately.
const LARGEST_IN_PRODUCT: f64 = 20.0;

/// The mean exact pseudo-log-likelihood of images.
///
/// **Shapes** `images` (rows, visible), each 0 or 1.
///
/// **Units** nats per image.
///
/// **Panics** if `images` is empty or not whole rows.
///
/// **Accuracy and cost** Sums over units in the type of the model, over images in f64. Takes rows x visible x hidden
/// multiply-adds and a quarter as many logarithms.
///
/// **Source** Besag 1975; Marlin et al. 2010, eq. 14.
///
/// ```
/// use equilibria::Tensor;
/// use equilibria::boltzmann::{Rbm, likelihood::pseudo_log_likelihood};
/// // Every unit is a fair coin.
/// let model = Rbm::from_parameters(Tensor::<f64>::zeros(&[4, 3]), Tensor::zeros(&[4]), Tensor::zeros(&[3]))?;
/// let found = pseudo_log_likelihood(&model, &[1.0, 0.0, 0.0, 1.0]);
/// assert!((found + 4.0 * 2_f64.ln()).abs() < 1e-12);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[track_caller]
pub fn pseudo_log_likelihood<T: Element>(model: &Rbm<T>, images: &[T]) -> f64 {
    let flips = Flips::new(model);
    mean(model, images, model.visible(), |_, logits, buffer, image, raises| {
        let hidden = flips.prepare(logits, buffer);
        for (i, raise) in raises.iter_mut().enumerate() {
            *raise = T::from_f64(flips.raise(model, hidden, image, i));
        }
        math::log_sigmoid_in_place(Level::detect(), raises);
        reduce::sum_f64(Level::detect(), raises)
    })
}

/// Estimates the mean pseudo-log-likelihood of images as scikit-learn's `BernoulliRBM.score_samples` does: the number
/// of visible units times the term of one unit, chosen at random for each image.
///
/// The estimate is unbiased, and its variance is large.
///
/// **Shapes** `images` (rows, visible), each 0 or 1.
///
/// **Units** nats per image.
///
/// **Randomness** One index per image, from `stream.substream(row)`.
///
/// **Panics** if `images` is empty or not whole rows.
///
/// ```
/// use equilibria::Tensor;
/// use equilibria::boltzmann::{Rbm, likelihood::stochastic_pseudo_log_likelihood};
/// use equilibria::rng::Stream;
/// let model = Rbm::from_parameters(Tensor::<f64>::zeros(&[4, 3]), Tensor::zeros(&[4]), Tensor::zeros(&[3]))?;
/// let found = stochastic_pseudo_log_likelihood(&model, &[1.0, 0.0, 0.0, 1.0], Stream::named(1, "evaluate"));
/// assert!((found + 4.0 * 2_f64.ln()).abs() < 1e-12, "the same whichever unit is drawn");
/// # Ok::<(), equilibria::Error>(())
/// ```
#[track_caller]
pub fn stochastic_pseudo_log_likelihood<T: Element>(model: &Rbm<T>, images: &[T], stream: Stream) -> f64 {
    let flips = Flips::new(model);
    mean(model, images, 0, |row, logits, buffer, image, _| {
        let visible = model.visible();
        // The high bits of the product with a 64-bit word are uniform up to visible / 2^64.
        let word = u128::from(stream.substream(row as u64).seed());
        let i = ((word * visible as u128) >> 64) as usize;
        visible as f64 * log_sigmoid(flips.raise(model, flips.prepare(logits, buffer), image, i))
    })
}

/// The mean over rows of `term(row, logits, buffer, v, scratch)`. The logits are those of P(h = 1 | v), `buffer` has
/// the same length, and `scratch` is the number of elements of the last argument.
#[track_caller]
fn mean<T: Element>(
    model: &Rbm<T>,
    images: &[T],
    scratch: usize,
    term: impl Fn(usize, &mut [T], &mut [T], &[T], &mut [T]) -> f64 + Sync,
) -> f64 {
    let (visible, hidden) = (model.visible(), model.hidden());
    let rows = images.len() / visible;
    assert!(rows > 0 && rows * visible == images.len(), "{} units in rows of {visible}", images.len());
    let mut logits = vec![T::ZERO; rows * hidden];
    let mut buffer = vec![T::ZERO; rows * (hidden + scratch)];
    model.hidden_logits(images, &mut logits, &mut Workspace::new());
    let mut terms = vec![0.0; rows];
    for_each_row(
        (&mut logits, hidden),
        (&mut buffer, hidden + scratch),
        &mut terms,
        |row, logits, buffer, out| {
            let (buffer, scratch) = buffer.split_at_mut(hidden);
            *out = term(row, logits, buffer, &images[row * visible..(row + 1) * visible], scratch);
        },
    );
    terms.iter().sum::<f64>() / rows as f64
}

/// ln sigmoid(x).
fn log_sigmoid(x: f64) -> f64 {
    if x < 0.0 { x - libm::log1p(libm::exp(x)) } else { -libm::log1p(libm::exp(-x)) }
}

/// ln(1 + e^x).
fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

/// The hidden units given an image, in the form that [`Flips::raise`] reads.
#[derive(Clone, Copy)]
enum Hidden<'a, T> {
    /// P(h = 1 | v) and P(h = 0 | v).
    Probabilities(&'a [T], &'a [T]),
    /// The logits of P(h = 1 | v). With large weights a flip may matter even where the probability rounds to 0 in `T`.
    Logits(&'a [T]),
}

/// The factors e^W and e^-W of a flip.
struct Flips<T> {
    raised: Vec<T>,
    lowered: Vec<T>,
    in_products: bool,
}

impl<T: Element> Flips<T> {
    fn new(model: &Rbm<T>) -> Self {
        let level = Level::detect();
        let weight = model.weight().data();
        let mut lowered: Vec<T> = weight.iter().map(|&w| -w).collect();
        let mut raised = weight.to_vec();
        let largest = reduce::max(level, weight).to_f64().max(reduce::max(level, &lowered).to_f64());
        math::exp_in_place(level, &mut raised);
        math::exp_in_place(level, &mut lowered);
        Self { raised, lowered, in_products: largest <= LARGEST_IN_PRODUCT }
    }

    /// Converts an image's logits to the form that [`Flips::raise`] reads.
    fn prepare<'a>(&self, logits: &'a mut [T], buffer: &'a mut [T]) -> Hidden<'a, T> {
        if !self.in_products {
            return Hidden::Logits(logits);
        }
        let level = Level::detect();
        buffer.iter_mut().zip(logits.iter()).for_each(|(off, &on)| *off = -on);
        math::sigmoid_in_place(level, logits);
        math::sigmoid_in_place(level, buffer);
        Hidden::Probabilities(logits, buffer)
    }

    /// F(v with unit i flipped) - F(v).
    fn raise(&self, model: &Rbm<T>, hidden: Hidden<'_, T>, image: &[T], i: usize) -> f64 {
        let span = i * model.hidden()..(i + 1) * model.hidden();
        let is_on = image[i] > T::ZERO;
        let bias = model.visible_bias().data()[i].to_f64();
        let direction = if is_on { -1.0 } else { 1.0 };
        let logs = match hidden {
            Hidden::Probabilities(p, q) => {
                let factors = if is_on { &self.lowered[span] } else { &self.raised[span] };
                reduce::log_mixture(Level::detect(), p, q, factors).to_f64()
            }
            Hidden::Logits(logits) => {
                let change = |(&x, &w): (&T, &T)| {
                    let x = x.to_f64();
                    softplus(x + direction * w.to_f64()) - softplus(x)
                };
                logits.iter().zip(&model.weight().data()[span]).map(change).sum()
            }
        };
        -direction * bias - logs
    }
}
