//! Are machines stored in 16 bits without the folder of their data, and do they give the same pictures? Do the commands use
//! the machine that comes with the program if no MODEL is given?

use super::{Outcome, assert_png, assert_svg, equilibria, snapshot, trained};
use equilibria::boltzmann::{Dbm, Rbm};
use equilibria::checkpoint::Archive;
use equilibria::run::pretrained;
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
        // A stored machine can be stored again, with the same bytes.
        run(&format!("store new/{kind}.st --out new/{kind}-again.st"));
        assert!(fs::read(at(&format!("new/{kind}-again.st"))).unwrap() == bytes, "{kind}");

        // In 8 bits, weights take less space, and the file is read like any other.
        let eight = run(&format!("store new/{kind}-full.st --out new/{kind}-8.st --bits 8 --json")).json();
        assert_eq!((&eight["bits"], &eight["parameters"]), (&8.into(), &parameters.into()), "{eight}");
        assert!(number(&eight["bytes"]) < number(&found["bytes"]), "{eight}");
        assert!(number(&eight["largest_change"]) > 0.0, "{eight}");
        assert_eq!(archive(&at(&format!("new/{kind}-8.st"))).names().count(), original.names().count());
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
        // Neither a stored model nor a stored checkpoint names the folder of the data.
        for file in ["model", "checkpoint"] {
            let out = format!("{kind}-{file}.st");
            command(&format!("store {model}/{file}.safetensors --out {out}"));
            let bytes = fs::read(path.join(&out)).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("private") && text.contains(r#"data = \"digits\""#), "{out}: {text}");
        }
        let stored = format!("{kind}-model.st");
        // Their name is looked for here, and the machine is of their size.
        let outcome = equilibria(path, &format!("{kind} evaluate {stored}"));
        assert!(outcome.is_refused() && outcome.stderr.contains("expected shape (16)"), "{outcome:?}");
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

#[test]
fn without_a_model_the_one_that_comes_with_the_program_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, words: &str| {
        let outcome = equilibria(folder.path(), words).succeeded();
        let note =
            format!("note: without MODEL, this is {name}, which comes with the program and learned MNIST\n");
        match words.contains("-q") {
            true => assert!(!outcome.stderr.contains("note: "), "{words}: {}", outcome.stderr),
            false => assert_eq!(outcome.stderr, note, "{words}"),
        }
        outcome.stdout
    };
    for (kind, name) in [("rbm", pretrained::RESTRICTED), ("dbm", pretrained::DEEP)] {
        let out = folder.path().join("out").join(name);
        let said = run(name, &format!("{kind} filters --count 4"));
        assert!(said.contains(&format!("; wrote out/{name}/filters")), "{said}");
        let sample = run(name, &format!("{kind} sample --from test:0,5 --steps 1 -q --json"));
        let sample: Value = serde_json::from_str(&sample).unwrap();
        // Digits that it has never seen, but knows.
        assert!(number(&sample["agreement_with_start"][0]) > 0.9, "{sample}");
        assert_png(&out.join("samples.png"));
        let filled = run(name, &format!("{kind} reconstruct --images 50 --json -q"));
        let cell = &serde_json::from_str::<Value>(&filled).unwrap()["cells"][0];
        let [error, baseline] =
            ["mean_squared_error", "baseline_mean_squared_error"].map(|key| number(&cell[key]));
        assert!(error < 0.9 * baseline, "{cell}");
        assert_png(&out.join("reconstruction.png"));
        let evaluate = format!("{kind} evaluate --chains 2 --images 2 --schedule 1/0.1 -q");
        let said = run(name, &evaluate);
        assert!(said.contains("the machine learned from other images (mnist)"), "{said}");
        let found: Value =
            serde_json::from_slice(&fs::read(out.join("evaluation/summary.json")).unwrap()).unwrap();
        assert_eq!((&found["data"], &found["trained_on"]), (&"synthetic".into(), &"mnist".into()));
        let help = equilibria(folder.path(), &format!("{kind} sample --help")).succeeded().stdout;
        assert!(help.contains("[MODEL]") && help.contains("comes with the program"), "{help}");
    }
    for name in ["filters-1.png", "filters-2-projected.png", "filters-2-raw.png"] {
        assert_png(&folder.path().join("out").join(pretrained::DEEP).join(name));
    }
    equilibria(folder.path(), "rbm reconstruct --sweep --images 2 --out map.svg -q").succeeded();
    assert_svg(&folder.path().join("map.svg"));
}

/// Arguments, and words of the sentence that they should get.
const BAD: &[(&str, &str)] = &[
    ("rbm store", "missing: --out <FILE>, <MODEL>; see `equilibria rbm store --help`"),
    ("rbm store run", "missing: --out <FILE>; see `equilibria rbm store --help`"),
    ("rbm store nowhere --out new.st", "model not found in nowhere"),
    ("rbm store run --out new.st --bits 12", "--bits 12: weights have 8, 16 or 32 bits"),
    ("rbm store run --out new.st --bits 8 --full", "cannot be used with"),
    ("rbm store run --out loose/digits.st", "loose/digits.st: exists already; --force replaces it"),
    ("rbm store run --out loose", "loose: is a folder; give the file to write"),
    ("rbm store run --out loose --force", "loose: is a folder; give the file to write"),
    (
        "rbm store deep --out new.st",
        "this is a model of kind 'dbm'; a restricted Boltzmann machine is needed",
    ),
    ("dbm store run --out new.st", "this is a model of kind 'rbm'; a deep Boltzmann machine is needed"),
    ("dbm store large.st --out new.st", "tensor `bias_0`: 65520 is beyond 65504, the largest 16-bit float"),
    ("dbm sample shipped-rbm.st", "this is a model of kind 'rbm'; a deep Boltzmann machine is needed"),
    ("rbm sample shipped-dbm.st", "this is a model of kind 'dbm'; a restricted Boltzmann machine is needed"),
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
    fs::copy(super::fixture(pretrained::RESTRICTED), path.join("shipped-rbm.st")).unwrap();
    fs::copy(super::fixture(pretrained::DEEP), path.join("shipped-dbm.st")).unwrap();
    let biases: [(&str, &[usize]); 3] = [("bias_0", &[4]), ("bias_1", &[3]), ("bias_2", &[2])];
    let with = |weights: [(&'static str, &'static [usize]); 2]| [&biases[..], &weights].concat();
    let broken = deep_archive(&with([("weight_1", &[4, 3]), ("weight_2", &[7, 2])]), 0.5);
    fs::write(path.join("broken.st"), broken).unwrap();
    let large = deep_archive(&with([("weight_1", &[4, 3]), ("weight_2", &[3, 2])]), 65520.0);
    fs::write(path.join("large.st"), large).unwrap();
    let before = snapshot(path);
    for (arguments, words) in BAD {
        let Outcome { status, stdout, stderr } = equilibria(path, arguments);
        assert!(matches!(status, Some(1 | 2)) && stdout.is_empty(), "`{arguments}`: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.lines().count() == 1, "`{arguments}`: {stderr}");
        assert!(stderr.contains(words), "`{arguments}`: {stderr}");
        assert!(snapshot(path) == before, "`{arguments}` changed something");
    }
    let forced = equilibria(path, "rbm store run --out loose/digits.st --force").succeeded();
    assert!(forced.stdout.ends_with("wrote loose/digits.st (0.0 MB)\n"), "{forced:?}");
}

/// In the length, the JSON, the metadata, the padding, the first and the last weight, and in between.
#[test]
fn a_shipped_machine_with_one_byte_changed_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, name) in [("rbm", pretrained::RESTRICTED), ("dbm", pretrained::DEEP)] {
        let right = fs::read(super::fixture(name)).unwrap();
        let length = u64::from_le_bytes(*right.first_chunk().unwrap()) as usize;
        let header = str::from_utf8(&right[8..8 + length]).unwrap();
        let find = |words: &str| 8 + header.find(words).unwrap_or_else(|| panic!("{words}"));
        let data = 8 + length;
        let step = (right.len() - data) / 12;
        let places =
            [0, 3, 8, find("mnist"), find("centred") + 10, find("crc32") + 8, find("F16"), find("shape") + 8];
        let places =
            places.into_iter().chain([data - 1, right.len() - 1]).chain((data..right.len()).step_by(step));
        for place in places {
            let mut bytes = right.clone();
            bytes[place] ^= 1;
            fs::write(folder.path().join("changed.st"), bytes).unwrap();
            let Outcome { status, stdout, stderr } =
                equilibria(folder.path(), &format!("{kind} filters changed.st --out pictures"));
            assert!(matches!(status, Some(1 | 2)) && stdout.is_empty(), "byte {place}: {stderr}");
            let sentence = stderr.strip_prefix("error: changed.st: at byte ");
            assert!(sentence.is_some() && stderr.lines().count() == 1, "byte {place}: {stderr}");
            if place >= data {
                assert!(stderr.contains("the file is damaged; get it again, or remove the key"), "{stderr}");
            }
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "something was drawn");
    }
}

#[test]
fn the_shipped_machines_have_their_sizes_and_are_small_and_theirs_alone() {
    let mut bytes = 0;
    for name in [pretrained::RESTRICTED, pretrained::DEEP] {
        let file = fs::read(super::fixture(name)).unwrap();
        bytes += file.len();
        let archive = Archive::from_bytes(&file, name).unwrap();
        // Written by this program: guarded, in 16 bits, no place of a machine in it.
        assert!(archive.to_bytes().unwrap() == file && archive.halved().unwrap().to_bytes().unwrap() == file);
        let configuration: toml::Table = archive.required_metadata("configuration").unwrap().parse().unwrap();
        assert_eq!(
            (&configuration["data"], &configuration["binarise"]),
            (&"mnist".into(), &"sampled".into())
        );
        assert!(!archive.required_metadata("configuration").unwrap().contains('/'), "a path");
    }
    assert!(bytes <= 4_000_000, "{bytes} bytes");
    let (deep, settings): (Dbm<f32>, _) = pretrained::deep().unwrap();
    assert_eq!(deep.sizes().collect::<Vec<_>>(), [784, 500, 1000]);
    assert_eq!((settings.hidden.0, settings.data.as_str()), (vec![500, 1000], "mnist"));
    let (restricted, settings): (Rbm<f32>, _) = pretrained::restricted().unwrap();
    assert_eq!((restricted.visible(), restricted.hidden()), (784, 500));
    assert_eq!((settings.hidden, settings.data.as_str()), (500, "mnist"));
}

#[test]
fn a_stored_generator_draws_the_same_samples_and_is_its_network_alone() {
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &str| equilibria(folder.path(), words).succeeded();
    let train =
        "gan train --images 60 --latent 3 --generator 16 --discriminator 8 --steps 6 --every 2 --batch 20 -q";
    run(&format!("{train} --out plain"));
    run(&format!("{train} --average 0.5 --out averaged"));
    for model in ["plain", "averaged"] {
        let samples = |model: &str, name: &str| {
            run(&format!("gan sample {model} --images {name}.npy --count 9 -q"));
            let file = folder.path().join(format!("{name}.npy"));
            let bytes = fs::read(&file).unwrap();
            fs::remove_file(file).unwrap();
            bytes
        };
        let expected = samples(model, "expected");
        for bits in [32, 16, 8] {
            let words = format!("gan store {model} --out {model}-{bits}.st --bits {bits} --json");
            let summary = run(&words).json();
            assert_eq!(summary["parameters"], 3 * 16 + 16 + 16 * 784 + 784, "{summary}");
            let file = fs::read(folder.path().join(format!("{model}-{bits}.st"))).unwrap();
            assert!(file.len() < 13_500 * bits / 8 + 8_000, "{bits} bits: {} bytes", file.len());
            let found = samples(&format!("{model}-{bits}.st"), "found");
            let off = found.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            assert!(
                off <= [0, 1, 8][[32, 16, 8].iter().position(|&all| all == bits).unwrap()],
                "{bits}: {off}"
            );
            let stored = equilibria::embedded::StoredGenerator::from_bytes(&file).unwrap();
            assert_eq!((stored.latent_len(), stored.image_shape().size()), (3, 784));
        }
        // Samples of training are not in the file; a sheet of new ones can be drawn.
        run(&format!("gan sample {model}-8.st --out sheet.png -q"));
    }
    // The size of the images is in no tensor.
    let mut archive = archive(&folder.path().join("plain-32.st"));
    archive.set_metadata("image_height", "7");
    fs::write(folder.path().join("wrong.st"), archive.to_bytes().unwrap()).unwrap();
    let outcome = equilibria(folder.path(), "gan sample wrong.st --out sheet.png");
    assert!(outcome.is_refused() && outcome.stderr.contains("no image of 784 pixels"), "{outcome:?}");
}

/// Within a ten-thousandth with 16 bits, within a thousandth with 8.
#[test]
fn a_stored_generator_keeps_its_distance_to_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &str| equilibria(folder.path(), words).succeeded();
    run("gan train --images 600 --latent 8 --generator 64-128 --discriminator 64 --steps 600 --out run -q");
    let distance = |bits: usize| {
        run(&format!("gan store run --bits {bits} --out {bits}.safetensors -q"));
        let found = run(&format!("gan evaluate {bits}.safetensors --images 500 --json -q")).json();
        number(&found["frechet_distance"])
    };
    let whole = distance(32);
    assert!(whole > 1.0, "{whole}");
    for (bits, share) in [(16, 1e-4), (8, 1e-3)] {
        let stored = distance(bits);
        assert!((stored - whole).abs() < share * whole, "{bits} bits: {stored}, 32 bits: {whole}");
    }
}
