//! Are the derivatives that were derived by hand those of the functions that are computed?
//!
//! Central differences in f64 with a step of 1e-6 (relative to the coordinate where that is above 1), which an analytic
//! derivative must meet to 1e-6, relative to it, or to a hundredth of the largest of its tensor or of 1: that of a bias
//! before batch normalisation is 0, which differences find but for their rounding. Coordinates at which a kink of a
//! piecewise linear activation lies within the step have no derivative and are skipped; few may be.

#[path = "gradients/first_order.rs"]
mod first_order;
#[path = "gradients/losses.rs"]
mod losses;
#[path = "gradients/networks.rs"]
mod networks;
#[path = "gradients/pytorch.rs"]
#[cfg(feature = "checkpoint")]
mod pytorch;
#[path = "gradients/second_order.rs"]
mod second_order;

/// What analytic and numeric derivatives may differ by.
const TOLERANCE: f64 = 1e-6;

/// The step of a difference at a coordinate of this size.
fn step_at(x: f64) -> f64 {
    1e-6 * x.abs().max(1.0)
}

/// The largest relative difference of two gradients of one tensor.
fn difference(analytic: &[f64], numeric: &[f64]) -> f64 {
    assert_eq!(analytic.len(), numeric.len());
    let largest = analytic.iter().chain(numeric).fold(0.0_f64, |largest, g| largest.max(g.abs()));
    let relative = |(a, n): (&f64, &f64)| {
        let scale = a.abs().max(n.abs()).max(0.01 * largest.max(1.0));
        (a - n).abs() / scale
    };
    analytic.iter().zip(numeric).map(relative).fold(0.0, f64::max)
}
