//! Annealed estimates of a deep machine's ln Z and ln P(v), forward and in reverse.
//!
//! The method is that for restricted machines ([`annealed`], which derives both directions),
//! applied to the restricted machine [`sides`] of the deep one. The annealed state consists of the even layers e = (v,
//! h2, ...); the odd layers are summed out:
//!
//! ```text
//! ln q_beta(e) = ((1 - beta) a + beta c_e) e + sum over units of odd layers of softplus(beta (c_o + e U)).
//! ```
//!
//! Salakhutdinov & Hinton 2009 (section 3.3) anneal h1, sum out the other layers, and start from the uniform
//! distribution. The available prior knowledge is the mean of each pixel, and the start can only use means of units
//! that belong to the annealed state. Here the pixels belong to it, and **the base-rate model** has the means of the
//! data and of the data's mean-field posterior.
//!
//! With 100 chains and 2,900 inverse temperatures for a 784-500-1000 machine of MNIST, this start gave 11 effective
//! samples. The uniform start gave 2; annealing h1 gave 1 or 2 with either start.
//!
//! ## Reverse
//! **Images.** The annealed model p_ann(e), the distribution of the chains' last states, is also a model of images:
//! p_ann(v) = sum over h2, ... of p_ann(e). A walk back from e estimates p_ann(e) without bias. Draw h2, ... from the
//! mean-field posterior Q of the image, then
//!
//! ```text
//! p_ann(v) = E over h2, ... from Q [ E over walks back from e [ estimate of p_ann(e) ] / Q(h2, ...) ].
//! ```
//!
//! So the logarithm of a mean over chains is on average at most ln p_ann(v): a stochastic lower bound that needs no ln
//! Z. As for a restricted machine, it is **conservative for images drawn from the machine**, for which ln p_ann is on
//! average below ln P. It also includes the loss of the variational bound, except for the odd layers, which are summed
//! out; more chains reduce this loss.
//!
//! **ln Z.** The walks imply a value of ln Z: ln q_1(e) minus the logarithm of the estimate of p_ann(e). For states e
//! drawn from the machine it is **on average above ln Z** (Gibbs' and Jensen's inequalities), and the closer p_ann is
//! to the machine, the closer it is to ln Z.
//!
//! [`Annealing::reverse`] starts from images and hidden units drawn from Q. Their distribution is that of the machine
//! only if the machine has learned its data and Q is the posterior. [`Annealing::reverse_log_partition`] takes Gibbs
//! steps of the whole machine from there; once the chains have forgotten their start, the states are drawn from the
//! machine. Chains that never leave a part A of the states behave like draws from P given A. The value that they imply
//! is on average above the logarithm of A's part of Z.
//!
//! `tests/boltzmann/deep_annealing.rs` checks all of this against enumeration.

use super::super::annealed::{self, Forward, Schedule, mean_and_error};
use super::super::log_sum::LogSum;
use super::sides;
use crate::boltzmann::{Dbm, GibbsChains, MeanField, Rbm, Stop};
use crate::data::{check_states, check_unit_interval};
use crate::rng::Stream;
use crate::tensor::Element;
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::{Level, random};

/// Chains whose states are stored at once, and images whose means are.
const BLOCK: usize = 1024;

/// The annealing path from the base-rate model to a deep machine.
///
/// ```
/// use equilibria::boltzmann::{Dbm, Stop, likelihood::annealed::Schedule, likelihood::deep};
/// use equilibria::rng::Stream;
/// let model = Dbm::<f32>::new(&[0.1, 0.5, 0.9], &[20, 10], Stream::named(1, "init"))?;
/// let images = [0.0, 1.0, 1.0, 0.0, 0.0, 1.0];
/// let (stop, schedule) = (Stop { tolerance: 1e-6, iterations: 50 }, "0.9/0.1,1/0.01".parse::<Schedule>()?);
/// let annealing = deep::Annealing::new(&model, &images, stop, &schedule)?;
/// let stream = Stream::named(1, "evaluate");
/// let forward = annealing.forward(100, stream.substream(0), |_| Ok(()))?;
/// let reverse = annealing.reverse(&images, 5, stream.substream(1), |_| Ok(()))?;
/// assert!((reverse.log_partition().0 - forward.log_partition).abs() < 0.2);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Annealing<'a, T: Element> {
    model: &'a Dbm<T>,
    sides: Rbm<T>,
    /// The means of the even layers.
    mean: Vec<f32>,
    schedule: Schedule,
    stop: Stop,
}

/// The reverse estimates of ln P(v).
///
/// ```
/// use equilibria::Tensor;
/// use equilibria::boltzmann::{Dbm, Stop, likelihood::deep};
/// use equilibria::rng::Stream;
/// // Without weights and biases, each of the 2^2 images is as probable as the others.
/// let zeros = |shape: &[usize]| Tensor::<f64>::zeros(shape);
/// let model = Dbm::from_parameters(vec![zeros(&[2, 3]), zeros(&[3, 2])], vec![zeros(&[2]), zeros(&[3]), zeros(&[2])])?;
/// let (images, stop) = ([1.0, 0.0, 0.0, 1.0], Stop { tolerance: 1e-9, iterations: 50 });
/// let annealing = deep::Annealing::new(&model, &images, stop, &"1/0.1".parse()?)?;
/// let found = annealing.reverse(&images, 2, Stream::named(1, "evaluate"), |_| Ok(()))?;
/// assert!((found.log_likelihoods[0] + 4_f64.ln()).abs() < 1e-9);
/// assert!((found.lower_bounds[0] - 32_f64.ln()).abs() < 1e-9); // 2^5 states of the hidden units
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Reverse {
    /// The estimate of ln P(v) for each image, on average too low for images drawn from the machine; nats.
    pub log_likelihoods: Vec<f64>,
    /// An importance-sampling estimate of ln P(v) + ln Z for each image from the same states, on average too low; nats.
    pub lower_bounds: Vec<f64>,
}

impl Reverse {
    /// The mean estimate and its standard error over images, which is infinite for a single image; nats per image.
    pub fn mean(&self) -> (f64, f64) {
        mean_and_error(self.log_likelihoods.iter().copied())
    }

    /// The ln Z that the estimates imply and its standard error over images; nats.
    ///
    /// It may be above or below ln Z, depending on the images and their posterior. Use
    /// [`Annealing::reverse_log_partition`] to bound ln Z.
    pub fn log_partition(&self) -> (f64, f64) {
        let pairs = self.lower_bounds.iter().zip(&self.log_likelihoods);
        mean_and_error(pairs.map(|(bound, likelihood)| bound - likelihood))
    }
}

impl<'a, T: Element> Annealing<'a, T> {
    /// Creates the path to `model` from the base-rate model of `images` and their mean-field posterior. `stop` ends the
    /// mean-field iterations here and in the reverse estimates.
    ///
    /// A few hundred training images are enough. Means are clamped to [0.001, 0.999].
    ///
    /// **Shapes** `images` (rows, visible), each in [0, 1].
    ///
    /// **Errors** [`Error::ShapeMismatch`] if `images` is not whole rows; [`Error::InvalidArgument`] if there are no
    /// images, a unit is outside [0, 1], or a parameter is not finite.
    pub fn new(model: &'a Dbm<T>, images: &[T], stop: Stop, schedule: &Schedule) -> Result<Self> {
        let rows = whole_images(model, images)?;
        if rows == 0 {
            return Err(Error::invalid("a base-rate model of 0 images", "at least 1 is needed"));
        }
        check_unit_interval("an image with a unit", images)?;
        let sides = sides(model)?;
        let mut sums = vec![0.0; sides.visible()];
        let mut posterior = MeanField::new(model, rows.min(BLOCK));
        for images in images.chunks(BLOCK * model.visible()) {
            posterior.infer(model, images, stop)?;
            for row in 0..posterior.rows() {
                let units = even_means(images, &posterior, row);
                sums.iter_mut().zip(units).for_each(|(sum, unit)| *sum += unit.to_f64());
            }
        }
        // Rounding must not take the mean out of [0, 1].
        let mean: Vec<f32> = sums.iter().map(|sum| (sum / rows as f64).clamp(0.0, 1.0) as f32).collect();
        annealed::Annealing::new(&sides, &mean, schedule)?;
        Ok(Self { model, sides, mean, schedule: schedule.clone(), stop })
    }

    fn restricted_annealing(&self) -> annealed::Annealing<'_, T> {
        annealed::Annealing::new(&self.sides, &self.mean, &self.schedule)
            .expect("`new` has checked the arguments")
    }

    /// Estimates ln Z from `chains` chains: too low on average, and by much if they miss a mode.
    ///
    /// Arguments, errors, randomness, accuracy and cost are those of [`forward`](annealed::Annealing::forward) for the
    /// restricted machine, with the even layers as visible and the odd layers as hidden units.
    pub fn forward(
        &self,
        chains: usize,
        stream: Stream,
        progress: impl FnMut(u64) -> Result<()> + Send,
    ) -> Result<Forward> {
        self.restricted_annealing().forward(chains, stream, progress)
    }

    /// Estimates ln P(v) of images, each from `chains` chains.
    ///
    /// `progress` works as in [`annealed::Annealing::reverse`]; the total is images x chains x steps.
    ///
    /// **Shapes** `images` (rows, visible), each 0 or 1.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if `images` is not whole rows; [`Error::InvalidArgument`] if there are no
    /// images or no chains, or a unit of an image is neither 0 nor 1; an error of `progress`.
    ///
    /// **Randomness** Chain c of image i draws one uniform number per unit of the even hidden layers from
    /// `stream.substream(0).substream(i chains + c)`. Images are processed in blocks with at most 1,024 chains (at
    /// least one image); a block walks from `stream.substream(1).substream(block)`, as [`annealed::Annealing::reverse`]
    /// does.
    ///
    /// **Accuracy and cost** As [`Annealing::forward`] for images x chains walks.
    ///
    /// **Source** Burda, Grosse & Salakhutdinov 2015, with Q for the hidden layers of the annealed state.
    pub fn reverse(
        &self,
        images: &[T],
        chains: usize,
        stream: Stream,
        mut progress: impl FnMut(u64) -> Result<()> + Send,
    ) -> Result<Reverse> {
        let rows = whole_images(self.model, images)?;
        if rows == 0 || chains == 0 {
            return Err(Error::invalid(
                format!("{rows} images with {chains} chains each"),
                "the reverse estimate needs at least 1 image and 1 chain",
            ));
        }
        check_states("an image to anneal from, with a unit", images)?;
        let together = (BLOCK / chains).max(1).min(rows);
        let mut posterior = MeanField::new(self.model, together);
        let annealing = self.restricted_annealing();
        let mut found = Reverse { log_likelihoods: Vec::new(), lower_bounds: Vec::new() };
        for (block, images) in images.chunks(together * self.model.visible()).enumerate() {
            let place = block * together * chains;
            let drawn = self.draw(images, chains, &mut posterior, place, stream.substream(0))?;
            let stream = stream.substream(1).substream(block as u64);
            let walked = annealing.reverse(&drawn.states, 1, stream, &mut progress)?;
            let mean_over_chains = |values: &[f64]| {
                let pairs = values.chunks(chains).zip(drawn.log_probabilities.chunks(chains));
                let mean = |(values, logs): (&[f64], &[f64])| {
                    let weights = values.iter().zip(logs).map(|(value, log)| value - log);
                    LogSum::of(weights) - libm::log(chains as f64)
                };
                pairs.map(mean).collect::<Vec<f64>>()
            };
            found.log_likelihoods.extend(mean_over_chains(&walked.log_likelihoods));
            found.lower_bounds.extend(mean_over_chains(&walked.minus_free_energies));
        }
        Ok(found)
    }

    /// Estimates ln Z from states of the machine, and returns the estimate and its standard error: too high on average,
    /// if the states are drawn from the machine.
    ///
    /// Each image gives one state, with hidden units from its mean-field posterior. The state takes `gibbs_steps` steps
    /// of the whole machine, all odd and then all even layers, and is then annealed back. `progress` works as in
    /// [`Annealing::reverse`] with one chain per image.
    ///
    /// **Shapes** `images` (rows, visible), each 0 or 1.
    ///
    /// **Units** nats.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if `images` is not whole rows; [`Error::InvalidArgument`] if there are no
    /// images or a unit of an image is neither 0 nor 1; an error of `progress`.
    ///
    /// **Randomness** Hidden units as in [`Annealing::reverse`]. Blocks of 1,024 images draw from substreams of
    /// `stream.substream(2)` for the Gibbs steps and of `stream.substream(1)` for annealing.
    ///
    /// **Source** Grosse, Ghahramani & Adams 2015 (bidirectional Monte Carlo), with long chains in place of exact
    /// samples.
    pub fn reverse_log_partition(
        &self,
        images: &[T],
        gibbs_steps: usize,
        stream: Stream,
        mut progress: impl FnMut(u64) -> Result<()> + Send,
    ) -> Result<(f64, f64)> {
        let rows = whole_images(self.model, images)?;
        if rows == 0 {
            return Err(Error::invalid("0 images to start from", "the reverse estimate needs at least 1"));
        }
        check_states("an image to start from, with a unit", images)?;
        let mut posterior = MeanField::new(self.model, rows.min(BLOCK));
        let annealing = self.restricted_annealing();
        let mut implied = Vec::with_capacity(rows);
        for (block, images) in images.chunks(BLOCK * self.model.visible()).enumerate() {
            let drawn = self.draw(images, 1, &mut posterior, block * BLOCK, stream.substream(0))?;
            let of_block = |index| stream.substream(index).substream(block as u64);
            let mut chains = GibbsChains::new(&self.sides, posterior.rows(), of_block(2));
            chains.set_visible_states(&drawn.states)?;
            chains.walk(gibbs_steps);
            let walked = annealing.reverse(&chains.visible_states(), 1, of_block(1), &mut progress)?;
            let pairs = walked.minus_free_energies.iter().zip(walked.log_likelihoods);
            implied.extend(pairs.map(|(energy, likelihood)| energy - likelihood));
        }
        Ok(mean_and_error(implied.into_iter()))
    }

    /// Draws `chains` states of the even layers for each image: the image, and hidden units from its mean-field
    /// posterior. `place` is the index of the first chain.
    fn draw(
        &self,
        images: &[T],
        chains: usize,
        posterior: &mut MeanField<T>,
        place: usize,
        stream: Stream,
    ) -> Result<Drawn<T>> {
        posterior.infer(self.model, images, self.stop)?;
        let (visible, units) = (self.model.visible(), self.sides.visible());
        let count = posterior.rows() * chains;
        let mut drawn =
            Drawn { states: vec![T::ZERO; count * units], log_probabilities: Vec::with_capacity(count) };
        let [mut probabilities, mut drawn_units] = [(); 2].map(|()| vec![0.0_f64; units - visible]);
        for (chain, state) in drawn.states.chunks_exact_mut(units).enumerate() {
            let mut generator = stream.substream((place + chain) as u64).bulk();
            let (image, hidden) = state.split_at_mut(visible);
            let mut means = even_means(images, posterior, chain / chains);
            image.iter_mut().zip(&mut means).for_each(|(to, unit)| *to = unit);
            probabilities.iter_mut().zip(means).for_each(|(to, mean)| *to = mean.to_f64());
            let level = Level::detect();
            random::bernoulli_from_probabilities(level, &mut generator, &probabilities, &mut drawn_units);
            let mut log_probability = 0.0;
            for ((to, &mean), &unit) in hidden.iter_mut().zip(&probabilities).zip(&drawn_units) {
                *to = T::from_f64(unit);
                log_probability += if unit == 1.0 { libm::log(mean) } else { libm::log1p(-mean) };
            }
            drawn.log_probabilities.push(log_probability);
        }
        Ok(drawn)
    }
}

/// States of the even layers.
struct Drawn<T> {
    /// (chains, units of the even layers)
    states: Vec<T>,
    /// ln Q of the hidden units in each state.
    log_probabilities: Vec<f64>,
}

/// The means of all even layers given an image: the image itself, mu_2, mu_4, ...
fn even_means<'a, T: Element>(
    images: &'a [T],
    posterior: &'a MeanField<T>,
    row: usize,
) -> impl Iterator<Item = T> + 'a {
    let layers = (2..=posterior.layers()).step_by(2).map(|layer| posterior.means(layer));
    let of_row = move |units: &'a [T]| {
        let width = units.len() / posterior.rows();
        &units[row * width..][..width]
    };
    [images].into_iter().chain(layers).flat_map(of_row).copied()
}

/// The number of images; an error if they are not whole rows.
fn whole_images<T: Element>(model: &Dbm<T>, images: &[T]) -> Result<usize> {
    let visible = model.visible();
    let rows = images.len() / visible;
    if rows * visible != images.len() {
        return Err(Error::ShapeMismatch {
            operation: "images to anneal from",
            expected: [rows, visible].to_vec(),
            found: [images.len()].to_vec(),
        });
    }
    Ok(rows)
}
