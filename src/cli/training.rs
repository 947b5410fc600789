//! `equilibria ... train`: what the commands of all kinds of models share.

use super::output::{OutputArguments, counted, note, pasted, print};
use crate::nn::Shape;
use crate::run::interrupt::{self, Work};
use crate::run::{RunDirectory, RunSettings, Trainable, resume_with, train};
use crate::{Error, Result};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use std::path::PathBuf;

/// The end of the text about a finished run: its epochs, the model, and a command to use it.
pub(super) fn finished(
    seconds_per_epoch: &[f64],
    images: usize,
    directory: &RunDirectory,
    next: &str,
) -> String {
    let mut seconds = seconds_per_epoch.to_vec();
    seconds.sort_by(f64::total_cmp);
    let path = directory.path();
    format!(
        "{} of {}, {:.3} s each (median)\nwrote {}; {next} {}\n",
        counted(seconds.len(), "epoch"),
        counted(images, "image"),
        seconds.get(seconds.len() / 2).copied().unwrap_or_default(),
        path.join("model.safetensors").display(),
        pasted(path),
    )
}

/// Reduces the default mini-batch to the number of images, and says so.
fn fit_batch(settings: &mut impl RunSettings, images: usize) {
    let batch = settings.batch_mut();
    if *batch > images {
        note(&format!(
            "--batch {batch} is more than there are training images: mini-batches have all {images}"
        ));
        *batch = images;
    }
}

/// Gives a run a greater length.
fn lengthen<S: Trainable>(settings: &mut S, length: usize) -> Result<()> {
    let before = settings.length_mut();
    if length < *before {
        let expected = format!("the run has a length of {before} already, which can only grow");
        return Err(Error::invalid(format!("--{} {length}", S::LENGTH), expected));
    }
    if length > *before {
        *before = length;
        for option in settings.depends_on_length() {
            note(&format!(
                "{option} changes until the last epoch: its values after this differ from those of a run that had this length \
                 from the start"
            ));
        }
    }
    Ok(())
}

#[derive(Debug, Args)]
struct RunArguments {
    /// The run directory to create.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Continue this run with its own settings. It can get a greater length, and --data says where its images are now.
    #[arg(long, value_name = "RUN")]
    resume: Option<PathBuf>,
    /// Replace an existing run.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    output: OutputArguments,
}

/// The arguments of a command that trains into a run directory: the settings of one kind of run, and [`RunArguments`].
#[derive(Debug)]
pub(super) struct TrainArguments<S> {
    settings: S,
    /// Options that the user gave.
    given: Vec<String>,
    run: RunArguments,
}

impl<S: Trainable> Args for TrainArguments<S> {
    /// Adds the options. All that are there before `--resume` conflict with it, except the data and the length.
    fn augment_args(command: Command) -> Command {
        let command = S::augment_args(command);
        let all = command.get_arguments().map(|option| option.get_id().clone());
        let others: Vec<_> = all.filter(|id| id != "data" && id != S::LENGTH).collect();
        let out = format!("The run directory to create [default: runs/{}]", S::KIND);
        RunArguments::augment_args(command)
            .mut_arg("out", |option| option.help(out))
            .mut_arg("resume", |option| {
                option.conflicts_with_all(others).conflicts_with_all(["out", "force"])
            })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<S: Trainable> FromArgMatches for TrainArguments<S> {
    fn from_arg_matches(matches: &ArgMatches) -> clap::error::Result<Self> {
        let is_given = |id: &&clap::Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
        Ok(Self {
            settings: S::from_arg_matches(matches)?,
            given: matches.ids().filter(is_given).map(ToString::to_string).collect(),
            run: RunArguments::from_arg_matches(matches)?,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> clap::error::Result<()> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<S: Trainable> TrainArguments<S> {
    /// Trains or resumes. `adapt` changes the settings of a new run to images of a shape: of 28x28 grey pixels before the data
    /// are loaded, then of theirs.
    ///
    /// All checks come before the first change to the disk.
    pub fn train(&self, adapt: impl Fn(&mut S, Shape) -> Result<()>) -> Result<(RunDirectory, S::Summary)> {
        let RunArguments { out, resume: earlier, force, output } = &self.run;
        let mut progress = output.start()?;
        let directory = earlier.as_ref().map(|path| RunDirectory::open(path)).transpose()?;
        let is_given = |option: &str| self.given.iter().any(|given| given == option);
        let mut settings = match &directory {
            Some(directory) => {
                directory.check_kind(S::KIND)?;
                let mut settings: S = directory.read_config()?;
                let mut given = self.settings.clone();
                if is_given("data") {
                    settings.data_mut().clone_from(given.data_mut());
                }
                if is_given(S::LENGTH) {
                    lengthen(&mut settings, *given.length_mut())?;
                }
                settings
            }
            None => {
                let mut settings = self.settings.clone().complete(&is_given)?;
                adapt(&mut settings, Shape { height: 28, width: 28, channels: 1 })?;
                settings
            }
        };
        settings.check()?;
        let digits = settings.load()?;
        interrupt::install(Work::Training)?;
        if let Some(directory) = directory {
            let (_, summary) =
                resume_with(&directory, &settings, &digits, &mut progress, &interrupt::requested)?;
            return Ok((directory, summary));
        }
        let images = digits.train.images();
        adapt(
            &mut settings,
            Shape { height: images.height(), width: images.width(), channels: images.channels() },
        )?;
        if !is_given("batch") {
            fit_batch(&mut settings, digits.train.len());
        }
        settings.check_data(&digits)?;
        let path = out.clone().unwrap_or_else(|| PathBuf::from("runs").join(S::KIND));
        let directory = RunDirectory::create(&path, *force)?;
        let (_, summary) = train(&directory, &settings, &digits, &mut progress, &interrupt::requested)?;
        Ok((directory, summary))
    }

    /// Prints the run's summary.json, or `text`.
    pub fn print(&self, directory: &RunDirectory, text: impl FnOnce() -> String) -> Result<()> {
        match &self.run.output {
            output if output.json => print(&directory.read_summary()?),
            output if output.quiet => Ok(()),
            _ => print(&text()),
        }
    }
}
