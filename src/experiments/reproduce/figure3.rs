//! Figure 3: rows of pixels removed and filled in, by 20 and by 500 hidden units.

use super::panels;
use super::restoration::{Restoration, TestImages, add_to, percent};
use super::workbench::{
    ByBudget, LARGE, LARGE_EPOCHS, ReportFigure, SHORT_EPOCHS, SMALL, SMALL_EPOCHS, Workbench,
};
use crate::Result;
use crate::boltzmann::Rbm;
use crate::boltzmann::learning::NegativePhase;
use crate::evaluate::reconstruction::{Cell, PooledError, error_of_chains, remove_rows, sweep};
use crate::experiments::reconstruction::{scaled, swept};
use crate::report::numbers::counted;
use crate::report::{Answer, Outcome, Section, Table};
use crate::rng::Stream;
use serde_json::{Value, json};

pub(super) const FIGURE: ReportFigure = ReportFigure {
    name: "figure3",
    about: "Reconstruction of removed rows",
    files: &[SHEETS[0], SHEETS[1], MAPS[0], MAPS[1], MAPS[2]],
    seconds: ByBudget { quick: 4, full: 8 },
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
        .paragraphs(other_height(bench.digits.test.images().height()))
        .answers(
            [
                "Removing more than seven rows gives a poor reconstruction.",
                "Rows in the centre are easier to restore.",
            ],
            &answer,
        );
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
    let study = Study::new(bench, &models, count)?;
    let section = add_to(section, bench, &machines, SHEETS, MAPS)?;
    let section =
        study.add_to(section).folded("The blocks that the report compares", Section::new("").table(table));
    let section = section
        .paragraph(format!(
            "Try it: choose a digit, remove rows with the sliders or single pixels with the mouse, and watch this machine of {LARGE} \
             hidden units fill them in. The picture is the mean of the second half of the Gibbs steps of three chains. Weights are \
             rounded to 4 bits to keep the page small."
        ))
        .panel("restore", panels::restore(&models[1], bench.digits)?, None);
    Ok((section, summary))
}

/// Rows of the blocks, of 28, by which machines of different training are compared.
const COMPARED: [usize; 3] = [3, 7, 14];
/// Chains an image whose mean is taken.
const CHAINS: [usize; 3] = [1, 4, 16];

/// The influence of hidden units, of epochs and of the number of chains.
struct Study {
    /// Name of the machine, and the errors for [`COMPARED`].
    machines: Vec<(String, [PooledError; 3])>,
    /// The middle half of the rows removed, 500 hidden units: the errors for [`CHAINS`], and that of the mean image.
    chains: [f64; 3],
    baseline: f64,
}

impl Study {
    fn new(bench: &mut Workbench<'_>, models: &[Rbm<f32>; 2], count: usize) -> Result<Self> {
        let [few, many] = [bench.short(SMALL)?.0, bench.short(LARGE)?.0];
        let short = SHORT_EPOCHS.at(bench.budget);
        let large = LARGE_EPOCHS.at(bench.budget);
        let images = TestImages::new(bench, count)?;
        let (task, height) = (images.task(), bench.digits.test.images().height());
        let stream = Stream::named(bench.seed, "evaluate");
        let mut machines = Vec::new();
        for (model, units, epochs) in [
            (&few, SMALL, short),
            (&models[0], SMALL, SMALL_EPOCHS),
            (&many, LARGE, short),
            (&models[1], LARGE, large),
        ] {
            let compared = COMPARED.map(|rows| scaled(rows, height));
            let cells = sweep(model, &task, &compared, swept(height).1, stream, || Ok(()))?;
            let errors = compared.map(|rows| PooledError::of(cells.iter().filter(|cell| cell.rows == rows)));
            machines.push((format!("{units} units, {}", counted(epochs, "epoch")), errors));
        }
        let removed = height / 4..height - height / 4;
        let (_, middle) = remove_rows(&models[1], &task, removed.clone(), stream)?;
        let mut chains = [0.0; 3];
        for (error, count) in chains.iter_mut().zip(CHAINS) {
            *error = error_of_chains(&models[1], &task, removed.clone(), count, stream)?;
        }
        Ok(Self { machines, chains, baseline: middle.baseline_mean_squared_error })
    }

    /// Do more hidden units and more epochs help, as the report says?
    fn answer(&self) -> Answer {
        let share = |machine: usize| self.machines[machine].1[1].share_of_baseline();
        let units_help = share(2) < share(0) && share(3) < share(1);
        let (outcome, finding) = match (units_help, share(1) < share(0), share(3) < share(2)) {
            (false, ..) => {
                (Outcome::NotConfirmed, "More hidden units do not always help here, unlike in the report")
            }
            (true, true, true) => {
                (Outcome::Confirmed, "More hidden units and more epochs both help, as the report says")
            }
            (true, false, true) => (
                Outcome::PartlyConfirmed,
                "More hidden units help, as the report says, but more epochs help only the machine of 500 units: 20 units \
                 describe an image roughly, however long they train",
            ),
            (true, _, false) => (
                Outcome::PartlyConfirmed,
                "More hidden units help, as the report says, but more epochs do not",
            ),
        };
        let [first, _, _, last] =
            [0, 1, 2, 3].map(|machine: usize| (percent(share(machine)), &self.machines[machine].0));
        let text = format!(
            "{finding}. With seven rows removed the error is {} % of the mean image's ({}) and {} % ({}).",
            first.0, first.1, last.0, last.1
        );
        Answer::new(outcome, text)
    }

    /// Why can a good machine be worse than the mean image, and does the mean of several chains help?
    fn limit(&self) -> Answer {
        let [one, _, many] = self.chains;
        let [own, mean, baseline] = [one, many, self.baseline].map(|error| format!("{error:.3}"));
        let compared = if one > self.baseline { "above" } else { "below" };
        let helps = match many < one {
            true => {
                "A chain shows one digit that fits the known rows, often another one than the original; the mean of several \
                     chains covers all of them"
            }
            false => "The mean of several chains does not help here",
        };
        Answer::new(
            Outcome::Answered,
            format!(
                "With the middle half of the rows removed, the error of one chain of {LARGE} units is {own}, {compared} the mean image's \
             {baseline}. {helps}: 16 chains have an error of {mean}."
            ),
        )
    }

    fn add_to(&self, section: Section) -> Section {
        let caption =
            "Mean squared error per removed pixel, over all positions, as a share of the mean image's";
        let table = COMPARED.iter().fold(Table::new(caption).text_column("machine"), |table, rows| {
            table.number_column(counted(*rows, "row"), "%")
        });
        let table = self.machines.iter().fold(table, |table, (name, errors)| {
            table
                .row([name.clone()].into_iter().chain(errors.map(|error| percent(error.share_of_baseline()))))
        });
        let caption =
            "The middle half of the rows removed, 500 hidden units: mean squared error per removed pixel";
        let chains = Table::new(caption).text_column("guess").number_column("error", "");
        let chains = CHAINS.iter().zip(self.chains).fold(chains, |table, (count, error)| {
            table.row([format!("mean of {}", counted(*count, "chain")), format!("{error:.4}")])
        });
        let chains = chains.row(["mean training image".to_string(), format!("{:.4}", self.baseline)]);
        let (answer, limit) = (self.answer(), self.limit());
        section
            .answers(["More hidden units and more epochs improve the reconstruction."], &[answer])
            .table(table)
            .answers(["How many rows are the limit? (Left open.)"], &[limit])
            .table(chains)
    }
}

/// A sentence about images of another height than the report's.
fn other_height(height: usize) -> Option<String> {
    (height != 28).then(|| {
        let seven = counted(scaled(7, height), "row");
        format!("The report's images have 28 rows. These have {height}: where seven rows are named, {seven} were removed.")
    })
}

/// The errors of the blocks of rows that the report compares.
fn blocks(cells: &[Cell], height: usize) -> [(&'static str, PooledError); 4] {
    let error = |test: &dyn Fn(&Cell) -> bool| PooledError::of(cells.iter().filter(|cell| test(cell)));
    let seven = scaled(7, height);
    [
        ("up to 7", error(&|cell| cell.rows <= seven)),
        ("more than 7", error(&|cell| cell.rows > seven)),
        ("7, in the centre", error(&|cell| cell.rows == seven && cell.is_central(height))),
        ("7, at an edge", error(&|cell| cell.rows == seven && cell.is_at_edge(height))),
    ]
}

/// `shares` are those of [`blocks`].
fn answer(shares: [f64; 4]) -> [Answer; 2] {
    let [(is_limit, limit), (is_easier, place)] = findings(shares);
    let [few, many, centre, edge] = shares.map(percent);
    [
        Answer::new(
            is_limit,
            format!(
                "{limit}: the error is {few} % of the mean image's for up to seven rows and {many} % for more."
            ),
        ),
        Answer::new(
            is_easier,
            format!(
                "{place}: the error is {centre} % of the mean image's in the centre and {edge} % at an edge."
            ),
        ),
    ]
}

/// Are more than seven rows a limit, and is the centre easier?
fn findings([few, many, centre, edge]: [f64; 4]) -> [(Outcome, &'static str); 2] {
    /// Shares that differ by a smaller factor differ between seeds too.
    const ALIKE: f64 = 1.05;
    /// More than seven rows are harder if their share is larger by this factor.
    const HARDER: f64 = 1.15;
    [
        if many > HARDER * few {
            (
                Outcome::PartlyConfirmed,
                "Reconstruction is poorer with more than seven rows, as the report says, but it becomes so gradually",
            )
        } else {
            (
                Outcome::NotConfirmed,
                "Reconstruction is not poorer with more than seven rows here, unlike in the report",
            )
        },
        if ALIKE * centre < edge {
            (Outcome::Confirmed, "Seven rows in the centre are easier than at an edge, as the report says")
        } else if centre > ALIKE * edge {
            (
                Outcome::NotConfirmed,
                "Seven rows in the centre are harder than at an edge, unlike in the report",
            )
        } else {
            (
                Outcome::NotConfirmed,
                "Seven rows in the centre are as hard as at an edge, unlike in the report",
            )
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
            assert!(found[0].text.contains(limit) && found[1].text.contains(place), "{found:?}");
            for Answer { outcome, text } in &found {
                assert_eq!(
                    text.contains("unlike in the report"),
                    *outcome == Outcome::NotConfirmed,
                    "{text}"
                );
            }
        }
    }
}
