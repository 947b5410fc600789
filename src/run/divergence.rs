//! The definition of divergence, and its likely cause.
//!
//! Training that learns badly has not diverged: it ends with a poor model and a summary of its quality. It has diverged, and
//! ends with [`Error::Diverged`], once a parameter is not finite, or beyond these limits:
//!
//! | model | measure | limit |
//! |---|---|---|
//! | restricted machine | pseudo-log-likelihood of an image of D pixels, both of training and of test images | 10 times that of fair coins, -10 D ln 2 nats |
//! | deep machine | log-likelihood of a training image given the means of the first hidden layer; in pre-training, of the means that a layer learns from given those above | the same, for D units |
//! | standard game | mean loss of a player | 745 nats: the discriminator gives probabilities below the smallest positive number of 64 bits |
//! | game with a gradient penalty of weight λ | mean slope of the critic | 10 (1 + √D / λ), 10 times the largest optimal slope |
//! | classifier | mean cross-entropy of the training images | 10 times that of guessing, 10 ln 10 nats |
//!
//! These limits apply at the end: for Boltzmann machines after the last epoch, for games in all readings since the last
//! checkpoint, for a classifier over the last epoch. Before the end, Boltzmann machines and games are checked after each
//! epoch and at each checkpoint. The limits are then 100 times these values, because a run can recover: a centred machine
//! with 100 hidden units and a learning rate of 30 is at 100 times fair coins after one epoch and at 6 times after six. Games have also
//! diverged if each reading since the last checkpoint has a loss, score, gradient or slope that is not finite. The first
//! epochs of a classifier may cost 10⁷ nats without harm, so only its last epoch counts.
//!
//! A machine at 10 times the cost of fair coins is wrong by 7 nats per pixel on average: it is certain of wrong values. Its
//! weights are tens or hundreds in size, while those of a useful machine are mostly below 1. With 100
//! hidden units and 2,000 built-in digits the limit is -5,434 nats. Learning rates of 0.05, 10, 100 and 1000 end at -167,
//! -212, -3,428 and -37,042 nats after 3 epochs. The last run diverged; the others learned well, badly and very badly.

use crate::Error;
use crate::adversarial::Reading;
use crate::boltzmann::learning::Rates;
use core::f64::consts::LN_2;

/// A diverged model is this many times worse than a model without any knowledge.
pub const FACTOR: f64 = 10.0;

/// Before the end, the limit is this many times higher, because training may recover.
const LENIENCE: f64 = 100.0;

/// Largest loss of the standard game in nats: beyond it, a probability is below the smallest positive f64.
const LARGEST_LOSS: f64 = 745.0;

/// The lowest log-likelihood of binary images of `pixels` pixels that does not count as divergence, in nats per image.
pub fn lowest_log_likelihood(pixels: usize) -> f64 {
    -FACTOR * pixels as f64 * LN_2
}

/// The largest mean slope of a critic that does not count as divergence.
///
/// A critic of slope s gains at most s times the distance of two samples, 2 √D for D numbers from -1 to 1, and loses
/// λ (s - 1)²: the optimal s is at most 1 + √D / λ.
fn largest_slope(numbers: usize, penalty: f64) -> f64 {
    FACTOR * (1.0 + (numbers as f64).sqrt() / penalty)
}

/// The symptom of divergence if the log-likelihood called `name` is NaN or below [`lowest_log_likelihood`], or far below it
/// before the end of training.
pub(super) fn unlikely(name: &str, log_likelihood: f64, pixels: usize, is_end: bool) -> Option<String> {
    let factor = if is_end { 1.0 } else { LENIENCE };
    let (lowest, times) = (factor * lowest_log_likelihood(pixels), factor * FACTOR);
    (log_likelihood.is_nan() || log_likelihood < lowest).then(|| {
        format!(
            "the {name} is {log_likelihood:.3e} nats an image, below {lowest:.3e}, {times} times that of fair coins"
        )
    })
}

/// The symptom of divergence in one reading of a game about samples of `numbers` numbers, if there is one.
pub(super) fn in_reading(
    reading: &Reading,
    numbers: usize,
    penalty: Option<f64>,
    is_end: bool,
) -> Option<String> {
    let losses = [reading.generator_loss, reading.discriminator_loss];
    let others = [
        reading.real_score,
        reading.fake_score,
        reading.generator_gradient,
        reading.discriminator_gradient,
        reading.slope.unwrap_or(0.0),
    ];
    if !losses.into_iter().chain(others).all(f64::is_finite) {
        return Some("a loss, score, gradient or slope is not finite".into());
    }
    let factor = if is_end { 1.0 } else { LENIENCE };
    let (loss, most) = (losses.into_iter().map(f64::abs).fold(0.0, f64::max), factor * LARGEST_LOSS);
    if reading.real_accuracy.is_some() && loss > most {
        return Some(format!("a loss of {loss:.3e} nats is above {most}"));
    }
    let (slope, most) = (reading.slope?, factor * largest_slope(numbers, penalty?));
    let times = factor * FACTOR;
    (slope > most).then(|| {
        format!(
            "the critic's slope of {slope:.3e} is above {most:.3e}, {times} times the largest optimal slope"
        )
    })
}

/// An option that may have caused too large updates.
pub(super) struct Suspect {
    pub option: &'static str,
    pub value: f64,
    /// The value divided by the largest harmless value.
    pub excess: f64,
    pub advice: String,
}

const TENTH: &str = "take a tenth of it";

impl Suspect {
    pub fn new(option: &'static str, value: f64, excess: f64) -> Self {
        Self { option, value, excess, advice: TENTH.into() }
    }
}

/// Names the first suspect with the largest excess, or the first of all if none is above 1.
pub(super) fn likely_cause(suspects: &[Suspect]) -> String {
    // Reversed, because `max_by` returns the last of equal elements.
    let worst = suspects.iter().rev().max_by(|a, b| a.excess.total_cmp(&b.excess));
    let worst = worst.filter(|worst| worst.excess > 1.0);
    let Suspect { option, value, advice, .. } = worst.unwrap_or(&suspects[0]);
    format!("the likely cause is {option} {}: {advice}", short(*value))
}

/// A short decimal form of a number, with at most 6 digits.
pub(super) fn short(number: f64) -> String {
    let rounded: f64 = format!("{number:.5e}").parse().unwrap_or(number);
    match rounded.abs() {
        0.0 | 1e-3..1e5 => rounded.to_string(),
        _ => format!("{rounded:e}"),
    }
}

/// The options behind the rates of a Boltzmann machine's update, the learning rate first.
///
/// Elements of the gradient are at most 1 in size, so a rate above 1 changes weights by more than their usual size. Momentum m
/// adds up steps to 1 / (1 - m) times the rate. Without a gradient, weights obey
/// z² - (1 + m - rate · decay) z + m = 0, whose roots leave the unit circle from rate · decay = 2 (1 + m) on.
pub(super) fn suspects(rate_option: &'static str, rates: Rates) -> Vec<Suspect> {
    let Rates { learning_rate: rate, momentum, weight_decay: decay } = rates;
    let most = 2.0 * (1.0 + momentum) / rate;
    let of_decay = format!(
        "at a learning rate of {} a decay of {} alone makes weights grow; take far less",
        short(rate),
        short(most)
    );
    let of_momentum = format!(
        "it adds up steps to {} times the learning rate of {}; take 0.9 or less",
        short(1.0 / (1.0 - momentum)),
        short(rate)
    );
    vec![
        Suspect::new(rate_option, rate, rate),
        Suspect { advice: of_decay, ..Suspect::new("--weight-decay", decay, decay / most) },
        Suspect {
            advice: of_momentum,
            ..Suspect::new("--momentum", momentum, rate / (1.0 - momentum) / rate.max(1.0))
        },
    ]
}

/// The error for a Boltzmann machine that diverged in an update or after an epoch: complete epochs, and mini-batch from 1.
pub(super) fn error([epochs, batch]: [usize; 2], symptom: String, suspects: &[Suspect]) -> Error {
    let place = format!("epoch {}, batch {batch}", epochs + 1);
    Error::Diverged { place, symptom, cause: likely_cause(suspects) }
}

/// Adds the place and the likely cause to the [`Error::Diverged`] of an update; returns other errors unchanged.
pub(super) fn located(error: Error, place: [usize; 2], suspects: &[Suspect]) -> Error {
    match error {
        Error::Diverged { symptom, .. } => self::error(place, symptom, suspects),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause_of(learning_rate: f64, momentum: f64, weight_decay: f64) -> String {
        let cause =
            likely_cause(&suspects("--learning-rate", Rates { learning_rate, momentum, weight_decay }));
        let rest = cause.strip_prefix("the likely cause is ").unwrap();
        rest.split(':').next().unwrap().to_string()
    }

    #[test]
    fn the_option_with_the_largest_excess_is_named() {
        assert_eq!(cause_of(1e9, 0.5, 1e-4), "--learning-rate 1e9");
        assert_eq!(cause_of(0.05, 0.5, 1e30), "--weight-decay 1e30");
        assert_eq!(cause_of(1e9, 0.5, 1e30), "--weight-decay 1e30");
        assert_eq!(cause_of(0.05, 0.9999, 1e-4), "--momentum 0.9999");
        // Above 2 (1 + m) / rate the decay alone diverges; without any excess, the rate is named.
        assert_eq!(cause_of(0.05, 0.5, 60.1), "--weight-decay 60.1");
        assert_eq!(cause_of(0.05, 0.5, 59.9), "--learning-rate 0.05");
        assert_eq!(cause_of(0.0, 0.5, 1e-4), "--learning-rate 0");
    }

    /// The linear recursion of weights under decay alone, on both sides of its bound.
    #[test]
    fn decay_alone_makes_weights_grow_above_its_bound() {
        for momentum in [0.0, 0.5, 0.9] {
            for (share, grows) in [(0.99, false), (1.01, true)] {
                let rate_times_decay = share * 2.0 * (1.0 + momentum);
                let (mut weight, mut velocity) = (1.0_f64, 0.0);
                for _ in 0..2_000 {
                    velocity = momentum * velocity - rate_times_decay * weight;
                    weight += velocity;
                }
                assert_eq!(weight.abs() > 1.0, grows, "momentum {momentum}, share {share}: {weight}");
            }
        }
    }

    #[test]
    fn games_diverge_beyond_the_optimal_slope_and_the_largest_loss() {
        let sane = Reading { real_accuracy: Some(1.0), generator_loss: 100.0, ..Reading::default() };
        let critic = Reading { generator_loss: -1e9, slope: Some(37.0), ..Reading::default() };
        for (reading, penalty, diverged) in [
            (sane, None, false),
            (Reading { generator_loss: -744.0, ..sane }, None, false),
            (Reading { generator_loss: -746.0, ..sane }, None, true),
            (Reading { discriminator_loss: 746.0, ..sane }, None, true),
            (Reading { discriminator_gradient: f64::INFINITY, ..sane }, None, true),
            (Reading { fake_score: f64::NAN, ..sane }, None, true),
            // 10 (1 + 28 / 10) = 38; without a penalty, neither scores nor slopes of a critic have a limit.
            (critic, Some(10.0), false),
            (Reading { slope: Some(39.0), ..critic }, Some(10.0), true),
            (Reading { slope: Some(39.0), ..critic }, Some(1.0), false),
            (Reading { slope: Some(1e30), ..critic }, Some(0.0), false),
            (Reading { slope: Some(f64::NAN), ..critic }, Some(0.0), true),
        ] {
            let found = in_reading(&reading, 784, penalty, true);
            assert_eq!(found.is_some(), diverged, "{reading:?}: {found:?}");
        }
    }

    #[test]
    fn the_limit_is_ten_times_fair_coins_and_a_hundred_times_more_before_the_end() {
        let fair = -784.0 * LN_2;
        for (log_likelihood, [before, at_end]) in [
            (0.0, [false, false]),
            (9.99 * fair, [false, false]),
            (10.01 * fair, [false, true]),
            (999.0 * fair, [false, true]),
            (1001.0 * fair, [true, true]),
            (f64::NEG_INFINITY, [true, true]),
            (f64::NAN, [true, true]),
        ] {
            let found = [false, true].map(|is_end| unlikely("likelihood", log_likelihood, 784, is_end));
            let found = found.map(|symptom| symptom.is_some());
            assert_eq!(found, [before, at_end], "{log_likelihood}");
        }
        let reading = Reading { generator_loss: 7e4, real_accuracy: Some(0.5), ..Reading::default() };
        assert!(
            in_reading(&reading, 784, None, false).is_none()
                && in_reading(&reading, 784, None, true).is_some()
        );
    }

    #[test]
    fn numbers_are_written_like_options() {
        for (number, text) in [
            (0.05, "0.05"),
            (1e9, "1e9"),
            (5e-5, "5e-5"),
            (59.999_999_99, "60"),
            (0.0, "0"),
            (99_999.999_9, "1e5"),
        ] {
            assert_eq!(short(number), text);
        }
    }
}
