//! Mini-batches of shuffled epochs, as Boltzmann machines learn from them, and a place in them.

use super::{Progress, restore};
use crate::Result;
use crate::checkpoint::Archive;
use crate::data::{Binarisation, BinaryImages, Images};
use crate::rng::Stream;
use std::time::Instant;

/// The training images in the order of the current epoch, and how far that has come.
pub(super) struct Epochs<'a> {
    images: &'a Images,
    binarise: Binarisation,
    seed: u64,
    /// Images in a mini-batch.
    batch_size: usize,
    /// All epochs of the run.
    all: usize,
    /// The images as bits, if they are binary.
    states: Option<BinaryImages>,
    order: Vec<usize>,
    /// Epochs that are complete.
    pub epoch: usize,
    /// Mini-batches of the current epoch that are complete.
    pub batch: usize,
    /// Time that they took.
    pub seconds: f64,
}

/// A mini-batch.
pub(super) struct Batch<'a> {
    /// Which images.
    pub order: &'a [usize],
    /// All images as bits, if they are binary.
    pub states: Option<&'a BinaryImages>,
    /// What an update draws from.
    pub chain: Stream,
    /// Of the current epoch, from 1.
    pub number: usize,
    images: &'a Images,
    binarise: (Binarisation, Stream),
}

impl Batch<'_> {
    /// The images as numbers; (images, pixels).
    pub fn fill(&self, place: &mut [f32]) -> Result<()> {
        let (binarise, stream) = self.binarise;
        binarise.fill(self.images, self.order, stream, place)
    }
}

impl<'a> Epochs<'a> {
    /// The start of the first of `all` epochs.
    pub fn new(
        images: &'a Images,
        binarise: Binarisation,
        batch_size: usize,
        all: usize,
        seed: u64,
    ) -> Result<Self> {
        let mut states = (binarise != Binarisation::Grey).then(|| BinaryImages::new(images));
        if let (Binarisation::Threshold, Some(states)) = (binarise, &mut states) {
            // The same in every epoch.
            states.fill(binarise, images, Stream::named(seed, "binarise"));
        }
        let order = (0..images.len()).collect();
        Ok(Self { images, binarise, seed, batch_size, all, states, order, epoch: 0, batch: 0, seconds: 0.0 })
    }

    /// Images that were learned from, and those that are to be.
    pub fn position(&self) -> [u64; 2] {
        let images = self.images.len() as u64;
        let begun = (self.batch * self.batch_size).min(self.images.len()) as u64;
        [self.epoch as u64 * images + begun, (self.all as u64).saturating_mul(images)]
    }

    /// The rest of the current epoch, a call of `update` a mini-batch; false if `stop` asked to stop before its end.
    ///
    /// **Randomness** The order from the substreams of `shuffle` by epoch, states from those of `binarise`, updates from a
    /// substream of those of `chain` for each mini-batch.
    pub fn go_on(
        &mut self,
        progress: &mut Progress,
        stop: &(dyn Fn() -> bool + Sync),
        mut update: impl FnMut(Batch<'_>) -> Result<()>,
    ) -> Result<bool> {
        let Self { images, binarise, seed, batch_size, states, order, epoch, batch: done, seconds, .. } =
            self;
        let stream = |name| Stream::named(*seed, name).substream(*epoch as u64);
        stream("shuffle").permutation(order);
        let clock = Instant::now();
        if let (Binarisation::Sampled, Some(states)) = (*binarise, &mut *states) {
            states.fill(*binarise, images, stream("binarise"));
        }
        let mut is_whole = true;
        for order in order.chunks(*batch_size).skip(*done) {
            if stop() {
                is_whole = false;
                break;
            }
            update(Batch {
                order,
                states: states.as_ref(),
                chain: stream("chain").substream(*done as u64 + 1),
                number: *done + 1,
                images,
                binarise: (*binarise, stream("binarise")),
            })?;
            *done += 1;
            progress.advance(order.len() as u64);
        }
        *seconds += clock.elapsed().as_secs_f64();
        Ok(is_whole)
    }

    /// The next epoch. Returns the time that this one took.
    pub fn end(&mut self) -> f64 {
        self.epoch += 1;
        self.batch = 0;
        std::mem::take(&mut self.seconds)
    }

    /// Puts the place into a checkpoint.
    pub fn describe(&self, archive: &mut Archive) {
        archive.set_metadata("epoch", &self.epoch.to_string());
        archive.set_metadata("batch", &self.batch.to_string());
        archive.set_metadata("seconds", &self.seconds.to_string());
    }

    /// Goes to the place in a checkpoint.
    ///
    /// **Errors** [`Error::Malformed`] if this run cannot have reached it.
    pub fn restore(&mut self, archive: &Archive) -> Result<()> {
        self.epoch = restore::number(archive, "epoch", self.all as u64)? as usize;
        // A batch is of an epoch that has begun, which ends with its last one.
        let batches = if self.epoch < self.all { self.order.len().div_ceil(self.batch_size) } else { 1 };
        self.batch = restore::number(archive, "batch", batches as u64 - 1)? as usize;
        self.seconds = restore::seconds(archive)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::ProgressKind;
    use std::collections::HashSet;

    /// Of each mini-batch: which images, their pixels, and the first number that an update draws.
    type Seen = Vec<(Vec<usize>, Vec<f32>, u64)>;

    fn epoch(epochs: &mut Epochs<'_>, stop_after: usize) -> Seen {
        let mut seen = Seen::new();
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let stop = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == stop_after;
        let update = |batch: Batch<'_>| {
            let mut pixels = vec![0.0; 4 * batch.order.len()];
            batch.fill(&mut pixels)?;
            seen.push((batch.order.to_vec(), pixels, batch.chain.seed()));
            Ok(())
        };
        let mut progress = Progress::new(ProgressKind::Quiet);
        if epochs.go_on(&mut progress, &stop, update).unwrap() {
            epochs.end();
        }
        seen
    }

    #[test]
    fn every_epoch_has_all_images_in_an_order_and_from_streams_of_its_own() {
        let images = Images::new(2, 2, vec![128; 4 * 23]).unwrap();
        let new = || Epochs::new(&images, Binarisation::Sampled, 5, 4, 7).unwrap();
        let mut epochs = new();
        let seen: Vec<Seen> = (0..3).map(|_| epoch(&mut epochs, usize::MAX)).collect();
        for seen in &seen {
            let mut all: Vec<usize> = seen.iter().flat_map(|batch| batch.0.clone()).collect();
            assert_eq!(seen.iter().map(|batch| batch.0.len()).collect::<Vec<_>>(), [5, 5, 5, 5, 3]);
            all.sort_unstable();
            assert_eq!(all, (0..23).collect::<Vec<_>>());
        }
        let different = |what: &dyn Fn(&Seen) -> String| seen.iter().map(what).collect::<HashSet<_>>().len();
        assert_eq!(
            different(&|seen| format!("{:?}", seen.iter().map(|batch| &batch.0).collect::<Vec<_>>())),
            3,
            "orders"
        );
        // The states of image 0, which are sampled anew.
        let states = |seen: &Seen| {
            let found = seen
                .iter()
                .find_map(|(order, pixels, _)| Some((order.iter().position(|&i| i == 0)?, pixels)));
            let (place, pixels) = found.unwrap();
            format!("{:?}", &pixels[4 * place..][..4])
        };
        assert!(different(&states) > 1, "the states of an image are the same in all epochs");
        let chains: HashSet<u64> = seen.iter().flatten().map(|batch| batch.2).collect();
        assert_eq!(chains.len(), 15, "updates draw from the same stream");
        // Stopped within the second epoch, and gone on with from a checkpoint.
        let mut epochs = new();
        let mut parts = vec![epoch(&mut epochs, usize::MAX), epoch(&mut epochs, 2)];
        let mut archive = Archive::new();
        epochs.describe(&mut archive);
        let mut resumed = new();
        resumed.restore(&archive).unwrap();
        assert_eq!((resumed.epoch, resumed.batch, resumed.position()), (1, 2, [33, 92]));
        let rest = epoch(&mut resumed, usize::MAX);
        parts[1].extend(rest);
        assert!(parts == seen[..2]);
    }
}
