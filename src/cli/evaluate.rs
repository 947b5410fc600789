//! The options and the table that `equilibria rbm evaluate` and `equilibria dbm evaluate` share.

use super::machine::{ImageArguments, ModelArguments, parse};
use super::output::{
    check_range, create_folder_of, summary_path, thousands, warn, without_summary, write_summary,
};
use crate::boltzmann::likelihood::annealed::Schedule;
use crate::boltzmann::likelihood::exact::LARGEST_LAYER;
use crate::data::Dataset;
use crate::run::rbm::Anneal;
use crate::{Error, Result};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The purpose of the numbers of chains, for errors.
pub(super) const ANNEALED: &str = "chains can be annealed";

#[derive(Debug, Args)]
pub(super) struct Likelihood {
    #[command(flatten)]
    pub model: ModelArguments,
    #[command(flatten)]
    pub source: ImageArguments,
    /// The folder for summary.json, or a file that ends with .json [default: a new folder `evaluation` beside the model].
    #[arg(long)]
    out: Option<PathBuf>,
    /// Compute ln Z exactly, by enumeration of at most 25 units.
    #[arg(long, conflicts_with_all = ["annealed", "schedule", "chains", "images"])]
    exact: bool,
    /// Estimate ln Z by annealing, forward and in reverse. The next four options imply it.
    #[arg(long)]
    annealed: bool,
    /// Inverse temperatures as END/STEP[,END/STEP...], rising from 0 to 1 [default:
    /// 0.5/0.001,0.9/0.0001,1/0.00001].
    #[arg(long, value_parser = parse::<Schedule>)]
    schedule: Option<Schedule>,
    /// Chains of the forward estimate [default: 100].
    #[arg(long)]
    chains: Option<usize>,
    /// Test images of the reverse estimate, from the first [default: 100, or all if there are fewer].
    #[arg(long)]
    images: Option<usize>,
}

impl Likelihood {
    /// Checks the number of chains.
    pub fn check(&self) -> Result<()> {
        self.chains.map_or(Ok(()), |chains| check_range("--chains", chains, 2..=100_000, ANNEALED))
    }

    /// The annealing to do, or `None` if ln Z is enumerated: with --exact, or by default if that is possible.
    ///
    /// `units` are the units to enumerate, `problem` says that they are too many, and `is_annealed` is true if an option of
    /// the command implies annealing.
    pub fn annealing(
        &self,
        (units, problem): (usize, &str),
        is_annealed: bool,
        digits: &Dataset,
    ) -> Result<Option<Anneal>> {
        if self.exact && units > LARGEST_LAYER {
            return Err(Error::invalid(
                "--exact",
                format!("{problem}, of at most {LARGEST_LAYER}; use --annealed"),
            ));
        }
        let is_annealed = is_annealed || self.annealed || self.schedule.is_some();
        if !is_annealed && self.chains.is_none() && self.images.is_none() && units <= LARGEST_LAYER {
            return Ok(None);
        }
        let default = Anneal::default();
        let images = self.images.unwrap_or(default.images.min(digits.test.len()));
        check_range("--images", images, 1..=digits.test.len(), "test images can be used")?;
        Ok(Some(Anneal {
            schedule: self.schedule.clone().unwrap_or(default.schedule),
            chains: self.chains.unwrap_or(default.chains),
            images,
            ..default
        }))
    }

    /// The file for the summary. Creates its folder: an error must come before the work, not after it.
    pub fn summary_path(&self, folder: &Path) -> Result<PathBuf> {
        let path = summary_path(self.out.as_deref(), &without_summary(folder.join("evaluation")));
        create_folder_of(&path)?;
        Ok(path)
    }

    /// Writes and prints an evaluation, and warns if its estimates are not reliable.
    pub fn report<E: Serialize>(
        &self,
        path: &Path,
        evaluation: &E,
        warning: Option<&str>,
        text: fn(&E) -> String,
    ) -> Result<()> {
        write_summary(path, evaluation)?;
        warning.into_iter().for_each(warn);
        self.model.output.print(evaluation, |it| format!("{}wrote {}\n", text(it), path.display()))
    }
}

/// The lines above the table: units, data and numbers of images, and the training data if the machine learned from others.
pub(super) fn heading(
    units: &str,
    data: &str,
    [train, test]: [usize; 2],
    trained_on: Option<&str>,
) -> String {
    let [train, test] = [train, test].map(thousands);
    let learned = trained_on.map_or_else(String::new, |data| {
        format!("the machine learned from other images ({data}), which --data can name\n")
    });
    format!("{units}; {data}, {train} training and {test} test images; all in nats\n{learned}\n")
}

/// A line about a log-likelihood, nats per image, that is worse than that of fair coins for `pixels` pixels; nothing about
/// another.
pub(super) fn worse_than_chance(log_likelihood: f64, pixels: usize) -> String {
    let chance = -(pixels as f64) * std::f64::consts::LN_2;
    match log_likelihood < chance {
        true => format!("this is worse than chance: fair coins have {chance:.2} nats per image\n"),
        false => String::new(),
    }
}

/// A line of the table: a name, and numbers with two decimals. Numbers that are missing are left out.
pub(super) fn row(name: &str, values: &[Option<f64>]) -> String {
    let cells: String = values.iter().flatten().map(|value| format!("  {value:>8.2}")).collect();
    format!("{name:<32}{cells}\n")
}
