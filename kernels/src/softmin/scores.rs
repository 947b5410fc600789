//! The scores of pairs, from a matrix or from points.

use crate::array::array;
use crate::lanes::{Lanes, Scalar};
use crate::map::{check_equal, check_matrix};

/// The scores s_ij = bias_j - scale C_ij of all pairs of row i and column j.
#[derive(Clone, Copy, Debug)]
pub struct Pairs<'a, T> {
    /// The costs.
    pub source: Source<'a, T>,
    /// (columns)
    pub bias: &'a [T],
    /// The number of rows.
    pub rows: usize,
}

/// The source of the term - scale C_ij of a score.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a, T> {
    /// A matrix of costs.
    Matrix {
        /// (rows, columns), contiguous.
        costs: &'a [T],
        /// The factor of the costs.
        scale: T,
    },
    /// Products of points: the term is + x_i·y_j.
    ///
    /// For |x - y|² pass 2 scale x as `x`, subtract scale |y_j|² from the biases, and scale |x_i|² from the results.
    Products {
        /// (rows, d), contiguous.
        x: &'a [T],
        /// (d, columns), contiguous: by coordinate.
        y: &'a [T],
        /// The number of coordinates.
        d: usize,
    },
    /// Squared Euclidean distances of points, from differences: for results that may be far smaller than |x|².
    SquaredEuclidean {
        /// (rows, d), contiguous.
        x: &'a [T],
        /// (d, columns), contiguous: by coordinate.
        y: &'a [T],
        /// The number of coordinates.
        d: usize,
        /// The factor of the costs.
        scale: T,
    },
    /// Euclidean distances of points.
    Euclidean {
        /// (rows, d), contiguous.
        x: &'a [T],
        /// (d, columns), contiguous: by coordinate.
        y: &'a [T],
        /// The number of coordinates.
        d: usize,
        /// The factor of the costs.
        scale: T,
    },
    /// Sums of absolute differences of coordinates.
    CityBlock {
        /// (rows, d), contiguous.
        x: &'a [T],
        /// (d, columns), contiguous: by coordinate.
        y: &'a [T],
        /// The number of coordinates.
        d: usize,
        /// The factor of the costs.
        scale: T,
    },
}

/// A function of scores that are known by type.
pub(super) trait With<T: Scalar> {
    /// Calls the function. `scores` has `rows` rows and `columns` columns.
    fn with<S: Scores<T>>(self, scores: S, rows: usize, columns: usize);
}

impl<T: Scalar> Pairs<'_, T> {
    /// The number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.bias.len()
    }

    /// Checks the lengths and calls `function` with the scores.
    #[track_caller]
    pub(super) fn with(&self, function: impl With<T>) {
        let (rows, columns, bias) = (self.rows, self.bias.len(), self.bias.as_ptr());
        let points = |x: &[T], y: &[T], d: usize| {
            check_matrix("x", x.len(), rows, d);
            check_matrix("y", y.len(), d, columns);
            Points { x: x.as_ptr(), y: y.as_ptr(), d, columns }
        };
        // The lengths of all slices are checked here, once: every implementation of `Scores` relies on it.
        match self.source {
            Source::Matrix { costs, scale } => {
                check_matrix("costs", costs.len(), rows, columns);
                function.with(Matrix { costs: costs.as_ptr(), bias, scale, columns }, rows, columns);
            }
            Source::Products { x, y, d } => {
                function.with(Products { points: points(x, y, d), bias }, rows, columns);
            }
            Source::SquaredEuclidean { x, y, d, scale } => {
                let (points, coordinate) = (points(x, y, d), SquaredDifference::<false>);
                function.with(Distances { points, bias, scale, coordinate }, rows, columns);
            }
            Source::Euclidean { x, y, d, scale } => {
                let (points, coordinate) = (points(x, y, d), SquaredDifference::<true>);
                function.with(Distances { points, bias, scale, coordinate }, rows, columns);
            }
            Source::CityBlock { x, y, d, scale } => {
                let (points, coordinate) = (points(x, y, d), AbsoluteDifference);
                function.with(Distances { points, bias, scale, coordinate }, rows, columns);
            }
        }
    }

    /// Panics unless a result of one number a row has this length.
    #[track_caller]
    pub(super) fn check_rows(&self, name: &str, length: usize) {
        check_equal(name, length, "a column of the pairs", self.rows);
    }
}

/// The scores of pairs.
pub(super) trait Scores<T: Scalar>: Copy + Sync {
    /// The scores of `R` rows starting at `i` with the `count <= COUNT` columns starting at `j`; those of the other lanes
    /// are unspecified.
    ///
    /// # Safety
    /// The rows and columns exist.
    unsafe fn scores<L: Lanes<Scalar = T>, const R: usize>(
        self,
        lanes: L,
        i: usize,
        j: usize,
        count: usize,
    ) -> [L::Vector; R];

    /// Like [`Scores::scores`], but -inf in the lanes from `count` on.
    ///
    /// # Safety
    /// The rows and columns exist.
    #[inline(always)]
    unsafe fn scores_padded<L: Lanes<Scalar = T>, const R: usize>(
        self,
        lanes: L,
        i: usize,
        j: usize,
        count: usize,
    ) -> [L::Vector; R] {
        // SAFETY: guaranteed by the caller.
        let mut scores = unsafe { self.scores::<L, R>(lanes, i, j, count) };
        if count < L::COUNT {
            for scores in &mut scores {
                let found = lanes.to_array(*scores);
                let padded: [T; 16] = array(|lane| if lane < count { found[lane] } else { -T::INFINITY });
                // SAFETY: no level has more than 16 lanes.
                *scores = unsafe { lanes.load(padded.as_ptr()) };
            }
        }
        scores
    }
}

#[derive(Clone, Copy)]
struct Matrix<T> {
    costs: *const T,
    bias: *const T,
    scale: T,
    columns: usize,
}

// SAFETY: the pointers come from shared slices that outlive the call (`Pairs::with`), and are only read.
unsafe impl<T: Scalar> Sync for Matrix<T> {}

impl<T: Scalar> Scores<T> for Matrix<T> {
    #[inline(always)]
    unsafe fn scores<L: Lanes<Scalar = T>, const R: usize>(
        self,
        lanes: L,
        i: usize,
        j: usize,
        count: usize,
    ) -> [L::Vector; R] {
        let scale = lanes.splat(-self.scale);
        // SAFETY: the rows and columns exist, and `Pairs::with` has checked the lengths.
        unsafe {
            let mut scores = [lanes.load_up_to(self.bias.add(j), count); R];
            for (r, score) in scores.iter_mut().enumerate() {
                let costs = lanes.load_up_to(self.costs.add((i + r) * self.columns + j), count);
                *score = lanes.mul_add(scale, costs, *score);
            }
            scores
        }
    }
}

#[derive(Clone, Copy)]
struct Points<T> {
    x: *const T,
    y: *const T,
    d: usize,
    columns: usize,
}

impl<T: Scalar> Points<T> {
    /// Applies `add(sum, x_ik, y_jk)` for each coordinate k, starting with `start`.
    ///
    /// # Safety
    /// The rows and columns exist, and the lengths of the slices are those of the shapes.
    #[inline(always)]
    unsafe fn fold<L: Lanes<Scalar = T>, A: Coordinate, const R: usize>(
        self,
        lanes: L,
        (i, j, count): (usize, usize, usize),
        start: L::Vector,
        add: A,
    ) -> [L::Vector; R] {
        let mut sums = [start; R];
        for k in 0..self.d {
            // SAFETY: guaranteed by the caller, and k < d.
            unsafe {
                let y = lanes.load_up_to(self.y.add(k * self.columns + j), count);
                for (r, sum) in sums.iter_mut().enumerate() {
                    *sum = add.add(lanes, *sum, lanes.splat(self.x.add((i + r) * self.d + k).read()), y);
                }
            }
        }
        sums
    }
}

/// The contribution of one coordinate. A trait rather than a closure: closures are not `#[inline(always)]`.
trait Coordinate: Copy {
    fn add<L: Lanes>(self, lanes: L, sum: L::Vector, x: L::Vector, y: L::Vector) -> L::Vector;

    /// The distance that has this sum.
    #[inline(always)]
    fn distance<L: Lanes>(self, _lanes: L, sum: L::Vector) -> L::Vector {
        sum
    }
}

/// sum + x y.
#[derive(Clone, Copy)]
struct Product;

impl Coordinate for Product {
    #[inline(always)]
    fn add<L: Lanes>(self, lanes: L, sum: L::Vector, x: L::Vector, y: L::Vector) -> L::Vector {
        lanes.mul_add(x, y, sum)
    }
}

/// sum + (x - y)²; the distance is the root of the sum if `ROOT`.
#[derive(Clone, Copy)]
struct SquaredDifference<const ROOT: bool>;

impl<const ROOT: bool> Coordinate for SquaredDifference<ROOT> {
    #[inline(always)]
    fn add<L: Lanes>(self, lanes: L, sum: L::Vector, x: L::Vector, y: L::Vector) -> L::Vector {
        let difference = lanes.sub(x, y);
        lanes.mul_add(difference, difference, sum)
    }

    #[inline(always)]
    fn distance<L: Lanes>(self, lanes: L, sum: L::Vector) -> L::Vector {
        if ROOT { lanes.sqrt(sum) } else { sum }
    }
}

/// sum + |x - y|.
#[derive(Clone, Copy)]
struct AbsoluteDifference;

impl Coordinate for AbsoluteDifference {
    #[inline(always)]
    fn add<L: Lanes>(self, lanes: L, sum: L::Vector, x: L::Vector, y: L::Vector) -> L::Vector {
        lanes.add(sum, lanes.abs(lanes.sub(x, y)))
    }
}

/// bias_j + x_i·y_j.
#[derive(Clone, Copy)]
struct Products<T> {
    points: Points<T>,
    bias: *const T,
}

// SAFETY: the pointers come from shared slices that outlive the call (`Pairs::with`), and are only read.
unsafe impl<T: Scalar> Sync for Products<T> {}

impl<T: Scalar> Scores<T> for Products<T> {
    #[inline(always)]
    unsafe fn scores<L: Lanes<Scalar = T>, const R: usize>(
        self,
        lanes: L,
        i: usize,
        j: usize,
        count: usize,
    ) -> [L::Vector; R] {
        // SAFETY: the rows and columns exist, and `Pairs::with` has checked the lengths.
        unsafe {
            let bias = lanes.load_up_to(self.bias.add(j), count);
            self.points.fold::<L, Product, R>(lanes, (i, j, count), bias, Product)
        }
    }
}

/// bias_j - scale |x_i - y_j|, with the distance that belongs to `C`.
#[derive(Clone, Copy)]
struct Distances<T, C> {
    points: Points<T>,
    bias: *const T,
    scale: T,
    coordinate: C,
}

// SAFETY: the pointers come from shared slices that outlive the call (`Pairs::with`), and are only read.
unsafe impl<T: Scalar, C: Coordinate + Sync> Sync for Distances<T, C> {}

impl<T: Scalar, C: Coordinate + Sync> Scores<T> for Distances<T, C> {
    #[inline(always)]
    unsafe fn scores<L: Lanes<Scalar = T>, const R: usize>(
        self,
        lanes: L,
        i: usize,
        j: usize,
        count: usize,
    ) -> [L::Vector; R] {
        let scale = lanes.splat(-self.scale);
        // SAFETY: the rows and columns exist, and `Pairs::with` has checked the lengths.
        unsafe {
            let bias = lanes.load_up_to(self.bias.add(j), count);
            let mut sums = self.points.fold::<L, C, R>(lanes, (i, j, count), lanes.zero(), self.coordinate);
            for sum in &mut sums {
                *sum = lanes.mul_add(scale, self.coordinate.distance(lanes, *sum), bias);
            }
            sums
        }
    }
}
