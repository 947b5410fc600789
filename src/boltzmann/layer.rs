//! The states of one layer in many chains, panel after panel, and how a layer is sampled from its neighbours.

use super::link::{self, Source};
use crate::aligned::Aligned;
use crate::parallel::{Chunks, for_each_split};
use crate::rng::Stream;
use crate::tensor::Element;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;
use equilibria_kernels::Level;
use equilibria_kernels::binary::{PANEL, pack_states, panel_units, panels, sample, unpack_states};

/// One layer of a block of chains.
#[derive(Debug, Clone)]
pub(crate) struct Layer<T: Element> {
    units: usize,
    rows: usize,
    /// (panels, rows)
    pub states: Vec<u64>,
    /// Sums of the weights from the active units of the neighbours (panels, rows, 64).
    pub sums: Aligned<T>,
    /// What the states were last sampled from (panels, rows, 64), if that is kept.
    pub probabilities: Aligned<T>,
    keeps_probabilities: bool,
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
        self.sums.set_len(words * PANEL);
        if self.keeps_probabilities {
            self.probabilities.set_len(words * PANEL);
        }
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
        self.clear_padding();
    }

    /// Turns off the bits beyond the last unit, which belong to no unit.
    pub fn clear_padding(&mut self) {
        let last = self.units % PANEL;
        if last > 0 {
            let first = (panels(self.units) - 1) * self.rows;
            self.states[first..].iter_mut().for_each(|state| *state &= (1 << last) - 1);
        }
    }

    /// Whether all that is kept of units beyond the last one is 0.
    #[cfg(test)]
    pub fn has_zero_padding(&self) -> bool {
        let last = panels(self.units) - 1;
        let units = panel_units(self.units, last);
        let beyond = |state: &u64| units == PANEL || state >> units == 0;
        self.states[last * self.rows..].iter().all(beyond)
            && self.probabilities.chunks_exact(PANEL).skip(last * self.rows).all(|p| is_zero(&p[units..]))
    }

    /// The states (rows, units), 0 or 1.
    pub fn unpack(&self, states: &mut [T]) {
        unpack_states(&self.states, self.units, states);
    }

    /// P(unit = 1) that the states were sampled from (rows, units).
    pub fn unpack_probabilities(&self, out: &mut [T]) {
        unpack_rows(&self.probabilities, self.units, out);
    }

    /// Brings the sums up to date with the states of `sources` and samples the states from them.
    ///
    /// **Randomness** Panel p draws from `stream.substream(p)`, row after row.
    pub fn sample_from<const N: usize>(
        &mut self,
        sources: [Source<'_, T>; N],
        logits: Logits<'_, T>,
        stream: Stream,
    ) {
        self.sample_from_and_see(sources, logits, stream, &mut [], &nothing);
    }

    /// As [`Layer::sample_from`]; the thread that has sampled a panel then calls `see(panel, results)`, with an equal
    /// part of `results` for each panel.
    pub fn sample_from_and_see<const N: usize>(
        &mut self,
        sources: [Source<'_, T>; N],
        logits: Logits<'_, T>,
        stream: Stream,
        results: &mut [T],
        see: &(impl Fn(Sampled<'_, T>, &mut [T]) + Sync),
    ) {
        self.update_from(sources, Some((logits, stream)), results, see);
    }

    /// As [`Layer::sample_from_and_see`], but for the states, which stay.
    pub fn sum_from<const N: usize>(
        &mut self,
        sources: [Source<'_, T>; N],
        results: &mut [T],
        see: &(impl Fn(Sampled<'_, T>, &mut [T]) + Sync),
    ) {
        self.update_from(sources, None, results, see);
    }

    /// Brings the sums up to date and samples the states, if there is something to sample them from.
    fn update_from<const N: usize>(
        &mut self,
        mut sources: [Source<'_, T>; N],
        sampling: Option<(Logits<'_, T>, Stream)>,
        results: &mut [T],
        see: &(impl Fn(Sampled<'_, T>, &mut [T]) + Sync),
    ) {
        let tiles: usize = sources.iter().map(|source| source.link.panels()).sum();
        let in_parallel = self.rows * panels(self.units) * (tiles + SAMPLING) >= PARALLEL_FROM;
        let from_zero = link::list(&mut sources, in_parallel);
        let update = |panel: usize, columns: usize, sums: &mut [T]| {
            link::add(&sources, panel, from_zero, columns, sums);
        };
        self.pass(in_parallel, &update, sampling, results, see);
    }

    /// As [`Layer::sample_from`], from sums that are up to date.
    pub fn sample(&mut self, logits: Logits<'_, T>, stream: Stream) {
        self.pass(true, &|_, _, _| {}, Some((logits, stream)), &mut [], &nothing);
    }

    /// Exchanges the states of two rows; its links have to do so, too.
    pub fn swap_rows(&mut self, a: usize, b: usize) {
        for states in self.states.chunks_exact_mut(self.rows) {
            states.swap(a, b);
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

/// Tiles that take as long as sampling a panel's states.
const SAMPLING: usize = 2;

/// Tiles, times rows, from which a second thread pays: about 30 microseconds of work.
const PARALLEL_FROM: usize = 2000;

/// Whether all `numbers` are 0.
#[cfg(test)]
pub(crate) fn is_zero<T: Element>(numbers: &[T]) -> bool {
    numbers.iter().all(|&x| x == T::ZERO)
}

/// The units' numbers of (panels, rows, 64) as (rows, units).
pub(crate) fn unpack_rows<T: Element>(panelled: &[T], units: usize, out: &mut [T]) {
    let rows = out.len() / units;
    for (r, out) in out.chunks_exact_mut(units).enumerate() {
        for (panel, out) in out.chunks_mut(PANEL).enumerate() {
            out.copy_from_slice(&panelled[(panel * rows + r) * PANEL..][..out.len()]);
        }
    }
}

/// The reverse of [`unpack_rows`]: units beyond the last one become 0.
pub(crate) fn pack_rows<T: Element>(rows_of_units: &[T], units: usize, panelled: &mut [T]) {
    let rows = rows_of_units.len() / units;
    for (r, row) in rows_of_units.chunks_exact(units).enumerate() {
        for (panel, numbers) in row.chunks(PANEL).enumerate() {
            let (used, rest) = panelled[(panel * rows + r) * PANEL..][..PANEL].split_at_mut(numbers.len());
            used.copy_from_slice(numbers);
            rest.fill(T::ZERO);
        }
    }
}
