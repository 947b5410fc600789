//! Elementwise loops over vectors that several kernels share.

use crate::lanes::{Lanes, Operation, Scalar};
use core::marker::PhantomData;

/// A function of one element. A trait rather than a closure: closures are not `#[inline(always)]`.
pub(crate) trait Function<T: Scalar>: Copy {
    fn apply<L: Lanes<Scalar = T>>(self, lanes: L, x: L::Vector) -> L::Vector;
}

/// A function of two elements.
pub(crate) trait Function2<T: Scalar>: Copy {
    fn apply<L: Lanes<Scalar = T>>(self, lanes: L, x: L::Vector, y: L::Vector) -> L::Vector;
}

/// Vectors that [`Map`] keeps in flight: a function is a long chain of dependent instructions.
const UNROLL: usize = 4;

/// `to[i] = function(from[i])`.
pub(crate) struct Map<'a, T, F> {
    function: F,
    /// `length` readable scalars: borrowed for `'a` or equal to `to`.
    from: *const T,
    /// `length` writable scalars, borrowed for `'a`.
    to: *mut T,
    length: usize,
    borrows: PhantomData<&'a mut [T]>,
}

impl<'a, T: Scalar, F: Function<T>> Map<'a, T, F> {
    /// The caller has compared the lengths; only the shorter length is used.
    #[inline]
    pub(crate) fn new(function: F, from: &'a [T], to: &'a mut [T]) -> Self {
        let length = from.len().min(to.len());
        Self { function, from: from.as_ptr(), to: to.as_mut_ptr(), length, borrows: PhantomData }
    }

    #[inline]
    pub(crate) fn in_place(function: F, x: &'a mut [T]) -> Self {
        let to = x.as_mut_ptr();
        Self { function, from: to.cast_const(), to, length: x.len(), borrows: PhantomData }
    }
}

impl<T: Scalar, F: Function<T>> Operation<T> for Map<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let mut i = 0;
        while self.length - i >= UNROLL * L::COUNT {
            let mut y = [lanes.zero(); UNROLL];
            for (j, y) in y.iter_mut().enumerate() {
                // SAFETY: i + UNROLL * COUNT <= length, and j < UNROLL.
                *y = self.function.apply(lanes, unsafe { lanes.load(self.from.add(i + j * L::COUNT)) });
            }
            for (j, &y) in y.iter().enumerate() {
                // SAFETY: as above; these elements have been read.
                unsafe { lanes.store(self.to.add(i + j * L::COUNT), y) };
            }
            i += UNROLL * L::COUNT;
        }
        while self.length - i >= L::COUNT {
            // SAFETY: i + COUNT <= length, and each element is read before it is written.
            unsafe {
                let y = self.function.apply(lanes, lanes.load(self.from.add(i)));
                lanes.store(self.to.add(i), y);
            }
            i += L::COUNT;
        }
        let rest = self.length - i;
        if rest > 0 {
            // SAFETY: i + rest == length.
            unsafe {
                let y = self.function.apply(lanes, lanes.load_first(self.from.add(i), rest));
                lanes.store_first(self.to.add(i), y, rest);
            }
        }
    }
}

/// `to[i] = function(from[i], other[i])`.
pub(crate) struct Map2<'a, T, F> {
    function: F,
    /// `length` readable scalars: borrowed for `'a` or equal to `to`.
    from: *const T,
    /// `length` scalars.
    other: &'a [T],
    /// `length` writable scalars, borrowed for `'a`.
    to: *mut T,
    length: usize,
    borrows: PhantomData<&'a mut [T]>,
}

impl<'a, T: Scalar, F: Function2<T>> Map2<'a, T, F> {
    /// The caller has compared the lengths; only the shortest length is used.
    #[inline]
    pub(crate) fn new(function: F, from: &'a [T], other: &'a [T], to: &'a mut [T]) -> Self {
        let length = from.len().min(other.len()).min(to.len());
        Self { function, from: from.as_ptr(), other, to: to.as_mut_ptr(), length, borrows: PhantomData }
    }

    #[inline]
    pub(crate) fn in_place(function: F, x: &'a mut [T], other: &'a [T]) -> Self {
        let length = x.len().min(other.len());
        let to = x.as_mut_ptr();
        Self { function, from: to.cast_const(), other, to, length, borrows: PhantomData }
    }
}

impl<T: Scalar, F: Function2<T>> Operation<T> for Map2<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let other = self.other.as_ptr();
        let mut i = 0;
        while self.length - i >= L::COUNT {
            // SAFETY: i + COUNT <= length, and each element is read before it is written.
            unsafe {
                let y = self.function.apply(lanes, lanes.load(self.from.add(i)), lanes.load(other.add(i)));
                lanes.store(self.to.add(i), y);
            }
            i += L::COUNT;
        }
        let rest = self.length - i;
        if rest > 0 {
            // SAFETY: i + rest == length.
            unsafe {
                let x = lanes.load_first(self.from.add(i), rest);
                let y = self.function.apply(lanes, x, lanes.load_first(other.add(i), rest));
                lanes.store_first(self.to.add(i), y, rest);
            }
        }
    }
}

/// Panics unless the lengths are equal.
#[inline]
#[track_caller]
pub(crate) fn check_equal(name: &str, length: usize, other_name: &str, other: usize) {
    assert!(
        length == other,
        "{name} has length {length}, {other_name} has length {other}: they must be equal"
    );
}

/// Panics unless `length` is the number of elements of a matrix of this shape.
#[inline]
#[track_caller]
pub(crate) fn check_matrix(name: &str, length: usize, rows: usize, columns: usize) {
    assert!(
        rows.checked_mul(columns) == Some(length),
        "{name} has length {length}, a matrix of {rows} rows and {columns} columns does not"
    );
}
