//! The learning step of the weights between two layers, column panel by column panel.

use super::centring::TileOffsets;
use super::gradient::Gradient;
use crate::boltzmann::packed::Tiles;
use crate::parallel::{Chunks, for_each_split};
use crate::tensor::Element;
use core::sync::atomic::{AtomicBool, Ordering};
use equilibria_kernels::Level;
use equilibria_kernels::binary::{PANEL, Step, TILE, Tile, panel_units, panels, update_tile};

/// What all column panels learn by.
pub(super) struct WeightStep<'a, T: Element> {
    /// Which rows of the phases each row unit adds up.
    pub gradient: &'a Gradient<T>,
    /// Rows and factor of the positive and of the negative phase.
    pub phases: [(usize, T); 2],
    pub step: Step<T>,
    /// Of the two layers, (panels, 64) each; none of plain learning.
    pub offsets: Option<TileOffsets<'a, T>>,
    pub in_parallel: bool,
}

/// What they change and need room for.
pub(super) struct WeightPlaces<'a, T: Element> {
    pub tiles: &'a mut Tiles<T>,
    /// As the tiles.
    pub velocity: &'a mut [T],
    /// For each column panel the numbers that the gradient adds up, filled by the step itself (rows of both phases, 64).
    pub values: &'a mut [T],
    /// Partial sums of these, if the gradient has any.
    pub tables: &'a mut [T],
    /// What a step does to the biases ([`Centring`](super::centring::Centring)); empty of plain learning.
    pub products: &'a mut [T],
}

impl<T: Element> WeightStep<'_, T> {
    /// Velocity and weights of all tiles; `fill(q, values)` puts the numbers of column panel q in place. Returns whether
    /// all weights are finite.
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

    /// All tiles of a column panel: velocity, weights, their transpose.
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
    /// Row units of the layer, column units of the panel.
    units: [usize; 2],
    values: &'a [T],
    tables: &'a mut [T],
}

/// Of a column panel: velocity and products of centring, values that the gradient adds up and their tables, W both ways.
type Pieces<'a, T> = (Pair<'a, T>, (Pair<'a, T>, Pair<'a, T>));
type Pair<'a, T> = (Chunks<'a, T>, Chunks<'a, T>);
