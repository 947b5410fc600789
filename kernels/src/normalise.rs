//! Normalisation to mean 0 and variance 1: of each column over a batch, or of each row.
//!
//! With x the numbers that are normalised together, N of them,
//!
//! ```text
//! mu = mean x,   v = mean (x - mu)^2,   r = 1 / sqrt(v + epsilon),   x^ = (x - mu) r
//! ```
//!
//! and the Jacobian of x^ is symmetric: J d = r (d - mean d - x^ mean(x^ d)). The variance is that of the differences from
//! the mean, which are taken in a second look at numbers that are in cache, so that no digits cancel.

mod batch;
mod layer;

pub use batch::{Batches, batch_backward, batch_forward, batch_infer};
pub use layer::{layer_curvature, layer_forward, layer_jacobian};
