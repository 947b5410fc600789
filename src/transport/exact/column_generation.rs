//! Column generation with full pricing: the network simplex on few arcs, certified on all of them.
//!
//! 1. Choose candidate arcs and a first basis (`coarse`).
//! 2. Solve on these arcs.
//! 3. Price all pairs. A pair with a negative reduced cost violates the dual constraint f_i + g_j <= C_ij. Add the worst few
//!    of each place, and go to 2 from the last basis.
//! 4. If there is none, the potentials are feasible: plan and potentials prove each other optimal.
//!
//! The smallest prices of the last pass are the c-transform of g, so that the lower bound costs no pass of its own.

use super::coarse::prepare;
use super::pricing::{arcs, lowest};
use super::problem::Problem;
use super::simplex::Simplex;
use crate::tensor::Element;
use alloc::vec::Vec;

/// Arcs that a place of either side adds per round.
const VIOLATORS: usize = 8;

/// The state between two calls of the caller's watch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExactProgress {
    /// The round, from 1: each solves on the chosen arcs and prices all pairs.
    pub round: usize,
    /// The number of pivots so far.
    pub pivots: usize,
    /// The number of arcs that the simplex uses.
    pub arcs: usize,
    /// A lower bound of the cost, from the last pass over all pairs.
    pub lower_bound: Option<f64>,
    /// The cost of the present plan, an upper bound.
    pub upper_bound: f64,
}

/// The state after the last pass.
pub(super) struct Outcome {
    pub simplex: Simplex,
    /// f_i = min over j of C_ij - g_j
    pub f: Vec<f64>,
    pub g: Vec<f64>,
    /// True if no pair violates its constraint.
    pub is_optimal: bool,
}

/// Solves the problem. `watch` is called at each pass and every few thousand pivots, and stops the solver if it is false.
pub(super) fn solve<T: Element>(
    problem: &Problem<T>,
    masses: (&[i64], &[i64]),
    given: Option<(&[f64], &[f64])>,
    watch: &mut dyn FnMut(&ExactProgress) -> bool,
) -> Outcome {
    let mut simplex = prepare(problem, masses, given);
    let total: i64 = masses.0.iter().sum();
    let value = |mass: &[i64], potential: &[f64]| {
        mass.iter().zip(potential).map(|(&mass, x)| mass as f64 * x).sum::<f64>() / total as f64
    };
    let (mut round, mut lower_bound) = (0, None::<f64>);
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
        let by_source = lowest(problem.source_view(), &g, VIOLATORS.min(g.len()), |i| f[i] - tolerance);
        let dual = value(masses.0, &by_source.least) + value(masses.1, &g);
        lower_bound = Some(lower_bound.map_or(dual, |known| known.max(dual)));
        let is_optimal = by_source.pairs.is_empty();
        let is_stuck = round > 1 && simplex.pivots() == before;
        if is_optimal || is_stuck || !is_solved || !watch(&progress(&simplex, lower_bound)) {
            return Outcome { simplex, f: by_source.least, g, is_optimal };
        }
        let mut pairs = by_source.pairs;
        let by_target = lowest(problem.target_view(), &f, VIOLATORS.min(f.len()), |j| g[j] - tolerance).pairs;
        pairs.extend(by_target.into_iter().map(|(j, i)| (i, j)));
        simplex.add(&arcs(problem, pairs));
    }
}
