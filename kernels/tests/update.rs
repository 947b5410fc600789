//! Do the fused update and the log-mixture sums do what they say, at every level, length and place?

#[path = "support/guard.rs"]
mod guard;
#[path = "support/samples.rs"]
mod samples;

use equilibria_kernels::{Level, Scalar, reduce, update};
use guard::GuardedBuffer;
use samples::{lengths, uneven};

fn check_add_velocity<T: Scalar>() {
    let epsilon = T::EPSILON.to_f64();
    for level in Level::available() {
        for (length, at_end) in lengths().flat_map(|length| [(length, false), (length, true)]) {
            for shrink in [0.0, 0.3].map(T::from_f64) {
                let context = format!("length {length}, shrink {shrink} at level {}", level.name());
                let mut velocity = GuardedBuffer::copy_of(&uneven::<T>(length, 1), at_end);
                let mut parameter = GuardedBuffer::copy_of(&uneven::<T>(length, 2), at_end);
                let before: Vec<_> = velocity.iter().zip(parameter.iter()).map(|(&v, &p)| (v, p)).collect();
                assert!(update::add_velocity(level, shrink, &mut velocity, &mut parameter), "{context}");
                for (i, (v, p)) in before.into_iter().enumerate() {
                    let exact = v.to_f64() - shrink.to_f64() * p.to_f64();
                    // One rounding or two, of numbers below 2.
                    let error = (velocity[i].to_f64() - exact).abs();
                    assert!(error <= 1.5 * epsilon, "velocity {i} of {context}: {error:e} off");
                    assert_eq!(parameter[i], p + velocity[i], "parameter {i} of {context}");
                }
            }
        }
    }
}

#[test]
fn the_velocity_decays_and_the_parameter_follows() {
    check_add_velocity::<f32>();
    check_add_velocity::<f64>();
}

fn check_alarm<T: Scalar>(largest: f64) {
    for level in Level::available() {
        for length in lengths() {
            let mut velocity = GuardedBuffer::<T>::at_end(length);
            let mut parameter = GuardedBuffer::<T>::at_end(length);
            let mut run = |shrink: f64, fill: f64, place: usize, (v, p): (f64, f64)| {
                velocity.fill(T::ZERO);
                parameter.fill(T::from_f64(fill));
                if place < length {
                    (velocity[place], parameter[place]) = (T::from_f64(v), T::from_f64(p));
                }
                update::add_velocity(level, T::from_f64(shrink), &mut velocity, &mut parameter)
            };
            let context = format!("length {length} at level {}", level.name());
            for place in (0..length).step_by(length.div_ceil(50).max(1)) {
                for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                    assert!(!run(0.0, 0.5, place, (bad, 1.0)), "velocity {bad} at {place} of {context}");
                    assert!(!run(0.0, 0.5, place, (1.0, bad)), "parameter {bad} at {place} of {context}");
                    assert!(!run(0.1, 0.5, place, (1.0, bad)), "decayed {bad} at {place} of {context}");
                }
                // Two finite numbers whose sum is not.
                assert!(!run(0.0, 0.5, place, (largest, largest)), "overflow at {place} of {context}");
            }
            // Extremes alone are no reason for alarm, though sums of them overflow.
            for calm in [largest, -largest, 0.0, -0.0, f64::MIN_POSITIVE] {
                assert!(run(0.0, calm, length, (0.0, 0.0)), "{calm} throughout {context}");
            }
        }
    }
}

#[test]
fn one_parameter_that_is_not_finite_is_reported() {
    check_alarm::<f32>(f64::from(f32::MAX));
    check_alarm::<f64>(f64::MAX);
}

/// Mixtures p + q = 1 with factors of up to e^`spread` either way.
fn mixtures<T: Scalar>(length: usize, spread: f64) -> [Vec<T>; 3] {
    let p: Vec<T> = uneven::<T>(length, 3).iter().map(|x| T::from_f64(x.to_f64().abs())).collect();
    let q = p.iter().map(|&p| T::ONE - p).collect();
    let factor = uneven::<T>(length, 4).iter().map(|x| T::from_f64((spread * x.to_f64()).exp())).collect();
    [p, q, factor]
}

fn check_log_mixture<T: Scalar>(farthest: f64) {
    let epsilon = T::EPSILON.to_f64();
    for level in Level::available() {
        for (length, at_end) in lengths().flat_map(|length| [(length, false), (length, true)]) {
            for spread in [0.1, 3.0, farthest] {
                let [p, q, factor] =
                    mixtures::<T>(length, spread).map(|x| GuardedBuffer::copy_of(&x, at_end));
                let term = |i: usize| (p[i].to_f64() * factor[i].to_f64() + q[i].to_f64()).ln();
                let exact: f64 = (0..length).map(term).sum();
                let size: f64 = (0..length).map(|i| term(i).abs()).sum();
                let found = reduce::log_mixture(level, &p, &q, &factor).to_f64();
                // Each argument has three roundings, each logarithm a few, and each sum one more.
                let bound = epsilon * (3.0 * length as f64 + (4.0 + length as f64 / 4.0) * size);
                let error = (found - exact).abs();
                assert!(
                    error <= bound,
                    "length {length}, spread {spread} at level {}: {found} is {error:e} from {exact}",
                    level.name()
                );
            }
        }
    }
}

#[test]
fn logarithms_of_mixtures_add_up() {
    check_log_mixture::<f32>(20.0);
    check_log_mixture::<f64>(170.0);
}

fn check_extremes<T: Scalar>(farthest: f64) {
    for level in Level::available() {
        for length in 0..=4 * 16 + 1 {
            // Every product at an end of its range.
            for sign in [1.0, -1.0] {
                let factor = vec![T::from_f64((sign * farthest).exp()); length];
                let (ones, zeros) = (vec![T::ONE; length], vec![T::ZERO; length]);
                let found = reduce::log_mixture(level, &ones, &zeros, &factor).to_f64();
                let exact = sign * farthest * length as f64;
                let error = (found - exact).abs();
                let bound = T::EPSILON.to_f64() * (farthest + 8.0) * length as f64 * 4.0;
                assert!(error <= bound, "{length} at level {}: {found}, not {exact}", level.name());
            }
            // Each element counts, whatever its place.
            for place in 0..length {
                let mut factor = vec![T::ONE; length];
                factor[place] = T::from_f64(4.0);
                let half = vec![T::from_f64(0.5); length];
                let found = reduce::log_mixture(level, &half, &half, &factor).to_f64();
                let error = (found - 2.5_f64.ln()).abs();
                assert!(error <= 4.0 * T::EPSILON.to_f64(), "{place} of {length} at level {}", level.name());
                factor[place] = T::from_f64(f64::NAN);
                assert!(
                    reduce::log_mixture(level, &half, &half, &factor).to_f64().is_nan(),
                    "NaN at {place}"
                );
            }
        }
    }
}

#[test]
fn mixtures_reach_the_ends_of_their_range() {
    check_extremes::<f32>(20.0);
    check_extremes::<f64>(170.0);
}

#[test]
#[should_panic(expected = "velocity has length 5, parameter has length 4")]
fn updates_of_different_lengths_panic() {
    update::add_velocity(Level::PORTABLE, 0.0, &mut [0.0_f32; 5], &mut [0.0; 4]);
}

#[test]
#[should_panic(expected = "p has length 5, factor has length 4")]
fn mixtures_of_different_lengths_panic() {
    let _ = reduce::log_mixture(Level::PORTABLE, &[0.0_f64; 5], &[0.0; 5], &[0.0; 4]);
}
