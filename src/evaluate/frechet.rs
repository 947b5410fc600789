//! The Fréchet distance of two sets of features: the distance of the Gaussians fitted to them.
//!
//! ```text
//! d² = |m1 - m2|² + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)
//! ```
//!
//! with means m and covariances S: see [`crate::transport::gaussian`]. The field calls this square the Fréchet distance (FID),
//! and so does this module.
//!
//! **The distance depends on the sizes of the sets.** For two sets from one distribution its expectation is not 0 but
//! about c (1/n1 + 1/n2), where c grows with the number of features. So compare distances at equal sizes only; the
//! smallest value to expect is that of two sets of real images of these sizes. Doubling both sizes halves the excess,
//! so that
//!
//! ```text
//! 2 d²(n1, n2) - d²(n1/2, n2/2)
//! ```
//!
//! is free of it up to terms in 1/n² (Chong & Forsyth 2020 fit a line in 1/n; this is the line through two points).

pub use crate::transport::gaussian::Gaussian;

use super::pairs::check_set;
use crate::Result;
use crate::rng::Stream;
use crate::tensor::{Element, MatrixRef, Tensor, Workspace, accumulate_product};
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::{Level, elementwise, reduce};

/// Rows that are added to the covariance at once.
const BLOCK: usize = 2048;

impl Gaussian {
    /// Fits the mean and the unbiased covariance of the rows of `features`.
    ///
    /// **Shapes** `features` (n, d), n at least 2.
    ///
    /// **Errors** [`crate::Error::InvalidArgument`] if there are fewer rows, no columns, or an element is not finite.
    ///
    /// **Accuracy and cost** In f64 and two passes: the mean first, then products of the centred rows, so that a large
    /// mean costs no accuracy. n d² operations as one matrix product; memory for d² + 2048 d numbers.
    pub fn fit<T: Element>(features: &Tensor<T>) -> Result<Self> {
        check_set("Gaussian of features", "feature vectors", features, 2)?;
        let (n, d) = (features.rows(), features.columns());
        let level = Level::detect();
        let mut mean = vec![0.0; d];
        let mut block = vec![0.0; BLOCK.min(n) * d];
        let blocks = |block: &mut [f64], each: &mut dyn FnMut(&mut [f64])| {
            for rows in features.data().chunks(BLOCK * d) {
                let block = &mut block[..rows.len()];
                block.iter_mut().zip(rows).for_each(|(to, from)| *to = from.to_f64());
                each(block);
            }
        };
        blocks(&mut block, &mut |rows| {
            reduce::add_column_sums(level, 1.0 / n as f64, rows, rows.len() / d, d, &mut mean);
        });
        let mut covariance = Tensor::zeros(&[d, d]);
        let (mut workspace, scale) = (Workspace::new(), 1.0 / (n - 1) as f64);
        let minus: Vec<f64> = mean.iter().map(|x| -x).collect();
        blocks(&mut block, &mut |rows| {
            let count = rows.len() / d;
            elementwise::add_row(level, rows, count, d, &minus);
            let rows = MatrixRef::new(rows, count, d);
            let (transposed, sum) = (rows.transposed(), covariance.view_mut());
            accumulate_product(scale, transposed, rows, 1.0, &mut workspace, sum).expect("(d, d)");
        });
        Self::new(mean, covariance)
    }
}

/// The Fréchet distance of two Gaussians: their squared 2-Wasserstein distance.
///
/// **Units** The square of the features' unit.
///
/// **Errors** [`crate::Error::ShapeMismatch`] if they differ in dimension.
///
/// **Accuracy and cost** The error is about 1e-14 (tr S1 + tr S2) for covariances that are not nearly singular. An
/// eigenvalue of S1 S2 below 1e-13 of the largest counts as 0. The result is never negative. Two eigendecompositions
/// and three products of (d, d) matrices.
///
/// **Source** Dowson & Landau 1982; Heusel et al. 2017.
///
/// ```
/// use equilibria::{Tensor, evaluate::frechet::{Gaussian, frechet_distance}};
/// // In one dimension: (m1 - m2)² + (s1 - s2)².
/// let gaussian = |mean, deviation: f64| {
///     Gaussian::new(vec![mean], Tensor::filled(&[1, 1], deviation * deviation))
/// };
/// let distance = frechet_distance(&gaussian(1.0, 3.0)?, &gaussian(-1.0, 1.0)?)?;
/// assert!((distance - 8.0).abs() < 1e-14);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn frechet_distance(a: &Gaussian, b: &Gaussian) -> Result<f64> {
    a.squared_wasserstein(b)
}

/// The Fréchet distance of two sets of features, and its extrapolation to infinitely many samples.
///
/// ```
/// use equilibria::Tensor;
/// use equilibria::evaluate::frechet::Frechet;
/// use equilibria::rng::Stream;
/// let mut features = Tensor::<f64>::zeros(&[2000, 2]);
/// features.fill_normal(Stream::named(1, "features"), 1.0);
/// let shifted = features.add_row(&[3.0, 4.0])?;
/// let found = Frechet::of(&features, &shifted, Stream::named(1, "evaluate"))?;
/// assert!((found.distance - 25.0).abs() < 1e-9, "3² + 4²");
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Frechet {
    /// The distance of the two sets as given.
    pub distance: f64,
    /// The distance extrapolated to infinitely many samples. Negative values can occur if the true distance is near 0.
    pub extrapolated: f64,
}

impl Frechet {
    /// Computes both distances from the rows of `a` and `b`.
    ///
    /// **Shapes** `a` (n1, d), `b` (n2, d), at least 4 rows each.
    ///
    /// **Errors** Those of [`Gaussian::fit`] and [`frechet_distance`].
    ///
    /// **Randomness** Random halves for the extrapolation: permutations from the substreams 0 and 1 of `stream`.
    ///
    /// **Accuracy and cost** Three distances and four further fits of half the size.
    pub fn of<T: Element>(a: &Tensor<T>, b: &Tensor<T>, stream: Stream) -> Result<Self> {
        for set in [a, b] {
            check_set("Fréchet distance", "feature vectors", set, 4)?;
        }
        let distance = frechet_distance(&Gaussian::fit(a)?, &Gaussian::fit(b)?)?;
        let (a, b) = (halves(a, stream.substream(0))?, halves(b, stream.substream(1))?);
        let mut of_halves = 0.0;
        for (a, b) in a.iter().zip(&b) {
            of_halves += 0.5 * frechet_distance(a, b)?;
        }
        Ok(Self { distance, extrapolated: 2.0 * distance - of_halves })
    }
}

/// Gaussians fitted to two random halves of the rows; an odd row is left out.
fn halves<T: Element>(features: &Tensor<T>, stream: Stream) -> Result<[Gaussian; 2]> {
    let mut order = vec![0; features.rows()];
    stream.permutation(&mut order);
    let half = order.len() / 2;
    let fit = |rows: &[usize]| {
        let values = rows.iter().flat_map(|&row| features.row(row)).copied().collect();
        Gaussian::fit(&Tensor::from_vec(&[half, features.columns()], values)?)
    };
    Ok([fit(&order[..half])?, fit(&order[half..2 * half])?])
}

#[cfg(test)]
mod tests {
    use super::super::pairs::tests::normals;
    use super::*;
    use crate::tensor::eigen::decompose;

    fn stream(seed: u64) -> Stream {
        Stream::named(seed, "evaluate")
    }

    fn centred(covariance: Tensor<f64>) -> Gaussian {
        Gaussian::new(vec![0.0; covariance.rows()], covariance).unwrap()
    }

    fn distance(a: &Gaussian, b: &Gaussian) -> f64 {
        let (one, other) = (frechet_distance(a, b).unwrap(), frechet_distance(b, a).unwrap());
        assert!((one - other).abs() < 1e-11 * (1.0 + one), "not symmetric: {one}, {other}");
        one
    }

    #[track_caller]
    fn close(found: f64, exact: f64) {
        assert!((found - exact).abs() < 1e-12 * (1.0 + exact), "{found}, not {exact}");
    }

    fn diagonal(values: &[f64]) -> Tensor<f64> {
        let mut matrix = Tensor::zeros(&[values.len(), values.len()]);
        for (i, &value) in values.iter().enumerate() {
            matrix.row_mut(i)[i] = value;
        }
        matrix
    }

    /// X^T X / n of n normal rows: positive definite for n > d.
    fn wishart(d: usize, n: usize, seed: u64) -> Tensor<f64> {
        let x = normals(n, d, stream(seed));
        Tensor::product(x.view().transposed(), x.view()).unwrap().scale(1.0 / n as f64)
    }

    #[test]
    fn commuting_covariances_differ_by_the_difference_of_their_roots() {
        let (a, b) = ([4.0, 9.0, 0.0, 1.0, 0.0], [1.0, 16.0, 2.25, 1.0, 0.0]);
        let shifted = Gaussian::new(vec![1.0, 0.0, -2.0, 0.0, 0.5], diagonal(&a)).unwrap();
        // (2 - 1)² + (3 - 4)² + 1.5², and the squared distance of the means.
        close(distance(&shifted, &centred(diagonal(&b))), 4.25 + 5.25);
        // The same covariances in a rotated basis.
        let turn = decompose(&wishart(5, 9, 1)).unwrap().vectors;
        let turned = |values: &[f64]| {
            let right = Tensor::product(diagonal(values).view(), turn.view()).unwrap();
            centred(Tensor::product(turn.view().transposed(), right.view()).unwrap())
        };
        close(distance(&turned(&a), &turned(&b)), 4.25);
    }

    #[test]
    fn covariances_of_two_by_two_follow_the_closed_formula() {
        // tr M^(1/2) = sqrt(tr M + 2 sqrt(det M)) for a 2x2 matrix.
        for seed in 0..20 {
            let (a, b) = (wishart(2, 3, 2 * seed), wishart(2, 3, 2 * seed + 1));
            let trace = |m: &Tensor<f64>| m.row(0)[0] + m.row(1)[1];
            let determinant = |m: &Tensor<f64>| m.row(0)[0] * m.row(1)[1] - m.row(0)[1] * m.row(1)[0];
            let product = Tensor::product(a.view(), b.view()).unwrap();
            let root = trace(&product) + 2.0 * libm::sqrt(determinant(&a) * determinant(&b));
            let exact = trace(&a) + trace(&b) - 2.0 * libm::sqrt(root);
            close(distance(&centred(a), &centred(b)), exact);
        }
    }

    #[test]
    fn the_distance_to_a_linear_image_is_the_cost_of_the_linear_map() {
        // x -> T x with T symmetric and positive is the best way to move any distribution (Brenier), at the price
        // E |x - T x|² = tr S + tr T S T - 2 tr S T. T S T and S do not commute.
        for (d, seed) in [(3, 1), (20, 2), (128, 3)] {
            let (s, t) = (wishart(d, 2 * d, seed), wishart(d, 3 * d, seed + 10));
            let map = Tensor::product(s.view(), t.view()).unwrap();
            let moved = Tensor::product(t.view(), map.view()).unwrap();
            let trace = |m: &Tensor<f64>| (0..d).map(|i| m.row(i)[i]).sum::<f64>();
            close(
                distance(&centred(s.clone()), &centred(moved.clone())),
                trace(&s) + trace(&moved) - 2.0 * trace(&map),
            );
        }
    }

    /// Far below the largest eigenvalue and far above rounding: they count with their roots.
    #[test]
    fn small_eigenvalues_that_are_no_rounding_count() {
        let small = 1e-12;
        // In either factor, and in the product alone: sqrt(1e-12), beside a rounding error of 1e-15.
        for (a, b) in [([1.0, small], [1.0, 1.0]), ([1.0, 1.0], [1.0, small]), ([1.0, 1e-6], [1.0, 1e-6])] {
            let exact: f64 = a.iter().zip(&b).map(|(a, b)| (libm::sqrt(*a) - libm::sqrt(*b)).powi(2)).sum();
            let found = distance(&centred(diagonal(&a)), &centred(diagonal(&b)));
            assert!((found - exact).abs() < 1e-13, "{a:?}, {b:?}: {found}, not {exact}");
        }
        // Turned by a rotation, which rounds them to about 1e-15: a thousandth of each.
        let turn = decompose(&wishart(6, 9, 2)).unwrap().vectors;
        let turned = |values: &[f64]| {
            let right = Tensor::product(diagonal(values).view(), turn.view()).unwrap();
            centred(Tensor::product(turn.view().transposed(), right.view()).unwrap())
        };
        let (a, b) = ([1.0, small, 4.0, small, 2.0, small], [1.0; 6]);
        let exact = 3.0 * (1.0_f64 - 1e-6).powi(2) + 1.0 + (libm::sqrt(2.0) - 1.0).powi(2);
        let found = frechet_distance(&turned(&a), &turned(&b)).unwrap();
        assert!((found - exact).abs() < 1e-7, "{found}, not {exact}");
    }

    #[test]
    fn singular_covariances_are_handled() {
        // v v^T and w w^T: the root of their product has the trace |v w|.
        let outer = |v: &[f64]| {
            let v = Tensor::from_vec(&[v.len(), 1], v.to_vec()).unwrap();
            centred(Tensor::product(v.view(), v.view().transposed()).unwrap())
        };
        let (v, w) = ([1.0, 2.0, -3.0, 0.5], [2.0, -1.0, 1.0, 4.0]);
        let nothing = centred(Tensor::zeros(&[4, 4]));
        close(distance(&outer(&v), &outer(&w)), 14.25 + 22.0 - 2.0);
        close(distance(&outer(&v), &nothing), 14.25);
        close(distance(&nothing, &nothing), 0.0);
        // A singular covariance (30 samples of 100 features) compared with itself: only rounding error remains.
        let x = normals(30, 100, stream(5));
        let (few, full) = (Gaussian::fit(&x).unwrap(), centred(wishart(100, 300, 6)));
        assert!(distance(&few, &few) < 1e-10);
        let identity = distance(&few, &centred(diagonal(&[1.0; 100])));
        let roots =
            decompose(few.covariance()).unwrap().values[71..].iter().map(|&l| libm::sqrt(l)).sum::<f64>();
        let mean: f64 = few.mean().iter().map(|x| x * x).sum();
        close(identity, mean + few.trace() + 100.0 - 2.0 * roots);
        assert!(distance(&few, &full) > 0.0);
    }

    #[test]
    fn a_large_mean_does_not_change_the_covariance() {
        let x = Tensor::from_vec(&[4, 2], vec![1.0, 2.0, 3.0, 0.0, -1.0, 1.0, 5.0, -3.0]).unwrap();
        let found = Gaussian::fit(&x).unwrap();
        assert_eq!(found.mean(), [2.0, 0.0]);
        let exact = [20.0 / 3.0, -14.0 / 3.0, -14.0 / 3.0, 14.0 / 3.0];
        for (found, exact) in found.covariance().data().iter().zip(exact) {
            assert!((found - exact).abs() < 1e-14, "{found}, not {exact}");
        }
        // More than one block, in f32, with an offset of 1e5 (about 1e5 times the spread) that f32 represents exactly.
        let rows = BLOCK + 3;
        let steps = |i: usize| ((i * 37) % 64) as f32 / 64.0;
        let near = Tensor::from_vec(&[rows, 1], (0..rows).map(steps).collect()).unwrap();
        let far = Tensor::from_vec(&[rows, 1], (0..rows).map(|i| steps(i) + 1e5).collect()).unwrap();
        let (near, far) = (Gaussian::fit::<f32>(&near).unwrap(), Gaussian::fit(&far).unwrap());
        assert!(
            (near.covariance().data()[0] - far.covariance().data()[0]).abs() < 1e-14,
            "{near:?}, {far:?}"
        );
        assert!((near.mean()[0] + 1e5 - far.mean()[0]).abs() < 1e-10);
    }

    #[test]
    fn the_bias_of_finite_sets_follows_the_formula_and_the_extrapolation_removes_it() {
        // Standard normals in one dimension: E (m1 - m2)² = 1/n1 + 1/n2 and E (s1 - s2)² = half of that, nearly.
        let (n1, n2, times) = (100, 300, 2000);
        let expected = 1.5 * (1.0 / n1 as f64 + 1.0 / n2 as f64);
        let (mut sum, mut rest) = (0.0, 0.0);
        for i in 0..times {
            let (a, b) = (normals(n1, 1, stream(i)), normals(n2, 1, stream(i + times)));
            let found = Frechet::of(&a, &b, stream(i).substream(9)).unwrap();
            sum += found.distance / times as f64;
            rest += found.extrapolated / times as f64;
        }
        // The standard deviation of the distance is as large as the distance.
        assert!((sum / expected - 1.0).abs() < 0.1, "{sum}, not {expected}");
        assert!(rest.abs() < 0.1 * expected, "{rest} of {expected} is left");
        // In many dimensions.
        let (a, b) = (normals(600, 20, stream(1)), normals(600, 20, stream(2)));
        let found = Frechet::of(&a, &b, stream(3)).unwrap();
        assert!(found.distance > 0.2 && found.extrapolated.abs() < 0.1 * found.distance, "{found:?}");
    }

    #[test]
    fn halves_are_of_different_rows() {
        // 2^i in feature i of row i: the sum of a half says which rows are in it.
        let rows = 9;
        let x = Tensor::from_vec(&[rows, 1], (0..rows).map(|i| f64::from(1 << i)).collect()).unwrap();
        let sums = halves(&x, stream(4)).unwrap().map(|half| (4.0 * half.mean()[0]).round() as u32);
        assert_eq!((sums[0].count_ones(), sums[1].count_ones(), sums[0] & sums[1]), (4, 4, 0), "{sums:?}");
    }

    #[test]
    fn invalid_sets_and_gaussians_are_refused() {
        let message = |x: &Tensor<f32>| Gaussian::fit(x).unwrap_err().to_string();
        let words = "Gaussian of features: 1 feature vectors: at least 2 are needed";
        assert_eq!(message(&Tensor::zeros(&[1, 3])), words);
        assert!(message(&Tensor::zeros(&[3, 0])).contains("at least 1 feature"));
        assert!(message(&Tensor::filled(&[3, 2], f32::INFINITY)).contains("finite"));
        let gaussian = |d: usize| centred(diagonal(&vec![1.0; d]));
        assert!(frechet_distance(&gaussian(2), &gaussian(3)).is_err());
        assert!(Gaussian::new(vec![0.0; 2], Tensor::zeros(&[2, 3])).is_err());
    }
}
