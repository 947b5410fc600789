//! `equilibria rbm ...`: one file per command.

mod evaluate;
pub(super) mod filters;
mod literature;
pub(super) mod mixing;
pub(super) mod reconstruct;
pub(super) mod sample;
pub(super) mod store;
mod sweep;
mod train;

pub(super) use super::machine::{absolute, test_images, write_output};

use super::machine::{ImageArguments, ModelArguments, beside, create_folder_of, note_defaults, parse};
use crate::Result;
use crate::boltzmann::Rbm;
use crate::run::rbm::{Settings, load_model_and_settings};
use clap::Subcommand;
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

/// The machine and the settings it was trained with, where they are known.
fn load(model: &Path) -> Result<(Rbm<f32>, Settings)> {
    let (machine, settings) = load_model_and_settings(model)?;
    let settings = settings.unwrap_or_else(|| {
        note_defaults(model);
        Settings::default()
    });
    Ok((machine, settings))
}
