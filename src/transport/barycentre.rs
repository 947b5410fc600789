//! Entropic barycentres of histograms on a grid.
//!
//! The barycentre p of histograms b_k with weights λ_k minimises Σ λ_k S_k(p), where S_k is the debiased divergence of p and
//! b_k for squared distances. With the kernel K = e^(-C/ε), scalings u_k and v_k and a common factor d, the iteration is
//!
//! ```text
//! 1:  u_k = b_k / (K v_k)
//! 2:  p = d Π_k (K^T u_k)^λ_k
//! 3:  v_k = p / (K^T u_k)
//! 4:  d <- sqrt(d p / (K d))
//! ```
//!
//! Without line 4 (d = 1) this is iterated Bregman projection (Benamou et al. 2015), whose barycentres are blurred by about
//! ε: line 4 removes the blur (Janati et al. 2020). All of it is in the log domain.

use super::grid::{Grid, log_convolution};
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

/// A barycentre of histograms.
///
/// See the example of [`barycentre`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "the iteration may not have converged"]
pub struct Barycentre {
    /// The masses (cells), with a sum of 1.
    pub masses: Vec<f64>,
    /// The number of iterations.
    pub iterations: usize,
    /// The L1 change of the masses in the last iteration.
    pub change: f64,
    /// True if the change reached the tolerance.
    pub converged: bool,
}

/// The debiased entropic barycentre of histograms on a grid.
///
/// `proceed` is called after every iteration with its number and the change; the solver stops when it returns false.
///
/// **Shapes** Each histogram (cells); one weight for each. Masses and weights are divided by their sums.
///
/// **Units** ε in squared units of the grid's distances; the tolerance is an L1 change in mass.
///
/// **Errors** [`Error::InvalidArgument`] without histograms, if a length does not match, if masses or weights are negative, not
/// finite or all 0, or if ε or the tolerance is not positive.
///
/// **Accuracy and cost** f64 in the log domain: two separable convolutions for each histogram and iteration.
///
/// **Source** Janati, Cuturi & Gramfort 2020, algorithm 1.
///
/// ```
/// use equilibria::transport::{Grid, barycentre};
/// // Half way between the masses of the first and of the last cell.
/// let grid = Grid::new(&[3], &[1.0])?;
/// let histograms: [&[f64]; 2] = [&[1.0, 0.0, 0.0], &[0.0, 0.0, 1.0]];
/// let found = barycentre(&grid, &histograms, &[0.5, 0.5], 0.1, (1e-9, 1000), &mut |_, _| true)?;
/// assert!(found.converged && found.masses[1] > 0.99);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn barycentre(
    grid: &Grid,
    histograms: &[&[f64]],
    weights: &[f64],
    epsilon: f64,
    (tolerance, most_iterations): (f64, usize),
    proceed: &mut dyn FnMut(usize, f64) -> bool,
) -> Result<Barycentre> {
    if histograms.is_empty() || histograms.len() != weights.len() {
        let given = format!("{} histograms with {} weights", histograms.len(), weights.len());
        return Err(Error::invalid(given, "at least 1 histogram with 1 weight each is needed"));
    }
    if !(epsilon > 0.0 && epsilon.is_finite() && tolerance > 0.0) {
        let given = format!("epsilon {epsilon} and tolerance {tolerance}");
        return Err(Error::invalid(given, "both are positive finite numbers"));
    }
    let weights = shares("weights", weights, weights.len())?;
    let mut logs = Vec::with_capacity(histograms.len());
    for histogram in histograms {
        let masses = shares("masses of a histogram", histogram, grid.cells())?;
        logs.push(masses.iter().map(|&x| libm::log(x)).collect::<Vec<f64>>());
    }
    let convolve = |x: &[f64]| log_convolution(grid, x, 1.0 / epsilon);
    let mut v = vec![vec![0.0; grid.cells()]; histograms.len()];
    let mut d = vec![0.0; grid.cells()];
    let mut found =
        Barycentre { masses: vec![0.0; grid.cells()], iterations: 0, change: 1.0, converged: false };
    while found.iterations < most_iterations && !found.converged {
        let mut p = d.clone();
        for ((v, log_b), weight) in v.iter_mut().zip(&logs).zip(&weights) {
            let u: Vec<f64> = log_b.iter().zip(convolve(v)).map(|(log_b, kv)| log_b - kv).collect(); // line 1
            *v = convolve(&u);
            p.iter_mut().zip(&*v).for_each(|(p, ku)| *p += weight * ku); // line 2
        }
        for v in &mut v {
            v.iter_mut().zip(&p).for_each(|(v, p)| *v = p - *v); // line 3
        }
        let kd = convolve(&d);
        for ((d, p), kd) in d.iter_mut().zip(&p).zip(kd) {
            *d = 0.5 * (*d + p - kd); // line 4
        }
        let total: f64 = p.iter().map(|&p| libm::exp(p)).sum();
        found.change = 0.0;
        for (mass, p) in found.masses.iter_mut().zip(&p) {
            let new = libm::exp(*p) / total;
            found.change += (new - *mass).abs();
            *mass = new;
        }
        found.iterations += 1;
        found.converged = found.change <= tolerance;
        if !proceed(found.iterations, found.change) {
            break;
        }
    }
    Ok(found)
}

/// The numbers divided by their sum.
fn shares(name: &str, x: &[f64], length: usize) -> Result<Vec<f64>> {
    let sum: f64 = x.iter().sum();
    if x.len() != length || !(sum > 0.0 && sum.is_finite()) || x.iter().any(|x| *x < 0.0 || x.is_nan()) {
        let given = format!("{} {name} with a sum of {sum}", x.len());
        return Err(Error::invalid(
            given,
            format!("{length} numbers of at least 0 with a positive finite sum are needed"),
        ));
    }
    Ok(x.iter().map(|x| x / sum).collect())
}
