//! The formulas of one problem that do not touch pairs: dual value, errors and the sweep's contract.

use super::super::marginals::Marginals;
use super::super::pause::Pause;
use alloc::vec::Vec;

/// The masses, their logarithms and the penalty.
pub(in crate::transport) struct Problem {
    a: Vec<f64>,
    b: Vec<f64>,
    log_a: Vec<f64>,
    log_b: Vec<f64>,
    /// The smaller entropy of the two, min(H(a), H(b)).
    entropy: f64,
    /// ρ; infinite for balanced transport.
    penalty: f64,
}

/// One evaluation of lines 1 and 2.
pub(in crate::transport) trait Sweep {
    /// Computes f from g (line 1) and the next g from f (line 2). If `pause` stops it, both hold nothing.
    fn sweep(&mut self, epsilon: f64, g: &[f64], f: &mut [f64], next: &mut [f64], pause: &mut Pause);

    /// The relative rounding error of the dual value in units of ε.
    fn rounding(&self, epsilon: f64) -> f64;

    /// A bound of the size of all costs.
    fn largest(&self) -> f64;
}

impl Problem {
    pub fn new(marginals: &Marginals, penalty: Option<f64>) -> Self {
        let logs = |masses: &[f64]| masses.iter().map(|&x| libm::log(x)).collect();
        let entropy =
            |masses: &[f64]| -> f64 { masses.iter().filter(|x| **x > 0.0).map(|x| -x * libm::log(*x)).sum() };
        Self {
            log_a: logs(marginals.a()),
            log_b: logs(marginals.b()),
            a: marginals.a().to_vec(),
            b: marginals.b().to_vec(),
            entropy: entropy(marginals.a()).min(entropy(marginals.b())),
            penalty: penalty.unwrap_or(f64::INFINITY),
        }
    }

    pub fn a(&self) -> &[f64] {
        &self.a
    }

    pub fn b(&self) -> &[f64] {
        &self.b
    }

    /// ln a, -inf where there is no mass.
    pub fn log_a(&self) -> &[f64] {
        &self.log_a
    }

    pub fn log_b(&self) -> &[f64] {
        &self.log_b
    }

    pub fn penalty(&self) -> f64 {
        self.penalty
    }

    pub fn is_balanced(&self) -> bool {
        self.penalty == f64::INFINITY
    }

    /// The factor of lines 1 and 2: ρ/(ρ + ε), 1 if balanced.
    pub fn factor(&self, epsilon: f64) -> f64 {
        if self.is_balanced() { 1.0 } else { self.penalty / (self.penalty + epsilon) }
    }

    /// The dual value after line 1, which makes the sums of the plan those of its rows.
    ///
    /// Balanced: Σ a f + Σ b g. Unbalanced: Σ a φ(f) + Σ b φ(g) - ε (Σ P - 1) with φ(f) = ρ (1 - e^(-f/ρ)), and the
    /// optimal f has row sums a e^(-f/ρ).
    pub fn dual_value(&self, epsilon: f64, f: &[f64], g: &[f64]) -> f64 {
        let sum = |masses: &[f64], value: &dyn Fn(f64) -> f64, x: &[f64]| -> f64 {
            masses.iter().zip(x).filter(|(mass, _)| **mass > 0.0).map(|(mass, &x)| mass * value(x)).sum()
        };
        if self.is_balanced() {
            return sum(&self.a, &|f| f, f) + sum(&self.b, &|g| g, g);
        }
        let rho = self.penalty;
        let value = |x: f64| -rho * libm::expm1(-x / rho);
        let total = sum(&self.a, &|f| libm::exp(-f / rho), f);
        sum(&self.a, &value, f) + sum(&self.b, &value, g) - epsilon * (total - 1.0)
    }

    /// The L1 distance of the column sums from their optimal values for this g: b, or b e^(-g/ρ). The row sums are exact
    /// after line 1.
    pub fn error(&self, epsilon: f64, g: &[f64], next: &[f64]) -> f64 {
        self.columns(epsilon, g, next).0
    }

    /// The error of the column sums c, and Σ (c - b) g.
    pub fn columns(&self, epsilon: f64, g: &[f64], next: &[f64]) -> (f64, f64) {
        let factor = self.factor(epsilon);
        let (mut error, mut excess) = (0.0, 0.0);
        for ((&b, &g), &next) in self.b.iter().zip(g).zip(next).filter(|((b, _), _)| **b > 0.0) {
            let target = if self.is_balanced() { b } else { b * libm::exp(-g / self.penalty) };
            // The sum of the column is b e^((g - next / factor)/ε).
            let sum = b * libm::exp((g - next / factor) / epsilon);
            error += (sum - target).abs();
            excess += (sum - b) * g;
        }
        (error, excess)
    }

    /// Bounds from one sweep, without another pass: `value` is the dual value after line 1, `moved` the cost of moving the
    /// erroneous mass anywhere.
    ///
    /// Balanced, they hold for the cost without entropy:
    ///
    /// ```text
    /// value - ε min(H(a), H(b)) <= OT <= value + Σ (c - b) g + moved
    /// ```
    ///
    /// First: KL(P | a b^T) of the optimal plan P is at most either entropy. Second: a plan with row sums a and column sums c
    /// costs Σ a f + Σ c g - ε KL(P | a b^T), and the rounding to exact sums moves the erroneous mass.
    ///
    /// Unbalanced, they hold for the regularised problem: the dual value, and the value of P = 0.
    pub fn bounds(&self, epsilon: f64, value: f64, (excess, moved): (f64, f64)) -> (f64, f64) {
        if self.is_balanced() {
            (value - epsilon * self.entropy, value + excess + moved)
        } else {
            (value, 2.0 * self.penalty + epsilon)
        }
    }
}
