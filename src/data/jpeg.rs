//! Reads JPEG files.

use super::picture::{MOST_PIXELS, Picture, check_size};
use crate::{Error, Result};
use alloc::format;
use alloc::vec::Vec;
use std::path::Path;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// The largest side that the format can express.
const LARGEST_SIDE: usize = 65_535;

/// Reads a JPEG file as red, green and blue, as stored: the orientation beside the picture is ignored. `is_right` checks
/// height and width before anything of that size is allocated.
///
/// **Errors** Those of [`decode`].
pub(super) fn read(path: &Path, is_right: &mut dyn FnMut([usize; 2]) -> Result<()>) -> Result<Picture> {
    let Decoded { size, values, .. } = decode(path, &mut |size| {
        check_size(path, size, MOST_PIXELS)?;
        is_right(size)
    })?;
    Ok(Picture { size, channels: 3, values })
}

/// A decoded JPEG file.
pub(super) struct Decoded {
    /// Height and width.
    pub size: [usize; 2],
    /// (height, width, 3): red, green and blue.
    pub values: Vec<u8>,
    /// The camera's notes, from the TIFF header on.
    pub exif: Option<Vec<u8>>,
    /// The colour profile.
    pub profile: Option<Vec<u8>>,
    /// The file has cyan, magenta, yellow and black.
    pub is_cmyk: bool,
}

/// Decodes a JPEG file. `is_right` checks height and width before anything of that size is allocated.
///
/// Cyan, magenta, yellow and black become red, green and blue without a profile: each is (1 − ink) (1 − black).
///
/// **Errors** [`Error::Malformed`] if it is no JPEG file or a damaged one, or one of four inks without the `Adobe` segment,
/// whose meaning programs do not agree on; [`Error::Io`]; those of `is_right`.
pub(super) fn decode(path: &Path, is_right: &mut dyn FnMut([usize; 2]) -> Result<()>) -> Result<Decoded> {
    let malformed = |problem| Error::malformed(path.display(), 0, problem);
    let damaged = |reason| {
        // The decoder ends some of its reasons with an end of line.
        let reason = format!("{reason:?}");
        malformed(format!("this is no JPEG file, or a damaged one ({})", reason.trim()))
    };
    let bytes = std::fs::read(path).map_err(|error| Error::io("reading", path, error))?;
    // Strict: a file that ends too early is an error.
    let options = DecoderOptions::default()
        .set_max_width(LARGEST_SIDE)
        .set_max_height(LARGEST_SIDE)
        .jpeg_set_out_colorspace(ColorSpace::RGB)
        .set_strict_mode(true);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&bytes), options);
    decoder.decode_headers().map_err(damaged)?;
    let info = decoder.info().unwrap_or_default();
    let size @ [height, width] = [usize::from(info.height), usize::from(info.width)];
    is_right(size)?;
    let is_cmyk = info.components == 4;
    if is_cmyk && !has_adobe_segment(&bytes) {
        return Err(malformed(
            "the four inks of this JPEG file have no `Adobe` segment that says what they mean: save it as RGB".into(),
        ));
    }
    let values = decoder.decode().map_err(damaged)?;
    if values.len() != height * width * 3 {
        return Err(malformed(format!(
            "the picture has {height}x{width} pixels, and {} values were found",
            values.len()
        )));
    }
    let (exif, profile) = (decoder.exif().cloned(), decoder.icc_profile());
    Ok(Decoded { size, values, exif, profile, is_cmyk })
}

/// Returns whether one of the segments before the picture's data is of Adobe: `FF EE`, length, `Adobe`.
fn has_adobe_segment(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let [0xff, marker, high, low, content @ ..] = rest {
        match marker {
            0xee if content.starts_with(b"Adobe") => return true,
            // The start of the data.
            0xda => return false,
            _ => rest = rest.get(2 + usize::from(u16::from_be_bytes([*high, *low]))..).unwrap_or_default(),
        }
    }
    false
}
