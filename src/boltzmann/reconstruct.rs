//! Reconstruction of missing pixels by Gibbs sampling with the known pixels clamped.
//!
//! The estimate of a missing pixel with the least mean squared error is its mean given the known pixels. The chains
//! hold the known pixels at their values. After a burn-in, P(v = 1 | h) of the missing pixels is averaged over the
//! steps of an image's chain.

use crate::boltzmann::{Dbm, DbmChains, GibbsChains, ImageChains, Rbm};
use crate::rng::Stream;
use crate::tensor::Element;
use crate::{Error, Result};
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::binary::{pack_states, panels};
use equilibria_kernels::{Level, elementwise};

/// Lengths of the chains.
///
/// ```
/// use equilibria::boltzmann::reconstruct::Effort;
/// let effort = Effort { burn_in: 50, average: 100 };
/// assert_eq!(effort.burn_in + effort.average, 150, "Gibbs steps in total");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Steps that are discarded before averaging.
    pub burn_in: usize,
    /// Steps that are averaged.
    pub average: usize,
}

impl Default for Effort {
    fn default() -> Self {
        Self { burn_in: 50, average: 100 }
    }
}

/// A machine of either kind.
///
/// ```
/// use equilibria::boltzmann::{ImageChains, Rbm, reconstruct::Machine};
/// use equilibria::rng::Stream;
/// fn draw(machine: &impl Machine<f32>) -> Vec<f32> {
///     let mut chains = machine.begin(3, Stream::named(1, "chain"));
///     chains.walk(2);
///     chains.visible_states()
/// }
/// assert_eq!(draw(&Rbm::new(&[0.5; 4], 2, Stream::named(1, "init"))?).len(), 3 * 4);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub trait Machine<T: Element> {
    /// The number of visible units.
    fn visible(&self) -> usize;

    /// Creates chains whose visible units are sampled from their biases alone.
    fn begin(&self, chains: usize, stream: Stream) -> impl ImageChains<T>;
}

impl<T: Element> Machine<T> for Rbm<T> {
    fn visible(&self) -> usize {
        self.visible()
    }

    fn begin(&self, chains: usize, stream: Stream) -> impl ImageChains<T> {
        let mut chains = GibbsChains::new(self, chains, stream);
        // With h = 0, P(v = 1) = sigmoid(b).
        chains.sample_visible();
        chains
    }
}

impl<T: Element> Machine<T> for Dbm<T> {
    fn visible(&self) -> usize {
        self.visible()
    }

    fn begin(&self, chains: usize, stream: Stream) -> impl ImageChains<T> {
        let mut chains = DbmChains::new(self, chains, stream);
        chains.sample_even();
        chains
    }
}

/// Replaces the missing pixels of images by their estimated means.
///
/// The missing pixels start from the visible biases; their values in `images` are not read.
///
/// **Shapes** `images` (rows, visible), `missing` (visible); returns (rows, visible).
///
/// **Units** The missing pixels of the result are probabilities.
///
/// **Errors** [`Error::ShapeMismatch`]; [`Error::InvalidArgument`] if `effort.average` is 0 or a known pixel is neither
/// 0 nor 1.
///
/// **Randomness** One chain per row, with random numbers from `stream` as [`GibbsChains`] and [`DbmChains`] document.
///
/// ```
/// use equilibria::Tensor;
/// use equilibria::boltzmann::{Rbm, reconstruct::{Effort, reconstruct}};
/// use equilibria::rng::Stream;
/// // Both pixels are on or off together.
/// let (weight, bias) = (Tensor::filled(&[2, 1], 8.0_f32), Tensor::filled(&[2], -4.0));
/// let model = Rbm::from_parameters(weight, bias, Tensor::filled(&[1], -8.0))?;
/// let effort = Effort { burn_in: 10, average: 50 };
/// let filled = reconstruct(&model, &[1.0, 0.0], &[false, true], effort, Stream::named(1, "chain"))?;
/// assert!(filled[1] > 0.9);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn reconstruct<T: Element>(
    model: &impl Machine<T>,
    images: &[T],
    missing: &[bool],
    effort: Effort,
    stream: Stream,
) -> Result<Vec<T>> {
    let visible = model.visible();
    let rows = images.len() / visible;
    if missing.len() != visible || rows * visible != images.len() {
        return Err(Error::ShapeMismatch {
            operation: "images and missing pixels to reconstruct",
            expected: [rows, visible].to_vec(),
            found: [images.len() / missing.len().max(1), missing.len()].to_vec(),
        });
    }
    if effort.average == 0 {
        return Err(Error::invalid("0 averaged steps", "at least 1 step must be averaged"));
    }
    let level = Level::detect();
    let words = || vec![0_u64; panels(visible) * rows];
    let (mut known, mut values) = (words(), words());
    let is_known: Vec<T> =
        (0..images.len()).map(|i| if missing[i % visible] { T::ZERO } else { T::ONE }).collect();
    let known_values: Vec<T> =
        images.iter().zip(&is_known).map(|(&x, &known)| if known == T::ONE { x } else { T::ZERO }).collect();
    pack_states(level, &is_known, visible, &mut known);
    if !pack_states(level, &known_values, visible, &mut values) {
        return Err(Error::invalid("known pixels that are neither 0 nor 1", "images must be binary"));
    }
    let mut chains = model.begin(rows, stream);
    chains.clamp_visible(&known, &values);
    let (mut sum, mut probabilities) = (vec![T::ZERO; images.len()], vec![T::ZERO; images.len()]);
    for step in 0..effort.burn_in + effort.average {
        chains.walk(1);
        if step >= effort.burn_in {
            chains.visible_probabilities_into(&mut probabilities);
            elementwise::add_in_place(level, &mut sum, &probabilities);
        }
        chains.clamp_visible(&known, &values);
    }
    let share = T::ONE / T::from_f64(effort.average as f64);
    for (row, image) in sum.chunks_exact_mut(visible).zip(images.chunks_exact(visible)) {
        for ((x, &known), &missing) in row.iter_mut().zip(image).zip(missing) {
            *x = if missing { *x * share } else { known };
        }
    }
    Ok(sum)
}
