//! Compares partition functions and likelihoods with brute force, and estimates by their own error bars.

use super::{all_images, assert_near, attracting, machine, rows};
use crate::enumeration::{Enumeration, log_sum_exp};
use equilibria::boltzmann::likelihood::annealed::{Annealing, Forward, Reverse, Schedule};
use equilibria::boltzmann::likelihood::{exact, log_likelihood, minus_free_energies};
use equilibria::boltzmann::{GibbsChains, Rbm};
use equilibria::rng::Stream;
use equilibria::tensor::Element;
use equilibria::{Error, Result, Tensor};

/// ln Z by brute force over both layers.
fn log_partition(exact: &Enumeration) -> f64 {
    log_sum_exp((0..exact.visible_states()).map(|v| -exact.free_energy(v)))
}

/// Visible units, hidden units and the scale of the parameters. Either layer is the smaller one, some have fewer units
/// than the table, and the enumeration takes one block or many.
const SIZES: [(usize, usize, f64); 9] = [
    (1, 1, 1.0),
    (6, 4, 1.0),
    (4, 6, 1.0),
    (7, 7, 2.0),
    (3, 12, 0.3),
    (12, 3, 3.0),
    (9, 8, 30.0),
    (10, 8, 0.01),
    (8, 10, 1.0),
];

fn check_exact<T: Element>(tolerance: f64) {
    for (seed, (visible, hidden, scale)) in (100..).zip(SIZES) {
        let model = machine::<T>(visible, hidden, scale, seed);
        let right = log_partition(&Enumeration::of(&model));
        let mut states = 0;
        let found = exact::log_partition_with(&model, |done| {
            states += done;
            Ok(())
        })
        .unwrap();
        let what = format!("ln Z of {visible} x {hidden}, scale {scale}");
        assert_near(&[found], &[right], tolerance, &what);
        assert_eq!(states, 1 << visible.min(hidden), "{what}");
    }
}

#[test]
fn the_exact_partition_function_agrees_with_brute_force() {
    check_exact::<f64>(1e-13);
    check_exact::<f32>(2e-6);
}

/// The same machine with visible and hidden units swapped.
fn swapped(model: &Rbm<f64>) -> Rbm<f64> {
    let (many, few) = (model.visible(), model.hidden());
    let weight = model.weight().data();
    let transposed = (0..few).flat_map(|j| (0..many).map(move |i| weight[i * few + j])).collect();
    let weight = Tensor::from_vec(&[few, many], transposed).unwrap();
    Rbm::from_parameters(weight, model.hidden_bias().clone(), model.visible_bias().clone()).unwrap()
}

#[test]
fn many_rounds_give_the_right_sum_for_either_smaller_layer() {
    // 16 units give 1024 blocks. The reference is the sum over the free energies of all states of that layer.
    let model = machine::<f64>(40, 16, 0.4, 110);
    let other = swapped(&model);
    let found = exact::log_partition(&model).unwrap();
    assert_near(&[exact::log_partition(&other).unwrap()], &[found], 1e-13, "layers swapped");
    let energies = minus_free_energies(&other, &rows::<f64>(0..1 << 16, 16));
    assert_near(&[found], &[log_sum_exp(energies.into_iter())], 1e-13, "by free energies");
}

#[test]
fn single_precision_loses_no_more_than_documented() {
    // The parameters and ln Z are as large as those of trained machines.
    let model = machine::<f32>(784, 12, 0.5, 111);
    let wide = Rbm::from_parameters(
        model.weight().cast::<f64>(),
        model.visible_bias().cast(),
        model.hidden_bias().cast(),
    );
    let right = exact::log_partition(&wide.unwrap()).unwrap();
    let found = exact::log_partition(&model).unwrap();
    assert!(right > 400.0 && (found - right).abs() < 1e-4, "{found}, {:e} from {right}", found - right);
}

#[test]
fn a_layer_too_large_to_enumerate_gives_an_error() {
    for (visible, hidden) in [(26, 26), (784, 500)] {
        let error = exact::log_partition(&machine::<f32>(visible, hidden, 0.01, 1)).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::InvalidArgument { .. }) && text.contains("annealed"), "{text}");
        assert!(text.contains(&format!("{visible} visible and {hidden} hidden")), "{text}");
    }
}

fn check_log_likelihood<T: Element>(tolerance: f64) {
    let model = machine::<T>(6, 4, 1.0, 120);
    let brute = Enumeration::of(&model);
    let images = rows::<T>((0..1500).map(|i| i * 31 % 64), 6);
    let right = (0..1500).map(|i| brute.marginal()[i * 31 % 64].ln()).sum::<f64>() / 1500.0;
    let log_partition = exact::log_partition(&model).unwrap();
    assert_near(&[log_likelihood(&model, &images, log_partition)], &[right], tolerance, "mean ln P(v)");
    let energies: Vec<f64> = (0..64).map(|v| -brute.free_energy(v)).collect();
    assert_near(&minus_free_energies(&model, &all_images(&brute)), &energies, tolerance, "- F(v)");
}

#[test]
fn log_likelihoods_agree_with_enumeration() {
    check_log_likelihood::<f64>(1e-13);
    check_log_likelihood::<f32>(2e-6);
}

/// The mean of each visible unit under the machine, like the data of a trained machine.
fn visible_mean(exact: &Enumeration) -> Vec<f32> {
    let marginal = exact.marginal();
    let mean = |i| marginal.iter().enumerate().map(|(v, p)| p * (v >> i & 1) as f64).sum::<f64>();
    (0..exact.visible).map(|i| mean(i) as f32).collect()
}

const SEEDS: u64 = 12;

fn forward<T: Element>(model: &Rbm<T>, mean: &[f32], steps: usize, seed: u64) -> Forward {
    let schedule = Schedule::even(steps).unwrap();
    let annealing = Annealing::new(model, mean, &schedule).unwrap();
    annealing.forward(150, Stream::named(seed, "chain"), |_| Ok(())).unwrap()
}

/// Deviations of the estimates of several seeds from `log_partition`, each in units of its own standard error.
fn deviations<T: Element>(model: &Rbm<T>, mean: &[f32], steps: usize, log_partition: f64) -> Vec<f64> {
    let deviation = |seed| {
        let found = forward(model, mean, steps, seed);
        assert!((1.0..=150.0 + 1e-9).contains(&found.effective_samples), "{found:?}");
        assert!(found.interval[0] < found.log_partition && found.log_partition < found.interval[1]);
        (found.log_partition - log_partition) / found.standard_error
    };
    (0..SEEDS).map(deviation).collect()
}

/// True if all deviations are within 4, and their mean and spread are those of standard errors.
pub fn are_standard(deviations: &[f64]) -> bool {
    let count = deviations.len() as f64;
    let square = deviations.iter().map(|d| d * d).sum::<f64>() / count;
    let mean = deviations.iter().sum::<f64>() / count;
    deviations.iter().all(|d| d.abs() < 4.0)
        && (0.2..3.0).contains(&square)
        && mean.abs() < 4.0 / count.sqrt()
}

/// The same machine with one visible bias changed by `by`.
fn perturbed<T: Element>(model: &Rbm<T>, by: f64) -> Rbm<T> {
    let mut bias = model.visible_bias().clone();
    bias.data_mut()[1] += T::from_f64(by);
    Rbm::from_parameters(model.weight().clone(), bias, model.hidden_bias().clone()).unwrap()
}

fn check_forward<T: Element>() {
    for (seed, (visible, hidden, scale, steps)) in
        (130..).zip([(6, 4, 1.0, 30), (5, 7, 0.7, 10), (8, 3, 0.5, 3), (4, 4, 0.3, 1)])
    {
        let model = machine::<T>(visible, hidden, scale, seed);
        let brute = Enumeration::of(&model);
        let (mean, right) = (visible_mean(&brute), log_partition(&brute));
        let what = format!("{visible} x {hidden}, {steps} steps");
        let found = deviations(&model, &mean, steps, right);
        assert!(are_standard(&found), "{what}: {found:?}");
        // Another machine, whose ln Z differs by three standard errors, is detected.
        let error = forward(&model, &mean, steps, 0).standard_error;
        let other = log_partition(&Enumeration::of(&perturbed(&model, 3.0 * error / f64::from(mean[1]))));
        let found = deviations(&model, &mean, steps, other);
        assert!(!are_standard(&found), "{what}: another machine is not detected: {found:?}");
    }
}

#[test]
fn forward_estimates_agree_with_enumeration_within_their_error_bars() {
    check_forward::<f64>();
    check_forward::<f32>();
}

#[test]
fn the_error_vanishes_with_many_steps() {
    let model = machine::<f32>(8, 5, 1.0, 140);
    let brute = Enumeration::of(&model);
    let found = forward(&model, &visible_mean(&brute), 4000, 1);
    assert!(found.standard_error < 0.01 && found.effective_samples > 140.0, "{found:?}");
    let right = log_partition(&brute);
    assert!((found.log_partition - right).abs() < 4.0 * found.standard_error, "{found:?}, not {right}");
    // The weights add up 4000 small terms without loss: with W = 0 they have no spread.
    let silent = Rbm::<f32>::new(&[0.1, 0.9, 0.5], 3, Stream::named(1, "init")).unwrap();
    let silent = Rbm::from_parameters(
        Tensor::zeros(&[3, 3]),
        silent.visible_bias().clone(),
        Tensor::filled(&[3], 0.7),
    )
    .unwrap();
    let found = forward(&silent, &[0.1, 0.9, 0.5], 4000, 1);
    assert_near(&[found.log_partition], &[log_partition(&Enumeration::of(&silent))], 1e-5, "without weights");
    assert!(found.standard_error < 1e-5, "{found:?}");
}

#[test]
fn estimates_are_right_for_several_panels_and_batches() {
    for (seed, (visible, hidden)) in (141..).zip([(150, 12), (12, 150), (64, 10), (11, 65)]) {
        let model = machine::<f32>(visible, hidden, 0.3, seed);
        let right = exact::log_partition(&model).unwrap();
        let schedule = Schedule::even(400).unwrap();
        let mean: Vec<f32> = (0..visible).map(|i| 0.2 + 0.6 * i as f32 / visible as f32).collect();
        let annealing = Annealing::new(&model, &mean, &schedule).unwrap();
        let stream = Stream::named(seed, "chain");
        let found = annealing.forward(300, stream, |_| Ok(())).unwrap();
        let (error, off) = (found.standard_error, found.log_partition - right);
        assert!(error < 0.03 && off.abs() < 4.0 * error, "{visible} x {hidden}: off by {off}, {found:?}");
        // The images are drawn from the machine, almost exactly.
        let mut chains = GibbsChains::new(&model, 300, stream);
        chains.walk(300);
        let found = annealing.reverse(&chains.visible_states(), 1, stream, |_| Ok(())).unwrap();
        let (reverse, error) = found.log_partition();
        let off = reverse - right;
        assert!(error < 0.03 && (-4.0 * error..0.1).contains(&off), "{visible} x {hidden}: off by {off}");
    }
}

fn reverse<T: Element>(model: &Rbm<T>, steps: usize, copies: usize, chains: usize, seed: u64) -> Reverse {
    let brute = Enumeration::of(model);
    let schedule = Schedule::even(steps).unwrap();
    let images = all_images::<T>(&brute);
    let images: Vec<T> = images.chunks(brute.visible).flat_map(|v| v.repeat(copies)).collect();
    let mean = visible_mean(&brute);
    let annealing = Annealing::new(model, &mean, &schedule).unwrap();
    annealing.reverse(&images, chains, Stream::named(seed, "evaluate"), |_| Ok(())).unwrap()
}

/// The mean over images drawn from the machine of estimate - ln p, and its standard error over `copies`.
fn excess<T: Element>(model: &Rbm<T>, found: &Reverse, copies: usize) -> (f64, f64) {
    let marginal = Enumeration::of(model).marginal();
    let (mut mean, mut variance) = (0.0, 0.0);
    for (p, estimates) in marginal.iter().zip(found.log_likelihoods.chunks(copies)) {
        let count = copies as f64;
        let centre = estimates.iter().sum::<f64>() / count;
        let spread = estimates.iter().map(|x| (x - centre).powi(2)).sum::<f64>() / (count - 1.0);
        mean += p * (centre - p.ln());
        variance += p * p * spread / count;
    }
    (mean, variance.sqrt())
}

#[test]
fn reverse_estimates_are_too_low_and_converge_with_more_steps() {
    for model in [attracting(6, 4, 0.8), attracting(5, 3, 1.3), machine::<f64>(4, 6, 2.0, 151)] {
        let mut last = f64::NEG_INFINITY;
        for steps in [1, 4, 16] {
            let (mean, error) = excess(&model, &reverse(&model, steps, 2000, 1, 1), 2000);
            assert!(mean < -3.0 * error, "{mean} +- {error} in {steps} steps is not below");
            assert!(mean > last, "{mean} in {steps} steps, {last} in fewer");
            // More walks per image make the bound tighter.
            let (more, error) = excess(&model, &reverse(&model, steps, 1000, 8, 2), 1000);
            assert!(mean + 3.0 * error < more && more < 3.0 * error, "{mean}, then {more} +- {error}");
            last = mean;
        }
        let (mean, error) = excess(&model, &reverse(&model, 3000, 10, 1, 3), 10);
        assert!(mean.abs() < 0.01 + 4.0 * error && error < 0.01, "{mean} +- {error} in 3000 steps");
    }
}

/// The annealed model by enumeration: its distribution of v for evenly spaced steps.
pub fn annealed_model(model: &Rbm<f64>, mean: &[f32], steps: usize) -> Vec<f64> {
    let base: Vec<f64> = mean.iter().map(|&p| (f64::from(p) / (1.0 - f64::from(p))).ln()).collect();
    let brute = Enumeration::of(model);
    let mut distribution = Vec::new();
    for step in 0..=steps {
        // The distribution at inverse temperature beta is that of another machine.
        let beta = step as f64 / steps as f64;
        let scale = |tensor: &Tensor<f64>| {
            let mut tensor = tensor.clone();
            tensor.data_mut().iter_mut().for_each(|x| *x *= beta);
            tensor
        };
        let mut bias = scale(model.visible_bias());
        bias.data_mut().iter_mut().zip(&base).for_each(|(b, a)| *b += (1.0 - beta) * a);
        let between = Rbm::from_parameters(scale(model.weight()), bias, scale(model.hidden_bias())).unwrap();
        let between = Enumeration::of(&between);
        distribution = if step == 0 { between.marginal() } else { between.step(&distribution) };
    }
    assert_eq!(distribution.len(), brute.visible_states());
    distribution
}

#[test]
fn many_walks_per_image_give_the_annealed_model() {
    let model = machine::<f64>(4, 3, 1.0, 160);
    let brute = Enumeration::of(&model);
    for steps in [1, 2, 5] {
        let expected = annealed_model(&model, &visible_mean(&brute), steps);
        let found = reverse(&model, steps, 1, 40_000, 4);
        // The mean of the weights has an error of its own. With so few steps, p itself is much farther away.
        let largest_distance = |exact: &[f64]| {
            let off = |(x, p): (&f64, &f64)| (x - p.ln()).abs();
            found.log_likelihoods.iter().zip(exact).map(off).fold(0.0, f64::max)
        };
        let (near, other) = (largest_distance(&expected), largest_distance(&brute.marginal()));
        assert!(near < 0.03, "{near} nats from the annealed model of {steps} steps");
        assert!(other > 2.0 * near, "p itself is as near: {other} nats in {steps} steps");
    }
}

#[test]
fn forward_and_reverse_estimates_bracket_the_exact_partition_function() {
    let model = machine::<f64>(7, 5, 1.0, 170);
    let brute = Enumeration::of(&model);
    let right = log_partition(&brute);
    let found = reverse(&model, 100, 20, 1, 5);
    // Average over images drawn from the machine.
    let (mean, error) = excess(&model, &found, 20);
    let forward = forward(&model, &visible_mean(&brute), 100, 5);
    assert!(forward.interval[0] < right && right < forward.interval[1], "{forward:?}, not {right}");
    assert!((-0.2..3.0 * error).contains(&mean) && error < 0.01, "{mean} +- {error}");
    // The ln Z implied by the estimates, by image and on average.
    let (implied, error) = found.log_partition();
    assert!((implied - right).abs() < 0.5 && error < 0.05, "{implied} +- {error}, not {right}");
    let (likelihood, _) = found.mean();
    let energy = found.minus_free_energies.iter().sum::<f64>() / found.minus_free_energies.len() as f64;
    assert_near(&[likelihood], &[energy - implied], 1e-12, "mean");
}

/// Runs `work` with 1, 2 and 3 threads and asserts equal results.
#[cfg(feature = "parallel")]
pub fn assert_independent_of_threads<R: PartialEq + std::fmt::Debug + Send>(
    work: impl Fn() -> R + Sync + Send,
) {
    let with = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(&work);
    let one: R = with(1);
    for threads in [2, 3] {
        assert_eq!(with(threads), one, "{threads} threads");
    }
}

#[cfg(feature = "parallel")]
#[test]
fn estimates_are_bit_identical_for_every_number_of_threads() {
    // The layer is so large that its panels are split over threads.
    let large = machine::<f32>(300, 140, 0.2, 180);
    let schedule = Schedule::even(20).unwrap();
    let mean = [0.3; 300];
    let stream = Stream::named(1, "chain");
    // Another order of the terms changes ln Z by less than its last bit. A term that is missing or counted twice is
    // detected.
    for seed in 181..189 {
        let small = machine::<f64>(60, 13, 0.3, seed);
        assert_independent_of_threads(|| exact::log_partition(&small).unwrap().to_bits());
    }
    // More chains than one batch.
    let annealing = || Annealing::new(&large, &mean, &schedule).unwrap();
    assert_independent_of_threads(|| annealing().forward(131, stream, |_| Ok(())).unwrap());
    let images = vec![1.0; 300 * 45];
    assert_independent_of_threads(|| annealing().reverse(&images, 3, stream, |_| Ok(())).unwrap());
}

#[test]
fn a_chain_depends_on_its_stream_alone() {
    let model = machine::<f64>(20, 9, 0.3, 190);
    let schedule = Schedule::even(15).unwrap();
    let annealing = Annealing::new(&model, &[0.4; 20], &schedule).unwrap();
    let stream = Stream::named(2, "evaluate");
    let images = rows::<f64>((0..150).map(|i| i * 6151), 20);
    let run =
        |images: &[f64], stream| annealing.reverse(images, 1, stream, |_| Ok(())).unwrap().log_likelihoods;
    // The first of 150 images, and alone; the same image on another stream.
    let all = run(&images, stream);
    assert_eq!(run(&images[..20 * 7], stream), all[..7]);
    // More than walk together.
    assert_eq!(run(&images[..20 * 140], stream), all[..140]);
    let mut again = run(&images[..20].repeat(140), stream);
    assert_eq!(again[0], all[0]);
    again.sort_by(f64::total_cmp);
    assert!(again.windows(2).all(|pair| pair[0] != pair[1]), "images that are annealed alike");
    assert_ne!(run(&images, Stream::named(3, "evaluate")), all);
}

#[test]
fn progress_counts_every_step() {
    let model = machine::<f64>(5, 3, 1.0, 191);
    let schedule = Schedule::even(11).unwrap();
    let annealing = Annealing::new(&model, &[0.5; 5], &schedule).unwrap();
    let (stream, mut forward, mut reverse) = (Stream::named(0, "chain"), 0, 0);
    let add = |sum: &mut u64, done| {
        *sum += done;
        Ok(())
    };
    annealing.forward(300, stream, |done| add(&mut forward, done)).unwrap();
    annealing.reverse(&[1.0; 5 * 70], 4, stream, |done| add(&mut reverse, done)).unwrap();
    assert_eq!((forward, reverse), (300 * 11, 70 * 4 * 11));
}

pub type Progress<'a> = &'a mut (dyn FnMut(u64) -> Result<()> + Send);

#[test]
fn an_error_of_progress_ends_an_estimate() {
    let model = machine::<f64>(15, 14, 1.0, 193);
    let schedule = Schedule::even(11).unwrap();
    let annealing = Annealing::new(&model, &[0.5; 15], &schedule).unwrap();
    let stream = Stream::named(0, "chain");
    let stop = || Error::Interrupted { resume: "by the fourth call".into() };
    let count = |estimate: &dyn Fn(Progress<'_>) -> Result<()>| {
        let mut calls = 0;
        let outcome = estimate(&mut |_| {
            calls += 1;
            if calls < 4 { Ok(()) } else { Err(stop()) }
        });
        assert_eq!((calls, outcome.unwrap_err().to_string()), (4, stop().to_string()));
    };
    count(&|progress| annealing.forward(200, stream, progress).map(drop));
    count(&|progress| annealing.reverse(&[1.0; 15 * 3], 1, stream, progress).map(drop));
    count(&|progress| exact::log_partition_with(&model, progress).map(drop));
}

#[test]
fn invalid_annealing_arguments_give_errors() {
    let model = machine::<f64>(5, 3, 1.0, 192);
    let (schedule, stream) = (Schedule::even(3).unwrap(), Stream::named(0, "chain"));
    let words = |mean: &[f32]| Annealing::new(&model, mean, &schedule).unwrap_err().to_string();
    assert!(words(&[0.5; 4]).contains("expected shape (5), found (4)"), "{}", words(&[0.5; 4]));
    for bad in [-0.1, 1.1, f32::NAN] {
        assert!(words(&[0.5, 0.5, bad, 0.5, 0.5]).contains("a number from 0 to 1 is needed"));
    }
    let annealing = Annealing::new(&model, &[0.0, 1.0, 0.5, 0.5, 0.5], &schedule).unwrap();
    for chains in [0, 1] {
        let error = annealing.forward(chains, stream, |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("at least 2"), "{error}");
    }
    assert!(annealing.forward(2, stream, |_| Ok(())).unwrap().log_partition.is_finite());
    let words = |images: &[f64], chains| {
        annealing.reverse(images, chains, stream, |_| Ok(())).unwrap_err().to_string()
    };
    assert!(words(&[0.0; 7], 1).contains("images to anneal from"));
    assert!(words(&[], 1).contains("at least 1 image") && words(&[0.0; 5], 0).contains("1 chain"));
    assert!(words(&[1.0, 0.0, 0.5, 1.0, 0.0], 1).contains("0 or 1 is needed"));
}
