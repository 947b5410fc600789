//! Maps of colours that are made of monotone maps of one coordinate.
//!
//! Between two distributions on a line the optimal map is T = G⁻¹ ∘ F with the cumulative distributions F of the source and G
//! of the target. Applied to each coordinate it is *histogram matching*: every coordinate gets the right distribution, the
//! colours as a whole do not. *Iterative distribution transfer* repeats it along the axes of random rotations R,
//!
//! ```text
//! x <- x + R^T (T(R x) - R x)
//! ```
//!
//! and each step lowers the sliced distance along the three axes of R to 0 (Pitié, Kokaram & Dahyot 2007).
//! Histogram matching before and after the linear map of normal distributions is the compound of Hahne & Aggoun 2021.

use super::affine::Affine;
use super::cells::Cells;
use super::space::ColourSpace;
use crate::rng::Stream;
use crate::transport::gaussian::Gaussian;
use crate::{Result, Tensor};
use alloc::vec;
use alloc::vec::Vec;

/// Bins of a cumulative distribution, as in the paper.
const BINS: usize = 300;

/// Mass that is added to each bin: distributions without gaps have a unique inverse.
const EMPTY: f64 = 1e-9;

/// Rotations of iterative distribution transfer.
const ROTATIONS: usize = 20;

/// The monotone map of a line from one distribution to another: G⁻¹ ∘ F, both linear between edges at equal distances. Beyond
/// the edges it is a shift.
#[derive(Debug, Clone)]
struct Monotone {
    start: f64,
    step: f64,
    /// F and G at the edges.
    from: Vec<f64>,
    to: Vec<f64>,
}

impl Monotone {
    /// The map from the distribution of `source` to that of `target`, with their masses.
    fn between(source: &[f64], target: &[f64], masses: [&[f64]; 2]) -> Self {
        let all = || source.iter().chain(target).copied();
        let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
        // Points of one place need a width too.
        let step = ((high - low) / (BINS - 1) as f64).max(1e-9);
        let start = low - 0.5 * step;
        let cumulative = |x: &[f64], masses: &[f64]| {
            let mut sums = vec![EMPTY; BINS + 1];
            sums[0] = 0.0;
            for (x, mass) in x.iter().zip(masses) {
                sums[1 + (((x - start) / step) as usize).min(BINS - 1)] += mass;
            }
            (1..=BINS).for_each(|k| sums[k] += sums[k - 1]);
            sums
        };
        Self { start, step, from: cumulative(source, masses[0]), to: cumulative(target, masses[1]) }
    }

    fn at(&self, x: f64) -> f64 {
        let place = (x - self.start) / self.step;
        let inside = place.clamp(0.0, BINS as f64);
        let bin = (inside as usize).min(BINS - 1);
        let level = self.from[bin] + (inside - bin as f64) * (self.from[bin + 1] - self.from[bin]);
        let bin = self.to.partition_point(|&sum| sum < level).clamp(1, BINS) - 1;
        let part = ((level - self.to[bin]) / (self.to[bin + 1] - self.to[bin])).clamp(0.0, 1.0);
        self.start + self.step * (bin as f64 + part + place - inside)
    }
}

/// Three monotone maps along the rows of a rotation.
#[derive(Debug, Clone)]
struct Rotated {
    axes: [[f64; 3]; 3],
    maps: [Monotone; 3],
}

impl Rotated {
    fn between(axes: [[f64; 3]; 3], source: &Points, target: &Points) -> Self {
        let maps = axes.map(|axis| {
            let along = |points: &Points| points.0.iter().map(|&x| dot(axis, x)).collect::<Vec<f64>>();
            Monotone::between(&along(source), &along(target), [&source.1, &target.1])
        });
        Self { axes, maps }
    }

    fn at(&self, x: [f64; 3]) -> [f64; 3] {
        let mut moved = x;
        for (axis, map) in self.axes.iter().zip(&self.maps) {
            let along = dot(*axis, x);
            let shift = map.at(along) - along;
            moved.iter_mut().zip(axis).for_each(|(moved, axis)| *moved += shift * axis);
        }
        moved
    }
}

/// Weighted points.
struct Points(Vec<[f64; 3]>, Vec<f64>);

impl Points {
    fn of(cells: &Cells, space: ColourSpace) -> Self {
        Self(cells.colours.iter().map(|&colour| space.from_srgb(colour)).collect(), cells.masses.clone())
    }

    fn gaussian(&self) -> Result<Gaussian> {
        let mean = |k: usize| self.0.iter().zip(&self.1).map(|(x, mass)| mass * x[k]).sum::<f64>();
        let means = [mean(0), mean(1), mean(2)];
        let mut covariance = Tensor::zeros(&[3, 3]);
        for k in 0..3 {
            for l in 0..3 {
                let term = |(x, mass): (&[f64; 3], &f64)| mass * (x[k] - means[k]) * (x[l] - means[l]);
                covariance.row_mut(k)[l] = self.0.iter().zip(&self.1).map(term).sum();
            }
        }
        Gaussian::new(means.to_vec(), covariance)
    }
}

fn dot(x: [f64; 3], y: [f64; 3]) -> f64 {
    x[0] * y[0] + x[1] * y[1] + x[2] * y[2]
}

/// A map of colours that is made of maps of one coordinate, and possibly an affine one after the first.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    steps: Vec<Rotated>,
    affine: Option<Affine>,
}

const AXES: [[f64; 3]; 3] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

impl Lines {
    /// Histogram matching, the linear map of normal distributions, and histogram matching.
    ///
    /// **Errors** Those of [`Affine::monge`].
    pub fn matching(source: &Cells, target: &Cells, space: ColourSpace) -> Result<Self> {
        let (mut from, to) = (Points::of(source, space), Points::of(target, space));
        let first = Rotated::between(AXES, &from, &to);
        from.0.iter_mut().for_each(|x| *x = first.at(*x));
        let affine = Affine::monge(&from.gaussian()?, &to.gaussian()?)?;
        from.0.iter_mut().for_each(|x| *x = affine.at(*x));
        let last = Rotated::between(AXES, &from, &to);
        Ok(Self { steps: vec![first, last], affine: Some(affine) })
    }

    /// Iterative distribution transfer.
    ///
    /// **Randomness** Rotation i is uniform, from `stream.substream(i)`; the first is the identity.
    pub fn iterative(source: &Cells, target: &Cells, space: ColourSpace, stream: Stream) -> Self {
        let (mut from, to) = (Points::of(source, space), Points::of(target, space));
        let mut steps = Vec::with_capacity(ROTATIONS);
        for i in 0..ROTATIONS {
            let axes = if i == 0 { AXES } else { rotation(stream.substream(i as u64)) };
            let step = Rotated::between(axes, &from, &to);
            from.0.iter_mut().for_each(|x| *x = step.at(*x));
            steps.push(step);
        }
        Self { steps, affine: None }
    }

    pub fn at(&self, mut x: [f64; 3]) -> [f64; 3] {
        for (i, step) in self.steps.iter().enumerate() {
            x = step.at(x);
            if let Some(affine) = self.affine.as_ref().filter(|_| i == 0) {
                x = affine.at(x);
            }
        }
        x
    }
}

/// A uniformly random rotation: Gram–Schmidt of normal vectors.
fn rotation(stream: Stream) -> [[f64; 3]; 3] {
    let mut normals = Tensor::<f64>::zeros(&[2, 3]);
    normals.fill_normal(stream, 1.0);
    let unit = |x: [f64; 3]| x.map(|value| value / libm::sqrt(dot(x, x)));
    let array = |i: usize| [normals.row(i)[0], normals.row(i)[1], normals.row(i)[2]];
    let first = unit(array(0));
    let along = dot(first, array(1));
    let second = unit(core::array::from_fn(|k| array(1)[k] - along * first[k]));
    let third = core::array::from_fn(|k| {
        let (l, m) = ((k + 1) % 3, (k + 2) % 3);
        first[l] * second[m] - first[m] * second[l]
    });
    [first, second, third]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rotation_of_iterative_transfer_lowers_the_sliced_distance() {
        let cloud = |seed: u64, scale: [f64; 3]| {
            let mut x = Tensor::<f64>::zeros(&[2000, 3]);
            x.fill_normal(Stream::named(seed, "synthetic"), 0.1);
            let colour = |row: &[f64]| {
                // A curved cloud: no affine map gives it the distribution of the other.
                let bent = row[0] + 3.0 * row[1] * row[1];
                [bent * scale[0], row[1] * scale[1], row[2] * scale[2]].map(|x| 0.5 + x)
            };
            let colours: Vec<_> = x.data().chunks_exact(3).map(colour).collect();
            Points(colours, vec![1.0 / 2000.0; 2000])
        };
        let (mut from, to) = (cloud(1, [1.0, 0.5, 1.0]), cloud(2, [-0.7, 1.2, 0.4]));
        let sliced = |from: &Points| {
            let along = |points: &Points, axis: [f64; 3]| {
                let mut x: Vec<f64> = points.0.iter().map(|&x| dot(axis, x)).collect();
                x.sort_by(f64::total_cmp);
                x
            };
            let each = |i: u64| {
                let axis = rotation(Stream::named(3, "evaluate").substream(i))[0];
                let pairs = along(from, axis).into_iter().zip(along(&to, axis));
                pairs.map(|(x, y)| (x - y) * (x - y)).sum::<f64>() / 2000.0
            };
            libm::sqrt((0..40).map(each).sum::<f64>() / 40.0)
        };
        let (mut last, first) = (sliced(&from), sliced(&from));
        for i in 0..8 {
            let step = Rotated::between(rotation(Stream::named(4, "evaluate").substream(i)), &from, &to);
            from.0.iter_mut().for_each(|x| *x = step.at(*x));
            let now = sliced(&from);
            assert!(now < last + 0.002, "rotation {i}: {last} rises to {now}");
            last = now;
        }
        assert!(last < 0.15 * first, "{first} falls to {last}");
    }
}
