//! Bernoulli states, fused with the sigmoid that computes their probabilities.
//!
//! With u the uniform that [`fill_uniform`](super::fill_uniform) would draw at the same position, a state is 1 if u < p
//! and 0 otherwise, where p = sigmoid(logit), rounded as it would be written. The states are therefore the same with
//! and without probabilities. Since u is a multiple of 2^-24 (f32) or 2^-53 (f64), a state is 1 with probability p
//! rounded up to such a multiple. A NaN compares false and gives 0.

use super::step::{Sink, draw};
use super::xoshiro::Xoshiro256PlusPlusX8;
use crate::lanes::{Lanes, Scalar};
use crate::level::Level;
use crate::math::sigmoid_lanes;

/// Draws `states[i]` = 1 with probability sigmoid(`logits[i]`), else 0.
///
/// A logit of +inf always gives 1; -inf and NaN always give 0.
///
/// **Panics** if the lengths differ.
///
/// **Randomness** `states.len() / 16` (f32) or `states.len() / 8` (f64) steps, rounded up.
#[track_caller]
pub fn bernoulli_from_logits<T: Scalar>(
    level: Level,
    generator: &mut Xoshiro256PlusPlusX8,
    logits: &[T],
    states: &mut [T],
) {
    assert_length("logits", logits.len(), states.len());
    let (len, states) = (states.len(), states.as_mut_ptr());
    let sink = FromLogits { logits: logits.as_ptr(), states };
    // SAFETY: both slices have `len` elements, as checked, and are borrowed throughout.
    unsafe { draw(level, generator, len, sink) };
}

/// Like [`bernoulli_from_logits`], drawing the same states, but also writes the probabilities.
///
/// **Panics** if the lengths differ.
#[track_caller]
pub fn bernoulli_from_logits_with_probabilities<T: Scalar>(
    level: Level,
    generator: &mut Xoshiro256PlusPlusX8,
    logits: &[T],
    probabilities: &mut [T],
    states: &mut [T],
) {
    assert_length("logits", logits.len(), states.len());
    assert_length("probabilities", probabilities.len(), states.len());
    let (len, states) = (states.len(), states.as_mut_ptr());
    let sink =
        WithProbabilities { logits: logits.as_ptr(), probabilities: probabilities.as_mut_ptr(), states };
    // SAFETY: the three slices have `len` elements, as checked, and are borrowed throughout.
    unsafe { draw(level, generator, len, sink) };
}

/// Like [`bernoulli_from_logits_with_probabilities`], but overwrites the logits by the probabilities.
///
/// **Panics** if the lengths differ.
#[track_caller]
pub fn bernoulli_in_place<T: Scalar>(
    level: Level,
    generator: &mut Xoshiro256PlusPlusX8,
    logits_to_probabilities: &mut [T],
    states: &mut [T],
) {
    assert_length("logits", logits_to_probabilities.len(), states.len());
    let (len, states) = (states.len(), states.as_mut_ptr());
    let probabilities = logits_to_probabilities.as_mut_ptr();
    let sink = WithProbabilities { logits: probabilities, probabilities, states };
    // SAFETY: both slices have `len` elements, as checked, and are borrowed throughout; each element is read
    // before it is written.
    unsafe { draw(level, generator, len, sink) };
}

/// Draws `states[i]` = 1 with probability `probabilities[i]`, else 0.
///
/// A probability of at least 1 always gives 1; a probability of at most 0, or NaN, always gives 0.
///
/// **Panics** if the lengths differ.
///
/// **Randomness** Same as [`bernoulli_from_logits`].
#[track_caller]
pub fn bernoulli_from_probabilities<T: Scalar>(
    level: Level,
    generator: &mut Xoshiro256PlusPlusX8,
    probabilities: &[T],
    states: &mut [T],
) {
    assert_length("probabilities", probabilities.len(), states.len());
    let (len, states) = (states.len(), states.as_mut_ptr());
    let sink = FromProbabilities { probabilities: probabilities.as_ptr(), states };
    // SAFETY: both slices have `len` elements, as checked, and are borrowed throughout.
    unsafe { draw(level, generator, len, sink) };
}

#[track_caller]
fn assert_length(what: &str, found: usize, states: usize) {
    assert!(found == states, "{found} {what} for {states} states");
}

#[derive(Clone, Copy)]
struct FromLogits<T> {
    logits: *const T,
    states: *mut T,
}

impl<T: Scalar> Sink<T> for FromLogits<T> {
    #[inline(always)]
    unsafe fn put<L: Lanes<Scalar = T>>(self, lanes: L, unit: L::Vector, at: usize, count: usize) {
        // SAFETY: the caller guarantees elements at..at + count of both arrays.
        unsafe {
            let logit = lanes.load_up_to(self.logits.add(at), count);
            let state = below(lanes, unit, sigmoid_lanes(lanes, logit));
            lanes.store_up_to(self.states.add(at), state, count);
        }
    }
}

#[derive(Clone, Copy)]
struct WithProbabilities<T> {
    /// May be equal to `probabilities`.
    logits: *const T,
    probabilities: *mut T,
    states: *mut T,
}

impl<T: Scalar> Sink<T> for WithProbabilities<T> {
    #[inline(always)]
    unsafe fn put<L: Lanes<Scalar = T>>(self, lanes: L, unit: L::Vector, at: usize, count: usize) {
        // SAFETY: the caller guarantees elements at..at + count of the three arrays.
        unsafe {
            let logit = lanes.load_up_to(self.logits.add(at), count);
            let probability = sigmoid_lanes(lanes, logit);
            lanes.store_up_to(self.probabilities.add(at), probability, count);
            lanes.store_up_to(self.states.add(at), below(lanes, unit, probability), count);
        }
    }
}

#[derive(Clone, Copy)]
struct FromProbabilities<T> {
    probabilities: *const T,
    states: *mut T,
}

impl<T: Scalar> Sink<T> for FromProbabilities<T> {
    #[inline(always)]
    unsafe fn put<L: Lanes<Scalar = T>>(self, lanes: L, unit: L::Vector, at: usize, count: usize) {
        // SAFETY: the caller guarantees elements at..at + count of both arrays.
        unsafe {
            let probability = lanes.load_up_to(self.probabilities.add(at), count);
            lanes.store_up_to(self.states.add(at), below(lanes, unit, probability), count);
        }
    }
}

/// 1 where `unit < probability`, else 0.
#[inline(always)]
fn below<L: Lanes>(lanes: L, unit: L::Vector, probability: L::Vector) -> L::Vector {
    lanes.select(lanes.less(unit, probability), lanes.constant(1.0), lanes.zero())
}
