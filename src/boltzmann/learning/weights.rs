//! The update of the weights between two layers, one column panel after another.

use super::centring::TileOffsets;
use super::gradient::Gradient;
use crate::boltzmann::packed::Tiles;
use crate::parallel::{Chunks, for_each_split};
use crate::tensor::Element;
use core::sync::atomic::{AtomicBool, Ordering};
use equilibria_kernels::Level;
use equilibria_kernels::binary::{PANEL, Step, TILE, Tile, panel_units, panels, update_tile};

/// The inputs of the update that all column panels share.
pub(super) struct WeightStep<'a, T: Element> {
    /// The rows of the phases to add up for each row unit.
    pub gradient: &'a Gradient<T>,
    /// Rows and factor of the positive and of the negative phase.
    pub phases: [(usize, T); 2],
    pub step: Step<T>,
    /// The centring terms of the two layers, (panels, 64) each; none in plain learning.
    pub offsets: Option<TileOffsets<'a, T>>,
    pub in_parallel: bool,
}

/// The weights to update, and buffers.
pub(super) struct WeightPlaces<'a, T: Element> {
    pub tiles: &'a mut Tiles<T>,
    /// The velocity, in the layout of the tiles.
    pub velocity: &'a mut [T],
    /// For each column panel, the numbers that the gradient adds up (rows of both phases, 64). The update fills them
    /// itself.
    pub values: &'a mut [T],
    /// Partial sums of the values, if the gradient uses tables.
    pub tables: &'a mut [T],
    /// The effect of the step on the biases (see [`Centring`](super::centring::Centring)); empty in plain learning.
    pub products: &'a mut [T],
}

impl<T: Element> WeightStep<'_, T> {
    /// Updates velocity and weights of all tiles. `fill(q, values)` writes the numbers of column panel q. Returns true
    /// if all weights are finite.
    pub fn run(&self, places: WeightPlaces<'_, T>, fill: &(impl Fn(usize, &mut [T]) + Sync)) -> bool {
        let WeightPlaces { tiles, velocity, values, tables, products } = places;
        let (rows, columns) = (tiles.rows, tiles.columns);
        let chunk = panels(rows) * TILE;
        let values_len = (self.phases[0].0 + self.phases[1].0) * PANEL;
        let values = &mut values[..panels(columns) * values_len];
        let products_len = products.len() / panels(columns);
        let pieces = (
            (Chunks(velocity, chunk), Chunks(products, products_len)),
            (
                (Chunks(values, values_len), Chunks(tables, self.gradient.tables_len)),
                (Chunks(&mut tiles.forward, chunk), Chunks(&mut tiles.backward, chunk)),
            ),
        );
        let finite = AtomicBool::new(true);
        let step_panel = |q: usize, pieces: Pieces<'_, T>| {
            let ((velocity, products), ((values, tables), (forward, backward))) = pieces;
            fill(q, values.0);
            let panel =
                Panel { q, units: [rows, panel_units(columns, q)], values: values.0, tables: tables.0 };
            if !self.step_panel(panel, [velocity.0, forward.0, backward.0], products.0) {
                finite.store(false, Ordering::Relaxed);
            }
        };
        for_each_split(panels(columns), self.in_parallel, pieces, &step_panel);
        finite.into_inner()
    }

    /// Updates velocity, weights and transposed weights of all tiles of a column panel.
    fn step_panel(&self, panel: Panel<'_, T>, tiles: [&mut [T]; 3], products: &mut [T]) -> bool {
        let level = Level::detect();
        let Panel { q, units: [rows, columns], values, tables } = panel;
        self.gradient.tabulate(self.phases, values, columns, tables);
        let (of_rows, of_columns) = products.split_at_mut(products.len().saturating_sub(PANEL));
        of_columns.fill(T::ZERO);
        let [velocity, forward, backward] = tiles.map(|tiles| tiles.chunks_exact_mut(TILE));
        let mut are_finite = true;
        for (p, (velocity, (weight, transposed))) in velocity.zip(forward.zip(backward)).enumerate() {
            let sums = self.gradient.sums(p, values, tables);
            let offsets = self.offsets.map(|offsets| offsets.of_tile(p, q));
            let mut step = self.step;
            if let Some(offsets) = &offsets {
                offsets.centre(level, step.momentum, velocity);
                step.momentum = T::ONE;
            }
            let tile = Tile { weight, velocity, transposed };
            are_finite &= update_tile(level, sums, step, panel_units(rows, p), columns, tile);
            if let Some(offsets) = &offsets {
                offsets.products(level, velocity, &mut of_rows[p * PANEL..][..PANEL], of_columns);
            }
        }
        are_finite
    }
}

/// A column panel.
struct Panel<'a, T> {
    q: usize,
    /// Units of the row layer, and units of the column panel.
    units: [usize; 2],
    values: &'a [T],
    tables: &'a mut [T],
}

/// The buffers of a column panel: velocity and centring products; gradient values and their tables; W in both
/// orientations.
type Pieces<'a, T> = (Pair<'a, T>, (Pair<'a, T>, Pair<'a, T>));
type Pair<'a, T> = (Chunks<'a, T>, Chunks<'a, T>);
