//! The folder of real data, or a word on the terminal that a test was skipped.

use std::io::Write;
use std::path::PathBuf;

/// The folder that `EQUILIBRIA_DATA` names.
pub fn folder() -> Option<PathBuf> {
    let found = std::env::var_os("EQUILIBRIA_DATA").map(PathBuf::from);
    if found.is_none() {
        skipped("EQUILIBRIA_DATA does not name the folder of MNIST");
    }
    found
}

/// Says so past the harness, which keeps what `eprintln!` says of a test that passes to itself.
pub fn skipped(why: &str) {
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "skipped {name}: {why}");
}
