//! Figure 4: filters and samples of a deep machine, beside restricted machines.

mod samples;

use super::restoration::{Restoration, add_to};
use super::workbench::{ByBudget, ReportFigure, SMALL, SMALL_EPOCHS, Workbench};
use crate::data::Dataset;
use crate::evaluate::filters::claims::{self, Claim, Kind};
use crate::evaluate::filters::compare::Verdict;
use crate::evaluate::filters::sets::{ByNorm, FilterSet};
use crate::experiments::filters::{Group, grid, rows as measures, sheet};
use crate::report::numbers::thousands;
use crate::report::{Answer, Figure, Outcome, Section, Table};
use crate::rng::Stream;
use crate::run::pretrained;
use crate::tensor::Tensor;
use crate::{Error, Result};
use samples::Samples;
use serde_json::{Value, json};

pub(super) const FIGURE: ReportFigure = ReportFigure {
    name: "figure4",
    about: "Filters and samples of a deep machine that comes with the program, beside restricted ones",
    files: &[
        "figure4-filters.png",
        "figure4-layer-2.png",
        "figure4-raw.png",
        "figure4-samples.png",
        SHEETS[0],
        SHEETS[1],
        MAPS[0],
        MAPS[1],
        MAPS[2],
    ],
    seconds: ByBudget { quick: 25, full: 10 },
    needs_digits: true,
    check,
    make,
};
const SHEETS: [&str; 2] = ["figure4-rows-dbm.png", "figure4-rows-rbm.png"];
const MAPS: [&str; 3] = ["figure4-map-dbm.svg", "figure4-map-rbm.svg", "figure4-map-baseline.svg"];
/// Test images whose errors are averaged.
const IMAGES: ByBudget = ByBudget { quick: 20, full: 100 };
/// Columns and rows of filters for each machine: all filters of the report's.
const GRID: (usize, usize) = (2, SMALL / 2);
/// Columns and rows of filters of layer 2 alone.
const SECOND_GRID: (usize, usize) = (10, 3);

/// The images must have the size of those that the machines learned from.
fn check(digits: &Dataset) -> Result<()> {
    let size = [digits.test.images().height(), digits.test.images().width()];
    if size == pretrained::IMAGE_SIZE {
        return Ok(());
    }
    let operation = "height and width of an image and of those that the machines of figure 4 learned from";
    Err(Error::ShapeMismatch { operation, expected: pretrained::IMAGE_SIZE.into(), found: size.into() })
}

fn make(bench: &mut Workbench<'_>) -> Result<(Section, Value)> {
    let deep_run = pretrained::deep()?;
    let (deep, deep_settings) = &deep_run;
    let (restricted, restricted_settings) = &pretrained::restricted()?;
    let small_model = bench.small()?.0;
    let shows_training_data = bench.digits.name != "synthetic";
    let stream = Stream::named(bench.seed, "evaluate");
    let size = pretrained::IMAGE_SIZE.into();
    let layers = FilterSet::of_deep("DBM", deep, size)?;
    let (first, second) = (&layers[0], &layers[1]);
    let deep_units = deep.sizes().skip(1).map(|units| units.to_string()).collect::<Vec<_>>().join("-");
    let equal_units = restricted.hidden().to_string();
    let equal = FilterSet::of_restricted(&format!("RBM, {equal_units} units"), restricted, size)?;
    let small = FilterSet::of_restricted(&format!("RBM, {SMALL} units"), &small_model, size)?;
    let sets = [&small, &equal, first, second];
    let count: usize = sets.iter().map(|set| set.measured.norms.len()).sum();
    bench.progress.finish(&format!("measured {} filters", thousands(count)));
    let samples = Samples::new(bench, &deep_run, [restricted, &small_model], shows_training_data)?;
    let images = IMAGES.at(bench.budget).min(bench.digits.test.len());
    let restored = [
        Restoration::new(bench, deep, ("DBM, ", &deep_units), images)?,
        Restoration::new(bench, restricted, ("RBM, ", &equal_units), images)?,
    ];

    let beside = |machine: usize, set: &FilterSet| {
        let mut claims = claims::of_pair(set, first, stream).to_vec();
        claims.extend(samples.claims(machine, &set.name, stream));
        let caption = format!("The deep machine beside the {}", set.name);
        let table = table_of_claims(&caption, &claims, &set.name, ["RBM", "DBM"]);
        (claims, table)
    };
    let (equal_claims, equal_table) = beside(1, &equal);
    let (small_claims, small_table) = beside(2, &small);
    let layer_claims = claims::of_layers(&layers, stream);
    let columns = ["layer\u{a0}2", "layer\u{a0}1"];
    let layer_table =
        table_of_claims("The second layer beside the first", &layer_claims, &second.name, columns);
    let answer = answer(&small_claims, &equal_claims);
    let claims = [equal_claims, small_claims, layer_claims].concat();
    let restored_json = restored.each_ref().map(|machine| {
        json!({ "cells": machine.cells, "error_as_share_of_baseline": machine.error().share_of_baseline() })
    });
    let summary = json!({
        "machines_learned": "mnist",
        "data": bench.digits.name,
        "filters": sets.map(FilterSet::to_json),
        "claims": claims,
        "samples": samples.to_json(),
        "reconstruction": { "test_images": images, "deep": restored_json[0], "restricted": restored_json[1] },
        "answer": answer,
    });

    let mut section = Section::new("Figure 4: filters and samples of a deep machine")
        .paragraph(format!(
            "A deep Boltzmann machine (DBM) of {deep_units} hidden units and a restricted one (RBM) of {equal_units} come with \
             this program. They learned MNIST, each pixel sampled with its grey value as the probability, in {} and {} \
             epochs. The report's machine, {SMALL} hidden units and {SMALL_EPOCHS} epochs, learned {} images of this page's \
             data.",
            deep_settings.epochs,
            restricted_settings.epochs,
            thousands(bench.digits.train.len()),
        ))
        .paragraph(match shows_training_data {
            true => "Samples start from test images of this page's data, and rows are removed from these.",
            false => {
                "Samples start from synthetic digits, and rows are removed from these. The first two machines have never seen \
                 such digits; `--data` with the folder of MNIST shows them the digits that they learned."
            }
        })
        .answers(
            [
                "The RBM's filters are larger than the first layer's of the DBM.",
                "The RBM's filters are noisier.",
                "The DBM's samples are better and have less noise.",
            ],
            &answer,
        )
        .figures([filter_sheet(bench, &sets)?]);
    for figure in second_layer_sheets(bench, &second.weight, &deep.weights()[1])? {
        section = section.figures([figure]);
    }
    let section = section.figures([samples.figure(bench)?]);
    let details = Section::new("")
        .table(table_of_measures(&sets))
        .table(definitions())
        .table(equal_table)
        .table(small_table)
        .table(layer_table)
        .paragraph(
            "The column `as claimed` compares all pairs of a filter (or sample) of either machine: it is the share of pairs \
             in which the claim is true. For `dark inside` and `best single filter` it is the share of filters. The 95 % \
             interval is from 1,000 bootstrap samples. A claim holds if the interval lies above 50 %, does not hold if it \
             lies below, and cannot be told otherwise. A claim with two measures needs both.",
        );
    let section = section.folded("Measures of the filters, and each claim with its evidence", details);
    Ok((add_to(section, bench, &restored, SHEETS, MAPS)?, summary))
}

/// Do few units or the missing layer explain the report's differences? Chooses by the claims that hold for the report's
/// machine and for the restricted machine with as many units as the first layer.
fn answer(small: &[Claim], equal: &[Claim]) -> [Answer; 3] {
    let holds = |claims: &[Claim], kind| {
        claims.iter().any(|claim| claim.kind == kind && claim.verdict == Verdict::Holds)
    };
    let choose = |kind, [both, only_small, only_equal, none]: [&'static str; 4]| match (
        holds(small, kind),
        holds(equal, kind),
    ) {
        (true, true) => Answer::new(Outcome::Confirmed, both),
        (true, false) => Answer::new(Outcome::PartlyConfirmed, only_small),
        (false, true) => Answer::new(Outcome::PartlyConfirmed, only_equal),
        (false, false) => Answer::new(Outcome::NotConfirmed, none),
    };
    [
        choose(
            Kind::Larger,
            [
                "Filters of restricted machines are larger than those of the deep machine's first layer, as the report says.",
                "Few hidden units make filters large, not the missing second layer: only those of the report's machine are \
                 clearly larger than those of the deep machine's first layer.",
                "Only with as many units as the deep machine's first layer are a restricted machine's filters clearly larger.",
                "Filters of restricted machines are not clearly larger than those of the deep machine's first layer here.",
            ],
        ),
        choose(
            Kind::Noisier,
            [
                "Filters of restricted machines are also noisier, as the report says.",
                "Filters of restricted machines are noisier, but not clearly with as many units as the first layer.",
                "Filters of restricted machines are clearly noisier only with as many units as the first layer.",
                "Filters of restricted machines are not clearly noisier, unlike in the report.",
            ],
        ),
        choose(
            Kind::Clean,
            [
                "Samples of the deep machine have less noise than those of both restricted machines, as the report says.",
                "Samples of the deep machine have less noise than those of the report's machine, but not clearly less than \
                 those of a restricted machine with as many units as its first layer.",
                "Samples of the deep machine have clearly less noise only than those of the larger restricted machine.",
                "Samples of the deep machine do not clearly have less noise than those of restricted machines here.",
            ],
        ),
    ]
}

/// Filters of all machines on one sheet.
fn filter_sheet(bench: &mut Workbench<'_>, sets: &[&FilterSet; 4]) -> Result<Figure> {
    let (columns, rows) = GRID;
    let groups = sets.map(|set| {
        let chosen = ByNorm::spread(&set.weight, columns * rows);
        Group::new(&*set.name, &set.weight, &chosen.units)
    });
    bench.contact_sheet(
        "figure4-filters.png",
        sheet("Filters", &groups.each_ref(), pretrained::IMAGE_SIZE.into(), columns, None)?,
        "Filters of two restricted machines and of both layers of a deep one.",
        &format!(
            "Weights to the pixels of {} units of each machine, evenly spread from the largest norm to the smallest: blue is \
             negative, red positive. Each machine and each layer has a scale of its own; the largest 1 % of the weights are \
             beyond it. Layer 2 is projected to pixels by the product of both weight matrices.",
            columns * rows
        ),
    )
}

/// Units of layer 2: projected to pixels, and their weights to layer 1.
fn second_layer_sheets(
    bench: &mut Workbench<'_>,
    projected: &Tensor<f32>,
    raw: &Tensor<f32>,
) -> Result<[Figure; 2]> {
    let (columns, rows) = SECOND_GRID;
    let drawn = |title: &str, weight: &Tensor<f32>, size: (usize, usize)| {
        let group = Group::new("", weight, &ByNorm::spread(weight, columns * rows).units);
        sheet(title, &[&group], size, columns, None)
    };
    Ok([
        bench.contact_sheet(
            "figure4-layer-2.png",
            drawn("DBM, layer 2: projected to pixels", projected, pretrained::IMAGE_SIZE.into())?,
            "Filters of the second layer of a deep machine.",
            "Units of layer 2 on a scale of their own, because their weights are small.",
        )?,
        bench.contact_sheet(
            "figure4-raw.png",
            drawn("DBM, layer 2: weights to layer 1", raw, grid(raw.rows()))?,
            "Weights between the layers of a deep machine.",
            "Units of layer 2 without projection: one pixel for each unit of layer 1. Their order has no meaning.",
        )?,
    ])
}

fn table_of_measures(sets: &[&FilterSet; 4]) -> Table {
    let mut table = Table::new("Medians over filters, and their quartiles").text_column("measure");
    for set in sets {
        table = table.number_column(&*set.name, "");
    }
    for row in measures(sets) {
        table = table.row([format!("{}, {}", row.name, row.unit)].into_iter().chain(row.cells));
    }
    table
}

fn definitions() -> Table {
    Table::new("Measures of a filter with weights w")
        .text_column("measure")
        .text_column("definition")
        .row(["area", "(\u{3a3}w\u{b2})\u{b2} / \u{3a3}w\u{2074}"])
        .row(["concentration", "share of the energy \u{3a3}w\u{b2} within 4 pixels of the best centre"])
        .row(["lobes", "patches of one sign with at least half of the largest magnitude"])
        .row(["noise", "median second difference, relative to that of pure noise"])
        .row(["fine power", "share of the spectrum above a quarter of a cycle per pixel"])
        .row(["loop", "share of the energy that a disc of one sign in a closed ring of the other explains"])
        .row([
            "centred",
            "share of the energy that a function of the distance to the middle of the image explains",
        ])
}

/// A table with a line for each measure of each claim. The medians of the set `first` are in the first of two columns.
fn table_of_claims(caption: &str, claims: &[Claim], first: &str, columns: [&str; 2]) -> Table {
    let mut table = Table::new(caption)
        .text_column("the report's claim")
        .text_column("measure")
        .number_column(columns[0], "median")
        .number_column(columns[1], "median")
        .number_column("as claimed", "% (95 % interval)")
        .text_column("verdict");
    for claim in claims {
        for (i, evidence) in claim.evidence.iter().enumerate() {
            let once = |text: &str| if i == 0 { text.to_string() } else { String::new() };
            let mut medians = evidence.medians().unwrap_or_default();
            // Some claims say that the other set has the larger values.
            if claim.more != first {
                medians.reverse();
            }
            let [left, right] = medians;
            let (name, verdict) = (once(claim.claim), once(claim.verdict.name()));
            table = table.row([name, evidence.measure.to_string(), left, right, evidence.chance(), verdict]);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::filters::claims::Evidence;
    use crate::report::Page;

    fn evidence(more: f64, less: f64) -> [Evidence; 1] {
        [Evidence::of_larger(("area", "pixels"), &[more], &[less], Stream::named(1, "evaluate"))]
    }

    #[test]
    fn medians_stand_in_the_column_of_their_machine() {
        let claims = [
            Claim::new(Kind::Larger, "RBM more", ("RBM", "DBM, layer 1"), evidence(7.0, 2.0)),
            Claim::new(Kind::Loops, "DBM more", ("DBM, layer 1", "RBM"), evidence(3.0, 8.0)),
        ];
        let table = table_of_claims("", &claims, "RBM", ["RBM", "DBM"]);
        let html =
            Page::new("t").section(Section::new("").table(table).to_html().unwrap()).to_html().unwrap();
        let row = |cells: [&str; 6]| cells.map(|cell| format!(">{cell}</td>"));
        let cells =
            html.split("<td").filter_map(|cell| cell.split("</tr>").next()).skip(1).collect::<Vec<_>>();
        let expected = [
            row(["RBM more", "area", "7.00", "2.00", "100 (100 to 100)", "holds"]),
            row(["DBM more", "area", "8.00", "3.00", "0 (0 to 0)", "does not hold"]),
        ];
        let expected: Vec<&String> = expected.iter().flatten().collect();
        assert_eq!(cells.len(), expected.len(), "{html}");
        assert!(cells.iter().zip(expected).all(|(cell, expected)| cell.ends_with(expected)), "{cells:?}");
    }

    #[test]
    fn each_outcome_has_its_sentence() {
        let claims = |holds: bool| {
            [Kind::Larger, Kind::Noisier, Kind::Clean]
                .map(|kind| Claim::new(kind, "", ("", ""), evidence(if holds { 1.0 } else { -1.0 }, 0.0)))
        };
        for (small, equal, words) in [
            (true, true, ["first layer, as the report says", "also noisier", "both restricted machines"]),
            (true, false, ["Few hidden units", "but not clearly with as many", "but not clearly less"]),
            (
                false,
                true,
                ["Only with as many", "noisier only with as many", "only than those of the larger"],
            ),
            (false, false, ["not clearly larger", "not clearly noisier", "do not clearly have less"]),
        ] {
            let outcome = match (small, equal) {
                (true, true) => Outcome::Confirmed,
                (false, false) => Outcome::NotConfirmed,
                _ => Outcome::PartlyConfirmed,
            };
            for (answer, words) in answer(&claims(small), &claims(equal)).iter().zip(words) {
                assert!(answer.text.contains(words) && answer.outcome == outcome, "{words}: {answer:?}");
            }
        }
    }
}
