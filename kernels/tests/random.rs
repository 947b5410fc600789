//! Do the random numbers agree with the reference at every level, and do they follow their distributions?

#[path = "support/guard.rs"]
#[allow(dead_code)] // a mapping is only dropped
mod guard;

use equilibria_kernels::random::{
    Xoshiro256PlusPlusX8, bernoulli_from_logits, bernoulli_from_logits_with_probabilities,
    bernoulli_from_probabilities, bernoulli_in_place, fill_normal, fill_uniform, fill_words,
};
use equilibria_kernels::{Level, Scalar, math};
use guard::GuardedBuffer;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use rand_xoshiro::{SplitMix64, Xoshiro256PlusPlus};
use std::f64::consts::{FRAC_PI_2, FRAC_PI_4};

/// Number of draws of the statistical tests. Seeds are fixed, so a bound holds always or never.
const MANY: usize = 1 << 20;

/// Longer than every length at which the last step of a kernel is incomplete.
const LONGEST: usize = 3 * 32 + 1;

fn generator(seed: u64) -> Xoshiro256PlusPlusX8 {
    Xoshiro256PlusPlusX8::from_seed_u64(Level::PORTABLE, seed)
}

/// The eight lanes as `rand_xoshiro` defines them.
fn reference_lanes(seed: u64) -> [Xoshiro256PlusPlus; 8] {
    let mut split_mix = SplitMix64::seed_from_u64(seed);
    std::array::from_fn(|_| Xoshiro256PlusPlus::from_rng(&mut split_mix))
}

fn words(generator: &mut Xoshiro256PlusPlusX8, count: usize) -> Vec<u64> {
    let mut words = vec![0; count];
    fill_words(Level::PORTABLE, generator, &mut words);
    words
}

fn uniforms<T: Scalar>(level: Level, generator: &mut Xoshiro256PlusPlusX8, count: usize) -> Vec<T> {
    let mut uniforms = vec![T::ONE; count];
    fill_uniform(level, generator, &mut uniforms);
    uniforms
}

fn normals<T: Scalar>(level: Level, seed: u64, count: usize) -> Vec<T> {
    let mut normals = vec![T::ZERO; count];
    fill_normal(level, &mut generator(seed), &mut normals);
    normals
}

/// The bits from which each number of type T is made, in the order of the stream.
fn raw<T: Scalar>(words: &[u64]) -> Vec<u64> {
    match T::FRACTION_BITS {
        23 => words.iter().flat_map(|&word| [word & 0xffff_ffff, word >> 32]).collect(),
        _ => words.to_vec(),
    }
}

/// Number of bits of [`raw`] that a uniform does not use.
fn unused<T: Scalar>() -> u32 {
    if T::FRACTION_BITS == 23 { 8 } else { 11 }
}

#[test]
fn every_lane_is_the_generator_of_rand_xoshiro() {
    for level in Level::available() {
        for seed in [0, 1, 0x9e37_79b9_7f4a_7c15, u64::MAX] {
            let mut bulk = Xoshiro256PlusPlusX8::from_seed_u64(level, seed);
            let mut lanes = reference_lanes(seed);
            assert_eq!(lanes[0], Xoshiro256PlusPlus::seed_from_u64(seed));
            for len in [0, 1, 7, 8, 9, 64, 0, 1001, 3] {
                let mut found = vec![0; len];
                fill_words(level, &mut bulk, &mut found);
                let steps = len.div_ceil(8);
                let expected: Vec<u64> =
                    (0..steps).flat_map(|_| lanes.each_mut().map(|lane| lane.next_u64())).collect();
                assert_eq!(found, expected[..len], "{} seed {seed} length {len}", level.name());
            }
        }
    }
}

#[test]
fn a_stored_state_continues_the_stream() {
    let mut bulk = generator(5);
    words(&mut bulk, 24);
    let mut again = Xoshiro256PlusPlusX8::from_state(bulk.state()).expect("no lane is dead");
    assert_eq!(words(&mut bulk, 100), words(&mut again, 100));

    let mut dead = bulk.state();
    for words in &mut dead {
        words[6] = 0;
    }
    assert_eq!(Xoshiro256PlusPlusX8::from_state(dead), None);
}

fn uniforms_are_the_top_bits<T: Scalar>() {
    for level in Level::available() {
        let found = uniforms::<T>(level, &mut generator(11), 4000);
        let bits = raw::<T>(&words(&mut generator(11), 4000));
        let scale = T::EPSILON.to_f64() / 2.0;
        for (i, u) in found.iter().enumerate() {
            let expected = (bits[i] >> unused::<T>()) as f64 * scale;
            assert_eq!(u.to_f64(), expected, "{} element {i}", level.name());
        }
    }
}

#[test]
fn uniforms_are_the_top_bits_of_the_words_at_every_level() {
    uniforms_are_the_top_bits::<f32>();
    uniforms_are_the_top_bits::<f64>();
}

/// A generator whose first step gives the word 0 in lanes 0 to 3 and 2^64 - 1 in lanes 4 to 7.
fn extremes() -> Xoshiro256PlusPlusX8 {
    let (low, high) = ([0, 1, 2, 0], [u64::MAX, 1, 2, 1]);
    Xoshiro256PlusPlusX8::from_state(std::array::from_fn(|j| {
        std::array::from_fn(|i| if i < 4 { low[j] } else { high[j] })
    }))
    .expect("no lane is dead")
}

fn extreme_words_give_finite_numbers<T: Scalar>(largest_radius: f64) {
    for level in Level::available() {
        let per_step = raw::<T>(&[0; 8]).len();
        let found = uniforms::<T>(level, &mut extremes(), per_step);
        assert_eq!(found[0], T::ZERO);
        assert_eq!(found[per_step - 1], T::ONE - T::from_f64(T::EPSILON.to_f64() / 2.0));

        let mut block = vec![T::ZERO; 2 * per_step];
        fill_normal(level, &mut extremes(), &mut block);
        for i in 0..per_step {
            let radius = block[i].to_f64().hypot(block[per_step + i].to_f64());
            // f64 uses 1 - u, so the word with all bits 1 gives the smallest number.
            let largest = (i < per_step / 2) == (T::FRACTION_BITS == 23);
            let expected = if largest { largest_radius } else { 0.0 };
            assert!((radius - expected).abs() < 0.01, "{}: radius {radius}, not {expected}", level.name());
        }
    }
}

#[test]
fn extreme_words_stay_below_one_and_finite() {
    extreme_words_give_finite_numbers::<f32>(6.66);
    extreme_words_give_finite_numbers::<f64>(8.57);
}

/// Mean, variance and the occupation of 256 equal bins, each within five standard deviations.
fn uniforms_are_uniform<T: Scalar>() {
    let best = Level::available().last().expect("portable");
    let found = uniforms::<T>(best, &mut generator(1), MANY);
    let n = MANY as f64;
    let mut bins = [0.0; 256];
    let (mut sum, mut squares) = (0.0, 0.0);
    for u in &found {
        let u = u.to_f64();
        assert!((0.0..1.0).contains(&u), "{u}");
        sum += u - 0.5;
        squares += (u - 0.5) * (u - 0.5);
        bins[(u * 256.0) as usize] += 1.0;
    }
    assert!((sum / n).abs() < 5.0 * (1.0 / 12.0 / n).sqrt(), "mean {}", 0.5 + sum / n);
    assert!((squares / n - 1.0 / 12.0).abs() < 5.0 * (1.0 / 180.0 / n).sqrt(), "variance {}", squares / n);
    let expected = n / 256.0;
    let chi_square: f64 = bins.iter().map(|bin| (bin - expected) * (bin - expected) / expected).sum();
    assert!((chi_square - 255.0).abs() < 5.0 * 510.0_f64.sqrt(), "chi square {chi_square} for 255");
}

#[test]
fn uniforms_follow_the_uniform_distribution() {
    uniforms_are_uniform::<f32>();
    uniforms_are_uniform::<f64>();
}

/// The Box-Muller transform of the same words, in f64 with the sines of the standard library.
fn exact_normals<T: Scalar>(seed: u64, count: usize) -> Vec<f64> {
    let per_step = raw::<T>(&[0; 8]).len();
    let bits = raw::<T>(&words(&mut generator(seed), count.next_multiple_of(32)));
    let unit = T::EPSILON.to_f64() / 2.0;
    let mut normals = Vec::new();
    for block in bits.chunks_exact(2 * per_step) {
        let (radii, directions) = block.split_at(per_step);
        let points: Vec<_> = radii
            .iter()
            .zip(directions)
            .map(|(&v, &direction)| {
                let v = match T::FRACTION_BITS {
                    23 => f64::from((v >> 1) as f32 / 2.0_f32.powi(31) + 2.0_f32.powi(-32)),
                    _ => 1.0 - (v >> 11) as f64 * unit,
                };
                let spare = unused::<T>();
                let turn = ((direction >> spare) as f64 - 0.5 / unit + 0.5) * unit;
                let (sine, cosine) = (turn * FRAC_PI_2).sin_cos();
                let sign = if direction >> (spare - 1) & 1 == 1 { -1.0 } else { 1.0 };
                let radius = sign * (-2.0 * v.ln()).sqrt();
                if direction >> (spare - 2) & 1 == 1 {
                    (radius * sine, radius * cosine)
                } else {
                    (radius * cosine, radius * sine)
                }
            })
            .collect();
        normals.extend(points.iter().map(|point| point.0).chain(points.iter().map(|point| point.1)));
    }
    normals.truncate(count);
    normals
}

fn normals_are_the_exact_transform<T: Scalar>() {
    for level in Level::available() {
        let found = normals::<T>(level, 3, 40_000);
        let exact = exact_normals::<T>(3, 40_000);
        for (i, (found, exact)) in found.iter().zip(exact).enumerate() {
            let error = (found.to_f64() - exact).abs() / exact.abs().max(1e-3) / T::EPSILON.to_f64();
            assert!(error < 4.0, "{} element {i}: {found} for {exact}, {error} ulp", level.name());
        }
    }
}

#[test]
fn normals_are_the_exact_transform_of_the_words() {
    normals_are_the_exact_transform::<f32>();
    normals_are_the_exact_transform::<f64>();
}

/// P(X <= x) for a standard normal.
fn normal_distribution(x: f64) -> f64 {
    0.5 * libm::erfc(-x / 2.0_f64.sqrt())
}

fn normals_are_normal<T: Scalar>() {
    let best = Level::available().last().expect("portable");
    let mut found: Vec<f64> = normals::<T>(best, 2, MANY).iter().map(|x| x.to_f64()).collect();
    let n = MANY as f64;
    assert!(found.iter().all(|x| x.is_finite()));

    // Moments 1 to 4; the variance of x^k is E x^2k - (E x^k)^2.
    let mut moments = [0.0; 4];
    for &x in &found {
        let square = x * x;
        for (moment, power) in moments.iter_mut().zip([x, square, square * x, square * square]) {
            *moment += power / n;
        }
    }
    for (k, (mean, variance)) in [(0.0, 1.0), (1.0, 2.0), (0.0, 15.0), (3.0, 96.0)].into_iter().enumerate() {
        let moment = moments[k];
        assert!((moment - mean).abs() < 5.0 * f64::sqrt(variance / n), "moment {}: {moment}", k + 1);
    }

    // 2 P(X > 4) = 6.334e-5.
    let expected = 6.334e-5 * n;
    let beyond = found.iter().filter(|x| x.abs() > 4.0).count() as f64;
    assert!((beyond - expected).abs() < 5.0 * expected.sqrt(), "{beyond} beyond 4 sigma, not {expected}");

    // The following tests are slow, so they use fewer numbers.
    let mut found = found.split_off(MANY / 8 * 7);
    let n = found.len() as f64;

    // x and y of a point, neighbours, and squares: product moments with variances 1, 1, 4.
    let per_step = raw::<T>(&[0; 8]).len();
    let points = || {
        found
            .chunks_exact(2 * per_step)
            .flat_map(|block| (0..per_step).map(move |i| (block[i], block[per_step + i])))
    };
    let half = n / 2.0;
    let correlation = points().map(|(x, y)| x * y).sum::<f64>() / half;
    assert!(correlation.abs() < 5.0 / half.sqrt(), "x and y: {correlation}");
    let correlation = points().map(|(x, y)| (x * x - 1.0) * (y * y - 1.0)).sum::<f64>() / half;
    assert!(correlation.abs() < 5.0 * 2.0 / half.sqrt(), "x² and y²: {correlation}");
    let correlation = found.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / n;
    assert!(correlation.abs() < 5.0 / n.sqrt(), "neighbours: {correlation}");

    // The eight octants, which exchange, signs and angle select.
    let mut octants = [0.0; 8];
    for (x, y) in points() {
        octants[((y.atan2(x) / FRAC_PI_4).floor() as i32).rem_euclid(8) as usize] += 1.0;
    }
    let expected = half / 8.0;
    let chi_square: f64 =
        octants.iter().map(|count| (count - expected) * (count - expected) / expected).sum();
    assert!(chi_square < 7.0 + 5.0 * 14.0_f64.sqrt(), "octants {octants:?}: chi square {chi_square} for 7");

    // Kolmogorov-Smirnov: sqrt(n) D exceeds 2.2 with probability 1.3e-4.
    found.sort_by(f64::total_cmp);
    let distance = found
        .iter()
        .enumerate()
        .map(|(i, &x)| {
            let p = normal_distribution(x);
            (p - i as f64 / n).max((i + 1) as f64 / n - p)
        })
        .fold(0.0, f64::max);
    assert!(distance * n.sqrt() < 2.2, "Kolmogorov-Smirnov distance {distance}");
}

#[test]
fn normals_follow_the_normal_distribution() {
    normals_are_normal::<f32>();
    normals_are_normal::<f64>();
}

/// Every length from a new generator is a prefix of the longest, ends at the end of the buffer, and uses the documented
/// number of steps.
fn lengths_are_prefixes<T: Scalar>() {
    let per_step = raw::<T>(&[0; 8]).len();
    for level in Level::available() {
        let logits = normals::<T>(level, 9, LONGEST);
        let longest: [Vec<T>; 3] = std::array::from_fn(|kernel| {
            fill(level, kernel, &logits, &mut generator(8), LONGEST, true).to_vec()
        });
        for len in 0..LONGEST {
            for at_end in [true, false] {
                for (kernel, longest) in longest.iter().enumerate() {
                    let mut used = generator(8);
                    let found = fill(level, kernel, &logits, &mut used, len, at_end);
                    assert_eq!(found[..], longest[..len], "{} kernel {kernel} length {len}", level.name());

                    let mut expected = generator(8);
                    let steps =
                        [len.div_ceil(per_step), 2 * len.div_ceil(2 * per_step), len.div_ceil(per_step)];
                    words(&mut expected, 8 * steps[kernel]);
                    assert_eq!(used, expected, "{} kernel {kernel} length {len}", level.name());
                }
            }
        }
    }
}

/// Runs kernel 0, 1 or 2 (uniform, normal, Bernoulli in place) into `len` elements next to an unmapped page. The result
/// of the Bernoulli kernel is its states plus its probabilities.
fn fill<T: Scalar>(
    level: Level,
    kernel: usize,
    logits: &[T],
    generator: &mut Xoshiro256PlusPlusX8,
    len: usize,
    at_end: bool,
) -> GuardedBuffer<T> {
    let mut out = GuardedBuffer::copy_of(&vec![T::ONE; len], at_end);
    match kernel {
        0 => fill_uniform(level, generator, &mut out),
        1 => fill_normal(level, generator, &mut out),
        _ => {
            let mut probabilities = GuardedBuffer::copy_of(&logits[..len], at_end);
            bernoulli_in_place(level, generator, &mut probabilities, &mut out);
            out.iter_mut().zip(probabilities.iter()).for_each(|(state, &p)| *state += p);
        }
    }
    out
}

#[test]
fn every_length_is_a_prefix_and_stays_in_its_buffer() {
    lengths_are_prefixes::<f32>();
    lengths_are_prefixes::<f64>();
}

/// The four kernels draw the same states, which are `fill_uniform` compared with `math::sigmoid`.
fn bernoulli_kernels_agree<T: Scalar>() {
    for level in Level::available() {
        for len in [0, 1, 5, 16, 47, 2000] {
            let logits: Vec<T> = normals::<T>(level, 21, len).iter().map(|&x| x + x).collect();
            let (mut probabilities, mut from_logits, mut with) =
                (vec![T::ZERO; len], vec![T::ZERO; len], vec![T::ZERO; len]);
            let (mut in_place, mut from_probabilities) = (logits.clone(), vec![T::ZERO; len]);
            let mut in_place_states = vec![T::ZERO; len];
            let mut used: [_; 4] = std::array::from_fn(|_| generator(22));
            bernoulli_from_logits(level, &mut used[0], &logits, &mut from_logits);
            bernoulli_from_logits_with_probabilities(
                level,
                &mut used[1],
                &logits,
                &mut probabilities,
                &mut with,
            );
            bernoulli_in_place(level, &mut used[2], &mut in_place, &mut in_place_states);
            bernoulli_from_probabilities(level, &mut used[3], &probabilities, &mut from_probabilities);

            let mut expected_probabilities = vec![T::ZERO; len];
            math::sigmoid(level, &logits, &mut expected_probabilities);
            let mut reference = generator(22);
            let expected: Vec<T> = uniforms::<T>(level, &mut reference, len)
                .iter()
                .zip(&expected_probabilities)
                .map(|(u, p)| if u < p { T::ONE } else { T::ZERO })
                .collect();
            let name = level.name();
            assert_eq!(probabilities, expected_probabilities, "{name}");
            assert_eq!(in_place, expected_probabilities, "{name}");
            for states in [from_logits, with, in_place_states, from_probabilities] {
                assert_eq!(states, expected, "{name} length {len}");
            }
            assert!(used.iter().all(|used| *used == reference), "{name} length {len}");
        }
    }
}

#[test]
fn the_bernoulli_kernels_draw_the_same_states() {
    bernoulli_kernels_agree::<f32>();
    bernoulli_kernels_agree::<f64>();
}

fn ties_are_off<T: Scalar>(level: Level, half: u64) {
    // The first number in each lane is `word`.
    let first_word = |word: u64| {
        Xoshiro256PlusPlusX8::from_state([[0; 8], [1; 8], [0; 8], [word.rotate_right(23); 8]]).unwrap()
    };
    for (word, logit, probability) in [(half, 0.0, 0.5), (0, f64::NEG_INFINITY, 0.0)] {
        let (logits, probabilities) = ([T::from_f64(logit); 8], [T::from_f64(probability); 8]);
        let (mut states, mut out) = ([[T::ONE; 8]; 4], [T::ONE; 8]);
        bernoulli_from_logits(level, &mut first_word(word), &logits, &mut states[0]);
        let mut generator = first_word(word);
        bernoulli_from_logits_with_probabilities(level, &mut generator, &logits, &mut out, &mut states[1]);
        assert_eq!(out, probabilities, "{}", level.name());
        out = logits;
        bernoulli_in_place(level, &mut first_word(word), &mut out, &mut states[2]);
        bernoulli_from_probabilities(level, &mut first_word(word), &probabilities, &mut states[3]);
        assert_eq!(states, [[T::ZERO; 8]; 4], "{}, a uniform number of {probability}", level.name());
    }
}

#[test]
fn a_uniform_number_that_equals_the_probability_gives_0() {
    for level in Level::available() {
        // One word gives two f32 numbers.
        ties_are_off::<f32>(level, 0x8000_0000_8000_0000);
        ties_are_off::<f64>(level, 1 << 63);
    }
}

fn frequencies_are_sigmoids<T: Scalar>() {
    const DRAWS: usize = 1 << 12;
    let infinity = f64::INFINITY;
    let mut states = vec![T::ZERO; DRAWS];
    for level in Level::available() {
        let mut generator = generator(31);
        for logit in [-16.0, -8.0, -3.0, -1.0, -0.1, 0.0, 0.3, 1.5, 5.0, 9.0] {
            bernoulli_from_logits(level, &mut generator, &[T::from_f64(logit); DRAWS], &mut states);
            assert!(states.iter().all(|&state| state == T::ZERO || state == T::ONE));
            let (n, p) = (DRAWS as f64, 1.0 / (1.0 + (-logit).exp()));
            let count: f64 = states.iter().map(|state| state.to_f64()).sum();
            let bound = 5.0 * (n * p * (1.0 - p)).sqrt() + 1.0;
            assert!((count - n * p).abs() < bound, "{} logit {logit}: {count} of {n}", level.name());
        }
        let fixed = [(infinity, 1.0), (1e30, 1.0), (-infinity, 0.0), (-1e30, 0.0), (f64::NAN, 0.0)];
        for (logit, state) in fixed {
            bernoulli_from_logits(level, &mut generator, &[T::from_f64(logit); DRAWS], &mut states);
            assert!(states.iter().all(|s| s.to_f64() == state), "{} logit {logit}", level.name());
        }
        for (probability, state) in [(1.0, 1.0), (2.0, 1.0), (0.0, 0.0), (-1.0, 0.0), (f64::NAN, 0.0)] {
            let probabilities = vec![T::from_f64(probability); DRAWS];
            bernoulli_from_probabilities(level, &mut generator, &probabilities, &mut states);
            assert!(states.iter().all(|s| s.to_f64() == state), "{} p {probability}", level.name());
        }
        // Also if u is 0.
        for (logit, state) in [(-infinity, 0.0), (f64::NAN, 0.0)] {
            bernoulli_from_logits(level, &mut extremes(), &[T::from_f64(logit)], &mut states[..1]);
            assert_eq!(states[0].to_f64(), state);
        }
    }
}

#[test]
fn the_frequency_of_ones_is_the_sigmoid() {
    frequencies_are_sigmoids::<f32>();
    frequencies_are_sigmoids::<f64>();
}

#[test]
#[should_panic(expected = "3 logits for 4 states")]
fn lengths_that_differ_are_refused() {
    bernoulli_from_logits(Level::PORTABLE, &mut generator(1), &[0.0_f32; 3], &mut [0.0; 4]);
}
