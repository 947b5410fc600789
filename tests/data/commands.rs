//! The commands on images in colour.

use equilibria::checkpoint::Archive;
use equilibria::data::pictures::read_folder;
use equilibria::report::picture;
use std::fs;
use std::path::Path;

const TRAIN: &str =
    "gan train --images 40 --batch 10 --steps 4 --every 2 --latent 4 --generator 16 --discriminator 16 -q";

/// Runs the program in `folder`; its status, and what it wrote on standard error.
fn run(folder: &Path, command: &str) -> (Option<i32>, String) {
    let mut program = assert_cmd::Command::cargo_bin("equilibria").unwrap();
    let output = program.current_dir(folder).args(command.split_whitespace()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[track_caller]
fn succeeds(folder: &Path, command: &str) -> String {
    let (status, text) = run(folder, command);
    assert_eq!(status, Some(0), "{command}: {text}");
    text
}

#[track_caller]
fn fails(folder: &Path, command: &str, words: &str) {
    let (status, text) = run(folder, command);
    assert!(matches!(status, Some(1 | 2)) && text.contains(words), "{command}: {status:?}, {text}");
    assert!(!text.contains("panicked"), "{command}: {text}");
}

/// The numbers of columns, rows and values per pixel in the header of a PNG file.
fn header(path: &Path) -> ([u32; 2], usize) {
    let bytes = fs::read(path).unwrap();
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    ([number(16), number(20)], if bytes[25] == 2 { 3 } else { 1 })
}

#[test]
fn a_game_of_colour_images_trains_and_its_samples_are_in_colour() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    succeeds(folder.path(), &format!("{TRAIN} --data cats:8 --flip --out cats"));
    let bytes = fs::read(at("cats/model.safetensors")).unwrap();
    let archive = Archive::from_bytes(&bytes, "model").unwrap();
    for (key, value) in [("image_height", "8"), ("image_width", "8"), ("image_channels", "3")] {
        assert_eq!(archive.metadata(key), Some(value), "{key}");
    }
    assert_eq!(archive.shape("history").unwrap()[1..], [10, 8, 8, 3]);
    for options in ["--count 4", "--interpolate 3 --count 2", "--training"] {
        succeeds(folder.path(), &format!("gan sample cats {options} --out sheet.png"));
        assert_eq!(header(&at("sheet.png")).1, 3, "{options}");
        fs::remove_file(at("sheet.png")).unwrap();
    }
    // Pictures, one by one: more than a block, a part of a block, and another seed.
    succeeds(folder.path(), "gan sample cats --images many --count 70");
    succeeds(folder.path(), "gan sample cats --images new/few --count 3");
    succeeds(folder.path(), "gan sample cats --images other --count 3 --seed 2");
    let [many, few, other] = ["many", "new/few", "other"].map(|name| read_folder(&at(name), None).unwrap());
    assert_eq!((many.len(), many.shape()), (70, [8, 8, 3]));
    assert_eq!(few.pixels(), &many.pixels()[..few.pixels().len()]);
    assert_ne!(few.pixels(), other.pixels());
    assert_ne!(many.image(0), many.image(64), "blocks differ");
    assert_eq!(header(&at("many/000069.png")), ([8, 8], 3));
    // Nothing is overwritten.
    fs::remove_file(at("new/few/000000.png")).unwrap();
    fails(
        folder.path(),
        "gan sample cats --images new/few --count 3",
        "--images new/few: the folder is not empty",
    );
    assert!(!at("new/few/000000.png").exists());
    fails(folder.path(), "gan sample cats --images many/000000.png --count 1", "many/000000.png");
    fails(folder.path(), "gan sample cats --images more --count 0", "--count 0");
    assert!(!at("more").exists());
    // Five readings: the best generator is kept, by patches of 7x7 pixels.
    let train = TRAIN.replace("--steps 4 --every 2", "--steps 5 --every 1");
    succeeds(folder.path(), &format!("{train} --data cats:8 --out more-cats"));
    let summary = fs::read_to_string(at("more-cats/summary.json")).unwrap();
    let best = &serde_json::from_str::<serde_json::Value>(&summary).unwrap()["best"];
    assert!(best["measure"] == "sliced Wasserstein distance of patches" && best["step"] == 5, "{best}");
    assert!(best["distance"].as_f64().is_some_and(|distance| distance > 0.0), "{best}");
    succeeds(folder.path(), "gan sample more-cats/best.safetensors --count 4 --out sheet.png");
    // A finished run has nothing to resume, and its data are found again.
    succeeds(folder.path(), "gan train --resume cats -q");
}

#[test]
fn single_pictures_of_digits_are_grey() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), &format!("{TRAIN} --class 7 --out digits"));
    succeeds(folder.path(), "gan sample digits --images pictures --count 2");
    assert_eq!(header(&folder.path().join("pictures/000001.png")), ([28, 28], 1));
}

/// Writes 12 pictures in colour into a new folder, and returns it.
fn write_colours(folder: &Path, name: &str) -> std::path::PathBuf {
    let colours = folder.join(name);
    fs::create_dir(&colours).unwrap();
    for index in 0..12 {
        let file = picture([4, 4, 3], &[index, 0, 9].repeat(16)).unwrap();
        fs::write(colours.join(format!("{index:02}.png")), file).unwrap();
    }
    colours
}

#[test]
fn a_generator_is_compared_with_its_own_class_and_images() {
    let folder = tempfile::tempdir().unwrap();
    let colours = write_colours(folder.path(), "colours");
    succeeds(folder.path(), &format!("{TRAIN} --class 7 --out digits"));
    let evaluate = "gan evaluate digits --data colours -q";
    fails(folder.path(), evaluate, "--class 7: the classes of colours are 0");
    fails(folder.path(), &format!("{evaluate} --class 8"), "--class 8: the classes of colours are 0");
    let train = TRAIN.replacen("--images 40", "--images 10", 1);
    succeeds(folder.path(), &format!("{train} --data colours --out few"));
    // Of 10 pictures, 9 are for training.
    for name in ["00.png", "01.png"] {
        fs::remove_file(colours.join(name)).unwrap();
    }
    fails(folder.path(), "gan evaluate few -q", "--images 10: it must be 1 to 9");
}

#[test]
fn a_folder_with_the_name_of_built_in_data_is_not_taken_for_them() {
    let folder = tempfile::tempdir().unwrap();
    write_colours(folder.path(), "synthetic");
    let train = TRAIN.replacen("--images 40", "--images 10", 1);
    succeeds(folder.path(), &format!("{train} --data ./synthetic --out run"));
    let bytes = fs::read(folder.path().join("run/model.safetensors")).unwrap();
    let archive = Archive::from_bytes(&bytes, "model").unwrap();
    let settings = archive.metadata("configuration").unwrap();
    assert!(settings.contains("data = \"./synthetic\""), "{settings}");
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("model.safetensors"), bytes).unwrap();
    // Then the built-in images have another size.
    fails(&elsewhere, "gan evaluate model.safetensors", "learned from `./synthetic`, which is not here");
}

#[test]
fn wrong_data_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    write_colours(folder.path(), "colours");
    for (command, words) in [
        ("rbm train --data colours", "colour images (colours): this model is for grey images of one channel"),
        ("dbm train --data cats:8", "colour images (cats): this model is for grey images"),
        ("classifier train --data colours", "colour images"),
        ("rbm sample --data colours", "colour images"),
        ("gan train --data cats:8 --class dog", "--class dog: the classes of cats are cat"),
        ("gan train --data colours --class 1", "--class 1: the classes of colours are 0"),
        ("gan train --data colours --batch 11", "--batch 11: a mini-batch can have at most all 10"),
        ("gan train --data cats:0", "cats of 0x0 pixels: 8 to 512 pixels can be drawn"),
        ("gan train --data cats --images 0", "--images 0: at least 1 training image is needed"),
        ("gan train --data colours/00.png", "this is a PNG picture; images are needed: "),
    ] {
        fails(folder.path(), &format!("{command} --quiet"), words);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let note = succeeds(
        folder.path(),
        &format!("{TRAIN} --images 10 --data colours --out r").replacen("--images 40 ", "", 1),
    );
    assert!(
        note.contains("note: ") && note.contains("colours has no test images: 2 images, the last sixth"),
        "{note}"
    );
}
