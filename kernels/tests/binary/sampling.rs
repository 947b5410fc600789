//! Do the fused kernels sample units, and sum softplus and values, like loops over single units?

use super::{is_on, noise, words};
use crate::guard::GuardedBuffer;
use equilibria_kernels::binary::{PANEL, dot_states, sample, softplus_increments};
use equilibria_kernels::random::{Xoshiro256PlusPlusX8, bernoulli_in_place};
use equilibria_kernels::{Level, Scalar};

fn check_sampling<T: Scalar>(level: Level, units: usize, scale: f64, bias: &[T]) {
    let rows = 9;
    let sums: Vec<T> = noise::<T>(rows * PANEL, units as u64).iter().map(|&x| x * T::from_f64(6.0)).collect();
    let mut generator = Xoshiro256PlusPlusX8::from_seed_u64(level, 5);
    let (mut expected_generator, mut fresh) = (generator.clone(), generator.clone());
    let mut probabilities = vec![T::from_f64(-1.0); rows * PANEL];
    let (mut states, mut again) = (vec![0; rows], vec![u64::MAX; rows]);
    let scale_here = T::from_f64(scale);
    sample(level, &mut generator, &sums, scale_here, bias, Some(&mut probabilities), &mut states);
    sample(level, &mut fresh, &sums, scale_here, bias, None, &mut again);
    assert_eq!(states, again, "states depend on whether probabilities are requested");
    for (row, &state) in states.iter().enumerate() {
        let logit = |j: usize| T::from_f64(sums[row * PANEL + j].to_f64() * scale + bias[j].to_f64());
        let mut p: Vec<T> = (0..units).map(logit).collect();
        let mut drawn = vec![T::ZERO; units];
        let beyond = &probabilities[row * PANEL + units..(row + 1) * PANEL];
        assert!(beyond.iter().all(|&p| p == T::ZERO), "units beyond the last");
        bernoulli_in_place(level, &mut expected_generator, &mut p, &mut drawn);
        for (j, (&p, drawn)) in p.iter().zip(drawn).enumerate() {
            let found = probabilities[row * PANEL + j];
            let error = (found.to_f64() - p.to_f64()).abs();
            assert!(error <= 8.0 * T::EPSILON.to_f64() * p.to_f64(), "{found}, not {p}");
            if found == p {
                assert_eq!(is_on(state, j), drawn == T::ONE, "row {row}, unit {j}");
            }
        }
        assert!(units == 64 || state >> units == 0, "a unit beyond the last is on");
    }
    assert_eq!(generator, expected_generator, "draws of {units} units");
}

#[test]
fn panels_are_sampled_like_slices() {
    for level in Level::available() {
        for units in [1, 5, 16, 17, 40, 63, 64] {
            for (scale, spread) in [(1.0, 0.0), (0.25, 1.0)] {
                let bias = |x: f64| noise::<f64>(units, 11).into_iter().map(move |b| b * x);
                let single: Vec<f32> = bias(spread).map(|b| b as f32).collect();
                check_sampling::<f32>(level, units, scale, &single);
                check_sampling::<f64>(level, units, scale, &bias(spread).collect::<Vec<f64>>());
            }
        }
    }
}

/// A generator whose first number in each lane is `word`.
fn first_word(word: u64) -> Xoshiro256PlusPlusX8 {
    Xoshiro256PlusPlusX8::from_state([[0; 8], [1; 8], [0; 8], [word.rotate_right(23); 8]]).unwrap()
}

fn check_ties<T: Scalar>(level: Level, half: u64) {
    let draw = |word: u64, bias: T| {
        let (sums, bias) = ([T::ZERO; PANEL], [bias; 8]);
        let (mut probabilities, mut states) = ([T::ONE; PANEL], [0]);
        sample(level, &mut first_word(word), &sums, T::ONE, &bias, Some(&mut probabilities), &mut states);
        (probabilities[0].to_f64(), states[0])
    };
    assert_eq!(draw(half, T::ZERO), (0.5, 0), "the uniform number is the probability");
    assert_eq!(draw(half, T::from_f64(1e-3)).1, 0xff, "the uniform number is below the probability");
    assert_eq!(draw(0, T::from_f64(-1e4)), (0.0, 0), "the probability is 0, and so is the uniform number");
    assert_eq!(draw(0, T::ZERO), (0.5, 0xff));
}

/// P(u < p) is p, but P(u <= p) is not: a unit with probability 0 would be on if the uniform number is 0.
#[test]
fn a_uniform_number_equal_to_the_probability_turns_no_unit_on() {
    for level in Level::available() {
        // One word gives two f32 numbers.
        check_ties::<f32>(level, 0x8000_0000_8000_0000);
        check_ties::<f64>(level, 1 << 63);
    }
}

/// ln(1 + e^x).
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// softplus(to x) - softplus(from x) with full precision: the integral of x sigmoid(b x) over b by Gauss quadrature on
/// pieces, where a difference would cancel.
fn exact_increment(from: f64, to: f64, x: f64) -> f64 {
    if (to - from) * x.abs() > 0.25 {
        return softplus(to * x) - softplus(from * x);
    }
    // Gauss-Legendre with 5 points: the error is 1e-17 of the value on such short pieces.
    let (near, far) = (0.538_469_310_105_683_1, 0.906_179_845_938_664);
    let (centre, inner, outer) = (0.568_888_888_888_888_9, 0.478_628_670_499_366_47, 0.236_926_885_056_189_1);
    let points = [(0.0, centre), (-near, inner), (near, inner), (-far, outer), (far, outer)];
    let half = (to - from) / 2.0;
    let sigmoid = |t: f64| 1.0 / (1.0 + (-(from + half + half * t) * x).exp());
    half * x * points.iter().map(|&(t, weight)| weight * sigmoid(t)).sum::<f64>()
}

/// Ranges for which `to` - `from` is exact: zero, tiny, near the limit between the two formulas, long.
const RANGES: [[f64; 2]; 8] = [
    [0.5, 0.5],
    [0.0, 1.0],
    [0.0, 0.001],
    [0.99999, 1.0],
    [0.5, 0.5001],
    [0.875, 0.88],
    [0.9375, 1.0],
    [0.25, 0.75],
];

fn check_increments<T: Scalar>(level: Level, units: usize, scale: f64) {
    const ROWS: usize = 7;
    let scaled = |x: Vec<T>| x.into_iter().map(|x| x * T::from_f64(scale)).collect::<Vec<T>>();
    let mut sums = GuardedBuffer::copy_of(&scaled(noise(ROWS * PANEL, units as u64)), true);
    // Unused columns must not be read: NaN would be visible.
    for row in sums.chunks_exact_mut(PANEL) {
        row[units..].fill(T::from_f64(f64::NAN));
    }
    let bias = GuardedBuffer::copy_of(&scaled(noise(units, 21)), true);
    for range in RANGES {
        let [from, to] = range.map(T::from_f64);
        let mut rises = GuardedBuffer::copy_of(&[T::from_f64(f64::NAN); ROWS], true);
        softplus_increments(level, [from, to], &sums, &bias, &mut rises);
        for (row, &found) in sums.chunks_exact(PANEL).zip(rises.iter()) {
            let (mut right, mut bound) = (0.0, 0.0);
            for (&sum, &bias) in row.iter().zip(bias.iter()) {
                let x = (sum + bias).to_f64();
                let term = exact_increment(from.to_f64(), to.to_f64(), x);
                right += term;
                bound += (27.0 + to.to_f64() * x.abs()) * T::EPSILON.to_f64() * term.abs();
            }
            let error = (found.to_f64() - right).abs();
            assert!(
                error <= bound,
                "{} {units} units times {scale}, from {from} to {to}: {found} is {error:e} from {right}, the \
                 bound is {bound:e}",
                level.name()
            );
        }
    }
}

#[test]
fn softplus_increments_do_not_cancel() {
    for level in Level::available() {
        for units in [1, 5, 16, 17, 40, 63, 64] {
            for scale in [0.01, 1.0, 6.0, 40.0] {
                check_increments::<f32>(level, units, scale);
                check_increments::<f64>(level, units, scale);
            }
        }
    }
}

#[test]
fn softplus_increments_approach_their_limits() {
    for level in Level::available() {
        let of = |x: f32| {
            let mut rise = [0.0; 1];
            softplus_increments(level, [0.0, 1.0], &[x; PANEL], &[0.0; 1], &mut rise);
            rise[0]
        };
        assert!((of(1e6) - 1e6).abs() < 1.0 && (of(-1e6) + 2.0_f32.ln()).abs() < 1e-6, "{}", level.name());
        assert!(of(f32::NAN).is_nan(), "level {}", level.name());
        let mut none = [1.0; 2];
        softplus_increments(level, [0.0, 1.0], &[7.0; 2 * PANEL], &[], &mut none);
        assert_eq!(none, [0.0; 2], "no unit, level {}", level.name());
    }
}

#[test]
#[should_panic(expected = "must not decrease")]
fn a_decreasing_range_panics() {
    softplus_increments(Level::PORTABLE, [0.5, 0.4], &[1.0_f32; PANEL], &[0.0], &mut [0.0]);
}

fn check_dots<T: Scalar>(level: Level) {
    for units in [0, 1, 5, 16, 17, 40, 63, 64] {
        // Units beyond the last are ignored, even if they are on.
        let states = words(9, 64, 0.4, 70 + units as u64);
        let values = GuardedBuffer::copy_of(&noise::<T>(units, 71), true);
        let mut sums = GuardedBuffer::copy_of(&[T::from_f64(f64::NAN); 9], true);
        dot_states(level, &states, &values, &mut sums);
        for (&state, &found) in states.iter().zip(sums.iter()) {
            let on = values.iter().enumerate().filter(|&(j, _)| is_on(state, j));
            let right: f64 = on.map(|(_, value)| value.to_f64()).sum();
            let error = (found.to_f64() - right).abs();
            assert!(
                error < 64.0 * T::EPSILON.to_f64(),
                "{} {units} units: {found}, not {right}",
                level.name()
            );
        }
    }
}

#[test]
fn values_of_active_units_are_summed() {
    for level in Level::available() {
        check_dots::<f32>(level);
        check_dots::<f64>(level);
    }
}
