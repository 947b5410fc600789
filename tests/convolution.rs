//! Are the convolution layers right, alone and in networks, in their values and their first and second derivatives?

use equilibria::adversarial::penalty;
use equilibria::nn::{
    Activation, Cache, Conv2d, ConvTranspose2d, Deltas, Gradients, Initialisation, Layer, Linear, Plan,
    Scratch, Sequential, Shape, Tangents, Training, Wanted, Window, gradient_check,
};
use equilibria::rng::Stream;
use equilibria::{Error, Tensor};

fn normals(count: usize, seed: u64) -> Vec<f64> {
    let mut numbers = Tensor::<f64>::zeros(&[count]);
    numbers.fill_normal(Stream::named(seed, "test"), 1.0);
    numbers.into_vec()
}

fn training() -> Training {
    Training::new(Stream::named(7, "dropout"))
}

fn network(input: Shape, layers: Vec<Box<dyn Layer<f64>>>) -> Sequential<f64> {
    let mut network = Sequential::new(input, layers).unwrap();
    network.initialise(Initialisation::Uniform, Stream::named(1, "init"));
    network
}

fn assert_derivatives(network: &Sequential<f64>, examples: usize, has_second_order: bool) {
    let input = normals(examples * network.inputs(), 5);
    let report = gradient_check::first_order(network, &input, training()).unwrap();
    assert!(report.passes(), "first order: {report}");
    if has_second_order {
        let report = gradient_check::second_order(network, &input, training()).unwrap();
        assert!(report.passes(), "second order: {report}");
    }
}

/// The example in the documentation of the layer.
#[test]
fn the_worked_example_has_these_numbers() {
    let window = Window { kernel: [1, 3], stride: [1, 2], padding: [0, 1] };
    let input = Shape { height: 1, width: 4, channels: 1 };
    let mut model = network(input, vec![Conv2d::without_bias(1, 1, window).into()]);
    model.parameters_mut().next().unwrap().data_mut().copy_from_slice(&[1.0, 2.0, 3.0]);
    let (mut cache, mut scratch) = (Cache::new(&model), Scratch::new());
    cache.input_mut(1).copy_from_slice(&[10.0, 20.0, 30.0, 40.0]);
    model.forward(&mut cache, training(), &mut scratch).unwrap();
    assert_eq!(cache.output(), [80.0, 200.0]);
    let (mut deltas, mut gradients) = (Deltas::new(&model), Gradients::new(&model));
    let wanted = Wanted::both(&mut gradients, 0..1, 0..1);
    model.backward(&cache, &[1.0, 10.0], wanted, &mut deltas, &mut scratch).unwrap();
    assert_eq!(deltas.input(0..1), [2.0, 13.0, 20.0, 30.0]);
    assert_eq!(gradients.tensors()[0].data(), [200.0, 310.0, 420.0]);
}

#[test]
fn convolutions_are_differentiated_with_every_activation_around_them() {
    for (kernel, stride, padding) in [(4, 2, 1), (3, 1, 1), (2, 2, 0), (1, 1, 0), (3, 2, 2)] {
        let window = Window::square(kernel, stride, padding);
        for activation in [Activation::LeakyRelu { slope: 0.2 }, Activation::Tanh, Activation::Softplus] {
            let input = Shape { height: 4, width: 6, channels: 3 };
            let layers: Vec<Box<dyn Layer<f64>>> = vec![
                Conv2d::new(3, 4, window).into(),
                activation.into(),
                Conv2d::without_bias(4, 2, Window::square(2, 1, 1)).into(),
                activation.into(),
            ];
            assert_derivatives(&network(input, layers), 3, true);
            let layers: Vec<Box<dyn Layer<f64>>> = vec![
                ConvTranspose2d::new(3, 4, window).into(),
                activation.into(),
                ConvTranspose2d::without_bias(4, 2, Window::square(2, 1, 0)).into(),
                activation.into(),
            ];
            assert_derivatives(&network(input, layers), 2, true);
        }
    }
}

#[test]
fn a_whole_generator_and_a_whole_discriminator_are_differentiated() {
    let generator = "6: conv-transpose 5 kernel 2 stride 1 padding 0 no-bias, batch-norm, relu, conv-transpose 4 kernel 4 stride \
                     2 padding 1 no-bias, batch-norm, relu, conv-transpose 3 kernel 4 stride 2 padding 1, tanh";
    let plan: Plan = generator.parse().unwrap();
    assert_eq!(
        (plan.to_string().as_str(), plan.output()),
        (generator, Shape { height: 8, width: 8, channels: 3 })
    );
    let mut model = plan.build::<f64>().unwrap();
    model.initialise(Initialisation::Normal { standard_deviation: 0.3 }, Stream::named(2, "init"));
    assert_eq!(model.parameters().map(|p| p.len() as u128).sum::<u128>(), plan.parameters());
    assert_derivatives(&model, 4, false);

    let discriminator = "8x8x3: conv 4 kernel 4 stride 2 padding 1, leaky-relu 0.2, conv 5 kernel 4 stride 2 padding 1, layer-norm, \
                         leaky-relu 0.2, conv 1 kernel 2 stride 1 padding 0";
    let plan: Plan = discriminator.parse().unwrap();
    assert_eq!((plan.to_string().as_str(), plan.output().size()), (discriminator, 1));
    let mut model = plan.build::<f64>().unwrap();
    model.initialise(Initialisation::Uniform, Stream::named(3, "init"));
    assert_eq!(model.parameters().map(|p| p.len() as u128).sum::<u128>(), plan.parameters());
    assert_derivatives(&model, 3, true);
}

/// ⟨w * x, y⟩ = ⟨x, w *ᵀ y⟩.
#[test]
fn a_transposed_layer_is_the_adjoint_of_the_convolution() {
    let window = Window { kernel: [4, 3], stride: [2, 3], padding: [1, 0] };
    let image = Shape { height: 8, width: 9, channels: 3 };
    let mut forward = network(image, vec![Conv2d::without_bias(3, 5, window).into()]);
    let output = forward.output_shape();
    let mut back = network(output, vec![ConvTranspose2d::without_bias(5, 3, window).into()]);
    assert_eq!(back.output_shape(), image);
    let weights = normals(4 * 3 * 3 * 5, 1);
    for model in [&mut forward, &mut back] {
        model.parameters_mut().next().unwrap().data_mut().copy_from_slice(&weights);
    }
    let (x, y) = (normals(2 * image.size(), 2), normals(2 * output.size(), 3));
    let run = |model: &Sequential<f64>, input: &[f64], len| {
        let mut result = vec![0.0; len];
        model.infer(input, &mut Scratch::new(), &mut result).unwrap();
        result
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (left, right) = (dot(&run(&forward, &x, y.len()), &y), dot(&x, &run(&back, &y, x.len())));
    assert!((left - right).abs() < 1e-9 * left.abs(), "{left} and {right}");
}

/// Wide layers are trained by minimal filtering, which keeps transformed weights; inference does not use them.
#[test]
fn training_passes_of_wide_layers_follow_the_weights() {
    let window = Window::square(4, 2, 1);
    let shape = |side| Shape { height: side, width: side, channels: 32 };
    let layers: [(Shape, Box<dyn Layer<f64>>); 3] = [
        (shape(4), Conv2d::without_bias(32, 48, window).into()),
        (shape(8), Conv2d::without_bias(32, 32, window).into()),
        (shape(4), ConvTranspose2d::without_bias(32, 48, window).into()),
    ];
    for (input, layer) in layers {
        let mut model = network(input, vec![layer]);
        let (mut cache, mut deltas) = (Cache::new(&model), Deltas::new(&model));
        let (mut gradients, mut scratch) = (Gradients::new(&model), Scratch::new());
        for seed in 1..4 {
            model.parameters_mut().for_each(|w| w.fill_normal(Stream::named(seed, "test"), 1.0));
            let x = normals(3 * input.size(), 10 * seed);
            cache.input_mut(3).copy_from_slice(&x);
            model.forward(&mut cache, training(), &mut scratch).unwrap();
            let mut y = vec![0.0; cache.output().len()];
            model.infer(&x, &mut scratch, &mut y).unwrap();
            let largest = y.iter().fold(0.0_f64, |largest, y| largest.max(y.abs()));
            assert!(cache.output().iter().zip(&y).all(|(a, b)| (a - b).abs() < 1e-12 * largest));

            // The sum of δ y is linear in x and in w.
            let delta = normals(y.len(), 20 * seed);
            gradients.clear();
            let wanted = Wanted::both(&mut gradients, 0..3, 0..3);
            model.backward(&cache, &delta, wanted, &mut deltas, &mut scratch).unwrap();
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let right = dot(&delta, &y);
            let w = model.parameters().next().unwrap();
            for found in [dot(deltas.input(0..3), &x), dot(gradients.tensors()[0].data(), w.data())] {
                assert!((found - right).abs() < 1e-9 * right.abs().max(1.0), "{found}, not {right}");
            }
        }
    }
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let image = Shape { height: 4, width: 4, channels: 3 };
    let refused = |input: Shape, layer: Box<dyn Layer<f64>>| Sequential::new(input, vec![layer]).unwrap_err();
    let error = refused(image, Conv2d::new(2, 4, Window::square(4, 2, 1)).into());
    assert!(matches!(error, Error::ShapeMismatch { .. }), "{error}");
    let error = refused(image, ConvTranspose2d::new(4, 2, Window::square(4, 2, 1)).into());
    assert!(matches!(error, Error::ShapeMismatch { .. }), "{error}");
    let error = refused(image, Conv2d::new(3, 4, Window::square(7, 2, 1)).into()).to_string();
    assert_eq!(
        error,
        "a 7x7 kernel, stride 2x2, padding 1x1, on 4x4 pixels: the kernel of a convolution fits into the padded image"
    );
    let error = refused(image, Conv2d::new(3, 4, Window::square(4, 0, 1)).into()).to_string();
    assert!(error.contains("at least 1"), "{error}");
    let error = refused(image, ConvTranspose2d::new(3, 4, Window::square(2, 1, 5)).into()).to_string();
    assert!(error.contains("twice the padding"), "{error}");
    for text in [
        "4x4x3: conv 8 kernel 7 stride 1 padding 1",
        "4x4x3: conv 8 kernel 2 stride 0 padding 0",
        "4x4x3: conv-transpose 8 kernel 2 stride 1 padding 9",
        "4x4x3: conv 0 kernel 2 stride 1 padding 0",
    ] {
        assert!(text.parse::<Plan>().unwrap().build::<f32>().is_err(), "{text}");
    }
    for text in ["4x4x3: conv 8", "4x4x3: conv 8 kernel 3", "4x4x3: conv 8 kernel 3 stride 1 padding 1 bias"]
    {
        assert!(text.parse::<Plan>().is_err(), "{text}");
    }
}

#[test]
fn an_image_flattens_into_a_linear_layer() {
    let image = Shape { height: 4, width: 4, channels: 2 };
    let layers: Vec<Box<dyn Layer<f64>>> = vec![
        Conv2d::new(2, 3, Window::square(4, 2, 1)).into(),
        Activation::Relu.into(),
        Linear::new(12, 2).into(),
    ];
    assert_derivatives(&network(image, layers), 3, true);
}

/// The numbers of a tensor of PyTorch, with the axes of an image or of the weight of a convolution in our order.
#[cfg(feature = "checkpoint")]
fn from_pytorch(archive: &equilibria::checkpoint::Archive, name: &str) -> Vec<f64> {
    let shape = archive.shape(name).unwrap();
    let values = archive.tensor_f64(name, shape).unwrap();
    let value = |index: [usize; 4], sides: [usize; 4]| {
        values[index.iter().zip(sides).fold(0, |place, (i, side)| place * side + i)]
    };
    let mut numbers = Vec::new();
    match (shape, name.ends_with("weight") || name.ends_with("weight.gradient")) {
        // (out, in, height, width) to (height, width, in, out)
        (&[o, i, h, w], true) => {
            for place in 0..o * i * h * w {
                let (pixel, input, output) = (place / o / i, place / o % i, place % o);
                numbers.push(value([output, input, pixel / w, pixel % w], [o, i, h, w]));
            }
        }
        // (examples, channels, height, width) to (examples, height, width, channels)
        (&[n, c, h, w], false) => {
            for place in 0..n * c * h * w {
                let (pixel, channel) = (place / c % (h * w), place % c);
                numbers.push(value([place / c / h / w, channel, pixel / w, pixel % w], [n, c, h, w]));
            }
        }
        // The scales and shifts of layer normalisation: (channels, height, width) to (height, width, channels)
        (&[c, h, w], _) => {
            for place in 0..c * h * w {
                let (pixel, channel) = (place / c, place % c);
                numbers.push(value([0, channel, pixel / w, pixel % w], [1, c, h, w]));
            }
        }
        _ => numbers.extend(values),
    }
    numbers
}

#[cfg(feature = "checkpoint")]
#[test]
fn the_penalty_of_a_convolutional_critic_is_the_double_backward_of_pytorch() {
    let bytes = include_bytes!("../fixtures/torch-dcgan-checks.safetensors");
    let torch = equilibria::checkpoint::Archive::from_bytes(bytes, "torch-dcgan-checks.safetensors").unwrap();
    let head =
        "8x8x2: conv 3 kernel 4 stride 2 padding 1, leaky-relu 0.2, conv 4 kernel 4 stride 2 padding 1";
    for (name, norm) in [("plain", ""), ("layer_norm", " layer-norm,")] {
        let plan: Plan =
            format!("{head},{norm} leaky-relu 0.2, conv 1 kernel 2 stride 1 padding 0").parse().unwrap();
        let mut critic = plan.build::<f64>().unwrap();
        let names: Vec<String> = critic.state().map(|(key, _)| format!("{name}.{key}")).collect();
        for (parameter, name) in critic.parameters_mut().zip(&names) {
            parameter.data_mut().copy_from_slice(&from_pytorch(&torch, name));
        }
        let (mut cache, mut scratch) = (Cache::new(&critic), Scratch::new());
        let (size, alphas) = (critic.inputs(), from_pytorch(&torch, "alpha"));
        let [real, fake] = ["real", "fake"].map(|name| from_pytorch(&torch, name));
        let (x, others) = cache.input_mut(9).split_at_mut(3 * size);
        x.copy_from_slice(&real);
        others[..3 * size].copy_from_slice(&fake);
        critic.forward_interpolated(&alphas, &mut cache, training(), &mut scratch).unwrap();
        let (mut deltas, mut tangents) = (Deltas::new(&critic), Tangents::new(&critic));
        let mut gradients = Gradients::new(&critic);
        let seeds = [[-1.0 / 3.0; 3], [1.0 / 3.0; 3], [1.0; 3]].concat();
        let wanted = Wanted::both(&mut gradients, 0..6, 6..9);
        critic.backward(&cache, &seeds, wanted, &mut deltas, &mut scratch).unwrap();
        let mut norms = [0.0; 3];
        let u = tangents.direction_mut(6..9);
        let slopes = penalty::direction((10.0, 1.0), size, deltas.input(6..9), u, &mut norms);
        critic.tangent(&cache, &deltas, &mut tangents, &mut gradients, &mut scratch).unwrap();
        let difference: f64 = cache.output().iter().zip(&seeds).take(6).map(|(d, seed)| d * seed).sum();
        let loss = from_pytorch(&torch, &format!("{name}.loss"))[0];
        assert!((difference + slopes.penalty - loss).abs() < 1e-10 * loss.abs(), "{name}: {loss}");
        let right = from_pytorch(&torch, &format!("{name}.slopes"));
        assert!(norms.iter().zip(&right).all(|(a, b)| (a - b).abs() < 1e-10), "{name}: {norms:?}, {right:?}");
        for (gradient, name) in gradients.tensors().iter().zip(&names) {
            let right = from_pytorch(&torch, &format!("{name}.gradient"));
            let largest = right.iter().fold(1e-3_f64, |largest, g| largest.max(g.abs()));
            let off = gradient.data().iter().zip(&right).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(off < 1e-10 * largest, "{name}: off by {off:e} of {largest:e}");
        }
    }
}

#[test]
fn the_penalty_of_a_convolutional_critic_has_the_gradient_of_central_differences() {
    for norm in ["", " layer-norm,"] {
        let text = format!(
            "8x8x2: conv 3 kernel 4 stride 2 padding 1, leaky-relu 0.2, conv 4 kernel 4 stride 2 padding 1,{norm} \
             leaky-relu 0.2, conv 1 kernel 2 stride 1 padding 0"
        );
        let mut critic = text.parse::<Plan>().unwrap().build::<f64>().unwrap();
        critic.initialise(Initialisation::Uniform, Stream::named(3, "init"));
        let samples = normals(3 * critic.inputs(), 6);
        let slopes = |critic: &Sequential<f64>| {
            let (mut cache, mut deltas) = (Cache::new(critic), Deltas::new(critic));
            cache.input_mut(3).copy_from_slice(&samples);
            critic.clone().forward(&mut cache, training(), &mut Scratch::new()).unwrap();
            let wanted = Wanted::input(0..3);
            critic.backward(&cache, &[1.0; 3], wanted, &mut deltas, &mut Scratch::new()).unwrap();
            (cache, deltas)
        };
        for target in [0.0, 1.0] {
            let (cache, deltas) = slopes(&critic);
            let (mut tangents, mut gradients) = (Tangents::new(&critic), Gradients::new(&critic));
            let u = tangents.direction_mut(0..3);
            penalty::direction((10.0, target), critic.inputs(), deltas.input(0..3), u, &mut [0.0; 3]);
            critic.tangent(&cache, &deltas, &mut tangents, &mut gradients, &mut Scratch::new()).unwrap();
            let penalty = |critic: &Sequential<f64>| {
                let (cache, deltas) = slopes(critic);
                let norms = deltas.input(0..3).chunks(critic.inputs());
                let norms = norms.map(|slope| slope.iter().map(|x| x * x).sum::<f64>().sqrt());
                let penalty = norms.map(|norm| 10.0 / 3.0 * (norm - target).powi(2)).sum();
                Ok((penalty, critic.activation_masks(&cache)))
            };
            let report =
                gradient_check::compare_parameters(&critic, |critic| critic, gradients.tensors(), penalty)
                    .unwrap();
            assert!(report.passes(), "{text}, target {target}: {report}");
        }
    }
}
