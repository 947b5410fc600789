//! Figure 3: rows of pixels removed and filled in, by 20 and by 500 hidden units.

use super::restoration::{Restoration, add_to, percent};
use super::workbench::{ByBudget, ReportFigure, Workbench};
use crate::Result;
use crate::boltzmann::Rbm;
use crate::boltzmann::learning::NegativePhase;
use crate::evaluate::reconstruction::{Cell, PooledError};
use crate::report::{Section, Table};
use serde_json::{Value, json};

pub(super) const FIGURE: ReportFigure = ReportFigure {
    name: "figure3",
    about: "Reconstruction of removed rows",
    files: &[SHEETS[0], SHEETS[1], MAPS[0], MAPS[1], MAPS[2]],
    needs_digits: true,
    check: |_| Ok(()),
    make,
};
const SHEETS: [&str; 2] = ["figure3-hidden-20.png", "figure3-hidden-500.png"];
const MAPS: [&str; 3] =
    ["figure3-map-hidden-20.svg", "figure3-map-hidden-500.svg", "figure3-map-baseline.svg"];
/// Test images whose errors are averaged.
const IMAGES: ByBudget = ByBudget { quick: 50, full: 200 };

fn make(bench: &mut Workbench<'_>) -> Result<(Section, Value)> {
    let models = [bench.small()?.0, bench.large(NegativePhase::Persistent)?];
    let count = IMAGES.at(bench.budget).min(bench.digits.test.len());
    let mut restore =
        |model: &Rbm<f32>| Restoration::new(bench, model, ("", &model.hidden().to_string()), count);
    let machines = [restore(&models[0])?, restore(&models[1])?];
    let blocks = blocks(&machines[1].cells, bench.digits.test.images().height());
    let shares = blocks.map(|(_, error)| error.share_of_baseline());
    let answer = answer(shares);
    let mut table =
        Table::new("Blocks that the report compares: mean squared error per removed pixel, 500 hidden units")
            .text_column("rows removed")
            .number_column("error", "")
            .number_column("mean image", "")
            .number_column("share", "%");
    for (name, error) in &blocks {
        let [own, baseline] = [error.mean(), error.baseline_mean()].map(|error| format!("{error:.4}"));
        table = table.row([name.to_string(), own, baseline, percent(error.share_of_baseline())]);
    }
    let section = Section::new("Figure 3: reconstruction of removed rows")
        .paragraph(
            "Rows of pixels are removed from test images. The known pixels are fixed and Gibbs sampling runs on the missing \
             ones. After a burn-in their probabilities are averaged. The centre has more ink than the edges, so errors are \
             larger there for every method; they are compared with that of the mean training image.",
        )
        .paragraphs(&answer);
    let summary = json!({
        "test_images": count,
        "hidden_20": { "cells": machines[0].cells },
        "hidden_500": { "cells": machines[1].cells },
        "error_as_share_of_baseline": {
            "up_to_7_rows": shares[0],
            "more_than_7_rows": shares[1],
            "7_rows_in_the_centre": shares[2],
            "7_rows_at_an_edge": shares[3],
        },
        "answer": answer,
    });
    Ok((add_to(section, bench, &machines, SHEETS, MAPS)?.table(table), summary))
}

/// The errors of the blocks of rows that the report compares.
fn blocks(cells: &[Cell], height: usize) -> [(&'static str, PooledError); 4] {
    let error = |test: &dyn Fn(&Cell) -> bool| PooledError::of(cells.iter().filter(|cell| test(cell)));
    [
        ("up to 7", error(&|cell| cell.rows <= 7)),
        ("more than 7", error(&|cell| cell.rows > 7)),
        ("7, in the centre", error(&|cell| cell.rows == 7 && cell.is_central(height))),
        ("7, at an edge", error(&|cell| cell.rows == 7 && cell.is_at_edge(height))),
    ]
}

/// `shares` are those of [`blocks`].
fn answer(shares: [f64; 4]) -> [String; 2] {
    let [limit, place] = findings(shares);
    let [few, many, centre, edge] = shares.map(percent);
    [
        format!(
            "{limit}: the error is {few} % of the mean image's for up to seven rows and {many} % for more."
        ),
        format!(
            "{place}: the error is {centre} % of the mean image's in the centre and {edge} % at an edge."
        ),
    ]
}

/// Are more than seven rows a limit, and is the centre easier?
fn findings([few, many, centre, edge]: [f64; 4]) -> [&'static str; 2] {
    /// Shares that differ by a smaller factor differ between seeds too.
    const ALIKE: f64 = 1.05;
    /// More than seven rows are harder if their share is larger by this factor.
    const HARDER: f64 = 1.15;
    [
        if many > HARDER * few {
            "Reconstruction is poorer with more than seven rows, as the report says, but it becomes so gradually"
        } else {
            "Reconstruction is not poorer with more than seven rows here, unlike in the report"
        },
        if ALIKE * centre < edge {
            "Seven rows in the centre are easier than at an edge, as the report says"
        } else if centre > ALIKE * edge {
            "Seven rows in the centre are harder than at an edge, unlike in the report"
        } else {
            "Seven rows in the centre are as hard as at an edge, unlike in the report"
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_its_sentence() {
        // The errors of 7 rows at the edge and in the centre, and of 14 rows; the mean image's is 0.1.
        for (edge, centre, many, limit, place) in [
            (
                0.04,
                0.03,
                0.09,
                "gradually: the error is 35 % of the mean",
                "easier than at an edge, as the report says: the",
            ),
            (0.03, 0.04, 0.035, "not poorer", "harder than at an edge"),
            (0.0500, 0.0501, 0.09, "and 90 % for more.", "as hard as at an edge"),
        ] {
            let cell = |rows, first_row, mean_squared_error| Cell {
                rows,
                first_row,
                mean_squared_error,
                baseline_mean_squared_error: 0.1,
            };
            let blocks = blocks(&[cell(7, 0, edge), cell(7, 10, centre), cell(14, 6, many)], 28);
            let found = answer(blocks.map(|(_, error)| error.share_of_baseline()));
            assert!(found[0].contains(limit) && found[1].contains(place), "{found:?}");
        }
    }
}
