//! ∂/∂θ of input gradients.

use super::TOLERANCE;
use super::networks::{
    ACTIVATIONS, assert_gradients, first_order, network, normals, perceptron, training, worst_difference,
};
use equilibria::nn::{
    Activation, BatchNorm, Cache, Deltas, Dropout, Gradients, Layer, LayerNorm, Linear, Scratch, Sequential,
    Tangents, Wanted,
};

/// ∂/∂θ Σ `seed` ∂y/∂x · `direction`, of the rows of the direction, which are the last ones of the input, and the directional
/// derivative itself.
fn second_order(
    model: &Sequential<f64>,
    input: &[f64],
    seed: &[f64],
    direction: &[f64],
) -> (Vec<Vec<f64>>, Vec<f64>) {
    let (mut cache, mut deltas, mut scratch) = (Cache::new(model), Deltas::new(model), Scratch::new());
    let (mut tangents, mut gradients) = (Tangents::new(model), Gradients::new(model));
    let rows = input.len() / model.inputs();
    let chosen = rows - direction.len() / model.inputs()..rows;
    cache.input_mut(rows).copy_from_slice(input);
    model.clone().forward(&mut cache, training(), &mut scratch).unwrap();
    model.backward(&cache, seed, Wanted::input(0..rows), &mut deltas, &mut scratch).unwrap();
    tangents.direction_mut(chosen).copy_from_slice(direction);
    model.tangent(&cache, &deltas, &mut tangents, Some(&mut gradients), &mut scratch).unwrap();
    let parameters = gradients.tensors().iter().map(|tensor| tensor.data().to_vec()).collect();
    (parameters, tangents.output().to_vec())
}

/// Checks the second-order gradient of a weighted sum of input gradients.
fn check(what: &str, model: &Sequential<f64>) {
    let (rows, chosen) = (5, 3);
    let input = normals(rows * model.inputs(), 1);
    let seed = normals(rows * model.outputs(), 2);
    let direction = normals(chosen * model.inputs(), 3);
    let skipped = (rows - chosen) * model.inputs();
    let slope_along = |model: &Sequential<f64>, input: &[f64]| {
        let all = first_order(model, input, training(), &seed);
        let slope = &all.last().unwrap()[skipped..];
        slope.iter().zip(&direction).map(|(g, u)| g * u).sum::<f64>()
    };
    let (analytic, along) = second_order(model, &input, &seed, &direction);
    assert_gradients(what, model, &input, training(), &analytic, &slope_along);
    // Σ seed · ẏ is the same number forwards.
    let seed = &seed[(rows - chosen) * model.outputs()..];
    let forwards: f64 = along.iter().zip(seed).map(|(y, seed)| y * seed).sum();
    let backwards = slope_along(model, &input);
    assert!(
        (forwards - backwards).abs() <= 1e-12 * (1.0 + backwards.abs()),
        "{what}: {forwards} and {backwards}"
    );
}

#[test]
fn is_the_slope_of_every_activation_differentiated() {
    for activation in ACTIVATIONS {
        check(&format!("{activation:?} between"), &perceptron(&[5, 8, 6, 1], activation, 5));
        check(
            &format!("{activation:?} at the end"),
            &network(
                4,
                vec![
                    activation.into(),
                    Linear::new(4, 6).into(),
                    Activation::Tanh.into(),
                    Dropout::new(0.4).into(),
                    Linear::new(6, 2).into(),
                    activation.into(),
                ],
                6,
            ),
        );
    }
}

#[test]
fn is_the_slope_through_layer_normalisation_differentiated() {
    for activation in ACTIVATIONS {
        let layers: Vec<Layer<f64>> = vec![
            Linear::new(4, 8).into(),
            LayerNorm::new(8).into(),
            activation.into(),
            Linear::new(8, 6).into(),
            Activation::Softplus.into(),
            LayerNorm::new(6).into(),
            activation.into(),
            Linear::new(6, 1).into(),
        ];
        check(&format!("layer normalisation and {activation:?}"), &network(4, layers, 9));
        let ends: Vec<Layer<f64>> = vec![
            LayerNorm::new(5).into(),
            activation.into(),
            Linear::new(5, 6).into(),
            LayerNorm::new(6).into(),
        ];
        check(&format!("layer normalisation at both ends of {activation:?}"), &network(5, ends, 10));
    }
}

/// λ mean (‖g‖ − 1)², and its gradient with respect to each parameter.
fn penalty(model: &Sequential<f64>, input: &[f64]) -> (f64, Vec<Vec<f64>>) {
    let rows = input.len() / model.inputs();
    let slopes = first_order(model, input, training(), &vec![1.0; rows]).pop().unwrap();
    let (mut value, mut direction) = (0.0, Vec::new());
    for slope in slopes.chunks(model.inputs()) {
        let norm = slope.iter().map(|g| g * g).sum::<f64>().sqrt();
        value += 10.0 / rows as f64 * (norm - 1.0).powi(2);
        direction.extend(slope.iter().map(|g| 20.0 / rows as f64 * (1.0 - 1.0 / norm) * g));
    }
    (value, second_order(model, input, &vec![1.0; rows], &direction).0)
}

#[test]
fn is_a_whole_penalty_differentiated() {
    for activation in ACTIVATIONS {
        let model = perceptron(&[6, 9, 7, 1], activation, 8);
        let input = normals(5 * 6, 4);
        let analytic = penalty(&model, &input).1;
        assert_gradients(
            &format!("a penalty on {activation:?}"),
            &model,
            &input,
            training(),
            &analytic,
            &|model, input| penalty(model, input).0,
        );
    }
}

#[test]
fn does_a_tangent_without_what_bends_fail() {
    // The three steps of piecewise linear activations are not enough for tanh.
    let model = perceptron(&[5, 8, 1], Activation::Tanh, 8);
    let (input, seed, direction) = (normals(15, 1), normals(3, 2), normals(15, 3));
    let (analytic, _) = second_order(&model, &input, &seed, &direction);
    assert!(analytic[1].iter().any(|g| g.abs() > 1e-3), "the bias has no part in it");
    let mut without = analytic.clone();
    without[1].fill(0.0);
    let slope_along = |model: &Sequential<f64>, input: &[f64]| {
        let slope = first_order(model, input, training(), &seed).pop().unwrap();
        slope.iter().zip(&direction).map(|(g, u)| g * u).sum::<f64>()
    };
    let worst = |analytic: &[Vec<f64>]| {
        worst_difference("a control", &model, &input, training(), analytic, &slope_along)
    };
    assert!(worst(&analytic) <= TOLERANCE && worst(&without) > 0.1);
}

#[test]
fn is_batch_normalisation_in_a_penalised_critic_refused() {
    let layers: Vec<Layer<f64>> =
        vec![Linear::new(4, 8).into(), BatchNorm::new(8).into(), Linear::new(8, 1).into()];
    let model = network(4, layers, 9);
    let (mut cache, mut deltas, mut scratch) = (Cache::new(&model), Deltas::new(&model), Scratch::new());
    let (mut tangents, mut gradients) = (Tangents::new(&model), Gradients::new(&model));
    cache.input_mut(3).fill(0.5);
    model.clone().forward(&mut cache, training(), &mut scratch).unwrap();
    model.backward(&cache, &[1.0; 3], Wanted::input(0..3), &mut deltas, &mut scratch).unwrap();
    tangents.direction_mut(0..3).fill(1.0);
    let refused = model.tangent(&cache, &deltas, &mut tangents, Some(&mut gradients), &mut scratch);
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("batch normalisation") && text.contains("depends on the other rows"), "{text}");
}
