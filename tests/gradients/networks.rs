//! Networks to differentiate, and their numeric derivatives.

use super::{TOLERANCE, difference, step_at};
use equilibria::nn::{
    Activation, Cache, Deltas, Gradients, Initialisation, Layer, Linear, Scratch, Sequential, Training,
    Wanted,
};
use equilibria::rng::Stream;

/// Numbers of both signs.
pub fn normals(count: usize, seed: u64) -> Vec<f64> {
    let mut numbers = equilibria::Tensor::<f64>::zeros(&[count.max(1)]);
    numbers.fill_normal(Stream::named(seed, "test"), 1.0);
    numbers.data()[..count].to_vec()
}

/// A network whose every parameter is drawn.
pub fn network(inputs: usize, layers: Vec<Layer<f64>>, seed: u64) -> Sequential<f64> {
    let mut model = Sequential::new(inputs, layers).unwrap();
    model.initialise(Initialisation::Uniform, Stream::named(seed, "init"));
    for (parameter, index) in model.parameters_mut().zip(100..) {
        // Scales around 1, shifts and biases around 0: none at a value that hides it.
        let noise = normals(parameter.len(), seed + index);
        parameter.data_mut().iter_mut().zip(noise).for_each(|(x, noise)| *x += 0.1 * noise);
    }
    model
}

pub fn training() -> Training {
    Training::new(Stream::named(7, "dropout"))
}

/// What the network makes of the input, in training.
pub fn output(model: &Sequential<f64>, input: &[f64], training: Training) -> Vec<f64> {
    let mut cache = Cache::new(model);
    cache.input_mut(input.len() / model.inputs()).copy_from_slice(input);
    model.clone().forward(&mut cache, training, &mut Scratch::new()).unwrap();
    cache.output().to_vec()
}

/// On which side of its kink each piecewise linear unit is.
pub fn sides(model: &Sequential<f64>, input: &[f64], training: Training) -> Vec<bool> {
    let is_kinked = |layer: &Layer<f64>| matches!(layer, Layer::Activation(a) if a.is_piecewise_linear());
    let kinks = (1..=model.layers().len()).filter(|&end| is_kinked(&model.layers()[end - 1]));
    kinks
        .flat_map(|end| {
            let prefix = Sequential::new(model.inputs(), model.layers()[..end].to_vec()).unwrap();
            output(&prefix, input, training).into_iter().map(|y| y > 0.0).collect::<Vec<_>>()
        })
        .collect()
}

/// A place at which a function of network and input is differentiated.
#[derive(Clone, Copy, Debug)]
pub enum Coordinate {
    Parameter(usize, usize),
    Input(usize),
}

fn place<'a>(model: &'a mut Sequential<f64>, input: &'a mut [f64], at: Coordinate) -> &'a mut f64 {
    match at {
        Coordinate::Parameter(index, element) => {
            &mut model.parameters_mut().nth(index).unwrap().data_mut()[element]
        }
        Coordinate::Input(element) => &mut input[element],
    }
}

/// The central difference of `function` at a coordinate; none where a kink is within the step.
pub fn numeric(
    model: &Sequential<f64>,
    input: &[f64],
    training: Training,
    at: Coordinate,
    function: &dyn Fn(&Sequential<f64>, &[f64]) -> f64,
) -> Option<f64> {
    let (mut model, mut input) = (model.clone(), input.to_vec());
    let x = *place(&mut model, &mut input, at);
    let step = step_at(x);
    let mut at_offset = |offset: f64| {
        *place(&mut model, &mut input, at) = x + offset;
        (function(&model, &input), sides(&model, &input, training))
    };
    let ((above, sides_above), (below, sides_below)) = (at_offset(step), at_offset(-step));
    (sides_above == sides_below).then(|| (above - below) / ((x + step) - (x - step)))
}

/// Asserts that `analytic` gradients, of each parameter and then of the input, are those of `function`.
pub fn assert_gradients(
    what: &str,
    model: &Sequential<f64>,
    input: &[f64],
    training: Training,
    analytic: &[Vec<f64>],
    function: &dyn Fn(&Sequential<f64>, &[f64]) -> f64,
) {
    let worst = worst_difference(what, model, input, training, analytic, function);
    assert!(worst <= TOLERANCE, "{what}: gradients are off by {worst:e}");
}

/// The largest difference of `analytic` gradients from those of `function`.
pub fn worst_difference(
    what: &str,
    model: &Sequential<f64>,
    input: &[f64],
    training: Training,
    analytic: &[Vec<f64>],
    function: &dyn Fn(&Sequential<f64>, &[f64]) -> f64,
) -> f64 {
    let parameters = model.parameters().count();
    let (mut skipped, mut total, mut worst) = (0, 0, 0.0_f64);
    for (index, analytic) in analytic.iter().enumerate() {
        let coordinate = |element| {
            if index < parameters {
                Coordinate::Parameter(index, element)
            } else {
                Coordinate::Input(element)
            }
        };
        let (mut kept, mut differences) = (Vec::new(), Vec::new());
        for (element, &gradient) in analytic.iter().enumerate() {
            total += 1;
            match numeric(model, input, training, coordinate(element), function) {
                Some(difference) => {
                    kept.push(gradient);
                    differences.push(difference);
                }
                None => skipped += 1,
            }
        }
        worst = worst.max(difference(&kept, &differences));
    }
    assert!(skipped <= total / 20, "{what}: {skipped} of {total} coordinates are at a kink");
    worst
}

/// The gradients of Σ `seed` y with respect to each parameter, and then the input.
pub fn first_order(
    model: &Sequential<f64>,
    input: &[f64],
    training: Training,
    seed: &[f64],
) -> Vec<Vec<f64>> {
    let (mut cache, mut deltas, mut scratch) = (Cache::new(model), Deltas::new(model), Scratch::new());
    let mut gradients = Gradients::new(model);
    let rows = input.len() / model.inputs();
    cache.input_mut(rows).copy_from_slice(input);
    model.clone().forward(&mut cache, training, &mut scratch).unwrap();
    let wanted = Wanted::both(&mut gradients, 0..rows, 0..rows);
    model.backward(&cache, seed, wanted, &mut deltas, &mut scratch).unwrap();
    let parameters = gradients.tensors().iter().map(|tensor| tensor.data().to_vec());
    parameters.chain([deltas.input(0..rows).to_vec()]).collect()
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
    let mut layers: Vec<Layer<f64>> = Vec::new();
    for pair in widths.windows(2) {
        layers.push(Linear::new(pair[0], pair[1]).into());
        layers.push(activation.into());
    }
    layers.pop();
    network(widths[0], layers, seed)
}
