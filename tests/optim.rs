//! Do optimisers, averages and schedules follow their formulas?

use equilibria::nn::{BatchNorm, Cache, Deltas, Gradients, Linear, Scratch, Sequential, Training, Wanted};
use equilibria::optim::{Average, Optimiser, Rule, Schedule};
use equilibria::rng::Stream;

/// Parameters that one task processes.
const CHUNK: usize = 1 << 14;
/// More parameters than one task processes.
const INPUTS: usize = CHUNK + 100;

/// A network with one unit, and the gradient of its output: the input, and 1 with respect to the bias.
fn network(input: &[f64]) -> (Sequential<f64>, Gradients<f64>) {
    let mut network = Sequential::new(INPUTS, [Linear::new(INPUTS, 1).into()].to_vec()).unwrap();
    network.parameters_mut().for_each(|parameter| parameter.fill_uniform(Stream::named(1, "init")));
    let (mut cache, mut deltas) = (Cache::new(&network), Deltas::new(&network));
    let (mut gradients, mut scratch) = (Gradients::new(&network), Scratch::new());
    cache.input_mut(1).copy_from_slice(input);
    network.forward(&mut cache, Training::new(Stream::named(0, "dropout")), &mut scratch).unwrap();
    let wanted = Wanted::parameters(&mut gradients, 0..1);
    network.backward(&cache, &[1.0], wanted, &mut deltas, &mut scratch).unwrap();
    (network, gradients)
}

fn input() -> Vec<f64> {
    (0..INPUTS).map(|i| (i % 17) as f64 / 8.0 - 1.0).collect()
}

/// Three steps of one parameter with the same gradient, by the formulas of the papers.
fn paper_steps(rule: Rule, g: f64, mut p: f64) -> f64 {
    let [mut mean, mut square] = [0.0; 2];
    for step in 1..=3 {
        p -= match rule {
            Rule::Sgd { rate, momentum } => {
                mean = momentum * mean + g;
                rate * mean
            }
            Rule::RmsProp { rate, decay, epsilon } => {
                square = decay * square + (1.0 - decay) * g * g;
                rate * g / (square.sqrt() + epsilon)
            }
            Rule::Adam { rate, betas: [a, b], epsilon } => {
                mean = a * mean + (1.0 - a) * g;
                square = b * square + (1.0 - b) * g * g;
                let corrected = [mean / (1.0 - a.powi(step)), square / (1.0 - b.powi(step))];
                rate * corrected[0] / (corrected[1].sqrt() + epsilon)
            }
        };
    }
    p
}

#[test]
fn every_parameter_is_updated_as_in_the_papers() {
    for rule in [
        Rule::Sgd { rate: 0.1, momentum: 0.9 },
        Rule::RmsProp { rate: 0.01, decay: 0.9, epsilon: 1e-3 },
        Rule::Adam { rate: 0.01, betas: [0.5, 0.9], epsilon: 1e-3 },
    ] {
        let input = input();
        let (mut model, mut gradients) = network(&input);
        let before = model.clone();
        let mut optimiser = Optimiser::new(rule, &model).unwrap();
        (0..3).for_each(|_| optimiser.step(&mut model, &mut gradients).unwrap());
        assert_eq!(optimiser.steps(), 3);
        let tensors = before.parameters().zip(model.parameters()).zip([&input[..], &[1.0]]);
        for ((before, after), gradient) in tensors {
            for ((&before, &after), &g) in before.data().iter().zip(after.data()).zip(gradient) {
                let right = paper_steps(rule, g, before);
                assert!((after - right).abs() < 1e-12, "{rule:?}: {after}, not {right}");
            }
        }
    }
}

#[test]
fn a_copy_of_the_state_continues_with_the_same_step() {
    let rule = Rule::adam(0.01, [0.5, 0.9]);
    let (mut model, mut gradients) = network(&input());
    let mut optimiser = Optimiser::new(rule, &model).unwrap().with_clip(0.5).unwrap();
    optimiser.step(&mut model, &mut gradients).unwrap();
    let (mut resumed, mut other) =
        (model.clone(), Optimiser::new(rule, &model).unwrap().with_clip(0.5).unwrap());
    let (steps, state) = other.state_mut();
    *steps = optimiser.steps();
    state.iter_mut().zip(optimiser.state()).for_each(|(to, from)| to.copy_from(from).unwrap());
    optimiser.step(&mut model, &mut gradients).unwrap();
    other.step(&mut resumed, &mut gradients).unwrap();
    assert!(model.parameters().eq(resumed.parameters()));
    assert!(model.parameters().all(|parameter| parameter.data().iter().all(|x| x.abs() <= 0.5)));
}

#[test]
fn parameters_beyond_the_bound_are_clipped_to_it() {
    let input = input();
    let (mut model, mut gradients) = network(&input);
    let rule = Rule::Sgd { rate: 1e6, momentum: 0.0 };
    let mut optimiser = Optimiser::new(rule, &model).unwrap().with_clip(0.5).unwrap();
    optimiser.step(&mut model, &mut gradients).unwrap();
    let weight = model.parameters().next().unwrap().data();
    for (weight, gradient) in weight.iter().zip(&input).filter(|(_, gradient)| **gradient != 0.0) {
        assert_eq!(*weight, -0.5 * gradient.signum());
    }
}

#[test]
fn a_gradient_that_is_not_finite_is_detected_in_every_task() {
    for place in [0, CHUNK - 1, CHUNK, INPUTS - 1] {
        let mut input = input();
        input[place] = f64::NAN;
        let (mut model, mut gradients) = network(&input);
        let rule = Rule::Sgd { rate: 0.1, momentum: 0.0 };
        let error = Optimiser::new(rule, &model).unwrap().step(&mut model, &mut gradients).unwrap_err();
        let right = "diverged: 0.weight is no longer finite; a lower learning rate may avoid it";
        assert_eq!(error.to_string(), right, "{place}");
    }
}

#[test]
fn invalid_rules_are_refused() {
    for (rule, begin) in [
        (Rule::Sgd { rate: -1.0, momentum: 0.0 }, "learning rate -1: "),
        (Rule::rms_prop(f64::NAN), "learning rate NaN: "),
        (Rule::Sgd { rate: 0.1, momentum: 1.0 }, "momentum 1: "),
        (Rule::RmsProp { rate: 0.1, decay: -0.1, epsilon: 1e-8 }, "decay -0.1: "),
        (Rule::adam(0.1, [0.5, 1.0]), "beta 1: "),
        (Rule::Adam { rate: 0.1, betas: [0.5, 0.9], epsilon: 0.0 }, "epsilon 0: "),
    ] {
        let error = format!("{}", rule.validate().unwrap_err());
        assert!(error.starts_with(begin), "{error}");
        assert_eq!(Optimiser::new(rule, &network(&input()).0).unwrap_err().to_string(), error);
    }
    let model = network(&input()).0;
    let mut optimiser = Optimiser::new(Rule::adam(0.1, [0.5, 0.9]), &model).unwrap();
    for bad in [f64::NAN, -0.1, f64::INFINITY] {
        assert!(optimiser.set_rate(bad).is_err() && optimiser.rule() == Rule::adam(0.1, [0.5, 0.9]), "{bad}");
        assert!(optimiser.clone().with_clip(bad).is_err() && Average::new(bad, &model).is_err(), "{bad}");
    }
    assert!(Rule::adam(0.0, [0.0, 0.999]).validate().is_ok());
    assert_eq!(Rule::adam(0.1, [0.5, 0.9]).with_rate(0.2), Rule::adam(0.2, [0.5, 0.9]));
}

#[test]
fn parameters_are_averaged_and_statistics_are_left_alone() {
    // More parameters than one task processes.
    let layers = vec![Linear::new(CHUNK, 3).into(), BatchNorm::new(3).into()];
    let mut network = Sequential::<f64>::new(CHUNK, layers).unwrap();
    let mut average = Average::new(0.75, &network).unwrap();
    network.parameters_mut().for_each(|parameter| parameter.fill(8.0));
    network.statistics_mut().for_each(|statistic| statistic.fill(5.0));
    average.update(&network);
    average.update(&network);
    // 8 (1 - 0.75²) from 0; scales start at 1.
    for (index, parameter) in average.network().parameters().enumerate() {
        let right = if index == 2 { 8.0 - 7.0 * 0.75 * 0.75 } else { 3.5 };
        assert!(parameter.data().iter().all(|x| *x == right), "parameter {index}: {parameter:?}");
    }
    assert_eq!(average.network().statistics().count(), 2);
    let statistics: Vec<&[f64]> = average.network().statistics().map(|statistic| statistic.data()).collect();
    assert_eq!(statistics, [[0.0; 3], [1.0; 3]]);
}

#[test]
fn a_schedule_is_read_as_it_was_written() {
    for text in
        ["0.01", "0.5:0.9@5", "0.1:0.01@10:0.001@20", "0.05..0.001", "-1..1", "1..1", "2..1:3@4:5..4@6"]
    {
        assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
    }
}

#[test]
fn invalid_schedules_are_refused() {
    for text in [
        "",
        "x",
        "0.5:0.9",
        "0.5:0.9@",
        "0.5:0.9@1",
        "0.5:0.9@7:0.1@7",
        "nan",
        "inf",
        "1..",
        "1@2",
        "1..2..3",
        "2..1:3..@4",
    ] {
        assert!(text.parse::<Schedule>().is_err(), "{text}");
    }
}

#[test]
fn a_line_reaches_its_ends() {
    let line: Schedule = "2..1".parse().unwrap();
    assert_eq!((line.at(1, 5), line.at(3, 5), line.at(5, 5)), (2.0, 1.5, 1.0));
    assert_eq!(line.at(1, 1), 2.0);
}

#[test]
fn a_line_ends_before_the_next_piece() {
    let pieces: Schedule = "2..1:7@4:5..3@6".parse().unwrap();
    let values: [f64; 9] = std::array::from_fn(|i| pieces.at(i + 1, 8));
    assert_eq!(values, [2.0, 1.5, 1.0, 7.0, 7.0, 5.0, 4.0, 3.0, 3.0]);
    // The first epochs of a longer run equal those of the shorter run.
    let [short, long] = ["2..1", "2..1:7@4"].map(|text| text.parse::<Schedule>().unwrap());
    assert!((1..=3).all(|epoch| short.at(epoch, 3) == long.at(epoch, 8)));
}
