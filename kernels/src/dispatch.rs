//! Calls the `#[target_feature]` function of a [`Level`]: the only table from levels to functions.

use crate::lanes::{Operation, Scalar};
#[cfg(target_arch = "x86_64")]
use crate::lanes::{avx2, avx512};
use crate::level::{Kind, Level};

/// Runs `operation` at `level`.
#[inline]
pub(crate) fn dispatch<T: Scalar, O: Operation<T>>(level: Level, operation: O) -> O::Output {
    match level.kind() {
        Kind::Portable => operation.run(T::Portable::default()),
        // SAFETY: a `Level` of this kind exists only where detection found its features.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => unsafe { avx2::enter(operation) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => unsafe { avx512::enter(operation) },
        #[cfg(not(target_arch = "x86_64"))]
        Kind::Avx2 | Kind::Avx512 => unreachable!("x86 levels are detected only on x86"),
    }
}
