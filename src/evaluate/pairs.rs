//! Two sets of feature vectors, and a pass over all their pairs.
//!
//! Products of all pairs are one matrix product, a block of rows at a time; |a - b|² = |a|² + |b|² - 2 a b then costs
//! no more. It loses what a and b have in common: an error of about 1e-15 of |a|² + |b|² in f64, which is why f32 is
//! not enough, and why less than 1e-12 of that counts as the distance 0 of equal vectors.

use crate::parallel::{Chunks, for_each_split};
use crate::tensor::{Element, Epilogue, MatrixRef, Tensor, Workspace, product_into};
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

/// Products of a block, at most, if a row is no longer: 32 MB.
const BLOCK: usize = 1 << 22;
/// Rows of a block at most: enough for a product to run at full speed.
const ROWS: usize = 512;
/// A squared distance below this share of the squared lengths is rounding.
const ROUNDING: f64 = 1e-12;

/// Vectors in f64, and their squared lengths.
pub(super) struct Points {
    values: Tensor<f64>,
    squares: Vec<f64>,
}

impl Points {
    /// The rows of `values`, less `origin`: distances stay, lengths shrink, and with them rounding.
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

    /// Their number.
    pub fn len(&self) -> usize {
        self.squares.len()
    }

    /// `row(i, distances, out_i)` for each point i of `self`, with its squared distances to all points of `other`.
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

/// `row(i, products, out_i)` for each row i of `a`, with its products with all rows of `b`; the same at any number of
/// threads.
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

/// `Err` unless both are finite vectors of one length, at least `least` of each.
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

/// `Err` unless there are at least `least` finite vectors.
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
    fn distances_in_blocks_are_those_of_pairs_one_by_one() {
        let stream = Stream::named(1, "evaluate");
        // More than a block of rows, and not a whole number of them.
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
