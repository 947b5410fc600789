//! ∂/∂θ of input gradients.

use super::networks::{ACTIVATIONS, assert_gradients, first_order, network, normals, perceptron, training};
use equilibria::nn::{
    Activation, Cache, Deltas, Dropout, Gradients, Linear, Scratch, Sequential, Tangents, Wanted,
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
