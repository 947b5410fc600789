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
    ActiveList, PANEL, Phase, TILE, Tile, Weights, collect, panel_units, panels, transpose_states,
    update_tile,
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
    positive: Positive<T>,
    negative: Occurrences,
    workspace: Workspace<T>,
}

/// What the negative phase leaves of the positive one.
#[derive(Debug, Clone)]
struct Positive<T: Element> {
    /// v0 as bits (panels, images).
    states: Vec<u64>,
    /// p0 (panels, images, 64).
    probabilities: Aligned<T>,
    occurrences: Occurrences,
}

/// For each visible unit the rows in which it is on, for the gradient: (panels, blocks of 64 rows, 64 units).
#[derive(Debug, Clone)]
struct Occurrences {
    on: Vec<ActiveList>,
    off: Vec<ActiveList>,
    words: Vec<u64>,
}

impl Occurrences {
    fn new(visible: usize, rows: usize) -> Self {
        let len = panels(visible) * panels(rows) * PANEL;
        Self { on: vec![ActiveList::EMPTY; len], off: vec![ActiveList::EMPTY; len], words: vec![0; 2 * len] }
    }

    /// The occurrences of `states` (panels, rows); where `since` is given, of its changes since then.
    fn find(&mut self, states: &[u64], since: Option<&[u64]>, panels_of: usize, in_parallel: bool) {
        let rows = states.len() / panels_of;
        let chunk = panels(rows) * PANEL;
        let len = panels_of * chunk;
        let pieces = (
            Chunks(&mut self.words[..2 * len], 2 * chunk),
            (Chunks(&mut self.on[..len], chunk), Chunks(&mut self.off[..len], chunk)),
        );
        for_each_split(panels_of, in_parallel, pieces, &|panel, (words, (on, off))| {
            let (now, then) = words.0.split_at_mut(chunk);
            let of_panel = panel * rows..(panel + 1) * rows;
            transpose_states(&states[of_panel.clone()], now);
            match since {
                None => collect(now, on.0),
                Some(since) => {
                    transpose_states(&since[of_panel], then);
                    equilibria_kernels::binary::collect_changes(then, now, on.0, off.0);
                }
            }
        });
    }

    /// The lists of visible panel `panel` for `rows` rows: on and off.
    fn of_panel(&self, panel: usize, rows: usize) -> [&[ActiveList]; 2] {
        let chunk = panels(rows) * PANEL;
        [&self.on, &self.off].map(|lists| &lists[panel * chunk..][..chunk])
    }
}

impl Occurrences {
    /// Rows of `rows` in which visible unit `i` is on; less those in which it went off, if it is of changes.
    fn count<T: Element>(&self, i: usize, rows: usize, of_changes: bool) -> T {
        let [on, off] = self.of_panel(i / PANEL, rows).map(|lists| {
            lists.iter().skip(i % PANEL).step_by(PANEL).map(ActiveList::count).sum::<usize>() as f64
        });
        T::from_f64(if of_changes { on - off } else { on })
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
            positive: Positive {
                states: vec![0; panels(visible) * batch],
                probabilities: Aligned::zeros(panels(hidden) * batch * PANEL),
                occurrences: Occurrences::new(visible, batch),
            },
            negative: Occurrences::new(visible, batch),
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
            data.hidden.sample(T::ONE, &packed.hidden_bias, stream);
        }
        let words = data.visible.states.len();
        self.positive.states[..words].copy_from_slice(&data.visible.states);
        let len = data.hidden.probabilities.len();
        self.positive.probabilities[..len].copy_from_slice(&data.hidden.probabilities);
        are_binary
    }

    /// vk and pk after `steps` Gibbs steps from where the chains start.
    fn negative_phase(&mut self, stream: Stream, are_binary: bool) {
        let Self { packed, data, chains, .. } = self;
        let chains = if let Some(chains) = chains {
            chains.visible.forget();
            chains.hidden.forget();
            chains.hidden.list();
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
        let Self { packed, velocity, data, chains, positive, negative, images, workspace, .. } = self;
        let [weight_velocity, visible_velocity, hidden_velocity] = velocity;
        let (visible, hidden) = (packed.visible(), packed.hidden());
        let rows = data.visible.rows();
        let walkers = chains.as_ref().unwrap_or(data);
        let walker_rows = walkers.visible.rows();
        let momentum = T::from_f64(rates.momentum);
        let plus = T::from_f64(rates.learning_rate / rows as f64);
        let minus = T::from_f64(-rates.learning_rate / walker_rows as f64);
        let (p0, pk) =
            (&mut positive.probabilities[..panels(hidden) * rows * PANEL], &walkers.hidden.probabilities);

        // Hidden biases, before p0 becomes a difference.
        for (q, velocity) in hidden_velocity.chunks_mut(PANEL).enumerate() {
            elementwise::scale_in_place(level, momentum, velocity);
            let mut sums = [T::ZERO; PANEL];
            for (scale, p, rows) in [(plus, &*p0, rows), (minus, &**pk, walker_rows)] {
                let p = &p[q * rows * PANEL..][..rows * PANEL];
                reduce::add_column_sums(level, scale, p, rows, PANEL, &mut sums);
            }
            velocity.iter_mut().zip(sums).for_each(|(velocity, sum)| *velocity += sum);
        }

        let in_parallel = rows.max(walker_rows) * panels(visible) * panels(hidden) >= PARALLEL_FROM;
        // Of changes, if the chains started at the data.
        let differ = are_binary && chains.is_none();
        if differ {
            elementwise::sub_in_place(level, p0, pk);
        }
        let since = differ.then_some(&positive.states[..panels(visible) * rows]);
        negative.find(&walkers.visible.states, since, panels(visible), in_parallel);
        let positive_states = &positive.states[..panels(visible) * rows];
        positive.occurrences.find(positive_states, None, panels(visible), in_parallel);

        // Visible biases: how often each unit was on.
        for (i, velocity) in visible_velocity.iter_mut().enumerate() {
            *velocity = momentum * *velocity + minus * negative.count(i, walker_rows, differ);
            if are_binary && !differ {
                *velocity += plus * positive.occurrences.count(i, rows, false);
            }
        }
        let mut keep = momentum;
        if !are_binary {
            let v0 = &images[..rows * visible];
            reduce::add_column_sums(level, plus, v0, rows, visible, visible_velocity);
            let v0 = MatrixRef::new(v0, rows, visible).transposed();
            for q in 0..panels(hidden) {
                let p0 = MatrixRef::new(&p0[q * rows * PANEL..][..rows * PANEL], rows, PANEL);
                let tiles = &mut weight_velocity[q * panels(visible) * TILE..];
                let tiles = MatrixMut::with_strides(tiles, visible, PANEL, PANEL, 1);
                workspace.gemm(plus, v0, p0, momentum, tiles, Epilogue::NONE);
            }
            keep = T::ONE;
        }

        let shrink = T::from_f64(rates.learning_rate * rates.weight_decay);
        let finite = AtomicBool::new(true);
        let (positive, negative, p0, pk) = (&positive.occurrences, &*negative, &*p0, &**pk);
        let chunk = panels(visible) * TILE;
        let pieces = (
            Chunks(weight_velocity, chunk),
            (Chunks(&mut packed.forward, chunk), Chunks(&mut packed.backward, chunk)),
        );
        for_each_split(panels(hidden), in_parallel, pieces, &|q, (velocity, (forward, backward))| {
            let columns = panel_units(hidden, q);
            let tiles = velocity
                .0
                .chunks_exact_mut(TILE)
                .zip(forward.0.chunks_exact_mut(TILE).zip(backward.0.chunks_exact_mut(TILE)));
            for (p, (velocity, (weight, transposed))) in tiles.enumerate() {
                let [on, _] = positive.of_panel(p, rows);
                let plus =
                    Phase { on, off: &[], values: &p0[q * rows * PANEL..][..rows * PANEL], scale: plus };
                let nothing = Phase { on: &[], off: &[], values: &[], ..plus };
                let [on, off] = negative.of_panel(p, walker_rows);
                let off = if differ { off } else { &[] };
                let values = &pk[q * walker_rows * PANEL..][..walker_rows * PANEL];
                let minus = Phase { on, off, values, scale: minus };
                let step = Weights { momentum: keep, shrink };
                let tile = Tile { weight, velocity, transposed };
                let phases = [if are_binary { plus } else { nothing }, minus];
                if !update_tile(level, phases, step, panel_units(visible, p), columns, tile) {
                    finite.store(false, Ordering::Relaxed);
                }
            }
        });
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
