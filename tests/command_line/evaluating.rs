//! Does `rbm evaluate` say the same in its table, its file and as JSON, by each method and however many threads?

use super::{equilibria, trained};
use equilibria::Tensor;
use equilibria::boltzmann::Rbm;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Few chains and steps.
const BRIEF: &str = "--annealed --chains 20 --images 15 --image-chains 2 --schedule 0.5/0.05,1/0.005";

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

fn summary(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Checks the fields that are common to all evaluations of the model of [`trained`].
#[track_caller]
fn check_common(summary: &Value) {
    for (key, value) in [("visible", 784), ("hidden", 8), ("train_images", 200), ("test_images", 2000)] {
        assert_eq!(summary[key], value, "{key}");
    }
    assert!((-400.0..-50.0).contains(&number(&summary["pseudo_log_likelihood"])), "{summary}");
    assert!(summary.get("warning").is_none(), "{summary}");
}

#[test]
fn a_small_layer_is_enumerated() {
    let folder = trained();
    let outcome = equilibria(folder.path(), "rbm evaluate run --quiet").succeeded();
    assert_eq!(outcome.stderr, "");
    let found = summary(&folder.path().join("run/evaluation/summary.json"));
    check_common(&found);
    assert_eq!(found["log_partition"].as_object().unwrap().len(), 1);
    let log_partition = number(&found["log_partition"]["exact"]);
    for set in ["train", "test"] {
        assert_eq!(found["log_likelihood"][set].as_object().unwrap().len(), 1, "{set}");
        let likelihood = number(&found["log_likelihood"][set]["exact"]);
        // Below the pseudo-log-likelihood, as a rule, and of a machine that has learned something.
        assert!((-400.0..-100.0).contains(&likelihood), "{set}: {likelihood}");
        assert!(outcome.stdout.contains(&format!("{likelihood:.2}")), "{}", outcome.stdout);
    }
    for words in [format!("ln Z, exact{log_partition:>31.2}"), "wrote run/evaluation/summary.json".into()] {
        assert!(outcome.stdout.contains(&words), "{words}: {}", outcome.stdout);
    }
    // The training run's own summary is still there.
    assert!(summary(&folder.path().join("run/summary.json"))["epochs"].is_array());
    // And as JSON, by name, from a file alone, whose metadata say what it was trained on.
    let named = equilibria(folder.path(), "rbm evaluate loose/digits.st --exact --json -q").succeeded();
    assert_eq!(named.stderr, "");
    assert_eq!(named.json()["log_partition"], found["log_partition"]);
    assert_eq!(named.json()["train_images"], 200);
    assert_eq!(named.json(), summary(&folder.path().join("loose/evaluation/summary.json")));
}

fn annealed(folder: &TempDir, arguments: &str) -> Value {
    let outcome =
        equilibria(folder.path(), &format!("rbm evaluate run {BRIEF} --json -q {arguments}")).succeeded();
    assert_eq!(outcome.stderr, "");
    outcome.json()
}

#[test]
fn annealing_agrees_with_enumeration() {
    let folder = trained();
    let exact = equilibria(folder.path(), "rbm evaluate run --json -q").succeeded().json();
    let found = annealed(&folder, "--out one/two");
    assert_eq!(found, summary(&folder.path().join("one/two/summary.json")));
    check_common(&found);
    let log_partition = &found["log_partition"];
    let right = number(&exact["log_partition"]["exact"]);
    let error = number(&log_partition["standard_error"]);
    let forward = number(&log_partition["forward"]);
    assert!((forward - right).abs() < 4.0 * error && error < 0.5, "{log_partition}, not {right}");
    let interval: Vec<f64> = log_partition["interval"].as_array().unwrap().iter().map(number).collect();
    assert!(interval[0] < forward && forward < interval[1], "{log_partition}");
    assert!((1.0..=20.0).contains(&number(&log_partition["effective_samples"])), "{log_partition}");
    assert_eq!((&log_partition["chains"], &log_partition["reverse_images"]), (&20.into(), &15.into()));
    let reverse = number(&log_partition["reverse"]);
    let reverse_error = number(&log_partition["reverse_standard_error"]);
    assert!((-4.0 * reverse_error..1.0).contains(&(reverse - right)), "{log_partition}, not {right}");
    // Each estimate of the likelihood is the exact one, off by its ln Z.
    for set in ["train", "test"] {
        let exact = number(&exact["log_likelihood"][set]["exact"]);
        for (name, log_partition) in [("forward", forward), ("reverse", reverse)] {
            let likelihood = number(&found["log_likelihood"][set][name]);
            assert!(
                (likelihood - exact - (right - log_partition)).abs() < 1e-9,
                "{set} {name}: {likelihood}"
            );
        }
    }
}

#[test]
fn an_estimate_depends_on_the_seed_and_not_on_threads() {
    let folder = trained();
    let one = annealed(&folder, "--threads 1");
    for threads in [2, 3] {
        assert_eq!(annealed(&folder, &format!("--threads {threads} --out {threads}.json")), one);
        assert_eq!(summary(&folder.path().join(format!("{threads}.json"))), one);
    }
    let other = annealed(&folder, "--seed 2");
    assert_eq!(other["pseudo_log_likelihood"], one["pseudo_log_likelihood"]);
    for key in ["forward", "reverse"] {
        assert_ne!(other["log_partition"][key], one["log_partition"][key], "{key}");
    }
}

#[test]
fn a_table_shows_both_estimates_and_a_warning_where_they_disagree() {
    let folder = trained();
    let outcome = equilibria(folder.path(), &format!("rbm evaluate run -q {BRIEF}")).succeeded();
    let found = summary(&folder.path().join("run/evaluation/summary.json"));
    let (forward, reverse) = (&found["log_partition"]["forward"], &found["log_partition"]["reverse"]);
    let row =
        |name: &str, x: &Value, y: &Value| format!("{name:<32}{:>10.2}{:>10.2}\n", number(x), number(y));
    let train = &found["log_likelihood"]["train"];
    for words in [
        row("ln Z", forward, reverse),
        row("log-likelihood, training images", &train["forward"], &train["reverse"]),
        "effective sample size".into(),
        "+ 3 sigma".into(),
    ] {
        assert!(outcome.stdout.contains(&words), "{words}: {}", outcome.stdout);
    }
    // A machine of images all on or all off: from digits, in one step, no chain gets there.
    let (weight, bias) = (Tensor::filled(&[784, 30], 0.1), Tensor::filled(&[784], -1.5));
    let torn = Rbm::<f32>::from_parameters(weight, bias, Tensor::filled(&[30], -20.0)).unwrap();
    let bytes = torn.to_archive().unwrap().to_bytes().unwrap();
    fs::write(folder.path().join("run/model.safetensors"), bytes).unwrap();
    let outcome = equilibria(folder.path(), "rbm evaluate run -q --schedule 1/1 --chains 20").succeeded();
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    assert!(
        outcome.stderr.starts_with("warning: the forward and the reverse estimate differ by"),
        "{outcome:?}"
    );
    let found = summary(&folder.path().join("run/evaluation-2/summary.json"));
    assert_eq!(format!("warning: {}\n", found["warning"].as_str().unwrap()), outcome.stderr);
}

#[test]
fn a_layer_that_is_too_large_is_estimated_and_not_enumerated() {
    let folder = tempfile::tempdir().unwrap();
    let train = "rbm train --images 200 --hidden 26 --epochs 1 --out run -q";
    equilibria(folder.path(), train).succeeded();
    let outcome = equilibria(folder.path(), "rbm evaluate run --exact");
    assert_eq!((outcome.is_refused(), outcome.stdout.as_str()), (true, ""));
    let words = "error: --exact: the smaller layer has 26 units, of at most 25; use --annealed\n";
    assert_eq!(outcome.stderr, words);
    let brief = BRIEF.strip_prefix("--annealed").unwrap();
    let found = equilibria(folder.path(), &format!("rbm evaluate run --json -q {brief}")).succeeded().json();
    assert!(found["log_partition"]["forward"].is_f64(), "{found}");
}

#[test]
fn published_machines_are_trained_and_a_second_run_goes_on() {
    let folder = TempDir::new().unwrap();
    let command = "rbm reproduce-literature normal-16-inverted centred-16-inverted centred-16 --data synthetic \
                   --images 300 --epochs 2 --out all --quiet";
    let outcome = equilibria(folder.path(), command).succeeded();
    assert_eq!(outcome.stderr, "");
    let path = folder.path().join("all/summary.json");
    let first = summary(&path);
    let machines = first["machines"].as_array().unwrap();
    assert_eq!(machines.len(), 3);
    for (machine, (name, test)) in machines.iter().zip([
        ("centred-16", -142.56),
        ("centred-16-inverted", -142.09),
        ("normal-16-inverted", -183.36),
    ]) {
        assert_eq!(machine["name"], name);
        assert_eq!(machine["published"]["test"], test);
        let found = number(&machine["evaluation"]["log_likelihood"]["test"]["exact"]);
        assert!(outcome.stdout.contains(&format!("{test:>10.2}{found:>10.2}")), "{name}: {}", outcome.stdout);
        // The run says how it was trained, to whoever evaluates it.
        let again = equilibria(folder.path(), &format!("rbm evaluate all/{name} --json -q")).succeeded();
        assert_eq!(number(&again.json()["log_likelihood"]["test"]["exact"]), found, "{name}");
        // And so does its file alone.
        let from = folder.path().join("all").join(name).join("model.safetensors");
        fs::copy(from, folder.path().join("copy.safetensors")).unwrap();
        let again = equilibria(folder.path(), "rbm evaluate copy.safetensors --json -q").succeeded();
        assert_eq!(again.stderr, "");
        assert_eq!(number(&again.json()["log_likelihood"]["test"]["exact"]), found, "{name}");
    }
    assert_eq!(first["findings"].as_array().unwrap().len(), 0, "synthetic digits prove nothing: {first}");
    let model =
        |name: &str| fs::read(folder.path().join("all").join(name).join("model.safetensors")).unwrap();
    let before = model("centred-16");
    equilibria(folder.path(), command).succeeded();
    assert_eq!((summary(&path), model("centred-16")), (first, before));
    // Other settings are in the way of nothing but themselves.
    let other = equilibria(folder.path(), &command.replace("--epochs 2", "--epochs 1"));
    assert!(other.is_refused());
    assert!(other.stderr.contains("--force"), "{other:?}");
    equilibria(folder.path(), &command.replace("--epochs 2", "--epochs 1 --force")).succeeded();
}
