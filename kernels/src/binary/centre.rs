//! The operations that centring adds to the learning step of a tile: two outer products before it, two matrix-vector
//! products after it.

use super::{MAX_VECTORS, PANEL, TILE};
use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;

/// `tile` <- `keep tile - x y' - z w'` for `products` `[[x, y], [z, w]]`; the tile is not read if `keep` is 0.
///
/// **Shapes** `tile` has [`TILE`] elements, each vector 64.
///
/// **Panics** if the lengths do not match.
#[track_caller]
pub fn subtract_outer_products<T: Scalar>(level: Level, keep: T, products: [[&[T]; 2]; 2], tile: &mut [T]) {
    let lengths = products.map(|pair| pair.map(<[T]>::len));
    assert!(
        tile.len() == TILE && lengths == [[PANEL; 2]; 2],
        "outer products of {lengths:?} elements, a tile of {}",
        tile.len()
    );
    dispatch(level, OuterProducts { keep, products, tile });
}

struct OuterProducts<'a, T> {
    keep: T,
    products: [[&'a [T]; 2]; 2],
    tile: &'a mut [T],
}

impl<T: Scalar> Operation<T> for OuterProducts<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let [[x, y], [z, w]] = self.products;
        let keep = lanes.splat(self.keep);
        for (row, (&x, &z)) in self.tile.chunks_exact_mut(PANEL).zip(x.iter().zip(z)) {
            let (x, z) = (lanes.neg(lanes.splat(x)), lanes.neg(lanes.splat(z)));
            for first in (0..PANEL).step_by(L::COUNT) {
                // SAFETY: rows, y and w have 64 elements, a multiple of COUNT.
                unsafe {
                    let address = row.as_mut_ptr().add(first);
                    let kept = if self.keep == T::ZERO {
                        lanes.zero()
                    } else {
                        lanes.mul(keep, lanes.load(address))
                    };
                    let sum = lanes.mul_add(x, lanes.load(y.as_ptr().add(first)), kept);
                    lanes.store(address, lanes.mul_add(z, lanes.load(w.as_ptr().add(first)), sum));
                }
            }
        }
    }
}

/// `rows_out` <- `tile y`, and `columns_out` <- `columns_out + tile' x`.
///
/// **Shapes** `tile` has [`TILE`] elements, the vectors 64.
///
/// **Panics** if the lengths do not match.
#[track_caller]
pub fn tile_products<T: Scalar>(
    level: Level,
    tile: &[T],
    [x, y]: [&[T]; 2],
    rows_out: &mut [T],
    columns_out: &mut [T],
) {
    let lengths = [x.len(), y.len(), rows_out.len(), columns_out.len()];
    assert!(
        tile.len() == TILE && lengths == [PANEL; 4],
        "products of {lengths:?} elements, a tile of {}",
        tile.len()
    );
    dispatch(level, Products { tile, x, y, rows_out, columns_out });
}

struct Products<'a, T> {
    tile: &'a [T],
    x: &'a [T],
    y: &'a [T],
    rows_out: &'a mut [T],
    columns_out: &'a mut [T],
}

impl<T: Scalar> Operation<T> for Products<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let vectors = PANEL / L::COUNT;
        let mut columns = [lanes.zero(); MAX_VECTORS];
        let address = self.columns_out.as_mut_ptr();
        for (row, (&x, out)) in self.tile.chunks_exact(PANEL).zip(self.x.iter().zip(self.rows_out)) {
            let x = lanes.splat(x);
            let mut sum = lanes.zero();
            for (v, column) in columns.iter_mut().enumerate().take(vectors) {
                // SAFETY: rows and y have 64 elements, which is `vectors` vectors.
                unsafe {
                    let element = lanes.load(row.as_ptr().add(v * L::COUNT));
                    sum = lanes.mul_add(element, lanes.load(self.y.as_ptr().add(v * L::COUNT)), sum);
                    *column = lanes.mul_add(x, element, *column);
                }
            }
            *out = lanes.sum(sum);
        }
        for (v, &column) in columns.iter().enumerate().take(vectors) {
            // SAFETY: as above; 64 sums.
            unsafe {
                let address = address.add(v * L::COUNT);
                lanes.store(address, lanes.add(lanes.load(address), column));
            }
        }
    }
}
