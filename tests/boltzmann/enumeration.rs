//! Small restricted Boltzmann machines, by brute force over every state of every unit.
//!
//! Everything is derived from the energy of a joint state (v, h), which is summed term by term; no formula of the
//! library is used. Bit i of a layer's state is unit i. Phases are flat vectors: W row by row, then b, then c.

use equilibria::boltzmann::Rbm;
use equilibria::tensor::Element;

/// The logarithm of the sum of e^x.
pub fn log_sum_exp(x: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = x.clone().fold(f64::NEG_INFINITY, f64::max);
    largest + x.map(|x| (x - largest).exp()).sum::<f64>().ln()
}

/// Unit i of a state, as 0 or 1.
pub fn unit(state: usize, i: usize) -> f64 {
    (state >> i & 1) as f64
}

/// The units of a state.
pub fn units(state: usize, width: usize) -> Vec<f64> {
    (0..width).map(|i| unit(state, i)).collect()
}

/// The state with these units.
pub fn state_of<T: Element>(units: &[T]) -> usize {
    units.iter().enumerate().map(|(i, &on)| usize::from(on.to_f64() == 1.0) << i).sum()
}

/// All energies of a machine.
pub struct Enumeration {
    pub visible: usize,
    pub hidden: usize,
    /// -E(v, h) at index v 2^hidden + h.
    minus_energy: Vec<f64>,
}

impl Enumeration {
    pub fn of<T: Element>(model: &Rbm<T>) -> Self {
        let (visible, hidden) = (model.visible(), model.hidden());
        let wide = |x: &[T]| x.iter().map(|x| x.to_f64()).collect::<Vec<f64>>();
        let weight = wide(model.weight().data());
        let (b, c) = (wide(model.visible_bias().data()), wide(model.hidden_bias().data()));
        let minus_energy = |v: usize, h: usize| {
            let mut sum = 0.0;
            for i in 0..visible {
                sum += b[i] * unit(v, i);
                for j in 0..hidden {
                    sum += unit(v, i) * weight[i * hidden + j] * unit(h, j);
                }
            }
            sum + (0..hidden).map(|j| c[j] * unit(h, j)).sum::<f64>()
        };
        let joint = (0..1 << visible).flat_map(|v| (0..1 << hidden).map(move |h| (v, h)));
        Self { visible, hidden, minus_energy: joint.map(|(v, h)| minus_energy(v, h)).collect() }
    }

    pub fn visible_states(&self) -> usize {
        1 << self.visible
    }

    pub fn hidden_states(&self) -> usize {
        1 << self.hidden
    }

    fn minus_energy(&self, v: usize, h: usize) -> f64 {
        self.minus_energy[(v << self.hidden) + h]
    }

    /// The free energy: minus the logarithm of the sum over h of e^-E(v, h).
    pub fn free_energy(&self, v: usize) -> f64 {
        -log_sum_exp((0..self.hidden_states()).map(|h| self.minus_energy(v, h)))
    }

    /// P(v, h) at index v 2^hidden + h.
    pub fn joint(&self) -> Vec<f64> {
        let log_partition = log_sum_exp(self.minus_energy.iter().copied());
        self.minus_energy.iter().map(|x| (x - log_partition).exp()).collect()
    }

    /// P(v) for every v.
    pub fn marginal(&self) -> Vec<f64> {
        self.joint().chunks(self.hidden_states()).map(|joint| joint.iter().sum()).collect()
    }

    /// P(h | v) for every h.
    pub fn hidden_given(&self, v: usize) -> Vec<f64> {
        let log_sum = -self.free_energy(v);
        (0..self.hidden_states()).map(|h| (self.minus_energy(v, h) - log_sum).exp()).collect()
    }

    /// P(v | h) for every v.
    pub fn visible_given(&self, h: usize) -> Vec<f64> {
        let log_sum = log_sum_exp((0..self.visible_states()).map(|v| self.minus_energy(v, h)));
        (0..self.visible_states()).map(|v| (self.minus_energy(v, h) - log_sum).exp()).collect()
    }

    /// P(h_j = 1 | v) for every j.
    pub fn hidden_probabilities(&self, v: usize) -> Vec<f64> {
        means(&self.hidden_given(v), self.hidden)
    }

    /// P(v_i = 1 | h) for every i.
    pub fn visible_probabilities(&self, h: usize) -> Vec<f64> {
        means(&self.visible_given(h), self.visible)
    }

    /// The distribution of v after one Gibbs step from a distribution of v.
    pub fn step(&self, from: &[f64]) -> Vec<f64> {
        let mut hidden = vec![0.0; self.hidden_states()];
        for (v, &mass) in from.iter().enumerate() {
            hidden.iter_mut().zip(self.hidden_given(v)).for_each(|(sum, p)| *sum += mass * p);
        }
        self.visible_after(&hidden)
    }

    /// The distribution of v, sampled from P(v | h), for a distribution of h.
    pub fn visible_after(&self, hidden: &[f64]) -> Vec<f64> {
        let mut visible = vec![0.0; self.visible_states()];
        for (h, &mass) in hidden.iter().enumerate() {
            visible.iter_mut().zip(self.visible_given(h)).for_each(|(sum, p)| *sum += mass * p);
        }
        visible
    }

    /// The distribution of v after `steps` Gibbs steps from the state `v`.
    pub fn walk(&self, v: usize, steps: usize) -> Vec<f64> {
        let mut distribution = vec![0.0; self.visible_states()];
        distribution[v] = 1.0;
        (0..steps).for_each(|_| distribution = self.step(&distribution));
        distribution
    }

    /// The terms of a chain at v: v' P(h | v), v, P(h | v).
    fn phase_at(&self, v: usize) -> Vec<f64> {
        let (v, p) = (units(v, self.visible), self.hidden_probabilities(v));
        v.iter()
            .flat_map(|v| p.iter().map(move |p| v * p))
            .chain(v.iter().copied())
            .chain(p.clone())
            .collect()
    }

    /// The mean and the variance of v' P(h | v), v, P(h | v) over a distribution of v.
    pub fn phase(&self, distribution: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let mut mean = vec![0.0; self.visible * self.hidden + self.visible + self.hidden];
        let mut square = mean.clone();
        for (v, &mass) in distribution.iter().enumerate() {
            for ((mean, square), x) in mean.iter_mut().zip(&mut square).zip(self.phase_at(v)) {
                *mean += mass * x;
                *square += mass * x * x;
            }
        }
        let variance =
            square.iter().zip(&mean).map(|(square, mean)| (square - mean * mean).max(0.0)).collect();
        (mean, variance)
    }

    /// ln P(v_i | the other units of v), for every i.
    pub fn conditional_log_likelihoods(&self, v: usize) -> Vec<f64> {
        let log_weight = |v: usize| -self.free_energy(v);
        let term =
            |i: usize| log_weight(v) - log_sum_exp([log_weight(v), log_weight(v ^ (1 << i))].into_iter());
        (0..self.visible).map(term).collect()
    }

    /// E[v | the units outside `missing` are as in v].
    pub fn mean_given_known(&self, v: usize, missing: &[bool]) -> Vec<f64> {
        let marginal = self.marginal();
        let known = |other: &usize| (0..self.visible).all(|i| missing[i] || unit(*other, i) == unit(v, i));
        let mut mean = vec![0.0; self.visible];
        let mut mass = 0.0;
        for other in (0..self.visible_states()).filter(known) {
            mass += marginal[other];
            (0..self.visible).for_each(|i| mean[i] += marginal[other] * unit(other, i));
        }
        mean.iter().map(|sum| sum / mass).collect()
    }
}

/// The mean of each unit over a distribution of states.
fn means(distribution: &[f64], width: usize) -> Vec<f64> {
    let mean = |i| distribution.iter().enumerate().map(|(state, p)| p * unit(state, i)).sum();
    (0..width).map(mean).collect()
}
