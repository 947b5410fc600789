//! Affine maps of colours: mean and variance of each coordinate, and the optimal map between normal distributions.
//!
//! With the means m and covariances S of both images,
//!
//! ```text
//! mean and variance   T(x)_k = m2_k + (s2_k / s1_k) (x_k - m1_k),    s_k = sqrt(S_kk)
//! linear Monge        T(x)   = m2 + A (x - m1),    A S1 A = S2       (see `super::super::gaussian`)
//! ```
//!
//! An image without variance in some direction, for instance a grey one, has no such A. Then a small multiple of the identity
//! is added to both covariances.

use super::area::Area;
use super::image::ColourImage;
use super::space::ColourSpace;
use crate::transport::gaussian::Gaussian;
use crate::{Result, Tensor};
use equilibria_kernels::array;

/// The variance that is added to each coordinate of a singular covariance: that of rounding to 8 bits, (1/255)² / 12.
const RIDGE: f64 = 1.28e-6;

/// x -> target + matrix (x - source), in a space.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Affine {
    pub source: [f64; 3],
    pub target: [f64; 3],
    pub matrix: [[f64; 3]; 3],
}

impl Affine {
    pub fn at(&self, x: [f64; 3]) -> [f64; 3] {
        let centred: [f64; 3] = array(|k| x[k] - self.source[k]);
        array(|k| {
            let row = &self.matrix[k];
            self.target[k] + row[0] * centred[0] + row[1] * centred[1] + row[2] * centred[2]
        })
    }

    /// The map that gives each coordinate the mean and variance of the target.
    pub fn mean_variance(source: &Gaussian, target: &Gaussian) -> Self {
        let deviation = |of: &Gaussian, k: usize| libm::sqrt(of.covariance().row(k)[k].max(0.0));
        let mut matrix = [[0.0; 3]; 3];
        for (k, row) in matrix.iter_mut().enumerate() {
            let from = deviation(source, k);
            row[k] = if from > libm::sqrt(RIDGE) { deviation(target, k) / from } else { 1.0 };
        }
        Self { source: triple(source.mean()), target: triple(target.mean()), matrix }
    }

    /// The optimal map between normal distributions.
    ///
    /// **Errors** Those of the eigendecomposition.
    pub fn monge(source: &Gaussian, target: &Gaussian) -> Result<Self> {
        let matrix = match source.transport_map(target) {
            Ok(matrix) => matrix,
            Err(_) => widened(source)?.transport_map(&widened(target)?)?,
        };
        let matrix = core::array::from_fn(|k| triple(matrix.row(k)));
        Ok(Self { source: triple(source.mean()), target: triple(target.mean()), matrix })
    }
}

fn triple(x: &[f64]) -> [f64; 3] {
    [x[0], x[1], x[2]]
}

fn widened(of: &Gaussian) -> Result<Gaussian> {
    let mut covariance = of.covariance().clone();
    (0..3).for_each(|k| covariance.row_mut(k)[k] += RIDGE);
    Gaussian::new(of.mean().to_vec(), covariance)
}

/// Sums of weights, coordinates and their products.
#[derive(Clone, Copy)]
struct Moments {
    total: f64,
    first: [f64; 3],
    second: [[f64; 3]; 3],
}

impl Moments {
    const ZERO: Self = Self { total: 0.0, first: [0.0; 3], second: [[0.0; 3]; 3] };

    fn add(&mut self, weight: f64, x: [f64; 3]) {
        self.total += weight;
        for k in 0..3 {
            self.first[k] += weight * x[k];
            for l in 0..=k {
                self.second[k][l] += weight * x[k] * x[l];
            }
        }
    }

    fn merge(mut self, other: &Self) -> Self {
        self.total += other.total;
        for k in 0..3 {
            self.first[k] += other.first[k];
            (0..=k).for_each(|l| self.second[k][l] += other.second[k][l]);
        }
        self
    }

    fn gaussian(&self) -> Result<Gaussian> {
        let mean = self.first.map(|x| x / self.total);
        let mut covariance = Tensor::zeros(&[3, 3]);
        for k in 0..3 {
            for l in 0..=k {
                let value = self.second[k][l] / self.total - mean[k] * mean[l];
                covariance.row_mut(k)[l] = value;
                covariance.row_mut(l)[k] = value;
            }
        }
        Gaussian::new(mean.to_vec(), covariance)
    }
}

/// The mean and the covariance of all pixels of an area.
///
/// **Errors** Those of [`Gaussian::new`].
pub(super) fn gaussian_of(
    image: &ColourImage,
    weights: Option<&[f32]>,
    area: &Area,
    space: ColourSpace,
) -> Result<Gaussian> {
    let parts = area.fold(
        image,
        || Moments::ZERO,
        |sum, index, colour| {
            let weight = weights.map_or(1.0, |weights| f64::from(weights[index]));
            sum.add(weight, space.from_srgb(colour.map(f64::from)));
        },
    );
    parts.iter().fold(Moments::ZERO, Moments::merge).gaussian()
}
