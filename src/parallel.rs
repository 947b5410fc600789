//! Parallel loops over independent rows. The result does not depend on which thread computes a row.

#[cfg(feature = "parallel")]
mod awake;
mod erased;
#[cfg(feature = "parallel")]
pub use awake::within_awake;
use erased::once;
#[cfg(feature = "parallel")]
use erased::result_of;

/// Rows of a task: a row of a few hundred units takes some hundred nanoseconds.
const ROWS: usize = 4;

/// Calls `row(i, a_i, b_i, c_i)` for the rows of `a` and `b`, of `a_width` and `b_width` elements, and the elements of `c`,
/// up to the end of the shortest. Allocates nothing.
///
/// **Panics** if a width is 0.
pub(crate) fn for_each_row<A: Send, B: Send, C: Send>(
    (a, a_width): (&mut [A], usize),
    (b, b_width): (&mut [B], usize),
    c: &mut [C],
    row: impl Fn(usize, &mut [A], &mut [B], &mut C) + Sync,
) {
    let rows = (a.len() / a_width).min(b.len() / b_width).min(c.len());
    let tasks = Chunks(&mut a[..rows * a_width], ROWS * a_width);
    let pieces = ((tasks, Chunks(&mut b[..rows * b_width], ROWS * b_width)), Chunks(&mut c[..rows], ROWS));
    for_each_split(rows.div_ceil(ROWS), true, pieces, &|task, ((a, b), c)| {
        let rows = a.0.chunks_exact_mut(a_width).zip(b.0.chunks_exact_mut(b_width)).zip(c.0);
        rows.enumerate().for_each(|(i, ((a, b), c))| row(task * ROWS + i, a, b, c));
    });
}

/// Slices that are split together, one piece of each per task.
pub(crate) trait Split: Sized + Send {
    /// Splits off the pieces of the first `count` tasks.
    fn split(self, count: usize) -> (Self, Self);
}

/// A slice in chunks of equal length; the last one may be shorter.
pub(crate) struct Chunks<'a, A>(pub &'a mut [A], pub usize);

impl<A: Send> Split for Chunks<'_, A> {
    fn split(self, count: usize) -> (Self, Self) {
        let (first, rest) = self.0.split_at_mut(count * self.1);
        (Self(first, self.1), Self(rest, self.1))
    }
}

impl<A: Split, B: Split> Split for (A, B) {
    fn split(self, count: usize) -> (Self, Self) {
        let ((a, a_rest), (b, b_rest)) = (self.0.split(count), self.1.split(count));
        ((a, b), (a_rest, b_rest))
    }
}

impl<A: Send, const N: usize> Split for [Chunks<'_, A>; N] {
    fn split(mut self, count: usize) -> (Self, Self) {
        let first = self.each_mut().map(|Chunks(rest, width)| {
            let (first, others) = core::mem::take(rest).split_at_mut(count * *width);
            *rest = others;
            Chunks(first, *width)
        });
        (first, self)
    }
}

/// Calls `run(i, pieces)` for each of `count` tasks. Allocates nothing.
pub(crate) fn for_each_split<S: Split>(
    count: usize,
    in_parallel: bool,
    pieces: S,
    run: &(impl Fn(usize, S) + Sync),
) {
    split_from(0, count, in_parallel, pieces, run);
}

fn split_from<S: Split>(
    first: usize,
    count: usize,
    in_parallel: bool,
    pieces: S,
    run: &(impl Fn(usize, S) + Sync),
) {
    if count < 2 {
        if count == 1 {
            run(first, pieces);
        }
        return;
    }
    let half = count / 2;
    let (left, right) = pieces.split(half);
    join(
        in_parallel,
        &mut once(|| split_from(first, half, in_parallel, left, run)),
        &mut once(|| split_from(first + half, count - half, in_parallel, right, run)),
    );
}

/// Runs both, in parallel if `in_parallel` and if there are threads.
fn join(in_parallel: bool, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
    #[cfg(feature = "parallel")]
    if in_parallel {
        rayon::join(a, b);
        return;
    }
    let _ = in_parallel;
    a();
    b();
}

/// Runs `work` on a thread of the pool. Entering the pool costs two context switches, which otherwise every parallel kernel
/// in `work` would pay.
pub(crate) fn within<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    #[cfg(feature = "parallel")]
    return result_of(work, in_pool);
    #[cfg(not(feature = "parallel"))]
    work()
}

/// One function for all work, which saves time of builds.
#[cfg(feature = "parallel")]
fn in_pool(work: &mut (dyn FnMut() + Send)) {
    rayon::scope(|_| work());
}

/// Runs `work`.
#[cfg(not(feature = "parallel"))]
pub fn within_awake<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    work()
}
