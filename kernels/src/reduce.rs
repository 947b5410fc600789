//! Sums, largest elements and log-sum-exp of slices and of the rows and columns of a matrix.
//!
//! The order of the additions depends only on the length and the level. `PARALLEL` vectors of partial sums are
//! accumulated over a block of `BLOCK` vectors; the sums of blocks are added pairwise. An element therefore passes
//! through at most 27 + log2 n additions, and the error of a sum of n terms is at most (14 + log2(n) / 2) EPSILON times
//! the sum of their absolute values.

mod columns;
mod log_mixture;
mod max;
mod softplus;
mod sum;
mod terms;

pub use columns::{add_column_dots, add_column_sums, column_sums};
pub use log_mixture::{PRODUCT, log_mixture};
pub use max::{log_sum_exp, max};
pub use softplus::softplus_sum;
pub(crate) use sum::{Dot, Sum};
pub use sum::{dot, row_sums, squared_norm, sum, sum_f64};
