//! The sliced Wasserstein distance of two sets of points, for instance of images as vectors of pixels.
//!
//! In one dimension the optimal transport plan is known: it moves the quantile t of one distribution to the quantile t
//! of the other. With F⁻¹ and G⁻¹ the quantile functions,
//!
//! ```text
//! W_p^p = integral over t from 0 to 1 of |F⁻¹(t) - G⁻¹(t)|^p
//! ```
//!
//! For sorted numbers this is a sum: over pairs of equal rank if both sets have the same size, otherwise over the
//! pieces of [0, 1] between all i/n and j/m. The sliced distance projects the points to directions of space, takes the
//! mean of W_p^p over directions, and then the p-th root. It needs no features and no classifier, so it detects what a
//! classifier ignores, such as noise. Shifting a set by t gives SW_2 = |t| / sqrt(d).

use super::{Marginals, one_dimensional};
use crate::parallel::{Chunks, for_each_split};
use crate::rng::Stream;
use crate::tensor::{Element, Tensor};
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

/// A sliced distance and its standard error.
///
/// ```
/// use equilibria::{Tensor, rng::Stream, transport::sliced::sliced_wasserstein};
/// let (a, b) = (Tensor::from_vec(&[2, 2], vec![0.0, 0.0, 1.0, 0.0])?, Tensor::from_vec(&[2, 2], vec![0.0, 3.0, 1.0, 3.0])?);
/// let found = sliced_wasserstein(&a, &b, 2, 500, Stream::named(1, "evaluate"))?;
/// // All points move by 3; along a random direction, by 3 / sqrt(2) in the mean square.
/// assert!((found.distance - 3.0 / 2_f64.sqrt()).abs() < 5.0 * found.standard_error);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct SlicedWasserstein {
    /// SW_p.
    pub distance: f64,
    /// Its standard error from the random choice of directions.
    pub standard_error: f64,
}

/// The sliced Wasserstein distance SW_p of the rows of `a` and of `b`, over random directions.
///
/// **Shapes** `a` (n, d), `b` (m, d), at least one row each.
///
/// **Units** The unit of the elements.
///
/// **Errors** [`Error::ShapeMismatch`] if the numbers of columns differ; [`Error::InvalidArgument`] if `p` is neither 1
/// nor 2, for fewer than 2 directions, without rows or columns, or if an element is not finite.
///
/// **Randomness** Direction i is uniform on the sphere, from `stream.substream(i)`.
///
/// **Accuracy and cost** Projections in T, sums in f64. Per direction: 2 d (n + m) operations as part of a matrix
/// product, a sort, and memory for n + m numbers. The result does not depend on the number of threads.
///
/// **Source** Rabin, Peyré, Delon & Bernot 2011; Bonneel et al. 2015.
///
/// ```
/// use equilibria::{Tensor, transport::sliced::sliced_wasserstein, rng::Stream};
/// let a = Tensor::from_vec(&[2, 1], vec![0.0, 1.0])?;
/// let b = Tensor::from_vec(&[4, 1], vec![3.0, 2.0, 2.0, 3.0])?;
/// // In one dimension all directions are the same: 0 goes to both 2, and 1 to both 3.
/// let found = sliced_wasserstein(&a, &b, 2, 5, Stream::named(1, "evaluate"))?;
/// assert_eq!((found.distance, found.standard_error), (2.0, 0.0));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn sliced_wasserstein<T: Element>(
    a: &Tensor<T>,
    b: &Tensor<T>,
    p: u32,
    directions: usize,
    stream: Stream,
) -> Result<SlicedWasserstein> {
    check(a, b, p, directions)?;
    let axes = axes(directions, a.columns(), stream);
    let mut projected_a = Tensor::product(axes.view(), a.view().transposed())?;
    let mut projected_b = Tensor::product(axes.view(), b.view().transposed())?;
    let mut costs = vec![0.0; directions];
    let pieces = (
        Chunks(projected_a.data_mut(), a.rows()),
        (Chunks(projected_b.data_mut(), b.rows()), Chunks(&mut costs, 1)),
    );
    for_each_split(directions, true, pieces, &|_, (a, (b, cost))| cost.0[0] = on_a_line(a.0, b.0, p));
    Ok(summarised(&costs, p))
}

/// The sliced Wasserstein distance SW_p of weighted points, over random directions.
///
/// **Shapes** `a` (n, d), `b` (m, d), their masses n and m.
///
/// **Units**, **Errors** and **Randomness** As [`sliced_wasserstein`]; [`Error::ShapeMismatch`] if the masses do not fit.
///
/// **Accuracy and cost** As [`sliced_wasserstein`]. Each direction is an exact problem on a line
/// ([`on_a_line`](one_dimensional::on_a_line)).
///
/// ```
/// use equilibria::{Tensor, rng::Stream, transport::{Marginals, sliced::weighted_sliced_wasserstein}};
/// let (a, b) = (Tensor::from_vec(&[1, 1], vec![0.0])?, Tensor::from_vec(&[2, 1], vec![0.0, 4.0])?);
/// let masses = Marginals::new(&[1.0], &[0.75, 0.25])?;
/// let found = weighted_sliced_wasserstein(&a, &b, &masses, 1, 3, Stream::named(1, "evaluate"))?;
/// assert!((found.distance - 1.0).abs() < 1e-12, "a quarter of the mass moves by 4");
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn weighted_sliced_wasserstein(
    a: &Tensor<f64>,
    b: &Tensor<f64>,
    marginals: &Marginals,
    p: u32,
    directions: usize,
    stream: Stream,
) -> Result<SlicedWasserstein> {
    check(a, b, p, directions)?;
    marginals.check(a.rows(), b.rows())?;
    let axes = axes::<f64>(directions, a.columns(), stream);
    let mut costs = Vec::with_capacity(directions);
    for axis in axes.data().chunks_exact(a.columns()) {
        let project = |points: &Tensor<f64>| -> Vec<f64> {
            let dot = |point: &[f64]| point.iter().zip(axis).map(|(x, y)| x * y).sum();
            points.data().chunks_exact(points.columns()).map(dot).collect()
        };
        let line = one_dimensional::on_a_line(&project(a), &project(b), marginals, f64::from(p))?;
        costs.push(line.cost);
    }
    Ok(summarised(&costs, p))
}

/// SW_p and its standard error from the W_p^p along each direction.
fn summarised(costs: &[f64], p: u32) -> SlicedWasserstein {
    let count = costs.len() as f64;
    let mean = costs.iter().sum::<f64>() / count;
    let squares: f64 = costs.iter().map(|cost| (cost - mean) * (cost - mean)).sum();
    let error = libm::sqrt(squares / (count * (count - 1.0)));
    match p {
        1 => SlicedWasserstein { distance: mean, standard_error: error },
        // d sqrt(x) = dx / (2 sqrt(x))
        _ => {
            let distance = libm::sqrt(mean);
            let standard_error = if mean > 0.0 { error / (2.0 * distance) } else { 0.0 };
            SlicedWasserstein { distance, standard_error }
        }
    }
}

/// The largest distance along one direction, and the direction.
///
/// ```
/// use equilibria::{Tensor, rng::Stream, transport::sliced::max_sliced_wasserstein};
/// let (a, b) = (Tensor::from_vec(&[2, 2], vec![0.0, 0.0, 1.0, 0.0])?, Tensor::from_vec(&[2, 2], vec![0.0, 3.0, 1.0, 3.0])?);
/// let found = max_sliced_wasserstein(&a, &b, 2, 20, Stream::named(1, "evaluate"))?;
/// assert!((found.distance - 3.0).abs() < 1e-2 && found.direction[1].abs() > 0.99, "the shift is along the second axis");
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MaxSliced {
    /// W_p of the projections.
    pub distance: f64,
    /// The direction (d), of length 1.
    pub direction: Vec<f64>,
}

/// Steps of [`max_sliced_wasserstein`] from each start.
const STEPS: usize = 100;
/// Starts: the best of the random directions.
const STARTS: usize = 4;

/// The max-sliced Wasserstein distance of the rows of `a` and of `b`: the largest found by ascent from the best of
/// `directions` random directions.
///
/// **Shapes**, **Units**, **Errors** and **Randomness** As [`sliced_wasserstein`].
///
/// **Accuracy and cost** A lower bound of the maximum; never below the best random direction. About 150 projections and sorts
/// of all points in f64 from each of 4 starts.
///
/// **Source** Deshpande et al. 2019.
///
/// ```
/// use equilibria::{Tensor, rng::Stream, transport::sliced::{max_sliced_wasserstein, sliced_wasserstein}};
/// let (a, b) = (Tensor::from_vec(&[2, 2], vec![0.0, 0.0, 1.0, 0.0])?, Tensor::from_vec(&[2, 2], vec![0.0, 3.0, 1.0, 3.0])?);
/// let stream = Stream::named(1, "evaluate");
/// assert!(max_sliced_wasserstein(&a, &b, 2, 20, stream)?.distance >= sliced_wasserstein(&a, &b, 2, 20, stream)?.distance);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn max_sliced_wasserstein<T: Element>(
    a: &Tensor<T>,
    b: &Tensor<T>,
    p: u32,
    directions: usize,
    stream: Stream,
) -> Result<MaxSliced> {
    check(a, b, p, directions)?;
    let (a, b) = (a.cast::<f64>(), b.cast::<f64>());
    let axes: Tensor<f64> = axes(directions, a.columns(), stream);
    let mut starts: Vec<(f64, usize)> =
        (0..directions).map(|i| (slice(&a, &b, axes.row(i), p, None), i)).collect();
    starts.sort_by(|x, y| y.0.total_cmp(&x.0));
    let mut best = (f64::NEG_INFINITY, Vec::new());
    for &(value, start) in starts.iter().take(STARTS) {
        let found = climb(&a, &b, p, (value, axes.row(start).to_vec()));
        if found.0 > best.0 {
            best = found;
        }
    }
    let distance = if p == 1 { best.0 } else { libm::sqrt(best.0) };
    Ok(MaxSliced { distance, direction: best.1 })
}

/// Gradient ascent on the sphere: a step that does not improve is halved, one that does is doubled.
fn climb(a: &Tensor<f64>, b: &Tensor<f64>, p: u32, (mut value, mut u): (f64, Vec<f64>)) -> (f64, Vec<f64>) {
    let mut gradient = vec![0.0; u.len()];
    slice(a, b, &u, p, Some(&mut gradient));
    let mut step = 1.0;
    for _ in 0..STEPS {
        let size = libm::sqrt(gradient.iter().map(|x| x * x).sum());
        if size == 0.0 || step < 1e-9 {
            break;
        }
        let mut next: Vec<f64> = u.iter().zip(&gradient).map(|(u, g)| u + step * g / size).collect();
        let norm = libm::sqrt(next.iter().map(|x| x * x).sum());
        next.iter_mut().for_each(|x| *x /= norm);
        let mut next_gradient = vec![0.0; u.len()];
        let next_value = slice(a, b, &next, p, Some(&mut next_gradient));
        if next_value > value {
            (value, u, gradient, step) = (next_value, next, next_gradient, 2.0 * step);
        } else {
            step *= 0.5;
        }
    }
    (value, u)
}

/// W_p^p of the projections to `u`, and its derivative with respect to `u`.
fn slice(a: &Tensor<f64>, b: &Tensor<f64>, u: &[f64], p: u32, gradient: Option<&mut [f64]>) -> f64 {
    let project = |x: &Tensor<f64>| -> Vec<(f64, usize)> {
        let along = |i: usize| x.row(i).iter().zip(u).map(|(x, u)| x * u).sum();
        let mut projected: Vec<(f64, usize)> = (0..x.rows()).map(|i| (along(i), i)).collect();
        projected.sort_unstable_by(|x, y| x.0.total_cmp(&y.0));
        projected
    };
    let (line_a, line_b) = (project(a), project(b));
    let (mut cost, mut none) = (0.0, []);
    let gradient = gradient.unwrap_or(&mut none);
    let share = 1.0 / (a.rows() as f64 * b.rows() as f64);
    for_each_coupled(a.rows(), b.rows(), |i, j, moved| {
        let (mass, along) = (moved as f64 * share, line_a[i].0 - line_b[j].0);
        cost += mass * if p == 1 { along.abs() } else { along * along };
        let slope = mass * if p == 1 { along.signum() } else { 2.0 * along };
        let pair = a.row(line_a[i].1).iter().zip(b.row(line_b[j].1));
        gradient.iter_mut().zip(pair).for_each(|(gradient, (x, y))| *gradient += slope * (x - y));
    });
    cost
}

/// Returns an error unless both sets hold finite points of one dimension, and the order and the number are possible.
fn check<T: Element>(a: &Tensor<T>, b: &Tensor<T>, p: u32, directions: usize) -> Result<()> {
    let operation = "sliced Wasserstein distance";
    if a.columns() != b.columns() {
        let (expected, found) = (vec![b.rows(), a.columns()], vec![b.rows(), b.columns()]);
        return Err(Error::ShapeMismatch { operation, expected, found });
    }
    for (name, set) in [("first", a), ("second", b)] {
        if set.is_empty() || !set.is_finite() {
            let given = format!("{operation}: the {name} set");
            return Err(Error::invalid(given, "at least 1 point of finite coordinates is needed"));
        }
    }
    if !(1..=2).contains(&p) || directions < 2 {
        let given = format!("{operation} of order {p} over {directions} directions");
        return Err(Error::invalid(given, "orders are 1 and 2, and at least 2 directions are needed"));
    }
    Ok(())
}

/// Random directions (directions, d) of length 1.
fn axes<T: Element>(directions: usize, d: usize, stream: Stream) -> Tensor<T> {
    let mut axes = Tensor::zeros(&[directions, d]);
    let mut axis = Tensor::<f64>::zeros(&[d]);
    for i in 0..directions {
        axis.fill_normal(stream.substream(i as u64), 1.0);
        let norm = libm::sqrt(axis.squared_norm());
        for (to, from) in axes.row_mut(i).iter_mut().zip(axis.data()) {
            *to = T::from_f64(from / norm);
        }
    }
    axes
}

/// W_p^p of points on a line, with equal weights in each set; sorts both sets in place.
fn on_a_line<T: Element>(a: &mut [T], b: &mut [T], p: u32) -> f64 {
    let sort = |x: &mut [T]| x.sort_unstable_by(|x, y| x.to_f64().total_cmp(&y.to_f64()));
    sort(a);
    sort(b);
    let (n, m) = (a.len(), b.len());
    let mut cost = 0.0;
    for_each_coupled(n, m, |i, j, moved| {
        let distance = (a[i].to_f64() - b[j].to_f64()).abs();
        cost += moved as f64 * if p == 1 { distance } else { distance * distance };
    });
    cost / (n as f64 * m as f64)
}

/// Calls `visit(i, j, mass)` for the coupling of equal quantiles of n and m sorted points with equal masses. Each of the n
/// points has mass m and each of the m points mass n, so that masses are whole numbers.
fn for_each_coupled(n: usize, m: usize, mut visit: impl FnMut(usize, usize, usize)) {
    let (mut i, mut j, mut left_a, mut left_b) = (0, 0, m, n);
    while i < n && j < m {
        let moved = left_a.min(left_b);
        visit(i, j, moved);
        left_a -= moved;
        left_b -= moved;
        if left_a == 0 {
            (i, left_a) = (i + 1, m);
        }
        if left_b == 0 {
            (j, left_b) = (j + 1, n);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Independent standard normals (rows, columns).
    fn normals(rows: usize, columns: usize, stream: Stream) -> Tensor<f64> {
        let mut x = Tensor::zeros(&[rows, columns]);
        x.fill_normal(stream, 1.0);
        x
    }

    fn stream(seed: u64) -> Stream {
        Stream::named(seed, "evaluate")
    }

    #[test]
    fn a_translation_costs_its_length_along_each_direction() {
        let (d, directions) = (6, 4000);
        let a = normals(50, d, stream(1));
        let shift = [1.0, -2.0, 0.5, 0.0, 3.0, -1.0];
        let mut b = a.clone();
        for i in 0..50 {
            b.row_mut(i).iter_mut().zip(shift).for_each(|(x, shift)| *x += shift);
        }
        let squared: f64 = shift.iter().map(|x| x * x).sum();
        // E (u t)² = |t|² / d; E |u t| = |t| Γ(d/2) / (sqrt(pi) Γ((d+1)/2)).
        let second = libm::sqrt(squared / d as f64);
        let half = d as f64 / 2.0;
        let first =
            libm::sqrt(squared / core::f64::consts::PI) * libm::tgamma(half) / libm::tgamma(half + 0.5);
        for (p, exact) in [(1, first), (2, second)] {
            let found = sliced_wasserstein(&a, &b, p, directions, stream(2)).unwrap();
            let off = (found.distance - exact).abs() / found.standard_error;
            assert!(off < 4.0 && found.standard_error < 0.02 * exact, "order {p}: {found:?}, not {exact}");
            // The same for three directions, exactly.
            let along = |i: usize| {
                let axes: Tensor<f64> = axes(directions, d, stream(2));
                axes.row(i).iter().zip(shift).map(|(u, t)| u * t).sum::<f64>().abs()
            };
            let few = sliced_wasserstein(&a, &b, p, 3, stream(2)).unwrap().distance;
            let mean = (0..3).map(|i| libm::pow(along(i), f64::from(p))).sum::<f64>() / 3.0;
            let exact = libm::pow(mean, 1.0 / f64::from(p));
            assert!((few - exact).abs() < 1e-12, "order {p}: {few}, not {exact}");
            assert_eq!(sliced_wasserstein(&a, &a, p, 3, stream(2)).unwrap().distance, 0.0);
        }
    }

    #[test]
    fn repeating_points_to_equalise_the_sizes_does_not_change_the_distance() {
        let (a, b) = (normals(6, 3, stream(3)), normals(4, 3, stream(4)));
        let repeat = |x: &Tensor<f64>, times: usize| {
            let values: std::vec::Vec<f64> = (0..times).flat_map(|_| x.data()).copied().collect();
            Tensor::from_vec(&[x.rows() * times, 3], values).unwrap()
        };
        for p in [1, 2] {
            let unequal = sliced_wasserstein(&a, &b, p, 10, stream(5)).unwrap().distance;
            let equal =
                sliced_wasserstein(&repeat(&a, 2), &repeat(&b, 3), p, 10, stream(5)).unwrap().distance;
            assert!((unequal - equal).abs() < 1e-14 && unequal > 0.1, "{unequal}, {equal}");
        }
    }

    #[test]
    fn in_one_dimension_it_is_the_cheapest_of_all_assignments() {
        let (a, b) = (normals(5, 1, stream(6)), normals(5, 1, stream(7)));
        // All 5! permutations, by swapping.
        fn cheapest(a: &[f64], b: &mut [f64], at: usize, p: i32) -> f64 {
            if at == a.len() {
                return a.iter().zip(b.iter()).map(|(a, b)| (a - b).abs().powi(p)).sum::<f64>()
                    / a.len() as f64;
            }
            let mut best = f64::INFINITY;
            for other in at..b.len() {
                b.swap(at, other);
                best = best.min(cheapest(a, b, at + 1, p));
                b.swap(at, other);
            }
            best
        }
        for p in [1, 2] {
            let exact = libm::pow(cheapest(a.data(), &mut b.data().to_vec(), 0, p), 1.0 / f64::from(p));
            let found = sliced_wasserstein(&a, &b, p as u32, 2, stream(8)).unwrap();
            assert!((found.distance - exact).abs() < 1e-14, "{found:?}, not {exact}");
        }
    }

    #[test]
    fn the_standard_error_is_the_deviation_over_choices_of_directions() {
        let (a, mut b) = (normals(40, 8, stream(1)), normals(40, 8, stream(2)));
        (0..40).for_each(|i| b.row_mut(i)[0] += 3.0);
        for p in [1, 2] {
            let times = 400;
            let (mut sum, mut squares, mut error) = (0.0, 0.0, 0.0);
            for i in 0..times {
                let found = sliced_wasserstein(&a, &b, p, 50, stream(100 + i)).unwrap();
                sum += found.distance / times as f64;
                squares += found.distance * found.distance / times as f64;
                error += found.standard_error / times as f64;
            }
            let spread = libm::sqrt(squares - sum * sum);
            assert!(
                (error / spread - 1.0).abs() < 0.15,
                "order {p}: standard error {error}, deviation {spread}"
            );
        }
    }

    #[test]
    fn the_largest_slice_of_a_translation_is_along_the_translation() {
        let a = normals(40, 10, stream(11));
        let mut b = a.clone();
        (0..40).for_each(|i| b.row_mut(i)[3] += 2.0);
        for p in [1, 2] {
            let sliced = sliced_wasserstein(&a, &b, p, 50, stream(12)).unwrap();
            let found = max_sliced_wasserstein(&a, &b, p, 50, stream(12)).unwrap();
            assert!((found.distance - 2.0).abs() < 1e-6, "order {p}: {found:?}");
            assert!(found.direction[3].abs() > 0.999 && sliced.distance < 1.0, "order {p}: {found:?}");
        }
    }

    #[test]
    fn the_derivative_of_a_slice_is_that_of_finite_differences() {
        let (a, b) = (normals(9, 3, stream(13)), normals(6, 3, stream(14)));
        let u = [0.6, -0.8, 0.3];
        for p in [1, 2] {
            let mut gradient = [0.0; 3];
            slice(&a, &b, &u, p, Some(&mut gradient));
            for k in 0..3 {
                let at = |by: f64| {
                    let mut u = u;
                    u[k] += by;
                    slice(&a, &b, &u, p, None)
                };
                let difference = (at(1e-6) - at(-1e-6)) / 2e-6;
                assert!((gradient[k] - difference).abs() < 1e-8, "order {p}: {gradient:?}, {difference}");
            }
        }
    }

    #[test]
    fn invalid_sets_orders_and_directions_are_refused() {
        let (a, b) = (Tensor::<f32>::zeros(&[2, 3]), Tensor::<f32>::zeros(&[2, 4]));
        assert!(sliced_wasserstein(&a, &b, 2, 10, stream(1)).is_err());
        assert!(sliced_wasserstein(&a, &Tensor::zeros(&[0, 3]), 2, 10, stream(1)).is_err());
        for (p, directions) in [(0, 10), (3, 10), (2, 1)] {
            let error = sliced_wasserstein(&a, &a, p, directions, stream(1)).unwrap_err().to_string();
            assert!(error.contains("orders are 1 and 2"), "{error}");
        }
    }
}
