//! The passes forwards: with a cache, and without.

use super::{Cache, Scratch, Sequential, Training, expect_width};
use crate::nn::Layer;
use crate::tensor::Element;
use crate::{Error, Result};
use alloc::format;
use equilibria_kernels::{Level, activation};

impl<T: Element> Sequential<T> {
    /// What the network makes of `input`, as when it is used: with running statistics and without dropout.
    ///
    /// **Shapes** `input` (rows, inputs); `output` (rows, outputs).
    /// **Errors** [`Error::ShapeMismatch`] if `input` is not whole rows or `output` has another number of them.
    pub fn infer(&self, input: &[T], scratch: &mut Scratch<T>, output: &mut [T]) -> Result<()> {
        let rows = input.len() / self.inputs.max(1);
        expect_width("input of a network", rows * self.inputs, input.len())?;
        expect_width("output of a network", rows * self.outputs(), output.len())?;
        let Some(last) = self.steps.len().checked_sub(1) else {
            output.copy_from_slice(input);
            return Ok(());
        };
        let widest = self.steps.iter().map(|step| step.outputs).max().unwrap_or(0);
        let [mut from, mut to] = scratch.between.each_mut();
        from.resize(rows * widest);
        to.resize(rows * widest);
        let mut width = self.inputs;
        for (index, step) in self.steps.iter().enumerate() {
            let x = if index == 0 { input } else { &from[..rows * width] };
            width = step.outputs;
            let y = if index == last { &mut *output } else { &mut to[..rows * width] };
            match &self.layers[step.layer] {
                Layer::Linear(layer) => layer.forward(x, step.activation, y, &mut scratch.workspace),
                Layer::BatchNorm(layer) => layer.infer(x, step.activation, y),
                Layer::LayerNorm(layer) => {
                    scratch.sums.resize(layer.memory_len(rows));
                    layer.forward(x, step.activation, &mut scratch.sums, y);
                }
                Layer::Dropout(_) | Layer::Activation(_) => {
                    y.copy_from_slice(x);
                    activation::apply_in_place(Level::detect(), step.activation, y);
                }
            }
            core::mem::swap(&mut from, &mut to);
        }
        Ok(())
    }

    /// Takes the input in `cache` through the network as in training: with the statistics of each mini-batch, whose running
    /// values move, and with dropout.
    ///
    /// **Errors** [`Error::InvalidArgument`] if the cache was made for another network, its rows do not make
    /// `training`'s number of mini-batches, or a mini-batch is too small for a layer.
    /// **Randomness** see [`Training::new`].
    pub fn forward(
        &mut self,
        cache: &mut Cache<T>,
        training: Training,
        scratch: &mut Scratch<T>,
    ) -> Result<()> {
        self.expect_input(cache, training)?;
        self.forward_from(0, cache, training, scratch)
    }

    /// `Ok` if `cache` is of a network like this and has whole mini-batches.
    pub(super) fn expect_input(&self, cache: &Cache<T>, training: Training) -> Result<()> {
        self.expect_own("the cache", &cache.widths)?;
        let batches = training.batches;
        if batches == 0 || !cache.rows.is_multiple_of(batches) {
            let what = format!("{} rows in {batches} mini-batches", cache.rows);
            return Err(Error::invalid(what, "each mini-batch has the same number of rows"));
        }
        Ok(())
    }

    /// The steps from `first` on.
    pub(super) fn forward_from(
        &mut self,
        first: usize,
        cache: &mut Cache<T>,
        training: Training,
        scratch: &mut Scratch<T>,
    ) -> Result<()> {
        let (rows, batches) = (cache.rows, training.batches);
        for (index, step) in self.steps.iter().enumerate().skip(first) {
            let (before, here) = cache.steps.split_at_mut(index);
            let x: &[T] = before.last().map_or(&cache.input, |step| &step.output);
            let here = &mut here[0];
            here.output.resize(rows * step.outputs);
            match &mut self.layers[step.layer] {
                Layer::Linear(layer) => {
                    layer.forward(x, step.activation, &mut here.output, &mut scratch.workspace);
                }
                Layer::BatchNorm(layer) => {
                    here.extra.resize(3 * batches * step.outputs);
                    layer.forward(x, batches, step.activation, &mut here.extra, &mut here.output)?;
                }
                Layer::LayerNorm(layer) => {
                    here.extra.resize(layer.memory_len(rows));
                    layer.forward(x, step.activation, &mut here.extra, &mut here.output);
                }
                Layer::Dropout(layer) => {
                    here.extra.resize(x.len());
                    let stream = training.stream.substream(step.layer as u64);
                    layer.forward(x, step.outputs, stream, &mut here.extra, &mut here.output);
                }
                Layer::Activation(_) => {
                    here.output.copy_from_slice(x);
                    activation::apply_in_place(Level::detect(), step.activation, &mut here.output);
                }
            }
        }
        cache.batches = batches;
        cache.is_filled = true;
        Ok(())
    }
}
