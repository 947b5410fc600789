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
//! `tests/boltzmann.rs` checks the phases, and that the expected update nears the exact gradient as `steps` grows.

use crate::boltzmann::{GibbsChains, Rbm};
use crate::parallel::for_each_piece;
use crate::rng::Stream;
use crate::tensor::{Element, Tensor, Workspace};
use crate::{Error, Result};
use core::fmt;
use core::str::FromStr;
use core::sync::atomic::{AtomicBool, Ordering};
use equilibria_kernels::{Epilogue, Level, MatrixMut, MatrixRef, reduce, update};

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

/// A machine's velocity and chains, and the buffers of an update.
#[derive(Debug, Clone)]
pub struct Learner<T: Element> {
    negative_phase: NegativePhase,
    steps: usize,
    /// Of W, b and c.
    velocity: [Tensor<T>; 3],
    /// The data and its hidden units.
    data: GibbsChains<T>,
    /// The negative phase.
    chains: GibbsChains<T>,
    workspace: Workspace<T>,
}

impl<T: Element> Learner<T> {
    /// A learner for `model`, for mini-batches of up to `batch` images and `steps` Gibbs steps an update.
    /// Persistent chains, `batch` of them, start with every hidden unit at its toss of a coin.
    ///
    /// **Randomness** One uniform number a hidden unit of each chain, from `stream.substream(chain)`.
    /// **Panics** if `batch` or `steps` is 0.
    #[track_caller]
    pub fn new(
        model: &Rbm<T>,
        negative_phase: NegativePhase,
        steps: usize,
        batch: usize,
        stream: Stream,
    ) -> Self {
        assert!(batch > 0 && steps > 0, "a mini-batch of {batch} images and {steps} Gibbs steps");
        let (visible, hidden) = (model.visible(), model.hidden());
        let mut chains = GibbsChains::new(model, batch, stream);
        for (chain, states) in chains.hidden_states_mut().chunks_exact_mut(hidden).enumerate() {
            let level = Level::detect();
            equilibria_kernels::random::fill_uniform(
                level,
                &mut stream.substream(chain as u64).bulk(),
                states,
            );
            let half = T::from_f64(0.5);
            states.iter_mut().for_each(|state| *state = if *state < half { T::ONE } else { T::ZERO });
        }
        Self {
            negative_phase,
            steps,
            velocity: [
                Tensor::zeros(&[visible, hidden]),
                Tensor::zeros(&[visible]),
                Tensor::zeros(&[hidden]),
            ],
            data: GibbsChains::new(model, batch, stream),
            chains,
            workspace: Workspace::new(),
        }
    }

    /// The place of the next mini-batch (images, visible), to fill before [`Learner::update`].
    ///
    /// **Panics** if `images` is more than the `batch` of [`Learner::new`].
    #[track_caller]
    pub fn images_mut(&mut self, images: usize) -> &mut [T] {
        self.data.use_first(images);
        self.data.visible_states_mut()
    }

    /// Moves `model` by one update from the mini-batch in [`Learner::images_mut`]. Returns whether all parameters
    /// are still finite.
    ///
    /// **Randomness** Substreams of `stream`, which is to be a new one for each update: the data's hidden units
    /// from substream 0, the chains from substream 1.
    pub fn update(&mut self, model: &mut Rbm<T>, rates: Rates, stream: Stream) -> bool {
        self.positive_phase(model, stream.substream(0));
        self.negative_phase(model, stream.substream(1));
        self.ascend(model, rates)
    }

    /// p0 = P(h | v0), and states sampled from it.
    fn positive_phase(&mut self, model: &Rbm<T>, stream: Stream) {
        self.data.draw_from(stream);
        self.data.sample_hidden(model);
    }

    /// vk and pk after `steps` Gibbs steps from where the chains start.
    fn negative_phase(&mut self, model: &Rbm<T>, stream: Stream) {
        if self.negative_phase == NegativePhase::Contrastive {
            self.chains.use_first(self.data.len());
            self.chains.hidden_states_mut().copy_from_slice(self.data.hidden_states());
        }
        self.chains.draw_from(stream);
        for _ in 0..self.steps {
            self.chains.sample_visible(model);
            self.chains.sample_hidden(model);
        }
    }

    /// The update itself.
    fn ascend(&mut self, model: &mut Rbm<T>, rates: Rates) -> bool {
        let level = Level::detect();
        let Self { velocity: [weight, visible_bias, hidden_bias], data, chains, workspace, .. } = self;
        let momentum = T::from_f64(rates.momentum);
        let positive = T::from_f64(rates.learning_rate / data.len() as f64);
        let negative = T::from_f64(-rates.learning_rate / chains.len() as f64);
        let (visible, hidden) = (model.visible(), model.hidden());

        for (scale, keep, phase) in [(positive, momentum, &*data), (negative, T::ONE, &*chains)] {
            let rows = phase.len();
            let v = MatrixRef::new(phase.visible_states(), rows, visible).transposed();
            let p = MatrixRef::new(phase.hidden_probabilities(), rows, hidden);
            let c = MatrixMut::new(weight.data_mut(), visible, hidden);
            workspace.gemm(scale, v, p, keep, c, Epilogue::NONE);
        }
        let phases = [(positive, &*data), (negative, &*chains)];
        for (velocity, width, units) in [
            (&mut *visible_bias, visible, [data.visible_states(), chains.visible_states()]),
            (&mut *hidden_bias, hidden, [data.hidden_probabilities(), chains.hidden_probabilities()]),
        ] {
            equilibria_kernels::elementwise::scale_in_place(level, momentum, velocity.data_mut());
            for ((scale, phase), units) in phases.iter().zip(units) {
                reduce::add_column_sums(level, *scale, units, phase.len(), width, velocity.data_mut());
            }
        }

        let shrink = T::from_f64(rates.learning_rate * rates.weight_decay);
        let finite = AtomicBool::new(true);
        let [w, b, c] = model.parameters_mut();
        for (shrink, velocity, parameter) in
            [(shrink, weight, w), (T::ZERO, visible_bias, b), (T::ZERO, hidden_bias, c)]
        {
            for_each_piece(velocity.data_mut(), parameter.data_mut(), |velocity, parameter| {
                if !update::add_velocity(level, shrink, velocity, parameter) {
                    finite.store(false, Ordering::Relaxed);
                }
            });
        }
        finite.into_inner()
    }

    /// What the last update changed, to save: velocities of W, b and c, and the chains' hidden states
    /// (chains, hidden).
    pub fn state(&self) -> ([&Tensor<T>; 3], &[T]) {
        (self.velocity.each_ref(), self.chains.hidden_states())
    }

    /// The same, to restore.
    pub fn state_mut(&mut self) -> ([&mut Tensor<T>; 3], &mut [T]) {
        (self.velocity.each_mut(), self.chains.hidden_states_mut())
    }
}
