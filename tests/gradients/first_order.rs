//! ∂L/∂θ and ∂L/∂x.

use super::networks::{ACTIVATIONS, LEAKY, first_order, network, normals, perceptron, training};
use equilibria::nn::gradient_check::{self, TOLERANCE, compare_parameters};
use equilibria::nn::{
    Activation, BatchNorm, Cache, Deltas, Dropout, Gradients, Layer, LayerNorm, Linear, Scratch, Sequential,
    Shape, Training, Wanted,
};

/// Checks the gradients of a weighted sum of a network's outputs.
#[track_caller]
fn check(what: &str, model: &Sequential<f64>, rows: usize, training: Training) {
    let input = normals(rows * model.inputs(), 1);
    let report = gradient_check::first_order(model, &input, training).unwrap();
    assert!(report.passes(), "{what}: {report}");
}

/// The largest difference between two gradients of one tensor, relative to the largest number of either.
fn difference(found: &[f64], right: &[f64]) -> f64 {
    assert_eq!(found.len(), right.len());
    let largest = found.iter().chain(right).fold(1.0_f64, |largest, g| largest.max(g.abs()));
    found.iter().zip(right).fold(0.0, |worst, (a, b)| worst.max((a - b).abs() / largest))
}

#[test]
fn is_every_activation_differentiated_alone_and_after_a_linear_layer() {
    for activation in ACTIVATIONS {
        let alone = network(5, vec![activation.into()], 3);
        check(&format!("{activation:?} alone"), &alone, 4, training());
        let after = network(5, vec![Linear::new(5, 7).into(), activation.into()], 4);
        check(&format!("{activation:?} after a linear layer"), &after, 4, training());
    }
}

#[test]
fn is_a_deep_perceptron_differentiated() {
    for activation in ACTIVATIONS {
        check(
            &format!("three layers of {activation:?}"),
            &perceptron(&[5, 8, 6, 3], activation, 5),
            4,
            training(),
        );
    }
    let mixed: Vec<Box<dyn Layer<f64>>> = vec![
        Activation::Tanh.into(),
        Linear::without_bias(4, 9).into(),
        LEAKY.into(),
        Activation::Softplus.into(),
        Linear::new(9, 2).into(),
        Activation::Sigmoid.into(),
    ];
    check("activations in a row", &network(4, mixed, 6), 5, training());
}

#[test]
fn is_dropout_differentiated() {
    let layers: Vec<Box<dyn Layer<f64>>> = vec![
        Dropout::new(0.3).into(),
        Linear::new(6, 9).into(),
        LEAKY.into(),
        Dropout::new(0.5).into(),
        Activation::Tanh.into(),
        Linear::new(9, 2).into(),
    ];
    check("dropout", &network(6, layers, 8), 7, training());
}

#[test]
fn is_batch_normalisation_in_training_differentiated() {
    for activation in [Activation::Identity, LEAKY, Activation::Tanh] {
        let alone = network(5, vec![BatchNorm::new(5).into(), activation.into()], 9);
        check(&format!("batch normalisation and {activation:?}"), &alone, 6, training());
        check("three mini-batches", &alone, 6, training().with_batches(3));
    }
}

/// A small generator with the architecture of the standard game.
fn generator() -> Sequential<f64> {
    let mut layers: Vec<Box<dyn Layer<f64>>> = vec![Linear::new(4, 6).into(), LEAKY.into()];
    for pair in [6, 9, 12].windows(2) {
        layers.push(Linear::new(pair[0], pair[1]).into());
        layers.push(BatchNorm::new(pair[1]).into());
        layers.push(LEAKY.into());
    }
    layers.extend([Linear::new(12, 5).into(), Activation::Tanh.into()]);
    network(4, layers, 10)
}

#[test]
fn is_a_whole_generator_with_batch_normalisation_differentiated() {
    check("a generator", &generator(), 8, training());
    check("a generator of two mini-batches", &generator(), 8, training().with_batches(2));
}

#[test]
fn is_layer_normalisation_differentiated() {
    for activation in [Activation::Identity, LEAKY, Activation::Tanh] {
        let alone = network(7, vec![LayerNorm::new(7).into(), activation.into()], 11);
        check(&format!("layer normalisation and {activation:?}"), &alone, 4, training());
        let layers: Vec<Box<dyn Layer<f64>>> = vec![
            Linear::new(3, 20).into(),
            LayerNorm::new(20).into(),
            activation.into(),
            Linear::new(20, 2).into(),
        ];
        check("layer normalisation between", &network(3, layers, 12), 4, training());
    }
}

#[test]
fn do_rows_and_mini_batches_give_the_same_gradients_when_requested_alone() {
    let model = generator();
    let (mut cache, mut deltas, mut scratch) = (Cache::new(&model), Deltas::new(&model), Scratch::new());
    let mut gradients = Gradients::new(&model);
    cache.input_mut(12).copy_from_slice(&normals(48, 1));
    model.clone().forward(&mut cache, training().with_batches(4), &mut scratch).unwrap();
    // The seed of rows 3 to 9; the middle mini-batch gives the parameter gradients.
    let seed = normals(6 * 5, 2);
    let wanted = Wanted::both(&mut gradients, 6..9, 3..9);
    model.backward(&cache, &seed, wanted, &mut deltas, &mut scratch).unwrap();
    let alone = |rows: std::ops::Range<usize>| {
        let seed = &seed[(rows.start - 3) * 5..(rows.end - 3) * 5];
        first_order(&model, &cache.input()[rows.start * 4..rows.end * 4], training(), seed)
    };
    let ((_, first, of_first), (_, second, of_second)) = (alone(3..6), alone(6..9));
    for (gradient, expected) in gradients.tensors().iter().zip(&second) {
        assert!(difference(gradient.data(), expected.data()) < 1e-12);
    }
    assert!(difference(deltas.input(3..6), of_first.input(0..3)) < 1e-12);
    assert!(difference(deltas.input(6..9), of_second.input(0..3)) < 1e-12);
    // Gradients accumulate: a second pass doubles them.
    let before: Vec<Vec<f64>> = gradients.tensors().iter().map(|g| g.data().to_vec()).collect();
    for rows in [6..9, 3..9] {
        gradients.clear();
        for _ in 0..2 {
            let seed = &seed[(rows.start - 3) * 5..(rows.end - 3) * 5];
            let wanted = Wanted::parameters(&mut gradients, rows.clone());
            model.backward(&cache, seed, wanted, &mut deltas, &mut scratch).unwrap();
        }
        let sum = |i: usize, j: usize| {
            if rows.start == 6 { before[i][j] } else { first[i].data()[j] + second[i].data()[j] }
        };
        for (i, gradient) in gradients.tensors().iter().enumerate() {
            let twice: Vec<f64> = (0..gradient.len()).map(|j| 2.0 * sum(i, j)).collect();
            let found = difference(gradient.data(), &twice);
            assert!(found < 1e-12, "rows {rows:?}, parameter {i}: {found:e}");
        }
    }
}

#[test]
fn are_pixels_of_an_image_normalised_by_channel() {
    let image = Shape { height: 2, width: 3, channels: 4 };
    let layers: Vec<Box<dyn Layer<f64>>> = vec![
        BatchNorm::new(4).into(),
        LEAKY.into(),
        LayerNorm::new(24).into(),
        Dropout::new(0.3).into(),
        Linear::new(24, 2).into(),
    ];
    let model = Sequential::new(image, layers).unwrap();
    assert_eq!([model.input_shape(), model.output_shape()], [image, Shape::from(2)]);
    check("an image", &model, 4, training().with_batches(2));
    // One image of six pixels is a mini-batch of six rows, and gives the numbers of these rows alone.
    let x = normals(24, 3);
    let pass = |shape: Shape, rows: usize| {
        let mut model = Sequential::<f64>::new(shape, vec![BatchNorm::new(4).into()]).unwrap();
        let mut cache = Cache::new(&model);
        cache.input_mut(rows).copy_from_slice(&x);
        model.forward(&mut cache, training(), &mut Scratch::new()).unwrap();
        cache.output().to_vec()
    };
    assert_eq!(pass(image, 1), pass(Shape::from(4), 6));
}

#[test]
fn does_a_wrong_gradient_fail() {
    let model = perceptron(&[5, 8, 3], Activation::Tanh, 7);
    let (input, seed) = (normals(20, 1), normals(12, 2));
    let (_, mut analytic, _) = first_order(&model, &input, training(), &seed);
    let worst = |analytic: &[equilibria::Tensor<f64>]| {
        let value = |model: &Sequential<f64>| {
            let (cache, ..) = first_order(model, &input, training(), &seed);
            let sum = cache.output().iter().zip(&seed).map(|(y, seed)| y * seed).sum();
            Ok((sum, model.activation_masks(&cache)))
        };
        compare_parameters(&model, |model| model, analytic, value).unwrap()
    };
    let right = worst(&analytic);
    assert!(right.passes() && right.compared == 75 && right.skipped == 0, "{right}");
    let largest = analytic[0].data().iter().fold(0.0_f64, |largest, g| largest.max(g.abs()));
    analytic[0].data_mut()[11] += 1e-5 * largest;
    let wrong = worst(&analytic);
    assert!(
        !wrong.passes() && wrong.coordinate == "parameter 0[11]" && wrong.error > 5.0 * TOLERANCE,
        "{wrong}"
    );
    analytic[1].data_mut()[2] = f64::NAN;
    let wrong = worst(&analytic);
    assert!(!wrong.passes() && wrong.coordinate == "parameter 1[2]", "{wrong}");
}

#[test]
fn are_coordinates_at_a_kink_skipped() {
    // Three of four ReLU units are at their kink, where differences give half the slope.
    let model = Sequential::new(4, vec![Activation::Relu.into()]).unwrap();
    let report = gradient_check::first_order(&model, &[0.0, 0.0, 1e-9, 1.0], training()).unwrap();
    assert_eq!((report.compared, report.skipped, report.passes()), (1, 3, false), "{report}");
    assert!(report.error < 1e-9, "{report}");
    // A smooth unit has no kink.
    let model = Sequential::new(4, vec![Activation::Softplus.into()]).unwrap();
    let report = gradient_check::first_order(&model, &[0.0; 4], training()).unwrap();
    assert_eq!((report.compared, report.skipped, report.passes()), (4, 0, true), "{report}");
}
