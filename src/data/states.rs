//! Binary images as bits, in the layout of the binary kernels.

use super::{Binarisation, Images};
use crate::parallel::{Chunks, for_each_split};
use crate::rng::Stream;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::binary::panels;

/// The states of the pixels of a set of images, 64 per word.
///
/// **Accuracy and cost** Uses an eighth of the images' bytes. Each pixel is converted once, not once for each
/// mini-batch that contains it.
#[derive(Debug, Clone)]
pub struct BinaryImages {
    /// Words per image: bit j of word p is pixel 64 p + j.
    panels: usize,
    words: Vec<u64>,
}

/// Images per parallel task.
const BLOCK: usize = 128;

impl BinaryImages {
    /// Creates storage for the states of `images`, all off.
    pub fn new(images: &Images) -> Self {
        let panels = panels(images.values_per_image());
        Self { panels, words: vec![0; images.len() * panels] }
    }

    /// Computes the states of the pixels of `images` by `binarisation`; with [`Binarisation::Grey`], pixels above 0 are
    /// on.
    ///
    /// **Randomness** As [`Binarisation::fill`]: the states do not depend on the order of the images.
    ///
    /// **Panics** if the images differ in number or size from those given to [`BinaryImages::new`].
    #[track_caller]
    pub fn fill(&mut self, binarisation: Binarisation, images: &Images, stream: Stream) {
        let panels = self.panels;
        assert!(
            panels == equilibria_kernels::binary::panels(images.values_per_image())
                && self.words.len() == images.len() * panels,
            "images of another number or size than at creation"
        );
        let blocks = Chunks(&mut self.words, BLOCK * panels);
        for_each_split(images.len().div_ceil(BLOCK), true, blocks, &|block, words| {
            for (index, words) in (block * BLOCK..).zip(words.0.chunks_exact_mut(panels)) {
                binarisation.pack(images.image(index), stream.substream(index as u64), words);
            }
        });
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
        // Several blocks and a part of one; images of one word, of part of a word more, and of whole words.
        for width in [1, 10, 13, 64] {
            let pixels = 10 * width;
            let grey = (0..300 * pixels).map(|i| (i * 31 % 251) as u8).collect();
            let images = Images::new(10, width, grey).unwrap();
            let order = [299, 0, 128, 127, 5];
            for binarisation in [Binarisation::Threshold, Binarisation::Sampled, Binarisation::Grey] {
                let stream = Stream::named(3, "binarise");
                let mut packed = BinaryImages::new(&images);
                packed.fill(binarisation, &images, stream);
                let mut states = vec![0; panels(pixels) * order.len()];
                packed.gather(&order, &mut states);
                let (mut found, mut right) = (vec![0.5; 5 * pixels], vec![0.5; 5 * pixels]);
                unpack_states(&states, pixels, &mut found);
                binarisation.fill(&images, &order, stream, &mut right).unwrap();
                right.iter_mut().for_each(|x| *x = f32::from(u8::from(*x > 0.0)));
                assert_eq!(found, right, "{binarisation}, {pixels} pixels");
            }
        }
    }
}
