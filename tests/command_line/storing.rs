//! Are machines stored in 16 bits without a trace of where they were trained, and looked at as before?

use super::{Outcome, equilibria, snapshot, trained};
use equilibria::checkpoint::Archive;
use serde_json::Value;
use std::fs;
use std::path::Path;

const DEEP: &str = "dbm train --images 200 --hidden 20-10 --batch 20 --epochs 2 --out deep -q";

fn archive(path: &Path) -> Archive {
    Archive::from_bytes(&fs::read(path).unwrap(), "stored").unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

/// MODEL and the number of its parameters, of either kind.
const MODELS: [(&str, &str, usize); 2] =
    [("rbm", "run", 784 * 8 + 784 + 8), ("dbm", "deep", 784 * 20 + 20 * 10 + 784 + 20 + 10)];

#[test]
fn a_stored_machine_is_half_as_large_and_says_as_much() {
    let folder = trained();
    let at = |name: &str| folder.path().join(name);
    equilibria(folder.path(), DEEP).succeeded();
    for (kind, model, parameters) in MODELS {
        let run = |words: &str| equilibria(folder.path(), &format!("{kind} {words}")).succeeded();
        let found = run(&format!("store {model} --out new/{kind}.st --json")).json();
        let bytes = fs::read(at(&format!("new/{kind}.st"))).unwrap();
        assert_eq!((&found["bytes"], &found["bits"]), (&bytes.len().into(), &16.into()), "{found}");
        assert_eq!(found["parameters"], parameters);
        let stored = archive(&at(&format!("new/{kind}.st")));
        let original = archive(&at(&format!("{model}/model.safetensors")));
        let mut largest_change = 0.0_f64;
        for name in original.names() {
            let shape = original.shape(name).unwrap();
            let values = |archive: &Archive| archive.tensor_f32(name, shape).unwrap().to_vec();
            for (before, after) in values(&original).into_iter().zip(values(&stored)) {
                let change = f64::from((before - after).abs());
                assert!(
                    change <= (f64::from(before.abs()) / 2048.0).max(1.0 / 33_554_432.0),
                    "{before}: {after}"
                );
                largest_change = largest_change.max(change);
            }
        }
        assert!(largest_change > 0.0 && number(&found["largest_change"]) == largest_change, "{found}");
        assert_eq!(stored.names().count(), original.names().count());
        // And how it was trained, as the run's own model has it.
        for key in ["model", "configuration"] {
            assert_eq!(stored.required_metadata(key).unwrap(), original.metadata(key).unwrap(), "{key}");
        }

        let said =
            run(&format!("store {model}/checkpoint.safetensors --out new/{kind}-full.st --full")).stdout;
        assert!(said.contains(" of 32 bits, changed by at most 0e0; wrote new/"), "{said}");
        let model = fs::read(at(&format!("{model}/model.safetensors"))).unwrap();
        assert!(fs::read(at(&format!("new/{kind}-full.st"))).unwrap() == model, "{kind}");
        // What is stored is stored again as it is.
        run(&format!("store new/{kind}.st --out new/{kind}-again.st"));
        assert!(fs::read(at(&format!("new/{kind}-again.st"))).unwrap() == bytes, "{kind}");
    }
}

#[test]
fn every_command_takes_a_stored_machine() {
    let folder = trained();
    equilibria(folder.path(), DEEP).succeeded();
    for (kind, model, _) in MODELS {
        let run = |words: &str| {
            let outcome = equilibria(folder.path(), &format!("{kind} {words}")).succeeded();
            assert_eq!(outcome.stderr, "", "{words}");
            outcome.json()
        };
        run(&format!("store {model} --out {kind}.st --json"));
        let value = |found: &Value| match kind {
            "rbm" => number(&found["log_likelihood"]["test"]["exact"]),
            _ => number(&found["lower_bound"]["test"]),
        };
        let [before, after] =
            [model, &format!("{kind}.st")].map(|model| value(&run(&format!("evaluate {model} --json -q"))));
        assert!(before != after && (before - after).abs() < 0.05, "{kind}: {before}, {after}");
        run(&format!("sample {kind}.st --steps 1,3 --json -q"));
        run(&format!("filters {kind}.st --count 3 --json"));
        run(&format!("reconstruct {kind}.st --images 5 --json -q"));
    }
    equilibria(folder.path(), "rbm mixing rbm.st run --images 10 --steps 20 --out mixing -q").succeeded();
}

/// Neither the folder of the images nor any above it.
#[test]
fn a_stored_machine_does_not_say_where_its_images_lay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    super::write_digits(&path.join("private/digits"), 4, 30, 5);
    let train = "--data private/digits --batch 5 --epochs 1 -q";
    equilibria(path, &format!("rbm train {train} --hidden 3 --out run")).succeeded();
    equilibria(path, &format!("dbm train {train} --hidden 3-2 --out deep")).succeeded();
    for (kind, model) in [("rbm", "run"), ("dbm", "deep")] {
        let command = |words: &str| equilibria(path, &format!("{kind} {words}")).succeeded();
        assert!(fs::read_to_string(path.join(model).join("config.toml")).unwrap().contains("private"));
        // Of a model, and of a checkpoint, which leaves that to the run.
        for file in ["model", "checkpoint"] {
            let out = format!("{kind}-{file}.st");
            command(&format!("store {model}/{file}.safetensors --out {out}"));
            let bytes = fs::read(path.join(&out)).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("private") && text.contains(r#"data = \"digits\""#), "{out}: {text}");
        }
        let stored = format!("{kind}-model.st");
        // Their name is looked for here, and the machine is of their size.
        let outcome = equilibria(path, &format!("{kind} evaluate {stored} -q"));
        assert!(outcome.status == Some(2) && outcome.stderr.contains("expected shape (16)"), "{outcome:?}");
        let note = "note: the machine learned from `digits`, which is not here; built-in digits stand in for it \
                    unless --data says where it is\n";
        assert!(outcome.stderr.starts_with(note), "{outcome:?}");
        let outcome =
            equilibria(&path.join("private"), &format!("{kind} evaluate ../{stored} --json -q")).succeeded();
        assert_eq!(outcome.stderr, "");
        assert_eq!(outcome.json()["data"], "digits");
        assert!(outcome.json().get("trained_on").is_none(), "{}", outcome.stdout);
    }
}

/// Arguments, and words of the sentence that they should get.
const BAD: &[(&str, &str)] = &[
    ("rbm store", "not provided: --out <FILE>; <MODEL>; see `equilibria rbm store --help`"),
    ("rbm store run", "not provided: --out <FILE>; see `equilibria rbm store --help`"),
    ("rbm store nowhere --out new.st", "a model not found in nowhere"),
    ("rbm store run --out loose/digits.st", "loose/digits.st: exists already; --force replaces it"),
    ("rbm store run --out loose", "loose: is a folder; give the file to write"),
    ("rbm store run --out loose --force", "loose: is a folder; give the file to write"),
    (
        "rbm store deep --out new.st",
        "this is a model of kind 'dbm'; a restricted Boltzmann machine is needed",
    ),
    ("dbm store run --out new.st", "this is a model of kind 'rbm'; a deep Boltzmann machine is needed"),
    ("dbm store large.st --out new.st", "tensor `bias_0`: 65520 is beyond 65504, the largest 16-bit float"),
    ("dbm filters broken.st", "broken.st: at byte 8: 'weight_2' has 7 units below, but layer 1 has 3"),
    ("rbm filters broken.st", "broken.st: at byte 8: this is a model of kind 'dbm'"),
];

/// A deep machine's archive of these tensors, all zero but the first number.
fn deep_archive(shapes: &[(&str, &[usize])], first: f32) -> Vec<u8> {
    let mut archive = Archive::new();
    archive.set_metadata("model", "dbm");
    for (name, shape) in shapes {
        let mut values = vec![0.0; shape.iter().product()];
        values[0] = first;
        archive.insert_f32(name, shape, &values).unwrap();
    }
    archive.to_bytes().unwrap()
}

#[test]
fn bad_input_gets_one_sentence_and_changes_nothing() {
    let folder = trained();
    let path = folder.path();
    equilibria(path, DEEP).succeeded();
    let biases: [(&str, &[usize]); 3] = [("bias_0", &[4]), ("bias_1", &[3]), ("bias_2", &[2])];
    let with = |weights: [(&'static str, &'static [usize]); 2]| [&biases[..], &weights].concat();
    let broken = deep_archive(&with([("weight_1", &[4, 3]), ("weight_2", &[7, 2])]), 0.5);
    fs::write(path.join("broken.st"), broken).unwrap();
    let large = deep_archive(&with([("weight_1", &[4, 3]), ("weight_2", &[3, 2])]), 65520.0);
    fs::write(path.join("large.st"), large).unwrap();
    let before = snapshot(path);
    for (arguments, words) in BAD {
        let Outcome { status, stdout, stderr } = equilibria(path, arguments);
        assert_eq!((status, stdout.as_str()), (Some(2), ""), "`{arguments}`: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.lines().count() == 1, "`{arguments}`: {stderr}");
        assert!(stderr.contains(words), "`{arguments}`: {stderr}");
        assert!(snapshot(path) == before, "`{arguments}` changed something");
    }
    let forced = equilibria(path, "rbm store run --out loose/digits.st --force").succeeded();
    assert!(forced.stdout.ends_with("wrote loose/digits.st (0.0 MB)\n"), "{forced:?}");
}
