//! Two-dimensional convolution of images with channels last, and its gradients.
//!
//! With an image x (height, width, in), weights w (kernel height, kernel width, in, out), stride s and padding p, pixel
//! (i, j) of the output y is
//!
//! ```text
//! forward:           y[i, j, o]  = Σ_{k, l, c} x[i s + k − p, j s + l − p, c] w[k, l, c, o]
//! gradient of data:  ∂L/∂x[a, b, c] = Σ_{k, l, o} ∂L/∂y[i, j, o] w[k, l, c, o]      over i s + k − p = a, j s + l − p = b
//! gradient of weights: ∂L/∂w[k, l, c, o] = Σ_{i, j} x[i s + k − p, j s + l − p, c] ∂L/∂y[i, j, o]     summed over images
//! ```
//!
//! where x is 0 outside the image. The transposed convolution of a generator is the gradient of data: its own gradient of data
//! is the forward pass.
//!
//! # How the products are formed
//! Images with few channels are computed by patches of a few rows of pixels, and [`minimal`] needs fewer multiplications for one
//! kind of kernel. On the direct path, each of the three is a sum of matrix products that read the image in place. No matrix of
//! patches is made, and no padding is multiplied.
//!
//! | pass | one product for each | C | terms | A B of a term |
//! |---|---|---|---|---|
//! | forward | output pixel | y (batch, out) | rows of the kernel | pixels of a row (batch, l in) · w (l in, out) |
//! | gradient of data | input pixel | ∂L/∂x (batch, in) | kernel positions | ∂L/∂y (batch, out) · wᵀ (out, in) |
//! | gradient of weights | row of the kernel | ∂L/∂w (l in, out) | output pixels | xᵀ of a row (l in, batch) · ∂L/∂y (batch, out) |
//!
//! Terms that follow one another are summed in registers up to a depth of KC: C would otherwise be read and written for each of
//! them.
//!
//! In the first two, the rows of a product are the images of the batch at one pixel. All of them have the same kernel positions
//! inside the image. A product of the third covers the output columns that read the same kernel positions. On every
//! path, the bytes of a result are the same for every number of threads.

mod epilogue;
pub mod minimal;
mod narrow;
pub(crate) mod patches;
mod sizes;
mod taps;

use crate::activation::Activation;
use crate::gemm::parts::{self, Operands, Part};
use crate::gemm::serial::TermGrid;
use crate::gemm::{Epilogue, MatrixScalar};
use crate::level::Level;
use core::iter::once;
use core::ops::Range;
pub use epilogue::ActivationOutputs;
pub use minimal::MinimalFiltering;
pub use sizes::{Convolution, ConvolutionError, Sizes};

impl Convolution {
    /// The sizes of the products of a forward pass: (m, n), k of a term, and the most terms in one direction.
    fn forward_product(&self) -> [usize; 4] {
        let Sizes { batch, channels_in, channels_out, kernel, .. } = self.sizes();
        [batch, channels_out, kernel[1] * channels_in, kernel[0]]
    }

    fn data_product(&self) -> [usize; 4] {
        let Sizes { batch, channels_in, channels_out, kernel, stride, .. } = self.sizes();
        let [rows, columns] = [0, 1].map(|axis| kernel[axis].div_ceil(stride[axis]));
        [batch, channels_in, channels_out, rows.max(columns)]
    }

    fn weight_product(&self) -> [usize; 4] {
        let Sizes { batch, channels_in, channels_out, kernel, .. } = self.sizes();
        let [rows, columns] = self.output();
        [kernel[1] * channels_in, channels_out, batch, rows.max(columns)]
    }

    /// Compares the lengths of x, w, y and the workspace with those that this convolution needs.
    #[track_caller]
    fn check<T: MatrixScalar>(&self, level: Level, lens: [usize; 3], workspace: &[T]) {
        for (name, found, expected) in
            [("x", lens[0], self.x_len()), ("w", lens[1], self.w_len()), ("y", lens[2], self.y_len())]
        {
            assert!(
                found == expected,
                "conv: {name} of {found} numbers where {expected} are needed: {self:?}"
            );
        }
        let (found, needed) = (workspace.len(), workspace_len::<T>(level, self));
        assert!(found >= needed, "conv: a workspace of {found} elements where {needed} are needed");
    }
}

/// The length of the workspace that the three functions of a convolution need in the current thread pool.
pub fn workspace_len<T: MatrixScalar>(level: Level, convolution: &Convolution) -> usize {
    let products = [convolution.forward_product(), convolution.data_product(), convolution.weight_product()];
    let [forward, data, weights] = products.map(|product| parts::workspace_len::<T>(level, product));
    let narrow =
        if narrow::is_narrow(convolution) { narrow::workspace_len::<T>(level, convolution) } else { 0 };
    forward.max(data).max(weights).max(narrow)
}

/// y <- act(x * w + bias), the forward pass.
///
/// **Shapes** `x` (batch, height, width, in), `w` (kernel height, kernel width, in, out), `y` (batch, height, width, out) of
/// the output, bias (out). `workspace` at least [`workspace_len`].
///
/// **Panics** if a length differs or the workspace is too short.
#[track_caller]
pub fn forward<T: MatrixScalar>(
    level: Level,
    convolution: &Convolution,
    x: &[T],
    w: &[T],
    y: &mut [T],
    epilogue: Epilogue<'_, T>,
    workspace: &mut [T],
) {
    convolution.check(level, [x.len(), w.len(), y.len()], workspace);
    let Sizes { batch, image: [height, width], channels_in, channels_out, kernel, .. } = convolution.sizes();
    if let Some(bias) = epilogue.bias {
        assert!(bias.len() == channels_out, "conv: a bias of {} for {channels_out} channels", bias.len());
    }
    if narrow::is_narrow(convolution) && !y.is_empty() {
        return narrow::forward(level, convolution, [x, w], y, epilogue, workspace);
    }
    let ([vertical, horizontal], output) = (convolution.axes(), convolution.output());
    let part = |pixel: usize| {
        let (i, j) = (pixel / output[1], pixel % output[1]);
        let (rows, columns) = (vertical.positions(i), horizontal.positions(j));
        let empty = Part {
            rows: 0..batch,
            depth: 0,
            a: 0,
            a_strides: [height * width * channels_in, 1],
            b: 0,
            b_strides: [channels_out, 1],
            c: pixel * channels_out,
            c_row_stride: output[0] * output[1] * channels_out,
            terms: TermGrid::ONE,
        };
        if rows.is_empty() || columns.is_empty() || channels_in == 0 {
            return once(empty);
        }
        let [first_row, first_column] = [vertical.input(i, rows.start), horizontal.input(j, columns.start)];
        once(Part {
            depth: columns.len() * channels_in,
            a: (first_row * width + first_column) * channels_in,
            b: (rows.start * kernel[1] + columns.start) * channels_in * channels_out,
            terms: TermGrid {
                counts: [rows.len(), 1],
                a_steps: [signed([width, channels_in, 1]), 0],
                b_steps: [signed([kernel[1], channels_in, channels_out]), 0],
            },
            ..empty
        })
    };
    let count = if y.is_empty() { 0 } else { output[0] * output[1] };
    let Epilogue { bias, activation } = epilogue;
    let operands = Operands { a: x, b: w, beta: T::ZERO, c: y, bias, activation, slopes: None };
    // SAFETY: `check` compared the lengths. Kernel positions and pixels are inside their images, and different pixels have
    // different elements of y.
    unsafe { parts::run(level, convolution.forward_product(), operands, count, &part, workspace) }
}

/// ∂L/∂x <- act(∂L/∂y * wᵀ + bias) φ′, the gradient of data, or the forward pass of the transposed convolution.
///
/// `slopes` holds the activation whose slopes φ′ multiply the result, and its outputs: those that `forward` read as `x`.
///
/// **Shapes** As [`forward`], but the bias (in); the slopes' outputs as `grad_x`.
///
/// **Panics** if a length differs or the workspace is too short.
#[track_caller]
pub fn backward_data<T: MatrixScalar>(
    level: Level,
    convolution: &Convolution,
    grad_y: &[T],
    w: &[T],
    grad_x: &mut [T],
    (epilogue, slopes): (Epilogue<'_, T>, Option<ActivationOutputs<'_, T>>),
    workspace: &mut [T],
) {
    convolution.check(level, [grad_x.len(), w.len(), grad_y.len()], workspace);
    let Sizes { batch, image: [height, width], channels_in, channels_out, kernel, stride, .. } =
        convolution.sizes();
    if let Some(bias) = epilogue.bias {
        assert!(bias.len() == channels_in, "conv: a bias of {} for {channels_in} channels", bias.len());
    }
    if let Some((_, outputs)) = slopes {
        let (found, expected) = (outputs.len(), grad_x.len());
        assert!(found == expected, "conv: {found} outputs for {expected} slopes");
    }
    if narrow::is_narrow(convolution) && !grad_x.is_empty() && channels_out > 0 {
        return narrow::backward_data(level, convolution, [grad_y, w], grad_x, (epilogue, slopes), workspace);
    }
    let ([vertical, horizontal], output) = (convolution.axes(), convolution.output());
    let part = |pixel: usize| {
        let (rows, columns) = (vertical.readers(pixel / width), horizontal.readers(pixel % width));
        let empty = Part {
            rows: 0..batch,
            depth: 0,
            a: 0,
            a_strides: [output[0] * output[1] * channels_out, 1],
            b: 0,
            b_strides: [1, channels_out],
            c: pixel * channels_in,
            c_row_stride: height * width * channels_in,
            terms: TermGrid::ONE,
        };
        if rows.count == 0 || columns.count == 0 || channels_out == 0 {
            return once(empty);
        }
        let position = channels_in * channels_out;
        once(Part {
            depth: channels_out,
            a: (rows.output * output[1] + columns.output) * channels_out,
            b: (rows.kernel * kernel[1] + columns.kernel) * position,
            terms: TermGrid {
                counts: [rows.count, columns.count],
                // The outputs that read a pixel decrease as the kernel positions increase.
                a_steps: [output[1], 1].map(|pixels| signed([pixels, channels_out, 1]).wrapping_neg()),
                b_steps: [signed([stride[0], kernel[1], position]), signed([stride[1], position, 1])],
            },
            ..empty
        })
    };
    let count = if grad_x.is_empty() { 0 } else { height * width };
    let Epilogue { bias, activation } = epilogue;
    let operands = Operands { a: grad_y, b: w, beta: T::ZERO, c: grad_x, bias, activation, slopes };
    // SAFETY: as in `forward`, with the pixels of x.
    unsafe { parts::run(level, convolution.data_product(), operands, count, &part, workspace) }
}

/// ∂L/∂w <- xᵀ * ∂L/∂y + beta ∂L/∂w, the gradient of weights. If `beta` is 0, `grad_w` is not read.
///
/// **Shapes** As [`forward`].
///
/// **Panics** if a length differs or the workspace is too short.
///
/// **Accuracy and cost** A sum over batch and output pixels; its order depends on the sizes, the type and the level alone.
#[track_caller]
pub fn backward_weights<T: MatrixScalar>(
    level: Level,
    convolution: &Convolution,
    x: &[T],
    grad_y: &[T],
    beta: T,
    grad_w: &mut [T],
    workspace: &mut [T],
) {
    convolution.check(level, [x.len(), grad_w.len(), grad_y.len()], workspace);
    let Sizes { batch, image: [height, width], channels_in, channels_out, kernel, stride, .. } =
        convolution.sizes();
    if narrow::is_narrow(convolution) && !grad_w.is_empty() && batch > 0 {
        return narrow::backward_weights(level, convolution, [x, grad_y], beta, grad_w, workspace);
    }
    let ([vertical, horizontal], output) = (convolution.axes(), convolution.output());
    let part = |k: usize| {
        let rows = vertical.outputs(k);
        let is_empty = rows.is_empty() || batch == 0;
        let first_row = if is_empty { 0 } else { vertical.input(rows.start, k) };
        let sum = move |[columns, positions]: [Range<usize>; 2]| Part {
            rows: positions.start * channels_in..positions.end * channels_in,
            depth: batch,
            a: (first_row * width + horizontal.input(columns.start, positions.start)) * channels_in,
            a_strides: [1, height * width * channels_in],
            b: (rows.start * output[1] + columns.start) * channels_out,
            b_strides: [output[0] * output[1] * channels_out, 1],
            c: (k * kernel[1] + positions.start) * channels_in * channels_out,
            c_row_stride: channels_out,
            terms: TermGrid {
                counts: [rows.len(), columns.len()],
                a_steps: [signed([stride[0], width, channels_in]), signed([stride[1], channels_in, 1])],
                b_steps: [signed([output[1], channels_out, 1]), signed([channels_out, 1, 1])],
            },
        };
        // A sum for each range of output columns that read the same kernel positions; first the one of all positions, or an
        // empty sum.
        let runs = move || horizontal.runs().filter(move |[_, positions]| !is_empty && !positions.is_empty());
        let is_whole = move |[_, positions]: &[Range<usize>; 2]| positions.len() == kernel[1];
        let whole = runs().find(is_whole).map_or(
            Part {
                rows: 0..kernel[1] * channels_in,
                depth: 0,
                a: 0,
                a_strides: [0; 2],
                b: 0,
                b_strides: [0; 2],
                c: k * kernel[1] * channels_in * channels_out,
                c_row_stride: channels_out,
                terms: TermGrid::ONE,
            },
            &sum,
        );
        once(whole).chain(runs().filter(move |run| !is_whole(run)).map(sum))
    };
    let count = if grad_w.is_empty() { 0 } else { kernel[0] };
    let (bias, activation, slopes) = (None, Activation::Identity, None);
    let operands = Operands { a: x, b: grad_y, beta, c: grad_w, bias, activation, slopes };
    // SAFETY: as in `forward`; different rows of the kernel have different elements of the gradient.
    unsafe { parts::run(level, convolution.weight_product(), operands, count, &part, workspace) }
}

/// The step between two terms. With a single term the step is not used, and the product may overflow.
fn signed(factors: [usize; 3]) -> isize {
    factors.into_iter().fold(1, usize::wrapping_mul) as isize
}
