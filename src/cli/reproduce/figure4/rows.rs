//! Rows of pixels removed and filled in by the machines that come with the program.

use super::super::Workbench;
use super::super::figure3::{maps, share_of_baseline, table};
use super::Machines;
use crate::Result;
use crate::boltzmann::reconstruct::{Effort, Machine};
use crate::cli::machine::test_images;
use crate::cli::reconstruct::{STRIDE, SWEPT_ROWS, sheet};
use crate::data::Binarisation;
use crate::evaluate::reconstruction::{Cell, Task, positions, remove_rows, sweep};
use crate::report::{Figure, Section};
use crate::rng::Stream;
use crate::run::pretrained;
use serde_json::{Value, json};

/// The rows that are shown removed: seven, in the middle, as in figure 3.
const REMOVED: std::ops::Range<usize> = 11..18;

/// Removed rows, filled in by the deep machine and by the restricted one.
pub(in crate::cli::reproduce) struct Restored {
    images: usize,
    /// Of the deep machine, and of the restricted one of as many units.
    cells: [Vec<Cell>; 2],
    sheets: [Vec<u8>; 2],
}

impl Restored {
    pub fn new(bench: &mut Workbench<'_>, machines: &Machines) -> Result<Self> {
        let images = bench.budget.deep_reconstructed.min(bench.digits.test.len());
        let (cells, sheet) = Self::of(bench, &machines.deep, &machines.hidden(), images)?;
        let (other_cells, other_sheet) =
            Self::of(bench, &machines.restricted, &machines.restricted.hidden().to_string(), images)?;
        Ok(Self { images, cells: [cells, other_cells], sheets: [sheet, other_sheet] })
    }

    /// The sweep and the sheet of one machine.
    fn of(
        bench: &mut Workbench<'_>,
        model: &impl Machine<f32>,
        hidden: &str,
        count: usize,
    ) -> Result<(Vec<Cell>, Vec<u8>)> {
        let digits = bench.digits;
        let indices: Vec<usize> = (0..count).collect();
        let binarise = Binarisation::Threshold;
        let images = test_images(digits, &indices, binarise, bench.seed)?;
        let mean_image = binarise.mean(digits.train.images());
        let [height, width] = pretrained::IMAGE_SIZE;
        let effort = Effort { burn_in: 20, average: 40 };
        let task = Task { images: &images, mean_image: &mean_image, height, width, effort };
        let stream = Stream::named(bench.seed, "evaluate");
        let (filled, _) = remove_rows(model, &task, REMOVED, stream)?;
        bench.progress.start(positions(height, &SWEPT_ROWS, STRIDE).len() as u64, "cells");
        let cells = sweep(model, &task, &SWEPT_ROWS, STRIDE, stream, || bench.advance(1))?;
        bench.say(&format!("reconstructed {} blocks of rows with {hidden} hidden units", cells.len()));
        let png = sheet(hidden, &task, &filled, &REMOVED)?.to_png()?;
        Ok((cells, png))
    }

    /// The error of each machine as a share of the mean image's, all removed pixels alike.
    pub fn shares(&self) -> [f64; 2] {
        [0, 1].map(|machine: usize| {
            let sum = |error: fn(&Cell) -> f64| {
                self.cells[machine].iter().map(|cell| cell.rows as f64 * error(cell)).sum::<f64>()
            };
            let [error, baseline] =
                [sum(|cell| cell.mean_squared_error), sum(|cell| cell.baseline_mean_squared_error)];
            share_of_baseline(error, baseline)
        })
    }

    pub fn to_json(&self) -> Value {
        let [deep, restricted] = self.shares();
        json!({
            "test_images": self.images,
            "deep": { "cells": self.cells[0], "error_as_share_of_baseline": deep },
            "restricted": { "cells": self.cells[1], "error_as_share_of_baseline": restricted },
        })
    }

    pub fn add_to(&self, bench: &Workbench<'_>, machines: &Machines, section: Section) -> Result<Section> {
        let names = [format!("DBM, {}", machines.hidden()), format!("RBM, {}", machines.restricted.hidden())];
        let files = ["figure4-rows-dbm.png", "figure4-rows-rbm.png"];
        let mut restored = Vec::new();
        for ((png, file), name) in self.sheets.iter().zip(files).zip(&names) {
            bench.write(file, png);
            restored.push(Figure::png(
                png.clone(),
                format!("Original, damaged and restored digits, {name} hidden units."),
                format!("{name} hidden units, seven rows in the middle removed."),
            ));
        }
        let titled = [0, 1].map(|i: usize| (format!("{} hidden units", names[i]), &self.cells[i][..]));
        let files = ["figure4-map-dbm.svg", "figure4-map-rbm.svg", "figure4-map-baseline.svg"];
        let maps = maps(bench, &titled, files)?;
        let captions = [
            "Error of the deep machine over how many rows were removed and where.",
            "Error of the restricted machine, on the same scale.",
            "Error of a guess that knows only the mean of the training images.",
        ];
        let maps = maps.into_iter().zip(captions).map(|(svg, caption)| Figure::svg(svg, caption));
        let table = table([&names[0], &names[1]], [&self.cells[0], &self.cells[1]]);
        Ok(section.figures(restored).figures(maps).table(table))
    }
}
