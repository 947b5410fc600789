//! The records of CIFAR-10.

use super::{real_data, refused};
use equilibria::data::{Dataset, cifar};
use std::fs;
use std::path::Path;

/// Writes records of these classes: the red of record i is i everywhere, its green the row, its blue the column.
fn write(path: &Path, labels: &[u8]) {
    let mut bytes = Vec::new();
    for (index, &label) in labels.iter().enumerate() {
        bytes.push(label);
        bytes.extend([index as u8; 1024]);
        bytes.extend((0..1024).map(|at| (at / 32) as u8));
        bytes.extend((0..1024).map(|at| (at % 32) as u8));
    }
    fs::write(path, bytes).unwrap();
}

/// Writes the six files: two images of each class in each batch, one in the test batch.
fn write_official(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let twice: Vec<u8> = (0..20).map(|index| index % 10).collect();
    (1..=5).for_each(|batch| write(&folder.join(format!("data_batch_{batch}.bin")), &twice));
    write(&folder.join("test_batch.bin"), &twice[..10]);
}

#[test]
fn planes_of_colours_become_pixels() {
    let folder = tempfile::tempdir().unwrap();
    write_official(folder.path());
    let digits = Dataset::load_any(folder.path(), Some("all"), None).unwrap();
    assert_eq!((digits.train.len(), digits.test.len()), (100, 10));
    let images = digits.train.images();
    assert_eq!(images.shape(), [32, 32, 3]);
    for (place, pixel) in images.image(41).as_chunks::<3>().0.iter().enumerate() {
        assert_eq!(*pixel, [1, (place / 32) as u8, (place % 32) as u8]);
    }
}

#[test]
fn a_class_is_chosen_by_name_or_number_and_is_cat_by_default() {
    let folder = tempfile::tempdir().unwrap();
    write_official(&folder.path().join("cifar-10-batches-bin"));
    for (class, label) in [(None, 3), (Some("cat"), 3), (Some("Dog"), 5), (Some("9"), 9)] {
        let digits = Dataset::load_any(folder.path(), class, Some(8)).unwrap();
        assert_eq!(
            (digits.train.labels(), digits.test.labels()),
            (&[label; 8][..], &[label][..]),
            "{class:?}"
        );
        assert_eq!(digits.train.images().image(2)[0], label, "third of the class: in the second batch");
    }
    let text = refused(folder.path(), Some("lion"));
    assert!(text.starts_with("--class lion: the classes of"), "{text}");
    assert!(
        text.ends_with("are airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck"),
        "{text}"
    );
    let text = Dataset::load_any(folder.path(), None, Some(11)).unwrap_err().to_string();
    assert!(text.starts_with("--images 11: it must be 1 to 10"), "{text}");
}

#[test]
fn the_last_sixth_of_a_single_file_is_for_testing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("some.bin");
    write(&file, &[3; 13]);
    let digits = Dataset::load_any(&file, None, None).unwrap();
    let reds = |set: &equilibria::data::Labelled| {
        (0..set.len()).map(|i| set.images().image(i)[0]).collect::<Vec<_>>()
    };
    assert_eq!((reds(&digits.train), reds(&digits.test)), ((0..11).collect(), vec![11, 12]));
    // The file of test images beside it, if there is one.
    let [train, test] = ["data_batch_x.bin", "test_batch_x.bin"].map(|name| folder.path().join(name));
    write(&train, &[3; 4]);
    write(&test, &[3; 2]);
    let digits = Dataset::load_any(&train, Some("cat"), None).unwrap();
    assert_eq!((digits.train.len(), digits.test.len()), (4, 2));
    assert_eq!(refused(&train, Some("dog")), "--class dog: the classes of data_batch_x.bin are cat");
    // One image cannot do both.
    write(&file, &[3]);
    assert!(refused(&file, None).contains("at least 2 images are needed"), "{}", refused(&file, None));
}

#[test]
fn damaged_records_are_refused_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("some.bin");
    write(&file, &[0, 9, 10, 1]);
    let text = refused(&file, None);
    assert!(text.contains("some.bin: at byte 6146: the label 10 is none of CIFAR-10"), "{text}");
    for (length, offset, left) in [(3072, 0, 3072), (2 * 3073 + 1, 6146, 1)] {
        fs::write(&file, vec![0; length]).unwrap();
        let text = refused(&file, None);
        let words =
            format!("at byte {offset}: {left} bytes are no whole record of CIFAR-10, which has 3073 bytes");
        assert!(text.contains(&words), "{text}");
    }
    // A part of the official files.
    write_official(folder.path());
    fs::remove_file(folder.path().join("data_batch_4.bin")).unwrap();
    let text = refused(folder.path(), Some("cat"));
    assert!(text.contains("data_batch_4.bin not found in"), "{text}");
    assert!(cifar::records("bytes", &[]).is_err());
}

#[test]
fn the_cats_of_cifar_are_found_beside_mnist() {
    let Some(data) = real_data::folder() else { return };
    for folder in [data.clone(), data.join("cifar10-cats")] {
        let digits = Dataset::load_any(&folder, Some("cat"), None).unwrap();
        assert_eq!((digits.train.len(), digits.test.len()), (5000, 1000));
        assert_eq!((digits.name.as_str(), digits.train.images().shape()), (&*name(&folder), [32, 32, 3]));
    }
    assert_eq!(Dataset::load_any(&data, None, None).unwrap().train.images().shape(), [28, 28, 1], "digits");
}

fn name(folder: &Path) -> String {
    folder.canonicalize().unwrap().file_name().unwrap().to_string_lossy().into_owned()
}
