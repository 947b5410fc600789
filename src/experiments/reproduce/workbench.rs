//! The parts that the figures share: their declaration, the budget, trained machines and the output folder.

use crate::boltzmann::Rbm;
use crate::boltzmann::learning::NegativePhase;
use crate::data::{Dataset, Reading};
use crate::optim::Schedule;
use crate::report::numbers::thousands;
use crate::report::{ContactSheet, Figure, Section, Table};
use crate::run::rbm::{Settings, Summary};
use crate::run::{Progress, RunDirectory, Trainable, interrupt, train, train_or_resume, write_picture};
use crate::{Error, Result};
use clap::ValueEnum;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A figure of the report: the one declaration of its name, its files and its work.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReportFigure {
    /// The name on the command line and in the summary.
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// The files that it writes into the output folder.
    pub files: &'static [&'static str],
    /// Seconds of its work on two cores of 2023, for the time that is left.
    pub seconds: ByBudget,
    /// The work needs the digits of the data.
    pub needs_digits: bool,
    /// Checks the data before the work on any figure begins.
    pub check: fn(&Dataset) -> Result<()>,
    /// Does the work. Returns the section of the page and the part of `summary.json`.
    pub make: fn(&mut Workbench<'_>) -> Result<(Section, Value)>,
}

/// The amount of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Budget {
    Quick,
    Full,
}

/// A number that depends on the budget.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByBudget {
    pub quick: usize,
    pub full: usize,
}

impl ByBudget {
    pub fn at(&self, budget: Budget) -> usize {
        if budget == Budget::Quick { self.quick } else { self.full }
    }
}

/// Hidden units and epochs of the report's machine.
pub(super) const SMALL: usize = 20;
pub(super) const SMALL_EPOCHS: usize = 30;
/// The colour of the report's machine in all charts. Charts of several machines begin with it.
pub(super) const SMALL_COLOUR: usize = 0;
/// Hidden units and epochs of the machines whose samples are digits.
pub(super) const LARGE: usize = 500;
/// Epochs of the machines of several widths.
pub(super) const SHORT_EPOCHS: ByBudget = ByBudget { quick: 3, full: 10 };
pub(super) const LARGE_EPOCHS: ByBudget = ByBudget { quick: 20, full: 30 };

/// The data, the output folder, and the machines that are trained so far.
pub(super) struct Workbench<'a> {
    pub digits: &'a Dataset,
    pub budget: Budget,
    pub out: &'a Path,
    /// The data's full path, for the settings of the runs.
    pub data: String,
    /// Options of reading the data.
    pub reading: &'a Reading,
    pub seed: u64,
    pub progress: Progress,
    pub machines: Vec<(Settings, Rbm<f32>, Summary)>,
    /// The files of the present figure so far.
    pub files: Vec<String>,
}

impl Workbench<'_> {
    /// Makes a figure.
    ///
    /// **Errors** Those of the figure; [`Error::InvalidArgument`] if its files are not those of its declaration.
    pub fn make(&mut self, figure: &ReportFigure) -> Result<(Section, Value)> {
        let made = (figure.make)(self).map_err(|error| match error {
            Error::Interrupted { .. } => interrupted(),
            error => error,
        })?;
        let (mut files, mut declared) = (std::mem::take(&mut self.files), figure.files.to_vec());
        files.sort_unstable();
        declared.sort_unstable();
        if files != declared {
            let problem = format!("made the files {files:?}, but its declaration lists {declared:?}");
            return Err(Error::invalid(figure.name, problem));
        }
        Ok(made)
    }

    /// Returns the machine whose settings are the defaults after `change`. It is trained once, into `out/trained/NAME`.
    pub fn machine(
        &mut self,
        name: &str,
        change: impl FnOnce(Settings) -> Settings,
    ) -> Result<(Rbm<f32>, Summary)> {
        let settings = change(Settings {
            data: self.data.clone(),
            reading: self.reading.clone(),
            images: Some(self.digits.train.len()),
            seed: self.seed,
            ..Settings::default()
        });
        if let Some((_, model, summary)) = self.machines.iter().find(|known| known.0 == settings) {
            return Ok((model.clone(), summary.clone()));
        }
        let (model, summary) = self.train(name, &settings, self.digits)?;
        let last = summary.epochs.last().map_or(f64::NAN, |reading| reading.pseudo_log_likelihood);
        self.progress.finish(&format!(
            "trained {} hidden units by {} for {} epochs of {} images in {:.1} s: {last:.1} nats",
            settings.hidden,
            settings.method,
            settings.epochs,
            thousands(summary.train_images),
            summary.seconds_per_epoch.iter().sum::<f64>(),
        ));
        self.machines.push((settings, model.clone(), summary.clone()));
        Ok((model, summary))
    }

    /// Trains a model in `out/trained/NAME`, or continues a run there that was killed.
    ///
    /// **Errors** as [`train_or_resume`].
    pub fn train<S: Trainable>(
        &mut self,
        name: &str,
        settings: &S,
        digits: &Dataset,
    ) -> Result<(S::Model, S::Summary)> {
        let (path, stop) = (self.trained(name), &interrupt::requested);
        // A finished run may have lost its checkpoint.
        if path.join("checkpoint.safetensors").is_file() {
            return train_or_resume(&path, true, settings, digits, &mut self.progress, stop);
        }
        train(&RunDirectory::create(&path, true)?, settings, digits, &mut self.progress, stop)
    }

    /// The run directory that [`train`](Self::train) makes for this model.
    pub fn trained(&self, name: &str) -> PathBuf {
        self.out.join(super::parts::TRAINED).join(name)
    }

    /// The report's machine.
    pub fn small(&mut self) -> Result<(Rbm<f32>, Summary)> {
        self.machine("hidden-20", |settings| {
            as_in_report(Settings { hidden: SMALL, epochs: SMALL_EPOCHS, ..settings })
        })
    }

    /// A machine of this many hidden units after the first epochs of the report's training.
    pub fn short(&mut self, hidden: usize) -> Result<(Rbm<f32>, Summary)> {
        let epochs = SHORT_EPOCHS.at(self.budget);
        let change = |settings| as_in_report(Settings { hidden, epochs, ..settings });
        self.machine(&format!("hidden-{hidden}-short"), change)
    }

    /// A machine whose samples are digits if `method` is persistent.
    pub fn large(&mut self, method: NegativePhase) -> Result<Rbm<f32>> {
        let epochs = LARGE_EPOCHS.at(self.budget);
        let name = match method {
            NegativePhase::Contrastive => "hidden-500-cd",
            _ => "hidden-500",
        };
        let learning_rate = Schedule::line(0.1, 0.005);
        let change =
            |settings| Settings { hidden: LARGE, epochs, batch: 50, learning_rate, method, ..settings };
        Ok(self.machine(name, change)?.0)
    }

    /// Counts steps of the loop for which the progress was started.
    ///
    /// **Errors** [`Error::Interrupted`] after Ctrl-C.
    pub fn advance(&mut self, steps: usize) -> Result<()> {
        self.progress.advance(steps as u64);
        if interrupt::requested() { Err(interrupted()) } else { Ok(()) }
    }

    /// Writes a contact sheet as PNG into the output folder, and returns it for the page; `alternative` describes it in words.
    ///
    /// **Errors** as [`ContactSheet::to_png`].
    pub fn contact_sheet(
        &mut self,
        file: &str,
        sheet: ContactSheet,
        alternative: &str,
        caption: &str,
    ) -> Result<Figure> {
        self.write(file, &sheet.to_png()?);
        Ok(Figure::sheet(sheet, alternative, caption))
    }

    /// Writes a picture into the output folder, and returns a comparison of two smaller ones with their labels for the page.
    pub fn before_and_after(
        &mut self,
        file: &str,
        png: &[u8],
        pictures: [(Vec<u8>, &str); 2],
        caption: &str,
    ) -> Figure {
        self.write(file, png);
        Figure::before_and_after(pictures, caption)
    }

    /// Writes a plot or heat map into the output folder, and returns it for the page.
    pub fn chart(&mut self, file: &str, svg: String, caption: &str) -> Figure {
        self.write(file, svg.as_bytes());
        Figure::svg(svg, caption)
    }

    fn write(&mut self, file: &str, bytes: &[u8]) {
        write_picture(&self.out.join(file), Ok(bytes));
        self.files.push(file.into());
    }
}

fn interrupted() -> Error {
    Error::Interrupted { resume: "the same command makes the figures from the start".into() }
}

/// Training as in the report, by scikit-learn: constant rate, no momentum, no decay, mini-batches of 10.
pub(super) fn as_in_report(settings: Settings) -> Settings {
    Settings {
        batch: 10,
        learning_rate: Schedule::constant(0.01),
        momentum: Schedule::constant(0.0),
        weight_decay: 0.0,
        ..settings
    }
}

/// The name of a row of a table, and its value for a column.
type Row<'a, T> = (&'a str, &'a dyn Fn(&T) -> String);

/// A table with a column of numbers for each of `columns`, and for each of `rows` its name and the values.
pub(super) fn table<T>(caption: String, columns: &[(&str, T)], rows: &[Row<'_, T>]) -> Table {
    let start = Table::new(caption).text_column("");
    let table = columns.iter().fold(start, |table, (name, _)| table.number_column(*name, ""));
    rows.iter().fold(table, |table, (name, value)| {
        table.row([name.to_string()].into_iter().chain(columns.iter().map(|(_, column)| value(column))))
    })
}
