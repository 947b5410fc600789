//! The gradient over a mini-batch, as far as it is the same for every hidden panel.

use crate::aligned::Aligned;
use crate::parallel::{Chunks, for_each_split};
use crate::tensor::Element;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;
use equilibria_kernels::binary::{
    Occurrences, PANEL, SparseMut, SparseRows, count_rows, list_occurrences, panels, transpose_states,
};
use equilibria_kernels::{Level, reduce};

/// The gradient as a sparse matrix, for each visible panel: which rows of the phases' probabilities each unit adds up.
#[derive(Debug, Clone)]
pub(super) struct Gradient<T: Element> {
    /// Entries that a panel has room for.
    room: usize,
    /// Transposed states of the data, the chains, and what their changes are counted from.
    words: Vec<u64>,
    starts: Vec<u32>,
    offsets: Vec<u32>,
    factors: Aligned<T>,
    order: Vec<u32>,
    /// By b, times the learning rate (visible panels, 64).
    pub visible: Vec<T>,
    /// By c, times the learning rate (hidden panels, 64).
    pub hidden: Vec<T>,
    /// Means of the data's visible and hidden units, in the same places.
    pub means: [Vec<T>; 2],
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

impl<T> PhaseStates<'_, T> {
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
        let [by_visible, by_hidden] = [visible, hidden].map(|units| vec![T::ZERO; panels(units) * PANEL]);
        let room = SparseMut::<T>::room(PANEL, 2 * blocks * PANEL);
        Self {
            room,
            words: vec![0; panels_of * 3 * blocks * PANEL],
            starts: vec![0; panels_of * (PANEL + 1)],
            offsets: vec![0; panels_of * room],
            factors: Aligned::zeros(panels_of * room),
            order: vec![0; panels_of * PANEL],
            means: [by_visible.clone(), by_hidden.clone()],
            visible: by_visible,
            hidden: by_hidden,
        }
    }

    /// Lists the rows of both phases, the negative one's after the positive one's; if `differ`, of the negative phase
    /// the changes since the positive one. Grey data have no `positive` states.
    pub fn list(
        &mut self,
        positive: PhaseStates<'_, T>,
        negative: PhaseStates<'_, T>,
        differ: bool,
        in_parallel: bool,
    ) {
        let panels_of = self.visible.len() / PANEL;
        let chunk = self.words.len() / panels_of;
        let pieces = (
            (
                Chunks(&mut self.words, chunk),
                (
                    Chunks(&mut self.order, PANEL),
                    (Chunks(&mut self.visible, PANEL), Chunks(&mut self.means[0], PANEL)),
                ),
            ),
            (
                Chunks(&mut self.starts, PANEL + 1),
                (Chunks(&mut self.offsets, self.room), Chunks(&mut self.factors, self.room)),
            ),
        );
        for_each_split(
            panels_of,
            in_parallel,
            pieces,
            &|panel, ((words, (order, (visible, means))), lists)| {
                let (v0, rest) = words.0.split_at_mut(panels(positive.rows) * PANEL);
                let vk = &mut rest[..panels(negative.rows) * PANEL];
                let of_panel =
                    |phase: &PhaseStates<'_, T>| panel * phase.stride..panel * phase.stride + phase.rows;
                transpose_states(&negative.states[of_panel(&negative)], vk);
                let v0 = if positive.states.is_empty() {
                    &[]
                } else {
                    transpose_states(&positive.states[of_panel(&positive)], v0);
                    &*v0
                };
                let (starts, (offsets, factors)) = lists;
                let lists =
                    SparseMut { starts: starts.0, order: order.0, offsets: offsets.0, factors: factors.0 };
                let since = if differ { v0 } else { &[] };
                let factors = [positive.factor, negative.factor];
                let rows = [positive.rows, negative.rows];
                let occurrences = Occurrences { positive: v0, negative: vk, since, rows, factors };
                let level = Level::detect();
                list_occurrences(level, occurrences, lists);
                let mut counts = [[0; PANEL]; 2];
                count_rows(level, v0, &mut counts[0]);
                count_rows(level, vk, &mut counts[1]);
                let per_row = T::ONE / T::from_f64(positive.rows as f64);
                let counts = counts[0].iter().zip(&counts[1]);
                for ((gradient, mean), counts) in visible.0.iter_mut().zip(&mut *means.0).zip(counts) {
                    let [ones, now] = [counts.0, counts.1].map(|&count| T::from_f64(f64::from(count)));
                    *gradient = positive.factor * ones + negative.factor * now;
                    *mean = per_row * ones;
                }
            },
        );
    }

    /// The lists of a visible panel.
    pub fn panel(&self, panel: usize) -> SparseRows<'_, T> {
        SparseRows {
            starts: &self.starts[panel * (PANEL + 1)..][..PANEL + 1],
            order: &self.order[panel * PANEL..][..PANEL],
            offsets: &self.offsets[panel * self.room..][..self.room],
            factors: &self.factors[panel * self.room..][..self.room],
        }
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
        let panels_of = self.hidden.chunks_exact_mut(PANEL).zip(hidden_means.chunks_exact_mut(PANEL));
        for (q, (gradient, means)) in panels_of.enumerate() {
            means.fill(T::ZERO);
            let p0 = &p0[positive.of_panel(q)];
            reduce::add_column_sums(level, per_row, p0, positive.rows, PANEL, means);
            gradient.iter_mut().zip(&*means).for_each(|(gradient, &mean)| *gradient = rate * mean);
            let pk = &pk[negative.of_panel(q)];
            reduce::add_column_sums(level, negative.factor, pk, negative.rows, PANEL, gradient);
        }
        if let Some(v0) = grey {
            let visible = v0.len() / positive.rows;
            let means = &mut visible_means[..visible];
            means.fill(T::ZERO);
            reduce::add_column_sums(level, per_row, v0, positive.rows, visible, means);
            self.visible.iter_mut().zip(&*means).for_each(|(gradient, &mean)| *gradient += rate * mean);
        }
    }
}
