//! Optimisation: steps along gradients, averages of where they lead, and schedules of rates.

mod average;
mod optimiser;
mod schedule;

pub use average::Average;
pub use optimiser::{Optimiser, Rule};
pub use schedule::Schedule;
