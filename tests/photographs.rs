//! Are photographs read as they look, whatever the file stores, and are wrong files refused in one sentence?
#![cfg(feature = "cli")]

use equilibria::Error;
use equilibria::data::photograph::{MOST_PIXELS, Photograph, is_written_here};
use equilibria::data::scenes::{SIZE, Scene};
use equilibria::run::recolour::{Side, fitted, histograms, origin, recolour, scatter};
use equilibria::transport::colour::ColourSettings;
use png::{BitDepth, ColorType, Encoder, ScaledFloat};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/photographs").join(name)
}

/// Writes a PNG file of one row; `change` sets more of its header.
fn write(
    path: &Path,
    color: ColorType,
    depth: BitDepth,
    values: &[u8],
    change: impl FnOnce(&mut Encoder<'_, fs::File>),
) {
    let bits = color.samples() * depth as usize;
    let width = (values.len() * 8 / bits) as u32;
    let mut encoder = Encoder::new(fs::File::create(path).unwrap(), width, 1);
    encoder.set_color(color);
    encoder.set_depth(depth);
    change(&mut encoder);
    encoder.write_header().unwrap().write_image_data(values).unwrap();
}

/// A PNG file of these chunks, with right check sums.
fn file(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, data) in chunks {
        bytes.extend((data.len() as u32).to_be_bytes());
        bytes.extend(*name);
        bytes.extend(*data);
        bytes.extend(crc32fast::hash(&[&name[..], data].concat()).to_be_bytes());
    }
    bytes
}

/// The header of 8 bits.
fn header([height, width]: [u32; 2], color: u8, is_interlaced: bool) -> Vec<u8> {
    [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, color, 0, 0, u8::from(is_interlaced)]].concat()
}

fn deflated(raw: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(raw).unwrap();
    encoder.finish().unwrap()
}

/// A PNG file of one pixel (100, 150, 200), with a chunk before its data.
fn with_chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let pixel = deflated(&[0, 100, 150, 200]);
    file(&[(b"IHDR", &header([1, 1], 2, false)), (name, data), (b"IDAT", &pixel), (b"IEND", &[])])
}

#[track_caller]
fn read_bytes(folder: &Path, bytes: &[u8]) -> Result<Photograph, Error> {
    let path = folder.join("photograph");
    fs::write(&path, bytes).unwrap();
    Photograph::read(&path)
}

/// The one sentence about a file that cannot be read.
#[track_caller]
fn refused(folder: &Path, bytes: &[u8], words: &str) {
    let text = read_bytes(folder, bytes).expect_err("a wrong file was accepted").to_string();
    assert!(text.contains(words) && text.contains("photograph") && !text.contains('\n'), "{text}");
}

#[test]
fn png_files_of_every_kind_keep_their_colours_opacity_and_depth() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    use BitDepth::{Eight, One, Sixteen};
    let of = |color, depth, values: &[u8], change: &dyn Fn(&mut Encoder<'_, fs::File>)| {
        write(&path, color, depth, values, change);
        let photograph = Photograph::read(&path).unwrap();
        assert!(photograph.notes().is_empty(), "{:?}", photograph.notes());
        assert_eq!(photograph.is_deep(), depth == Sixteen);
        let parts: Vec<f32> = photograph.colours().iter().map(|part| part * 255.0).collect();
        let opacity =
            photograph.opacity().map(|opacity| opacity.iter().map(|part| part * 255.0).collect::<Vec<f32>>());
        (parts, opacity)
    };
    let plain = |_: &mut Encoder<'_, fs::File>| {};
    assert_eq!(of(ColorType::Rgb, Eight, &[7, 8, 9], &plain), (vec![7.0, 8.0, 9.0], None));
    assert_eq!(
        of(ColorType::Grayscale, Eight, &[51, 204], &plain),
        (vec![51.0, 51.0, 51.0, 204.0, 204.0, 204.0], None)
    );
    assert_eq!(
        of(ColorType::Rgba, Eight, &[1, 2, 3, 51, 4, 5, 6, 255], &plain),
        (vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], Some(vec![51.0, 255.0]))
    );
    assert_eq!(of(ColorType::GrayscaleAlpha, Eight, &[9, 0], &plain), (vec![9.0; 3], Some(vec![0.0])));
    // 257 units of 65535 are one of 255; 1 unit more is not lost.
    let (deep, _) = of(ColorType::Rgb, Sixteen, &[1, 1, 1, 2, 255, 255], &plain);
    for (found, right) in deep.iter().zip([1.0, 258.0 / 257.0, 255.0]) {
        assert!((found - right).abs() < 1e-5, "{found} {right}");
    }
    let palette = |encoder: &mut Encoder<'_, fs::File>| {
        encoder.set_palette(vec![0, 0, 0, 70, 80, 90]);
        encoder.set_trns(vec![255, 51]);
    };
    assert_eq!(
        of(ColorType::Indexed, Eight, &[1, 0], &palette),
        (vec![70.0, 80.0, 90.0, 0.0, 0.0, 0.0], Some(vec![51.0, 255.0]))
    );
    let (bits, _) = of(ColorType::Grayscale, One, &[0b0101_0000], &plain);
    assert_eq!(bits[..12], [0.0, 0.0, 0.0, 255.0, 255.0, 255.0].repeat(2)[..]);
    // The passes of a picture of 2 by 2 pixels: the first pixel, the second, the second row.
    let raw = deflated(&[0, 10, 0, 20, 0, 30, 40]);
    let bytes = file(&[(b"IHDR", &header([2, 2], 0, true)), (b"IDAT", &raw), (b"IEND", &[])]);
    let photograph = read_bytes(folder.path(), &bytes).unwrap();
    let grey: Vec<f32> = photograph.colours().iter().step_by(3).map(|part| (part * 255.0).round()).collect();
    assert_eq!((photograph.size(), grey), ([2, 2], vec![10.0, 20.0, 30.0, 40.0]));
}

#[test]
fn a_photograph_is_written_as_it_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    for (color, depth) in [
        (ColorType::Rgb, BitDepth::Eight),
        (ColorType::Rgba, BitDepth::Eight),
        (ColorType::Rgb, BitDepth::Sixteen),
        (ColorType::Rgba, BitDepth::Sixteen),
    ] {
        // Every byte, so that no value is changed by rounding.
        let values: Vec<u8> = (0..96 * 8_usize).map(|i| (i * 73 % 256) as u8).collect();
        write(&path, color, depth, &values, |_| {});
        let read = Photograph::read(&path).unwrap();
        let written = read.to_png().unwrap();
        assert!(
            is_written_here(&written[..written.len().min(200)])
                && !is_written_here(&fs::read(&path).unwrap())
        );
        assert_eq!(read_bytes(folder.path(), &written).unwrap(), read, "{color:?} {depth:?}");
        let mut reader = png::Decoder::new(std::io::Cursor::new(&written)).read_info().unwrap();
        let mut found = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut found).unwrap();
        assert_eq!(found, values, "{color:?} {depth:?}");
        assert!(reader.info().srgb.is_some());
    }
}

#[test]
fn colours_that_the_file_describes_otherwise_are_converted_or_said() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &[u8; 4], data: &[u8]| {
        let photograph = read_bytes(folder.path(), &with_chunk(name, data)).unwrap();
        (
            photograph.colours().iter().map(|part| (part * 255.0).round()).collect::<Vec<f32>>(),
            photograph.notes().concat(),
        )
    };
    let same = vec![100.0, 150.0, 200.0];
    let gamma = |gamma: f32| ScaledFloat::new(gamma).into_scaled().to_be_bytes();
    assert_eq!(read(b"gAMA", &gamma(0.45455)), (same.clone(), String::new()));
    assert_eq!(read(b"sRGB", &[0]), (same.clone(), String::new()));
    // Linear values of 100, 150 and 200 of 255 are 0.6593, 0.7907 and 0.8984 in sRGB (IEC 61966-2-1).
    let bright = vec![168.0, 202.0, 229.0];
    assert_eq!(read(b"gAMA", &gamma(1.0)), (bright.clone(), String::new()));
    assert_eq!(read(b"cICP", &[1, 8, 0, 1]), (bright, String::new()));
    assert_eq!(read(b"cICP", &[1, 13, 0, 1]), (same.clone(), String::new()));
    let (colours, note) = read(b"cICP", &[12, 13, 0, 1]);
    assert!(colours == same && note.contains("primaries 12"), "{note}");
    let (colours, note) = read(
        b"cHRM",
        &[31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000].map(u32::to_be_bytes).concat(),
    );
    assert!(colours == same && note.contains("cHRM"), "{note}");
    let (colours, note) = read(
        b"cHRM",
        &[31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000].map(u32::to_be_bytes).concat(),
    );
    assert!(colours == same && note.is_empty(), "{note}");
    for (name, is_said) in [("Display P3", true), ("sRGB IEC61966-2.1", false)] {
        let profile = [b"icc\0\0", &deflated(name.as_bytes())[..]].concat();
        let (colours, note) = read(b"iCCP", &profile);
        assert_eq!((colours, note.contains("profile was not applied")), (same.clone(), is_said), "{name}");
    }
    refused(folder.path(), &with_chunk(b"cICP", &[9, 16, 0, 1]), "save it for usual screens");
}

#[track_caller]
fn assert_near(found: &[f32], right: [u8; 3]) {
    let near = found.iter().zip(right).all(|(found, right)| (found * 255.0 - f32::from(right)).abs() < 4.0);
    assert!(near, "{:?}, {right:?} is right", found.iter().map(|part| part * 255.0).collect::<Vec<_>>());
}

#[test]
fn jpeg_files_are_turned_upright_and_their_inks_become_colours() {
    let turned = Photograph::read(&fixture("turned.jpg")).unwrap();
    assert_eq!((turned.size(), turned.notes().len()), ([16, 8], 0));
    let pixel = |row: usize, column: usize| &turned.colours()[(row * 8 + column) * 3..][..3];
    assert_near(pixel(1, 1), [220, 30, 40]);
    assert_near(pixel(14, 6), [30, 60, 200]);
    assert_near(&Photograph::read(&fixture("grey.jpg")).unwrap().colours()[..3], [77; 3]);

    let folder = tempfile::tempdir().unwrap();
    let inks = fs::read(fixture("inks.jpg")).unwrap();
    // (1 - ink) (1 - black), of 255.
    let found = read_bytes(folder.path(), &inks).unwrap();
    assert_near(&found.colours()[..3], [163, 122, 204]);
    assert!(found.notes()[0].contains("four inks"), "{:?}", found.notes());
    let adobe = inks.windows(5).position(|window| window == b"Adobe").unwrap();
    // The same numbers as luma, two differences of colour, and black: red, green and blue 255, 129 and 115, as inks 0, 126 and 140.
    let mut luma = inks.clone();
    luma[adobe + 11] = 2;
    assert_near(&read_bytes(folder.path(), &luma).unwrap().colours()[..3], luma_right());
    let mut unnamed = inks;
    unnamed[adobe] = b'a';
    refused(folder.path(), &unnamed, "save it as RGB");
}

/// Red, green and blue of the luma 204, the differences 153 and 255, and the black 204 (JFIF's formulas; inks inverted).
fn luma_right() -> [u8; 3] {
    let (luma, blue, red) = (204.0_f64, 153.0 - 128.0, 255.0 - 128.0);
    let inks = [luma + 1.402 * red, luma - 0.344_136 * blue - 0.714_136 * red, luma + 1.772 * blue];
    inks.map(|ink| ((255.0 - ink.clamp(0.0, 255.0)) * 204.0 / 255.0).round() as u8)
}

#[test]
fn wrong_files_are_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    refused(folder.path(), b"", "PNG and JPEG files can be read");
    refused(folder.path(), b"RIFF\0\0\0\0WEBPVP8 ", "the file is WebP");
    refused(folder.path(), b"\0\0\0\x18ftypheic", "the file is HEIC");
    for name in ["turned.jpg", "inks.jpg"] {
        let whole = fs::read(fixture(name)).unwrap();
        for length in [2, 20, whole.len() / 2, whole.len() - 30] {
            refused(folder.path(), &whole[..length], "damaged");
        }
    }
    let png = with_chunk(b"sRGB", &[0]);
    for length in [8, 20, png.len() / 2, png.len() - 20] {
        refused(folder.path(), &png[..length], "damaged");
    }
    // Bombs: small files whose header promises more pixels than can be read.
    let side = (MOST_PIXELS as f64).sqrt() as u32 + 1;
    let bomb =
        |size| file(&[(b"IHDR", &header(size, 2, false)), (b"IDAT", &deflated(&[0; 1000])), (b"IEND", &[])]);
    for size in [[side, side], [1, MOST_PIXELS as u32 + 1], [u32::MAX >> 1; 2]] {
        refused(folder.path(), &bomb(size), "pixels can be read");
    }
    let mut jpeg = fs::read(fixture("grey.jpg")).unwrap();
    let frame = jpeg.windows(4).position(|window| window == [0xff, 0xc0, 0, 11]).unwrap();
    jpeg[frame + 5..frame + 9].fill(0xff);
    refused(folder.path(), &jpeg, "65535x65535 pixels; 1 to 67108864 pixels can be read");
    assert!(matches!(Photograph::read(&folder.path().join("none.png")), Err(Error::Io { .. })));
}

#[test]
fn a_mask_is_the_lightness_where_the_picture_is_opaque() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.png");
    write(&path, ColorType::GrayscaleAlpha, BitDepth::Eight, &[255, 255, 0, 255, 255, 51, 102, 255], |_| {});
    let mask = Photograph::read(&path).unwrap().to_mask();
    for (found, right) in mask.iter().zip([1.0, 0.0, 0.2, 0.4]) {
        assert!((found - right).abs() < 1e-6, "{mask:?}");
    }
}

#[test]
fn every_single_pixel_is_a_photograph() {
    let folder = tempfile::tempdir().unwrap();
    let photograph = read_bytes(folder.path(), &with_chunk(b"sRGB", &[0])).unwrap();
    assert_eq!((photograph.size(), photograph.to_bytes()), ([1, 1], vec![100, 150, 200]));
    assert_eq!(photograph.at_most(1), photograph);
    assert!(Photograph::from_bytes([0, 4], &[]).is_err() && Photograph::from_bytes([1, 1], &[1, 2]).is_err());
}

#[test]
fn a_painted_scene_is_the_same_for_every_number_of_threads_and_has_texture() {
    for scene in [Scene::Seaside, Scene::Jungle] {
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| scene.paint())
        };
        let bytes = with(1);
        assert!([2, 7].iter().all(|&threads| with(threads) == bytes));
        let pixels = bytes.as_chunks::<3>().0;
        assert_eq!(pixels.len(), SIZE[0] * SIZE[1]);
        let colours: std::collections::BTreeSet<_> = pixels.iter().collect();
        assert!(colours.len() > 20_000, "{}", colours.len());
        // Patches of one colour would be clip art: most pixels differ from their right neighbour, except in a smooth sky.
        let equal = pixels.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert!(equal * 4 < pixels.len(), "{equal}");
        assert!(pixels.iter().filter(|&&pixel| pixel == [0; 3]).count() < 1000, "holes in the painting");
    }
}

#[test]
fn the_seaside_is_blue_and_the_jungle_is_green_and_red() {
    let [seaside, jungle] = [Scene::Seaside, Scene::Jungle].map(Scene::paint);
    let share = |bytes: &[u8], is: &dyn Fn([i32; 3]) -> bool| {
        let pixels = bytes.as_chunks::<3>().0;
        pixels.iter().filter(|pixel| is(pixel.map(i32::from))).count() as f64 / pixels.len() as f64
    };
    let blue = |[red, _, blue]: [i32; 3]| blue > red + 40;
    let green = |[red, green, blue]: [i32; 3]| green > red + 10 && green > blue + 10;
    let red = |[red, green, blue]: [i32; 3]| red > 150 && green < 80 && blue < 80;
    assert!(share(&seaside, &blue) > 0.4 && share(&jungle, &blue) < 0.1);
    assert!(share(&jungle, &green) > 0.4 && share(&seaside, &green) < 0.2);
    assert!(share(&jungle, &red) > 0.02);
}

/// A photograph of pixels of two colours: the first in the upper half, the second in the lower.
fn halves(folder: &Path, name: &str, colours: [[u8; 3]; 2]) -> Side {
    let path = folder.join(name);
    let pixels: Vec<u8> = (0..8 * 4).flat_map(|i| colours[i / 16]).collect();
    fs::write(&path, equilibria::report::picture([8, 4, 3], &pixels).unwrap()).unwrap();
    Side::read(&path).unwrap()
}

#[test]
fn blue_comes_from_the_nearest_colour_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    // The blue is below in the target, and the colour nearest to it is above in the source.
    let source = halves(folder.path(), "source.png", [[40, 120, 200], [220, 160, 60]]);
    let target = halves(folder.path(), "target.png", [[230, 90, 40], [20, 40, 210]]);
    let settings = ColourSettings::default();
    let (_, _, transfer) = recolour(&source, &target, None, &settings).unwrap();
    let found = origin(&source, &target, &transfer).unwrap();
    assert!(found.is_blue && (found.share - 0.5).abs() < 1e-9, "{found:?}");
    for (colour, right) in found.colours.iter().zip([[20, 40, 210], [40, 120, 200]]) {
        assert_near(colour, right);
    }
    let [near, any] = found.distances;
    assert!(near < 0.7 * any, "{near} {any}");
    let [[_, below], [_, above]] = found.places;
    assert!(below > 0.5 && above < 0.5, "{:?}", found.places);
    // The rest is grey.
    let pixel = |image: usize, row: usize| &found.images[image].values()[row * 12..][..3];
    assert_near(pixel(0, 7), [20, 40, 210]);
    assert_near(pixel(1, 0), [40, 120, 200]);
    for (image, row) in [(0, 0), (1, 7)] {
        let [red, green, blue] = pixel(image, row) else { panic!("three parts") };
        assert!((red - green).abs() < 1e-6 && (red - blue).abs() < 1e-6, "{red} {green} {blue}");
    }
}

#[test]
fn scatters_histograms_and_tiles_show_the_colours_where_they_belong() {
    let folder = tempfile::tempdir().unwrap();
    let side = halves(folder.path(), "a.png", [[255, 128, 0], [0, 0, 255]]);
    let [red, green, blue] = histograms(side.image(), 4);
    assert_eq!(
        (red, green, blue),
        (vec![0.5, 0.0, 0.0, 0.5], vec![0.5, 0.0, 0.5, 0.0], vec![0.5, 0.0, 0.0, 0.5])
    );
    // Red is to the right and blue upwards, in a square in the middle of white.
    let tile = scatter(side.image(), [100, 120]);
    let at = |row: usize, column: usize| &tile[(row * 120 + column) * 3..][..3];
    assert_eq!(at(99, 109), [255, 128, 0]);
    assert_eq!(at(0, 10), [0, 0, 255]);
    assert_eq!(at(50, 5), [255; 3]);
    // A picture that is twice as high as wide, in a tile that is wider than high.
    let tile = fitted(side.image(), [4, 6]).unwrap();
    let at = |row: usize, column: usize| &tile[(row * 6 + column) * 3..][..3];
    assert_eq!(
        [at(0, 2), at(1, 3), at(2, 2), at(3, 3)].concat(),
        [[255, 128, 0], [255, 128, 0], [0, 0, 255], [0, 0, 255]].concat()
    );
    assert_eq!([at(0, 1), at(3, 4)], [[255; 3]; 2]);
}
