//! Do Boltzmann machines, restricted and deep, compute, sample and learn as enumeration of all states predicts?

#[path = "boltzmann/centring.rs"]
mod centring;
#[cfg(feature = "parallel")]
#[path = "boltzmann/combinations.rs"]
mod combinations;
#[path = "boltzmann/deep_annealing.rs"]
mod deep_annealing;
#[path = "boltzmann/deep_learning.rs"]
mod deep_learning;
#[path = "boltzmann/deep_likelihood.rs"]
mod deep_likelihood;
#[path = "boltzmann/deep_sampling.rs"]
mod deep_sampling;
#[path = "boltzmann/deep_states.rs"]
mod deep_states;
#[path = "boltzmann/enumeration.rs"]
mod enumeration;
#[path = "boltzmann/learning.rs"]
mod learning;
#[path = "boltzmann/likelihood.rs"]
mod likelihood;
#[path = "boltzmann/mixing.rs"]
mod mixing;
#[path = "boltzmann/pretraining.rs"]
mod pretraining;
#[path = "boltzmann/sampling.rs"]
mod sampling;
#[path = "boltzmann/starts.rs"]
mod starts;
#[path = "boltzmann/tempering.rs"]
mod tempering;

use enumeration::{Enumeration, units};
use equilibria::Tensor;
use equilibria::boltzmann::learning::Reading;
use equilibria::boltzmann::likelihood::{pseudo_log_likelihood, stochastic_pseudo_log_likelihood};
use equilibria::boltzmann::{GibbsChains, Rbm};
use equilibria::rng::Stream;
use equilibria::tensor::{Element, Workspace};

/// A machine whose weights and biases are normal numbers times `scale`.
fn machine<T: Element>(visible: usize, hidden: usize, scale: f64, seed: u64) -> Rbm<T> {
    let tensor = |shape: &[usize], index| {
        let mut tensor = Tensor::<T>::zeros(shape);
        tensor.fill_normal(Stream::named(seed, "init").substream(index), T::from_f64(scale));
        tensor
    };
    Rbm::from_parameters(tensor(&[visible, hidden], 0), tensor(&[visible], 1), tensor(&[hidden], 2)).unwrap()
}

/// A machine with two modes, all units on and (slightly more probable) all units off. Its chains stay near their start
/// for long.
fn attracting(visible: usize, hidden: usize, pull: f64) -> Rbm<f64> {
    let mut weight = machine::<f64>(visible, hidden, 0.2, 5).weight().clone();
    weight.data_mut().iter_mut().for_each(|w| *w += pull);
    let bias = |sums: Vec<f64>| {
        Tensor::from_vec(&[sums.len()], sums.iter().map(|sum| -0.2 - sum / 2.0).collect()).unwrap()
    };
    let visible_bias = bias(weight.data().chunks(hidden).map(|row| row.iter().sum()).collect());
    let column = |j| weight.data().iter().skip(j).step_by(hidden).sum();
    let hidden_bias = bias((0..hidden).map(column).collect());
    Rbm::from_parameters(weight, visible_bias, hidden_bias).unwrap()
}

/// The units of `states`, one state after another.
fn rows<T: Element>(states: impl Iterator<Item = usize>, width: usize) -> Vec<T> {
    states.flat_map(|state| units(state, width)).map(T::from_f64).collect()
}

/// Every visible state of a machine, in order.
fn all_images<T: Element>(exact: &Enumeration) -> Vec<T> {
    rows(0..exact.visible_states(), exact.visible)
}

/// Fails if an element of `x` differs from `exact` by more than `tolerance` times the larger of 1 and its magnitude.
#[track_caller]
fn assert_near<T: Element>(x: &[T], exact: &[f64], tolerance: f64, what: &str) {
    assert_eq!(x.len(), exact.len(), "{what}");
    for (i, (x, &exact)) in x.iter().zip(exact).enumerate() {
        let error = (x.to_f64() - exact).abs();
        assert!(error <= tolerance * exact.abs().max(1.0), "{what} at {i}: {x} is {error:e} from {exact}");
    }
}

/// Sizes and scales of the machines: usual weights, and some far above 20.
const MACHINES: [(usize, usize, f64); 5] = [(6, 4, 1.0), (5, 3, 0.1), (1, 1, 2.0), (4, 9, 3.0), (6, 4, 30.0)];

fn check_conditionals<T: Element>(tolerance: f64) {
    for (seed, (visible, hidden, scale)) in (0..).zip(MACHINES) {
        let model = machine::<T>(visible, hidden, scale, seed);
        let (exact, mut workspace) = (Enumeration::of(&model), Workspace::new());
        let what = |name| format!("{name} of {visible} x {hidden}, scale {scale}");

        let images = all_images::<T>(&exact);
        let mut out = vec![T::from_f64(f64::NAN); exact.visible_states() * hidden];
        model.hidden_probabilities(&images, &mut out, &mut workspace);
        for (v, p) in out.chunks(hidden).enumerate() {
            assert_near(p, &exact.hidden_probabilities(v), tolerance, &what("P(h = 1 | v)"));
        }
        let energies = model.free_energies(&images, &mut workspace);
        let free_energy: Vec<f64> = (0..exact.visible_states()).map(|v| exact.free_energy(v)).collect();
        assert_near(&energies, &free_energy, tolerance, &what("free energy"));

        let states = rows::<T>(0..exact.hidden_states(), hidden);
        let mut out = vec![T::from_f64(f64::NAN); exact.hidden_states() * visible];
        model.visible_probabilities(&states, &mut out, &mut workspace);
        for (h, p) in out.chunks(visible).enumerate() {
            assert_near(p, &exact.visible_probabilities(h), tolerance, &what("P(v = 1 | h)"));
        }
    }
}

#[test]
fn conditional_probabilities_and_free_energies_agree_with_enumeration() {
    check_conditionals::<f64>(1e-13);
    check_conditionals::<f32>(2e-5);
}

#[test]
fn free_energies_give_the_ratios_of_probabilities() {
    let model = machine::<f64>(6, 4, 1.0, 3);
    let exact = Enumeration::of(&model);
    let marginal = exact.marginal();
    assert!((marginal.iter().sum::<f64>() - 1.0).abs() < 1e-13);
    let energies = model.free_energies(&all_images(&exact), &mut Workspace::new());
    for v in 1..exact.visible_states() {
        let ratio = (energies[0] - energies[v]).exp();
        assert!((ratio / (marginal[v] / marginal[0]) - 1.0).abs() < 1e-12, "P({v}) / P(0)");
    }
}

fn check_pseudo_log_likelihood<T: Element>(tolerance: f64) {
    // The last machine has logits beyond the range of exp in f32, and one flip brings them back into it.
    for (seed, (visible, hidden, scale)) in (10..).zip(MACHINES.into_iter().chain([(6, 5, 200.0)])) {
        let model = machine::<T>(visible, hidden, scale, seed);
        let exact = Enumeration::of(&model);
        let (images, mut total) = (all_images::<T>(&exact), 0.0);
        for (v, image) in images.chunks(visible).enumerate() {
            let sum: f64 = exact.conditional_log_likelihoods(v).iter().sum();
            let what = format!("image {v} of {visible} x {hidden}, scale {scale}");
            assert_near(&[pseudo_log_likelihood(&model, image)], &[sum], tolerance, &what);
            total += sum;
        }
        let mean = total / exact.visible_states() as f64;
        assert_near(&[pseudo_log_likelihood(&model, &images)], &[mean], tolerance, "the mean over images");
    }
}

#[test]
fn pseudo_log_likelihoods_agree_with_enumeration() {
    check_pseudo_log_likelihood::<f64>(1e-12);
    check_pseudo_log_likelihood::<f32>(2e-5);
}

/// The mean of the stochastic estimate over `seeds`, the exact mean and the exact standard error.
fn stochastic_estimate<T: Element>(scale: f64, seeds: u64) -> (f64, f64, f64) {
    let (visible, hidden) = (6, 4);
    let model = machine::<T>(visible, hidden, scale, 20);
    let exact = Enumeration::of(&model);
    let images = all_images::<T>(&exact);
    let (mut expected, mut variance) = (0.0, 0.0);
    for v in 0..exact.visible_states() {
        let terms = exact.conditional_log_likelihoods(v);
        let sum: f64 = terms.iter().sum();
        let squares: f64 = terms.iter().map(|term| term * term).sum();
        expected += sum;
        variance += visible as f64 * squares - sum * sum;
    }
    let images_count = exact.visible_states() as f64;
    let stream = Stream::named(21, "evaluate");
    let estimate = |seed| stochastic_pseudo_log_likelihood(&model, &images, stream.substream(seed));
    let mean = (0..seeds).map(estimate).sum::<f64>() / seeds as f64;
    (mean, expected / images_count, (variance / seeds as f64).sqrt() / images_count)
}

#[test]
fn the_stochastic_pseudo_log_likelihood_has_the_exact_mean() {
    for scale in [1.0, 30.0] {
        let estimates = [stochastic_estimate::<f64>(scale, 400), stochastic_estimate::<f32>(scale, 400)];
        for (mean, exact, error) in estimates {
            assert!((mean - exact).abs() < 5.0 * error, "{mean}, not {exact} +- {error}");
            assert!(error < 0.02 * exact.abs(), "{error} is too large for the test");
        }
    }
}

#[test]
fn a_reading_agrees_with_its_separate_parts() {
    let model = machine::<f64>(6, 4, 1.0, 30);
    let exact = Enumeration::of(&model);
    let training = rows::<f64>([3, 17, 40].into_iter(), 6);
    // Each image occurs many times, so that the sampled reconstruction is close to its mean.
    let validation_states = || (0..4000).map(|row| [5, 33, 62][row % 3]);
    let validation = rows::<f64>(validation_states(), 6);
    let stream = Stream::named(31, "evaluate");
    let reading = Reading::of(&model, &training, &validation, stream).unwrap();

    let mean_free_energy = |states: &mut dyn ExactSizeIterator<Item = usize>| {
        let count = states.len() as f64;
        states.map(|v| exact.free_energy(v)).sum::<f64>() / count
    };
    let gap = mean_free_energy(&mut validation_states()) - mean_free_energy(&mut [3, 17, 40].into_iter());
    assert_near(&[reading.free_energy_gap], &[gap], 1e-12, "free-energy gap");
    let pseudo = pseudo_log_likelihood(&model, &validation);
    assert_near(&[reading.pseudo_log_likelihood], &[pseudo], 1e-12, "pseudo-log-likelihood");
    let stochastic = stochastic_pseudo_log_likelihood(&model, &validation, stream.substream(1));
    assert_near(&[reading.stochastic_pseudo_log_likelihood], &[stochastic], 1e-12, "the stochastic one");

    let (mut mean, mut variance) = (0.0, 0.0);
    for v in validation_states() {
        let squares = |h| {
            let p = exact.visible_probabilities(h);
            units(v, 6).iter().zip(p).map(|(v, p)| (v - p) * (v - p)).sum::<f64>() / 6.0
        };
        let hidden = exact.hidden_given(v);
        let first: f64 = hidden.iter().enumerate().map(|(h, p)| p * squares(h)).sum();
        let second: f64 = hidden.iter().enumerate().map(|(h, p)| p * squares(h) * squares(h)).sum();
        mean += first / 4000.0;
        variance += (second - first * first) / (4000.0 * 4000.0);
    }
    let (found, error) = (reading.reconstruction_error, variance.sqrt());
    assert!((found - mean).abs() < 5.0 * error, "reconstruction error {found}, not {mean} +- {error}");
}

#[test]
fn a_new_machine_follows_hintons_recommendations() {
    let means = [0.0, 0.001, 0.3, 0.5, 1.0];
    let model = Rbm::<f64>::new(&means, 4000, Stream::named(1, "init")).unwrap();
    let images = vec![0.0; 5];
    let mut chains = GibbsChains::new(&model, 1, Stream::named(1, "chain"));
    chains.set_visible_states(&images).unwrap();
    chains.sample_visible(); // With h = 0, P(v = 1 | h) is the mean in the data.
    assert_near(&chains.visible_probabilities(), &[0.001, 0.001, 0.3, 0.5, 0.999], 1e-7, "mean");
    assert!(model.hidden_bias().data().iter().all(|&c| c == 0.0));
    let weight = model.weight().data();
    let count = weight.len() as f64;
    let (mean, square) =
        (weight.iter().sum::<f64>() / count, weight.iter().map(|w| w * w).sum::<f64>() / count);
    assert!(mean.abs() < 5.0 * 0.01 / count.sqrt(), "{mean}");
    assert!((square / 1e-4 - 1.0).abs() < 5.0 * (2.0 / count).sqrt(), "{square}");
}
