//! `equilibria rbm filters`.

use super::sample::side;
use super::{Loaded, ModelArguments, write_output};
use crate::cli::{counted, print, print_json};
use crate::report::ContactSheet;
use crate::tensor::Tensor;
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
        let Loaded { model, folder, .. } = super::load(self.model.start()?)?;
        let size = side(model.visible())?;
        let (units, norms) = by_norm(model.weight(), self.count);
        let title = format!("Filters of {} of {} hidden units", units.len(), model.hidden());
        let picture = self.out.clone().unwrap_or_else(|| folder.join("filters.png"));
        write_output(&picture, &sheet(&title, model.weight(), size, &units)?.to_png()?)?;
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

/// The `count` columns of `weight` with the largest norms, and these.
pub(in crate::cli) fn by_norm(weight: &Tensor<f32>, count: usize) -> (Vec<usize>, Vec<f64>) {
    let norm = |unit| column(weight, unit).map(|w| f64::from(w) * f64::from(w)).sum::<f64>().sqrt();
    let mut units: Vec<(usize, f64)> = (0..weight.columns()).map(|unit| (unit, norm(unit))).collect();
    units.sort_by(|a, b| b.1.total_cmp(&a.1));
    units.truncate(count);
    units.into_iter().unzip()
}

fn column(weight: &Tensor<f32>, unit: usize) -> impl Iterator<Item = f32> {
    weight.data().iter().skip(unit).step_by(weight.columns()).copied()
}

/// The columns `units` of `weight`, on one scale, each of as many weights as its picture has pixels.
pub(in crate::cli) fn sheet(
    title: &str,
    weight: &Tensor<f32>,
    (height, width): (usize, usize),
    units: &[usize],
) -> Result<ContactSheet> {
    let columns = units.len().isqrt().clamp(1, 20).max(units.len().min(10));
    let mut sheet = ContactSheet::new(height, width).title(title).columns(columns).magnify(2);
    let filters: Vec<Vec<f32>> = units.iter().map(|&unit| column(weight, unit).collect()).collect();
    // A few extreme weights must not turn the rest grey: the scale ends at the 99.5th percentile.
    let mut sizes: Vec<f32> = filters.iter().flatten().map(|w| w.abs()).collect();
    sizes.sort_by(f32::total_cmp);
    let limit = sizes.get(sizes.len() * 995 / 1000).copied().unwrap_or_default().max(f32::MIN_POSITIVE);
    for filter in &filters {
        sheet.push_signed(filter, limit)?;
    }
    Ok(sheet)
}
