use super::*;
use crate::rng::Stream;
use alloc::vec;
use equilibria_kernels::{Level, random};

/// A healthy, converged game with noise: 0.1 on losses and gradients, 0.01 on scores.
fn game(readings: usize) -> Vec<Reading> {
    let mut noise = vec![0.0; readings * 6];
    random::fill_normal(Level::detect(), &mut Stream::named(5, "evaluate").bulk(), &mut noise);
    let reading = |(i, noise): (usize, &[f64])| Reading {
        step: 50 * i as u64,
        generator_loss: 0.7 + 0.1 * noise[0],
        discriminator_loss: 1.3 + 0.1 * noise[1],
        real_accuracy: Some(0.55),
        fake_accuracy: Some(0.57),
        real_score: 0.52 + 0.01 * noise[2],
        fake_score: 0.48 + 0.01 * noise[3],
        generator_gradient: 1.0 + 0.1 * noise[4],
        discriminator_gradient: 2.0 + 0.1 * noise[5],
        spread: Some(0.9),
        class_entropy: Some(0.98),
        ..Reading::default()
    };
    noise.chunks(6).enumerate().map(reading).collect()
}

/// The judgement of the game after `change` was applied to each reading; `change` also takes the reading's number.
fn changed(change: impl Fn(f64, &mut Reading)) -> Judgement {
    let mut readings = game(200);
    for (i, reading) in readings.iter_mut().enumerate() {
        change(i as f64, reading);
    }
    judge(&readings)
}

fn expect(found: &Judgement, verdict: Verdict, word: &str) {
    assert_eq!(found.verdict, verdict, "{:?}", found.reasons);
    assert!(found.reasons[0].contains(word), "{:?} does not say `{word}`", found.reasons);
}

#[test]
fn each_rule_gives_its_verdict_and_says_why() {
    let settled = changed(|_, _| ());
    expect(&settled, Verdict::Converged, "neither the score gap nor the generator's loss changes");
    assert!(!settled.reasons[0].contains("this is not the equilibrium"), "56 %: {:?}", settled.reasons);
    let winning = |_, reading: &mut Reading| reading.real_accuracy = Some(0.93);
    expect(&changed(winning), Verdict::Converged, "the discriminator classifies 75 %");
    let turning = |i: f64, reading: &mut Reading| reading.real_score += 0.1 * libm::sin(i / 3.0);
    expect(&changed(turning), Verdict::Oscillating, "a period of about 950 steps");
    // Pseudo-random values from 0 to 1, without a period.
    let scattered = |i: f64| (libm::sin(12.9898 * i) * 43_758.545).rem_euclid(1.0);
    let restless = |i: f64, reading: &mut Reading| {
        let swing = scattered(i) - 0.5;
        (reading.real_score, reading.fake_score) = (0.55 + 0.3 * swing, 0.45 + 0.3 * swing);
        (reading.real_accuracy, reading.fake_accuracy) = (Some(0.5 + swing), Some(0.5 - swing));
    };
    expect(&changed(restless), Verdict::Oscillating, "the share swings by");
    // Probabilities that are nearly all equal: small differences decide which side they fall on.
    let undecided = |i: f64, reading: &mut Reading| {
        restless(i, reading);
        (reading.real_score, reading.fake_score) = (0.501, 0.499);
    };
    expect(&changed(undecided), Verdict::Converged, "neither the score gap");
    let leaping = |i: f64, reading: &mut Reading| {
        reading.real_score = if i < 2.0 { 1.0 } else { 0.2 + scattered(i) };
        reading.fake_score = 0.2;
    };
    expect(&changed(leaping), Verdict::Oscillating, "without a period");
    let losing = |i: f64, reading: &mut Reading| reading.generator_loss += 0.02 * i;
    expect(&changed(losing), Verdict::Unsettled, "the generator's loss still moves: by +1.999");
    expect(&changed(|i, reading| reading.spread = Some(1.0 - 0.005 * i)), Verdict::Collapsed, "spread");
    expect(&changed(|_, reading| reading.class_entropy = Some(0.5)), Verdict::Collapsed, "entropy");
    let opening = |i: f64, reading: &mut Reading| reading.class_entropy = Some(0.002 * i);
    expect(&changed(opening), Verdict::Unsettled, "but still rises: by +0.20");
    let widening = |i: f64, reading: &mut Reading| reading.spread = Some(0.0012 * i);
    expect(&changed(widening), Verdict::Unsettled, "spread");
    let late = |i: f64, reading: &mut Reading| reading.class_entropy = Some(0.001 * i);
    expect(&changed(late), Verdict::Collapsed, "less than 0.65");
    let growing =
        |i: f64, reading: &mut Reading| reading.generator_gradient *= libm::exp(0.1 * (i - 100.0).max(0.0));
    expect(&changed(growing), Verdict::Diverged, "generator's last gradients");
    let lost = |i: f64, reading: &mut Reading| reading.fake_score /= if i > 150.0 { 0.0 } else { 1.0 };
    expect(&changed(lost), Verdict::Diverged, "after 7550 steps");
    let bursting =
        |i: f64, reading: &mut Reading| reading.discriminator_gradient *= if i > 170.0 { 1e4 } else { 1.0 };
    expect(&changed(bursting), Verdict::Diverged, "discriminator's last gradients");
    expect(&judge(&game(10)), Verdict::Unsettled, "too few");
    let mut early = game(15);
    early.iter_mut().for_each(|reading| reading.spread = Some(0.1));
    expect(&judge(&early), Verdict::Unsettled, "too few");
    expect(&judge(&[]), Verdict::Unsettled, "too few");
    expect(&Judgement::diverged("a weight"), Verdict::Diverged, "a weight");
}

#[test]
fn a_critics_rest_is_told_by_its_gap() {
    let critic = |_, reading: &mut Reading| {
        (reading.real_accuracy, reading.fake_accuracy) = (None, None);
        reading.real_score += 3.0;
    };
    expect(&changed(critic), Verdict::Converged, "by 3.039");
}

#[test]
fn warnings_come_once_when_they_begin_and_again_after_a_pause() {
    let readings = game(60);
    let mut watch = Watch::new();
    assert!(readings.iter().all(|reading| watch.update(reading).is_empty()), "a healthy game");

    let mut heard = Vec::new();
    let mut watch = Watch::new();
    for (i, reading) in readings.iter().enumerate() {
        let mut reading = *reading;
        match i {
            20..30 | 40..50 => reading.spread = Some(0.2),
            33 => reading.discriminator_gradient *= 150.0,
            35 => reading.class_entropy = Some(0.6),
            37 => reading.generator_loss = f64::NAN,
            _ => {}
        }
        heard.extend(watch.update(&reading).into_iter().map(|warning| (i, warning)));
    }
    let expected = [
        (20, Warning::LittleSpread),
        (33, Warning::Explosion),
        (35, Warning::FewClasses),
        (37, Warning::NotFinite),
        (40, Warning::LittleSpread),
    ];
    assert_eq!(heard, expected);
}

#[test]
fn what_must_last_500_steps_is_not_said_earlier() {
    let mut watch = Watch::new();
    let mut heard = Vec::new();
    // Readings are 50 steps apart; a pause at reading 5 restarts the count.
    for (i, mut reading) in game(30).into_iter().enumerate() {
        reading.discriminator_loss = if i == 5 { 0.3 } else { 0.01 };
        heard.extend(watch.update(&reading).into_iter().map(|warning| (i, warning)));
    }
    assert_eq!(heard, [(16, Warning::DiscriminatorWon)]);

    let mut watch = Watch::new();
    let mut heard = Vec::new();
    for (i, mut reading) in game(30).into_iter().enumerate() {
        // The loss of a good critic is negative.
        (reading.real_accuracy, reading.discriminator_loss) = (None, -4.0);
        reading.wasserstein = Some(if i < 3 { 0.5 } else { -0.5 });
        heard.extend(watch.update(&reading).into_iter().map(|warning| (i, warning)));
    }
    assert_eq!(heard, [(13, Warning::CriticBehind)]);
}
