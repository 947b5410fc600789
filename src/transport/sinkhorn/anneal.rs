//! Annealing: ε falls, each value starting at the potentials of the last.

use super::super::pause::Pause;
use super::super::result::Solution;
use super::iterate::{Outcome, SinkhornProgress, Stop, iterate};
use super::problem::{Problem, Sweep};
use super::settings::{Regularisation, SinkhornSettings};
use alloc::vec;
use alloc::vec::Vec;

/// The factor between two values of ε for a fixed ε.
pub const FALL: f64 = 10.0;
/// The factor between two values of ε for a fixed accuracy, which are all candidates to stop at.
const FALL_FOR_ACCURACY: f64 = 3.0;
/// The marginal error at which annealing moves on.
const ROUGH: f64 = 0.03;
/// The smallest ε of annealing for an accuracy, relative to the mean cost.
const SMALLEST: f64 = 1e-7;

/// A solver that has ended.
pub(in crate::transport) struct State {
    pub f: Vec<f64>,
    pub g: Vec<f64>,
    pub progress: SinkhornProgress,
    /// The tolerance of a converged solver.
    pub tolerance: Option<f64>,
}

impl State {
    /// Returns whether the solver converged with this error. The solver measured it with rounded sums; this one is exact. A
    /// sixteenth is left for the difference.
    pub fn is_converged(&self, marginal_error: f64) -> bool {
        self.tolerance.is_some_and(|tolerance| marginal_error <= 1.0625 * tolerance)
    }

    /// The result of a solver that was stopped before its last passes: the cost is the upper bound.
    pub fn unfinished(self) -> Solution {
        let (lower_bound, upper_bound) = self.progress.bounds;
        Solution {
            potential_f: self.f,
            potential_g: self.g,
            cost: upper_bound,
            lower_bound,
            upper_bound,
            iterations: self.progress.iteration,
            marginal_error: self.progress.marginal_error,
            converged: false,
            plan: None,
        }
    }
}

/// Bounds of the unregularised cost from ε, f and g.
pub(in crate::transport) type Bounds<'b> = &'b dyn Fn(f64, &[f64], &[f64], &mut Pause) -> (f64, f64);

/// The smallest ε that these settings may need, for this mean cost.
pub(in crate::transport) fn smallest(settings: &SinkhornSettings, mean: f64) -> f64 {
    match settings.regularisation {
        Regularisation::Epsilon(epsilon) => epsilon,
        Regularisation::Accuracy(_) => (mean * SMALLEST).max(f64::MIN_POSITIVE),
    }
}

/// Lowers ε from the mean cost to that of the settings, or until `bounds` are as close as the accuracy.
///
/// `known` are bounds from before the first sweep.
pub(in crate::transport) fn anneal(
    problem: &Problem,
    sweeps: &mut dyn Sweep,
    settings: &SinkhornSettings,
    (mean, known, bounds): (f64, (f64, f64), Bounds<'_>),
    proceed: &mut dyn FnMut(&SinkhornProgress) -> bool,
) -> State {
    let last = smallest(settings, mean);
    let (fall, accuracy) = match settings.regularisation {
        Regularisation::Epsilon(_) => (FALL, None),
        Regularisation::Accuracy(accuracy) => (FALL_FOR_ACCURACY, Some(accuracy)),
    };
    let (mut f, mut g) = (vec![0.0; problem.a().len()], vec![0.0; problem.b().len()]);
    let mut epsilon = last;
    while epsilon * fall < mean {
        epsilon *= fall;
    }
    let mut progress =
        SinkhornProgress { iteration: 0, epsilon, marginal_error: f64::INFINITY, bounds: known };
    let is_converged = loop {
        let is_last = epsilon <= last * 1.000_001;
        let rough = ROUGH.max(settings.tolerance);
        let tolerance = if is_last || accuracy.is_some() { settings.tolerance } else { rough };
        progress.epsilon = if is_last { last } else { epsilon };
        let stop = Stop { tolerance, most_iterations: settings.most_iterations, proceed };
        let outcome = iterate(problem, sweeps, (&mut f, &mut g), &mut progress, stop);
        let mut is_stopped = outcome == Outcome::Stopped;
        if let Some(accuracy) = accuracy {
            if !is_stopped {
                let state = progress;
                let mut ask = || proceed(&state);
                let mut pause = Pause::new(&mut ask);
                let found = bounds(progress.epsilon, &f, &g, &mut pause);
                is_stopped = pause.is_stopped();
                if !is_stopped {
                    progress.tighten(found);
                }
            }
            let (lower, upper) = progress.bounds;
            if upper - lower <= accuracy * upper.abs() || upper <= lower {
                break true;
            }
        }
        if is_last || is_stopped || progress.iteration >= settings.most_iterations {
            break outcome == Outcome::Converged && accuracy.is_none() && is_last;
        }
        epsilon /= fall;
    };
    State { f, g, progress, tolerance: is_converged.then_some(settings.tolerance) }
}
