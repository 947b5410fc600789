//! Optimisation: parameter updates from gradients, moving averages of parameters, and schedules of rates.

pub mod average;
pub mod optimiser;
pub mod schedule;

pub use average::Average;
pub use optimiser::{Optimiser, Rule};
pub use schedule::Schedule;
