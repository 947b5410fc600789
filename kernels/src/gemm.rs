//! The matrix product C <- act(alpha A B + beta C + bias), after Goto & van de Geijn 2008 and BLIS (Van Zee &
//! van de Geijn 2015).
//!
//! ```text
//! loop 4: for pc in 0..k by KC            C is read and written once a depth block
//! loop 3:   for ic in 0..m by MC          A's block (MC x KC) stays in L2: packed, or where it lies
//! loop 2:     for jr in 0..n by NR        B's micropanel (KC x NR) stays in L1
//! loop 1:       for ir in 0..MC by MR     A's micropanels stream from L2; the first tile packs B's
//!                 microkernel: an MR x NR tile of C in registers, KC steps
//! ```
//!
//! A tile holds `NV` vectors of a row of C times `MR` rows; a step of depth loads `NV` vectors of B and
//! broadcasts `MR` scalars of A. Edges have tiles of their own sizes, so that nothing is computed twice.
//!
//! Three things make it differ from the books. B's micropanel is packed by the first tile that uses it, whose
//! multiply-adds hide the loads, so that there is no slab of B, and no loop 5 (n by NC) for it. A is read where it lies
//! (broadcasts do not care about its layout) unless its rows would fight for the same sets of L1. One or two rows
//! have a path without packing. Whatever the path and the split over threads, an element of C is the same chain of
//! multiply-adds, so the result depends on the shape and the level alone.
//!
//! Letters: C is m x n, A is m x k, B is k x n.

#[cfg(all(feature = "matrixmultiply", any(test, not(target_arch = "x86_64"))))]
mod backend;
mod blocking;
mod epilogue;
mod microkernel;
mod packing;
pub(crate) mod scalar;
mod serial;

pub use blocking::CacheSizes;
pub use epilogue::Epilogue;
pub use scalar::MatrixScalar;

use crate::activation::Activation;
use crate::lanes::Scalar;
use crate::level::Level;
use crate::matrix::{Layout, MatrixMut, MatrixRef};
use crate::threads;
use blocking::Grid;
use epilogue::Slopes;
use serial::{Product, SerialGemm};

/// Elements of workspace that [`gemm`] needs for an m x n x k product in the current thread pool.
pub fn workspace_len<T: Scalar>(level: Level, m: usize, n: usize, k: usize) -> usize {
    // A C that is contiguous along its columns is computed as its transpose.
    let len = |m, n| Grid::new::<T>(level, m, n, k, threads::count()).workspace_len();
    len(m, n).max(len(n, m))
}

/// C <- act(alpha A B + beta C + bias).
///
/// If `beta` is 0, C is not read and may hold anything, NaN included. The epilogue is applied while a tile of C
/// is in cache, so that a layer is one pass over C.
///
/// **Shapes** `a` (m, k), `b` (k, n), `c` (m, n), any strides; the epilogue's bias (n). `workspace` at least
/// [`workspace_len`].
/// **Panics** if the shapes do not chain or the workspace is short.
/// **Accuracy and cost** A depth block of up to `KC` products is one chain of fused multiply-adds (rounded after
/// multiplication at the portable level); 2 m n k operations. Bit-identical for every number of threads.
#[allow(clippy::too_many_arguments)] // the BLAS's own list
#[track_caller]
pub fn gemm<T: MatrixScalar>(
    level: Level,
    alpha: T,
    a: MatrixRef<'_, T>,
    b: MatrixRef<'_, T>,
    beta: T,
    c: MatrixMut<'_, T>,
    epilogue: Epilogue<'_, T>,
    workspace: &mut [T],
) {
    let mut product = checked(alpha, a, b, beta, c);
    let n = product.c_layout.columns;
    if let Some(bias) = epilogue.bias {
        assert!(bias.len() == n, "gemm: a bias of {} for {n} columns", bias.len());
        product.bias = bias.as_ptr();
    }
    product.activation = epilogue.activation;
    run(level, product, workspace);
}

/// C <- (alpha A B) φ′, element by element, where φ′ is the slope of `activation` at the place that gave `outputs`: a step
/// back (or of a tangent) through a layer and the activation before it (or after it). Elements below [`Scalar::TINY`] in
/// size become 0.
///
/// **Shapes** and **Panics** as [`gemm()`]; `outputs` (m, n), contiguous along its columns.
/// **Accuracy and cost** As [`gemm()`]; the slopes are computed while a tile of C is in cache.
#[allow(clippy::too_many_arguments)] // the BLAS's own list
#[track_caller]
pub fn gemm_times_slope<T: MatrixScalar>(
    level: Level,
    alpha: T,
    a: MatrixRef<'_, T>,
    b: MatrixRef<'_, T>,
    c: MatrixMut<'_, T>,
    activation: Activation<T>,
    outputs: MatrixRef<'_, T>,
    workspace: &mut [T],
) {
    let mut product = checked(alpha, a, b, T::ZERO, c);
    let (m, n) = (product.c_layout.rows, product.c_layout.columns);
    let Layout { rows, columns, row_stride, column_stride } = outputs.layout;
    assert!((rows, columns) == (m, n), "gemm: outputs ({rows}, {columns}) of a product ({m}, {n})");
    assert!(column_stride == 1 || n < 2, "gemm: outputs whose columns are {column_stride} apart");
    product.slopes = Slopes { activation, outputs: outputs.data.as_ptr(), row_stride };
    run(level, product, workspace);
}

/// alpha A B + beta C, whose shapes chain.
#[track_caller]
fn checked<T: Scalar>(
    alpha: T,
    a: MatrixRef<'_, T>,
    b: MatrixRef<'_, T>,
    beta: T,
    c: MatrixMut<'_, T>,
) -> Product<T> {
    let (m, n, k) = (c.layout.rows, c.layout.columns, a.layout.columns);
    assert!(
        a.layout.rows == m && b.layout.rows == k && b.layout.columns == n,
        "gemm: ({}, {k}) times ({}, {}) does not give ({m}, {n})",
        a.layout.rows,
        b.layout.rows,
        b.layout.columns,
    );
    Product {
        alpha,
        a: a.data.as_ptr(),
        a_layout: a.layout,
        b: b.data.as_ptr(),
        b_layout: b.layout,
        beta,
        c: c.data.as_mut_ptr(),
        c_layout: c.layout,
        bias: core::ptr::null(),
        activation: Activation::Identity,
        slopes: Slopes::NONE,
    }
}

/// Computes a product whose operands, bias and slopes are borrowed for this call.
#[track_caller]
fn run<T: MatrixScalar>(level: Level, mut product: Product<T>, workspace: &mut [T]) {
    let (c_layout, k) = (product.c_layout, product.a_layout.columns);
    if c_layout.rows == 0 || c_layout.columns == 0 {
        return;
    }
    // Tiles are rows of C: a C that is contiguous along its columns is computed as its transpose.
    let is_by_rows = !product.bias.is_null() || !product.slopes.outputs.is_null();
    if c_layout.column_stride != 1 && c_layout.row_stride == 1 && !is_by_rows {
        product = product.transposed();
    }
    let (m, n) = (product.c_layout.rows, product.c_layout.columns);
    let grid = Grid::new::<T>(level, m, n, k, threads::count());
    let needed = grid.workspace_len();
    assert!(
        workspace.len() >= needed,
        "gemm: workspace of {} elements for a {m} x {n} x {k} product that needs {needed}",
        workspace.len()
    );

    #[cfg(all(feature = "matrixmultiply", not(target_arch = "x86_64")))]
    // SAFETY: shapes and spans were checked above; B, A and C are borrowed for this call.
    if unsafe { backend::gemm(level, &product) } {
        return;
    }

    if grid.tasks() == 1 {
        T::gemm(level, SerialGemm { product, blocks: grid.blocks, workspace });
        return;
    }
    let shared = Shared { product, workspace: workspace.as_mut_ptr() };
    threads::for_each(grid.tasks(), &|task, worker| {
        let shared = &shared;
        let (rows, columns) = grid.part(task);
        let len = grid.workspace_per_thread;
        assert!((worker + 1) * len <= needed, "a worker that the workspace has no part for");
        // SAFETY: `part` gives disjoint blocks of C within its m x n, `is_injective` made blocks disjoint in
        // memory. A worker has one task at a time and its own part of the workspace, which `needed` contains.
        let (product, workspace) = unsafe {
            (
                shared.product.block(rows, columns),
                core::slice::from_raw_parts_mut(shared.workspace.add(worker * len), len),
            )
        };
        T::gemm(level, SerialGemm { product, blocks: grid.blocks, workspace });
    });
}

/// What the tasks share.
struct Shared<T> {
    product: Product<T>,
    workspace: *mut T,
}

// SAFETY: tasks read A, B, the bias and the slopes' outputs, and write disjoint parts of C and the workspace (see `gemm`); all of it
// is borrowed for the whole call.
unsafe impl<T: Sync + Send> Sync for Shared<T> {}
