//! Many products in parallel, each a part of the same three operands.

use super::blocking::{Blocks, Grid};
use super::epilogue::Slopes;
use super::scalar::MatrixScalar;
use super::serial::{Product, SerialGemm, TermGrid};
use crate::activation::Activation;
use crate::level::Level;
use crate::matrix::Layout;
use crate::threads;
use core::ops::Range;

/// The operands that all parts share, and what happens to C.
pub(crate) struct Operands<'a, T> {
    pub a: &'a [T],
    pub b: &'a [T],
    pub beta: T,
    pub c: &'a mut [T],
    /// A row that is added to each row of C.
    pub bias: Option<&'a [T]>,
    /// Applied last.
    pub activation: Activation<T>,
    /// The slopes of this activation at these outputs, as long as C, multiply C.
    pub slopes: Option<(Activation<T>, &'a [T])>,
}

/// A sum of products for some rows of a part of C: the operands' first elements in these rows, their strides, and the terms.
#[derive(Clone)]
pub(crate) struct Part {
    /// Rows of the part.
    pub rows: Range<usize>,
    /// k of a term; 0 for an empty sum.
    pub depth: usize,
    pub a: usize,
    pub a_strides: [usize; 2],
    pub b: usize,
    pub b_strides: [usize; 2],
    pub c: usize,
    pub c_row_stride: usize,
    pub terms: TermGrid,
}

/// The workspace of parts of (m, n) elements of C, and of terms of depth k of which at most `terms` follow one another in
/// a direction.
pub(crate) fn workspace_len<T: MatrixScalar>(level: Level, [m, _, k, terms]: [usize; 4]) -> usize {
    threads::count() * Blocks::new::<T>(level, m, k, terms).workspace_len::<T>()
}

/// Computes `count` parts, with sizes as in [`workspace_len`]. A part is one sum, or several that are added up: the first
/// has all rows, and there are no bias, activation and slopes.
///
/// # Safety
/// Every element of a part is inside its operand, and the parts of C are disjoint. `bias` has n elements, `slopes` as many as C.
/// `workspace` has [`workspace_len`] elements.
pub(crate) unsafe fn run<T: MatrixScalar, I: Iterator<Item = Part>>(
    level: Level,
    [m, n, k, terms]: [usize; 4],
    operands: Operands<'_, T>,
    count: usize,
    part: &(impl Fn(usize) -> I + Sync),
    workspace: &mut [T],
) {
    let blocks = Blocks::new::<T>(level, m, k, terms);
    let len = blocks.workspace_len::<T>();
    // Enough tasks that no thread waits long; the result does not depend on the split.
    let splits = (4 * threads::count()).div_ceil(count.max(1)).clamp(1, m.div_ceil(blocks.mr).max(1));
    let rows_of = |split: usize| split * m / splits..(split + 1) * m / splits;
    let Operands { a, b, beta, c, bias, activation, slopes } = operands;
    let shared = Shared {
        a: a.as_ptr(),
        b: b.as_ptr(),
        c: c.as_mut_ptr(),
        bias: bias.map_or(core::ptr::null(), <[T]>::as_ptr),
        slopes: slopes.map_or(Slopes::NONE, |(activation, outputs)| Slopes {
            activation,
            outputs: outputs.as_ptr(),
            row_stride: 0,
        }),
        workspace: workspace.as_mut_ptr(),
    };
    threads::for_each(count * splits, &|task, worker| {
        let shared = &shared;
        let split = rows_of(task % splits);
        let mut beta = beta;
        for Part { rows, depth, a, a_strides, b, b_strides, c, c_row_stride, terms } in part(task / splits) {
            let [first, end] =
                [split.start, split.end].map(|row| row.clamp(rows.start, rows.end) - rows.start);
            if first == end {
                continue;
            }
            // An empty sum reads no operand: its pointers stay where they are.
            let [a_strides, b_strides] = if depth == 0 { [[0; 2]; 2] } else { [a_strides, b_strides] };
            let layout = |rows, columns, [row_stride, column_stride]: [usize; 2]| Layout {
                rows,
                columns,
                row_stride,
                column_stride,
            };
            // SAFETY: the caller guarantees that parts are inside the operands and that those of C are disjoint; splits have
            // different rows. Each worker has one task at a time and a part of the workspace of its own.
            let (product, workspace) = unsafe {
                let product = Product {
                    alpha: T::ONE,
                    a: shared.a.add(a),
                    a_layout: layout(rows.len(), depth, a_strides),
                    b: shared.b.add(b),
                    b_layout: layout(depth, n, b_strides),
                    b_is_packed: false,
                    beta,
                    c: shared.c.add(c),
                    c_layout: layout(rows.len(), n, [c_row_stride, 1]),
                    bias: shared.bias,
                    activation,
                    slopes: Slopes { row_stride: c_row_stride, ..shared.slopes.at(0, c) },
                    terms,
                };
                let workspace = core::slice::from_raw_parts_mut(shared.workspace.add(worker * len), len);
                (product.block(first..end, 0..n), workspace)
            };
            T::gemm(level, SerialGemm { product, blocks, workspace });
            beta = T::ONE;
        }
    });
}

/// The product C <- act(A B + beta C + bias) on this thread.
pub(crate) struct Plain<T> {
    /// m, n and k.
    pub sizes: [usize; 3],
    pub a: *const T,
    pub a_strides: [usize; 2],
    pub b: *const T,
    pub b_strides: [usize; 2],
    /// See [`Product::b_is_packed`]; the strides are then not used.
    pub b_is_packed: bool,
    pub beta: T,
    pub c: *mut T,
    pub c_row_stride: usize,
    /// Null, or a row of C.
    pub bias: *const T,
    pub activation: Activation<T>,
}

impl<T: MatrixScalar> Plain<T> {
    /// Computes the product with a workspace of [`plain_workspace_len`] elements.
    ///
    /// # Safety
    /// The pointers are valid for these sizes and strides, a packed B has whole micropanels, nothing else accesses C, and
    /// `workspace` has as many elements.
    pub(crate) unsafe fn run(self, level: Level, workspace: &mut [T]) {
        let [m, n, k] = self.sizes;
        let blocks = Grid::new::<T>(level, m, n, k, 1).blocks;
        let layout = |rows, columns, [row_stride, column_stride]: [usize; 2]| Layout {
            rows,
            columns,
            row_stride,
            column_stride,
        };
        let b_strides = if self.b_is_packed { [blocks.nr, k] } else { self.b_strides };
        let product = Product {
            alpha: T::ONE,
            a: self.a,
            a_layout: layout(m, k, self.a_strides),
            b: self.b,
            b_layout: layout(k, n, b_strides),
            b_is_packed: self.b_is_packed,
            beta: self.beta,
            c: self.c,
            c_layout: layout(m, n, [self.c_row_stride, 1]),
            bias: self.bias,
            activation: self.activation,
            slopes: Slopes::NONE,
            terms: TermGrid::ONE,
        };
        T::gemm(level, SerialGemm { product, blocks, workspace });
    }
}

/// The columns of a micropanel of B.
pub(crate) fn panel_width<T: MatrixScalar>(level: Level) -> usize {
    super::blocking::tile_of::<T>(level).1
}

/// The workspace of a plain product.
pub(crate) fn plain_workspace_len<T: MatrixScalar>(level: Level, [m, n, k]: [usize; 3]) -> usize {
    Grid::new::<T>(level, m, n, k, 1).workspace_per_thread
}

/// Pointers that the tasks share.
struct Shared<T> {
    a: *const T,
    b: *const T,
    c: *mut T,
    bias: *const T,
    slopes: Slopes<T>,
    workspace: *mut T,
}

// SAFETY: tasks read A, B, the bias and the slopes' outputs, and write disjoint parts of C and of the workspace; all of them
// are borrowed for the whole call of `run`.
unsafe impl<T: Sync + Send> Sync for Shared<T> {}
