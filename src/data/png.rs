//! Grey images from PNG files: samples of a program that writes pictures.

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

/// The images of all files in `folder` that end with `.png`, in the order of their names.
///
/// Grey pictures are taken as they are, of colours the brightness (Rec. 601), without transparency; all at 8 bits.
///
/// **Errors** [`Error::NotFound`] if there is no such file; [`Error::Malformed`] for one that is not of `height` by
/// `width` pixels, which its header says, or that is damaged; [`Error::Io`] if folder or file cannot be read.
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

/// Adds the pixels of one file.
fn read(path: &Path, height: usize, width: usize, pixels: &mut Vec<u8>) -> Result<()> {
    let failed = |error: DecodingError| match error {
        DecodingError::IoError(error) if error.kind() != ErrorKind::UnexpectedEof => {
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
    // Before anything of that size is allocated.
    if (found_height, found_width) != (height, width) {
        let problem = format!(
            "the picture has {found_height}x{found_width} pixels; one image of {height}x{width} to a file is needed"
        );
        return Err(Error::malformed(path.display(), 16, problem));
    }
    let mut reader = decoder.read_info().map_err(failed)?;
    let channels = match reader.output_color_type().0 {
        ColorType::Grayscale => 1,
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb => 3,
        ColorType::Rgba => 4,
        ColorType::Indexed => unreachable!("palettes are expanded"),
    };
    let mut values = vec![0; height * width * channels];
    reader.next_frame(&mut values).map_err(failed)?;
    pixels.extend(values.chunks_exact(channels).map(|values| match *values {
        [red, green, blue] | [red, green, blue, _] => brightness([red, green, blue]),
        [grey, ..] => grey,
        [] => 0,
    }));
    Ok(())
}

/// To the nearest; of equal parts it is the part.
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
        // Cut off.
        write(&path, (28, 28), ColorType::Grayscale, BitDepth::Eight, &[0; 784]);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(error().contains("no PNG file, or a damaged one"), "{}", error());
        let missing = read_folder(&folder.path().join("none"), 28, 28).unwrap_err();
        assert!(matches!(missing, Error::Io { .. }), "{missing}");
    }
}
