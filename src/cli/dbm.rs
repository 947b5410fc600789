//! `equilibria dbm ...`: one file per command.

mod evaluate;
mod filters;
mod reconstruct;
pub(super) mod sample;
mod store;
mod train;

use super::machine::Loaded;
use super::rbm::sample::Subject;
use crate::Result;
use crate::boltzmann::Dbm;
use crate::run::dbm::{self, Settings};
use crate::run::pretrained;
use clap::Subcommand;
use std::path::Path;

/// Train and look into deep Boltzmann machines.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Train(train::Train),
    Evaluate(evaluate::Evaluate),
    Sample(sample::Sample),
    Filters(filters::Filters),
    Reconstruct(reconstruct::Reconstruct),
    Store(store::Store),
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Train(command) => command.run(),
            Self::Evaluate(command) => command.run(),
            Self::Sample(command) => command.run(),
            Self::Filters(command) => command.run(),
            Self::Reconstruct(command) => command.run(),
            Self::Store(command) => command.run(),
        }
    }
}

/// What drawing and filling in have to know of a machine.
fn subject(loaded: &Loaded<Dbm<f32>, Settings>) -> Subject<'_> {
    let Loaded { model, settings, image_size, folder, .. } = loaded;
    let hidden: Vec<String> = model.sizes().skip(1).map(|units| units.to_string()).collect();
    Subject {
        visible: model.visible(),
        image_size: *image_size,
        hidden: hidden.join("-"),
        source: loaded.source(settings.source()),
        binarise: settings.binarise,
        seed: settings.seed,
        folder,
    }
}

/// The machine that MODEL stands for, or the shipped one without it.
fn load(model: Option<&Path>) -> Result<Loaded<Dbm<f32>, Settings>> {
    match model {
        Some(path) => Ok(Loaded::new(path, dbm::load(path)?)),
        None => Ok(Loaded::shipped(pretrained::DEEP, pretrained::deep()?)),
    }
}
