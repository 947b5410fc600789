//! Mini-batches of real images, by number.

use crate::data::Images;
use crate::parallel::{Chunks, for_each_split};
use crate::rng::Stream;
use rand::Rng;

/// The mini-batches of shuffled epochs.
pub(super) struct Batches<'a> {
    images: &'a Images,
    batch: usize,
    shuffle: Stream,
    /// Decides which images are mirrored, if any are.
    flip: Option<Stream>,
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
        Self { images, batch, shuffle, flip: None, epoch: None, order: vec![0; images.len()], numbers }
    }

    /// Mirrors each image left to right in half of all epochs, if `flips` is true.
    ///
    /// **Randomness** A coin for each epoch and image: the first bit of the substream of the image, of the substream of the
    /// epoch of `flip`. So it depends neither on the batch nor on the order.
    pub fn flipped(self, seed: u64, flips: bool) -> Self {
        Self { flip: flips.then(|| Stream::named(seed, "flip")), ..self }
    }

    /// Mini-batches per epoch.
    pub fn per_epoch(&self) -> usize {
        self.images.len() / self.batch
    }

    /// Fills `samples` (batch, values) with mini-batch `index` of the run: -1 for 0, 1 for 255.
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
        let (images, numbers, size) = (self.images, &self.numbers, self.images.values_per_image());
        let [_, width, channels] = images.shape();
        let flip = self.flip.map(|flip| flip.substream(epoch));
        let tasks = order.len().div_ceil(TASK);
        for_each_split(tasks, true, Chunks(samples, TASK * size), &|task, Chunks(samples, _)| {
            for (sample, &image) in samples.chunks_exact_mut(size).zip(&order[task * TASK..]) {
                for (x, &value) in sample.iter_mut().zip(images.image(image)) {
                    *x = numbers[usize::from(value)];
                }
                let is_flipped =
                    |flip: Stream| flip.substream(image as u64).generator().next_u64() >> 63 == 1;
                if flip.is_some_and(is_flipped) {
                    sample.chunks_exact_mut(width * channels).for_each(|row| mirror(row, channels));
                }
            }
        });
    }
}

/// Reverses the order of the pixels of a row.
fn mirror(row: &mut [f32], channels: usize) {
    row.reverse();
    row.chunks_exact_mut(channels).for_each(<[f32]>::reverse);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_images_are_mirrored_whatever_the_batch() {
        // Image i has the pixels (i, 1, 2), (3, 4, 5) in its only row.
        let pixels = (0..200).flat_map(|i| [i, 201, 202, 203, 204, 205]).collect();
        let images = Images::with_channels(1, 2, 3, pixels).unwrap();
        let states = |batch: usize, epoch: u64| {
            let mut batches = Batches::new(&images, batch, 5).flipped(5, true);
            let mut flipped = vec![None; 200];
            let per_epoch = batches.per_epoch() as u64;
            for index in epoch * per_epoch..(epoch + 1) * per_epoch {
                let mut samples = vec![0.0; batch * 6];
                batches.fill(index, &mut samples);
                for sample in samples.as_chunks::<6>().0 {
                    let [a, b, c, d, e, f] = sample.map(|x| ((x + 1.0) * 127.5).round() as u8);
                    let (image, is_flipped) = match b {
                        201 => (a, false),
                        _ => (d, true),
                    };
                    let (first, second) = ([image, 201, 202], [203, 204, 205]);
                    let right = if is_flipped { [second, first] } else { [first, second] };
                    assert_eq!([[a, b, c], [d, e, f]], right, "the colours of a pixel stay together");
                    flipped[usize::from(image)] = Some(is_flipped);
                }
            }
            flipped
        };
        let epochs = [0, 1].map(|epoch| states(20, epoch));
        for epoch in &epochs {
            let count = epoch.iter().filter(|&&flipped| flipped == Some(true)).count();
            assert!((70..130).contains(&count), "{count} of 200");
        }
        assert_ne!(epochs[0], epochs[1]);
        assert_eq!(states(50, 1), epochs[1], "the coin does not depend on the batch");
    }

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
