//! The pass backwards.

use super::{Cache, Deltas, Gradients, Scratch, Sequential, Wanted, expect_width};
use crate::Result;
use crate::nn::Layer;
use crate::tensor::Element;
use core::ops::Range;
use equilibria_kernels::{Level, activation};

impl<T: Element> Sequential<T> {
    /// Carries ∂L/∂y back through a forward pass: adds ∂L/∂θ to the gradients that are `wanted`, and leaves ∂L/∂x in
    /// [`Deltas::input`].
    ///
    /// Rows are independent (within a mini-batch, with batch normalisation), so each can have a loss of its own; a
    /// critic's input gradients are those of the seed 1.
    ///
    /// **Shapes** `grad_output` (rows, outputs), from the first row that is wanted to the last.
    /// **Errors** [`Error::ShapeMismatch`](crate::Error::ShapeMismatch) if it has another length;
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) if a value was made for another network, the cache holds
    /// no forward pass or fewer rows, or the rows cut a mini-batch that batch normalisation saw whole.
    /// **Accuracy and cost** Two products a linear layer; one where no parameter gradients are wanted, and at the first
    /// layer where no input gradient is.
    pub fn backward(
        &self,
        cache: &Cache<T>,
        grad_output: &[T],
        mut wanted: Wanted<'_, T>,
        deltas: &mut Deltas<T>,
        scratch: &mut Scratch<T>,
    ) -> Result<()> {
        let rows = wanted.rows();
        self.expect_filled(cache, &rows)?;
        self.expect_own("the deltas", &deltas.widths)?;
        expect_width("gradient of a network's output", rows.len() * self.outputs(), grad_output.len())?;
        if let Some((gradients, _)) = &wanted.parameters {
            gradients.check(self.parameters().count())?;
        }
        deltas.resize(cache.rows, !wanted.input.is_empty());
        deltas.rows = rows.clone();
        deltas.input_rows = wanted.input.clone();
        let Some(last) = self.steps.len().checked_sub(1) else {
            let input = wanted.input;
            let taken = &grad_output[(input.start - rows.start) * self.inputs..][..input.len() * self.inputs];
            deltas.input_mut(input).copy_from_slice(taken);
            return Ok(());
        };
        let y = cache.step_output(last, rows.clone());
        let delta = deltas.step_mut(last, rows.clone());
        activation::times_slope(Level::detect(), self.steps[last].activation, y, grad_output, delta);
        for step in (0..=last).rev() {
            if let Some((gradients, of)) = &mut wanted.parameters
                && of.start < of.end
            {
                self.add_gradients(step, cache, deltas, of.clone(), gradients, scratch);
            }
            let of = if step == 0 { wanted.input.clone() } else { rows.clone() };
            if !of.is_empty() {
                self.step_back(step, cache, deltas, of, scratch);
            }
        }
        Ok(())
    }

    /// Adds the parameter gradients of a step.
    fn add_gradients(
        &self,
        step: usize,
        cache: &Cache<T>,
        deltas: &Deltas<T>,
        rows: Range<usize>,
        gradients: &mut Gradients<T>,
        scratch: &mut Scratch<T>,
    ) {
        let x = cache.step_input(step, rows.clone());
        let delta = deltas.step(step, rows);
        let slot = gradients.slot(self.steps[step].first_parameter);
        match &self.layers[self.steps[step].layer] {
            Layer::Linear(layer) => layer.add_gradients(x, delta, true, slot, &mut scratch.workspace),
            Layer::Dropout(_) | Layer::Activation(_) => {}
        }
    }

    /// From a step's δ to the one before it, or to the input.
    fn step_back(
        &self,
        step: usize,
        cache: &Cache<T>,
        deltas: &mut Deltas<T>,
        rows: Range<usize>,
        scratch: &mut Scratch<T>,
    ) {
        let (delta, grad_input) = deltas.either_side(step, rows.clone());
        match &self.layers[self.steps[step].layer] {
            Layer::Linear(layer) => layer.input_gradient(delta, grad_input, &mut scratch.workspace),
            Layer::Dropout(layer) => layer.carry(cache.mask(step, rows.clone()), delta, grad_input),
            Layer::Activation(_) => grad_input.copy_from_slice(delta),
        }
        if step > 0 {
            let y = cache.step_output(step - 1, rows);
            let activation = self.steps[step - 1].activation;
            activation::times_slope_in_place(Level::detect(), activation, y, grad_input);
        }
    }
}
