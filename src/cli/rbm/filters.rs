//! `equilibria rbm filters`.

use crate::Result;
use crate::boltzmann::Rbm;
use crate::cli::filters::{check_count, summary_line};
use crate::cli::machine::{ModelArguments, write_output};
use crate::evaluate::filters::sets::ByNorm;
use crate::experiments::filters::{Group, columns_of, sheet};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Draw the filter of each hidden unit: its weights to the pixels, largest norm first.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  equilibria rbm filters runs/rbm --count 64")]
pub(in crate::cli) struct Filters {
    #[command(flatten)]
    model: ModelArguments,
    /// Filters to draw.
    #[arg(long, default_value = "100")]
    count: usize,
    /// The picture to write [default: filters.png beside the model].
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Summary {
    #[serde(serialize_with = "crate::cli::output::path_as_text")]
    picture: PathBuf,
    /// The hidden units on the sheet, in this order.
    units: Vec<usize>,
    /// The Euclidean norms of their weights.
    norms: Vec<f64>,
}

impl Filters {
    pub(in crate::cli) fn run(self) -> Result<()> {
        check_count(self.count)?;
        let loaded = self.model.load::<Rbm<f32>>()?;
        let weight = loaded.model.weight();
        let ByNorm { units, norms } = ByNorm::largest(weight, self.count);
        let title = format!("Filters of {} of {} hidden units", units.len(), loaded.model.hidden());
        let (group, columns) = (Group::new("", weight, &units), columns_of(units.len()));
        let sheet = sheet(&title, &[&group], loaded.picture_size(None), columns, None)?;
        let picture = self.out.unwrap_or_else(|| loaded.folder.join("filters.png"));
        write_output(&picture, &sheet.to_png()?)?;
        let summary = Summary { picture, units, norms };
        self.model.output.print(&summary, |summary| summary_line(&summary.norms, &summary.picture))
    }
}
