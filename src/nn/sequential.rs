//! Layers one after another.
//!
//! A layer with the activation that it absorbs is one *step*. With step l written as z = f(x), y = φ(z) and δ = ∂L/∂z,
//!
//! ```text
//! forward:  z_l = f_l(y_{l−1}),   y_l = φ_l(z_l),   y_0 the input
//! backward: δ_l = φ_l′(z_l) ⊙ (f_{l+1}′ᵀ δ_{l+1})
//! ```
//!
//! where φ′ is computed from y ([`equilibria_kernels::activation`]). [`Deltas`] keeps every δ.

mod between;
mod buffers;
mod tangent;

pub use between::interpolate;

use super::passes::Layout;
use super::shape::expect_len;
use super::{
    Cache, Deltas, ForwardPass, Gradients, Initialisation, Input, Kept, Layer, Pass, Scratch, Shape,
    Tangents, Training, Wanted,
};
use crate::aligned::Aligned;
use crate::rng::Stream;
use crate::tensor::{Activation, Element, Tensor};
use crate::{Error, Result};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use equilibria_kernels::Level;
use equilibria_kernels::activation::{times_slope, times_slope_in_place};

/// A network: layers one after another.
#[derive(Debug, Clone)]
pub struct Sequential<T: Element> {
    input: Shape,
    layers: Vec<Box<dyn Layer<T>>>,
    pub(super) steps: Vec<Step<T>>,
}

/// A layer with the activation that it absorbs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<T> {
    pub layer: usize,
    pub activation: Activation<T>,
    input: Shape,
    output: Shape,
    keeps: Kept<usize>,
    /// The layer's first parameter among all.
    first_parameter: usize,
}

impl<T: Element> Sequential<T> {
    /// A network for examples of this shape. Without layers it passes its input on.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if a layer does not take what the one before it gives;
    /// [`Error::InvalidArgument`] if a setting of a layer is out of its range, a layer has no outputs, or there are no inputs.
    pub fn new(input: impl Into<Shape>, layers: Vec<Box<dyn Layer<T>>>) -> Result<Self> {
        let input = input.into();
        if input.size() == 0 {
            return Err(Error::invalid("a network of 0 inputs", "at least 1 is needed"));
        }
        let mut steps: Vec<Step<T>> = Vec::new();
        let (mut shape, mut parameters) = (input, 0);
        for (index, layer) in layers.iter().enumerate() {
            let output = layer.output_shape(shape)?;
            if [shape.size(), output.size()].iter().any(|&size| size == 0 || size == usize::MAX) {
                return Err(Error::invalid(
                    format!("layer {index}, {}, of {shape} inputs and {output} outputs", layer.name()),
                    "a layer has at least 1 input and 1 output, and no more than can be addressed",
                ));
            }
            match (layer.activation(), steps.last_mut()) {
                (
                    Some(activation),
                    Some(Step { layer: before, activation: slot @ Activation::Identity, .. }),
                ) if layers[*before].properties().absorbs_activation => {
                    *slot = activation;
                }
                _ => steps.push(Step {
                    layer: index,
                    activation: Activation::Identity,
                    input: shape,
                    output,
                    keeps: layer.keeps(shape),
                    first_parameter: parameters,
                }),
            }
            shape = output;
            parameters += layer.tensors()[0].len();
        }
        Ok(Self { input, layers, steps })
    }

    /// The shape of an example of the input.
    pub fn input_shape(&self) -> Shape {
        self.input
    }

    /// The shape of an example of the output.
    pub fn output_shape(&self) -> Shape {
        self.steps.last().map_or(self.input, |step| step.output)
    }

    /// The numbers in a row of the input, which is one example.
    pub fn inputs(&self) -> usize {
        self.input_shape().size()
    }

    /// The numbers in a row of the output.
    pub fn outputs(&self) -> usize {
        self.output_shape().size()
    }

    /// The layers.
    pub fn layers(&self) -> &[Box<dyn Layer<T>>] {
        &self.layers
    }

    /// The parameters, in the order of the checkpoint.
    pub fn parameters(&self) -> impl Iterator<Item = &Tensor<T>> {
        self.layers.iter().flat_map(|layer| layer.tensors()[0])
    }

    /// Like [`Sequential::parameters`], writable.
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Tensor<T>> {
        self.layers.iter_mut().flat_map(|layer| {
            let [parameters, _] = layer.tensors_mut();
            parameters
        })
    }

    /// The running statistics.
    pub fn statistics(&self) -> impl Iterator<Item = &Tensor<T>> {
        self.layers.iter().flat_map(|layer| layer.tensors()[1])
    }

    /// Like [`Sequential::statistics`], writable.
    pub fn statistics_mut(&mut self) -> impl Iterator<Item = &mut Tensor<T>> {
        self.layers.iter_mut().flat_map(|layer| {
            let [_, statistics] = layer.tensors_mut();
            statistics
        })
    }

    /// Everything that a checkpoint holds: the parameters and then the running statistics of each layer, by the names that
    /// PyTorch's `nn.Sequential` of the same layers gives them, for instance `2.running_mean`.
    pub fn state(&self) -> impl Iterator<Item = (String, &Tensor<T>)> {
        self.layers.iter().enumerate().flat_map(|(l, layer)| {
            let names = layer.names().iter().map(move |name| format!("{l}.{name}"));
            names.zip(layer.tensors().into_iter().flatten())
        })
    }

    /// Like [`Sequential::state`], writable.
    pub fn state_mut(&mut self) -> impl Iterator<Item = (String, &mut Tensor<T>)> {
        self.layers.iter_mut().enumerate().flat_map(|(l, layer)| {
            let names = layer.names().iter().map(move |name| format!("{l}.{name}"));
            names.zip(layer.tensors_mut().into_iter().flatten())
        })
    }

    /// Draws every parameter anew.
    ///
    /// **Randomness** `stream` is usually the run's `init`; layer l takes `stream.substream(l)`.
    pub fn initialise(&mut self, initialisation: Initialisation, stream: Stream) {
        for (layer, index) in self.layers.iter_mut().zip(0..) {
            layer.initialise(initialisation, stream.substream(index));
        }
    }

    /// Whether the output of an example depends on the other examples of its mini-batch.
    pub fn mixes_examples(&self) -> bool {
        self.layers.iter().any(|layer| layer.properties().mixes_examples)
    }

    /// Computes the output for `input` as in use: with running statistics and without dropout.
    ///
    /// **Shapes** `input` (rows, inputs); `output` (rows, outputs).
    ///
    /// **Errors** [`Error::ShapeMismatch`] if `input` is not whole rows or `output` has another number of them.
    pub fn infer(&self, input: &[T], scratch: &mut Scratch<T>, output: &mut [T]) -> Result<()> {
        let rows = input.len() / self.inputs().max(1);
        expect_len("input of a network", rows * self.inputs(), input.len())?;
        expect_len("output of a network", rows * self.outputs(), output.len())?;
        let Some(last) = self.steps.len().checked_sub(1) else {
            output.copy_from_slice(input);
            return Ok(());
        };
        let widest = self.steps.iter().map(|step| step.output.size()).max().unwrap_or(0);
        let mut between = core::mem::take(&mut scratch.between);
        between.resize_with(2, || Aligned::zeros(0));
        between.iter_mut().for_each(|values| values.resize(rows * widest));
        for (index, step) in self.steps.iter().enumerate() {
            let [from, to] = &mut between[..] else { break };
            let x = if index == 0 { input } else { &from[..rows * step.input.size()] };
            let y = if index == last { &mut *output } else { &mut to[..rows * step.output.size()] };
            let (shape, activation) = (step.input, step.activation);
            self.layers[step.layer].infer(Input { shape, x, activation, scratch: &mut *scratch }, y);
            between.swap(0, 1);
        }
        scratch.between = between;
        Ok(())
    }

    /// Takes the input in `cache` through the network as in training: with the statistics of each mini-batch, whose running
    /// values move, and with dropout.
    ///
    /// **Errors** [`Error::InvalidArgument`] if the cache was made for another network, its rows do not make
    /// `training`'s number of mini-batches, or a mini-batch is too small for a layer.
    ///
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

    /// `Ok` if `cache` belongs to a network like this and has whole mini-batches.
    fn expect_input(&self, cache: &Cache<T>, training: Training) -> Result<()> {
        self.expect_own("the cache", &cache.values.layout)?;
        let batches = training.batches;
        if batches == 0 || !cache.rows.is_multiple_of(batches) {
            let what = format!("{} rows in {batches} mini-batches", cache.rows);
            return Err(Error::invalid(what, "each mini-batch has the same number of rows"));
        }
        Ok(())
    }

    /// The steps from `first` on.
    fn forward_from(
        &mut self,
        first: usize,
        cache: &mut Cache<T>,
        training: Training,
        scratch: &mut Scratch<T>,
    ) -> Result<()> {
        for (index, step) in self.steps.iter().enumerate().skip(first) {
            let (x, kept, y) = cache.step_mut(index, training.batches);
            let input = Input { shape: step.input, x, activation: step.activation, scratch: &mut *scratch };
            let training = Training { stream: training.stream.substream(step.layer as u64), ..training };
            self.layers[step.layer].forward(ForwardPass { input, training, kept }, y)?;
        }
        cache.batches = training.batches;
        cache.is_filled = true;
        Ok(())
    }

    /// Carries ∂L/∂y back through a forward pass: adds ∂L/∂θ to the gradients that are `wanted`, and leaves ∂L/∂x in
    /// [`Deltas::input`].
    ///
    /// Rows are independent (within a mini-batch, with batch normalisation), so each can have a loss of its own; a
    /// critic's input gradients are those of the seed 1.
    ///
    /// **Shapes** `grad_output` (rows, outputs), from the first row that is wanted to the last.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if it has another length; [`Error::InvalidArgument`] if a value was made for
    /// another network, the cache holds no forward pass or fewer rows, or the rows cut a mini-batch that batch
    /// normalisation saw whole.
    ///
    /// **Accuracy and cost** Two products a linear layer; one where no parameter gradients are wanted, and at the first
    /// layer where no input gradient is.
    pub fn backward(
        &self,
        cache: &Cache<T>,
        grad_output: &[T],
        wanted: Wanted<'_, T>,
        deltas: &mut Deltas<T>,
        scratch: &mut Scratch<T>,
    ) -> Result<()> {
        let (rows, last) = (wanted.rows(), self.steps.len());
        self.expect_filled(cache, &rows)?;
        self.expect_own("the deltas", &deltas.values.layout)?;
        expect_len("gradient of a network's output", rows.len() * self.outputs(), grad_output.len())?;
        self.expect_whole_batches(cache, &wanted)?;
        let Wanted { mut parameters, input } = wanted;
        if let Some((gradients, _)) = &parameters {
            gradients.check(self.parameters().count())?;
        }
        for place in usize::from(input.is_empty())..=last {
            deltas.values.resize(place, cache.rows);
        }
        (deltas.rows, deltas.input_rows) = (rows.clone(), input.clone());
        if last == 0 {
            let taken = (input.start - rows.start) * self.inputs();
            let delta = deltas.values.rows_mut(0, &input);
            delta.copy_from_slice(&grad_output[taken..][..delta.len()]);
            return Ok(());
        }
        let (y, delta) = (cache.values.rows(last, &rows), deltas.values.rows_mut(last, &rows));
        times_slope(Level::detect(), self.steps[last - 1].activation, y, grad_output, delta);
        for step in (0..last).rev() {
            let through = if step == 0 { &input } else { &rows };
            let mut back = |rows: &Range<usize>, gradients: Option<&mut Gradients<T>>, is_through| {
                if !rows.is_empty() {
                    self.step_back((step, rows), cache, deltas, gradients, is_through, scratch);
                }
            };
            match &mut parameters {
                // One call for both, where a layer can share work.
                Some((gradients, rows)) if rows == through => back(rows, Some(&mut **gradients), true),
                Some((gradients, rows)) => {
                    back(rows, Some(&mut **gradients), false);
                    back(through, None, true);
                }
                None => back(through, None, true),
            }
        }
        Ok(())
    }

    /// From the δ of a step, in some rows: adds to the gradients of its parameters, and goes through to the δ before it.
    fn step_back(
        &self,
        (step, rows): (usize, &Range<usize>),
        cache: &Cache<T>,
        deltas: &mut Deltas<T>,
        gradients: Option<&mut Gradients<T>>,
        is_through: bool,
        scratch: &mut Scratch<T>,
    ) {
        if is_through {
            let (before, delta) = deltas.values.either_side(step, rows);
            let (layer, pass) = self.pass((step, rows), cache, delta, gradients, scratch);
            layer.backward(Pass { grad_input: Some(&mut *before), ..pass });
            self.times_slope_before((step, rows), cache, before);
        } else {
            let delta = deltas.values.rows(step + 1, rows);
            let (layer, pass) = self.pass((step, rows), cache, delta, gradients, scratch);
            layer.backward(pass);
        }
    }

    /// The layer of a step, and a pass after a forward pass over some of its rows.
    fn pass<'a>(
        &'a self,
        (step, rows): (usize, &Range<usize>),
        cache: &'a Cache<T>,
        delta: &'a [T],
        gradients: Option<&'a mut Gradients<T>>,
        scratch: &'a mut Scratch<T>,
    ) -> (&'a dyn Layer<T>, Pass<'a, T>) {
        let here = &self.steps[step];
        let layer = &*self.layers[here.layer];
        let slopes = [self.activation_before(step), here.activation];
        let absorbs = layer.properties().absorbs_slopes;
        let [before, activation] = slopes.map(|slope| if absorbs { slope } else { Activation::Identity });
        let (x, y) = (cache.values.rows(step, rows), cache.values.rows(step + 1, rows));
        let (batches, kept) = cache.kept(step, rows);
        let gradients = gradients.map(|gradients| gradients.of_layer(here.first_parameter));
        let (shape, grad_input) = (here.input, None);
        (
            layer,
            Pass { shape, x, y, batches, kept, before, activation, delta, gradients, grad_input, scratch },
        )
    }

    /// From ∂L/∂y of the step before a step to its ∂L/∂z, if the layer has not done it.
    fn times_slope_before(&self, (step, rows): (usize, &Range<usize>), cache: &Cache<T>, gradient: &mut [T]) {
        if !self.layers[self.steps[step].layer].properties().absorbs_slopes {
            let (activation, y) = (self.activation_before(step), cache.values.rows(step, rows));
            times_slope_in_place(Level::detect(), activation, y, gradient);
        }
    }

    /// The absorbed activation that gave the input of a step.
    fn activation_before(&self, step: usize) -> Activation<T> {
        step.checked_sub(1).map_or(Activation::Identity, |before| self.steps[before].activation)
    }

    /// The pattern of buffers: the input, then each step's output and what it keeps.
    pub(super) fn layout(&self) -> impl Iterator<Item = (usize, Kept<usize>)> {
        let steps = self.steps.iter().map(|step| (step.output.size(), step.keeps));
        core::iter::once((self.inputs(), Kept::default())).chain(steps)
    }

    /// `Ok` if `what`, made for a network of this layout, was made for one like this.
    fn expect_own(&self, what: &str, layout: &Layout) -> Result<()> {
        if self.layout().eq(layout.iter().copied()) {
            return Ok(());
        }
        Err(Error::invalid(what, "was made for another network"))
    }

    /// `Ok` if `cache` holds a forward pass of a network like this, and `rows` of it.
    fn expect_filled(&self, cache: &Cache<T>, rows: &Range<usize>) -> Result<()> {
        self.expect_own("the cache", &cache.values.layout)?;
        if !cache.is_filled {
            return Err(Error::invalid(
                "the cache",
                "forward must have filled it since its input was written",
            ));
        }
        if rows.start > rows.end || rows.end > cache.rows {
            let what = format!("rows {} to {}", rows.start, rows.end);
            return Err(Error::invalid(what, format!("the forward pass had {} rows", cache.rows)));
        }
        Ok(())
    }

    /// `Ok` if what is wanted is whole mini-batches wherever a layer mixes their examples.
    fn expect_whole_batches(&self, cache: &Cache<T>, wanted: &Wanted<'_, T>) -> Result<()> {
        let mixes = |step: &Step<T>| self.layers[step.layer].properties().mixes_examples;
        let Some(mixing) = self.steps.iter().find(|step| mixes(step)).filter(|_| cache.rows > 0) else {
            return Ok(());
        };
        let batch = cache.rows / cache.batches;
        let parameters = wanted.parameters.as_ref().map(|(_, rows)| rows.clone());
        let input = self.steps.first().filter(|step| mixes(step)).map(|_| wanted.input.clone());
        for rows in [Some(wanted.rows()), parameters, input].into_iter().flatten() {
            if !rows.start.is_multiple_of(batch) || !rows.end.is_multiple_of(batch) {
                let name = self.layers[mixing.layer].name();
                return Err(Error::invalid(
                    format!("rows {} to {}", rows.start, rows.end),
                    format!("{name} goes back through whole mini-batches, here of {batch} rows"),
                ));
            }
        }
        Ok(())
    }
}
