//! The sliced Wasserstein distance of two sets of images, computed on their pixels.
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

use super::pairs::check;
use crate::parallel::{Chunks, for_each_split};
use crate::rng::Stream;
use crate::tensor::{Element, Tensor};
use crate::{Error, Result};
use alloc::format;
use alloc::vec;

/// A sliced distance and its standard error.
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
/// use equilibria::{Tensor, evaluate::sliced::sliced_wasserstein, rng::Stream};
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
    check(
        "sliced Wasserstein distance",
        [("points of the first set", a), ("points of the second set", b)],
        1,
    )?;
    if !(1..=2).contains(&p) || directions < 2 {
        let given = format!("sliced Wasserstein distance of order {p} over {directions} directions");
        return Err(Error::invalid(given, "orders are 1 and 2, and at least 2 directions are needed"));
    }
    let axes = axes(directions, a.columns(), stream);
    let mut projected_a = Tensor::product(axes.view(), a.view().transposed())?;
    let mut projected_b = Tensor::product(axes.view(), b.view().transposed())?;
    let mut costs = vec![0.0; directions];
    let pieces = (
        Chunks(projected_a.data_mut(), a.rows()),
        (Chunks(projected_b.data_mut(), b.rows()), Chunks(&mut costs, 1)),
    );
    for_each_split(directions, true, pieces, &|_, (a, (b, cost))| cost.0[0] = on_a_line(a.0, b.0, p));
    let count = directions as f64;
    let mean = costs.iter().sum::<f64>() / count;
    let squares: f64 = costs.iter().map(|cost| (cost - mean) * (cost - mean)).sum();
    let error = libm::sqrt(squares / (count * (count - 1.0)));
    Ok(match p {
        1 => SlicedWasserstein { distance: mean, standard_error: error },
        // d sqrt(x) = dx / (2 sqrt(x))
        _ => {
            let distance = libm::sqrt(mean);
            let standard_error = if mean > 0.0 { error / (2.0 * distance) } else { 0.0 };
            SlicedWasserstein { distance, standard_error }
        }
    })
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
    // Each of the n points has mass m and each of the m points mass n, so that masses are whole numbers.
    let (n, m) = (a.len(), b.len());
    let (mut i, mut j, mut left_a, mut left_b) = (0, 0, m, n);
    let mut cost = 0.0;
    while i < n && j < m {
        let moved = left_a.min(left_b);
        let distance = (a[i].to_f64() - b[j].to_f64()).abs();
        cost += moved as f64 * if p == 1 { distance } else { distance * distance };
        left_a -= moved;
        left_b -= moved;
        if left_a == 0 {
            (i, left_a) = (i + 1, m);
        }
        if left_b == 0 {
            (j, left_b) = (j + 1, n);
        }
    }
    cost / (n as f64 * m as f64)
}

#[cfg(test)]
mod tests {
    use super::super::pairs::tests::normals;
    use super::*;

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
