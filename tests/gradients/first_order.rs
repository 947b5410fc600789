//! ∂L/∂θ and ∂L/∂x.

use super::networks::{
    ACTIVATIONS, LEAKY, assert_gradients, first_order, network, normals, output, perceptron, training,
    worst_difference,
};
use super::{TOLERANCE, difference};
use equilibria::nn::{
    Activation, BatchNorm, Cache, Deltas, Dropout, Gradients, Layer, LayerNorm, Linear, Scratch, Sequential,
    Training, Wanted,
};

/// Checks the gradients of a weighted sum of a network's outputs.
fn check(what: &str, model: &Sequential<f64>, rows: usize, training: Training) {
    let input = normals(rows * model.inputs(), 1);
    let seed = normals(rows * model.outputs(), 2);
    let analytic = first_order(model, &input, training, &seed);
    assert_gradients(what, model, &input, training, &analytic, &|model, input| {
        output(model, input, training).iter().zip(&seed).map(|(y, seed)| y * seed).sum()
    });
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
    let mixed: Vec<Layer<f64>> = vec![
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
    let layers: Vec<Layer<f64>> = vec![
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
        check("three mini-batches", &alone, 6, training().of_batches(3));
    }
}

/// A generator as RECIPES has them, small.
fn generator() -> Sequential<f64> {
    let mut layers: Vec<Layer<f64>> = vec![Linear::new(4, 6).into(), LEAKY.into()];
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
    check("a generator of two mini-batches", &generator(), 8, training().of_batches(2));
}

#[test]
fn is_layer_normalisation_differentiated() {
    for activation in [Activation::Identity, LEAKY, Activation::Tanh] {
        let alone = network(7, vec![LayerNorm::new(7).into(), activation.into()], 11);
        check(&format!("layer normalisation and {activation:?}"), &alone, 4, training());
        let layers: Vec<Layer<f64>> = vec![
            Linear::new(3, 20).into(),
            LayerNorm::new(20).into(),
            activation.into(),
            Linear::new(20, 2).into(),
        ];
        check("layer normalisation between", &network(3, layers, 12), 4, training());
    }
}

#[test]
fn do_rows_and_mini_batches_that_are_wanted_alone_give_the_same() {
    let model = generator();
    let (mut cache, mut deltas, mut scratch) = (Cache::new(&model), Deltas::new(&model), Scratch::new());
    let mut gradients = Gradients::new(&model);
    cache.input_mut(12).copy_from_slice(&normals(48, 1));
    model.clone().forward(&mut cache, training().of_batches(4), &mut scratch).unwrap();
    // The seed of rows 3 to 9, of which the middle mini-batch has the parameters.
    let seed = normals(6 * 5, 2);
    let wanted = Wanted::both(&mut gradients, 6..9, 3..9);
    model.backward(&cache, &seed, wanted, &mut deltas, &mut scratch).unwrap();
    let alone = |rows: std::ops::Range<usize>| {
        let seed = &seed[(rows.start - 3) * 5..(rows.end - 3) * 5];
        first_order(&model, &cache.input()[rows.start * 4..rows.end * 4], training(), seed)
    };
    let (first, second) = (alone(3..6), alone(6..9));
    for (gradient, expected) in gradients.tensors().iter().zip(&second) {
        assert!(difference(gradient.data(), expected) < 1e-12);
    }
    assert!(difference(deltas.input(3..6), first.last().unwrap()) < 1e-12);
    assert!(difference(deltas.input(6..9), second.last().unwrap()) < 1e-12);
    // What is added is added: the same again is twice as much.
    let before: Vec<Vec<f64>> = gradients.tensors().iter().map(|g| g.data().to_vec()).collect();
    for rows in [6..9, 3..9] {
        gradients.clear();
        for _ in 0..2 {
            let seed = &seed[(rows.start - 3) * 5..(rows.end - 3) * 5];
            let wanted = Wanted::parameters(&mut gradients, rows.clone());
            model.backward(&cache, seed, wanted, &mut deltas, &mut scratch).unwrap();
        }
        let sum =
            |i: usize, j: usize| if rows.start == 6 { before[i][j] } else { first[i][j] + second[i][j] };
        for (i, gradient) in gradients.tensors().iter().enumerate() {
            let twice: Vec<f64> = (0..gradient.len()).map(|j| 2.0 * sum(i, j)).collect();
            let found = difference(gradient.data(), &twice);
            assert!(found < 1e-12, "rows {rows:?}, parameter {i}: {found:e}");
        }
    }
}

#[test]
fn does_a_wrong_gradient_fail() {
    let model = perceptron(&[5, 8, 3], Activation::Tanh, 7);
    let (input, seed) = (normals(20, 1), normals(12, 2));
    let function = |model: &Sequential<f64>, input: &[f64]| {
        output(model, input, training()).iter().zip(&seed).map(|(y, seed)| y * seed).sum()
    };
    let mut analytic = first_order(&model, &input, training(), &seed);
    let largest = analytic[0].iter().fold(0.0_f64, |largest, g| largest.max(g.abs()));
    analytic[0][11] += 1e-5 * largest;
    let worst = worst_difference("a wrong gradient", &model, &input, training(), &analytic, &function);
    assert!(worst > 5.0 * TOLERANCE, "{worst:e} passed");
}
