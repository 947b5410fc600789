//! Does every file that people bring give the right result, or one true sentence?
#![cfg(feature = "cli")]

#[path = "field/arrays.rs"]
mod arrays;
#[path = "field/folders.rs"]
mod folders;
#[path = "field/kinds.rs"]
mod kinds;
#[path = "field/output.rs"]
mod output;
#[path = "field/runs.rs"]
mod runs;
#[path = "field/wrong.rs"]
mod wrong;

use equilibria::data::{Dataset, Reading};
use std::fs;
use std::path::Path;

/// The end of a program.
struct Outcome {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs the program in `folder`.
fn run(folder: &Path, command: &str) -> Outcome {
    let mut program = assert_cmd::Command::cargo_bin("equilibria").unwrap();
    let output = program.current_dir(folder).args(command.split_whitespace()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Outcome { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Runs the program, which must succeed.
#[track_caller]
fn succeeds(folder: &Path, command: &str) -> Outcome {
    let outcome = run(folder, command);
    assert_eq!(outcome.status, Some(0), "{command}: {}", outcome.stderr);
    outcome
}

/// Runs the program, which must refuse with one sentence that contains `words`.
#[track_caller]
fn refuses(folder: &Path, command: &str, words: &str) {
    let Outcome { status, stderr, .. } = run(folder, command);
    assert!(matches!(status, Some(1 | 2)) && stderr.contains(words), "{command}: {status:?}, {stderr}");
    let errors = stderr.lines().filter(|line| line.starts_with("error: ")).count();
    assert!(errors == 1 && !stderr.contains("panicked"), "{command}: {stderr}");
}

/// The default options of reading, with a change.
fn reading(change: impl FnOnce(&mut Reading)) -> Reading {
    let mut reading = Reading::default();
    change(&mut reading);
    reading
}

/// Loads images with options; the notes for the user on one line.
#[track_caller]
fn load(source: &Path, reading: &Reading) -> (Dataset, String) {
    let (digits, notes) =
        Dataset::load_with(source, None, None, reading).unwrap_or_else(|error| panic!("{error}"));
    (digits, notes.join("\n"))
}

/// The error of loading images.
#[track_caller]
fn refused(source: &Path, reading: &Reading) -> String {
    Dataset::load_with(source, None, None, reading).expect_err("wrong data were accepted").to_string()
}

/// An IDX file with this code of the element type and these sizes.
fn idx(code: u8, sizes: &[usize], content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, code, sizes.len() as u8];
    sizes.iter().for_each(|&size| bytes.extend((size as u32).to_be_bytes()));
    bytes.extend(content);
    bytes
}

/// An `.npy` file.
fn npy(descr: &str, shape: &str, content: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), content].concat()
}

/// Pixels of `count` images of `size` values: some background, some ink, and no two images alike.
fn pixels(count: usize, size: usize) -> Vec<u8> {
    (0..count * size).map(|at| if (at * 7 + at / size * 3) % 5 < 2 { 255 } else { 0 }).collect()
}

/// MNIST's names, with images of `size` for training and for testing.
fn write_set(folder: &Path, [height, width]: [usize; 2], [train, test]: [usize; 2]) {
    fs::create_dir_all(folder).unwrap();
    for (name, count) in [("train", train), ("t10k", test)] {
        let images = idx(8, &[count, height, width], &pixels(count, height * width));
        fs::write(folder.join(format!("{name}-images-idx3-ubyte")), images).unwrap();
        let labels: Vec<u8> = (0..count).map(|index| index as u8 % 10).collect();
        fs::write(folder.join(format!("{name}-labels-idx1-ubyte")), idx(8, &[count], &labels)).unwrap();
    }
}
