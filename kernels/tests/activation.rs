//! Are activations, their slopes and their curvature correct at every level, length and alignment?

#[path = "support/guard.rs"]
mod guard;
#[path = "support/samples.rs"]
mod samples;

use equilibria_kernels::{Activation, Level, Scalar, activation};
use guard::GuardedBuffer;
use samples::{lengths, uneven};

/// An activation, with these functions in f64: itself, and φ′ and φ″/φ′ as functions of the output.
type Case = (Activation<f64>, fn(f64) -> f64, fn(f64) -> f64, fn(f64) -> f64);

const CASES: [Case; 6] = [
    (Activation::Identity, |x| x, |_| 1.0, |_| 0.0),
    (Activation::Relu, |x| x.max(0.0), |y| if y > 0.0 { 1.0 } else { 0.0 }, |_| 0.0),
    (
        Activation::LeakyRelu { slope: 0.25 },
        |x| if x < 0.0 { 0.25 * x } else { x },
        |y| if y > 0.0 { 1.0 } else { 0.25 },
        |_| 0.0,
    ),
    (Activation::Sigmoid, |x| 1.0 / (1.0 + (-x).exp()), |y| y * (1.0 - y), |y| 1.0 - 2.0 * y),
    (Activation::Tanh, f64::tanh, |y| (1.0 - y) * (1.0 + y), |y| -2.0 * y),
    (Activation::Softplus, |x| x.max(0.0) + (-x.abs()).exp().ln_1p(), |y| -(-y).exp_m1(), |y| (-y).exp()),
];

fn of_type<T: Scalar>(activation: Activation<f64>) -> Activation<T> {
    match activation {
        Activation::Relu => Activation::Relu,
        Activation::LeakyRelu { slope } => Activation::LeakyRelu { slope: T::from_f64(slope) },
        Activation::Sigmoid => Activation::Sigmoid,
        Activation::Tanh => Activation::Tanh,
        Activation::Softplus => Activation::Softplus,
        _ => Activation::Identity,
    }
}

/// Fails unless `found` is within a few roundings of `exact`, relative to `size`.
#[track_caller]
fn assert_close<T: Scalar>(found: T, exact: f64, size: f64, context: &str) {
    let error = (found.to_f64() - exact).abs();
    let bound = 6.0 * T::EPSILON.to_f64() * size.abs();
    assert!(error <= bound, "{context}: {found} is {error:e} from {exact}, more than {bound:e}");
}

/// Calls `run` with every level, length, buffer position and activation, and with inputs of a few units in size.
fn over_cases<T: Scalar>(run: impl Fn(Level, bool, Case, &[T], &str)) {
    // The last two lengths use several tasks.
    for (length, at_end) in
        lengths().chain([16_385, 40_003]).flat_map(|length| [(length, false), (length, true)])
    {
        let x: Vec<T> = uneven::<T>(length, 1).iter().map(|x| T::from_f64(7.0 * x.to_f64())).collect();
        for case in CASES {
            for level in Level::available() {
                run(
                    level,
                    at_end,
                    case,
                    &x,
                    &format!("{:?}, length {length} at level {}", case.0, level.name()),
                );
            }
        }
    }
}

fn check_values<T: Scalar>() {
    over_cases::<T>(|level, at_end, (activation, value, ..), x, context| {
        let mut y = GuardedBuffer::copy_of(x, at_end);
        activation::apply_in_place(level, of_type(activation), &mut y);
        for (&x, &y) in x.iter().zip(y.iter()) {
            let exact = value(x.to_f64());
            assert_close(y, exact, exact, context);
        }
    });
}

#[test]
fn activations_are_within_some_ulp() {
    check_values::<f32>();
    check_values::<f64>();
}

/// The outputs of an activation.
fn outputs<T: Scalar>(x: &[T], value: fn(f64) -> f64) -> Vec<T> {
    x.iter().map(|x| T::from_f64(value(x.to_f64()))).collect()
}

fn check_slopes<T: Scalar>() {
    over_cases::<T>(|level, at_end, (activation, value, slope, _), x, context| {
        let y = GuardedBuffer::copy_of(&outputs(x, value), at_end);
        let gradient = GuardedBuffer::copy_of(&uneven::<T>(x.len(), 2), at_end);
        let (mut out, mut in_place) =
            (GuardedBuffer::at_end(x.len()), GuardedBuffer::copy_of(&gradient, at_end));
        activation::times_slope(level, of_type(activation), &y, &gradient, &mut out);
        activation::times_slope_in_place(level, of_type(activation), &y, &mut in_place);
        assert!(out.iter().eq(in_place.iter()), "{context}");
        for i in 0..x.len() {
            let exact = gradient[i].to_f64() * slope(y[i].to_f64());
            assert_close(out[i], exact, exact, context);
        }
    });
}

#[test]
fn slopes_are_within_some_ulp() {
    check_slopes::<f32>();
    check_slopes::<f64>();
}

fn check_curvature<T: Scalar>() {
    over_cases::<T>(|level, at_end, (activation, value, slope, ratio), x, context| {
        let y = GuardedBuffer::copy_of(&outputs(x, value), at_end);
        let delta = GuardedBuffer::copy_of(&uneven::<T>(x.len(), 3), at_end);
        let v = uneven::<T>(x.len(), 4);
        let (mut tangent, mut curvature) =
            (GuardedBuffer::copy_of(&v, at_end), GuardedBuffer::at_end(x.len()));
        activation::tangent_and_curvature(
            level,
            of_type(activation),
            &y,
            &delta,
            &mut tangent,
            &mut curvature,
        );
        for i in 0..x.len() {
            let (y, v) = (y[i].to_f64(), v[i].to_f64());
            assert_close(tangent[i], v * slope(y), v * slope(y), context);
            let product = delta[i].to_f64() * v;
            assert_close(curvature[i], product * ratio(y), product, context);
        }
    });
}

#[test]
fn curvatures_are_within_some_ulp() {
    check_curvature::<f32>();
    check_curvature::<f64>();
}

#[test]
fn the_slope_at_zero_is_that_of_the_negative_side() {
    for level in Level::available() {
        for (activation, slope) in [(Activation::Relu, 0.0), (Activation::LeakyRelu { slope: 0.25 }, 0.25)] {
            let mut gradient = [1.0_f32; 5];
            let y = [0.0, -0.0, f32::MIN_POSITIVE, -f32::MIN_POSITIVE, f32::INFINITY];
            activation::times_slope_in_place(level, activation, &y, &mut gradient);
            assert_eq!(gradient, [slope, slope, 1.0, slope, 1.0], "at level {}", level.name());
        }
    }
}

#[test]
#[should_panic(expected = "y has length 5, gradient has length 4")]
fn different_lengths_panic() {
    activation::times_slope_in_place(Level::PORTABLE, Activation::Tanh, &[0.0_f32; 5], &mut [0.0; 4]);
}
