//! Are the players updated along the gradients of the losses that are reported?
//!
//! A step of plain gradient descent with rate 1 gives the gradient, which is compared with central differences of the
//! reported loss in f64. With a penalty, the reported loss includes the critic's slope, so its gradient is of second
//! order. The seeds are chosen so that no leaky ReLU unit changes its sign within a difference.

use crate::{descent, normals, players};
use equilibria::Tensor;
use equilibria::adversarial::{
    Augmentation, Game, GeneratorLoss, Networks, Normalisation, Objective, Reading, Recipe, Streams,
    ZeroCentred, dcgan, mlp,
};
use equilibria::nn::gradient_check::compare_parameters;
use equilibria::nn::{Sequential, Shape, Spec};

const BATCH: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    Generator,
    Discriminator,
}

/// A pair of networks with large gradients: small gradients would be lost in the rounding of a difference.
fn steep_players(networks: &Networks) -> [Sequential<f64>; 2] {
    let mut players = players(networks, 1);
    for (parameter, index) in players.iter_mut().flat_map(Sequential::parameters_mut).zip(20..) {
        let noise = normals::<f64>(parameter.len(), index);
        parameter.data_mut().iter_mut().zip(noise).for_each(|(x, noise)| *x += 0.4 * noise);
    }
    players
}

/// One step of one player; the other is fixed.
fn step(players: &[Sequential<f64>; 2], recipe: Recipe, side: Side) -> (Game<f64>, Reading) {
    let [generator, discriminator] = players.clone();
    let rates = if side == Side::Generator { [1.0, 0.0] } else { [0.0, 1.0] };
    let samples = normals::<f64>(BATCH * generator.outputs(), 3);
    let Recipe { augmentation, zero_centred, .. } = recipe;
    let descent = descent(recipe.objective, BATCH, rates[0], rates[1]);
    let mut game =
        Game::new(generator, discriminator, Recipe { augmentation, zero_centred, ..descent }).unwrap();
    let outcome = game.step(
        |_, real| {
            real.copy_from_slice(&samples);
            Ok(())
        },
        &Streams::of(4),
        true,
    );
    (game, outcome.unwrap().unwrap())
}

/// Fails unless a player is updated by the gradient of its loss.
fn check(networks: &Networks, recipe: Recipe, side: Side) {
    let (players, objective) = (steep_players(networks), recipe.objective);
    let index = usize::from(side == Side::Discriminator);
    let (game, _) = step(&players, recipe, side);
    let moved = [game.generator(), game.discriminator()][index];
    let pairs = players[index].parameters().zip(moved.parameters());
    let analytic = pairs.map(|(before, after)| {
        let moved_by = before.data().iter().zip(after.data()).map(|(before, after)| before - after);
        Tensor::from_vec(before.shape(), moved_by.collect()).unwrap()
    });
    let analytic: Vec<Tensor<f64>> = analytic.collect();
    let largest = |tensor: &Tensor<f64>| tensor.data().iter().fold(0.0_f64, |most, g| most.max(g.abs()));
    let largest_of_all = analytic.iter().map(largest).fold(0.0, f64::max);
    for (place, gradient) in analytic.iter().enumerate() {
        // Biases have gradient 0 if a normalisation or a difference of scores cancels them.
        let has_gradient = largest(gradient) > 1e-6 * largest_of_all;
        assert!(
            has_gradient || gradient.rank() == 1,
            "{objective:?}, {side:?}: the gradient of parameter {place} is 0"
        );
    }
    let loss = |players: &[Sequential<f64>; 2]| {
        let (_, reading) = step(players, recipe, side);
        let losses = [reading.generator_loss, reading.discriminator_loss];
        Ok((losses[index], Vec::new()))
    };
    let report = compare_parameters(&players, |players| &mut players[index], &analytic, loss).unwrap();
    assert!(report.passes(), "{networks}, {recipe:?}, {side:?}: {report}");
}

fn networks(normalisation: Normalisation) -> Networks {
    Networks {
        generator: mlp(&[3, 5, 6, 5, 4], Normalisation::Batch, Some(Spec::Tanh)),
        discriminator: mlp(&[4, 6, 5, 1], normalisation, None),
    }
}

fn objectives() -> [Objective; 5] {
    [
        Objective::Standard { generator: GeneratorLoss::NonSaturating, label_smoothing: 0.1 },
        Objective::Standard { generator: GeneratorLoss::Minimax, label_smoothing: 0.0 },
        // No parameter comes near this bound.
        Objective::Clipping { bound: 1e6, critic_steps: 1, head_start: false },
        Objective::Penalty { weight: 10.0, critic_steps: 1 },
        Objective::Relativistic,
    ]
}

#[test]
fn do_both_players_descend_their_losses_through_complete_networks() {
    for normalisation in [Normalisation::None, Normalisation::Batch, Normalisation::Layer] {
        let networks = networks(normalisation);
        for objective in objectives() {
            if networks.validate(&objective).is_err() {
                continue;
            }
            for side in [Side::Generator, Side::Discriminator] {
                check(&networks, Recipe::of(objective), side);
            }
        }
    }
}

#[test]
fn does_the_gradient_of_another_objective_fail() {
    // The non-saturating loss has another gradient than the minimax loss.
    let players = steep_players(&networks(Normalisation::None));
    let [one, other] = [objectives()[0], objectives()[1]].map(|objective| {
        let (game, _) = step(&players, Recipe::of(objective), Side::Generator);
        game.generator().parameters().next().unwrap().data().to_vec()
    });
    let apart = one.iter().zip(&other).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(apart > 1e-4, "{apart:e}");
}

/// Convolutional networks for images of 8x8 colour pixels.
fn convolutional(normalisation: Normalisation) -> Networks {
    dcgan(Shape { height: 8, width: 8, channels: 3 }, 3, 2, normalisation).unwrap()
}

#[test]
fn do_convolutional_players_descend_their_losses_for_every_objective() {
    for normalisation in [Normalisation::None, Normalisation::Layer] {
        let networks = convolutional(normalisation);
        for objective in objectives().into_iter().filter(|objective| networks.validate(objective).is_ok()) {
            check(&networks, Recipe::of(objective), Side::Generator);
            check(&networks, Recipe::of(objective), Side::Discriminator);
        }
    }
}

#[test]
fn do_augmented_players_descend_their_losses_through_the_changes_of_images() {
    let augmentation = Augmentation { translation: true, cutout: true, colour: true };
    for (objective, normalisation, side) in [
        (Objective::standard(), Normalisation::Batch, Side::Generator),
        (Objective::standard(), Normalisation::Batch, Side::Discriminator),
        (Objective::Relativistic, Normalisation::None, Side::Generator),
        (objectives()[3], Normalisation::Layer, Side::Discriminator),
    ] {
        let recipe = Recipe { augmentation, ..Recipe::of(objective) };
        check(&convolutional(normalisation), recipe, side);
    }
}

#[test]
fn do_discriminators_descend_zero_centred_penalties() {
    for (real, generated) in [(0.7, 0.0), (0.0, 0.4), (0.7, 0.4)] {
        let zero_centred = ZeroCentred { real, generated, every: 1 };
        for objective in [Objective::standard(), Objective::Relativistic] {
            for normalisation in [Normalisation::None, Normalisation::Layer] {
                let recipe = Recipe { zero_centred, ..Recipe::of(objective) };
                check(&networks(normalisation), recipe, Side::Discriminator);
            }
        }
    }
}

#[test]
fn is_a_lazy_penalty_added_at_every_nth_step_with_n_times_its_weight() {
    let players = steep_players(&networks(Normalisation::None));
    let moved = |weight: f64, every: u64| {
        let zero_centred = ZeroCentred { real: weight, generated: 0.0, every };
        let recipe = Recipe { zero_centred, ..Recipe::of(Objective::standard()) };
        let (game, reading) = step(&players, recipe, Side::Discriminator);
        let loss = reading.discriminator_loss;
        (
            game.discriminator().parameters().map(|parameter| parameter.data().to_vec()).collect::<Vec<_>>(),
            loss,
        )
    };
    // The first step is due; its reading counts the penalty with its own weight.
    let ((often, _), (rarely, loss)) = (moved(2.0, 1), moved(0.5, 4));
    assert_eq!(often, rarely);
    assert_eq!(loss, moved(0.5, 1).1);
    // Steps between them have no penalty, but their readings do.
    let [generator, discriminator] = players.clone();
    let zero_centred = ZeroCentred { real: 0.5, generated: 0.0, every: 3 };
    let run = |zero_centred| {
        let recipe = Recipe { zero_centred, ..descent(Objective::standard(), BATCH, 0.01, 0.01) };
        let mut game = Game::new(generator.clone(), discriminator.clone(), recipe).unwrap();
        let samples = normals::<f64>(BATCH * generator.outputs(), 3);
        let mut step = || {
            let real = |_: u64, real: &mut [f64]| {
                real.copy_from_slice(&samples);
                Ok(())
            };
            game.step(real, &Streams::of(4), true).unwrap();
            game.discriminator().parameters().next().unwrap().data().to_vec()
        };
        let steps: Vec<Vec<f64>> = (0..4).map(|_| step()).collect();
        steps
            .windows(2)
            .map(|pair| pair[1].iter().zip(&pair[0]).map(|(a, b)| a - b).collect())
            .collect::<Vec<Vec<f64>>>()
    };
    let (penalised, plain) = (run(zero_centred), run(ZeroCentred::NONE));
    let apart = |step: usize| {
        penalised[step].iter().zip(&plain[step]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    assert!(apart(2) > 20.0 * apart(0).max(apart(1)), "{:?}", [apart(0), apart(1), apart(2)]);
}
