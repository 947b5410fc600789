//! Boltzmann machines.
//!
//! - [`Rbm`] holds the parameters and the conditional distributions of a restricted machine; [`Dbm`] those of a deep
//!   one.
//! - [`GibbsChains`] and [`DbmChains`] sample, from images or from [`coin_flips`].
//! - [`MeanField`] approximates the posterior of a deep machine's hidden units.
//! - [`learning`] trains, [`likelihood`] evaluates, and [`reconstruct`] fills in missing pixels.
//!
//! Symbols, as in the papers: v visible units, h hidden units, W weights, b visible and c hidden biases.

pub mod dbm;
mod gibbs;
mod layer;
pub mod learning;
pub mod likelihood;
mod link;
mod packed;
pub mod rbm;
pub mod reconstruct;
mod starts;
mod units;

#[doc(inline)]
pub use dbm::{Convergence, Dbm, DbmChains, MeanField, Stop};
pub use gibbs::GibbsChains;
#[doc(inline)]
pub use rbm::Rbm;
pub use starts::{ImageChains, coin_flips};
