//! Arguments and results of passes, owned by the caller.
//!
//! A network has *positions*: position 0 is its input, position s + 1 the output of step s. Buffers get their sizes on
//! first use, follow the number of rows, and never shrink.

use crate::aligned::Aligned;
use crate::rng::Stream;
use crate::tensor::{Element, Tensor, Workspace};
use crate::{Error, Result};
use alloc::vec;
use alloc::vec::Vec;
use core::mem;
use core::ops::Range;
use equilibria_kernels::{Level, reduce};

/// The mini-batches and the random numbers of a training pass.
///
/// ```
/// use equilibria::{nn::Training, rng::Stream};
/// let training = Training::new(Stream::named(1, "dropout")).with_batches(2);
/// assert_eq!(training.batches, 2);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Training {
    /// Number of mini-batches of equal size in the input, stored one after another.
    pub batches: usize,
    /// The stream of the random numbers.
    pub stream: Stream,
}

impl Training {
    /// A pass over one mini-batch.
    ///
    /// **Randomness** Dropout in layer l uses `stream.substream(l)` and a substream of it for each row; other layers
    /// draw nothing.
    pub fn new(stream: Stream) -> Self {
        Self { batches: 1, stream }
    }

    /// A pass over `batches` mini-batches of equal size, stored one after another. Batch normalisation computes
    /// separate statistics for each; nothing else changes.
    #[must_use]
    pub fn with_batches(self, batches: usize) -> Self {
        Self { batches, ..self }
    }
}

/// The data that a layer stores in a forward pass: the sizes, or the slices.
///
/// ```
/// use equilibria::nn::Kept;
/// let kept = Kept { per_example: [1, 0], per_batch: 2 };
/// assert_eq!(Kept::default(), Kept { per_example: [0, 0], per_batch: 0 });
/// assert_eq!(kept.per_batch, 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kept<X> {
    /// For each example, two slices (examples, this many).
    pub per_example: [X; 2],
    /// For each mini-batch, one slice (mini-batches, this many).
    pub per_batch: X,
}

/// Working memory of all passes.
///
/// ```
/// use equilibria::nn::Scratch;
/// let mut scratch = Scratch::<f32>::new();
/// assert_eq!(scratch.numbers(5).len(), 5);
/// ```
#[derive(Debug)]
pub struct Scratch<T: Element> {
    workspace: Workspace<T>,
    numbers: Aligned<T>,
    /// The values before and after a layer in inference.
    pub(super) between: Vec<Aligned<T>>,
    /// Memory for a layer that contains another one, which uses `numbers`.
    pub(super) spare: Aligned<T>,
}

impl<T: Element> Scratch<T> {
    /// Empty memory.
    pub fn new() -> Self {
        Self {
            workspace: Workspace::new(),
            numbers: Aligned::zeros(0),
            between: Vec::new(),
            spare: Aligned::zeros(0),
        }
    }

    /// The workspace of matrix products.
    pub fn workspace(&mut self) -> &mut Workspace<T> {
        &mut self.workspace
    }

    /// `count` numbers with unspecified content, for one pass of one layer.
    pub fn numbers(&mut self, count: usize) -> &mut [T] {
        self.numbers.resize(count);
        &mut self.numbers
    }
}

impl<T: Element> Default for Scratch<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// For each position, the number of values per row and the data that the step before it stores. Buffers and network
/// must have the same layout.
pub(super) type Layout = Vec<(usize, Kept<usize>)>;

/// Rows of values at each position of a network.
#[derive(Debug, Clone)]
pub(super) struct PassValues<T: Element> {
    pub layout: Layout,
    /// The values (rows, size) at each position.
    values: Vec<Aligned<T>>,
}

impl<T: Element> PassValues<T> {
    fn new(layout: Layout) -> Self {
        Self { values: vec![Aligned::zeros(0); layout.len()], layout }
    }

    /// Resizes a position to `rows` rows and returns it, together with the preceding position.
    pub fn resize(&mut self, position: usize, rows: usize) -> (&[T], &mut [T]) {
        let (before, here) = self.values.split_at_mut(position);
        here[0].resize(rows * self.layout[position].0);
        (before.last().map_or(&[][..], |before| before), &mut here[0])
    }

    fn range(&self, position: usize, rows: &Range<usize>) -> Range<usize> {
        rows.start * self.layout[position].0..rows.end * self.layout[position].0
    }

    /// All values at a position.
    pub fn all(&self, position: usize) -> &[T] {
        &self.values[position]
    }

    /// Some rows at a position.
    pub fn rows(&self, position: usize, rows: &Range<usize>) -> &[T] {
        &self.values[position][self.range(position, rows)]
    }

    /// Some rows at a position, mutable.
    pub fn rows_mut(&mut self, position: usize, rows: &Range<usize>) -> &mut [T] {
        let range = self.range(position, rows);
        &mut self.values[position][range]
    }

    /// Some rows at a position, mutable, and the same rows at the next position.
    pub fn adjacent_rows_mut(&mut self, position: usize, rows: &Range<usize>) -> (&mut [T], &[T]) {
        let ranges = [self.range(position, rows), self.range(position + 1, rows)];
        let (before, after) = self.values.split_at_mut(position + 1);
        let [before_range, after_range] = ranges;
        (&mut before[position][before_range], &after[0][after_range])
    }

    fn last(&self) -> usize {
        self.values.len() - 1
    }
}

/// The record of a forward pass: its input, the output of each step, and the data that layers store.
///
/// ```
/// use equilibria::nn::{Cache, Deltas, Gradients, Linear, Scratch, Sequential, Training, Wanted};
/// use equilibria::rng::Stream;
/// let mut network = Sequential::<f64>::new(2, vec![Linear::new(2, 1).into()])?;
/// network.parameters_mut().next().unwrap().data_mut().copy_from_slice(&[3.0, 4.0]);
/// let (mut cache, mut deltas) = (Cache::new(&network), Deltas::new(&network));
/// let (mut gradients, mut scratch) = (Gradients::new(&network), Scratch::new());
/// cache.input_mut(1).copy_from_slice(&[1.0, 2.0]);
/// network.forward(&mut cache, Training::new(Stream::named(1, "dropout")), &mut scratch)?;
/// assert_eq!(cache.output(), [11.0]); // y = w x + b
/// let wanted = Wanted::both(&mut gradients, 0..1, 0..1);
/// network.backward(&cache, &[1.0], wanted, &mut deltas, &mut scratch)?;
/// assert_eq!(deltas.input(0..1), [3.0, 4.0]); // ∂y/∂x = w
/// assert_eq!(gradients.tensors()[0].data(), [1.0, 2.0]); // ∂y/∂w = x
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Cache<T: Element> {
    pub(super) rows: usize,
    /// The number of mini-batches in the rows.
    pub(super) batches: usize,
    /// True after a forward pass has processed this input.
    pub(super) is_filled: bool,
    pub(super) values: PassValues<T>,
    /// The data that each step stores, see [`Kept`].
    kept: Vec<Aligned<T>>,
}

impl<T: Element> Cache<T> {
    pub(super) fn with_layout(layout: Layout) -> Self {
        let values = PassValues::new(layout);
        let kept = vec![Aligned::zeros(0); values.last()];
        Self { rows: 0, batches: 1, is_filled: false, values, kept }
    }

    /// The input (rows, inputs) of the next forward pass, to be written. Previous content is lost.
    pub fn input_mut(&mut self, rows: usize) -> &mut [T] {
        self.rows = rows;
        self.is_filled = false;
        self.values.resize(0, rows).1
    }

    /// The input (rows, inputs).
    pub fn input(&self) -> &[T] {
        self.values.all(0)
    }

    /// The number of rows of the input.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The output of the last forward pass (rows, outputs).
    ///
    /// **Panics** if [`Cache::input_mut`] was called after it.
    pub fn output(&self) -> &[T] {
        self.output_rows(0..self.rows)
    }

    /// The output of the given rows.
    ///
    /// **Panics** Same as [`Cache::output`], and if the rows do not exist.
    pub fn output_rows(&self, rows: Range<usize>) -> &[T] {
        assert!(self.is_filled, "the input has changed since the last forward pass");
        self.values.rows(self.values.last(), &rows)
    }

    /// The input of a step, with memory for its output and for the data that it stores for `batches` mini-batches.
    pub(super) fn step_mut(&mut self, step: usize, batches: usize) -> (&[T], Kept<&mut [T]>, &mut [T]) {
        let Kept { per_example: [first, second], per_batch } = self.values.layout[step + 1].1;
        let kept = &mut self.kept[step];
        kept.resize(self.rows * (first + second) + batches * per_batch);
        let (first, rest) = kept.split_at_mut(self.rows * first);
        let (second, per_batch) = rest.split_at_mut(self.rows * second);
        let (x, y) = self.values.resize(step + 1, self.rows);
        (x, Kept { per_example: [first, second], per_batch }, y)
    }

    /// The number of mini-batches among the rows, of which the first and the last may be incomplete, and the data that a
    /// step stored for the rows and for these mini-batches.
    pub(super) fn kept(&self, step: usize, rows: &Range<usize>) -> (usize, Kept<&[T]>) {
        let Kept { per_example: [first, second], per_batch } = self.values.layout[step + 1].1;
        let batch = (self.rows / self.batches).max(1);
        let batches = rows.start / batch..rows.end.div_ceil(batch);
        let of = |size: usize, offset: usize, of: &Range<usize>| {
            &self.kept[step][offset + of.start * size..offset + of.end * size]
        };
        let per_example = [of(first, 0, rows), of(second, self.rows * first, rows)];
        let kept = Kept { per_example, per_batch: of(per_batch, self.rows * (first + second), &batches) };
        (batches.len(), kept)
    }
}

/// The gradients that a backward pass is to compute, for rows of the forward pass.
///
/// The pass runs over all rows from the first to the last requested one; its `grad_output` has as many rows.
///
/// The example of [`Cache`] makes a forward and a backward pass.
#[derive(Debug)]
pub struct Wanted<'a, T: Element> {
    pub(super) parameters: Option<(&'a mut Gradients<T>, Range<usize>)>,
    pub(super) input: Range<usize>,
}

impl<'a, T: Element> Wanted<'a, T> {
    /// Requests the gradients of the parameters from `rows`, to be added to `gradients`.
    pub fn parameters(gradients: &'a mut Gradients<T>, rows: Range<usize>) -> Self {
        Self::both(gradients, rows, 0..0)
    }

    /// Requests only the gradient with respect to the input in `rows`.
    pub fn input(rows: Range<usize>) -> Self {
        Self { parameters: None, input: rows }
    }

    /// Requests both, each from its own rows.
    pub fn both(gradients: &'a mut Gradients<T>, rows: Range<usize>, input: Range<usize>) -> Self {
        Self { parameters: Some((gradients, rows)), input }
    }

    /// The rows from the first to the last requested one.
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

/// The result of a backward pass: ∂L/∂z of each step, where y = φ(z), and ∂L/∂x of the input if requested.
///
/// The example of [`Cache`] makes a forward and a backward pass.
#[derive(Debug, Clone)]
pub struct Deltas<T: Element> {
    /// The rows of the forward pass that the last backward pass covered.
    pub(super) rows: Range<usize>,
    pub(super) input_rows: Range<usize>,
    pub(super) values: PassValues<T>,
}

impl<T: Element> Deltas<T> {
    pub(super) fn with_layout(layout: Layout) -> Self {
        Self { rows: 0..0, input_rows: 0..0, values: PassValues::new(layout) }
    }

    /// ∂L/∂x of `rows` of the forward pass (rows, inputs).
    ///
    /// **Panics** unless the last backward pass computed all of them.
    pub fn input(&self, rows: Range<usize>) -> &[T] {
        assert!(
            self.input_rows.start <= rows.start && rows.end <= self.input_rows.end,
            "input gradients of rows {rows:?} requested, but rows {:?} were computed",
            self.input_rows
        );
        self.values.rows(0, &rows)
    }

    /// Like [`Deltas::input`], but mutable: for the backward pass of what computed the input.
    ///
    /// **Panics** Same as [`Deltas::input`].
    pub fn input_mut(&mut self, rows: Range<usize>) -> &mut [T] {
        let _ = self.input(rows.clone());
        self.values.rows_mut(0, &rows)
    }
}

/// The result of a tangent pass.
///
/// ```
/// use equilibria::nn::{Cache, Deltas, Gradients, Linear, Scratch, Sequential, Tangents, Training, Wanted};
/// use equilibria::rng::Stream;
/// let mut network = Sequential::<f64>::new(2, vec![Linear::new(2, 1).into()])?;
/// network.parameters_mut().next().unwrap().data_mut().copy_from_slice(&[3.0, 4.0]);
/// let (mut cache, mut deltas, mut scratch) = (Cache::new(&network), Deltas::new(&network), Scratch::new());
/// cache.input_mut(1).copy_from_slice(&[1.0, 2.0]);
/// network.forward(&mut cache, Training::new(Stream::named(1, "dropout")), &mut scratch)?;
/// network.backward(&cache, &[1.0], Wanted::input(0..1), &mut deltas, &mut scratch)?;
/// let (mut tangents, mut gradients) = (Tangents::new(&network), Gradients::new(&network));
/// tangents.direction_mut(0..1).copy_from_slice(&[1.0, -1.0]);
/// network.tangent(&cache, &deltas, &mut tangents, &mut gradients, &mut scratch)?;
/// assert_eq!(tangents.output(), [3.0 - 4.0]);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tangents<T: Element> {
    /// The rows of the forward pass to which the direction belongs.
    pub(super) rows: Range<usize>,
    /// The direction, and ẏ of each step.
    pub(super) values: PassValues<T>,
    /// e of each step (rows, size), where it is not identically 0.
    pub(super) e: PassValues<T>,
    pub(super) spare: Aligned<T>,
}

impl<T: Element> Tangents<T> {
    pub(super) fn with_layout(layout: Layout) -> Self {
        let values = PassValues::new(layout);
        Self { rows: 0..0, e: values.clone(), values, spare: Aligned::zeros(0) }
    }

    /// The direction (rows, inputs) of the next tangent pass from `rows` of the forward pass, to be written. Previous
    /// content is lost.
    pub fn direction_mut(&mut self, rows: Range<usize>) -> &mut [T] {
        self.rows = rows;
        self.values.resize(0, self.rows.len()).1
    }

    /// ẏ at the output (rows, outputs): the derivative of the output along the direction.
    pub fn output(&self) -> &[T] {
        self.values.all(self.values.last())
    }
}

/// The gradients of a network's parameters, in the order of the parameters.
///
/// The example of [`Cache`] makes a forward and a backward pass.
#[derive(Debug, Clone)]
pub struct Gradients<T: Element> {
    tensors: Vec<Tensor<T>>,
    /// True if nothing was added since [`Gradients::clear`]. The first sum then overwrites, so that no memory is filled
    /// with 0 and read again.
    is_clear: Vec<bool>,
}

impl<T: Element> Gradients<T> {
    pub(super) fn from_tensors(tensors: Vec<Tensor<T>>) -> Self {
        Self { is_clear: vec![true; tensors.len()], tensors }
    }

    /// Sets all gradients to 0 without touching their memory.
    pub fn clear(&mut self) {
        self.is_clear.fill(true);
    }

    /// The gradients, in the order of the parameters.
    pub fn tensors(&mut self) -> &mut [Tensor<T>] {
        (0..self.tensors.len()).for_each(|index| {
            self.layer(0).tensor(index);
        });
        &mut self.tensors
    }

    /// √(Σ g²) over all parameters.
    pub fn norm(&self) -> f64 {
        let level = Level::detect();
        let squares = self.tensors.iter().zip(&self.is_clear).filter(|(_, is_clear)| !**is_clear);
        libm::sqrt(squares.map(|(tensor, _)| reduce::squared_norm(level, tensor.data()).to_f64()).sum())
    }

    /// The gradients of the layer whose first parameter has this index.
    pub(super) fn layer(&mut self, first: usize) -> LayerGradients<'_, T> {
        LayerGradients { gradients: self, first }
    }

    /// Returns `Ok` if there are `count` gradients.
    pub(super) fn check(&self, count: usize) -> Result<()> {
        if self.tensors.len() == count {
            return Ok(());
        }
        Err(Error::invalid("gradients", "they were made for another network"))
    }
}

/// The gradients of one layer's parameters, to which its passes add.
///
/// A layer adds to them in its backward pass: the field `gradients` of [`Pass`](super::Pass).
#[derive(Debug)]
pub struct LayerGradients<'a, T: Element> {
    gradients: &'a mut Gradients<T>,
    first: usize,
}

impl<T: Element> LayerGradients<'_, T> {
    /// The same gradients, for a shorter time.
    pub fn reborrow(&mut self) -> LayerGradients<'_, T> {
        LayerGradients { gradients: &mut *self.gradients, first: self.first }
    }

    /// The gradient of the layer's parameter `index`, to be added to.
    ///
    /// **Panics** if there is no such parameter.
    pub fn tensor(&mut self, index: usize) -> &mut Tensor<T> {
        let index = self.first + index;
        if mem::take(&mut self.gradients.is_clear[index]) {
            self.gradients.tensors[index].fill(T::ZERO);
        }
        &mut self.gradients.tensors[index]
    }

    /// Like [`LayerGradients::tensor`], but does not fill a cleared gradient with 0 first. `add(beta, gradient)` must
    /// write beta gradient + the new term, where beta is 0 or 1; it must not read the gradient if beta is 0.
    ///
    /// **Panics** Same as [`LayerGradients::tensor`].
    pub fn accumulate(&mut self, index: usize, add: impl FnOnce(T, &mut Tensor<T>)) {
        let index = self.first + index;
        let is_clear = mem::take(&mut self.gradients.is_clear[index]);
        add(if is_clear { T::ZERO } else { T::ONE }, &mut self.gradients.tensors[index]);
    }

    /// Adds the sums of the columns of `delta` to the gradient of parameter `index`.
    ///
    /// **Shapes** `delta` (rows, size of the parameter).
    ///
    /// **Panics** Same as [`LayerGradients::tensor`].
    pub fn add_column_sums(&mut self, index: usize, delta: &[T]) {
        let gradient = self.tensor(index).data_mut();
        let width = gradient.len();
        reduce::add_column_sums(Level::detect(), T::ONE, delta, delta.len() / width, width, gradient);
    }
}
