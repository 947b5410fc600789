//! `equilibria rbm sample` and `equilibria dbm sample`.

use super::machine::{ImageArguments, MachineKind, ModelArguments, caption, write_output};
use super::output::{check_range, counted, thousands};
use crate::boltzmann::{ImageChains, coin_flips};
use crate::data::Images;
use crate::evaluate::mixing::agreement;
use crate::report::ContactSheet;
use crate::rng::Stream;
use crate::run::image_files::ImageFiles;
use crate::{Error, Result};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Sample {
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    images: ImageArguments,
    /// Start of the chains: test:INDEX[,INDEX...] or noise [default: the first ten test images].
    #[arg(long, value_name = "test:INDEX,...|noise")]
    from: Option<String>,
    /// Chains that start from noise.
    #[arg(long, default_value = "10")]
    chains: usize,
    /// Numbers of Gibbs steps after which the chains are drawn, rising.
    #[arg(long, default_value = "1,10,100,1000,10000", value_delimiter = ',')]
    steps: Vec<usize>,
    /// The picture to write [default: samples.png beside the model].
    #[arg(long)]
    out: Option<PathBuf>,
    /// Write the last images of the chains for other programs instead: as single pictures into a new or empty folder, or into a
    /// new file that ends with .npy or .idx. The values are probabilities of ink.
    #[arg(long = "images", value_name = "FOLDER_OR_FILE", conflicts_with = "out")]
    written: Option<PathBuf>,
}

#[derive(Serialize)]
struct Summary {
    #[serde(serialize_with = "super::output::path_as_text")]
    picture: PathBuf,
    from: String,
    steps: Vec<usize>,
    chains: usize,
    /// For each of `steps`, the share of pixels that are equal to the start; mean over chains.
    agreement_with_start: Vec<f64>,
}

/// Steps between two updates of the progress.
const STRIDE: usize = 50;

impl Sample {
    /// Draws samples from a machine of kind `M`, writes the picture, and prints the summary.
    pub fn run<M: MachineKind>(self) -> Result<()> {
        let mut indices = self.check()?;
        let loaded = self.model.load::<M>()?;
        let files = self.written.as_deref().map(ImageFiles::new).transpose()?;
        let visible = loaded.model.visible();
        let stream = |name| Stream::named(self.images.seed, name);
        let (size, images, labels) = match &mut indices {
            Some(indices) => {
                let digits = loaded.digits(&self.images)?;
                if self.from.is_none() {
                    indices.truncate(digits.test.len());
                }
                let label = |&i: &usize| caption(&digits, i);
                let images = loaded.test_images(&digits, indices)?;
                (loaded.picture_size(Some(&digits)), images, indices.iter().map(label).collect::<Vec<_>>())
            }
            None => {
                let labels = (0..self.chains).map(|i| format!("noise {i}")).collect();
                (loaded.picture_size(None), coin_flips(self.chains, visible, stream("init")), labels)
            }
        };
        let mut progress = self.model.output.progress();
        progress.start(self.steps.last().copied().unwrap_or(0) as u64, "steps");
        let is_noise = indices.is_none();
        let mut chains = loaded.model.chains(&loaded.settings, &images, is_noise, stream("evaluate"))?;
        let (mut columns, mut agreements, mut pictures) =
            (vec!["start".into()], Vec::new(), Vec::<Vec<f32>>::new());
        let mut done = 0;
        for &steps in &self.steps {
            while done < steps {
                let stride = STRIDE.min(steps - done);
                chains.walk(stride);
                done += stride;
                progress.advance(stride as u64);
            }
            columns.push(thousands(steps));
            agreements.push(agreement(&chains.visible_states(), &images));
            if files.is_some() {
                pictures.clear();
            }
            pictures.push(chains.visible_probabilities());
        }
        progress.finish("");
        let from = match (&self.from, &indices) {
            (Some(from), _) => from.clone(),
            (None, indices) => {
                let all = indices.iter().flatten().map(ToString::to_string).collect::<Vec<_>>();
                format!("test:{}", all.join(","))
            }
        };
        let (steps, chains) = (self.steps.clone(), labels.len());
        let summary = |picture, agreements| Summary {
            picture,
            from: from.clone(),
            steps: steps.clone(),
            chains,
            agreement_with_start: agreements,
        };
        if let (Some(files), Some(path)) = (files, &self.written) {
            let last = pictures.last().map_or(&[][..], Vec::as_slice);
            let pixels = last.iter().map(|&probability| (255.0 * probability).round() as u8).collect();
            let written = Images::new(size.0, size.1, pixels)?;
            files.write(&written)?;
            let summary = summary(path.clone(), agreements);
            return self.model.output.print(&summary, |summary| {
                format!("wrote {} to {}\n", counted(written.len(), "image"), summary.picture.display())
            });
        }

        // One row per chain: the start, then the probabilities from which each state was sampled.
        let title = format!("After so many Gibbs steps, {} hidden units", loaded.model.hidden_sizes());
        let mut sheet = ContactSheet::new(size.0, size.1)
            .title(title)
            .columns(columns.len())
            .column_labels(&columns)
            .row_labels(&labels);
        for chain in 0..labels.len() {
            for picture in std::iter::once(&images).chain(&pictures) {
                sheet.push(&picture[chain * visible..(chain + 1) * visible])?;
            }
        }
        let picture = self.out.unwrap_or_else(|| loaded.folder.join("samples.png"));
        write_output(&picture, &sheet.to_png()?)?;
        let summary = summary(picture, agreements);
        self.model.output.print(&summary, |summary| {
            let mut text = String::from("     steps  pixels equal to the start\n");
            for (steps, agreement) in summary.steps.iter().zip(&summary.agreement_with_start) {
                text += &format!("{steps:>10}  {:>6.1} %\n", 100.0 * agreement);
            }
            format!("{text}wrote {}\n", summary.picture.display())
        })
    }

    /// Checks the options. Returns the test images that chains start from, or `None` for noise.
    fn check(&self) -> Result<Option<Vec<usize>>> {
        let parse = |text: &str| {
            let indices = text.strip_prefix("test:")?.split(',');
            indices.map(|index| index.trim().parse().ok()).collect::<Option<Vec<usize>>>()
        };
        let indices = match self.from.as_deref() {
            None => Some((0..10).collect()),
            Some("noise") => None,
            Some(text) => Some(parse(text).ok_or_else(|| {
                Error::invalid(format!("--from {text}"), "write test:INDEX[,INDEX...] or noise")
            })?),
        };
        if self.steps.is_empty() || !self.steps.is_sorted_by(|a, b| a < b) || self.steps[0] == 0 {
            return Err(Error::invalid("--steps", "write rising numbers of at least 1, such as 1,10,100"));
        }
        let most = if self.written.is_some() { 100_000 } else { 1000 };
        check_range("--chains", self.chains, 1..=most, "chains can be drawn")?;
        Ok(indices)
    }
}
