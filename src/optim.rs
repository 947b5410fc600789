//! Optimisation: schedules of rates.

mod schedule;

pub use schedule::Schedule;
