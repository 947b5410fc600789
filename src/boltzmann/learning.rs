//! How a machine learns: gradient ascent on the log-likelihood, the gradient estimated from Gibbs chains.

mod centring;
pub mod deep;
mod gradient;
mod learner;
mod monitor;
mod negative_phase;
mod tempering;
mod weights;

pub use learner::{Learner, LearnerState, Rates};
pub use monitor::Reading;
pub use negative_phase::NegativePhase;
pub use tempering::Swaps;
