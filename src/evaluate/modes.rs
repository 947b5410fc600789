//! How many kinds of samples there are: classes of digits, modes of a mixture.

use super::pairs::check_set;
use crate::data::Mixture;
use crate::tensor::{Element, Tensor};
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

/// A class with this share of what it would have if all were equal is found. A classifier that is wrong about one
/// sample in a hundred puts some into every class.
const FOUND: f64 = 0.1;
/// A point is of high quality within so many standard deviations of a centre.
const RADIUS: f64 = 3.0;

/// How many samples are of each class.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct ClassHistogram {
    counts: Vec<usize>,
}

impl ClassHistogram {
    /// Of samples whose classes are known.
    ///
    /// **Errors** [`Error::InvalidArgument`] if a class is not below `classes`.
    pub fn of_labels(labels: &[u8], classes: usize) -> Result<Self> {
        let mut counts = vec![0; classes];
        for &label in labels {
            match counts.get_mut(usize::from(label)) {
                Some(count) => *count += 1,
                None => {
                    let expected = format!("the classes are those below {classes}");
                    return Err(Error::invalid(format!("class {label}"), expected));
                }
            }
        }
        Ok(Self { counts })
    }

    /// Of samples each of which counts for its most probable class, the first of those equally probable.
    ///
    /// **Shapes** `scores` (samples, classes): probabilities, or anything that rises with them.
    /// **Errors** [`Error::InvalidArgument`] if there is no sample or class, or a score is not finite.
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

    /// How many samples are of each class.
    pub fn counts(&self) -> &[usize] {
        &self.counts
    }

    /// The entropy of the classes, in nats: ln(classes) if all are equal, 0 if there is one alone, or no sample.
    pub fn entropy(&self) -> f64 {
        entropy(&self.counts)
    }

    /// The number of classes that are found: those with at least a tenth of an equal share of the samples, and one.
    pub fn found(&self) -> usize {
        let samples: usize = self.counts.iter().sum();
        let least = FOUND * samples as f64 / self.counts.len() as f64;
        self.counts.iter().filter(|&&count| count > 0 && count as f64 >= least).count()
    }
}

/// The place of the largest, the first of those equally large.
pub fn largest<T: Element>(scores: &[T]) -> usize {
    let mut best = 0;
    for (i, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = i;
        }
    }
    best
}

/// In nats; 0 of nothing.
pub(super) fn entropy(counts: &[usize]) -> f64 {
    let total: usize = counts.iter().sum();
    let term = |&count: &usize| {
        let share = count as f64 / total as f64;
        if count == 0 { 0.0 } else { -share * libm::log(share) }
    };
    counts.iter().map(term).sum()
}

/// What a model has of a mixture.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct MixtureModes {
    /// Modes with at least one point of high quality.
    pub found: usize,
    /// Share of points of high quality: within 3 standard deviations of a centre. The mixture's own is 1 - e^-4.5,
    /// 0.989.
    pub high_quality: f64,
    /// Points of high quality of each mode.
    pub counts: Vec<usize>,
}

/// Counts the modes of `mixture` that `points` have.
///
/// **Shapes** `points` (n, 2).
/// **Errors** [`Error::ShapeMismatch`] if they are not points of the plane; [`Error::InvalidArgument`] if there are
/// none. Points that are not finite are of no quality.
/// **Source** Srivastava et al. 2017, section 4.1, whose tables take 2,500 points.
///
/// ```
/// use equilibria::{Tensor, data::Mixture, evaluate::modes::mixture_modes};
/// // Near (1, 0), near (0, 1), and near neither.
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
        // Balls of this radius about the centres of either mixture do not meet.
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

/// The entropy of the modes that points are about, in nats: ln(modes) if as many are about each of them. A point is about
/// the nearest mode, however good, if that is within the distance of two neighbouring modes; others do not count.
///
/// **Shapes**, **Errors** as [`mixture_modes`].
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
    fn entropy_and_classes_found_are_those_of_the_counts() {
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
        // 1000 of 10 classes: 10 are a tenth of an equal share, 9 could be mistakes.
        assert_eq!(of(&[981, 10, 9, 0, 0, 0, 0, 0, 0, 0]).found(), 2);
    }

    #[test]
    fn labels_and_scores_are_counted_by_class() {
        let labels = ClassHistogram::of_labels(&[0, 2, 2, 9], 10).unwrap();
        assert_eq!(labels.counts(), [1, 0, 2, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(
            ClassHistogram::of_labels(&[3], 3).unwrap_err().to_string(),
            "class 3: the classes are those below 3"
        );
        let scores =
            Tensor::from_vec(&[3, 3], vec![-1.0_f32, -2.0, -3.0, 0.0, 5.0, 5.0, 1.0, 1.0, 2.0]).unwrap();
        assert_eq!(ClassHistogram::of_scores(&scores).unwrap().counts(), [1, 1, 1]);
        assert!(ClassHistogram::of_scores(&Tensor::<f32>::zeros(&[0, 3])).is_err());
        assert!(ClassHistogram::of_scores(&Tensor::filled(&[2, 3], f32::NAN)).is_err());
    }

    #[test]
    fn the_mixtures_themselves_have_all_modes_and_the_share_of_3_sigma() {
        for (mixture, modes) in [(Mixture::ring(), 8), (Mixture::grid(), 25)] {
            let mut points = Tensor::<f32>::zeros(&[20_000, 2]);
            mixture.fill(Stream::named(1, "evaluate"), points.data_mut());
            let found = mixture_modes(&points, &mixture).unwrap();
            assert_eq!(found.found, modes);
            let exact = 1.0 - libm::exp(-4.5);
            assert!((found.high_quality - exact).abs() < 0.003, "{found:?}, not {exact}");
            // Four modes alone, and twice as wide: 1 - e^(-9/8).
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
    fn points_are_about_the_nearest_mode_or_about_none() {
        let of = |points: &[f64]| {
            let points = Tensor::from_vec(&[points.len() / 2, 2], points.to_vec()).unwrap();
            mixture_entropy(&points, &Mixture::grid()).unwrap()
        };
        // Two modes, neither of high quality; what is far from all does not count.
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
    fn points_that_are_none_are_of_no_quality_or_refused() {
        let nothing = Tensor::filled(&[2, 2], f64::NAN);
        let found = mixture_modes(&nothing, &Mixture::grid()).unwrap();
        assert_eq!((found.found, found.high_quality), (0, 0.0));
        assert!(mixture_modes(&Tensor::<f64>::zeros(&[4, 3]), &Mixture::grid()).is_err());
        assert!(mixture_modes(&Tensor::<f64>::zeros(&[0, 2]), &Mixture::grid()).is_err());
    }
}
