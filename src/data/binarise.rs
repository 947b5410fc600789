//! Grey values as the states of binary visible units, or as their probabilities.

use alloc::format;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use rand::Rng;

use super::{Images, mean_image, mean_of};
use crate::rng::Stream;
use crate::{Error, Result};

/// Pixels above this are on under [`Binarisation::Threshold`].
const THRESHOLD: u8 = 127;
/// Pixels that are compared with random bytes at a time.
const BLOCK: usize = 64;

/// How a grey image becomes the input of binary units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Binarisation {
    /// On where the pixel is above 127.
    Threshold,
    /// On with probability pixel / 255, drawn anew for each stream, so for each epoch.
    Sampled,
    /// The probability pixel / 255 itself.
    Grey,
}

impl Binarisation {
    /// Writes the images `order` into the rows of `out`.
    ///
    /// **Shapes** `out` (rows, pixels), where rows is the length of `order` and pixels that of an image.
    /// **Errors** [`Error::ShapeMismatch`] if `out` has another size; [`Error::InvalidArgument`] if `order` names an
    /// image that is not there. `out` is then untouched.
    /// **Randomness** Only `Sampled` draws: image i from `stream.substream(i)`, so that a state depends on the
    /// stream and the image, not on the batch it comes in. Pass another `stream` each epoch. A pixel is on with
    /// probability pixel / 255 exactly.
    /// **Accuracy and cost** Allocates nothing. `Sampled` draws 8 bits a pixel, and 64 more for one in 256.
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
        let pixels = images.pixels_per_image();
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
            match self {
                Self::Threshold => map(image, row, |pixel| f32::from(u8::from(pixel > THRESHOLD))),
                Self::Grey => map(image, row, |pixel| f32::from(pixel) / 255.0),
                Self::Sampled => sample(image, stream.substream(index as u64), row),
            }
        }
        Ok(())
    }

    /// The mean of each input over all images, zeros if there is no image: what the visible biases start from.
    ///
    /// `Sampled` has the same expectation as `Grey`; that is what it gives.
    pub fn mean(self, images: &Images) -> Vec<f32> {
        match self {
            Self::Threshold => mean_of(images, |pixel| u64::from(pixel > THRESHOLD), 1.0),
            Self::Sampled | Self::Grey => mean_image(images),
        }
    }

    /// The word for it in options and files.
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
        [Self::Threshold, Self::Sampled, Self::Grey]
            .into_iter()
            .find(|choice| choice.name() == word)
            .ok_or_else(|| Error::invalid(format!("`{word}`"), "threshold, sampled or grey is right"))
    }
}

fn map(image: &[u8], row: &mut [f32], state: impl Fn(u8) -> f32) {
    for (out, &pixel) in row.iter_mut().zip(image) {
        *out = state(pixel);
    }
}

/// Draws each pixel on with probability p / 255, from one byte a pixel.
///
/// In base 256 the fraction p / 255 is 0.ppp…, so a uniform number is below it if the first of its digits that
/// differs from p is below p. The first digit decides all but one pixel in 256; those draw further digits.
/// 0 is never below and 255, where every digit may tie, always on.
fn sample(image: &[u8], stream: Stream, row: &mut [f32]) {
    let mut random = stream.generator();
    for (pixels, states) in image.chunks(BLOCK).zip(row.chunks_mut(BLOCK)) {
        let mut digits = [0_u8; BLOCK];
        for word in digits.chunks_exact_mut(8) {
            word.copy_from_slice(&random.next_u64().to_le_bytes());
        }
        let mut ties = 0_u8;
        for ((state, &pixel), &digit) in states.iter_mut().zip(pixels).zip(&digits) {
            *state = f32::from(u8::from(digit < pixel));
            ties |= u8::from(digit == pixel) & u8::from(pixel != 0);
        }
        if ties == 0 {
            continue;
        }
        for ((state, &pixel), &digit) in states.iter_mut().zip(pixels).zip(&digits) {
            if digit == pixel {
                *state = f32::from(u8::from(pixel == 255 || (pixel > 0 && below(pixel, &mut random))));
            }
        }
    }
}

/// Whether a fresh uniform number is below p / 255, by its base-256 digits.
fn below(pixel: u8, random: &mut impl Rng) -> bool {
    loop {
        let digits = random.next_u64().to_le_bytes();
        if let Some(digit) = digits.into_iter().find(|&digit| digit != pixel) {
            return digit < pixel;
        }
    }
}
