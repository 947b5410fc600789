//! Sums, differences, products and multiples of slices, element by element.
//!
//! Each function runs at memory bandwidth once the operands exceed the first-level cache.

use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;
use crate::map::{Function, Function2, Map, Map2, check_equal, check_matrix};

#[derive(Clone, Copy)]
struct Scale<T>(T);

impl<T: Scalar> Function<T> for Scale<T> {
    #[inline(always)]
    fn apply<L: Lanes<Scalar = T>>(self, lanes: L, x: L::Vector) -> L::Vector {
        lanes.mul(lanes.splat(self.0), x)
    }
}

/// y + alpha x.
#[derive(Clone, Copy)]
pub(crate) struct Axpy<T>(pub T);

impl<T: Scalar> Function2<T> for Axpy<T> {
    #[inline(always)]
    fn apply<L: Lanes<Scalar = T>>(self, lanes: L, y: L::Vector, x: L::Vector) -> L::Vector {
        lanes.mul_add(lanes.splat(self.0), x, y)
    }
}

/// `out = alpha x`.
///
/// **Panics** if the lengths differ.
#[track_caller]
pub fn scale<T: Scalar>(level: Level, alpha: T, x: &[T], out: &mut [T]) {
    check_equal("x", x.len(), "out", out.len());
    dispatch(level, Map::new(Scale(alpha), x, out));
}

/// `x = alpha x`.
pub fn scale_in_place<T: Scalar>(level: Level, alpha: T, x: &mut [T]) {
    dispatch(level, Map::in_place(Scale(alpha), x));
}

/// `y += alpha x`.
///
/// **Panics** if the lengths differ.
///
/// **Accuracy and cost** Product and sum are rounded once (fused), except at the portable level.
#[track_caller]
pub fn axpy<T: Scalar>(level: Level, alpha: T, x: &[T], y: &mut [T]) {
    check_equal("x", x.len(), "y", y.len());
    dispatch(level, Map2::in_place(Axpy(alpha), y, x));
}

macro_rules! binary {
    ($($name:ident, $in_place:ident, $type:ident, $method:ident, $sign:literal;)*) => {$(
        #[derive(Clone, Copy)]
        struct $type;

        impl<T: Scalar> Function2<T> for $type {
            #[inline(always)]
            fn apply<L: Lanes<Scalar = T>>(self, lanes: L, x: L::Vector, y: L::Vector) -> L::Vector {
                lanes.$method(x, y)
            }
        }

        #[doc = concat!("`out = x ", $sign, " y`.")]
        ///
        /// **Panics** if the lengths differ.
        #[track_caller]
        pub fn $name<T: Scalar>(level: Level, x: &[T], y: &[T], out: &mut [T]) {
            check_equal("x", x.len(), "y", y.len());
            check_equal("x", x.len(), "out", out.len());
            dispatch(level, Map2::new($type, x, y, out));
        }

        #[doc = concat!("`x = x ", $sign, " y`.")]
        ///
        /// **Panics** if the lengths differ.
        #[track_caller]
        pub fn $in_place<T: Scalar>(level: Level, x: &mut [T], y: &[T]) {
            check_equal("x", x.len(), "y", y.len());
            dispatch(level, Map2::in_place($type, x, y));
        }
    )*};
}

binary! {
    add, add_in_place, Add, add, "+";
    sub, sub_in_place, Sub, sub, "-";
    mul, mul_in_place, Mul, mul, "*";
}

struct AddRow<'a, T> {
    x: &'a mut [T],
    row: &'a [T],
}

impl<T: Scalar> Operation<T> for AddRow<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        for x in self.x.chunks_exact_mut(self.row.len()) {
            Map2::in_place(Add, x, self.row).run(lanes);
        }
    }
}

/// Adds `row` to every row of `x`.
///
/// **Shapes** `x` (rows, columns), contiguous; `row` (columns).
///
/// **Panics** if the lengths do not match.
#[track_caller]
pub fn add_row<T: Scalar>(level: Level, x: &mut [T], rows: usize, columns: usize, row: &[T]) {
    check_matrix("x", x.len(), rows, columns);
    check_equal("row", row.len(), "a row of x", columns);
    if columns > 0 {
        dispatch(level, AddRow { x, row });
    }
}

/// Vectors that [`is_finite`] keeps in flight.
const PARALLEL: usize = 8;

struct IsFinite<'a, T>(&'a [T]);

impl<T: Scalar> Operation<T> for IsFinite<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) -> bool {
        // x - x is 0 if x is finite and NaN otherwise; a NaN stays in every sum.
        let (x, length) = (self.0.as_ptr(), self.0.len());
        let mut sums = [lanes.zero(); PARALLEL];
        let mut i = 0;
        while length - i >= PARALLEL * L::COUNT {
            for (j, sum) in sums.iter_mut().enumerate() {
                // SAFETY: i + PARALLEL * COUNT <= length, and j < PARALLEL.
                let x = unsafe { lanes.load(x.add(i + j * L::COUNT)) };
                *sum = lanes.add(*sum, lanes.sub(x, x));
            }
            i += PARALLEL * L::COUNT;
        }
        while i < length {
            let count = L::COUNT.min(length - i);
            // SAFETY: i + count <= length.
            let x = unsafe { lanes.load_first(x.add(i), count) };
            sums[0] = lanes.add(sums[0], lanes.sub(x, x));
            i += count;
        }
        let mut sum = sums[0];
        for &other in &sums[1..] {
            sum = lanes.add(sum, other);
        }
        lanes.sum(sum) == T::ZERO
    }
}

/// Returns whether all elements are finite (neither infinite nor NaN).
#[must_use]
pub fn is_finite<T: Scalar>(level: Level, x: &[T]) -> bool {
    dispatch(level, IsFinite(x))
}
