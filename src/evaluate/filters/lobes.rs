//! Counts the lobes of a filter: connected patches of one sign.

use alloc::vec;
use alloc::vec::Vec;

/// A pixel belongs to a lobe if its magnitude is at least this share of the largest magnitude.
const LEVEL: f64 = 0.5;

/// The number of patches of one sign, connected by sides, in which the smoothed filter has at least half of its largest
/// magnitude.
///
/// Smoothing is by [1 2 1] / 4 in both directions, so that a single pixel of noise does not count. Pixels outside the
/// image count as 0.
pub(super) fn count(filter: &[f64], height: usize, width: usize) -> usize {
    let smooth = smoothed(&smoothed(filter, width), height);
    let largest = smooth.iter().fold(0.0, |largest: f64, w| largest.max(w.abs()));
    if largest == 0.0 {
        return 0; // smoothing cancels a chessboard completely
    }
    let sign = |pixel: usize| match smooth[pixel] {
        w if w >= LEVEL * largest => 1,
        w if w <= -LEVEL * largest => -1,
        _ => 0,
    };
    let mut is_counted = vec![false; filter.len()];
    let mut lobes = 0;
    let mut todo = Vec::new();
    for first in 0..filter.len() {
        if is_counted[first] || sign(first) == 0 {
            continue;
        }
        lobes += 1;
        is_counted[first] = true;
        todo.push(first);
        while let Some(pixel) = todo.pop() {
            let (y, x) = (pixel / width, pixel % width);
            let neighbours = [
                (y > 0).then(|| pixel - width),
                (y + 1 < height).then(|| pixel + width),
                (x > 0).then(|| pixel - 1),
                (x + 1 < width).then(|| pixel + 1),
            ];
            for neighbour in neighbours.into_iter().flatten() {
                if !is_counted[neighbour] && sign(neighbour) == sign(first) {
                    is_counted[neighbour] = true;
                    todo.push(neighbour);
                }
            }
        }
    }
    lobes
}

/// Smooths rows of `row_length` pixels by [1 2 1] / 4 and transposes; two calls smooth both directions.
fn smoothed(image: &[f64], row_length: usize) -> Vec<f64> {
    let rows = image.len() / row_length;
    let mut out = vec![0.0; image.len()];
    for (y, row) in image.chunks_exact(row_length).enumerate() {
        for x in 0..row_length {
            let before = if x > 0 { row[x - 1] } else { 0.0 };
            let after = row.get(x + 1).copied().unwrap_or(0.0);
            out[x * rows + y] = (before + 2.0 * row[x] + after) / 4.0;
        }
    }
    out
}
