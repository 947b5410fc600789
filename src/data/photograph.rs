//! Photographs: pictures of any size, with their opacity and depth kept, from PNG and JPEG files, and to PNG.
//!
//! Colours are as a screen shows them: sRGB. A PNG file with another gamma is converted by
//!
//! ```text
//! linear = value ^ (1 / gamma)        sRGB = 12.92 linear, or 1.055 linear ^ (1 / 2.4) - 0.055 above 0.0031308
//! ```
//!
//! and a colour profile of three primaries and three curves (Display P3, Adobe RGB) is applied; colours that sRGB does not have are
//! clipped. A photograph has notes on properties of its file that were not applied, for instance a profile of another kind.

mod gamma;
mod orientation;
mod profile;
mod shrink;

use super::picture::{SOFTWARE, check_size};
use super::pictures::is_picture;
use super::stream::entries;
use super::{jpeg, png};
use crate::{Error, Result};
use ::png::{BitDepth, ColorType, Encoder, SrgbRenderingIntent};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The largest number of pixels of a photograph. It is checked before anything of that size is allocated.
pub const MOST_PIXELS: usize = 1 << 26;

/// A picture in colour, upright, with the opacity of its pixels and the depth of its file.
///
/// **Units** Red, green and blue in sRGB, and opacities, from 0 to 1.
///
/// ```
/// use equilibria::data::photograph::Photograph;
/// let photograph = Photograph::from_bytes([1, 2], &[255, 0, 0, 0, 0, 255])?;
/// assert_eq!(photograph.colours(), [1.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
/// assert!(photograph.to_png()?.starts_with(b"\x89PNG"));
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Photograph {
    size: [usize; 2],
    colours: Vec<f32>,
    opacity: Option<Vec<f32>>,
    is_deep: bool,
    notes: Vec<String>,
}

/// The signatures of files that people take for pictures that can be read: place, bytes, name.
const OTHERS: [(usize, &[u8], &str); 7] = [
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"II*\0", "TIFF or raw"),
    (0, b"MM\0*", "TIFF or raw"),
    (8, b"WEBP", "WebP"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftypavi", "AVIF"),
];

impl Photograph {
    /// Reads a PNG or JPEG file of at most [`MOST_PIXELS`] pixels; its content decides, and not its name.
    ///
    /// PNG files may be of any kind. The three parts of a grey pixel are equal, and 16 bits are kept. The picture is turned
    /// upright by the orientation that its camera noted.
    ///
    /// **Errors** [`Error::Malformed`] if the file is damaged or neither PNG nor JPEG, if it has no or too many pixels, or if
    /// its four inks or its curve for bright (HDR) screens cannot be converted; [`Error::Io`].
    pub fn read(path: &Path) -> Result<Self> {
        let mut start = Vec::new();
        let file = std::fs::File::open(path).map_err(|error| Error::io("opening", path, error))?;
        file.take(16).read_to_end(&mut start).map_err(|error| Error::io("reading", path, error))?;
        let is_right = &mut |size| check_size(path, size, MOST_PIXELS);
        match start[..] {
            [0x89, b'P', b'N', b'G', ..] => Self::of_png(path, png::decode(path, is_right)?),
            [0xff, 0xd8, ..] => Ok(Self::of_jpeg(jpeg::decode(path, is_right)?)),
            _ => {
                let is = |&&(place, bytes, _): &&(usize, &[u8], &str)| {
                    start.get(place..).is_some_and(|start| start.starts_with(bytes))
                };
                let other = OTHERS.iter().find(is).map_or("no picture", |other| other.2);
                let problem = format!("the file is {other}; PNG and JPEG files can be read");
                Err(Error::malformed(path.display(), 0, problem))
            }
        }
    }

    /// Creates an opaque photograph of 8 bits from its colours (height, width, 3).
    ///
    /// **Errors** As [`Photograph::with_colours`].
    pub fn new(size: [usize; 2], colours: Vec<f32>) -> Result<Self> {
        Self { size, colours: Vec::new(), opacity: None, is_deep: false, notes: Vec::new() }
            .with_colours(colours)
    }

    /// Creates an opaque photograph from bytes (height, width, 3) in sRGB.
    ///
    /// **Errors** As [`Photograph::with_colours`].
    pub fn from_bytes(size: [usize; 2], bytes: &[u8]) -> Result<Self> {
        Self::new(size, bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect())
    }

    fn of_png(path: &Path, png::Decoded { size, color, depth, values, info }: png::Decoded) -> Result<Self> {
        let is_deep = depth == BitDepth::Sixteen;
        let samples = color.samples();
        let mut notes = Vec::new();
        let curve = gamma::curve(path, &info, if is_deep { 65_536 } else { 256 }, &mut notes)?;
        let turn = info.exif_metadata.as_ref().map_or(1, |exif| orientation::of_exif(exif));
        let bytes = samples * if is_deep { 2 } else { 1 };
        let (size, values) = orientation::upright(turn, size, bytes, values);
        let value = |at: usize| match is_deep {
            true => usize::from(u16::from_be_bytes([values[2 * at], values[2 * at + 1]])),
            false => usize::from(values[at]),
        };
        let has_opacity = matches!(color, ColorType::GrayscaleAlpha | ColorType::Rgba);
        let parts: [usize; 3] = if samples < 3 { [0; 3] } else { [0, 1, 2] };
        let pixels = size[0] * size[1];
        let mut colours = Vec::with_capacity(3 * pixels);
        for pixel in 0..pixels {
            colours.extend(parts.map(|part| curve[value(pixel * samples + part)]));
        }
        if let (None, Some(profile)) = (&info.coding_independent_code_points, &info.icc_profile) {
            profile::apply(profile, &mut colours, &mut notes);
        }
        let most = if is_deep { 65_535.0 } else { 255.0 };
        let opacity =
            has_opacity.then(|| (1..=pixels).map(|end| value(end * samples - 1) as f32 / most).collect());
        Ok(Self { size, colours, opacity, is_deep, notes })
    }

    fn of_jpeg(jpeg::Decoded { size, values, exif, profile, is_cmyk }: jpeg::Decoded) -> Self {
        let turn = exif.map_or(1, |exif| orientation::of_exif(&exif));
        let (size, values) = orientation::upright(turn, size, 3, values);
        let mut colours: Vec<f32> = values.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        let mut notes = Vec::new();
        match (is_cmyk, profile) {
            (true, _) => notes.push("its four inks were converted without a colour profile".to_owned()),
            (false, Some(profile)) => profile::apply(&profile, &mut colours, &mut notes),
            (false, None) => {}
        }
        Self { size, colours, opacity: None, is_deep: false, notes }
    }

    /// Height and width.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// Red, green and blue (height, width, 3).
    pub fn colours(&self) -> &[f32] {
        &self.colours
    }

    /// Takes the colours out; the photograph has none until [`Photograph::with_colours`].
    pub fn take_colours(&mut self) -> Vec<f32> {
        core::mem::take(&mut self.colours)
    }

    /// The opacity of each pixel (height, width). `None` if all are opaque.
    pub fn opacity(&self) -> Option<&[f32]> {
        self.opacity.as_deref()
    }

    /// Returns whether the file had 16 bits a value.
    pub fn is_deep(&self) -> bool {
        self.is_deep
    }

    /// Notes on properties of the file that were not applied, for instance a colour profile.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The lightness of each pixel as a weight from 0 (black or transparent) to 1 (white): the picture as a mask.
    pub fn to_mask(&self) -> Vec<f32> {
        let light = |&[red, green, blue]: &[f32; 3]| 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        let mut mask: Vec<f32> = self.colours.as_chunks().0.iter().map(light).collect();
        for (mask, opacity) in mask.iter_mut().zip(self.opacity.iter().flatten()) {
            *mask *= opacity;
        }
        mask
    }

    /// The photograph with other colours, and its size, opacity and depth.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the number of values is not that of the pixels; [`Error::InvalidArgument`] for no pixels.
    pub fn with_colours(self, colours: Vec<f32>) -> Result<Self> {
        let [height, width] = self.size;
        if height == 0 || width == 0 {
            return Err(Error::invalid(
                format!("a photograph of {height}x{width} pixels"),
                "at least 1 pixel is needed",
            ));
        }
        if height.checked_mul(width).and_then(|pixels| pixels.checked_mul(3)) != Some(colours.len()) {
            return Err(Error::ShapeMismatch {
                operation: "colours of a photograph",
                expected: vec![height, width, 3],
                found: vec![colours.len()],
            });
        }
        Ok(Self { colours, ..self })
    }

    /// Red, green and blue as bytes (height, width, 3), on white where the photograph is transparent.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.colours.len());
        for (pixel, colour) in self.colours.as_chunks::<3>().0.iter().enumerate() {
            let opacity = self.opacity.as_ref().map_or(1.0, |opacity| opacity[pixel]);
            bytes.extend(colour.map(|part| rounded(1.0 + opacity * (part - 1.0), 255.0) as u8));
        }
        bytes
    }

    /// The photograph as a PNG file: red, green and blue in sRGB, with opacity if it has any, of 8 or 16 bits as its file had.
    ///
    /// **Errors** [`Error::Io`] if the encoder fails.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let failed = |reason: ::png::EncodingError| Error::io("encoding", "picture", reason);
        let mut bytes = Vec::new();
        let [height, width] = self.size;
        // Photographs have at most 2²⁶ pixels, and pictures in memory not much more.
        let mut encoder = Encoder::new(&mut bytes, width as u32, height as u32);
        encoder.set_color(if self.opacity.is_some() { ColorType::Rgba } else { ColorType::Rgb });
        encoder.set_depth(if self.is_deep { BitDepth::Sixteen } else { BitDepth::Eight });
        encoder.set_source_srgb(SrgbRenderingIntent::Perceptual);
        encoder.add_text_chunk("Software".to_owned(), SOFTWARE.to_owned()).map_err(failed)?;
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&self.samples()).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(bytes)
    }

    /// The values of a PNG file.
    fn samples(&self) -> Vec<u8> {
        let per_pixel = (3 + usize::from(self.opacity.is_some())) * if self.is_deep { 2 } else { 1 };
        let mut bytes = Vec::with_capacity(self.colours.len() / 3 * per_pixel);
        let mut push = |value: f32| match self.is_deep {
            true => bytes.extend((rounded(value, 65_535.0) as u16).to_be_bytes()),
            false => bytes.push(rounded(value, 255.0) as u8),
        };
        for (pixel, colour) in self.colours.as_chunks::<3>().0.iter().enumerate() {
            colour.iter().copied().for_each(&mut push);
            self.opacity.iter().for_each(|opacity| push(opacity[pixel]));
        }
        bytes
    }
}

/// The nearest whole number of `most` parts; 0 for NaN.
fn rounded(value: f32, most: f32) -> f32 {
    // The cast of its users truncates.
    value.clamp(0.0, 1.0) * most + 0.5
}

/// The PNG and JPEG files of a folder by their names, sorted; hidden files are ignored.
///
/// **Errors** [`Error::NotFound`] if there is none; [`Error::Io`].
pub(crate) fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let [files, _] = entries(folder)?;
    let pictures: Vec<PathBuf> = files.into_iter().filter(|path| is_picture(path)).collect();
    if pictures.is_empty() {
        return Err(Error::NotFound {
            what: "a picture (.png, .jpg or .jpeg)".to_owned(),
            place: format!("{}", folder.display()),
            remedy: "give a folder of photographs".to_owned(),
        });
    }
    Ok(pictures)
}

/// Returns whether the beginning of a file is that of a PNG file that this program wrote.
///
/// ```
/// use equilibria::{data::photograph::is_written_here, report::picture};
/// assert!(is_written_here(&picture([1, 1, 1], &[7])?));
/// assert!(!is_written_here(b"\x89PNG\r\n\x1a\n"));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn is_written_here(start: &[u8]) -> bool {
    let mark = b"tEXtSoftware\0equilibria ";
    start.starts_with(b"\x89PNG") && start.windows(mark.len()).any(|window| window == mark)
}
