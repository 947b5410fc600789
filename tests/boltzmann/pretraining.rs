//! Do restricted machines make a deep one whose layers have the mean of their inputs?

use crate::machine;
use equilibria::boltzmann::Rbm;
use equilibria::boltzmann::learning::deep::pretraining::{
    compose, hidden_means, hidden_states, input_factors,
};
use equilibria::rng::Stream;
use equilibria::tensor::Workspace;

/// x W or, with `down`, W x, times a factor, plus a bias.
fn logits(machine: &Rbm<f64>, down: bool, factor: f64, x: &[f64]) -> Vec<f64> {
    let (weight, hidden) = (machine.weight().data(), machine.hidden());
    let w = |from: usize, to: usize| {
        if down { weight[to * hidden + from] } else { weight[from * hidden + to] }
    };
    let bias = if down { machine.visible_bias() } else { machine.hidden_bias() };
    let sum = |to: usize| x.iter().enumerate().map(|(from, x)| x * w(from, to)).sum::<f64>();
    bias.data().iter().enumerate().map(|(to, bias)| bias + factor * sum(to)).collect()
}

#[test]
fn layers_of_the_deep_machine_have_the_mean_of_both_machines_inputs() {
    let sizes = [5, 4, 3, 6, 2];
    for layers in 2..=4 {
        let machines: Vec<_> =
            (0..layers).map(|l| machine::<f64>(sizes[l], sizes[l + 1], 0.5, l as u64)).collect();
        let deep = compose(&machines).unwrap();
        assert!(deep.sizes().eq(sizes[..=layers].iter().copied()));
        let states: Vec<Vec<f64>> =
            sizes.iter().map(|&size| (0..size).map(|i| (i % 2) as f64).collect()).collect();
        for layer in 0..=layers {
            let below = layer.checked_sub(1).map(|place| {
                logits(&machines[place], false, input_factors(place, layers)[0], &states[place])
            });
            let above = machines
                .get(layer)
                .map(|machine| logits(machine, true, input_factors(layer, layers)[1], &states[layer + 1]));
            let sides: Vec<_> = below.into_iter().chain(above).collect();
            for unit in 0..sizes[layer] {
                // The decrease of the energy when the unit is turned on.
                let with = |on: f64| {
                    let mut states = states.clone();
                    states[layer][unit] = on;
                    let layers: Vec<&[f64]> = states[..=layers].iter().map(Vec::as_slice).collect();
                    deep.energy(&layers)
                };
                let found = with(0.0) - with(1.0);
                let right = sides.iter().map(|side| side[unit]).sum::<f64>() / sides.len() as f64;
                assert!((found - right).abs() < 1e-12, "layer {layer} of {layers}: {found}, not {right}");
            }
        }
    }
}

#[test]
fn machines_with_mismatched_layers_give_an_error() {
    let words = |machines: &[Rbm<f64>]| compose(machines).unwrap_err().to_string();
    assert!(words(&[machine(3, 2, 0.5, 1)]).contains("at least 2"));
    assert!(
        words(&[machine(3, 2, 0.5, 1), machine(3, 2, 0.5, 1)]).contains("restricted machines of a deep one")
    );
}

#[test]
fn the_next_machine_learns_from_means_or_states() {
    const ROWS: usize = 2000;
    let (model, mut workspace) = (machine(5, 3, 0.5, 7), Workspace::new());
    let image = [1.0, 0.0, 0.25, 1.0, 0.0];
    let images: Vec<f64> = (0..ROWS * 5).map(|i| image[i % 5]).collect();
    let mut means = vec![0.0; ROWS * 3];
    hidden_means(&model, 2.0, &images, &mut means, &mut workspace);
    let mut states = vec![0.0; ROWS * 3];
    hidden_states(&means, 3, Stream::named(8, "data"), &mut states);
    for (unit, logit) in logits(&model, false, 2.0, &image).into_iter().enumerate() {
        let right = 1.0 / (1.0 + libm::exp(-logit));
        assert!(means.iter().skip(unit).step_by(3).all(|mean| (mean - right).abs() < 1e-14));
        let of_unit = || states.iter().skip(unit).step_by(3);
        assert!(of_unit().all(|&x| x == 0.0 || x == 1.0));
        let mean = of_unit().sum::<f64>() / ROWS as f64;
        let error = libm::sqrt(right * (1.0 - right) / ROWS as f64);
        assert!((mean - right).abs() < 5.0 * error, "unit {unit}: {mean}, not {right}");
    }
}
