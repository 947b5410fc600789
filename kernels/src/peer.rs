//! The matrix product of the crate `matrixmultiply`, for benchmarks to compare with.

use crate::gemm::MatrixScalar;
use crate::matrix::{MatrixMut, MatrixRef};

/// Computes C <- alpha A B + beta C with the crate `matrixmultiply`, on as many threads as that crate is configured to
/// use.
///
/// **Shapes** `a` (m, k), `b` (k, n), `c` (m, n), any strides.
///
/// **Panics** if the shapes do not match.
#[track_caller]
pub fn matrixmultiply<T: MatrixScalar>(
    alpha: T,
    a: MatrixRef<'_, T>,
    b: MatrixRef<'_, T>,
    beta: T,
    c: MatrixMut<'_, T>,
) {
    let (m, n, k) = (c.layout.rows, c.layout.columns, a.layout.columns);
    assert!(
        a.layout.rows == m && b.layout.rows == k && b.layout.columns == n,
        "matrixmultiply: ({}, {k}) times ({}, {}) does not give ({m}, {n})",
        a.layout.rows,
        b.layout.rows,
        b.layout.columns,
    );
    if m == 0 || n == 0 {
        // The other size may be arbitrarily large, and `matrixmultiply` would loop over it.
        return;
    }
    // Slices are at most isize::MAX bytes long and `Layout::new` keeps strides within them, so strides fit isize.
    // SAFETY: the views checked that their last elements are inside their slices, and `MatrixMut` that no two
    // elements share an address; the shapes match, as just checked.
    unsafe {
        T::matrixmultiply(
            (m, k, n),
            alpha,
            (a.data.as_ptr(), a.layout.row_stride as isize, a.layout.column_stride as isize),
            (b.data.as_ptr(), b.layout.row_stride as isize, b.layout.column_stride as isize),
            beta,
            (c.data.as_mut_ptr(), c.layout.row_stride as isize, c.layout.column_stride as isize),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::matrix::{MatrixMut, MatrixRef};

    #[test]
    fn operands_of_any_layout_give_the_product() {
        let (a, b) = ([1.0_f32, 4.0, 2.0, 5.0, 3.0, 6.0], [1.0, 0.5, -1.0, 2.0, 3.0, -1.0]);
        let mut c = [1.0; 4];
        let a = MatrixRef::with_strides(&a, 2, 3, 1, 2);
        super::matrixmultiply(2.0, a, MatrixRef::new(&b, 3, 2), -1.0, MatrixMut::new(&mut c, 2, 2));
        assert_eq!(c, [15.0, 2.0, 33.0, 11.0]);
    }
}
