//! The cost of moving mass from place i to place j: a matrix, or a distance of two points computed when it is needed.
//!
//! Costs from points take memory for the points alone, O((n + m) d), where a matrix takes O(n m).

use crate::tensor::{Element, Tensor};
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

/// A cost computed from the coordinates of two points.
///
/// ```
/// use equilibria::{Tensor, transport::{Cost, Ground}};
/// let (x, y) = (Tensor::from_vec(&[1, 2], vec![0.0, 0.0])?, Tensor::from_vec(&[1, 2], vec![3.0, 4.0])?);
/// let found = |ground| Cost::points(&x, &y, ground).map(|cost| cost.at(0, 0));
/// assert_eq!((found(Ground::SquaredEuclidean)?, found(Ground::Euclidean)?, found(Ground::CityBlock)?), (25.0, 5.0, 7.0));
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// |x - y|², the sum of the squared differences: the cost of W₂².
    SquaredEuclidean,
    /// |x - y|, the Euclidean distance: the cost of W₁.
    Euclidean,
    /// The sum of the absolute differences.
    CityBlock,
}

/// The costs C_ij of moving a unit of mass from place i of n to place j of m.
///
/// ```
/// use equilibria::{Tensor, transport::{Cost, Ground}};
/// let x = Tensor::from_vec(&[1, 2], vec![0.0, 0.0])?;
/// let y = Tensor::from_vec(&[2, 2], vec![3.0, 4.0, 1.0, 0.0])?;
/// let cost = Cost::points(&x, &y, Ground::Euclidean)?;
/// assert_eq!((cost.rows(), cost.columns(), cost.at(0, 0)), (1, 2, 5.0));
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Cost<'a, T> {
    rows: usize,
    columns: usize,
    pub(super) source: Source<'a, T>,
}

/// The source of the costs.
#[derive(Debug, Clone)]
pub(super) enum Source<'a, T> {
    /// (rows, columns)
    Matrix(&'a [T]),
    Points(Points<T>),
}

/// Both sets of points, minus their common mean: costs do not change, and rounding errors shrink.
#[derive(Debug, Clone)]
pub(super) struct Points<T> {
    pub ground: Ground,
    pub d: usize,
    pub x: Side<T>,
    pub y: Side<T>,
}

/// One set of points in two orders.
#[derive(Debug, Clone)]
pub(super) struct Side<T> {
    /// (points, d)
    pub by_point: Vec<T>,
    /// (d, points)
    pub by_coordinate: Vec<T>,
}

impl<T: Element> Side<T> {
    fn new(d: usize, by_point: Vec<T>) -> Self {
        let count = by_point.len() / d;
        let mut by_coordinate = vec![T::ZERO; by_point.len()];
        for (i, point) in by_point.chunks_exact(d).enumerate() {
            point.iter().enumerate().for_each(|(k, &x)| by_coordinate[k * count + i] = x);
        }
        Self { by_point, by_coordinate }
    }

    pub fn point(&self, d: usize, i: usize) -> &[T] {
        &self.by_point[i * d..][..d]
    }
}

impl<'a, T: Element> Cost<'a, T> {
    /// Takes the costs from a matrix.
    ///
    /// **Shapes** `matrix` (n, m), at least 1 of each.
    ///
    /// **Errors** [`Error::InvalidArgument`] if the matrix is empty or a cost is not finite.
    pub fn matrix(matrix: &'a Tensor<T>) -> Result<Self> {
        let (rows, columns) = (matrix.rows(), matrix.columns());
        if matrix.is_empty() {
            return Err(Error::invalid(
                format!("a cost matrix ({rows}, {columns})"),
                "at least 1 cost is needed",
            ));
        }
        if let Some(wrong) = matrix.data().iter().position(|x| !x.to_f64().is_finite()) {
            let given = format!(
                "cost {} in row {}, column {}",
                matrix.data()[wrong],
                wrong / columns,
                wrong % columns
            );
            return Err(Error::invalid(given, "a cost is a finite number"));
        }
        Ok(Self { rows, columns, source: Source::Matrix(matrix.data()) })
    }

    /// Computes costs from points whenever they are needed.
    ///
    /// **Shapes** `x` (n, d), `y` (m, d), at least 1 of each.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the numbers of coordinates differ; [`Error::InvalidArgument`] if a set is
    /// empty, or a coordinate or the largest possible cost is not finite.
    ///
    /// **Accuracy and cost** Points are stored in T after their common mean is subtracted in f64. [`Cost::at`] is exact
    /// to a few ULP of f64 for the stored points. O((n + m) d) time and memory.
    pub fn points(x: &Tensor<T>, y: &Tensor<T>, ground: Ground) -> Result<Self> {
        let d = x.columns();
        if y.columns() != d {
            return Err(Error::ShapeMismatch {
                operation: "costs of points",
                expected: vec![y.rows(), d],
                found: vec![y.rows(), y.columns()],
            });
        }
        for (side, points) in [("source", x), ("target", y)] {
            if points.is_empty() {
                let given = format!("{side} points ({}, {d})", points.rows());
                return Err(Error::invalid(given, "at least 1 point with 1 coordinate is needed"));
            }
            if let Some(wrong) = points.data().iter().position(|x| !x.to_f64().is_finite()) {
                let given = format!("coordinate {} of {side} point {}", points.data()[wrong], wrong / d);
                return Err(Error::invalid(given, "a coordinate is a finite number"));
            }
        }
        let mean = common_mean(x, y);
        let [x, y] = [x, y].map(|points| Side::new(d, centred(points, &mean)));
        let reach =
            |side: &Side<T>| side.by_point.chunks_exact(d).map(|p| size(ground, p)).fold(0.0, f64::max);
        let largest = 4.0 * (reach(&x) + reach(&y));
        if !T::from_f64(largest).to_f64().is_finite() {
            let given = format!("points at distances with a cost of {largest}");
            return Err(Error::invalid(
                given,
                "the largest cost must be a finite number; scale the points down",
            ));
        }
        Ok(Self {
            rows: x.by_point.len() / d,
            columns: y.by_point.len() / d,
            source: Source::Points(Points { ground, d, x, y }),
        })
    }

    /// The matrix or the points that give the costs.
    pub(super) fn source(&self) -> &Source<'a, T> {
        &self.source
    }

    /// The number of places of the source, n.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of places of the target, m.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The cost C_ij.
    ///
    /// **Panics** if there is no such place.
    pub fn at(&self, i: usize, j: usize) -> f64 {
        assert!(i < self.rows && j < self.columns, "cost ({i}, {j}) of ({}, {})", self.rows, self.columns);
        match &self.source {
            Source::Matrix(values) => values[i * self.columns + j].to_f64(),
            Source::Points(points) => {
                distance(points.ground, points.x.point(points.d, i), points.y.point(points.d, j))
            }
        }
    }

    /// Computes the costs of row i.
    ///
    /// **Shapes** `out` (m).
    ///
    /// **Panics** if there is no such row or `out` has another length.
    pub fn row(&self, i: usize, out: &mut [f64]) {
        assert_eq!(out.len(), self.columns, "a row of {} costs", self.columns);
        match &self.source {
            Source::Matrix(values) => {
                let row = &values[i * self.columns..][..self.columns];
                out.iter_mut().zip(row).for_each(|(out, x)| *out = x.to_f64());
            }
            Source::Points(points) => distances(points.ground, points.x.point(points.d, i), &points.y, out),
        }
    }

    /// Computes the costs of column j.
    ///
    /// **Shapes** `out` (n).
    ///
    /// **Panics** if there is no such column or `out` has another length.
    pub fn column(&self, j: usize, out: &mut [f64]) {
        assert_eq!(out.len(), self.rows, "a column of {} costs", self.rows);
        match &self.source {
            Source::Matrix(values) => {
                out.iter_mut()
                    .zip(values[j..].iter().step_by(self.columns))
                    .for_each(|(out, x)| *out = x.to_f64());
            }
            Source::Points(points) => distances(points.ground, points.y.point(points.d, j), &points.x, out),
        }
    }

    /// The mean size of a cost: exact for a matrix and squared distances, an upper bound for distances.
    pub fn mean(&self) -> f64 {
        match &self.source {
            Source::Matrix(values) => values.iter().map(|x| x.to_f64().abs() / values.len() as f64).sum(),
            Source::Points(points) => mean_cost(points, None),
        }
    }

    /// A bound of the size of all costs.
    pub fn largest(&self) -> f64 {
        match &self.source {
            Source::Matrix(values) => values.iter().fold(0.0, |largest, x| largest.max(x.to_f64().abs())),
            Source::Points(points) => {
                let reach = |side: &Side<T>| {
                    side.by_point.chunks_exact(points.d).map(|p| size(points.ground, p)).fold(0.0, f64::max)
                };
                let sum = reach(&points.x) + reach(&points.y);
                if points.ground == Ground::SquaredEuclidean { 2.0 * sum } else { sum }
            }
        }
    }
}

/// The mean cost between two points that are drawn independently, by their masses or all with equal ones: exact for squared
/// distances, an upper bound for others.
pub(super) fn mean_cost<T: Element>(points: &Points<T>, masses: Option<(&[f64], &[f64])>) -> f64 {
    let d = points.d;
    let moments = |side: &Side<T>, masses: Option<&[f64]>| {
        let equal = d as f64 / side.by_point.len() as f64;
        let (mut mean, mut squares) = (vec![0.0; d], 0.0);
        for (i, point) in side.by_point.chunks_exact(d).enumerate() {
            let mass = masses.map_or(equal, |masses| masses[i]);
            mean.iter_mut().zip(point).for_each(|(mean, x)| *mean += x.to_f64() * mass);
            squares += size(Ground::SquaredEuclidean, point) * mass;
        }
        (mean, squares)
    };
    let (x, squares_x) = moments(&points.x, masses.map(|(a, _)| a));
    let (y, squares_y) = moments(&points.y, masses.map(|(_, b)| b));
    let product: f64 = x.iter().zip(&y).map(|(x, y)| x * y).sum();
    let square = (squares_x + squares_y - 2.0 * product).max(0.0);
    // Jensen: the mean distance is at most the root of the mean square.
    match points.ground {
        Ground::SquaredEuclidean => square,
        Ground::Euclidean => libm::sqrt(square),
        Ground::CityBlock => libm::sqrt(square * d as f64),
    }
}

/// The mean of all points of both sets.
fn common_mean<T: Element>(x: &Tensor<T>, y: &Tensor<T>) -> Vec<f64> {
    let mut mean = vec![0.0; x.columns()];
    let count = (x.rows() + y.rows()) as f64;
    for point in x.data().chunks_exact(mean.len()).chain(y.data().chunks_exact(mean.len())) {
        mean.iter_mut().zip(point).for_each(|(mean, x)| *mean += x.to_f64() / count);
    }
    mean
}

fn centred<T: Element>(points: &Tensor<T>, mean: &[f64]) -> Vec<T> {
    let coordinates = points.data().iter().zip(mean.iter().cycle());
    coordinates.map(|(x, mean)| T::from_f64(x.to_f64() - mean)).collect()
}

/// The cost of moving a point to the origin.
pub(super) fn size<T: Element>(ground: Ground, point: &[T]) -> f64 {
    let squares = || point.iter().map(|x| x.to_f64() * x.to_f64()).sum();
    match ground {
        Ground::SquaredEuclidean => squares(),
        Ground::Euclidean => libm::sqrt(squares()),
        Ground::CityBlock => point.iter().map(|x| x.to_f64().abs()).sum(),
    }
}

/// The cost of moving x to y.
pub(super) fn distance<T: Element>(ground: Ground, x: &[T], y: &[T]) -> f64 {
    let differences = x.iter().zip(y).map(|(x, y)| x.to_f64() - y.to_f64());
    match ground {
        Ground::SquaredEuclidean => differences.map(|z| z * z).sum(),
        Ground::Euclidean => libm::sqrt(differences.map(|z| z * z).sum()),
        Ground::CityBlock => differences.map(f64::abs).sum(),
    }
}

/// The costs of moving x to each point of `side`; a loop over coordinates outside, so that the inner loop is a vector's.
fn distances<T: Element>(ground: Ground, x: &[T], side: &Side<T>, out: &mut [f64]) {
    out.fill(0.0);
    for (x, coordinates) in x.iter().zip(side.by_coordinate.chunks_exact(out.len())) {
        let x = x.to_f64();
        match ground {
            Ground::CityBlock => {
                out.iter_mut().zip(coordinates).for_each(|(out, y)| *out += (x - y.to_f64()).abs());
            }
            _ => out
                .iter_mut()
                .zip(coordinates)
                .for_each(|(out, y)| *out += (x - y.to_f64()) * (x - y.to_f64())),
        }
    }
    if ground == Ground::Euclidean {
        out.iter_mut().for_each(|out| *out = libm::sqrt(*out));
    }
}
