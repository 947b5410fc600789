//! The limits of the machine as actions: multiply-adds and copies, on all threads of the current pool.

use equilibria_kernels::peak::multiply_add_chains;
use equilibria_kernels::{Level, Scalar};
use rayon::prelude::*;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Rounds of a call: a few microseconds, so that all threads end at about the same time.
const ROUNDS: usize = 4096;

/// Multiply-adds in registers. Threads take the calls one by one, so that the others do not wait for a disturbed thread.
pub(super) fn multiply_adds<T: Scalar>(level: Level) -> impl FnMut(usize) + Send {
    move |calls| {
        let next = AtomicUsize::new(0);
        rayon::broadcast(|_| {
            while next.fetch_add(1, Ordering::Relaxed) < calls {
                multiply_adds_here::<T>(level);
            }
        });
    }
}

/// One call of [`multiply_adds`], on this thread.
pub(super) fn multiply_adds_here<T: Scalar>(level: Level) {
    black_box(multiply_add_chains(level, ROUNDS, black_box(T::from_f64(0.5))));
}

/// Floating-point operations in a call of [`multiply_adds`].
pub(super) fn multiply_adds_operations<T: Scalar>(level: Level) -> f64 {
    multiply_add_chains(level, ROUNDS, T::from_f64(0.5)).0 as f64
}

/// A copy of `from` into `to`, one piece per thread.
#[allow(dead_code)] // the criterion benchmark that shares this file does not copy
pub(super) fn copy<'a>(from: &'a [f32], to: &'a mut [f32]) -> impl FnMut(usize) + Send + 'a {
    move |calls| {
        let piece = from.len().div_ceil(rayon::current_num_threads()).max(1);
        for _ in 0..calls {
            let pieces = black_box(&mut *to).par_chunks_mut(piece).zip(black_box(from).par_chunks(piece));
            pieces.for_each(|(to, from)| to.copy_from_slice(from));
        }
    }
}
