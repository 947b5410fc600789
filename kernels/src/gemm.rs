//! The matrix product C <- act(alpha A B + beta C + bias), after Goto & van de Geijn 2008 and BLIS (Van Zee & van de
//! Geijn 2015).
//!
//! ```text
//! loop 4: split k into blocks of KC           C is read and written once per block of k
//! loop 3:   split m into blocks of MC         A's block (MC x KC) fits L2: packed, or read in place
//! loop 2:     split n into panels of NR       B's micropanel (KC x NR) fits L1
//! loop 1:       split MC into panels of MR    A's micropanels stream from L2; the first tile packs B's micropanel
//!                 microkernel                 an MR x NR tile of C in registers, KC steps
//! ```
//!
//! A tile holds `NV` vectors of a row of C in each of `MR` rows. A step of the microkernel loads `NV` vectors of B and
//! broadcasts `MR` scalars of A. Edge tiles have their exact sizes, so that nothing is computed twice.
//!
//! Departures from the papers:
//! - There is no loop 5 (split n into blocks of NC, so that B's packed panel fits L3). B's micropanel is packed by the
//!   first tile that uses it, and the multiply-adds of this tile hide the loads. No larger panel of B is packed.
//! - A is read in place if its rows are contiguous, because its scalars are broadcast anyway. Such rows are packed only if
//!   they would compete for the same sets of L1.
//! - Products with one or two rows pack nothing.
//!
//! An element of C is always the same chain of multiply-adds, whatever the path and the split over threads. The result
//! therefore depends only on the shape and the level.
//!
//! Notation: C is m x n, A is m x k, B is k x n.

#[cfg(all(feature = "matrixmultiply", any(test, not(target_arch = "x86_64"))))]
mod backend;
mod blocking;
pub(crate) mod epilogue;
mod microkernel;
mod packing;
pub(crate) mod parts;
pub(crate) mod scalar;
pub(crate) mod serial;

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
use serial::{Product, SerialGemm, TermGrid};

/// Elements of workspace that [`gemm`] needs for an m x n x k product in the current thread pool.
pub fn workspace_len<T: Scalar>(level: Level, m: usize, n: usize, k: usize) -> usize {
    // If C is contiguous along its columns, its transpose is computed.
    let len = |m, n| Grid::new::<T>(level, m, n, k, threads::count()).workspace_len();
    len(m, n).max(len(n, m))
}

/// Computes C <- act(alpha A B + beta C + bias).
///
/// If `beta` is 0, C is not read and may hold anything, even NaN. The epilogue is applied while a tile of C is in
/// cache, so that a layer is one pass over C.
///
/// **Shapes** `a` (m, k), `b` (k, n), `c` (m, n), any strides; the bias of the epilogue (n). `workspace` has at least
/// [`workspace_len`] elements.
///
/// **Panics** if the shapes do not match or the workspace is too short.
///
/// **Accuracy and cost** A block of up to `KC` products is one chain of fused multiply-adds (rounded after
/// multiplication at the portable level); 2 m n k operations. Bit-identical for every number of threads.
#[allow(clippy::too_many_arguments)] // the argument list of BLAS
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
        assert!(bias.len() == n, "gemm: the bias has {} elements, C has {n} columns", bias.len());
        product.bias = bias.as_ptr();
    }
    product.activation = epilogue.activation;
    run(level, product, workspace);
}

/// Computes C <- (alpha A B) φ′, element by element, where φ′ is the slope of `activation` computed from its `outputs`.
///
/// This is one step of a backward pass through a layer and the activation before it, or of a tangent through a layer
/// and the activation after it. Elements below [`Scalar::TINY`] in size become 0.
///
/// **Shapes** Same as [`gemm()`]; `outputs` (m, n), contiguous along its columns.
///
/// **Panics** Same as [`gemm()`].
///
/// **Accuracy and cost** Same as [`gemm()`]; the slopes are computed while a tile of C is in cache.
#[allow(clippy::too_many_arguments)] // the argument list of BLAS
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
    assert!((rows, columns) == (m, n), "gemm: outputs ({rows}, {columns}) for a product ({m}, {n})");
    assert!(column_stride == 1 || n < 2, "gemm: the column stride of outputs is {column_stride}, must be 1");
    product.slopes = Slopes { activation, outputs: outputs.data.as_ptr(), row_stride };
    run(level, product, workspace);
}

/// alpha A B + beta C, with checked shapes.
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
        b_is_packed: false,
        beta,
        c: c.data.as_mut_ptr(),
        c_layout: c.layout,
        bias: core::ptr::null(),
        activation: Activation::Identity,
        slopes: Slopes::NONE,
        terms: TermGrid::ONE,
    }
}

/// Computes a product whose operands, bias and slopes are borrowed for this call.
#[track_caller]
fn run<T: MatrixScalar>(level: Level, mut product: Product<T>, workspace: &mut [T]) {
    let (c_layout, k) = (product.c_layout, product.a_layout.columns);
    if c_layout.rows == 0 || c_layout.columns == 0 {
        return;
    }
    // Tiles store rows of C. If C is contiguous along its columns, its transpose is computed.
    let has_row_operands = !product.bias.is_null() || !product.slopes.outputs.is_null();
    if c_layout.column_stride != 1 && c_layout.row_stride == 1 && !has_row_operands {
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
        assert!((worker + 1) * len <= needed, "the workspace has no part for this worker");
        // SAFETY: `part` gives disjoint blocks of C within its m x n; `is_injective` proved that disjoint blocks are
        // disjoint in memory. A worker runs one task at a time and has its own part of the workspace, which is inside
        // `needed`.
        let (product, workspace) = unsafe {
            (
                shared.product.block(rows, columns),
                core::slice::from_raw_parts_mut(shared.workspace.add(worker * len), len),
            )
        };
        T::gemm(level, SerialGemm { product, blocks: grid.blocks, workspace });
    });
}

/// Data shared by the tasks.
struct Shared<T> {
    product: Product<T>,
    workspace: *mut T,
}

// SAFETY: tasks read A, B, the bias and the slopes' outputs, and write disjoint parts of C and the workspace (see
// `run`); all of it is borrowed for the whole call.
unsafe impl<T: Sync + Send> Sync for Shared<T> {}
