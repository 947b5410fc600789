//! Does the tree keep its order: no file imports one that imports it back, and layers import from the layers below them?

#[path = "architecture/imports.rs"]
mod imports;

use imports::Tree;
use std::collections::BTreeSet;
use std::path::Path;

/// Imports within `src` without which no file would import one that imports it: a file, and what it imports. The list may
/// only shrink.
const KNOWN: &[(&str, &[&str])] = &[
    ("boltzmann/learning/deep/ascent.rs", &["boltzmann/learning/deep.rs"]),
    (
        "cli.rs",
        &["cli/bench.rs", "cli/dbm.rs", "cli/gan.rs", "cli/info.rs", "cli/rbm.rs", "cli/reproduce.rs"],
    ),
    (
        "cli/bench.rs",
        &[
            "cli/bench/boltzmann.rs",
            "cli/bench/game.rs",
            "cli/bench/gemm.rs",
            "cli/bench/math.rs",
            "cli/bench/random.rs",
            "cli/bench/reduce.rs",
            "cli/bench/slices.rs",
        ],
    ),
    (
        "cli/dbm.rs",
        &["cli/dbm/evaluate.rs", "cli/dbm/filters.rs", "cli/dbm/reconstruct.rs", "cli/dbm/sample.rs"],
    ),
    (
        "cli/rbm.rs",
        &["cli/rbm/evaluate.rs", "cli/rbm/filters.rs", "cli/rbm/mixing.rs", "cli/rbm/reconstruct.rs"],
    ),
    ("cli/rbm/sample.rs", &["cli/rbm.rs"]),
    ("cli/reproduce.rs", &["cli/reproduce/figure3.rs"]),
    ("cli/reproduce/figure1.rs", &["cli/reproduce.rs"]),
    ("cli/reproduce/figure2.rs", &["cli/reproduce.rs"]),
    (
        "cli/reproduce/figure4.rs",
        &[
            "cli/reproduce.rs",
            "cli/reproduce/figure4/answer.rs",
            "cli/reproduce/figure4/rows.rs",
            "cli/reproduce/figure4/samples.rs",
        ],
    ),
    ("cli/reproduce/figure8.rs", &["cli/reproduce.rs"]),
    ("cli/reproduce/figure8/answer.rs", &["cli/reproduce/figure8.rs"]),
    ("data.rs", &["data/mnist.rs", "data/synthetic.rs"]),
    ("evaluate/filters.rs", &["evaluate/filters/loops.rs", "evaluate/filters/spectrum.rs"]),
    ("report/sheet/layout.rs", &["report/sheet.rs"]),
];

/// The layers of `src` from the top to the bottom: a module imports from its own layer and those below.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["report", "run"],
    &["boltzmann", "adversarial", "evaluate", "transport"],
    &["nn", "optim", "data"],
    &["tensor", "rng", "error", "parallel", "aligned", "checkpoint"],
];

/// Modules that do not import one another, though they are of one layer.
const APART: &[&str] = &["boltzmann", "adversarial", "transport"];

fn read(directory: &str) -> Tree {
    Tree::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(directory))
}

/// Fails if `tree` has a cycle without the `known` imports, or one of those is not part of a cycle any more.
#[track_caller]
fn assert_no_cycle(tree: &Tree, known: &[(&str, &[&str])]) {
    let known = known.iter().flat_map(|&(from, list)| list.iter().map(move |&to| (from.into(), to.into())));
    let (all, known): (BTreeSet<(String, String)>, BTreeSet<_>) = (tree.imports(), known.collect());
    let others: BTreeSet<_> = all.difference(&known).cloned().collect();
    let cycles = imports::cycles(&others);
    assert!(cycles.is_empty(), "files that import one another:\n{}", cycles.join("\n"));
    let closes_a_cycle = |(from, to): &(String, String)| {
        all.contains(&(from.clone(), to.clone())) && imports::reaches(&others, to, from)
    };
    let opened: Vec<_> = known.iter().filter(|import| !closes_a_cycle(import)).collect();
    assert!(opened.is_empty(), "these close no cycle any more, take them off the list: {opened:#?}");
}

#[test]
fn no_file_of_the_kernels_imports_one_that_imports_it() {
    assert_no_cycle(&read("kernels/src"), &[]);
}

#[test]
fn no_file_of_the_library_imports_one_that_imports_it() {
    assert_no_cycle(&read("src"), KNOWN);
}

/// The layer of a file, from the top, and its module.
fn layer_of(file: &str) -> (usize, &str) {
    let module = file.split(['/', '.']).next().unwrap();
    let layer = LAYERS.iter().position(|modules| modules.contains(&module));
    (layer.unwrap_or_else(|| panic!("{file} is of no layer: add its module to the list")), module)
}

#[test]
fn layers_import_from_those_below() {
    let mut upward = BTreeSet::new();
    for (from, to) in read("src").imports() {
        if from == "lib.rs" || to == "lib.rs" {
            continue;
        }
        let ((layer, module), (other_layer, other)) = (layer_of(&from), layer_of(&to));
        let is_apart = module != other && APART.contains(&module) && APART.contains(&other);
        if other_layer < layer || is_apart {
            upward.insert((from, to));
        }
    }
    assert!(upward.is_empty(), "imports against the order of the layers: {upward:#?}");
}

/// The imports that a tree of files has, as text.
fn imports_of(files: &[(&str, &str)]) -> Vec<String> {
    Tree::new(files).imports().into_iter().map(|(from, to)| format!("{from} -> {to}")).collect()
}

#[test]
fn imports_lead_to_the_file_that_defines_a_name() {
    let files = [
        ("lib.rs", "pub mod a;\npub mod b;\n"),
        // It passes on what `a/inner.rs` defines, and does not need it.
        ("a.rs", "mod inner;\npub use inner::{Inner, Other};\npub struct A;\n"),
        ("a/inner.rs", "use super::A;\npub struct Inner(A);\npub enum Other {}\n"),
        (
            "b.rs",
            "use crate::a::{A as Letter, Inner};\n// use crate::nothing;\nfn b(_: Letter, _: Inner) {}\n",
        ),
    ];
    assert_eq!(imports_of(&files), ["a/inner.rs -> a.rs", "b.rs -> a.rs", "b.rs -> a/inner.rs"]);
}

#[test]
fn names_that_are_passed_on_and_mentioned_count() {
    let files = [
        ("lib.rs", "mod a;\n"),
        ("a.rs", "mod inner;\npub use inner::Inner;\npub struct A(Inner);\n"),
        ("a/inner.rs", "use super::A;\npub struct Inner(Option<A>);\n"),
    ];
    assert_eq!(imports_of(&files), ["a.rs -> a/inner.rs", "a/inner.rs -> a.rs"]);
    let cycles = imports::cycles(&Tree::new(&files).imports());
    assert_eq!(cycles, ["a.rs -> a/inner.rs -> a.rs"]);
}

#[test]
fn paths_in_code_count_and_those_in_comments_strings_and_tests_do_not() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\nmod c;\nmod d;\n"),
        (
            "a.rs",
            "/// [`crate::c::C`]\nfn a() -> &'static str { crate::b::b(); \"crate::c::C\" }\n\
             #[cfg(test)]\nmod tests {\n    use crate::c::C;\n}\n",
        ),
        ("b.rs", "mod inline {\n    use super::super::d::D;\n    pub fn x(_: D) {}\n}\npub fn b() {}\n"),
        ("c.rs", "pub struct C;\n"),
        ("d.rs", "pub struct D;\n"),
    ];
    assert_eq!(imports_of(&files), ["a.rs -> b.rs", "b.rs -> d.rs"]);
}

#[test]
fn cycles_of_any_length_are_found() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\nmod c;\n"),
        ("a.rs", "use crate::b::B;\npub struct A(B);\n"),
        ("b.rs", "use crate::c::C;\npub struct B(C);\n"),
        ("c.rs", "use crate::a::A;\npub struct C(Option<A>);\n"),
    ];
    let cycles = imports::cycles(&Tree::new(&files).imports());
    assert_eq!(cycles, ["a.rs -> b.rs -> c.rs -> a.rs"]);
}
