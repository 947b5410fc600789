//! The parameters of a deep machine in the layout of the binary kernels.

use super::Dbm;
use crate::aligned::Aligned;
use crate::boltzmann::link::Weights;
use crate::boltzmann::packed::Tiles;
use crate::tensor::Element;
use alloc::vec::Vec;

/// The weights in tiles, and the biases.
///
/// Every matrix connects an even layer and an odd one. The rows of its tiles are always the units of the even layer and
/// the columns those of the odd layer, whichever is above. The learner can therefore combine the states of even layers
/// with the probabilities of odd ones.
#[derive(Debug, Clone)]
pub(crate) struct PackedDbm<T: Element> {
    /// W_1 to W_L.
    pub weights: Vec<Tiles<T>>,
    /// b_0 to b_L.
    pub biases: Vec<Aligned<T>>,
}

/// The even layer and the odd layer among layers `place` and `place + 1`.
pub(crate) const fn even_and_odd(place: usize) -> [usize; 2] {
    if place.is_multiple_of(2) { [place, place + 1] } else { [place + 1, place] }
}

impl<T: Element> PackedDbm<T> {
    pub fn new(model: &Dbm<T>) -> Self {
        let sizes: Vec<usize> = model.sizes().collect();
        let tiles = |place| {
            let [even, odd] = even_and_odd(place);
            Tiles::new(sizes[even], sizes[odd])
        };
        let mut packed = Self {
            weights: (0..model.hidden_layers()).map(tiles).collect(),
            biases: sizes.iter().map(|&size| Aligned::zeros(size)).collect(),
        };
        packed.read(model);
        packed
    }

    /// Copies the parameters of `model`, which has the same sizes.
    pub fn read(&mut self, model: &Dbm<T>) {
        for (place, (tiles, weight)) in self.weights.iter_mut().zip(model.weights()).enumerate() {
            if place.is_multiple_of(2) {
                tiles.read(weight.data());
            } else {
                tiles.read_transposed(weight.data());
            }
        }
        for (packed, bias) in self.biases.iter_mut().zip(model.biases()) {
            packed.copy_from_slice(bias.data());
        }
    }

    /// Copies the parameters to `model`, which has the same sizes.
    pub fn write(&self, model: &mut Dbm<T>) {
        let (weights, biases) = model.parameters_mut();
        for (place, (tiles, weight)) in self.weights.iter().zip(weights).enumerate() {
            if place.is_multiple_of(2) {
                tiles.write(weight.data_mut());
            } else {
                tiles.write_transposed(weight.data_mut());
            }
        }
        for (packed, bias) in self.biases.iter().zip(biases) {
            bias.data_mut().copy_from_slice(packed);
        }
    }

    /// The weights from the units of a layer to the panels of a neighbour.
    pub fn between(&self, from: usize, to: usize) -> Weights<'_, T> {
        let tiles = &self.weights[from.min(to)];
        if to.is_multiple_of(2) { tiles.to_rows() } else { tiles.to_columns() }
    }
}
