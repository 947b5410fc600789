//! Conversions between states as numbers and states as bits, and their transposition.

use super::{PANEL, panel_units, panels};
use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;

/// Packs states (rows, units) into words (panels, rows): states above 0 become 1 bits. Returns whether all states were
/// 0 or 1.
///
/// **Panics** if the lengths do not match.
#[track_caller]
pub fn pack_states<T: Scalar>(level: Level, states: &[T], units: usize, words: &mut [u64]) -> bool {
    let rows = rows_of(states.len(), units, words.len());
    if rows == 0 {
        // `units` may be arbitrarily large here, and the loop would run over it.
        return true;
    }
    dispatch(level, Pack { states, units, rows, words })
}

struct Pack<'a, T> {
    states: &'a [T],
    units: usize,
    rows: usize,
    words: &'a mut [u64],
}

impl<T: Scalar> Operation<T> for Pack<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) -> bool {
        let (zero, one) = (lanes.zero(), lanes.splat(T::ONE));
        // x - x^2 is 0 only for 0 and 1, and NaN for NaN.
        let mut error = zero;
        for panel in 0..panels(self.units) {
            let units = panel_units(self.units, panel);
            for row in 0..self.rows {
                let mut word = 0;
                for first in (0..units).step_by(L::COUNT) {
                    let count = (units - first).min(L::COUNT);
                    let at = row * self.units + panel * PANEL + first;
                    // SAFETY: first + count <= units of this row's panel, and `rows_of` checked the length.
                    let x = unsafe { lanes.load_first(self.states.as_ptr().add(at), count) };
                    word |= lanes.mask_bits(lanes.less(zero, x)) << first;
                    let distance = lanes.mul(x, lanes.sub(one, x));
                    error = lanes.add(error, lanes.abs(distance));
                }
                self.words[panel * self.rows + row] = word;
            }
        }
        lanes.sum(error) == T::ZERO
    }
}

/// Unpacks words (panels, rows) into states (rows, units), 0 or 1.
///
/// **Panics** if the lengths do not match.
#[track_caller]
pub fn unpack_states<T: Scalar>(words: &[u64], units: usize, states: &mut [T]) {
    let rows = rows_of(states.len(), units, words.len());
    for (panel, words) in words.chunks_exact(rows.max(1)).enumerate() {
        let first = panel * PANEL;
        for (&word, row) in words.iter().zip(states.chunks_exact_mut(units)) {
            for (place, state) in row[first..first + panel_units(units, panel)].iter_mut().enumerate() {
                *state = if word >> place & 1 == 1 { T::ONE } else { T::ZERO };
            }
        }
    }
}

#[track_caller]
fn rows_of(states: usize, units: usize, words: usize) -> usize {
    let rows = states.checked_div(units).unwrap_or(0);
    assert!(
        rows * units == states && rows * panels(units) == words,
        "{states} states in rows of {units} do not match {words} words"
    );
    rows
}

/// Transposes the states of one panel (rows): `transposed[b * 64 + j]` holds unit j in rows 64 b to 64 b + 63. Bits
/// beyond the last row are 0.
///
/// **Panics** unless `transposed` has 64 words for each 64 rows, rounded up.
#[track_caller]
pub fn transpose_states(states: &[u64], transposed: &mut [u64]) {
    assert!(
        transposed.len() == states.len().div_ceil(PANEL) * PANEL,
        "{} words for the transpose of {} rows",
        transposed.len(),
        states.len()
    );
    for (rows, units) in states.chunks(PANEL).zip(transposed.chunks_exact_mut(PANEL)) {
        units[..rows.len()].copy_from_slice(rows);
        units[rows.len()..].fill(0);
        transpose_square(units);
    }
}

/// Counts the rows in which each of the 64 units of a panel is on, given `transposed` states as [`transpose_states`]
/// writes them. In each block of 64 rows, only the rows in the mask `counted` are counted.
///
/// **Panics** unless `transposed` consists of blocks of 64 words.
#[track_caller]
pub fn count_rows(level: Level, transposed: &[u64], counted: u64, counts: &mut [u32; PANEL]) {
    assert!(transposed.len().is_multiple_of(PANEL), "{} words in blocks of 64", transposed.len());
    // The scalar type does not matter for integers.
    dispatch::<f32, _>(level, Count { transposed, counted, counts });
}

struct Count<'a> {
    transposed: &'a [u64],
    counted: u64,
    counts: &'a mut [u32; PANEL],
}

impl Operation<f32> for Count<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = f32>>(self, _: L) {
        self.counts.fill(0);
        for words in self.transposed.chunks_exact(PANEL) {
            self.counts
                .iter_mut()
                .zip(words)
                .for_each(|(count, word)| *count += (word & self.counted).count_ones());
        }
    }
}

/// Transposes 64 x 64 bits by swapping ever smaller off-diagonal squares (Warren, *Hacker's Delight*, section 7-3).
fn transpose_square(words: &mut [u64]) {
    let mut size = PANEL / 2;
    let mut low = u64::MAX >> size;
    while size > 0 {
        for pair in words.chunks_exact_mut(2 * size) {
            let (upper, lower) = pair.split_at_mut(size);
            for (upper, lower) in upper.iter_mut().zip(lower) {
                let exchanged = (*upper >> size ^ *lower) & low;
                *lower ^= exchanged;
                *upper ^= exchanged << size;
            }
        }
        size /= 2;
        low ^= low << size;
    }
}
