//! Games for points of the plane, where every mode that a generator misses can be counted.
//!
//! The data are a ring of 8 Gaussians or a grid of 25 ([`Mixture`]), fresh at every step; the players are small
//! perceptrons. What is counted is what the literature counts: modes with a point of high quality among 2,500, and the
//! share of points of high quality ([`MixtureModes`]).

use super::Progress;
use super::rbm::go_on;
use crate::adversarial::{Game, GeneratorLoss, Networks, Objective, Recipe, Streams, fill_latents};
use crate::data::Mixture;
use crate::evaluate::modes::{MixtureModes, mixture_entropy, mixture_modes};
use crate::evaluate::stability::{Judgement, judge};
use crate::nn::Scratch;
use crate::optim::Rule;
use crate::rng::Stream;
use crate::tensor::Tensor;
use crate::{Error, Result};
use rayon::prelude::*;
use serde::Serialize;
use std::sync::{Mutex, PoisonError};

/// Points that modes are counted among, as in Srivastava et al. 2017.
pub const POINTS: usize = 2_500;
/// Looks at the points over a game, the start not included.
pub const LOOKS: usize = 50;
/// Steps between two questions whether to stop.
const ASKED_EVERY: usize = 100;
/// Steps of a game that its verdict rests on.
const READINGS: usize = 200;

/// A mixture, and what was published of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// `ring` or `grid`.
    pub name: &'static str,
    /// What is to be learned.
    pub mixture: Mixture,
    /// Half the side of a square that holds all of it.
    pub extent: f64,
    /// The networks see points divided by this, so that they are about 1 in size.
    pub scale: f32,
    /// Modes that others found, in words.
    pub published: &'static str,
}

impl Task {
    /// The two that the literature has.
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

/// A way to play.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Way {
    /// What tables call it.
    pub name: &'static str,
    /// Objective and steps; the mini-batch is [`How::batch`].
    pub recipe: Recipe,
}

impl Way {
    /// All: the standard game with either loss, and both critics.
    ///
    /// Rates are higher than for images, whose networks are wider, and the bound of clipping is: with 0.01 a critic of so
    /// few units hardly tells one place of the plane from another.
    pub fn all() -> [Self; 4] {
        let way = |name, objective, rule| Self {
            name,
            recipe: Recipe { generator: rule, discriminator: rule, ..Recipe::of(objective) },
        };
        let minimax = Objective::Standard { generator: GeneratorLoss::Minimax, label_smoothing: 0.0 };
        [
            way("standard", Objective::standard(), Rule::adam(1e-3, [0.5, 0.999])),
            way("minimax", minimax, Rule::adam(1e-3, [0.5, 0.999])),
            way(
                "clipping",
                Objective::Clipping { bound: 0.1, critic_steps: 5, head_start: false },
                Rule::rms_prop(1e-3),
            ),
            way("penalty", Objective::Penalty { weight: 1.0, critic_steps: 5 }, Rule::adam(1e-3, [0.5, 0.9])),
        ]
    }
}

/// How long, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct How {
    /// Steps of the generator.
    pub steps: usize,
    /// Points in a mini-batch.
    pub batch: usize,
    /// Hidden layers of either network.
    pub depth: usize,
    /// Units in each of them.
    pub width: usize,
    /// Numbers that a point is made from.
    pub latent: usize,
}

impl Default for How {
    fn default() -> Self {
        Self { steps: 10_000, batch: 128, depth: 3, width: 128, latent: 2 }
    }
}

impl How {
    /// **Errors** [`Error::InvalidArgument`], in the words of the command line.
    pub fn check(&self) -> Result<()> {
        let within = |name: &str, found: usize, least: usize, most: usize, what: &str| {
            if (least..=most).contains(&found) {
                return Ok(());
            }
            let expected = format!("{least} to {most} {what}");
            Err(Error::invalid(format!("{name} {found}"), expected))
        };
        within(
            "--steps",
            self.steps,
            LOOKS,
            100_000_000,
            "steps can be played; a game is looked at 50 times",
        )?;
        within("--batch", self.batch, 1, 1 << 16, "points are a mini-batch")?;
        within("--depth", self.depth, 1, 32, "hidden layers can be played with")?;
        within("--width", self.width, 1, 1 << 12, "units are a hidden layer")?;
        within("--latent", self.latent, 1, 1 << 12, "numbers can be a latent")
    }
}

/// The points of a generator at some step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Look {
    /// Steps of the generator so far.
    pub step: usize,
    /// What was counted.
    #[serde(flatten)]
    pub modes: MixtureModes,
}

/// What became of one game.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Played {
    /// Which [`Way`].
    pub way: &'static str,
    /// Seed of all its random numbers.
    pub seed: u64,
    /// Whether the game came to rest.
    pub stability: Judgement,
    /// At the start, and [`LOOKS`] more or as many as there were before it diverged.
    pub looks: Vec<Look>,
    /// The [`POINTS`] points of each look, (points, 2).
    #[serde(skip)]
    pub points: Vec<Tensor<f32>>,
}

impl Played {
    /// The last look.
    pub fn end(&self) -> &Look {
        self.looks.last().expect("the start is looked at")
    }
}

/// Plays every way with every seed, as many games at a time as there are threads: all seeds of the first way, then of the
/// next.
///
/// **Errors** [`Error::InvalidArgument`] for settings out of range; [`Error::Interrupted`] soon after `stop` returns true.
/// That a game diverges is no error: its verdict says so.
/// **Randomness** As a run of each seed; mini-batches from the substreams of `shuffle`, the latents of the points to look at
/// from the last substream of `latent`.
/// **Accuracy and cost** The same numbers for any number of threads.
pub fn play(
    task: &Task,
    ways: &[Way],
    seeds: &[u64],
    how: &How,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<Played>> {
    how.check()?;
    let games: Vec<(Way, u64)> =
        ways.iter().flat_map(|way| seeds.iter().map(move |&seed| (*way, seed))).collect();
    progress.start((games.len() * how.steps) as u64, "steps");
    let shared = Mutex::new(progress);
    let after = |steps: u64| {
        shared.lock().unwrap_or_else(PoisonError::into_inner).advance(steps);
        go_on(stop)
    };
    let played = games.par_iter().map(|&(way, seed)| one(task, way, seed, how, &after)).collect();
    shared.into_inner().unwrap_or_else(PoisonError::into_inner).finish("");
    played
}

/// A game from its start to its end.
fn one(
    task: &Task,
    way: Way,
    seed: u64,
    how: &How,
    after: &(dyn Fn(u64) -> Result<()> + Sync),
) -> Result<Played> {
    let networks = Networks::plane(how.latent, &vec![how.width; how.depth]);
    let [generator, discriminator] = networks.start(Stream::named(seed, "init"))?;
    let mut game = Game::new(generator, discriminator, Recipe { batch: how.batch, ..way.recipe })?;

    let streams = Streams::of(seed);
    let shuffle = Stream::named(seed, "shuffle");
    let mut eye = Eye::new(task, seed, how);
    eye.look(&game)?;
    let mut readings = Vec::with_capacity(READINGS);
    let (mut diverged, mut told) = (None, 0);
    for (step, (is_read, is_looked_at)) in (1..=how.steps).map(|step| (step, moments(step, how.steps))) {
        let fill = |index, points: &mut [f32]| {
            task.mixture.fill(shuffle.substream(index), points);
            points.iter_mut().for_each(|x| *x /= task.scale);
            Ok(())
        };
        let outcome = game.step(fill, &streams, is_read)?;
        if !outcome.is_finite {
            let parameter = game.first_not_finite().unwrap_or_else(|| "a parameter".into());
            diverged =
                Some(Judgement::diverged(format!("{parameter} was no longer finite after step {step}")));
            break;
        }
        readings.extend(outcome.reading);
        if is_looked_at {
            let [spread, entropy] = eye.look(&game)?;
            if let Some(reading) = readings.last_mut().filter(|reading| reading.step == step as u64) {
                (reading.spread, reading.class_entropy) = (Some(spread), Some(entropy));
            }
        }
        if is_looked_at || step.is_multiple_of(ASKED_EVERY) {
            after((step - told) as u64)?;
            told = step;
        }
    }
    Ok(Played {
        way: way.name,
        seed,
        stability: diverged.unwrap_or_else(|| judge(&readings)),
        looks: eye.looks,
        points: eye.points,
    })
}

/// Whether a step is to be read, and whether its points are to be looked at: at equal distances, and at the end.
fn moments(step: usize, steps: usize) -> (bool, bool) {
    let is_one_of = |parts: usize| step * parts / steps != (step - 1) * parts / steps;
    (is_one_of(READINGS.min(steps)), is_one_of(LOOKS))
}

/// What looks at the points of the same latents again and again.
struct Eye<'a> {
    task: &'a Task,
    latents: Vec<f32>,
    scratch: Scratch<f32>,
    looks: Vec<Look>,
    points: Vec<Tensor<f32>>,
}

impl<'a> Eye<'a> {
    fn new(task: &'a Task, seed: u64, how: &How) -> Self {
        let mut latents = vec![0.0; POINTS * how.latent];
        fill_latents(Stream::named(seed, "latent").substream(u64::MAX), how.latent, &mut latents);
        let (looks, points) = (Vec::with_capacity(LOOKS + 1), Vec::with_capacity(LOOKS + 1));
        Self { task, latents, scratch: Scratch::new(), looks, points }
    }

    /// Spread of the points, and entropy of the modes that they are about, as shares of the mixture's.
    fn look(&mut self, game: &Game<f32>) -> Result<[f64; 2]> {
        let mut points = Tensor::zeros(&[POINTS, 2]);
        game.generator().infer(&self.latents, &mut self.scratch, points.data_mut())?;
        points.data_mut().iter_mut().for_each(|x| *x *= self.task.scale);
        let modes = mixture_modes(&points, &self.task.mixture)?;
        let mixture = &self.task.mixture;
        let own =
            mixture.centres().iter().flatten().map(|x| x * x).sum::<f64>() / mixture.centres().len() as f64;
        let shares = [
            spread(&points) / own.sqrt(),
            mixture_entropy(&points, mixture)? / (mixture.centres().len() as f64).ln(),
        ];
        self.looks.push(Look { step: game.steps() as usize, modes });
        self.points.push(points);
        Ok(shares)
    }
}

/// Root of the mean squared distance from the mean.
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

    fn games(task: &Task, ways: &[Way], how: &How) -> Vec<Played> {
        play(task, ways, &[1], how, &mut Progress::new(ProgressKind::Quiet), &|| false).unwrap()
    }

    #[test]
    fn points_come_to_be_as_far_apart_as_those_of_the_mixture() {
        let how = How { steps: 400, batch: 64, depth: 2, width: 32, latent: 2 };
        for task in Task::all() {
            let games = games(&task, &Way::all()[3..], &how);
            let mut data = Tensor::zeros(&[POINTS, 2]);
            task.mixture.fill(Stream::named(1, "evaluate"), data.data_mut());
            let share = spread(games[0].points.last().unwrap()) / spread(&data);
            assert!((0.6..1.4).contains(&share), "{}: {share}", task.name);
            assert!(spread(&games[0].points[0]) < 0.5 * spread(&data), "at the start");
            assert_eq!(games[0].end().step, 400);
        }
    }

    #[test]
    fn ways_play_for_what_they_are_called() {
        let ways = Way::all();
        let losses = ways.map(|way| match way.recipe.objective {
            Objective::Standard { generator: GeneratorLoss::NonSaturating, .. } => "standard",
            Objective::Standard { generator: GeneratorLoss::Minimax, .. } => "minimax",
            other => other.name(),
        });
        assert_eq!(losses, ways.map(|way| way.name));
        assert_eq!(losses, ["standard", "minimax", "clipping", "penalty"]);
        assert!(ways.iter().all(|way| way.recipe.validate().is_ok()));
    }

    #[test]
    fn a_game_that_diverges_is_told_so_and_keeps_its_looks() {
        let recipe = Recipe { generator: Rule::rms_prop(1e38), ..Recipe::of(Objective::standard()) };
        let how = How { steps: 100, batch: 8, depth: 1, width: 4, latent: 2 };
        let games = games(&Task::all()[0], &[Way { name: "wild", recipe }], &how);
        assert_eq!(games[0].stability.verdict, Verdict::Diverged, "{:?}", games[0].stability);
        assert!(games[0].looks.len() < LOOKS && games[0].points.len() == games[0].looks.len());
    }

    #[test]
    fn readings_and_looks_are_spread_over_a_game_and_end_with_it() {
        for steps in [50, 57, 200, 1_234] {
            let moments: Vec<(bool, bool)> = (1..=steps).map(|step| moments(step, steps)).collect();
            assert_eq!(moments.iter().filter(|moment| moment.0).count(), READINGS.min(steps), "{steps}");
            assert_eq!(moments.iter().filter(|moment| moment.1).count(), LOOKS, "{steps}");
            assert!(moments[steps - 1] == (true, true), "{steps}");
        }
    }
}
