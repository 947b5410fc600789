//! How probable a machine finds images.

mod pseudo;

pub use pseudo::{pseudo_log_likelihood, stochastic_pseudo_log_likelihood};
