//! Boltzmann machines, restricted and deep, sampled from the bytes of their file.

use super::checksum;
use super::error::{ModelError, TensorName, first_of};
use super::file::ModelFile;
use super::matrix::Matrix;
use core::ops::Range;
use equilibria_kernels::{Level, math};

/// A restricted or deep Boltzmann machine whose parameters stay in the bytes of its file.
///
/// Layer 0 is the visible one; a restricted machine has one more. The state of a chain is one number per unit, 0 or 1, in
/// one slice: the visible units first, then each hidden layer. There is no other memory.
///
/// ```
/// use equilibria::embedded::StoredMachine;
/// static MODEL: &[u8] = include_bytes!("../../fixtures/rbm-784-500.safetensors");
/// let machine = StoredMachine::from_bytes(MODEL)?;
/// assert!(machine.sizes().eq([784, 500]));
/// let mut state = vec![0.0; machine.state_len()];
/// machine.probabilities(1, 0..500, &mut state)?;
/// assert!(state[784..].iter().all(|p| (0.0..=1.0).contains(p)));
/// # Ok::<(), equilibria::embedded::ModelError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct StoredMachine<'a> {
    file: ModelFile<'a>,
    is_restricted: bool,
    layers: usize,
    level: Level,
}

impl<'a> StoredMachine<'a> {
    /// Checks a file that [`Rbm::to_archive`](crate::boltzmann::Rbm) or [`Dbm::to_archive`](crate::boltzmann::Dbm) wrote.
    ///
    /// **Errors** [`ModelError::Header`], [`ModelError::Checksum`]; [`ModelError::Metadata`] for another kind of model;
    /// [`ModelError::Tensor`] if a tensor is missing, of another shape or type, or not finite.
    ///
    /// **Accuracy and cost** Reads every byte once for the checksum and every number once.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, ModelError> {
        let file = checksum::open(bytes)?;
        if file.value("model").is_some_and(|kind| !kind.is("rbm") && !kind.is("dbm")) {
            let problem = "this is not a Boltzmann machine, `rbm` or `dbm`";
            return Err(ModelError::Metadata { key: "model", problem });
        }
        let is_restricted = file.tensors().any(|tensor| tensor.name.is("weight"));
        let mut machine = Self { file, is_restricted, layers: 2, level: Level::detect() };
        let has = |name: TensorName| file.tensors().any(|tensor| tensor.name.is(name.as_str()));
        while !is_restricted && has(machine.weight_name(machine.layers)) {
            machine.layers += 1;
        }
        let check = |name, shape: &[usize]| Matrix::of_shape(&file, name, shape)?.finite(name);
        let mut units = machine.bias(0)?.columns();
        check(machine.bias_name(0), &[units])?;
        for layer in 1..machine.layers {
            let above = machine.weight(layer)?.columns();
            check(machine.weight_name(layer), &[units, above])?;
            check(machine.bias_name(layer), &[above])?;
            units = above;
        }
        Ok(machine)
    }

    /// Computes at this SIMD level instead of the best one.
    #[must_use]
    pub fn at_level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// The number of units of each layer, the visible one first.
    pub fn sizes(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        (0..self.layers).map(|layer| self.bias(layer).map_or(0, |bias| bias.columns()))
    }

    /// The length of a state: the number of all units.
    pub fn state_len(&self) -> usize {
        self.sizes().sum()
    }

    /// The weights between this layer and the one below.
    fn weight(&self, layer: usize) -> Result<Matrix<'a>, ModelError> {
        Matrix::find(&self.file, self.weight_name(layer))
    }

    fn bias(&self, layer: usize) -> Result<Matrix<'a>, ModelError> {
        Matrix::find(&self.file, self.bias_name(layer))
    }

    fn weight_name(&self, layer: usize) -> TensorName {
        match self.is_restricted {
            true => TensorName::new(&["weight"]),
            false => TensorName::numbered("weight_", layer, ""),
        }
    }

    fn bias_name(&self, layer: usize) -> TensorName {
        match (self.is_restricted, layer) {
            (true, 0) => TensorName::new(&["visible_bias"]),
            (true, _) => TensorName::new(&["hidden_bias"]),
            (false, _) => TensorName::numbered("bias_", layer, ""),
        }
    }

    /// Replaces the states of these units of a layer by their probabilities P(unit = 1 | neighbouring layers).
    ///
    /// The other layers may hold probabilities, too: P is then sigmoid of the mean input, as in mean-field inference.
    ///
    /// **Shapes** `state` ([`StoredMachine::state_len`]).
    ///
    /// **Errors** [`ModelError::Buffer`] if `state` is shorter; [`ModelError::Units`] if the layer does not have the units.
    pub fn probabilities(
        &self,
        layer: usize,
        units: Range<usize>,
        state: &mut [f32],
    ) -> Result<(), ModelError> {
        self.compute(layer, units, state).map(|_| ())
    }

    /// Computes [`StoredMachine::probabilities`], and returns those of the units.
    fn compute<'s>(
        &self,
        layer: usize,
        units: Range<usize>,
        state: &'s mut [f32],
    ) -> Result<&'s mut [f32], ModelError> {
        let (mut start, mut size, mut needed) = (0, 0, 0);
        for (index, units) in self.sizes().enumerate() {
            if index == layer {
                (start, size) = (needed, units);
            }
            needed += units;
        }
        let state = first_of("state", state, needed)?;
        if units.start > units.end || units.end > size {
            return Err(ModelError::Units { layer, end: units.end, units: size });
        }
        let (below, rest) = state.split_at_mut(start);
        let (own, above) = rest.split_at_mut(size);
        let own = &mut own[units.clone()];
        self.bias(layer)?.copy(units.clone(), own);
        if layer > 0 {
            let weight = self.weight(layer)?;
            let below = &below[start - weight.rows()..];
            for (unit, &value) in below.iter().enumerate().filter(|(_, value)| **value != 0.0) {
                weight.add_row(self.level, value, unit, units.clone(), own);
            }
        }
        if layer + 1 < self.layers {
            let weight = self.weight(layer + 1)?;
            for (unit, own) in units.zip(own.iter_mut()) {
                *own += weight.dot(self.level, unit, &above[..weight.columns()]);
            }
        }
        math::sigmoid_in_place(self.level, own);
        Ok(own)
    }

    /// Samples these units of a layer given the neighbouring layers.
    ///
    /// **Shapes**, **Errors** Those of [`StoredMachine::probabilities`].
    ///
    /// **Randomness** One draw per unit, in order; its highest 24 bits decide.
    pub fn sample(
        &self,
        layer: usize,
        units: Range<usize>,
        state: &mut [f32],
        mut random: impl FnMut() -> u64,
    ) -> Result<(), ModelError> {
        for unit in self.compute(layer, units, state)? {
            *unit = f32::from(u8::from(uniform(random()) < *unit));
        }
        Ok(())
    }

    /// Takes one Gibbs step: samples all odd layers, then all even ones.
    ///
    /// It samples only the visible units of `unknown`. The others keep their states, so that a step completes an
    /// image; `0..visible` samples all.
    ///
    /// **Shapes**, **Errors** Those of [`StoredMachine::probabilities`].
    ///
    /// **Randomness** Those of [`StoredMachine::sample`], for the layers 1, 3, ... and then 0, 2, ...
    pub fn step(
        &self,
        unknown: Range<usize>,
        state: &mut [f32],
        mut random: impl FnMut() -> u64,
    ) -> Result<(), ModelError> {
        let odd_then_even = (1..self.layers).step_by(2).chain((0..self.layers).step_by(2));
        for layer in odd_then_even {
            let units = match layer {
                0 => unknown.clone(),
                _ => 0..self.bias(layer)?.columns(),
            };
            self.sample(layer, units, state, &mut random)?;
        }
        Ok(())
    }
}

/// A number in [0, 1) from the highest 24 bits of a word.
pub(super) fn uniform(word: u64) -> f32 {
    (word >> 40) as f32 / (1 << 24) as f32
}
