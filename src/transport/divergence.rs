//! The debiased Sinkhorn divergence and its gradient in the points.
//!
//! The entropic cost OT_ε(α, β) of [`mod@super::sinkhorn`] is not smallest at α = β: entropy pulls the points together. The
//! divergence subtracts this bias:
//!
//! ```text
//! S(α, β) = OT_ε(α, β) - OT_ε(α, α)/2 - OT_ε(β, β)/2
//! ```
//!
//! It is 0 only for α = β and positive otherwise, if e^(-C/ε) is a positive definite kernel, as for (squared) Euclidean
//! distances. It tends to OT for small ε and to an energy distance for large ε. Potentials are optimal, so only the costs
//! contribute to the derivative (envelope theorem). With the plans P of (α, β) and Q of (α, α),
//!
//! ```text
//! ∂S/∂x_i = Σ_j P_ij ∂C(x_i, y_j)/∂x_i - Σ_k Q_ik ∂C(x_i, x_k)/∂x_i
//! ```
//!
//! Both arguments of the last cost move, which cancels the factor 1/2.

use super::cost::{Cost, Ground};
use super::entropic_plan::EntropicPlan;
use super::marginals::Marginals;
use super::pause::Pause;
use super::result::Solution;
use super::sinkhorn::{SinkhornSettings, sinkhorn};
use crate::tensor::{Element, Tensor};
use crate::{Error, Result};
use alloc::vec::Vec;

/// A debiased divergence and its gradient.
///
/// See the example of [`sinkhorn_divergence`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "the solver may not have converged"]
pub struct SinkhornDivergence {
    /// S. Rounding below 0 is reported as 0.
    pub value: f64,
    /// The derivative with respect to the source points (n, d).
    pub gradient: Tensor<f64>,
    /// True if all three problems converged.
    pub converged: bool,
}

/// The debiased divergence of two weighted sets of points.
///
/// **Shapes** `x` (n, d), `y` (m, d), their masses.
///
/// **Units** The value and `epsilon` as the cost. The tolerance of the three problems is an L1 error of the marginals.
///
/// **Errors** Those of [`Cost::points`] and [`sinkhorn()`].
///
/// **Accuracy and cost** The error of the value is of second order in the marginal error. Three problems and two passes over
/// pairs; O(n m) numbers of memory at most, O(n + m) if the kernel does not fit.
///
/// **Source** Feydy et al. 2019.
///
/// ```
/// use equilibria::{Tensor, transport::{Ground, Marginals, sinkhorn_divergence}};
/// let x = Tensor::from_vec(&[2, 1], vec![0.0, 1.0])?;
/// let y = Tensor::from_vec(&[2, 1], vec![0.5, 1.5])?;
/// let found = sinkhorn_divergence(&x, &y, &Marginals::uniform(2, 2)?, Ground::SquaredEuclidean, 1.0, 1e-10)?;
/// // A translation by 1/2: each point's derivative is -2 (1/2) / 2.
/// assert!((found.value - 0.25).abs() < 1e-9 && (found.gradient.data()[0] + 0.5).abs() < 1e-9);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn sinkhorn_divergence<T: Element>(
    x: &Tensor<T>,
    y: &Tensor<T>,
    marginals: &Marginals,
    ground: Ground,
    epsilon: f64,
    tolerance: f64,
) -> Result<SinkhornDivergence> {
    let settings = SinkhornSettings { tolerance, ..SinkhornSettings::epsilon(epsilon) };
    let of = |x: &Tensor<T>, y: &Tensor<T>, a: &[f64], b: &[f64]| -> Result<Problem> {
        let marginals = Marginals::new(a, b)?;
        let solution = sinkhorn(&Cost::points(x, y, ground)?, &marginals, &settings, &mut |_| true)?;
        Ok(Problem { marginals, solution })
    };
    let (a, b) = (marginals.a(), marginals.b());
    let (cross, own_x, own_y) = (of(x, y, a, b)?, of(x, x, a, a)?, of(y, y, b, b)?);
    let value = cross.value() - 0.5 * (own_x.value() + own_y.value());
    let mut gradient = cross.gradient(x, y, ground, epsilon)?;
    let own = own_x.gradient(x, x, ground, epsilon)?;
    gradient.data_mut().iter_mut().zip(own.data()).for_each(|(gradient, own)| *gradient -= own);
    if !(value.is_finite() && gradient.is_finite()) {
        return Err(Error::invalid("divergence of these points", "it is not finite; scale the points down"));
    }
    let converged = [&cross, &own_x, &own_y].iter().all(|problem| problem.solution.converged);
    Ok(SinkhornDivergence { value: value.max(0.0), gradient, converged })
}

/// A solved problem.
struct Problem {
    marginals: Marginals,
    solution: Solution,
}

impl Problem {
    /// OT_ε: the dual value, which has an error of second order.
    fn value(&self) -> f64 {
        let sum = |masses: &[f64], potential: &[f64]| -> f64 {
            masses.iter().zip(potential).filter(|(mass, _)| **mass > 0.0).map(|(mass, x)| mass * x).sum()
        };
        sum(self.marginals.a(), &self.solution.potential_f)
            + sum(self.marginals.b(), &self.solution.potential_g)
    }

    /// Σ_j P_ij ∂C(x_i, y_j)/∂x_i.
    fn gradient<T: Element>(
        &self,
        x: &Tensor<T>,
        y: &Tensor<T>,
        ground: Ground,
        epsilon: f64,
    ) -> Result<Tensor<f64>> {
        let (cost, d) = (Cost::points(x, y, ground)?, x.columns());
        let (f, g) = (&self.solution.potential_f[..], &self.solution.potential_g[..]);
        let plan = EntropicPlan { cost: &cost, marginals: &self.marginals, epsilon, f, g };
        let mut gradient = Tensor::zeros(&[x.rows(), d]);
        plan.for_each_piece(gradient.data_mut(), d, &mut Pause::never(), &|first, plan, out| {
            let rows = plan.chunks_exact(y.rows()).zip(out.chunks_exact_mut(d)).enumerate();
            for (r, (plan, out)) in rows {
                let x = x.row(first + r);
                for (j, &mass) in plan.iter().enumerate().filter(|(_, mass)| **mass > 0.0) {
                    add_slope(ground, mass, x, y.row(j), out);
                }
            }
        });
        Ok(gradient)
    }
}

/// out += mass ∂C(x, y)/∂x. The derivative of a distance counts as 0 at its corner, x = y.
fn add_slope<T: Element>(ground: Ground, mass: f64, x: &[T], y: &[T], out: &mut [f64]) {
    let difference = || x.iter().zip(y).map(|(x, y)| x.to_f64() - y.to_f64());
    let factor = match ground {
        Ground::SquaredEuclidean => 2.0 * mass,
        Ground::CityBlock => mass,
        Ground::Euclidean => {
            let length = libm::sqrt(difference().map(|z| z * z).sum::<f64>());
            if length > 0.0 { mass / length } else { 0.0 }
        }
    };
    let is_city_block = ground == Ground::CityBlock;
    for (out, z) in out.iter_mut().zip(difference()) {
        *out += factor
            * if !is_city_block {
                z
            } else if z == 0.0 {
                0.0
            } else {
                z.signum()
            };
    }
}

/// The barycentric map of an entropic plan: each source point goes to the mean of its targets, Σ_j P_ij y_j / Σ_j P_ij.
///
/// **Shapes** `y` (m, d), any values that belong to the target points; the result (n, d).
///
/// **Errors** [`Error::ShapeMismatch`] if the rows of `y` are not the targets of the cost.
///
/// **Accuracy and cost** In f64; one pass over pairs, no memory for the plan. A source without mass has the map of the
/// potentials, like any other point.
///
/// ```
/// use equilibria::transport::{Cost, Ground, Marginals, SinkhornSettings, barycentric_map, sinkhorn};
/// use equilibria::Tensor;
/// let x = Tensor::from_vec(&[2, 1], vec![0.0, 1.0])?;
/// let y = Tensor::from_vec(&[2, 1], vec![10.0, 11.0])?;
/// let (cost, masses) = (Cost::points(&x, &y, Ground::SquaredEuclidean)?, Marginals::uniform(2, 2)?);
/// let found = sinkhorn(&cost, &masses, &SinkhornSettings::epsilon(0.05), &mut |_| true)?;
/// let map = barycentric_map(&cost, &masses, 0.05, &found, &y)?;
/// assert!((map.data()[0] - 10.0).abs() < 1e-6 && (map.data()[1] - 11.0).abs() < 1e-6);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn barycentric_map<T: Element>(
    cost: &Cost<T>,
    marginals: &Marginals,
    epsilon: f64,
    solution: &Solution,
    y: &Tensor<f64>,
) -> Result<Tensor<f64>> {
    marginals.check(cost.rows(), cost.columns())?;
    if y.rows() != cost.columns() {
        return Err(Error::ShapeMismatch {
            operation: "barycentric map",
            expected: [cost.columns(), y.columns()].to_vec(),
            found: [y.rows(), y.columns()].to_vec(),
        });
    }
    // The masses of the source cancel.
    let equal: Vec<f64> = alloc::vec![1.0; cost.rows()];
    let marginals = Marginals::normalised(&equal, marginals.b())?;
    let (f, g, d) = (&solution.potential_f[..], &solution.potential_g[..], y.columns());
    let plan = EntropicPlan { cost, marginals: &marginals, epsilon, f, g };
    let mut map = Tensor::zeros(&[cost.rows(), d]);
    plan.for_each_piece(map.data_mut(), d, &mut Pause::never(), &|_, plan, out| {
        for (plan, out) in plan.chunks_exact(y.rows()).zip(out.chunks_exact_mut(d)) {
            let total: f64 = plan.iter().sum();
            for (j, mass) in plan.iter().enumerate().filter(|(_, mass)| **mass > 0.0) {
                out.iter_mut().zip(y.row(j)).for_each(|(out, y)| *out += mass / total * y);
            }
        }
    });
    Ok(map)
}
