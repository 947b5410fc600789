//! Incremental update of a layer's input sums from the units of a neighbour that changed.

use crate::aligned::Aligned;
use crate::parallel::{Chunks, for_each_split};
use crate::tensor::Element;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::binary::{
    PANEL, SparseMut, SparseRows, add_minority_rows, add_rows, list_changes, list_minority, panel_units,
    panels,
};
use equilibria_kernels::{Level, reduce};

/// The connection from a layer to a neighbour in a block of chains: it keeps the neighbour's input sums up to date.
///
/// The sums are corrected by the rows of the units that changed since the last update. After [`MAX_CORRECTIONS`]
/// corrections they are recomputed, so that rounding errors do not accumulate.
#[derive(Debug, Clone)]
pub(crate) struct Link<T: Element> {
    /// Units of the layer that the connection starts from.
    units: usize,
    rows: usize,
    /// The states that the neighbour's sums were computed from (panels, rows).
    summed_states: Vec<u64>,
    /// Corrections since the sums were last recomputed; `None` if the sums do not belong to this layer.
    corrections: Option<u32>,
    lists: Lists<T>,
}

/// The rows of weights to add to the neighbour's sums: one sparse matrix for every [`PANELS_PER_BLOCK`] panels.
#[derive(Debug, Clone)]
struct Lists<T: Element> {
    /// Entries that fit into the lists of a block.
    capacity: usize,
    starts: Vec<u32>,
    order: Vec<u32>,
    offsets: Vec<u32>,
    factors: Aligned<T>,
    /// Marks the rows whose list holds the units that are off rather than those that are on (blocks, rows).
    are_off: Vec<bool>,
    /// True if the lists hold changes, false if they hold states.
    hold_changes: bool,
}

/// Panels whose tiles are added together: 32 KiB of weights stay in L1 while all rows are processed.
const PANELS_PER_BLOCK: usize = 2;

/// Corrections of the sums before they are recomputed. Each adds about half a unit in the last place.
const MAX_CORRECTIONS: u32 = 16;

/// The weights between the units of a layer and the panels of another one.
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a, T> {
    /// The weights to all panels.
    pub data: &'a [T],
    /// Distance between the weights to one panel and to the next.
    pub panel_stride: usize,
    /// Distance between one tile of 64 units and the next.
    pub tile_stride: usize,
}

/// A neighbour of the layer that is sampled, with its link and weights.
pub(crate) struct Source<'a, T: Element> {
    /// The states of the neighbour (panels, rows).
    pub states: &'a [u64],
    pub link: &'a mut Link<T>,
    pub weights: Weights<'a, T>,
}

impl<T: Element> Lists<T> {
    fn new(units: usize, rows: usize) -> Self {
        let (blocks, capacity) = (blocks(units), SparseMut::<T>::room(rows, PANELS_PER_BLOCK * PANEL));
        Self {
            capacity,
            starts: vec![0; blocks * (rows + 1)],
            order: vec![0; blocks * rows],
            offsets: vec![0; blocks * capacity],
            factors: Aligned::zeros(blocks * capacity),
            are_off: vec![false; blocks * rows],
            hold_changes: false,
        }
    }

    /// The lists of a block of panels for `rows` rows.
    fn block(&self, block: usize, rows: usize) -> SparseRows<'_, T> {
        let factors = if self.hold_changes { self.capacity } else { 0 };
        SparseRows {
            starts: &self.starts[block * (rows + 1)..][..rows + 1],
            order: &self.order[block * rows..][..rows],
            offsets: &self.offsets[block * self.capacity..][..self.capacity],
            factors: &self.factors[block * self.capacity..][..factors],
        }
    }
}

/// The buffers for the lists of one block.
type ListPieces<'a, T> =
    ((Chunks<'a, u32>, Chunks<'a, u32>), (Chunks<'a, bool>, (Chunks<'a, u32>, Chunks<'a, T>)));

/// The number of blocks of panels in a layer.
fn blocks(units: usize) -> usize {
    panels(units).div_ceil(PANELS_PER_BLOCK)
}

impl<T: Element> Link<T> {
    /// Creates a link from a layer of `units` units in `rows` chains. The neighbour's sums are not computed yet.
    pub fn new(units: usize, rows: usize) -> Self {
        Self {
            units,
            rows,
            summed_states: vec![0; panels(units) * rows],
            corrections: None,
            lists: Lists::new(units, rows),
        }
    }

    /// Changes the number of chains to `rows`, at most the initial number.
    pub fn resize(&mut self, rows: usize) {
        if rows != self.rows {
            self.rows = rows;
            self.summed_states.resize(panels(self.units) * rows, 0);
            self.invalidate();
        }
    }

    /// Marks the neighbour's sums as out of date: the weights or the sums have changed.
    pub fn invalidate(&mut self) {
        self.corrections = None;
    }

    /// Swaps two rows of the states that the neighbour's sums were computed from.
    pub fn swap_rows(&mut self, a: usize, b: usize) {
        for summed_states in self.summed_states.chunks_exact_mut(self.rows) {
            summed_states.swap(a, b);
        }
    }

    /// Panels of the layer that the connection starts from.
    pub fn panels(&self) -> usize {
        panels(self.units)
    }

    /// True if the neighbour's sums must be recomputed from 0.
    fn needs_recompute(&self) -> bool {
        self.corrections.is_none_or(|corrections| corrections >= MAX_CORRECTIONS)
    }

    /// Lists the units of `states` to add to the neighbour's sums, and records `states` as the summed ones.
    fn list(&mut self, states: &[u64], from_zero: bool, tile_stride: usize, in_parallel: bool) {
        let corrections = self.corrections.filter(|_| !from_zero);
        let (rows, capacity, summed_states) = (self.rows, self.lists.capacity, &self.summed_states);
        let tile_stride =
            u32::try_from(tile_stride).expect("the tiles of a layer have less than 2^32 weights");
        let pieces = (
            (Chunks(&mut self.lists.starts, rows + 1), Chunks(&mut self.lists.order, rows)),
            (
                Chunks(&mut self.lists.are_off, rows),
                (Chunks(&mut self.lists.offsets, capacity), Chunks(&mut self.lists.factors, capacity)),
            ),
        );
        let (level, all_units) = (Level::detect(), self.units);
        let list_block = |block: usize, pieces: ListPieces<'_, T>| {
            let ((starts, order), (are_off, (offsets, factors))) = pieces;
            let block_range = |states: &[u64]| {
                block * PANELS_PER_BLOCK * rows..states.len().min((block + 1) * PANELS_PER_BLOCK * rows)
            };
            let lists = SparseMut {
                starts: &mut starts.0[..rows + 1],
                order: &mut order.0[..rows],
                offsets: offsets.0,
                factors: factors.0,
            };
            let to = &states[block_range(states)];
            let units = (all_units - block * PANELS_PER_BLOCK * PANEL).min(PANELS_PER_BLOCK * PANEL);
            if corrections.is_some() {
                let from = &summed_states[block_range(summed_states)];
                list_changes(level, [from, to], rows, rows, tile_stride, lists);
            } else {
                // The choice is made row by row, so that a chain does not depend on the others.
                let are_off = &mut are_off.0[..rows];
                list_minority(level, to, units, rows, tile_stride, lists, are_off);
            }
        };
        for_each_split(blocks(self.units), in_parallel, pieces, &list_block);
        self.lists.hold_changes = corrections.is_some();
        self.corrections = Some(corrections.map_or(0, |corrections| corrections + 1));
        self.summed_states.copy_from_slice(states);
    }

    /// Adds the listed rows to the sums of a panel; the sums start from 0 if `from_zero`.
    fn add(&self, weights: Weights<'_, T>, panel: usize, from_zero: bool, columns: usize, sums: &mut [T]) {
        let level = Level::detect();
        for block in 0..blocks(self.units) {
            let first = panel * weights.panel_stride + block * PANELS_PER_BLOCK * weights.tile_stride;
            let rows = sums.len() / PANEL;
            let lists = self.lists.block(block, rows);
            let are_off = &self.lists.are_off[block * rows..][..rows];
            let (tiles, from_zero) = (&weights.data[first..], from_zero && block == 0);
            if !self.lists.hold_changes && are_off.contains(&true) {
                let all =
                    sum_of_rows(tiles, weights.tile_stride, self.units - block * PANELS_PER_BLOCK * PANEL);
                add_minority_rows(level, (&all, are_off), tiles, lists, from_zero, columns, sums);
            } else {
                add_rows(level, tiles, lists, from_zero, columns, sums);
            }
        }
    }
}

/// Lists the units to add for all `sources`. Returns true if the sums start from 0, which applies to all sources if it
/// does to one.
pub(super) fn list<T: Element>(sources: &mut [Source<'_, T>], in_parallel: bool) -> bool {
    let from_zero = sources.iter().any(|source| source.link.needs_recompute());
    for source in sources {
        source.link.list(source.states, from_zero, source.weights.tile_stride, in_parallel);
    }
    from_zero
}

/// Adds the listed rows of all `sources` to the sums of a panel with `columns` units.
pub(super) fn add<T: Element>(
    sources: &[Source<'_, T>],
    panel: usize,
    from_zero: bool,
    columns: usize,
    sums: &mut [T],
) {
    for (place, source) in sources.iter().enumerate() {
        source.link.add(source.weights, panel, from_zero && place == 0, columns, sums);
    }
}

/// The sum of the rows of a block of tiles with `units` units.
fn sum_of_rows<T: Element>(tiles: &[T], tile_stride: usize, units: usize) -> [T; PANEL] {
    let mut all = [T::ZERO; PANEL];
    for panel in 0..PANELS_PER_BLOCK.min(panels(units)) {
        let rows = panel_units(units, panel);
        let tile = &tiles[panel * tile_stride..][..rows * PANEL];
        reduce::add_column_sums(Level::detect(), T::ONE, tile, rows, PANEL, &mut all);
    }
    all
}
