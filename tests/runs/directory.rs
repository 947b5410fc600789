//! Are the files of a run read back as they were written, and other files never changed?

use crate::names;
use equilibria::Result;
use equilibria::checkpoint::Archive;
use equilibria::run::{RunDirectory, locate_model, read_archive};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    seed: u64,
    data: Data,
    learning_rate: f32,
    weight_decay: f64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Data {
    folder: String,
    images: Option<usize>,
}

fn config() -> Config {
    let data = Data { folder: "a \"b\"\n# c".to_string(), images: None };
    Config { seed: 1 << 62, data, learning_rate: 0.1, weight_decay: 0.1 + 0.2 }
}

fn archive(epoch: &str) -> Archive {
    let mut archive = Archive::new();
    archive.insert_f32("weight", &[1, 2], &[0.5, -0.5]).unwrap();
    archive.set_metadata("epoch", epoch);
    archive
}

/// A finished run with all its files.
fn finished(path: &Path) {
    let run = RunDirectory::create(path, false).unwrap();
    run.write_config(&config(), &[]).unwrap();
    run.write_checkpoint(&archive("2")).unwrap();
    run.write_model(&archive("3")).unwrap();
    run.write_summary(&[1, 2]).unwrap();
    fs::write(run.metrics_path(), "epoch\n").unwrap();
}

fn refusal(result: Result<RunDirectory>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn written_files_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs/a");
    finished(&path);
    let run = RunDirectory::open(&path).unwrap();
    assert_eq!(run.read_config::<Config>().unwrap(), config());
    assert_eq!(run.read_checkpoint().unwrap().metadata("epoch"), Some("2"));
    assert_eq!(read_archive(&locate_model(&path).unwrap()).unwrap().metadata("epoch"), Some("3"));
    assert_eq!(fs::read_to_string(path.join("summary.json")).unwrap(), "[\n  1,\n  2\n]\n");
    assert_eq!(run.path(), path);
}

#[test]
fn the_configuration_names_the_versions_that_wrote_it() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDirectory::create(&folder.path().join("a"), false).unwrap();
    run.write_config(&config(), &[("rustc", "1.95.0")]).unwrap();
    let text = fs::read_to_string(run.path().join("config.toml")).unwrap();
    assert!(text.starts_with("# The whole effective configuration of this run"), "{text}");
    assert!(text.contains("\nlearning_rate = 0.1\n"), "{text}");
    let versions =
        format!("[versions]\nequilibria = \"{}\"\nrustc = \"1.95.0\"\n", env!("CARGO_PKG_VERSION"));
    assert!(text.ends_with(&versions), "{text}");
}

#[test]
fn a_configuration_that_could_not_be_read_again_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDirectory::create(&folder.path().join("a"), false).unwrap();
    let own_versions = BTreeMap::from([("versions", BTreeMap::from([("a", 1)]))]);
    assert!(run.write_config(&own_versions, &[]).is_err());
    assert!(run.write_config(&1, &[]).is_err());
    assert!(run.write_config(&Config { seed: u64::MAX, ..config() }, &[]).is_err());
    assert_eq!(names(run.path()), [".lock"]);
}

#[test]
fn a_damaged_configuration_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    finished(&path);
    let run = RunDirectory::open(&path).unwrap();
    fs::write(path.join("config.toml"), "seed = 1\nseed = 2\n").unwrap();
    let error = run.read_config::<Config>().unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: at byte 9: ", path.join("config.toml").display())), "{error}");
    fs::write(path.join("config.toml"), "seed = 1\n").unwrap();
    let error = run.read_config::<Config>().unwrap_err().to_string();
    assert!(error.contains("missing field `data`"), "{error}");
}

#[test]
fn an_earlier_run_is_replaced_only_with_force() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    finished(&path);
    fs::write(path.join("notes.txt"), "mine").unwrap();
    fs::write(path.join(".model.safetensors.tmp"), "left by a kill").unwrap();
    let expected = format!("{}: exists already; --force replaces it, --resume continues it", path.display());
    assert_eq!(refusal(RunDirectory::create(&path, false)), expected);
    assert_eq!(names(&path).len(), 8);
    drop(RunDirectory::create(&path, true).unwrap());
    assert_eq!(names(&path), [".lock", "notes.txt"]);
}

#[test]
fn a_folder_that_is_not_a_run_directory_is_never_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("thesis.tex"), "years").unwrap();
    // Even if it has a file with the name of a run's file.
    fs::write(path.join("summary.json"), "{}").unwrap();
    for force in [false, true] {
        let text = refusal(RunDirectory::create(&path, force));
        assert!(text.contains("is not a run directory (it holds thesis.tex and no config.toml)"), "{text}");
    }
    assert_eq!(names(&path), ["summary.json", "thesis.tex"]);
    let text = refusal(RunDirectory::create(&path.join("thesis.tex"), true));
    assert!(text.ends_with("is a file; a run needs a folder"), "{text}");
}

#[test]
fn an_empty_folder_and_that_of_a_run_killed_at_its_start_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    RunDirectory::create(folder.path(), false).unwrap();
    assert_eq!(names(folder.path()), [".lock"]);
    RunDirectory::create(folder.path(), false).unwrap();
}

#[test]
fn a_run_in_use_is_refused_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let run = RunDirectory::create(&path, false).unwrap();
    run.write_config(&config(), &[]).unwrap();
    run.write_checkpoint(&archive("1")).unwrap();
    for second in [RunDirectory::create(&path, true), RunDirectory::open(&path)] {
        let text = refusal(second);
        assert!(text.contains("is in use by another process"), "{text}");
    }
    assert_eq!(run.read_checkpoint().unwrap().metadata("epoch"), Some("1"));
    drop(run);
    RunDirectory::open(&path).unwrap();
}

#[test]
fn opening_says_what_is_missing_and_clears_what_a_kill_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let text = refusal(RunDirectory::open(&path));
    assert!(text.starts_with(&format!("config.toml not found in {}; ", path.display())), "{text}");
    assert!(!path.exists());
    let run = RunDirectory::create(&path, false).unwrap();
    run.write_config(&config(), &[]).unwrap();
    drop(run);
    let text = refusal(RunDirectory::open(&path));
    assert!(text.starts_with("checkpoint.safetensors not found in "), "{text}");
    fs::write(path.join("checkpoint.safetensors"), "x").unwrap();
    fs::write(path.join(".checkpoint.safetensors.tmp"), "half").unwrap();
    let run = RunDirectory::open(&path).unwrap();
    assert_eq!(names(&path), [".lock", "checkpoint.safetensors", "config.toml"]);
    let text = run.read_checkpoint().unwrap_err().to_string();
    assert!(
        text.contains("checkpoint.safetensors: at byte 0: this is text; a safetensors file is needed"),
        "{text}"
    );
}

#[test]
fn a_model_is_a_file_or_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    finished(&path);
    let file = path.join("model.safetensors");
    assert_eq!(locate_model(&path).unwrap(), file);
    assert_eq!(locate_model(&file).unwrap(), file);
    assert_eq!(read_archive(&file).unwrap().metadata("epoch"), Some("3"));
    let missing = |path: &Path| locate_model(path).unwrap_err().to_string();
    // A run with a model keeps its summary; a diverged run without a model loses it.
    let run = RunDirectory::open(&path).unwrap();
    run.forget_divergence().unwrap();
    assert!(path.join("summary.json").is_file());
    fs::remove_file(&file).unwrap();
    assert!(missing(&path).contains("summary.json says why the run left none"));
    run.forget_divergence().unwrap();
    run.forget_divergence().unwrap();
    assert!(missing(&path).ends_with("the run has not ended yet; continue it with --resume"));
    assert!(missing(folder.path()).starts_with("model.safetensors not found in "));
    assert!(missing(&folder.path().join("b")).starts_with("model not found in "));
}
