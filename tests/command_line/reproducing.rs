//! Does `equilibria reproduce` make the files that it lists, and only these?

use super::{assert_svg, equilibria, write_digits};
use std::fs;

/// The files of a folder, sorted.
fn files(folder: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    let mut names: Vec<String> = files.map(|file| file.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_listed_files_are_those_that_a_run_makes() {
    let folder = tempfile::tempdir().unwrap();
    let listed = |figures: &str| {
        let outcome = equilibria(folder.path(), &format!("reproduce {figures} --list")).succeeded();
        assert_eq!(outcome.stderr, "");
        outcome.stdout.lines().map(String::from).collect::<Vec<_>>()
    };
    let [all, chosen] = ["", "figure3 figure1 figure3"].map(listed);
    assert!(!folder.path().join("out").exists(), "a list does no work");
    for name in
        ["index.html", "summary.json", "figure1-epochs.svg", "figure2.png", "figure4-raw.png", "figure8.png"]
    {
        assert!(all.iter().any(|file| file == name), "{name}: {all:?}");
    }
    assert!(chosen.len() < all.len() && chosen.iter().all(|file| all.contains(file)), "{chosen:?}");

    write_digits(&folder.path().join("digits"), 28, 60, 20);
    let outcome = equilibria(folder.path(), "reproduce figure3 figure1 figure3 --data digits --json -q");
    let summary = outcome.succeeded().json();
    let out = folder.path().join("out");
    let mut chosen = chosen;
    chosen.sort();
    assert_eq!(files(&out), chosen);
    chosen.iter().filter(|file| file.ends_with(".svg")).for_each(|file| assert_svg(&out.join(file)));
    let page = fs::read_to_string(out.join("index.html")).unwrap().replace('\u{a0}', " ");
    assert!(
        page.contains("<span>reproduce</span> <span>figure1</span> <span>figure3</span> <span>--data</span>")
    );
    let places = ["<h2>Figure 1", "<h2>Figure 3"].map(|heading| page.find(heading).unwrap());
    assert!(places[0] < places[1], "figures in the order of the report");
    for figure in ["figure1", "figure3"] {
        for sentence in summary[figure]["answer"].as_array().unwrap() {
            let start = sentence["text"].as_str().unwrap().split('\'').next().unwrap();
            assert!(start.len() > 20 && page.contains(start), "{start} is not in the page");
        }
    }
}

#[test]
fn an_unknown_figure_is_refused_with_the_names_of_all() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = equilibria(folder.path(), "reproduce figure9");
    assert!(outcome.is_refused());
    for name in ["figure9", "figure1", "figure8"] {
        assert!(outcome.stderr.contains(name), "{}", outcome.stderr);
    }
}

#[test]
fn finished_parts_are_reused_while_their_inputs_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    write_digits(&folder.path().join("digits"), 28, 60, 20);
    let out = folder.path().join("out");
    let make = |options: &str| {
        equilibria(folder.path(), &format!("reproduce figure7 figure3 --data digits {options}"))
            .succeeded()
            .stderr
    };
    let is_reused =
        |told: &str| ["figure3", "figure7"].map(|name| told.contains(&format!("{name} is there already")));
    fs::create_dir_all(out.join("trained/mine")).unwrap();
    fs::write(out.join("trained/mine/notes.txt"), "mine").unwrap();
    // As `--out .` would find it.
    equilibria(
        folder.path(),
        "rbm train --data digits --hidden 5 --epochs 1 --batch 10 --out out/runs/rbm -q",
    )
    .succeeded();
    assert_eq!(is_reused(&make("")), [false, false]);
    assert_eq!(fs::read_to_string(out.join("trained/mine/notes.txt")).unwrap(), "mine");
    assert!(out.join("runs/rbm/model.safetensors").is_file(), "the runs of training commands stay");
    assert_eq!(fs::read_dir(out.join("trained")).unwrap().count(), 1, "finished runs are removed");
    let page = || fs::read_to_string(out.join("index.html")).unwrap();
    let until_the_time = |page: String| page.split("<dt>time</dt>").next().unwrap().to_string();
    let first = until_the_time(page());
    assert_eq!(is_reused(&make("")), [true, true]);
    assert!(first == until_the_time(page()), "a page of finished parts is the same");
    fs::remove_file(out.join("figure7-descent.svg")).unwrap();
    assert_eq!(is_reused(&make("--keep")), [true, false]);
    assert_eq!(is_reused(&make("--seed 2 --keep")), [false, false]);
    assert!(out.join("trained/hidden-20/model.safetensors").is_file());
    // Other data under the same name.
    write_digits(&folder.path().join("digits"), 28, 61, 20);
    assert_eq!(is_reused(&make("--seed 2")), [false, false]);
}

#[test]
fn a_part_that_fails_leaves_the_others() {
    let folder = tempfile::tempdir().unwrap();
    write_digits(&folder.path().join("digits"), 28, 60, 20);
    fs::create_dir(folder.path().join("out")).unwrap();
    // Runs cannot be made inside a file.
    fs::write(folder.path().join("out/trained"), "a file").unwrap();
    let outcome = equilibria(folder.path(), "reproduce figure3 figure7 --data digits -q");
    assert!(outcome.is_refused());
    assert!(
        outcome.stderr.contains("figure3 was not made: ") && outcome.stderr.contains("\nerror: "),
        "{}",
        outcome.stderr
    );
    let page = fs::read_to_string(folder.path().join("out/index.html")).unwrap();
    assert!(page.contains("This part failed: ") && page.contains("<h2>Figure 7"), "{page:.500}");
    assert_eq!(fs::read_to_string(folder.path().join("out/trained")).unwrap(), "a file");
}
