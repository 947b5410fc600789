//! Products with a matrix of bits: the states of a Boltzmann machine's units.
//!
//! The product of a row of bits with a weight matrix is the sum of the weight rows of the active units. It needs only
//! the active fraction of the additions of a dense product. Units are grouped in *panels* of 64:
//!
//! ```text
//! states    one u64 per panel and row: bit j is unit 64 p + j
//! tiles     64 x 64 weights between two panels, row after row
//! lists     for each row, the weight rows to add and their factors: a sparse matrix by rows
//! ```
//!
//! All data of a layer is stored panel by panel. One thread computes a panel, which is one contiguous block, from the
//! sums to the sampled states. The tiles of two panels of the other layer stay in L1 while all rows are processed. The 64
//! sums of a row stay in registers while weight rows are added. The branch at the end of a list is almost unpredictable
//! and costs as much as ten rows. Therefore one list serves two panels, and lists are processed in order of increasing
//! length.
//!
//! The choice of rows depends on the known sums and on the number of active units:
//! - **Changes.** If the sums of an earlier state are available, only the rows of the units that flipped are added (1)
//!   or subtracted (-1): in a Gibbs chain on digits about 5 % of the pixels and 18 % of the hidden units.
//! - **On.** Otherwise the rows of the active units are added, without a factor.
//! - **Off.** If more than half of the units of two panels are on in a row, the rows of the inactive units are
//!   subtracted from the sum of all rows. At most half of the units are therefore listed. Dense arithmetic breaks even
//!   at some 40 % of the units, and is at most a quarter faster at 50 %.
//! - **Transposition.** The gradient's sums over a mini-batch are the same product with transposed states: for each
//!   unit, a list of the rows in which it is on, positive and negative phase together.
//! - **Tables.** The end of a short list costs more than its entries. If both phases together have at most 64 rows, a
//!   table holds the sums of every subset of five rows, and a unit adds one entry per table, without a branch.
//!
//! Tables do not pay for the sums over the other layer. A table of four units is as large as sixteen rows of weights,
//! so the tables of 784 units exceed L1. Table lookups for a hundred samples then take nine tenths of the time of a
//! dense product, for any number of active units.
//!
//! Grey values are not bits; use [`gemm()`](crate::gemm()) for them.

mod annealing;
mod centre;
mod list;
mod rows;
mod sample;
mod states;
mod tables;
mod update;

pub use annealing::{dot_states, softplus_increments};
pub use centre::{subtract_outer_products, tile_products};
pub use list::{
    Occurrences, SparseMut, SparseRows, list_changes, list_minority, list_occurrences, list_states,
};
pub use rows::{add_minority_rows, add_rows};
pub use sample::sample;
pub use states::{count_rows, pack_states, transpose_states, unpack_states};
pub use tables::{GROUP, TabledRows, tables_len, tabulate};
pub use update::{Step, Sums, Tile, transpose_tile, update_tile};

/// Units in a panel.
pub const PANEL: usize = 64;

/// Weights between two panels.
pub const TILE: usize = PANEL * PANEL;

/// Number of panels that `units` units fill; the last one may be partly filled.
pub const fn panels(units: usize) -> usize {
    units.div_ceil(PANEL)
}

/// Number of units in panel `panel` of a layer with `units` units.
pub const fn panel_units(units: usize, panel: usize) -> usize {
    let rest = units.saturating_sub(panel.saturating_mul(PANEL));
    if rest < PANEL { rest } else { PANEL }
}

/// Instantiates a body for 1 to 4 quarters of a panel, so that 16 units cost a quarter of 64. The body's loops over
/// `QUARTERS * 16 / L::COUNT` vectors have constant trip counts.
macro_rules! by_quarters {
    ($quarters:expr, $call:ident::<$L:ident>($($arg:expr),*)) => {
        match $quarters {
            1 => $call::<$L, 1>($($arg),*),
            2 => $call::<$L, 2>($($arg),*),
            3 => $call::<$L, 3>($($arg),*),
            _ => $call::<$L, 4>($($arg),*),
        }
    };
}
use by_quarters;

/// Number of vectors in a panel at the level with the shortest vectors.
const MAX_VECTORS: usize = 32;
