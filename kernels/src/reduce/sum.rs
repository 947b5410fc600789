//! Sums, dot products and norms of slices, and the sums of a matrix's rows.

use super::terms::{Terms, total};
use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;
use crate::map::{check_equal, check_matrix};

/// x.
#[derive(Clone, Copy)]
struct Elements<T>(*const T);

impl<T: Scalar> Terms<T> for Elements<T> {
    #[inline(always)]
    unsafe fn add<L: Lanes<Scalar = T>>(self, lanes: L, sum: L::Vector, i: usize) -> L::Vector {
        // SAFETY: the caller guarantees COUNT elements starting at i.
        lanes.add(sum, unsafe { lanes.load(self.0.add(i)) })
    }

    #[inline(always)]
    unsafe fn add_first<L: Lanes<Scalar = T>>(
        self,
        lanes: L,
        sum: L::Vector,
        i: usize,
        count: usize,
    ) -> L::Vector {
        // SAFETY: the caller guarantees `count` elements starting at i.
        lanes.add(sum, unsafe { lanes.load_first(self.0.add(i), count) })
    }
}

/// x y.
#[derive(Clone, Copy)]
struct Products<T>(*const T, *const T);

impl<T: Scalar> Terms<T> for Products<T> {
    #[inline(always)]
    unsafe fn add<L: Lanes<Scalar = T>>(self, lanes: L, sum: L::Vector, i: usize) -> L::Vector {
        // SAFETY: the caller guarantees COUNT elements starting at i.
        unsafe { lanes.mul_add(lanes.load(self.0.add(i)), lanes.load(self.1.add(i)), sum) }
    }

    #[inline(always)]
    unsafe fn add_first<L: Lanes<Scalar = T>>(
        self,
        lanes: L,
        sum: L::Vector,
        i: usize,
        count: usize,
    ) -> L::Vector {
        // SAFETY: the caller guarantees `count` elements starting at i.
        unsafe {
            let (x, y) = (lanes.load_first(self.0.add(i), count), lanes.load_first(self.1.add(i), count));
            lanes.mul_add(x, y, sum)
        }
    }
}

/// x^2.
#[derive(Clone, Copy)]
struct Squares<T>(*const T);

impl<T: Scalar> Terms<T> for Squares<T> {
    #[inline(always)]
    unsafe fn add<L: Lanes<Scalar = T>>(self, lanes: L, sum: L::Vector, i: usize) -> L::Vector {
        // SAFETY: the caller guarantees COUNT elements starting at i.
        let x = unsafe { lanes.load(self.0.add(i)) };
        lanes.mul_add(x, x, sum)
    }

    #[inline(always)]
    unsafe fn add_first<L: Lanes<Scalar = T>>(
        self,
        lanes: L,
        sum: L::Vector,
        i: usize,
        count: usize,
    ) -> L::Vector {
        // SAFETY: the caller guarantees `count` elements starting at i.
        let x = unsafe { lanes.load_first(self.0.add(i), count) };
        lanes.mul_add(x, x, sum)
    }
}

pub(crate) struct Sum<'a, T>(pub &'a [T]);

impl<T: Scalar> Operation<T> for Sum<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) -> T {
        // SAFETY: the slice has that length.
        unsafe { total(lanes, Elements(self.0.as_ptr()), self.0.len()) }
    }
}

/// The sum of the elements; 0 for an empty slice.
///
/// **Accuracy and cost** At most (14 + log2(n) / 2) EPSILON times the sum of the absolute values.
#[must_use]
pub fn sum<T: Scalar>(level: Level, x: &[T]) -> T {
    dispatch(level, Sum(x))
}

pub(crate) struct Dot<'a, T>(pub &'a [T], pub &'a [T]);

impl<T: Scalar> Operation<T> for Dot<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) -> T {
        let length = self.0.len().min(self.1.len());
        // SAFETY: both slices have at least that length.
        unsafe { total(lanes, Products(self.0.as_ptr(), self.1.as_ptr()), length) }
    }
}

/// The sum of the products of elements; 0 for empty slices.
///
/// **Panics** if the lengths differ.
///
/// **Accuracy and cost** At most (14 + log2(n) / 2) EPSILON times the sum of the products' absolute values.
#[must_use]
#[track_caller]
pub fn dot<T: Scalar>(level: Level, x: &[T], y: &[T]) -> T {
    check_equal("x", x.len(), "y", y.len());
    T::dot(level, x, y)
}

struct SquaredNorm<'a, T>(&'a [T]);

impl<T: Scalar> Operation<T> for SquaredNorm<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) -> T {
        // SAFETY: the slice has that length.
        unsafe { total(lanes, Squares(self.0.as_ptr()), self.0.len()) }
    }
}

/// The sum of the squares; 0 for an empty slice. Squares may overflow or underflow.
///
/// **Accuracy and cost** At most (14 + log2(n) / 2) EPSILON, relative to the result.
#[must_use]
pub fn squared_norm<T: Scalar>(level: Level, x: &[T]) -> T {
    dispatch(level, SquaredNorm(x))
}

/// Independent sums of [`sum_f64`].
const WIDE: usize = 32;

/// `sums[i] += x[i]`. After unrolling, every index is constant, so that the sums stay in registers.
#[inline(always)]
fn add_wide<T: Scalar>(sums: &mut [f64; WIDE], x: &[T; WIDE]) {
    for i in 0..WIDE {
        sums[i] += x[i].to_f64();
    }
}

struct SumF64<'a, T>(&'a [T]);

impl<T: Scalar> Operation<T> for SumF64<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, _: L) -> f64 {
        // `Lanes` has no conversion from f32 to f64; the compiler vectorises it with the instructions of the level.
        let mut sums = [0.0; WIDE];
        let (chunks, rest) = self.0.as_chunks::<WIDE>();
        for chunk in chunks {
            add_wide(&mut sums, chunk);
        }
        let mut last = [T::ZERO; WIDE];
        last[..rest.len()].copy_from_slice(rest);
        add_wide(&mut sums, &last);
        let mut half = WIDE / 2;
        while half > 0 {
            for i in 0..half {
                sums[i] += sums[i + half];
            }
            half /= 2;
        }
        sums[0]
    }
}

/// The sum of the elements in f64 for either scalar type; 0 for an empty slice. Identical at every level.
///
/// **Accuracy and cost** At most (n / 32 + 5) 2^-53 times the sum of the absolute values.
#[must_use]
pub fn sum_f64<T: Scalar>(level: Level, x: &[T]) -> f64 {
    dispatch(level, SumF64(x))
}

struct RowSums<'a, T> {
    x: &'a [T],
    columns: usize,
    out: &'a mut [T],
}

impl<T: Scalar> Operation<T> for RowSums<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        for (row, out) in self.x.chunks_exact(self.columns).zip(self.out) {
            *out = Sum(row).run(lanes);
        }
    }
}

/// The [`sum`] of each row: `out[i] = sum_j x[i, j]`.
///
/// **Shapes** `x` (rows, columns), contiguous; `out` (rows).
///
/// **Panics** if the lengths do not match.
#[track_caller]
pub fn row_sums<T: Scalar>(level: Level, x: &[T], rows: usize, columns: usize, out: &mut [T]) {
    check_matrix("x", x.len(), rows, columns);
    check_equal("out", out.len(), "a column of x", rows);
    if columns == 0 {
        out.fill(T::ZERO);
    } else {
        dispatch(level, RowSums { x, columns, out });
    }
}
