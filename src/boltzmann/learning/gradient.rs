//! The gradient over a mini-batch, as far as it is the same for every hidden panel.

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

/// Rows of both phases up to which the gradient is looked up rather than listed. Lists of so few rows would be short,
/// and their ends cost more than their additions.
const TABLED: usize = 64;

/// The gradient for each visible panel: which rows of the phases' probabilities each unit adds up, as a sparse matrix, or
/// for small mini-batches as places in tables of partial sums.
#[derive(Debug, Clone)]
pub(super) struct Gradient<T: Element> {
    /// Entries that a panel has room for.
    room: usize,
    /// Transposed states of the data and the chains (visible panels, 64 for each 64 rows of a phase); if they are looked
    /// up, 64 for both phases.
    words: Vec<u64>,
    /// Elements of the tables that a hidden panel needs; 0 for lists.
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

/// One of the two phases, or the difference between them.
#[derive(Clone, Copy)]
pub(super) struct PhaseStates<'a, T> {
    /// (panels, stride)
    pub states: &'a [u64],
    /// Rows of a panel, of which the first `rows` count.
    pub stride: usize,
    pub rows: usize,
    /// Learning rate over rows, negative for the negative phase.
    pub factor: T,
}

impl<'a, T> PhaseStates<'a, T> {
    /// The states of a visible panel; none of grey data.
    fn panel(&self, panel: usize) -> &'a [u64] {
        if self.states.is_empty() { &[] } else { &self.states[panel * self.stride..][..self.rows] }
    }

    /// The probabilities of a hidden panel, among those of all (panels, stride, 64).
    pub fn of_panel(&self, panel: usize) -> Range<usize> {
        let first = panel * self.stride * PANEL;
        first..first + self.rows * PANEL
    }
}

impl<T: Element> Gradient<T> {
    /// Room for the gradient of a machine over `rows` images and as many chains.
    pub fn new(visible: usize, hidden: usize, rows: usize) -> Self {
        let (panels_of, blocks) = (panels(visible), panels(rows));
        let is_tabled = 2 * rows <= TABLED;
        let (room, blocks_of_both) = match is_tabled {
            true => (0, 1),
            false => (SparseMut::<T>::room(PANEL, 2 * blocks * PANEL), 2 * blocks),
        };
        Self {
            room,
            tables_len: if is_tabled { tables_len(2 * rows) } else { 0 },
            words: vec![0; panels_of * blocks_of_both * PANEL],
            starts: vec![0; panels_of * (PANEL + 1)],
            offsets: vec![0; panels_of * room],
            factors: Aligned::zeros(panels_of * room),
            order: vec![0; panels_of * PANEL],
            means: [visible, hidden].map(UnitValues::new),
            visible: UnitValues::new(visible),
            hidden: UnitValues::new(hidden),
        }
    }

    /// Lists or packs the rows of both phases, the negative one's after the positive one's; if `differ`, of the negative phase
    /// the changes since the positive one. Grey data have no `positive` states.
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
                (Chunks(&mut self.offsets, self.room), Chunks(&mut self.factors, self.room)),
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
                // Both phases' rows in a word.
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
            // At least 1, where the positive phase is not of bits.
            let per_row = T::ONE / T::from_f64(positive.rows.max(1) as f64);
            let counts = counts[0].iter().zip(&counts[1]);
            for ((gradient, mean), counts) in visible.0.iter_mut().zip(means.0).zip(counts) {
                let [before, after] = [counts.0, counts.1].map(|&count| T::from_f64(f64::from(count)));
                *gradient = positive.factor * before + negative.factor * after;
                *mean = per_row * before;
            }
        });
    }

    /// Makes the tables of a hidden panel, if there are any, of p0 and pk (rows of both phases, 64); `phases` are their
    /// rows and factors.
    pub fn tabulate(&self, phases: [(usize, T); 2], values: &[T], columns: usize, tables: &mut [T]) {
        if self.tables_len > 0 {
            let len = tables_len(phases[0].0 + phases[1].0);
            tabulate(Level::detect(), values, phases, columns, &mut tables[..len]);
        }
    }

    /// The sums that a tile of visible panel `panel` learns from.
    pub fn sums<'a>(&'a self, panel: usize, values: &'a [T], tables: &'a [T]) -> Sums<'a, T> {
        if self.tables_len > 0 {
            let words = &self.words[panel * PANEL..][..PANEL];
            let tables = &tables[..tables_len(values.len() / PANEL)];
            return Sums::Tabled(TabledRows { words, tables });
        }
        let lists = SparseRows {
            starts: &self.starts[panel * (PANEL + 1)..][..PANEL + 1],
            order: &self.order[panel * PANEL..][..PANEL],
            offsets: &self.offsets[panel * self.room..][..self.room],
            factors: &self.factors[panel * self.room..][..self.room],
        };
        Sums::Listed { lists, values }
    }

    /// The parts by b and c that are not counted: by c, from the probabilities p0 and pk (panels, stride, 64); by b,
    /// where the data are `grey` (rows, visible).
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
