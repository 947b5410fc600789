//! Matrix products of views.

use alloc::vec::Vec;

use equilibria_kernels::{Level, gemm};

use super::{Activation, Element, Epilogue, MatrixMut, MatrixRef, Tensor, expect_shape};
use crate::Result;

/// Scratch memory for products. It grows when a product needs more, and never shrinks.
///
/// Reusing a workspace makes repeated products free of allocations.
///
/// ```
/// use equilibria::tensor::{Epilogue, Tensor, Workspace, product_into};
/// let (a, mut out) = (Tensor::filled(&[2, 2], 1.0_f32), Tensor::zeros(&[2, 2]));
/// let mut workspace = Workspace::new();
/// workspace.reserve(2, 2, 2);
/// product_into(a.view(), a.view(), Epilogue::NONE, &mut workspace, out.view_mut())?;
/// assert_eq!(out.data(), [2.0; 4]);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Workspace<T> {
    pub(super) buffer: Vec<T>,
}

impl<T: Element> Workspace<T> {
    /// Creates an empty workspace; allocates nothing.
    pub const fn new() -> Self {
        Self { buffer: Vec::new() }
    }

    /// Grows to the size that a product (m, k) times (k, n) needs in the current thread pool.
    pub fn reserve(&mut self, m: usize, n: usize, k: usize) {
        self.at_least(gemm::workspace_len::<T>(Level::detect(), m, n, k));
    }

    fn at_least(&mut self, len: usize) -> &mut [T] {
        if self.buffer.len() < len {
            // The old content is not needed: free it first rather than copy it.
            self.buffer = Vec::new();
            self.buffer = alloc::vec![T::ZERO; len];
        }
        &mut self.buffer
    }
}

impl<T: Element> Workspace<T> {
    /// Computes `c` = activation(alpha a b + beta c + bias) by the kernels' [`gemm()`](equilibria_kernels::gemm()) with
    /// this workspace.
    ///
    /// **Panics** if the shapes do not match. Meant for models, whose shapes match by construction.
    #[track_caller]
    pub(crate) fn gemm(
        &mut self,
        alpha: T,
        a: MatrixRef<'_, T>,
        b: MatrixRef<'_, T>,
        beta: T,
        c: MatrixMut<'_, T>,
        epilogue: Epilogue<'_, T>,
    ) {
        let level = Level::detect();
        let workspace = self.at_least(gemm::workspace_len::<T>(level, a.rows(), b.columns(), a.columns()));
        gemm(level, alpha, a, b, beta, c, epilogue, workspace);
    }
}

impl<T: Element> Workspace<T> {
    /// Computes `c` = (a b) φ′, element by element, by the kernels'
    /// [`gemm_times_slope`](equilibria_kernels::gemm_times_slope) with this workspace.
    ///
    /// **Panics** as [`Workspace::gemm`].
    #[track_caller]
    pub(crate) fn gemm_times_slope(
        &mut self,
        a: MatrixRef<'_, T>,
        b: MatrixRef<'_, T>,
        c: MatrixMut<'_, T>,
        (activation, outputs): (Activation<T>, MatrixRef<'_, T>),
    ) {
        let level = Level::detect();
        let workspace = self.at_least(gemm::workspace_len::<T>(level, a.rows(), b.columns(), a.columns()));
        gemm::gemm_times_slope(level, T::ONE, a, b, c, activation, outputs, workspace);
    }
}

impl<T: Element> Tensor<T> {
    /// The matrix product of two tensors, each as a matrix of [`rows`](Tensor::rows) by [`columns`](Tensor::columns).
    ///
    /// [`Tensor::product`] also takes transposed views; [`product_into`] allocates nothing.
    ///
    /// **Shapes** `self` (m, k), `other` (k, n); the result (m, n).
    ///
    /// **Errors** [`Error::ShapeMismatch`](crate::Error::ShapeMismatch) if the shapes do not match.
    ///
    /// ```
    /// use equilibria::Tensor;
    /// let a = Tensor::from_rows(&[[1.0_f32, 2.0], [3.0, 4.0]])?;
    /// assert_eq!(a.matmul(&a)?.data(), [7.0, 10.0, 15.0, 22.0]);
    /// # Ok::<(), equilibria::Error>(())
    /// ```
    pub fn matmul(&self, other: &Self) -> Result<Self> {
        Self::product(self.view(), other.view())
    }

    /// The matrix product a b.
    ///
    /// **Shapes** `a` (m, k), `b` (k, n); the result (m, n).
    ///
    /// **Errors** [`Error::ShapeMismatch`](crate::Error::ShapeMismatch) if the shapes do not match.
    ///
    /// **Accuracy and cost** As [`product_into`]; also allocates the result and a workspace.
    ///
    /// ```
    /// use equilibria::Tensor;
    /// let a = Tensor::from_vec(&[2, 3], vec![1.0_f64, 2.0, 3.0, 4.0, 5.0, 6.0])?;
    /// let gram = Tensor::product(a.view(), a.view().transposed())?;
    /// assert_eq!(gram.data(), [14.0, 32.0, 32.0, 77.0]);
    /// # Ok::<(), equilibria::Error>(())
    /// ```
    pub fn product(a: MatrixRef<'_, T>, b: MatrixRef<'_, T>) -> Result<Self> {
        check_operands(&a, &b)?;
        let mut out = Self::zeros(&[a.rows(), b.columns()]);
        product_into(a, b, Epilogue::NONE, &mut Workspace::new(), out.view_mut())?;
        Ok(out)
    }
}

/// Computes `out` = activation(a b + bias), a layer in one pass over `out`.
///
/// The old content of `out` is not read.
///
/// **Shapes** `a` (m, k), `b` (k, n), `out` (m, n), the epilogue's bias (n).
///
/// **Errors** [`Error::ShapeMismatch`](crate::Error::ShapeMismatch) if the shapes do not match; `out` is unchanged
/// then.
///
/// **Accuracy and cost** 2 m n k operations; bit-identical for every number of threads. Allocates only if the workspace
/// must grow.
///
/// ```
/// use equilibria::Tensor;
/// use equilibria::tensor::{Epilogue, Workspace, product_into};
/// let (a, b) = (Tensor::from_vec(&[1, 2], vec![1.0_f32, 2.0])?, Tensor::from_vec(&[2, 1], vec![3.0, 4.0])?);
/// let mut c = Tensor::zeros(&[1, 1]);
/// product_into(a.view(), b.view(), Epilogue::NONE, &mut Workspace::new(), c.view_mut())?;
/// assert_eq!(c.data(), [11.0]);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn product_into<T: Element>(
    a: MatrixRef<'_, T>,
    b: MatrixRef<'_, T>,
    epilogue: Epilogue<'_, T>,
    workspace: &mut Workspace<T>,
    out: MatrixMut<'_, T>,
) -> Result<()> {
    multiply(T::ONE, a, b, T::ZERO, epilogue, workspace, out)
}

/// Computes `out` = alpha a b + beta `out`, for gradients that accumulate.
///
/// If `beta` is 0, the old content of `out` is not read.
///
/// **Shapes**, **Errors**, **Accuracy and cost** as for [`product_into`].
///
/// ```
/// use equilibria::tensor::{Tensor, Workspace, accumulate_product};
/// // The gradient of a weight: inputs^T grad_output, added to the existing content.
/// let inputs = Tensor::from_vec(&[2, 1], vec![1.0_f32, 2.0])?;
/// let grad_output = Tensor::from_vec(&[2, 1], vec![3.0, 4.0])?;
/// let mut gradient = Tensor::filled(&[1, 1], 100.0);
/// let (a, b) = (inputs.view().transposed(), grad_output.view());
/// accumulate_product(0.5, a, b, 1.0, &mut Workspace::new(), gradient.view_mut())?;
/// assert_eq!(gradient.data(), [105.5]);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn accumulate_product<T: Element>(
    alpha: T,
    a: MatrixRef<'_, T>,
    b: MatrixRef<'_, T>,
    beta: T,
    workspace: &mut Workspace<T>,
    out: MatrixMut<'_, T>,
) -> Result<()> {
    multiply(alpha, a, b, beta, Epilogue::NONE, workspace, out)
}

fn multiply<T: Element>(
    alpha: T,
    a: MatrixRef<'_, T>,
    b: MatrixRef<'_, T>,
    beta: T,
    epilogue: Epilogue<'_, T>,
    workspace: &mut Workspace<T>,
    out: MatrixMut<'_, T>,
) -> Result<()> {
    let (m, n) = (a.rows(), b.columns());
    check_operands(&a, &b)?;
    expect_shape("output of a matrix product", &[m, n], &[out.rows(), out.columns()])?;
    if let Some(bias) = epilogue.bias {
        expect_shape("bias of a matrix product", &[n], &[bias.len()])?;
    }
    workspace.gemm(alpha, a, b, beta, out, epilogue);
    Ok(())
}

fn check_operands<T>(a: &MatrixRef<'_, T>, b: &MatrixRef<'_, T>) -> Result<()> {
    expect_shape("right operand of a matrix product", &[a.columns(), b.columns()], &[b.rows(), b.columns()])
}
