//! Regraining: the colours of a transferred image with the gradients of the original.
//!
//! The result y minimises the sum over pixels of ψ |y - t|² + φ |∇y - ∇x|² for the original x and the transferred image t. The
//! weights depend on the length g of the original's gradient. ψ = min(256 g / 5, 1) asks for the colours where there are edges.
//! φ = 30 / (1 + 10 g) asks for the gradients where it is flat, so that noise is not amplified there. Damped Jacobi steps on
//! a pyramid of halved images solve for y (Pitié, Kokaram & Dahyot 2007).

use crate::parallel::{Chunks, for_each_split};
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::array;

/// Jacobi steps at each level, from the full size down.
const STEPS: [usize; 6] = [4, 16, 32, 64, 64, 64];
/// The smallest side of a level.
const SMALLEST: usize = 20;
const DAMPING: f32 = 0.2;

/// The regrained `moved` (height, width, 3).
pub(super) fn regrain(original: &[f32], moved: Vec<f32>, height: usize, width: usize) -> Vec<f32> {
    solved(original, &moved, moved.clone(), (height, width), 0)
}

fn solved(x: &[f32], t: &[f32], mut y: Vec<f32>, (height, width): (usize, usize), level: usize) -> Vec<f32> {
    let half = (height.div_ceil(2), width.div_ceil(2));
    if level + 1 < STEPS.len() && half.0.min(half.1) > SMALLEST {
        let [x, t, y_half] = [x, t, &y].map(|image| halved(image, (height, width)));
        let coarse = solved(&x, &t, y_half, half, level + 1);
        y = doubled(&coarse, half, (height, width));
    }
    let weights = weights(x, (height, width), level);
    let mut next = y.clone();
    for _ in 0..STEPS[level] {
        for_each_split(height, true, Chunks(&mut next, 3 * width), &|row, out| {
            for column in 0..width {
                let here = row * width + column;
                let (psi, phi) = weights[here];
                let mut total = psi;
                let mut sum: [f32; 3] = array(|k| psi * t[3 * here + k]);
                let neighbours = [
                    (row > 0).then(|| here - width),
                    (row + 1 < height).then(|| here + width),
                    (column > 0).then(|| here - 1),
                    (column + 1 < width).then(|| here + 1),
                ];
                for other in neighbours.into_iter().flatten() {
                    let weight = 0.5 * (phi + weights[other].1);
                    total += weight;
                    for (k, sum) in sum.iter_mut().enumerate() {
                        *sum += weight * (y[3 * other + k] - x[3 * other + k] + x[3 * here + k]);
                    }
                }
                for (k, sum) in sum.into_iter().enumerate() {
                    let old = y[3 * here + k];
                    out.0[3 * column + k] =
                        if total > 0.0 { old + (1.0 - DAMPING) * (sum / total - old) } else { old };
                }
            }
        });
        core::mem::swap(&mut y, &mut next);
    }
    y
}

/// ψ and φ of each pixel.
fn weights(x: &[f32], (height, width): (usize, usize), level: usize) -> Vec<(f32, f32)> {
    let mut weights = vec![(0.0, 0.0); height * width];
    for_each_split(height, true, Chunks(&mut weights, width), &|row, out| {
        for column in 0..width {
            let square = |a: usize, b: usize| {
                (0..3).map(|k| (x[3 * a + k] - x[3 * b + k]) * (x[3 * a + k] - x[3 * b + k])).sum::<f32>()
            };
            let here = row * width + column;
            let down = if row + 1 < height { square(here + width, here) } else { 0.0 };
            let right = if column + 1 < width { square(here + 1, here) } else { 0.0 };
            let gradient = libm::sqrtf(down + right);
            let scale = 30.0 / (1_u32 << level) as f32;
            out.0[column] = ((256.0 * gradient / 5.0).min(1.0), scale / (1.0 + 10.0 * gradient));
        }
    });
    weights
}

/// Means of 2 x 2 pixels.
fn halved(image: &[f32], (height, width): (usize, usize)) -> Vec<f32> {
    let (rows, columns) = (height.div_ceil(2), width.div_ceil(2));
    let mut half = vec![0.0; rows * columns * 3];
    for_each_split(rows, true, Chunks(&mut half, columns * 3), &|row, out| {
        for (i, out) in out.0.iter_mut().enumerate() {
            let (column, k) = (i / 3, i % 3);
            let at = |row: usize, column: usize| {
                image[3 * (row.min(height - 1) * width + column.min(width - 1)) + k]
            };
            let (top, left) = (2 * row, 2 * column);
            *out = 0.25 * (at(top, left) + at(top, left + 1) + at(top + 1, left) + at(top + 1, left + 1));
        }
    });
    half
}

/// Bilinear interpolation to twice the size.
fn doubled(image: &[f32], (rows, columns): (usize, usize), (height, width): (usize, usize)) -> Vec<f32> {
    let mut double = vec![0.0; height * width * 3];
    // Pixel 2 i is a quarter below the centre of pixel i, and pixel 2 i + 1 a quarter above it.
    let near = |at: usize, count: usize| {
        let other =
            if at.is_multiple_of(2) { (at / 2).saturating_sub(1) } else { (at / 2 + 1).min(count - 1) };
        (at / 2, other)
    };
    for_each_split(height, true, Chunks(&mut double, width * 3), &|row, out| {
        let (row, other_row) = near(row, rows);
        for (i, out) in out.0.iter_mut().enumerate() {
            let ((column, other_column), k) = (near(i / 3, columns), i % 3);
            let at = |row: usize, column: usize| image[3 * (row * columns + column) + k];
            *out = 0.75 * (0.75 * at(row, column) + 0.25 * at(row, other_column))
                + 0.25 * (0.75 * at(other_row, column) + 0.25 * at(other_row, other_column));
        }
    });
    double
}
