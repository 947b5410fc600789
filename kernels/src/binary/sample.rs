//! Bias, sigmoid and Bernoulli sampling of a panel in one pass, with the states as bits.

use super::PANEL;
use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;
use crate::math::sigmoid_lanes;
use crate::random::{Running, Xoshiro256PlusPlusX8};

/// Draws bit j of `states[r]` = 1 with probability p = sigmoid(`scale * sums[r][j] + bias[j]`), for the `bias.len()`
/// units of the panel. The other bits become 0. If `probabilities` is given, also writes p, and 0 beyond the units.
///
/// A state is 1 if the uniform number drawn for it is less than p, where p is rounded as it would be written and is 0
/// below 2^-64. The states are therefore the same with and without `probabilities`. A NaN gives 0.
///
/// **Shapes** `sums` (rows, 64), `bias` (up to 64), `probabilities` (rows, 64), `states` (rows).
///
/// **Panics** if the lengths do not match.
///
/// **Randomness** A row uses `bias.len() / 16` (f32) or `bias.len() / 8` (f64) steps, rounded up.
#[track_caller]
pub fn sample<T: Scalar>(
    level: Level,
    generator: &mut Xoshiro256PlusPlusX8,
    sums: &[T],
    scale: T,
    bias: &[T],
    probabilities: Option<&mut [T]>,
    states: &mut [u64],
) {
    let rows = states.len();
    assert!(bias.len() <= PANEL, "a panel has at most 64 units, not {}", bias.len());
    assert!(sums.len() == rows * PANEL, "{} sums for {rows} rows of 64", sums.len());
    if let Some(probabilities) = &probabilities {
        assert!(
            probabilities.len() == sums.len(),
            "{} probabilities for {} sums",
            probabilities.len(),
            sums.len()
        );
    }
    let probabilities = probabilities.map_or(core::ptr::null_mut(), <[T]>::as_mut_ptr);
    dispatch(level, Sample { generator, sums: sums.as_ptr(), scale, bias, probabilities, states });
}

/// Probabilities below 2^-64 become 0. The smallest ones, multiplied by a learning rate, would be denormal numbers,
/// whose additions take a hundred times as long.
const TINY: f64 = 1.0 / (1_u128 << 64) as f64;

/// A bias with which a unit is never on.
const OFF_BIAS: f64 = -1e4;

struct Sample<'a, T> {
    generator: &'a mut Xoshiro256PlusPlusX8,
    sums: *const T,
    scale: T,
    bias: &'a [T],
    /// Null if no probabilities are written.
    probabilities: *mut T,
    states: &'a mut [u64],
}

impl<T: Scalar> Operation<T> for Sample<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let units = self.bias.len();
        // Units beyond the last get probability 0, so that no weight of theirs is learned.
        let mut biases = [T::from_f64(OFF_BIAS); PANEL];
        biases[..units].copy_from_slice(self.bias);
        let in_use = if units == PANEL { u64::MAX } else { (1 << units) - 1 };
        let scale = lanes.splat(self.scale);
        let tiny = lanes.constant(TINY);
        let mut running = Running::load(lanes.words(), self.generator);
        for (row, state) in self.states.iter_mut().enumerate() {
            let mut word = 0;
            let mut first = 0;
            while first < units {
                let drawn = running.next();
                for part in 0..L::PARTS {
                    let unit = lanes.unit(lanes.bits(drawn, part));
                    // SAFETY: COUNT divides 64, so first + COUNT <= 64; `sample` checked that sums and probabilities
                    // have 64 elements per row.
                    unsafe {
                        let index = row * PANEL + first;
                        let bias = lanes.load(biases.as_ptr().add(first));
                        let logit = lanes.mul_add(scale, lanes.load(self.sums.add(index)), bias);
                        let probability = sigmoid_lanes(lanes, logit);
                        let is_tiny = lanes.less(probability, tiny);
                        let probability = lanes.select(is_tiny, lanes.zero(), probability);
                        if !self.probabilities.is_null() {
                            lanes.store(self.probabilities.add(index), probability);
                        }
                        word |= lanes.mask_bits(lanes.less(unit, probability)) << first;
                    }
                    first += L::COUNT;
                }
            }
            if !self.probabilities.is_null() {
                while first < PANEL {
                    // SAFETY: first + COUNT <= 64, as above.
                    unsafe { lanes.store(self.probabilities.add(row * PANEL + first), lanes.zero()) };
                    first += L::COUNT;
                }
            }
            *state = word & in_use;
        }
        running.store(self.generator);
    }
}
