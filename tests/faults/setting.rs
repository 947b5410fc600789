//! The preloaded library, and data for short runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles the library to preload. Without a compiler there is none.
pub fn shim(folder: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/shim.rs");
    let library = folder.join("libshim.so");
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(compiler);
    command.args(["--edition=2024", "--crate-type=cdylib", "-O", "-o"]).arg(&library).arg(source);
    let made = command.output().ok()?;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Some(library)
}

/// Writes 90 digits into the folder `few`.
pub fn write_digits(path: &Path) {
    let digits = equilibria::data::synthetic::digits(0, 90).unwrap();
    fs::create_dir(path.join("few")).unwrap();
    let images = equilibria::data::idx::to_bytes(digits.images()).unwrap();
    fs::write(path.join("few/images-idx3-ubyte"), images).unwrap();
    let labels = [&[0, 0, 8, 1, 0, 0, 0, 90], digits.labels()].concat();
    fs::write(path.join("few/labels-idx1-ubyte"), labels).unwrap();
}
