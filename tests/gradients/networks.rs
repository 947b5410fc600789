//! Networks for the gradient checks, and their gradients.

use equilibria::Tensor;
use equilibria::nn::{
    Activation, Cache, Deltas, Gradients, Initialisation, Layer, Linear, Scratch, Sequential, Training,
    Wanted,
};
use equilibria::rng::Stream;

/// Numbers of both signs.
pub fn normals(count: usize, seed: u64) -> Vec<f64> {
    let mut numbers = Tensor::<f64>::zeros(&[count.max(1)]);
    numbers.fill_normal(Stream::named(seed, "test"), 1.0);
    numbers.data()[..count].to_vec()
}

/// A network with random values in every parameter.
pub fn network(inputs: usize, layers: Vec<Box<dyn Layer<f64>>>, seed: u64) -> Sequential<f64> {
    let mut model = Sequential::new(inputs, layers).unwrap();
    model.initialise(Initialisation::Uniform, Stream::named(seed, "init"));
    for (parameter, index) in model.parameters_mut().zip(100..) {
        // Scales around 1, shifts and biases around 0: no parameter has a value that could hide an error.
        let noise = normals(parameter.len(), seed + index);
        parameter.data_mut().iter_mut().zip(noise).for_each(|(x, noise)| *x += 0.1 * noise);
    }
    model
}

pub fn training() -> Training {
    Training::new(Stream::named(7, "dropout"))
}

/// A training pass, its gradients of Σ `seed` y with respect to the parameters, and the deltas, which contain those
/// with respect to the input.
pub fn first_order(
    model: &Sequential<f64>,
    input: &[f64],
    training: Training,
    seed: &[f64],
) -> (Cache<f64>, Vec<Tensor<f64>>, Deltas<f64>) {
    let (mut cache, mut deltas, mut scratch) = (Cache::new(model), Deltas::new(model), Scratch::new());
    let mut gradients = Gradients::new(model);
    let rows = input.len() / model.inputs();
    cache.input_mut(rows).copy_from_slice(input);
    model.clone().forward(&mut cache, training, &mut scratch).unwrap();
    let wanted = Wanted::both(&mut gradients, 0..rows, 0..rows);
    model.backward(&cache, seed, wanted, &mut deltas, &mut scratch).unwrap();
    (cache, gradients.tensors().to_vec(), deltas)
}

pub const LEAKY: Activation<f64> = Activation::LeakyRelu { slope: 0.2 };

/// One of each activation.
pub const ACTIVATIONS: [Activation<f64>; 6] = [
    Activation::Identity,
    Activation::Relu,
    LEAKY,
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::Softplus,
];

/// A network of linear layers of these widths, with `activation` after each but the last.
pub fn perceptron(widths: &[usize], activation: Activation<f64>, seed: u64) -> Sequential<f64> {
    let mut layers: Vec<Box<dyn Layer<f64>>> = Vec::new();
    for pair in widths.windows(2) {
        layers.push(Linear::new(pair[0], pair[1]).into());
        layers.push(activation.into());
    }
    layers.pop();
    network(widths[0], layers, seed)
}
