//! Runs whose files were moved, edited by other programs, or were too short.

use super::{refuses, succeeds, write_set};
use equilibria::checkpoint::Archive;
use std::fs;
use std::path::Path;

const TRAIN: [(&str, &str, &str); 3] = [
    ("rbm", "rbm train -q --batch 10 --hidden 4 --data d", "--epochs"),
    (
        "dbm",
        "dbm train -q --batch 10 --hidden 4-3 --chains 5 --pretraining-epochs 1 --learning-rate 0.01 --data d",
        "--epochs",
    ),
    (
        "gan",
        "gan train -q --batch 10 --latent 3 --generator 4 --discriminator 4 --every 2 --data d",
        "--steps",
    ),
];

/// The parameters of a model.
fn parameters(model: &Path) -> Vec<(String, Vec<f32>)> {
    let archive = Archive::from_bytes(&fs::read(model.join("model.safetensors")).unwrap(), "model").unwrap();
    let names = archive.names().filter(|name| *name != "history");
    let value = |name: &str| archive.tensor_f32(name, archive.shape(name).unwrap()).unwrap().to_vec();
    names.map(|name| (name.to_string(), value(name))).collect()
}

#[test]
fn a_finished_run_is_lengthened_as_if_it_had_been_long_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    write_set(&folder.path().join("d"), [4, 4], [30, 12]);
    for (kind, train, length) in TRAIN {
        succeeds(folder.path(), &format!("{train} {length} 3 --out {kind}"));
        succeeds(folder.path(), &format!("{train} {length} 7 --out long"));
        succeeds(folder.path(), &format!("{kind} train -q --resume {kind} {length} 7"));
        let [grown, long] = [kind, "long"].map(|name| parameters(&folder.path().join(name)));
        assert!(!grown.is_empty() && grown == long, "{kind}");
        let metrics = |name: &str| {
            let text = fs::read_to_string(folder.path().join(name).join("metrics.csv")).unwrap();
            // The last column is a time.
            text.lines().map(|line| line.rsplit_once(',').unwrap().0.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(metrics(kind), metrics("long"), "{kind}");
        refuses(folder.path(), &format!("{kind} train --resume {kind} {length} 2"), "which can only grow");
        refuses(folder.path(), &format!("{kind} train --resume {kind} --seed 2"), "--seed");
        fs::remove_dir_all(folder.path().join("long")).unwrap();
    }
    succeeds(folder.path(), "gan sample gan --training");
}

#[test]
fn a_run_goes_on_with_its_data_in_another_place_and_with_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_set(&at("d"), [4, 4], [30, 12]);
    write_set(&at("others"), [4, 4], [31, 12]);
    for (kind, train, length) in TRAIN {
        succeeds(folder.path(), &format!("{train} {length} 2 --out {kind}"));
    }
    fs::rename(at("d"), at("moved")).unwrap();
    for (kind, _, length) in TRAIN {
        let resume = format!("{kind} train -q --resume {kind} {length} 4");
        refuses(folder.path(), &resume, "not found in");
        let before = fs::read(at(kind).join("config.toml")).unwrap();
        refuses(folder.path(), &format!("{resume} --data others"), "are not those that the run began with");
        assert_eq!(fs::read(at(kind).join("config.toml")).unwrap(), before, "{kind}");
        succeeds(folder.path(), &format!("{resume} --data moved"));
        let config = fs::read_to_string(at(kind).join("config.toml")).unwrap();
        assert!(config.contains("moved\""), "{config}");
    }
}

#[test]
fn text_files_survive_a_spreadsheet() {
    let folder = tempfile::tempdir().unwrap();
    write_set(&folder.path().join("d"), [4, 4], [30, 12]);
    let (kind, train, length) = TRAIN[0];
    succeeds(folder.path(), &format!("{train} {length} 2 --out {kind}"));
    let run = folder.path().join(kind);
    let (metrics, config) = (run.join("metrics.csv"), run.join("config.toml"));
    let quoted = |text: &str| {
        let cell = |cell: &str| format!("\"{cell}\"");
        let line = |line: &str| line.split(',').map(cell).collect::<Vec<_>>().join(",") + "\n";
        text.lines().map(line).collect::<String>()
    };
    let changes: [&dyn Fn(&str) -> String; 6] = [
        &|table| table.replace('\n', "\r\n"),
        &|table| format!("\u{feff}{table}"),
        &quoted,
        &|table| table.replace('\n', ",,\r\n"),
        &|table| table.replace(',', ";").replace('.', ","),
        &|table| table.replace(',', "\t"),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let [table, settings] = [&metrics, &config].map(|path| fs::read_to_string(path).unwrap());
        fs::write(&metrics, change(&table)).unwrap();
        fs::write(&config, format!("\u{feff}{}", settings.replace('\n', "\r\n"))).unwrap();
        succeeds(folder.path(), &format!("rbm train -q --resume rbm --epochs {}", 3 + index));
        let found = fs::read_to_string(&metrics).unwrap();
        assert!(found.starts_with(&table) && found.lines().count() == 4 + index, "{}", change(&table));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn paths_that_are_no_text_name_data_and_runs() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"d\xff%41 e");
    write_set(&folder.path().join(name), [4, 4], [30, 12]);
    let out = std::ffi::OsStr::from_bytes(b"run\xfe");
    let run = |words: &str, paths: &[&std::ffi::OsStr]| {
        let mut program = assert_cmd::Command::cargo_bin("equilibria").unwrap();
        program.current_dir(folder.path()).args(words.split_whitespace()).args(paths).assert().success();
    };
    run("rbm train -q --hidden 4 --epochs 1", &["--data".as_ref(), name, "--out".as_ref(), out]);
    let config = fs::read_to_string(folder.path().join(out).join("config.toml")).unwrap();
    assert!(config.contains("/d%FF%2541%20e\""), "{config}");
    run("rbm sample -q --steps 1", &[out]);
    run("rbm train -q --epochs 2 --resume", &[out]);
    run("rbm sample -q --steps 1 --data", &[name, out]);
}
