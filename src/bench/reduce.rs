//! Reductions in L1, over a batch of images, and from memory, compared with plain loops.

use super::entry::Unit;
use super::slices::Kernel;
use super::workload::{Add, Context, Place, Workload, noise};
use crate::Result;
use equilibria_kernels::{Level, reduce};
use std::hint::black_box;
use std::sync::Arc;

/// The name of the peer.
const PLAIN: &str = "plain loop";
/// 16 KiB of f32.
const SMALL: usize = 4096;
/// 64 MiB of f32.
const LARGE: usize = 16 << 20;
/// Images of a batch, and their pixels.
const IMAGES: (usize, usize) = (1000, 784);
/// The largest rounding error, relative to the sum of the sizes of the terms; plain sums and ours stay far below it.
const TOLERANCE: f64 = 32.0 * f32::EPSILON as f64;

/// A reduction to a number: its name, the result, the size of its terms, our kernel and the plain loop.
type Reduction = (&'static str, f64, f64, fn(Level, &[f32]) -> f32, fn(&[f32]) -> f32);

/// All reductions, on one thread.
pub fn list(context: &Context, add: Add<'_>) -> Result<()> {
    let mut add = |workload| add(workload, Place::One);
    let level = context.level;
    let (x, y): (Vec<f32>, Vec<f32>) = (noise(level, SMALL, -1.0..1.0), noise(level, SMALL, 0.5..1.5));
    let terms = |f: fn(f64) -> f64| x.iter().map(move |&x| f(f64::from(x)));
    let (total, sizes) = (terms(|x| x).sum::<f64>(), terms(f64::abs).sum::<f64>());
    let squares = terms(|x| x * x).sum::<f64>();
    let largest = terms(|x| x).fold(f64::NEG_INFINITY, f64::max);
    let log_sum_exp = terms(f64::exp).sum::<f64>().ln();
    let reductions: [Reduction; 5] = [
        ("sum", total, sizes, reduce::sum, |x| x.iter().sum()),
        (
            "sum_f64",
            total,
            sizes,
            |level, x| reduce::sum_f64(level, x) as f32,
            |x| x.iter().map(|&x| f64::from(x)).sum::<f64>() as f32,
        ),
        ("squared_norm", squares, squares, reduce::squared_norm, |x| x.iter().map(|x| x * x).sum()),
        ("max", largest, 0.0, reduce::max, |x| x.iter().copied().fold(f32::NEG_INFINITY, f32::max)),
        ("log_sum_exp", log_sum_exp, log_sum_exp, reduce::log_sum_exp, |x| {
            let largest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            largest + x.iter().map(|x| (x - largest).exp()).sum::<f32>().ln()
        }),
    ];
    for (name, right, size, ours, plain) in reductions {
        let kernel = kernel(name, 1, x.len(), size_of::<f32>());
        kernel.expect(f64::from(ours(level, &x)), right, size, TOLERANCE)?;
        let [one, two] = [x.clone(), x.clone()];
        let ours = move || ours(level, black_box(&one));
        add(kernel.workload(ours, (PLAIN, move || plain(black_box(&two))), None))?;
    }
    add(dot(level, x, y, false)?)?;
    add(matrix(level, "row_sums", reduce::row_sums, plain_row_sums)?)?;
    add(matrix(level, "column_sums", reduce::column_sums, plain_column_sums)?)?;
    add(dot(level, noise(level, LARGE, -1.0..1.0), noise(level, LARGE, 0.5..1.5), true)?)
}

fn kernel(name: &'static str, rows: usize, columns: usize, bytes: usize) -> Kernel {
    Kernel { name, r#type: "f32", rows, columns, bytes, unit: Unit::Gigabytes }
}

/// The dot product; one from memory is compared with a copy of `x`.
fn dot(level: Level, x: Vec<f32>, y: Vec<f32>, from_memory: bool) -> Result<Workload> {
    let kernel = kernel("dot", 1, x.len(), 2 * size_of::<f32>());
    let terms = || x.iter().zip(&y).map(|(&x, &y)| f64::from(x) * f64::from(y));
    let sizes = terms().map(f64::abs).sum();
    kernel.expect(f64::from(reduce::dot(level, &x, &y)), terms().sum(), sizes, TOLERANCE)?;
    let copied = from_memory.then(|| x.clone());
    let ours = Arc::new([x, y]);
    let operands = Arc::clone(&ours);
    let plain = move || {
        let [x, y] = black_box(&*operands);
        x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>()
    };
    let ours = move || reduce::dot(level, black_box(&ours[0]), black_box(&ours[1]));
    Ok(kernel.workload(ours, (PLAIN, plain), copied))
}

/// Sums of rows or columns: level, matrix, rows, columns, sums.
type Sums = fn(Level, &[f32], usize, usize, &mut [f32]);

fn matrix(
    level: Level,
    name: &'static str,
    ours: Sums,
    plain: fn(&[f32], usize, &mut [f32]),
) -> Result<Workload> {
    let (rows, columns) = IMAGES;
    let kernel = kernel(name, rows, columns, size_of::<f32>());
    let x: Vec<f32> = noise(level, rows * columns, -1.0..1.0);
    let count = if name == "row_sums" { rows } else { columns };
    let (mut out, mut plain_out) = (vec![0.0; count], vec![0.0; count]);
    ours(level, &x, rows, columns, &mut out);
    for (i, &found) in out.iter().enumerate() {
        let terms = || {
            let (first, step, count) =
                if count == rows { (i * columns, 1, columns) } else { (i, columns, rows) };
            x[first..].iter().step_by(step).take(count).map(|&x| f64::from(x))
        };
        kernel.expect(f64::from(found), terms().sum(), terms().map(f64::abs).sum(), TOLERANCE)?;
    }
    let copy = x.clone();
    let ours = move || ours(level, black_box(&copy), rows, columns, black_box(&mut out));
    let plain = move || plain(black_box(&x), columns, black_box(&mut plain_out));
    Ok(kernel.workload(ours, (PLAIN, plain), None))
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
