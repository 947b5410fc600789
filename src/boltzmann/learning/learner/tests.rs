use super::{Learner, NegativePhase, Rates};
use crate::boltzmann::Rbm;
use crate::rng::Stream;
use crate::tensor::Workspace;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::{Level, random};

const VISIBLE: usize = 150;
const HIDDEN: usize = 70;

fn noise(len: usize, seed: u64) -> Vec<f64> {
    let mut values = vec![0.0; len];
    random::fill_uniform(Level::detect(), &mut Stream::named(seed, "evaluate").bulk(), &mut values);
    values
}

/// The gradient rate (v0' p0 / B - vk' pk / C) by its definition. Each p is computed from its v by dense products.
fn expected(model: &Rbm<f64>, v: [&[f64]; 2], rate: f64) -> Vec<f64> {
    let mut gradient = vec![0.0; VISIBLE * HIDDEN + VISIBLE + HIDDEN];
    for (v, sign) in v.into_iter().zip([1.0, -1.0]) {
        let rows = v.len() / VISIBLE;
        let mut p = vec![0.0; rows * HIDDEN];
        model.hidden_probabilities(v, &mut p, &mut Workspace::new());
        let scale = sign * rate / rows as f64;
        for (v, p) in v.chunks(VISIBLE).zip(p.chunks(HIDDEN)) {
            for (i, v) in v.iter().enumerate() {
                p.iter().enumerate().for_each(|(j, p)| gradient[i * HIDDEN + j] += scale * v * p);
                gradient[VISIBLE * HIDDEN + i] += scale * v;
            }
            p.iter().enumerate().for_each(|(j, p)| gradient[VISIBLE * HIDDEN + VISIBLE + j] += scale * p);
        }
    }
    gradient
}

fn check(phase: NegativePhase, steps: usize, batch: usize, images: usize, are_binary: bool) {
    let model = Rbm::<f64>::new(&[0.3; VISIBLE], HIDDEN, Stream::named(1, "init")).unwrap();
    let mut learner = Learner::new(model, phase, steps, batch, Stream::named(2, "chain"));
    let rates = Rates { learning_rate: 0.5, momentum: 0.0, weight_decay: 0.0 };
    for update in 0..3 {
        let mut v0 = noise(images * VISIBLE, update);
        if are_binary {
            v0.iter_mut().for_each(|v| *v = f64::from(u8::from(*v < 0.3)));
        }
        learner.images_mut(images).copy_from_slice(&v0);
        let before = learner.model().clone();
        assert!(learner.update(rates, Stream::named(update, "chain")).unwrap());
        let chains = learner.chains.as_ref().unwrap_or(&learner.data);
        let mut vk = vec![0.0; chains.visible.rows() * VISIBLE];
        chains.visible.unpack(&mut vk);
        let right = expected(&before, [&v0, &vk], rates.learning_rate);
        let parameters = |model: &Rbm<f64>| {
            [model.weight().data(), model.visible_bias().data(), model.hidden_bias().data()].concat()
        };
        let (old, new) = (parameters(&before), parameters(learner.model()));
        for (at, ((old, new), right)) in old.iter().zip(new).zip(right).enumerate() {
            let found = new - old;
            let what = (phase, steps, batch, images, are_binary, update);
            assert!((found - right).abs() < 1e-13, "{what:?}, parameter {at}: {found}, not {right}");
        }
    }
}

/// The change of W in one update of a machine with weights W times `scale`.
fn change(phase: NegativePhase, are_binary: bool, scale: f64, factors: [f64; 2]) -> Vec<f64> {
    let mut model = Rbm::<f64>::new(&[0.3; VISIBLE], HIDDEN, Stream::named(1, "init")).unwrap();
    model.parameters_mut()[0].data_mut().iter_mut().for_each(|w| *w *= 20.0 * scale);
    let before = model.weight().clone();
    let learner = Learner::new(model, phase, 2, 40, Stream::named(2, "chain"));
    let mut learner = learner.with_input_factors(factors);
    let mut v0 = noise(40 * VISIBLE, 3);
    if are_binary {
        v0.iter_mut().for_each(|v| *v = f64::from(u8::from(*v < 0.3)));
    }
    learner.images_mut(40).copy_from_slice(&v0);
    let rates = Rates { learning_rate: 0.5, momentum: 0.0, weight_decay: 0.0 };
    assert!(learner.update(rates, Stream::named(4, "chain")).unwrap());
    let after = learner.model().weight().data();
    after.iter().zip(before.data()).map(|(after, before)| after - before).collect()
}

/// Doubling the weights is the same as doubling the inputs in both directions; a factor of 0.5 in one direction undoes
/// it there.
#[test]
fn inputs_are_multiplied_by_their_factors() {
    let largest_distance =
        |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
    for phase in [NegativePhase::Contrastive, NegativePhase::Persistent] {
        for are_binary in [true, false] {
            let change = |scale, factors| change(phase, are_binary, scale, factors);
            let [up, down] = [change(1.0, [2.0, 1.0]), change(1.0, [1.0, 2.0])];
            assert!(largest_distance(&up, &change(2.0, [1.0, 0.5])) < 1e-14, "{phase}, up");
            assert!(largest_distance(&down, &change(2.0, [0.5, 1.0])) < 1e-14, "{phase}, down");
            for (one, other) in [(&up, &down), (&up, &change(1.0, [1.0; 2])), (&down, &change(1.0, [1.0; 2]))]
            {
                assert!(largest_distance(one, other) > 1e-3, "{phase}: {}", largest_distance(one, other));
            }
        }
    }
}

/// The first factor applies to the hidden units of the data.
#[test]
fn the_first_input_factor_is_that_of_the_hidden_units() {
    const ROWS: usize = 40;
    let model = Rbm::<f64>::new(&[0.3; VISIBLE], HIDDEN, Stream::named(1, "init")).unwrap();
    let mut doubled = model.clone();
    doubled.parameters_mut()[0].data_mut().iter_mut().for_each(|w| *w *= 2.0);
    let v0 = noise(ROWS * VISIBLE, 3);
    let mut right = vec![0.0; ROWS * HIDDEN];
    doubled.hidden_probabilities(&v0, &mut right, &mut Workspace::new());
    let learner = Learner::new(model, NegativePhase::Contrastive, 1, ROWS, Stream::named(2, "chain"));
    let mut learner = learner.with_input_factors([2.0, 0.5]);
    learner.images_mut(ROWS).copy_from_slice(&v0);
    learner.positive_phase(Stream::named(4, "chain")).unwrap();
    for (place, right) in right.iter().enumerate() {
        let (row, unit) = (place / HIDDEN, place % HIDDEN);
        let found = learner.data_probabilities[(unit / 64 * ROWS + row) * 64 + unit % 64];
        assert!((found - right).abs() < 1e-13, "row {row}, unit {unit}: {found}, not {right}");
    }
}

#[test]
fn sums_of_rows_and_changes_give_the_gradient_of_dense_products() {
    for are_binary in [true, false] {
        for (batch, images) in [(3, 3), (100, 100), (100, 70)] {
            // 20 steps exceed the number of corrections after which sums are recomputed.
            for steps in [1, 3, 20] {
                check(NegativePhase::Contrastive, steps, batch, images, are_binary);
            }
            check(NegativePhase::Persistent, 2, batch, images, are_binary);
        }
    }
}

/// The machine in which the states 0 and 1 of the units in `flipped` (visible, hidden) are exchanged.
fn flipped(model: &Rbm<f64>, flipped: [&[bool]; 2]) -> Rbm<f64> {
    let sign = |flipped: bool| if flipped { -1.0 } else { 1.0 };
    let mut model = model.clone();
    let [weight, visible_bias, hidden_bias] = model.parameters_mut();
    let (w, b, c) = (weight.data_mut(), visible_bias.data_mut(), hidden_bias.data_mut());
    for (i, &visible) in flipped[0].iter().enumerate() {
        for (j, &hidden) in flipped[1].iter().enumerate() {
            // v W h with v = 1 - v' and h = 1 - h'
            let old = w[i * HIDDEN + j];
            b[i] += if hidden { old } else { 0.0 };
            c[j] += if visible { old } else { 0.0 };
            w[i * HIDDEN + j] = sign(visible) * sign(hidden) * old;
        }
    }
    b.iter_mut().zip(flipped[0]).for_each(|(b, &flipped)| *b *= sign(flipped));
    c.iter_mut().zip(flipped[1]).for_each(|(c, &flipped)| *c *= sign(flipped));
    model
}

/// The largest difference between the parameters of a machine and of its flipped twin after three updates from the same
/// states.
fn distance_from_twin(phase: NegativePhase, is_centred: bool, are_binary: bool) -> f64 {
    const ROWS: usize = 70;
    let is_on = |x: &f64| *x < 0.4;
    let flips = [noise(VISIBLE, 20), noise(HIDDEN, 21)].map(|x| x.iter().map(is_on).collect::<Vec<_>>());
    let flips = [&*flips[0], &*flips[1]];
    let none = [&[false; VISIBLE][..], &[false; HIDDEN][..]];
    let apply_flips = |values: &[f64], flips: &[bool]| -> Vec<f64> {
        let flip = |(value, &flip): (&f64, &bool)| if flip { 1.0 - value } else { *value };
        values.iter().zip(flips.iter().cycle()).map(flip).collect()
    };
    let model = Rbm::<f64>::new(&[0.3; VISIBLE], HIDDEN, Stream::named(1, "init")).unwrap();
    let twins = [none, flips].map(|flips| {
        let mut learner = Learner::new(flipped(&model, flips), phase, 1, ROWS, Stream::named(2, "chain"));
        if is_centred {
            learner = learner.centred();
        }
        if let Some(centring) = &mut learner.centring {
            for (offsets, flips) in [&mut centring.visible, &mut centring.hidden].into_iter().zip(flips) {
                let start: Vec<f64> = (0..flips.len()).map(|unit| 0.2 + unit as f64 / 300.0).collect();
                offsets[..flips.len()].copy_from_slice(&apply_flips(&start, flips));
            }
        }
        for update in 0..3 {
            // Sets states and probabilities as the two phases would.
            let state = |x: &f64| f64::from(u8::from(is_on(x)));
            let states = |seed| noise(ROWS * VISIBLE, seed).iter().map(state).collect::<Vec<_>>();
            let v0 = if are_binary { states(update) } else { noise(ROWS * VISIBLE, update) };
            let (v0, vk) = (apply_flips(&v0, flips[0]), apply_flips(&states(update + 10), flips[0]));
            let p = [30, 40].map(|seed| apply_flips(&noise(ROWS * HIDDEN, update + seed), flips[1]));
            learner.images_mut(ROWS).copy_from_slice(&v0);
            learner.data.visible.set(&v0);
            learner.data_states.copy_from_slice(&learner.data.visible.states);
            let walkers = learner.chains.as_mut().unwrap_or(&mut learner.data);
            walkers.visible.set(&vk);
            for (p, places) in
                p.iter().zip([&mut learner.data_probabilities, &mut walkers.hidden.probabilities])
            {
                for (place, &p) in p.iter().enumerate() {
                    let (row, unit) = (place / HIDDEN, place % HIDDEN);
                    places[(unit / 64 * ROWS + row) * 64 + unit % 64] = p;
                }
            }
            let rates = Rates { learning_rate: 0.5, momentum: 0.5, weight_decay: 0.01 };
            assert!(learner.ascend(rates, are_binary));
        }
        learner.into_model()
    });
    let [plain, twin] = twins;
    let parts = |model: &Rbm<f64>| {
        [model.weight().data(), model.visible_bias().data(), model.hidden_bias().data()].concat()
    };
    let difference = |(x, y): (&f64, &f64)| (x - y).abs();
    let (plain, twin) = (parts(&flipped(&plain, flips)), parts(&twin));
    plain.iter().zip(&twin).map(difference).fold(0.0, f64::max)
}

#[test]
fn centred_learning_is_the_same_when_units_exchange_0_and_1() {
    for phase in [NegativePhase::Contrastive, NegativePhase::Persistent] {
        for are_binary in [true, false] {
            let distance_from_twin = |is_centred| distance_from_twin(phase, is_centred, are_binary);
            assert!(
                distance_from_twin(true) < 1e-12,
                "{phase}, binary {are_binary}: {}",
                distance_from_twin(true)
            );
            // Plain learning depends on the choice.
            assert!(
                distance_from_twin(false) > 0.1,
                "{phase}, binary {are_binary}: {}",
                distance_from_twin(false)
            );
        }
    }
}
