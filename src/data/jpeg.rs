//! Reads JPEG files. The orientation that a camera stores beside the picture is ignored.

use super::picture::{Picture, check_size};
use crate::{Error, Result};
use alloc::format;
use std::path::Path;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Reads a JPEG file as red, green and blue. `is_right` checks height and width before anything of that size is allocated.
///
/// **Errors** [`Error::Malformed`] if it is no JPEG file or a damaged one; [`Error::Io`]; those of `is_right`.
pub(super) fn read(path: &Path, is_right: &mut dyn FnMut([usize; 2]) -> Result<()>) -> Result<Picture> {
    let damaged = |reason| {
        let problem = format!("this is no JPEG file, or a damaged one ({reason:?})");
        Error::malformed(path.display(), 0, problem)
    };
    let bytes = std::fs::read(path).map_err(|error| Error::io("reading", path, error))?;
    // Strict: a file that ends too early is an error.
    let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::RGB).set_strict_mode(true);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&bytes), options);
    decoder.decode_headers().map_err(damaged)?;
    let (width, height) =
        decoder.info().map(|info| (usize::from(info.width), usize::from(info.height))).unwrap_or_default();
    check_size(path, [height, width])?;
    is_right([height, width])?;
    let values = decoder.decode().map_err(damaged)?;
    if values.len() != height * width * 3 {
        let problem =
            format!("the picture has {height}x{width} pixels, and {} values were found", values.len());
        return Err(Error::malformed(path.display(), 0, problem));
    }
    Ok(Picture { size: [height, width], channels: 3, values })
}
