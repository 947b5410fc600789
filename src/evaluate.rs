//! How good a model is: model, data and stream in, numbers out.

pub mod reconstruction;
