//! How a machine learns: gradient ascent on the log-likelihood, the gradient estimated from Gibbs chains.

mod centring;
mod gradient;
mod learner;
mod monitor;
mod negative_phase;

pub use learner::{Learner, LearnerState, Rates};
pub use monitor::Reading;
pub use negative_phase::NegativePhase;
