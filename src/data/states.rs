//! Binary images as bits, in the layout of the binary kernels.

use super::{Binarisation, Images};
use crate::parallel::{Chunks, for_each_split};
use crate::rng::Stream;
use crate::tensor::{Element, Tensor};
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::binary::{PANEL, panels, unpack_states};

/// The states of the pixels of a set of images, 64 per word.
///
/// **Accuracy and cost** Uses an eighth of the images' bytes. Each pixel is converted once, not once for each
/// mini-batch that contains it.
///
/// ```
/// use equilibria::data::BinaryImages;
/// let images = BinaryImages::from_rows(&[vec![true, false, false], vec![true, true, false]])?;
/// assert_eq!((images.len(), images.pixels()), (2, 3));
/// assert_eq!(images.mean(), [1.0, 0.5, 0.0]);
/// assert_eq!(images.to_tensor::<f64>().row(1), [1.0, 1.0, 0.0]);
/// assert!(BinaryImages::from_rows(&[vec![true], vec![true, false]]).is_err());
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinaryImages {
    pixels: usize,
    /// Words per image: bit j of word p is pixel 64 p + j.
    panels: usize,
    words: Vec<u64>,
}

/// Images per parallel task.
const BLOCK: usize = 128;

impl BinaryImages {
    /// Creates storage for the states of `images`, all off.
    pub fn new(images: &Images) -> Self {
        let pixels = images.values_per_image();
        let panels = panels(pixels);
        Self { pixels, panels, words: vec![0; images.len() * panels] }
    }

    /// Computes the states of `images`; see [`BinaryImages::fill`].
    pub fn of(images: &Images, binarisation: Binarisation, stream: Stream) -> Self {
        let mut states = Self::new(images);
        states.fill(binarisation, images, stream);
        states
    }

    /// Creates images from their bits, one row for each image.
    ///
    /// **Errors** [`Error::InvalidArgument`] if there are no rows, or they are empty or differ in length.
    pub fn from_rows<R: AsRef<[bool]>>(rows: &[R]) -> Result<Self> {
        let pixels = rows.first().map_or(0, |row| row.as_ref().len());
        if pixels == 0 {
            return Err(Error::invalid("images without bits", "at least 1 row of at least 1 bit is needed"));
        }
        let panels = panels(pixels);
        let mut words = vec![0; rows.len() * panels];
        for (index, (row, words)) in rows.iter().zip(words.chunks_exact_mut(panels)).enumerate() {
            let row = row.as_ref();
            if row.len() != pixels {
                let found = format!("row {index} of {} bits", row.len());
                return Err(Error::invalid(found, format!("row 0 has {pixels}; all rows need one length")));
            }
            for (bit, _) in row.iter().enumerate().filter(|(_, on)| **on) {
                words[bit / PANEL] |= 1 << (bit % PANEL);
            }
        }
        Ok(Self { pixels, panels, words })
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.words.len() / self.panels
    }

    /// True if there are no images.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The number of pixels of an image.
    pub fn pixels(&self) -> usize {
        self.pixels
    }

    /// The states as numbers, each 0 or 1: (images, pixels).
    pub fn to_tensor<T: Element>(&self) -> Tensor<T> {
        let mut numbers = Tensor::zeros(&[self.len(), self.pixels]);
        for (row, words) in
            numbers.data_mut().chunks_exact_mut(self.pixels).zip(self.words.chunks(self.panels))
        {
            unpack_states(words, self.pixels, row);
        }
        numbers
    }

    /// The mean of each pixel over all images, which initialises visible biases; zeros if there are no images.
    pub fn mean(&self) -> Vec<f32> {
        let mut counts = vec![0_u32; self.pixels];
        for words in self.words.chunks_exact(self.panels) {
            for (pixel, count) in counts.iter_mut().enumerate() {
                *count += u32::from(words[pixel / PANEL] >> (pixel % PANEL) & 1 == 1);
            }
        }
        counts.iter().map(|&count| (f64::from(count) / self.len().max(1) as f64) as f32).collect()
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
