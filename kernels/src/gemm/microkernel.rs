//! A tile of C in registers.

use crate::lanes::{Lanes, Operation, Scalar};

/// Where a tile's operands lie, and where the tile goes.
#[derive(Clone, Copy)]
pub(super) struct Tile<T> {
    pub depth: usize,
    /// First row of A's part, at the first step of depth.
    pub a: *const T,
    pub a_row_stride: usize,
    /// 1, except for [`flat`].
    pub a_depth_stride: usize,
    /// First column of B's part, at the first step of depth; columns are contiguous.
    pub b: *const T,
    pub b_depth_stride: usize,
    /// B's micropanel, a step every `NV * COUNT` elements.
    pub panel: *mut T,
    pub c: *mut T,
    pub c_row_stride: usize,
    pub rows: usize,
    pub columns: usize,
    pub alpha: T,
    pub beta: T,
    pub next: Prefetch<T>,
}

/// Rows of B that will be wanted soon: a tile whose B is packed asks for one into L2 every `UNROLL` steps.
#[derive(Clone, Copy)]
pub(super) struct Prefetch<T> {
    pub from: *const T,
    pub stride: usize,
}

/// Where the microkernel finds B.
mod b_is {
    /// In the micropanel.
    pub(crate) const PACKED: u8 = 0;
    /// Where the caller left it, and it goes into the micropanel on the way: the loads that packing needs hide
    /// behind the multiply-adds.
    pub(crate) const PACKED_HERE: u8 = 1;
    /// Where the caller left it.
    pub(crate) const IN_PLACE: u8 = 2;
}

/// Computes `tile` from B's micropanel, whose vectors are whole.
///
/// # Safety
/// `tile.rows <= MR`, `tile.columns <= NV * COUNT`, and its pointers lead to that much.
#[inline(always)]
pub(super) unsafe fn packed<L: Lanes>(lanes: L, tile: &Tile<L::Scalar>) {
    // SAFETY: passed on.
    unsafe { by_rows::<L, { b_is::PACKED }>(lanes, tile) }
}

/// Computes `tile` from B where it lies, and packs it.
///
/// # Safety
/// As [`packed`]; of B's rows just `tile.columns` elements are read, and the micropanel is writable.
#[inline(always)]
pub(super) unsafe fn packing<L: Lanes>(lanes: L, tile: &Tile<L::Scalar>) {
    // SAFETY: passed on.
    unsafe { by_rows::<L, { b_is::PACKED_HERE }>(lanes, tile) }
}

/// Most rows of a [`flat`] tile.
pub(super) const FLAT_ROWS: usize = 2;
/// Vectors in a row of a [`flat`] tile.
pub(super) const FLAT_VECTORS: usize = 4;

/// Computes a tile of one or two rows from B where it lies: wide, so that a few rows still have enough independent
/// chains.
///
/// # Safety
/// `tile.rows <= FLAT_ROWS`, `tile.columns <= FLAT_VECTORS * COUNT`, and its pointers lead to that much.
#[inline(always)]
pub(super) unsafe fn flat<L: Lanes>(lanes: L, tile: &Tile<L::Scalar>) {
    // SAFETY: passed on.
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

/// One instance a number of rows and of vectors. The comparison with MR is constant: a level has no code for rows
/// that it never uses.
///
/// # Safety
/// As [`packed`] or [`packing`].
#[inline(always)]
unsafe fn by_rows<L: Lanes, const B: u8>(lanes: L, tile: &Tile<L::Scalar>) {
    macro_rules! instance {
        ($($rows:literal)*) => {
            match (tile.rows, tile.columns > L::COUNT) {
                $(
                    // SAFETY: passed on.
                    ($rows, true) if $rows <= L::MR => unsafe { run::<L, $rows, 2, B>(lanes, tile) },
                    // SAFETY: passed on.
                    ($rows, false) if $rows <= L::MR => unsafe { run::<L, $rows, 1, B>(lanes, tile) },
                )*
                (rows, _) => unreachable!("a tile of {rows} rows"),
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
/// As [`packed`], [`packing`] or [`flat`], by `B`.
#[inline(always)]
unsafe fn run<L: Lanes, const ROWS: usize, const VECTORS: usize, const B: u8>(
    lanes: L,
    tile: &Tile<L::Scalar>,
) {
    lanes.apart(Microkernel::<_, ROWS, VECTORS, B> { tile });
}

/// See [`run`], whose caller owes what its pointers lead to.
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
            a: [0, 1, 2, 3].map(|i| tile.a.wrapping_add(3 * i * tile.a_row_stride)),
            b: if B == b_is::PACKED { tile.panel.cast_const() } else { tile.b },
            panel: tile.panel,
            next: tile.next.from,
        };
        // C's lines are asked for a row at a time: all at once, they would hold every line fill buffer that A's
        // stream from L2 needs.
        let groups = tile.depth / UNROLL;
        let groups_a_row = groups / ROWS;
        // SAFETY: `depth` steps of A and B are readable (of B, `last` lanes of the last vector unless packed), and
        // `columns` elements of ROWS rows of C writable.
        unsafe {
            for row in 0..ROWS {
                for v in 0..VECTORS {
                    lanes.prefetch::<false>(tile.c.wrapping_add(row * tile.c_row_stride + v * L::COUNT));
                }
                for _ in 0..groups_a_row {
                    sums.group::<B>(lanes, tile, last);
                }
            }
            for _ in groups_a_row * ROWS..groups {
                sums.group::<B>(lanes, tile, last);
            }
            for _ in groups * UNROLL..tile.depth {
                sums.step::<B>(lanes, tile, last, 0);
                sums.advance::<B>(tile, 1);
            }
            let mut sum = sums.sum;
            if tile.alpha != L::Scalar::ONE {
                let alpha = lanes.splat(tile.alpha);
                sum.as_flattened_mut().iter_mut().for_each(|x| *x = lanes.mul(alpha, *x));
            }
            if tile.beta == L::Scalar::ZERO {
                write::<L, ROWS, VECTORS, false>(lanes, &sum, tile, last);
            } else {
                write::<L, ROWS, VECTORS, true>(lanes, &sum, tile, last);
            }
        }
    }
}

/// A tile's sums, and the place in A, B, the micropanel and what is asked for of the next step of depth.
struct Sums<L: Lanes, const ROWS: usize, const VECTORS: usize> {
    sum: [[L::Vector; VECTORS]; ROWS],
    /// Rows 0, 3, 6 and 9: the others are one or two strides further, which an address can say.
    a: [*const L::Scalar; 4],
    b: *const L::Scalar,
    panel: *mut L::Scalar,
    next: *const L::Scalar,
}

/// Steps of depth between two branches: fewer instructions that are not multiply-adds.
pub(super) const UNROLL: usize = 4;

/// The same pointer, in a general register: the compiler would pack several into a vector register and take them out
/// again at every step.
#[inline(always)]
fn in_register<T>(pointer: *const T) -> *const T {
    #[cfg(target_arch = "x86_64")]
    let pointer = {
        let mut pointer = pointer;
        // SAFETY: no instruction, no effect.
        unsafe {
            core::arch::asm!("/* {0} */", inout(reg) pointer, options(pure, readonly, nostack, preserves_flags));
        }
        pointer
    };
    pointer
}

/// Rows that B is asked for ahead of use where it lies. More would evict one another from L1 where B's rows are a
/// multiple of 4 KiB apart.
const AHEAD: usize = 8;

impl<L: Lanes, const ROWS: usize, const VECTORS: usize> Sums<L, ROWS, VECTORS> {
    /// `UNROLL` steps of depth.
    ///
    /// # Safety
    /// A and B have these steps: ROWS scalars, VECTORS vectors each (`last` lanes of the last one unless packed).
    #[inline(always)]
    unsafe fn group<const B: u8>(&mut self, lanes: L, tile: &Tile<L::Scalar>, last: usize) {
        for step in 0..UNROLL {
            // SAFETY: the caller owes the steps.
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

    /// The step of depth that is `ahead` steps further.
    ///
    /// # Safety
    /// As [`Self::group`].
    #[inline(always)]
    unsafe fn step<const B: u8>(&mut self, lanes: L, tile: &Tile<L::Scalar>, last: usize, ahead: usize) {
        let width = L::NV * L::COUNT;
        let a_depth_stride = if B == b_is::IN_PLACE { tile.a_depth_stride } else { 1 };
        let b_depth_stride = if B == b_is::PACKED { width } else { tile.b_depth_stride };
        let mut b_row = [lanes.zero(); VECTORS];
        // SAFETY: the caller owes the step.
        unsafe {
            for (v, b_vector) in b_row.iter_mut().enumerate() {
                let place = self.b.wrapping_add(ahead * b_depth_stride + v * L::COUNT);
                *b_vector = if B != b_is::PACKED && v == VECTORS - 1 {
                    lanes.load_first(place, last)
                } else {
                    lanes.load(place)
                };
                if B == b_is::PACKED_HERE {
                    lanes.store(self.panel.add(ahead * width + v * L::COUNT), *b_vector);
                    lanes.prefetch::<false>(place.wrapping_add(AHEAD * tile.b_depth_stride));
                }
            }
            for (row, sums) in self.sum.iter_mut().enumerate() {
                let place = self.a[row / 3].add(ahead * a_depth_stride + row % 3 * tile.a_row_stride);
                let a_scalar = lanes.splat(*place);
                for (sum, &b_vector) in sums.iter_mut().zip(&b_row) {
                    *sum = lanes.mul_add(a_scalar, b_vector, *sum);
                }
            }
        }
    }

    /// Moves on by `steps` steps of depth.
    #[inline(always)]
    fn advance<const B: u8>(&mut self, tile: &Tile<L::Scalar>, steps: usize) {
        let width = L::NV * L::COUNT;
        let a_depth_stride = if B == b_is::IN_PLACE { tile.a_depth_stride } else { 1 };
        let b_depth_stride = if B == b_is::PACKED { width } else { tile.b_depth_stride };
        self.a = self.a.map(|a| in_register(a.wrapping_add(steps * a_depth_stride)));
        self.b = in_register(self.b.wrapping_add(steps * b_depth_stride));
        if B == b_is::PACKED_HERE {
            self.panel = self.panel.wrapping_add(steps * width);
        }
    }
}

/// c = sum + beta * c; a function without branches between rows, so that the sums stay in registers.
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
    let beta = lanes.splat(tile.beta);
    let whole = if last == L::COUNT { VECTORS } else { VECTORS - 1 };
    // SAFETY: whole vectors but for the last, of which `last` lanes are touched.
    unsafe {
        for v in 0..VECTORS {
            if v < whole {
                for (row, sums) in sum.iter().enumerate() {
                    let place = tile.c.add(row * tile.c_row_stride + v * L::COUNT);
                    let x = if READ { lanes.mul_add(beta, lanes.load(place), sums[v]) } else { sums[v] };
                    lanes.store(place, x);
                }
            } else {
                for (row, sums) in sum.iter().enumerate() {
                    let place = tile.c.add(row * tile.c_row_stride + v * L::COUNT);
                    let x = if READ {
                        lanes.mul_add(beta, lanes.load_first(place, last), sums[v])
                    } else {
                        sums[v]
                    };
                    lanes.store_first(place, x, last);
                }
            }
        }
    }
}
