//! Squared distances and products of all pairs of two sets of feature vectors.
//!
//! |a - b|² = |a|² + |b|² - 2 a·b, so all pairs of a block of rows cost one matrix product. The difference cancels: its
//! error is about 1e-15 (|a|² + |b|²) in f64. So f32 is not precise enough, and a result below 1e-12 (|a|² + |b|²) is
//! set to 0, the distance of equal vectors.

use crate::parallel::{Chunks, for_each_split};
use crate::tensor::{Element, Epilogue, MatrixRef, Tensor, Workspace, product_into};
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

/// Most products in a block (32 MB), unless a single row is longer.
const BLOCK: usize = 1 << 22;
/// Most rows in a block: enough for a matrix product to run at full speed.
const ROWS: usize = 512;
/// A squared distance below this share of |a|² + |b|² is rounding error and counts as 0.
const ROUNDING: f64 = 1e-12;

/// Feature vectors in f64 with their squared lengths.
pub(super) struct Points {
    values: Tensor<f64>,
    squares: Vec<f64>,
}

impl Points {
    /// The rows of `values` minus `origin`. Distances do not change; lengths, and with them rounding errors, shrink.
    pub fn around<T: Element>(values: &Tensor<T>, origin: &[f64]) -> Self {
        let mut values: Tensor<f64> = values.cast();
        let mut squares = Vec::with_capacity(values.rows());
        for i in 0..values.rows() {
            let row = values.row_mut(i);
            row.iter_mut().zip(origin).for_each(|(x, origin)| *x -= origin);
            squares.push(row.iter().map(|x| x * x).sum());
        }
        Self { values, squares }
    }

    /// The number of vectors.
    pub fn len(&self) -> usize {
        self.squares.len()
    }

    /// Calls `row(i, distances, out_i)` for each point i of `self` with its squared distances to all points of `other`.
    pub fn for_each_distances<R: Send>(
        &self,
        other: &Self,
        out: &mut [R],
        row: impl Fn(usize, &mut [f64], &mut R) + Sync,
    ) {
        for_each_products(&self.values, &other.values, out, |i, products, out| {
            for (product, square) in products.iter_mut().zip(&other.squares) {
                let lengths = self.squares[i] + square;
                let distance = lengths - 2.0 * *product;
                *product = if distance > ROUNDING * lengths { distance } else { 0.0 };
            }
            row(i, products, out);
        });
    }
}

/// Calls `row(i, products, out_i)` for each row i of `a` with its products with all rows of `b`.
///
/// The result does not depend on the number of threads.
///
/// **Panics** if `a` and `b` differ in columns, or `a` and `out` in length.
pub(super) fn for_each_products<R: Send>(
    a: &Tensor<f64>,
    b: &Tensor<f64>,
    out: &mut [R],
    row: impl Fn(usize, &mut [f64], &mut R) + Sync,
) {
    let (width, others) = (a.columns(), b.rows());
    assert!(width == b.columns() && a.rows() == out.len(), "pairs of {a:?} and {b:?} for {}", out.len());
    if a.is_empty() || b.is_empty() {
        return;
    }
    let rows = (BLOCK / others).clamp(1, ROWS);
    let mut workspace = Workspace::new();
    let mut products = Tensor::zeros(&[rows.min(a.rows()), others]);
    for (block, (a, out)) in a.data().chunks(rows * width).zip(out.chunks_mut(rows)).enumerate() {
        let count = out.len();
        let products = &mut products.data_mut()[..count * others];
        let target = crate::tensor::MatrixMut::new(products, count, others);
        let a = MatrixRef::new(a, count, width);
        product_into(a, b.view().transposed(), Epilogue::NONE, &mut workspace, target)
            .expect("sizes as asserted");
        for_each_split(count, true, (Chunks(products, others), Chunks(out, 1)), &|i, (products, out)| {
            row(block * rows + i, products.0, &mut out.0[0]);
        });
    }
}

/// Returns an error unless both sets hold at least `least` finite vectors of one length.
pub(super) fn check<T: Element>(
    operation: &'static str,
    sets: [(&str, &Tensor<T>); 2],
    least: usize,
) -> Result<()> {
    let width = sets[0].1.columns();
    for (name, set) in sets {
        if set.columns() != width {
            return Err(Error::ShapeMismatch {
                operation,
                expected: vec![set.rows(), width],
                found: vec![set.rows(), set.columns()],
            });
        }
        check_set(operation, name, set, least)?;
    }
    Ok(())
}

/// Returns an error unless the set holds at least `least` finite vectors.
pub(super) fn check_set<T: Element>(
    operation: &'static str,
    name: &str,
    set: &Tensor<T>,
    least: usize,
) -> Result<()> {
    if set.columns() == 0 {
        return Err(Error::invalid(
            format!("{operation}: {name} of length 0"),
            "at least 1 feature is needed",
        ));
    }
    if set.rows() < least {
        let given = format!("{operation}: {} {name}", set.rows());
        return Err(Error::invalid(given, format!("at least {least} are needed")));
    }
    if !set.is_finite() {
        let given = format!("{operation}: {name}");
        return Err(Error::invalid(given, "an element is infinite or not a number; all must be finite"));
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rng::Stream;

    /// Independent standard normals (rows, columns).
    pub fn normals(rows: usize, columns: usize, stream: Stream) -> Tensor<f64> {
        let mut x = Tensor::zeros(&[rows, columns]);
        x.fill_normal(stream, 1.0);
        x
    }

    #[test]
    fn distances_computed_in_blocks_equal_the_distances_of_single_pairs() {
        let stream = Stream::named(1, "evaluate");
        // More than one block of rows, and not a multiple of the block.
        let (mut a, b) = (normals(ROWS + 77, 5, stream.substream(0)), normals(70, 5, stream.substream(1)));
        a.row_mut(3).copy_from_slice(b.row(60));
        let origin = [3.0, -1.0, 0.5, 100.0, 0.0];
        let (from, to) = (Points::around(&a, &origin), Points::around(&b, &origin));
        let mut found = vec![Vec::new(); a.rows()];
        from.for_each_distances(&to, &mut found, |i, distances, out| {
            assert_eq!(distances.len(), 70);
            out.push(i as f64);
            out.extend_from_slice(distances);
        });
        for (i, found) in found.iter().enumerate() {
            assert_eq!(found[0], i as f64);
            for (j, found) in found[1..].iter().enumerate() {
                let exact: f64 = a.row(i).iter().zip(b.row(j)).map(|(a, b)| (a - b) * (a - b)).sum();
                assert!((found - exact).abs() < 1e-10, "{i}, {j}: {found}, not {exact}");
            }
        }
        assert_eq!(found[3][61], 0.0);
    }

    #[test]
    fn sets_that_cannot_be_compared_are_refused() {
        let (good, other) = (Tensor::<f64>::zeros(&[4, 3]), Tensor::zeros(&[4, 2]));
        let message =
            |a, b, least| check("distance", [("samples", a), ("images", b)], least).unwrap_err().to_string();
        assert_eq!(message(&good, &other, 2), "distance: expected shape (4, 3), found (4, 2)");
        assert_eq!(message(&good, &good, 5), "distance: 4 samples: at least 5 are needed");
        let mut wrong = good.clone();
        wrong.row_mut(1)[2] = f64::NAN;
        assert!(message(&good, &wrong, 2).starts_with("distance: images: an element is infinite"));
        let empty = Tensor::zeros(&[4, 0]);
        assert_eq!(message(&empty, &empty, 2), "distance: samples of length 0: at least 1 feature is needed");
    }
}
