//! ln Σ_j e^s_ij of each row, in one pass.
//!
//! Terms are summed as e^(s - shift). The shift of a row is a score of the row. It moves up, and the sum is scaled down,
//! only when a score exceeds it by [`LIMIT`]: about ln n times a row rather than at every new maximum. A term below the
//! smallest normal number counts as that number, which no sum of at least 1 notices.

use super::rows::{Reduction, reduce_rows};
use super::scores::{Pairs, Scores};
use crate::lanes::{Lanes, Scalar};
use crate::level::Level;
use crate::math::exp_normal;

/// A score may exceed the shift by this much: e^16 = 9e6, so that no sum of a block overflows in f32.
const LIMIT: f64 = 16.0;

/// Columns whose terms are summed in T before they are added in f64.
const BLOCK: usize = 1024;

/// `out[i] = ln Σ_j e^s_ij`: -inf if all scores of the row are -inf or there are no columns, NaN if a score is NaN or +inf.
///
/// **Shapes** `out` (rows).
///
/// **Panics** if a length does not match.
///
/// **Accuracy and cost** For f32 about 8 EPSILON plus the rounding of the largest scores, which is EPSILON times their
/// terms' size. Terms are computed in T, and sums over blocks of 1024 columns in f64.
#[track_caller]
pub fn log_sum_exp<T: Scalar>(level: Level, pairs: &Pairs<'_, T>, out: &mut [f64]) {
    pairs.check_rows("out", out.len());
    reduce_rows(level, pairs, LogSumExp, out);
}

#[derive(Clone, Copy)]
struct LogSumExp;

impl<T: Scalar> Reduction<T> for LogSumExp {
    type Result = f64;

    fn results(self, _: usize) -> usize {
        1
    }

    #[inline(always)]
    unsafe fn reduce<L: Lanes<Scalar = T>, S: Scores<T>, const R: usize>(
        self,
        lanes: L,
        scores: S,
        i: usize,
        columns: usize,
        out: &mut [f64],
    ) {
        let limit = lanes.constant(LIMIT);
        let mut shift = [T::LOWEST; R];
        let mut total = [0.0; R];
        let mut j = 0;
        while j < columns {
            let end = columns.min(j + BLOCK);
            let mut sums = [lanes.zero(); R];
            while j < end {
                let count = L::COUNT.min(end - j);
                // SAFETY: guaranteed by the caller, and j + count <= columns.
                let s = unsafe { scores.scores_padded::<L, R>(lanes, i, j, count) };
                let mut above = s;
                let mut highest = lanes.splat(-T::INFINITY);
                for r in 0..R {
                    above[r] = lanes.sub(s[r], lanes.splat(shift[r]));
                    highest = lanes.max(above[r], highest);
                }
                if lanes.mask_bits(lanes.less(limit, highest)) != 0 {
                    for r in 0..R {
                        let factor = raise(lanes, s[r], &mut shift[r]);
                        total[r] *= factor;
                        sums[r] = lanes.mul(sums[r], lanes.constant(factor));
                        above[r] = lanes.sub(s[r], lanes.splat(shift[r]));
                    }
                }
                for r in 0..R {
                    sums[r] = lanes.add(sums[r], exp_normal(lanes, above[r]));
                }
                j += count;
            }
            for r in 0..R {
                let array = lanes.to_array(sums[r]);
                total[r] += array[..L::COUNT].iter().map(|x| x.to_f64()).sum::<f64>();
            }
        }
        for (r, out) in out.iter_mut().enumerate().take(R) {
            *out = if shift[r] == T::LOWEST && !total[r].is_nan() {
                f64::NEG_INFINITY
            } else {
                shift[r].to_f64() + libm::log(total[r])
            };
        }
    }
}

/// Moves the shift up to the largest of the scores if it exceeds the shift by [`LIMIT`]. Returns the factor of the sums.
#[inline(always)]
fn raise<L: Lanes>(lanes: L, scores: L::Vector, shift: &mut L::Scalar) -> f64 {
    let array = lanes.to_array(scores);
    let largest = array[..L::COUNT].iter().fold(array[0], |a, &b| if b > a { b } else { a });
    let by = largest.to_f64() - shift.to_f64();
    if by > LIMIT {
        *shift = largest;
        libm::exp(-by)
    } else {
        1.0
    }
}
