//! Normalisation to mean 0 and variance 1: of each column over a batch (`batch_*`), or of each row (`layer_*`).
//!
//! For the N numbers x that are normalised together,
//!
//! ```text
//! mu = mean x,   v = mean (x - mu)^2,   r = 1 / sqrt(v + epsilon),   x^ = (x - mu) r
//! ```
//!
//! and the Jacobian J of x^ is symmetric: J d = r (d - mean d - x^ mean(x^ d)). The variance is the mean square of the
//! differences from the mean, computed in a second pass over numbers in cache, so that no digits cancel.

mod batch;
mod layer;

pub use batch::{Batches, batch_backward, batch_forward, batch_infer};
pub use layer::{layer_curvature, layer_forward, layer_jacobian};
