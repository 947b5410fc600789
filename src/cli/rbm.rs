//! `equilibria rbm ...`: one file per command.

mod evaluate;
mod filters;
mod literature;
pub(super) mod mixing;
pub(super) mod reconstruct;
pub(super) mod sample;
pub(super) mod store;
mod sweep;
mod train;

pub(super) use super::machine::{absolute, test_images, write_output};

use super::machine::{ImageArguments, Loaded, ModelArguments, create_folder_of, learned_elsewhere, parse};
use crate::Result;
use crate::boltzmann::Rbm;
use crate::run::pretrained;
use crate::run::rbm::{self, Settings};
use clap::Subcommand;
use sample::Subject;
use std::path::Path;

/// Train and look into restricted Boltzmann machines.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Train(train::Train),
    Sample(sample::Sample),
    Reconstruct(reconstruct::Reconstruct),
    Filters(filters::Filters),
    Evaluate(evaluate::Evaluate),
    Mixing(mixing::Mixing),
    Store(store::Store),
    Sweep(sweep::Sweep),
    ReproduceLiterature(literature::ReproduceLiterature),
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Train(command) => command.run(),
            Self::Sample(command) => command.run(),
            Self::Reconstruct(command) => command.run(),
            Self::Filters(command) => command.run(),
            Self::Evaluate(command) => command.run(),
            Self::Mixing(command) => command.run(),
            Self::Store(command) => command.run(),
            Self::Sweep(command) => command.run(),
            Self::ReproduceLiterature(command) => command.run(),
        }
    }
}

/// The machine that MODEL stands for, or the shipped one without it.
fn load(model: Option<&Path>) -> Result<Loaded<Rbm<f32>, Settings>> {
    match model {
        Some(path) => Ok(Loaded::new(path, rbm::load(path)?)),
        None => Ok(Loaded::shipped(pretrained::RESTRICTED, pretrained::restricted()?)),
    }
}

/// What drawing and filling in have to know of a machine.
fn subject(loaded: &Loaded<Rbm<f32>, Settings>) -> Subject<'_> {
    let Loaded { model, settings, image_size, folder, .. } = loaded;
    Subject {
        visible: model.visible(),
        image_size: *image_size,
        hidden: model.hidden().to_string(),
        source: loaded.source(settings.source()),
        binarise: settings.binarise,
        seed: settings.seed,
        folder,
    }
}
