//! Removed rows of pixels, filled in by two machines and compared with the mean training image.

use super::workbench::Workbench;
use crate::Result;
use crate::boltzmann::reconstruct::{Effort, Machine};
use crate::data::Binarisation;
use crate::evaluate::reconstruction::{Cell, PooledError, Task, positions, remove_rows, sweep};
use crate::experiments::reconstruction::test_images;
use crate::experiments::reconstruction::{heat_map, middle_quarter, sheet, swept};
use crate::report::{ContactSheet, Section, Table};
use crate::rng::Stream;

/// The first test images, and the mean training image as the simplest guess of their removed pixels.
pub(super) struct TestImages {
    images: Vec<f32>,
    mean_image: Vec<f32>,
    height: usize,
    width: usize,
}

impl TestImages {
    /// The first `count` test images.
    pub fn new(bench: &Workbench<'_>, count: usize) -> Result<Self> {
        let indices: Vec<usize> = (0..count).collect();
        let (binarise, test) = (Binarisation::Threshold, bench.digits.test.images());
        Ok(Self {
            images: test_images(bench.digits, &indices, binarise, bench.seed)?,
            mean_image: binarise.mean(bench.digits.train.images()),
            height: test.height(),
            width: test.width(),
        })
    }

    /// To fill in removed pixels by the mean of 40 Gibbs steps.
    pub fn task(&self) -> Task<'_> {
        let Self { images, mean_image, height, width } = self;
        let effort = Effort { burn_in: 20, average: 40 };
        Task { images, mean_image, height: *height, width: *width, effort }
    }
}

/// The images that one machine has restored, and its errors.
pub(super) struct Restoration {
    /// The machine's name in captions and tables.
    name: String,
    /// The errors for every number and position of removed rows.
    pub cells: Vec<Cell>,
    /// Original, damaged and restored images.
    sheet: ContactSheet,
}

impl Restoration {
    /// Restores rows of the first `count` test images with `model`, which has `hidden` units.
    ///
    /// **Randomness** Stream `evaluate`, the same draws for every machine.
    pub fn new(
        bench: &mut Workbench<'_>,
        model: &impl Machine<f32>,
        (kind, hidden): (&str, &str),
        count: usize,
    ) -> Result<Self> {
        let images = TestImages::new(bench, count)?;
        let (task, height) = (images.task(), images.height);
        let stream = Stream::named(bench.seed, "evaluate");
        let removed = middle_quarter(height);
        let (filled, _) = remove_rows(model, &task, removed.clone(), stream)?;
        let (rows, stride) = swept(height);
        bench.progress.start(positions(height, &rows, stride).len() as u64, "cells");
        let cells = sweep(model, &task, &rows, stride, stream, || bench.advance(1))?;
        bench
            .progress
            .finish(&format!("reconstructed {} blocks of rows with {hidden} hidden units", cells.len()));
        let sheet = sheet(hidden, &task, &filled, &removed)?;
        Ok(Self { name: format!("{kind}{hidden} hidden units"), cells, sheet })
    }

    /// The error over all removed pixels.
    pub fn error(&self) -> PooledError {
        PooledError::of(&self.cells)
    }
}

/// Adds sheets, heat maps on one scale and a table to `section`. `sheets` are the files of the sheets of both machines, `maps`
/// those of the heat maps of both machines and of the mean image.
pub(super) fn add_to(
    section: Section,
    bench: &mut Workbench<'_>,
    machines: &[Restoration; 2],
    sheets: [&str; 2],
    maps: [&str; 3],
) -> Result<Section> {
    let mut shown = Vec::new();
    for (machine, file) in machines.iter().zip(sheets) {
        let alternative = format!("Original, damaged and restored digits, {}.", machine.name);
        let caption = format!("{}. The middle quarter of the rows is removed.", machine.name);
        shown.push(bench.contact_sheet(file, machine.sheet.clone(), &alternative, &caption)?);
    }
    let section = section.figures(shown);
    let baseline =
        |cell: &Cell| Cell { mean_squared_error: cell.baseline_mean_squared_error, ..cell.clone() };
    let guess = (
        &"The mean training image".to_string(),
        &machines[0].cells.iter().map(baseline).collect::<Vec<Cell>>(),
    );
    let guesses = || machines.iter().map(|machine| (&machine.name, &machine.cells)).chain([guess]);
    let errors = guesses().flat_map(|(_, cells)| cells.iter().map(|cell| cell.mean_squared_error));
    let range = Some((0.0, errors.fold(0.0, f64::max)));
    let captions = [
        "Error by the number of removed rows and by their position. Bright cells have a large error.",
        "The same of the other machine, on the same scale.",
        "The same if the mean training image fills the removed rows.",
    ];
    let mut charts = Vec::new();
    for (((name, cells), file), caption) in guesses().zip(maps).zip(captions) {
        charts.push(bench.chart(file, heat_map(name, cells, range).to_svg()?, caption));
    }
    let numbers = Section::new("").table(table(machines));
    Ok(section.figures(charts).folded("The errors as a table", numbers))
}

/// The errors of two machines and of the mean image by the number of removed rows.
fn table(machines: &[Restoration; 2]) -> Table {
    let mut table = Table::new("Mean squared error per removed pixel, over all positions")
        .text_column("rows removed")
        .number_column(&*machines[0].name, "")
        .number_column(&*machines[1].name, "")
        .number_column("mean image", "");
    let mut all: Vec<usize> = machines[0].cells.iter().map(|cell| cell.rows).collect();
    all.dedup();
    for rows in all {
        let [one, two] = [0, 1].map(|machine: usize| {
            PooledError::of(machines[machine].cells.iter().filter(|cell| cell.rows == rows))
        });
        let errors = [one.mean(), two.mean(), two.baseline_mean()].map(|error| format!("{error:.4}"));
        table = table.row([rows.to_string()].into_iter().chain(errors));
    }
    let [one, two] = [0, 1].map(|machine: usize| percent(machines[machine].error().share_of_baseline()));
    table.row(["all, % of the mean image's".to_string(), one, two, percent(1.0)])
}

/// A share in percent, without the sign.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0}", 100.0 * share)
}
