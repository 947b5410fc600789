//! Boltzmann machines.
//!
//! [`Rbm`] holds the parameters and the conditional distributions; [`GibbsChains`] samples; [`learning`] moves the
//! parameters; [`likelihood`] says how good they are; [`reconstruct`] fills in what is missing. [`Dbm`] has more hidden
//! layers, and [`MeanField`] the posterior of them that is near enough.
//!
//! Letters of the papers: v visible units, h hidden units, W weights, b visible and c hidden biases.

mod dbm;
mod gibbs;
mod layer;
pub mod learning;
pub mod likelihood;
mod link;
mod packed;
mod rbm;
pub mod reconstruct;
mod units;

pub use dbm::{Convergence, Dbm, DbmChains, MeanField, Stop};
pub use gibbs::GibbsChains;
pub use rbm::Rbm;
