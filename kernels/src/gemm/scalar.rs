//! The scalar types whose matrix products are compiled in this crate.

use super::serial::SerialGemm;
use crate::conv::minimal::transforms::Transform;
use crate::conv::patches::Patches;
use crate::dispatch::dispatch;
use crate::lanes::Scalar;
use crate::level::Level;

/// `f32` or `f64`: a scalar whose matrix products are compiled in this crate. Sealed.
pub trait MatrixScalar: Scalar + sealed::Products {}

pub(crate) mod sealed {
    use super::{Level, Patches, SerialGemm, Transform};

    /// Single-threaded products.
    pub trait Products: Sized {
        /// Runs the product, compiled in this crate. A generic function would be compiled again, for minutes, in every
        /// crate that multiplies matrices.
        fn gemm(level: Level, gemm: SerialGemm<'_, Self>);

        /// Runs a transform of minimal filtering, for the same reason.
        fn transform(level: Level, transform: Transform<'_, Self>);

        /// Copies from or to patches of images, for the same reason.
        fn patches(level: Level, patches: Patches<Self>);

        /// Computes C <- alpha A B + beta C with the crate `matrixmultiply`, for sizes (m, k, n) and operands with row
        /// and column strides.
        ///
        /// # Safety
        /// The pointers are valid for matrices of those sizes and strides; no two elements of C share an address.
        #[cfg(feature = "matrixmultiply")]
        unsafe fn matrixmultiply(
            sizes: (usize, usize, usize),
            alpha: Self,
            a: (*const Self, isize, isize),
            b: (*const Self, isize, isize),
            beta: Self,
            c: (*mut Self, isize, isize),
        );
    }
}

macro_rules! matrix_scalar {
    ($type:ident, $gemm:ident) => {
        impl MatrixScalar for $type {}

        impl sealed::Products for $type {
            fn gemm(level: Level, gemm: SerialGemm<'_, Self>) {
                dispatch(level, gemm);
            }

            fn transform(level: Level, transform: Transform<'_, Self>) {
                dispatch(level, transform);
            }

            fn patches(level: Level, patches: Patches<Self>) {
                dispatch(level, patches);
            }

            #[cfg(feature = "matrixmultiply")]
            unsafe fn matrixmultiply(
                (m, k, n): (usize, usize, usize),
                alpha: Self,
                a: (*const Self, isize, isize),
                b: (*const Self, isize, isize),
                beta: Self,
                c: (*mut Self, isize, isize),
            ) {
                // SAFETY: the caller guarantees what `matrixmultiply` requires.
                unsafe {
                    matrixmultiply::$gemm(m, k, n, alpha, a.0, a.1, a.2, b.0, b.1, b.2, beta, c.0, c.1, c.2);
                }
            }
        }
    };
}

matrix_scalar!(f32, sgemm);
matrix_scalar!(f64, dgemm);
