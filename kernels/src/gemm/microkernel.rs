//! A tile of C in registers.

use crate::lanes::{Lanes, Scalar};

/// Where a tile's operands lie, and where the tile goes.
#[derive(Clone, Copy)]
pub(super) struct Tile<T> {
    pub depth: usize,
    /// First row of A's part, at the first step of depth. Packed: a micropanel.
    pub a: *const T,
    pub a_row_stride: usize,
    pub a_depth_stride: usize,
    /// First column of B's part, at the first step of depth; columns are contiguous.
    pub b: *const T,
    pub b_depth_stride: usize,
    pub c: *mut T,
    pub c_row_stride: usize,
    pub rows: usize,
    pub columns: usize,
    pub alpha: T,
    pub beta: T,
}

/// Computes `tile` from a packed A (row stride 1, depth stride MR) and a packed B (whole vectors readable).
///
/// # Safety
/// `tile.rows <= MR`, `tile.columns <= NV * COUNT`, and its pointers lead to that much.
#[inline(always)]
pub(super) unsafe fn packed<L: Lanes>(lanes: L, tile: &Tile<L::Scalar>) {
    let tile = Tile { a_row_stride: 1, a_depth_stride: L::MR, ..*tile };
    // SAFETY: passed on.
    unsafe {
        if tile.columns > L::COUNT {
            by_rows::<L, 2, false>(lanes, &tile);
        } else {
            by_rows::<L, 1, false>(lanes, &tile);
        }
    }
}

/// Computes `tile` from a packed A and a B where it lies.
///
/// # Safety
/// As [`packed`]; of B's rows just `tile.columns` elements are read.
#[inline(always)]
pub(super) unsafe fn half_packed<L: Lanes>(lanes: L, tile: &Tile<L::Scalar>) {
    let tile = Tile { a_row_stride: 1, a_depth_stride: L::MR, ..*tile };
    // SAFETY: passed on.
    unsafe {
        if tile.columns > L::COUNT {
            by_rows::<L, 2, true>(lanes, &tile);
        } else {
            by_rows::<L, 1, true>(lanes, &tile);
        }
    }
}

/// Computes `tile` from operands where they lie.
///
/// # Safety
/// As [`packed`]; of B's rows just `tile.columns` elements are read.
#[inline(always)]
pub(super) unsafe fn direct<L: Lanes>(lanes: L, tile: &Tile<L::Scalar>) {
    // SAFETY: passed on.
    unsafe {
        match (tile.columns.div_ceil(L::COUNT), tile.rows) {
            (1, _) => by_rows::<L, 1, true>(lanes, tile),
            (2, _) => by_rows::<L, 2, true>(lanes, tile),
            // Wide and flat, so that a few rows still have enough independent chains.
            (3, 1) => run::<L, 1, 3, true>(lanes, tile),
            (_, 1) => run::<L, 1, 4, true>(lanes, tile),
            (3, 2) => run::<L, 2, 3, true>(lanes, tile),
            (_, 2) => run::<L, 2, 4, true>(lanes, tile),
            _ => unreachable!("tiles of more than two rows are at most two vectors wide"),
        }
    }
}

/// Vectors in a row of a direct tile with this many rows.
#[inline(always)]
pub(super) fn direct_vectors<L: Lanes>(rows: usize) -> usize {
    if rows <= 2 { 4 } else { 2 }
}

/// One instance a number of rows. The comparison with MR is constant: a level has no code for rows that it
/// never uses.
///
/// # Safety
/// As [`packed`] or, if `DIRECT`, [`direct`].
#[inline(always)]
unsafe fn by_rows<L: Lanes, const VECTORS: usize, const DIRECT: bool>(lanes: L, tile: &Tile<L::Scalar>) {
    macro_rules! instance {
        ($($rows:literal)*) => {
            match tile.rows {
                // SAFETY: passed on.
                $($rows if $rows <= L::MR => unsafe { run::<L, $rows, VECTORS, DIRECT>(lanes, tile) },)*
                rows => unreachable!("a tile of {rows} rows"),
            }
        };
    }
    instance!(12 11 10 9 8 7 6 5 4 3 2 1)
}

/// ```text
/// for d in 0..depth
///     for r in 0..ROWS, v in 0..VECTORS
///         sum[r][v] += a[r][d] * b[d][v]
/// c = alpha * sum + beta * c
/// ```
///
/// # Safety
/// As [`packed`] or, if `DIRECT`, [`direct`].
#[inline(always)]
unsafe fn run<L: Lanes, const ROWS: usize, const VECTORS: usize, const DIRECT: bool>(
    lanes: L,
    tile: &Tile<L::Scalar>,
) {
    let last = tile.columns - (VECTORS - 1) * L::COUNT;
    let mut sums = Sums::<L, ROWS, VECTORS> { sum: [[lanes.zero(); VECTORS]; ROWS], a: tile.a, b: tile.b };
    // C's lines are asked for a row at a time: all at once, they would hold every line fill buffer that A's
    // stream from L2 needs.
    let steps = tile.depth / ROWS;
    // SAFETY: `depth` steps of A and B are readable (of B, `last` lanes of the last vector if DIRECT), and
    // `columns` elements of ROWS rows of C writable.
    unsafe {
        for row in 0..ROWS {
            for v in 0..VECTORS {
                lanes.prefetch::<false>(tile.c.wrapping_add(row * tile.c_row_stride + v * L::COUNT));
            }
            for _ in 0..steps {
                sums.step::<DIRECT>(lanes, tile, last);
            }
        }
        for _ in steps * ROWS..tile.depth {
            sums.step::<DIRECT>(lanes, tile, last);
        }
        let sum = sums.sum;
        if tile.beta == L::Scalar::ZERO {
            write::<L, ROWS, VECTORS, false>(lanes, &sum, tile, last);
        } else {
            write::<L, ROWS, VECTORS, true>(lanes, &sum, tile, last);
        }
    }
}

/// A tile's sums, and the place in A and B of the next step of depth.
struct Sums<L: Lanes, const ROWS: usize, const VECTORS: usize> {
    sum: [[L::Vector; VECTORS]; ROWS],
    a: *const L::Scalar,
    b: *const L::Scalar,
}

impl<L: Lanes, const ROWS: usize, const VECTORS: usize> Sums<L, ROWS, VECTORS> {
    /// One step of depth.
    ///
    /// # Safety
    /// A and B have this step: ROWS scalars, VECTORS vectors (`last` lanes of the last one if `DIRECT`).
    #[inline(always)]
    unsafe fn step<const DIRECT: bool>(&mut self, lanes: L, tile: &Tile<L::Scalar>, last: usize) {
        let mut b_row = [lanes.zero(); VECTORS];
        // SAFETY: the caller owes the step.
        unsafe {
            for (v, b_vector) in b_row.iter_mut().enumerate() {
                *b_vector = if DIRECT && v == VECTORS - 1 {
                    lanes.load_first(self.b.add(v * L::COUNT), last)
                } else {
                    lanes.load(self.b.add(v * L::COUNT))
                };
            }
            for (row, sums) in self.sum.iter_mut().enumerate() {
                let a_scalar = lanes.splat(*self.a.add(row * tile.a_row_stride));
                for (sum, &b_vector) in sums.iter_mut().zip(&b_row) {
                    *sum = lanes.mul_add(a_scalar, b_vector, *sum);
                }
            }
            self.a = self.a.add(tile.a_depth_stride);
            self.b = self.b.add(tile.b_depth_stride);
        }
    }
}

/// c = alpha * sum + beta * c; a function without branches between rows, so that the sums stay in registers.
///
/// # Safety
/// C's tile is writable; `last` lanes of its last vector.
#[inline(always)]
unsafe fn write<L: Lanes, const ROWS: usize, const VECTORS: usize, const READ: bool>(
    lanes: L,
    sum: &[[L::Vector; VECTORS]; ROWS],
    tile: &Tile<L::Scalar>,
    last: usize,
) {
    let (alpha, beta) = (lanes.splat(tile.alpha), lanes.splat(tile.beta));
    let whole = if last == L::COUNT { VECTORS } else { VECTORS - 1 };
    // SAFETY: whole vectors but for the last, of which `last` lanes are touched.
    unsafe {
        for v in 0..VECTORS {
            if v < whole {
                for (row, sums) in sum.iter().enumerate() {
                    let place = tile.c.add(row * tile.c_row_stride + v * L::COUNT);
                    let mut x = lanes.mul(alpha, sums[v]);
                    if READ {
                        x = lanes.mul_add(beta, lanes.load(place), x);
                    }
                    lanes.store(place, x);
                }
            } else {
                for (row, sums) in sum.iter().enumerate() {
                    let place = tile.c.add(row * tile.c_row_stride + v * L::COUNT);
                    let mut x = lanes.mul(alpha, sums[v]);
                    if READ {
                        x = lanes.mul_add(beta, lanes.load_first(place, last), x);
                    }
                    lanes.store_first(place, x, last);
                }
            }
        }
    }
}
