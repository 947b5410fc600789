//! Block sizes from assumed cache sizes, and the split of C over threads.

use crate::lanes::{Lanes, Scalar};
use crate::level::{Kind, Level};
use core::ops::Range;

/// The cache sizes that determine the block sizes.
///
/// They are constants and not detected, so that results do not depend on the machine: KC determines where sums are
/// split.
#[derive(Clone, Copy, Debug)]
pub struct CacheSizes {
    /// First-level cache of a core, in bytes.
    pub l1: usize,
    /// Second-level cache of a core, in bytes.
    pub l2: usize,
}

impl CacheSizes {
    /// The cache sizes assumed at `level`: AVX-512 server cores since Ice Lake have 48 KiB and 1.25 to 2 MiB, other
    /// cores rarely less than 32 KiB and 256 KiB.
    pub fn of(level: Level) -> Self {
        match level.kind() {
            Kind::Avx512 => Self { l1: 48 << 10, l2: 1 << 20 },
            Kind::Avx2 | Kind::Portable => Self { l1: 32 << 10, l2: 256 << 10 },
        }
    }
}

/// Sizes of the register tile and of the cache blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks {
    pub mr: usize,
    pub nr: usize,
    pub mc: usize,
    pub kc: usize,
}

impl Blocks {
    /// The blocks of sums of up to `terms` products with m rows and depth k.
    pub(super) fn new<T: Scalar>(level: Level, m: usize, k: usize, terms: usize) -> Self {
        let (mr, nr) = tile_of::<T>(level);
        let caches = CacheSizes::of(level);
        // B's micropanel (KC x NR) takes up to three quarters of L1: every tile in a column of tiles reads it.
        let kc_max = (caches.l1 / 4 * 3 / (nr * size_of::<T>())).next_multiple_of(8);
        // A's block (MC x KC) takes up to half of L2: every column of tiles reads it.
        let mc_max = caches.l2 / 2 / (kc_max * size_of::<T>()) / mr * mr;
        // Equal blocks: 784 = 264 + 264 + 256 rather than 288 + 288 + 208.
        let even = |size: usize, most: usize| size.div_ceil(size.div_ceil(most).max(1));
        let kc = if k <= kc_max { k * even(terms, kc_max / k.max(1)) } else { even(k, kc_max) };
        Self { mr, nr, mc: m.min(mc_max).max(1), kc: kc.next_multiple_of(8).max(8) }
    }

    /// Elements of a micropanel of B.
    pub(crate) fn panel_len(&self) -> usize {
        self.kc * self.nr
    }

    /// Elements of a tile of C.
    pub(crate) fn tile_len(&self) -> usize {
        self.mr * self.nr
    }

    /// Elements between the starts of two packed rows of A: an odd number of cache lines, with room for a whole vector at
    /// the end of the last term.
    pub(crate) fn packed_row<T: Scalar>(&self) -> usize {
        let line = 64 / size_of::<T>();
        ((self.kc.div_ceil(line) + 1) | 1) * line
    }

    /// Elements of workspace per task, with room for alignment to a cache line; a whole number of lines.
    pub(super) fn workspace_len<T: Scalar>(&self) -> usize {
        let line = 64 / size_of::<T>();
        let a = self.mc.next_multiple_of(self.mr) * self.packed_row::<T>();
        (self.panel_len() + self.tile_len() + a + line).next_multiple_of(line)
    }
}

/// MR and NR of a level.
pub(super) fn tile_of<T: Scalar>(level: Level) -> (usize, usize) {
    fn tile<L: Lanes>() -> (usize, usize) {
        (L::MR, L::NV * L::COUNT)
    }
    match level.kind() {
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => tile::<T::Avx512>(),
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => tile::<T::Avx2>(),
        _ => tile::<T::Portable>(),
    }
}

/// C split into `row_parts` x `column_parts` blocks, one task each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    m: usize,
    n: usize,
    rows: usize,
    columns: usize,
    row_parts: usize,
    column_parts: usize,
    /// Threads that are worth using.
    workers: usize,
    /// Threads that may take part.
    threads: usize,
    pub blocks: Blocks,
    pub workspace_per_thread: usize,
}

/// Number of multiply-adds below which a second thread costs more than it gains (about 5 microseconds of one core).
const PARALLEL_MIN_WORK: usize = 1 << 18;

impl Grid {
    /// The split of an m x n x k product over `threads` threads.
    pub(crate) fn new<T: Scalar>(level: Level, m: usize, n: usize, k: usize, threads: usize) -> Self {
        let work = m.saturating_mul(n).saturating_mul(k);
        let workers = threads.min(work / PARALLEL_MIN_WORK + 1);
        let mut grid = Self {
            m,
            n,
            rows: m,
            columns: n,
            row_parts: 1,
            column_parts: 1,
            workers,
            threads: if workers > 1 { threads } else { 1 },
            blocks: Blocks::new::<T>(level, m, k, 1),
            workspace_per_thread: 0,
        };
        if workers > 1 {
            grid.cut(work / PARALLEL_MIN_WORK + 1);
            grid.blocks = Blocks::new::<T>(level, grid.rows, k, 1);
        }
        grid.workspace_per_thread = grid.blocks.workspace_len::<T>();
        grid
    }

    /// Chooses one, two or four tasks per worker: the split with the shortest estimated time. Each task packs the
    /// operands that it reads, so more tasks pay off only by better balance. They would help if another process slowed a
    /// worker down, but otherwise they cost a tenth of the speed of layers.
    fn cut(&mut self, max_tasks: usize) {
        // A third of a tile's rows, or half of its columns: parts then differ little, and edge tiles have their own
        // sizes.
        let (row_unit, column_unit) = (self.blocks.mr.div_ceil(3), self.blocks.nr / 2);
        let row_units = self.m.div_ceil(row_unit).max(1);
        let column_units = self.n.div_ceil(column_unit).max(1);
        let mut shortest = usize::MAX;
        for tasks in [1, 2, 4].map(|share| (share * self.workers).min(max_tasks)) {
            for row_parts in (1..=tasks).filter(|parts| tasks.is_multiple_of(*parts)) {
                let rows = row_units.div_ceil(row_parts).saturating_mul(row_unit).min(self.m);
                let columns =
                    column_units.div_ceil(tasks / row_parts).saturating_mul(column_unit).min(self.n);
                // Reading an element for the first time costs about as much as 16 multiply-adds for A and 8 for B.
                let reading = rows.saturating_mul(16).saturating_add(columns.saturating_mul(8));
                let task = rows.saturating_mul(columns).saturating_add(reading);
                // The last term estimates how long the other workers wait for the last one.
                let time = task.saturating_mul(tasks.div_ceil(self.workers)).saturating_add(task / 64);
                if time < shortest {
                    shortest = time;
                    (self.rows, self.columns) = (rows, columns);
                }
            }
        }
        self.row_parts = self.m.div_ceil(self.rows.max(1));
        self.column_parts = self.n.div_ceil(self.columns.max(1));
    }

    /// Elements of workspace for all threads.
    pub(crate) fn workspace_len(&self) -> usize {
        self.threads * self.workspace_per_thread
    }

    pub(crate) fn tasks(&self) -> usize {
        self.row_parts * self.column_parts
    }

    /// The rows and columns of C that `task` computes.
    pub(crate) fn part(&self, task: usize) -> (Range<usize>, Range<usize>) {
        let (i, j) = (task / self.column_parts, task % self.column_parts);
        let cut = |part: usize, size: usize, end: usize| (part * size).min(end)..((part + 1) * size).min(end);
        (cut(i, self.rows, self.m), cut(j, self.columns, self.n))
    }
}
