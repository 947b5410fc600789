//! Sweeps in the log domain: safe for every ε, with costs on the fly.

use super::super::cost::Cost;
use super::super::pause::Pause;
use super::super::scores::{Direction, Scores};
use super::problem::{Problem, Sweep};
use crate::tensor::Element;
use alloc::vec::Vec;
use equilibria_kernels::Level;
use equilibria_kernels::softmin::log_sum_exp;

/// Sweeps over costs of type T, with scores of type U.
pub(super) struct LogDomain<'c, T, U> {
    cost: &'c Cost<'c, T>,
    problem: &'c Problem,
    largest: f64,
    scores: core::marker::PhantomData<U>,
}

impl<'c, T: Element, U: Element> LogDomain<'c, T, U> {
    pub fn new(cost: &'c Cost<'c, T>, problem: &'c Problem) -> Self {
        Self { cost, problem, largest: cost.largest(), scores: core::marker::PhantomData }
    }
}

impl<T: Element, U: Element> Sweep for LogDomain<'_, T, U> {
    fn sweep(&mut self, epsilon: f64, g: &[f64], f: &mut [f64], next: &mut [f64], pause: &mut Pause) {
        let factor = self.problem.factor(epsilon);
        half_step::<T, U>(self.cost, Direction::Rows, epsilon, (g, self.problem.log_b()), f, pause);
        f.iter_mut().for_each(|f| *f *= factor);
        half_step::<T, U>(self.cost, Direction::Columns, epsilon, (f, self.problem.log_a()), next, pause);
        next.iter_mut().for_each(|g| *g *= factor);
    }

    fn rounding(&self, epsilon: f64) -> f64 {
        8.0 * U::EPSILON.to_f64() * (1.0 + self.largest / epsilon)
    }

    fn largest(&self) -> f64 {
        self.largest
    }
}

/// One half-step: `out_i = -ε ln Σ_j e^((g_j - C_ij)/ε + ln b_j)`, or the same by columns.
pub(super) fn half_step<T: Element, U: Element>(
    cost: &Cost<T>,
    direction: Direction,
    epsilon: f64,
    (potential, log_mass): (&[f64], &[f64]),
    out: &mut [f64],
    pause: &mut Pause,
) {
    let bias: Vec<f64> = potential.iter().zip(log_mass).map(|(g, log_mass)| g / epsilon + log_mass).collect();
    let scores = Scores::<T, U>::new(cost, direction, 1.0 / epsilon, &bias);
    scores.for_each_piece(out, 1, pause, &|pairs, first, out| {
        log_sum_exp(Level::detect(), pairs, out);
        for (i, out) in out.iter_mut().enumerate() {
            *out = -epsilon * (*out + scores.shift(first + i));
        }
    });
}
