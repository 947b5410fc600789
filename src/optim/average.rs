//! The exponential moving average of a network's parameters.

use crate::nn::Sequential;
use crate::parallel::{Chunks, for_each_split};
use crate::tensor::Element;
use equilibria_kernels::{Level, update};

/// A network whose parameters are an exponential moving average of another network's parameters.
///
/// A generator that circles around an equilibrium has an average that is closer to it (Yazıcı et al. 2019, "The unusual
/// effectiveness of averaging in GAN training"). Running statistics are copied without averaging.
#[derive(Debug, Clone)]
pub struct Average<T: Element> {
    kept: f64,
    network: Sequential<T>,
}

/// Parameters per task.
const CHUNK: usize = 1 << 14;

impl<T: Element> Average<T> {
    /// An average that starts at `network` and keeps the fraction `kept` of its value at each step, for instance 0.999.
    pub fn new(kept: f64, network: &Sequential<T>) -> Self {
        Self { kept, network: network.clone() }
    }

    /// The averaged network.
    pub fn network(&self) -> &Sequential<T> {
        &self.network
    }

    /// The averaged network, mutable: for resuming from a checkpoint.
    pub fn network_mut(&mut self) -> &mut Sequential<T> {
        &mut self.network
    }

    /// Updates the average with the parameters of `network`.
    ///
    /// **Panics** if the architecture of `network` differs from that of [`Average::new`].
    pub fn update(&mut self, network: &Sequential<T>) {
        let (level, kept) = (Level::detect(), T::from_f64(self.kept));
        for (average, parameter) in self.network.parameters_mut().zip(network.parameters()) {
            let tasks = parameter.len().div_ceil(CHUNK);
            let from = parameter.data();
            for_each_split(tasks, true, Chunks(average.data_mut(), CHUNK), &|task, Chunks(average, _)| {
                update::average(level, kept, &from[task * CHUNK..][..average.len()], average);
            });
        }
        for (own, other) in self.network.statistics_mut().zip(network.statistics()) {
            own.data_mut().copy_from_slice(other.data());
        }
    }
}
