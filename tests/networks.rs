//! Do networks refuse invalid arguments, start with the requested distributions, and infer with the learned statistics?

use equilibria::nn::{
    Activation, BatchNorm, Cache, Deltas, Dropout, Gradients, Initialisation, Layer, LayerNorm, Linear,
    Scratch, Sequential, Shape, Tangents, Training, Wanted,
};
use equilibria::rng::Stream;
use equilibria::{Result, Tensor};

fn stream() -> Stream {
    Stream::named(5, "init")
}

fn training() -> Training {
    Training::new(Stream::named(5, "dropout"))
}

fn perceptron() -> Sequential<f64> {
    let layers: Vec<Box<dyn Layer<f64>>> =
        vec![Linear::new(3, 4).into(), Activation::Tanh.into(), Linear::new(4, 2).into()];
    let mut model = Sequential::new(3, layers).unwrap();
    model.initialise(Initialisation::Uniform, stream());
    model
}

#[track_caller]
fn assert_refused<X>(result: Result<X>, words: &[&str]) {
    let Err(error) = result else { panic!("accepted instead of refused with {words:?}") };
    let text = error.to_string();
    assert!(words.iter().all(|word| text.contains(word)), "{text}: no {words:?}");
}

#[test]
fn are_networks_with_layers_that_do_not_match_refused() {
    let network = |layers: Vec<Box<dyn Layer<f64>>>| Sequential::new(3, layers);
    assert_refused(network(vec![Linear::new(4, 2).into()]), &["linear layer: expected shape (4), found (3)"]);
    assert_refused(
        network(vec![Linear::new(3, 2).into(), BatchNorm::new(3).into()]),
        &["batch normalisation: expected shape (3), found (2)"],
    );
    assert_refused(
        network(vec![LayerNorm::new(2).into()]),
        &["layer normalisation: expected shape (2), found (3)"],
    );
    assert_refused(
        network(vec![Linear::new(3, 0).into()]),
        &["layer 0, linear layer, with 3 inputs and 0 outputs", "at least 1"],
    );
    assert_refused(
        network(vec![Activation::LeakyRelu { slope: -0.1 }.into()]),
        &["slope -0.1", "not negative"],
    );
    assert_refused(network(vec![Activation::LeakyRelu { slope: f64::NAN }.into()]), &["slope NaN"]);
    for probability in [1.0, -0.5, f64::NAN] {
        assert_refused(network(vec![Dropout::new(probability).into()]), &["dropout", "below 1"]);
    }
}

#[test]
fn are_invalid_mini_batches_refused() {
    let mut model = Sequential::<f64>::new(3, vec![BatchNorm::new(3).into()]).unwrap();
    let (mut cache, mut scratch) = (Cache::new(&model), Scratch::new());
    cache.input_mut(1).fill(0.5);
    assert_refused(model.forward(&mut cache, training(), &mut scratch), &["mini-batch of 1", "at least 2"]);
    cache.input_mut(4).fill(0.5);
    for batches in [0, 3] {
        let refused = model.forward(&mut cache, training().with_batches(batches), &mut scratch);
        assert_refused(refused, &[&format!("4 rows in {batches} mini-batches")]);
    }
    assert_refused(model.forward(&mut cache, training().with_batches(4), &mut scratch), &["mini-batch of 1"]);
    model.forward(&mut cache, training().with_batches(2), &mut scratch).unwrap();
    let (mut deltas, mut gradients) = (Deltas::new(&model), Gradients::new(&model));
    for (rows, input, seeds) in [(1..3, 0..0, 2), (0..4, 1..2, 4), (0..1, 0..4, 4)] {
        let seed = vec![1.0; 3 * seeds];
        let wanted = Wanted::both(&mut gradients, rows, input);
        assert_refused(
            model.backward(&cache, &seed, wanted, &mut deltas, &mut scratch),
            &["whole mini-batches"],
        );
    }
}

#[test]
fn are_values_of_another_network_or_pass_refused() {
    let mut model = perceptron();
    let other = Sequential::<f64>::new(3, vec![Linear::new(3, 2).into()]).unwrap();
    let (mut cache, mut deltas, mut scratch) = (Cache::new(&model), Deltas::new(&model), Scratch::new());
    let (mut gradients, mut tangents) = (Gradients::new(&model), Tangents::new(&model));
    let words = ["another network"];
    assert_refused(model.forward(&mut Cache::new(&other), training(), &mut scratch), &words);

    cache.input_mut(4).fill(0.5);
    let refused = model.backward(&cache, &[1.0; 8], Wanted::input(0..4), &mut deltas, &mut scratch);
    assert_refused(refused, &["cache", "forward"]);
    model.forward(&mut cache, training(), &mut scratch).unwrap();
    let refused =
        model.backward(&cache, &[1.0; 8], Wanted::input(0..4), &mut Deltas::new(&other), &mut scratch);
    assert_refused(refused, &words);
    let mut of_other = Gradients::new(&other);
    let refused =
        model.backward(&cache, &[1.0; 8], Wanted::parameters(&mut of_other, 0..4), &mut deltas, &mut scratch);
    assert_refused(refused, &words);
    let refused = model.backward(&cache, &[1.0; 10], Wanted::input(0..5), &mut deltas, &mut scratch);
    assert_refused(refused, &["rows 0 to 5", "4 rows"]);
    let refused = model.backward(&cache, &[1.0; 7], Wanted::input(0..4), &mut deltas, &mut scratch);
    assert_refused(refused, &["expected shape (8), found (7)"]);

    model.backward(&cache, &[1.0; 4], Wanted::input(1..3), &mut deltas, &mut scratch).unwrap();
    tangents.direction_mut(1..4).fill(1.0);
    let refused = model.tangent(&cache, &deltas, &mut tangents, &mut gradients, &mut scratch);
    assert_refused(refused, &["rows 1 to 4", "rows 1 to 3"]);
    tangents.direction_mut(0..5).fill(1.0);
    let refused = model.tangent(&cache, &deltas, &mut tangents, &mut gradients, &mut scratch);
    assert_refused(refused, &["rows 0 to 5"]);
    tangents.direction_mut(1..3).fill(1.0);
    assert_refused(
        model.tangent(&cache, &deltas, &mut Tangents::new(&other), &mut gradients, &mut scratch),
        &words,
    );
    model.tangent(&cache, &deltas, &mut tangents, &mut gradients, &mut scratch).unwrap();

    assert_refused(model.infer(&[0.0; 7], &mut scratch, &mut [0.0; 4]), &["expected shape (6), found (7)"]);
    assert_refused(model.infer(&[0.0; 6], &mut scratch, &mut [0.0; 5]), &["expected shape (4), found (5)"]);
}

#[test]
fn do_initial_weights_have_the_documented_distribution() {
    let (inputs, outputs) = (300, 200);
    let start = |initialisation| {
        let layers = vec![Linear::new(inputs, outputs).into(), BatchNorm::new(outputs).into()];
        let mut model = Sequential::<f64>::new(inputs, layers).unwrap();
        model.initialise(initialisation, stream());
        model.parameters().map(|parameter| parameter.data().to_vec()).collect::<Vec<_>>()
    };
    let largest = |x: &[f64]| x.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    let variance = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
    // With 60,000 uniforms within b, the largest is within 1e-3 b of b, and the variance within 2 % of b^2/3.
    let bounds = [
        (Initialisation::Uniform, 1.0 / (inputs as f64).sqrt(), true),
        (Initialisation::Xavier, (6.0 / (inputs + outputs) as f64).sqrt(), false),
    ];
    for (initialisation, bound, moves_bias) in bounds {
        let [weight, bias, gamma, beta] = <[Vec<f64>; 4]>::try_from(start(initialisation)).unwrap();
        assert!((0.999 * bound..=bound).contains(&largest(&weight)), "{initialisation:?}");
        assert!((3.0 * variance(&weight) / bound / bound - 1.0).abs() < 0.02, "{initialisation:?}");
        assert!(weight.iter().sum::<f64>().abs() < 0.02 * bound * weight.len() as f64);
        if moves_bias {
            assert!((0.95 * bound..=bound).contains(&largest(&bias)));
        } else {
            assert_eq!(largest(&bias), 0.0);
        }
        assert!(gamma == [1.0; 200] && beta == [0.0; 200]);
    }
    let deviations = [
        (Initialisation::He { slope: 0.0 }, (2.0 / inputs as f64).sqrt(), 0.0),
        (Initialisation::He { slope: 0.2 }, (2.0 / 1.04 / inputs as f64).sqrt(), 0.0),
        (Initialisation::Normal { standard_deviation: 0.02 }, 0.02, 0.02),
    ];
    for (initialisation, deviation, around_one) in deviations {
        let [weight, bias, gamma, _] = <[Vec<f64>; 4]>::try_from(start(initialisation)).unwrap();
        assert!((variance(&weight).sqrt() / deviation - 1.0).abs() < 0.01, "{initialisation:?}");
        assert!(largest(&weight) > 3.5 * deviation && largest(&bias) == 0.0, "{initialisation:?}");
        let of_gamma: Vec<f64> = gamma.iter().map(|gamma| gamma - 1.0).collect();
        assert!((variance(&of_gamma).sqrt() - around_one).abs() <= 0.15 * around_one, "{initialisation:?}");
    }
    assert!(start(Initialisation::Uniform) == start(Initialisation::Uniform));
}

#[test]
fn does_dropout_drop_its_fraction_independently_in_each_row_and_only_in_training() {
    let (rows, width) = (200, 150);
    let mut model = Sequential::<f32>::new(width, vec![Dropout::new(0.3).into()]).unwrap();
    let (mut cache, mut scratch) = (Cache::new(&model), Scratch::new());
    let mut pass = |rows: usize, stream: Stream| {
        cache.input_mut(rows).fill(7.0);
        model.forward(&mut cache, Training::new(stream), &mut scratch).unwrap();
        cache.output().to_vec()
    };
    let y = pass(rows, stream());
    assert!(y.iter().all(|&y| y == 0.0 || (y - 10.0).abs() < 1e-5));
    let dropped = y.iter().filter(|&&y| y == 0.0).count() as f64 / y.len() as f64;
    assert!((dropped - 0.3).abs() < 0.01, "{dropped}");
    let masks: std::collections::BTreeSet<Vec<bool>> =
        y.chunks(width).map(|row| row.iter().map(|&y| y == 0.0).collect()).collect();
    assert_eq!(masks.len(), rows, "rows with the same mask");
    // The mask of a row does not depend on the other rows, and depends only on the stream.
    assert!(pass(3, stream()) == y[..3 * width] && pass(rows, stream()) == y);
    assert!(pass(rows, stream().substream(1)) != y);
    let mut inferred = vec![0.0; 5 * width];
    model.infer(&vec![7.0; 5 * width], &mut scratch, &mut inferred).unwrap();
    assert_eq!(inferred, vec![7.0; 5 * width]);
}

#[test]
fn do_running_statistics_approach_those_of_the_data() {
    let mut model = Sequential::<f64>::new(2, vec![BatchNorm::new(2).into()]).unwrap();
    let (mut cache, mut scratch) = (Cache::new(&model), Scratch::new());
    let mut data = Tensor::<f64>::zeros(&[64 * 300]);
    data.fill_normal(stream(), 1.0);
    for batch in data.data().chunks(128) {
        let places = cache.input_mut(64).iter_mut().zip(batch).enumerate();
        places.for_each(|(i, (place, x))| *place = if i % 2 == 0 { 3.0 + 2.0 * x } else { -1.0 + 0.5 * x });
        // Two mini-batches in one pass update them twice.
        model.forward(&mut cache, training().with_batches(2), &mut scratch).unwrap();
    }
    let mut inferred = vec![0.0; 4];
    model.infer(&[3.0, -1.0, 5.0, -0.5], &mut scratch, &mut inferred).unwrap();
    for (found, expected) in inferred.iter().zip([0.0, 0.0, 1.0, 1.0]) {
        assert!((found - expected).abs() < 0.15, "{inferred:?}");
    }
}

#[test]
fn do_several_mini_batches_in_one_pass_agree_with_separate_passes() {
    let layers = |width: usize| -> Vec<Box<dyn Layer<f32>>> {
        vec![
            Linear::new(5, width).into(),
            BatchNorm::new(width).into(),
            Activation::LeakyRelu { slope: 0.2 }.into(),
            Linear::new(width, 3).into(),
        ]
    };
    let mut together = Sequential::new(5, layers(33)).unwrap();
    together.initialise(Initialisation::Uniform, stream());
    let mut apart = together.clone();
    let mut x = Tensor::<f32>::zeros(&[4 * 16, 5]);
    x.fill_normal(stream(), 1.0);
    let (mut cache, mut scratch) = (Cache::new(&together), Scratch::new());
    cache.input_mut(64).copy_from_slice(x.data());
    together.forward(&mut cache, training().with_batches(4), &mut scratch).unwrap();
    let mut alone = Cache::new(&apart);
    for batch in 0..4 {
        alone.input_mut(16).copy_from_slice(&x.data()[batch * 80..(batch + 1) * 80]);
        apart.forward(&mut alone, training(), &mut scratch).unwrap();
        assert_eq!(alone.output(), cache.output_rows(16 * batch..16 * (batch + 1)), "mini-batch {batch}");
    }
    for ((name, together), (_, apart)) in together.state().zip(apart.state()) {
        assert_eq!(together, apart, "{name}");
    }
}

#[test]
fn does_a_network_without_layers_return_its_input() {
    let mut model = Sequential::<f64>::new(3, Vec::new()).unwrap();
    let (mut cache, mut deltas, mut scratch) = (Cache::new(&model), Deltas::new(&model), Scratch::new());
    cache.input_mut(2).copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    model.forward(&mut cache, training(), &mut scratch).unwrap();
    assert_eq!(cache.output(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    model.backward(&cache, &[7.0, 8.0, 9.0], Wanted::input(1..2), &mut deltas, &mut scratch).unwrap();
    assert_eq!(deltas.input(1..2), [7.0, 8.0, 9.0]);
    let mut output = [0.0; 3];
    model.infer(&[1.0, 2.0, 3.0], &mut scratch, &mut output).unwrap();
    assert_eq!(output, [1.0, 2.0, 3.0]);
}

#[cfg(feature = "parallel")]
#[test]
fn are_results_bit_identical_for_every_number_of_threads() {
    // Wide enough that every kernel splits its work.
    let critic: Vec<Box<dyn Layer<f32>>> = vec![
        Linear::new(70, 600).into(),
        LayerNorm::new(600).into(),
        Activation::Tanh.into(),
        Dropout::new(0.2).into(),
        Linear::new(600, 400).into(),
        Activation::LeakyRelu { slope: 0.2 }.into(),
        Linear::new(400, 1).into(),
    ];
    let generator: Vec<Box<dyn Layer<f32>>> = vec![
        Linear::new(70, 600).into(),
        BatchNorm::new(600).into(),
        Activation::Relu.into(),
        Linear::new(600, 300).into(),
        Activation::Softplus.into(),
    ];
    for (layers, is_critic) in [(critic, true), (generator, false)] {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut model = Sequential::new(70, layers.clone()).unwrap();
                model.initialise(Initialisation::Uniform, stream());
                let (mut cache, mut deltas) = (Cache::new(&model), Deltas::new(&model));
                let (mut tangents, mut gradients) = (Tangents::new(&model), Gradients::new(&model));
                let (mut scratch, rows) = (Scratch::new(), 96);
                let mut x = Tensor::<f32>::zeros(&[rows * 70]);
                x.fill_normal(stream(), 1.0);
                cache.input_mut(rows).copy_from_slice(x.data());
                model.forward(&mut cache, training().with_batches(3), &mut scratch).unwrap();
                let seed = cache.output().to_vec();
                let wanted = Wanted::both(&mut gradients, 0..rows, 0..rows);
                model.backward(&cache, &seed, wanted, &mut deltas, &mut scratch).unwrap();
                if is_critic {
                    tangents.direction_mut(0..rows).copy_from_slice(deltas.input(0..rows));
                    model.tangent(&cache, &deltas, &mut tangents, &mut gradients, &mut scratch).unwrap();
                }
                let mut inferred = vec![0.0; seed.len()];
                model.infer(cache.input(), &mut scratch, &mut inferred).unwrap();
                let numbers = [seed, inferred, deltas.input(0..rows).to_vec(), tangents.output().to_vec()];
                let gradients = gradients.tensors().iter().map(|gradient| gradient.data().to_vec());
                numbers
                    .into_iter()
                    .chain(gradients)
                    .map(|x| x.into_iter().map(f32::to_bits).collect())
                    .collect()
            })
        };
        let one: Vec<Vec<u32>> = run(1);
        assert!([2, 3, 7].iter().all(|&threads| run(threads) == one), "critic: {is_critic}");
    }
}

#[test]
fn do_two_dropout_layers_draw_independent_masks() {
    let (rows, width) = (100, 150);
    let layers = vec![Dropout::new(0.5).into(), Dropout::new(0.5).into()];
    let mut model = Sequential::<f32>::new(width, layers).unwrap();
    let mut cache = Cache::new(&model);
    cache.input_mut(rows).fill(1.0);
    model.forward(&mut cache, Training::new(stream()), &mut Scratch::new()).unwrap();
    let kept = cache.output().iter().filter(|&&y| y != 0.0).count() as f64 / (rows * width) as f64;
    assert!((kept - 0.25).abs() < 0.02, "{kept} of the numbers pass both layers");
}

#[test]
fn is_batch_normalisation_of_images_over_examples_and_pixels() {
    let (examples, shape) = (3, Shape { height: 2, width: 5, channels: 4 });
    let mut model = Sequential::<f64>::new(shape, vec![BatchNorm::new(4).into()]).unwrap();
    let [gamma, beta] = [[1.5, -0.5, 2.0, 1.0], [0.3, 0.1, -1.0, 0.0]];
    for (parameter, values) in model.parameters_mut().zip([gamma, beta]) {
        parameter.data_mut().copy_from_slice(&values);
    }
    let mut numbers = Tensor::<f64>::zeros(&[2 * examples * shape.size()]);
    numbers.fill_normal(stream(), 1.0);
    let (x, delta) = numbers.data().split_at(examples * shape.size());
    let (mut cache, mut scratch) = (Cache::new(&model), Scratch::new());
    cache.input_mut(examples).copy_from_slice(x);
    model.forward(&mut cache, training(), &mut scratch).unwrap();
    let (mut deltas, mut gradients) = (Deltas::new(&model), Gradients::new(&model));
    let wanted = Wanted::both(&mut gradients, 0..examples, 0..examples);
    model.backward(&cache, delta, wanted, &mut deltas, &mut scratch).unwrap();

    // All indices of a channel: (example, row, column).
    let count = (examples * 10) as f64;
    for channel in 0..4 {
        let mut indices = Vec::new();
        for example in 0..examples {
            for row in 0..2 {
                for column in 0..5 {
                    indices.push(((example * 2 + row) * 5 + column) * 4 + channel);
                }
            }
        }
        let mean = |value: &dyn Fn(usize) -> f64| indices.iter().map(|&i| value(i)).sum::<f64>() / count;
        let mu = mean(&|i| x[i]);
        let variance = mean(&|i| (x[i] - mu).powi(2));
        let r = 1.0 / (variance + 1e-5).sqrt();
        let normal = |i: usize| (x[i] - mu) * r;
        let [mean_delta, mean_product] = [mean(&|i| delta[i]), mean(&|i| delta[i] * normal(i))];
        for &i in &indices {
            let y = gamma[channel] * normal(i) + beta[channel];
            let grad_input = gamma[channel] * r * (delta[i] - mean_delta - normal(i) * mean_product);
            assert!((cache.output()[i] - y).abs() < 1e-12, "channel {channel}, {i}");
            assert!((deltas.input(0..examples)[i] - grad_input).abs() < 1e-12, "channel {channel}, {i}");
        }
        let [grad_gamma, grad_beta] = [0, 1].map(|index| gradients.tensors()[index].data()[channel]);
        assert!(
            (grad_gamma - count * mean_product).abs() < 1e-12
                && (grad_beta - count * mean_delta).abs() < 1e-12
        );
        let running: Vec<f64> = model.statistics().map(|statistic| statistic.data()[channel]).collect();
        let right = [0.1 * mu, 0.9 + 0.1 * variance * count / (count - 1.0)];
        assert!(running.iter().zip(right).all(|(a, b)| (a - b).abs() < 1e-12), "{running:?}, {right:?}");
    }
}
