//! Binary images as bits, in the layout of the binary kernels.

use super::{Binarisation, Images};
use crate::Result;
use crate::parallel::for_each_row;
use crate::rng::Stream;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::Level;
use equilibria_kernels::binary::{pack_states, panels};

/// The states of the pixels of a set of images, 64 per word.
///
/// **Accuracy and cost** Uses an eighth of the images' bytes. Each pixel is converted once, not once for each
/// mini-batch that contains it.
#[derive(Debug, Clone)]
pub struct BinaryImages {
    /// Words per image: bit j of word p is pixel 64 p + j.
    panels: usize,
    words: Vec<u64>,
    /// For each block of images, a buffer for one image in f32, and the outcome of the block.
    rows: Vec<f32>,
    outcomes: Vec<Result<()>>,
}

/// Images per parallel task.
const BLOCK: usize = 128;

impl BinaryImages {
    /// Creates storage for the states of `images`, all off.
    pub fn new(images: &Images) -> Self {
        let (panels, blocks) = (panels(images.pixels_per_image()), images.len().div_ceil(BLOCK));
        Self {
            panels,
            words: vec![0; blocks * BLOCK * panels],
            rows: vec![0.0; blocks * images.pixels_per_image()],
            outcomes: vec![Ok(()); blocks],
        }
    }

    /// Computes the states of the pixels of `images` by `binarisation`; with [`Binarisation::Grey`], pixels above 0 are
    /// on.
    ///
    /// **Randomness** As [`Binarisation::fill`]: the states do not depend on the order of the images.
    ///
    /// **Errors** As [`Binarisation::fill`].
    ///
    /// **Panics** if the images differ in size, or their number in blocks, from those given to [`BinaryImages::new`].
    #[track_caller]
    pub fn fill(&mut self, binarisation: Binarisation, images: &Images, stream: Stream) -> Result<()> {
        let (panels, pixels) = (self.panels, images.pixels_per_image());
        assert!(self.rows.len() == self.outcomes.len() * pixels, "images of another size than at creation");
        let fill = |block: usize, words: &mut [u64], row: &mut [f32], outcome: &mut Result<()>| {
            *outcome = (block * BLOCK..images.len().min((block + 1) * BLOCK))
                .zip(words.chunks_exact_mut(panels))
                .try_for_each(|(index, words)| {
                    binarisation.fill(images, &[index], stream, row)?;
                    pack_states(Level::detect(), row, pixels, words);
                    Ok(())
                });
        };
        let (words, rows) = ((&mut self.words[..], BLOCK * panels), (&mut self.rows[..], pixels));
        for_each_row(words, rows, &mut self.outcomes, fill);
        self.outcomes.iter().cloned().collect()
    }

    /// Copies the states of the images `order` into `states` (panels, images of `order`).
    ///
    /// **Panics** if an index in `order` is out of range, or if `states` has the wrong size.
    #[track_caller]
    pub fn gather(&self, order: &[usize], states: &mut [u64]) {
        assert!(
            states.len() == self.panels * order.len(),
            "{} words for {} images of {} words",
            states.len(),
            order.len(),
            self.panels
        );
        for (row, &index) in order.iter().enumerate() {
            let image = &self.words[index * self.panels..][..self.panels];
            for (panel, &word) in image.iter().enumerate() {
                states[panel * order.len() + row] = word;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use equilibria_kernels::binary::unpack_states;

    #[test]
    fn packed_images_have_the_states_of_filled_images() {
        // Several blocks and a part of one; each image has two words.
        let images = Images::new(10, 10, (0..300 * 100).map(|i| (i * 31 % 251) as u8).collect()).unwrap();
        let order = [299, 0, 128, 127, 5];
        for binarisation in [Binarisation::Threshold, Binarisation::Sampled] {
            let stream = Stream::named(3, "binarise");
            let mut packed = BinaryImages::new(&images);
            packed.fill(binarisation, &images, stream).unwrap();
            let mut states = vec![0; 2 * order.len()];
            packed.gather(&order, &mut states);
            let (mut found, mut right) = (vec![0.5; 500], vec![0.5; 500]);
            unpack_states(&states, 100, &mut found);
            binarisation.fill(&images, &order, stream, &mut right).unwrap();
            assert_eq!(found, right, "{binarisation}");
        }
    }
}
