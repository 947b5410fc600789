//! The duality gap of a run: what either player could still gain.

use super::Settings;
use super::batches::Batches;
use crate::Result;
use crate::adversarial::{DualityGap, Game, Search, Streams};
use crate::data::Digits;
use crate::rng::Stream;

/// Mini-batches of test images over which a value is averaged.
const BATCHES: usize = 16;

/// Looks for the gap: steps on training images, measured on test images.
pub(super) struct Gap<'a> {
    search: Search,
    train: Batches<'a>,
    test: Batches<'a>,
    streams: Streams,
}

impl<'a> Gap<'a> {
    /// What the settings ask for.
    ///
    /// **Randomness** Substreams of `evaluate` that no measure of samples takes: no step takes them either.
    pub fn new(settings: &Settings, digits: &'a Digits) -> Option<Self> {
        let steps = settings.duality_gap?;
        let stream = |index| Stream::named(settings.seed, "evaluate").substream(index);
        Some(Self {
            search: Search { steps, batches: BATCHES },
            train: Batches::new(digits.train.images(), settings.batch, settings.seed),
            test: Batches::new(digits.test.images(), settings.batch, settings.seed),
            streams: Streams { latent: stream(7), interpolation: stream(8), dropout: stream(9) },
        })
    }

    /// Of the game as it stands.
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
