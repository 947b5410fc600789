//! The costs between the places that remain, seen from either side, in f64.

use super::super::Cost;
use super::super::cost::{self, Ground};
use super::super::pause::rows_of_work;
use crate::tensor::Element;
use alloc::vec::Vec;
use equilibria_kernels::Level;
use equilibria_kernels::softmin::{Pairs, Source, largest_of_blocks};

/// Places of a block, of which the smallest price is known.
pub(super) const BLOCK: usize = 32;

/// The costs between n sources and m targets.
pub(super) struct Problem<'a, T> {
    near: Side,
    far: Side,
    costs: Costs<'a, T>,
}

/// The places of one side.
enum Side {
    /// Points by coordinate, (d, count).
    Points { count: usize, values: Vec<f64> },
    /// The place of each row or column in the matrix.
    Offsets(Vec<usize>),
}

#[derive(Clone, Copy)]
enum Costs<'a, T> {
    Points(Ground),
    /// Costs, and the largest one that is used.
    Matrix(&'a [T], f64),
}

impl Side {
    fn len(&self) -> usize {
        match self {
            Self::Points { count, .. } => *count,
            Self::Offsets(offsets) => offsets.len(),
        }
    }

    fn part(&self, places: &[u32]) -> Self {
        match self {
            Self::Points { count, values } => Self::Points {
                count: places.len(),
                values: values
                    .chunks_exact(*count)
                    .flat_map(|x| places.iter().map(|&i| x[i as usize]))
                    .collect(),
            },
            Self::Offsets(offsets) => Self::Offsets(places.iter().map(|&i| offsets[i as usize]).collect()),
        }
    }
}

impl<'a, T: Element> Problem<'a, T> {
    /// The problem between some rows and some columns. A cost of a matrix above `cap` counts as `cap`.
    pub fn new(cost: &Cost<'a, T>, rows: &[u32], columns: &[u32], cap: f64) -> Self {
        match cost.source() {
            cost::Source::Matrix(values) => {
                let stride = cost.columns();
                Self {
                    near: Side::Offsets(rows.iter().map(|&i| i as usize * stride).collect()),
                    far: Side::Offsets(columns.iter().map(|&j| j as usize).collect()),
                    costs: Costs::Matrix(values, cap),
                }
            }
            cost::Source::Points(points) => {
                let side = |by_coordinate: &[T], count: usize, places: &[u32]| Side::Points {
                    count: places.len(),
                    values: by_coordinate
                        .chunks_exact(count)
                        .flat_map(|x| places.iter().map(|&i| x[i as usize].to_f64()))
                        .collect(),
                };
                Self {
                    near: side(&points.x.by_coordinate, cost.rows(), rows),
                    far: side(&points.y.by_coordinate, cost.columns(), columns),
                    costs: Costs::Points(points.ground),
                }
            }
        }
    }

    /// The problem between some of the sources and some of the targets.
    #[must_use]
    pub fn part(&self, sources: &[u32], targets: &[u32]) -> Self {
        Self { near: self.near.part(sources), far: self.far.part(targets), costs: self.costs }
    }

    /// The number of sources, n.
    pub fn sources(&self) -> usize {
        self.near.len()
    }

    /// The number of targets, m.
    pub fn targets(&self) -> usize {
        self.far.len()
    }

    /// The costs as each source sees them.
    pub fn source_view(&self) -> View<'_, 'a, T> {
        View { near: &self.near, far: &self.far, costs: self.costs }
    }

    /// The costs as each target sees them.
    pub fn target_view(&self) -> View<'_, 'a, T> {
        View { near: &self.far, far: &self.near, costs: self.costs }
    }
}

/// The costs between each place of one side and all places of the other.
#[derive(Clone, Copy)]
pub(super) struct View<'b, 'a, T> {
    near: &'b Side,
    far: &'b Side,
    costs: Costs<'a, T>,
}

impl<T: Element> View<'_, '_, T> {
    /// The number of places of this side.
    pub fn near(&self) -> usize {
        self.near.len()
    }

    /// The number of places whose prices are computed between two questions to the caller.
    pub fn rows_between(&self) -> usize {
        let d = match self.far {
            Side::Points { count, values } => values.len() / count.max(&1),
            Side::Offsets(_) => 1,
        };
        rows_of_work(self.far.len(), d)
    }

    /// Computes the costs of place i to the places of the other side from `first` on.
    pub fn costs(&self, i: usize, first: usize, out: &mut [f64]) {
        match (self.near, self.far, self.costs) {
            (Side::Offsets(near), Side::Offsets(far), Costs::Matrix(values, cap)) => {
                for (out, offset) in out.iter_mut().zip(&far[first..]) {
                    *out = values[near[i] + offset].to_f64().min(cap);
                }
            }
            (
                Side::Points { count, values: x },
                Side::Points { count: m, values: y },
                Costs::Points(ground),
            ) => {
                out.fill(0.0);
                for (k, x) in x.chunks_exact(*count).enumerate() {
                    let (x, y) = (x[i], &y[k * m + first..][..out.len()]);
                    for (j, out) in out.iter_mut().enumerate() {
                        let z = x - y[j];
                        *out += if ground == Ground::CityBlock { z.abs() } else { z * z };
                    }
                }
                if ground == Ground::Euclidean {
                    out.iter_mut().for_each(|out| *out = libm::sqrt(*out));
                }
            }
            _ => unreachable!("both sides have the same kind of places"),
        }
    }

    /// The cost between place i and place j of the other side.
    pub fn cost(&self, i: usize, j: usize) -> f64 {
        let mut out = [0.0];
        self.costs(i, j, &mut out);
        out[0]
    }

    /// Computes the prices C_ij - g_j of place i for the places j of the other side from `first` on; `g` starts there.
    pub fn prices(&self, i: usize, first: usize, g: &[f64], out: &mut [f64]) {
        self.costs(i, first, out);
        let g = &g[..out.len()];
        out.iter_mut().enumerate().for_each(|(j, price)| *price -= g[j]);
    }

    /// The smallest price of each place from `first` on in each block of the other side, (places, blocks).
    pub fn block_minima(&self, first: usize, places: usize, g: &[f64], minima: &mut [f64]) {
        let (mut costs, mut x) = (Vec::new(), Vec::new());
        let source = match (self.near, self.far, self.costs) {
            (Side::Points { count, values }, Side::Points { count: m, values: y }, Costs::Points(ground)) => {
                let d = y.len() / m;
                let point = |i: usize| (0..d).map(move |k| values[k * count + i]);
                x.extend((first..first + places).flat_map(point));
                let (x, scale) = (&x[..], 1.0);
                match ground {
                    Ground::SquaredEuclidean => Source::SquaredEuclidean { x, y, d, scale },
                    Ground::Euclidean => Source::Euclidean { x, y, d, scale },
                    Ground::CityBlock => Source::CityBlock { x, y, d, scale },
                }
            }
            _ => {
                costs.resize(places * g.len(), 0.0);
                let rows = costs.chunks_exact_mut(g.len()).zip(first..);
                rows.for_each(|(row, i)| self.costs(i, 0, row));
                Source::Matrix { costs: &costs, scale: 1.0 }
            }
        };
        largest_of_blocks(Level::detect(), &Pairs { source, bias: g, rows: places }, BLOCK, minima);
        minima.iter_mut().for_each(|x| *x = -*x);
    }
}
