//! Figure 3: rows of pixels removed and filled in, by 20 and by 500 hidden units.

use super::{Outcome, Workbench};
use crate::Result;
use crate::boltzmann::Rbm;
use crate::boltzmann::reconstruct::Effort;
use crate::cli::machine::test_images;
use crate::cli::reconstruct::{STRIDE, SWEPT_ROWS, heat_map, middle_quarter, sheet};
use crate::data::Binarisation;
use crate::evaluate::reconstruction::{Cell, Task, positions, remove_rows, sweep};
use crate::report::{Figure, Section, Table};
use crate::rng::Stream;
use serde_json::json;

pub(super) fn make(bench: &mut Workbench<'_>) -> Result<Outcome> {
    let machines = [bench.small()?.0, bench.large()?.0];
    let count = bench.budget.reconstructed.min(bench.digits.test.len());
    let indices: Vec<usize> = (0..count).collect();
    let binarise = Binarisation::Threshold;
    let images = test_images(bench.digits, &indices, binarise, bench.seed)?;
    let mean_image = binarise.mean(bench.digits.train.images());
    let (height, width) = (bench.digits.test.images().height(), bench.digits.test.images().width());
    let effort = Effort { burn_in: 20, average: 40 };
    let task = Task { images: &images, mean_image: &mean_image, height, width, effort };

    let removed = middle_quarter(height);
    let mut sheets = Vec::new();
    let mut tables = Vec::new();
    for model in &machines {
        let stream = Stream::named(bench.seed, "evaluate");
        let (filled, _) = remove_rows(model, &task, removed.clone(), stream)?;
        let png = sheet(&model.hidden().to_string(), &task, &filled, &removed)?.to_png()?;
        bench.write(&format!("figure3-hidden-{}.png", model.hidden()), &png);
        sheets.push(png);
        bench.progress.start(positions(height, &SWEPT_ROWS, STRIDE).len() as u64, "cells");
        let cells = sweep(model, &task, &SWEPT_ROWS, STRIDE, stream, || bench.advance(1))?;
        bench.say(&format!(
            "reconstructed {} blocks of rows with {} hidden units",
            cells.len(),
            model.hidden()
        ));
        tables.push(cells);
    }
    let named = [0, 1].map(|i: usize| (format!("{} hidden units", machines[i].hidden()), &tables[i][..]));
    let files = ["figure3-map-hidden-20.svg", "figure3-map-hidden-500.svg", "figure3-map-baseline.svg"];
    let maps = maps(bench, &named, files)?;
    let claims = Claims::of(&tables[1], height);
    let section = section(&machines, sheets, maps, &tables, &claims);
    let summary = json!({
        "test_images": count,
        "hidden_20": { "cells": tables[0] },
        "hidden_500": { "cells": tables[1] },
        "error_as_share_of_baseline": {
            "up_to_7_rows": claims.few,
            "more_than_7_rows": claims.many,
            "7_rows_in_the_centre": claims.centre,
            "7_rows_at_an_edge": claims.edge,
        },
    });
    Ok(Outcome { section, summary })
}

/// Heat maps of two machines and of the mean image, on one scale, into `files`.
pub(super) fn maps(
    bench: &Workbench<'_>,
    machines: &[(String, &[Cell]); 2],
    files: [&str; 3],
) -> Result<Vec<String>> {
    let cells = || machines.iter().flat_map(|(_, cells)| cells.iter());
    let errors = cells().flat_map(|cell| [cell.mean_squared_error, cell.baseline_mean_squared_error]);
    let range = Some((0.0, errors.fold(0.0, f64::max)));
    let baseline = machines[0]
        .1
        .iter()
        .map(|cell| Cell { mean_squared_error: cell.baseline_mean_squared_error, ..cell.clone() });
    let baseline: Vec<Cell> = baseline.collect();
    let guess = ("The mean training image as the guess".to_string(), &baseline[..]);
    let mut maps = Vec::new();
    for ((title, cells), name) in machines.iter().chain([&guess]).zip(files) {
        let svg = heat_map(title, cells, range).to_svg()?;
        bench.write(name, svg.as_bytes());
        maps.push(svg);
    }
    Ok(maps)
}

/// Errors of two machines and of the mean image by the number of removed rows, mean over positions.
pub(super) fn table(names: [&str; 2], tables: [&[Cell]; 2]) -> Table {
    let mut table = Table::new("Mean squared error per removed pixel, mean over positions")
        .number_column("rows removed", "")
        .number_column(names[0], "")
        .number_column(names[1], "")
        .number_column("mean image", "");
    for rows in SWEPT_ROWS {
        let mean = |cells: &[Cell], error: fn(&Cell) -> f64| {
            let errors: Vec<f64> = cells.iter().filter(|cell| cell.rows == rows).map(error).collect();
            format!("{:.4}", errors.iter().sum::<f64>() / errors.len() as f64)
        };
        table = table.row([
            rows.to_string(),
            mean(tables[0], |cell| cell.mean_squared_error),
            mean(tables[1], |cell| cell.mean_squared_error),
            mean(tables[1], |cell| cell.baseline_mean_squared_error),
        ]);
    }
    table
}

/// An error as a share of the mean image's: 1 where both are 0, as of images that are all alike.
pub(super) fn share_of_baseline(error: f64, baseline: f64) -> f64 {
    if error == baseline { 1.0 } else { error / baseline }
}

/// The report's claims in numbers: error divided by the error of the mean image, for the larger machine.
struct Claims {
    few: f64,
    many: f64,
    centre: f64,
    edge: f64,
    /// Absolute errors of seven rows, centre and edge.
    centre_error: f64,
    edge_error: f64,
}

impl Claims {
    fn of(cells: &[Cell], height: usize) -> Self {
        let share = |test: &dyn Fn(&Cell) -> bool| {
            let chosen = cells.iter().filter(|cell| test(cell));
            let (error, baseline) = chosen.fold((0.0, 0.0), |(error, baseline), cell| {
                let pixels = cell.rows as f64;
                (
                    error + pixels * cell.mean_squared_error,
                    baseline + pixels * cell.baseline_mean_squared_error,
                )
            });
            share_of_baseline(error, baseline)
        };
        let seven = |cell: &Cell| cell.rows == 7;
        // Middle of the block within 3 rows of the middle of the image; digits leave 4 rows free at each edge.
        let is_central = |cell: &Cell| (2 * cell.first_row + cell.rows).abs_diff(height) <= 6;
        let is_edge = |cell: &Cell| (2 * cell.first_row + cell.rows).abs_diff(height) >= 12;
        let mean = |test: &dyn Fn(&Cell) -> bool| {
            let errors: Vec<f64> =
                cells.iter().filter(|cell| test(cell)).map(|cell| cell.mean_squared_error).collect();
            errors.iter().sum::<f64>() / errors.len() as f64
        };
        Self {
            few: share(&|cell| cell.rows <= 7),
            many: share(&|cell| cell.rows > 7),
            centre: share(&|cell| seven(cell) && is_central(cell)),
            edge: share(&|cell| seven(cell) && is_edge(cell)),
            centre_error: mean(&|cell| seven(cell) && is_central(cell)),
            edge_error: mean(&|cell| seven(cell) && is_edge(cell)),
        }
    }

    /// What the numbers say about "more than seven rows is poor" and "better in the centre".
    fn sentence(&self) -> String {
        let seven = if self.many > 1.15 * self.few {
            format!(
                "error grows with the number of rows (from {:.0} % of the mean image's for up to seven to {:.0} % for \
                 more), gradually: nothing special happens at seven",
                100.0 * self.few,
                100.0 * self.many
            )
        } else {
            format!(
                "seven rows are no limit: relative to the mean image's, the error is {:.0} % for up to seven and {:.0} % \
                 for more",
                100.0 * self.few,
                100.0 * self.many
            )
        };
        let relative = self.centre / self.edge;
        let centre = match (relative < 1.0, self.centre_error < self.edge_error) {
            // A few hundredths come and go with the seed.
            (_, false) if (0.95..1.05).contains(&relative) => {
                "the centre is harder in absolute error, as more ink is there, and as hard as the edge relative to the \
                 mean image"
            }
            (true, true) => "the centre is indeed easier, in absolute error and relative to the mean image",
            (true, false) => {
                "the centre is harder in absolute error, as more ink is there, but easier relative to the mean image"
            }
            (false, true) => "the centre is easier in absolute error but not relative to the mean image",
            (false, false) => {
                "the centre is not easier but harder, in absolute error and relative to the mean image"
            }
        };
        format!(
            "With 500 hidden units, {seven}; and {centre} (seven rows: {:.3} against {:.3} a pixel, {:.0} % against \
             {:.0} % of the mean image's error).",
            self.centre_error,
            self.edge_error,
            100.0 * self.centre,
            100.0 * self.edge
        )
    }
}

fn section(
    machines: &[Rbm<f32>; 2],
    sheets: Vec<Vec<u8>>,
    maps: Vec<String>,
    tables: &[Vec<Cell>],
    claims: &Claims,
) -> Section {
    let mut section = Section::new("Figure 3: reconstruction of removed rows").paragraph(
        "Rows of pixels are removed from test images. The known pixels are clamped, Gibbs sampling runs on the \
         missing ones, and after a burn-in their probabilities are averaged: the machine's mean guess.",
    );
    section = section.figures(machines.iter().zip(sheets).map(|(model, png)| {
        Figure::png(
            png,
            format!("Original, damaged and restored digits, {} hidden units.", model.hidden()),
            format!("{} hidden units, the middle quarter of the rows removed.", model.hidden()),
        )
    }));
    let captions = [
        "Error of 20 hidden units over how many rows were removed and where.",
        "Error of 500 hidden units, on the same scale.",
        "Error of a guess that knows only the mean of the training images.",
    ];
    section = section.figures(maps.into_iter().zip(captions).map(|(svg, caption)| Figure::svg(svg, caption)));
    let table = table(["20 hidden units", "500 hidden units"], [&tables[0], &tables[1]]);
    section.table(table).paragraph(claims.sentence())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seven rows at the edge and in the centre, and fourteen, with these errors; the mean image's is 0.1.
    fn claims(edge: f64, centre: f64, many: f64) -> String {
        let cell = |rows, first_row, mean_squared_error| Cell {
            rows,
            first_row,
            mean_squared_error,
            baseline_mean_squared_error: 0.1,
        };
        Claims::of(&[cell(7, 0, edge), cell(7, 10, centre), cell(14, 6, many)], 28).sentence()
    }

    #[test]
    fn the_sentence_follows_the_numbers() {
        for (edge, centre, many, words) in [
            (0.04, 0.03, 0.09, "the centre is indeed easier"),
            (0.03, 0.04, 0.09, "the centre is not easier but harder"),
            (0.0500, 0.0501, 0.09, "as hard as the edge relative to the mean image"),
            (0.04, 0.03, 0.09, "error grows with the number of rows (from 35 % of the mean image's"),
            (0.04, 0.03, 0.035, "seven rows are no limit"),
        ] {
            let text = claims(edge, centre, many);
            assert!(text.contains(words), "{text}");
        }
    }
}
