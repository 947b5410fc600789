//! `equilibria dbm filters`.

use crate::boltzmann::{Dbm, Rbm};
use crate::cli::filters::{
    ByNorm, FilterSet, Group, Row, check_size, check_visible, claims, columns_of, grid, limit, rows, sheet,
};
use crate::cli::machine::{Loaded, ModelArguments, write_output};
use crate::cli::{counted, print, print_json, thousands};
use crate::rng::Stream;
use crate::run::{SavedModel, pretrained, rbm};
use crate::{Error, Result};
use claims::Claim;
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Show what the units of each hidden layer look for, beside a restricted machine, and measure it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria dbm filters\n  \
    equilibria dbm filters runs/dbm --beside runs/rbm --count 64\n  \
    equilibria dbm filters runs/dbm --layer 2 --out out/filters\n\n\
    Weights are shown as pictures, largest norm first. Units of the first layer have weights to pixels: filters-1.png. \
    Those of higher layers are shown projected to pixels through all layers below (the product of the weights, \
    filters-2-projected.png) and as they are, weights to the units of the layer below in rows (filters-2-raw.png). \
    All but the last stand beside the restricted machine's filters, on one scale.\n\n\
    The table has medians, and quartiles in brackets. A claim holds if 95 % of bootstrap samples have it so.")]
pub(in crate::cli) struct Filters {
    #[command(flatten)]
    model: ModelArguments,
    /// A restricted machine to compare with [default: the one that comes with the program, if it sees images of this size].
    #[arg(long, value_name = "RBM_MODEL")]
    beside: Option<PathBuf>,
    /// The layer to show, the lowest being 1 [default: all].
    #[arg(long)]
    layer: Option<usize>,
    /// Filters of each layer to show.
    #[arg(long, default_value_t = 100)]
    count: usize,
    /// The folder for the pictures [default: beside the model].
    #[arg(long)]
    out: Option<PathBuf>,
    /// Seed of the bootstrap.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Serialize)]
struct Summary {
    sheets: Vec<Sheet>,
    /// The restricted machine beside it.
    beside: Option<String>,
    /// Of each layer, and of the restricted machine.
    filters: Vec<Value>,
    claims: Vec<Claim>,
}

#[derive(Serialize)]
struct Sheet {
    #[serde(serialize_with = "crate::cli::path_as_text")]
    picture: PathBuf,
    layer: usize,
    /// Whether weights are projected to pixels through the layers below; of layer 1 they lead there.
    projected: bool,
    /// Hidden units shown, in the order of the sheet.
    units: Vec<usize>,
    /// Euclidean norms of what is shown of them.
    norms: Vec<f64>,
    /// Hidden units of the restricted machine that are shown beside them.
    beside: Vec<usize>,
}

impl Filters {
    pub(in crate::cli) fn run(self) -> Result<()> {
        if self.count == 0 {
            return Err(Error::invalid("--count 0", "at least 1 filter can be shown"));
        }
        let loaded = self.model.load::<Dbm<f32>>()?;
        let size = loaded.picture_size(None);
        let Loaded { model, folder, .. } = loaded;
        let folder = self.out.clone().unwrap_or(folder);
        let layers = model.hidden_layers();
        if let Some(layer) = self.layer.filter(|layer| !(1..=layers).contains(layer)) {
            let expected = format!("the hidden layers are 1 to {layers}");
            return Err(Error::invalid(format!("--layer {layer}"), expected));
        }
        let beside = self.restricted(model.visible(), size)?;
        let restricted = match &beside {
            Some((_, model)) => Some(FilterSet::of_restricted("RBM", model, size)?),
            None => None,
        };
        let beside = beside.map(|(name, _)| name);
        let deep = FilterSet::of_deep("DBM", &model, size)?;
        let raw: Vec<_> = model.weights().iter().collect();
        let sheets = self.draw(&folder, &deep, &raw, restricted.as_ref(), size)?;
        let stream = Stream::named(self.seed, "evaluate");
        let mut told = Vec::new();
        if let Some(restricted) = &restricted {
            told.extend(claims::of_pair(restricted, &deep[0], stream));
        }
        told.extend(claims::of_layers(&deep, stream));
        let sets: Vec<&FilterSet> = deep.iter().chain(&restricted).collect();
        if self.model.json {
            let filters = sets.iter().map(|set| set.to_json()).collect();
            return print_json(&Summary { sheets, beside, filters, claims: told });
        }
        let drawn: String = sheets.iter().map(describe).collect();
        let beside = beside.map_or(String::new(), |name| format!("the RBM is {name}\n"));
        print(&format!("{}{beside}\n{}\n{drawn}", table(&sets), claims::describe(&told)))
    }

    /// The machine to compare with, whose images are drawn in `size`, and what to call it.
    fn restricted(&self, visible: usize, size: (usize, usize)) -> Result<Option<(String, Rbm<f32>)>> {
        match &self.beside {
            Some(path) => {
                let argument = format!("--beside {}", path.display());
                let SavedModel { model, image_size, .. } = rbm::load(path)?;
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

    /// The sheets of the chosen layers; all that are in pixels have one scale.
    fn draw(
        &self,
        folder: &Path,
        deep: &[FilterSet],
        raw: &[&crate::Tensor<f32>],
        restricted: Option<&FilterSet>,
        size: (usize, usize),
    ) -> Result<Vec<Sheet>> {
        let chosen = |set: &FilterSet| {
            let chosen = ByNorm::largest(&set.weight, self.count);
            let [shown, all] = [chosen.units.len(), set.weight.columns()].map(thousands);
            let heading = format!("{}: {shown} of {all} units", set.name);
            (Group::new(heading, &set.weight, &chosen.units), chosen)
        };
        let beside = restricted.map(chosen);
        let wanted = || (1..).zip(deep).filter(|(layer, _)| self.layer.is_none_or(|only| only == *layer));
        let layers: Vec<_> = wanted().map(|(layer, set)| (layer, chosen(set))).collect();
        let limit_of_all = limit(wanted().map(|(_, set)| set).chain(restricted).map(|set| &set.weight));
        let mut sheets = Vec::new();
        for (layer, (group, ByNorm { units, norms })) in &layers {
            let layer = *layer;
            let (name, title) = match layer {
                1 => ("1".into(), "Filters: weights to pixels".into()),
                _ => (format!("{layer}-projected"), format!("Filters of layer {layer}, projected to pixels")),
            };
            let shown: Vec<&Group> =
                [group].into_iter().chain(beside.as_ref().map(|(group, _)| group)).collect();
            let columns = columns_of(units.len());
            let picture = folder.join(format!("filters-{name}.png"));
            write_output(&picture, &sheet(&title, &shown, size, columns, limit_of_all)?.to_png()?)?;
            let beside = beside.as_ref().map_or(Vec::new(), |(_, chosen)| chosen.units.clone());
            let (units, norms) = (units.clone(), norms.clone());
            sheets.push(Sheet { picture, layer, projected: true, units, norms, beside });
            if layer > 1 {
                sheets.push(self.draw_raw(folder, layer, raw[layer - 1])?);
            }
        }
        Ok(sheets)
    }

    /// Weights to the layer below, whose units have no place in an image.
    fn draw_raw(&self, folder: &Path, layer: usize, weight: &crate::Tensor<f32>) -> Result<Sheet> {
        let ByNorm { units, norms } = ByNorm::largest(weight, self.count);
        let group = Group::new("", weight, &units);
        let [shown, all, below] = [units.len(), weight.columns(), weight.rows()].map(thousands);
        let title = format!(
            "{shown} of {all} units of layer {layer}: weights to the {below} units of layer {}",
            layer - 1
        );
        let picture = folder.join(format!("filters-{layer}-raw.png"));
        let (columns, limit) = (columns_of(units.len()), limit([weight]));
        let drawn = sheet(&title, &[&group], grid(weight.rows()), columns, limit)?;
        write_output(&picture, &drawn.to_png()?)?;
        Ok(Sheet { picture, layer, projected: false, units, norms, beside: Vec::new() })
    }
}

/// Measures in rows, sets in columns.
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

fn describe(sheet: &Sheet) -> String {
    format!(
        "layer {}: {} with norms from {:.2} to {:.2}; wrote {}\n",
        sheet.layer,
        counted(sheet.units.len(), "filter"),
        sheet.norms.first().copied().unwrap_or_default(),
        sheet.norms.last().copied().unwrap_or_default(),
        sheet.picture.display()
    )
}
