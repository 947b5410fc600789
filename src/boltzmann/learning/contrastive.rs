//! Contrastive divergence (Hinton 2002) and persistent contrastive divergence (Tieleman 2008).
//!
//! The log-likelihood of an image has the gradient
//!
//! ```text
//! d ln P(v0) / dW = v0' P(h | v0)  -  E over the model [ v' P(h | v) ]
//!                   positive phase    negative phase
//! ```
//!
//! and likewise v0 - E[v] for the visible and P(h | v0) - E[P(h | v)] for the hidden biases. The expectation over
//! the model is estimated from Gibbs chains after `steps` steps: **CD** starts them at the images of the
//! mini-batch, **PCD** where the last update left them.
//!
//! As Hinton's guide (2012, section 3) has it: hidden states are sampled wherever they drive the visible units, and
//! probabilities stand in for them in what is learned from, which is the last update of the chain and the data.
//!
//! One update, for a mini-batch of B images and C chains:
//!
//! ```text
//! velocity <- momentum * velocity + rate * (v0' p0 / B  -  vk' pk / C  -  decay * W)
//! W        <- W + velocity
//! ```
//!
//! States are bits, so every product is a sum of rows ([`equilibria_kernels::binary`]). Contrastive divergence saves
//! more: its chains start at the data, so that from v0 to vk only the pixels that flipped count, in the sums of the
//! hidden units and in the gradient,
//!
//! ```text
//! v0' p0 - vk' pk  =  v0' (p0 - pk)  -  (vk - v0)' pk
//! ```
//!
//! Grey images take dense products in the positive phase. `tests/boltzmann.rs` checks the phases, and that the
//! expected update nears the exact gradient as `steps` grows.

use crate::aligned::Aligned;
use crate::boltzmann::Rbm;
use crate::boltzmann::gibbs::Chains;
use crate::boltzmann::layer::Logits;
use crate::boltzmann::packed::{PackedRbm, pack_tiles, unpack_tiles};
use crate::parallel::{Chunks, for_each_split};
use crate::rng::Stream;
use crate::tensor::{Element, Tensor, Workspace};
use crate::{Error, Result};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use core::sync::atomic::{AtomicBool, Ordering};
use equilibria_kernels::binary::{
    Occurrences, PANEL, SparseMut, SparseRows, Step, TILE, Tile, list_occurrences, panel_units, panels,
    transpose_states, update_tile,
};
use equilibria_kernels::{Epilogue, Level, MatrixMut, MatrixRef, elementwise, reduce, update};

/// Where the negative phase's chains start. Written `cd` and `pcd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NegativePhase {
    /// At the images of the mini-batch.
    Contrastive,
    /// Where the last update left them.
    Persistent,
}

impl fmt::Display for NegativePhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Contrastive => "cd",
            Self::Persistent => "pcd",
        })
    }
}

impl FromStr for NegativePhase {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "cd" => Ok(Self::Contrastive),
            "pcd" => Ok(Self::Persistent),
            _ => Err(Error::invalid(
                alloc::format!("method '{text}'"),
                "the methods are cd (contrastive divergence) and pcd (persistent)",
            )),
        }
    }
}

/// The numbers of one update.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Multiplies the mini-batch's mean gradient.
    pub learning_rate: f64,
    /// Share of the last update that is kept.
    pub momentum: f64,
    /// Pulls weights (not biases) to 0; multiplied by the learning rate.
    pub weight_decay: f64,
}

/// A machine that learns: with its velocity, its chains, and the buffers of an update.
#[derive(Debug, Clone)]
pub struct Learner<T: Element> {
    steps: usize,
    /// The machine as it was when it was last asked for.
    model: Rbm<T>,
    /// The machine.
    packed: PackedRbm<T>,
    /// Of W, in tiles as the weights, of b and of c.
    velocity: [Aligned<T>; 3],
    /// The mini-batch (images, visible).
    images: Vec<T>,
    /// The data and their hidden units; contrastive divergence walks on from there.
    data: Chains<T>,
    /// Persistent chains; contrastive divergence has none.
    chains: Option<Chains<T>>,
    /// v0 as bits (panels, images).
    data_states: Vec<u64>,
    /// p0 (panels, images, 64).
    data_probabilities: Aligned<T>,
    gradient: Gradient<T>,
    /// What the gradient adds up: for each hidden panel p0 and pk (images + chains, 64).
    values: Aligned<T>,
    workspace: Workspace<T>,
}

/// The gradient as a sparse matrix, for each visible panel: which rows of the phases' probabilities each unit adds up.
#[derive(Debug, Clone)]
struct Gradient<T: Element> {
    /// Entries that a panel has room for.
    room: usize,
    /// Transposed states of the data, the chains, and what their changes are counted from.
    words: Vec<u64>,
    starts: Vec<u32>,
    offsets: Vec<u32>,
    factors: Aligned<T>,
    order: Vec<u32>,
    /// Of b (visible panels, 64).
    visible: Vec<T>,
}

/// One of the two phases, or the difference between them.
#[derive(Clone, Copy)]
struct PhaseStates<'a, T> {
    /// (panels, rows)
    states: &'a [u64],
    rows: usize,
    /// Learning rate over rows, negative for the negative phase.
    factor: T,
}

impl<T: Element> Gradient<T> {
    fn new(visible: usize, rows: usize) -> Self {
        let (panels_of, blocks) = (panels(visible), panels(rows));
        let room = SparseMut::<T>::room(PANEL, 2 * blocks * PANEL);
        Self {
            room,
            words: vec![0; panels_of * 3 * blocks * PANEL],
            starts: vec![0; panels_of * (PANEL + 1)],
            offsets: vec![0; panels_of * room],
            factors: Aligned::zeros(panels_of * room),
            order: vec![0; panels_of * PANEL],
            visible: vec![T::ZERO; panels_of * PANEL],
        }
    }

    /// Lists the rows of both phases, the negative one's after the positive one's; if `differ`, of the negative phase
    /// the changes since the positive one. Grey data have no `positive` states.
    fn list(
        &mut self,
        positive: PhaseStates<'_, T>,
        negative: PhaseStates<'_, T>,
        differ: bool,
        in_parallel: bool,
    ) {
        let panels_of = self.visible.len() / PANEL;
        let chunk = self.words.len() / panels_of;
        let pieces = (
            (
                Chunks(&mut self.words, chunk),
                (Chunks(&mut self.order, PANEL), Chunks(&mut self.visible, PANEL)),
            ),
            (
                Chunks(&mut self.starts, PANEL + 1),
                (Chunks(&mut self.offsets, self.room), Chunks(&mut self.factors, self.room)),
            ),
        );
        for_each_split(panels_of, in_parallel, pieces, &|panel, ((words, (order, visible)), lists)| {
            let (v0, rest) = words.0.split_at_mut(panels(positive.rows) * PANEL);
            let vk = &mut rest[..panels(negative.rows) * PANEL];
            let of_panel = |phase: &PhaseStates<'_, T>| panel * phase.rows..(panel + 1) * phase.rows;
            transpose_states(&negative.states[of_panel(&negative)], vk);
            let v0 = if positive.states.is_empty() {
                &[]
            } else {
                transpose_states(&positive.states[of_panel(&positive)], v0);
                &*v0
            };
            let (starts, (offsets, factors)) = lists;
            let lists =
                SparseMut { starts: starts.0, order: order.0, offsets: offsets.0, factors: factors.0 };
            let since = if differ { v0 } else { &[] };
            let factors = [positive.factor, negative.factor];
            let rows = positive.rows;
            let occurrences = Occurrences { positive: v0, negative: vk, since, rows, factors };
            list_occurrences(Level::detect(), occurrences, lists);
            for (unit, gradient) in visible.0.iter_mut().enumerate() {
                let count = |words: &[u64]| {
                    let ones = words.iter().skip(unit).step_by(PANEL).map(|word| word.count_ones());
                    T::from_f64(f64::from(ones.sum::<u32>()))
                };
                *gradient = positive.factor * count(v0) + negative.factor * count(vk);
            }
        });
    }

    fn panel(&self, panel: usize) -> SparseRows<'_, T> {
        SparseRows {
            starts: &self.starts[panel * (PANEL + 1)..][..PANEL + 1],
            order: &self.order[panel * PANEL..][..PANEL],
            offsets: &self.offsets[panel * self.room..][..self.room],
            factors: &self.factors[panel * self.room..][..self.room],
        }
    }
}

/// What changes from update to update, in the shapes of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct LearnerState<T: Element> {
    /// Of W, b and c.
    pub velocity: [Tensor<T>; 3],
    /// h of the persistent chains (chains, hidden); contrastive divergence has none.
    pub persistent_chains: Option<Vec<T>>,
}

impl<T: Element> Learner<T> {
    /// A learner for `model`, for mini-batches of up to `batch` images and `steps` Gibbs steps an update.
    /// Persistent chains, `batch` of them, start with every hidden unit at its toss of a coin.
    ///
    /// **Randomness** One uniform number a hidden unit of each chain, from `stream.substream(chain)`.
    /// **Panics** if `batch` or `steps` is 0.
    #[track_caller]
    pub fn new(
        model: Rbm<T>,
        negative_phase: NegativePhase,
        steps: usize,
        batch: usize,
        stream: Stream,
    ) -> Self {
        assert!(batch > 0 && steps > 0, "a mini-batch of {batch} images and {steps} Gibbs steps");
        let packed = PackedRbm::new(&model);
        let (visible, hidden) = (model.visible(), model.hidden());
        let chains = (negative_phase == NegativePhase::Persistent).then(|| {
            let mut chains = Chains::new(&packed, batch, stream);
            chains.hidden.set(&coins(batch, hidden, stream));
            chains
        });
        Self {
            steps,
            velocity: [Aligned::zeros(packed.forward.len()), Aligned::zeros(visible), Aligned::zeros(hidden)],
            images: vec![T::ZERO; batch * visible],
            data: Chains::new(&packed, batch, stream),
            chains,
            data_states: vec![0; panels(visible) * batch],
            data_probabilities: Aligned::zeros(panels(hidden) * batch * PANEL),
            gradient: Gradient::new(visible, batch),
            values: Aligned::zeros(panels(hidden) * 2 * batch * PANEL),
            workspace: Workspace::new(),
            model,
            packed,
        }
    }

    /// The machine.
    pub fn model(&mut self) -> &Rbm<T> {
        self.packed.write(&mut self.model);
        &self.model
    }

    /// The machine, at the end of learning.
    pub fn into_model(mut self) -> Rbm<T> {
        self.packed.write(&mut self.model);
        self.model
    }

    /// The place of the next mini-batch (images, visible), to fill before [`Learner::update`].
    ///
    /// **Panics** if `images` is more than the `batch` of [`Learner::new`].
    #[track_caller]
    pub fn images_mut(&mut self, images: usize) -> &mut [T] {
        let visible = self.packed.visible();
        self.data.resize(images);
        &mut self.images[..images * visible]
    }

    /// Moves the machine by one update from the mini-batch in [`Learner::images_mut`]. Returns whether all parameters
    /// are still finite.
    ///
    /// **Randomness** Substreams of `stream`, which is to be a new one for each update: the data's hidden units
    /// from substream 0, the chains from substream 1.
    pub fn update(&mut self, rates: Rates, stream: Stream) -> bool {
        let are_binary = self.positive_phase(stream.substream(0));
        self.negative_phase(stream.substream(1), are_binary);
        self.ascend(rates, are_binary)
    }

    /// p0 = P(h | v0), and states sampled from it. Returns whether v0 is binary.
    fn positive_phase(&mut self, stream: Stream) -> bool {
        let Self { packed, data, images, workspace, .. } = self;
        let (visible, rows) = (packed.visible(), data.visible.rows());
        let images = &images[..rows * visible];
        data.draw_from(stream);
        data.visible.forget();
        data.hidden.forget();
        let are_binary = data.visible.set(images);
        if are_binary {
            data.sample_hidden(packed);
        } else {
            let v = MatrixRef::new(images, rows, visible);
            for q in 0..panels(packed.hidden()) {
                let tiles = &packed.forward[q * panels(visible) * TILE..];
                let w = MatrixRef::with_strides(tiles, visible, PANEL, PANEL, 1);
                let sums = &mut data.hidden.sums[q * rows * PANEL..][..rows * PANEL];
                let sums = MatrixMut::new(sums, rows, PANEL);
                workspace.gemm(T::ONE, v, w, T::ZERO, sums, Epilogue::NONE);
            }
            let stream = data.next_stream();
            data.hidden.sample(Logits { scale: T::ONE, bias: &packed.hidden_bias }, stream);
        }
        let (words, len) = (data.visible.states.len(), data.hidden.probabilities.len());
        self.data_states[..words].copy_from_slice(&data.visible.states);
        self.data_probabilities[..len].copy_from_slice(&data.hidden.probabilities);
        are_binary
    }

    /// vk and pk after `steps` Gibbs steps from where the chains start.
    fn negative_phase(&mut self, stream: Stream, are_binary: bool) {
        let Self { packed, data, chains, .. } = self;
        let chains = if let Some(chains) = chains {
            chains.visible.forget();
            chains.hidden.forget();
            chains
        } else {
            if !are_binary {
                // The hidden units' sums are of grey images.
                data.visible.forget();
            }
            data
        };
        chains.draw_from(stream);
        for _ in 0..self.steps {
            chains.sample_visible(packed);
            chains.sample_hidden(packed);
        }
    }

    /// The update itself.
    fn ascend(&mut self, rates: Rates, are_binary: bool) -> bool {
        let level = Level::detect();
        let Self { packed, velocity, images, data, chains, gradient, values, workspace, .. } = self;
        let (visible, hidden) = (packed.visible(), packed.hidden());
        let walkers = chains.as_ref().unwrap_or(data);
        let (rows, walker_rows) = (data.visible.rows(), walkers.visible.rows());
        let factor = |rows: usize| T::from_f64(rates.learning_rate / rows as f64);
        let momentum = T::from_f64(rates.momentum);
        let in_parallel = (rows + walker_rows) * panels(visible) * panels(hidden) >= PARALLEL_FROM;
        // Chains that started at the data differ from them in few pixels.
        let differ = are_binary && chains.is_none();
        let states = if are_binary { &self.data_states[..panels(visible) * rows] } else { &[] };
        let positive = PhaseStates { states, rows, factor: factor(rows) };
        let negative =
            PhaseStates { states: &walkers.visible.states, rows: walker_rows, factor: -factor(walker_rows) };
        gradient.list(positive, negative, differ, in_parallel);

        let (p0, pk) = (&*self.data_probabilities, &*walkers.hidden.probabilities);
        let [weight_velocity, visible_velocity, hidden_velocity] = velocity;
        for (q, velocity) in hidden_velocity.chunks_mut(PANEL).enumerate() {
            let mut sums = [T::ZERO; PANEL];
            for (factor, p, rows) in [(positive.factor, p0, rows), (negative.factor, pk, walker_rows)] {
                let p = &p[q * rows * PANEL..][..rows * PANEL];
                reduce::add_column_sums(level, factor, p, rows, PANEL, &mut sums);
            }
            velocity.iter_mut().zip(sums).for_each(|(velocity, sum)| *velocity = momentum * *velocity + sum);
        }
        for (velocity, &gradient) in visible_velocity.iter_mut().zip(&gradient.visible) {
            *velocity = momentum * *velocity + gradient;
        }
        let mut keep = momentum;
        if !are_binary {
            let v0 = &images[..rows * visible];
            reduce::add_column_sums(level, positive.factor, v0, rows, visible, visible_velocity);
            let v0 = MatrixRef::new(v0, rows, visible).transposed();
            for q in 0..panels(hidden) {
                let p0 = MatrixRef::new(&p0[q * rows * PANEL..][..rows * PANEL], rows, PANEL);
                let tiles = &mut weight_velocity[q * panels(visible) * TILE..];
                let tiles = MatrixMut::with_strides(tiles, visible, PANEL, PANEL, 1);
                workspace.gemm(positive.factor, v0, p0, momentum, tiles, Epilogue::NONE);
            }
            keep = T::ONE;
        }

        let step = Step { momentum: keep, shrink: T::from_f64(rates.learning_rate * rates.weight_decay) };
        let finite = AtomicBool::new(true);
        let values_len = (rows + walker_rows) * PANEL;
        let gradient = &*gradient;
        let chunk = panels(visible) * TILE;
        let pieces = (
            (Chunks(weight_velocity, chunk), Chunks(&mut values[..panels(hidden) * values_len], values_len)),
            (Chunks(&mut packed.forward, chunk), Chunks(&mut packed.backward, chunk)),
        );
        for_each_split(
            panels(hidden),
            in_parallel,
            pieces,
            &|q, ((velocity, values), (forward, backward))| {
                let of_panel = |rows: usize| q * rows * PANEL..(q + 1) * rows * PANEL;
                let (first, second) = values.0.split_at_mut(rows * PANEL);
                first.copy_from_slice(&p0[of_panel(rows)]);
                second.copy_from_slice(&pk[of_panel(walker_rows)]);
                if differ {
                    elementwise::sub_in_place(level, first, second);
                }
                let tiles = velocity
                    .0
                    .chunks_exact_mut(TILE)
                    .zip(forward.0.chunks_exact_mut(TILE).zip(backward.0.chunks_exact_mut(TILE)));
                for (p, (velocity, (weight, transposed))) in tiles.enumerate() {
                    let lists = gradient.panel(p);
                    let (units, columns) = (panel_units(visible, p), panel_units(hidden, q));
                    let tile = Tile { weight, velocity, transposed };
                    if !update_tile(level, lists, values.0, step, units, columns, tile) {
                        finite.store(false, Ordering::Relaxed);
                    }
                }
            },
        );
        for (velocity, bias) in
            [(visible_velocity, &mut packed.visible_bias), (hidden_velocity, &mut packed.hidden_bias)]
        {
            if !update::add_velocity(level, T::ZERO, velocity, bias) {
                finite.store(false, Ordering::Relaxed);
            }
        }
        finite.into_inner()
    }

    /// What the last update changed, to save.
    pub fn state(&self) -> LearnerState<T> {
        let (visible, hidden) = (self.packed.visible(), self.packed.hidden());
        let [weight, visible_bias, hidden_bias] = &self.velocity;
        let mut velocity =
            [Tensor::zeros(&[visible, hidden]), Tensor::zeros(&[visible]), Tensor::zeros(&[hidden])];
        unpack_tiles(weight, hidden, velocity[0].data_mut());
        velocity[1].data_mut().copy_from_slice(visible_bias);
        velocity[2].data_mut().copy_from_slice(hidden_bias);
        let persistent_chains = self.chains.as_ref().map(|chains| {
            let mut states = vec![T::ZERO; chains.hidden.rows() * hidden];
            chains.hidden.unpack(&mut states);
            states
        });
        LearnerState { velocity, persistent_chains }
    }

    /// Goes on from `model` and `state`, whose shapes are those of this learner.
    ///
    /// **Panics** if they are not.
    #[track_caller]
    pub fn restore(&mut self, model: &Rbm<T>, state: &LearnerState<T>) {
        self.packed.read(model);
        let [weight, visible_bias, hidden_bias] = &mut self.velocity;
        pack_tiles(state.velocity[0].data(), self.packed.hidden(), weight);
        visible_bias.copy_from_slice(state.velocity[1].data());
        hidden_bias.copy_from_slice(state.velocity[2].data());
        if let (Some(chains), Some(states)) = (&mut self.chains, &state.persistent_chains) {
            chains.hidden.set(states);
        }
    }
}

/// Tiles, times rows, from which a second thread pays.
const PARALLEL_FROM: usize = 4000;

/// Hidden states (chains, hidden), each 1 with probability a half.
fn coins<T: Element>(chains: usize, hidden: usize, stream: Stream) -> Vec<T> {
    let mut states = vec![T::ZERO; chains * hidden];
    for (chain, states) in states.chunks_exact_mut(hidden).enumerate() {
        let mut generator = stream.substream(chain as u64).bulk();
        equilibria_kernels::random::fill_uniform(Level::detect(), &mut generator, states);
        let half = T::from_f64(0.5);
        states.iter_mut().for_each(|state| *state = if *state < half { T::ONE } else { T::ZERO });
    }
    states
}

#[cfg(test)]
mod tests {
    use super::{Learner, NegativePhase, Rates};
    use crate::boltzmann::Rbm;
    use crate::rng::Stream;
    use crate::tensor::Workspace;
    use alloc::vec;
    use alloc::vec::Vec;
    use equilibria_kernels::{Level, random};

    const VISIBLE: usize = 150;
    const HIDDEN: usize = 70;

    fn noise(len: usize, seed: u64) -> Vec<f64> {
        let mut values = vec![0.0; len];
        random::fill_uniform(Level::detect(), &mut Stream::named(seed, "evaluate").bulk(), &mut values);
        values
    }

    /// rate (v0' p0 / B - vk' pk / C) by its definition, each p from its v by the model's own products.
    fn expected(model: &Rbm<f64>, v: [&[f64]; 2], rate: f64) -> Vec<f64> {
        let mut gradient = vec![0.0; VISIBLE * HIDDEN + VISIBLE + HIDDEN];
        for (v, sign) in v.into_iter().zip([1.0, -1.0]) {
            let rows = v.len() / VISIBLE;
            let mut p = vec![0.0; rows * HIDDEN];
            model.hidden_probabilities(v, &mut p, &mut Workspace::new());
            let scale = sign * rate / rows as f64;
            for (v, p) in v.chunks(VISIBLE).zip(p.chunks(HIDDEN)) {
                for (i, v) in v.iter().enumerate() {
                    p.iter().enumerate().for_each(|(j, p)| gradient[i * HIDDEN + j] += scale * v * p);
                    gradient[VISIBLE * HIDDEN + i] += scale * v;
                }
                p.iter().enumerate().for_each(|(j, p)| gradient[VISIBLE * HIDDEN + VISIBLE + j] += scale * p);
            }
        }
        gradient
    }

    fn check(phase: NegativePhase, steps: usize, batch: usize, images: usize, are_binary: bool) {
        let model = Rbm::<f64>::new(&[0.3; VISIBLE], HIDDEN, Stream::named(1, "init")).unwrap();
        let mut learner = Learner::new(model, phase, steps, batch, Stream::named(2, "chain"));
        let rates = Rates { learning_rate: 0.5, momentum: 0.0, weight_decay: 0.0 };
        for update in 0..3 {
            let mut v0 = noise(images * VISIBLE, update);
            if are_binary {
                v0.iter_mut().for_each(|v| *v = f64::from(u8::from(*v < 0.3)));
            }
            learner.images_mut(images).copy_from_slice(&v0);
            let before = learner.model().clone();
            assert!(learner.update(rates, Stream::named(update, "chain")));
            let chains = learner.chains.as_ref().unwrap_or(&learner.data);
            let mut vk = vec![0.0; chains.visible.rows() * VISIBLE];
            chains.visible.unpack(&mut vk);
            let right = expected(&before, [&v0, &vk], rates.learning_rate);
            let found = learner.state().velocity.map(|velocity| velocity.data().to_vec()).concat();
            for (at, (found, right)) in found.iter().zip(right).enumerate() {
                let what = (phase, steps, batch, images, are_binary, update);
                assert!((found - right).abs() < 1e-13, "{what:?}, parameter {at}: {found}, not {right}");
            }
        }
    }

    #[test]
    fn sums_of_rows_and_changes_give_the_gradient_of_dense_products() {
        for are_binary in [true, false] {
            for (batch, images) in [(3, 3), (100, 100), (100, 70)] {
                // More steps than sums are corrected, too.
                for steps in [1, 3, 20] {
                    check(NegativePhase::Contrastive, steps, batch, images, are_binary);
                }
                check(NegativePhase::Persistent, 2, batch, images, are_binary);
            }
        }
    }
}
