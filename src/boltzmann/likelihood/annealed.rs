//! Annealed estimates of ln Z and of ln P(v). The forward estimate anneals from a solvable model to the machine, the
//! reverse estimate from an image back to the solvable model.
//!
//! ## The path
//! The **base-rate model** has no weights, and visible biases a that give each unit its mean in the data. The
//! distributions between it (beta = 0) and the machine (beta = 1) are
//!
//! ```text
//! p_beta(v, h) = q_beta(v, h) / Z_beta,   q_beta(v, h) = exp((1 - beta) a v + beta (b v + c h + v W h)).
//! ```
//!
//! With x = c + v W, summing out h as in any restricted machine gives
//!
//! ```text
//! ln q_beta(v) = ((1 - beta) a + beta b) v + sum over j of softplus(beta x_j),      - F(v) at beta = 1,
//! Z_beta       = 2^hidden * prod over i of (1 + e^(a_i)) at beta = 0: Z_0,           Z at beta = 1,
//! ```
//!
//! A Gibbs step that leaves p_beta unchanged samples from
//!
//! ```text
//! P(h_j = 1 | v) = sigmoid(beta x_j),   P(v_i = 1 | h) = sigmoid((1 - beta) a_i + beta (b_i + (h W')_i)).
//! ```
//!
//! In the following, the index k counts steps: q_k is q at beta_k, and T_k the Gibbs step at beta_k, with 0 = beta_0 <
//! ... < beta_K = 1. The step draws h given v and then v' given h, both from the same joint distribution. T_k therefore
//! satisfies detailed balance:
//!
//! ```text
//! q_k(v) T_k(v' | v) = q_k(v') T_k(v | v').
//! ```
//!
//! ## Forward: annealed importance sampling (Neal 2001; Salakhutdinov & Murray 2008)
//! Draw v_0 from p_0, which is exact, then v_1 by T_1, ..., v_(K-1) by T_(K-1). The weight of the chain is
//!
//! ```text
//! w = prod over k = 0 .. K-1 of q_(k+1)(v_k) / q_k(v_k).
//! ```
//!
//! Its mean is Z / Z_0, because summing out the first state gives a sum of the same form:
//!
//! ```text
//!   sum over v_0 of p_0(v_0) [q_1(v_0) / q_0(v_0)] T_1(v_1 | v_0)
//!     = (1 / Z_0) sum over v_0 of q_1(v_0) T_1(v_1 | v_0) = q_1(v_1) / Z_0       by the balance;
//! times q_2(v_1) / q_1(v_1) it is q_2(v_1) / Z_0, and so on until
//!   sum over v_(K-1) of q_K(v_(K-1)) / Z_0 = Z / Z_0.
//! ```
//!
//! The estimate from the mean over chains is
//!
//! ```text
//! ln Z ~ ln Z_0 + ln mean w,   with relative standard error  s / (mean w sqrt(chains)),   s^2 the variance of w,
//! ```
//!
//! and the interval of the paper is ln(Z +- 3 standard errors of Z). The estimate of Z is unbiased. ln Z is a concave
//! function of it and therefore too small on average. The error is large if the chains miss a mode of the machine,
//! which the weights cannot reveal. **So the forward estimate makes the machine look better than it is.**
//!
//! ## Reverse (Burda, Grosse & Salakhutdinov 2015: RAISE)
//! The states that the forward chain reaches, with one more step T_K at the end, define a model of images, the
//! *annealed model*
//!
//! ```text
//! p_ann(v_K) = sum over v_0 .. v_(K-1) of p_0(v_0) T_1(v_1 | v_0) ... T_K(v_K | v_(K-1)),
//! ```
//!
//! The better the path, the closer p_ann is to p. The sum is estimated by importance sampling: start at the image
//! v_K = v and walk backwards, v_(K-1) by T_K, ..., v_0 by T_1. By detailed balance, the ratio of the term to the
//! probability of the walk is
//!
//! ```text
//! p_0(v_0) prod over k = 1 .. K of T_k(v_k | v_(k-1)) / T_k(v_(k-1) | v_k)
//!     = p_0(v_0) prod over k = 1 .. K of q_k(v_k) / q_k(v_(k-1))
//!     = (q_K(v_K) / Z_0) prod over k = 0 .. K-1 of q_k(v_k) / q_(k+1)(v_k).
//! ```
//!
//! Its mean is p_ann(v). By Jensen's inequality, the mean of its logarithm,
//!
//! ```text
//! ln p(v) ~ - F(v) - ln Z_0 - sum over k of ln [q_(k+1)(v_k) / q_k(v_k)],
//! ```
//!
//! is at most ln p_ann(v). It is a stochastic lower bound, on average over walks. Averaging several walks per image
//! inside the logarithm makes it tighter.
//!
//! p_ann differs from p. Averaged over images drawn from the machine, ln p_ann is below ln p (Gibbs' inequality). So
//! **the reverse estimate is conservative for images drawn from the machine**; for a trained machine, these resemble
//! its data. For an untrained machine and few steps, the annealed model is still close to the base rates of the data.
//! It may give the data a higher probability than the machine does.
//!
//! A reverse chain's sum is a forward chain's sum with the opposite sign, and the same code computes both.
//!
//! If both estimates agree, both are close to the true value. If they differ by more than [`LARGEST_GAP`], neither is
//! reliable, and the gap measures the uncertainty.
//!
//! ## Arithmetic
//! A step is a Gibbs step on bits ([`equilibria_kernels::binary`]). v W and h W' are stored, and only the weights of
//! the units that flipped are added. v W gives both terms of the importance weight, at beta_k and at beta_(k+1). It
//! also gives the logits of the next hidden states, at beta_(k+1).
//!
//! With beta' - beta = 1e-5 the difference of two sums of softplus has no correct digit in f32. Therefore
//! softplus(beta' x) - softplus(beta x) is computed directly
//! ([`softplus_increments`](equilibria_kernels::binary::softplus_increments)), as accurately as x itself. It is summed over
//! the 64 units of a panel in the type of the model, and then in f64. The same holds for v (b - a). Panels are added in
//! a fixed order, whichever threads computed them, and a chain's results do not depend on the other chains.
//!
//! `tests/boltzmann/likelihood.rs` checks both estimates against enumeration, with error bars, and checks that a wrong
//! machine fails.

mod schedule;
mod walkers;

pub use schedule::Schedule;

use super::log_sum::LogSum;
use super::minus_free_energies;
use crate::boltzmann::Rbm;
use crate::boltzmann::rbm::bias_of_mean;
use crate::data::{check_states, check_unit_interval};
use crate::parallel::within_awake;
use crate::rng::Stream;
use crate::tensor::Element;
use crate::{Error, Result};
use alloc::vec::Vec;
use core::ops::Range;
use walkers::{Rise, Walkers};

/// The difference between forward and reverse estimate above which neither is reliable; nats.
pub const LARGEST_GAP: f64 = 2.0;

/// Chains per batch. Each weight that is loaded serves the whole batch, and its states stay in cache.
const BATCH: usize = 128;

/// The annealing path from the base-rate model to a machine.
///
/// ```
/// use equilibria::boltzmann::{Rbm, likelihood::annealed::{Annealing, Schedule}};
/// use equilibria::rng::Stream;
/// let mean = [0.1, 0.5, 0.9];
/// let model = Rbm::<f32>::new(&mean, 20, Stream::named(1, "init"))?;
/// let schedule: Schedule = "0.9/0.1,1/0.01".parse()?;
/// let annealing = Annealing::new(&model, &mean, &schedule)?;
/// let stream = Stream::named(1, "evaluate");
/// let forward = annealing.forward(100, stream.substream(0), |_| Ok(()))?;
/// let reverse = annealing.reverse(&[0.0, 1.0, 1.0, 0.0, 0.0, 1.0], 5, stream.substream(1), |_| Ok(()))?;
/// assert!((reverse.log_partition().0 - forward.log_partition).abs() < 0.1);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Annealing<'a, T: Element> {
    model: &'a Rbm<T>,
    /// The visible biases a of the base-rate model.
    base_rate: Vec<T>,
    /// The inverse temperatures beta, from 0 to 1.
    inverse_temperatures: Vec<T>,
}

/// The forward estimate of ln Z.
///
/// ```
/// use equilibria::Tensor;
/// use equilibria::boltzmann::{Rbm, likelihood::annealed::{Annealing, Schedule}};
/// use equilibria::rng::Stream;
/// // Without weights and biases, Z = 2^(4 + 3), and every chain has the same weight.
/// let model = Rbm::from_parameters(Tensor::<f64>::zeros(&[4, 3]), Tensor::zeros(&[4]), Tensor::zeros(&[3]))?;
/// let annealing = Annealing::new(&model, &[0.5; 4], &"1/0.1".parse::<Schedule>()?)?;
/// let found = annealing.forward(10, Stream::named(1, "evaluate"), |_| Ok(()))?;
/// assert!((found.log_partition - 128_f64.ln()).abs() < 1e-9);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forward {
    /// The estimate of ln Z; nats.
    pub log_partition: f64,
    /// The standard error of Z relative to Z. While it is small, it is the standard error of ln Z; nats.
    pub standard_error: f64,
    /// ln(Z - 3 standard errors of Z) and ln(Z + 3 standard errors). The first is -inf if the difference is not
    /// positive.
    pub interval: [f64; 2],
    /// The effective number of samples, (sum w)^2 / sum w^2. A value close to 1 means that a single chain dominates the
    /// estimate.
    pub effective_samples: f64,
}

/// The reverse estimates of ln p(v).
///
/// ```
/// use equilibria::Tensor;
/// use equilibria::boltzmann::{Rbm, likelihood::annealed::{Annealing, Schedule}};
/// use equilibria::rng::Stream;
/// // Without weights and biases, each of the 2^4 images is as probable as the others.
/// let model = Rbm::from_parameters(Tensor::<f64>::zeros(&[4, 3]), Tensor::zeros(&[4]), Tensor::zeros(&[3]))?;
/// let annealing = Annealing::new(&model, &[0.5; 4], &"1/0.1".parse::<Schedule>()?)?;
/// let found = annealing.reverse(&[1.0, 0.0, 0.0, 1.0], 2, Stream::named(1, "evaluate"), |_| Ok(()))?;
/// assert!((found.log_likelihoods[0] + 16_f64.ln()).abs() < 1e-9);
/// assert!((found.minus_free_energies[0] - 8_f64.ln()).abs() < 1e-9);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Reverse {
    /// The estimate of ln p(v) for each image, on average too low for images drawn from the machine; nats.
    pub log_likelihoods: Vec<f64>,
    /// The negative free energies - F(v) = ln p(v) + ln Z of the images, exact; nats.
    pub minus_free_energies: Vec<f64>,
}

impl<'a, T: Element> Annealing<'a, T> {
    /// Creates the path to `model` from the base-rate model of data with this mean.
    ///
    /// Means are clamped to [0.001, 0.999], so that no state of a visible unit is impossible at the start.
    ///
    /// **Shapes** `visible_mean` (visible), each in [0, 1].
    ///
    /// **Errors** [`Error::ShapeMismatch`]; [`Error::InvalidArgument`] for a mean outside [0, 1].
    pub fn new(model: &'a Rbm<T>, visible_mean: &[f32], schedule: &Schedule) -> Result<Self> {
        if visible_mean.len() != model.visible() {
            return Err(Error::ShapeMismatch {
                operation: "means of the data and visible units of the model",
                expected: [model.visible()].to_vec(),
                found: [visible_mean.len()].to_vec(),
            });
        }
        check_unit_interval("a mean", visible_mean)?;
        Ok(Self {
            model,
            base_rate: visible_mean.iter().copied().map(bias_of_mean).collect(),
            inverse_temperatures: schedule.inverse_temperatures().iter().map(|&b| T::from_f64(b)).collect(),
        })
    }

    /// The ln Z_0 of the base-rate model.
    fn base_log_partition(&self) -> f64 {
        let softplus = |&a: &T| {
            let a = a.to_f64();
            a.max(0.0) + libm::log1p(libm::exp(-a.abs()))
        };
        self.model.hidden() as f64 * core::f64::consts::LN_2
            + self.base_rate.iter().map(softplus).sum::<f64>()
    }

    /// Estimates ln Z from `chains` chains.
    ///
    /// `progress` is called after each step with the number of chains that took it. The total is chains x steps of the
    /// schedule. An error that it returns ends the estimate.
    ///
    /// **Errors** [`Error::InvalidArgument`] for fewer than 2 chains, since the error bar comes from their spread; an
    /// error of `progress`.
    ///
    /// **Randomness** Chains walk in batches of 128. Layers are counted from 0 in the order in which they are sampled;
    /// the even ones are visible. Layer n of batch b draws from `stream.substream(b).substream(n)`. Within it, each
    /// panel of 64 units has its own substream and draws one chain after another. A chain's states therefore depend on
    /// its index and not on the number of chains.
    ///
    /// **Accuracy and cost** Rounding changes the weight of a chain by about 1e-4 nats in f32. The spread of the
    /// weights dominates; it is part of the result. A step adds a row of weights for each unit that flipped, and takes
    /// visible + 2 hidden sigmoids per chain. Bit-identical for every number of threads; steps allocate nothing.
    ///
    /// **Source** Neal 2001; Salakhutdinov & Murray 2008.
    pub fn forward(
        &self,
        chains: usize,
        stream: Stream,
        mut progress: impl FnMut(u64) -> Result<()> + Send,
    ) -> Result<Forward> {
        if chains < 2 {
            return Err(Error::invalid(
                alloc::format!("{chains} annealed chains"),
                "at least 2 are needed: the error bar is their spread",
            ));
        }
        let walk = |walkers: &mut Walkers<'_, T>, _| self.anneal(walkers, &mut progress);
        let log_weights = self.walk(chains, stream, walk)?;
        Ok(Forward::from_weights(self.base_log_partition(), &log_weights))
    }

    /// Returns ln w of `chains` chains. `walk(walkers, batch)` takes one batch through all steps.
    fn walk(
        &self,
        chains: usize,
        stream: Stream,
        mut walk: impl FnMut(&mut Walkers<'_, T>, Range<usize>) -> Result<()> + Send,
    ) -> Result<Vec<f64>> {
        within_awake(|| {
            let mut walkers = Walkers::new(self.model, &self.base_rate, chains.min(BATCH));
            let mut log_weights = Vec::with_capacity(chains);
            while log_weights.len() < chains {
                let first = log_weights.len();
                let batch = first..chains.min(first + BATCH);
                walkers.start(batch.len(), stream.substream((first / BATCH) as u64));
                walk(&mut walkers, batch)?;
                log_weights.extend_from_slice(walkers.log_weights());
            }
            Ok(log_weights)
        })
    }

    /// Anneals from the base-rate model to the machine. The image drawn last is not used.
    fn anneal(
        &self,
        walkers: &mut Walkers<'_, T>,
        progress: &mut impl FnMut(u64) -> Result<()>,
    ) -> Result<()> {
        walkers.sample_visible(T::ZERO);
        for pair in self.inverse_temperatures.windows(2) {
            forward_step(walkers, pair[0], pair[1]);
            progress(walkers.len() as u64)?;
        }
        Ok(())
    }

    /// Estimates ln p(v) of images, each from `chains` chains.
    ///
    /// `progress` works as in [`Annealing::forward`]; the total is images x chains x steps.
    ///
    /// **Shapes** `images` (rows, visible), each 0 or 1.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if `images` is not whole rows; [`Error::InvalidArgument`] if there are no
    /// images or no chains, or a unit of an image is neither 0 nor 1; an error of `progress`.
    ///
    /// **Randomness** As [`Annealing::forward`], except that the even layers are hidden. Chain c of image i has index i
    /// chains + c.
    ///
    /// **Accuracy and cost** As [`Annealing::forward`] for images x chains walks.
    ///
    /// **Source** Burda, Grosse & Salakhutdinov 2015.
    pub fn reverse(
        &self,
        images: &[T],
        chains: usize,
        stream: Stream,
        mut progress: impl FnMut(u64) -> Result<()> + Send,
    ) -> Result<Reverse> {
        let visible = self.model.visible();
        let rows = images.len() / visible;
        if rows * visible != images.len() {
            return Err(Error::ShapeMismatch {
                operation: "images to anneal from",
                expected: [rows, visible].to_vec(),
                found: [images.len()].to_vec(),
            });
        }
        let total = rows.saturating_mul(chains);
        if total == 0 {
            return Err(Error::invalid(
                alloc::format!("{rows} images with {chains} chains each"),
                "the reverse estimate needs at least 1 image and 1 chain",
            ));
        }
        check_states("an image to anneal from, with a unit", images)?;
        let mut places = Vec::with_capacity(total.min(BATCH) * visible);
        let log_weights = self.walk(total, stream, |walkers, batch| {
            places.clear();
            for row in batch {
                places.extend_from_slice(&images[row / chains * visible..][..visible]);
            }
            walkers.place(&places);
            self.anneal_back(walkers, &mut progress)
        })?;
        let minus_free_energies = minus_free_energies(self.model, images);
        let base = self.base_log_partition() + libm::log(chains as f64);
        let estimate =
            |(energy, weights): (&f64, &[f64])| energy - base + LogSum::of(weights.iter().copied());
        Ok(Reverse {
            log_likelihoods: minus_free_energies
                .iter()
                .zip(log_weights.chunks(chains))
                .map(estimate)
                .collect(),
            minus_free_energies,
        })
    }

    /// Anneals from the machine to the base-rate model. The hidden states drawn last are not used.
    fn anneal_back(
        &self,
        walkers: &mut Walkers<'_, T>,
        progress: &mut impl FnMut(u64) -> Result<()>,
    ) -> Result<()> {
        walkers.sample_hidden(None, T::ONE);
        for pair in self.inverse_temperatures.windows(2).rev() {
            backward_step(walkers, pair[0], pair[1]);
            progress(walkers.len() as u64)?;
        }
        Ok(())
    }
}

/// Adds the change of the weight from `from` to `to`, then takes a Gibbs step T at `to`.
fn forward_step<T: Element>(walkers: &mut Walkers<'_, T>, from: T, to: T) {
    walkers.sample_hidden(Some(Rise { from, to, sign: 1.0 }), to);
    walkers.sample_visible(to);
}

/// Takes the second half of a Gibbs step T at `to`, subtracts the change of the weight from `from` to `to`, then takes
/// the first half of a step at `from`.
fn backward_step<T: Element>(walkers: &mut Walkers<'_, T>, from: T, to: T) {
    walkers.sample_visible(to);
    walkers.sample_hidden(Some(Rise { from, to, sign: -1.0 }), from);
}

impl Forward {
    fn from_weights(base_log_partition: f64, log_weights: &[f64]) -> Self {
        let count = log_weights.len() as f64;
        let log_mean = LogSum::of(log_weights.iter().copied()) - libm::log(count);
        // w / mean w
        let relative = || log_weights.iter().map(|weight| libm::exp(weight - log_mean));
        let variance = relative().map(|w| (w - 1.0) * (w - 1.0)).sum::<f64>() / (count - 1.0);
        let standard_error = libm::sqrt(variance / count);
        let log_partition = base_log_partition + log_mean;
        let off = |by: f64| if by > -1.0 { log_partition + libm::log1p(by) } else { f64::NEG_INFINITY };
        Self {
            log_partition,
            standard_error,
            interval: [off(-3.0 * standard_error), off(3.0 * standard_error)],
            effective_samples: count * count / relative().map(|w| w * w).sum::<f64>(),
        }
    }
}

impl Reverse {
    /// The mean estimate and its standard error over images, which is infinite for a single image; nats per image.
    pub fn mean(&self) -> (f64, f64) {
        mean_and_error(self.log_likelihoods.iter().copied())
    }

    /// The ln Z that the estimates imply, the mean of - F(v) - ln p(v), and its standard error over images; nats.
    ///
    /// On average above ln Z for images drawn from the machine. Its error is smaller than that of the mean, because
    /// images differ in probability mostly through F, which is exact.
    pub fn log_partition(&self) -> (f64, f64) {
        let pairs = self.minus_free_energies.iter().zip(&self.log_likelihoods);
        mean_and_error(pairs.map(|(energy, likelihood)| energy - likelihood))
    }
}

/// The mean and the standard error of the mean.
pub(super) fn mean_and_error(values: impl ExactSizeIterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.clone().sum::<f64>() / count;
    if count < 2.0 {
        return (mean, f64::INFINITY);
    }
    let variance = values.map(|x| (x - mean) * (x - mean)).sum::<f64>() / (count - 1.0);
    (mean, libm::sqrt(variance / count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;
    use alloc::vec;

    #[test]
    fn weights_become_estimate_error_interval_and_effective_samples() {
        // Weights 1, 2, 3 times e^500: mean 2, variance 1.
        let weights = [0.0, core::f64::consts::LN_2, libm::log(3.0)].map(|w| w + 500.0);
        let found = Forward::from_weights(10.0, &weights);
        let close = |x: f64, y: f64| assert!((x - y).abs() < 1e-12 * y.abs().max(1.0), "{x}, not {y}");
        let error = libm::sqrt(1.0 / 3.0) / 2.0;
        close(found.log_partition, 510.0 + core::f64::consts::LN_2);
        close(found.standard_error, error);
        close(found.interval[0], found.log_partition + libm::log(1.0 - 3.0 * error));
        close(found.interval[1], found.log_partition + libm::log(1.0 + 3.0 * error));
        close(found.effective_samples, 36.0 / 14.0);

        let single = Forward::from_weights(0.0, &[-1e4, -1e4, 0.0]);
        close(single.effective_samples, 1.0);
        assert_eq!(single.interval[0], f64::NEG_INFINITY);
    }

    const VISIBLE: usize = 3;
    const HIDDEN: usize = 2;
    const CHAINS: usize = 200_000;

    /// A machine with large weights, so that an error in the inverse temperature is visible.
    fn machine() -> (Rbm<f64>, [f64; VISIBLE]) {
        let tensor = |shape: &[usize], x: &[f64]| Tensor::from_vec(shape, x.to_vec()).unwrap();
        let weight = tensor(&[VISIBLE, HIDDEN], &[2.0, -1.5, 1.0, 2.5, -2.0, 1.0]);
        let model =
            Rbm::from_parameters(weight, tensor(&[3], &[-1.0, 0.5, 0.2]), tensor(&[2], &[-0.5, -1.0]));
        (model.unwrap(), [0.7, -0.3, 0.1])
    }

    /// p_beta(v, h) at index v 2^HIDDEN + h, by the definition in the module documentation.
    fn joint(beta: f64) -> Vec<f64> {
        let (model, base) = machine();
        let unit = |state: usize, i: usize| (state >> i & 1) as f64;
        let q = |place: usize| {
            let (v, h) = (place >> HIDDEN, place % (1 << HIDDEN));
            let mut log = 0.0;
            for (i, base) in base.iter().enumerate() {
                log += unit(v, i) * ((1.0 - beta) * base + beta * model.visible_bias().data()[i]);
                for j in 0..HIDDEN {
                    log += beta * unit(v, i) * unit(h, j) * model.weight().data()[i * HIDDEN + j];
                }
            }
            let hidden = (0..HIDDEN).map(|j| beta * unit(h, j) * model.hidden_bias().data()[j]);
            libm::exp(log + hidden.sum::<f64>())
        };
        let q: Vec<f64> = (0..1 << (VISIBLE + HIDDEN)).map(q).collect();
        let z: f64 = q.iter().sum();
        q.iter().map(|q| q / z).collect()
    }

    fn marginal(joint: &[f64]) -> Vec<f64> {
        joint.chunks(1 << HIDDEN).map(|of_v| of_v.iter().sum()).collect()
    }

    /// Compares the frequencies of the chains' (v, h) with `probabilities`: Pearson's statistic, in standard deviations
    /// from its mean.
    fn excess(walkers: &Walkers<'_, f64>, probabilities: &[f64]) -> f64 {
        let mut counts = vec![0.0; probabilities.len()];
        walkers.states().for_each(|[v, h]| counts[(v << HIDDEN | h) as usize] += 1.0);
        let terms = counts.iter().zip(probabilities).map(|(found, p)| {
            let right = CHAINS as f64 * p;
            (found - right) * (found - right) / right
        });
        let freedom = probabilities.len() as f64 - 1.0;
        (terms.sum::<f64>() - freedom) / libm::sqrt(2.0 * freedom)
    }

    /// Starts chains whose v have exactly the distribution p_beta.
    fn stationary(walkers: &mut Walkers<'_, f64>, beta: f64) {
        let (mut images, mut sum, mut drawn) = (Vec::new(), 0.0, 0);
        for (v, p) in marginal(&joint(beta)).into_iter().enumerate() {
            sum += p;
            while (drawn as f64 + 0.5) / (CHAINS as f64) < sum && drawn < CHAINS {
                images.extend((0..VISIBLE).map(|i| (v >> i & 1) as f64));
                drawn += 1;
            }
        }
        walkers.start(CHAINS, Stream::named(3, "chain"));
        walkers.place(&images);
    }

    /// Uses large steps, so that a half step at the wrong inverse temperature is visible.
    #[test]
    fn a_step_preserves_the_distribution_of_its_inverse_temperature() {
        let (model, base) = machine();
        let mut walkers = Walkers::new(&model, &base, CHAINS);
        for (from, to) in [(0.0, 0.4), (0.3, 0.9), (0.5, 1.0)] {
            stationary(&mut walkers, to);
            forward_step(&mut walkers, from, to);
            let off = excess(&walkers, &joint(to));
            assert!(off < 5.0, "forward from {from} to {to}: {off} standard deviations off");

            stationary(&mut walkers, to);
            walkers.sample_hidden(None, to);
            backward_step(&mut walkers, from, to);
            // v has the distribution p_to, and h is drawn given v at `from`.
            let (at_to, at_from) = (marginal(&joint(to)), joint(from));
            let of_v = marginal(&at_from);
            let right: Vec<f64> = at_from
                .iter()
                .enumerate()
                .map(|(place, p)| at_to[place >> HIDDEN] * p / of_v[place >> HIDDEN])
                .collect();
            let off = excess(&walkers, &right);
            assert!(off < 5.0, "backward from {to} to {from}: {off} standard deviations off");
            let other = excess(&walkers, &joint(to));
            assert!(other > 50.0, "another inverse temperature is only {other} standard deviations off");
        }
    }

    #[test]
    fn means_over_images_have_standard_errors() {
        let reverse =
            Reverse { log_likelihoods: [-3.0, -5.0].to_vec(), minus_free_energies: [7.0, 6.0].to_vec() };
        assert_eq!(reverse.mean(), (-4.0, 1.0));
        assert_eq!(reverse.log_partition(), (10.5, 0.5));
        assert_eq!(mean_and_error([2.0].into_iter()), (2.0, f64::INFINITY));
    }
}
