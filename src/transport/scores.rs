//! The pairs of a cost in the form that the kernels reduce: by rows or by columns, in f32 or f64, piece by piece.

use super::cost::{Cost, Ground, Side, Source, size};
use super::pause::{Pause, rows_of_work};
use crate::parallel::{Chunks, for_each_split};
use crate::tensor::Element;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::Level;
use equilibria_kernels::softmin::{self, Largest, Pairs, largest};

/// The direction of a reduction over all pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Over the columns of each row.
    Rows,
    /// Over the rows of each column.
    Columns,
}

/// Pairs in a piece: 1 MB of f64, which fits the second-level cache.
const PIECE: usize = 1 << 17;

/// The scores of pairs for the kernels, s_ij = bias_j - scale C_ij up to a shift of each row, computed in U.
///
/// In direction [`Direction::Columns`] the roles of rows and columns are exchanged.
pub(super) struct Scores<'c, T, U> {
    cost: &'c Cost<'c, T>,
    direction: Direction,
    scale: f64,
    bias: Vec<U>,
    /// Points only: those of the rows, multiplied by 2 scale for products.
    x: Vec<U>,
    /// Points only: those of the columns, by coordinate.
    y: Vec<U>,
    /// The term of each row that the kernel's scores lack: -scale |x_i|² for squared distances, none otherwise.
    shift: Vec<f64>,
}

impl<'c, T: Element, U: Element> Scores<'c, T, U> {
    /// **Panics** if the length of `bias` is not that of a row (or, by columns, of a column) of the costs.
    pub fn new(cost: &'c Cost<'c, T>, direction: Direction, scale: f64, bias: &[f64]) -> Self {
        let (_, columns) = Self::shape(cost, direction);
        assert_eq!(bias.len(), columns, "a potential beside {columns} places");
        let mut scores = Self {
            cost,
            direction,
            scale,
            bias: Vec::new(),
            x: Vec::new(),
            y: Vec::new(),
            shift: Vec::new(),
        };
        let Source::Points(points) = &cost.source else {
            scores.bias = bias.iter().map(|&x| U::from_f64(x)).collect();
            return scores;
        };
        let (x, y) = match direction {
            Direction::Rows => (&points.x, &points.y),
            Direction::Columns => (&points.y, &points.x),
        };
        let squares = points.ground == Ground::SquaredEuclidean;
        let factor = if squares { 2.0 * scale } else { 1.0 };
        scores.x = x.by_point.iter().map(|x| U::from_f64(factor * x.to_f64())).collect();
        scores.y = y.by_coordinate.iter().map(|y| U::from_f64(y.to_f64())).collect();
        let minus_squares = |side: &Side<T>| {
            side.by_point.chunks_exact(points.d).map(|p| -scale * size(points.ground, p)).collect()
        };
        let own: Vec<f64> = if squares { minus_squares(y) } else { vec![0.0; columns] };
        scores.bias = bias.iter().zip(own).map(|(bias, own)| U::from_f64(bias + own)).collect();
        scores.shift = if squares { minus_squares(x) } else { Vec::new() };
        scores
    }

    fn shape(cost: &Cost<T>, direction: Direction) -> (usize, usize) {
        match direction {
            Direction::Rows => (cost.rows(), cost.columns()),
            Direction::Columns => (cost.columns(), cost.rows()),
        }
    }

    /// The term of row i that the kernel's scores lack.
    pub fn shift(&self, i: usize) -> f64 {
        self.shift.get(i).copied().unwrap_or(0.0)
    }

    /// Calls `run(pairs, i, out)` for pieces of consecutive rows starting at row i, with the `width` places of each row in
    /// `out`. Pieces depend on the shape alone. Ends early if `pause` says so.
    ///
    /// **Panics** if `out` has another length.
    pub fn for_each_piece<R: Send>(
        &self,
        out: &mut [R],
        width: usize,
        pause: &mut Pause,
        run: &(impl Fn(&Pairs<'_, U>, usize, &mut [R]) + Sync),
    ) {
        let (rows, columns) = Self::shape(self.cost, self.direction);
        assert_eq!(Some(out.len()), rows.checked_mul(width), "results of {rows} places");
        let piece = (PIECE / columns).next_multiple_of(4).max(4);
        let d = match &self.cost.source {
            Source::Matrix(_) => 1,
            Source::Points(points) => points.d,
        };
        let between = rows_of_work(columns, d).next_multiple_of(piece);
        for (block, out) in out.chunks_mut(between * width).enumerate() {
            if block > 0 && !pause.proceeds() {
                return;
            }
            self.for_each_piece_from(block * between, out, (width, piece), run);
        }
    }

    /// The pieces of `piece` rows from row `start` on.
    fn for_each_piece_from<R: Send>(
        &self,
        start: usize,
        out: &mut [R],
        (width, piece): (usize, usize),
        run: &(impl Fn(&Pairs<'_, U>, usize, &mut [R]) + Sync),
    ) {
        let pieces = out.len().div_ceil(piece * width);
        for_each_split(pieces, true, Chunks(out, piece * width), &|index, out| {
            let (first, count) = (start + index * piece, out.0.len() / width);
            let mut with = |source| run(&Pairs { source, bias: &self.bias, rows: count }, first, out.0);
            match &self.cost.source {
                Source::Matrix(values) => {
                    let costs = self.costs(values, first, count);
                    with(softmin::Source::Matrix { costs: &costs, scale: U::from_f64(self.scale) });
                }
                Source::Points(points) => {
                    let (d, scale) = (points.d, U::from_f64(self.scale));
                    let (x, y) = (&self.x[first * d..][..count * d], &self.y[..]);
                    with(match points.ground {
                        Ground::SquaredEuclidean => softmin::Source::Products { x, y, d },
                        Ground::Euclidean => softmin::Source::Euclidean { x, y, d, scale },
                        Ground::CityBlock => softmin::Source::CityBlock { x, y, d, scale },
                    });
                }
            }
        });
    }

    /// The costs of `count` rows of the direction.
    fn costs(&self, values: &[T], first: usize, count: usize) -> Vec<U> {
        let convert = |x: &T| U::from_f64(x.to_f64());
        let (n, m) = (self.cost.rows(), self.cost.columns());
        match self.direction {
            Direction::Rows => values[first * m..][..count * m].iter().map(convert).collect(),
            Direction::Columns => {
                let mut costs = vec![U::ZERO; count * n];
                for (i, row) in values.chunks_exact(m).enumerate() {
                    for (j, x) in row[first..first + count].iter().enumerate() {
                        costs[j * n + i] = convert(x);
                    }
                }
                costs
            }
        }
    }
}

impl<T: Element> Cost<'_, T> {
    /// The smallest C_ij - g_j of each row, in f64, and the first column that has it.
    ///
    /// **Shapes** `g` (m), `least` and `place` (n).
    ///
    /// **Panics** if a length does not match.
    ///
    /// **Accuracy and cost** Within a few ULP of the largest cost in f64, O(n m d). The result does not depend on the
    /// number of threads.
    pub fn row_minima(&self, g: &[f64], least: &mut [f64], place: &mut [u32]) {
        minima(self, Direction::Rows, g, (least, place), &mut Pause::never());
    }

    /// The smallest C_ij - f_i of each column, in f64, and the first row that has it.
    ///
    /// **Shapes** `f` (n), `least` and `place` (m).
    ///
    /// **Panics** if a length does not match.
    ///
    /// **Accuracy and cost** As [`Cost::row_minima`].
    pub fn column_minima(&self, f: &[f64], least: &mut [f64], place: &mut [u32]) {
        minima(self, Direction::Columns, f, (least, place), &mut Pause::never());
    }
}

/// The smallest cost minus potential of each row of the direction, and its place.
pub(super) fn minima<T: Element>(
    cost: &Cost<T>,
    direction: Direction,
    potential: &[f64],
    (least, place): (&mut [f64], &mut [u32]),
    pause: &mut Pause,
) {
    assert_eq!(least.len(), place.len(), "minima and their places");
    let scores = Scores::<T, f64>::new(cost, direction, 1.0, potential);
    let mut found = vec![Largest::default(); least.len()];
    scores.for_each_piece(&mut found, 1, pause, &|pairs, _, out| largest(Level::detect(), pairs, out));
    for (i, found) in found.iter().enumerate() {
        (least[i], place[i]) = (-(found.score + scores.shift(i)), found.column);
    }
}
