//! Does a command come to its end, with summary and JSON, where a picture has nothing to show or cannot be written?

use super::{Outcome, assert_svg, equilibria, trained};
use serde_json::Value;
use std::fs;
use std::path::Path;

const GAN: &str = "gan train --images 200 --latent 8 --generator 16-24 --discriminator 16-12 --batch 20 -q";

/// A command that succeeded, with a warning about each of these pictures and nothing else on standard error.
#[track_caller]
fn warned(outcome: Outcome, pictures: &[&str]) -> Outcome {
    let outcome = outcome.succeeded();
    let lines: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(lines.len(), pictures.len(), "{}", outcome.stderr);
    for (line, picture) in lines.iter().zip(pictures) {
        assert!(line.starts_with(&format!("warning: {picture} was not drawn: ")), "{line}");
    }
    outcome
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_critic_that_is_never_positive_has_a_chart_and_a_summary() {
    let folder = tempfile::tempdir().unwrap();
    let train =
        "gan train --objective penalty --steps 1 --every 1 --critic-steps 1 --images 500 --seed 1 --json -q";
    let outcome = warned(equilibria(folder.path(), &format!("{train} --out run")), &[]);
    let found = outcome.json();
    assert!(found["last"]["wasserstein"].as_f64().unwrap() < 0.0, "another case is tested: {found}");
    assert_svg(&folder.path().join("run/plots/critic.svg"));
    // Without a reading there is nothing to draw at all.
    let outcome = equilibria(folder.path(), &format!("{} --steps 1 --every 2 --json --out none", GAN));
    assert!(warned(outcome, &[]).json()["last"].is_null());
}

#[test]
fn pictures_that_cannot_be_written_are_warnings_beside_the_results() {
    let folder = trained();
    let at = |name: &str| folder.path().join(name);
    // A file where the plots' folder would be.
    equilibria(folder.path(), &format!("{GAN} --steps 2 --every 1 --out gan")).succeeded();
    let plots =
        ["losses", "accuracy", "scores", "generator-gradient", "discriminator-gradient", "classes", "spread"];
    let plots = plots.map(|name| format!("gan/plots/{name}.svg"));
    fs::remove_dir_all(at("gan/plots")).unwrap();
    fs::write(at("gan/plots"), "in the way").unwrap();
    let outcome = equilibria(folder.path(), &format!("{GAN} --steps 2 --every 1 --out gan --force --json"));
    let found = warned(outcome, &plots.each_ref().map(String::as_str)).json();
    assert_eq!(found["steps"], read(&at("gan/summary.json"))["steps"]);

    // Files that are no pictures, under their names, stay.
    let taken = |path: &str| {
        fs::create_dir_all(at(path).parent().unwrap()).unwrap();
        fs::write(at(path), "mine").unwrap();
    };
    taken("sweep/sweep.svg");
    let sweep = "rbm sweep --hidden 3 --epochs 1 --steps 1 --images 40 --batch 10 --out sweep --json -q";
    let found = warned(equilibria(folder.path(), sweep), &["sweep/sweep.svg"]).json();
    assert!(
        found["cells"].as_array().unwrap().len() == 1 && found == read(&at("sweep/summary.json")),
        "{found}"
    );
    taken("toys/dirac.svg");
    let outcome =
        warned(equilibria(folder.path(), "gan toys --only dirac --out toys -q"), &["toys/dirac.svg"]);
    assert!(outcome.stdout.ends_with("wrote summary.json in toys\n"), "{}", outcome.stdout);
    taken("mixing/overlap.svg");
    fs::create_dir(at("mixing/samples.png")).unwrap();
    let mixing = "rbm mixing run --images 4 --steps 2 --out mixing --json -q";
    let found =
        warned(equilibria(folder.path(), mixing), &["mixing/samples.png", "mixing/overlap.svg"]).json();
    assert_eq!(found, read(&at("mixing/summary.json")));
    for path in ["sweep/sweep.svg", "toys/dirac.svg", "mixing/overlap.svg"] {
        assert_eq!(fs::read_to_string(at(path)).unwrap(), "mine");
    }

    // The results are on standard output even where their own file cannot be written.
    fs::remove_file(at("mixing/summary.json")).unwrap();
    fs::create_dir(at("mixing/summary.json")).unwrap();
    let outcome = equilibria(folder.path(), mixing);
    assert!(outcome.is_refused() && outcome.json()["machines"].is_array(), "{outcome:?}");
    assert!(outcome.stderr.contains("error: writing mixing/summary.json: "), "{}", outcome.stderr);
}

/// Images that are all alike have no spread to be a share of.
#[test]
fn data_that_do_not_differ_do_not_make_a_game_diverge() {
    let folder = tempfile::tempdir().unwrap();
    super::write_digits(&folder.path().join("same"), 8, 40, 30);
    for (name, header) in [("train-images-idx3-ubyte", 16), ("t10k-images-idx3-ubyte", 16)] {
        let path = folder.path().join("same").join(name);
        let mut bytes = fs::read(&path).unwrap();
        let image = bytes[header..header + 64].to_vec();
        bytes[header..].chunks_exact_mut(64).for_each(|other| other.copy_from_slice(&image));
        fs::write(path, bytes).unwrap();
    }
    let train = GAN.replace("--images 200", "--data same");
    let outcome = equilibria(folder.path(), &format!("{train} --steps 40 --every 1 --out run --json"));
    let found = warned(outcome, &[]).json();
    assert_ne!(found["stability"]["verdict"], "diverged", "{found}");
    let warnings = found["warnings"].as_array().unwrap();
    assert!(!warnings.iter().any(|warning| warning["warning"] == "not_finite"), "{found}");
}
