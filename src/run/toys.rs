//! Games whose generators produce points in the plane, so that missing modes can be counted.
//!
//! The data are a ring of 8 Gaussians or a grid of 25 ([`Mixture`]), sampled anew at every step; the players are small
//! perceptrons. The measures are those of the literature: modes with at least one high-quality point among 2,500, and the
//! share of high-quality points ([`MixtureModes`]).

use super::restore::{self, restore_game};
use super::settings::{self, RunSettings, from_arguments};
use super::training::{Trainable, TrainingRun, train_or_resume};
use super::{Counter, Metrics, Progress, Row, RunDirectory};
use crate::adversarial::{
    Game, GeneratorLoss, METRICS, Networks, Objective, Reading, Recipe, Streams, fill_latents,
};
use crate::checkpoint::Archive;
use crate::data::{Dataset, Images, Labelled, Mixture};
use crate::evaluate::modes::{MixtureModes, mixture_entropy, mixture_modes};
use crate::evaluate::stability::{Judgement, judge};
use crate::nn::Scratch;
use crate::optim::Rule;
use crate::rng::Stream;
use crate::tensor::Tensor;
use crate::{Error, Result};
use clap::Args;
use rayon::ThreadPoolBuilder;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::{fs, io, thread};

/// Points of a snapshot, as in Srivastava et al. 2017.
pub const POINTS: usize = 2_500;
/// Snapshots of a game, the start not included.
pub const SNAPSHOTS: usize = 50;
/// Readings of a game that its verdict is based on.
const READINGS: usize = 200;
/// Checkpoints of a game.
const CHECKPOINTS: usize = 10;
/// Metadata of a checkpoint: the reason why the game diverged.
const DIVERGED: &str = "diverged";

/// A mixture of Gaussians to learn, with published results.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// `ring` or `grid`.
    pub name: &'static str,
    /// The distribution of the data.
    pub mixture: Mixture,
    /// Half the side of a square that holds all of it.
    pub extent: f64,
    /// Divisor of the points, so that the networks see numbers of about 1 in size.
    pub scale: f32,
    /// Published numbers of modes, as text.
    pub published: &'static str,
}

impl Task {
    /// The two mixtures of the literature.
    ///
    /// **Source** Srivastava et al. 2017 (VEEGAN) and Lin et al. 2018 (PacGAN), whose networks and budgets differ.
    pub fn all() -> [Self; 2] {
        [
            Self {
                name: "ring",
                mixture: Mixture::ring(),
                extent: 1.5,
                scale: 0.7,
                published: "standard GAN 1 to 6 of 8 modes",
            },
            Self {
                name: "grid",
                mixture: Mixture::grid(),
                extent: 5.0,
                scale: 2.8,
                published: "standard GAN 3 to 17 of 25 modes, PacGAN2 24",
            },
        ]
    }
}

/// A variant of the game.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variant {
    /// Its name in tables.
    pub name: &'static str,
    /// Objective and optimisers; the mini-batch is [`Settings::batch`].
    pub recipe: Recipe,
}

impl Variant {
    /// All variants: the standard game with either loss of the generator, and both critics.
    ///
    /// The learning rates are higher than for images, whose networks are wider. So is the bound of clipping: with 0.01 a
    /// critic of so few units hardly distinguishes one part of the plane from another.
    pub fn all() -> [Self; 4] {
        let variant = |name, objective, rule| Self {
            name,
            recipe: Recipe { generator: rule, discriminator: rule, ..Recipe::of(objective) },
        };
        let minimax = Objective::Standard { generator: GeneratorLoss::Minimax, label_smoothing: 0.0 };
        let clipping = Objective::Clipping { bound: 0.1, critic_steps: 5, head_start: false };
        let penalty = Objective::Penalty { weight: 1.0, critic_steps: 5 };
        [
            variant("standard", Objective::standard(), Rule::adam(1e-3, [0.5, 0.999])),
            variant("minimax", minimax, Rule::adam(1e-3, [0.5, 0.999])),
            variant("clipping", clipping, Rule::rms_prop(1e-3)),
            variant("penalty", penalty, Rule::adam(1e-3, [0.5, 0.9])),
        ]
    }
}

/// The options of all games in the plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Args)]
pub struct Settings {
    /// Steps of the generator, in the plane.
    #[arg(long, default_value = "10000")]
    pub steps: usize,
    /// Points in a mini-batch.
    #[arg(long, default_value = "128")]
    pub batch: usize,
    /// Number of hidden layers of each network.
    #[arg(long, default_value = "3")]
    pub depth: usize,
    /// Units in each hidden layer.
    #[arg(long, default_value = "128")]
    pub width: usize,
    /// Size of the latent vectors.
    #[arg(long, default_value = "2")]
    pub latent: usize,
}

impl Default for Settings {
    fn default() -> Self {
        from_arguments(&[])
    }
}

impl Settings {
    /// Checks each setting against its range.
    ///
    /// **Errors** [`Error::InvalidArgument`] with the name of the option.
    pub fn check(&self) -> Result<()> {
        settings::whole(&[
            ("--steps", self.steps, SNAPSHOTS..=100_000_000, "steps (a game has 50 snapshots)"),
            ("--batch", self.batch, 1..=1 << 16, "points in a mini-batch"),
            ("--depth", self.depth, 1..=32, "hidden layers"),
            ("--width", self.width, 1..=1 << 12, "units in a hidden layer"),
            ("--latent", self.latent, 1..=1 << 12, "numbers in a latent vector"),
        ])
    }
}

/// The settings of one game.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
pub struct GameSettings {
    /// Name of the [`Task`].
    #[arg(skip)]
    pub data: String,
    /// Name of the [`Variant`].
    #[arg(skip)]
    pub variant: String,
    /// Seed of all random numbers.
    #[arg(skip)]
    pub seed: u64,
    /// The options of all games.
    #[command(flatten)]
    #[serde(flatten)]
    pub options: Settings,
}

impl GameSettings {
    fn task(&self) -> Result<Task> {
        let found = Task::all().into_iter().find(|task| task.name == self.data);
        found.ok_or_else(|| Error::invalid(&self.data, "the mixtures are `ring` and `grid`"))
    }

    fn variant(&self) -> Result<Variant> {
        let found = Variant::all().into_iter().find(|variant| variant.name == self.variant);
        found.ok_or_else(|| Error::invalid(&self.variant, "there is no such variant of the game"))
    }
}

impl RunSettings for GameSettings {
    const LENGTH: &'static str = "steps";

    fn data_mut(&mut self) -> &mut String {
        &mut self.data
    }

    fn length_mut(&mut self) -> &mut usize {
        &mut self.options.steps
    }

    fn batch_mut(&mut self) -> &mut usize {
        &mut self.options.batch
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    /// No images: the points are drawn at every step.
    fn load(&self) -> Result<Dataset> {
        let none = Labelled::new(Images::new(1, 1, Vec::new())?, Vec::new())?;
        Ok(Dataset { name: self.data.clone(), train: none.clone(), test: none })
    }

    fn check(&self) -> Result<()> {
        self.task()?;
        self.variant()?;
        settings::seed(self.seed)?;
        self.options.check()
    }

    fn check_data(&self, _: &Dataset) -> Result<()> {
        Ok(())
    }
}

/// The modes of a generator after some steps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Snapshot {
    /// Steps of the generator so far.
    pub step: usize,
    /// The modes that its points show.
    #[serde(flatten)]
    pub modes: MixtureModes,
}

/// The result of one game.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlayedGame {
    /// The [`Variant`].
    #[serde(rename = "way")]
    pub variant: &'static str,
    /// Seed of all its random numbers.
    pub seed: u64,
    /// The verdict on its convergence.
    pub stability: Judgement,
    /// The start, and [`SNAPSHOTS`] more, or as many as there were before the game diverged.
    #[serde(rename = "looks")]
    pub snapshots: Vec<Snapshot>,
    /// The [`POINTS`] points of each snapshot, (points, 2).
    #[serde(skip)]
    pub points: Vec<Tensor<f32>>,
}

impl PlayedGame {
    /// The last snapshot.
    pub fn end(&self) -> &Snapshot {
        self.snapshots.last().expect("the start has a snapshot")
    }
}

/// Plays every variant with every seed, as many games at a time as there are threads. The result has all seeds of the first
/// variant, then of the next. Each game is a run in a folder of its own in `folder`: after an interruption, the same call
/// continues it.
///
/// **Errors** [`Error::InvalidArgument`] for settings out of range; [`Error::Interrupted`] soon after `stop` returns true;
/// [`Error::Io`]. A game that diverges is no error: its verdict says so.
///
/// **Randomness** As a run of each seed; mini-batches from the substreams of `shuffle`, the latents of the snapshots from the
/// last substream of `latent`.
///
/// **Accuracy and cost** The same numbers for any number of threads.
pub fn play(
    task: &Task,
    variants: &[Variant],
    seeds: &[u64],
    options: &Settings,
    folder: &Path,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<PlayedGame>> {
    options.check()?;
    let game = |variant: &Variant, seed| GameSettings {
        data: task.name.into(),
        variant: variant.name.into(),
        seed,
        options: *options,
    };
    let games: Vec<GameSettings> =
        variants.iter().flat_map(|variant| seeds.iter().map(move |&seed| game(variant, seed))).collect();
    progress.start((games.len() * options.steps) as u64, "steps");
    let (next, (sender, steps)) = (AtomicUsize::new(0), mpsc::channel());
    let refused = |reason| Error::io("starting", "a thread", reason);
    let worker = |sender| {
        // The networks are too small to be split over threads.
        let pool = ThreadPoolBuilder::new().num_threads(1).build();
        let pool = pool.map_err(|error| refused(io::Error::other(error)))?;
        let (mut progress, mut played) = (Progress::counted_by(sender), Vec::new());
        while let Some((index, game)) = games.iter().enumerate().nth(next.fetch_add(1, Ordering::Relaxed)) {
            let run = run_of(folder, &game.data, &game.variant, game.seed);
            let (result, _) =
                pool.install(|| train_or_resume(&run, true, game, &game.load()?, &mut progress, stop))?;
            played.push((index, result));
        }
        Ok(played)
    };
    let played = thread::scope(|scope| {
        let workers = rayon::current_num_threads().min(games.len());
        let workers: Vec<_> = (0..workers)
            .map(|_| {
                let (sender, worker) = (sender.clone(), &worker);
                thread::Builder::new().spawn_scoped(scope, move || worker(sender))
            })
            .collect();
        drop(sender);
        steps.iter().for_each(|steps| progress.advance(steps));
        let results =
            workers.into_iter().map(|worker| worker.map_err(refused)?.join().expect("no worker panics"));
        results.collect::<Result<Vec<_>>>()
    });
    progress.finish("");
    let mut played = match played {
        Err(Error::Interrupted { .. }) => {
            let resume = "the same command continues the games".into();
            return Err(Error::Interrupted { resume });
        }
        played => played?.concat(),
    };
    played.sort_by_key(|(index, _)| *index);
    Ok(played.into_iter().map(|(_, game)| game).collect())
}

/// The folder of a game.
fn run_of(folder: &Path, task: &str, variant: &str, seed: u64) -> PathBuf {
    folder.join(format!("{task}-{variant}-{seed}"))
}

/// Removes the runs of these games in `folder`, and `folder` if it holds nothing else.
///
/// **Errors** as [`RunDirectory::remove`].
pub fn remove_runs(folder: &Path, task: &str, games: &[PlayedGame]) -> Result<()> {
    for game in games {
        RunDirectory::remove(&run_of(folder, task, game.variant, game.seed))?;
    }
    // Other runs of the user keep it.
    let _ = fs::remove_dir(folder);
    Ok(())
}

impl Trainable for GameSettings {
    const KIND: &'static str = "gan toys";
    const FORMAT: &'static str = "1";
    const UNIT: &'static str = "steps";
    const USES_LABELS: bool = false;
    type Model = PlayedGame;
    type Summary = PlayedGame;

    fn begin<'a>(&self, _: &'a Dataset) -> Result<impl TrainingRun<Self> + use<'a>> {
        Run::new(self.clone(), self.variant()?)
    }
}

/// A game between two steps.
struct Run {
    settings: GameSettings,
    variant: Variant,
    game: Game<f32>,
    streams: Streams,
    shuffle: Stream,
    observer: Observer,
    /// The verdict on a game that ended early.
    diverged: Option<String>,
}

impl Run {
    fn new(settings: GameSettings, variant: Variant) -> Result<Self> {
        let Settings { batch, depth, width, latent, .. } = settings.options;
        let seed = settings.seed;
        let networks = Networks::plane(latent, &vec![width; depth]);
        let [generator, discriminator] = networks.start(Stream::named(seed, "init"))?;
        let game = Game::new(generator, discriminator, Recipe { batch, ..variant.recipe })?;
        let mut observer = Observer::new(settings.task()?, seed, latent);
        observer.observe(&game)?;
        let (streams, shuffle) = (Streams::of(seed), Stream::named(seed, "shuffle"));
        Ok(Self { settings, variant, game, streams, shuffle, observer, diverged: None })
    }

    /// Takes a step, and a snapshot where one is due. Returns the reading where one is due.
    fn step(&mut self) -> Result<Option<Reading>> {
        let (steps, step) = (self.settings.options.steps, self.game.steps() as usize + 1);
        let (shuffle, Task { mixture, scale, .. }) = (self.shuffle, &self.observer.task);
        let fill = |index, points: &mut [f32]| {
            mixture.fill(shuffle.substream(index), points);
            points.iter_mut().for_each(|x| *x /= scale);
            Ok(())
        };
        let reading = self.game.step(fill, &self.streams, is_due(step, steps, READINGS))?;
        let shares = is_due(step, steps, SNAPSHOTS).then(|| self.observer.observe(&self.game)).transpose()?;
        let [spread, class_entropy] = [0, 1].map(|i: usize| shares.map(|shares| shares[i]));
        Ok(reading.map(|reading| Reading { spread, class_entropy, ..reading }))
    }

    fn played(self, metrics: &Metrics) -> PlayedGame {
        let stability = match &self.diverged {
            Some(reason) => Judgement::diverged(reason.as_str()),
            None => judge(&metrics.rows().iter().map(reading).collect::<Vec<_>>()),
        };
        let Observer { snapshots, points, .. } = self.observer;
        PlayedGame { variant: self.variant.name, seed: self.settings.seed, stability, snapshots, points }
    }
}

/// The reading of a row, which begins with the number of steps.
fn reading(row: &Row) -> Reading {
    Reading::from_row(row.values[0] as u64, &row.values[1..])
}

impl TrainingRun<GameSettings> for Run {
    /// The readings are numbered, because their distances differ by a step if the steps are no multiple of them.
    fn columns(&self) -> (Counter, Vec<String>) {
        let has_critic = self.variant.recipe.objective.has_critic();
        let columns = METRICS.iter().map(|metric| metric.column(has_critic));
        (Counter { name: "reading", stride: 1 }, ["step".to_string()].into_iter().chain(columns).collect())
    }

    fn rows(&self) -> usize {
        due(self.game.steps() as usize, self.settings.options.steps, READINGS)
    }

    fn position(&self) -> [u64; 2] {
        let steps = self.settings.options.steps as u64;
        [if self.diverged.is_some() { steps } else { self.game.steps() }, steps]
    }

    /// Without the parameters of a game that diverged, which are no numbers any more.
    fn checkpoint(&mut self) -> Result<Archive> {
        let mut archive = Archive::new();
        archive.set_metadata("model", GameSettings::KIND);
        archive.set_metadata("steps", &self.game.steps().to_string());
        archive.set_metadata("discriminator_steps", &self.game.discriminator_steps().to_string());
        match &self.diverged {
            Some(reason) => archive.set_metadata(DIVERGED, reason),
            None => self
                .game
                .state()
                .try_for_each(|(name, tensor)| archive.insert_f32(&name, tensor.shape(), tensor.data()))?,
        }
        let points: Vec<f32> =
            self.observer.points.iter().flat_map(|points| points.data()).copied().collect();
        archive.insert_f32("points", &[self.observer.points.len(), POINTS, 2], &points)?;
        Ok(archive)
    }

    fn restore(&mut self, archive: &Archive) -> Result<()> {
        let all = self.settings.options.steps;
        let steps = restore::number(archive, "steps", all as u64)?;
        self.diverged = archive.metadata(DIVERGED).map(String::from);
        match self.diverged {
            Some(_) => _ = self.game.state_mut(steps, 0),
            None => restore_game(&mut self.game, archive, steps)?,
        }
        let taken: Vec<usize> = (1..=steps as usize).filter(|&step| is_due(step, all, SNAPSHOTS)).collect();
        let points = archive.tensor_f32("points", &[1 + taken.len(), POINTS, 2])?;
        self.observer.restore(&taken, points)
    }

    fn advance(
        &mut self,
        metrics: &mut Metrics,
        progress: &mut Progress,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<bool> {
        loop {
            if stop() {
                return Ok(false);
            }
            let step = self.game.steps() as usize + 1;
            match self.step() {
                Err(Error::Diverged { symptom, .. }) => {
                    self.diverged = Some(format!("{symptom} after step {step}"));
                    return Ok(true);
                }
                Err(error) => return Err(error),
                Ok(None) => {}
                Ok(Some(reading)) => {
                    let row = [&[step as f64][..], &reading.to_row()].concat();
                    metrics.append(metrics.rows().len() + 1, &row)?;
                }
            }
            progress.advance(1);
            if is_due(step, self.settings.options.steps, CHECKPOINTS) {
                return Ok(true);
            }
        }
    }

    fn diverged(&self, _: &Metrics, _: &Error) -> PlayedGame {
        unreachable!("a divergence ends the game without an error")
    }

    fn end(self, metrics: &Metrics) -> Result<(PlayedGame, Archive, PlayedGame)> {
        let mut archive = Archive::new();
        archive.set_metadata("model", GameSettings::KIND);
        for (name, tensor) in self.game.generator().state().filter(|_| self.diverged.is_none()) {
            archive.insert_f32(&name, tensor.shape(), tensor.data())?;
        }
        let played = self.played(metrics);
        Ok((played.clone(), archive, played))
    }
}

/// Returns true for `times` of the steps from 1 to `steps`, at equal distances and at the end; for all, if there are fewer.
fn is_due(step: usize, steps: usize, times: usize) -> bool {
    due(step, steps, times) != due(step - 1, steps, times)
}

/// The number of steps up to `step` for which [`is_due`] is true.
fn due(step: usize, steps: usize, times: usize) -> usize {
    step * times.min(steps) / steps
}

/// Samples of the same latents over a game.
struct Observer {
    task: Task,
    latents: Vec<f32>,
    scratch: Scratch<f32>,
    snapshots: Vec<Snapshot>,
    points: Vec<Tensor<f32>>,
}

impl Observer {
    fn new(task: Task, seed: u64, latent: usize) -> Self {
        let mut latents = vec![0.0; POINTS * latent];
        fill_latents(Stream::named(seed, "latent").substream(u64::MAX), latent, &mut latents);
        Self { task, latents, scratch: Scratch::new(), snapshots: Vec::new(), points: Vec::new() }
    }

    /// Takes a snapshot. Returns the spread of its points and the entropy of their modes, as shares of the mixture's.
    fn observe(&mut self, game: &Game<f32>) -> Result<[f64; 2]> {
        let mixture = &self.task.mixture;
        let modes = mixture.centres().len() as f64;
        let mut points = Tensor::zeros(&[POINTS, 2]);
        game.generator().infer(&self.latents, &mut self.scratch, points.data_mut())?;
        points.data_mut().iter_mut().for_each(|x| *x *= self.task.scale);
        let own = mixture.centres().iter().flatten().map(|x| x * x).sum::<f64>() / modes;
        let shares = [spread(&points) / own.sqrt(), mixture_entropy(&points, mixture)? / modes.ln()];
        self.keep(game.steps() as usize, points)?;
        Ok(shares)
    }

    fn keep(&mut self, step: usize, points: Tensor<f32>) -> Result<()> {
        let modes = mixture_modes(&points, &self.task.mixture)?;
        self.snapshots.push(Snapshot { step, modes });
        self.points.push(points);
        Ok(())
    }

    /// Adds the snapshots after these numbers of steps to the one at the start, with which `points` begins.
    fn restore(&mut self, taken: &[usize], points: &[f32]) -> Result<()> {
        let snapshots = points.chunks_exact(POINTS * 2).skip(1);
        taken.iter().zip(snapshots).try_for_each(|(&step, points)| {
            let mut kept = Tensor::zeros(&[POINTS, 2]);
            kept.data_mut().copy_from_slice(points);
            self.keep(step, kept)
        })
    }
}

/// Root mean square distance of the points from their mean.
fn spread(points: &Tensor<f32>) -> f64 {
    let count = points.rows() as f64;
    let variance = |axis: usize| {
        let values = || points.data().chunks_exact(2).map(|point| f64::from(point[axis]));
        let mean = values().sum::<f64>() / count;
        values().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count
    };
    (variance(0) + variance(1)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::stability::Verdict;
    use crate::run::ProgressKind;

    fn quiet() -> Progress {
        Progress::new(ProgressKind::Quiet)
    }

    fn settings(task: &Task, variant: &str, options: Settings) -> GameSettings {
        GameSettings { data: task.name.into(), variant: variant.into(), seed: 1, options }
    }

    #[test]
    fn generated_points_learn_the_spread_of_the_mixture() {
        let settings = Settings { steps: 400, batch: 64, depth: 2, width: 32, latent: 2 };
        for task in Task::all() {
            let folder = tempfile::tempdir().unwrap();
            let variants = &Variant::all()[3..];
            let games =
                play(&task, variants, &[1], &settings, folder.path(), &mut quiet(), &|| false).unwrap();
            let mut data = Tensor::zeros(&[POINTS, 2]);
            task.mixture.fill(Stream::named(1, "evaluate"), data.data_mut());
            let share = spread(games[0].points.last().unwrap()) / spread(&data);
            assert!((0.6..1.4).contains(&share), "{}: {share}", task.name);
            assert!(spread(&games[0].points[0]) < 0.5 * spread(&data), "at the start");
            assert_eq!(games[0].end().step, 400);
        }
    }

    #[test]
    fn variants_have_the_objective_of_their_name() {
        let variants = Variant::all();
        let objectives = variants.map(|variant| match variant.recipe.objective {
            Objective::Standard { generator: GeneratorLoss::NonSaturating, .. } => "standard",
            Objective::Standard { generator: GeneratorLoss::Minimax, .. } => "minimax",
            other => other.name(),
        });
        assert_eq!(objectives, variants.map(|variant| variant.name));
        assert_eq!(objectives, ["standard", "minimax", "clipping", "penalty"]);
        assert!(variants.iter().all(|variant| variant.recipe.validate().is_ok()));
    }

    #[test]
    fn a_game_that_diverges_gets_that_verdict_and_keeps_its_snapshots() {
        let recipe = Recipe { generator: Rule::rms_prop(1e38), ..Recipe::of(Objective::standard()) };
        let options = Settings { steps: 100, batch: 8, depth: 1, width: 4, latent: 2 };
        let settings = settings(&Task::all()[0], "standard", options);
        let begin = || Run::new(settings.clone(), Variant { name: "wild", recipe }).unwrap();
        let mut run = begin();
        let mut metrics = Metrics::in_memory(run.columns().0, &run.columns().1);
        while run.position()[0] < 100 {
            assert!(run.advance(&mut metrics, &mut quiet(), &|| false).unwrap());
        }
        let checkpoint = run.checkpoint().unwrap();
        let played = run.played(&metrics);
        assert_eq!(played.stability.verdict, Verdict::Diverged, "{:?}", played.stability);
        assert!(played.snapshots.len() < SNAPSHOTS && played.points.len() == played.snapshots.len());
        // The checkpoint of its end says so too.
        let mut resumed = begin();
        resumed.restore(&checkpoint).unwrap();
        assert_eq!(resumed.position(), [100, 100]);
        assert_eq!(resumed.played(&metrics), played);
    }

    #[test]
    fn games_that_were_stopped_anywhere_end_with_the_same_numbers() {
        let options = Settings { steps: 57, batch: 8, depth: 1, width: 8, latent: 2 };
        let folder = tempfile::tempdir().unwrap();
        let go = |name: &str, stop: &(dyn Fn() -> bool + Sync)| {
            let folder = folder.path().join(name);
            play(&Task::all()[0], &Variant::all()[2..], &[1, 2], &options, &folder, &mut quiet(), stop)
        };
        let whole = go("whole", &|| false).unwrap();
        let names: Vec<_> = whole.iter().map(|game| (game.variant, game.seed)).collect();
        assert_eq!(names, [("clipping", 1), ("clipping", 2), ("penalty", 1), ("penalty", 2)]);
        for _ in 0..3 {
            let checks = AtomicUsize::new(0);
            let stopped = go("parts", &|| checks.fetch_add(1, Ordering::Relaxed) >= 40);
            assert!(matches!(stopped, Err(Error::Interrupted { .. })), "{stopped:?}");
        }
        assert_eq!(go("parts", &|| false).unwrap(), whole);
    }

    #[test]
    fn readings_and_snapshots_are_spread_over_a_game_and_end_with_it() {
        for (steps, times) in [(50, READINGS), (57, SNAPSHOTS), (200, READINGS), (1_234, READINGS)] {
            let due: Vec<bool> = (1..=steps).map(|step| is_due(step, steps, times)).collect();
            assert_eq!(due.iter().filter(|&&is_due| is_due).count(), times.min(steps), "{steps}");
            assert!(due[steps - 1], "{steps}");
        }
    }
}
