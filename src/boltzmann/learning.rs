//! How a machine learns: gradient ascent on the log-likelihood, the gradient estimated from Gibbs chains.

mod centring;
#[cfg(all(test, feature = "parallel"))]
mod combinations;
pub mod deep;
mod gradient;
mod learner;
mod monitor;
mod negative_phase;
pub mod reference;
mod tempering;
mod weights;

pub use learner::{Learner, LearnerState, Rates};
pub use monitor::Reading;
pub use negative_phase::NegativePhase;
pub use tempering::Swaps;
