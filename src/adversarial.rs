//! Games of a generator against a discriminator.
//!
//! - [`Objective`]: what they play for, a value.
//! - [`networks`]: the networks of both players, as plans.
//! - [`Game`]: both players with all that a step needs, and the step, which is the same for every objective.
//! - [`penalty`]: the gradient penalty and its second-order gradient.
//! - [`mod@reference`]: a game of perceptrons in plain loops, which the tests compare the game with.
//! - [`dirac`]: the smallest game, whose trajectories are known.
//!
//! Nothing here knows where samples come from: a step asks for mini-batches of real ones as it needs them.

pub mod dirac;
mod game;
mod latent;
pub mod networks;
mod objective;
pub mod penalty;
pub mod reference;

pub use game::{DualityGap, Game, METRICS, Metric, Outcome, Reading, Recipe, Search};
pub use latent::{Streams, fill_latents};
pub use networks::{Networks, Normalisation, mlp};
pub use objective::{GeneratorLoss, Objective};
