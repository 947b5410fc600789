//! The report's method: a plan between sampled pixels, and the displacement of the nearest sample for every pixel.
//!
//! ```text
//! 1:  x_1 … x_k and y_1 … y_k: pixels of source and target, drawn with replacement
//! 2:  P: the exact plan between them, or the entropic one
//! 3:  T(x_i) = Σ_j P_ij y_j / Σ_j P_ij
//! 4:  every colour x moves by T(x_i) - x_i, where x_i is the nearest sample
//! ```
//!
//! (Ferradans et al. 2014, as in POT's example.) Line 4 has a jump at the border between the colours nearest to two samples, and it
//! carries the noise of the samples into the image.

use super::image::ColourImage;
use super::space::ColourSpace;
use crate::rng::Stream;
use crate::transport::{
    Cost, ExactOptions, Ground, Marginals, SinkhornSettings, barycentric_map, exact, sinkhorn,
};
use crate::{Result, Tensor};
use alloc::vec;
use alloc::vec::Vec;
use rand::Rng;

/// Sampled colours and their displacements, in a space.
#[derive(Debug, Clone)]
pub(super) struct Samples {
    /// (samples, 3)
    places: Tensor<f32>,
    shifts: Vec<[f64; 3]>,
}

impl Samples {
    /// Fits the plan. `epsilon` is `None` for the exact plan.
    ///
    /// **Errors** Those of the solvers.
    ///
    /// **Randomness** Substream 0 of `stream` for the source and 1 for the target, one number a sample.
    pub fn fit(
        images: [&ColourImage; 2],
        weights: [Option<&[f32]>; 2],
        count: usize,
        epsilon: Option<f64>,
        (space, stream): (ColourSpace, Stream),
    ) -> Result<Self> {
        let [x, y] = [0, 1]
            .map(|side| drawn(images[side], weights[side], count, space, stream.substream(side as u64)));
        let cost = Cost::points(&x, &y, Ground::SquaredEuclidean)?;
        let marginals = Marginals::uniform(count, count)?;
        let moved = match epsilon {
            Some(epsilon) => {
                let solution =
                    sinkhorn(&cost, &marginals, &SinkhornSettings::epsilon(epsilon), &mut |_| true)?;
                barycentric_map(&cost, &marginals, epsilon, &solution, &y)?
            }
            None => {
                let solution =
                    exact(&cost, &marginals, ExactOptions { plan: true, ..ExactOptions::default() })?;
                let mut moved = Tensor::zeros(&[count, 3]);
                if let Some(plan) = solution.plan {
                    plan.for_each(|i, j, mass| {
                        let mean = moved.row_mut(i).iter_mut().zip(y.row(j));
                        mean.for_each(|(mean, y)| *mean += mass * count as f64 * y);
                    });
                }
                moved
            }
        };
        let shift = |i: usize| core::array::from_fn(|k| moved.row(i)[k] - x.row(i)[k]);
        Ok(Self { shifts: (0..count).map(shift).collect(), places: x.cast() })
    }

    /// Moves colours of the space by the displacement of the nearest sample.
    ///
    /// **Errors** Those of [`Cost::points`].
    pub fn shift(&self, colours: &mut [[f64; 3]]) -> Result<()> {
        let flat = colours.iter().flatten().map(|&x| x as f32).collect();
        let points = Tensor::from_vec(&[colours.len(), 3], flat)?;
        let cost = Cost::points(&points, &self.places, Ground::SquaredEuclidean)?;
        let (mut least, mut nearest) = (vec![0.0; colours.len()], vec![0; colours.len()]);
        cost.row_minima(&vec![0.0; self.shifts.len()], &mut least, &mut nearest);
        for (colour, nearest) in colours.iter_mut().zip(nearest) {
            colour.iter_mut().zip(self.shifts[nearest as usize]).for_each(|(x, shift)| *x += shift);
        }
        Ok(())
    }
}

/// Pixels drawn with replacement, in proportion to their weights (count, 3).
fn drawn(
    image: &ColourImage,
    weights: Option<&[f32]>,
    count: usize,
    space: ColourSpace,
    stream: Stream,
) -> Tensor<f64> {
    let mut generator = stream.generator();
    let mut uniform = || (generator.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let cumulative: Option<Vec<f64>> = weights.map(|weights| {
        let sum = |sum: &mut f64, weight: &f32| {
            *sum += f64::from(*weight);
            Some(*sum)
        };
        weights.iter().scan(0.0, sum).collect()
    });
    let pixels = image.pixels();
    let mut index = || match &cumulative {
        None => (uniform() * pixels as f64) as usize,
        Some(sums) => {
            let level = uniform() * sums[pixels - 1];
            sums.partition_point(|sum| *sum <= level)
        }
    };
    let colour = |index: usize| {
        let at = &image.values()[3 * index.min(pixels - 1)..][..3];
        space.from_srgb([at[0], at[1], at[2]].map(f64::from))
    };
    let values = (0..count).flat_map(|_| colour(index())).collect();
    Tensor::from_vec(&[count, 3], values).expect("three coordinates a sample")
}
