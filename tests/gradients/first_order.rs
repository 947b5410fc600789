//! ∂L/∂θ and ∂L/∂x.

use super::TOLERANCE;
use super::networks::{
    ACTIVATIONS, LEAKY, assert_gradients, first_order, network, normals, output, perceptron, training,
    worst_difference,
};
use equilibria::nn::{Activation, Dropout, Layer, Linear, Sequential, Training};

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
