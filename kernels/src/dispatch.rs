//! Level -> `#[target_feature]` entry point. The only table.
//!
//! A kernel is a value that implements [`Operation`]; its `run` is written once over [`Lanes`]. Everything
//! that `run` calls down to the intrinsics is `#[inline(always)]`, so that it is compiled inside the entry
//! point of its level, with that level's instructions.

use crate::lanes::{Lanes, Scalar};
use crate::level::{Kind, Level};

/// A kernel with its arguments.
pub trait Operation<T: Scalar> {
    type Output;

    /// Runs the kernel. Implementations are `#[inline(always)]`.
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) -> Self::Output;
}

/// Runs `operation` at `level`.
#[inline]
pub(crate) fn dispatch<T: Scalar, O: Operation<T>>(level: Level, operation: O) -> O::Output {
    match level.kind() {
        Kind::Portable => operation.run(T::Portable::default()),
        // SAFETY: a `Level` of this kind exists only where detection found its features.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => unsafe { avx2(operation) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => unsafe { avx512(operation) },
        #[cfg(not(target_arch = "x86_64"))]
        Kind::Avx2 | Kind::Avx512 => unreachable!("detection offers x86 levels on x86 alone"),
    }
}

/// # Safety
/// The CPU has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<T: Scalar, O: Operation<T>>(operation: O) -> O::Output {
    // SAFETY: the caller owes the features that the token stands for.
    operation.run(unsafe { T::Avx2::new() })
}

/// # Safety
/// The CPU has AVX-512F (which brings AVX2 and FMA).
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn avx512<T: Scalar, O: Operation<T>>(operation: O) -> O::Output {
    // SAFETY: the caller owes the features that the token stands for.
    operation.run(unsafe { T::Avx512::new() })
}

/// As [`avx2`], never inlined.
///
/// # Safety
/// The CPU has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
#[inline(never)]
pub(crate) unsafe fn avx2_apart<T: Scalar, O: Operation<T>>(operation: O) -> O::Output {
    // SAFETY: the caller owes the features that the token stands for.
    operation.run(unsafe { T::Avx2::new() })
}

/// As [`avx512`], never inlined.
///
/// # Safety
/// The CPU has AVX-512F.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
#[inline(never)]
pub(crate) unsafe fn avx512_apart<T: Scalar, O: Operation<T>>(operation: O) -> O::Output {
    // SAFETY: the caller owes the features that the token stands for.
    operation.run(unsafe { T::Avx512::new() })
}
