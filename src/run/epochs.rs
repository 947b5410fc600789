//! Mini-batches of shuffled epochs, and the position in them.

use super::{Progress, restore};
use crate::Result;
use crate::checkpoint::Archive;
use crate::data::{Binarisation, BinaryImages, Images};
use crate::rng::Stream;
use std::time::Instant;

/// The training images in the order of the current epoch, and the position in it.
pub(super) struct Epochs<'a> {
    images: &'a Images,
    binarise: Binarisation,
    seed: u64,
    /// The number of the first epoch in its streams.
    first: u64,
    /// Images in a mini-batch.
    batch_size: usize,
    /// Number of epochs of the run.
    all: usize,
    /// The images as bits, if they are binary.
    states: Option<BinaryImages>,
    order: Vec<usize>,
    /// Number of complete epochs.
    pub epoch: usize,
    /// Number of complete mini-batches of the current epoch.
    pub batch: usize,
    /// Their duration.
    pub seconds: f64,
}

/// A mini-batch.
pub(super) struct Batch<'a> {
    /// The indices of its images.
    pub order: &'a [usize],
    /// All images as bits, if they are binary.
    pub states: Option<&'a BinaryImages>,
    /// The random stream of the update.
    pub chain: Stream,
    /// Its number in the current epoch, from 1.
    pub number: usize,
    images: &'a Images,
    binarise: (Binarisation, Stream),
}

impl Batch<'_> {
    /// Fills `place` with the images as numbers; (images, pixels).
    pub fn fill(&self, place: &mut [f32]) -> Result<()> {
        let (binarise, stream) = self.binarise;
        binarise.fill(self.images, self.order, stream, place)
    }
}

impl<'a> Epochs<'a> {
    /// Begins the first of `all` epochs.
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
        Ok(Self {
            images,
            binarise,
            seed,
            first: 0,
            batch_size,
            all,
            states,
            order,
            epoch: 0,
            batch: 0,
            seconds: 0.0,
        })
    }

    /// Counts the epochs from 1 in the names of their streams.
    pub fn counted_from_1(self) -> Self {
        Self { first: 1, ..self }
    }

    /// The stream of this name for the current epoch.
    pub fn stream(&self, name: &str) -> Stream {
        Stream::named(self.seed, name).substream(self.first + self.epoch as u64)
    }

    /// Images so far, and in total, counted in every epoch.
    pub fn position(&self) -> [u64; 2] {
        let images = self.images.len() as u64;
        let begun = (self.batch * self.batch_size).min(self.images.len()) as u64;
        [self.epoch as u64 * images + begun, (self.all as u64).saturating_mul(images)]
    }

    /// Calls `update` for each remaining mini-batch of the current epoch. Returns false if `stop` returned true before its end.
    ///
    /// **Randomness** The order from the substreams of `shuffle` by epoch, states from those of `binarise`; each mini-batch has
    /// a substream of those of `chain`.
    pub fn run(
        &mut self,
        progress: &mut Progress,
        stop: &(dyn Fn() -> bool + Sync),
        mut update: impl FnMut(Batch<'_>) -> Result<()>,
    ) -> Result<bool> {
        let [shuffle, bits, chain] = ["shuffle", "binarise", "chain"].map(|name| self.stream(name));
        let Self { images, binarise, batch_size, states, order, batch: done, seconds, .. } = self;
        shuffle.permutation(order);
        let clock = Instant::now();
        if let (Binarisation::Sampled, Some(states)) = (*binarise, &mut *states) {
            states.fill(*binarise, images, bits);
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
                chain: chain.substream(*done as u64 + 1),
                number: *done + 1,
                images,
                binarise: (*binarise, bits),
            })?;
            *done += 1;
            progress.advance(order.len() as u64);
        }
        *seconds += clock.elapsed().as_secs_f64();
        Ok(is_whole)
    }

    /// Begins the next epoch. Returns the duration of this one.
    pub fn end(&mut self) -> f64 {
        self.epoch += 1;
        self.batch = 0;
        std::mem::take(&mut self.seconds)
    }

    /// Puts the position into a checkpoint.
    pub fn describe(&self, archive: &mut Archive) {
        archive.set_metadata("epoch", &self.epoch.to_string());
        archive.set_metadata("batch", &self.batch.to_string());
        archive.set_metadata("seconds", &self.seconds.to_string());
    }

    /// Restores the position from a checkpoint.
    ///
    /// **Errors** [`Error::Malformed`] if this run cannot have reached it.
    pub fn restore(&mut self, archive: &Archive) -> Result<()> {
        self.epoch = restore::number(archive, "epoch", self.all as u64)? as usize;
        // After the last epoch there is no further batch.
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

    /// For each mini-batch: indices, pixels and the seed of the update's stream.
    type Recorded = Vec<(Vec<usize>, Vec<f32>, u64)>;

    fn epoch(epochs: &mut Epochs<'_>, stop_after: usize) -> Recorded {
        let mut recorded = Recorded::new();
        let calls = std::sync::atomic::AtomicUsize::new(0);
        let stop = || calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == stop_after;
        let update = |batch: Batch<'_>| {
            let mut pixels = vec![0.0; 4 * batch.order.len()];
            batch.fill(&mut pixels)?;
            recorded.push((batch.order.to_vec(), pixels, batch.chain.seed()));
            Ok(())
        };
        let mut progress = Progress::new(ProgressKind::Quiet);
        if epochs.run(&mut progress, &stop, update).unwrap() {
            epochs.end();
        }
        recorded
    }

    #[test]
    fn every_epoch_has_all_images_in_its_own_order_and_its_own_streams() {
        let images = Images::new(2, 2, vec![128; 4 * 23]).unwrap();
        let new = || Epochs::new(&images, Binarisation::Sampled, 5, 4, 7).unwrap();
        let mut epochs = new();
        let seen: Vec<Recorded> = (0..3).map(|_| epoch(&mut epochs, usize::MAX)).collect();
        for seen in &seen {
            let mut all: Vec<usize> = seen.iter().flat_map(|batch| batch.0.clone()).collect();
            assert_eq!(seen.iter().map(|batch| batch.0.len()).collect::<Vec<_>>(), [5, 5, 5, 5, 3]);
            all.sort_unstable();
            assert_eq!(all, (0..23).collect::<Vec<_>>());
        }
        let different =
            |property: &dyn Fn(&Recorded) -> String| seen.iter().map(property).collect::<HashSet<_>>().len();
        assert_eq!(
            different(&|seen| format!("{:?}", seen.iter().map(|batch| &batch.0).collect::<Vec<_>>())),
            3,
            "orders"
        );
        // The states of image 0, which are sampled again in each epoch.
        let states = |seen: &Recorded| {
            let found = seen
                .iter()
                .find_map(|(order, pixels, _)| Some((order.iter().position(|&i| i == 0)?, pixels)));
            let (place, pixels) = found.unwrap();
            format!("{:?}", &pixels[4 * place..][..4])
        };
        assert!(different(&states) > 1, "the states of an image are the same in all epochs");
        let chains: HashSet<u64> = seen.iter().flatten().map(|batch| batch.2).collect();
        assert_eq!(chains.len(), 15, "updates draw from the same stream");
        // Stopped within the second epoch and resumed from a checkpoint.
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
