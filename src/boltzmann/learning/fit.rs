//! Training for whole epochs in one call: [`Rbm::fit`] and [`Dbm::fit`].
//!
//! # Which method when
//! All methods follow the same gradient and differ in its negative phase, the expectation over the model:
//!
//! | method | chains | choose it | beware |
//! |---|---|---|---|
//! | `cd` ([`NegativePhase::Contrastive`]) | start at the images, `steps` steps | for features and reconstructions; for a first look; for few updates | the gradient is biased: states far from the data can stay probable, and samples can be poor |
//! | `pcd` ([`NegativePhase::Persistent`]) | continue from the last update | for samples and likelihood, the purpose of a generative model | the rate must be low enough that the chains follow the model, and it should fall to 0 at the end |
//! | `tempering:N` ([`NegativePhase::Tempered`]) | as `pcd`, with replicas at higher temperatures | if the data have separate modes between which `pcd`'s chains do not move | N times the cost; check the swap rates |
//!
//! Few images make few updates an epoch: with 4 images, 1. Under a constant rate `pcd` then does not settle: the chains move
//! together from one pattern to the next, and the model follows them. The table shows the mean log-likelihood over 3 seeds,
//! in nats per pattern; the best possible is -1.39. The data are 4 patterns of 8 bits, learned for 3,000 epochs with 8
//! hidden units, a rate of 0.05 and a momentum of 0.5.
//!
//! | method | constant rate | rate that falls to 0 |
//! |---|---|---|
//! | `cd` | -1.5 | -1.5 |
//! | `pcd`, 100 chains | -3.1 | -1.6 |
//! | `pcd`, 4 chains | -7.9 | -4.4 |
//! | `tempering:10`, 100 chains | -1.8 | -1.4 |
//!
//! [`sample_preference`](super::sample_preference) detects such a model without ln Z: it compares the free energies of
//! samples and images. The remedies are, in this order: a rate that falls to 0 ([`Schedule::line`]), a lower rate, more
//! chains, tempering.

use super::{DeepLearner, Learner, NegativePhase, Rates};
use crate::boltzmann::{Dbm, Rbm};
use crate::data::BinaryImages;
use crate::optim::Schedule;
use crate::rng::Stream;
use crate::tensor::Element;
use crate::{Error, Result};
use alloc::format;
use alloc::vec::Vec;
use core::ops::ControlFlow;

/// The settings of [`Rbm::fit`] and [`Dbm::fit`].
///
/// ```
/// use equilibria::boltzmann::learning::{Fit, NegativePhase};
/// let fit = Fit { epochs: 5, method: NegativePhase::Contrastive, ..Fit::default() };
/// assert_eq!(fit.batch, 100);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// Number of passes over the images.
    pub epochs: usize,
    /// Images in a mini-batch, and number of persistent chains.
    pub batch: usize,
    /// The negative phase. A deep machine always has persistent chains.
    pub method: NegativePhase,
    /// Gibbs steps per update.
    pub steps: usize,
    /// Factor of the mini-batch's mean gradient.
    pub learning_rate: Schedule,
    /// Fraction of the last update that is added again.
    pub momentum: Schedule,
    /// Pulls weights towards 0; multiplied by the learning rate.
    pub weight_decay: f64,
    /// Subtracts the mean of each unit in the gradient ([`centring`](super::centring)).
    pub centred: bool,
    /// Seed of all random numbers.
    pub seed: u64,
}

/// 10 epochs of centred persistent contrastive divergence with mini-batches of 100, at a rate that falls from 0.05 to 0 and a
/// momentum of 0.5.
impl Default for Fit {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch: 100,
            method: NegativePhase::Persistent,
            steps: 1,
            learning_rate: Schedule::line(0.05, 0.0),
            momentum: Schedule::constant(0.5),
            weight_decay: 0.0,
            centred: true,
            seed: 1,
        }
    }
}

impl<T: Element> Rbm<T> {
    /// Trains the machine on binary images, from its current parameters.
    ///
    /// `watch(epoch, learner)` is called after each epoch, counted from 1, and stops the training with
    /// [`ControlFlow::Break`].
    ///
    /// ```
    /// use core::ops::ControlFlow;
    /// use equilibria::boltzmann::{Rbm, learning::Fit};
    /// use equilibria::{data::BinaryImages, rng::Stream};
    /// let images = BinaryImages::from_rows(&[[true, true, false, false], [false, false, true, true]])?;
    /// let mut model = Rbm::<f32>::new(&images.mean(), 3, Stream::named(1, "init"))?;
    /// let mut epochs = 0;
    /// model.fit(&images, &Fit { epochs: 100, ..Fit::default() }, |epoch, _| {
    ///     epochs = epoch;
    ///     if epoch == 50 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    /// })?;
    /// assert_eq!(epochs, 50);
    /// # Ok::<(), equilibria::Error>(())
    /// ```
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the images have another size; [`Error::InvalidArgument`] for a setting out
    /// of range or no images; [`Error::Diverged`] if a parameter is no longer finite. The machine is then unchanged.
    ///
    /// **Randomness** The streams `shuffle` and `chain` of [`Fit::seed`], with one substream per epoch: the same as
    /// `equilibria rbm train`.
    pub fn fit(
        &mut self,
        images: &BinaryImages,
        fit: &Fit,
        watch: impl FnMut(usize, &Learner<T>) -> ControlFlow<()>,
    ) -> Result<()> {
        check(images, self.visible())?;
        let chains = Stream::named(fit.seed, "chain");
        let learner = Learner::new(self.clone(), fit.method, fit.steps, fit.batch, chains)?;
        let mut learner = if fit.centred { learner.centred() } else { learner };
        run(&mut learner, images, fit, watch)?;
        *self = learner.into_model();
        Ok(())
    }
}

impl<T: Element> Dbm<T> {
    /// Trains all layers of the machine together on binary images, from its current parameters.
    ///
    /// `watch` works as in [`Rbm::fit`]. Centred learning needs no pre-training; without it, start from machines that were
    /// pre-trained ([`pretraining`](super::deep::pretraining)).
    ///
    /// ```
    /// use core::ops::ControlFlow;
    /// use equilibria::boltzmann::{Dbm, learning::Fit};
    /// use equilibria::{data::BinaryImages, rng::Stream};
    /// let images = BinaryImages::from_rows(&[[true, true, false, false], [false, false, true, true]])?;
    /// let mut model = Dbm::<f32>::new(&images.mean(), &[3, 2], Stream::named(1, "init"))?;
    /// model.fit(&images, &Fit::default(), |_, _| ControlFlow::Continue(()))?;
    /// # Ok::<(), equilibria::Error>(())
    /// ```
    ///
    /// **Errors** Those of [`Rbm::fit`]; [`Error::InvalidArgument`] if [`Fit::method`] is not persistent.
    ///
    /// **Randomness** As [`Rbm::fit`].
    pub fn fit(
        &mut self,
        images: &BinaryImages,
        fit: &Fit,
        watch: impl FnMut(usize, &DeepLearner<T>) -> ControlFlow<()>,
    ) -> Result<()> {
        check(images, self.visible())?;
        if fit.method != NegativePhase::Persistent {
            let found = format!("method {} for a deep machine", fit.method);
            return Err(Error::invalid(found, "its chains are persistent; use pcd"));
        }
        let chains = Stream::named(fit.seed, "chain");
        let learner = DeepLearner::new(self.clone(), fit.batch, fit.batch, fit.steps, chains)?;
        let mut learner = if fit.centred { learner.centred() } else { learner };
        run(&mut learner, images, fit, watch)?;
        *self = learner.into_model();
        Ok(())
    }
}

fn check(images: &BinaryImages, visible: usize) -> Result<()> {
    if images.pixels() != visible {
        let operation = "pixels of an image and visible units";
        let (expected, found) = ([visible].to_vec(), [images.pixels()].to_vec());
        return Err(Error::ShapeMismatch { operation, expected, found });
    }
    if images.is_empty() {
        return Err(Error::invalid("training on 0 images", "at least 1 is needed"));
    }
    Ok(())
}

/// The common interface of both learners.
trait Updates {
    fn states_mut(&mut self, images: usize) -> &mut [u64];
    fn update(&mut self, rates: Rates, stream: Stream) -> Result<()>;
}

impl<T: Element> Updates for Learner<T> {
    fn states_mut(&mut self, images: usize) -> &mut [u64] {
        self.states_mut(images)
    }

    fn update(&mut self, rates: Rates, stream: Stream) -> Result<()> {
        self.update(rates, stream)
    }
}

impl<T: Element> Updates for DeepLearner<T> {
    fn states_mut(&mut self, images: usize) -> &mut [u64] {
        self.states_mut(images)
    }

    fn update(&mut self, rates: Rates, stream: Stream) -> Result<()> {
        self.update(rates, stream)
    }
}

/// Runs all epochs, or those until `watch` stops them.
fn run<L: Updates>(
    learner: &mut L,
    images: &BinaryImages,
    fit: &Fit,
    mut watch: impl FnMut(usize, &L) -> ControlFlow<()>,
) -> Result<()> {
    let mut order: Vec<usize> = (0..images.len()).collect();
    for epoch in 1..=fit.epochs {
        let stream = |name| Stream::named(fit.seed, name).substream(epoch as u64 - 1);
        let rates = Rates {
            learning_rate: fit.learning_rate.at(epoch, fit.epochs),
            momentum: fit.momentum.at(epoch, fit.epochs),
            weight_decay: fit.weight_decay,
        };
        stream("shuffle").permutation(&mut order);
        for (order, batch) in order.chunks(fit.batch).zip(1..) {
            images.gather(order, learner.states_mut(order.len()));
            learner.update(rates, stream("chain").substream(batch)).map_err(|error| match error {
                Error::Diverged { symptom, cause, .. } => {
                    Error::Diverged { place: format!("epoch {epoch}, batch {batch}"), symptom, cause }
                }
                other => other,
            })?;
        }
        if watch(epoch, learner).is_break() {
            break;
        }
    }
    Ok(())
}
