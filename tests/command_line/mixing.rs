//! Does `rbm mixing` say the same in its table, its file and as JSON, of one machine and of several, however many threads?

use super::{agreement, assert_png, assert_svg, equilibria, snapshot, trained};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Few chains and steps.
const BRIEF: &str = "--images 20 --steps 30";
const FILES: [&str; 6] =
    ["samples.png", "overlap.svg", "free-energy.svg", "digits.svg", "classes.svg", "summary.json"];

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

fn summary(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("summary.json")).unwrap()).unwrap()
}

#[track_caller]
fn check_files(folder: &Path) {
    let mut found: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut expected = FILES.map(str::to_owned);
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_png(&folder.join("samples.png"));
    FILES[1..5].iter().for_each(|name| assert_svg(&folder.join(name)));
}

#[test]
fn a_machine_is_followed_from_balanced_test_images() {
    let folder = trained();
    let run = folder.path().join("run");
    let outcome = equilibria(folder.path(), &format!("rbm mixing run {BRIEF} -q")).succeeded();
    assert_eq!(outcome.stderr, "");
    check_files(&run.join("mixing"));
    let found = summary(&run.join("mixing"));
    assert_eq!((&found["out"], &found["data"]), (&"run/mixing".into(), &"synthetic".into()));
    let machine = &found["machines"][0];
    assert_eq!((&machine["name"], &machine["hidden"]), (&"run".into(), &8.into()));
    assert_eq!((found["machines"].as_array().unwrap().len(), &machine["chains"]), (1, &20.into()));
    let looks = machine["looks"].as_array().unwrap();
    let steps: Vec<u64> = looks.iter().map(|look| look["steps"].as_u64().unwrap()).collect();
    assert_eq!(steps, [0, 1, 2, 5, 10, 20, 30]);
    // Synthetic test digits take turns: the first twenty are two of each class.
    let images: Vec<usize> = (0..20).collect();
    let own = agreement(&run, &images, &[1, 2, 5, 10, 20, 30]);
    for (look, agreement) in looks[1..].iter().zip(own) {
        assert_eq!(number(&look["agreement"]), agreement, "{look}");
        assert!((-0.2..0.9).contains(&number(&look["overlap"])), "{look}");
        assert!((0.0..=1.0).contains(&number(&look["grey_pixels"])), "{look}");
    }
    let start = &looks[0];
    assert_eq!(
        (number(&start["overlap"]), number(&start["likeness"]), &start["grey_pixels"]),
        (1.0, 0.0, &Value::Null)
    );
    let entropy = number(&start["class_entropy"]);
    assert!((2.0..=10_f64.ln() + 1e-12).contains(&entropy), "{start}");
    assert!(number(&machine["nearest_accuracy"]) > 0.85, "{machine}");
    for words in [
        format!(
            "{:>10}  {:>7.2}  {:>11.1}",
            10,
            number(&looks[4]["overlap"]),
            number(&looks[4]["free_energy"])
        ),
        "20 chains from test images of synthetic".into(),
        "run, 8 hidden units".into(),
        "autocorrelation time in steps: free energy ".into(),
        "and summary.json in run/mixing\n".into(),
    ] {
        assert!(outcome.stdout.contains(&words), "{words}: {}", outcome.stdout);
    }
    // The training run's own summary is still there.
    assert!(summary(&run)["epochs"].is_array());
}

#[test]
fn machines_stand_side_by_side_whatever_the_threads() {
    let folder = trained();
    let train = "rbm train --images 200 --hidden 5 --epochs 1 --batch 20 --method cd --out cd -q";
    equilibria(folder.path(), train).succeeded();
    let go = |out: &str, rest: &str| {
        let command = format!(
            "rbm mixing run cd loose/digits.st --data synthetic {BRIEF} --json -q --out {out} {rest}"
        );
        let outcome = equilibria(folder.path(), &command).succeeded();
        assert_eq!(outcome.stderr, "");
        let found = outcome.json();
        assert_eq!(found, summary(&folder.path().join(out)));
        check_files(&folder.path().join(out));
        found["machines"].clone()
    };
    let one = go("a/one", "--threads 1");
    let names: Vec<&str> = one.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["run", "cd", "digits"]);
    // The same model from its run and from its file, and another one.
    assert_eq!(one[0]["looks"], one[2]["looks"]);
    assert_ne!(one[0]["looks"], one[1]["looks"]);
    let before = snapshot(&folder.path().join("a/one"));
    for threads in [2, 3] {
        let out = format!("b/{threads}");
        assert_eq!(go(&out, &format!("--threads {threads}")), one);
        for name in &FILES[..5] {
            let picture = fs::read(folder.path().join(&out).join(name)).unwrap();
            assert_eq!(Some(&Some(picture)), before.get(&folder.path().join("a/one").join(name)), "{name}");
        }
    }
    let other = go("c", "--seed 2");
    assert_eq!(other[0]["looks"][0], one[0]["looks"][0]);
    assert_ne!(other[0]["looks"][1], one[0]["looks"][1]);
}
