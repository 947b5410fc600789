//! The duality gap of a run: the possible gain of each player.

use super::Settings;
use super::batches::Batches;
use crate::Result;
use crate::adversarial::{DualityGap, Game, Search, Streams};
use crate::data::Dataset;
use crate::rng::Stream;

/// Mini-batches of test images over which a value is averaged.
const BATCHES: usize = 16;

/// The search for the gap: steps on training images, measured on test images.
pub(super) struct Gap<'a> {
    search: Search,
    train: Batches<'a>,
    test: Batches<'a>,
    streams: Streams,
}

impl<'a> Gap<'a> {
    /// The search if the settings enable it.
    ///
    /// **Randomness** Substreams of `evaluate` that no other measure and no step uses.
    pub fn new(settings: &Settings, digits: &'a Dataset) -> Option<Self> {
        let steps = settings.duality_gap?;
        let stream = |index| Stream::named(settings.seed, "evaluate").substream(index);
        Some(Self {
            search: Search { steps, batches: BATCHES },
            train: Batches::new(digits.train.images(), settings.batch, settings.seed)
                .flipped(settings.seed, settings.flip),
            test: Batches::new(digits.test.images(), settings.batch, settings.seed),
            streams: Streams {
                latent: stream(7),
                interpolation: stream(8),
                dropout: stream(9),
                augmentation: stream(10),
            },
        })
    }

    /// The gap of the current game.
    pub fn find(&mut self, game: &Game<f32>) -> Result<DualityGap> {
        let Self { search, train, test, streams } = self;
        let fill = |batches: &mut Batches<'_>, index, samples: &mut [f32]| {
            batches.fill(index, samples);
            Ok(())
        };
        game.duality_gap(
            *search,
            |index, samples| fill(train, index, samples),
            |index, samples| fill(test, index, samples),
            streams,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversarial::{Networks, Normalisation, mlp};
    use crate::nn::Spec;
    use crate::run::gan::ObjectiveName;

    /// The gap of a game before its first step; training or test images may be inverted.
    fn gap(kind: ObjectiveName, inverted: [bool; 2], steps: usize) -> DualityGap {
        let digits = Dataset::synthetic(60, 40).unwrap();
        let mut inverse = digits.clone();
        inverse.invert();
        let [train, test] = inverted.map(|inverted| if inverted { &inverse } else { &digits });
        let digits = Dataset { train: train.train.clone(), test: test.test.clone(), name: "digits".into() };
        let networks = Networks {
            generator: mlp(&[4, 8, 784], Normalisation::None, Some(Spec::Tanh)),
            discriminator: mlp(&[784, 8, 1], Normalisation::None, None),
        };
        let settings = Settings { batch: 20, networks, duality_gap: Some(steps), ..Settings::of(kind) };
        let [generator, discriminator] = settings.networks.start(Stream::named(1, "init")).unwrap();
        let game = Game::new(generator, discriminator, settings.recipe()).unwrap();
        Gap::new(&settings, &digits).unwrap().find(&game).unwrap()
    }

    #[test]
    fn players_move_on_training_images_and_are_measured_on_test_images() {
        for kind in ObjectiveName::ALL.into_iter().chain([ObjectiveName::Relativistic]) {
            let [usual, other_train, other_test] =
                [[false, false], [true, false], [false, true]].map(|inverted| gap(kind, inverted, 5));
            assert_eq!(usual.value, other_train.value, "{kind}");
            assert_ne!(usual.value, other_test.value, "{kind}");
            assert_ne!(usual.best_discriminator, other_train.best_discriminator, "{kind}");
            // Only a relativistic generator's steps use images.
            let is_independent = usual.best_generator == other_train.best_generator;
            assert_eq!(is_independent, kind != ObjectiveName::Relativistic, "{kind}");
            assert_ne!(usual.best_discriminator, gap(kind, [false, false], 10).best_discriminator, "{kind}");
        }
    }
}
