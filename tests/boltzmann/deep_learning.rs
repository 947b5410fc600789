//! Does joint training of a deep machine follow the gradient of the variational bound?

use crate::assert_near;
use crate::deep_states::{DeepStates, deep_machine, statistics};
use crate::enumeration::{log_sum_exp, units};
use equilibria::Tensor;
use equilibria::boltzmann::learning::Rates;
use equilibria::boltzmann::learning::deep::DeepLearner;
use equilibria::boltzmann::{Dbm, Stop};
use equilibria::rng::Stream;

/// A learning rate so small that the model does not change: velocity / rate is the gradient. Without momentum no
/// velocity is stored.
const STILL: Rates = Rates { learning_rate: 1e-12, momentum: 1e-100, weight_decay: 0.0 };
const MACHINES: [&[usize]; 2] = [&[4, 3, 2], &[3, 2, 2, 2]];
/// Enough chains to keep the noise of their mean below a hundredth.
const CHAINS: usize = 20_000;
const UPDATES: u64 = 12;

fn model(sizes: &[usize]) -> Dbm<f64> {
    deep_machine(sizes, 0.8, 90)
}

/// The images of the mini-batch.
fn images(visible: usize) -> [Vec<f64>; 2] {
    [0b0101, 0b0111].map(|state| units(state, visible))
}

/// The fixed point of the mean-field equations by plain loops, layer after layer, including the image.
fn posterior(model: &Dbm<f64>, image: &[f64]) -> Vec<Vec<f64>> {
    let sizes: Vec<usize> = model.sizes().collect();
    let mut means: Vec<Vec<f64>> = sizes.iter().map(|&size| vec![0.5; size]).collect();
    means[0] = image.to_vec();
    for _ in 0..300 {
        for layer in 1..sizes.len() {
            for j in 0..sizes[layer] {
                let below = model.weights()[layer - 1].data();
                let mut logit = model.biases()[layer].data()[j];
                logit += (0..sizes[layer - 1])
                    .map(|i| means[layer - 1][i] * below[i * sizes[layer] + j])
                    .sum::<f64>();
                if layer + 1 < sizes.len() {
                    let above = &model.weights()[layer].data()[j * sizes[layer + 1]..];
                    logit += means[layer + 1].iter().zip(above).map(|(mean, w)| mean * w).sum::<f64>();
                }
                means[layer][j] = 1.0 / (1.0 + (-logit).exp());
            }
        }
    }
    means
}

/// The positive phase: the mean over the images of the statistics.
fn positive_phase(model: &Dbm<f64>) -> Vec<f64> {
    let [one, two] = images(model.visible()).map(|image| statistics(&posterior(model, &image)));
    one.iter().zip(two).map(|(x, y)| (x + y) / 2.0).collect()
}

/// The gradient of the images' mean bound with respect to all parameters, with the means of the hidden units held
/// fixed.
fn exact_gradient(model: &Dbm<f64>) -> Vec<f64> {
    let negative = DeepStates::of(model).phase();
    positive_phase(model).iter().zip(negative).map(|(x, y)| x - y).collect()
}

fn parameters(model: &Dbm<f64>) -> Vec<f64> {
    model.weights().iter().chain(model.biases()).flat_map(|tensor| tensor.data().iter().copied()).collect()
}

#[test]
fn means_minus_expectations_are_the_derivative_of_the_bound() {
    const STEP: f64 = 1e-5;
    for sizes in MACHINES {
        let model = model(sizes);
        // The bound without the entropy, which does not depend on the parameters.
        let positive = positive_phase(&model);
        let bound = |index: usize, change: f64| {
            let mut numbers = parameters(&model);
            numbers[index] += change;
            let (mut tensors, mut first) = (Vec::new(), 0);
            for tensor in model.weights().iter().chain(model.biases()) {
                let numbers = numbers[first..first + tensor.len()].to_vec();
                tensors.push(Tensor::from_vec(tensor.shape(), numbers).unwrap());
                first += tensor.len();
            }
            let biases = tensors.split_off(model.hidden_layers());
            let log_partition = log_partition(&Dbm::from_parameters(tensors, biases).unwrap());
            positive.iter().zip(&numbers).map(|(x, parameter)| x * parameter).sum::<f64>() - log_partition
        };
        let slope = |index| (bound(index, STEP) - bound(index, -STEP)) / (2.0 * STEP);
        let slopes: Vec<f64> = (0..positive.len()).map(slope).collect();
        assert_near(&exact_gradient(&model), &slopes, 1e-8, "gradient of the bound");
    }
}

fn log_partition(model: &Dbm<f64>) -> f64 {
    let exact = DeepStates::of(model);
    let minus_energy = |state: usize| {
        statistics(&exact.layers(state)).iter().zip(parameters(model)).map(|(x, w)| x * w).sum::<f64>()
    };
    let all: Vec<f64> = (0..exact.joint.len()).map(minus_energy).collect();
    log_sum_exp(all.iter().copied())
}

/// The gradient of the last update of a fixed model, and the offsets.
fn update_gradient(
    model: &Dbm<f64>,
    is_centred: bool,
    are_binary: bool,
) -> (Vec<f64>, Option<Vec<Vec<f64>>>) {
    let stream = Stream::named(91, "chain");
    let mut learner = DeepLearner::new(model.clone(), 8, CHAINS, 10, stream)
        .unwrap()
        .with_stop(Stop { tolerance: 1e-14, iterations: 300 });
    if is_centred {
        learner = learner.centred();
    }
    let mut rows = images(model.visible()).concat();
    if !are_binary {
        // Almost the same images, but not bits.
        rows.iter_mut().for_each(|x| *x = (*x - 1e-9).abs());
    }
    for update in 0..UPDATES {
        learner.images_mut(2).copy_from_slice(&rows);
        learner.update(STILL, stream.substream(100 + update)).unwrap();
        let found = learner.convergence();
        assert!(found.change < 1e-14 && found.iterations < 300, "{found:?}");
    }
    let state = learner.state();
    let velocity = state.weight_velocity.iter().chain(&state.bias_velocity);
    let gradient = velocity.flat_map(|tensor| tensor.data()).map(|x| x / STILL.learning_rate).collect();
    (gradient, state.offsets.map(|offsets| offsets.iter().map(|x| x.data().to_vec()).collect()))
}

/// The centred gradient, computed from the plain one as it is defined.
fn centre(plain: &[f64], sizes: &[usize], offsets: &[Vec<f64>]) -> Vec<f64> {
    let mut gradient = plain.to_vec();
    let weights: usize = sizes.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let mut bias_gradients = Vec::new();
    let mut first = weights;
    for &size in sizes {
        bias_gradients.push(&plain[first..first + size]);
        first += size;
    }
    let mut at = 0;
    for (l, pair) in sizes.windows(2).enumerate() {
        for i in 0..pair[0] {
            for j in 0..pair[1] {
                gradient[at] -=
                    offsets[l][i] * bias_gradients[l + 1][j] + bias_gradients[l][i] * offsets[l + 1][j];
                at += 1;
            }
        }
    }
    gradient
}

#[test]
fn the_expected_update_is_the_gradient_of_the_bound() {
    for sizes in MACHINES {
        let model = model(sizes);
        let exact = exact_gradient(&model);
        for (is_centred, are_binary) in [(false, true), (false, false), (true, true)] {
            let (found, offsets) = update_gradient(&model, is_centred, are_binary);
            let expected = match &offsets {
                Some(offsets) => centre(&exact, sizes, offsets),
                None => exact.clone(),
            };
            // Each statistic lies in [0, 1] and has a variance of at most a quarter; centred statistics add two of
            // them.
            let error = 0.5 / (CHAINS as f64).sqrt() * if is_centred { 2.0 } else { 1.0 };
            let largest = found.iter().zip(&expected).map(|(x, y)| (x - y).abs() / error).fold(0.0, f64::max);
            assert!(largest < 4.0, "{sizes:?}, centred {is_centred}, binary {are_binary}: {largest} errors");
            // The test distinguishes this gradient from others: from 0, and from the plain gradient.
            let size = expected.iter().map(|x| x.abs() / error).fold(0.0, f64::max);
            assert!(size > 20.0, "{sizes:?}: the gradient is only {size} errors long");
            if is_centred {
                let other = found.iter().zip(&exact).map(|(x, y)| (x - y).abs() / error).fold(0.0, f64::max);
                assert!(other > 10.0, "{sizes:?}: {other} errors from the plain gradient");
            }
        }
    }
}
