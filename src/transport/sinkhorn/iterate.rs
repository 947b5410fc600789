//! The accelerated loop of sweeps at one ε.

use super::super::pause::Pause;
use super::anderson::Anderson;
use super::problem::{Problem, Sweep};
use alloc::vec;
use alloc::vec::Vec;

/// A sweep counts as stalled if this many later ones reduce the smallest error by less than a tenth.
const STALLED: usize = 300;

/// The state of a solver that runs.
///
/// ```
/// use equilibria::{Tensor, transport::{Cost, Marginals, SinkhornProgress, SinkhornSettings, sinkhorn}};
/// let costs = Tensor::from_vec(&[2, 2], vec![0.0, 1.0, 1.0, 0.0])?;
/// let mut sweeps = 0;
/// let mut proceed = |progress: &SinkhornProgress| {
///     sweeps = progress.iteration;
///     progress.marginal_error > 1e-3
/// };
/// let settings = SinkhornSettings::epsilon(1.0);
/// let found = sinkhorn(&Cost::matrix(&costs)?, &Marginals::new(&[0.3, 0.7], &[0.6, 0.4])?, &settings, &mut proceed)?;
/// assert_eq!(found.iterations, sweeps);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SinkhornProgress {
    /// Sweeps so far.
    pub iteration: usize,
    /// The current ε.
    pub epsilon: f64,
    /// The L1 error of the marginals.
    pub marginal_error: f64,
    /// The best bounds so far, as those of the result.
    pub bounds: (f64, f64),
}

impl SinkhornProgress {
    /// Keeps the better bounds.
    pub(super) fn tighten(&mut self, (lower, upper): (f64, f64)) {
        self.bounds = (self.bounds.0.max(lower), self.bounds.1.min(upper));
    }
}

/// The end of the sweeps at one ε.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::transport) enum Outcome {
    Converged,
    /// Out of iterations, or no longer improving.
    Exhausted,
    Stopped,
}

/// The conditions under which the loop ends.
pub(in crate::transport) struct Stop<'p> {
    /// The marginal error.
    pub tolerance: f64,
    /// The number of sweeps, together with those of earlier ε.
    pub most_iterations: usize,
    /// Called after every sweep, and within long ones; false stops the loop.
    pub proceed: &'p mut dyn FnMut(&SinkhornProgress) -> bool,
}

/// Sweeps at the ε of `progress`, from g to the fixed point.
pub(in crate::transport) fn iterate(
    problem: &Problem,
    sweeps: &mut dyn Sweep,
    (f, g): (&mut Vec<f64>, &mut Vec<f64>),
    progress: &mut SinkhornProgress,
    stop: Stop<'_>,
) -> Outcome {
    let epsilon = progress.epsilon;
    let mut anderson = Anderson::new(problem.b());
    let (mut new_f, mut next) = (vec![0.0; f.len()], vec![0.0; g.len()]);
    // The last dual value, whether g was extrapolated, and the result of line 2 that it replaced.
    let (mut value, mut is_extrapolated, mut plain) = (f64::NEG_INFINITY, false, g.clone());
    let (mut best, mut since_best) = (f64::INFINITY, 0);
    while progress.iteration < stop.most_iterations {
        let state = *progress;
        let mut ask = || (stop.proceed)(&state);
        let mut pause = Pause::new(&mut ask);
        sweeps.sweep(epsilon, g, &mut new_f, &mut next, &mut pause);
        if pause.is_stopped() {
            return Outcome::Stopped;
        }
        progress.iteration += 1;
        core::mem::swap(f, &mut new_f);
        let new_value = problem.dual_value(epsilon, f, g);
        let slack = sweeps.rounding(epsilon) * (epsilon + value.abs());
        let is_worse = new_value.is_nan() || new_value < value - slack;
        if is_extrapolated && is_worse {
            g.copy_from_slice(&plain);
            anderson.clear();
            is_extrapolated = false;
            continue;
        }
        value = new_value;
        let (error, excess) = problem.columns(epsilon, g, &next);
        progress.marginal_error = error;
        let rounding = sweeps.rounding(epsilon) * (epsilon + value.abs() + sweeps.largest());
        let (lower, upper) = problem.bounds(epsilon, value, (excess, error * sweeps.largest()));
        progress.tighten((lower - rounding, upper + rounding));
        let proceeds = (stop.proceed)(progress);
        if progress.marginal_error <= stop.tolerance {
            return Outcome::Converged;
        }
        if !proceeds {
            return Outcome::Stopped;
        }
        if progress.marginal_error < 0.9 * best {
            (best, since_best) = (progress.marginal_error, 0);
        }
        since_best += 1;
        if since_best > STALLED {
            return Outcome::Exhausted;
        }
        plain.copy_from_slice(&next);
        is_extrapolated = anderson.extrapolate(g, &mut next);
        core::mem::swap(g, &mut next);
    }
    Outcome::Exhausted
}

#[cfg(test)]
mod tests {
    use super::super::super::Marginals;
    use super::*;

    /// A contraction whose dual value falls at one sweep.
    struct Falling {
        fall: f64,
        at: usize,
        seen: Vec<Vec<f64>>,
        images: Vec<Vec<f64>>,
    }

    impl Sweep for Falling {
        fn sweep(&mut self, _: f64, g: &[f64], f: &mut [f64], next: &mut [f64], _: &mut Pause) {
            let value = if self.seen.len() == self.at { self.fall } else { self.seen.len() as f64 };
            // The dual value is the mean of f plus that of g.
            f.fill(value - g.iter().sum::<f64>() / 2.0);
            self.seen.push(g.to_vec());
            next.iter_mut().zip(g).enumerate().for_each(|(j, (next, g))| *next = 0.5 * g + j as f64);
            self.images.push(next.to_vec());
        }

        fn rounding(&self, _: f64) -> f64 {
            1e-15
        }

        fn largest(&self) -> f64 {
            1.0
        }
    }

    #[test]
    fn an_extrapolation_that_lowers_the_dual_value_is_taken_back() {
        let problem = Problem::new(&Marginals::uniform(2, 2).unwrap(), None);
        for fall in [-5.0, f64::NAN] {
            let mut sweeps = Falling { fall, at: 2, seen: Vec::new(), images: Vec::new() };
            let mut progress = SinkhornProgress {
                iteration: 0,
                epsilon: 1.0,
                marginal_error: f64::INFINITY,
                bounds: (f64::NEG_INFINITY, f64::INFINITY),
            };
            let mut values = 0;
            let mut proceed = |_: &SinkhornProgress| {
                values += 1;
                true
            };
            let stop = Stop { tolerance: 1e-300, most_iterations: 5, proceed: &mut proceed };
            let (mut f, mut g) = (vec![0.0; 2], vec![0.0; 2]);
            iterate(&problem, &mut sweeps, (&mut f, &mut g), &mut progress, stop);
            let Falling { seen, images, .. } = sweeps;
            assert_ne!(seen[2], images[1], "the third sweep starts at an extrapolated point");
            assert_eq!(seen[3], images[1], "the fourth at the plain one");
            assert_eq!(seen[4], images[3], "and the memory is empty");
            assert_eq!(values, 4, "the caller does not see the sweep that was taken back");
        }
    }
}
