//! Half a step of Sinkhorn's algorithm, and pricing: reductions over all pairs of places, whose costs come from a matrix
//! or are computed from points.
//!
//! A pair of row i and column j has the *score*
//!
//! ```text
//! s_ij = bias_j - scale C_ij
//! ```
//!
//! With scale = 1/ε and bias_j = g_j / ε + ln b_j, the new potential is f_i = -ε ln Σ_j e^s_ij: [`log_sum_exp`]. With
//! scale = 1 and bias = g, the smallest C_ij - g_j is minus the largest score: [`largest`], [`largest_of_blocks`]. With both potentials in the
//! biases, e^s_ij is the plan: [`exponentials`].
//!
//! Lanes run over columns, and several rows share each load. Costs from points take no memory: the points of the columns
//! are stored by coordinate.
//!
//! Results are bit-identical for every number of threads: a row is computed by one thread.

mod exponentials;
mod largest;
mod largest_of_blocks;
mod log_sum_exp;
mod rows;
mod scores;

pub use exponentials::exponentials;
pub use largest::{Largest, largest};
pub use largest_of_blocks::largest_of_blocks;
pub use log_sum_exp::log_sum_exp;
pub use scores::{Pairs, Source};

/// Rows that are computed together.
const ROWS: usize = 4;

/// Pairs in a task: tens of microseconds.
const TASK: usize = 1 << 16;

/// The number of rows in a task, which depends on the shape alone.
fn rows_in_task(columns: usize) -> usize {
    (TASK / columns.max(1)).next_multiple_of(ROWS).max(ROWS)
}
