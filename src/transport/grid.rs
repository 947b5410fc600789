//! Entropic transport between histograms on a regular grid of one to three dimensions, with squared distances.
//!
//! The squared distance of two cells is a sum over axes, so its exponential is a product, and a half-step separates into one
//! reduction along each axis:
//!
//! ```text
//! ln Σ_{j,k,l} e^(s_jkl - (d_xj + d_yk + d_zl)/ε) = ln Σ_j e^(-d_xj/ε + ln Σ_k e^(-d_yk/ε + ln Σ_l e^(-d_zl/ε + s_jkl)))
//! ```
//!
//! A grid of N = n³ cells costs 3 N n exponentials a half-step rather than N², and memory for N numbers. All of it is in the
//! log domain: with ε = (2 bins)² and 64 bins, e^(-C/ε) falls to e^-3000, where a kernel of products would be 0.
//!
//! Each pass reduces along the last axis and moves it to the front, so that after one pass an axis the order is restored.
//! Minima (c-transforms) and costs of plans separate in the same way.

use super::marginals::Marginals;
use super::pause::{Pause, is_long};
use super::result::Solution;
use super::sinkhorn::anneal::anneal;
use super::sinkhorn::problem::{Problem, Sweep};
use super::sinkhorn::{SinkhornProgress, SinkhornSettings};
use crate::parallel::{Chunks, for_each_split};
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::Level;
use equilibria_kernels::softmin::{Largest, Pairs, Source, largest, log_sum_exp};

/// Cells of a grid above which a copy is worth several threads.
const IN_PARALLEL: usize = 1 << 16;

/// A regular grid of cells. Histograms on it are slices with the last axis varying fastest.
///
/// ```
/// use equilibria::transport::Grid;
/// assert_eq!(Grid::new(&[4, 3], &[1.0, 1.0])?.cells(), 12);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    sizes: Vec<usize>,
    spacing: Vec<f64>,
}

/// A reduction along one axis.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reduction {
    /// ln Σ e^(x - cost).
    LogSumExp,
    /// max (x - cost).
    Largest,
}

impl Grid {
    /// Creates a grid of 1 to 3 axes with these numbers of cells and distances of neighbours.
    ///
    /// **Errors** [`Error::InvalidArgument`] for another number of axes, an axis without cells, too many cells, or a
    /// distance that is not positive and finite.
    pub fn new(sizes: &[usize], spacing: &[f64]) -> Result<Self> {
        let given = || format!("a grid of {sizes:?} cells with distances {spacing:?}");
        let cells = sizes.iter().try_fold(1_usize, |cells, &size| cells.checked_mul(size));
        if !(1..=3).contains(&sizes.len()) || sizes.len() != spacing.len() {
            return Err(Error::invalid(
                given(),
                "1 to 3 axes with a number of cells and a distance each are needed",
            ));
        }
        if cells.is_none_or(|cells| cells == 0 || cells as u64 > 1 << 32) {
            return Err(Error::invalid(given(), "a grid has 1 to 2^32 cells"));
        }
        if !spacing.iter().all(|x| *x > 0.0 && (x * x * 1e20).is_finite()) {
            return Err(Error::invalid(given(), "distances are positive finite numbers"));
        }
        Ok(Self { sizes: sizes.to_vec(), spacing: spacing.to_vec() })
    }

    /// The number of cells.
    pub fn cells(&self) -> usize {
        self.sizes.iter().product()
    }

    /// The coordinates of a cell.
    fn place(&self, mut cell: usize) -> [f64; 3] {
        let mut place = [0.0; 3];
        for axis in (0..self.sizes.len()).rev() {
            place[axis] = (cell % self.sizes[axis]) as f64 * self.spacing[axis];
            cell /= self.sizes[axis];
        }
        place
    }

    /// The sum of the masses, of their coordinates and of their squared distances from the first cell.
    fn moments(&self, masses: &[f64]) -> (f64, [f64; 3], f64) {
        let (mut total, mut first, mut second) = (0.0, [0.0; 3], 0.0);
        for (cell, &mass) in masses.iter().enumerate().filter(|(_, mass)| **mass != 0.0) {
            let place = self.place(cell);
            total += mass;
            for (axis, sum) in first.iter_mut().enumerate() {
                let x = place[axis];
                *sum += mass * x;
                second += mass * x * x;
            }
        }
        (total, first, second)
    }

    /// The squared distance of the means, a lower bound of the cost (`super::simple_bounds`).
    fn distance_of_means(&self, marginals: &Marginals) -> f64 {
        let (x, y) = (self.moments(marginals.a()).1, self.moments(marginals.b()).1);
        x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum()
    }

    /// Σ_ij α_i β_j C_ij.
    fn cost_of_product(&self, alpha: &[f64], beta: &[f64]) -> f64 {
        let ((a, x, xx), (b, y, yy)) = (self.moments(alpha), self.moments(beta));
        let dot: f64 = x.iter().zip(y).map(|(x, y)| x * y).sum();
        (xx * b + yy * a - 2.0 * dot).max(0.0)
    }

    /// The squared distances of the cells along an axis, times `scale` (size, size).
    fn costs(&self, axis: usize, scale: f64) -> Vec<f64> {
        let n = self.sizes[axis];
        let step = self.spacing[axis] * self.spacing[axis] * scale;
        (0..n * n).map(|at| (at / n).abs_diff(at % n) as f64).map(|steps| steps * steps * step).collect()
    }

    /// Reduces along every axis. `weighted` names an axis along which the terms are multiplied by its part of the cost. Ends
    /// early if `pause` says so.
    fn reduce(
        &self,
        x: &[f64],
        scale: f64,
        reduction: Reduction,
        weighted: Option<usize>,
        pause: &mut Pause,
    ) -> Vec<f64> {
        let mut from = x.to_vec();
        let mut lines = vec![0.0; x.len()];
        for axis in (0..self.sizes.len()).rev() {
            if is_long(x.len(), self.sizes[axis]) && !pause.proceeds() {
                return from;
            }
            let mut costs = self.costs(axis, scale);
            if weighted == Some(axis) {
                // x e^(-scale x) = e^-(scale x - ln x).
                costs.iter_mut().for_each(|x| *x -= libm::log(*x / scale));
            }
            let n = self.sizes[axis];
            // A few hundred microseconds a task.
            let chunk = (1_usize << 18).div_ceil(n * n);
            let tasks = (x.len() / n).div_ceil(chunk);
            for_each_split(tasks, true, Chunks(&mut lines, chunk * n), &|task, out| {
                for (line, out) in from[task * chunk * n..].chunks_exact(n).zip(out.0.chunks_exact_mut(n)) {
                    reduce_line(&costs, line, reduction, out);
                }
            });
            let count = x.len() / n;
            for_each_split(n, x.len() > IN_PARALLEL, Chunks(&mut from, count), &|k, out| {
                out.0.iter_mut().enumerate().for_each(|(line, to)| *to = lines[line * n + k]);
            });
        }
        from
    }
}

fn reduce_line(costs: &[f64], line: &[f64], reduction: Reduction, out: &mut [f64]) {
    if line.iter().all(|&x| x == f64::NEG_INFINITY) {
        return out.fill(f64::NEG_INFINITY);
    }
    let pairs = Pairs { source: Source::Matrix { costs, scale: 1.0 }, bias: line, rows: line.len() };
    match reduction {
        Reduction::LogSumExp => log_sum_exp(Level::detect(), &pairs, out),
        Reduction::Largest => {
            let mut found = vec![Largest::default(); line.len()];
            largest(Level::detect(), &pairs, &mut found);
            out.iter_mut().zip(found).for_each(|(out, found)| *out = found.score);
        }
    }
}

/// Lines 1 and 2 on a grid.
#[derive(Clone, Copy)]
struct Separable<'c> {
    grid: &'c Grid,
    problem: &'c Problem,
}

impl Separable<'_> {
    /// -ε ln Σ_j e^((g_j - C_ij)/ε + ln b_j).
    fn half_step(&self, epsilon: f64, potential: &[f64], log_mass: &[f64], pause: &mut Pause) -> Vec<f64> {
        let bias: Vec<f64> = potential.iter().zip(log_mass).map(|(x, log)| x / epsilon + log).collect();
        let mut sums = self.grid.reduce(&bias, 1.0 / epsilon, Reduction::LogSumExp, None, pause);
        sums.iter_mut().for_each(|sum| *sum *= -epsilon);
        sums
    }

    /// The cost of the plan of these potentials.
    fn cost(&self, epsilon: f64, f: &[f64], g: &[f64], pause: &mut Pause) -> f64 {
        let bias: Vec<f64> =
            g.iter().zip(self.problem.log_b()).map(|(g, log_b)| g / epsilon + log_b).collect();
        let mut of_axis = |axis| -> f64 {
            let sums = self.grid.reduce(&bias, 1.0 / epsilon, Reduction::LogSumExp, Some(axis), pause);
            let row = |((f, log_a), sum): ((&f64, &f64), f64)| libm::exp(f / epsilon + log_a + sum);
            f.iter().zip(self.problem.log_a()).zip(sums).map(row).sum()
        };
        (0..self.grid.sizes.len()).map(&mut of_axis).sum()
    }

    /// The smallest C_ij - x_j of each cell i, over cells j with mass.
    fn transform(&self, x: &[f64], masses: &[f64], pause: &mut Pause) -> Vec<f64> {
        let masked: Vec<f64> =
            x.iter().zip(masses).map(|(&x, &mass)| if mass > 0.0 { x } else { f64::NEG_INFINITY }).collect();
        let mut found = self.grid.reduce(&masked, 1.0, Reduction::Largest, None, pause);
        found.iter_mut().for_each(|x| *x = -*x);
        found
    }
}

impl Sweep for Separable<'_> {
    fn sweep(&mut self, epsilon: f64, g: &[f64], f: &mut [f64], next: &mut [f64], pause: &mut Pause) {
        f.copy_from_slice(&self.half_step(epsilon, g, self.problem.log_b(), pause));
        next.copy_from_slice(&self.half_step(epsilon, f, self.problem.log_a(), pause));
    }

    fn rounding(&self, epsilon: f64) -> f64 {
        8.0 * f64::EPSILON * (1.0 + self.largest() / epsilon)
    }

    fn largest(&self) -> f64 {
        self.grid.place(self.grid.cells() - 1).iter().map(|x| x * x).sum()
    }
}

/// Solves entropic transport between two histograms on one grid, with the squared distance of cells as the cost.
///
/// **Shapes** Both masses (cells).
///
/// **Units** ε in squared units of the grid's distances.
///
/// **Errors** [`Error::ShapeMismatch`] if the masses do not fit; [`Error::InvalidArgument`] for settings outside their range,
/// a penalty, or a request for the plan, which has cells² elements.
///
/// **Accuracy and cost** f64 in the log domain; both bounds of the unregularised cost. N n exponentials an axis and half-step;
/// memory for about 30 N numbers. The result does not depend on the number of threads.
///
/// **Source** Solomon et al. 2015.
///
/// ```
/// use equilibria::transport::{Grid, Marginals, SinkhornSettings, sinkhorn_on_grid};
/// let grid = Grid::new(&[3], &[1.0])?;
/// let masses = Marginals::new(&[1.0, 0.0, 0.0], &[0.0, 0.0, 1.0])?;
/// let found = sinkhorn_on_grid(&grid, &masses, &SinkhornSettings::epsilon(0.1), &mut |_| true)?;
/// assert!((found.cost - 4.0).abs() < 1e-9);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn sinkhorn_on_grid(
    grid: &Grid,
    marginals: &Marginals,
    settings: &SinkhornSettings,
    proceed: &mut dyn FnMut(&SinkhornProgress) -> bool,
) -> Result<Solution> {
    settings.check()?;
    marginals.check(grid.cells(), grid.cells())?;
    if settings.penalty.is_some() || settings.plan {
        return Err(Error::invalid(
            "a penalty or a plan on a grid",
            "transport on a grid is balanced and returns no plan",
        ));
    }
    let problem = Problem::new(marginals, None);
    let sweeps = Separable { grid, problem: &problem };
    let product = grid.cost_of_product(marginals.a(), marginals.b());
    let bounds = |epsilon, _: &[f64], g: &[f64], pause: &mut Pause| {
        let found = finish(sweeps, marginals, epsilon, g, pause);
        (found.lower_bound, found.upper_bound)
    };
    let slack = 1e-12 * sweeps.largest();
    let known = (grid.distance_of_means(marginals) - slack, product + slack);
    let state = anneal(&problem, &mut { sweeps }, settings, (product, known, &bounds), proceed);
    let progress = state.progress;
    let mut ask = || proceed(&progress);
    let mut pause = Pause::new(&mut ask);
    let found = finish(sweeps, marginals, progress.epsilon, &state.g, &mut pause);
    if pause.is_stopped() {
        return Ok(state.unfinished());
    }
    Ok(Solution {
        lower_bound: found.lower_bound.max(progress.bounds.0),
        upper_bound: found.upper_bound.min(progress.bounds.1),
        iterations: progress.iteration,
        converged: state.is_converged(found.marginal_error),
        ..found
    })
}

/// The result of one g, with the bounds of `super::result`.
fn finish(sweeps: Separable, marginals: &Marginals, epsilon: f64, g: &[f64], pause: &mut Pause) -> Solution {
    let (problem, (a, b)) = (sweeps.problem, (marginals.a(), marginals.b()));
    let mut g = g.to_vec();
    let f = sweeps.half_step(epsilon, &g, problem.log_b(), pause);
    let exact_g = sweeps.half_step(epsilon, &f, problem.log_a(), pause);
    let marginal_error = problem.error(epsilon, &g, &exact_g);
    g.iter_mut().zip(&exact_g).zip(b).filter(|(_, b)| **b == 0.0).for_each(|((g, exact), _)| *g = *exact);

    let rounded: Vec<f64> = g.iter().zip(&exact_g).map(|(g, exact)| g.min(*exact)).collect();
    let row_f = sweeps.half_step(epsilon, &rounded, problem.log_b(), pause);
    let missing = |mass: &[f64], x: &[f64], exact: &[f64]| -> Vec<f64> {
        let each =
            |((mass, x), exact): ((&f64, &f64), &f64)| -mass * libm::expm1(((x - exact) / epsilon).min(0.0));
        mass.iter().zip(x).zip(exact).map(each).collect()
    };
    let (alpha, beta) = (missing(a, &f, &row_f), missing(b, &rounded, &exact_g));
    let total: f64 = beta.iter().sum();
    let rest = if total > 0.0 { sweeps.grid.cost_of_product(&alpha, &beta) / total } else { 0.0 };

    let of_g = sweeps.transform(&g, b, pause);
    let mut dual = |start: &[f64]| {
        let g = sweeps.transform(start, a, pause);
        let f = sweeps.transform(&g, b, pause);
        let dot = |x: &[f64], y: &[f64]| {
            x.iter().zip(y).filter(|(x, _)| **x > 0.0).map(|(x, y)| x * y).sum::<f64>()
        };
        dot(a, &f) + dot(b, &g)
    };
    let lower_bound = dual(&f).max(dual(&of_g));
    Solution {
        cost: sweeps.cost(epsilon, &f, &g, pause),
        lower_bound,
        upper_bound: sweeps.cost(epsilon, &f, &rounded, pause) + rest,
        potential_f: f,
        potential_g: g,
        iterations: 0,
        marginal_error,
        converged: false,
        plan: None,
    }
}

/// ln Σ_j e^(x_j - scale C_ij) on a grid.
pub(super) fn log_convolution(grid: &Grid, x: &[f64], scale: f64) -> Vec<f64> {
    grid.reduce(x, scale, Reduction::LogSumExp, None, &mut Pause::never())
}
