//! The exponential moving average of a network's parameters.

use crate::nn::Sequential;
use crate::parallel::{Chunks, for_each_split};
use crate::tensor::Element;
use crate::{Error, Result};
use alloc::format;
use equilibria_kernels::{Level, update};

/// A network whose parameters are an exponential moving average of another network's parameters.
///
/// A generator that circles around an equilibrium has an average that is closer to it (Yazıcı et al. 2019, "The unusual
/// effectiveness of averaging in GAN training"). Running statistics are not changed, because those of the other network do not
/// fit averaged parameters: a training pass through [`Average::network_mut`] updates them.
///
/// ```
/// use equilibria::nn::{Linear, Sequential};
/// use equilibria::optim::Average;
/// let mut network = Sequential::<f32>::new(1, vec![Linear::new(1, 1).into()])?;
/// let mut average = Average::new(0.75, &network)?;
/// network.parameters_mut().for_each(|parameter| parameter.fill(4.0));
/// average.update(&network);
/// assert_eq!(average.network().parameters().next().unwrap().data(), [1.0]);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Average<T: Element> {
    kept: f64,
    network: Sequential<T>,
}

/// Parameters per task.
const CHUNK: usize = 1 << 14;

impl<T: Element> Average<T> {
    /// An average that starts at `network` and keeps the fraction `kept` of its value at each step, for instance 0.999.
    ///
    /// **Errors** [`Error::InvalidArgument`] unless `kept` is at least 0 and below 1.
    pub fn new(kept: f64, network: &Sequential<T>) -> Result<Self> {
        if !(0.0..1.0).contains(&kept) {
            return Err(Error::invalid(format!("average {kept}"), "it must be at least 0 and below 1"));
        }
        Ok(Self { kept, network: network.clone() })
    }

    /// The averaged network.
    pub fn network(&self) -> &Sequential<T> {
        &self.network
    }

    /// The averaged network, mutable: for resuming from a checkpoint, and for passes that update its running statistics.
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
    }
}
