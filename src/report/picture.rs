//! A single image as a PNG file.

use crate::data::SOFTWARE;
use crate::{Error, Result};

/// An image as a PNG file: 8-bit grey for 1 channel, RGB for 3.
///
/// **Shapes** `shape` is (height, width, channels), and `values` has that shape, row-major.
///
/// **Errors** [`Error::ShapeMismatch`] if `values` has another length; [`Error::InvalidArgument`] for another number of
/// channels, no pixels, or a side of 2³¹ pixels or more.
///
/// ```
/// let png = equilibria::report::picture([1, 2, 3], &[255, 0, 0, 0, 0, 255])?;
/// assert!(png.starts_with(b"\x89PNG"));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn picture(shape: [usize; 3], values: &[u8]) -> Result<Vec<u8>> {
    let [height, width, channels] = shape;
    let refused =
        |reason: &str| Error::invalid(format!("a picture of {height}x{width}x{channels} values"), reason);
    let color = match channels {
        1 => png::ColorType::Grayscale,
        3 => png::ColorType::Rgb,
        _ => return Err(refused("a picture has 1 or 3 channels")),
    };
    let side = |pixels: usize| u32::try_from(pixels).ok().filter(|side| (1..1 << 31).contains(side));
    let (Some(rows), Some(columns)) = (side(height), side(width)) else {
        return Err(refused("a side has 1 to 2147483647 pixels"));
    };
    if height.checked_mul(width).and_then(|pixels| pixels.checked_mul(channels)) != Some(values.len()) {
        return Err(Error::ShapeMismatch {
            operation: "values of a picture",
            expected: shape.into(),
            found: vec![values.len()],
        });
    }
    let failed = |reason: png::EncodingError| Error::io("encoding", "picture", reason);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, columns, rows);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_color(color);
    encoder.add_text_chunk("Software".into(), SOFTWARE.into()).map_err(failed)?;
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(values).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}
