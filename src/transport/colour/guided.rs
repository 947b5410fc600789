//! An edge-aware filter of the displacement of colours, guided by the source image.
//!
//! A map of colours moves each pixel by a displacement D(x) that depends on its colour x alone. A steep map amplifies noise
//! and the steps of 8 bits, which show as grain and bands. The guided filter replaces D, in each window of
//! the image, by the affine function of the source's colour that fits it best:
//!
//! ```text
//! D ≈ A x + b,    A = cov(D, x) (cov(x, x) + ε I)^-1,    b = mean(D) - A mean(x)
//! ```
//!
//! and takes the mean of (A, b) over the windows that cover a pixel (He, Sun & Tang 2013). Edges of the source stay edges.
//! Variations of the source below sqrt(ε) keep their size and are only shifted.
//!
//! Sums are over blocks of pixels first. Windows are boxes of blocks, and (A, b) is interpolated between blocks. This takes a
//! few operations a pixel, and memory for 12 numbers a block. (He & Sun 2015 sample pixels; here all pixels count.)

use super::area::Area;
use super::image::ColourImage;
use crate::parallel::{Chunks, for_each_split};
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::array;

/// Blocks along the shorter side.
const BLOCKS: usize = 400;
/// A window reaches this many blocks in each direction.
const REACH: usize = 5;
/// ε: variations with a deviation well below 0.17 keep their size.
const NOISE: f64 = 0.03;

/// Sums over pixels: their number, x (3), D (3), x x^T (6), D x^T (9).
const SUMS: usize = 22;
/// A (9, row by row) and b (3).
const NUMBERS: usize = 12;

/// The coefficients of each block.
pub(super) struct Field {
    block: usize,
    rows: usize,
    columns: usize,
    /// (rows, columns)
    coefficients: Vec<[f32; NUMBERS]>,
}

impl Field {
    /// Fits the coefficients to the displacement `shift` of the colours in an area.
    pub fn fit(image: &ColourImage, area: &Area, shift: impl Fn([f32; 3]) -> [f32; 3] + Sync) -> Self {
        let block = (area.rows.len().min(area.columns.len()) / BLOCKS).max(1);
        let (rows, columns) = (area.rows.len().div_ceil(block), area.columns.len().div_ceil(block));
        let mut sums = vec![[0.0_f32; SUMS]; rows * columns];
        for_each_split(rows, true, Chunks(&mut sums, columns), &|row, sums| {
            let first = area.rows.start + row * block;
            for row in first..(first + block).min(area.rows.end) {
                let pixels = &image.values()[3 * (row * image.width() + area.columns.start)..];
                for (pixels, sum) in pixels[..3 * area.columns.len()].chunks(3 * block).zip(&mut *sums.0) {
                    for x in pixels.chunks_exact(3) {
                        let x = [x[0], x[1], x[2]];
                        add(sum, x, shift(x));
                    }
                }
            }
        });
        let sums = windows(&sums, rows, columns);
        let mut coefficients = vec![[0.0; NUMBERS]; rows * columns];
        for_each_split(rows, true, Chunks(&mut coefficients, columns), &|row, out| {
            for (sum, out) in sums[row * columns..].iter().zip(out.0) {
                *out = solved(sum);
            }
        });
        let mut coefficients = windows(&coefficients, rows, columns);
        for (index, values) in coefficients.iter_mut().enumerate() {
            let count = |at: usize, most: usize| (at + REACH).min(most - 1) - at.saturating_sub(REACH) + 1;
            let count = count(index / columns, rows) * count(index % columns, columns);
            values.iter_mut().for_each(|x| *x /= count as f32);
        }
        Self { block, rows, columns, coefficients }
    }

    /// Moves the pixels of a row of the area.
    pub fn shift_row(&self, row: usize, pixels: &mut [f32]) {
        let (top, bottom, part) = between(row, self.block, self.rows);
        let line = |row: usize| &self.coefficients[row * self.columns..][..self.columns];
        let mix = |a: &[f32; NUMBERS], b: &[f32; NUMBERS], part: f32| -> [f32; NUMBERS] {
            array(|i| a[i] + part * (b[i] - a[i]))
        };
        let line: Vec<_> = line(top).iter().zip(line(bottom)).map(|(a, b)| mix(a, b, part)).collect();
        for (column, pixel) in pixels.chunks_exact_mut(3).enumerate() {
            let (left, right, part) = between(column, self.block, self.columns);
            let c = mix(&line[left], &line[right], part);
            let x = [pixel[0], pixel[1], pixel[2]];
            for (k, pixel) in pixel.iter_mut().enumerate() {
                *pixel += c[3 * k] * x[0] + c[3 * k + 1] * x[1] + c[3 * k + 2] * x[2] + c[9 + k];
            }
        }
    }
}

/// The two blocks whose centres are around a pixel, and the part of the way from the first to the second.
fn between(at: usize, block: usize, count: usize) -> (usize, usize, f32) {
    let place = ((at as f32 + 0.5) / block as f32 - 0.5).clamp(0.0, (count - 1) as f32);
    let first = place as usize;
    (first, (first + 1).min(count - 1), place - first as f32)
}

#[inline]
fn add(sum: &mut [f32; SUMS], x: [f32; 3], d: [f32; 3]) {
    sum[0] += 1.0;
    let mut next = 7;
    for k in 0..3 {
        sum[1 + k] += x[k];
        sum[4 + k] += d[k];
        for l in k..3 {
            sum[next] += x[k] * x[l];
            next += 1;
        }
        for l in 0..3 {
            sum[13 + 3 * k + l] += d[k] * x[l];
        }
    }
}

/// Sums over the boxes of blocks around each block, cut at the borders.
fn windows<const N: usize>(values: &[[f32; N]], rows: usize, columns: usize) -> Vec<[f32; N]> {
    let mut along = vec![[0.0; N]; rows * columns];
    for_each_split(rows, true, Chunks(&mut along, columns), &|row, out| {
        let line = &values[row * columns..][..columns];
        for (column, out) in out.0.iter_mut().enumerate() {
            let window = &line[column.saturating_sub(REACH)..(column + REACH + 1).min(columns)];
            for values in window {
                *out = array(|i| out[i] + values[i]);
            }
        }
    });
    let mut both = vec![[0.0; N]; rows * columns];
    for_each_split(rows, true, Chunks(&mut both, columns), &|row, out| {
        for other in row.saturating_sub(REACH)..(row + REACH + 1).min(rows) {
            let line = &along[other * columns..][..columns];
            for (out, values) in out.0.iter_mut().zip(line) {
                *out = array(|i| out[i] + values[i]);
            }
        }
    });
    both
}

/// A and b from the sums over a window.
fn solved(sum: &[f32; SUMS]) -> [f32; NUMBERS] {
    let sum = sum.map(f64::from);
    let count = sum[0];
    let (x, d) = ([1, 2, 3].map(|i| sum[i] / count), [4, 5, 6].map(|i| sum[i] / count));
    let at = |i: usize, k: usize, l: usize| sum[i] / count - x[k] * x[l];
    // The covariance [[p, q, r], [q, s, t], [r, t, u]] + ε I, and its inverse by cofactors.
    let (p, q, r) = (at(7, 0, 0) + NOISE, at(8, 0, 1), at(9, 0, 2));
    let (s, t, u) = (at(10, 1, 1) + NOISE, at(11, 1, 2), at(12, 2, 2) + NOISE);
    let (pp, qq, rr) = (s * u - t * t, r * t - q * u, q * t - r * s);
    let (ss, tt, uu) = (p * u - r * r, q * r - p * t, p * s - q * q);
    let determinant = p * pp + q * qq + r * rr;
    let inverse = [[pp, qq, rr], [qq, ss, tt], [rr, tt, uu]];
    let mut found = [0.0; NUMBERS];
    for k in 0..3 {
        let covariance: [f64; 3] = array(|l| sum[13 + 3 * k + l] / count - d[k] * x[l]);
        let mut b = d[k];
        for l in 0..3 {
            let a = (0..3).map(|m| covariance[m] * inverse[m][l]).sum::<f64>() / determinant;
            found[3 * k + l] = a as f32;
            b -= a * x[l];
        }
        found[9 + k] = b as f32;
    }
    found
}
