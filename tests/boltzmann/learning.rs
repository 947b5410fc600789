//! Does learning follow the gradient of the log-likelihood?

use crate::enumeration::{Enumeration, state_of};
use crate::{assert_near, attracting, machine, rows};
use equilibria::Tensor;
use equilibria::boltzmann::Rbm;
use equilibria::boltzmann::learning::{Learner, NegativePhase, Rates};
use equilibria::rng::Stream;
use equilibria::tensor::Element;

/// Momentum too small to have an effect. Without momentum no velocity is stored.
const NEXT_TO_NONE: f64 = 1e-100;

/// A learning rate so small that the model does not change: velocity / rate is the gradient.
const STILL: Rates = Rates { learning_rate: 1e-12, momentum: NEXT_TO_NONE, weight_decay: 0.0 };

/// The images of a mini-batch, alternating.
const IMAGES: [usize; 2] = [0b1111, 0b0111];

/// Mini-batches so large that the noise of a mean is below a hundredth.
const ROWS: usize = 4000;

fn sticky() -> Rbm<f64> {
    attracting(4, 3, 1.5)
}

/// The velocities of W, b and c in one vector.
fn velocity<T: Element>(learner: &Learner<T>) -> Vec<f64> {
    learner.state().velocity.iter().flat_map(|tensor| tensor.data()).map(|x| x.to_f64()).collect()
}

/// The gradient that the last of `updates` updates of a fixed model follows.
fn gradient(model: &Rbm<f64>, phase: NegativePhase, steps: usize, updates: u64, seed: u64) -> Vec<f64> {
    let stream = Stream::named(seed, "chain");
    // The learner has room for more images: only the images in use may enter the mean.
    let mut learner = Learner::new(model.clone(), phase, steps, ROWS + 500, stream.substream(0)).unwrap();
    for update in 1..=updates {
        learner.images_mut(ROWS).copy_from_slice(&rows((0..ROWS).map(|row| IMAGES[row % 2]), 4));
        learner.update(STILL, stream.substream(update)).unwrap();
    }
    velocity(&learner).iter().map(|x| x / STILL.learning_rate).collect()
}

/// The positive phase, averaged over the images.
fn positive_phase(exact: &Enumeration) -> Vec<f64> {
    let phases = IMAGES.map(|v| exact.phase(&exact.walk(v, 0)).0);
    phases[0].iter().zip(&phases[1]).map(|(x, y)| (x + y) / 2.0).collect()
}

/// The expected gradient of CD-k, and the standard error of one update.
fn contrastive(exact: &Enumeration, steps: usize) -> (Vec<f64>, Vec<f64>) {
    let [(x, x_variance), (y, y_variance)] = IMAGES.map(|v| exact.phase(&exact.walk(v, steps)));
    let negative = x.iter().zip(&y).map(|(x, y)| (x + y) / 2.0);
    let mean =
        positive_phase(exact).iter().zip(negative).map(|(positive, negative)| positive - negative).collect();
    let variances = x_variance.iter().zip(&y_variance);
    (mean, variances.map(|(x, y)| ((x + y) / 2.0 / ROWS as f64).sqrt()).collect())
}

/// The gradient of the images' mean log-likelihood.
fn exact_gradient(exact: &Enumeration) -> Vec<f64> {
    let negative = exact.phase(&exact.marginal()).0;
    positive_phase(exact).iter().zip(negative).map(|(positive, negative)| positive - negative).collect()
}

/// The largest |x - y| in units of `error`.
fn deviations(x: &[f64], y: &[f64], error: &[f64]) -> f64 {
    x.iter().zip(y).zip(error).map(|((x, y), error)| (x - y).abs() / error).fold(0.0, f64::max)
}

fn distance(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt()
}

#[test]
fn positive_minus_negative_phase_is_the_derivative_of_the_log_likelihood() {
    const STEP: f64 = 1e-5;
    let model = sticky();
    let log_likelihood = |index: usize, change: f64| {
        let mut parameters = [model.weight(), model.visible_bias(), model.hidden_bias()].map(Tensor::clone);
        let mut index = index;
        for tensor in &mut parameters {
            if index < tensor.len() {
                tensor.data_mut()[index] += change;
                break;
            }
            index -= tensor.len();
        }
        let [weight, visible_bias, hidden_bias] = parameters;
        let exact = Enumeration::of(&Rbm::from_parameters(weight, visible_bias, hidden_bias).unwrap());
        let marginal = exact.marginal();
        IMAGES.iter().map(|&v| marginal[v].ln()).sum::<f64>() / 2.0
    };
    let gradient = exact_gradient(&Enumeration::of(&model));
    let slope = |i| (log_likelihood(i, STEP) - log_likelihood(i, -STEP)) / (2.0 * STEP);
    let slopes: Vec<f64> = (0..gradient.len()).map(slope).collect();
    assert_near(&gradient, &slopes, 1e-8, "gradient");
}

#[test]
fn contrastive_divergence_follows_the_chain_after_its_steps() {
    let (model, exact) = (sticky(), Enumeration::of(&sticky()));
    for steps in [1, 2, 4] {
        let (mean, error) = contrastive(&exact, steps);
        // Chains start at the images again, so the second update has the same expectation as the first.
        for updates in [1, 2] {
            let found = gradient(&model, NegativePhase::Contrastive, steps, updates, 40);
            let off = deviations(&found, &mean, &error);
            assert!(off < 5.0, "CD-{steps}, update {updates}: {off} standard errors off");
        }
        // One step fewer or more would be detected.
        for other in [steps - 1, steps + 1] {
            let off = deviations(&contrastive(&exact, other).0, &mean, &error);
            assert!(off > 7.0, "CD-{steps} and CD-{other} differ by {off} standard errors");
        }
    }
}

/// Each hidden unit is correlated with one visible unit. The test detects random numbers that are used for h and again
/// for v.
#[test]
fn hidden_and_visible_states_are_drawn_from_different_numbers() {
    let tensor = |shape: &[usize], x: &[f64]| Tensor::from_vec(shape, x.to_vec()).unwrap();
    let weight = tensor(&[4, 3], &[-3.0, 0.0, 0.0, 0.0, -3.0, 0.0, 0.0, 0.0, -3.0, 0.0, 0.0, 0.0]);
    let model = Rbm::from_parameters(weight, tensor(&[4], &[1.5; 4]), tensor(&[3], &[1.5; 3])).unwrap();
    let exact = Enumeration::of(&model);
    let (mean, error) = contrastive(&exact, 1);
    let found = gradient(&model, NegativePhase::Contrastive, 1, 1, 43);
    let off = deviations(&found, &mean, &error);
    assert!(off < 5.0, "{off} standard errors off");
}

#[test]
fn contrastive_divergence_approaches_the_gradient_as_steps_grow() {
    let (model, exact) = (sticky(), Enumeration::of(&sticky()));
    let gradient_of = exact_gradient(&exact);
    let mut last = [f64::INFINITY; 2];
    for steps in [1, 3, 10, 30] {
        let (mean, error) = contrastive(&exact, steps);
        let found = gradient(&model, NegativePhase::Contrastive, steps, 1, 41);
        let noise = error.iter().map(|error| error * error).sum::<f64>().sqrt();
        let errors = [distance(&mean, &gradient_of), distance(&found, &gradient_of)];
        assert!((errors[0] - errors[1]).abs() < 4.0 * noise, "CD-{steps}: {errors:?}, noise {noise}");
        assert!(
            errors[0] < 0.8 * last[0] && errors[1] < 0.8 * last[1],
            "CD-{steps}: {last:?}, then {errors:?}"
        );
        last = errors;
    }
    assert!(last[0] < 0.05, "CD-30 is still {} off", last[0]);
}

#[test]
fn persistent_chains_continue_from_their_last_states() {
    const STEPS: usize = 2;
    let (model, exact) = (sticky(), Enumeration::of(&sticky()));
    let positive = positive_phase(&exact);
    // Hidden units start at 0 or 1 with probability 0.5; the first half step is included.
    let mut distribution = exact.visible_after(&[0.125; 8]);
    distribution = exact.step(&distribution);
    let mut first: Option<Vec<f64>> = None;
    for updates in 1..=3 {
        let (negative, variance) = exact.phase(&distribution);
        let mean: Vec<f64> =
            positive.iter().zip(negative).map(|(positive, negative)| positive - negative).collect();
        // All chains contribute, whatever the number of images.
        let error: Vec<f64> = variance.iter().map(|x| (x / (ROWS + 500) as f64).sqrt()).collect();
        let found = gradient(&model, NegativePhase::Persistent, STEPS, updates, 42);
        let off = deviations(&found, &mean, &error);
        assert!(off < 5.0, "update {updates}: {off} standard errors off");
        // Chains that restart would be detected.
        let off = deviations(first.get_or_insert_with(|| mean.clone()), &mean, &error);
        assert!(updates == 1 || off > 7.0, "updates 1 and {updates} differ by {off} standard errors");
        (0..STEPS).for_each(|_| distribution = exact.step(&distribution));
    }
}

/// With one image and one chain, the gradient of b gives the last state of the chain, from which the rest follows.
#[test]
fn the_gradient_uses_probabilities_of_hidden_units_instead_of_states() {
    let model = machine::<f64>(4, 3, 1.0, 13);
    let exact = Enumeration::of(&model);
    for phase in [NegativePhase::Contrastive, NegativePhase::Persistent] {
        for seed in 0..50 {
            let stream = Stream::named(seed, "chain");
            let mut learner = Learner::new(model.clone(), phase, 1, 1, stream.substream(0)).unwrap();
            let image = rows::<f64>(std::iter::once(IMAGES[1]), 4);
            learner.images_mut(1).copy_from_slice(&image);
            learner.update(STILL, stream.substream(1)).unwrap();
            let found: Vec<f64> = velocity(&learner).iter().map(|x| x / STILL.learning_rate).collect();
            let end: Vec<f64> = image.iter().zip(&found[12..16]).map(|(v, x)| (v - x).round()).collect();
            let positive = exact.phase(&exact.walk(IMAGES[1], 0)).0;
            let negative = exact.phase(&exact.walk(state_of(&end), 0)).0;
            let expected: Vec<f64> = positive.iter().zip(negative).map(|(x, y)| x - y).collect();
            assert_near(&found, &expected, 1e-9, &format!("{phase}, seed {seed}"));
        }
    }
}

/// Compares updates with the documented formula, one of them without momentum. A learner without momentum and decay
/// gives each gradient.
fn check_update(phase: NegativePhase, rates: Rates) {
    let stream = Stream::named(50, "chain");
    let mut learner = Learner::new(machine::<f64>(7, 5, 0.8, 6), phase, 2, 8, stream.substream(0)).unwrap();
    let mut velocity_by_hand = vec![0.0; 7 * 5 + 7 + 5];
    for (update, images) in [(1, 8), (2, 8), (3, 3), (4, 8), (5, 8), (6, 2)] {
        let momentum = if update == 4 { 0.0 } else { rates.momentum };
        let rates = Rates { momentum, ..rates };
        let states = (0..images).map(|row| (row * 37 + update * 11) % 128);
        learner.images_mut(images).copy_from_slice(&rows(states, 7));
        let stream = stream.substream(update as u64);

        let mut plain = learner.clone();
        plain
            .update(Rates { learning_rate: 1.0, momentum: NEXT_TO_NONE, weight_decay: 0.0 }, stream)
            .unwrap();
        let flat = |model: &Rbm<f64>| {
            [model.weight(), model.visible_bias(), model.hidden_bias()].map(Tensor::data).concat()
        };
        let mut parameters = flat(&learner.model());
        let updates = velocity_by_hand.iter_mut().zip(&mut parameters).zip(velocity(&plain));
        for (i, ((velocity, parameter), gradient)) in updates.enumerate() {
            let decay = if i < 7 * 5 { rates.weight_decay * *parameter } else { 0.0 };
            *velocity = rates.momentum * *velocity + rates.learning_rate * (gradient - decay);
            *parameter += *velocity;
        }

        learner.update(rates, stream).unwrap();
        if momentum == 0.0 {
            velocity_by_hand.fill(0.0);
        }
        let what = format!("{phase}, {rates:?}, update {update}");
        assert_near(&velocity(&learner), &velocity_by_hand, 1e-14, &format!("velocity, {what}"));
        assert_near(&flat(&learner.model()), &parameters, 1e-14, &format!("parameter, {what}"));
    }
}

#[test]
fn rate_momentum_and_decay_act_as_documented() {
    for phase in [NegativePhase::Contrastive, NegativePhase::Persistent] {
        for (learning_rate, momentum, weight_decay) in
            [(0.1, 0.0, 0.0), (0.1, 0.9, 0.0), (0.1, 0.0, 0.2), (0.3, 0.5, 0.01)]
        {
            check_update(phase, Rates { learning_rate, momentum, weight_decay });
        }
    }
}

fn check_alarm<T: Element>(learning_rate: f64, longest: u64) {
    let stream = Stream::named(51, "chain");
    let mut learner =
        Learner::new(machine::<T>(20, 10, 0.1, 7), NegativePhase::Contrastive, 1, 4, stream.substream(0))
            .unwrap();
    for update in 1..=longest {
        learner.images_mut(4).copy_from_slice(&rows((0..4).map(|row| row * 4001 + update as usize), 20));
        let rates = Rates { learning_rate, momentum: 0.9, weight_decay: 0.0 };
        let updated = learner.update(rates, stream.substream(update));
        let culprit = learner.model().first_not_finite();
        assert_eq!(updated.is_ok(), culprit.is_none(), "rate {learning_rate}, update {update}: {culprit:?}");
        if let Some(culprit) = culprit {
            let error = updated.unwrap_err().to_string();
            assert!(error.starts_with(&format!("diverged: {culprit} is no longer finite")), "{error}");
            return;
        }
    }
    panic!("a rate of {learning_rate} caused no error");
}

#[test]
fn parameters_that_are_not_finite_are_reported_at_once() {
    check_alarm::<f32>(1e39, 1);
    check_alarm::<f32>(1e38, 60);
    check_alarm::<f64>(1e307, 60);
}
