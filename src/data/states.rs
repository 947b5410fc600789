//! Binary images as bits, as the binary kernels want them.

use super::{Binarisation, Images};
use crate::Result;
use crate::parallel::for_each_row;
use crate::rng::Stream;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::Level;
use equilibria_kernels::binary::{pack_states, panels};

/// The states of the pixels of a set of images, 64 a word.
///
/// **Accuracy and cost** An eighth of the images' bytes; each pixel is looked at once, not once for each mini-batch
/// that it is in.
#[derive(Debug, Clone)]
pub struct BinaryImages {
    /// Words of an image: bit j of word p is pixel 64 p + j.
    panels: usize,
    words: Vec<u64>,
    /// An image of floats for each block of images, and what went wrong in it.
    rows: Vec<f32>,
    outcomes: Vec<Result<()>>,
}

/// Images that a task packs.
const BLOCK: usize = 128;

impl BinaryImages {
    /// Room for the states of `images`, all off.
    pub fn new(images: &Images) -> Self {
        let (panels, blocks) = (panels(images.pixels_per_image()), images.len().div_ceil(BLOCK));
        Self {
            panels,
            words: vec![0; blocks * BLOCK * panels],
            rows: vec![0.0; blocks * images.pixels_per_image()],
            outcomes: vec![Ok(()); blocks],
        }
    }

    /// The states that `binarisation` gives the pixels of `images`; of [`Binarisation::Grey`], pixels above 0 are on.
    ///
    /// **Randomness** As [`Binarisation::fill`]: the states do not depend on the order in which images are taken.
    /// **Errors** As [`Binarisation::fill`].
    /// **Panics** if there are not as many images as at first.
    #[track_caller]
    pub fn fill(&mut self, binarisation: Binarisation, images: &Images, stream: Stream) -> Result<()> {
        let (panels, pixels) = (self.panels, images.pixels_per_image());
        assert!(self.rows.len() == self.outcomes.len() * pixels, "images of another size than at first");
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

    /// Takes the images of `order` into `states` (panels, images of `order`).
    ///
    /// **Panics** if `order` names an image that is not there, and if `states` has another size.
    #[track_caller]
    pub fn gather(&self, order: &[usize], states: &mut [u64]) {
        assert!(
            states.len() == self.panels * order.len(),
            "{} words for {} images of {}",
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
    fn images_are_packed_as_they_are_filled() {
        // Blocks and a part of one, an image of two words.
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
