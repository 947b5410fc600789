//! How good a model is: model, data and stream in, numbers out.

pub mod autocorrelation;
pub mod classifier;
pub mod eigen;
pub mod filters;
pub mod frechet;
pub mod kernel_distance;
pub mod memorisation;
pub mod mixing;
pub mod modes;
pub mod nearest;
mod pairs;
pub mod precision_recall;
pub mod reconstruction;
pub mod sliced;
pub mod stability;
