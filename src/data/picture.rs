//! A picture as a decoder returns it.

use crate::{Error, Result, memory};
use alloc::format;
use alloc::vec::Vec;
use std::path::Path;

/// The name of the program in the PNG files that it writes.
pub(crate) const SOFTWARE: &str = concat!("equilibria ", env!("CARGO_PKG_VERSION"));

/// The largest number of pixels of one picture of a set.
pub(super) const MOST_PIXELS: usize = 1 << 24;

/// A decoded picture.
pub(super) struct Picture {
    /// Height and width.
    pub size: [usize; 2],
    /// 1 for grey, 3 for red, green and blue.
    pub channels: usize,
    /// (height, width, channels)
    pub values: Vec<u8>,
}

/// `Err` if a picture has no pixels, or more than `most`.
pub(super) fn check_size(path: &Path, [height, width]: [usize; 2], most: usize) -> Result<()> {
    match height.checked_mul(width) {
        // Its bytes, and its values as floats.
        Some(pixels) if (1..=most).contains(&pixels) => match memory::fits::<[f32; 4]>(pixels) {
            true => Ok(()),
            false => {
                let expected = format!("its {height}x{width} pixels do not fit into memory");
                Err(Error::unusable(path.display(), expected))
            }
        },
        _ => {
            let problem = format!("the picture has {height}x{width} pixels; 1 to {most} pixels can be read");
            Err(Error::malformed(path.display(), 0, problem))
        }
    }
}
