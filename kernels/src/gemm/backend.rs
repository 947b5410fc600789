//! The matrix product of the crate `matrixmultiply`, for targets without a microkernel in this crate.

use super::epilogue;
use super::scalar::MatrixScalar;
use super::serial::Product;
use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;
use crate::matrix::Layout;

/// Computes `product`. Returns false if C's layout does not allow the epilogue to run in place.
///
/// # Safety
/// The product's pointers are valid for its layouts.
pub(super) unsafe fn gemm<T: MatrixScalar>(level: Level, product: &Product<T>) -> bool {
    let p = *product;
    if p.c_layout.column_stride != 1 {
        return false;
    }
    // Slices are at most isize::MAX bytes long and `Layout::new` keeps strides within them, so strides fit isize.
    let [a_rows, a_columns, b_rows, b_columns, c_rows, c_columns] = [
        p.a_layout.row_stride,
        p.a_layout.column_stride,
        p.b_layout.row_stride,
        p.b_layout.column_stride,
        p.c_layout.row_stride,
        p.c_layout.column_stride,
    ]
    .map(|stride| stride as isize);
    let (m, n, k) = (p.c_layout.rows, p.c_layout.columns, p.a_layout.columns);
    // SAFETY: the caller guarantees the requirements of this function.
    unsafe {
        T::matrixmultiply(
            (m, k, n),
            p.alpha,
            (p.a, a_rows, a_columns),
            (p.b, b_rows, b_columns),
            p.beta,
            (p.c, c_rows, c_columns),
        );
    }
    dispatch(level, Finish(p));
    true
}

/// The epilogue over all of C.
struct Finish<T>(Product<T>);

impl<T: Scalar> Operation<T> for Finish<T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let Product { bias, activation, slopes, c, c_layout, .. } = self.0;
        let Layout { rows, columns, row_stride, .. } = c_layout;
        // SAFETY: the caller of `gemm` guarantees C, the bias and the slopes.
        unsafe {
            epilogue::apply(lanes, bias, activation, slopes, c, row_stride, rows, columns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::epilogue::Slopes;
    use super::super::serial::{Product, TermGrid};
    use crate::activation::Activation;
    use crate::level::Level;
    use crate::matrix::MatrixRef;

    #[test]
    fn matrixmultiply_gives_the_same_product_with_bias_and_activation() {
        let a = [1.0_f64, 2.0, 3.0, -4.0, 5.0, -6.0];
        let b = [1.0, 0.5, -1.0, 2.0, 3.0, -1.0];
        let mut c = [f64::NAN; 4];
        let bias = [1.0, -20.0];
        let product = Product {
            alpha: 1.0,
            a: a.as_ptr(),
            a_layout: MatrixRef::new(&a, 2, 3).layout,
            b: b.as_ptr(),
            b_layout: MatrixRef::new(&b, 3, 2).layout,
            b_is_packed: false,
            beta: 0.0,
            c: c.as_mut_ptr(),
            c_layout: MatrixRef::new(&[0.0; 4], 2, 2).layout,
            bias: bias.as_ptr(),
            activation: Activation::Relu,
            slopes: Slopes::NONE,
            terms: TermGrid::ONE,
        };
        // SAFETY: the layouts are those of the arrays.
        assert!(unsafe { super::gemm(Level::PORTABLE, &product) });
        assert_eq!(c, [9.0, 0.0, 0.0, 0.0]);
    }
}
