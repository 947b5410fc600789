//! Filling in missing pixels: Gibbs sampling with the known pixels clamped.
//!
//! The best guess at a missing pixel, in mean squared error, is its mean given the known ones. Chains walk with
//! the known pixels held at their values; after a burn-in, P(v = 1 | h) of the missing pixels is averaged over
//! the steps and the chains of an image.

use crate::boltzmann::{GibbsChains, Rbm};
use crate::rng::Stream;
use crate::tensor::Element;
use crate::{Error, Result};
use alloc::vec;
use alloc::vec::Vec;

/// How long chains walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Steps that are thrown away.
    pub burn_in: usize,
    /// Steps that are averaged.
    pub average: usize,
}

impl Default for Effort {
    fn default() -> Self {
        Self { burn_in: 50, average: 100 }
    }
}

/// The images with their missing pixels replaced by their estimated means.
///
/// Missing pixels start from the visible biases: nothing of what was there is used.
///
/// **Shapes** `images` (rows, visible), `missing` (visible); returns (rows, visible).
/// **Units** probabilities.
/// **Errors** [`Error::ShapeMismatch`]; [`Error::InvalidArgument`] if `effort.average` is 0.
/// **Randomness** A chain a row, from `stream.substream(row)`.
pub fn reconstruct<T: Element>(
    model: &Rbm<T>,
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
    let mut chains = GibbsChains::new(model, rows, stream);
    // With h = 0, v ~ sigmoid(b).
    chains.sample_visible(model);
    clamp(chains.visible_states_mut(), images, missing);
    let mut sum = vec![T::ZERO; images.len()];
    for step in 0..effort.burn_in + effort.average {
        chains.sample_hidden(model);
        chains.sample_visible(model);
        if step >= effort.burn_in {
            for (sum, &probability) in sum.iter_mut().zip(chains.visible_probabilities()) {
                *sum += probability;
            }
        }
        clamp(chains.visible_states_mut(), images, missing);
    }
    let share = T::ONE / T::from_f64(effort.average as f64);
    for (row, image) in sum.chunks_exact_mut(visible).zip(images.chunks_exact(visible)) {
        for ((x, &known), &missing) in row.iter_mut().zip(image).zip(missing) {
            *x = if missing { *x * share } else { known };
        }
    }
    Ok(sum)
}

/// Puts the known pixels back.
fn clamp<T: Element>(states: &mut [T], images: &[T], missing: &[bool]) {
    for (row, image) in states.chunks_exact_mut(missing.len()).zip(images.chunks_exact(missing.len())) {
        for ((state, &known), &missing) in row.iter_mut().zip(image).zip(missing) {
            if !missing {
                *state = known;
            }
        }
    }
}
