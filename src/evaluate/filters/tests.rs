use super::compare::{Chance, Quartiles, Verdict};
use super::*;
use crate::rng::Stream;
use core::f64::consts::{PI, TAU};
use equilibria_kernels::{Level, random};

const SIDE: usize = 28;

/// The picture whose pixel at `y` down and `x` right of pixel (14, 14) is `value(y, x)`.
fn picture(value: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let pixel = |i: usize| value((i / SIDE) as f64 - 14.0, (i % SIDE) as f64 - 14.0);
    (0..SIDE * SIDE).map(pixel).collect()
}

/// Pictures as the filters of a machine, one per column.
fn columns(pictures: &[Vec<f64>]) -> Tensor<f64> {
    let pixels = pictures[0].len();
    let values = (0..pixels).flat_map(|pixel| pictures.iter().map(move |picture| picture[pixel]));
    Tensor::from_vec(&[pixels, pictures.len()], values.collect()).unwrap()
}

fn measured(pictures: &[Vec<f64>]) -> Measured {
    Measured::new(&columns(pictures), SIDE, SIDE).unwrap()
}

/// One measure of one picture; checks that neither scale nor sign changes it.
#[track_caller]
fn of(measure: Measure, picture: &[f64]) -> f64 {
    let scaled = |factor: f64| measured(&[picture.iter().map(|w| w * factor).collect()]).values(measure)[0];
    let value = scaled(1.0);
    for factor in [-1.0, 1e-9, 1e9] {
        let again = scaled(factor);
        assert!(
            (again - value).abs() <= 1e-9 * value + 1e-12,
            "{measure:?}: {value}, times {factor}: {again}"
        );
    }
    value
}

#[track_caller]
fn assert_close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found}, not {expected} within {tolerance}");
}

fn point() -> Vec<f64> {
    picture(|y, x| f64::from(y == 0.0 && x == 0.0))
}

fn plane() -> Vec<f64> {
    picture(|_, _| 1.0)
}

fn chessboard() -> Vec<f64> {
    picture(|y, x| if (y + x) % 2.0 == 0.0 { 1.0 } else { -1.0 })
}

/// A grating of 1/7 cycles per pixel under a normal envelope of standard deviation `spread`.
fn wave_packet(spread: f64) -> Vec<f64> {
    picture(|y, x| libm::exp(-(y * y + x * x) / (2.0 * spread * spread)) * libm::cos(TAU * x / 7.0))
}

/// A disc of value -1 with the radius `inside`, in a ring of value 0.8 with the width `wide`, both in pixels.
fn ring(inside: f64, wide: f64) -> Vec<f64> {
    picture(|y, x| match libm::round(libm::sqrt(y * y + x * x)) {
        distance if distance <= inside => -1.0,
        distance if distance <= inside + wide => 0.8,
        _ => 0.0,
    })
}

/// 100 pictures of white noise.
fn noises() -> Vec<Vec<f64>> {
    let noise = |index| {
        let mut values = vec![0.0; SIDE * SIDE];
        let mut generator = Stream::named(5, "evaluate").substream(index).bulk();
        random::fill_normal(Level::detect(), &mut generator, &mut values);
        values
    };
    (0..100).map(noise).collect()
}

/// The mean of a measure over 100 pictures of white noise, and four standard errors of the mean.
fn of_noise(measure: Measure) -> (f64, f64) {
    let measured = measured(&noises());
    let values = measured.values(measure);
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
    (mean, 4.0 * libm::sqrt(variance / n))
}

#[test]
fn the_area_counts_the_pixels_that_hold_the_energy() {
    assert_close(of(Measure::Area, &point()), 1.0, 1e-12);
    assert_close(of(Measure::Area, &plane()), 784.0, 1e-9);
    // For exp(-r^2 / (2 s^2)): (pi s^2)^2 / (pi s^2 / 2).
    let blob = picture(|y, x| libm::exp(-(y * y + x * x) / 8.0));
    assert_close(of(Measure::Area, &blob), TAU * 4.0, 1e-6);
    // With the factor cos(k x), and c = exp(-k^2 s^2 / 2): the mean of cos^2 under the square of the envelope is (1 +
    // c^2) / 2, and the mean of cos^4 under its fourth power is (3 + 4 c + c^4) / 8.
    let spread = 3.0;
    let c = libm::exp(-(TAU / 7.0) * (TAU / 7.0) * spread * spread / 2.0);
    let square = (1.0 + c * c) / 2.0;
    let fourth = (3.0 + 4.0 * c + c.powi(4)) / 8.0;
    let expected = TAU * spread * spread * square * square / fourth;
    // Tolerance 0.01 pixel: the sampling is too coarse for the highest frequency in cos^4.
    assert_close(of(Measure::Area, &wave_packet(spread)), expected, 0.01);
    // E(w^2)^2 / E(w^4) = 1/3; slightly more for a finite sum.
    let (mean, error) = of_noise(Measure::Area);
    assert_close(mean, 784.0 / 3.0 * (1.0 + 8.0 / 784.0), error);
}

#[test]
fn the_concentration_is_the_energy_of_the_best_disc() {
    let disc = picture(|y, x| f64::from(libm::round(libm::sqrt(y * y + x * x)) <= 4.0));
    let size: f64 = disc.iter().sum();
    assert_close(of(Measure::Concentration, &disc), 1.0, 1e-12);
    assert_close(of(Measure::Concentration, &plane()), size / 784.0, 1e-12);
    assert_close(of(Measure::Concentration, &point()), 1.0, 1e-12);
    // Discs may lie anywhere, also in a corner: two points too far apart for one disc, of energies 1 and 4.
    let mut points = vec![0.0; 784];
    (points[0], points[783]) = (1.0, 2.0);
    assert_close(of(Measure::Concentration, &points), 0.8, 1e-12);
    let (mean, _) = of_noise(Measure::Concentration);
    assert!(mean > size / 784.0 && mean < 1.5 * size / 784.0, "{mean}");
}

#[test]
fn lobes_are_patches_of_one_sign() {
    assert_eq!(of(Measure::Lobes, &point()), 1.0);
    assert_eq!(of(Measure::Lobes, &plane()), 1.0);
    assert_eq!(of(Measure::Lobes, &ring(3.0, 2.0)), 2.0);
    let hollow = picture(|y, x| f64::from((5.0..8.0).contains(&libm::sqrt(y * y + x * x))));
    assert_eq!(of(Measure::Lobes, &hollow), 1.0, "a ring is one piece");
    // The envelope is exp(-u^2 / 2) with u = 3.5 k / s at the bars k = 0, +-1, ...; it is above 1/2 up to u = 1.177.
    for (spread, bars) in [(2.0, 1.0), (4.0, 3.0), (7.0, 5.0)] {
        assert_eq!(of(Measure::Lobes, &wave_packet(spread)), bars, "spread {spread}");
    }
    // Four patches that meet at a corner count as four.
    let quarters = picture(|y, x| libm::copysign(1.0, (y + 0.5) * (x + 0.5)));
    assert_eq!(of(Measure::Lobes, &quarters), 4.0);
    assert!(of_noise(Measure::Lobes).0 > 20.0);
    // A single pixel of noise next to a horizontal or vertical line does not count: smoothing leaves a quarter of the
    // pixel and half of the line.
    let lines: [fn(f64, f64) -> f64; 2] = [|y, _| f64::from(y == 0.0), |_, x| f64::from(x == 0.0)];
    for line in lines {
        let mut image = picture(line);
        image[3 * SIDE + 5] = 0.9;
        assert_eq!(of(Measure::Lobes, &image), 1.0);
    }
}

#[test]
fn noise_is_measured_under_strokes_and_strokes_are_not_noise() {
    let (mean, error) = of_noise(Measure::Noise);
    assert_close(mean, 1.0, error.max(0.01));
    assert_eq!(of(Measure::Noise, &plane()), 0.0);
    assert_close(of(Measure::Noise, &picture(|y, x| y + 2.0 * x)), 0.0, 1e-12);
    assert_eq!(of(Measure::Noise, &picture(|y, _| f64::from(y > 0.0))), 0.0, "an edge");
    assert_eq!(of(Measure::Noise, &ring(3.0, 2.0)), 0.0, "a loop");
    assert_close(of(Measure::Noise, &chessboard()), 16.0 / (6.0 * MEDIAN_DEVIATION), 1e-12);
    // A blob of energy 1 and noise of energy r: the noise is sqrt(r / (1 + r)) of the root mean square.
    let noises = noises();
    let ratio = 0.1;
    let noisy: Vec<f64> = (0..100)
        .map(|index| {
            let blob = picture(|y, x| libm::exp(-(y * y + x * x) / 8.0));
            let scale = libm::sqrt(ratio * energy(&blob) / energy(&noises[index]));
            let sum: Vec<f64> = blob.iter().zip(&noises[index]).map(|(b, n)| b + scale * n).collect();
            measured(&[sum]).values(Measure::Noise)[0]
        })
        .collect();
    assert_close(Quartiles::of(&noisy).median, libm::sqrt(ratio / (1.0 + ratio)), 0.02);
}

#[test]
fn fine_power_is_the_spectrum_above_a_quarter_cycle() {
    assert_close(of(Measure::FinePower, &plane()), 0.0, 1e-12);
    assert_close(of(Measure::FinePower, &chessboard()), 1.0, 1e-12);
    // A point has equal power at all frequencies, noise on average: the share is the number of frequencies above the
    // cut.
    let signed = |k: usize| (if k > 14 { 28.0 - k as f64 } else { k as f64 }) / 28.0;
    let fine = |k: &usize| signed(k / 28) * signed(k / 28) + signed(k % 28) * signed(k % 28) > 1.0 / 16.0;
    let share = (0..784).filter(fine).count() as f64 / 784.0;
    assert_close(share, 1.0 - PI / 16.0, 0.01);
    assert_close(of(Measure::FinePower, &point()), share, 1e-12);
    let (mean, error) = of_noise(Measure::FinePower);
    assert_close(mean, share, error);
    // Gratings of whole cycles on either side of the cut: horizontal, vertical and diagonal; then half of each.
    let grating =
        |down: f64, across: f64| picture(move |y, x| libm::cos(TAU * (down * y + across * x) / 28.0 + 0.3));
    for (down, across, expected) in [
        (0.0, 7.0, 0.0),
        (0.0, 8.0, 1.0),
        (7.0, 0.0, 0.0),
        (8.0, 0.0, 1.0),
        (5.0, -5.0, 1.0),
        (-4.0, 5.0, 0.0),
    ] {
        assert_close(of(Measure::FinePower, &grating(down, across)), expected, 1e-12);
    }
    let both: Vec<f64> = grating(2.0, 3.0).iter().zip(grating(9.0, 1.0)).map(|(a, b)| a + b).collect();
    assert_close(of(Measure::FinePower, &both), 0.5, 1e-12);
    // An image that is not square.
    let tall: Vec<f64> = (0..6 * 10).map(|i| libm::cos(TAU * 3.0 * (i / 6) as f64 / 10.0)).collect();
    let tensor = Tensor::from_vec(&[60, 1], tall).unwrap();
    assert_close(Measured::new(&tensor, 10, 6).unwrap().values(Measure::FinePower)[0], 1.0, 1e-12);
}

#[test]
fn a_loop_is_a_disc_in_a_closed_ring() {
    for (inside, wide) in [(1.0, 1.0), (3.0, 2.0), (7.0, 3.0)] {
        assert_close(of(Measure::Loop, &ring(inside, wide)), 1.0, 1e-12);
    }
    assert_eq!(of(Measure::Loop, &point()), 0.0);
    assert_eq!(of(Measure::Loop, &plane()), 0.0);
    // The same ring, open to the right: only smaller loops within it are closed.
    let open: Vec<f64> =
        ring(3.0, 2.0).iter().enumerate().map(|(i, &w)| if i % SIDE > 14 { 0.0 } else { w }).collect();
    assert!(of(Measure::Loop, &open) < 0.2, "{}", of(Measure::Loop, &open));
    // A bar between two bars is not a loop; the best loop explains only a part of it.
    assert!(of(Measure::Loop, &wave_packet(4.0)) < 0.5, "{}", of(Measure::Loop, &wave_packet(4.0)));
    let (mean, _) = of_noise(Measure::Loop);
    assert!(mean < 0.03, "the best of some thousand loops explains {mean} of noise");
    // With noise of the same energy added, the loop still explains its own half: n a^2 + m b^2.
    let loops = ring(3.0, 2.0);
    let noise = &noises()[0];
    let scale = libm::sqrt(energy(&loops) / energy(noise));
    let sum: Vec<f64> = loops.iter().zip(noise).map(|(w, n)| w + scale * n).collect();
    assert_close(of(Measure::Loop, &sum), 0.5, 0.06);
}

#[test]
fn the_inside_of_a_loop_is_dark_or_bright() {
    let bright: Vec<f64> = ring(3.0, 2.0).iter().map(|w| -w).collect();
    assert_eq!(measured(&[ring(3.0, 2.0), bright]).is_dark_inside(), [true, false]);
}

#[test]
fn the_measure_centred_depends_on_the_distance_to_the_middle() {
    // The middle of the image lies between pixels.
    let distance = |y: f64, x: f64| libm::floor(libm::sqrt((y + 0.5) * (y + 0.5) + (x + 0.5) * (x + 0.5)));
    let rings = picture(|y, x| libm::sin(distance(y, x)));
    assert_close(of(Measure::Centred, &rings), 1.0, 1e-12);
    assert_close(of(Measure::Centred, &plane()), 1.0, 1e-12);
    // A picture that is odd about the middle: 0.
    assert_close(of(Measure::Centred, &picture(|y, _| y + 0.5)), 0.0, 1e-12);
    // A point explains 1 / (size of its group) of its energy.
    let group = picture(|y, x| f64::from(distance(y, x) == 3.0));
    let mut one = vec![0.0; 784];
    one[group.iter().position(|&w| w == 1.0).unwrap()] = 1.0;
    assert_close(of(Measure::Centred, &one), 1.0 / group.iter().sum::<f64>(), 1e-12);
    // For noise each group's mean explains the energy of one pixel: (number of groups) / (number of pixels).
    let (mean, error) = of_noise(Measure::Centred);
    assert_close(mean, 20.0 / 784.0, error);
}

#[test]
fn dead_filters_are_counted_and_left_out() {
    let scaled = |factor: f64| point().iter().map(|w| w * factor).collect::<Vec<f64>>();
    let found = measured(&[scaled(1.0), scaled(0.0), scaled(3.0), scaled(0.09), scaled(0.11)]);
    // The median norm is 0.11.
    assert_eq!(found.norms, [1.0, 0.0, 3.0, 0.09, 0.11]);
    assert_eq!((found.dead(), &found.alive[..]), (1, &[0, 2, 3, 4][..]));
    let found = measured(&[scaled(1.0), scaled(1.0), scaled(1.0), scaled(0.09)]);
    assert_eq!((found.dead(), found.values(Measure::Area)), (1, &[1.0; 3][..]));
    let all = measured(&[scaled(0.0)]);
    assert_eq!((all.dead(), all.values(Measure::Area).len()), (1, 0));
    let nothing = Chance::of_larger(all.values(Measure::Area), &[1.0], Stream::named(1, "evaluate"));
    assert!(nothing.estimate.is_nan() && nothing.verdict() == Verdict::CannotBeTold);
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let weight = Tensor::<f32>::zeros(&[784, 2]);
    let error = |height, width| Measured::new(&weight, height, width).unwrap_err();
    assert!(alloc::format!("{}", error(2, 392)).contains("at least 3x3 are needed"));
    assert!(matches!(error(28, 27), Error::ShapeMismatch { .. }));
    assert!(best_match(&weight, &Tensor::zeros(&[100, 2])).is_err());
}

#[test]
fn a_higher_unit_uses_several_filters_and_matches_each_in_part() {
    let used = inputs_used(
        &Tensor::from_vec(
            &[4, 3],
            vec![
                1.0, 0.0, 0.0, //
                -1.0, 3.0, 0.0, //
                1.0, 0.0, 0.0, //
                1.0, 0.0, 0.0,
            ],
        )
        .unwrap(),
    );
    assert_eq!(used, [4.0, 1.0, 0.0]);
    // A unit that is the sum of k orthogonal filters matches each of them by 1/k.
    let filters = Tensor::from_vec(&[3, 3], vec![2.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 0.0, 1.0]).unwrap();
    let pictures = vec![1.0, 7.0, 0.0, -1.0, 0.0, 0.0, 1.0, 0.0, 0.0];
    let found = best_match(&Tensor::from_vec(&[3, 3], pictures).unwrap(), &filters).unwrap();
    for (found, expected) in found.iter().zip([1.0 / 3.0, 1.0, 0.0]) {
        assert_close(*found, expected, 1e-12);
    }
}

/// `count` values spread evenly over 0 to 1, plus `shift`.
fn even(count: usize, shift: f64) -> Vec<f64> {
    (0..count).map(|i| (i as f64 + 0.5) / count as f64 + shift).collect()
}

#[test]
fn the_chance_of_the_larger_value_is_that_of_all_pairs() {
    let stream = Stream::named(3, "evaluate");
    let a = [3.0, 1.0, 2.0, 2.0];
    let b = [2.0, 0.5];
    // 3 is above both; 1 is above 0.5; each 2 ties with 2 and is above 0.5.
    assert_eq!(Chance::of_larger(&a, &b, stream).estimate, (2.0 + 1.0 + 2.0 * 1.5) / 8.0);
    assert_eq!(Chance::of_larger(&[-0.0], &[0.0], stream).estimate, 0.0, "in the total order");
    assert_eq!(Chance::of_below(&[1.0, 2.0, 3.0, 9.0], 5.0, stream).estimate, 0.75);
    // Two uniform distributions, one shifted by d: 1 - (1 - d)^2 / 2.
    let found = Chance::of_larger(&even(400, 0.2), &even(300, 0.0), stream);
    assert_close(found.estimate, 1.0 - 0.8 * 0.8 / 2.0, 1e-3);
    // The width of the interval: 2 * 1.96 standard deviations (about 0.04 half width), with Noether's variance.
    let f = |x: f64| (x + 0.2).min(1.0);
    let variance = |n: usize, values: &[f64]| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / values.len() as f64 / n as f64
    };
    // The variance of P(b < a | a) over a, and of P(a > b | b) over b.
    let of_a: Vec<f64> = even(1000, 0.0).into_iter().map(f).collect();
    let deviation = libm::sqrt(variance(400, &of_a) + variance(300, &of_a));
    assert_close(found.high - found.low, 2.0 * 1.96 * deviation, 0.1 * 3.92 * deviation);
    assert_close((found.high + found.low) / 2.0, found.estimate, 0.3 * deviation);
}

#[test]
fn a_verdict_needs_the_whole_interval() {
    let stream = Stream::named(4, "evaluate");
    let verdict = |shift, count| Chance::of_larger(&even(count, shift), &even(count, 0.0), stream).verdict();
    assert_eq!(verdict(0.1, 300), Verdict::Holds);
    assert_eq!(verdict(-0.1, 300), Verdict::DoesNotHold);
    assert_eq!(verdict(0.0, 300), Verdict::CannotBeTold);
    assert_eq!(verdict(0.1, 10), Verdict::CannotBeTold, "ten filters are too few");
    let [holds, not, open] = [Verdict::Holds, Verdict::DoesNotHold, Verdict::CannotBeTold];
    assert_eq!(Verdict::of_all(&[holds, holds]), holds);
    assert_eq!(Verdict::of_all(&[not, not]), not);
    assert_eq!(Verdict::of_all(&[holds, not]), open);
    assert_eq!(Verdict::of_all(&[open, holds]), open);
    assert_eq!([holds, not, open].map(Verdict::name), ["holds", "does not hold", "cannot be told"]);
}

#[test]
fn sets_from_one_distribution_differ_no_more_often_than_the_interval_allows() {
    // 200 pairs of sets of normal values from one distribution: about 5 % of the intervals exclude one half.
    let differs = |pair: u64| {
        let set = |which: u64| {
            let mut values = vec![0.0; 40];
            let mut generator = Stream::named(6, "evaluate").substream(pair).substream(which).bulk();
            random::fill_normal(Level::detect(), &mut generator, &mut values);
            values
        };
        let chance = Chance::of_larger(&set(0), &set(1), Stream::named(7, "evaluate").substream(pair));
        chance.verdict() != Verdict::CannotBeTold
    };
    let count = (0..200).filter(|&pair| differs(pair)).count();
    assert!((2..=24).contains(&count), "{count} of 200");
}
