//! How work is split over threads.
//!
//! Kernels cut their work into independent tasks; which thread runs a task never changes its result.

use core::ops::Range;

/// Threads that a kernel called from here may use: rayon's current pool, or 1 without feature `parallel`.
#[inline]
pub fn count() -> usize {
    #[cfg(feature = "parallel")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "parallel"))]
    1
}

/// Calls `run(task, worker)` for each task of `0..tasks`, in parallel where there are threads for it. No two calls
/// that run at the same time have the same `worker`, which is less than [`count`]. Allocates nothing.
///
/// `run` must not call back into rayon: a worker that waits there could take up another task.
pub fn for_each(tasks: usize, run: &(impl Fn(usize, usize) + Sync)) {
    #[cfg(feature = "parallel")]
    if count() > 1 {
        // `join` enters the pool from outside; a pool's workers are numbered from 0.
        rayon::join(|| split(0, tasks, run), || ());
        return;
    }
    (0..tasks).for_each(|task| run(task, 0));
}

/// Halves the range until single tasks are left; `join` keeps its jobs on the stack.
#[cfg(feature = "parallel")]
fn split(first: usize, end: usize, run: &(impl Fn(usize, usize) + Sync)) {
    match end - first {
        0 => {}
        1 => run(first, rayon::current_thread_index().expect("inside a pool")),
        length => {
            let middle = first + length / 2;
            rayon::join(|| split(first, middle, run), || split(middle, end, run));
        }
    }
}

/// Calls `run(range, &mut x[range])` for the consecutive ranges of `length` elements that make up `x` (the last one may
/// be shorter), in parallel where there are threads for it. Allocates nothing.
///
/// **Panics** if `length` is 0.
pub fn for_each_chunk<T: Send>(length: usize, x: &mut [T], run: &(impl Fn(Range<usize>, &mut [T]) + Sync)) {
    assert!(length > 0, "chunks of no elements");
    let total = x.len();
    let whole = SharedMut(x.as_mut_ptr());
    for_each(total.div_ceil(length), &|task, _| {
        let range = task * length..total.min((task + 1).saturating_mul(length));
        // SAFETY: the ranges of different tasks do not overlap, and lie within `x`, which is borrowed for this call.
        run(range.clone(), unsafe { whole.slice(range) });
    });
}

/// A slice whose parts go to different tasks.
pub(crate) struct SharedMut<T>(pub *mut T);

// SAFETY: it is only a place; who makes a slice of it owes what is needed.
unsafe impl<T: Send> Sync for SharedMut<T> {}

impl<T> SharedMut<T> {
    /// The elements in `range`.
    ///
    /// # Safety
    /// They are there, and nobody else has them for as long as the result lives.
    #[allow(clippy::mut_from_ref)] // the caller shares them out
    #[inline(always)]
    pub(crate) unsafe fn slice(&self, range: Range<usize>) -> &mut [T] {
        // SAFETY: the caller owes it.
        unsafe { core::slice::from_raw_parts_mut(self.0.add(range.start), range.len()) }
    }
}
