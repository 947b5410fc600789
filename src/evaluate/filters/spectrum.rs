//! The share of a filter's power at high frequencies.

use alloc::vec;
use alloc::vec::Vec;
use core::f64::consts::TAU;

/// Upper limit of the low frequencies, in cycles per pixel: half of the highest frequency of an axis.
const CUT: f64 = 0.25;

/// Tables of waves for the low frequencies of images of one size.
pub(super) struct LowPass {
    width: usize,
    /// (cos, sin) of 2 pi k x / width, for k from 0 to a quarter of the width: (k, x).
    across: Vec<(f64, f64)>,
    /// The same in the vertical direction, for k of both signs: each a frequency in cycles per pixel and values (y).
    down: Vec<(f64, Vec<(f64, f64)>)>,
}

impl LowPass {
    pub fn new(height: usize, width: usize) -> Self {
        let wave = |k: f64, size: usize| {
            (0..size).map(move |place| {
                let angle = TAU * k * place as f64 / size as f64;
                (libm::cos(angle), libm::sin(angle))
            })
        };
        let last = |size: usize| (size / 4) as isize;
        let across = (0..=last(width)).flat_map(|k| wave(k as f64, width)).collect();
        let down = (-last(height)..=last(height))
            .map(|k| (k as f64 / height as f64, wave(k as f64, height).collect()))
            .collect();
        Self { width, across, down }
    }

    /// 1 - (sum of |F(k)|^2 over |k| <= 1/4) / (sum over all k), where F is the discrete Fourier transform.
    ///
    /// `energy` is that of the filter; the sum over all k is N times the energy (Parseval). The frequencies k and -k of a real image have equal power.
    pub fn share_above(&self, filter: &[f64], energy: f64) -> f64 {
        let mut low = 0.0;
        let mut columns = vec![(0.0, 0.0); filter.len() / self.width];
        for (k, wave) in self.across.chunks_exact(self.width).enumerate() {
            for (column, row) in columns.iter_mut().zip(filter.chunks_exact(self.width)) {
                let terms = row.iter().zip(wave).map(|(w, (cos, sin))| (w * cos, -w * sin));
                *column = terms.fold((0.0, 0.0), |sum, term| (sum.0 + term.0, sum.1 + term.1));
            }
            let across = k as f64 / self.width as f64;
            // Counts k and -k together.
            let times = if k == 0 { 1.0 } else { 2.0 };
            for (down, wave) in &self.down {
                if across * across + down * down <= CUT * CUT {
                    // (a + ib)(cos - i sin)
                    let terms =
                        columns.iter().zip(wave).map(|((a, b), (c, s))| (a * c + b * s, b * c - a * s));
                    let (real, imaginary) =
                        terms.fold((0.0, 0.0), |sum: (f64, f64), term| (sum.0 + term.0, sum.1 + term.1));
                    low += times * (real * real + imaginary * imaginary);
                }
            }
        }
        (1.0 - low / (filter.len() as f64 * energy)).max(0.0)
    }
}
