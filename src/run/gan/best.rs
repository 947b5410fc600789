//! The best generator of a run so far: the one whose samples were nearest to training images.
//!
//! The losses of a game do not tell how good its samples are, and its last generator need not be its best. The samples that are
//! compared come from the same latents each time, so that a difference of two distances is one of the generators.

use super::observer::Observer;
use crate::Result;
use crate::checkpoint::Archive;
use crate::nn::Sequential;
use crate::nn::plan::read_tensor;
use crate::run::restore::{self, not_reached};
use crate::tensor::Tensor;
use serde::Serialize;

/// The owner of its tensors in a checkpoint.
pub(super) const BEST: &str = "best";
/// Metadata of a checkpoint.
const STEP: &str = "best_step";
const DISTANCE: &str = "best_distance";

/// The step of a run with the best generator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BestStep {
    /// Steps of the generator.
    pub step: u64,
    /// The distance of its samples from training images.
    pub distance: f64,
    /// The name of this distance.
    pub measure: &'static str,
}

pub(super) struct Best {
    pub step: u64,
    pub distance: f64,
    pub network: Sequential<f32>,
}

impl Best {
    pub fn step(&self, observer: &Observer) -> BestStep {
        BestStep { step: self.step, distance: self.distance, measure: observer.measure_of_distance() }
    }

    /// Its tensors, under the name of an owner.
    pub fn tensors(&self, owner: &str) -> impl Iterator<Item = (String, &Tensor<f32>)> {
        self.network.state().map(move |(name, tensor)| (format!("{owner}.{name}"), tensor))
    }

    /// Puts step and distance into a checkpoint.
    pub fn describe(&self, archive: &mut Archive) {
        archive.set_metadata(STEP, &self.step.to_string());
        archive.set_metadata(DISTANCE, &self.distance.to_string());
    }

    /// The best generator in a checkpoint after `steps` steps, if there is one; `like` has its layers.
    ///
    /// **Errors** [`Error::Malformed`](crate::Error::Malformed) if this run cannot have reached it.
    pub fn restore(archive: &Archive, steps: u64, like: &Sequential<f32>) -> Result<Option<Self>> {
        let Some(distance) = archive.metadata(DISTANCE) else { return Ok(None) };
        let distance = distance.parse().ok().filter(|distance: &f64| distance.is_finite());
        let distance = distance.ok_or_else(|| not_reached(archive, DISTANCE))?;
        let step = restore::number(archive, STEP, steps)?;
        let mut network = like.clone();
        for (name, tensor) in network.state_mut() {
            let values = read_tensor(archive, &format!("{BEST}.{name}"), tensor.shape())?;
            tensor.data_mut().copy_from_slice(values);
        }
        Ok(Some(Self { step, distance, network }))
    }
}
