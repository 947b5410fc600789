//! `equilibria rbm transform` and `equilibria dbm transform`.

use super::machine::{ImageArguments, MachineKind, ModelArguments};
use super::output::{counted, thousands, write_output};
use crate::data::npy;
use crate::rng::Stream;
use crate::{Error, Result};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Transform {
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    source: ImageArguments,
    /// Take the test images instead of the training images.
    #[arg(long)]
    test: bool,
    /// The .npy file to write: 32-bit floats of shape (images, features) [default: features.npy beside the model].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace a file of this name.
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
struct Summary {
    #[serde(serialize_with = "super::output::path_as_text")]
    file: PathBuf,
    data: String,
    images: usize,
    features: usize,
}

/// Images that are transformed at once.
const BLOCK: usize = 1_000;

impl Transform {
    /// Writes the features of a machine of kind `M`, and prints the summary.
    pub fn run<M: MachineKind>(self) -> Result<()> {
        let loaded = self.model.load::<M>()?;
        let file = self.out.clone().unwrap_or_else(|| loaded.folder.join("features.npy"));
        if file.exists() && !self.force {
            return Err(Error::invalid(file.display(), "exists already; --force replaces it"));
        }
        let digits = loaded.digits(&self.source)?;
        let set = if self.test { &digits.test } else { &digits.train };
        let (binarise, seed) = (loaded.images().binarise, loaded.images().seed);
        let mut progress = self.model.output.progress();
        progress.start(set.len() as u64, "images");
        let order: Vec<usize> = (0..set.len()).collect();
        let mut features = Vec::new();
        for order in order.chunks(BLOCK) {
            let mut pixels = vec![0.0; order.len() * loaded.model.visible()];
            binarise.fill(set.images(), order, Stream::named(seed, "binarise"), &mut pixels)?;
            features.extend(loaded.model.features(&loaded.settings, &pixels)?);
            progress.advance(order.len() as u64);
        }
        progress.finish("");
        let shape = [set.len(), features.len() / set.len()];
        write_output(&file, &npy::of_floats(&shape, &features))?;
        let summary = Summary { file, data: digits.name.clone(), images: shape[0], features: shape[1] };
        self.model.output.print(&summary, |Summary { file, images, features, .. }| {
            let images = counted(*images, "image");
            format!("{} features of each of {images}; wrote {}\n", thousands(*features), file.display())
        })
    }
}
