//! Entropic optimal transport by Sinkhorn's algorithm.
//!
//! ```text
//! minimise  Σ P_ij C_ij + ε KL(P | a b^T)     where the row sums of P are a and the column sums are b
//! ```
//!
//! Its solution is P_ij = a_i b_j e^((f_i + g_j - C_ij)/ε). A half-step makes the sums of one side exact:
//!
//! ```text
//! 1:  f_i <- -ε ln Σ_j b_j e^((g_j - C_ij)/ε)          the row sums are a
//! 2:  g_j <- -ε ln Σ_i a_i e^((f_i - C_ij)/ε)          the column sums are b
//! ```
//!
//! [`mod@super::reference`] is this loop and nothing else. Here the same fixed point is found with four changes:
//!
//! - **Sweeps** evaluate lines 1 and 2 in the log domain (`log_domain`), with costs on the fly and memory for the points
//!   alone. If a matrix of n m numbers fits into memory, they are products with an absorbed kernel (`absorbed`), without
//!   exponentials.
//! - **Annealing**: ε falls by a factor of [`FALL`] from the mean cost, each value starting at the potentials of the last.
//! - **Acceleration** (`anderson`): the next g is extrapolated from the last 12 sweeps. A step that
//!   lowers the dual value is taken back, so that the loop never does worse than line 2 for long.
//! - **Accuracy** instead of ε: annealing goes on until the bounds of the unregularised cost are close enough.
//!
//! Iterations to an L1 error of 1e-6 in the marginals, 1,000 points a side, d = 3, f64 (ε in units of the cost; mean cost
//! 0.3 to 0.5):
//!
//! | points, ε | plain | over-relaxed | Anderson, memory 5 | 8 | 12 | 12, annealed |
//! |---|---|---|---|---|---|---|
//! | colours of two photographs, 0.01 | 217 | 47 | 26 | 25 | 25 | 23 |
//! | the same, 0.001 | 2197 | 433 | 168 | 151 | 128 | 71 |
//! | uniform in the cube, 0.01 | | | 42 | 33 | 30 | 29 |
//! | the same, 0.001 | | | 206 | 185 | 147 | 140 |
//!
//! Over-relaxation estimates its factor from the observed rate (Young's formula). Nesterov's method on the reduced dual (momentum
//! (k - 1)/(k - 1 + r), restarted when the dual value falls, annealed) needed, for another draw of uniform points:
//!
//! | ε | Nesterov, r = 1 | r = 3 | Anderson, memory 12 |
//! |---|---|---|---|
//! | 0.01 | 55 | 54 | 31 |
//! | 0.001 | 210 | 375 | 165 |
//!
//! **Unbalanced.** With a penalty ρ the sums may differ from the masses, at a price:
//!
//! ```text
//! minimise  Σ P_ij C_ij + ε KL(P | a b^T) + ρ KL(P 1 | a) + ρ KL(P^T 1 | b),    KL(p | q) = Σ p ln(p/q) - p + q
//! ```
//!
//! Lines 1 and 2 then multiply their result by ρ/(ρ + ε). The entropy is relative to a b^T. Software that uses
//! Σ P (ln P - 1) instead finds other plans for the same ε and ρ.

mod absorbed;
mod anderson;
pub(super) mod anneal;
mod finish;
mod iterate;
mod log_domain;
pub(super) mod problem;
mod settings;

use self::absorbed::Absorbed;
pub use self::anneal::FALL;
use self::anneal::anneal;
pub use self::iterate::SinkhornProgress;
use self::log_domain::LogDomain;
use self::problem::{Problem, Sweep};
pub use self::settings::{Regularisation, SinkhornSettings};
use super::cost::Cost;
use super::marginals::Marginals;
use super::pause::Pause;
use super::result::Solution;
use super::simple_bounds::simple_bounds;
use crate::tensor::Element;
use crate::{Result, memory};
use alloc::boxed::Box;

/// Solves entropic optimal transport, balanced or unbalanced.
///
/// `proceed` is called after every sweep, and within passes over more than about 10^8 pairs; the solver stops when it returns
/// false. A small problem then returns the plan and the bounds of its state. A large one returns at once, without a plan: its
/// bounds are those of the last sweep, and its cost is the upper one.
///
/// The bounds of the result bracket the optimal cost without entropy, whatever ε and however early the solver stopped. For
/// unbalanced transport they bracket the optimum of the regularised problem above instead.
///
/// **Shapes** `cost` (n, m), the masses (n) and (m).
///
/// **Units** ε and ρ in the unit of the cost; the tolerance is a mass, of a total of 1.
///
/// **Errors** [`Error::ShapeMismatch`](crate::Error::ShapeMismatch) if the masses do not fit the cost; [`Error::InvalidArgument`](crate::Error::InvalidArgument) for a setting outside
/// its range. Running out of iterations is not an error: see [`Solution::converged`].
///
/// **Accuracy and cost** The absorbed kernel is stored in T and computed in f64. In the log domain, scores are computed in
/// T if the rounding of the largest score, about EPSILON C/ε, allows the tolerance, else in f64. Sums over more than 1,024
/// terms, the marginal error of the result and both bounds are in f64. O(n m) time an iteration; memory for n m numbers of
/// type T if [`SinkhornSettings::memory`] allows it and the system has it, else O(n + m). The result does not depend on the
/// number of threads.
///
/// **Source** Cuturi 2013; log domain and absorption, Schmitzer 2019; Anderson 1965; unbalanced, Chizat et al. 2018.
///
/// ```
/// use equilibria::{Tensor, transport::{Cost, Marginals, SinkhornSettings, sinkhorn}};
/// let matrix = Tensor::from_vec(&[2, 2], vec![0.0, 1.0, 1.0, 0.0])?;
/// let settings = SinkhornSettings { plan: true, ..SinkhornSettings::epsilon(1.0) };
/// let found = sinkhorn(&Cost::matrix(&matrix)?, &Marginals::uniform(2, 2)?, &settings, &mut |_| true)?;
/// assert!(found.converged && (found.cost - 0.26894142).abs() < 1e-6);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn sinkhorn<T: Element>(
    cost: &Cost<T>,
    marginals: &Marginals,
    settings: &SinkhornSettings,
    proceed: &mut dyn FnMut(&SinkhornProgress) -> bool,
) -> Result<Solution> {
    settings.check()?;
    marginals.check(cost.rows(), cost.columns())?;
    let problem = Problem::new(marginals, settings.penalty);
    let (both, mean) = ((&problem, marginals), cost.mean());
    let known = match problem.is_balanced() {
        true => simple_bounds(cost, marginals),
        false => (f64::NEG_INFINITY, f64::INFINITY),
    };
    let mut sweeps = choose(cost, &problem, settings, anneal::smallest(settings, mean));
    let bounds =
        |epsilon, f: &[f64], g: &[f64], pause: &mut Pause| finish::bounds(cost, both, epsilon, (f, g), pause);
    let state = anneal(&problem, &mut *sweeps, settings, (mean, known, &bounds), proceed);
    drop(sweeps);
    let progress = state.progress;
    let mut ask = || proceed(&progress);
    Ok(finish::solution(cost, both, state, settings.plan, &mut Pause::new(&mut ask)))
}

/// The form of the sweeps, for values of ε down to the smallest.
fn choose<'c, T: Element>(
    cost: &'c Cost<'c, T>,
    problem: &'c Problem,
    settings: &SinkhornSettings,
    smallest: f64,
) -> Box<dyn Sweep + 'c> {
    let pairs = cost.rows().saturating_mul(cost.columns());
    // The rounding of scores in T, as an error of the marginals.
    let rounding = 8.0 * T::EPSILON.to_f64() * cost.largest() / smallest;
    let is_allowed = pairs.saturating_mul(size_of::<T>()) <= settings.memory && memory::fits::<T>(pairs);
    if problem.is_balanced() && is_allowed {
        Box::new(Absorbed::<T>::new(cost, problem))
    } else if rounding <= settings.tolerance {
        Box::new(LogDomain::<T, T>::new(cost, problem))
    } else {
        Box::new(LogDomain::<T, f64>::new(cost, problem))
    }
}
