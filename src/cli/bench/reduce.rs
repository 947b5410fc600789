//! Reductions in L1, over a batch of images, and from memory, against plain loops.

use super::limits::copy;
use super::measure::repeat;
use super::slices::{Kernel, Slice, Unit, measure};
use super::{Add, Context, noise};
use crate::Result;
use equilibria_kernels::reduce;
use std::hint::black_box;

/// 16 KiB of f32.
const SMALL: usize = 4096;
/// 64 MiB of f32.
const LARGE: usize = 16 << 20;
/// Images of a batch, and their pixels.
const IMAGES: (usize, usize) = (1000, 784);

pub(super) fn run(context: &Context, add: Add<'_, Slice>) -> Result<()> {
    let level = context.level;
    let (x, y) = (noise(level, SMALL, -1.0..1.0), noise(level, SMALL, 0.5..1.5));
    let size = |f: fn(f64) -> f64| x.iter().map(move |&x| f(f64::from(x)));
    let (total, sizes) = (size(|x| x).sum::<f64>(), size(f64::abs).sum::<f64>());
    add(scalar(context, "sum", &x, (total, sizes), |x| reduce::sum(level, x), |x| x.iter().sum())?)?;
    add(scalar(
        context,
        "sum_f64",
        &x,
        (total, sizes),
        |x| reduce::sum_f64(level, x) as f32,
        |x| x.iter().map(|&x| f64::from(x)).sum::<f64>() as f32,
    )?)?;
    let squares = size(|x| x * x).sum::<f64>();
    add(scalar(
        context,
        "squared_norm",
        &x,
        (squares, squares),
        |x| reduce::squared_norm(level, x),
        |x| x.iter().map(|x| x * x).sum(),
    )?)?;
    let largest = size(|x| x).fold(f64::NEG_INFINITY, f64::max);
    add(scalar(
        context,
        "max",
        &x,
        (largest, 0.0),
        |x| reduce::max(level, x),
        |x| x.iter().copied().fold(f32::NEG_INFINITY, f32::max),
    )?)?;
    let log_sum_exp = size(f64::exp).sum::<f64>().ln();
    add(scalar(
        context,
        "log_sum_exp",
        &x,
        (log_sum_exp, log_sum_exp),
        |x| reduce::log_sum_exp(level, x),
        |x| {
            let largest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            largest + x.iter().map(|x| (x - largest).exp()).sum::<f32>().ln()
        },
    )?)?;
    add(dot(context, &x, &y, None)?)?;
    add(matrix(context, "row_sums", reduce::row_sums, plain_row_sums)?)?;
    add(matrix(context, "column_sums", reduce::column_sums, plain_column_sums)?)?;
    let (x, mut y) = (noise(level, LARGE, -1.0..1.0), noise(level, LARGE, 0.5..1.5));
    let other = y.clone();
    add(dot(context, &x, &other, Some(&mut y))?)
}

fn kernel(name: &'static str, rows: usize, columns: usize, bytes: usize) -> Kernel {
    Kernel { name, r#type: "f32", rows, columns, bytes, unit: Unit::Gigabytes }
}

/// Rounding errors of plain sums and ours stay far below this share of the terms' sizes.
const TOLERANCE: f64 = 32.0 * f32::EPSILON as f64;

/// A reduction of a slice to a number; `right` is the answer and the size of its terms.
fn scalar(
    context: &Context,
    name: &'static str,
    x: &[f32],
    right: (f64, f64),
    ours: impl Fn(&[f32]) -> f32 + Sync,
    plain: impl Fn(&[f32]) -> f32 + Sync,
) -> Result<Slice> {
    let kernel = kernel(name, 1, x.len(), size_of::<f32>());
    kernel.expect(f64::from(ours(x)), right.0, right.1, TOLERANCE)?;
    let mut ours = repeat(|| ours(black_box(x)));
    let mut plain = repeat(|| plain(black_box(x)));
    Ok(measure(context, kernel, &mut ours, &mut plain, None))
}

/// Against a copy of `x` into `to` where that is given.
fn dot(context: &Context, x: &[f32], y: &[f32], to: Option<&mut [f32]>) -> Result<Slice> {
    let level = context.level;
    let kernel = kernel("dot", 1, x.len(), 2 * size_of::<f32>());
    let terms = || x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y));
    let sizes = terms().map(f64::abs).sum();
    kernel.expect(f64::from(reduce::dot(level, x, y)), terms().sum(), sizes, TOLERANCE)?;
    let mut ours = repeat(|| reduce::dot(level, black_box(x), black_box(y)));
    let mut plain = repeat(|| black_box(x).iter().zip(black_box(y)).map(|(x, y)| x * y).sum::<f32>());
    let bytes = 2 * size_of_val(x);
    let mut copy = to.map(|to| copy(x, to));
    let copy = copy.as_mut().map(|copy| (copy as _, bytes));
    Ok(measure(context, kernel, &mut ours, &mut plain, copy))
}

/// Sums of rows or columns: level, matrix, rows, columns, sums.
type Sums = fn(equilibria_kernels::Level, &[f32], usize, usize, &mut [f32]);

fn matrix(
    context: &Context,
    name: &'static str,
    ours: Sums,
    plain: fn(&[f32], usize, &mut [f32]),
) -> Result<Slice> {
    let (rows, columns) = IMAGES;
    let kernel = kernel(name, rows, columns, size_of::<f32>());
    let x = noise(context.level, rows * columns, -1.0..1.0);
    let count = if name == "row_sums" { rows } else { columns };
    let (mut out, mut plain_out) = (vec![0.0; count], vec![0.0; count]);
    ours(context.level, &x, rows, columns, &mut out);
    for (i, &found) in out.iter().enumerate() {
        let terms = || {
            let (first, step, count) =
                if count == rows { (i * columns, 1, columns) } else { (i, columns, rows) };
            x[first..].iter().step_by(step).take(count).map(|&x| f64::from(x))
        };
        kernel.expect(f64::from(found), terms().sum(), terms().map(f64::abs).sum(), TOLERANCE)?;
    }
    let mut ours = repeat(|| ours(context.level, black_box(&x), rows, columns, black_box(&mut out)));
    let mut plain = repeat(|| plain(black_box(&x), columns, black_box(&mut plain_out)));
    Ok(measure(context, kernel, &mut ours, &mut plain, None))
}

fn plain_row_sums(x: &[f32], columns: usize, out: &mut [f32]) {
    for (row, out) in x.chunks_exact(columns).zip(out) {
        *out = row.iter().sum();
    }
}

fn plain_column_sums(x: &[f32], columns: usize, out: &mut [f32]) {
    out.fill(0.0);
    for row in x.chunks_exact(columns) {
        for (out, x) in out.iter_mut().zip(row) {
            *out += x;
        }
    }
}
