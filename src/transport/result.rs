//! The result of every solver, and the two bounds that certify it.
//!
//! **Lower bound.** From any f, the two *c-transforms*
//!
//! ```text
//! g_j = min over i of C_ij - f_i,    f_i = min over j of C_ij - g_j
//! ```
//!
//! give potentials with f_i + g_j <= C_ij for all i and j. So their dual value, Σ a_i f_i + Σ b_j g_j, is at most OT. No
//! other feasible g is better with the first f, and no other f is better with this g.
//!
//! **Upper bound.** The rounding of Altschuler, Weed & Rigollet 2017 (algorithm 2) makes a plan with exact marginals from
//! any P >= 0 with row sums r: scale row i by min(1, a_i / r_i), then column j by min(1, b_j / c_j) with the new column
//! sums c. No sum is too large then. The missing masses α = a - r and β = b - c have the same sum s, and α β^T / s adds
//! them. The cost of the result is at least OT.

use super::pause::Pause;
use super::scores::{Direction, minima};
use super::{Cost, Marginals};
use crate::tensor::{Element, Tensor};
use alloc::vec;
use alloc::vec::Vec;

/// The result of a transport solver.
///
/// A solver that ran out of iterations returns its last state with `converged` false. Its bounds hold all the same.
///
/// ```
/// use equilibria::transport::{Marginals, on_a_line};
/// let found = on_a_line(&[0.0, 1.0], &[2.0, 3.0], &Marginals::uniform(2, 2)?, 1.0)?;
/// assert!(found.converged && (found.cost - 2.0).abs() < 1e-12 && found.relative_gap() < 1e-9);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "the solver may not have converged"]
pub struct Solution {
    /// The potential of the source, f (n). A place without mass has the value of a c-transform.
    pub potential_f: Vec<f64>,
    /// The potential of the target, g (m).
    pub potential_g: Vec<f64>,
    /// The cost of the solver's plan: the sum of P_ij C_ij.
    pub cost: f64,
    /// At most the cost of the optimal plan (without entropy).
    pub lower_bound: f64,
    /// At least the cost of the optimal plan (without entropy).
    pub upper_bound: f64,
    /// The number of iterations; the solver states which.
    pub iterations: usize,
    /// The L1 distance of the plan's row and column sums from the masses.
    pub marginal_error: f64,
    /// True if the solver reached its tolerance.
    pub converged: bool,
    /// The plan, if it was requested.
    pub plan: Option<TransportPlan>,
}

impl Solution {
    /// The width of the interval between the bounds, relative to the upper bound; 0 if both are 0.
    pub fn relative_gap(&self) -> f64 {
        let gap = self.upper_bound - self.lower_bound;
        if gap > 0.0 { gap / self.upper_bound } else { 0.0 }
    }
}

/// The mass that moves from each place of the source to each place of the target.
///
/// ```
/// use equilibria::transport::{Flow, TransportPlan};
/// let plan = TransportPlan::Sparse(vec![Flow { row: 0, column: 1, mass: 0.5 }, Flow { row: 1, column: 0, mass: 0.5 }]);
/// let mut total = 0.0;
/// plan.for_each(|_, _, mass| total += mass);
/// assert_eq!(total, 1.0);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum TransportPlan {
    /// (n, m)
    Dense(Tensor<f64>),
    /// The positive entries only, by row, then by column.
    Sparse(Vec<Flow>),
}

/// A positive entry of a plan.
///
/// ```
/// use equilibria::transport::Flow;
/// let flow = Flow { row: 0, column: 1, mass: 0.5 };
/// assert_eq!((flow.row, flow.column), (0, 1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flow {
    /// The place of the source.
    pub row: u32,
    /// The place of the target.
    pub column: u32,
    /// The mass that moves.
    pub mass: f64,
}

impl TransportPlan {
    /// Calls `visit(i, j, mass)` for each entry that is not 0.
    pub fn for_each(&self, mut visit: impl FnMut(usize, usize, f64)) {
        match self {
            Self::Sparse(flows) => {
                flows.iter().for_each(|flow| visit(flow.row as usize, flow.column as usize, flow.mass));
            }
            Self::Dense(plan) => {
                for (index, &mass) in plan.data().iter().enumerate().filter(|(_, mass)| **mass != 0.0) {
                    visit(index / plan.columns(), index % plan.columns(), mass);
                }
            }
        }
    }

    /// The L1 distance of the row sums from a plus that of the column sums from b.
    pub fn marginal_error(&self, marginals: &Marginals) -> f64 {
        let (mut rows, mut columns) = (marginals.a().to_vec(), marginals.b().to_vec());
        self.for_each(|i, j, mass| {
            rows[i] -= mass;
            columns[j] -= mass;
        });
        rows.iter().chain(&columns).map(|left| left.abs()).sum()
    }

    /// The sum of P_ij C_ij.
    pub fn cost<T: Element>(&self, cost: &Cost<T>) -> f64 {
        let mut sum = 0.0;
        self.for_each(|i, j, mass| sum += mass * cost.at(i, j));
        sum
    }
}

/// Feasible potentials of the unregularised problem and their dual value.
///
/// See the example of [`lower_bound`].
#[derive(Debug, Clone, PartialEq)]
pub struct LowerBound {
    /// f (n)
    pub f: Vec<f64>,
    /// g (m)
    pub g: Vec<f64>,
    /// The sum of a_i f_i plus the sum of b_j g_j: at most OT, up to rounding errors of f64.
    pub value: f64,
}

/// The lower bound from any finite potential of the source, by two c-transforms.
///
/// A place without mass constrains nothing: its own potential is computed last, from those of the other side.
///
/// **Shapes** `f` (n).
///
/// **Panics** if the lengths do not match.
///
/// **Accuracy and cost** In f64; two passes over all pairs, and a third if a target has no mass. The constraint holds up
/// to a few ULP of the largest cost.
///
/// ```
/// use equilibria::{Tensor, transport::{Cost, Marginals, lower_bound}};
/// let costs = Tensor::from_vec(&[2, 2], vec![1.0, 5.0, 5.0, 2.0])?;
/// let bound = lower_bound(&Cost::matrix(&costs)?, &Marginals::uniform(2, 2)?, &[0.0, 0.0]);
/// assert!((bound.value - 1.5).abs() < 1e-12); // the cost of the best plan, 1/2 + 2/2
/// assert!(bound.f[0] + bound.g[1] <= 5.0);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn lower_bound<T: Element>(cost: &Cost<T>, marginals: &Marginals, f: &[f64]) -> LowerBound {
    lower_bound_unless(cost, marginals, f, &mut Pause::never())
}

/// [`lower_bound`], unless `pause` stops it.
pub(super) fn lower_bound_unless<T: Element>(
    cost: &Cost<T>,
    marginals: &Marginals,
    f: &[f64],
    pause: &mut Pause,
) -> LowerBound {
    let (a, b) = (marginals.a(), marginals.b());
    let masked = |potential: &[f64], mass: &[f64]| -> Vec<f64> {
        potential.iter().zip(mass).map(|(&x, &mass)| if mass > 0.0 { x } else { f64::NEG_INFINITY }).collect()
    };
    let (mut new_f, mut g) = (vec![0.0; cost.rows()], vec![0.0; cost.columns()]);
    let mut place = vec![0; cost.rows().max(cost.columns())];
    let mut minima = |direction, potential: &[f64], least: &mut [f64]| {
        let count = least.len();
        minima(cost, direction, potential, (least, &mut place[..count]), pause);
    };
    minima(Direction::Columns, &masked(f, a), &mut g);
    minima(Direction::Rows, &masked(&g, b), &mut new_f);
    if b.contains(&0.0) {
        let mut all = vec![0.0; cost.columns()];
        minima(Direction::Columns, &new_f, &mut all);
        g.iter_mut().zip(all).zip(b).filter(|(_, b)| **b == 0.0).for_each(|((g, all), _)| *g = all);
    }
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    LowerBound { value: dot(a, &new_f) + dot(b, &g), f: new_f, g }
}
