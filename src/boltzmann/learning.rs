//! Training by gradient ascent on the log-likelihood, with the gradient estimated from Gibbs chains.

pub mod centring;
pub mod deep;
mod gradient;
pub mod learner;
mod monitor;
mod negative_phase;
#[cfg(test)]
mod padding;
pub mod reference;
pub mod tempering;
mod weights;

#[doc(inline)]
pub use learner::{Learner, LearnerState, Rates};
pub use monitor::Reading;
pub use negative_phase::NegativePhase;
#[doc(inline)]
pub use tempering::Swaps;
