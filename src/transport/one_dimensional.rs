//! Exact transport on a line for convex costs.
//!
//! For a cost h(x - y) with a convex h, moving mass in order is optimal: sort both sides and fill the plan from its upper
//! left corner. The filled cells are a path of n + m - 1 steps to the right or down. The potentials that make f_i + g_j =
//! C_ij on the path satisfy f_i + g_j <= C_ij everywhere, because the sorted costs have Monge's property
//!
//! ```text
//! C_ij + C_kl <= C_il + C_kj     for i < k, j < l
//! ```
//!
//! So the same path proves that the plan is optimal: both bounds are its cost up to rounding.

use super::marginals::Marginals;
use super::result::{Flow, Solution, TransportPlan};
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

/// Solves transport on a line with the cost |x - y|^p.
///
/// **Shapes** `x` (n), `y` (m), in any order, and their masses.
///
/// **Errors** [`Error::InvalidArgument`] if p is below 1, or a number or cost is not finite; [`Error::ShapeMismatch`] if
/// the masses do not fit.
///
/// **Accuracy and cost** Rounding errors of f64. O((n + m) log(n + m)) time and O(n + m) memory. The plan is sparse and
/// always returned.
///
/// ```
/// use equilibria::transport::{Marginals, on_a_line};
/// // The left half of the mass moves by 2, the right half by 1.
/// let found = on_a_line(&[0.0, 1.0], &[2.0], &Marginals::uniform(2, 1)?, 1.0)?;
/// assert_eq!((found.cost, found.lower_bound), (1.5, 1.5));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn on_a_line(x: &[f64], y: &[f64], marginals: &Marginals, p: f64) -> Result<Solution> {
    marginals.check(x.len(), y.len())?;
    if !(p >= 1.0 && p.is_finite()) {
        return Err(Error::invalid(
            format!("the power {p} of a distance"),
            "a cost is convex for powers from 1 on",
        ));
    }
    let reach = x.iter().chain(y).fold(0.0_f64, |reach, x| reach.max(x.abs()));
    if !libm::pow(2.0 * reach, p).is_finite() || x.iter().chain(y).any(|x| x.is_nan()) {
        let given = format!("points on a line up to {reach}");
        return Err(Error::invalid(given, "coordinates and the largest cost must be finite numbers"));
    }
    let cost = |i: usize, j: usize| libm::pow((x[i] - y[j]).abs(), p);
    let (order_x, order_y) = (sorted(x), sorted(y));
    let (mut f, mut g) = (vec![0.0; x.len()], vec![0.0; y.len()]);
    let (mut left_a, mut left_b) = (marginals.a().to_vec(), marginals.b().to_vec());
    let (mut flows, mut total) = (Vec::with_capacity(x.len() + y.len()), 0.0);
    let (mut s, mut t) = (0, 0);
    g[order_y[0]] = cost(order_x[0], order_y[0]);
    loop {
        let (i, j) = (order_x[s], order_y[t]);
        let (is_last_row, is_last_column) = (s + 1 == x.len(), t + 1 == y.len());
        // The last row and column take the remainder, with the rounding errors.
        let mass = match (is_last_row, is_last_column) {
            (true, true) => 0.5 * (left_a[i] + left_b[j]),
            (true, false) => left_b[j],
            (false, true) => left_a[i],
            (false, false) => left_a[i].min(left_b[j]),
        };
        if mass > 0.0 {
            flows.push(Flow { row: i as u32, column: j as u32, mass });
            total += mass * cost(i, j);
        }
        left_a[i] -= mass;
        left_b[j] -= mass;
        if is_last_row && is_last_column {
            break;
        }
        if !is_last_row && (is_last_column || left_a[i] <= left_b[j]) {
            s += 1;
            f[order_x[s]] = cost(order_x[s], j) - g[j];
        } else {
            t += 1;
            g[order_y[t]] = cost(i, order_y[t]) - f[i];
        }
    }
    flows.sort_unstable_by_key(|flow| (flow.row, flow.column));
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let plan = TransportPlan::Sparse(flows);
    Ok(Solution {
        lower_bound: dot(marginals.a(), &f) + dot(marginals.b(), &g),
        potential_f: f,
        potential_g: g,
        cost: total,
        upper_bound: total,
        iterations: 0,
        marginal_error: plan.marginal_error(marginals),
        converged: true,
        plan: Some(plan),
    })
}

/// The indices of the numbers in rising order.
fn sorted(x: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by(|&i, &j| x[i].total_cmp(&x[j]));
    order
}
