//! The product on one thread: loops 4 to 1 and the microkernel of the table in [`super`], and the path of one or two
//! rows, which packs nothing.

use super::blocking::Blocks;
use super::epilogue::{self, Slopes};
use super::microkernel::{self, Prefetch, Terms, Tile};
use super::packing::Block;
use crate::activation::Activation;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::matrix::Layout;
use core::ops::Range;

/// The checked arguments of [`super::gemm`] as pointers, so that tasks may hold blocks of the same C.
#[derive(Clone, Copy)]
pub(super) struct Product<T> {
    pub alpha: T,
    pub a: *const T,
    pub a_layout: Layout,
    /// If `b_is_packed`, a row of B is `NR` elements in each of its micropanels, and the layout's strides are `NR` for rows
    /// and k for columns. The last micropanel is whole.
    pub b: *const T,
    pub b_layout: Layout,
    pub b_is_packed: bool,
    pub beta: T,
    pub c: *mut T,
    pub c_layout: Layout,
    /// Null, or one row of length n.
    pub bias: *const T,
    pub activation: Activation<T>,
    pub slopes: Slopes<T>,
    pub terms: TermGrid,
}

/// The terms of a sum of products C <- Σ A_ij B_ij over a grid of equally spaced places in both operands.
///
/// The layouts of a [`Product`] are those of one term; A_ij lies `i a_steps[0] + j a_steps[1]` elements behind A, and B_ij
/// likewise.
#[derive(Clone, Copy)]
pub(crate) struct TermGrid {
    /// The number of terms in each direction, at least 1.
    pub counts: [usize; 2],
    pub a_steps: [isize; 2],
    pub b_steps: [isize; 2],
}

impl TermGrid {
    /// A plain product.
    pub(crate) const ONE: Self = Self { counts: [1; 2], a_steps: [0; 2], b_steps: [0; 2] };
}

impl<T: Copy> Product<T> {
    /// The transposed product C' = B' A'. Requires that there are no bias and no slopes, and that B is not packed.
    pub(crate) fn transposed(self) -> Self {
        Self {
            a: self.b,
            a_layout: self.b_layout.transposed(),
            b: self.a,
            b_layout: self.a_layout.transposed(),
            c_layout: self.c_layout.transposed(),
            terms: TermGrid { a_steps: self.terms.b_steps, b_steps: self.terms.a_steps, ..self.terms },
            ..self
        }
    }

    /// The product that computes a block of C.
    ///
    /// # Safety
    /// The ranges are inside C.
    pub(crate) unsafe fn block(&self, rows: Range<usize>, columns: Range<usize>) -> Self {
        // SAFETY: non-empty ranges start inside the operands. An empty range moves a pointer at most to the end, and
        // nothing is read there.
        unsafe {
            let at = |layout: &Layout, row: usize, column: usize| {
                row * layout.row_stride + column * layout.column_stride
            };
            Self {
                a: self.a.add(at(&self.a_layout, rows.start, 0)),
                a_layout: Layout { rows: rows.len(), ..self.a_layout },
                b: self.b.add(at(&self.b_layout, 0, columns.start)),
                b_layout: Layout { columns: columns.len(), ..self.b_layout },
                c: self.c.add(at(&self.c_layout, rows.start, columns.start)),
                c_layout: Layout { rows: rows.len(), columns: columns.len(), ..self.c_layout },
                bias: if self.bias.is_null() { self.bias } else { self.bias.add(columns.start) },
                slopes: self.slopes.at(rows.start, columns.start),
                ..*self
            }
        }
    }
}

/// A product on one thread, with its workspace.
pub struct SerialGemm<'a, T> {
    pub(super) product: Product<T>,
    pub(super) blocks: Blocks,
    pub(super) workspace: &'a mut [T],
}

impl<T: Scalar> Operation<T> for SerialGemm<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let Product { b_layout, b_is_packed, c_layout, .. } = self.product;
        let rows_are_contiguous = !b_is_packed && b_layout.column_stride == 1 && c_layout.column_stride == 1;
        // SAFETY: the callers of `Products::gemm` checked shapes, spans and workspace, and gave this task its own block of C.
        unsafe {
            if c_layout.rows <= microkernel::FLAT_ROWS && rows_are_contiguous {
                self.flat(lanes);
            } else {
                self.blocked(lanes);
            }
        }
    }
}

impl<T: Scalar> SerialGemm<'_, T> {
    /// The path of one or two rows: neither operand is used twice, so neither is packed.
    ///
    /// # Safety
    /// The product's pointers are valid for its layouts; C has at most `FLAT_ROWS` rows; the rows of B and C are
    /// contiguous.
    #[inline(always)]
    unsafe fn flat<L: Lanes<Scalar = T>>(&self, lanes: L) {
        let p = &self.product;
        let width = microkernel::FLAT_VECTORS * L::COUNT;
        for block in self.depth_blocks() {
            for j in (0..p.c_layout.columns).step_by(width) {
                // SAFETY: all rows of C, column j + columns <= n, block inside k.
                unsafe {
                    let tile = Tile {
                        a: p.a.offset(block.a),
                        a_row_stride: p.a_layout.row_stride,
                        a_depth_stride: p.a_layout.column_stride,
                        b: p.b.offset(block.b).add(j),
                        rows: p.c_layout.rows,
                        columns: (p.c_layout.columns - j).min(width),
                        ..self.tile_at(0, j, &block)
                    };
                    microkernel::flat(lanes, &tile);
                    self.finish(lanes, &tile, (0, j), &block);
                }
            }
        }
    }

    /// The loops of the table in [`super`].
    ///
    /// # Safety
    /// The product's pointers are valid for its layouts.
    #[inline(always)]
    unsafe fn blocked<L: Lanes<Scalar = T>>(mut self, lanes: L) {
        let Layout { rows: m, columns: n, .. } = self.product.c_layout;
        let a_layout = self.product.a_layout;
        let scratch = self.scratch::<L>();
        let a_in_place = self.reads_a_in_place::<L>();
        let lead = self.columns_before_a_line::<L>();
        // loop 4: split k into blocks of KC: a micropanel of B fits L1
        for block in self.depth_blocks() {
            // loop 3: split m into blocks of MC: A's block fits L2
            for rows in even_parts(m, self.blocks.mc) {
                // SAFETY: rows and block are inside A; `Blocks::workspace_len` has room for them.
                let a = unsafe {
                    let from = self.product.a.offset(block.a).add(rows.start * a_layout.row_stride);
                    if a_in_place {
                        Rows { from, stride: a_layout.row_stride, term_step: block.terms.a_step }
                    } else {
                        let Layout { row_stride, column_stride, .. } = a_layout;
                        let (rows, columns) = (rows.len(), block.depth);
                        let stride = self.blocks.packed_row::<T>();
                        for term in 0..block.terms.count {
                            let from = from.offset(term as isize * block.terms.a_step);
                            Block { from, row_stride, column_stride, rows, columns }.pack(
                                lanes,
                                scratch.a.add(term * columns),
                                stride,
                            );
                        }
                        Rows { from: scratch.a.cast_const(), stride, term_step: block.depth as isize }
                    }
                };
                // loop 2: split n into panels of NR: B's micropanel stays in L1 while A's rows stream past
                let mut j = 0;
                while j < n {
                    let columns = if j < lead { lead } else { (n - j).min(L::NV * L::COUNT) };
                    // SAFETY: column j + columns <= n, block inside k; `a` is valid for the rows.
                    unsafe {
                        self.column_of_tiles(lanes, a, rows.clone(), j..j + columns, &block, scratch);
                    }
                    j += columns;
                }
            }
        }
    }

    /// The blocks of k: terms that follow one another if they are short, or parts of a term. An empty sum (k = 0) is one
    /// block of depth 0.
    #[inline(always)]
    fn depth_blocks(&self) -> impl Iterator<Item = DepthBlock<T>> + use<T> {
        let Product { a_layout, b_layout, beta, terms, .. } = self.product;
        let (k, kc) = (a_layout.columns, self.blocks.kc);
        let inner = usize::from(terms.counts[1] > 1);
        let [rows, columns] = [terms.counts[1 - inner], terms.counts[inner]];
        let parts = k.div_ceil(kc).max(1);
        let most = (kc / k.max(1)).clamp(1, columns);
        let groups = columns.div_ceil(most);
        (0..rows * groups * parts).map(move |index| {
            let (group, first) = (index / parts, index % parts * kc);
            let (row, column) = (group / groups, group % groups * most);
            let at = |steps: [isize; 2]| row as isize * steps[1 - inner] + column as isize * steps[inner];
            DepthBlock {
                a: at(terms.a_steps) + (first * a_layout.column_stride) as isize,
                b: at(terms.b_steps) + (first * b_layout.row_stride) as isize,
                depth: (k - first).min(kc),
                terms: Terms {
                    count: (columns - column).min(most),
                    a_step: terms.a_steps[inner],
                    b_step: terms.b_steps[inner],
                },
                beta: if index == 0 { beta } else { T::ONE },
                is_last: index + 1 == rows * groups * parts,
            }
        })
    }

    /// Loop 1, over the tiles of a panel. The first tile packs B on the way, if B's rows are contiguous.
    ///
    /// # Safety
    /// The tiles are inside C, the block inside k; `a` is valid for these rows of it.
    #[inline(always)]
    unsafe fn column_of_tiles<L: Lanes<Scalar = T>>(
        &self,
        lanes: L,
        a: Rows<T>,
        rows: Range<usize>,
        columns: Range<usize>,
        block: &DepthBlock<T>,
        scratch: Scratch<T>,
    ) {
        let p = &self.product;
        let Layout { row_stride: b_row, column_stride: b_column, .. } = p.b_layout;
        let width = L::NV * L::COUNT;
        // SAFETY: inside B, guaranteed by the caller.
        let b = unsafe { p.b.offset(block.b).add(columns.start * b_column) };
        let contiguous = b_column == 1 && !p.b_is_packed;
        let panel = if p.b_is_packed { b.cast_mut() } else { scratch.panel };
        if !contiguous && !p.b_is_packed {
            let (rows, columns) = (block.depth, columns.len());
            for term in 0..block.terms.count {
                // SAFETY: the caller guarantees the block; the panel holds `width` x depth elements of each term.
                unsafe {
                    let from = b.offset(term as isize * block.terms.b_step);
                    let b = Block { from, row_stride: b_row, column_stride: b_column, rows, columns };
                    b.pack(lanes, scratch.panel.add(term * rows * width), width);
                }
            }
        }
        // loop 1: split the block's rows into panels of MR: a tile of C stays in registers
        for (index, part) in even_parts(rows.len(), L::MR).enumerate() {
            let i = rows.start + part.start;
            // Tiles 2 to 5 each prefetch a quarter of the next panel of B. If B's columns are contiguous, each tile
            // prefetches a panel's width of k instead.
            let quarter = index.wrapping_sub(1);
            let next = if (contiguous || p.b_is_packed) && quarter < 4 {
                let first = quarter * (block.depth / microkernel::UNROLL);
                let from = b.wrapping_add(width * b_column + first * b_row);
                Prefetch { from, stride: b_row }
            } else if b_row == 1 && !p.b_is_packed && index * width < block.depth {
                Prefetch { from: b.wrapping_add(width * b_column + index * width), stride: b_column }
            } else {
                Prefetch { from: b, stride: 0 }
            };
            // SAFETY: i + part.len() <= m.
            unsafe {
                let tile = Tile {
                    terms: Terms { a_step: a.term_step, ..block.terms },
                    a: a.from.add(part.start * a.stride),
                    a_row_stride: a.stride,
                    a_depth_stride: 1,
                    b,
                    panel,
                    rows: part.len(),
                    columns: columns.len(),
                    next,
                    ..self.tile_at(i, columns.start, block)
                };
                let packs = contiguous && index == 0;
                // microkernel: an MR x NR tile of C, over the KC steps of the block
                self.write_tile(lanes, tile, packs, i, columns.start, block, scratch.buffer);
            }
        }
    }

    /// The addresses and strides in C of a tile at (i, j).
    ///
    /// # Safety
    /// (i, j) is inside C.
    #[inline(always)]
    unsafe fn tile_at(&self, i: usize, j: usize, block: &DepthBlock<T>) -> Tile<T> {
        let p = &self.product;
        Tile {
            depth: block.depth,
            terms: block.terms,
            a: core::ptr::null(),
            a_row_stride: 0,
            a_depth_stride: 0,
            b: core::ptr::null(),
            b_depth_stride: p.b_layout.row_stride,
            panel: core::ptr::null_mut(),
            // SAFETY: guaranteed by the caller.
            c: unsafe { p.c_at(i, j) },
            c_row_stride: p.c_layout.row_stride,
            rows: 0,
            columns: 0,
            alpha: p.alpha,
            beta: block.beta,
            next: Prefetch { from: core::ptr::null(), stride: 0 },
        }
    }

    /// Returns whether the microkernel may read A's rows in place.
    ///
    /// The rows must be contiguous. In addition, at most half of a tile's rows may share a set of L1 (64 sets of cache
    /// lines), unless the rows are read too rarely for a copy to pay off.
    #[inline(always)]
    fn reads_a_in_place<L: Lanes<Scalar = T>>(&self) -> bool {
        let Layout { row_stride, column_stride, .. } = self.product.a_layout;
        let set_of = |row: usize| row.wrapping_mul(row_stride * size_of::<T>()) / 64 % 64;
        let share_a_set = || 2 * (1..L::MR).filter(|&row| set_of(row) == 0).count() > L::MR;
        column_stride == 1 && (self.product.c_layout.columns <= 16 * L::NV * L::COUNT || !share_a_set())
    }

    /// The number of columns of C before the first cache line boundary of its rows. Panels start at the boundary,
    /// because a store across two lines costs twice as much.
    #[inline(always)]
    fn columns_before_a_line<L: Lanes<Scalar = T>>(&self) -> usize {
        let Layout { columns, row_stride, column_stride, .. } = self.product.c_layout;
        let rows_agree = !self.product.b_is_packed
            && column_stride == 1
            && (row_stride * size_of::<T>()).is_multiple_of(64);
        if !rows_agree || columns < 8 * L::NV * L::COUNT {
            return 0;
        }
        let lead = self.product.c.align_offset(64);
        if lead < 64 / size_of::<T>() { lead % (L::NV * L::COUNT) } else { 0 }
    }

    /// Runs the microkernel and the epilogue into C; through `buffer` if C's rows are not contiguous.
    ///
    /// # Safety
    /// `tile` is the product's tile at (i, j). If it `packs`, B's rows are contiguous; otherwise its panel is packed.
    /// `buffer` has room for a whole tile.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    unsafe fn write_tile<L: Lanes<Scalar = T>>(
        &self,
        lanes: L,
        mut tile: Tile<T>,
        packs: bool,
        i: usize,
        j: usize,
        block: &DepthBlock<T>,
        buffer: *mut T,
    ) {
        let scattered = self.product.c_layout.column_stride != 1;
        // SAFETY: the caller guarantees C's elements of this tile; the buffer holds MR rows of NV vectors.
        unsafe {
            if scattered {
                (tile.c, tile.c_row_stride) = (buffer, L::NV * L::COUNT);
                if tile.beta != T::ZERO {
                    self.exchange(&tile, i, j, |c, x| x.write(c.read()));
                }
            }
            if packs {
                microkernel::packing(lanes, &tile);
            } else {
                microkernel::packed(lanes, &tile);
            }
            self.finish(lanes, &tile, (i, j), block);
            if scattered {
                self.exchange(&tile, i, j, |c, x| c.write(x.read()));
            }
        }
    }

    /// Calls `each` with the addresses in C and in the buffer of each element of a tile at (i, j).
    ///
    /// # Safety
    /// The tile is inside C.
    unsafe fn exchange(&self, tile: &Tile<T>, i: usize, j: usize, each: impl Fn(*mut T, *mut T)) {
        for row in 0..tile.rows {
            for column in 0..tile.columns {
                // SAFETY: inside the tile.
                unsafe {
                    each(
                        self.product.c_at(i + row, j + column),
                        tile.c.add(row * tile.c_row_stride + column),
                    );
                }
            }
        }
    }

    /// Runs the epilogue on a finished tile at (i, j), while it is in L1.
    ///
    /// # Safety
    /// The tile's rows are writable, and (i, j) is inside C.
    #[inline(always)]
    unsafe fn finish<L: Lanes<Scalar = T>>(
        &self,
        lanes: L,
        tile: &Tile<T>,
        (i, j): (usize, usize),
        block: &DepthBlock<T>,
    ) {
        let p = &self.product;
        let is_plain = p.bias.is_null() && p.activation == Activation::Identity && p.slopes.outputs.is_null();
        if !block.is_last || is_plain {
            return;
        }
        // SAFETY: j is inside the bias, which has one element per column of C, and (i, j) is inside the slopes'
        // outputs.
        unsafe {
            let bias = if p.bias.is_null() { p.bias } else { p.bias.add(j) };
            let (slopes, c, stride) = (p.slopes.at(i, j), tile.c, tile.c_row_stride);
            epilogue::apply(lanes, bias, p.activation, slopes, c, stride, tile.rows, tile.columns);
        }
    }

    /// The parts of the workspace, starting at its first cache line.
    #[inline(always)]
    fn scratch<L: Lanes<Scalar = T>>(&mut self) -> Scratch<T> {
        let line = 64 / size_of::<T>();
        let offset = self.workspace.as_ptr().align_offset(64).min(line);
        let (panel, buffer) = (self.blocks.panel_len(), self.blocks.tile_len());
        debug_assert!(offset + panel + buffer <= self.workspace.len());
        let start = self.workspace.as_mut_ptr();
        // SAFETY: `Blocks::workspace_len` counted these parts and the line that `offset` may take.
        unsafe {
            let panel_start = start.add(offset);
            let buffer_start = panel_start.add(panel);
            Scratch { panel: panel_start, buffer: buffer_start, a: buffer_start.add(buffer) }
        }
    }
}

/// Rows of A, each contiguous along k.
#[derive(Clone, Copy)]
struct Rows<T> {
    from: *const T,
    stride: usize,
    /// Elements between a row's starts in consecutive terms.
    term_step: isize,
}

/// The parts of a task's workspace.
#[derive(Clone, Copy)]
struct Scratch<T> {
    /// A micropanel of B.
    panel: *mut T,
    /// A tile of C.
    buffer: *mut T,
    /// A block of A.
    a: *mut T,
}

/// A part of the sum over k.
struct DepthBlock<T> {
    /// Elements from A's first column, and from B's first row, to those of the block.
    a: isize,
    b: isize,
    /// k of each term.
    depth: usize,
    terms: Terms,
    /// The product's `beta` for the first block, 1 for the others.
    beta: T,
    is_last: bool,
}

/// Splits `0..size` into the smallest number of parts of at most `most` elements. Lengths differ by at most one. Fifty rows
/// are five tiles of 10, not four of 12 and one of 2, because two rows take as long as four.
#[inline(always)]
fn even_parts(size: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let count = size.div_ceil(most).max(1);
    let (length, longer) = (size / count, size % count);
    let start = move |part: usize| part * length + part.min(longer);
    (0..count).map(move |part| start(part)..start(part + 1))
}

impl<T> Product<T> {
    /// The address of C's element (i, j).
    ///
    /// # Safety
    /// (i, j) is inside C.
    #[inline(always)]
    unsafe fn c_at(&self, i: usize, j: usize) -> *mut T {
        // SAFETY: guaranteed by the caller.
        unsafe { self.c.add(i * self.c_layout.row_stride + j * self.c_layout.column_stride) }
    }
}
