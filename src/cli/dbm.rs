//! `equilibria dbm ...`: one file per command.

mod evaluate;
mod filters;
mod reconstruct;
mod sample;
mod store;
mod train;

use super::machine::note_defaults;
use super::rbm::sample::Subject;
use crate::Result;
use crate::boltzmann::Dbm;
use crate::run::dbm::{Settings, load_model_and_settings};
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
fn subject<'a>(model: &Dbm<f32>, settings: &'a Settings) -> Subject<'a> {
    let hidden: Vec<String> = model.sizes().skip(1).map(|units| units.to_string()).collect();
    Subject {
        visible: model.visible(),
        hidden: hidden.join("-"),
        source: settings.source(),
        binarise: settings.binarise,
        seed: settings.seed,
    }
}

/// The machine and the settings it was trained with, where they are known.
fn load(model: &Path) -> Result<(Dbm<f32>, Settings)> {
    let (machine, settings) = load_model_and_settings(model)?;
    let settings = settings.unwrap_or_else(|| {
        note_defaults(model);
        Settings::default()
    });
    Ok((machine, settings))
}
