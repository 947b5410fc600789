//! The settings of a training run of adversarial networks: `config.toml`.

use crate::adversarial::{GeneratorLoss, Networks, Objective, Recipe};
use crate::data::Digits;
use crate::nn::Plan;
use crate::optim::Rule;
use crate::run::{Source, checks};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Steps of a generator, at most.
pub(super) const MOST_STEPS: usize = 1 << 40;

/// The objectives, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A discriminator that tells real from generated.
    Standard,
    /// A critic whose parameters are clipped.
    Clipping,
    /// A critic whose slope is pulled to 1.
    Penalty,
}

impl Kind {
    /// All three, in the order of their history.
    pub const ALL: [Self; 3] = [Self::Standard, Self::Clipping, Self::Penalty];

    /// The objective as its authors have it.
    pub const fn objective(self) -> Objective {
        match self {
            Self::Standard => Objective::standard(),
            Self::Clipping => Objective::clipping(),
            Self::Penalty => Objective::penalty(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.objective().name())
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.objective().name() == text)
            .ok_or_else(|| Error::invalid(format!("--objective {text}"), "standard, clipping or penalty"))
    }
}

/// Everything that decides the outcome of a run, but for the bytes of the data.
///
/// What an objective does not have is without effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `synthetic`, or the folder that holds the data.
    pub data: String,
    /// Training images to use; all, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<usize>,
    /// Whether background and ink are swapped.
    #[serde(default)]
    pub invert: bool,
    /// What the two play for.
    pub objective: Kind,
    /// Whether the generator of the standard game descends the minimax loss.
    #[serde(default)]
    pub minimax: bool,
    /// Taken off the label of real samples in the standard game.
    #[serde(default)]
    pub label_smoothing: f64,
    /// Bound of every parameter of a clipped critic.
    pub clip: f64,
    /// Weight of the gradient penalty.
    pub penalty: f64,
    /// Critic's steps to a step of the generator.
    pub critic_steps: usize,
    /// Whether a clipped critic takes 100 steps at each of the generator's first 25 and at every 500th.
    #[serde(default)]
    pub head_start: bool,
    /// Generator and discriminator.
    pub networks: Networks,
    /// Images in a mini-batch.
    pub batch: usize,
    /// Learning rate of the generator.
    pub generator_rate: f64,
    /// Learning rate of the discriminator or critic.
    pub discriminator_rate: f64,
    /// What a step keeps of a running average of the generator's parameters; no average, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<f64>,
    /// Steps of the generator.
    pub steps: usize,
    /// Steps of the generator between two readings.
    pub every: usize,
    /// Steps that each player has to look for the duality gap, every twentieth reading and in that of the last step; it is
    /// not looked for, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duality_gap: Option<usize>,
    /// Seed of all random numbers.
    pub seed: u64,
}

impl Settings {
    /// Those of [`Recipe::of`] the objective and [`Networks::digits`].
    pub fn of(objective: Kind) -> Self {
        let recipe = Recipe::of(objective.objective());
        Self {
            data: "synthetic".into(),
            images: None,
            invert: false,
            objective,
            minimax: false,
            label_smoothing: 0.0,
            clip: 0.01,
            penalty: 10.0,
            critic_steps: 5,
            head_start: false,
            networks: Networks::digits(784),
            batch: recipe.batch,
            generator_rate: rate_of(recipe.generator),
            discriminator_rate: rate_of(recipe.discriminator),
            average: None,
            steps: 10_000,
            every: 50,
            duality_gap: None,
            seed: 1,
        }
    }

    /// The images that the networks learn from.
    ///
    /// **Errors** as [`Digits::load`].
    pub fn load(&self) -> Result<Digits> {
        self.source().load()
    }

    pub(crate) fn source(&self) -> Source<'_> {
        Source { data: &self.data, images: self.images, invert: self.invert }
    }

    /// How the game is played.
    pub fn recipe(&self) -> Recipe {
        let Self { clip: bound, penalty: weight, critic_steps, head_start, label_smoothing, .. } = *self;
        let objective = match self.objective {
            Kind::Standard => {
                let generator =
                    if self.minimax { GeneratorLoss::Minimax } else { GeneratorLoss::NonSaturating };
                Objective::Standard { generator, label_smoothing }
            }
            Kind::Clipping => Objective::Clipping { bound, critic_steps, head_start },
            Kind::Penalty => Objective::Penalty { weight, critic_steps },
        };
        let usual = Recipe::of(objective);
        Recipe {
            batch: self.batch,
            generator: usual.generator.with_rate(self.generator_rate),
            discriminator: usual.discriminator.with_rate(self.discriminator_rate),
            average: self.average,
            ..usual
        }
    }

    /// Checks every setting against its range, and the mini-batch against the number of images.
    ///
    /// **Errors** [`Error::InvalidArgument`], in the words of the command line.
    pub fn check(&self, images: usize) -> Result<()> {
        checks::at_least_1(&[
            ("--batch", self.batch, "a mini-batch needs at least 1 image"),
            ("--steps", self.steps, "training needs at least 1 step of the generator"),
            ("--every", self.every, "a reading is at least 1 step after the one before"),
            (
                "--duality-gap",
                self.duality_gap.unwrap_or(1),
                "each player takes at least 1 step to look for it",
            ),
        ])?;
        checks::at_most(&[
            ("--steps", self.steps, MOST_STEPS, "steps can be counted"),
            ("--every", self.every, MOST_STEPS, "steps can be counted"),
            ("--critic-steps", self.critic_steps, 1 << 20, "steps can be counted"),
            ("--duality-gap", self.duality_gap.unwrap_or(1), 1 << 20, "steps can be counted"),
        ])?;
        checks::batch(self.batch, images)?;
        checks::seed(self.seed)?;
        let recipe = self.recipe();
        recipe.objective.validate().map_err(as_option)?;
        self.networks.validate(&recipe.objective)?;
        let Networks { generator, discriminator } = &self.networks;
        if generator.layers.len() + discriminator.layers.len() > MOST_LAYERS {
            return Err(Error::invalid(&self.networks, format!("at most {MOST_LAYERS} layers fit")));
        }
        for (option, rate) in
            [("--generator-rate", self.generator_rate), ("--discriminator-rate", self.discriminator_rate)]
        {
            if !(rate >= 0.0 && rate.is_finite()) {
                return Err(Error::invalid(format!("{option} {rate}"), "a rate is a number of at least 0"));
            }
        }
        recipe.validate().map_err(as_option)?;
        if self.batch == 1 && (generator.mixes_examples() || discriminator.mixes_examples()) {
            let expected = "batch normalisation compares the images of a mini-batch, which takes at least 2";
            return Err(Error::invalid("--batch 1", expected));
        }
        Ok(())
    }

    /// Checks the settings against the data.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the networks are for images of another size; [`Error::InvalidArgument`] if a
    /// duality gap is asked for, and there are fewer test images than a mini-batch has.
    pub fn check_data(&self, digits: &Digits) -> Result<()> {
        let pixels = digits.train.images().pixels_per_image();
        let outputs = self.networks.generator.output().size();
        if pixels != outputs {
            return Err(Error::ShapeMismatch {
                operation: "pixels of an image and outputs of the generator",
                expected: vec![pixels],
                found: vec![outputs],
            });
        }
        let images = digits.test.len();
        if self.duality_gap.is_some() && images < self.batch {
            let expected = format!(
                "it is measured on mini-batches of {} test images, and there are {images}",
                self.batch
            );
            return Err(Error::invalid("--duality-gap", expected));
        }
        Ok(())
    }

    /// Asks the system whether it would give the memory that a run needs.
    ///
    /// **Errors** [`Error::InvalidArgument`], in the words of the command line.
    pub fn check_memory(&self) -> Result<()> {
        let networks = &self.networks;
        let numbers = |plan: &Plan| COPIES * plan.parameters() + BATCHES * self.batch as u128 * plan.values();
        let bytes =
            (numbers(&networks.generator) + numbers(&networks.discriminator)) * size_of::<f32>() as u128;
        checks::memory(bytes, || format!("{networks}, --batch {}", self.batch))
    }
}

fn rate_of(rule: Rule) -> f64 {
    let (Rule::Sgd { rate, .. } | Rule::RmsProp { rate, .. } | Rule::Adam { rate, .. }) = rule;
    rate
}

/// Layers of both networks.
const MOST_LAYERS: usize = 200;
/// Numbers for each parameter: itself, its gradient, two moments, an average, and the first four again in a checkpoint and
/// in its bytes.
const COPIES: u128 = 13;
/// Rows of mini-batches for each value: outputs and derivatives of six together.
const BATCHES: u128 = 12;

/// The library's words for a number as the options for it.
fn as_option(error: Error) -> Error {
    match error {
        Error::InvalidArgument { argument, expected } => {
            let words = [
                ("critic steps", "--critic-steps"),
                ("clip", "--clip"),
                ("penalty", "--penalty"),
                ("label smoothing", "--label-smoothing"),
                ("average", "--average"),
                ("batch", "--batch"),
            ];
            let option = words.into_iter().find_map(|(word, option)| {
                argument
                    .strip_prefix(word)
                    .filter(|rest| rest.starts_with(' '))
                    .map(|rest| format!("{option}{rest}"))
            });
            Error::InvalidArgument { argument: option.unwrap_or(argument), expected }
        }
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_what_is_played() {
        for kind in Kind::ALL {
            assert_eq!(Settings::of(kind).recipe(), Recipe::of(kind.objective()));
            assert_eq!(kind.to_string().parse::<Kind>().unwrap(), kind);
            Settings::of(kind).check(64).unwrap();
        }
        let settings = Settings {
            clip: 0.1,
            critic_steps: 3,
            head_start: true,
            generator_rate: 1e-3,
            discriminator_rate: 2e-3,
            ..Settings::of(Kind::Clipping)
        };
        let recipe = settings.recipe();
        assert_eq!(rate_of(recipe.discriminator), 2e-3);
        let objective = Objective::Clipping { bound: 0.1, critic_steps: 3, head_start: true };
        assert_eq!((recipe.objective, rate_of(recipe.generator)), (objective, 1e-3));
        let text = toml::to_string(&settings).unwrap();
        assert_eq!(toml::from_str::<Settings>(&text).unwrap(), settings);
    }
}
