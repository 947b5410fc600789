//! Games whose generators produce points in the plane, so that missing modes can be counted.
//!
//! The data are a ring of 8 Gaussians or a grid of 25 ([`Mixture`]), sampled anew at every step; the players are small
//! perceptrons. The measures are those of the literature: modes with at least one high-quality point among 2,500, and the
//! share of high-quality points ([`MixtureModes`]).

use super::settings::{self, from_arguments};
use super::{Progress, interrupt};
use crate::adversarial::{Game, GeneratorLoss, Networks, Objective, Recipe, Streams, fill_latents};
use crate::data::Mixture;
use crate::evaluate::modes::{MixtureModes, mixture_entropy, mixture_modes};
use crate::evaluate::stability::{Judgement, judge};
use crate::nn::Scratch;
use crate::optim::Rule;
use crate::rng::Stream;
use crate::tensor::Tensor;
use crate::{Error, Result};
use clap::Args;
use rayon::prelude::*;
use serde::Serialize;
use std::sync::{Mutex, PoisonError};

/// Points of a snapshot, as in Srivastava et al. 2017.
pub const POINTS: usize = 2_500;
/// Snapshots of a game, the start not included.
pub const SNAPSHOTS: usize = 50;
/// Steps between two checks of `stop`.
const STEPS_PER_CHECK: usize = 100;
/// Readings of a game that its verdict is based on.
const READINGS: usize = 200;

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

/// The options of a game in the plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Args)]
pub struct Settings {
    /// Steps of the generator, in the plane.
    #[arg(long, default_value_t = 10_000)]
    pub steps: usize,
    /// Points in a mini-batch.
    #[arg(long, default_value_t = 128)]
    pub batch: usize,
    /// Number of hidden layers of each network.
    #[arg(long, default_value_t = 3)]
    pub depth: usize,
    /// Units in each hidden layer.
    #[arg(long, default_value_t = 128)]
    pub width: usize,
    /// Size of the latent vectors.
    #[arg(long, default_value_t = 2)]
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
/// variant, then of the next.
///
/// **Errors** [`Error::InvalidArgument`] for settings out of range;
/// [`Error::Interrupted`] soon after `stop` returns true. A game that diverges is no error: its
/// verdict says so.
///
/// **Randomness** As a run of each seed; mini-batches from the substreams of `shuffle`, the latents of the snapshots from the
/// last substream of `latent`.
///
/// **Accuracy and cost** The same numbers for any number of threads.
pub fn play(
    task: &Task,
    variants: &[Variant],
    seeds: &[u64],
    settings: &Settings,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<PlayedGame>> {
    settings.check()?;
    let games: Vec<(Variant, u64)> =
        variants.iter().flat_map(|variant| seeds.iter().map(move |&seed| (*variant, seed))).collect();
    progress.start((games.len() * settings.steps) as u64, "steps");
    let shared = Mutex::new(progress);
    let advance = |steps: u64| {
        shared.lock().unwrap_or_else(PoisonError::into_inner).advance(steps);
        interrupt::check(stop)
    };
    let played =
        games.par_iter().map(|&(variant, seed)| play_one(task, variant, seed, settings, &advance)).collect();
    shared.into_inner().unwrap_or_else(PoisonError::into_inner).finish("");
    played
}

/// Plays one game. `advance` gets the number of steps since its last call.
fn play_one(
    task: &Task,
    variant: Variant,
    seed: u64,
    settings: &Settings,
    advance: &(dyn Fn(u64) -> Result<()> + Sync),
) -> Result<PlayedGame> {
    let Settings { steps, batch, depth, width, latent } = *settings;
    let networks = Networks::plane(latent, &vec![width; depth]);
    let [generator, discriminator] = networks.start(Stream::named(seed, "init"))?;
    let mut game = Game::new(generator, discriminator, Recipe { batch, ..variant.recipe })?;

    let streams = Streams::of(seed);
    let shuffle = Stream::named(seed, "shuffle");
    let mut observer = Observer::new(task, seed, latent);
    observer.observe(&game)?;
    let mut readings = Vec::with_capacity(READINGS);
    let (mut diverged, mut reported) = (None, 0);
    for step in 1..=steps {
        let fill = |index, points: &mut [f32]| {
            task.mixture.fill(shuffle.substream(index), points);
            points.iter_mut().for_each(|x| *x /= task.scale);
            Ok(())
        };
        match game.step(fill, &streams, is_due(step, steps, READINGS)) {
            Err(Error::Diverged { symptom, .. }) => {
                diverged = Some(Judgement::diverged(format!("{symptom} after step {step}")));
                break;
            }
            reading => readings.extend(reading?),
        }
        let is_observed = is_due(step, steps, SNAPSHOTS);
        if is_observed {
            let [spread, entropy] = observer.observe(&game)?;
            if let Some(reading) = readings.last_mut().filter(|reading| reading.step == step as u64) {
                (reading.spread, reading.class_entropy) = (Some(spread), Some(entropy));
            }
        }
        if is_observed || step.is_multiple_of(STEPS_PER_CHECK) {
            advance((step - reported) as u64)?;
            reported = step;
        }
    }
    Ok(PlayedGame {
        variant: variant.name,
        seed,
        stability: diverged.unwrap_or_else(|| judge(&readings)),
        snapshots: observer.snapshots,
        points: observer.points,
    })
}

/// Returns true for `times` of the steps from 1 to `steps`, at equal distances and at the end; for all, if there are fewer.
fn is_due(step: usize, steps: usize, times: usize) -> bool {
    let times = times.min(steps);
    step * times / steps != (step - 1) * times / steps
}

/// Samples of the same latents over a game.
struct Observer<'a> {
    task: &'a Task,
    latents: Vec<f32>,
    scratch: Scratch<f32>,
    snapshots: Vec<Snapshot>,
    points: Vec<Tensor<f32>>,
}

impl<'a> Observer<'a> {
    fn new(task: &'a Task, seed: u64, latent: usize) -> Self {
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
        let modes = mixture_modes(&points, mixture)?;
        self.snapshots.push(Snapshot { step: game.steps() as usize, modes });
        self.points.push(points);
        Ok(shares)
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

    fn games(task: &Task, variants: &[Variant], settings: &Settings) -> Vec<PlayedGame> {
        play(task, variants, &[1], settings, &mut Progress::new(ProgressKind::Quiet), &|| false).unwrap()
    }

    #[test]
    fn generated_points_learn_the_spread_of_the_mixture() {
        let settings = Settings { steps: 400, batch: 64, depth: 2, width: 32, latent: 2 };
        for task in Task::all() {
            let games = games(&task, &Variant::all()[3..], &settings);
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
        let settings = Settings { steps: 100, batch: 8, depth: 1, width: 4, latent: 2 };
        let games = games(&Task::all()[0], &[Variant { name: "wild", recipe }], &settings);
        assert_eq!(games[0].stability.verdict, Verdict::Diverged, "{:?}", games[0].stability);
        assert!(games[0].snapshots.len() < SNAPSHOTS && games[0].points.len() == games[0].snapshots.len());
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
