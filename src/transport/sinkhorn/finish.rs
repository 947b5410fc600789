//! The result of a finished solver: final potentials, the error of the marginals, and both bounds, all in f64.

use super::super::cost::Cost;
use super::super::entropic_plan::EntropicPlan;
use super::super::marginals::Marginals;
use super::super::pause::Pause;
use super::super::result::{self, Solution, TransportPlan};
use super::super::scores::{Direction, minima};
use super::anneal::State;
use super::log_domain::half_step;
use super::problem::Problem;
use crate::tensor::{Element, Tensor};
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::{Level, elementwise, reduce};

/// The plan of one g: its potentials and sums. Its row sums are exact.
struct Plan {
    f: Vec<f64>,
    /// g, with the result of line 2 where there is no mass.
    g: Vec<f64>,
    /// The result of line 2 before the factor of unbalanced transport.
    exact_g: Vec<f64>,
}

impl Plan {
    fn new<T: Element>(
        cost: &Cost<T>,
        problem: &Problem,
        epsilon: f64,
        g: &[f64],
        pause: &mut Pause,
    ) -> Self {
        let (mut f, mut g, mut exact_g) = (vec![0.0; cost.rows()], g.to_vec(), vec![0.0; cost.columns()]);
        half_step::<T, f64>(cost, Direction::Rows, epsilon, (&g, problem.log_b()), &mut f, pause);
        let factor = problem.factor(epsilon);
        f.iter_mut().for_each(|f| *f *= factor);
        let masses = (&f[..], problem.log_a());
        half_step::<T, f64>(cost, Direction::Columns, epsilon, masses, &mut exact_g, pause);
        for (j, &b) in problem.b().iter().enumerate() {
            if b == 0.0 {
                g[j] = factor * exact_g[j];
            }
        }
        Self { f, g, exact_g }
    }

    fn entropic<'a, T>(
        &'a self,
        cost: &'a Cost<'a, T>,
        marginals: &'a Marginals,
        epsilon: f64,
    ) -> EntropicPlan<'a, T> {
        EntropicPlan { cost, marginals, epsilon, f: &self.f, g: &self.g }
    }

    /// The cost of the plan, and of the feasible plan that Altschuler's rounding makes of it (`super::super::result`).
    fn costs<T: Element>(
        &self,
        cost: &Cost<T>,
        marginals: &Marginals,
        epsilon: f64,
        pause: &mut Pause,
    ) -> (f64, f64) {
        let (level, m) = (Level::detect(), cost.columns());
        // The factor of column j and the mass that the column lacks afterwards. Rows need no factor: their sums are exact.
        let excess: Vec<f64> =
            self.g.iter().zip(&self.exact_g).map(|(g, exact)| (g - exact) / epsilon).collect();
        let factors: Vec<f64> = excess.iter().map(|&x| libm::exp(-x.max(0.0))).collect();
        let lacking: Vec<f64> =
            excess.iter().zip(marginals.b()).map(|(&x, b)| -b * libm::expm1(x.min(0.0))).collect();
        let mut rows = vec![[0.0; 4]; cost.rows()];
        self.entropic(cost, marginals, epsilon).for_each_piece(&mut rows, 1, pause, &|first, plan, rows| {
            let mut costs = vec![0.0; m];
            let mut rounded = vec![0.0; m];
            for (r, (out, plan)) in rows.iter_mut().zip(plan.chunks_exact(m)).enumerate() {
                cost.row(first + r, &mut costs);
                elementwise::mul(level, plan, &factors, &mut rounded);
                let dot = |x: &[f64]| reduce::dot(level, x, &costs);
                *out = [dot(plan), dot(&rounded), reduce::sum(level, &rounded), dot(&lacking)];
            }
        });
        let lacking: f64 = lacking.iter().sum();
        let (mut plan, mut rounded) = (0.0, 0.0);
        for ([of_plan, of_rounded, sum, cost_of_lacking], a) in rows.iter().zip(marginals.a()) {
            plan += of_plan;
            rounded += of_rounded;
            if lacking > 0.0 {
                rounded += (a - sum).max(0.0) * cost_of_lacking / lacking;
            }
        }
        (plan, rounded)
    }

    /// Primal and dual value of the unbalanced problem.
    fn unbalanced(&self, cost_of_plan: f64, problem: &Problem, epsilon: f64) -> (f64, f64) {
        let rho = problem.penalty();
        // Σ p ln(p/q) - p + q with p = q e^x.
        let divergence = |q: f64, x: f64| q * (libm::exp(x) * (x - 1.0) + 1.0);
        let (mut primal, mut total) = (cost_of_plan, 0.0);
        for (&a, f) in problem.a().iter().zip(&self.f) {
            let sum = a * libm::exp(-f / rho);
            primal += rho * divergence(a, -f / rho) + sum * f;
            total += sum;
        }
        for ((&b, g), exact) in problem.b().iter().zip(&self.g).zip(&self.exact_g) {
            let x = (g - exact) / epsilon;
            primal += rho * divergence(b, x) + b * libm::exp(x) * g;
        }
        // ε KL(P | a b^T) = Σ P (f + g - C) - ε Σ P + ε: the costs cancel.
        primal += epsilon * (1.0 - total) - cost_of_plan;
        (primal, problem.dual_value(epsilon, &self.f, &self.g))
    }
}

/// The better of the lower bounds that start at f and at g.
fn lower_bound<T: Element>(
    cost: &Cost<T>,
    marginals: &Marginals,
    f: &[f64],
    g: &[f64],
    pause: &mut Pause,
) -> f64 {
    let (mut of_g, mut place) = (vec![0.0; f.len()], vec![0; f.len()]);
    let masked = |(&g, &b): (&f64, &f64)| if b > 0.0 { g } else { f64::NEG_INFINITY };
    let g: Vec<f64> = g.iter().zip(marginals.b()).map(masked).collect();
    minima(cost, Direction::Rows, &g, (&mut of_g, &mut place), pause);
    let mut value = |f: &[f64]| result::lower_bound_unless(cost, marginals, f, pause).value;
    value(f).max(value(&of_g))
}

/// Bounds of the unregularised cost from any f and g.
pub(super) fn bounds<T: Element>(
    cost: &Cost<T>,
    (problem, marginals): (&Problem, &Marginals),
    epsilon: f64,
    (f, g): (&[f64], &[f64]),
    pause: &mut Pause,
) -> (f64, f64) {
    let lower = lower_bound(cost, marginals, f, g, pause);
    let plan = Plan::new(cost, problem, epsilon, g, pause);
    (lower, plan.costs(cost, marginals, epsilon, pause).1)
}

/// The result. If `pause` stops the passes over all pairs, it has the bounds of the last sweep, and no plan.
pub(super) fn solution<T: Element>(
    cost: &Cost<T>,
    (problem, marginals): (&Problem, &Marginals),
    state: State,
    with_plan: bool,
    pause: &mut Pause,
) -> Solution {
    let epsilon = state.progress.epsilon;
    let found = Plan::new(cost, problem, epsilon, &state.g, pause);
    let (cost_of_plan, rounded) = found.costs(cost, marginals, epsilon, pause);
    let factor = problem.factor(epsilon);
    let next: Vec<f64> = found.exact_g.iter().map(|g| g * factor).collect();
    let marginal_error = problem.error(epsilon, &found.g, &next);
    let (lower, upper) = if problem.is_balanced() {
        let (lower, upper) = state.progress.bounds;
        (lower.max(lower_bound(cost, marginals, &found.f, &found.g, pause)), upper.min(rounded))
    } else {
        let (primal, dual) = found.unbalanced(cost_of_plan, problem, epsilon);
        (dual, primal)
    };
    let plan = with_plan.then(|| {
        let mut plan = Tensor::zeros(&[cost.rows(), cost.columns()]);
        let (pieces, width) = (found.entropic(cost, marginals, epsilon), cost.columns());
        pieces.for_each_piece(plan.data_mut(), width, pause, &|_, piece, out| out.copy_from_slice(piece));
        TransportPlan::Dense(plan)
    });
    if pause.is_stopped() {
        return state.unfinished();
    }
    Solution {
        potential_f: found.f,
        potential_g: found.g,
        cost: cost_of_plan,
        lower_bound: lower,
        upper_bound: upper,
        iterations: state.progress.iteration,
        marginal_error,
        converged: state.is_converged(marginal_error),
        plan,
    }
}
