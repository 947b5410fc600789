//! Anderson acceleration of a fixed-point iteration x <- T(x).
//!
//! With the residuals r_k = T(x_k) - x_k of the last sweeps, it finds the affine combination of them with the smallest norm
//! and takes the same combination of the T(x_k). In differences to the newest sweep:
//!
//! ```text
//! γ = argmin |r_k - Σ_l γ_l (r_{l+1} - r_l)|,     x_{k+1} = T(x_k) - Σ_l γ_l (T(x_{l+1}) - T(x_l))
//! ```
//!
//! The norm is weighted by the masses, so that a residual counts as the mass that it misplaces. Near the fixed point this is
//! GMRES on the linearised map (Walker & Ni 2011).

use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::{Level, elementwise, reduce};

/// The number of differences.
pub(super) const MEMORY: usize = 12;

/// The regularisation of γ, relative to the trace of the normal equations.
const RIDGE: f64 = 1e-10;

pub(super) struct Anderson {
    /// The square roots of the weights.
    roots: Vec<f64>,
    /// The last T(x) and weighted residual.
    last: Option<(Vec<f64>, Vec<f64>)>,
    /// Differences of T(x) and of weighted residuals, oldest first.
    images: Vec<Vec<f64>>,
    residuals: Vec<Vec<f64>>,
    /// The products of the differences of residuals.
    gram: Vec<Vec<f64>>,
}

impl Anderson {
    pub fn new(weights: &[f64]) -> Self {
        let roots = weights.iter().map(|&x| libm::sqrt(x)).collect();
        Self { roots, last: None, images: Vec::new(), residuals: Vec::new(), gram: Vec::new() }
    }

    /// Forgets all sweeps.
    pub fn clear(&mut self) {
        self.last = None;
        self.images.clear();
        self.residuals.clear();
        self.gram.clear();
    }

    /// Takes a sweep from `x` to `image` = T(x) and replaces `image` by the extrapolated point. Returns false, with `image`
    /// unchanged, if there is nothing to extrapolate from.
    pub fn extrapolate(&mut self, x: &[f64], image: &mut [f64]) -> bool {
        let level = Level::detect();
        let mut residual: Vec<f64> = image.iter().zip(x).map(|(image, x)| image - x).collect();
        elementwise::mul_in_place(level, &mut residual, &self.roots);
        let Some((mut old_image, mut old_residual)) = self.last.replace((image.to_vec(), residual.clone()))
        else {
            return false;
        };
        let negate =
            |new: &[f64], old: &mut [f64]| old.iter_mut().zip(new).for_each(|(old, new)| *old = new - *old);
        negate(image, &mut old_image);
        negate(&residual, &mut old_residual);
        self.push(old_image, old_residual);
        let right: Vec<f64> = self.residuals.iter().map(|d| reduce::dot(level, d, &residual)).collect();
        let Some(gamma) = solve(&self.gram, right) else { return false };
        let plain = image.to_vec();
        for (gamma, difference) in gamma.iter().zip(&self.images) {
            elementwise::axpy(level, -gamma, difference, image);
        }
        let is_finite = elementwise::is_finite(level, image);
        if !is_finite {
            image.copy_from_slice(&plain);
        }
        is_finite
    }

    fn push(&mut self, image: Vec<f64>, residual: Vec<f64>) {
        if self.images.len() == MEMORY {
            self.images.remove(0);
            self.residuals.remove(0);
            self.gram.remove(0);
            self.gram.iter_mut().for_each(|row| {
                row.remove(0);
            });
        }
        self.images.push(image);
        self.residuals.push(residual);
        let newest = &self.residuals[self.residuals.len() - 1];
        let products: Vec<f64> =
            self.residuals.iter().map(|other| reduce::dot(Level::detect(), other, newest)).collect();
        self.gram.iter_mut().zip(&products).for_each(|(row, &product)| row.push(product));
        self.gram.push(products);
    }
}

/// Solves (A + ridge) x = b for a positive definite A by the factors L L^T; `None` if A is 0 or not finite.
fn solve(a: &[Vec<f64>], mut b: Vec<f64>) -> Option<Vec<f64>> {
    let n = a.len();
    let trace: f64 = (0..n).map(|i| a[i][i]).sum();
    let mut l = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let ridge = if i == j { RIDGE * trace } else { 0.0 };
            let rest = a[i][j] + ridge - (0..j).map(|k| l[i][k] * l[j][k]).sum::<f64>();
            if i == j {
                if rest.is_nan() || rest <= 0.0 {
                    return None;
                }
                l[i][i] = libm::sqrt(rest);
            } else {
                l[i][j] = rest / l[j][j];
            }
        }
    }
    for i in 0..n {
        b[i] = (b[i] - (0..i).map(|k| l[i][k] * b[k]).sum::<f64>()) / l[i][i];
    }
    for i in (0..n).rev() {
        b[i] = (b[i] - (i + 1..n).map(|k| l[k][i] * b[k]).sum::<f64>()) / l[i][i];
    }
    Some(b)
}
