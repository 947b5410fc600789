//! Does a step compute what its documentation says, with the same result on any number of threads?

use crate::{descent, normals, objectives, parameters, players};
use equilibria::adversarial::{
    Game, Networks, Normalisation, Objective, Reading, Recipe, Streams, fill_latents, mlp,
};
use equilibria::nn::{Cache, Deltas, Gradients, Scratch, Sequential, Spec, Training, Wanted};
use equilibria::rng::Stream;
use equilibria::tensor::Element;
use equilibria::{Error, Result, Tensor};

/// Large enough that products are split over threads.
fn networks() -> Networks {
    Networks {
        generator: mlp(&[20, 64, 96, 128, 200], Normalisation::Batch, Some(Spec::Tanh)),
        discriminator: mlp(&[200, 128, 64, 1], Normalisation::None, None),
    }
}

const BATCH: usize = 32;

/// Real samples, with the same numbers in either type.
fn fill_real<T: Element>(index: u64, samples: &mut [T]) -> Result<()> {
    let numbers = normals::<f32>(samples.len(), 50 + index);
    samples.iter_mut().zip(numbers).for_each(|(x, number)| *x = T::from_f64(f64::from(number).tanh()));
    Ok(())
}

fn begin<T: Element>(objective: Objective) -> Game<T> {
    let [generator, discriminator] = players::<f32>(&networks(), 1).map(|player| cast(&player));
    Game::new(generator, discriminator, Recipe { batch: BATCH, ..Recipe::of(objective) }).unwrap()
}

/// The same numbers in another type.
fn cast<T: Element>(from: &Sequential<f32>) -> Sequential<T> {
    let networks = networks();
    let plan = if from.outputs() == 1 { networks.discriminator } else { networks.generator };
    let mut to: Sequential<T> = plan.build().unwrap();
    for (to, from) in to.parameters_mut().zip(from.parameters()) {
        *to = from.cast();
    }
    to
}

fn play<T: Element>(game: &mut Game<T>, steps: usize) -> Vec<Reading> {
    (0..steps).map(|_| game.step(fill_real, &Streams::of(2), true).unwrap().unwrap()).collect()
}

#[cfg(feature = "parallel")]
#[test]
fn are_games_the_same_on_any_number_of_threads() {
    for objective in objectives() {
        let [one, two, three] = [1, 2, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut game = begin::<f32>(objective);
                let outcomes = play(&mut game, 3);
                (parameters(&game), format!("{outcomes:?}"))
            })
        });
        assert_eq!(one, two, "{objective:?}");
        assert_eq!(one, three, "{objective:?}");
    }
}

#[test]
fn do_reports_leave_the_game_unchanged() {
    for objective in objectives() {
        let [mut watched, mut alone] = [(); 2].map(|()| begin::<f32>(objective));
        play(&mut watched, 2);
        for _ in 0..2 {
            assert_eq!(alone.step(fill_real, &Streams::of(2), false).unwrap(), None);
        }
        assert_eq!(parameters(&watched), parameters(&alone), "{objective:?}");
    }
}

#[test]
fn does_a_game_with_a_copied_state_continue_exactly_as_the_original() {
    for objective in objectives() {
        let begin = || {
            let [generator, discriminator] = players::<f32>(&networks(), 1);
            let recipe = Recipe { batch: BATCH, average: Some(0.9), ..Recipe::of(objective) };
            Game::new(generator, discriminator, recipe).unwrap()
        };
        let mut game = begin();
        play(&mut game, 2);
        let mut resumed = begin();
        let state = resumed.state_mut(game.steps(), game.discriminator_steps());
        for ((name, to), (from_name, from)) in state.zip(game.state()) {
            assert_eq!(name, from_name);
            to.copy_from(from).unwrap();
        }
        let [first, second] = [&mut game, &mut resumed].map(|game| format!("{:?}", play(game, 2)));
        assert_eq!(first, second, "{objective:?}");
        assert!(game.state().eq(resumed.state()), "{objective:?}");
        assert_eq!(
            [game.steps(), game.discriminator_steps()],
            [resumed.steps(), resumed.discriminator_steps()]
        );
    }
}

/// Every fourth step, from the first, on the latents of that step.
#[test]
fn has_the_averaged_generator_its_own_running_statistics() {
    let [generator, discriminator] = players::<f32>(&networks(), 1);
    let recipe = Recipe { batch: BATCH, average: Some(0.9), ..Recipe::of(Objective::standard()) };
    let mut game = Game::new(generator, discriminator, recipe).unwrap();
    let statistics = |network: &Sequential<f32>| network.statistics().cloned().collect::<Vec<_>>();
    let mut before = statistics(game.averaged_generator().unwrap());
    for step in 0..6 {
        play(&mut game, 1);
        let mut average = game.averaged_generator().unwrap().clone();
        let found = statistics(&average);
        if step % 4 == 0 {
            average.statistics_mut().zip(&before).for_each(|(to, from)| to.copy_from(from).unwrap());
            let mut cache = Cache::new(&average);
            fill_latents(Streams::of(2).latent.substream(step).substream(0), 20, cache.input_mut(BATCH));
            average.forward(&mut cache, Training::new(Stream::named(0, "")), &mut Scratch::new()).unwrap();
            before = statistics(&average);
            assert_ne!(before, statistics(game.generator()), "step {step}");
        }
        assert_eq!(found, before, "step {step}");
    }
}

#[test]
fn is_everything_that_changes_part_of_the_state() {
    let [generator, discriminator] = players::<f32>(&networks(), 1);
    let recipe = Recipe { batch: BATCH, average: Some(0.9), ..Recipe::of(Objective::standard()) };
    let mut game = Game::new(generator, discriminator, recipe).unwrap();
    let before: Vec<_> = game.state().map(|(name, tensor)| (name, tensor.clone())).collect();
    play(&mut game, 1);
    for ((name, before), (_, after)) in before.iter().zip(game.state()) {
        assert_ne!(before, after, "{name}");
    }
    let names: Vec<&str> = before.iter().map(|(name, _)| name.as_str()).collect();
    for name in [
        "generator.0.weight",
        "generator.3.running_variance",
        "discriminator.4.bias",
        "average.3.running_mean",
        "generator_optimiser.0",
        "discriminator_optimiser.11",
    ] {
        let found = names.iter().any(|found| *found == name || *found == name.replace("variance", "var"));
        assert!(found, "no {name} in {names:?}");
    }
}

#[test]
fn do_games_in_f32_and_f64_agree() {
    for objective in objectives() {
        let single = play(&mut begin::<f32>(objective), 2);
        let double = play(&mut begin::<f64>(objective), 2);
        for (single, double) in single.into_iter().zip(double) {
            let [single, double] = [single, double].map(|reading| {
                [
                    reading.generator_loss,
                    reading.discriminator_loss,
                    reading.real_score,
                    reading.fake_score,
                    reading.generator_gradient,
                    reading.discriminator_gradient,
                    reading.wasserstein.unwrap_or(1.0),
                    reading.slope.unwrap_or(1.0),
                ]
            });
            for (single, double) in single.iter().zip(double) {
                assert!(
                    (single - double).abs() < 1e-3 * double.abs().max(0.1),
                    "{objective:?}: {single}, {double}"
                );
            }
        }
    }
}

#[test]
fn does_a_report_contain_the_values_of_its_objective() {
    for objective in objectives() {
        let reading = play(&mut begin::<f32>(objective), 1)[0];
        let accuracies = [reading.real_accuracy, reading.fake_accuracy];
        assert_eq!(accuracies.map(|accuracy| accuracy.is_some()), [!objective.has_critic(); 2]);
        assert!(accuracies.iter().flatten().all(|accuracy| (0.0..=1.0).contains(accuracy)));
        assert_eq!(reading.wasserstein.is_some(), objective.has_critic());
        assert_eq!(reading.slope.is_some(), matches!(objective, Objective::Penalty { .. }));
        assert_eq!(reading.clipped.is_some(), matches!(objective, Objective::Clipping { .. }));
        assert!(reading.generator_gradient > 0.0 && reading.discriminator_gradient > 0.0);
        assert_eq!(reading.step, 1);
    }
}

#[test]
fn are_all_parameters_of_a_clipped_critic_within_the_bound() {
    let bound = 0.02;
    let mut game = begin::<f32>(Objective::Clipping { bound, critic_steps: 2, head_start: false });
    let readings = play(&mut game, 5);
    let parameters: Vec<f32> =
        game.discriminator().parameters().flat_map(|parameter| parameter.data().to_vec()).collect();
    assert!(parameters.iter().all(|x| x.abs() <= bound as f32));
    let at_bound = parameters.iter().filter(|x| x.abs() == bound as f32).count() as f64;
    let clipped = readings[4].clipped.unwrap();
    assert_eq!(clipped, at_bound / parameters.len() as f64);
    assert!(clipped > 0.01, "{clipped}");
    let generator = game.generator().parameters().flat_map(|parameter| parameter.data().to_vec());
    assert!(generator.map(f32::abs).fold(0.0, f32::max) > bound as f32, "the generator is not clipped");
}

/// One step of the generator as in the papers: a pass for each mini-batch, a backward pass for each term of the loss.
fn plain_step(game: &Game<f64>, critic_steps: usize, rates: [f64; 2]) -> [Sequential<f64>; 2] {
    let (mut generator, mut critic) = (game.generator().clone(), game.discriminator().clone());
    let (streams, mut scratch) = (Streams::of(2), Scratch::new());
    let training = Training::new(streams.dropout);
    let latents = streams.latent.substream(0);
    for round in 0..=critic_steps {
        let mut made = Cache::new(&generator);
        fill_latents(latents.substream(round as u64), generator.inputs(), made.input_mut(BATCH));
        generator.forward(&mut made, training, &mut scratch).unwrap();
        let mut gradients = Gradients::new(&critic);
        let mut pass =
            |samples: &[f64], seed: f64, critic: &mut Sequential<f64>, gradients: &mut Gradients<f64>| {
                let (mut cache, mut deltas) = (Cache::new(critic), Deltas::new(critic));
                cache.input_mut(BATCH).copy_from_slice(samples);
                critic.forward(&mut cache, training, &mut scratch).unwrap();
                let wanted = Wanted::both(gradients, 0..BATCH, 0..BATCH);
                critic
                    .backward(&cache, &[seed / BATCH as f64; BATCH], wanted, &mut deltas, &mut scratch)
                    .unwrap();
                deltas.input(0..BATCH).to_vec()
            };
        if round == critic_steps {
            let by_samples = pass(made.output(), -1.0, &mut critic, &mut gradients);
            let (mut gradients, mut deltas) = (Gradients::new(&generator), Deltas::new(&generator));
            let wanted = Wanted::parameters(&mut gradients, 0..BATCH);
            generator.backward(&made, &by_samples, wanted, &mut deltas, &mut scratch).unwrap();
            descend(&mut generator, rates[0], gradients.tensors());
        } else {
            let mut real = vec![0.0; BATCH * critic.inputs()];
            fill_real(round as u64, &mut real).unwrap();
            pass(&real, -1.0, &mut critic, &mut gradients);
            pass(made.output(), 1.0, &mut critic, &mut gradients);
            descend(&mut critic, rates[1], gradients.tensors());
        }
    }
    [generator, critic]
}

fn descend(network: &mut Sequential<f64>, rate: f64, gradients: &[Tensor<f64>]) {
    for (parameter, gradient) in network.parameters_mut().zip(gradients) {
        parameter.data_mut().iter_mut().zip(gradient.data()).for_each(|(x, g)| *x -= rate * g);
    }
}

#[test]
fn are_samples_of_one_pass_those_of_separate_passes() {
    let [generator, critic] = players::<f32>(&networks(), 1).map(|player| cast(&player));
    // Also more mini-batches than one pass through the generator takes.
    for critic_steps in [1, 5, 8] {
        let objective = Objective::Clipping { bound: 1e6, critic_steps, head_start: false };
        let rates = [0.3, 0.1];
        let recipe = descent(objective, BATCH, rates[0], rates[1]);
        let mut game = Game::new(generator.clone(), critic.clone(), recipe).unwrap();
        let expected = plain_step(&game, critic_steps, rates);
        game.step(fill_real, &Streams::of(2), false).unwrap();
        for (found, right) in [game.generator(), game.discriminator()].into_iter().zip(&expected) {
            for (found, right) in found.parameters().zip(right.parameters()) {
                let apart = found.data().iter().zip(right.data()).map(|(a, b)| (a - b).abs());
                assert!(apart.fold(0.0, f64::max) < 1e-12, "{critic_steps} critic steps");
            }
        }
    }
}

#[test]
fn is_each_mini_batch_of_real_samples_requested_once() {
    let mut game = begin::<f32>(Objective::Clipping { bound: 0.01, critic_steps: 8, head_start: false });
    let mut seen = Vec::new();
    for _ in 0..2 {
        let real = |index, samples: &mut [f32]| {
            assert_eq!(samples.len(), BATCH * 200);
            seen.push(index);
            fill_real(index, samples)
        };
        game.step(real, &Streams::of(2), false).unwrap();
    }
    assert_eq!(seen, (0..16).collect::<Vec<u64>>());
    assert_eq!([game.steps(), game.discriminator_steps()], [2, 16]);
    let error = game.step(|_, _| Err(Error::invalid("data", "gone")), &Streams::of(2), false).unwrap_err();
    assert_eq!(error.to_string(), "data: gone");
}

#[test]
fn are_invalid_games_refused_in_one_sentence() {
    let refuse = |networks: &Networks, recipe: Recipe, expected: &str| {
        let [generator, discriminator] = players::<f32>(networks, 1);
        let error = Game::new(generator, discriminator, recipe).unwrap_err().to_string();
        assert!(error.starts_with(expected) && !error.contains(". "), "{error}");
    };
    let standard = Recipe::of(Objective::standard());
    refuse(&networks(), Recipe { batch: 1, ..standard }, "batch 1: batch normalisation ");
    refuse(&networks(), Recipe { batch: 0, ..standard }, "batch 0: ");
    refuse(&networks(), Recipe { average: Some(1.0), ..standard }, "average 1: ");
    let clipping = Objective::Clipping { bound: 0.0, critic_steps: 5, head_start: false };
    refuse(&networks(), Recipe::of(clipping), "clip 0: ");
    let discriminator = mlp(&[200, 128, 64, 1], Normalisation::Batch, None);
    let normalised = Networks { discriminator, ..networks() };
    let penalised = "batch normalisation in a penalised critic: ";
    refuse(&normalised, Recipe::of(Objective::penalty()), penalised);
    let error = normalised.validate(&Objective::penalty()).unwrap_err().to_string();
    assert!(error.starts_with(penalised) && error.contains("each sample by itself"), "{error}");
    assert!(normalised.validate(&Objective::clipping()).is_ok());
    // Without batch normalisation, mini-batches of one sample are valid.
    let generator = mlp(&[20, 64, 96, 200], Normalisation::None, None);
    let [generator, discriminator] = players::<f32>(&Networks { generator, ..networks() }, 1);
    let mut game = Game::new(generator, discriminator, Recipe { batch: 1, ..standard }).unwrap();
    assert!(play(&mut game, 1)[0].is_finite());
    let [generator, _] = players::<f32>(&networks(), 1);
    let discriminator = mlp(&[201, 3, 1], Normalisation::None, None).build().unwrap();
    let error = Game::new(generator, discriminator, standard).unwrap_err().to_string();
    assert_eq!(error, "discriminator of a generator's samples: expected shape (200, 1), found (201, 1)");
}

#[test]
fn are_parameters_that_become_infinite_reported() {
    let [generator, discriminator] = players::<f32>(&networks(), 1);
    let recipe = descent(Objective::standard(), BATCH, 1e30, 1e30);
    let mut game = Game::new(generator, discriminator, recipe).unwrap();
    let error = (0..4).find_map(|_| game.step(fill_real, &Streams::of(2), false).err());
    let Some(Error::Diverged { symptom, .. }) = error else { panic!("{error:?}") };
    let name = game.first_not_finite().unwrap();
    assert_eq!(symptom, format!("{name} is no longer finite"));
    assert!(name.ends_with("weight") || name.ends_with("bias"), "{name}");
    assert_eq!(begin::<f32>(Objective::standard()).first_not_finite(), None);
}
