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
//! `tests` below compares the frequencies at all temperatures with enumeration.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boltzmann::Rbm;
    use crate::rng::Stream;
    use crate::tensor::Tensor;

    const VISIBLE: usize = 4;
    const HIDDEN: usize = 3;
    const TEMPERATURES: usize = 4;
    const CHAINS: usize = 10_000;
    /// Going from one mode to the other takes some tens of steps.
    const STEPS: usize = 250;

    fn model(weight: f64, visible: [f64; VISIBLE], hidden: [f64; HIDDEN]) -> Rbm<f64> {
        let weight = (0..VISIBLE * HIDDEN).map(|i| weight * (1.0 + i as f64 / 20.0)).collect();
        let tensor = |shape: &[usize], x: Vec<f64>| Tensor::from_vec(shape, x).unwrap();
        Rbm::from_parameters(
            tensor(&[VISIBLE, HIDDEN], weight),
            tensor(&[VISIBLE], visible.to_vec()),
            tensor(&[HIDDEN], hidden.to_vec()),
        )
        .unwrap()
    }

    /// A machine with two modes, all units on and all units off, which Gibbs steps alone rarely leave; and a base-rate
    /// model with neither of them.
    fn bimodal() -> [Rbm<f64>; 2] {
        [
            model(5.0, [-9.0, -9.5, -10.0, -9.0], [-13.0, -13.5, -12.0]),
            model(0.0, [0.3, -0.4, 0.1, 0.0], [0.0; HIDDEN]),
        ]
    }

    /// ln q_beta(v) by its definition.
    fn log_q(machine: &Rbm<f64>, base: &Rbm<f64>, beta: f64, v: usize) -> f64 {
        let on = |i: usize| v >> i & 1 == 1;
        let (b, a) = (machine.visible_bias().data(), base.visible_bias().data());
        let biases: f64 = (0..VISIBLE).filter(|&i| on(i)).map(|i| a[i] + beta * (b[i] - a[i])).sum();
        let softplus = |j: usize| {
            let w = |i: usize| machine.weight().data()[i * HIDDEN + j];
            let x = machine.hidden_bias().data()[j] + (0..VISIBLE).filter(|&i| on(i)).map(w).sum::<f64>();
            libm::log1p(libm::exp(beta * x))
        };
        biases + (0..HIDDEN).map(softplus).sum::<f64>()
    }

    fn distribution(log_q: impl Fn(usize) -> f64) -> Vec<f64> {
        let q: Vec<f64> = (0..1 << VISIBLE).map(|v| libm::exp(log_q(v))).collect();
        let z: f64 = q.iter().sum();
        q.iter().map(|q| q / z).collect()
    }

    /// The largest difference between frequencies and probabilities, in standard errors.
    fn deviation(frequencies: &[f64], probabilities: &[f64]) -> f64 {
        let error = |p: f64| libm::sqrt(p * (1.0 - p) / CHAINS as f64);
        let pairs = frequencies.iter().zip(probabilities);
        pairs.map(|(f, &p)| (f - p).abs() / error(p)).fold(0.0, f64::max)
    }

    /// Frequencies of v at each temperature after `steps` steps of chains that start at v = 0.
    fn frequencies(steps: usize, seed: u64) -> (Vec<Vec<f64>>, Vec<Swaps>) {
        let [machine, base] = bimodal();
        let packed = PackedRbm::new(&base);
        let mut tempering = Tempering::new(&packed, TEMPERATURES, CHAINS);
        let packed = PackedRbm::new(&machine);
        tempering.follow(&packed);
        let rows = TEMPERATURES * CHAINS;
        let mut chains = Chains::new(&packed, rows, Stream::named(seed, "chain"));
        for _ in 0..steps {
            tempering.step(&mut chains, &packed);
        }
        let frequencies_at = |t: usize| {
            let mut counts = vec![0.0; 1 << VISIBLE];
            chains.visible.states[t * CHAINS..(t + 1) * CHAINS]
                .iter()
                .for_each(|&v| counts[v as usize] += 1.0 / CHAINS as f64);
            counts
        };
        ((0..TEMPERATURES).map(frequencies_at).collect(), tempering.swaps)
    }

    #[test]
    fn every_replica_has_the_distribution_of_its_temperature() {
        let [machine, base] = bimodal();
        let at = |beta: f64| distribution(|v| log_q(&machine, &base, beta, v));
        for seed in 1..3 {
            let (found, swaps) = frequencies(STEPS, seed);
            for (t, found) in found.iter().enumerate() {
                let beta = 1.0 - t as f64 / 3.0;
                let off = deviation(found, &at(beta));
                assert!(off < 5.0, "seed {seed}, beta {beta}: {off} standard errors off");
                // The test would detect another temperature.
                let off = deviation(found, &at((beta - 0.4).abs()));
                assert!(off > 7.0, "seed {seed}, beta {beta}: {off} standard errors from another one");
            }
            for swaps in swaps {
                assert!(
                    swaps.proposed > 100 * CHAINS as u64 && (0.05..0.999).contains(&swaps.rate()),
                    "{swaps:?}"
                );
            }
        }
    }

    /// Replicas that start with exactly their joint distribution still have it after a step. A swap that is accepted
    /// too often or too rarely would change it.
    #[test]
    fn a_step_preserves_the_joint_distribution_of_the_replicas() {
        const CHAINS: usize = 400_000;
        const STATES: usize = 1 << VISIBLE;
        let [machine, base] = [
            model(1.0, [-2.0, 0.5, -1.0, 0.0], [-1.5, 0.5, -2.0]),
            model(0.0, [0.3, -0.4, 0.1, 0.0], [0.0; HIDDEN]),
        ];
        let at = |beta: f64| distribution(|v| log_q(&machine, &base, beta, v));
        let (cold, warm) = (at(1.0), at(0.0));
        // At beta = 0 hidden units are on half of the time. At beta = 1 each is on with its probability given v,
        // averaged over v.
        let hidden_given = |v: usize, h: usize| {
            let p = (0..HIDDEN).map(|j| {
                let w = (0..VISIBLE).map(|i| (v >> i & 1) as f64 * machine.weight().data()[i * HIDDEN + j]);
                let on = 1.0 / (1.0 + libm::exp(-machine.hidden_bias().data()[j] - w.sum::<f64>()));
                if h >> j & 1 == 1 { on } else { 1.0 - on }
            });
            p.product::<f64>()
        };
        let of_hidden = |h: usize| (0..STATES).map(|v| cold[v] * hidden_given(v, h)).sum::<f64>();
        let (packed_base, packed) = (PackedRbm::new(&base), PackedRbm::new(&machine));
        let mut tempering = Tempering::new(&packed_base, 2, CHAINS);
        tempering.follow(&packed);
        let mut chains = Chains::new(&packed, 2 * CHAINS, Stream::named(6, "chain"));
        let mut states = vec![0.0; 2 * CHAINS * HIDDEN];
        let (mut sum, mut chain) = (0.0, 0);
        for pair in 0..1 << (2 * HIDDEN) {
            let h = [pair >> HIDDEN, pair % (1 << HIDDEN)];
            sum += of_hidden(h[0]) / f64::from(1 << HIDDEN);
            while chain < CHAINS && (chain as f64 + 0.5) / (CHAINS as f64) < sum {
                for (row, h) in [chain, CHAINS + chain].into_iter().zip(h) {
                    (0..HIDDEN).for_each(|j| states[row * HIDDEN + j] = (h >> j & 1) as f64);
                }
                chain += 1;
            }
        }
        chains.hidden.set(&states);
        tempering.step(&mut chains, &packed);
        let mut counts = vec![0.0; STATES * STATES];
        let (colder, warmer) = chains.visible.states.split_at(CHAINS);
        colder
            .iter()
            .zip(warmer)
            .for_each(|(&v, &other)| counts[v as usize * STATES + other as usize] += 1.0);
        let terms = counts.iter().enumerate().map(|(place, found)| {
            let right = CHAINS as f64 * cold[place / STATES] * warm[place % STATES];
            (found - right) * (found - right) / right
        });
        let freedom = (STATES * STATES) as f64 - 1.0;
        let excess = (terms.sum::<f64>() - freedom) / libm::sqrt(2.0 * freedom);
        assert!(excess < 5.0, "{excess} standard deviations off, {:?}", tempering.swaps);
        assert!((0.1..0.9).contains(&tempering.swaps[0].rate()), "{:?}", tempering.swaps);
    }

    /// Without replicas, chains stay in the mode in which they start. This is what tempering solves.
    #[test]
    fn without_replicas_chains_stay_in_their_mode() {
        let [machine, _] = bimodal();
        let exact = distribution(|v| log_q(&machine, &machine, 1.0, v));
        let packed = PackedRbm::new(&machine);
        let mut chains = Chains::new(&packed, CHAINS, Stream::named(5, "chain"));
        for _ in 0..STEPS {
            chains.sample_visible(&packed);
            chains.sample_hidden(&packed);
        }
        let all_on = (1 << VISIBLE) - 1;
        let arrived = chains.visible.states.iter().filter(|&&v| v == all_on).count() as f64 / CHAINS as f64;
        assert!(arrived < exact[all_on as usize] / 4.0, "{arrived} of {}", exact[all_on as usize]);
    }
}
