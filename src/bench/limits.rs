//! The limits of the machine as actions: multiply-adds and copies, on all threads of the current pool.

use super::measure::{Action, repeat};
use equilibria_kernels::peak::multiply_add_chains;
use equilibria_kernels::{Level, Scalar};
use rayon::prelude::*;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Rounds of a call: a few microseconds, so that all threads end at about the same time.
const ROUNDS: usize = 4096;

/// Multiply-adds in registers. Threads take the calls one by one, so that the others do not wait for a disturbed thread.
pub fn multiply_adds<T: Scalar>(level: Level) -> Action<'static> {
    Box::new(move |calls| {
        let next = AtomicUsize::new(0);
        rayon::broadcast(|_| {
            while next.fetch_add(1, Ordering::Relaxed) < calls {
                multiply_adds_here::<T>(level);
            }
        });
    })
}

/// The same on this thread.
pub fn multiply_adds_here<T: Scalar>(level: Level) {
    black_box(multiply_add_chains(level, ROUNDS, black_box(T::from_f64(0.5))));
}

/// Floating-point operations in a call of [`multiply_adds`].
pub fn multiply_adds_operations<T: Scalar>(level: Level) -> f64 {
    multiply_add_chains(level, ROUNDS, T::from_f64(0.5)).0 as f64
}

/// A copy of `from`, one piece per thread.
pub fn copy(from: Vec<f32>) -> Action<'static> {
    let mut to = from.clone();
    repeat(move || {
        let piece = from.len().div_ceil(rayon::current_num_threads()).max(1);
        let pieces = black_box(&mut *to).par_chunks_mut(piece).zip(black_box(&*from).par_chunks(piece));
        pieces.for_each(|(to, from)| to.copy_from_slice(from));
    })
}
