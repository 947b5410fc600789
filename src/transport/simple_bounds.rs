//! Bounds of the transport cost in O((n + m) d), before any solver has run.
//!
//! **Lower bound.** The cost of points is h(x - y) with a convex h, which lies above its tangent at the difference of the
//! means, Δ = Σ a_i x_i - Σ b_j y_j, with the gradient s = h'(Δ):
//!
//! ```text
//! h(x - y) >= h(Δ) + s·(x - y - Δ) = f(x) + g(y)     with f(x) = h(Δ) + s·(x - Δ), g(y) = -s·y
//! ```
//!
//! These potentials are feasible, and their dual value is h(Δ) (Jensen's inequality). For a matrix, f is the smallest cost.
//!
//! **Upper bound.** The plan a b^T.

use super::cost::{Cost, Ground, Points, Side, Source, distance, mean_cost};
use super::marginals::Marginals;
use crate::tensor::Element;
use alloc::vec;
use alloc::vec::Vec;

/// Feasible potentials f (n) and g (m), which are linear functions of the points.
pub(super) fn linear_potentials<T: Element>(cost: &Cost<T>, marginals: &Marginals) -> (Vec<f64>, Vec<f64>) {
    let points = match &cost.source {
        Source::Matrix(values) => {
            let least = values.iter().map(|x| x.to_f64()).fold(f64::INFINITY, f64::min);
            return (vec![least; cost.rows()], vec![0.0; cost.columns()]);
        }
        Source::Points(points) => points,
    };
    let (delta, at_delta) = difference_of_means(points, marginals);
    let slope: Vec<f64> = match points.ground {
        Ground::SquaredEuclidean => delta.iter().map(|x| 2.0 * x).collect(),
        Ground::Euclidean => delta.iter().map(|x| if at_delta > 0.0 { x / at_delta } else { 0.0 }).collect(),
        Ground::CityBlock => delta.iter().map(|&x| if x == 0.0 { 0.0 } else { x.signum() }).collect(),
    };
    let products = |side: &Side<T>| -> Vec<f64> {
        let product = |p: &[T]| p.iter().zip(&slope).map(|(x, s)| x.to_f64() * s).sum();
        side.by_point.chunks_exact(points.d).map(product).collect()
    };
    let offset = at_delta - delta.iter().zip(&slope).map(|(x, s)| x * s).sum::<f64>();
    let f = products(&points.x).into_iter().map(|x| x + offset).collect();
    (f, products(&points.y).into_iter().map(|y| -y).collect())
}

/// A lower and an upper bound of the cost.
pub(super) fn simple_bounds<T: Element>(cost: &Cost<T>, marginals: &Marginals) -> (f64, f64) {
    let (a, b) = (marginals.a(), marginals.b());
    // Rounding errors are far smaller.
    let slack = 1e-12 * cost.largest();
    let (lower, upper) = match &cost.source {
        Source::Matrix(values) => {
            let row = |row: &[T]| row.iter().zip(b).map(|(x, b)| x.to_f64() * b).sum::<f64>();
            let product = values.chunks_exact(b.len()).zip(a).map(|(costs, a)| a * row(costs)).sum();
            (values.iter().map(|x| x.to_f64()).fold(f64::INFINITY, f64::min), product)
        }
        Source::Points(points) => (difference_of_means(points, marginals).1, mean_cost(points, Some((a, b)))),
    };
    (lower - slack, upper + slack)
}

/// Δ and h(Δ).
fn difference_of_means<T: Element>(points: &Points<T>, marginals: &Marginals) -> (Vec<f64>, f64) {
    let mut delta = vec![0.0; points.d];
    for (side, masses, sign) in [(&points.x, marginals.a(), 1.0), (&points.y, marginals.b(), -1.0)] {
        for (point, mass) in side.by_point.chunks_exact(points.d).zip(masses) {
            delta.iter_mut().zip(point).for_each(|(sum, x)| *sum += sign * mass * x.to_f64());
        }
    }
    let size = distance(points.ground, &delta, &vec![0.0; points.d]);
    (delta, size)
}
