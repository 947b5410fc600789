//! The frame of every training run: from checkpoint to checkpoint, until the end or until somebody stops it.
//!
//! [`Training`] is what differs from one kind of model to the next; [`train`], [`resume`] and [`train_or_resume`] are the
//! same for all. Every random number of a run is a function of its seed and its place in the data, so that a checkpoint
//! holds parameters, state and a place, and a resumed run ends with the same bits as one that nobody stopped.

use super::record::Record;
use super::{Counter, Metrics, Progress, RunDirectory};
use crate::checkpoint::Archive;
use crate::data::Digits;
use crate::parallel;
use crate::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// A run of one kind of model, between two updates.
pub(super) trait Training<'a>: Sized + Send {
    /// The kind, as in `equilibria rbm train`.
    const KIND: &'static str;
    /// Version of what a checkpoint holds.
    const FORMAT: &'static str;
    /// What progress counts.
    const UNIT: &'static str;
    /// Whether labels have a say in what is learned or monitored.
    const USES_LABELS: bool;
    /// `config.toml`.
    type Settings: Serialize + DeserializeOwned + PartialEq;
    /// What is learned.
    type Model;
    /// `summary.json`.
    type Summary: Serialize;

    /// A run that has not begun.
    ///
    /// **Errors** [`Error::InvalidArgument`] for settings out of range, in the words of the command line;
    /// [`Error::ShapeMismatch`] if they are of other data.
    fn new(settings: &Self::Settings, digits: &'a Digits) -> Result<Self>;

    /// What `metrics.csv` has rows of, and its columns after the first.
    fn columns(&self) -> (Counter, Vec<String>);

    /// Rows of `metrics.csv` so far.
    fn rows(&self) -> usize;

    /// What progress counts: how much is done, and of how much.
    fn position(&self) -> [u64; 2];

    /// All that the run can go on from.
    fn checkpoint(&mut self) -> Result<Archive>;

    /// Goes where a checkpoint was written, whose data are known to be these ([`Record::check`]).
    ///
    /// **Errors** [`Error::Malformed`] if it is of other settings.
    fn restore(&mut self, archive: &Archive) -> Result<()>;

    /// Goes on to where a checkpoint is due; false if `stop` asked to stop before. Runs on a thread of the pool.
    ///
    /// **Errors** [`Error::Diverged`] where [`divergence`](super::divergence) says so.
    fn advance(
        &mut self,
        metrics: &mut Metrics,
        progress: &mut Progress,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<bool>;

    /// What the run came to that ended with this [`Error::Diverged`].
    fn diverged(&self, metrics: &Metrics, error: &Error) -> Self::Summary;

    /// The model, as it goes into `model.safetensors` too, and what the run came to.
    fn end(self, metrics: &Metrics) -> Result<(Self::Model, Archive, Self::Summary)>;
}

/// Trains a model from the start and leaves it in `directory`.
///
/// **Errors** [`Error::InvalidArgument`] for settings out of range; [`Error::Diverged`] where
/// [`divergence`](super::divergence) says so, with the last checkpoint kept and a summary of the cause written;
/// [`Error::Interrupted`] after `stop` returned true, with a checkpoint written; [`Error::Io`].
pub(super) fn train<'a, T: Training<'a>>(
    directory: &RunDirectory,
    settings: &T::Settings,
    digits: &'a Digits,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(T::Model, T::Summary)> {
    let mut run = T::new(settings, digits)?;
    directory.write_config(settings, &[("checkpoint", T::FORMAT)])?;
    let (counter, columns) = run.columns();
    let metrics = Metrics::create(directory, counter, &columns)?;
    let record = Record::of(digits, T::USES_LABELS);
    write_checkpoint(&mut run, directory, &record)?;
    finish(run, directory, &record, metrics, progress, stop)
}

/// Continues the run in `directory`, with the settings it was started with.
///
/// **Errors** as [`train`]; [`Error::InvalidArgument`] if the data are not those that the run began with, as the
/// checkpoint's [`Record`] says; [`Error::Malformed`] if the checkpoint does not fit the settings.
pub(super) fn resume<'a, T: Training<'a>>(
    directory: &RunDirectory,
    digits: &'a Digits,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(T::Model, T::Summary)> {
    let archive = directory.read_checkpoint()?;
    let record = Record::of(digits, T::USES_LABELS);
    let notes = record.check(&archive, directory.path())?;
    let mut run = T::new(&directory.read_config()?, digits)?;
    run.restore(&archive)?;
    notes.iter().for_each(|note| super::progress::print_above_bar(note));
    let (counter, columns) = run.columns();
    let metrics = Metrics::resume(directory, counter, &columns, run.rows())?;
    finish(run, directory, &record, metrics, progress, stop)
}

/// The model that `settings` make, from the run in `path` as far as it has come with these settings; any other run there
/// is in the way, unless `force` replaces it.
///
/// **Errors** as [`train`], [`resume`] and [`RunDirectory::create`].
pub(super) fn train_or_resume<'a, T: Training<'a>>(
    path: &Path,
    force: bool,
    settings: &T::Settings,
    digits: &'a Digits,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(T::Model, T::Summary)> {
    let (directory, is_begun) = RunDirectory::open_or_create(path, force, settings)?;
    if is_begun {
        return resume::<T>(&directory, digits, progress, stop);
    }
    train::<T>(&directory, settings, digits, progress, stop)
}

/// Trains to the end and writes model and summary.
fn finish<'a, T: Training<'a>>(
    mut run: T,
    directory: &RunDirectory,
    record: &Record,
    mut metrics: Metrics,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(T::Model, T::Summary)> {
    let [done, total] = run.position();
    if done < total {
        directory.forget_divergence()?;
    }
    progress.start(total, T::UNIT);
    progress.skip(done);
    while run.position()[0] < total {
        // Inside the pool, so that no kernel has to enter it.
        let mut advanced = parallel::within_awake(|| run.advance(&mut metrics, progress, stop));
        if let Err(error @ Error::Diverged { .. }) = &mut advanced {
            progress.finish("");
            directory.write_summary(&run.diverged(&metrics, error))?;
            if let Error::Diverged { cause, .. } = error {
                *cause += &format!("; the last checkpoint is kept in {}", directory.path().display());
            }
        }
        let is_whole = advanced?;
        write_checkpoint(&mut run, directory, record)?;
        if !is_whole {
            progress.finish("");
            let path = directory.path().display();
            return Err(Error::Interrupted {
                resume: format!("`equilibria {} train --resume {path}` goes on from here", T::KIND),
            });
        }
    }
    progress.finish("");
    let (model, archive, summary) = run.end(&metrics)?;
    directory.write_model(&archive)?;
    directory.write_summary(&summary)?;
    Ok((model, summary))
}

fn write_checkpoint<'a, T: Training<'a>>(
    run: &mut T,
    directory: &RunDirectory,
    record: &Record,
) -> Result<()> {
    let mut archive = run.checkpoint()?;
    record.describe(&mut archive);
    directory.write_checkpoint(&archive)
}
