//! How a machine learns: gradient ascent on the log-likelihood, the gradient estimated from Gibbs chains.

mod contrastive;
mod monitor;

pub use contrastive::{Learner, LearnerState, NegativePhase, Rates};
pub use monitor::Reading;
