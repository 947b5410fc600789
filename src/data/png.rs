//! Reads PNG files.

use super::picture::{MOST_PIXELS, Picture, check_size};
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use png::{BitDepth, ColorType, Decoder, DecodingError, Info, Transformations};
use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::Path;

/// The depth of a picture's values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// At most 8 bits.
    Eight,
    /// 16 bits.
    Sixteen,
    /// 16 bits, all below 256 and not all 0: probably values of 8 bits, and kept as such.
    Doubtful,
}

/// A picture without opacity, and what its file says about it.
pub(super) struct Flat {
    pub picture: Picture,
    pub depth: Depth,
    /// A pixel is not opaque.
    pub has_opacity: bool,
}

impl Flat {
    /// A picture of opaque bytes.
    #[cfg(feature = "cli")]
    pub fn of_bytes(picture: Picture) -> Self {
        Self { picture, depth: Depth::Eight, has_opacity: false }
    }
}

/// Reads a PNG file as [`read_any`] does.
///
/// Reads a PNG file as [`read_any`] does.
///
/// **Errors** Also if values of 16 bits are all below 256, as those of 8 bits are.
#[cfg(feature = "cli")]
pub(super) fn read(path: &Path, is_right: &mut dyn FnMut([usize; 2]) -> Result<()>) -> Result<Picture> {
    let Flat { picture, depth, .. } = read_any(path, is_right)?;
    match depth {
        Depth::Doubtful => {
            let problem =
                "the values are of 16 bits, up to 65535, and none is above 255: save the picture with 8 bits";
            Err(Error::malformed(path.display(), 0, problem))
        }
        Depth::Eight | Depth::Sixteen => Ok(picture),
    }
}

/// Reads a PNG file as grey values, or as red, green and blue. `is_right` checks height and width before anything of that
/// size is allocated.
///
/// A transparent picture is laid on white, or on black if all its visible pixels are white. Values of 16 bits are rounded to
/// 8. A pixel whose index is beyond the palette is black.
///
/// **Errors** Those of [`decode`].
pub(super) fn read_any(path: &Path, is_right: &mut dyn FnMut([usize; 2]) -> Result<()>) -> Result<Flat> {
    let Decoded { size, color, depth: bits, mut values, .. } = decode(path, &mut |size| {
        check_size(path, size, MOST_PIXELS)?;
        is_right(size)
    })?;
    let samples = color.samples();
    let mut depth = Depth::Eight;
    if bits == BitDepth::Sixteen {
        let wide = || values.as_chunks().0.iter().map(|&bytes| u16::from_be_bytes(bytes));
        // Opacity does not count.
        let is_colour = |(at, _): &(usize, u16)| !matches!(samples, 2 | 4) || at % samples != samples - 1;
        let most = wide().enumerate().filter(is_colour).map(|(_, value)| value).max().unwrap_or(0);
        depth = if (1..256).contains(&most) { Depth::Doubtful } else { Depth::Sixteen };
        let is_opacity = |at: usize| matches!(samples, 2 | 4) && at % samples == samples - 1;
        let byte = |(at, value): (usize, u16)| match depth {
            Depth::Doubtful if !is_opacity(at) || value < 256 => value as u8,
            _ => rounded(value),
        };
        values = wide().enumerate().map(byte).collect();
    }
    let (channels, values, has_opacity) = match color {
        ColorType::GrayscaleAlpha => laid(1, values),
        ColorType::Rgba => laid(3, values),
        _ => (samples, values, false),
    };
    Ok(Flat { picture: Picture { size, channels, values }, depth, has_opacity })
}

/// The first frame of a PNG file, with the palette and the bits of grey values expanded.
pub(super) struct Decoded {
    /// Height and width.
    pub size: [usize; 2],
    /// Grey or colour, with or without opacity.
    pub color: ColorType,
    /// 8 or 16 bits.
    pub depth: BitDepth,
    /// (height, width, samples of `color`), of two bytes each if the depth is 16, the higher one first.
    pub values: Vec<u8>,
    /// The header and the other parts of the file.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    pub info: Info<'static>,
}

/// Decodes a PNG file. `is_right` checks height and width before anything of that size is allocated.
///
/// **Errors** [`Error::Malformed`] if it is no PNG file or a damaged one, or if its palette has a length that the format
/// does not allow; [`Error::Io`]; those of `is_right`.
pub(super) fn decode(path: &Path, is_right: &mut dyn FnMut([usize; 2]) -> Result<()>) -> Result<Decoded> {
    let malformed = |problem: alloc::string::String| Error::malformed(path.display(), 0, problem);
    let failed = |error: DecodingError| match error {
        DecodingError::IoError(error)
            if !matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData) =>
        {
            Error::io("reading", path, error)
        }
        error => malformed(format!("this is no PNG file, or a damaged one ({error})")),
    };
    let file = File::open(path).map_err(|error| Error::io("opening", path, error))?;
    let mut decoder = Decoder::new(BufReader::new(file));
    decoder.set_transformations(Transformations::EXPAND);
    let header = decoder.read_header_info().map_err(failed)?;
    let size @ [height, width] = [header.height as usize, header.width as usize];
    is_right(size)?;
    let mut reader = decoder.read_info().map_err(failed)?;
    // Version 0.18.1 of the decoder panics on a palette with a part of a colour.
    let palette = reader.info().palette.as_ref().map_or(&[][..], |palette| palette);
    let is_whole = !palette.is_empty() && palette.len().is_multiple_of(3);
    if reader.info().color_type == ColorType::Indexed && !is_whole {
        let bytes = palette.len();
        return Err(malformed(format!(
            "the palette has {bytes} bytes; 1 to 256 colours of 3 bytes are right"
        )));
    }
    let (color, depth) = reader.output_color_type();
    let bytes = if depth == BitDepth::Sixteen { 2 } else { 1 };
    let mut values = vec![0; height * width * color.samples() * bytes];
    let frame = reader.next_frame(&mut values).map_err(failed)?;
    // The first frame of an animation may be smaller than the picture.
    if (frame.height, frame.width) != (height as u32, width as u32) {
        let problem = format!(
            "the first frame has {}x{} pixels, the picture {height}x{width}",
            frame.height, frame.width
        );
        return Err(malformed(problem));
    }
    Ok(Decoded { size, color, depth, values, info: reader.info().clone() })
}

/// A value of two bytes, rounded to one.
pub(super) fn rounded(value: u16) -> u8 {
    ((u32::from(value) * 255 + 32_767) / 65_535) as u8
}

/// The `channels` values of each pixel by the opacity that follows them, over white; or over black if all visible pixels are
/// white. Also returns whether a pixel is not opaque.
fn laid(channels: usize, values: Vec<u8>) -> (usize, Vec<u8>, bool) {
    /// The darkest white.
    const WHITE: u8 = 250;
    let pixels = || values.chunks_exact(channels + 1);
    let has_opacity = pixels().any(|pixel| pixel[channels] < 255);
    let mut visible = pixels().filter(|pixel| pixel[channels] > 0).peekable();
    let is_ink_white = has_opacity
        && visible.peek().is_some()
        && visible.all(|pixel| pixel[..channels].iter().all(|&v| v >= WHITE));
    let background = if is_ink_white { 0 } else { 255 };
    let over = |value: u8, opacity: u8| {
        let (value, opacity) = (u32::from(value), u32::from(opacity));
        ((value * opacity + background * (255 - opacity) + 127) / 255) as u8
    };
    let pixel = |pixel: &[u8]| {
        pixel[..channels].iter().map(|&value| over(value, pixel[channels])).collect::<Vec<_>>()
    };
    (channels, pixels().flat_map(pixel).collect(), has_opacity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Images, pictures};
    use png::Encoder;

    fn read_folder(folder: &Path, height: usize, width: usize) -> Result<Images> {
        pictures::read_folder(folder, Some([height, width])).map(|images| images.to_channels(1))
    }

    fn write(path: &Path, (height, width): (u32, u32), color: ColorType, depth: BitDepth, values: &[u8]) {
        let mut encoder = Encoder::new(File::create(path).unwrap(), width, height);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == ColorType::Indexed {
            encoder.set_palette(vec![0, 0, 0, 70, 70, 70, 255, 0, 0]);
        }
        encoder.write_header().unwrap().write_image_data(values).unwrap();
    }

    #[test]
    fn pictures_of_every_kind_become_grey_images_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        use BitDepth::{Eight, One, Sixteen};
        write(&at("b.png"), (1, 2), ColorType::Grayscale, Eight, &[3, 250]);
        write(&at("a.PNG"), (1, 2), ColorType::Rgb, Eight, &[7, 7, 7, 255, 0, 0]);
        write(&at("c.png"), (1, 2), ColorType::Rgba, Eight, &[9, 9, 9, 0, 0, 255, 0, 255]);
        write(&at("d.png"), (1, 2), ColorType::GrayscaleAlpha, Eight, &[40, 0, 50, 255]);
        write(&at("e.png"), (1, 2), ColorType::Grayscale, Sixteen, &[1, 200, 255, 255]);
        write(&at("f.png"), (1, 2), ColorType::Grayscale, One, &[0b0100_0000]);
        write(&at("g.png"), (1, 2), ColorType::Indexed, Eight, &[1, 2]);
        std::fs::write(at("notes.txt"), "not a picture").unwrap();
        std::fs::create_dir(at("folder.png")).unwrap();
        let images = read_folder(folder.path(), 1, 2).unwrap();
        assert_eq!(images.pixels(), [7, 76, 3, 250, 255, 150, 255, 50, 2, 255, 0, 255, 70, 76]);
    }

    #[test]
    fn values_of_8_bits_in_16_are_kept_unless_others_are_larger() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let found = |values: [u16; 2]| {
            let bytes = values.map(u16::to_be_bytes).concat();
            write(&path, (1, 2), ColorType::Grayscale, BitDepth::Sixteen, &bytes);
            read_folder(folder.path(), 1, 2).map(|images| images.pixels().to_vec())
        };
        for (values, right) in
            [([0, 0], [0, 0]), ([256, 385], [1, 1]), ([386, 65_406], [2, 254]), ([65_407, 65_535], [255; 2])]
        {
            assert_eq!(found(values).unwrap(), right, "{values:?}");
        }
        for values in [[0, 255], [1, 0]] {
            assert_eq!(found(values).unwrap(), values.map(|value| value as u8));
            // Alone, where nothing else decides, they are refused.
            #[cfg(feature = "cli")]
            {
                let text = read(&path, &mut |_| Ok(())).map(drop).unwrap_err().to_string();
                assert!(text.contains("the values are of 16 bits") && text.contains("with 8 bits"), "{text}");
            }
        }
        // A picture of true 16 bits beside it.
        let wide = [40_000_u16, 0].map(u16::to_be_bytes).concat();
        let beside = folder.path().join("b.png");
        write(&beside, (1, 2), ColorType::Grayscale, BitDepth::Sixteen, &wide);
        assert_eq!(found([0, 255]).unwrap(), [0, 1, 156, 0]);
    }

    #[test]
    fn ink_in_the_opacity_is_seen_whatever_its_colour() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let found = |ink: u8, background: u8| {
            let values = [ink, 255, ink, 100, background, 0];
            write(&path, (1, 3), ColorType::GrayscaleAlpha, BitDepth::Eight, &values);
            read_folder(folder.path(), 1, 3).unwrap().pixels().to_vec()
        };
        for background in [0, 255] {
            assert_eq!(found(0, background), [0, 155, 255], "black ink on white");
            assert_eq!(found(255, background), [255, 100, 0], "white ink on black");
        }
    }

    /// A PNG file of these chunks, with right check sums.
    fn file(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        for (name, data) in chunks {
            bytes.extend((data.len() as u32).to_be_bytes());
            let start = bytes.len();
            bytes.extend(*name);
            bytes.extend(data);
            bytes.extend(crc(&bytes[start..]).to_be_bytes());
        }
        bytes
    }

    fn crc(bytes: &[u8]) -> u32 {
        let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        !bytes.iter().fold(u32::MAX, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc)))
    }

    /// The rows of a picture, each after a byte that says it is not filtered, as zlib without compression.
    fn stored(rows: &[&[u8]]) -> Vec<u8> {
        let raw: Vec<u8> = rows.iter().flat_map(|row| [&[0], *row].concat()).collect();
        let (mut low, mut high) = (1_u32, 0_u32);
        for &byte in &raw {
            low = (low + u32::from(byte)) % 65521;
            high = (high + low) % 65521;
        }
        let length = raw.len() as u16;
        let head = [&[0x78, 1, 1][..], &length.to_le_bytes(), &(!length).to_le_bytes()].concat();
        [&head[..], &raw, &(high << 16 | low).to_be_bytes()].concat()
    }

    fn header([height, width]: [u32; 2], depth: u8, color: u8) -> Vec<u8> {
        [&width.to_be_bytes()[..], &height.to_be_bytes(), &[depth, color, 0, 0, 0]].concat()
    }

    #[test]
    fn a_palette_of_a_wrong_length_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        for (depth, row) in [(8, &[0, 255][..]), (2, &[0b0011_0000])] {
            for length in (0..=10).chain([765, 766, 767, 768, 769, 771, 772, 774, 1000]) {
                let palette = (0..length).map(|i| i as u8).collect();
                let end = Vec::new();
                let chunks = [
                    (b"IHDR", header([1, 2], depth, 3)),
                    (b"PLTE", palette),
                    (b"IDAT", stored(&[row])),
                    (b"IEND", end),
                ];
                std::fs::write(&path, file(&chunks)).unwrap();
                let found = read_folder(folder.path(), 1, 2);
                if (3..=768).contains(&length) && length % 3 == 0 {
                    let pixels = found.unwrap().pixels().to_vec();
                    let is_beyond = length < 768 && length / 3 < 1 << depth;
                    assert!(pixels[0] == 1 && (pixels[1] == 0 || !is_beyond), "{length}: {pixels:?}");
                } else {
                    let text = found.unwrap_err().to_string();
                    assert!(text.contains("a.png: at byte 0: "), "{text}");
                    // The decoder itself sees to lengths below 3 and above 768.
                    let words = format!("the palette has {length} bytes; 1 to 256 colours of 3 bytes");
                    assert!(text.contains(&words) || !(3..=768).contains(&length), "{text}");
                }
            }
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]
        /// Chunks of wrong lengths and values, in wrong places or absent, under right check sums.
        #[test]
        fn no_chunk_panics(
            depth in proptest::sample::select(&[1_u8, 2, 4, 8, 16][..]),
            color in proptest::sample::select(&[0_u8, 2, 3, 4, 6][..]),
            lengths in [0..30_usize, 0..30],
            order in proptest::sample::subsequence(vec![0_usize, 1, 2, 3, 4], 2..=5),
            first in 0..3_u8,
            seed: u8,
        ) {
            let noise = |length: usize| (0..length).map(|i| seed.wrapping_add(7 * i as u8)).collect::<Vec<u8>>();
            let frame = [[0, 2, 1 + u32::from(seed % 2), 0, 0].map(u32::to_be_bytes).concat(), vec![0, 1, 0, 1, 0, 0]];
            let rows = noise(16);
            let all: [(&[u8; 4], Vec<u8>); 5] = [
                (b"PLTE", noise(lengths[0])),
                (b"tRNS", noise(lengths[1])),
                (b"acTL", [u32::from(first), 0].map(u32::to_be_bytes).concat()),
                (b"fcTL", frame.concat()),
                (b"IDAT", stored(&[&rows, &rows])),
            ];
            let mut chunks = vec![(b"IHDR", header([2, 2], depth, color))];
            chunks.extend(order.iter().map(|&which| all[which].clone()));
            chunks.push((b"IEND", Vec::new()));
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("a.png"), file(&chunks)).unwrap();
            if let Err(error) = read_folder(folder.path(), 2, 2) {
                assert!(error.to_string().contains("a.png"), "{error}");
            }
        }
    }

    #[test]
    fn what_is_not_a_picture_of_the_size_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let error = || read_folder(folder.path(), 28, 28).unwrap_err().to_string();
        assert!(error().contains("a picture (.png, .jpg or .jpeg) not found in"), "{}", error());
        let path = folder.path().join("a.png");
        std::fs::write(&path, "text").unwrap();
        assert!(
            error().contains("a.png: at byte 0: this is text; a PNG or JPEG picture is needed"),
            "{}",
            error()
        );
        write(&path, (64, 32), ColorType::Grayscale, BitDepth::Eight, &[0; 2048]);
        assert!(error().contains("has 64x32 pixels; one image of 28x28 to a file"), "{}", error());
        // A truncated file.
        write(&path, (28, 28), ColorType::Grayscale, BitDepth::Eight, &[0; 784]);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(error().contains("no PNG file, or a damaged one"), "{}", error());
        let missing = read_folder(&folder.path().join("none"), 28, 28).unwrap_err();
        assert!(matches!(missing, Error::Io { .. }), "{missing}");
    }
}
