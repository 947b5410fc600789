//! Does a run go on only with the data and the checkpoint that are its own?

use super::{equilibria, equilibria_with, snapshot, write_digits};
use equilibria::checkpoint::Archive;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A finished run of each kind in the folder of its name, and the key that makes it longer.
const RUNS: [(&str, &str, &str); 3] = [
    ("rbm", "rbm train --hidden 4 --epochs 1", "epochs"),
    ("dbm", "dbm train --hidden 5-4 --pretraining-epochs 1 --chains 6 --epochs 1", "epochs"),
    ("gan", "gan train --latent 3 --generator 5 --discriminator 5 --steps 2 --every 1", "steps"),
];

const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "t10k-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-labels-idx1-ubyte",
];

fn trained(environment: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_digits(&folder.path().join("d"), 6, 60, 20);
    for (kind, train, _) in RUNS {
        let command = format!("{train} --batch 20 --data d --out {kind} -q");
        equilibria_with(folder.path(), &command, environment).succeeded();
    }
    folder
}

/// Changes the number after `key = ` in the configuration of `run`.
fn lengthen(run: &Path, key: &str, number: u64) {
    let path = run.join("config.toml");
    let text = fs::read_to_string(&path).unwrap();
    let line = |line: &str| match line.split_once(" = ") {
        Some((found, _)) if found == key => format!("{key} = {number}\n"),
        _ => format!("{line}\n"),
    };
    fs::write(&path, text.lines().map(line).collect::<String>()).unwrap();
}

fn edit(run: &Path, change: impl Fn(&mut Archive)) {
    let path = run.join("checkpoint.safetensors");
    let mut archive = Archive::from_bytes(&fs::read(&path).unwrap(), "checkpoint").unwrap();
    change(&mut archive);
    fs::write(&path, archive.to_bytes().unwrap()).unwrap();
}

/// Asserts that `kind train --resume kind` says one sentence that begins and goes on like this, and changes nothing.
#[track_caller]
fn assert_refused(folder: &Path, kind: &str, words: &[&str]) {
    let before = snapshot(&folder.join(kind));
    let outcome = equilibria(folder, &format!("{kind} train --resume {kind} -q"));
    assert_eq!((outcome.is_refused(), outcome.stdout.as_str()), (true, ""), "{kind}: {outcome:?}");
    let text = &outcome.stderr;
    assert!(text.starts_with("error: ") && text.lines().count() == 1, "{kind}: {text}");
    assert!(words.iter().all(|word| text.contains(word)), "{kind}, {words:?}: {text}");
    assert!(snapshot(&folder.join(kind)) == before, "{kind} changed");
}

#[test]
fn a_run_goes_on_only_with_the_data_it_began_with() {
    let folder = trained(&[]);
    for (kind, _, key) in RUNS {
        lengthen(&folder.path().join(kind), key, 3);
        for (index, file) in FILES.into_iter().enumerate() {
            let path = folder.path().join("d").join(file);
            let original = fs::read(&path).unwrap();
            let mut changed = original.clone();
            // The last pixel or label.
            *changed.last_mut().unwrap() ^= 1;
            fs::write(&path, changed).unwrap();
            let what = ["training images", "test images", "training labels", "test labels"][index];
            // A Boltzmann machine sees no labels.
            if kind == "gan" || index < 2 {
                let begin = format!("error: {kind}: the {what} are not those that the run began with (");
                let words = [&begin, "crc32 ", "the files of `d` have changed", "--data points elsewhere"];
                assert_refused(folder.path(), kind, &words);
            }
            fs::write(&path, original).unwrap();
        }
        // Fewer images, and images of another size.
        for (side, train) in [(6, 50), (7, 60)] {
            write_digits(&folder.path().join("d"), side, train, 20);
            let before = "(60 of 6x6, crc32 ";
            assert_refused(
                folder.path(),
                kind,
                &["the training images are not", before, &format!("now {train} of {side}x{side},")],
            );
        }
        write_digits(&folder.path().join("d"), 6, 60, 20);
        // Other labels are nothing to a Boltzmann machine.
        if kind != "gan" {
            let path = folder.path().join("d").join(FILES[2]);
            let original = fs::read(&path).unwrap();
            let mut changed = original.clone();
            changed[8] = 9;
            fs::write(&path, changed).unwrap();
            let outcome = equilibria(folder.path(), &format!("{kind} train --resume {kind} -q")).succeeded();
            assert_eq!(outcome.stderr, "");
            fs::write(&path, original).unwrap();
        }
        let outcome = equilibria(folder.path(), &format!("{kind} train --resume {kind} -q")).succeeded();
        assert_eq!(outcome.stderr, "", "{kind}");
    }
}

#[test]
fn a_run_without_a_record_of_its_data_goes_on_with_a_warning() {
    let folder = trained(&[]);
    for (kind, _, _) in RUNS {
        let run = folder.path().join(kind);
        let model = || fs::read(run.join("model.safetensors")).unwrap();
        let before = model();
        // As versions before the record wrote it.
        edit(&run, |archive| *archive = without_record(archive));
        let outcome = equilibria(folder.path(), &format!("{kind} train --resume {kind} -q")).succeeded();
        let begin = format!("warning: {kind} has no record of its data");
        assert!(outcome.stderr.starts_with(&begin) && outcome.stderr.lines().count() == 1, "{outcome:?}");
        assert!(model() == before, "{kind}");
    }
}

/// The archive without what is recorded of data and SIMD level.
fn without_record(archive: &Archive) -> Archive {
    let mut old = Archive::new();
    for name in archive.names() {
        let shape = archive.shape(name).unwrap();
        match archive.tensor_f32(name, shape) {
            Ok(values) => old.insert_f32(name, shape, values).unwrap(),
            Err(_) => old.insert_u8(name, shape, archive.tensor_u8(name, shape).unwrap()).unwrap(),
        }
    }
    for key in ["model", "sizes", "networks", "steps", "discriminator_steps", "seconds", "epoch", "batch"] {
        if let Some(value) = archive.metadata(key) {
            old.set_metadata(key, value);
        }
    }
    old
}

/// Levels round differently: a run that goes on at another one ends with other bits, which is worth a line.
#[test]
fn another_simd_level_is_said_and_is_no_error() {
    if equilibria_kernels::Level::available().count() < 2 {
        return;
    }
    let portable = [("EQUILIBRIA_SIMD", "portable")];
    let folder = trained(&portable);
    for (kind, _, key) in RUNS {
        lengthen(&folder.path().join(kind), key, 3);
        let resume = format!("{kind} train --resume {kind} -q");
        let outcome = equilibria(folder.path(), &resume).succeeded();
        let begin = format!("note: {kind} was trained at SIMD level portable and continues at ");
        assert!(outcome.stderr.starts_with(&begin) && outcome.stderr.lines().count() == 1, "{outcome:?}");
        // The run now belongs to the other level.
        lengthen(&folder.path().join(kind), key, 4);
        assert_eq!(equilibria(folder.path(), &resume).succeeded().stderr, "");
    }
}

/// Keys of a checkpoint with numbers that no run of these settings can have reached.
const FORGED: [(&str, &str, &[&str]); 9] = [
    ("rbm", "epoch", &["2", "18446744073709551615", "18446744073709551616", "-1", "1.0", ""]),
    // There are 3 mini-batches; after the last epoch none is begun.
    ("rbm", "batch", &["1", "18446744073709551615"]),
    ("rbm", "seconds", &["-1", "inf", "NaN", "x"]),
    ("dbm", "epoch", &["4", "18446744073709551615"]),
    ("dbm", "batch", &["1", "18446744073709551615"]),
    ("dbm", "seconds", &["inf"]),
    ("gan", "steps", &["3", "18446744073709551615", "-1"]),
    ("gan", "discriminator_steps", &["1", "3", "18446744073709551615"]),
    ("gan", "seconds", &["NaN"]),
];

#[test]
fn counters_that_no_run_can_have_reached_are_refused() {
    let folder = trained(&[]);
    for (kind, key, values) in FORGED {
        let path = folder.path().join(kind).join("checkpoint.safetensors");
        let original = fs::read(&path).unwrap();
        for value in values {
            edit(&folder.path().join(kind), |archive| archive.set_metadata(key, value));
            let words = format!("'{key}' is not what this run can have reached");
            assert_refused(folder.path(), kind, &["checkpoint.safetensors: at byte 8: ", &words]);
            fs::write(&path, &original).unwrap();
        }
    }
    // Amid an epoch, of which there are 2 now: batches 0 to 2 can be the next, and each has swaps.
    for (kind, _, key) in &RUNS[..2] {
        lengthen(&folder.path().join(kind), key, 2);
        edit(&folder.path().join(kind), |archive| archive.set_metadata("batch", "3"));
        assert_refused(folder.path(), kind, &["'batch' is not what this run can have reached"]);
        edit(&folder.path().join(kind), |archive| archive.set_metadata("batch", "2"));
        equilibria(folder.path(), &format!("{kind} train --resume {kind} -q")).succeeded();
    }
}

#[test]
fn swaps_that_no_run_can_have_counted_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_digits(&folder.path().join("d"), 6, 60, 20);
    let train =
        "rbm train --hidden 4 --epochs 1 --method tempering:3 --steps 2 --batch 20 --data d --out rbm -q";
    equilibria(folder.path(), train).succeeded();
    let run = folder.path().join("rbm");
    lengthen(&run, "epochs", 2);
    // After 2 mini-batches: 2 steps each of 20 chains.
    let set = |swaps: &str| {
        edit(&run, |archive| {
            archive.set_metadata("batch", "2");
            archive.set_metadata("swaps", swaps);
        });
    };
    for swaps in
        ["", "1/2", "1/2 1/2 1/2", "3/2 1/2", "1/2 1/81", "0/18446744073709551615 0/0", "-1/2 1/2", "1/2 1"]
    {
        set(swaps);
        assert_refused(folder.path(), "rbm", &["'swaps' is not what this run can have reached"]);
    }
    set("1/80 80/80");
    equilibria(folder.path(), "rbm train --resume rbm -q").succeeded();
}

/// The settings allow 2^40 steps. Nothing may be done once for each of those that a checkpoint counts.
#[test]
fn a_forged_number_of_steps_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    write_digits(&folder.path().join("d"), 6, 60, 20);
    let steps = (1_u64 << 40) - 7;
    for (objective, discriminator_steps) in [
        ("standard", steps),
        ("penalty", 5 * steps),
        // 100 critic steps at each of the first 25 steps and at every multiple of 500.
        ("clipping --head-start", 5 * steps + 95 * (25 + (steps - 1) / 500)),
    ] {
        let train =
            "gan train --latent 3 --generator 5 --discriminator 5 --steps 2 --every 1 --batch 20 --data d";
        let command = format!("{train} --out gan --force -q --objective {objective}");
        equilibria(folder.path(), &command).succeeded();
        let run = folder.path().join("gan");
        lengthen(&run, "steps", 1 << 40);
        edit(&run, |archive| {
            let mut forged = Archive::new();
            for name in archive.names().filter(|&name| name != "history") {
                let shape = archive.shape(name).unwrap();
                forged.insert_f32(name, shape, archive.tensor_f32(name, shape).unwrap()).unwrap();
            }
            // Samples of all moments but the last.
            forged.insert_u8("history", &[10, 10, 6, 6], &[0; 3_600]).unwrap();
            for key in [
                "model",
                "networks",
                "seconds",
                "training_images",
                "test_images",
                "training_labels",
                "test_labels",
            ] {
                forged.set_metadata(key, archive.metadata(key).unwrap());
            }
            forged.set_metadata("steps", &steps.to_string());
            forged.set_metadata("discriminator_steps", &discriminator_steps.to_string());
            *archive = forged;
        });
        let clock = Instant::now();
        let words = format!("2 complete rows, the checkpoint counts {steps}");
        assert_refused(folder.path(), "gan", &["gan/metrics.csv: at byte ", &words]);
        assert!(clock.elapsed() < Duration::from_secs(20), "{objective}: {:?}", clock.elapsed());
    }
}
