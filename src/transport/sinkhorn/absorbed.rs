//! Sweeps by an absorbed kernel: the exponentials of all pairs are kept, and a sweep is two products with them.
//!
//! At potentials F, G (line 1 makes F exact for G) the kernel K_ij = b_j e^((F_i + G_j - C_ij)/ε) is stored; its rows have
//! sums of 1. Any other g is G + ε ln v with scalings v, and lines 1 and 2 become
//!
//! ```text
//! 1:  s = K v,              f = F - ε ln s,    u = 1/s
//! 2:  c = K^T (a u) / b,    g = G - ε ln c
//! ```
//!
//! Elements of K below the smallest normal number are 0. They would matter only if a scaling made them larger than the
//! others in their row or column. So G moves to g as soon as a scaling leaves [1/LIMIT, LIMIT], and line 2 is computed in
//! the log domain where a sum is below 1/LIMIT, even 0.
//!
//! Rows are processed in groups of [`GROUP`]: a row of K is read from memory once and used for both products.

use super::super::cost::Cost;
use super::super::pause::Pause;
use super::super::scores::{Direction, Scores};
use super::log_domain::half_step;
use super::problem::{Problem, Sweep};
use crate::parallel::{Chunks, for_each_split};
use crate::tensor::Element;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::softmin::{exponentials, log_sum_exp};
use equilibria_kernels::{Level, elementwise, math, reduce};

/// Rows whose contributions to line 2 are summed in T.
const GROUP: usize = 64;

/// ln LIMIT: scalings between e^-25 and e^25.
const LOG_LIMIT: f64 = 25.0;

pub(super) struct Absorbed<'c, T> {
    cost: &'c Cost<'c, T>,
    problem: &'c Problem,
    /// (n, m)
    kernel: Vec<T>,
    /// F (n) and G (m) of the kernel.
    base_f: Vec<f64>,
    base_g: Vec<f64>,
    /// ε of the kernel; 0 before the first one.
    epsilon: f64,
    /// (groups, m): the part of each group in line 2.
    parts: Vec<T>,
    largest: f64,
}

impl<'c, T: Element> Absorbed<'c, T> {
    pub fn new(cost: &'c Cost<'c, T>, problem: &'c Problem) -> Self {
        let (n, m) = (cost.rows(), cost.columns());
        Self {
            cost,
            problem,
            kernel: vec![T::ZERO; n * m],
            base_f: vec![0.0; n],
            base_g: vec![0.0; m],
            epsilon: 0.0,
            parts: vec![T::ZERO; n.div_ceil(GROUP) * m],
            largest: cost.largest(),
        }
    }

    /// Computes F for G = g, and the kernel.
    fn absorb(&mut self, epsilon: f64, g: &[f64], pause: &mut Pause) {
        let m = self.cost.columns();
        self.epsilon = epsilon;
        self.base_g.copy_from_slice(g);
        let scale = 1.0 / epsilon;
        let bias: Vec<f64> = g.iter().zip(self.problem.log_b()).map(|(g, log_b)| g * scale + log_b).collect();
        let scores = Scores::<T, f64>::new(self.cost, Direction::Rows, scale, &bias);
        let mut sums = vec![0.0; self.base_f.len()];
        scores.for_each_piece(&mut sums, 1, pause, &|pairs, _, out| log_sum_exp(Level::detect(), pairs, out));
        for (i, (f, sum)) in self.base_f.iter_mut().zip(&sums).enumerate() {
            *f = -epsilon * (sum + scores.shift(i));
        }
        // The shift of a row cancels: K is divided by its row sums.
        scores.for_each_piece(&mut self.kernel, m, pause, &|pairs, first, out| {
            let row: Vec<f64> = sums[first..first + pairs.rows].iter().map(|sum| -sum).collect();
            let mut values = vec![0.0; out.len()];
            exponentials(Level::detect(), pairs, &row, &mut values);
            out.iter_mut().zip(&values).for_each(|(out, &x)| *out = T::from_f64(x));
        });
    }

    /// Both products. Returns false if a sum of line 1 is out of range; `next` then holds nothing.
    fn products(&mut self, v: &[T], f: &mut [f64], next: &mut [f64]) -> bool {
        let (m, epsilon, level) = (self.cost.columns(), self.epsilon, Level::detect());
        let (kernel, base_f, a) = (&self.kernel, &self.base_f, self.problem.a());
        let groups = f.len().div_ceil(GROUP);
        let mut are_in_range = vec![true; groups];
        let pieces = (Chunks(&mut *f, GROUP), (Chunks(&mut self.parts, m), Chunks(&mut are_in_range, 1)));
        for_each_split(groups, true, pieces, &|group, (f, (part, is_in_range))| {
            part.0.fill(T::ZERO);
            for (r, f) in f.0.iter_mut().enumerate() {
                let i = group * GROUP + r;
                let row = &kernel[i * m..][..m];
                let sum = reduce::dot(level, row, v).to_f64(); // line 1
                let log = libm::log(sum);
                is_in_range.0[0] &= log.abs() <= LOG_LIMIT;
                *f = base_f[i] - epsilon * log;
                if a[i] > 0.0 {
                    elementwise::axpy(level, T::from_f64(a[i] / sum), row, part.0); // line 2
                }
            }
        });
        if are_in_range.contains(&false) {
            return false;
        }
        next.fill(0.0);
        for part in self.parts.chunks_exact(m) {
            next.iter_mut().zip(part).for_each(|(next, part)| *next += part.to_f64());
        }
        true
    }
}

impl<T: Element> Sweep for Absorbed<'_, T> {
    fn sweep(&mut self, epsilon: f64, g: &[f64], f: &mut [f64], next: &mut [f64], pause: &mut Pause) {
        let b = self.problem.b();
        let scaling = |g: &[f64], base: &[f64]| -> Vec<f64> {
            let log =
                |((g, base), &b): ((&f64, &f64), &f64)| if b > 0.0 { (g - base) / epsilon } else { 0.0 };
            g.iter().zip(base).zip(b).map(log).collect()
        };
        let mut v = scaling(g, &self.base_g);
        let mut is_new = epsilon != self.epsilon || v.iter().any(|v| v.abs() > LOG_LIMIT);
        loop {
            if is_new {
                self.absorb(epsilon, g, pause);
                v.fill(0.0);
            }
            math::exp_in_place(Level::detect(), &mut v);
            let scalings: Vec<T> = v.iter().map(|&v| T::from_f64(v)).collect();
            if self.products(&scalings, f, next) {
                break;
            }
            if is_new {
                next.fill(0.0);
                break;
            }
            is_new = true;
        }
        next.iter_mut().zip(b).filter(|(_, b)| **b > 0.0).for_each(|(c, b)| *c /= b);
        let smallest =
            next.iter().zip(b).filter(|(_, b)| **b > 0.0).fold(f64::INFINITY, |x, (&c, _)| x.min(c));
        if smallest >= libm::exp(-LOG_LIMIT) {
            math::ln_in_place(Level::detect(), next);
            for (((next, base), g), &b) in next.iter_mut().zip(&self.base_g).zip(g).zip(b) {
                *next = if b > 0.0 { base - epsilon * *next } else { *g };
            }
        } else {
            half_step::<T, f64>(
                self.cost,
                Direction::Columns,
                epsilon,
                (f, self.problem.log_a()),
                next,
                pause,
            );
        }
    }

    fn rounding(&self, epsilon: f64) -> f64 {
        // Potentials and exponents are in f64; sums in T.
        8.0 * T::EPSILON.to_f64() + 8.0 * f64::EPSILON * self.largest / epsilon
    }

    fn largest(&self) -> f64 {
        self.largest
    }
}
