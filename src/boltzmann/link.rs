//! Incremental update of a layer's input sums from the units of a neighbour that changed.

use crate::aligned::Aligned;
use crate::parallel::{Chunks, for_each_split};
use crate::tensor::Element;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::binary::{
    PANEL, SparseMut, SparseRows, add_fewer_rows, add_rows, list_changes, list_fewer, panel_units, panels,
};
use equilibria_kernels::{Level, reduce};

/// A connection from one layer of a block of chains to another.
///
/// The other layer's sums are corrected by the rows of the units that changed since they were last computed, and
/// computed anew after [`CORRECTIONS`], so that rounding errors do not add up.
#[derive(Debug, Clone)]
pub(crate) struct Link<T: Element> {
    /// Of the layer from which it leads.
    units: usize,
    rows: usize,
    /// The states that the other layer's sums are of (panels, rows).
    counted: Vec<u64>,
    /// Corrections since those sums were computed anew; `None` if they are not of this layer at all.
    corrections: Option<u32>,
    lists: Lists<T>,
}

/// What to add to the other layer's sums: a sparse matrix for every [`TOGETHER`] panels.
#[derive(Debug, Clone)]
struct Lists<T: Element> {
    /// Entries that a block of panels has room for.
    room: usize,
    starts: Vec<u32>,
    order: Vec<u32>,
    offsets: Vec<u32>,
    factors: Aligned<T>,
    /// Which rows of a block list the units that are off (blocks, rows).
    are_off: Vec<bool>,
    /// Whether the lists are of changes.
    of_changes: bool,
}

/// Panels whose tiles are added up together: 32 KiB of weights stay in L1 while all rows pass.
const TOGETHER: usize = 2;

/// Corrections of sums before they are computed anew: each adds half a unit in the last place or so.
const CORRECTIONS: u32 = 16;

/// The weights between the units of a layer and the panels of another one.
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a, T> {
    /// Of all panels.
    pub data: &'a [T],
    /// From what leads to one panel to what leads to the next.
    pub panel_stride: usize,
    /// From one tile of 64 units to the next.
    pub tile_stride: usize,
}

/// A neighbour of the layer that is sampled, seen through a link and weights.
pub(crate) struct Source<'a, T: Element> {
    /// Its states (panels, rows).
    pub states: &'a [u64],
    pub link: &'a mut Link<T>,
    pub weights: Weights<'a, T>,
}

impl<T: Element> Lists<T> {
    fn new(units: usize, rows: usize) -> Self {
        let (blocks, room) = (blocks(units), SparseMut::<T>::room(rows, TOGETHER * PANEL));
        Self {
            room,
            starts: vec![0; blocks * (rows + 1)],
            order: vec![0; blocks * rows],
            offsets: vec![0; blocks * room],
            factors: Aligned::zeros(blocks * room),
            are_off: vec![false; blocks * rows],
            of_changes: false,
        }
    }

    /// The lists of a block of panels for `rows` rows.
    fn block(&self, block: usize, rows: usize) -> SparseRows<'_, T> {
        let factors = if self.of_changes { self.room } else { 0 };
        SparseRows {
            starts: &self.starts[block * (rows + 1)..][..rows + 1],
            order: &self.order[block * rows..][..rows],
            offsets: &self.offsets[block * self.room..][..self.room],
            factors: &self.factors[block * self.room..][..factors],
        }
    }
}

/// What the lists of a block are written to.
type ListPieces<'a, T> =
    ((Chunks<'a, u32>, Chunks<'a, u32>), (Chunks<'a, bool>, (Chunks<'a, u32>, Chunks<'a, T>)));

/// Blocks of panels in a layer.
fn blocks(units: usize) -> usize {
    panels(units).div_ceil(TOGETHER)
}

impl<T: Element> Link<T> {
    /// From a layer of `units` units in `rows` chains; nothing is counted yet.
    pub fn new(units: usize, rows: usize) -> Self {
        Self {
            units,
            rows,
            counted: vec![0; panels(units) * rows],
            corrections: None,
            lists: Lists::new(units, rows),
        }
    }

    /// Becomes one of `rows` chains, no more than there were at first.
    pub fn resize(&mut self, rows: usize) {
        if rows != self.rows {
            self.rows = rows;
            self.counted.resize(panels(self.units) * rows, 0);
            self.forget();
        }
    }

    /// The other layer's sums are no longer of this layer: the weights or those sums have changed.
    pub fn forget(&mut self) {
        self.corrections = None;
    }

    /// Exchanges what the other layer's sums count from in two rows.
    pub fn swap_rows(&mut self, a: usize, b: usize) {
        for counted in self.counted.chunks_exact_mut(self.rows) {
            counted.swap(a, b);
        }
    }

    /// Panels of the layer from which it leads.
    pub fn panels(&self) -> usize {
        panels(self.units)
    }

    /// The other layer's sums have to start from 0.
    fn is_anew(&self) -> bool {
        self.corrections.is_none_or(|corrections| corrections >= CORRECTIONS)
    }

    /// Lists what the other layer's sums need of `states`, from 0 or not, and takes it for done.
    fn list(&mut self, states: &[u64], from_zero: bool, tile_stride: usize, in_parallel: bool) {
        let corrections = self.corrections.filter(|_| !from_zero);
        let (rows, room, counted) = (self.rows, self.lists.room, &self.counted);
        let tile_stride =
            u32::try_from(tile_stride).expect("the tiles of a layer have less than 2^32 weights");
        let pieces = (
            (Chunks(&mut self.lists.starts, rows + 1), Chunks(&mut self.lists.order, rows)),
            (
                Chunks(&mut self.lists.are_off, rows),
                (Chunks(&mut self.lists.offsets, room), Chunks(&mut self.lists.factors, room)),
            ),
        );
        let (level, all_units) = (Level::detect(), self.units);
        let list_block = |block: usize, pieces: ListPieces<'_, T>| {
            let ((starts, order), (are_off, (offsets, factors))) = pieces;
            let of_block =
                |states: &[u64]| block * TOGETHER * rows..states.len().min((block + 1) * TOGETHER * rows);
            let lists = SparseMut {
                starts: &mut starts.0[..rows + 1],
                order: &mut order.0[..rows],
                offsets: offsets.0,
                factors: factors.0,
            };
            let to = &states[of_block(states)];
            let units = (all_units - block * TOGETHER * PANEL).min(TOGETHER * PANEL);
            if corrections.is_some() {
                let from = &counted[of_block(counted)];
                list_changes(level, [from, to], rows, rows, tile_stride, lists);
            } else {
                // Row by row, so that a chain does not depend on the others.
                let are_off = &mut are_off.0[..rows];
                list_fewer(level, to, units, rows, tile_stride, lists, are_off);
            }
        };
        for_each_split(blocks(self.units), in_parallel, pieces, &list_block);
        self.lists.of_changes = corrections.is_some();
        self.corrections = Some(corrections.map_or(0, |corrections| corrections + 1));
        self.counted.copy_from_slice(states);
    }

    /// Adds what is listed to a panel's sums, from 0 if `from_zero`.
    fn add(&self, weights: Weights<'_, T>, panel: usize, from_zero: bool, columns: usize, sums: &mut [T]) {
        let level = Level::detect();
        for block in 0..blocks(self.units) {
            let first = panel * weights.panel_stride + block * TOGETHER * weights.tile_stride;
            let rows = sums.len() / PANEL;
            let lists = self.lists.block(block, rows);
            let are_off = &self.lists.are_off[block * rows..][..rows];
            let (tiles, from_zero) = (&weights.data[first..], from_zero && block == 0);
            if !self.lists.of_changes && are_off.contains(&true) {
                let all = sum_of_rows(tiles, weights.tile_stride, self.units - block * TOGETHER * PANEL);
                add_fewer_rows(level, (&all, are_off), tiles, lists, from_zero, columns, sums);
            } else {
                add_rows(level, tiles, lists, from_zero, columns, sums);
            }
        }
    }
}

/// Lists what the sums over all `sources` need. Returns whether they are to start from 0: if one source has to, all do.
pub(super) fn list<T: Element>(sources: &mut [Source<'_, T>], in_parallel: bool) -> bool {
    let from_zero = sources.iter().any(|source| source.link.is_anew());
    for source in sources {
        source.link.list(source.states, from_zero, source.weights.tile_stride, in_parallel);
    }
    from_zero
}

/// Adds what is listed of all `sources` to the sums of a panel with `columns` units.
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

/// The sum of the rows of the `units` units of a block of tiles.
fn sum_of_rows<T: Element>(tiles: &[T], tile_stride: usize, units: usize) -> [T; PANEL] {
    let mut all = [T::ZERO; PANEL];
    for panel in 0..TOGETHER.min(panels(units)) {
        let rows = panel_units(units, panel);
        let tile = &tiles[panel * tile_stride..][..rows * PANEL];
        reduce::add_column_sums(Level::detect(), T::ONE, tile, rows, PANEL, &mut all);
    }
    all
}
