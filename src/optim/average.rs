//! The exponential moving average of a network's parameters.

use crate::nn::Sequential;
use crate::parallel::{Chunks, for_each_split};
use crate::tensor::Element;
use equilibria_kernels::{Level, update};

/// A network whose parameters follow another's: at each step they keep a share of what they were.
///
/// A generator that goes round an equilibrium has its average nearer to it (Yazıcı et al. 2019, "The unusual effectiveness
/// of averaging in GAN training"). Running statistics are taken over as they are.
#[derive(Debug, Clone)]
pub struct Average<T: Element> {
    kept: f64,
    network: Sequential<T>,
}

/// Parameters of a task.
const CHUNK: usize = 1 << 14;

impl<T: Element> Average<T> {
    /// An average that starts at `network` and keeps the share `kept` at each step, for instance 0.999.
    pub fn new(kept: f64, network: &Sequential<T>) -> Self {
        Self { kept, network: network.clone() }
    }

    /// The averaged network.
    pub fn network(&self) -> &Sequential<T> {
        &self.network
    }

    /// The averaged network, writable: to go on from a checkpoint.
    pub fn network_mut(&mut self) -> &mut Sequential<T> {
        &mut self.network
    }

    /// Takes a step towards `network`, which is to be like the one of [`Average::new`].
    pub fn update(&mut self, network: &Sequential<T>) {
        let (level, kept) = (Level::detect(), T::from_f64(self.kept));
        for (average, parameter) in self.network.parameters_mut().zip(network.parameters()) {
            let tasks = parameter.len().div_ceil(CHUNK);
            let from = parameter.data();
            for_each_split(tasks, true, Chunks(average.data_mut(), CHUNK), &|task, Chunks(average, _)| {
                update::average(level, kept, &from[task * CHUNK..][..average.len()], average);
            });
        }
    }
}
