//! What filters look like, in numbers: the weights of each hidden unit taken as a picture.
//!
//! Words such as "larger", "noisier" and "focuses on loops" become measures of a filter w of N pixels, height by width.
//! None depends on the scale or the sign of w, so machines with weights of other sizes compare:
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
//! What each is of a known picture (a point, a plane, a wave packet, a ring, noise) is tested in `filters/tests.rs`. A
//! unit of a higher layer *combines* the filters below it: [`inputs_used`] says how many, and [`best_match`] how much of
//! its projection to pixels a single filter would give as well. How sets of filters compare is in [`compare`].

pub mod compare;
mod lobes;
mod loops;
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

/// A filter of less than so much of the median norm is dead: next to the others it does nothing.
const DEAD: f64 = 0.1;
/// Of the normal distribution: the median of |x| in standard deviations.
const MEDIAN_DEVIATION: f64 = 0.674_489_750_196_081_7;

/// What is measured of a filter; the module says how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Measure {
    /// Pixels, from 1 (a point) to all (a plane); a third of them for normal noise.
    Area,
    /// A share, from that of the disc in the image (a plane) to 1.
    Concentration,
    /// A count, from 1.
    Lobes,
    /// A share of the root mean square: 0 where w is smooth nearly everywhere, 1 for normal noise, 3.95 for a
    /// chessboard.
    Noise,
    /// A share, from 0 (a plane) to 1 (a chessboard); for white noise that of the frequencies, about 0.8.
    FinePower,
    /// A share, from 0 to 1 (a loop).
    Loop,
    /// A share, from 0 to 1 (rings around the middle of the image).
    Centred,
}

impl Measure {
    /// All of them, in the order in which tables show them.
    pub const ALL: [Self; 7] = [
        Self::Area,
        Self::Concentration,
        Self::Lobes,
        Self::Noise,
        Self::FinePower,
        Self::Loop,
        Self::Centred,
    ];

    /// In a word or two.
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

    /// Of its values.
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

/// A set of filters, measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Euclidean norms of all filters, in their order.
    pub norms: Vec<f64>,
    /// Filters that are not dead, rising; what is measured is measured of them.
    pub alive: Vec<usize>,
    /// For each of [`Measure::ALL`], its values.
    values: [Vec<f64>; Measure::ALL.len()],
    is_dark_inside: Vec<bool>,
}

impl Measured {
    /// Measures the filters of a machine. A filter is dead, and left out, if its norm is less than a tenth of the median
    /// norm, or 0.
    ///
    /// **Shapes** `weight` (height x width, filters), a filter a column.
    /// **Errors** [`Error::ShapeMismatch`] if the pixels do not fit; [`Error::InvalidArgument`] if an image has fewer than 3
    /// pixels a side, which noise cannot be told of.
    /// **Accuracy and cost** In f64; about half a millisecond a filter of 28 x 28 pixels and thread, nearly all of it for
    /// loops. The numbers do not depend on the threads.
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
        let mut filters = rows_of(weight);
        let norms: Vec<f64> = filters.chunks_exact(pixels).map(|w| libm::sqrt(energy(w))).collect();
        let least = DEAD * Quartiles::of(&norms).median;
        let alive: Vec<usize> = (0..count).filter(|&i| norms[i] > 0.0 && norms[i] >= least).collect();
        let gauge = Gauge::new(height, width);
        let mut rows = vec![[0.0; Measure::ALL.len()]; count];
        let mut is_dark = vec![false; count];
        for_each_row((&mut filters, pixels), (&mut rows, 1), &mut is_dark, |i, filter, row, is_dark| {
            if alive.binary_search(&i).is_ok() {
                // Sums of fourth powers of tiny weights would vanish.
                filter.iter_mut().for_each(|w| *w /= norms[i]);
                (row[0], *is_dark) = gauge.measure(filter);
            }
        });
        let values = core::array::from_fn(|measure| alive.iter().map(|&i| rows[i][measure]).collect());
        let is_dark_inside = alive.iter().map(|&i| is_dark[i]).collect();
        Ok(Self { norms, alive, values, is_dark_inside })
    }

    /// The values of all filters that are not dead.
    pub fn values(&self, measure: Measure) -> &[f64] {
        &self.values[measure as usize]
    }

    /// Of each of them, whether the inside of its best loop is negative, hence dark.
    pub fn is_dark_inside(&self) -> &[bool] {
        &self.is_dark_inside
    }

    /// The number of dead filters.
    pub fn dead(&self) -> usize {
        self.norms.len() - self.alive.len()
    }
}

/// What measuring needs to know of the shape of images.
struct Gauge {
    height: usize,
    width: usize,
    rings: Rings,
    low_pass: LowPass,
    /// Of each pixel, its distance to the middle of the image in whole pixels.
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
        let (loop_share, is_dark) = self.rings.best_loop(filter, height, width);
        let values = Measure::ALL.map(|measure| match measure {
            Measure::Area => participation(filter),
            Measure::Concentration => self.rings.concentration(filter, height, width),
            Measure::Lobes => lobes::count(filter, height, width) as f64,
            Measure::Noise => noise(filter, height, width),
            Measure::FinePower => self.low_pass.share_above(filter),
            Measure::Loop => loop_share,
            Measure::Centred => explained_by_groups(filter, &self.to_middle),
        });
        (values, is_dark)
    }
}

/// The columns of a matrix as rows, in f64.
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

/// The deviation of the noise in a filter, in units of its root mean square.
///
/// The mask takes second differences down and across: of planes and of straight edges along the axes nothing is left, of
/// white noise six times its deviation, as the mask's squares sum to 36 (Immerkaer 1996). The median does not see the few
/// pixels in which strokes leave something (Donoho 1995).
fn noise(filter: &[f64], height: usize, width: usize) -> f64 {
    let mut left = Vec::with_capacity((height - 2) * (width - 2));
    for y in 1..height - 1 {
        for x in 1..width - 1 {
            // [1 -2 1] across, in a row of the image.
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

/// The share of the energy that is left if each pixel has the mean of its group.
fn explained_by_groups(filter: &[f64], groups: &[usize]) -> f64 {
    let mut sums = vec![(0.0, 0.0); groups.iter().max().map_or(0, |last| last + 1)];
    for (&w, &group) in filter.iter().zip(groups) {
        sums[group].0 += w;
        sums[group].1 += 1.0;
    }
    let explained: f64 = sums.iter().filter(|(_, n)| *n > 0.0).map(|(sum, n)| sum * sum / n).sum();
    explained / energy(filter)
}

/// How many inputs each unit uses: (sum w^2)^2 / sum w^4 over its weights, from 1 to all of them; of normal weights a
/// third. Units without weights use 0.
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

/// The share of each picture's energy that the most alike of `filters` explains: the largest squared cosine.
///
/// **Shapes** `pictures` (pixels, units), `filters` (pixels, filters), one a column; the result (units). A picture or
/// filter of zeros is like none.
/// **Errors** [`Error::ShapeMismatch`] if the pixels differ.
/// **Accuracy and cost** In f64; a product of the two matrices.
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
