//! What is the error of each elementary function, at every level?

#[path = "support/exact.rs"]
mod exact;
#[path = "support/guard.rs"]
mod guard;

use equilibria_kernels::{Level, Scalar, math};
use exact::Scaled;
use guard::GuardedBuffer;

type Slices<T> = fn(Level, &[T], &mut [T]);
type InPlace<T> = fn(Level, &mut [T]);

/// A function of f32 or f64, with its largest allowed error.
struct Case<T, E> {
    name: &'static str,
    function: Slices<T>,
    in_place: InPlace<T>,
    /// The exact value.
    exact: fn(f64) -> E,
    /// The largest error, in ULP.
    ulp: f64,
}

macro_rules! cases {
    ($($name:ident, $in_place:ident, $exact:expr, $ulp:literal;)*) => {
        [$(Case {
            name: stringify!($name),
            function: math::$name,
            in_place: math::$in_place,
            exact: $exact,
            ulp: $ulp,
        }),*]
    };
}

/// The documented errors. For f32, the exact value is computed in f64.
fn table_f32() -> [Case<f32, f64>; 6] {
    cases![
        exp, exp_in_place, f64::exp, 1.2;
        ln, ln_in_place, f64::ln, 0.9;
        sigmoid, sigmoid_in_place, |x| 1.0 / (1.0 + (-x).exp()), 2.5;
        log_sigmoid, log_sigmoid_in_place, |x| x.min(0.0) - (-x.abs()).exp().ln_1p(), 2.0;
        softplus, softplus_in_place, |x| x.max(0.0) + (-x.abs()).exp().ln_1p(), 2.0;
        tanh, tanh_in_place, f64::tanh, 2.8;
    ]
}

fn table_f64() -> [Case<f64, Scaled>; 6] {
    cases![
        exp, exp_in_place, exact::exp, 1.2;
        ln, ln_in_place, exact::ln, 0.9;
        sigmoid, sigmoid_in_place, exact::sigmoid, 2.5;
        log_sigmoid, log_sigmoid_in_place, exact::log_sigmoid, 2.0;
        softplus, softplus_in_place, exact::softplus, 2.0;
        tanh, tanh_in_place, exact::tanh, 2.8;
    ]
}

/// The distance in units of the last place of `exact` as an f32.
fn ulp_f32(y: f32, exact: f64) -> f64 {
    let place = ((exact.abs().to_bits() >> 52) as i32 - 1023).max(-126);
    (f64::from(y) - exact).abs() / 2.0_f64.powi(place - 23)
}

#[test]
fn errors_in_f32_are_as_documented() {
    // Every exponent and sign, 4 million numbers; infinities and NaN have their own test.
    let all: Vec<f32> =
        (0..u32::MAX / 1009).map(|i| f32::from_bits(i * 1009)).filter(|x| x.is_finite()).collect();
    for case in table_f32() {
        let x: Vec<f32> = all.iter().copied().filter(|&x| case.name != "ln" || x > 0.0).collect();
        let exact: Vec<f64> = x.iter().map(|&x| (case.exact)(f64::from(x))).collect();
        let mut y = vec![0.0; x.len()];
        for level in Level::available() {
            (case.function)(level, &x, &mut y);
            let mut largest = (0.0, 0.0);
            for ((&x, &y), &exact) in x.iter().zip(&y).zip(&exact) {
                let overflow = exact.abs() > f64::from(f32::MAX) * (1.0 + 2.0_f64.powi(-25));
                let error = if overflow && y.is_infinite() { 0.0 } else { ulp_f32(y, exact) };
                if error.is_nan() || error > largest.0 {
                    largest = (if error.is_nan() { f64::INFINITY } else { error }, x);
                }
            }
            let (name, level) = (case.name, level.name());
            assert!(
                largest.0 <= case.ulp,
                "{name} of f32 at level {level}: {} ULP at {:e}",
                largest.0,
                largest.1
            );
        }
    }
}

/// Every exponent and sign, more densely where the functions are curved, and the ends of the range of exp.
fn numbers_f64() -> Vec<f64> {
    let exponents = (0..60_000_u64).map(|i| f64::from_bits(i * (u64::MAX / 60_000)));
    let bends = (0..60_000).map(|i| f64::from(i - 30_000) * 1.234_567_891e-3);
    let ends = (0..10_000).map(|i| -746.0 + f64::from(i) * 4.321e-3);
    let overflow = (0..2000).map(|i| 708.0 + f64::from(i) * 1.1e-3);
    exponents.chain(bends).chain(ends).chain(overflow).filter(|x| x.is_finite()).collect()
}

#[test]
fn errors_in_f64_are_as_documented() {
    let all = numbers_f64();
    for case in table_f64() {
        // Beyond +-1000 all functions are constant, linear, 0 or infinite; the exact functions do not cover that range.
        let keep = |x: f64| if case.name == "ln" { x > 0.0 } else { x.abs() < 1000.0 };
        let x: Vec<f64> = all.iter().copied().filter(|&x| keep(x)).collect();
        let exact: Vec<Scaled> = x.iter().map(|&x| (case.exact)(x)).collect();
        let mut y = vec![0.0; x.len()];
        for level in Level::available() {
            (case.function)(level, &x, &mut y);
            let mut largest = (0.0, 0.0);
            for ((&x, &y), exact) in x.iter().zip(&y).zip(&exact) {
                let error = if exact.overflows() && y.is_infinite() { 0.0 } else { exact.ulp_from(y) };
                if error.is_nan() || error > largest.0 {
                    largest = (if error.is_nan() { f64::INFINITY } else { error }, x);
                }
            }
            let (name, level) = (case.name, level.name());
            assert!(
                largest.0 <= case.ulp,
                "{name} of f64 at level {level}: {} ULP at {:e}",
                largest.0,
                largest.1
            );
        }
    }
}

/// Arguments with an exact result: (function, argument, result).
const EDGES: [(&str, f64, f64); 34] = {
    const INFINITY: f64 = f64::INFINITY;
    const TINY: f64 = 1.401_298_464_324_817e-45; // the smallest f32
    [
        ("exp", 0.0, 1.0),
        ("exp", -0.0, 1.0),
        ("exp", INFINITY, INFINITY),
        ("exp", -INFINITY, 0.0),
        ("exp", 1e30, INFINITY),
        ("exp", -1e30, 0.0),
        ("ln", 1.0, 0.0),
        ("ln", 0.0, -INFINITY),
        ("ln", -0.0, -INFINITY),
        ("ln", -1.0, f64::NAN),
        ("ln", -TINY, f64::NAN),
        ("ln", -INFINITY, f64::NAN),
        ("ln", INFINITY, INFINITY),
        ("sigmoid", 0.0, 0.5),
        ("sigmoid", -0.0, 0.5),
        ("sigmoid", INFINITY, 1.0),
        ("sigmoid", -INFINITY, 0.0),
        ("sigmoid", -1e30, 0.0),
        ("softplus", INFINITY, INFINITY),
        ("softplus", -INFINITY, 0.0),
        ("softplus", 1e30, 1e30),
        ("softplus", -1e30, 0.0),
        ("log_sigmoid", INFINITY, 0.0),
        ("log_sigmoid", -INFINITY, -INFINITY),
        ("log_sigmoid", -1e30, -1e30),
        ("log_sigmoid", 1e30, 0.0),
        ("tanh", 0.0, 0.0),
        ("tanh", -0.0, -0.0),
        ("tanh", TINY, TINY),
        ("tanh", -TINY, -TINY),
        ("tanh", INFINITY, 1.0),
        ("tanh", -INFINITY, -1.0),
        ("tanh", 1e30, 1.0),
        ("tanh", -1e30, -1.0),
    ]
};

fn check_edges<T: Scalar, E>(table: &[Case<T, E>]) {
    for level in Level::available() {
        for case in table {
            let of = |x: f64| {
                let mut y = [T::ZERO];
                (case.function)(level, &[T::from_f64(x)], &mut y);
                y[0].to_f64()
            };
            let (name, level) = (case.name, level.name());
            assert!(of(f64::NAN).is_nan() && of(-f64::NAN).is_nan(), "{name} of NaN at level {level}");
            for &(_, x, expected) in EDGES.iter().filter(|edge| edge.0 == name) {
                let (y, expected) = (of(x), T::from_f64(expected).to_f64());
                let signed = name == "tanh" && y.is_sign_positive() != expected.is_sign_positive();
                let equal = y == expected || y.is_nan() && expected.is_nan();
                assert!(equal && !signed, "{name}({x:e}) at level {level} is {y:e}, not {expected:e}");
            }
        }
    }
}

#[test]
fn edges_are_exact() {
    check_edges(&table_f32());
    check_edges(&table_f64());
}

/// Compares every length, next to an unmapped page at either end and at odd offsets, with the function of each element
/// alone.
fn check_lengths<T: Scalar, E>(table: &[Case<T, E>]) {
    for level in Level::available() {
        for case in table {
            for length in 0..=4 * 16 + 3 * 16 + 1 {
                let x: Vec<T> = (0..length).map(|i| T::from_f64(0.37 * i as f64 + 0.01)).collect();
                let alone: Vec<T> = x.iter().map(|&x| one(case.function, level, x)).collect();
                let context = format!("{} of {length} at level {}", case.name, level.name());
                for at_end in [false, true] {
                    let x = GuardedBuffer::copy_of(&x, at_end);
                    let mut out = GuardedBuffer::copy_of(&vec![T::ZERO; length], at_end);
                    (case.function)(level, &x, &mut out);
                    assert_eq!(*out, *alone, "{context}");
                    let mut out = x;
                    (case.in_place)(level, &mut out);
                    assert_eq!(*out, *alone, "{context}, in place");
                }
                let mut padded = vec![T::ONE; length + 2];
                (case.function)(level, &x, &mut padded[1..=length]);
                assert_eq!(padded[1..=length], *alone, "{context}, misaligned");
                assert!(padded[0] == T::ONE && padded[length + 1] == T::ONE, "{context}, neighbours");
            }
        }
    }
}

fn one<T: Scalar>(function: Slices<T>, level: Level, x: T) -> T {
    let mut y = [T::ZERO];
    function(level, &[x], &mut y);
    y[0]
}

#[test]
fn every_length_and_alignment_gives_the_same_results() {
    check_lengths(&table_f32());
    check_lengths(&table_f64());
}

#[test]
#[should_panic(expected = "x has length 3, out has length 2")]
fn lengths_that_differ_panic() {
    math::exp(Level::PORTABLE, &[0.0_f32; 3], &mut [0.0; 2]);
}
