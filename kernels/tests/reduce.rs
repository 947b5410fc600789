//! Do sums keep their error bounds, and maxima their special cases, at every level, length and alignment?

#[path = "support/guard.rs"]
mod guard;
#[path = "support/samples.rs"]
mod samples;

use equilibria_kernels::{Level, Scalar, reduce};
use guard::GuardedBuffer;
use samples::{lengths, uneven};

/// Fails unless `y` is within `factor` EPSILON `size` of `exact`; the reference sums in f64 have an error of a few such
/// units.
#[track_caller]
fn assert_close<T: Scalar>(y: T, exact: f64, size: f64, factor: f64, context: &str) {
    let bound = factor * T::EPSILON.to_f64() * size;
    let error = (y.to_f64() - exact).abs();
    assert!(error <= bound, "{context}: {y} is {error:e} from {exact}, the bound is {bound:e}");
}

/// The sum in about twice the precision of f64 (Neumaier), and the sum of the absolute values.
fn exact_sum(x: impl Iterator<Item = f64>) -> (f64, f64) {
    let (mut sum, mut lost, mut size) = (0.0_f64, 0.0, 0.0);
    for x in x {
        let next = sum + x;
        lost += if sum.abs() >= x.abs() { (sum - next) + x } else { (x - next) + sum };
        sum = next;
        size += x.abs();
    }
    (sum + lost, size)
}

fn factor(length: usize) -> f64 {
    14.0 + (length.max(1) as f64).log2() / 2.0
}

fn check_sums<T: Scalar>() {
    for level in Level::available() {
        for length in lengths() {
            let (x, y) = (uneven::<T>(length, 1), uneven::<T>(length, 2));
            let wide = |x: &T| x.to_f64();
            let (sum, size) = exact_sum(x.iter().map(wide));
            let (dot, dot_size) = exact_sum(x.iter().zip(&y).map(|(x, y)| x.to_f64() * y.to_f64()));
            let (norm, _) = exact_sum(x.iter().map(|x| x.to_f64() * x.to_f64()));
            for at_end in [false, true] {
                let (x, y) = (GuardedBuffer::copy_of(&x, at_end), GuardedBuffer::copy_of(&y, at_end));
                let context = |name| format!("{name} of {length} at level {}", level.name());
                let factor = factor(length);
                assert_close(reduce::sum(level, &x), sum, size, factor, &context("sum"));
                assert_close(reduce::dot(level, &x, &y), dot, dot_size, factor, &context("dot"));
                assert_close(reduce::squared_norm(level, &x), norm, norm, factor, &context("squared_norm"));
                let wide = reduce::sum_f64(level, &x);
                assert_close(wide, sum, size, length as f64 / 32.0 + 5.0, &context("sum_f64"));
            }
        }
    }
}

#[test]
fn sums_keep_their_bound() {
    check_sums::<f32>();
    check_sums::<f64>();
}

#[test]
fn a_long_sum_does_not_drift() {
    // Added sequentially, the sum would stop growing at 2^24.
    let x = vec![1.0_f32; (1 << 24) + 1001];
    for level in Level::available() {
        assert_eq!(reduce::sum(level, &x), x.len() as f32, "level {}", level.name());
        assert_eq!(reduce::sum_f64(level, &x), x.len() as f64, "level {}", level.name());
    }
}

fn check_max<T: Scalar>() {
    let infinity = T::from_f64(f64::INFINITY);
    for level in Level::available() {
        for length in lengths() {
            let context = format!("length {length} at level {}", level.name());
            let mut x = GuardedBuffer::copy_of(&uneven::<T>(length, 3), true);
            x.iter_mut().for_each(|x| *x -= T::from_f64(2.0)); // below 0, so that padding must not be the maximum
            let expected = x.iter().fold(-infinity, |a, &b| if b > a { b } else { a });
            assert_eq!(reduce::max(level, &x), expected, "{context}");
            for place in (0..length).step_by((length / 50).max(1)) {
                let before = std::mem::replace(&mut x[place], T::from_f64(9.0));
                assert_eq!(reduce::max(level, &x), T::from_f64(9.0), "{context}, largest at {place}");
                x[place] = T::from_f64(f64::NAN);
                assert!(reduce::max(level, &x).to_f64().is_nan(), "{context}, NaN at {place}");
                assert!(reduce::log_sum_exp(level, &x).to_f64().is_nan(), "{context}, NaN at {place}");
                x[place] = before;
            }
        }
    }
}

#[test]
fn the_maximum_is_found_and_nan_is_kept() {
    check_max::<f32>();
    check_max::<f64>();
}

fn check_log_sum_exp<T: Scalar>() {
    let infinity = T::from_f64(f64::INFINITY);
    for level in Level::available() {
        for length in lengths().filter(|&length| length > 0) {
            for at_end in [false, true] {
                // Far beyond the range of exp, with a spread at which small terms still count.
                let mut x = GuardedBuffer::copy_of(&uneven::<T>(length, 4), at_end);
                x.iter_mut().for_each(|x| *x = *x * T::from_f64(4.0) + T::from_f64(2000.0));
                let largest = reduce::max(level, &x).to_f64();
                let (sum, _) = exact_sum(x.iter().map(|x| (x.to_f64() - largest).exp()));
                let exact = largest + sum.ln();
                let context = format!("log_sum_exp of {length} at level {}", level.name());
                // The shift rounds each exponent by half an ULP of the spread, 8.
                assert_close(
                    reduce::log_sum_exp(level, &x),
                    exact,
                    1.0,
                    1024.0 + 4.0 + factor(length),
                    &context,
                );
            }
        }
        let of = |x: &[f64]| {
            let x: Vec<T> = x.iter().map(|&x| T::from_f64(x)).collect();
            reduce::log_sum_exp(level, &x)
        };
        assert_eq!(of(&[]), -infinity);
        assert_eq!(of(&[f64::NEG_INFINITY; 5]), -infinity);
        assert_eq!(of(&[f64::NEG_INFINITY, 3.0]), T::from_f64(3.0));
        assert_eq!(of(&[1.0, f64::INFINITY, f64::NEG_INFINITY]), infinity);
        assert!(of(&[f64::INFINITY, f64::NAN]).to_f64().is_nan());
    }
}

#[test]
fn log_sum_exp_neither_overflows_nor_loses_terms() {
    check_log_sum_exp::<f32>();
    check_log_sum_exp::<f64>();
}

/// ln(1 + e^x).
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn check_softplus_sum<T: Scalar>() {
    for level in Level::available() {
        for length in lengths() {
            for (scale, at_end) in [(1.0, false), (12.0, true), (300.0, true)] {
                let new = |seed| {
                    let mut x = GuardedBuffer::copy_of(&uneven::<T>(length, seed), at_end);
                    x.iter_mut().for_each(|x| *x *= T::from_f64(scale));
                    x
                };
                let (x, y) = (new(6), new(7));
                let terms = x.iter().zip(y.iter()).map(|(&x, &y)| softplus((x + y).to_f64()));
                let (exact, _) = exact_sum(terms);
                let size = 3.0 * length as f64 + (16.0 + length as f64 / 128.0) * exact;
                let context = format!("softplus_sum of {length} times {scale} at level {}", level.name());
                assert_close(reduce::softplus_sum(level, &x, &y), exact, size, 1.0, &context);
            }
        }
        let infinity = f64::INFINITY;
        let of = |x: f64| reduce::softplus_sum(level, &[T::from_f64(x); 3], &[T::ZERO; 3]).to_f64();
        assert_eq!((of(-infinity), of(infinity)), (0.0, infinity), "level {}", level.name());
        assert!(of(f64::NAN).is_nan(), "level {}", level.name());
    }
}

#[test]
fn sums_of_softplus_keep_their_bound() {
    check_softplus_sum::<f32>();
    check_softplus_sum::<f64>();
}

fn check_matrix<T: Scalar>(level: Level, rows: usize, columns: usize, at_end: bool) {
    let context = format!("{rows} rows, {columns} columns at level {}", level.name());
    let x = GuardedBuffer::copy_of(&uneven::<T>(rows * columns, 5), at_end);
    let new = |length, fill: f64| GuardedBuffer::copy_of(&vec![T::from_f64(fill); length], at_end);

    let mut out = new(rows, f64::NAN);
    reduce::row_sums(level, &x, rows, columns, &mut out);
    for (i, &y) in out.iter().enumerate() {
        let (exact, size) = exact_sum((0..columns).map(|j| x[i * columns + j].to_f64()));
        assert_close(y, exact, size, factor(columns), &format!("row {i} of {context}"));
    }

    // The output must not be read: NaN would be visible.
    let mut out = new(columns, f64::NAN);
    reduce::column_sums(level, &x, rows, columns, &mut out);
    let mut added = new(columns, 0.75);
    reduce::add_column_sums(level, T::from_f64(-0.3), &x, rows, columns, &mut added);
    let y = GuardedBuffer::copy_of(&uneven::<T>(rows * columns, 6), at_end);
    let mut dots = new(columns, 0.75);
    reduce::add_column_dots(level, &x, &y, rows, columns, &mut dots);
    let scale = T::from_f64(-0.3).to_f64();
    let factor = 33.0 + rows as f64 / 128.0;
    for j in 0..columns {
        let (exact, size) = exact_sum((0..rows).map(|i| x[i * columns + j].to_f64()));
        assert_close(out[j], exact, size, factor, &format!("column {j} of {context}"));
        let (exact, size) = (0.75 + scale * exact, 0.75 + scale.abs() * size);
        assert_close(added[j], exact, size, factor, &format!("column {j} of {context}, added"));
        let (exact, size) =
            exact_sum((0..rows).map(|i| x[i * columns + j].to_f64() * y[i * columns + j].to_f64()));
        let (exact, size) = (0.75 + exact, 0.75 + size);
        assert_close(dots[j], exact, size, factor, &format!("column {j} of {context}, products"));
    }
}

#[test]
fn sums_of_rows_and_columns_keep_their_bound() {
    for level in Level::available() {
        for columns in (0..=3 * 16 + 1).chain([127, 128, 129, 200, 261]) {
            for rows in [0, 1, 2, 3, 5, 63, 64, 65, 130] {
                for at_end in [false, true] {
                    check_matrix::<f32>(level, rows, columns, at_end);
                    check_matrix::<f64>(level, rows, columns, at_end);
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "x has length 5, y has length 4")]
fn dot_of_different_lengths_panics() {
    let _ = reduce::dot(Level::PORTABLE, &[0.0_f32; 5], &[0.0; 4]);
}

#[test]
#[should_panic(expected = "x has length 7, a matrix of 2 rows and 3 columns does not")]
fn a_matrix_of_another_length_panics() {
    reduce::row_sums(Level::PORTABLE, &[0.0_f64; 7], 2, 3, &mut [0.0; 2]);
}
