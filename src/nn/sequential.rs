//! Networks as sequences of layers.
//!
//! A layer together with the activation that it absorbs is a *step*. With step l written as z = f(x), y = φ(z) and δ =
//! ∂L/∂z,
//!
//! ```text
//! forward:  z_l = f_l(y_{l−1}),   y_l = φ_l(z_l),   y_0 the input
//! backward: δ_l = φ_l′(z_l) ⊙ (f_{l+1}′ᵀ δ_{l+1})
//! ```
//!
//! where φ′ is computed from y ([`equilibria_kernels::activation`]). [`Deltas`] stores every δ.

mod buffers;
pub mod interpolated;
mod tangent;

pub use interpolated::interpolate;

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

/// A network: a sequence of layers.
///
/// ```
/// use equilibria::nn::{Activation, Linear, Scratch, Sequential};
/// let layers = vec![Linear::new(2, 1).into(), Activation::Relu.into()];
/// let mut network = Sequential::<f32>::new(2, layers)?;
/// network.parameters_mut().next().unwrap().data_mut().copy_from_slice(&[1.0, -1.0]);
/// let mut output = [0.0; 2];
/// network.infer(&[3.0, 1.0, 1.0, 3.0], &mut Scratch::new(), &mut output)?;
/// assert_eq!(output, [2.0, 0.0]);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sequential<T: Element> {
    input: Shape,
    layers: Vec<Box<dyn Layer<T>>>,
    pub(super) steps: Vec<Step<T>>,
}

/// A layer together with the activation that it absorbs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<T> {
    pub layer: usize,
    pub activation: Activation<T>,
    input: Shape,
    output: Shape,
    keeps: Kept<usize>,
    /// Index of the layer's first parameter among all parameters.
    first_parameter: usize,
}

impl<T: Element> Sequential<T> {
    /// Creates a network for examples of this shape. Without layers it returns its input.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if a layer does not accept the output of the preceding one;
    /// [`Error::InvalidArgument`] if a setting of a layer is out of range, a layer has no outputs, or the network has
    /// no inputs.
    pub fn new(input: impl Into<Shape>, layers: Vec<Box<dyn Layer<T>>>) -> Result<Self> {
        let input = input.into();
        if input.size() == 0 {
            return Err(Error::invalid("a network with 0 inputs", "it needs at least 1 input"));
        }
        let mut steps: Vec<Step<T>> = Vec::new();
        let (mut shape, mut parameters) = (input, 0);
        for (index, layer) in layers.iter().enumerate() {
            let output = layer.output_shape(shape)?;
            if [shape.size(), output.size()].iter().any(|&size| size == 0 || size == usize::MAX) {
                return Err(Error::invalid(
                    format!("layer {index}, {}, with {shape} inputs and {output} outputs", layer.name()),
                    "a layer needs at least 1 input and 1 output, and their sizes must fit in memory",
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

    /// The number of values in a row of the input, which is one example.
    pub fn inputs(&self) -> usize {
        self.input_shape().size()
    }

    /// The number of values in a row of the output.
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

    /// Like [`Sequential::parameters`], but mutable.
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

    /// Like [`Sequential::statistics`], but mutable.
    pub fn statistics_mut(&mut self) -> impl Iterator<Item = &mut Tensor<T>> {
        self.layers.iter_mut().flat_map(|layer| {
            let [_, statistics] = layer.tensors_mut();
            statistics
        })
    }

    /// The content of a checkpoint: the parameters and then the running statistics of each layer, with the names that
    /// PyTorch's `nn.Sequential` gives the same layers, for instance `2.running_mean`.
    pub fn state(&self) -> impl Iterator<Item = (String, &Tensor<T>)> {
        self.layers.iter().enumerate().flat_map(|(l, layer)| {
            let names = layer.names().iter().map(move |name| format!("{l}.{name}"));
            names.zip(layer.tensors().into_iter().flatten())
        })
    }

    /// Like [`Sequential::state`], but mutable.
    pub fn state_mut(&mut self) -> impl Iterator<Item = (String, &mut Tensor<T>)> {
        self.layers.iter_mut().enumerate().flat_map(|(l, layer)| {
            let names = layer.names().iter().map(move |name| format!("{l}.{name}"));
            names.zip(layer.tensors_mut().into_iter().flatten())
        })
    }

    /// Initialises every parameter randomly.
    ///
    /// **Randomness** `stream` is usually the run's `init`; layer l takes `stream.substream(l)`.
    pub fn initialise(&mut self, initialisation: Initialisation, stream: Stream) {
        for (layer, index) in self.layers.iter_mut().zip(0..) {
            layer.initialise(initialisation, stream.substream(index));
        }
    }

    /// Returns whether the output of an example depends on the other examples of its mini-batch.
    pub fn mixes_examples(&self) -> bool {
        self.layers.iter().any(|layer| layer.properties().mixes_examples)
    }

    /// Computes the output for `input` in inference: with running statistics and without dropout.
    ///
    /// **Shapes** `input` (rows, inputs); `output` (rows, outputs).
    ///
    /// **Errors** [`Error::ShapeMismatch`] if `input` does not consist of whole rows or `output` has another number of
    /// rows.
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

    /// Runs the forward pass of training on the input in `cache`: with dropout and with the statistics of each
    /// mini-batch, which also update the running statistics.
    ///
    /// **Errors** [`Error::InvalidArgument`] if the cache was made for another network, its rows do not divide into
    /// `training`'s number of mini-batches, or a mini-batch is too small for a layer.
    ///
    /// **Randomness** See [`Training::new`].
    pub fn forward(
        &mut self,
        cache: &mut Cache<T>,
        training: Training,
        scratch: &mut Scratch<T>,
    ) -> Result<()> {
        self.expect_input(cache, training)?;
        self.forward_from(0, cache, training, scratch)
    }

    /// Returns `Ok` if `cache` was made for a network with this layout and has whole mini-batches.
    fn expect_input(&self, cache: &Cache<T>, training: Training) -> Result<()> {
        self.expect_own("the cache", &cache.values.layout)?;
        let batches = training.batches;
        if batches == 0 || !cache.rows.is_multiple_of(batches) {
            let what = format!("{} rows in {batches} mini-batches", cache.rows);
            return Err(Error::invalid(what, "each mini-batch has the same number of rows"));
        }
        Ok(())
    }

    /// Runs the steps from `first` on.
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

    /// Runs the backward pass: adds ∂L/∂θ to the gradients in `wanted`, and writes ∂L/∂x to [`Deltas::input`].
    ///
    /// Rows are independent (with batch normalisation, mini-batches are), so each can have its own loss. A critic's
    /// input gradients are those of the seed 1.
    ///
    /// **Shapes** `grad_output` (rows, outputs), from the first requested row to the last.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if it has another length; [`Error::InvalidArgument`] if a value was made for
    /// another network, the cache holds no forward pass or too few rows, or the rows contain only part of a mini-batch
    /// of batch normalisation.
    ///
    /// **Accuracy and cost** Two products per linear layer; one if no parameter gradients are requested, and at the
    /// first layer if no input gradient is.
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
        for position in usize::from(input.is_empty())..=last {
            deltas.values.resize(position, cache.rows);
        }
        (deltas.rows, deltas.input_rows) = (rows.clone(), input.clone());
        if last == 0 {
            let offset = (input.start - rows.start) * self.inputs();
            let delta = deltas.values.rows_mut(0, &input);
            delta.copy_from_slice(&grad_output[offset..][..delta.len()]);
            return Ok(());
        }
        let (y, delta) = (cache.values.rows(last, &rows), deltas.values.rows_mut(last, &rows));
        times_slope(Level::detect(), self.steps[last - 1].activation, y, grad_output, delta);
        for step in (0..last).rev() {
            let input_rows = if step == 0 { &input } else { &rows };
            let mut back = |rows: &Range<usize>, gradients: Option<&mut Gradients<T>>, needs_input| {
                if !rows.is_empty() {
                    self.step_back((step, rows), cache, deltas, gradients, needs_input, scratch);
                }
            };
            match &mut parameters {
                // A single call computes both, so that a layer can share work.
                Some((gradients, rows)) if rows == input_rows => back(rows, Some(&mut **gradients), true),
                Some((gradients, rows)) => {
                    back(rows, Some(&mut **gradients), false);
                    back(input_rows, None, true);
                }
                None => back(input_rows, None, true),
            }
        }
        Ok(())
    }

    /// From the δ of a step, in some rows: adds to the gradients of its parameters and, if `needs_input`, computes the
    /// δ of the preceding step.
    fn step_back(
        &self,
        (step, rows): (usize, &Range<usize>),
        cache: &Cache<T>,
        deltas: &mut Deltas<T>,
        gradients: Option<&mut Gradients<T>>,
        needs_input: bool,
        scratch: &mut Scratch<T>,
    ) {
        if needs_input {
            let (before, delta) = deltas.values.adjacent_rows_mut(step, rows);
            let (layer, pass) = self.pass((step, rows), cache, delta, gradients, scratch);
            layer.backward(Pass { grad_input: Some(&mut *before), ..pass });
            self.times_slope_before((step, rows), cache, before);
        } else {
            let delta = deltas.values.rows(step + 1, rows);
            let (layer, pass) = self.pass((step, rows), cache, delta, gradients, scratch);
            layer.backward(pass);
        }
    }

    /// The layer of a step, with the arguments of a pass over some rows of a forward pass.
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
        let gradients = gradients.map(|gradients| gradients.layer(here.first_parameter));
        let (shape, grad_input) = (here.input, None);
        (
            layer,
            Pass { shape, x, y, batches, kept, before, activation, delta, gradients, grad_input, scratch },
        )
    }

    /// Turns ∂L/∂y of the preceding step into its ∂L/∂z, unless the layer has done so.
    fn times_slope_before(&self, (step, rows): (usize, &Range<usize>), cache: &Cache<T>, gradient: &mut [T]) {
        if !self.layers[self.steps[step].layer].properties().absorbs_slopes {
            let (activation, y) = (self.activation_before(step), cache.values.rows(step, rows));
            times_slope_in_place(Level::detect(), activation, y, gradient);
        }
    }

    /// The absorbed activation that produced the input of a step.
    fn activation_before(&self, step: usize) -> Activation<T> {
        step.checked_sub(1).map_or(Activation::Identity, |before| self.steps[before].activation)
    }

    /// The layout of buffers: the input, then each step's output and the data that it stores.
    pub(super) fn layout(&self) -> impl Iterator<Item = (usize, Kept<usize>)> {
        let steps = self.steps.iter().map(|step| (step.output.size(), step.keeps));
        core::iter::once((self.inputs(), Kept::default())).chain(steps)
    }

    /// Returns `Ok` if `what` was made for a network with this layout.
    fn expect_own(&self, what: &str, layout: &Layout) -> Result<()> {
        if self.layout().eq(layout.iter().copied()) {
            return Ok(());
        }
        Err(Error::invalid(what, "was made for another network"))
    }

    /// Returns `Ok` if `cache` holds a forward pass of a network with this layout, including `rows`.
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

    /// Returns `Ok` if the requested rows are whole mini-batches in every layer that mixes examples.
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
                    format!("{name} needs whole mini-batches in the backward pass, here of {batch} rows"),
                ));
            }
        }
        Ok(())
    }
}
