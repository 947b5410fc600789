//! Does a game agree with plain loops on the same random stream, for random options and odd sizes?

use crate::{normals, players};
use equilibria::adversarial::reference::{Dense, DenseActivation, Reference};
use equilibria::adversarial::{
    Game, GeneratorLoss, Networks, Normalisation, Objective, Recipe, Streams, ZeroCentred, mlp,
};
use equilibria::nn::{Plan, Sequential, Spec};
use equilibria::optim::Rule;
use equilibria::rng::Stream;
use rand::{Rng, RngExt};

/// Rounding errors grow by a factor of a few in each step.
const STEPS: usize = 6;
const SIZES: [usize; 6] = [1, 3, 17, 40, 64, 65];

fn one_of<T: Clone>(random: &mut impl Rng, choices: &[T]) -> T {
    choices[random.random_range(0..choices.len())].clone()
}

/// Units of up to two hidden layers.
fn widths(random: &mut impl Rng) -> Vec<usize> {
    (0..random.random_range(0..3)).map(|_| one_of(random, &SIZES)).collect()
}

fn draw(random: &mut impl Rng) -> (Networks, Recipe) {
    let loss = one_of(random, &[GeneratorLoss::NonSaturating, GeneratorLoss::Minimax]);
    let is_judged_by_batch = random.random_bool(0.3);
    // More mini-batches than one pass through the generator takes, unless rounding errors would grow too much.
    let critic_steps = random.random_range(1..if is_judged_by_batch { 3 } else { 9 });
    let objective = match random.random_range(0..4) {
        0 => Objective::Standard { generator: loss, label_smoothing: one_of(random, &[0.0, 0.1]) },
        1 => Objective::Clipping { bound: one_of(random, &[0.01, 0.3]), critic_steps, head_start: false },
        2 => Objective::Penalty { weight: one_of(random, &[0.0, 10.0]), critic_steps },
        _ => Objective::Relativistic,
    };
    let zero_centred = match objective.has_critic() {
        true => ZeroCentred::NONE,
        false => ZeroCentred {
            real: one_of(random, &[0.0, 0.5]),
            generated: one_of(random, &[0.0, 0.7]),
            every: one_of(random, &[1, 3]),
        },
    };
    let is_penalised = Recipe { zero_centred, ..Recipe::of(objective) }.penalises_slopes();
    let latent: Vec<usize> = vec![one_of(random, &SIZES)];
    let samples = vec![one_of(random, &SIZES)];
    let generator = [latent, widths(random), samples.clone()].concat();
    let discriminator = [samples, widths(random), vec![1]].concat();
    let of_hidden = |is_normalised| if is_normalised { Normalisation::Batch } else { Normalisation::None };
    let networks = Networks {
        generator: mlp(&generator, of_hidden(random.random()), one_of(random, &[Some(Spec::Tanh), None])),
        discriminator: mlp(&discriminator, of_hidden(is_judged_by_batch && !is_penalised), None),
    };
    let usual = Recipe::of(objective);
    // Adam and RMSProp amplify the rounding of gradients that are 0, like those of biases before a normalisation.
    let is_normalised = [&networks.generator, &networks.discriminator].iter().any(|it| it.mixes_examples());
    let rule = match is_normalised {
        true => Rule::Sgd { rate: 0.01, momentum: one_of(random, &[0.0, 0.5]) },
        false => usual.generator.with_rate(1e-3),
    };
    // Normalising two or three samples that are nearly equal also amplifies it.
    let batch = if is_normalised { one_of(random, &[9, 16, 33]) } else { one_of(random, &[1, 2, 3, 16, 33]) };
    let recipe = Recipe { batch, generator: rule, discriminator: rule, zero_centred, ..usual };
    (networks, recipe)
}

/// The network's linear layers, each with its normalisation and activation, in the order of the parameters.
fn plain(plan: &Plan, network: &Sequential<f64>) -> Vec<Dense> {
    let mut parameters = network.parameters().map(|tensor| tensor.data().to_vec());
    let mut inputs = network.inputs();
    let mut layers = Vec::new();
    for group in plan.layers.chunk_by(|_, next| !matches!(next, Spec::Linear { .. })) {
        let count = if group.contains(&Spec::BatchNorm) { 4 } else { 2 };
        let activation = match group[group.len() - 1] {
            Spec::LeakyRelu(_) => DenseActivation::LeakyRelu,
            Spec::Tanh => DenseActivation::Tanh,
            _ => DenseActivation::Identity,
        };
        layers.push(Dense::new(inputs, activation, parameters.by_ref().take(count).collect()));
        let Spec::Linear { outputs, .. } = group[0] else { panic!("{plan}") };
        inputs = outputs;
    }
    assert!(parameters.next().is_none());
    layers
}

fn real(index: u64, samples: &mut [f64]) {
    let numbers = normals::<f64>(samples.len(), 70 + index);
    samples.iter_mut().zip(numbers).for_each(|(x, number)| *x = number.tanh());
}

#[test]
fn do_games_agree_with_plain_loops() {
    for seed in 0..150 {
        let mut random = Stream::named(seed, "game combination").generator();
        let (networks, recipe) = draw(&mut random);
        let [generator, discriminator] = players::<f64>(&networks, seed);
        let mut reference = Reference {
            recipe,
            generator: plain(&networks.generator, &generator),
            discriminator: plain(&networks.discriminator, &discriminator),
            steps: [0; 2],
        };
        let mut game = Game::new(generator, discriminator, recipe).unwrap();
        for step in 0..STEPS {
            let fill = |index: u64, samples: &mut [f64]| {
                real(index, samples);
                Ok(())
            };
            game.step(fill, &Streams::of(seed), false).unwrap();
            reference.step(real, &Streams::of(seed));
            let found = [game.generator(), game.discriminator()];
            for (player, layers) in found.into_iter().zip([&reference.generator, &reference.discriminator]) {
                let right = layers.iter().flat_map(|layer| &layer.parameters);
                for (place, (found, right)) in player.parameters().zip(right).enumerate() {
                    let far = found
                        .data()
                        .iter()
                        .zip(right)
                        .map(|(x, y)| (x - y).abs() / y.abs().max(1.0))
                        .fold(0.0, f64::max);
                    assert!(
                        far < 1e-8,
                        "parameter {place} is {far:e} off, step {step}, {networks}, {recipe:?}"
                    );
                }
            }
        }
    }
}
