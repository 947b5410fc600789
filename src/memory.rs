//! Asks the system if there is memory for a large buffer, before the buffer is allocated.
//!
//! An allocation that the system refuses ends a Rust program at once: it prints `memory allocation of N bytes
//! failed` and ends by SIGABRT (status 134 in a shell). Only the places where the
//! caller's sizes decide (units, images, points, pixels) ask here first, and answer with a sentence. Smaller allocations do
//! not, so that a process whose limit is a few megabytes short can still end in that way. Runs lose no more by it than
//! by a kill: `tests/limits.rs`.

use alloc::vec::Vec;

/// Returns whether the system would give memory for `count` values of type T.
pub fn fits<T>(count: usize) -> bool {
    Vec::<T>::new().try_reserve_exact(count).is_ok()
}
