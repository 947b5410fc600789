//! The SIMD kernels of `equilibria`: slices in, slices out.
//!
//! Every kernel takes a [`Level`], checks its lengths, never allocates (the caller passes workspace) and never reads
//! uninitialised memory. Each algorithm is written once over the vector trait `lanes::Lanes` and compiled once per
//! level (`dispatch`). Without feature `std` the crate needs only `core`.

#![no_std]
// Every `pub fn` can be called from outside the crate: `tests/extremes.rs` calls each of them.
#![deny(unreachable_pub)]

#[cfg(feature = "std")]
extern crate std;

pub mod activation;
mod array;
pub mod binary;
pub mod conv;
pub mod convert;
pub(crate) mod dispatch;
pub mod elementwise;
pub mod gemm;
pub(crate) mod lanes;
pub mod level;
mod map;
pub mod math;
pub mod matrix;
pub mod normalise;
pub mod peak;
#[cfg(feature = "matrixmultiply")]
pub mod peer;
pub mod random;
pub mod reduce;
pub mod softmin;
pub mod threads;
pub mod update;

pub use activation::Activation;
pub use array::array;
pub use gemm::{Epilogue, MatrixScalar, gemm, gemm_times_slope};
pub use lanes::Scalar;
pub use level::{Level, LevelError};
pub use matrix::{MatrixMut, MatrixRef};
