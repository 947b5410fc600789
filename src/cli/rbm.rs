//! `equilibria rbm ...`: one file per command.

mod evaluate;
mod filters;
mod literature;
pub(super) mod mixing;
mod sweep;
mod train;

use super::machine::{MachineKind, TrainingImages};
use super::reconstruct::Reconstruct;
use super::sample::Sample;
use super::store::Store;
use super::transform::Transform;
use crate::Result;
use crate::boltzmann::{GibbsChains, ImageChains, Rbm};
use crate::rng::Stream;
use crate::run::rbm::Settings;
use crate::run::{load_alone, pretrained};
use crate::tensor::Workspace;
use clap::Subcommand;

/// Train, sample and evaluate restricted Boltzmann machines.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Train(train::Train),
    /// Draw Gibbs samples from a machine, as one contact sheet.
    #[command(
        after_help = "Examples:\n  equilibria rbm sample runs/rbm --from test:0,1,2 --steps 1,10,100\n  \
        equilibria rbm sample --from noise --chains 5"
    )]
    Sample(Sample),
    /// Remove rows of pixels from test images and reconstruct them.
    #[command(after_help = "Examples:\n  equilibria rbm reconstruct runs/rbm --rows 10..16\n  \
        equilibria rbm reconstruct runs/rbm --sweep --images 200")]
    Reconstruct(Reconstruct),
    Filters(filters::Filters),
    Evaluate(evaluate::Evaluate),
    Mixing(mixing::Mixing),
    /// Write a machine alone into a small file: its weights and biases as 16-bit floats or 8-bit integers, and its settings.
    #[command(after_help = "Examples:\n  equilibria rbm store runs/rbm --out digits.safetensors\n  \
        equilibria rbm store runs/rbm --out digits.safetensors --bits 8 --json\n\n\
        Every command accepts the file as MODEL. It does not contain the path of the training images.")]
    Store(Store),
    /// Write the hidden features of images: the probability of each hidden unit, as .npy.
    #[command(after_help = "Examples:\n  equilibria rbm transform runs/rbm --out train.npy\n  \
        equilibria rbm transform runs/rbm --test --out test.npy\n\n\
        In Python: numpy.load(\"train.npy\") has a row for each image, as transform of scikit-learn's BernoulliRBM.")]
    Transform(Transform),
    Sweep(sweep::Sweep),
    ReproduceLiterature(literature::ReproduceLiterature),
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Train(command) => command.run(),
            Self::Sample(command) => command.run::<Rbm<f32>>(),
            Self::Reconstruct(command) => command.run::<Rbm<f32>>(),
            Self::Filters(command) => command.run(),
            Self::Evaluate(command) => command.run(),
            Self::Mixing(command) => command.run(),
            Self::Store(command) => command.run(load_alone::<Rbm<f32>>),
            Self::Transform(command) => command.run::<Rbm<f32>>(),
            Self::Sweep(command) => command.run(),
            Self::ReproduceLiterature(command) => command.run(),
        }
    }
}

impl MachineKind for Rbm<f32> {
    const SHIPPED: &str = pretrained::RESTRICTED;

    fn shipped() -> Result<(Self, Settings)> {
        pretrained::restricted()
    }

    fn hidden_sizes(&self) -> String {
        self.hidden().to_string()
    }

    fn training_images(settings: &Settings) -> TrainingImages<'_> {
        TrainingImages { source: settings.source(), binarise: settings.binarise, seed: settings.seed }
    }

    fn features(&self, _: &Settings, images: &[f32]) -> Result<Vec<f32>> {
        let mut features = vec![0.0; images.len() / self.visible() * self.hidden()];
        self.hidden_probabilities(images, &mut features, &mut Workspace::new());
        Ok(features)
    }

    fn chains(&self, _: &Settings, images: &[f32], _: bool, stream: Stream) -> Result<impl ImageChains<f32>> {
        GibbsChains::at(self, images, stream)
    }
}
