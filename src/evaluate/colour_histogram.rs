//! The distance of the colours of two sets of images.
//!
//! All pixels of a set are counted in a joint histogram with 8 bins per channel, 512 for three channels. The distance is the
//! total variation of the two histograms,
//!
//! ```text
//! d = ½ sum over bins of |share in the first set - share in the second set|,
//! ```
//!
//! the share of the pixels of one set that need another colour to have the histogram of the other: 0 for equal histograms, 1
//! if no bin is common. It ignores where pixels are, so it sees wrong and missing colours only. For two sets from one
//! distribution it is not 0, because images are few and their pixels alike: compare with the distance of real images.

use crate::data::Images;
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

/// Bins per channel.
const BINS: usize = 8;

/// The total variation of the colours of two sets of images.
///
/// **Errors** [`Error::ShapeMismatch`] if the numbers of channels differ; [`Error::InvalidArgument`] for no images. Sizes and
/// numbers of images may differ.
///
/// **Accuracy and cost** Exact counts; one pass over the pixels.
///
/// ```
/// use equilibria::data::Images;
/// use equilibria::evaluate::colour_histogram::colour_distance;
/// let black = Images::with_channels(2, 2, 3, vec![0; 24])?;
/// let half_white = Images::with_channels(1, 2, 3, vec![0, 0, 0, 255, 255, 255])?;
/// assert_eq!(colour_distance(&black, &half_white)?, 0.5);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn colour_distance(a: &Images, b: &Images) -> Result<f64> {
    if a.channels() != b.channels() {
        return Err(Error::ShapeMismatch {
            operation: "channels of two sets of images",
            expected: vec![a.channels()],
            found: vec![b.channels()],
        });
    }
    let (a, b) = (shares(a)?, shares(b)?);
    Ok(0.5 * a.iter().zip(&b).map(|(a, b)| (a - b).abs()).sum::<f64>())
}

/// The share of the pixels in each bin.
fn shares(images: &Images) -> Result<Vec<f64>> {
    let channels = images.channels();
    if images.is_empty() {
        return Err(Error::invalid(
            format!("the colours of {} images", images.len()),
            "at least 1 is needed",
        ));
    }
    let mut counts = vec![0_u64; BINS.pow(channels as u32)];
    for pixel in images.pixels().chunks_exact(channels) {
        let bin = |value: u8| usize::from(value) * BINS / 256;
        counts[pixel.iter().fold(0, |index, &value| index * BINS + bin(value))] += 1;
    }
    let pixels = (images.pixels().len() / channels) as f64;
    Ok(counts.into_iter().map(|count| count as f64 / pixels).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_is_the_share_of_pixels_of_another_colour() {
        let row = |values: &[u8]| Images::new(1, values.len(), values.to_vec()).unwrap();
        let distance = |a: &[u8], b: &[u8]| colour_distance(&row(a), &row(b)).unwrap();
        // Bins of 32 values.
        assert_eq!(distance(&[0, 31, 128, 250], &[30, 159, 0, 255]), 0.0);
        assert_eq!(distance(&[0, 32, 128, 250], &[30, 159, 0, 255]), 0.25);
        assert_eq!(distance(&[127], &[128]), 1.0);
        // Sets of different sizes.
        assert_eq!(distance(&[0, 255], &[0, 1, 2, 255, 254, 253]), 0.0);
    }

    #[test]
    fn colours_are_joint_and_places_do_not_matter() {
        let image = |values: [u8; 6]| Images::with_channels(1, 2, 3, values.to_vec()).unwrap();
        let (a, b) = (image([255, 0, 0, 0, 255, 0]), image([0, 255, 0, 255, 0, 0]));
        assert_eq!(colour_distance(&a, &b).unwrap(), 0.0);
        // Each channel alone has the same values, but yellow and black are neither red nor green.
        assert_eq!(colour_distance(&a, &image([255, 255, 0, 0, 0, 0])).unwrap(), 1.0);
    }

    #[test]
    fn sets_that_cannot_be_compared_are_refused() {
        let (grey, colour) = (Images::new(1, 3, vec![0; 3]), Images::with_channels(1, 1, 3, vec![0; 3]));
        let (grey, colour) = (grey.unwrap(), colour.unwrap());
        let error = colour_distance(&grey, &colour).unwrap_err().to_string();
        assert_eq!(error, "channels of two sets of images: expected shape (1), found (3)");
        let error = colour_distance(&grey, &grey.select(&[])).unwrap_err().to_string();
        assert_eq!(error, "the colours of 0 images: at least 1 is needed");
    }
}
