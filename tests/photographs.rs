//! Are photographs read as they look, whatever the file stores, and are wrong files refused in one sentence?
#![cfg(feature = "cli")]

use equilibria::Error;
use equilibria::data::photograph::{MOST_PIXELS, Photograph, is_written_here};
use equilibria::data::scenes::{SIZE, Scene};
use equilibria::run::recolour::{Side, fitted, histograms, origin, recolour, scatter};
use equilibria::transport::colour::{ColourMethod, ColourSettings};
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

/// A colour profile (ICC) of three primaries and one curve.
fn profile(primaries: [[f64; 3]; 3], curve: &[u8]) -> Vec<u8> {
    let fixed = |x: f64| ((x * 65_536.0).round() as i32).to_be_bytes();
    let mut tags: Vec<(&[u8; 4], Vec<u8>)> = Vec::new();
    for (name, primary) in [b"rXYZ", b"gXYZ", b"bXYZ"].into_iter().zip(primaries) {
        tags.push((name, [&b"XYZ \0\0\0\0"[..], &primary.map(fixed).concat()].concat()));
    }
    tags.extend([b"rTRC", b"gTRC", b"bTRC"].map(|name| (name, curve.to_vec())));
    let mut bytes = vec![0; 128];
    bytes[16..24].copy_from_slice(b"RGB XYZ ");
    bytes[36..40].copy_from_slice(b"acsp");
    bytes.extend((tags.len() as u32).to_be_bytes());
    let mut start = 132 + 12 * tags.len();
    for (name, data) in &tags {
        bytes.extend(*name);
        bytes.extend([start as u32, data.len() as u32].map(u32::to_be_bytes).concat());
        start += data.len();
    }
    bytes.extend(tags.into_iter().flat_map(|tag| tag.1));
    bytes
}

/// Primaries under D50 of sRGB, Display P3 and Adobe RGB, as their profiles store them.
const SRGB: [[f64; 3]; 3] =
    [[0.43607, 0.22249, 0.01392], [0.38515, 0.71687, 0.09708], [0.14307, 0.06061, 0.71410]];
const DISPLAY_P3: [[f64; 3]; 3] =
    [[0.51512, 0.24120, -0.00105], [0.29198, 0.69225, 0.04189], [0.15710, 0.06657, 0.78407]];
const ADOBE: [[f64; 3]; 3] =
    [[0.60974, 0.31111, 0.01947], [0.20528, 0.62567, 0.06087], [0.14919, 0.06322, 0.74457]];

/// The curve of sRGB with five parameters, and a curve of points.
fn curves() -> [Vec<u8>; 2] {
    let fixed = |x: f64| ((x * 65_536.0).round() as i32).to_be_bytes();
    let numbers = [2.4, 1.0 / 1.055, 0.055 / 1.055, 1.0 / 12.92, 0.04045].map(fixed).concat();
    let points: Vec<u8> =
        (0..1024).flat_map(|at| ((decoded(at as f64 / 1023.0) * 65_535.0) as u16).to_be_bytes()).collect();
    [
        [&b"para\0\0\0\0\0\x03\0\0"[..], &numbers].concat(),
        [&b"curv\0\0\0\0"[..], &1024_u32.to_be_bytes(), &points].concat(),
    ]
}

fn decoded(value: f64) -> f64 {
    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

#[test]
fn profiles_of_screens_and_cameras_are_applied() {
    let folder = tempfile::tempdir().unwrap();
    let with = |profile: &[u8]| {
        let bytes = with_chunk(b"iCCP", &[b"icc\0\0", &deflated(profile)[..]].concat());
        let photograph = read_bytes(folder.path(), &bytes).unwrap();
        (photograph.colours().to_vec(), photograph.notes().to_vec())
    };
    let gamma = [&b"curv\0\0\0\0\0\0\0\x01"[..], &563_u16.to_be_bytes()].concat();
    let power = [&b"para\0\0\0\0\0\0\0\0"[..], &((563 << 8) as u32).to_be_bytes()].concat();
    let [parameters, points] = curves();
    // Linear light of the other spaces to that of sRGB (CSS Color 4).
    let p3 =
        [[1.224_940, -0.224_940, 0.0], [-0.042_057, 1.042_057, 0.0], [-0.019_638, -0.078_636, 1.098_274]];
    let adobe = [[1.398_356, -0.398_356, 0.0], [0.0, 1.0, 0.0], [0.0, -0.042_929, 1.042_929]];
    let pixel = [100.0, 150.0, 200.0].map(|value: f64| value / 255.0);
    let srgb = |value: f64| decoded(value);
    let adobe_curve = |value: f64| value.powf(563.0 / 256.0);
    type Curve<'a> = &'a dyn Fn(f64) -> f64;
    let cases: [(_, &[u8], _, Curve<'_>); 4] = [
        (DISPLAY_P3, &parameters, p3, &srgb),
        (DISPLAY_P3, &points, p3, &srgb),
        (ADOBE, &gamma, adobe, &adobe_curve),
        (ADOBE, &power, adobe, &adobe_curve),
    ];
    for (primaries, curve, matrix, linear) in cases {
        let (found, notes) = with(&profile(primaries, curve));
        assert!(notes.is_empty(), "{notes:?}");
        let light = pixel.map(linear);
        for (found, row) in found.iter().zip(matrix) {
            let right: f64 = row.iter().zip(light).map(|(weight, light)| weight * light).sum();
            let error = (decoded(f64::from(*found)) - right).abs();
            assert!(error < 5e-4, "{found} has {error} too much light, which should be {right}");
        }
    }
    // The other functions: a power above an offset, the same with a constant, and all seven parameters.
    let fixed = |x: f64| ((x * 65_536.0).round() as i32).to_be_bytes();
    let light = |kind: u8, numbers: &[f64], primaries| {
        let numbers: Vec<u8> = numbers.iter().flat_map(|&x| fixed(x)).collect();
        let (found, _) = with(&profile(
            primaries,
            &[&[b'p', b'a', b'r', b'a', 0, 0, 0, 0, 0, kind, 0, 0], &numbers[..]].concat(),
        ));
        decoded(f64::from(found[0]))
    };
    let x = pixel[0];
    for (kind, numbers, right) in [
        (1, &[2.0, 1.25, -0.25][..], (1.25 * x - 0.25).powi(2)),
        (2, &[2.0, 1.25, -0.25, 0.1], (1.25 * x - 0.25).powi(2) + 0.1),
        (4, &[2.0, 0.9, 0.1, 0.5, 0.8, 0.05, 0.02], 0.5 * x + 0.02),
        (4, &[2.0, 0.9, 0.05, 0.5, 0.2, 0.05, 0.02], (0.9 * x + 0.05).powi(2) + 0.05),
    ] {
        let found = light(kind, numbers, SRGB);
        assert!((found - right).abs() < 5e-4, "function {kind}: {found}, not {right}");
    }
    // A profile of sRGB changes no bit, and neither does one that is damaged, which is noted.
    let same: Vec<f32> = [100, 150, 200].map(|byte| byte as f32 / 255.0).to_vec();
    let whole = profile(SRGB, &parameters);
    assert_eq!(with(&whole), (same.clone(), vec![]));
    let other = profile(DISPLAY_P3, &points);
    let note = "its colour profile was not applied: the values were taken for sRGB";
    for length in [0, 1, 40, 128, 131, 132, 150, 203, 204, 300, 400, other.len() - 1] {
        assert_eq!(with(&other[..length]), (same.clone(), vec![note.to_string()]), "{length} bytes");
    }
    // Wrong numbers in any place give some colours, and no crash.
    let other = profile(DISPLAY_P3, &parameters);
    for at in (0..other.len()).step_by(5) {
        for value in [128, 255] {
            let mut wrong = other.clone();
            wrong[at] = value;
            let (colours, _) = with(&wrong);
            assert!(
                colours.iter().all(|part| (0.0..=1.0).contains(part)),
                "byte {at} is {value}: {colours:?}"
            );
        }
    }
    for at in [16, 20, 36] {
        let mut wrong = other.clone();
        wrong[at] = b'?';
        assert_eq!(with(&wrong), (same.clone(), vec![note.to_string()]), "byte {at}");
    }
    let mut table = other.clone();
    table[132..136].copy_from_slice(b"A2B0");
    assert_eq!(with(&table).1, [note]);
}

#[test]
fn our_method_is_nearer_and_keeps_more_structure_than_both_of_the_report() {
    let painted = |scene: Scene| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scene.png");
        fs::write(&path, Photograph::from_bytes(SIZE, &scene.paint()).unwrap().to_png().unwrap()).unwrap();
        Side::read(&path).unwrap()
    };
    let [seaside, jungle] = [Scene::Seaside, Scene::Jungle].map(painted);
    for (source, target) in [(&seaside, &jungle), (&jungle, &seaside)] {
        let [ours, exact, entropic] =
            [ColourMethod::Palette, ColourMethod::ReportExact, ColourMethod::ReportEntropic].map(|method| {
                recolour(source, target, None, &ColourSettings::of(method)).unwrap().0.measures
            });
        for other in [exact, entropic] {
            assert!(
                ours.sliced_distance < other.sliced_distance
                    && ours.divergence < other.divergence
                    && ours.luminance_ssim > other.luminance_ssim
                    && ours.colours_lost <= other.colours_lost,
                "ours {ours:?}, the report's {other:?}"
            );
        }
    }
}

#[test]
fn values_of_16_bits_are_written_as_they_were_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep.png");
    let values: Vec<u8> = (0..600_u32).flat_map(|i| ((i * 109 + 7) as u16).to_be_bytes()).collect();
    write(&path, ColorType::Rgb, BitDepth::Sixteen, &values, |_| ());
    let first = Photograph::read(&path).unwrap();
    fs::write(&path, first.to_png().unwrap()).unwrap();
    assert_eq!(Photograph::read(&path).unwrap(), first);
}

#[test]
fn transparent_pixels_are_no_colours_under_a_mask_either() {
    let folder = tempfile::tempdir().unwrap();
    let side = |name: &str, hidden: [u8; 3]| {
        let path = folder.path().join(name);
        let pixel =
            |i: u8| if i & 1 == 0 { [hidden[0], hidden[1], hidden[2], 0] } else { [i, 40 + i, 90, 255] };
        write(
            &path,
            ColorType::Rgba,
            BitDepth::Eight,
            &(0..100).flat_map(pixel).collect::<Vec<u8>>(),
            |_| (),
        );
        Side::read(&path).unwrap()
    };
    let (red, blue) = (side("red.png", [255, 0, 0]), side("blue.png", [0, 0, 255]));
    let settings = ColourSettings::of(ColourMethod::Linear);
    let seen = |source: &Side| {
        let image = recolour(source, &blue, Some(&[1.0; 100]), &settings).unwrap().1;
        image.values().chunks_exact(6).flat_map(|pair| pair[3..].to_vec()).collect::<Vec<f32>>()
    };
    let error = seen(&red).iter().zip(seen(&blue)).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
    assert!(error < 1e-4, "{error}");
}
