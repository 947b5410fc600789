//! Velocities, gradients and offsets of the joint training.

use crate::aligned::Aligned;
use crate::boltzmann::dbm::packed::PackedDbm;
use crate::boltzmann::units::UnitValues;
use crate::tensor::Element;
use alloc::vec::Vec;
use equilibria_kernels::binary::{PANEL, panels};
use equilibria_kernels::{Level, math, reduce};

/// Velocities of W_1 to W_L (in tiles, as the weights) and of b_0 to b_L; in centred learning, of the centred
/// parameters.
#[derive(Debug, Clone)]
pub(super) struct Velocity<T: Element> {
    pub weights: Vec<Aligned<T>>,
    pub biases: Vec<Aligned<T>>,
}

impl<T: Element> Velocity<T> {
    pub fn new(packed: &PackedDbm<T>) -> Self {
        Self {
            weights: packed.weights.iter().map(|tiles| Aligned::zeros(tiles.forward.len())).collect(),
            biases: packed.biases.iter().map(|bias| Aligned::zeros(bias.len())).collect(),
        }
    }
}

/// The gradient of one layer.
#[derive(Debug, Clone)]
pub(super) struct LayerGradient<T: Element> {
    /// The gradient with respect to the biases, times the learning rate.
    pub bias_gradient: UnitValues<T>,
    /// Means of the units over the data.
    pub means: UnitValues<T>,
}

impl<T: Element> LayerGradient<T> {
    pub fn new(units: usize) -> Self {
        Self { bias_gradient: UnitValues::new(units), means: UnitValues::new(units) }
    }

    /// Computes the positive phase from numbers (rows, units).
    pub fn read(&mut self, numbers: &[T], rows: usize, rate: T) {
        let means = &mut *self.means;
        means.fill(T::ZERO);
        let per_row = T::ONE / T::from_f64(rows as f64);
        reduce::add_column_sums(Level::detect(), per_row, numbers, rows, means.len(), means);
        self.bias_gradient.iter_mut().zip(means).for_each(|(gradient, mean)| *gradient = rate * *mean);
    }
}

/// The offsets, and buffers for the effect of a step of the weights on the biases.
#[derive(Debug, Clone)]
pub(super) struct DeepCentring<T: Element> {
    /// The offsets of each layer.
    pub offsets: Vec<UnitValues<T>>,
    /// The products of each matrix, laid out as in [`Centring`](crate::boltzmann::learning::centring::Centring).
    pub products: Vec<Aligned<T>>,
}

impl<T: Element> DeepCentring<T> {
    /// Creates offsets that start at sigmoid(b_0) and, for hidden layers, at 0.5.
    pub fn new(packed: &PackedDbm<T>) -> Self {
        let offsets = |(layer, bias): (usize, &Aligned<T>)| {
            let mut offsets = UnitValues::new(bias.len());
            if layer == 0 {
                offsets.copy_from_slice(bias);
            }
            // sigmoid(0) = 0.5
            math::sigmoid_in_place(Level::detect(), &mut offsets);
            offsets
        };
        let products =
            |[rows, columns]: [usize; 2]| Aligned::zeros(panels(columns) * (panels(rows) + 1) * PANEL);
        Self {
            offsets: packed.biases.iter().enumerate().map(offsets).collect(),
            products: packed.weights.iter().map(|tiles| products([tiles.rows, tiles.columns])).collect(),
        }
    }
}
