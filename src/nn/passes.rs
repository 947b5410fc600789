//! What passes through a network leave behind, owned by whoever runs them.
//!
//! Buffers take their sizes on first use, follow the number of rows, and never shrink.

use super::Sequential;
use crate::aligned::Aligned;
use crate::rng::Stream;
use crate::tensor::{Element, Tensor, Workspace};
use crate::{Error, Result};
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;
use equilibria_kernels::{Level, reduce};

/// What a training pass has to know beside its input.
#[derive(Debug, Clone, Copy)]
pub struct Training {
    pub(super) batches: usize,
    pub(super) stream: Stream,
}

impl Training {
    /// One mini-batch.
    ///
    /// **Randomness** Dropout in layer l takes `stream.substream(l)`, and of it a substream a row; without dropout, nothing.
    pub fn new(stream: Stream) -> Self {
        Self { batches: 1, stream }
    }

    /// The input is `batches` mini-batches of equal size, one after another: batch normalisation takes the statistics of
    /// each by itself, as in a pass of its own. Nothing else makes a difference.
    #[must_use]
    pub fn of_batches(self, batches: usize) -> Self {
        Self { batches, ..self }
    }
}

/// Memory that every pass works in: workspace of the products, and what is between two layers of an inference.
#[derive(Debug)]
pub struct Scratch<T: Element> {
    pub(super) workspace: Workspace<T>,
    pub(super) between: [Aligned<T>; 2],
    /// Of columns over mini-batches.
    pub(super) sums: Aligned<T>,
}

impl<T: Element> Scratch<T> {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            workspace: Workspace::new(),
            between: [Aligned::zeros(0), Aligned::zeros(0)],
            sums: Aligned::zeros(0),
        }
    }
}

impl<T: Element> Default for Scratch<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// What a forward pass remembers: its input, and for each step what came out.
#[derive(Debug, Clone)]
pub struct Cache<T: Element> {
    /// Of the input, then of each step's output.
    pub(super) widths: Vec<usize>,
    pub(super) rows: usize,
    /// Mini-batches in the rows.
    pub(super) batches: usize,
    /// Whether a forward pass has seen this input.
    pub(super) is_filled: bool,
    pub(super) input: Aligned<T>,
    pub(super) steps: Vec<StepCache<T>>,
}

/// What one step remembers.
#[derive(Debug, Clone)]
pub(super) struct StepCache<T: Element> {
    /// (rows, width), after the activation.
    pub output: Aligned<T>,
    /// What the layer needs beside: statistics, or masks.
    pub extra: Aligned<T>,
}

impl<T: Element> Cache<T> {
    /// An empty cache for passes through `model`.
    pub fn new(model: &Sequential<T>) -> Self {
        let step = StepCache { output: Aligned::zeros(0), extra: Aligned::zeros(0) };
        Self {
            widths: model.widths(),
            rows: 0,
            batches: 1,
            is_filled: false,
            input: Aligned::zeros(0),
            steps: vec![step; model.steps.len()],
        }
    }

    /// The input (rows, inputs) of the next forward pass, to be written. Its content is not kept.
    pub fn input_mut(&mut self, rows: usize) -> &mut [T] {
        self.rows = rows;
        self.is_filled = false;
        self.input.resize(rows * self.widths[0]);
        &mut self.input
    }

    /// The input (rows, inputs).
    pub fn input(&self) -> &[T] {
        &self.input
    }

    /// The rows of the input.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// What came out of the last forward pass (rows, outputs).
    ///
    /// **Panics** if [`Cache::input_mut`] was called since.
    pub fn output(&self) -> &[T] {
        assert!(self.is_filled, "the output of an input that has not gone forwards");
        self.steps.last().map_or(&self.input, |step| &step.output)
    }

    /// The output's rows in `rows`.
    ///
    /// **Panics** as [`Cache::output`], and if there are no such rows.
    pub fn output_rows(&self, rows: Range<usize>) -> &[T] {
        let width = self.widths[self.steps.len()];
        &self.output()[rows.start * width..rows.end * width]
    }

    /// Rows of what goes into a step.
    pub(super) fn step_input(&self, step: usize, rows: Range<usize>) -> &[T] {
        let whole = if step == 0 { &self.input } else { &self.steps[step - 1].output };
        let width = self.widths[step];
        &whole[rows.start * width..rows.end * width]
    }

    /// Rows of the masks of a step of dropout.
    pub(super) fn mask(&self, step: usize, rows: Range<usize>) -> &[T] {
        let width = self.widths[step + 1];
        &self.steps[step].extra[rows.start * width..rows.end * width]
    }

    /// Of rows of a layer normalisation, x̂ and r.
    pub(super) fn normal(&self, step: usize, rows: Range<usize>) -> (&[T], &[T]) {
        let width = self.widths[step + 1];
        let (normal, scales) = self.steps[step].extra.split_at(self.rows * width);
        (&normal[rows.start * width..rows.end * width], &scales[rows])
    }

    /// Rows of what comes out of a step.
    pub(super) fn step_output(&self, step: usize, rows: Range<usize>) -> &[T] {
        self.step_input(step + 1, rows)
    }
}

/// What a backward pass is to compute, in rows of the forward pass.
///
/// The pass runs over the rows from the first that is wanted to the last; its `grad_output` has as many.
#[derive(Debug)]
pub struct Wanted<'a, T: Element> {
    pub(super) parameters: Option<(&'a mut Gradients<T>, Range<usize>)>,
    pub(super) input: Range<usize>,
}

impl<'a, T: Element> Wanted<'a, T> {
    /// The gradients of the parameters from `rows`, added to `gradients`.
    pub fn parameters(gradients: &'a mut Gradients<T>, rows: Range<usize>) -> Self {
        Self { parameters: Some((gradients, rows)), input: 0..0 }
    }

    /// The gradient with respect to the input in `rows`, and none of parameters.
    pub fn input(rows: Range<usize>) -> Self {
        Self { parameters: None, input: rows }
    }

    /// Both, each from its own rows.
    pub fn both(gradients: &'a mut Gradients<T>, rows: Range<usize>, input: Range<usize>) -> Self {
        Self { parameters: Some((gradients, rows)), input }
    }

    /// From the first row that is wanted to the last.
    pub(super) fn rows(&self) -> Range<usize> {
        match &self.parameters {
            Some((_, rows)) if self.input.is_empty() => rows.clone(),
            Some((_, rows)) if !rows.is_empty() => {
                rows.start.min(self.input.start)..rows.end.max(self.input.end)
            }
            _ => self.input.clone(),
        }
    }
}

/// What a backward pass leaves: the gradient of each step's pre-activation, and of the input where it was wanted.
#[derive(Debug, Clone)]
pub struct Deltas<T: Element> {
    pub(super) widths: Vec<usize>,
    /// Rows of the forward pass that the last backward pass ran over.
    pub(super) rows: Range<usize>,
    /// ∂L/∂x, (rows of the forward pass, inputs), of which the wanted ones are written.
    pub(super) input: Aligned<T>,
    pub(super) input_rows: Range<usize>,
    /// ∂L/∂z of each step, (rows of the forward pass, width), where y = φ(z).
    pub(super) steps: Vec<Aligned<T>>,
}

impl<T: Element> Deltas<T> {
    /// Empty ones for passes through `model`.
    pub fn new(model: &Sequential<T>) -> Self {
        Self {
            widths: model.widths(),
            rows: 0..0,
            input: Aligned::zeros(0),
            input_rows: 0..0,
            steps: vec![Aligned::zeros(0); model.steps.len()],
        }
    }

    /// ∂L/∂x of `rows` of the forward pass (rows, inputs).
    ///
    /// **Panics** if the last backward pass was not asked for all of them.
    pub fn input(&self, rows: Range<usize>) -> &[T] {
        assert!(
            self.input_rows.start <= rows.start && rows.end <= self.input_rows.end,
            "input gradients of rows {rows:?}, where {:?} were computed",
            self.input_rows
        );
        &self.input[rows.start * self.widths[0]..rows.end * self.widths[0]]
    }

    /// Has room for `rows` rows, and for input gradients if they are wanted.
    pub(super) fn resize(&mut self, rows: usize, input_is_wanted: bool) {
        if input_is_wanted {
            self.input.resize(rows * self.widths[0]);
        }
        for (step, width) in self.steps.iter_mut().zip(&self.widths[1..]) {
            step.resize(rows * width);
        }
    }

    /// Rows of ∂L/∂x, writable.
    pub(super) fn input_mut(&mut self, rows: Range<usize>) -> &mut [T] {
        &mut self.input[rows.start * self.widths[0]..rows.end * self.widths[0]]
    }

    /// Rows of a step's ∂L/∂z, writable.
    pub(super) fn step_mut(&mut self, step: usize, rows: Range<usize>) -> &mut [T] {
        let width = self.widths[step + 1];
        &mut self.steps[step][rows.start * width..rows.end * width]
    }

    /// Rows of a step's ∂L/∂z, and those of the step before it or of ∂L/∂x, writable.
    pub(super) fn either_side(&mut self, step: usize, rows: Range<usize>) -> (&[T], &mut [T]) {
        let (before, here) = self.steps.split_at_mut(step);
        let (width_before, width) = (self.widths[step], self.widths[step + 1]);
        let before = before.last_mut().unwrap_or(&mut self.input);
        (
            &here[0][rows.start * width..rows.end * width],
            &mut before[rows.start * width_before..rows.end * width_before],
        )
    }

    /// Rows of a step's ∂L/∂z.
    pub(super) fn step(&self, step: usize, rows: Range<usize>) -> &[T] {
        let width = self.widths[step + 1];
        &self.steps[step][rows.start * width..rows.end * width]
    }
}

/// What a tangent pass leaves.
#[derive(Debug, Clone)]
pub struct Tangents<T: Element> {
    pub(super) widths: Vec<usize>,
    /// Rows of the forward pass that the direction is of.
    pub(super) rows: Range<usize>,
    pub(super) direction: Aligned<T>,
    /// ẏ of each step, (rows, width).
    pub(super) steps: Vec<Aligned<T>>,
    /// Of each step (rows, width), where it is not 0 throughout: the gradient of Σ ∂L/∂y · ẏ with respect to z.
    pub(super) bent: Vec<Aligned<T>>,
}

impl<T: Element> Tangents<T> {
    /// Empty ones for passes through `model`.
    pub fn new(model: &Sequential<T>) -> Self {
        let steps = vec![Aligned::zeros(0); model.steps.len()];
        Self { widths: model.widths(), rows: 0..0, direction: Aligned::zeros(0), bent: steps.clone(), steps }
    }

    /// The direction (rows, inputs) in which the next tangent pass goes from `rows` of the forward pass, to be written.
    /// Its content is not kept.
    pub fn direction_mut(&mut self, rows: Range<usize>) -> &mut [T] {
        self.direction.resize(rows.len() * self.widths[0]);
        self.rows = rows;
        &mut self.direction
    }

    /// ẏ of what goes into a step, and ẏ of what comes out of it, writable.
    pub(super) fn either_side(&mut self, step: usize) -> (&[T], &mut Aligned<T>) {
        let (before, here) = self.steps.split_at_mut(step);
        (before.last().map_or(&self.direction, |before| before), &mut here[0])
    }

    /// ẏ, what the direction has become at the output (rows, outputs).
    pub fn output(&self) -> &[T] {
        self.steps.last().map_or(&self.direction, |step| step)
    }
}

/// Gradients of a network's parameters, in their order.
#[derive(Debug, Clone)]
pub struct Gradients<T: Element> {
    tensors: Vec<Tensor<T>>,
    /// Whether nothing was added since [`Gradients::clear`]: the first sum overwrites, so that nothing is filled with 0
    /// and read again.
    is_clear: Vec<bool>,
}

impl<T: Element> Gradients<T> {
    /// Zeros, one for each parameter of `model`.
    pub fn new(model: &Sequential<T>) -> Self {
        let tensors: Vec<_> = model.parameters().map(|parameter| Tensor::zeros(parameter.shape())).collect();
        Self { is_clear: vec![true; tensors.len()], tensors }
    }

    /// Sets all to 0; touches no memory.
    pub fn clear(&mut self) {
        self.is_clear.fill(true);
    }

    /// The gradients, in the order of the parameters.
    pub fn tensors(&mut self) -> &mut [Tensor<T>] {
        for (tensor, is_clear) in self.tensors.iter_mut().zip(&mut self.is_clear) {
            if core::mem::take(is_clear) {
                tensor.fill(T::ZERO);
            }
        }
        &mut self.tensors
    }

    /// √(Σ g²) over all parameters.
    pub fn norm(&self) -> f64 {
        let level = Level::detect();
        let squares = self.tensors.iter().zip(&self.is_clear).filter(|(_, is_clear)| !**is_clear);
        libm::sqrt(squares.map(|(tensor, _)| reduce::squared_norm(level, tensor.data()).to_f64()).sum())
    }

    /// The gradients of a layer whose first parameter has this index.
    pub(super) fn slot(&mut self, first: usize) -> Slot<'_, T> {
        Slot { gradients: self, first }
    }

    /// `Ok` if there is one for each of `count` parameters.
    pub(super) fn check(&self, count: usize) -> Result<()> {
        if self.tensors.len() == count {
            return Ok(());
        }
        Err(Error::invalid("gradients", "they were made for another network"))
    }
}

/// The gradients of one layer.
pub(super) struct Slot<'a, T: Element> {
    gradients: &'a mut Gradients<T>,
    first: usize,
}

impl<T: Element> Slot<'_, T> {
    /// Adds to the gradient of the layer's parameter `index`: `add(beta, gradient)` gives beta gradient + what is new, where
    /// beta is 0 or 1 and the gradient is not to be read if it is 0.
    pub fn add(&mut self, index: usize, add: impl FnOnce(T, &mut Tensor<T>)) {
        let index = self.first + index;
        let is_clear = core::mem::take(&mut self.gradients.is_clear[index]);
        add(if is_clear { T::ZERO } else { T::ONE }, &mut self.gradients.tensors[index]);
    }

    /// Adds the sums of the columns of `delta` to the gradient of parameter `index`.
    pub fn add_column_sums(&mut self, index: usize, delta: &[T]) {
        self.add(index, |beta, gradient| {
            if beta == T::ZERO {
                gradient.fill(T::ZERO);
            }
            let (width, level) = (gradient.len(), Level::detect());
            let rows = delta.len() / width;
            reduce::add_column_sums(level, T::ONE, delta, rows, width, gradient.data_mut());
        });
    }
}
