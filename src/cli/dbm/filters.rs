//! `equilibria dbm filters`.

use super::load;
use crate::boltzmann::Dbm;
use crate::cli::machine::{Loaded, ModelArguments, write_output};
use crate::cli::rbm::filters::{by_norm, sheet};
use crate::cli::rbm::sample::side;
use crate::cli::{counted, print, print_json};
use crate::tensor::{Tensor, Workspace};
use crate::{Error, Result};
use clap::Args;
use equilibria_kernels::Epilogue;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Show what the units of each hidden layer look for: their weights as pictures, largest norm first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria dbm filters runs/dbm --count 64\n  \
    equilibria dbm filters runs/dbm --layer 2 --out out/filters\n\n\
    Units of the first layer have weights to pixels: filters-1.png. Those of higher layers are shown projected to \
    pixels through all layers below (the product of the weights, filters-2-projected.png) and as they are, weights to \
    the units of the layer below in rows (filters-2-raw.png).")]
pub(in crate::cli) struct Filters {
    #[command(flatten)]
    model: ModelArguments,
    /// The layer, the lowest being 1 [default: all].
    #[arg(long)]
    layer: Option<usize>,
    /// Filters of each layer to show.
    #[arg(long, default_value_t = 100)]
    count: usize,
    /// The folder for the pictures [default: beside the model].
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Summary {
    sheets: Vec<Sheet>,
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
}

impl Filters {
    pub(in crate::cli) fn run(self) -> Result<()> {
        if self.count == 0 {
            return Err(Error::invalid("--count 0", "at least 1 filter can be shown"));
        }
        let Loaded { model, folder, .. } = load(self.model.start()?)?;
        let folder = self.out.clone().unwrap_or(folder);
        let pixels = side(model.visible())?;
        let layers = model.hidden_layers();
        if let Some(layer) = self.layer.filter(|layer| !(1..=layers).contains(layer)) {
            let expected = format!("the hidden layers are 1 to {layers}");
            return Err(Error::invalid(format!("--layer {layer}"), expected));
        }
        let mut sheets = Vec::new();
        for layer in (1..=layers).filter(|&layer| self.layer.is_none_or(|only| only == layer)) {
            let name = if layer == 1 { "1".into() } else { format!("{layer}-projected") };
            sheets.push(self.draw(&folder, &name, layer, true, &projection(&model, layer), pixels)?);
            if layer > 1 {
                let weight = &model.weights()[layer - 1];
                let raw =
                    self.draw(&folder, &format!("{layer}-raw"), layer, false, weight, grid(weight.rows()))?;
                sheets.push(raw);
            }
        }
        if self.model.json {
            return print_json(&Summary { sheets });
        }
        print(&sheets.iter().map(describe).collect::<String>())
    }

    fn draw(
        &self,
        folder: &Path,
        name: &str,
        layer: usize,
        projected: bool,
        weight: &Tensor<f32>,
        size: (usize, usize),
    ) -> Result<Sheet> {
        let (units, norms) = by_norm(weight, self.count);
        let what = match (layer, projected) {
            (1, _) => "",
            (_, true) => ", projected to pixels",
            (_, false) => ", weights to the layer below",
        };
        let title =
            format!("Filters of {} of {} units of layer {layer}{what}", units.len(), weight.columns());
        let picture = folder.join(format!("filters-{name}.png"));
        write_output(&picture, &sheet(&title, weight, size, &units)?.to_png()?)?;
        Ok(Sheet { picture, layer, projected, units, norms })
    }
}

/// W_1 ... W_layer (visible, units of the layer).
fn projection(model: &Dbm<f32>, layer: usize) -> Tensor<f32> {
    let mut product = model.weights()[0].clone();
    for weight in &model.weights()[1..layer] {
        let mut next = Tensor::zeros(&[product.rows(), weight.columns()]);
        Workspace::new().gemm(1.0, product.view(), weight.view(), 0.0, next.view_mut(), Epilogue::NONE);
        product = next;
    }
    product
}

/// Height and width of a picture of so many units, as near to a square as their number allows.
fn grid(units: usize) -> (usize, usize) {
    let height = (1..=units.isqrt()).rev().find(|height| units.is_multiple_of(*height)).unwrap_or(1);
    (height, units / height)
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
