//! `equilibria dbm ...`: one file per command.

mod evaluate;
mod filters;
mod train;

use super::machine::{MachineKind, TrainingImages};
use super::reconstruct::Reconstruct;
use super::sample::Sample;
use super::store::Store;
use super::transform::Transform;
use crate::Result;
use crate::boltzmann::{Dbm, DbmChains, ImageChains, MeanField};
use crate::rng::Stream;
use crate::run::dbm::Settings;
use crate::run::{load_alone, pretrained};
use clap::Subcommand;

/// Train, sample and evaluate deep Boltzmann machines.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Train(train::Train),
    Evaluate(evaluate::Evaluate),
    /// Draw Gibbs samples from a deep machine, as one contact sheet.
    #[command(
        after_help = "Examples:\n  equilibria dbm sample runs/dbm --from test:0,1,2 --steps 1,10,100\n  \
        equilibria dbm sample --from noise --chains 5\n\n\
        A step samples all odd layers, then all even ones. Chains that start from an image sample its hidden units from \
        mean-field inference."
    )]
    Sample(Sample),
    Filters(filters::Filters),
    /// Remove rows of pixels from test images and reconstruct them with a deep machine.
    #[command(after_help = "Examples:\n  equilibria dbm reconstruct runs/dbm --rows 10..16\n  \
        equilibria dbm reconstruct runs/dbm --sweep --images 200")]
    Reconstruct(Reconstruct),
    /// Write a deep machine alone into a small file: its weights and biases as 16-bit floats or 8-bit integers, and its settings.
    #[command(after_help = "Examples:\n  equilibria dbm store runs/dbm --out digits.safetensors\n  \
        equilibria dbm store runs/dbm --out digits.safetensors --bits 8 --json\n\n\
        Every command accepts the file as MODEL. It does not contain the path of the training images.")]
    Store(Store),
    /// Write the hidden features of images: the mean-field mean of each hidden unit, layer by layer, as .npy.
    #[command(after_help = "Examples:\n  equilibria dbm transform runs/dbm --out train.npy\n  \
        equilibria dbm transform runs/dbm --test --out test.npy\n\n\
        In Python: numpy.load(\"train.npy\") has a row for each image; the first columns belong to the lowest hidden layer.")]
    Transform(Transform),
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Train(command) => command.run(),
            Self::Evaluate(command) => command.run(),
            Self::Sample(command) => command.run::<Dbm<f32>>(),
            Self::Filters(command) => command.run(),
            Self::Reconstruct(command) => command.run::<Dbm<f32>>(),
            Self::Store(command) => command.run(load_alone::<Dbm<f32>>),
            Self::Transform(command) => command.run::<Dbm<f32>>(),
        }
    }
}

impl MachineKind for Dbm<f32> {
    const SHIPPED: &str = pretrained::DEEP;

    fn shipped() -> Result<(Self, Settings)> {
        pretrained::deep()
    }

    fn hidden_sizes(&self) -> String {
        self.sizes().skip(1).map(|units| units.to_string()).collect::<Vec<_>>().join("-")
    }

    fn training_images(settings: &Settings) -> TrainingImages<'_> {
        TrainingImages { source: settings.source(), binarise: settings.binarise, seed: settings.seed }
    }

    fn features(&self, settings: &Settings, images: &[f32]) -> Result<Vec<f32>> {
        let rows = images.len() / self.visible();
        let mut inferred = MeanField::new(self, rows);
        inferred.infer(self, images, settings.stop())?;
        let sizes: Vec<usize> = self.sizes().collect();
        let row = |row: usize| {
            let layers = sizes.iter().enumerate().skip(1);
            layers
                .flat_map(move |(layer, &units)| (row * units..(row + 1) * units).map(move |at| (layer, at)))
        };
        Ok((0..rows).flat_map(row).map(|(layer, at)| inferred.means(layer)[at]).collect())
    }

    fn chains(
        &self,
        settings: &Settings,
        images: &[f32],
        is_noise: bool,
        stream: Stream,
    ) -> Result<impl ImageChains<f32>> {
        DbmChains::at(self, images, (!is_noise).then(|| settings.stop()), stream)
    }
}
