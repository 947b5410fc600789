//! Folders: the layouts of other programs, pictures, and missing parts.

use super::{idx, load, pixels, reading, refused, refuses, run, succeeds, write_set};
use equilibria::data::{Dataset, Reading};
use equilibria::report::picture;
use std::fs;
use std::path::Path;

pub(super) fn write_picture(path: &Path, side: usize, index: usize) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let values: Vec<u8> =
        (0..side * side).map(|at| if (at + index).is_multiple_of(3) { 255 } else { 0 }).collect();
    fs::write(path, picture([side, side, 1], &values).unwrap()).unwrap();
}

#[test]
fn the_layouts_of_other_programs_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_set(&at("torchvision/FashionMNIST/raw"), [2, 3], [6, 2]);
    for source in ["torchvision", "torchvision/FashionMNIST", "torchvision/FashionMNIST/raw"] {
        let digits = load(&at(source), &Reading::default()).0;
        assert_eq!(
            (digits.name.as_str(), digits.train.len(), digits.test.len()),
            ("FashionMNIST", 6, 2),
            "{source}"
        );
    }
    // Several sets in one folder: EMNIST.
    write_set(&at("plain"), [2, 3], [6, 2]);
    fs::create_dir(at("emnist")).unwrap();
    for (set, label) in [("digits", 3), ("letters", 26)] {
        for (ours, theirs) in [("train", "train"), ("t10k", "test")] {
            let images = fs::read(at(&format!("plain/{ours}-images-idx3-ubyte"))).unwrap();
            fs::write(at(&format!("emnist/emnist-{set}-{theirs}-images-idx3-ubyte")), images).unwrap();
            let count = if ours == "train" { 6 } else { 2 };
            let labels = idx(8, &[count], &vec![label; count]);
            fs::write(at(&format!("emnist/emnist-{set}-{theirs}-labels-idx1-ubyte")), labels).unwrap();
        }
    }
    let text = refused(&at("emnist"), &Reading::default());
    assert!(
        text.contains("several sets (emnist-digits, emnist-letters); give the file of training images"),
        "{text}"
    );
    let letters = load(&at("emnist/emnist-letters-train-images-idx3-ubyte"), &Reading::default()).0;
    assert_eq!((letters.train.labels(), letters.test.labels()), (&[26; 6][..], &[26; 2][..]));
    // The file of test images alone is a set too.
    let tests = load(&at("emnist/emnist-digits-test-images-idx3-ubyte"), &Reading::default()).0;
    assert_eq!((tests.train.len(), tests.test.len()), (1, 1));
}

#[test]
fn labels_are_needed_only_where_they_are_used() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("d");
    write_set(&data, [4, 4], [30, 12]);
    fs::write(data.join("train-labels-idx1-ubyte"), idx(8, &[30], &[26; 30])).unwrap();
    let kinds = [
        "rbm train -q --data d --hidden 4 --epochs 1 --out rbm --force",
        "dbm train -q --data d --hidden 4-3 --epochs 1 --chains 5 --out dbm --force",
        "gan train -q --data d --latent 3 --generator 4 --discriminator 4 --steps 2 --every 1 --out gan --force",
    ];
    kinds.iter().for_each(|command| drop(succeeds(folder.path(), command)));
    // Damaged, missing, and without a test set.
    fs::write(data.join("train-labels-idx1-ubyte"), "damaged").unwrap();
    fs::remove_file(data.join("t10k-labels-idx1-ubyte")).unwrap();
    kinds.iter().for_each(|command| drop(succeeds(folder.path(), command)));
    refuses(folder.path(), "classifier train --data d -q", "labels are needed here: ");
    refuses(folder.path(), "classifier evaluate --data d", "labels are needed here: ");
    refuses(
        folder.path(),
        "gan train --data d --class 3 -q --out other",
        "--class 3: labels are needed here: ",
    );
    // The options are right and the data are not.
    for command in ["classifier train --data d -q", "gan train --data d --class 3 -q --out other"] {
        assert_eq!(run(folder.path(), command).status, Some(1), "{command}");
    }
    fs::remove_file(data.join("train-labels-idx1-ubyte")).unwrap();
    fs::remove_file(data.join("t10k-images-idx3-ubyte")).unwrap();
    for command in kinds {
        let said = succeeds(folder.path(), &format!("{command} --test-share 0.5")).stderr;
        assert!(said.contains("has no test images: 15 images, the last 50 %, are taken"), "{said}");
    }
    // The run knows its share, and a caption has no class.
    succeeds(folder.path(), "rbm sample rbm --steps 1 --from test:14 -q");
    refuses(folder.path(), "rbm sample rbm --steps 1 --from test:15 -q", "the test images are 0 to 14");
    for share in ["0", "1", "NaN", "x"] {
        refuses(folder.path(), &format!("rbm train --data d --test-share {share}"), "above 0 and below 1");
    }
}

#[test]
fn folders_of_pictures_are_read_whatever_lies_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: String| folder.path().join(name);
    for index in 0..120 {
        write_picture(&at(format!("p/{index:03}.PNG")), 4, index);
    }
    fs::write(at("p/._000.png".into()), b"\x00\x05\x16\x07").unwrap();
    fs::write(at("p/labels.npy".into()), "no array").unwrap();
    let (digits, notes) = load(&at("p".into()), &Reading::default());
    assert_eq!(digits.train.len() + digits.test.len(), 120, "{notes}");
    // One bad file in many is left out, named and counted; the first too.
    for (name, side) in [("p/000.PNG", 5), ("p/050.PNG", 5)] {
        let original = fs::read(at(name.into())).unwrap();
        write_picture(&at(name.into()), side, 0);
        let (digits, notes) = load(&at("p".into()), &Reading::default());
        assert_eq!(digits.train.len() + digits.test.len(), 119, "{notes}");
        assert!(notes.contains("warning: 1 of 120 pictures in") && notes.contains(&name[2..]), "{notes}");
        let text = refused(&at("p".into()), &reading(|reading| reading.strict = true));
        assert!(text.contains("PNG: at byte 0: the picture has"), "{text}");
        fs::write(at(name.into()), original).unwrap();
    }
    for name in ["p/003.PNG", "p/004.PNG"] {
        fs::write(at(name.into()), "damaged").unwrap();
    }
    assert!(
        refused(&at("p".into()), &Reading::default())
            .contains("004.PNG: at byte 0: this is text; a PNG or JPEG picture is needed")
    );
}

#[test]
fn any_number_of_classes_can_be_folders() {
    let folder = tempfile::tempdir().unwrap();
    for class in 0..260 {
        write_picture(&folder.path().join(format!("n{class:03}/a.png")), 2, class);
    }
    write_picture(&folder.path().join("n259/b.png"), 2, 1);
    let (digits, _) = load(folder.path(), &Reading::default());
    assert_eq!(digits.train.len() + digits.test.len(), 261);
    let text = digits.train.check_labels().unwrap_err().to_string();
    assert!(text.contains("has 260 subfolders; labels are for at most 256"), "{text}");
    let one = Dataset::load_any(folder.path(), Some("n259"), None).unwrap();
    assert_eq!((one.train.len(), one.test.len()), (1, 1));
}

#[test]
fn images_of_any_size_go_through_every_command() {
    let folder = tempfile::tempdir().unwrap();
    for [height, width] in [[16, 16], [14, 56]] {
        let _ = fs::remove_dir_all(folder.path().join("d"));
        write_set(&folder.path().join("d"), [height, width], [40, 5]);
        succeeds(folder.path(), "rbm train -q --data d --hidden 5 --epochs 1 --out r --force");
        for command in ["sample r -q --steps 1", "reconstruct r -q", "reconstruct r -q --sweep", "filters r"]
        {
            succeeds(folder.path(), &format!("rbm {command}"));
        }
        succeeds(folder.path(), "rbm mixing r -q --steps 2");
    }
    // Defaults fit few images; what is given is refused.
    let said = succeeds(folder.path(), "rbm train --data d --hidden 5 --epochs 1 --out few").stderr;
    assert!(said.contains("note: --batch 100 is more than there are training images"), "{said}");
    refuses(folder.path(), "rbm train -q --data d --batch 41 --out more", "--batch 41: ");
    refuses(folder.path(), "rbm reconstruct r -q --images 6", "--images 6: ");
}

#[test]
fn pixels_outside_the_range_of_pictures_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    fs::write(&path, picture([1, 2, 1], &[0, 16]).unwrap()).unwrap();
    fs::write(folder.path().join("b.png"), picture([1, 2, 1], &[8, 0]).unwrap()).unwrap();
    let ranged = |text: &str| reading(|reading| reading.range = Some(text.parse().unwrap()));
    assert_eq!(load(folder.path(), &ranged("0..16")).0.test.images().pixels(), [128, 0]);
    let text = refused(folder.path(), &ranged("0..15"));
    assert!(text.starts_with("--range 0..15: a pixel in ") && text.ends_with("has the value 16"), "{text}");
    assert!(load(folder.path(), &Reading::default()).1.contains("--range 0..16 stretches them"));
    let _ = pixels(1, 1);
}
