//! Does `equilibria gan train` train convolutional networks with the options for few images, and draw generators of
//! PyTorch?

use super::{assert_png, equilibria};
use equilibria::checkpoint::Archive;
use std::fs;

const TRAIN: &str = "gan train --data synthetic --network dcgan --width 2 --latent 4 --images 60 --batch 10 --steps 4 --every 2 -q";

#[test]
fn convolutional_networks_are_trained_and_described() {
    let folder = tempfile::tempdir().unwrap();
    let options = "--objective relativistic --r1 0.5 --r2 0.5 --penalty-every 2 --augment translation,cutout,colour \
                   --average 0.9";
    equilibria(folder.path(), &format!("{TRAIN} {options} --out run")).succeeded();
    let config = fs::read_to_string(folder.path().join("run/config.toml")).unwrap();
    for line in [
        "objective = \"relativistic\"",
        "r1 = 0.5",
        "penalty_every = 2",
        "augment = [",
        "generator 4: conv-transpose 4 kernel 7 stride 1 padding 0 no-bias, batch-norm, relu, ",
        // The slope is penalised, so each image is normalised by itself.
        "conv 4 kernel 4 stride 2 padding 1 no-bias, layer-norm, leaky-relu 0.2, conv 1 kernel 7",
    ] {
        assert!(config.contains(line), "{line}: {config}");
    }
    equilibria(folder.path(), "gan sample run --count 4 --out p.png").succeeded();
    assert_png(&folder.path().join("p.png"));
    let spectral = equilibria(
        folder.path(),
        &format!("{} --normalise spectral --out spectral", TRAIN.replace(" -q", "")),
    )
    .succeeded();
    let line = spectral.stdout.lines().find(|line| line.starts_with("guideline not followed  batch norm"));
    assert!(line.is_some_and(|line| line.contains("; first exception: layer ")), "{}", spectral.stdout);
    let bytes = fs::read(folder.path().join("spectral/model.safetensors")).unwrap();
    let archive = Archive::from_bytes(&bytes, "model").unwrap();
    assert!(archive.names().any(|name| name == "discriminator.0.weight_u"));
}

#[test]
fn options_that_do_not_go_together_are_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |options: &str, words: &str| {
        let outcome = equilibria(folder.path(), &format!("gan train -q {options}"));
        let text = &outcome.stderr;
        assert!(outcome.is_refused() && text.lines().count() == 1, "{options}: {text}");
        assert!(text.contains(words), "{options}: {text}");
        assert!(!folder.path().join("runs").exists(), "{options}");
    };
    refused("--width 8", "--width: goes with --network dcgan, not mlp");
    for option in ["--generator 8", "--discriminator 8", "--plain"] {
        let name = option.split(' ').next().unwrap();
        refused(&format!("--network dcgan {option}"), &format!("{name}: goes with --network mlp, not dcgan"));
    }
    refused("--network dcgan --width 0", "a DCGAN of width 0");
    refused(
        "--network dcgan --r1 1 --objective penalty",
        "--r1: goes with --objective standard or relativistic",
    );
    refused(
        "--network dcgan --r2 1 --objective clipping",
        "--r2: goes with --objective standard or relativistic",
    );
    refused("--network dcgan --penalty-every 4", "--penalty-every: goes with --r1 or --r2");
    refused("--network dcgan --r1 1 --penalty-every 0", "--penalty-every 0");
    refused("--network dcgan --r1 -1", "--r1 -1");
    refused("--network dcgan --r1 1 --normalise batch", "batch normalisation in a penalised critic");
    refused(
        "--network dcgan --objective penalty --normalise batch",
        "batch normalisation in a penalised critic",
    );
    refused("--augment cutout", "--augment: goes with --network dcgan, not mlp");
}

#[test]
fn a_generator_of_pytorch_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let state = include_bytes!("../../fixtures/torch-dcgan.safetensors");
    fs::write(folder.path().join("g.safetensors"), state).unwrap();
    equilibria(folder.path(), "gan sample g.safetensors --count 4 --out p.png").succeeded();
    assert_png(&folder.path().join("p.png"));
    let summary = equilibria(folder.path(), "gan sample g.safetensors --count 1 --out one.png --json");
    assert!(summary.succeeded().json()["steps"].is_null());
    let training = equilibria(folder.path(), "gan sample g.safetensors --training --out t.png");
    let words =
        "--training: this file has no samples from training; only run directories and their models do";
    assert!(training.is_refused() && training.stderr.contains(words), "{}", training.stderr);
    // The way back: the same tensors, and the same picture.
    equilibria(folder.path(), "gan export g.safetensors --out h.safetensors").succeeded();
    let [given, written] = ["g.safetensors", "h.safetensors"]
        .map(|name| Archive::from_bytes(&fs::read(folder.path().join(name)).unwrap(), name).unwrap());
    for name in written.names() {
        let shape = written.shape(name).unwrap();
        assert_eq!(
            written.tensor_f32(name, shape).unwrap(),
            given.tensor_f32(name, shape).unwrap(),
            "{name}"
        );
    }
    equilibria(folder.path(), "gan sample h.safetensors --count 4 --out q.png").succeeded();
    let [p, q] = ["p.png", "q.png"].map(|name| fs::read(folder.path().join(name)).unwrap());
    assert!(p == q);
    let again = equilibria(folder.path(), "gan export g.safetensors --out h.safetensors");
    assert!(again.is_refused() && again.stderr.contains("exists already"), "{}", again.stderr);
}
