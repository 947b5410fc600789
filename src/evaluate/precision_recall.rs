//! Precision and recall, density and coverage: the quality and the completeness of samples, measured against images.
//!
//! A set of feature vectors defines a region: the union of balls around its vectors, each with the distance to the k-th
//! nearest neighbour in the same set as its radius. With real vectors x_i, i = 1 ... N, samples y_j, j = 1 ... M, and
//! these radii r(.):
//! ```text
//! precision = share of j with |y_j - x_i| <= r(x_i) for some i    samples in the real region: are they good?
//! recall    = share of i with |x_i - y_j| <= r(y_j) for some j    images in the samples' region: are they varied?
//! density   = (1 / k M) sum over j of the number of i with |y_j - x_i| <= r(x_i)
//! coverage  = share of i with |x_i - y_j| <= r(x_i) for some j
//! ```
//!
//! An image far from all others has a large ball and makes precision too large; a bad sample far outside makes recall
//! too large. Density avoids this by counting the balls that contain a sample (it may exceed 1); coverage uses only the
//! balls around real images. For independent sets from one distribution with N = M, density is 1 on average, and
//! coverage is
//!
//! ```text
//! 1 - (N - 1) ... (N - k) / ((2N - 1) ... (2N - k)),   close to 1 - 2^-k
//! ```
//!
//! (a real vector is not covered if its k nearest of all 2N - 1 other vectors are real). Precision and recall depend on
//! the sizes of the sets and on the dimension. Compare them with those of another set of real images.

use super::pairs::{Points, check};
use crate::tensor::{Element, Tensor};
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

/// Factor on squared radii, so that rounding never excludes the k-th neighbour itself.
const BOUNDARY: f64 = 1.0 + 1e-9;

/// The number k of neighbours that defines the radii of balls.
///
/// ```
/// use equilibria::evaluate::precision_recall::{Neighbours, expected_coverage};
/// let wide = Neighbours { density: 10, ..Neighbours::default() };
/// assert!(expected_coverage(1000, wide) > expected_coverage(1000, Neighbours::default()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Neighbours {
    /// For precision and recall.
    pub manifold: usize,
    /// For density and coverage.
    pub density: usize,
}

impl Default for Neighbours {
    /// 3 and 5, the values of the authors.
    fn default() -> Self {
        Self { manifold: 3, density: 5 }
    }
}

/// Precision, recall, density and coverage of samples.
///
/// ```
/// use equilibria::{Tensor, evaluate::precision_recall::{Neighbours, overlap}};
/// let real = Tensor::from_vec(&[20, 1], (0..20).map(f64::from).collect())?;
/// let narrow = Tensor::from_vec(&[20, 1], (0..20).map(|i| 5.0 + f64::from(i) / 20.0).collect())?;
/// let found = overlap(&real, &narrow, Neighbours::default())?;
/// assert!(found.precision == 1.0 && found.recall < 0.5, "good samples of little variety");
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Overlap {
    /// Share of samples in the region of the images.
    pub precision: f64,
    /// Share of images in the region of the samples.
    pub recall: f64,
    /// Mean number of images' balls that contain a sample, divided by k.
    pub density: f64,
    /// Share of images with a sample in their ball.
    pub coverage: f64,
}

/// Measures the overlap of `samples` with `real`.
///
/// **Shapes** `real` (N, d), `samples` (M, d), each with more rows than neighbours.
///
/// **Errors** [`Error::ShapeMismatch`] if the numbers of columns differ; [`Error::InvalidArgument`] for 0 neighbours,
/// for sets with too few rows, and for elements that are not finite.
///
/// **Accuracy and cost** Distances in f64, with errors of 1e-15 of the squared lengths measured from the images' mean.
/// A distance below 1e-12 of them is 0. 2 d (N + M)² operations as matrix products; memory for copies of the sets in
/// f64 and 32 MB. The result does not depend on the number of threads.
///
/// **Source** Kynkäänniemi, Karras, Laine, Lehtinen & Aila 2019; Naeem, Oh, Uh, Choi & Yoo 2020.
///
/// ```
/// use equilibria::Tensor;
/// use equilibria::evaluate::precision_recall::{Neighbours, overlap};
/// let line = |first: usize, last: usize| {
///     let values: Vec<f32> = (first..last).map(|i| i as f32).collect();
///     Tensor::from_vec(&[values.len(), 1], values)
/// };
/// // Exactly half of the images: precise, but not complete. The last sample's ball reaches 3 images farther.
/// let found = overlap(&line(0, 100)?, &line(0, 50)?, Neighbours::default())?;
/// assert_eq!((found.precision, found.recall), (1.0, 0.53));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn overlap<T: Element>(real: &Tensor<T>, samples: &Tensor<T>, k: Neighbours) -> Result<Overlap> {
    if k.manifold == 0 || k.density == 0 {
        return Err(Error::invalid(format!("{k:?}"), "balls reach to at least 1 neighbour"));
    }
    let farthest = k.manifold.max(k.density);
    check("precision and recall", [("images", real), ("samples", samples)], farthest + 1)?;
    let mean: Vec<f64> =
        real.column_sums().data().iter().map(|sum| sum.to_f64() / real.rows() as f64).collect();
    let (real, samples) = (Points::around(real, &mean), Points::around(samples, &mean));
    let (real_radii, sample_radii) = (radii(&real, k), radii(&samples, k));

    let mut hits = vec![Hits::default(); samples.len()];
    samples.for_each_distances(&real, &mut hits, |_, distances, hits| {
        for (&distance, radii) in distances.iter().zip(&real_radii) {
            hits.manifold |= distance <= radii.manifold;
            hits.balls += usize::from(distance <= radii.density);
        }
    });
    let mut covered = vec![Covered::default(); real.len()];
    real.for_each_distances(&samples, &mut covered, |i, distances, covered| {
        for (&distance, radii) in distances.iter().zip(&sample_radii) {
            covered.manifold |= distance <= radii.manifold;
            covered.own_ball |= distance <= real_radii[i].density;
        }
    });
    let balls: usize = hits.iter().map(|hits| hits.balls).sum();
    Ok(Overlap {
        precision: share(hits.iter().map(|hits| hits.manifold)),
        recall: share(covered.iter().map(|covered| covered.manifold)),
        density: balls as f64 / (k.density * hits.len()) as f64,
        coverage: share(covered.iter().map(|covered| covered.own_ball)),
    })
}

/// The expected coverage if images and samples, `count` each, are independent and from one distribution.
///
/// **Source** Naeem et al. 2020, lemma 2; `tests::equal_distributions_have_the_expected_density_and_coverage`.
///
/// ```
/// use equilibria::evaluate::precision_recall::{Neighbours, expected_coverage};
/// let found = expected_coverage(10_000, Neighbours::default());
/// assert!((found - (1.0 - 0.5_f64.powi(5))).abs() < 1e-3);
/// ```
pub fn expected_coverage(count: usize, k: Neighbours) -> f64 {
    let n = count as f64;
    let missed = |i: usize| (n - i as f64) / (2.0 * n - i as f64);
    1.0 - (1..=k.density).map(missed).product::<f64>()
}

/// Squared radii of the balls around a vector.
#[derive(Clone, Copy, Default)]
struct Radii {
    manifold: f64,
    density: f64,
}

/// The balls that contain a sample.
#[derive(Clone, Copy, Default)]
struct Hits {
    /// True if a ball of an image contains it.
    manifold: bool,
    /// The number of images' balls for density that contain it.
    balls: usize,
}

/// The balls that cover an image.
#[derive(Clone, Copy, Default)]
struct Covered {
    /// True if a ball of a sample contains it.
    manifold: bool,
    /// True if its own ball contains a sample.
    own_ball: bool,
}

fn radii(points: &Points, k: Neighbours) -> Vec<Radii> {
    let mut radii = vec![Radii::default(); points.len()];
    points.for_each_distances(points, &mut radii, |i, distances, radii| {
        // A vector is not its own neighbour.
        distances[i] = f64::INFINITY;
        let most = k.manifold.max(k.density);
        let (nearest, _, _) = distances.select_nth_unstable_by(most, f64::total_cmp);
        nearest.sort_unstable_by(f64::total_cmp);
        let radius = |k: usize| nearest[k - 1] * BOUNDARY;
        *radii = Radii { manifold: radius(k.manifold), density: radius(k.density) };
    });
    radii
}

fn share(flags: impl ExactSizeIterator<Item = bool>) -> f64 {
    let count = flags.len();
    flags.filter(|&flag| flag).count() as f64 / count as f64
}

#[cfg(test)]
mod tests {
    use super::super::pairs::tests::normals;
    use super::*;
    use crate::rng::Stream;

    fn stream(seed: u64) -> Stream {
        Stream::named(seed, "evaluate")
    }

    fn shifted(mut x: Tensor<f64>, shift: f64) -> Tensor<f64> {
        x.data_mut().iter_mut().for_each(|x| *x += shift);
        x
    }

    /// The definitions, computed pair by pair.
    fn by_pairs(real: &Tensor<f64>, samples: &Tensor<f64>, k: Neighbours) -> Overlap {
        let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
        let radius = |set: &Tensor<f64>, i: usize, k: usize| {
            let others = (0..set.rows()).filter(|&j| j != i);
            let mut distances: Vec<f64> = others.map(|j| distance(set.row(i), set.row(j))).collect();
            distances.sort_by(f64::total_cmp);
            distances[k - 1]
        };
        let within =
            |of: &Tensor<f64>, i: usize, k: usize, x: &[f64]| distance(x, of.row(i)) <= radius(of, i, k);
        let (n, m) = (real.rows(), samples.rows());
        let precise = (0..m).filter(|&j| (0..n).any(|i| within(real, i, k.manifold, samples.row(j))));
        let recalled = (0..n).filter(|&i| (0..m).any(|j| within(samples, j, k.manifold, real.row(i))));
        let covered = (0..n).filter(|&i| (0..m).any(|j| within(real, i, k.density, samples.row(j))));
        let balls = |j: usize| (0..n).filter(|&i| within(real, i, k.density, samples.row(j))).count();
        Overlap {
            precision: precise.count() as f64 / m as f64,
            recall: recalled.count() as f64 / n as f64,
            density: (0..m).map(balls).sum::<usize>() as f64 / (k.density * m) as f64,
            coverage: covered.count() as f64 / n as f64,
        }
    }

    #[test]
    fn all_four_measures_equal_their_definitions() {
        for (n, m, d, shift) in [(40, 40, 2, 0.0), (60, 35, 3, 1.0), (25, 70, 1, 0.5), (30, 30, 10, 0.3)] {
            let (real, samples) = (normals(n, d, stream(1)), shifted(normals(m, d, stream(2)), shift));
            for k in [Neighbours::default(), Neighbours { manifold: 7, density: 2 }] {
                let found = overlap(&real, &samples, k).unwrap();
                assert_eq!(found, by_pairs(&real, &samples, k), "{n}, {m}, {d}, {k:?}");
                // The sets overlap only partly.
                assert!(
                    found.precision + found.recall + found.coverage < 3.0 && found.density != 1.0,
                    "{found:?}"
                );
            }
        }
    }

    #[test]
    fn equal_sets_overlap_completely_and_distant_sets_not_at_all() {
        let x = normals(200, 6, stream(3));
        let same = overlap(&x, &x, Neighbours::default()).unwrap();
        assert_eq!((same.precision, same.recall, same.coverage), (1.0, 1.0, 1.0));
        // On average a vector lies in k balls of other vectors, and in its own.
        assert_eq!(same.density, 1.2);
        let apart = overlap(&x, &shifted(x.clone(), 100.0), Neighbours::default()).unwrap();
        assert_eq!(apart, Overlap { precision: 0.0, recall: 0.0, density: 0.0, coverage: 0.0 });
        // The same far from the origin, where lengths are a million times the distances.
        let far = shifted(x.clone(), 1e6);
        let found = overlap(&far, &far, Neighbours::default()).unwrap();
        assert_eq!((found.precision, found.recall, found.density, found.coverage), (1.0, 1.0, 1.2, 1.0));
    }

    #[test]
    fn samples_of_half_of_the_data_have_high_precision_and_low_recall() {
        // Two clusters; all samples are in one.
        let mut real = normals(400, 4, stream(4));
        real.data_mut()[..200 * 4].iter_mut().for_each(|x| *x += 50.0);
        let half = overlap(&real, &normals(400, 4, stream(5)), Neighbours::default()).unwrap();
        assert!(half.precision > 0.85 && (0.4..=0.5).contains(&half.recall), "{half:?}");
        assert!((0.45..=0.5).contains(&half.coverage), "{half:?}");
        // Samples of a wider distribution are complete, and half of them are bad.
        let one = normals(400, 4, stream(6));
        let wide = overlap(&one, &real, Neighbours::default()).unwrap();
        assert!((0.4..=0.5).contains(&wide.precision) && wide.recall > 0.85, "{wide:?}");
        assert!((0.4..0.6).contains(&wide.density), "{wide:?}");
    }

    #[test]
    fn one_repeated_sample_covers_almost_nothing() {
        let real = normals(300, 3, stream(7));
        let mut same = Tensor::zeros(&[300, 3]);
        for i in 0..300 {
            same.row_mut(i).copy_from_slice(real.row(0));
        }
        let found = overlap(&real, &same, Neighbours::default()).unwrap();
        assert_eq!(found.precision, 1.0);
        // Balls of radius 0 around the one image contain only that image, in spite of rounding.
        assert_eq!(found.recall, 1.0 / 300.0);
        assert!(found.coverage < 0.05 && found.density > 0.5, "{found:?}");
    }

    #[test]
    fn equal_distributions_have_the_expected_density_and_coverage() {
        let (count, times, k) = (30, 400, Neighbours::default());
        let (mut density, mut coverage) = (0.0, 0.0);
        for i in 0..times {
            let (real, samples) = (normals(count, 2, stream(i)), normals(count, 2, stream(i + times)));
            let found = overlap(&real, &samples, k).unwrap();
            density += found.density / times as f64;
            coverage += found.coverage / times as f64;
        }
        let expected = expected_coverage(count, k);
        assert!((density - 1.0).abs() < 0.04, "density {density}");
        assert!((coverage - expected).abs() < 0.004, "coverage {coverage}, not {expected}");
        assert!((expected - (1.0 - libm::pow(0.5, 5.0))).abs() < 0.01, "{expected}");
    }

    #[test]
    fn sets_without_enough_neighbours_are_refused() {
        let few = Tensor::<f32>::zeros(&[5, 2]);
        let message = |k| overlap(&few, &few, k).unwrap_err().to_string();
        let words = "precision and recall: 5 images: at least 6 are needed";
        assert_eq!(message(Neighbours::default()), words);
        assert!(message(Neighbours { manifold: 0, density: 1 }).contains("at least 1 neighbour"));
        assert!(overlap(&few, &few, Neighbours { manifold: 4, density: 4 }).is_ok());
    }
}
