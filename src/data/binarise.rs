//! Converts grey values to states of binary visible units, or to their probabilities.

use alloc::format;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use rand::Rng;

use super::images::{Images, mean_image, mean_of};
use crate::rng::Stream;
use crate::{Error, Result};

/// Under [`Binarisation::Threshold`], pixels above this value are on.
const THRESHOLD: u8 = 127;
/// Pixels that are compared with random bytes at once: a seventh of a digit, a multiple of 8.
const BLOCK: usize = 112;

/// The conversion from grey images to the input of binary units.
///
/// ```
/// use equilibria::data::{Binarisation, Images};
/// let images = Images::new(1, 3, vec![0, 127, 255])?;
/// assert_eq!(Binarisation::Threshold.states(&images, &[0], 1)?, [0.0, 0.0, 1.0]);
/// assert_eq!("sampled".parse::<Binarisation>()?, Binarisation::Sampled);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Binarisation {
    /// On if the pixel is above 127.
    Threshold,
    /// On with probability pixel / 255, drawn again for each stream and so for each epoch.
    Sampled,
    /// The probability pixel / 255 itself.
    Grey,
}

impl Binarisation {
    /// Writes the images with the indices `order` into the rows of `out`.
    ///
    /// **Shapes** `out` (rows, pixels): one row per index in `order`, one column per pixel of an image.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if `out` has a different size; [`Error::InvalidArgument`] if an index in
    /// `order` is out of range. `out` is then unchanged.
    ///
    /// **Randomness** Only `Sampled` draws: image i from `stream.substream(i)`. So a state depends on the stream and
    /// the image, not on the batch. Pass a different `stream` in each epoch. A pixel is on with probability exactly
    /// pixel / 255.
    ///
    /// **Accuracy and cost** Allocates nothing. `Sampled` draws 8 bits per pixel, and 64 more for one pixel in 256.
    ///
    /// ```
    /// use equilibria::{data::{Binarisation, Images}, rng::Stream};
    /// let images = Images::new(1, 2, vec![0, 255, 127, 128])?;
    /// let mut out = [0.5; 4];
    /// Binarisation::Threshold.fill(&images, &[1, 0], Stream::named(7, "binarise"), &mut out)?;
    /// assert_eq!(out, [0.0, 1.0, 0.0, 1.0]);
    /// # Ok::<(), equilibria::Error>(())
    /// ```
    pub fn fill(self, images: &Images, order: &[usize], stream: Stream, out: &mut [f32]) -> Result<()> {
        let pixels = images.values_per_image();
        if order.len().checked_mul(pixels) != Some(out.len()) {
            return Err(Error::ShapeMismatch {
                operation: "binarisation",
                expected: alloc::vec![order.len(), pixels],
                found: alloc::vec![out.len()],
            });
        }
        if let Some(index) = order.iter().find(|&&index| index >= images.len()) {
            return Err(Error::invalid(
                format!("image {index}"),
                format!("there are {} images", images.len()),
            ));
        }
        for (row, &index) in out.chunks_exact_mut(pixels).zip(order) {
            let image = images.image(index);
            if self == Self::Grey {
                row.iter_mut().zip(image).for_each(|(out, &pixel)| *out = f32::from(pixel) / 255.0);
                continue;
            }
            self.for_each_block(image, stream.substream(index as u64), |first, on| {
                row[first..].iter_mut().zip(on).for_each(|(out, &on)| *out = f32::from(on));
            });
        }
        Ok(())
    }

    /// Writes the states of one image as bits: bit j of word p is pixel 64 p + j. With `Grey`, pixels above 0 are on.
    ///
    /// **Randomness** `Sampled` draws from `stream`, the substream of the image.
    pub(super) fn pack(self, image: &[u8], stream: Stream, words: &mut [u64]) {
        words.fill(0);
        self.for_each_block(image, stream, |first, on| {
            for (eight, on) in (first / 8..).zip(on.chunks(8)) {
                let mut bytes = [0; 8];
                bytes[..on.len()].copy_from_slice(on);
                words[eight / 8] |= to_bits(bytes) << (eight % 8 * 8);
            }
        });
    }

    /// Calls `write` for each block of pixels with the index of its first pixel, and with 1 for each pixel that is on and 0
    /// for each that is off.
    fn for_each_block(self, image: &[u8], stream: Stream, mut write: impl FnMut(usize, &[u8])) {
        let mut random = stream.generator();
        let (mut block, mut on) = ([0; BLOCK], [0; BLOCK]);
        for (index, pixels) in image.chunks(BLOCK).enumerate() {
            block[..pixels.len()].copy_from_slice(pixels);
            block[pixels.len()..].fill(0);
            match self {
                Self::Threshold => on = block.map(|pixel| u8::from(pixel > THRESHOLD)),
                Self::Grey => on = block.map(|pixel| u8::from(pixel > 0)),
                Self::Sampled => sample(&block, &mut random, &mut on),
            }
            write(index * BLOCK, &on[..pixels.len()]);
        }
    }

    /// The images with the indices `order` as states, each 0 or 1. `Grey`, which gives probabilities, becomes `Threshold`.
    ///
    /// **Shapes** Returns (rows, pixels): one row per index in `order`.
    ///
    /// **Errors** As [`Binarisation::fill`].
    ///
    /// **Randomness** As [`Binarisation::fill`], from the stream `binarise` of `seed`.
    pub fn states(self, images: &Images, order: &[usize], seed: u64) -> Result<Vec<f32>> {
        let binary = if self == Self::Grey { Self::Threshold } else { self };
        let mut out = alloc::vec![0.0; order.len() * images.values_per_image()];
        binary.fill(images, order, Stream::named(seed, "binarise"), &mut out)?;
        Ok(out)
    }

    /// The mean of each input over all images, which initialises the visible biases; zeros if there are no images.
    ///
    /// `Sampled` returns the same as `Grey`, which is its expectation.
    pub fn mean(self, images: &Images) -> Vec<f32> {
        match self {
            Self::Threshold => mean_of(images, |pixel| u64::from(pixel > THRESHOLD), 1.0),
            Self::Sampled | Self::Grey => mean_image(images),
        }
    }

    /// The name in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Threshold => "threshold",
            Self::Sampled => "sampled",
            Self::Grey => "grey",
        }
    }
}

impl fmt::Display for Binarisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Binarisation {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        let lower = word.to_ascii_lowercase();
        let name = if lower == "gray" { "grey" } else { &lower };
        [Self::Threshold, Self::Sampled, Self::Grey]
            .into_iter()
            .find(|choice| choice.name() == name)
            .ok_or_else(|| Error::invalid(format!("`{word}`"), "it must be threshold, sampled or grey"))
    }
}

/// Samples the state of each pixel: on with probability p / 255, from one random byte per pixel.
///
/// In base 256 the fraction p / 255 is 0.ppp…. So a uniform number is below it if its first digit that differs from p
/// is below p. The first digit decides except for one pixel in 256, which draws further digits. So 0 is never on (and
/// needs no further digit), and 255 is always on.
fn sample(pixels: &[u8; BLOCK], random: &mut impl Rng, on: &mut [u8; BLOCK]) {
    let mut digits = [0_u8; BLOCK];
    for word in digits.as_chunks_mut::<8>().0 {
        *word = random.next_u64().to_le_bytes();
    }
    let mut ties = 0_u8;
    for at in 0..BLOCK {
        on[at] = u8::from(digits[at] < pixels[at]);
        ties |= u8::from(digits[at] == pixels[at]) & u8::from(pixels[at] != 0);
    }
    if ties == 0 {
        return;
    }
    for at in 0..BLOCK {
        if digits[at] == pixels[at] && pixels[at] != 0 {
            on[at] = u8::from(below(pixels[at], random));
        }
    }
}

/// Eight bytes of 0 or 1 as bits, the first byte as the lowest bit. The product adds byte i at bit 56 + i, without carries.
fn to_bits(bytes: [u8; 8]) -> u64 {
    u64::from_le_bytes(bytes).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// Returns whether a new uniform number is below p / 255, by its base-256 digits.
fn below(pixel: u8, random: &mut impl Rng) -> bool {
    loop {
        let digits = random.next_u64().to_le_bytes();
        if let Some(digit) = digits.into_iter().find(|&digit| digit != pixel) {
            return digit < pixel;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "binarise";

    /// One image that contains every grey value twice, and three pixels more.
    fn ramp() -> Images {
        Images::new(1, 515, (0..515).map(|at| (at % 256) as u8).collect()).unwrap()
    }

    #[test]
    fn names_are_parsed_as_they_are_printed() {
        for choice in [Binarisation::Threshold, Binarisation::Sampled, Binarisation::Grey] {
            assert_eq!(format!("{choice}").parse(), Ok(choice));
        }
        let text = format!("{}", "Greyish".parse::<Binarisation>().unwrap_err());
        assert_eq!(text, "`Greyish`: it must be threshold, sampled or grey");
    }

    #[test]
    fn states_are_those_of_training_and_never_grey() {
        let images = ramp();
        let states = |choice: Binarisation| choice.states(&images, &[0], 5).unwrap();
        let mut sampled = [0.5; 515];
        Binarisation::Sampled.fill(&images, &[0], Stream::named(5, STREAM), &mut sampled).unwrap();
        assert_eq!(states(Binarisation::Sampled), sampled);
        assert_eq!(states(Binarisation::Grey), states(Binarisation::Threshold));
        assert!(Binarisation::Grey.states(&images, &[1], 5).is_err());
    }

    #[test]
    fn threshold_and_grey_follow_their_definitions() {
        let (images, mut out) = (ramp(), [0.5; 515]);
        Binarisation::Threshold.fill(&images, &[0], Stream::named(0, STREAM), &mut out).unwrap();
        assert!(out.iter().zip(images.pixels()).all(|(&state, &pixel)| (state == 1.0) == (pixel > 127)));
        assert!(out.iter().all(|&state| state == 0.0 || state == 1.0));
        Binarisation::Grey.fill(&images, &[0], Stream::named(0, STREAM), &mut out).unwrap();
        assert!(out.iter().zip(images.pixels()).all(|(&state, &pixel)| state == f32::from(pixel) / 255.0));
    }

    /// The frequency of every grey value within 5 standard deviations; 0 and 255 exactly.
    #[test]
    fn sampled_states_have_the_probability_of_their_pixel() {
        const EPOCHS: u64 = 4000;
        let (images, mut out, mut on) = (ramp(), [0.5; 515], [0.0_f64; 256]);
        for epoch in 0..EPOCHS {
            let stream = Stream::named(7, STREAM).substream(epoch);
            Binarisation::Sampled.fill(&images, &[0], stream, &mut out).unwrap();
            assert!(out.iter().all(|&state| state == 0.0 || state == 1.0));
            for (place, &state) in out[..512].iter().enumerate() {
                on[place % 256] += f64::from(state);
            }
        }
        let draws = (2 * EPOCHS) as f64;
        for (pixel, on) in on.iter().enumerate() {
            let chance = pixel as f64 / 255.0;
            let deviation = libm::sqrt(draws * chance * (1.0 - chance));
            assert!((on - draws * chance).abs() <= 5.0 * deviation, "pixel {pixel}: {on} of {draws}");
        }
        // All values together have a 16 times smaller error, which would show a bias of one in 256.
        let (sum, chances) = (on.iter().sum::<f64>(), (0..256).map(|pixel| f64::from(pixel) / 255.0));
        let deviation = libm::sqrt(chances.map(|chance| draws * chance * (1.0 - chance)).sum());
        assert!((sum - 128.0 * draws).abs() < 5.0 * deviation, "{sum} for {}", 128.0 * draws);
    }

    /// Ties draw further digits. They are rare in an image, so this test samples ties only.
    #[test]
    fn ties_are_broken_with_the_same_probability() {
        let mut random = Stream::named(3, STREAM).generator();
        for pixel in [1, 77, 200, 254] {
            let on = (0..20_000).filter(|_| below(pixel, &mut random)).count() as f64;
            let chance = f64::from(pixel) / 255.0;
            let deviation = libm::sqrt(20_000.0 * chance * (1.0 - chance));
            assert!((on - 20_000.0 * chance).abs() < 5.0 * deviation, "pixel {pixel}: {on}");
        }
    }

    #[test]
    fn every_byte_pattern_becomes_its_bits() {
        for bits in 0..256_u64 {
            let bytes = core::array::from_fn(|bit| (bits >> bit & 1) as u8);
            assert_eq!(to_bits(bytes), bits);
        }
    }

    #[test]
    fn a_sampled_image_depends_only_on_stream_and_index() {
        let images = Images::new(2, 8, (0..160).map(|at| at as u8).collect()).unwrap();
        let (mut all, mut some) = ([0.5; 160], [0.5; 32]);
        let order: Vec<usize> = (0..10).collect();
        let stream = Stream::named(1, STREAM).substream(4);
        Binarisation::Sampled.fill(&images, &order, stream, &mut all).unwrap();
        Binarisation::Sampled.fill(&images, &[9, 3], stream, &mut some).unwrap();
        assert_eq!((&some[..16], &some[16..]), (&all[144..], &all[48..64]));
        Binarisation::Sampled
            .fill(&images, &[9, 3], Stream::named(1, STREAM).substream(5), &mut some)
            .unwrap();
        assert_ne!(some[..16], all[144..]);

        // Equal images get different states.
        let images = Images::new(1, 32, alloc::vec![100; 64]).unwrap();
        let mut out = [0.5; 64];
        Binarisation::Sampled.fill(&images, &[0, 1], stream, &mut out).unwrap();
        assert_ne!(out[..32], out[32..]);
    }

    #[test]
    fn wrong_sizes_and_indices_leave_the_output_unchanged() {
        let images = Images::new(1, 2, alloc::vec![255; 4]).unwrap();
        let (stream, mut out) = (Stream::named(0, STREAM), [0.5; 3]);
        let error = Binarisation::Threshold.fill(&images, &[0, 1], stream, &mut out).unwrap_err();
        assert_eq!(format!("{error}"), "binarisation: expected shape (2, 2), found (3)");
        let error = Binarisation::Threshold.fill(&images, &[2], stream, &mut out[..2]).unwrap_err();
        assert_eq!(format!("{error}"), "image 2: there are 2 images");
        assert_eq!(out, [0.5; 3]);
    }

    #[test]
    fn means_are_those_of_the_inputs() {
        let images = Images::new(1, 3, alloc::vec![0, 255, 127, 0, 128, 128, 0, 255, 255]).unwrap();
        let close = |found: Vec<f32>, right: [f64; 3]| {
            found.len() == 3 && found.iter().zip(right).all(|(&found, right)| found == right as f32)
        };
        let grey = [0.0, 638.0 / 765.0, 510.0 / 765.0];
        assert!(close(mean_image(&images), grey) && close(Binarisation::Sampled.mean(&images), grey));
        assert!(close(Binarisation::Threshold.mean(&images), [0.0, 1.0, 2.0 / 3.0]));
        let none = Images::new(1, 2, Vec::new()).unwrap();
        assert_eq!(Binarisation::Grey.mean(&none), [0.0; 2]);
    }
}
