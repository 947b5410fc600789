//! Mixtures of Gaussians in the plane, which show each mode that a model misses.

use crate::rng::Stream;
use crate::tensor::Element;
use alloc::vec::Vec;
use equilibria_kernels::{Level, random};
use rand::Rng;

/// A mixture of round Gaussians with equal size and weight.
///
/// **Source** Lin, Khetan, Fanti & Oh 2018 (PacGAN), section 4.1, after Srivastava et al. 2017 (VEEGAN).
///
/// ```
/// use equilibria::{data::Mixture, rng::Stream};
/// let ring = Mixture::ring();
/// let mut points = [0.0_f64; 2 * 100];
/// ring.fill(Stream::named(1, "data"), &mut points);
/// let near = |point: &[f64]| ring.centres().iter().any(|c| (c[0] - point[0]).hypot(c[1] - point[1]) < 0.1);
/// assert!(ring.centres().len() == 8 && points.chunks(2).all(near));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Mixture {
    centres: Vec<[f64; 2]>,
    deviation: f64,
}

impl Mixture {
    /// Eight Gaussians on the unit circle around the origin, with standard deviation 0.01.
    pub fn ring() -> Self {
        let on_circle = |i: u32| {
            let angle = f64::from(i) * core::f64::consts::FRAC_PI_4;
            [libm::cos(angle), libm::sin(angle)]
        };
        Self { centres: (0..8).map(on_circle).collect(), deviation: 0.01 }
    }

    /// Twenty-five Gaussians at the points (x, y) with x and y in -4, -2, 0, 2, 4, with standard deviation 0.05.
    pub fn grid() -> Self {
        let axis = |i: u32| 2.0 * f64::from(i) - 4.0;
        Self { centres: (0..25).map(|i| [axis(i / 5), axis(i % 5)]).collect(), deviation: 0.05 }
    }

    /// The centres of the modes.
    pub fn centres(&self) -> &[[f64; 2]] {
        &self.centres
    }

    /// The standard deviation of a Gaussian along any axis.
    pub fn deviation(&self) -> f64 {
        self.deviation
    }

    /// Fills `points` with independent samples.
    ///
    /// **Shapes** `points` (n, 2).
    ///
    /// **Panics** if `points` has an odd length.
    ///
    /// **Randomness** Offsets from the substream 0 of `stream`; modes from the substream 1, one word per point.
    ///
    /// ```
    /// use equilibria::{data::Mixture, rng::Stream};
    /// let mut points = [0.0_f32; 20];
    /// Mixture::ring().fill(Stream::named(1, "evaluate"), &mut points);
    /// assert!(points.chunks(2).all(|p| (p[0].hypot(p[1]) - 1.0).abs() < 0.06));
    /// ```
    #[track_caller]
    pub fn fill<T: Element>(&self, stream: Stream, points: &mut [T]) {
        assert!(
            points.len().is_multiple_of(2),
            "{} numbers are not a whole number of points (x, y)",
            points.len()
        );
        random::fill_normal(Level::detect(), &mut stream.substream(0).bulk(), points);
        let mut modes = stream.substream(1).generator();
        for point in points.chunks_exact_mut(2) {
            // The high half of the product is uniform to within 25 parts in 2^64.
            let mode = (u128::from(modes.next_u64()) * self.centres.len() as u128) >> 64;
            for (x, centre) in point.iter_mut().zip(self.centres[mode as usize]) {
                *x = T::from_f64(centre + self.deviation * x.to_f64());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn points_have_the_means_and_deviations_of_the_mixture() {
        for (mixture, modes, spread) in [(Mixture::ring(), 8, 0.5), (Mixture::grid(), 25, 8.0)] {
            let count = 20_000;
            let mut points = vec![0.0_f64; 2 * count];
            mixture.fill(Stream::named(3, "evaluate"), &mut points);
            assert_eq!(mixture.centres().len(), modes);
            let (mut counts, mut squares) = (vec![0_usize; modes], 0.0);
            let mut second = [0.0; 2];
            for point in points.chunks(2) {
                let away = |centre: &[f64; 2]| {
                    let (x, y) = (point[0] - centre[0], point[1] - centre[1]);
                    x * x + y * y
                };
                let nearest = |&a: &usize, &b: &usize| {
                    away(&mixture.centres()[a]).total_cmp(&away(&mixture.centres()[b]))
                };
                let mode = (0..modes).min_by(nearest).unwrap();
                counts[mode] += 1;
                squares += away(&mixture.centres()[mode]) / (2 * count) as f64;
                (0..2).for_each(|axis| second[axis] += point[axis] * point[axis] / count as f64);
            }
            let variance = mixture.deviation() * mixture.deviation();
            assert!((squares / variance - 1.0).abs() < 0.03, "{squares}, not {variance}");
            // A tolerance of 5 standard deviations of a count.
            let even = count as f64 / modes as f64;
            let uneven = counts.iter().any(|&found| (found as f64 - even).abs() > 5.0 * libm::sqrt(even));
            assert!(!uneven, "{counts:?}");
            assert!(second.iter().all(|found| (found - spread).abs() < 0.03 * spread), "{second:?}");
        }
    }
}
