//! Reads grey images from PNG files, for instance samples that another program has written.

use super::Images;
use crate::{Error, Result};
use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use png::{ColorType, Decoder, DecodingError, Transformations};
use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};

/// Reads all files in `folder` that end with `.png`, sorted by name.
///
/// Pixels become 8-bit grey values: grey pictures unchanged, colour pictures by their brightness (Rec. 601).
/// Transparency is ignored. A pixel whose index is beyond the palette is black.
///
/// **Errors** [`Error::NotFound`] if there is no such file; [`Error::Malformed`] if the size in a file's header is not
/// `height` by `width`, if its palette has a length that the format does not allow, or if a file is damaged;
/// [`Error::Io`] if the folder or a file cannot be read.
pub fn read_folder(folder: &Path, height: usize, width: usize) -> Result<Images> {
    let entries = std::fs::read_dir(folder).map_err(|error| Error::io("reading", folder, error))?;
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| Error::io("reading", folder, error))?.path();
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) && path.is_file() {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(Error::NotFound {
            what: "a file that ends with .png".into(),
            place: folder.display().to_string(),
            remedy: format!("give a folder of pictures of {height}x{width} pixels, or an IDX file of images"),
        });
    }
    paths.sort_unstable();
    let mut pixels = Vec::new();
    for path in &paths {
        read(path, height, width, &mut pixels)?;
    }
    Images::new(height, width, pixels)
}

/// Appends the pixels of one file to `pixels`.
fn read(path: &Path, height: usize, width: usize, pixels: &mut Vec<u8>) -> Result<()> {
    let failed = |error: DecodingError| match error {
        DecodingError::IoError(error)
            if !matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData) =>
        {
            Error::io("reading", path, error)
        }
        error => {
            Error::malformed(path.display(), 0, format!("this is no PNG file, or a damaged one ({error})"))
        }
    };
    let file = File::open(path).map_err(|error| Error::io("opening", path, error))?;
    let mut decoder = Decoder::new(BufReader::new(file));
    decoder.set_transformations(Transformations::normalize_to_color8());
    let header = decoder.read_header_info().map_err(failed)?;
    let (found_height, found_width) = (header.height as usize, header.width as usize);
    // Checked before anything of that size is allocated.
    if (found_height, found_width) != (height, width) {
        let problem = format!(
            "the picture has {found_height}x{found_width} pixels; one image of {height}x{width} to a file is needed"
        );
        return Err(Error::malformed(path.display(), 16, problem));
    }
    let mut reader = decoder.read_info().map_err(failed)?;
    // Version 0.18.1 of the decoder panics on a palette with a part of a colour.
    let palette = reader.info().palette.as_ref().map_or(&[][..], |palette| palette);
    let is_whole = !palette.is_empty() && palette.len().is_multiple_of(3);
    if reader.info().color_type == ColorType::Indexed && !is_whole {
        let problem =
            format!("the palette has {} bytes; 1 to 256 colours of 3 bytes are right", palette.len());
        return Err(Error::malformed(path.display(), 0, problem));
    }
    let channels = match reader.output_color_type().0 {
        ColorType::Grayscale => 1,
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb => 3,
        ColorType::Rgba => 4,
        ColorType::Indexed => unreachable!("palettes are expanded"),
    };
    let mut values = vec![0; height * width * channels];
    let frame = reader.next_frame(&mut values).map_err(failed)?;
    // The first frame of an animation may be smaller than the picture.
    if (frame.height, frame.width) != (height as u32, width as u32) {
        let problem = format!(
            "the first frame has {}x{} pixels, the picture {height}x{width}",
            frame.height, frame.width
        );
        return Err(Error::malformed(path.display(), 0, problem));
    }
    pixels.extend(values.chunks_exact(channels).map(|values| match *values {
        [red, green, blue] | [red, green, blue, _] => brightness([red, green, blue]),
        [grey, ..] => grey,
        [] => 0,
    }));
    Ok(())
}

/// The brightness of a colour, rounded to the nearest integer; for equal parts it is their value.
fn brightness(parts: [u8; 3]) -> u8 {
    let [red, green, blue] = parts.map(u32::from);
    ((299 * red + 587 * green + 114 * blue + 500) / 1000) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use png::{BitDepth, Encoder};

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
        assert_eq!(images.pixels(), [7, 76, 3, 250, 9, 150, 40, 50, 1, 255, 0, 255, 70, 76]);
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
        assert!(error().contains("a file that ends with .png not found in"), "{}", error());
        let path = folder.path().join("a.png");
        std::fs::write(&path, "text").unwrap();
        assert!(error().contains("a.png: at byte 0: this is no PNG file"), "{}", error());
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
