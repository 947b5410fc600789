//! Parallel tempering (Desjardins et al. 2010; Cho, Raiko & Ilin 2010), which lets chains leave a mode.
//!
//! Each chain has replicas at inverse temperatures 1 = beta_0 > beta_1 > ... > beta_n = 0, on the path of annealed
//! importance sampling ([`annealed`](crate::boltzmann::likelihood::annealed)). The path leads from the machine to the
//! base-rate model with visible biases a, which has a single mode:
//!
//! ```text
//! ln q_beta(v)  =  a v + beta (b - a) v + sum over j of softplus(beta x_j),      x = c + v W.
//! ```
//!
//! A step is a Gibbs step of all replicas at their own temperatures. When v has been drawn and h has not, replicas of
//! neighbouring temperatures may swap their v, with the probability
//!
//! ```text
//! min(1, q_i(v_k) q_k(v_i) / (q_i(v_i) q_k(v_k)))  =  min(1, exp(rise(v_k) - rise(v_i))),
//! rise(v) = ln q_i(v) - ln q_k(v),      i the colder one, k the warmer one,
//! ```
//!
//! The swaps leave the product of the q_beta unchanged (detailed balance). So the replica at beta = 1 has the machine's
//! own distribution. h is summed out; otherwise the energies of neighbours would differ too much for most swaps.
//! `tests/boltzmann/tempering.rs` compares the frequencies at all temperatures with enumeration.

use crate::boltzmann::gibbs::Chains;
use crate::boltzmann::layer::{ComputedPanel, Logits};
use crate::boltzmann::link::Source;
use crate::boltzmann::packed::PackedRbm;
use crate::tensor::Element;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::binary::{PANEL, dot_states, panels, softplus_increments};
use equilibria_kernels::{Level, elementwise};
use rand::RngExt;

/// Counts of swaps between two neighbouring temperatures.
///
/// ```
/// use equilibria::boltzmann::learning::Swaps;
/// assert_eq!(Swaps { proposed: 4, accepted: 3 }.rate(), 0.75);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swaps {
    /// Number of proposed swaps.
    pub proposed: u64,
    /// Number of accepted swaps.
    pub accepted: u64,
}

impl Swaps {
    /// The acceptance rate; 0 if no swap was proposed.
    pub fn rate(self) -> f64 {
        self.accepted as f64 / self.proposed.max(1) as f64
    }
}

/// The parameters and buffers of tempered chains. Replica i of chain k is row `i * chains + k`.
#[derive(Debug, Clone)]
pub(super) struct Tempering<T: Element> {
    /// The inverse temperatures, from 1 to 0.
    inverse_temperatures: Vec<T>,
    /// The visible biases a of the base-rate model.
    base_rate: Vec<T>,
    /// b - a
    bias_rise: Vec<T>,
    /// a + beta (b - a) (temperatures, visible)
    visible_bias: Vec<T>,
    /// beta c (temperatures, hidden)
    hidden_bias: Vec<T>,
    /// (b - a) v, summed over the units of each panel (visible panels, rows).
    bias_terms: Vec<T>,
    /// The part of `rise` that comes from x, for each panel (hidden panels, rows).
    rises: Vec<T>,
    /// Swap counts between each temperature and the next.
    pub swaps: Vec<Swaps>,
}

impl<T: Element> Tempering<T> {
    /// Creates evenly spaced inverse temperatures. The visible biases of `model` become those of the base-rate model.
    pub fn new(model: &PackedRbm<T>, temperatures: usize, chains: usize) -> Self {
        let (visible, hidden, rows) = (model.visible(), model.hidden(), temperatures * chains);
        let beta = |i: usize| T::from_f64(1.0 - i as f64 / (temperatures - 1) as f64);
        Self {
            inverse_temperatures: (0..temperatures).map(beta).collect(),
            base_rate: model.visible_bias.to_vec(),
            bias_rise: vec![T::ZERO; visible],
            visible_bias: vec![T::ZERO; temperatures * visible],
            hidden_bias: vec![T::ZERO; temperatures * hidden],
            bias_terms: vec![T::ZERO; panels(visible) * rows],
            rises: vec![T::ZERO; panels(hidden) * rows],
            swaps: vec![Swaps::default(); temperatures - 1],
        }
    }

    pub fn temperatures(&self) -> usize {
        self.inverse_temperatures.len()
    }

    /// Updates the biases at all temperatures after the machine has changed.
    pub fn follow(&mut self, model: &PackedRbm<T>) {
        let level = Level::detect();
        self.bias_rise.copy_from_slice(&model.visible_bias);
        elementwise::sub_in_place(level, &mut self.bias_rise, &self.base_rate);
        let visible = self.visible_bias.chunks_exact_mut(model.visible());
        let hidden = self.hidden_bias.chunks_exact_mut(model.hidden());
        for (&beta, (visible, hidden)) in self.inverse_temperatures.iter().zip(visible.zip(hidden)) {
            visible.copy_from_slice(&self.base_rate);
            elementwise::axpy(level, beta, &self.bias_rise, visible);
            hidden.copy_from_slice(&model.hidden_bias);
            elementwise::scale_in_place(level, beta, hidden);
        }
    }

    /// Samples v from p_beta(v | h), swaps neighbours, and samples h from p_beta(h | v).
    ///
    /// **Randomness** Three streams of the chains, in this order: v, the swaps, h.
    pub fn step(&mut self, chains: &mut Chains<T>, model: &PackedRbm<T>) {
        let level = Level::detect();
        let betas = &*self.inverse_temperatures;
        let stream = chains.next_stream();
        let Chains { visible, hidden, down, .. } = chains;
        let bias_rise = &*self.bias_rise;
        let logits = Logits { scales: betas, bias: &self.visible_bias };
        let dot = |panel: ComputedPanel<'_, T>, terms: &mut [T]| {
            dot_states(level, panel.states, &bias_rise[panel.units], terms);
        };
        let source = Source { states: &hidden.states, link: down, weights: model.to_visible() };
        visible.sample_and_inspect([source], logits, stream, &mut self.bias_terms, &dot);

        let mut random = chains.next_stream().generator();
        // The pairs are (0, 1), (2, 3), ... or (1, 2), (3, 4), ...
        let first = random.random_range(0..2_usize.min(self.swaps.len()));
        let replicas = chains.hidden.rows() / betas.len();
        let (bias, pairs) = (&*model.hidden_bias, betas.len().saturating_sub(first) / 2);
        let rise = |panel: ComputedPanel<'_, T>, rises: &mut [T]| {
            let of_pair = |pair: usize| (first + 2 * pair) * replicas..(first + 2 * pair + 2) * replicas;
            for pair in 0..pairs {
                let (rows, colder) = (of_pair(pair), first + 2 * pair);
                let sums = &panel.sums[rows.start * PANEL..rows.end * PANEL];
                let range = [betas[colder + 1], betas[colder]];
                softplus_increments(level, range, sums, &bias[panel.units.clone()], &mut rises[rows]);
            }
        };
        let Chains { visible, hidden, up, .. } = chains;
        let source = Source { states: &visible.states, link: up, weights: model.to_hidden() };
        hidden.sum_from([source], &mut self.rises, &rise);
        for colder in (first..first + 2 * pairs).step_by(2) {
            for row in colder * replicas..(colder + 1) * replicas {
                let other = row + replicas;
                let step = betas[colder].to_f64() - betas[colder + 1].to_f64();
                let rise = |row: usize| {
                    let sum = |parts: &[T]| {
                        parts
                            .iter()
                            .skip(row)
                            .step_by(betas.len() * replicas)
                            .map(|x| x.to_f64())
                            .sum::<f64>()
                    };
                    step * sum(&self.bias_terms) + sum(&self.rises)
                };
                let swaps = &mut self.swaps[colder];
                swaps.proposed += 1;
                if random.random::<f64>() < libm::exp(rise(other) - rise(row)) {
                    swaps.accepted += 1;
                    visible.swap_rows(row, other);
                    up.swap_rows(row, other);
                    hidden.swap_sums(row, other);
                }
            }
        }

        let stream = chains.next_stream();
        let logits = Logits { scales: &self.inverse_temperatures, bias: &self.hidden_bias };
        chains.hidden.sample(logits, stream);
    }
}
