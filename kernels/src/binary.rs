//! Products with a matrix of bits: the states of a Boltzmann machine's units.
//!
//! A product of bits and weights is the sum of the rows of active units, so it needs the active fraction of a dense
//! product's additions. Units come in *panels* of 64:
//!
//! ```text
//! states    one u64 a panel and row: bit j is unit 64 p + j
//! tiles     64 x 64 weights between two panels, row after row
//! lists     for each row the weights' rows to add, and what to multiply them by: a sparse matrix by rows
//! ```
//!
//! Everything that a layer holds is kept panel after panel, so that a panel is one contiguous piece which one thread
//! computes from the sum to the sampled states: the tiles of two panels of the other layer stay in L1 while all rows
//! pass, and a row's 64 sums stay in registers while rows of weights are added. The end of a list is a branch that can
//! hardly be foreseen and costs as much as ten rows: so there is one list for two panels, and lists are taken by rising
//! length.
//!
//! What is added depends on what is known and on how many units are on:
//! - **Changes.** If the sums of an earlier state are at hand, only the rows of the units that flipped are added (1)
//!   or subtracted (-1): in a Gibbs chain on digits about 5 % of the pixels and 18 % of the hidden units.
//! - **On.** If not, the rows of the units that are on, without a factor.
//! - **Off.** Where more than half of two panels are on in a row, those of the units that are off, subtracted from the
//!   sum of all: so no more than half of the units ever count. Dense arithmetic breaks even at some 40 % of them, and is not
//!   faster by more than a quarter at 50 %.
//! - **Transposition.** The gradient's sums over a mini-batch are the same thing for the transposed states: for each
//!   unit a list of the rows in which it is on, positive and negative phase together.
//! - **Tables.** A list of few entries is all ends. If both phases have no more than 64 rows together, a table holds the sums of
//!   every choice among five rows, and a unit adds one entry a table, without a branch.
//!
//! Tables do not pay for the sums over the other layer: a table of four units is as wide as sixteen rows of weights, so
//! that for 784 units the tables leave L1, and looking up a hundred samples takes nine tenths of a dense product,
//! however few units are on.
//!
//! Grey values, which are no bits, take [`gemm()`](crate::gemm()).

mod annealing;
mod centre;
mod list;
mod rows;
mod sample;
mod states;
mod tables;
mod update;

pub use annealing::{dot_states, softplus_rises};
pub use centre::{subtract_outer_products, tile_products};
pub use list::{Occurrences, SparseMut, SparseRows, list_changes, list_fewer, list_occurrences, list_states};
pub use rows::{add_fewer_rows, add_rows};
pub use sample::sample;
pub use states::{count_rows, pack_states, transpose_states, unpack_states};
pub use tables::{GROUP, TabledRows, tables_len, tabulate};
pub use update::{Step, Sums, Tile, transpose_tile, update_tile};

/// Units in a panel.
pub const PANEL: usize = 64;

/// Weights between two panels.
pub const TILE: usize = PANEL * PANEL;

/// Panels that `units` units fill, the last one in part.
pub const fn panels(units: usize) -> usize {
    units.div_ceil(PANEL)
}

/// Units of panel `panel` of `units`.
pub const fn panel_units(units: usize, panel: usize) -> usize {
    let rest = units.saturating_sub(panel.saturating_mul(PANEL));
    if rest < PANEL { rest } else { PANEL }
}

/// Instances of a body for 1 to 4 quarters of a panel, so that 16 units cost a quarter of 64. The body's loops over
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

/// Vectors of a panel at the level with the shortest ones.
const VECTORS_MOST: usize = 32;
