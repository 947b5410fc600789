//! The public functions of the crate, extracted from its source text.
//!
//! The crate denies `unreachable_pub`: every `pub` function can be called from outside, and every other function is
//! `pub(crate)` or private.

use std::fs;
use std::path::{Path, PathBuf};

/// `module: function` or `module: Type::method`, sorted, where `module` is a path without `.rs`.
pub fn public_functions() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let mut functions = Vec::new();
    for file in files {
        let module = file.strip_prefix(&root).unwrap().with_extension("");
        let module = module.to_str().unwrap().replace('\\', "/");
        let text = fs::read_to_string(&file).unwrap();
        functions.extend(of_file(&text).into_iter().map(|name| format!("{module}: {name}")));
    }
    functions.sort_unstable();
    assert!(functions.len() > 80, "the source was not found: {functions:?}");
    functions
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn of_file(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    // The type of the `impl` block, and whether a macro of this file defines functions.
    let (mut type_name, mut has_macro) = (String::new(), false);
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("impl") {
            type_name = format!("{}::", identifier(after_generics(rest)));
        } else if line.starts_with('}') {
            type_name.clear();
        }
        if line == "#[cfg(test)]" {
            break;
        }
        let Some(name) = declared(line.trim_start()) else { continue };
        match name {
            "" => has_macro = true,
            name => names.push(format!("{type_name}{name}")),
        }
    }
    if has_macro {
        // Lines of the macro's table: a function, its in-place version, and their type.
        for line in text.lines().filter_map(|line| line.strip_prefix("    ")) {
            let words: Vec<_> = line.split(", ").take(2).collect();
            if let [name, in_place] = words[..]
                && in_place.strip_suffix("_in_place") == Some(name)
            {
                names.extend([name.into(), in_place.into()]);
            }
        }
    }
    names
}

/// The name of the public function that a line declares; empty if a macro supplies it.
fn declared(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub ")?;
    let rest = rest.strip_prefix("const ").unwrap_or(rest);
    assert!(!rest.starts_with("unsafe fn"), "a public function that is not safe: {line}");
    rest.strip_prefix("fn ").map(identifier)
}

/// The identifier at the start of a text.
fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The text after `<...>` and a space.
fn after_generics(text: &str) -> &str {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ if depth == 0 => return text[at..].trim_start(),
            _ => {}
        }
    }
    text
}
