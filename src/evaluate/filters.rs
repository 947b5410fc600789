//! Numerical measures of filters: the weights of each hidden unit, taken as a picture.
//!
//! Words such as "larger", "noisier" and "focuses on loops" become measures of a filter w of N pixels (height x width).
//! No measure depends on the scale or the sign of w, so machines with weights of different sizes can be compared:
//!
//! ```text
//! area           (sum w^2)^2 / sum w^4: the number of pixels that hold the energy, if they held it evenly
//! concentration  the largest share of the energy sum w^2 within 4 pixels of a pixel
//! lobes          patches of one sign where |w|, smoothed, is at least half of its largest
//! noise          median |L w| / (6 * 0.6745) / sqrt(sum w^2 / N), L the mask [1 -2 1; -2 4 -2; 1 -2 1]
//! fine power     the share of the power of the Fourier transform above 1/4 cycle a pixel
//! loop           the largest share of the energy that a disc of one sign in a closed ring of the other explains
//! centred        the share of the energy that the distance to the middle of the image explains
//! ```
//!
//! `filters/tests.rs` checks each measure on known pictures: a point, a plane, a wave packet, a ring, noise.
//!
//! A unit of a higher layer *combines* the filters below it. [`inputs_used`] counts how many it combines.
//! [`best_match`] gives the share of its projection to pixels that a single filter explains. [`compare`] compares sets
//! of filters.

pub mod claims;
pub mod compare;
mod lobes;
mod loops;
pub mod sets;
mod spectrum;
#[cfg(test)]
mod tests;

use crate::parallel::for_each_row;
use crate::tensor::{Element, Tensor};
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use compare::Quartiles;
use loops::Rings;
use spectrum::LowPass;

/// A filter with a norm below this share of the median norm is dead: it has almost no effect next to the others.
const DEAD: f64 = 0.1;
/// The median of |x| for a normal distribution, in standard deviations.
const MEDIAN_DEVIATION: f64 = 0.674_489_750_196_081_7;

/// A measure of a filter; the module documentation gives the formulas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Measure {
    /// Number of pixels, from 1 (a point) to all (a plane); a third of all for normal noise.
    Area,
    /// Share of the energy, from the disc's share of the image's pixels (a plane) to 1.
    Concentration,
    /// Number of patches, from 1.
    Lobes,
    /// Share of the root mean square: 0 if w is smooth nearly everywhere, 1 for normal noise, 3.95 for a chessboard.
    Noise,
    /// Share of the power, from 0 (a plane) to 1 (a chessboard); for white noise the share of these frequencies, about
    /// 0.8.
    FinePower,
    /// Share of the energy, from 0 to 1 (a loop).
    Loop,
    /// Share of the energy, from 0 to 1 (rings around the middle of the image).
    Centred,
}

impl Measure {
    /// All measures, in the order of the columns in tables.
    pub const ALL: [Self; 7] = [
        Self::Area,
        Self::Concentration,
        Self::Lobes,
        Self::Noise,
        Self::FinePower,
        Self::Loop,
        Self::Centred,
    ];

    /// The name, one or two words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Area => "area",
            Self::Concentration => "concentration",
            Self::Lobes => "lobes",
            Self::Noise => "noise",
            Self::FinePower => "fine power",
            Self::Loop => "loop",
            Self::Centred => "centred",
        }
    }

    /// The unit of the values.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Area => "pixels",
            Self::Lobes => "count",
            Self::Noise => "share of rms",
            Self::FinePower => "share of power",
            Self::Concentration | Self::Loop | Self::Centred => "share of energy",
        }
    }
}

/// The measures of a set of filters.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Euclidean norms of all filters, in the order of the filters.
    pub norms: Vec<f64>,
    /// Indices of the filters that are not dead, rising. Only these filters are measured.
    pub alive: Vec<usize>,
    /// For each of [`Measure::ALL`], the values of the filters in `alive`.
    values: [Vec<f64>; Measure::ALL.len()],
    is_dark_inside: Vec<bool>,
}

impl Measured {
    /// Measures the filters of a machine.
    ///
    /// A filter is dead, and is not measured, if its norm is 0 or less than a tenth of the median norm.
    ///
    /// **Shapes** `weight` (height x width, filters), one filter per column.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the rows are not height x width; [`Error::InvalidArgument`] if a side has
    /// fewer than 3 pixels, too few for the noise mask, or a weight is not finite.
    ///
    /// **Accuracy and cost** In f64. About 0.5 ms per filter of 28 x 28 pixels and thread, nearly all of it for loops.
    /// The results do not depend on the number of threads.
    pub fn new<T: Element>(weight: &Tensor<T>, height: usize, width: usize) -> Result<Self> {
        if height < 3 || width < 3 {
            let given = format!("filters of {height}x{width} pixels");
            return Err(Error::invalid(given, "at least 3x3 are needed to measure one"));
        }
        let (pixels, count) = (weight.rows(), weight.columns());
        if height.checked_mul(width) != Some(pixels) {
            return Err(Error::ShapeMismatch {
                operation: "pixels of filters to measure",
                expected: vec![height, width],
                found: vec![pixels],
            });
        }
        if !weight.is_finite() {
            return Err(Error::invalid("weights to measure", "every number in them must be finite"));
        }
        let mut filters = rows_of(weight);
        let norms: Vec<f64> = filters.chunks_exact(pixels).map(|w| libm::sqrt(energy(w))).collect();
        let least = DEAD * Quartiles::of(&norms).median;
        let alive: Vec<usize> = (0..count).filter(|&i| norms[i] > 0.0 && norms[i] >= least).collect();
        let gauge = Gauge::new(height, width);
        let mut rows = vec![[0.0; Measure::ALL.len()]; count];
        let mut is_dark = vec![false; count];
        for_each_row((&mut filters, pixels), (&mut rows, 1), &mut is_dark, |i, filter, row, is_dark| {
            if alive.binary_search(&i).is_ok() {
                // Norm 1 keeps the fourth powers of tiny weights from underflowing to 0.
                filter.iter_mut().for_each(|w| *w /= norms[i]);
                (row[0], *is_dark) = gauge.measure(filter);
            }
        });
        let values = core::array::from_fn(|measure| alive.iter().map(|&i| rows[i][measure]).collect());
        let is_dark_inside = alive.iter().map(|&i| is_dark[i]).collect();
        Ok(Self { norms, alive, values, is_dark_inside })
    }

    /// The values of one measure for all filters that are not dead.
    pub fn values(&self, measure: Measure) -> &[f64] {
        &self.values[measure as usize]
    }

    /// For each of these filters, whether the inside of its best loop is negative (drawn dark).
    pub fn is_dark_inside(&self) -> &[bool] {
        &self.is_dark_inside
    }

    /// The number of dead filters.
    pub fn dead(&self) -> usize {
        self.norms.len() - self.alive.len()
    }
}

/// Quantities that depend on the image size only.
struct Gauge {
    height: usize,
    width: usize,
    rings: Rings,
    low_pass: LowPass,
    /// For each pixel, its distance to the middle of the image, rounded down to whole pixels.
    to_middle: Vec<usize>,
}

impl Gauge {
    fn new(height: usize, width: usize) -> Self {
        let middle = |size: usize| (size as f64 - 1.0) / 2.0;
        let distance = |pixel: usize| {
            let (y, x) = ((pixel / width) as f64 - middle(height), (pixel % width) as f64 - middle(width));
            libm::floor(libm::sqrt(y * y + x * x)) as usize
        };
        Self {
            height,
            width,
            rings: Rings::new(),
            low_pass: LowPass::new(height, width),
            to_middle: (0..height * width).map(distance).collect(),
        }
    }

    /// The measures of a filter of norm 1 in the order of [`Measure::ALL`], and whether its best loop is dark inside.
    fn measure(&self, filter: &[f64]) -> ([f64; Measure::ALL.len()], bool) {
        let (height, width) = (self.height, self.width);
        let energy = energy(filter);
        let (in_loop, is_dark) = self.rings.best_loop(filter, height, width);
        let values = Measure::ALL.map(|measure| match measure {
            Measure::Area => participation(filter),
            Measure::Concentration => self.rings.energy_in_disc(filter, height, width) / energy,
            Measure::Lobes => lobes::count(filter, height, width) as f64,
            Measure::Noise => noise(filter, height, width),
            Measure::FinePower => self.low_pass.share_above(filter, energy),
            Measure::Loop => in_loop / energy,
            Measure::Centred => explained_by_groups(filter, &self.to_middle),
        });
        (values, is_dark)
    }
}

/// The transposed matrix, in f64, row by row.
fn rows_of<T: Element>(weight: &Tensor<T>) -> Vec<f64> {
    let (rows, columns) = (weight.rows(), weight.columns());
    let mut out = vec![0.0; rows * columns];
    for (place, row) in weight.data().chunks_exact(columns.max(1)).enumerate() {
        for (column, x) in row.iter().enumerate() {
            out[column * rows + place] = x.to_f64();
        }
    }
    out
}

fn energy(filter: &[f64]) -> f64 {
    filter.iter().map(|w| w * w).sum()
}

/// (sum w^2)^2 / sum w^4, from 1 to the number of weights.
fn participation(weights: &[f64]) -> f64 {
    let squares = energy(weights);
    squares * squares / weights.iter().map(|w| w * w * w * w).sum::<f64>()
}

/// The standard deviation of the noise in a filter, in units of the filter's root mean square.
///
/// The mask takes second differences down and across. Planes and straight edges along the axes become 0. White noise
/// becomes six times its deviation, because the squares of the mask sum to 36 (Immerkaer 1996). The median ignores the
/// few pixels that strokes leave non-zero (Donoho 1995).
fn noise(filter: &[f64], height: usize, width: usize) -> f64 {
    let mut left = Vec::with_capacity((height - 2) * (width - 2));
    for y in 1..height - 1 {
        for x in 1..width - 1 {
            // The mask [1 -2 1] across a row of the image.
            let across = |row: usize| {
                let w = &filter[row * width + x - 1..][..3];
                w[0] - 2.0 * w[1] + w[2]
            };
            left.push((across(y - 1) - 2.0 * across(y) + across(y + 1)).abs());
        }
    }
    let root_mean_square = libm::sqrt(energy(filter) / filter.len() as f64);
    Quartiles::of(&left).median / (6.0 * MEDIAN_DEVIATION) / root_mean_square
}

/// The share of the energy that remains if each pixel is replaced by the mean of its group.
fn explained_by_groups(filter: &[f64], groups: &[usize]) -> f64 {
    let mut sums = vec![(0.0, 0.0); groups.iter().max().map_or(0, |last| last + 1)];
    for (&w, &group) in filter.iter().zip(groups) {
        sums[group].0 += w;
        sums[group].1 += 1.0;
    }
    let explained: f64 = sums.iter().filter(|(_, n)| *n > 0.0).map(|(sum, n)| sum * sum / n).sum();
    explained / energy(filter)
}

/// The number of inputs that each unit uses, (sum w^2)^2 / sum w^4 over its weights.
///
/// Ranges from 1 to the number of inputs; a third of them for normal weights. It is 0 for a unit whose weights are all
/// 0.
///
/// **Shapes** `weight` (inputs, units); the result (units).
pub fn inputs_used<T: Element>(weight: &Tensor<T>) -> Vec<f64> {
    let used = |w: &[f64]| {
        let norm = libm::sqrt(energy(w));
        let scaled: Vec<f64> = w.iter().map(|w| w / norm).collect();
        if norm > 0.0 { participation(&scaled) } else { 0.0 }
    };
    rows_of(weight).chunks_exact(weight.rows().max(1)).map(used).collect()
}

/// For each picture, the share of its energy that the most similar filter explains: the largest squared cosine.
///
/// **Shapes** `pictures` (pixels, units) and `filters` (pixels, filters), one per column; the result (units). A picture
/// or filter of zeros gives 0.
///
/// **Errors** [`Error::ShapeMismatch`] if the numbers of pixels differ.
///
/// **Accuracy and cost** In f64; one product of the two matrices.
pub fn best_match<T: Element>(pictures: &Tensor<T>, filters: &Tensor<T>) -> Result<Vec<f64>> {
    let normalised = |weight: &Tensor<T>| {
        let mut rows = rows_of(weight);
        for row in rows.chunks_exact_mut(weight.rows().max(1)) {
            let norm = libm::sqrt(energy(row));
            row.iter_mut().for_each(|w| *w = if norm > 0.0 { *w / norm } else { 0.0 });
        }
        Tensor::from_vec(&[weight.columns(), weight.rows()], rows)
    };
    let cosines = Tensor::product(normalised(pictures)?.view(), normalised(filters)?.view().transposed())?;
    let best = |row: &[f64]| row.iter().fold(0.0, |best: f64, cosine| best.max(cosine * cosine));
    Ok(cosines.data().chunks_exact(cosines.columns().max(1)).map(best).collect())
}
