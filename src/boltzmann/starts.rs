//! Starts of Gibbs chains from images or from noise, for restricted and for deep machines.

use super::learning::deep::pretraining::hidden_states;
use super::{Dbm, DbmChains, GibbsChains, MeanField, Rbm, Stop};
use crate::Result;
use crate::rng::Stream;
use crate::tensor::Element;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::{Level, random};

/// Gibbs chains of either kind of machine, seen through their visible units.
///
/// ```
/// use equilibria::boltzmann::{GibbsChains, ImageChains, Rbm};
/// use equilibria::rng::Stream;
/// let model = Rbm::<f32>::new(&[0.5; 4], 2, Stream::named(1, "init"))?;
/// let mut chains: Box<dyn ImageChains<f32>> = Box::new(GibbsChains::new(&model, 3, Stream::named(1, "chain")));
/// chains.walk(2);
/// assert!(chains.visible_states().iter().all(|&state| state == 0.0 || state == 1.0));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub trait ImageChains<T: Element> {
    /// Takes `steps` Gibbs steps, which end at the visible units.
    fn walk(&mut self, steps: usize);

    /// The visible states (chains, visible), each 0 or 1.
    fn visible_states(&self) -> Vec<T>;

    /// Writes the probabilities (chains, visible) from which the visible units were last sampled.
    fn visible_probabilities_into(&self, out: &mut [T]);

    /// Sets the visible units that are on in `known` to their states in `values`. Both are packed by
    /// [`pack_states`](equilibria_kernels::binary::pack_states) from (chains, visible).
    fn clamp_visible(&mut self, known: &[u64], values: &[u64]);

    /// The probabilities (chains, visible) from which the visible units were last sampled.
    fn visible_probabilities(&self) -> Vec<T> {
        let mut probabilities = self.visible_states();
        self.visible_probabilities_into(&mut probabilities);
        probabilities
    }
}

impl<T: Element> ImageChains<T> for GibbsChains<T> {
    fn walk(&mut self, steps: usize) {
        self.walk(steps);
    }

    fn visible_states(&self) -> Vec<T> {
        self.visible_states()
    }

    fn visible_probabilities_into(&self, out: &mut [T]) {
        self.visible_probabilities_into(out);
    }

    fn clamp_visible(&mut self, known: &[u64], values: &[u64]) {
        self.clamp_visible(known, values);
    }
}

impl<T: Element> ImageChains<T> for DbmChains<T> {
    fn walk(&mut self, steps: usize) {
        self.walk(steps);
    }

    fn visible_states(&self) -> Vec<T> {
        self.states(0)
    }

    fn visible_probabilities_into(&self, out: &mut [T]) {
        self.probabilities_into(0, out);
    }

    fn clamp_visible(&mut self, known: &[u64], values: &[u64]) {
        self.clamp_visible(known, values);
    }
}

impl GibbsChains<f32> {
    /// Creates one chain for each of `images` (chains, visible), each pixel 0 or 1.
    ///
    /// **Errors** As [`GibbsChains::set_visible_states`].
    pub fn at(model: &Rbm<f32>, images: &[f32], stream: Stream) -> Result<Self> {
        let mut chains = Self::new(model, images.len() / model.visible(), stream);
        chains.set_visible_states(images)?;
        Ok(chains)
    }
}

impl DbmChains<f32> {
    /// Creates one chain for each of `images` (chains, visible), each pixel 0 or 1.
    ///
    /// Even hidden layers are sampled from the means of mean-field inference, which ends at `stop`. Without `stop` they
    /// are [`coin_flips`], for images that are noise themselves.
    ///
    /// **Errors** As [`DbmChains::set_states`] and [`MeanField::infer`].
    ///
    /// **Randomness** The chains draw from `stream.substream(0)`, the first states of layer l from
    /// `stream.substream(l)`.
    pub fn at(model: &Dbm<f32>, images: &[f32], stop: Option<Stop>, stream: Stream) -> Result<Self> {
        let count = images.len() / model.visible();
        let mut chains = Self::new(model, count, stream.substream(0));
        chains.set_states(0, images)?;
        let mut posterior = MeanField::new(model, count);
        if let Some(stop) = stop {
            posterior.infer(model, images, stop)?;
        }
        for (layer, units) in model.sizes().enumerate().skip(2).step_by(2) {
            let stream = stream.substream(layer as u64);
            let mut states = coin_flips(count, units, stream);
            if stop.is_some() {
                hidden_states(posterior.means(layer), units, stream, &mut states);
            }
            chains.set_states(layer, &states)?;
        }
        Ok(chains)
    }
}

/// States (chains, units), each 0 or 1 with probability one half.
///
/// **Randomness** Chain c draws from `stream.substream(c)`.
///
/// ```
/// use equilibria::{boltzmann::coin_flips, rng::Stream};
/// let flips = coin_flips(100, 50, Stream::named(1, "chain"));
/// let heads = flips.iter().filter(|&&flip| flip == 1.0).count();
/// assert!(flips.len() == 5000 && (2300..2700).contains(&heads));
/// ```
pub fn coin_flips(chains: usize, units: usize, stream: Stream) -> Vec<f32> {
    let mut states = vec![0.0_f32; chains * units];
    for (chain, row) in states.chunks_exact_mut(units).enumerate() {
        random::fill_uniform(Level::detect(), &mut stream.substream(chain as u64).bulk(), row);
        row.iter_mut().for_each(|u| *u = f32::from(*u < 0.5));
    }
    states
}
