//! Mini-batches of real images, by number.

use crate::data::Images;
use crate::parallel::{Chunks, for_each_split};
use crate::rng::Stream;

/// The mini-batches of shuffled epochs.
pub(super) struct Batches<'a> {
    images: &'a Images,
    batch: usize,
    shuffle: Stream,
    /// The epoch of `order`.
    epoch: Option<u64>,
    order: Vec<usize>,
    /// The number for each pixel value; a table is faster than the conversion.
    numbers: [f32; 256],
}

/// Images per task, some microseconds of work.
const TASK: usize = 8;

impl<'a> Batches<'a> {
    /// **Panics** in [`Batches::fill`] if there are fewer images than a mini-batch has.
    pub fn new(images: &'a Images, batch: usize, seed: u64) -> Self {
        let shuffle = Stream::named(seed, "shuffle");
        let numbers = core::array::from_fn(|pixel| pixel as f32 * (2.0 / 255.0) - 1.0);
        Self { images, batch, shuffle, epoch: None, order: vec![0; images.len()], numbers }
    }

    /// Mini-batches per epoch.
    pub fn per_epoch(&self) -> usize {
        self.images.len() / self.batch
    }

    /// Fills `samples` (batch, pixels) with mini-batch `index` of the run: -1 is background, 1 full ink.
    ///
    /// **Randomness** The order of epoch e from the substream e of `shuffle`.
    pub fn fill(&mut self, index: u64, samples: &mut [f32]) {
        let per_epoch = self.per_epoch() as u64;
        let (epoch, place) = (index / per_epoch, (index % per_epoch) as usize);
        if self.epoch != Some(epoch) {
            self.shuffle.substream(epoch).permutation(&mut self.order);
            self.epoch = Some(epoch);
        }
        let order = &self.order[place * self.batch..(place + 1) * self.batch];
        let (images, numbers, pixels) = (self.images, &self.numbers, self.images.values_per_image());
        let tasks = order.len().div_ceil(TASK);
        for_each_split(tasks, true, Chunks(samples, TASK * pixels), &|task, Chunks(samples, _)| {
            for (sample, &image) in samples.chunks_exact_mut(pixels).zip(&order[task * TASK..]) {
                for (x, &pixel) in sample.iter_mut().zip(images.image(image)) {
                    *x = numbers[usize::from(pixel)];
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_has_every_image_once_and_batches_come_in_any_order() {
        let images = Images::new(1, 1, (0..7).map(|i| i * 40).collect()).unwrap();
        let mut batches = Batches::new(&images, 3, 5);
        assert_eq!(batches.per_epoch(), 2);
        let mut batch = |index| {
            let mut samples = [0.0; 3];
            batches.fill(index, &mut samples);
            samples.map(|x| ((x + 1.0) * 127.5).round() as u8 / 40)
        };
        let epochs: Vec<_> = (0..6).map(&mut batch).collect();
        for epoch in epochs.chunks(2) {
            let mut seen = [epoch[0], epoch[1]].concat();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), 6, "{epoch:?}");
        }
        assert_ne!(epochs[..2], epochs[2..4]);
        // In any order, as in a resumed run.
        assert_eq!([batch(3), batch(1), batch(4)], [epochs[3], epochs[1], epochs[4]]);
    }
}
