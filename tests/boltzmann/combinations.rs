//! Do both learners agree with the plain loops of their references on the same random stream, and does a restored learner
//! continue with the same bits at another number of threads? Random options × odd sizes × a hundred updates × an
//! interruption.
//!
//! `EQUILIBRIA_COMBINATIONS=5000` sets the number of combinations for each kind of machine.

use equilibria::boltzmann::learning::deep::reference::Reference as DeepReference;
use equilibria::boltzmann::learning::deep::{DeepLearner, DeepLearnerState, Sparsity};
use equilibria::boltzmann::learning::reference::{Negative, Reference, bernoulli};
use equilibria::boltzmann::learning::{Learner, NegativePhase, Rates};
use equilibria::boltzmann::{Dbm, Rbm, Stop};
use equilibria::rng::Stream;
use equilibria::tensor::{Element, Tensor};
use rand::{Rng, RngExt};
use rand_xoshiro::Xoshiro256PlusPlus;

const UPDATES: usize = 100;
/// Units of a layer: around the width of a vector and of a panel.
const SIZES: [usize; 8] = [1, 3, 16, 40, 63, 64, 65, 130];
/// Images of a mini-batch: tables of sums up to 32, lists beyond.
const BATCHES: [usize; 7] = [1, 2, 3, 7, 33, 40, 100];
/// Gibbs steps of an update. After 20, corrected input sums are computed anew.
const STEPS: [usize; 7] = [1, 2, 3, 1, 2, 3, 20];
/// Multiplications of the plain loops up to which a combination is compared with them.
const COMPARED: usize = 400_000;

fn combinations(usual: u64) -> u64 {
    std::env::var("EQUILIBRIA_COMBINATIONS")
        .map_or(usual, |text| text.parse().expect("a number of combinations"))
}

fn one_of<T: Copy>(random: &mut impl Rng, choices: &[T]) -> T {
    choices[random.random_range(0..choices.len())]
}

/// The options that both kinds of machines have.
#[derive(Debug, Clone)]
struct Common {
    batch: usize,
    rates: Rates,
    is_centred: bool,
    is_grey: bool,
    seed: u64,
    /// The update before which the learner is saved and restored, and the numbers of threads before and after.
    interrupted: usize,
    threads: [usize; 2],
}

impl Common {
    fn draw(random: &mut Xoshiro256PlusPlus, seed: u64) -> Self {
        Self {
            batch: one_of(random, &BATCHES),
            rates: Rates {
                learning_rate: one_of(random, &[0.005, 0.05, 0.2]),
                momentum: one_of(random, &[0.0, 0.5, 0.9]),
                weight_decay: one_of(random, &[0.0, 1e-3, 0.1]),
            },
            is_centred: random.random(),
            is_grey: random.random_bool(0.3),
            seed,
            interrupted: random.random_range(1..UPDATES),
            threads: one_of(random, &[[1, 2], [2, 1], [3, 2], [2, 5]]),
        }
    }

    /// The mini-batch of an update, sometimes smaller than `batch`.
    fn images(&self, update: usize, visible: usize) -> Vec<f64> {
        let mut random = Stream::named(self.seed, "data").substream(update as u64).generator();
        let rows = if update.is_multiple_of(3) { random.random_range(1..=self.batch) } else { self.batch };
        (0..rows * visible)
            .map(|place| {
                // Some units are always on or always off.
                let grey = random.random::<f64>() * if place % visible % 7 == 2 { 0.0 } else { 1.0 };
                if self.is_grey { grey } else { f64::from(u8::from(grey > 0.6)) }
            })
            .collect()
    }

    /// Every tenth update has no momentum.
    fn rates(&self, update: usize) -> Rates {
        Rates { momentum: if update % 10 == 9 { 0.0 } else { self.rates.momentum }, ..self.rates }
    }

    fn stream(&self, update: usize) -> Stream {
        Stream::named(self.seed, "chain").substream(1 + update as u64)
    }
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

fn cast<T: Element>(images: &[f64], to: &mut [T]) {
    to.iter_mut().zip(images).for_each(|(to, &x)| *to = T::from_f64(x));
}

#[track_caller]
fn assert_near(found: &[f64], right: &[f64], what: &impl std::fmt::Debug) {
    assert_eq!(found.len(), right.len());
    for (place, (x, y)) in found.iter().zip(right).enumerate() {
        assert!((x - y).abs() <= 1e-11 * y.abs().max(1.0), "parameter {place}: {x}, not {y}, {what:?}");
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn tensor<T: Element>(shape: &[usize], stream: Stream, scale: f64) -> Tensor<T> {
    let mut tensor = Tensor::zeros(shape);
    tensor.fill_normal(stream, T::from_f64(scale));
    tensor
}

// Restricted machines.

#[derive(Debug, Clone)]
struct Restricted {
    common: Common,
    visible: usize,
    hidden: usize,
    phase: NegativePhase,
    steps: usize,
    factors: [f64; 2],
}

impl Restricted {
    fn draw(seed: u64) -> Self {
        let mut random = Stream::named(seed, "combination").generator();
        let common = Common::draw(&mut random, seed);
        let phase = match random.random_range(0..3) {
            0 => NegativePhase::Contrastive,
            1 => NegativePhase::Persistent,
            _ => NegativePhase::Tempered { temperatures: random.random_range(2..5) },
        };
        let has_factors = phase.temperatures() == 1 && random.random_bool(0.3);
        Self {
            common,
            visible: one_of(&mut random, &SIZES),
            hidden: one_of(&mut random, &SIZES),
            phase,
            steps: one_of(&mut random, &STEPS),
            factors: if has_factors { [2.0, 0.5] } else { [1.0; 2] },
        }
    }

    fn model<T: Element>(&self) -> Rbm<T> {
        let stream = Stream::named(self.common.seed, "init");
        Rbm::from_parameters(
            tensor(&[self.visible, self.hidden], stream.substream(0), 0.3),
            tensor(&[self.visible], stream.substream(1), 0.5),
            tensor(&[self.hidden], stream.substream(2), 0.5),
        )
        .unwrap()
    }

    fn start(&self) -> Stream {
        Stream::named(self.common.seed, "chain").substream(0)
    }

    fn learner<T: Element>(&self) -> Learner<T> {
        let learner =
            Learner::new(self.model(), self.phase, self.steps, self.common.batch, self.start()).unwrap();
        let learner = if self.common.is_centred { learner.centred() } else { learner };
        if self.factors == [1.0; 2] { learner } else { learner.with_input_factors(self.factors).unwrap() }
    }

    /// The plain loops, from the start of `learner`.
    fn reference(&self, learner: &Learner<f64>) -> Reference {
        let mut reference = Reference::new(self.model(), self.steps);
        reference.factors = self.factors;
        let state = learner.state();
        reference.chains = state.persistent_chains;
        reference.offsets = state.offsets.map(|offsets| offsets.map(Tensor::into_vec));
        reference
    }

    fn update<T: Element>(&self, learner: &mut Learner<T>, update: usize) {
        let images = self.common.images(update, self.visible);
        cast(&images, learner.images_mut(images.len() / self.visible));
        learner.update(self.common.rates(update), self.common.stream(update)).unwrap();
        assert!(learner.model().first_not_finite().is_none(), "update {update}, {self:?}");
    }

    /// All learned numbers of a learner as f64, which represents every f32 exactly.
    fn numbers<T: Element>(learner: &mut Learner<T>) -> Vec<f64> {
        let state = learner.state();
        let model = learner.model();
        let parameters = [model.weight(), model.visible_bias(), model.hidden_bias()];
        let tensors = parameters.into_iter().chain(&state.velocity).chain(state.offsets.iter().flatten());
        let chains = state.persistent_chains.iter().flatten();
        tensors.flat_map(Tensor::data).chain(chains).map(|x| x.to_f64()).collect()
    }

    /// Checks that interrupting and resuming at another number of threads gives the same bits.
    fn check_resumed<T: Element>(&self) {
        let learn = |mut learner: Learner<T>, updates: std::ops::Range<usize>, threads| {
            pool(threads).install(|| updates.for_each(|update| self.update(&mut learner, update)));
            learner
        };
        let Common { interrupted, threads, .. } = self.common;
        let first = learn(self.learner(), 0..interrupted, threads[0]);
        let (model, state) = (first.model().clone(), first.state());
        let mut whole = learn(first, interrupted..UPDATES, threads[0]);
        let mut resumed = self.learner();
        resumed.restore(&model, &state);
        let mut resumed = learn(resumed, interrupted..UPDATES, threads[1]);
        assert!(Self::numbers(&mut whole) == Self::numbers(&mut resumed), "resumed, {self:?}");
    }

    /// Checks that every update equals that of the plain loops from the same state.
    fn check_plain(&self) {
        let mut learner = self.learner::<f64>();
        let mut reference = self.reference(&learner);
        let base = reference.model.visible_bias().data().to_vec();
        for update in 0..UPDATES {
            let (images, rates) = (self.common.images(update, self.visible), self.common.rates(update));
            let stream = self.common.stream(update);
            match self.phase.temperatures() {
                1 => reference.update(&images, rates, stream),
                temperatures => reference.update_with(&images, rates, stream, |reference, h, stream| {
                    tempered(reference, &base, temperatures, h, stream)
                }),
            }
            self.update(&mut learner, update);
            let Reference { model, velocity, chains, offsets, .. } = &mut reference;
            let mut right =
                [model.weight(), model.visible_bias(), model.hidden_bias()].map(Tensor::data).concat();
            right.extend(velocity.iter().flatten());
            right.extend(offsets.iter().flatten().flatten());
            right.extend(chains.iter().flatten());
            assert_near(&Self::numbers(&mut learner), &right, &(update, self));
            let state = learner.state();
            *model = learner.model();
            *velocity = state.velocity.map(|x| x.data().to_vec());
            *offsets = state.offsets.map(|offsets| offsets.map(|x| x.data().to_vec()));
            *chains = state.persistent_chains;
        }
    }

    fn plain_cost(&self) -> usize {
        self.visible * self.hidden * self.common.batch * self.phase.temperatures() * (self.steps + 1)
    }
}

/// Takes tempered Gibbs steps by plain loops. Replica i of chain k is row i chains + k.
fn tempered(
    reference: &Reference,
    base: &[f64],
    temperatures: usize,
    h: &mut Vec<f64>,
    stream: Stream,
) -> Negative {
    let model = &reference.model;
    let (visible, hidden, w) = (model.visible(), model.hidden(), model.weight().data());
    let rows = h.len() / hidden;
    let chains = rows / temperatures;
    let beta = |i: usize| 1.0 - i as f64 / (temperatures - 1) as f64;
    let rise_of = |i: usize| model.visible_bias().data()[i] - base[i];
    let x = |v: &[f64], j: usize| {
        model.hidden_bias().data()[j] + v.iter().enumerate().map(|(i, v)| v * w[i * hidden + j]).sum::<f64>()
    };
    let (mut v, mut p) = (Vec::new(), Vec::new());
    for step in 0..reference.steps as u64 {
        p.clear();
        for (row, h) in h.chunks(hidden).enumerate() {
            for i in 0..visible {
                let input = h.iter().zip(&w[i * hidden..]).map(|(h, w)| h * w).sum::<f64>();
                p.push(sigmoid(base[i] + beta(row / chains) * (rise_of(i) + input)));
            }
        }
        v = bernoulli(&p, visible, stream.substream(3 * step));
        let log_q = |v: &[f64], beta: f64| {
            let biases: f64 = v.iter().enumerate().map(|(i, v)| v * (base[i] + beta * rise_of(i))).sum();
            biases + (0..hidden).map(|j| (beta * x(v, j)).exp().ln_1p()).sum::<f64>()
        };
        let mut random = stream.substream(3 * step + 1).generator();
        let first = random.random_range(0..2_usize.min(temperatures - 1));
        for colder in (first..temperatures - 1).step_by(2) {
            for row in colder * chains..(colder + 1) * chains {
                let (head, tail) = v.split_at_mut((row + chains) * visible);
                let (cold, warm) = (&mut head[row * visible..][..visible], &mut tail[..visible]);
                let [i, k] = [beta(colder), beta(colder + 1)];
                let ratio = log_q(warm, i) + log_q(cold, k) - log_q(cold, i) - log_q(warm, k);
                if random.random::<f64>() < ratio.exp() {
                    cold.swap_with_slice(warm);
                }
            }
        }
        p.clear();
        for (row, v) in v.chunks(visible).enumerate() {
            p.extend((0..hidden).map(|j| sigmoid(beta(row / chains) * x(v, j))));
        }
        *h = bernoulli(&p, hidden, stream.substream(3 * step + 2));
    }
    v.truncate(chains * visible);
    p.truncate(chains * hidden);
    (v, p)
}

#[test]
fn restricted_machines_learn_correctly_with_random_options() {
    let mut compared = 0;
    for seed in 0..combinations(150) {
        let case = Restricted::draw(seed);
        case.check_resumed::<f32>();
        if case.plain_cost() <= COMPARED {
            case.check_plain();
            compared += 1;
        }
        case.check_resumed::<f64>();
    }
    assert!(compared > 30, "only {compared} combinations were compared with plain loops");
}

// Deep machines.

#[derive(Debug, Clone)]
struct Deep {
    common: Common,
    sizes: Vec<usize>,
    chains: usize,
    sweeps: usize,
    stop: Stop,
    sparsity: Option<Sparsity>,
    max_norm: Option<f64>,
}

impl Deep {
    fn draw(seed: u64) -> Self {
        let mut random = Stream::named(seed, "deep combination").generator();
        let common = Common::draw(&mut random, seed);
        let sizes: Vec<usize> = (0..random.random_range(3..6)).map(|_| one_of(&mut random, &SIZES)).collect();
        let is_sparse = random.random_bool(0.4);
        let targets = (1..sizes.len()).map(|_| one_of(&mut random, &[0.05, 0.2, 0.5])).collect();
        let has_max_norm = random.random_bool(0.4);
        Self {
            common,
            chains: one_of(&mut random, &BATCHES),
            sweeps: random.random_range(1..4),
            stop: Stop {
                tolerance: one_of(&mut random, &[0.0, 1e-3, 1e-6]),
                iterations: one_of(&mut random, &[1, 5, 20]),
            },
            sparsity: is_sparse.then_some(Sparsity { targets, cost: one_of(&mut random, &[0.1, 1.0]) }),
            max_norm: has_max_norm.then(|| one_of(&mut random, &[0.2, 1.0])),
            sizes,
        }
    }

    fn model<T: Element>(&self) -> Dbm<T> {
        let stream = Stream::named(self.common.seed, "init");
        let weights =
            (0..).zip(self.sizes.windows(2)).map(|(l, pair)| tensor(pair, stream.substream(l), 0.3));
        let biases = (10..).zip(&self.sizes).map(|(l, &size)| tensor(&[size], stream.substream(l), 0.5));
        Dbm::from_parameters(weights.collect(), biases.collect()).unwrap()
    }

    fn start(&self) -> Stream {
        Stream::named(self.common.seed, "chain").substream(0)
    }

    fn learner<T: Element>(&self) -> DeepLearner<T> {
        let model = self.model();
        let mut learner = DeepLearner::new(model, self.common.batch, self.chains, self.sweeps, self.start())
            .unwrap()
            .with_stop(self.stop);
        if let Some(sparsity) = &self.sparsity {
            learner = learner.with_sparsity(sparsity.clone()).unwrap();
        }
        if let Some(most) = self.max_norm {
            learner = learner.with_max_norm(most).unwrap();
        }
        if self.common.is_centred { learner.centred() } else { learner }
    }

    /// The plain loops, from the start of `learner`.
    fn reference(&self, learner: &DeepLearner<f64>) -> DeepReference {
        let model = self.model::<f64>();
        let zeros = |tensors: &[Tensor<f64>]| tensors.iter().map(|x| vec![0.0; x.len()]).collect();
        let state = learner.state();
        let mut chains: Vec<_> = self.sizes.iter().map(|&size| vec![0.0; self.chains * size]).collect();
        chains.iter_mut().skip(1).step_by(2).zip(state.chains).for_each(|(to, from)| *to = from.into_vec());
        DeepReference {
            sweeps: self.sweeps,
            stop: self.stop,
            sparsity: self.sparsity.clone(),
            max_norm: self.max_norm,
            velocity: [zeros(model.weights()), zeros(model.biases())],
            offsets: state.offsets.map(|offsets| offsets.into_iter().map(Tensor::into_vec).collect()),
            chains,
            model,
        }
    }

    fn update<T: Element>(&self, learner: &mut DeepLearner<T>, update: usize) {
        let images = self.common.images(update, self.sizes[0]);
        cast(&images, learner.images_mut(images.len() / self.sizes[0]));
        learner.update(self.common.rates(update), self.common.stream(update)).unwrap();
        assert!(learner.model().first_not_finite().is_none(), "update {update}, {self:?}");
    }

    fn numbers<T: Element>(learner: &DeepLearner<T>) -> Vec<f64> {
        let (model, state) = (learner.model(), learner.state());
        let DeepLearnerState { weight_velocity, bias_velocity, chains, offsets } = &state;
        let parameters = model.weights().iter().chain(model.biases());
        let velocity = weight_velocity.iter().chain(bias_velocity);
        let tensors = parameters.chain(velocity).chain(offsets.iter().flatten()).chain(chains);
        tensors.flat_map(Tensor::data).map(|x| x.to_f64()).collect()
    }

    fn check_resumed<T: Element>(&self) {
        let learn = |mut learner: DeepLearner<T>, updates: std::ops::Range<usize>, threads| {
            pool(threads).install(|| updates.for_each(|update| self.update(&mut learner, update)));
            learner
        };
        let Common { interrupted, threads, .. } = self.common;
        let first = learn(self.learner(), 0..interrupted, threads[0]);
        let (model, state) = (first.model().clone(), first.state());
        let whole = learn(first, interrupted..UPDATES, threads[0]);
        let mut resumed = self.learner();
        resumed.restore(&model, &state);
        let resumed = learn(resumed, interrupted..UPDATES, threads[1]);
        assert!(Self::numbers(&whole) == Self::numbers(&resumed), "resumed, {self:?}");
    }

    /// Checks that every update equals that of the plain loops from the same state.
    fn check_plain(&self) {
        let mut learner = self.learner::<f64>();
        let mut reference = self.reference(&learner);
        for update in 0..UPDATES {
            let images = self.common.images(update, self.sizes[0]);
            reference.update(&images, self.common.rates(update), self.common.stream(update));
            self.update(&mut learner, update);
            let DeepReference { model, velocity, offsets, chains, .. } = &mut reference;
            let parameters = model.weights().iter().chain(model.biases());
            let mut right: Vec<f64> = parameters.flat_map(Tensor::data).copied().collect();
            right.extend(velocity.iter().flatten().flatten());
            right.extend(offsets.iter().flatten().flatten());
            right.extend(chains.iter().skip(1).step_by(2).flatten());
            assert_near(&Self::numbers(&learner), &right, &(update, self));
            let state = learner.state();
            let numbers = |tensors: Vec<Tensor<f64>>| tensors.iter().map(|x| x.data().to_vec()).collect();
            *model = learner.model().clone();
            *velocity = [numbers(state.weight_velocity), numbers(state.bias_velocity)];
            *offsets = state.offsets.map(numbers);
            for (chains, states) in chains.iter_mut().skip(1).step_by(2).zip(state.chains) {
                *chains = states.data().to_vec();
            }
        }
    }

    fn plain_cost(&self) -> usize {
        let weights: usize = self.sizes.windows(2).map(|pair| pair[0] * pair[1]).sum();
        weights * (self.common.batch * self.stop.iterations + self.chains * self.sweeps)
    }
}

#[test]
fn deep_machines_learn_correctly_with_random_options() {
    let mut compared = 0;
    for seed in 0..combinations(150) {
        let case = Deep::draw(seed);
        case.check_resumed::<f32>();
        if case.plain_cost() <= COMPARED {
            case.check_plain();
            compared += 1;
        }
    }
    assert!(compared > 30, "only {compared} combinations were compared with plain loops");
}
