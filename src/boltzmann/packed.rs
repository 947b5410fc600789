//! The parameters of a machine in the layout of the binary kernels.

use super::Rbm;
use super::link::Weights;
use crate::aligned::Aligned;
use crate::parallel::{Chunks, for_each_split};
use crate::tensor::{Element, Tensor};
use equilibria_kernels::Level;
use equilibria_kernels::binary::{PANEL, TILE, panel_units, panels, transpose_tile};

/// A matrix of weights in tiles of 64 x 64, in both orientations.
///
/// Tile (q, p) holds the weights between column panel q and row panel p; padding is 0. All tiles of a column panel are
/// contiguous, so that one thread can update them.
#[derive(Debug, Clone)]
pub(crate) struct Tiles<T: Element> {
    pub rows: usize,
    pub columns: usize,
    /// Row i of tile (q, p) belongs to row unit 64 p + i.
    pub forward: Aligned<T>,
    /// Row j of tile (q, p) belongs to column unit 64 q + j.
    pub backward: Aligned<T>,
}

impl<T: Element> Tiles<T> {
    /// Zeros.
    pub fn new(rows: usize, columns: usize) -> Self {
        let len = panels(rows) * panels(columns) * TILE;
        Self { rows, columns, forward: Aligned::zeros(len), backward: Aligned::zeros(len) }
    }

    /// Copies `matrix` (rows, columns) into the tiles.
    pub fn read(&mut self, matrix: &[T]) {
        pack_tiles(matrix, self.columns, &mut self.forward);
        for (from, to) in self.forward.chunks_exact(TILE).zip(self.backward.chunks_exact_mut(TILE)) {
            transpose_tile(Level::detect(), from, to);
        }
    }

    /// Copies the transpose of the weights, `matrix` (columns, rows), into the tiles.
    pub fn read_transposed(&mut self, matrix: &[T]) {
        let row_panels = panels(self.rows);
        for (j, row) in matrix.chunks_exact(self.rows).enumerate() {
            for (p, row) in row.chunks(PANEL).enumerate() {
                let place = (j / PANEL * row_panels + p) * TILE + j % PANEL * PANEL;
                self.backward[place..place + row.len()].copy_from_slice(row);
            }
        }
        for (from, to) in self.backward.chunks_exact(TILE).zip(self.forward.chunks_exact_mut(TILE)) {
            transpose_tile(Level::detect(), from, to);
        }
    }

    /// Copies the weights to `matrix` (rows, columns).
    pub fn write(&self, matrix: &mut [T]) {
        let row_panels = panels(self.rows);
        write_tiles(&self.forward, [1, row_panels], self.columns, matrix);
    }

    /// Copies the transpose of the weights to `matrix` (columns, rows).
    pub fn write_transposed(&self, matrix: &mut [T]) {
        let row_panels = panels(self.rows);
        write_tiles(&self.backward, [row_panels, 1], self.rows, matrix);
    }

    /// The weights from the row units to the column panels.
    pub fn to_columns(&self) -> Weights<'_, T> {
        Weights { data: &self.forward, panel_stride: panels(self.rows) * TILE, tile_stride: TILE }
    }

    /// The weights from the column units to the row panels.
    pub fn to_rows(&self) -> Weights<'_, T> {
        Weights { data: &self.backward, panel_stride: TILE, tile_stride: panels(self.rows) * TILE }
    }
}

#[cfg(test)]
impl<T: Element> Tiles<T> {
    /// True if the padding is 0 in both orientations and in `velocity`.
    pub fn has_zero_padding(&self, velocity: &[T]) -> bool {
        let row_panels = panels(self.rows);
        let is_zero_in = |tiles: &[T], is_transposed: bool| {
            tiles.iter().enumerate().all(|(place, &weight)| {
                let (tile, inside) = (place / TILE, place % TILE);
                let [mut row, mut column] = [inside / PANEL, inside % PANEL];
                if is_transposed {
                    core::mem::swap(&mut row, &mut column);
                }
                let (row, column) = (tile % row_panels * PANEL + row, tile / row_panels * PANEL + column);
                (row < self.rows && column < self.columns) || weight == T::ZERO
            })
        };
        is_zero_in(&self.forward, false) && is_zero_in(&self.backward, true) && is_zero_in(velocity, false)
    }
}

/// A restricted machine: the rows of the weights are the visible units, the columns the hidden ones.
#[derive(Debug, Clone)]
pub(crate) struct PackedRbm<T: Element> {
    pub weight: Tiles<T>,
    pub visible_bias: Aligned<T>,
    pub hidden_bias: Aligned<T>,
}

impl<T: Element> PackedRbm<T> {
    pub fn new(model: &Rbm<T>) -> Self {
        let (visible, hidden) = (model.visible(), model.hidden());
        let mut packed = Self {
            weight: Tiles::new(visible, hidden),
            visible_bias: Aligned::zeros(visible),
            hidden_bias: Aligned::zeros(hidden),
        };
        packed.read(model);
        packed
    }

    /// Copies the parameters of `model`, which has the same sizes.
    pub fn read(&mut self, model: &Rbm<T>) {
        self.weight.read(model.weight().data());
        self.visible_bias.copy_from_slice(model.visible_bias().data());
        self.hidden_bias.copy_from_slice(model.hidden_bias().data());
    }

    /// A copy as a machine, whose parameters may not be finite.
    pub fn model(&self) -> Rbm<T> {
        let [visible, hidden] = [self.visible(), self.hidden()];
        let mut parameters =
            [Tensor::zeros(&[visible, hidden]), Tensor::zeros(&[visible]), Tensor::zeros(&[hidden])];
        let [weight, visible_bias, hidden_bias] = parameters.each_mut().map(Tensor::data_mut);
        unpack_tiles(&self.weight.forward, hidden, weight);
        visible_bias.copy_from_slice(&self.visible_bias);
        hidden_bias.copy_from_slice(&self.hidden_bias);
        Rbm::unchecked(parameters)
    }

    pub fn visible(&self) -> usize {
        self.weight.rows
    }

    pub fn hidden(&self) -> usize {
        self.weight.columns
    }

    /// The weights from the visible units to the hidden panels.
    pub fn to_hidden(&self) -> Weights<'_, T> {
        self.weight.to_columns()
    }

    /// The weights from the hidden units to the visible panels.
    pub fn to_visible(&self) -> Weights<'_, T> {
        self.weight.to_rows()
    }
}

/// The position of row `i` of a matrix with `columns` columns: pairs of ranges in the row and in the tiles.
fn places(i: usize, columns: usize, tiles: usize) -> impl Iterator<Item = [core::ops::Range<usize>; 2]> {
    let row_tiles = tiles / TILE / panels(columns);
    (0..panels(columns)).map(move |q| {
        let (first, units) = (q * PANEL, panel_units(columns, q));
        let place = (q * row_tiles + i / PANEL) * TILE + i % PANEL * PANEL;
        [first..first + units, place..place + units]
    })
}

/// Copies a matrix into tiles (column panels, row panels).
pub(crate) fn pack_tiles<T: Element>(matrix: &[T], columns: usize, tiles: &mut [T]) {
    for (i, row) in matrix.chunks_exact(columns).enumerate() {
        for [in_row, in_tiles] in places(i, columns, tiles.len()) {
            tiles[in_tiles].copy_from_slice(&row[in_row]);
        }
    }
}

/// Copies tiles back into a matrix; the inverse of [`pack_tiles`].
pub(crate) fn unpack_tiles<T: Element>(tiles: &[T], columns: usize, matrix: &mut [T]) {
    for (i, row) in matrix.chunks_exact_mut(columns).enumerate() {
        for [in_row, in_tiles] in places(i, columns, tiles.len()) {
            row[in_row].copy_from_slice(&tiles[in_tiles]);
        }
    }
}

/// Copies tiles to a matrix with `columns` columns. The tile of row panel p and column panel q is number `strides[0]
/// p + strides[1] q`.
fn write_tiles<T: Element>(tiles: &[T], strides: [usize; 2], columns: usize, matrix: &mut [T]) {
    let row_panels = (matrix.len() / columns).div_ceil(PANEL);
    let in_parallel = tiles.len() >= PARALLEL_FROM;
    let panel = PANEL * columns;
    for_each_split(row_panels, in_parallel, Chunks(matrix, panel), &|p, rows: Chunks<'_, T>| {
        for (i, row) in rows.0.chunks_exact_mut(columns).enumerate() {
            for (q, row) in row.chunks_mut(PANEL).enumerate() {
                let place = (strides[0] * p + strides[1] * q) * TILE + i * PANEL;
                row.copy_from_slice(&tiles[place..place + row.len()]);
            }
        }
    });
}

/// Number of weights from which copying with a second thread is worthwhile.
const PARALLEL_FROM: usize = 100_000;
