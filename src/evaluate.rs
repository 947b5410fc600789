//! How good a model is: model, data and stream in, numbers out.

pub mod autocorrelation;
pub mod filters;
pub mod eigen;
pub mod mixing;
pub mod nearest;
pub mod reconstruction;
pub mod stability;
