//! The DCGAN on cats: the plots of losses and accuracy that the report could not make, and a verdict on stability.

use super::workbench::{ByBudget, ReportFigure, Workbench, table};
use crate::adversarial::{Generator, PICTURED};
use crate::adversarial::{Guideline, Normalisation, dcgan};
use crate::data::{CATS, Dataset, cats, cifar, is_built_in};
use crate::evaluate::encoder::shape_of;
use crate::evaluate::second_half::SecondHalf;
use crate::evaluate::stability::Verdict;
use crate::evaluate::unlabelled::UnlabelledMeasures;
use crate::experiments::games::{self, Chart, PlayedGame};
use crate::report::numbers::{counted, thousands};
use crate::report::{Answer, ContactSheet, Figure, Outcome, Section, Table};
use crate::run::gan::{Change, ObjectiveName, Settings, Summary};
use crate::run::samples::{JudgeSettings, draw};
use crate::run::unlabelled::{JudgedImages, judge};
use crate::run::{encoder, interrupt, remember};
use crate::{Error, Result};
use serde_json::{Value, json};
use std::path::Path;

pub(super) const FIGURE: ReportFigure = ReportFigure {
    name: "dcgan",
    about: "A DCGAN on cats: samples, losses and accuracy over time, and a verdict on its stability",
    files: &[
        "dcgan.png",
        "dcgan-report-losses.svg",
        "dcgan-report-accuracy.svg",
        "dcgan-report-scores.svg",
        "dcgan-report-generator-gradient.svg",
        "dcgan-report-discriminator-gradient.svg",
        "dcgan-report-spread.svg",
        "dcgan-small-data-losses.svg",
        "dcgan-small-data-accuracy.svg",
        "dcgan-small-data-scores.svg",
        "dcgan-small-data-generator-gradient.svg",
        "dcgan-small-data-discriminator-gradient.svg",
        "dcgan-small-data-spread.svg",
    ],
    seconds: ByBudget { quick: 85, full: 1300 },
    needs_digits: false,
    check: |_| Ok(()),
    make,
};

/// Channels of the layers beside the image.
const WIDTH: ByBudget = ByBudget { quick: 32, full: 64 };
/// Steps of each generator, and steps between two readings.
const STEPS: ByBudget = ByBudget { quick: 1_100, full: 6_000 };
const EVERY: ByBudget = ByBudget { quick: 10, full: 50 };
/// Steps over which parameters of the generator are averaged.
const AVERAGED: ByBudget = ByBudget { quick: 100, full: 1_000 };
/// Samples of each generator that are judged with the full budget.
const SAMPLES: usize = 5_000;
/// The moments whose samples are shown, in tenths of the run.
const SHOWN: [usize; 4] = [1, 3, 6, 10];
/// The discriminator's loss in the report.
const REPORTED: [f64; 2] = [0.45, 0.85];

/// The recipes, each with the word for its files, and its name.
#[derive(Clone, Copy, PartialEq)]
enum RecipeName {
    Report,
    SmallData,
}

impl RecipeName {
    const ALL: [Self; 2] = [Self::Report, Self::SmallData];

    fn word(self) -> &'static str {
        if self == Self::Report { "report" } else { "small-data" }
    }

    fn name(self) -> &'static str {
        if self == Self::Report { "the report's recipe" } else { "the small-data recipe" }
    }
}

/// A finished game, and the quality of its samples if they were judged.
struct Played {
    recipe: RecipeName,
    summary: Summary,
    half: SecondHalf,
    generator: Generator,
    judged: Option<JudgedImages>,
}

fn make(bench: &mut Workbench<'_>) -> Result<(Section, Value)> {
    let (source, images) = load(bench)?;
    let guidelines = settings(bench, &source, &images, RecipeName::Report)?.networks.guidelines();
    let mut played = Vec::new();
    for recipe in RecipeName::ALL {
        let settings = settings(bench, &source, &images, recipe)?;
        played.push(play(bench, &images, recipe, &settings)?);
    }
    judge_all(bench, &images, &mut played)?;
    let sheet = bench.contact_sheet(
        "dcgan.png",
        sheet(&played, &images)?,
        "Rows of ten generated cats by both recipes after more and more steps, and a row of training images.",
        "The samples of ten latents over training, and ten training images below.",
    )?;
    let mut charts = Vec::new();
    for played in &played {
        charts.extend(draw_charts(bench, played)?);
    }
    let answer = answer(&played);
    let section = Section::new("The DCGAN on cats: is its training stable?")
        .paragraph(format!(
            "Two games between the same convolutional networks, on {} {} of 32x32 pixels, for {} each. The first follows \
             Radford, Metz & Chintala 2016, as the report did. The second is meant for small data: random translation, cutout and \
             flips keep the discriminator from memorising the training images, and samples come from an average of the \
             generator's parameters. The report could not plot losses and accuracies of its DCGAN.",
            thousands(images.train.len()),
            if is_built_in(&source) { "drawn cats" } else { "photographs of cats (CIFAR-10)" },
            counted(STEPS.at(bench.budget), "step"),
        ))
        .answers(["Is the DCGAN stable? (Its losses could not be plotted.)"], &answer[..1])
        .paragraphs(answer[1..].iter().map(|answer| answer.text.as_str()))
        .figures([sheet])
        .table(verdicts(&played))
        .table(second_halves(&played))
        .figures(charts)
        .table(guideline_table(&guidelines));
    let section = match measures(&played) {
        Some(table) => section.table(table),
        None => section,
    };
    let games: Vec<Value> = played.iter().map(Played::to_json).collect();
    Ok((section, json!({ "data": images.name, "games": games, "answer": answer })))
}

impl Played {
    fn to_json(&self) -> Value {
        let Self { recipe, summary, half, judged, .. } = self;
        json!({ "recipe": recipe.word(), "training": summary, "second_half": half, "samples": judged })
    }
}

/// The cats of CIFAR-10 if the folder of the data has them, and drawn ones otherwise, with their source.
fn load(bench: &mut Workbench<'_>) -> Result<(String, Dataset)> {
    let folder = Path::new(&bench.data);
    if !is_built_in(&bench.data) {
        if !folder.is_dir() {
            let expected =
                "give a folder with CIFAR-10's binary files, or leave the option out for drawn cats";
            return Err(Error::invalid(format!("--data {}", bench.data), expected));
        }
        if cifar::files::find(folder)?.is_some_and(|files| !files.is_hundred) {
            let cats = Dataset::load_any(folder, Some("cat"), None)?;
            remember(&cats);
            return Ok((bench.data.clone(), cats));
        }
        let name = folder.display();
        bench.progress.finish(&format!("{name} has no CIFAR-10: the DCGAN learns drawn cats"));
    }
    let cats = Dataset::cats(CATS[0], CATS[1], cats::SIDE)?;
    remember(&cats);
    Ok(("cats".into(), cats))
}

fn settings(bench: &Workbench<'_>, source: &str, images: &Dataset, recipe: RecipeName) -> Result<Settings> {
    let networks = dcgan(shape_of(images.train.images()), 100, WIDTH.at(bench.budget), Normalisation::Batch)?;
    let faithful = Settings {
        data: source.into(),
        class: (source != "cats").then(|| "cat".into()),
        networks,
        steps: STEPS.at(bench.budget),
        every: EVERY.at(bench.budget),
        seed: bench.seed,
        ..Settings::of(ObjectiveName::Standard)
    };
    Ok(match recipe {
        RecipeName::Report => faithful,
        RecipeName::SmallData => Settings {
            augment: vec![Change::Translation, Change::Cutout],
            flip: true,
            average: Some(1.0 - 1.0 / AVERAGED.at(bench.budget) as f64),
            ..faithful
        },
    })
}

fn play(
    bench: &mut Workbench<'_>,
    images: &Dataset,
    recipe: RecipeName,
    settings: &Settings,
) -> Result<Played> {
    let (generator, summary) = bench.train(&format!("dcgan-{}", recipe.word()), settings, images)?;
    bench.progress.finish(&format!(
        "played {} of the DCGAN by {} in {:.1} s: {}",
        counted(settings.steps, "step"),
        recipe.name(),
        summary.seconds,
        summary.stability.verdict,
    ));
    Ok(Played { recipe, half: SecondHalf::of(&summary.readings), summary, generator, judged: None })
}

/// Judges the samples of all games with the full budget: an encoder takes minutes to train.
fn judge_all(bench: &mut Workbench<'_>, images: &Dataset, played: &mut [Played]) -> Result<()> {
    if bench.budget == super::workbench::Budget::Quick {
        return Ok(());
    }
    let chosen = encoder::choose(None, images, bench.seed, &mut bench.progress, &interrupt::requested)?;
    let how = JudgeSettings { images: SAMPLES, seed: bench.seed, ..JudgeSettings::default() };
    for played in played {
        let samples = draw(&played.generator, &how)?;
        played.judged =
            Some(judge(&samples, images, &chosen, &how, &mut bench.progress, &interrupt::requested)?);
    }
    Ok(())
}

/// A sheet with a row for each recipe, in blocks of equal steps, and a row of training images.
fn sheet(played: &[Played], images: &Dataset) -> Result<ContactSheet> {
    let (moments, history) = played[0].generator.history();
    let mut shown: Vec<usize> = SHOWN.iter().map(|tenths| tenths * (moments.len() - 1) / 10).collect();
    shown.dedup();
    let rows = || shown.iter().flat_map(|&moment| played.iter().map(move |played| (played, moment)));
    let label = |(played, moment): (&Played, usize)| {
        format!("{}, {}", played.recipe.word(), thousands(moments[moment] as usize))
    };
    let labels: Vec<String> = rows().map(label).chain(["training".into()]).collect();
    let mut sheet = ContactSheet::new(history.height(), history.width())
        .title("Samples of ten latents; numbers are generator steps")
        .columns(PICTURED)
        .row_labels(&labels);
    for (played, moment) in rows() {
        let images = played.generator.history().1;
        (0..PICTURED).try_for_each(|latent| sheet.push_u8(images.image(moment * PICTURED + latent)))?;
    }
    let train = images.train.images();
    (0..PICTURED.min(train.len())).try_for_each(|index| sheet.push_u8(train.image(index)))?;
    Ok(sheet)
}

fn draw_charts(bench: &mut Workbench<'_>, played: &Played) -> Result<Vec<Figure>> {
    let game = PlayedGame {
        name: played.recipe.name(),
        kind: ObjectiveName::Standard,
        readings: &played.summary.readings,
    };
    let mut figures = Vec::new();
    for Chart { file, plot, caption } in games::charts(&[game]).into_iter().filter(Chart::has_readings) {
        let file = format!("dcgan-{}-{file}", played.recipe.word());
        figures.push(bench.chart(&file, plot.to_svg()?, caption));
    }
    Ok(figures)
}

fn verdicts(played: &[Played]) -> Table {
    let mut table = Table::new("Verdicts").text_column("game").text_column("verdict").text_column("reason");
    for Played { recipe, summary: Summary { stability, .. }, .. } in played {
        table =
            table.row([recipe.name().into(), stability.verdict.to_string(), stability.reasons.join("; ")]);
    }
    table
}

fn columns(played: &[Played]) -> Vec<(&'static str, &Played)> {
    played.iter().map(|played| (played.recipe.name(), played)).collect()
}

fn second_halves(played: &[Played]) -> Table {
    let percent = |share: Option<f64>| share.map_or("-".into(), |share| format!("{:.0}", 100.0 * share));
    table(
        format!(
            "Statistics of the second half of each game. In the report the discriminator's loss was between {} and {}. At the \
             equilibrium it is 1.39 nats, and 50 % of the images are classified correctly. By the small-data recipe, losses and \
             accuracies are those of the changed images that the discriminator sees.",
            REPORTED[0], REPORTED[1],
        ),
        &columns(played),
        &[
            ("loss of the discriminator, nats", &|game| {
                let [from, to] = game.half.discriminator_loss;
                format!("{from:.2} to {to:.2}")
            }),
            ("images classified correctly, %", &|game| percent(game.half.accuracy)),
            ("deviation of the score gap from its trend, %", &|game| percent(Some(game.half.wavering))),
            ("spread of the samples, % of the data's", &|game| {
                percent(game.summary.last.and_then(|reading| reading.spread))
            }),
            ("time per step, ms", &|Played { summary, .. }| {
                format!("{:.1}", 1000.0 * summary.seconds / summary.steps.max(1) as f64)
            }),
            ("passes over the training images", &|game| format!("{:.1}", game.summary.epochs)),
        ],
    )
}

fn guideline_table(guidelines: &[Guideline]) -> Table {
    let start =
        Table::new("The guidelines of Radford, Metz & Chintala 2016, and whether these networks follow them");
    let table = start.text_column("guideline").text_column("followed");
    guidelines.iter().fold(table, |table, Guideline { text, broken_by }| {
        let followed = broken_by.as_ref().map_or("yes".into(), |layer| format!("no: {layer}"));
        table.row([text.to_string(), followed])
    })
}

/// Measures of the samples of each game, and of training images for comparison.
fn measures(played: &[Played]) -> Option<Table> {
    let judged: Vec<&JudgedImages> = played.iter().filter_map(|played| played.judged.as_ref()).collect();
    let first = judged.first()?;
    let caption = format!(
        "{} samples of each network, compared with {} test images in the features of an encoder that was trained without labels \
         on the training images. Training images show the best possible values.",
        thousands(first.judgement.samples),
        thousands(first.judgement.test_images)
    );
    let names = RecipeName::ALL.map(RecipeName::name);
    let of_games = names.into_iter().zip(judged.iter().map(|judged| &judged.judgement.measures));
    let columns: Vec<(&str, &UnlabelledMeasures)> =
        of_games.chain([("training images", &first.judgement.real)]).collect();
    Some(table(
        caption,
        &columns,
        &[
            ("kernel distance", &|of| {
                format!("{:.4} ± {:.4}", of.kernel_distance, of.kernel_distance_standard_error)
            }),
            ("Fréchet distance", &|of| format!("{:.2}", of.frechet_distance)),
            ("sliced Wasserstein distance of patches", &|of| format!("{:.3}", of.sliced_wasserstein)),
            ("distance of colours", &|of| format!("{:.3}", of.colour_distance)),
        ],
    ))
}

/// Says if training is stable, compares the discriminator's loss with the report's, and gives the distances that were measured.
fn answer(played: &[Played]) -> Vec<Answer> {
    let Played { half, summary: Summary { stability, .. }, .. } = &played[0];
    let outcome = match stability.verdict {
        Verdict::Unsettled => Outcome::NotSettled,
        _ => Outcome::Answered,
    };
    let [from, to] = half.discriminator_loss;
    let verdict = format!(
        "By the report's recipe the verdict is {}: {}.",
        stability.verdict,
        stability.reasons.join("; "),
    );
    let loss = format!(
        "In the second half the discriminator's loss is between {from:.2} and {to:.2} nats. The report gives {} to {} over the \
         whole training and found that neither loss converged; it does not say whether its loss is the sum of the terms for \
         real and generated images, as here (1.39 at the equilibrium), or their mean (0.69). A small loss is no failure by \
         itself: it says that this discriminator tells these samples from the training images.",
        REPORTED[0], REPORTED[1],
    );
    let mut answer = vec![Answer::new(outcome, verdict), Answer::new(Outcome::Answered, loss)];
    let distances: Vec<[f64; 2]> = played
        .iter()
        .filter_map(|played| {
            let measures = &played.judged.as_ref()?.judgement.measures;
            Some([measures.kernel_distance, measures.kernel_distance_standard_error])
        })
        .collect();
    if let [[report, report_error], [small_data, error]] = distances[..] {
        let noise = 2.0 * report_error.hypot(error);
        let comparison = match report - small_data {
            gain if gain > noise => "are nearer to test images than",
            gain if gain < -noise => "are farther from test images than",
            _ => "cannot be told apart, by their distance to test images, from",
        };
        let text = format!(
            "The samples of the small-data recipe {comparison} those of the report's: their kernel distances are {small_data:.3} \
             and {report:.3}."
        );
        answer.push(Answer::new(Outcome::Answered, text));
    }
    answer
}
