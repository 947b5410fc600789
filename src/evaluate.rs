//! Quality measures for models: each takes a model or its samples, data and a random stream, and returns numbers.

pub mod autocorrelation;
pub mod classifier;
pub mod colour_histogram;
pub mod divergences;
pub mod encoder;
pub mod features;
pub mod filters;
pub mod frechet;
pub mod kernel_distance;
pub mod memorisation;
pub mod mixing;
pub mod modes;
pub mod nearest;
pub mod pairs;
pub mod precision_recall;
pub mod pyramid;
pub mod reconstruction;
pub mod second_half;
pub mod stability;
pub mod unlabelled;
