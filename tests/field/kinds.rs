//! Further inputs of the same kinds: what nobody has complained about yet.

use super::arrays::zip;
use super::{idx, load, npy, pixels, reading, refused, refuses, run, succeeds, write_set};
use equilibria::checkpoint::Archive;
use equilibria::data::{Dataset, Reading, pictures};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::Path;

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn half_floats_are_read() {
    let folder = tempfile::tempdir().unwrap();
    // 0, 1, 0.5, 0.2 as 16-bit floats.
    let content = [0x0000_u16, 0x3c00, 0x3800, 0x3266].map(u16::to_le_bytes).concat();
    fs::write(folder.path().join("x_train.npy"), npy("<f2", "(2, 1, 2)", &content)).unwrap();
    let images = load(folder.path(), &reading(|reading| reading.test_share = Some(0.5))).0;
    assert_eq!(
        (images.train.images().pixels(), images.test.images().pixels()),
        (&[0, 255][..], &[128, 51][..])
    );
}

#[test]
fn the_last_images_of_each_class_are_held_out() {
    let folder = tempfile::tempdir().unwrap();
    // Six images of class 0, then eight of class 1, each with its number as its pixel.
    let pixels: Vec<u8> = (0..14).collect();
    let labels: Vec<u8> = pixels.iter().map(|&image| u8::from(image >= 6)).collect();
    fs::write(folder.path().join("x_train.npy"), npy("|u1", "(14, 1, 1)", &pixels)).unwrap();
    fs::write(folder.path().join("y_train.npy"), npy("|u1", "(14,)", &labels)).unwrap();
    for (share, expected) in [(None, &[5, 13][..]), (Some(0.4), &[4, 5, 11, 12, 13])] {
        let data = load(folder.path(), &reading(|reading| reading.test_share = share)).0;
        assert_eq!(data.test.images().pixels(), expected, "{share:?}");
        assert_eq!(
            data.test.labels(),
            expected.iter().map(|&image| u8::from(image >= 6)).collect::<Vec<_>>()
        );
        let train: Vec<u8> = pixels.iter().copied().filter(|image| !expected.contains(image)).collect();
        assert_eq!(data.train.images().pixels(), train, "{share:?}");
    }
}

#[test]
fn an_archive_with_other_arrays_is_read_by_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.npz");
    let images = npy("|u1", "(3, 1, 2)", &[0, 255, 1, 2, 3, 4]);
    let floats = npy("<f4", "(3,)", &[0; 12]);
    let other = ("weights.npy", floats.clone());
    for name in ["x_train.npy", "images.npy"] {
        fs::write(&path, zip(&[(name, images.clone()), other.clone(), ("names.npy", floats.clone())], true))
            .unwrap();
        let found = load(folder.path(), &Reading::default()).0;
        assert_eq!(found.train.len() + found.test.len(), 3, "{name}");
    }
    fs::write(&path, zip(&[("arr_0.npy", images.clone()), ("arr_1.npy", floats)], true)).unwrap();
    let text = refused(&path, &Reading::default());
    assert!(text.contains("it holds several arrays (arr_0, arr_1)"), "{text}");
    assert!(text.contains("save them as x_train, y_train, x_test, y_test"), "{text}");
}

#[test]
fn a_stated_shape_holds_for_images_of_every_layout() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("images.npy");
    for sizes in ["(8, 4, 6)", "(8, 1, 4, 6)", "(8, 4, 6, 1)"] {
        fs::write(&file, npy("|u1", sizes, &pixels(8, 24))).unwrap();
        let shape = |text: &str| reading(|reading| reading.shape = Some(text.parse().unwrap()));
        assert_eq!(load(&file, &shape("4x6")).0.train.images().shape(), [4, 6, 1]);
        if sizes.len() > 9 {
            let text = refused(&file, &shape("6x4"));
            assert!(text.starts_with("--shape 6x4: the images of") && text.ends_with("have 4x6"), "{text}");
        }
    }
}

#[test]
fn test_images_of_another_size_are_named() {
    let folder = tempfile::tempdir().unwrap();
    write_set(folder.path(), [4, 6], [8, 2]);
    fs::write(folder.path().join("t10k-images-idx3-ubyte"), idx(8, &[2, 4, 5], &pixels(2, 20))).unwrap();
    let text = refused(folder.path(), &Reading::default());
    let words = "t10k-images-idx3-ubyte: at byte 0: the test images have 4x5 pixels, the training images 4x6";
    assert!(text.contains(words), "{text}");
}

#[test]
fn the_first_of_qmnists_eight_numbers_is_the_label() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |labels: &[i32]| -> Vec<u8> {
        let row = |&label: &i32| [label, 4, 2607, 7, 8, 9, 1, 0].map(i32::to_be_bytes).concat();
        labels.iter().flat_map(row).collect()
    };
    let write = |labels: &[i32]| {
        for set in ["train", "test"] {
            let at = |name: &str| folder.path().join(format!("qmnist-{set}-{name}.gz"));
            fs::write(at("images-idx3-ubyte"), gzipped(&idx(8, &[3, 2, 2], &pixels(3, 4)))).unwrap();
            fs::write(at("labels-idx2-int"), gzipped(&idx(12, &[3, 8], &rows(labels)))).unwrap();
        }
    };
    write(&[5, 0, 9]);
    let found = load(folder.path(), &Reading::default()).0;
    assert_eq!((found.train.labels(), found.test.labels()), (&[5, 0, 9][..], &[5, 0, 9][..]));
    // The place of a wrong label counts all numbers.
    write(&[5, 300, 9]);
    let found = load(folder.path(), &Reading::default()).0;
    let text = found.train.check_labels().unwrap_err().to_string();
    assert!(text.contains("at byte 44: the label of image 1 is 300"), "{text}");
}

#[test]
fn cifar_100_is_read_with_classes_and_superclasses() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("cifar-100-binary");
    fs::create_dir(&place).unwrap();
    let records = |labels: &[[u8; 2]]| -> Vec<u8> {
        labels
            .iter()
            .flat_map(|&[coarse, fine]| [vec![coarse, fine], vec![10 * fine; 3072]].concat())
            .collect()
    };
    fs::write(place.join("train.bin"), records(&[[0, 2], [1, 3], [0, 4], [1, 2]])).unwrap();
    fs::write(place.join("test.bin"), records(&[[1, 3], [0, 4], [0, 2]])).unwrap();
    let chosen = |class: Option<&str>| {
        let found = Dataset::load_any(folder.path(), class, None).unwrap();
        [&found.train, &found.test]
            .map(|set| set.images().pixels().chunks(3072).map(|image| image[0]).collect::<Vec<_>>())
    };
    assert_eq!(chosen(None), [vec![20, 30, 40, 20], vec![30, 40, 20]]);
    assert_eq!(chosen(Some("2")), [vec![20, 20], vec![20]]);
    fs::write(place.join("fine_label_names.txt"), "a\nb\r\nbeaver\nc\nwhale\n").unwrap();
    fs::write(place.join("coarse_label_names.txt"), "sea_mammals\nfish\n").unwrap();
    assert_eq!(chosen(Some("Whale")), [vec![40], vec![40]]);
    assert_eq!(chosen(Some("sea_mammals")), [vec![20, 40], vec![40, 20]]);
    assert_eq!(load(&place.join("train.bin"), &Reading::default()).0.test.len(), 3);
    fs::write(place.join("train.bin"), records(&[[0, 100]])).unwrap();
    let text = refused(&place.join("train.bin"), &Reading::default());
    assert!(text.contains("at byte 1: the label 100 is none of CIFAR-100, which are 0 to 99"), "{text}");
}

#[test]
fn pictures_may_be_split_into_training_and_validation() {
    let folder = tempfile::tempdir().unwrap();
    for names in [["Train", "Val"], ["training", "TEST"]] {
        for (split, count) in names.iter().zip([3, 2]) {
            for class in ["cats", "dogs"] {
                let place = folder.path().join("s").join(split).join(class);
                fs::create_dir_all(&place).unwrap();
                (0..count).for_each(|index| {
                    super::folders::write_picture(&place.join(format!("{index}.png")), 4, index)
                });
            }
        }
        let found = load(&folder.path().join("s"), &Reading::default()).0;
        assert_eq!((found.train.labels(), found.test.labels()), (&[0, 0, 0, 1, 1, 1][..], &[0, 0, 1, 1][..]));
        fs::remove_dir_all(folder.path().join("s")).unwrap();
    }
}

#[test]
fn what_is_no_picture_is_told_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    super::folders::write_picture(&folder.path().join("0.png"), 4, 0);
    let other = folder.path().join("clip.png");
    let refused = || pictures::read_folder(folder.path(), None).unwrap_err().to_string();
    for (content, words) in [
        (
            &b"\0\0\0\x18ftypmp42"[..],
            "this is a video, or a HEIC or AVIF picture; a PNG or JPEG picture is needed",
        ),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "this is a WebP picture, a video or sound; a PNG"),
        (b"", "this is an empty file; a PNG"),
    ] {
        fs::write(&other, content).unwrap();
        assert!(refused().contains(words), "{}", refused());
    }
    // A folder of them only.
    fs::remove_file(folder.path().join("0.png")).unwrap();
    fs::rename(&other, folder.path().join("0.gif")).unwrap();
    fs::write(folder.path().join("0.gif"), b"GIF89a").unwrap();
    let text = super::refused(folder.path(), &Reading::default());
    assert!(text.contains("it has 0.gif (0.gif is a GIF picture); give a folder of pictures"), "{text}");
}

#[cfg(unix)]
#[test]
fn pipes_and_links_to_nothing_do_not_hang() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("train-images-idx3-ubyte");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    if !made.is_ok_and(|status| status.success()) {
        return eprintln!("skipped: no program mkfifo");
    }
    for source in [folder.path(), &pipe] {
        let text = refused(source, &Reading::default());
        assert!(text.contains("this is a pipe or a device; copy its content into a file first"), "{text}");
    }
    // Beside images it does not matter.
    fs::rename(&pipe, folder.path().join("pipe")).unwrap();
    write_set(folder.path(), [4, 6], [8, 2]);
    assert_eq!(load(folder.path(), &Reading::default()).0.train.len(), 8);
    let linked = tempfile::tempdir().unwrap();
    super::folders::write_picture(&linked.path().join("0.png"), 4, 0);
    std::os::unix::fs::symlink("/nowhere/at all", linked.path().join("1.png")).unwrap();
    let text = refused(linked.path(), &Reading::default());
    assert!(
        text.contains("1.png: at byte 0: this is a link to /nowhere/at all, which is not there"),
        "{text}"
    );
    // A loop of links ends.
    std::os::unix::fs::symlink(".", linked.path().join("loop")).unwrap();
    std::os::unix::fs::symlink("self", linked.path().join("self")).unwrap();
    fs::remove_file(linked.path().join("1.png")).unwrap();
    assert!(refused(linked.path(), &Reading::default()).contains("at least 2 images are needed"));
}

#[test]
fn weights_of_double_precision_are_rounded_where_they_fit() {
    let folder = tempfile::tempdir().unwrap();
    write_set(&folder.path().join("d"), [2, 3], [8, 4]);
    let write = |scale: f64| {
        let mut archive = Archive::new();
        archive.insert_f64("weight", &[6, 2], &[0.1 * scale; 12]).unwrap();
        archive.insert_f64("visible_bias", &[6], &[0.2; 6]).unwrap();
        archive.insert_f64("hidden_bias", &[2], &[0.3; 2]).unwrap();
        // Nothing needs it.
        archive.insert_f64("momentum", &[1], &[1e300]).unwrap();
        fs::write(folder.path().join("m.safetensors"), archive.to_bytes().unwrap()).unwrap();
    };
    write(1.0);
    let found = succeeds(folder.path(), "rbm evaluate m.safetensors --data d --exact --json");
    let found: Value = serde_json::from_str(&found.stdout).unwrap();
    // ln Z = ln of the sum over both hidden units of e^(0.3 h) and over 6 visible units of 1 + e^(0.2 + 0.1 h).
    let sum: f64 = [(0.0, 1.0), (1.0, 2.0), (2.0, 1.0)]
        .map(|(on, ways): (f64, f64)| ways * (0.3 * on).exp() * (1.0 + (0.2 + 0.1 * on).exp()).powi(6))
        .iter()
        .sum();
    let exact = found["log_partition"]["exact"].as_f64().unwrap();
    assert!((exact - sum.ln()).abs() < 1e-5, "{exact} {}", sum.ln());
    write(1e200);
    refuses(folder.path(), "rbm evaluate m.safetensors --data d --exact", "tensor `weight` is of F64");
}

#[test]
fn persistent_chains_that_do_not_settle_are_told_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let patterns: Vec<u8> = [0b1111_0000_u8, 0b0000_1111, 0b1100_1100, 0b1010_1010]
        .iter()
        .flat_map(|bits| (0..8).map(move |at| 255 * (bits >> at & 1)))
        .collect();
    for name in ["train", "t10k"] {
        let name = format!("{name}-images-idx3-ubyte");
        fs::write(folder.path().join(name), idx(8, &[4, 2, 4], &patterns)).unwrap();
    }
    let train = "rbm train -q --data . --hidden 8 --epochs 200 --learning-rate";
    let warned = |options: &str, out: &str| {
        let outcome = succeeds(folder.path(), &format!("{train} {options} --out {out}"));
        let summary = json(&folder.path().join(out).join("summary.json"));
        assert_eq!(summary.get("warning").is_some(), outcome.stderr.contains("warning: "), "{options}");
        (summary["warning"].as_str().unwrap_or_default().to_string(), outcome.stderr)
    };
    let (text, printed) = warned("0.5", "pcd");
    assert!(text.starts_with("pcd with 4 chains did not settle on 4 distinct images: "), "{text} {printed}");
    assert!(
        text.ends_with("use --method cd, or a rate that falls to 0, such as --learning-rate 0.05..0"),
        "{text}"
    );
    assert_eq!(printed.matches("warning: ").count(), 1, "{printed}");
    // Contrastive divergence is the remedy, so it gets no such advice, also at an absurd rate.
    for (rate, seed) in [("5", 1), ("5", 2)] {
        let (text, printed) = warned(&format!("{rate} --method cd --seed {seed} --force"), "cd");
        assert!(text.is_empty() && !printed.contains("did not settle"), "{text} {printed}");
    }
}

#[test]
fn a_given_mini_batch_that_is_too_large_is_refused_and_a_default_adapts() {
    let folder = tempfile::tempdir().unwrap();
    write_set(&folder.path().join("d"), [12, 12], [20, 10]);
    for (command, usual) in
        [("rbm train", 100), ("dbm train", 100), ("gan train", 64), ("classifier train", 128)]
    {
        for batch in [21, usual, 128] {
            let words = format!("--batch {batch}: a mini-batch can have at most all 20 training images");
            refuses(folder.path(), &format!("{command} --data d --batch {batch} --out r"), &words);
            assert_eq!(
                run(folder.path(), &format!("{command} --data d --batch {batch} --out r")).status,
                Some(2)
            );
        }
    }
    let adapted = succeeds(folder.path(), "classifier train --data d --epochs 1 --out c");
    assert!(adapted.stderr.contains("mini-batches have all 20"), "{}", adapted.stderr);
}

#[test]
fn a_second_evaluation_leaves_the_first() {
    let folder = tempfile::tempdir().unwrap();
    write_set(&folder.path().join("d"), [4, 4], [30, 12]);
    succeeds(folder.path(), "rbm train -q --data d --hidden 4 --epochs 1 --out rbm");
    succeeds(folder.path(), "dbm train -q --data d --hidden 4-3 --chains 5 --epochs 1 --out dbm");
    for kind in ["rbm", "dbm"] {
        let place = |number: &str| folder.path().join(format!("{kind}/evaluation{number}/summary.json"));
        let evaluate =
            |options: &str| succeeds(folder.path(), &format!("{kind} evaluate {kind} -q {options}"));
        evaluate("--exact");
        let first = json(&place(""));
        let second = evaluate("--annealed --chains 5 --images 2");
        assert!(
            second.stdout.contains(&format!("wrote {kind}/evaluation-2/summary.json")),
            "{}",
            second.stdout
        );
        assert_eq!(json(&place("")), first);
        assert_ne!(json(&place("-2"))["log_partition"], first["log_partition"]);
        evaluate("--exact");
        assert_eq!(json(&place("-3")), first);
    }
}

#[test]
fn summaries_tell_the_checksums_of_all_that_was_read() {
    let folder = tempfile::tempdir().unwrap();
    write_set(&folder.path().join("d"), [28, 28], [30, 12]);
    fs::copy(folder.path().join("d/t10k-images-idx3-ubyte"), folder.path().join("samples-idx3-ubyte"))
        .unwrap();
    let sum = |bytes: &[u8]| {
        let mut sum = flate2::Crc::new();
        sum.update(bytes);
        format!("crc32 {:08x}", sum.sum())
    };
    let [train, test] = ["train", "t10k"]
        .map(|name| sum(&fs::read(folder.path().join(format!("d/{name}-images-idx3-ubyte"))).unwrap()[16..]));
    let data = |command: &str| -> Value {
        let outcome = succeeds(folder.path(), command);
        serde_json::from_str::<Value>(&outcome.stdout).unwrap()["provenance"]["data"].clone()
    };
    let has = |found: &Value, name: &str, entry: &str, sum: &str| {
        let text = found[name][entry].as_str().unwrap_or_default();
        assert!(text.ends_with(sum), "{name}, {entry}, {sum}: {found}");
    };
    let found = data("rbm sweep -q --data d --hidden 2 --steps 1 --epochs 1 --json");
    has(&found, "d", "training_images", &train);
    has(&found, "d", "test_images", &test);
    let found = data("classifier evaluate -q --data d --json");
    has(&found, "d", "test_images", &test);
    let file = sum(&fs::read(folder.path().join("samples-idx3-ubyte")).unwrap());
    let found = data("transport distance -q --json samples-idx3-ubyte d/train-images-idx3-ubyte");
    has(&found, "samples-idx3-ubyte", "file", &file);
    let found = data("gan evaluate -q --json samples-idx3-ubyte --data synthetic");
    has(&found, "samples-idx3-ubyte", "samples", &test);
    assert!(found["synthetic"]["test_images"].is_string(), "{found}");
}

#[test]
fn summaries_tell_the_checksums_of_photographs() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("d/images")).unwrap();
    let sums = [("d/images/a.png", 3), ("d/images/b.png", 7)].map(|(name, factor)| {
        let values: Vec<u8> = (0..20 * 30 * 3).map(|i| (i * factor % 251) as u8).collect();
        let bytes = equilibria::report::picture([20, 30, 3], &values).unwrap();
        fs::write(folder.path().join(name), &bytes).unwrap();
        let mut sum = flate2::Crc::new();
        sum.update(&bytes);
        format!("{} bytes, crc32 {:08x}", bytes.len(), sum.sum())
    });
    let data = |command: &str, summary: &str| -> Value {
        succeeds(folder.path(), command);
        json(&folder.path().join(summary))["provenance"]["data"].clone()
    };
    let colours = "transport colours -q --method linear --out o";
    let found = data(&format!("{colours} d/images/a.png d/images/b.png"), "o/summary.json");
    let expected = ["d/images/a.png", "d/images/b.png"].map(|name| found[name]["file"].clone());
    assert_eq!(expected, sums.clone(), "{found}");
    let found = data(&format!("{colours} seaside d/images/b.png"), "o/summary.json");
    assert!(found["seaside"]["painted"].as_str().unwrap().starts_with("320x480x3, crc32 "), "{found}");
    // The second time the figure is there already.
    for _ in 0..2 {
        let found = data("reproduce -q figure5 --data d --out f", "f/summary.json");
        let entries = found.as_object().unwrap().iter();
        let found: Vec<_> = entries.filter(|(name, _)| name.ends_with(".png")).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        found.iter().zip(&sums).for_each(|((_, entry), sum)| assert_eq!(entry["file"], **sum));
    }
}

#[test]
fn text_in_another_encoding_or_with_a_wrong_value_is_told() {
    let folder = tempfile::tempdir().unwrap();
    write_set(&folder.path().join("d"), [4, 4], [30, 12]);
    succeeds(folder.path(), "rbm train -q --data d --hidden 4 --epochs 1 --out rbm");
    let utf16 = |text: &str| -> Vec<u8> {
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    let resume = "rbm train -q --resume rbm --epochs 2";
    for file in ["config.toml", "metrics.csv"] {
        let path = folder.path().join("rbm").join(file);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, utf16(&text)).unwrap();
        refuses(
            folder.path(),
            resume,
            &format!("{file}: at byte 0: this text is not in UTF-8, perhaps in UTF-16"),
        );
        fs::write(&path, text).unwrap();
    }
    let path = folder.path().join("rbm/config.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("hidden = 4", "hidden = \"4\"")).unwrap();
    let problem = run(folder.path(), resume).stderr;
    assert!(problem.contains("expected a whole number") && problem.contains("`hidden`"), "{problem}");
}

#[test]
fn more_wrong_usages_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    for (command, words) in [
        ("-q rbm train", "options come after the command"),
        ("version", "did you mean `equilibria --version`?"),
        ("gan train --latent 0", "--latent 0: 1 to 1048576 latent numbers are possible"),
        ("rbm train --hidden -1", "--hidden -1: a whole number without a sign is needed"),
    ] {
        refuses(folder.path(), command, words);
        assert_eq!(run(folder.path(), command).status, Some(2), "{command}");
    }
}
