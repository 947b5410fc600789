//! Do chains visit states with the model's frequencies, and do reconstructions match the model's expectation?

use crate::enumeration::{Enumeration, state_of, units};
use crate::{all_images, assert_near, attracting, machine, rows};
use equilibria::boltzmann::reconstruct::{Effort, reconstruct};
use equilibria::boltzmann::{GibbsChains, Rbm};
use equilibria::evaluate::reconstruction::{Task, remove_rows};
use equilibria::rng::Stream;
use equilibria::tensor::{Element, Workspace};
use equilibria_kernels::Level;
use equilibria_kernels::random::fill_uniform;

const CHAINS: usize = 1000;
/// Samples per chain.
const SAMPLES: usize = 20;
/// Steps before the first sample and between two samples; [`a_walk_forgets_its_start`] checks that they are enough.
const SPACING: usize = 6;

fn quick(perturbation: f64) -> Rbm<f64> {
    let model = machine::<f64>(4, 3, 0.8, 8);
    let mut weight = model.weight().clone();
    weight.data_mut()[5] += perturbation;
    Rbm::from_parameters(weight, model.visible_bias().clone(), model.hidden_bias().clone()).unwrap()
}

/// The number of visits of each (v, h), at index v 2^hidden + h.
fn visits<T: Element>(model: &Rbm<T>, seed: u64) -> Vec<f64> {
    let mut chains = GibbsChains::new(model, CHAINS, Stream::named(seed, "chain"));
    let mut visits = vec![0.0; 1 << (model.visible() + model.hidden())];
    chains.walk(20);
    for _ in 0..SAMPLES {
        chains.walk(SPACING);
        let (visible, hidden) = (chains.visible_states(), chains.hidden_states());
        for (v, h) in visible.chunks(model.visible()).zip(hidden.chunks(model.hidden())) {
            visits[(state_of(v) << model.hidden()) + state_of(h)] += 1.0;
        }
    }
    visits
}

/// Pearson's statistic in standard deviations from its mean, under the assumption that `visits` are drawn from `joint`.
pub fn excess(visits: &[f64], joint: &[f64]) -> f64 {
    let total: f64 = visits.iter().sum();
    // Rare states are pooled into one cell.
    let (mut statistic, mut cells, mut rare) = (0.0, 0.0, (0.0, 0.0));
    for (&found, p) in visits.iter().zip(joint) {
        let expected = total * p;
        if expected < 10.0 {
            rare = (rare.0 + found, rare.1 + expected);
        } else {
            statistic += (found - expected) * (found - expected) / expected;
            cells += 1.0;
        }
    }
    if rare.1 > 0.0 {
        statistic += (rare.0 - rare.1) * (rare.0 - rare.1) / rare.1;
        cells += 1.0;
    }
    let freedom: f64 = cells - 1.0;
    (statistic - freedom) / (2.0 * freedom).sqrt()
}

/// The total variation distance of two distributions.
fn variation(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| (x - y).abs()).sum::<f64>() / 2.0
}

#[test]
fn a_walk_forgets_its_start() {
    let exact = Enumeration::of(&quick(0.0));
    let marginal = exact.marginal();
    assert!(variation(&exact.step(&marginal), &marginal) < 1e-14, "the model is not stationary");
    for v in 0..exact.visible_states() {
        let left = variation(&exact.walk(v, SPACING), &marginal);
        assert!(left < 0.01, "state {v} still has a distance of {left} after {SPACING} steps");
    }
}

#[test]
fn gibbs_frequencies_agree_with_enumeration() {
    let joint = Enumeration::of(&quick(0.0)).joint();
    let f32_model = Rbm::from_parameters(
        quick(0.0).weight().cast::<f32>(),
        quick(0.0).visible_bias().cast(),
        quick(0.0).hidden_bias().cast(),
    );
    for visits in [visits(&quick(0.0), 60), visits(&f32_model.unwrap(), 61)] {
        let excess_here = excess(&visits, &joint);
        assert!(excess_here < 5.0, "{excess_here} standard deviations");
        let shares: Vec<f64> = visits.iter().map(|count| count / (CHAINS * SAMPLES) as f64).collect();
        // 128 states and 20,000 samples: half the sum of the mean absolute deviations is about 0.03.
        let apart = variation(&shares, &joint);
        assert!(apart < 0.04, "{apart}");
        // A change of one weight by 0.3 is detected.
        let other = excess(&visits, &Enumeration::of(&quick(0.3)).joint());
        assert!(other > 10.0, "a wrong model is only {other} standard deviations off");
    }
}

#[test]
fn reported_probabilities_are_those_of_the_last_sampling() {
    let model = machine::<f64>(4, 3, 1.0, 9);
    let exact = Enumeration::of(&model);
    let mut chains = GibbsChains::new(&model, 16, Stream::named(62, "chain"));
    chains.set_visible_states(&all_images(&exact)).unwrap();
    chains.sample_hidden();
    for (v, p) in chains.hidden_probabilities().chunks(3).enumerate() {
        assert_near(p, &exact.hidden_probabilities(v), 1e-13, "P(h = 1 | v)");
    }
    chains.walk(3);
    for (h, p) in chains.hidden_states().chunks(3).zip(chains.visible_probabilities().chunks(4)) {
        assert_near(p, &exact.visible_probabilities(state_of(h)), 1e-13, "P(v = 1 | h)");
    }
}

/// If most units are on, the sums are computed as the sum of all rows minus those of the units that are off. The result
/// must be the same.
#[test]
fn probabilities_agree_with_dense_products_for_any_share_of_active_units() {
    const ROWS: usize = 40;
    const VISIBLE: usize = 300;
    const HIDDEN: usize = 70;
    let model = machine::<f64>(VISIBLE, HIDDEN, 0.2, 14);
    for shares in [[0.0, 1.0, 0.0], [0.1, 0.9, 0.6], [0.9, 0.1, 0.95], [1.0; 3]] {
        let mut generator = Stream::named(67, "data").bulk();
        let mut states = vec![0.0; ROWS * VISIBLE];
        fill_uniform(Level::detect(), &mut generator, &mut states);
        for (unit, state) in states.iter_mut().enumerate() {
            *state = f64::from(u8::from(*state < shares[unit % VISIBLE / 128]));
        }
        let mut right = vec![0.0; ROWS * HIDDEN];
        model.hidden_probabilities(&states, &mut right, &mut Workspace::new());
        let mut chains = GibbsChains::new(&model, ROWS, Stream::named(68, "chain"));
        chains.set_visible_states(&states).unwrap();
        chains.sample_hidden();
        assert_near(&chains.hidden_probabilities(), &right, 1e-13, &format!("P(h = 1 | v), {shares:?}"));
    }
}

/// Each chain decides for itself whether its active or its inactive units are added up.
#[test]
fn probabilities_do_not_depend_on_the_other_chains() {
    const VISIBLE: usize = 200;
    let model = machine::<f32>(VISIBLE, 100, 0.2, 15);
    let mut generator = Stream::named(69, "data").bulk();
    let mut states = vec![0.0_f32; 50 * VISIBLE];
    fill_uniform(Level::detect(), &mut generator, &mut states);
    for (unit, state) in states.iter_mut().enumerate() {
        let share = if unit < VISIBLE { 0.6 } else { 0.2 };
        *state = if *state < share { 1.0 } else { 0.0 };
    }
    let [alone, among] = [1, 50].map(|rows| {
        let mut chains = GibbsChains::new(&model, rows, Stream::named(70, "chain"));
        chains.set_visible_states(&states[..rows * VISIBLE]).unwrap();
        chains.sample_hidden();
        chains.hidden_probabilities()[..100].to_vec()
    });
    assert_eq!(alone, among);
}

/// Fails if two rows are equal.
#[track_caller]
pub fn assert_differ<T: Element>(states: &[T], width: usize) {
    let all = states.chunks(width);
    let count = all.len();
    let mut distinct: Vec<Vec<bool>> = all.map(|v| v.iter().map(|&v| v == T::ONE).collect()).collect();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), count, "some chains are equal");
}

fn check_independence<T: Element>() {
    let (visible, hidden) = (37, 21);
    let model = machine::<T>(visible, hidden, 0.5, 10);
    let walk = |chains: usize| {
        let mut walkers = GibbsChains::new(&model, chains, Stream::named(63, "chain"));
        assert_eq!((walkers.len(), walkers.is_empty()), (chains, false));
        // More steps than the number of corrections after which sums are recomputed.
        walkers.walk(40);
        (walkers.visible_states(), walkers.hidden_states())
    };
    let (visible_states, hidden_states) = walk(70);
    for chains in [1, 2, 5, 64] {
        let (v, h) = walk(chains);
        assert!(v == visible_states[..chains * visible], "visible states of {chains} chains");
        assert!(h == hidden_states[..chains * hidden], "hidden states of {chains} chains");
    }
    // No two chains are equal, though they start equal.
    assert_differ(&visible_states, visible);
    // Setting a new stream is the same as creating new chains.
    let mut walkers = GibbsChains::new(&model, 70, Stream::named(64, "chain"));
    walkers.draw_from(Stream::named(63, "chain"));
    walkers.walk(40);
    assert!(walkers.visible_states() == visible_states, "after draw_from");
}

#[test]
fn a_chain_does_not_depend_on_the_number_of_chains() {
    check_independence::<f32>();
    check_independence::<f64>();
}

#[test]
fn missing_pixels_take_their_mean_given_the_known_ones() {
    const EACH: usize = 100;
    let model = attracting(5, 3, 1.0);
    let exact = Enumeration::of(&model);
    let missing = [true, false, true, false, true];
    // The missing pixels of the images have arbitrary values, which must not be read.
    let states = [0b00000, 0b00010, 0b01000, 0b01010];
    let mut images = rows::<f64>((0..4 * EACH).map(|row| states[row % 4]), 5);
    for image in images.chunks_mut(5) {
        image.iter_mut().zip(missing).filter(|(_, missing)| *missing).for_each(|(x, _)| *x = f64::NAN);
    }
    let effort = Effort { burn_in: 30, average: 60 };
    let filled = reconstruct(&model, &images, &missing, effort, Stream::named(64, "evaluate")).unwrap();
    let mut spread = 0.0_f64;
    for (kind, &state) in states.iter().enumerate() {
        let expected = exact.mean_given_known(state, &missing);
        let of_kind = || filled.chunks(5).skip(kind).step_by(4);
        for (i, expected) in expected.into_iter().enumerate() {
            if !missing[i] {
                assert!(of_kind().all(|image| image[i] == units(state, 5)[i]), "known pixel {i} changed");
                continue;
            }
            // Chains are independent, so their spread gives the error of their mean.
            let mean = of_kind().map(|image| image[i]).sum::<f64>() / EACH as f64;
            let variance = of_kind().map(|image| (image[i] - mean).powi(2)).sum::<f64>() / (EACH - 1) as f64;
            let error = (variance / EACH as f64).sqrt();
            assert!(
                (mean - expected).abs() < 5.0 * error,
                "pixel {i} of {state:b}: {mean}, not {expected} +- {error}"
            );
            assert!(error < 0.01, "pixel {i} of {state:b}: {error} is too large for the test");
            let elsewhere = exact.mean_given_known(states[3 - kind], &missing)[i];
            spread = spread.max((elsewhere - expected).abs());
        }
    }
    assert!(spread > 0.1, "the missing pixels hardly depend on the known ones: {spread}");
}

#[test]
fn the_requested_number_of_steps_is_averaged() {
    let model = attracting(5, 3, 1.0);
    let exact = Enumeration::of(&model);
    for burn_in in [0, 4] {
        let effort = Effort { burn_in, average: 1 };
        let stream = Stream::named(66, "evaluate");
        let filled = reconstruct(&model, &rows(0..32, 5), &[true; 5], effort, stream).unwrap();
        for image in filled.chunks(5) {
            // A single step gives the probabilities for some hidden state.
            let is_from = |h| {
                let p = exact.visible_probabilities(h);
                image.iter().zip(p).all(|(x, p)| (x - p).abs() < 1e-12)
            };
            assert!((0..exact.hidden_states()).any(is_from), "{image:?} after {burn_in} steps");
        }
    }
}

#[test]
fn invalid_reconstruction_arguments_give_errors() {
    let model = machine::<f64>(5, 3, 1.0, 11);
    let (stream, effort) = (Stream::named(0, "evaluate"), Effort { burn_in: 0, average: 1 });
    let run = |images: &[f64], missing: &[bool], effort| reconstruct(&model, images, missing, effort, stream);
    let words = |result: equilibria::Result<Vec<f64>>| result.unwrap_err().to_string();
    assert!(words(run(&[0.0; 5], &[true; 4], effort)).contains("missing pixels"));
    assert!(words(run(&[0.0; 7], &[true; 5], effort)).contains("missing pixels"));
    assert!(words(run(&[0.0; 5], &[true; 5], Effort { burn_in: 9, average: 0 })).contains("1 step"));
    assert!(run(&[], &[true; 5], effort).unwrap().is_empty());
}

#[test]
fn reconstruction_errors_are_averaged_over_the_removed_pixels() {
    let model = machine::<f32>(6, 4, 1.0, 12);
    let images = rows::<f32>([9, 30, 52].into_iter(), 6);
    let mean_image = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6];
    let task = Task {
        images: &images,
        mean_image: &mean_image,
        height: 3,
        width: 2,
        effort: Effort { burn_in: 3, average: 5 },
    };
    let stream = Stream::named(65, "evaluate");
    let (filled, cell) = remove_rows(&model, &task, 1..2, stream).unwrap();
    let error = |guess: &dyn Fn(usize, usize) -> f32| {
        let pixels = (0..3).flat_map(|row| [(row, 2), (row, 3)]);
        pixels.map(|(row, i)| f64::from(guess(row, i) - images[row * 6 + i]).powi(2)).sum::<f64>() / 6.0
    };
    assert_eq!((cell.rows, cell.first_row), (1, 1));
    let errors = [cell.mean_squared_error, cell.baseline_mean_squared_error];
    let expected = [error(&|row, i| filled[row * 6 + i]), error(&|_, i| mean_image[i])];
    assert_near(&errors, &expected, 1e-12, "mean squared errors");
    let known = |(i, _): &(usize, &f32)| !(2..4).contains(&(i % 6));
    assert!(
        filled.iter().zip(&images).enumerate().filter(|(i, _)| known(&(*i, &0.0))).all(|(_, (x, y))| x == y)
    );
    for removed in [0..0, 2..4] {
        assert!(remove_rows(&model, &task, removed, stream).is_err());
    }
}
