//! Transport between normal distributions with the squared distance as the cost: closed forms.
//!
//! ```text
//! W2² = |m1 - m2|² + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)
//! T(x) = m2 + A (x - m1),    A S1 A = S2,    A symmetric, not negative
//! ```
//!
//! with means m and covariances S (the distance of covariances is that of Bures). S1 S2 is not symmetric, but it has the
//! eigenvalues of the symmetric matrix M = F S2 F^T, where F^T F = S1. So the trace of its root is the sum of their square
//! roots. F has one row sqrt(l) u for each eigenvector u of S1 whose eigenvalue l is above rounding error. With G, which has
//! the rows u / sqrt(l), G F^T = I and A = G^T M^(1/2) G.

use crate::tensor::Tensor;
use crate::tensor::eigen::{Eigen, decompose};
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::{Level, elementwise};

/// A normal distribution.
///
/// ```
/// use equilibria::{Tensor, transport::Gaussian};
/// let identity = || Tensor::from_vec(&[2, 2], vec![1.0, 0.0, 0.0, 1.0]);
/// let (a, b) = (Gaussian::new(vec![0.0, 0.0], identity()?)?, Gaussian::new(vec![3.0, 4.0], identity()?)?);
/// assert!((a.squared_wasserstein(&b)? - 25.0).abs() < 1e-9);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Gaussian {
    mean: Vec<f64>,
    covariance: Tensor<f64>,
}

impl Gaussian {
    /// Creates a Gaussian from its mean and covariance.
    ///
    /// **Shapes** `mean` (d), `covariance` (d, d), of which only the lower triangle is read.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the sizes differ; [`Error::InvalidArgument`] if d is 0, or
    /// an element is not finite.
    pub fn new(mean: Vec<f64>, covariance: Tensor<f64>) -> Result<Self> {
        let d = mean.len();
        if covariance.shape() != [d, d] {
            return Err(Error::ShapeMismatch {
                operation: "covariance of a Gaussian",
                expected: vec![d, d],
                found: covariance.shape().to_vec(),
            });
        }
        if d == 0 || !covariance.is_finite() || !mean.iter().all(|x| x.is_finite()) {
            let given = format!("a Gaussian in {d} dimensions");
            return Err(Error::invalid(given, "at least 1 dimension and finite numbers are needed"));
        }
        Ok(Self { mean, covariance })
    }

    /// The mean (d).
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The covariance (d, d).
    pub fn covariance(&self) -> &Tensor<f64> {
        &self.covariance
    }

    /// The sum of the variances.
    pub fn trace(&self) -> f64 {
        (0..self.mean.len()).map(|i| self.covariance.row(i)[i]).sum()
    }

    /// W2² from `self` to `other`.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if they differ in dimension.
    ///
    /// **Accuracy and cost** The error is about 1e-14 (tr S1 + tr S2) for covariances that are not nearly singular. An
    /// eigenvalue of S1 S2 below 1e-13 of the largest counts as 0. The result is never negative. Two eigendecompositions
    /// and three products of (d, d) matrices.
    ///
    /// **Source** Dowson & Landau 1982.
    pub fn squared_wasserstein(&self, other: &Self) -> Result<f64> {
        self.check_dimension(other)?;
        let apart: f64 = self.mean.iter().zip(&other.mean).map(|(a, b)| (a - b) * (a - b)).sum();
        let root = trace_of_root(&self.covariance, &other.covariance)?;
        Ok((apart + self.trace() + other.trace() - 2.0 * root).max(0.0))
    }

    /// The matrix A (d, d) of the optimal map T(x) = m2 + A (x - m1) from `self` to `other`.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if they differ in dimension; [`Error::InvalidArgument`] if the covariance of
    /// `self` is singular up to rounding: no map spreads mass into a direction that has no extent.
    ///
    /// **Accuracy and cost** Relative error about 1e-15 times the condition number of S1. Two eigendecompositions and five
    /// products of (d, d) matrices.
    ///
    /// **Source** Knott & Smith 1984.
    pub fn transport_map(&self, other: &Self) -> Result<Tensor<f64>> {
        self.check_dimension(other)?;
        let eigen = decompose(&self.covariance)?;
        let first = first_kept(&eigen.values);
        if first > 0 {
            let given = format!("a covariance with the eigenvalue {}", eigen.values[0]);
            return Err(Error::invalid(
                given,
                "the source of a map needs positive eigenvalues above rounding",
            ));
        }
        let factor = root(&eigen);
        let mut inverse = factor.clone();
        for (i, value) in eigen.values.iter().enumerate() {
            elementwise::scale_in_place(Level::detect(), 1.0 / value, inverse.row_mut(i));
        }
        let half = Tensor::product(factor.view(), other.covariance.view())?;
        let eigen = decompose(&Tensor::product(half.view(), factor.view().transposed())?)?;
        // With W^T L W = M, A is the product of (L^(1/4) W G) with itself.
        let mut fourth = eigen.vectors.clone();
        for (i, value) in eigen.values.iter().enumerate() {
            elementwise::scale_in_place(
                Level::detect(),
                libm::sqrt(libm::sqrt(value.max(0.0))),
                fourth.row_mut(i),
            );
        }
        let product = Tensor::product(fourth.view(), inverse.view())?;
        Tensor::product(product.view().transposed(), product.view())
    }

    fn check_dimension(&self, other: &Self) -> Result<()> {
        let (d, found) = (self.mean.len(), other.mean.len());
        if found == d {
            return Ok(());
        }
        Err(Error::ShapeMismatch {
            operation: "distance of Gaussians",
            expected: vec![d],
            found: vec![found],
        })
    }
}

/// tr (A B)^(1/2) of two covariances.
fn trace_of_root(a: &Tensor<f64>, b: &Tensor<f64>) -> Result<f64> {
    let factor = root(&decompose(a)?);
    if factor.is_empty() {
        return Ok(0.0);
    }
    let product = Tensor::product(factor.view(), b.view())?;
    let values = decompose(&Tensor::product(product.view(), factor.view().transposed())?)?.values;
    Ok(values[first_kept(&values)..].iter().map(|&value| libm::sqrt(value)).sum())
}

/// F with F^T F = A, one row for each eigenvalue above rounding error.
fn root(eigen: &Eigen) -> Tensor<f64> {
    let first = first_kept(&eigen.values);
    let d = eigen.values.len();
    let mut factor = Tensor::zeros(&[d - first, d]);
    for i in first..d {
        let row = factor.row_mut(i - first);
        row.copy_from_slice(eigen.vectors.row(i));
        elementwise::scale_in_place(Level::detect(), libm::sqrt(eigen.values[i]), row);
    }
    factor
}

/// The index of the first eigenvalue above rounding error: see [`decompose`].
fn first_kept(values: &[f64]) -> usize {
    let noise = 4.0 * values.len() as f64 * f64::EPSILON * values[values.len() - 1];
    values.partition_point(|&value| value <= noise.max(0.0))
}
