//! `equilibria rbm filters`.

use crate::boltzmann::Rbm;
use crate::cli::filters::{ByNorm, Group, columns_of, limit, sheet};
use crate::cli::machine::{Loaded, ModelArguments, write_output};
use crate::cli::{counted, print, print_json};
use crate::{Error, Result};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Show what each hidden unit looks for: its weights as a picture, largest norm first.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  equilibria rbm filters runs/rbm --count 64")]
pub(in crate::cli) struct Filters {
    #[command(flatten)]
    model: ModelArguments,
    /// Filters to show.
    #[arg(long, default_value_t = 100)]
    count: usize,
    /// Where to write the picture [default: beside the model].
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Summary {
    #[serde(serialize_with = "crate::cli::path_as_text")]
    picture: PathBuf,
    /// Hidden units shown, in the order of the sheet.
    units: Vec<usize>,
    /// Euclidean norms of their weights.
    norms: Vec<f64>,
}

impl Filters {
    pub(in crate::cli) fn run(self) -> Result<()> {
        if self.count == 0 {
            return Err(Error::invalid("--count 0", "at least 1 filter can be shown"));
        }
        let loaded = self.model.load::<Rbm<f32>>()?;
        let size = loaded.picture_size(None);
        let Loaded { model, folder, .. } = loaded;
        let ByNorm { units, norms } = ByNorm::largest(model.weight(), self.count);
        let title = format!("Filters of {} of {} hidden units", units.len(), model.hidden());
        let group = Group::new("", model.weight(), &units);
        let sheet = sheet(&title, &[&group], size, columns_of(units.len()), limit([model.weight()]))?;
        let picture = self.out.clone().unwrap_or_else(|| folder.join("filters.png"));
        write_output(&picture, &sheet.to_png()?)?;
        let summary = Summary { picture, units, norms };
        if self.model.json {
            return print_json(&summary);
        }
        print(&format!(
            "{} with norms from {:.2} to {:.2}; wrote {}\n",
            counted(summary.units.len(), "filter"),
            summary.norms.first().copied().unwrap_or_default(),
            summary.norms.last().copied().unwrap_or_default(),
            summary.picture.display()
        ))
    }
}
