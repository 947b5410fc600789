//! The colours of all pixels of an image, as weighted points.
//!
//! A joint histogram of 64 x 64 x 64 cells of a cube of encoded colours keeps the mass and the mean colour of each cell. A photograph of
//! any size fills some thousand cells. [`Cells::palette`] merges them to a given number: a box of cells is split in two at its
//! mean, along the axis of the largest variance. The box with the largest squared error is the next (Heckbert 1982 with the
//! criterion of Wu 1991).

use super::area::Area;
use super::domain::Domain;
use super::image::ColourImage;
use super::space::ColourSpace;
use crate::{Error, Result, Tensor};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::array;

/// Cells along each axis.
const SIDE: usize = 64;

/// Weighted colours; their masses add up to 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cells {
    /// sRGB-encoded.
    pub colours: Vec<[f64; 3]>,
    pub masses: Vec<f64>,
}

/// `Err` unless there is one weight for each pixel, in `0..=most`.
pub(super) fn check_weights(
    image: &ColourImage,
    weights: Option<&[f32]>,
    most: f32,
    name: &str,
) -> Result<()> {
    let Some(weights) = weights else { return Ok(()) };
    if weights.len() != image.pixels() {
        return Err(Error::ShapeMismatch {
            operation: "a weight for each pixel",
            expected: vec![image.height(), image.width()],
            found: vec![weights.len()],
        });
    }
    match weights.iter().find(|x| !(0.0..=most).contains(*x) || x.is_infinite()) {
        Some(wrong) if most == 1.0 => {
            Err(Error::invalid(format!("{name} value {wrong}"), "it is between 0 and 1"))
        }
        Some(wrong) => Err(Error::invalid(format!("{name} {wrong}"), "it is a finite number of at least 0")),
        None => Ok(()),
    }
}

impl Cells {
    /// Counts the pixels of an area, each with its weight. The cells divide `domain`; colours outside are in those at its border.
    pub fn of(
        image: &ColourImage,
        weights: Option<&[f32]>,
        area: &Area,
        domain: Domain,
        name: &str,
    ) -> Result<Self> {
        check_weights(image, weights, f32::INFINITY, name)?;
        let bin = |x: f32| ((domain.place(x) * SIDE as f32) as usize).min(SIDE - 1);
        let parts = area.fold(
            image,
            || vec![[0.0_f64; 4]; SIDE * SIDE * SIDE],
            |cells, index, colour| {
                let weight = weights.map_or(1.0, |weights| f64::from(weights[index]));
                let cell = &mut cells[(bin(colour[0]) * SIDE + bin(colour[1])) * SIDE + bin(colour[2])];
                cell[0] += weight;
                for (sum, x) in cell[1..].iter_mut().zip(colour) {
                    *sum += weight * f64::from(x);
                }
            },
        );
        let sums = (0..SIDE * SIDE * SIDE)
            .map(|cell| parts.iter().fold([0.0; 4], |sum: [f64; 4], part| array(|i| sum[i] + part[cell][i])));
        let mut cells = Self { colours: Vec::new(), masses: Vec::new() };
        for [mass, r, g, b] in sums.filter(|sum| sum[0] > 0.0) {
            cells.colours.push([r / mass, g / mass, b / mass]);
            cells.masses.push(mass);
        }
        let total = cells.masses.iter().fold(0.0, |total, mass| total + mass);
        if !(total > 0.0 && total.is_finite()) {
            return Err(Error::invalid(
                format!("{name} with a sum of {total}"),
                "at least 1 pixel with a positive weight is needed",
            ));
        }
        cells.masses.iter_mut().for_each(|mass| *mass /= total);
        Ok(cells)
    }

    /// The colours in a space (cells, 3).
    pub fn points(&self, space: ColourSpace) -> Tensor<f64> {
        let values = self.colours.iter().flat_map(|&colour| space.from_srgb(colour)).collect();
        Tensor::from_vec(&[self.colours.len(), 3], values).expect("three coordinates a colour")
    }

    /// At most `count` colours with the masses of these, each the mean of similar ones.
    #[must_use]
    pub fn palette(&self, count: usize, space: ColourSpace) -> Self {
        let points = self.points(space);
        let mut order: Vec<usize> = (0..self.masses.len()).collect();
        let mut boxes = vec![Group::new(0, order.len(), &order, &points, &self.masses)];
        while boxes.len() < count {
            // The first of the largest errors: the result does not depend on anything but the colours.
            let worst = (0..boxes.len()).rev().max_by(|&i, &j| boxes[i].error.total_cmp(&boxes[j].error));
            let Some(worst) = worst.filter(|&worst| boxes[worst].error > 0.0) else { break };
            let Group { start, end, axis, mean, .. } = boxes[worst];
            order[start..end].sort_unstable_by(|&i, &j| {
                points.row(i)[axis].total_cmp(&points.row(j)[axis]).then(i.cmp(&j))
            });
            let middle = start + order[start..end].partition_point(|&i| points.row(i)[axis] < mean);
            if middle == start || middle == end {
                boxes[worst].error = 0.0;
                continue;
            }
            boxes[worst] = Group::new(start, middle, &order, &points, &self.masses);
            boxes.push(Group::new(middle, end, &order, &points, &self.masses));
        }
        let mut merged = Self { colours: Vec::new(), masses: Vec::new() };
        for group in &boxes {
            let members = &order[group.start..group.end];
            let mass: f64 = members.iter().map(|&i| self.masses[i]).sum();
            let mean =
                |axis| members.iter().map(|&i| self.masses[i] * self.colours[i][axis]).sum::<f64>() / mass;
            merged.colours.push([mean(0), mean(1), mean(2)]);
            merged.masses.push(mass);
        }
        merged
    }
}

/// A box of cells.
struct Group {
    start: usize,
    end: usize,
    /// The sum of the squared distances from the mean, weighted by mass.
    error: f64,
    /// The axis of the largest variance, and the mean along it.
    axis: usize,
    mean: f64,
}

impl Group {
    fn new(start: usize, end: usize, order: &[usize], points: &Tensor<f64>, masses: &[f64]) -> Self {
        let (mut total, mut first, mut second) = (0.0, [0.0; 3], [0.0; 3]);
        for &i in &order[start..end] {
            total += masses[i];
            for (axis, &x) in points.row(i).iter().enumerate() {
                first[axis] += masses[i] * x;
                second[axis] += masses[i] * x * x;
            }
        }
        let errors: [f64; 3] = core::array::from_fn(|axis| second[axis] - first[axis] * first[axis] / total);
        let axis = (0..3).rev().max_by(|&i, &j| errors[i].total_cmp(&errors[j])).unwrap_or(0);
        let error = if end - start > 1 { errors.iter().sum::<f64>().max(0.0) } else { 0.0 };
        Self { start, end, error, axis, mean: first[axis] / total }
    }
}
