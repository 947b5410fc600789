//! The microkernel: computes a tile of C in registers.

use crate::lanes::{Lanes, Operation, Scalar};

/// Addresses and sizes of a tile and its operands.
#[derive(Clone, Copy)]
pub(super) struct Tile<T> {
    /// k of each term.
    pub depth: usize,
    pub terms: Terms,
    /// First row of A's part, at the first step of k.
    pub a: *const T,
    pub a_row_stride: usize,
    /// 1, except for [`flat`].
    pub a_depth_stride: usize,
    /// First column of B's part, at the first step of k; columns are contiguous.
    pub b: *const T,
    pub b_depth_stride: usize,
    /// B's micropanel: the vectors of consecutive steps start `NV * COUNT` elements apart.
    pub panel: *mut T,
    pub c: *mut T,
    pub c_row_stride: usize,
    pub rows: usize,
    pub columns: usize,
    pub alpha: T,
    pub beta: T,
    pub next: Prefetch<T>,
}

/// Equally spaced terms that are summed in registers. In the micropanel, the terms follow one another.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    /// At least 1.
    pub count: usize,
    /// Elements between consecutive terms.
    pub a_step: isize,
    pub b_step: isize,
}

/// Rows of B that are needed soon: a tile with packed B prefetches one into L2 every `UNROLL` steps.
#[derive(Clone, Copy)]
pub(super) struct Prefetch<T> {
    pub from: *const T,
    pub stride: usize,
}

/// The location from which the microkernel reads B.
mod b_is {
    /// In the packed micropanel.
    pub(crate) const PACKED: u8 = 0;
    /// In place, and packed into the micropanel at the same time: the multiply-adds hide the loads of the packing.
    pub(crate) const PACKED_HERE: u8 = 1;
    /// In place.
    pub(crate) const IN_PLACE: u8 = 2;
}

/// Computes `tile` from B's packed micropanel, which consists of whole vectors.
///
/// # Safety
/// `tile.rows <= MR`, `tile.columns <= NV * COUNT`, and its pointers are valid for these sizes.
#[inline(always)]
pub(super) unsafe fn packed<L: Lanes>(lanes: L, tile: &Tile<L::Scalar>) {
    // SAFETY: the caller guarantees the requirements of this function.
    unsafe { by_rows::<L, { b_is::PACKED }>(lanes, tile) }
}

/// Computes `tile` from B in place, and packs B.
///
/// # Safety
/// Same as [`packed`]; exactly `tile.columns` elements of each row of B are read, and the micropanel is writable.
#[inline(always)]
pub(super) unsafe fn packing<L: Lanes>(lanes: L, tile: &Tile<L::Scalar>) {
    // SAFETY: the caller guarantees the requirements of this function.
    unsafe { by_rows::<L, { b_is::PACKED_HERE }>(lanes, tile) }
}

/// Maximum number of rows of a [`flat`] tile.
pub(super) const FLAT_ROWS: usize = 2;
/// Maximum number of vectors in a row of a [`flat`] tile.
pub(super) const FLAT_VECTORS: usize = 4;

/// Computes a tile of one or two rows from B in place. The tile is wide, so that few rows still give enough independent
/// chains.
///
/// # Safety
/// `tile.rows <= FLAT_ROWS`, `tile.columns <= FLAT_VECTORS * COUNT`, and its pointers are valid for these sizes.
#[inline(always)]
pub(super) unsafe fn flat<L: Lanes>(lanes: L, tile: &Tile<L::Scalar>) {
    // SAFETY: the caller guarantees the requirements of this function.
    unsafe {
        match (tile.rows, tile.columns.div_ceil(L::COUNT)) {
            (1, 1) => run::<L, 1, 1, { b_is::IN_PLACE }>(lanes, tile),
            (1, 2) => run::<L, 1, 2, { b_is::IN_PLACE }>(lanes, tile),
            (1, 3) => run::<L, 1, 3, { b_is::IN_PLACE }>(lanes, tile),
            (1, _) => run::<L, 1, 4, { b_is::IN_PLACE }>(lanes, tile),
            (_, 1) => run::<L, 2, 1, { b_is::IN_PLACE }>(lanes, tile),
            (_, 2) => run::<L, 2, 2, { b_is::IN_PLACE }>(lanes, tile),
            (_, 3) => run::<L, 2, 3, { b_is::IN_PLACE }>(lanes, tile),
            (_, _) => run::<L, 2, 4, { b_is::IN_PLACE }>(lanes, tile),
        }
    }
}

/// Calls the instance of [`run`] for the number of rows and of vectors. The comparison with MR is a constant of the
/// level, so that nothing is compiled for rows that it never uses.
///
/// # Safety
/// Same as [`packed`] or [`packing`].
#[inline(always)]
unsafe fn by_rows<L: Lanes, const B: u8>(lanes: L, tile: &Tile<L::Scalar>) {
    macro_rules! instance {
        ($($rows:literal)*) => {
            match (tile.rows, tile.columns > L::COUNT) {
                $(
                    // SAFETY: the caller guarantees the requirements of this function.
                    ($rows, true) if const { $rows <= L::MR } => unsafe { run::<L, $rows, 2, B>(lanes, tile) },
                    // SAFETY: the caller guarantees the requirements of this function.
                    ($rows, false) if const { $rows <= L::MR } => unsafe { run::<L, $rows, 1, B>(lanes, tile) },
                )*
                (rows, _) => unreachable!("a tile of {rows} rows"),
            }
        };
    }
    instance!(12 11 10 9 8 7 6 5 4 3 2 1)
}

/// ```text
/// for each term, for d in 0..depth
///     for r in 0..ROWS, v in 0..VECTORS
///         sum[r][v] += a[r][d] * b[d][v]
/// c = alpha * sum + beta * c
/// ```
///
/// # Safety
/// Same as [`packed`], [`packing`] or [`flat`], depending on `B`.
#[inline(always)]
unsafe fn run<L: Lanes, const ROWS: usize, const VECTORS: usize, const B: u8>(
    lanes: L,
    tile: &Tile<L::Scalar>,
) {
    lanes.run_outlined(Microkernel::<_, ROWS, VECTORS, B> { tile });
}

/// See [`run`], whose caller guarantees that the pointers are valid.
struct Microkernel<'a, T, const ROWS: usize, const VECTORS: usize, const B: u8> {
    tile: &'a Tile<T>,
}

impl<T: Scalar, const ROWS: usize, const VECTORS: usize, const B: u8> Operation<T>
    for Microkernel<'_, T, ROWS, VECTORS, B>
{
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let tile = self.tile;
        let last = tile.columns - (VECTORS - 1) * L::COUNT;
        let mut sums = Sums::<L, ROWS, VECTORS> {
            sum: [[lanes.zero(); VECTORS]; ROWS],
            a: [tile.a; 4],
            b: tile.panel.cast_const(),
            panel: tile.panel,
            next: tile.next.from,
        };
        // C's lines are prefetched row by row, during the last term: all at once, they would occupy every line fill
        // buffer, and A's stream from L2 needs some.
        let groups = tile.depth / UNROLL;
        let groups_per_row = groups / ROWS;
        // SAFETY: `depth` steps of each term of A and B are readable, but only `last` lanes of B's last vector unless packed.
        // In each of ROWS rows of C, `columns` elements are writable.
        unsafe {
            for term in 0..tile.terms.count {
                // On x86, its numbers are loaded again for each term, rather than kept on the stack.
                let tile = &*in_register(tile);
                sums.start::<B>(tile, term as isize);
                let rows = if term + 1 == tile.terms.count { ROWS } else { 0 };
                for row in 0..rows {
                    for v in 0..VECTORS {
                        lanes.prefetch::<false>(tile.c.wrapping_add(row * tile.c_row_stride + v * L::COUNT));
                    }
                    for _ in 0..groups_per_row {
                        sums.group::<B>(lanes, tile, last);
                    }
                }
                for _ in groups_per_row * rows..groups {
                    sums.group::<B>(lanes, tile, last);
                }
                for _ in groups * UNROLL..tile.depth {
                    sums.keep_addresses();
                    sums.step::<B>(lanes, tile, last, 0);
                    sums.advance::<B>(tile, 1);
                }
            }
            let mut sum = sums.sum;
            if tile.alpha != L::Scalar::ONE {
                let alpha = lanes.splat(tile.alpha);
                for row in &mut sum {
                    for x in row {
                        *x = lanes.mul(alpha, *x);
                    }
                }
            }
            if tile.beta == L::Scalar::ZERO {
                write::<L, ROWS, VECTORS, false>(lanes, &sum, tile, last);
            } else {
                write::<L, ROWS, VECTORS, true>(lanes, &sum, tile, last);
            }
        }
    }
}

/// The accumulators of a tile, and the addresses of the next step in A, B, the micropanel and the prefetched rows.
struct Sums<L: Lanes, const ROWS: usize, const VECTORS: usize> {
    sum: [[L::Vector; VECTORS]; ROWS],
    /// Rows 0, 3, 6 and 9. The other rows are one or two strides further, which an x86 address can express.
    a: [*const L::Scalar; 4],
    b: *const L::Scalar,
    panel: *mut L::Scalar,
    next: *const L::Scalar,
}

/// Steps of k between two branches, so that fewer instructions are not multiply-adds.
pub(super) const UNROLL: usize = 4;

/// Returns the pointer unchanged, but keeps it in a general-purpose register. The compiler would otherwise pack several
/// pointers into a vector register and unpack them at every step.
#[inline(always)]
fn in_register<T>(pointer: *const T) -> *const T {
    #[cfg(target_arch = "x86_64")]
    let pointer = {
        let mut pointer = pointer;
        // SAFETY: the assembly is a comment without effect.
        unsafe {
            core::arch::asm!("/* {0} */", inout(reg) pointer, options(pure, readonly, nostack, preserves_flags));
        }
        pointer
    };
    pointer
}

/// Prefetch distance in rows of B when B is read in place. With a longer distance, lines would evict one another from
/// L1 if the row stride of B is a multiple of 4 KiB.
const PREFETCH_DISTANCE: usize = 8;

impl<L: Lanes, const ROWS: usize, const VECTORS: usize> Sums<L, ROWS, VECTORS> {
    /// Sets the addresses to the first step of a term.
    #[inline(always)]
    fn start<const B: u8>(&mut self, tile: &Tile<L::Scalar>, term: isize) {
        let a = tile.a.wrapping_offset(term * tile.terms.a_step);
        for (i, address) in self.a.iter_mut().enumerate() {
            *address = in_register(a.wrapping_add(3 * i * tile.a_row_stride));
        }
        let b_step = term * tile.terms.b_step;
        if B != b_is::PACKED {
            self.b = in_register(tile.b.wrapping_offset(b_step));
        }
        self.next = in_register(tile.next.from.wrapping_offset(b_step));
    }

    /// Keeps A's addresses [`in_register`].
    #[inline(always)]
    fn keep_addresses(&mut self) {
        for address in &mut self.a {
            *address = in_register(*address);
        }
    }

    /// Runs `UNROLL` steps of k.
    ///
    /// # Safety
    /// A and B have these steps: ROWS scalars and VECTORS vectors each (`last` lanes of the last vector unless packed).
    #[inline(always)]
    unsafe fn group<const B: u8>(&mut self, lanes: L, tile: &Tile<L::Scalar>, last: usize) {
        self.keep_addresses();
        for step in 0..UNROLL {
            // SAFETY: the caller guarantees the steps.
            unsafe { self.step::<B>(lanes, tile, last, step) };
        }
        self.advance::<B>(tile, UNROLL);
        if B == b_is::PACKED {
            for v in 0..VECTORS {
                lanes.prefetch::<true>(self.next.wrapping_add(v * L::COUNT));
            }
            self.next = in_register(self.next.wrapping_add(tile.next.stride));
        }
    }

    /// Runs the step of k that is `ahead` steps further.
    ///
    /// # Safety
    /// Same as [`Self::group`].
    #[inline(always)]
    unsafe fn step<const B: u8>(&mut self, lanes: L, tile: &Tile<L::Scalar>, last: usize, ahead: usize) {
        let width = L::NV * L::COUNT;
        let a_depth_stride = if B == b_is::IN_PLACE { tile.a_depth_stride } else { 1 };
        let b_depth_stride = if B == b_is::PACKED { width } else { tile.b_depth_stride };
        let mut b_row = [lanes.zero(); VECTORS];
        // SAFETY: the caller guarantees the step.
        unsafe {
            for (v, b_vector) in b_row.iter_mut().enumerate() {
                let address = self.b.wrapping_add(ahead * b_depth_stride + v * L::COUNT);
                *b_vector = if B != b_is::PACKED && v == VECTORS - 1 {
                    lanes.load_first(address, last)
                } else {
                    lanes.load(address)
                };
                if B == b_is::PACKED_HERE {
                    lanes.store(self.panel.add(ahead * width + v * L::COUNT), *b_vector);
                    lanes.prefetch::<false>(address.wrapping_add(PREFETCH_DISTANCE * tile.b_depth_stride));
                }
            }
            for (row, sums) in self.sum.iter_mut().enumerate() {
                let address = self.a[row / 3].add(ahead * a_depth_stride + row % 3 * tile.a_row_stride);
                let a_scalar = lanes.splat(*address);
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = lanes.mul_add(a_scalar, b_row[v], *sum);
                }
            }
        }
    }

    /// Advances all addresses by `steps` steps of k.
    #[inline(always)]
    fn advance<const B: u8>(&mut self, tile: &Tile<L::Scalar>, steps: usize) {
        let width = L::NV * L::COUNT;
        let a_depth_stride = if B == b_is::IN_PLACE { tile.a_depth_stride } else { 1 };
        let b_depth_stride = if B == b_is::PACKED { width } else { tile.b_depth_stride };
        for address in &mut self.a {
            *address = in_register(address.wrapping_add(steps * a_depth_stride));
        }
        self.b = in_register(self.b.wrapping_add(steps * b_depth_stride));
        if B == b_is::PACKED_HERE {
            self.panel = self.panel.wrapping_add(steps * width);
        }
    }
}

/// c = sum + beta * c, without branches between rows, so that the sums stay in registers.
///
/// # Safety
/// C's tile is writable, with `last` lanes in its last vector.
#[inline(always)]
unsafe fn write<L: Lanes, const ROWS: usize, const VECTORS: usize, const READ: bool>(
    lanes: L,
    sum: &[[L::Vector; VECTORS]; ROWS],
    tile: &Tile<L::Scalar>,
    last: usize,
) {
    let beta = lanes.splat(tile.beta);
    let whole = if last == L::COUNT { VECTORS } else { VECTORS - 1 };
    // SAFETY: only `last` lanes of the last vector are accessed.
    unsafe {
        for v in 0..VECTORS {
            if v < whole {
                for (row, sums) in sum.iter().enumerate() {
                    let address = tile.c.add(row * tile.c_row_stride + v * L::COUNT);
                    let x = if READ { lanes.mul_add(beta, lanes.load(address), sums[v]) } else { sums[v] };
                    lanes.store(address, x);
                }
            } else {
                for (row, sums) in sum.iter().enumerate() {
                    let address = tile.c.add(row * tile.c_row_stride + v * L::COUNT);
                    let x = if READ {
                        lanes.mul_add(beta, lanes.load_first(address, last), sums[v])
                    } else {
                        sums[v]
                    };
                    lanes.store_first(address, x, last);
                }
            }
        }
    }
}
