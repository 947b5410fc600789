//! How work is split over threads.
//!
//! Kernels cut their work into independent tasks; which thread runs a task never changes its result.

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
