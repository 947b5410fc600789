//! Figure 8: a standard GAN and Wasserstein GANs with clipping and with a gradient penalty, side by side.

use super::panels;
use super::workbench::{ByBudget, ReportFigure, Workbench, table};
use crate::Result;
use crate::adversarial::Networks;
use crate::adversarial::{Generator, PICTURED};
use crate::evaluate::second_half::SecondHalf;
use crate::evaluate::stability::Verdict;
use crate::experiments::games::{self, Chart, PlayedGame};
use crate::report::numbers::{counted, thousands};
use crate::report::{Answer, ContactSheet, Outcome, Section, Table};
use crate::rng::Stream;
use crate::run::gan::{ObjectiveName, Settings, Summary};
use crate::run::samples::{JudgeSettings, Judgement, Measures, choose_classifier, draw, judge};
use crate::run::{interrupt, read_archive};
use serde_json::{Value, json};

pub(super) const FIGURE: ReportFigure = ReportFigure {
    name: "figure8",
    about: "Three adversarial networks: samples, losses, verdicts on their stability",
    files: &[
        "figure8.png",
        "figure8-standard-losses.svg",
        "figure8-clipping-losses.svg",
        "figure8-penalty-losses.svg",
        "figure8-accuracy.svg",
        "figure8-scores.svg",
        "figure8-critic.svg",
        "figure8-bounds.svg",
        "figure8-generator-gradient.svg",
        "figure8-discriminator-gradient.svg",
        "figure8-classes.svg",
        "figure8-spread.svg",
        "figure8-duality-gap.svg",
    ],
    seconds: ByBudget { quick: 100, full: 700 },
    needs_digits: true,
    check: |_| Ok(()),
    make,
};

/// Steps of each generator, and steps between two readings.
const STEPS: ByBudget = ByBudget { quick: 2_000, full: 15_000 };
const EVERY: ByBudget = ByBudget { quick: 10, full: 50 };
/// Factor of the published learning rate of clipping. Without it, the losses would still move at the end of the quick budget.
/// The penalty has none: its critic's mean scores still approach each other at 2 and 4 times its rate.
const CLIPPING_FACTOR: ByBudget = ByBudget { quick: 2, full: 1 };
/// Samples of each generator that are evaluated.
const SAMPLES: ByBudget = ByBudget { quick: 2_000, full: 10_000 };
/// The moments whose samples are shown, in tenths of the run.
const SHOWN: [usize; 4] = [1, 3, 6, 10];
/// Real images, and as many generated ones, that the reader can tell apart.
const TOLD_APART: usize = 15;
/// Steps of each player in the search for the duality gap.
const SEARCH: usize = 50;

/// A finished game, and the quality of its samples.
struct Played {
    kind: ObjectiveName,
    summary: Summary,
    half: SecondHalf,
    generator: Generator,
    judgement: Judgement,
}

fn name(kind: ObjectiveName) -> &'static str {
    match kind {
        ObjectiveName::Standard => "standard GAN",
        ObjectiveName::Clipping => "Wasserstein, clipping",
        ObjectiveName::Penalty => "Wasserstein, penalty",
        ObjectiveName::Relativistic => "relativistic GAN",
    }
}

fn make(bench: &mut Workbench<'_>) -> Result<(Section, Value)> {
    let steps = STEPS.at(bench.budget);
    let played = play(bench, steps)?;
    let sheet = bench.contact_sheet(
        "figure8.png",
        sheet(&played)?,
        "Rows of ten generated digits: the three networks after the same numbers of steps.",
        "The samples of ten latents: first those of all three generators at the end, then earlier ones.",
    )?;
    let game = |&Played { kind, ref summary, .. }| PlayedGame {
        name: name(kind),
        kind,
        readings: &summary.readings,
    };
    let games: Vec<PlayedGame<'_>> = played.iter().map(game).collect();
    let mut charts = Vec::new();
    for Chart { file, plot, caption } in games::charts(&games) {
        charts.push(bench.chart(&format!("figure8-{file}"), plot.to_svg()?, caption));
    }
    let answer = answer(&played);
    let section = Section::new("Figure 8: three adversarial networks, and which of them are stable")
        .paragraph(format!(
            "Three games with the same two perceptrons and the same images, for {} of the generator (`--budget full` plays \
             {}). The critics of the Wasserstein games take {} for each of these. {}The report could not plot losses and \
             accuracies. Fixed rules give each game a verdict; the documentation of `evaluate::stability` lists them. The duality \
             gap is the most that both players together can gain if each changes alone: 0 at an equilibrium.",
            counted(steps, "step"),
            thousands(STEPS.full),
            counted(Settings::of(ObjectiveName::Penalty).critic_steps, "step"),
            match CLIPPING_FACTOR.at(bench.budget) {
                1 => "",
                _ => "Clipping has twice its published learning rate, so that these few steps settle it. ",
            },
        ))
        .figures([sheet])
        .answers(
            [
                "The standard GAN is unstable and does not converge.",
                "The Wasserstein GAN with weight clipping converges.",
                "The gradient penalty is more stable than clipping.",
            ],
            &answer,
        )
        .claim(
            "Losses do not show the quality of samples, so that people must judge. (A question left open.)",
            &Answer::new(Outcome::Answered, distances(&played)),
        )
        .paragraph("Try it: be the discriminator of the standard GAN. Its answers are shown beside yours.")
        .panel("judge", judge_panel(bench, &played)?, None)
        .table(verdicts(&played))
        .table(measures(&played))
        .figures(charts)
        .folded("The second half of each game in numbers", Section::new("").table(second_halves(&played)));
    let network = |Played { summary, half, judgement, .. }: &Played| json!({ "training": summary, "second_half": half, "samples": judgement });
    let networks: Vec<_> = played.iter().map(network).collect();
    Ok((section, json!({ "steps": steps, "networks": networks, "answer": answer })))
}

fn run_name(kind: ObjectiveName) -> String {
    format!("gan-{kind}")
}

/// Trains the three networks and evaluates their samples.
fn play(bench: &mut Workbench<'_>, steps: usize) -> Result<Vec<Played>> {
    let eye = choose_classifier(bench.digits, &mut bench.progress, &interrupt::requested)?;
    let how =
        JudgeSettings { images: SAMPLES.at(bench.budget), seed: bench.seed, ..JudgeSettings::default() };
    let mut played = Vec::new();
    for kind in ObjectiveName::ALL {
        let mut usual = Settings::of(kind);
        if kind == ObjectiveName::Clipping {
            usual.generator_rate *= CLIPPING_FACTOR.at(bench.budget) as f64;
            usual.discriminator_rate = usual.generator_rate;
        }
        let settings = Settings {
            data: bench.data.clone(),
            images: Some(bench.digits.train.len()),
            steps,
            every: EVERY.at(bench.budget),
            duality_gap: (bench.digits.test.len() >= usual.batch).then_some(SEARCH),
            seed: bench.seed,
            networks: Networks::digits(bench.digits.train.images().values_per_image()),
            ..usual
        };
        let (generator, summary) = bench.train(&run_name(kind), &settings, bench.digits)?;
        let samples = draw(&generator, &how)?;
        let judgement =
            judge(&samples, bench.digits, &eye, &how, &mut bench.progress, &interrupt::requested)?;
        bench.progress.finish(&format!(
            "played {} steps of the {} in {:.1} s: {}, Fréchet distance {:.1}",
            thousands(steps),
            name(kind),
            summary.seconds,
            summary.stability.verdict,
            judgement.measures.frechet_distance,
        ));
        let half = SecondHalf::of(&summary.readings);
        played.push(Played { kind, summary, half, generator, judgement });
    }
    Ok(played)
}

/// The answer that a measure gives and eyes cannot: the order of the networks, and their distances from the data.
fn distances(played: &[Played]) -> String {
    let of = |played: &Played| {
        format!("{:.0} ({})", played.judgement.measures.frechet_distance, name(played.kind))
    };
    format!(
        "The Fréchet distance compares means and covariances of classifier features with those of test images, and orders the \
         networks: {}. Training images have {:.1}.",
        played.iter().map(of).collect::<Vec<_>>().join(", "),
        played[0].judgement.real.frechet_distance
    )
}

/// Images for the reader to tell apart, beside the discriminator of the standard GAN.
fn judge_panel(bench: &Workbench<'_>, played: &[Played]) -> Result<Value> {
    let generator = &played[0].generator;
    let archive = read_archive(&bench.trained(&run_name(ObjectiveName::Standard)).join("model.safetensors"))?;
    let discriminator = generator.networks().discriminator.read(&archive, "discriminator.")?;
    let images = bench.digits.test.images();
    let real: Vec<usize> = (0..TOLD_APART.min(images.len())).collect();
    let generated = generator.samples(real.len(), Stream::named(bench.seed, "panel"))?;
    panels::judge(&images.select(&real), &generated, &discriminator)
}

/// A sheet with a row for each network, in blocks of equal steps.
fn sheet(played: &[Played]) -> Result<ContactSheet> {
    let (moments, history) = played[0].generator.history();
    let mut shown: Vec<usize> = SHOWN.iter().map(|tenths| tenths * (moments.len() - 1) / 10).collect();
    shown.dedup();
    // The last samples side by side, as in the report; then the earlier ones of each game.
    let last = shown.pop().unwrap_or(0);
    let shown = &shown;
    let earlier = played.iter().flat_map(|played| shown.iter().map(move |&moment| (played, moment)));
    let rows: Vec<(&Played, usize)> = played.iter().map(|played| (played, last)).chain(earlier).collect();
    let label = |&(played, moment): &(&Played, usize)| {
        format!("{}, {}", played.kind, thousands(moments[moment] as usize))
    };
    let mut sheet = ContactSheet::new(history.height(), history.width())
        .title("Samples of ten latents; numbers are generator steps")
        .columns(PICTURED)
        .row_labels(&rows.iter().map(label).collect::<Vec<_>>());
    for (played, moment) in rows {
        let images = played.generator.history().1;
        (0..PICTURED).try_for_each(|latent| sheet.push_u8(images.image(moment * PICTURED + latent)))?;
    }
    Ok(sheet)
}

fn verdicts(played: &[Played]) -> Table {
    let mut table = Table::new("Verdicts").text_column("game").text_column("verdict").text_column("reason");
    for Played { kind, summary: Summary { stability, .. }, .. } in played {
        table = table.row([name(*kind).into(), stability.verdict.to_string(), stability.reasons.join("; ")]);
    }
    table
}

fn second_halves(played: &[Played]) -> Table {
    fn percent(share: Option<f64>) -> String {
        share.map_or("-".into(), |share| format!("{:.0}", 100.0 * share))
    }
    fn range([from, to]: [f64; 2]) -> String {
        format!("{from:.2} to {to:.2}")
    }
    let caption = "Statistics of the second half of each game. At the equilibrium of the standard GAN the discriminator's \
                   loss is 1.39 nats, 50 % of the images are classified correctly, and the duality gap is 0.";
    let columns: Vec<_> = played.iter().map(|played| (name(played.kind), played)).collect();
    table(
        caption.into(),
        &columns,
        &[
            ("loss of the discriminator or critic", &|game| range(game.half.discriminator_loss)),
            ("images classified correctly, %", &|game| percent(game.half.accuracy)),
            ("deviation of the score gap from its trend, %", &|game| percent(Some(game.half.wavering))),
            ("critic's estimate at the end, % of its largest", &|game| percent(game.half.estimate)),
            ("critic's parameters at the bound, %", &|game| percent(game.half.clipped)),
            ("duality gap, first to last", &|game| game.half.duality_gap.map_or("-".into(), range)),
            ("time per step, ms", &|Played { summary, .. }| {
                format!("{:.1}", 1000.0 * summary.seconds / summary.steps.max(1) as f64)
            }),
            ("passes over the training images", &|game| format!("{:.1}", game.summary.epochs)),
        ],
    )
}

/// Measures of the samples of each game, and of training images for comparison.
fn measures(played: &[Played]) -> Table {
    let Judgement { samples, test_images, real, .. } = &played[0].judgement;
    let caption = format!(
        "{} samples of each network, compared with {} test images. Training images show the best possible values.",
        thousands(*samples),
        thousands(*test_images)
    );
    let of_games = played.iter().map(|played| (name(played.kind), &played.judgement.measures));
    let columns: Vec<(&str, &Measures)> = of_games.chain([("training images", real)]).collect();
    table(
        caption,
        &columns,
        &[
            ("Fréchet distance", &|of| format!("{:.2}", of.frechet_distance)),
            ("kernel distance", &|of| format!("{:.3}", of.kernel_distance)),
            ("precision", &|of| format!("{:.2}", of.precision)),
            ("recall", &|of| format!("{:.2}", of.recall)),
            ("density", &|of| format!("{:.2}", of.density)),
            ("coverage", &|of| format!("{:.2}", of.coverage)),
            ("class entropy, nats", &|of| format!("{:.2}", of.class_entropy)),
            ("classes", &|of| of.modes.to_string()),
            ("sliced Wasserstein distance", &|of| format!("{:.3}", of.sliced_wasserstein)),
        ],
    )
}

fn answer(played: &[Played]) -> [Answer; 3] {
    let [standard, clipping, penalty] = [0, 1, 2].map(|i: usize| &played[i].half);
    let verdicts = [0, 1, 2].map(|i: usize| played[i].summary.stability.verdict);
    let wavering = [standard, clipping, penalty].map(|half| half.wavering);
    let (accuracy, estimate) = (standard.accuracy.unwrap_or(f64::NAN), clipping.estimate.unwrap_or(f64::NAN));
    let [of_standard, of_clipping, of_penalty] = findings(verdicts, estimate, wavering);
    let [percent, estimate] = [accuracy, estimate].map(|share| 100.0 * share);
    let [standard, clipping, penalty] = wavering.map(|share| 100.0 * share);
    let answer = |(outcome, finding): (Outcome, &str), rest: String| {
        Answer::new(outcome, format!("{finding}: {rest}"))
    };
    [
        answer(
            of_standard,
            format!(
                "in the second half its discriminator classified {percent:.0} % of the images correctly."
            ),
        ),
        answer(of_clipping, format!("at the end its critic's estimate is {estimate:.0} % of its largest.")),
        answer(
            of_penalty,
            format!(
                "the gap between its scores of real and generated images deviates from its trend by {penalty:.0} %, \
                 that of the standard GAN by {standard:.0} % and that of clipping by {clipping:.0} %.{}",
                match verdicts[2] {
                    Verdict::Unsettled => {
                        " This trend still moves, so that the game's verdict is unsettled: a game can have small swings, and be stable in \
                         this sense, before it comes to rest."
                    }
                    _ => "",
                }
            ),
        ),
    ]
}

/// Was the standard GAN unstable, did clipping converge, and is the penalty more stable? `estimate` is the end of the clipped
/// critic's.
fn findings(verdicts: [Verdict; 3], estimate: f64, wavering: [f64; 3]) -> [(Outcome, &'static str); 3] {
    /// A critic whose estimate has fallen to a smaller share has come most of the way.
    const FAR: f64 = 0.5;
    /// Deviations that differ by a smaller share differ between seeds too.
    const ALIKE: f64 = 0.2;
    let is_unstable = !matches!(verdicts[2], Verdict::Converged | Verdict::Unsettled);
    // Products and no quotient, because the others may not deviate at all.
    let (own, others) = (wavering[2], wavering[0].min(wavering[1]));
    [
        match verdicts[0] {
            Verdict::Converged => {
                (Outcome::NotConfirmed, "The standard GAN converged here, unlike in the report")
            }
            Verdict::Unsettled => {
                (Outcome::NotSettled, "The standard GAN is neither unstable nor converged after these steps")
            }
            Verdict::Oscillating => (
                Outcome::Confirmed,
                "The standard GAN is unstable, as the report says, because it oscillates",
            ),
            Verdict::Collapsed => (
                Outcome::Confirmed,
                "The standard GAN is unstable, as the report says, because its samples collapsed",
            ),
            Verdict::Diverged => {
                (Outcome::Confirmed, "The standard GAN is unstable, as the report says, because it diverged")
            }
        },
        match verdicts[1] {
            Verdict::Converged if estimate < FAR => {
                (Outcome::Confirmed, "Clipping converged, as the report says")
            }
            Verdict::Converged => (Outcome::PartlyConfirmed, "Clipping stopped far from the data"),
            Verdict::Unsettled => (Outcome::NotSettled, "Clipping has not converged after these steps"),
            Verdict::Oscillating => (
                Outcome::NotConfirmed,
                "Clipping did not converge, unlike in the report, because it oscillates",
            ),
            Verdict::Collapsed => (
                Outcome::NotConfirmed,
                "Clipping did not converge, unlike in the report, because its samples collapsed",
            ),
            Verdict::Diverged => (Outcome::NotConfirmed, "Clipping diverged, unlike in the report"),
        },
        if is_unstable {
            (Outcome::NotConfirmed, "The gradient penalty is not stable here")
        } else if own < (1.0 - ALIKE) * others {
            (Outcome::Confirmed, "The gradient penalty is the most stable of the three")
        } else if own <= (1.0 + ALIKE) * others {
            (Outcome::PartlyConfirmed, "The gradient penalty is as stable as the more stable of the others")
        } else {
            (Outcome::NotConfirmed, "The gradient penalty is not the most stable of the three here")
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Collapsed, Converged, Diverged, Oscillating, Unsettled};

    #[test]
    fn each_outcome_has_its_sentence() {
        for (verdicts, estimate, wavering, words) in [
            ([Converged; 3], 0.2, 0.05, ["converged here", "converged, as the", "is the most stable"]),
            (
                [Unsettled; 3],
                0.2,
                0.11,
                ["neither unstable nor", "not converged after", "as stable as the more"],
            ),
            (
                [Unsettled; 3],
                0.2,
                0.3,
                ["neither unstable nor", "not converged after", "not the most stable"],
            ),
            (
                [Oscillating; 3],
                0.2,
                0.01,
                ["because it oscillates", "because it oscillates", "not stable here"],
            ),
            ([Collapsed; 3], 0.2, 0.01, ["samples collapsed", "samples collapsed", "not stable here"]),
            (
                [Diverged, Converged, Diverged],
                0.9,
                0.01,
                ["because it diverged", "far from the data", "not stable here"],
            ),
        ] {
            let found = findings(verdicts, estimate, [0.1, 0.2, wavering]);
            assert!(
                found.iter().zip(words).all(|((_, finding), words)| finding.contains(words)),
                "{found:?}"
            );
        }
    }
}
