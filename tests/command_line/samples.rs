//! Can samples of any program be judged, and do table, file and JSON say the same?

use super::{equilibria, snapshot, write_digits};
use equilibria::data::synthetic;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// An IDX file of images.
fn write_idx(path: &Path, side: u32, pixels: &[u8]) {
    let count = pixels.len() as u32 / (side * side);
    let header = [0x0803, count, side, side];
    let mut bytes: Vec<u8> = header.iter().flat_map(|word: &u32| word.to_be_bytes()).collect();
    bytes.extend(pixels);
    fs::write(path, bytes).unwrap();
}

fn write_png(path: &Path, side: u32, pixels: &[u8]) {
    let mut encoder = png::Encoder::new(fs::File::create(path).unwrap(), side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(pixels).unwrap();
}

/// A folder with 40 drawn digits as `digits.idx` and in `pictures`, and as negatives in `negatives.idx`.
fn with_samples() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let digits = synthetic::digits(7000, 40).unwrap();
    let pixels = digits.images().pixels();
    write_idx(&folder.path().join("digits.idx"), 28, pixels);
    let negatives: Vec<u8> = pixels.iter().map(|&pixel| !pixel).collect();
    write_idx(&folder.path().join("negatives.idx"), 28, &negatives);
    write_idx(&folder.path().join("large.idx"), 32, &[0; 32 * 32 * 8]);
    write_idx(&folder.path().join("few.idx"), 28, &pixels[..3 * 784]);
    for name in ["pictures", "mixed", "empty"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    for (index, pixels) in pixels.chunks(784).enumerate() {
        write_png(&folder.path().join(format!("pictures/{index:03}.png")), 28, pixels);
    }
    fs::copy(folder.path().join("pictures/000.png"), folder.path().join("mixed/a.png")).unwrap();
    write_png(&folder.path().join("mixed/grid.png"), 56, &[0; 56 * 56]);
    folder
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A summary without the record of its samples, and that record.
fn without_place(mut summary: Value) -> (Value, Value) {
    let data = summary["provenance"]["data"].as_object_mut().unwrap();
    let places = ["digits.idx", "negatives.idx", "pictures"];
    let samples = places.iter().find_map(|place| data.remove(*place)).unwrap();
    (summary, samples)
}

#[test]
fn an_idx_file_and_a_folder_of_pictures_are_judged_alike() {
    let folder = with_samples();
    let outcome = equilibria(folder.path(), "gan evaluate digits.idx --quiet").succeeded();
    assert!(outcome.stderr.starts_with("warning: 40 samples"), "{}", outcome.stderr);
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    let found = read(&folder.path().join("digits.idx-evaluation/summary.json"));
    for (key, value) in [("samples", 40), ("samples_found", 40), ("test_images", 2000), ("train_images", 40)]
    {
        assert_eq!(found[key], value, "{key}");
    }
    let both = [("frechet_distance", 3), ("precision", 3), ("recall", 3), ("density", 3), ("coverage", 3)];
    for (key, digits) in both.into_iter().chain([("class_entropy", 3), ("sliced_wasserstein", 4)]) {
        let number = |value: &Value| format!("{:.digits$}", value.as_f64().unwrap());
        let (ours, real) = (number(&found[key]), number(&found["real"][key]));
        let row = outcome.stdout.lines().find(|line| line.contains(&ours) && line.contains(&real));
        assert!(row.is_some(), "{key}: {ours} beside {real} in\n{}", outcome.stdout);
    }
    assert_eq!(found["frechet_floor"], found["real"]["frechet_distance"]);
    for key in ["kernel_distance", "kernel_distance_standard_error", "sliced_wasserstein_standard_error"] {
        assert!(found[key].as_f64().unwrap().is_finite(), "{key}");
    }
    assert_eq!(found["modes"], 10);
    assert_eq!(found["classifier"]["source"], "shipped");
    for words in ["10 of 10", "right about 99.90 %", "wrote digits.idx-evaluation/summary.json"] {
        assert!(outcome.stdout.contains(words), "{words}: {}", outcome.stdout);
    }

    let pictures = equilibria(folder.path(), "gan evaluate pictures --json -q --threads 1").succeeded();
    let written = read(&folder.path().join("pictures-evaluation/summary.json"));
    assert_eq!(pictures.json(), written);
    // Only the record of the samples' place differs.
    assert_eq!(without_place(written), without_place(found.clone()));
    let again = equilibria(folder.path(), "gan evaluate digits.idx -q --json --out there/a.json --seed 2")
        .succeeded();
    assert_eq!(again.json(), read(&folder.path().join("there/a.json")));
    assert_ne!(again.json()["sliced_wasserstein"], found["sliced_wasserstein"]);
    assert_eq!(again.json()["class_counts"], found["class_counts"]);
}

#[test]
fn negatives_are_noticed_and_turned() {
    let folder = with_samples();
    let wrong = equilibria(folder.path(), "gan evaluate negatives.idx -q --json --images 20").succeeded();
    assert!(wrong.stderr.contains("swapped, use --invert"), "{}", wrong.stderr);
    assert_eq!((&wrong.json()["samples"], &wrong.json()["samples_found"]), (&20.into(), &40.into()));
    let right = equilibria(folder.path(), "gan evaluate negatives.idx -q --json --invert").succeeded();
    let plain = equilibria(folder.path(), "gan evaluate digits.idx -q --json").succeeded();
    let ((right, negatives), (plain, samples)) = (without_place(right.json()), without_place(plain.json()));
    assert_eq!(right, plain);
    assert_ne!(negatives, samples, "the checksum is that of the file's images");
}

#[test]
fn a_classifier_is_trained_stored_and_used() {
    let folder = with_samples();
    write_digits(&folder.path().join("blots"), 28, 60, 30);
    let train = "classifier train --data blots --epochs 1 --batch 20 --out eye";
    let trained = equilibria(folder.path(), train).succeeded();
    assert!(trained.stdout.contains("1 epoch of 60 images"), "{}", trained.stdout);
    let lengthened = "classifier train --resume eye --epochs 2 --json";
    let json = equilibria(folder.path(), lengthened).succeeded().json();
    let accuracy = &json["accuracy"]["all"];
    for place in ["eye", "eye/model.safetensors"] {
        let words = format!("classifier evaluate {place} --data blots --json");
        assert_eq!(&equilibria(folder.path(), &words).succeeded().json()["all"], accuracy);
    }
    let words = "gan evaluate digits.idx --data blots --classifier eye -q --json";
    let judged = equilibria(folder.path(), words).succeeded();
    assert_eq!(judged.json()["classifier"]["source"], "given");
    assert_eq!(&judged.json()["classifier"]["accuracy"], accuracy);
    assert!(judged.stderr.contains("its features may miss important differences"), "{}", judged.stderr);
    let shipped = equilibria(folder.path(), "classifier evaluate").succeeded();
    assert!(shipped.stdout.starts_with("accuracy 99.90 % on the test images"), "{}", shipped.stdout);
}

#[test]
fn samples_that_cannot_be_judged_get_one_sentence() {
    let folder = with_samples();
    fs::write(folder.path().join("text"), "Dear reader, this is no image.").unwrap();
    fs::write(folder.path().join("pixels.st"), "no model").unwrap();
    let before = snapshot(folder.path());
    for (arguments, words) in [
        ("gan evaluate large.idx", "beside those of the data: expected shape (28, 28), found (32, 32)"),
        ("gan evaluate mixed", "mixed/grid.png: at byte 0: the picture has 56x56 pixels; one image of 28x28"),
        (
            "gan evaluate empty",
            "a picture (.png, .jpg or .jpeg) not found in empty; give a folder of pictures",
        ),
        ("gan evaluate few.idx", "3 samples: at least 6 are needed"),
        ("gan evaluate nowhere", "opening nowhere"),
        ("gan evaluate text", "text: at byte 0"),
        (
            "gan evaluate pictures/000.png",
            "pictures/000.png: at byte 0: this is a PNG picture; images are needed",
        ),
        ("gan evaluate digits.idx --images 5", "--images 5: 6 to 100,000 samples"),
        ("gan evaluate digits.idx --data nowhere", "the folder or file nowhere not found"),
        ("gan evaluate digits.idx --classifier nowhere.st", "model not found in nowhere.st"),
        ("gan evaluate digits.idx --classifier pixels.st", "pixels.st"),
        ("gan evaluate", "SAMPLES"),
        ("classifier train --epochs 0", "--epochs 0: 1 to 10000 epochs"),
        ("classifier train --learning-rate 0", "--learning-rate 0: a number above 0 is needed"),
        ("classifier train --batch 10001", "--batch 10001: a mini-batch can have at most all 10,000"),
        ("classifier evaluate digits.idx", "digits.idx"),
    ] {
        let outcome = equilibria(
            folder.path(),
            &format!("{arguments}{}", if arguments.starts_with("classifier e") { "" } else { " -q" }),
        );
        assert!(outcome.is_refused(), "{arguments}: {outcome:?}");
        assert!(outcome.stderr.contains(words), "{arguments}: {}", outcome.stderr);
        assert_eq!(
            (outcome.stdout.as_str(), outcome.stderr.lines().count()),
            ("", 1),
            "{arguments}: {outcome:?}"
        );
    }
    // An evaluation that failed leaves at most its empty folder.
    let after = snapshot(folder.path());
    assert!(after.iter().all(|(path, content)| content.is_none() || before.contains_key(path)), "{after:?}");
}
