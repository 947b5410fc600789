//! Do runs write, read and evaluate what they say?

#![cfg(feature = "cli")]

#[path = "runs/directory.rs"]
mod directory;
#[cfg(unix)]
#[path = "runs/interrupt.rs"]
mod interrupt;
#[path = "runs/metrics.rs"]
mod metrics;

use clap::Command;
use equilibria::boltzmann::Rbm;
use equilibria::boltzmann::likelihood::log_likelihood;
use equilibria::data::{Binarisation, Dataset, Reading};
use equilibria::rng::Stream;
use equilibria::run::rbm::{LogPartition, Method, Settings, binary_images, evaluate};
use equilibria::run::{Progress, ProgressKind, RunSettings, classifier, dbm, gan, rbm, write_atomically};
use std::fs;
use std::path::Path;

/// The names of the files in `folder`, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn new_content_replaces_old_and_leaves_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    write_atomically(&path, b"a longer first version").unwrap();
    write_atomically(&path, b"second").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"second");
    assert_eq!(names(folder.path()), ["checkpoint.safetensors"]);
}

#[test]
fn errors_name_the_file_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/model.safetensors");
    let text = write_atomically(&path, b"x").unwrap_err().to_string();
    assert!(text.starts_with(&format!("writing {}: ", path.display())), "{text}");

    // A folder is in the way of the rename.
    let path = folder.path().join("model.safetensors");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("inside"), b"x").unwrap();
    let text = write_atomically(&path, b"x").unwrap_err().to_string();
    assert!(text.starts_with(&format!("writing {}: ", path.display())), "{text}");
    assert_eq!(names(folder.path()), ["model.safetensors"]);
    assert!(write_atomically(Path::new("/"), b"x").is_err());
}

/// The keys of `config.toml` with these settings, and the options of the command line.
fn keys_and_options<S: RunSettings>(settings: &S) -> [Vec<String>; 2] {
    let toml::Value::Table(table) = toml::Value::try_from(settings).unwrap() else { panic!("a table") };
    let command = S::augment_args(Command::new("settings"));
    // The options of reading images are a table of their own.
    let keys = table.iter().flat_map(|(key, value)| match value {
        toml::Value::Table(inner) if key == "reading" => inner.keys().cloned().collect(),
        _ => vec![key.clone()],
    });
    [keys.collect(), command.get_arguments().map(|option| option.get_id().to_string()).collect()].map(
        |mut names: Vec<String>| {
            names.sort();
            names
        },
    )
}

#[test]
fn every_setting_is_an_option_and_a_key_of_the_configuration() {
    let images = Some(100);
    let reading = || Reading {
        shape: Some("4x4".parse().unwrap()),
        transpose: true,
        range: Some("0..1".parse().unwrap()),
        grey: true,
        test_share: Some(0.5),
        strict: true,
    };
    let [keys, options] =
        keys_and_options(&rbm::Settings { images, reading: reading(), ..Default::default() });
    assert_eq!(keys, options);
    let (sparsity, max_norm) = (vec![0.1, 0.2], Some(3.0));
    let [keys, options] = keys_and_options(&dbm::Settings {
        images,
        sparsity,
        max_norm,
        reading: reading(),
        ..Default::default()
    });
    assert_eq!(keys, options);
    let [keys, options] =
        keys_and_options(&classifier::Settings { reading: reading(), ..Default::default() });
    assert_eq!(keys, options);
    let standard = gan::Settings::of(gan::ObjectiveName::Standard);
    let [keys, options] = keys_and_options(&gan::Settings {
        images,
        reading: reading(),
        class: Some("cat".into()),
        average: Some(0.9),
        duality_gap: Some(5),
        r1: Some(1.0),
        r2: Some(1.0),
        penalty_every: Some(4),
        augment: vec![gan::Change::Cutout],
        ..standard
    });
    // The networks have several options.
    assert_eq!(keys.into_iter().filter(|key| key != "networks").collect::<Vec<_>>(), options);
}

#[test]
fn all_images_are_evaluated_and_binarised_as_in_training() {
    // More than a block of 1000 training images.
    let digits = Dataset::synthetic(1150, 70).unwrap();
    for binarise in [Binarisation::Sampled, Binarisation::Threshold, Binarisation::Grey] {
        let settings = Settings { binarise, seed: 5, ..Settings::default() };
        let mean = binarise.mean(digits.train.images());
        let model = Rbm::new(&mean, 4, Stream::named(1, "init")).unwrap();
        let mut progress = Progress::new(ProgressKind::Quiet);
        let found =
            evaluate(&model, &settings, &digits, &Method::Exact, 1, &mut progress, &|| false).unwrap();
        let LogPartition::Exact { exact } = found.log_partition else { panic!("{found:?}") };
        for (set, seed, found) in
            [(&digits.train, 5, found.log_likelihood.train), (&digits.test, 6, found.log_likelihood.test)]
        {
            let images = binary_images(set.images(), usize::MAX, binarise, seed).unwrap();
            let right = log_likelihood(&model, &images, exact);
            assert!((found.exact.unwrap() - right).abs() < 1e-9, "{found:?}, not {right}");
        }
    }
}
