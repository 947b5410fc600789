//! Sinkhorn's algorithm in plain loops: the oracle of the tests.
//!
//! ```text
//! 1:  f_i <- -ε ln Σ_j b_j e^((g_j - C_ij)/ε)
//! 2:  g_j <- -ε ln Σ_i a_i e^((f_i - C_ij)/ε)
//! ```

use super::{Cost, Marginals};
use alloc::vec;
use alloc::vec::Vec;

/// The potentials f and g after `iterations` of lines 1 and 2, starting at g = 0.
///
/// **Panics** if the masses do not fit the costs.
///
/// **Accuracy and cost** O(n m) a line, one exponential a pair, on one thread.
///
/// ```
/// use equilibria::{Tensor, transport::{Cost, Marginals, reference}};
/// let costs = Tensor::from_vec(&[2, 2], vec![0.0, 1.0, 1.0, 0.0])?;
/// let (cost, masses) = (Cost::matrix(&costs)?, Marginals::uniform(2, 2)?);
/// let (f, g) = reference::sinkhorn(&cost, &masses, 0.1, 100);
/// assert!((f[0] + g[0]).abs() < 1.0 && (f[0] - f[1]).abs() < 1e-12, "the problem is symmetric");
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn sinkhorn(
    cost: &Cost<f64>,
    masses: &Marginals,
    epsilon: f64,
    iterations: usize,
) -> (Vec<f64>, Vec<f64>) {
    let (n, m) = (cost.rows(), cost.columns());
    let (mut f, mut g) = (vec![0.0; n], vec![0.0; m]);
    for _ in 0..iterations {
        for (i, f) in f.iter_mut().enumerate() {
            *f = softmin(epsilon, m, |j| (masses.b()[j], cost.at(i, j) - g[j])); // line 1
        }
        for (j, g) in g.iter_mut().enumerate() {
            *g = softmin(epsilon, n, |i| (masses.a()[i], cost.at(i, j) - f[i])); // line 2
        }
    }
    (f, g)
}

/// -ε ln Σ w e^(-x/ε) over pairs of a weight w and a number x. The smallest x is subtracted from all, so that the largest
/// exponential is 1.
fn softmin(epsilon: f64, count: usize, pair: impl Fn(usize) -> (f64, f64)) -> f64 {
    let pairs = || (0..count).map(&pair).filter(|(weight, _)| *weight > 0.0);
    let least = pairs().map(|(_, x)| x).fold(f64::INFINITY, f64::min);
    let sum: f64 = pairs().map(|(weight, x)| weight * libm::exp((least - x) / epsilon)).sum();
    least - epsilon * libm::log(sum)
}

/// The plan P_ij = a_i b_j e^((f_i + g_j - C_ij)/ε), by rows.
///
/// **Panics** if the potentials or the masses do not fit the costs.
///
/// ```
/// use equilibria::{Tensor, transport::{Cost, Marginals, reference}};
/// let costs = Tensor::from_vec(&[2, 2], vec![0.0, 1.0, 1.0, 0.0])?;
/// let (cost, masses) = (Cost::matrix(&costs)?, Marginals::uniform(2, 2)?);
/// let (f, g) = reference::sinkhorn(&cost, &masses, 0.1, 100);
/// let plan = reference::plan(&cost, &masses, 0.1, &f, &g);
/// assert!((plan.iter().sum::<f64>() - 1.0).abs() < 1e-9 && plan[0] > 0.49);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn plan(cost: &Cost<f64>, masses: &Marginals, epsilon: f64, f: &[f64], g: &[f64]) -> Vec<f64> {
    let at = |i, j| masses.a()[i] * masses.b()[j] * libm::exp((f[i] + g[j] - cost.at(i, j)) / epsilon);
    (0..cost.rows()).flat_map(|i| (0..cost.columns()).map(move |j| at(i, j))).collect()
}
