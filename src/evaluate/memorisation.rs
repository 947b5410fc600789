//! Tests whether a model copies its training images: are its samples nearer to them than unseen images are?
//!
//! Each unseen (test) image has a distance to its nearest training image. Samples of a model that has learned the
//! distribution should have distances distributed alike. A model that repeats training images gives smaller distances,
//! a bad model larger ones. The statistic of Mann and Whitney compares the two sets of distances: the share of pairs
//! (sample, test image) in which the sample is nearer. For m samples and n test images from one distribution, this
//! share has mean 1/2 and variance `(m + n + 1) / (12 m n)`.

use super::pairs::{Points, check};
use crate::tensor::Tensor;
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

/// Vectors that are compared with at once.
const BLOCK: usize = 1024;

/// The distance of each row of `a` to the nearest row of `b`: the root mean square of the differences of their elements.
///
/// **Shapes** `a` (n, d), `b` (m, d), at least one row each; returns (n).
///
/// **Units** The unit of the elements.
///
/// **Errors** [`Error::ShapeMismatch`] if the numbers of columns differ; [`Error::InvalidArgument`] without rows or columns,
/// or if an element is not finite.
///
/// **Accuracy and cost** In f64; relative errors of squares are about 1e-15 (|a|² + |b|²) / |a - b|². 2 n m d operations
/// as matrix products. The result does not depend on the number of threads.
///
/// ```
/// use equilibria::{Tensor, evaluate::memorisation::nearest_distances};
/// let a = Tensor::from_vec(&[2, 2], vec![0.0_f32, 0.0, 3.0, 4.0])?;
/// let b = Tensor::from_vec(&[3, 2], vec![9.0_f32, 9.0, 3.0, 4.0, -1.0, 1.0])?;
/// assert_eq!(nearest_distances(&a, &b)?, [1.0, 0.0]);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn nearest_distances(a: &Tensor<f32>, b: &Tensor<f32>) -> Result<Vec<f64>> {
    check("nearest vectors", [("vectors", a), ("vectors to compare with", b)], 1)?;
    let (d, origin) = (a.columns(), vec![0.0; a.columns()]);
    let points = Points::around(a, &origin);
    let mut nearest = vec![f64::INFINITY; a.rows()];
    for block in b.data().chunks(BLOCK * d) {
        let block = Tensor::from_vec(&[block.len() / d, d], block.to_vec())?;
        points.for_each_distances(&Points::around(&block, &origin), &mut nearest, |_, squares, nearest| {
            *nearest = squares.iter().copied().fold(*nearest, f64::min);
        });
    }
    nearest.iter_mut().for_each(|distance| *distance = libm::sqrt(*distance / d as f64));
    Ok(nearest)
}

/// A sample is suspicious if fewer than this share of the test images are as near to a training image.
const SUSPICIOUS: f64 = 0.01;

/// Comparison of the distances of samples and of test images to the training images.
///
/// ```
/// use equilibria::evaluate::memorisation::Memorisation;
/// let test = [0.3; 50];
/// let copies = Memorisation::of(&[0.0; 50], &test)?;
/// assert!(copies.nearer == 1.0 && copies.z > 3.0 && copies.suspicious == 1.0);
/// assert_eq!(Memorisation::of(&test, &test)?.nearer, 0.5);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Memorisation {
    /// Mean distance of a sample to its nearest training image.
    pub samples: f64,
    /// Mean distance of a test image to its nearest training image.
    pub test_images: f64,
    /// Share of the pairs (sample, test image) in which the sample is nearer; a tie counts half. 1/2 if samples are
    /// distributed as test images, 1 if all are copies.
    pub nearer: f64,
    /// [`Self::nearer`] minus 1/2, in standard deviations under the hypothesis that samples are distributed as test
    /// images. A value above 3 means that the model copies.
    pub z: f64,
    /// Share of samples that are nearer to a training image than 99 % of the test images. The expected value without
    /// copying is about 0.01.
    pub suspicious: f64,
}

impl Memorisation {
    /// Compares distances to the nearest training image: of each sample, and of each test image.
    ///
    /// **Errors** [`Error::InvalidArgument`] if either set is empty or a distance is not a number.
    ///
    /// **Accuracy and cost** Sorts the test distances, then two binary searches a sample.
    ///
    /// **Source** Mann & Whitney 1947; Meehan, Chaudhuri & Dasgupta 2020.
    ///
    /// ```
    /// use equilibria::evaluate::memorisation::Memorisation;
    /// let found = Memorisation::of(&[0.0, 0.3], &[0.2, 0.3, 0.4])?;
    /// // The first sample is nearer in 3 of its 3 pairs; the second in 1, with 1 tie.
    /// assert_eq!(found.nearer, 4.5 / 6.0);
    /// # Ok::<(), equilibria::Error>(())
    /// ```
    pub fn of(samples: &[f64], test_images: &[f64]) -> Result<Self> {
        for (name, distances) in [("samples", samples), ("test images", test_images)] {
            if distances.is_empty() || distances.iter().any(|distance| distance.is_nan()) {
                let given = format!("distances of {} {name}", distances.len());
                return Err(Error::invalid(given, "at least 1 is needed, and numbers alone"));
            }
        }
        let sorted = |distances: &[f64]| {
            let mut sorted: Vec<f64> = distances.to_vec();
            sorted.sort_unstable_by(f64::total_cmp);
            sorted
        };
        let test = sorted(test_images);
        let (m, n) = (samples.len() as f64, test.len() as f64);
        // Counts each pair twice, so that a tie is a whole number.
        let farther = |&distance: &f64| {
            let nearer_or_tied = test.partition_point(|&other| other <= distance);
            let nearer = test.partition_point(|&other| other < distance);
            (test.len() - nearer_or_tied) + (test.len() - nearer)
        };
        let nearer = samples.iter().map(farther).sum::<usize>() as f64 / (2.0 * m * n);
        // If samples are distributed as test images, an expected share (rank + 1) / (n + 1) of them is nearer than the
        // test image of this rank.
        let rank = ((SUSPICIOUS * (n + 1.0)) as usize).saturating_sub(1);
        let edge = test[rank];
        let mean = |distances: &[f64]| distances.iter().sum::<f64>() / distances.len() as f64;
        Ok(Self {
            samples: mean(samples),
            test_images: mean(test_images),
            nearer,
            z: (nearer - 0.5) / libm::sqrt((m + n + 1.0) / (12.0 * m * n)),
            suspicious: samples.iter().filter(|&&distance| distance < edge).count() as f64 / m,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::pairs::tests::normals;
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn nearest_distances_are_those_of_all_pairs_one_by_one() {
        // More than one block, and a vector that is in both sets.
        let (mut a, b) =
            (normals(7, 3, Stream::named(1, "evaluate")), normals(1500, 3, Stream::named(2, "evaluate")));
        a.row_mut(4).copy_from_slice(b.row(1400));
        let (a, b): (Tensor<f32>, Tensor<f32>) = (a.cast(), b.cast());
        let found = nearest_distances(&a, &b).unwrap();
        for (i, found) in found.iter().enumerate() {
            let squares = |j: usize| {
                let pairs = a.row(i).iter().zip(b.row(j));
                pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>() / 3.0
            };
            let exact = libm::sqrt((0..1500).map(squares).fold(f64::INFINITY, f64::min));
            assert!((found - exact).abs() < 1e-10, "{found}, not {exact}");
        }
        assert_eq!(found[4], 0.0);
        assert!(nearest_distances(&a, &Tensor::zeros(&[2, 4])).is_err());
        assert!(nearest_distances(&a, &Tensor::zeros(&[0, 3])).is_err());
    }

    #[test]
    fn the_share_of_pairs_is_that_of_all_pairs_one_by_one() {
        let (a, b) = ([3.0, 1.0, 2.0, 2.0, 9.0], [2.0, 2.0, 0.5, 7.0, 1.0, 3.0]);
        let mut pairs = 0.0;
        for a in a {
            for b in b {
                pairs += if a < b {
                    1.0
                } else if a == b {
                    0.5
                } else {
                    0.0
                };
            }
        }
        let found = Memorisation::of(&a, &b).unwrap();
        assert_eq!(found.nearer, pairs / 30.0);
        assert_eq!((found.samples, found.test_images), (3.4, 15.5 / 6.0));
        let opposite = Memorisation::of(&b, &a).unwrap();
        assert!((found.nearer + opposite.nearer - 1.0).abs() < 1e-15 && (found.z + opposite.z).abs() < 1e-14);
    }

    #[test]
    fn equal_distributions_have_z_of_variance_1() {
        let (mut sum, mut squares, mut suspicious) = (0.0, 0.0, 0.0);
        let times = 2000;
        for i in 0..times {
            let x = normals(350, 1, Stream::named(i, "evaluate"));
            let found = Memorisation::of(&x.data()[..150], &x.data()[150..]).unwrap();
            sum += found.z / times as f64;
            squares += found.z * found.z / times as f64;
            suspicious += found.suspicious / times as f64;
        }
        assert!(sum.abs() < 0.09 && (squares - 1.0).abs() < 0.13, "mean {sum}, mean square {squares}");
        assert!((0.0085..0.0115).contains(&suspicious), "{suspicious}, not 2 / 201");
    }

    #[test]
    fn copies_are_caught_and_blurred_samples_are_not() {
        let real: Vec<f64> = (0..400).map(|i| 0.2 + 0.001 * f64::from(i)).collect();
        let copies = Memorisation::of(&[0.0; 300], &real).unwrap();
        assert_eq!((copies.nearer, copies.suspicious, copies.samples), (1.0, 1.0, 0.0));
        assert!(copies.z > 15.0, "{copies:?}");
        let half: Vec<f64> = (0..300).map(|i| if i % 10 == 0 { 0.01 } else { real[i] }).collect();
        let found = Memorisation::of(&half, &real).unwrap();
        assert_eq!(found.suspicious, 30.0 / 300.0 + 2.0 / 300.0);
        let bad = Memorisation::of(&[0.9; 300], &real).unwrap();
        assert_eq!((bad.nearer, bad.suspicious), (0.0, 0.0));
    }

    #[test]
    fn no_distances_are_refused() {
        assert!(Memorisation::of(&[], &[1.0]).is_err());
        let error = Memorisation::of(&[1.0], &[f64::NAN]).unwrap_err().to_string();
        assert_eq!(error, "distances of 1 test images: at least 1 is needed, and numbers alone");
    }
}
