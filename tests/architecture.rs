//! Does the source keep its order: are there no import cycles between files, and do layers import only from lower
//! layers?

#[path = "architecture/imports.rs"]
mod imports;

use imports::Tree;
use std::collections::BTreeSet;
use std::path::Path;

/// The layers of `src` from top to bottom: a module imports only from its own layer and from lower layers.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["experiments"],
    &["bench", "report", "run", "pretrained"],
    &["embedded"],
    &["boltzmann", "adversarial", "evaluate", "transport"],
    &["nn", "optim", "data"],
    &["tensor", "rng", "error", "parallel", "aligned", "checkpoint", "half", "memory"],
];

/// Modules of the same layer that must not import one another.
const APART: &[&str] = &["boltzmann", "adversarial", "transport"];

fn read(directory: &str) -> Tree {
    Tree::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(directory))
}

/// The cycles in the imports of the files of a directory.
fn cycles_in(directory: &str) -> String {
    imports::cycles(&read(directory).imports()).join("\n")
}

#[test]
fn the_files_of_the_kernels_have_no_import_cycle() {
    assert_eq!(cycles_in("kernels/src"), "");
}

#[test]
fn the_files_of_the_library_have_no_import_cycle() {
    assert_eq!(cycles_in("src"), "");
}

/// The index of a file's layer, from the top, and its module.
fn layer_of(file: &str) -> (usize, &str) {
    let module = file.split(['/', '.']).next().unwrap();
    let layer = LAYERS.iter().position(|modules| modules.contains(&module));
    (layer.unwrap_or_else(|| panic!("{file} belongs to no layer: add its module to the list")), module)
}

#[test]
fn layers_import_only_from_lower_layers() {
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

/// The imports in a tree of files, as text.
fn imports_of(files: &[(&str, &str)]) -> Vec<String> {
    Tree::new(files).imports().into_iter().map(|(from, to)| format!("{from} -> {to}")).collect()
}

#[test]
fn an_import_refers_to_the_file_that_defines_the_name() {
    let files = [
        ("lib.rs", "pub mod a;\npub mod b;\n"),
        // It re-exports an item of `a/inner.rs` without using it.
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
fn names_that_are_both_reexported_and_used_count() {
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
fn paths_in_code_count_and_those_in_comments_strings_visibilities_and_tests_do_not() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\nmod c;\nmod d;\n"),
        (
            "a.rs",
            "/// [`crate::c::C`]\nfn a() -> &'static str { crate::b::b(); \"crate::c::C\" }\n\
             #[cfg(test)]\nmod tests {\n    use crate::c::C;\n}\n",
        ),
        ("b.rs", "mod inline {\n    use super::super::d::D;\n    pub fn x(_: D) {}\n}\npub fn b() {}\n"),
        ("c.rs", "pub(in crate::b) struct C;\n"),
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
