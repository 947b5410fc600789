//! Minimal filtering: a convolution with fewer multiplications, for 4×4 kernels with stride 2 and padding 1.
//!
//! # In one dimension
//! Two outputs of a kernel of two weights need four multiplications by the definition, and three by F(2, 2):
//!
//! ```text
//! y0 = x0 w0 + x1 w1        p = (x0 − x1) w0        y0 = p + q
//! y1 = x1 w0 + x2 w1        q = x1 (w0 + w1)        y1 = q + r
//!                           r = (x2 − x1) w1
//! ```
//!
//! In matrices, y = Aᵀ ((G w) ⊙ (Bᵀ x)). F(4, 2) computes four outputs with five multiplications in place of eight. In two
//! dimensions a matrix is applied along both axes: F(2, 2) needs 9 multiplications in place of 16, F(4, 2) 25 in place of 64.
//!
//! # With stride 2
//! The pixels of the padded image with even rows and even columns are an image of their own, a *phase*; there are four. A
//! 4×4 kernel with stride 2 is a 2×2 kernel with stride 1 on each phase, and y is the sum over the phases. The four sums are
//! formed after the multiplication, as one sum over 4 `in` channels. With d a tile of the phases, g the kernels, and one
//! product of matrices for each of the 9 or 25 points:
//!
//! ```text
//! forward:             y     = Aᵀ [Σ over 4 in (G g Gᵀ) ⊙ (Bᵀ d B)] A
//! gradient of data:    ∂L/∂d = B [Σ over out (G g Gᵀ) ⊙ (A ∂L/∂y Aᵀ)] Bᵀ      tiles that overlap are added
//! gradient of weights: ∂L/∂g = Gᵀ [Σ over tiles (Bᵀ d B) ⊙ (A ∂L/∂y Aᵀ)] G
//! ```
//!
//! Weights are transformed once after each update ([`transform_weights`]).
//!
//! # Accuracy
//! Rounding errors are larger than those of the direct path: see [`MinimalFiltering::new`], and the test that measures them.
//! Results are the same bytes for every number of threads.
//!
//! Source: Winograd 1980, Arithmetic complexity of computations; Lavin & Gray 2016, Fast algorithms for convolutional
//! neural networks.

mod filter;
mod filtering;
mod tiles;
pub(crate) mod transforms;

pub use filtering::MinimalFiltering;

use super::epilogue::ActivationOutputs;
use crate::activation::Activation;
use crate::gemm::parts::{Plain, panel_width, plain_workspace_len};
use crate::gemm::{Epilogue, MatrixScalar};
use crate::level::Level;
use crate::threads::{self, SharedMut};
use core::ops::Range;
use filtering::{CHANNELS, PHASES};
use tiles::TransformedTiles;
use transforms::{Step, Transform};

/// Bytes of transformed tiles that a thread works on at once, so that they stay in its second-level cache.
const BLOCK_BYTES: usize = 3 << 19;
/// Rows of a block's products that are worth the weights they read.
const BLOCK_ROWS: usize = 32;
/// Bytes of transformed tiles of the gradient of weights. They determine how sums are split.
const GRADIENT_BYTES: usize = 16 << 20;
/// Tiles of a chain of multiply-adds of the gradient of weights: sums of short chains have smaller rounding errors.
const CHAIN: usize = 64;
/// Rows and columns of a product of the gradient of weights: its 25 points stay in the second-level cache.
const GRADIENT_BLOCK: [usize; 2] = [48, 128];

impl MinimalFiltering {
    /// Elements of the transformed tiles of `images` images, on both sides.
    fn tiles_len<T>(&self, images: usize) -> [usize; 2] {
        let rows = images * self.tiles_per_image();
        self.channels().map(|columns| self.points() * TransformedTiles::<T>::point_len(rows, columns))
    }

    /// Images that a thread transforms at once; results do not depend on it.
    fn images_per_block<T>(&self) -> usize {
        let bytes = self.tiles_len::<T>(1).iter().sum::<usize>() * size_of::<T>();
        let batch = self.convolution().sizes().batch;
        let share = batch.div_ceil(threads::count());
        let rows = BLOCK_ROWS.div_ceil(self.tiles_per_image());
        (BLOCK_BYTES / bytes).max(rows).min(share).max(1)
    }

    /// Images whose gradients of weights are summed at once. Results depend on it, and it on the sizes alone.
    fn images_per_sum<T>(&self) -> usize {
        let bytes = self.tiles_len::<T>(1).iter().sum::<usize>() * size_of::<T>();
        (GRADIENT_BYTES / bytes).clamp(1, self.convolution().sizes().batch.max(1))
    }

    /// Elements of the transformed weights of the forward pass, and of the gradient of data.
    fn weights_lens<T: MatrixScalar>(&self, level: Level) -> [usize; 2] {
        self.points_of_weights::<T>(panel_width::<T>(level)).map(|len| self.points() * len)
    }

    #[track_caller]
    fn check<T: MatrixScalar>(
        &self,
        level: Level,
        lens: [Option<usize>; 2],
        weights: Option<usize>,
        workspace: usize,
    ) {
        let expected = [self.convolution().x_len(), self.convolution().y_len()];
        for (name, found, expected) in [
            ("x", lens[0], expected[0]),
            ("y", lens[1], expected[1]),
            ("transformed weights", weights, weights_len::<T>(level, self)),
        ] {
            let found = found.unwrap_or(expected);
            assert!(
                found == expected,
                "conv: {name} of {found} numbers where {expected} are needed: {self:?}"
            );
        }
        let needed = workspace_len::<T>(level, self);
        assert!(workspace >= needed, "conv: a workspace of {workspace} elements where {needed} are needed");
    }
}

/// The length of the transformed weights, which depends on the level.
pub fn weights_len<T: MatrixScalar>(level: Level, filtering: &MinimalFiltering) -> usize {
    filtering.weights_lens::<T>(level).iter().sum()
}

/// The length of the workspace that [`forward`], [`backward_data`] and [`backward_weights`] need in the current thread pool.
pub fn workspace_len<T: MatrixScalar>(level: Level, filtering: &MinimalFiltering) -> usize {
    let both = |images: usize| filtering.tiles_len::<T>(images).iter().sum::<usize>();
    let block = both(filtering.images_per_block::<T>()) + filtering.products_workspace::<T>(level);
    let gradient = GradientBlocks::of::<T>(level, filtering);
    let gradient_threads = threads::count() * (gradient.products_len + gradient.workspace_len);
    (threads::count() * block).max(both(filtering.images_per_sum::<T>()) + gradient_threads)
}

impl MinimalFiltering {
    /// The workspace of the products of a block of images.
    fn products_workspace<T: MatrixScalar>(&self, level: Level) -> usize {
        let rows = self.images_per_block::<T>() * self.tiles_per_image();
        let [k, n] = self.channels();
        let lens = [[rows, n, k], [rows, k, n]].map(|sizes| plain_workspace_len::<T>(level, sizes));
        lens[0].max(lens[1])
    }
}

/// The split of the products of the gradient of weights.
struct GradientBlocks {
    rows: usize,
    columns: usize,
    /// Elements of the products of a task.
    products_len: usize,
    workspace_len: usize,
}

impl GradientBlocks {
    fn of<T: MatrixScalar>(level: Level, filtering: &MinimalFiltering) -> Self {
        let [k, n] = filtering.channels();
        let (rows, columns) = (GRADIENT_BLOCK[0].min(k), GRADIENT_BLOCK[1].min(n));
        Self {
            rows,
            columns,
            products_len: filtering.points() * TransformedTiles::<T>::point_len(rows, columns),
            workspace_len: plain_workspace_len::<T>(level, [rows, columns, CHAIN]),
        }
    }
}

fn transform<T: MatrixScalar>(level: Level, filtering: &MinimalFiltering, step: Step<'_, T>) {
    T::transform(level, Transform { filtering, step });
}

/// Transforms weights for [`forward`] and [`backward_data`] at the same level, with the same convolution but for its batch.
///
/// **Shapes** `w` (4, 4, in, out); `to` [`weights_len`].
///
/// **Panics** if a length differs.
#[track_caller]
pub fn transform_weights<T: MatrixScalar>(level: Level, filtering: &MinimalFiltering, w: &[T], to: &mut [T]) {
    let expected = [filtering.convolution().w_len(), weights_len::<T>(level, filtering)];
    assert!([w.len(), to.len()] == expected, "conv: {:?} weights, not {expected:?}", [w.len(), to.len()]);
    let channels_in = filtering.convolution().sizes().channels_in;
    let blocks = channels_in / CHANNELS;
    let to = SharedMut(to.as_mut_ptr());
    threads::for_each(PHASES * blocks, &|task, _| {
        let to = &to;
        let first = task % blocks * CHANNELS;
        let channels = first..first + CHANNELS;
        let width = panel_width::<T>(level);
        transform(level, filtering, Step::Weights { w, phase: task / blocks, channels, to: to.0, width });
    });
}

/// y <- act(x * w + bias), from weights that [`transform_weights`] has transformed.
///
/// **Shapes** and **Panics** as [`super::forward`], with [`workspace_len`] of this module.
#[track_caller]
pub fn forward<T: MatrixScalar>(
    level: Level,
    filtering: &MinimalFiltering,
    x: &[T],
    weights: &[T],
    y: &mut [T],
    epilogue: Epilogue<'_, T>,
    workspace: &mut [T],
) {
    filtering.check::<T>(level, [Some(x.len()), Some(y.len())], Some(weights.len()), workspace.len());
    let [k, n] = filtering.channels();
    if let Some(bias) = epilogue.bias {
        assert!(bias.len() == n, "conv: a bias of {} for {n} channels", bias.len());
    }
    let Epilogue { bias, activation } = epilogue;
    let (x, y) = (SharedMut(x.as_ptr().cast_mut()), SharedMut(y.as_mut_ptr()));
    let weights = &weights[..filtering.weights_lens::<T>(level)[0]];
    run_blocks(level, filtering, [k, n], weights, workspace, &|images, [from, to], has_products| {
        let (x, y) = (&x, &y);
        transform(
            level,
            filtering,
            match has_products {
                false => Step::Image { x: x.0, images, tiles: from },
                true => Step::Output { tiles: to, y: y.0, images, bias, activation },
            },
        );
    });
}

/// ∂L/∂x <- act(∂L/∂y * wᵀ + bias) φ′, from weights that [`transform_weights`] has transformed.
///
/// **Shapes** and **Panics** as [`super::backward_data`], with [`workspace_len`] of this module.
#[track_caller]
pub fn backward_data<T: MatrixScalar>(
    level: Level,
    filtering: &MinimalFiltering,
    grad_y: &[T],
    weights: &[T],
    grad_x: &mut [T],
    (epilogue, slopes): (Epilogue<'_, T>, Option<ActivationOutputs<'_, T>>),
    workspace: &mut [T],
) {
    filtering.check::<T>(
        level,
        [Some(grad_x.len()), Some(grad_y.len())],
        Some(weights.len()),
        workspace.len(),
    );
    let [k, n] = filtering.channels();
    if let Some(bias) = epilogue.bias {
        assert!(bias.len() == k / PHASES, "conv: a bias of {} for {} channels", bias.len(), k / PHASES);
    }
    if let Some((_, outputs)) = slopes {
        let (found, expected) = (outputs.len(), grad_x.len());
        assert!(found == expected, "conv: {found} outputs for {expected} slopes");
    }
    let Epilogue { bias, activation } = epilogue;
    let slopes = slopes.map(|(activation, outputs)| (activation, SharedMut(outputs.as_ptr().cast_mut())));
    let (grad_y, grad_x) = (SharedMut(grad_y.as_ptr().cast_mut()), SharedMut(grad_x.as_mut_ptr()));
    let weights = &weights[filtering.weights_lens::<T>(level)[0]..];
    run_blocks(level, filtering, [n, k], weights, workspace, &|images, [from, to], has_products| {
        let (grad_y, grad_x, slopes) = (&grad_y, &grad_x, &slopes);
        let slopes = slopes.as_ref().map(|(activation, outputs)| (*activation, outputs.0.cast_const()));
        transform(
            level,
            filtering,
            match has_products {
                false => Step::Gradient { grad_y: grad_y.0, images, tiles: from },
                true => Step::ImageGradient { tiles: to, grad_x: grad_x.0, images, bias, activation, slopes },
            },
        );
    });
}

/// For each block of images: calls `transform` to fill the first tiles, multiplies them by the weights of each point, and
/// calls `transform` again to use the products.
///
/// `columns` are those of the first and of the second tiles.
fn run_blocks<T: MatrixScalar>(
    level: Level,
    filtering: &MinimalFiltering,
    columns: [usize; 2],
    weights: &[T],
    workspace: &mut [T],
    transform: &(impl Fn(Range<usize>, [TransformedTiles<T>; 2], bool) + Sync),
) {
    let batch = filtering.convolution().sizes().batch;
    let (block, tiles_per_image) = (filtering.images_per_block::<T>(), filtering.tiles_per_image());
    let rows = block * tiles_per_image;
    let lens = columns.map(|columns| filtering.points() * TransformedTiles::<T>::point_len(rows, columns));
    let products_workspace = filtering.products_workspace::<T>(level);
    let per_thread = lens[0] + lens[1] + products_workspace;
    let workspace = SharedMut(workspace.as_mut_ptr());
    threads::for_each(batch.div_ceil(block), &|task, worker| {
        let workspace = &workspace;
        let images = task * block..((task + 1) * block).min(batch);
        // SAFETY: each worker runs one task at a time and has a part of the workspace, whose length `check` compared.
        let own = unsafe { workspace.slice(worker * per_thread..(worker + 1) * per_thread) };
        let (from, rest) = own.split_at_mut(lens[0]);
        let (to, scratch) = rest.split_at_mut(lens[1]);
        let tiles = [
            TransformedTiles::new(from.as_mut_ptr(), rows, columns[0]),
            TransformedTiles::new(to.as_mut_ptr(), rows, columns[1]),
        ];
        transform(images.clone(), tiles, false);
        let m = images.len() * tiles_per_image;
        for (point, weights) in weights.chunks_exact(weights.len() / filtering.points()).enumerate() {
            // SAFETY: the buffers hold `rows` rows, at least m, for each point, and the weights whole micropanels.
            unsafe {
                Plain {
                    sizes: [m, columns[1], columns[0]],
                    a: tiles[0].start.add(point * tiles[0].point),
                    a_strides: [tiles[0].row, 1],
                    b: weights.as_ptr(),
                    b_strides: [0; 2],
                    b_is_packed: true,
                    beta: T::ZERO,
                    c: tiles[1].start.add(point * tiles[1].point),
                    c_row_stride: tiles[1].row,
                    bias: core::ptr::null(),
                    activation: Activation::Identity,
                }
                .run(level, scratch);
            }
        }
        transform(images, tiles, true);
    });
}

/// ∂L/∂w <- xᵀ * ∂L/∂y + beta ∂L/∂w, the gradient of weights. If `beta` is 0, `grad_w` is not read.
///
/// **Shapes** and **Panics** as [`super::backward_weights`], with [`workspace_len`] of this module.
///
/// **Accuracy and cost** Sums over groups of images, whose size depends on the convolution alone.
#[track_caller]
pub fn backward_weights<T: MatrixScalar>(
    level: Level,
    filtering: &MinimalFiltering,
    x: &[T],
    grad_y: &[T],
    beta: T,
    grad_w: &mut [T],
    workspace: &mut [T],
) {
    filtering.check::<T>(level, [Some(x.len()), Some(grad_y.len())], None, workspace.len());
    let (found, expected) = (grad_w.len(), filtering.convolution().w_len());
    assert!(found == expected, "conv: {found} weights where {expected} are needed");
    let (batch, [k, n]) = (filtering.convolution().sizes().batch, filtering.channels());
    if batch == 0 {
        // Not read if beta is 0.
        grad_w.iter_mut().for_each(|w| *w = if beta == T::ZERO { T::ZERO } else { beta * *w });
    }
    let group = filtering.images_per_sum::<T>();
    let (lens, rows) = (filtering.tiles_len::<T>(group), group * filtering.tiles_per_image());
    let (tiles_of_x, rest) = workspace.split_at_mut(lens[0]);
    let (tiles_of_y, rest) = rest.split_at_mut(lens[1]);
    let shared = Gradient {
        filtering,
        level,
        x: SharedMut(x.as_ptr().cast_mut()),
        grad_y: SharedMut(grad_y.as_ptr().cast_mut()),
        grad_w: SharedMut(grad_w.as_mut_ptr()),
        tiles: [
            SharedTiles(TransformedTiles::new(tiles_of_x.as_mut_ptr(), rows, k)),
            SharedTiles(TransformedTiles::new(tiles_of_y.as_mut_ptr(), rows, n)),
        ],
        workspace: SharedMut(rest.as_mut_ptr()),
    };
    for first in (0..batch).step_by(group) {
        let images = first..(first + group).min(batch);
        shared.transform(images.clone());
        shared.multiply(images.len(), if first == 0 { beta } else { T::ONE });
    }
}

/// The data that all tasks of a gradient of weights use.
struct Gradient<'a, T> {
    filtering: &'a MinimalFiltering,
    level: Level,
    x: SharedMut<T>,
    grad_y: SharedMut<T>,
    grad_w: SharedMut<T>,
    tiles: [SharedTiles<T>; 2],
    workspace: SharedMut<T>,
}

struct SharedTiles<T>(TransformedTiles<T>);

// SAFETY: the type only holds a pointer; what uses it is unsafe.
unsafe impl<T: Send> Sync for SharedTiles<T> {}

impl<T: MatrixScalar> Gradient<'_, T> {
    /// Transforms the tiles of a group of images, one image a task.
    fn transform(&self, images: Range<usize>) {
        let tiles = self.filtering.tiles_per_image();
        threads::for_each(images.len(), &|task, _| {
            let image = images.start + task..images.start + task + 1;
            // SAFETY: the buffers have a row for each tile of the group.
            let [of_x, of_y] =
                [0, 1].map(|side: usize| unsafe { self.tiles[side].0.starting_at(task * tiles) });
            let step = Step::Image { x: self.x.0, images: image.clone(), tiles: of_x };
            transform(self.level, self.filtering, step);
            let step = Step::Gradient { grad_y: self.grad_y.0, images: image, tiles: of_y };
            transform(self.level, self.filtering, step);
        });
    }

    /// Multiplies the tiles of a group of images and adds the result to the gradient, a block of weights a task.
    fn multiply(&self, images: usize, beta: T) {
        let blocks = GradientBlocks::of::<T>(self.level, self.filtering);
        let [k, n] = self.filtering.channels();
        let (row_blocks, column_blocks) = (k.div_ceil(blocks.rows), n.div_ceil(blocks.columns));
        let per_thread = blocks.products_len + blocks.workspace_len;
        threads::for_each(row_blocks * column_blocks, &|task, worker| {
            let part = |index: usize, size: usize, end: usize| index * size..((index + 1) * size).min(end);
            let rows = part(task / column_blocks, blocks.rows, k);
            let columns = part(task % column_blocks, blocks.columns, n);
            // SAFETY: as in `run_blocks`.
            let own = unsafe { self.workspace.slice(worker * per_thread..(worker + 1) * per_thread) };
            let (products, scratch) = own.split_at_mut(blocks.products_len);
            let products = TransformedTiles::new(products.as_mut_ptr(), blocks.rows, blocks.columns);
            let tiles = images * self.filtering.tiles_per_image();
            let chains = (0..tiles).step_by(CHAIN);
            for (point, first) in
                (0..self.filtering.points()).flat_map(|point| chains.clone().map(move |first| (point, first)))
            {
                let [a, b] = [0, 1].map(|side: usize| self.tiles[side].0);
                // SAFETY: the buffers have a row for each tile of the group, and these columns.
                unsafe {
                    Plain {
                        sizes: [rows.len(), columns.len(), (tiles - first).min(CHAIN)],
                        a: a.start.add(point * a.point + first * a.row + rows.start),
                        a_strides: [1, a.row],
                        b: b.start.add(point * b.point + first * b.row + columns.start),
                        b_strides: [b.row, 1],
                        b_is_packed: false,
                        beta: if first == 0 { T::ZERO } else { T::ONE },
                        c: products.start.add(point * products.point),
                        c_row_stride: products.row,
                        bias: core::ptr::null(),
                        activation: Activation::Identity,
                    }
                    .run(self.level, scratch);
                }
            }
            let grad_w = self.grad_w.0;
            transform(
                self.level,
                self.filtering,
                Step::WeightGradient { products, grad_w, beta, rows, columns },
            );
        });
    }
}
