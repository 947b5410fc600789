//! Batch normalisation: each strip of columns is read several times over all rows of a mini-batch while it is in cache.

use crate::activation::{Activation, with_activation};
use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;
use crate::map::{Function, check_equal};
use crate::threads;
use core::ops::Range;

/// Vectors of columns that are processed together. Their sums are independent chains, so fewer would wait for one another.
const STRIP: usize = 8;

/// The same for the columns after the last whole strip: 64 channels with AVX-512.
const HALF: usize = STRIP / 2;

/// Elements per task: some microseconds of work.
const TASK: usize = 1 << 14;

/// Sizes of consecutive mini-batches of equal size: (batches * rows, columns).
///
/// A value proves that the number of elements and the size of their statistics fit `usize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batches {
    batches: usize,
    rows: usize,
    columns: usize,
}

/// Statistics per column: mean, variance and r.
const STATISTICS: usize = 3;

impl Batches {
    /// The sizes of `batches` mini-batches of `rows` rows of `columns` numbers.
    ///
    /// **Panics** if the number of elements overflows `usize`.
    #[track_caller]
    pub fn new(batches: usize, rows: usize, columns: usize) -> Self {
        let of_rows = |rows: usize| batches.checked_mul(rows)?.checked_mul(columns);
        assert!(
            of_rows(rows).is_some() && of_rows(STATISTICS).is_some(),
            "{batches} mini-batches of {rows} x {columns}: the number of elements overflows usize"
        );
        Self { batches, rows, columns }
    }

    /// The number of mini-batches.
    pub fn batches(self) -> usize {
        self.batches
    }

    /// The number of rows of each mini-batch.
    pub fn rows(self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn columns(self) -> usize {
        self.columns
    }

    /// The number of elements.
    fn len(self) -> usize {
        self.batches * self.rows * self.columns
    }

    /// The number of elements in `rows` rows per mini-batch, where `rows` is at most [`STATISTICS`].
    fn len_of_rows(self, rows: usize) -> usize {
        self.batches * rows * self.columns
    }
}

/// An operation on some columns of one mini-batch, from its first row to its last.
///
/// A trait rather than a closure: closures do not inherit the target features of the level.
trait Columns<T: Scalar>: Copy + Sync {
    /// Processes columns `column..column + N * COUNT` of `batch`, or only `count` of them if `N` is 1. Implementations
    /// are `#[inline(always)]`, so that a constant `count` of all lanes is known to the compiler.
    ///
    /// # Safety
    /// Batch and columns exist, and nothing else accesses these columns of the written arrays.
    unsafe fn strip<const N: usize, L: Lanes<Scalar = T>>(
        self,
        lanes: L,
        batch: usize,
        column: usize,
        count: usize,
    );
}

/// The columns of a task.
struct Part<C> {
    work: C,
    batch: usize,
    columns: Range<usize>,
}

impl<T: Scalar, C: Columns<T>> Operation<T> for Part<C> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let Range { start: mut column, end } = self.columns;
        // SAFETY: `over_columns` gives each task its own batch and columns, which exist.
        unsafe {
            while end - column >= STRIP * L::COUNT {
                self.work.strip::<STRIP, L>(lanes, self.batch, column, L::COUNT);
                column += STRIP * L::COUNT;
            }
            if end - column >= HALF * L::COUNT {
                self.work.strip::<HALF, L>(lanes, self.batch, column, L::COUNT);
                column += HALF * L::COUNT;
            }
            while end - column >= L::COUNT {
                self.work.strip::<1, L>(lanes, self.batch, column, L::COUNT);
                column += L::COUNT;
            }
            if column < end {
                self.work.strip::<1, L>(lanes, self.batch, column, end - column);
            }
        }
    }
}

/// Applies `work` to every column of every mini-batch, in parallel.
fn over_columns<T: Scalar>(level: Level, shape: Batches, work: impl Columns<T>) {
    // A whole number of strips at every level and for both types.
    let strip = STRIP * 16;
    let width = (TASK / shape.rows.max(1)).max(1).next_multiple_of(strip);
    let parts = shape.columns.div_ceil(width);
    threads::for_each(shape.batches * parts, &|task, _| {
        let (batch, part) = (task / parts, task % parts);
        let columns = part * width..shape.columns.min((part + 1) * width);
        dispatch(level, Part { work, batch, columns });
    });
}

/// A pointer that tasks share. Each read and write has its own safety comment.
#[derive(Clone, Copy)]
struct SharedPointer<T>(*mut T);

// SAFETY: the type only holds a pointer.
unsafe impl<T: Send> Send for SharedPointer<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for SharedPointer<T> {}

impl<T: Scalar> SharedPointer<T> {
    fn new(x: &[T]) -> Self {
        Self(x.as_ptr().cast_mut())
    }

    /// Loads N vectors starting at `at`, or the first `count` scalars.
    ///
    /// # Safety
    /// They are readable.
    #[inline(always)]
    unsafe fn load<const N: usize, L: Lanes<Scalar = T>>(
        self,
        lanes: L,
        at: usize,
        count: usize,
    ) -> [L::Vector; N] {
        let mut vectors = [lanes.zero(); N];
        for (j, vector) in vectors.iter_mut().enumerate() {
            // SAFETY: the caller guarantees vector j.
            *vector = unsafe { lanes.load_up_to(self.0.add(at + j * L::COUNT), count) };
        }
        vectors
    }
}

/// Normalises each column of each mini-batch, scales, shifts and activates: y = φ(gamma x^ + beta).
///
/// **Shapes** `x` and `y` as `shape`; `gamma`, `beta` (columns); `statistics` (batches, 3, columns), which become mean,
/// variance (divided by rows, not rows - 1) and r.
///
/// **Panics** if the lengths do not match.
///
/// **Accuracy and cost** Sums are sequential over the rows. Mean and variance are within rows EPSILON, relative to the
/// mean absolute value and to the variance. One pass over memory.
#[allow(clippy::too_many_arguments)]
#[track_caller]
pub fn batch_forward<T: Scalar>(
    level: Level,
    x: &[T],
    shape: Batches,
    (gamma, beta): (&[T], &[T]),
    epsilon: T,
    activation: Activation<T>,
    statistics: &mut [T],
    y: &mut [T],
) {
    check_equal("x", x.len(), "its shape", shape.len());
    check_equal("x", x.len(), "y", y.len());
    check_equal("gamma", gamma.len(), "a row of x", shape.columns);
    check_equal("beta", beta.len(), "a row of x", shape.columns);
    check_equal("statistics", statistics.len(), "three rows a mini-batch", shape.len_of_rows(STATISTICS));
    if x.is_empty() {
        return;
    }
    with_activation!(activation, function => over_columns(level, shape, Forward {
        x: SharedPointer::new(x),
        shape,
        gamma: SharedPointer::new(gamma),
        beta: SharedPointer::new(beta),
        epsilon,
        function,
        statistics: SharedPointer(statistics.as_mut_ptr()),
        y: SharedPointer(y.as_mut_ptr()),
    }));
}

#[derive(Clone, Copy)]
struct Forward<T, F> {
    x: SharedPointer<T>,
    shape: Batches,
    gamma: SharedPointer<T>,
    beta: SharedPointer<T>,
    epsilon: T,
    function: F,
    statistics: SharedPointer<T>,
    y: SharedPointer<T>,
}

impl<T: Scalar, F: Function<T> + Send + Sync> Columns<T> for Forward<T, F> {
    #[inline(always)]
    unsafe fn strip<const N: usize, L: Lanes<Scalar = T>>(
        self,
        lanes: L,
        batch: usize,
        column: usize,
        count: usize,
    ) {
        let Batches { rows, columns, .. } = self.shape;
        let first = batch * rows * columns + column;
        let share = lanes.constant(1.0 / rows as f64);
        // SAFETY: the caller guarantees columns of this batch: row < rows, and N vectors starting at `column` are in a
        // row. By `Batches::new`, no index of an element overflows.
        unsafe {
            let at = |row: usize, j: usize| first + row * columns + j * L::COUNT;
            let mut mean = [lanes.zero(); N];
            for row in 0..rows {
                for (j, mean) in mean.iter_mut().enumerate() {
                    *mean = lanes.add(*mean, lanes.load_up_to(self.x.0.add(at(row, j)), count));
                }
            }
            for mean in &mut mean {
                *mean = lanes.mul(*mean, share);
            }
            let mut squares = [lanes.zero(); N];
            for row in 0..rows {
                for j in 0..N {
                    let x = lanes.load_up_to(self.x.0.add(at(row, j)), count);
                    let d = lanes.sub(x, mean[j]);
                    squares[j] = lanes.mul_add(d, d, squares[j]);
                }
            }
            let mut scale = self.gamma.load::<N, L>(lanes, column, count);
            let shift = self.beta.load::<N, L>(lanes, column, count);
            for j in 0..N {
                let variance = lanes.mul(squares[j], share);
                let deviation = lanes.sqrt(lanes.add(variance, lanes.splat(self.epsilon)));
                let r = lanes.div(lanes.splat(T::ONE), deviation);
                scale[j] = lanes.mul(scale[j], r);
                let statistics = self.statistics.0.add(3 * batch * columns + column + j * L::COUNT);
                lanes.store_up_to(statistics, mean[j], count);
                lanes.store_up_to(statistics.add(columns), variance, count);
                lanes.store_up_to(statistics.add(2 * columns), r, count);
            }
            for row in 0..rows {
                for j in 0..N {
                    let x = lanes.load_up_to(self.x.0.add(at(row, j)), count);
                    let z = lanes.mul_add(lanes.sub(x, mean[j]), scale[j], shift[j]);
                    let y = self.function.apply(lanes, z);
                    lanes.store_up_to(self.y.0.add(at(row, j)), y, count);
                }
            }
        }
    }
}

/// Normalises each column by given statistics: y = φ(gamma (x - mean) / sqrt(variance + epsilon) + beta).
///
/// **Shapes** `x` and `y` (rows, columns); `gamma`, `beta`, `mean`, `variance` (columns).
///
/// **Panics** if the lengths do not match.
#[allow(clippy::too_many_arguments)]
#[track_caller]
pub fn batch_infer<T: Scalar>(
    level: Level,
    x: &[T],
    (gamma, beta): (&[T], &[T]),
    (mean, variance): (&[T], &[T]),
    epsilon: T,
    activation: Activation<T>,
    y: &mut [T],
) {
    let columns = gamma.len();
    check_equal("x", x.len(), "y", y.len());
    for (name, row) in [("beta", beta), ("mean", mean), ("variance", variance)] {
        check_equal(name, row.len(), "gamma", columns);
    }
    if x.is_empty() {
        return;
    }
    let rows = x.len().checked_div(columns).unwrap_or(0);
    check_equal("x", x.len(), "whole rows", rows * columns);
    let shape = Batches::new(1, rows, columns);
    with_activation!(activation, function => over_columns(level, shape, Infer {
        x: SharedPointer::new(x),
        shape,
        column_parameters: [gamma, beta, mean, variance].map(SharedPointer::new),
        epsilon,
        function,
        y: SharedPointer(y.as_mut_ptr()),
    }));
}

#[derive(Clone, Copy)]
struct Infer<T, F> {
    x: SharedPointer<T>,
    shape: Batches,
    /// gamma, beta, mean, variance
    column_parameters: [SharedPointer<T>; 4],
    epsilon: T,
    function: F,
    y: SharedPointer<T>,
}

impl<T: Scalar, F: Function<T> + Send + Sync> Columns<T> for Infer<T, F> {
    #[inline(always)]
    unsafe fn strip<const N: usize, L: Lanes<Scalar = T>>(
        self,
        lanes: L,
        _: usize,
        column: usize,
        count: usize,
    ) {
        let Batches { rows, columns, .. } = self.shape;
        // SAFETY: the caller guarantees columns: row < rows, and N vectors starting at `column` are in a row.
        unsafe {
            let [gamma, beta, mean, variance] = self.column_parameters;
            let mut scale = gamma.load::<N, L>(lanes, column, count);
            let shift = beta.load::<N, L>(lanes, column, count);
            let mean = mean.load::<N, L>(lanes, column, count);
            let variance = variance.load::<N, L>(lanes, column, count);
            for j in 0..N {
                let deviation = lanes.sqrt(lanes.add(variance[j], lanes.splat(self.epsilon)));
                scale[j] = lanes.div(scale[j], deviation);
            }
            for row in 0..rows {
                for j in 0..N {
                    let at = row * columns + column + j * L::COUNT;
                    let x = lanes.load_up_to(self.x.0.add(at), count);
                    let z = lanes.mul_add(lanes.sub(x, mean[j]), scale[j], shift[j]);
                    lanes.store_up_to(self.y.0.add(at), self.function.apply(lanes, z), count);
                }
            }
        }
    }
}

/// The backward pass of [`batch_forward`], for delta = dL/dz, z = gamma x^ + beta:
///
/// ```text
/// sums <- sum delta,  sum delta x^              (that is, dL/dbeta and dL/dgamma)
/// dx   <- gamma r (delta - mean delta - x^ mean(delta x^))
/// ```
///
/// Elements of dx below [`Scalar::TINY`] in size become 0.
///
/// **Shapes** `x`, `delta` and the optional `dx` as `shape`; `gamma` (columns); `statistics` (batches, 3, columns) of
/// the forward pass; `sums` (batches, 2, columns).
///
/// **Panics** if the lengths do not match.
///
/// **Accuracy and cost** Same as [`batch_forward`].
#[allow(clippy::too_many_arguments)]
#[track_caller]
pub fn batch_backward<T: Scalar>(
    level: Level,
    x: &[T],
    delta: &[T],
    shape: Batches,
    gamma: &[T],
    statistics: &[T],
    sums: &mut [T],
    dx: Option<&mut [T]>,
) {
    check_equal("x", x.len(), "its shape", shape.len());
    check_equal("x", x.len(), "delta", delta.len());
    check_equal("gamma", gamma.len(), "a row of x", shape.columns);
    check_equal("statistics", statistics.len(), "three rows a mini-batch", shape.len_of_rows(STATISTICS));
    check_equal("sums", sums.len(), "two rows a mini-batch", shape.len_of_rows(2));
    if let Some(dx) = &dx {
        check_equal("x", x.len(), "dx", dx.len());
    }
    if x.is_empty() {
        return;
    }
    over_columns(
        level,
        shape,
        Backward {
            x: SharedPointer::new(x),
            delta: SharedPointer::new(delta),
            shape,
            gamma: SharedPointer::new(gamma),
            statistics: SharedPointer::new(statistics),
            sums: SharedPointer(sums.as_mut_ptr()),
            dx: dx.map(|dx| SharedPointer(dx.as_mut_ptr())),
        },
    );
}

#[derive(Clone, Copy)]
struct Backward<T> {
    x: SharedPointer<T>,
    delta: SharedPointer<T>,
    shape: Batches,
    gamma: SharedPointer<T>,
    statistics: SharedPointer<T>,
    sums: SharedPointer<T>,
    dx: Option<SharedPointer<T>>,
}

impl<T: Scalar> Columns<T> for Backward<T> {
    #[inline(always)]
    unsafe fn strip<const N: usize, L: Lanes<Scalar = T>>(
        self,
        lanes: L,
        batch: usize,
        column: usize,
        count: usize,
    ) {
        let Batches { rows, columns, .. } = self.shape;
        let first = batch * rows * columns + column;
        let share = lanes.constant(1.0 / rows as f64);
        // SAFETY: the caller guarantees columns of this batch: row < rows, and N vectors starting at `column` are in a
        // row. By `Batches::new`, no index of an element overflows.
        unsafe {
            let at = |row: usize, j: usize| first + row * columns + j * L::COUNT;
            let statistics = 3 * batch * columns + column;
            let mean = self.statistics.load::<N, L>(lanes, statistics, count);
            let r = self.statistics.load::<N, L>(lanes, statistics + 2 * columns, count);
            let gamma = self.gamma.load::<N, L>(lanes, column, count);
            let (mut sum, mut along) = ([lanes.zero(); N], [lanes.zero(); N]);
            for row in 0..rows {
                for j in 0..N {
                    let x = lanes.load_up_to(self.x.0.add(at(row, j)), count);
                    let delta = lanes.load_up_to(self.delta.0.add(at(row, j)), count);
                    sum[j] = lanes.add(sum[j], delta);
                    along[j] = lanes.mul_add(delta, lanes.sub(x, mean[j]), along[j]);
                }
            }
            // dx = k delta - c (x - mu) - d
            let (mut k, mut c, mut d) = ([lanes.zero(); N], [lanes.zero(); N], [lanes.zero(); N]);
            for j in 0..N {
                let along = lanes.mul(along[j], r[j]);
                let sums = self.sums.0.add(2 * batch * columns + column + j * L::COUNT);
                lanes.store_up_to(sums, sum[j], count);
                lanes.store_up_to(sums.add(columns), along, count);
                k[j] = lanes.mul(gamma[j], r[j]);
                let shared = lanes.mul(k[j], share);
                c[j] = lanes.mul(lanes.mul(shared, r[j]), along);
                d[j] = lanes.mul(shared, sum[j]);
            }
            let Some(dx) = self.dx else { return };
            for row in 0..rows {
                for j in 0..N {
                    let x = lanes.load_up_to(self.x.0.add(at(row, j)), count);
                    let delta = lanes.load_up_to(self.delta.0.add(at(row, j)), count);
                    let rest = lanes.mul_add(c[j], lanes.sub(x, mean[j]), d[j]);
                    let gradient = lanes.flush_below(T::TINY, lanes.sub(lanes.mul(k[j], delta), rest));
                    lanes.store_up_to(dx.0.add(at(row, j)), gradient, count);
                }
            }
        }
    }
}
