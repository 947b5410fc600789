//! Do the fused updates and the log-mixture sums compute their formulas, at every level, length and alignment?

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

fn check_finite<T: Scalar>(largest: f64) {
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
                // Two finite numbers whose sum is infinite.
                assert!(!run(0.0, 0.5, place, (largest, largest)), "overflow at {place} of {context}");
            }
            // Extreme values alone are finite, although their sums overflow.
            for finite in [largest, -largest, 0.0, -0.0, f64::MIN_POSITIVE] {
                assert!(run(0.0, finite, length, (0.0, 0.0)), "{finite} throughout {context}");
            }
        }
    }
}

#[test]
fn one_parameter_that_is_not_finite_is_reported() {
    check_finite::<f32>(f64::from(f32::MAX));
    check_finite::<f64>(f64::MAX);
}

/// A step of one parameter in f64, from its gradient, two state values and itself; returns state and parameter.
type Step = fn(g: f64, state: [f64; 2], p: f64) -> ([f64; 2], f64);

/// Runs a kernel on (gradient, first state, second state, parameter).
type Kernel<T> = fn(Level, T, &[T], &mut [T], &mut [T], &mut [T]) -> bool;

const RATE: f64 = 0.25;
const DECAYS: [f64; 2] = [0.5, 0.875];
const EPSILON: f64 = 1.0 / 1024.0;

/// Momentum, RMSProp and Adam, with the steps that they should compute. The constants are exact in f32.
fn rules<T: Scalar>() -> [(&'static str, Kernel<T>, Step); 3] {
    let adam: Kernel<T> = |level, bound, g, mean, square, p| {
        let [mean_decay, square_decay] = DECAYS.map(T::from_f64);
        let rule =
            update::Adam { rate: T::from_f64(RATE), mean_decay, square_decay, epsilon: T::from_f64(EPSILON) };
        update::descend(level, rule, bound, g, [mean, square], p)
    };
    let rms_prop: Kernel<T> = |level, bound, g, square, _, p| {
        let [rate, decay, epsilon] = [RATE, DECAYS[1], EPSILON].map(T::from_f64);
        update::descend(level, update::RmsProp { rate, decay, epsilon }, bound, g, [square], p)
    };
    let momentum: Kernel<T> = |level, bound, g, velocity, _, p| {
        let [rate, momentum] = [RATE, DECAYS[0]].map(T::from_f64);
        update::descend(level, update::Momentum { rate, momentum }, bound, g, [velocity], p)
    };
    [
        ("Adam", adam, |g, [mean, square], p| {
            let mean = DECAYS[0] * mean + (1.0 - DECAYS[0]) * g;
            let square = DECAYS[1] * square + (1.0 - DECAYS[1]) * g * g;
            ([mean, square], p - RATE * mean / (square.sqrt() + EPSILON))
        }),
        ("RMSProp", rms_prop, |g, [square, other], p| {
            let square = DECAYS[1] * square + (1.0 - DECAYS[1]) * g * g;
            ([square, other], p - RATE * g / (square.sqrt() + EPSILON))
        }),
        ("momentum", momentum, |g, [velocity, other], p| {
            let velocity = DECAYS[0] * velocity + g;
            ([velocity, other], p - RATE * velocity)
        }),
    ]
}

fn check_descent<T: Scalar>() {
    let epsilon = T::EPSILON.to_f64();
    for level in Level::available() {
        for (length, at_end) in lengths().flat_map(|length| [(length, false), (length, true)]) {
            for (name, kernel, step) in rules::<T>() {
                for bound in [f64::INFINITY, 0.5] {
                    let context = format!("{name}, length {length}, bound {bound} at level {}", level.name());
                    let copy = |seed| GuardedBuffer::copy_of(&uneven::<T>(length, seed), at_end);
                    let (gradient, mut first, mut second, mut parameter) =
                        (copy(1), copy(2), copy(3), copy(4));
                    // A square is not negative, and a parameter may start beyond the bound.
                    let squares = if name == "RMSProp" { &mut first } else { &mut second };
                    squares.iter_mut().for_each(|x| *x = *x * *x);
                    let before: Vec<_> = (0..length)
                        .map(|i| [gradient[i], first[i], second[i], parameter[i]].map(T::to_f64))
                        .collect();
                    let bound_t = T::from_f64(bound);
                    assert!(
                        kernel(level, bound_t, &gradient, &mut first, &mut second, &mut parameter),
                        "{context}"
                    );
                    for (i, [g, first_before, second_before, p]) in before.into_iter().enumerate() {
                        let (state, exact) = step(g, [first_before, second_before], p);
                        let exact = exact.clamp(-bound, bound);
                        let found = [first[i], second[i], parameter[i]].map(T::to_f64);
                        // Half a dozen roundings, of a step that may be hundreds of times as large as its gradient.
                        let size = 2.0 + (exact - p).abs();
                        for (found, exact, size) in
                            [(found[0], state[0], 1.0), (found[1], state[1], 1.0), (found[2], exact, size)]
                        {
                            let error = (found - exact).abs();
                            assert!(error <= 4.0 * size * epsilon, "{i} of {context}: {error:e} off {exact}");
                        }
                    }
                }
            }
        }
    }
}

fn check_sizes<T: Scalar>() {
    for level in Level::available() {
        for (name, kernel, step) in rules::<T>() {
            for exponent in -18..=18 {
                // Both cases: a gradient of every size with states of 0, and a zero gradient with the remaining state.
                let size = 10_f64.powi(exponent);
                for (g, state) in
                    [(size, [0.0; 2]), (-size, [0.0; 2]), (0.0, [size, size * size]), (0.0, [0.0; 2])]
                {
                    let [g, first, second] = [g, state[0], state[1]].map(T::from_f64);
                    let first = if name == "RMSProp" { second } else { first };
                    let (mut first, mut second, mut parameter) = ([first; 17], [second; 17], [T::ZERO; 17]);
                    // A smaller gradient counts as 0; `tests/tiny.rs` has more tests of this.
                    let counted = if g.to_f64().abs() < T::TINY.to_f64() { 0.0 } else { g.to_f64() };
                    let (_, exact) = step(counted, [first[0], second[0]].map(T::to_f64), 0.0);
                    let infinite = T::from_f64(f64::INFINITY);
                    assert!(kernel(level, infinite, &[g; 17], &mut first, &mut second, &mut parameter));
                    for found in parameter {
                        let error = (found.to_f64() - exact).abs();
                        // Squares below the normal numbers are small compared with epsilon.
                        let bound = 8.0 * T::EPSILON.to_f64() * exact.abs();
                        let context = format!("{name}, 1e{exponent}, {g} at level {}", level.name());
                        assert!(error <= bound, "{context}: {found}, not {exact}");
                    }
                }
            }
        }
    }
}

#[test]
fn steps_are_exact_for_gradients_of_every_size() {
    check_sizes::<f32>();
    check_sizes::<f64>();
}

#[test]
fn a_descent_step_is_that_of_its_rule() {
    check_descent::<f32>();
    check_descent::<f64>();
}

#[test]
fn parameters_that_are_not_finite_are_reported_even_if_clipped() {
    for level in Level::available() {
        for length in lengths().filter(|length| (1..200).contains(length)) {
            for (name, kernel, _) in rules::<f32>() {
                for bound in [f32::INFINITY, 1.0] {
                    let context = format!("{name}, length {length}, bound {bound} at level {}", level.name());
                    let run = |gradient: f32, place: usize| {
                        let (mut first, mut second) = (vec![0.5; length], vec![0.5; length]);
                        let (mut gradients, mut parameters) = (vec![0.5; length], vec![0.25; length]);
                        gradients[place] = gradient;
                        kernel(level, bound, &gradients, &mut first, &mut second, &mut parameters)
                    };
                    for place in (0..length).step_by(length.div_ceil(20)) {
                        assert!(run(1.0, place), "{context}");
                        assert!(!run(f32::NAN, place), "NaN at {place} of {context}");
                        if name == "momentum" {
                            assert!(!run(f32::INFINITY, place), "infinity at {place} of {context}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "state has length 4, parameter has length 5")]
fn states_of_another_length_panic() {
    let rule = update::Momentum { rate: 0.1_f32, momentum: 0.0 };
    let _ = update::descend(Level::PORTABLE, rule, 1.0, &[0.0; 5], [&mut [0.0; 4]], &mut [0.0; 5]);
}

fn check_average<T: Scalar>() {
    for level in Level::available() {
        for (length, at_end) in lengths().flat_map(|length| [(length, false), (length, true)]) {
            let from = GuardedBuffer::copy_of(&uneven::<T>(length, 1), at_end);
            let mut average = GuardedBuffer::copy_of(&uneven::<T>(length, 2), at_end);
            let before = average.to_vec();
            update::average(level, T::from_f64(0.875), &from, &mut average);
            for (i, before) in before.into_iter().enumerate() {
                let exact = 0.875 * before.to_f64() + 0.125 * from[i].to_f64();
                let error = (average[i].to_f64() - exact).abs();
                let context = format!("{i} of {length} at level {}", level.name());
                assert!(error <= 4.0 * T::EPSILON.to_f64(), "{context}: {error:e} off");
            }
        }
    }
}

#[test]
fn an_average_keeps_its_fraction() {
    check_average::<f32>();
    check_average::<f64>();
}

#[test]
#[should_panic(expected = "from has length 3, average has length 2")]
fn averages_of_different_lengths_panic() {
    update::average(Level::PORTABLE, 0.5, &[0.0_f64; 3], &mut [0.0; 2]);
}

/// Mixtures p + q = 1 with factors from e^-`spread` to e^`spread`.
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
fn log_mixtures_are_the_sums_of_logarithms() {
    check_log_mixture::<f32>(20.0);
    check_log_mixture::<f64>(170.0);
}

fn check_extremes<T: Scalar>(farthest: f64) {
    for level in Level::available() {
        for length in 0..=4 * 16 + 1 {
            // Every product is at one end of its range.
            for sign in [1.0, -1.0] {
                let factor = vec![T::from_f64((sign * farthest).exp()); length];
                let (ones, zeros) = (vec![T::ONE; length], vec![T::ZERO; length]);
                let found = reduce::log_mixture(level, &ones, &zeros, &factor).to_f64();
                let exact = sign * farthest * length as f64;
                let error = (found - exact).abs();
                let bound = T::EPSILON.to_f64() * (farthest + 8.0) * length as f64 * 4.0;
                assert!(error <= bound, "{length} at level {}: {found}, not {exact}", level.name());
            }
            // Every element counts, at each position.
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
fn mixtures_are_correct_at_the_ends_of_their_range() {
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
