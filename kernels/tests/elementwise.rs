//! Do the elementwise kernels agree with plain loops, at every level, length and alignment?

#[path = "support/guard.rs"]
mod guard;
#[path = "support/samples.rs"]
mod samples;

use equilibria_kernels::{Level, Scalar, elementwise};
use guard::GuardedBuffer;
use samples::{lengths, uneven};

type Binary<T> = (&'static str, fn(Level, &[T], &[T], &mut [T]), fn(Level, &mut [T], &[T]), fn(T, T) -> T);

fn check_binary<T: Scalar>() {
    let table: [Binary<T>; 3] = [
        ("add", elementwise::add, elementwise::add_in_place, |x, y| x + y),
        ("sub", elementwise::sub, elementwise::sub_in_place, |x, y| x - y),
        ("mul", elementwise::mul, elementwise::mul_in_place, |x, y| x * y),
    ];
    for level in Level::available() {
        for (name, function, in_place, expected) in table {
            for (length, at_end) in lengths().flat_map(|length| [(length, false), (length, true)]) {
                let context = format!("{name} of {length} at level {}", level.name());
                let x = GuardedBuffer::copy_of(&uneven::<T>(length, 1), at_end);
                let y = GuardedBuffer::copy_of(&uneven::<T>(length, 2), at_end);
                let expected: Vec<T> = x.iter().zip(y.iter()).map(|(&x, &y)| expected(x, y)).collect();
                let mut out = GuardedBuffer::copy_of(&x, at_end);
                out.fill(T::from_f64(f64::NAN));
                function(level, &x, &y, &mut out);
                assert_eq!(*out, *expected, "{context}");
                let mut out = GuardedBuffer::copy_of(&x, at_end);
                in_place(level, &mut out, &y);
                assert_eq!(*out, *expected, "{context}, in place");
            }
        }
    }
}

#[test]
fn sums_differences_and_products_agree_with_plain_loops() {
    check_binary::<f32>();
    check_binary::<f64>();
}

fn check_multiples<T: Scalar>() {
    let alpha = T::from_f64(-1.7);
    for level in Level::available() {
        for (length, at_end) in lengths().flat_map(|length| [(length, false), (length, true)]) {
            let context = format!("length {length} at level {}", level.name());
            let x = GuardedBuffer::copy_of(&uneven::<T>(length, 1), at_end);
            let scaled: Vec<T> = x.iter().map(|&x| alpha * x).collect();
            let mut out = GuardedBuffer::copy_of(&x, at_end);
            elementwise::scale_in_place(level, alpha, &mut out);
            assert_eq!(*out, *scaled, "scale_in_place of {context}");
            out.fill(T::ZERO);
            elementwise::scale(level, alpha, &x, &mut out);
            assert_eq!(*out, *scaled, "scale of {context}");

            let mut y = GuardedBuffer::copy_of(&uneven::<T>(length, 2), at_end);
            let before = y.to_vec();
            elementwise::axpy(level, alpha, &x, &mut y);
            for ((&y, before), scaled) in y.iter().zip(before).zip(scaled) {
                // One rounding or two, depending on the level.
                let error = (y.to_f64() - (before + scaled).to_f64()).abs();
                assert!(error <= 3.0 * T::EPSILON.to_f64(), "axpy of {context}");
            }
        }
    }
}

#[test]
fn multiples_agree_with_plain_loops() {
    check_multiples::<f32>();
    check_multiples::<f64>();
}

#[test]
fn only_the_elements_of_a_misaligned_slice_change() {
    for level in Level::available() {
        for length in 0..=3 * 16 + 1 {
            let mut y = vec![1.0_f32; length + 3];
            elementwise::axpy(level, 2.0, &vec![3.0; length], &mut y[1..=length]);
            let expected: Vec<f32> =
                (0..length + 3).map(|i| if (1..=length).contains(&i) { 7.0 } else { 1.0 }).collect();
            assert_eq!(y, expected, "length {length} at level {}", level.name());
        }
    }
}

#[test]
fn a_row_is_added_to_every_row() {
    for level in Level::available() {
        for columns in 0..=3 * 16 + 1 {
            for rows in [0, 1, 3] {
                let row = GuardedBuffer::copy_of(&uneven::<f32>(columns, 1), true);
                let mut x = GuardedBuffer::copy_of(&uneven::<f32>(rows * columns, 2), true);
                let expected: Vec<f32> = (0..rows * columns).map(|i| x[i] + row[i % columns]).collect();
                elementwise::add_row(level, &mut x, rows, columns, &row);
                assert_eq!(*x, *expected, "{rows} rows, {columns} columns at level {}", level.name());
            }
        }
    }
}

fn check_finite<T: Scalar>() {
    for level in Level::available() {
        for length in lengths() {
            let mut x = GuardedBuffer::copy_of(&uneven::<T>(length, 1), true);
            let context = format!("length {length} at level {}", level.name());
            assert!(elementwise::is_finite(level, &x), "{context}");
            for place in (0..length).step_by((length / 50).max(1)) {
                for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                    let before = std::mem::replace(&mut x[place], T::from_f64(bad));
                    assert!(!elementwise::is_finite(level, &x), "{context}, {bad} at {place}");
                    x[place] = before;
                }
            }
            x.fill(T::from_f64(3e38)); // finite, although their sums are not
            assert!(elementwise::is_finite(level, &x), "{context}, large");
        }
    }
}

#[test]
fn a_single_number_that_is_not_finite_is_detected() {
    check_finite::<f32>();
    check_finite::<f64>();
}

#[test]
#[should_panic(expected = "x has length 5, out has length 4")]
fn lengths_that_differ_panic() {
    elementwise::add(Level::PORTABLE, &[0.0_f32; 5], &[0.0; 5], &mut [0.0; 4]);
}
