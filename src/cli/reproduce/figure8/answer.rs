//! What the numbers say about the report's three claims.

use super::{Played, name};
use crate::adversarial::Reading;
use crate::evaluate::stability::{Verdict, deviation};
use crate::run::gan::Kind;

/// Of the estimate's largest value, a game that left less has come most of the way.
const FAR: f64 = 0.5;
/// Distances that differ by less come and go with the seed.
const ALIKE: f64 = 0.1;
/// So do deviations.
const CLEARLY: f64 = 0.2;

/// Was the standard GAN unstable, did clipping converge, is the penalty more stable: a sentence each.
pub(super) fn sentences(played: &[Played]) -> [String; 3] {
    let facts: Vec<Facts> = played.iter().map(Facts::of).collect();
    let [standard, clipping, penalty] = &facts[..] else { unreachable!("three games were played") };
    [of_standard(standard), of_clipping(clipping), of_penalty(standard, clipping, penalty)]
}

/// What the sentences rest on; the second half of a game is where it should have come to rest.
struct Facts {
    kind: Kind,
    verdict: Verdict,
    reasons: String,
    /// Least and greatest discriminator's loss.
    losses: [f64; 2],
    /// Share of images that the discriminator is right about.
    accuracy: f64,
    /// What either player could still gain at the end.
    gap: f64,
    /// Mean estimate in the last quarter, as a share of the largest (without sign); 0 where all are 0.
    estimate: f64,
    /// Mean share of parameters at the bound.
    clipped: f64,
    /// Deviation of the gap between scores from its straight line, as a share of its mean.
    unrest: f64,
    frechet: f64,
    entropy: f64,
}

impl Facts {
    fn of(played: &Played) -> Self {
        let summary = &played.summary;
        let half = &summary.readings[summary.readings.len() / 2..];
        let quarter = &summary.readings[summary.readings.len() * 3 / 4..];
        let losses = half.iter().map(|reading| reading.discriminator_loss);
        let estimates = summary.readings.iter().filter_map(|reading| reading.wasserstein);
        let largest = estimates.map(f64::abs).fold(0.0, f64::max);
        let accuracy = |reading: &Reading| Some(0.5 * (reading.real_accuracy? + reading.fake_accuracy?));
        Self {
            kind: played.kind,
            verdict: summary.stability.verdict,
            reasons: summary.stability.reasons.join("; "),
            losses: [losses.clone().fold(f64::INFINITY, f64::min), losses.fold(f64::NEG_INFINITY, f64::max)],
            accuracy: mean(half.iter().filter_map(accuracy)),
            gap: half.iter().rev().find_map(|reading| reading.duality_gap).unwrap_or(f64::NAN),
            estimate: match mean(quarter.iter().filter_map(|reading| reading.wasserstein)) {
                0.0 => 0.0,
                last => last / largest,
            },
            clipped: mean(half.iter().filter_map(|reading| reading.clipped)),
            unrest: unrest(&half.iter().map(Reading::gap).collect::<Vec<f64>>()),
            frechet: played.judgement.measures.frechet_distance,
            entropy: played.judgement.measures.class_entropy,
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

/// Standard deviation about the trend, as a share of the mean; 0 of values that stand still.
fn unrest(values: &[f64]) -> f64 {
    match deviation(values) {
        0.0 => 0.0,
        deviation => deviation / mean(values.iter().copied()).abs(),
    }
}

fn of_standard(standard: &Facts) -> String {
    let [least, greatest] = standard.losses;
    let answer = match standard.verdict {
        Verdict::Converged => "The standard GAN was not unstable here",
        Verdict::Unsettled => "The standard GAN neither blew up nor came to rest",
        _ => "The standard GAN was unstable, as the report says",
    };
    format!(
        "{answer}: {} ({}). In the second half its discriminator's loss went between {least:.2} and {greatest:.2} nats (1.39 at \
         the equilibrium), and it was right about {:.0} % of the images (50 % there); at the end, a few steps of either player \
         while the other waits would move the value of the game by {:.2} nats (0 there).",
        standard.verdict,
        standard.reasons,
        100.0 * standard.accuracy,
        standard.gap,
    )
}

fn of_clipping(clipping: &Facts) -> String {
    let answer = match (clipping.verdict, clipping.estimate < FAR) {
        (Verdict::Converged, true) => "Clipping did converge",
        (Verdict::Converged, false) => "Clipping came to rest, but not at the data",
        (Verdict::Unsettled, _) => "Clipping had not converged yet",
        _ => "Clipping did not converge",
    };
    format!(
        "{answer}: {} ({}). At the end its critic's estimate is {:.0} % of its largest, and {:.0} % of the critic's parameters \
         stand at the bound.",
        clipping.verdict,
        clipping.reasons,
        100.0 * clipping.estimate,
        100.0 * clipping.clipped,
    )
}

fn of_penalty(standard: &Facts, clipping: &Facts, penalty: &Facts) -> String {
    let percent = |facts: &Facts| format!("{:.0} %", 100.0 * facts.unrest);
    let is_fine = matches!(penalty.verdict, Verdict::Converged | Verdict::Unsettled);
    // Products rather than a ratio: the others may be perfectly still.
    let (own, others) = (penalty.unrest, standard.unrest.min(clipping.unrest));
    let answer = if !is_fine {
        "The penalty is not stable here"
    } else if own < (1.0 - CLEARLY) * others {
        "The penalty is the most stable of the three"
    } else if own <= (1.0 + CLEARLY) * others {
        "The penalty is as stable as the stabler of the others, not more"
    } else {
        "The penalty is not the most stable"
    };
    format!(
        "{answer}: {}; about its trend the gap between its scores of real and generated images wavers by {} ({}: {}, {}: {}). {}",
        penalty.verdict,
        percent(penalty),
        name(standard.kind),
        percent(standard),
        name(clipping.kind),
        percent(clipping),
        of_distances(standard, penalty),
    )
}

/// Whether the penalty's samples are better than the standard GAN's, and what may explain it if not.
fn of_distances(standard: &Facts, penalty: &Facts) -> String {
    let distances = format!(
        "a Fréchet distance of {:.1} against {:.1} and classes of {:.2} against {:.2} nats",
        penalty.frechet, standard.frechet, penalty.entropy, standard.entropy
    );
    if penalty.frechet < (1.0 - ALIKE) * standard.frechet {
        return format!("Its samples are better than the standard GAN's after as many steps: {distances}.");
    }
    let is_alike = penalty.frechet <= (1.0 + ALIKE) * standard.frechet;
    let compared = if is_alike { "as good as" } else { "worse than" };
    let why = match penalty.verdict {
        Verdict::Unsettled => format!("; its game is not over: {}", penalty.reasons),
        _ => String::new(),
    };
    format!("Its samples are {compared} the standard GAN's after as many steps: {distances}{why}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(kind: Kind, verdict: Verdict, unrest: f64, frechet: f64) -> Facts {
        Facts {
            kind,
            verdict,
            reasons: "because".into(),
            losses: [0.5, 1.5],
            accuracy: 0.8,
            gap: 0.7,
            estimate: 0.2,
            clipped: 0.4,
            unrest,
            frechet,
            entropy: 2.2,
        }
    }

    #[test]
    fn the_sentences_follow_the_numbers() {
        use Verdict::{Collapsed, Converged, Oscillating, Unsettled};
        let standard = |verdict, unrest| facts(Kind::Standard, verdict, unrest, 10.0);
        for (verdict, words) in [
            (Converged, "The standard GAN was not unstable here: converged (because)"),
            (Unsettled, "neither blew up nor came to rest"),
            (Collapsed, "unstable, as the report says: collapsed"),
        ] {
            let text = of_standard(&standard(verdict, 0.1));
            assert!(text.contains(words) && text.contains("between 0.50 and 1.50 nats"), "{text}");
            assert!(text.contains("by 0.70 nats"), "{text}");
        }
        let clipping = |verdict, estimate| Facts { estimate, ..facts(Kind::Clipping, verdict, 0.2, 20.0) };
        for (verdict, estimate, words) in [
            (Converged, 0.2, "Clipping did converge: "),
            (Converged, 0.9, "came to rest, but not at the data"),
            (Unsettled, 0.2, "had not converged yet"),
            (Oscillating, 0.2, "did not converge: oscillating"),
        ] {
            let text = of_clipping(&clipping(verdict, estimate));
            assert!(text.contains(words), "{text}");
        }
        for (verdict, unrest, frechet, words) in [
            (Converged, 0.05, 5.0, ["most stable of the three", "better than the standard GAN's"]),
            (Unsettled, 0.11, 10.5, ["as stable as the stabler", "as good as the standard GAN's"]),
            (Unsettled, 0.3, 15.0, ["is not the most stable", "its game is not over: because"]),
            (Oscillating, 0.01, 15.0, ["not stable here", "worse than the standard GAN's"]),
        ] {
            let penalty = facts(Kind::Penalty, verdict, unrest, frechet);
            let text = of_penalty(&standard(Converged, 0.1), &clipping(Converged, 0.2), &penalty);
            assert!(words.iter().all(|words| text.contains(words)), "{text}");
        }
    }
}
