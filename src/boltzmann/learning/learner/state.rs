//! The state of a learner, from which training can resume.

use super::Learner;
use crate::boltzmann::Rbm;
use crate::boltzmann::learning::tempering::Swaps;
use crate::boltzmann::packed::{pack_tiles, unpack_tiles};
use crate::tensor::{Element, Tensor};
use alloc::vec;
use alloc::vec::Vec;

/// The quantities that change with every update, in the shapes of the model.
///
/// ```
/// use equilibria::boltzmann::{Rbm, learning::{Learner, NegativePhase}};
/// use equilibria::rng::Stream;
/// let model = Rbm::<f32>::new(&[0.5; 4], 2, Stream::named(1, "init"))?;
/// let learner = Learner::new(model, NegativePhase::Persistent, 1, 10, Stream::named(1, "chain"))?;
/// let state = learner.state();
/// assert_eq!(state.persistent_chains.map(|chains| chains.len()), Some(10 * 2));
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LearnerState<T: Element> {
    /// Velocities of W, b and c; 0 after an update without momentum.
    pub velocity: [Tensor<T>; 3],
    /// Hidden states of the persistent chains (temperatures, chains, hidden); contrastive divergence has none.
    pub persistent_chains: Option<Vec<T>>,
    /// Swap counts since [`Learner::forget_swaps`], between each temperature and the next; empty without tempering.
    pub swaps: Vec<Swaps>,
    /// Offsets (visible) and (hidden) of centred learning; plain learning has none.
    pub offsets: Option<[Tensor<T>; 2]>,
}

impl<T: Element> Learner<T> {
    /// The state after the last update, to save.
    pub fn state(&self) -> LearnerState<T> {
        let (visible, hidden) = (self.packed.visible(), self.packed.hidden());
        let [weight, visible_bias, hidden_bias] = &self.velocity;
        let mut velocity =
            [Tensor::zeros(&[visible, hidden]), Tensor::zeros(&[visible]), Tensor::zeros(&[hidden])];
        if self.has_velocity {
            unpack_tiles(weight, hidden, velocity[0].data_mut());
            velocity[1].data_mut().copy_from_slice(visible_bias);
            velocity[2].data_mut().copy_from_slice(hidden_bias);
        }
        let persistent_chains = self.chains.as_ref().map(|chains| {
            let mut states = vec![T::ZERO; chains.hidden.rows() * hidden];
            chains.hidden.unpack(&mut states);
            states
        });
        let offsets = self.centring.as_ref().map(|centring| {
            let mut offsets = [Tensor::zeros(&[visible]), Tensor::zeros(&[hidden])];
            offsets[0].data_mut().copy_from_slice(&centring.visible);
            offsets[1].data_mut().copy_from_slice(&centring.hidden);
            offsets
        });
        LearnerState { velocity, persistent_chains, swaps: self.swaps().to_vec(), offsets }
    }

    /// Continues from `model` and `state`, whose shapes must be those of this learner.
    ///
    /// With tempering, the learner must have been created with the same visible biases as the learner that saved
    /// `state`: they define the model at the highest temperature.
    ///
    /// **Panics** if the shapes differ.
    #[track_caller]
    pub fn restore(&mut self, model: &Rbm<T>, state: &LearnerState<T>) {
        self.packed.read(model);
        self.has_velocity = true;
        let [weight, visible_bias, hidden_bias] = &mut self.velocity;
        pack_tiles(state.velocity[0].data(), self.packed.hidden(), weight);
        visible_bias.copy_from_slice(state.velocity[1].data());
        hidden_bias.copy_from_slice(state.velocity[2].data());
        if let (Some(chains), Some(states)) = (&mut self.chains, &state.persistent_chains) {
            chains.hidden.set(states);
        }
        if let Some(tempering) = &mut self.tempering {
            tempering.swaps.copy_from_slice(&state.swaps);
        }
        if let (Some(centring), Some([of_visible, of_hidden])) = (&mut self.centring, &state.offsets) {
            centring.visible.copy_from_slice(of_visible.data());
            centring.hidden.copy_from_slice(of_hidden.data());
        }
    }
}
