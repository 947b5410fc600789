//! Straight lines and cycles in series of numbers.

use alloc::vec::Vec;

/// Number of pieces whose means are fitted by a line: the noise in the means is nearly independent.
const PIECES: usize = 8;
/// Student's t with 6 degrees of freedom exceeds this magnitude with a probability of 1/400.
const BEYOND_NOISE: f64 = 4.9;
/// Smallest correlation that counts as a cycle, for any number of readings.
const LEAST_CORRELATION: f64 = 0.3;
/// Smallest correlation that counts as a cycle, in standard deviations of the correlation of noise, 1 / sqrt(n).
const BEYOND_CHANCE: f64 = 3.5;

/// The least-squares line through the means of eight pieces of a series.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// Change of the line over the whole series.
    pub change: f64,
    pub mean: f64,
    /// Root mean square of the series, the scale for changes.
    pub size: f64,
    /// Slope divided by its standard error.
    t: f64,
}

impl Line {
    /// Fits the line.
    ///
    /// **Panics** if there are fewer than eight numbers.
    pub fn through(values: &[f64]) -> Self {
        let n = values.len();
        let bounds = |piece: usize| piece * n / PIECES;
        let pieces: Vec<f64> = (0..PIECES).map(|i| mean(&values[bounds(i)..bounds(i + 1)])).collect();
        let middle = (PIECES - 1) as f64 / 2.0;
        let squares: f64 = (0..PIECES).map(|i| (i as f64 - middle) * (i as f64 - middle)).sum();
        let average = mean(&pieces);
        let slope = pieces.iter().enumerate().map(|(i, y)| (i as f64 - middle) * y).sum::<f64>() / squares;
        let rest = |(i, y): (usize, &f64)| y - average - slope * (i as f64 - middle);
        let residual: f64 = pieces.iter().enumerate().map(rest).map(|r| r * r).sum();
        let error = libm::sqrt(residual / (PIECES - 2) as f64 / squares);
        Self {
            change: slope * PIECES as f64,
            mean: average,
            size: libm::sqrt(values.iter().map(|x| x * x).sum::<f64>() / n as f64),
            t: if error > 0.0 { slope / error } else { slope * f64::INFINITY },
        }
    }

    pub fn is_beyond_noise(&self) -> bool {
        self.t.abs() > BEYOND_NOISE
    }
}

/// A cycle found in a series.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cycle {
    /// Period, in elements of the series.
    pub period: f64,
    /// Correlation of the series with itself half a period later.
    pub trough: f64,
    /// Correlation of the series with itself one period later.
    pub crest: f64,
}

impl Cycle {
    /// Searches for the deepest anticorrelation, and for a correlation near twice its lag; `None` if chance explains
    /// them.
    ///
    /// Slowly decaying noise has an anticorrelation too, but no correlation at twice its lag. The series must hold at
    /// least two periods.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        let rest = less_line(values);
        let variance = rest.iter().map(|x| x * x).sum::<f64>() / n as f64;
        // A variance this small is rounding error of a constant series.
        if variance.is_nan() || variance <= 1e-20 * values.iter().map(|x| x * x).sum::<f64>() / n as f64 {
            return None;
        }
        let correlation = |lag: usize| {
            let products: f64 = rest.iter().zip(&rest[lag..]).map(|(x, y)| x * y).sum();
            products / (n as f64 * variance)
        };
        let (half, trough) =
            (1..=n / 4).map(|lag| (lag, correlation(lag))).min_by(|a, b| a.1.total_cmp(&b.1))?;
        let (whole, crest) = (2 * half - half / 3..=(2 * half + half / 3).min(n - 1))
            .map(|lag| (lag, correlation(lag)))
            .max_by(|a, b| a.1.total_cmp(&b.1))?;
        let least = LEAST_CORRELATION.max(BEYOND_CHANCE / libm::sqrt(n as f64));
        // A sum over n - lag products is divided by n, which shrinks correlations at large lags.
        (-trough > least && crest > least).then_some(Self { period: whole as f64, trough, crest })
    }
}

/// The standard deviation of a series about its least-squares line; NaN for an empty series.
///
/// ```
/// use equilibria::evaluate::stability::deviation;
/// assert_eq!(deviation(&[5.0; 10]), 0.0);
/// ```
pub fn deviation(values: &[f64]) -> f64 {
    libm::sqrt(less_line(values).iter().map(|x| x * x).sum::<f64>() / values.len() as f64)
}

/// The residuals of the least-squares line.
fn less_line(values: &[f64]) -> Vec<f64> {
    let middle = (values.len() as f64 - 1.0) / 2.0;
    let average = mean(values);
    let place = |i: usize| i as f64 - middle;
    let squares: f64 = (0..values.len()).map(|i| place(i) * place(i)).sum();
    let slope = values.iter().enumerate().map(|(i, y)| place(i) * y).sum::<f64>() / squares;
    values.iter().enumerate().map(|(i, y)| y - average - slope * place(i)).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use alloc::vec;
    use equilibria_kernels::{Level, random};

    /// A stationary series x' = rho x + noise.
    fn noise(rho: f64, n: usize, seed: u64) -> Vec<f64> {
        let mut values = vec![0.0; n];
        random::fill_normal(Level::detect(), &mut Stream::named(seed, "chain").bulk(), &mut values);
        let mut x = values[0] / libm::sqrt(1.0 - rho * rho);
        for value in &mut values {
            x = rho * x + *value;
            *value = x;
        }
        values
    }

    #[test]
    fn noise_is_seldom_taken_for_a_cycle_or_a_line() {
        const RUNS: u64 = 1000;
        for n in [24, 100, 400] {
            for rho in [0.0, 0.5] {
                let cycles = (0..RUNS).filter(|&seed| Cycle::of(&noise(rho, n, seed)).is_some()).count();
                assert!(cycles <= 20, "{cycles} cycles in {RUNS} series of {n}, rho {rho}");
            }
            let is_line = |seed: &u64| Line::through(&noise(0.0, n, *seed)).is_beyond_noise();
            let lines = (0..RUNS).filter(is_line).count();
            assert!(lines <= 10, "{lines} lines in {RUNS} series of {n}");
        }
    }

    #[test]
    fn a_cycle_in_as_much_noise_is_found_with_its_period() {
        for (period, n) in [(10, 100), (25, 200), (40, 400)] {
            let mut found = 0;
            for seed in 0..100 {
                let mut values = noise(0.0, n, seed);
                for (i, value) in values.iter_mut().enumerate() {
                    // As strong as the noise (variance 1), on top of a line, which must not matter.
                    let angle = core::f64::consts::TAU * i as f64 / f64::from(period);
                    *value += core::f64::consts::SQRT_2 * libm::sin(angle) + 0.05 * i as f64;
                }
                let cycle = Cycle::of(&values);
                found += usize::from(
                    cycle.is_some_and(|cycle| (cycle.period / f64::from(period) - 1.0).abs() < 0.15),
                );
            }
            assert!(found >= 2 * 100 / 3, "period {period} found in {found} of 100 series of {n}");
        }
    }

    #[test]
    fn a_deviation_is_what_a_line_does_not_explain() {
        assert!(deviation(&[1.0, 2.0, 3.0, 4.0]) < 1e-12);
        let found = deviation(&[1.1, 0.9, 0.9, 1.1]);
        assert!((found - 0.1).abs() < 1e-12, "{found}");
    }

    #[test]
    fn a_line_is_told_from_noise_and_its_change_is_measured() {
        let mut values = noise(0.0, 400, 1);
        for (i, value) in values.iter_mut().enumerate() {
            *value += 3.0 * i as f64 / 400.0 - 1.0;
        }
        let line = Line::through(&values);
        assert!(line.is_beyond_noise() && (line.change - 3.0).abs() < 0.6, "{line:?}");
        assert!((line.mean - 0.5).abs() < 0.2, "{line:?}");
        assert!(!Line::through(&[2.0; 50]).is_beyond_noise());
    }
}
