//! Training by gradient ascent on the log-likelihood, with the gradient estimated from Gibbs chains.
//!
//! [`fit`] trains in one call and says which method to choose when. [`Learner`] and [`DeepLearner`] make single updates.

pub mod centring;
pub mod deep;
pub mod fit;
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
pub use deep::{DeepLearner, DeepLearnerState, Sparsity};
#[doc(inline)]
pub use fit::Fit;
#[doc(inline)]
pub use learner::{Learner, LearnerState, Rates};
pub use monitor::{Reading, SPURIOUS, sample_preference};
pub use negative_phase::NegativePhase;
#[doc(inline)]
pub use tempering::Swaps;
