//! The states of one layer in many chains, panel after panel, and how one layer is sampled from the other.

use crate::aligned::Aligned;
use crate::parallel::{Chunks, for_each_split};
use crate::rng::Stream;
use crate::tensor::Element;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::Level;
use equilibria_kernels::binary::{
    ActiveList, PANEL, Tiles, add_rows, collect, collect_changes, pack_states, panel_units, panels, sample,
    unpack_states,
};

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
    /// Units to add to those sums (panels, rows): all that are on, or those that came on ...
    pub on: Vec<ActiveList>,
    /// ... and units to subtract.
    pub off: Vec<ActiveList>,
    /// Sums of the weights from the active units of the other layer (panels, rows, 64).
    pub sums: Aligned<T>,
    /// What the states were last sampled from (panels, rows, 64).
    pub probabilities: Aligned<T>,
}

/// Corrections of sums before they are computed anew: each adds half a unit in the last place or so.
const CORRECTIONS: u32 = 16;

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
            on: vec![ActiveList::EMPTY; words],
            off: vec![ActiveList::EMPTY; words],
            sums: Aligned::zeros(words * PANEL),
            probabilities: Aligned::zeros(words * PANEL),
        }
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
        self.on.resize(words, ActiveList::EMPTY);
        self.off.resize(words, ActiveList::EMPTY);
        self.sums.set_len(words * PANEL);
        self.probabilities.set_len(words * PANEL);
        self.forget();
    }

    /// Sets the states (rows, units): units above 0 are on. Returns whether all were 0 or 1.
    pub fn set(&mut self, states: &[T]) -> bool {
        let are_binary = pack_states(Level::detect(), states, self.units, &mut self.states);
        self.list();
        are_binary
    }

    /// Puts back the states' bits that are on in `known` to those of `values`.
    pub fn clamp(&mut self, known: &[u64], values: &[u64]) {
        for ((state, &known), &value) in self.states.iter_mut().zip(known).zip(values) {
            *state = *state & !known | value & known;
        }
        self.list();
    }

    /// Lists what the other layer's sums need.
    pub fn list(&mut self) {
        if self.counts_anew() {
            collect(&self.states, &mut self.on);
        } else {
            collect_changes(&self.counted, &self.states, &mut self.on, &mut self.off);
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

    /// The other layer's sums are no longer of this layer: the weights have changed. Setting, sampling or
    /// [`Layer::list`] has to follow before the other layer is sampled.
    pub fn forget(&mut self) {
        self.corrections = None;
    }

    /// Whether the other layer's sums will start from 0.
    pub fn counts_anew(&self) -> bool {
        self.corrections.is_none_or(|corrections| corrections >= CORRECTIONS)
    }

    /// The other layer's sums now hold these states.
    pub fn count(&mut self) {
        self.corrections = Some(if self.counts_anew() { 0 } else { self.corrections.unwrap_or(0) + 1 });
        self.counted.copy_from_slice(&self.states);
    }

    /// h ~ P(h | v) or the reverse: brings the sums up to date with the states of `other`, whose units have the weights
    /// `tiles(panel)` to a panel of this layer, and samples the states from sigmoid(scale sums + bias).
    ///
    /// **Randomness** Panel p draws from `stream.substream(p)`, row after row.
    pub fn sample_from<'a>(
        &mut self,
        other: &mut Self,
        tiles: impl Fn(usize) -> Tiles<'a, T> + Sync,
        scale: T,
        bias: &[T],
        stream: Stream,
    ) where
        T: 'a,
    {
        let from_zero = other.counts_anew();
        let off: &[ActiveList] = if from_zero { &[] } else { &other.off };
        let on: &[ActiveList] = &other.on;
        let update = |panel: usize, columns: usize, sums: &mut [T]| {
            add_rows(Level::detect(), tiles(panel), on, off, from_zero, columns, sums);
        };
        self.pass(panels(other.units), &update, scale, bias, stream);
        other.count();
    }

    /// As [`Layer::sample_from`], from sums that are up to date.
    pub fn sample(&mut self, scale: T, bias: &[T], stream: Stream) {
        self.pass(0, &|_, _, _| {}, scale, bias, stream);
    }

    /// `update(panel, units, sums)`, then states and lists, panel by panel; `others` is the number of panels that
    /// `update` reads.
    fn pass(
        &mut self,
        others: usize,
        update: &(impl Fn(usize, usize, &mut [T]) + Sync),
        scale: T,
        bias: &[T],
        stream: Stream,
    ) {
        let (units, rows, anew) = (self.units, self.rows, self.counts_anew());
        let counted = &self.counted;
        let pieces = (
            (Chunks(&mut self.sums, rows * PANEL), Chunks(&mut self.probabilities, rows * PANEL)),
            (Chunks(&mut self.states, rows), (Chunks(&mut self.on, rows), Chunks(&mut self.off, rows))),
        );
        let in_parallel = rows * panels(units) * (others + SAMPLING) >= PARALLEL_FROM;
        for_each_split(panels(units), in_parallel, pieces, &|panel,
                                                             (
            (sums, probabilities),
            (states, (on, off)),
        )| {
            let level = Level::detect();
            let units = panel_units(units, panel);
            update(panel, units, sums.0);
            let mut generator = stream.substream(panel as u64).bulk();
            let bias = &bias[panel * PANEL..][..units];
            sample(level, &mut generator, sums.0, scale, bias, Some(probabilities.0), states.0);
            if anew {
                collect(states.0, on.0);
            } else {
                collect_changes(&counted[panel * rows..][..rows], states.0, on.0, off.0);
            }
        });
    }
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
