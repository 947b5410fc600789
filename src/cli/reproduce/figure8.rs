//! Figure 8: a standard GAN and Wasserstein GANs with clipping and with a gradient penalty, side by side.

mod answer;

use super::{FULL, Outcome, Workbench, again};
use crate::adversarial::Networks;
use crate::cli::gan::plots::{self, Course, Drawn};
use crate::cli::{counted, thousands};
use crate::data::Images;
use crate::report::{ContactSheet, Figure, Section, Table};
use crate::run::gan::{Kind, PICTURED, Settings, Summary};
use crate::run::samples::{JudgeSettings, Judgement, choose_classifier, draw, judge};
use crate::run::{RunDirectory, interrupt, train};
use crate::{Error, Result};
use serde_json::json;

/// Which of the kept samples are shown, in tenths of the run.
const SHOWN: [usize; 4] = [1, 3, 6, 10];

/// Steps of each player in search of the duality gap.
const SEARCH: usize = 50;

/// A game that was played, and what its samples are worth.
struct Played {
    kind: Kind,
    summary: Summary,
    /// Steps after which samples of the same latents were kept, and these (moments, [`PICTURED`]).
    moments: Vec<usize>,
    history: Images,
    judgement: Judgement,
}

/// What the report calls it.
fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Standard => "standard GAN",
        Kind::Clipping => "Wasserstein, clipping",
        Kind::Penalty => "Wasserstein, penalty",
    }
}

pub(super) fn make(bench: &mut Workbench<'_>) -> Result<Outcome> {
    let played = play(bench).map_err(|error| match error {
        Error::Interrupted { .. } => again(),
        error => error,
    })?;
    let png = sheet(&played)?.to_png()?;
    bench.write("figure8.png", &png);
    let mut figures = Vec::new();
    let courses: Vec<Course<'_>> = played
        .iter()
        .map(|Played { kind, summary, .. }| Course {
            name: name(*kind),
            kind: *kind,
            readings: &summary.readings,
        })
        .collect();
    for Drawn { file, plot, caption } in plots::all(&courses) {
        let svg = plot.to_svg()?;
        bench.write(&format!("figure8-{file}"), svg.as_bytes());
        figures.push(Figure::svg(svg, caption));
    }
    let answer = answer::sentences(&played);
    let mut section = Section::new("Figure 8: three adversarial networks, and which is stable").paragraph(format!(
        "The same two perceptrons play three games on the same images for {} of the generator each; both critics take {} \
         to each of these. The report could not plot losses and accuracies; here they are, with the verdict of rules that \
         are stated beforehand.",
        counted(bench.budget.game_steps, "step"),
        counted(Settings::of(Kind::Penalty).critic_steps, "step"),
    ));
    if bench.budget.game_steps < FULL.game_steps {
        section = section.paragraph(format!(
            "At this budget the games have hardly begun, clipping above all, whose rate is the lowest: the sentences below \
             hold for so many steps. --budget full plays {}.",
            thousands(FULL.game_steps)
        ));
    }
    for sentence in &answer {
        section = section.paragraph(sentence);
    }
    let section = section
        .figure(Figure::png(
            png,
            "Rows of ten generated digits: the three networks after the same numbers of steps.",
            "The same ten latents through the three generators, after equal numbers of steps of the generator.",
        ))
        .figures(figures)
        .table(table(&played))
        .table(verdicts(&played));
    let networks: Vec<_> = played
        .iter()
        .map(|played| json!({ "training": played.summary, "samples": played.judgement }))
        .collect();
    let summary = json!({ "steps": bench.budget.game_steps, "networks": networks, "answer": answer });
    Ok(Outcome { section, summary })
}

/// Trains the three and judges their samples.
fn play(bench: &mut Workbench<'_>) -> Result<Vec<Played>> {
    let eye = choose_classifier(bench.digits, &mut bench.progress, &interrupt::requested)?;
    let how = JudgeSettings { images: bench.budget.judged, seed: bench.seed, ..JudgeSettings::default() };
    let mut played = Vec::new();
    for kind in Kind::ALL {
        let mut settings = Settings {
            data: bench.data.clone(),
            images: Some(bench.digits.train.len()),
            steps: bench.budget.game_steps,
            every: bench.budget.game_every,
            duality_gap: (bench.digits.test.len() >= Settings::of(kind).batch).then_some(SEARCH),
            seed: bench.seed,
            ..Settings::of(kind)
        };
        settings.networks = Networks::digits(bench.digits.train.images().pixels_per_image());
        let directory = RunDirectory::create(&bench.out.join("runs").join(format!("gan-{kind}")), true)?;
        let (generator, summary) =
            train(&directory, &settings, bench.digits, &mut bench.progress, &interrupt::requested)?;
        let samples = draw(&generator, &how)?;
        let judgement =
            judge(&samples, bench.digits, &eye, &how, &mut bench.progress, &interrupt::requested)?;
        bench.say(&format!(
            "played {} steps of the {} in {:.1} s: {}, Fréchet distance {:.1}",
            thousands(settings.steps),
            name(kind),
            summary.seconds,
            summary.stability.verdict,
            judgement.measures.frechet_distance,
        ));
        let (moments, history) = generator.history();
        let history = history.clone();
        played.push(Played { kind, summary, moments, history, judgement });
    }
    Ok(played)
}

/// A row a network, in blocks of equal steps.
fn sheet(played: &[Played]) -> Result<ContactSheet> {
    let last = played[0].moments.len() - 1;
    let mut shown: Vec<usize> = SHOWN.iter().map(|tenths| tenths * last / 10).collect();
    shown.dedup();
    let rows = || shown.iter().flat_map(|&moment| played.iter().map(move |played| (played, moment)));
    let labels: Vec<String> = rows()
        .map(|(played, moment)| format!("{}, {}", played.kind, thousands(played.moments[moment])))
        .collect();
    let history = &played[0].history;
    let mut sheet = ContactSheet::new(history.height(), history.width())
        .title("Ten latents through three generators, after so many steps")
        .columns(PICTURED)
        .row_labels(&labels);
    for (played, moment) in rows() {
        for latent in 0..PICTURED {
            sheet.push_u8(played.history.image(moment * PICTURED + latent))?;
        }
    }
    Ok(sheet)
}

/// The measures of the three, and of training images in their place.
fn table(played: &[Played]) -> Table {
    let judgement = &played[0].judgement;
    let caption = format!(
        "{} samples of each against {} test images; training images in their place show what is to be reached",
        thousands(judgement.samples),
        thousands(judgement.test_images)
    );
    let mut table = Table::new(caption)
        .text_column("samples of")
        .number_column("Fréchet distance", "")
        .number_column("kernel distance", "")
        .number_column("precision", "")
        .number_column("recall", "")
        .number_column("density", "")
        .number_column("coverage", "")
        .number_column("class entropy", "nats")
        .number_column("classes", "")
        .number_column("sliced Wasserstein", "");
    let all = played.iter().map(|played| (name(played.kind), &played.judgement.measures));
    for (name, measures) in all.chain([("training images", &judgement.real)]) {
        table = table.row([
            name.to_string(),
            format!("{:.2}", measures.frechet_distance),
            format!("{:.3}", measures.kernel_distance),
            format!("{:.2}", measures.precision),
            format!("{:.2}", measures.recall),
            format!("{:.2}", measures.density),
            format!("{:.2}", measures.coverage),
            format!("{:.2}", measures.class_entropy),
            measures.modes.to_string(),
            format!("{:.3}", measures.sliced_wasserstein),
        ]);
    }
    table
}

fn verdicts(played: &[Played]) -> Table {
    let mut table = Table::new("Verdicts, by the rules of evaluate/stability.rs")
        .text_column("game")
        .text_column("verdict")
        .text_column("why")
        .number_column("duality gap, first", "")
        .number_column("last", "nats, or score")
        .number_column("a step", "ms")
        .number_column("passes over the images", "");
    for Played { kind, summary, .. } in played {
        let mut gaps = summary.readings.iter().filter_map(|reading| reading.duality_gap);
        table = table.row([
            name(*kind).to_string(),
            summary.stability.verdict.to_string(),
            summary.stability.reasons.join("; "),
            gaps.next().map_or_else(String::new, |gap| format!("{gap:.2}")),
            gaps.next_back().map_or_else(String::new, |gap| format!("{gap:.2}")),
            format!("{:.1}", 1000.0 * summary.seconds / summary.steps.max(1) as f64),
            format!("{:.1}", summary.epochs),
        ]);
    }
    table
}
