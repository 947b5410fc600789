//! Folders of pictures.

use super::refused;
use equilibria::data::{Dataset, pictures};
use equilibria::report::picture;
use std::fs;
use std::path::Path;

/// Writes a PNG file whose pixels are all of this colour, or of this grey.
fn write(path: &Path, [height, width]: [usize; 2], colour: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let values = colour.repeat(height * width);
    fs::write(path, picture([height, width, colour.len()], &values).unwrap()).unwrap();
}

/// A baseline JPEG file of blocks of 8 by 8 pixels in a row, each with one luminance and two differences of colour.
fn jpeg(blocks: &[[u8; 3]]) -> Vec<u8> {
    let segment = |marker: u8, content: &[u8]| {
        [&[0xff, marker], &((content.len() + 2) as u16).to_be_bytes()[..], content].concat()
    };
    let [width_high, width_low] = ((8 * blocks.len()) as u16).to_be_bytes();
    let mut file = vec![0xff, 0xd8];
    // All divisors are 1.
    file.extend(segment(0xdb, &[&[0][..], &[1; 64]].concat()));
    file.extend(segment(0xc0, &[8, 0, 8, width_high, width_low, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]));
    // Twelve codes of 4 bits for the sizes of first coefficients; one code of 1 bit for the end of a block.
    let first: Vec<u8> = (0..12).collect();
    file.extend(segment(0xc4, &[&[0x00, 0, 0, 0, 12][..], &[0; 12], &first].concat()));
    file.extend(segment(0xc4, &[&[0x10, 1][..], &[0; 15], &[0]].concat()));
    file.extend(segment(0xda, &[3, 1, 0, 2, 0, 3, 0, 0, 63, 0]));
    let mut bits = String::new();
    let mut before = [0_i32; 3];
    for block in blocks {
        for (part, &value) in block.iter().enumerate() {
            let coefficient = 8 * (i32::from(value) - 128);
            let difference = coefficient - before[part];
            before[part] = coefficient;
            let size = 32 - difference.unsigned_abs().leading_zeros();
            bits += &format!("{size:04b}");
            if size > 0 {
                let code = if difference < 0 { difference + (1 << size) - 1 } else { difference };
                bits += &format!("{code:0width$b}", width = size as usize);
            }
            bits += "0";
        }
    }
    while !bits.len().is_multiple_of(8) {
        bits += "1";
    }
    for byte in bits.as_bytes().chunks(8) {
        let byte = u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap();
        file.extend(if byte == 0xff { vec![byte, 0] } else { vec![byte] });
    }
    file.extend([0xff, 0xd9]);
    file
}

#[test]
fn files_are_read_in_the_order_of_their_names_and_others_are_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, colour) in [("c.png", [1, 2, 3]), ("a.PNG", [4, 5, 6]), ("b.png", [7, 8, 9])] {
        write(&at(name), [2, 3], &colour);
    }
    for name in [".DS_Store", "._a.png", "Thumbs.db", "labels.csv"] {
        fs::write(at(name), "no picture").unwrap();
    }
    let images = pictures::read_folder(folder.path(), None).unwrap();
    assert_eq!((images.len(), images.shape()), (3, [2, 3, 3]));
    assert_eq!([0, 1, 2].map(|index| images.image(index)[1]), [5, 8, 2]);
    let digits = Dataset::load_any(folder.path(), None, None).unwrap();
    assert_eq!((digits.train.len(), digits.test.len()), (2, 1), "the last is held out");
}

#[test]
fn images_are_grey_until_one_pixel_has_a_colour() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("a.png"), [1, 2], &[40]);
    write(&at("b.png"), [1, 2], &[50, 50, 50]);
    let images = pictures::read_folder(folder.path(), None).unwrap();
    assert_eq!((images.shape(), images.pixels()), ([1, 2, 1], &[40, 40, 50, 50][..]));
    assert!(Dataset::load(folder.path(), None).is_ok(), "for a machine of grey images, too");
    write(&at("aa.png"), [1, 2], &[9, 9, 8]);
    let images = pictures::read_folder(folder.path(), None).unwrap();
    assert_eq!(images.shape(), [1, 2, 3]);
    assert_eq!(images.pixels(), [40, 40, 40, 40, 40, 40, 9, 9, 8, 9, 9, 8, 50, 50, 50, 50, 50, 50]);
    assert!(Dataset::load(folder.path(), None).unwrap_err().to_string().contains("colour images"));
}

#[test]
fn jpeg_files_are_read_beside_png_files() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.jpg"), jpeg(&[[0, 128, 128], [200, 128, 128]])).unwrap();
    fs::write(folder.path().join("b.JPEG"), jpeg(&[[128, 90, 160], [255, 128, 128]])).unwrap();
    write(&folder.path().join("c.png"), [8, 16], &[1, 2, 3]);
    let images = pictures::read_folder(folder.path(), None).unwrap();
    assert_eq!(images.shape(), [8, 16, 3]);
    let pixel = |index: usize, column: usize| images.image(index)[3 * column..][..3].to_vec();
    assert_eq!([pixel(0, 0), pixel(0, 15), pixel(2, 5)], [vec![0; 3], vec![200; 3], vec![1, 2, 3]]);
    // Y 128, Cb 90, Cr 160: R = Y + 1.402 (Cr - 128), G = Y - 0.344 (Cb - 128) - 0.714 (Cr - 128), B = Y + 1.772 (Cb - 128)
    for (found, right) in pixel(1, 0).into_iter().zip([172.9, 118.2, 60.7]) {
        assert!((f64::from(found) - right).abs() < 2.0, "{:?}", pixel(1, 0));
    }
}

#[test]
fn damaged_jpeg_files_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jpg");
    let whole = jpeg(&[[7, 128, 128]; 40]);
    for length in [0, 1, 2, 20, 150, whole.len() - 12] {
        fs::write(&path, &whole[..length]).unwrap();
        let text = refused(folder.path(), None);
        let words = if length < 2 { "this is" } else { "this is no JPEG file, or a damaged one" };
        assert!(text.contains(&format!("a.jpg: at byte 0: {words}")), "{length}: {text}");
    }
    // A PNG file under another name, and the opposite: the content decides.
    fs::write(&path, picture([1, 1, 1], &[0]).unwrap()).unwrap();
    assert_eq!(pictures::read_folder(folder.path(), None).unwrap().pixels(), [0]);
    fs::remove_file(&path).unwrap();
    fs::write(folder.path().join("b.png"), whole).unwrap();
    assert_eq!(pictures::read_folder(folder.path(), None).unwrap().shape(), [8, 320, 1]);
    fs::write(folder.path().join("b.png"), "neither").unwrap();
    assert!(refused(folder.path(), None).contains("b.png: at byte 0: this is text; a PNG"));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        cases: 300, failure_persistence: None, ..proptest::prelude::ProptestConfig::default()
    })]
    #[test]
    fn no_damage_to_a_jpeg_file_panics(changes in proptest::collection::vec((0..700_usize, 0..=255_u8), 1..4)) {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = jpeg(&[[7, 100, 200], [255, 128, 128], [0, 3, 250]]);
        for (place, value) in changes {
            let length = bytes.len();
            bytes[place % length] = value;
        }
        fs::write(folder.path().join("a.jpg"), bytes).unwrap();
        if let Err(error) = pictures::read_folder(folder.path(), Some([8, 24])) {
            assert!(error.to_string().contains("a.jpg"), "{error}");
        }
    }
}

#[test]
fn subfolders_are_classes_and_give_a_sixth_of_each_for_testing() {
    let folder = tempfile::tempdir().unwrap();
    for (class, count) in [("dogs", 6), ("cats", 12), ("no pictures", 0)] {
        fs::create_dir_all(folder.path().join(class)).unwrap();
        for index in 0..count {
            write(&folder.path().join(class).join(format!("{index:02}.png")), [2, 2], &[index]);
        }
    }
    let digits = Dataset::load_any(folder.path(), None, None).unwrap();
    assert_eq!(digits.train.labels(), [&[0; 10][..], &[1; 5]].concat());
    assert_eq!((digits.test.labels(), digits.test.images().pixels().len()), (&[0, 0, 1][..], 12));
    assert_eq!([0, 1, 2].map(|index| digits.test.images().image(index)[0]), [10, 11, 5]);
    let dogs = Dataset::load_any(folder.path(), Some("dogs"), None).unwrap();
    assert_eq!((dogs.train.len(), dogs.test.len()), (5, 1));
    let text = refused(folder.path(), Some("birds"));
    assert!(text.starts_with("--class birds: the classes of") && text.ends_with("are cats, dogs"), "{text}");
}

#[test]
fn the_subfolders_train_and_test_are_sets() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (set, count) in [("train", 3), ("test", 2)] {
        (0..count).for_each(|index| write(&at(set).join(format!("{index}.png")), [2, 2], &[10 + index]));
    }
    let digits = Dataset::load_any(folder.path(), None, None).unwrap();
    assert_eq!((digits.train.len(), digits.test.len()), (3, 2));
    write(&at("test/9.png"), [2, 2], &[1, 2, 3]);
    let digits = Dataset::load_any(folder.path(), None, None).unwrap();
    assert_eq!(
        digits.train.images().shape(),
        digits.test.images().shape(),
        "colour in one is colour in both"
    );
    write(&at("test/8.png"), [3, 2], &[1]);
    let text = refused(folder.path(), None);
    assert!(text.contains("8.png: at byte 0: the picture has 3x2 pixels; one image of 2x2"), "{text}");
}

#[test]
fn pictures_of_different_sizes_are_named_with_both_sizes() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("a.png"), [28, 28], &[0]);
    write(&folder.path().join("b.png"), [32, 16], &[0]);
    let text = refused(folder.path(), None);
    assert!(text.contains("b.png: at byte 0: the picture has 32x16 pixels, and a.png has 28x28"), "{text}");
    fs::write(folder.path().join("b.jpg"), jpeg(&[[0; 3]])).unwrap();
    fs::remove_file(folder.path().join("b.png")).unwrap();
    let text = refused(folder.path(), None);
    assert!(text.contains("b.jpg: at byte 0: the picture has 8x8 pixels, and a.png has 28x28"), "{text}");
}

/// A header that promises more pixels than can be read is refused before anything of that size is allocated.
#[test]
fn huge_pictures_are_refused_by_their_header() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    write(&path, [2, 2], &[0]);
    let mut bytes = fs::read(&path).unwrap();
    bytes[16..24].copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 0]);
    let sum = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&sum.to_be_bytes());
    fs::write(&path, &bytes).unwrap();
    let text = refused(folder.path(), None);
    assert!(text.contains("a.png: at byte 0: the picture has 16384x16384 pixels; 1 to 16777216"), "{text}");
    fs::remove_file(&path).unwrap();
    let mut file = jpeg(&[[0; 3]]);
    // Height and width follow the precision in the frame header.
    let frame = file.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    file[frame + 5..frame + 9].copy_from_slice(&[0x3f, 0xff, 0x3f, 0xff]);
    fs::write(folder.path().join("a.jpg"), file).unwrap();
    let text = refused(folder.path(), None);
    assert!(text.contains("a.jpg: at byte 0: the picture has 16383x16383 pixels; 1 to 16777216"), "{text}");
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc)))
}

#[test]
fn a_folder_without_pictures_or_with_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refused(folder.path(), None).contains("not found in"), "{}", refused(folder.path(), None));
    fs::write(folder.path().join("cat.gif"), "GIF89a").unwrap();
    let text = pictures::read_folder(folder.path(), None).unwrap_err().to_string();
    assert!(
        text.contains("not found in") && text.contains("it has cat.gif; give a folder of pictures"),
        "{text}"
    );
    write(&folder.path().join("a.png"), [2, 2], &[0]);
    assert!(refused(folder.path(), None).contains("1 image in"), "{}", refused(folder.path(), None));
}
