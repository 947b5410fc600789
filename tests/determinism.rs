//! Does a seed determine every bit of a run, for every number of threads, any interruptions and any load of the
//! computer?

#![cfg(feature = "cli")]

#[path = "determinism/commands.rs"]
mod commands;

use equilibria::boltzmann::Dbm;
use equilibria::boltzmann::learning::deep::{DeepLearner, DeepLearnerState, Sparsity};
use equilibria::boltzmann::learning::{NegativePhase, Rates};
use equilibria::data::{Binarisation, Dataset};
use equilibria::rng::Stream;
use equilibria::run::rbm::{Settings, Summary};
use equilibria::run::{Progress, ProgressKind, RunDirectory, resume, train};
use equilibria::{Error, Result};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// 203 images give four mini-batches of 60, the last with 23 images.
const IMAGES: usize = 203;
const BATCHES: usize = 4;

fn digits() -> Dataset {
    Dataset::synthetic(IMAGES, 40).unwrap()
}

fn settings(method: NegativePhase, binarise: Binarisation) -> Settings {
    Settings {
        binarise,
        method,
        hidden: 70,
        epochs: 3,
        batch: 60,
        steps: 2,
        momentum: "0.5:0.9@2".parse().unwrap(),
        ..Settings::default()
    }
}

/// The kinds of training: all methods, all kinds of binarisation, plain and centred.
fn kinds() -> Vec<Settings> {
    use Binarisation::{Grey, Sampled, Threshold};
    use NegativePhase::{Contrastive, Persistent, Tempered};
    let plain =
        [(Contrastive, Threshold), (Persistent, Sampled), (Persistent, Threshold), (Contrastive, Grey)]
            .map(|(method, binarise)| settings(method, binarise));
    let centred = [(Contrastive, Grey), (Persistent, Threshold)]
        .map(|(method, binarise)| Settings { centred: true, ..settings(method, binarise) });
    let tempered = settings(Tempered { temperatures: 3 }, Threshold);
    plain.into_iter().chain(centred).chain([tempered]).collect()
}

/// A stop condition that becomes true when it is checked after `checks` other checks.
fn stop_after(checks: usize) -> impl Fn() -> bool + Sync {
    let asked = AtomicUsize::new(0);
    move || asked.fetch_add(1, Ordering::Relaxed) == checks
}

fn quiet() -> Progress {
    Progress::new(ProgressKind::Quiet)
}

fn begin(
    path: &Path,
    settings: &Settings,
    digits: &Dataset,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Summary> {
    let directory = RunDirectory::create(path, true)?;
    train(&directory, settings, digits, &mut quiet(), stop).map(|outcome| outcome.1)
}

fn resume_run(path: &Path, digits: &Dataset, stop: &(dyn Fn() -> bool + Sync)) -> Result<Summary> {
    resume::<Settings>(&RunDirectory::open(path)?, digits, &mut quiet(), stop).map(|outcome| outcome.1)
}

#[track_caller]
fn assert_interrupted(result: Result<Summary>) {
    assert!(matches!(result, Err(Error::Interrupted { .. })), "{result:?}");
}

/// Everything that a run writes, except the seconds: model, tensors of the checkpoint, rows of the monitors.
#[derive(PartialEq)]
struct Trace {
    model: Vec<u8>,
    checkpoint: Vec<(String, Vec<u32>)>,
    monitors: Vec<String>,
}

fn trace(path: &Path) -> Trace {
    let directory = RunDirectory::open(path).unwrap();
    let checkpoint = directory.read_checkpoint().unwrap();
    let bits = |name: &str| {
        let values = checkpoint.tensor_f32(name, checkpoint.shape(name).unwrap()).unwrap();
        values.iter().map(|value| value.to_bits()).collect()
    };
    let metrics = fs::read_to_string(directory.metrics_path()).unwrap();
    Trace {
        model: fs::read(path.join("model.safetensors")).unwrap(),
        checkpoint: checkpoint.names().map(|name| (name.to_owned(), bits(name))).collect(),
        monitors: metrics.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect(),
    }
}

#[track_caller]
fn assert_same(found: &Trace, expected: &Trace, what: &str) {
    assert_eq!(found.monitors, expected.monitors, "{what}");
    assert!(found.checkpoint == expected.checkpoint, "the checkpoints differ: {what}");
    assert!(found.model == expected.model, "the models differ: {what}");
}

/// The trace of an uninterrupted run.
fn whole(settings: &Settings) -> Trace {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    begin(&path, settings, &digits(), &|| false).unwrap();
    trace(&path)
}

/// A deep machine and its learner's state after some joint updates, the last one with a short mini-batch.
fn deep(hidden: &[usize], is_centred: bool) -> (Dbm<f32>, DeepLearnerState<f32>) {
    let (digits, stream) = (digits(), Stream::named(3, "chain"));
    let images = digits.train.images();
    let model = Dbm::new(&Binarisation::Threshold.mean(images), hidden, stream.substream(0)).unwrap();
    let mut learner = DeepLearner::new(model, 60, 40, 2, stream.substream(1))
        .unwrap()
        .with_sparsity(Sparsity { targets: vec![0.2; hidden.len()], cost: 0.1 })
        .unwrap()
        .with_max_norm(0.3)
        .unwrap();
    if is_centred {
        learner = learner.centred();
    }
    for (step, (binarise, rows)) in
        (2..).zip([(Binarisation::Threshold, 60), (Binarisation::Grey, 60), (Binarisation::Sampled, 23)])
    {
        let order: Vec<usize> = (0..rows).collect();
        let stream = stream.substream(step);
        binarise.fill(images, &order, stream.substream(0), learner.images_mut(rows)).unwrap();
        let rates = Rates { learning_rate: 0.05, momentum: 0.5, weight_decay: 1e-3 };
        learner.update(rates, stream.substream(1)).unwrap();
    }
    (learner.model().clone(), learner.state())
}

#[test]
fn a_deep_machine_is_bit_identical_for_every_number_of_threads() {
    for hidden in [&[300, 130][..], &[130, 70, 90]] {
        for is_centred in [false, true] {
            let with = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| deep(hidden, is_centred))
            };
            let one = with(1);
            for threads in [2, 3, 8] {
                assert!(with(threads) == one, "{threads} threads, {hidden:?}, centred {is_centred}");
            }
        }
    }
}

#[test]
fn a_run_is_bit_identical_for_every_number_of_threads() {
    for settings in kinds() {
        let settings = Settings { hidden: 300, epochs: 2, ..settings };
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| whole(&settings))
        };
        let one = with(1);
        for threads in [2, 3, 8] {
            assert_same(&with(threads), &one, &format!("{threads} threads, {settings:?}"));
        }
    }
}

#[test]
fn runs_differ_only_by_their_seed() {
    for settings in kinds() {
        let first = whole(&settings);
        assert_same(&whole(&settings), &first, "the same seed again");
        let other = whole(&Settings { seed: 2, ..settings });
        assert!(
            other.model != first.model && other.monitors != first.monitors,
            "another seed changes nothing"
        );
    }
}

/// The initial machine must depend on the seed, too: the rest of the run could hide that it does not.
#[test]
fn the_initial_machine_depends_on_the_seed() {
    let folder = tempfile::tempdir().unwrap();
    let start = |name: &str, seed| {
        let path = folder.path().join(name);
        let settings = Settings { seed, ..settings(NegativePhase::Persistent, Binarisation::Threshold) };
        assert_interrupted(begin(&path, &settings, &digits(), &stop_after(0)));
        let checkpoint = RunDirectory::open(&path).unwrap().read_checkpoint().unwrap();
        checkpoint.tensor_f32("weight", &[784, settings.hidden]).unwrap().to_vec()
    };
    let first = start("first", 1);
    assert!(start("again", 1) == first && start("other", 2) != first);
}

#[test]
fn a_run_resumed_after_any_batch_ends_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let (path, digits) = (folder.path().join("run"), digits());
    for settings in kinds() {
        let expected = whole(&settings);
        for checks in 0..settings.epochs * BATCHES {
            assert_interrupted(begin(&path, &settings, &digits, &stop_after(checks)));
            let summary = resume_run(&path, &digits, &|| false).unwrap();
            assert_eq!(summary.epochs.len(), settings.epochs);
            assert_same(&trace(&path), &expected, &format!("stopped after {checks} batches, {settings:?}"));
        }
        // Resuming a finished run changes nothing.
        resume_run(&path, &digits, &|| false).unwrap();
        assert_same(&trace(&path), &expected, "resumed at the end");
    }
}

#[test]
fn a_run_of_single_batches_ends_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let (path, digits) = (folder.path().join("run"), digits());
    for settings in kinds() {
        assert_interrupted(begin(&path, &settings, &digits, &stop_after(1)));
        for _ in 1..settings.epochs * BATCHES - 1 {
            assert_interrupted(resume_run(&path, &digits, &stop_after(1)));
        }
        resume_run(&path, &digits, &stop_after(1)).unwrap();
        assert_same(&trace(&path), &whole(&settings), &format!("{settings:?}"));
    }
}

/// Trains with the command-line program, and returns the model and the last exact pseudo-log-likelihood.
fn train_by_command(folder: &Path, arguments: &str, environment: &[(&str, &str)]) -> (Vec<u8>, f64) {
    let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_equilibria"))
        .args(
            "rbm train --images 1010 --hidden 40 --epochs 3 --batch 50 --out run --force --json -q"
                .split(' '),
        )
        .args(arguments.split_whitespace())
        .envs(environment.iter().copied())
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let likelihood = summary["epochs"][2]["pseudo_log_likelihood"].as_f64().unwrap();
    (fs::read(folder.join("run/model.safetensors")).unwrap(), likelihood)
}

#[test]
fn the_command_gives_the_same_model_for_any_threads() {
    let folder = tempfile::tempdir().unwrap();
    let one = train_by_command(folder.path(), "--threads 1", &[]);
    for threads in ["2", "5"] {
        let arguments = format!("--threads {threads}");
        assert!(train_by_command(folder.path(), &arguments, &[]) == one, "{threads} threads");
    }
    assert!(train_by_command(folder.path(), "", &[("RAYON_NUM_THREADS", "3")]) == one, "RAYON_NUM_THREADS");
}

/// SIMD levels round differently, so some sampled states differ. The learned machines are equally good.
#[test]
fn every_simd_level_learns_equally_well() {
    let folder = tempfile::tempdir().unwrap();
    let mut likelihoods = Vec::new();
    for level in equilibria_kernels::Level::available() {
        let environment = [("EQUILIBRIA_SIMD", level.name())];
        let first = train_by_command(folder.path(), "", &environment);
        assert!(train_by_command(folder.path(), "--threads 2", &environment) == first, "{}", level.name());
        likelihoods.push((level.name(), first.1));
    }
    let values = || likelihoods.iter().map(|found| found.1);
    let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    assert!(most - least < 1.0 && (-200.0..-50.0).contains(&most), "nats per image: {likelihoods:?}");
}

#[test]
fn a_model_file_contains_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let settings = settings(NegativePhase::Contrastive, Binarisation::Threshold);
    begin(&path, &settings, &digits(), &|| false).unwrap();
    let archive = equilibria::run::read_archive(&path.join("model.safetensors")).unwrap();
    let configuration = archive.metadata("configuration").expect("the model has its configuration");
    assert_eq!(toml_value(configuration, "hidden"), settings.hidden.to_string());
    assert_eq!(toml_value(configuration, "seed"), settings.seed.to_string());
}

/// The text after `key = ` in `text`.
fn toml_value<'a>(text: &'a str, key: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix("= ")).unwrap_or("missing")
}
