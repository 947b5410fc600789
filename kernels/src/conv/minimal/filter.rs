//! The matrices of the filters F(m, 2), and the transform that all passes share.

use crate::lanes::Lanes;

/// F(OUTPUTS, 2) by evaluation at POINTS = OUTPUTS + 1 points, of which the last is infinity.
///
/// With V_k the matrix of the powers 0 to k − 1 of the points, a filter is V_m, V_2 and the transposed inverse of V_{m + 1}.
/// Denominators are moved from `INPUT` to `WEIGHTS`, so that inputs are multiplied by small whole numbers.
pub(super) trait Filter<const OUTPUTS: usize, const POINTS: usize> {
    /// Bᵀ, of the image.
    const INPUT: [[f64; POINTS]; POINTS];
    /// G, of the kernel.
    const WEIGHTS: [[f64; 2]; POINTS];
    /// A, of the gradient of the outputs; its transpose gives the outputs.
    const OUTPUT: [[f64; OUTPUTS]; POINTS];
}

/// F(2, 2), on the points 0, 1 and infinity.
pub(super) struct Two;

impl Filter<2, 3> for Two {
    const INPUT: [[f64; 3]; 3] = [[1.0, -1.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 1.0]];
    const WEIGHTS: [[f64; 2]; 3] = [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
    const OUTPUT: [[f64; 2]; 3] = [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
}

/// F(4, 2), on the points 0, 1, −1/2, −2 and infinity, whose rounding errors are the smallest of those tried.
pub(super) struct Four;

impl Filter<4, 5> for Four {
    const INPUT: [[f64; 5]; 5] = [
        [2.0, 3.0, -3.0, -2.0, 0.0],
        [0.0, 2.0, 5.0, 2.0, 0.0],
        [0.0, -2.0, 1.0, 1.0, 0.0],
        [0.0, 1.0, 1.0, -2.0, 0.0],
        [0.0, -2.0, -3.0, 3.0, 2.0],
    ];
    const WEIGHTS: [[f64; 2]; 5] =
        [[0.5, 0.0], [1.0 / 9.0, 1.0 / 9.0], [8.0 / 9.0, -4.0 / 9.0], [1.0 / 18.0, -1.0 / 9.0], [0.0, 0.5]];
    const OUTPUT: [[f64; 4]; 5] = [
        [1.0, 0.0, 0.0, 0.0],
        [1.0, 1.0, 1.0, 1.0],
        [1.0, -0.5, 0.25, -0.125],
        [1.0, -2.0, 4.0, -8.0],
        [0.0, 0.0, 0.0, 1.0],
    ];
}

pub(super) const fn transposed<const R: usize, const C: usize>(matrix: [[f64; C]; R]) -> [[f64; R]; C] {
    let mut result = [[0.0; R]; C];
    let mut row = 0;
    while row < R {
        let mut column = 0;
        while column < C {
            result[column][row] = matrix[row][column];
            column += 1;
        }
        row += 1;
    }
    result
}

/// M X Mᵀ, in each lane. `matrix` is a constant, so that its zeros and ones cost nothing.
///
/// Loops, not closures: a closure may become a function without the instructions of the level.
#[inline(always)]
pub(super) fn sandwich<L: Lanes, const R: usize, const C: usize>(
    lanes: L,
    matrix: &[[f64; C]; R],
    x: &[[L::Vector; C]; C],
) -> [[L::Vector; R]; R] {
    let mut half = [[lanes.zero(); C]; R];
    for j in 0..C {
        let mut column = [lanes.zero(); C];
        for i in 0..C {
            column[i] = x[i][j];
        }
        for (row, factors) in matrix.iter().enumerate() {
            half[row][j] = product(lanes, factors, &column);
        }
    }
    let mut result = [[lanes.zero(); R]; R];
    for (row, result) in result.iter_mut().enumerate() {
        for (column, result) in result.iter_mut().enumerate() {
            *result = product(lanes, &matrix[column], &half[row]);
        }
    }
    result
}

#[inline(always)]
fn product<L: Lanes, const C: usize>(lanes: L, factors: &[f64; C], x: &[L::Vector; C]) -> L::Vector {
    let (mut sum, mut is_first) = (lanes.zero(), true);
    for (i, &factor) in factors.iter().enumerate() {
        let x = x[i];
        if factor != 0.0 {
            sum = match (is_first, factor) {
                (true, 1.0) => x,
                (true, _) => lanes.mul(lanes.constant(factor), x),
                (false, 1.0) => lanes.add(sum, x),
                (false, -1.0) => lanes.sub(sum, x),
                (false, _) => lanes.mul_add(lanes.constant(factor), x, sum),
            };
            is_first = false;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::{Filter, Four, Two};

    /// For any x and w: Aᵀ ((G w) ⊙ (Bᵀ x)) is x * w. It suffices to compare the coefficients of x_i w_j in y_o.
    fn check<F: Filter<M, N>, const M: usize, const N: usize>() {
        for (o, i, j) in (0..M).flat_map(|o| (0..N).flat_map(move |i| (0..2).map(move |j| (o, i, j)))) {
            let term = |point: usize| F::OUTPUT[point][o] * F::WEIGHTS[point][j] * F::INPUT[point][i];
            let found: f64 = (0..N).map(term).sum();
            let right = if i == o + j { 1.0 } else { 0.0 };
            assert!((found - right).abs() < 1e-15, "F({M}, 2), y{o} x{i} w{j}: {found}");
        }
    }

    #[test]
    fn filters_are_convolutions() {
        check::<Two, 2, 3>();
        check::<Four, 4, 5>();
    }
}
