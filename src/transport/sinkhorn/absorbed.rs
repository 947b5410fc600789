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

    /// Both products: f of line 1, and the sums K^T (a u) of line 2.
    ///
    /// The rows of K have sums of 1 and the scalings are in [1/LIMIT, LIMIT], and so are the sums of line 1.
    fn products(&mut self, v: &[T], f: &mut [f64], sums: &mut [f64]) {
        let (m, epsilon, level) = (self.cost.columns(), self.epsilon, Level::detect());
        let (kernel, base_f, a) = (&self.kernel, &self.base_f, self.problem.a());
        let groups = f.len().div_ceil(GROUP);
        let pieces = (Chunks(&mut *f, GROUP), Chunks(&mut self.parts, m));
        for_each_split(groups, true, pieces, &|group, (f, part)| {
            part.0.fill(T::ZERO);
            for (r, f) in f.0.iter_mut().enumerate() {
                let i = group * GROUP + r;
                let row = &kernel[i * m..][..m];
                let sum = reduce::dot(level, row, v).to_f64(); // line 1
                *f = base_f[i] - epsilon * libm::log(sum);
                if a[i] > 0.0 {
                    elementwise::axpy(level, T::from_f64(a[i] / sum), row, part.0); // line 2
                }
            }
        });
        sums.fill(0.0);
        for part in self.parts.chunks_exact(m) {
            sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part.to_f64());
        }
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
        if epsilon != self.epsilon || v.iter().any(|v| v.abs() > LOG_LIMIT) {
            self.absorb(epsilon, g, pause);
            v.fill(0.0);
        }
        math::exp_in_place(Level::detect(), &mut v);
        let scalings: Vec<T> = v.iter().map(|&v| T::from_f64(v)).collect();
        self.products(&scalings, f, next);
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

#[cfg(test)]
mod tests {
    use super::super::super::Marginals;
    use super::super::log_domain::LogDomain;
    use super::*;
    use crate::tensor::Tensor;

    /// Elements of the kernel between e^-96 and e^-103, which f32 stores with a few bits or as 0, and scalings of e^98, which
    /// f32 does not hold.
    #[test]
    fn scalings_and_sums_beyond_the_limits_lose_nothing() {
        let n = 8;
        let costs = (0..n).flat_map(|i| [0.0, 96.0 + i as f32, 40.0]).collect();
        let matrix = Tensor::from_vec(&[n, 3], costs).unwrap();
        let cost = Cost::matrix(&matrix).unwrap();
        let marginals = Marginals::uniform(n, 3).unwrap();
        let problem = Problem::new(&marginals, None);
        let mut absorbed = Absorbed::<f32>::new(&cost, &problem);
        let mut plain = LogDomain::<f32, f64>::new(&cost, &problem);
        for g in
            [[0.0; 3], [0.0, 20.0, 0.0], [0.0, 98.0, 0.0], [0.0, 98.0, 41.0], [-98.0, 0.0, 0.0], [0.0; 3]]
        {
            let sweep = |sweeps: &mut dyn Sweep| {
                let (mut f, mut next) = (vec![0.0; n], vec![0.0; 3]);
                sweeps.sweep(1.0, &g, &mut f, &mut next, &mut Pause::never());
                [f, next].concat()
            };
            let (found, right) = (sweep(&mut absorbed), sweep(&mut plain));
            for (found, right) in found.iter().zip(&right) {
                assert!((found - right).abs() < 2e-5, "{g:?}: {found} is not {right}");
            }
        }
    }
}
