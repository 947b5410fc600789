//! Empty buffers for the passes of a network.

use super::Sequential;
use crate::nn::{Cache, Deltas, Gradients, Tangents};
use crate::tensor::{Element, Tensor};

impl<T: Element> Cache<T> {
    /// An empty cache for passes through `model`.
    pub fn new(model: &Sequential<T>) -> Self {
        Self::with_layout(model.layout().collect())
    }
}

impl<T: Element> Deltas<T> {
    /// Empty deltas for passes through `model`.
    pub fn new(model: &Sequential<T>) -> Self {
        Self::with_layout(model.layout().collect())
    }
}

impl<T: Element> Tangents<T> {
    /// Empty tangents for passes through `model`.
    pub fn new(model: &Sequential<T>) -> Self {
        Self::with_layout(model.layout().collect())
    }
}

impl<T: Element> Gradients<T> {
    /// Zeros, one tensor for each parameter of `model`.
    pub fn new(model: &Sequential<T>) -> Self {
        Self::from_tensors(model.parameters().map(|parameter| Tensor::zeros(parameter.shape())).collect())
    }
}
