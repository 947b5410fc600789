//! Adversarial games: a generator against a discriminator.
//!
//! - [`Objective`]: the losses of both players.
//! - [`networks`]: the networks of both players, as plans.
//! - [`Game`]: both players with their optimisers and buffers, and the training step, which is the same for every
//!   objective.
//! - `Generator`: a trained generator from a file or from bytes (feature `checkpoint`).
//! - [`penalty`]: penalties on the discriminator's slope and their second-order gradients.
//! - [`augmentation`]: random changes of images before the discriminator.
//! - [`mod@reference`]: a game of perceptrons in plain loops, with which the tests compare the game.
//! - [`dirac`]: the smallest game, whose trajectories are known.
//!
//! Nothing here knows the source of the samples: a step requests mini-batches of real samples when it needs them.

pub mod augmentation;
pub mod dirac;
pub mod game;
#[cfg(feature = "checkpoint")]
pub(crate) mod generator;
mod interpolation;
pub mod latent;
pub mod networks;
pub mod objective;
pub mod penalty;
pub mod reference;

pub use augmentation::Augmentation;
pub use game::{DualityGap, Game, METRICS, Metric, Reading, Recipe, Search};
#[cfg(feature = "checkpoint")]
pub use generator::{Generator, history::PICTURED};
pub use interpolation::latent_paths;
pub use latent::{Streams, fill_latents, fill_latents_from};
pub use networks::{Guideline, Networks, Normalisation, dcgan, mlp};
pub use objective::{GeneratorLoss, Objective};
pub use penalty::ZeroCentred;
