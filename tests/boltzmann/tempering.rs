//! Do the replicas of parallel tempering have the distributions of their temperatures, and does this free the chains from
//! the mode in which they start?

use equilibria::Tensor;
use equilibria::boltzmann::Rbm;
use equilibria::boltzmann::learning::{Learner, NegativePhase, Rates};
use equilibria::rng::Stream;

const VISIBLE: usize = 4;
const HIDDEN: usize = 3;
const STATES: usize = 1 << HIDDEN;

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

/// A machine with two modes, all units on and all units off, which Gibbs steps alone rarely leave; and a base-rate model
/// with neither of them.
fn bimodal() -> [Rbm<f64>; 2] {
    [
        model(5.0, [-9.0, -9.5, -10.0, -9.0], [-13.0, -13.5, -12.0]),
        model(0.0, [0.3, -0.4, 0.1, 0.0], [0.0; HIDDEN]),
    ]
}

/// P(h) at inverse temperature beta, by the definition of q_beta(v, h) and a sum over v.
fn distribution([machine, base]: &[Rbm<f64>; 2], beta: f64) -> Vec<f64> {
    let (a, b, w) = (base.visible_bias().data(), machine.visible_bias().data(), machine.weight().data());
    let unit = |h: usize, j: usize| (h >> j & 1) as f64;
    let q = |h: usize| {
        let biases: f64 = (0..HIDDEN).map(|j| beta * unit(h, j) * machine.hidden_bias().data()[j]).sum();
        let softplus = |i: usize| {
            let input: f64 = (0..HIDDEN).map(|j| w[i * HIDDEN + j] * unit(h, j)).sum();
            (a[i] + beta * (b[i] - a[i] + input)).exp().ln_1p()
        };
        (biases + (0..VISIBLE).map(softplus).sum::<f64>()).exp()
    };
    let q: Vec<f64> = (0..STATES).map(q).collect();
    let z: f64 = q.iter().sum();
    q.iter().map(|q| q / z).collect()
}

/// Starts the chains of `phase` from `states` (temperatures, chains), and takes Gibbs steps without learning. Returns the
/// states after them.
fn walk(
    [machine, base]: &[Rbm<f64>; 2],
    phase: NegativePhase,
    states: &[usize],
    (steps, seed): (usize, u64),
) -> (Vec<usize>, Learner<f64>) {
    let chains = states.len() / phase.temperatures();
    // The visible biases with which a learner is created are those of the base-rate model.
    let mut learner = Learner::new(base.clone(), phase, steps, chains, Stream::named(seed, "chain")).unwrap();
    let mut state = learner.state();
    let units = |&h: &usize| (0..HIDDEN).map(move |j| (h >> j & 1) as f64);
    state.persistent_chains = Some(states.iter().flat_map(units).collect());
    learner.restore(machine, &state);
    learner.images_mut(1).fill(0.0);
    let still = Rates { learning_rate: 0.0, momentum: 0.0, weight_decay: 0.0 };
    learner.update(still, Stream::named(seed, "chain").substream(1)).unwrap();
    let found = learner.state().persistent_chains.unwrap();
    let state = |units: &[f64]| (0..HIDDEN).map(|j| (units[j] as usize) << j).sum();
    (found.chunks(HIDDEN).map(state).collect(), learner)
}

const CHAINS: usize = 10_000;
/// Going from one mode to the other takes some tens of steps.
const STEPS: usize = 250;

fn frequency(states: &[usize], state: usize) -> f64 {
    states.iter().filter(|&&found| found == state).count() as f64 / states.len() as f64
}

#[test]
fn every_replica_has_the_distribution_of_its_temperature() {
    const TEMPERATURES: usize = 4;
    let models = bimodal();
    /// The largest difference between frequencies and probabilities, in standard errors.
    fn deviation(states: &[usize], probabilities: &[f64]) -> f64 {
        let off = |(h, &p): (usize, &f64)| {
            (frequency(states, h) - p).abs() / (p * (1.0 - p) / CHAINS as f64).sqrt()
        };
        probabilities.iter().enumerate().map(off).fold(0.0, f64::max)
    }
    for seed in 1..3 {
        let phase = NegativePhase::Tempered { temperatures: TEMPERATURES };
        let (found, learner) = walk(&models, phase, &[0; TEMPERATURES * CHAINS], (STEPS, seed));
        for (t, found) in found.chunks(CHAINS).enumerate() {
            let beta = 1.0 - t as f64 / 3.0;
            let off = deviation(found, &distribution(&models, beta));
            assert!(off < 5.0, "seed {seed}, beta {beta}: {off} standard errors off");
            // The test would detect another temperature.
            let off = deviation(found, &distribution(&models, (beta - 0.4).abs()));
            assert!(off > 7.0, "seed {seed}, beta {beta}: {off} standard errors from another one");
        }
        for swaps in learner.swaps() {
            assert!(
                swaps.proposed > 100 * CHAINS as u64 && (0.05..0.999).contains(&swaps.rate()),
                "{swaps:?}"
            );
        }
    }
}

/// Replicas that start with exactly their joint distribution still have it after a step. A swap that is accepted too often
/// or too rarely would change it.
#[test]
fn a_step_preserves_the_joint_distribution_of_the_replicas() {
    const CHAINS: usize = 400_000;
    let models = [
        model(1.0, [-2.0, 0.5, -1.0, 0.0], [-1.5, 0.5, -2.0]),
        model(0.0, [0.3, -0.4, 0.1, 0.0], [0.0; HIDDEN]),
    ];
    let [cold, warm] = [1.0, 0.0].map(|beta| distribution(&models, beta));
    let mut states = vec![0; 2 * CHAINS];
    let (mut sum, mut chain) = (0.0, 0);
    for pair in 0..STATES * STATES {
        sum += cold[pair / STATES] * warm[pair % STATES];
        while chain < CHAINS && (chain as f64 + 0.5) / (CHAINS as f64) < sum {
            (states[chain], states[CHAINS + chain]) = (pair / STATES, pair % STATES);
            chain += 1;
        }
    }
    let (found, learner) = walk(&models, NegativePhase::Tempered { temperatures: 2 }, &states, (1, 6));
    let mut counts = vec![0.0; STATES * STATES];
    let (colder, warmer) = found.split_at(CHAINS);
    colder.iter().zip(warmer).for_each(|(&h, &other)| counts[h * STATES + other] += 1.0);
    let terms = counts.iter().enumerate().map(|(place, found)| {
        let right = CHAINS as f64 * cold[place / STATES] * warm[place % STATES];
        (found - right) * (found - right) / right
    });
    let freedom = (STATES * STATES) as f64 - 1.0;
    let excess = (terms.sum::<f64>() - freedom) / (2.0 * freedom).sqrt();
    assert!(excess < 5.0, "{excess} standard deviations off, {:?}", learner.swaps());
    assert!((0.1..0.9).contains(&learner.swaps()[0].rate()), "{:?}", learner.swaps());
}

/// Without replicas, chains stay in the mode in which they start. This is what tempering solves.
#[test]
fn without_replicas_chains_stay_in_their_mode() {
    let models = bimodal();
    let exact = distribution(&models, 1.0)[STATES - 1];
    let (found, _) = walk(&models, NegativePhase::Persistent, &[0; CHAINS], (STEPS, 5));
    let arrived = frequency(&found, STATES - 1);
    assert!(arrived < exact / 4.0, "{arrived} of {exact}");
}
