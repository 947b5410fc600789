//! The frame of every training run: from checkpoint to checkpoint, until the end or an interruption.
//!
//! Every random number of a run is a function of its seed and its position in the data. So a checkpoint holds only
//! parameters, state and position, and a resumed run ends with the same bits as an uninterrupted one.

use super::record::Record;
use super::settings::RunSettings;
use super::{Counter, Metrics, Progress, RunDirectory};
use crate::checkpoint::Archive;
use crate::data::Dataset;
use crate::parallel;
use crate::{Error, Result};
use serde::Serialize;
use std::path::Path;

/// A kind of model, identified by the settings of its runs. [`train`], [`resume`],
/// `train_or_resume` and `train_in_memory` serve all kinds.
pub trait Trainable: RunSettings {
    /// The kind, as in `equilibria rbm train`.
    const KIND: &'static str;
    /// Version of the content of a checkpoint.
    const FORMAT: &'static str;
    /// Unit of the progress display.
    const UNIT: &'static str;
    /// Training or monitors use the labels.
    const USES_LABELS: bool;
    /// The result of a run.
    type Model;
    /// The content of `summary.json`.
    type Summary: Serialize;

    /// A run before its first update; both arguments have been checked.
    ///
    /// **Errors** those of the model's constructor.
    fn begin<'a>(&self, digits: &'a Dataset) -> Result<impl TrainingRun<Self> + use<'a, Self>>;
}

/// A run of one kind of model, between two updates.
pub trait TrainingRun<S: Trainable>: Send {
    /// The counter of `metrics.csv`, and its other columns.
    fn columns(&self) -> (Counter, Vec<String>);

    /// Rows of `metrics.csv` so far.
    fn rows(&self) -> usize;

    /// Units of progress: done, and in total.
    fn position(&self) -> [u64; 2];

    /// The parameters, the state and the position from which the run can be resumed.
    ///
    /// **Errors** as [`Archive::insert_f32`].
    fn checkpoint(&mut self) -> Result<Archive>;

    /// Continues from a checkpoint of a run on the same data.
    ///
    /// **Errors** [`Error::Malformed`] if it is of other settings.
    fn restore(&mut self, archive: &Archive) -> Result<()>;

    /// Trains until a checkpoint is due; returns false if `stop` returned true before. Runs on a thread of the pool.
    ///
    /// **Errors** [`Error::Diverged`] as `divergence` defines it.
    fn advance(
        &mut self,
        metrics: &mut Metrics,
        progress: &mut Progress,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<bool>;

    /// The content of `best.safetensors`, if the best model so far is kept beside the last one.
    ///
    /// **Errors** as [`Archive::insert_f32`].
    fn best(&self) -> Result<Option<Archive>> {
        Ok(None)
    }

    /// The summary of a run that ended with this [`Error::Diverged`].
    fn diverged(&self, metrics: &Metrics, error: &Error) -> S::Summary;

    /// The model, the content of `model.safetensors`, and the summary.
    ///
    /// **Errors** as [`Archive::insert_f32`].
    fn end(self, metrics: &Metrics) -> Result<(S::Model, Archive, S::Summary)>;
}

/// Trains a model from the start and leaves it in `directory`.
///
/// **Errors** [`Error::InvalidArgument`] for settings out of range; [`Error::ShapeMismatch`] for images of another size;
/// [`Error::Diverged`] as `divergence` defines it: the last checkpoint is kept, and `summary.json` gives
/// the cause; [`Error::Interrupted`] after `stop` returned true, with a checkpoint; [`Error::Io`].
pub fn train<S: Trainable>(
    directory: &RunDirectory,
    settings: &S,
    digits: &Dataset,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(S::Model, S::Summary)> {
    settings.check()?;
    settings.check_data(digits)?;
    let mut run = settings.begin(digits)?;
    directory.write_config(settings, &[("checkpoint", S::FORMAT)])?;
    let (counter, columns) = run.columns();
    let metrics = Metrics::create(directory, counter, &columns)?;
    let record = Record::of(digits, S::USES_LABELS);
    write_checkpoint(&mut run, directory, &record)?;
    finish(run, directory, (&record, settings.seed()), metrics, progress, stop)
}

/// Continues the run in `directory`, with the settings of its `config.toml`.
///
/// **Errors** as [`train`]; [`Error::InvalidArgument`] if the data have changed since the run began; [`Error::Malformed`] if
/// the checkpoint does not fit the settings.
pub fn resume<S: Trainable>(
    directory: &RunDirectory,
    digits: &Dataset,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(S::Model, S::Summary)> {
    resume_with(directory, &directory.read_config::<S>()?, digits, progress, stop)
}

/// Continues the run in `directory` as [`resume`] does, with other settings: data in another place, or a greater length. They
/// are written to its `config.toml`.
///
/// **Errors** as [`resume`].
pub(crate) fn resume_with<S: Trainable>(
    directory: &RunDirectory,
    settings: &S,
    digits: &Dataset,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(S::Model, S::Summary)> {
    let archive = directory.read_checkpoint()?;
    let record = Record::of(digits, S::USES_LABELS);
    let notes = record.check(&archive, directory.path())?;
    settings.check()?;
    settings.check_data(digits)?;
    let mut run = settings.begin(digits)?;
    run.restore(&archive)?;
    notes.iter().for_each(|note| super::progress::print_above_bar(note));
    let (counter, columns) = run.columns();
    let metrics = Metrics::resume(directory, counter, &columns, run.rows())?;
    if directory.read_config::<S>()? != *settings {
        directory.write_config(settings, &[("checkpoint", S::FORMAT)])?;
    }
    finish(run, directory, (&record, settings.seed()), metrics, progress, stop)
}

/// Continues the run at `path` if it has these settings; otherwise trains from the start. With `force`, replaces a run with
/// other settings.
///
/// **Errors** as [`train`], [`resume`] and [`RunDirectory::create`].
pub fn train_or_resume<S: Trainable>(
    path: &Path,
    force: bool,
    settings: &S,
    digits: &Dataset,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(S::Model, S::Summary)> {
    let (directory, is_begun) = RunDirectory::open_or_create(path, force, settings)?;
    match is_begun {
        true => resume::<S>(&directory, digits, progress, stop),
        false => train(&directory, settings, digits, progress, stop),
    }
}

/// Trains a model from the start, and leaves nothing on the disk.
///
/// **Errors** as [`train`], but for those of files.
pub fn train_in_memory<S: Trainable>(
    settings: &S,
    digits: &Dataset,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(S::Model, S::Summary)> {
    settings.check()?;
    settings.check_data(digits)?;
    let mut run = settings.begin(digits)?;
    let (counter, columns) = run.columns();
    let mut metrics = Metrics::in_memory(counter, &columns);
    let total = run.position()[1];
    progress.start(total, S::UNIT);
    while run.position()[0] < total {
        if !parallel::within_awake(|| run.advance(&mut metrics, progress, stop))? {
            progress.finish("");
            return Err(Error::Interrupted {
                resume: "nothing is kept: the same command starts anew".into(),
            });
        }
    }
    progress.finish("");
    let (model, _, summary) = run.end(&metrics)?;
    Ok((model, summary))
}

/// Trains to the end and writes model and summary.
fn finish<S: Trainable>(
    mut run: impl TrainingRun<S>,
    directory: &RunDirectory,
    (record, seed): (&Record, u64),
    mut metrics: Metrics,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(S::Model, S::Summary)> {
    let [done, total] = run.position();
    if done < total {
        directory.forget_divergence()?;
    }
    progress.start(total, S::UNIT);
    progress.skip(done);
    while run.position()[0] < total {
        // Within the pool, so that no kernel has to enter it.
        let mut advanced = parallel::within_awake(|| run.advance(&mut metrics, progress, stop));
        if let Err(error @ Error::Diverged { .. }) = &mut advanced {
            progress.finish("");
            directory.write_summary(&record.recorded(&run.diverged(&metrics, error), seed))?;
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
                resume: format!("`equilibria {} train --resume {path}` continues the run", S::KIND),
            });
        }
    }
    progress.finish("");
    let (model, archive, summary) = run.end(&metrics)?;
    directory.write_model(&archive)?;
    directory.write_summary(&record.recorded(&summary, seed))?;
    Ok((model, summary))
}

fn write_checkpoint<S: Trainable>(
    run: &mut impl TrainingRun<S>,
    directory: &RunDirectory,
    record: &Record,
) -> Result<()> {
    let mut archive = run.checkpoint()?;
    record.describe(&mut archive);
    directory.write_checkpoint(&archive)?;
    run.best()?.map_or(Ok(()), |best| directory.write_best(&best))
}
