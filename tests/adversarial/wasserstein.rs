//! Does a critic measure a known distance?

use crate::{normals, players};
use equilibria::adversarial::{Game, Networks, Objective, Recipe, Streams};
use equilibria::nn::{Linear, Sequential};
use equilibria::optim::Rule;

/// A generator that adds `shift` to its latent vectors: a shifted normal distribution.
pub fn shifted(shift: [f64; 2]) -> Sequential<f64> {
    let mut generator = Sequential::new(2, vec![Linear::new(2, 2).into()]).unwrap();
    for (parameter, values) in generator.parameters_mut().zip([&[1.0, 0.0, 0.0, 1.0][..], &shift]) {
        parameter.data_mut().copy_from_slice(values);
    }
    generator
}

#[test]
fn does_a_penalised_critic_find_the_distance_of_two_gaussians() {
    // W1 of N(0, 1) and N(m, 1) is |m|, and the best critic is linear. With the penalty, its slope s maximises s |m| -
    // weight (s - 1)²: s = 1 + |m| / (2 weight).
    let (shift, distance, weight) = ([1.2, -1.6], 2.0_f64, 10.0_f64);
    let slope = 1.0 + distance / (2.0 * weight);
    let [_, critic] = players(&Networks::plane(2, &[32; 2]), 1);
    let recipe = Recipe {
        batch: 256,
        generator: Rule::Sgd { rate: 0.0, momentum: 0.0 },
        discriminator: Rule::Adam { rate: 1e-3, betas: [0.5, 0.9], epsilon: 1e-8 },
        ..Recipe::of(Objective::Penalty { weight, critic_steps: 5 })
    };
    let mut game = Game::new(shifted(shift), critic, recipe).unwrap();
    let (mut measured, mut slopes, last) = (0.0, 0.0, 50);
    for step in 0..250 {
        let real = |index, samples: &mut [f64]| {
            samples.copy_from_slice(&normals(samples.len(), 1000 + index));
            Ok(())
        };
        let reading = game.step(real, &Streams::of(3), true).unwrap().unwrap();
        if step >= 250 - last {
            measured += reading.wasserstein.unwrap() / last as f64;
            slopes += reading.slope.unwrap() / last as f64;
        }
    }
    assert!((slopes / slope - 1.0).abs() < 0.03, "slope {slopes}, not {slope}");
    assert!(
        (measured / (slope * distance) - 1.0).abs() < 0.03,
        "distance {measured}, not {}",
        slope * distance
    );
}
