//! Counts the kinds of samples: classes of digits, modes of a mixture.

use super::pairs::check_set;
use crate::data::Mixture;
use crate::tensor::{Element, Tensor};
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

/// A class counts as found if it has at least this share of samples / classes. A classifier with 1 % errors puts a few
/// samples into every class.
const FOUND: f64 = 0.1;
/// A point is of high quality if it is within this many standard deviations of a centre.
const RADIUS: f64 = 3.0;

/// The number of samples of each class.
///
/// ```
/// use equilibria::evaluate::modes::ClassHistogram;
/// let classes = ClassHistogram::of_labels(&[0, 1, 1, 1], 3)?;
/// assert_eq!((classes.counts(), classes.found()), (&[1, 3, 0][..], 2));
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct ClassHistogram {
    counts: Vec<usize>,
}

impl ClassHistogram {
    /// Counts samples with known classes.
    ///
    /// **Errors** [`Error::InvalidArgument`] if a label is not below `classes`.
    pub fn of_labels(labels: &[u8], classes: usize) -> Result<Self> {
        let mut counts = vec![0; classes];
        for &label in labels {
            match counts.get_mut(usize::from(label)) {
                Some(count) => *count += 1,
                None => {
                    let expected = format!("a class must be below {classes}");
                    return Err(Error::invalid(format!("class {label}"), expected));
                }
            }
        }
        Ok(Self { counts })
    }

    /// Counts each sample for its most probable class; the first one if several are equally probable.
    ///
    /// **Shapes** `scores` (samples, classes): probabilities, or numbers that rise with them.
    ///
    /// **Errors** [`Error::InvalidArgument`] if there are no samples or no classes, or a score is not finite.
    ///
    /// ```
    /// use equilibria::{Tensor, evaluate::modes::ClassHistogram};
    /// let probabilities = Tensor::from_vec(&[3, 2], vec![0.9, 0.1, 0.4, 0.6, 0.7, 0.3])?;
    /// assert_eq!(ClassHistogram::of_scores(&probabilities)?.counts(), [2, 1]);
    /// # Ok::<(), equilibria::Error>(())
    /// ```
    pub fn of_scores<T: Element>(scores: &Tensor<T>) -> Result<Self> {
        check_set("classes of samples", "samples", scores, 1)?;
        let mut counts = vec![0; scores.columns()];
        for sample in scores.data().chunks_exact(scores.columns()) {
            counts[largest(sample)] += 1;
        }
        Ok(Self { counts })
    }

    /// The number of samples of each class.
    pub fn counts(&self) -> &[usize] {
        &self.counts
    }

    /// The entropy of the classes, in nats: ln(classes) if all are equally frequent, 0 for one class or no samples.
    pub fn entropy(&self) -> f64 {
        entropy(&self.counts)
    }

    /// The number of found classes: those with at least one sample and at least a tenth of samples / classes.
    pub fn found(&self) -> usize {
        let samples: usize = self.counts.iter().sum();
        let least = FOUND * samples as f64 / self.counts.len() as f64;
        self.counts.iter().filter(|&&count| count > 0 && count as f64 >= least).count()
    }
}

/// The index of the largest score; the first one if several are equal.
///
/// ```
/// use equilibria::evaluate::modes::largest;
/// assert_eq!(largest(&[0.1, 0.7, 0.2]), 1);
/// ```
pub fn largest<T: Element>(scores: &[T]) -> usize {
    let mut best = 0;
    for (i, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = i;
        }
    }
    best
}

/// The entropy of a histogram, in nats; 0 if it is empty.
pub(super) fn entropy(counts: &[usize]) -> f64 {
    let total: usize = counts.iter().sum();
    let term = |&count: &usize| {
        let share = count as f64 / total as f64;
        if count == 0 { 0.0 } else { -share * libm::log(share) }
    };
    counts.iter().map(term).sum()
}

/// The modes of a mixture that a set of points covers.
///
/// ```
/// use equilibria::{Tensor, data::Mixture, evaluate::modes::mixture_modes, rng::Stream};
/// let ring = Mixture::ring();
/// let mut points = Tensor::<f64>::zeros(&[500, 2]);
/// ring.fill(Stream::named(1, "data"), points.data_mut());
/// let found = mixture_modes(&points, &ring)?;
/// assert!(found.found == 8 && found.high_quality > 0.95);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct MixtureModes {
    /// Number of modes with at least one point of high quality.
    pub found: usize,
    /// Share of points of high quality: within 3 standard deviations of a centre. It is 1 - e^-4.5 = 0.989 for the
    /// mixture itself.
    pub high_quality: f64,
    /// Number of points of high quality at each mode.
    pub counts: Vec<usize>,
}

/// Counts the modes of `mixture` that `points` cover.
///
/// **Shapes** `points` (n, 2).
///
/// **Errors** [`Error::ShapeMismatch`] if `points` does not have 2 columns; [`Error::InvalidArgument`] if it has no
/// rows. Points that are not finite count as points of low quality.
///
/// **Source** Srivastava et al. 2017, section 4.1, whose tables use 2,500 points.
///
/// ```
/// use equilibria::{Tensor, data::Mixture, evaluate::modes::mixture_modes};
/// // Near (1, 0), near (0, 1), and near no centre.
/// let points = Tensor::from_vec(&[3, 2], vec![1.0, 0.02, 0.0, 1.0, 0.5, 0.5])?;
/// let modes = mixture_modes(&points, &Mixture::ring())?;
/// assert_eq!((modes.found, modes.high_quality), (2, 2.0 / 3.0));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn mixture_modes<T: Element>(points: &Tensor<T>, mixture: &Mixture) -> Result<MixtureModes> {
    check_points(points)?;
    let reach = RADIUS * mixture.deviation();
    let mut counts = vec![0; mixture.centres().len()];
    for point in points.data().chunks_exact(2) {
        let squared = |centre: &[f64; 2]| {
            let (x, y) = (point[0].to_f64() - centre[0], point[1].to_f64() - centre[1]);
            x * x + y * y
        };
        // For both mixtures, circles of this radius around the centres do not overlap.
        if let Some(mode) = mixture.centres().iter().position(|centre| squared(centre) <= reach * reach) {
            counts[mode] += 1;
        }
    }
    Ok(MixtureModes {
        found: counts.iter().filter(|&&count| count > 0).count(),
        high_quality: counts.iter().sum::<usize>() as f64 / points.rows() as f64,
        counts,
    })
}

/// The entropy of the modes of points, in nats: ln(modes) if all modes have equally many points.
///
/// A point belongs to the nearest mode, unless it is farther away than the distance of two neighbouring modes. Such
/// points are not counted; quality does not matter.
///
/// **Shapes** As [`mixture_modes`].
///
/// **Errors** As [`mixture_modes`].
///
/// ```
/// use equilibria::{Tensor, data::Mixture, evaluate::modes::mixture_entropy};
/// let centres = Mixture::ring().centres().concat();
/// let found = mixture_entropy(&Tensor::from_vec(&[8, 2], centres)?, &Mixture::ring())?;
/// assert!((found - 8_f64.ln()).abs() < 1e-12, "one point at each of 8 centres");
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn mixture_entropy<T: Element>(points: &Tensor<T>, mixture: &Mixture) -> Result<f64> {
    check_points(points)?;
    let centres = mixture.centres();
    let squared = |a: [f64; 2], b: &[f64; 2]| {
        let (x, y) = (a[0] - b[0], a[1] - b[1]);
        x * x + y * y
    };
    let others = centres[1..].iter().map(|other| squared(centres[0], other));
    let reach = others.fold(f64::INFINITY, f64::min);
    let mut counts = vec![0; centres.len()];
    for point in points.data().chunks_exact(2) {
        let away = |mode: &usize| squared([point[0].to_f64(), point[1].to_f64()], &centres[*mode]);
        let nearest = (0..centres.len()).min_by(|a, b| away(a).total_cmp(&away(b)));
        if let Some(mode) = nearest.filter(|mode| away(mode) <= reach) {
            counts[mode] += 1;
        }
    }
    Ok(if counts.iter().any(|&count| count > 0) { entropy(&counts) } else { 0.0 })
}

fn check_points<T: Element>(points: &Tensor<T>) -> Result<()> {
    if points.columns() != 2 {
        return Err(Error::ShapeMismatch {
            operation: "modes of points in the plane",
            expected: vec![points.rows(), 2],
            found: points.shape().to_vec(),
        });
    }
    if points.is_empty() {
        return Err(Error::invalid("modes of 0 points", "at least 1 is needed"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn entropy_and_found_classes_follow_from_the_counts() {
        let of = |counts: &[usize]| ClassHistogram { counts: counts.to_vec() };
        for (counts, entropy, found) in [
            (&[7, 7, 7, 7][..], libm::log(4.0), 4),
            (&[0, 28, 0, 0], 0.0, 1),
            (&[0, 0, 0], 0.0, 0),
            (&[50, 50, 0, 0], libm::log(2.0), 2),
            (&[2, 2, 4], 1.5 * libm::log(2.0), 3),
        ] {
            let histogram = of(counts);
            assert!((histogram.entropy() - entropy).abs() < 1e-14, "{counts:?}: {}", histogram.entropy());
            assert_eq!(histogram.found(), found, "{counts:?}");
        }
        // 1000 samples of 10 classes: 10 samples are a tenth of an equal share; 9 could be errors of a classifier.
        assert_eq!(of(&[981, 10, 9, 0, 0, 0, 0, 0, 0, 0]).found(), 2);
    }

    #[test]
    fn labels_and_scores_are_counted_by_class() {
        let labels = ClassHistogram::of_labels(&[0, 2, 2, 9], 10).unwrap();
        assert_eq!(labels.counts(), [1, 0, 2, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(
            ClassHistogram::of_labels(&[3], 3).unwrap_err().to_string(),
            "class 3: a class must be below 3"
        );
        let scores =
            Tensor::from_vec(&[3, 3], vec![-1.0_f32, -2.0, -3.0, 0.0, 5.0, 5.0, 1.0, 1.0, 2.0]).unwrap();
        assert_eq!(ClassHistogram::of_scores(&scores).unwrap().counts(), [1, 1, 1]);
        assert!(ClassHistogram::of_scores(&Tensor::<f32>::zeros(&[0, 3])).is_err());
        assert!(ClassHistogram::of_scores(&Tensor::filled(&[2, 3], f32::NAN)).is_err());
    }

    #[test]
    fn the_mixtures_have_all_their_modes_and_the_high_quality_share_of_3_sigma() {
        for (mixture, modes) in [(Mixture::ring(), 8), (Mixture::grid(), 25)] {
            let mut points = Tensor::<f32>::zeros(&[20_000, 2]);
            mixture.fill(Stream::named(1, "evaluate"), points.data_mut());
            let found = mixture_modes(&points, &mixture).unwrap();
            assert_eq!(found.found, modes);
            let exact = 1.0 - libm::exp(-4.5);
            assert!((found.high_quality - exact).abs() < 0.003, "{found:?}, not {exact}");
            // Only four modes, and twice as wide: 1 - e^(-9/8).
            for (i, point) in points.data_mut().chunks_mut(2).enumerate() {
                for (axis, x) in point.iter_mut().enumerate() {
                    let centre = mixture.centres()[i % 4][axis] as f32;
                    let nearest = mixture.centres().iter().map(|c| c[axis] as f32);
                    let own = nearest.min_by(|a, b| (a - *x).abs().total_cmp(&(b - *x).abs())).unwrap();
                    *x = centre + 2.0 * (*x - own);
                }
            }
            let found = mixture_modes(&points, &mixture).unwrap();
            assert_eq!(found.found, 4);
            assert_eq!(found.counts[4..].iter().sum::<usize>(), 0);
            let exact = 1.0 - libm::exp(-9.0 / 8.0);
            assert!((found.high_quality - exact).abs() < 0.02, "{found:?}, not {exact}");
        }
    }

    #[test]
    fn points_belong_to_the_nearest_mode_or_to_none() {
        let of = |points: &[f64]| {
            let points = Tensor::from_vec(&[points.len() / 2, 2], points.to_vec()).unwrap();
            mixture_entropy(&points, &Mixture::grid()).unwrap()
        };
        // Two modes, without points of high quality; points far from all modes are not counted.
        let found = of(&[0.4, -0.4, 3.5, 4.9, 0.0, 0.9, 4.0, 5.5, 99.0, 0.0, f64::NAN, 0.0]);
        assert!((found - libm::log(2.0)).abs() < 1e-14, "{found}");
        assert_eq!(of(&[1e9, 1e9]), 0.0);
        let mut points = Tensor::<f32>::zeros(&[20_000, 2]);
        Mixture::ring().fill(Stream::named(1, "evaluate"), points.data_mut());
        let found = mixture_entropy(&points, &Mixture::ring()).unwrap();
        assert!((found - libm::log(8.0)).abs() < 1e-3, "{found}");
        assert!(mixture_entropy(&Tensor::<f64>::zeros(&[4, 3]), &Mixture::grid()).is_err());
    }

    #[test]
    fn points_that_are_not_finite_have_low_quality_and_wrong_shapes_are_refused() {
        let nothing = Tensor::filled(&[2, 2], f64::NAN);
        let found = mixture_modes(&nothing, &Mixture::grid()).unwrap();
        assert_eq!((found.found, found.high_quality), (0, 0.0));
        assert!(mixture_modes(&Tensor::<f64>::zeros(&[4, 3]), &Mixture::grid()).is_err());
        assert!(mixture_modes(&Tensor::<f64>::zeros(&[0, 2]), &Mixture::grid()).is_err());
    }
}
