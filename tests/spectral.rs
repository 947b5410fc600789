//! Do spectrally normalised layers have the singular value 1, and the derivatives of their definition?

use equilibria::nn::{
    Activation, Cache, Conv2d, Deltas, Gradients, Initialisation, Layer, Linear, Plan, Scratch, Sequential,
    Shape, Spectral, Tangents, Training, Wanted, Window, gradient_check,
};
use equilibria::rng::Stream;
use equilibria::{Result, Tensor};

const INPUT: Shape = Shape { height: 6, width: 6, channels: 2 };

fn normals(count: usize, seed: u64) -> Vec<f64> {
    let mut numbers = Tensor::<f64>::zeros(&[count]);
    numbers.fill_normal(Stream::named(seed, "test"), 1.0);
    numbers.into_vec()
}

fn training() -> Training {
    Training::new(Stream::named(7, "dropout"))
}

fn conv(inputs: usize, outputs: usize, window: Window) -> Box<dyn Layer<f64>> {
    Spectral::new(Conv2d::new(inputs, outputs, window)).into()
}

fn linear(inputs: usize, outputs: usize) -> Box<dyn Layer<f64>> {
    Spectral::new(Linear::new(inputs, outputs)).into()
}

/// Initialised at random; after `passes` training passes.
fn network(input: Shape, layers: Vec<Box<dyn Layer<f64>>>, passes: usize) -> Sequential<f64> {
    let mut network = Sequential::new(input, layers).unwrap();
    network.initialise(Initialisation::Uniform, Stream::named(1, "init"));
    for (parameter, seed) in network.parameters_mut().zip(30..) {
        let noise = normals(parameter.len(), seed);
        parameter.data_mut().iter_mut().zip(noise).for_each(|(x, noise)| *x += 0.3 * noise);
    }
    let mut cache = Cache::new(&network);
    for _ in 0..passes {
        cache.input_mut(2).fill(0.1);
        network.forward(&mut cache, training(), &mut Scratch::new()).unwrap();
    }
    network
}

/// A critic of images, as in a penalised game.
fn critic(activation: Activation<f64>, passes: usize) -> Sequential<f64> {
    let window = Window::square(4, 2, 1);
    let layers =
        vec![conv(2, 3, window), activation.into(), conv(3, 4, window), activation.into(), linear(4, 1)];
    network(INPUT, layers, passes)
}

#[test]
fn derivatives_of_the_singular_value_are_included_to_second_order() {
    // After many passes u and v are the singular vectors, and finite differences see the true singular value.
    for activation in [Activation::LeakyRelu { slope: 0.2 }, Activation::Tanh] {
        let model = critic(activation, 2000);
        let input = normals(3 * model.inputs(), 5);
        let report = gradient_check::first_order(&model, &input, training()).unwrap();
        assert!(report.passes(), "{activation:?}, first order: {report}");
        let report = gradient_check::second_order(&model, &input, training()).unwrap();
        assert!(report.passes(), "{activation:?}, second order: {report}");
    }
}

/// Plain loops: W (rows, columns) as a list of rows.
fn times(w: &[f64], u: &[f64]) -> Vec<f64> {
    w.chunks(u.len()).map(|row| row.iter().zip(u).map(|(w, u)| w * u).sum()).collect()
}

fn times_transposed(w: &[f64], v: &[f64]) -> Vec<f64> {
    let columns = w.len() / v.len();
    (0..columns)
        .map(|column| v.iter().enumerate().map(|(row, v)| w[row * columns + column] * v).sum())
        .collect()
}

fn normalised(x: Vec<f64>) -> Vec<f64> {
    let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
    x.iter().map(|x| x / norm).collect()
}

#[test]
fn one_step_of_power_iteration_is_made_in_training_and_none_in_inference() {
    let mut model = network(5.into(), vec![linear(5, 4)], 0);
    let [w, b] = [0, 1].map(|index| model.parameters().nth(index).unwrap().data().to_vec());
    let u = model.statistics().next().unwrap().data().to_vec();
    let x = normals(2 * 5, 3);
    let output = |sigma: f64| -> Vec<f64> {
        x.chunks(5)
            .flat_map(|x| times(&w, x).into_iter().zip(&b).map(|(z, b)| z / sigma + b).collect::<Vec<_>>())
            .collect()
    };
    let is_near = |found: &[f64], right: &[f64]| found.iter().zip(right).all(|(a, b)| (a - b).abs() < 1e-13);
    let mut inferred = vec![0.0; 8];
    model.infer(&x, &mut Scratch::new(), &mut inferred).unwrap();
    let along = times(&w, &u).iter().map(|x| x * x).sum::<f64>().sqrt();
    assert!(is_near(&inferred, &output(along)));
    assert_eq!(model.statistics().next().unwrap().data(), u);

    let v = normalised(times(&w, &u));
    let next = normalised(times_transposed(&w, &v));
    let sigma: f64 = times(&w, &next).iter().zip(&v).map(|(x, v)| x * v).sum();
    let mut cache = Cache::new(&model);
    cache.input_mut(2).copy_from_slice(&x);
    model.forward(&mut cache, training().with_batches(2), &mut Scratch::new()).unwrap();
    assert!(is_near(cache.output(), &output(sigma)));
    assert!(is_near(model.statistics().next().unwrap().data(), &next));

    // The gradient at constant u and v: with respect to W/σ it is G, and G/σ − ⟨G, W⟩/σ² · v uᵀ with respect to W.
    let seed = normals(8, 4);
    let (mut deltas, mut gradients) = (Deltas::new(&model), Gradients::new(&model));
    // The second example alone, and again, so that old gradients must not count.
    for _ in 0..2 {
        let wanted = Wanted::parameters(&mut gradients, 1..2);
        model.backward(&cache, &seed[4..], wanted, &mut deltas, &mut Scratch::new()).unwrap();
    }
    let g: Vec<f64> = seed[4..].iter().flat_map(|d| x[5..].iter().map(move |x| d * x)).collect();
    let product: f64 = g.iter().zip(&w).map(|(g, w)| g * w).sum();
    let right: Vec<f64> =
        (0..20).map(|i| 2.0 * (g[i] / sigma - product / (sigma * sigma) * v[i / 5] * next[i % 5])).collect();
    assert!(is_near(gradients.tensors()[0].data(), &right), "{:?}, not {right:?}", gradients.tensors()[0]);
    assert!(is_near(gradients.tensors()[1].data(), &seed[4..].iter().map(|d| 2.0 * d).collect::<Vec<_>>()));
}

#[test]
fn passes_before_a_backward_pass_do_not_change_it() {
    let mut model = critic(Activation::Tanh, 0);
    let (x, seed) = (normals(2 * model.inputs(), 8), [1.0, -0.5]);
    let mut cache = Cache::new(&model);
    cache.input_mut(2).copy_from_slice(&x);
    model.forward(&mut cache, training(), &mut Scratch::new()).unwrap();
    let derivatives = |model: &Sequential<f64>| -> Result<Vec<Vec<f64>>> {
        let (mut deltas, mut gradients) = (Deltas::new(model), Gradients::new(model));
        let mut tangents = Tangents::new(model);
        let wanted = Wanted::both(&mut gradients, 0..2, 0..2);
        model.backward(&cache, &seed, wanted, &mut deltas, &mut Scratch::new())?;
        tangents.direction_mut(0..2).copy_from_slice(deltas.input(0..2));
        model.tangent(&cache, &deltas, &mut tangents, &mut gradients, &mut Scratch::new())?;
        Ok(gradients.tensors().iter().map(|gradient| gradient.data().to_vec()).collect())
    };
    let before = derivatives(&model).unwrap();
    let mut other = Cache::new(&model);
    other.input_mut(3).fill(0.7);
    model.forward(&mut other, training(), &mut Scratch::new()).unwrap();
    assert_eq!(derivatives(&model).unwrap(), before);
}

#[test]
fn a_convolution_has_the_singular_value_of_its_matrix_of_patches() {
    let model = network(INPUT, vec![conv(2, 3, Window::square(3, 1, 1))], 500);
    let w = model.parameters().next().unwrap().data().to_vec();
    let mut u = normals(3, 9);
    for _ in 0..2000 {
        u = normalised(times_transposed(&w, &times(&w, &u)));
    }
    let sigma = times(&w, &u).iter().map(|x| x * x).sum::<f64>().sqrt();
    let mut plain = Sequential::new(INPUT, vec![Conv2d::new(2, 3, Window::square(3, 1, 1)).into()]).unwrap();
    for (to, from) in plain.parameters_mut().zip(model.parameters()) {
        to.data_mut().copy_from_slice(from.data());
    }
    plain.parameters_mut().next().unwrap().scale_in_place(1.0 / sigma);
    let x = normals(2 * model.inputs(), 5);
    let [found, right] = [&model, &plain].map(|model| {
        let mut y = vec![0.0; 2 * model.outputs()];
        model.infer(&x, &mut Scratch::new(), &mut y).unwrap();
        y
    });
    let worst = found.iter().zip(&right).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < 1e-9, "{worst:e}, with the singular value {sigma}: {:?} {:?}", &found[..3], &right[..3]);
}

/// From 32 channels on, training passes use transformed weights, which follow a change of the weights.
#[test]
fn large_convolutions_divide_their_current_weights() {
    let (shape, window) = (Shape { height: 8, width: 8, channels: 32 }, Window::square(4, 2, 1));
    let mut model = network(shape, vec![conv(32, 32, window)], 1);
    let mut plain = Sequential::new(shape, vec![Conv2d::new(32, 32, window).into()]).unwrap();
    let (x, seed) = (normals(2 * model.inputs(), 5), normals(2 * model.outputs(), 6));
    for change in 10..12 {
        let noise = normals(16 * 32 * 32, change);
        let weight = model.parameters_mut().next().unwrap();
        weight.data_mut().iter_mut().zip(noise).for_each(|(w, noise)| *w += 0.1 * noise);
        let w = weight.data().to_vec();
        let v = normalised(times(&w, model.statistics().next().unwrap().data()));
        let sigma = times_transposed(&w, &v).iter().map(|x| x * x).sum::<f64>().sqrt();
        for (to, from) in plain.parameters_mut().zip(model.parameters()) {
            to.data_mut().copy_from_slice(from.data());
        }
        plain.parameters_mut().next().unwrap().scale_in_place(1.0 / sigma);
        let [found, right] = [&mut model, &mut plain].map(|model| {
            let (mut cache, mut deltas) = (Cache::new(model), Deltas::new(model));
            cache.input_mut(2).copy_from_slice(&x);
            model.forward(&mut cache, training(), &mut Scratch::new()).unwrap();
            model.backward(&cache, &seed, Wanted::input(0..2), &mut deltas, &mut Scratch::new()).unwrap();
            [cache.output(), deltas.input(0..2)].concat()
        });
        let mut inferred = vec![0.0; 2 * plain.outputs()];
        plain.infer(&x, &mut Scratch::new(), &mut inferred).unwrap();
        let is_near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(is_near(&found, &right) && is_near(&found, &inferred));
    }
}

#[test]
fn a_plan_names_the_layers_and_their_state_has_u() {
    let text =
        "6x6x2: spectral-conv 3 kernel 4 stride 2 padding 1 no-bias, leaky-relu 0.2, spectral-linear 1";
    let plan: Plan = text.parse().unwrap();
    assert_eq!(plan.to_string(), text);
    let network = plan.build::<f32>().unwrap();
    let names: Vec<String> = network.state().map(|(name, _)| name).collect();
    assert_eq!(names, ["0.weight", "0.weight_u", "2.weight", "2.bias", "2.weight_u"]);
    assert_eq!(plan.parameters(), 4 * 4 * 2 * 3 + 27 + 1);
    let parameters: usize = network.parameters().map(|parameter| parameter.len()).sum();
    assert_eq!(parameters as u128, plan.parameters());
    for wrong in [
        "6: spectral-linear",
        "6: spectral-linear 3 no-bias",
        "6: spectral-linear 1.5",
        "6x6x2: spectral-conv 3",
    ] {
        assert!(wrong.parse::<Plan>().is_err(), "{wrong}");
    }
}
