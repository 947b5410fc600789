//! The product of one thread: the five loops, and the paths that skip packing.

use super::blocking::Blocks;
use super::epilogue::{self, Activation};
use super::microkernel::{self, Tile};
use super::packing::pack;
use crate::dispatch::Operation;
use crate::lanes::{Lanes, Scalar};
use crate::matrix::Layout;
use core::ops::Range;

/// The arguments of [`super::gemm`], checked, as pointers, so that tasks may hold blocks of one C.
#[derive(Clone, Copy)]
pub(super) struct Product<T> {
    pub alpha: T,
    pub a: *const T,
    pub a_layout: Layout,
    pub b: *const T,
    pub b_layout: Layout,
    pub beta: T,
    pub c: *mut T,
    pub c_layout: Layout,
    /// Null, or a row for C.
    pub bias: *const T,
    pub activation: Activation<T>,
}

impl<T: Copy> Product<T> {
    /// C' = B' A'. Has no bias.
    pub fn transposed(self) -> Self {
        Self {
            a: self.b,
            a_layout: self.b_layout.transposed(),
            b: self.a,
            b_layout: self.a_layout.transposed(),
            c_layout: self.c_layout.transposed(),
            ..self
        }
    }

    /// The product that gives a block of C.
    ///
    /// # Safety
    /// The ranges are inside C.
    pub unsafe fn block(&self, rows: Range<usize>, columns: Range<usize>) -> Self {
        // SAFETY: first rows and columns of non-empty ranges inside the operands; an empty range moves a pointer
        // to the end at most, and is not read.
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
                ..*self
            }
        }
    }
}

/// One thread's product with its workspace.
pub struct SerialGemm<'a, T> {
    pub(super) product: Product<T>,
    pub(super) blocks: Blocks,
    pub(super) workspace: &'a mut [T],
}

/// Largest register tile: 12 x 32 of f32 at AVX-512.
const TILE_MOST: usize = 12 * 32;

impl<T: Scalar> Operation<T> for SerialGemm<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let Product { a_layout, b_layout, c_layout, .. } = self.product;
        let (m, n, k) = (c_layout.rows, c_layout.columns, a_layout.columns);
        if m == 0 || n == 0 {
            return;
        }
        let b_in_place = b_layout.column_stride == 1
            && (m <= 8 * L::MR || k * n * size_of::<T>() <= DIRECT_BYTES)
            && c_layout.column_stride == 1;
        let a_in_place = b_in_place && (n <= 4 * L::NV * L::COUNT || m <= 2);
        // SAFETY: `gemm` checked shapes, spans and workspace; `Grid` gave this task a block of C of its own.
        unsafe {
            if a_in_place {
                self.direct(lanes);
            } else {
                self.blocked(lanes, b_in_place);
            }
        }
    }
}

/// A B of this size stays in L1 without packing.
const DIRECT_BYTES: usize = 24 << 10;

impl<T: Scalar> SerialGemm<'_, T> {
    /// Neither operand is packed.
    ///
    /// # Safety
    /// The product's pointers lead to its layouts; the rows of B and C are contiguous.
    #[inline(always)]
    unsafe fn direct<L: Lanes<Scalar = T>>(&self, lanes: L) {
        let p = &self.product;
        let (m, n, k) = (p.c_layout.rows, p.c_layout.columns, p.a_layout.columns);
        let mut depth_first = 0;
        loop {
            let depth = (k - depth_first).min(self.blocks.kc);
            let beta = if depth_first == 0 { p.beta } else { T::ONE };
            let is_last = depth_first + depth == k;
            for i in (0..m).step_by(L::MR) {
                let rows = (m - i).min(L::MR);
                let width = microkernel::direct_vectors::<L>(rows) * L::COUNT;
                for j in (0..n).step_by(width) {
                    let columns = (n - j).min(width);
                    // SAFETY: row i + rows <= m, column j + columns <= n, depth inside k.
                    unsafe {
                        let tile = Tile {
                            depth,
                            a: p.a.add(i * p.a_layout.row_stride + depth_first * p.a_layout.column_stride),
                            a_row_stride: p.a_layout.row_stride,
                            a_depth_stride: p.a_layout.column_stride,
                            b: p.b.add(depth_first * p.b_layout.row_stride + j),
                            b_depth_stride: p.b_layout.row_stride,
                            c: p.c.add(i * p.c_layout.row_stride + j),
                            c_row_stride: p.c_layout.row_stride,
                            rows,
                            columns,
                            alpha: p.alpha,
                            beta,
                        };
                        microkernel::direct(lanes, &tile);
                        if is_last {
                            self.finish(lanes, i, j, rows, columns);
                        }
                    }
                }
            }
            depth_first += depth;
            if is_last {
                return;
            }
        }
    }

    /// The five loops of the module's header. With `b_in_place` the rows of B are read where they lie.
    ///
    /// # Safety
    /// The product's pointers lead to its layouts; with `b_in_place` the rows of B and C are contiguous.
    #[inline(always)]
    unsafe fn blocked<L: Lanes<Scalar = T>>(mut self, lanes: L, b_in_place: bool) {
        let p = self.product;
        let Blocks { mr, nr, mc, kc, nc } = self.blocks;
        let (m, n, k) = (p.c_layout.rows, p.c_layout.columns, p.a_layout.columns);
        let (a_packed, b_packed) = self.split_workspace(m.min(mc).next_multiple_of(mr) * kc.min(k));
        // Loop 5: slabs of columns.
        for jc in (0..n).step_by(nc) {
            let slab = (n - jc).min(nc);
            // Loop 4: depth blocks. An empty sum (k = 0) is one block of depth 0.
            let mut pc = 0;
            loop {
                let depth = (k - pc).min(kc);
                let is_last = pc + depth == k;
                let beta = if pc == 0 { p.beta } else { T::ONE };
                // Loop 3: blocks of rows.
                for ic in (0..m).step_by(mc) {
                    let block = (m - ic).min(mc);
                    // SAFETY: block and depth are inside A; the workspace was sized for them by `Grid`.
                    unsafe {
                        let from = p.a.add(ic * p.a_layout.row_stride + pc * p.a_layout.column_stride);
                        let (rows, columns) = (p.a_layout.row_stride, p.a_layout.column_stride);
                        pack(lanes, L::MR, from, rows, columns, block, depth, a_packed);
                    }
                    // Loop 2: micropanels of B. The first row block packs them, so that each is used from L1.
                    for jr in (0..slab).step_by(nr) {
                        let columns = (slab - jr).min(nr);
                        // SAFETY: column jc + jr + columns <= n, depth inside k; panels are nr x depth each.
                        let (b, b_depth_stride) = unsafe {
                            let from =
                                p.b.add(pc * p.b_layout.row_stride + (jc + jr) * p.b_layout.column_stride);
                            let panel = b_packed.add(jr * depth);
                            if b_in_place {
                                (from, p.b_layout.row_stride)
                            } else {
                                if ic == 0 {
                                    let (rows, lines) = (p.b_layout.row_stride, p.b_layout.column_stride);
                                    pack(lanes, L::NV * L::COUNT, from, lines, rows, columns, depth, panel);
                                }
                                (panel.cast_const(), nr)
                            }
                        };
                        // Loop 1: micropanels of A.
                        for ir in (0..block).step_by(mr) {
                            let rows = (block - ir).min(mr);
                            // SAFETY: row ic + ir + rows <= m; A's panel `ir` is packed.
                            unsafe {
                                let tile = Tile {
                                    depth,
                                    a: a_packed.add(ir * depth).cast_const(),
                                    a_row_stride: 1,
                                    a_depth_stride: mr,
                                    b,
                                    b_depth_stride,
                                    c: p.c_at(ic + ir, jc + jr),
                                    c_row_stride: p.c_layout.row_stride,
                                    rows,
                                    columns,
                                    alpha: p.alpha,
                                    beta,
                                };
                                self.write_tile(lanes, tile, b_in_place, ic + ir, jc + jr, is_last);
                            }
                        }
                    }
                }
                pc += depth;
                if is_last {
                    break;
                }
            }
        }
    }

    /// Runs the microkernel into C; through a buffer where C's rows are not contiguous.
    ///
    /// # Safety
    /// `tile` is the product's tile at (i, j).
    #[inline(always)]
    unsafe fn write_tile<L: Lanes<Scalar = T>>(
        &self,
        lanes: L,
        tile: Tile<T>,
        b_in_place: bool,
        i: usize,
        j: usize,
        is_last: bool,
    ) {
        let layout = self.product.c_layout;
        // SAFETY: the tile is the caller's; the buffer holds the largest tile.
        unsafe {
            if b_in_place {
                microkernel::half_packed(lanes, &tile);
            } else if layout.column_stride == 1 {
                microkernel::packed(lanes, &tile);
            } else {
                self.scatter(lanes, tile, i, j, is_last);
                return;
            }
            if is_last {
                self.finish(lanes, i, j, tile.rows, tile.columns);
            }
        }
    }

    /// A tile of a C with strides: computed in a buffer, then combined with C element by element.
    ///
    /// # Safety
    /// `tile` is the product's tile at (i, j), from packed operands.
    #[inline(always)]
    unsafe fn scatter<L: Lanes<Scalar = T>>(
        &self,
        lanes: L,
        tile: Tile<T>,
        i: usize,
        j: usize,
        is_last: bool,
    ) {
        let (p, layout) = (&self.product, self.product.c_layout);
        let mut buffer = [T::ZERO; TILE_MOST];
        let width = L::NV * L::COUNT;
        // SAFETY: the buffer holds MR rows of `width`; C's elements of this tile are the caller's.
        unsafe {
            if tile.beta != T::ZERO {
                for row in 0..tile.rows {
                    for column in 0..tile.columns {
                        buffer[row * width + column] = p.c_at(i + row, j + column).read();
                    }
                }
            }
            let inner = Tile { c: buffer.as_mut_ptr(), c_row_stride: width, ..tile };
            microkernel::packed(lanes, &inner);
            if is_last {
                let bias = if p.bias.is_null() { p.bias } else { p.bias.add(j) };
                let place = buffer.as_mut_ptr();
                epilogue::apply(lanes, bias, p.activation, place, width, tile.rows, tile.columns);
            }
            for row in 0..tile.rows {
                for column in 0..tile.columns {
                    let place = i * layout.row_stride + j * layout.column_stride;
                    p.c.add(place + row * layout.row_stride + column * layout.column_stride)
                        .write(buffer[row * width + column]);
                }
            }
        }
    }

    /// The epilogue on the finished tile at (i, j), which is still in L1.
    ///
    /// # Safety
    /// The tile is inside C, whose rows are contiguous.
    #[inline(always)]
    unsafe fn finish<L: Lanes<Scalar = T>>(&self, lanes: L, i: usize, j: usize, rows: usize, columns: usize) {
        let p = &self.product;
        if p.bias.is_null() && p.activation == Activation::Identity {
            return;
        }
        // SAFETY: j is inside the bias, which has a column for each of C.
        unsafe {
            let bias = if p.bias.is_null() { p.bias } else { p.bias.add(j) };
            let place = p.c_at(i, j);
            epilogue::apply(lanes, bias, p.activation, place, p.c_layout.row_stride, rows, columns);
        }
    }

    /// The workspace from its first cache line on, for A's block and, `a_len` elements later, B's slab.
    #[inline(always)]
    fn split_workspace(&mut self, a_len: usize) -> (*mut T, *mut T) {
        let line = 64 / size_of::<T>();
        let offset = self.workspace.as_ptr().align_offset(64).min(line);
        let start = self.workspace.as_mut_ptr();
        debug_assert!(offset + a_len <= self.workspace.len());
        // SAFETY: `Grid` gave two lines more than both need, and A's part is at most what `Grid` counted.
        unsafe { (start.add(offset), start.add(offset + a_len.next_multiple_of(line))) }
    }
}

impl<T> Product<T> {
    /// The place of C's element (i, j).
    ///
    /// # Safety
    /// It is inside C.
    #[inline(always)]
    unsafe fn c_at(&self, i: usize, j: usize) -> *mut T {
        // SAFETY: the caller owes it.
        unsafe { self.c.add(i * self.c_layout.row_stride + j * self.c_layout.column_stride) }
    }
}
