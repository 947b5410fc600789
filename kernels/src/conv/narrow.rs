//! Convolutions of images with few channels, such as colours, by patches of a few rows of pixels.
//!
//! With few input channels, the products of the direct path are too narrow for the registers. Here the patches of some output
//! pixels are copied to the workspace, where they stay in cache, and a kernel is one row of a product:
//!
//! | pass | product of a group of output pixels |
//! |---|---|
//! | forward | y (pixels, out) = patches (pixels, kernel in) · w (kernel in, out) |
//! | gradient of data | patches (pixels, kernel in) = ∂L/∂y (pixels, out) · wᵀ, which are added to the pixels of ∂L/∂x |
//! | gradient of weights | ∂L/∂w (kernel in, out) += patchesᵀ · ∂L/∂y (pixels, out) |
//!
//! A task is an image, or for the gradient of weights an eighth of the batch.

use super::epilogue::ActivationOutputs;
use super::patches::{Patches, Step};
use super::sizes::{Convolution, Sizes};
use crate::activation::Activation;
use crate::gemm::parts::{Plain, plain_workspace_len};
use crate::gemm::{Epilogue, MatrixScalar};
use crate::level::Level;
use crate::threads::{self, SharedMut};
use core::ops::Range;

/// Output pixels of a product, if a row of pixels is not longer.
const PIXELS: usize = 128;
/// Numbers of the patches of a product, up to which they stay in cache.
const MOST_NUMBERS: usize = 1 << 17;
/// Partial sums of the gradient of weights, each over a part of the batch.
const SUMS: usize = 8;

/// Returns whether patches are faster than the direct path.
pub(super) fn is_narrow(convolution: &Convolution) -> bool {
    let Sizes { channels_in, kernel, .. } = convolution.sizes();
    let patch = kernel[0].saturating_mul(kernel[1]).saturating_mul(channels_in);
    let is_small = patch.saturating_mul(convolution.output()[1].max(PIXELS)) <= MOST_NUMBERS;
    channels_in > 0 && channels_in < 16 && is_small
}

/// The sizes of the products.
#[derive(Clone, Copy)]
struct Products {
    /// Output rows of a product.
    rows: usize,
    /// Numbers of a patch.
    depth: usize,
    /// Elements between two patches: an odd number of cache lines.
    stride: usize,
    /// Elements of the patches of a product.
    patches: usize,
    /// Elements of workspace of a product.
    workspace: usize,
}

impl Products {
    fn of<T: MatrixScalar>(level: Level, convolution: &Convolution) -> Self {
        let Sizes { channels_in, channels_out: n, kernel, .. } = convolution.sizes();
        let [height, width] = convolution.output();
        let rows = (PIXELS / width).clamp(1, height);
        let (pixels, depth, line) = (rows * width, kernel[0] * kernel[1] * channels_in, 64 / size_of::<T>());
        let stride = (depth.div_ceil(line) | 1) * line;
        let products = [[pixels, n, depth], [pixels, depth, n], [depth, n, pixels]];
        let workspace = products.map(|sizes| plain_workspace_len::<T>(level, sizes)).into_iter().max();
        Self { rows, depth, stride, patches: pixels * stride, workspace: workspace.unwrap_or(0) }
    }

    fn per_thread(&self) -> usize {
        self.patches + self.workspace
    }
}

/// The length of the workspace.
pub(super) fn workspace_len<T: MatrixScalar>(level: Level, convolution: &Convolution) -> usize {
    let sums = SUMS * convolution.w_len();
    sums + threads::count() * Products::of::<T>(level, convolution).per_thread()
}

/// The data that all tasks of a pass use.
struct Pass<'a, T> {
    level: Level,
    convolution: &'a Convolution,
    products: Products,
    x: SharedMut<T>,
    w: SharedMut<T>,
    y: SharedMut<T>,
    workspace: SharedMut<T>,
}

impl<'a, T: MatrixScalar> Pass<'a, T> {
    fn new(level: Level, convolution: &'a Convolution, pointers: [*mut T; 3], workspace: &mut [T]) -> Self {
        let [x, w, y] = pointers.map(SharedMut);
        let products = Products::of::<T>(level, convolution);
        Self { level, convolution, products, x, w, y, workspace: SharedMut(workspace.as_mut_ptr()) }
    }

    /// The workspace of a worker: patches, and the workspace of products.
    ///
    /// # Safety
    /// The worker has no other such slices.
    #[allow(clippy::mut_from_ref)] // the caller guarantees that parts are disjoint
    unsafe fn own(&self, worker: usize) -> (&mut [T], &mut [T]) {
        let len = self.products.per_thread();
        let start = SUMS * self.convolution.w_len() + worker * len;
        // SAFETY: `Convolution::check` compared the length of the workspace; workers have disjoint parts.
        unsafe { self.workspace.slice(start..start + len) }.split_at_mut(self.products.patches)
    }

    /// The groups of output rows of an image.
    fn row_groups(&self) -> impl Iterator<Item = Range<usize>> + use<T> {
        let (height, rows) = (self.convolution.output()[0], self.products.rows);
        (0..height).step_by(rows).map(move |first| first..(first + rows).min(height))
    }

    fn run(&self, image: usize, rows: Range<usize>, patches: *mut T, step: Step<T>) {
        let len = self.convolution.x_len() / self.convolution.sizes().batch;
        let patches = Patches {
            axes: self.convolution.axes(),
            channels: self.convolution.sizes().channels_in,
            rows,
            // SAFETY: the image is inside x.
            image: unsafe { self.x.0.add(image * len) },
            patches,
            stride: self.products.stride,
            step,
        };
        T::patches(self.level, patches);
    }

    /// The first pixel of output rows of an image, and their number.
    fn pixels(&self, image: usize, rows: &Range<usize>) -> (*mut T, usize) {
        let ([height, width], n) = (self.convolution.output(), self.convolution.sizes().channels_out);
        // SAFETY: the rows are inside y.
        (unsafe { self.y.0.add((image * height + rows.start) * width * n) }, rows.len() * width)
    }
}

/// See [`super::forward`].
pub(super) fn forward<T: MatrixScalar>(
    level: Level,
    convolution: &Convolution,
    [x, w]: [&[T]; 2],
    y: &mut [T],
    epilogue: Epilogue<'_, T>,
    workspace: &mut [T],
) {
    let pointers = [x.as_ptr().cast_mut(), w.as_ptr().cast_mut(), y.as_mut_ptr()];
    let (pass, n) = (Pass::new(level, convolution, pointers, workspace), convolution.sizes().channels_out);
    let bias = SharedMut(epilogue.bias.map_or(core::ptr::null_mut(), |bias| bias.as_ptr().cast_mut()));
    let activation = epilogue.activation;
    threads::for_each(convolution.sizes().batch, &|image, worker| {
        let (pass, bias) = (&pass, &bias);
        // SAFETY: a worker runs one task at a time.
        let (patches, scratch) = unsafe { pass.own(worker) };
        for rows in pass.row_groups() {
            pass.run(image, rows.clone(), patches.as_mut_ptr(), Step::Fill);
            let ((c, pixels), Products { depth, stride, .. }) = (pass.pixels(image, &rows), pass.products);
            // SAFETY: patches, weights and rows of y have these sizes, and each image is one task's.
            unsafe {
                Plain {
                    sizes: [pixels, n, depth],
                    a: patches.as_ptr(),
                    a_strides: [stride, 1],
                    b: pass.w.0,
                    b_strides: [n, 1],
                    b_is_packed: false,
                    beta: T::ZERO,
                    c,
                    c_row_stride: n,
                    bias: bias.0,
                    activation,
                }
                .run(level, scratch);
            }
        }
    });
}

/// See [`super::backward_data`].
pub(super) fn backward_data<T: MatrixScalar>(
    level: Level,
    convolution: &Convolution,
    [grad_y, w]: [&[T]; 2],
    grad_x: &mut [T],
    (epilogue, slopes): (Epilogue<'_, T>, Option<ActivationOutputs<'_, T>>),
    workspace: &mut [T],
) {
    let pointers = [grad_x.as_mut_ptr(), w.as_ptr().cast_mut(), grad_y.as_ptr().cast_mut()];
    let Sizes { batch, channels_out: n, .. } = convolution.sizes();
    let pass = Pass::new(level, convolution, pointers, workspace);
    let bias = SharedMut(epilogue.bias.map_or(core::ptr::null_mut(), |bias| bias.as_ptr().cast_mut()));
    let activation = epilogue.activation;
    let slopes = slopes.map(|(activation, outputs)| (activation, SharedMut(outputs.as_ptr().cast_mut())));
    threads::for_each(batch, &|image, worker| {
        let (pass, bias, slopes) = (&pass, &bias, &slopes);
        // SAFETY: a worker runs one task at a time.
        let (patches, scratch) = unsafe { pass.own(worker) };
        pass.run(image, 0..0, patches.as_mut_ptr(), Step::Clear);
        for rows in pass.row_groups() {
            let ((a, pixels), Products { depth, stride, .. }) = (pass.pixels(image, &rows), pass.products);
            // SAFETY: as in `forward`.
            unsafe {
                Plain {
                    sizes: [pixels, depth, n],
                    a,
                    a_strides: [n, 1],
                    b: pass.w.0,
                    b_strides: [1, n],
                    b_is_packed: false,
                    beta: T::ZERO,
                    c: patches.as_mut_ptr(),
                    c_row_stride: stride,
                    bias: core::ptr::null(),
                    activation: Activation::Identity,
                }
                .run(level, scratch);
            }
            pass.run(image, rows, patches.as_mut_ptr(), Step::Add);
        }
        let slopes = slopes.as_ref().map(|(activation, outputs)| {
            // SAFETY: there is an output for each number of x.
            (*activation, unsafe { outputs.0.add(image * (convolution.x_len() / batch)) }.cast_const())
        });
        let finish = Step::Finish { bias: bias.0, activation, slopes };
        pass.run(image, 0..0, patches.as_mut_ptr(), finish);
    });
}

/// See [`super::backward_weights`].
pub(super) fn backward_weights<T: MatrixScalar>(
    level: Level,
    convolution: &Convolution,
    [x, grad_y]: [&[T]; 2],
    beta: T,
    grad_w: &mut [T],
    workspace: &mut [T],
) {
    let pointers = [x.as_ptr().cast_mut(), core::ptr::null_mut(), grad_y.as_ptr().cast_mut()];
    let (Sizes { batch, channels_out: n, .. }, len) = (convolution.sizes(), grad_w.len());
    let per_sum = batch.div_ceil(SUMS).max(1);
    let sums = batch.div_ceil(per_sum);
    {
        let pass = Pass::new(level, convolution, pointers, workspace);
        threads::for_each(sums, &|sum, worker| {
            let pass = &pass;
            // SAFETY: a worker runs one task at a time, and each sum is one task's.
            let ((patches, scratch), c) = unsafe { (pass.own(worker), pass.workspace.0.add(sum * len)) };
            let mut beta = T::ZERO;
            for image in sum * per_sum..((sum + 1) * per_sum).min(batch) {
                for rows in pass.row_groups() {
                    pass.run(image, rows.clone(), patches.as_mut_ptr(), Step::Fill);
                    let ((b, pixels), products) = (pass.pixels(image, &rows), pass.products);
                    // SAFETY: as in `forward`.
                    unsafe {
                        Plain {
                            sizes: [products.depth, n, pixels],
                            a: patches.as_ptr(),
                            a_strides: [1, products.stride],
                            b,
                            b_strides: [n, 1],
                            b_is_packed: false,
                            beta,
                            c,
                            c_row_stride: n,
                            bias: core::ptr::null(),
                            activation: Activation::Identity,
                        }
                        .run(level, scratch);
                    }
                    beta = T::ONE;
                }
            }
        });
    }
    for (place, gradient) in grad_w.iter_mut().enumerate() {
        let sum = (0..sums).fold(T::ZERO, |sum, part| sum + workspace[part * len + place]);
        *gradient = if beta == T::ZERO { sum } else { beta * *gradient + sum };
    }
}
