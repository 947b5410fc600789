//! The states of one layer in many chains, stored in panels of 64 units, and their sampling given the neighbouring
//! layers.

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

/// One layer in a block of chains.
#[derive(Debug, Clone)]
pub(crate) struct Layer<T: Element> {
    units: usize,
    rows: usize,
    /// (panels, rows)
    pub states: Vec<u64>,
    /// Sums of the weights from the active units of the neighbours (panels, rows, 64).
    pub sums: Aligned<T>,
    /// The probabilities from which the states were last sampled (panels, rows, 64), if they are stored.
    pub probabilities: Aligned<T>,
    keeps_probabilities: bool,
}

/// The logits of a layer: P(unit = 1) = sigmoid(scale sum + bias). The rows form equal blocks, each with a scale and
/// biases of its own.
#[derive(Clone, Copy)]
pub(crate) struct Logits<'a, T> {
    pub scales: &'a [T],
    /// (scales, units)
    pub bias: &'a [T],
}

/// A panel that was just computed and is still in cache.
pub(crate) struct ComputedPanel<'a, T> {
    /// The units of the panel within the layer.
    pub units: Range<usize>,
    /// (rows, 64)
    pub sums: &'a [T],
    /// (rows)
    pub states: &'a [u64],
}

/// Inspects nothing.
fn ignore<T>(_: ComputedPanel<'_, T>, _: &mut [T]) {}

impl<T: Element> Layer<T> {
    /// Creates a layer of `units` units in `rows` chains, all off.
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

    /// Stores no probabilities from now on.
    #[must_use]
    pub fn without_probabilities(mut self) -> Self {
        self.keeps_probabilities = false;
        self.probabilities = Aligned::zeros(0);
        self
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Changes the number of chains to `rows`, at most the initial number. The states must be set afterwards.
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

    /// Sets the states (rows, units): units above 0 are on. Returns true if all were 0 or 1.
    pub fn set(&mut self, states: &[T]) -> bool {
        pack_states(Level::detect(), states, self.units, &mut self.states)
    }

    /// Sets the units that are on in `known` to their states in `values`.
    pub fn clamp(&mut self, known: &[u64], values: &[u64]) {
        for ((state, &known), &value) in self.states.iter_mut().zip(known).zip(values) {
            *state = *state & !known | value & known;
        }
        self.clear_padding();
    }

    /// Turns off the padding bits beyond the last unit.
    pub fn clear_padding(&mut self) {
        let last = self.units % PANEL;
        if last > 0 {
            let first = (panels(self.units) - 1) * self.rows;
            self.states[first..].iter_mut().for_each(|state| *state &= (1 << last) - 1);
        }
    }

    /// True if the states and probabilities of the padding are all 0.
    #[cfg(test)]
    pub fn has_zero_padding(&self) -> bool {
        let last = panels(self.units) - 1;
        let units = panel_units(self.units, last);
        let beyond = |state: &u64| units == PANEL || state >> units == 0;
        self.states[last * self.rows..].iter().all(beyond)
            && self.probabilities.chunks_exact(PANEL).skip(last * self.rows).all(|p| is_zero(&p[units..]))
    }

    /// Writes the states (rows, units), each 0 or 1.
    pub fn unpack(&self, states: &mut [T]) {
        unpack_states(&self.states, self.units, states);
    }

    /// Writes the P(unit = 1) from which the states were sampled (rows, units).
    pub fn unpack_probabilities(&self, out: &mut [T]) {
        unpack_rows(&self.probabilities, self.units, out);
    }

    /// Updates the sums from the states of `sources` and samples the states from them.
    ///
    /// **Randomness** Panel p draws from `stream.substream(p)`, one row after another.
    pub fn sample_from<const N: usize>(
        &mut self,
        sources: [Source<'_, T>; N],
        logits: Logits<'_, T>,
        stream: Stream,
    ) {
        self.sample_and_inspect(sources, logits, stream, &mut [], &ignore);
    }

    /// Does what [`Layer::sample_from`] does. The thread that has sampled a panel then calls `inspect(panel, results)`,
    /// with an equal part of `results` for each panel.
    pub fn sample_and_inspect<const N: usize>(
        &mut self,
        sources: [Source<'_, T>; N],
        logits: Logits<'_, T>,
        stream: Stream,
        results: &mut [T],
        inspect: &(impl Fn(ComputedPanel<'_, T>, &mut [T]) + Sync),
    ) {
        self.update_from(sources, Some((logits, stream)), results, inspect);
    }

    /// Updates the sums and inspects the panels, but does not sample the states.
    pub fn sum_from<const N: usize>(
        &mut self,
        sources: [Source<'_, T>; N],
        results: &mut [T],
        inspect: &(impl Fn(ComputedPanel<'_, T>, &mut [T]) + Sync),
    ) {
        self.update_from(sources, None, results, inspect);
    }

    /// Updates the sums and, if `sampling` is given, samples the states.
    fn update_from<const N: usize>(
        &mut self,
        mut sources: [Source<'_, T>; N],
        sampling: Option<(Logits<'_, T>, Stream)>,
        results: &mut [T],
        inspect: &(impl Fn(ComputedPanel<'_, T>, &mut [T]) + Sync),
    ) {
        let tiles: usize = sources.iter().map(|source| source.link.panels()).sum();
        let in_parallel = self.rows * panels(self.units) * (tiles + SAMPLING) >= PARALLEL_FROM;
        let from_zero = link::list(&mut sources, in_parallel);
        let update = |panel: usize, columns: usize, sums: &mut [T]| {
            link::add(&sources, panel, from_zero, columns, sums);
        };
        self.pass(in_parallel, &update, sampling, results, inspect);
    }

    /// Samples the states from sums that are up to date.
    pub fn sample(&mut self, logits: Logits<'_, T>, stream: Stream) {
        self.pass(true, &|_, _, _| {}, Some((logits, stream)), &mut [], &ignore);
    }

    /// Swaps the states of two rows. The caller must swap them in the layer's links, too.
    pub fn swap_rows(&mut self, a: usize, b: usize) {
        for states in self.states.chunks_exact_mut(self.rows) {
            states.swap(a, b);
        }
    }

    /// Swaps the sums of two rows.
    pub fn swap_sums(&mut self, a: usize, b: usize) {
        for sums in self.sums.chunks_exact_mut(self.rows * PANEL) {
            for unit in 0..PANEL {
                sums.swap(a * PANEL + unit, b * PANEL + unit);
            }
        }
    }

    /// For each panel, calls `update(panel, units, sums)`, samples the states, and calls `inspect`.
    fn pass(
        &mut self,
        in_parallel: bool,
        update: &(impl Fn(usize, usize, &mut [T]) + Sync),
        sampling: Option<(Logits<'_, T>, Stream)>,
        results: &mut [T],
        inspect: &(impl Fn(ComputedPanel<'_, T>, &mut [T]) + Sync),
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
                    // At least 1, in case there are no chains.
                    let block = (rows / logits.scales.len()).max(1);
                    let mut kept = probabilities.0.chunks_exact_mut(block * PANEL);
                    let blocks = sums.0.chunks_exact(block * PANEL).zip(states.0.chunks_exact_mut(block));
                    let logits = logits.scales.iter().zip(logits.bias.chunks_exact(all));
                    for ((sums, states), (&scale, bias)) in blocks.zip(logits) {
                        let (level, bias) = (Level::detect(), &bias[range.clone()]);
                        sample(level, &mut generator, sums, scale, bias, kept.next(), states);
                    }
                }
                inspect(ComputedPanel { units: range, sums: sums.0, states: states.0 }, results.0);
            },
        );
    }
}

/// Sampling a panel's states takes as long as adding this many tiles.
const SAMPLING: usize = 2;

/// Number of tiles times rows from which a second thread is worth starting: about 30 microseconds of work.
const PARALLEL_FROM: usize = 2000;

/// True if all `numbers` are 0.
#[cfg(test)]
pub(crate) fn is_zero<T: Element>(numbers: &[T]) -> bool {
    numbers.iter().all(|&x| x == T::ZERO)
}

/// Converts (panels, rows, 64) to (rows, units).
pub(crate) fn unpack_rows<T: Element>(panelled: &[T], units: usize, out: &mut [T]) {
    let rows = out.len() / units;
    for (r, out) in out.chunks_exact_mut(units).enumerate() {
        for (panel, out) in out.chunks_mut(PANEL).enumerate() {
            out.copy_from_slice(&panelled[(panel * rows + r) * PANEL..][..out.len()]);
        }
    }
}

/// Converts (rows, units) to (panels, rows, 64) with padding 0.
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
