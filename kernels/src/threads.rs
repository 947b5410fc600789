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

/// Runs `task(0)` ... `task(tasks - 1)`, in parallel where there are threads for it. Allocates nothing.
pub fn for_each(tasks: usize, task: &(impl Fn(usize) + Sync)) {
    #[cfg(feature = "parallel")]
    split(0, tasks, task);
    #[cfg(not(feature = "parallel"))]
    (0..tasks).for_each(task);
}

/// Halves the range until single tasks are left; `join` keeps its jobs on the stack.
#[cfg(feature = "parallel")]
fn split(first: usize, end: usize, task: &(impl Fn(usize) + Sync)) {
    match end - first {
        0 => {}
        1 => task(first),
        length => {
            let middle = first + length / 2;
            rayon::join(|| split(first, middle, task), || split(middle, end, task));
        }
    }
}
