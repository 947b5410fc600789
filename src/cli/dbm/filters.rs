//! `equilibria dbm filters`.

use crate::boltzmann::{Dbm, Rbm};
use crate::cli::filters::{check_count, check_size, check_visible, describe, summary_line};
use crate::cli::machine::{ModelArguments, write_output};
use crate::cli::output::thousands;
use crate::evaluate::filters::claims::{self, Claim};
use crate::evaluate::filters::sets::{ByNorm, FilterSet, scale_limit as limit};
use crate::experiments::filters::{Group, Row, columns_of, grid, rows, sheet};
use crate::rng::Stream;
use crate::run::{SavedModel, load, pretrained};
use crate::{Error, Result};
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use std::path::PathBuf;

/// Draw and measure the filters of each hidden layer, and compare them with those of a restricted machine.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria dbm filters\n  \
    equilibria dbm filters runs/dbm --beside runs/rbm --count 64\n  \
    equilibria dbm filters runs/dbm --layer 2 --out out/filters\n\n\
    Filters are drawn as pictures of weights, largest norm first. Units of the first layer have weights to pixels: \
    filters-1.png. Units of higher layers are drawn twice: projected to pixels by the product of all weights below \
    (filters-2-projected.png), and as weights to the units of the layer below, row by row (filters-2-raw.png). All but the \
    last stand beside the restricted machine's filters, on one scale.\n\n\
    The table shows medians, with quartiles in brackets. A claim holds if it is true for 95 % of the bootstrap samples.")]
pub(in crate::cli) struct Filters {
    #[command(flatten)]
    model: ModelArguments,
    /// A restricted machine to compare with [default: the one that comes with the program, if its images have this size].
    #[arg(long, value_name = "RBM_MODEL")]
    beside: Option<PathBuf>,
    /// The layer to draw; the lowest is 1 [default: all].
    #[arg(long)]
    layer: Option<usize>,
    /// Filters of each layer to draw.
    #[arg(long, default_value = "100")]
    count: usize,
    /// The folder for the pictures [default: beside the model].
    #[arg(long)]
    out: Option<PathBuf>,
    /// Seed of the bootstrap.
    #[arg(long, default_value = "1")]
    seed: u64,
}

#[derive(Serialize)]
struct Summary {
    sheets: Vec<Sheet>,
    /// The restricted machine.
    beside: Option<String>,
    /// The filters of each layer, and of the restricted machine.
    filters: Vec<Value>,
    claims: Vec<Claim>,
}

#[derive(Serialize)]
struct Sheet {
    #[serde(serialize_with = "crate::cli::output::path_as_text")]
    picture: PathBuf,
    layer: usize,
    /// True for weights to pixels, false for weights to the layer below.
    projected: bool,
    /// The hidden units on the sheet, in this order.
    units: Vec<usize>,
    /// The Euclidean norms of their weights on the sheet.
    norms: Vec<f64>,
    /// The hidden units of the restricted machine on the sheet.
    beside: Vec<usize>,
}

impl Filters {
    pub(in crate::cli) fn run(self) -> Result<()> {
        check_count(self.count)?;
        let loaded = self.model.load::<Dbm<f32>>()?;
        let (model, size) = (&loaded.model, loaded.picture_size(None));
        let folder = self.out.as_ref().unwrap_or(&loaded.folder);
        let layers = match (self.layer, model.hidden_layers()) {
            (None, all) => 1..=all,
            (Some(layer), all) if (1..=all).contains(&layer) => layer..=layer,
            (Some(layer), all) => {
                let expected = format!("the hidden layers are 1 to {all}");
                return Err(Error::invalid(format!("--layer {layer}"), expected));
            }
        };
        let (beside, restricted) = match self.restricted(model.visible(), size)? {
            Some((name, model)) => (Some(name), Some(FilterSet::of_restricted("RBM", &model, size)?)),
            None => (None, None),
        };
        let deep = FilterSet::of_deep("DBM", model, size)?;

        let drawn = &deep[layers.start() - 1..*layers.end()];
        let pixel_limit = limit(drawn.iter().chain(&restricted).map(|set| &set.weight));
        let choose = |set: &FilterSet| {
            let chosen = ByNorm::largest(&set.weight, self.count);
            let [shown, all] = [chosen.units.len(), set.weight.columns()].map(thousands);
            let heading = format!("{}: {shown} of {all} units", set.name);
            (Group::new(heading, &set.weight, &chosen.units), chosen)
        };
        let restricted_group = restricted.as_ref().map(choose);
        let mut sheets = Vec::new();
        for (layer, set) in layers.zip(drawn) {
            let (file, title) = match layer {
                1 => ("filters-1.png".into(), "Filters: weights to pixels".into()),
                _ => (
                    format!("filters-{layer}-projected.png"),
                    format!("Filters of layer {layer}, projected to pixels"),
                ),
            };
            let (group, ByNorm { units, norms }) = choose(set);
            let groups: Vec<&Group> =
                [&group].into_iter().chain(restricted_group.iter().map(|(group, _)| group)).collect();
            let picture = folder.join(file);
            let png = sheet(&title, &groups, size, columns_of(units.len()), Some(pixel_limit))?.to_png()?;
            write_output(&picture, &png)?;
            let beside = restricted_group.as_ref().map_or(Vec::new(), |(_, chosen)| chosen.units.clone());
            sheets.push(Sheet { picture, layer, projected: true, units, norms, beside });
            if layer > 1 {
                // Weights to the layer below, whose units have no place in an image.
                let weight = &model.weights()[layer - 1];
                let ByNorm { units, norms } = ByNorm::largest(weight, self.count);
                let [shown, all, below] = [units.len(), weight.columns(), weight.rows()].map(thousands);
                let title = format!(
                    "{shown} of {all} units of layer {layer}: weights to the {below} units of layer {}",
                    layer - 1
                );
                let (group, columns) = (Group::new("", weight, &units), columns_of(units.len()));
                let picture = folder.join(format!("filters-{layer}-raw.png"));
                let png = sheet(&title, &[&group], grid(weight.rows()), columns, None)?.to_png()?;
                write_output(&picture, &png)?;
                sheets.push(Sheet { picture, layer, projected: false, units, norms, beside: Vec::new() });
            }
        }

        let stream = Stream::named(self.seed, "evaluate");
        let mut claims = Vec::new();
        if let Some(restricted) = &restricted {
            claims.extend(claims::of_pair(restricted, &deep[0], stream));
        }
        claims.extend(claims::of_layers(&deep, stream));
        let sets: Vec<&FilterSet> = deep.iter().chain(&restricted).collect();
        let filters = sets.iter().map(|set| set.to_json()).collect();
        self.model.output.print(&Summary { sheets, beside, filters, claims }, |summary| {
            let beside = summary.beside.as_ref().map_or(String::new(), |name| format!("the RBM is {name}\n"));
            let line = |sheet: &Sheet| {
                format!("layer {}: {}", sheet.layer, summary_line(&sheet.norms, &sheet.picture))
            };
            let lines: String = summary.sheets.iter().map(line).collect();
            format!("{}{beside}\n{}\n{lines}", table(&sets), describe(&summary.claims))
        })
    }

    /// The machine to compare with, and its name. The pictures have `size`.
    fn restricted(&self, visible: usize, size: (usize, usize)) -> Result<Option<(String, Rbm<f32>)>> {
        match &self.beside {
            Some(path) => {
                let argument = format!("--beside {}", path.display());
                let SavedModel { model, image_size, .. } = load::<Rbm<f32>>(path)?;
                check_visible(&argument, model.visible(), visible)?;
                check_size(&argument, image_size, size.into())?;
                Ok(Some((path.display().to_string(), model)))
            }
            None if size == pretrained::IMAGE_SIZE.into() => {
                let name = format!("{}, which comes with the program", pretrained::RESTRICTED);
                Ok(Some((name, pretrained::restricted()?.0)))
            }
            None => Ok(None),
        }
    }
}

/// The table of measures, with a column for each set.
fn table(sets: &[&FilterSet]) -> String {
    let mut lines = vec![(String::new(), sets.iter().map(|set| set.name.clone()).collect::<Vec<_>>())];
    lines.extend(rows(sets).into_iter().map(|Row { name, unit, cells }| (format!("{name}, {unit}"), cells)));
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, cells): &(String, Vec<String>)| {
        let cells: String = cells.iter().map(|cell| format!("  {cell:>24}")).collect();
        format!("{name:width$}{cells}\n")
    };
    lines.iter().map(line).collect()
}
