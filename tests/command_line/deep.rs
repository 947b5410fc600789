//! Does `equilibria dbm` train, resume, evaluate and draw deep machines, and say what is wrong with its input?

use super::{Outcome, assert_png, equilibria, monitors, snapshot, write_digits};
use equilibria::boltzmann::likelihood::deep;
use equilibria::boltzmann::{Dbm, Stop};
use equilibria::checkpoint::Archive;
use equilibria::data::{Binarisation, Dataset};
use equilibria::rng::Stream;
use equilibria::run::dbm::{Layers, Settings};
use equilibria::run::{Progress, ProgressKind, RunDirectory, resume, train};
use equilibria::{Error, Tensor};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

const TRAIN: &str = "dbm train --images 200 --hidden 20-10 --batch 20 --chains 15 --epochs 3 -q";

/// A finished run in `run`.
fn trained() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    equilibria(folder.path(), &format!("{TRAIN} --pretraining-epochs 1 --out run")).succeeded();
    folder
}

fn model(run: &Path) -> Dbm<f32> {
    let bytes = fs::read(run.join("model.safetensors")).unwrap();
    Dbm::from_archive(&Archive::from_bytes(&bytes, "model").unwrap()).unwrap()
}

fn summary(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_run_leaves_a_machine_that_has_learned() {
    let folder = trained();
    let run = folder.path().join("run");
    assert!(model(&run).sizes().eq([784, 20, 10]));
    let found = summary(&run.join("summary.json"));
    assert_eq!((&found["model"], &found["sizes"]), (&"dbm".into(), &serde_json::json!([784, 20, 10])));
    let epochs = found["epochs"].as_array().unwrap();
    let stages: Vec<_> = epochs.iter().map(|epoch| epoch["stage"].as_u64().unwrap()).collect();
    assert_eq!(stages, [1, 2, 0, 0, 0]);
    let error = |epoch: usize| epochs[epoch]["reconstruction_error"].as_f64().unwrap();
    assert!(error(4) < error(2) && error(2) < 0.12, "{found}");
    assert!(epochs[0]["bound_gap"].is_null() && epochs[4]["bound_gap"].is_f64(), "{found}");
    assert_eq!(monitors(&run).len(), 6);
}

/// Every way of learning, however it is set up.
#[test]
fn the_same_command_gives_the_same_bytes_at_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    for (index, options) in [
        "--plain --pretraining-epochs 1 --momentum 0.5:0.9@2 --sparsity 0.2,0.1 --max-norm 4",
        "--binarise grey --invert",
        "--binarise sampled --hidden 9-70-5 --pretraining-epochs 1",
    ]
    .into_iter()
    .enumerate()
    {
        let run = |threads: usize| {
            let out = format!("run-{index}-{threads}");
            let train = TRAIN.replace("--hidden 20-10", "");
            let hidden = if options.contains("--hidden") { "" } else { "--hidden 20-10" };
            let command = format!("{train} {hidden} {options} --threads {threads} --out {out}");
            equilibria(folder.path(), &command).succeeded();
            let run = folder.path().join(out);
            (fs::read(run.join("model.safetensors")).unwrap(), monitors(&run))
        };
        assert!(run(1) == run(2), "{options}");
    }
}

/// Stopped before given updates, each time a new process as it were.
#[test]
fn stopped_anywhere_a_run_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let digits = Dataset::synthetic(103, 20).unwrap();
    let settings = Settings {
        hidden: Layers(vec![24, 16, 9]),
        pretraining_epochs: 2,
        epochs: 3,
        batch: 10,
        chains: 7,
        binarise: Binarisation::Sampled,
        momentum: "0.5:0.9@3".parse().unwrap(),
        ..Settings::default()
    };
    let quiet = || Progress::new(ProgressKind::Quiet);
    let [run, reference] = ["run", "reference"].map(|name| folder.path().join(name));
    let directory = RunDirectory::create(&reference, false).unwrap();
    train(&directory, &settings, &digits, &mut quiet(), &|| false).unwrap();

    // 11 updates an epoch: amid each restricted machine's epochs, at their ends, and amid joint training.
    let mut is_over = false;
    for updates in [5, 17, 3, 11, 20, 25, 4, 11, 1000] {
        let done = AtomicUsize::new(0);
        let stop = || done.fetch_add(1, Ordering::Relaxed) >= updates;
        let directory = match run.exists() {
            true => RunDirectory::open(&run),
            false => RunDirectory::create(&run, false),
        };
        let directory = directory.unwrap();
        let outcome = match updates {
            5 => train(&directory, &settings, &digits, &mut quiet(), &stop),
            _ => resume::<Settings>(&directory, &digits, &mut quiet(), &stop),
        };
        match outcome {
            Err(Error::Interrupted { resume }) => {
                assert!(resume.contains("`equilibria dbm train --resume "), "{resume}");
                assert!(!run.join("model.safetensors").exists());
            }
            outcome => is_over = outcome.map(|_| true).unwrap(),
        }
    }
    assert!(is_over);
    let model = |run: &Path| fs::read(run.join("model.safetensors")).unwrap();
    assert!(model(&run) == model(&reference), "the models differ");
    assert_eq!(monitors(&run), monitors(&reference));
}

#[test]
fn divergence_names_its_place_and_keeps_the_last_good_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let train = format!("{TRAIN} --learning-rate 0.01:1e38@2 --out run");
    for command in [train.as_str(), "dbm train --resume run -q"] {
        let outcome = equilibria(folder.path(), command);
        assert_eq!((outcome.is_refused(), outcome.stdout.as_str()), (true, ""), "{outcome:?}");
        for words in
            ["diverged in epoch 2, batch ", " is no longer finite; the likely cause is --learning-rate 1e38"]
        {
            assert!(outcome.stderr.contains(words), "{outcome:?}");
        }
    }
}

#[test]
fn an_evaluation_agrees_with_enumeration() {
    let folder = trained();
    let run = folder.path().join("run");
    let outcome = equilibria(folder.path(), "dbm evaluate run").succeeded();
    let found = summary(&run.join("evaluation/summary.json"));
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{found}"));
    let model = model(&run);
    let exact = deep::log_partition(&model).unwrap();
    assert_eq!((number(&found["log_partition"]), number(&found["standard_error"])), (exact, 0.0));
    assert!(found["reverse"].is_null() && found["method"] == "exact", "{found}");
    // Both sets as training and its monitors see them.
    let digits = Dataset::load("synthetic", Some(200)).unwrap();
    let images = digits.test.images();
    let mut test = vec![0.0; images.len() * 784];
    let order: Vec<usize> = (0..images.len()).collect();
    Binarisation::Threshold.fill(images, &order, Stream::named(2, "binarise"), &mut test).unwrap();
    let (bounds, _) = deep::lower_bounds(&model, &test, Stop { tolerance: 1e-4, iterations: 100 }).unwrap();
    let right = bounds.iter().sum::<f64>() / bounds.len() as f64 - exact;
    assert!((number(&found["lower_bound"]["test"]) - right).abs() < 1e-3, "{found}, not {right}");
    assert!(outcome.stdout.contains(&format!("{right:.2}")), "{}", outcome.stdout);
    assert_eq!(found["mean_field"]["converged"], true);

    let brief = "dbm evaluate run --chains 50 --images 30 --schedule 0.5/0.01,1/0.002 --json -q";
    let estimate = equilibria(folder.path(), brief).succeeded().json();
    let (value, error) = (number(&estimate["log_partition"]), number(&estimate["standard_error"]));
    assert!((value - exact).abs() < 5.0 * error && error < 0.2, "{estimate}, not {exact}");
    let reverse = &estimate["reverse"];
    assert!((number(&reverse["log_partition"]) - exact).abs() < 0.5, "{estimate}, not {exact}");
    for (bound, log_partition) in
        [(&estimate["lower_bound"], value), (&reverse["lower_bound"], number(&reverse["log_partition"]))]
    {
        for set in ["train", "test"] {
            let difference = number(&bound[set]) - number(&found["lower_bound"][set]);
            assert!((difference - (exact - log_partition)).abs() < 1e-9, "{set}: {estimate}");
        }
    }
    assert!(estimate.get("warning").is_none(), "{estimate}");
    assert_eq!(equilibria(folder.path(), &format!("{brief} --threads 1")).succeeded().json(), estimate);
    // A machine of images all on or all off: from digits, in one step, no chain gets there.
    let filled = |shape: &[usize], value: f32| Tensor::filled(shape, value);
    let weights = vec![filled(&[784, 30], 0.1), filled(&[30, 26], 0.0)];
    let biases = vec![filled(&[784], -1.5), filled(&[30], -20.0), filled(&[26], 0.0)];
    let torn = Dbm::from_parameters(weights, biases).unwrap();
    fs::write(run.join("model.safetensors"), torn.to_archive().unwrap().to_bytes().unwrap()).unwrap();
    let hasty = "dbm evaluate run --schedule 1/1 --chains 20 --gibbs-steps 0 -q";
    let outcome = equilibria(folder.path(), hasty).succeeded();
    assert!(
        outcome.stderr.starts_with("warning: the forward and the reverse estimate differ"),
        "{outcome:?}"
    );
    let outcome = equilibria(folder.path(), "dbm evaluate run --exact");
    assert!(outcome.is_refused() && outcome.stderr.contains("use --annealed"), "{outcome:?}");
}

#[test]
fn samples_and_filters_of_all_layers_are_drawn() {
    let folder = trained();
    let sample = "dbm sample run --steps 1,10 --json -q --out";
    let from_test = equilibria(folder.path(), &format!("{sample} test.png")).succeeded().json();
    let from_noise = equilibria(folder.path(), &format!("{sample} noise.png --from noise --chains 3"));
    let agreement = |found: &Value| found["agreement_with_start"][0].as_f64().unwrap();
    assert!(agreement(&from_test) > 0.7, "{from_test}");
    assert!(agreement(&from_noise.succeeded().json()) < 0.7);
    let filters = equilibria(folder.path(), "dbm filters run --count 6 --json").succeeded().json();
    let sheets = filters["sheets"].as_array().unwrap();
    assert_eq!(sheets.len(), 3);
    for sheet in sheets {
        let norms: Vec<f64> =
            sheet["norms"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
        assert!(norms.len() == 6 && norms.is_sorted_by(|a, b| a >= b), "{sheet}");
    }
    // The projection of a unit is the sum of the first layer's filters, as it weights them.
    let model = model(&folder.path().join("run"));
    let unit = sheets[1]["units"][0].as_u64().unwrap() as usize;
    let [first, second] = [0, 1].map(|place| model.weights()[place].data());
    let pixel = |pixel: usize| (0..20).map(|j| first[pixel * 20 + j] * second[j * 10 + unit]).sum::<f32>();
    let norm = (0..784).map(|i| f64::from(pixel(i)).powi(2)).sum::<f64>().sqrt();
    assert!((norm - sheets[1]["norms"][0].as_f64().unwrap()).abs() < 1e-4 * norm, "{norm}: {}", sheets[1]);
    for name in
        ["test.png", "noise.png", "run/filters-1.png", "run/filters-2-projected.png", "run/filters-2-raw.png"]
    {
        assert_png(&folder.path().join(name));
    }
}

#[test]
fn removed_rows_are_filled_in_better_than_by_the_mean_image() {
    let folder = tempfile::tempdir().unwrap();
    let train =
        "dbm train --images 2000 --hidden 40-20 --batch 20 --epochs 6 --learning-rate 0.05 --out run -q";
    equilibria(folder.path(), train).succeeded();
    let command = "dbm reconstruct run --rows 11..15 --images 50 --json -q";
    let found = equilibria(folder.path(), command).succeeded().json();
    let error = |key: &str| found["cells"][0][key].as_f64().unwrap();
    assert!(error("mean_squared_error") < 0.8 * error("baseline_mean_squared_error"), "{found}");
    assert_png(&folder.path().join("run/reconstruction.png"));
}

/// Arguments, and words of the sentence that they should get.
const BAD: &[(&str, &str)] = &[
    ("dbm train --hidden 20", "--hidden 20: a deep machine has at least 2 hidden layers"),
    ("dbm train --hidden 20-0", "--hidden 20-0: each hidden layer needs at least 1 unit"),
    ("dbm train --hidden 20-x", "--hidden 20-x: write the units of each hidden layer"),
    ("dbm train --hidden 20,10", "--hidden 20,10: write the units of each hidden layer"),
    ("dbm train --hidden -3", "--hidden -3: write the units of each hidden layer"),
    ("dbm train --hidden 20-99999999999", "--hidden 20-99999999999: at most"),
    (
        "dbm train --images 200 --hidden 1048576-1048576-1048576-1048576-1048576-1048576",
        " --batch 100 --chains 100: training needs about ",
    ),
    ("dbm train --epochs 0", "--epochs 0: 1 to 1073741824 epochs of joint training"),
    ("dbm train --chains 0", "--chains 0: 1 to 1048576 chains"),
    ("dbm train --sweeps 0", "--sweeps 0: 1 to 1073741824 Gibbs sweeps per update"),
    ("dbm train --iterations 0", "--iterations 0: 1 to 1073741824 mean-field iterations"),
    (
        "dbm train --pretraining-epochs 18446744073709551615",
        "--pretraining-epochs 18446744073709551615: 0 to 1048576 epochs of pre-training",
    ),
    ("dbm train --pretraining-rate -1", "--pretraining-rate -1: a number of at least 0 is needed"),
    ("dbm train --tolerance nan", "--tolerance NaN: a number of at least 0 is needed"),
    ("dbm train --sparsity 0.1", "--sparsity 0.1: a target for each of the 2 hidden layers"),
    ("dbm train --sparsity 0.1,2", "--sparsity 0.1,2: a target is a mean activation from 0 to 1"),
    ("dbm train --max-norm 0", "--max-norm 0: a number above 0 is needed"),
    ("dbm train --images 50 --batch 51", "--batch 51: a mini-batch can have at most all 50"),
    ("dbm train --learning-rate -1", "--learning-rate -1: a number of at least 0 is needed"),
    ("dbm train --out run", "run: exists already; --force replaces it"),
    ("dbm train --resume nowhere", "config.toml not found in nowhere"),
    (
        "dbm train --resume shallow",
        "shallow: is a run of 'rbm'; `equilibria rbm train --resume` continues it",
    ),
    ("rbm train --resume run", "run: is a run of 'dbm'; `equilibria dbm train --resume` continues it"),
    ("dbm train --resume run --hidden 2-3", "'--resume <RUN>' cannot be used with '--hidden <HIDDEN>'"),
    ("dbm evaluate shallow", "this is a model of kind 'rbm'; a deep Boltzmann machine is needed"),
    ("rbm evaluate run", "this is a model of kind 'dbm'; a restricted Boltzmann machine is needed"),
    ("dbm evaluate nowhere", "model not found in nowhere"),
    ("dbm evaluate cut.st", "cut.st: at byte "),
    ("dbm evaluate run --exact --chains 5", "'--exact' cannot be used with '--chains <CHAINS>'"),
    ("dbm evaluate run --chains 1", "--chains 1: 2 to 100,000 chains can be annealed"),
    ("dbm evaluate run --images 2001", "--images 2001: 1 to 2,000 test images can be used"),
    ("dbm evaluate run --iterations 0", "--iterations 0: inference needs at least 1"),
    ("dbm evaluate run --data small", "expected shape (784), found (16)"),
    ("dbm sample shallow", "a deep Boltzmann machine is needed"),
    ("dbm sample run --from foo", "--from foo: write test:INDEX"),
    ("dbm sample run --steps 10,1", "write rising numbers of at least 1"),
    ("dbm reconstruct run --rows 9..2", "--rows 9..2: write FIRST..LAST"),
    ("dbm reconstruct run --images 0", "--images 0: 1 to 2,000 test images"),
    ("dbm filters run --layer 3", "--layer 3: the hidden layers are 1 to 2"),
    ("dbm filters run --count 0", "--count 0: at least 1 filter"),
];

#[test]
fn damaged_runs_are_not_continued() {
    let folder = trained();
    let damage = |file: &str, content: &[u8], words: &str| {
        let path = folder.path().join("run").join(file);
        let good = fs::read(&path).unwrap();
        fs::write(&path, content).unwrap();
        let outcome = equilibria(folder.path(), "dbm train --resume run");
        assert!(outcome.is_refused() && outcome.stderr.contains(words), "{words}: {outcome:?}");
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
        fs::write(&path, good).unwrap();
    };
    let checkpoint = fs::read(folder.path().join("run/checkpoint.safetensors")).unwrap();
    let config = fs::read_to_string(folder.path().join("run/config.toml")).unwrap();
    let changed = |from: &str, to: &str| config.replace(from, to).into_bytes();
    damage("checkpoint.safetensors", &checkpoint[..checkpoint.len() - 4], "checkpoint.safetensors: at byte ");
    let model = fs::read(folder.path().join("run/model.safetensors")).unwrap();
    damage("checkpoint.safetensors", &model, "checkpoint.safetensors: at byte 8: ");
    damage("config.toml", b"hidden = [", "config.toml: at byte ");
    damage("config.toml", &changed("20-10", "20-11"), "'weight' is not what this run can have reached");
    damage("config.toml", &changed("20-10", "20"), "--hidden 20: a deep machine has at least 2");
    damage("config.toml", &changed("20-10", "20-"), "write the units of each hidden layer");
    damage("config.toml", &changed("chains = 15", "chains = 16"), "has shape (15, 20), expected (16, 20)");
    damage(
        "config.toml",
        &changed("\nepochs = 3", "\nepochs = 2"),
        "'epoch' is not what this run can have reached",
    );
    equilibria(folder.path(), "dbm train --resume run -q").succeeded();
}

#[test]
fn bad_input_gets_one_sentence_and_changes_nothing() {
    let folder = trained();
    let path = folder.path();
    equilibria(path, "rbm train --images 200 --hidden 8 --epochs 1 --batch 20 --out shallow -q").succeeded();
    let model = fs::read(path.join("run/model.safetensors")).unwrap();
    fs::write(path.join("cut.st"), &model[..model.len() - 1]).unwrap();
    write_digits(&path.join("small"), 4, 30, 5);
    let before = snapshot(path);
    for (arguments, words) in BAD {
        let Outcome { status, stdout, stderr } = equilibria(path, arguments);
        assert!(matches!(status, Some(1 | 2)) && stdout.is_empty(), "`{arguments}`: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.lines().count() == 1, "`{arguments}`: {stderr}");
        assert!(stderr.contains(words), "`{arguments}`: {stderr}");
        assert!(snapshot(path) == before, "`{arguments}` changed something");
    }
}
