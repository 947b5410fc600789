//! Is the hand-derived second-order gradient of the penalty the gradient of the penalty?

use crate::normals;
use equilibria::adversarial::penalty::{Slopes, direction};
use equilibria::nn::{
    Activation, Cache, Deltas, Gradients, Initialisation, Layer, LayerNorm, Linear, Scratch, Sequential,
    Tangents, Training, Wanted, interpolate,
};
use equilibria::rng::Stream;

const WEIGHT: f64 = 10.0;
const INPUTS: usize = 6;
const PAIRS: usize = 7;
const TOLERANCE: f64 = 1e-6;

const LEAKY: Activation<f64> = Activation::LeakyRelu { slope: 0.2 };

/// The critics by name: hidden layers of 9 and 8 units, an activation, with or without layer normalisation.
fn critics() -> [(&'static str, Sequential<f64>); 5] {
    [
        ("leaky", critic(LEAKY, false)),
        ("tanh", critic(Activation::Tanh, false)),
        ("softplus", critic(Activation::Softplus, false)),
        ("layer_norm", critic(LEAKY, true)),
        ("smooth_layer_norm", critic(Activation::Tanh, true)),
    ]
}

fn critic(activation: Activation<f64>, layer_norm: bool) -> Sequential<f64> {
    let mut layers: Vec<Box<dyn Layer<f64>>> = Vec::new();
    for [inputs, outputs] in [[INPUTS, 9], [9, 8]] {
        layers.push(Linear::new(inputs, outputs).into());
        if layer_norm {
            layers.push(LayerNorm::new(outputs).into());
        }
        layers.push(activation.into());
    }
    layers.push(Linear::new(8, 1).into());
    let mut critic = Sequential::new(INPUTS, layers).unwrap();
    critic.initialise(Initialisation::Uniform, Stream::named(2, "init"));
    for (parameter, index) in critic.parameters_mut().zip(0..) {
        let noise = normals::<f64>(parameter.len(), 100 + index);
        parameter.data_mut().iter_mut().zip(noise).for_each(|(x, noise)| *x += 0.2 * noise);
    }
    critic
}

fn forward(critic: &Sequential<f64>, samples: &[f64]) -> Cache<f64> {
    let mut cache = Cache::new(critic);
    cache.input_mut(samples.len() / INPUTS).copy_from_slice(samples);
    critic
        .clone()
        .forward(&mut cache, Training::new(Stream::named(0, "dropout")), &mut Scratch::new())
        .unwrap();
    cache
}

/// ∂D/∂x of each sample.
fn slopes(critic: &Sequential<f64>, samples: &[f64]) -> Vec<f64> {
    let (cache, mut deltas) = (forward(critic, samples), Deltas::new(critic));
    let rows = samples.len() / INPUTS;
    critic
        .backward(&cache, &vec![1.0; rows], Wanted::input(0..rows), &mut deltas, &mut Scratch::new())
        .unwrap();
    deltas.input(0..rows).to_vec()
}

/// The penalty, computed with first-order gradients only.
fn penalty(critic: &Sequential<f64>, samples: &[f64]) -> f64 {
    let norms = slopes(critic, samples);
    let norms = norms.chunks(INPUTS).map(|slope| slope.iter().map(|x| x * x).sum::<f64>().sqrt());
    norms.map(|norm| WEIGHT * (norm - 1.0) * (norm - 1.0)).sum::<f64>() / (samples.len() / INPUTS) as f64
}

/// The gradient of the penalty at `samples` plus mean D(fake) - mean D(real), as a game computes it.
fn gradients(
    critic: &Sequential<f64>,
    real: &[f64],
    fake: &[f64],
    samples: &[f64],
) -> (Vec<Vec<f64>>, Slopes, f64) {
    let cache = forward(critic, &[real, fake, samples].concat());
    let (mut deltas, mut tangents) = (Deltas::new(critic), Tangents::new(critic));
    let (mut gradients, mut scratch) = (Gradients::new(critic), Scratch::new());
    let (pairs, rows) = (real.len() / INPUTS, samples.len() / INPUTS);
    let between = 2 * pairs..2 * pairs + rows;
    let share = 1.0 / pairs.max(1) as f64;
    let seeds = [vec![-share; pairs], vec![share; pairs], vec![1.0; rows]].concat();
    let wanted = Wanted::both(&mut gradients, 0..2 * pairs, between.clone());
    critic.backward(&cache, &seeds, wanted, &mut deltas, &mut scratch).unwrap();
    let u = tangents.direction_mut(between.clone());
    let found = direction((WEIGHT, 1.0), INPUTS, deltas.input(between), u, &mut vec![0.0; rows]);
    critic.tangent(&cache, &deltas, &mut tangents, &mut gradients, &mut scratch).unwrap();
    let difference = cache.output().iter().zip(&seeds).take(2 * pairs).map(|(d, seed)| d * seed).sum();
    (gradients.tensors().iter().map(|tensor| tensor.data().to_vec()).collect(), found, difference)
}

/// The largest difference, relative to the larger number or to a hundredth of the largest of its tensor.
fn worst_difference(found: &[Vec<f64>], right: &[Vec<f64>]) -> f64 {
    assert_eq!(found.len(), right.len());
    let mut worst = 0.0_f64;
    for (found, right) in found.iter().zip(right) {
        assert_eq!(found.len(), right.len());
        let largest = right.iter().fold(0.0_f64, |largest, g| largest.max(g.abs()));
        for (a, b) in found.iter().zip(right) {
            // If a tensor is all 0, like the biases before leaky ReLUs, differences contain only rounding errors.
            let scale = a.abs().max(b.abs()).max(0.01 * largest).max(1e-3);
            worst = worst.max((a - b).abs() / scale);
        }
    }
    worst
}

/// Central differences of the penalty with respect to every parameter.
fn numeric(critic: &Sequential<f64>, samples: &[f64]) -> Vec<Vec<f64>> {
    let step = 1e-6;
    let by_element = |place: usize, element: usize| {
        let at = |offset: f64| {
            let mut moved = critic.clone();
            moved.parameters_mut().nth(place).unwrap().data_mut()[element] += offset;
            penalty(&moved, samples)
        };
        (at(step) - at(-step)) / (2.0 * step)
    };
    let parameters = critic.parameters().enumerate();
    parameters.map(|(place, tensor)| (0..tensor.len()).map(|i| by_element(place, i)).collect()).collect()
}

#[test]
fn is_the_gradient_of_the_penalty_that_of_central_differences() {
    for (name, critic) in critics() {
        let samples = normals::<f64>(PAIRS * INPUTS, 8);
        let (analytic, found, _) = gradients(&critic, &[], &[], &samples);
        assert!(
            (found.penalty - penalty(&critic, &samples)).abs() < 1e-12 * found.penalty,
            "{name}: {found:?}"
        );
        let worst = worst_difference(&analytic, &numeric(&critic, &samples));
        assert!(worst < TOLERANCE, "{name}: off by {worst:e}");
    }
}

#[test]
fn is_it_the_directional_derivative_of_the_first_order_gradient() {
    // Σ u · ∂g/∂θ is the change of ∂/∂θ Σ D(x̂) when x̂ moves along u.
    for (name, critic) in critics() {
        let samples = normals::<f64>(PAIRS * INPUTS, 8);
        let slopes = slopes(&critic, &samples);
        let mut u = vec![0.0; slopes.len()];
        direction((WEIGHT, 1.0), INPUTS, &slopes, &mut u, &mut [0.0; PAIRS]);
        let step = 1e-6;
        let [above, below] = [step, -step].map(|step| {
            let moved: Vec<f64> = samples.iter().zip(&u).map(|(x, u)| x + step * u).collect();
            let (cache, mut gradients) = (forward(&critic, &moved), Gradients::new(&critic));
            let wanted = Wanted::parameters(&mut gradients, 0..PAIRS);
            let mut deltas = Deltas::new(&critic);
            critic.backward(&cache, &[1.0; PAIRS], wanted, &mut deltas, &mut Scratch::new()).unwrap();
            gradients
        });
        let (mut above, mut below) = (above, below);
        let differences = above.tensors().iter().zip(below.tensors());
        let numeric: Vec<Vec<f64>> = differences
            .map(|(a, b)| a.data().iter().zip(b.data()).map(|(a, b)| (a - b) / (2.0 * step)).collect())
            .collect();
        let (analytic, ..) = gradients(&critic, &[], &[], &samples);
        let worst = worst_difference(&analytic, &numeric);
        assert!(worst < TOLERANCE, "{name}: off by {worst:e}");
    }
}

#[test]
fn do_interpolated_samples_give_the_same_scores_as_other_samples() {
    let [real, fake, alphas] = [3, 4, 5].map(|seed| normals::<f64>(PAIRS * INPUTS, seed));
    let alphas: Vec<f64> = alphas[..PAIRS].iter().map(|x| x.abs() % 1.0).collect();
    let mut between = vec![0.0; PAIRS * INPUTS];
    interpolate(&alphas, &real, &fake, &mut between);
    for (i, alpha) in alphas.iter().enumerate() {
        let place = i * INPUTS + 2;
        assert!((between[place] - (alpha * real[place] + (1.0 - alpha) * fake[place])).abs() < 1e-15);
    }
    // Also a critic that does not start with a linear layer.
    let other_first_layer =
        Sequential::new(INPUTS, vec![Activation::Tanh.into(), Linear::new(INPUTS, 1).into()]).unwrap();
    let critics = critics().into_iter().chain([("other first layer", other_first_layer)]);
    for (name, mut critic) in critics {
        let all = forward(&critic, &[&real[..], &fake, &between].concat());
        let (mut cache, training) = (Cache::new(&critic), Training::new(Stream::named(0, "dropout")));
        cache.input_mut(3 * PAIRS)[..2 * PAIRS * INPUTS].copy_from_slice(&[&real[..], &fake].concat());
        critic.forward_interpolated(&alphas, &mut cache, training, &mut Scratch::new()).unwrap();
        assert_eq!(cache.input(), all.input(), "{name}");
        for (found, right) in cache.output().iter().zip(all.output()) {
            assert!((found - right).abs() < 1e-13, "{name}: {found}, not {right}");
        }
        cache.input_mut(3 * PAIRS + 3);
        let error =
            critic.forward_interpolated(&alphas, &mut cache, training, &mut Scratch::new()).unwrap_err();
        let expected = "rows with interpolations: expected shape (21), found (24)";
        assert_eq!(error.to_string(), expected, "{name}");
    }
}

#[test]
fn does_a_penalty_without_curvature_fail() {
    // The gradient of the biases is 0 in a leaky critic, but not in a smooth critic.
    let samples = normals::<f64>(PAIRS * INPUTS, 8);
    for (name, critic) in critics() {
        let numeric = numeric(&critic, &samples);
        let forgetful: Vec<Vec<f64>> = gradients(&critic, &[], &[], &samples)
            .0
            .into_iter()
            .zip(critic.parameters())
            .map(
                |(gradient, parameter)| {
                    if parameter.rank() == 1 { vec![0.0; gradient.len()] } else { gradient }
                },
            )
            .collect();
        let worst = worst_difference(&forgetful, &numeric);
        assert_eq!(worst > 1e3 * TOLERANCE, name != "leaky", "{name}: {worst:e}");
    }
    // One number that is wrong in the fifth digit.
    let critic = critic(LEAKY, false);
    let mut wrong = gradients(&critic, &[], &[], &samples).0;
    let largest = wrong[0].iter().fold(0.0_f64, |largest, g| largest.max(g.abs()));
    wrong[0][11] += 1e-5 * largest;
    assert!(worst_difference(&wrong, &numeric(&critic, &samples)) > 5.0 * TOLERANCE);
}

#[test]
fn is_the_direction_zero_where_a_critic_is_flat() {
    let mut u = [f64::NAN; 4];
    let mut norms = [f64::NAN; 2];
    let found = direction((3.0, 1.0), 2, &[0.0, 0.0, 0.6, 0.8], &mut u, &mut norms);
    assert_eq!((u, norms), ([0.0; 4], [0.0, 1.0]));
    assert!((found.penalty - 1.5).abs() < 1e-15 && (found.mean - 0.5).abs() < 1e-15, "{found:?}");
}

#[cfg(feature = "checkpoint")]
#[test]
fn is_it_the_double_backward_of_pytorch() {
    let bytes = include_bytes!("../../fixtures/torch-penalty.safetensors");
    let torch = equilibria::checkpoint::Archive::from_bytes(bytes, "torch-penalty.safetensors").unwrap();
    let read = |name: &str, shape: &[usize]| torch.tensor_f64(name, shape).unwrap().to_vec();
    let [real, fake] = ["real", "fake"].map(|name| read(name, &[PAIRS, INPUTS]));
    let mut samples = vec![0.0; PAIRS * INPUTS];
    interpolate(&read("alpha", &[PAIRS]), &real, &fake, &mut samples);
    for (name, mut critic) in critics() {
        let mut right = Vec::new();
        let names: Vec<String> = critic.state().map(|(key, _)| format!("{name}.{key}")).collect();
        assert_eq!(names.len(), critic.parameters().count());
        for (parameter, name) in critic.parameters_mut().zip(&names) {
            let shape = parameter.shape().to_vec();
            parameter.data_mut().copy_from_slice(&read(name, &shape));
            right.push(read(&format!("{name}.gradient"), &shape));
        }
        let (found, slopes, difference) = gradients(&critic, &real, &fake, &samples);
        let worst = worst_difference(&found, &right);
        assert!(worst < 1e-10, "{name}: off by {worst:e}");
        let loss = read(&format!("{name}.loss"), &[1])[0];
        assert!((difference + slopes.penalty - loss).abs() < 1e-12 * loss.abs(), "{name}: {loss}");
        let mean = read(&format!("{name}.slopes"), &[PAIRS]).iter().sum::<f64>() / PAIRS as f64;
        assert!((slopes.mean - mean).abs() < 1e-12, "{name}: {mean}, {slopes:?}");
    }
}
