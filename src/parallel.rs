//! Loops over rows that do not depend on one another. What a row computes never depends on the thread.

/// Rows a task takes at least: a row of a few hundred units is some hundred nanoseconds of work.
#[cfg(feature = "parallel")]
const ROWS_AT_LEAST: usize = 4;

/// `row(i, a_i, b_i, c_i)` for the rows of `a` and `b`, `a_width` and `b_width` elements each, and the elements
/// of `c`; as many as the shortest of the three has. Allocates nothing.
///
/// **Panics** if a width is 0.
pub(crate) fn for_each_row<A: Send, B: Send, C: Send>(
    (a, a_width): (&mut [A], usize),
    (b, b_width): (&mut [B], usize),
    c: &mut [C],
    row: impl Fn(usize, &mut [A], &mut [B], &mut C) + Sync,
) {
    #[cfg(feature = "parallel")]
    {
        use rayon::prelude::*;
        a.par_chunks_exact_mut(a_width)
            .zip(b.par_chunks_exact_mut(b_width))
            .zip(c)
            .enumerate()
            .with_min_len(ROWS_AT_LEAST)
            .for_each(|(i, ((a, b), c))| row(i, a, b, c));
    }
    #[cfg(not(feature = "parallel"))]
    for (i, ((a, b), c)) in a.chunks_exact_mut(a_width).zip(b.chunks_exact_mut(b_width)).zip(c).enumerate() {
        row(i, a, b, c);
    }
}

/// Elements a piece of [`for_each_piece`] has, but for the last: 64 KiB of f32, a few microseconds of work.
const PIECE: usize = 1 << 14;

/// `piece(a_part, b_part)` over equal parts of `a` and `b`. Allocates nothing.
pub(crate) fn for_each_piece<A: Send, B: Send>(
    a: &mut [A],
    b: &mut [B],
    piece: impl Fn(&mut [A], &mut [B]) + Sync,
) {
    #[cfg(feature = "parallel")]
    {
        use rayon::prelude::*;
        a.par_chunks_mut(PIECE).zip(b.par_chunks_mut(PIECE)).for_each(|(a, b)| piece(a, b));
    }
    #[cfg(not(feature = "parallel"))]
    for (a, b) in a.chunks_mut(PIECE).zip(b.chunks_mut(PIECE)) {
        piece(a, b);
    }
}
