//! The states of one layer in many chains, panel after panel, and how one layer is sampled from the other.

use crate::aligned::Aligned;
use crate::parallel::{Chunks, for_each_split};
use crate::rng::Stream;
use crate::tensor::Element;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;
use equilibria_kernels::binary::{
    PANEL, SparseMut, SparseRows, add_fewer_rows, add_rows, list_changes, list_fewer, pack_states,
    panel_units, panels, sample, unpack_states,
};
use equilibria_kernels::{Level, reduce};

/// One layer of a block of chains.
///
/// The other layer's sums are corrected by the rows of the units that changed since they were last computed, and
/// computed anew after [`CORRECTIONS`], so that rounding errors do not add up.
#[derive(Debug, Clone)]
pub(crate) struct Layer<T: Element> {
    units: usize,
    rows: usize,
    /// (panels, rows)
    pub states: Vec<u64>,
    /// The states that the other layer's sums are of.
    counted: Vec<u64>,
    /// Corrections since those sums were computed anew; `None` if they are not of this layer at all.
    corrections: Option<u32>,
    lists: Lists<T>,
    /// Sums of the weights from the active units of the other layer (panels, rows, 64).
    pub sums: Aligned<T>,
    /// What the states were last sampled from (panels, rows, 64), if that is kept.
    pub probabilities: Aligned<T>,
    keeps_probabilities: bool,
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

/// Blocks of panels in a layer.
fn blocks(units: usize) -> usize {
    panels(units).div_ceil(TOGETHER)
}

/// The weights between the units of a layer and the panels of the other one.
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a, T> {
    /// Of all panels.
    pub data: &'a [T],
    /// From what leads to one panel to what leads to the next.
    pub panel_stride: usize,
    /// From one tile of 64 units to the next.
    pub tile_stride: usize,
}

/// What a layer is sampled from: P(unit = 1) = sigmoid(scale sum + bias), with a scale and biases of its own for each of
/// equal blocks of rows.
#[derive(Clone, Copy)]
pub(crate) struct Logits<'a, T> {
    pub scales: &'a [T],
    /// (scales, units)
    pub bias: &'a [T],
}

/// A panel that was computed just now, still in cache.
pub(crate) struct Sampled<'a, T> {
    /// Its units in the layer.
    pub units: Range<usize>,
    /// (rows, 64)
    pub sums: &'a [T],
    /// (rows)
    pub states: &'a [u64],
}

/// Sees nothing.
fn nothing<T>(_: Sampled<'_, T>, _: &mut [T]) {}

impl<T: Element> Layer<T> {
    /// A layer of `units` units in `rows` chains, all off.
    pub fn new(units: usize, rows: usize) -> Self {
        let words = panels(units) * rows;
        Self {
            units,
            rows,
            states: vec![0; words],
            counted: vec![0; words],
            corrections: None,
            lists: Lists::new(units, rows),
            sums: Aligned::zeros(words * PANEL),
            probabilities: Aligned::zeros(words * PANEL),
            keeps_probabilities: true,
        }
    }

    /// Keeps no probabilities from now on.
    pub fn without_probabilities(mut self) -> Self {
        self.keeps_probabilities = false;
        self.probabilities = Aligned::zeros(0);
        self
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Becomes `rows` chains, no more than there were at first, whose states have to be set.
    pub fn resize(&mut self, rows: usize) {
        if rows == self.rows {
            return;
        }
        let words = panels(self.units) * rows;
        self.rows = rows;
        self.states.resize(words, 0);
        self.counted.resize(words, 0);
        self.sums.set_len(words * PANEL);
        if self.keeps_probabilities {
            self.probabilities.set_len(words * PANEL);
        }
        self.forget();
    }

    /// Sets the states (rows, units): units above 0 are on. Returns whether all were 0 or 1.
    pub fn set(&mut self, states: &[T]) -> bool {
        pack_states(Level::detect(), states, self.units, &mut self.states)
    }

    /// Puts back the states' bits that are on in `known` to those of `values`.
    pub fn clamp(&mut self, known: &[u64], values: &[u64]) {
        for ((state, &known), &value) in self.states.iter_mut().zip(known).zip(values) {
            *state = *state & !known | value & known;
        }
    }

    /// The states (rows, units), 0 or 1.
    pub fn unpack(&self, states: &mut [T]) {
        unpack_states(&self.states, self.units, states);
    }

    /// P(unit = 1) that the states were sampled from (rows, units).
    pub fn unpack_probabilities(&self, out: &mut [T]) {
        unpack_rows(&self.probabilities, self.units, out);
    }

    /// The other layer's sums are no longer of this layer: the weights or those sums have changed.
    pub fn forget(&mut self) {
        self.corrections = None;
    }

    /// Lists what the other layer's sums need, and takes it for done. Returns whether they are to start from 0.
    fn list(&mut self, tile_stride: usize, in_parallel: bool) -> bool {
        let corrections = self.corrections.filter(|&corrections| corrections < CORRECTIONS);
        let (rows, room, states, counted) = (self.rows, self.lists.room, &self.states, &self.counted);
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
        for_each_split(blocks(self.units), in_parallel, pieces, &|block,
                                                                  (
            (starts, order),
            (are_off, (offsets, factors)),
        )| {
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
        });
        self.lists.of_changes = corrections.is_some();
        self.corrections = Some(corrections.map_or(0, |corrections| corrections + 1));
        self.counted.copy_from_slice(&self.states);
        corrections.is_none()
    }

    /// h ~ P(h | v) or the reverse: brings the sums up to date with the states of `other` and samples the states.
    ///
    /// **Randomness** Panel p draws from `stream.substream(p)`, row after row.
    pub fn sample_from(
        &mut self,
        other: &mut Self,
        weights: Weights<'_, T>,
        logits: Logits<'_, T>,
        stream: Stream,
    ) {
        self.sample_from_and_see(other, weights, logits, stream, &mut [], &nothing);
    }

    /// As [`Layer::sample_from`]; the thread that has sampled a panel then calls `see(panel, results)`, with an equal
    /// part of `results` for each panel.
    pub fn sample_from_and_see(
        &mut self,
        other: &mut Self,
        weights: Weights<'_, T>,
        logits: Logits<'_, T>,
        stream: Stream,
        results: &mut [T],
        see: &(impl Fn(Sampled<'_, T>, &mut [T]) + Sync),
    ) {
        self.update_from(other, weights, Some((logits, stream)), results, see);
    }

    /// As [`Layer::sample_from_and_see`], but for the states, which stay.
    pub fn sum_from(
        &mut self,
        other: &mut Self,
        weights: Weights<'_, T>,
        results: &mut [T],
        see: &(impl Fn(Sampled<'_, T>, &mut [T]) + Sync),
    ) {
        self.update_from(other, weights, None, results, see);
    }

    /// Brings the sums up to date and samples the states, if there is something to sample them from.
    fn update_from(
        &mut self,
        other: &mut Self,
        weights: Weights<'_, T>,
        sampling: Option<(Logits<'_, T>, Stream)>,
        results: &mut [T],
        see: &(impl Fn(Sampled<'_, T>, &mut [T]) + Sync),
    ) {
        let in_parallel = self.rows * panels(self.units) * (panels(other.units) + SAMPLING) >= PARALLEL_FROM;
        let from_zero = other.list(weights.tile_stride, in_parallel);
        let other = &*other;
        let update = |panel: usize, columns: usize, sums: &mut [T]| {
            for block in 0..blocks(other.units) {
                let first = panel * weights.panel_stride + block * TOGETHER * weights.tile_stride;
                let rows = sums.len() / PANEL;
                let lists = other.lists.block(block, rows);
                let are_off = &other.lists.are_off[block * rows..][..rows];
                let (level, is_first) = (Level::detect(), from_zero && block == 0);
                let tiles = &weights.data[first..];
                if from_zero && are_off.contains(&true) {
                    let all = sum_of_rows(tiles, weights.tile_stride, other.units - block * TOGETHER * PANEL);
                    add_fewer_rows(level, (&all, are_off), tiles, lists, is_first, columns, sums);
                } else {
                    add_rows(level, tiles, lists, is_first, columns, sums);
                }
            }
        };
        self.pass(in_parallel, &update, sampling, results, see);
    }

    /// As [`Layer::sample_from`], from sums that are up to date.
    pub fn sample(&mut self, logits: Logits<'_, T>, stream: Stream) {
        self.pass(true, &|_, _, _| {}, Some((logits, stream)), &mut [], &nothing);
    }

    /// Exchanges the states of two rows, and with them what the other layer's sums count from.
    pub fn swap_rows(&mut self, a: usize, b: usize) {
        for panel in 0..panels(self.units) {
            let places = [panel * self.rows + a, panel * self.rows + b];
            self.states.swap(places[0], places[1]);
            self.counted.swap(places[0], places[1]);
        }
    }

    /// Exchanges the sums of two rows.
    pub fn swap_sums(&mut self, a: usize, b: usize) {
        for sums in self.sums.chunks_exact_mut(self.rows * PANEL) {
            for unit in 0..PANEL {
                sums.swap(a * PANEL + unit, b * PANEL + unit);
            }
        }
    }

    /// `update(panel, units, sums)`, then states, then what is to be seen of them, panel by panel.
    fn pass(
        &mut self,
        in_parallel: bool,
        update: &(impl Fn(usize, usize, &mut [T]) + Sync),
        sampling: Option<(Logits<'_, T>, Stream)>,
        results: &mut [T],
        see: &(impl Fn(Sampled<'_, T>, &mut [T]) + Sync),
    ) {
        let (units, rows) = (self.units, self.rows);
        let width = results.len() / panels(units);
        let kept = if self.keeps_probabilities { rows * PANEL } else { 0 };
        let pieces = (
            (Chunks(&mut self.sums, rows * PANEL), Chunks(results, width)),
            (Chunks(&mut self.probabilities, kept), Chunks(&mut self.states, rows)),
        );
        for_each_split(
            panels(units),
            in_parallel,
            pieces,
            &|panel, ((sums, results), (probabilities, states))| {
                let all = units;
                let units = panel_units(units, panel);
                update(panel, units, sums.0);
                let range = panel * PANEL..panel * PANEL + units;
                if let Some((logits, stream)) = sampling {
                    let mut generator = stream.substream(panel as u64).bulk();
                    // At least 1, for no chains at all.
                    let block = (rows / logits.scales.len()).max(1);
                    let mut kept = probabilities.0.chunks_exact_mut(block * PANEL);
                    let blocks = sums.0.chunks_exact(block * PANEL).zip(states.0.chunks_exact_mut(block));
                    let logits = logits.scales.iter().zip(logits.bias.chunks_exact(all));
                    for ((sums, states), (&scale, bias)) in blocks.zip(logits) {
                        let (level, bias) = (Level::detect(), &bias[range.clone()]);
                        sample(level, &mut generator, sums, scale, bias, kept.next(), states);
                    }
                }
                see(Sampled { units: range, sums: sums.0, states: states.0 }, results.0);
            },
        );
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

/// Tiles that take as long as sampling a panel's states.
const SAMPLING: usize = 2;

/// Tiles, times rows, from which a second thread pays: about 30 microseconds of work.
const PARALLEL_FROM: usize = 2000;

/// The units' numbers of (panels, rows, 64) as (rows, units).
pub(crate) fn unpack_rows<T: Element>(panelled: &[T], units: usize, out: &mut [T]) {
    let rows = out.len() / units;
    for (r, out) in out.chunks_exact_mut(units).enumerate() {
        for (panel, out) in out.chunks_mut(PANEL).enumerate() {
            out.copy_from_slice(&panelled[(panel * rows + r) * PANEL..][..out.len()]);
        }
    }
}
