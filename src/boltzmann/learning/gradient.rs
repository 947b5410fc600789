//! The parts of a mini-batch's gradient that all hidden panels share.

use crate::aligned::Aligned;
use crate::boltzmann::units::UnitValues;
use crate::parallel::{Chunks, for_each_split};
use crate::tensor::Element;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;
use equilibria_kernels::binary::{
    Occurrences, PANEL, SparseMut, SparseRows, Sums, TabledRows, count_rows, list_occurrences, panels,
    tables_len, tabulate, transpose_states,
};
use equilibria_kernels::{Level, reduce};

/// Rows of both phases up to which the gradient uses tables instead of lists. For so few rows, lists would be short,
/// and starting and ending them would cost more than the additions.
const MAX_TABLED_ROWS: usize = 64;

/// The gradient for each visible panel: the rows of the phases' probabilities that each unit adds up. They are stored
/// as a sparse matrix, or for small mini-batches as indices into tables of partial sums.
#[derive(Debug, Clone)]
pub(super) struct Gradient<T: Element> {
    /// Entries that fit into the lists of a panel.
    capacity: usize,
    /// Transposed states of the data and the chains (visible panels, 64 for each 64 rows of a phase); with tables, 64
    /// words for both phases.
    words: Vec<u64>,
    /// Elements of a hidden panel's tables; 0 with lists.
    pub tables_len: usize,
    starts: Vec<u32>,
    offsets: Vec<u32>,
    factors: Aligned<T>,
    order: Vec<u32>,
    /// The gradient with respect to b, times the learning rate.
    pub visible: UnitValues<T>,
    /// The gradient with respect to c, times the learning rate.
    pub hidden: UnitValues<T>,
    /// Means of the data's visible and hidden units.
    pub means: [UnitValues<T>; 2],
}

/// The states of one of the two phases.
#[derive(Clone, Copy)]
pub(super) struct PhaseStates<'a, T> {
    /// (panels, stride)
    pub states: &'a [u64],
    /// Rows stored per panel; the first `rows` of them are used.
    pub stride: usize,
    pub rows: usize,
    /// Learning rate over the number of rows, negative for the negative phase.
    pub factor: T,
}

impl<'a, T> PhaseStates<'a, T> {
    /// The states of a visible panel; empty for grey data.
    fn panel(&self, panel: usize) -> &'a [u64] {
        if self.states.is_empty() { &[] } else { &self.states[panel * self.stride..][..self.rows] }
    }

    /// The range of a hidden panel's probabilities within (panels, stride, 64).
    pub fn of_panel(&self, panel: usize) -> Range<usize> {
        let first = panel * self.stride * PANEL;
        first..first + self.rows * PANEL
    }
}

impl<T: Element> Gradient<T> {
    /// Allocates buffers for the gradient of a machine over `rows` images and as many chains.
    pub fn new(visible: usize, hidden: usize, rows: usize) -> Self {
        let (panels_of, blocks) = (panels(visible), panels(rows));
        let is_tabled = 2 * rows <= MAX_TABLED_ROWS;
        let (capacity, blocks_of_both) = match is_tabled {
            true => (0, 1),
            false => (SparseMut::<T>::room(PANEL, 2 * blocks * PANEL), 2 * blocks),
        };
        Self {
            capacity,
            tables_len: if is_tabled { tables_len(2 * rows) } else { 0 },
            words: vec![0; panels_of * blocks_of_both * PANEL],
            starts: vec![0; panels_of * (PANEL + 1)],
            offsets: vec![0; panels_of * capacity],
            factors: Aligned::zeros(panels_of * capacity),
            order: vec![0; panels_of * PANEL],
            means: [visible, hidden].map(UnitValues::new),
            visible: UnitValues::new(visible),
            hidden: UnitValues::new(hidden),
        }
    }

    /// Lists the active units of both phases, or packs them for tables: the rows of the negative phase follow those of
    /// the positive one. With `differ`, lists of the negative phase hold its changes since the positive one. Grey data
    /// have no `positive` states. Also computes the counted parts of the gradient with respect to b and of the visible
    /// means.
    pub fn list(
        &mut self,
        positive: PhaseStates<'_, T>,
        negative: PhaseStates<'_, T>,
        differ: bool,
        in_parallel: bool,
    ) {
        let panels_of = panels(self.visible.len());
        let chunk = self.words.len() / panels_of;
        let is_tabled = self.tables_len > 0;
        let (mut visible, mut means) = (self.visible.panels_mut(), self.means[0].panels_mut());
        let pieces = (
            (
                Chunks(&mut self.words, chunk),
                (Chunks(&mut self.order, PANEL), (Chunks(&mut visible, PANEL), Chunks(&mut means, PANEL))),
            ),
            (
                Chunks(&mut self.starts, PANEL + 1),
                (Chunks(&mut self.offsets, self.capacity), Chunks(&mut self.factors, self.capacity)),
            ),
        );
        for_each_split(panels_of, in_parallel, pieces, &|panel,
                                                         (
            (words, (order, (visible, means))),
            (starts, (offsets, factors)),
        )| {
            let level = Level::detect();
            let (v0, vk) = (positive.panel(panel), negative.panel(panel));
            let mut counts = [[0; PANEL]; 2];
            if is_tabled {
                // The rows of both phases fit into one word.
                let mut rows = [0; PANEL];
                rows[..v0.len()].copy_from_slice(v0);
                rows[positive.rows..][..vk.len()].copy_from_slice(vk);
                transpose_states(&rows, words.0);
                let is_positive = (1 << positive.rows) - 1;
                count_rows(level, words.0, is_positive, &mut counts[0]);
                count_rows(level, words.0, !is_positive, &mut counts[1]);
            } else {
                let (of_positive, rest) = words.0.split_at_mut(panels(v0.len()) * PANEL);
                let of_negative = &mut rest[..panels(vk.len()) * PANEL];
                transpose_states(v0, of_positive);
                transpose_states(vk, of_negative);
                let occurrences = Occurrences {
                    positive: of_positive,
                    negative: of_negative,
                    since: if differ { of_positive } else { &[] },
                    rows: [positive.rows, negative.rows],
                    factors: [positive.factor, negative.factor],
                };
                let lists =
                    SparseMut { starts: starts.0, order: order.0, offsets: offsets.0, factors: factors.0 };
                list_occurrences(level, occurrences, lists);
                count_rows(level, of_positive, !0, &mut counts[0]);
                count_rows(level, of_negative, !0, &mut counts[1]);
            }
            // At least 1: the positive phase has no listed rows if the data are not bits.
            let per_row = T::ONE / T::from_f64(positive.rows.max(1) as f64);
            let counts = counts[0].iter().zip(&counts[1]);
            for ((gradient, mean), counts) in visible.0.iter_mut().zip(means.0).zip(counts) {
                let [before, after] = [counts.0, counts.1].map(|&count| T::from_f64(f64::from(count)));
                *gradient = positive.factor * before + negative.factor * after;
                *mean = per_row * before;
            }
        });
    }

    /// Computes the tables of a hidden panel, if tables are used, from p0 and pk (rows of both phases, 64). `phases`
    /// are their rows and factors.
    pub fn tabulate(&self, phases: [(usize, T); 2], values: &[T], columns: usize, tables: &mut [T]) {
        if self.tables_len > 0 {
            let len = tables_len(phases[0].0 + phases[1].0);
            tabulate(Level::detect(), values, phases, columns, &mut tables[..len]);
        }
    }

    /// The sums for the update of a tile of visible panel `panel`.
    pub fn sums<'a>(&'a self, panel: usize, values: &'a [T], tables: &'a [T]) -> Sums<'a, T> {
        if self.tables_len > 0 {
            let words = &self.words[panel * PANEL..][..PANEL];
            let tables = &tables[..tables_len(values.len() / PANEL)];
            return Sums::Tabled(TabledRows { words, tables });
        }
        let lists = SparseRows {
            starts: &self.starts[panel * (PANEL + 1)..][..PANEL + 1],
            order: &self.order[panel * PANEL..][..PANEL],
            offsets: &self.offsets[panel * self.capacity..][..self.capacity],
            factors: &self.factors[panel * self.capacity..][..self.capacity],
        };
        Sums::Listed { lists, values }
    }

    /// Adds the parts of the bias gradients that `list` does not count: those of c, from the probabilities p0 and pk
    /// (panels, stride, 64), and the data's part of b if the data are `grey` (rows, visible).
    pub fn add_up(
        &mut self,
        positive: PhaseStates<'_, T>,
        negative: PhaseStates<'_, T>,
        [p0, pk]: [&[T]; 2],
        grey: Option<&[T]>,
    ) {
        let level = Level::detect();
        let per_row = T::ONE / T::from_f64(positive.rows as f64);
        let rate = positive.factor / per_row;
        let [visible_means, hidden_means] = &mut self.means;
        let (mut hidden, mut hidden_means) = (self.hidden.panels_mut(), hidden_means.panels_mut());
        let panels_of = hidden.chunks_exact_mut(PANEL).zip(hidden_means.chunks_exact_mut(PANEL));
        for (q, (gradient, means)) in panels_of.enumerate() {
            means.fill(T::ZERO);
            let p0 = &p0[positive.of_panel(q)];
            reduce::add_column_sums(level, per_row, p0, positive.rows, PANEL, means);
            gradient.iter_mut().zip(&*means).for_each(|(gradient, &mean)| *gradient = rate * mean);
            let pk = &pk[negative.of_panel(q)];
            reduce::add_column_sums(level, negative.factor, pk, negative.rows, PANEL, gradient);
        }
        if let Some(v0) = grey {
            visible_means.fill(T::ZERO);
            reduce::add_column_sums(level, per_row, v0, positive.rows, visible_means.len(), visible_means);
            self.visible
                .iter_mut()
                .zip(&**visible_means)
                .for_each(|(gradient, &mean)| *gradient += rate * mean);
        }
    }
}
