//! Arrays of every type and shape: IDX, `.npy` and `.npz`.

use super::{idx, load, npy, pixels, reading, refused, succeeds, write_set};
use equilibria::data::Reading;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use std::fs;
use std::io::Write;
use std::path::Path;

const NAMES: [&str; 2] = ["train-images-idx3-ubyte", "t10k-images-idx3-ubyte"];

/// Writes the same file for training and for testing.
fn write_both(folder: &Path, bytes: &[u8]) {
    NAMES.iter().for_each(|name| fs::write(folder.join(name), bytes).unwrap());
}

fn be<const SIZE: usize>(values: &[f64], bytes: fn(f64) -> [u8; SIZE]) -> Vec<u8> {
    values.iter().flat_map(|&value| bytes(value)).collect()
}

#[test]
fn idx_of_every_type_is_read_with_its_usual_or_stated_range() {
    let folder = tempfile::tempdir().unwrap();
    let unit = [0.0, 1.0, 0.5, 0.2];
    let wide = [0.0, 255.0, 128.0, 51.0];
    let signed = [-1.0, 1.0, 0.0, -0.6];
    let files: [(u8, Vec<u8>, Option<&str>); 9] = [
        (0x08, vec![0, 255, 128, 51], None),
        (0x09, be(&[0.0, 100.0, 50.0, 20.0], |x| (x as i8).to_be_bytes()), Some("0..100")),
        (0x0b, be(&wide, |x| (x as i16).to_be_bytes()), None),
        (0x0c, be(&wide, |x| (x as i32).to_be_bytes()), None),
        (0x0c, be(&[0.0, 1e6, 5e5, 2e5], |x| (x as i32).to_be_bytes()), Some("0..1000000")),
        (0x0d, be(&unit, |x| (x as f32).to_be_bytes()), None),
        (0x0d, be(&wide, |x| (x as f32).to_be_bytes()), None),
        (0x0d, be(&signed, |x| (x as f32).to_be_bytes()), Some("-1..1")),
        (0x0e, be(&unit, f64::to_be_bytes), None),
    ];
    for (code, content, range) in files {
        write_both(folder.path(), &idx(code, &[1, 2, 2], &content));
        let how = reading(|reading| reading.range = range.map(|range| range.parse().unwrap()));
        let (digits, notes) = load(folder.path(), &how);
        assert_eq!(digits.train.images().pixels(), [0, 255, 128, 51], "{code:#x}, {range:?}");
        assert_eq!((digits.test.len(), notes.as_str()), (1, ""), "{code:#x}");
    }
    // Nothing says which values are ink.
    write_both(folder.path(), &idx(0x0d, &[1, 2, 2], &be(&signed, |x| (x as f32).to_be_bytes())));
    let text = refused(folder.path(), &Reading::default());
    assert!(text.contains("32-bit floats from -1 to 1; --range LOW..HIGH says"), "{text}");
    assert!(text.contains("here perhaps --range -1..1"), "{text}");
    // A stated range holds for all pixels.
    let text = refused(folder.path(), &reading(|reading| reading.range = Some("0..1".parse().unwrap())));
    assert!(text.contains("a pixel of -1 is outside --range 0..1"), "{text}");
    write_both(folder.path(), &idx(0x0e, &[1, 1, 2], &be(&[0.0, f64::NAN], f64::to_be_bytes)));
    assert!(refused(folder.path(), &Reading::default()).contains("infinite or not a number"));
}

#[test]
fn images_may_be_flat_grey_or_in_colour_with_channels_at_either_place() {
    let folder = tempfile::tempdir().unwrap();
    let colour: Vec<u8> = (0..12).map(|value| 21 * value).collect();
    let planes: Vec<u8> = [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11].map(|at| colour[at]).to_vec();
    let shape = |text: &str| reading(|reading| reading.shape = Some(text.parse().unwrap()));
    let plain = Reading::default();
    for (sizes, content, how, right) in [
        (&[1, 4][..], &colour[..4], &plain, [2, 2, 1]),
        (&[1, 12], &colour, &shape("3x4"), [3, 4, 1]),
        (&[1, 12], &colour, &shape("2x2x3"), [2, 2, 3]),
        (&[1, 3, 4], &colour, &plain, [3, 4, 1]),
        (&[1, 2, 2, 3], &colour, &plain, [2, 2, 3]),
        (&[1, 3, 2, 2], &planes, &plain, [2, 2, 3]),
        (&[1, 1, 3, 4], &colour, &plain, [3, 4, 1]),
        (&[1, 3, 4, 1], &colour, &plain, [3, 4, 1]),
    ] {
        write_both(folder.path(), &idx(8, sizes, content));
        let images = load(folder.path(), how).0.train.images().clone();
        assert_eq!((images.shape(), images.pixels()), (right, &colour[..content.len()]), "{sizes:?}");
    }
    write_both(folder.path(), &idx(8, &[1, 12], &colour));
    let text = refused(folder.path(), &plain);
    assert!(text.contains("a row of 12 values, which are no square; --shape HEIGHTxWIDTH"), "{text}");
    let text = refused(folder.path(), &shape("28x28"));
    assert!(text.starts_with("--shape 28x28: ") && text.contains("784 values, one of"), "{text}");
    write_both(folder.path(), &idx(8, &[1, 2, 2, 4], &[0; 16]));
    assert!(refused(folder.path(), &plain).contains("an array of shape (1, 2, 2, 4)"));
    // Colours as brightness; rows and columns swapped.
    write_both(folder.path(), &idx(8, &[1, 1, 2, 3], &[255, 255, 255, 0, 255, 0]));
    let grey = load(folder.path(), &reading(|reading| reading.grey = true)).0;
    assert_eq!((grey.train.images().shape(), grey.train.images().pixels()), ([1, 2, 1], &[255, 150][..]));
    let turned = load(folder.path(), &reading(|reading| reading.transpose = true)).0;
    assert_eq!(turned.train.images().shape(), [2, 1, 3]);
    write_both(folder.path(), &idx(8, &[1, 2, 3], &[0, 1, 2, 3, 4, 255]));
    let turned = load(folder.path(), &reading(|reading| reading.transpose = true)).0;
    assert_eq!(turned.train.images().pixels(), [0, 3, 1, 4, 2, 255]);
}

#[test]
fn npy_files_of_every_type_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images.npy");
    for (descr, content) in [
        ("|b1", vec![0, 1, 1, 0]),
        ("|u1", vec![0, 255, 255, 0]),
        ("<u2", [0_u16, 65_535, 65_535, 0].map(u16::to_le_bytes).concat()),
        (">i4", [0_i32, 255, 255, 0].map(i32::to_be_bytes).concat()),
        ("<i8", [0_i64, 255, 255, 0].map(i64::to_le_bytes).concat()),
        ("<f4", [0_f32, 1.0, 1.0, 0.0].map(f32::to_le_bytes).concat()),
        (">f8", [0_f64, 1.0, 1.0005, 0.0].map(f64::to_be_bytes).concat()),
    ] {
        fs::write(&path, npy(descr, "(2, 1, 2)", &content)).unwrap();
        let (digits, notes) = load(folder.path(), &Reading::default());
        assert_eq!(digits.train.images().pixels(), [0, 255], "{descr}");
        assert_eq!(digits.test.images().pixels(), [255, 0], "{descr}");
        assert!(notes.contains("has no test images: 1 image, the last sixth, is taken"), "{descr}: {notes}");
    }
    fs::write(&path, npy("<c8", "(2, 1, 2)", &[0; 32])).unwrap();
    assert!(refused(&path, &Reading::default()).contains("elements of type <c8"));
}

#[test]
fn labels_may_have_a_column_for_each_class() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x_train.npy"), npy("|u1", "(3, 1, 2)", &[0, 255, 1, 2, 3, 4])).unwrap();
    let path = folder.path().join("y_train.npy");
    let rows = [0_f32, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    let write = |rows: [f32; 9]| {
        fs::write(&path, npy("<f4", "(3, 3)", &rows.map(f32::to_le_bytes).concat())).unwrap();
        load(folder.path(), &Reading::default()).0.train
    };
    let train = write(rows);
    assert!(train.check_labels().is_ok() && train.labels() == [2, 0], "{:?}", train.labels());
    // No 1, two of them, another number, and no number.
    for wrong in [0.0, 0.5, f32::NAN] {
        let mut rows = rows;
        rows[3] = wrong;
        let text = write(rows).check_labels().unwrap_err().to_string();
        assert!(text.contains("row 1 does not have one 1, in the column of its class"), "{text}");
    }
    let mut rows = rows;
    rows[8] = 1.0;
    let text = write(rows).check_labels().unwrap_err().to_string();
    assert!(text.contains("labels of shape (3, 3): row 2 does not"), "{text}");
}

/// An archive whose members are stored, or deflated.
pub(super) fn zip(members: &[(&str, Vec<u8>)], is_deflated: bool) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in members {
        let mut sum = flate2::Crc::new();
        sum.update(content);
        let packed = match is_deflated {
            true => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
            false => content.clone(),
        };
        let offset = bytes.len() as u32;
        let method = if is_deflated { 8_u16 } else { 0 };
        let sizes = [sum.sum(), packed.len() as u32, content.len() as u32].map(u32::to_le_bytes).concat();
        let head = [&method.to_le_bytes()[..], &[0; 4], &sizes, &(name.len() as u16).to_le_bytes()].concat();
        // As numpy writes it: an extra field in the member alone.
        bytes.extend(
            [&b"PK\x03\x04\x14\0\0\0"[..], &head, &[4, 0], name.as_bytes(), &[9, 9, 0, 0], &packed].concat(),
        );
        directory.extend(
            [&b"PK\x01\x02\x14\0\x14\0\0\0"[..], &head, &[0; 12], &offset.to_le_bytes(), name.as_bytes()]
                .concat(),
        );
    }
    let (start, count) = (bytes.len() as u32, members.len() as u16);
    let counts = [count, count].map(u16::to_le_bytes).concat();
    let places = [directory.len() as u32, start].map(u32::to_le_bytes).concat();
    bytes.extend([&directory[..], b"PK\x05\x06\0\0\0\0", &counts, &places, &[0, 0]].concat());
    bytes
}

#[test]
fn archives_of_arrays_are_read_by_the_names_of_their_members() {
    let folder = tempfile::tempdir().unwrap();
    let members = [
        ("x_train.npy", npy("|u1", "(3, 1, 2)", &[0, 255, 1, 2, 3, 4])),
        ("y_train.npy", npy("<i8", "(3,)", &[7_i64, 8, 9].map(i64::to_le_bytes).concat())),
        ("x_test.npy", npy("|u1", "(1, 1, 2)", &[5, 6])),
        ("y_test.npy", npy("|u1", "(1, 1)", &[4])),
        ("val_images.npy", npy("|u1", "(1, 1, 2)", &[5, 6])),
    ];
    for is_deflated in [false, true] {
        let path = folder.path().join("mnist.npz");
        let whole = zip(&members, is_deflated);
        fs::write(&path, &whole).unwrap();
        for source in [folder.path(), &path] {
            let (digits, notes) = load(source, &Reading::default());
            assert_eq!((digits.train.labels(), digits.test.labels()), (&[7, 8, 9][..], &[4][..]), "{notes}");
            assert_eq!(digits.train.images().pixels(), [0, 255, 1, 2, 3, 4]);
        }
        // One wrong byte in the content of the first member.
        let mut damaged = whole.clone();
        damaged[60] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let text = refused(&path, &Reading::default());
        assert!(text.contains("check sum does not match") || text.contains("is damaged"), "{text}");
        for length in [0, 3, 20, whole.len() / 2, whole.len() - 8] {
            fs::write(&path, &whole[..length]).unwrap();
            refused(&path, &Reading::default());
        }
        fs::remove_file(&path).unwrap();
    }
    // One array of any name.
    fs::write(
        folder.path().join("mine.npz"),
        zip(&[("arr_0.npy", npy("|u1", "(7, 1, 2)", &pixels(7, 2)))], true),
    )
    .unwrap();
    assert_eq!(load(folder.path(), &Reading::default()).0.train.len(), 6);
    let path = folder.path().join("other.npz");
    fs::write(&path, zip(&[("notes.txt", b"text".to_vec())], false)).unwrap();
    assert!(refused(&path, &Reading::default()).contains("a zip archive without arrays"));
}

#[test]
fn gzip_with_padding_or_a_wrong_name_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let pack = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let plain = idx(8, &[2, 1, 2], &[0, 255, 255, 0]);
    let packed = pack(&plain);
    let halves = [pack(&plain[..10]), pack(&plain[10..])].concat();
    for (name, bytes) in [
        ("train-images-idx3-ubyte.gz", [&packed[..], &[0; 512]].concat()),
        ("train-images-idx3-ubyte.gz", [&packed[..], b"trailing garbage"].concat()),
        ("train-images-idx3-ubyte.gz", halves),
        ("train-images-idx3-ubyte.gz", plain.clone()),
        ("train-images-idx3-ubyte", packed.clone()),
        ("images.dat", plain.clone()),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        assert_eq!(load(folder.path(), &Reading::default()).0.train.images().pixels(), [0, 255], "{name}");
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn pale_and_blank_images_are_told_with_their_range() {
    let folder = tempfile::tempdir().unwrap();
    for (content, words) in [
        (&[0, 1, 1, 0][..], "pixels are from 0 to 1, where 0 is background and 255 full ink"),
        (&[0, 16, 3, 0], "--range 0..16 stretches them"),
        (&[100, 150, 120, 100], "--range 100..150 stretches them"),
        (&[7; 4], "all pixels are 7: the images are blank"),
    ] {
        write_both(folder.path(), &idx(8, &[1, 2, 2], content));
        let notes = load(folder.path(), &Reading::default()).1;
        assert!(notes.starts_with("warning: ") && notes.contains(words) && !notes.contains('\n'), "{notes}");
    }
    write_both(folder.path(), &idx(8, &[1, 2, 2], &[0, 16, 4, 0]));
    let (digits, notes) =
        load(folder.path(), &reading(|reading| reading.range = Some("0..16".parse().unwrap())));
    assert_eq!((digits.train.images().pixels(), notes.as_str()), (&[0, 255, 64, 0][..], ""));
    // The option is kept in the run, and its commands find the same images.
    write_set(&folder.path().join("d"), [4, 4], [30, 12]);
    let dim: Vec<u8> = pixels(30, 16).iter().map(|&pixel| pixel / 255).collect();
    fs::write(folder.path().join("d").join(NAMES[0]), idx(8, &[30, 4, 4], &dim)).unwrap();
    fs::write(folder.path().join("d").join(NAMES[1]), idx(8, &[12, 4, 4], &dim[..12 * 16])).unwrap();
    succeeds(folder.path(), "rbm train -q --data d --range 0..1 --hidden 4 --epochs 1 --out r");
    let config = fs::read_to_string(folder.path().join("r/config.toml")).unwrap();
    assert!(config.contains("[reading]\nrange = \"0..1\""), "{config}");
    assert_eq!(succeeds(folder.path(), "rbm sample r -q --steps 1 --from test:0,11").stderr, "");
    let said = succeeds(folder.path(), "rbm train -q --data d --hidden 4 --epochs 1 --out s").stderr;
    assert!(said.contains("--range 0..1 stretches them"), "{said}");
}
