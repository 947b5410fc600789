//! Do the players move along the gradients of the losses that are reported?
//!
//! A step of plain gradient descent with rate 1 tells the gradient. Central differences of the reported loss in f64 must
//! meet it to 1e-6, relative to it or to a hundredth of the player's largest. With a penalty the reported loss has the
//! critic's slope in it, so that its gradient is one of second order. The seeds are such that no unit of a leaky ReLU
//! changes sides within a difference.

use crate::{descent, normals, players};
use equilibria::adversarial::{Game, GeneratorLoss, Mlp, Normalisation, Objective, Range, Report, Streams};
use equilibria::nn::Sequential;

const BATCH: usize = 5;
const TOLERANCE: f64 = 1e-6;
const STEP: f64 = 1e-6;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    Generator,
    Discriminator,
}

/// A pair whose gradients are not small: small ones drown in the rounding of a difference.
fn steep_players(networks: &Mlp) -> [Sequential<f64>; 2] {
    let mut players = players(networks, 1);
    for (parameter, index) in players.iter_mut().flat_map(Sequential::parameters_mut).zip(20..) {
        let noise = normals::<f64>(parameter.len(), index);
        parameter.data_mut().iter_mut().zip(noise).for_each(|(x, noise)| *x += 0.4 * noise);
    }
    players
}

/// One step of one of the two, the other held.
fn step(players: &[Sequential<f64>; 2], objective: Objective, side: Side) -> (Game<f64>, Report) {
    let [generator, discriminator] = players.clone();
    let rates = if side == Side::Generator { [1.0, 0.0] } else { [0.0, 1.0] };
    let samples = normals::<f64>(BATCH * generator.outputs(), 3);
    let mut game =
        Game::new(generator, discriminator, descent(objective, BATCH, rates[0], rates[1])).unwrap();
    let outcome = game.step(
        |_, real| {
            real.copy_from_slice(&samples);
            Ok(())
        },
        &Streams::of(4),
        true,
    );
    (game, outcome.unwrap().report.unwrap())
}

/// The largest relative difference between the gradient of a side's loss and what it moved by.
fn worst_difference(networks: &Mlp, objective: Objective, side: Side) -> f64 {
    let players = steep_players(networks);
    let index = usize::from(side == Side::Discriminator);
    let loss = |players: &[Sequential<f64>; 2]| {
        let (_, report) = step(players, objective, side);
        if side == Side::Generator { report.generator_loss } else { report.discriminator_loss }
    };
    let (game, _) = step(&players, objective, side);
    let moved = [game.generator(), game.discriminator()][index];
    let difference = |place: usize, element: usize| {
        let at = |offset| {
            let mut players = players.clone();
            players[index].parameters_mut().nth(place).unwrap().data_mut()[element] += offset;
            loss(&players)
        };
        (at(STEP) - at(-STEP)) / (2.0 * STEP)
    };
    let tensors = players[index].parameters().zip(moved.parameters()).enumerate();
    let gradients: Vec<[Vec<f64>; 2]> = tensors
        .map(|(place, (before, after))| {
            let moved_by = before.data().iter().zip(after.data()).map(|(before, after)| before - after);
            [moved_by.collect(), (0..before.len()).map(|element| difference(place, element)).collect()]
        })
        .collect();
    let largest = |numeric: &[f64]| numeric.iter().fold(0.0_f64, |largest, g| largest.max(g.abs()));
    let largest_of_all = gradients.iter().map(|[_, numeric]| largest(numeric)).fold(0.0, f64::max);
    let mut worst = 0.0_f64;
    for (place, ([analytic, numeric], parameter)) in
        gradients.iter().zip(players[index].parameters()).enumerate()
    {
        // Biases have none where normalisation or a difference of scores takes them off again.
        let has_gradient = largest(numeric) > 1e-6 * largest_of_all;
        assert!(has_gradient || parameter.rank() == 1, "{objective:?}, {side:?}: none of parameter {place}");
        for (a, n) in analytic.iter().zip(numeric) {
            worst = worst.max((a - n).abs() / a.abs().max(n.abs()).max(0.01 * largest_of_all));
        }
    }
    worst
}

fn networks(normalisation: Normalisation) -> Mlp {
    Mlp {
        latent: 3,
        generator: vec![5, 6, 5],
        samples: 4,
        discriminator: vec![6, 5],
        batch_norm: true,
        range: Range::Tanh,
        normalisation,
    }
}

fn objectives() -> [Objective; 4] {
    [
        Objective::Standard { generator: GeneratorLoss::NonSaturating, label_smoothing: 0.1 },
        Objective::Standard { generator: GeneratorLoss::Minimax, label_smoothing: 0.0 },
        // No parameter comes near this bound.
        Objective::Clipping { bound: 1e6, critic_steps: 1, head_start: false },
        Objective::Penalty { weight: 10.0, critic_steps: 1 },
    ]
}

#[test]
fn do_both_players_descend_their_losses_through_whole_networks() {
    for normalisation in [Normalisation::None, Normalisation::Batch, Normalisation::Layer] {
        let networks = networks(normalisation);
        for objective in objectives() {
            if networks.validate(&objective).is_err() {
                continue;
            }
            for side in [Side::Generator, Side::Discriminator] {
                let worst = worst_difference(&networks, objective, side);
                assert!(worst < TOLERANCE, "{normalisation:?}, {objective:?}, {side:?}: off by {worst:e}");
            }
        }
    }
}

#[test]
fn would_the_gradient_of_another_objective_fail() {
    // The generator that does not saturate moves along another gradient than the minimax loss's.
    let players = steep_players(&networks(Normalisation::None));
    let [one, other] = [objectives()[0], objectives()[1]].map(|objective| {
        let (game, _) = step(&players, objective, Side::Generator);
        game.generator().parameters().next().unwrap().data().to_vec()
    });
    let apart = one.iter().zip(&other).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(apart > 1e-4, "{apart:e}");
}
