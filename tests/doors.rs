//! Are invalid numbers refused at the library's public functions, before any long computation?

use equilibria::adversarial::{Game, Networks, Objective, Recipe, Streams};
use equilibria::boltzmann::learning::deep::DeepLearner;
use equilibria::boltzmann::learning::{Learner, NegativePhase, Rates, Reading};
use equilibria::boltzmann::likelihood::annealed::{Annealing, Schedule};
use equilibria::boltzmann::likelihood::deep;
use equilibria::boltzmann::reconstruct::Effort;
use equilibria::boltzmann::{Dbm, DbmChains, GibbsChains, MeanField, Rbm, Stop};
use equilibria::evaluate::autocorrelation::Time;
use equilibria::evaluate::classifier::Classifier;
use equilibria::evaluate::filters::Measured;
use equilibria::evaluate::mixing::{self, mix};
use equilibria::evaluate::nearest::NearestImages;
use equilibria::evaluate::reconstruction::{self, remove_rows};
use equilibria::nn::{Plan, Sequential};
use equilibria::rng::Stream;
use equilibria::{Error, Result, Tensor};

/// Numbers that are not probabilities.
const OUTSIDE: [f32; 5] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1e-6, 1.000_001];
/// Numbers that are not finite.
const NONE: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
const STOP: Stop = Stop { tolerance: 1e-3, iterations: 5 };
const RATES: Rates = Rates { learning_rate: 0.1, momentum: 0.5, weight_decay: 0.0 };

fn stream() -> Stream {
    Stream::named(1, "init")
}

/// Fails unless `found` is an invalid-argument error whose message contains `what`.
#[track_caller]
fn refused<X>(found: Result<X>, what: &str) {
    match found {
        Err(Error::InvalidArgument { argument, .. }) if argument.contains(what) => {}
        Err(error) => panic!("the error does not name {what}: {error}"),
        Ok(_) => panic!("{what} was accepted"),
    }
}

#[test]
fn means_of_data_are_probabilities() {
    let model = Rbm::<f32>::new(&[0.0, 1.0], 2, stream()).unwrap();
    let schedule: Schedule = "1/0.5".parse().unwrap();
    for bad in OUTSIDE {
        let mean = [0.5, bad];
        refused(Rbm::<f32>::new(&mean, 2, stream()), "a mean of");
        refused(Rbm::<f64>::new(&mean, 2, stream()), "a mean of");
        refused(Dbm::<f32>::new(&mean, &[2, 2], stream()), "a mean of");
        refused(Annealing::new(&model, &mean, &schedule), "a mean of");
    }
    assert!(Dbm::<f64>::new(&[0.0, 1.0], &[2, 2], stream()).is_ok());
}

#[test]
fn parameters_are_finite() {
    let zeros = |shape: &[usize]| Tensor::<f32>::zeros(shape);
    for bad in NONE {
        let with = |shape: &[usize]| {
            let mut tensor = zeros(shape);
            *tensor.data_mut().last_mut().unwrap() = bad;
            tensor
        };
        refused(Rbm::from_parameters(with(&[3, 2]), zeros(&[3]), zeros(&[2])), "weight");
        refused(Rbm::from_parameters(zeros(&[3, 2]), with(&[3]), zeros(&[2])), "visible_bias");
        refused(Rbm::from_parameters(zeros(&[3, 2]), zeros(&[3]), with(&[2])), "hidden_bias");
        let weights = || vec![zeros(&[3, 2]), zeros(&[2, 2])];
        let biases = || vec![zeros(&[3]), zeros(&[2]), zeros(&[2])];
        for layer in 0..2 {
            let mut bad = weights();
            bad[layer] = with(&[3 - layer, 2]);
            refused(Dbm::from_parameters(bad, biases()), &format!("weight_{}", layer + 1));
        }
        let mut bad = biases();
        bad[2] = with(&[2]);
        refused(Dbm::from_parameters(weights(), bad), "bias_2");
        refused(Measured::new(&with(&[9, 2]), 3, 3), "weights to measure");
    }
    for (visible, hidden) in [(0, 2), (3, 0)] {
        let empty = Rbm::from_parameters(zeros(&[visible, hidden]), zeros(&[visible]), zeros(&[hidden]));
        refused(empty, "an empty layer");
    }
}

#[test]
fn training_images_are_probabilities() {
    let restricted = Rbm::<f32>::new(&[0.5; 3], 2, stream()).unwrap();
    let deep = Dbm::<f32>::new(&[0.5; 3], &[2, 2], stream()).unwrap();
    let phases = [NegativePhase::Contrastive, NegativePhase::Persistent];
    for (phase, centred) in phases.into_iter().flat_map(|phase| [(phase, false), (phase, true)]) {
        let learner = Learner::new(restricted.clone(), phase, 1, 2, stream()).unwrap();
        let mut learner = if centred { learner.centred() } else { learner };
        for bad in OUTSIDE {
            let before = (learner.model(), learner.state());
            learner.images_mut(2).copy_from_slice(&[0.0, 1.0, 0.0, 1.0, bad, 1.0]);
            refused(learner.update(RATES, stream()), "a pixel of");
            assert!((learner.model(), learner.state()) == before, "{bad} has changed the machine");
        }
        learner.images_mut(2).copy_from_slice(&[0.0, 1.0, 0.25, 1.0, 0.5, 1.0]);
        learner.update(RATES, stream()).unwrap();
    }
    let mut learner = DeepLearner::new(deep.clone(), 2, 2, 1, stream()).unwrap().centred();
    for bad in OUTSIDE {
        let before = (learner.model().clone(), learner.state());
        learner.images_mut(2).copy_from_slice(&[0.0, 1.0, 0.0, 1.0, bad, 1.0]);
        refused(learner.update(RATES, stream()), "a pixel of");
        assert!((learner.model().clone(), learner.state()) == before, "{bad} has changed the machine");
    }
    learner.images_mut(2).copy_from_slice(&[0.0, 1.0, 0.25, 1.0, 0.5, 1.0]);
    learner.update(RATES, stream()).unwrap();
}

#[test]
fn images_for_inference_are_in_their_range() {
    let model = Rbm::<f32>::new(&[0.5; 3], 2, stream()).unwrap();
    let deep_model = Dbm::<f32>::new(&[0.5; 3], &[2, 2], stream()).unwrap();
    let schedule: Schedule = "1/0.5".parse().unwrap();
    let good = [0.0, 1.0, 1.0];
    for bad in OUTSIDE {
        let image = [0.0, 1.0, bad];
        let mut posterior = MeanField::new(&deep_model, 1);
        refused(posterior.infer(&deep_model, &image, STOP), "a visible unit of");
        refused(deep::lower_bounds(&deep_model, &image, STOP), "a visible unit of");
        refused(deep::Annealing::new(&deep_model, &image, STOP, &schedule), "an image with a unit of");
    }
    for bad in NONE {
        let mut posterior = MeanField::new(&deep_model, 1);
        refused(posterior.infer_from_logits(&deep_model, &[0.0, bad], STOP), "logits");
    }
    // Only states are allowed, no values between 0 and 1.
    let annealing = Annealing::new(&model, &[0.5; 3], &schedule).unwrap();
    let deep_annealing = deep::Annealing::new(&deep_model, &good, STOP, &schedule).unwrap();
    for bad in OUTSIDE.into_iter().chain([0.5]) {
        let image = [0.0, 1.0, bad];
        let mut chains = GibbsChains::new(&model, 1, stream());
        chains.set_visible_states(&good).unwrap();
        refused(chains.set_visible_states(&image), "a state of");
        assert_eq!(chains.visible_states(), good);
        let mut chains = DbmChains::new(&deep_model, 1, stream());
        chains.set_states(0, &good).unwrap();
        refused(chains.set_states(0, &image), "a state of");
        assert_eq!(chains.states(0), good);
        refused(Reading::of(&model, &image, &good, stream()), "a unit of an image of");
        refused(Reading::of(&model, &good, &image, stream()), "a state of");
        refused(annealing.reverse(&image, 1, stream(), |_| Ok(())), "an image to anneal from");
        refused(deep_annealing.reverse(&image, 1, stream(), |_| Ok(())), "an image to anneal from");
        let states = deep_annealing.reverse_log_partition(&image, 1, stream(), |_| Ok(()));
        refused(states, "an image to start from");
    }
}

#[test]
fn images_that_are_compared_are_in_their_range() {
    let model = Rbm::<f32>::new(&[0.5; 4], 2, stream()).unwrap();
    let (images, classes) = ([0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0], [1, 2]);
    let nearest = NearestImages::new((&images, &classes), (&images, &classes), 4).unwrap();
    fn task<'a>(images: &'a [f32], mean_image: &'a [f32]) -> reconstruction::Task<'a> {
        let effort = Effort { burn_in: 1, average: 1 };
        reconstruction::Task { images, mean_image, height: 2, width: 2, effort }
    }
    for bad in OUTSIDE {
        let mut others = images;
        others[6] = bad;
        let other = (&others[..], &classes[..]);
        refused(NearestImages::new(other, (&images, &classes), 4), "a pixel of");
        refused(NearestImages::new((&images, &classes), other, 4), "a pixel of");
        let task = task(&images, &others[4..]);
        refused(remove_rows(&model, &task, 0..1, stream()), "a mean of");
    }
    for bad in OUTSIDE.into_iter().chain([0.5]) {
        let mut others = images;
        others[6] = bad;
        let walk = mixing::Task { start: &others, classes: &classes, steps: &[1], nearest: &nearest };
        refused(mix(&model, &walk, stream(), |_| Ok(())), "a state of");
        // Removed pixels are checked too, because the reconstruction is compared with them.
        for removed in [0..1, 1..2] {
            refused(remove_rows(&model, &task(&others, &[0.5; 4]), removed, stream()), "a pixel of");
        }
    }
    let short = remove_rows(&model, &task(&images, &[0.5; 3]), 0..1, stream());
    assert!(matches!(short, Err(Error::ShapeMismatch { .. })), "{short:?}");
    let flat = reconstruction::Task { height: 0, ..task(&images, &[0.5; 4]) };
    assert!(remove_rows(&model, &flat, 0..1, stream()).is_err());
    let narrow = NearestImages::new((&images, &[1; 4]), (&images, &[1; 4]), 2).unwrap();
    let walk = mixing::Task { start: &images, classes: &classes, steps: &[1], nearest: &narrow };
    let other = mix(&model, &walk, stream(), |_| Ok(()));
    assert!(matches!(other, Err(Error::ShapeMismatch { .. })), "{other:?}");
    let series: Vec<f64> = (0..50).map(|i| if i == 7 { f64::NAN } else { f64::from(i % 3) }).collect();
    assert_eq!(Time::of(&series, 50, 1), None, "the autocorrelation time of invalid numbers");
}

#[test]
fn networks_that_cannot_learn_are_refused() {
    refused(Sequential::<f32>::new(0, Vec::new()), "a network with 0 inputs");
    let networks = Networks::plane(2, &[4, 4]);
    let players = || -> (Sequential<f32>, Sequential<f32>) { networks.start(stream()).unwrap().into() };
    for objective in [Objective::standard(), Objective::clipping(), Objective::penalty()] {
        let recipe = Recipe { batch: 4, ..Recipe::of(objective) };
        let (generator, discriminator) = players();
        // Before `initialise`, all weights are 0.
        let zeros = networks.generator.build().unwrap();
        refused(Game::new(zeros, discriminator.clone(), recipe), "a generator whose weights are all 0");
        let zeros = networks.discriminator.build().unwrap();
        refused(Game::new(generator.clone(), zeros, recipe), "a discriminator whose weights are all 0");
        let nothing = Sequential::new(2, Vec::new()).unwrap();
        refused(Game::new(nothing, discriminator, recipe), "a generator whose weights are all 0");
        for bad in NONE {
            let (generator, mut discriminator) = players();
            discriminator.parameters_mut().nth(1).unwrap().data_mut()[2] = bad;
            refused(Game::new(generator, discriminator, recipe), "discriminator.0.bias");
            let (mut generator, discriminator) = players();
            generator.parameters_mut().last().unwrap().data_mut()[0] = bad;
            refused(Game::new(generator, discriminator, recipe), "generator.4.bias");
        }
        // Invalid real samples in the second mini-batch.
        for bad in NONE {
            let (generator, discriminator) = players();
            let mut game = Game::new(generator, discriminator, recipe).unwrap();
            let mut calls = 0;
            let mut fill = |_: u64, samples: &mut [f32]| {
                samples.fill(0.5);
                samples[3] = if calls == 1 { bad } else { 0.25 };
                calls += 1;
                Ok(())
            };
            let outcome = game.step(&mut fill, &Streams::of(1), false);
            let outcome = outcome.and_then(|_| game.step(&mut fill, &Streams::of(1), false));
            refused(outcome, "real samples of mini-batch 1");
        }
    }
    let plan = Classifier::plan(2, 2, 3);
    let zeros = plan.build().unwrap();
    refused(Classifier::new(plan, &zeros), "a classifier whose weights are all 0");
    let plan: Plan = "2: linear 2, linear 2".parse().unwrap();
    let mut network = plan.build().unwrap();
    network.parameters_mut().for_each(|parameter| parameter.fill(f32::NAN));
    refused(Classifier::new(plan, &network), "classifier.0.weight");
}
