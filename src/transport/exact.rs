//! Exact optimal transport: the network simplex method, with column generation and a proof of optimality.
//!
//! The linear program in n m variables has an optimal plan with at most n + m - 1 positive entries. [`exact()`] therefore
//! works on a few arcs per place, chosen by potentials, and adds arcs until no pair violates the dual constraint f_i + g_j <=
//! C_ij (`exact/column_generation.rs`). With costs from points the memory is O((n + m) d).
//!
//! | step | file |
//! |---|---|
//! | masses become integers with equal sums | `exact/masses.rs` |
//! | places without mass are left out, equal points merged, near points made neighbours | `exact/places.rs` |
//! | potentials from a sample, candidate arcs | `exact/coarse.rs` |
//! | the first basis | `exact/start.rs` |
//! | the network simplex | `exact/simplex.rs` |
//! | pricing of all pairs | `exact/pricing.rs` |

mod arc;
mod coarse;
pub mod column_generation;
mod masses;
mod places;
mod pricing;
mod problem;
mod simplex;
mod start;

pub use column_generation::ExactProgress;

use super::cost::Source;
use super::simple_bounds::{linear_potentials, simple_bounds};
use super::{Cost, Flow, Marginals, Solution, TransportPlan};
use crate::tensor::Element;
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use column_generation::{Known, Outcome};
use core::fmt;
use places::Places;
use problem::Problem;

/// The masses of the caller's places, as integers.
type Masses = (Vec<i64>, Vec<i64>);

/// Options of [`exact()`].
///
/// ```
/// use equilibria::{Tensor, transport::{Cost, ExactOptions, Marginals, exact}};
/// let costs = Tensor::from_vec(&[2, 2], vec![0.0, 1.0, 1.0, 0.0])?;
/// let options = ExactOptions { plan: true, ..ExactOptions::default() };
/// let found = exact(&Cost::matrix(&costs)?, &Marginals::uniform(2, 2)?, options)?;
/// assert!(found.plan.is_some() && found.cost.abs() < 1e-12);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Default)]
pub struct ExactOptions<'a> {
    /// True to return the plan, as a list of its positive entries.
    pub plan: bool,
    /// Potentials f (n) and g (m) near the optimum, for instance those of a similar problem or of Sinkhorn's algorithm. The
    /// answer does not depend on them; they may save most of the time.
    pub start: Option<(&'a [f64], &'a [f64])>,
    /// Called from time to time, also within passes over more than about 10^8 pairs. If it returns false, the solver stops
    /// with its last plan and its best bounds.
    pub watch: Option<&'a mut dyn FnMut(&ExactProgress) -> bool>,
}

impl fmt::Debug for ExactOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExactOptions")
            .field("plan", &self.plan)
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

/// The optimal plan, its cost, and potentials that prove it.
///
/// The solution's `iterations` are pivots. `converged` is false only if `watch` stopped the solver or rounding errors
/// exceed the tolerance; the plan then has the right marginals, and both bounds hold.
///
/// **Shapes** `cost` (n, m), `marginals` n and m.
///
/// **Errors** [`Error::ShapeMismatch`] if the marginals or the potentials have other lengths; [`Error::InvalidArgument`] for
/// 2^32 places or more, or if a potential is not finite.
///
/// **Accuracy and cost** The bounds agree to about 1e-12 of the largest cost that the plan uses. Masses are multiples of
/// 2^-60 of their sum. Time: a few passes over all pairs, O(n m d), and about 10 (n + m) pivots.
///
/// **Source** Cunningham 1976 (strongly feasible trees); Király & Kovács 2012 (block search); Schmitzer 2016 (sparse
/// subproblems). Checked by `tests/exact_transport.rs`.
///
/// ```
/// use equilibria::{Tensor, transport::{Cost, ExactOptions, Ground, Marginals, exact}};
/// let x = Tensor::from_vec(&[2, 1], vec![0.0, 1.0])?;
/// let y = Tensor::from_vec(&[2, 1], vec![3.0, 2.0])?;
/// let cost = Cost::points(&x, &y, Ground::SquaredEuclidean)?;
/// let solution = exact(&cost, &Marginals::uniform(2, 2)?, ExactOptions::default())?;
/// assert!(solution.converged);
/// assert_eq!(solution.cost, 4.0);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn exact<T: Element>(cost: &Cost<T>, marginals: &Marginals, options: ExactOptions) -> Result<Solution> {
    let (n, m) = (cost.rows(), cost.columns());
    check(cost, marginals, options.start)?;
    let (a, b): Masses = masses::integers(marginals);
    let (sources, targets) = match cost.source() {
        Source::Matrix(_) => (Places::new(&a), Places::new(&b)),
        Source::Points(points) => {
            let wide = |x: &[T]| x.iter().map(|x| x.to_f64()).collect::<Vec<_>>();
            (
                Places::of_points(&wide(&points.x.by_point), points.d, &a),
                Places::of_points(&wide(&points.y.by_point), points.d, &b),
            )
        }
    };
    let start = options.start.map(|(f, g)| (sources.values(f), targets.values(g)));
    let start = start.as_ref().map(|(f, g)| (&f[..], &g[..]));
    let mut always = |_: &ExactProgress| true;
    let watch = options.watch.unwrap_or(&mut always);
    let groups = (&sources, &targets);
    let (f, g) = linear_potentials(cost, marginals);
    let known = || {
        let upper_bound = simple_bounds(cost, marginals).1;
        Known { f: sources.values(&f), g: targets.values(&g), upper_bound }
    };
    let outcome = optimum(cost, groups, start, &known, watch);
    let plan = expand(groups, &outcome, (a, b));
    let plan_cost = plan.cost(cost);
    let (f, g) = (sources.spread(&outcome.f, n), targets.spread(&outcome.g, m));
    let (potential_f, potential_g) = complete(cost, f, g);
    let dual = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    Ok(Solution {
        cost: plan_cost,
        lower_bound: dual(marginals.a(), &potential_f) + dual(marginals.b(), &potential_g),
        upper_bound: plan_cost,
        iterations: outcome.simplex.pivots(),
        marginal_error: plan.marginal_error(marginals),
        converged: outcome.is_optimal,
        plan: options.plan.then_some(plan),
        potential_f,
        potential_g,
    })
}

fn check<T: Element>(cost: &Cost<T>, marginals: &Marginals, start: Option<(&[f64], &[f64])>) -> Result<()> {
    let (n, m) = (cost.rows(), cost.columns());
    marginals.check(n, m)?;
    if u32::try_from(n + m).is_err() {
        return Err(Error::invalid(format!("{n} + {m} places"), "their number must be below 2^32"));
    }
    let Some((f, g)) = start else { return Ok(()) };
    if (f.len(), g.len()) != (n, m) {
        return Err(Error::ShapeMismatch {
            operation: "potentials to start from",
            expected: vec![n, m],
            found: vec![f.len(), g.len()],
        });
    }
    match f.iter().chain(g).find(|x| !x.is_finite()) {
        Some(wrong) => {
            Err(Error::invalid(format!("a potential of {wrong}"), "a potential is a finite number"))
        }
        None => Ok(()),
    }
}

/// The optimum between the groups of places.
///
/// Costs that are far larger than all others would drown them in rounding errors, although an optimal plan that can avoid
/// such costs does. They are first lowered to a cap. If the plan for these costs uses no capped one, it costs the same with
/// the true costs, and its potentials are feasible for them: it is optimal. Otherwise the true costs are used.
fn optimum<T: Element>(
    cost: &Cost<T>,
    (sources, targets): (&Places, &Places),
    start: Option<(&[f64], &[f64])>,
    known: &dyn Fn() -> Known,
    watch: &mut dyn FnMut(&ExactProgress) -> bool,
) -> Outcome {
    let (rows, columns): (Vec<u32>, Vec<u32>) = (sources.first().collect(), targets.first().collect());
    let mut with = |cap: f64| {
        let problem = Problem::new(cost, &rows, &columns, cap);
        column_generation::solve(&problem, (&sources.mass, &targets.mass), start, known(), watch)
    };
    if let Some(cap) = cap(cost) {
        let outcome = with(cap);
        if outcome.simplex.flows().all(|(arc, _)| arc.cost < cap) {
            return outcome;
        }
    }
    with(f64::INFINITY)
}

/// A cap for costs of a matrix, if some are larger than all others by a factor of more than 2^20 (n + m). No optimal plan
/// uses a cost above n + m times the largest other one, unless every plan does.
fn cap<T: Element>(cost: &Cost<T>) -> Option<f64> {
    let Source::Matrix(values) = cost.source() else { return None };
    let places = (cost.rows() + cost.columns()) as f64;
    // Sizes by binary exponent: a gap shows as empty classes.
    let mut largest = [0.0_f64; 2048];
    for x in values.iter().map(|x| x.to_f64().abs()) {
        let class = &mut largest[(x.to_bits() >> 52) as usize];
        *class = class.max(x);
    }
    let mut sizes = largest.into_iter().filter(|x| *x > 0.0).rev();
    let mut above = sizes.next()?;
    for below in sizes {
        if above > below * places * f64::from(1 << 20) {
            return Some(below * places * 2.0);
        }
        above = below;
    }
    None
}

/// The plan between the caller's places: the flow between two groups is divided among their members in order.
fn expand(
    (sources, targets): (&Places, &Places),
    outcome: &Outcome,
    (mut a, mut b): Masses,
) -> TransportPlan {
    let total: i64 = a.iter().sum();
    let (mut from, mut to) = (vec![0; sources.len()], vec![0; targets.len()]);
    let mut flows = Vec::new();
    for (arc, mut flow) in outcome.simplex.flows() {
        let (k, l) = (arc.source as usize, arc.target as usize - sources.len());
        while flow > 0 {
            let (row, column) = (sources.members(k)[from[k]], targets.members(l)[to[l]]);
            let (left, free) = (&mut a[row as usize], &mut b[column as usize]);
            let moved = flow.min(*left).min(*free);
            if moved > 0 {
                flows.push(Flow { row, column, mass: moved as f64 / total as f64 });
            }
            flow -= moved;
            *left -= moved;
            *free -= moved;
            from[k] += usize::from(*left == 0 && from[k] + 1 < sources.members(k).len());
            to[l] += usize::from(*free == 0 && to[l] + 1 < targets.members(l).len());
        }
    }
    flows.sort_unstable_by_key(|flow| (flow.row, flow.column));
    TransportPlan::Sparse(flows)
}

/// Gives each place without a potential the largest one that keeps all constraints.
fn complete<T: Element>(cost: &Cost<T>, mut f: Vec<f64>, mut g: Vec<f64>) -> (Vec<f64>, Vec<f64>) {
    let least = |costs: &[f64], other: &[f64]| {
        costs.iter().zip(other).map(|(cost, other)| cost - other).fold(f64::INFINITY, f64::min)
    };
    let mut costs = vec![0.0; g.len()];
    for (i, f) in f.iter_mut().enumerate().filter(|(_, f)| **f == f64::NEG_INFINITY) {
        cost.row(i, &mut costs);
        *f = least(&costs, &g);
    }
    costs.resize(f.len(), 0.0);
    for (j, g) in g.iter_mut().enumerate().filter(|(_, g)| **g == f64::NEG_INFINITY) {
        cost.column(j, &mut costs);
        *g = least(&costs, &f);
    }
    (f, g)
}
