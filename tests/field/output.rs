//! Results that other programs read, and results that nothing overwrites.

use super::{idx, load, pixels, refuses, succeeds, write_set};
use equilibria::data::{Reading, idx as format, pictures};
use equilibria::evaluate::nearest::NearestImages;
use std::fs;

#[test]
fn samples_are_written_as_pictures_idx_or_npy_and_are_the_same_images() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_set(&at("d"), [4, 6], [30, 12]);
    succeeds(folder.path(), "rbm train -q --data d --hidden 4 --epochs 1 --out rbm");
    succeeds(folder.path(), "dbm train -q --data d --hidden 4-3 --chains 5 --epochs 1 --out dbm");
    succeeds(
        folder.path(),
        "gan train -q --data d --latent 3 --generator 4 --discriminator 4 --steps 2 --every 1 --out gan",
    );
    for (command, count) in [
        ("rbm sample rbm -q --from noise --chains 70 --steps 2", 70),
        ("dbm sample dbm -q --steps 1,3", 10),
        ("gan sample gan --count 70", 70),
    ] {
        for name in ["folder", "file.idx", "samples-idx3-ubyte", "file.npy"] {
            succeeds(folder.path(), &format!("{command} --images {name}"));
        }
        let right = pictures::read_folder(&at("folder"), None).unwrap();
        assert_eq!((right.len(), right.shape()), (count, [4, 6, 1]), "{command}");
        for name in ["file.idx", "samples-idx3-ubyte"] {
            assert_eq!(format::read_images(at(name)).unwrap(), right, "{command}, {name}");
        }
        let (set, _) = load(&at("file.npy"), &Reading::default());
        let all = [set.train.images().pixels(), set.test.images().pixels()].concat();
        assert_eq!(all, right.pixels(), "{command}");
        for (name, words) in [
            ("folder", "the folder is not empty"),
            ("file.npy", "exists already"),
            ("a.png", "give a new folder for PNG files"),
        ] {
            refuses(folder.path(), &format!("{command} --images {name}"), words);
        }
        fs::remove_dir_all(at("folder")).unwrap();
        for name in ["file.idx", "samples-idx3-ubyte", "file.npy"] {
            fs::remove_file(at(name)).unwrap();
        }
    }
}

#[test]
fn hidden_features_are_written_for_every_image() {
    let folder = tempfile::tempdir().unwrap();
    write_set(&folder.path().join("d"), [4, 4], [30, 12]);
    succeeds(folder.path(), "rbm train -q --data d --hidden 5 --epochs 1 --out rbm");
    succeeds(folder.path(), "dbm train -q --data d --hidden 4-3 --chains 5 --epochs 1 --out dbm");
    for (kind, features) in [("rbm", 5), ("dbm", 7)] {
        for (option, images) in [("", 30), ("--test", 12)] {
            succeeds(folder.path(), &format!("{kind} transform {kind} -q {option} --out f.npy --force"));
            let bytes = fs::read(folder.path().join("f.npy")).unwrap();
            let shape = format!("'descr': '<f4', 'fortran_order': False, 'shape': ({images}, {features}, )");
            let header = String::from_utf8_lossy(&bytes[..128]);
            assert!(header.contains(&shape), "{header}");
            let values = bytes[128..].as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
            assert_eq!(values.clone().count(), images * features);
            assert!(values.clone().all(|value| value > 0.0 && value < 1.0), "probabilities");
        }
        refuses(folder.path(), &format!("{kind} transform {kind} -q --out f.npy"), "--force replaces it");
    }
}

/// By the definition: P(h = 1 | v) = sigmoid(c + v W).
#[test]
fn features_of_a_restricted_machine_are_its_hidden_probabilities() {
    let folder = tempfile::tempdir().unwrap();
    write_set(&folder.path().join("d"), [4, 4], [30, 12]);
    succeeds(folder.path(), "rbm train -q --data d --hidden 3 --epochs 1 --out rbm");
    succeeds(folder.path(), "rbm transform rbm -q --test --out f.npy");
    let bytes = fs::read(folder.path().join("f.npy")).unwrap();
    let found: Vec<f32> = bytes[128..].as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    let model =
        equilibria::run::load::<equilibria::boltzmann::Rbm<f32>>(&folder.path().join("rbm")).unwrap().model;
    for (image, found) in pixels(12, 16).chunks(16).zip(found.chunks(3)) {
        for (unit, found) in found.iter().enumerate() {
            let sum: f32 = image
                .iter()
                .enumerate()
                .filter(|(_, pixel)| **pixel > 127)
                .map(|(at, _)| model.weight().row(at)[unit])
                .sum();
            let right = 1.0 / (1.0 + (-(sum + model.hidden_bias().data()[unit])).exp());
            assert!((found - right).abs() < 1e-5, "{found} {right}");
        }
    }
}

#[test]
fn evaluations_lie_beside_their_samples_and_none_replaces_another() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("p")).unwrap();
    let images = pixels(12, 784);
    for (index, image) in images.chunks(784).enumerate() {
        let file = equilibria::report::picture([28, 28, 1], image).unwrap();
        fs::write(at("p").join(format!("{index}.png")), file).unwrap();
    }
    fs::write(at("mine.idx"), idx(8, &[12, 28, 28], &images)).unwrap();
    for (samples, places) in [
        ("p", ["p-evaluation", "p-evaluation-2"]),
        ("mine.idx", ["mine.idx-evaluation", "mine.idx-evaluation-2"]),
    ] {
        for place in places {
            succeeds(folder.path(), &format!("gan evaluate {samples} -q --images 12"));
            assert!(at(place).join("summary.json").is_file(), "{place}");
        }
    }
    assert_eq!(fs::read_dir(at("p")).unwrap().count(), 12, "nothing is written among the pictures");
}

#[test]
fn what_is_worse_than_chance_is_called_so() {
    let folder = tempfile::tempdir().unwrap();
    write_set(&folder.path().join("d"), [4, 4], [30, 12]);
    // Test images that are the opposite of the training images.
    let name = folder.path().join("d/t10k-images-idx3-ubyte");
    let opposite: Vec<u8> = pixels(12, 16).iter().map(|pixel| !pixel).collect();
    fs::write(name, idx(8, &[12, 4, 4], &opposite)).unwrap();
    let command = "rbm train --data d --hidden 4 --epochs 40 --learning-rate 0.5 --batch 10 --out bad";
    let outcome = succeeds(folder.path(), command);
    let words = "this is worse than chance: fair coins have -11.09 nats per image";
    assert!(outcome.stdout.contains(words), "{}", outcome.stdout);
    let outcome = succeeds(folder.path(), "rbm evaluate bad");
    assert!(outcome.stdout.contains(words), "{}", outcome.stdout);
    let good = succeeds(folder.path(), "rbm train --hidden 4 --epochs 1 --images 200 --out good");
    assert!(!good.stdout.contains("chance"), "{}", good.stdout);
}

#[test]
fn two_blank_images_are_equal() {
    let train = [[0.0_f32; 4], [1.0, 1.0, 0.0, 0.0]].concat();
    let near = NearestImages::new((&train, &[0, 1]), (&train, &[0, 1]), 4).unwrap();
    let found = near.find(&[0.0; 4])[0];
    assert_eq!((found.image, found.distance), (0, 0.0));
    let near = NearestImages::new((&train[4..], &[1]), (&train[4..], &[1]), 4).unwrap();
    assert_eq!(near.find(&[0.0; 4])[0].distance, 1.0, "no digit is blank");
}
