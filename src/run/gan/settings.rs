//! The options of a training run of adversarial networks.

use crate::adversarial::generator::history;
use crate::adversarial::networks::{DISCRIMINATOR, GENERATOR, LATENT, WIDTH, penalised_batch_norm};
use crate::adversarial::{
    Augmentation, GeneratorLoss, Networks, Normalisation, Objective, Recipe, ZeroCentred, dcgan, mlp,
};
use crate::data::{Dataset, Reading};
use crate::nn::{Plan, Shape, Spec};
use crate::run::dbm::Layers;
use crate::run::settings::{self, BELOW_1, NOT_NEGATIVE, POSITIVE, RunSettings};
use crate::run::text::parse;
use crate::run::{Source, absolute_source};
use crate::{Error, Result};
use clap::{Args, Command, ValueEnum};
use core::ops::Range;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Maximum number of steps of a generator.
const MOST_STEPS: usize = history::MOST_STEPS as usize;
/// Maximum number of layers of both networks together.
const MOST_LAYERS: usize = 200;
/// From 0.5 on, smoothed labels would carry no information.
const SMOOTHING: Range<f64> = 0.0..0.5;

// Help headings, which also say which objectives an option belongs to.
const HEADING: &str = "Only with --objective ";
const STANDARD: &str = "Only with --objective standard";
const CLIPPING: &str = "Only with --objective clipping";
const PENALTY: &str = "Only with --objective penalty";
const WASSERSTEIN: &str = "Only with --objective clipping or penalty";
const CLASSIFYING: &str = "Only with --objective standard or relativistic";
/// Steps of the discriminator between two zero-centred penalties.
const PENALTY_EVERY: u64 = 4;
/// Learning rates of [`Recipe::of`] each objective.
const RATES: [(&str, &str, &str); 4] = [
    ("objective", "standard", "2e-4"),
    ("objective", "clipping", "5e-5"),
    ("objective", "penalty", "1e-4"),
    ("objective", "relativistic", "2e-4"),
];

/// The objectives, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ObjectiveName {
    /// A discriminator that tells real from generated images.
    #[value(aliases = ["gan", "vanilla", "ns-gan"])]
    Standard,
    /// Wasserstein distance; the critic's parameters are clipped.
    #[value(aliases = ["wgan", "wgan-cp"])]
    Clipping,
    /// Wasserstein distance; the critic's slope is penalised.
    #[value(aliases = ["wgan-gp", "wgangp", "gp"])]
    Penalty,
    /// A discriminator that tells which image of a pair is real.
    #[value(aliases = ["rgan", "rpgan"])]
    Relativistic,
}

/// A kind of change of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// By up to an eighth of the height and width.
    Translation,
    /// A grey rectangle of half the height and width.
    Cutout,
    /// Brightness, saturation and contrast.
    #[value(alias = "color")]
    Colour,
}

impl ObjectiveName {
    /// The three classical ones, in the order of their history.
    pub const ALL: [Self; 3] = [Self::Standard, Self::Clipping, Self::Penalty];

    /// The objective as published.
    pub const fn objective(self) -> Objective {
        match self {
            Self::Standard => Objective::standard(),
            Self::Clipping => Objective::clipping(),
            Self::Penalty => Objective::penalty(),
            Self::Relativistic => Objective::Relativistic,
        }
    }
}

impl fmt::Display for ObjectiveName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.objective().name())
    }
}

/// Everything that determines the result of a run, apart from the bytes of the data.
///
/// Options of other objectives have no effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `synthetic` (digits), `cats`, a folder with the files of MNIST or CIFAR-10 (or its parent), a file of CIFAR-10's
    /// records (.bin), or a folder of PNG or JPEG pictures of one size; with --network dcgan, the default is `cats`.
    #[arg(long, default_value = "synthetic", default_value_if("network", "dcgan", "cats"), value_parser = absolute_source())]
    pub data: String,
    /// Class of the images, by name or number, or `all` [default: all; cat for the complete CIFAR-10].
    #[arg(long)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Mirror each image left to right in half of all epochs, at random.
    #[arg(long)]
    #[serde(default)]
    pub flip: bool,
    /// Number of training images to use, from the first [default: all].
    #[arg(long)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<usize>,
    /// Swap background and ink.
    #[arg(long)]
    #[serde(default)]
    pub invert: bool,
    /// The objective of the game.
    #[arg(long, default_value = "standard")]
    pub objective: ObjectiveName,
    /// Let the generator minimise the value that the discriminator maximises.
    #[arg(long, help_heading = STANDARD)]
    #[serde(default)]
    pub minimax: bool,
    /// Amount subtracted from the labels of real images.
    #[arg(long, default_value = "0", help_heading = STANDARD)]
    #[serde(default)]
    pub label_smoothing: f64,
    /// Bound of the absolute value of the critic's parameters.
    #[arg(long, default_value = "0.01", help_heading = CLIPPING)]
    pub clip: f64,
    /// Weight of the gradient penalty.
    #[arg(long, default_value = "10", help_heading = PENALTY)]
    pub penalty: f64,
    /// Steps of the critic per step of the generator.
    #[arg(long, default_value = "5", help_heading = WASSERSTEIN)]
    pub critic_steps: usize,
    /// 100 critic steps at each of the first 25 steps and at every 500th, as in the original code of clipping.
    #[arg(long, help_heading = CLIPPING)]
    #[serde(default)]
    pub head_start: bool,
    /// Weight γ of the penalty γ/2 · mean ‖∂D/∂x‖² at real images, which needs a discriminator without batch normalisation
    /// [default: no penalty]. With --augment the gradient is that at the augmented images.
    #[arg(long, value_name = "GAMMA", help_heading = CLASSIFYING)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r1: Option<f64>,
    /// Weight γ of the same penalty at generated images [default: no penalty].
    #[arg(long, value_name = "GAMMA", help_heading = CLASSIFYING)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r2: Option<f64>,
    /// Compute these penalties at every N-th step, with N times their weight [default: 4].
    #[arg(long, value_name = "N", help_heading = CLASSIFYING)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub penalty_every: Option<usize>,
    /// Random changes of real and generated images before the discriminator, which keep it from remembering few images: a
    /// list such as translation,cutout,colour [default: none].
    #[arg(long, value_name = "CHANGES", value_delimiter = ',')]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub augment: Vec<Change>,
    /// Generator and discriminator; [`NetworkOptions`] are their options.
    #[arg(skip = Networks::digits(784))]
    pub networks: Networks,
    /// Images in a mini-batch.
    #[arg(long, default_value = "64")]
    pub batch: usize,
    /// Learning rate of the generator [default: 2e-4 standard and relativistic, 5e-5 clipping, 1e-4 penalty].
    #[arg(long, required = false, default_value_ifs = RATES)]
    pub generator_rate: f64,
    /// Learning rate of the discriminator or critic [default: the generator's].
    #[arg(long, required = false, default_value_ifs = RATES)]
    pub discriminator_rate: f64,
    /// Decay per step of a running average of the generator's parameters, such as 0.999; samples then come from the average
    /// [default: no average].
    #[arg(long)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<f64>,
    /// Steps of the generator.
    #[arg(long, default_value = "10000")]
    pub steps: usize,
    /// Steps of the generator between two readings.
    #[arg(long, default_value = "50")]
    pub every: usize,
    /// At every 20th reading and at the last step, train a copy of each player for this number of steps against the other, to
    /// measure how much either could still gain [default: off; 50 without a number].
    #[arg(long, value_name = "STEPS", num_args = 0..=1, default_missing_value = "50")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duality_gap: Option<usize>,
    /// Seed of all random numbers.
    #[arg(long, default_value = "1")]
    pub seed: u64,
    /// Options of reading the images.
    #[command(flatten)]
    #[serde(default, skip_serializing_if = "Reading::is_default")]
    pub reading: Reading,
}

/// The networks of generator and discriminator.
#[derive(Debug, Clone, Args)]
pub struct NetworkOptions {
    /// Kind of networks.
    #[arg(long, default_value = "mlp")]
    network: Family,
    /// Size of the latent vectors.
    #[arg(long, default_value_t = LATENT)]
    latent: usize,
    /// Channels of the layer beside the image [default: 64].
    #[arg(long, help_heading = "Only with --network dcgan")]
    width: Option<usize>,
    /// Units of the generator's hidden layers [default: 128-256-512-1024].
    #[arg(long, value_parser = parse::<Layers>, help_heading = "Only with --network mlp")]
    generator: Option<Layers>,
    /// Units of the discriminator's hidden layers [default: 512-256].
    #[arg(long, value_parser = parse::<Layers>, help_heading = "Only with --network mlp")]
    discriminator: Option<Layers>,
    /// No batch normalisation in the generator.
    #[arg(long, help_heading = "Only with --network mlp")]
    plain: bool,
    /// Normalisation of the discriminator's hidden layers [default: none for mlp; for dcgan batch, or layer if its slope is
    /// penalised].
    #[arg(long)]
    normalise: Option<Normalise>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Family {
    /// Multilayer perceptrons.
    Mlp,
    /// Deep convolutional networks, for square images with a side of 4, 5, 6 or 7 pixels times a power of 2.
    Dcgan,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Normalise {
    /// No normalisation.
    None,
    /// Over the mini-batch; not possible if the slope of the discriminator is penalised.
    Batch,
    /// Over the units of each image.
    Layer,
    /// The weights are divided by their largest singular value.
    Spectral,
}

impl NetworkOptions {
    /// The networks of a run with these settings for images of this shape.
    ///
    /// **Errors** [`Error::InvalidArgument`] for an option of the other kind of networks, and as [`dcgan`].
    pub fn networks(&self, settings: &Settings, image: Shape) -> Result<Networks> {
        let foreign: &[(&str, bool)] = match self.network {
            Family::Mlp => &[("--width", self.width.is_some())],
            Family::Dcgan => &[
                ("--generator", self.generator.is_some()),
                ("--discriminator", self.discriminator.is_some()),
                ("--plain", self.plain),
            ],
        };
        settings::whole(&[("--latent", self.latent, 1..=1 << 20, "latent numbers")])?;
        if let Some((option, _)) = foreign.iter().find(|(_, is_given)| *is_given) {
            let [own, other] = if self.network == Family::Mlp { ["mlp", "dcgan"] } else { ["dcgan", "mlp"] };
            return Err(Error::invalid(*option, format!("goes with --network {other}, not {own}")));
        }
        let normalisation = match (self.normalise, self.network) {
            (Some(Normalise::None), _) | (None, Family::Mlp) => Normalisation::None,
            (Some(Normalise::Batch), _) => Normalisation::Batch,
            (Some(Normalise::Layer), _) => Normalisation::Layer,
            (Some(Normalise::Spectral), _) => Normalisation::Spectral,
            (None, Family::Dcgan) if settings.recipe().penalises_slopes() => Normalisation::Layer,
            (None, Family::Dcgan) => Normalisation::Batch,
        };
        if self.network == Family::Dcgan {
            return dcgan(image, self.latent, self.width.unwrap_or(WIDTH), normalisation);
        }
        let sizes = |first: usize, hidden: &Option<Layers>, usual: &[usize], last: usize| {
            [&[first][..], hidden.as_ref().map_or(usual, |layers| &layers.0[..]), &[last][..]].concat()
        };
        let (generator, discriminator) = (
            sizes(self.latent, &self.generator, &GENERATOR, image.size()),
            sizes(image.size(), &self.discriminator, &DISCRIMINATOR, 1),
        );
        let batch_norm = if self.plain { Normalisation::None } else { Normalisation::Batch };
        Ok(Networks {
            generator: mlp(&generator, batch_norm, Some(Spec::Tanh)),
            discriminator: mlp(&discriminator, normalisation, None),
        })
    }
}

impl Settings {
    /// The defaults for this objective.
    pub fn of(objective: ObjectiveName) -> Self {
        settings::from_arguments(&["--objective", objective.objective().name()])
    }

    /// The rules of the game.
    pub fn recipe(&self) -> Recipe {
        let Self { clip: bound, penalty: weight, critic_steps, head_start, label_smoothing, .. } = *self;
        let objective = match self.objective {
            ObjectiveName::Standard => {
                let generator =
                    if self.minimax { GeneratorLoss::Minimax } else { GeneratorLoss::NonSaturating };
                Objective::Standard { generator, label_smoothing }
            }
            ObjectiveName::Clipping => Objective::Clipping { bound, critic_steps, head_start },
            ObjectiveName::Penalty => Objective::Penalty { weight, critic_steps },
            ObjectiveName::Relativistic => Objective::Relativistic,
        };
        let has = |change| self.augment.contains(&change);
        let usual = Recipe::of(objective);
        Recipe {
            batch: self.batch,
            generator: usual.generator.with_rate(self.generator_rate),
            discriminator: usual.discriminator.with_rate(self.discriminator_rate),
            average: self.average,
            augmentation: Augmentation {
                translation: has(Change::Translation),
                cutout: has(Change::Cutout),
                colour: has(Change::Colour),
            },
            zero_centred: ZeroCentred {
                real: self.r1.unwrap_or(0.0),
                generated: self.r2.unwrap_or(0.0),
                every: self.zero_centred_every(),
            },
            ..usual
        }
    }

    /// Steps of the discriminator between two zero-centred penalties; 1 if there are none.
    fn zero_centred_every(&self) -> u64 {
        let has_none = self.r1.or(self.r2).is_none();
        if has_none { 1 } else { self.penalty_every.map_or(PENALTY_EVERY, |every| every as u64) }
    }

    /// Bytes of a run.
    fn memory(&self) -> u128 {
        let Networks { generator, discriminator } = &self.networks;
        let numbers = |plan: &Plan| COPIES * plan.parameters() + BATCHES * self.batch as u128 * plan.values();
        (numbers(generator) + numbers(discriminator)) * size_of::<f32>() as u128
    }
}

/// Numbers per parameter: itself, its gradient, two moments, an average, the best generator's, and all but the gradient again in
/// a checkpoint and in its bytes. Layers of a DCGAN also keep the transformed weights of minimal filtering, up to 12.5 numbers per weight.
const COPIES: u128 = 29;
/// Rows per value: outputs and derivatives of six mini-batches.
const BATCHES: u128 = 12;

impl RunSettings for Settings {
    settings::usual_fields!(steps);

    fn load(&self) -> Result<Dataset> {
        Source { data: &self.data, images: self.images, invert: self.invert, reading: &self.reading }
            .load_any(self.class.as_deref())
    }

    fn complete(mut self, is_given: &dyn Fn(&str) -> bool) -> Result<Self> {
        for option in Self::augment_args(Command::new("gan")).get_arguments() {
            let objectives = option.get_help_heading().and_then(|heading| heading.strip_prefix(HEADING));
            let Some(objectives) = objectives.filter(|_| is_given(option.get_id().as_str())) else {
                continue;
            };
            if !objectives.split(" or ").any(|name| name == self.objective.objective().name()) {
                let name = format!("--{}", option.get_long().unwrap_or_default());
                let expected = format!("goes with --objective {objectives}, not {}", self.objective);
                return Err(Error::invalid(name, expected));
            }
        }
        if is_given("penalty_every") && self.r1.or(self.r2).is_none() {
            return Err(Error::invalid("--penalty-every", "goes with --r1 or --r2, of which none is given"));
        }
        if !is_given("discriminator_rate") {
            self.discriminator_rate = self.generator_rate;
        }
        Ok(self)
    }

    fn check(&self) -> Result<()> {
        settings::whole(&[
            ("--batch", self.batch, 1..=usize::MAX, "image in a mini-batch"),
            ("--steps", self.steps, 1..=MOST_STEPS, "steps of the generator"),
            ("--every", self.every, 1..=MOST_STEPS, "steps between two readings"),
            ("--critic-steps", self.critic_steps, 1..=1 << 20, "critic steps per step of the generator"),
            ("--penalty-every", self.penalty_every.unwrap_or(1), 1..=1 << 20, "steps between two penalties"),
            ("--duality-gap", self.duality_gap.unwrap_or(1), 1..=1 << 20, "steps of each player"),
        ])?;
        settings::seed(self.seed)?;
        settings::real(&[
            ("--generator-rate", self.generator_rate, NOT_NEGATIVE),
            ("--discriminator-rate", self.discriminator_rate, NOT_NEGATIVE),
            ("--label-smoothing", self.label_smoothing, SMOOTHING),
            ("--clip", self.clip, POSITIVE),
            ("--penalty", self.penalty, NOT_NEGATIVE),
            ("--r1", self.r1.unwrap_or(0.0), NOT_NEGATIVE),
            ("--r2", self.r2.unwrap_or(0.0), NOT_NEGATIVE),
            ("--average", self.average.unwrap_or(0.0), BELOW_1),
        ])?;
        let recipe = self.recipe();
        recipe.validate()?;
        self.networks.validate(&recipe.objective)?;
        let Networks { generator, discriminator } = &self.networks;
        if recipe.penalises_slopes() && discriminator.mixes_examples() {
            return Err(penalised_batch_norm());
        }
        let has_images = recipe.augmentation.expect_images(discriminator.input);
        has_images.map_err(|_| Error::invalid("--augment", "goes with --network dcgan, not mlp"))?;
        if generator.layers.len() + discriminator.layers.len() > MOST_LAYERS {
            return Err(Error::invalid(&self.networks, format!("at most {MOST_LAYERS} layers fit")));
        }
        if self.batch == 1 && (generator.mixes_examples() || discriminator.mixes_examples()) {
            let expected = "batch normalisation compares the images of a mini-batch, which takes at least 2";
            return Err(Error::invalid("--batch 1", expected));
        }
        Ok(())
    }

    fn check_data(&self, digits: &Dataset) -> Result<()> {
        settings::batch(self.batch, digits)?;
        let pixels = digits.train.images().values_per_image();
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
        settings::memory(self.memory(), || format!("{}, --batch {}", self.networks, self.batch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::Rule;

    fn rate_of(rule: Rule) -> f64 {
        let (Rule::Sgd { rate, .. } | Rule::RmsProp { rate, .. } | Rule::Adam { rate, .. }) = rule;
        rate
    }

    #[test]
    fn options_of_other_objectives_are_refused_and_the_rates_are_equal_by_default() {
        let clipping = Settings { generator_rate: 3e-3, ..Settings::of(ObjectiveName::Clipping) };
        let complete = |given: &[&str]| clipping.clone().complete(&|option| given.contains(&option));
        assert_eq!(complete(&["generator_rate", "clip", "critic_steps"]).unwrap().discriminator_rate, 3e-3);
        assert_eq!(complete(&["generator_rate", "discriminator_rate"]).unwrap().discriminator_rate, 5e-5);
        for option in ["penalty", "minimax", "label_smoothing"] {
            complete(&[option]).unwrap_err();
        }
    }

    #[test]
    fn settings_determine_the_recipe_and_their_defaults_are_the_usual_recipes() {
        assert_eq!(Settings::of(ObjectiveName::Standard).networks, Networks::digits(784));
        for kind in ObjectiveName::ALL {
            assert_eq!(Settings::of(kind).recipe(), Recipe::of(kind.objective()));
            Settings::of(kind).check().unwrap();
        }
        let settings = Settings {
            clip: 0.1,
            critic_steps: 3,
            head_start: true,
            generator_rate: 1e-3,
            discriminator_rate: 2e-3,
            ..Settings::of(ObjectiveName::Clipping)
        };
        let recipe = settings.recipe();
        assert_eq!(rate_of(recipe.discriminator), 2e-3);
        let objective = Objective::Clipping { bound: 0.1, critic_steps: 3, head_start: true };
        assert_eq!((recipe.objective, rate_of(recipe.generator)), (objective, 1e-3));
        let text = toml::to_string(&settings).unwrap();
        assert_eq!(toml::from_str::<Settings>(&text).unwrap(), settings);
    }
}
