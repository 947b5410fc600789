//! ∂/∂θ of input gradients.

use super::networks::{ACTIVATIONS, first_order, network, normals, perceptron, training};
use equilibria::Tensor;
use equilibria::nn::gradient_check::{self, Report, compare_parameters};
use equilibria::nn::{
    Activation, BatchNorm, Dropout, Gradients, Layer, LayerNorm, Linear, Scratch, Sequential, Tangents,
};

/// Checks the second-order gradient of a weighted sum of input gradients.
#[track_caller]
fn check(what: &str, model: &Sequential<f64>) {
    let report = gradient_check::second_order(model, &normals(5 * model.inputs(), 1), training()).unwrap();
    assert!(report.passes(), "{what}: {report}");
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
        let layers: Vec<Box<dyn Layer<f64>>> = vec![
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
        let ends: Vec<Box<dyn Layer<f64>>> = vec![
            LayerNorm::new(5).into(),
            activation.into(),
            Linear::new(5, 6).into(),
            LayerNorm::new(6).into(),
        ];
        check(&format!("layer normalisation at both ends of {activation:?}"), &network(5, ends, 10));
    }
}

/// ∂/∂θ Σ `seed` ∂y/∂x · u, where `direction` computes u from the input gradients.
fn second_order(
    model: &Sequential<f64>,
    input: &[f64],
    seed: &[f64],
    direction: impl Fn(&[f64]) -> Vec<f64>,
) -> Vec<Tensor<f64>> {
    let (cache, _, deltas) = first_order(model, input, training(), seed);
    let (mut tangents, mut gradients) = (Tangents::new(model), Gradients::new(model));
    let rows = 0..cache.rows();
    tangents.direction_mut(rows.clone()).copy_from_slice(&direction(deltas.input(rows)));
    model.tangent(&cache, &deltas, &mut tangents, &mut gradients, &mut Scratch::new()).unwrap();
    gradients.tensors().to_vec()
}

fn norms<'a>(slopes: &'a [f64], model: &Sequential<f64>) -> impl Iterator<Item = (&'a [f64], f64)> {
    let slopes = slopes.chunks(model.inputs());
    slopes.map(|slope| (slope, slope.iter().map(|g| g * g).sum::<f64>().sqrt()))
}

#[test]
fn is_a_whole_penalty_differentiated() {
    for activation in ACTIVATIONS {
        let model = perceptron(&[6, 9, 7, 1], activation, 8);
        // λ mean (‖g‖ − 1)², with λ = 10.
        let (input, share) = (normals(5 * 6, 4), 10.0 / 5.0);
        let analytic = second_order(&model, &input, &[1.0; 5], |slopes| {
            let directions = norms(slopes, &model)
                .flat_map(|(slope, norm)| slope.iter().map(move |g| 2.0 * share * (1.0 - 1.0 / norm) * g));
            directions.collect()
        });
        let penalty = |model: &Sequential<f64>| {
            let (cache, _, deltas) = first_order(model, &input, training(), &[1.0; 5]);
            let squares = norms(deltas.input(0..5), model).map(|(_, norm)| (norm - 1.0).powi(2));
            Ok((share * squares.sum::<f64>(), model.activation_masks(&cache)))
        };
        let report = compare_parameters(&model, |model| model, &analytic, penalty).unwrap();
        assert!(report.passes(), "a penalty on {activation:?}: {report}");
    }
}

#[test]
fn does_a_tangent_without_curvature_fail() {
    // The three calls for piecewise linear activations are not sufficient for tanh.
    let model = perceptron(&[5, 8, 1], Activation::Tanh, 8);
    let (input, seed, direction) = (normals(15, 1), normals(3, 2), normals(15, 3));
    let analytic = second_order(&model, &input, &seed, |_| direction.clone());
    assert!(analytic[1].data().iter().any(|g| g.abs() > 1e-3), "the gradient of the bias is 0");
    let mut without = analytic.clone();
    without[1].fill(0.0);
    let compared = |analytic: &[Tensor<f64>]| -> Report {
        let slope_along = |model: &Sequential<f64>| {
            let (cache, _, deltas) = first_order(model, &input, training(), &seed);
            let slope = deltas.input(0..3).iter().zip(&direction).map(|(g, u)| g * u).sum();
            Ok((slope, model.activation_masks(&cache)))
        };
        compare_parameters(&model, |model| model, analytic, slope_along).unwrap()
    };
    let (right, wrong) = (compared(&analytic), compared(&without));
    assert!(right.passes(), "{right}");
    assert!(wrong.error > 0.1 && wrong.coordinate.starts_with("parameter 1["), "{wrong}");
}

#[test]
fn is_batch_normalisation_in_a_penalised_critic_refused() {
    let layers: Vec<Box<dyn Layer<f64>>> =
        vec![Linear::new(4, 8).into(), BatchNorm::new(8).into(), Linear::new(8, 1).into()];
    let model = network(4, layers, 9);
    let refused = gradient_check::second_order(&model, &normals(12, 1), training());
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("batch normalisation") && text.contains("depends on the other rows"), "{text}");
}
