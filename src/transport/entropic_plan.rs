//! The entropic plan of two potentials, by pieces of rows: no caller needs memory for all pairs.

use super::cost::Cost;
use super::marginals::Marginals;
use super::pause::Pause;
use super::scores::{Direction, Scores};
use crate::tensor::Element;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::Level;
use equilibria_kernels::softmin::exponentials;

/// The plan P_ij = a_i b_j e^((f_i + g_j - C_ij)/ε).
#[derive(Clone, Copy)]
pub(super) struct EntropicPlan<'a, T> {
    pub cost: &'a Cost<'a, T>,
    pub marginals: &'a Marginals,
    pub epsilon: f64,
    /// (n)
    pub f: &'a [f64],
    /// (m)
    pub g: &'a [f64],
}

impl<T: Element> EntropicPlan<'_, T> {
    /// Calls `run(i, rows, out)` for pieces of consecutive rows of the plan, starting at row i, with `width` places for each
    /// row in `out`. The rows are in f64. Pieces depend on the shape alone. Ends early if `pause` says so.
    pub fn for_each_piece<R: Send>(
        &self,
        out: &mut [R],
        width: usize,
        pause: &mut Pause,
        run: &(impl Fn(usize, &[f64], &mut [R]) + Sync),
    ) {
        let scaled = |potential: &[f64], masses: &[f64]| -> Vec<f64> {
            potential.iter().zip(masses).map(|(x, &mass)| x / self.epsilon + libm::log(mass)).collect()
        };
        let (row, column) = (scaled(self.f, self.marginals.a()), scaled(self.g, self.marginals.b()));
        let scores = Scores::<T, f64>::new(self.cost, Direction::Rows, 1.0 / self.epsilon, &column);
        scores.for_each_piece(out, width, pause, &|pairs, first, out| {
            let row: Vec<f64> = (first..first + pairs.rows).map(|i| row[i] + scores.shift(i)).collect();
            let mut plan = vec![0.0; pairs.rows * pairs.columns()];
            exponentials(Level::detect(), pairs, &row, &mut plan);
            run(first, &plan, out);
        });
    }
}
