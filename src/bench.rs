//! The workloads whose speed is measured: kernels, updates of Boltzmann machines, steps of games.
//!
//! These are parts of the program; they are public for its tests and benches, and are not part of the library's interface.
//!
//! `equilibria bench` and `cargo bench` measure the same workloads. Inputs are random, and every result is checked before it
//! is measured. [`measure`] explains the measurement and its numbers. Everything runs inside a rayon pool, so that no call
//! pays for entering it; measurements on one thread run in a pool of one.
//!
//! To add a kernel: call [`slices::Kernel::workload`] in a list, or write a function that makes a [`Workload`], and add it to
//! [`LISTS`].

pub mod bits;
pub mod colour;
pub mod conv;
pub mod entry;
pub mod game;
pub mod gemm;
pub mod learning;
pub mod limits;
pub mod math;
pub mod measure;
pub mod random;
pub mod record;
pub mod reduce;
pub mod slices;
pub mod transport;
mod workload;

pub use entry::Entry;
pub use measure::{Action, Effort, measure_interleaved, repeat};
pub use record::{Fallen, Record};
pub use workload::{Add, Context, Place, Workload, noise};

use crate::Result;

/// Makes the workloads of a list, each just before it is measured.
pub type List = fn(&Context, Add<'_>) -> Result<()>;

/// The lists: group, key in JSON, function.
pub const LISTS: [(&str, &str, List); 13] = [
    ("gemm", "gemm", gemm::all_threads),
    ("gemm", "gemm_one_thread", gemm::one_thread),
    ("gemm", "gemm_transposed", gemm::transposed),
    ("gemm", "gemm_f64", gemm::double),
    ("math", "math", math::list),
    ("reduce", "reduce", reduce::list),
    ("random", "random", random::list),
    ("boltzmann", "binary_products", bits::list),
    ("boltzmann", "contrastive_divergence", learning::list),
    ("conv", "conv", conv::list),
    ("game", "game", game::list),
    ("transport", "transport", transport::list),
    ("transport", "colour", colour::list),
];
