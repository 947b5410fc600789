//! The pass backwards.

use super::{Cache, Deltas, Gradients, Scratch, Sequential, Wanted, expect_width};
use crate::nn::{BatchNorm, Layer};
use crate::tensor::{Activation, Element};
use crate::{Error, Result};
use alloc::format;
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
    /// **Errors** [`Error::ShapeMismatch`] if it has another length; [`Error::InvalidArgument`] if a value was made for
    /// another network, the cache holds no forward pass or fewer rows, or the rows cut a mini-batch that batch
    /// normalisation saw whole.
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
        self.expect_whole_batches(cache, &wanted)?;
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
            let through = if step == 0 { wanted.input.clone() } else { rows.clone() };
            let parameters =
                wanted.parameters.as_mut().map(|(gradients, rows)| (&mut **gradients, rows.clone()));
            if let Layer::BatchNorm(layer) = &self.layers[self.steps[step].layer] {
                self.batch_norm_back(
                    layer,
                    step,
                    cache,
                    deltas,
                    (rows.clone(), through),
                    parameters,
                    scratch,
                );
                continue;
            }
            if let Some((gradients, rows)) = parameters.filter(|(_, rows)| !rows.is_empty()) {
                self.add_gradients(step, cache, deltas.step(step, rows.clone()), rows, gradients, scratch);
            }
            if !through.is_empty() {
                self.step_back(step, cache, deltas, through, scratch);
            }
        }
        Ok(())
    }

    /// `Ok` if what is wanted is whole mini-batches, in as far as a batch normalisation has seen them.
    fn expect_whole_batches(&self, cache: &Cache<T>, wanted: &Wanted<'_, T>) -> Result<()> {
        let is_batch_norm = |step: &super::Step<T>| matches!(self.layers[step.layer], Layer::BatchNorm(_));
        if !self.steps.iter().any(is_batch_norm) || cache.rows == 0 {
            return Ok(());
        }
        let batch = cache.rows / cache.batches;
        let parameters = wanted.parameters.as_ref().map(|(_, rows)| rows.clone());
        let input = self.steps.first().filter(|step| is_batch_norm(step)).map(|_| wanted.input.clone());
        for rows in [Some(wanted.rows()), parameters, input].into_iter().flatten() {
            if !rows.start.is_multiple_of(batch) || !rows.end.is_multiple_of(batch) {
                return Err(Error::invalid(
                    format!("rows {} to {}", rows.start, rows.end),
                    format!("batch normalisation goes back through whole mini-batches, here of {batch} rows"),
                ));
            }
        }
        Ok(())
    }

    /// Adds the gradients of a step's parameters, `delta` being ∂L/∂z of `rows` of the forward pass.
    pub(super) fn add_gradients(
        &self,
        step: usize,
        cache: &Cache<T>,
        delta: &[T],
        rows: Range<usize>,
        gradients: &mut Gradients<T>,
        scratch: &mut Scratch<T>,
    ) {
        let slot = gradients.slot(self.steps[step].first_parameter);
        match &self.layers[self.steps[step].layer] {
            Layer::Linear(layer) => {
                layer.add_gradients(cache.step_input(step, rows), delta, slot, &mut scratch.workspace);
            }
            Layer::LayerNorm(layer) => layer.add_gradients(cache.normal(step, rows), delta, slot),
            Layer::BatchNorm(_) | Layer::Dropout(_) | Layer::Activation(_) => {}
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
            Layer::Linear(layer) => {
                let before = (self.activation_before(step), cache.step_input(step, rows));
                layer.input_gradient(delta, before, grad_input, &mut scratch.workspace);
                return;
            }
            Layer::LayerNorm(layer) => {
                layer.input_gradient(cache.normal(step, rows.clone()), delta, grad_input);
            }
            Layer::Dropout(layer) => layer.carry(cache.mask(step, rows.clone()), delta, grad_input),
            Layer::BatchNorm(_) | Layer::Activation(_) => grad_input.copy_from_slice(delta),
        }
        self.times_slope_before(step, cache, rows, grad_input);
    }

    /// Both for batch normalisation, whose sums serve parameters and input: over `rows`, and if `through` is not empty to
    /// the step before.
    #[allow(clippy::too_many_arguments)]
    fn batch_norm_back(
        &self,
        layer: &BatchNorm<T>,
        step: usize,
        cache: &Cache<T>,
        deltas: &mut Deltas<T>,
        (rows, through): (Range<usize>, Range<usize>),
        parameters: Option<(&mut Gradients<T>, Range<usize>)>,
        scratch: &mut Scratch<T>,
    ) {
        let (batch, width) = (cache.rows / cache.batches, layer.width());
        let first = rows.start / batch;
        let batches = rows.len() / batch;
        scratch.sums.resize(2 * batches * width);
        let statistics = &cache.steps[step].extra[3 * first * width..][..3 * batches * width];
        let x = cache.step_input(step, rows.clone());
        if through.is_empty() {
            let delta = deltas.step(step, rows);
            layer.backward((x, delta), batches, statistics, &mut scratch.sums, None);
        } else {
            let (delta, grad_input) = deltas.either_side(step, rows.clone());
            layer.backward((x, delta), batches, statistics, &mut scratch.sums, Some(&mut *grad_input));
            self.times_slope_before(step, cache, rows, grad_input);
        }
        if let Some((gradients, rows)) = parameters {
            let slot = gradients.slot(self.steps[step].first_parameter);
            layer.add_gradients(&scratch.sums, rows.start / batch - first..rows.end / batch - first, slot);
        }
    }

    /// From ∂L/∂y of the step before `step` to its ∂L/∂z.
    pub(super) fn times_slope_before(
        &self,
        step: usize,
        cache: &Cache<T>,
        rows: Range<usize>,
        gradient: &mut [T],
    ) {
        let (activation, y) = (self.activation_before(step), cache.step_input(step, rows));
        activation::times_slope_in_place(Level::detect(), activation, y, gradient);
    }

    /// The activation that gave what goes into a step; none gave the input.
    pub(super) fn activation_before(&self, step: usize) -> Activation<T> {
        step.checked_sub(1).map_or(Activation::Identity, |before| self.steps[before].activation)
    }
}
