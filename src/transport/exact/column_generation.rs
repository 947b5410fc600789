//! Column generation with full pricing: the network simplex on few arcs, certified on all of them.
//!
//! 1. Choose candidate arcs and a first basis (`coarse`).
//! 2. Solve on these arcs.
//! 3. Price all pairs. A pair with a negative reduced cost violates the dual constraint f_i + g_j <= C_ij. Add the worst few
//!    of each place, and go to 2 from the last basis.
//! 4. If there is none, the potentials are feasible: plan and potentials prove each other optimal.
//!
//! The smallest prices of the last pass are the c-transform of g, so that the lower bound costs no pass of its own.

use super::super::pause::Pause;
use super::coarse::prepare;
use super::pricing::{arcs, lowest};
use super::problem::Problem;
use super::simplex::Simplex;
use crate::tensor::Element;
use alloc::vec::Vec;

/// Arcs that a place of either side adds per round.
const VIOLATORS: usize = 8;

/// The state between two calls of the caller's watch.
///
/// ```
/// use equilibria::{Tensor, transport::{Cost, ExactOptions, ExactProgress, Marginals, exact}};
/// let costs = Tensor::from_vec(&[2, 2], vec![0.0, 1.0, 1.0, 0.0])?;
/// let mut watch = |progress: &ExactProgress| {
///     assert!(progress.lower_bound <= progress.upper_bound + 1e-12);
///     true // go on
/// };
/// let options = ExactOptions { watch: Some(&mut watch), ..ExactOptions::default() };
/// assert!(exact(&Cost::matrix(&costs)?, &Marginals::uniform(2, 2)?, options)?.converged);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExactProgress {
    /// The round, from 1: each solves on the chosen arcs and prices all pairs. 0 while the first arcs are chosen.
    pub round: usize,
    /// The number of pivots so far.
    pub pivots: usize,
    /// The number of arcs that the simplex uses.
    pub arcs: usize,
    /// A lower bound of the cost, from the best pass over all pairs.
    pub lower_bound: f64,
    /// An upper bound: the cost of the present plan, if there is one.
    pub upper_bound: f64,
}

/// The start of the first pass.
pub(super) struct Known {
    /// Feasible potentials.
    pub f: Vec<f64>,
    pub g: Vec<f64>,
    pub upper_bound: f64,
}

/// The state after the last pass.
pub(super) struct Outcome {
    pub simplex: Simplex,
    /// The best feasible potentials.
    pub f: Vec<f64>,
    pub g: Vec<f64>,
    /// True if no pair violates its constraint.
    pub is_optimal: bool,
}

/// Solves the problem. `watch` is called at each pass, within long ones, and every few thousand pivots; it stops the solver
/// if it is false.
pub(super) fn solve<T: Element>(
    problem: &Problem<T>,
    masses: (&[i64], &[i64]),
    given: Option<(&[f64], &[f64])>,
    known: Known,
    watch: &mut dyn FnMut(&ExactProgress) -> bool,
) -> Outcome {
    let total: i64 = masses.0.iter().sum();
    let value = |mass: &[i64], potential: &[f64]| {
        mass.iter().zip(potential).map(|(&mass, x)| mass as f64 * x).sum::<f64>() / total as f64
    };
    let Known { f: mut best_f, g: mut best_g, upper_bound } = known;
    let mut lower_bound = value(masses.0, &best_f) + value(masses.1, &best_g);
    let mut ask = || watch(&ExactProgress { round: 0, pivots: 0, arcs: 0, lower_bound, upper_bound });
    let mut pause = Pause::new(&mut ask);
    let mut simplex = prepare(problem, masses, given, &mut pause);
    if pause.is_stopped() {
        return Outcome { simplex, f: best_f, g: best_g, is_optimal: false };
    }
    let mut round = 0;
    loop {
        round += 1;
        let before = simplex.pivots();
        let progress = |simplex: &Simplex, lower_bound| ExactProgress {
            round,
            pivots: simplex.pivots(),
            arcs: simplex.arcs(),
            lower_bound,
            upper_bound: simplex.flows().map(|(arc, flow)| arc.cost * flow as f64).sum::<f64>()
                / total as f64,
        };
        let is_solved = simplex.solve(&mut |simplex| watch(&progress(simplex, lower_bound)));
        // Arcs that the simplex knows already, with a reduced cost at its tolerance, are not violators.
        let tolerance = 2.0 * simplex.tolerance();
        let (f, g) = simplex.potentials();
        let stopped = |simplex, f, g| Outcome { simplex, f, g, is_optimal: false };
        let (view, limit) = (problem.source_view(), |i: usize| f[i] - tolerance);
        let mut ask = || watch(&progress(&simplex, lower_bound));
        let mut pause = Pause::new(&mut ask);
        let by_source = lowest(view, &g, VIOLATORS.min(g.len()), limit, &mut pause);
        if pause.is_stopped() {
            return stopped(simplex, best_f, best_g);
        }
        let dual = value(masses.0, &by_source.least) + value(masses.1, &g);
        let is_optimal = by_source.pairs.is_empty();
        if dual > lower_bound || is_optimal {
            (best_f, lower_bound) = (by_source.least, dual);
            best_g.clone_from(&g);
        }
        let is_stuck = round > 1 && simplex.pivots() == before;
        if is_optimal || is_stuck || !is_solved || !watch(&progress(&simplex, lower_bound)) {
            return Outcome { simplex, f: best_f, g: best_g, is_optimal };
        }
        let (view, limit) = (problem.target_view(), |j: usize| g[j] - tolerance);
        let mut ask = || watch(&progress(&simplex, lower_bound));
        let mut pause = Pause::new(&mut ask);
        let by_target = lowest(view, &f, VIOLATORS.min(f.len()), limit, &mut pause);
        if pause.is_stopped() {
            return stopped(simplex, best_f, best_g);
        }
        let mut pairs = by_source.pairs;
        pairs.extend(by_target.pairs.into_iter().map(|(j, i)| (i, j)));
        simplex.add(&arcs(problem, pairs));
    }
}
