//! Measurements during training.

use crate::boltzmann::likelihood::{log_likelihood, pseudo_log_likelihood, stochastic_pseudo_log_likelihood};
use crate::boltzmann::{GibbsChains, Rbm};
use crate::data::check_states;
use crate::rng::Stream;
use crate::tensor::{Element, Workspace};
use crate::{Error, Result};

/// The measurements at one point of training, on a fixed subset of the images.
///
/// ```
/// use equilibria::boltzmann::{Rbm, learning::Reading};
/// use equilibria::rng::Stream;
/// let model = Rbm::<f32>::new(&[0.5; 4], 3, Stream::named(1, "init"))?;
/// let (training, validation) = ([1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]);
/// let reading = Reading::of(&model, &training, &validation, Stream::named(1, "evaluate"))?;
/// // Each pixel is a fair coin to an untrained machine: ln 2 nats.
/// assert!((reading.pseudo_log_likelihood + 4.0 * 2.0_f64.ln()).abs() < 0.1);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Mean squared difference of the validation images from P(v = 1 | h), with h sampled from P(h | v); per pixel.
    ///
    /// Falls while learning goes well, but is not the objective of contrastive divergence (Hinton 2012, section 5).
    pub reconstruction_error: f64,
    /// Mean exact pseudo-log-likelihood of the validation images, the sum over pixels of ln P(pixel | all others); nats
    /// per image.
    pub pseudo_log_likelihood: f64,
    /// Its estimate as scikit-learn defines it: the number of pixels times the term of one random pixel per image; nats
    /// per image.
    pub stochastic_pseudo_log_likelihood: f64,
    /// Mean free energy of the validation images minus that of the training images; nats. Grows when the machine
    /// overfits (Hinton 2012, section 6).
    pub free_energy_gap: f64,
}

impl Reading {
    /// Measures `model`.
    ///
    /// **Shapes** `training` and `validation` (rows, visible), each 0 or 1.
    ///
    /// **Errors** [`Error::InvalidArgument`](crate::Error::InvalidArgument) for a unit that is neither 0 nor 1.
    ///
    /// **Randomness** One chain per image from `stream.substream(0)`, one pixel per image from `stream.substream(1)`.
    ///
    /// **Panics** if a set of images is empty or not whole rows.
    #[track_caller]
    pub fn of<T: Element>(model: &Rbm<T>, training: &[T], validation: &[T], stream: Stream) -> Result<Self> {
        check_states("a unit of an image", training)?;
        let mut workspace = Workspace::new();
        let mut mean_free_energy = |images: &[T]| {
            let energies = model.free_energies(images, &mut workspace);
            energies.iter().map(|energy| energy.to_f64()).sum::<f64>() / energies.len() as f64
        };
        let free_energy_gap = mean_free_energy(validation) - mean_free_energy(training);
        Ok(Self {
            reconstruction_error: reconstruction_error(model, validation, stream.substream(0))?,
            pseudo_log_likelihood: pseudo_log_likelihood(model, validation),
            stochastic_pseudo_log_likelihood: stochastic_pseudo_log_likelihood(
                model,
                validation,
                stream.substream(1),
            ),
            free_energy_gap,
        })
    }
}

/// A [`sample_preference`] above this, in nats, means that the model has probable states that are not in the data.
pub const SPURIOUS: f64 = 1.0;

/// Number and length of the chains of [`sample_preference`].
const CHAINS: usize = 200;
const STEPS: usize = 100;

/// The mean of ln P(v) over samples minus its mean over images: by how much a model prefers its own samples.
///
/// ln Z cancels, so this is cheap for models of any size. For a good model it is near 0 or below: training images are at
/// least as probable as samples. Above [`SPURIOUS`], training has not settled; [`fit`](super::fit) lists the remedies.
///
/// ```
/// use equilibria::Tensor;
/// use equilibria::boltzmann::{Rbm, learning::{SPURIOUS, sample_preference}};
/// use equilibria::rng::Stream;
/// // Every unit prefers to be on, and the images have all units off.
/// let bias = Tensor::filled(&[8], 2.0_f32);
/// let model = Rbm::from_parameters(Tensor::zeros(&[8, 3]), bias, Tensor::zeros(&[3]))?;
/// let preference = sample_preference(&model, &[0.0; 8], Stream::named(1, "evaluate"))?;
/// assert!(preference > SPURIOUS);
/// # Ok::<(), equilibria::Error>(())
/// ```
///
/// **Shapes** `images` (rows, visible), each 0 or 1.
///
/// **Units** nats.
///
/// **Errors** [`Error::InvalidArgument`] for a unit that is neither 0 nor 1; [`Error::ShapeMismatch`] unless `images` is
/// whole rows, at least 1.
///
/// **Randomness** 200 chains of 100 steps from `stream`, which start with all units off.
pub fn sample_preference<T: Element>(model: &Rbm<T>, images: &[T], stream: Stream) -> Result<f64> {
    let visible = model.visible();
    if images.is_empty() || !images.len().is_multiple_of(visible) {
        let expected = [images.len().div_ceil(visible).max(1), visible].to_vec();
        return Err(Error::ShapeMismatch { operation: "images", expected, found: [images.len()].to_vec() });
    }
    check_states("a unit of an image", images)?;
    let mut chains = GibbsChains::new(model, CHAINS, stream);
    chains.walk(STEPS);
    // With ln Z = 0, as it cancels.
    Ok(log_likelihood(model, &chains.visible_states(), 0.0) - log_likelihood(model, images, 0.0))
}

fn reconstruction_error<T: Element>(model: &Rbm<T>, images: &[T], stream: Stream) -> Result<f64> {
    let mut chains = GibbsChains::new(model, images.len() / model.visible(), stream);
    chains.set_visible_states(images)?;
    chains.walk(1);
    let square = |(x, y): (&T, &T)| {
        let difference = x.to_f64() - y.to_f64();
        difference * difference
    };
    Ok(images.iter().zip(&chains.visible_probabilities()).map(square).sum::<f64>() / images.len() as f64)
}
