//! Are images that are no squares learned, kept and drawn in their height and width, by every kind of model?

use super::{equilibria, fixture, read_png, snapshot, write_images};
use equilibria::checkpoint::Archive;
use equilibria::data::idx;
use std::fs;
use std::path::Path;

/// As many pixels as no square has, and as many as 28x28 has.
const SIZES: [[usize; 2]; 2] = [[56, 28], [14, 56]];

/// Training commands of each kind of machine, for the images in `data` and the run in the folder of its name.
const TRAIN: [(&str, &str); 2] = [
    ("rbm", "rbm train --data data --hidden 6 --batch 10 --epochs 2 --out rbm -q"),
    ("dbm", "dbm train --data data --hidden 6-5 --batch 10 --chains 4 --epochs 2 --out dbm -q"),
];
const GAN: &str = "gan train --data data --latent 4 --generator 8 --discriminator 8 --batch 10 --steps 2 --every 1 --out gan -q";

/// Images in `data` that every model learns from.
fn data(size: [usize; 2]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_images(&folder.path().join("data"), size.map(|side| side as u32), 30, 12);
    folder
}

/// Pixels of a sheet to one of an image, and the first tile: its height, its width, and its grey values.
fn first_tile(path: &Path, magnified: usize) -> (usize, usize, Vec<u8>) {
    const FRAME: u8 = 0xb0;
    let (_, width, pixels) = read_png(path);
    let run = |from: usize, step: usize| {
        pixels[from..].iter().step_by(step).take_while(|&&pixel| pixel == FRAME).count()
    };
    // The rule under a heading has the frame's colour and is no pixel of an image high.
    let is_corner = |&place: &usize| pixels[place] == FRAME && run(place, width) > 2 && run(place, 1) > 2;
    let corner = (0..pixels.len()).find(is_corner).unwrap();
    let (down, across) = (run(corner, width), run(corner, 1));
    let [rows, columns] = [down, across].map(|length| (length - 2) / magnified);
    assert_eq!([rows * magnified + 2, columns * magnified + 2], [down, across], "{}", path.display());
    let at =
        |row: usize, column: usize| pixels[corner + (1 + row * magnified) * width + 1 + column * magnified];
    let values = (0..rows * columns).map(|place| at(place / columns, place % columns)).collect();
    (rows, columns, values)
}

#[track_caller]
fn assert_tiles(path: &Path, magnified: usize, [height, width]: [usize; 2]) {
    let (rows, columns, _) = first_tile(path, magnified);
    assert_eq!([rows, columns], [height, width], "{}", path.display());
}

#[test]
fn every_picture_of_a_machine_has_tiles_of_its_images() {
    for size in SIZES {
        let folder = data(size);
        let at = |name: &str| folder.path().join(name);
        let run = |command: &str| equilibria(folder.path(), command).succeeded();
        for (kind, train) in TRAIN {
            run(train);
            // As a run has it, alone in a file, and from a checkpoint.
            run(&format!("{kind} store {kind} --out {kind}.st"));
            fs::create_dir(at(&format!("{kind}-half"))).unwrap();
            fs::copy(at(&format!("{kind}/checkpoint.safetensors")), at(&format!("{kind}-half/half.st")))
                .unwrap();
            for model in [kind.to_string(), format!("{kind}.st"), format!("{kind}-half/half.st")] {
                run(&format!("{kind} sample {model} --data data --from test:3,1 --steps 1,2 --out a.png -q"));
                run(&format!("{kind} sample {model} --from noise --chains 2 --steps 1 --out b.png -q"));
                run(&format!("{kind} reconstruct {model} --data data --images 3 --out c.png -q"));
                run(&format!("{kind} reconstruct {model} --data data --images 3 --sweep --out c.svg -q"));
                for picture in ["a.png", "b.png", "c.png"] {
                    assert_tiles(&at(picture), 3, size);
                }
                // The chain's start is the test image, pixel by pixel.
                let images = idx::read_images(at("data/t10k-images-idx3-ubyte")).unwrap();
                assert!(first_tile(&at("a.png"), 3).2 == images.image(3), "{model}: the image is scrambled");
                let filters = if kind == "rbm" { "f.png" } else { "f" };
                run(&format!("{kind} filters {model} --out {filters}"));
                let sheet = if kind == "rbm" { "f.png" } else { "f/filters-1.png" };
                assert_tiles(&at(sheet), 3, size);
            }
        }
        run("rbm mixing rbm rbm.st --data data --images 4 --steps 2 --out m -q");
        assert_tiles(&at("m/samples.png"), 3, size);
        run(GAN);
        for (options, name) in
            [("--count 3", "s.png"), ("--count 1 --interpolate 2", "i.png"), ("--training", "t.png")]
        {
            run(&format!("gan sample gan {options} --out {name}"));
            assert_tiles(&at(name), 2, size);
        }
    }
}

#[test]
fn height_and_width_are_in_models_checkpoints_and_stored_files() {
    let size = SIZES[1];
    let folder = data(size);
    let run = |command: &str| equilibria(folder.path(), command).succeeded();
    for (kind, train) in TRAIN {
        run(train);
        run(&format!("{kind} store {kind} --out {kind}.st"));
        for file in [
            format!("{kind}/model.safetensors"),
            format!("{kind}/checkpoint.safetensors"),
            format!("{kind}.st"),
        ] {
            let archive = Archive::from_bytes(&fs::read(folder.path().join(&file)).unwrap(), &file).unwrap();
            for (key, size) in ["image_height", "image_width"].into_iter().zip(size) {
                assert_eq!(archive.required_metadata(key).unwrap(), size.to_string(), "{file}");
            }
        }
    }
    // Images of as many pixels in another shape are others.
    write_images(&folder.path().join("square"), [28, 28], 30, 12);
    let before = snapshot(folder.path());
    for command in ["sample rbm", "reconstruct rbm", "evaluate rbm", "mixing rbm"] {
        let outcome = equilibria(folder.path(), &format!("rbm {command} --data square"));
        let words = "of those that the model learned from: expected shape (14, 56), found (28, 28)";
        assert!(outcome.is_refused() && outcome.stderr.contains(words), "{command}: {}", outcome.stderr);
    }
    // A machine beside those of another shape: one that comes with the program is not, one that is named is refused.
    let found = run("dbm filters dbm --out f --json").json();
    assert!(found["beside"].is_null(), "{found}");
    fs::remove_dir_all(folder.path().join("f")).unwrap();
    run("rbm train --data square --hidden 6 --batch 10 --epochs 1 --out other -q");
    for command in ["dbm filters dbm --beside other --out f", "rbm mixing rbm other --data data --out m"] {
        let outcome = equilibria(folder.path(), command);
        let words =
            "learned from images of 28x28 pixels; machines side by side see images of one size, here 14x56";
        assert!(outcome.is_refused() && outcome.stderr.contains(words), "{command}: {}", outcome.stderr);
    }
    fs::remove_dir_all(folder.path().join("other")).unwrap();
    assert!(snapshot(folder.path()) == before);
}

/// A file that does not say: the images at hand do, or else their number if it is a square's.
#[test]
fn files_without_height_and_width_are_drawn_by_what_is_known() {
    for (size, alone) in [([56, 28], [1, 1568]), ([14, 56], [28, 28])] {
        let folder = data(size);
        let run = |command: &str| equilibria(folder.path(), command).succeeded();
        run(TRAIN[0].1);
        let model = fs::read(folder.path().join("rbm/model.safetensors")).unwrap();
        let model = Archive::from_bytes(&model, "model").unwrap();
        let mut old = Archive::new();
        for name in model.names() {
            let shape = model.shape(name).unwrap();
            old.insert_f32(name, shape, model.tensor_f32(name, shape).unwrap()).unwrap();
        }
        fs::write(folder.path().join("old.st"), old.to_bytes().unwrap()).unwrap();
        run("rbm sample old.st --data data --from test:0 --steps 1 --out a.png -q");
        assert_tiles(&folder.path().join("a.png"), 3, size);
        let said = run("rbm filters old.st --out f.png").stderr;
        assert_tiles(&folder.path().join("f.png"), 3, alone);
        assert_eq!(
            said.contains("1568 pixels are no square: they are drawn as one row"),
            alone[0] == 1,
            "{said}"
        );
        // Half of it, or what fits no image of the machine, is a mistake.
        for (keys, words) in [
            (&[("image_height", "28")][..], "`image_height` and `image_width` are 28 and missing"),
            (&[("image_height", "7"), ("image_width", "9")], "are 7 and 9, which are no image of"),
            (&[("image_height", "18446744073709551615"), ("image_width", "2")], "which are no image of"),
        ] {
            let mut edited = old.clone();
            keys.iter().for_each(|(key, value)| edited.set_metadata(key, value));
            fs::write(folder.path().join("edited.st"), edited.to_bytes().unwrap()).unwrap();
            let outcome = equilibria(folder.path(), "rbm filters edited.st --out f.png");
            assert!(
                outcome.is_refused()
                    && outcome.stderr.starts_with("error: edited.st: ")
                    && outcome.stderr.contains(words),
                "{}",
                outcome.stderr
            );
        }
    }
    // Those that come with the program do not say; they learned MNIST.
    let folder = tempfile::tempdir().unwrap();
    for (kind, name) in [("rbm", "rbm-784-500"), ("dbm", "dbm-784-500-1000")] {
        fs::copy(fixture(name), folder.path().join("shipped.st")).unwrap();
        for model in ["", "shipped.st"] {
            let command = format!("{kind} sample {model} --from noise --chains 1 --steps 1 --out p.png -q");
            equilibria(folder.path(), &command).succeeded();
            assert_tiles(&folder.path().join("p.png"), 3, [28, 28]);
        }
    }
    write_images(&folder.path().join("tall"), [14, 56], 30, 12);
    let outcome = equilibria(folder.path(), "rbm sample --data tall --out p.png");
    assert!(outcome.stderr.contains("expected shape (28, 28), found (14, 56)"), "{}", outcome.stderr);
}
