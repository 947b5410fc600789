//! Splits work over threads.
//!
//! Kernels split their work into independent tasks; which thread runs a task never changes its result.

use core::ops::Range;

/// The number of threads that a kernel called from here may use: those of rayon's current pool, or 1 without feature
/// `parallel`.
#[inline]
pub fn count() -> usize {
    #[cfg(feature = "parallel")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "parallel"))]
    1
}

/// Calls `run(task, worker)` for each task of `0..tasks`, in parallel if several threads are available.
///
/// Two calls that run at the same time have different values of `worker`, all less than [`count`]. Allocates nothing.
/// `run` must not call rayon: a worker that waits inside rayon could start another task.
pub fn for_each(tasks: usize, run: &(impl Fn(usize, usize) + Sync)) {
    #[cfg(feature = "parallel")]
    if count() > 1 {
        in_pool(tasks, run);
        return;
    }
    (0..tasks).for_each(|task| run(task, 0));
}

/// `join` enters the pool if called from outside it; the workers of a pool are numbered from 0. One function for all kernels:
/// a copy of rayon's code for each of them would take a tenth of the time of a build.
#[cfg(feature = "parallel")]
fn in_pool(tasks: usize, run: &(dyn Fn(usize, usize) + Sync)) {
    rayon::join(|| split(0, tasks, run), || ());
}

/// Halves the range until single tasks remain; `join` keeps its jobs on the stack.
#[cfg(feature = "parallel")]
fn split(first: usize, end: usize, run: &(dyn Fn(usize, usize) + Sync)) {
    match end - first {
        0 => {}
        1 => run(first, rayon::current_thread_index().expect("inside a pool")),
        length => {
            let middle = first + length / 2;
            rayon::join(|| split(first, middle, run), || split(middle, end, run));
        }
    }
}

/// Calls `run(range, &mut x[range])` for consecutive ranges of `length` elements of `x`, in parallel if several threads
/// are available. The last range may be shorter. Allocates nothing.
///
/// **Panics** if `length` is 0.
pub fn for_each_chunk<T: Send>(length: usize, x: &mut [T], run: &(impl Fn(Range<usize>, &mut [T]) + Sync)) {
    assert!(length > 0, "the chunk length must not be 0");
    let total = x.len();
    let whole = SharedMut(x.as_mut_ptr());
    for_each(total.div_ceil(length), &|task, _| {
        let range = task * length..total.min((task + 1).saturating_mul(length));
        // SAFETY: the ranges of different tasks do not overlap, and lie within `x`, which is borrowed for this call.
        run(range.clone(), unsafe { whole.slice(range) });
    });
}

/// A pointer to a slice whose disjoint parts are given to different tasks.
pub(crate) struct SharedMut<T>(pub *mut T);

// SAFETY: the type only holds a pointer; `slice`, which makes a slice of it, is unsafe.
unsafe impl<T: Send> Sync for SharedMut<T> {}

impl<T> SharedMut<T> {
    /// Returns the elements in `range`.
    ///
    /// # Safety
    /// The range is inside the slice, and nothing else accesses its elements during the lifetime of the result.
    #[allow(clippy::mut_from_ref)] // the caller guarantees that ranges are disjoint
    #[inline(always)]
    pub(crate) unsafe fn slice(&self, range: Range<usize>) -> &mut [T] {
        // SAFETY: guaranteed by the caller.
        unsafe { core::slice::from_raw_parts_mut(self.0.add(range.start), range.len()) }
    }
}
