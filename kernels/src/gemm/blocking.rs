//! Block sizes from stated cache sizes, and the split of C over threads.

use crate::lanes::{Lanes, Scalar};
use crate::level::{Kind, Level};
use core::ops::Range;

/// The cache that blocks are sized for. Stated, not detected, so that results do not depend on the machine: KC
/// decides where sums are split.
#[derive(Clone, Copy, Debug)]
pub struct CacheSizes {
    /// Second level, of a core, in bytes.
    pub l2: usize,
}

impl CacheSizes {
    /// What is assumed at `level`: AVX-512 server cores from Skylake on have 1 to 2 MiB of L2, others rarely less
    /// than 256 KiB.
    pub fn of(level: Level) -> Self {
        match level.kind() {
            Kind::Avx512 => Self { l2: 1 << 20 },
            Kind::Avx2 | Kind::Portable => Self { l2: 256 << 10 },
        }
    }
}

/// Sizes of the register tile and of the blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks {
    pub mr: usize,
    pub nr: usize,
    pub mc: usize,
    pub kc: usize,
    pub nc: usize,
}

impl Blocks {
    fn new<T: Scalar>(level: Level, m: usize, n: usize, k: usize) -> Self {
        let (mr, nr) = tile_of::<T>(level);
        let caches = CacheSizes::of(level);
        let size = size_of::<T>();
        // B's micropanel (KC x NR) in a sixteenth of L2: its rows come in order, so that L1 need not hold it, and a
        // deeper block passes over C less often.
        let kc_most = (caches.l2 / 16 / (nr * size)).next_multiple_of(8);
        // A's block (MC x KC) in a quarter of L2; B's slab (KC x NC) in as much as L2, beside it or one level out.
        let mc_most = caches.l2 / 4 / (kc_most * size);
        let nc_most = caches.l2 / (kc_most * size);
        // Equal blocks: 784 = 3 x 264 rather than 3 x 256 + 16.
        let equal = |size: usize, most: usize, unit: usize| {
            size.div_ceil(size.div_ceil(most).max(1)).next_multiple_of(unit).max(unit)
        };
        let (kc, mc, nc) = (equal(k, kc_most, 8), equal(m, mc_most, mr), equal(n, nc_most, nr));
        Self { mr, nr, mc, kc, nc }
    }

    /// Rows of C that tasks are cut by: a third of a tile, which has the chains to hide latency (12 = 3 x 4).
    fn row_unit(&self) -> usize {
        self.mr.div_ceil(3)
    }

    /// Columns of C that tasks are cut by: a vector of a tile's two.
    fn column_unit(&self) -> usize {
        self.nr / 2
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

/// C cut into `row_parts` x `column_parts` blocks, one task each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    m: usize,
    n: usize,
    row_parts: usize,
    column_parts: usize,
    pub blocks: Blocks,
    pub workspace_per_task: usize,
}

/// Multiply-adds below which a second thread costs more than it brings (about 5 microseconds of one core).
const PARALLEL_FROM: usize = 1 << 18;

impl Grid {
    pub fn new<T: Scalar>(level: Level, m: usize, n: usize, k: usize, threads: usize) -> Self {
        let mut blocks = Blocks::new::<T>(level, m, n, k);
        let work = m.saturating_mul(n).saturating_mul(k);
        let threads = threads.min(work / PARALLEL_FROM + 1);
        let (row_parts, column_parts) = Self::parts(&blocks, m, n, threads);
        let mut grid = Self { m, n, row_parts, column_parts, blocks, workspace_per_task: 0 };
        let (rows, columns) = grid.part_size();
        blocks = Blocks::new::<T>(level, rows, columns, k);
        grid.blocks = blocks;
        let depth = blocks.kc.min(k);
        let panels = (rows.next_multiple_of(blocks.mr).min(blocks.mc)
            + columns.next_multiple_of(blocks.nr).min(blocks.nc))
            * depth;
        // Room to align to a cache line, and whole lines a task.
        let line = 64 / size_of::<T>();
        grid.workspace_per_task = (panels + 2 * line).next_multiple_of(line);
        grid
    }

    /// The split whose slowest task has the least work, packing included.
    fn parts(blocks: &Blocks, m: usize, n: usize, threads: usize) -> (usize, usize) {
        let row_units = m.div_ceil(blocks.row_unit()).max(1);
        let column_units = n.div_ceil(blocks.column_unit()).max(1);
        let cost = |&(row_parts, column_parts): &(usize, usize)| {
            let rows = row_units.div_ceil(row_parts) * blocks.row_unit();
            let columns = column_units.div_ceil(column_parts) * blocks.column_unit();
            // Packing an element costs about as much as 32 multiply-adds in the microkernel where it is
            // transposed, which A mostly is, and half of that where B is copied.
            rows.saturating_mul(columns).saturating_add(32 * rows + 16 * columns)
        };
        (1..=threads)
            .map(|row_parts| (row_parts.min(row_units), (threads / row_parts).clamp(1, column_units)))
            .min_by_key(cost)
            .unwrap_or((1, 1))
    }

    /// Elements of workspace of all tasks.
    pub fn workspace_len(&self) -> usize {
        self.tasks() * self.workspace_per_task
    }

    pub fn tasks(&self) -> usize {
        self.row_parts * self.column_parts
    }

    /// Rows and columns of the largest part, in whole units.
    fn part_size(&self) -> (usize, usize) {
        let (row, column) = (self.blocks.row_unit(), self.blocks.column_unit());
        (
            self.m.div_ceil(row).div_ceil(self.row_parts) * row,
            self.n.div_ceil(column).div_ceil(self.column_parts) * column,
        )
    }

    /// The rows and columns of C that `task` computes.
    pub fn part(&self, task: usize) -> (Range<usize>, Range<usize>) {
        let (i, j) = (task / self.column_parts, task % self.column_parts);
        let (rows, columns) = self.part_size();
        let cut = |part: usize, size: usize, end: usize| (part * size).min(end)..((part + 1) * size).min(end);
        (cut(i, rows, self.m), cut(j, columns, self.n))
    }
}
