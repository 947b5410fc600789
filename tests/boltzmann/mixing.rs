//! Do overlap, free energy, classes and autocorrelation times agree with enumeration?

use crate::enumeration::{Enumeration, units};
use crate::{all_images, attracting, machine};
use equilibria::boltzmann::Rbm;
use equilibria::evaluate::autocorrelation::{Bound, Time};
use equilibria::evaluate::mixing::{Mixing, Task, mix, rising_steps};
use equilibria::evaluate::nearest::NearestImages;
use equilibria::rng::Stream;

/// Chains that start at each of the 16 states.
const EACH: usize = 60;
const STEPS: usize = 1000;

fn model(perturbation: f64) -> Rbm<f32> {
    let mut model = machine::<f32>(4, 3, 0.9, 8);
    let mut weight = model.weight().clone();
    weight.data_mut()[5] += perturbation as f32;
    model = Rbm::from_parameters(weight, model.visible_bias().clone(), model.hidden_bias().clone()).unwrap();
    model
}

/// The class of an image in this test: the number of its active pixels.
fn class(state: usize) -> u8 {
    state.count_ones() as u8
}

fn walk(model: &Rbm<f32>, seed: u64) -> Mixing {
    let images = all_images::<f32>(&Enumeration::of(model));
    let classes: Vec<u8> = (0..16).map(class).collect();
    // Every image except the empty one counts as a digit.
    let known = (&images[4..], &classes[1..]);
    let nearest = NearestImages::new(known, known, 4).unwrap();
    let (start, classes) = (images.repeat(EACH), classes.repeat(EACH));
    let task = Task { start: &start, classes: &classes, steps: &rising_steps(STEPS), nearest: &nearest };
    mix(model, &task, Stream::named(seed, "evaluate"), |_| Ok(())).unwrap()
}

fn agreement(a: usize, b: usize) -> f64 {
    f64::from(4 - (a ^ b).count_ones()) / 4.0
}

/// 1 + 2 sum of rho(t) for an observable. `product` is its product at two states, `square` its squared mean.
fn time(exact: &Enumeration, product: &dyn Fn(usize, usize) -> f64, square: f64) -> f64 {
    let marginal = exact.marginal();
    let covariance = |lag| {
        let of_start = |start: usize| {
            let after_lag = exact.walk(start, lag);
            marginal[start] * after_lag.iter().enumerate().map(|(v, p)| p * product(start, v)).sum::<f64>()
        };
        (0..16).map(of_start).sum::<f64>() - square
    };
    1.0 + 2.0 * (1..60).map(covariance).sum::<f64>() / covariance(0)
}

fn image_time(exact: &Enumeration) -> f64 {
    let marginal = exact.marginal();
    let means = (0..4).map(|pixel| (0..16).map(|v| marginal[v] * units(v, 4)[pixel]).sum::<f64>());
    let both = |a: usize, b: usize| f64::from((a & b).count_ones());
    time(exact, &both, means.map(|mean| mean * mean).sum())
}

fn free_energy_time(exact: &Enumeration) -> f64 {
    let marginal = exact.marginal();
    let mean: f64 = (0..16).map(|v| marginal[v] * exact.free_energy(v)).sum();
    time(exact, &|a, b| (exact.free_energy(a) - mean) * (exact.free_energy(b) - mean), 0.0)
}

#[test]
fn measurements_agree_with_their_expectation_by_enumeration() {
    let chains = (16 * EACH) as f64;
    let found = walk(&model(0.0), 70);
    let mut wrong = 0;
    for (exact, is_right) in [(Enumeration::of(&model(0.0)), true), (Enumeration::of(&model(1.0)), false)] {
        for look in &found.measurements {
            let distributions: Vec<Vec<f64>> = (0..16).map(|start| exact.walk(start, look.steps)).collect();
            let mean = |observable: &dyn Fn(usize, usize) -> f64| {
                let pairs = (0..256).map(|pair| (pair / 16, pair % 16));
                pairs.map(|(start, v)| distributions[start][v] * observable(start, v)).sum::<f64>() / 16.0
            };
            let free_energy = mean(&|_, v| exact.free_energy(v));
            let square = mean(&|_, v| exact.free_energy(v).powi(2));
            let deviation = (square - free_energy * free_energy).sqrt();
            let agreement = mean(&agreement);
            // For two different chains the states are independent, and the pair never has the same start.
            let state = |v: usize| mean(&|_, state| f64::from(u8::from(state == v)));
            let states: Vec<f64> = (0..16).map(state).collect();
            let independent_agreement = |state: &dyn Fn(usize) -> f64| -> f64 {
                (0..256).map(|pair| state(pair % 16) * self::agreement(pair / 16, pair % 16) / 16.0).sum()
            };
            let others = (independent_agreement(&|v| states[v]) * chains - agreement) / (chains - 1.0);
            let overlap = (agreement - others) / (1.0 - others);
            let digits = chains * (1.0 - states[0]);
            for (what, found, exact, tolerance) in [
                ("free energy", look.free_energy, free_energy, 4.0 * deviation / chains.sqrt()),
                ("deviation", look.free_energy_deviation, deviation, 0.15 * deviation),
                ("agreement", look.agreement, agreement, 0.035),
                ("overlap", look.overlap, overlap, 0.08),
                ("digits", look.digits as f64, digits, 4.0 * (digits * states[0]).sqrt()),
            ] {
                let close = (found - exact).abs() <= tolerance + 1e-5 * exact.abs();
                assert!(close || !is_right, "{what} after {} steps: {found}, not {exact}", look.steps);
                wrong += usize::from(!close);
            }
        }
    }
    assert!(wrong > 10, "only {wrong} numbers distinguish another machine");
    assert_eq!(
        (found.measurements[0].overlap, found.measurements[0].digits, found.measurements[0].same_class),
        (1.0, 900, 900)
    );
}

#[test]
fn classes_are_counted_by_their_share() {
    let exact = Enumeration::of(&model(0.0));
    let (found, marginal) = (walk(&model(0.0), 71), exact.marginal());
    let last = found.last();
    assert_eq!((last.steps, last.classes[0], last.classes.len()), (STEPS, 0, 5));
    let mut entropy = 0.0;
    for (class, &count) in last.classes.iter().enumerate().skip(1) {
        let p: f64 = (1..16).filter(|&v| crate::mixing::class(v) == class as u8).map(|v| marginal[v]).sum();
        let expected = p * (16 * EACH) as f64;
        assert!(
            (count as f64 - expected).abs() < 4.0 * expected.sqrt(),
            "class {class}: {count}, not {expected}"
        );
        let share = count as f64 / last.digits as f64;
        entropy -= share * share.ln();
    }
    assert!((last.class_entropy - entropy).abs() < 1e-12 && entropy > 0.5, "{last:?}");
    assert!(last.same_class < last.digits / 2 + EACH, "{last:?}");
}

#[test]
fn autocorrelation_times_are_those_of_the_transition_matrix() {
    let exact = Enumeration::of(&model(0.0));
    let found = walk(&model(0.0), 72);
    for (what, found, exact, wrong) in [
        ("image", found.image_time, image_time(&exact), free_energy_time(&exact)),
        ("free energy", found.free_energy_time, free_energy_time(&exact), image_time(&exact)),
    ] {
        let Some(Time { steps, bound: Bound::Equal }) = found else { panic!("{what}: {found:?}") };
        assert!((steps - exact).abs() < 0.02 * exact, "{what}: {steps}, not {exact}");
        assert!(
            (steps - wrong).abs() > 0.05 * wrong,
            "{what}: the time {wrong} of the other observable would pass"
        );
    }
}

#[test]
fn chains_that_never_leave_a_mode_are_not_reported_as_fast() {
    // All units on or all off, and almost never anything else.
    let torn = attracting(4, 3, 6.0);
    let torn = Rbm::<f32>::from_parameters(
        torn.weight().cast(),
        torn.visible_bias().cast(),
        torn.hidden_bias().cast(),
    );
    let found = walk(&torn.unwrap(), 73);
    let bound = found.image_time.unwrap().bound;
    assert!(bound == Bound::Above && found.last().overlap > 0.3, "{:?} {:?}", found.image_time, found.last());
    // With a single state there is nothing to measure, and no chain overlaps with its start any longer.
    let still = Rbm::<f32>::from_parameters(
        equilibria::Tensor::zeros(&[4, 3]),
        equilibria::Tensor::from_vec(&[4], vec![60.0, -60.0, 60.0, -60.0]).unwrap(),
        equilibria::Tensor::zeros(&[3]),
    );
    let found = walk(&still.unwrap(), 74);
    assert_eq!((found.image_time, found.free_energy_time), (None, None));
    let last = found.last();
    assert_eq!((last.likeness, last.grey_pixels, last.free_energy_deviation), (1.0, Some(0.0), 0.0));
    assert!(last.overlap.abs() < 0.01 && last.agreement == 0.5, "{last:?}");
}

#[test]
fn invalid_tasks_give_errors_and_errors_of_progress_end_the_walk() {
    let model = model(0.0);
    let images = all_images::<f32>(&Enumeration::of(&model));
    let classes = [1_u8; 16];
    let nearest = NearestImages::new((&images, &classes), (&images, &classes), 4).unwrap();
    let stream = Stream::named(1, "evaluate");
    let go = |start: &[f32], classes: &[u8], steps: &[usize]| {
        let task = Task { start, classes, steps, nearest: &nearest };
        mix(&model, &task, stream, |_| Ok(())).map_err(|error| error.to_string())
    };
    assert!(go(&images, &classes, &[1, 3]).is_ok());
    assert!(go(&images[..4], &classes[..1], &[1]).unwrap_err().contains("at least 2"));
    assert!(go(&images[..8], &classes[..3], &[1]).unwrap_err().contains("expected shape (3, 4)"));
    for steps in [&[][..], &[0, 1], &[2, 2], &[5, 1]] {
        assert!(go(&images, &classes, steps).unwrap_err().contains("rising"), "{steps:?}");
    }
    let mut done = 0;
    let task = Task { start: &images, classes: &classes, steps: &[1000], nearest: &nearest };
    let ended = mix(&model, &task, stream, |steps| {
        done += steps;
        if done < 20 { Ok(()) } else { Err(equilibria::Error::invalid("enough", "is enough")) }
    });
    assert!(ended.unwrap_err().to_string().contains("enough") && done < 100, "{done}");
    assert_eq!(rising_steps(1), [1]);
    assert_eq!(rising_steps(20), [1, 2, 5, 10, 20]);
    assert_eq!(rising_steps(23), [1, 2, 5, 10, 20, 23]);
}
