//! Weights as 8-bit integers with a scale for each row: w ≈ q s, with q from −127 to 127 and s = max |w| / 127.
//!
//! A row is the last axis. The error is at most s / 2. In a file, tensor `NAME` of I8 has its scales in `NAME.scale`.

use alloc::vec::Vec;

/// The name of the scales of a tensor ends with this.
pub(super) const SCALE: &str = ".scale";

const LARGEST: f32 = 127.0;

/// The integers and the scales of rows of this length. The numbers must be finite.
pub(super) fn quantise(values: &[f32], columns: usize) -> (Vec<i8>, Vec<f32>) {
    let largest = |row: &[f32]| row.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    let scales: Vec<f32> = values.chunks_exact(columns).map(|row| largest(row) / LARGEST).collect();
    let rows = values.chunks_exact(columns).zip(&scales);
    // Adding half and rounding towards zero; a row of zeros has the scale 0.
    let integer = |x: f32, scale: f32| {
        let quotient = if scale > 0.0 { x / scale } else { 0.0 };
        (quotient + 0.5_f32.copysign(quotient)) as i8
    };
    (rows.flat_map(|(row, &scale)| row.iter().map(move |&x| integer(x, scale))).collect(), scales)
}

/// The numbers that integers and scales stand for.
pub(super) fn restore(integers: &[i8], scales: &[f32]) -> Vec<f32> {
    let columns = (integers.len() / scales.len().max(1)).max(1);
    let rows = integers.chunks_exact(columns).zip(scales);
    rows.flat_map(|(row, &scale)| row.iter().map(move |&q| f32::from(q) * scale)).collect()
}
